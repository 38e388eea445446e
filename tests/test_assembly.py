"""From results to constants: columns, names of rows, cells with value, error, size and reason."""

import dataclasses

import pytest

from normcal import assembly, catalog, naming, quantity, spec
from normcal.assembly import ERRORS, WORDS
from normcal.constants import ERROR, NUMBER, WORD
from normcal.errors import RequestError
from normcal.law import Normal
from normcal.layer import DIRECTIONS
from normcal.quantity import PATHS
from normcal.result import BOUND, STANDARD_ERROR
from normcal.value import Value
from tests.renderers import samples


def entry(text: str, name: str | None = None, style: str = "snake") -> str:
    typed = spec.parse(text)
    (found,) = assembly.entries([(name, typed, catalog.build(typed))], style)
    return found.name


def built(paths, results, **more):
    columns = [assembly.column(path, None, "snake") for path in paths]
    return assembly.build("X", columns, [row.layer.name for row in results], results, Normal(), **more)


# -- columns


@pytest.mark.parametrize("path", [*PATHS, *WORDS, *ERRORS, "-forward.mean", "forward.std^2", "backward.gate.gain"])
def test_every_quantity_error_and_word_can_be_a_column(path):
    found = assembly.column(path, None, "snake")
    assert found.path == path
    assert found.name.isidentifier()
    assert found.meaning
    assert assembly.column(path, "mine", "snake").name == "mine"


@pytest.mark.parametrize("style", naming.STYLES)
def test_the_names_of_columns_follow_the_style_and_are_their_own(style):
    paths = [*PATHS, *WORDS, *ERRORS]
    names = [assembly.column(path, None, style).name for path in paths]
    assert len(set(names)) == len(names)
    assert assembly.column("forward.rms_gain", None, style).name == {
        "spec": "forward_rms_gain", "snake": "forward_rms_gain", "upper": "FORWARD_RMS_GAIN", "camel": "forwardRmsGain",
        "pascal": "ForwardRmsGain", "kebab": "forward-rms-gain",
    }[style]  # fmt: skip


@pytest.mark.parametrize("path", ["forward.men", "", "forward", "forward.error", "forward.error.x", "engine"])
def test_what_is_none_of_them_is_refused(path):
    with pytest.raises(RequestError, match="Unknown quantity"):
        assembly.column(path, None, "snake")


@pytest.mark.parametrize(
    ("paths", "needed"),
    [
        (["forward.mean"], ("forward",)),
        (["backward.engine", "backward.error.std"], ("backward",)),
        (["backward.std", "forward.status"], DIRECTIONS),
        (["jacobian_factor"], DIRECTIONS),
        (["scale.forward"], ("forward",)),
        ([], ()),
    ],
    ids=str,
)
def test_columns_say_which_passes_they_need(paths, needed):
    assert assembly.directions([assembly.column(path, None, "snake") for path in paths]) == needed


# -- rows


@pytest.mark.parametrize(
    ("text", "style", "name"),
    [
        ("relu", "snake", "relu"),
        ("leaky_relu(negative_slope=0.25)", "snake", "leaky_relu_negative_slope_0_25"),
        ("leaky_relu(negative_slope=0.25)", "spec", "leaky_relu(negative_slope=0.25)"),
        ("leaky_relu(negative_slope=-0.25)", "pascal", "LeakyReluNegativeSlopeMinus025"),
        ("max_pool(kernel_size=(3, 2))", "upper", "MAX_POOL_KERNEL_SIZE_3_2"),
        ("elu(alpha=1)", "kebab", "elu-alpha-1"),
    ],
)
def test_a_row_is_called_by_what_was_typed(text, style, name):
    assert entry(text, style=style) == name


def test_the_name_of_the_user_wins():
    assert entry("relu", "my own") == "my own"


def test_a_layer_without_what_was_typed_is_called_by_what_differs_from_its_defaults():
    layer = catalog.layer("leaky_relu(negative_slope=0.2)")
    (found,) = assembly.entries([(None, layer, layer)], "snake")
    assert found.name == "leaky_relu_negative_slope_0_2"


@pytest.mark.parametrize(
    "rows",
    [[("a", "relu"), ("a", "gelu")], [("relu", "gelu"), (None, "relu")]],
    ids=["named-twice", "named-as-another"],
)
def test_two_layers_of_one_name_are_refused(rows):
    typed = [(name, spec.parse(text), catalog.layer(text)) for name, text in rows]
    with pytest.raises(RequestError, match="Two layers are called") as caught:
        assembly.entries(typed, "snake")
    assert "mapping" in caught.value.hint


def test_a_layer_that_is_listed_twice_is_one_row():
    typed = [(None, spec.parse(text), catalog.layer(text)) for text in ("relu", "silu", "swish", "ReLU")]
    assert [row.name for row in assembly.entries(typed, "snake")] == ["relu", "silu"]


# -- cells


@pytest.mark.parametrize("path", PATHS)
def test_a_cell_holds_the_quantity_of_its_column(path):
    result = samples.exact()
    (row,) = built([path], [result]).rows
    (cell,) = row.cells
    assert (cell.role, cell.value) == (NUMBER, quantity.parse(path).of(result))
    assert float(cell.text) == cell.value.value


def test_a_cell_of_a_sampled_value_says_so():
    (row,) = built(["forward.mean", "scale.geometric"], [samples.sampled()]).rows
    assert [cell.kind for cell in row.cells] == [STANDARD_ERROR] * 2
    assert [cell.kind for cell in built(["forward.mean"], [samples.exact()]).rows[0].cells] == [BOUND]


@pytest.mark.parametrize(
    ("path", "role", "text", "fixed"),
    [
        ("forward.engine", WORD, "closed-form", False),
        ("forward.status", WORD, "ok", True),
        ("forward.error.std", ERROR, "3.0e-16", False),
        ("backward.error.mean", ERROR, "0.0", False),
    ],
)
def test_words_and_errors_are_cells_of_their_own_kind(path, role, text, fixed):
    (row,) = built([path], [samples.exact()]).rows
    assert (row.cells[0].role, row.cells[0].text, row.cells[0].fixed) == (role, text, fixed)


@pytest.mark.parametrize(
    ("index", "path", "reason"),
    [
        (0, "forward.gain", "the std is 0, so there is no gain"),
        (0, "backward.std", "the input lies on a kink"),
        (1, "forward.std", "the variance is infinite"),
        (1, "backward.mean", "beyond a double"),
        (1, "jacobian_factor", "the variance is infinite"),
    ],
)
def test_an_absent_number_has_a_reason_and_no_text(index, path, reason):
    (row,) = built([path], [samples.troubled()[index]]).rows
    (cell,) = row.cells
    assert cell.absent
    assert (cell.text, cell.reason) == ("", reason)


def test_a_mean_is_measured_by_the_std_beside_it():
    (row,) = built(["backward.mean", "-forward.mean", "forward.gain"], [samples.exact()]).rows
    sizes = [cell.size for cell in row.cells]
    assert sizes == [0.7288689868556626, 0.6653, pytest.approx(1 / 0.6653)]


def test_the_errors_of_bounds_and_of_samples_stand_apart():
    found = built(["forward.std"], [samples.exact(), samples.sampled()])
    assert (found.bound.kind, found.standard_error.kind) == (BOUND, STANDARD_ERROR)
    assert float(found.bound.text) < 1e-14 < 1e-4 < float(found.standard_error.text)
    assert [row.error.kind for row in found.rows] == [BOUND, STANDARD_ERROR]
    assert found.engines.text == "closed-form, monte-carlo"
    assert not built(["forward.std"], [samples.exact()]).standard_error.text
    assert not built(["forward.std"], [samples.sampled()]).bound.text


@pytest.mark.parametrize("digits", [None, 3, "error", "round-trip"])
def test_cells_carry_the_digits_that_were_asked_for(digits):
    (row,) = built(["forward.mean"], [samples.exact()], digits=digits).rows
    (cell,) = row.cells
    assert (cell.digits is None) == (digits in (None, "round-trip"))
    assert cell.digits is None or cell.digits[0] <= len(cell.text.replace(".", "").lstrip("0")) <= cell.digits[1]


def test_an_error_in_a_column_of_its_own_is_never_understated():
    found = samples.exact()
    tight = dataclasses.replace(found, forward=dataclasses.replace(found.forward, std=Value(0.5, 1.249e-15)))
    column = assembly.column("forward.error.std", None, "snake")
    document = assembly.build("X", [column], ["a"], [tight], samples.result().law)
    assert float(document.rows[0].cells[0].text) >= 1.249e-15


@pytest.mark.parametrize("digits", [1, 3, 6, 17, "round-trip", "error"])
def test_the_error_beside_a_number_is_that_of_the_digits_that_are_written(digits):
    column = assembly.column("forward.std", None, "snake")
    found = samples.exact()
    exact, error = found.forward.std.value, found.forward.std.error
    (row,) = assembly.build("X", [column], ["a"], [found], samples.result().law, digits).rows
    assert float(row.error.text) * exact >= abs(float(row.cells[0].text) - exact) + error * (1 - 1e-12)
