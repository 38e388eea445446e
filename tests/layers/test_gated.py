"""Gated units, maxout and minout: constants, limits, independence of the route, bad input, simulators."""

import math

import numpy as np
import pytest
from mpmath import mp, mpf

from normcal import catalog, engine
from normcal.engine import Effort
from normcal.errors import RequestError, Unsupported
from normcal.law import STANDARD, Normal
from normcal.layer import BACKWARD, FORWARD
from normcal.result import OK

FIXED = {
    "glu": "sigmoid", "reglu": "relu", "geglu": "gelu", "geglu_tanh": "gelu_tanh", "swiglu": "silu",
    "bilinear": "identity",
}  # fmt: skip
LAWS = [STANDARD, Normal(0.5, 2.0), Normal(-1.0, 0.3), Normal(3.0, 0.7)]


def compute(spec, direction=FORWARD, law=STANDARD, name="auto"):
    return engine.estimate(name, catalog.layer(spec), direction, law, Effort())


def close(value, exact, tight=1e-13):
    return abs(mpf(value.value) - mpf(exact)) <= mpf(value.error) <= mpf(tight) * max(abs(mpf(exact)), 1)


# --- gated units ---


@pytest.mark.parametrize("law", LAWS, ids=str)
@pytest.mark.parametrize("name", FIXED)
def test_a_named_unit_is_gated_by_its_activation(name, law):
    general = f"gated(activation={FIXED[name]})"
    for direction in (FORWARD, BACKWARD):
        a, b = compute(name, direction, law), compute(general, direction, law)
        assert abs(a.std.value - b.std.value) <= a.std.error + b.std.error
        assert abs(a.mean.value - b.mean.value) <= a.mean.error + b.mean.error


@pytest.mark.parametrize("law", LAWS, ids=str)
@pytest.mark.parametrize("gate", ["sigmoid", "relu", "silu", "tanh", "identity", "leaky_relu(negative_slope=-0.5)"])
def test_moments_are_those_of_a_product_of_independent_factors(gate, law):
    """E y^2 = E value^2 E g^2, and each gradient is one factor times the slope of the other."""
    unit, act = f"gated(activation={gate})", compute(gate, FORWARD, law)
    forward, backward = compute(unit, FORWARD, law), compute(unit, BACKWARD, law)
    size = math.hypot(law.mean, law.std)
    assert forward.mean.value == pytest.approx(law.mean * act.mean.value, rel=1e-13, abs=1e-15)
    assert forward.rms.value == pytest.approx(size * act.rms.value, rel=1e-13)
    other = law.std**2 * act.mean.value**2 + size**2 * act.std.value**2  # the same variance, taken apart the other way
    assert forward.std.value == pytest.approx(math.sqrt(other), rel=1e-13)
    slope = compute(gate, BACKWARD, law).std.value
    assert backward.inputs["value"].std.value == pytest.approx(act.rms.value, rel=1e-13)
    assert backward.inputs["gate"].std.value == pytest.approx(size * slope, rel=1e-13)
    pooled = math.hypot(act.rms.value, size * slope) / math.sqrt(2.0)
    assert backward.std.value == pytest.approx(pooled, rel=1e-13)


def test_reglu_has_the_moments_of_half_a_bilinear_unit():
    forward, backward = compute("reglu"), compute("reglu", BACKWARD)
    assert forward.mean.value == 0.0 and close(forward.std, mp.sqrt(0.5))
    assert all(close(backward.inputs[name].std, mp.sqrt(0.5)) for name in ("value", "gate"))


@pytest.mark.parametrize(
    ("spec", "gain", "off"),
    [
        ("glu", 1.8484294414520264, 5e-3),  # NFNets, estimated from a sample
        ("swiglu", 1.6817928305074292, 4e-3),  # unit scaling, the model 2^(3/4) of a fit
    ],
)
def test_gains_agree_with_published_ones_as_far_as_those_go(spec, gain, off):
    """A sample or a fit is near, and no closer than such things are."""
    assert 1e-5 < abs(compute(spec).gain.value / gain - 1.0) < off


@pytest.mark.parametrize("law", [Normal(0.7, 0.0), Normal(-2.0, 0.0), Normal(0.0, 0.0)], ids=str)
def test_a_constant_input_gives_a_constant_output(law):
    found = compute("glu", law=law)
    exact = law.mean / (1.0 + math.exp(-law.mean))
    assert (found.std.value, found.status) == (0.0, OK)
    assert found.mean.value == pytest.approx(exact, rel=1e-13, abs=0.0)


def test_a_constant_input_on_the_kink_of_the_gate_has_no_gradient():
    assert compute("reglu", BACKWARD, Normal(0.0, 0.0)).status == "undefined"


@pytest.mark.parametrize(("beta", "limit"), [(1e-12, "bilinear"), (1e9, "reglu")])
def test_swiglu_lies_between_half_a_bilinear_unit_and_reglu(beta, limit):
    factor = 0.5 if beta < 1.0 else 1.0
    found, bound = compute(f"swiglu(beta={beta})"), compute(limit)
    assert found.std.value == pytest.approx(factor * bound.std.value, rel=1e-8)
    assert compute(f"swiglu(beta={beta})", BACKWARD).std.value == pytest.approx(
        factor * compute(limit, BACKWARD).std.value, rel=1e-8
    )


def test_swiglu_at_beta_is_the_scaled_silu():
    """x sigmoid(b x) = silu(b x)/b, with b a power of two so that 1/b is exact."""
    for law in LAWS:
        a = compute("swiglu(beta=4)", law=law)
        b = compute("gated(activation=silu(input_scale=4, output_scale=0.25))", law=law)
        assert abs(a.std.value - b.std.value) <= a.std.error + b.std.error


def test_gtu_gates_a_tanh_by_a_sigmoid():
    a, b = compute("gtu"), compute("gated(activation=sigmoid, value_activation=tanh)")
    assert (a.std.value, a.mean.value) == (b.std.value, b.mean.value) and a.mean.value == 0.0
    tanh, sigmoid = compute("tanh"), compute("sigmoid")
    assert a.std.value == pytest.approx(tanh.std.value * sigmoid.rms.value, rel=1e-13)


@pytest.mark.parametrize("spec", ["reglu", "geglu", "bilinear"])
def test_a_closed_form_of_the_gate_is_one_of_the_unit(spec):
    for direction in (FORWARD, BACKWARD):
        a, b = (compute(spec, direction, Normal(0.5, 2.0), name) for name in ("closed-form", "quadrature"))
        assert abs(a.std.value - b.std.value) <= a.std.error + b.std.error <= 2e-13 * a.std.value


def test_a_gate_without_a_closed_form_says_whose_is_missing():
    with pytest.raises(Unsupported, match="tanh"):
        engine.get("closed-form").estimate(catalog.layer("gated(activation=tanh)"), FORWARD, STANDARD, Effort())


@pytest.mark.parametrize(
    ("name", "meant"),
    [("SwiGLU", "swiglu"), ("silu_glu", "swiglu"), ("GEGLU", "geglu"), ("gated-linear-unit", "glu"), ("ReGLU", "reglu"),
     ("Maxout", "maxout"), ("GatedTanhUnit", "gtu")],
)  # fmt: skip
def test_units_are_found_by_the_names_that_people_use(name, meant):
    assert catalog.find(name).name == meant


def test_inputs_are_named_value_and_gate():
    assert set(compute("glu", BACKWARD).inputs) == {"value", "gate"} == set(catalog.layer("gated").inputs)


@pytest.mark.parametrize(
    "spec",
    ["gated(activation=nonsense)", "gated(activation=max_pool)", "gated(activation=3)",
     "gated(activation=(relu, tanh))", "gated(activation=glu)", "glu(activation=tanh)",
     "swiglu(beta=wide)", "swiglu(beta=0)", "gated(activation=leaky_relu(slope=1))"],
)  # fmt: skip
def test_gates_that_cannot_be_are_refused(spec):
    with pytest.raises(RequestError) as refused:
        catalog.layer(spec)
    assert refused.value.hint


def test_a_gate_with_parameters_reads_back():
    layer = catalog.layer("gated(activation=leaky_relu(negative_slope=0.2), value_activation=tanh)")
    assert catalog.layer(layer.spec).spec == layer.spec
    assert "leaky_relu(negative_slope=0.2)" in layer.spec and "tanh" in layer.spec


GATES = {"glu": lambda x: 1.0 / (1.0 + np.exp(-x)), "reglu": lambda x: np.maximum(x, 0.0), "gtu": None}


@pytest.mark.parametrize("spec", GATES)
def test_a_simulated_unit_runs_the_definition_entry_by_entry(spec):
    """The same random numbers through Python's own arithmetic; gradients by differences."""
    law, layer, h = Normal(0.3, 1.2), catalog.layer(spec), 1e-6

    def unit(value, gate):
        if spec == "gtu":
            return math.tanh(value) / (1.0 + math.exp(-gate))
        return value * float(GATES[spec](np.float64(gate)))

    y = layer.simulate(FORWARD, np.random.default_rng(5), 50, law)
    dx = layer.simulate(BACKWARD, np.random.default_rng(5), 50, law)
    rng = np.random.default_rng(5)
    value, gate = law.sample(rng, (50, 1)).ravel(), law.sample(rng, (50, 1)).ravel()
    dy = rng.standard_normal((50, 1)).ravel()
    for i, (v, g) in enumerate(zip(value, gate, strict=True)):
        assert y[i, 0] == pytest.approx(unit(v, g), rel=1e-12)
        assert dx["value"][i, 0] == pytest.approx(
            dy[i] * (unit(v + h, g) - unit(v - h, g)) / (2 * h), rel=1e-5, abs=1e-9
        )
        assert dx["gate"][i, 0] == pytest.approx(
            dy[i] * (unit(v, g + h) - unit(v, g - h)) / (2 * h), rel=1e-5, abs=1e-9
        )


# --- maxout, minout ---

#: k -> mean of the largest of k, Harter 1961
HARTER = {6: 1.26721, 8: 1.42360, 10: 1.53875, 100: 2.50759}


@pytest.mark.parametrize("k", HARTER)
def test_the_mean_of_a_maxout_is_the_tabulated_order_statistic(k):
    assert round(compute(f"maxout(k={k})").mean.value, 5) == HARTER[k]
    assert round(compute(f"minout(k={k})").mean.value, 5) == -HARTER[k]


@pytest.mark.parametrize("name", ["closed-form", "quadrature"])
def test_the_larger_of_two_has_its_elementary_moments(name):
    found = compute("maxout", law=Normal(0.5, 2.0), name=name)
    assert close(found.mean, mpf("0.5") + 2 / mp.sqrt(mp.pi))
    assert close(found.std, 2 * mp.sqrt(1 - 1 / mp.pi), 2e-13)
    assert close(compute("minout", law=Normal(0.5, 2.0), name=name).mean, mpf("0.5") - 2 / mp.sqrt(mp.pi))


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5, 6, 17, 1000, 10**8])
@pytest.mark.parametrize("law", [STANDARD, Normal(-12.0, 1.0), Normal(1e3, 1e-3)], ids=str)
def test_the_smallest_mirrors_the_largest(k, law):
    largest = compute(f"maxout(k={k})", law=law)
    smallest = compute(f"minout(k={k})", law=Normal(-law.mean, law.std))
    assert smallest.mean.value == pytest.approx(-largest.mean.value, rel=1e-13)
    assert smallest.std.value == pytest.approx(largest.std.value, rel=1e-13)


@pytest.mark.parametrize("name", ["closed-form", "quadrature"])
@pytest.mark.parametrize("spec", ["maxout", "minout"])
@pytest.mark.parametrize("k", [1, 2, 7, 1000])
def test_each_input_wins_once_in_k(spec, k, name):
    assert close(compute(f"{spec}(k={k})", BACKWARD, name=name).std, 1 / mp.sqrt(k))


def test_the_winner_takes_the_whole_gradient():
    law, k = Normal(0.4, 1.5), 5
    for spec, best in (("maxout", max), ("minout", min)):
        layer = catalog.layer(f"{spec}(k={k})")
        y = layer.simulate(FORWARD, np.random.default_rng(1), 40, law)
        dx = layer.simulate(BACKWARD, np.random.default_rng(1), 40, law)
        rng = np.random.default_rng(1)
        x = law.sample(rng, (40, k)).tolist()
        dy = rng.standard_normal((40, 1)).ravel()
        for i, row in enumerate(x):
            assert y[i, 0] == best(row)
            assert dx[i].tolist() == [dy[i] if entry == best(row) else 0.0 for entry in row]


@pytest.mark.parametrize(
    "spec", ["maxout(k=0)", "maxout(k=2.5)", "minout(k=1000000000)", "maxout(k=(2, 3))", "maxout(n=3)"]
)
def test_numbers_of_inputs_that_cannot_be_are_refused(spec):
    with pytest.raises(RequestError, match=r"m..out"):
        catalog.layer(spec)


def test_many_inputs_have_no_formula_and_very_many_no_simulation():
    with pytest.raises(Unsupported, match="n <= 5"):
        engine.get("closed-form").estimate(catalog.layer("maxout(k=6)"), FORWARD, STANDARD, Effort())
    with pytest.raises(Unsupported, match="numbers"):
        engine.get("monte-carlo").estimate(catalog.layer("maxout(k=2000000)"), FORWARD, STANDARD, Effort())
