r"""Expressions of several inputs: sums of products of functions of one input each, which are independent.

With :math:`y = \sum_t \prod_i g_{ti}(x_i)` every moment is made of one-dimensional ones. Terms that share no input are
independent of each other. Of terms that do, the covariance is

.. math:: \prod_i (c_i + m_{ti} m_{si}) - \prod_i m_{ti} m_{si},\quad c_i = \mathrm{Cov}(g_{ti}, g_{si}),

written without the difference; and the gradient of input i is :math:`\sum_t g_{ti}' \prod_{j \ne i} g_{tj}`.
What does not separate is left to simulation.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any

from normcal.binding import Constant, bound, function
from normcal.errors import Unsupported
from normcal.expression import Node
from normcal.layer import BACKWARD, FORWARD, Component, Layer
from normcal.layers._written import Written, listed

#: Terms that an expression may be expanded into, and whole powers of sums that are.
MOST_TERMS, LARGEST_EXPANDED = 8, 4
_NO_INPUT = ""
#: One term: the function of each input, and its constant factor under no name.
Term = dict[str, Node]


class Several(Written, Layer):
    """A function of several independent inputs that the user writes."""

    composed = True
    assumptions = ("the inputs are independent, each with entries of the input law",)

    def check(self) -> None:
        self.tree = bound(self.expression, self.kept, self.inputs)
        self._f = function(self.tree, self.inputs)
        self._factors: dict[Any, tuple[tuple[Node, ...], Factor]] = {}  # the nodes are kept: their ids are the keys

    # --- moments ---

    @functools.cached_property
    def terms(self) -> list[Term]:
        """The terms of the sum, or Unsupported where it is none."""
        return _gathered(_expanded(self.tree))

    def factor(self, name: str, *nodes: Node, slope: bool = False) -> Factor:
        """Return the product of functions of one input, or of their slopes."""
        key = name, tuple(map(id, nodes)), slope
        if key not in self._factors:
            self._factors[key] = nodes, Factor(name, [function(node, (name,)) for node in nodes], slope)
        return self._factors[key][1]

    def reduced_forward(self, law, q, m):
        from normcal.numerics.balls import ball, hypot, root_of_squares

        groups = [_group(self, group, law, q, m) for group in _independent(self.terms)]
        mean = sum((found[0] for found in groups), ball(0.0))
        std = root_of_squares([(1.0, found[1]) for found in groups]) if len(groups) > 1 else groups[0][1]
        return mean, std, groups[0][2] if len(groups) == 1 else hypot(mean, std)

    def reduced_backward(self, law, q, m):
        return {name: _gradient(self, name, law, q, m) for name in self.inputs}

    def simulate(self, direction, rng, rows, law):
        import numpy as np

        from normcal.numerics.arrays import ARRAYS
        from normcal.numerics.duals import Dual, Duals, lift

        given = [law.sample(rng, (rows, 1)) for _ in self.inputs]
        if direction == FORWARD:
            return np.broadcast_to(self._f(*given, ARRAYS), (rows, 1))
        dy, duals, found = law.incoming(rng, (rows, 1)), Duals(ARRAYS), {}
        for place, name in enumerate(self.inputs):
            mixed = [Dual(x, 1.0 if k == place else 0.0) for k, x in enumerate(given)]
            found[name] = np.broadcast_to(lift(self._f(*mixed, duals)).slope, (rows, 1)) * dy
        return found

    # --- what it has to say ---

    def undefined(self, direction: str, law) -> str:
        return self._asked("undefined", direction, law)

    def infinite(self, direction: str, law) -> str:
        return self._asked("infinite", direction, law)

    def heavy(self, direction: str, law) -> str:
        return self._asked("heavy", direction, law)

    def _asked(self, question: str, direction: str, law) -> str:
        """Ask the factors of terms that stand alone: those of several may cancel."""
        try:
            alone = [group[0] for group in _independent(self.terms) if len(group) == 1]
        except Unsupported:
            return ""
        ways = (FORWARD,) if direction == FORWARD else (FORWARD, BACKWARD)
        asked = ((self.factor(name, node), way) for term in alone for name, node in _inputs(term) for way in ways)
        return next(filter(None, (getattr(factor, question)(law, way) for factor, way in asked)), "")

    def notes(self, law) -> list[str]:
        found = [f"{self.label}: the inputs {', '.join(self.inputs)} are independent, each with the law of the input"]
        if self._whole():
            found.append(
                f"{self.label}: {self._whole()}; kinks and jumps are not listed, nor the deltas of jumps counted"
            )
        for name, (kinks, jumps) in self._places(law).items():
            if kinks:
                found.append(f"{self.label}: the slope jumps at {listed(name, kinks)}")
            if jumps:
                where = listed(name, jumps)
                found.append(f"{self.label}: the output jumps at {where}; the backward figure leaves that out")
        return found

    def details(self, law) -> dict[str, Any]:
        places = self._places(law)
        kinks, jumps = ({name: each[k] for name, each in places.items() if each[k]} for k in (0, 1))
        return {"expression": self.expression.text, "kinks": kinks, "jumps": jumps}

    def _whole(self) -> str:
        """Return why the expression does not separate; empty where it does."""
        try:
            _ = self.terms
        except Unsupported as reason:
            return str(reason)
        return ""

    def _places(self, law) -> dict[str, tuple[list[float], list[float]]]:
        """Return the kinks and jumps by input, of an expression that separates."""
        try:
            pairs = [pair for term in self.terms for pair in _inputs(term)]
        except Unsupported:
            return {}
        found: dict[str, tuple[list[float], list[float]]] = {}
        for name, node in pairs:
            marks = self.factor(name, node).landmarks(law)
            for kept, places in zip(found.setdefault(name, ([], [])), (marks.kinks, marks.jumps), strict=True):
                kept[:] = sorted({*kept, *(float(x.mid) for x in places)})
        return found


class Factor:
    """A product of functions of one input, or of their slopes, with its landmarks."""

    def __init__(self, name: str, functions: list[Callable], slope: bool) -> None:
        from normcal.numerics.duals import slope_of

        self.name = name
        each = [slope_of(f) for f in functions] if slope else functions
        self.f = (
            each[0] if len(each) == 1 else lambda x, m: functools.reduce(lambda a, b: a * b, (g(x, m) for g in each))
        )

    def landmarks(self, law):
        from normcal.layers.expressions import searched

        return searched(self.f, law)

    def component(self, law) -> Component:
        """Return its integral."""
        found = self.landmarks(law)
        if found.trouble:
            raise Unsupported(found.trouble)
        return Component(self.f, found.edges, found.scales)

    def undefined(self, law, direction: str) -> str:
        from normcal.layers.expressions import no_number

        return no_number(self.f, self.name, direction, law)

    def infinite(self, law, direction: str) -> str:
        from normcal.layers.expressions import infinite

        return infinite(self.f, law, direction)

    def heavy(self, law, direction: str) -> str:
        from normcal.layers.expressions import heavy

        return heavy(self.f, law, direction)


def _inputs(term: Term):
    return ((name, node) for name, node in term.items() if name != _NO_INPUT)


# --- from a tree to a sum of products ---


def _expanded(node: Node) -> list[Term]:
    """Return a tree as a sum of products of functions of one input each; Unsupported where it is none."""
    if len(node.names) < 2:
        return [{next(iter(node.names), _NO_INPUT): node}]
    rule = _RULES.get(node.op)
    found = rule(node) if rule else None
    if found is None:
        raise Unsupported("the expression is no sum of products of functions of one input each")
    if len(found) > MOST_TERMS:
        raise Unsupported(f"the expression expands into more than {MOST_TERMS} products of functions of one input each")
    return found


def _number(value: float) -> Node:
    return Node("fixed", (), Constant(value))


def _times(a: Term, b: Term) -> Term:
    return a | {name: Node("*", (a[name], node)) if name in a else node for name, node in b.items()}


def _sum(node: Node) -> list[Term]:
    return [term for arg in node.args for term in _expanded(arg)]


def _difference(node: Node) -> list[Term]:
    first, second = node.args
    return _expanded(first) + _negated(_expanded(second))


def _negated(terms: list[Term]) -> list[Term]:
    return [_times({_NO_INPUT: _number(-1.0)}, term) for term in terms]


def _product(node: Node) -> list[Term]:
    return [_times(a, b) for a, b in itertools.product(*map(_expanded, node.args))]


def _quotient(node: Node) -> list[Term] | None:
    below = _expanded(node.args[1])
    if len(below) > 1:
        return None
    inverse = {name: Node("/", (_number(1.0), each)) for name, each in below[0].items()}
    return [_times(term, inverse) for term in _expanded(node.args[0])]


def _powered(node: Node) -> list[Term] | None:
    base, exponent = node.args
    power = exponent.value.ball if exponent.op == "fixed" else None
    if not isinstance(power, float) or not power.is_integer():
        return None
    terms = _expanded(base)
    if len(terms) == 1:
        return [{name: Node("**", (each, exponent)) for name, each in terms[0].items()}]
    if not 0 < power <= LARGEST_EXPANDED:
        return None
    return [functools.reduce(_times, chosen) for chosen in itertools.product(terms, repeat=int(power))]


def _exponential(node: Node) -> list[Term] | None:
    terms = _expanded(node.args[0])
    if any(len(list(_inputs(term))) > 1 for term in terms):
        return None
    return [functools.reduce(_times, ({_only(t): Node("exp", (_whole(t),))} for t in terms))]


def _only(term: Term) -> str:
    return next((name for name, _ in _inputs(term)), _NO_INPUT)


def _whole(term: Term) -> Node:
    """Return a term of one input at most as one function."""
    return functools.reduce(lambda a, b: Node("*", (a, b)), term.values())


def _size(node: Node) -> list[Term] | None:
    terms = _expanded(node.args[0])
    return [{name: Node("abs", (each,)) for name, each in terms[0].items()}] if len(terms) == 1 else None


def _choice(node: Node) -> list[Term] | None:
    condition, a, b = node.args
    if len(condition.names) > 1:
        return None
    (name,) = condition.names
    yes, no = (Node("where", (condition, _number(x), _number(1.0 - x))) for x in (1.0, 0.0))
    return [_times({name: side}, term) for side, part in ((yes, a), (no, b)) for term in _expanded(part)]


_RULES: dict[str, Callable[[Node], list[Term] | None]] = {
    "+": _sum, "-": _difference, "neg": lambda node: _negated(_expanded(node.args[0])), "*": _product,
    "/": _quotient, "**": _powered, "exp": _exponential, "abs": _size, "where": _choice,
}  # fmt: skip


def _gathered(terms: list[Term]) -> list[Term]:
    """Return the terms with those of one and the same input added up to one function."""
    found, single = [], {}
    for term in terms:
        if len(list(_inputs(term))) > 1:
            found.append(term)
        else:
            single.setdefault(_only(term), []).append(_whole(term))
    added = [{name: functools.reduce(lambda a, b: Node("+", (a, b)), nodes)} for name, nodes in single.items()]
    return found + added


def _independent(terms: list[Term]) -> list[list[Term]]:
    """Return the terms in groups that share no input."""
    groups: list[tuple[set[str], list[Term]]] = []
    for term in terms:
        names, members = {name for name, _ in _inputs(term)}, [term]
        for group in [g for g in groups if g[0] & names]:
            groups.remove(group)
            names, members = names | group[0], group[1] + members
        groups.append((names, members))
    return [members for _, members in groups]


# --- moments ---


def _constant(term: Term):
    """Return the constant factor of a term as a ball."""
    from normcal.numerics.balls import BALLS, ball

    return ball(function(term[_NO_INPUT], ())(BALLS)) if _NO_INPUT in term else ball(1.0)


def _group(layer: Several, group: list[Term], law, q, m):
    """Return (mean, std, rms) of terms that depend on each other."""
    from normcal.numerics.balls import Ball, ball, hypot

    if len(group) == 1:
        (term,) = group
        mean, std, rms = _constant(term), ball(0.0), m.abs(_constant(term))
        for name, node in _inputs(term):
            its = q.moments(layer.factor(name, node).component(law), law)
            mean, std, rms = mean * its[0], hypot(std * its[2], m.abs(mean) * its[1]), rms * its[2]
        return mean, std, rms
    table = _Table(layer, group, law, q)
    mean = sum((table.mean(t) for t in range(len(group))), ball(0.0))
    pairs = itertools.product(range(len(group)), repeat=2)
    variance = sum((table.covariance(t, s) for t, s in pairs), ball(0.0))
    std = m.sqrt(Ball(max(float(variance.mid), 0.0), float(variance.rad)))
    return mean, std, hypot(mean, std)


class _Table:
    """Moments of the factors of several terms, by input, each asked for once."""

    def __init__(self, layer: Several, terms: list[Term], law, q) -> None:
        self.layer, self.terms, self.law, self.q = layer, terms, law, q
        self.constants = [_constant(term) for term in terms]
        self.names = sorted({name for term in terms for name, _ in _inputs(term)})
        self.moments = functools.cache(self._moments)
        self.shared = functools.cache(self._shared)

    def _moments(self, t: int, name: str):
        return self.q.moments(self.layer.factor(name, self.terms[t][name]).component(self.law), self.law)

    def mean_of(self, t: int, name: str):
        from normcal.numerics.balls import ball

        return self.moments(t, name)[0] if name in self.terms[t] else ball(1.0)

    def mean(self, t: int):
        return functools.reduce(lambda a, b: a * b, (self.mean_of(t, name) for name in self.names), self.constants[t])

    def _shared(self, t: int, s: int, name: str):
        """Return the covariance of the factors of one input of two terms."""
        from normcal.numerics.balls import ball

        if name not in self.terms[t] or name not in self.terms[s]:
            return ball(0.0)
        if t == s:
            return self.moments(t, name)[1].square()
        if s < t:
            return self.shared(s, t, name)
        centres = [float(self.moments(k, name)[0].mid) for k in (t, s)]
        centred = [Node("-", (self.terms[k][name], _number(c))) for k, c in zip((t, s), centres, strict=True)]
        product = self.q.moments(self.layer.factor(name, *centred).component(self.law), self.law)[0]
        off = [self.moments(k, name)[0] - c for k, c in zip((t, s), centres, strict=True)]
        return product - off[0] * off[1]

    def covariance(self, t: int, s: int):
        r"""Return the covariance of two terms: :math:`\prod(c + mm') - \prod mm'`, summed over the first c taken."""
        from normcal.numerics.balls import ball

        total, before = ball(0.0), self.constants[t] * self.constants[s]
        for place, name in enumerate(self.names):
            part = before * self.shared(t, s, name)
            for later in self.names[place + 1 :]:
                part = part * self.second(t, s, later)
            total = total + part
            before = before * (self.mean_of(t, name) * self.mean_of(s, name))
        return total

    def second(self, t: int, s: int, name: str):
        """Return the mean of the product of the factors of one input of two terms."""
        return self.shared(t, s, name) + self.mean_of(t, name) * self.mean_of(s, name)

    def slopes(self, t: int, s: int, name: str):
        """Return the mean of the product of the slopes of two terms' factors of one input."""
        nodes = self.terms[t][name], self.terms[s][name]
        if t == s:
            return self.q.slope(self.layer.factor(name, nodes[0]).component(self.law), self.law).square()
        return self.q.moments(self.layer.factor(name, *nodes, slope=True).component(self.law), self.law)[0]


def _gradient(layer: Several, name: str, law, q, m):
    """Return the rms of the gradient of one input."""
    from normcal.numerics.balls import Ball, ball

    terms = [term for term in layer.terms if name in term]
    if not terms:
        return ball(0.0)
    if len(terms) == 1:
        (term,) = terms
        found = m.abs(_constant(term)) * q.slope(layer.factor(name, term[name]).component(law), law)
        for other, node in _inputs(term):
            if other != name:
                found = found * q.moments(layer.factor(other, node).component(law), law)[2]
        return found
    table, total = _Table(layer, terms, law, q), ball(0.0)
    for t, s in itertools.product(range(len(terms)), repeat=2):
        part = table.constants[t] * table.constants[s] * table.slopes(min(t, s), max(t, s), name)
        for other in table.names:
            part = part if other == name else part * table.second(t, s, other)
        total = total + part
    return m.sqrt(Ball(max(float(total.mid), 0.0), float(total.rad)))
