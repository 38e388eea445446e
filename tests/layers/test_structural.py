"""Structural layers against enumerations of two-point inputs, nested loops, and what each is known to keep."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest

from normcal import catalog, engine
from normcal.engine import Effort
from normcal.errors import RequestError, Unsupported
from normcal.law import STANDARD, Normal
from normcal.layer import BACKWARD, FORWARD
from normcal.result import OK

LAWS = [STANDARD, Normal(0.5, 2.0), Normal(-1.0, 0.25), Normal(50.0, 1.0), Normal(2.0, 0.0)]


def compute(spec, direction=FORWARD, law=STANDARD, name="closed-form"):
    return engine.estimate(name, catalog.layer(spec), direction, law, Effort())


def covers(value, square, sign=1):
    """Whether a value's bound, which is a few units in the last place, holds the root of an exact number."""
    low, high = Fraction(value.value) - Fraction(value.error), Fraction(value.value) + Fraction(value.error)
    low, high = (low, high) if sign > 0 else (-high, -low)
    assert value.error <= 4e-15 * abs(value.value)
    return max(low, 0) ** 2 <= square <= high**2


# --- moments of products and sums need no more than two moments of the input: enumerate two-point ones ---


def enumerated(function, count, law):
    """Mean and variance, exactly, over all inputs mean +- std of ``count`` entries."""
    mean, std = Fraction(law.mean), Fraction(law.std)
    values = [function([mean + s * std for s in signs]) for signs in itertools.product((-1, 1), repeat=count)]
    first = sum(values, Fraction(0)) / len(values)
    return first, sum((y - first) ** 2 for y in values) / len(values)


def dot(entries, k):
    return sum(a * b for a, b in zip(entries[:k], entries[k:], strict=True))


#: spec -> one output entry as a function of the entries it depends on, and how many those are
OUTPUTS = {
    "add": (sum, 2),
    "add(k=5)": (sum, 5),
    "subtract": (lambda x: x[0] - x[1], 2),
    "average(k=3)": (lambda x: sum(x) / 3, 3),
    "weighted_sum(weights=(1, -2, 0.5))": (lambda x: x[0] - 2 * x[1] + x[2] / 2, 3),
    "multiply": (math.prod, 2),
    "multiply(k=4)": (math.prod, 4),
    "broadcast_add(size=7)": (sum, 2),
    "broadcast_multiply(size=7)": (math.prod, 2),
    "matmul(m=2, k=3, n=5)": (lambda x: dot(x, 3), 6),
    "scaled_dot_product(d=4, queries=3, keys=2)": (lambda x: dot(x, 4) / 2, 8),
    "scaled_dot_product(d=3, scale=-0.25)": (lambda x: -dot(x, 3) / 4, 6),
    "sum_reduction(size=5)": (sum, 5),
    "mean_reduction(size=5)": (lambda x: sum(x) / 5, 5),
}


@pytest.mark.parametrize("law", LAWS, ids=str)
@pytest.mark.parametrize("spec", OUTPUTS)
def test_forward_moments_are_those_of_an_enumeration(spec, law):
    mean, variance = enumerated(*OUTPUTS[spec], law)
    found = compute(spec, law=law)
    assert covers(found.mean, mean**2, 1 if mean >= 0 else -1)
    assert covers(found.std, variance) and covers(found.rms, variance + mean**2)
    assert found.status == OK


#: spec -> for each input the coefficients dx/dy of the outputs that it reaches, and how many entries those hold
GRADIENTS = {
    "add(k=3)": dict.fromkeys("abc", (lambda x: [1], 0)),
    "subtract": {"a": (lambda x: [1], 0), "b": (lambda x: [-1], 0)},
    "average(k=4)": dict.fromkeys("abcd", (lambda x: [Fraction(1, 4)], 0)),
    "weighted_sum(weights=(1, -2, 0))": {"a": (lambda x: [1], 0), "b": (lambda x: [-2], 0), "c": (lambda x: [0], 0)},
    "concat(sizes=(3, 1))": dict.fromkeys("ab", (lambda x: [1], 0)),
    "multiply(k=3)": dict.fromkeys("abc", (lambda x: [x[0] * x[1]], 2)),
    "broadcast_add(size=4)": {"full": (lambda x: [1], 0), "repeated": (lambda x: [1] * 4, 0)},
    "broadcast_multiply(size=4)": {"full": (lambda x: [x[0]], 1), "repeated": (lambda x: x, 4)},
    "matmul(m=2, k=3, n=5)": {"left": (lambda x: x, 5), "right": (lambda x: x, 2)},
    "scaled_dot_product(d=4, queries=3, keys=2)": {
        "query": (lambda x: [e / 2 for e in x], 2),
        "key": (lambda x: [e / 2 for e in x], 3),
    },
}


@pytest.mark.parametrize("law", LAWS, ids=str)
@pytest.mark.parametrize("spec", GRADIENTS)
def test_each_input_has_the_gradient_of_an_enumeration(spec, law):
    """E dx^2 is the sum over outputs of E[(dy/dx)^2]."""
    found, layer = compute(spec, BACKWARD, law), catalog.layer(spec)
    assert tuple(found.inputs) == layer.inputs == tuple(GRADIENTS[spec])
    pooled = whole = Fraction(0)
    for name, (slopes, count) in GRADIENTS[spec].items():
        square = enumerated(lambda x, s=slopes: sum((Fraction(e) ** 2 for e in s(x)), Fraction(0)), count, law)[0]
        assert covers(found.inputs[name].std, square), name
        pooled += Fraction(layer.entries(name)) * square
        whole += Fraction(layer.entries(name))
    assert covers(found.std, pooled / whole)


# --- correlated inputs ---


@pytest.mark.parametrize("rho", [-0.5, -0.25, 0.0, 0.5, 1.0])
def test_the_variance_of_a_sum_is_that_of_the_covariance_matrix(rho):
    weights, exact = (0.5, -1.5, 3.0), Fraction(rho)
    square = sum(
        Fraction(a) * Fraction(b) * (1 if i == j else exact)
        for (i, a), (j, b) in itertools.product(enumerate(weights), repeat=2)
    )
    found = compute(f"weighted_sum(weights={weights}, correlation={rho})", law=Normal(1.0, 2.0))
    assert covers(found.std, 4 * square) and covers(found.mean, Fraction(sum(weights)) ** 2)


def test_fully_correlated_inputs_are_one_input():
    assert compute("add(k=4, correlation=1)").std.value == 4.0
    assert compute("subtract(correlation=1)").std.value == 0.0
    assert compute("average(k=7, correlation=1)").std.value == 1.0
    assert compute("add(k=3, correlation=-0.5)").std.value == 0.0


@pytest.mark.parametrize(
    "spec",
    [
        "add(k=3, correlation=-0.51)",
        "average(k=5, correlation=-0.3)",
        "weighted_sum(weights=(1, 1, 1), correlation=-1)",
    ],
)
def test_a_correlation_that_no_inputs_can_have_is_refused(spec):
    with pytest.raises(RequestError, match="correlation") as refused:
        catalog.layer(spec)
    assert "-1/" in refused.value.hint


@pytest.mark.parametrize("rho", [-0.5, 0.3, 1.0])
def test_simulated_inputs_have_the_correlation_asked_for(rho):
    from normcal.layers.structural import _correlated

    x = _correlated(np.random.default_rng(0), 200_000, 3, rho, Normal(4.0, 2.0))
    covariance = np.cov(x.T) / 4.0
    assert np.allclose(covariance, rho + (1.0 - rho) * np.eye(3), atol=0.012)
    assert np.allclose(x.mean(axis=0), 4.0, atol=0.03)


# --- residuals ---


def test_two_independent_branches_keep_their_variance_after_one_over_root_two():
    found = compute("residual")
    assert found.std.value == 1.0 and compute("residual", BACKWARD).std.value == pytest.approx(
        math.sqrt(0.5), rel=1e-15
    )
    assert compute("add").gain.value == pytest.approx(0.7071067811865476, rel=1e-15)  # StyleGAN, unit scaling


@pytest.mark.parametrize("tau", [0.0, 0.2, 0.5, 1.0])
@pytest.mark.parametrize("rho", [-1.0, -0.5, 0.0, 0.5])
@pytest.mark.parametrize("weighting", ["ratio", "share", "plain"])
def test_a_residual_weighs_skip_and_branch_as_its_weighting_says(weighting, tau, rho):
    skip, branch = {
        "ratio": (1 / math.hypot(1, tau), tau / math.hypot(1, tau)),
        "share": (math.sqrt(1 - tau), math.sqrt(tau)),
        "plain": (1.0, tau),
    }[weighting]
    spec, law = f"residual(tau={tau}, weighting={weighting}, correlation={rho})", Normal(0.5, 2.0)
    forward, backward = compute(spec, law=law), compute(spec, BACKWARD, law)
    assert forward.mean.value == pytest.approx(0.5 * (skip + branch), rel=1e-14)
    variance = skip**2 + branch**2 + 2 * rho * skip * branch
    assert forward.std.value == pytest.approx(2.0 * math.sqrt(max(variance, 0.0)), rel=1e-14, abs=3e-8)
    assert backward.inputs["skip"].std.value == pytest.approx(skip, rel=1e-15)
    assert backward.inputs["branch"].std.value == pytest.approx(branch, rel=1e-15)
    assert forward.std.error <= 1e-14 * max(forward.std.value, 1e-30)


@pytest.mark.parametrize("weighting", ["ratio", "share"])
def test_a_residual_of_independent_inputs_keeps_the_std(weighting):
    for tau in (0.1, 0.7):
        assert compute(f"residual(tau={tau}, weighting={weighting})", law=Normal(0.0, 3.0)).std.value == 3.0


def test_tau_is_a_ratio_of_sizes_or_a_share_of_the_variance():
    """Share t is ratio sqrt(t/(1-t)): 0.2 is one half."""
    for direction in (FORWARD, BACKWARD):
        a, b = compute("residual(tau=0.2, weighting=share)", direction), compute("residual(tau=0.5)", direction)
        assert a.std.value == pytest.approx(b.std.value, rel=1e-15)


@pytest.mark.parametrize("spec", ["residual(tau=-1)", "residual(tau=1.5, weighting=share)", "residual(weighting=sum)"])
def test_weights_of_a_residual_that_cannot_be_are_refused(spec):
    with pytest.raises(RequestError, match="residual"):
        catalog.layer(spec)


# --- attention logits ---


def test_scaled_dot_products_of_standard_inputs_have_std_one():
    for d in (1, 3, 64, 10**8):
        assert compute(f"scaled_dot_product(d={d})").std.value == 1.0
        assert compute(f"scaled_dot_product(d={d})", BACKWARD).std.value == pytest.approx(1 / math.sqrt(d), rel=1e-15)


def test_a_matrix_product_keeps_no_gradient_that_is_not_summed():
    found = compute("matmul(m=4, k=9, n=25)", BACKWARD)
    assert (found.inputs["left"].std.value, found.inputs["right"].std.value) == (5.0, 2.0)
    assert compute("matmul(m=4, k=9, n=25)").std.value == 3.0


# --- simulators of products and sums by nested loops ---


def test_a_simulated_matrix_product_is_that_of_nested_loops():
    layer, law = catalog.layer("matmul(m=2, k=3, n=4)"), Normal(0.5, 1.5)
    y, dx = (layer.simulate(d, np.random.default_rng(8), 3, law) for d in (FORWARD, BACKWARD))
    rng = np.random.default_rng(8)
    left, right = law.sample(rng, (3, 2, 3)), law.sample(rng, (3, 3, 4))
    dy = rng.standard_normal((3, 2, 4))
    for r in range(3):
        by_left, by_right = np.zeros((2, 3)), np.zeros((3, 4))
        for i, j, k in itertools.product(range(2), range(4), range(3)):
            by_left[i, k] += dy[r, i, j] * right[r, k, j]
            by_right[k, j] += dy[r, i, j] * left[r, i, k]
        expected = [sum(left[r, i, k] * right[r, k, j] for k in range(3)) for i in range(2) for j in range(4)]
        assert np.allclose(y[r], expected, atol=1e-14)
        assert np.allclose(dx["left"][r], by_left.ravel(), atol=1e-14)
        assert np.allclose(dx["right"][r], by_right.ravel(), atol=1e-14)


def test_simulated_attention_logits_are_those_of_nested_loops():
    layer, law = catalog.layer("scaled_dot_product(d=4, queries=2, keys=3)"), Normal(0.5, 1.5)
    y, dx = (layer.simulate(d, np.random.default_rng(9), 3, law) for d in (FORWARD, BACKWARD))
    rng = np.random.default_rng(9)
    query, key = law.sample(rng, (3, 2, 4)), law.sample(rng, (3, 3, 4))
    dy = rng.standard_normal((3, 2, 3))
    for r in range(3):
        expected = [sum(query[r, i, d] * key[r, j, d] for d in range(4)) / 2 for i in range(2) for j in range(3)]
        assert np.allclose(y[r], expected, atol=1e-14)
        of_query = [sum(dy[r, i, j] * key[r, j, d] for j in range(3)) / 2 for i in range(2) for d in range(4)]
        of_key = [sum(dy[r, i, j] * query[r, i, d] for i in range(2)) / 2 for j in range(3) for d in range(4)]
        assert np.allclose(dx["query"][r], of_query, atol=1e-14) and np.allclose(dx["key"][r], of_key, atol=1e-14)


@pytest.mark.parametrize("spec", ["multiply(k=3)", "subtract", "average(k=3)", "weighted_sum(weights=(2, -1, 0.5))"])
def test_a_simulated_gradient_is_a_difference_quotient(spec):
    layer, law, h = catalog.layer(spec), Normal(0.5, 1.5), 1e-6
    function = OUTPUTS[{"multiply(k=3)": "multiply", "weighted_sum(weights=(2, -1, 0.5))": ""}.get(spec, spec)][0] \
        if not spec.startswith("weighted") else lambda x: 2 * x[0] - x[1] + x[2] / 2  # fmt: skip
    k = len(layer.inputs)
    y, dx = (layer.simulate(d, np.random.default_rng(10), 6, law) for d in (FORWARD, BACKWARD))
    x = law.sample(np.random.default_rng(10), (6, k))
    assert np.allclose(y.ravel(), [function(row) for row in x.tolist()], atol=1e-13)
    rng = np.random.default_rng(10)
    if spec.startswith("multiply"):
        law.sample(rng, (6, k))
    dy = rng.standard_normal((6, 1)).ravel()
    for at, name in enumerate(layer.inputs):
        up, down = x.copy(), x.copy()
        up[:, at] += h
        down[:, at] -= h
        slopes = [(function(a) - function(b)) / (2 * h) for a, b in zip(up.tolist(), down.tolist(), strict=True)]
        assert np.allclose(dx[name].ravel(), dy * slopes, rtol=1e-7, atol=1e-8)


def test_concatenated_gradients_keep_the_proportion_of_the_sizes():
    layer = catalog.layer("concat(sizes=(64, 32, 160))")
    dx = layer.simulate(BACKWARD, np.random.default_rng(0), 2, STANDARD)
    assert {name: g.shape for name, g in dx.items()} == {"a": (2, 2), "b": (2, 1), "c": (2, 5)}
    assert [layer.entries(name) for name in layer.inputs] == [2.0, 1.0, 5.0]
    assert layer.simulate(FORWARD, np.random.default_rng(0), 2, STANDARD).shape == (2, 8)


# --- names, extremes, bad input ---


@pytest.mark.parametrize(
    ("name", "meant"),
    [("Add", "add"), ("Concatenate", "concat"), ("Multiply", "multiply"), ("Subtract", "subtract"),
     ("Average", "average"), ("Upsample", "up_sampling"), ("UpSampling2D", "up_sampling"), ("bmm", "matmul"),
     ("MatMul", "matmul"), ("ZeroPad2d", "zero_padding"), ("ZeroPadding2D", "zero_padding"),
     ("ReflectionPad2d", "reflection_padding"), ("ReplicationPad3d", "replication_padding"),
     ("residual_add", "residual"), ("reduce-mean", "mean_reduction")],
)  # fmt: skip
def test_layers_are_found_by_the_names_that_people_use(name, meant):
    assert catalog.find(name).name == meant


@pytest.mark.parametrize("law", [Normal(1e200, 1e199), Normal(0.0, 1e-200), Normal(1e160, 1.0)], ids=str)
def test_what_no_double_can_hold_is_said_so(law):
    found = compute("multiply", law=law)
    exact = Fraction(law.std) ** 4 + 2 * Fraction(law.std) ** 2 * Fraction(law.mean) ** 2
    assert found.status == ("tolerance-missed" if law.mean == 0.0 else "overflow")
    assert law.mean > 0.0 or Fraction(found.std.error + found.std.value) ** 2 >= exact
    assert compute("add", law=law).status == OK


@pytest.mark.parametrize(("k", "stated"), [(2, True), (4, True), (6, False), (26, False)])
def test_a_sample_of_a_product_of_many_factors_states_no_error(k, stated):
    """E y^4 = 3^k E[y^2]^2 at mean 0, where most of the variance lies in draws that never come."""
    layer = catalog.layer(f"multiply(k={k})")
    for law, known in ((STANDARD, stated), (Normal(30.0, 1.0), True)):
        found = engine.get("monte-carlo").estimate(layer, FORWARD, law, Effort(samples=20_000))
        assert (found.std.error is not None) == known
        assert known or "factors" in found.reason


def test_nothing_cancels_far_from_zero():
    """(s^2 + m^2)^3 - m^6 at m = 1e8, s = 1e-3 keeps all of its digits."""
    law = Normal(1e8, 1e-3)
    m, s = Fraction(law.mean), Fraction(law.std)
    assert covers(compute("multiply(k=3)", law=law).std, (m * m + s * s) ** 3 - m**6)


@pytest.mark.parametrize(
    "spec",
    ["add(k=1)", "add(k=27)", "add(k=2.5)", "concat(sizes=(3,))", "concat(sizes=3)", "concat(sizes=(0, 2))",
     "weighted_sum(weights=1)", "weighted_sum(weights=(1,))", "weighted_sum(weights=(1, wide))", "matmul(m=0)",
     "scaled_dot_product(d=0)", "sum_reduction(size=-1)", "up_sampling(scale_factor=0)",
     "up_sampling(mode=bilinear, ndim=3)", "up_sampling(mode=trilinear, ndim=2)", "up_sampling(scale_factor=(2, 2, 2))",
     "up_sampling(mode=bicubical)", "up_sampling(scale_factor=1.5)", "zero_padding(padding=-1)",
     "reflection_padding(padding=7)", "circular_padding(padding=8)", "zero_padding(padding=(1, 2, 3))",
     "multiply(k=0)", "subtract(k=2)", "broadcast_add(size=0)"],
)  # fmt: skip
def test_parameters_that_cannot_be_are_refused_by_name(spec):
    with pytest.raises(RequestError) as refused:
        catalog.layer(spec)
    assert spec.split("(")[0] in str(refused.value) and refused.value.hint


@pytest.mark.parametrize(
    "spec", ["matmul(m=1000, k=1000, n=1000)", "sum_reduction(size=2000000)", "up_sampling(scale_factor=200, ndim=3)",
             "concat(sizes=(1000000, 999999))", "zero_padding(input_size=2000)", "scaled_dot_product(d=3000000)"]
)  # fmt: skip
def test_what_is_too_large_to_simulate_is_still_computed(spec):
    assert compute(spec, name="auto").status == OK
    with pytest.raises(Unsupported, match="numbers"):
        engine.get("monte-carlo").estimate(catalog.layer(spec), FORWARD, STANDARD, Effort())
