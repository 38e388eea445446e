"""What layers that are written as an expression have in common: their parameters, their SPEC and their name."""

from __future__ import annotations

import functools
import math
import re
from typing import Any

from normcal.expression import Expression
from normcal.layer import AFFINE, ANYTHING, Param
from normcal.spec import Text, write

#: What a name may be.
WORD = re.compile("[A-Za-z_][A-Za-z0-9_-]*")
NAME = Param("name", "", ANYTHING, "what tables and files call it", quiet=True, accepts="a word")
_PLACES = "a place such as 0.5, or several in parentheses"
#: Where the function kinks and jumps, beside or in place of what is found.
PLACES = (
    Param("kinks", (), ANYTHING, "more places where the slope jumps", quiet=True, accepts=_PLACES),
    Param("jumps", (), ANYTHING, "more places where the output jumps", quiet=True, accepts=_PLACES),
    Param("detect", "yes", ("yes", "no"), "whether kinks and jumps are searched for, or given", quiet=True),
)
#: Names that mean something beside the names of an expression.
RESERVED = tuple(param.name for param in (NAME, *PLACES, *AFFINE))


class Written:
    """A layer whose mathematics is an expression; its parameters are names, which must not hide what a layer has."""

    expression: Expression
    #: What JSON calls it, whatever the user calls it.
    name = "expr"

    def keep(self, name: str, value: Any) -> None:
        if name == NAME.name:
            value = _word(value)
        elif name in ("kinks", "jumps"):
            value = _places(next(param for param in PLACES if param.name == name), value)
        self.__dict__.setdefault("kept", {})[name] = value
        if any(name == param.name for param in AFFINE):
            setattr(self, name, value)

    def in_force(self, name: str) -> Any:
        return self.kept[name]

    def __reduce__(self):
        from normcal.layers.expressions import remade

        return remade, (self.expression.text, self.values())

    @functools.cached_property
    def spec(self) -> str:
        return write(self.name, self.values(), (Text(self.expression.text),))

    @property
    def called(self) -> str:
        return self.kept[NAME.name]

    @property
    def label(self) -> str:
        told = {name: value for name, value in self.values().items() if name != NAME.name}
        return write(self.called, told) if self.called else self.spec

    @property
    def wording(self) -> str:
        return self.called or f"{self.name} {self.expression.text}"


def _word(value: Any) -> str:
    if not isinstance(value, str) or (value and not WORD.fullmatch(value)):
        NAME.refuse(value, Written.name)
    return value


def _places(param: Param, value: Any) -> tuple[float, ...]:
    places = value if isinstance(value, tuple) else (value,)
    if not all(isinstance(x, (int, float)) and not isinstance(x, bool) and math.isfinite(x) for x in places):
        param.refuse(value, Written.name)
    return tuple(float(x) for x in places)


def merged(first: tuple, second: tuple) -> tuple:
    """Return the balls of both, without those of the second that meet one before them."""
    found: list = list(first)
    for ball in second:
        if not any(abs(ball.mid - other.mid) <= ball.rad + other.rad for other in found):
            found.append(ball)
    return tuple(found)


def listed(name: str, places: list[float]) -> str:
    """Return places along an input as a sentence has them.

    >>> listed("x", [-1.0, 1.0])
    'x = -1 and 1'
    """
    if len(places) > 3:
        return f"{len(places)} places"
    return f"{name} = {' and '.join(f'{x:.12g}' for x in places)}"
