"""From balls to an Estimate, shared by the engines that state bounds."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from normcal.engine import DEFAULT_TOLERANCE, Effort
from normcal.layer import BACKWARD, Layer
from normcal.numerics.balls import Ball, hypot, root_of_squares
from normcal.result import OK, OVERFLOW, TOLERANCE_MISSED, Estimate, parts
from normcal.value import Value

SMALLEST_NORMAL = 2.0**-1022


def _as_it_seems() -> bool:
    return False


def assembled(
    engine: str, effort: Effort, layer: Layer, direction: str, found, *, finite: Callable[[], bool] = _as_it_seems
) -> Estimate:
    """Build the Estimate of what a layer's formulas or integrals gave: moments, a std, or a std for each input.

    ``finite`` tells, where a midpoint is infinite, whether that is the arithmetic's doing, not the result's size.
    """
    if direction != BACKWARD:
        mean, std, rms = found if len(found) == 3 else (*found, hypot(*found))
        return bounded(engine, effort, mean, std, rms, finite=finite)
    if not isinstance(found, dict):
        return bounded(engine, effort, Ball(0.0), found, found, finite=finite)
    each = {name: bounded(engine, effort, Ball(0.0), std, std, finite=finite) for name, std in found.items()}
    inputs = layer.inputs or tuple(found)[:1]
    whole = sum(layer.entries(name) for name in inputs)
    shares = [(Ball(layer.entries(name)) / whole, found[name]) for name in inputs]
    std = root_of_squares(shares) if len(inputs) > 1 else found[inputs[0]]
    return replace(bounded(engine, effort, Ball(0.0), std, std, finite=finite), **parts(layer, each))


def bounded(
    engine: str, effort: Effort, mean: Ball, std: Ball, rms: Ball, *, finite: Callable[[], bool] = _as_it_seems
) -> Estimate:
    """Build the Estimate of balls: values, bounds, and a status where they fall short."""
    found = Estimate(engine, *(Value.of(b.mid, b.rad) for b in (mean, std, rms)))
    overflowed = (math.isinf(mean.mid) or math.isinf(std.mid)) and not finite()
    status, reason = _judge(found, effort.tol or DEFAULT_TOLERANCE, overflowed=overflowed)
    return replace(found, status=status, reason=reason) if reason else found


def _judge(found: Estimate, tol: float, *, overflowed: bool) -> tuple[str, str]:
    mean, std = found.mean, found.std
    if overflowed:
        return OVERFLOW, "finite, but larger than the largest double"
    if mean.value is None or std.value is None or mean.error is None or std.error is None:
        return TOLERANCE_MISSED, "the arithmetic over- or underflows at this input, so no bound can be stated"
    if std.value + std.error < SMALLEST_NORMAL and std.error > 0.0:
        return TOLERANCE_MISSED, "the std is smaller than the smallest normal double (underflow)"
    if std.value == 0.0 < std.error:
        why = "where its square underflows" if std.error < 1e-100 else "which is all that rounding leaves to tell"
        return TOLERANCE_MISSED, f"the std is below {std.error:.1g}, {why}"
    relative = found.relative_error
    if relative > tol:
        return TOLERANCE_MISSED, f"the bound is {relative:.2g} relative, above the tolerance {tol:.2g}"
    return OK, ""
