"""Attention averages: against plain loops, against sums over the softmax of every size, and their limits."""

import math

import numpy as np
import pytest

from normcal import catalog, engine
from normcal.engine import Effort
from normcal.errors import RequestError
from normcal.law import STANDARD, Normal
from normcal.layer import DIRECTIONS
from normcal.result import OK

LAWS = pytest.mark.parametrize("law", [STANDARD, Normal(3.0, 0.7), Normal(0.5, 5.0)], ids=str)


def found(spec, direction, law=STANDARD):
    return engine.estimate("auto", catalog.layer(spec), direction, law, Effort())


def softmax(i, direction, law):
    return found(f"softmax(n={i})", direction, law)


@pytest.mark.parametrize("typed", ["Attention", "scaled_dot_product_attention", "softmax-attention"])
def test_people_find_the_layer_by_the_name_they_know(typed):
    assert catalog.find(typed).name == "attention"


def test_causal_attention_is_a_name_of_its_own():
    assert catalog.layer("causal_attention(n=5)").spec == catalog.layer("attention(n=5, causal=yes)").spec
    with pytest.raises(RequestError, match="causal"):
        catalog.layer("causal_attention(causal=no)")


@pytest.mark.parametrize("inside", ["n=0", "head_dim=0", "temperature=0", "causal=maybe", "causal=1"])
def test_parameters_that_cannot_be_are_refused_by_name(inside):
    with pytest.raises(RequestError, match=inside.partition("=")[0]):
        catalog.layer(f"attention({inside})")


def test_a_draw_of_too_many_logits_is_declined_with_its_size():
    with pytest.raises(RequestError, match="random numbers"):
        engine.estimate("monte-carlo", catalog.layer("attention(n=2000)"), "forward", STANDARD, Effort(samples=2))


# --- exact values ---


@pytest.mark.parametrize("causal", ["no", "yes"])
def test_a_single_key_passes_its_value_and_no_gradient_to_its_logit(causal):
    spec, law = f"attention(n=1, head_dim=3, causal={causal})", Normal(2.0, 0.5)
    forward, backward = (found(spec, direction, law) for direction in DIRECTIONS)
    assert (forward.mean.value, forward.std.value) == (2.0, 0.5)
    assert backward.inputs["value"].std.value == 1.0 and backward.inputs["logits"].std.value == 0.0
    assert backward.std.value == pytest.approx(math.sqrt(3 / 4), rel=1e-15)


@pytest.mark.parametrize("n", [2, 9, 2000])
def test_constant_inputs_are_averaged_evenly(n):
    law = Normal(2.0, 0.0)
    for causal, square in (("no", 1 / n), ("yes", sum(1 / i for i in range(1, n + 1)) / n)):
        forward, backward = (found(f"attention(n={n}, causal={causal})", d, law) for d in DIRECTIONS)
        assert (forward.mean.value, forward.std.value) == (2.0, 0.0)
        assert backward.inputs["value"].std.value == pytest.approx(math.sqrt(square), rel=1e-14)
        assert backward.inputs["logits"].std.value == 0.0


# --- from the softmax ---


@LAWS
@pytest.mark.parametrize("n", [2, 3, 16])
def test_full_attention_is_made_of_the_moments_of_the_softmax(n, law):
    spec, d = f"attention(n={n}, head_dim=4)", 4
    square = softmax(n, "forward", law).rms.value ** 2
    forward, backward = (found(spec, direction, law) for direction in DIRECTIONS)
    assert forward.mean.value == law.mean
    assert forward.std.value == pytest.approx(law.std * math.sqrt(n * square), rel=1e-12)
    assert backward.inputs["value"].std.value == pytest.approx(math.sqrt(n * square), rel=1e-12)
    turned = law.std * math.sqrt(d) * softmax(n, "backward", law).std.value
    assert backward.inputs["logits"].std.value == pytest.approx(turned, rel=1e-12)
    pooled = (n * n * turned**2 + n * d * n * square) / (n * n + n * d)
    assert backward.std.value == pytest.approx(math.sqrt(pooled), rel=1e-12)


@LAWS
@pytest.mark.parametrize("n", [2, 3, 13])
def test_causal_attention_averages_the_softmax_of_every_size(n, law):
    spec, d = f"causal_attention(n={n}, head_dim=4)", 4
    squares = [i * softmax(i, "forward", law).rms.value ** 2 for i in range(1, n + 1)]
    turned = [i * softmax(i, "backward", law).std.value ** 2 for i in range(1, n + 1)]
    forward, backward = (found(spec, direction, law) for direction in DIRECTIONS)
    assert forward.std.value == pytest.approx(law.std * math.sqrt(sum(squares) / n), rel=1e-12)
    assert backward.inputs["value"].std.value == pytest.approx(math.sqrt(sum(squares) / n), rel=1e-12)
    flowed = law.std * math.sqrt(d * sum(turned) / (n * (n + 1) / 2))
    assert backward.inputs["logits"].std.value == pytest.approx(flowed, rel=1e-12)


@pytest.mark.parametrize("temperature", [0.5, 4.0])
def test_a_temperature_divides_logits_and_their_gradient_but_no_value(temperature):
    law, seen = Normal(0.0, 1.5), Normal(0.0, 1.5 / temperature)
    for causal in ("no", "yes"):
        warm, plain = (
            f"attention(n=6, causal={causal}, temperature={temperature})", f"attention(n=6, causal={causal})"
        )  # fmt: skip
        mine, its = found(warm, "backward", law).inputs, found(plain, "backward", seen).inputs
        assert mine["value"].std.value == pytest.approx(its["value"].std.value, rel=1e-13)
        assert mine["logits"].std.value == pytest.approx(its["logits"].std.value, rel=1e-13)
        assert found(warm, "forward", law).std.value == pytest.approx(1.5 * mine["value"].std.value, rel=1e-13)


@pytest.mark.parametrize("causal", ["no", "yes"])
@pytest.mark.parametrize("n", [32, 1000, 10**6])
def test_the_default_tolerance_is_reached_however_many_the_keys(n, causal):
    for law in (STANDARD, Normal(0.0, 6.0)):
        for direction in DIRECTIONS:
            assert found(f"attention(n={n}, causal={causal})", direction, law).status == OK


def test_many_keys_average_like_the_law_of_large_numbers():
    n, second = 10**8, math.exp(0.25)  # E v^2 with E v = 1 and s = 1/2
    law = Normal(0.0, 0.5)
    assert found(f"attention(n={n})", "forward", law).std.value == pytest.approx(0.5 * math.sqrt(second / n), rel=1e-6)
    backward = found(f"attention(n={n}, head_dim=1)", "backward", law).inputs["logits"].std.value
    assert backward * n == pytest.approx(0.5 * math.sqrt(second), rel=1e-6)


def test_steep_logits_copy_a_value():
    law = Normal(1.0, 1e9)
    for causal in ("no", "yes"):
        spec = f"attention(n=4, causal={causal})"
        assert found(spec, "forward", law).std.value == pytest.approx(1e9, rel=1e-7)
        assert found(spec, "backward", law).inputs["value"].std.value == pytest.approx(1.0, rel=1e-7)


# --- simulation ---


@pytest.mark.parametrize("causal", [False, True])
def test_the_simulation_is_the_definition_by_plain_loops(causal):
    n, d, rows, temperature, law = 3, 2, 2, 0.7, Normal(0.5, 1.5)
    word = "yes" if causal else "no"
    layer = catalog.layer(f"attention(n={n}, head_dim={d}, causal={word}, temperature={temperature})")
    y = layer.simulate("forward", np.random.default_rng(4), rows, law)
    dx = layer.simulate("backward", np.random.default_rng(4), rows, law)
    rng = np.random.default_rng(4)
    logits, value = law.sample(rng, (rows, n, n)), law.sample(rng, (rows, n, d))
    dy = rng.standard_normal((rows, n, d))

    def attend(a, v):
        out = np.zeros((n, d))
        for i in range(n):
            keys = range(i + 1) if causal else range(n)
            e = [math.exp(a[i, j] / temperature) for j in keys]
            for j in keys:
                out[i] += e[j] / sum(e) * v[j]
        return out

    def slope(f, x, step=1e-6):
        found = np.zeros(x.shape)
        for place in np.ndindex(*x.shape):
            moved = np.zeros(x.shape)
            moved[place] = step
            found[place] = (f(x + moved) - f(x - moved)) / (2 * step)
        return found

    for r in range(rows):
        assert y[r] == pytest.approx(attend(logits[r], value[r]).ravel(), rel=1e-12)
        by_value = slope(lambda v, r=r: (dy[r] * attend(logits[r], v)).sum(), value[r])
        by_logit = slope(lambda a, r=r: (dy[r] * attend(a, value[r])).sum(), logits[r])
        seen = np.tri(n, dtype=bool) if causal else np.ones((n, n), dtype=bool)
        assert dx["value"][r] == pytest.approx(by_value.ravel(), abs=1e-7)
        assert dx["logits"][r] == pytest.approx(by_logit[seen], abs=1e-7)
        assert not by_logit[~seen].any()


@pytest.mark.parametrize("causal", ["no", "yes"])
def test_a_sample_agrees_within_five_standard_errors(causal):
    layer, law = catalog.layer(f"attention(n=5, head_dim=3, causal={causal})"), Normal(1.0, 1.7)
    for direction in DIRECTIONS:
        exact = engine.estimate("quadrature", layer, direction, law, Effort())
        sampled = engine.estimate("monte-carlo", layer, direction, law, Effort(samples=10_000, seed=1))
        pairs = [(exact, sampled), *((exact.inputs[k], sampled.inputs[k]) for k in exact.inputs)]
        for a, b in pairs:
            assert abs(a.std.value - b.std.value) <= 5.0 * b.std.error
