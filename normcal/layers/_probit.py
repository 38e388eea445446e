"""Functions c Phi(a x + b) + d of the normal distribution function: their moments at any mean and std."""

from __future__ import annotations

from normcal.errors import Unsupported
from normcal.layer import Elementwise


class Probit(Elementwise):
    r"""The function :math:`c\,\Phi(ax + b) + d`.

    With :math:`s = a\sigma, h = (a\mu + b)/\sqrt{1+s^2}` the mean of :math:`\Phi` is :math:`\Phi(h)`, that of its
    square :math:`\Phi(h) - 2T(h, r)`, :math:`r = 1/\sqrt{1+2s^2}`, and :math:`\Phi(h)\Phi(-h) = 2T(h, 1)`. So the
    variance is :math:`2(T(h, 1) - T(h, r))`, one integral over (r, 1), in which nothing cancels.
    """

    #: c and d
    height, base = 1.0, 0.0

    def line(self):
        """Return a and b."""
        raise NotImplementedError

    def _seen_by_phi(self, law, m):
        if law.std == 0.0:
            raise Unsupported("the formula divides by the std, which is 0")
        a, b = self.line()
        return a * law.mean + b, a * law.std, a

    def closed_forward(self, law, m):
        from normcal.layers._gaussian import owens_step

        at, s, _ = self._seen_by_phi(law, m)
        square = s * s
        h = at / m.sqrt(square + 1.0)
        start = 1.0 / m.sqrt(2.0 * square + 1.0)
        short = 1.0 - start * start if s.mid > 1.0 else 2.0 * square / (2.0 * square + 1.0)  # 1 - r^2
        std = m.sqrt(2.0 * owens_step(h, start, short / (start + 1.0))) * self.height
        return self.expected(h, m), std

    def expected(self, h, m):
        """Return the mean of the layer."""
        return m.Phi(h) * self.height + self.base

    def closed_backward(self, law, m):
        at, s, a = self._seen_by_phi(law, m)
        wide = 2.0 * s * s + 1.0
        # E phi(u)^2 = phi(sqrt(2) m / sqrt(1 + 2 s^2)) / sqrt(2 pi (1 + 2 s^2)) for u ~ N(m, s^2)
        root = m.exp(-(at * at) / (2.0 * wide)) / m.sqrt(m.sqrt(wide) * two_pi())
        return root * a * self.height


def two_pi():
    """Return 2 pi as a ball.

    >>> two_pi().mid
    6.283185307179586
    """
    from normcal.numerics.balls import Ball

    return Ball(6.283185307179586, 2.5e-16)
