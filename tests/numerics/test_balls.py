"""Balls hold the exact result for every choice of operands in them, and are no wider than they must be."""

import math
import operator
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf

from normcal.numerics.balls import BALLS, Ball, Comparison, hypot, power_of_two_near, root_of_squares

#: Pinned examples: a failure is the same one on every machine.
PINNED = settings(derandomize=True, max_examples=80, deadline=None, database=None)
#: Balls so wide that the rounding of their radius shows.
WIDE = {"phi": (12.0, 1.575492921827153), "sigmoid": (-162.0, 16.2), "sech2": (155.0, 4.901530373260988)}
INSIDE = (-1.0, 0.0, 1.0, 0.37, -0.81)


def _normal_cdf(x):
    return mp.erfc(-x / mp.sqrt(2)) / 2


def _log_normal_cdf(x):
    return mp.log1p(-_normal_cdf(-x)) if x > 0 else mp.log(_normal_cdf(x))


def _softplus(x):
    return max(x, mpf(0)) + mp.log1p(mp.exp(-abs(x)))


#: name -> (exact function, interval of midpoints)
FUNCTIONS = {
    "exp": (mp.exp, (-800.0, 800.0)),
    "expm1": (mp.expm1, (-800.0, 800.0)),
    "log1p": (mp.log1p, (-1.0, 1e300)),
    "sqrt": (mp.sqrt, (0.0, 1e300)),
    "tanh": (mp.tanh, (-400.0, 400.0)),
    "sech2": (lambda x: mp.sech(x) ** 2, (-350.0, 350.0)),
    "sigmoid": (lambda x: mp.exp(-_softplus(-x)), (-740.0, 740.0)),
    "softplus": (_softplus, (-740.0, 1e300)),
    "phi": (mpmath.npdf, (-38.0, 38.0)),
    "Phi": (_normal_cdf, (-38.0, 38.0)),
    "log_Phi": (_log_normal_cdf, (-1e4, 37.0)),
    "log": (mp.log, (0.0, 1e300)),
    "sin": (mp.sin, (-1e6, 1e6)),
    "cos": (mp.cos, (-1e6, 1e6)),
    "arctan": (mp.atan, (-1e300, 1e300)),
    "asinh": (mp.asinh, (-1e300, 1e300)),
    "floor": (mp.floor, (-1e9, 1e9)),
    "erf": (mp.erf, (-38.0, 38.0)),
}
#: What a radius may add to 1e-14 relative at an exact argument: the rounding of the exponent in far tails.
FAR_TAILS = {
    "sech2": lambda x: 4.0 * abs(x) * 2.0**-52,
    "sin": lambda x: 2e-15 * min(abs(x), 1.0) / abs(math.sin(x) or 1.0),  # near its zeros relative to 1
    "cos": lambda x: 2e-15 / abs(math.cos(x)),
}


def numbers(low: float, high: float):
    """Numbers of an interval, plain ones and ones of every magnitude."""
    sizes = st.floats(-300.0, 300.0).map(lambda e: 10.0**e)
    signed = st.one_of(sizes, sizes.map(operator.neg), st.just(0.0)).filter(lambda x: low <= x <= high)
    return st.one_of(st.floats(max(low, -50.0), min(high, 50.0)), st.floats(low, min(high, 1e4)), signed)


def radii(mid: float):
    """Radii: none, some ulps, a part of the midpoint, and as wide as a few units."""
    ulps = st.floats(1.0, 1e4).map(lambda k: k * math.ulp(mid))
    parts = st.floats(-12.0, 0.5).map(lambda e: abs(mid) * 10.0**e)
    return st.one_of(st.just(0.0), ulps, parts, st.floats(1e-3, 5.0))


@st.composite
def balls(draw, low=-1e300, high=1e300):
    mid = draw(numbers(low, high))
    return np.float64(mid), np.float64(draw(radii(mid)))


def points(mid, rad):
    """Points of the ball, its ends included, exactly."""
    return [Fraction(float(mid)) + Fraction(at) * Fraction(float(rad)) for at in INSIDE]


def stated(found: Ball):
    """Midpoint and radius as fractions, or None where the ball says nothing."""
    if not (math.isfinite(found.mid) and math.isfinite(found.rad)):
        return None
    return Fraction(float(found.mid)), Fraction(float(found.rad))


def exactly(f, x: Fraction) -> mpf:
    """Evaluate to far more digits than a double has; none of the functions is written so that it cancels."""
    with mp.workdps(80):
        return f(mpf(x.numerator) / mpf(x.denominator))


def in_ball(value: mpf, found: Ball) -> bool:
    with mp.workdps(400):
        return abs(value - mpf(float(found.mid))) <= mpf(float(found.rad))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_ball_of_a_function_holds_its_value_at_every_point_of_the_argument(name):
    f, (low, high) = FUNCTIONS[name]

    @PINNED
    @given(balls(low, high))
    @example(tuple(map(np.float64, WIDE.get(name, (2.0, 1.0)))))
    def holds(argument):
        with np.errstate(all="ignore"):
            found = getattr(BALLS, name)(Ball(*argument))
        if stated(found) is None:
            return
        for x in points(*argument):
            if (name == "log1p" and x <= -1) or (name == "sqrt" and x < 0) or (name == "log" and x <= 0):
                continue
            assert in_ball(exactly(f, x), found), f"{name}({float(x)!r}) is outside {found.mid!r} +- {found.rad!r}"

    holds()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_ball_of_a_function_at_an_exact_argument_is_tight(name):
    low, high = FUNCTIONS[name][1]
    for x in np.unique(
        np.concatenate([np.linspace(max(low, -37.0), min(high, 37.0), 401), [1e-300, 1e-9, -40.0, -5e3]])
    ):
        if not low < x < high:
            continue
        found = getattr(BALLS, name)(Ball(np.float64(x)))
        allowed = 1e-14 + FAR_TAILS.get(name, lambda x: 0.0)(x)
        assert found.rad <= allowed * abs(found.mid) + 1e-320, f"{name}({x!r}): {found.rad / abs(found.mid):.2g}"


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("relative", [1e-12, 1e-6])
def test_the_ball_of_a_function_is_within_four_times_the_width_of_its_image(name, relative):
    f, (low, high) = FUNCTIONS[name]
    for x in (-9.0, -0.7, 0.3, 2.0, 11.0):
        if low < x - 1e-5 and x < high:
            rad = relative * abs(x)
            found = getattr(BALLS, name)(Ball(np.float64(x), np.float64(rad)))
            image = abs(f(mpf(x) + mpf(rad)) - f(mpf(x) - mpf(rad))) / 2
            assert found.rad <= 4 * image + 1e-14 * abs(found.mid), f"{name}({x})"


OPERATIONS = {"add": operator.add, "subtract": operator.sub, "multiply": operator.mul, "divide": operator.truediv}
#: Products and quotients of these neither over- nor underflow, radii included.
MODEST = balls(-1e140, 1e140).filter(lambda b: abs(b[0]) > 1e-140 and not 0.0 < b[1] < 1e-156)


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_ball_of_an_operation_holds_the_result_for_every_choice_of_operands(name):
    operation = OPERATIONS[name]

    @PINNED
    @given(MODEST, MODEST)
    def holds(a, b):
        with np.errstate(all="ignore"):
            found = operation(Ball(*a), Ball(*b))
        bounds = stated(found)
        for x in points(*a):
            for y in points(*b):
                if bounds and not (name == "divide" and y == 0):
                    assert abs(operation(x, y) - bounds[0]) <= bounds[1]

    holds()


@pytest.mark.parametrize("name", ["add", "subtract", "multiply"])
@PINNED
@given(balls(-1e-150, 1e-150), balls(-1e-150, 1e-150))
def test_the_ball_of_an_operation_holds_the_result_where_it_underflows(name, a, b):
    found = OPERATIONS[name](Ball(*a), Ball(*b))
    mid, rad = stated(found)
    for x in points(*a):
        for y in points(*b):
            assert abs(OPERATIONS[name](x, y) - mid) <= rad


def test_dividing_by_a_ball_around_zero_bounds_nothing():
    assert (Ball(1.0) / Ball(np.float64(0.5), 0.5)).rad == math.inf


@PINNED
@given(MODEST, MODEST)
def test_operations_on_exact_operands_are_tight(a, b):
    for name, operation in OPERATIONS.items():
        found = operation(Ball(a[0]), Ball(b[0]))
        assert found.rad <= 2.0**-51 * abs(found.mid) + 5e-324, name


@PINNED
@given(balls(-1e9, 1e9), st.sampled_from([0.5, -3.0, 1e-5, 0]))
def test_plain_numbers_count_as_exact_on_either_side(a, number):
    x = Ball(*a)
    for left, right in ((x + number, number + x), (x * number, number * x)):
        assert (left.mid, left.rad) == (right.mid, right.rad)
    assert (number - x).mid == -(x - number).mid
    for point in points(*a):
        mid, rad = stated(number - x)
        assert abs(Fraction(number) - point - mid) <= rad


@PINNED
@given(st.lists(balls(-1e100, 1e100), min_size=1, max_size=30))
def test_the_ball_of_a_sum_holds_the_exact_sum_and_is_rounded_once(terms):
    mids, rads = (np.array(column) for column in zip(*terms, strict=True))
    found = Ball(mids, rads).sum()
    mid, rad = stated(found)
    total, spread = sum(map(Fraction, mids.tolist())), sum(map(Fraction, rads.tolist()))
    assert abs(total - mid) + spread <= rad
    assert rad <= spread * Fraction(1 + 2.0**-40) + Fraction(2.0**-51) * abs(mid)


def test_the_sum_of_terms_that_cancel_is_exact():
    assert Ball(np.array([1e100, 1.0, -1e100])).sum().mid == 1.0


def test_a_sum_with_an_infinite_term_states_no_bound():
    assert not math.isfinite(Ball(np.array([math.inf, 1.0])).sum().rad)


@PINNED
@given(balls(-1e100, 1e100), st.integers(-200, 200))
def test_scaling_by_a_power_of_two_rounds_nothing(a, exponent):
    found = Ball(*a).scaled(2.0**exponent)
    mid, rad = stated(found)
    for x in points(*a):
        assert abs(x * Fraction(2) ** exponent - mid) <= rad
    assert rad <= Fraction(float(a[1])) * Fraction(2) ** exponent + Fraction(5e-324)


@PINNED
@given(balls(-1e100, 1e100), balls(-1e100, 1e100))
def test_the_ball_of_a_maximum_holds_it(a, b):
    mid, rad = stated(BALLS.maximum(Ball(*a), Ball(*b)))
    assert all(abs(max(x, y) - mid) <= rad for x in points(*a) for y in points(*b))
    assert rad <= max(Fraction(float(a[1])), Fraction(float(b[1])))


@PINNED
@given(balls(-3.0, 3.0), balls(-9.0, 9.0), balls(-9.0, 9.0))
@example((np.float64(0.0), np.float64(0.0)), (np.float64(1.0), np.float64(0.0)), (np.float64(2.0), np.float64(0.0)))
def test_a_choice_by_an_open_comparison_holds_both_branches(x, a, b):
    condition = Ball(*x) > 0.0
    mid, rad = stated(BALLS.where(condition, Ball(*a), Ball(*b)))
    for point in points(*x):
        for chosen in points(*(a if point > 0 else b)):
            assert abs(chosen - mid) <= rad


@PINNED
@given(balls(-3.0, 3.0), balls(-3.0, 3.0))
def test_a_comparison_that_is_not_open_is_true_of_every_point(a, b):
    for found, is_so in ((Ball(*a) > Ball(*b), operator.gt), (Ball(*a) < Ball(*b), operator.lt)):
        assert isinstance(found, Comparison)
        if not found.open:
            assert all(is_so(x, y) == bool(found.true) for x in points(*a) for y in points(*b))


def test_a_choice_by_a_settled_comparison_adds_nothing():
    left = BALLS.where(Ball(np.float64(-1.0), 0.5) > 0.0, Ball(np.float64(7.0)), Ball(np.float64(1.0), 1e-3))
    assert (left.mid, left.rad) == (1.0, 1e-3)


@PINNED
@given(balls(-1e300, 1e300), balls(-1e300, 1e300))
def test_hypot_holds_the_root_of_the_squares_without_overflow(a, b):
    found = hypot(Ball(*a), Ball(*b))
    for x in points(*a):
        for y in points(*b):
            square = x * x + y * y
            with mp.workdps(60):
                root = mp.sqrt(mpf(square.numerator) / mpf(square.denominator))
            assert in_ball(root, found)


def test_hypot_with_an_exact_zero_is_exact():
    found = hypot(Ball(0.0), Ball(-0.3))
    assert (found.mid, found.rad) == (0.3, 0.0)


@pytest.mark.parametrize("size", [1e-300, 1e-160, 1.0, 1e160, 1e300])
def test_the_root_of_squares_neither_over_nor_underflows(size):
    found = root_of_squares([(0.25, Ball(3.0 * size)), (0.25, Ball(4.0 * size))])
    assert abs(found.mid - 2.5 * size) <= found.rad <= 1e-15 * found.mid + 5e-324


@pytest.mark.parametrize("size", [5e-324, 1e-310, 0.3, 0.5, 1.0, 12.0, 1e308])
def test_the_power_of_two_brings_a_size_near_one_without_overflow(size):
    power = power_of_two_near(size)
    assert math.frexp(power)[0] == 0.5
    assert 0.5 <= size * power < 1.0 or size < 2.0**-1000 or size > 2.0**1000


@pytest.mark.parametrize("x", [-38.4, -38.0, -37.5, -30.0, -12.0, -1.0, 0.0, 5.0, 9.0])
def test_both_tails_of_the_normal_law_keep_their_digits(x):
    for name, exact in (("Phi", _normal_cdf), ("phi", mpmath.npdf)):
        found = getattr(BALLS, name)(Ball(np.float64(x)))
        assert in_ball(exactly(exact, Fraction(x)), found)
        assert found.rad <= 1e-14 * found.mid + 1e-320


def test_arrays_and_scalars_get_the_same_balls():
    points_ = np.array([-3.0, -0.1, 0.0, 0.4, 20.0])
    for name in FUNCTIONS:
        if name in ("log", "log1p", "sqrt"):
            continue
        many = getattr(BALLS, name)(Ball(points_, np.full(5, 1e-10)))
        for i, x in enumerate(points_):
            one = getattr(BALLS, name)(Ball(np.float64(x), np.float64(1e-10)))
            assert abs(one.mid - many.mid[i]) <= one.rad, name
