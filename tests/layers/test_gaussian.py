"""Partial moments and Owen's T against mpmath, at and between the branches of their formulas."""

import numpy as np
import pytest
from mpmath import mp, mpf

from normcal.layers._gaussian import excess, owens_t
from normcal.numerics.balls import Ball

#: A fraction of this is lost to cancellation next to the branch of the formulas.
TARGET = 5e-13


def exact_excess(t):
    """E(Z + t)_+ and E(Z + t)_+^2, with the digits that the left tail cancels."""
    with mp.workdps(40 + int(0.5 * t * t)):
        t = mpf(t)
        below, density = mp.erfc(-t / mp.sqrt(2)) / 2, mp.npdf(t)
        return t * below + density, (1 + t * t) * below + t * density


def exact_owens_t(h, a):
    def integrand(x):
        return mp.exp(-((h * x) ** 2) / 2) / (1 + x * x)

    with mp.workdps(30):
        h, a = mpf(h), mpf(a)
        return mp.quad(integrand, mp.linspace(0, a, 9)) * mp.exp(-h * h / 2) / (2 * mp.pi)


RATIOS = np.unique(np.concatenate([np.linspace(-37.0, 8.0, 90), np.linspace(-3.0, -1.0, 41), [-1e-9, 0.0, 1e-9]]))


@pytest.mark.parametrize("t", RATIOS.tolist(), ids="{:.4g}".format)
def test_partial_moments_are_within_their_balls_and_tight_in_both_tails(t):
    for found, exact in zip(excess(Ball(np.float64(t))), exact_excess(t), strict=True):
        assert abs(mpf(float(found.mid)) - exact) <= mpf(float(found.rad))
        assert found.rad <= TARGET * found.mid


@pytest.mark.parametrize("t", [-30.0, -8.0, -2.6, -2.4, -1.5, 0.0, 3.0])
@pytest.mark.parametrize("radius", [1e-12, 1e-6, 1e-2])
def test_partial_moments_of_an_uncertain_argument_hold_both_ends(t, radius):
    found = excess(Ball(np.float64(t), np.float64(radius)))
    for end in (t - radius, t + radius):
        for its_ball, exact in zip(found, exact_excess(end), strict=True):
            assert abs(mpf(float(its_ball.mid)) - exact) <= mpf(float(its_ball.rad)) * (1 + mpf("1e-9"))


@pytest.mark.parametrize("h", [0.0, -1e-3, -0.3, -1.0, -2.2, -6.0, -11.0])
@pytest.mark.parametrize("a", [1e-6, 0.02, 0.3, 0.5773502691896258, 0.99, 1.0])
def test_owens_t_is_within_its_ball_and_tight(h, a):
    found, exact = owens_t(Ball(np.float64(h)), Ball(np.float64(a))), exact_owens_t(h, a)
    assert abs(mpf(float(found.mid)) - exact) <= mpf(float(found.rad))
    assert found.rad <= 1e-12 * found.mid


def test_owens_t_at_its_known_values():
    """T(0, a) = arctan(a)/(2 pi) and T(h, 1) = Phi(h) (1 - Phi(h))/2."""
    for a in (0.1, 0.7, 1.0):
        found = owens_t(Ball(np.float64(0.0)), Ball(np.float64(a)))
        assert abs(mpf(float(found.mid)) - mp.atan(mpf(a)) / (2 * mp.pi)) <= found.rad
    for h in (-0.4, -1.7, -5.0):
        found = owens_t(Ball(np.float64(h)), Ball(np.float64(1.0)))
        with mp.workdps(30):
            below = mp.erfc(-mpf(h) / mp.sqrt(2)) / 2
            assert abs(mpf(float(found.mid)) - below * (1 - below) / 2) <= mpf(float(found.rad))
