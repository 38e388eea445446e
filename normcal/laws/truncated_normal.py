"""The normal law cut off on one side or on both."""

from __future__ import annotations

import math

from normcal.errors import RequestError
from normcal.laws._base import LARGEST, REAL, SCALE
from normcal.laws._integral import integral
from normcal.laws._maps import Mapped, exact_root_of_half, number, quantile
from normcal.param import Param
from normcal.tails import BOUNDED, NORMAL

#: In units of scale: an interval around the centre that is wider than this is cut out of the normal law itself.
_WIDE = 0.5
#: An end that is so much further out than the other one leaves nothing behind it.
_NOTHING = 40.0


class TruncatedNormal(Mapped):
    r"""N(loc, scale²) given that it lies in [low, high]; either end may be left out.

    An interval around the centre is cut out of the normal law by a weight; a bounded one is the image of a normal
    variable under erf, with the density as its weight; of a tail beyond low, :math:`X = \mathrm{low} + \mathrm{scale}
    |z|` with the weight :math:`e^{-\alpha|z|}`, :math:`\alpha` being where low lies in units of scale.
    """

    name = "truncated_normal"
    params = (
        Param("low", None, REAL, "its lower end, none by default", quiet=True),
        Param("high", None, REAL, "its upper end, none by default", quiet=True),
        Param("loc", 0.0, REAL, "the mean of what is truncated"),
        SCALE,
    )

    def check(self):
        if self.low is None and self.high is None:
            raise RequestError(f"{self.name} needs low or high, or both.", "Accepted: low=-2, high=2, for instance.")
        low, high = self.support()
        if not low < high or any(LARGEST < abs(end) < math.inf for end in (low, high)):
            raise RequestError(f"{self.written()}: low must be below high, and neither beyond {LARGEST:g}.")
        far = max(low - self.loc, self.loc - high) / self.scale
        if not far < 1e100:
            raise RequestError(f"{self.written()}: the interval is too far out in the tail.")
        mirrored = low - self.loc < self.loc - high or (low == -math.inf and high < self.loc)
        self.shape = _shape(*((-high, -low, -self.loc) if mirrored else (low, high, self.loc)), self.scale)
        self.sign = -1.0 if mirrored else 1.0
        self.cuts, self.shapes = self.shape.cuts, self.shape.shapes
        self._total = integral(self.shape.weight, self.cuts, self.shapes)

    def weight(self, z, m):
        return self.shape.weight(z, m) / number(self._total, m)

    def own(self):
        from normcal.numerics.balls import BALLS, Ball

        def moment(power, centre):
            def g(z, m):
                off = self.map(z, m) - centre
                return self.weight(z, m) * (off if power == 1 else off * off)

            return integral(g, self.cuts, self.shapes)

        centre = self.map(Ball(0.0), BALLS).mid
        centre = float(moment(1, centre).mid) + centre
        off = moment(1, centre)
        return off + centre, BALLS.sqrt(moment(2, centre) - off.square())

    def map(self, z, m):
        x = self.shape.map(z, m)
        return x if self.sign > 0.0 else -x

    def inverse(self, t):
        return self.shape.inverse(t if self.sign > 0.0 else -t)

    def support(self):
        return -math.inf if self.low is None else self.low, math.inf if self.high is None else self.high

    @property
    def tail(self):
        return NORMAL if None in (self.low, self.high) else BOUNDED

    def draw(self, rng, shape):
        """Draw by the inverse of the distribution function, in logarithms, from the tail that is nearer."""
        import numpy as np
        from scipy.special import log_ndtr, ndtri_exp

        low, high, loc = self.shape.ends
        near, far = (log_ndtr(-(end - loc) / self.scale) for end in (low, high))
        u = rng.random(shape)
        with np.errstate(divide="ignore"):
            tail = near + np.log1p(u * np.expm1(far - near))
        x = np.clip(loc - self.scale * ndtri_exp(tail), low, high)
        return x * self.sign


LAW = TruncatedNormal


def _shape(low: float, high: float, loc: float, scale: float):
    """Return how X comes from z: the interval lies around the centre, or its lower end is the nearer one."""
    below, above = (low - loc) / scale, (high - loc) / scale
    if below <= 0.0 <= above and above - below > _WIDE:
        return _Cut(low, high, loc, scale)
    if above - below < _NOTHING:
        return _Between(low, high, loc, scale)
    return _Tail(low, high, loc, scale)


class _Shape:
    cuts: tuple = ()
    shapes: tuple = ()

    def __init__(self, low: float, high: float, loc: float, scale: float) -> None:
        self.ends, self.scale = (low, high, loc), scale
        self.prepare(low, high, loc)

    def prepare(self, low: float, high: float, loc: float) -> None:
        """Find cuts and shapes."""


class _Cut(_Shape):
    """z itself, with no mass where it lies outside; there the map stands still."""

    def prepare(self, low, high, loc):
        from normcal.numerics.balls import Ball

        self.cuts = tuple((Ball(end) - loc) / self.scale for end in (low, high) if math.isfinite(end))

    def map(self, z, m):
        low, high, loc = self.ends
        x = z * self.scale + loc
        x = x if low == -math.inf else m.maximum(x, low)
        return x if high == math.inf else m.minimum(x, high)

    def weight(self, z, m):
        low, high, loc = self.ends
        x, inside = z * self.scale + loc, 1.0
        if low != -math.inf:
            inside = m.where(x > low, 1.0, 0.0)
        return inside if high == math.inf else inside * m.where(x < high, 1.0, 0.0)

    def inverse(self, t):
        low, high, loc = self.ends
        return [(t - loc) / self.scale] if low < t.mid < high else []


class _Between(_Shape):
    """The image under erf of a normal z, which has one density everywhere, with the normal density as its weight."""

    def prepare(self, low, high, loc):
        from normcal.numerics.balls import Ball

        self.centre, self.half = (Ball(low) + high) * 0.5, (Ball(high) - low) * 0.5
        self.steepest = max((low - loc) / self.scale, 1.0)
        start = low if low > loc else loc
        found, distance = {}, self.scale / self.steepest
        while distance < 2.0 * (high - low):
            for x in (start, start + distance, start - distance):
                found |= dict.fromkeys(float(z.mid) for z in self.inverse(Ball(x)))
            distance *= 2.0
        self.shapes = tuple((z, 4.0) for z in found)

    def map(self, z, m):
        return m.erf(z * number(exact_root_of_half(), m)) * number(self.half, m) + number(self.centre, m)

    def weight(self, z, m):
        low, high, loc = self.ends
        nearest = min(max(low, loc), high)
        x = self.map(z, m)
        return m.exp((x - nearest) / self.scale * ((x - loc) + (nearest - loc)) / self.scale * -0.5)

    def inverse(self, t):
        from normcal.numerics.balls import Ball

        low, high, _ = self.ends
        left = t.mid < 0.5 * low + 0.5 * high
        found = quantile((t - low if left else Ball(high) - t) / (self.half * 2.0))
        return [] if found is None else [found if left else -found]


class _Tail(_Shape):
    """What lies beyond the lower end, which is right of the centre: low + scale |z|."""

    def prepare(self, low, high, loc):
        self.steepness = max((low - loc) / self.scale, 0.0)
        self.cuts = (0.0,)
        if self.steepness > 1.0:
            self.shapes = ((0.0, 1.0 / self.steepness),)

    def map(self, z, m):
        low, high, _ = self.ends
        x = m.abs(z) * self.scale + low
        return x if high == math.inf else m.minimum(x, high)

    def weight(self, z, m):
        from normcal.numerics.balls import Ball

        low, _, loc = self.ends
        return m.exp(m.abs(z) * number((Ball(low) - loc) / -self.scale, m))

    def inverse(self, t):
        low, _, _ = self.ends
        u = (t - low) / self.scale
        return [u, -u] if u.mid > 0.0 else []
