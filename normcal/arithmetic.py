"""Arithmetic that a config may hold, such as ``sqrt(1/2 - 1/(2*pi))``: parsed, never evaluated as code."""

from __future__ import annotations

import ast
import math
import operator

from normcal.errors import RequestError, echo

LONGEST = 200
_BINARY = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}
_FUNCTIONS = {"sqrt": math.sqrt}


def _refuse(_: float) -> float:
    raise ValueError


def value(text: str, names: dict[str, float] | None = None) -> float:
    """Return the number that an expression of + - * / sqrt() pi and ``names`` stands for.

    >>> value("sqrt(1/p)", {"p": 0.25})
    2.0
    """
    known = {"pi": math.pi, **(names or {})}
    try:
        if len(text) > LONGEST:
            raise ValueError
        found = _walk(ast.parse(text, mode="eval").body, known)
        if not math.isfinite(found):
            raise ValueError
        return found
    except (SyntaxError, ValueError, ArithmeticError, RecursionError, MemoryError):
        accepted = f"Accepted: numbers, + - * /, sqrt(), parentheses and {', '.join(known)}."
        raise RequestError(f"{echo(text)} is not arithmetic that has a value.", accepted) from None


def is_number(text: str) -> bool:
    """Whether a text is a number as it stands, rather than arithmetic that rounds, or a word.

    >>> is_number("1e-3"), is_number("1/3")
    (True, False)
    """
    try:
        float(text)
    except ValueError:
        return False
    return True


def _walk(node: ast.expr, names: dict[str, float]) -> float:
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
        return float(node.value)
    if isinstance(node, ast.Name) and node.id in names:
        return float(names[node.id])
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_walk(node.operand, names)
    if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        return _BINARY[type(node.op)](_walk(node.left, names), _walk(node.right, names))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and len(node.args) == 1 and not node.keywords:
        return _FUNCTIONS.get(node.func.id, _refuse)(_walk(node.args[0], names))
    raise ValueError
