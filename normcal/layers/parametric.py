"""Layers with weights at initialisation: linear (dense) and convolution."""

from __future__ import annotations

import math

from normcal.layer import FORWARD, Layer, Param, Reference
from normcal.layers._windows import KERNEL, NDIM, STRIDE, Windows, check_size, per_dimension

UNIT_FAN_IN, UNIT_FAN_OUT, WEIGHT_NORM = "unit_fan_in", "unit_fan_out", "weight_norm"
_ROOT2 = math.sqrt(2.0)
#: scheme -> (default gain, E[w^2] / gain^2 from fan_in and fan_out)
_SCHEMES = {
    UNIT_FAN_IN: (1.0, lambda fan_in, fan_out: 1.0 / fan_in),
    UNIT_FAN_OUT: (1.0, lambda fan_in, fan_out: 1.0 / fan_out),
    WEIGHT_NORM: (1.0, lambda fan_in, fan_out: 1.0 / fan_in),
    "kaiming_normal": (_ROOT2, lambda fan_in, fan_out: 1.0 / fan_in),
    "kaiming_uniform": (_ROOT2, lambda fan_in, fan_out: 1.0 / fan_in),
    "kaiming_normal_fan_out": (_ROOT2, lambda fan_in, fan_out: 1.0 / fan_out),
    "kaiming_uniform_fan_out": (_ROOT2, lambda fan_in, fan_out: 1.0 / fan_out),
    "xavier_normal": (1.0, lambda fan_in, fan_out: 2.0 / (fan_in + fan_out)),
    "xavier_uniform": (1.0, lambda fan_in, fan_out: 2.0 / (fan_in + fan_out)),
    "lecun_normal": (1.0, lambda fan_in, fan_out: 1.0 / fan_in),
    "lecun_uniform": (1.0, lambda fan_in, fan_out: 1.0 / fan_in),
}
_MOST_FEATURES = 1_000_000
_INIT = Param("init", UNIT_FAN_IN, tuple(_SCHEMES), "how the weights are drawn")
_GAIN = Param(
    "gain", None, "(0, inf)", "factor on the weights; by default √2 for Kaiming, 1 otherwise", typical=(1.0, _ROOT2)
)


class _Weighted(Layer):
    r"""A layer :math:`y = Wx` with a weight matrix (fan_out, fan_in) drawn by ``init``.

    The weights are centred and uncorrelated, so that over weights and input together
    :math:`E y = 0` and :math:`E y^2 = E\lVert W_i\rVert^2 (\sigma^2 + \mu^2)`.
    """

    formula, latex = "y = W x", "y = Wx"
    moments = (
        (
            "forward mean",
            "0 (for one fixed row: μ Σⱼ Wᵢⱼ)",
            r"0\ (\text{for one fixed row } \mu \textstyle\sum_j W_{ij})",
        ),
        (
            "forward std",
            "√(E‖Wᵢ‖² (σ² + μ²)) (for one fixed row: σ ‖Wᵢ‖)",
            r"\sqrt{E\lVert W_i\rVert^2 (\sigma^2+\mu^2)}\ (\text{for one fixed row } \sigma\lVert W_i\rVert)",
        ),
        (
            "backward std",
            "√(E‖W.ⱼ‖²), over the weights that meet one input entry",
            r"\sqrt{E\lVert W_{\cdot j}\rVert^2}",
        ),
    )
    assumptions = (
        "moments are over the weights at initialisation and the input",
        "no bias",
    )
    references = (
        Reference("Arpit et al. 2016, Normalization Propagation", "arXiv:1603.01431"),
        Reference("Salimans & Kingma 2016, Weight Normalization", "arXiv:1602.07868"),
        Reference("He et al. 2015, Delving Deep into Rectifiers", "arXiv:1502.01852"),
        Reference("Glorot & Bengio 2010, Understanding the difficulty of training deep feedforward neural networks"),
    )

    #: filled by check(): fans as initialisers count them, and how many weights meet an input entry
    fan_in = fan_out = 1
    met = 1.0

    def _bind(self) -> None:
        if self.gain is None:
            self.gain = _SCHEMES[self.init][0]

    def notes(self, law):
        if law.mean == 0.0:
            return []
        return [
            f"{self.name}: mean and std are over the weights too; one fixed weight row W has mean μ ΣW and std σ ‖W‖"
        ]

    def closed_forward(self, law, m):
        from normcal.numerics.balls import Ball, hypot

        return Ball(0.0), self._weight_rms(m) * m.sqrt(Ball(float(self.fan_in))) * hypot(Ball(law.std), Ball(law.mean))

    def closed_backward(self, law, m):
        from normcal.numerics.balls import Ball

        return self._weight_rms(m) * m.sqrt(Ball(self.met))

    def _weight_rms(self, m):
        """Return sqrt(E[w^2]) as a ball."""
        from normcal.numerics.balls import Ball

        square = _SCHEMES[self.init][1](self.fan_in, self.fan_out)
        return m.sqrt(Ball(square, 2.0**-52 * square)) * self.gain

    def _draw_weights(self, rng, rows: int):
        """Draw ``rows`` weight matrices (rows, out, per-output shape)."""
        import numpy as np

        shape = (rows, *self.weight_shape)
        if self.init.startswith(("kaiming", "xavier", "lecun")):
            rms = self.gain * math.sqrt(_SCHEMES[self.init][1](self.fan_in, self.fan_out))
            if "uniform" in self.init:
                return rng.uniform(-math.sqrt(3.0) * rms, math.sqrt(3.0) * rms, shape)
            return rng.standard_normal(shape) * rms
        v = rng.standard_normal(shape)
        over = (1, 3) if self.init == UNIT_FAN_OUT else (2, 3)  # columns of an input channel, or rows
        return v * (self.gain / np.sqrt(np.sum(v * v, axis=over, keepdims=True)))


class Linear(_Weighted):
    """A dense layer with the weights of an initialisation."""

    name = "linear"
    aliases = ("dense", "fully_connected", "inner_product")
    params = (
        Param("in_features", 256, f"1..{_MOST_FEATURES}", "fan-in", typical=(16, 256)),
        Param("out_features", 256, f"1..{_MOST_FEATURES}", "fan-out", typical=(16, 256)),
        _INIT,
        _GAIN,
    )

    def check(self) -> None:
        self._bind()
        self.fan_in, self.fan_out, self.met = self.in_features, self.out_features, float(self.out_features)
        self.weight_shape = (self.out_features, self.in_features, 1)

    def draws(self) -> int:
        Windows((1,), (1,)).check_simulable(self.in_features * self.out_features)
        return self.in_features * self.out_features

    def simulate(self, direction, rng, rows, law):
        import numpy as np

        weights = self._draw_weights(rng, rows)[..., 0]
        if direction == FORWARD:
            return np.matmul(weights, law.sample(rng, (rows, self.in_features, 1)))[..., 0]
        return np.matmul(rng.standard_normal((rows, 1, self.out_features)), weights)[:, 0, :]


class Conv(_Weighted):
    """A convolution in one to three dimensions with the weights of an initialisation."""

    name = "conv"
    aliases = ("convolution",)
    formula, latex = "y = W ∗ x", r"y = W * x"
    assumptions = (
        *_Weighted.assumptions,
        "positions are interior ones; the backward std is the root mean square over them",
    )
    params = (
        Param("in_channels", 64, f"1..{_MOST_FEATURES}", "input channels", typical=(3, 16, 64)),
        Param("out_channels", 64, f"1..{_MOST_FEATURES}", "output channels", typical=(16, 64)),
        KERNEL,
        Param("stride", 1, STRIDE.domain, STRIDE.doc, typical=(1, 2), shape=True),
        NDIM,
        _INIT,
        _GAIN,
    )

    def check(self) -> None:
        self._bind()
        kernel = per_dimension(self.name, "kernel_size", self.kernel_size, self.ndim)
        stride = per_dimension(self.name, "stride", self.stride, self.ndim)
        taps, step = math.prod(kernel), math.prod(stride)
        check_size(self.name, "kernel_size", taps)
        check_size(self.name, "stride", step)
        self.windows = Windows(kernel, stride)
        self.fan_in, self.fan_out = self.in_channels * taps, self.out_channels * taps
        self.met = self.fan_out / step
        self.weight_shape = (self.out_channels, self.in_channels, taps)

    def draws(self) -> int:
        self.windows.check_simulable(self.in_channels)
        self.windows.check_simulable(self.out_channels)
        Windows((1,), (1,)).check_simulable(math.prod(self.weight_shape))
        return math.prod(self.weight_shape) + self.windows.windows * self.windows.entries * self.in_channels

    def simulate(self, direction, rng, rows, law):
        import numpy as np

        weights = self._draw_weights(rng, rows).reshape(rows, self.out_channels, -1)
        index = self.windows.index
        if direction == FORWARD:
            x = law.sample(rng, (rows, self.in_channels, self.windows.positions))
            patches = x[:, :, index].transpose(0, 1, 3, 2).reshape(rows, weights.shape[2], len(index))
            return np.matmul(weights, patches).reshape(rows, -1)
        dy = rng.standard_normal((rows, self.out_channels, len(index)))
        passed = np.matmul(weights.transpose(0, 2, 1), dy).reshape(rows, self.in_channels, -1, len(index))
        dx = np.zeros((self.windows.positions, rows, self.in_channels))
        np.add.at(dx, index.T.ravel(), passed.reshape(rows, self.in_channels, -1).transpose(2, 0, 1))
        return dx.transpose(1, 2, 0).reshape(rows, -1)
