r"""The same moments in closed form where all eigenvalues are one: chi-square expectations by exponential integrals.

With q ~ Gamma(k), :math:`h_k(x) = E[1/(q + x)] = \int_0^\infty e^{-xt}(1+t)^{-k}dt = e^xE_k(x)` (DLMF 8.19).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from normcal.errors import Unsupported
from normcal.layers._normaliser import scale_of

if TYPE_CHECKING:
    from normcal.law import Normal
    from normcal.numerics.balls import Ball

_EULER = 0.5772156649015329
#: From here on the continued fraction is short enough.
_LONG, _MANY = 1.0, 40
_MOST_TERMS = 400
#: The recurrence in k: how far up it may lead, from where, and what it may keep of where it started.
_MOST_STEPS, _LEAST_K, _FORGOTTEN = 200, 4.0, 1e-21
#: Wider than this, integrals do better.
_CANCELLED = 5e-14
#: Ratios of eps and variance beyond this over- or underflow.
_SMALLEST = 1e-280


def closed_output(rank: int, size: int, law: Normal, eps: float, m) -> Ball:
    r"""Return the root of :math:`E[S/(S+\varepsilon)] = k\,h_{k+1}(x)`, S = sigma^2 chi^2(rank)/size.

    Here k = rank/2 and :math:`x = \varepsilon M/(2\sigma^2)`; at eps = 0 it is exactly 1.
    """
    from normcal.numerics.balls import Ball

    if eps == 0.0:
        return Ball(1.0)
    x, _ = _argument(size, law, eps)
    return m.sqrt(inverse_mean(rank + 2, x, m) * (0.5 * rank))


def closed_gradient(rank: int, size: int, law: Normal, eps: float, m) -> Ball:
    r"""Return the root of :math:`E[(\mathrm{rank}-1 + (\varepsilon/D)^2)/D]/M`, at eps = 0 (rank-1)/(rank-2)/sigma^2.

    It is :math:`\tfrac12 E[(\mathrm{rank}-1)/(q+x) + x^2/(q+x)^3]`. Where no recurrence in k leads there, the cube
    follows from h by one that cancels in large groups and at large eps: it is then left to the integrals.
    """
    from normcal.numerics.balls import Ball

    if eps == 0.0:
        return m.sqrt(Ball(rank - 1.0) / (rank - 2.0)) / law.std if rank > 1 else Ball(0.0)
    x, scale = _argument(size, law, eps)
    k, powers = 0.5 * rank, _climbed(rank, x, 3)
    if powers:
        h, cubed = powers[0], powers[2] * x.square() * 2.0
    else:
        h = inverse_mean(rank, x, m)
        cubed = h * (x.square() + x * (2.0 * (k - 1.0)) + (k - 2.0) * (k - 1.0)) - x - (k - 2.0)
    found = m.sqrt(h * (rank - 1.0) * 0.5 + cubed * 0.25) / (law.std * scale) * scale
    if not found.rad <= _CANCELLED * found.mid:
        raise Unsupported("the recurrence of the exponential integrals cancels for so large a group or eps")
    return found


def _argument(size: int, law: Normal, eps: float) -> tuple[Ball, float]:
    from normcal.numerics.balls import Ball

    scale = scale_of(law.std, math.sqrt(eps))
    small, std = eps * scale * scale, law.std * scale
    if not _SMALLEST < std * std < small / _SMALLEST:
        raise Unsupported("eps and the variance are too far apart for the exponential integral in doubles")
    x = Ball(small) * float(size) / (Ball(std).square() * 2.0)
    return x, scale


def inverse_mean(twice: int, x: Ball, m) -> Ball:
    r"""Return :math:`E[1/(q+x)] = e^xE_k(x)` for q ~ Gamma(k), k = twice/2 > 0 and x > 0.

    >>> from normcal.numerics.balls import BALLS, Ball
    >>> round(float(inverse_mean(2, Ball(1.0), BALLS).mid), 12)  # e E_1(1)
    0.596347362323
    """
    from normcal.numerics.balls import Ball

    climbed = _climbed(twice, x, 1)
    if climbed:
        return climbed[0]
    if x.mid >= _LONG or twice >= _MANY:
        return _fraction(0.5 * twice, x)
    if twice % 2:
        root = m.sqrt(x)
        found = m.sqrt(Ball(math.pi, 2.0**-52)) / root * m.exp(x) * m.Phi(-(m.sqrt(x * 2.0))) * 2.0
    else:
        found = _first(x) * m.exp(x)
    for step in range(2 - twice % 2, twice, 2):
        found = (1.0 - x * found) / (0.5 * step)
    return found


def _climbed(twice: int, x: Ball, most: int) -> list[Ball]:
    r"""Return :math:`h^{(j)} = E[(q+x)^{-j}]` for j = 1 ... most <= 3, or nothing where x is too large against k.

    By parts, :math:`k h^{(1)}_{k+1} = 1 - x h^{(1)}_k`, and from its derivatives
    :math:`k h^{(j)}_{k+1} = h^{(j-1)}_k - x h^{(j)}_k`: every step up takes a factor x/k off what is not known at the
    start, where :math:`0 \le h^{(j)} \le E q^{-j}`.
    """
    from normcal.numerics.balls import Ball

    k, kept, steps = 0.5 * twice, 1.0, most - 1  # the last steps of one j are the first of the next
    k -= steps
    while kept > _FORGOTTEN and steps < _MOST_STEPS and k - 1.0 >= _LEAST_K:
        k, steps = k - 1.0, steps + 1
        kept *= float(x.mid) / k
    if not kept <= _FORGOTTEN:
        return []
    powers, most_it_is = [Ball(1.0)], 1.0
    for j in range(1, most + 1):
        most_it_is /= k - j
        powers.append(Ball(0.5 * most_it_is, 0.51 * most_it_is))
    for step in range(steps):
        for j in range(most, 0, -1):
            powers[j] = (powers[j - 1] - x * powers[j]) / (k + step)
    return powers[1:]


def _fraction(k: float, x: Ball) -> Ball:
    """1/(x + k/(1 + 1/(x + (k+1)/(1 + 2/(x + ...))))) (DLMF 8.19.17): positive terms, so convergents enclose it."""
    from normcal.numerics.balls import Ball

    terms = min(60 + int(400.0 / max(float(x.mid), 1.0)), _MOST_TERMS)
    at = float(x.mid)
    tail, other = x, at + (k + terms)  # the last denominator without its tail, and with the most it can be
    for n in range(terms, 0, -1):
        tail, other = x + (k + n - 1.0) / (1.0 + float(n) / tail), at + (k + n - 1.0) / (1.0 + n / other)
    found = 1.0 / tail
    return Ball(found.mid, 2.0 * found.rad + abs(found.mid - 1.0 / other))  # the other is rounded no more than this


def _first(x: Ball) -> Ball:
    """E_1(x) by its series, 0 < x < 1 (DLMF 6.6.2)."""
    from normcal.numerics.balls import Ball, U

    logarithm = math.log(float(x.mid))
    total = Ball(-_EULER, U) - Ball(logarithm, 4.0 * U * abs(logarithm) + 2.0 * float(x.rad / x.mid))
    power = Ball(1.0)
    for n in range(1, 30):
        power = power * x * (-1.0 / n)
        total = total - power / float(n)
    return total
