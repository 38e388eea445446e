"""What a layer is: its parameters, its mathematics, and what an engine may ask of it.

A layer says what it knows and no more. ``closed_forward`` and ``closed_backward`` are its own
formulas, ``components`` reduces it to one-dimensional integrals, ``simulate`` runs it on
sampled arrays. What a layer does not know it leaves out; the engine then gets the reason.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from normcal.errors import RequestError, Unsupported, echo, unknown
from normcal.law import Normal
from normcal.spec import write

FORWARD, BACKWARD = "forward", "backward"
DIRECTIONS = (FORWARD, BACKWARD)


@dataclass(frozen=True)
class Reference:
    """Where a layer or a formula comes from."""

    title: str
    where: str = ""

    def __str__(self) -> str:
        return f"{self.title}, {self.where}" if self.where else self.title


@dataclass(frozen=True)
class Param:
    """A layer's parameter: name, default, domain, meaning and values that people use.

    ``domain`` is an interval such as ``(0, 1]`` for a number, ``1..100`` for an integer, or a
    tuple of words. A ``shape`` also takes one integer a dimension. ``complement`` names a
    second spelling that stands for ``1 - value``. A default of None is derived by the layer.
    """

    name: str
    default: Any
    domain: str | tuple[str, ...]
    doc: str
    typical: tuple = ()
    shape: bool = False
    complement: str = ""

    def accept(self, value: Any, layer: str) -> Any:
        """Return ``value`` checked and converted, or raise a RequestError that says what would do."""
        if value is None and self.default is None:
            return None
        if self.shape and isinstance(value, tuple):
            return tuple(self._one(v, layer, value) for v in value) or self._refuse(value, layer)
        return self._one(value, layer, value)

    def _one(self, value: Any, layer: str, given: Any) -> Any:
        if isinstance(self.domain, tuple):
            if value in self.domain:
                return value
            if isinstance(value, str):
                raise unknown(f"{self.name} of {layer}:", value, self.domain)
            self._refuse(given, layer)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            self._refuse(given, layer)
        low, high, low_open, high_open, integer = _interval(self.domain)
        inside = low <= value <= high and not (low_open and value == low) and not (high_open and value == high)
        if not inside or (integer and value != int(value)):
            self._refuse(given, layer)
        return int(value) if integer else float(value)

    def _refuse(self, value: Any, layer: str) -> Any:
        shown = str(value) if isinstance(value, tuple) else echo(value)
        raise RequestError(f"{layer}: {self.name} cannot be {shown[:80]}.", f"Accepted: {self.accepted()}.")

    def accepted(self) -> str:
        """Say in words what values are accepted."""
        if isinstance(self.domain, tuple):
            return ", ".join(self.domain)
        low, high, _, _, integer = _interval(self.domain)
        if integer:
            whole = f"a whole number from {low:,.0f} to {high:,.0f}".replace(",", "_")
            return f"{whole}, or one a dimension such as ({low:.0f}, {low + 1:.0f})" if self.shape else whole
        if math.isinf(low) and math.isinf(high):
            return "any finite number"
        return f"a number in {self.domain}".replace("inf", "∞")


def _interval(domain: str) -> tuple[float, float, bool, bool, bool]:
    if ".." in domain:
        low, high = domain.split("..")
        return float(low), float(high), False, False, True
    low, high = domain[1:-1].split(",")
    return float(low), float(high), domain[0] == "(", domain[-1] == ")", False


@dataclass(frozen=True)
class Component:
    r"""One term of a layer's law as an integral over :math:`z \sim N(0, 1)`.

    With :math:`x = \mu + \sigma z` the component contributes
    :math:`\mathrm{mass} \cdot E[w(z)\, g(f(x))]` to :math:`E[g(y)]`, and
    :math:`\mathrm{mass} \cdot E[w(z)\, f'(x)^2]` to :math:`E[dx^2]`.

    ``f(x, m)`` is written once against the function namespace ``m``. ``kinks`` are the x where
    f or f' jumps, ``features`` pairs (x, scale) around which f changes. ``weight(z, m)`` is a
    density relative to the normal one and integrates to 1 in the forward direction.
    """

    f: Callable[[Any, Any], Any]
    kinks: tuple[float, ...] = ()
    features: tuple[tuple[float, float], ...] = ()
    mass: float = 1.0
    weight: Callable[[Any, Any], Any] | None = None


class Layer:
    """A layer with its parameters bound; subclasses declare the attributes and what they know."""

    name: ClassVar[str] = ""
    aliases: ClassVar[tuple[str, ...]] = ()
    params: ClassVar[tuple[Param, ...]] = ()
    #: Unicode for a terminal and LaTeX for Markdown.
    formula: ClassVar[str] = ""
    latex: ClassVar[str] = ""
    #: (what, Unicode, LaTeX) of each moment known in closed form.
    moments: ClassVar[tuple[tuple[str, str, str], ...]] = ()
    assumptions: ClassVar[tuple[str, ...]] = ()
    references: ClassVar[tuple[Reference, ...]] = ()

    def __init__(self, **given: Any) -> None:
        self.given = _spelled_once(self, given)
        for param in self.params:
            setattr(self, param.name, param.accept(self.given.get(param.name, param.default), self.name))
        self.check()

    def check(self) -> None:
        """Derive what was left to the layer and refuse parameters that do not fit together."""

    @property
    def spec(self) -> str:
        """The canonical SPEC: every parameter but those left to the layer."""
        chosen = {p.name: getattr(self, p.name) for p in self.params if p.default is not None or p.name in self.given}
        return write(self.name, chosen)

    def values(self) -> dict[str, Any]:
        """Every parameter with the value in force."""
        return {param.name: getattr(self, param.name) for param in self.params}

    @classmethod
    def summary(cls) -> str:
        """The first line of the docstring."""
        return (cls.__doc__ or "").strip().splitlines()[0]

    def notes(self, law: Normal) -> list[str]:
        """Remarks that a reader of the numbers needs."""
        return []

    def undefined(self, direction: str, law: Normal) -> str:
        """Return why the moments do not exist at this input; empty where they do."""
        return ""

    def closed_forward(self, law: Normal, m) -> tuple:
        """Return (mean, std) of one output entry by the layer's own formula, as balls."""
        raise Unsupported(f"no closed form is given for the forward moments of {self.name}")

    def closed_backward(self, law: Normal, m):
        """Return the std of one entry of the input gradient by the layer's own formula, as a ball."""
        raise Unsupported(f"no closed form is given for the backward std of {self.name}")

    def components(self, direction: str, law: Normal) -> Sequence[Component]:
        """Return the one-dimensional integrals whose sum is the law of the output or the gradient."""
        raise Unsupported(f"{self.name} leaves no one-dimensional integral to do")

    def draws(self) -> int:
        """How many random numbers one independent draw of the whole layer takes, roughly."""
        return 1

    def simulate(self, direction: str, rng, rows: int, law: Normal):
        """Run the layer on ``rows`` independent draws.

        Returns an array (rows, k) of the k output entries of each draw, or of the k entries of
        its input gradient. Entries of one row may depend on each other; rows do not.
        """
        raise NotImplementedError


def _spelled_once(layer: Layer, given: dict[str, Any]) -> dict[str, Any]:
    """Resolve complements, and refuse unknown names and the same parameter in two spellings."""
    spellings = {param.complement: param for param in layer.params if param.complement}
    known = [param.name for param in layer.params] + list(spellings)
    resolved: dict[str, Any] = {}
    for name, value in given.items():
        if name not in known:
            none = f"{layer.name} takes no parameters."
            raise unknown(f"parameter of {layer.name}:", name, known, see="" if known else none)
        param = spellings.get(name)
        if param and param.name in given:
            raise RequestError(f"{layer.name}: give {param.name} or {name}, not both.")
        if param and (isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1):
            raise RequestError(f"{layer.name}: {name} cannot be {echo(value)}.", "Accepted: a number in [0, 1).")
        resolved[param.name if param else name] = 1 - value if param else value
    return resolved


class Elementwise(Layer):
    """A layer that applies one function to every entry; subclasses write ``f`` and ``kinks``."""

    #: x at which f' (or f) jumps, and (x, scale) around which f changes.
    kinks: ClassVar[tuple[float, ...]] = ()
    features: ClassVar[tuple[tuple[float, float], ...]] = ((0.0, 1.0),)

    def f(self, x, m):
        """Return the function at ``x`` in the function namespace ``m``."""
        raise NotImplementedError

    def undefined(self, direction: str, law: Normal) -> str:
        if direction == BACKWARD and law.std == 0.0 and law.mean in self.kinks:
            return "the input is constant and lies on a kink, where the derivative jumps"
        return ""

    def components(self, direction: str, law: Normal) -> Sequence[Component]:
        return [Component(self.f, tuple(self.kinks), tuple(self.features))]

    def simulate(self, direction: str, rng, rows: int, law: Normal):
        import numpy as np

        from normcal.numerics.arrays import ARRAYS
        from normcal.numerics.duals import Duals

        x = law.sample(rng, (rows, 1))
        if direction == FORWARD:
            return self.f(x, ARRAYS) + np.zeros_like(x)  # a constant f is an array too
        slope = Duals(ARRAYS).derivative(self.f, x)
        slope *= rng.standard_normal((rows, 1))
        return slope
