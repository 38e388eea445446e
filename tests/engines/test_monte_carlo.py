"""Monte Carlo: the seed decides every bit, memory stays put, and the standard error covers the truth."""

import math
import subprocess
import sys
import threading

import numpy as np
import pytest

from normcal import catalog, engine
from normcal.engine import Effort
from normcal.engines import monte_carlo
from normcal.engines.monte_carlo import Interrupted
from normcal.errors import RequestError
from normcal.law import STANDARD, Normal
from normcal.result import OK, STANDARD_ERROR, TOLERANCE_MISSED
from normcal.sampler import BLOCK_DRAWS

ENGINE = engine.get("monte-carlo")
SPECS = ["relu", "sigmoid", "max_pool(kernel_size=3)", "avg_pool(kernel_size=3, stride=2)", "dropout", "gelu",
         "linear(in_features=5, out_features=7)", "conv(in_channels=2, out_channels=3, ndim=1)"]  # fmt: skip


def sample(spec, direction="forward", law=STANDARD, **effort):
    return ENGINE.estimate(catalog.layer(spec), direction, law, Effort(**effort))


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("spec", SPECS)
def test_one_and_two_workers_give_the_same_bits(spec, direction):
    rows = max(BLOCK_DRAWS // catalog.layer(spec).draws(), 1)
    few = 3 * rows + rows // 2 + 1  # four blocks, the last one short
    one, two, five = (sample(spec, direction, samples=few, seed=5, workers=w) for w in (1, 2, 5))
    assert one == two == five
    assert one.std.value > 0.0


@pytest.mark.parametrize("spec", SPECS)
def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not(spec):
    first, again, other = (sample(spec, samples=500, seed=s) for s in (11, 11, 12))
    assert first == again
    assert first.mean.value != other.mean.value and first.std.value != other.std.value


def test_directions_of_one_seed_do_not_share_their_draws():
    """Forward of the identity is x, backward dy; were they the same numbers, the two would agree."""
    forward, backward = (sample("identity", d, samples=1000) for d in ("forward", "backward"))
    assert forward.mean.value != backward.mean.value


def test_blocks_do_not_share_their_draws():
    block = BLOCK_DRAWS
    once, twice = (sample("identity", samples=n) for n in (block, 2 * block))
    assert once.mean.value != twice.mean.value
    assert twice.mean.error == pytest.approx(once.mean.error / math.sqrt(2.0), rel=0.05)


def test_the_record_names_samples_seed_and_kind():
    found = sample("relu", samples=777, seed=3)
    assert (found.samples, found.seed, found.error_kind, found.status) == (777, 3, STANDARD_ERROR, OK)


def test_progress_counts_up_to_all_samples():
    seen = []
    sample("relu", samples=200_000, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (200_000, 200_000)
    assert seen == sorted(seen) and len(seen) == math.ceil(200_000 / BLOCK_DRAWS)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_interruption_keeps_the_draws_so_far(workers):
    def stop(done, total):
        if done >= 2 * BLOCK_DRAWS:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted) as stopped:
        sample("relu", samples=10 * BLOCK_DRAWS, workers=workers, progress=stop)
    kept = stopped.value.estimate
    assert kept == sample("relu", samples=2 * BLOCK_DRAWS)
    assert threading.active_count() == 1


def test_an_interruption_before_the_first_block_keeps_nothing(monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(type(catalog.layer("relu")), "simulate", stop, raising=False)
    with pytest.raises(Interrupted) as stopped:
        sample("relu", samples=100)
    assert stopped.value.estimate is None


def test_more_draws_than_can_be_made_are_refused_with_what_can():
    with pytest.raises(RequestError, match="Accepted: --samples"):
        sample("linear(in_features=1000, out_features=1000)", samples=10**9)


def test_wide_layers_get_fewer_samples_by_default_but_never_too_few():
    assert monte_carlo.samples_for(catalog.layer("relu"), None) == monte_carlo.DEFAULT_SAMPLES
    wide = catalog.layer("linear(in_features=1000, out_features=1000)")
    assert 100 < monte_carlo.samples_for(wide, None) < monte_carlo.DEFAULT_SAMPLES


MEMORY = """
from normcal import catalog, engine
from normcal.engine import Effort
from normcal.law import STANDARD
find = engine.get("monte-carlo").estimate
layer = catalog.layer("relu")
peak = lambda: next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) // 1024
find(layer, "forward", STANDARD, Effort(samples=500_000, workers=2))
before = peak()
find(layer, "forward", STANDARD, Effort(samples=20_000_000, workers=2))
print(before, peak())
"""


def test_memory_does_not_grow_with_the_samples():
    """20 million draws are 160 MB of doubles; a run that held them, or a tenth of them, would show."""
    done = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True)
    before, after = map(int, done.stdout.split())
    assert after < before + 16 and after < 200, f"peak {before} MB grew to {after} MB"


# --- coverage ---
#
# Each case runs 200 pinned seeds of a few thousand samples. The stated error covers the truth
# with probability p = 0.6827 (once) and 0.9545 (twice); a correct engine leaves the limits below
# with probability 2.6e-5 (binomial(200, 0.6827) outside 109..163) and 1.6e-5 (binomial(200, 0.9545)
# below 177; above is impossible), so the 24 such checks of this file raise a false alarm for one
# choice of seeds in 2,000. The seeds are pinned, so the outcome is the same every time.
RUNS, LIMITS = 200, {1: (109, 163), 2: (177, 200)}
ROOT_PI = math.sqrt(math.pi)
SIGMOID_BACKWARD = 0.21174569972066580742
#: of the largest of nine standard normal numbers
NINE_MEAN, NINE_STD = 1.4850131622092370063, 0.59779908053130016
COVERED = {
    "relu-forward": ("relu", "forward", 2000, 1.0 / math.sqrt(2.0 * math.pi), math.sqrt(0.5 - 0.5 / math.pi)),
    "sigmoid-backward": ("sigmoid", "backward", 2000, 0.0, SIGMOID_BACKWARD),
    "max-pool-3x3-forward": ("max_pool(kernel_size=3)", "forward", 2000, NINE_MEAN, NINE_STD),
    "max-pool-3x3-backward": ("max_pool(kernel_size=3)", "backward", 2000, 0.0, 1.0 / 3.0),
}


def binomial_tail(n, p, low, high):
    """Probability that a binomial number falls outside low..high."""
    return 1.0 - math.fsum(math.comb(n, k) * p**k * (1.0 - p) ** (n - k) for k in range(low, high + 1))


@pytest.mark.parametrize(("times", "chance"), [(1, 0.6827), (2, 0.9545)])
def test_the_coverage_limits_are_what_the_comment_says(times, chance):
    assert 1e-5 < binomial_tail(RUNS, chance, *LIMITS[times]) < 3e-5


@pytest.mark.parametrize("case", COVERED)
def test_the_standard_error_covers_the_truth_as_often_as_it_should(case):
    spec, direction, samples, mean, std = COVERED[case]
    found = [sample(spec, direction, samples=samples, seed=seed) for seed in range(RUNS)]
    for quantity, truth in (("mean", mean), ("std", std)):
        values = [getattr(e, quantity) for e in found]
        for times, (low, high) in LIMITS.items():
            covered = sum(abs(v.value - truth) <= times * v.error for v in values)
            assert low <= covered <= high, f"{quantity} within {times} standard errors: {covered} of {RUNS}"


OVERLAP = {
    "conv-shared-weights": ("conv(in_channels=2, out_channels=2, kernel_size=2, ndim=1)", "forward", 0.0, 1.0),
    "max-pool-overlap": ("max_pool(kernel_size=3, stride=1, ndim=1)", "backward", 0.0, 1.0),
    "avg-pool-overlap": ("avg_pool(kernel_size=3, stride=1, ndim=1)", "forward", 0.0, 1.0 / math.sqrt(3.0)),
    "linear-shared-input": ("linear(in_features=4, out_features=8)", "forward", 0.0, 1.0),
}


@pytest.mark.parametrize("case", OVERLAP)
def test_the_standard_error_allows_for_entries_that_depend_on_each_other(case):
    spec, direction, mean, std = OVERLAP[case]
    found = [sample(spec, direction, samples=800, seed=seed) for seed in range(RUNS)]
    for quantity, truth in (("mean", mean), ("std", std)):
        values = [getattr(e, quantity) for e in found]
        low, high = LIMITS[1]
        assert low <= sum(abs(v.value - truth) <= v.error for v in values) <= high, quantity


# --- where a standard error means nothing ---


@pytest.mark.parametrize(("spec", "mean"), [("relu", -12.0), ("relu", -4.0), ("softplus(beta=40)", -7.0)])
@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_no_error_is_stated_where_too_few_draws_are_informative(spec, mean, direction):
    found = sample(spec, direction, Normal(mean, 1.0), samples=100_000)
    assert found.status == TOLERANCE_MISSED and found.reason
    assert found.mean.error is None and found.std.error is None and found.gain.error is None


@pytest.mark.parametrize(
    ("spec", "law"),
    [
        ('expr("(1 - cos(x)) / x**2")', Normal(0.0, 1e-8)),
        ('expr("sin(x)**2 + cos(x)**2")', Normal(0.0, 1.0)),
        ('expr("(x + 1)**2 - x**2 - 2 * x")', Normal(0.0, 1.0)),
        ("tanh", Normal(17.0, 1.0)),
    ],
    ids=str,
)
def test_no_error_is_stated_where_it_is_rounding_that_is_sampled(spec, law):
    found = sample(spec, law=law, samples=20_000)
    assert found.status == TOLERANCE_MISSED and "rounding" in found.reason
    assert found.mean.error is None and found.std.error is None


def test_an_input_that_reaches_the_kink_often_enough_has_its_error():
    found = sample("relu", law=Normal(-2.0, 1.0), samples=100_000)
    assert found.status == OK and found.std.error > 0.0


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("spec", ["identity", "sigmoid", "max_pool", "dropout(keep_prob=0.25)", "avg_pool"])
def test_a_constant_input_is_legal(spec, direction):
    found = sample(spec, direction, Normal(0.7, 0.0), samples=2000)
    exact = engine.estimate("auto", catalog.layer(spec), direction, Normal(0.7, 0.0), Effort())
    for quantity in ("mean", "std"):
        a, b = getattr(found, quantity), getattr(exact, quantity)
        assert abs(a.value - b.value) <= 5.0 * a.error + b.error + 1e-12


@pytest.mark.parametrize(
    "law", [Normal(0.0, 1e200), Normal(1e200, 1.0), Normal(1e300, 1e300), Normal(0.0, 1e-200)], ids=str
)
@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("spec", ["relu", "sigmoid", "gelu", "max_pool", "linear(in_features=3, out_features=3)"])
def test_an_extreme_input_is_no_accident_and_gets_no_false_error(spec, direction, law):
    found = sample(spec, direction, law, samples=2000)
    exact = engine.estimate("auto", catalog.layer(spec), direction, law, Effort())
    for quantity in ("mean", "std"):
        a, b = getattr(found, quantity), getattr(exact, quantity)
        if a.error is not None and b.error is not None:
            allowed = 6.0 * a.error + b.error + 1e-14 * (abs(b.value) + abs(exact.rms.value or 0.0))
            assert abs(a.value - b.value) <= allowed, f"{quantity}: {a}, exactly {b.value}"


def test_the_std_of_two_equally_likely_values_is_not_claimed_without_error():
    """tanh of a very wide input is +1 or -1; an even split of the signs must not read as certainty."""
    law = Normal(0.0, 1e6)
    exact = engine.estimate("quadrature", catalog.layer("tanh"), "forward", law, Effort()).std.value
    for seed in range(40):
        found = sample("tanh", law=law, samples=100, seed=seed)
        if found.std.error is not None:
            assert abs(found.std.value - exact) <= 8.0 * found.std.error, f"seed {seed}: {found.std}"


def test_a_tolerance_that_the_samples_do_not_reach_is_said():
    assert sample("relu", samples=1000, tol=1e-3).status == TOLERANCE_MISSED
    assert sample("relu", samples=1000, tol=0.5).status == OK


def test_the_simulation_draws_the_law_it_is_told():
    x = Normal(3.0, 0.5).sample(np.random.default_rng(0), (200_000,))
    assert x.mean() == pytest.approx(3.0, abs=0.006) and x.std() == pytest.approx(0.5, rel=0.01)
