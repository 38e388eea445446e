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
INITS = catalog.find("linear").params[2].domain
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
    w = layer._draw_weights(np.random.default_rng(0), 7)
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
     "conv(stride=(1, 2, 3))", "conv(kernel_size=(3, 3), ndim=1)", "conv(kernel_size=100000)",
     "conv(in_channels=true)"],
)  # fmt: skip
def test_parameters_that_cannot_be_are_refused(spec):
    with pytest.raises(RequestError):
        catalog.layer(spec)


def test_other_names_of_a_linear_layer():
    assert {catalog.layer(name).name for name in ("dense", "fully_connected", "inner_product")} == {"linear"}
