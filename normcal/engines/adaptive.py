"""The adaptive engine: functions that are known by their values alone, with an honest guess of the error."""

from __future__ import annotations

import math

from normcal.engine import Effort, Engine
from normcal.errors import RequestError, Unsupported
from normcal.law import Normal
from normcal.layer import FORWARD, Component, Layer
from normcal.result import ESTIMATE, OK, TOLERANCE_MISSED, Estimate
from normcal.value import Value


class Adaptive(Engine):
    """Asks the function for values until nothing is left open; what it may have missed is estimated, not bounded."""

    name = "adaptive"
    rank = 3
    summary = "values on panels that are halved; error: an estimate, for functions known by nothing else"

    def find(self, layer: Layer, direction: str, law: Normal, effort: Effort) -> Estimate:
        function = layer.pointwise(direction)
        if law.std == 0.0:
            return _at_one_point(layer, function, direction, law)
        parts = _found(layer, function, law)
        reason = next((found.reason for _, found in parts if found.reason), "")
        mean = math.fsum(mass * found.mean for mass, found in parts)
        square = math.fsum(mass * found.square for mass, found in parts)
        variance = math.fsum(mass * (found.variance + (found.mean - mean) ** 2) for mass, found in parts)
        mean_error = math.fsum(mass * found.mean_error for mass, found in parts)
        square_error = math.fsum(mass * found.square_error for mass, found in parts)
        between = [2.0 * abs(found.mean - mean) * (found.mean_error + mean_error) for _, found in parts]
        errors = [f.variance_error + more for (_, f), more in zip(parts, between, strict=True)]
        variance_error = math.fsum(mass * error for (mass, _), error in zip(parts, errors, strict=True))
        rms = _root(square, square_error)
        if direction == FORWARD:
            values = Value.of(mean, mean_error), _root(variance, variance_error), rms
        else:
            values = Value(0.0, 0.0), rms, rms
        return _judged(layer, values, reason, effort)

    def serves(self, layer: Layer, direction: str, law: Normal) -> bool:
        try:
            layer.pointwise(direction)
        except Unsupported:
            return False
        return True


ENGINE = Adaptive()


def _found(layer: Layer, function, law: Normal) -> list:
    """Return (mass, moments) of the integrals that moments under the law are."""
    from normcal.numerics.survey import NoNumber

    try:
        return [(mass, one.found(its.mean, its.std)) for mass, its, one in _pulled(function, law)]
    except NoNumber as problem:
        accepted = "Accepted: a function with a value, and a slope, wherever the input falls."
        raise RequestError(f"{layer.spec} is no number at x = {problem.x:.6g}.", accepted) from None


def _pulled(function, law: Normal) -> list:
    """Return (mass, normal law, function) of the integrals that moments under any law are."""
    if law.normal:
        return [(1.0, law, function)]
    from normcal.numerics.arrays import ARRAYS
    from normcal.numerics.survey import Pointwise

    if function.derived:
        raise Unsupported("the derivative is by differences, which are taken under a normal law only")
    found = []
    for normal, component in law.pulled(Component(lambda x, m: _flat(function.f, x)), FORWARD):
        if component.weight is not None or component.noise is not None or normal.std == 0.0:
            raise Unsupported(f"the law {law} leaves more than one function of a normal input")
        found.append((component.mass, normal, Pointwise(_of(component.f, ARRAYS), function.grain)))
    return found


def _of(f, m):
    return lambda x: f(x, m)


def _flat(f, x):
    import numpy as np

    return f(np.ravel(x)).reshape(np.shape(x))


def _at_one_point(layer: Layer, function, direction: str, law: Normal) -> Estimate:
    """Return the record of a constant input."""
    import numpy as np

    if function.derived:
        raise Unsupported("the input is constant, and there is no derivative but by differences")
    value = float(function.f(np.array([law.mean]))[0])
    error = 8.0 * function.grain * abs(value)
    if direction == FORWARD:
        values = Value.of(value, error), Value(0.0, 0.0), Value.of(abs(value), error)
    else:
        values = Value(0.0, 0.0), Value.of(abs(value), error), Value.of(abs(value), error)
    return _judged(layer, values, "" if math.isfinite(value) else "it has no finite value there", Effort())


def _root(square: float, error: float) -> Value:
    """Return the root of a mean square, whose error may be larger than itself."""
    if not (math.isfinite(square) and math.isfinite(error)):
        return Value()
    root = math.sqrt(max(square, 0.0))
    lowest = math.sqrt(max(square - error, 0.0))
    return Value.of(root, error / (root + lowest) * (1.0 + 1e-9) if root + lowest > 0.0 else math.sqrt(error))


def _judged(layer: Layer, values: tuple[Value, Value, Value], reason: str, effort: Effort) -> Estimate:
    found = Estimate(ENGINE.name, *values, ESTIMATE)
    status = OK
    if reason:
        values = tuple(Value(value.value) for value in values)
        status, reason = TOLERANCE_MISSED, f"no error can be stated: {reason}"
    elif found.relative_error > (effort.tol or math.inf):
        status = TOLERANCE_MISSED
        reason = f"the estimated error is {found.relative_error:.2g} relative, above the tolerance {effort.tol:.2g}"
    elif found.std.value is not None and found.std.error is not None and found.std.value < found.std.error:
        status, reason = TOLERANCE_MISSED, f"the std is below {found.std.value + found.std.error:.1g}, if it is not 0"
    return Estimate(ENGINE.name, *values, ESTIMATE, status, reason)
