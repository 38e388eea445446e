"""Chains: each layer sees the true law of the one before, forward and backward, and what normal input would give."""

import itertools
import math
import pickle

import numpy as np
import pytest

from normcal import catalog, engine, pipeline, result
from normcal.engine import Effort
from normcal.errors import RequestError, Unsupported
from normcal.law import STANDARD, Normal
from normcal.layer import BACKWARD, DIRECTIONS, FORWARD
from normcal.layers import _chained
from normcal.layers.chains import Chain
from normcal.request import Request

SHIFTED = Normal(0.7, 1.8)
LAWS = {"N(0, 1)": STANDARD, "N(0.7, 1.8²)": SHIFTED}
#: A correct program exceeds this many standard errors once in ten million comparisons.
SIGMAS = 5.4


def estimated(text, direction, name="monte-carlo", law=STANDARD, samples=20_000, **effort):
    return engine.estimate(name, catalog.layer(text), direction, law, Effort(samples=samples, **effort))


# -- what people write ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("relu|tanh", "relu | tanh"),
        ("relu | leaky-relu", "relu | leaky_relu(negative_slope=0.01)"),
        ("relu | max_pool(kernel_size=2)", "relu | max_pool(kernel_size=2, ndim=2)"),
    ],
)
def test_a_chain_is_written_as_it_is_read(text, canonical):
    layer = catalog.layer(text)
    assert (layer.name, layer.spec) == ("chain", canonical)
    assert catalog.layer(canonical) == layer == pickle.loads(pickle.dumps(layer))


def test_a_chain_within_a_chain_is_part_of_it_and_a_chain_of_one_is_that_layer():
    relu, tanh, elu = map(catalog.layer, ("relu", "tanh", "elu"))
    assert Chain.made((Chain.made((relu, tanh), {}), elu), {}).spec == "relu | tanh | elu(alpha=1.0)"
    assert Chain.made((relu,), {}) is relu


def test_a_sweep_within_a_chain_is_a_chain_for_each_value():
    found = [layer.spec for layer in catalog.layers(["elu(alpha=[1, 2]) | leaky_relu(negative_slope=[0.1, 0.2])"])]
    assert len(found) == 4 and found[1] == "elu(alpha=1.0) | leaky_relu(negative_slope=0.2)"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("relu | swiglu", "swiglu has several inputs, value and gate"),
        ("relu | embedding", "embedding takes no input"),
        ("chain", "a chain of 0 layers"),
        ("chain(a=1)", "no parameter a"),
        ('chain("relu")', "no layer by itself"),
        (" | ".join(["relu"] * 33), "a chain of 33 layers"),
        ("relu | nonsense", "Unknown layer 'nonsense'"),
    ],
)
def test_what_makes_no_chain_is_refused_with_the_reason(text, message):
    with pytest.raises(RequestError, match=message.replace("(", r"\(")):
        catalog.layer(text)


@pytest.mark.parametrize(
    ("text", "direction", "reason"),
    [
        ("max_pool(kernel_size=3, stride=2) | softmax(n=8)", FORWARD, "by where they lie"),
        ("conv(in_channels=2, out_channels=2) | max_pool(kernel_size=2, ndim=1)", FORWARD, "by where they lie"),
        ("conv(in_channels=2, out_channels=2) | max_pool(input_size=4)", BACKWARD, "by where they lie"),
        ("linear(in_features=999, out_features=1000) | softmax(n=997)", FORWARD, "more than 1_000_000"),
        ("embedding(num_embeddings=4) | relu", BACKWARD, "does not show every entry"),
    ],
)
def test_what_cannot_be_simulated_rightly_is_refused_with_the_reason(text, direction, reason):
    with pytest.raises(RequestError, match=reason):
        estimated(text, direction, samples=500)


# -- the numbers ---------------------------------------------------------------------------------


def windows(x):
    """Cut rows of maps (rows, 5, 5) into the windows of kernel 3 and stride 2: (rows, 4, 9), and where they lie."""
    index = np.array([[5 * (i + a) + j + b for a in range(3) for b in range(3)] for i in (0, 2) for j in (0, 2)])
    return x.reshape(len(x), 25)[:, index], index


def relu_dropout_max(rng, rows, law):
    x = rng.normal(law.mean, law.std, (rows, 4))
    kept = rng.random((rows, 4)) < 0.9
    h = np.maximum(x, 0.0) * kept / 0.9
    wins = h.argmax(axis=1)[:, None] == np.arange(4)
    return h.max(axis=1), (wins * (x > 0.0) * kept / 0.9 * rng.standard_normal((rows, 1))).ravel()


def relu_overlapping_max(rng, rows, law):
    x = rng.normal(law.mean, law.std, (rows, 5, 5))
    seen, index = windows(np.maximum(x, 0.0))
    best = np.take_along_axis(np.broadcast_to(index, seen.shape), seen.argmax(axis=2)[:, :, None], axis=2)[:, :, 0]
    dx = np.zeros((rows, 25))
    for window in range(4):
        dx[np.arange(rows), best[:, window]] += rng.standard_normal(rows)
    inner = dx.reshape(rows, 5, 5)[:, 1:3, 1:3] * (x > 0.0)[:, 1:3, 1:3]  # one period of the pattern of windows
    return seen.max(axis=2)[:, 0], inner.ravel()


def layer_norm_gelu(rng, rows, law):
    x = rng.normal(law.mean, law.std, (rows, 12))
    centred = x - x.mean(axis=1, keepdims=True)
    s = np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-5)
    u = centred / s
    cdf = 0.5 * (1.0 + np.vectorize(math.erf)(u / math.sqrt(2.0)))
    g = (cdf + u * np.exp(-u * u / 2.0) / math.sqrt(2.0 * math.pi)) * rng.standard_normal(x.shape)
    dx = (g - g.mean(axis=1, keepdims=True) - u * (g * u).mean(axis=1, keepdims=True)) / s
    return (u * cdf)[:, 0], dx[:, 0]


def silu_softmax(rng, rows, law):
    x = rng.normal(law.mean, law.std, (rows, 8))
    gate = 1.0 / (1.0 + np.exp(-x))
    e = np.exp(x * gate)
    y = e / e.sum(axis=1, keepdims=True)
    dy = rng.standard_normal(x.shape)
    dx = y * (dy - (y * dy).sum(axis=1, keepdims=True)) * gate * (1.0 + x * (1.0 - gate))
    return y[:, 0], dx[:, 0]


def linear_relu_linear(rng, rows, law):
    x = rng.normal(law.mean, law.std, (rows, 6))
    first, second = rng.standard_normal((rows, 5, 6)), rng.standard_normal((rows, 3, 5))
    first /= np.linalg.norm(first, axis=2, keepdims=True)
    second /= np.linalg.norm(second, axis=2, keepdims=True)
    a = np.einsum("rij,rj->ri", first, x)
    y = np.einsum("rij,rj->ri", second, np.maximum(a, 0.0))
    dx = np.einsum("rij,rki,ri,rk->rj", first, second, a > 0.0, rng.standard_normal(y.shape))
    return y[:, 0], dx[:, 0]


def swiglu_max(rng, rows, law):
    value, gate = rng.normal(law.mean, law.std, (2, rows, 2))
    sigmoid = 1.0 / (1.0 + np.exp(-gate))
    y = value * gate * sigmoid
    wins = y.argmax(axis=1)[:, None] == np.arange(2)
    dy = wins * rng.standard_normal((rows, 1))
    return y.max(axis=1), np.concatenate([dy * gate * sigmoid, dy * value * sigmoid * (1.0 + gate * (1.0 - sigmoid))])


def conv_relu_max(rng, rows, law):
    """On a line of 11 entries, far from its ends, with windows of 3, and of 2 of these, a step of 1 apart."""
    x = rng.normal(law.mean, law.std, (rows, 2, 11))
    w = rng.standard_normal((rows, 3, 2, 3))
    w /= np.sqrt((w**2).sum(axis=(2, 3), keepdims=True))
    a = np.stack([np.einsum("rick,rck->ri", w, x[:, :, t : t + 3]) for t in range(9)], axis=2)
    h = np.maximum(a, 0.0)
    dh = np.zeros_like(h)
    for t in range(8):
        dy = rng.standard_normal((rows, 3))
        first = h[:, :, t] >= h[:, :, t + 1]
        dh[:, :, t] += dy * first
        dh[:, :, t + 1] += dy * ~first
    da = dh * (a > 0.0)
    dx = sum(np.einsum("rick,ri->rck", w, da[:, :, t])[:, :, 5 - t] for t in (3, 4, 5))
    return np.maximum(h[:, 0, 4], h[:, 0, 5]), dx[:, 0]


BRUTE = {
    "conv(in_channels=2, out_channels=3, ndim=1) | relu | max_pool(kernel_size=2, stride=1, ndim=1)": conv_relu_max,
    "relu | dropout(keep_prob=0.9) | max_pool(kernel_size=2)": relu_dropout_max,
    "relu | max_pool(kernel_size=3, stride=2)": relu_overlapping_max,
    "layer_norm(group_size=12) | gelu": layer_norm_gelu,
    "silu | softmax(n=8)": silu_softmax,
    "linear(in_features=6, out_features=5) | relu | linear(in_features=5, out_features=3)": linear_relu_linear,
    "swiglu | maxout(k=2)": swiglu_max,
}


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
@pytest.mark.parametrize("text", BRUTE)
def test_a_simulation_has_the_moments_of_the_whole_chain_written_out(text, law):
    with np.errstate(all="ignore"):
        forward, backward = BRUTE[text](np.random.default_rng(17), 20_000, law)
    for direction, sample in ((FORWARD, forward), (BACKWARD, backward)):
        found = estimated(text, direction, law=law)
        count = 20_000  # rows are independent; entries of a row may not be
        square = (sample - sample.mean()) ** 2
        errors = sample.std() / math.sqrt(count), square.std() / math.sqrt(count) / (2.0 * sample.std())
        for mine, theirs, error in ((found.mean, sample.mean(), errors[0]), (found.std, sample.std(), errors[1])):
            assert abs(mine.value - theirs) < SIGMAS * math.hypot(mine.error, error)


#: Chains that are functions of one entry, or one of several at random, beside what they must equal.
EXACT = [
    "tanh | elu | sigmoid",
    "dropout(keep_prob=0.7) | relu | dropout",
    "dropout(scaling=unit) | silu",
    "alpha_dropout(keep_prob=0.8) | selu | alpha_dropout",
    "crelu | tanh",
    "gelu | gaussian_dropout",
    "relu | rrelu",
    "max_pool(kernel_size=2) | gelu | dropout",
    "maxout(k=3) | tanh",
    "max_pool(kernel_size=3, stride=2) | softplus",
    'expr("where(x > 0.3, x, a * x)", a=0.1) | abs | expr("x * exp(-x)")',
    "frozen_batch_norm(running_mean=0.2) | relu",
]


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("text", EXACT)
def test_integrals_agree_with_the_simulation(text, direction, law):
    exact, sampled = (estimated(text, direction, name, law) for name in ("quadrature", "monte-carlo"))
    assert exact.std.error < 1e-11 * exact.std.value
    for q in ("mean", "std"):
        mine, theirs = getattr(exact, q), getattr(sampled, q)
        assert abs(mine.value - theirs.value) <= SIGMAS * theirs.error + mine.error


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("relu | relu", "relu"),
        ("identity | tanh", "tanh"),
        ("relu | leaky_relu(negative_slope=0.3)", "relu"),
        ("leaky_relu(negative_slope=0.5) | leaky_relu(negative_slope=0.5)", "leaky_relu(negative_slope=0.25)"),
        ("abs | relu", "abs"),
        ("dropout(keep_prob=0.8) | identity", "dropout(keep_prob=0.8)"),
        ("max_pool(kernel_size=2) | identity", "max_pool(kernel_size=2)"),
        ("identity(input_scale=-1) | max_pool(kernel_size=2) | identity(output_scale=-1)", "min_pool(kernel_size=2)"),
    ],
)
def test_a_chain_that_is_another_layer_has_its_numbers(text, same, direction):
    mine, theirs = (estimated(one, direction, engine.AUTO, SHIFTED) for one in (text, same))
    for q in ("mean", "std", "rms"):
        a, b = getattr(mine, q), getattr(theirs, q)
        room = SIGMAS if mine.error_kind == result.STANDARD_ERROR else 1.0
        assert abs(a.value - b.value) <= room * (a.error + b.error)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_rectifier_may_come_before_or_behind_the_maximum(direction):
    behind = estimated("max_pool(kernel_size=2) | relu", direction, "quadrature")
    before = estimated("relu | max_pool(kernel_size=2)", direction, samples=100_000)
    assert abs(before.std.value - behind.std.value) < SIGMAS * before.std.error


def test_entries_of_one_group_stay_together():
    # eight of eight normalised entries sum to 0; eight of sixteen do not
    whole = estimated("layer_norm(group_size=8, eps=0) | sum_reduction(size=8)", FORWARD, samples=2000)
    half = estimated("layer_norm(group_size=16, eps=0) | sum_reduction(size=8)", FORWARD, samples=20_000)
    assert whole.rms.value < 1e-12
    assert abs(half.std.value - math.sqrt(8 * 8 / 15)) < SIGMAS * half.std.error  # Var of a sum without replacement


# -- simulation ----------------------------------------------------------------------------------


def test_a_draw_takes_as_many_draws_of_each_layer_as_leave_nothing_over():
    layer = catalog.layer("softmax(n=6) | max_pool(kernel_size=2) | softmax(n=3)")
    assert layer._counts == (2, 3, 1)
    assert layer.draws() == sum(n * s.draws() for n, s in zip(layer._counts, layer.stages, strict=True))


CHAINS = ["relu | dropout(keep_prob=0.9) | max_pool(kernel_size=2)", "layer_norm(group_size=6) | silu | softmax(n=4)"]


@pytest.mark.parametrize("sampler", ["antithetic", "sobol"])
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("text", CHAINS)
def test_samplers_agree(text, direction, sampler):
    plain = estimated(text, direction)
    other = estimated(text, direction, samples=16_384, sampler=sampler)
    # the error of a few replicates is itself uncertain
    assert abs(plain.std.value - other.std.value) < 2.0 * SIGMAS * math.hypot(plain.std.error, other.std.error)


def test_a_layer_that_draws_by_rejection_is_left_to_plain_sampling():
    text = "linear(in_features=4, out_features=4, init=trunc_normal(a=50, b=60)) | relu"
    assert estimated(text, FORWARD, samples=2000).status == "ok"
    with pytest.raises((RequestError, Unsupported), match="rejection"):
        estimated(text, FORWARD, samples=500, sampler="sobol")


@pytest.mark.parametrize("text", CHAINS[:1])
def test_the_same_seed_gives_the_same_bits_whoever_draws(text):
    asked = Request(engine="monte-carlo", samples=70_000)
    requests = [asked.updated(options) for options in ({"workers": 1}, {"workers": 2}, {"executor": "processes"})]
    found = [pipeline.run(request, [catalog.layer(text)]).layers[0] for request in requests]
    assert found[0].forward == found[1].forward == found[2].forward
    assert found[0].backward == found[1].backward == found[2].backward


# -- what does not exist -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "direction", "status", "reason"),
    [
        (
            "relu | layer_norm(group_size=4, eps=0)",
            FORWARD,
            "undefined",
            "sees nothing but 0 with positive probability",
        ),
        ("dropout | l2_norm(group_size=3, eps=0)", BACKWARD, "undefined", "sees nothing but 0"),
        ('relu | expr("log(x)")', FORWARD, "infinite", "sees 0 with positive probability"),
        ('relu | expr("sqrt(x)")', BACKWARD, "undefined", "its slope is infinite"),
        ('expr("exp(x)") | expr("exp(x)")', FORWARD, "infinite", "grows faster than the normal density"),
        ('identity | expr("1/x")', FORWARD, "infinite", "its square has no integral"),
        ("multiply(k=9) | relu", FORWARD, "tolerance-missed", "no standard error can be stated: multiply"),
        ("multiply(k=9) | tanh", FORWARD, "ok", ""),
        ("relu | relu", BACKWARD, "ok", ""),
        ("rnn_cell(input_size=2, hidden_size=2) | tanh", BACKWARD, "ok", ""),
        ("softplus | layer_norm(group_size=4, eps=0)", FORWARD, "ok", ""),
    ],
)
def test_a_moment_that_does_not_exist_under_the_true_law_is_no_number(text, direction, status, reason):
    found = estimated(text, direction, engine.AUTO, samples=50_000)
    assert (found.status, reason in found.reason) == (status, True), found.reason
    assert (found.std.value is None) == (status in ("undefined", "infinite"))


def test_values_that_rounding_alone_makes_alike_are_no_atoms():
    saturated = catalog.layer("tanh | identity | dropout(keep_prob=0.5)")
    first, second, third = saturated._atoms(Normal(0.0, 100.0))
    assert first == second == [] and [value for value, _ in third] == [0.0]
    assert [value for value, _ in catalog.layer("relu6 | tanh")._atoms(Normal(0.0, 9.0))[0]] == [0.0, 6.0]


# -- the Gaussian approximation ------------------------------------------------------------------


def approximation(text, direction="both", **options):
    (row,) = pipeline.run(Request(direction=direction, **options), [catalog.layer(text)]).layers
    return row, row.gaussian


def test_the_approximation_feeds_each_layer_the_moments_of_the_one_before():
    row, found = approximation("relu | tanh")
    fed = estimated("relu", FORWARD, engine.AUTO)
    assert [law for _, law in found.laws] == [STANDARD, Normal(fed.mean.value, fed.std.value)]
    alone = [estimated("tanh", way, engine.AUTO, found.laws[1][1]) for way in DIRECTIONS]
    assert found.forward == alone[0]
    relu = estimated("relu", BACKWARD, engine.AUTO)
    assert found.backward.std.value == pytest.approx(relu.std.value * alone[1].std.value, rel=1e-15)
    assert found.off(FORWARD, row.forward).value == found.forward.std.value / row.forward.std.value
    assert found.backward.std.value / row.backward.std.value == pytest.approx(1.1215336709, rel=1e-9)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_the_approximation_is_exact_where_the_input_stays_normal(direction):
    row, found = approximation("identity(input_scale=2, output_shift=-1) | identity(input_shift=0.5) | gelu", direction)
    ratio = found.off(direction, getattr(row, direction))
    assert abs(ratio.value - 1.0) <= ratio.error < 1e-12


def test_an_error_of_a_sampled_layer_is_carried_on():
    _, found = approximation("multiply(k=2) | lse_pool(kernel_size=2) | tanh", samples=2000, engine="monte-carlo")
    _, exact = approximation("lse_pool(kernel_size=2) | tanh", samples=2000, engine="monte-carlo")
    assert exact.forward.error_kind == "bound" and exact.forward.std.error < 1e-12
    assert found.forward.error_kind == "bound"  # every one of these layers has integrals
    cell = "rnn_cell(init=torch_default, input_size=2, hidden_size=2)"
    _, sampled = approximation(f"{cell} | tanh", samples=20_000, engine="monte-carlo")
    assert sampled.forward.error_kind == "standard-error" and 1e-4 < sampled.forward.std.error < 0.1


def test_a_layer_that_is_no_chain_has_no_approximation():
    assert approximation("relu")[1] is None


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_moment_that_a_normal_input_does_not_have_is_left_out(direction):
    row, found = approximation('softplus | expr("1/x")', direction)
    assert getattr(row, direction).status == "infinite" or getattr(row, direction).std.value
    assert found.of(direction) is None and found.data(None, None)[f"{direction}_ratio"] is None


# -- the parts -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ports",
    [[(1, 1), (4, 1)], [(6, 6), (4, 1), (9, 2)], [(5, 7), (7, 5)], [(1, 3), (2, 2), (1, 1), (8, 1)]],
    ids=str,
)
def test_counts_come_out_even_and_as_small_as_they_can_be(ports):
    counts = _chained.copies([_chained.Port(*port) for port in ports])
    for (before, behind), (m, n) in zip(itertools.pairwise(ports), itertools.pairwise(counts), strict=True):
        assert m * before[1] == n * behind[0]
    assert math.gcd(*counts) == 1


# -- other laws of the input and of the gradient -------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"input": "laplace"},
        {"input": "uniform(low=-2, high=3)"},
        {"input": "student_t(df=7)"},
        {"gradient_mean": 0.5},
        {"correlation": 0.4, "mean": 0.3},
        {"gradient_std": 3.0},
    ],
    ids=str,
)
@pytest.mark.parametrize("text", ["relu | tanh", "silu | dropout(keep_prob=0.8)"])
def test_other_laws_reach_the_first_layer_and_the_last_one(text, options):
    exact, sampled = (
        pipeline.run(Request(engine=name, samples=20_000, **options), [catalog.layer(text)]).layers[0]
        for name in ("quadrature", "monte-carlo")
    )
    for direction in DIRECTIONS:
        mine, theirs = getattr(exact, direction), getattr(sampled, direction)
        assert abs(mine.mean.value - theirs.mean.value) <= SIGMAS * theirs.mean.error + mine.mean.error
        assert abs(mine.std.value - theirs.std.value) <= SIGMAS * theirs.std.error + mine.std.error


def test_a_gradient_that_depends_on_the_input_needs_entries_that_belong_together():
    with pytest.raises(RequestError, match="do not correspond"):
        pipeline.run(Request(correlation=0.5), [catalog.layer("tanh | max_pool(kernel_size=2)")])


@pytest.mark.parametrize(("mean", "std"), [(0.7, 0.0), (-1.5, 1e-3), (20.0, 1.0), (0.0, 40.0)])
def test_extreme_inputs_leave_honest_errors(mean, std):
    law = Normal(mean, std)
    for text, direction in itertools.product(["leaky_relu | silu", "dropout | elu"], DIRECTIONS):
        exact, sampled = (estimated(text, direction, name, law) for name in ("quadrature", "monte-carlo"))
        for q in ("mean", "std"):
            mine, theirs = getattr(exact, q), getattr(sampled, q)
            if None not in (mine.error, theirs.error):
                room = SIGMAS * theirs.error + mine.error + 1e-12 * abs(mine.value)
                assert abs(mine.value - theirs.value) <= room
