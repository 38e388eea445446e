"""Recurrent cells, one step at initialisation: simple RNN, LSTM, GRU."""

from __future__ import annotations

import math

from normcal.errors import Unsupported
from normcal.layer import FORWARD, Component, Layer, Param, Reference
from normcal.layers._initialisers import Initialiser, Shape

UNIT_FAN_IN, TORCH, KERAS = "unit_fan_in", "torch_default", "keras_default"
_SIZE = "1..100000"
#: Weights that one simulated draw may take: two matrices of 1024 x 4096, and more.
_MOST_SIMULATED = 20_000_000
#: Rows and columns of a weight matrix whose gradient one simulated draw follows.
_FOLLOWED = 4


class _Cell(Layer):
    r"""A cell whose gates see :math:`a = W x + U h + b`.

    With ``unit_fan_in`` a row of the joint matrix :math:`[W\ U]` is uniform on the unit sphere and there is no bias,
    so that for a centred input each pre-activation is exactly :math:`N(0, \sigma^2)`, and independent of the row.
    """

    inputs = ("input", "hidden")
    gates = 1
    params = (
        Param("input_size", 32, _SIZE, "entries of the input", typical=(8, 32)),
        Param("hidden_size", 32, _SIZE, "entries of a state", typical=(8, 32)),
        Param(
            "init", UNIT_FAN_IN, (UNIT_FAN_IN, TORCH, KERAS),
            "weights: unit rows of [W U] without bias; PyTorch's, U(−1/√hidden, 1/√hidden) with two biases; Keras's,"
            " Glorot uniform and orthogonal without bias",
        ),
    )  # fmt: skip
    assumptions = (
        "one step; moments are over the weights at initialisation and the inputs; "
        "every state has independent entries of the input's law",
        "the gradient arrives at the new state alone; a weight's gradient is that of one sample",
    )

    def entries(self, name: str) -> float:
        return float(self.input_size if name == "input" else self.hidden_size)

    def draws(self) -> int:
        cost = self.gates * self.hidden_size * (self.input_size + self.hidden_size)
        if cost > _MOST_SIMULATED:
            raise Unsupported(f"one simulated draw would take {cost:.2g} numbers, more than {_MOST_SIMULATED:_}")
        return cost + self.input_size + 3 * self.hidden_size

    def _draw(self, rng, rows: int):
        """Draw W (rows, gates, hidden, input), U (rows, gates, hidden, hidden) and biases (rows, 2, gates, hidden)."""
        import numpy as np

        high, wide, size = self.gates * self.hidden_size, self.input_size, self.hidden_size
        biases = np.zeros((rows, 2, self.gates, size))
        if self.init == UNIT_FAN_IN:
            both = Initialiser(UNIT_FAN_IN, {}, Shape(high, wide + size)).draw(rng, rows)[..., 0]
            w, u = both[..., :wide], both[..., wide:]
        elif self.init == TORCH:
            bound = 1.0 / math.sqrt(size)
            w, u = (rng.uniform(-bound, bound, (rows, high, n)) for n in (wide, size))
            biases = rng.uniform(-bound, bound, biases.shape)
        else:
            w = Initialiser("xavier_uniform", {"gain": 1.0}, Shape(high, wide)).draw(rng, rows)[..., 0]
            u = Initialiser("orthogonal", {"gain": 1.0}, Shape(high, size)).draw(rng, rows)[..., 0]
            biases = self._keras_biases(biases)
        return w.reshape(rows, self.gates, size, wide), u.reshape(rows, self.gates, size, size), biases

    def _keras_biases(self, biases):
        return biases

    def simulate(self, direction, rng, rows, law):
        import numpy as np

        w, u, biases = self._draw(rng, rows)
        x = law.sample(rng, (rows, 1, self.input_size, 1))
        states = [law.sample(rng, (rows, self.hidden_size)) for _ in self.inputs[1:]]
        h = states[0][:, None, :, None]
        seen = np.matmul(w, x)[..., 0] + biases[:, 0], np.matmul(u, h)[..., 0] + biases[:, 1]
        if direction == FORWARD:
            return self.step(*seen, *states)[0]
        dy = law.incoming(rng, (rows, self.hidden_size))
        into_w, into_u, direct = self.back(dy, *seen, *states)
        found = {
            "input": np.einsum("rgij,rgi->rj", w, into_w),
            "hidden": np.einsum("rgij,rgi->rj", u, into_u) + direct.get("hidden", 0.0),
        } | {name: value for name, value in direct.items() if name != "hidden"}
        for name, into, sent in (("weight_ih", into_w, x[:, 0, :, 0]), ("weight_hh", into_u, states[0])):
            corner = into[:, :, :_FOLLOWED, None] * sent[:, None, None, :_FOLLOWED]
            found[name] = corner.reshape(rows, -1)
        return found

    def step(self, from_input, from_hidden, *states):
        """Return the new state, and what the backward pass keeps, from both halves of the pre-activations."""
        raise NotImplementedError

    def back(self, dy, from_input, from_hidden, *states):
        """Return the gradients of both halves (rows, gates, hidden), and what reaches the states directly."""
        raise NotImplementedError


class RNNCell(_Cell):
    """One step of a simple (Elman) recurrent network."""

    name = "rnn_cell"
    aliases = ("simple_rnn_cell", "elman_cell", "vanilla_rnn_cell")
    params = (*_Cell.params, Param("nonlinearity", "tanh", ("tanh", "relu"), "activation f"))
    formula, latex = "h' = f(W x + U h + b)", r"h' = f(Wx + Uh + b)"
    moments = (
        (
            "forward mean, std",
            "those of f(a), a ~ N(0, σ²), at init=unit_fan_in and μ = 0",
            r"\text{those of } f(a),\ a \sim N(0, \sigma^2), \text{ for unit rows and } \mu = 0",
        ),
        (
            "backward std",
            "√(hidden/(input + hidden) E f'(a)²), for input and hidden alike",
            r"\sqrt{\tfrac{H}{I + H}\, E f'(a)^2} \text{ for input and hidden alike}",
        ),
        (
            "gradient of a weight",
            "√(E[a² f'(a)²]/n + (1 − 1/n) σ² E f'(a)²), n = input + hidden",
            r"\sqrt{E[a^2 f'(a)^2]/n + (1 - 1/n)\sigma^2 E f'(a)^2},\ n = I + H",
        ),
    )
    references = (
        Reference("Elman 1990, Finding Structure in Time, Cognitive Science 14"),
        Reference("Arpit et al. 2016, Normalization Propagation", "arXiv:1603.01431"),
    )

    def _exact(self, law) -> None:
        """Raise the reason where a pre-activation is not exactly normal."""
        if self.init != UNIT_FAN_IN:
            raise Unsupported(
                f"with init={self.init} the norm of a weight row is random, the pre-activation not normal"
            )
        if law.mean != 0.0:
            raise Unsupported("with an input mean the pre-activation depends on the sum of a row, and is not normal")

    def _f(self, x, m):
        return m.tanh(x) if self.nonlinearity == "tanh" else m.maximum(x, 0.0)

    def _moved(self, x, m):
        """Return a f'(a), which meets the weights."""
        return x * m.sech2(x) if self.nonlinearity == "tanh" else m.where(x > 0.0, x, 0.0)

    def closed_forward(self, law, m):
        self._exact(law)
        if self.nonlinearity != "relu":
            raise Unsupported("no closed form is given for the moments of tanh")
        from normcal.numerics.balls import Ball

        share = 1.0 / Ball(math.pi, 2.0**-52) * 0.5
        return m.sqrt(share) * law.std, m.sqrt(0.5 - share) * law.std

    def closed_backward(self, law, m):
        self._exact(law)
        if self.nonlinearity != "relu":
            raise Unsupported("no closed form is given for the slope of tanh")
        from normcal.numerics.balls import Ball

        half = Ball(0.5)
        return self._gradients(law, m.sqrt(half), m.sqrt(half) * law.std, m)

    def components(self, direction, law):
        self._exact(law)
        kinks = (0.0,) if self.nonlinearity == "relu" else ()
        return [Component(self._f, kinks, ((0.0, 1.0),))]

    def undefined(self, direction, law):
        if direction != FORWARD and law.std == 0.0 == law.mean and self.nonlinearity == "relu":
            return "the input is constant and lies on a kink, where the derivative jumps"
        return ""

    def reduced_backward(self, law, q, m):
        (component,) = self.components("backward", law)
        moved = Component(component.f, component.kinks, component.features, slope=self._moved)
        return self._gradients(law, q.slope(component, law), q.slope(moved, law), m)

    def _gradients(self, law, slope, moved, m):
        """Put together E f'^2 and E a^2 f'^2: given a unit row w, x_j = w_j a + a rest of variance 1 - w_j^2."""
        from normcal.numerics.balls import Ball, root_of_squares

        whole = Ball(float(self.input_size + self.hidden_size))
        passed = slope * m.sqrt(Ball(float(self.hidden_size)) / whole)
        weight = root_of_squares([(1.0 / whole, moved), (1.0 - 1.0 / whole, slope * law.std)])
        return {"input": passed, "hidden": passed, "weight_ih": weight, "weight_hh": weight}

    def step(self, from_input, from_hidden, h):
        from normcal.numerics.arrays import ARRAYS

        return (self._f((from_input + from_hidden)[:, 0], ARRAYS),)

    def back(self, dy, from_input, from_hidden, h):
        import numpy as np

        a = (from_input + from_hidden)[:, 0]
        slope = 1.0 - np.tanh(a) ** 2 if self.nonlinearity == "tanh" else (a > 0.0) * 1.0
        into = (dy * slope)[:, None, :]
        return into, into, {}


class LSTMCell(_Cell):
    """One step of a long short-term memory: input, forget, cell and output gates."""

    name = "lstm_cell"
    inputs = ("input", "hidden", "cell")
    gates = 4
    params = (
        *_Cell.params,
        Param("output", "hidden", ("hidden", "cell"), "the new state that the figures are of: h' or c'"),
    )
    formula = "i, f, o = sigmoid(a), g = tanh(a), a = W x + U h + b;  c' = f c + i g;  h' = o tanh(c')"
    latex = r"i, f, o = \sigma(a),\ g = \tanh(a),\ a = Wx + Uh + b;\quad c' = fc + ig;\quad h' = o\tanh(c')"
    moments = (("forward mean", "0 for a centred input", r"0 \text{ for a centred input}"),)
    assumptions = (*_Cell.assumptions, "the gradient arrives at h' or c', as `output` says; the other gets none")
    references = (
        Reference("Hochreiter & Schmidhuber 1997, Long Short-Term Memory, Neural Computation 9"),
        Reference("Gers, Schmidhuber & Cummins 2000, Learning to Forget, Neural Computation 12"),
    )

    def closed_forward(self, law, m):
        raise Unsupported(
            "gates of one step share their input, so that no product of one-dimensional integrals is left"
        )

    closed_backward = closed_forward

    def components(self, direction, law):
        return self.closed_forward(law, None)

    def _keras_biases(self, biases):
        biases[:, 0, 1] = 1.0  # unit_forget_bias
        return biases

    def step(self, from_input, from_hidden, h, cell):
        import numpy as np

        from normcal.numerics.arrays import ARRAYS

        a = from_input + from_hidden
        i, f, o = (ARRAYS.sigmoid(a[:, k]) for k in (0, 1, 3))
        g = np.tanh(a[:, 2])
        new = f * cell + i * g
        return (new if self.output == "cell" else o * np.tanh(new)), i, f, g, o, new

    def back(self, dy, from_input, from_hidden, h, cell):
        import numpy as np

        _, i, f, g, o, new = self.step(from_input, from_hidden, h, cell)
        t = np.tanh(new)
        hidden = self.output == "hidden"
        dc = dy * o * (1.0 - t * t) if hidden else dy
        do = dy * t if hidden else np.zeros_like(dy)
        parts = [dc * g * i * (1.0 - i), dc * cell * f * (1.0 - f), dc * i * (1.0 - g * g), do * o * (1.0 - o)]
        into = np.stack(parts, axis=1)
        return into, into, {"cell": dc * f}


class GRUCell(_Cell):
    """One step of a gated recurrent unit: reset, update and new gates."""

    name = "gru_cell"
    gates = 3
    formula = "r, z = sigmoid(W x + U h + b);  n = tanh(W x + b + r (U h + b'));  h' = (1 − z) n + z h"
    latex = r"r, z = \sigma(Wx + Uh + b);\quad n = \tanh(Wx + b + r(Uh + b'));\quad h' = (1 - z)n + zh"
    moments = (("forward mean", "0 for a centred input", r"0 \text{ for a centred input}"),)
    references = (
        Reference("Cho et al. 2014, Learning Phrase Representations using RNN Encoder-Decoder", "arXiv:1406.1078"),
    )

    def closed_forward(self, law, m):
        raise Unsupported(
            "gates of one step share their input, so that no product of one-dimensional integrals is left"
        )

    closed_backward = closed_forward

    def components(self, direction, law):
        return self.closed_forward(law, None)

    def step(self, from_input, from_hidden, h):
        import numpy as np

        from normcal.numerics.arrays import ARRAYS

        r, z = (ARRAYS.sigmoid(from_input[:, k] + from_hidden[:, k]) for k in (0, 1))
        n = np.tanh(from_input[:, 2] + r * from_hidden[:, 2])
        return (1.0 - z) * n + z * h, r, z, n

    def back(self, dy, from_input, from_hidden, h):
        import numpy as np

        _, r, z, n = self.step(from_input, from_hidden, h)
        new = dy * (1.0 - z) * (1.0 - n * n)
        reset = new * from_hidden[:, 2] * r * (1.0 - r)
        update = dy * (h - n) * z * (1.0 - z)
        return np.stack([reset, update, new], axis=1), np.stack([reset, update, new * r], axis=1), {"hidden": dy * z}
