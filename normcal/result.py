"""What a computation returns: values with errors, per direction and per layer."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from normcal import __version__, quantity
from normcal.errors import NormcalError
from normcal.law import STANDARD, Law
from normcal.layer import BACKWARD, FORWARD, Layer
from normcal.quantity import QUANTITIES
from normcal.value import UNDERFLOW, Value

if TYPE_CHECKING:
    from normcal.approximation import Approximation

SCHEMA = "normcal/1"
#: What an error is: never below the true one; a generous guess of it; one standard deviation of it.
BOUND, ESTIMATE, STANDARD_ERROR = "bound", "estimate", "standard-error"
OK, INFINITE, UNDEFINED, OVERFLOW, TOLERANCE_MISSED = "ok", "infinite", "undefined", "overflow", "tolerance-missed"


def weakest(kinds: Iterable[str]) -> str:
    """Return the kind of an error that comes of several: the one that promises least.

    >>> weakest(["bound", "estimate"]), weakest([])
    ('estimate', 'bound')
    """
    return max(kinds, key=(BOUND, ESTIMATE, STANDARD_ERROR).index, default=BOUND)


@dataclass(frozen=True)
class Estimate:
    """What an engine found for one direction of one layer."""

    engine: str
    mean: Value
    std: Value
    rms: Value
    error_kind: str = BOUND
    status: str = OK
    reason: str = ""
    samples: int | None = None
    seed: int | None = None
    #: How the points of a simulation lay; empty for independent draws.
    sampler: str = ""
    #: Backward: of each of several inputs (the record itself pools their entries), and of the learned weights.
    inputs: dict[str, Estimate] = field(default_factory=dict)
    weights: dict[str, Estimate] = field(default_factory=dict)

    @property
    def parts(self) -> dict[str, Estimate]:
        """The estimates of the several inputs and of the learned weights, by name."""
        return self.inputs | self.weights

    @property
    def gain(self) -> Value:
        """1/std."""
        return self.std.reciprocal()

    @property
    def rms_gain(self) -> Value:
        """1/rms."""
        return self.rms.reciprocal()

    @property
    def worst_error(self) -> float:
        """The larger of the errors of mean and std; infinite when one cannot be stated."""
        errors = (self.mean.error, self.std.error)
        return math.inf if None in errors else max(errors)

    @property
    def relative_error(self) -> float:
        """The largest error of std, relative to it, and of mean, relative to the larger of the two."""
        if None in (self.mean.value, self.mean.error, self.std.value, self.std.error):
            return math.inf
        pairs = (self.std.error, self.std.value), (self.mean.error, max(abs(self.mean.value), self.std.value))
        return max(error / size if size else (math.inf if error > UNDERFLOW else 0.0) for error, size in pairs)

    def data(self) -> dict:
        """Return the record, its keys in a fixed order."""
        record: dict = {name: getattr(self, name).value for name in QUANTITIES}
        record |= {"status": self.status, "engine": self.engine}
        if self.reason:
            record["reason"] = self.reason
        record["error"] = {"kind": self.error_kind} | {name: getattr(self, name).error for name in QUANTITIES}
        if self.samples is not None:
            record |= {"samples": self.samples, "seed": self.seed}
        if self.sampler:
            record["sampler"] = self.sampler
        for name, parts in (("inputs", self.inputs), ("weights", self.weights)):
            if parts:
                record[name] = {part: found.data() for part, found in parts.items()}
        return record


def parts(layer: Layer, each: dict[str, Estimate]) -> dict[str, dict[str, Estimate]]:
    """Tell the several inputs of a layer from its learned weights, as an Estimate holds them."""
    inputs = layer.inputs or tuple(each)[:1]
    return {
        "inputs": {name: found for name, found in each.items() if name in inputs} if len(inputs) > 1 else {},
        "weights": {name: found for name, found in each.items() if name not in inputs},
    }


@dataclass(frozen=True)
class LayerResult:
    """A layer with what was found for it; a direction that was not asked for is None."""

    layer: Layer
    forward: Estimate | None
    backward: Estimate | None
    notes: tuple[str, ...] = ()
    #: What the record says of this layer beyond what it says of all.
    details: dict = field(default_factory=dict)
    #: What a chain gives where each of its layers is taken to see normal input; None for another layer.
    gaussian: Approximation | None = None

    @property
    def jacobian_factor(self) -> Value:
        """Backward std over forward std."""
        if self.forward is None or self.backward is None:
            return Value()
        return self.backward.std.over(self.forward.std)

    @property
    def passes(self) -> list[tuple[str, Estimate]]:
        """The directions that were asked for, each with what was found."""
        pairs = ((FORWARD, self.forward), (BACKWARD, self.backward))
        return [(direction, estimate) for direction, estimate in pairs if estimate is not None]

    def quantity(self, path: str) -> Value:
        """Return ``forward.mean``, ``backward.gate.std``, ``scale.geometric`` ... as quantity.py names them."""
        return quantity.parse(path).of(self)

    def data(self) -> dict:
        params = {name: _plain(value) for name, value in self.layer.values().items()}
        factor = self.jacobian_factor
        return (
            {
                "layer": self.layer.name,
                "spec": self.layer.spec,
                "params": params,
                "forward": self.forward and self.forward.data(),
                "backward": self.backward and self.backward.data(),
                "jacobian_factor": factor.value,
                "jacobian_factor_error": factor.error,
                "notes": list(self.notes),
            }
            | self.details
            | ({"gaussian": self.gaussian.data(self.forward, self.backward)} if self.gaussian else {})
        )


def _plain(value):
    """Return a parameter's value as JSON holds it: a nested layer as its SPEC, tuples as lists."""
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    return getattr(value, "spec", value)


@dataclass(frozen=True)
class Result:
    """Everything one request produced."""

    layers: tuple[LayerResult, ...]
    law: Law = STANDARD
    interrupted: bool = False
    #: What stopped it, where it was not Ctrl-C: the loss of the workers.
    cause: NormcalError | None = None
    title: str = ""
    extra: dict = field(default_factory=dict)

    def data(self) -> dict:
        """Return the document that JSON and YAML write."""
        head = {"schema": SCHEMA, "generator": f"normcal {__version__}"}
        assumptions = {"input": self.law.data(), "gradient": self.law.gradient.data()}
        return head | {"assumptions": assumptions, "layers": [row.data() for row in self.layers]} | self.extra
