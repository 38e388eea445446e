"""The half-normal law."""

from __future__ import annotations

import math

from normcal.laws._base import LOC, SCALE
from normcal.laws._maps import Mapped
from normcal.tails import NORMAL


class HalfNormal(Mapped):
    r"""The size of a normal number: :math:`X = \mathrm{loc} + \mathrm{scale}\,|z|`."""

    name = "half_normal"
    params = (LOC, SCALE)
    tail = NORMAL
    cuts = (0.0,)

    def own(self):
        from normcal.numerics.balls import BALLS, Ball

        share = Ball(2.0) / Ball(math.pi, 2.0**-51)
        loc, scale = self.frame
        return BALLS.sqrt(share) * scale + loc, BALLS.sqrt(1.0 - share) * scale

    def map(self, z, m):
        loc, scale = self.frame
        x = m.abs(z) * scale
        return x + loc if loc else x

    def inverse(self, t):
        loc, scale = self.frame
        u = (t - loc) / scale
        return [u, -u] if u.mid > 0.0 else []

    def support(self):
        return self.frame[0], math.inf

    def draw(self, rng, shape):
        import numpy as np

        loc, scale = self.frame
        return loc + scale * np.abs(rng.standard_normal(shape))


LAW = HalfNormal
