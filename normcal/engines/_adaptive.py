"""The independent witness of quadrature: SciPy's adaptive rules on plain floating-point functions.

It shares the definition of a layer with the quadrature engine, but neither nodes, nor panels,
nor arithmetic, nor the way to an error.
"""

from __future__ import annotations

import itertools
import math
import warnings
from dataclasses import replace

import numpy as np
from scipy.integrate import quad

from normcal.engines._integrals import Integrals
from normcal.law import Normal
from normcal.layer import Component
from normcal.numerics.arrays import ARRAYS
from normcal.numerics.balls import Ball, ball
from normcal.numerics.duals import Duals

REACH = 38.0
#: What QUADPACK's estimate leaves out: the rounding of the integrand itself, far in a tail.
ROUNDING = 1e-12
#: Below this the square of the integrand, or the density far out, is no longer a normal double.
SMALLEST = 1e-140


class AdaptiveIntegrals(Integrals):
    """The same integrals as the quadrature engine's, by SciPy; ``used`` says whether any was asked for."""

    def __init__(self) -> None:
        self.used = False

    def moments_of_f(self, component: Component, law: Normal) -> tuple[Ball, Ball, Ball]:
        self.used = True
        mean, mean_error = _expectation(component, law, True, 1)
        square, square_error = _expectation(component, law, True, 2)
        around, around_error = _expectation(component, law, True, 2, mean)
        rms = _root(square, square_error, 0.0)
        size = float(rms.mid)
        if not SMALLEST < size < math.inf:
            return Ball(mean, math.inf), Ball(math.sqrt(max(around, 0.0)), math.inf), rms
        off = mean_error + ROUNDING * size  # the centre is off by as much, and so is every f(x) - centre
        return Ball(mean, off), _root(around, around_error, off), rms

    def rms_of_slope(self, component: Component, law: Normal) -> Ball:
        self.used = True
        return _root(*_expectation(component, law, False, 2), 0.0)

    def line(self, g) -> list[Ball]:
        self.used = True
        count = len(g(Ball(np.zeros(1))))
        return [_over_line(lambda s, i=i: float(g(Ball(np.array([s])))[i].mid[0])) for i in range(count)]


def _root(square: float, error: float, off: float) -> Ball:
    """Return the ball of a root; squares that under- or overflow leave no error to state."""
    root = math.sqrt(max(square, 0.0))
    if not SMALLEST < root < math.inf:
        return Ball(root, math.inf)
    return Ball(root, min(error / root, math.sqrt(error)) + ROUNDING * root + off)


def _over_line(g) -> Ball:
    """Integrate over the line in pieces, which QUADPACK needs to find a narrow integrand."""
    with np.errstate(all="ignore"):
        size = np.abs([g(s) for s in np.arange(-690.0, 691.0, 2.0)])
    alive = np.flatnonzero(size > 1e-22 * size.max())
    if not len(alive):
        return Ball(0.0, math.inf)
    edges = np.arange(2 * alive[0] - 692, 2 * alive[-1] - 684, 4.0)
    total, error = 0.0, 0.0
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for left, right in itertools.pairwise(edges):
            value, its_error = quad(g, left, right, epsabs=1e-13 * size.max(), epsrel=1e-11, limit=60)
            total, error = total + value, error + its_error
    return Ball(total, error + ROUNDING * abs(total))


def informative_share(pairs: list[tuple[Normal, Component]], *, forward: bool) -> float:
    """Return the share of draws that carry the variance: (E u^2)^2 / E u^4 of the centred output or the gradient.

    ``pairs`` are the components, each with the normal law that it is integrated under.
    """
    pairs = [(law, replace(c, mass=float(getattr(c.mass, "mid", c.mass)))) for law, c in pairs]
    noises = [(law, replace(c, f=c.noise, noise=None, slope=None)) for law, c in pairs if c.noise is not None]
    centre = sum(c.mass * _expectation(c, law, True, 1)[0] for law, c in pairs) if forward else 0.0
    second, fourth = (
        sum(c.mass * _expectation(c, law, forward, power, centre)[0] for law, c in pairs) for power in (2, 4)
    )
    second_of_noise = sum(c.mass * _expectation(c, law, forward, 2)[0] for law, c in noises)
    fourth_of_noise = sum(c.mass * c.kurtosis * _expectation(c, law, forward, 4)[0] for law, c in noises)
    fourth += 6.0 * second * second_of_noise + fourth_of_noise  # dependence between the parts is left out
    second += second_of_noise
    fourth *= 1.0 if forward else 3.0  # E dy^4
    return second * second / fourth if fourth > 0.0 else 0.0


def _expectation(c: Component, law: Normal, forward: bool, power: int, centre: float = 0.0) -> tuple[float, float]:
    def integrand(z: float) -> float:
        x = np.float64(law.mean + law.std * z)
        g = c.f(x, ARRAYS) - centre if forward else slope(x)
        weight = 1.0 if c.weight is None else c.weight(np.float64(z), ARRAYS)
        return float(g**power * weight * ARRAYS.phi(z))

    def slope(x):
        return Duals(ARRAYS).derivative(c.f, x) if c.slope is None else c.slope(x, ARRAYS)

    edges = _edges(c, law)
    total, error = 0.0, 0.0
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an interval that misses the tolerance says so by its error
        for left, right in itertools.pairwise(edges):
            value, its_error = quad(integrand, left, right, epsabs=0.0, epsrel=1e-11, limit=100)
            total, error = total + value, error + its_error
    return total, error


def _edges(c: Component, law: Normal) -> list[float]:
    """Cut at the kinks, at the edges that a search found, and where the function is narrower than the law."""
    cuts = {-REACH, -12.0, -6.0, 0.0, 6.0, 12.0, REACH}
    if law.std:
        cuts |= {(float(ball(kink).mid) - law.mean) / law.std for kink in c.kinks}
        for centre, scale in c.features:
            if scale == math.inf:
                cuts.add((centre - law.mean) / law.std)
            elif scale < law.std:
                cuts |= {(centre + k * scale - law.mean) / law.std for k in (-64.0, -8.0, 0.0, 8.0, 64.0)}
    return sorted(z for z in cuts if -REACH <= z <= REACH)
