"""The whole default table in a running interpreter, as a ratio to a bare rule over as many activations."""

import statistics
import sys
import time

import numpy as np

from normcal import config, pipeline
from normcal.request import Request

LIMIT = 1.0  # seconds, in process, one core


def seconds(work) -> float:
    """Return the wall time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def bare(count: int) -> None:
    """Integrate f, f^2 and f'^2 of ``count`` activations on 300 given nodes, with no error at all."""
    z = np.linspace(-12.0, 12.0, 300)
    weight = np.exp(-0.5 * z * z)
    for _ in range(count):
        f, slope = np.tanh(z), 1.0 - np.tanh(z) ** 2
        for values in (f, f * f, slope * slope):
            float(values @ weight)


def main(runs: int = 9) -> None:
    """Print the table's time, its ratio to the bare rule, and the slowest layers."""
    layers = config.layers(config.read(None))
    request = Request()
    pipeline.run(request, layers)  # imports and caches
    table = statistics.median(seconds(lambda: pipeline.run(request, layers)) for _ in range(runs))
    rule = statistics.median(seconds(lambda: bare(2 * len(layers))) for _ in range(runs))
    print(f"{len(layers)} layers, both directions: {table:.3f} s (limit {LIMIT:g} s)")
    print(f"{table / rule:.0f} times the bare rule, which states no error")
    each = [(min(seconds(lambda one=one: pipeline.run(request, [one])) for _ in range(3)), one.spec) for one in layers]
    for took, spec in sorted(each, reverse=True)[:15]:
        print(f"{1e3 * took:8.1f} ms  {took / table:5.1%}  {spec}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 9)
