r"""p-norms of n independent normal numbers: where they are elementary, the largest size, and the gradient.

:math:`\partial\lVert x\rVert_p/\partial x_i = \mathrm{sign}(x_i)(|x_i|/\lVert x\rVert_p)^{p-1}`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from normcal.numerics.balls import BALLS, GROW, Ball, U, ball
from normcal.numerics.laplace import in_rows, log_of

#: Gauss-Legendre nodes on a panel: the fine rule, and the coarse one that it is compared with.
NODES = (20, 15)
#: Panels go down to this size of x, in stds, and 13 stds beyond the mean and more.
NEAREST, REACH = 1e-12, 13.0
#: log(tv) is kept below this, and what (tv)^k e^(-tv) is then at most: less is no number that matters.
FARTHEST, NOTHING = 6.3, 1e-228


def root(x: float, p: float) -> Ball:
    """Return x^(1/p) for x > 0, as a ball.

    >>> float(root(9.0, 2.0).mid)
    3.0
    """
    if x == 1.0 or p == math.inf:
        return Ball(1.0)
    mid = x ** (1.0 / p)
    return Ball(mid, mid * U * (4.0 + abs(math.log(x)) / p))


def folded(law, m) -> tuple[Ball, Ball]:
    r"""Return mean and std of \|x\|: std (t + 2R), std sqrt(1 - 4R(t + R)), t = \|mean\|/std, R = phi(t) - t Phi(-t).

    >>> from normcal.law import Normal
    >>> mean, std = folded(Normal(), BALLS)
    >>> bool(abs(mean.mid - math.sqrt(2.0 / math.pi)) < 1e-15)
    True
    """
    from normcal.layers._gaussian import excess

    if law.std == 0.0:
        return Ball(abs(law.mean)), Ball(0.0)
    t = ball(abs(law.mean)) / law.std
    rest = excess(-t)[0]
    return rest * 2.0 * law.std + abs(law.mean), m.sqrt(1.0 - 4.0 * rest * (t + rest)) * law.std


def largest_size(n: int, law) -> Callable | None:
    r"""Return the density of max \|x_i\| over n entries relative to the law of one x; None where that is 1.

    With :math:`F(r) = P(|x| \le r)` it is :math:`n F(|x|)^{n-1}`, a function of (z, m) as the ``weight``
    of a Component asks for.
    """
    if n == 1:
        return None
    twice = ball(law.mean) * 2.0 / law.std if law.std else Ball(0.0)

    def weight(z, m):
        far = z + (twice if m is BALLS else float(twice.mid))
        right = z + far > 0.0  # of x = 0
        outside = m.where(right, m.Phi(-z) + m.Phi(-far), m.Phi(z) + m.Phi(far))
        inside = m.maximum(1.0 - outside, 0.0)
        log = m.log1p(-m.minimum(outside, 0.75))
        # near 0 all of F is rounding, and F^(n-1) is next to nothing unless n is small
        return float(n) * m.where(outside < 0.75, m.exp(log * float(n - 1)), inside ** (n - 1))

    return weight


def gradient(n: int, p: float, law, q) -> Ball:
    r"""Return the sum over n entries of :math:`E\,(\partial\lVert x\rVert_p/\partial x_i)^2`, for p > 1.

    With :math:`b = 2 - 2/p` and :math:`v = |x|^p` it is :math:`n E[v_1^b / S^b] = n E[v_1^b S / S^{b+1}]`.
    With :math:`M_k(t) = E[(tv)^k e^{-tv}]` that is, and falls off like :math:`t^{b+1}` even for b near 0,

    .. math:: \frac{n}{\Gamma(b+1)} \int_0^\infty (M_{b+1} M_0 + (n-1) M_b M_1)\,M_0^{n-2}\,\frac{dt}{t}.

    Parameters
    ----------
    n: how many entries.
    p: the power, more than 1 and finite.
    law: the law of an entry.
    q: integrates over the line.

    Returns
    -------
    A ball; nothing cancels, and relative errors are near 1e-13.

    Examples
    --------
    >>> from normcal.engines._integrate import PanelIntegrals
    >>> from normcal.law import Normal
    >>> one = gradient(9, 2.0, Normal(), PanelIntegrals())
    >>> bool(abs(one.mid - 1.0) <= one.rad < 1e-12)
    True
    """
    b = 2.0 - 2.0 / ball(p)
    if n == 1 or law.std == 0.0:
        return Ball(float(n)) * root(float(n), p / (2.0 - 2.0 * p))
    fine, coarse = (_Nodes(p, law, count) for count in NODES)

    def integrands(u: Ball) -> list[Ball]:
        log_t = u.mid * p
        mine, its = fine.product(log_t, n, b), coarse.product(log_t, n, b)
        return [Ball(mine.mid, mine.rad + np.abs(mine.mid - its.mid))]

    (total,) = q.line(integrands)
    power = math.gamma(1.0 + float(b.mid))
    return total * float(n) * p / Ball(power, power * 16.0 * U)


class _Nodes:
    r"""Nodes and weights of E over v = (\|x\|/unit)^p: panels over which v grows by a factor e^2 at most."""

    def __init__(self, p: float, law, count: int) -> None:
        centre = abs(law.mean) / law.std
        reach = REACH + math.sqrt(2.0 * p)
        far = centre > 2.0 * reach  # x then has one sign, and z keeps the digits
        edges = _edges(p, centre, reach, far=far)
        x, weights = np.polynomial.legendre.leggauss(count)
        half, middle = 0.5 * np.diff(edges), 0.5 * (edges[1:] + edges[:-1])
        place = (middle[:, None] + half[:, None] * x).ravel()  # z if far, else |x|/std
        near = place if far else place - centre
        density = np.exp(-0.5 * near * near)
        if not far:
            density = density + np.exp(-0.5 * (place + centre) ** 2)
        log = np.log1p(place / centre) if far else np.log(place / max(centre, 1.0))
        self.log_v = p * log
        self.w = (half[:, None] * weights).ravel() * density / math.sqrt(2.0 * math.pi)
        # a node is rounded in its last place: relative errors of the density and of v
        self.error = U * (16.0 + np.abs(near) * (2.0 * np.abs(place) + np.abs(near)))
        self.blur = U * (p * (4.0 * np.abs(log) if far else 4.0 + np.abs(log)) + 4.0)

    def product(self, log_t, n: int, b: Ball) -> Ball:
        """Return (M_(b+1) M_0 + (n - 1) M_b M_1) M_0^(n-2) at an array of log t, a few at a time."""

        def work(few, _):
            found = self._product(few, n, b)
            return found.mid, found.rad

        return Ball(*in_rows(log_t, len(self.w), work))

    def _product(self, log_t, n: int, b: Ball) -> Ball:
        log_tv = np.minimum(log_t[:, None] + self.log_v, FARTHEST)
        tv = np.exp(log_tv)
        off = self.blur + U * (np.abs(log_tv) + np.abs(log_t)[:, None])  # relative, of tv
        whole = self._sum(np.exp(-tv), self.error + tv * off)
        missing = self._sum(-np.expm1(-tv), self.error + off)
        log = log_of(missing, whole)

        def moment(k: Ball) -> Ball:
            power = float(k.mid)
            blurred = np.abs(power - tv) * off + U * (power * np.abs(log_tv) + tv) + k.rad * np.abs(log_tv)
            return self._sum(np.exp(power * log_tv - tv), self.error + blurred)

        both = moment(b + 1.0) * whole + moment(b) * moment(Ball(1.0)) * float(n - 1)
        return both * BALLS.exp(log * float(n - 2))

    def _sum(self, values, relative) -> Ball:
        """Return the expectation of values that are off by so much each; NumPy sums pairwise."""
        terms = values * self.w
        total = terms.sum(axis=1)
        rad = np.matmul(values * relative, self.w) + total * U * (16.0 + math.log2(len(self.w)))
        return Ball(total, rad * GROW + NOTHING)


def _edges(p: float, centre: float, reach: float, *, far: bool):
    """Return the edges of panels of width 1 at most: in z from -reach to reach if far, else in |x|/std from 0."""
    ratio = math.exp(min(0.7, 2.0 / p))
    if far:
        width = min(1.0, (ratio - 1.0) * (centre - reach))
        return np.linspace(-reach, reach, math.ceil(2.0 * reach / width) + 1)
    edges = [centre + reach]
    while edges[-1] > NEAREST:
        edges.append(edges[-1] - min(1.0, edges[-1] * (1.0 - 1.0 / ratio)))
    return np.array([*edges, 0.0])[::-1]
