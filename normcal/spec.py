"""The SPEC grammar: ``name`` or ``name(param=value, ...)``, parsed and never evaluated.

chain  = spec { "|" spec }                             layers that work on each other's output
spec   = name [ "(" [ param { "," param } ] ")" ] | code
param  = name "=" value | text
value  = single | range | "[" (single | range) { "," (single | range) } "]"        a sweep: one layer for each
range  = number ":" number ":" count [ ":" ("lin" | "log") ]
single = number | text | tuple | word [ "(" [ inner { "," inner } ] ")" ]
inner  = param | single
tuple  = "(" single { "," single } [ "," ] ")"
text   = characters in double or single quotes; a backslash takes the meaning from a quote or a backslash
code   = a module or a file, ":" and a name in it, such as activations.py:phi
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from normcal.errors import LONGEST_ECHO, RequestError, echo

LONGEST = 1_000_000
DEEPEST = 12
#: How many values a range may have.
MOST_VALUES = 1_000_000
#: The name of layers in a row, and of a function that Python code defines.
CHAIN, CODE = "chain", "callable"
_NUMBER = r"[-+]?(?:[0-9][0-9_]*\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
_CODE = r"[\w./\\~-]+:[A-Za-z_][\w.]*"
_TEXT = r""" "(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*' """.replace(" ", "")
_TOKEN = re.compile(
    rf"\s*(?:(?P<number>{_NUMBER})(?![\w.]|[/\\][\w./\\~-]*:)|(?P<text>{_TEXT})|(?P<code>{_CODE})"
    rf"|(?P<word>[A-Za-z_][A-Za-z0-9_-]*)|(?P<mark>[(),=\[\]:|]))",
    re.DOTALL,
)
_EXAMPLE = "A SPEC is a layer's name, or a name with parameters such as leaky_relu(negative_slope=0.2)."
#: What else may have been meant, as a pattern in the text, and how that is written.
_MEANT = (
    (r"\.py\b", 'Code in a file is FILE.py:NAME, or callable("FILE.py:NAME", a=2) with parameters.'),
    (r"\bx\b", 'A formula goes with --expr, or in quotes: expr("x * tanh(x)").'),
)
#: How numbers may be given where there may be several.
RANGES = "Accepted: a number, a range such as -3:3:61 or 0.01:100:31:log, or a list such as [0, 0.5, 1]."


class Text(str):
    """A value that was given in quotes."""

    __slots__ = ()


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


def values(text: str, what: str) -> list:
    """Read what may stand behind a parameter's "=", as the list of its values; ``what`` is it for messages.

    >>> values("0.5", "a mean"), values("[0, 1:4:3:log]", "a mean")
    ([0.5], [0, 1.0, 2.0, 4.0])
    """
    if len(text) > LONGEST:
        raise RequestError(f"{what} of {len(text):_} characters is too long.", f"Accepted: at most {LONGEST}.")
    return list(choices(_Reader(text, what, RANGES).only(), MOST_VALUES))


def expand(spec: Spec, most: int) -> Iterator[Spec]:
    """Yield the SPECs that the sweeps of one stand for, the first parameter varying slowest.

    >>> [one.spec for one in expand(parse("elu(alpha=[0.5, 1])"), 10)]
    ['elu(alpha=0.5)', 'elu(alpha=1)']
    """
    count = len(spec.args)
    for chosen in itertools.product(*_within(spec, most)):
        yield Spec(spec.name, dict(zip(spec.params, chosen[count:], strict=True)), chosen[:count])


def count(spec: Spec, most: int) -> int:
    """Return how many SPECs the sweeps of one stand for; refuse more than ``most``.

    >>> count(parse("elu(alpha=[0.5, 1], input_scale=[1, 2, 3])"), 10)
    6
    """
    return math.prod(map(len, _within(spec, most)))


def _within(spec: Spec, most: int) -> list[list]:
    """Return the values that each argument and each parameter takes."""
    found = [list(choices(value, most)) for value in (*spec.args, *spec.params.values())]
    number = math.prod(map(len, found))
    if number > most:
        raise RequestError(f"{echo(spec.spec)} stands for {number:_} layers.", f"Accepted: at most {most:_} in all.")
    return found


def choices(value: Any, most: int) -> Iterator[Any]:
    """Yield the values that a parameter takes: those of a list, and of the SPECs within it."""
    if isinstance(value, list):
        for one in value:
            yield from choices(one, most)
    elif isinstance(value, Spec):
        yield from expand(value, most)
    else:
        yield value


def write(name: str, params: dict[str, Any], args: tuple = ()) -> str:
    """Write a SPEC in its canonical form.

    >>> write("dropout", {"keep_prob": 0.9, "scaling": "unit"})
    'dropout(keep_prob=0.9, scaling=unit)'
    """
    if name == CHAIN:
        return " | ".join(map(written, args))
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
    if isinstance(value, Text):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return value if isinstance(value, str) else getattr(value, "spec", None) or repr(value)


def values_between(start: str, stop: str, count: int, scale: str = "lin") -> list[float]:
    """Return ``count`` numbers from ``start`` to ``stop``, each the double nearest to the decimal that is meant.

    >>> values_between("0", "1", 5), values_between("0.001", "1000", 7, "log")
    ([0.0, 0.25, 0.5, 0.75, 1.0], [0.001, 0.01, 0.1, 1.0, 10.0, 100.0, 1000.0])
    """
    import decimal
    from fractions import Fraction

    ends = float(start.replace("_", "")), float(stop.replace("_", ""))
    if not all(end == 0.0 or 1e-307 < abs(end) < 1e307 for end in ends):
        raise RequestError(f"{start}:{stop}: a range ends at 0 or at numbers between 1e-307 and 1e307.")
    first, last = (Fraction(text.replace("_", "")) if end else 0 for text, end in zip((start, stop), ends, strict=True))
    if scale == "lin":
        return [float(first + (last - first) * k / (count - 1)) for k in range(count)]
    if ends[0] <= 0.0 or ends[1] <= 0.0:
        raise RequestError(f"{start}:{stop}: a logarithmic range needs ends above 0.")
    with decimal.localcontext(prec=22):  # a double's logarithm is off by more than a digit of what is meant
        low, high = (decimal.Decimal(text.replace("_", "")).ln() for text in (start, stop))
        inner = [f"{(low + (high - low) * k / (count - 1)).exp():.15g}" for k in range(1, count - 1)]
    return [ends[0], *map(float, inner), ends[1]]


def _unescaped(found: re.Match) -> str:
    return found[1] if found[1] in "\"'\\" else found[0]


class _Reader:
    """A recursive-descent reader over the tokens of one SPEC, or of what ``what`` says."""

    def __init__(self, text: str, what: str = "a SPEC", hint: str = _EXAMPLE) -> None:
        self.text, self.what, self.hint = text, what, hint
        self.at = self.depth = 0
        self.peeked: tuple[int, str, str, int] | None = None  # where, kind, text, end

    def spec(self) -> Spec:
        stages = [self.stage()]
        while self.peek()[1] == "|":
            self.take("|", "'|'")
            stages.append(self.stage())
        if self.peek()[0] != "end":
            self.fail("the end")
        return stages[0] if len(stages) == 1 else Spec(CHAIN, {}, tuple(stages))

    def only(self) -> Any:
        """Read a parameter's value and nothing else."""
        found = self.value()
        if self.peek()[0] != "end":
            self.fail("the end")
        return found

    def stage(self) -> Spec:
        """Read one layer: its name and parameters, or where the code of a function is."""
        if self.peek()[0] == "code":
            return Spec(CODE, {}, (Text(self.take("code", "a function")),))
        return self.called("a layer's name", sweeps=True)

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
        if self.peek()[0] == "text":
            args.append(self.text_value())
            return
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
            raise RequestError(f"{echo(self.text)}: {key[:LONGEST_ECHO]} is given twice.")
        self.take("=", f"'=' and a value after {key[:LONGEST_ECHO]}")
        params[key] = self.value()

    def value(self) -> Any:
        if self.peek() != ("mark", "["):
            return self.ranged()
        self.take("[", "'['")
        values = [self.ranged()]
        while self.peek()[1] == ",":
            self.take(",", "','")
            if self.peek()[1] == "]":
                break
            values.append(self.ranged())
        self.take("]", "',' or ']'")
        return values

    def ranged(self) -> Any:
        """Read a value, or a range of numbers as the list of them."""
        if self.peek()[0] != "number":
            return self.single()
        place = self.at
        first = self.number()
        if self.peek()[1] != ":":
            return first
        self.at = place
        return self.range()

    def range(self) -> list[float]:
        start = self.take("number", "a number")
        self.take(":", "':'")
        stop = self.take("number", "the last value of a range")
        self.take(":", "':' and how many values")
        place = self.at
        count = self.number()
        if not isinstance(count, int) or not 2 <= count <= MOST_VALUES:
            self.at = place
            self.fail(f"a whole number of values from 2 to {MOST_VALUES}")
        scale = "lin"
        if self.peek()[1] == ":":
            self.take(":", "':'")
            if self.peek()[1] not in ("lin", "log"):
                self.fail("lin or log")
            scale = self.take("word", "lin or log")
        try:
            return values_between(start, stop, count, scale)
        except RequestError as error:
            raise RequestError(f"{echo(self.text)}: {error.message}", error.hint) from None

    def text_value(self) -> Text:
        """Read what stands in quotes."""
        return Text(re.sub(r"\\(.)", _unescaped, self.take("text", "text in quotes")[1:-1], flags=re.DOTALL))

    def single(self) -> Any:
        kind, text = self.peek()
        if kind == "number":
            return self.number()
        if kind == "text":
            return self.text_value()
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
        found = echo(self.peek()[1]) if self.peek()[1] else "the end"
        place = len(self.text) - len(self.text[self.at :].lstrip()) + 1
        meant = next((told for pattern, told in _MEANT if re.search(pattern, self.text[:LONGEST_ECHO])), "")
        raise RequestError(
            f"{echo(self.text)} is not {self.what}: expected {wanted} at character {place}, found {found}.",
            f"{self.hint} {meant}" if meant and self.hint is _EXAMPLE else self.hint,
        )
