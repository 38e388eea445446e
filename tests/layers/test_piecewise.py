"""Piecewise linear layers: the shared formula against exact integrals, however narrow, wide or far the pieces lie."""

import random

import pytest
from mpmath import mp, mpf

from normcal import catalog, engine
from normcal.engine import Effort
from normcal.errors import RequestError, Unsupported
from normcal.law import STANDARD, Normal
from normcal.result import OK

DIGITS = 420  # z reaches 25, where the tail is 1e-138, squared and divided by as much again


def compute(spec, direction, law=STANDARD, name="closed-form"):
    return engine.get(name).estimate(catalog.layer(spec), direction, law, Effort())


def h(x):
    return mpf(float(x))


#: layer -> (kinks, [(slope, constant) of each piece])
def pieces(name, a, b):
    return {
        "relu6": ([0, 6], [(0, 0), (1, 0), (0, 6)]),
        "clipped_relu": ([0, b], [(0, 0), (1, 0), (0, b)]),
        "hardtanh": ([a, b], [(0, a), (1, 0), (0, b)]),
        "hardsigmoid": ([-3, 3], [(0, 0), (mpf(1) / 6, mpf(1) / 2), (0, 1)]),
        "sparse_sigmoid": ([-1, 1], [(0, 0), (mpf(1) / 2, mpf(1) / 2), (0, 1)]),
        "abs": ([0], [(-1, 0), (1, 0)]),
        "threshold": ([b], [(0, a), (1, 0)]),
        "hardshrink": ([-b, b], [(1, 0), (0, 0), (1, 0)]),
        "softshrink": ([-b, b], [(1, b), (0, 0), (1, -b)]),
        "sign": ([0], [(0, -1), (0, 1)]),
        "heaviside": ([0], [(0, 0), (0, 1)]),
    }[name]


SPECS = {
    "relu6": "relu6", "clipped_relu": "clipped_relu(max_value={b})", "hardtanh": "hardtanh(min_val={a}, max_val={b})",
    "hardsigmoid": "hardsigmoid", "sparse_sigmoid": "sparse_sigmoid", "abs": "abs",
    "threshold": "threshold(threshold={b}, value={a})", "hardshrink": "hardshrink(lambd={b})",
    "softshrink": "softshrink(lambd={b})", "sign": "sign", "heaviside": "heaviside",
}  # fmt: skip


def exact(name, law, a, b):
    """Mean, std and rms slope by the moments of a normal variable over each piece."""
    with mp.workdps(DIGITS):
        mean, std = h(law.mean), h(law.std)
        kinks, lines = pieces(name, h(a), h(b))
        ends = [-mp.inf, *((k - mean) / std for k in kinks), mp.inf]
        cdf = [mp.erfc(-z / mp.sqrt(2)) / 2 for z in ends]
        pdf = [mp.npdf(z) if mp.isfinite(z) else mpf(0) for z in ends]
        zpdf = [z * p if p else mpf(0) for z, p in zip(ends, pdf, strict=True)]
        first = second = slopes = mpf(0)
        for k, (s, c) in enumerate(lines):
            p, e1 = cdf[k + 1] - cdf[k], pdf[k] - pdf[k + 1]
            e2 = p + zpdf[k] - zpdf[k + 1]
            u, v = s * mean + c, s * std
            first += u * p + v * e1
            second += u * u * p + 2 * u * v * e1 + v * v * e2
            slopes += s * s * p
        return first, mp.sqrt(max(second - first**2, 0)), mp.sqrt(slopes)


def hostile(name):
    rng = random.Random(name)
    for _ in range(25):
        std = 10.0 ** rng.uniform(-7.0, 7.0)
        b = 10.0 ** rng.uniform(-3.0, 3.0)
        a = -(10.0 ** rng.uniform(-3.0, 3.0))
        centre = rng.choice([0.0, a, b, 6.0, -3.0, 0.5 * b])
        yield Normal(centre + rng.uniform(-1.0, 1.0) * rng.choice([0.0, 1e-6, 1.0, 8.0, 20.0]) * std, std), a, b


@pytest.mark.parametrize("name", SPECS)
def test_the_formula_is_within_its_bound_and_tight_at_hostile_inputs(name):
    for law, a, b in hostile(name):
        spec = SPECS[name].format(a=a, b=b)
        mean, std, slope = exact(name, law, a, b)
        forward = compute(spec, "forward", law)
        found = [(forward.mean, mean, max(abs(mean), std)), (forward.std, std, std)]
        if name != "heaviside":
            found.append((compute(spec, "backward", law).std, slope, slope))
        for value, true, size in found:
            assert abs(mpf(value.value) - true) <= mpf(value.error) + mpf("1e-150"), f"{spec} at {law}"
            assert mpf(value.error) <= mpf("4e-12") * size + mpf("1e-150"), f"{spec} at {law}"


@pytest.mark.parametrize("name", [n for n in SPECS if n != "heaviside"])
def test_the_formula_agrees_with_the_integral(name):
    for law in (STANDARD, Normal(0.5, 2.0), Normal(-1.0, 0.3), Normal(0.0, 1e3)):
        spec = SPECS[name].format(a=-0.7, b=1.3)
        for direction in ("forward", "backward"):
            a, b = compute(spec, direction, law), compute(spec, direction, law, "quadrature")
            for quantity in ("mean", "std"):
                x, y = getattr(a, quantity), getattr(b, quantity)
                assert abs(x.value - y.value) <= x.error + y.error, f"{spec} {direction} {quantity} at {law}"


def test_a_sign_is_a_fair_coin_at_zero_mean_and_has_no_gradient():
    forward = compute("sign", "forward")
    assert forward.mean.value == 0.0 and forward.std.value == pytest.approx(1.0, rel=1e-15)
    assert compute("sign", "backward").std.value == 0.0


def test_a_clip_wider_than_the_law_is_the_identity_and_a_narrow_one_a_step():
    wide = compute("clip(min_val=-50, max_val=50)", "forward")
    assert (wide.mean.value, wide.std.value, wide.status) == (0.0, pytest.approx(1.0, rel=1e-15), OK)
    step = compute("clip(min_val=-1, max_val=1)", "forward", Normal(0.0, 1e200))
    assert step.std.value == pytest.approx(1.0, rel=1e-14) and step.status == OK


@pytest.mark.parametrize("spec", ["sign", "threshold", "hardshrink"])
def test_a_layer_that_jumps_says_what_the_backward_figure_leaves_out(spec):
    (note,) = catalog.layer(spec).notes(STANDARD)
    assert note.startswith(f"{spec}: the output jumps at x = ") and "delta" in note


def test_a_note_gives_the_jump_where_the_scaled_and_shifted_input_has_it():
    (note,) = catalog.layer("threshold(threshold=1, input_scale=2, input_shift=0.5)").notes(STANDARD)
    assert "x = 0.25;" in note


def test_layers_that_do_not_jump_have_no_note():
    for spec in ("relu6", "softshrink", "hardshrink(lambd=0)", "threshold(threshold=2, value=2)"):
        assert catalog.layer(spec).notes(STANDARD) == []


def test_a_constant_input_is_left_to_the_integral():
    with pytest.raises(Unsupported, match="std"):
        compute("relu6", "forward", Normal(1.0, 0.0))


@pytest.mark.parametrize("spec", ["hardtanh(min_val=1, max_val=1)", "clip(min_val=2, max_val=1)"])
def test_a_clip_without_room_is_refused(spec):
    with pytest.raises(RequestError, match=r"min_val=.* is not below max_val=1") as refused:
        catalog.layer(spec)
    assert refused.value.hint == "Accepted: min_val < max_val."


@pytest.mark.parametrize(
    ("alias", "name"),
    [("clip", "hardtanh"), ("hard_tanh", "hardtanh"), ("hard_sigmoid", "hardsigmoid"), ("jump_relu", "threshold"),
     ("soft_shrink", "softshrink"), ("HardShrink", "hardshrink"), ("ReLU6", "relu6"), ("relu_n", "clipped_relu")],
)  # fmt: skip
def test_other_libraries_names_are_found(alias, name):
    assert catalog.find(alias).name == name


@pytest.mark.parametrize("spec", ["hardtanh", "relu6", "hardshrink", "softshrink", "sign", "abs", "threshold"])
def test_scales_and_shifts_are_those_of_the_transformed_law(spec):
    inside = spec + "(input_scale=-2, input_shift=0.25, output_scale=-3, output_shift=0.5)"
    found, plain = compute(inside, "forward", Normal(0.5, 2.0)), compute(spec, "forward", Normal(-0.75, 4.0))
    assert found.mean.value == pytest.approx(0.5 - 3.0 * plain.mean.value, rel=1e-14)
    assert found.std.value == pytest.approx(3.0 * plain.std.value, rel=1e-14)
    slope, own = compute(inside, "backward", Normal(0.5, 2.0)), compute(spec, "backward", Normal(-0.75, 4.0))
    assert slope.std.value == pytest.approx(6.0 * own.std.value, rel=1e-14)
