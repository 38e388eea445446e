"""What a computation returns: values with errors, per direction and per layer."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from normcal import __version__
from normcal.errors import unknown
from normcal.law import STANDARD, Normal
from normcal.layer import BACKWARD, DIRECTIONS, Layer

SCHEMA = "normcal/1"
BOUND, STANDARD_ERROR = "bound", "standard-error"
OK, INFINITE, UNDEFINED, OVERFLOW, TOLERANCE_MISSED = "ok", "infinite", "undefined", "overflow", "tolerance-missed"
QUANTITIES = ("mean", "std", "rms", "gain", "rms_gain")
_ROUNDING = 2.0**-51
_GROW = 1.0 + 2.0**-49
#: An error on an exact 0 that is only what may be lost below the smallest double.
UNDERFLOW = 1e-300
SMALLEST = 5e-324


@dataclass(frozen=True)
class Value:
    """A number and its absolute error; an absent number is None, so is an error that cannot be stated."""

    value: float | None = None
    error: float | None = None

    def __float__(self) -> float:
        if self.value is None:
            raise ValueError("this moment has no value; the status says why")
        return self.value

    @classmethod
    def of(cls, mid: float, rad: float) -> Value:
        """Return the value of a ball; what is no finite number is absent."""
        mid, rad = float(mid), float(rad)
        return cls(mid if math.isfinite(mid) else None, rad if math.isfinite(rad) and math.isfinite(mid) else None)

    def reciprocal(self) -> Value:
        """Return 1/value, with the error that follows."""
        if not self.value:
            return Value()
        inverse = 1.0 / self.value
        if not math.isfinite(inverse):
            return Value()
        if self.error is None or self.error >= abs(self.value):
            return Value(inverse)
        error = self.error * abs(inverse) / (abs(self.value) - self.error)
        return Value.of(inverse, error * _GROW + _ROUNDING * abs(inverse))

    def over(self, other: Value) -> Value:
        """Return value/other with the largest error that both may cause together."""
        if self.value is None or not other.value:
            return Value()
        ratio = self.value / other.value
        if None in (self.error, other.error) or other.error >= abs(other.value):
            return Value.of(ratio, math.inf)
        room = abs(other.value) - other.error
        error = self.error / room + abs(ratio) * (other.error / room)
        underflows = self.value and min(abs(ratio), error or 1.0) < UNDERFLOW
        lost = 8.0 * SMALLEST * (abs(other.value) / room) if underflows else 0.0
        return Value.of(ratio, error * _GROW + _ROUNDING * abs(ratio) + lost)


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

    @property
    def jacobian_factor(self) -> Value:
        """Backward std over forward std."""
        if self.forward is None or self.backward is None:
            return Value()
        return self.backward.std.over(self.forward.std)

    def quantity(self, path: str) -> Value:
        """Return ``forward.mean``, ``backward.gain``, ``backward.gate.std``, ``jacobian_factor`` ..."""
        if path == "jacobian_factor":
            return self.jacobian_factor
        direction, *part, name = path.split(".")
        found = getattr(self, direction)
        for one in part:
            if found is not None and one not in found.parts:
                raise unknown(f"input or learned weight of {self.layer.spec}:", one, found.parts)
            found = found and found.parts[one]
        return Value() if found is None else getattr(found, name)

    def data(self) -> dict:
        params = {name: _plain(value) for name, value in self.layer.values().items()}
        factor = self.jacobian_factor
        return {
            "layer": self.layer.name,
            "spec": self.layer.spec,
            "params": params,
            "forward": self.forward and self.forward.data(),
            "backward": self.backward and self.backward.data(),
            "jacobian_factor": factor.value,
            "jacobian_factor_error": factor.error,
            "notes": list(self.notes),
        }


def _plain(value):
    """Return a parameter's value as JSON holds it: a nested layer as its SPEC, tuples as lists."""
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    return getattr(value, "spec", value)


@dataclass(frozen=True)
class Result:
    """Everything one request produced."""

    layers: tuple[LayerResult, ...]
    law: Normal = STANDARD
    interrupted: bool = False
    title: str = ""
    extra: dict = field(default_factory=dict)

    def data(self) -> dict:
        """Return the document that JSON and YAML write."""
        head = {"schema": SCHEMA, "generator": f"normcal {__version__}"}
        assumptions = {"input": self.law.data(), "gradient": STANDARD.data()}
        return head | {"assumptions": assumptions, "layers": [row.data() for row in self.layers]} | self.extra


PATHS = (*(f"{direction}.{q}" for direction in DIRECTIONS for q in QUANTITIES), "jacobian_factor")


def check_path(path: str) -> None:
    """Refuse what names no quantity: one of PATHS, or ``backward.NAME.std`` of a layer's input or learned weight."""
    steps = path.split(".")
    of_part = len(steps) == 3 and steps[0] == BACKWARD and steps[1].isidentifier() and steps[2] in QUANTITIES
    if path not in PATHS and not of_part:
        raise unknown("quantity", path, PATHS)
