"""Layers that a user writes as an expression: ``expr("x * tanh(softplus(x))")``, of one input or of several."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from normcal.binding import bound, function
from normcal.errors import RequestError, Unsupported, echo, unknown
from normcal.expression import Expression, Node, functions, parse
from normcal.law import STANDARD, Normal
from normcal.layer import BACKWARD, FORWARD, Component, Layer, Param
from normcal.layers._piecewise import Jumping
from normcal.layers._written import NAME, PLACES, RESERVED, WORD, Written, listed, merged
from normcal.spec import Text, write, written

#: Where a function is probed for values that are no numbers: standard deviations from the mean.
_PROBES = tuple(0.0173 + 0.0625 * k for k in range(-128, 129))
MOST_INPUTS = 8
#: Functions that are constant between their jumps.
_STEPS = frozenset(("floor", "ceil", "round", "sign"))
_EXAMPLE = 'An expression is given in quotes: expr("x * tanh(x)"), or expr("a * x**2", a=1.5) with parameters.'


class Custom(Written, Jumping):
    """A function of one input that the user writes, differentiated and integrated as the built-in ones are."""

    name = "expr"
    aliases = ("expression",)
    composed = True
    example = 'expr("x * tanh(softplus(x))")'
    params = (NAME, *PLACES)
    formula, latex = "an expression in x, such as x tanh(x)", r"f(x)"
    #: What is written, and the free name that is the input.
    expression: Expression
    variable = "x"

    @classmethod
    def made(cls, args: tuple, params: dict[str, Any]) -> Layer:
        """Return the layer of an expression, given in quotes, at values of its parameters."""
        if len(args) != 1 or not isinstance(args[0], str):
            raise RequestError(f"{echo(write(cls.name, params, args))}: what is given is no expression.", _EXAMPLE)
        given = tuple(sorted(name for name in params if name not in RESERVED))
        return _class_of(" ".join(args[0].split()), given)(**params)  # one line: it is written into comments

    def check(self) -> None:
        self.tree = bound(self.expression, self.kept, (self.variable,))
        self._function = function(self.tree, (self.variable,))

    def f(self, x, m):
        return self._function(x, m)

    def closed_forward(self, law, m):
        from normcal.numerics.balls import Ball, ball

        if self.tree.op != "fixed":
            raise Unsupported("no closed form is given for the forward moments of an expression")
        return ball(self.tree.value.ball), Ball(0.0)

    def closed_backward(self, law, m):
        from normcal.numerics.balls import Ball

        if not _flat(self.tree):
            raise Unsupported("no closed form is given for the backward std of an expression")
        return Ball(0.0)

    # --- where it kinks and jumps ---

    def landmarks(self, law: Normal):
        """Return what is to be known of f where the law reaches, as places of what f sees."""
        return searched(self.f, law, self.input_scale, self.input_shift)

    def places(self, law: Normal) -> tuple[tuple, tuple]:
        """Return the kinks and the jumps of f where the law reaches, as balls, the user's own among them."""
        from normcal.numerics.balls import Ball

        kinks, jumps = (tuple(map(Ball, self.kept[name])) for name in ("kinks", "jumps"))
        if self.kept["detect"] == "yes":
            found = self.landmarks(law)
            kinks, jumps = merged(kinks, found.kinks), merged(jumps, found.jumps)
        return kinks, jumps

    @property
    def kinks(self) -> tuple[float, ...]:
        """The places where f or f' jumps within reach of N(0, 1)."""
        kinks, jumps = self.places(STANDARD)
        return tuple(sorted({float(x.mid) for x in (*kinks, *jumps)}))

    @property
    def jumps(self) -> tuple[float, ...]:
        """The places where f jumps within reach of N(0, 1)."""
        return tuple(sorted(float(x.mid) for x in self.places(STANDARD)[1]))

    @property
    def features(self) -> tuple[tuple[float, float], ...]:
        """The places and scales on which f changes within reach of N(0, 1)."""
        return self.landmarks(STANDARD).scales

    def components(self, direction: str, law: Normal):
        found = self.landmarks(law)
        if found.trouble and self.kept["detect"] == "yes":
            raise Unsupported(found.trouble)
        kinks, jumps = self.places(law)
        cuts = merged(merged(kinks, jumps), found.edges)  # whatever is listed, the mesh keeps what was found
        return [Component(self.around(self.f), *self.outside(cuts, found.scales))]

    # --- what it has to say ---

    def undefined(self, direction: str, law: Normal) -> str:
        if direction == BACKWARD and law.std == 0.0:
            seen = law.mean * self.input_scale + self.input_shift
            if any(abs(place.mid - seen) <= place.rad for places in self.places(law) for place in places):
                return "the input is constant and lies on a kink, where the derivative jumps"
        return no_number(self.around(self.f), self.variable, direction, law)

    def infinite(self, direction: str, law: Normal) -> str:
        return infinite(self.around(self.f), law, direction)

    def heavy(self, direction: str, law: Normal) -> str:
        return heavy(self.around(self.f), law, direction)

    def notes(self, law: Normal) -> list[str]:
        kinks, jumps = (self._outside(places) for places in self.places(law))
        found = []
        if kinks:
            found.append(f"{self.label}: the slope jumps at {listed('x', kinks)}")
        if jumps:
            where = listed("x", jumps)
            found.append(f"{self.label}: the output jumps at {where}; the backward figure leaves out the delta there")
        if self.kept["detect"] == "no" and self.landmarks(law).trouble:
            found.append(f"{self.label}: kinks and jumps are those that were given; the bounds are no better than they")
        if not self.tree.names:
            found.append(f"{self.label}: the expression holds no input, so that its output is constant")
        return found

    def details(self, law: Normal) -> dict[str, Any]:
        kinks, jumps = (self._outside(places) for places in self.places(law))
        return {"expression": self.expression.text, "kinks": kinks, "jumps": jumps}

    def _outside(self, places) -> list[float]:
        """Return places of what f sees as places of the input."""
        return sorted((float(x.mid) - self.input_shift) / self.input_scale for x in places)


def _flat(node: Node) -> bool:
    """Whether a tree is constant between its jumps."""
    if node.op == "name" or node.op == "called":
        return False
    return node.op in _STEPS or all(map(_flat, node.args[1:] if node.op == "where" else node.args))


# --- what one input and several have in common ---


@functools.lru_cache(maxsize=256)
def _class_of(text: str, given: tuple[str, ...]) -> type[Layer]:
    """Return the class of the layers of an expression of which these names are parameters."""
    expression = parse(text)
    for name in given:
        if name not in expression.names:
            error = unknown(f"parameter of the expression {echo(text)}:", name, expression.names)
            raise RequestError(error.message, error.hint)
    for name in expression.names:
        if name in RESERVED:
            raise RequestError(f"The expression {echo(text)} uses the name {name!r}, which has a meaning of its own.",
                               "Call it something else.")  # fmt: skip
    inputs = tuple(name for name in expression.names if name not in given)
    for node in _nodes(expression):
        if node.value in inputs and node.value in functions():
            problem = f"has the function {node.value!r} without parentheses"
            raise expression.refused(node, problem, f"Write {node.value}(x).")
    if "x" in inputs and len(inputs) > 1:
        name = next(name for name in inputs if name != "x")
        node = next(node for node in _nodes(expression) if node.value == name)
        hint = f"Give it one: -p {name}=1.3, or {name}=1.3 in the SPEC. Several inputs go by other names than x."
        raise expression.refused(node, f"uses {name!r}, which has no value,", hint)
    if len(inputs) > MOST_INPUTS:
        raise RequestError(
            f"The expression {echo(text)} has {len(inputs)} inputs.", f"Accepted: at most {MOST_INPUTS}."
        )
    own = tuple(Param(n, 1.0, "(-inf, inf)", f"{n} of the expression") for n in expression.names if n not in inputs)
    base: type[Layer] = Custom
    if len(inputs) > 1:
        from normcal.layers._several import Several

        base = Several
    described = {
        "__module__": __name__,
        "__doc__": base.__doc__,
        "params": (*own, NAME, *(PLACES if base is Custom else ())),
        "expression": expression,
        "formula": text,
        "latex": rf"\mathtt{{{_escaped(text)}}}",
        "variable": inputs[0] if inputs else "x",
        "inputs": inputs if len(inputs) > 1 else (),
    }
    return type(base.__name__, (base,), described)


def remade(text: str, values: dict[str, Any]) -> Layer:
    """Return the layer of an expression at values of its parameters: how one crosses to another process."""
    return Custom.made((text,), values)


def _nodes(expression: Expression):
    from normcal.expression import walk

    return (node for node in walk(expression.tree) if node.op == "name")


def _escaped(text: str) -> str:
    return "".join({"_": r"\_", "*": r"{*}", " ": r"\ "}.get(mark, mark) for mark in " ".join(text.split()))


def searched(f: Callable, law: Normal, scale: float = 1.0, shift: float = 0.0):
    """Return the landmarks of f of scaled and shifted inputs of a law, as far as the law reaches."""
    from normcal.numerics.landmarks import landmarks

    low, high = sorted(end * scale + shift for end in law.reach)
    return landmarks(f, low, high, normal=law.normal)


def infinite(f: Callable, law: Normal, direction: str) -> str:
    """Return why the second moment of f, or of its slope, is infinite under a normal law; of others, laws know more."""
    if not law.normal:
        return ""
    from normcal.numerics import infinities

    return infinities.infinite(f, law, direction)


def heavy(f: Callable, law: Normal, direction: str) -> str:
    """Return why the fourth moment of f, or of its slope, is infinite: that of its square is."""
    from normcal.numerics.duals import slope_of

    g = f if direction == FORWARD else slope_of(f)
    found = infinite(lambda x, m: g(x, m) * g(x, m), law, FORWARD)
    return found and f"the fourth moment is infinite: of the square, {found}"


def no_number(f: Callable, name: str, direction: str, law: Normal) -> str:
    """Return where the function, or its slope, is no number though nothing overflows; empty where it always is one."""
    if not law.normal:  # the laws look for themselves, where they have their mass
        return ""
    import numpy as np

    from normcal.numerics.arrays import ARRAYS
    from normcal.numerics.duals import Duals

    x = law.mean + law.std * np.array(_PROBES if law.std else (0.0,))

    def values(at):
        found = f(at, ARRAYS)
        if direction == BACKWARD and not np.isnan(found).any():
            found = Duals(ARRAYS).derivative(f, at)
        return np.broadcast_to(np.asarray(found, float), at.shape)

    with np.errstate(all="ignore"):
        found = values(x)
        wrong = x[np.isnan(found) | (np.isinf(found) if law.std == 0.0 else False)]
    for at in wrong[np.argsort(np.abs(wrong - law.mean))]:
        try:
            with np.errstate(over="raise", divide="ignore", invalid="ignore", under="ignore"):
                values(np.array([at]))
        except FloatingPointError:
            continue
        what = "the expression" if direction == FORWARD else "the expression or its derivative"
        return f"{what} is no number at {name} = {at:.6g}"
    return ""


# --- what is typed on a command line, or stands in a config ---


def typed(expressions: tuple[str, ...], parameters: tuple[str, ...], labels: tuple[str, ...]) -> list[str]:
    """Return the SPECs of ``--expr``, each with the ``NAME=VALUE`` that it uses, and with the name of its turn.

    >>> typed(("a * x", "tanh(x)"), ("a=[1, 2]",), ("line", "bend"))
    ['expr("a * x", a=[1, 2], name=line)', 'expr("tanh(x)", name=bend)']
    """
    if labels and len(labels) != len(expressions):
        raise RequestError(
            f"{len(labels)} --name for {len(expressions)} --expr.", "Accepted: one --name for each --expr."
        )
    values = dict(_assigned(text, "-p ") for text in parameters)
    used = {name for text in expressions for name in (*parse(text).names, *RESERVED)}
    for name in values:
        if name not in used:
            error = unknown("name in -p:", name, sorted(used))
            raise RequestError(f"-p {name}: no --expr uses {name!r}.", error.hint if expressions else "Give --expr.")
    return [
        written_spec(
            text, {name: value for name, value in values.items() if name in (*parse(text).names, *RESERVED)}, label
        )
        for text, label in zip(expressions, labels or ("",) * len(expressions), strict=True)
    ]


def entry(text: str, params: dict[str, Any], label: str = "") -> str:
    """Return the SPEC of an expression that a config describes.

    >>> entry("a * x", {"a": [1, 2]}, "line")
    'expr("a * x", a=[1, 2], name=line)'
    """
    return written_spec(text, dict(_assigned(f"{name}={written(value)}") for name, value in params.items()), label)


def written_spec(text: str, values: dict[str, str], label: str = "") -> str:
    """Return the SPEC of an expression with parameters whose values are written already."""
    if label and not WORD.fullmatch(label):
        NAME.refuse(label, "expr")
    told = values | ({"name": label} if label else {})
    return f"expr({', '.join([written(Text(text)), *(f'{name}={value}' for name, value in told.items())])})"


def _assigned(text: str, option: str = "") -> tuple[str, str]:
    """Return the name and the value of NAME=VALUE, the value as it is written."""
    from normcal.spec import parse as parse_spec

    name, _, value = text.partition("=")
    name, accepted = name.strip(), "Accepted: NAME=VALUE, such as a=1.3, a=[1, 2] or a=0:1:5."
    try:
        found = parse_spec(f"expr({name}={value})")
    except RequestError as error:
        raise RequestError(f"{option}{echo(text)} is no name with a value. {error.message}", accepted) from None
    if list(found.params) != [name] or found.args:
        raise RequestError(f"{option}{echo(text)} is no name with a value.", accepted)
    return name, value.strip()
