"""Constants as a document: how numbers are written, what a file says of itself, and every text that may change."""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from normcal import constants
from normcal.constants import (
    AS_ERROR,
    ERROR,
    NUMBER,
    REQUEST_MARK,
    ROUND_TRIP,
    Cell,
    error_cell,
    literal,
    pointed,
    span,
)
from normcal.law import Normal
from normcal.result import BOUND, STANDARD_ERROR
from normcal.value import Value
from tests.renderers import samples

STEADY = settings(derandomize=True, database=None, deadline=None)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
PLAIN = r"-?(0|[1-9][0-9]*)\.[0-9]+(e[-+][0-9]+)?"

# -- numbers


@STEADY
@given(number=NUMBERS)
def test_round_trip_is_the_same_double_in_every_language(number):
    text = literal(Value(number, 0.0), BOUND, ROUND_TRIP)
    assert float(text) == number
    mantissa, _, power = text.partition("e")
    assert mantissa.lstrip("-").replace(".", "", 1).isdigit()
    assert "." in mantissa.strip(".")
    assert not power or power.lstrip("+-").isdigit()


@STEADY
@given(number=NUMBERS.filter(lambda x: 1e-290 < abs(x) < 1e300), digits=st.integers(1, 17))
def test_so_many_digits_are_right_to_half_a_unit_of_the_last(number, digits):
    text = literal(Value(number, 0.0), BOUND, digits)
    unit = 10.0 ** (math.floor(math.log10(abs(number))) - digits + 1)
    assert abs(float(text) - number) <= 0.5 * unit * (1 + 1e-9) + 4 * math.ulp(number)
    assert "." in text


@pytest.mark.parametrize(
    ("value", "kind", "digits", "text"),
    [
        (Value(0.5838193701035489, 1e-16), BOUND, None, "0.5838193701035489"),
        (Value(0.5838193701035489, 1e-16), BOUND, 4, "0.5838"),
        (Value(0.5838193701035489, 2e-9), BOUND, AS_ERROR, "0.58381937"),
        (Value(0.5838193701035489, 1e-3), STANDARD_ERROR, None, "0.584"),
        (Value(0.5838193701035489, 1e-3), STANDARD_ERROR, ROUND_TRIP, "0.5838193701035489"),
        (Value(0.5838193701035489, 1e-3), STANDARD_ERROR, 2, "0.58"),
        (Value(0.5838193701035489, None), BOUND, AS_ERROR, "0.584"),
        (Value(0.5838193701035489, None), BOUND, None, "0.5838193701035489"),
        (Value(3e-18, 1e-16), BOUND, None, "0.0"),
        (Value(-3e-18, 1e-16), BOUND, 4, "0.0"),
        (Value(-0.0, 0.0), BOUND, None, "0.0"),
        (Value(0.0, None), BOUND, None, "0.0"),
        (Value(1.0, 1e-16), BOUND, 4, "1.0"),
        (Value(1e22, 0.0), BOUND, None, "1.0e+22"),
        (Value(1e-16, 0.0), BOUND, None, "1.0e-16"),
        (Value(5e-324, 0.0), BOUND, None, "5.0e-324"),
        (Value(-1485.0131, 0.0), BOUND, 5, "-1485.0"),
        (Value(), BOUND, None, ""),
        (Value(), STANDARD_ERROR, 3, ""),
    ],
)
def test_a_number_is_written_with_the_digits_that_are_asked_for(value, kind, digits, text):
    assert literal(value, kind, digits) == text


@pytest.mark.parametrize(
    ("text", "found"),
    [("1", "1.0"), ("1e-16", "1.0e-16"), ("-3", "-3.0"), ("0.5", "0.5"), ("1.5e+22", "1.5e+22"), ("0", "0.0")],
)
def test_a_point_is_put_where_there_is_none(text, found):
    assert pointed(text) == found
    assert float(pointed(text)) == float(text)


@STEADY
@given(number=st.floats(1e-6, 1e6), exponent=st.floats(-15.0, -2.0), factor=st.floats(0.7, 1.4))
def test_the_span_of_digits_holds_for_an_error_that_is_a_little_other(number, exponent, factor):
    error = number * 10.0**exponent
    for kind in (BOUND, STANDARD_ERROR):
        fewest, most = span(Value(number, error), kind, AS_ERROR)
        text = literal(Value(number, error * factor), kind, AS_ERROR)
        mantissa = text.partition("e")[0].replace(".", "").lstrip("0")
        assert len(mantissa.rstrip("0")) <= most
        assert fewest <= most <= fewest + 2


# -- errors


@pytest.mark.parametrize(
    ("cells", "text"),
    [
        ([], ""),
        ([Cell("", value=Value(2.0, 2e-16), size=2.0)], "1e-16"),
        ([Cell("", value=Value(2.0, 2e-16), size=2.0), Cell("", value=Value(1.0, 1e-3), size=1.0)], "1e-03"),
        ([Cell("", value=Value(2.0, 0.0), size=2.0)], "0"),
        ([Cell("", value=Value(2.0, None), size=2.0)], "unknown"),
        ([Cell("", value=Value(0.0, 1e-16), size=0.0)], "unknown"),
        ([Cell("", value=Value(0.0, 0.0), size=0.0)], "0"),
        ([Cell("", value=Value(), size=0.0)], "0"),
    ],
    ids=["none", "one", "worst", "exact", "not-stated", "of-0", "exact-0", "absent"],
)
def test_the_worst_relative_error_is_stated(cells, text):
    found = error_cell(cells)
    assert (found.text, found.role) == (text, ERROR)


@pytest.mark.parametrize(("kinds", "kind"), [([BOUND], BOUND), ([BOUND, STANDARD_ERROR], STANDARD_ERROR)])
def test_an_error_is_a_standard_error_where_one_number_is_sampled(kinds, kind):
    assert error_cell([Cell("", value=Value(1.0, 0.1), kind=one, size=1.0) for one in kinds]).kind == kind


# -- what a file says of itself


@STEADY
@given(
    request=st.dictionaries(
        st.text(max_size=8),
        st.recursive(st.text(max_size=60) | st.integers() | st.none(), lambda inner: st.lists(inner, max_size=6)),
        min_size=1,
        max_size=6,
    )
)
def test_the_lines_of_a_request_are_one_json_text_again(request):
    lines = samples.constants(request=request).request_lines
    parts = [line.removeprefix(REQUEST_MARK) for line in lines]
    assert json.loads("".join(parts)) == request
    assert all(line.startswith(REQUEST_MARK) for line in lines)
    assert all(len(line) <= 120 and "\n" not in line for line in lines)
    assert all(part == part.strip(" ") or len(part) == 1 for part in parts)


def test_the_provenance_says_law_quantities_engines_errors_and_request():
    found = samples.constants()
    text = "\n".join(found.provenance)
    assert "Input N(0.5, 2^2)" in text
    assert all(f"{column.name}: {column.meaning}." in text for column in found.columns)
    assert "closed-form" in text and "monte-carlo" in text
    assert f"not sampled: at most {found.bound.text}." in text
    assert f"sampled values: at most {found.standard_error.text}." in text
    assert text.startswith("Generated by normcal ")
    assert all(line in text for line in found.header)
    assert found.provenance[-len(found.request_lines) :] == found.request_lines


def test_a_document_of_bounds_alone_says_nothing_of_samples():
    found = constants.Constants("X", (), (), Normal(), bound=Cell("1e-16", ERROR), engines=Cell("closed-form", "word"))
    text = "\n".join(found.provenance)
    assert "sampled values" not in text
    assert "1e-16" in text


@pytest.mark.parametrize("flat", [True, False])
def test_every_cell_can_have_another_text(flat):
    document = samples.constants(flat=flat)
    cells = document.cells()
    texts = [f"<{i}>" for i in range(len(cells))]
    other = document.with_texts(texts)
    assert [cell.text for cell, _, _ in other.cells()] == texts
    assert [(cell.role, cell.value) for cell, _, _ in other.cells()] == [
        (cell.role, cell.value) for cell, _, _ in cells
    ]
    assert [(row and row.name, column) for _, row, column in other.cells()] == [
        (row and row.name, column) for _, row, column in cells
    ]
    numbers = [cell for cell, _, _ in cells if cell.role == NUMBER]
    assert len(numbers) == len(document.rows) * len(document.columns)


def test_a_curve_is_that_of_the_layer_and_finite():
    document = samples.constants()
    curves = {row.name: row.curve for row in document.rows}
    assert not curves["max_pool_3_2"]
    assert all(math.isfinite(y) and -4.0 <= x <= 4.0 for curve in curves.values() for x, y in curve)
    assert all(abs(y - math.tanh(x)) < 1e-12 for x, y in curves["tanh"])
