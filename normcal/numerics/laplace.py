r"""Laplace transforms of positive random variables on arrays of points, in ball arithmetic.

Sums of n independent copies of v enter an expectation through :math:`M_k(t) = E[v^k e^{-tv}]` alone:
:math:`E[g/S^k] = \Gamma(k)^{-1}\int t^{k-1} E[g\,e^{-tS}]\,dt`, and :math:`E e^{-tS} = M_0(t)^n`.
The classes here give :math:`t^k M_k(t)`, :math:`\log M_0(t)` and two quantities that would cancel,
at :math:`t = e^{cu}` for an array of exact u: the variable of an integral over the whole line.

The expectation over v is the trapezoidal rule again: its integrand is analytic in a strip of half
width y, so that the error is below :math:`2 e^{-2\pi y/h}` times the integral of its modulus along
the edges of the strip (Trefethen & Weideman 2014, doi:10.1137/130932132). There
:math:`|e^{-tv}| = e^{-t|v|\cos\theta}`, which is the same integral at :math:`t\cos\theta`: steps
are chosen such that what remains is beyond rounding.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from normcal.numerics.balls import BALLS, GROW, Ball, U

#: log t is kept within this: what an integrand does beyond is below any double that matters.
FARTHEST = 160.0
#: s up to which v = e^(sz - s^2/2) is summed over z; the steeper ones over log(t v).
STEEP = 4.0
#: s below and above which everything is a power of s to all digits.
LEAST, MOST = 1e-70, 1e80
#: |z| beyond which lies less than 4e-33.
REACH = 12.0
#: v = e^(s(z + iy)): s y at the edge of the strip, and y where s does not matter.
ANGLE, HEIGHT = 1.3, 6.0
#: exponents of what the trapezoidal rules leave, and bounds on it with all factors around.
RESOLVED = 71.0
LEFT_OUT = 1e-26
FAR_OUT = 1e-31
LEFT_OUT_STEEP = 1e-25
#: |u| below which h(u)/u^2 is its series.
SERIES = 0.3
#: Relative rounding of h(u)/u^2, and of the weights together with a sum over blocks of nodes.
ROUNDING_OF_H = 64.0 * U
BLOCK = 32
#: Exponents below this are set to it, and what that makes of an exponential at most: products with numbers
#: that are not normal doubles would take most of the time.
LOWEST, NOTHING = -550.0, 1e-238
#: Exponentials that are made at once, so that they stay in a core's cache.
AT_ONCE = 16384
#: Points that a law keeps its transforms at: the first scan of every integral asks for the same ones.
KEPT = 16


class Sampled:
    r"""A law of v >= 0 given by nodes: :math:`E f(v) = \sum_j w_j f(v_j)` up to ``left_out``.

    ``v`` has relative errors ``error``, and ``d`` = v - 1, with mean 0, has absolute errors
    ``error_of_d`` (that keep d's digits where v is close to 1). Points are u with t = e^{cu}.
    """

    def __init__(self, weights, v, d, error, error_of_d, c: float = 1.0) -> None:
        pad = -len(weights) % BLOCK
        self.w, self.d, self.error_of_d = (np.pad(a, (0, pad)) for a in (weights, d, error_of_d))
        self.v, self.error = np.pad(v, (0, pad), constant_values=1.0), np.pad(error, (0, pad))
        self.c = c
        self.summing = (BLOCK + len(self.w) / BLOCK + 24.0) * U

    def at(self, u: Ball, off=None) -> SampledAt:
        """Return the transforms at t = e^(c u), or where t is off by ``off`` relatively; they are kept for a while."""
        if off is not None:
            return SampledAt(self, u, off)
        return kept(self._known, u, lambda: SampledAt(self, u))

    @functools.cached_property
    def _known(self) -> dict:
        return {}

    def left_out(self, t, k: int):
        """Return a bound on what the rule leaves out of t^k M_k(t)."""
        return 0.0

    def left_out_of_spread(self, t):
        """Return a bound on what the rule leaves out of t^2 (M_2 M_0 - M_1^2)."""
        return 0.0

    @functools.cached_property
    def _columns(self):
        """Weights of M_0 ... M_3, of the errors of v in M_1, M_2, M_3, and of d and its size."""
        powers = [self.w * self.v**k for k in range(4)]
        errors = [p * self.error for p in powers[1:]]
        return in_blocks(np.stack([*powers, *errors, self.w * self.d, self.w * np.abs(self.d)], axis=1))

    @functools.cached_property
    def _weights(self):
        return in_blocks(self.w[:, None])

    @functools.cached_property
    def _totals(self) -> list[float]:
        """The sums of w v^k for k <= 2, and of w d^2."""
        powers = [self.v**0, self.v, self.v**2, self.d**2]
        return [float(np.sum(self.w * each)) for each in powers]

    @functools.cached_property
    def _columns_around(self):
        tilted = self.w * self.v
        return in_blocks(np.stack([self.w, tilted, tilted * self.error], axis=1))

    @functools.cached_property
    def _errors_of_d(self):
        return in_blocks((self.w * self.error_of_d)[:, None])

    @functools.cached_property
    def _columns_of_h(self):
        return in_blocks(np.stack([self.w * self.d**2, self.w * np.abs(self.d) * self.error_of_d], axis=1))


class SampledAt:
    """What a ``Sampled`` law says at an array of points."""

    def __init__(self, law: Sampled, u: Ball, off=None) -> None:
        self.law = law
        self.exponent = np.clip(law.c * np.asarray(u.mid, dtype=float), -FARTHEST, FARTHEST)
        self.value = np.exp(self.exponent)
        self.off = (np.abs(self.exponent) + 8.0) * U if off is None else off  # relative error of t

    @property
    def t(self) -> Ball:
        return Ball(self.value, self.value * self.off)

    @property
    def log_t(self) -> Ball:
        return Ball(self.exponent, np.abs(self.exponent) * U)

    def _in_rows(self, work) -> list:
        """Return what ``work`` makes of the exponents -tv and the rows that they are for, a few rows at a time."""
        return in_rows(self.value, len(self.law.w), lambda t, rows: work(_exponents(t, self.law.v), rows))

    @functools.cached_property
    def _sums(self) -> list:
        return self._in_rows(lambda exponents, _: block_sums(np.exp(exponents), self.law._columns))

    @functools.cached_property
    def _moments(self) -> list[Ball]:
        t, law, sums = self.value, self.law, self._sums
        scaled = [t**k * sums[k] for k in range(4)]
        errors = [0.0, *(t**k * sums[3 + k] for k in range(1, 4))]
        found = []
        for k in range(3):
            # rounding of e^(-tv) is tv times that of tv: one power more of v
            rad = (law.summing + k * (self.off + 4.0 * U)) * scaled[k] + k * errors[k]
            rad = rad + errors[k + 1] + (self.off + 2.0 * U) * scaled[k + 1] + t**k * (NOTHING * law._totals[k])
            found.append(Ball(scaled[k], rad * GROW + law.left_out(t, k)))
        return found

    def moment(self, k: int) -> Ball:
        """Return t^k M_k(t), k <= 2."""
        return self._moments[k]

    @functools.cached_property
    def log(self) -> Ball:
        """log M_0(t): relative accuracy both near t = 0 and where M_0 is small."""
        t, law = self.value, self.law
        (missing,) = self._in_rows(lambda exponents, _: block_sums(-np.expm1(exponents), law._weights))
        first = self._moments[1].upper  # the rounding of v and t moves 1 - e^(-tv) by tv e^(-tv) times as much
        rad = law.summing * missing + (self.off + 2.0 * U) * first + t * self._sums[4] + law.left_out(t, 1)
        return log_of(Ball(missing, rad * GROW), self._moments[0])

    @functools.cached_property
    def spread(self) -> Ball:
        r"""t^2 (M_2 M_0 - M_1^2), as t^2 M_0 E[(v - c)^2 e^{-tv}] with c = M_1/M_0 where it would cancel."""
        t, law = self.value, self.law
        whole, first, size = self._sums[0], self._sums[7], self._sums[8]
        room = np.where(whole > 0.0, whole, 1.0)
        centre = first / room

        def around(exponents, rows):
            decay = np.exp(exponents)
            off = law.d - centre[rows, None]
            sized = off * decay
            return [*block_sums(off * sized, law._columns_around), *block_sums(np.abs(sized), law._errors_of_d)]

        total, moved, blurred, rough = self._in_rows(around)
        rad = (law.summing + 8.0 * U) * total + t * ((self.off + 2.0 * U) * moved + blurred) + 2.0 * rough
        rad += whole * (law.summing * size / room) ** 2  # c is off, which enters squared
        rad += NOTHING * 2.0 * (law._totals[3] + centre * centre * law._totals[0])
        square = t * t
        found = Ball(square * total, (square * rad + 2.0 * self.off * square * total) * GROW) * self._moments[0]
        found = Ball(found.mid, found.rad + law.left_out_of_spread(t))
        plain = self._moments[2] * self._moments[0] - self._moments[1].square()
        return _chosen(found.rad <= plain.rad, found, plain)  # v - 1 has no digits of a v far below 1

    @functools.cached_property
    def curvature(self) -> Ball:
        r"""E h(t(v - 1))/t^2 with h(u) = e^{-u} - 1 + u, so that M_0 = e^{-t} (1 + t^2 curvature), for E v = 1."""
        t, law = self.value, self.law

        def bent(t, _):
            return block_sums(_h_over_square(np.multiply.outer(t, law.d)), law._columns_of_h)

        total, rough = in_rows(t, len(law.w), bent)
        # |u h'(u)| <= (2 + max(-u, 0)) h(u), and -u <= t
        rad = (ROUNDING_OF_H + law.summing) * total + (2.0 + t) * (rough + (self.off + 2.0 * U) * total)
        return Ball(total, rad * GROW)


class LogNormal(Sampled):
    r"""v = e^{sz - s^2/2} for moderate s, by nodes in z; t = e^{cu} with c = max(s, 1)."""

    def __init__(self, s: float) -> None:
        height = min(ANGLE / s, HEIGHT)
        step = 2.0 * math.pi * height / (RESOLVED + 0.5 * height * height)
        step = math.floor(step * 1024.0) / 1024.0  # so that nodes and their squares are exact
        z = np.arange(-math.ceil(REACH / step), math.ceil((REACH + s) / step) + 1.0) * step
        exponent = s * z - 0.5 * s * s
        blur = (np.abs(s * z) + s * s) * U
        v, d = np.exp(exponent), np.expm1(exponent)
        weights = np.exp(-0.5 * z * z) * (step / math.sqrt(2.0 * math.pi))
        super().__init__(weights, v, d, blur + 6.0 * U, v * blur + 6.0 * U * np.abs(d), max(s, 1.0))
        self.s = s
        #: t up to which ``curvature`` is good: e^(-u) is at most e^25 outside the nodes, and little in the strip.
        self.bent = min(max(20.0, 1.75 / s), 700.0)

    def left_out(self, t, k: int):
        power = np.minimum(1.0, t**k * math.exp(min(0.5 * self.s**2 * k * (k - 1), 600.0)))
        return LEFT_OUT * power + FAR_OUT * np.minimum(1.0, t**k)

    def left_out_of_spread(self, t):
        size = np.minimum(1.0, t * t * (self.s * self.s * math.exp(self.s * self.s)))
        return 1e3 * LEFT_OUT * size + FAR_OUT * np.minimum(1.0, t * t * self.s * self.s)


class SteepLogNormal:
    r"""v = e^{sz} for large s, t = e^{su}, by nodes in x = log(t v), whose law is wide: no s is too large.

    :math:`t^k M_k = \int e^{kx - e^x} \varphi(x/s - u)\,dx/s`, and :math:`M_0 = \int e^{x - e^x}\Phi(x/s - u)\,dx`.
    """

    STEP = 37.0 / 256.0
    LOWEST, HIGHEST = -60.0, 4.5

    def __init__(self, s: float) -> None:
        self.s = self.c = s
        count = math.ceil((self.HIGHEST - self.LOWEST) / self.STEP)
        count += -count % BLOCK
        self.x = self.HIGHEST - self.STEP * np.arange(count)
        e = np.exp(self.x)
        first = np.exp(self.x - e) * self.STEP
        self.columns = in_blocks(np.stack([first / s, first * e / s], axis=1))
        self.first = in_blocks(first[:, None])
        #: x - e^x is off by its rounding; e^x < 90.1 counts only where e^(-e^x) does
        self.summing = (BLOCK + count / BLOCK + 60.0) * U

        self._known: dict = {}

    def at(self, u: Ball) -> SteepAt:
        """Return the transforms at t = e^(s u)."""
        return kept(self._known, u, lambda: SteepAt(self, np.asarray(u.mid, dtype=float)))


class SteepAt:
    """What a ``SteepLogNormal`` says at an array of points."""

    def __init__(self, law: SteepLogNormal, u) -> None:
        self.law, self.u = law, u

    def _in_rows(self, work) -> list:
        """Return what ``work(z, rounding, rows)`` says, a few rows at a time; rounding is relative, of the law at z."""
        law = self.law
        far = np.abs(law.x) / law.s

        def at(u, rows):
            z = law.x / law.s - u[:, None]
            size = np.abs(z)
            return work(z, U * (16.0 + size * (2.0 * size + np.abs(u)[:, None] + far)), rows)

        return in_rows(self.u, len(law.x), at)

    @functools.cached_property
    def _moments(self) -> list[Ball]:
        law = self.law

        def sums(z, rounding, _):
            density = np.exp(np.maximum(-0.5 * z * z, LOWEST)) / math.sqrt(2.0 * math.pi)
            return [*block_sums(density, law.columns), *block_sums(density * rounding, law.columns)]

        found = self._in_rows(sums)
        left_out = LEFT_OUT_STEEP / law.s
        return [Ball(a, (b + law.summing * a) * GROW + left_out) for a, b in zip(found[:2], found[2:], strict=True)]

    @functools.cached_property
    def _ends(self) -> tuple[Ball, Ball]:
        """1 - M_0 and M_0, each with its own digits where it is small."""
        from scipy.special import ndtr

        law = self.law

        def sums(z, rounding, right):
            share = ndtr(np.where(right[:, None], z, -z))
            return [*block_sums(share, law.first), *block_sums(share * rounding, law.first)]

        right = self.u > 0.0
        total, error = self._in_rows(lambda z, rounding, rows: sums(z, rounding, right[rows]))
        small = Ball(total, (error + law.summing * total) * GROW + LEFT_OUT_STEEP)
        other = Ball(1.0) - small
        return _chosen(right, other, small), _chosen(right, small, other)

    def moment(self, k: int) -> Ball:
        """Return t^k M_k(t), k <= 2."""
        return self._ends[1] if k == 0 else self._moments[k - 1]

    @functools.cached_property
    def log(self) -> Ball:
        return log_of(*self._ends)

    @functools.cached_property
    def spread(self) -> Ball:
        first, second = self._moments
        return second * self._ends[1] - first.square()


@functools.lru_cache(maxsize=8)
def log_normal(s: float):
    """Return the law of e^(sz) up to a factor, by whichever nodes are fewer.

    >>> import numpy as np
    >>> at = log_normal(0.5).at(Ball(np.zeros(1)))  # t = 1
    >>> round(float(at.moment(0).mid[0]), 6), round(float(at.log.mid[0]), 6)
    (0.410988, -0.889191)
    """
    return LogNormal(s) if s <= STEEP else SteepLogNormal(s)


def within_reach(s: Ball) -> float:
    """Return the s to compute at, where that of a layer is too small or too large for squares."""
    return min(max(float(s.mid), LEAST), MOST)


def power(log: Ball, n: float) -> Ball:
    """Return M_0^n from its logarithm.

    >>> power(Ball(np.array([-1e-9])), 1e9).mid.round(6)
    array([0.367879])
    """
    return BALLS.exp(log * float(n))


def falling_sums(log: Ball, n: int, most: int) -> list[Ball]:
    r"""Return :math:`F_k = \sum_{i=1}^n (i)_k r^{i-k}` for k = 1 ... most, with r = e^log <= 1.

    These are the derivatives of :math:`r + \ldots + r^n`. The sum doubles in each of log2 n steps,
    by :math:`(m+i)_k = \sum_j \binom kj (m)_{k-j} (i)_j`: every term is positive.

    >>> [float(f.mid[0]) for f in falling_sums(Ball(np.zeros(1)), 4, 3)]
    [10.0, 20.0, 30.0]
    """
    size = most + 2  # one more derivative for the error of r
    r = log.mid
    sums = np.zeros((size, len(r)))
    sums[0], sums[1] = np.exp(r), 1.0
    m, order = 1, np.arange(size)
    choose = np.array([[math.comb(k, j) for j in range(size)] for k in range(size)], dtype=float)[:, :, None]
    gap = np.maximum(order[:, None] - order, 0)
    for bit in bin(n)[3:]:
        sums += np.einsum("kjp,jp->kp", choose * _falling(m, r, size)[gap], sums)
        m *= 2
        if bit == "1":
            m += 1
            sums += _falling(m, r, size)
    # each of the steps rounds an exponent of size i |log r| < 550, and adds; e^(-550) is nothing to sums above 1
    steps = (n.bit_length() + 1) * (16.0 + 2.0 * size) * U
    found = []
    for k in range(1, most + 1):
        moved = (np.exp(r) * sums[k + 1] + k * sums[k]) * 1.01 * (log.rad + 2.0 * U * np.abs(r))
        found.append(Ball(sums[k], (steps * sums[k] + moved) * GROW))
    return found


def _falling(m: int, r, size: int):
    """Return (m)_k e^(r (m-k)) for k < size; 0 where k > m."""
    factors = np.array([math.prod(range(m, m - k, -1)) for k in range(size)], dtype=float)
    exponents = np.multiply.outer(np.maximum(m - np.arange(size), 0), r)
    return factors[:, None] * np.exp(np.maximum(exponents, LOWEST))


def _h_over_square(u):
    """Return (e^-u - 1 + u)/u^2, which is 1/2 at 0."""
    small = np.abs(u) < SERIES
    x = np.where(small, u, 0.0)
    series = np.zeros_like(x)
    for k in range(13, 1, -1):
        np.multiply(series, x, out=series)
        np.subtract(1.0 / math.factorial(k), series, out=series)
    room = np.where(small, 1.0, u)
    return np.where(small, series, (np.expm1(-room) + room) / (room * room))


def _exponents(t, v):
    return np.maximum(np.multiply.outer(-t, v), LOWEST)


def in_rows(points, width: int, work) -> list:
    """Return the arrays of ``work(points, rows)``, each put together from parts of a few rows of ``width`` numbers."""
    step = max(AT_ONCE // width, 1)
    slices = [slice(i, i + step) for i in range(0, len(points), step)]
    parts = [work(points[rows], rows) for rows in slices]
    return [np.concatenate(each) for each in zip(*parts, strict=True)]


def kept(known: dict, u: Ball, make):
    """Return what is known at the points u, or else what ``make()`` says; what nobody asks for is dropped."""
    key = np.asarray(u.mid, dtype=float).tobytes()
    found = known.pop(key, None) or make()
    known[key] = found  # the last one asked for is the last to go
    if len(known) > KEPT:
        known.pop(next(iter(known)), None)
    return found


def log_of(missing: Ball, whole: Ball) -> Ball:
    """Return log M_0 from 1 - M_0 where that is small, else from M_0."""
    near = missing.mid < 0.5
    left = BALLS.log1p(-_chosen(near, missing, Ball(np.zeros_like(missing.mid), 0.0)))
    mid = np.where(near, 1.0, np.maximum(whole.mid, 1e-300))
    low = np.maximum(mid - whole.rad, 1e-300)
    right = Ball(np.log(mid), (np.minimum(whole.rad / low, np.log(mid + whole.rad) + 700.0) + 6.0 * U) * GROW)
    right = Ball(right.mid, right.rad + 6.0 * U * np.abs(right.mid))
    return _chosen(near, left, right)


def _chosen(condition, a: Ball, b: Ball) -> Ball:
    return Ball(np.where(condition, a.mid, b.mid), np.where(condition, a.rad, b.rad))


def in_blocks(columns):
    """Cut columns of weights (nodes, k) into blocks (nodes/BLOCK, BLOCK, k)."""
    return columns.reshape(-1, BLOCK, columns.shape[1])


def block_sums(values, blocks) -> list:
    """Return values @ columns, a row for each column; summed in blocks, so that rounding stays small."""
    parts = np.matmul(values.reshape(len(values), -1, BLOCK).transpose(1, 0, 2), blocks)
    return list(parts.sum(axis=0).T)
