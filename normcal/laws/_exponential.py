r"""Laws whose tails fall like e^(-|x|): images under :math:`T(z) = z|z|/2`, which is exact but for one rounding."""

from __future__ import annotations

import math
from typing import ClassVar

from normcal.laws._base import LOC, SCALE
from normcal.laws._maps import Mapped
from normcal.tails import exponential

SQRT2PI = math.sqrt(2.0 * math.pi)


class DoubleExponential(Mapped):
    r"""A law of :math:`X = \mathrm{loc} + \mathrm{scale}\,z|z|/2` with a weight; :math:`e^{-|X|}` is normal in z."""

    params = (LOC, SCALE)
    #: The std at scale 1, squared, as a ball's middle and radius.
    variance: ClassVar[tuple[float, float]]
    cuts = (0.0,)

    def own(self):
        from normcal.numerics.balls import BALLS, Ball

        loc, scale = self.frame
        return Ball(loc), BALLS.sqrt(Ball(*self.variance)) * scale

    def map(self, z, m):
        loc, scale = self.frame
        t = m.where(z > 0.0, z * z * 0.5, z * z * -0.5) * scale
        return t + loc if loc else t

    def inverse(self, t):
        from normcal.numerics.balls import BALLS, Ball

        loc, scale = self.frame
        u = (t - loc) / scale
        root = BALLS.sqrt(Ball(abs(u.mid), u.rad) * 2.0)
        return [root if u.mid > 0.0 else -root]

    @property
    def tail(self):
        return exponential(1.0).scaled(self.frame[1] * float(self.factor.mid))
