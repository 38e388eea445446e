"""The independent witness of quadrature: SciPy's adaptive rules on plain floating-point functions.

It shares the definition of a layer with the quadrature engine, but neither nodes, nor panels,
nor arithmetic, nor the way to an error.
"""

from __future__ import annotations

import itertools
import math
import warnings

import numpy as np
from scipy.integrate import quad

from normcal.law import Normal
from normcal.layer import Component
from normcal.numerics.arrays import ARRAYS
from normcal.numerics.duals import Duals
from normcal.result import Value

REACH = 38.0
#: What QUADPACK's estimate leaves out: the rounding of the integrand itself, far in a tail.
ROUNDING = 1e-12
#: Below this the square of the integrand, or the density far out, is no longer a normal double.
SMALLEST = 1e-140


def mean_and_rms(components: list[Component], law: Normal, *, forward: bool) -> tuple[Value, Value]:
    """Return E[g] and sqrt(E[g^2]), g = f(x) forward and f'(x) backward, with errors."""
    first = [_expectation(c, law, forward, 1) for c in components]
    second = [_expectation(c, law, forward, 2) for c in components]
    masses = [c.mass for c in components]
    mean = math.fsum(m * value for m, (value, _) in zip(masses, first, strict=True))
    square = math.fsum(m * value for m, (value, _) in zip(masses, second, strict=True))
    rms = math.sqrt(max(square, 0.0))
    if not SMALLEST < rms < math.inf:
        return Value.of(mean, math.inf), Value.of(
            rms, math.inf
        )  # squares under- or overflow here, so no error can be stated
    mean_error = math.fsum(m * error for m, (_, error) in zip(masses, first, strict=True)) + ROUNDING * rms
    square_error = math.fsum(m * error for m, (_, error) in zip(masses, second, strict=True))
    return Value(mean, mean_error), Value(rms, square_error / rms + ROUNDING * rms if rms else math.sqrt(square_error))


def informative_share(components: list[Component], law: Normal, *, forward: bool) -> float:
    """Return the share of draws that carry the variance: (E u^2)^2 / E u^4 of the centred output or the gradient."""
    centre = mean_and_rms(components, law, forward=True)[0].value if forward else 0.0
    second, fourth = (
        sum(c.mass * _expectation(c, law, forward, power, centre)[0] for c in components) for power in (2, 4)
    )
    fourth *= 1.0 if forward else 3.0  # E dy^4
    return second * second / fourth if fourth > 0.0 else 0.0


def _expectation(c: Component, law: Normal, forward: bool, power: int, centre: float = 0.0) -> tuple[float, float]:
    def integrand(z: float) -> float:
        x = np.float64(law.mean + law.std * z)
        g = c.f(x, ARRAYS) - centre if forward else Duals(ARRAYS).derivative(c.f, x)
        weight = 1.0 if c.weight is None else c.weight(np.float64(z), ARRAYS)
        return float(g**power * weight * ARRAYS.phi(z))

    edges = _edges(c, law)
    total, error = 0.0, 0.0
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an interval that misses the tolerance says so by its error
        for left, right in itertools.pairwise(edges):
            value, its_error = quad(integrand, left, right, epsabs=0.0, epsrel=1e-11, limit=100)
            total, error = total + value, error + its_error
    return total, error


def _edges(c: Component, law: Normal) -> list[float]:
    """Cut at the kinks, and where the function is narrower than the law."""
    cuts = {-REACH, -12.0, -6.0, 0.0, 6.0, 12.0, REACH}
    if law.std:
        cuts |= {(kink - law.mean) / law.std for kink in c.kinks}
        for centre, scale in c.features:
            if scale < law.std:
                cuts |= {(centre + k * scale - law.mean) / law.std for k in (-64.0, -8.0, 0.0, 8.0, 64.0)}
    return sorted(z for z in cuts if -REACH <= z <= REACH)
