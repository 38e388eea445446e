"""The grammar of expressions: text that becomes a tree of operations, parsed and never evaluated as code.

expression = a number, a name, or a call; + - * / ** and a sign between them; parentheses
comparison = < <= > >=, chained as in -1 < x < 1, joined by and, or, not: the condition of where, or 1 and 0 in a sum
call       = name "(" expression { "," expression } { "," parameter "=" constant } ")"
choice     = where(condition, a, b), or a if condition else b

Python's ``ast`` makes the tree, and each of its nodes is translated or refused with its place. A call is to one of
the functions that a layer may use, to one that is made of them here, or to an elementwise layer of the catalogue.
What a tree means is ``binding.py``'s.
"""

from __future__ import annotations

import functools
import inspect
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from normcal.errors import LONGEST_ECHO, RequestError, echo, near_misses

#: Limits of an expression: characters, levels of nesting, operations, the size of a whole power.
LONGEST, DEEPEST, MOST_NODES, LARGEST_POWER = 4_000, 60, 1_000, 1_000
_ALLOWED = re.compile(r"[A-Za-z0-9_.+\-*/()<>=!,\s]")
_NUMBER = re.compile(r"(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][-+]?\d+)?")
_WORD = re.compile(r"[A-Za-z_]\w*")
_MOST_DIGITS = 400
#: What a character that is no part of the grammar was meant to be.
_MEANT = {"^": "Write ** for a power.", "|": "Write abs(x), or 'or' between conditions.", "&": "Write 'and'."}
#: Doubles next to the number that is meant: off by half a unit in the last place at most.
CONSTANTS = {"pi": (math.pi, 2.0**-52), "e": (math.e, 2.0**-52)}
_ACCEPTED = "Accepted: numbers, names, + - * / **, comparisons, and functions such as tanh(x) or where(x > 0, x, 0)."


class ExpressionError(RequestError):
    """An expression that cannot be accepted: what is wrong, with the place marked."""

    def __init__(self, text: str, place: int, problem: str, hint: str = _ACCEPTED) -> None:
        shown, column = _window(text, place)
        super().__init__(
            f"The expression {echo(text)} {problem} at character {place + 1}.", f"  {shown}\n  {' ' * column}^\n{hint}"
        )


def _window(text: str, place: int, width: int = 72) -> tuple[str, int]:
    """Return what to show of a long text around a place, and the place in it; control characters are blanks."""
    start = max(0, min(place - width // 2, len(text) - width))
    plain = "".join(c if c.isprintable() else " " for c in text[start : start + width])
    return plain, min(place, len(text)) - start


@dataclass(frozen=True)
class Node:
    """One operation of a tree: what it does, on what, and where it stands in the text.

    ``op`` is "number", "name", a function's name, "layer", an operator, or one of the logical words.
    """

    op: str
    args: tuple[Node, ...] = ()
    value: Any = None
    place: int = field(default=0, compare=False)

    @functools.cached_property
    def names(self) -> frozenset[str]:
        """The free names in it."""
        if self.op == "name":
            return frozenset((self.value,))
        return frozenset().union(*(arg.names for arg in self.args))

    @property
    def logical(self) -> bool:
        """Whether it is a condition."""
        return self.op in _LOGICAL


_COMPARED = {"Gt": ">", "Lt": "<", "GtE": ">=", "LtE": "<="}
_LOGICAL = frozenset((*_COMPARED.values(), "and", "or", "not"))
_ARITHMETIC = {"Add": "+", "Sub": "-", "Mult": "*", "Div": "/", "Pow": "**"}


@dataclass(frozen=True)
class Expression:
    """A parsed expression: its text, its tree, and its free names in the order in which they stand.

    >>> parse("where(x > 0, x, a * expm1(x))").names
    ('x', 'a')
    """

    text: str
    tree: Node

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """The free names, in order of appearance."""
        found = sorted((node for node in walk(self.tree) if node.op == "name"), key=lambda node: node.place)
        return tuple(dict.fromkeys(node.value for node in found))

    def function(self, values: Mapping[str, float], inputs: tuple[str, ...] = ("x",)) -> Callable:
        """Return ``f(x, m)``, or ``f(x, y, ..., m)`` for several inputs, at values of the parameters."""
        from normcal import binding

        return binding.function(binding.bound(self, values, inputs), inputs)

    def refused(self, node: Node, problem: str, hint: str = _ACCEPTED) -> ExpressionError:
        """Return the error of a node, its place marked."""
        return ExpressionError(self.text, node.place, problem, hint)


def walk(tree: Node) -> Iterator[Node]:
    """Yield every node of a tree."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += node.args


# --- from text to a tree ---


@functools.lru_cache(maxsize=256)
def parse(text: str) -> Expression:
    """Read an expression; raise ExpressionError with the place where it stops being one.

    >>> parse("x * tanh(softplus(x))").tree.op
    '*'
    >>> parse("x * tan(x^2)")
    Traceback (most recent call last):
    normcal.expression.ExpressionError: The expression 'x * tan(x^2)' has the character '^' at character 10.
      x * tan(x^2)
               ^
    Write ** for a power.
    """
    if len(text) > LONGEST:
        raise RequestError(
            f"An expression of {len(text):_} characters is too long.", f"Accepted: at most {LONGEST:_} characters."
        )
    tree = _Reader(text).read()
    return Expression(text, tree)


class _Reader:
    """Translates the tree that Python's parser makes of a text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.count = 0

    def fail(self, place: int, problem: str, hint: str = _ACCEPTED):
        raise ExpressionError(self.text, place, problem, hint)

    def read(self) -> Node:
        if not self.text.strip():
            self.fail(0, "is empty")
        self.scan()
        return self.number(self.parsed(), 1)

    def scan(self) -> None:
        """Refuse what is no part of the grammar before Python's parser sees it."""
        place = 0
        while place < len(self.text):
            character = self.text[place]
            if not _ALLOWED.match(character):
                self.fail(place, f"has the character {echo(character)}", _MEANT.get(character, _ACCEPTED))
            number = _NUMBER.match(self.text, place)
            if number and (place == 0 or not re.match(r"[\w.]", self.text[place - 1])):
                place = self.scan_number(number)
            elif word := _WORD.match(self.text, place):
                if len(word[0]) > LONGEST_ECHO:
                    self.fail(place, "has a name that is too long", f"Accepted: at most {LONGEST_ECHO} characters.")
                place = word.end()
            else:
                place += 1

    def scan_number(self, number: re.Match) -> int:
        place, end = number.span()
        if re.match(r"[\w.]", self.text[end : end + 1]):
            self.fail(end, "has a number that runs on into something else")
        if end - place > _MOST_DIGITS:
            self.fail(place, "has a number of too many digits", f"Accepted: at most {_MOST_DIGITS}.")
        if re.fullmatch(r"0[\d_]*[1-9][\d_]*", number[0]) or re.search(r"__|_\b|_[.eE]|\._", number[0]):
            self.fail(place, "has a number that is written oddly", "Accepted: numbers such as 0.5, 12 or 1e-3.")
        return end

    def parsed(self):
        """Return the body of Python's tree."""
        import ast
        import warnings

        plain = re.sub(r"\s", " ", self.text)
        lead = len(plain) - len(plain.lstrip())
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of code that is odd: it is refused here, or fine
                self.lead = lead
                return ast.parse(plain.strip(), mode="eval").body
        except SyntaxError as problem:
            offset = problem.offset if problem.offset and problem.offset > 0 else len(plain.strip()) + 1
            place = min(lead + offset - 1, len(self.text))
            self.check_depth(place, DEEPEST + 1 if "too many nested" in str(problem.msg) else 0)
            self.fail(place, "is no expression")
        except (ValueError, MemoryError, RecursionError, OverflowError):
            self.check_depth(0, DEEPEST + 1)

    def number(self, node, depth: int) -> Node:
        """Translate what must be a number; a condition is 1 or 0."""
        found = self.node(node, depth)
        if not found.logical:
            return found
        one, zero = (Node("number", (), value, found.place) for value in (1.0, 0.0))
        return Node("where", (found, one, zero), None, found.place)

    def condition(self, node, depth: int) -> Node:
        found = self.node(node, depth)
        if not found.logical:
            self.fail(found.place, "has a number for a condition", "Accepted: a comparison such as x > 0.")
        return found

    def node(self, node, depth: int) -> Node:
        kind, place = type(node).__name__, self.lead + node.col_offset
        self.count += 1
        self.check_depth(place, depth)
        if self.count > MOST_NODES:
            self.fail(place, "has too many operations", f"Accepted: at most {MOST_NODES:_}.")
        translate = getattr(self, f"of_{kind}", None)
        if translate is None:
            self.fail(place, "has something that is no part of the grammar")
        return translate(node, place, depth + 1)

    def check_depth(self, place: int, depth: int) -> None:
        if depth > DEEPEST:
            sums = "each term of a long sum is one, but for parts in parentheses"
            self.fail(place, "is nested too deeply", f"Accepted: at most {DEEPEST} levels; {sums}.")

    def of_Constant(self, node, place: int, depth: int) -> Node:
        if isinstance(node.value, bool) or not isinstance(node.value, (int, float)):
            self.fail(place, "has something that is no number")
        try:
            value = float(node.value)
        except OverflowError:
            value = math.inf
        if math.isinf(value):
            self.fail(place, "has a number that no double can hold", "Accepted: numbers up to 1.79e308.")
        return Node("number", (), value, place)

    def of_Name(self, node, place: int, depth: int) -> Node:
        if node.id in CONSTANTS:
            return Node("constant", (), node.id, place)
        if node.id.startswith("__"):
            self.fail(place, f"has the name {echo(node.id)}")
        return Node("name", (), node.id, place)

    def of_UnaryOp(self, node, place: int, depth: int) -> Node:
        kind = type(node.op).__name__
        if kind == "Not":
            return Node("not", (self.condition(node.operand, depth),), None, place)
        if kind not in ("USub", "UAdd"):
            self.fail(place, "has something that is no part of the grammar")
        inner = self.number(node.operand, depth)
        return inner if kind == "UAdd" else Node("neg", (inner,), None, place)

    def of_BinOp(self, node, place: int, depth: int) -> Node:
        op = _ARITHMETIC.get(type(node.op).__name__)
        if op is None:
            self.fail(place, "has an operator that is no part of the grammar")
        return Node(op, (self.number(node.left, depth), self.number(node.right, depth)), None, place)

    def of_BoolOp(self, node, place: int, depth: int) -> Node:
        op = type(node.op).__name__.lower()
        self.check_depth(place, depth + len(node.values))
        parts = [self.condition(value, depth) for value in node.values]
        return functools.reduce(lambda a, b: Node(op, (a, b), None, place), parts)

    def of_Compare(self, node, place: int, depth: int) -> Node:
        self.check_depth(place, depth + len(node.ops))
        numbers = [self.number(one, depth) for one in (node.left, *node.comparators)]
        found = []
        for op, left, right in zip(node.ops, numbers, numbers[1:], strict=False):
            if type(op).__name__ not in _COMPARED:
                self.fail(right.place, "has a comparison other than < <= > >= before it")
            found.append(Node(_COMPARED[type(op).__name__], (left, right), None, place))
        return functools.reduce(lambda a, b: Node("and", (a, b), None, place), found)

    def of_IfExp(self, node, place: int, depth: int) -> Node:
        parts = self.condition(node.test, depth), self.number(node.body, depth), self.number(node.orelse, depth)
        return Node("where", parts, None, place)

    def of_Call(self, node, place: int, depth: int) -> Node:
        name = getattr(node.func, "id", None)
        if name is None:
            last = getattr(node.func, "attr", "")
            known = last in functions() or _layer_class(last) is not None
            hint = f"Write {last}(x), without a module." if known else _ACCEPTED
            self.fail(place, "calls something that is no name", hint)
        if any(type(arg).__name__ == "Starred" for arg in node.args) or any(k.arg is None for k in node.keywords):
            self.fail(place, f"calls {name} with a star")
        if name not in functions():
            return self.layer(name, node, place, depth)
        least, most = functions()[name].arity
        if node.keywords:
            self.fail(place, f"calls {name} with operands by name", f"Write {name}(x): operands go by their order.")
        if not least <= len(node.args) <= most:
            numbers = f"{least}" if least == most else f"{least} or more" if most > 9 else f"{least} to {most}"
            self.fail(place, f"calls {name} with {len(node.args)} operands", f"It takes {numbers}.")
        if name == "where":
            first, *rest = node.args
            return Node("where", (self.condition(first, depth), *(self.number(a, depth) for a in rest)), None, place)
        op = "**" if functions()[name] is functions()["power"] else name
        return Node(op, tuple(self.number(arg, depth) for arg in node.args), None, place)

    def layer(self, name: str, node, place: int, depth: int) -> Node:
        """Translate the call of an elementwise layer of the catalogue."""
        cls = _layer_class(name)
        if cls is None:
            self.fail(place, f"calls {name!r}, which is no function", _near(name))
        if len(node.args) != 1:
            given = f"{len(node.args)} operands"
            self.fail(place, f"calls the layer {name} with {given}", "It takes one, and parameters by name.")
        keys = tuple(keyword.arg for keyword in node.keywords)
        known = [param.name for param in cls.params]
        for keyword in node.keywords:
            if keyword.arg not in known:
                at = self.lead + keyword.col_offset
                self.fail(at, f"gives {name} the parameter {keyword.arg!r}", f"It takes {', '.join(known)}.")
        values = tuple(self.number(keyword.value, depth) for keyword in node.keywords)
        return Node("layer", (self.number(node.args[0], depth), *values), (cls.name, keys), place)


def _near(name: str) -> str:
    close = near_misses(name, functions())
    known = ", ".join(sorted(functions(), key=str.lower))
    if close:
        return f"Did you mean {' or '.join(close)}?"
    return f"Accepted: {known}; or an elementwise layer of the catalogue, such as silu(x)."


def _layer_class(name: str):
    """Return the class of an elementwise layer that is one function of its entry; None where there is none."""
    from normcal import catalog
    from normcal.layer import Elementwise

    try:
        cls = catalog.find(name)
    except RequestError:
        return None
    if cls.composed or not issubclass(cls, Elementwise) or not cls().single:
        return None
    return cls


# --- functions ---


@dataclass(frozen=True)
class Function:
    """A function of the namespace: how many operands it takes, and how it is called."""

    arity: tuple[int, int]
    call: Callable


class Made:
    """Functions made of those of any namespace ``m``."""

    @staticmethod
    def sign(m, x):
        return m.where(x > 0.0, 1.0, m.where(x < 0.0, -1.0, 0.0))

    @staticmethod
    def relu(m, x):
        return m.maximum(x, 0.0)

    @staticmethod
    def clip(m, x, low, high):
        return m.minimum(m.maximum(x, low), high)

    @staticmethod
    def max(m, a, b, *more):
        return functools.reduce(m.maximum, more, m.maximum(a, b))

    @staticmethod
    def min(m, a, b, *more):
        return functools.reduce(m.minimum, more, m.minimum(a, b))

    @staticmethod
    def ceil(m, x):
        return -m.floor(-x)

    @staticmethod
    def round(m, x):
        return m.floor(x + 0.5)

    @staticmethod
    def mod(m, x, y):
        return x - y * m.floor(x / y)

    @staticmethod
    def log2(m, x):
        return m.log(x) / m.log(2.0)

    @staticmethod
    def log10(m, x):
        return m.log(x) / m.log(10.0)

    @staticmethod
    def exp2(m, x):
        return m.exp(x * m.log(2.0))

    @staticmethod
    def sinh(m, x):
        return (m.expm1(x) - m.expm1(-x)) * 0.5  # of opposite signs: nothing cancels near 0

    @staticmethod
    def cosh(m, x):
        half = Made.sinh(m, x * 0.5)
        return half * half * 2.0 + 1.0

    @staticmethod
    def tan(m, x):
        return m.sin(x) / m.cos(x)

    @staticmethod
    def atanh(m, x):
        return (m.log1p(x) - m.log1p(-x)) * 0.5

    @staticmethod
    def erfc(m, x):
        return m.Phi(-(x * m.sqrt(2.0))) * 2.0


#: Second names.
_ALIASES = {"atan": "arctan", "arcsinh": "asinh", "arctanh": "atanh", "fabs": "abs", "pow": "power"}


@functools.cache
def functions() -> dict[str, Function]:
    """Return the functions that an expression may call, by name: those of every namespace, and those made of them."""
    from normcal.numerics.balls import Balls

    found = {}
    for name in dir(Balls):
        if not name.startswith("_"):
            count = len(inspect.signature(getattr(Balls, name)).parameters) - 1
            found[name] = Function((count, count), functools.partial(_called, name))
    for name, call in vars(Made).items():
        if not name.startswith("_"):
            parameters = inspect.signature(call.__func__).parameters.values()
            count = sum(p.kind is p.POSITIONAL_OR_KEYWORD for p in parameters) - 1
            open_ended = any(p.kind is p.VAR_POSITIONAL for p in parameters)
            found[name] = Function((count, 99 if open_ended else count), call.__func__)
    return found | {alias: found[name] for alias, name in _ALIASES.items()}


def _called(name: str, m, *operands):
    return getattr(m, name)(*operands)
