"""From the tree of an expression to its function: parameters put in, constants worked out, operations done.

The function takes its inputs and a namespace, and so works on arrays, balls, dual numbers and tapes alike. Numbers are
doubles; what is made of numbers alone, such as sqrt(2) or 1/3, is known to a bound.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from normcal.errors import RequestError
from normcal.expression import CONSTANTS, LARGEST_POWER, Expression, Node, functions

_OPERATORS = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "neg": operator.neg,
    ">": operator.gt, "<": operator.lt, ">=": operator.ge, "<=": operator.le,
}  # fmt: skip
#: What an operation on twice the same is, whatever that is.
_ALIKE = {">": 0.0, "<": 0.0, ">=": 1.0, "<=": 1.0, "-": 0.0}


@dataclass(frozen=True)
class Constant:
    """A number of the function: a plain float, or a scalar ball that holds it."""

    ball: Any

    @property
    def number(self) -> float:
        return self.ball if isinstance(self.ball, float) else self.ball.mid


def bound(expression: Expression, values: Mapping[str, float], inputs: tuple[str, ...]) -> Node:
    """Return the tree with the parameters' values put in and all that is constant worked out, on balls.

    Raises ExpressionError where a constant is no number, such as 1/0, and for a power that is too large.
    """
    done: dict[int, Node] = {}

    def bind(node: Node) -> Node:
        if id(node) not in done:
            done[id(node)] = _folded(expression, _put_in(node, values, inputs, tuple(map(bind, node.args))))
        return done[id(node)]

    return bind(expression.tree)


def _put_in(node: Node, values: Mapping[str, float], inputs: tuple[str, ...], args: tuple[Node, ...]) -> Node:
    if node.op == "number":
        return Node("fixed", (), Constant(node.value), node.place)
    if node.op == "name" and node.value not in inputs:
        return Node("fixed", (), Constant(float(values[node.value])), node.place)
    return Node(node.op, args, node.value, node.place)


def _folded(expression: Expression, node: Node) -> Node:
    """Work out a node whose operands are constant; choose a branch where its condition is."""
    if node.op in ("fixed", "name"):
        return node
    if node.op == "where" and node.args[0].op == "fixed":
        return node.args[1 if node.args[0].value.number else 2]
    if node.op == "where":
        return _chosen(*node.args, node.place)
    if node.op in ("and", "or", "not") and any(arg.op == "fixed" for arg in node.args):
        return _decided(node)
    if node.op in _ALIKE and node.args[0] == node.args[1]:
        return Node("fixed", (), Constant(_ALIKE[node.op]), node.place)
    if node.op == "layer":
        return _of_layer(expression, node)
    if node.op == "**":
        node = _settled_power(expression, node)
    if node.op == "/" and node.args[1].op == "fixed" and node.args[1].value.number == 0.0:
        raise expression.refused(node, "divides by 0", "Accepted: a divisor that is not 0.")
    if node.op != "fixed" and all(arg.op == "fixed" for arg in node.args):
        return Node("fixed", (), Constant(_constant(expression, node)), node.place)
    return node


def _chosen(condition: Node, a: Node, b: Node, place: int) -> Node:
    """Return the choice by a condition as choices by single comparisons."""
    if condition.op == "not":
        return _chosen(condition.args[0], b, a, place)
    if condition.op in ("and", "or"):
        first, second = condition.args
        inner = _chosen(second, a, b, place)
        return _chosen(first, *((inner, b) if condition.op == "and" else (a, inner)), place)
    return Node("where", (condition, a, b), None, place)


def _decided(node: Node) -> Node:
    """Return a logical node of which an operand is known to be true or false."""
    if node.op == "not":
        return Node("fixed", (), Constant(float(not node.args[0].value.number)), node.place)
    first, second = node.args if node.args[0].op == "fixed" else node.args[::-1]
    settles = bool(first.value.number) is (node.op == "or")
    return first if settles else second


def _constant(expression: Expression, node: Node):
    """Return the value of an operation on constants: a float where it is exact, else a ball."""
    from normcal.numerics.balls import BALLS, Ball, ball

    operands = [ball(arg.value.ball) for arg in node.args]
    try:
        if node.op == "constant":
            found = Ball(*CONSTANTS[node.value])
        elif node.logical:
            compared = _OPERATORS[node.op](*operands)
            return float(bool(compared.true))
        elif node.op == "**":
            found = ball(_power(BALLS, operands[0], node.args[1].value.ball))
        else:
            found = ball(_operate(node, BALLS, operands))
    except (ArithmeticError, ValueError):
        found = Ball(math.nan)
    mid, rad = float(found.mid), float(found.rad)
    if not (math.isfinite(mid) and math.isfinite(rad)):
        raise expression.refused(node, "has a constant that is no finite number", "Accepted: finite numbers.")
    return mid if rad == 0.0 else Ball(mid, rad)


def _settled_power(expression: Expression, node: Node) -> Node:
    """Refuse powers that are no numbers or too large; a power of a constant is an exponential."""
    base, exponent = node.args
    if exponent.op == "fixed":
        power = exponent.value.number
        if abs(power) > LARGEST_POWER:
            hint = f"Accepted: from -{LARGEST_POWER} to {LARGEST_POWER}."
            raise expression.refused(exponent, f"has the power {power:.6g}, which is too large", hint)
        if power == 0.0:
            return Node("fixed", (), Constant(1.0), node.place)
        return Node("**", (base, exponent), None, node.place)
    if base.op == "fixed" and not base.value.number > 0.0:
        raise expression.refused(base, "raises a number that is not positive to a power that varies")
    return Node("**", (base, exponent), None, node.place)


def _of_layer(expression: Expression, node: Node) -> Node:
    """Return the node with the layer that it calls; its parameters must be constant."""
    from normcal import catalog

    name, keys = node.value
    x, *given = node.args
    for value in given:
        if value.op != "fixed":
            raise expression.refused(value, f"gives {name} a parameter that depends on an input")
    try:
        layer = catalog.find(name)(**{key: value.value.number for key, value in zip(keys, given, strict=True)})
    except RequestError as error:
        raise expression.refused(node, f"calls {name}, which refuses ({error.message})", error.hint) from None
    if x.op == "fixed":
        return _folded(expression, Node("called", (x,), layer, node.place))
    return Node("called", (x,), layer, node.place)


def function(tree: Node, inputs: tuple[str, ...] = ("x",)) -> Callable:
    """Return the function of a bound tree: its inputs in their order, then the namespace."""

    def f(*operands):
        *given, m = operands
        return _Evaluation(dict(zip(inputs, given, strict=True)), m).of(tree)

    return f


class _Evaluation:
    """One walk over a tree, in one namespace; what stands twice is done once."""

    def __init__(self, given: dict[str, Any], m) -> None:
        from normcal.numerics.balls import Balls
        from normcal.numerics.duals import Duals

        self.given, self.m, self.done = given, m, {}
        self.base, self.duals = m, 0
        while isinstance(self.base, Duals):
            self.base, self.duals = self.base.base, self.duals + 1
        #: Whether numbers carry their error here; arrays know none.
        self.bounded = isinstance(self.base, Balls) or hasattr(self.base, "lift")

    def of(self, node: Node):
        if id(node) not in self.done:
            self.done[id(node)] = self._of(node)
        return self.done[id(node)]

    def _of(self, node: Node):
        if node.op == "name":
            return self.given[node.value]
        if node.op == "fixed":
            return self.constant(node.value)
        first, *rest = node.args
        if node.op == "**" and rest[0].op == "fixed":
            exponent = rest[0].value
            return _power(self.m, self.of(first), exponent.ball if self.bounded else exponent.number)
        return _operate(node, self.m, [self.of(first), *map(self.of, rest)])

    def constant(self, value: Constant):
        """Return a constant as the operations of the namespace take it on their left, too."""
        found = value.ball if self.bounded else value.number
        if isinstance(found, float):
            return found
        if hasattr(self.base, "lift"):
            found = self.base.lift(found)
        for _ in range(self.duals):
            found = _dual(found)
        return found


def _dual(number):
    from normcal.numerics.duals import Dual

    return Dual(number, 0.0)


def _operate(node: Node, m, operands: list):
    """Do one operation in the namespace ``m``."""
    if node.op in _OPERATORS:
        return _OPERATORS[node.op](*operands)
    if node.op == "called":
        return node.value.around(node.value.f)(operands[0], m)
    if node.op == "**":
        base, exponent = operands
        return m.exp(exponent * m.log(base))
    return functions()[node.op].call(m, *operands)


def _power(m, x, a):
    """Return x to a constant power, a float or a ball: by products where it is whole, by a root where it is a half."""
    if isinstance(a, float) and a.is_integer():
        return x ** int(a)
    if isinstance(a, float) and abs(a) == 0.5:
        return m.sqrt(x) if a > 0.0 else 1.0 / m.sqrt(x)
    return m.power(x, a)
