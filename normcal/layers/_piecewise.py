r"""Piecewise linear layers, jumps allowed: their moments at any mean and std, without cancellation.

Write :math:`f' = \sum_k s_k 1_{(a_k, b_k)} + \sum_j h_j \delta_{x_j}`. With Hoeffding's covariance formula,

.. math:: \operatorname{Var} f = \iint f'(s) f'(t)\, \Phi(\min(s,t))\, \Phi(-\max(s,t))\, ds\, dt

for standardised s and t. Terms of a monotone f are all positive. For two different pieces the
double integral is a product of integrals of :math:`\Phi` and :math:`1 - \Phi`, for one piece it is the
variance of a clipped normal variable. Pieces that are narrow against the std are integrated by
one Gauss-Legendre panel, where differences would cancel.

Reference: Hoeffding 1940, Massstabinvariante Korrelationstheorie.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable
from typing import ClassVar

from normcal.errors import Unsupported
from normcal.layer import Elementwise

#: A piece is narrow where width times (1 + |z|) stays below this: Phi is then resolved by one panel.
_NARROW = 4.0


class Jumping(Elementwise):
    """A layer that jumps at ``jumps``, or whose backward pass is not its derivative: its notes say so.

    ``surrogate`` says in words what the backward pass uses instead, where ``slope`` is given.
    """

    jumps: ClassVar[tuple[float, ...]] = ()
    surrogate: ClassVar[str] = ""

    def notes(self, law):
        if self.slope is not None:
            return [f"{self.name}: the backward pass uses {self.surrogate}, not the derivative"]
        if not self.jumps:
            return []
        at = [(x - self.input_shift) / self.input_scale for x in sorted(self.jumps)]
        where = " and ".join(f"{x:.12g}" for x in at) if len(at) < 4 else f"{len(at)} places"
        return [f"{self.name}: the output jumps at x = {where}; the backward figure leaves out the delta there"]


class PiecewiseLinear(Jumping):
    """A layer that is linear between its ``kinks``, and perhaps jumps at some of them, its ``jumps``.

    Slopes and jumps are read off ``f`` itself, so a subclass writes f, kinks and jumps, no more. A
    ``slope`` that stands in for the derivative must be constant between kinks, or ``flat`` be False.
    """

    flat: ClassVar[bool] = True

    def closed_forward(self, law, m):
        lines = _Lines(self, law, m)
        return lines.mean(), lines.std()

    def closed_backward(self, law, m):
        if not self.flat:
            raise Unsupported(f"no closed form is given for the backward std of {self.name} with this surrogate")
        lines = _Lines(self, law, m)
        used = lines.slopes if self.slope is None else [lines.value(self.slope, x) for x in lines.inside]
        total = 0.0
        for slope, piece in zip(used, lines.pieces, strict=True):
            if _alive(slope):
                total = slope * slope * piece.mass() * (1.0 if piece.unit is None else piece.width) + total
        return m.sqrt(total)

    @functools.cached_property
    def lines(self) -> tuple[list, list, list]:
        """The ends of the lines, a point inside each, and their slopes, as balls."""
        from normcal.numerics.balls import BALLS, Ball, ball
        from normcal.numerics.duals import Dual, Duals, lift

        ends = [-math.inf, *sorted({float(x) for x in self.kinks}), math.inf]
        inside = [_between(a, b) for a, b in itertools.pairwise(ends)]
        slopes = [ball(lift(self.f(Dual(Ball(x), Ball(1.0)), Duals(BALLS))).slope) for x in inside]
        return ends, inside, slopes


class _Lines:
    """The pieces of a layer under a law: weights of f' and where they lie."""

    def __init__(self, layer: PiecewiseLinear, law, m) -> None:
        from normcal.numerics.balls import Ball

        if law.std == 0.0:
            raise Unsupported("the formula divides by the std, which is 0")
        self.layer, self.law, self.m = layer, law, m
        self.ends, self.inside, self.slopes = layer.lines
        z = [Ball(x) if math.isinf(x) else _standardised(x, law) for x in self.ends]
        self.pieces = [
            _Piece(a, b, (Ball(right) - left) / law.std, Ball(right) - left, m)
            for a, b, left, right in zip(z, z[1:], self.ends, self.ends[1:], strict=False)
        ]
        self.edges = z[1:-1]

    def value(self, f: Callable, x: float):
        from normcal.numerics.balls import Ball, ball

        return ball(f(Ball(x), self.m))

    def height(self, k: int):
        """Return by how much f jumps at the k-th kink: a ball of exactly 0 where no jump is declared."""
        from normcal.numerics.balls import Ball

        x = self.ends[k + 1]
        if x not in self.layer.jumps:
            return Ball(0.0)
        left, right = self.inside[k], self.inside[k + 1]
        at_left = self.value(self.layer.f, left) + self.slopes[k] * (Ball(x) - left)
        return self.value(self.layer.f, right) + self.slopes[k + 1] * (Ball(x) - right) - at_left

    def weighted(self):
        """Yield (weight, term) from left to right: pieces with the rise of f, jumps with their height."""
        for k, piece in enumerate(self.pieces):
            if _alive(self.slopes[k]):
                yield self.slopes[k] * (self.law.std if piece.unit is None else piece.unit), piece
            if k < len(self.edges) and _alive(height := self.height(k)):
                yield height, _Jump(self.edges[k], self.ends[k + 1] >= self.law.mean, self.m)

    def mean(self):
        """Return f(mean) plus what the pieces right and left of the mean add and take away.

        Where f jumps at the mean itself, its limit from the left is taken, and the jump lies right of it.
        """
        from normcal.numerics.balls import Ball

        at = self.law.mean
        start = math.nextafter(at, -math.inf) if at in self.layer.jumps else at
        total = self.value(self.layer.f, start)
        if start != at:
            k = self.ends.index(at) - 1
            total = Ball(total.mid, total.rad + float(self.slopes[k].upper) * (at - start) * 1.01)
        for weight, term in self.weighted():
            total = total + weight * term.moved()
        return total

    def std(self):
        from normcal.numerics.balls import Ball, power_of_two_near

        terms = list(self.weighted())
        if not terms:
            return Ball(0.0)
        sizes = [float(abs(weight.mid)) * math.sqrt(max(float(term.both().mid), 0.0)) for weight, term in terms]
        scale = power_of_two_near(max(sizes))
        total, before = Ball(0.0), Ball(0.0)
        for weight, term in terms:
            scaled = weight * scale
            total = total + scaled * scaled * term.both()
            if before.upper > 0.0:
                total = total + 2.0 * (scaled * term.above() * before)
            if term is not terms[-1][1]:
                before = before + scaled * term.below()
        return self.m.sqrt(total).scaled(1.0 / scale)


class _Jump:
    r"""A jump at z, ``ahead`` of the mean or behind it: :math:`\Phi(z)`, :math:`\Phi(-z)` and their product.

    The side is told in x: z may underflow to 0 on either.
    """

    def __init__(self, z, ahead: bool, m) -> None:
        self.ahead = ahead
        self.left, self.right = m.Phi(z), m.Phi(-z)

    def below(self):
        return self.left

    def above(self):
        return self.right

    def both(self):
        return self.left * self.right

    def moved(self):
        return self.right if self.ahead else -self.left


class _Piece:
    r"""A stretch (a, b) of the line of z: integrals of :math:`\varphi, \Phi, 1 - \Phi` and of their kernel over it.

    A narrow piece has a ``unit``, its width in x: its integrals are then averages over the piece, in that unit.
    """

    def __init__(self, a, b, width, unit, m) -> None:
        self.a, self.b, self.width, self.m = a, b, width, m
        self.leftmost, self.rightmost = math.isinf(a.mid), math.isinf(b.mid)
        finite = not self.leftmost and not self.rightmost
        far = max(abs(float(a.mid)), abs(float(b.mid)))
        self.unit = unit if finite and float(width.mid) * (1.0 + far) <= _NARROW else None

    def mass(self):
        """Return the probability of the piece; of a narrow one, divided by its width."""
        m = self.m
        if self.unit is not None:
            from normcal.layers._gaussian import average

            return average(m.phi, self.a, self.width)
        if self.leftmost or self.rightmost:
            return 1.0 if self.leftmost and self.rightmost else m.Phi(self.b) if self.leftmost else m.Phi(-self.a)
        if self.b.mid <= 0.0:
            return m.Phi(self.b) - m.Phi(self.a)
        if self.a.mid >= 0.0:
            return m.Phi(-self.a) - m.Phi(-self.b)
        return 1.0 - m.Phi(self.a) - m.Phi(-self.b)

    def below(self):
        r"""Return :math:`\int_a^b \Phi`."""
        if self.unit is not None:
            return (self._left * self._rule[1]).sum()
        if self.leftmost:
            return _first(self.b)
        return _area(self.a, self.b, self.width)

    def above(self):
        r"""Return :math:`\int_a^b (1 - \Phi)`."""
        if self.unit is not None:
            return (self._right * self._rule[1]).sum()
        if self.rightmost:
            return _first(-self.a)
        return _area(-self.b, -self.a, self.width)

    def moved(self):
        r"""Return :math:`\int 1 - \Phi` over the part right of 0 less :math:`\int\Phi` over the part left of it."""
        if not self.leftmost and self.a.mid >= 0.0:
            return self.above()
        if not self.rightmost and self.b.mid <= 0.0:
            return -self.below()
        if self.unit is not None:  # what is left of 0 cancels its mirror image, which leaves (-a, b)
            from normcal.layers._gaussian import average

            rest = self.b + self.a
            return average(lambda z: self.m.Phi(-z), -self.a, rest) * (rest / self.width)
        left = 0.0 if self.leftmost else _first(self.a)
        right = 0.0 if self.rightmost else _first(-self.b)
        return left - right

    def both(self):
        r"""Return :math:`\operatorname{Var}\min(\max(Z, a), b)`."""
        from normcal.numerics.balls import ball

        if self.unit is not None:
            return self._narrow_variance()
        if self.leftmost and self.rightmost:
            return ball(1.0)
        if self.leftmost:
            return _clipped(self.b, self.m)
        if self.rightmost:
            return _clipped(-self.a, self.m)
        if self.b.mid <= 0.0:
            return _wide_variance(-self.b, -self.a, self.width, self.m)
        return _wide_variance(self.a, self.b, self.width, self.m)

    def _narrow_variance(self):
        r"""Return the variance over the squared width, from :math:`Y = (\min(Z, b) - a)_+/w` or its mirror image.

        :math:`E Y = \int_0^1 P(Y > v)\,dv` and :math:`E Y^2 = 2\int_0^1 v P(Y > v)\,dv`, so that for any c
        :math:`\operatorname{Var} Y = 2\int_0^1 (v - c) P(Y > v)\,dv + c^2 - (E Y - c)^2`. On the side where Y is mostly
        0, and with c next to its mean, nothing cancels.
        """
        from normcal.numerics.balls import Ball

        nodes, weights = self._rule
        beyond, reach = (self._right, nodes) if self.a.mid + self.b.mid >= 0.0 else (self._left, 1.0 - nodes)
        shares = beyond * weights
        mean = shares.sum()
        variance = (shares * (reach - mean.mid)).sum() * 2.0 + Ball(mean.mid).square()
        return Ball(variance.mid, variance.rad + mean.rad * mean.rad)

    @functools.cached_property
    def _rule(self):
        from normcal.layers._gaussian import unit_rule

        return unit_rule()

    @functools.cached_property
    def _left(self):
        r""":math:`\Phi` at the nodes of a narrow piece."""
        return self.m.Phi(self.a + self.width * self._rule[0])

    @functools.cached_property
    def _right(self):
        r""":math:`1 - \Phi` at the nodes of a narrow piece."""
        return self.m.Phi(-(self.a + self.width * self._rule[0]))


def _first(t):
    from normcal.layers._gaussian import excess

    return excess(t)[0]


def _area(a, b, width):
    r"""Return :math:`\int_a^b \Phi` of a wide interval."""
    if b.mid <= 0.0:
        return _first(b) - _first(a)
    if a.mid >= 0.0:
        return width + _first(-b) - _first(-a)
    return b + _first(-b) - _first(a)


def _clipped(t, m):
    """Return the variance of (Z + t)_+, from the side on which Z mostly lies."""
    from normcal.layers._gaussian import excess

    if t.mid <= 0.0:
        first, second = excess(t)
        return second - first * first
    return 1.0 + _clipped(-t, m) - 2.0 * m.Phi(-t)


def _wide_variance(a, b, width, m):
    """Return the variance of Z clipped to (a, b), b right of 0."""
    from normcal.layers._gaussian import excess

    if a.mid >= 0.0:
        (low, _), (high, square) = excess(-a), excess(-b)
        return _clipped(-a, m) + _clipped(-b, m) - 2.0 * (square + width * high - low * high)
    outside = _clipped(a, m) + _clipped(-b, m) - 2.0 * m.Phi(a) - 2.0 * m.Phi(-b)
    return 1.0 + outside + 2.0 * (_first(a) * _first(-b))


def _standardised(x: float, law):
    """Return (x - mean)/std; an infinite one would pass for the end of the line."""
    from normcal.numerics.balls import Ball

    z = (Ball(x) - law.mean) / law.std
    if not math.isfinite(z.mid):
        raise Unsupported("a kink lies more standard deviations from the mean than a double holds")
    return z


def _between(a: float, b: float) -> float:
    """Return a point inside (a, b)."""
    if math.isinf(a) and math.isinf(b):
        return 1.0
    if math.isinf(a):
        return b - max(1.0, abs(b))
    if math.isinf(b):
        return a + max(1.0, abs(a))
    middle = a + 0.5 * (b - a)
    if not a < middle < b:
        raise Unsupported("two kinks are neighbouring doubles")
    return middle


def _alive(weight) -> bool:
    return weight.mid != 0.0 or weight.rad != 0.0


def passed(low: float, high: float, law, m):
    """Return the probability that the input lies in (low, high), as a ball.

    >>> from normcal.law import STANDARD
    >>> from normcal.numerics.balls import BALLS
    >>> round(float(passed(-1.0, 1.0, STANDARD, BALLS).mid), 12)
    0.682689492137
    """
    from normcal.numerics.balls import Ball

    if law.std == 0.0:
        raise Unsupported("the formula divides by the std, which is 0")
    a, b = (_standardised(x, law) for x in (low, high))
    piece = _Piece(a, b, (Ball(high) - low) / law.std, Ball(high) - low, m)
    return piece.mass() * (1.0 if piece.unit is None else piece.width)
