r"""Laws as images of a normal variable: :math:`X = T(z)`, with a weight where T alone does not give the density.

If :math:`p(T(z))\,|T'(z)| = w(z)\,\varphi(z)`, then :math:`E\,g(X) = E[w(z)\,g(T(z))]` with :math:`z \sim N(0, 1)`.
T and w are written against the function namespace, so that they run on balls as everything else does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from normcal.laws._base import Named

if TYPE_CHECKING:
    from normcal.law import Normal
    from normcal.layer import Component
    from normcal.numerics.balls import Ball

#: An edge of the mesh that needs no finer ones around it: the widest panels that are refined at all.
_EDGE = 4.0
#: Edges around a feature lie at distances that double: so many of them at most.
_MOST_DOUBLINGS = 200


def number(x: Ball, m):
    """Return a constant as the namespace ``m`` takes it: a ball, or its middle where m is of plain arrays."""
    from normcal.numerics.duals import Duals

    while isinstance(m, Duals):
        m = m.base
    return float(x.mid) if type(m).__name__ == "Arrays" else x


class Mapped(Named):
    """A law whose X is a function of a normal z; a subclass writes the map, its inverse and, perhaps, a weight."""

    def map(self, z, m):
        """Return T(z)."""
        raise NotImplementedError

    def inverse(self, t: Ball) -> Iterable[Ball]:
        """Return the z at which T is t; none for what X does not reach."""
        raise NotImplementedError

    #: The weight w(z, m), where there is one.
    weight: Callable | None = None
    #: z of kinks of map or weight, and (z, scale) around which they change.
    cuts: Sequence = ()
    shapes: Sequence[tuple[float, float]] = ()

    def support(self) -> tuple[float, float]:
        """Return the interval of X."""
        return -math.inf, math.inf

    def at(self, z, m):
        """Return x at z."""
        x = self.map(z, m)
        if self.factor.mid != 1.0 or self.factor.rad != 0.0:
            x = x * number(self.factor, m)
        if self.shift.mid != 0.0 or self.shift.rad != 0.0:
            x = x + number(self.shift, m)
        return x

    def pulled(self, component: Component, direction: str) -> Sequence[tuple[Normal, Component]]:
        from normcal.law import STANDARD
        from normcal.numerics.duals import slope_of

        if component.weight is not None:
            return super().pulled(component, direction)
        f, noise = component.f, component.noise
        slope = component.slope or slope_of(f)
        kinks = merged([*self.cuts, *(z for kink in component.kinks for z in self.places(kink))])
        return [
            (
                STANDARD,
                replace(
                    component,
                    f=lambda z, m: f(self.at(z, m), m),
                    noise=noise and (lambda z, m: noise(self.at(z, m), m)),
                    slope=lambda z, m: slope(self.at(z, m), m),
                    kinks=tuple(kinks),
                    features=(*self.shapes, *self._features(component.features)),
                    weight=self.weight,
                ),
            )
        ]

    def places(self, x) -> list[Ball]:
        """Return the z at which the entry is ``x``."""
        from normcal.numerics.balls import ball

        return list(self.inverse((ball(x) - self.shift) / self.factor))

    def _features(self, features) -> tuple[tuple[float, float], ...]:
        """Return edges in z for features of x: one at each, and at distances from it that double, as in x."""
        edges: dict[float, None] = {}
        low, high = self.moved(*self.near())
        for centre, scale in features:
            distances = [0.0]
            while len(distances) < _MOST_DOUBLINGS and distances[-1] < high - low + abs(centre - 0.5 * (low + high)):
                distances.append(max(scale, 1e-300) * 2.0 ** (len(distances) - 1))
            for x in sorted({centre + side * d for d in distances for side in (-1.0, 1.0)}):
                if low < x < high:
                    edges |= dict.fromkeys(float(z.mid) for z in self.places(x))
        return tuple((z, _EDGE) for z in edges if math.isfinite(z))

    def near(self) -> tuple[float, float]:
        """Return the interval of X that is looked at closely: most of its mass."""
        from normcal.numerics.balls import BALLS, Ball

        ends = [float(self.map(Ball(z), BALLS).mid) for z in (-9.0, 0.0, 9.0)]
        return min(ends), max(ends)

    @property
    def reach(self) -> tuple[float, float]:
        from normcal.numerics.balls import BALLS, Ball

        ends = [float(self.map(Ball(z), BALLS).mid) for z in (-38.5, 0.0, 38.5)]
        return self.moved(min(ends), max(ends))


def merged(kinks: Iterable) -> list[Ball]:
    """Return kinks, those that may be one and the same as one ball around both."""
    from normcal.numerics.balls import Ball, ball

    found: list[Ball] = []
    for kink in sorted(map(ball, kinks), key=lambda b: float(b.mid)):
        last = found[-1] if found else None
        if last is not None and kink.mid - last.mid <= kink.rad + last.rad:
            middle, wider = (last, kink) if last.rad <= kink.rad else (kink, last)
            found[-1] = Ball(middle.mid, (wider.rad + abs(kink.mid - last.mid)) * (1.0 + 2.0**-50))
        else:
            found.append(kink)
    return found


def exact_root_of_half() -> Ball:
    """Return the square root of 1/2."""
    from normcal.numerics.balls import Ball

    return Ball(math.sqrt(0.5), 2.0**-53)


def quantile(p: Ball) -> Ball | None:
    r"""Return :math:`\Phi^{-1}(p)` for p up to 1/2; None where p may be 0.

    The guess of the standard library is widened until the distribution function, on balls, is above p at
    one end and below it at the other.
    """
    from statistics import NormalDist

    from normcal.numerics.balls import BALLS, Ball

    low, high = float(p.mid - p.rad), float(p.mid + p.rad)
    if not 1e-300 < low <= high < 0.75:
        return None
    z = NormalDist().inv_cdf(float(p.mid)) if p.mid > 1e-300 else -37.0
    radius = 2.0**-52 * max(abs(z), 2.0**-60)
    while radius < 1.0:
        below, above = BALLS.Phi(Ball(z - radius)), BALLS.Phi(Ball(z + radius))
        if below.mid + below.rad < low and above.mid - above.rad > high:
            return Ball(z, radius * (1.0 + 2.0**-40))
        radius *= 2.0
    return None
