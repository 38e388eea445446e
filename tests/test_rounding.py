"""How many digits are written: a table of (value, error, digits, text), and what no row may break."""

import math
import re

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from normcal.rounding import DEFAULT, error, significant, text, with_error
from normcal.value import Value

STEADY = settings(derandomize=True, database=None, deadline=None, max_examples=300)
MODERATE = st.floats(1e-12, 1e12)

#: (value, error, digits, expected)
WRITTEN = [
    # the error decides
    (0.39894228040143, 2e-6, None, "0.39894"),
    (0.39894228040143, 9e-6, None, "0.39894"),
    (0.39894228040143, 2e-3, None, "0.4"),
    (0.38894228040143, 2e-3, None, "0.39"),
    (0.39894228040143, 1e-16, None, "0.3989422804"),
    (0.39894228040143, 0.0, None, "0.3989422804"),
    (1.4850131615, 3e-5, None, "1.485"),
    (1234567.0, 58.0, None, "1234600"),
    # the digits asked for, as far as the error allows
    (0.39894228040143, 1e-16, 3, "0.399"),
    (0.39894228040143, 1e-16, 15, "0.39894228040143"),
    (0.39894228040143, 2e-6, 3, "0.399"),
    (0.39894228040143, 2e-6, 12, "0.39894"),
    (0.1, 1e-17, 17, "0.1"),
    # carries and ties
    (0.99999, 1e-16, 3, "1"),
    (9.9996, 1e-16, 4, "10"),
    (0.00099996, 1e-16, 3, "1e-03"),
    (0.125, 0.0, 2, "0.12"),
    (0.375, 0.0, 2, "0.38"),
    # what is small, large or nothing
    (0.0, 0.0, None, "0"),
    (-0.0, 0.0, None, "0"),
    (0.0, 1e-20, None, "0"),
    (1e-20, 1e-19, None, "0"),
    (-1e-20, 1e-19, None, "0"),
    (1.25e-34, 1e-50, 3, "1.25e-34"),
    (0.00012345, 1e-12, 3, "0.000123"),
    (0.000012345, 1e-12, 3, "1.23e-05"),
    (123456789.0, 0.0, 3, "123000000"),
    (5e-324, 0.0, 3, "4.94e-324"),
    (1.7976931348623157e308, 0.0, 3, "1.8e308"),
    # signs
    (-0.39894228040143, 2e-6, None, "-0.39894"),
    (-12.5, 0.0, 2, "-12"),
    # trailing zeros say nothing
    (0.5, 1e-16, None, "0.5"),
    (100.0, 1e-12, None, "100"),
    (1000.0, 0.0, 1, "1000"),
    # absent, or with an error that nobody can state
    (None, None, None, ""),
    (None, 1.0, 5, ""),
    (0.39894228, None, None, "~0.399"),
    (0.39894228, None, 2, "~0.4"),
    (0.39894228, None, 12, "~0.399"),
]


@pytest.mark.parametrize(("value", "its_error", "digits", "expected"), WRITTEN)
def test_a_value_is_written_to_the_digits_that_its_error_allows(value, its_error, digits, expected):
    shown = text(Value(value, its_error), digits)
    assert shown == expected or (shown and "e" in expected and float(shown) == float(expected)), shown


#: (value, standard error, digits, expected)
SAMPLED = [
    (0.39912345, 0.00058, None, "0.39912 ± 0.00058"),
    (0.39912345, 0.058, None, "0.399 ± 0.058"),
    (12.3456, 0.58, None, "12.35 ± 0.58"),
    (123.456, 5.8, None, "123.5 ± 5.8"),
    (-0.00031, 0.0011, None, "-0.0003 ± 0.0011"),
    (0.0, 0.0, None, "0 ± 0"),
    (0.5, 0.0, None, "0.5 ± 0"),
    (None, None, None, ""),
    (0.39894228, None, None, "~0.399"),
]


@pytest.mark.parametrize(("value", "its_error", "digits", "expected"), SAMPLED)
def test_a_sampled_value_is_written_to_two_digits_of_its_error(value, its_error, digits, expected):
    assert with_error(Value(value, its_error), digits) == expected


#: (error, expected)
ERRORS = [
    (None, "unknown"),
    (0.0, "0"),
    (1e-16, "1e-16"),
    (1.2e-16, "2e-16"),
    (9.1e-16, "1e-15"),
    (0.001, "1e-03"),
    (0.5, "5e-01"),
    (1.0, "1e+00"),
    (58.0, "6e+01"),
    (5e-324, "5e-324"),
]


@pytest.mark.parametrize(("value", "expected"), ERRORS)
def test_an_error_is_written_to_one_digit_and_rounded_up(value, expected):
    shown = error(value)
    if value:
        assert re.fullmatch(r"\de[-+]?\d{2,3}", shown)
        assert value * (1 - 1e-9) <= float(shown) <= max(2 * value, 1e-322)
    if value is None or value > 1e-300 or not value:
        assert shown == expected or float(shown) == float(expected)


def place(shown):
    """Return what one unit of the last digit written is worth; the zeros of 1200 only hold its place."""
    mantissa, _, exponent = shown.partition("e")
    if "." not in shown and not exponent:
        return 10.0 ** (len(shown) - len(shown.rstrip("0")))
    decimals = len(mantissa.partition(".")[2])
    return 10.0 ** (int(exponent or 0) - decimals)


@STEADY
@given(
    value=MODERATE,
    sign=st.sampled_from([1, -1]),
    relative=st.floats(1e-16, 0.09),
    digits=st.none() | st.integers(1, 17),
)
def test_the_last_digit_is_worth_more_than_the_error_and_is_right(value, sign, relative, digits):
    its_error = value * relative
    shown = text(Value(sign * value, its_error), digits)
    assume("." in shown or "e" in shown)
    assert place(shown) * (1 + 1e-9) >= its_error
    assert abs(float(shown) - sign * value) <= 0.5 * max(place(shown), 10.0 ** (math.floor(math.log10(value)) - 16)) * (
        1 + 1e-9
    )


@STEADY
@given(value=MODERATE, relative=st.floats(0.1, 0.99))
def test_no_digit_is_written_that_the_error_does_not_allow(value, relative):
    shown = text(Value(value, value * relative))
    written = shown.lstrip("~")
    assert shown.startswith("~") or written == "0" or place(written) * (1 + 1e-9) >= value * relative


@STEADY
@given(value=st.floats(allow_nan=False, allow_infinity=False), digits=st.integers(1, 17))
def test_significant_digits_are_right_at_any_size(value, digits):
    shown = significant(value, digits)
    assert float(shown) == float(f"{value:.{digits - 1}e}")
    assert len(re.sub(r"e.*|[-.]", "", shown).strip("0")) <= digits


@STEADY
@example(value=1234567.0, its_error=58.0)
@example(value=1.23456e-20, its_error=1.2e-24)
@given(value=st.floats(-1e9, 1e9), its_error=st.floats(1e-12, 1e6))
def test_a_sampled_value_and_its_error_are_both_shown_faithfully(value, its_error):
    shown, told = map(float, with_error(Value(value, its_error)).split(" ± "))
    assert abs(told - its_error) <= 0.051 * its_error
    assert abs(shown - value) <= 0.51 * 0.1 * its_error + 1e-15 * abs(value)


@STEADY
@given(value=st.floats(1e-3, 1e3), relative=st.floats(1e-6, 0.5), digits=st.integers(1, 17))
def test_few_digits_never_make_a_standard_error_vanish(value, relative, digits):
    _, told = with_error(Value(value, value * relative), digits).split(" ± ")
    assert float(told) >= 0.5 * value * relative


@STEADY
@given(value=st.floats(min_value=5e-324, allow_nan=False, allow_infinity=False))
def test_an_error_is_never_understated(value):
    shown = float(error(value))
    assert shown >= value * (1 - 1e-9)


def test_the_default_is_enough_for_the_articles():
    assert DEFAULT >= 5
