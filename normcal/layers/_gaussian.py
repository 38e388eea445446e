r"""Partial moments of the standard normal law, accurate in both tails, in ball arithmetic.

With :math:`R_1(t) = \int_{-\infty}^t \Phi = E(Z+t)_+` and :math:`R_2(t) = 2\int_{-\infty}^t R_1 = E(Z+t)_+^2`.
In the left tail :math:`t\Phi + \varphi` is a difference of nearly equal numbers; there the ratios
of repeated integrals follow a continued fraction of positive terms (DLMF 7.18 iv).
"""

from __future__ import annotations

import math

from normcal.numerics.balls import BALLS, Ball, U, ball

_TAIL = -2.5
_TERMS = 90


def excess(t: Ball) -> tuple[Ball, Ball]:
    r"""Return :math:`R_1(t)` and :math:`R_2(t)`.

    >>> first, second = excess(Ball(0.0))
    >>> round(float(first.mid), 12), round(float(second.mid), 12)
    (0.398942280401, 0.5)
    """
    t = ball(t)
    centre = Ball(t.mid)
    if t.mid < _TAIL:
        below = BALLS.Phi(centre)
        first = below * _ratio(-centre, 1)
        second = first * _ratio(-centre, 2) * 2.0
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


def _ratio(s: Ball, n: int) -> Ball:
    r"""Return :math:`I_n(s) / I_{n-1}(s)` of the repeated integrals of the upper tail at s > 0.

    :math:`I_0(s) = \Phi(-s)`, :math:`I_n(s) = \int_s^\infty I_{n-1}`, and the ratio is the
    continued fraction :math:`1/(s + (n+1)/(s + (n+2)/(s + \cdots)))`.
    """
    # all terms are positive, so that consecutive convergents enclose the limit
    inner, after = s, float(s.mid) + (n + _TERMS + 1) / float(s.mid)
    for k in range(n + _TERMS, n, -1):
        inner, after = s + k / inner, float(s.mid) + k / after
    found = 1.0 / inner
    return Ball(found.mid, found.rad + abs(found.mid - 1.0 / after))


def owens_t(h: Ball, a: Ball) -> Ball:
    r"""Return Owen's :math:`T(h, a) = \frac{1}{2\pi}\int_0^a \frac{e^{-h^2(1+x^2)/2}}{1+x^2}dx` for 0 <= a <= 1.

    The integrand is analytic within distance 1 of [0, 1] and varies on the scale 1/h, so
    Gauss-Legendre panels no longer than either leave a relative error far below rounding
    (Owen 1956, Tables for computing bivariate normal probabilities, doi:10.1214/aoms/1177728074).

    >>> at_zero = owens_t(Ball(0.0), Ball(1.0))  # arctan(a) / (2 pi)
    >>> bool(abs(at_zero.mid - 0.125) <= at_zero.rad < 2e-15)
    True
    """
    import numpy as np

    from normcal.numerics.panels import rule

    h, a = ball(h), ball(a)
    reach = min(1.0, 40.0 / max(float(abs(h.mid) * a.mid), 1e-300))
    count = 2 + int(abs(float(h.mid)) * float(a.mid) * reach)
    left = np.arange(count)[:, None] * (reach / count)
    s = Ball(left + (rule().nodes + 1.0) * (0.5 * reach / count), U)
    x2 = (a * s).square()
    values = BALLS.exp((h * h * -0.5) * (x2 + 1.0)) / (x2 + 1.0)
    total = (values * Ball(rule().weights, 4.0 * U * rule().weights)).sum()
    value = total * (0.5 * reach / count) * a / (2.0 * math.pi)
    return Ball(value.mid, value.rad + 8.0 * U * abs(value.mid))  # what the panels leave unresolved, and more
