r"""Moments of power means and of log-sum-exp over n independent normal numbers.

Both are functions of a sum of positive variables. With R = S/E S, G(t) = E e^{-tR} and 0 < a < 2

    E R^a - 1 = 1/Gamma(-a) int t^{-a-1} (G(t) - e^{-t}) dt,
    E log R   = -int (G(t) - e^{-t})/t dt,   E (log R)^2 = 2 int (log t + gamma) (G(t) - e^{-t})/t dt,

and G - e^{-t} is computed as a product of small numbers, so that nothing cancels as n grows.
"""

from __future__ import annotations

import math

import numpy as np

from normcal.errors import Unsupported
from normcal.numerics.balls import BALLS, Ball, U, ball
from normcal.numerics.laplace import (
    LEAST,
    MOST,
    STEEP,
    Sampled,
    SteepLogNormal,
    block_sums,
    in_blocks,
    log_normal,
    power,
)

EULER = Ball(0.5772156649015329, 1e-16)  # Euler's constant
BASEL = Ball(math.pi**2 / 6.0, 4e-16)  # pi^2/6, the variance of the logarithm of an exponential variable
#: t below which a power series of one term is all there is.
LINEAR = 1e-30
#: Gauss-Legendre nodes of a panel, in the value and in what it is compared with.
NODES = (20, 15)
#: Powers up to which the integrals take no more than seconds.
LARGEST = 40.0
#: Means of more stds than this make any power linear to all digits.
LINEAR_MEAN = 1e60
#: Means of more stds than this put the kink at 0 out of reach.
FAR = 14.0


def log_mean_exp(n: int, scale: float | Ball, q) -> tuple[Ball, Ball, Ball]:
    r"""Return mean and std of :math:`\log \frac1n \sum_i e^{s z_i}`, and :math:`E p_1^2` of a softmax weight.

    The :math:`z_i` are n independent standard normal numbers, s is ``scale`` and p = softmax(s z);
    ``q`` integrates over the line. Relative accuracy at any s and n: small ones do not cancel.

    >>> from normcal.engines._integrate import PanelIntegrals
    >>> with np.errstate(all="ignore"):
    ...     mean, std, square = log_mean_exp(2, 1.0, PanelIntegrals())
    >>> round(float(mean.mid), 12), round(float(std.mid), 12), bool(std.rad < 1e-12)
    (0.20951472716, 0.753080273898, True)
    """
    s = ball(scale)
    if s.mid == 0.0 or n == 1:
        return Ball(0.0), s, 1.0 / (ball(float(n)) * n)
    if s.mid > MOST:
        mean, std, square = log_mean_exp(n, MOST, q)
        return mean * (s / MOST), std * (s / MOST), square
    # the law of large numbers holds for n above e^(s^2): only then is log S a small thing
    apart = s.mid > STEEP or (s.mid > 2.0 and math.log(n) < s.mid * s.mid)
    found = (_steep if apart else _gentle)(n, float(s.mid), q)
    return tuple(widened(x, n, s) for x in found)


def widened(x: Ball, n: int, s: Ball) -> Ball:
    """Return ``x`` with room for the error of s; d log x/d log s grows like s^2, and with log n at most."""
    if np.all(s.rad == 0.0):
        return x
    size = min(float(s.mid), 1e9)  # whose square is still a double
    share = (8.0 + 4.0 * min(size * size, 4.0 + 4.0 * math.log(n))) * s.rad / s.mid
    return Ball(x.mid, x.rad + np.abs(x.mid) * share)


def _gentle(n: int, s: float, q) -> tuple[Ball, Ball, Ball]:
    law = log_normal(max(s, LEAST))

    def integrands(u: Ball) -> list[Ball]:
        at = law.at(u)
        gap = difference(at, n, law.bent)
        weight = power(at.log, n - 1)
        return [gap, (at.log_t + math.log(n) + EULER) * gap, at.moment(2) * weight]

    first, second, square = (x * law.c for x in q.line(integrands))
    variance = 2.0 * second - first.square()
    mean = ball(s) * s * 0.5 - first if s == law.s else Ball(0.0, s)
    return mean, BALLS.sqrt(variance) * (s / law.s), square


def difference(at, n: int, bent: float) -> Ball:
    """Return G - e^{-nt}, where G = M_0(t)^n and E v = 1."""
    t = at.t
    total = t * float(n)
    bare = BALLS.exp(-total)
    delta = BALLS.log1p(t * t * at.curvature) * float(n)
    product = bare * BALLS.expm1(delta)
    apart = BALLS.exp(delta - total) - bare
    small = delta.mid < 1.0
    near = Ball(np.where(small, product.mid, apart.mid), np.where(small, product.rad, apart.rad))
    if np.all(t.mid <= bent):
        return near
    far = power(at.log, n) - bare
    inside = t.mid <= bent
    return Ball(np.where(inside, near.mid, far.mid), np.where(inside, near.rad, far.rad))


def _steep(n: int, s: float, q) -> tuple[Ball, Ball, Ball]:
    r"""log S is far from normal then; G is the law of :math:`X = \log E - \log S`, E exponential: P(X > log t) = G(t).

    Mean and variance of X/s come from those of a normal variable of about the same law.
    """
    law = SteepLogNormal(s)
    centre, width = _roughly(law, n)

    def integrands(u: Ball) -> list[Ball]:
        at = law.at(u)
        z = (u - centre) / width
        left = u.mid < centre
        here, there = BALLS.exp(at.log * float(n)), -BALLS.expm1(at.log * float(n))
        right, beyond = here - BALLS.Phi(-z), BALLS.Phi(z) - there
        gap = Ball(np.where(left, beyond.mid, right.mid), np.where(left, beyond.rad, right.rad))
        return [gap, (u - centre) * gap, at.moment(2) * power(at.log, n - 1)]

    first, second, square = q.line(integrands)
    variance = ball(width) * width + 2.0 * second - first.square()
    excess = variance - BASEL / s / s
    mean = -(first + centre) * s - EULER - Ball(math.log(n), 4.0 * U * math.log(n))
    return mean, BALLS.sqrt(excess) * s, square * s


def _roughly(law: SteepLogNormal, n: int) -> tuple[float, float]:
    """Return mean and std of X/s, to three digits."""
    u = np.linspace(-12.0, 12.0, 385)
    g, step = power(law.at(Ball(u)).log, n).mid, 24.0 / 384.0
    first = u[0] + step * (np.sum(g) - 0.5)
    second = u[0] ** 2 + 2.0 * step * (np.sum(u * g) - 0.5 * u[0])
    return round(float(first), 3), round(math.sqrt(max(second - first * first, 1e-4)), 3) + 1e-3


def power_mean(n: int, p: float, law, q) -> tuple[Ball, Ball]:
    r"""Return mean and std of :math:`(\sum_{i \le n} |x_i|^p)^{1/p}` for p > 1 and x_i from ``law``.

    >>> from normcal.engines._integrate import PanelIntegrals
    >>> from normcal.law import Normal
    >>> with np.errstate(all="ignore"):
    ...     mean, std = power_mean(2, 2.0, Normal(), PanelIntegrals())  # Rayleigh: sqrt(pi/2), sqrt(2 - pi/2)
    >>> round(float(mean.mid), 12), round(float(std.mid), 12)
    (1.253314137316, 0.655136377562)
    """
    a = 1.0 / ball(float(p))
    if law.std == 0.0:
        return BALLS.exp(a * _log_of(float(n))) * abs(law.mean), Ball(0.0)
    if abs(law.mean) / law.std > LINEAR_MEAN:
        share = BALLS.exp(a * _log_of(float(n)))
        return share * abs(law.mean), share * law.std / BALLS.sqrt(Ball(float(n)))
    if p > LARGEST:
        raise Unsupported(f"a power mean of power {p:g} has too narrow steps to be integrated; up to {LARGEST:g} it is")
    fine, coarse = (_Powers(p, n, law, count) for count in NODES)
    c = max(p, min(0.25 * p / (p - 1.0), 20.0))
    once, twice = _reciprocal_gamma(a), _reciprocal_gamma(a * 2.0)

    def integrands(u: Ball) -> list[Ball]:
        mine, its = (each.gap(c * u.mid, n, a) for each in (fine, coarse))
        gap = Ball(mine.mid, mine.rad + np.abs(mine.mid - its.mid))
        log_s = Ball(c * u.mid, U * np.abs(c * u.mid))
        # E (R^a - 1)^2 as one integrand: what is wrong with the gap does not add up
        return [gap * once, gap * (BALLS.exp(log_s * -a) * twice - once * 2.0)]

    first, around = (x * c for x in q.line(integrands))
    size = BALLS.exp(a * (_log_of(float(n)) + fine.log_mean(coarse))) * fine.unit
    return size * (first + 1.0), size * BALLS.sqrt(around - first.square())


def _log_of(x: float) -> Ball:
    return Ball(math.log(x), 4.0 * U * abs(math.log(x)))


def _reciprocal_gamma(x: Ball) -> Ball:
    """Return 1/Gamma(-x) = x (x - 1)/Gamma(2 - x) for 0 < x < 2."""
    rest = 2.0 - float(x.mid)
    size = math.gamma(rest)
    return x * (x - 1.0) / Ball(size, size * (16.0 * U + 2.0 * float(x.rad) * (1.0 + 1.0 / rest)))


class _Powers:
    """v = |x|^p/E|x|^p by Gauss-Legendre nodes on panels that shrink towards the kink at 0.

    ``unit`` is the length whose power |x|^p is relative to before it is normalised.
    """

    def __init__(self, p: float, n: int, law, count: int) -> None:
        centre = abs(law.mean) / law.std
        far = centre > FAR
        edges = _edges_far(p, centre) if far else _edges(p, n, centre)
        x, weights = np.polynomial.legendre.leggauss(count)
        half, middle = 0.5 * np.diff(edges), 0.5 * (edges[1:] + edges[:-1])
        place = (middle[:, None] + half[:, None] * x).ravel()  # z where the kink is out of reach, else |x|/std
        self.weights = (half[:, None] * weights).ravel()
        if far:
            self.weights *= _phi(place)
            log_y, self.unit = np.log1p(place / centre), Ball(abs(law.mean))
            blur = 4.0 * U * np.abs(log_y)
        else:
            start = max(centre, 1.0)
            self.weights *= _phi(place - centre) + _phi(place + centre)
            log_y, self.unit = np.log(place / start), Ball(start) * law.std
            blur = U * (2.0 * np.abs(log_y) + 2.0)
        self._normalise(p * log_y, p * blur)

    def _normalise(self, log, blur) -> None:
        """Take nodes (|x|/unit)^p, given by their logarithms with absolute errors, to mean 1."""
        w, g = self.weights, np.expm1(log)
        rough = (1.0 + g) * blur + 6.0 * U * np.abs(g)
        self.excess = math.fsum(w * g)
        self.off = math.fsum(w * rough) + 40.0 * U * math.fsum(w * np.abs(g))
        room = 1.0 + self.excess
        d = (g - self.excess) / room
        shift = math.log1p(self.excess)
        self.log_v = log - shift
        self.blur = blur + U * (8.0 + 4.0 * abs(shift)) + self.off / room
        error_of_d = (rough + (1.0 + np.abs(d)) * self.off) / room + 4.0 * U * np.abs(d)
        self.variance = math.fsum(w * d * d)
        self.bent = min(max(20.0, 1.75 / math.sqrt(self.variance)), 600.0)
        self.nodes = Sampled(w, np.exp(self.log_v), d, self.blur, error_of_d)

    def log_mean(self, coarse: _Powers) -> Ball:
        """Return log E (|x|/unit)^p."""
        mid = math.log1p(self.excess)
        off = self.off + abs(self.excess - coarse.excess)
        return Ball(mid, off / max(1.0 + self.excess - off, 1e-300) + 8.0 * U * abs(mid))

    def gap(self, log_s, n: int, order: Ball) -> Ball:
        """Return s^{-order} (G(s) - e^{-s}), G the transform of the mean of n."""
        found = Ball(np.zeros_like(log_s), np.zeros_like(log_s))
        tiny = log_s <= math.log(LINEAR)
        inside = ~tiny & (log_s <= math.log(self.bent * n))
        ways = ((tiny, self._linear, 2.0), (inside, self._near, 2.0), (~tiny & ~inside, self._far, 0.0))
        for rows, way, divided in ways:
            if np.any(rows):
                log = Ball(log_s[rows], 2.0 * U * np.abs(log_s[rows]))
                value = BALLS.exp((divided - order) * log) * way(log.mid, n)
                found.mid[rows], found.rad[rows] = value.mid, value.rad
        return found

    def _linear(self, log_s, n: int) -> Ball:
        """(G - e^{-s})/s^2 at s = 0: half a variance of the mean."""
        off = 2.0 * math.fsum(self.weights * np.abs(self.nodes.d[: len(self.weights)]) * self._error_of_d())
        return Ball(0.5 * self.variance / n, (0.5 * off + 20.0 * U * self.variance) / n)

    def _error_of_d(self):
        return self.nodes.error_of_d[: len(self.weights)]

    def _near(self, log_s, n: int) -> Ball:
        """(G - e^{-s})/s^2 without cancellation."""
        at = self.nodes.at(Ball(log_s - math.log(n)), (np.abs(log_s) + 2.0 * math.log(n) + 12.0) * U)
        s = at.t * float(n)
        return difference(at, n, math.inf) / s / s

    def _far(self, log_s, n: int) -> Ball:
        """G - e^{-s} directly; t v comes by its logarithm, so that no power overflows."""
        w = self.nodes.w  # padded, as are its errors
        log_v, blur = (np.pad(a, (0, len(w) - len(self.weights))) for a in (self.log_v, self.blur))
        tv = np.exp(np.minimum((log_s - math.log(n))[:, None] + log_v, 700.0))
        decay = np.exp(-tv)
        (whole,) = block_sums(decay, in_blocks(w[:, None]))
        blurred, tilted = block_sums(decay * tv, in_blocks(np.stack([w * blur, w], axis=1)))
        off = (np.abs(log_s) + 2.0 * math.log(n) + 12.0) * U
        rad = (self.nodes.summing + 24.0 * U) * whole + blurred + off * tilted
        alive = whole > 0.0
        room = np.where(alive, whole, 1.0)
        log = Ball(np.log(room), 1.01 * rad / room + 6.0 * U * np.abs(np.log(room)))
        g = power(log, n)
        s = np.exp(np.minimum(log_s, 700.0))
        return Ball(np.where(alive, g.mid, 0.0), np.where(alive, g.rad, 0.0)) - BALLS.exp(-Ball(s, s * off))


def _ratio(p: float) -> float:
    """Over a panel |x|^p changes by a factor of 10 at most."""
    return math.exp(min(math.log(2.0), 2.3 / p))


def _edges_far(p: float, centre: float):
    width = min(1.0, (_ratio(p) - 1.0) * (centre - FAR + 1.0))
    return np.linspace(1.0 - FAR, FAR + 2.0, math.ceil((2.0 * FAR + 1.0) / width) + 1)


def _edges(p: float, n: int, centre: float):
    """Panels from where even the largest s sees nothing of |x|^p out to where the density is over."""
    ratio, y = _ratio(p), centre + 13.0 + math.sqrt(2.0 * p)
    lowest, edges = math.exp(-43.0 / (n + 1.0) - 39.0 / p), [y]
    while y > lowest:
        y -= min(1.0, y * (1.0 - 1.0 / ratio))
        edges.append(y)
    return np.array([0.0, *edges[::-1]])


def _phi(z):
    return np.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
