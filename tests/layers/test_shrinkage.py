"""Shrinkage: tanhshrink keeps its digits near 0; the piecewise linear ones have their tests with their kind."""

import pytest
from mpmath import mp, mpf

from normcal import catalog, engine
from normcal.engine import Effort
from normcal.errors import RequestError
from normcal.law import Normal
from normcal.layer import BACKWARD, FORWARD
from normcal.numerics.arrays import ARRAYS
from normcal.numerics.duals import Duals


def compute(spec, direction, law):
    return engine.get("quadrature").estimate(catalog.layer(spec), direction, law, Effort())


@pytest.mark.parametrize("x", [-30.0, -1.5, -1.0 + 1e-12, -0.3, -1e-5, 1e-9, 0.7, 0.999, 1.001, 4.0])
def test_value_and_slope_of_tanhshrink_keep_their_digits(x):
    layer = catalog.layer("tanhshrink")
    with mp.workdps(60):
        value, slope = mpf(x) - mp.tanh(mpf(x)), mp.tanh(mpf(x)) ** 2
        assert float(layer.f(x, ARRAYS)) == pytest.approx(float(value), rel=1e-14)
        assert float(Duals(ARRAYS).derivative(layer.f, x)) == pytest.approx(float(slope), rel=2e-14)


def test_a_narrow_input_sees_a_third_of_the_cube():
    """x - tanh x = x^3/3 - ..., so the std is sqrt(15) s^3/3 and the slope's rms sqrt(3) s^2."""
    law = Normal(0.0, 1e-4)
    assert compute("tanhshrink", FORWARD, law).std.value == pytest.approx(15.0**0.5 * 1e-12 / 3.0, rel=1e-6)
    assert compute("tanhshrink", BACKWARD, law).std.value == pytest.approx(3.0**0.5 * 1e-8, rel=1e-6)


@pytest.mark.parametrize("spec", ["hardshrink(lambd=0)", "softshrink(lambd=0)"])
def test_no_threshold_leaves_the_input_as_it_is(spec):
    found = engine.get("closed-form").estimate(catalog.layer(spec), FORWARD, Normal(0.5, 2.0), Effort())
    assert (found.mean.value, found.std.value) == (0.5, 2.0)


@pytest.mark.parametrize("spec", ["hardshrink(lambd=-1)", "softshrink(lambd=-0.5)"])
def test_a_negative_threshold_is_refused(spec):
    with pytest.raises(RequestError, match="lambd cannot be"):
        catalog.layer(spec)
