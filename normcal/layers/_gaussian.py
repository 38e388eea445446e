r"""Partial moments of the standard normal law, accurate in both tails, in ball arithmetic.

With :math:`R_1(t) = \int_{-\infty}^t \Phi = E(Z+t)_+` and :math:`R_2(t) = 2\int_{-\infty}^t R_1 = E(Z+t)_+^2`.
In the left tail :math:`t\Phi + \varphi` is a difference of nearly equal numbers; there the ratios
of repeated integrals follow a continued fraction of positive terms (DLMF 7.18 iv).
"""

from __future__ import annotations

import functools
import math

from normcal.numerics.balls import BALLS, GROW, TINY, Ball, U, ball

_TAIL = -2.5
#: The relative error of one operation, and a little more.
_ROUNDED = 0.51 * U
_TWO_PI = Ball(6.283185307179586, 2.5e-16)
#: Left of this even the tail behind t is below the smallest double.
_NOTHING = -39.5


def excess(t: Ball) -> tuple[Ball, Ball]:
    r"""Return :math:`R_1(t)` and :math:`R_2(t)`.

    >>> first, second = excess(Ball(0.0))
    >>> round(float(first.mid), 12), round(float(second.mid), 12)
    (0.398942280401, 0.5)
    """
    t = ball(t)
    return _excess(float(t.mid), float(t.rad))


@functools.lru_cache(maxsize=256)  # a clipped function asks for its ends several times, in both directions
def _excess(mid: float, rad: float) -> tuple[Ball, Ball]:
    t, centre = Ball(mid, rad), Ball(mid)
    if t.mid + t.rad < _NOTHING:
        return Ball(0.0, TINY), Ball(0.0, TINY)
    if t.mid < _TAIL:
        below = BALLS.Phi(centre)
        once, twice = _ratios(-t.mid, 2)
        first = below * once
        second = first * twice * 2.0
    else:
        density, below = BALLS.phi(centre), BALLS.Phi(centre)
        first = density + centre * below
        second = (1.0 + centre * centre) * below + centre * density
    # R1' = Phi and R2' = 2 R1, both increasing, so the upper end of t bounds the slopes
    steepest = math.exp(min(abs(float(t.mid)) * float(t.rad) * 2.0 + float(t.rad), 700.0))
    below_top = float(BALLS.Phi(Ball(t.mid + t.rad)).upper)
    return (
        Ball(first.mid, first.rad + t.rad * below_top),
        Ball(second.mid, second.rad + 2.0 * t.rad * float(first.upper) * steepest),
    )


def powers(t: Ball, most: int) -> list[Ball]:
    r"""Return :math:`E(Z+t)_+^k` for k = 0 .. ``most``.

    Right of 0 the recurrence :math:`R_k = t R_{k-1} + (k-1) R_{k-2}` has positive terms. Left of it the ratios
    of repeated integrals, :math:`R_k = k!\, I_k(-t)`, come from one backward run of their continued fraction.

    >>> [round(float(each.mid), 9) for each in powers(Ball(0.0), 3)]
    [0.5, 0.39894228, 0.5, 0.797884561]
    """
    t = ball(t)
    centre = Ball(t.mid)
    found = [BALLS.Phi(t)]
    if t.mid < -0.5:
        within = [BALLS.Phi(centre)]
        for k, ratio in enumerate(_ratios(-t.mid, most), start=1):
            within.append(within[-1] * ratio * float(k))
    else:
        within = [BALLS.Phi(centre), BALLS.phi(centre) + centre * BALLS.Phi(centre)]
        for k in range(2, most + 1):
            within.append(centre * within[k - 1] + (k - 1.0) * within[k - 2])
    for k in range(1, most + 1):
        # R_k' = k R_{k-1}, and log R_{k-1} is no steeper than |t| + k
        steepest = math.exp(min(float(t.rad) * (abs(float(t.mid)) + float(t.rad) + k), 700.0))
        below = float(within[k - 1].upper) * steepest
        found.append(Ball(within[k].mid, within[k].rad + k * t.rad * below))
    return found


def _ratios(s: float, most: int) -> list[Ball]:
    r"""Return :math:`I_k(s)/I_{k-1}(s)` for k = 1 .. ``most`` of the repeated integrals of the upper tail at s > 0.

    :math:`I_0(s) = \Phi(-s)`, :math:`I_k(s) = \int_s^\infty I_{k-1}`, and the ratio is the
    continued fraction :math:`1/(s + (k+1)/(s + (k+2)/(s + \cdots)))`.
    """
    s = float(s)
    last = most + int((22.0 / s + math.sqrt(most)) ** 2) + 10
    # all terms are positive, so that consecutive convergents enclose the limit; ``gap`` is what lies between them
    inner, after, gap, off = s + last / s, s, last / s, U
    for k in range(last - 1, most, -1):
        gap *= k / (inner * after)
        part, after = k / inner, s + k / after
        inner = s + part
        off = part * (off + _ROUNDED) / inner + _ROUNDED  # relative; what came in is damped
    tail = Ball(inner, (off * inner + 1.01 * gap) * GROW)
    found = []
    for k in range(most, 0, -1):
        ratio = 1.0 / tail
        found.append(ratio)
        tail = s + k * ratio
    return found[::-1]


@functools.cache
def unit_rule() -> tuple[Ball, Ball]:
    """Return nodes and weights of the Gauss-Legendre rule on [0, 1].

    >>> nodes, weights = unit_rule()
    >>> bool(abs((nodes * weights).sum().mid - 0.5) < 1e-15)
    True
    """
    from normcal.numerics.panels import rule

    return Ball(0.5 * (rule().nodes + 1.0), U), Ball(0.5 * rule().weights, 2.0 * U * rule().weights)


def average(f, start: Ball, width: Ball) -> Ball:
    r"""Return the mean of ``f`` over (start, start + width) by one panel, for an f that it resolves.

    >>> round(float(average(BALLS.Phi, Ball(-0.5), Ball(1.0)).mid), 12)
    0.5
    """
    nodes, weights = unit_rule()
    return (f(start + width * nodes) * weights).sum()


def owens_t(h: Ball, a: Ball) -> Ball:
    r"""Return Owen's :math:`T(h, a) = \frac{1}{2\pi}\int_0^a \frac{e^{-h^2(1+x^2)/2}}{1+x^2}dx` for 0 <= a <= 1.

    >>> at_zero = owens_t(Ball(0.0), Ball(1.0))  # arctan(a) / (2 pi)
    >>> bool(abs(at_zero.mid - 0.125) <= at_zero.rad < 2e-15)
    True
    """
    return owens_step(h, Ball(0.0), ball(a))


def owens_step(h: Ball, start: Ball, width: Ball) -> Ball:
    r"""Return :math:`T(h, a + w) - T(h, a)` for 0 <= a <= a + w <= 1, relatively accurate however small w is.

    The integrand is analytic within distance 1 of [0, 1] and varies on the scale 1/h, so
    Gauss-Legendre panels no longer than either leave a relative error far below rounding; at h = 0 the
    integral is a difference of arc tangents, which is one of them
    (Owen 1956, Tables for computing bivariate normal probabilities, doi:10.1214/aoms/1177728074).

    >>> found = owens_step(Ball(0.0), Ball(0.0), Ball(1e-9))
    >>> bool(abs(found.mid * 6.283185307179586 / 1e-9 - 1.0) < 1e-14)
    True
    """
    h, start, width = ball(h), ball(start), ball(width)
    if h.mid == 0.0 == h.rad:
        return BALLS.arctan(width / (start * (start + width) + 1.0)) / _TWO_PI
    import numpy as np

    from normcal.numerics.panels import rule

    reach = min(1.0, 40.0 / max(float(abs(h.mid) * width.mid), 1e-300))
    count = 2 + int(abs(float(h.mid)) * float(width.mid) * reach)
    left = np.arange(count)[:, None] * (reach / count)
    s = Ball(left + (rule().nodes + 1.0) * (0.5 * reach / count), U)
    x2 = (start + width * s).square()
    values = BALLS.exp((h * h * -0.5) * (x2 + 1.0)) / (x2 + 1.0)
    total = (values * Ball(rule().weights, 4.0 * U * rule().weights)).sum()
    value = total * (0.5 * reach / count) * width / (2.0 * math.pi)
    return Ball(value.mid, value.rad + 8.0 * U * abs(value.mid))  # what the panels leave unresolved, and more
