r"""Discs of the complex plane about points of the real line: how far a function strays around a point.

A disc holds the values of an analytic function for every complex argument in the disc of its operand. A finite radius
therefore says that the function is analytic there, and bounds it; what the real line hides, a pole beside it, a narrow
peak, a fast oscillation, shows as a radius that is large or infinite. By Cauchy's bounds a polynomial of degree n on
the inner half of a disc of radius M leaves no more than a few :math:`M\,3.7^{-n}`.
"""

from __future__ import annotations

import math

import numpy as np

from normcal.numerics.arrays import ARRAYS
from normcal.numerics.balls import Ball, U
from normcal.numerics.duals import whole_power

#: Relative error granted to an elementary function of a real number.
OWN = 16.0 * U


class Disc:
    """Arrays of discs: real midpoints, and radii, which are infinite or no number where nothing is known.

    >>> third = 1.0 / Disc(np.array([3.0]), 1.0)
    >>> bool(third.rad[0] >= 1.0 / 2.0 - 1.0 / 3.0)
    True
    """

    __slots__ = ("factors", "mid", "rad")
    __array_ufunc__ = None

    def __init__(self, mid, rad=0.0, factors=()) -> None:
        self.mid, self.rad, self.factors = mid, rad, factors

    def __add__(self, other):
        if not isinstance(other, Disc):
            if not _number(other):
                return NotImplemented
            mid = self.mid + other
            return Disc(mid, self.rad + U * abs(mid))
        mid = self.mid + other.mid
        return Disc(mid, self.rad + other.rad + U * abs(mid))

    def __sub__(self, other):
        if not isinstance(other, Disc):
            return self + -other if _number(other) else NotImplemented
        mid = self.mid - other.mid
        return Disc(mid, self.rad + other.rad + U * abs(mid))

    def __mul__(self, other):
        if not isinstance(other, Disc):
            if not _number(other):
                return NotImplemented
            mid = self.mid * other
            return Disc(mid, self.rad * abs(other) + U * abs(mid))
        mid = self.mid * other.mid
        size = abs(self.mid) * other.rad + self.rad * (abs(other.mid) + other.rad)
        return Disc(mid, size + U * abs(mid), (self, other))

    def __truediv__(self, other):
        if not isinstance(other, Disc):
            if not _number(other):
                return NotImplemented
            mid = np.divide(self.mid, other)
            return Disc(mid, np.divide(self.rad, abs(other)) + U * abs(mid))
        mid = np.divide(self.mid, other.mid)
        room = other.lower
        return Disc(mid, np.where(room > 0.0, (self.rad + abs(mid) * other.rad) / room + U * abs(mid), np.inf))

    def __neg__(self):
        return Disc(-self.mid, self.rad)

    def __rsub__(self, other):
        return -self + other

    def __rtruediv__(self, other):
        return Disc(np.float64(other)) / self

    def __pow__(self, power: int):
        return whole_power(self, power)

    __radd__ = __add__
    __rmul__ = __mul__

    @property
    def upper(self):
        """The largest absolute value; infinite where it is not known."""
        upper = abs(self.mid) + self.rad
        return np.where(upper < np.inf, upper, np.inf)

    @property
    def lower(self):
        """The smallest absolute value, 0 or less where it is not known; that of a product is that of its factors."""
        lower = abs(self.mid) - self.rad
        if self.factors:
            lowers = [np.maximum(factor.lower, 0.0) for factor in self.factors]
            lower = np.fmax(lower, lowers[0] * lowers[1] * (1.0 - 4.0 * U))
        return lower


def _number(x) -> bool:
    return isinstance(x, (float, int))


def disc(x) -> Disc:
    """Return a number, a ball or a disc as a disc."""
    if isinstance(x, Disc):
        return x
    return Disc(np.float64(x.mid), np.float64(x.rad)) if isinstance(x, Ball) else Disc(np.float64(x))


class Discs:
    """The function namespace on discs; comparisons are not for it, since a disc has no order."""

    def exp(self, x):
        x = disc(x)
        mid = np.exp(x.mid)
        wide = np.exp(x.mid + x.rad) + mid  # far left of 0 a wide disc still ends there
        own = np.where((x.mid == 0.0) & (x.rad == 0.0), 0.0, OWN * mid)  # exp(0) is 1
        return Disc(mid, np.where(x.rad < 1.0, mid * np.expm1(x.rad), wide) + own)

    def expm1(self, x):
        x = disc(x)
        mid = np.expm1(x.mid)
        return Disc(mid, np.exp(x.mid) * np.expm1(x.rad) + OWN * abs(mid))

    def log(self, x):
        x = disc(x)
        mid = np.log(x.mid)
        return Disc(mid, _relative_log(x.rad / x.mid) + OWN * abs(mid))

    def log1p(self, x):
        x = disc(x)
        mid = np.log1p(x.mid)
        return Disc(mid, _relative_log(x.rad / (1.0 + x.mid)) + OWN * abs(mid))

    def sin(self, x):
        x = disc(x)
        sin, cos = np.sin(x.mid), np.cos(x.mid)
        return Disc(sin, _wave(sin, cos, x.rad) + OWN * np.minimum(abs(x.mid), 1.0))

    def cos(self, x):
        x = disc(x)
        sin, cos = np.sin(x.mid), np.cos(x.mid)
        return Disc(cos, _wave(cos, sin, x.rad) + OWN)

    def arctan(self, x):
        x = disc(x)
        mid, far = np.arctan(x.mid), np.hypot(1.0, x.mid)  # how far it is to the branch points at i and -i
        return Disc(mid, np.where(x.rad < far, x.rad / (far * (far - x.rad)), np.inf) + OWN * abs(mid))

    def asinh(self, x):
        x = disc(x)
        mid, far = np.arcsinh(x.mid), np.hypot(1.0, x.mid)
        return Disc(mid, _relative_log(x.rad / far) + OWN * abs(mid))

    def sqrt(self, x):
        x = disc(x)
        mid = np.sqrt(x.mid)
        exact = (x.mid == 0.0) & (x.rad == 0.0)
        inside = x.rad / (mid + np.sqrt(x.mid - x.rad)) + U * mid
        return Disc(mid, np.where(exact, 0.0, np.where(x.rad < x.mid, inside, np.inf)))

    def power(self, x, a):
        x, a = disc(x), disc(a)
        mid = np.power(x.mid, a.mid)
        change = (abs(a.mid) + a.rad) * _relative_log(x.rad / x.mid) + a.rad * abs(np.log(x.mid))
        exact = (x.mid == 0.0) & (x.rad == 0.0) & (a.mid > a.rad)
        return Disc(mid, np.where(exact, 0.0, abs(mid) * (np.expm1(change) + OWN)))

    def tanh(self, x):
        x = disc(x)
        mid = np.tanh(x.mid)
        return Disc(mid, _around_tanh(x.mid, x.rad) + OWN * abs(mid))

    def sech2(self, x):
        x = disc(x)
        mid, off = ARRAYS.sech2(x.mid), _around_tanh(x.mid, x.rad)
        return Disc(mid, off * (off + 2.0 * abs(np.tanh(x.mid))) + OWN * mid)

    def sigmoid(self, x):
        x = disc(x)
        mid = 1.0 / (1.0 + np.exp(-x.mid))
        return Disc(mid, 0.5 * _around_tanh(0.5 * x.mid, 0.5 * x.rad) + OWN * mid)

    def softplus(self, x):
        x = disc(x)
        mid, slope = np.logaddexp(0.0, x.mid), self.sigmoid(x)
        return Disc(mid, np.where(x.rad > 0.0, x.rad * slope.upper, 0.0) + OWN * mid)

    def phi(self, x):
        x = disc(x)
        mid, change = ARRAYS.phi(x.mid), abs(x.mid) * x.rad + 0.5 * x.rad * x.rad
        spread = np.where(change < 1.0, mid * np.expm1(change), mid + _largest_density(x))
        return Disc(mid, spread + OWN * (1.0 + x.mid * x.mid) * mid)

    def Phi(self, x):
        x = disc(x)
        mid = ARRAYS.Phi(x.mid)
        return Disc(mid, _around_Phi(x) + OWN * (1.0 + x.mid * x.mid) * mid)

    def erf(self, x):
        x = disc(x)
        mid = ARRAYS.erf(x.mid)
        return Disc(mid, 2.0 * _around_Phi(x * math.sqrt(2.0)) + OWN * abs(mid))

    def log_Phi(self, x):
        x = disc(x)
        mid = ARRAYS.log_Phi(x.mid)
        near = _relative_log(_around_Phi(x) / ARRAYS.Phi(x.mid))
        far = np.where(x.mid + 2.0 * x.rad < -5.0, 1.5 * x.rad * (abs(x.mid) + x.rad + 1.0), np.inf)
        own = np.where(x.mid > 0.0, (4.0 + x.mid * x.mid) * abs(mid), 1.0 + abs(mid))
        return Disc(mid, np.fmin(near, far) + OWN * own)


DISCS = Discs()


def _relative_log(change):
    r"""Return how far log strays for a relative change of at most ``change``, infinite from 1 on and below 0."""
    return np.where((change >= 0.0) & (change < 1.0), -np.log1p(-change), np.inf)


def _wave(value, slope, rad):
    """Return how far a sine strays: sin(m + d) - sin m = sin m (cos d - 1) + cos m sin d."""
    half = np.sinh(0.5 * rad)
    return abs(value) * 2.0 * half * half + abs(slope) * np.sinh(rad)


def _around_tanh(mid, rad):
    r"""Return how far tanh strays: :math:`|\sinh d| / |\cosh(m + d)\cosh m|`, or what it is off 1 on either end."""
    near = np.maximum(abs(mid) - rad, 0.0)
    least = np.sinh(near) ** 2 + np.where(rad < 0.5 * np.pi, np.cos(np.minimum(rad, 0.5 * np.pi)) ** 2, 0.0)
    inside = np.sinh(rad) / (np.sqrt(least) * np.cosh(mid))
    decay = np.exp(-2.0 * near)
    outside = 2.0 * decay / (1.0 - decay) + 2.0 * np.exp(-2.0 * abs(mid))
    best = np.fmin(inside, np.where(decay < 1.0, outside, np.inf))
    return np.where(rad == 0.0, 0.0, np.where(best == best, best, np.inf))


def _around_Phi(x: Disc):
    """Return how far the distribution function strays: the radius times the largest density in the disc."""
    return np.where(x.rad == 0.0, 0.0, x.rad * _largest_density(x))


def _largest_density(x: Disc):
    r"""Bound the normal density in the disc: :math:`|e^{-z^2/2}| = e^{(\Im z)^2/2 - (\Re z)^2/2}`."""
    near = np.maximum(abs(x.mid) - x.rad, 0.0)
    return 0.4 * np.exp(0.5 * x.rad * x.rad - 0.5 * near * near)
