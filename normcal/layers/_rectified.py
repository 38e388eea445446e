"""Powers of the rectifier, c max(0, x)^n + d: their Gaussian moments at any mean and std."""

from __future__ import annotations

from normcal.errors import Unsupported
from normcal.layer import Elementwise


class RectifiedPower(Elementwise):
    r"""The function :math:`c \max(0, x)^n + d`.

    With :math:`t = \mu/\sigma` and :math:`R_k = E(Z+t)_+^k` the mean is :math:`\sigma^n R_n(t)` and the
    variance :math:`\sigma^{2n}(R_{2n} - R_n^2)`. Right of 0 that cancels, and the function is written as
    :math:`x^n` less a small correction on the left: the polynomial's moments come from its Hermite coefficients.
    """

    power = 1
    scale, bias = 1.0, 0.0

    def f(self, x, m):
        return self.scale * m.maximum(x, 0.0) ** self.power + self.bias

    def closed_forward(self, law, m):
        from normcal.layers import _hermite
        from normcal.layers._gaussian import powers

        t, n = _standardised(law), self.power
        if law.mean <= 0.0:
            r = powers(t, 2 * n)
            mean, variance = r[n], r[2 * n] - r[n] * r[n]
        else:
            h = _hermite.hermite([0.0] * n + [1.0], t, 1.0)
            r = powers(-t, 2 * n)
            wrong = r[n] * (-1.0) ** n  # what x^n has on the left
            polynomial = _hermite.spread(h)
            mean = h[0] - wrong
            variance = polynomial * polynomial + r[2 * n] - r[n] * r[n] - 2.0 * (r[2 * n] - h[0] * wrong)
        unit = _power(law.std, n) * self.scale
        std = m.sqrt(variance) * unit
        return mean * unit + self.bias, -std if unit.mid < 0.0 else std

    def closed_backward(self, law, m):
        from normcal.layers._gaussian import powers

        n = self.power
        square = powers(_standardised(law), max(2 * n - 2, 1))[2 * n - 2]
        return m.sqrt(square) * _power(law.std, n - 1) * float(n) * abs(self.scale)

    def closed_dual(self, mean, std, c, m):
        from normcal.layers._arc_cosine import arc_cosine, centred
        from normcal.layers._gaussian import powers
        from normcal.numerics.balls import Ball, ball

        centred(mean)
        scale, bias = std**self.power * self.scale, ball(self.bias)
        below = powers(Ball(0.0), max(self.power, 1))[self.power]
        return arc_cosine(self.power, c, m) * (scale * scale) + (scale * below * bias * 2.0 + bias * bias)


def _standardised(law):
    from normcal.numerics.balls import Ball

    if law.std == 0.0:
        raise Unsupported("the formula divides by the std, which is 0")
    return Ball(law.mean) / law.std


def _power(x: float, n: int):
    from normcal.numerics.balls import Ball

    return Ball(x) ** n if n > 0 else Ball(1.0)
