"""The Laplace law."""

from __future__ import annotations

from normcal.laws._exponential import SQRT2PI, DoubleExponential


class Laplace(DoubleExponential):
    r"""The density :math:`e^{-|x|}/2` at loc 0 and scale 1, so that the weight is :math:`\sqrt{2\pi}\,|z|/2`."""

    name = "laplace"
    variance = (2.0, 0.0)

    @staticmethod
    def weight(z, m):
        from normcal.laws._maps import number
        from normcal.numerics.balls import Ball

        return m.abs(z) * number(Ball(0.5 * SQRT2PI, 2.0**-51), m)

    def draw(self, rng, shape):
        import numpy as np

        u = rng.random(shape) - 0.5
        size = -np.log1p(-2.0 * np.minimum(np.abs(u), 0.5 - 2.0**-54))
        loc, scale = self.frame
        return loc + scale * np.copysign(size, u)


LAW = Laplace
