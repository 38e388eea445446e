"""Batch, layer, instance, group, root-mean-square normalisation and their statistics."""

import itertools
import math

import numpy as np
import pytest
from mpmath import mp, mpf

from normcal import catalog, engine
from normcal.engine import Effort
from normcal.errors import RequestError, Unsupported
from normcal.law import STANDARD, Normal
from normcal.layers._chi import _climbed
from normcal.layers._statistics import Statistics, blocks, half, identity, normalise, together
from normcal.numerics.balls import Ball
from normcal.result import INFINITE, OK, TOLERANCE_MISSED, UNDEFINED

FORWARD, BACKWARD = "forward", "backward"


def compute(spec, direction=FORWARD, law=STANDARD, name="auto", samples=None):
    return engine.estimate(name, catalog.layer(spec), direction, law, Effort(samples=samples))


def std(spec, direction=FORWARD, law=STANDARD):
    found = compute(spec, direction, law)
    assert found.status == OK
    return found.std.value


def assert_value(value, exact, tight=1e-13):
    assert abs(mpf(value.value) - mpf(exact)) <= mpf(value.error) <= mpf(tight) * max(abs(mpf(exact)), mpf("1e-300"))


# --- eps = 0: rational numbers ---

CENTRED = ["batch_norm", "layer_norm", "instance_norm", "group_norm"]


@pytest.mark.parametrize("size", [4, 5, 16, 1000, 10**6])
@pytest.mark.parametrize("name", CENTRED)
def test_without_eps_a_group_has_std_one_and_the_gradient_loses_two_directions(name, size):
    spec = f"{name}(group_size={size}, eps=0)"
    forward, backward = compute(spec, law=Normal(3.0, 0.25)), compute(spec, BACKWARD, Normal(3.0, 0.25))
    assert forward.mean.value == 0.0 and forward.mean.error == 0.0
    assert_value(forward.std, 1)
    assert_value(backward.std, 4 * mp.sqrt(mpf(size - 2) / (size - 3)))


@pytest.mark.parametrize("size", [4, 16, 1000])
def test_integrals_give_the_rational_numbers_too(size):
    spec = f"batch_norm(group_size={size}, eps=0)"
    assert_value(compute(spec, name="quadrature").std, 1)
    assert_value(compute(spec, BACKWARD, name="quadrature").std, mp.sqrt(mpf(size - 2) / (size - 3)))


@pytest.mark.parametrize("size", [3, 8, 768])
def test_without_eps_rms_norm_loses_one_direction_and_l2_norm_is_shorter_by_root_m(size):
    for spec, divisor in ((f"rms_norm(group_size={size}, eps=0)", 1), (f"l2_norm(group_size={size})", mp.sqrt(size))):
        assert_value(compute(spec).std, 1 / divisor)
        assert_value(compute(spec, BACKWARD).std, mp.sqrt(mpf(size - 1) / (size - 2)) / divisor)


def test_of_three_entries_the_gradient_is_infinite_and_the_note_says_what_a_real_eps_gives():
    found = compute("batch_norm(group_size=3, eps=0)", BACKWARD)
    assert found.status == INFINITE and found.std.value is None and "diverges" in found.reason
    assert_value(compute("batch_norm(group_size=3, eps=0)").std, 1)
    notes = " ".join(catalog.layer("batch_norm(group_size=3, eps=0)").notes(STANDARD))
    assert f"{std('batch_norm(group_size=3)', BACKWARD):.6g}" in notes and "infinite" in notes


def test_of_two_entries_the_gradient_is_zero_but_not_its_limit():
    found = compute("layer_norm(group_size=2, eps=0)", BACKWARD)
    assert found.status == OK and (found.std.value, found.std.error) == (0.0, 0.0)
    notes = " ".join(catalog.layer("layer_norm(group_size=2, eps=0)").notes(STANDARD))
    assert f"{std('layer_norm(group_size=2)', BACKWARD):.6g}" in notes and "eps^(-1/4)" in notes
    ratio = std("layer_norm(group_size=2, eps=1e-14)", BACKWARD) / std("layer_norm(group_size=2, eps=1e-10)", BACKWARD)
    assert ratio == pytest.approx(10.0, rel=1e-4)


@pytest.mark.parametrize(
    ("spec", "status"), [("rms_norm(group_size=2, eps=0)", INFINITE), ("l2_norm(group_size=2)", INFINITE)]
)
def test_of_two_entries_without_a_mean_removed_the_gradient_is_infinite(spec, status):
    assert compute(spec, BACKWARD).status == status


def test_one_entry_over_its_own_size_is_a_sign():
    assert_value(compute("rms_norm(group_size=1, eps=0)", law=Normal(0.5, 2.0)).mean, mp.erf(mpf("0.25") / mp.sqrt(2)))
    assert compute("rms_norm(group_size=1, eps=0)", BACKWARD).std.value == 0.0


@pytest.mark.parametrize("size", [2, 3, 4, 5])
def test_sampling_states_no_error_where_the_fourth_moment_is_infinite(size):
    layer = catalog.layer(f"batch_norm(group_size={size}, eps=0)")
    assert layer.heavy(BACKWARD, STANDARD) and not layer.heavy(FORWARD, STANDARD)
    if size > 3:
        found = compute(layer.spec, BACKWARD, name="monte-carlo", samples=500)
        assert found.status == TOLERANCE_MISSED and found.std.error is None
    assert not catalog.layer("batch_norm(group_size=6, eps=0)").heavy(BACKWARD, STANDARD)


# --- eps > 0: brute integration of the Jacobian for tiny groups ---


def single_group(x, eps, centred):
    """Return y (size, points) of one group and all entries of dy/dx (size, size, points), by hand."""
    size = len(x)
    m = x.mean(axis=0) if centred else 0.0
    root = np.sqrt(((x - m) ** 2).mean(axis=0) + eps)
    y = (x - m) / root
    direct = np.eye(size)[:, :, None] - (1.0 / size if centred else 0.0)
    return y, (direct - y[:, None] * y[None, :] / size) / root


@pytest.mark.parametrize(("spec", "centred"), [("instance_norm", True), ("rms_norm", False)])
@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize(("mean", "deviation", "eps"), [(0.5, 1.0, 1.0), (-1.0, 0.3, 0.1)])
def test_tiny_groups_agree_with_brute_integration_over_all_entries(spec, centred, size, mean, deviation, eps):
    step = 0.125 if size == 2 else 0.2  # the trapezoidal rule is exponentially accurate on a Gaussian
    z = np.arange(-8.0, 8.0 + step, step)
    grid = np.array(np.meshgrid(*[z] * size)).reshape(size, -1)
    weights = np.exp(-0.5 * (grid**2).sum(axis=0)) * (step / math.sqrt(2.0 * math.pi)) ** size
    y, jacobian = single_group(mean + deviation * grid, eps, centred)
    law, text = Normal(mean, deviation), f"{spec}(group_size={size}, eps={eps})"
    found = compute(text, law=law)
    assert found.mean.value == pytest.approx((y[0] * weights).sum(), rel=1e-11, abs=1e-13)
    assert found.rms.value**2 == pytest.approx((y[0] ** 2 * weights).sum(), rel=1e-11)
    assert compute(text, BACKWARD, law).std.value ** 2 == pytest.approx((jacobian**2 * weights).sum() / size, rel=1e-11)


@pytest.mark.parametrize("eps", [1e-8, 1e-5, 0.1, 10.0])
@pytest.mark.parametrize("size", [2, 3, 7, 64, 5000, 10**7, 10**9])
def test_both_engines_agree_over_sizes_and_eps(size, eps):
    for direction in (FORWARD, BACKWARD):
        found = compute(f"batch_norm(group_size={size}, eps={eps})", direction, Normal(0.0, 0.1), "quadrature")
        assert found.status == OK and found.relative_error < 1e-13
        try:
            other = compute(f"batch_norm(group_size={size}, eps={eps})", direction, Normal(0.0, 0.1), "closed-form")
        except RequestError as refused:
            assert (size > 64 or eps > 1e-5) and "cancels" in str(refused)
            continue
        assert abs(other.std.value - found.std.value) <= other.std.error + found.std.error


@pytest.mark.parametrize("twice", [24, 40, 255, 4095])
@pytest.mark.parametrize("share", [1e-9, 1e-3, 0.05])
def test_inverse_moments_of_a_gamma_variable_come_by_the_recurrence_in_its_order(twice, share):
    k, x = mpf(twice) / 2, share * twice / 2
    found = _climbed(twice, Ball(x), 3)
    assert found or share * twice > 0.02
    for j, one in enumerate(found, start=1):
        centre = -mp.log(k)
        with mp.workdps(30):
            exact = mp.quad(
                lambda s, j=j: mp.exp(j * s - mpf(x) * mp.exp(s) - k * mp.log1p(mp.exp(s))),
                [centre + at for at in (-60, -20, -8, -4, -2, -1, 0, 1, 2, 3, 5, 9, 20)],
            ) / mp.gamma(j)
        assert abs(mpf(one.mid) - exact) <= mpf(one.rad) <= mpf("1e-14") * exact


def test_a_large_group_approaches_the_population():
    population = 1.0 / math.sqrt(0.25 + 1e-3)
    spec = "batch_norm(group_size=10000000, eps=1e-3)"
    assert std(spec, law=Normal(7.0, 0.5)) == pytest.approx(0.5 * population, rel=1e-6)
    assert std(spec, BACKWARD, Normal(7.0, 0.5)) == pytest.approx(population, rel=1e-6)


@pytest.mark.parametrize("spec", ["batch_norm(group_size=8, eps={})", "rms_norm(group_size=8, eps={})"])
def test_scaling_input_and_eps_together_changes_only_the_gradient(spec):
    for direction, factor in ((FORWARD, 1.0), (BACKWARD, 0.125)):
        one = std(spec.format(1e-3), direction, Normal(0.25, 0.5))
        assert std(spec.format(64e-3), direction, Normal(2.0, 4.0)) == pytest.approx(factor * one, rel=1e-14)


@pytest.mark.parametrize("name", [*CENTRED, "weight_standardization"])
def test_the_mean_of_the_input_does_not_matter_where_it_is_removed(name):
    for direction in (FORWARD, BACKWARD):
        assert std(name, direction, Normal(1e6, 0.3)) == std(name, direction, Normal(0.0, 0.3))


# --- inputs with a mean, where it stays ---


@pytest.mark.parametrize("ratio", [1.0, 1e3, 1e9])
def test_far_from_zero_rms_norm_is_linear_across_the_mean(ratio):
    found = compute("rms_norm(group_size=16, eps=0)", law=Normal(ratio, 1.0))
    assert found.status == OK and found.relative_error < 1e-13
    assert found.rms.value == pytest.approx(1.0, rel=1e-14)
    assert found.std.value == pytest.approx(math.sqrt(15.0 / 16.0) / ratio, rel=max(1.0 / ratio**2, 1e-12))


def test_rms_norm_agrees_with_layer_norm_where_mean_removal_costs_one_direction():
    """Zero mean: rms_norm of M entries is layer_norm of M + 1 up to the factors M/(M+1) of the definition."""
    size, eps = 11, 0.3
    rms = std(f"rms_norm(group_size={size}, eps={eps})")
    scaled = eps * size / (size + 1)
    assert rms == pytest.approx(std(f"layer_norm(group_size={size + 1}, eps={scaled!r})"), rel=1e-13)


# --- constant input ---


@pytest.mark.parametrize(
    ("spec", "mean", "forward", "backward"),
    [
        ("batch_norm(group_size=4, eps=0.25)", 3.0, 0.0, math.sqrt(3.0)),
        ("rms_norm(group_size=4, eps=0)", 2.0, 1.0, math.sqrt(3.0 / 4.0) / 2.0),
        ("rms_norm(group_size=4, eps=0.25)", 0.0, 0.0, 2.0),
        ("local_response_norm(size=1, alpha=1, beta=1, k=1)", 1.0, 0.5, 0.0),
        (
            "local_response_norm(size=3, alpha=1, beta=0.5, k=3)",
            1.0,
            0.5,
            math.sqrt(0.25 * (1 - 1 / 3 + (3 / 4) ** 2 / 3)),
        ),
        ("switchable_norm(eps=0.25)", 1.0, 0.0, None),
    ],
)
def test_a_constant_input_has_a_derivable_outcome(spec, mean, forward, backward):
    law = Normal(mean, 0.0)
    found = compute(spec, law=law)
    assert found.std.value == 0.0 and found.std.error == 0.0
    assert found.mean.value == pytest.approx(forward, abs=1e-15)
    if backward is not None:
        assert compute(spec, BACKWARD, law).std.value == pytest.approx(backward, abs=1e-14)


@pytest.mark.parametrize(
    "spec", ["batch_norm(eps=0)", "rms_norm(eps=0)", "l2_norm", "meta_norm(eps=0)", "switchable_norm(eps=0)"]
)
def test_a_constant_input_without_eps_is_undefined(spec):
    for direction in (FORWARD, BACKWARD):
        found = compute(spec, direction, Normal(0.0, 0.0))
        assert found.status == UNDEFINED and "0/0" in found.reason


# --- parameters ---

SHAPES = [
    ("batch_norm(shape=(2, 3, 4, 5))", 40),
    ("batch_norm(shape=(7, 3))", 7),
    ("layer_norm(shape=(2, 3, 4, 5))", 60),
    ("layer_norm(shape=(2, 9))", 9),
    ("instance_norm(shape=(2, 3, 5))", 5),
    ("group_norm(shape=(2, 6, 4, 5), num_groups=3)", 40),
    ("rms_norm(shape=(2, 3, 4))", 12),
]


@pytest.mark.parametrize(("spec", "size"), SHAPES)
def test_a_shape_decides_how_many_entries_share_their_statistics(spec, size):
    layer = catalog.layer(spec)
    assert layer.group_size == size and layer.values()["group_size"] == size
    plain = f"{layer.name}(group_size={size})"
    for direction in (FORWARD, BACKWARD):
        assert compute(spec, direction) == compute(plain, direction)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("batch_norm(group_size=1)", "group_size cannot be 1"),
        ("batch_norm(shape=(1, 8))", "leaves 1 entry a group"),
        ("instance_norm(shape=(4, 8, 1, 1))", "leaves 1 entry a group"),
        ("instance_norm(shape=(4, 8))", "shape cannot be"),
        ("batch_norm(shape=4)", "shape cannot be 4"),
        ("batch_norm(shape=(2, 3, 4, 5), group_size=8)", "not both"),
        ("batch_norm(eps=-1e-5)", "eps cannot be -1e-05"),
        ("group_norm(shape=(2, 6, 4, 4), num_groups=4)", "does not divide the 6 channels"),
        ("layer_norm(shape=(2, 100000, 10001))", "at most"),
        ("batch_norm(mode=inference, running_var=0, eps=0)", "running_var"),
        ("local_response_norm(k=0)", "k cannot be 0"),
        ("weight_standardization(fan_in=1)", "fan_in cannot be 1"),
        ("batch_std(group_size=1)", "group_size cannot be 1"),
    ],
)
def test_what_cannot_be_normalised_is_refused_by_name(spec, says):
    with pytest.raises(RequestError) as refused:
        catalog.layer(spec)
    assert says in str(refused.value) and refused.value.hint


@pytest.mark.parametrize(
    ("name", "layer", "eps"),
    [
        ("BatchNorm2d", "batch_norm", 1e-5),
        ("BatchNormalization", "batch_norm", 1e-3),
        ("LayerNorm", "layer_norm", 1e-5),
        ("LayerNormalization", "layer_norm", 1e-3),
        ("InstanceNorm2d", "instance_norm", 1e-5),
        ("GroupNorm", "group_norm", 1e-5),
        ("RMSNorm", "rms_norm", 2.0**-23),
        ("RMSNormalization", "rms_norm", 1e-6),
        ("SwitchNorm2d", "switchable_norm", 1e-5),
    ],
)
def test_the_names_of_frameworks_are_known_with_their_eps(name, layer, eps):
    found = catalog.layer(name)
    assert (found.name, found.eps) == (layer, eps)


def test_local_response_norm_has_the_defaults_of_pytorch():
    assert catalog.layer("LocalResponseNorm").values() == {"size": 5, "alpha": 1e-4, "beta": 0.75, "k": 1.0}


@pytest.mark.parametrize("spec", ["batch_norm", "rms_norm", "l2_norm", "switchable_norm", "meta_norm"])
def test_weight_scales_both_directions_and_bias_moves_the_mean(spec):
    affine, law = f"{spec}(weight=-2, bias=0.25)", Normal(0.0, 2.0)
    assert std(affine, law=law) == pytest.approx(2.0 * std(spec, law=law), rel=1e-15)
    assert std(affine, BACKWARD, law) == pytest.approx(2.0 * std(spec, BACKWARD, law), rel=1e-15)
    assert compute(affine, law=law).mean.value == 0.25
    found = compute(affine, law=law)
    assert found.rms.value == pytest.approx(math.hypot(0.25, found.std.value), rel=1e-15)


def test_at_inference_batch_norm_is_one_affine_map():
    spec, law = "batch_norm(mode=inference, running_mean=0.5, running_var=4, eps=0, weight=3, bias=1)", Normal(2.5, 0.5)
    for name in ("closed-form", "quadrature"):
        found = compute(spec, law=law, name=name)
        assert (found.mean.value, found.std.value) == pytest.approx((4.0, 0.75), rel=1e-15)
        assert compute(spec, BACKWARD, law, name).std.value == pytest.approx(1.5, rel=1e-15)
    assert compute(spec, BACKWARD, law, "monte-carlo", 20_000).std.value == pytest.approx(1.5, rel=0.05)


# --- the statistics of a batch ---


def test_mean_of_a_batch():
    found = compute("batch_mean(group_size=16)", law=Normal(3.0, 2.0))
    assert (found.mean.value, found.std.value) == (3.0, 0.5)
    assert std("batch_mean(group_size=16)", BACKWARD) == 1.0 / 16.0


@pytest.mark.parametrize(("size", "mean"), [(2, "0.5641895835477563"), (3, "0.7236012545582676")])
def test_std_of_a_small_batch_has_its_textbook_mean(size, mean):
    """1/sqrt(pi) for two numbers, sqrt(pi/6) for three."""
    assert compute(f"batch_std(group_size={size})").mean.value == pytest.approx(float(mean), rel=1e-14)


def test_std_of_a_large_batch_spreads_as_the_root_of_two_m():
    assert std("batch_std(group_size=10000000)", law=Normal(5.0, 3.0)) == pytest.approx(3.0 / math.sqrt(2e7), rel=1e-6)
    assert std("batch_std(group_size=50)", BACKWARD) == pytest.approx(0.02, rel=1e-15)
    assert compute("batch_std", BACKWARD, Normal(1.0, 0.0)).status == UNDEFINED


def test_excess_kurtosis_changes_a_note_and_no_number():
    layer = catalog.layer("batch_std(group_size=100, excess_kurtosis=2)")
    (note,) = layer.notes(STANDARD)
    assert "0.1 " in note and "asymptotic" in note
    assert compute(layer.spec).std == compute("batch_std(group_size=100)").std


def test_training_mode_notes_the_strength_of_its_regularisation():
    (note,) = catalog.layer("batch_norm(group_size=50)").notes(STANDARD)
    assert "1/(2M) = 0.01" in note and "(ρ+2)/(8M) = 0.005" in note


def test_the_noise_of_the_statistics_is_twice_the_strength_of_the_regularisation():
    """Half the relative variance of mean and std: 1/(2M) and, for normal input, 1/(4M)."""
    size = 10**6
    assert std(f"batch_mean(group_size={size})") ** 2 / 2 == pytest.approx(1 / (2 * size), rel=1e-12)
    assert std(f"batch_std(group_size={size})") ** 2 / 2 == pytest.approx(1 / (4 * size), rel=1e-5)


# --- the pass on arrays, against naive loops ---


def naive(x, statistics, eps):
    """Return y by the definition, entry by entry, for means and variances of the same statistics."""
    rows, samples, channels, length = x.shape
    y = np.empty_like(x)
    for r, n, c in itertools.product(range(rows), range(samples), range(channels)):
        mean, variance = 0.0, eps
        for weight, u, v in statistics:
            group = [
                x[r, i, j, p]
                for i in range(samples)
                for j in range(channels)
                for p in range(length)
                if u[n][i] and v[c][j]
            ]
            mean += weight * np.mean(group)
            variance += weight * np.var(group)
        y[r, n, c] = (x[r, n, c] - mean) / math.sqrt(variance)
    return y


PASSES = {
    "batch": [Statistics(1.0, together(3), identity(4))],
    "layer": [Statistics(1.0, identity(3), together(4))],
    "instance": [Statistics(1.0, identity(3), identity(4))],
    "group": [Statistics(1.0, identity(3), blocks(4, 2))],
    "switchable": [
        Statistics(0.5, identity(3), identity(4)),
        Statistics(0.2, identity(3), together(4)),
        Statistics(0.3, together(3), identity(4)),
    ],
    "others": [Statistics(1.0, ((0, 1, 1), (1, 0, 1), (1, 1, 1)), blocks(4, 2))],
}


@pytest.mark.parametrize("statistics", PASSES.values(), ids=PASSES)
def test_the_pass_on_arrays_is_the_definition_and_its_pullback_the_derivative(statistics):
    rng = np.random.default_rng(3)
    x, dy, way = (rng.standard_normal((2, 3, 4, 5)) * 2.0 + 1.0 for _ in range(3))
    y, pullback = normalise(x, statistics, statistics, 0.3)
    assert np.allclose(y, naive(x, statistics, 0.3), rtol=1e-12, atol=1e-13)
    step = 1e-6
    change = (naive(x + step * way, statistics, 0.3) - naive(x - step * way, statistics, 0.3)) / (2 * step)
    assert np.sum(pullback(dy) * way) == pytest.approx(np.sum(dy * change), rel=1e-7)


@pytest.mark.parametrize("name", ["batch", "layer", "instance", "group"])
def test_without_eps_the_gradient_is_a_scaled_projection_off_two_directions(name):
    rng = np.random.default_rng(4)
    statistics = PASSES[name]
    x, dy = rng.standard_normal((1, 3, 4, 5)) * 3.0 - 2.0, rng.standard_normal((1, 3, 4, 5))
    y, pullback = normalise(x, statistics, statistics, 0.0)
    dx = pullback(dy)
    (_, u, v) = statistics[0]
    for n, c in itertools.product(range(3), range(4)):
        group = np.ix_([0], np.flatnonzero(u[n]), np.flatnonzero(v[c]), range(5))
        g, z = dx[group].ravel(), y[group].ravel()
        assert abs(g.sum()) < 1e-13 and abs(g @ z) < 1e-12
        d = dy[group].ravel()
        projected = (d - d.mean() - z * (d @ z) / len(z)) / x[group].std()
        assert np.allclose(g, projected, rtol=1e-11, atol=1e-13)
    assert np.allclose(pullback(np.ones_like(y)), 0.0, atol=1e-13) and np.allclose(pullback(y), 0.0, atol=1e-12)


def test_scaling_the_weights_before_it_changes_nothing_but_their_gradient():
    rng = np.random.default_rng(5)
    u, w, dy = rng.standard_normal((1, 1, 6, 40)), rng.standard_normal((3, 6)), rng.standard_normal((1, 1, 3, 40))
    one = [Statistics(1.0, identity(1), identity(3))]

    def run(a):
        y, pullback = normalise(np.einsum("oc,rnci->rnoi", a * w, u), one, one, 0.0)
        dh = pullback(dy)
        return y, np.einsum("rnoi,rnci->oc", dh, u), np.einsum("oc,rnoi->rnci", a * w, dh)

    (y, dw, du), (y4, dw4, du4) = run(1.0), run(4.0)
    assert np.allclose(y4, y, rtol=1e-12) and np.allclose(du4, du, rtol=1e-10, atol=1e-13)
    assert np.allclose(4.0 * dw4, dw, rtol=1e-10, atol=1e-12)
    assert np.allclose(np.sum(dw * w, axis=1), 0.0, atol=1e-11)  # and no gradient along the weights themselves


@pytest.mark.parametrize("total", [1, 2, 3, 8, 60])
def test_half_of_the_entries_are_drawn_each_as_often_as_any_other(total):
    rows = 6000
    found = half(np.tile(np.arange(total), (rows, 1)), np.random.default_rng(6))
    assert found.shape == (rows, (total + 1) // 2)
    assert all(len(set(row)) == len(row) for row in found[:50].tolist())
    counts = np.bincount(found.ravel(), minlength=total) / found.size
    assert np.allclose(counts, 1.0 / total, atol=6.0 * math.sqrt(1.0 / (total * found.size)) + 1e-12)


def response_by_hand(x, size, alpha, beta, k):
    channels = x.shape[1]
    y = np.empty_like(x)
    for r, c in itertools.product(range(len(x)), range(channels)):
        window = [x[r, (c + i - size // 2) % channels] for i in range(size)]
        y[r, c] = x[r, c] / (k + alpha / size * sum(v * v for v in window)) ** beta
    return y


@pytest.mark.parametrize("size", [1, 2, 5])
def test_local_response_norm_on_arrays_is_the_definition_and_its_derivative(size):
    layer = catalog.layer(f"local_response_norm(size={size}, alpha=0.7, beta=0.6, k=0.5)")
    law = Normal(0.3, 1.5)
    x = law.sample(np.random.default_rng(7), (3, 2 * size))
    y = layer.simulate(FORWARD, np.random.default_rng(7), 3, law)
    assert np.allclose(y, response_by_hand(x, size, 0.7, 0.6, 0.5), rtol=1e-13)
    rng = np.random.default_rng(7)
    x, dy = law.sample(rng, (3, 2 * size)), rng.standard_normal((3, 2 * size))
    dx = layer.simulate(BACKWARD, np.random.default_rng(7), 3, law)
    for j in range(2 * size):
        step = np.zeros_like(x)
        step[:, j] = 1e-6
        change = (
            response_by_hand(x + step, size, 0.7, 0.6, 0.5) - response_by_hand(x - step, size, 0.7, 0.6, 0.5)
        ) / 2e-6
        assert np.allclose(dx[:, j], np.sum(dy * change, axis=1), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("law", [Normal(50.0, 1.0), Normal(1e3, 1e-3)], ids=str)
@pytest.mark.parametrize("spec", ["local_response_norm(alpha=1)", "local_response_norm(alpha=1e-4, size=3, beta=0.5)"])
def test_far_from_zero_local_response_norm_is_linear_around_the_mean(spec, law):
    """The std of one entry tends to that of its differential: the variance must not be a difference of squares."""
    found, layer = compute(spec, law=law), catalog.layer(spec)
    assert found.status == OK and found.relative_error < 1e-13
    divisor = layer.k + layer.alpha * law.mean**2
    answer = 2.0 * layer.beta * layer.alpha * law.mean**2 / (divisor * layer.size)
    slope = math.sqrt((1.0 - answer) ** 2 + (layer.size - 1) * answer**2) / divisor**layer.beta
    assert found.std.value == pytest.approx(law.std * slope, rel=10.0 * (law.std / law.mean) ** 2 + 1e-13)


@pytest.mark.parametrize("alpha", [1e-4, 1.0, 1e6])
@pytest.mark.parametrize("beta", [0.1, 0.5, 1.0, 20.0])
@pytest.mark.parametrize("size", [1, 2, 7])
def test_the_gradient_of_local_response_norm_keeps_its_digits_over_exponents(size, beta, alpha):
    found = compute(f"local_response_norm(size={size}, alpha={alpha}, beta={beta})", BACKWARD, Normal(0.5, 1.0))
    assert found.status == OK and found.relative_error < 1e-12


@pytest.mark.parametrize(
    "law",
    [
        Normal(0.0, 1e-300),
        Normal(0.0, 1e300),
        Normal(1e300, 1.0),
        Normal(-1e-300, 1e-5),
        Normal(1e9, 1e-9),
        Normal(5.0, 1e200),
        Normal(1e-200, 1e-200),
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "name",
    [
        "batch_norm(group_size=2)",
        "batch_norm(group_size=3, eps=0)",
        "rms_norm",
        "l2_norm",
        "rms_norm(group_size=1)",
        "local_response_norm",
        "switchable_norm",
        "batch_std",
    ],
)
def test_inputs_out_of_all_proportion_get_an_answer_or_a_reason(name, law):
    for direction in (FORWARD, BACKWARD):
        found = compute(name, direction, law, samples=20)
        assert found.status == OK or found.reason
        assert all(isinstance(note, str) for note in catalog.layer(name).notes(law))


def test_local_response_norm_without_response_is_a_factor():
    assert std("local_response_norm(alpha=0, beta=0.75, k=2)", law=Normal(3.0, 0.5)) == pytest.approx(
        0.5 * 2**-0.75, rel=1e-12
    )
    assert std("local_response_norm(alpha=0, beta=0.75, k=2)", BACKWARD) == pytest.approx(2**-0.75, rel=1e-14)


@pytest.mark.parametrize("name", ["batch_norm", "l2_norm", "batch_mean", "batch_std"])
def test_groups_too_large_to_sample_say_so(name):
    for spec in (f"{name}(group_size=10000000)", "local_response_norm(size=5000)"):
        with pytest.raises(Unsupported, match="1_000_000"):
            catalog.layer(spec).draws()
