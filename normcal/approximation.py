"""What a chain of layers gives where each is taken to see normal input: the usual assumption, and what it costs.

Every layer is fed N(m, s^2) with the mean m and the std s of the one before; the backward std is the product of
those of the layers. The numbers are exactly that: the error of one that was sampled is carried on to what is behind it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from normcal import engine
from normcal.engine import AUTO, Effort, Interrupted
from normcal.errors import RequestError
from normcal.law import Normal
from normcal.layer import BACKWARD, FORWARD, Layer
from normcal.result import BOUND, OK, STANDARD_ERROR, Estimate
from normcal.value import Value

if TYPE_CHECKING:
    from normcal.law import Law

#: How far a mean or a std is moved, relative to the std, to see what that does to the layers behind.
MOVED = 1e-2
#: A second difference is left out: what is carried on is doubled.
GENEROUS = 2.0


@dataclass(frozen=True)
class Approximation:
    """The estimates of both directions, those that were asked for, and the laws that the layers were fed."""

    forward: Estimate | None = None
    backward: Estimate | None = None
    laws: tuple[tuple[str, Law], ...] = ()

    def of(self, direction: str) -> Estimate | None:
        """Return the estimate of a direction."""
        return self.forward if direction == FORWARD else self.backward

    def off(self, direction: str, true: Estimate | None) -> Value:
        """Return the factor by which its std is off: over that of the true law."""
        mine = self.of(direction)
        return Value() if mine is None or true is None else mine.std.over(true.std)

    def data(self, forward: Estimate | None, backward: Estimate | None) -> dict:
        """Return it as the record of a layer holds it, beside the true figures."""
        found: dict = {"stages": [{"spec": spec, "input": law.data()} for spec, law in self.laws]}
        for direction, true in ((FORWARD, forward), (BACKWARD, backward)):
            mine = self.of(direction)
            ratio = self.off(direction, true)
            found |= {direction: mine and mine.data(), f"{direction}_ratio": ratio.value}
            found |= {f"{direction}_ratio_error": ratio.error}
        return found


def approximated(stages: Sequence[Layer], law: Law, directions: Iterable[str], effort: Effort) -> Approximation:
    """Return what the layers give one behind the other, each fed a normal law.

    Parameters
    ----------
    stages: the layers, the first one in front; it sees ``law`` itself.
    law: the law of the input. directions: the passes that are wanted. effort: how hard an engine may work.

    Returns
    -------
    The Approximation. A direction that cannot be computed is None: a layer has no such moment at the law it is fed, or
    the incoming gradient is none whose std passes from layer to layer as a factor.

    Raises
    ------
    KeyboardInterrupt: when a simulation is interrupted.

    Examples
    --------
    >>> from normcal import catalog
    >>> found = approximated([catalog.layer("relu")] * 2, Normal(), ["forward"], Effort())
    >>> [str(law) for _, law in found.laws]
    ['N(0, 1)', 'N(0.398942280401, 0.583819370104^2)']
    """
    effort = replace(effort, progress=None, session=None)
    directions = tuple(directions)
    fed: list[tuple[Layer, Law]] = []
    found: list[Estimate] = []
    for stage in stages:
        fed.append((stage, Normal(found[-1].mean.value, found[-1].std.value) if found else law))
        last = len(fed) == len(stages)
        if not last or FORWARD in directions:
            own = _found(stage, FORWARD, fed[-1][1], effort)
            if own is None:
                break
            found.append(_carried(own, stage, FORWARD, found[-1] if found else None, effort))
    complete = len(fed) == len(stages)
    forward = found[-1] if FORWARD in directions and len(found) == len(stages) else None
    multiplies = BACKWARD in directions and complete and law.gradient.plain
    backward = _product(fed, found, effort) if multiplies else None
    return Approximation(forward, backward, tuple((stage.spec, its) for stage, its in fed))


def _found(stage: Layer, direction: str, law: Law, effort: Effort) -> Estimate | None:
    """Return the estimate of one layer; None where there is no number."""
    try:
        found = engine.estimate(AUTO, stage, direction, law, effort)
    except RequestError:
        return None
    except Interrupted as stop:
        raise KeyboardInterrupt from stop
    return None if found.mean.value is None or found.std.value is None else found


def _carried(own: Estimate, stage: Layer, direction: str, before: Estimate | None, effort: Effort) -> Estimate:
    """Return the estimate with what the errors of a sampled mean and std before it do to it."""
    if before is None or before.error_kind == BOUND:
        return own
    if None in (before.mean.error, before.std.error):
        return _summed(own, None, None)
    at = before.mean.value, before.std.value
    step = MOVED * before.std.value or MOVED
    moved = [
        (_found(stage, direction, Normal(at[0] + step, at[1]), effort), before.mean.error / step),
        (_found(stage, direction, Normal(at[0], at[1] + step), effort), before.std.error / step),
    ]
    if any(its is None for its, _ in moved):
        return _summed(own, None, None)
    sums = [sum(GENEROUS * abs(getattr(its, q).value - getattr(own, q).value) * size for its, size in moved)
            for q in ("mean", "std")]  # fmt: skip
    return _summed(own, *sums)


def _summed(own: Estimate, mean: float | None, std: float | None) -> Estimate:
    values = []
    for value, more in ((own.mean, mean), (own.std, std)):
        error = None if more is None or value.error is None else value.error + more
        values.append(Value(value.value, error))
    return replace(
        own, mean=values[0], std=values[1], rms=_rms(*values), error_kind=STANDARD_ERROR, inputs={}, weights={}
    )


def _rms(mean: Value, std: Value) -> Value:
    return mean.times(mean).plus(std.times(std)).root()


def _product(fed: list[tuple[Layer, Law]], before: list[Estimate], effort: Effort) -> Estimate | None:
    """Return the product of the backward stds, layer by layer."""
    total, kinds, engines, samples, status = Value(1.0, 0.0), set(), [], 0, OK
    for at, (stage, law) in enumerate(fed):
        own = _found(stage, BACKWARD, law, effort)
        if own is None:
            return None
        own = _carried(own, stage, BACKWARD, before[at - 1] if at else None, effort)
        total = total.times(own.std)
        kinds.add(own.error_kind)
        engines.append(own.engine)
        samples = max(samples, own.samples or 0)
        status = status if own.status == OK else own.status
    sampled = {"samples": samples, "seed": effort.seed} if samples else {}
    kind = STANDARD_ERROR if kinds != {BOUND} else BOUND
    last = max(engines, key=lambda name: engine.get(name).rank)  # the one that knows least
    return Estimate(last, Value(0.0, 0.0), total, total, kind, status, **sampled)
