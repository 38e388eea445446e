"""Polynomials and rectified powers: exact Gaussian moments, parameters that are refused."""

import math

import pytest
from mpmath import mp, mpf

from normcal import catalog, engine
from normcal.engine import Effort
from normcal.errors import RequestError
from normcal.law import STANDARD, Normal
from normcal.layers._gaussian import powers
from normcal.layers._hermite import hermite, spread
from normcal.numerics.balls import Ball


def compute(spec, direction, law=STANDARD, name="closed-form"):
    return engine.get(name).estimate(catalog.layer(spec), direction, law, Effort())


def gaussian_moment(k, mean, std):
    """E x^k by the binomial theorem."""
    return mp.fsum(mp.binomial(k, j) * mean ** (k - j) * std**j * mp.fac2(j - 1) for j in range(0, k + 1, 2))


LAWS = [STANDARD, Normal(0.5, 2.0), Normal(-1.0, 0.3), Normal(50.0, 1.0), Normal(0.0, 1e-3), Normal(-3.0, 1e3)]


@pytest.mark.parametrize("law", LAWS, ids=str)
@pytest.mark.parametrize("power", [1, 2, 3, 6])
def test_a_power_has_the_moments_of_the_binomial_theorem(power, law):
    forward, backward = (compute(f"monomial(power={power})", d, law) for d in ("forward", "backward"))
    with mp.workdps(50):
        mean, std = mpf(law.mean), mpf(law.std)
        first = gaussian_moment(power, mean, std)
        spread_ = mp.sqrt(gaussian_moment(2 * power, mean, std) - first**2)
        slope = power * mp.sqrt(gaussian_moment(2 * power - 2, mean, std))
        for value, exact in ((forward.mean, first), (forward.std, spread_), (backward.std, slope)):
            assert abs(mpf(value.value) - exact) <= mpf(value.error) <= mpf("1e-13") * max(abs(exact), spread_)


def test_square_and_cube_are_the_second_and_third_power_and_have_their_printed_formulas():
    m, s = 0.5, 2.0
    for name, power, std in (
        ("square", 2, s * math.sqrt(4 * m**2 + 2 * s**2)),
        ("cube", 3, s * math.sqrt(9 * m**4 + 36 * m**2 * s**2 + 15 * s**4)),
    ):
        found = compute(name, "forward", Normal(m, s)).std.value
        assert found == pytest.approx(std, rel=1e-15)
        assert found == pytest.approx(compute(f"monomial(power={power})", "forward", Normal(m, s)).std.value, rel=1e-15)


def test_hermite_polynomials_are_orthogonal():
    """He_3 has mean 0 and variance 3!; its slope 3 He_2 has mean square 18."""
    found = compute("polynomial(coefficients=(0, -3, 0, 1))", "forward")
    assert found.mean.value == 0.0 and found.std.value == pytest.approx(math.sqrt(6.0), rel=1e-15)
    slope = compute("polynomial(coefficients=(0, -3, 0, 1))", "backward").std.value
    assert slope == pytest.approx(math.sqrt(18.0), rel=1e-15)


def test_a_constant_polynomial_has_no_spread_and_no_gradient():
    for direction in ("forward", "backward"):
        assert compute("polynomial(coefficients=(2.5,))", direction).std.value == 0.0
    assert compute("polynomial(coefficients=(2.5,))", "forward").mean.value == 2.5


@pytest.mark.parametrize("given", ["2", "(1, x)", "((1, 2), 3)", "elu", "(" + "1, " * 14 + ")"])
def test_coefficients_that_are_no_numbers_or_too_many_are_refused(given):
    with pytest.raises(RequestError, match="polynomial: coefficients cannot be") as refused:
        catalog.layer(f"polynomial(coefficients={given})")
    assert "ascending order" in refused.value.hint


@pytest.mark.parametrize("t", [-37.0, -9.0, -2.6, -0.9, -0.51, -0.49, -1e-9, 0.0, 0.7, 6.0])
def test_partial_moments_of_every_order_are_within_their_balls(t):
    with mp.workdps(30 + int(0.6 * t * t)):
        x = mpf(t)
        exact = [mp.erfc(-x / mp.sqrt(2)) / 2, mp.npdf(x) + x * mp.erfc(-x / mp.sqrt(2)) / 2]
        for k in range(2, 13):
            exact.append(x * exact[k - 1] + (k - 1) * exact[k - 2])
        for found, true in zip(powers(Ball(t), 12), exact, strict=True):
            assert abs(mpf(float(found.mid)) - true) <= mpf(float(found.rad)) <= mpf("1e-11") * true


def test_the_first_powers_of_the_rectifier_are_relu_and_its_square():
    for law in LAWS[:3]:
        for direction in ("forward", "backward"):
            for a, b in (("relu", "rectified_monomial(power=1)"), ("relu_squared", "rectified_monomial(power=2)")):
                x, y = compute(a, direction, law).std, compute(b, direction, law).std
                assert abs(x.value - y.value) <= x.error + y.error


@pytest.mark.parametrize("law", [*LAWS, Normal(-12.0, 1.0), Normal(9.0, 1.0)], ids=str)
@pytest.mark.parametrize("spec", ["relu_squared", "star_relu", "rectified_monomial(power=5)"])
def test_the_formula_of_a_rectified_power_agrees_with_its_integral(spec, law):
    for direction in ("forward", "backward"):
        a, b = compute(spec, direction, law), compute(spec, direction, law, "quadrature")
        for quantity in ("mean", "std", "rms"):
            x, y = getattr(a, quantity), getattr(b, quantity)
            assert abs(x.value - y.value) <= x.error + y.error, f"{direction} {quantity}"
            assert x.error <= 1e-12 * max(abs(a.mean.value), a.std.value)


def test_star_relu_is_meant_to_have_mean_0_and_std_1():
    """E relu^2 = 1/2 and Var = 5/4: scale 2/sqrt(5) = 0.8944, bias -1/sqrt(5) = -0.4472."""
    found = compute("star_relu", "forward")
    assert abs(found.mean.value) < 1e-4 and found.std.value == pytest.approx(1.0, abs=1e-4)
    assert compute("relu_squared", "forward").std.value == pytest.approx(math.sqrt(1.25), rel=1e-15)


def test_the_std_of_a_negative_scale_is_positive():
    found = compute("star_relu(scale=-2, bias=1)", "forward")
    assert found.std.value == pytest.approx(2.0 * math.sqrt(1.25), rel=1e-15) and found.mean.value == 0.0


def test_hermite_coefficients_of_an_uncertain_mean_hold_both_ends():
    wide = hermite([0.0, 0.0, 1.0], Ball(3.0, 0.1), 2.0)
    for mean in (2.9, 3.1):
        assert abs(mean**2 + 4.0 - float(wide[0].mid)) <= float(wide[0].rad)
    assert spread([Ball(7.0)]).mid == 0.0
