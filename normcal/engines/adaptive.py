"""The adaptive engine: functions that are known by their values alone, with an honest guess of the error."""

from __future__ import annotations

import functools
import math

from normcal.engine import Effort, Engine
from normcal.errors import RequestError, Unsupported
from normcal.law import Law, Normal
from normcal.layer import FORWARD, Component, Layer
from normcal.result import ESTIMATE, OK, TOLERANCE_MISSED, Estimate
from normcal.value import Value


class Adaptive(Engine):
    """Asks the function for values until nothing is left open; what it may have missed is estimated, not bounded."""

    name = "adaptive"
    rank = 3
    summary = "values on panels that are halved; error: an estimate, for functions known by nothing else"

    def find(self, layer: Layer, direction: str, law: Law, effort: Effort) -> Estimate:
        function = layer.pointwise(direction)
        if law.std == 0.0:
            return _at_one_point(layer, function, direction, law)
        if direction == FORWARD:
            mean, std, rms, reason = _moments(layer, function, law)
        elif law.gradient.plain:
            mean, (_, _, rms, reason) = Value(0.0, 0.0), _moments(layer, function, law)
            std = rms = rms.times(Value(law.gradient.std, 0.0))
        else:
            mean, std, rms, reason = _gradient(layer, function, law)
        return _judged((mean, std, rms), reason, effort)

    def serves(self, layer: Layer, direction: str, law: Law) -> bool:
        try:
            layer.pointwise(direction)
        except Unsupported:
            return False
        return True


ENGINE = Adaptive()


def _moments(layer: Layer, function, law: Law) -> tuple[Value, Value, Value, str]:
    """Return mean, std and rms of a function of the input, and why no error can be stated, if none can."""
    parts = _found(layer, function, law)
    reason = next((found.reason for _, found in parts if found.reason), "")
    mean = math.fsum(mass * found.mean for mass, found in parts)
    square = math.fsum(mass * found.square for mass, found in parts)
    variance = math.fsum(mass * (found.variance + (found.mean - mean) ** 2) for mass, found in parts)
    mean_error = math.fsum(mass * found.mean_error for mass, found in parts)
    square_error = math.fsum(mass * found.square_error for mass, found in parts)
    between = [2.0 * abs(found.mean - mean) * (found.mean_error + mean_error) for _, found in parts]
    errors = [found.variance_error + more for (_, found), more in zip(parts, between, strict=True)]
    variance_error = math.fsum(mass * error for (mass, _), error in zip(parts, errors, strict=True))
    return Value.of(mean, mean_error), _root(variance, variance_error), _root(square, square_error), reason


def _gradient(layer: Layer, function, law: Law) -> tuple[Value, Value, Value, str]:
    r"""Return the moments of :math:`f'(x)\,dy` for a dy that is not of mean 0 and independent of x.

    With :math:`dy = a(x) + b\,\xi`: :math:`E\,dx = E f' a` and :math:`E\,dx^2 = E f'^2 (a^2 + b^2)`.
    """
    import numpy as np

    from normcal.numerics.survey import Pointwise

    if function.derived:
        raise Unsupported(
            "the derivative is by differences, which serve an incoming gradient of mean 0 and independent"
        )
    given, b = law.gradient, law.gradient.own_std

    def a(x):
        return given.mean + given.std * given.correlation * ((x - law.mean) / law.std)

    mean, _, _, first = _moments(layer, Pointwise(lambda x: function.f(x) * a(x), function.grain), law)
    _, _, rms, second = _moments(layer, Pointwise(lambda x: function.f(x) * np.hypot(a(x), b), function.grain), law)
    if None in (mean.value, mean.error, rms.value, rms.error):
        return mean, Value(), rms, first or second or "its values are larger than doubles can hold"
    error = 2.0 * (rms.value + rms.error) * rms.error + 2.0 * (abs(mean.value) + mean.error) * mean.error
    return mean, _root(rms.value**2 - mean.value**2, error), rms, first or second


def _found(layer: Layer, function, law: Law) -> list:
    """Return (mass, moments) of the integrals that moments under the law are."""
    from normcal.numerics.survey import NoNumber

    try:
        return _surveyed(function, law)
    except NoNumber as problem:
        accepted = "Accepted: a function with a value, and a slope, wherever the input falls."
        raise RequestError(f"{layer.spec} is no number at x = {problem.x:.6g}.", accepted) from None


def _surveyed(function, law: Law) -> list:
    from normcal.numerics.survey import Pointwise

    if law.normal:
        return [(1.0, function.found(law.mean, law.std))]
    if function.derived:
        raise Unsupported("the derivative is by differences, which are taken under a normal law only")

    import numpy as np

    from normcal.numerics.arrays import ARRAYS

    def flat(x, m):
        return function.f(np.ravel(x)).reshape(np.shape(x))

    found = []
    for normal, component in law.pulled(Component(flat), FORWARD):
        one = Pointwise(functools.partial(_values, component, ARRAYS), function.grain)
        found.append((component.mass, _weighted(one, component, normal)))
    return found


def _values(component: Component, m, x):
    import numpy as np

    return np.broadcast_to(component.f(x, m), x.shape)


def _weighted(one, component: Component, normal: Normal):
    """Return the moments of a function of a normal input, or of a constant one, under the weight of its component."""
    import numpy as np

    from normcal.numerics.arrays import ARRAYS
    from normcal.numerics.survey import Found, Pointwise

    if normal.std == 0.0:
        value = float(one.f(np.array([normal.mean]))[0])
        error = 8.0 * one.grain * abs(value)
        return Found(value, 0.0, value**2, error, 2.0 * error**2, 3.0 * error * abs(value))
    if component.weight is None:
        return one.found(normal.mean, normal.std)

    def mean_of(power):
        def weighted(x):
            return component.weight((x - normal.mean) / normal.std, ARRAYS) * one.f(x) ** power

        return Pointwise(weighted, one.grain).found(normal.mean, normal.std)

    first, second = mean_of(1), mean_of(2)
    variance = max(second.mean - first.mean**2, 0.0)
    error = second.mean_error + 2.0 * abs(first.mean) * first.mean_error + first.mean_error**2
    reason = first.reason or second.reason
    return Found(first.mean, variance, second.mean, first.mean_error, error, second.mean_error, reason, first.jumps)


def _at_one_point(layer: Layer, function, direction: str, law: Law) -> Estimate:
    """Return the record of a constant input."""
    import numpy as np

    if direction != FORWARD and (function.derived or not law.gradient.plain):
        raise Unsupported("the input is constant")
    value = float(function.f(np.array([law.mean]))[0])
    error = 8.0 * function.grain * abs(value)
    if direction == FORWARD:
        values = Value.of(value, error), Value(0.0, 0.0), Value.of(abs(value), error)
    else:
        std = Value.of(abs(value), error).times(Value(law.gradient.std, 0.0))
        values = Value(0.0, 0.0), std, std
    return _judged(values, "" if math.isfinite(value) else "it has no finite value there", Effort())


def _root(square: float, error: float) -> Value:
    """Return the root of a mean square, whose error may be larger than itself."""
    if not (math.isfinite(square) and math.isfinite(error)):
        return Value()
    root = math.sqrt(max(square, 0.0))
    lowest = math.sqrt(max(square - error, 0.0))
    return Value.of(root, error / (root + lowest) * (1.0 + 1e-9) if root + lowest > 0.0 else math.sqrt(error))


def _judged(values: tuple[Value, Value, Value], reason: str, effort: Effort) -> Estimate:
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
