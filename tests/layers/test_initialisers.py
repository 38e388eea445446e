"""Initialisers: every variance against its paper or framework, truncation to the last digits, honest draws."""

import math

import numpy as np
import pytest
from mpmath import mp, mpf

from normcal import catalog
from normcal.errors import RequestError
from normcal.layers._initialisers import ALIASES, SCHEMES, Shape, bind, init_param
from normcal.layers._truncated import draw, truncated
from normcal.numerics.balls import BALLS
from normcal.spec import parse

INIT = init_param()


def initialiser(text, shape, kind="linear", gain=None):
    value = parse(f"x(init={text})").params["init"]
    return bind("linear", kind, INIT, value, shape, gain)[1]


def cut(a, b):
    """Mean and variance of N(0, 1) between two bounds, by integrals of the density relative to its largest value."""
    a, b = mpf(a), mpf(b)
    if b <= 0:
        mean, variance = cut(-b, -a)
        return -mean, variance
    top = max(a, mpf(0))
    low, high = max(a, mpf(-40)), min(b, top + 40)
    edges = [low + (high - low) * k / 40 for k in range(41)]
    moments = [mp.quad(lambda z, k=k: (z - top) ** k * mp.exp(-(z - top) * (z + top) / 2), edges) for k in range(3)]
    shift = moments[1] / moments[0]
    return top + shift, moments[2] / moments[0] - shift**2


#: what is written -> mean square of a weight (fan_in, fan_out as PyTorch counts them), as the source defines it
SOURCES = {
    "kaiming_normal": lambda i, o: mpf(2) / i,
    "kaiming_uniform(a=0.5)": lambda i, o: 2 / (1 + mpf("0.25")) / i,
    "kaiming_normal(mode=fan_out, a=1)": lambda i, o: mpf(1) / o,
    "kaiming_uniform_fan_out": lambda i, o: mpf(2) / o,
    "xavier_normal(gain=3)": lambda i, o: 9 * mpf(2) / (i + o),
    "xavier_uniform": lambda i, o: mpf(2) / (i + o),
    "lecun_normal": lambda i, o: mpf(1) / i,
    # kaiming_uniform_ with a = sqrt(5): bound sqrt(6 / ((1 + 5) fan_in)) = 1/sqrt(fan_in)
    "torch_default": lambda i, o: mpf(1) / (3 * i),
    "normal(std=0.5)": lambda i, o: mpf("0.25"),
    "normal(mean=0.5, std=2)": lambda i, o: mpf("4.25"),
    "uniform": lambda i, o: mpf(1) / 3,
    "uniform(a=-2, b=1)": lambda i, o: mpf(1),
    "variance_scaling(scale=2, mode=fan_avg, distribution=uniform)": lambda i, o: mpf(4) / (i + o),
    "variance_scaling(distribution=normal)": lambda i, o: mpf(1) / i,
    "variance_scaling(mode=fan_out)": lambda i, o: mpf(1) / o,
    "constant(value=-0.25)": lambda i, o: mpf(1) / 16,
    "fixup(depth=54, branch_layers=3)": lambda i, o: mpf(2) / i * mpf(54) ** (-mpf(2) / 4),
    "fixup(depth=1)": lambda i, o: mpf(2) / i,
    "t_fixup(depth=12)": lambda i, o: mpf(2) / (i + o) * (mpf(0.67) * mpf(12) ** (-mpf(1) / 4)) ** 2,
    "t_fixup(depth=12, part=decoder)": lambda i, o: mpf(2) / (i + o) * (9 * mpf(12)) ** (-mpf(1) / 2),
    "deepnorm(depth=100)": lambda i, o: mpf(2) / (i + o) * (8 * mpf(100)) ** (-mpf(1) / 2),
    "deepnorm(depth=18, part=decoder, other=6)": lambda i, o: mpf(2) / (i + o) * (12 * mpf(18)) ** (-mpf(1) / 2),
    "deepnorm(depth=6, part=encoder, other=18)":
        lambda i, o: mpf(2) / (i + o) * (mpf(0.87) * (mpf(6) ** 4 * 18) ** (-mpf(1) / 16)) ** 2,
    "sparse(sparsity=0.5, std=2)": lambda i, o: 4 * (o - mp.ceil(o / mpf(2))) / o,
    # Haar orthonormal: the squares of the shorter side's unit vectors spread evenly over the longer
    "orthogonal(gain=2)": lambda i, o: mpf(4) / max(i, o),
    "unit_fan_in": lambda i, o: mpf(1) / i,
    "unit_fan_out": lambda i, o: mpf(1) / o,
    "weight_norm(v_norm=3)": lambda i, o: mpf(1) / i,
    "dirac": lambda i, o: min(i, o) / (mpf(i) * o),
}  # fmt: skip


def test_every_initialiser_is_in_the_table_of_sources():
    named = {text.partition("(")[0] for text in SOURCES} | {"trunc_normal"}
    assert named == set(SCHEMES) - {"kaiming_uniform", "kaiming_normal_fan_out", "lecun_uniform"} | {"kaiming_uniform"}


@pytest.mark.parametrize("sizes", [(256, 256), (784, 10), (7, 1000), (1, 1)], ids=str)
@pytest.mark.parametrize("text", SOURCES)
def test_the_mean_square_of_a_weight_is_that_of_its_source(text, sizes):
    fan_in, fan_out = sizes
    mean, variance = initialiser(text, Shape(fan_out, fan_in)).entry(BALLS)
    square = mean.square() + variance
    with mp.workdps(40):
        error = abs(mpf(float(square.mid)) - SOURCES[text](fan_in, fan_out))
        # JAX's 17 digits for the std of the cut law are off by 1e-17, which is theirs
        slack = mpf("2e-16") if "variance_scaling(mode" in text else mpf("1e-38")
        assert error <= float(square.rad) + slack and error <= mpf("1e-13") * SOURCES[text](fan_in, fan_out)


@pytest.mark.parametrize("text", [*SOURCES, "trunc_normal(std=0.5, a=-1, b=3)", "trunc_normal(a=6, b=8)"])
@pytest.mark.parametrize("shape", [Shape(6, 4), Shape(4, 9)], ids=str)
def test_weights_that_are_drawn_have_the_moments_that_are_stated(text, shape):
    one = initialiser(text, shape)
    weights = one.draw(np.random.default_rng(5), 4000)
    assert weights.shape == (4000, shape.first, shape.second, 1)
    mean, variance = one.entry(BALLS)
    rows = weights.reshape(4000, -1)
    for values, wanted in ((rows, mean), (rows**2, mean.square() + variance)):
        each = values.mean(axis=1)
        assert abs(each.mean() - float(wanted.mid)) <= 5.0 * each.std() / math.sqrt(4000) + 1e-12


BOUNDS = [
    (-2.0, 2.0), (-1e-3, 1e-3), (-2.0, 3.0), (-1e-3, 2e-3), (1.0, 2.0), (3.0, 3.001), (5.0, 1000.0), (30.0, 30.001),
    (-1.0, 1e6), (0.0, 1e-6), (-4.0, -1.0), (0.5, 0.5000001), (-8.0, 1e-5), (1e-9, 3.0),
]  # fmt: skip


@pytest.mark.parametrize(("a", "b"), BOUNDS)
def test_a_truncated_normal_keeps_its_digits_in_narrow_and_far_intervals(a, b):
    mean, variance = truncated(a, b)
    with mp.workdps(50):
        exact_mean, exact_variance = cut(a, b)
        tiny = mpf("1e-40")
        assert abs(mpf(float(mean.mid)) - exact_mean) <= float(mean.rad) + tiny
        assert abs(mpf(float(variance.mid)) - exact_variance) <= float(variance.rad) + tiny
        assert abs(mpf(float(variance.mid)) - exact_variance) <= mpf("1e-13") * exact_variance
        assert float(variance.rad) <= 1e-12 * float(variance.mid)


@pytest.mark.parametrize(("a", "b"), BOUNDS)
def test_draws_of_a_truncated_normal_stay_within_its_bounds_and_have_its_moments(a, b):
    values = draw(np.random.default_rng(1), (20_000,), a, b)
    mean, variance = (float(ball.mid) for ball in truncated(a, b))
    assert a <= values.min() and values.max() <= b
    assert abs(values.mean() - mean) <= 5.0 * math.sqrt(variance / len(values))
    spread = (values - mean) ** 2
    assert abs(spread.mean() - variance) <= 5.0 * spread.std() / math.sqrt(len(values))


def test_the_std_of_a_normal_cut_at_two_is_the_constant_of_the_frameworks():
    assert math.sqrt(float(truncated(-2.0, 2.0)[1].mid)) == pytest.approx(0.87962566103423978, rel=1e-15)


@pytest.mark.parametrize("shape", [Shape(3, 8), Shape(8, 3), Shape(5, 5), Shape(4, 2, 3)], ids=str)
def test_orthogonal_weights_have_orthonormal_rows_or_columns_whichever_are_fewer(shape):
    w = initialiser("orthogonal(gain=2)", shape).draw(np.random.default_rng(0), 3).reshape(3, shape.first, -1) / 2.0
    gram = w @ w.transpose(0, 2, 1) if shape.first <= shape.own else w.transpose(0, 2, 1) @ w
    assert np.allclose(gram, np.eye(gram.shape[1]), atol=1e-14)


def test_sparse_sets_as_many_entries_of_each_column_to_0_as_pytorch_does():
    w = initialiser("sparse(sparsity=0.3, std=1)", Shape(7, 5)).draw(np.random.default_rng(0), 20)
    assert np.all(np.sum(w == 0.0, axis=1) == math.ceil(0.3 * 7))


def test_dirac_passes_each_channel_on_within_its_group():
    w = initialiser("dirac", Shape(6, 2, 3, groups=3), "conv").draw(np.random.default_rng(0), 1)[0]
    assert np.array_equal(w[:, :, 1], np.tile(np.eye(2), (3, 1))) and w.sum() == 6.0


@pytest.mark.parametrize(
    ("shape", "rows"), [(Shape(6, 2, 3, groups=2), False), (Shape(6, 2, 3, groups=2, transposed=True), True)], ids=str
)
def test_unit_rows_and_columns_stay_within_their_group(shape, rows):
    for name in ("unit_fan_in", "unit_fan_out"):
        w = initialiser(name, shape, "conv").draw(np.random.default_rng(0), 2) ** 2
        across = (name == "unit_fan_in") == rows
        norms = w.reshape(2, 2, 3, 2, 3).sum(axis=(2, 4)) if across else w.sum(axis=(2, 3))
        assert np.allclose(norms, 1.0, rtol=1e-14)


@pytest.mark.parametrize("alias", ALIASES)
def test_another_name_of_an_initialiser_is_written_by_its_own(alias):
    kind = "linear"
    assert catalog.layer(f"{kind}(init={alias})").init == ALIASES[alias]
    assert catalog.layer(f"{kind}(init={alias.upper()})").spec == catalog.layer(f"{kind}(init={ALIASES[alias]})").spec


@pytest.mark.parametrize("text", [*SOURCES, "trunc_normal(std=0.02, a=-2, b=2)", "kaiming_normal(a=0.2)"])
def test_a_spec_with_an_initialiser_reads_back(text):
    layer = catalog.layer(f"linear(in_features=4, init={text})")
    again = catalog.layer(layer.spec)
    assert again.spec == layer.spec and again.values() == layer.values()


BAD = [
    ("init=kaiming_norma", "kaiming_norma", "Did you mean 'kaiming_normal'"),
    ("init=3", "init cannot be 3", "trunc_normal"),
    ("init=(1, 2)", "init cannot be", "trunc_normal"),
    ("init=normal(0.02)", "takes parameters by name", "normal(mean=0.0, std=1.0)"),
    ("init=normal(sd=0.02)", "parameter of init=normal", "std"),
    ("init=normal(std=-1)", "init=normal: std cannot be -1", "(0, ∞)"),
    ("init=normal(std=0)", "std cannot be 0", "(0, ∞)"),
    ("init=lecun_normal(std=1)", "parameter of init=lecun_normal", "takes no parameters"),
    ("init=trunc_normal(a=2, b=-2)", "a=2.0 is not below b=-2.0", "a < b"),
    ("init=trunc_normal(a=1e7)", "a cannot be", "number"),
    ("init=uniform(a=1)", "a=1.0 is not below b=1.0", "a < b"),
    ("init=sparse(sparsity=1.5)", "sparsity cannot be 1.5", "[0, 1]"),
    ("init=orthogonal(gain=2), gain=2", "gain is given twice", "once"),
    ("init=fixup(branch_layers=1)", "branch_layers cannot be 1", "whole number"),
    ("init=deepnorm(other=3)", "second stack", "part=encoder"),
    ("init=variance_scaling(mode=fan_on)", "fan_on", "fan_in"),
    ("init=kaiming_normal(mode=fan_avg)", "fan_avg", "fan_in"),
]


@pytest.mark.parametrize(("inside", "message", "hint"), BAD, ids=[inside for inside, _, _ in BAD])
def test_a_wrong_initialiser_is_refused_with_what_would_do(inside, message, hint):
    with pytest.raises(RequestError) as refused:
        catalog.layer(f"linear({inside})")
    assert message in refused.value.message and hint in refused.value.hint


@pytest.mark.parametrize("spec", ["conv(init=sparse)", "conv_transpose(init=dirac)", "drop_connect(init=dirac)"])
def test_an_initialiser_for_other_layers_is_refused(spec):
    with pytest.raises(RequestError, match="init cannot be"):
        catalog.layer(spec)


def test_a_sweep_within_an_initialiser_makes_a_layer_for_each_value():
    assert len(catalog.layers(["linear(init=[normal(std=[0.1, 0.2]), orthogonal])"])) == 3
