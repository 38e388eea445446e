"""The Monte Carlo engine: simulates the layer and states a standard error.

It shares no formula with the other engines. Samples come in blocks, each with its own child
of the seed, and blocks are merged in their order, so that a seed gives the same bits
whatever the number of workers.
"""

from __future__ import annotations

import collections
import contextlib
import math
from dataclasses import replace

from normcal.engine import Effort, Engine, Interrupted
from normcal.errors import RequestError, Unsupported
from normcal.law import Normal
from normcal.layer import DIRECTIONS, Layer
from normcal.result import OK, STANDARD_ERROR, TOLERANCE_MISSED, Estimate, parts
from normcal.value import Value

DEFAULT_SAMPLES = 1_000_000
DEFAULT_DRAWS = 100_000_000
#: Numbers drawn where nobody asked for sampling: a fraction of a second, and rows enough to state an error.
UNASKED_DRAWS = 2_000_000
FEWEST = 250
MOST_DRAWS = 1_000_000_000_000
#: Random numbers in a block: small enough to stay in cache, large enough to hide the overhead.
BLOCK_DRAWS = 32_768
#: Fewer rows than this carrying the variance, and the standard error is not to be trusted.
LEAST_INFORMATIVE = 100.0


class MonteCarlo(Engine):
    """Draws input and incoming gradient, runs the layer and its vector-Jacobian product."""

    name = "monte-carlo"
    rank = 3
    samples = True
    summary = "simulation; error: one standard error"

    def find(self, layer: Layer, direction: str, law: Normal, effort: Effort) -> Estimate:
        samples = samples_for(layer, effort.samples)
        heavy = layer.heavy(direction, law)
        try:
            moments = _sample(layer, direction, law, samples, effort)
        except Interrupted as stop:
            raise Interrupted(stop.estimate and _assembled(stop.estimate, layer, law, effort, heavy)) from None
        return _assembled(moments, layer, law, effort, heavy)

    def unasked(self, layer: Layer, effort: Effort) -> Effort:
        if effort.samples is not None:
            return effort
        samples = max(min(DEFAULT_SAMPLES, UNASKED_DRAWS // layer.draws()), FEWEST)
        return replace(effort, samples=samples)

    def check_budget(self, layer: Layer, effort: Effort) -> None:
        with contextlib.suppress(Unsupported):  # find() says so if it comes to that
            samples_for(layer, effort.samples)


ENGINE = MonteCarlo()


def samples_for(layer: Layer, asked: int | None) -> int:
    """Return how many draws to take; refuse a request that would not end today."""
    each = layer.draws()
    if asked is None:
        return max(min(DEFAULT_SAMPLES, DEFAULT_DRAWS // each), FEWEST)
    if asked * each > MOST_DRAWS:
        raise RequestError(
            f"{layer.spec}: {asked:_} samples of {each:_} random numbers each are more than {MOST_DRAWS:.0e}.",
            f"Accepted: --samples {MOST_DRAWS // each} or fewer.",
        )
    return asked


#: The key of the moments that pool the inputs.
POOLED = ""


def _assembled(moments: dict, layer: Layer, law: Normal, effort: Effort, heavy: str) -> Estimate:
    """Turn the moments of the parts into an Estimate."""
    found = {name: _estimate(each, law, effort, heavy) for name, each in moments.items()}
    pooled = found.pop(POOLED)
    if not found:
        return pooled
    return replace(pooled, **parts(layer, found))


def _estimate(moments, law: Normal, effort: Effort, heavy: str) -> Estimate:
    """Turn moments into an Estimate; where the error means nothing, say so and state none."""
    values = [(moments.mean, moments.mean_error), (moments.std, moments.std_error), (moments.rms, moments.rms_error)]
    status, reason = OK, ""
    if not all(map(math.isfinite, (*values[0], *values[1]))):
        values = [(math.inf, math.inf)] * len(values)
        status, reason = TOLERANCE_MISSED, "the squares of the sampled values are larger than the largest double"
    elif heavy:
        values = [values[0], *((value, math.inf) for value, _ in values[1:])]
        status, reason = TOLERANCE_MISSED, f"no standard error can be stated: {heavy}"
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
    return Estimate(ENGINE.name, *found, STANDARD_ERROR, status, reason, moments.rows, effort.seed)


def _sample(layer: Layer, direction: str, law: Normal, samples: int, effort: Effort):
    """Simulate block by block, on threads when asked, and merge in the order of the blocks."""
    import numpy as np

    from normcal.numerics.moments import Moments

    rows = max(BLOCK_DRAWS // layer.draws(), 1)
    key = DIRECTIONS.index(direction)

    def block(number: int) -> dict[str, Moments]:
        rng = np.random.Generator(np.random.SFC64(np.random.SeedSequence(effort.seed, spawn_key=(key, number))))
        with np.errstate(all="ignore"):
            found = layer.simulate(direction, rng, min(rows, samples - number * rows), law)
            return {name: Moments.of(values) for name, values in _pooled(layer, found).items()}

    total = None
    try:
        for found in _in_order(block, math.ceil(samples / rows), effort.workers):
            total = found if total is None else {name: each.merge(found[name]) for name, each in total.items()}
            if effort.progress:
                effort.progress(total[POOLED].rows, samples)
    except KeyboardInterrupt:
        raise Interrupted(total) from None
    return total


def _pooled(layer: Layer, found) -> dict:
    """Put the entries of all inputs side by side: their pooled moments weigh every entry alike."""
    if not isinstance(found, dict):
        return {POOLED: found}
    import numpy as np

    inputs = layer.inputs or tuple(found)[:1]
    if len(inputs) == 1:
        return {POOLED: found[inputs[0]], **found}
    return {POOLED: np.concatenate([found[name] for name in inputs], axis=1), **found}


def _in_order(task, count: int, workers: int):
    """Yield task(0), task(1), ... in order, a few of them running ahead on threads."""
    if workers == 1:
        yield from map(task, range(count))
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(workers) as pool:
        ahead = collections.deque()
        try:
            for number in range(count):
                ahead.append(pool.submit(task, number))
                if len(ahead) >= 4 * workers:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            for future in ahead:
                future.cancel()
