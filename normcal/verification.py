"""Every engine against every other: bounds must overlap, samples must be likely.

Two deterministic engines agree when they differ by no more than their bounds together. Monte
Carlo agrees when its z-score against the best deterministic value is below a limit chosen so
that a correct program exceeds it, over all comparisons of a run together, with probability
``LEVEL``; that is ten times below the promise of once in 10,000 runs, which leaves room for
samples that are not quite normal.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from dataclasses import dataclass, replace
from statistics import NormalDist

from normcal import engine as engines
from normcal import sampler
from normcal import session as sessions
from normcal.engine import Effort
from normcal.engines.monte_carlo import LEAST_INFORMATIVE
from normcal.errors import RequestError, Unsupported
from normcal.layer import FORWARD, Layer
from normcal.request import Request
from normcal.result import STANDARD_ERROR, Estimate
from normcal.session import Session
from normcal.value import Value

LEVEL = 1e-5
AGREE, DISAGREE, UNDECIDED = "agree", "disagree", "undecided"
WITNESS = "scipy.integrate"
#: Differences below this are of doubles that have lost digits to underflow.
SMALLEST = 1e-300


@dataclass(frozen=True)
class Comparison:
    """One quantity by two engines; ``score`` is the difference in units of what is allowed, or a z-score."""

    layer: str
    direction: str
    quantity: str
    engines: tuple[str, str]
    values: tuple[Value, Value]
    sampled: bool
    score: float | None
    limit: float = 1.0

    @property
    def verdict(self) -> str:
        if self.score is None:
            return UNDECIDED
        return AGREE if abs(self.score) <= self.limit else DISAGREE

    def data(self) -> dict:
        return {
            "spec": self.layer, "direction": self.direction, "quantity": self.quantity, "engines": list(self.engines),
            "values": [value.value for value in self.values], "errors": [value.error for value in self.values],
            "kind": "z-score" if self.sampled else "bounds",
            "score": self.score if self.score is not None and math.isfinite(self.score) else None,
            "limit": self.limit, "verdict": self.verdict,
        }  # fmt: skip


def verify(request: Request, layers: list[Layer], progress=None, session: Session | None = None) -> list[Comparison]:
    """Run every engine that accepts each layer and compare all of them.

    Returns one Comparison for each quantity of each pair: bounds by their overlap, samples by a
    z-score against the smallest bound, and the best bound against SciPy's adaptive integration.

    Raises
    ------
    RequestError: for a sampler whose errors come from a few replicates, since no z-score can be made of them.

    >>> from normcal import catalog
    >>> found = verify(Request(samples=1000), [catalog.layer("relu")])
    >>> {c.verdict for c in found}
    {'agree'}
    """
    if not sampler.get(request.sampler).scores:
        fitting = ", ".join(name for name in sampler.names() if sampler.get(name).scores)
        raise RequestError(
            f"verify cannot sample by {request.sampler}: its errors come from a few replicates.",
            f"Accepted: {fitting}.",
        )
    found: list[Comparison] = []
    try:
        with contextlib.ExitStack() as stack:
            session = session or stack.enter_context(sessions.opened(request, layers))
            for layer, direction in itertools.product(layers, request.directions):
                label = f"{layer.spec} {direction}"
                report = None if progress is None else lambda done, total, label=label: progress(label, done, total)
                found += _compare_all(layer, direction, request, request.effort(report, session))
    except KeyboardInterrupt as stop:
        raise Stopped(_at_level(found), getattr(stop, "cause", None)) from None
    return _at_level(found)


class Stopped(KeyboardInterrupt):
    """Ctrl-C, or the loss of the workers, during verification; carries the comparisons done so far."""

    def __init__(self, found: list[Comparison], cause: RequestError | None = None) -> None:
        super().__init__()
        self.found = found
        self.cause = cause


def _at_level(found: list[Comparison]) -> list[Comparison]:
    """Set the limit of every z-score by how many of them there are."""
    sampled = sum(c.sampled and c.score is not None for c in found)
    limit = z_limit(sampled)
    return [replace(c, limit=limit) if c.sampled else c for c in found]


def z_limit(comparisons: int) -> float:
    """Return the z-score that ``comparisons`` correct ones exceed together with probability LEVEL.

    >>> round(z_limit(1), 2), round(z_limit(200), 2)
    (4.42, 5.45)
    """
    return -NormalDist().inv_cdf(LEVEL / (2.0 * max(comparisons, 1)))


def _compare_all(layer: Layer, direction: str, request: Request, effort: Effort) -> list[Comparison]:
    estimates = []
    for engine in engines.ranked():
        try:
            estimates.append(engine.estimate(layer, direction, request.law, effort))
        except Unsupported:
            continue
    bounds = [e for e in estimates if e.error_kind != STANDARD_ERROR and e.std.value is not None]
    if not bounds:
        return []
    bounds.sort(key=lambda e: e.worst_error)
    found = []
    for first, second in itertools.combinations(bounds, 2):
        for part in _parts(first, second):
            found += [_overlap(layer, direction, q, *part) for q in ("mean", "std", "rms")]
    for sampled in (e for e in estimates if e.error_kind == STANDARD_ERROR):
        for part in _parts(bounds[0], sampled):
            found += [_z_score(layer, direction, q, *part) for q in ("mean", "std")]
    pairs = _pairs(layer, direction, request)
    if pairs and any(c.sampled for c in found) and not _draws_suffice(pairs, direction, estimates):
        found = [replace(c, score=None) if c.sampled else c for c in found]
    return found + _against_witness(layer, direction, request, bounds[0])


def _pairs(layer: Layer, direction: str, request: Request) -> list:
    """Return the normal laws and the components that the layer's moments are integrals of; none where they are not."""
    law = request.law
    if direction != FORWARD and not law.gradient.plain:
        return []
    try:
        return [pair for c in layer.components(direction, law) for pair in law.pulled(c, direction)]
    except Unsupported:
        return []


def _draws_suffice(pairs: list, direction: str, estimates: list[Estimate]) -> bool:
    """Whether enough draws carry the variance for a z-score to be normal: a sample that misses all
    of the rare ones cannot know it, but the integrals do."""
    from normcal.engines._adaptive import informative_share

    share = informative_share(pairs, forward=direction == FORWARD)
    return all(e.samples * share >= LEAST_INFORMATIVE for e in estimates if e.samples)


def _overlap(layer: Layer, direction: str, quantity: str, part: str, a: Estimate, b: Estimate) -> Comparison:
    values = getattr(a, quantity), getattr(b, quantity)
    return Comparison(layer.spec, direction, part + quantity, (a.engine, b.engine), values, False, _score(*values))


def _score(a: Value, b: Value) -> float | None:
    """Return the difference over the errors together; None where an error is not stated."""
    if None in (a.value, b.value, a.error, b.error):
        return None
    difference, allowed = abs(a.value - b.value), a.error + b.error
    return difference / allowed if allowed else (0.0 if difference == 0.0 else math.inf)


def _z_score(layer: Layer, direction: str, quantity: str, part: str, exact: Estimate, sampled: Estimate) -> Comparison:
    a, b = getattr(exact, quantity), getattr(sampled, quantity)
    score = None
    if None not in (a.value, b.value, a.error, b.error):
        rounding = 4.0 * 2.0**-52 * (abs(a.value) + abs(sampled.rms.value or 0.0)) + SMALLEST
        noise = math.hypot(b.error, a.error + rounding)
        score = (b.value - a.value) / noise if noise else (0.0 if a.value == b.value else math.inf)
    return Comparison(layer.spec, direction, part + quantity, (exact.engine, sampled.engine), (a, b), True, score)


def _against_witness(layer: Layer, direction: str, request: Request, best: Estimate) -> list[Comparison]:
    """Compare with SciPy's adaptive rules, run on the plain definition of the layer."""
    import numpy as np

    from normcal.engines import quadrature
    from normcal.engines._adaptive import AdaptiveIntegrals

    integrals = AdaptiveIntegrals()
    try:
        with np.errstate(all="ignore"):
            theirs = quadrature.integrated(layer, direction, request.law, Effort(), integrals, WITNESS)
    except Unsupported:
        return []
    if not integrals.used:
        return []
    found = []
    for name, mine, its in _parts(best, theirs):
        for q in ("mean", "rms") if direction == FORWARD else ("rms",):
            values = getattr(mine, q), getattr(its, q)
            found.append(
                Comparison(layer.spec, direction, name + q, (best.engine, WITNESS), values, False, _score(*values))
            )
    return found


def _parts(a: Estimate, b: Estimate) -> list[tuple[str, Estimate, Estimate]]:
    """Pair two estimates, and what they hold for each input and learned weight: (prefix of the quantity, a, b)."""
    pairs = [("", a, b)]
    for mine, its in ((a.inputs, b.inputs), (a.weights, b.weights)):
        pairs += [(f"{name}.", mine[name], its[name]) for name in mine if name in its]
    return pairs
