"""Where functions with errors are zero: what a search is and finds, and every sign change in one unknown.

A function takes many points at once and returns, for each, a Value a condition: what is left of it, with the error
of that. An absent value says that the function is not defined there. Nothing here knows what the functions mean.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from normcal.value import Value

Point = tuple[float, ...]
Function = Callable[[Sequence[Point]], list[tuple[Value, ...]]]

#: Points of a scan.
SCANNED = 128
#: How a solution is one: the function changes sign, touches 0, is 0 all around, all functions are 0, or none is.
CROSSES, TOUCHES, EVERYWHERE, MEETS, MISSES = "crosses", "touches", "everywhere", "meets", "misses"
JUMPS = "jumps"
#: Intervals wider than this are also looked at on a scale that widens with the distance from 0.
_WIDE = 20.0
#: A jump leaves this much of what the function is at the ends of its bracket; a root leaves nothing.
_JUMP = 1e-6
#: Solutions this close, relative to the intervals, are one.
_NEAR = 1e-7
#: When a dip has been looked at this closely, relatively, it shows whether it leads to 0.
_NARROW = 1e-3
#: The step of a difference, relative to the point.
STEP = 6e-6
_EPS = 2.0**-52


@dataclass(frozen=True)
class Axis:
    """An unknown, the interval that is searched for it, and where it stood before."""

    name: str
    low: float
    high: float
    start: float | None = None

    def at(self, t: float) -> float:
        """Return the point a share ``t`` of the way: evenly on narrow intervals, else ever faster away from 0."""
        if t <= 0.0 or t >= 1.0:
            return self.low if t <= 0.0 else self.high
        first, last = self._warp(self.low), self._warp(self.high)
        return min(max(self._unwarp(first + (last - first) * t), self.low), self.high)

    def share(self, x: float) -> float:
        """Return how far along the interval a point lies.

        >>> Axis("a", -100.0, 100.0).share(0.0)
        0.5
        """
        first, last = self._warp(self.low), self._warp(self.high)
        return min(max((self._warp(x) - first) / (last - first), 0.0), 1.0)

    def grid(self, count: int) -> list[float]:
        """Return that many points with both ends, half of them evenly, half by ``at``, and the start."""
        even = count if self._narrow else count // 2
        points = {self.low + (self.high - self.low) * (k / (even - 1)) for k in range(even - 1)} | {self.high}
        if not self._narrow:
            points |= {self.at((k + 0.5) / (count - even)) for k in range(count - even)}
        return sorted(points if self.start is None else points | {self.start})

    @property
    def _narrow(self) -> bool:
        return max(abs(self.low), abs(self.high)) <= _WIDE and not 0.0 < 100.0 * self.low < self.high

    def _warp(self, x: float) -> float:
        if self.low > 0.0:
            return math.log(x) if self.high > 100.0 * self.low else x
        return x if self._narrow else math.asinh(x)

    def _unwarp(self, u: float) -> float:
        if self.low > 0.0:
            return math.exp(u) if self.high > 100.0 * self.low else u
        return u if self._narrow else math.sinh(u)


@dataclass(frozen=True)
class Root:
    """A point, what the conditions leave there, and what is known of it.

    The error of a coordinate is proved where ``certain``: between two points where the sign is beyond doubt. Else it
    is estimated from the Jacobian, or None. ``rank`` is that of the Jacobian.
    """

    point: tuple[Value, ...]
    left: tuple[Value, ...]
    how: str
    certain: bool = False
    rank: int = 1
    #: From where to where the conditions are met, if they are all the way.
    reach: tuple[float, float] | None = None

    @property
    def worst(self) -> float:
        """The largest that is left of any condition."""
        return max(abs(value.value) for value in self.left)


@dataclass(frozen=True)
class Search:
    """What was looked at and found: roots in the order of their coordinates, and else the best that there is."""

    roots: tuple[Root, ...]
    best: Root | None
    #: Points that were looked at, and those of them where some condition has no value.
    points: int
    undefined: int
    #: From where to where each condition went over those points; None where it never had a value.
    ranges: tuple[tuple[float, float] | None, ...]
    #: Descents that were made, and those that ended in a root; none in a scan.
    starts: int = 0
    arrived: int = 0
    #: Where the sign changes by a jump.
    jumps: tuple[float, ...] = ()
    #: Whether the values of a scan only grow (1), or only fall (-1).
    trend: int = 0


class Undefined(Exception):
    """The function has no value where one is needed."""


def _stated(value: Value) -> Value:
    """Return a value that says how far it may be off; one that does not is none to build on."""
    told = None not in (value.value, value.error) and math.isfinite(value.value) and math.isfinite(value.error)
    return value if told else Value()


class Watched:
    """A function that remembers how far its values reach and how often it had none."""

    def __init__(self, f: Function) -> None:
        self.f = f
        self.points = self.undefined = 0
        self.reaches: list[list[float]] = []

    def __call__(self, points: Sequence[Point]) -> list[tuple[Value, ...]]:
        found = [tuple(map(_stated, values)) for values in self.f(points)] if points else []
        for values in found:
            self.points += 1
            self.undefined += any(value.value is None for value in values)
            for place, value in enumerate(values):
                if place == len(self.reaches):
                    self.reaches.append([])
                if value.value is not None:
                    self._reached(self.reaches[place], value.value)
        return found

    def at(self, x: float) -> Value:
        """Return the one condition at one point of one unknown, or raise."""
        (value,) = self([(x,)])[0]
        if value.value is None:
            raise Undefined
        return value

    @staticmethod
    def _reached(reach: list[float], value: float) -> None:
        reach[:] = [min(value, *reach), max(value, *reach)] if reach else [value, value]

    @property
    def ranges(self) -> tuple[tuple[float, float] | None, ...]:
        return tuple((reach[0], reach[1]) if reach else None for reach in self.reaches)


# -- one unknown


def one(f: Function, axis: Axis, count: int = SCANNED) -> Search:
    """Return every zero that a scan of one condition over an interval shows.

    Each sign change is followed to neighbouring doubles (Brent's method), each dip towards 0 to its bottom. What lies
    between two points of the scan and neither changes the sign nor dips there is not seen.

    Parameters
    ----------
    f: a function of one unknown with one condition.
    axis: the unknown and its interval.
    count: how many points to scan.

    Returns
    -------
    The Search. The error of a root that ``crosses`` is proved, if ``certain``: the sign on either side of it, that
    far away, is beyond the errors of the function, so that a continuous function has a zero between.

    Examples
    --------
    >>> found = one(lambda points: [(Value(x * x - 2.0, 1e-15),) for (x,) in points], Axis("x", 0.0, 3.0))
    >>> [round(root.point[0].value, 12) for root in found.roots], found.roots[0].point[0].error < 1e-14
    ([1.414213562373], True)
    """
    watched = Watched(f)
    points = _scan(watched, axis, count)
    scanned, undefined, ranges = watched.points, watched.undefined, watched.ranges
    roots: list[Root] = []
    for section in _sections(points):
        roots += [_level(run, axis) for run in _levels(section)]
        for a, b, how in _suspects(watched, section):
            roots += _crossing(watched, a, b) if how == CROSSES else _touching(watched, a, b)
    jumps = [root.point[0].value for root in roots if root.how == JUMPS]
    roots = distinct([root for root in roots if root.how != JUMPS], [axis])
    best = None if roots else _least(points)
    return Search(tuple(roots), best, scanned, undefined, ranges, jumps=tuple(jumps), trend=_trend(points))


def _trend(points: list[tuple[float, Value]]) -> int:
    """Return 1 where the values of a scan only grow, beyond their errors, -1 where they only fall, else 0."""
    signs = set()
    for (_, a), (_, b) in itertools.pairwise(points):
        if None in (a.value, b.value, a.error, b.error):
            return 0
        rise = b.value - a.value
        signs.add(0 if abs(rise) <= a.error + b.error else math.copysign(1, rise))
    return int(signs.pop()) if len(signs) == 1 else 0


def _scan(f: Watched, axis: Axis, count: int) -> list[tuple[float, Value]]:
    """Return the values on a grid, and at the borders of where the function is defined."""
    grid = axis.grid(count)
    points = [(x, values[0]) for x, values in zip(grid, f([(x,) for x in grid]), strict=True)]
    for (a, fa), (b, fb) in itertools.pairwise(list(points)):
        if (fa.value is None) != (fb.value is None):
            points += _border(f, a, b, fb.value is None)
    return sorted(points, key=lambda point: point[0])


def _border(f: Watched, a: float, b: float, left: bool) -> list[tuple[float, Value]]:
    """Return points ever closer to where the function ceases to be defined; ``left`` says that it is at ``a``."""
    found = []
    for _ in range(40):
        middle = 0.5 * (a + b)
        if middle in (a, b):
            break
        (value,) = f([(middle,)])[0]
        found.append((middle, value))
        if (value.value is not None) == left:
            a = middle
        else:
            b = middle
    return found


def _sections(points: list[tuple[float, Value]]) -> list[list[tuple[float, Value]]]:
    """Cut a scan where the function is not defined."""
    groups = itertools.groupby(points, key=lambda point: point[1].value is not None)
    return [list(group) for defined, group in groups if defined]


def _sign(value: Value) -> int:
    """Return the sign of a value that is beyond its error, else 0."""
    if abs(value.value) <= value.error:
        return 0
    return 1 if value.value > 0.0 else -1


def _runs(section: list[tuple[float, Value]]) -> list[tuple[int, list[tuple[float, Value]]]]:
    """Return the stretches of a section on which the sign is the same, 0 being one of its own."""
    return [(sign, list(run)) for sign, run in itertools.groupby(section, key=lambda point: _sign(point[1]))]


def _levels(section: list[tuple[float, Value]]) -> list[list[tuple[float, Value]]]:
    """Return the stretches that are 0 within the errors and are no passage from one sign to the other."""
    runs = _runs(section)
    signs = [0, *(sign for sign, _ in runs), 0]
    return [run for k, (sign, run) in enumerate(runs) if not sign and len(run) > 2 and signs[k] * signs[k + 2] >= 0]


def _level(run: list[tuple[float, Value]], axis: Axis) -> Root:
    """Return the point of a stretch that is nearest to where the unknown stood, or in the middle."""
    middle = run[len(run) // 2][0] if axis.start is None else axis.start
    x, value = min(run, key=lambda point: abs(point[0] - middle))
    return Root((Value(x),), (value,), EVERYWHERE, rank=0, reach=(run[0][0], run[-1][0]))


def _suspects(f: Watched, section: list[tuple[float, Value]]) -> list[tuple[float, float, str]]:
    """Return the intervals in which a zero must, or may, lie: (from, to, how)."""
    found: list[tuple[float, float, str]] = []
    runs = _runs(section)
    for place, (sign, run) in enumerate(runs):
        before, after = runs[place - 1] if place else None, runs[place + 1] if runs[place + 1 :] else None
        if sign and after is not None and after[0]:
            found.append((run[-1][0], after[1][0][0], CROSSES))
        elif not sign and before and after and before[0] != after[0]:
            found.append((before[1][-1][0], after[1][0][0], CROSSES))
        elif not sign and len(run) <= 2:
            found.append((run[0][0], run[-1][0], TOUCHES))
    for (a, fa), (_, fx), (b, fb) in zip(section, section[1:], section[2:], strict=False):
        clear = min(abs(fa.value) - fa.error, abs(fb.value) - fb.error) > abs(fx.value) + fx.error
        if clear and _sign(fa) == _sign(fx) == _sign(fb) != 0:
            found += _dip(f, a, b, _sign(fx))
    return found


def _dip(f: Watched, a: float, b: float, sign: int) -> list[tuple[float, float, str]]:
    """Follow a dip towards 0 to its bottom by golden sections: it may pass through 0 twice, or touch it."""
    try:
        x = _bottom(lambda x: sign * f.at(x).value, a, b)
        value = f.at(x)
    except Undefined:
        return []
    if _sign(value) == -sign:
        return [(a, x, CROSSES), (x, b, CROSSES)]
    return [(x, x, TOUCHES)] if _sign(value) == 0 else []


def _bottom(g: Callable[[float], float], a: float, b: float) -> float:
    """Return the point of a dip that is lowest, or the first one below 0, or any if it does not come near 0."""
    golden = 0.5 * (math.sqrt(5.0) - 1.0)
    shallow, narrow = 0.25 * min(g(a), g(b)), _NARROW * (b - a)
    x, y = b - golden * (b - a), a + golden * (b - a)
    gx, gy = g(x), g(y)
    while min(gx, gy) >= 0.0 and a < x < y < b and (b - a > narrow or min(gx, gy) < shallow):
        if gx < gy:
            b, y, gy = y, x, gx
            x = b - golden * (b - a)
            gx = g(x)
        else:
            a, x, gx = x, y, gy
            y = a + golden * (b - a)
            gy = g(y)
    return x if gx < gy else y


def _touching(f: Watched, a: float, b: float) -> list[Root]:
    """Return the point that leaves less of two at which the function is 0 within its error."""
    x = min((a, b), key=lambda end: abs(f.at(end).value))
    return [Root((Value(x),), (f.at(x),), TOUCHES, rank=0)]


def _crossing(f: Watched, a: float, b: float) -> list[Root]:
    """Return the root at a sign change, to the last digit that the function allows; none where it gives out."""
    try:
        return [_crossed(f, a, b)]
    except Undefined:
        return []


def _crossed(f: Watched, a: float, b: float) -> Root:
    from scipy.optimize import brentq

    ends = max(abs(f.at(a).value), abs(f.at(b).value))
    x = float(brentq(lambda x: f.at(float(x)).value, a, b, xtol=5e-324, rtol=4.0 * _EPS, maxiter=300, disp=False))
    beside = [f.at(min(max(x + side * 4.0 * math.ulp(x), a), b)) for side in (-1.0, 1.0)]
    if all(abs(value.value) > _JUMP * ends + 8.0 * value.error for value in beside):
        return Root((Value(x),), (f.at(x),), JUMPS)
    x, slope = _stepped(f, x, a, b)
    value = f.at(x)
    radius = _certified(f, x, a, b, value, slope)
    if radius is not None:
        return Root((Value(x, radius),), (value,), CROSSES, certain=True)
    radius = 2.0 * (abs(value.value) + value.error) / abs(slope) + 2.0 * math.ulp(x) if slope else None
    return Root((Value(x, radius),), (value,), CROSSES)


def _stepped(f: Watched, x: float, a: float, b: float) -> tuple[float, float]:
    """Return a root after a last step of Newton's method, if that leaves no more; and the slope there."""
    h = min(STEP * max(abs(x), 1e-3 * (b - a)), 0.25 * (b - a))
    low, high = max(x - h, a), min(x + h, b)
    slope = (f.at(high).value - f.at(low).value) / (high - low)
    if slope:
        value = f.at(x).value
        moved = min(max(x - value / slope, a), b)
        if abs(f.at(moved).value) < abs(value):
            return moved, slope
    return x, slope


def _certified(f: Watched, x: float, a: float, b: float, value: Value, slope: float) -> float | None:
    """Return how far on either side of a root the sign is beyond doubt; None if nowhere."""
    radius = 2.0 * math.ulp(x)
    if slope:
        radius = max(radius, 2.0 * (abs(value.value) + value.error) / abs(slope))
    while True:
        low, high = max(x - radius, a), min(x + radius, b)
        ends = f.at(low), f.at(high)
        if _sign(ends[0]) * _sign(ends[1]) < 0:
            return max(x - low, high - x)
        if low == a and high == b:
            return None
        radius *= 2.0


def _least(points: list[tuple[float, Value]]) -> Root | None:
    """Return the point of a scan that leaves least."""
    defined = [(x, value) for x, value in points if value.value is not None]
    if not defined:
        return None
    x, value = min(defined, key=lambda point: abs(point[1].value))
    return Root((Value(x),), (value,), MISSES)


# -- roots apart from each other


def distinct(roots: list[Root], axes: Sequence[Axis]) -> list[Root]:
    """Return the roots that differ, nearest first to where the unknowns stood, then in order."""
    found: list[Root] = []
    for root in sorted(roots, key=lambda root: root.worst):
        x, others = coordinates(root), map(coordinates, found)
        if not any(close(x, other, axes, _NEAR) for other in others):
            found.append(root)
    return sorted(found, key=lambda root: (_distance(root, axes), [value.value for value in root.point]))


def close(a: Point, b: Point, axes: Sequence[Axis], within: float) -> bool:
    """Whether two points are nearer than a share of each interval."""
    return all(abs(axis.share(x) - axis.share(y)) < within for axis, x, y in zip(axes, a, b, strict=True))


def coordinates(root: Root) -> Point:
    """Return where a root is."""
    return tuple(value.value for value in root.point)


def _distance(root: Root, axes: Sequence[Axis]) -> float:
    pairs = [(axis, value) for axis, value in zip(axes, root.point, strict=True) if axis.start is not None]
    return round(math.hypot(*(axis.share(value.value) - axis.share(axis.start) for axis, value in pairs)), 9)
