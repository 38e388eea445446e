"""Softmax and its kin: sum rules, two logits in one dimension, limits, and simulations against plain loops."""

import math

import numpy as np
import pytest

from normcal import catalog, engine
from normcal.engine import Effort
from normcal.errors import RequestError
from normcal.law import STANDARD, Normal
from normcal.layer import DIRECTIONS
from normcal.layers.softmax import log_sum_exp, softmax_gradient, softmax_of
from normcal.result import OK

FAMILY = ("softmax", "log_softmax", "logsumexp", "cross_entropy")
EVERY = pytest.mark.parametrize("name", FAMILY)


def found(spec, direction, law=STANDARD, **effort):
    return engine.estimate("auto", catalog.layer(spec), direction, law, Effort(**effort))


def std(spec, direction, law=STANDARD):
    return found(spec, direction, law).std.value


def mean(spec, law=STANDARD):
    return found(spec, "forward", law).mean.value


# --- names and parameters ---


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("Softmax", "softmax"),
        ("Softmin", "softmax"),
        ("LogSoftmax", "log_softmax"),
        ("LogSumExp", "logsumexp"),
        ("log_sum_exp", "logsumexp"),
        ("CrossEntropyLoss", "cross_entropy"),
        ("softmax_cross_entropy", "cross_entropy"),
    ],
)
def test_people_find_the_layer_by_the_name_they_know(typed, name):
    assert catalog.find(typed).name == name


@EVERY
@pytest.mark.parametrize(
    ("inside", "named"),
    [("n=0", "n"), ("n=2.5", "n"), ("temperature=0", "temperature"), ("temperature=-1", "temperature")],
)
def test_sizes_and_temperatures_that_cannot_be_are_refused_by_name(name, inside, named):
    with pytest.raises(RequestError, match=f"{name}: {named} cannot be"):
        catalog.layer(f"{name}({inside})")


@pytest.mark.parametrize("smoothing", ["-0.1", "1.5", "none"])
def test_a_label_smoothing_outside_0_to_1_is_refused(smoothing):
    with pytest.raises(RequestError, match="label_smoothing"):
        catalog.layer(f"cross_entropy(label_smoothing={smoothing})")


def test_a_draw_of_too_many_logits_is_declined_with_its_size():
    with pytest.raises(RequestError, match="600_000 logits"):
        engine.estimate("monte-carlo", catalog.layer("softmax(n=600000)"), "forward", STANDARD, Effort(samples=2))


# --- exact values ---


@pytest.mark.parametrize("law", [STANDARD, Normal(3.0, 0.0), Normal(-1.0, 50.0)], ids=str)
def test_a_single_logit_is_served_exactly(law):
    assert (mean("softmax(n=1)", law), std("softmax(n=1)", "forward", law)) == (1.0, 0.0)
    assert (mean("logsumexp(n=1)", law), std("logsumexp(n=1)", "forward", law)) == (law.mean, law.std)
    assert std("logsumexp(n=1)", "backward", law) == 1.0
    for spec in ("log_softmax(n=1)", "cross_entropy(n=1)"):
        assert (mean(spec, law), std(spec, "forward", law)) == (0.0, 0.0)
    for spec in ("softmax(n=1)", "log_softmax(n=1)", "cross_entropy(n=1)"):
        assert std(spec, "backward", law) == 0.0


@pytest.mark.parametrize("n", [2, 7, 1000])
def test_constant_logits_give_the_uniform_softmax(n):
    law = Normal(2.0, 0.0)
    for name in FAMILY:
        assert std(f"{name}(n={n})", "forward", law) == 0.0
        assert found(f"{name}(n={n})", "backward", law).engine == "closed-form"
    assert mean(f"softmax(n={n})", law) == pytest.approx(1 / n, rel=1e-15)
    assert mean(f"logsumexp(n={n})", law) == pytest.approx(2.0 + math.log(n), rel=1e-15)
    assert mean(f"log_softmax(n={n})", law) == pytest.approx(-math.log(n), rel=1e-15)
    assert std(f"softmax(n={n})", "backward", law) == pytest.approx(math.sqrt(1 - 1 / n) / n, rel=1e-14)
    assert std(f"log_softmax(n={n})", "backward", law) == pytest.approx(math.sqrt(1 - 1 / n), rel=1e-14)
    assert std(f"logsumexp(n={n})", "backward", law) == pytest.approx(1 / n, rel=1e-14)
    assert std(f"cross_entropy(n={n})", "backward", law) == pytest.approx(math.sqrt((1 - 1 / n) / n), rel=1e-14)


# --- two logits: one dimension ---


@pytest.mark.parametrize("scale", [1e-6, 0.5, 3.9, 4.1])
def test_softmax_of_two_is_the_sigmoid_of_their_difference(scale):
    wide = Normal(0.0, scale * math.sqrt(2.0))
    exact = {d: engine.estimate("quadrature", catalog.layer("sigmoid"), d, wide, Effort()) for d in DIRECTIONS}
    forward, backward = (found("softmax(n=2)", d, Normal(5.0, scale)) for d in DIRECTIONS)
    assert forward.std.value == pytest.approx(exact["forward"].std.value, rel=1e-12)
    # dx_1 = y (1 - y) (dy_1 - dy_2)
    assert backward.std.value == pytest.approx(exact["backward"].std.value * math.sqrt(2.0), rel=1e-12)


@pytest.mark.parametrize("scale", [1e-3, 0.5, 3.9, 4.1])
def test_log_softmax_of_two_is_softplus_of_their_difference(scale):
    wide = Normal(0.0, scale * math.sqrt(2.0))
    exact = engine.estimate("quadrature", catalog.layer("softplus"), "forward", wide, Effort())
    for spec, sign in (("log_softmax(n=2)", -1.0), ("cross_entropy(n=2)", 1.0)):
        forward = found(spec, "forward", Normal(-2.0, scale))
        assert forward.mean.value == pytest.approx(sign * exact.mean.value, rel=1e-12)
        assert forward.std.value == pytest.approx(exact.std.value, rel=1e-12)


# --- limits ---


@pytest.mark.parametrize("scale", [1e-9, 1e-60, 1e-120])
@pytest.mark.parametrize("n", [2, 10**6])
def test_small_logits_make_the_family_linear(n, scale):
    law = Normal(0.0, scale)
    assert std(f"softmax(n={n})", "forward", law) == pytest.approx(scale * math.sqrt(1 - 1 / n) / n, rel=1e-9)
    assert std(f"softmax(n={n})", "backward", law) == pytest.approx(math.sqrt(1 - 1 / n) / n, rel=1e-9)
    assert std(f"logsumexp(n={n})", "forward", law) == pytest.approx(scale / math.sqrt(n), rel=1e-9)
    for name in ("log_softmax", "cross_entropy"):
        assert std(f"{name}(n={n})", "forward", law) == pytest.approx(scale * math.sqrt(1 - 1 / n), rel=1e-9)


@pytest.mark.parametrize("scale", [0.1, 1.0])
def test_many_logits_obey_the_law_of_large_numbers(scale):
    n, law = 10**8, Normal(0.0, scale)
    second = math.exp(scale**2)  # E v^2 with E v = 1
    assert std(f"softmax(n={n})", "forward", law) * n == pytest.approx(math.sqrt(second - 1.0), rel=1e-6)
    assert std(f"softmax(n={n})", "backward", law) * n == pytest.approx(math.sqrt(second), rel=1e-6)
    assert mean(f"logsumexp(n={n})", law) == pytest.approx(math.log(n) + 0.5 * scale**2, rel=1e-8)
    assert std(f"logsumexp(n={n})", "forward", law) == pytest.approx(math.sqrt((second - 1.0) / n), rel=1e-6)


def test_steep_logits_pick_the_largest():
    n, law = 5, Normal(1.0, 1e8)
    largest = engine.estimate("quadrature", catalog.layer("max_pool(kernel_size=5, ndim=1)"), "forward", law, Effort())
    found_it = found(f"logsumexp(n={n})", "forward", law)
    assert found_it.mean.value == pytest.approx(largest.mean.value, rel=1e-7)
    assert found_it.std.value == pytest.approx(largest.std.value, rel=1e-7)
    assert std(f"softmax(n={n})", "forward", law) == pytest.approx(math.sqrt((1 - 1 / n) / n), rel=1e-7)
    assert std(f"logsumexp(n={n})", "backward", law) == pytest.approx(1 / math.sqrt(n), rel=1e-7)


@pytest.mark.parametrize("n", [2, 10**6])
@EVERY
def test_figures_join_where_the_kind_of_nodes_changes(name, n):
    below, above = (Normal(0.0, s) for s in (4.0, math.nextafter(4.0, 5.0)))
    for direction in DIRECTIONS:
        a, b = (found(f"{name}(n={n})", direction, law) for law in (below, above))
        assert abs(a.std.value - b.std.value) <= a.std.error + b.std.error + 1e-14 * a.std.value
        assert abs(a.mean.value - b.mean.value) <= a.mean.error + b.mean.error + 1e-14 * abs(a.mean.value)


@pytest.mark.parametrize("law", [STANDARD, Normal(0.5, 3.6), Normal(0.0, 30.0)], ids=str)
@pytest.mark.parametrize("n", [2, 10, 10**6])
@EVERY
def test_the_default_tolerance_is_reached(name, n, law):
    for direction in DIRECTIONS:
        assert found(f"{name}(n={n})", direction, law).status == OK


# --- rules that tie the figures together ---


@pytest.mark.parametrize("law", [STANDARD, Normal(2.0, 0.1), Normal(0.0, 6.0)], ids=str)
@pytest.mark.parametrize("n", [2, 50])
def test_sum_rules_hold_between_the_layers(n, law):
    forward, weight = found(f"softmax(n={n})", "forward", law), found(f"logsumexp(n={n})", "backward", law)
    assert forward.mean.value == pytest.approx(1 / n, rel=1e-15)
    assert weight.std.value == pytest.approx(forward.rms.value, rel=1e-12)
    loss, log = found(f"cross_entropy(n={n})", "forward", law), found(f"log_softmax(n={n})", "forward", law)
    assert loss.mean.value == pytest.approx(-log.mean.value, rel=1e-12)
    assert loss.std.value == pytest.approx(log.std.value, rel=1e-12)
    # the softmax sums to 1, so that its gradient of log y and that of y are tied: 1 - 2/n + n E y^2
    square = 1 - 2 / n + n * forward.rms.value**2
    assert std(f"log_softmax(n={n})", "backward", law) == pytest.approx(math.sqrt(square), rel=1e-12)


@EVERY
@pytest.mark.parametrize("temperature", [0.5, 3.0])
def test_a_temperature_only_divides_logits_and_gradients(name, temperature):
    law = Normal(1.5, 0.75)
    seen = Normal(law.mean / temperature, law.std / temperature)
    warm, plain = f"{name}(n=6, temperature={temperature})", f"{name}(n=6)"
    assert mean(warm, law) == pytest.approx(mean(plain, seen), rel=1e-13)
    assert std(warm, "forward", law) == pytest.approx(std(plain, "forward", seen), rel=1e-13)
    assert std(warm, "backward", law) * temperature == pytest.approx(std(plain, "backward", seen), rel=1e-13)


def test_a_shift_of_the_logits_moves_nothing_but_their_log_sum():
    for name in FAMILY:
        for direction in DIRECTIONS:
            assert std(f"{name}(n=4)", direction, Normal(1e6, 1.0)) == std(f"{name}(n=4)", direction, STANDARD)
    assert mean("logsumexp(n=4)", Normal(7.0, 1.0)) == pytest.approx(7.0 + mean("logsumexp(n=4)"), rel=1e-14)


def test_label_smoothing_shrinks_the_target_and_not_the_mean():
    plain, smooth = (f"cross_entropy(n=10, label_smoothing={share})" for share in (0, 0.25))
    assert mean(plain) == mean(smooth)
    target = (1 - 1 / 10) / 10
    shrunk = std(plain, "backward") ** 2 - (1 - 0.75**2) * target
    assert std(smooth, "backward") == pytest.approx(math.sqrt(shrunk), rel=1e-12)
    shrunk = std(plain, "forward") ** 2 - (1 - 0.75**2) * (1 - 1 / 10)
    assert std(smooth, "forward") == pytest.approx(math.sqrt(shrunk), rel=1e-12)


def test_four_logits_agree_with_a_sum_over_a_grid_of_three_dimensions():
    z = np.arange(-8.0, 8.01, 0.4)
    weight = np.exp(-0.5 * z * z) * 0.4 / math.sqrt(2 * math.pi)
    a, b, c = np.meshgrid(z, z, z, indexing="ij")
    w = weight[:, None, None] * weight[:, None] * weight
    x = np.stack([(a + b + c) / 2, (a - b - c) / 2, (b - a - c) / 2, (c - a - b) / 2])  # orthonormal, sums to 0
    p = np.exp(x) / np.exp(x).sum(axis=0)
    squares = (p * p).sum(axis=0)
    turned = (p * p * ((1 - p) ** 2 + squares - p * p)).sum(axis=0) / 4
    assert std("softmax(n=4)", "forward") == pytest.approx(math.sqrt((w * squares).sum() / 4 - 1 / 16), rel=1e-9)
    assert std("softmax(n=4)", "backward") == pytest.approx(math.sqrt((w * turned).sum()), rel=1e-9)
    log = np.log(np.exp(x).sum(axis=0))
    centre = (w * log).sum()
    assert mean("logsumexp(n=4)") == pytest.approx(centre, rel=1e-9)
    assert std("logsumexp(n=4)", "forward") == pytest.approx(
        math.sqrt((w * (log - centre) ** 2).sum() + 0.25), rel=1e-9
    )


# --- simulation ---


def jacobian(f, x, step=1e-6):
    columns = [(f(x + step * e) - f(x - step * e)) / (2 * step) for e in np.eye(len(x))]
    return np.stack(columns, axis=1)


def test_helpers_of_the_simulation_are_the_definitions():
    rng = np.random.default_rng(0)
    x, dy = rng.standard_normal(5) * 3, rng.standard_normal(5)
    plain = np.array([math.exp(v) / sum(math.exp(u) for u in x) for v in x])
    assert softmax_of(x)[1] == pytest.approx(plain, rel=1e-14)
    assert log_sum_exp(x)[0] == pytest.approx(math.log(sum(math.exp(u) for u in x)), rel=1e-14)
    assert softmax_gradient(plain, dy) == pytest.approx(jacobian(lambda v: softmax_of(v)[1], x).T @ dy, abs=1e-8)


DEFINITIONS = {
    "softmax": lambda x: np.exp(x) / np.exp(x).sum(),
    "log_softmax": lambda x: x - np.log(np.exp(x).sum()),
    "logsumexp": lambda x: np.array([np.log(np.exp(x).sum())]),
}


@pytest.mark.parametrize("name", list(DEFINITIONS))
def test_the_simulation_is_the_definition_and_its_jacobian_row_by_row(name):
    law, temperature, rows, n = Normal(0.5, 1.5), 0.8, 4, 3
    layer = catalog.layer(f"{name}(n={n}, temperature={temperature})")
    f = DEFINITIONS[name]
    y = layer.simulate("forward", np.random.default_rng(3), rows, law)
    dx = layer.simulate("backward", np.random.default_rng(3), rows, law)
    rng = np.random.default_rng(3)
    x = law.sample(rng, (rows, n))
    dy = rng.standard_normal((rows, len(f(x[0]))))
    for i in range(rows):
        assert y[i] == pytest.approx(f(x[i] / temperature), rel=1e-12)
        assert dx[i] == pytest.approx(jacobian(lambda v: f(v / temperature), x[i]).T @ dy[i], abs=1e-7)


def test_the_simulated_loss_is_that_of_the_drawn_label_and_its_gradient():
    law, smoothing, rows, n = Normal(0.5, 1.5), 0.2, 6, 4
    layer = catalog.layer(f"cross_entropy(n={n}, label_smoothing={smoothing})")
    y = layer.simulate("forward", np.random.default_rng(5), rows, law)
    dx = layer.simulate("backward", np.random.default_rng(5), rows, law)
    rng = np.random.default_rng(5)
    x, labels = law.sample(rng, (rows, n)), rng.integers(n, size=rows)
    dy = rng.standard_normal((rows, 1))
    for i in range(rows):
        target = [(1 - smoothing) * (j == labels[i]) + smoothing / n for j in range(n)]

        def loss(v, target=target):
            p = np.exp(v) / np.exp(v).sum()
            return np.array([-sum(q * math.log(share) for q, share in zip(target, p, strict=True))])

        assert y[i] == pytest.approx(loss(x[i]), rel=1e-12)
        assert dx[i] == pytest.approx(jacobian(loss, x[i]).T @ dy[i], abs=1e-7)


@EVERY
def test_a_sample_agrees_within_five_standard_errors(name):
    for direction in DIRECTIONS:
        layer, law = catalog.layer(f"{name}(n=7)"), Normal(1.0, 1.7)
        exact = engine.estimate("quadrature", layer, direction, law, Effort())
        sampled = engine.estimate("monte-carlo", layer, direction, law, Effort(samples=20_000, seed=1))
        assert abs(exact.std.value - sampled.std.value) <= 5.0 * sampled.std.error
