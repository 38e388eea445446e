"""The uniform law."""

from __future__ import annotations

from normcal.errors import RequestError
from normcal.laws._base import LARGEST, REAL
from normcal.laws._maps import Mapped, exact_root_of_half, number, quantile
from normcal.param import Param
from normcal.tails import BOUNDED


class Uniform(Mapped):
    r"""The same density all over [low, high]: :math:`X = c + h\,\mathrm{erf}(z/\sqrt2)`, centre c and half-width h."""

    name = "uniform"
    params = (Param("low", -1.0, REAL, "its lower end"), Param("high", 1.0, REAL, "its upper end"))
    tail = BOUNDED

    def check(self):
        if not -LARGEST <= self.low < self.high <= LARGEST:
            raise RequestError(f"{self.written()}: low must be below high, and neither beyond {LARGEST:g}.")

    def own(self):
        from normcal.numerics.balls import BALLS, Ball

        return (Ball(self.low) + self.high) * 0.5, (Ball(self.high) - self.low) / BALLS.sqrt(Ball(12.0))

    def map(self, z, m):
        centre, half = self._frame()
        return m.erf(z * number(exact_root_of_half(), m)) * number(half, m) + number(centre, m)

    def _frame(self):
        from normcal.numerics.balls import Ball

        return (Ball(self.low) + self.high) * 0.5, (Ball(self.high) - self.low) * 0.5

    def inverse(self, t):
        from normcal.numerics.balls import Ball

        width = Ball(self.high) - self.low
        left = t.mid < 0.5 * self.low + 0.5 * self.high
        found = quantile((t - self.low if left else Ball(self.high) - t) / width)
        return [] if found is None else [found if left else -found]

    def support(self):
        return self.low, self.high

    def draw(self, rng, shape):
        return self.low + (self.high - self.low) * rng.random(shape)


LAW = Uniform
