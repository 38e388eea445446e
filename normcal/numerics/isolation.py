"""Roots of V(q) = q told apart on an interval: where there is none, where exactly one, and what stays open.

An equation gives V and V' at a point as balls, and bounds of V'' over an interval. By Taylor's theorem from both ends
these tell that V(q) - q has no zero there, or that it is monotone, and then its signs at the ends decide.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from normcal.numerics.balls import Ball

#: Points of the first grid, an odd share of decades so that no round number is one of them; and in all.
GRID, MOST_POINTS = 48, 1500
#: Intervals that may be open at once: where nearly all stay so, as along a function that is critical everywhere, finer
#: ones decide no more.
MOST_OPEN = 5 * GRID
#: Intervals narrower than this, as a ratio, are left open: a root of slope 1 cannot be told from none.
NARROW = 1.0 + 1e-4
#: What bounds computed from rounded bounds are widened by, relatively.
SLACK = 1e-13
ROUNDED = 2.0**-52
#: Open intervals are told as one where less than this ratio lies between them.
_NEAR = 1.2

_NONE, _ONE, _OPEN = range(3)

Interval = tuple[float, float]


@dataclass(frozen=True)
class Range:
    """All numbers between two; arithmetic rounds outwards by far more than a last place."""

    low: float
    high: float

    def __add__(self, other: Range) -> Range:
        return _widened(self.low + other.low, self.high + other.high, _size(self) + _size(other))

    def __sub__(self, other: Range) -> Range:
        return _widened(self.low - other.high, self.high - other.low, _size(self) + _size(other))

    def __mul__(self, other: Range | float) -> Range:
        other = other if isinstance(other, Range) else Range(other, other)
        ends = [x * y for x in (self.low, self.high) for y in (other.low, other.high)]
        return _widened(min(ends), max(ends), max(map(abs, ends)))

    def __truediv__(self, other: Range) -> Range:
        if not other.low > 0.0:
            return Range(-math.inf, math.inf)
        ends = [x / y for x in (self.low, self.high) for y in (other.low, other.high)]
        return _widened(min(ends), max(ends), max(map(abs, ends)))


def _size(x: Range) -> float:
    return max(abs(x.low), abs(x.high))


def _widened(low: float, high: float, size: float) -> Range:
    if not (math.isfinite(low) and math.isfinite(high)):
        return Range(-math.inf, math.inf)
    return Range(low - SLACK * size, high + SLACK * size)


def ranged(x: Ball) -> Range:
    """Return everything in a ball."""
    return Range(low_end(x), high_end(x))


def low_end(x: Ball) -> float:
    """Return a number that is no larger than anything in the ball."""
    return float(x.mid - x.rad) - ROUNDED * abs(float(x.mid))


def high_end(x: Ball) -> float:
    """Return a number that is no smaller than anything in the ball."""
    return float(x.mid + x.rad) + ROUNDED * abs(float(x.mid))


class Equation:
    """An equation V(q) = q on balls, q > 0, with V' at a point and bounds of V'' over an interval."""

    def prepare(self, qs: Iterable[float]) -> None:
        """Be told of points that will be asked for together."""

    def taylor(self, q: float) -> tuple[Ball, Ball]:
        """Return V(q) and V'(q)."""
        raise NotImplementedError

    def curvature(self, a: float, b: float) -> Range:
        """Return bounds of V'' on [a, b]."""
        raise NotImplementedError

    def off(self, q: float) -> Ball:
        """Return V(q) - q."""
        return self.taylor(q)[0] - q

    def verdict(self, a: float, b: float) -> int:
        """Tell whether an interval holds no root, exactly one, or that this is open."""
        curvature, width = self.curvature(a, b), Range(0.0, (b - a) * (1.0 + SLACK))
        slopes = []
        for at, way in ((a, 1.0), (b, -1.0)):
            off, slope = self.off(at), ranged(self.taylor(at)[1] - 1.0)
            around = ranged(off) + slope * width * way + curvature * (width * width) * 0.5
            if around.low > 0.0 or around.high < 0.0:
                return _NONE
            slopes.append(slope + curvature * width * way)
        if not any(slope.low > 0.0 or slope.high < 0.0 for slope in slopes):
            return _OPEN
        left, right = sign(self.off(a)), sign(self.off(b))
        if left * right == 0:
            return _OPEN
        return _ONE if left != right else _NONE


def isolated(equation: Equation, low: float, high: float) -> tuple[list[Interval], list[Interval], bool]:
    """Return intervals that hold exactly one root each, those left open, and whether every point tried is one.

    The ends are positive. Intervals are halved until each is decided or too narrow, as long as no more than
    ``MOST_OPEN`` are waiting, and up to ``MOST_POINTS`` points.
    """
    grid = [low * (high / low) ** (k / (GRID - 1)) for k in range(GRID)]
    grid[-1] = high
    equation.prepare(grid)
    offs = [equation.off(q) for q in grid]
    if all(abs(float(x.mid)) <= float(x.rad) + 1e-13 * q for x, q in zip(offs, grid, strict=True)):
        return [], [], True
    single, left, spent = [], [], GRID
    waiting = list(itertools.pairwise(grid))
    while waiting:
        undecided = []
        for a, b in waiting:
            verdict = equation.verdict(a, b)
            if verdict == _ONE:
                single.append((a, b))
            elif verdict == _OPEN:
                undecided.append((a, b))
        left += [(a, b) for a, b in undecided if b / a < NARROW]
        halves = {(a, b): a * (b / a) ** 0.47 for a, b in undecided if b / a >= NARROW}  # hardly ever on a root
        if len(halves) > MOST_OPEN or spent + len(halves) > MOST_POINTS:
            left += halves
            break
        equation.prepare(halves.values())
        spent += len(halves)
        waiting = [half for (a, b), middle in halves.items() for half in ((a, middle), (middle, b))]
    return sorted(single), joined(left), False


def sign(x: Ball) -> int:
    """Return the sign of everything in the ball, or 0."""
    if not abs(float(x.mid)) > float(x.rad):
        return 0
    return 1 if x.mid > 0.0 else -1


def joined(intervals: list[Interval]) -> list[Interval]:
    """Return the intervals in order, those that all but touch as one."""
    found: list[Interval] = []
    for a, b in sorted(intervals):
        if found and a <= found[-1][1] * _NEAR:
            found[-1] = (found[-1][0], b)
        else:
            found.append((a, b))
    return found


def enclosed(
    off: Callable[[float], Ball], low: float, high: float, near: Callable[[float], float] | None = None
) -> tuple[float, float] | None:
    """Return a root in [low, high] and a radius around it within which the sign certainly changes; None if it does not.

    The ends have certain and opposite signs. ``near`` is about the same and quicker: the root is then found by it.
    """
    from scipy.optimize import brentq

    quick = near or (lambda x: float(off(x).mid))
    if quick(low) * quick(high) >= 0.0:
        return None if near is None else enclosed(off, low, high)
    found = brentq(quick, low, high, xtol=1e-300, rtol=4.0 * ROUNDED, maxiter=200)
    at, steep = off(found), _steepness(quick, found, low, high)
    if near is not None and low < found - float(at.mid) / steep < high:
        found -= float(at.mid) / steep
        at = off(found)
    reach = 4.0 * (abs(float(at.mid)) + float(at.rad)) / abs(steep) + 4.0 * ROUNDED * abs(found)
    start = sign(off(low))
    while True:
        a, b = max(found - reach, low), min(found + reach, high)
        if sign(off(a)) == start and sign(off(b)) == -start:
            return found, max(found - a, b - found) * (1.0 + 1e-9)
        if (a, b) == (low, high):
            return None
        reach *= 4.0


def _steepness(f: Callable[[float], float], x: float, low: float, high: float) -> float:
    """Return about the slope of f at a root between the ends, and never 0."""
    step = 1e-5 * min(x - low, high - x) or 1e-3 * (high - low)
    a, b = max(x - step, low), min(x + step, high)
    return (f(b) - f(a)) / (b - a) or (f(high) - f(low)) / (high - low)
