"""Linear and convolution: every initialisation against its documentation, and against nested loops."""

import functools
import itertools
import math

import numpy as np
import pytest
from mpmath import mp, mpf

from normcal import catalog, engine
from normcal.engine import Effort
from normcal.errors import RequestError, Unsupported
from normcal.law import STANDARD, Normal


def compute(spec, direction="forward", law=STANDARD, name="closed-form"):
    return engine.get(name).estimate(catalog.layer(spec), direction, law, Effort())


def assert_value(value, exact, tight=1e-14):
    assert abs(mpf(value.value) - exact) <= mpf(value.error) <= mpf(tight) * max(abs(exact), 1)


#: init -> variance of a weight from (fan_in, fan_out), as torch.nn.init documents it: a normal law of
#: std gain/sqrt(fan), or a uniform law on (-b, b) with b = gain sqrt(3/fan), whose variance is b^2/3.
DOCUMENTED = {
    "kaiming_normal": lambda i, o: (mp.sqrt(2) / mp.sqrt(i)) ** 2,
    "kaiming_uniform": lambda i, o: (mp.sqrt(2) * mp.sqrt(mpf(3) / i)) ** 2 / 3,
    "kaiming_normal_fan_out": lambda i, o: (mp.sqrt(2) / mp.sqrt(o)) ** 2,
    "kaiming_uniform_fan_out": lambda i, o: (mp.sqrt(2) * mp.sqrt(mpf(3) / o)) ** 2 / 3,
    "xavier_normal": lambda i, o: mp.sqrt(mpf(2) / (i + o)) ** 2,
    "xavier_uniform": lambda i, o: mp.sqrt(mpf(6) / (i + o)) ** 2 / 3,
    # LeCun et al. 1998, equation 16: std 1/sqrt(fan-in)
    "lecun_normal": lambda i, o: mpf(1) / i,
    "lecun_uniform": lambda i, o: mp.sqrt(mpf(3) / i) ** 2 / 3,
    # rows, or columns, of norm 1: the mean square of an entry is 1 over their length
    "unit_fan_in": lambda i, o: mpf(1) / i,
    "weight_norm": lambda i, o: mpf(1) / i,
    "unit_fan_out": lambda i, o: mpf(1) / o,
}
INITS = tuple(DOCUMENTED)
LAWS = [STANDARD, Normal(0.5, 2.0), Normal(-3.0, 0.0), Normal(1e-200, 1e-210), Normal(0.0, 1e200)]


def test_every_initialisation_is_documented_here():
    assert set(DOCUMENTED) == set(INITS)


@pytest.mark.parametrize("law", LAWS, ids=str)
@pytest.mark.parametrize("init", DOCUMENTED)
@pytest.mark.parametrize(("inputs", "outputs"), [(256, 256), (3, 1000), (784, 10), (1, 1)])
def test_a_linear_layer_follows_the_variance_of_its_weights(init, inputs, outputs, law):
    """Var y = fan_in Var w (s^2 + m^2), Var dx = fan_out Var w, the mean 0: He et al. 2015, section 2.2."""
    spec = f"linear(in_features={inputs}, out_features={outputs}, init={init})"
    with mp.workdps(40):
        variance = DOCUMENTED[init](mpf(inputs), mpf(outputs))
        size = mp.sqrt(mpf(law.std) ** 2 + mpf(law.mean) ** 2)
        forward, backward = compute(spec, "forward", law), compute(spec, "backward", law)
        assert forward.mean.value == 0.0 and forward.mean.error == 0.0
        assert abs(mpf(forward.std.value) - mp.sqrt(inputs * variance) * size) <= mpf(forward.std.error)
        assert_value(backward.std, mp.sqrt(outputs * variance))


def test_unit_rows_normalise_forwards_and_unit_columns_backwards_not_both():
    wide = "linear(in_features=256, out_features=1024, init={})"
    rows, columns = wide.format("unit_fan_in"), wide.format("unit_fan_out")
    assert compute(rows).std.value == pytest.approx(1.0, rel=1e-15)
    assert compute(rows, "backward").std.value == pytest.approx(2.0, rel=1e-15)  # sqrt(fan_out/fan_in)
    assert compute(columns).std.value == pytest.approx(0.5, rel=1e-15)
    assert compute(columns, "backward").std.value == pytest.approx(1.0, rel=1e-15)


@pytest.mark.parametrize("init", DOCUMENTED)
def test_a_gain_multiplies_the_weights(init):
    plain, doubled = f"linear(init={init}, gain=1)", f"linear(init={init}, gain=2)"
    for direction in ("forward", "backward"):
        assert compute(doubled, direction).std.value == pytest.approx(
            2.0 * compute(plain, direction).std.value, rel=1e-14
        )


def test_the_default_gain_is_root_two_for_kaiming_only():
    for init in INITS:
        gain = catalog.layer(f"linear(init={init})").values()["gain"]
        assert gain == (math.sqrt(2.0) if "kaiming" in init else 1.0)


CONVOLUTIONS = {
    "3x3": ("kernel_size=3", 9, 1),
    "3x3-stride-2": ("kernel_size=3, stride=2", 9, 4),
    "stride-beyond-the-kernel": ("kernel_size=2, stride=3", 4, 9),
    "1-d": ("kernel_size=5, stride=2, ndim=1", 5, 2),
    "3-d": ("kernel_size=3, stride=2, ndim=3", 27, 8),
    "tuples": ("kernel_size=(3, 5), stride=(1, 2)", 15, 2),
    "pointwise": ("kernel_size=1", 1, 1),
}


@pytest.mark.parametrize("init", DOCUMENTED)
@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_a_convolution_has_the_fans_of_its_window_and_a_fan_out_thinned_by_its_stride(case, init):
    inside, taps, step = CONVOLUTIONS[case]
    spec = f"conv(in_channels=3, out_channels=16, {inside}, init={init})"
    with mp.workdps(40):
        fan_in, fan_out = mpf(3 * taps), mpf(16 * taps)
        variance = DOCUMENTED[init](fan_in, fan_out)
        assert_value(compute(spec).std, mp.sqrt(fan_in * variance))
        assert_value(compute(spec, "backward").std, mp.sqrt(fan_out / step * variance))


def draw_weights(rng, init, rows, outputs, inputs, taps):
    """Weights (rows, out, in, tap) by the documented law, written out afresh."""
    shape, fan_in, fan_out = (rows, outputs, inputs, taps), inputs * taps, outputs * taps
    if init in ("unit_fan_in", "weight_norm", "unit_fan_out"):
        w = rng.standard_normal(shape)
        axes = (1, 3) if init == "unit_fan_out" else (2, 3)
        return w / np.sqrt((w**2).sum(axis=axes, keepdims=True))
    fan = {
        "kaiming": fan_out if init.endswith("fan_out") else fan_in,
        "xavier": (fan_in + fan_out) / 2,
        "lecun": fan_in,
    }
    family = init.partition("_")[0]
    gain = math.sqrt(2.0) if family == "kaiming" else 1.0
    if "uniform" in init:
        bound = gain * math.sqrt(3.0 / fan[family])
        return rng.uniform(-bound, bound, shape)
    return rng.normal(0.0, gain / math.sqrt(fan[family]), shape)


@functools.cache
def nested_loops(init, inputs, outputs, kernel, stride, rows, law, seed):
    """A convolution and its transpose by loops over positions and taps, on a map with a margin."""
    rng = np.random.default_rng(seed)
    sides = [4 * k + 4 * s for k, s in zip(kernel, stride, strict=True)]
    x = law.mean + law.std * rng.standard_normal((rows, inputs, *sides))
    w = draw_weights(rng, init, rows, outputs, inputs, math.prod(kernel))
    dx, outcomes = np.zeros_like(x), []
    ranges = [range(0, side - k + 1, s) for side, k, s in zip(sides, kernel, stride, strict=True)]
    for corner in itertools.product(*ranges):
        dy, y = rng.standard_normal((rows, outputs)), np.zeros((rows, outputs))
        for tap, offset in enumerate(itertools.product(*map(range, kernel))):
            place = (slice(None), slice(None), *(c + o for c, o in zip(corner, offset, strict=True)))
            y += np.einsum("roi,ri->ro", w[..., tap], x[place])
            dx[place] += np.einsum("roi,ro->ri", w[..., tap], dy)
        outcomes.append(y)
    inner = tuple(slice(k + s, k + 2 * s) for k, s in zip(kernel, stride, strict=True))
    return np.stack(outcomes[:2], axis=1).reshape(rows, -1), dx[(slice(None), slice(None), *inner)].reshape(rows, -1)


LOOPS = [
    ("unit_fan_in", 2, 3, (3,), (1,)), ("unit_fan_out", 3, 2, (2,), (3,)), ("weight_norm", 2, 2, (2, 2), (1, 2)),
    ("kaiming_normal", 2, 4, (3,), (2,)), ("kaiming_uniform", 3, 2, (4,), (2,)),
    ("kaiming_normal_fan_out", 2, 3, (3,), (3,)),
    ("kaiming_uniform_fan_out", 4, 2, (2,), (1,)), ("xavier_normal", 5, 2, (1,), (1,)),
    ("xavier_uniform", 2, 5, (3, 1), (2, 1)),
    ("lecun_normal", 3, 3, (2,), (2,)), ("lecun_uniform", 2, 2, (2, 1, 2), (2, 1, 2)),
]  # fmt: skip


@pytest.mark.parametrize("case", LOOPS, ids=lambda case: f"{case[0]}-{'x'.join(map(str, case[3]))}")
@pytest.mark.parametrize("name", ["closed-form", "monte-carlo"])
def test_nested_loops_with_documented_weights_give_the_same_moments(case, name):
    """3,000 independent draws of weights and input, compared at 5 standard errors (two sides: 6e-7)."""
    init, inputs, outputs, kernel, stride = case
    law = Normal(0.4, 1.1)
    y, dx = nested_loops(init, inputs, outputs, kernel, stride, 3000, law, seed=1)
    layer = catalog.layer(f"conv(in_channels={inputs}, out_channels={outputs}, kernel_size={kernel}, stride={stride}, "
                          f"ndim={len(kernel)}, init={init})")  # fmt: skip
    for direction, values in (("forward", y), ("backward", dx)):
        found = engine.get(name).estimate(layer, direction, law, Effort(samples=3000))
        rows = (values**2).mean(axis=1)
        noise = math.hypot(rows.std() / math.sqrt(len(rows)), 2.0 * found.rms.error * found.rms.value)
        assert abs(rows.mean() - found.rms.value**2) <= 5.0 * noise, direction
        means = values.mean(axis=1)
        assert abs(means.mean() - found.mean.value) <= 5.0 * math.hypot(
            means.std() / math.sqrt(len(means)), found.mean.error
        )


@pytest.mark.parametrize("init", ["unit_fan_in", "weight_norm", "unit_fan_out"])
def test_unit_vectors_have_their_norm_exactly(init):
    layer = catalog.layer(f"conv(in_channels=3, out_channels=4, kernel_size=2, init={init}, gain=1.5)")
    w = layer.initialiser.draw(np.random.default_rng(0), 7)
    norms = np.sqrt((w**2).sum(axis=(1, 3) if init == "unit_fan_out" else (2, 3)))
    assert np.allclose(norms, 1.5, rtol=1e-14)


def test_a_mean_away_from_zero_brings_a_note_on_fixed_weights():
    layer = catalog.layer("linear")
    assert layer.notes(STANDARD) == []
    assert "fixed weight row" in layer.notes(Normal(0.5, 1.0))[0]


def test_no_engine_but_formula_and_simulation_serves_and_a_huge_layer_only_the_formula():
    with pytest.raises(Unsupported):
        compute("linear", name="quadrature")
    huge = "linear(in_features=100000, out_features=100000)"
    with pytest.raises(Unsupported, match="numbers"):
        compute(huge, name="monte-carlo")
    assert compute(huge).std.value == pytest.approx(1.0, rel=1e-15)


@pytest.mark.parametrize(
    "spec",
    ["linear(in_features=0)", "linear(out_features=1.5)", "linear(in_features=10000000)", "linear(init=he)",
     "linear(gain=0)", "linear(gain=-1)", "linear(gain=inf)", "linear(features=3)", "conv(kernel_size=0)",
     "conv(stride=(1, 2, 3))", "conv(kernel_size=(3, 3), ndim=1)", "conv(kernel_size=10000000)",
     "conv(in_channels=true)"],
)  # fmt: skip
def test_parameters_that_cannot_be_are_refused(spec):
    with pytest.raises(RequestError):
        catalog.layer(spec)


def test_other_names_of_a_linear_layer():
    assert {catalog.layer(name).name for name in ("dense", "fully_connected", "inner_product")} == {"linear"}


# -- geometry: dilation, groups, transposed ------------------------------------------------------

GEOMETRIES = {
    "plain": {"kernel": 3, "stride": 1, "dilation": 1, "groups": 1},
    "strided": {"kernel": 3, "stride": 2, "dilation": 1, "groups": 1},
    "dilated": {"kernel": 3, "stride": 1, "dilation": 2, "groups": 1},
    "dilated-with-its-stride": {"kernel": 3, "stride": 2, "dilation": 2, "groups": 1},
    "stride-beyond-the-kernel": {"kernel": 2, "stride": 3, "dilation": 1, "groups": 2},
    "grouped": {"kernel": 2, "stride": 1, "dilation": 1, "groups": 2},
    "all-at-once": {"kernel": 4, "stride": 3, "dilation": 2, "groups": 2},
}


def spec_of(name, geometry, more=""):
    return (
        f"{name}(in_channels=4, out_channels=6, kernel_size={geometry['kernel']}, stride={geometry['stride']}, ndim=1, "
        f"dilation={geometry['dilation']}, groups={geometry['groups']}{more})"
    )


def convolved(w, x, geometry, side):
    """A convolution on a long line by loops, and its adjoint by the same loops: y, and dx for dy = ``side``."""
    rows, channels, length = x.shape
    k, s, d, g = (geometry[name] for name in ("kernel", "stride", "dilation", "groups"))
    outputs = w.shape[1]
    count = (length - d * (k - 1) - 1) // s + 1
    y, dx = np.zeros((rows, outputs, count)), np.zeros_like(x)
    for o, p, t in itertools.product(range(outputs), range(count), range(k)):
        group = o // (outputs // g)
        for i in range(channels // g):
            channel = group * (channels // g) + i
            y[:, o, p] += w[:, o, i, t] * x[:, channel, p * s + t * d]
            dx[:, channel, p * s + t * d] += w[:, o, i, t] * side[:, o, p]
    return y, dx


@functools.cache
def on_a_line(name, case, init, rows=3000):
    """Moments of y and dx at interior positions, with weights of a mean: by loops over a line."""
    geometry, rng, law = GEOMETRIES[case], np.random.default_rng(9), Normal(0.5, 1.2)
    length, g = 41, geometry["groups"]
    transposed = name == "conv_transpose"
    out, inside = (4, 6 // g) if transposed else (6, 4 // g)
    shape = (rows, out, inside, geometry["kernel"])
    w = rng.uniform(-0.5, 1.0, shape) if init == "uniform" else rng.standard_normal(shape)
    across = length, (length - geometry["dilation"] * (geometry["kernel"] - 1) - 1) // geometry["stride"] + 1
    low, high = rng.standard_normal((rows, inside * g, across[0])), rng.standard_normal((rows, out, across[1]))
    x, dy = (high, low) if transposed else (low, high)
    x = law.mean + law.std * x
    if transposed:
        (dx, _), (_, y) = convolved(w, dy, geometry, x), convolved(w, dy, geometry, x)
    else:
        y, dx = convolved(w, x, geometry, dy)
    period, edge = geometry["stride"], geometry["dilation"] * (geometry["kernel"] - 1)
    start = -(-edge // period) * period
    whole = slice(start, start + (length - 2 * start) // period * period)
    return law, (y[:, :, whole], dx) if transposed else (y, dx[:, :, whole])


@pytest.mark.parametrize("init", ["normal", "uniform(a=-0.5, b=1)"])
@pytest.mark.parametrize("case", GEOMETRIES)
@pytest.mark.parametrize("name", ["conv", "conv_transpose"])
def test_nested_loops_on_a_long_line_give_the_moments_of_the_formula(name, case, init):
    """Weights with a mean too: where a stride leaves positions unalike, their means spread the variance."""
    law, (y, dx) = on_a_line(name, case, init.partition("(")[0])
    layer = catalog.layer(spec_of(name, GEOMETRIES[case], f", init={init}"))
    forward, backward = (engine.get("closed-form").estimate(layer, d, law, Effort()) for d in ("forward", "backward"))
    for values, found in ((y, forward), (dx, backward)):
        each = values.reshape(len(values), -1)
        means, squares = each.mean(axis=1), (each**2).mean(axis=1)
        assert abs(means.mean() - found.mean.value) <= 5.0 * means.std() / math.sqrt(len(means))
        assert abs(squares.mean() - found.rms.value**2) <= 5.0 * squares.std() / math.sqrt(len(squares))


@pytest.mark.parametrize("case", GEOMETRIES)
def test_the_map_of_a_simulation_sends_back_what_it_sent_forward(case):
    """<dy, W x> = <W' dy, x> for the simulated passes, and a window sees its taps at their distance."""
    layer = catalog.layer(spec_of("conv", GEOMETRIES[case], ", init=normal"))
    rng = np.random.default_rng(0)
    g, taps = GEOMETRIES[case]["groups"], layer.taps
    w = rng.standard_normal((1, 6, 4 // g, taps.taps))
    x, dy = rng.standard_normal((1, g, 4 // g, taps.positions)), rng.standard_normal((1, g, 6 // g, taps.windows))
    assert np.sum(dy * layer._gather(w, x)) == pytest.approx(np.sum(layer._scatter(w, dy) * x), rel=1e-12)
    steps = (taps.index - taps.index[:, :1]) % taps.positions
    assert np.array_equal(steps, np.tile(np.arange(taps.taps) * GEOMETRIES[case]["dilation"], (taps.windows, 1)))


@pytest.mark.parametrize("case", GEOMETRIES)
def test_a_transposed_convolution_swaps_the_directions_of_a_convolution(case):
    """With weights of one law the std of dx of the one is the std of y of the other, and the other way round."""
    there, back = (
        {d: compute(spec_of(name, GEOMETRIES[case], more), d).std.value for d in ("forward", "backward")}
        for name, more in (("conv", ", init=normal"), ("conv_transpose", ", init=normal"))
    )
    g, taps, step = (GEOMETRIES[case][name] for name in ("groups", "kernel", "stride"))
    assert there == pytest.approx({"forward": math.sqrt(4 / g * taps), "backward": math.sqrt(6 / g * taps / step)})
    assert back == pytest.approx({"forward": math.sqrt(4 / g * taps / step), "backward": math.sqrt(6 / g * taps)})


def test_a_depthwise_convolution_is_a_grouped_one():
    one = catalog.layer("depthwise_conv(channels=8, multiplier=2, stride=2, init=torch_default, bias=uniform)")
    same = catalog.layer("conv(in_channels=8, out_channels=16, groups=8, stride=2, init=torch_default, bias=uniform)")
    for direction in ("forward", "backward"):
        assert compute(one.spec, direction).std == compute(same.spec, direction).std
    assert compute("depthwise_conv(kernel_size=3)", "backward").std.value == pytest.approx(1.0, rel=1e-15)


# -- gradients of weights and biases -------------------------------------------------------------


@pytest.mark.parametrize("positions", [1, 49])
def test_the_gradient_of_a_weight_is_the_rms_of_the_input_for_each_position(positions):
    law = Normal(1.5, 2.0)
    found = compute(f"conv(positions={positions}, bias=zeros)", "backward", law).weights
    assert found["weight"].std.value == pytest.approx(2.5 * math.sqrt(positions), rel=1e-15)
    assert found["bias"].std.value == pytest.approx(math.sqrt(positions), rel=1e-15)


def test_the_bias_of_a_transposed_convolution_sums_over_more_positions_than_its_weights():
    found = compute("conv_transpose2d(stride=(2, 3), positions=5, bias=uniform)", "backward").weights
    assert found["bias"].std.value == pytest.approx(math.sqrt(5 * 6), rel=1e-15)
    assert found["weight"].std.value == pytest.approx(math.sqrt(5), rel=1e-15)


@pytest.mark.parametrize("spec", ["linear(in_features=3, out_features=4", "conv(in_channels=2, out_channels=3, ndim=1",
                                  "conv_transpose(in_channels=2, out_channels=3, ndim=1, stride=2"])  # fmt: skip
@pytest.mark.parametrize("init", ["kaiming_normal", "weight_norm(v_norm=0.5), gain=2"])
def test_simulated_gradients_of_weights_agree_with_their_formula(spec, init):
    spec, law = f"{spec}, init={init}, positions=5, bias=uniform)", Normal(0.7, 1.3)
    formula, sample = compute(spec, "backward", law), None
    sample = engine.get("monte-carlo").estimate(catalog.layer(spec), "backward", law, Effort(samples=8000))
    assert set(formula.weights) == set(sample.weights)
    for name, part in formula.weights.items():
        assert abs(part.std.value - sample.weights[name].std.value) <= 5.0 * sample.weights[name].std.error, name


def test_the_gradient_through_a_row_norm_is_that_of_the_difference_quotient():
    """(g/|v|)(dW - w (w.dW)) with w = v/|v|, and w.dW for the gain: Salimans & Kingma 2016, equation 3."""
    rng = np.random.default_rng(2)
    v, dw, gain, step = rng.standard_normal(6), rng.standard_normal(6), 1.7, 1e-6
    loss = lambda v, g: dw @ (g * v / np.sqrt(v @ v))  # noqa: E731
    w, norm = v / np.sqrt(v @ v), np.sqrt(v @ v)
    quotient = [(loss(v + e, gain) - loss(v - e, gain)) / (2 * step) for e in step * np.eye(6)]
    assert np.allclose(gain / norm * (dw - w * (w @ dw)), quotient, atol=1e-8)
    assert (loss(v, gain + step) - loss(v, gain - step)) / (2 * step) == pytest.approx(w @ dw, rel=1e-7)
    layer = f"linear(in_features=6, init=weight_norm(v_norm={float(norm)!r}), gain=1.7)"
    stated = compute(layer, "backward").weights["weight_v"].std.value
    assert stated == pytest.approx(gain / norm * math.sqrt(1 - 1 / 6), rel=1e-14)


def test_a_row_of_one_weight_passes_no_gradient_through_its_norm():
    found = compute("linear(in_features=1, init=weight_norm)", "backward").weights
    assert found["weight_v"].std.value == 0.0 and found["weight_g"].std.value == 1.0


# -- bias, means, DropConnect, embedding ---------------------------------------------------------


def test_the_bias_of_pytorch_adds_a_third_over_the_fan_in():
    """U(-1/sqrt n, 1/sqrt n) has the variance 1/(3n), and so have the weights: Var y = (s^2 + m^2)/3 + 1/(3n)."""
    spec = "linear(in_features=12, init=torch_default, bias={})"
    with mp.workdps(30):
        assert_value(compute(spec.format("uniform"), law=Normal(1.0, 2.0)).std, mp.sqrt(mpf(5) / 3 + mpf(1) / 36))
        assert_value(compute(spec.format("zeros"), law=Normal(1.0, 2.0)).std, mp.sqrt(mpf(5) / 3))


def test_weights_with_a_mean_shift_the_output():
    """n E w m = 10 / 2 * 3; Var y = n (E w^2 s^2 + Var w m^2) = 10 (4/3 + 9/12) with U(0, 1)."""
    found = compute("linear(in_features=10, init=uniform(a=0, b=1))", law=Normal(3.0, 2.0))
    with mp.workdps(30):
        assert_value(found.mean, mpf(15))
        assert_value(found.std, mp.sqrt(10 * (mpf(4) / 3 + mpf(9) / 12)))


@pytest.mark.parametrize(("scaling", "factor"), [("plain", 1.0), ("inverted", 1 / 0.8), ("unit", 0.8**-0.5)])
def test_drop_connect_scales_like_dropout_of_every_weight(scaling, factor):
    spec = f"drop_connect(keep_prob=0.8, scaling={scaling})"
    expected = pytest.approx(factor * math.sqrt(0.8), rel=1e-14)
    assert compute(spec).std.value == compute(spec, "backward").std.value == expected
    assert compute(spec, "backward").weights["weight"].std.value == expected
    assert catalog.layer("drop_connect(drop_prob=0.25)").keep_prob == 0.75


@pytest.mark.parametrize("positions", [1, 3])
def test_drop_connect_agrees_with_loops_over_its_masks(positions):
    rng, law, rows, q = np.random.default_rng(4), Normal(0.5, 1.0), 4000, 0.6
    w = rng.uniform(0.0, 1.0, (rows, 3, 5))
    gradient, y = np.zeros_like(w), None
    for _ in range(positions):
        x, dy = law.mean + law.std * rng.standard_normal((rows, 5)), rng.standard_normal((rows, 3))
        mask = (rng.random(w.shape) < q) / q
        y = np.stack([sum(mask[:, i, j] * w[:, i, j] * x[:, j] for j in range(5)) for i in range(3)], axis=1)
        gradient += mask * dy[:, :, None] * x[:, None, :]
    spec = f"drop_connect(in_features=5, out_features=3, keep_prob={q}, init=uniform, positions={positions})"
    for values, found in ((y, compute(spec, law=law)), (gradient, compute(spec, "backward", law).weights["weight"])):
        squares = (values.reshape(rows, -1) ** 2).mean(axis=1)
        assert abs(squares.mean() - found.rms.value**2) <= 5.0 * squares.std() / math.sqrt(rows)


def test_an_embedding_has_the_moments_of_its_table_and_gradients_of_the_rows_that_tokens_name():
    spec = "embedding(num_embeddings=50, embedding_dim=4, tokens=8, init=normal(mean=0.5, std=2))"
    found = compute(spec, law=Normal(7.0, 3.0))
    assert (found.mean.value, found.std.value) == (0.5, 2.0)
    assert compute(spec, "backward").std.value == pytest.approx(0.4, rel=1e-15)
    sample = engine.get("monte-carlo").estimate(catalog.layer(spec), "backward", STANDARD, Effort(samples=4000))
    assert abs(sample.std.value - 0.4) <= 5.0 * sample.std.error
    assert "a token has no gradient" in catalog.layer(spec).notes(STANDARD)[0]


# -- names and refusals --------------------------------------------------------------------------

NAMES = {
    "Conv1d": "conv", "conv2d": "conv", "Conv3d": "conv", "ConvTranspose2d": "conv_transpose",
    "Conv2DTranspose": "conv_transpose", "DepthwiseConv2D": "depthwise_conv", "Embedding": "embedding",
    "Linear": "linear", "Dense": "linear", "DropConnect": "drop_connect", "deconv": "conv_transpose",
}  # fmt: skip


@pytest.mark.parametrize("given", NAMES)
def test_a_layer_answers_to_the_names_of_the_frameworks(given):
    layer = catalog.layer(given)
    assert layer.name == NAMES[given]
    if given[-1] == "d" and given[-2].isdigit():
        assert layer.ndim == int(given[-2])


REFUSED = {
    "conv(groups=3)": "groups=3 does not divide in_channels=64",
    "conv(out_channels=6, groups=4)": "groups=4 does not divide out_channels=6",
    "conv(padding=-1)": "padding cannot be -1",
    "conv(padding=full)": "padding cannot be 'full'",
    "conv(padding=(1, 1, 1))": "padding has 3 entries for ndim=2",
    "conv(dilation=0)": "dilation cannot be 0",
    "conv(dilation=(1, 2), ndim=1)": "dilation has 2 entries for ndim=1",
    "conv(positions=0)": "positions cannot be 0",
    "conv(bias=yes)": "bias of conv",
    "conv_transpose(output_padding=1)": "output_padding cannot be 1",
    "conv_transpose(padding=same, output_padding=-1)": "output_padding cannot be -1",
    "depthwise_conv(multiplier=0)": "multiplier cannot be 0",
    "drop_connect(keep_prob=0)": "keep_prob cannot be 0",
    "drop_connect(init=weight_norm)": "init cannot be weight_norm",
    "embedding(tokens=0)": "tokens cannot be 0",
}


@pytest.mark.parametrize("spec", REFUSED)
def test_what_does_not_fit_together_is_refused(spec):
    with pytest.raises(RequestError) as refused:
        catalog.layer(spec)
    assert REFUSED[spec] in refused.value.message and refused.value.hint


def test_padding_is_accepted_and_changes_nothing_in_the_interior():
    for padding in ("1", "(1, 2)", "same", "valid"):
        assert compute(f"conv(padding={padding})").std == compute("conv").std
    assert compute("conv_transpose(stride=2, output_padding=1)").std == compute("conv_transpose(stride=2)").std


@pytest.mark.parametrize("spec", ["embedding(num_embeddings=1000000)", "conv(positions=1000000000)"])
def test_a_layer_that_is_too_large_to_draw_is_served_by_its_formula(spec):
    with pytest.raises(Unsupported, match="numbers"):
        compute(spec, "backward", name="monte-carlo")
    assert compute(spec, "backward").std.value > 0.0
