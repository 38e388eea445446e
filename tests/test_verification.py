"""Verification catches a wrong formula, gradient or bound, and lets a correct program pass."""

import math
from statistics import NormalDist

import pytest
from click.testing import CliRunner

from normcal import catalog, verification
from normcal.cli import group
from normcal.layer import Component
from normcal.request import Request
from normcal.value import Value
from normcal.verification import AGREE, DISAGREE, UNDECIDED, Comparison, verify, z_limit

ReLU = catalog.find("relu")


class SlipInTheMean(ReLU):
    """A closed form whose mean is off by 1e-12."""

    def closed_forward(self, law, m):
        mean, std = super().closed_forward(law, m)
        return mean * (1.0 + 1e-12), std


class SlipInTheStd(ReLU):
    """A closed form whose std is off by 1e-12."""

    def closed_forward(self, law, m):
        mean, std = super().closed_forward(law, m)
        return mean, std * (1.0 + 1e-12)


class SlipBackward(ReLU):
    """A closed form whose backward std is off by 1e-12."""

    def closed_backward(self, law, m):
        return super().closed_backward(law, m) * (1.0 - 1e-12)


class WrongGradient(ReLU):
    """A simulation that passes on 95 % of the gradient."""

    def simulate(self, direction, rng, rows, law):
        return super().simulate(direction, rng, rows, law) * (0.95 if direction == "backward" else 1.0)


class NoIncomingGradient(ReLU):
    """A simulation that forgets the incoming gradient and returns the slope."""

    def simulate(self, direction, rng, rows, law):
        y = super().simulate(direction, rng, rows, law)
        return abs(y) if direction == "backward" else y


class WrongOutput(ReLU):
    """A simulation that is shifted by a twentieth of the std."""

    def simulate(self, direction, rng, rows, law):
        return super().simulate(direction, rng, rows, law) + (0.03 if direction == "forward" else 0.0)


class WrongIntegral(ReLU):
    """Integrals of another function than the one simulated and in the formula."""

    def components(self, direction, law):
        return [Component(lambda x, m: m.maximum(x, 1e-3 * x), (0.0,))]


class StandardInputOnly(ReLU):
    """A closed form that holds at zero mean only."""

    def closed_backward(self, law, m):
        return m.sqrt(m.Phi(0.0))


#: layer -> direction, quantity and one of the engines of the disagreement that must be named
WRONG = {
    "mean-off-by-1e-12": (SlipInTheMean, "forward", "mean", "closed-form"),
    "std-off-by-1e-12": (SlipInTheStd, "forward", "std", "closed-form"),
    "backward-off-by-1e-12": (SlipBackward, "backward", "std", "closed-form"),
    "gradient-95-per-cent": (WrongGradient, "backward", "std", "monte-carlo"),
    "gradient-without-dy": (NoIncomingGradient, "backward", "mean", "monte-carlo"),
    "output-shifted": (WrongOutput, "forward", "mean", "monte-carlo"),
    "integral-of-another-function": (WrongIntegral, "forward", "mean", "quadrature"),
}


def wrong_ones(layer, **options):
    request = Request(**({"samples": 100_000, "workers": 1} | options))
    return [c for c in verify(request, [layer]) if c.verdict == DISAGREE]


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_layer_is_caught_and_the_disagreement_names_layer_engines_and_figures(case):
    cls, direction, quantity, name = WRONG[case]
    wrong = wrong_ones(cls())
    assert (direction, quantity) in {(c.direction, c.quantity) for c in wrong}, f"found only {wrong}"
    assert any(name in c.engines for c in wrong)
    for c in wrong:
        assert c.layer == cls().spec
        assert len(c.values) == 2 and None not in (*(v.value for v in c.values), *(v.error for v in c.values))
        assert abs(c.score) > c.limit


def test_a_formula_that_holds_at_one_input_only_is_caught_at_another():
    assert not wrong_ones(StandardInputOnly())
    assert wrong_ones(StandardInputOnly(), mean=0.5)


def test_a_bound_that_is_too_small_is_caught(monkeypatch):
    """The formula of GELU loses digits on the left; without the radii that say so, it contradicts the integral."""
    closed_form = verification.engines.get("closed-form")
    honest = closed_form.estimate

    def boastful(*args):
        found = honest(*args)
        return type(found)(found.engine, *(Value(getattr(found, q).value, 0.0) for q in ("mean", "std", "rms")))

    layer = catalog.layer("gelu")
    assert not wrong_ones(layer, mean=-9.0)
    monkeypatch.setattr(closed_form, "estimate", boastful)
    assert [c for c in wrong_ones(layer, mean=-9.0) if set(c.engines) == {"closed-form", "quadrature"}]


@pytest.mark.parametrize("case", ["std-off-by-1e-12", "gradient-95-per-cent"])
def test_the_command_exits_1_and_says_what_disagrees(case, monkeypatch):
    cls, direction, quantity, name = WRONG[case]
    monkeypatch.setattr(catalog, "layers", lambda texts, code: [cls()])
    done = CliRunner().invoke(group, ["verify", "relu", "--samples", "100000", "--workers", "1"])
    assert done.exit_code == 1
    for word in ("relu", direction, quantity, name):
        assert word in done.stderr
    assert "Traceback" not in done.output


def test_the_command_exits_0_for_a_correct_layer():
    assert CliRunner().invoke(group, ["verify", "relu", "--samples", "2000"]).exit_code == 0


# --- a correct program passes ---

CORRECT = ["relu", "gelu", "max_pool(kernel_size=3, stride=2)", "linear(in_features=4, out_features=6)"]


def test_a_correct_program_passes_over_20_seeds_of_few_samples():
    """One run in 100,000 may fail, so 20 runs of pinned seeds all pass."""
    layers = catalog.layers(CORRECT)
    for seed in range(20):
        found = verify(Request(samples=1000, seed=seed, workers=1, mean=0.2, std=1.3), layers)
        assert not [c for c in found if c.verdict == DISAGREE]
        assert sum(c.verdict == AGREE for c in found) > 20


#: inputs at which squares underflow, samples are blind or have two values only, and heavy tails mislead them
DIFFICULT = [
    ("gelu_tanh", -20.29205238125143, 6.0261790889741106e-05), ("gelu", -29.163668618941678, 0.026707977571064214),
    ("relu", -0.4632702739452892, 0.012438440288553943), ("tanh", -1.6170354040242643, 266699.835037871),
    ("elu(alpha=217.62623612292256)", 39.44587314125552, 3631.134515218776), ("relu", -50.0, 1.0),
    ("sigmoid", 800.0, 1.0),
    ("relu", 0.0, 1e200), ("sigmoid", 1e300, 1e300), ("gelu", 0.0, 1e-200), ("max_pool(kernel_size=2)", 1e250, 1.0),
    ("softplus(beta=1e6)", 1e-6, 1e6), ("dropout(keep_prob=1e-6)", 3.0, 0.0), ("identity", 0.0, 0.0),
    ("relu", 2.0, 0.0),
    ("dropout(keep_prob=0.5)", 3.0, 0.0), ("leaky_relu(negative_slope=1e8)", 20.0, 1.0), ("selu", -40.0, 1e-6),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "mean", "std"), DIFFICULT, ids=lambda v: f"{v:.4g}" if isinstance(v, float) else v)
def test_a_correct_layer_passes_at_a_difficult_input(spec, mean, std):
    for seed in range(3):
        found = verify(Request(mean=mean, std=std, samples=2000, seed=seed, workers=1), [catalog.layer(spec)])
        assert not (wrong := [c for c in found if c.verdict == DISAGREE]), wrong


def test_an_even_split_of_two_values_is_no_disagreement():
    """tanh of a wide input is +1 or -1; of 100 samples exactly half are +1 for one seed in twelve."""
    layer = catalog.layer("tanh")
    for seed in range(40):
        found = verify(Request(std=1e6, samples=100, seed=seed, workers=1, direction="forward"), [layer])
        assert not (wrong := [c for c in found if c.verdict == DISAGREE]), f"seed {seed}: {wrong}"


def test_every_pair_of_engines_and_the_adaptive_witness_are_compared():
    found = verify(Request(samples=2000, workers=1), [catalog.layer("relu")])
    for direction in ("forward", "backward"):
        pairs = {frozenset(c.engines) for c in found if c.direction == direction}
        assert frozenset({"closed-form", "quadrature"}) in pairs
        assert any("monte-carlo" in pair for pair in pairs) and any("scipy.integrate" in pair for pair in pairs)
    assert {c.quantity for c in found if not c.sampled} == {"mean", "std", "rms"}


# --- the limit ---


@pytest.mark.parametrize("n", [1, 2, 37, 200, 5000])
def test_the_limit_keeps_the_level_of_the_whole_family(n):
    alone = 2.0 * NormalDist().cdf(-z_limit(n))
    family = -math.expm1(n * math.log1p(-alone))
    assert 0.9e-5 < family <= 1.001e-5


def test_the_limit_grows_with_the_comparisons_and_takes_none_for_one():
    limits = [z_limit(n) for n in (1, 10, 100, 1000, 10_000)]
    assert limits == sorted(limits) and len(set(limits)) == len(limits)
    assert z_limit(0) == z_limit(1)


def test_the_limit_of_a_run_counts_the_scores_of_all_its_layers():
    one = {c.limit for c in verify(Request(samples=2000, workers=1), [catalog.layer("relu")]) if c.sampled}
    both = {c.limit for c in verify(Request(samples=2000, workers=1), catalog.layers(["relu", "tanh"])) if c.sampled}
    assert one == {z_limit(4)} and both == {z_limit(8)}


@pytest.mark.parametrize(
    ("score", "limit", "verdict"),
    [(0.0, 1.0, AGREE), (1.0, 1.0, AGREE), (-1.0, 1.0, AGREE), (1.0000001, 1.0, DISAGREE), (-6.0, 5.0, DISAGREE),
     (math.inf, 5.0, DISAGREE), (None, 5.0, UNDECIDED)],
)  # fmt: skip
def test_a_verdict_follows_from_score_and_limit(score, limit, verdict):
    c = Comparison("relu", "forward", "mean", ("a", "b"), (Value(1.0, 0.1), Value(1.0, 0.1)), True, score, limit)
    assert c.verdict == verdict == c.data()["verdict"]


def test_what_has_no_error_is_left_undecided_and_not_called_agreement():
    found = verify(Request(mean=-12.0, samples=1000, workers=1), [catalog.layer("relu")])
    sampled = [c for c in found if c.sampled]
    assert sampled and all(c.verdict == UNDECIDED for c in sampled)


def test_progress_is_reported_by_layer_and_direction():
    seen = []
    verify(Request(samples=2000, workers=1), [catalog.layer("relu")], lambda *step: seen.append(step))
    assert {label for label, _, _ in seen} == {"relu forward", "relu backward"}
    assert all(0 < done <= total == 2000 for _, done, total in seen)


@pytest.mark.parametrize("spec", ["relu | tanh", 'expr("x * tanh(softplus(x))")'])
def test_the_witness_sees_what_is_a_millionth_of_the_input_wide(spec):
    request = Request(std=1e6, samples=2000)
    found = verify(request, [catalog.layer(spec)])
    witnessed = [c for c in found if "scipy.integrate" in c.engines]
    assert witnessed and DISAGREE not in {c.verdict for c in found}
