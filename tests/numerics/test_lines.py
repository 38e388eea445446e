"""The trapezoidal rule on the line: values within their radii, and no radius where there is no value."""

import math

import mpmath
import numpy as np
import pytest

from normcal.numerics.balls import BALLS, Ball
from normcal.numerics.lines import line_integral

#: name -> (integrand in balls, exact integral)
SMOOTH = {
    "gauss": (lambda s: BALLS.exp(s * s * -1.0), math.sqrt(math.pi)),
    "narrow-gauss": (lambda s: BALLS.exp((s - 3.0) * (s - 3.0) * -400.0), math.sqrt(math.pi) / 20.0),
    "wide-gauss": (lambda s: BALLS.exp(s * s * -1e-3), math.sqrt(math.pi * 1e3)),
    "sech2": (lambda s: BALLS.sech2(s), 2.0),
    "gamma-1": (lambda s: BALLS.exp(s - BALLS.exp(s)), 1.0),
    "gamma-5": (lambda s: BALLS.exp(s * 5.0 - BALLS.exp(s)), 24.0),
    "gamma-1/4": (lambda s: BALLS.exp(s * 0.25 - BALLS.exp(s)), math.gamma(0.25)),
    "inverse-chi2-of-3": (lambda s: BALLS.exp(s - BALLS.log1p(BALLS.exp(s) * 2.0) * 1.5), 1.0),
    "inverse-chi2-of-1e6": (lambda s: BALLS.exp(s - BALLS.log1p(BALLS.exp(s) * 2.0) * 5e5), 1.0 / (1e6 - 2.0)),
    "odd": (lambda s: s * BALLS.exp(s * s * -1.0), 0.0),
    "nothing": (lambda s: s * 0.0, 0.0),
}


@pytest.mark.parametrize(("g", "exact"), SMOOTH.values(), ids=list(SMOOTH))
def test_the_value_is_within_its_radius_and_the_radius_is_small(g, exact):
    with np.errstate(all="ignore"):
        (found,) = line_integral(lambda s: [g(s)])
    assert abs(found.mid - exact) <= found.rad + 1e-15 * abs(exact)
    assert found.rad <= 2e-12 * max(abs(exact), 1e-2)


def test_several_integrands_share_their_points():
    calls = []

    def both(s):
        calls.append(s)
        return [BALLS.exp(s * s * -1.0), BALLS.exp(s * s * -4.0)]

    one, other = line_integral(both)
    assert one.mid == pytest.approx(2.0 * other.mid, rel=1e-14)
    assert len(calls) < 16


@pytest.mark.parametrize(
    "g", [lambda s: s * 0.0 + 1.0, lambda s: BALLS.exp(s), lambda s: 1.0 / (s * s + 1.0)], ids=["one", "exp", "lorentz"]
)
def test_an_integrand_that_does_not_fall_off_has_no_bound(g):
    with np.errstate(all="ignore"):
        (found,) = line_integral(lambda s: [g(s)])
    assert not found.rad < math.inf


def test_radii_of_the_integrand_reach_the_integral():
    (found,) = line_integral(lambda s: [Ball(np.exp(-(s.mid**2)), 1e-3 * np.exp(-(s.mid**2)))])
    assert found.rad >= 1e-3 * math.sqrt(math.pi)


@pytest.mark.parametrize("seed", range(12))
def test_drawn_products_of_powers_are_within_their_radii(seed):
    rng = np.random.default_rng(seed)
    scales, counts = 10.0 ** rng.uniform(-3, 3, 3), 10.0 ** rng.uniform(0.7, 5, 3)
    power = int(rng.integers(1, 4))

    def g(s):
        t = BALLS.exp(s)
        logs = [BALLS.log1p(t * float(a)) * float(-d) for a, d in zip(scales, counts, strict=True)]
        return [BALLS.exp(s * float(power) + logs[0] + logs[1] + logs[2])]

    with np.errstate(all="ignore"):
        (found,) = line_integral(g)
    with mpmath.workdps(40):
        a, d = [mpmath.mpf(float(x)) for x in scales], [mpmath.mpf(float(x)) for x in counts]
        step = mpmath.mpf(1) / 16  # the same rule, far finer, in 40 digits: its error is far below the digits
        start = -16 * 60
        exact = step * mpmath.fsum(
            mpmath.exp(
                power * s - mpmath.fsum(di * mpmath.log1p(ai * mpmath.exp(s)) for ai, di in zip(a, d, strict=True))
            )
            for s in (step * k for k in range(start, 16 * 30))
        )
    assert abs(mpmath.mpf(float(found.mid)) - exact) <= found.rad
    assert found.rad <= 1e-12 * found.mid


def hump(centre, width):
    return lambda s: BALLS.exp((s - centre) * (s - centre) * (-1.0 / (width * width)))


#: (centre, width) of the two humps of an integrand: far apart, or a narrow one on a wide one.
TWO_HUMPS = {
    "one-out-of-the-first-reach": ((0.0, 1.0), (40.0, 0.5)),
    "far-right": ((0.0, 1.0), (100.0, 1.0)),
    "far-left": ((0.0, 1.0), (-300.0, 1.0)),
    "narrow-beside-wide": ((3.3, 1.0), (11.37, 0.02)),
    "narrow-on-the-flank-of-a-wide-one": ((0.0, 8.0), (11.37, 0.1)),
    "wider-than-the-first-reach": ((0.0, 40.0), (37.03, 0.3)),
}


@pytest.mark.parametrize(("one", "other"), TWO_HUMPS.values(), ids=list(TWO_HUMPS))
def test_no_hump_of_two_is_left_out(one, other):
    with np.errstate(all="ignore"):
        (found,) = line_integral(lambda s: [hump(*one)(s) + hump(*other)(s)])
    exact = math.sqrt(math.pi) * (one[1] + other[1])
    assert abs(found.mid - exact) <= found.rad + 1e-15 * exact


def test_an_integrand_too_narrow_to_be_seen_has_no_bound():
    with np.errstate(all="ignore"):
        (found,) = line_integral(lambda s: [hump(0.123, 1e-3)(s)])
    assert not found.rad < math.inf


@pytest.mark.parametrize("rate", [1.0, 0.2, 0.1, 0.07, 0.05, 0.01])
def test_a_slow_tail_is_within_the_radius_or_has_none(rate):
    with np.errstate(all="ignore"):
        (found,) = line_integral(lambda s: [1.0 / (BALLS.exp(s * rate) + BALLS.exp(s * -rate))])
    assert abs(found.mid - 0.5 * math.pi / rate) <= found.rad
