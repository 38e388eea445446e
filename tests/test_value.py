"""Numbers with errors: whatever is done to them, the stated error covers what exact arithmetic finds."""

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from normcal.value import Value

STEADY = settings(derandomize=True, database=None, deadline=None, max_examples=400)
EDGES = (0.0, -0.0, 5e-324, -5e-324, 1e-310, 2.2250738585072014e-308, 1e-154, 1.0, -1.0, 1.5e154, 1e300, -1e308)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from(EDGES)
#: Relative errors of computed numbers, and absolute ones of whatever size.
ERRORS = st.floats(0.0, 1e300) | st.sampled_from((0.0, 5e-324, 1e-310, 1e-16, 1e-3, 1.0))
#: Where within its error the true number lies: at the ends above all.
PLACES = st.sampled_from((-1, 1, 0)) | st.fractions(-1, 1)


@st.composite
def values(draw):
    """Return a number with its error, and a true number that it may stand for."""
    number = draw(NUMBERS)
    error = draw(ERRORS | st.sampled_from((0.0, 1e-16, 1e-9, 0.5)).map(lambda part: part * abs(number)))
    return Value(number, error), Fraction(number) + Fraction(draw(PLACES)) * Fraction(error)


def covers(found: Value, true: Fraction) -> bool:
    """Whether a value says nothing, or something that holds of the true number."""
    if found.value is None or found.error is None:
        return found.value is None or math.isfinite(found.value)
    return abs(Fraction(found.value) - true) <= Fraction(found.error)


@STEADY
@given(values(), values())
def test_a_product_states_an_error_that_covers_it(a, b):
    assert covers(a[0].times(b[0]), a[1] * b[1])


@STEADY
@given(values(), values())
def test_a_sum_states_an_error_that_covers_it(a, b):
    assert covers(a[0].plus(b[0]), a[1] + b[1])


@STEADY
@given(values(), values())
def test_a_ratio_states_an_error_that_covers_it(a, b):
    found = a[0].over(b[0])
    assert b[1] != 0 or found.error is None
    assert b[1] == 0 or covers(found, a[1] / b[1])


@STEADY
@given(values())
def test_a_half_states_an_error_that_covers_it(a):
    assert covers(a[0].half(), a[1] / 2)


@STEADY
@given(values())
def test_a_reciprocal_states_an_error_that_covers_it(a):
    found = a[0].reciprocal()
    assert a[1] != 0 or found.error is None
    assert a[1] == 0 or covers(found, 1 / a[1])


@STEADY
@given(values())
def test_a_root_states_an_error_that_covers_it(a):
    found = a[0].root()
    if found.error is None:
        assert found.value is None or found.value >= 0.0
        return
    low, high = Fraction(found.value) - Fraction(found.error), Fraction(found.value) + Fraction(found.error)
    assert max(low, 0) ** 2 <= a[1] <= high**2


@STEADY
@given(values())
def test_a_change_of_sign_is_exact(a):
    found = a[0].negated()
    assert found.error == a[0].error
    assert covers(found, -a[1])


@pytest.mark.parametrize("number", [0.0, -0.0])
def test_a_zero_gets_no_sign(number):
    assert Value(number, 0.0).negated() == Value(0.0, 0.0)


@pytest.mark.parametrize(
    ("call", "found"),
    [
        (lambda a, b: a.times(b), Value()),
        (lambda a, b: b.times(a), Value()),
        (lambda a, b: a.plus(b), Value()),
        (lambda a, b: b.plus(a), Value()),
        (lambda a, b: b.over(a), Value()),
        (lambda a, _: a.half(), Value()),
        (lambda a, _: a.root(), Value()),
        (lambda a, _: a.negated(), Value()),
        (lambda a, _: a.reciprocal(), Value()),
    ],
    ids=["times", "times-absent", "plus", "plus-absent", "over", "half", "root", "negated", "reciprocal"],
)  # fmt: skip
def test_what_is_absent_stays_absent(call, found):
    assert call(Value(), Value(2.0, 1e-16)) == found


@pytest.mark.parametrize(
    ("found", "value"),
    [
        (Value(2.0).times(Value(3.0, 0.0)), 6.0),
        (Value(2.0, 0.0).plus(Value(3.0)), 5.0),
        (Value(2.0).half(), 1.0),
        (Value(4.0).root(), 2.0),
        (Value(4.0, 4.0).root(), 2.0),
        (Value(2.0).negated(), -2.0),
    ],
    ids=["times", "plus", "half", "root", "root-of-what-may-be-0", "negated"],
)
def test_an_error_that_cannot_be_stated_stays_so(found, value):
    assert (found.value, found.error) == (value, None)


@pytest.mark.parametrize(
    "found",
    [
        Value(1e200, 0.0).times(Value(1e200, 0.0)),
        Value(1.7e308, 0.0).plus(Value(1.7e308, 0.0)),
        Value(-1.0, 0.0).root(),
    ],
    ids=["product-beyond-a-double", "sum-beyond-a-double", "root-of-a-negative-number"],
)
def test_what_is_no_finite_number_is_absent(found):
    assert found == Value()


@pytest.mark.parametrize("number", [0.3, 1e-16, 1e16, 123.456])
def test_errors_stay_within_a_few_units_of_the_last_place(number):
    exact = Value(number, 0.0)
    for found in (exact.times(exact), exact.plus(exact), exact.half(), exact.root()):
        assert found.error <= 4 * math.ulp(found.value)
