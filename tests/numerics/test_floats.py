"""One number at a time: the balls of plain floats are those of arrays, and NumPy's functions have their twins."""

import math
import operator
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf

from normcal.numerics.balls import BALLS, ELEMENTARY, ERFC, Ball, U
from normcal.numerics.floats import FLOATS

PINNED = settings(derandomize=True, max_examples=60, deadline=None, database=None)
EDGES = [0.0, -0.0, 5e-324, -5e-324, 1e-310, 2.0**-1022, 1.0, -1.0, 0.5, -37.0, 709.8, -745.2, 1e154, 1e308, -1e308]
ENDLESS = [math.inf, -math.inf, math.nan]
#: name -> relative error that the balls grant to the C library, beside what the same formula rounds
FUNCTIONS = {
    **dict.fromkeys(("exp", "expm1", "log", "log1p", "sin", "cos", "arctan", "asinh", "tanh"), ELEMENTARY),
    **dict.fromkeys(("sech2", "sigmoid", "softplus", "phi"), 4.0 * ELEMENTARY),
    **dict.fromkeys(("Phi", "log_Phi", "erf"), ERFC + ELEMENTARY),
    "sqrt": U,
    "floor": 0.0,
}
OPERATIONS = {
    "add": operator.add, "subtract": operator.sub, "multiply": operator.mul, "divide": operator.truediv,
    "maximum": BALLS.maximum, "minimum": BALLS.minimum,
}  # fmt: skip

sizes = st.floats(-320.0, 308.0).map(lambda e: 10.0**e)
mids = st.one_of(st.sampled_from(EDGES), st.floats(-60.0, 60.0), sizes, sizes.map(operator.neg))
radii = st.one_of(st.just(0.0), st.sampled_from([5e-324, 1e-18, 1e-3, 0.02, 1.0, 7.5, 1e300]), sizes)


def as_array(x: Ball) -> Ball:
    return Ball(np.array([x.mid]), np.array([x.rad]))


def alone(x: Ball) -> Ball:
    """Return the only entry of an array's ball, or the ball of a number."""
    return Ball(*(float(np.ravel(part)[0]) for part in (x.mid, x.rad)))


def same(a: float, b: float) -> bool:
    return a == b or (math.isnan(a) and math.isnan(b))


def says_nothing(x: Ball) -> bool:
    return not (math.isfinite(x.mid) and math.isfinite(x.rad))


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_on_floats_has_the_midpoint_and_the_radius_that_it_has_on_arrays(name):
    operation = OPERATIONS[name]

    @PINNED
    @given(st.one_of(mids, st.sampled_from(ENDLESS)), radii, st.one_of(mids, st.sampled_from(ENDLESS)), radii)
    def holds(a, r, b, s):
        one = operation(Ball(a, r), Ball(b, s))
        with np.errstate(all="ignore"):
            other = alone(operation(as_array(Ball(a, r)), as_array(Ball(b, s))))
        assert type(one.mid) is type(one.rad) is float
        assert same(one.mid, other.mid)
        # an array does not tell which of its zeros are exact, and grants what a product loses below the smallest double
        assert same(one.rad, other.rad) or one.rad <= other.rad <= one.rad + 1e-323

    holds()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_of_floats_is_that_of_arrays_but_for_the_last_places(name):
    granted = FUNCTIONS[name]

    @PINNED
    @given(st.one_of(mids, st.sampled_from(ENDLESS)), radii)
    def holds(mid, rad):
        one = getattr(BALLS, name)(Ball(mid, rad))
        with np.errstate(all="ignore"):
            other = alone(getattr(BALLS, name)(as_array(Ball(mid, rad))))
        assert says_nothing(one) == says_nothing(other)
        if says_nothing(one):
            return
        assert type(one.mid) is type(one.rad) is float
        allowed = (granted + 2.0 * U) * abs(other.mid) + 1e-322
        if name in ("sin", "cos"):
            allowed += ELEMENTARY  # vector forms are accurate relative to 1 near the zeros
        assert abs(one.mid - other.mid) <= allowed
        assert one.rad >= min(granted, U) * abs(one.mid)
        assert abs(one.rad - other.rad) <= 1e-13 * other.rad + 8.0 * allowed

    holds()


#: name -> exact function; balls of these arguments hold every value there
EXACT = {
    "exp": mp.exp, "expm1": mp.expm1, "log": mp.log, "log1p": mp.log1p, "sqrt": mp.sqrt, "tanh": mp.tanh,
    "sin": mp.sin, "cos": mp.cos, "arctan": mp.atan, "asinh": mp.asinh, "erf": mp.erf,
    "phi": lambda x: mp.exp(-x * x / 2) / mp.sqrt(2 * mp.pi), "Phi": lambda x: mp.erfc(-x / mp.sqrt(2)) / 2,
    "sigmoid": lambda x: 1 / (1 + mp.exp(-x)), "sech2": lambda x: mp.sech(x) ** 2,
}  # fmt: skip
DOMAIN = {"log": 0.0, "log1p": -1.0, "sqrt": 0.0}


@pytest.mark.parametrize("name", EXACT)
def test_the_ball_of_floats_holds_every_value_also_where_it_is_wide(name):
    @PINNED
    @given(st.one_of(st.floats(-45.0, 45.0), st.sampled_from(EDGES), st.floats(-800.0, 800.0)), radii)
    def holds(mid, rad):
        found = getattr(BALLS, name)(Ball(mid, rad))
        if says_nothing(found):
            return
        for share in (-1, Fraction(-1, 3), 0, Fraction(1, 2), 1):
            x = Fraction(mid) + share * Fraction(rad)
            if x <= DOMAIN.get(name, -math.inf) or abs(x) > 10**15:
                continue
            with mp.workdps(60):
                value = EXACT[name](mpf(x.numerator) / mpf(x.denominator))
                assert abs(value - mpf(found.mid)) <= mpf(found.rad), (mid, rad, share)

    holds()


@pytest.mark.parametrize("x", EDGES + ENDLESS + [710.0, -2.0, 1.5, -1.5, 1e16, -0.75])
@pytest.mark.parametrize(
    "name", ["exp", "expm1", "log", "log1p", "sqrt", "sin", "cos", "floor", "arctan", "arcsinh", "tanh", "isfinite"]
)
def test_a_function_of_floats_returns_what_numpy_returns(name, x):
    with np.errstate(all="ignore"):
        expected = float(getattr(np, name)(np.float64(x)))
    found = float(getattr(FLOATS, name)(x))
    assert same(found, expected) or abs(found - expected) <= ELEMENTARY * abs(expected) + 5e-324


@pytest.mark.parametrize("a", EDGES + ENDLESS)
@pytest.mark.parametrize("b", [0.0, -0.0, 1.0, -2.5, 1e-310, *ENDLESS])
def test_two_floats_are_divided_and_compared_as_numpy_does(a, b):
    with np.errstate(all="ignore"):
        for name in ("divide", "maximum", "minimum", "hypot"):
            found, expected = getattr(FLOATS, name)(a, b), float(getattr(np, name)(a, b))
            assert same(found, expected) or math.isclose(found, expected, rel_tol=1e-15), name
    assert same(FLOATS.clip(a, -3.0, 4.0), float(np.clip(a, -3.0, 4.0)))


@pytest.mark.parametrize("spread", [0.5, 20.0, 300.0], ids=["alike", "magnitudes", "all-magnitudes"])
@pytest.mark.parametrize("seed", range(8))
def test_a_long_sum_in_two_parts_holds_the_exact_sum(seed, spread):
    rng = np.random.default_rng(seed)
    values, rads = rng.choice([-1.0, 1.0], 200) * 10.0 ** rng.uniform(-spread, spread, 200), np.zeros(200)
    if seed % 2:
        rads = np.abs(values) * 10.0 ** rng.uniform(-18.0, 0.0, 200)
    found = Ball(values, rads).sum()
    total, size = (sum(map(Fraction, each.tolist())) for each in (values, rads))
    assert abs(total - Fraction(found.mid)) + size <= Fraction(found.rad)
    assert Fraction(found.rad) <= (size + Fraction(U) * abs(Fraction(found.mid))) * Fraction(1.011)


def test_a_long_sum_that_cancels_keeps_its_last_digit():
    values = np.concatenate([np.full(60, 1e100), [1.0], np.full(60, -1e100)])
    assert Ball(values, np.zeros(121)).sum().mid == 1.0


def test_one_radius_for_many_entries_counts_for_each_of_them():
    assert Ball(np.ones(100), 1e-3).sum().rad >= 0.1


def test_formulas_of_single_numbers_load_no_numpy():
    asked = "relu", "gelu", "relu6", "linear", "dropout", "batch_norm", "max_pool(kernel_size=2)"
    code = f"""
import sys
from normcal import catalog, engine
from normcal.law import Normal
for spec in {asked}:
    for direction in ("forward", "backward"):
        engine.estimate("closed-form", catalog.layer(spec), direction, Normal(), engine.Effort())
print("numpy" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
