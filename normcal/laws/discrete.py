"""Laws of finitely many values."""

from __future__ import annotations

from dataclasses import replace

from normcal.laws._base import REAL, Named
from normcal.laws.mixture import drawn, linear, mixed, shares, together
from normcal.param import Param
from normcal.tails import BOUNDED


class Discrete(Named):
    """One of several values, each drawn with its weight; weights are divided by their sum."""

    name = "discrete"
    params = (
        Param("values", None, REAL, "what an entry may be", shape=True, accepts="numbers such as (-1, 0, 1)"),
        Param("weights", 1.0, "(0, inf)", "how often each is drawn", shape=True, accepts="numbers such as (1, 2, 1)"),
    )
    tail = BOUNDED

    def check(self):
        self.parts = together(self, "values", "weights")
        self.shares = shares([weight for *_, weight in self.parts])

    def own(self):
        from normcal.numerics.balls import Ball

        return mixed(
            [(share, Ball(value), Ball(0.0)) for share, (value, _) in zip(self.shares, self.parts, strict=True)]
        )

    def pulled(self, component, direction):
        from normcal.law import Normal
        from normcal.numerics.balls import Ball

        return [
            (
                Normal(0.0, 0.0),
                replace(linear(component, Ball(0.0), self.shift + self.factor * value), mass=share * component.mass),
            )
            for share, (value, _) in zip(self.shares, self.parts, strict=True)
        ]

    @property
    def atoms(self):
        return tuple(self.moved(value, value)[0] for value, _ in self.parts)

    @property
    def reach(self):
        return min(self.atoms), max(self.atoms)

    def draw(self, rng, shape):
        import numpy as np

        return np.array([value for value, _ in self.parts])[drawn(self.parts, rng.random(shape))]


LAW = Discrete
