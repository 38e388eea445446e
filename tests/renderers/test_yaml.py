"""YAML: golden files, and the same document as JSON, read back."""

import math
import re

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from normcal.renderers.yaml import RENDERER
from normcal.report import Report, View
from tests.renderers import files, samples

REPORTS = samples.reports()
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@pytest.mark.parametrize("name", REPORTS)
def test_golden(golden, name):
    golden(f"renderers/golden/{name}.yaml", samples.steady(RENDERER.render(REPORTS[name], View())))


@pytest.mark.parametrize("name", REPORTS)
def test_what_is_written_is_read_back(name):
    assert yaml.safe_load(RENDERER.render(REPORTS[name], View())) == REPORTS[name].data


@pytest.mark.parametrize("name", REPORTS)
def test_the_order_is_that_of_json(name):
    def order(value):
        if isinstance(value, dict):
            return [(key, order(inner)) for key, inner in value.items()]
        return [order(inner) for inner in value] if isinstance(value, list) else None

    assert order(yaml.safe_load(RENDERER.render(REPORTS[name], View()))) == order(REPORTS[name].data)


@pytest.mark.parametrize("name", REPORTS)
def test_there_are_no_aliases_no_tags_and_no_numbers_that_are_none(name):
    text = RENDERER.render(REPORTS[name], View())
    assert not re.search(r"(: |- )[&*!]\w", text)
    assert not re.search(r"\.(nan|inf)\b", text, re.IGNORECASE)


@pytest.mark.parametrize("value", [1e-16, 5e-324, 1.7976931348623157e308, 0.1 + 0.2, -0.0, 1e22, 1.0], ids=repr)
def test_a_number_is_read_back_as_the_same_double(value):
    (found,) = yaml.safe_load(RENDERER.render(Report({"x": value}, [], ()), View())).values()
    assert isinstance(found, float)
    assert (found, math.copysign(1.0, found)) == (value, math.copysign(1.0, value))


@pytest.mark.parametrize(
    "text", ["yes", "null", "1e5", "0x10", "2001-01-01", "a: b", "- a", "#", "", " ", "~", "'", '"']
)
def test_text_that_looks_like_something_else_stays_text(text):
    assert yaml.safe_load(RENDERER.render(Report({"x": text}, [], ()), View())) == {"x": text}


@settings(derandomize=True, database=None, deadline=None)
@given(mean=FLOATS, error=st.none() | FLOATS, text=TEXT)
def test_any_double_and_any_text_survive(mean, error, text):
    report = Report({"mean": mean, "error": error, "notes": [text]}, [], ())
    assert yaml.safe_load(RENDERER.render(report, View())) == report.data


@pytest.mark.parametrize("flat", [True, False], ids=["flat", "nested"])
def test_golden_constants(golden, flat):
    text = samples.steady(RENDERER.constants(samples.constants(flat=flat)))
    golden(f"renderers/golden/constants_{'flat' if flat else 'nested'}.yaml", text)


@pytest.mark.parametrize("name", ["GAINS", "no", 'my: "gains"', ""], ids=["named", "a-word", "quoted", "top"])
@pytest.mark.parametrize("flat", [True, False], ids=["flat", "nested"])
def test_constants_are_read_back_and_absent_ones_are_null(flat, name):
    for document in (samples.constants(flat=flat, name=name), files.hostile(flat=flat, name=name)):
        wanted = files.numbers(document, absent=True)
        assert files.same(yaml.safe_load(RENDERER.constants(document)), {name: wanted} if name else wanted)


def test_words_stand_beside_constants():
    document = files.of_words()
    found = yaml.safe_load(RENDERER.constants(document))
    assert files.same(found, {"MIXED": files.numbers(document, absent=True)})


@settings(derandomize=True, database=None, deadline=None)
@given(numbers=st.dictionaries(TEXT, FLOATS, min_size=1))
def test_any_double_survives_under_any_name(numbers):
    assert files.same(yaml.safe_load(RENDERER.constants(files.of_numbers(numbers, ""))), numbers)


def test_odd_names_and_edges_of_the_doubles_survive():
    edges = {f"x{place}": value for place, value in enumerate(files.many_doubles())}
    for numbers in (edges, dict.fromkeys(files.NAMES, 0.5)):
        assert files.same(yaml.safe_load(RENDERER.constants(files.of_numbers(numbers, ""))), numbers)
