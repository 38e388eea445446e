"""A function recorded once as a list of operations, to be run on many numbers at a time.

``f(x, m)`` is called with a stand-in for x; what it does is recorded, with the branches it takes on
its own parameters already taken. Two functions of the same family (elu at two values of alpha) leave
the same operations and differ only in the numbers between them, so that one run, with those numbers
stacked as columns, evaluates them both.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from normcal.numerics.balls import BALLS, Ball

#: Operations that are operators, by name; all others are functions of the namespace.
OPERATORS = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "neg": operator.neg,
    ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


@dataclass(frozen=True)
class Program:
    """Operations, in order, each a name and operands; the numbers between them; and what is returned.

    Operand 0 is the variable, ``k`` the result of operation k - 1, ``-k`` the number k - 1.
    """

    code: tuple[tuple, ...]
    numbers: tuple
    results: tuple[int, ...]

    @property
    def family(self) -> tuple:
        """What programs have in common that can be run together."""
        return self.code, self.results, len(self.numbers)


class Traced:
    """What stands for a number while a function is recorded; ``exact`` is its value where that is a plain number."""

    __slots__ = ("exact", "place", "tape")
    __array_ufunc__ = None

    def __init__(self, tape: Tape, place: int, exact: float | None = None) -> None:
        self.tape, self.place, self.exact = tape, place, exact

    def __add__(self, other):
        other = self.tape.lift(other)
        if other.exact == 0.0:
            return self
        return other if self.exact == 0.0 else self.tape.record("+", self, other)

    def __sub__(self, other):
        other = self.tape.lift(other)
        if other.exact == 0.0:
            return self
        if other.place == self.place:
            return self.tape.lift(0.0)
        return -other if self.exact == 0.0 else self.tape.record("-", self, other)

    def __mul__(self, other):
        other = self.tape.lift(other)
        if self.exact is None and other.exact is None:
            return self.tape.record("*", self, other)
        for one, rest in ((self, other), (other, self)):
            if one.exact == 1.0:
                return rest
            if one.exact == 0.0:
                return one
            if one.exact == -1.0:
                return -rest
        return self.tape.record("*", self, other)

    def __truediv__(self, other):
        other = self.tape.lift(other)
        return self if other.exact == 1.0 else self.tape.record("/", self, other)

    def __neg__(self):
        return self.tape.lift(-self.exact) if self.exact is not None else self.tape.record("neg", self)

    def __rsub__(self, other):
        return self.tape.lift(other) - self

    def __rtruediv__(self, other):
        return self.tape.lift(other) / self

    def __pow__(self, power: int):
        from normcal.numerics.duals import whole_power

        return whole_power(self, power)

    __radd__ = __add__
    __rmul__ = __mul__

    def __gt__(self, other):
        return self.tape.record(">", self, self.tape.lift(other))

    def __lt__(self, other):
        return self.tape.lift(other) > self

    def __ge__(self, other):
        return self.tape.record(">=", self, self.tape.lift(other))

    def __le__(self, other):
        return self.tape.lift(other) >= self

    def __bool__(self) -> bool:
        raise TypeError("a recorded function cannot branch on its variable")


class Tape:
    """The function namespace that records; it knows the functions of balls and no others.

    >>> tape = Tape()
    >>> y = tape.exp(2.0 * tape.variable)
    >>> tape.program(y).code
    (('*', 0, -1), ('exp', 1))
    """

    def __init__(self) -> None:
        self.variable = Traced(self, 0)
        self._code: dict[tuple, int] = {}
        self._numbers: dict[float | Ball, Traced] = {}

    def lift(self, x) -> Traced:
        """Return ``x`` as an operand; a plain number or a scalar ball is a number of the program."""
        if x.__class__ is Traced:
            return x
        if not isinstance(x, (float, Ball)):
            x = float(x)
        if x not in self._numbers:
            self._numbers[x] = Traced(self, -1 - len(self._numbers), None if isinstance(x, Ball) else x)
        return self._numbers[x]

    def record(self, name: str, *operands) -> Traced:
        """Note an operation; one that was noted before with the same operands is not done twice."""
        step = (name, *[x.place if x.__class__ is Traced else self.lift(x).place for x in operands])
        return Traced(self, self._code.setdefault(step, len(self._code) + 1))

    def __getattr__(self, name: str) -> Callable:
        if name.startswith("_") or not hasattr(BALLS, name):
            raise AttributeError(name)
        return functools.partial(self.record, name)

    def program(self, *results) -> Program:
        """Return what leads to the results."""
        places = tuple(self.lift(x).place for x in results)
        return Program(tuple(self._code), tuple(self._numbers), places)


def run(programs: Sequence[Program], x: Ball) -> list[Ball]:
    """Return the results of programs of one family at ``x``, on balls.

    ``x`` has shape (1 or programs, panels, nodes), and so has a result, except where it is the same for
    all: axes of length 1, or missing, stand for what is the same along them.
    """
    first = programs[0]
    columns = [_column(numbers) for numbers in zip(*(p.numbers for p in programs), strict=True)]
    slots: dict[int, Ball] = {0: x} | {-k: column for k, column in enumerate(columns, 1)}
    for place, operation, operands, done in _schedule(first.code, first.results):
        slots[place] = operation(*[slots[k] for k in operands])
        for k in done:
            del slots[k]
    return [slots[k] for k in first.results]


@functools.lru_cache(maxsize=512)
def _schedule(code: tuple, results: tuple) -> list[tuple]:
    """Return (place, operation, operands, what nobody reads any more) for each operation that is needed."""
    needed, keep, steps = {k for k in results if k > 0}, set(results), []
    for place in range(len(code), 0, -1):
        if place not in needed:
            continue
        name, *operands = code[place - 1]
        inner = {k for k in operands if k > 0}
        steps.append((place, OPERATORS.get(name) or getattr(BALLS, name), operands, tuple(inner - needed - keep)))
        needed |= inner
    return steps[::-1]


def _column(numbers: tuple) -> Ball:
    """Return the numbers of one place in all programs as a column, or as one where they are equal."""
    if len(numbers) == 1 or all(number == numbers[0] for number in numbers[1:]):
        return numbers[0] if isinstance(numbers[0], Ball) else Ball(numbers[0])
    mids = [n.mid if isinstance(n, Ball) else n for n in numbers]
    if not any(isinstance(n, Ball) for n in numbers):
        return Ball(np.array(mids)[:, None, None])
    rads = [n.rad if isinstance(n, Ball) else 0.0 for n in numbers]
    return Ball(np.array(mids)[:, None, None], np.array(rads)[:, None, None])
