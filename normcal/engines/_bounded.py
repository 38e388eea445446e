"""From balls to an Estimate, shared by the engines that state bounds."""

from __future__ import annotations

import numpy as np

from normcal.engine import DEFAULT_TOLERANCE, Effort
from normcal.numerics.balls import Ball
from normcal.result import OK, OVERFLOW, TOLERANCE_MISSED, Estimate, Value

SMALLEST_NORMAL = 2.0**-1022


def bounded(engine: str, effort: Effort, mean: Ball, std: Ball, rms: Ball) -> Estimate:
    """Build the Estimate of balls: values, bounds, and a status where they fall short."""
    values = [Value.of(b.mid, b.rad) for b in (mean, std, rms)]
    status, reason = _judge(effort.tol or DEFAULT_TOLERANCE, *values, overflowed=np.isinf([mean.mid, std.mid]).any())
    return Estimate(engine, *values, status=status, reason=reason)


def _judge(tol: float, mean: Value, std: Value, rms: Value, *, overflowed: bool) -> tuple[str, str]:
    if overflowed:
        return OVERFLOW, "finite, but larger than the largest double"
    if mean.value is None or std.value is None or mean.error is None or std.error is None:
        return TOLERANCE_MISSED, "the arithmetic over- or underflows at this input, so no bound can be stated"
    size = max(abs(mean.value), std.value)
    if std.value + std.error < SMALLEST_NORMAL and std.error > 0.0:
        return TOLERANCE_MISSED, "the std is smaller than the smallest normal double (underflow)"
    if std.value == 0.0 < std.error:
        return TOLERANCE_MISSED, f"the std is below {std.error:.1g}, where its square underflows"
    relative = max(mean.error / size if size else 0.0, std.error / std.value if std.value else 0.0)
    if relative > tol:
        return TOLERANCE_MISSED, f"the bound is {relative:.1g} relative, above the tolerance {tol:.1g}"
    return OK, ""
