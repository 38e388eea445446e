"""Recurrent cells: one step against nested loops of the definition, gradients against differences, exact cases."""

import math

import numpy as np
import pytest
from mpmath import mp, mpf

from normcal import catalog, engine
from normcal.engine import Effort
from normcal.errors import RequestError, Unsupported
from normcal.law import STANDARD, Normal

SMALL = "input_size=2, hidden_size=3"
CELLS = ["rnn_cell(nonlinearity=tanh", "rnn_cell(nonlinearity=relu", "lstm_cell(output=hidden", "lstm_cell(output=cell",
         "gru_cell("]  # fmt: skip


def cell(text, more=""):
    return catalog.layer(f"{text}{'' if text.endswith('(') else ', '}{SMALL}{more})")


def estimate(name, spec, direction, law=STANDARD, **effort):
    return engine.get(name).estimate(catalog.layer(spec), direction, law, Effort(**effort))


def logistic(x):
    return 1.0 / (1.0 + math.exp(-x))


def by_loops(layer, w, u, b, x, states):
    """The documented step of PyTorch's cells, entry by entry."""
    size, h = layer.hidden_size, states[0]
    new = []
    for j in range(size):
        left = [b[0, g, j] + sum(w[g, j, k] * x[k] for k in range(layer.input_size)) for g in range(layer.gates)]
        right = [b[1, g, j] + sum(u[g, j, k] * h[k] for k in range(size)) for g in range(layer.gates)]
        both = [p + q for p, q in zip(left, right, strict=True)]
        if layer.name == "rnn_cell":
            new.append(math.tanh(both[0]) if layer.nonlinearity == "tanh" else max(both[0], 0.0))
        elif layer.name == "lstm_cell":
            c = logistic(both[1]) * states[1][j] + logistic(both[0]) * math.tanh(both[2])
            new.append(c if layer.output == "cell" else logistic(both[3]) * math.tanh(c))
        else:
            reset, update = logistic(both[0]), logistic(both[1])
            n = math.tanh(left[2] + reset * right[2])
            new.append((1.0 - update) * n + update * h[j])
    return np.array(new)


def drawn(layer, seed=0):
    rng = np.random.default_rng(seed)
    sizes = (layer.gates, layer.hidden_size)
    w, u = rng.standard_normal((*sizes, layer.input_size)), rng.standard_normal((*sizes, layer.hidden_size))
    states = [rng.standard_normal(layer.hidden_size) for _ in layer.inputs[1:]]
    return w, u, rng.standard_normal((2, *sizes)), rng.standard_normal(layer.input_size), states, rng


def halves(w, u, b, x, h):
    return (np.einsum("gij,j->gi", w, x) + b[0])[None], (np.einsum("gij,j->gi", u, h) + b[1])[None]


@pytest.mark.parametrize("text", CELLS)
def test_a_step_is_its_definition_entry_by_entry(text):
    layer = cell(text)
    w, u, b, x, states, _ = drawn(layer)
    new = layer.step(*halves(w, u, b, x, states[0]), *(s[None] for s in states))[0][0]
    assert np.allclose(new, by_loops(layer, w, u, b, x, states), rtol=1e-14)


@pytest.mark.parametrize("text", CELLS)
def test_the_backward_pass_is_the_difference_quotient_of_the_step(text):
    """d/dt of dy . step is compared for every entry of the input, of each state, and of both matrices."""
    layer = cell(text)
    w, u, b, x, states, rng = drawn(layer, seed=3)
    dy = rng.standard_normal(layer.hidden_size)
    into_w, into_u, direct = layer.back(dy[None], *halves(w, u, b, x, states[0]), *(s[None] for s in states))
    found = [np.einsum("gij,gi->j", w, into_w[0])]
    found.append(np.einsum("gij,gi->j", u, into_u[0]) + np.ravel(direct.get("hidden", 0.0)))
    found += [direct[name][0] for name in layer.inputs[2:]]
    found += [into_w[0][:, :, None] * x, into_u[0][:, :, None] * states[0]]
    for array, gradient in zip([x, *states, w, u], found, strict=True):
        for place in np.ndindex(array.shape):
            kept, step = array[place], 1e-5
            array[place] = kept + step
            above = dy @ by_loops(layer, w, u, b, x, states)
            array[place] = kept - step
            below = dy @ by_loops(layer, w, u, b, x, states)
            array[place] = kept
            assert gradient[place] == pytest.approx((above - below) / (2 * step), rel=1e-7, abs=1e-8)


@pytest.mark.parametrize("std", ["1", "0.3", "2.5"])
def test_unit_rows_make_a_simple_cell_its_activation(std):
    """E tanh^2, E sech^4 and E a^2 sech^4 by mpmath; Var dx = H/(I + H) E f'^2."""
    law = Normal(0.0, float(std))
    with mp.workdps(30):
        s = mpf(float(std))
        square, slope, moved = (
            mp.quad(lambda z, g=g: g(s * z) * mp.npdf(z), mp.linspace(-12, 12, 25))
            for g in (lambda a: mp.tanh(a) ** 2, lambda a: mp.sech(a) ** 4, lambda a: a**2 * mp.sech(a) ** 4)
        )
        spec = "rnn_cell(input_size=3, hidden_size=5)"
        forward, backward = (estimate("quadrature", spec, d, law) for d in ("forward", "backward"))
        wanted = {"input": mp.sqrt(slope * 5 / 8), "weight_ih": mp.sqrt(moved / 8 + s**2 * slope * 7 / 8)}
        assert abs(mpf(forward.std.value) - mp.sqrt(square)) <= forward.std.error <= 1e-12
        for name, exact in wanted.items():
            value = backward.parts[name].std
            assert abs(mpf(value.value) - exact) <= value.error <= 1e-12


def test_a_rectified_cell_has_the_constants_of_the_rectifier():
    spec = "rnn_cell(input_size=6, hidden_size=2, nonlinearity=relu)"
    forward, backward = (estimate("closed-form", spec, d, Normal(0.0, 3.0)) for d in ("forward", "backward"))
    assert forward.mean.value == pytest.approx(3.0 / math.sqrt(2.0 * math.pi), rel=1e-15)
    assert forward.std.value == pytest.approx(3.0 * math.sqrt(0.5 - 0.5 / math.pi), rel=1e-15)
    assert backward.std.value == pytest.approx(math.sqrt(0.5 * 2 / 8), rel=1e-15)
    assert backward.parts["weight_hh"].std.value == pytest.approx(3.0 * math.sqrt(0.5), rel=1e-15)


@pytest.mark.parametrize("text", ["rnn_cell(nonlinearity=tanh", "rnn_cell(nonlinearity=relu"])
@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_the_simulation_of_unit_rows_agrees_with_the_integrals(text, direction):
    spec = cell(text).spec
    exact = estimate("quadrature", spec, direction, Normal(0.0, 1.5))
    sample = estimate("monte-carlo", spec, direction, Normal(0.0, 1.5), samples=20_000)
    for name in ["", *exact.parts]:
        a, b = (found.parts[name] if name else found for found in (exact, sample))
        assert abs(a.std.value - b.std.value) <= 5.0 * b.std.error, name
        assert abs(a.mean.value - b.mean.value) <= 5.0 * b.mean.error, name


@pytest.mark.parametrize("text", CELLS)
@pytest.mark.parametrize("init", ["unit_fan_in", "torch_default", "keras_default"])
def test_weights_are_drawn_as_their_name_says(text, init):
    layer = cell(text, f", init={init}")
    w, u, b = layer._draw(np.random.default_rng(0), 400)
    assert w.shape == (400, layer.gates, 3, 2) and u.shape == (400, layer.gates, 3, 3)
    if init == "unit_fan_in":
        assert np.allclose((w**2).sum(axis=3) + (u**2).sum(axis=3), 1.0) and not b.any()
    elif init == "torch_default":
        every = np.concatenate([w.ravel(), u.ravel(), b.ravel()]) * math.sqrt(3.0)
        assert np.abs(every).max() <= 1.0 and np.abs(every).max() > 0.99
        assert (every**2).mean() == pytest.approx(1.0 / 3.0, abs=0.02)
    else:
        flat = u.reshape(400, -1, 3)
        assert np.allclose(flat.transpose(0, 2, 1) @ flat, np.eye(3), atol=1e-12)
        assert np.abs(w).max() <= math.sqrt(6.0 / (2 + 3 * layer.gates))
        forget = 1.0 if layer.name == "lstm_cell" else 0.0
        assert np.all(b[:, 0, 1:2] == forget) and not b[:, 0, 2:].any() and not b[:, 1].any()


@pytest.mark.parametrize("text", CELLS)
def test_a_draw_has_the_entries_of_every_state_and_both_matrices(text):
    layer = cell(text)
    y = layer.simulate("forward", np.random.default_rng(7), 4, STANDARD)
    gradients = layer.simulate("backward", np.random.default_rng(7), 4, STANDARD)
    assert y.shape == (4, 3) and gradients["input"].shape == (4, 2)
    assert all(gradients[name].shape == (4, 3) for name in layer.inputs[1:])
    assert {"weight_ih", "weight_hh"} == set(gradients) - set(layer.inputs)


@pytest.mark.parametrize("text", CELLS)
def test_a_centred_input_leaves_a_mean_of_0_but_for_the_rectifier(text):
    found = engine.get("monte-carlo").estimate(cell(text), "forward", STANDARD, Effort(samples=20_000))
    if "relu" in text:
        assert found.mean.value > 0.3
    else:
        assert abs(found.mean.value) <= 5.0 * found.mean.error


@pytest.mark.parametrize(
    ("spec", "law", "reason"),
    [
        ("rnn_cell(init=torch_default)", STANDARD, "norm of a weight row is random"),
        ("rnn_cell", Normal(0.5, 1.0), "with an input mean"),
        ("lstm_cell", STANDARD, "gates of one step share their input"),
        ("gru_cell", STANDARD, "gates of one step share their input"),
    ],
    ids=str,
)
@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_what_no_formula_serves_says_why(spec, law, reason, direction):
    for name in ("closed-form", "quadrature"):
        with pytest.raises(Unsupported, match=reason):
            engine.get(name).estimate(catalog.layer(spec), direction, law, Effort())


def test_a_cell_that_is_too_wide_to_draw_says_so():
    with pytest.raises(Unsupported, match="numbers"):
        estimate("monte-carlo", "lstm_cell(hidden_size=4000)", "forward", samples=10)


@pytest.mark.parametrize(
    "spec", ["rnn_cell(nonlinearity=gelu)", "lstm_cell(hidden_size=0)", "gru_cell(init=he)", "gru_cell(output=cell)"]
)
def test_parameters_that_cannot_be_are_refused(spec):
    with pytest.raises(RequestError):
        catalog.layer(spec)


def test_other_names_are_those_of_the_frameworks():
    names = {"RNNCell": "rnn_cell", "LSTMCell": "lstm_cell", "GRUCell": "gru_cell", "SimpleRNNCell": "rnn_cell"}
    assert all(catalog.find(given).name == name for given, name in names.items())
