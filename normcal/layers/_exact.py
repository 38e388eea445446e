r"""Layers whose moments are rational numbers, or roots of them: exact arithmetic on doubles, rounded once at the end.

A double is a fraction, so sums, products and averages of Gaussian inputs have variances that can be
calculated without any rounding: nothing cancels, and the bound is half a unit in the last place.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING

from normcal.errors import Unsupported
from normcal.layer import Layer
from normcal.layers._windows import MOST_SIMULATED

if TYPE_CHECKING:
    from normcal.numerics.balls import Ball

#: Bits of a root that are calculated; a double has 53.
_BITS = 80


def rounded(x: Fraction) -> Ball:
    """Return the double nearest an exact number, as a ball; infinite beyond the largest double.

    >>> third = rounded(Fraction(1, 3))
    >>> third.mid, 0.0 < third.rad < 1e-16
    (0.3333333333333333, True)
    >>> rounded(Fraction(3, 2)).rad
    0.0
    """
    from normcal.numerics.balls import TINY, Ball, U

    try:
        mid = float(x)
    except OverflowError:
        return Ball(math.inf if x > 0 else -math.inf, math.inf)
    return Ball(mid, 0.0 if mid == x else U * abs(mid) + TINY)


def root(x: Fraction) -> Ball:
    """Return the square root of an exact number that is not negative, as a ball.

    >>> root(Fraction(9, 4)).mid, root(Fraction(9, 4)).rad
    (1.5, 0.0)
    >>> found = root(Fraction(2))
    >>> found.mid == math.sqrt(2.0), 0.0 < found.rad < 1e-15
    (True, True)
    """
    from normcal.numerics.balls import TINY, Ball, U

    square = x.numerator * x.denominator  # sqrt(p/q) = sqrt(pq)/q
    shift = max(_BITS - square.bit_length() // 2, 0)
    whole = math.isqrt(square << 2 * shift)
    found = rounded(Fraction(whole, x.denominator << shift))
    exact = whole * whole == square << 2 * shift
    if exact or not math.isfinite(found.mid):
        return found
    return Ball(found.mid, U * found.mid + TINY)


def simulable(count: int) -> int:
    """Return how many numbers a simulated draw takes; raise Unsupported where no block holds them."""
    if count > MOST_SIMULATED:
        raise Unsupported(f"one simulated draw would take {count:.3g} numbers, more than {MOST_SIMULATED:_}")
    return count


class Rational(Layer):
    r"""A layer whose mean, variance and mean squared gradient are rational in mean and std of the input.

    ``forward_moments(mean, std)`` returns :math:`(E y, \\mathrm{Var}\\,y)` and ``gradients(mean, std)``
    :math:`E[dx^2]`, of each input by name where there are several, all as fractions. A mean that is
    no fraction may be a ball.
    """

    def forward_moments(self, mean: Fraction, std: Fraction) -> tuple:
        raise NotImplementedError

    def gradients(self, mean: Fraction, std: Fraction):
        raise NotImplementedError

    def closed_forward(self, law, m):
        mean, variance = self.forward_moments(Fraction(law.mean), Fraction(law.std))
        if not isinstance(mean, Fraction):
            return mean, root(variance)
        return rounded(mean), root(variance), root(mean * mean + variance)

    def closed_backward(self, law, m):
        found = self.gradients(Fraction(law.mean), Fraction(law.std))
        return {name: root(square) for name, square in found.items()} if isinstance(found, dict) else root(found)
