"""How often the Monte Carlo engine's standard error covers the truth: 1,000 seeded runs of each case.

Run by hand: ``python benchmarks/coverage.py [--runs 1000] [--samples 4000]``. A correct engine
covers in 68.3 % of the runs at one standard error and in 95.4 % at two; the targets leave room
for the sampling error of 1,000 runs. Exit code 1 when a figure misses its target. The truths are
those of the deterministic engines, whose bounds are far below a standard error.
"""

from __future__ import annotations

import argparse
import sys
import time

from normcal import catalog, engine
from normcal.engine import Effort
from normcal.law import STANDARD

#: label, SPEC, direction
CASES = (
    ("relu forward", "relu", "forward"),
    ("sigmoid backward", "sigmoid", "backward"),
    ("max_pool 3x3 forward", "max_pool(kernel_size=3)", "forward"),
    ("max_pool 3x3 backward", "max_pool(kernel_size=3)", "backward"),
)
#: standard errors -> per cent of runs
TARGETS = {1: (64.0, 72.0), 2: (93.0, 97.0)}


def coverage(spec: str, direction: str, runs: int, samples: int) -> dict[tuple[str, int], float]:
    """Return (quantity, standard errors) -> per cent of the runs whose error covers the truth."""
    layer = catalog.layer(spec)
    truth = engine.estimate("auto", layer, direction, STANDARD, Effort())
    monte_carlo = engine.get("monte-carlo")
    found = [monte_carlo.estimate(layer, direction, STANDARD, Effort(samples=samples, seed=s)) for s in range(runs)]
    shares = {}
    for quantity in ("mean", "std"):
        exact = getattr(truth, quantity).value
        values = [getattr(estimate, quantity) for estimate in found]
        for times in TARGETS:
            shares[quantity, times] = 100.0 * sum(abs(v.value - exact) <= times * v.error for v in values) / runs
    return shares


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--samples", type=int, default=4000)
    options = parser.parse_args()
    print(f"{options.runs} runs of {options.samples} samples; per cent of runs within 1 and 2 standard errors")
    print(f"{'':24}" + "".join(f"{q + ', ' + str(t):>10}" for q in ("mean", "std") for t in TARGETS))
    missed, start = 0, time.perf_counter()
    for label, spec, direction in CASES:
        shares = coverage(spec, direction, options.runs, options.samples)
        missed += sum(not TARGETS[t][0] <= share <= TARGETS[t][1] for (_, t), share in shares.items())
        print(f"{label:24}" + "".join(f"{share:10.1f}" for share in shares.values()))
    bounds = ", ".join(f"{low:.0f} to {high:.0f} at {t}" for t, (low, high) in TARGETS.items())
    print(f"targets: {bounds}; {'all met' if not missed else f'{missed} missed'}; {time.perf_counter() - start:.0f} s")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
