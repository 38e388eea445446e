r"""Where a function written against the namespace bends, jumps or is singular, and on what scale it changes.

The function is recorded on a tape and run on discs around ever smaller pieces of the line (``discs.py``), until on each
piece every condition has one outcome and the branch taken is analytic, and bounded, on a disc twice as wide as the
piece. Where two sides of a condition meet, the root is isolated and becomes the edge of a piece. So nothing between the
nodes of a quadrature on these pieces can hide from it: a peak, a pole beside the line or an oscillation shows in the
bound on the disc, however narrow it is.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from normcal.numerics.balls import Ball, U
from normcal.numerics.discs import Disc
from normcal.numerics.outcomes import Runner, Seen, Trouble, on_arrays
from normcal.numerics.panels import GAUSSIAN_EDGES
from normcal.numerics.pieces import Pieces
from normcal.numerics.tape import Program, Tape

#: How many standard deviations the interval reaches to either side.
REACH = 39.0
#: More pieces than this, or rounds of cutting them, and the function is called too fast.
MOST_PIECES, MOST_LOOKED = 3000, 12_000
ROUNDS = 120
#: What the slope may be on the disc of a piece, times the root of its mass, relative to the rms of the slope: with 20
#: nodes and discs of twice the piece, errors are below 1e-22 of its square.
LOUD = 300.0
#: The same where a condition is open, and all that is known is a bound on the line.
QUIET = 1e-19
#: Levels at which pieces shrink towards a singular point, and those after which a piece counts as stuck.
GRADES, STUCK, MOST_STUCK = 72, 6, 24
#: Within this share of a standard deviation it makes no difference where an outcome changes.
NOWHERE = 2.0**-110
#: A slope that leaves no room for its square.
STEEPEST = 1e302
#: A local exponent above which squares have no integral to speak of.
CRITICAL = 0.498
#: How near 1/2 a measured local exponent must come for squares to have none.
CLOSE = 1e-6
#: What may be left beside a singular point, relative to the whole.
ENOUGH = 1e-18


@dataclass(frozen=True)
class Landmarks:
    """What a mesh has to know of a function: see ``landmarks``."""

    kinks: tuple[Ball, ...] = ()
    jumps: tuple[Ball, ...] = ()
    singular: tuple[Ball, ...] = ()
    features: tuple[tuple[float, float], ...] = ()
    trouble: str = ""

    @property
    def edges(self) -> tuple[Ball, ...]:
        """What a component takes for its ``kinks``: kinks, jumps and singular points together, in order."""
        return tuple(sorted((*self.kinks, *self.jumps, *self.singular), key=lambda b: b.mid))

    @property
    def scales(self) -> tuple[tuple[float, float], ...]:
        """What a component takes for its ``features``: of a function without any, that it changes on a scale of 1."""
        return tuple(self.features) or ((0.0, 1.0),)


def landmarks(f: Callable, low: float, high: float, *, normal: bool = True) -> Landmarks:
    r"""Return where ``f(x, m)`` bends, jumps or is singular on [low, high], and what a mesh must resolve.

    Parameters
    ----------
    f: a function written against the namespace ``m``, of one variable.
    low, high: the interval, as the mean -+ 39 standard deviations of a normal input; equal for a constant input.
    normal: whether it is that, so that what lies far out has no weight; otherwise everything in it counts alike.

    Returns
    -------
    Landmarks: ``kinks`` (f' jumps), ``jumps`` (f jumps), ``singular`` (f or f' is infinite or no number) as balls that
    hold the exact place; ``features`` (x, scale), where an infinite scale stands for an edge of the mesh and no more;
    ``trouble``, a reason why there is no such list, or nothing.

    Examples
    --------
    >>> found = landmarks(lambda x, m: m.maximum(m.abs(x) - 1.0, 0.0), -39.0, 39.0)
    >>> [ball.mid for ball in found.kinks]
    [-1.0, 1.0]
    """
    program = recorded(f)
    if program is None:
        return Landmarks(trouble="it looks into its variable, so its kinks cannot be found")
    return searched(program, float(low), float(high), normal).found


def recorded(f: Callable) -> Program | None:
    """Return the program of f alone; None where it cannot be recorded."""
    tape = Tape()
    try:
        return tape.program(f(tape.variable, tape))
    except (TypeError, AttributeError, ValueError):
        return None


@functools.lru_cache(maxsize=128)
def searched(program: Program, low: float, high: float, normal: bool = True) -> Search:
    """Return the search of an interval, done."""
    with np.errstate(all="ignore"):
        search = Search(program, low, high, normal)
        try:
            search.found = search.run()
        except Trouble as trouble:
            search.found = Landmarks(trouble=str(trouble))
        return search


class Search:
    """Cuts an interval into pieces until each is clear."""

    def __init__(self, program: Program, low: float, high: float, normal: bool = True) -> None:
        self.normal = normal
        self.runner = Runner(program)
        self.program = program
        self.mean, self.std = 0.5 * low + 0.5 * high, (0.5 * high - 0.5 * low) / REACH
        self.places = list(self.runner.watched)
        self.found = Landmarks()
        self.noted: set[tuple[int, float]] = set()
        self.done = Pieces.fresh(np.zeros(0), np.zeros(0), len(self.places))
        self.roots: list[tuple[int, float, float, np.ndarray]] = []  # condition, place, radius, what was known there

    # --- the whole ---

    def run(self) -> Landmarks:
        if self.std == 0.0:
            return self._at_a_point()
        if not math.isfinite(self.std):
            raise Trouble("the input is larger than doubles hold")
        self.runner.broad = self.std / 64.0
        z = np.array(sorted({*GAUSSIAN_EDGES[:-1], REACH, *(-z for z in GAUSSIAN_EDGES[:-1]), -REACH}))
        edges = np.unique(self.mean + self.std * (z if self.normal else np.linspace(-REACH, REACH, 32)))
        pieces = Pieces.fresh(edges[:-1], edges[1:], len(self.places))
        looked = 0
        for _ in range(ROUNDS):
            pieces = self._round(pieces)
            if not len(pieces):
                return self._landmarks()
            looked += len(pieces)
            if len(pieces) + len(self.done) > MOST_PIECES or looked > MOST_LOOKED:
                break
        x = pieces.centre[len(pieces) // 2]
        raise Trouble(f"it changes too fast to be resolved, around x = {x:.6g} for one")

    def _round(self, pieces: Pieces) -> Pieces:
        """Look at new pieces; return those that take their place."""
        value, slope, seen = self.runner.run(pieces.centre, pieces.reach, pieces.known, pieces.width)
        self.noted = set()
        pieces.see(value, slope, self._mass(pieces))
        settled, rooted = np.zeros(len(pieces), bool), np.full(len(pieces), -1)
        matters = self._loud(pieces, self.done.and_more(pieces), undecided=True)
        for row, place in enumerate(self.places):
            if place in seen:
                self._condition(row, place, seen[place], pieces, matters, settled, rooted)
        decided = pieces.of(settled & (rooted < 0))  # once more: what was settled may tell what is open still
        children = [self._cut_at_roots(pieces, rooted), decided]
        self.done = self.done.and_more(pieces.of((rooted < 0) & ~settled))
        loud = self._loud(self.done, self.done)
        again, self.done = self.done.of(loud), self.done.of(~loud)
        return functools.reduce(Pieces.and_more, [*children, self._halved(again)])

    def _mass(self, pieces: Pieces) -> np.ndarray:
        return 0.4 * self._beyond(pieces) * pieces.width / self.std

    def _beyond(self, pieces: Pieces) -> np.ndarray:
        """Bound the mass from each piece outwards, over which a jump within it is carried."""
        z = (np.stack([pieces.left, pieces.right]) - self.mean) / self.std
        near = np.where(z[0] * z[1] <= 0.0, 0.0, np.abs(z).min(axis=0)) * self.normal
        return np.exp(-0.5 * near * near)

    def _loud(self, pieces: Pieces, among: Pieces, *, undecided: bool = False) -> np.ndarray:
        """Return which pieces may still hide something that matters to the whole of f or of f'."""
        steep = _rms(np.where(among.bound < np.inf, np.abs(among.slope), 0.0) * np.sqrt(among.mass))
        large = _rms(np.where(among.height < np.inf, np.abs(among.value), 0.0) * np.sqrt(among.mass))
        if not self.normal:
            steeper = pieces.bound > LOUD * np.abs(pieces.slope)
            steeper &= pieces.bound * pieces.width > QUIET * np.abs(pieces.value)
            return (pieces.open | undecided | (steeper & ~pieces.dead)) & ~pieces.closed
        bound = pieces.bound * np.sqrt(pieces.mass)
        real = (bound > QUIET * steep) | (pieces.height * np.sqrt(self._beyond(pieces)) > QUIET * large)
        if undecided:
            return real
        return np.where(pieces.open, real, (bound > LOUD * steep) & ~pieces.dead) & ~pieces.closed

    # --- conditions ---

    def _condition(self, row: int, place: int, seen: Seen, pieces: Pieces, matters, settled, rooted) -> None:
        """Note the outcomes of one condition; find out where it has none."""
        pole = self.runner.watched[place].kind == "pole"
        open_ = (seen.value != seen.value) & ~pieces.closed & (pieces.known[row] != pieces.known[row])
        if pole:
            open_ &= ~(pieces.bound < np.inf) & ~pieces.open
        else:
            pieces.known[row] = np.where(open_, np.nan, seen.value)
        members = np.flatnonzero(open_ & matters & (seen.slope != 0.0) & (rooted < 0))
        if len(members):
            self._bracket(row, place, seen, pieces, members, rooted)
        if not pole:
            decided = pieces.known[row] == pieces.known[row]
            settled |= open_ & decided
            pieces.open |= open_ & ~decided

    def _bracket(self, row: int, place: int, seen: Seen, pieces: Pieces, members, rooted) -> None:
        """Look at the ends of pieces over which the argument rises or falls all the way."""
        floor = self.runner.watched[place].kind == "floor"
        ends = []
        for x in (pieces.left[members], pieces.right[members]):
            found = self.runner.run(x, 0.0, pieces.known[:, members])[2].get(place)
            ends.append((found.mid, found.rad, found.value))
        (_, _, at_left), (_, _, at_right) = ends
        if floor:
            for k, a, b in zip(members, *(mid for mid, _, _ in ends), strict=True):
                if _levels(a, b):
                    rooted[k] = row
                else:
                    pieces.known[row, k] = np.floor(seen.mid[k])
                    for x, end in ((pieces.left[k], a), (pieces.right[k], b)):
                        if abs(end - np.round(end)) <= 8.0 * U * abs(end):
                            self._touched(row, place, float(x), pieces.known[:, k], float(np.round(end)))
            return
        centre = np.sign(seen.mid[members])
        at_left, at_right = (np.where(np.isfinite(at), at, 0.0) for at in (at_left, at_right))
        for k, a, b, c in zip(members, at_left, at_right, centre, strict=True):
            if a * b < 0.0 or (a * b == 0.0 and self.runner.watched[place].kind == "pole"):
                rooted[k] = row
            elif a + b != 0.0 and (a * b > 0.0 or c == a + b):
                pieces.known[row, k] = np.sign(a + b)  # the other end may be the root itself
                if a * b == 0.0:
                    self._touched(
                        row, place, float(pieces.left[k] if a == 0.0 else pieces.right[k]), pieces.known[:, k]
                    )

    def _touched(self, row: int, place: int, x: float, known, level: float = 0.0) -> None:
        """Note a root at the end of a piece."""
        if not any(r == row and abs(x - at) <= 4.0 * (rad + U * abs(x)) for r, at, rad, _ in self.roots):
            one = [np.array([v]) for v in (row, x, level)]
            self.roots.append((row, x, float(self._radii(*one, known[:, None])[0]), known.copy()))

    def _cut_at_roots(self, pieces: Pieces, rooted) -> Pieces:
        """Find the roots of the pieces that hold one, and cut there."""
        members = np.flatnonzero(rooted >= 0)
        found = pieces.of(members)
        if not len(members):
            return found
        rows, levels = rooted[members], np.zeros(len(members))
        for k, row in enumerate(rows):
            if self.runner.watched[self.places[row]].kind == "floor":
                ends = [self._argument(self.places[row], x[k : k + 1])[0] for x in (found.left, found.right)]
                inner = _levels(*ends)
                levels[k] = inner[len(inner) // 2] if inner else np.round(ends[0])
        at = self.bisected(found.left, found.right, rows, levels)
        again = np.array([self._removed(rows[k], at[k], found.known[:, k]) for k in range(len(rows))])
        if again.any():
            rest = rooted.copy()
            rest[members[again]] = -1
            return found.of(again).and_more(self._cut_at_roots(pieces, rest))
        radii = self._radii(rows, at, levels, found.known)
        self.roots += [
            (int(row), float(x), float(rad), found.known[:, k].copy())
            for k, (row, x, rad) in enumerate(zip(rows, at, radii, strict=True))
        ]
        poles = np.array([self.runner.watched[self.places[row]].kind == "pole" for row in rows])
        graded = [self._around(found.of(np.array([k])), rows[k], at[k], radii[k]) for k in np.flatnonzero(poles)]
        return functools.reduce(Pieces.and_more, graded, self._apart(found, rows, at, poles))

    def _removed(self, row: int, x: float, known: np.ndarray) -> bool:
        """Return whether a zero of a denominator is one of the numerator too, and is noted from now on."""
        place = self.places[row]
        if self.runner.watched[place].kind != "pole":
            return False
        if x in self.runner.removable.get(place, []):
            return (place, x) in self.noted  # later on, it is something else that has no bound there
        if not self.runner.both_vanish(place, float(x), known):
            return False
        self.runner.removable.setdefault(place, []).append(float(x))
        self.noted.add((place, x))
        return True

    def _apart(self, pieces: Pieces, rows, at, poles) -> Pieces:
        """Return the two sides of each root, with what is known of the condition there."""
        everywhere = np.arange(len(pieces))
        left, right = pieces.of(everywhere), pieces.of(everywhere)
        left.right, right.left = at.copy(), at.copy()
        for row in set(rows.tolist()):
            its = np.flatnonzero(rows == row)
            if self.runner.watched[self.places[row]].kind == "sign":
                # inside the two sides: at their far ends another branch may begin
                inner = [0.5 * (at[its] + ends[its]) for ends in (pieces.right, pieces.left)]
                rising, falling = (np.sign(self._argument(self.places[row], x)) for x in inner)
                rising = np.where(rising != 0.0, rising, -falling)
                left.known[row, its], right.known[row, its] = -rising, rising
        both = left.of(~poles).and_more(right.of(~poles)) if not poles.all() else left.of(~poles)
        return both.of(both.width > 0.0)

    def _around(self, piece: Pieces, row: int, x: float, rad: float) -> Pieces:
        """Return pieces that crowd towards a singular point; the last on either side are closed."""
        edges = np.array(self._graded(float(piece.left[0]), float(x), float(piece.right[0]), float(rad)))
        children = Pieces.fresh(edges[:-1], edges[1:], len(self.places))
        children.known[:] = piece.known
        children.known[row] = np.where(children.centre > x, 1.0, -1.0)
        children.closed = (children.left == x) | (children.right == x)
        return children

    def _graded(self, left: float, x: float, right: float, rad: float) -> list[float]:
        """Return edges that crowd towards a singular point; pieces within the least distance are closed."""
        least = self._least(x, rad)
        inner = [least]
        while inner[-1] < right - left:
            inner.append(2.0 * inner[-1])
        return sorted(
            {left, x, right, *(x + d for d in inner if x + d < right), *(x - d for d in inner if x - d > left)}
        )

    def _least(self, x: float, rad: float) -> float:
        exact = rad == 0.0 and x == self.mean == 0.0
        blur = 0.0 if exact else 16384.0 * (rad + 2.0 * U * (abs(x) + abs(self.mean)))
        return max(self.std * 2.0**-GRADES, blur)

    def _argument(self, place: int, x: np.ndarray) -> np.ndarray:
        slots = on_arrays(self.program, x)
        return np.broadcast_to(np.asarray(self.runner.watched[place].argument(slots), float), x.shape)

    def bisected(self, low, high, rows, levels) -> np.ndarray:
        """Return where the arguments pass their levels, by cutting each bracket in 32, again and again."""
        low, high = low.copy(), high.copy()
        cuts = np.arange(1, 32) / 32.0
        for _ in range(14):
            x = low[:, None] + (high - low)[:, None] * cuts
            around = np.flatnonzero((low < 0.0) & (high > 0.0))
            x[around, abs(x[around]).argmin(axis=1)] = 0.0  # where roots of what people write like to be
            slots = on_arrays(self.program, np.concatenate([x, low[:, None], high[:, None]], axis=1).ravel())
            sides = np.empty((len(rows), 33))
            for row in set(rows.tolist()):
                argument = np.asarray(self.runner.watched[self.places[row]].argument(slots), float)
                sides[rows == row] = np.broadcast_to(argument, (len(rows) * 33,)).reshape(len(rows), 33)[rows == row]
            sides -= levels[:, None]
            start = np.where(sides[:, -2] != 0.0, np.sign(sides[:, -2]), -np.sign(sides[:, -1]))
            passed = np.sign(sides[:, :31]) != start[:, None]
            first = np.where(passed.any(axis=1), passed.argmax(axis=1), 31)
            each = np.arange(len(rows))
            edges = np.concatenate([low[:, None], x, high[:, None]], axis=1)
            low, high = edges[each, first], edges[each, first + 1]
        ends = []
        for x in (low, high):
            slots = on_arrays(self.program, x)
            size = np.empty(len(rows))
            for row in set(rows.tolist()):
                argument = np.asarray(self.runner.watched[self.places[row]].argument(slots), float)
                size[rows == row] = np.broadcast_to(argument, x.shape)[rows == row]
            ends.append(abs(size - levels))
        return np.where(ends[0] < ends[1], low, high)

    def _radii(self, rows, at, levels, known) -> np.ndarray:
        """Return how far from ``at`` the roots may be: where the argument is sure to have either sign."""
        unit = np.maximum(U * abs(at), 5e-324)
        steps = np.concatenate([np.zeros((len(at), 1)), unit[:, None] * 4.0 ** np.arange(28)], axis=1)
        points = np.concatenate([at[:, None] - steps, at[:, None] + steps], axis=1)
        known = known.copy()
        known[rows, np.arange(len(at))] = np.nan
        seen = self.runner.run(points.ravel(), 0.0, np.repeat(known, points.shape[1], axis=1))[2]
        radii = np.empty(len(at))
        for k, row in enumerate(rows):
            its, own = seen[self.places[row]], slice(k * points.shape[1], (k + 1) * points.shape[1])
            off, slack = its.mid[own] - levels[k], its.rad[own] + U * abs(levels[k])
            sure = np.where(abs(off) > slack, np.sign(off), 0.0)
            apart = sure[: steps.shape[1]] * sure[steps.shape[1] :] < 0.0
            exact = off[0] == 0.0 and slack[0] <= U * abs(levels[k])
            radii[k] = 0.0 if exact else steps[k, apart.argmax()] if apart.any() else steps[k, -1]
        return radii

    # --- pieces that are still too wide ---

    def _halved(self, pieces: Pieces) -> Pieces:
        """Return the pieces cut in two; those too small to be cut are closed as they are."""
        least = np.maximum(16.0 * U * np.maximum(abs(pieces.left), abs(pieces.right)), 1e-305)
        least = np.maximum(least, np.where(pieces.open, self.std * NOWHERE, 0.0))
        small = (pieces.width <= least) | (abs(pieces.slope) > STEEPEST) | self._rounded_off(pieces)
        if small.any():
            closed = pieces.of(small)
            closed.closed[:] = True
            self.done = self.done.and_more(closed)
            pieces = pieces.of(~small)
        stuck = pieces.level >= STUCK
        parts = [pieces.of(~stuck).split(0.5)]
        if np.count_nonzero(stuck) > MOST_STUCK:  # it is no point that they are stuck at
            return pieces.split(0.5)
        for k in np.flatnonzero(stuck):
            parts.append(self._unstuck(pieces.of(np.array([k]))))
        return functools.reduce(Pieces.and_more, parts)

    def _rounded_off(self, pieces: Pieces) -> np.ndarray:
        """Return the pieces whose conditions rounding leaves open, however small; settle what a slope tells."""
        found = np.zeros(len(pieces), bool)
        members = np.flatnonzero(pieces.open & (pieces.level >= STUCK))
        if not len(members):
            return found
        some = pieces.of(members)
        wide = self.runner.run(some.centre, some.reach, some.known, some.width)[2]
        thin = self.runner.run(some.centre, 0.0, some.known)[2]
        for row, place in enumerate(self.places):
            if self.runner.watched[place].kind != "sign" or place not in wide:
                continue
            stray = 0.52 * some.width * np.where(wide[place].broken, np.inf, wide[place].steep)
            stray = np.where(stray == stray, stray, np.inf)
            its, open_ = thin[place], wide[place].value != wide[place].value
            sure = open_ & (abs(its.mid) > its.rad + stray)
            pieces.known[row, members[sure]] = np.sign(its.mid[sure])
            found[members] |= open_ & (its.value != its.value) & (np.minimum(stray, wide[place].rad) <= 4.0 * its.rad)
        return found

    def _unstuck(self, piece: Pieces) -> Pieces:
        """Cut a piece that resists: towards the end at which something happens, if there is one."""
        left, right = float(piece.left[0]), float(piece.right[0])
        width = right - left
        near = 1e-5 * width
        points = np.array([left + near, right - near])
        _, slope, seen = self.runner.run(points, 2.0 * near, np.repeat(piece.known, 2, axis=1), near)
        sizes = [slope.upper, *(1.0 / (abs(s.mid) + 1e-300) for s in seen.values())]
        for size in sizes:
            for k, other in ((0, 1), (1, 0)):
                if size[k] > 64.0 * size[other]:
                    least = max(16.0 * U * abs((left, right)[k]), 1e-305)
                    inner = [width * 0.5**j for j in range(1, 41) if width * 0.5**j > 0.5 * least]
                    edges = sorted({left, right, *((left + d) if k == 0 else (right - d) for d in inner)})
                    found = Pieces.fresh(np.array(edges[:-1]), np.array(edges[1:]), len(piece.known))
                    found.known[:] = piece.known
                    found.level[:] = piece.level[0] + 1
                    return found
        return piece.split(0.5)

    # --- what was found ---

    def _at_a_point(self) -> Landmarks:
        """Return the kinks at a constant input: conditions that hold their breath there."""
        known = np.full((len(self.places), 1), np.nan)
        _, _, seen = self.runner.run(np.array([self.mean]), 0.0, known)
        kinds = {place: self.runner.watched[place].kind for place in seen}
        touched = [place for place, its in seen.items() if _touches(kinds[place], its)]
        here = (Ball(self.mean),)
        return Landmarks(
            kinks=here if any(kinds[p] == "sign" for p in touched) else (),
            jumps=here if any(kinds[p] == "floor" for p in touched) else (),
            singular=here if any(kinds[p] == "pole" for p in touched) else (),
        )

    def _landmarks(self) -> Landmarks:
        done = self.done
        lost = done.dead & ~done.open & (done.mass > 0.0) & (done.value != done.value)
        if lost.any():
            x = done.centre[lost][np.argmin(abs(done.centre[lost] - self.mean))]
            raise Trouble(f"it is no number at x = {x:.6g}")
        deeper = self._leftovers()
        kinks, jumps, singular = self._classified()
        reach = REACH * self.std
        edges = {*done.left.tolist(), *done.right.tolist(), *deeper, *(x for _, x, _, _ in self.roots)}
        taken = [b.mid for b in (*kinks, *jumps, *singular)]
        edges -= {*taken}
        features = tuple((x, math.inf) for x in sorted(edges) if abs(x - self.mean) < reach)
        return Landmarks(*(_merged(those) for those in (kinks, jumps, singular)), features=features)

    def _leftovers(self) -> list[float]:
        """Judge what lies nearer to singular points than pieces go; return edges nearer still where doubles allow.

        Raises Trouble where that is too much to be left, unless it is infinite, which is for ``infinities.py`` to say.
        """
        done = self.done
        edges: list[float] = []
        for k in np.flatnonzero(done.closed & ~done.open & ~(done.bound < np.inf)):
            at_left = abs(done.left[k]) < abs(done.right[k]) if done.left[k] * done.right[k] == 0.0 else (
                k > 0 and any(x == done.left[k] for _, x, _, _ in self.roots))  # fmt: skip
            x, side = (float(done.left[k]), 1.0) if at_left else (float(done.right[k]), -1.0)
            edges += self._leftover(x, side, k)
        return edges

    def _leftover(self, x: float, side: float, k: int) -> list[float]:
        done, width = self.done, float(self.done.width[k])
        points = x + side * width * np.array([1.0, 0.5, 0.25, 0.125])
        known = np.repeat(done.known[:, k : k + 1], 4, axis=1)
        levels = 0.0
        for values, seen in zip(self.runner.run(points, 0.0, known)[:2], (done.value, done.slope), strict=True):
            size = abs(values.mid)
            if np.isinf(size).any() or not np.isfinite(done.value[k]):
                raise Trouble(f"it has no bound that could be stated around x = {x:.6g}")
            exponent = float(np.log2(size[1:] / size[:-1]).max()) if (size > 0.0).all() else 0.0
            whole = _rms(np.where(np.isfinite(seen) & ~done.closed, abs(seen), 0.0) * np.sqrt(done.mass))
            if exponent >= 0.5 - CLOSE:
                continue
            if exponent > CRITICAL:
                raise Trouble(f"its integral converges too slowly around x = {x:.6g}")
            share = (
                float(size.max()) * math.sqrt(float(done.mass[k]) / (1.0 - 2.0 * exponent)) / whole if whole else 0.0
            )
            if share > ENOUGH:
                levels = max(levels, math.log2(share / ENOUGH) / (0.5 - exponent))
        if x != 0.0 or self.mean != 0.0:
            return []
        return [side * width * 0.5**j for j in range(1, 1 + math.ceil(levels)) if width * 0.5**j > 1e-300]

    def _classified(self) -> tuple[tuple[Ball, ...], ...]:
        """Return where outcomes change by what f and f' do there: (kinks, jumps, singular)."""
        found = self._blurred()
        rad = {}
        for row, x, its, _ in self.roots:
            rad[x] = max(rad.get(x, 0.0), its)
            if self.runner.watched[self.places[row]].kind == "pole" and not self._quiet(x):
                found[2].append(Ball(x, its))
        left, right = self._sides()
        if len(left):
            x = self.done.left[right]
            rads = np.array([rad.get(float(at), 4.0 * U * abs(at)) for at in x])
            known = np.concatenate([self.done.known[:, left], self.done.known[:, right]], axis=1)
            value, slope, _ = self.runner.run(np.tile(x, 2), np.tile(rads, 2), known)
            for k in range(len(x)):
                pair = [k, k + len(x)]
                finite = np.isfinite(value.mid[pair] + slope.mid[pair]).all()
                unclear = bool(self.done.open[left[k]] or self.done.open[right[k]])
                place = 2 if not finite else 1 if _differ(value, pair, unclear) else 0 if _differ(slope, pair) else None
                if place is not None:
                    found[place].append(Ball(float(x[k]), float(rads[k])))
        singular = _merged(found[2])
        jumps = _merged(_besides(found[1], singular))
        return _merged(_besides(found[0], (*singular, *jumps))), jumps, singular

    def _sides(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the pieces left and right of the edges at which the outcome of a condition changes."""
        order = np.argsort(self.done.left, kind="stable")
        left, right = order[:-1], order[1:]
        rows = [k for k, place in enumerate(self.places) if self.runner.watched[place].kind != "pole"]
        before, after = self.done.known[rows][:, left], self.done.known[rows][:, right]
        changed = ((before != after) & (before == before) & (after == after)).any(axis=0)
        blurred = self.done.closed & self.done.open
        changed &= ~blurred[left] & ~blurred[right]
        return left[changed], right[changed]

    def _blurred(self) -> tuple[list[Ball], ...]:
        """Return the places that doubles do not resolve, as (kinks, jumps, singular)."""
        found: tuple[list[Ball], ...] = ([], [], [])
        closed = self.done.of(self.done.closed)
        roots = np.array([x for _, x, _, _ in self.roots])
        beside = np.isin(closed.left, roots) | np.isin(closed.right, roots)
        singular = closed.of(~closed.open & ~(closed.bound < np.inf) & ~beside)
        for place, some in ((1, closed.of(closed.open)), (2, singular)):
            for left, right in _joined(some):
                if place == 1 and right - left <= 8.0 * NOWHERE * self.std and self._alike(left, right):
                    continue
                found[place].append(Ball(0.5 * left + 0.5 * right, 0.5 * (right - left) * (1.0 + 4.0 * U)))
        return found

    def _alike(self, left: float, right: float) -> bool:
        """Whether every condition has the same outcome on both sides."""
        sides = [self.done.known[:, self.done.right == left], self.done.known[:, self.done.left == right]]
        return all(side.shape[1] == 1 for side in sides) and bool((sides[0] == sides[1]).all())

    def _quiet(self, x: float) -> bool:
        """Whether the pieces around a zero of a denominator are as bounded as any: it is in a branch not taken."""
        near = (self.done.left <= x) & (self.done.right >= x) & ~self.done.closed
        return bool(near.any()) and bool((self.done.bound[near] < np.inf).all())


def _levels(a: float, b: float) -> range:
    """Return the whole numbers well between two numbers."""
    low, high = min(a, b), max(a, b)
    slack = 8.0 * U * max(abs(a), abs(b))
    if not high - low < 1e9:
        raise Trouble("it jumps too often")
    return range(math.floor(low + slack) + 1, math.ceil(high - slack))


def _touches(kind: str, seen: Seen) -> bool:
    if kind == "floor":
        return bool(seen.mid[0] == np.floor(seen.mid[0]))
    return bool(abs(seen.mid[0]) <= seen.rad[0])


def _differ(values: Disc, pair, unclear: bool = False) -> bool:
    """Whether two values are not the same; if they are known so badly that it is ``unclear``, they are not."""
    mid, rad = values.mid[pair], values.rad[pair]
    slack = 1e-14 * (abs(mid[0]) + abs(mid[1]))
    return not abs(mid[0] - mid[1]) <= 4.0 * (rad[0] + rad[1]) + slack or (unclear and rad[0] + rad[1] > slack)


def _joined(pieces: Pieces) -> list[tuple[float, float]]:
    """Return pieces as intervals, those that meet as one."""
    found: list[tuple[float, float]] = []
    for left, right in sorted(zip(pieces.left.tolist(), pieces.right.tolist(), strict=True)):
        if found and found[-1][1] >= left:
            left = found.pop()[0]
        found.append((left, right))
    return found


def _besides(places: list[Ball], others) -> list[Ball]:
    """Return the places that are none of the others."""
    return [a for a in places if not any(abs(a.mid - b.mid) <= a.rad + b.rad + 2.0 * U * abs(a.mid) for b in others)]


def _merged(places: list[Ball]) -> tuple[Ball, ...]:
    """Return the places in order, those that doubles cannot tell apart as one."""
    found: list[Ball] = []
    for place in sorted(places, key=lambda b: (b.mid, b.rad)):
        if found and place.mid - found[-1].mid <= place.rad + found[-1].rad + 2.0 * U * abs(place.mid):
            last = found.pop()
            place = last if last.rad <= place.rad else place
        found.append(place)
    return tuple(found)


def _rms(values: np.ndarray) -> float:
    size = float(values.max(initial=0.0))
    return size * math.sqrt(float(np.sum((values / size) ** 2))) if 0.0 < size < math.inf else size
