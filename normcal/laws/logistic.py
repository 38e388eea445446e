"""The logistic law."""

from __future__ import annotations

import math

from normcal.laws._exponential import SQRT2PI, DoubleExponential


class Logistic(DoubleExponential):
    r"""The distribution function is the sigmoid at loc 0 and scale 1.

    Its density is :math:`e^{-|x|}/(1 + e^{-|x|})^2`, so that the weight is
    :math:`\sqrt{2\pi}\,|z|/(1 + e^{-z^2/2})^2`.
    """

    name = "logistic"
    variance = (math.pi * math.pi / 3.0, 2.0**-49)

    @staticmethod
    def weight(z, m):
        from normcal.laws._maps import number
        from normcal.numerics.balls import Ball

        rest = 1.0 + m.exp(z * z * -0.5)
        return m.abs(z) * number(Ball(SQRT2PI, 2.0**-50), m) / (rest * rest)

    def draw(self, rng, shape):
        import numpy as np

        u = np.clip(rng.random(shape), 2.0**-60, 1.0 - 2.0**-53)
        loc, scale = self.frame
        return loc + scale * (np.log(u) - np.log1p(-u))


LAW = Logistic
