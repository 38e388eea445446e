"""JSON: golden files, and every digit read back."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from normcal import catalog, summary
from normcal.renderers.json import RENDERER
from normcal.report import Report, View
from normcal.result import Estimate, LayerResult, Result
from normcal.value import Value
from tests.renderers import files, samples

REPORTS = samples.reports()
FLOATS = st.floats(allow_nan=False, allow_infinity=False)


def strict(text):
    """Read JSON as the standard has it: no NaN, no Infinity."""

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.mark.parametrize("name", REPORTS)
def test_golden(golden, name):
    golden(f"renderers/golden/{name}.json", samples.steady(RENDERER.render(REPORTS[name], View())))


@pytest.mark.parametrize("name", REPORTS)
def test_what_is_written_is_read_back(name):
    assert strict(RENDERER.render(REPORTS[name], View())) == REPORTS[name].data


def test_the_keys_are_the_documented_ones():
    document = strict(RENDERER.render(REPORTS["by_direction"], View()))
    assert list(document)[:4] == ["schema", "generator", "assumptions", "layers"]
    keys = "layer", "spec", "params", "forward", "backward", "jacobian_factor", "notes"
    assert all(set(keys) <= layer.keys() for layer in document["layers"])
    assert document["layers"][1]["params"]["kernel_size"] == [3, 2]
    assert document["layers"][4]["backward"] is None


def test_absent_numbers_are_null():
    document = strict(RENDERER.render(REPORTS["by_direction"], View()))
    infinite = document["layers"][3]["forward"]
    assert infinite["mean"] == 1.0
    assert [infinite[key] for key in ("std", "rms", "gain", "rms_gain")] == [None] * 4
    assert infinite["error"]["std"] is None
    assert (infinite["status"], infinite["reason"]) == ("infinite", "the variance is infinite")


def test_digits_are_never_dropped():
    assert RENDERER.render(REPORTS["by_direction"], View(digits=2)) == RENDERER.render(REPORTS["by_direction"], View())
    assert "0.29920671030107454" in RENDERER.render(REPORTS["by_direction"], View(digits=2))


def test_text_stays_readable_and_ends_in_a_newline():
    text = RENDERER.render(REPORTS["prose"], View())
    assert text.endswith("}\n")
    assert "\\u" not in RENDERER.render(REPORTS["by_direction"], View())


@settings(derandomize=True, database=None, deadline=None)
@given(mean=FLOATS, std=FLOATS, error=st.none() | FLOATS, text=st.text())
def test_any_double_and_any_text_survive(mean, std, error, text):
    report = Report({"mean": mean, "std": std, "error": error, "notes": [text]}, [], ())
    assert strict(RENDERER.render(report, View())) == report.data


@settings(derandomize=True, database=None, deadline=None)
@given(mids=st.tuples(*[st.floats()] * 3), rads=st.tuples(*[st.floats(min_value=0.0)] * 3))
def test_whatever_an_engine_finds_nothing_but_numbers_is_written(mids, rads):
    found = Estimate("quadrature", *(Value.of(mid, rad) for mid, rad in zip(mids, rads, strict=True)))
    report = summary.by_direction(Result((LayerResult(catalog.layer("relu"), found, found),)))
    document = strict(RENDERER.render(report, View()))
    assert document["layers"][0]["forward"].keys() >= {"mean", "std", "gain", "error"}


@pytest.mark.parametrize("flat", [True, False], ids=["flat", "nested"])
def test_golden_constants(golden, flat):
    text = samples.steady(RENDERER.constants(samples.constants(flat=flat)))
    golden(f"renderers/golden/constants_{'flat' if flat else 'nested'}.json", text)


@pytest.mark.parametrize("flat", [True, False], ids=["flat", "nested"])
def test_constants_are_read_back_with_where_they_come_from(flat):
    for document in (samples.constants(flat=flat), files.hostile(flat=flat)):
        found = json.loads(RENDERER.constants(document))
        assert files.same(found.pop("constants"), files.numbers(document, absent=True))
        layers = found.pop("layers")
        assert layers["max_pool_3_2"]["spec"] == "max_pool(kernel_size=(3, 2), ndim=2)"
        assert {row.name: (row.engine.text, float(row.error.text)) for row in document.rows} == {
            name: (layer["engine"], layer["relative_error"]) for name, layer in layers.items()
        }
        assert found == document.data()


def test_words_stand_beside_constants():
    document = files.of_words()
    found = json.loads(RENDERER.constants(document))["constants"]
    assert files.same(found, files.numbers(document, absent=True))


@settings(derandomize=True, database=None, deadline=None)
@given(
    numbers=st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"])), st.floats(allow_nan=False, allow_infinity=False), min_size=1
    )
)
def test_any_double_survives_under_any_name(numbers):
    assert files.same(json.loads(RENDERER.constants(files.of_numbers(numbers)))["constants"], numbers)


def test_odd_names_and_edges_of_the_doubles_survive():
    edges = {f"x{place}": value for place, value in enumerate(files.many_doubles())}
    for numbers in (edges, dict.fromkeys(files.NAMES, 0.5)):
        assert files.same(json.loads(RENDERER.constants(files.of_numbers(numbers)))["constants"], numbers)
