"""Better than plain sampling: true errors at 2^20 points, coverage of stated ones, a relative error on request."""

from __future__ import annotations

import math

from benchmarks.goal import Goal, Series

ORDER = 50
TITLE = "Samplers"
POINTS = 1 << 20
_RMS = "plain, root mean square of as many"
#: SPEC -> what of its forward figures is compared, and how many times the error must be smaller
_GELU = Goal("error of E gelu² at 2^20 points, plain over sobol", "", least=100.0, absolute=True)
_POOL = Goal("error of E max_pool(3 x 3) at 2^20 points, plain over sobol", "", least=20.0, absolute=True)
_GELU_ERROR = Goal("error of E gelu² by sobol", "", _RMS)
_POOL_ERROR = Goal("error of E max_pool(3 x 3) by sobol", "", _RMS)
_MATCHES = {
    "gelu": (_GELU, _GELU_ERROR, lambda estimate: estimate.rms.value**2),
    "max_pool(kernel_size=3)": (_POOL, _POOL_ERROR, lambda estimate: estimate.mean.value),
}
_WHAT = {"gelu": "E gelu²", "max_pool(kernel_size=3)": "E max pooling 3 x 3"}
_NAMES = ("plain", "antithetic", "sobol")
#: Errors of a few replicates are widened so that two of them cover; one then covers more often than a normal one.
_LIMITS = {1: (0.64, 0.72), 2: (0.93, 0.97)}
_COVERED = (
    ("relu", "forward"),
    ("sigmoid", "backward"),
    ("max_pool(kernel_size=3)", "forward"),
    ("max_pool(kernel_size=3)", "backward"),
)
_COVERAGE = {
    (name, times): Goal(
        f"{name}: runs within {times} stated error{'s' * (times > 1)}", "", "a normal error",
        least=low, most=None if (name, times) == ("sobol", 1) else high, absolute=True,
    )
    for name in _NAMES
    for times, (low, high) in _LIMITS.items()
}  # fmt: skip
_RTOL = Goal("`--rtol 1e-5` on `gelu` by sobol, relative stated error", "", most=1e-5, absolute=True)
GOALS = (_GELU, _GELU_ERROR, _POOL, _POOL_ERROR, *_COVERAGE.values(), _RTOL)


def measure(budget):
    seeds, fewer = budget.size(40, 2), budget.size(16, 2)
    counts = [POINTS >> halvings for halvings in ((10, 6) if budget.quick else (10, 8, 6, 4, 2))]
    for spec, (goal, error, figure) in _MATCHES.items():
        last = {}
        for name in ("plain", "sobol"):
            points = [(count, _error(spec, figure, name, fewer, count)) for count in counts]
            points.append((POINTS, _error(spec, figure, name, seeds, POINTS)))
            last[name] = points[-1][1]
            yield Series("error", f"{_WHAT[spec]}, {name}", "points", "root mean square error", tuple(points))
        yield goal.found(last["plain"] / last["sobol"], note=f"{seeds} seeds each")
        yield error.found(last["sobol"], last["plain"])
    for name in _NAMES:
        shares = _shares(name, budget.size(300, 3), budget.size(4096, 1024))
        for times in _LIMITS:
            found = shares[times]
            note = f"{min(found):.3f} to {max(found):.3f} over {len(found)} figures"
            yield _COVERAGE[name, times].found(sum(found) / len(found), math.erf(times / math.sqrt(2.0)), note)
    exact, rtol = _exact("gelu", "forward").std.value, 0.001 if budget.quick else 1e-5
    reached = [_sample("gelu", "forward", sampler="sobol", rtol=rtol, seed=seed) for seed in range(budget.runs(8))]
    off = math.sqrt(sum(((one.std.value - exact) / one.std.error) ** 2 for one in reached) / len(reached))
    note = f"{max(one.samples for one in reached):,} points, true error of the std {off:.2g} stated ones"
    yield _RTOL.found(max(one.relative_error for one in reached), note=note)


def _sample(spec: str, direction: str, **options):
    import normcal

    return getattr(normcal.compute(spec, direction=direction, engine="monte-carlo", **options), direction)


def _exact(spec: str, direction: str):
    import normcal

    return getattr(normcal.compute(spec, direction=direction), direction)


def _error(spec: str, figure, name: str, seeds: int, points: int) -> float:
    """Return the root mean square error of a figure over seeds, against the value with a bound."""
    exact = figure(_exact(spec, "forward"))
    found = [figure(_sample(spec, "forward", sampler=name, samples=points, seed=seed)) for seed in range(seeds)]
    return math.sqrt(sum((value - exact) ** 2 for value in found) / seeds)


def _shares(name: str, runs: int, samples: int) -> dict[int, list[float]]:
    """Return, for 1 and 2 stated errors, the share of runs within them: of the mean and the std of each case."""
    shares: dict[int, list[float]] = {times: [] for times in _LIMITS}
    for spec, direction in _COVERED:
        truth = _exact(spec, direction)
        found = [_sample(spec, direction, sampler=name, samples=samples, seed=seed) for seed in range(runs)]
        for quantity in ("mean", "std"):
            exact = getattr(truth, quantity).value
            values = [getattr(estimate, quantity) for estimate in found]
            if max(v.error for v in values) < 1e-12:
                continue  # the sampler is exact here, and all that is left is rounding
            for times in _LIMITS:
                within = sum(abs(v.value - exact) <= times * v.error for v in values)
                shares[times].append(within / runs)
    return shares
