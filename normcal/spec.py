"""The SPEC grammar: ``name`` or ``name(param=value, ...)``, parsed and never evaluated.

spec   = name [ "(" [ param { "," param } ] ")" ]
param  = name "=" value
value  = single | "[" single { "," single } "]"        a sweep: one layer for each
single = number | tuple | word [ "(" [ inner { "," inner } ] ")" ]
inner  = param | single
tuple  = "(" single { "," single } [ "," ] ")"
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from normcal.errors import RequestError, echo

LONGEST = 1_000_000
DEEPEST = 12
_TOKEN = re.compile(
    r"\s*(?:(?P<number>[-+]?(?:[0-9][0-9_]*\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)(?![\w.])|(?P<word>[A-Za-z_][A-Za-z0-9_-]*)|(?P<mark>[(),=\[\]]))"
)
_EXAMPLE = "A SPEC is a layer's name, or a name with parameters such as leaky_relu(negative_slope=0.2)."


@dataclass(frozen=True)
class Spec:
    """A name as the user wrote it, and its parameters; ``args`` are values without a name."""

    name: str
    params: dict[str, Any]
    args: tuple = field(default=(), repr=False)

    @property
    def spec(self) -> str:
        return write(self.name, self.params, self.args)


def parse(text: str) -> Spec:
    """Read a SPEC; raise RequestError with the place where it stops being one.

    A sweep is a list among the parameters; ``expand`` takes it apart.

    >>> parse("max_pool(kernel_size=(3, 2), ndim=2)")
    Spec(name='max_pool', params={'kernel_size': (3, 2), 'ndim': 2})
    """
    if len(text) > LONGEST:
        raise RequestError(f"A SPEC of {len(text):_} characters is too long.", f"Accepted: at most {LONGEST}.")
    return _Reader(text).spec()


def expand(spec: Spec, most: int) -> Iterator[Spec]:
    """Yield the SPECs that the sweeps of one stand for, the first parameter varying slowest.

    >>> [one.spec for one in expand(parse("elu(alpha=[0.5, 1])"), 10)]
    ['elu(alpha=0.5)', 'elu(alpha=1)']
    """
    for chosen in itertools.product(*_within(spec, most)):
        yield Spec(spec.name, dict(zip(spec.params, chosen, strict=True)), spec.args)


def count(spec: Spec, most: int) -> int:
    """Return how many SPECs the sweeps of one stand for; refuse more than ``most``.

    >>> count(parse("elu(alpha=[0.5, 1], input_scale=[1, 2, 3])"), 10)
    6
    """
    return math.prod(map(len, _within(spec, most)))


def _within(spec: Spec, most: int) -> list[list]:
    """Return the values that each parameter takes."""
    choices = [list(_choices(value, most)) for value in spec.params.values()]
    number = math.prod(map(len, choices))
    if number > most:
        raise RequestError(f"{echo(spec.spec)} stands for {number:_} layers.", f"Accepted: at most {most:_} in all.")
    return choices


def _choices(value: Any, most: int) -> Iterator[Any]:
    if isinstance(value, list):
        for one in value:
            yield from _choices(one, most)
    elif isinstance(value, Spec):
        yield from expand(value, most)
    else:
        yield value


def write(name: str, params: dict[str, Any], args: tuple = ()) -> str:
    """Write a SPEC in its canonical form.

    >>> write("dropout", {"keep_prob": 0.9, "scaling": "unit"})
    'dropout(keep_prob=0.9, scaling=unit)'
    """
    inside = ", ".join([*map(written, args), *(f"{key}={written(value)}" for key, value in params.items())])
    return f"{name}({inside})" if inside else name


def written(value: Any) -> str:
    """Write a parameter's value as the grammar reads it.

    >>> written((3, 2)), written(0.5)
    ('(3, 2)', '0.5')
    """
    if isinstance(value, tuple):
        return f"({', '.join(map(written, value))}{',' if len(value) == 1 else ''})"
    if isinstance(value, list):
        return f"[{', '.join(map(written, value))}]"
    return value if isinstance(value, str) else getattr(value, "spec", None) or repr(value)


class _Reader:
    """A recursive-descent reader over the tokens of one SPEC."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = self.depth = 0
        self.peeked: tuple[int, str, str, int] | None = None  # where, kind, text, end

    def spec(self) -> Spec:
        found = self.called("a layer's name", sweeps=True)
        if self.peek()[0] != "end":
            self.fail("the end")
        return found

    def called(self, what: str, *, sweeps: bool) -> Spec:
        """Read a name, and what follows it in parentheses."""
        name = self.take("word", what)
        params: dict[str, Any] = {}
        args: list[Any] = []
        if self.peek()[1] == "(":
            self.take("(", "'('")
            while self.peek()[1] != ")":
                self.argument(params, args, positional=not sweeps)
                if self.peek()[1] != ")":
                    self.take(",", "',' or ')'")
            self.take(")", "')'")
        return Spec(name, params, tuple(args))

    def argument(self, params: dict, args: list, *, positional: bool) -> None:
        """Read ``name=value`` or, within a value, a bare value."""
        before = self.at
        if positional:
            kind = self.peek()[0]
            if kind == "word":
                self.take("word", "a name")
            named = kind == "word" and self.peek()[1] == "="
            self.at = before
            if not named:
                args.append(self.single())
                return
        key = self.take("word", "a parameter's name")
        if key in params:
            raise RequestError(f"{echo(self.text)}: {key} is given twice.")
        self.take("=", f"'=' and a value after {key}")
        params[key] = self.value()

    def value(self) -> Any:
        if self.peek()[1] != "[":
            return self.single()
        self.take("[", "'['")
        values = [self.single()]
        while self.peek()[1] == ",":
            self.take(",", "','")
            if self.peek()[1] == "]":
                break
            values.append(self.single())
        self.take("]", "',' or ']'")
        return values

    def single(self) -> Any:
        kind, text = self.peek()
        if kind == "number":
            return self.number()
        self.depth += 1
        if self.depth > DEEPEST:
            self.fail(f"no more than {DEEPEST} levels of parentheses")
        if kind == "word":
            found = self.called("a value", sweeps=False)
            self.depth -= 1
            return found if found.params or found.args else found.name
        if text != "(":
            self.fail("a number, a word or a tuple of numbers")
        self.take("(", "'('")
        values = [self.single()]
        while self.peek()[1] == ",":
            self.take(",", "','")
            if self.peek()[1] == ")":
                break
            values.append(self.single())
        self.take(")", "',' or ')'")
        self.depth -= 1
        return tuple(values)

    def number(self) -> int | float:
        text = self.take("number", "a number")
        if re.fullmatch(r"[-+]?[0-9_]+", text):
            if len(text) > 30:
                self.fail("a number of fewer digits")
            return int(text.replace("_", ""))
        value = float(text.replace("_", ""))
        if math.isinf(value):
            self.fail("a number that a double can hold")
        return value

    def peek(self) -> tuple[str, str]:
        """Return (kind, text) of the next token without taking it."""
        if self.peeked is None or self.peeked[0] != self.at:
            match = _TOKEN.match(self.text, self.at)
            if match:
                self.peeked = (self.at, str(match.lastgroup), match.group(match.lastgroup), match.end())
            else:
                rest = self.text[self.at :].strip()
                self.peeked = (self.at, "other" if rest else "end", rest[:1], self.at)
        return self.peeked[1:3]

    def take(self, wanted: str, described: str) -> str:
        kind, text = self.peek()
        if wanted != (text if kind == "mark" else kind):
            self.fail(described)
        self.at = self.peeked[3]
        return text

    def fail(self, wanted: str) -> None:
        found = self.peek()[1] or "the end"
        place = len(self.text) - len(self.text[self.at :].lstrip()) + 1
        raise RequestError(
            f"{echo(self.text)} is not a SPEC: expected {wanted} at character {place}, found {echo(found)}.", _EXAMPLE
        )
