"""Monte Carlo at the generator's speed: against the bare generator and the plain function; and digits kept."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from scipy.special import ndtr

from benchmarks.goal import Goal
from benchmarks.timing import fastest

ORDER = 40
TITLE = "Monte Carlo"
BLOCK = 1 << 14
_THREADS = (1, 2)
_RAW = "relu"


# Each fills ``out`` with f(x), or with f'(x); ``spare`` is room to work in.


def _relu(x, out, spare):
    np.maximum(x, 0.0, out=out)


def _relu_slope(x, out, spare):
    np.greater(x, 0.0, out=out)


def _gelu(x, out, spare):
    ndtr(x, out=out)
    out *= x


def _gelu_slope(x, out, spare):
    ndtr(x, out=out)
    np.multiply(x, x, out=spare)
    spare *= -0.5
    np.exp(spare, out=spare)
    spare *= x
    spare *= 1.0 / math.sqrt(2.0 * math.pi)
    out += spare


def _sigmoid(x, out, spare):
    np.negative(x, out=out)
    np.exp(out, out=out)
    out += 1.0
    np.reciprocal(out, out=out)


def _sigmoid_slope(x, out, spare):
    _sigmoid(x, out, spare)
    np.subtract(1.0, out, out=spare)
    out *= spare


def _tanh(x, out, spare):
    np.tanh(x, out=out)


def _tanh_slope(x, out, spare):
    np.tanh(x, out=out)
    out *= out
    np.subtract(1.0, out, out=out)


def _silu(x, out, spare):
    _sigmoid(x, out, spare)
    out *= x


def _silu_slope(x, out, spare):
    _sigmoid(x, spare, out)
    np.subtract(1.0, spare, out=out)
    out *= x
    out += 1.0
    out *= spare


#: SPEC -> f, f'
_PLAIN = {
    "relu": (_relu, _relu_slope),
    "gelu": (_gelu, _gelu_slope),
    "silu": (_silu, _silu_slope),
    "sigmoid": (_sigmoid, _sigmoid_slope),
    "tanh": (_tanh, _tanh_slope),
}
_DIRECTIONS = ("forward", "backward")


def _yardstick(spec: str, direction: str) -> str:
    normals = "one normal" if direction == "forward" else "two normals"
    return f"generator, {normals}" if spec == _RAW else f"generator, {normals}, and the plain function"


def _goal(spec: str, direction: str, threads: int) -> Goal:
    name = f"`{spec}` {direction}, {threads} thread{'s' * (threads > 1)}"
    return Goal(name, "samples/s", _yardstick(spec, direction), least=0.85 if spec == _RAW else 0.6)


_RATES = {(s, d, t): _goal(s, d, t) for s in _PLAIN for d in _DIRECTIONS for t in _THREADS}
_SCALING = {
    (s, d): Goal(f"`{s}` {d}, two threads over one", "", "the same of its yardstick", least=1.8, absolute=True)
    for s in ("relu", "gelu")
    for d in _DIRECTIONS
}
_DIGITS = Goal(
    "std of 10^11 draws at mean 10^6, relative error", "", "E y² − (E y)² of one block", most=1e-12, absolute=True
)
GOALS = (*_RATES.values(), *_SCALING.values(), _DIGITS)


def measure(budget):
    samples = budget.size(1 << 23, 1 << 15)
    for spec in _PLAIN:
        for direction in _DIRECTIONS:
            works = [work(spec, direction, samples, threads) for threads in _THREADS for work in (_mine, _bare)]
            least = fastest(budget.runs(5), *works)
            times = dict(zip(_THREADS, zip(least[::2], least[1::2], strict=True), strict=True))
            for threads, (mine, bare) in times.items():
                yield _RATES[spec, direction, threads].found(samples / mine, samples / bare)
            if (spec, direction) in _SCALING:
                yield _SCALING[spec, direction].found(*(one / two for one, two in zip(times[1], times[2], strict=True)))
    yield _DIGITS.found(*_digits(budget.size(10**11, 10**8)))


def _mine(spec: str, direction: str, samples: int, threads: int):
    import normcal

    return lambda: normcal.compute(spec, direction=direction, engine="monte-carlo", samples=samples, workers=threads)


def _bare(spec: str, direction: str, samples: int, threads: int):
    """Return the yardstick: each thread with its own generator, on blocks that stay in the cache."""
    f, slope = _PLAIN[spec]
    backward, idle = direction == "backward", spec == _RAW

    def one(seed: int) -> None:
        rng = np.random.Generator(np.random.SFC64(seed))
        x, y, out, spare = (np.empty(BLOCK) for _ in range(4))
        for _ in range(samples // BLOCK // threads):
            rng.standard_normal(out=x)
            if backward:
                rng.standard_normal(out=y)
            if idle:
                continue
            (slope if backward else f)(x, out, spare)
            if backward:
                out *= y

    def work() -> None:
        if threads == 1:
            return one(0)
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(one, range(threads)))

    return work


def _digits(draws: int) -> tuple[float, float]:
    """Merge blocks of draws around 10^6, as many as there are in a long run, and compare with their exact std.

    The run goes over the same sixteen blocks again and again: its exact std is theirs.
    """
    from normcal.numerics.moments import Moments

    rows, count = 1 << 18, 16
    rng = np.random.Generator(np.random.SFC64(0))
    blocks = [1e6 + rng.standard_normal((rows, 1)) for _ in range(count)]
    moments = [Moments.of(block) for block in blocks]
    total = moments[0]
    for number in range(1, draws // rows // count * count):
        total = total.merge(moments[number % count])
    off = np.concatenate(blocks).ravel() - 1e6  # exact, and the sums below are rounded once
    mean = math.fsum(off) / len(off)
    exact = math.sqrt(math.fsum(off * off) / len(off) - mean * mean)
    block = blocks[0].ravel()
    naive = math.sqrt(max(float(np.mean(block * block)) - float(np.mean(block)) ** 2, 0.0))
    return abs(total.std / exact - 1.0), abs(naive / float(np.std(block - 1e6)) - 1.0)
