r"""Gaussian moments of polynomials by their Hermite coefficients, in ball arithmetic.

With :math:`p(\mu + \sigma z) = \sum_n h_n\,\mathrm{He}_n(z)` the mean is :math:`h_0` and the variance
:math:`\sum_{n \ge 1} n!\,h_n^2`: a sum of squares, in which nothing cancels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from normcal.numerics.balls import Ball, ball, root_of_squares


def hermite(coefficients: Sequence[float | Ball], mean: Ball | float, std: Ball | float) -> list[Ball]:
    r"""Return the Hermite coefficients of :math:`p(\mu + \sigma z)`, with ``coefficients`` of p in ascending order.

    :math:`z^k = \sum_m \frac{k!}{2^m m! (k-2m)!}\mathrm{He}_{k-2m}(z)` (DLMF 18.18.20, rescaled).

    >>> [float(h.mid) for h in hermite([0.0, 0.0, 1.0], 3.0, 2.0)]  # (3 + 2z)^2 = 13 + 12 He_1 + 4 He_2
    [13.0, 12.0, 4.0]
    """
    shifted = _around(coefficients, ball(mean))
    scaled, power = [], ball(1.0)
    for c in shifted:
        scaled.append(c * power)
        power = power * std
    found = []
    for n in range(len(scaled)):
        total = ball(0.0)
        for m in range((len(scaled) - n + 1) // 2):
            k = n + 2 * m
            total = total + scaled[k] * float(math.factorial(k) // (2**m * math.factorial(m) * math.factorial(n)))
        found.append(total)
    return found


def _around(coefficients: Sequence[float | Ball], centre: Ball) -> list[Ball]:
    """Return the coefficients of p(centre + x) in ascending order, by repeated synthetic division."""
    found = [ball(c) for c in coefficients]
    for done in range(len(found) - 1):
        for k in range(len(found) - 2, done - 1, -1):
            found[k] = found[k] + centre * found[k + 1]
    return found


def spread(coefficients: Sequence[Ball]) -> Ball:
    """Return the std of a polynomial from its Hermite coefficients.

    >>> float(spread(hermite([0.0, 0.0, 1.0], 0.0, 1.0)).mid) == math.sqrt(2.0)
    True
    """
    terms = [(float(math.factorial(n)), h) for n, h in enumerate(coefficients) if n > 0]
    return root_of_squares(terms) if terms else Ball(0.0)


def size(coefficients: Sequence[Ball]) -> Ball:
    """Return the root mean square of a polynomial from its Hermite coefficients.

    >>> float(size(hermite([1.0, 1.0], 0.0, 0.0)).mid)
    1.0
    """
    return root_of_squares([(float(math.factorial(n)), h) for n, h in enumerate(coefficients)])


def derived(coefficients: Sequence[float]) -> list[Ball]:
    """Return the coefficients of p' in ascending order.

    >>> [float(c.mid) for c in derived([5.0, 1.0, 3.0])]
    [1.0, 6.0]
    """
    return [ball(c) * float(k) for k, c in enumerate(coefficients) if k > 0] or [Ball(0.0)]
