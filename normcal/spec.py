"""The SPEC grammar: ``name`` or ``name(param=value, ...)``, parsed and never evaluated.

spec   = name [ "(" [ param { "," param } ] ")" ]
param  = name "=" value
value  = number | word | "(" number { "," number } [ "," ] ")"
"""

from __future__ import annotations

import math
import re
from typing import Any, NamedTuple

from normcal.errors import RequestError, echo

LONGEST = 1000
_TOKEN = re.compile(
    r"\s*(?:(?P<number>[-+]?(?:[0-9][0-9_]*\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)(?![\w.])|(?P<word>[A-Za-z_][A-Za-z0-9_-]*)|(?P<mark>[(),=]))"
)
_EXAMPLE = "A SPEC is a layer's name, or a name with parameters such as leaky_relu(negative_slope=0.2)."


class Spec(NamedTuple):
    """A layer's name as the user wrote it, and its parameters."""

    name: str
    params: dict[str, Any]


def parse(text: str) -> Spec:
    """Read a SPEC; raise RequestError with the place where it stops being one.

    >>> parse("max_pool(kernel_size=(3, 2), ndim=2)")
    Spec(name='max_pool', params={'kernel_size': (3, 2), 'ndim': 2})
    """
    if len(text) > LONGEST:
        raise RequestError(f"A SPEC of {len(text):_} characters is too long.", f"Accepted: at most {LONGEST}.")
    return _Reader(text).spec()


def write(name: str, params: dict[str, Any]) -> str:
    """Write a SPEC in its canonical form.

    >>> write("dropout", {"keep_prob": 0.9, "scaling": "unit"})
    'dropout(keep_prob=0.9, scaling=unit)'
    """
    inside = ", ".join(f"{key}={_written(value)}" for key, value in params.items())
    return f"{name}({inside})" if inside else name


def _written(value: Any) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_written, value))}{',' if len(value) == 1 else ''})"
    return value if isinstance(value, str) else repr(value)


class _Reader:
    """A recursive-descent reader over the tokens of one SPEC."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def spec(self) -> Spec:
        name = self.take("word", "a layer's name")
        params: dict[str, Any] = {}
        if self.peek()[1] == "(":
            self.take("(", "'('")
            while self.peek()[1] != ")":
                key = self.take("word", "a parameter's name")
                if key in params:
                    raise RequestError(f"{echo(self.text)}: {key} is given twice.")
                self.take("=", f"'=' and a value after {key}")
                params[key] = self.value()
                if self.peek()[1] != ")":
                    self.take(",", "',' or ')'")
            self.take(")", "')'")
        if self.peek()[0] != "end":
            self.fail("the end")
        return Spec(name, params)

    def value(self) -> Any:
        kind, text = self.peek()
        if kind == "number":
            return self.number()
        if kind == "word":
            return self.take("word", "a value")
        if text != "(":
            self.fail("a number, a word or a tuple of numbers")
        self.take("(", "'('")
        values = [self.number()]
        while self.peek()[1] == ",":
            self.take(",", "','")
            if self.peek()[1] == ")":
                break
            values.append(self.number())
        self.take(")", "',' or ')'")
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
        match = _TOKEN.match(self.text, self.at)
        if match:
            return str(match.lastgroup), match.group(match.lastgroup)
        return ("end", "") if not self.text[self.at :].strip() else ("other", self.text[self.at :].strip()[0])

    def take(self, wanted: str, described: str) -> str:
        kind, text = self.peek()
        if wanted != (text if kind == "mark" else kind):
            self.fail(described)
        self.at = _TOKEN.match(self.text, self.at).end()
        return text

    def fail(self, wanted: str) -> None:
        found = self.peek()[1] or "the end"
        place = len(self.text) - len(self.text[self.at :].lstrip()) + 1
        raise RequestError(
            f"{echo(self.text)} is not a SPEC: expected {wanted} at character {place}, found {echo(found)}.", _EXAMPLE
        )
