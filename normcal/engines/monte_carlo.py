"""The Monte Carlo engine: simulates the layer and states a standard error.

It shares no formula with the other engines. Samples come in blocks, each with its own child
of the seed, and blocks are merged in their order, so that a seed gives the same bits
whoever runs them, and however often the run was cut off and taken up again.
"""

from __future__ import annotations

import contextlib
import math
from dataclasses import replace
from typing import NamedTuple

from normcal.engine import Effort, Engine, Interrupted, heavy_tails
from normcal.errors import RequestError, Unsupported
from normcal.law import Law
from normcal.layer import Layer
from normcal.result import OK, STANDARD_ERROR, TOLERANCE_MISSED, Estimate, parts
from normcal.sampler import PLAIN, POOLED
from normcal.value import Value

DEFAULT_SAMPLES = 1_000_000
DEFAULT_DRAWS = 100_000_000
#: Numbers drawn where nobody asked for sampling: a fraction of a second, and rows enough to state an error.
UNASKED_DRAWS = 2_000_000
FEWEST = 250
MOST_DRAWS = 1_000_000_000_000
#: Random numbers that --rtol may spend where nobody said: a minute or two.
DEFAULT_BUDGET = 10_000_000_000
#: How the points of an average over recorded values lie.
RECORDED = "recorded values"
#: Fewer rows than this carrying the variance, and the standard error is not to be trusted.
LEAST_INFORMATIVE = 100.0


class Doubts(NamedTuple):
    """Why a sampled std has no standard error, and why nothing sampled has; empty where they have."""

    heavy: str
    blur: str


class MonteCarlo(Engine):
    """Draws input and incoming gradient, runs the layer and its vector-Jacobian product."""

    name = "monte-carlo"
    rank = 4
    samples = True
    summary = "simulation; error: one standard error"

    def find(self, layer: Layer, direction: str, law: Law, effort: Effort) -> Estimate:
        from normcal.blur import blurred
        from normcal.executor import Lost
        from normcal.sampling import Job
        from normcal.simulation import Simulation

        def estimate() -> Estimate | None:
            return _assembled(simulation, layer, law, effort, doubts)

        def good(moments: dict) -> bool:
            found = effort.rtol and estimate()
            return bool(found) and found.status == OK and found.relative_error <= effort.rtol

        doubts = Doubts(heavy_tails(layer, direction, law), blurred(layer, direction, law))
        if law.recorded:
            with contextlib.suppress(Unsupported):
                return _over_records(layer, direction, law, effort, doubts)
        samples = samples_for(layer, effort.samples, effort.rtol)
        simulation = Simulation(Job(layer, direction, law, samples, effort.seed, effort.sampler), effort, good)
        try:
            simulation.run()
        except Lost as problem:
            raise Interrupted(estimate(), problem) from None
        except KeyboardInterrupt:
            raise Interrupted(estimate()) from None
        return estimate()

    def unasked(self, layer: Layer, effort: Effort) -> Effort:
        if effort.samples is not None or effort.rtol is not None:
            return effort
        samples = max(min(DEFAULT_SAMPLES, UNASKED_DRAWS // layer.draws()), FEWEST)
        return replace(effort, samples=samples)

    def check_budget(self, layer: Layer, effort: Effort) -> None:
        with contextlib.suppress(Unsupported):  # find() says so if it comes to that
            samples_for(layer, effort.samples)


ENGINE = MonteCarlo()


def samples_for(layer: Layer, asked: int | None, rtol: float | None = None) -> int:
    """Return how many draws to take, at most; refuse a request that would not end today."""
    each = layer.draws()
    if asked is None:
        most = DEFAULT_BUDGET // each if rtol else min(DEFAULT_SAMPLES, DEFAULT_DRAWS // each)
        return max(most, FEWEST)
    if asked * each > MOST_DRAWS:
        raise RequestError(
            f"{layer.spec}: {asked:_} samples of {each:_} random numbers each are more than {MOST_DRAWS:.0e}.",
            f"Accepted: --samples {MOST_DRAWS // each} or fewer.",
        )
    return asked


def _over_records(layer: Layer, direction: str, law: Law, effort: Effort, doubts: Doubts) -> Estimate:
    """Average a function of one entry over all recorded values, once each."""
    from normcal import averages

    of = averages.entries(layer, direction, law)
    resampling = averages.Resampling(law.bootstrap, effort.seed) if law.bootstrap else None
    seen: list = []

    def estimate() -> Estimate | None:
        if not seen:
            return None
        found = replace(_estimate(seen[-1], seen[-1].rows, law, effort, doubts), sampler=RECORDED)
        if resampling is None or found.std.error is None:
            return found
        pairs = zip((found.mean, found.std, found.rms), resampling.errors(), strict=True)
        mean, std, rms = (Value.of(value.value, error) for value, error in pairs)
        return replace(found, mean=mean, std=std, rms=rms, sampler=f"{RECORDED}, {law.bootstrap} resamplings")

    def show(moments) -> None:
        seen[:] = [moments]
        if effort.progress:
            effort.progress(moments.rows, law.count)

    try:
        averages.averaged(law.blocks(), of, show, resampling)
    except KeyboardInterrupt:
        raise Interrupted(estimate()) from None
    return estimate()


def _assembled(simulation, layer: Layer, law: Law, effort: Effort, doubts: Doubts) -> Estimate | None:
    """Turn the moments of the parts into an Estimate; None where there are none yet."""
    fair = simulation.fair
    found = {name: _estimate(each, simulation.drawn(each), law, effort, doubts) for name, each in fair.items()}
    pooled = found.pop(POOLED, None)
    if not found:
        return pooled
    return replace(pooled, **parts(layer, found))


def _estimate(moments, drawn: int, law: Law, effort: Effort, doubts: Doubts) -> Estimate:
    """Turn moments into an Estimate; where the error means nothing, say so and state none."""
    values = [(moments.mean, moments.mean_error), (moments.std, moments.std_error), (moments.rms, moments.rms_error)]
    status, reason = OK, ""
    known = moments.rows > 1  # one row has no scatter to tell an error from
    if not all(math.isfinite(x) for value, error in values[:2] for x in (value, error if known else 0.0)):
        values = [(math.inf, math.inf)] * len(values)
        status, reason = TOLERANCE_MISSED, "the squares of the sampled values are larger than the largest double"
    elif doubts.blur:
        values = [(value, math.inf) for value, _ in values]
        status, reason = TOLERANCE_MISSED, f"no standard error can be stated: {doubts.blur}"
    elif doubts.heavy:
        values = [values[0], *((value, math.inf) for value, _ in values[1:])]
        status, reason = TOLERANCE_MISSED, f"no standard error can be stated: {doubts.heavy}"
    elif moments.informative < LEAST_INFORMATIVE and not (law.std == 0.0 and moments.std == 0.0):
        values = [(value, math.inf) for value, _ in values]
        status = TOLERANCE_MISSED
        reason = (
            f"fewer than {LEAST_INFORMATIVE:.0f} draws carry the variance, so that no standard error can be stated; "
            "take more samples, or an input on which the layer varies"
        )
    elif effort.tol is not None and moments.std_error > effort.tol * moments.std:
        status, reason = (
            TOLERANCE_MISSED,
            f"the standard error is above the tolerance {effort.tol:.1g}; take more samples",
        )
    found = [Value.of(value, error) for value, error in values]
    how = "" if effort.sampler == PLAIN else effort.sampler
    estimate = Estimate(ENGINE.name, *found, STANDARD_ERROR, status, reason, drawn, effort.seed, how)
    if status == OK and effort.rtol is not None and estimate.relative_error > effort.rtol:
        reached = f"the standard error is {estimate.relative_error:.4g} relative"
        why = f"after {drawn:_} draws {reached}, above {effort.rtol:.2g}"
        return replace(estimate, status=TOLERANCE_MISSED, reason=why)
    return estimate
