"""Quantities: every path names a number of a result, with an error, a name and words; other paths are refused."""

import itertools

import mpmath
import pytest

from normcal import catalog, pipeline, quantity
from normcal.errors import RequestError
from normcal.layer import DIRECTIONS
from normcal.quantity import CONSTRAINTS, JACOBIAN_FACTOR, PATHS, QUANTITIES, SCALES
from normcal.request import Request
from normcal.result import Estimate, LayerResult
from normcal.value import Value


@pytest.fixture(scope="module")
def results():
    """Return results of a layer of one input, of one of several inputs, and of one with learned weights."""
    specs = ("silu", "glu", "linear")
    return {spec: pipeline.run(Request(), [catalog.layer(spec)]).layers[0] for spec in specs}


def of(forward: float | None, backward: float | None, error: float = 1e-16) -> LayerResult:
    """Return a result with these stds."""

    def estimate(std):
        if std is None:
            return None
        return Estimate("closed-form", Value(0.0, 0.0), Value(std, error * std), Value(std, error * std))

    return LayerResult(catalog.layer("relu"), estimate(forward), estimate(backward))


# -- the paths


@pytest.mark.parametrize("path", PATHS)
def test_every_path_is_a_number_of_a_result(results, path):
    for row in results.values():
        found = quantity.parse(path).of(row)
        assert found.error is not None
        assert found.error <= 1e-10 * max(1.0, abs(found.value))


@pytest.mark.parametrize(("direction", "name"), list(itertools.product(DIRECTIONS, QUANTITIES)))
def test_a_path_reads_the_record(results, direction, name):
    row = results["silu"]
    assert quantity.parse(f"{direction}.{name}").of(row) == getattr(getattr(row, direction), name)


@pytest.mark.parametrize("name", QUANTITIES)
def test_a_path_may_name_an_input_or_a_learned_weight(results, name):
    for row in results.values():
        for part, record in row.backward.parts.items():
            assert quantity.parse(f"backward.{part}.{name}").of(row) == getattr(record, name)
    assert results["glu"].backward.inputs
    assert results["linear"].backward.weights


def test_a_part_that_a_layer_lacks_is_refused_with_those_that_it_has(results):
    with pytest.raises(RequestError, match="'door'") as caught:
        quantity.parse("backward.door.std").of(results["glu"])
    assert "glu" in caught.value.message
    assert "gate" in caught.value.hint


@pytest.mark.parametrize("path", ["forward.std", "backward.gain", JACOBIAN_FACTOR, "scale.geometric", "backward.x.std"])
def test_a_direction_that_was_not_computed_has_no_number(path):
    for row in (of(None, 2.0), of(2.0, None)):
        if not all(getattr(row, direction) for direction in quantity.parse(path).directions):
            assert quantity.parse(path).of(row) == Value()


# -- signs and powers


@pytest.mark.parametrize("path", PATHS)
def test_a_minus_and_a_square_change_the_number_and_no_more(results, path):
    row = results["silu"]
    plain = quantity.parse(path).of(row)
    square = quantity.parse(f"{path}^2").of(row)
    assert quantity.parse(f"-{path}").of(row) == plain.negated()
    assert quantity.parse(f"-{path}^2").of(row) == square.negated()
    assert abs(square.value - plain.value**2) <= square.error
    assert abs(plain.value**2 - (plain.value + plain.error) ** 2) <= square.error * (1 + 1e-9)


@pytest.mark.parametrize("sign", ["", "-"])
@pytest.mark.parametrize("power", ["", "^2"])
@pytest.mark.parametrize("path", [*PATHS, "backward.gate.std"])
def test_a_quantity_is_written_as_it_is_read(sign, power, path):
    found = quantity.parse(f"{sign}{path}{power}")
    assert str(found) == f"{sign}{path}{power}"
    assert quantity.parse(str(found)) == found


def test_every_quantity_has_a_name_and_words_of_its_own():
    texts = [f"{sign}{path}{power}" for sign in ("", "-") for path in PATHS for power in ("", "^2")]
    found = [quantity.parse(text) for text in texts]
    assert len({one.name for one in found}) == len(texts)
    assert all(one.name.isidentifier() for one in found)
    told = {one.meaning for one in found}
    doubled = 2 * 2 * 2  # the forward and backward constraints are the gains, whose words differ
    assert len(told) > len(texts) - doubled
    assert all(one.strip() == one and "{" not in one for one in told)


@pytest.mark.parametrize(
    ("path", "meaning"),
    [
        ("forward.mean", "mean of the output"),
        ("-forward.mean", "minus the mean of the output"),
        ("forward.std^2", "standard deviation of the output, squared"),
        ("backward.std", "standard deviation of the input's gradient"),
        ("backward.gate.rms_gain", "1/rms of the gradient of gate"),
        ("jacobian_factor", "backward std over forward std"),
        ("scale.geometric", "geometric mean of both gains"),
        ("scale.forward", "the forward gain, for both passes"),
    ],
)
def test_a_quantity_says_what_it_is(path, meaning):
    assert quantity.parse(path).meaning == meaning


@pytest.mark.parametrize(
    ("path", "needed"),
    [
        ("forward.mean", ("forward",)),
        ("-backward.gate.std^2", ("backward",)),
        ("jacobian_factor", DIRECTIONS),
        ("scale.forward", ("forward",)),
        ("scale.backward", ("backward",)),
        ("scale.harmonic", DIRECTIONS),
    ],
)
def test_a_quantity_asks_for_the_passes_that_it_needs(path, needed):
    assert quantity.parse(path).directions == needed


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("forward.men", "'forward.mean'"),
        ("forwrd.std", "'forward.std'"),
        ("scale.geometrical", "'scale.geometric'"),
        ("jacobian", "'jacobian_factor'"),
        ("FORWARD.MEAN", "'forward.mean'"),
        ("forward mean", "forward.mean"),
        ("", "Accepted: forward.mean"),
        ("-", "Accepted: forward.mean"),
        ("^2", "Accepted: forward.mean"),
        ("--forward.mean", "forward.mean"),
        ("forward.mean^3", "forward.mean"),
        ("forward.mean^2^2", "forward.mean"),
        ("+forward.mean", "forward.mean"),
        ("forward.gate.std", "forward.std"),
        ("backward.gate.std.mean", "backward.std"),
        ("backward.a b.std", "backward.std"),
        ("backward..std", "backward.std"),
        ("scale", "scale.forward"),
        ("forward", "forward.mean"),
        ("forward.mean\n", "forward.mean"),
        ("__class__.__name__", "Accepted"),
        ("x" * 100_000, "Accepted"),
    ],
    ids=lambda text: text[:24] or "empty",
)
def test_what_names_no_quantity_is_refused_with_what_does(text, hint):
    with pytest.raises(RequestError) as caught:
        quantity.parse(text)
    assert hint in caught.value.hint
    assert len(caught.value.message) < 200


# -- constrained scales


def exactly(forward: float, backward: float) -> dict[str, mpmath.mpf]:
    """Return the scales by their definitions: means of the two gains."""
    with mpmath.workdps(60):
        a, b = 1 / mpmath.mpf(forward), 1 / mpmath.mpf(backward)
        return {
            "forward": a, "backward": b, "geometric": mpmath.sqrt(a * b), "harmonic": 2 / (1 / a + 1 / b),
            "arithmetic": (a + b) / 2,
        }  # fmt: skip


def test_there_is_a_scale_for_every_constraint():
    assert exactly(1.0, 1.0).keys() == set(CONSTRAINTS)
    assert [path.partition(".")[2] for path in SCALES] == list(CONSTRAINTS)


@pytest.mark.parametrize("constraint", CONSTRAINTS)
@pytest.mark.parametrize("backward", [1.0, 0.7071, 3e-5, 1e200, 1e-200, 5e-300])
@pytest.mark.parametrize("forward", [1.0, 0.5838, 1e9, 1e200, 1e-200])
def test_a_scale_is_the_mean_of_gains_that_it_is_called(constraint, forward, backward):
    found = quantity.parse(f"scale.{constraint}").of(of(forward, backward, 0.0))
    with mpmath.workdps(60):
        true = exactly(forward, backward)[constraint]
        assert abs(true - found.value) <= found.error
        assert found.error <= 1e-14 * true


@pytest.mark.parametrize("constraint", CONSTRAINTS)
@pytest.mark.parametrize("signs", list(itertools.product((-1, 1), repeat=2)))
def test_the_error_of_a_scale_covers_those_of_the_stds(constraint, signs):
    forward, backward, error = 0.58, 0.71, 1e-3
    found = quantity.parse(f"scale.{constraint}").of(of(forward, backward, error))
    true = exactly(forward * (1 + signs[0] * error), backward * (1 + signs[1] * error))[constraint]
    assert abs(true - found.value) <= found.error
    assert found.error <= 3 * error * found.value


@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_a_scale_of_a_std_of_0_is_absent(constraint):
    assert quantity.parse(f"scale.{constraint}").of(of(0.0, 0.0)) == Value()
