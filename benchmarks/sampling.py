"""Monte Carlo draws a second against the bare generator, and the memory of a long run."""

import resource
import sys
import time

import numpy as np

from normcal import catalog, engine
from normcal.engine import Effort
from normcal.law import STANDARD
from normcal.layer import DIRECTIONS

SPECS = ("relu", "sigmoid", "gelu", "max_pool(kernel_size=3)")


def generator_rate(draws: int = 1 << 26) -> float:
    """Return normals a second of one thread of SFC64 on cache-sized blocks."""
    rng, block = np.random.Generator(np.random.SFC64(0)), np.empty(1 << 14)
    start = time.perf_counter()
    for _ in range(draws // len(block)):
        rng.standard_normal(out=block)
    return draws / (time.perf_counter() - start)


def rate(spec: str, direction: str, workers: int, samples: int) -> float:
    """Return random numbers a second of a whole run."""
    layer = catalog.layer(spec)
    start = time.perf_counter()
    engine.estimate("monte-carlo", layer, direction, STANDARD, Effort(samples=samples, workers=workers))
    per_sample = layer.draws() + (direction == "backward")
    return samples * per_sample / (time.perf_counter() - start)


def main(samples: int) -> None:
    bare = generator_rate()
    print(f"bare generator, one thread: {bare / 1e6:.0f} million normals a second")
    for spec in SPECS:
        for direction in DIRECTIONS:
            one, two = (rate(spec, direction, workers, samples // catalog.layer(spec).draws()) for workers in (1, 2))
            print(
                f"{spec:26} {direction:9} {one / bare:5.2f} of bare on one thread, two threads {two / one:.2f} of one"
            )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"memory after all of this: {before / 1024:.0f} MB at most")


if __name__ == "__main__":
    main(int(float(sys.argv[1])) if len(sys.argv) > 1 else 20_000_000)
