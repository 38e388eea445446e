"""Sigmoid and tanh: identities, limits and series."""

import math

import pytest
from mpmath import mp, mpf

from normcal import catalog, engine
from normcal.engine import Effort
from normcal.law import STANDARD, Normal


def compute(spec, direction, law=STANDARD):
    return engine.get("quadrature").estimate(catalog.layer(spec), direction, law, Effort())


def assert_value(value, exact, tight=1e-13):
    assert abs(mpf(value.value) - mpf(exact)) <= mpf(value.error) <= mpf(tight) * max(abs(mpf(exact)), 1)


def gaussian(f):
    with mp.workdps(25):
        return mp.quad(lambda z: f(z) * mp.npdf(z), [-14, -7, -3, 0, 3, 7, 14])


def test_sigmoid_at_the_standard_input():
    """Mean 1/2 by symmetry; 0.2083 and 0.2117 are the figures of the normalisation articles."""
    forward, backward = compute("sigmoid", "forward"), compute("sigmoid", "backward")
    assert_value(forward.mean, mpf(1) / 2)
    assert_value(forward.std, mp.sqrt(gaussian(lambda z: (1 / (1 + mp.exp(-z)) - mpf(1) / 2) ** 2)))
    assert_value(backward.std, mp.sqrt(gaussian(lambda z: (mp.exp(-z) / (1 + mp.exp(-z)) ** 2) ** 2)))
    assert (round(forward.std.value, 4), round(backward.std.value, 4)) == (0.2083, 0.2117)


def test_tanh_at_the_standard_input():
    forward, backward = compute("tanh", "forward"), compute("tanh", "backward")
    assert forward.mean.value == 0.0
    assert_value(forward.std, mp.sqrt(gaussian(lambda z: mp.tanh(z) ** 2)))
    assert_value(backward.std, mp.sqrt(gaussian(lambda z: mp.sech(z) ** 4)))
    assert round(1 / forward.std.value, 4) == 1.5925  # not the 5/3 of calculate_gain tables


@pytest.mark.parametrize(
    "law", [STANDARD, Normal(0.5, 2.0), Normal(-3.0, 0.7), Normal(9.0, 1.0), Normal(0.0, 40.0)], ids=str
)
def test_tanh_is_twice_the_sigmoid_of_the_double_less_one(law):
    """tanh(x) = 2 sigmoid(2x) - 1, so std and slope follow at twice the input."""
    double = Normal(2.0 * law.mean, 2.0 * law.std)
    for direction, factor in (("forward", 2.0), ("backward", 4.0)):
        a, b = compute("tanh", direction, law).std, compute("sigmoid", direction, double).std
        assert abs(a.value - factor * b.value) <= a.error + factor * b.error


@pytest.mark.parametrize("mean", [0.3, 2.0, 12.0, 35.0])
def test_a_reflected_input_reflects_the_sigmoid(mean):
    """sigmoid(-x) = 1 - sigmoid(x)."""
    right, left = compute("sigmoid", "forward", Normal(mean, 1.3)), compute("sigmoid", "forward", Normal(-mean, 1.3))
    assert abs(right.mean.value + left.mean.value - 1.0) <= right.mean.error + left.mean.error
    assert abs(right.std.value - left.std.value) <= right.std.error + left.std.error


@pytest.mark.parametrize("spec", ["sigmoid", "tanh"])
def test_a_narrow_input_sees_the_tangent(spec):
    """std = |f'| s (1 + O(s^2))."""
    slope = {"sigmoid": 0.25, "tanh": 1.0}[spec]
    assert compute(spec, "forward", Normal(0.0, 1e-9)).std.value == pytest.approx(slope * 1e-9, rel=1e-13)
    assert compute(spec, "backward", Normal(0.0, 1e-9)).std.value == pytest.approx(slope, rel=1e-13)


@pytest.mark.parametrize(("spec", "spread"), [("sigmoid", 0.5), ("tanh", 1.0)])
def test_a_wide_input_sees_a_step(spec, spread):
    found = compute(spec, "forward", Normal(0.0, 1e12))
    assert found.std.value == pytest.approx(spread, rel=1e-11)
    # E f'^2 is the integral of f'^2 times the density at 0: 1/6 for the sigmoid, 4/3 for tanh
    integral = {"sigmoid": 1.0 / 6.0, "tanh": 4.0 / 3.0}[spec]
    exact = math.sqrt(integral / math.sqrt(2.0 * math.pi) / 1e12)
    assert compute(spec, "backward", Normal(0.0, 1e12)).std.value == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize("mean", [-30.0, -60.0, -200.0])
def test_far_in_the_left_tail_the_sigmoid_is_log_normal(mean):
    """sigmoid(x) = e^x (1 - e^x + ...), so mean e^(m + s^2/2) and std mean sqrt(e^(s^2) - 1)."""
    found = compute("sigmoid", "forward", Normal(mean, 0.5))
    with mp.workdps(30):
        first = mp.exp(mpf(mean) + mpf("0.125"))
        near = 10 * mp.exp(mpf(mean))
        assert abs(mpf(found.mean.value) / first - 1) <= mpf(found.mean.error) / first + near
        spread = first * mp.sqrt(mp.expm1(mpf("0.25")))
        assert abs(mpf(found.std.value) / spread - 1) <= mpf(found.std.error) / spread + near
    assert found.std.error <= 1e-12 * found.std.value


def test_logistic_is_another_name():
    assert catalog.layer("logistic").spec == "sigmoid"


def _estimate(spec, direction, law, name="closed-form"):
    return engine.get(name).estimate(catalog.layer(spec), direction, law, Effort())


HOSTILE = [
    STANDARD,
    Normal(0.5, 2.0),
    Normal(-1.0, 0.3),
    Normal(0.0, 1e-6),
    Normal(2.0, 1e-9),
    Normal(0.0, 1e6),
    Normal(-7.0, 1.0),
]


@pytest.mark.parametrize("law", HOSTILE, ids=str)
@pytest.mark.parametrize("spec", ["erf", "laplace"])
def test_the_formula_of_a_normal_distribution_function_agrees_with_its_integral(spec, law):
    for direction in ("forward", "backward"):
        a, b = _estimate(spec, direction, law), _estimate(spec, direction, law, "quadrature")
        for quantity in ("mean", "std"):
            x, y = getattr(a, quantity), getattr(b, quantity)
            assert abs(x.value - y.value) <= x.error + y.error, f"{direction} {quantity}"
        assert a.std.error <= 1e-12 * a.std.value


@pytest.mark.parametrize("std", [1e-8, 0.1, 1.0, 30.0, 1e7])
def test_erf_obeys_the_arcsine_law(std):
    """Var erf(x) = (2/pi) arcsin(2 s^2/(1 + 2 s^2)) at mean 0."""
    with mp.workdps(40):
        square = 2 * mpf(std) ** 2
        exact = mp.sqrt(2 / mp.pi * mp.asin(square / (1 + square)))
        found = _estimate("erf", "forward", Normal(0.0, std)).std
        assert abs(mpf(found.value) - exact) <= mpf(found.error) <= mpf("1e-13") * exact


def test_laplace_meets_the_squared_rectifier_with_its_slope_at_root_half():
    from normcal.numerics.arrays import ARRAYS
    from normcal.numerics.duals import Duals

    f = catalog.layer("laplace").f
    assert float(f(math.sqrt(0.5), ARRAYS)) == pytest.approx(0.5, rel=1e-15)
    assert float(f(math.sqrt(2.0), ARRAYS)) == pytest.approx(0.5 * (1.0 + math.erf(math.sqrt(math.pi))), rel=1e-14)
    assert float(Duals(ARRAYS).derivative(f, math.sqrt(0.5))) == pytest.approx(math.sqrt(2.0), rel=1e-14)


def test_log_sigmoid_is_softplus_upside_down():
    for direction in ("forward", "backward"):
        a, b = compute("log_sigmoid", direction, Normal(0.7, 1.5)), compute("softplus", direction, Normal(-0.7, 1.5))
        assert a.std.value == pytest.approx(b.std.value, rel=1e-14)


def test_the_tail_of_softsign_keeps_its_digits():
    """Far out f' = 1/(1+x)^2, so the std of a narrow input there is s/(1+m)^2."""
    found = compute("softsign", "forward", Normal(1e5, 1.0))
    assert (
        found.std.value == pytest.approx(1.0 / (1.0 + 1e5) ** 2, rel=1e-9) and found.std.error < 1e-12 * found.std.value
    )
