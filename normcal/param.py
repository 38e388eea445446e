"""A layer's parameter: what values it takes, and how a wrong one is refused."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from normcal.errors import LONGEST_ECHO, RequestError, echo, unknown
from normcal.spec import Spec, written

if TYPE_CHECKING:
    from normcal.layer import Layer

#: A domain: a SPEC of an elementwise layer, such as the gate of a gated unit.
ELEMENTWISE = "elementwise"
#: A domain: any value that the grammar knows; the layer checks it itself.
ANYTHING = "anything"


@dataclass(frozen=True)
class Param:
    """A layer's parameter: name, default, domain, meaning and values that people use.

    ``domain`` is an interval such as ``(0, 1]`` for a number, ``1..100`` for an integer, a tuple of
    words, ``ELEMENTWISE`` for a SPEC, or ``ANYTHING``, which the layer checks itself and ``accepts``
    puts in words. A ``shape`` also takes a tuple, one number a dimension. ``complement`` names a
    second spelling that stands for ``1 - value``. A default of None is derived by the layer. A
    ``quiet`` parameter is left out of SPECs and listings where it has its default.
    """

    name: str
    default: Any
    domain: str | tuple[str, ...]
    doc: str
    typical: tuple = ()
    shape: bool = False
    complement: str = ""
    quiet: bool = False
    accepts: str = ""

    def accept(self, value: Any, layer: str) -> Any:
        """Return ``value`` checked and converted, or raise a RequestError that says what would do."""
        if (value is None and self.default is None) or self.domain == ANYTHING:
            return value
        if self.domain == ELEMENTWISE:
            return self._layer(value, layer)
        if self.shape and isinstance(value, tuple):
            return tuple(self._one(v, layer, value) for v in value) or self.refuse(value, layer)
        return self._one(value, layer, value)

    def _one(self, value: Any, layer: str, given: Any) -> Any:
        if isinstance(self.domain, tuple):
            if isinstance(value, str) and set(self.domain) == {"yes", "no"}:
                value = {"true": "yes", "false": "no"}.get(value.lower(), value.lower())
            if value in self.domain:
                return self.domain[self.domain.index(value)]
            if isinstance(value, str):
                raise unknown(f"{self.name} of {layer}:", value, self.domain)
            self.refuse(given, layer)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            self.refuse(given, layer)
        low, high, low_open, high_open, integer = _interval(self.domain)
        inside = low <= value <= high and not (low_open and value == low) and not (high_open and value == high)
        if not inside or (integer and value != int(value)):
            self.refuse(given, layer)
        return int(value) if integer else float(value)

    def _layer(self, value: Any, layer: str) -> Layer:
        """Return the elementwise layer that a nested SPEC describes."""
        from normcal import catalog
        from normcal.layer import Elementwise, Layer

        found = value
        try:
            if isinstance(value, (str, Spec)):
                found = catalog.layer(value) if isinstance(value, str) else catalog.build(value)
        except RequestError as error:
            raise RequestError(f"{layer}: {self.name}: {error.message}", error.hint) from None
        if not isinstance(found, Layer):
            self.refuse(value, layer)
        if not isinstance(found, Elementwise) or not found.single:
            raise RequestError(f"{layer}: {self.name} cannot be {found.spec}.", f"Accepted: {self.accepted()}.")
        return found

    def refuse(self, value: Any, layer: str) -> Any:
        """Raise the RequestError for a value that is not accepted."""
        shown = written(value) if isinstance(value, (tuple, Spec)) else echo(value)
        shown = shown if len(shown) <= LONGEST_ECHO + 5 else f"{shown[:LONGEST_ECHO]}..."
        raise RequestError(f"{layer}: {self.name} cannot be {shown}.", f"Accepted: {self.accepted()}.")

    @property
    def interval(self) -> tuple[float, float, bool, bool, bool] | None:
        """The ends of a domain of numbers, whether each is open, and whether it holds whole numbers alone."""
        if isinstance(self.domain, tuple) or self.domain in (ELEMENTWISE, ANYTHING):
            return None
        return _interval(self.domain)

    def accepted(self) -> str:
        """Say in words what values are accepted."""
        if self.accepts:
            return self.accepts
        if self.domain == ELEMENTWISE:
            return "an elementwise layer of one output, such as tanh or leaky_relu(negative_slope=0.2)"
        if isinstance(self.domain, tuple):
            return ", ".join(self.domain)
        low, high, _, _, integer = _interval(self.domain)
        if integer:
            whole = f"a whole number from {low:,.0f} to {high:,.0f}".replace(",", "_")
            return f"{whole}, or one a dimension such as ({low:.0f}, {low + 1:.0f})" if self.shape else whole
        if math.isinf(low) and math.isinf(high):
            return "any finite number"
        return f"a number in {self.domain}".replace("inf", "∞")


@functools.cache
def _interval(domain: str) -> tuple[float, float, bool, bool, bool]:
    if ".." in domain:
        low, high = domain.split("..")
        return float(low), float(high), False, False, True
    low, high = domain[1:-1].split(",")
    return float(low), float(high), domain[0] == "(", domain[-1] == ")", False
