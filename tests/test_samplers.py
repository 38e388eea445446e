"""Samplers: the same bits whoever draws, errors that cover, and the accuracy for which one picks them."""

import itertools
import math

import numpy as np
import pytest
from scipy.special import ndtri

from normcal import catalog, engine, sampler
from normcal.engine import Effort
from normcal.errors import RequestError, Unsupported
from normcal.law import STANDARD, Normal
from normcal.layer import Layer
from normcal.result import OK, TOLERANCE_MISSED
from normcal.samplers.sobol import Counting
from normcal.sampling import Job

MONTE_CARLO = engine.get("monte-carlo")
OTHERS = [name for name in sampler.names() if name != sampler.PLAIN]
SPECS = ["relu", "gelu", "rrelu", "dropout", "gaussian_dropout", "max_pool(kernel_size=2)", "glu", "softmax(n=5)",
         "layer_norm(group_size=6)", "linear(in_features=3, out_features=2)", "cross_entropy(n=4)"]  # fmt: skip


def sample(spec, direction="forward", law=STANDARD, **effort):
    return MONTE_CARLO.estimate(catalog.layer(spec), direction, law, Effort(**effort))


def exact(spec, direction="forward", law=STANDARD):
    return engine.estimate("auto", catalog.layer(spec), direction, law, Effort())


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("name", OTHERS)
def test_the_figures_agree_with_the_exact_ones(name, spec, direction):
    law = Normal(0.3, 1.2)
    truth, found = exact(spec, direction, law), sample(spec, direction, law, samples=40_000, seed=4, sampler=name)
    assert found.status == OK and found.sampler == name
    for quantity in ("mean", "std", "rms"):
        its, theirs = getattr(found, quantity), getattr(truth, quantity)
        assert abs(its.value - theirs.value) <= 6.0 * its.error + 1e-9 * truth.rms.value, quantity


@pytest.mark.parametrize("name", sampler.names())
@pytest.mark.parametrize("spec", ["gelu", "max_pool(kernel_size=3)", "dropout"])
def test_any_number_of_workers_gives_the_same_bits(name, spec):
    many = 3 * sampler.BLOCK_DRAWS // catalog.layer(spec).draws() + 77
    one, two, five = (sample(spec, samples=many, sampler=name, workers=count) for count in (1, 2, 5))
    assert one == two == five


@pytest.mark.parametrize("asked", [250, 1000, 65_536, 100_000, 1_000_000])
@pytest.mark.parametrize("name", sampler.names())
def test_no_more_is_drawn_than_was_asked_for_and_hardly_less(name, asked):
    found = sample("relu", samples=asked, sampler=name).samples
    assert 0.88 * asked <= found <= asked


@pytest.mark.parametrize("asked", [250, 4096, 99_999, 3_000_000, 40_000_000])
@pytest.mark.parametrize("spec", ["relu", "max_pool(kernel_size=3)"])
def test_the_blocks_of_sobol_cover_every_point_once(spec, asked):
    from normcal.samplers import sobol

    job = Job(catalog.layer(spec), "forward", STANDARD, asked, sampler="sobol")
    parts = [sobol._part(job, number) for number in range(sobol.SAMPLER.count(job))]
    for replicate in range(sobol._replicates(job)):
        its = [(start, stop) for which, start, stop in parts if which == replicate]
        assert its[0][0] == 0 and its[-1][1] == sobol._points(job)
        assert all(before[1] == after[0] for before, after in itertools.pairwise(its))
    assert sobol.SAMPLER.complete(job, len(parts)) and not sobol.SAMPLER.complete(job, len(parts) - 1)


#: (SPEC, quantity, how many times less error than plain sampling at 2^20 points)
GAINS = [("gelu", "rms", 100.0), ("max_pool(kernel_size=3)", "mean", 20.0), ("sigmoid", "std", 100.0)]


@pytest.mark.parametrize(("spec", "quantity", "least"), GAINS, ids=[spec for spec, *_ in GAINS])
def test_sobol_points_are_as_much_better_as_promised(spec, quantity, least):
    truth = getattr(exact(spec), quantity).value
    plain = getattr(sample(spec, samples=2**20), quantity).error
    off = [getattr(sample(spec, samples=2**20, seed=s, sampler="sobol"), quantity).value - truth for s in range(12)]
    assert plain / math.sqrt(np.mean(np.square(off))) >= least


COVERED = [("gelu", "rms"), ("relu", "std"), ("max_pool(kernel_size=3)", "mean"), ("max_pool(kernel_size=3)", "std"),
           ("softmax(n=10)", "std"), ("tanh", "std"), ("silu", "mean")]  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize(("spec", "quantity"), COVERED)
def test_the_stated_error_covers_the_truth_as_often_as_it_says(name, spec, quantity):
    """Of 150 seeded runs 95 % should lie within two errors; fewer than 89 % would be three sigma off."""
    truth = getattr(exact(spec), quantity).value
    found = [getattr(sample(spec, samples=4096, seed=s, sampler=name), quantity) for s in range(150)]
    scores = np.array([abs(one.value - truth) / one.error for one in found])
    assert np.mean(scores < 2.0) >= 0.89
    assert np.mean(scores < 1.0) >= 0.58
    assert np.median(scores) > 0.3  # nor is it far too cautious


@pytest.mark.parametrize("fraction", [0.0, 0.001, 0.02, 0.3, 0.5, 0.97])
def test_replicates_that_count_alike_still_state_an_error(fraction):
    """Of 512 points 100 and a fraction lie right of the jump: most replicates see the same whole number."""
    law = Normal(float(ndtri((100.0 + fraction) / 512.0)), 1.0)
    truth = exact("sign", law=law).mean.value
    found = [sample("sign", law=law, samples=4096, seed=s, sampler="sobol").mean for s in range(60)]
    assert all(one.error > 0.0 for one in found)
    assert np.mean([abs(one.value - truth) <= 2.0 * one.error for one in found]) >= 0.89


@pytest.mark.parametrize("spec", ["tanh", "identity", "softsign"])
def test_mirrored_pairs_know_the_mean_of_an_odd_function(spec):
    found = sample(spec, samples=10_000, sampler="antithetic")
    assert abs(found.mean.value) < 1e-16 and found.mean.error < 1e-16


def test_mirrored_pairs_are_counted_as_the_two_draws_that_they_are():
    found = sample("relu", samples=10_001, sampler="antithetic")
    assert found.samples == 10_000


class Choosy(Layer):
    """Draws again until it likes what it sees."""

    name = "choosy"

    def simulate(self, direction, rng, rows, law):
        found = law.sample(rng, (rows, 1))
        while (found < 0.0).any():
            bad = found < 0.0
            found[bad] = rng.standard_normal(int(bad.sum()))
        return found


@pytest.mark.parametrize("name", OTHERS)
def test_a_layer_that_draws_by_rejection_is_refused_with_the_reason(name):
    with pytest.raises(Unsupported, match=r"choosy (draws by rejection|takes more than 21_201 random numbers)"):
        MONTE_CARLO.estimate(Choosy(), "forward", STANDARD, Effort(samples=1000, sampler=name))


def test_coordinates_are_counted_without_drawing_any():
    source = Counting(catalog.layer("glu"))
    catalog.layer("glu").simulate("backward", source, source.ROWS, STANDARD)
    assert source.columns == 3


@pytest.mark.parametrize("samples", [250, 300, 1000, 5000])
@pytest.mark.parametrize("spec", ["instance_norm", "rnn_cell(input_size=4, hidden_size=5)"])
def test_points_are_drawn_in_powers_of_two_without_a_warning(spec, samples):
    assert sample(spec, samples=samples, sampler="sobol").samples >= 0.88 * samples  # warnings are errors here


@pytest.mark.parametrize("samples", [2, 3])
def test_one_pair_has_a_value_and_no_error(samples):
    found = sample("relu", samples=samples, sampler="antithetic")
    assert found.mean.value is not None and found.mean.error is None and "take more samples" in found.reason


# -- --rtol --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sampler.names())
@pytest.mark.parametrize("rtol", [1e-2, 1e-3])
def test_sampling_stops_when_the_relative_standard_error_is_there(name, rtol):
    found = sample("relu", samples=50_000_000, rtol=rtol, sampler=name, workers=2)
    assert found.status == OK and found.relative_error <= rtol
    assert found.samples < 50_000_000
    assert found == sample("relu", samples=50_000_000, rtol=rtol, sampler=name)


@pytest.mark.parametrize("name", sampler.names())
def test_a_budget_that_is_spent_is_said(name):
    found = sample("relu", samples=20_000, rtol=1e-9, sampler=name)
    assert found.status == TOLERANCE_MISSED
    assert "draws the standard error is" in found.reason and "above 1e-09" in found.reason
    assert found.std.error is not None


def test_quasi_random_points_reach_what_plain_ones_cannot_afford():
    assert sample("gelu", samples=2**20, rtol=1e-5, sampler="sobol").status == OK
    assert sample("gelu", samples=2**20, rtol=1e-5).status == TOLERANCE_MISSED


def test_verify_and_sobol_are_kept_apart():
    from normcal.request import Request
    from normcal.verification import verify

    with pytest.raises(RequestError, match="a few replicates"):
        verify(Request(sampler="sobol"), [catalog.layer("relu")])
