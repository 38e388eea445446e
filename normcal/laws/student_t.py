"""Student's t law."""

from __future__ import annotations

import math

from normcal.laws._base import LOC, SCALE
from normcal.laws._maps import Mapped, number
from normcal.param import Param
from normcal.tails import power

#: exp(q/2) overflows above this, less what is multiplied with it.
_LARGEST_Q = 1380.0
#: With this stretch whatever has a variance, which grows no faster than T^(df/2), stays below 1e142, so that not
#: even the root of the smallest double, as an error of its weight, makes much of it.
_STRETCH, _LIGHT = 0.9375, 50.0
#: z is looked at up to here.
_REACH, _FAR = 38.5, 38.75
#: Behind this z lies less than a rounding of anything that is not close to having no moment.
_FAR_ENOUGH = 12.0
#: Below this q a series stands for (e^q - 1)/q, and (1 - e^-q)/q.
_SMALL = 2.0**-10
_TERMS = 8
#: From here on the ratio of gamma functions is its asymptotic series.
_LARGE = 16.0
#: Below this df the map grows so fast that panels are cut finely far out, lest one holds too many orders of magnitude.
_HEAVY = 20.0
_STEEP = tuple((side * z, 4.0) for z in (*(3.5 + 0.5 * k for k in range(17)), *range(12, 39)) for side in (-1.0, 1.0))
#: Its terms in 1/a, 1/a^3, ...; the last one is what is left out.
_IN_ONE_OVER_A = (
    (-1, 8), (1, 192), (-1, 640), (17, 14336), (-31, 18432), (691, 180224), (-5461, 425984), (929569, 15728640),
)  # fmt: skip


class StudentT(Mapped):
    r"""Student's t with ``df`` degrees of freedom: moments of order df and above do not exist.

    With :math:`q = (sz)^2/\nu` the map is :math:`T(z) = sz\sqrt{(e^q - 1)/q}`, for which
    :math:`1 + T^2/\nu = e^q`: the density there times T' is :math:`\varphi(sz)` times a factor that grows like \|z\|,
    :math:`c\,s\sqrt{2\pi}\,\sqrt{q/(1 - e^{-q})}` with c the height of the density. The stretch s keeps T
    a double, far out.
    """

    name = "student_t"
    params = (
        Param("df", None, "[0.1, 1e6]", "degrees of freedom: what has moments below this order", typical=(5,)),
        LOC,
        SCALE,
    )

    def check(self):
        most = math.floor(math.sqrt(_LARGEST_Q * self.df) / _REACH * 64.0) / 64.0  # its square is a double
        self.stretch = min(_STRETCH if self.df < _LIGHT else 1.0, most)
        self.shapes = _STEEP if self.df < _HEAVY else ()
        self._constant = None

    def own(self):
        from normcal.numerics.balls import BALLS, Ball

        loc, scale = self.frame
        mean = Ball(loc) if self.df > 1.0 else Ball(math.nan, math.inf)
        if self.df <= 2.0:
            return mean, Ball(math.inf if self.df > 1.0 else math.nan, math.inf)
        return mean, BALLS.sqrt(Ball(self.df) / (Ball(self.df) - 2.0)) * scale

    def map(self, z, m):
        loc, scale = self.frame
        z = m.minimum(m.maximum(z, -_FAR), _FAR) * self.stretch  # beyond, it stands still
        q = z * z / self.df
        small = q < _SMALL
        # e^(q/2) sqrt(1 - e^-q), which overflows later than e^q does
        safe = m.maximum(q, 0.5 * _SMALL)
        far = m.exp(safe * 0.5) * m.sqrt(-m.expm1(-safe) / safe)
        t = z * m.where(small, m.sqrt(_series(m.minimum(q, 2.0 * _SMALL))), far) * scale
        return t + loc if loc else t

    def weight(self, z, m):
        s = self.stretch
        q = z * s * (z * s) / self.df
        safe = m.maximum(q, 0.5 * _SMALL)
        ratio = m.where(q < _SMALL, _series(-m.minimum(q, 2.0 * _SMALL)), -m.expm1(-safe) / safe)
        stretched = m.exp(z * z * (0.5 * (1.0 - s) * (1.0 + s))) if s != 1.0 else 1.0
        return stretched / m.sqrt(ratio) * number(self._height(), m)

    def _height(self):
        """Return the density at 0 times s and the root of 2 pi."""
        if self._constant is None:
            from normcal.numerics.balls import BALLS, Ball

            ratio = gamma_ratio(Ball(self.df) * 0.5)
            self._constant = ratio * BALLS.sqrt(Ball(2.0) / self.df) * self.stretch
        return self._constant

    def inverse(self, t):
        from normcal.numerics.balls import BALLS, Ball

        loc, scale = self.frame
        u = (t - loc) / scale
        if abs(u.mid) > 1e150:
            return []
        z = BALLS.sqrt(BALLS.log1p(Ball(abs(u.mid), u.rad).square() / self.df) * self.df) / self.stretch
        return [z if u.mid > 0.0 else -z]

    @property
    def reach(self):
        from normcal.numerics.balls import BALLS, Ball

        far = float(self.map(Ball(_FAR_ENOUGH), BALLS).mid) - self.frame[0]
        return self.moved(self.frame[0] - far, self.frame[0] + far)

    @property
    def tail(self):
        return power(self.df)

    def draw(self, rng, shape):
        """Draw by two uniform numbers (Bailey 1994, Polar generation of random variates with the t-distribution)."""
        import numpy as np

        loc, scale = self.frame
        u, v = rng.random(shape), rng.random(shape)
        u = np.log(np.maximum(u, 2.0**-60)) * (-2.0 / self.df)
        with np.errstate(over="ignore"):
            return loc + scale * np.sqrt(self.df * np.expm1(u)) * np.cos(2.0 * np.pi * v)


LAW = StudentT


def _series(q):
    """Return (e^q - 1)/q for small q; what is left out is far below a rounding."""
    total = 1.0 / math.factorial(_TERMS + 1)
    for k in range(_TERMS, 0, -1):
        total = q * total + 1.0 / math.factorial(k)
    return total


def gamma_ratio(a):
    r"""Return the ball of :math:`\Gamma(a + 1/2)/\Gamma(a)`.

    :math:`R(a) = R(a + 1)\,a/(a + 1/2)` leads up to a large a, where
    :math:`\log R = \tfrac12\log a - \sum_k (1 - 4^{-k}) B_{2k}/(k(2k-1))\,a^{1-2k}`, the series of the two
    logarithms, which are each off by less than the first term left out (DLMF 5.11.8 with h = 0 and 1/2).

    >>> from normcal.numerics.balls import Ball
    >>> half = gamma_ratio(Ball(0.5))  # 1/sqrt(pi)
    >>> abs(half.mid - 0.5641895835477563) <= half.rad < 1e-13
    True
    """
    from normcal.numerics.balls import BALLS, Ball

    product = Ball(1.0)
    while a.mid < _LARGE:
        product = product * (a / (a + 0.5))
        a = a + 1.0
    square, power_of_a = a.square(), a
    *terms, (top, bottom) = _IN_ONE_OVER_A
    total = Ball(0.0, top / bottom / float(a.mid - a.rad) ** (2 * len(terms) + 1))
    for top, bottom in terms:
        total = total + Ball(float(top)) / float(bottom) / power_of_a
        power_of_a = power_of_a * square
    return product * BALLS.sqrt(a) * BALLS.exp(total)
