r"""Mean-field maps of wide networks: lengths, correlations, their fixed points, depth scales, and the edge of chaos.

A layer :math:`h' = W f(h) + b` with weights :math:`N(0, \sigma_w^2/n)` and biases :math:`N(0, \sigma_b^2)` takes
preactivations of variance q to :math:`V(q) = \sigma_w^2 E f(x)^2 + \sigma_b^2`, :math:`x = \mu + \sqrt q z`, and their
correlation c, at a fixed point :math:`q^* = V(q^*)`, to :math:`C(c) = (\sigma_w^2 \hat f(c) + \sigma_b^2)/q^*`
(Poole et al. 2016, arXiv:1606.05340; Schoenholz et al. 2017, arXiv:1611.01232).

Roots are isolated, not only found (``numerics/isolation.py``). For any f, :math:`\sqrt q\,E f(x)^2` rises with q,
since :math:`\sqrt q` times the density of x does at every x; the same holds of :math:`q^{k+1/2} E f(x)^2 z^{2k}`. So
the integrals at the ends of an interval bound V, V' and V'' everywhere in it.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from normcal.errors import RequestError, echo
from normcal.kernel import INTEGRAL, MEHLER, Figure, Kernel, component, figure
from normcal.law import Normal
from normcal.layer import FORWARD, Layer
from normcal.numerics.isolation import (
    ROUNDED,
    SLACK,
    Equation,
    Interval,
    Range,
    enclosed,
    high_end,
    isolated,
    joined,
    low_end,
    ranged,
    sign,
)
from normcal.result import INFINITE, OK, UNDEFINED

if TYPE_CHECKING:
    from normcal.numerics.balls import Ball

#: The interval of q on which fixed points are searched, and that for points of the critical line: at small q every
#: function is nearly linear and every point nearly critical.
INTERVAL, CRITICAL_INTERVAL = (1e-4, 1e4), (1e-2, 1e2)
SMALLEST, LARGEST = 1e-100, 1e100


@dataclass(frozen=True)
class CorrelationPoint:
    """A fixed point c* of the correlation map, its slope there, and the depth scale of the way to it."""

    c: Figure
    slope: Figure
    stable: bool | None
    depth: Figure

    def data(self) -> dict:
        return {"c": self.c.data(), "slope": self.slope.data(), "stable": self.stable, "xi_c": self.depth.data()}


@dataclass(frozen=True)
class FixedPoint:
    """A fixed point q* of the q-map: its slope, stability, depth scale, chi, and the correlations that stay there."""

    q: Figure
    slope: Figure
    stable: bool | None
    depth: Figure
    chi: Figure
    correlations: tuple[CorrelationPoint, ...] = ()
    notes: tuple[str, ...] = ()

    def data(self) -> dict:
        return {
            "q": self.q.data(), "slope": self.slope.data(), "stable": self.stable, "xi_q": self.depth.data(),
            "chi": self.chi.data(), "correlations": [point.data() for point in self.correlations],
        }  # fmt: skip


@dataclass(frozen=True)
class FixedPoints:
    """All fixed points of a q-map on an interval of q, and at 0; ``open`` are intervals left undecided.

    ``everywhere``: every q that was tried is a fixed point within its error, as for a homogeneous f at criticality.
    """

    points: tuple[FixedPoint, ...]
    low: float
    high: float
    open: tuple[Interval, ...] = ()
    everywhere: bool = False
    notes: tuple[str, ...] = field(default=())

    def data(self) -> dict:
        return {
            "interval": [self.low, self.high],
            "points": [point.data() for point in self.points],
            "open": [list(interval) for interval in self.open],
            "everywhere": self.everywhere,
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class CriticalPoints:
    """The points of the critical line at one sigma_b with q* on an interval; ``open``: intervals left undecided."""

    points: tuple[CriticalPoint, ...]
    low: float
    high: float
    open: tuple[Interval, ...] = ()
    notes: tuple[str, ...] = ()

    def __iter__(self):
        return iter(self.points)

    def __len__(self) -> int:
        return len(self.points)

    def data(self) -> dict:
        return {
            "interval": [self.low, self.high],
            "points": [point.data() for point in self.points],
            "open": [list(interval) for interval in self.open],
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class CriticalPoint:
    """A point of the critical line: chi = 1 at the fixed point q; q is None where any q is one."""

    sigma_w: Figure
    sigma_b: Figure
    q: Figure | None

    def data(self) -> dict:
        return {"sigma_w": self.sigma_w.data(), "sigma_b": self.sigma_b.data(), "q": self.q and self.q.data()}


# --- what both maps are made of ---


class Squares:
    r"""Balls of :math:`E f(x)^2 z^{2k}`, k = 0, 1, 2, and the same of f', for x = mean + sqrt(q) z, kept by q."""

    def __init__(self, layer: Layer, mean: float) -> None:
        self.layer, self.mean = layer, mean
        self._known: dict[tuple[int, float], tuple[Ball, ...]] = {}

    def prepare(self, qs, orders=(0,)) -> None:
        """Integrate at many q together."""
        wanted = [(order, q) for q in qs for order in orders if (order, q) not in self._known]
        self._known.update(zip(wanted, self.around([(order, q) for order, q in wanted]), strict=True))

    def around(self, wanted) -> list[tuple[Ball, ...]]:
        """Return what there is at each (order of the derivative, q); q may be a ball."""
        from normcal.engines import _kernels

        parts = []
        for order, q in wanted:
            c = _kernels.derived(component(self.layer, self.mean, root(q)), order)
            parts += [c, _kernels.times_z(c), _kernels.times_z(_kernels.times_z(c))]
        found = _kernels.squares(parts)
        rows = [found[3 * k : 3 * k + 3] for k in range(len(wanted))]  # g'(z) = sqrt(q) f'(x)
        return [tuple(x / q if order else x for x in row) for row, (order, q) in zip(rows, wanted, strict=True)]

    def at(self, q: float, order: int = 0) -> tuple[Ball, ...]:
        """Return E f^2 z^0, z^2, z^4, or those of f'."""
        if (order, q) not in self._known:
            self.prepare([q], (order,))
        return self._known[order, q]

    def taylor(self, q: float, order: int = 0) -> tuple[Ball, Ball]:
        """Return E f^2 and its derivative (E f^2 z^2 - E f^2)/(2q)."""
        square, square_z, _ = self.at(q, order)
        return square, (square_z - square) / (_exact(q) * 2.0)

    def within(self, a: float, b: float, order: int = 0) -> list[Range]:
        """Return bounds of E f^2 and its first two derivatives for q in [a, b]: E f^2 z^2k times q^(k + 1/2) rises."""
        ratio = b / a * (1.0 + SLACK)
        pairs = zip(self.at(a, order), self.at(b, order), (0.5, 1.5, 2.5), strict=True)
        zero, two, four = (Range(max(low_end(x), 0.0) * ratio**-p, high_end(y) * ratio**p) for x, y, p in pairs)
        q = Range(a, b)
        return [zero, (two - zero) / (q * 2.0), (four - two * 6.0 + zero * 3.0) / (q * q * 4.0)]


def root(q: float | Ball) -> Ball:
    """Return the square root as a ball."""
    from normcal.numerics.balls import BALLS, ball

    return BALLS.sqrt(ball(q))


class _Lengths(Equation):
    """The q-map of a network."""

    def __init__(self, squares: Squares, sigma_w: float, sigma_b: float) -> None:
        self.squares = squares
        self.weight, self.bias = _exact(sigma_w).square(), _exact(sigma_b).square()

    def prepare(self, qs) -> None:
        self.squares.prepare(qs)

    def taylor(self, q: float) -> tuple[Ball, Ball]:
        square, slope = self.squares.taylor(q)
        return square * self.weight + self.bias, slope * self.weight

    def curvature(self, a: float, b: float) -> Range:
        return self.squares.within(a, b)[2] * ranged(self.weight)


class _Critical(Equation):
    """The condition chi = 1 at a fixed point: E f^2 / E f'^2 + sigma_b^2 = q."""

    def __init__(self, squares: Squares, sigma_b: float) -> None:
        self.squares = squares
        self.bias = _exact(sigma_b).square()

    def prepare(self, qs) -> None:
        self.squares.prepare(qs, (0, 1))

    def taylor(self, q: float) -> tuple[Ball, Ball]:
        (value, rise), (slope, bend) = self.squares.taylor(q), self.squares.taylor(q, 1)
        ratio = value / slope
        return ratio + self.bias, (rise - ratio * bend) / slope

    def curvature(self, a: float, b: float) -> Range:
        (value, rise, curve), (slope, bend, twist) = self.squares.within(a, b), self.squares.within(a, b, 1)
        ratio = value / slope
        steep = (rise - ratio * bend) / slope
        return (curve - steep * bend * 2.0 - ratio * twist) / slope


def _exact(x: float) -> Ball:
    from normcal.numerics.balls import Ball

    return Ball(x)


# --- networks ---


class Network:
    r"""The maps of a wide network at given :math:`\sigma_w` and :math:`\sigma_b`, all its numbers with bounds.

    Parameters
    ----------
    layer: the activation, an elementwise layer of one function.
    mean: a constant added to every preactivation; 0 in the literature.
    sigma_w, sigma_b: the stds of weights (times the root of the fan-in) and biases.

    Examples
    --------
    >>> from normcal import catalog
    >>> tanh = Network(catalog.layer("tanh"), sigma_w=1.5, sigma_b=0.1)
    >>> (found,) = tanh.fixed_points().points
    >>> found.stable, len(found.correlations)
    (True, 2)
    """

    def __init__(self, layer: Layer, mean: float = 0.0, sigma_w: float = 1.0, sigma_b: float = 0.0) -> None:
        self.layer, self.mean = layer, float(mean)
        self.sigma_w, self.sigma_b = checked("sigma_w", sigma_w), checked("sigma_b", sigma_b)
        self.squares = Squares(layer, self.mean)
        self.lengths = _Lengths(self.squares, self.sigma_w, self.sigma_b)

    def q_map(self, q: float) -> Figure:
        r"""Return :math:`V(q) = \sigma_w^2 E f^2 + \sigma_b^2`."""
        q = checked("q", q)
        if q == 0.0:
            return figure(self._at_zero() * self.lengths.weight + self.lengths.bias)
        reason = self.layer.infinite(FORWARD, self._law(q))
        return Figure(status=INFINITE, reason=reason) if reason else figure(self.lengths.taylor(q)[0])

    def q_slope(self, q: float | Ball) -> Figure:
        r"""Return :math:`V'(q) = \sigma_w^2 E[f(x)^2(z^2 - 1)]/(2q)`, which is that of functions that jump, too."""
        if not hasattr(q, "mid") and checked("q", q) == 0.0:
            return self._slope_at_zero()
        square, square_z, _ = self._around(q, 0)
        return figure((square_z - square) * self.lengths.weight / (q * 2.0))

    def chi(self, q: float | Ball) -> Figure:
        r"""Return :math:`\chi = \sigma_w^2 E f'(x)^2`: the slope of the correlation map at 1."""
        if not hasattr(q, "mid") and checked("q", q) == 0.0:
            return self._chi_at_zero()
        reason = self._kernel(q)._infinite(1)
        if reason:
            return Figure(status=INFINITE, route=INTEGRAL, reason=reason)
        return figure(self._around(q, 1)[0] * self.lengths.weight)

    def _around(self, q: float | Ball, order: int) -> tuple[Ball, ...]:
        return self.squares.around([(order, q)])[0] if hasattr(q, "mid") else self.squares.at(q, order)

    def _kernel(self, q: float | Ball) -> Kernel:
        return Kernel(self.layer, self.mean, root(q))

    def _law(self, q: float) -> Normal:
        return Normal(self.mean, math.sqrt(q))

    # --- at q = 0 ---

    @property
    def _function(self):
        return self.layer.components(FORWARD, self._law(1.0))[0].f

    def _at_zero(self) -> Ball:
        from normcal.numerics.balls import BALLS, ball

        return ball(self._function(ball(self.mean), BALLS)).square()

    @functools.cached_property
    def _sides(self) -> tuple[Ball, Ball]:
        """f' squared just left and just right of the mean."""
        from normcal.numerics.balls import BALLS, ball
        from normcal.numerics.duals import Duals

        f = self._function
        near = [math.nextafter(self.mean, side) for side in (-math.inf, math.inf)]
        return tuple(ball(Duals(BALLS).derivative(f, ball(x))).square() for x in near)

    def _chi_at_zero(self) -> Figure:
        left, right = self._sides
        return figure((left + right) * 0.5 * self.lengths.weight)

    def _slope_at_zero(self) -> Figure:
        zero = self._at_zero()
        if zero.mid != 0.0 or zero.rad > 1e-300:
            return Figure(status=UNDEFINED, reason="at q = 0 the slope is given for functions that are 0 there")
        return self._chi_at_zero()  # E f(sqrt(q) z)^2 / q tends to the mean of the one-sided squares

    # --- fixed points ---

    def fixed_points(
        self, low: float = INTERVAL[0], high: float = INTERVAL[1], correlations: bool = True
    ) -> FixedPoints:
        r"""Return every fixed point q* of the q-map on [low, high], and at 0, with stability, chi and depth scales.

        An interval in which no root can be, or exactly one, is told by bounds that hold for every q in it; what
        these leave open, a root at which the slope is 1, is listed as such. The error of q* is the radius of an
        interval at whose ends the signs of V(q) - q are certain and differ.

        >>> from normcal import catalog
        >>> found = Network(catalog.layer("relu"), sigma_w=1.0, sigma_b=1.0).fixed_points().points[0]
        >>> round(found.q.value, 12), round(found.slope.value, 12)  # q = q/2 + 1
        (2.0, 0.5)
        """
        low, high = interval(low, high)
        low, high, notes = self._served(low, high)
        points = self._zero()
        single, left, everywhere = isolated(self.lengths, low, high)
        for a, b in single:
            found = enclosed(self.lengths.off, a, b)
            if found is None:
                left = joined([*left, (a, b)])
            else:
                points.append(self._point(*found, correlations))
        if everywhere:
            notes = [*notes, "every q that was tried is a fixed point within its error: the map is the identity"]
        return FixedPoints(tuple(points), low, high, tuple(left), everywhere, tuple(notes))

    def _served(self, low: float, high: float) -> tuple[float, float, list[str]]:
        """Return the part of the interval on which E f^2 is finite and can be computed, from below."""
        if self._computes(high):
            return low, high, []
        if not self._computes(low):
            raise RequestError(
                f"{self.layer.spec}: E f^2 is infinite, or cannot be computed, at q = {low:g}.",
                "Accepted: a smaller lower end of q.",
            )
        inside, outside = low, high
        while outside / inside > 1.01:
            middle = math.sqrt(inside * outside)
            inside, outside = (middle, outside) if self._computes(middle) else (inside, middle)
        return low, inside, [f"above q = {inside:.4g} E f^2 is infinite or too large to be computed"]

    def _computes(self, q: float) -> bool:
        if self.layer.infinite(FORWARD, self._law(q)):
            return False
        try:
            balls = self.squares.at(q)
        except RequestError:
            return False
        return all(math.isfinite(float(x.mid)) and math.isfinite(float(x.rad)) for x in balls)

    def _zero(self) -> list[FixedPoint]:
        """Return q = 0 where it is a fixed point: no biases, and f(mean) exactly 0."""
        at = self._at_zero()
        if self.sigma_b != 0.0 or at.mid != 0.0 or at.rad > 1e-300:
            return []
        slope = self._slope_at_zero()
        chi = self._chi_at_zero()
        return [FixedPoint(Figure(0.0, 0.0), slope, stable(slope), depth(slope), chi)]

    def _point(self, q: float, error: float, correlations: bool) -> FixedPoint:
        from normcal.numerics.balls import Ball

        ball = Ball(q, error)
        slope, chi = self.q_slope(ball), self.chi(ball)
        found, notes = self.correlations(q, error) if correlations else ((), ())
        return FixedPoint(Figure(q, error, OK, "root"), slope, stable(slope), depth(slope), chi, found, notes)

    def correlations(self, q: float, error: float = 0.0) -> tuple[tuple[CorrelationPoint, ...], tuple[str, ...]]:
        r"""Return the fixed points of the correlation map at a fixed point q* of the q-map, and remarks.

        C is a power series with positive coefficients that add up to 1, so that it is convex on [0, 1]: besides c = 1
        there is at most one fixed point there, and it is there if and only if :math:`C'(1) = \chi > 1` (or C(0) = 0).
        On [-1, 0) there is none, but for -1 where f is odd and there are no biases.
        """
        maps = _Correlations(self, q, error)
        chi = self.chi(maps.q)
        points = [CorrelationPoint(Figure(1.0, 0.0), chi, stable(chi), depth(chi))]
        if stable(chi) is not False:
            return tuple(points), (() if stable(chi) else ("chi is 1 within its error",))
        found = maps.inner()
        if found is None:
            return tuple(points), ("c* is too close to 1 to be told from it",)
        c, slope = found
        return (CorrelationPoint(c, slope, stable(slope), depth(slope)), *points), ()


class _Correlations:
    """The correlation map at a fixed point, on balls."""

    def __init__(self, network: Network, q: float, error: float) -> None:
        from normcal.numerics.balls import Ball

        self.q = Ball(q, error)
        self.kernel = network._kernel(self.q)
        self.weight, self.bias = network.lengths.weight, network.lengths.bias

    def off(self, c: float) -> Ball:
        """Return sigma_w^2 dual(c) + sigma_b^2 - c q*."""
        from normcal.numerics.balls import Ball

        dual = self.kernel.dual(c)
        return Ball(dual.value, dual.error) * self.weight + self.bias - self.q * c

    def near(self, c: float) -> float:
        """Return about the same by the Hermite series alone."""
        dual = self.kernel.dual(c, MEHLER)
        return float(self.weight.mid) * dual.value + float(self.bias.mid) - float(self.q.mid) * c

    def slope(self, c: float) -> Ball:
        from normcal.numerics.balls import Ball

        found = self.kernel.slope_at(c)
        return Ball(found.value, found.error) * self.weight / self.q

    def inner(self) -> tuple[Figure, Figure] | None:
        """Return c* in [0, 1) and the slope there; None where it cannot be told from 1."""
        above = next((1.0 - 10.0**-k for k in range(1, 14) if sign(self.off(1.0 - 10.0**-k)) < 0), None)
        if above is None:
            return None
        if sign(self.off(0.0)) <= 0:  # C(0) >= 0 always: it is 0 within its error, and so is c*
            reach = next((x for x in (10.0**-k for k in range(30, 0, -1)) if sign(self.off(x)) < 0), None)
            enclosure = None if reach is None else (0.0, 0.0, reach)
        else:
            found = enclosed(self.off, 0.0, above, self.near)
            enclosure = found and (found[0], max(found[0] - found[1], 0.0), found[0] + found[1])
        if enclosure is None:
            return None
        c, low, high = enclosure
        least, largest = self.slope(low), self.slope(high)  # C' rises on [0, 1]
        middle = 0.5 * (low_end(least) + high_end(largest))
        error = 0.5 * (high_end(largest) - low_end(least)) * (1.0 + 1e-9) + ROUNDED * abs(middle)
        return Figure(c, max(high - c, c - low), OK, "root"), Figure(middle, error, OK, INTEGRAL)


def stable(slope: Figure) -> bool | None:
    """Whether a fixed point of this slope attracts; None where the slope is 1 within its error."""
    if slope.status == INFINITE:
        return False
    if slope.value is None or slope.error is None:
        return None
    if abs(slope.value) + slope.error < 1.0:
        return True
    return False if abs(slope.value) - slope.error > 1.0 else None


def depth(slope: Figure) -> Figure:
    r"""Return the depth scale :math:`\xi = -1/\log|slope|`, over which the distance to a fixed point falls by e.

    >>> round(depth(Figure(0.5, 1e-15)).value, 9)
    1.442695041
    """
    from normcal.numerics.balls import BALLS, Ball

    attracting = stable(slope)
    if attracting is False:
        return Figure(status=UNDEFINED, reason="the fixed point is unstable")
    if attracting is None:
        return Figure(status=UNDEFINED, reason="the slope is 1 within its error")
    if abs(slope.value) <= slope.error < 0.1 or slope.value == slope.error == 0.0:
        return Figure(0.0, -1.0 / math.log(2.0 * slope.error) if slope.error else 0.0, OK)
    return figure(-1.0 / BALLS.log(Ball(abs(slope.value), slope.error)))


# --- the critical line ---


def critical_at(layer: Layer, q: float, mean: float = 0.0) -> CriticalPoint | None:
    r"""Return the point of the critical line whose fixed point is q; None where sigma_b^2 would be negative there.

    :math:`\sigma_w^2 = 1/E f'^2` makes chi 1, and :math:`\sigma_b^2 = q - \sigma_w^2 E f^2` makes q a fixed point.

    >>> from normcal import catalog
    >>> found = critical_at(catalog.layer("tanh"), 1.0)
    >>> round(found.sigma_w.value, 6), round(found.sigma_b.value, 6)
    (1.467414, 0.388542)
    """
    from normcal.numerics.balls import BALLS

    squares = Squares(layer, float(mean))
    q = checked("q", q, above=0.0)
    if Network(layer, mean).chi(q).status == INFINITE:
        return None
    value, slope = squares.at(q)[0], squares.at(q, 1)[0]
    bias = -(value / slope) + q
    if bias.mid < -bias.rad or not slope.mid > slope.rad:
        return None
    none = Figure(0.0, math.sqrt(float(bias.upper)), OK, INTEGRAL)
    biases = none if bias.mid <= bias.rad else figure(BALLS.sqrt(bias))
    return CriticalPoint(figure(1.0 / BALLS.sqrt(slope)), biases, Figure(q, 0.0, OK))


def critical(
    layer: Layer,
    mean: float = 0.0,
    sigma_b: float = 0.0,
    low: float = CRITICAL_INTERVAL[0],
    high: float = CRITICAL_INTERVAL[1],
) -> CriticalPoints:
    r"""Return the points of the critical line at this :math:`\sigma_b`: where :math:`\chi = 1` at a fixed point.

    All with q* on [low, high], and the limit q* = 0 where :math:`\sigma_b = 0` and f(mean) = 0. For a homogeneous f
    every q is one: a single point with q None.

    >>> from normcal import catalog
    >>> [point] = critical(catalog.layer("relu"))  # He et al. 2015
    >>> round(point.sigma_w.value ** 2, 12), point.q
    (2.0, None)
    """
    from normcal.numerics.balls import BALLS, Ball

    sigma_b = checked("sigma_b", sigma_b)
    network = Network(layer, mean, 1.0, sigma_b)
    low, high, notes = network._served(*interval(low, high))
    chi = network.chi(math.sqrt(low * high))
    if chi.status == INFINITE:
        return CriticalPoints((), low, high, notes=(f"chi is infinite at every sigma_w, since {chi.reason}",))
    if chi.value is None:
        return CriticalPoints((), low, high, notes=("chi cannot be computed",))
    if chi.value == 0.0:
        return CriticalPoints((), low, high, notes=("chi is 0 at every sigma_w",))
    equation = _Critical(network.squares, sigma_b)
    given = Figure(sigma_b, 0.0, OK)
    single, left, everywhere = isolated(equation, low, high)
    if everywhere:
        slope = network.squares.at(low, 1)[0]
        return CriticalPoints((CriticalPoint(figure(1.0 / BALLS.sqrt(slope)), given, None),), low, high)
    points = []
    if network._zero():
        slope = network._chi_at_zero()
        if slope.value and slope.value > slope.error:
            weight = figure(1.0 / BALLS.sqrt(Ball(slope.value, slope.error)))
            points.append(CriticalPoint(weight, given, Figure(0.0, 0.0)))
    for a, b in single:
        found = enclosed(equation.off, a, b)
        if found is not None:
            slope = network._around(Ball(*found), 1)[0]
            points.append(CriticalPoint(figure(1.0 / BALLS.sqrt(slope)), given, Figure(*found, OK, "root")))
        else:
            left = joined([*left, (a, b)])
    return CriticalPoints(tuple(points), low, high, tuple(left), tuple(notes))


def checked(name: str, value: float, above: float = -1.0) -> float:
    """Return a number that may be 0 or more, or refuse it by its name."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not (0.0 <= value <= LARGEST and value > above):
        raise RequestError(f"{name} cannot be {echo(value)}.", f"Accepted: a number in [0, {LARGEST:g}].")
    return float(value) + 0.0


def interval(low: float, high: float) -> Interval:
    """Return an interval of q, or refuse it."""
    low, high = checked("the lower end of q", low), checked("the upper end of q", high)
    if not SMALLEST <= low < high:
        raise RequestError(
            f"q cannot be searched from {low:g} to {high:g}.", f"Accepted: {SMALLEST:g} <= lower end < upper end."
        )
    return low, high
