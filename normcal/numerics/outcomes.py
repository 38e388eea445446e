"""Recorded functions run on discs, with the outcome of every condition that can be told."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np

from normcal.numerics.discs import DISCS, Disc, disc
from normcal.numerics.duals import Dual, Duals
from normcal.numerics.tape import OPERATORS, Program

#: Two sides of a condition that differ by less, relative to their size, over a broad piece are equal.
EQUAL = 2.0**-42
_SIGNS = {">", ">=", "maximum", "minimum", "abs"}
_POLES = {"/", "log", "log1p", "sqrt", "power"}


class Trouble(Exception):
    """The reason why there are no landmarks to give."""


@dataclass
class Watched:
    """A condition of the program: a difference whose sign decides, a floor's argument, or what must not reach 0."""

    kind: str  # "sign", "floor" or "pole"
    a: int
    b: int | None
    closed: bool = False  # whether a difference of 0 is true
    shift: float = 0.0

    def argument(self, slots):
        """Return what is to be compared with 0, or floored."""
        a = slots[self.a]
        if self.b is None:
            return a + self.shift if self.shift else a
        return a - slots[self.b]


def watched_in(program: Program) -> dict[int, Watched]:
    """Return the conditions by the place of the operation."""
    found = {}
    for place, (name, *operands) in enumerate(program.code, 1):
        if name in _SIGNS:
            found[place] = Watched("sign", operands[0], operands[1] if name != "abs" else None, name == ">=")
        elif name == "floor":
            found[place] = Watched("floor", operands[0], None)
        elif name in _POLES:
            found[place] = Watched("pole", operands[1] if name == "/" else operands[0], None,
                                    shift=1.0 if name == "log1p" else 0.0)  # fmt: skip
    return found


@dataclass
class Seen:
    """What a run on discs says of one condition, an entry a disc."""

    mid: np.ndarray
    rad: np.ndarray
    slope: np.ndarray  # the sign of the derivative, 0 where it is not known
    value: np.ndarray  # the outcome: -1 or 1, or the floor; no number where it is open
    steep: np.ndarray  # a bound on the derivative
    broken: np.ndarray  # whether it may jump, for a condition behind it is open


class Runner:
    """Runs a program on discs, with some outcomes of conditions known beforehand."""

    def __init__(self, program: Program) -> None:
        self.program, self.broad = program, math.inf
        #: Quotients by their place, with where their numerator and denominator are both 0.
        self.removable: dict[int, list[float]] = {}
        self.watched = watched_in(program)
        self.rows = {place: row for row, place in enumerate(self.watched)}
        self.duals = Duals(DISCS)
        self.numbers = {-k: n if isinstance(n, float) else disc(n) for k, n in enumerate(program.numbers, 1)}

    def run(self, x: np.ndarray, rad, known: np.ndarray, half=0.0) -> tuple[Disc, Disc, dict[int, Seen]]:
        """Return value and slope around ``x``, and what was seen of each condition; ``known`` has a row a condition."""
        self.size, self.known, self.half, self.seen, self.broken = len(x), known, half, {}, {}
        slots = {0: Dual(Disc(x, rad), 1.0)} | self.numbers
        for place, (name, *operands) in enumerate(self.program.code, 1):
            slots[place] = self._step(place, name, operands, slots)
            self._break(place, operands)
        self.slots = slots
        result = slots[self.program.results[0]]
        value, slope = (result.value, result.slope) if isinstance(result, Dual) else (result, 0.0)
        return self._full(value), self._full(slope), self.seen

    def _break(self, place: int, operands) -> None:
        """Note where a result may jump, since a condition behind it is open."""
        inner = [self.broken[k] for k in operands if k in self.broken]
        if place in self.seen and self.watched[place].kind != "pole":
            inner.append(self.seen[place].value != self.seen[place].value)
        if inner:
            self.broken[place] = functools.reduce(np.logical_or, inner)

    def in_namespace(self, base, x):
        """Return value and slope as a dual number of another namespace, which decides its conditions by itself."""
        duals = Duals(base)
        slots = {0: Dual(x, base.number(1.0))} | {k: base.number(n) for k, n in self.numbers.items()}
        for place, (name, *operands) in enumerate(self.program.code, 1):
            args = [slots[k] for k in operands]
            if name in (">", ">="):
                a, b = (arg.value if isinstance(arg, Dual) else arg for arg in args)
                slots[place] = OPERATORS[name](a, b)
                continue
            if name != "where" and not any(isinstance(arg, Dual) for arg in args):
                slots[place] = (OPERATORS.get(name) or getattr(base, name))(*args)
                continue
            if name in OPERATORS:
                slots[place] = OPERATORS[name](*(a if isinstance(a, Dual) else Dual(a, base.number(0.0)) for a in args))
            else:
                slots[place] = getattr(duals, name)(*args)
        result = slots[self.program.results[0]]
        return result if isinstance(result, Dual) else Dual(result, base.number(0.0))

    def _full(self, value) -> Disc:
        value = disc(value)
        return Disc(*(np.broadcast_to(part, self.size) for part in (value.mid, value.rad)), value.factors)

    def _step(self, place: int, name: str, operands, slots):
        args = [slots[k] for k in operands]
        if name in (">", ">="):
            return self._outcome(place, slots)
        if name in ("maximum", "minimum"):
            a, b = args if name == "maximum" else args[::-1]
            return self._choice(self._outcome(place, slots), a, b)
        if name == "abs":
            return self._choice(self._outcome(place, slots), args[0], -args[0])
        if name == "where":
            return self._choice(*args)
        if name == "floor":
            return self._floored(place, args[0], self._outcome(place, slots))
        if name in _POLES:
            self._outcome(place, slots)
        if place in self.removable and all(map(_varies, args)):
            return self._quotient(*args, self.removable[place], slots[0].value)
        return self._plain(name, args)

    def _quotient(self, a: Dual, b: Dual, places: list[float], x: Disc) -> Dual:
        r"""Return a/b where both are 0 at some places: there it lies in the discs of a'/b', by the mean value theorem.

        The slope is Cauchy's bound for three quarters of the disc.
        """
        plain, ratio = a / b, disc(a.slope) / disc(b.slope)
        value, slope = self._full(plain.value), self._full(plain.slope)
        around = functools.reduce(np.logical_or, [abs(x.mid - at) <= x.rad for at in places])
        off = abs(value.mid - ratio.mid) + ratio.rad
        steep = abs(slope.mid) + 8.0 * off / np.where(x.rad > 0.0, x.rad, 1.0)
        around = around & (off < np.inf) & (x.rad > 0.0)
        return Dual(
            Disc(value.mid, np.where(around, off, value.rad)), Disc(slope.mid, np.where(around, steep, slope.rad))
        )

    def both_vanish(self, place: int, x: float, known: np.ndarray) -> bool:
        """Return whether numerator and denominator of a quotient are exactly 0 at ``x``, and the latter but once."""
        name, *operands = self.program.code[place - 1]
        if name != "/":
            return False
        self.run(np.array([x]), 0.0, known[:, None])
        parts = [self.slots[k] for k in operands]
        if not all(map(_varies, parts)):
            return False
        none = all(bool(np.all((disc(p.value).mid == 0.0) & (disc(p.value).rad == 0.0))) for p in parts)
        return none and bool(np.all(disc(parts[1].slope).lower > 0.0))

    def _floored(self, place: int, argument, value):
        if not _varies(argument):
            return value
        open_, within = value != value, self._full(argument.value)
        middle = np.floor(within.mid)
        return Dual(Disc(np.where(open_, middle, value), np.where(open_, within.rad + 1.0, 0.0)), 0.0)

    def _plain(self, name: str, args):
        if name in OPERATORS:
            return OPERATORS[name](*args)
        if not hasattr(DISCS, name):
            raise Trouble(f"its kinks cannot be found through {name}")
        if not any(_varies(arg) for arg in args):
            return getattr(DISCS, name)(*args)
        return getattr(self.duals, name)(*args)

    def _choice(self, outcome, a, b):
        if not isinstance(outcome, np.ndarray) or outcome.ndim == 0:
            return a if outcome > 0.0 else b
        a, b = (part if isinstance(part, Dual) else Dual(part, 0.0) for part in (a, b))
        return Dual(self._pick(outcome, a.value, b.value), self._pick(outcome, a.slope, b.slope))

    def _pick(self, outcome, a, b) -> Disc:
        """Return a where it is true, b elsewhere; where that is open, what holds both on the real line."""
        a, b, true, open_ = disc(a), disc(b), outcome > 0.0, outcome != outcome
        mid, rad = np.where(true, a.mid, b.mid), np.where(true, a.rad, b.rad)
        if open_.any():
            rad = np.where(open_, abs(a.mid - b.mid) + np.maximum(a.rad, b.rad), rad)
        return Disc(np.where(outcome == LOST, np.nan, mid), rad)

    def _outcome(self, place: int, slots):
        """Return the outcome of a condition for every disc, and note what was seen of it."""
        watched = self.watched[place]
        if watched.b == watched.a:
            return 1.0 if watched.closed else -1.0
        argument = watched.argument(slots)
        if not isinstance(argument, Dual):
            return self._constant(watched, disc(argument))
        value, slope, known = self._full(argument.value), self._full(argument.slope), self.known[self.rows[place]]
        if watched.kind == "floor":
            low, high = np.floor(value.mid - value.rad), np.floor(value.mid + value.rad)
            same = (slope.mid == 0.0) & (slope.rad == 0.0) & ~self._broken(watched)
            found = np.where(low == high, low, np.where(same, np.floor(value.mid), np.nan))
        else:
            found = np.where(value.lower > 0.0, np.sign(value.mid), np.nan)  # without a zero it keeps its sign
            if watched.kind == "sign":
                found = self._equal(watched, slots, value, slope, found)
            found = np.where(value.mid == value.mid, found, LOST)
        found = np.where(known == known, known, found)
        rising = np.where((abs(slope.mid) > slope.rad) & ~self._broken(watched), np.sign(slope.mid), 0.0)
        self.seen[place] = Seen(value.mid, value.rad, rising, found, slope.upper, self._broken(watched))
        return found

    def _constant(self, watched: Watched, argument: Disc):
        if watched.kind == "floor":
            return float(np.floor(argument.mid))
        return 1.0 if argument.mid > 0.0 or (watched.closed and argument.mid == 0.0) else -1.0

    def _equal(self, watched: Watched, slots, value: Disc, slope: Disc, found):
        """Decide where both sides are the same, or differ by a constant, over the whole piece."""
        whole = ~self._broken(watched)
        constant = (slope.mid == 0.0) & (slope.rad == 0.0) & whole
        sign = np.where(value.mid > 0.0, 1.0, np.where((value.mid == 0.0) & watched.closed, 1.0, -1.0))
        found = np.where((found != found) & constant, sign, found)
        sides = [slots[k] for k in (watched.a, watched.b) if k is not None]
        size = sum(abs(disc(side.value if isinstance(side, Dual) else side).mid) for side in sides)
        stray = abs(value.mid) + 2.0 * self.half * slope.upper
        return np.where((found != found) & (stray <= EQUAL * size) & (self.half >= self.broad) & whole, sign, found)

    def _broken(self, watched: Watched):
        none = np.zeros(self.size, bool)
        return self.broken.get(watched.a, none) | self.broken.get(watched.b, none)


#: The outcome of a condition on what is no number.
LOST = -np.inf


def _varies(x) -> bool:
    return isinstance(x, Dual)


def on_arrays(program: Program, x: np.ndarray) -> dict:
    """Return every result of the program on plain arrays."""
    from normcal.numerics.arrays import ARRAYS

    slots: dict = {0: x} | {-k: n if isinstance(n, float) else n.mid for k, n in enumerate(program.numbers, 1)}
    for place, (name, *operands) in enumerate(program.code, 1):
        args = [slots[k] for k in operands]
        plain = _PLAIN.get(name) or OPERATORS.get(name) or getattr(ARRAYS, name)
        slots[place] = plain(*args)
    return slots


#: What plain numbers need a function of NumPy for: a division by 0 is no error.
_PLAIN = {"where": np.where, "/": np.divide}
