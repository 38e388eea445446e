"""Normalisation by the statistics of a group: batch, layer, instance, group, root mean square, and the statistics."""

from __future__ import annotations

import math

from normcal.errors import RequestError, Unsupported
from normcal.layer import FORWARD, Component, Layer, Param, Reference

_MOST = 1_000_000_000
#: Numbers that one simulated draw may take, and up to which all groups of a shape are simulated together.
_MOST_SIMULATED, _TOGETHER = 1_000_000, 4096
#: The eps of most frameworks, for notes on groups so small that eps = 0 says little.
_USUAL_EPS = 1e-5
#: Below this ratio of eps to the variance a sample does not see the rare draws that carry E dx^4.
_UNSEEN = 1e-9

_WEIGHT = Param("weight", 1.0, "(-inf, inf)", "affine factor γ", typical=(0.5, -2.0), quiet=True)
_BIAS = Param("bias", 0.0, "(-inf, inf)", "affine shift β", typical=(0.25,), quiet=True)
_IOFFE = Reference("Ioffe & Szegedy 2015, Batch Normalization", "arXiv:1502.03167")
_DLMF = Reference("NIST DLMF 2010, chapter 8.19: generalised exponential integral", "dlmf.nist.gov/8.19")


def _size(default: int, typical: tuple[int, ...]) -> Param:
    doc = f"entries M that share their statistics; {default} where neither it nor shape is given"
    return Param("group_size", None, f"1..{_MOST}", doc, typical=typical)


def _shape(typical: tuple[int, ...]) -> Param:
    doc = "shape (N, C, ...) of the input, from which M follows"
    accepts = "two to five whole numbers (N, C, ...), such as (32, 64, 8, 8)"
    return Param("shape", None, f"1..{_MOST}", doc, typical=(typical,), shape=True, accepts=accepts)


def _eps(default: float, typical: tuple[float, ...] = (0.0, 1e-3)) -> Param:
    return Param("eps", default, "[0, inf)", "ε, added to the variance", typical=typical)


class _Normaliser(Layer):
    """What all layers share that divide M entries by the root of a quadratic form of them."""

    #: entries without a shape; whether the mean is removed; dimensions that a shape needs
    usual_size = 256
    centred = True
    least_dimensions = 2
    formula = "γ (x − m)/√(v + ε) + β, m and v the mean and the biased variance of the group"
    latex = r"\gamma\,\frac{x - m}{\sqrt{v + \varepsilon}} + \beta,\ m = \tfrac1M\sum x_i,\ v = \tfrac1M\sum(x_i-m)^2"
    moments = (
        ("forward mean", "β", r"\beta"),
        (
            "forward std",
            "|γ| √E[v/(v+ε)] = |γ| √(k eˣ E_{k+1}(x)), k = (M−1)/2, x = εM/(2σ²); |γ| at ε = 0",
            r"|\gamma|\sqrt{k\,e^xE_{k+1}(x)},\ k = \tfrac{M-1}2,\ x = \tfrac{\varepsilon M}{2\sigma^2}",
        ),
        (
            "backward std",
            "|γ| √(E[(M−2 + (ε/(v+ε))²)/(v+ε)]/M); |γ| √((M−2)/(M−3))/σ at ε = 0",
            r"|\gamma|\sqrt{\tfrac1M E\Bigl[\tfrac{M-2+(\varepsilon/(v+\varepsilon))^2}{v+\varepsilon}\Bigr]};\quad"
            r"\tfrac{|\gamma|}{\sigma}\sqrt{\tfrac{M-2}{M-3}}\ \text{at}\ \varepsilon=0",
        ),
    )
    assumptions = ("the entries of a group are independent", "γ and β are one number each")
    references = (_IOFFE, _DLMF)

    def check(self) -> None:
        given = self.given.get("group_size") is not None
        if self.shape is not None:
            if given:
                raise RequestError(f"{self.name}: give group_size or shape, not both.", "Accepted: either of them.")
            self._check_shape()
            self.group_size = self._entries(self.shape[0], self.shape[1], math.prod(self.shape[2:]))
        elif not given:
            self.group_size = self.usual_size
        if self.group_size > _MOST:
            raise RequestError(
                f"{self.name}: shape makes groups of {self.group_size:.3g} entries.",
                f"Accepted: at most {_MOST:_} entries.",
            )
        if self.group_size < 1 + self.centred:
            what = "group_size cannot be 1" if given else "shape leaves 1 entry a group"
            raise RequestError(
                f"{self.name}: {what}: one entry less its own mean is 0, whatever it is (PyTorch refuses it too).",
                "Accepted: groups of at least 2 entries.",
            )

    def _check_shape(self) -> None:
        if not isinstance(self.shape, tuple) or not self.least_dimensions <= len(self.shape) <= 5:
            raise RequestError(
                f"{self.name}: shape cannot be {self.shape}.",
                f"Accepted: {self.least_dimensions} to 5 whole numbers (N, C, ...), such as (32, 64, 8, 8).",
            )

    def _entries(self, samples: int, channels: int, positions: int) -> int:
        """Return M from the shape (N, C, ...)."""
        raise NotImplementedError

    def _matrices(self, samples: int, channels: int) -> tuple:
        """Return the matrices of the groups over samples and over channels."""
        from normcal.layers._statistics import identity

        return identity(samples), identity(channels)

    @property
    def _rank(self) -> int:
        return self.group_size - self.centred

    # -- where moments do not exist

    def undefined(self, direction, law):
        if law.std == 0.0 and self.eps == 0.0 and (self.centred or law.mean == 0.0):
            return "the input is constant, so that at eps = 0 the layer is 0/0"
        return ""

    def infinite(self, direction, law):
        if direction != FORWARD and self.eps == 0.0 and law.std > 0.0 and self._rank == 2 and self.weight:
            what = "variance" if self.centred else "mean square"
            return f"E[1/{what}] diverges at eps = 0 for groups of {self.group_size} entries"
        return ""

    def heavy(self, direction, law):
        if direction == FORWARD or law.std == 0.0 or self._rank > 4:
            return ""
        if self.eps == 0.0 and self._rank == 1:
            return "the gradient is 0, so that a simulation sees nothing but its own rounding"
        if self.eps == 0.0:
            return "the fourth moment of the gradient is infinite at eps = 0 for so small a group"
        if self.eps < _UNSEEN * law.std * law.std:
            return "rare draws of nearly equal entries, which no sample holds, carry the moments of the gradient"
        return ""

    def notes(self, law):
        if not (self.centred and self.eps == 0.0 and self._rank <= 2 and law.std > 0.0):
            return []
        what = "is 0 at eps = 0, yet grows as eps^(-1/4)"
        if self._rank == 2:
            what = "is infinite at eps = 0, and grows as the root of log(1/eps)"
        return [
            f"{self.name}: for groups of {self.group_size} entries the backward std {what} for eps -> 0"
            + self._at_the_usual_eps(law)
        ]

    def _at_the_usual_eps(self, law) -> str:
        from normcal.layers._chi import closed_gradient
        from normcal.numerics.balls import BALLS

        try:
            found = closed_gradient(self._rank, self.group_size, law, _USUAL_EPS, BALLS) * abs(self.weight)
        except Unsupported:  # the input is out of all proportion to it
            return ""
        return f"; eps = {_USUAL_EPS:g} gives {float(found.mid):.6g}"

    # -- moments

    def _affine(self, mean, std, rms=None):
        from normcal.numerics.balls import Ball

        mean = mean * self.weight + self.bias if mean.mid else Ball(self.bias)
        if rms is None or self.bias:
            return mean, std * abs(self.weight)
        return mean, std * abs(self.weight), rms * abs(self.weight)

    def _plain(self, law) -> bool:
        """Whether the mean of the input does not matter."""
        return self.centred or law.mean == 0.0

    def closed_forward(self, law, m):
        from normcal.layers._chi import closed_output
        from normcal.numerics.balls import Ball

        if law.std == 0.0:
            value = Ball(0.0) if self._plain(law) else Ball(law.mean) / m.sqrt(Ball(law.mean).square() + self.eps)
            return self._affine(value, Ball(0.0))
        if not self._plain(law):
            raise Unsupported("the formula holds where the mean is 0 or removed")
        return self._affine(Ball(0.0), closed_output(self._rank, self.group_size, law, self.eps, m))

    def closed_backward(self, law, m):
        from normcal.layers._chi import closed_gradient
        from normcal.numerics.balls import Ball

        if not self.weight or (self.eps == 0.0 and self._rank == 1):
            return Ball(0.0)
        if law.std == 0.0 and self._plain(law):
            return m.sqrt(Ball(float(self._rank)) / float(self.group_size) / self.eps) * abs(self.weight)
        if not self._plain(law) or law.std == 0.0:
            raise Unsupported("the formula holds where the mean is 0 or removed, and the input varies")
        return closed_gradient(self._rank, self.group_size, law, self.eps, m) * abs(self.weight)

    def reduced_forward(self, law, q, m):
        from normcal.layers._normaliser import centred_spaces, rms_of_output, uncentred_output
        from normcal.numerics.balls import Ball

        if not self.centred:
            return self._affine(*uncentred_output(self.group_size, law, self.eps, q, m))
        if law.std == 0.0:
            raise Unsupported("the input is constant: there is nothing to integrate")
        rms = rms_of_output(centred_spaces(self.group_size), law, self.eps, q, m)
        return self._affine(Ball(0.0), rms)

    def reduced_backward(self, law, q, m):
        from normcal.layers._normaliser import centred_spaces, rms_of_gradient, uncentred_gradient

        if not self.weight or (self.eps == 0.0 and self._rank == 1):
            raise Unsupported("the gradient is 0: there is nothing to integrate")
        if self.centred:
            return rms_of_gradient(centred_spaces(self.group_size), law, self.eps, q, m) * abs(self.weight)
        return uncentred_gradient(self.group_size, law, self.eps, q, m) * abs(self.weight)

    # -- simulation

    def _grid(self) -> tuple[int, int, int]:
        """Return the samples, channels and positions that are simulated: all of a small shape, else one group."""
        if self.shape is not None and math.prod(self.shape) <= _TOGETHER:
            return self.shape[0], self.shape[1], math.prod(self.shape[2:])
        return 1, 1, self.group_size

    def draws(self) -> int:
        count = math.prod(self._grid())
        if count > _MOST_SIMULATED:
            raise Unsupported(f"one simulated draw would take {count:.2g} numbers, more than {_MOST_SIMULATED:_}")
        return count

    def _pass(self, x, grid):
        from normcal.layers._statistics import Statistics, identity, normalise

        alone = grid == (1, 1, self.group_size)
        matrices = (identity(1), identity(1)) if alone else self._matrices(*grid[:2])
        one = [Statistics(1.0, *matrices)]
        return normalise(x, one if self.centred else [], one, self.eps, centred=self.centred)

    constrained = True

    def simulate(self, direction, rng, rows, law):
        from normcal.layers._statistics import half

        return half(self.run(direction, rng, rows, law), rng)

    def run(self, direction, rng, rows, law):
        grid = self._grid()
        x = law.sample(rng, (rows, *grid))
        y, pullback = self._pass(x, grid)
        if direction == FORWARD:
            return (y * self.weight + self.bias).reshape(rows, -1)
        return pullback(law.incoming(rng, x.shape, x) * self.weight).reshape(rows, -1)


class BatchNorm(_Normaliser):
    r"""Standardises each channel by its mean and variance over the batch, or by frozen ones.

    M = N H W entries share their statistics. ``mode=inference`` uses ``running_mean`` and ``running_var``
    instead: the layer is then one affine map.
    """

    name = "batch_norm"
    aliases = ("batch_norm1d", "batch_norm2d", "batch_norm3d", "sync_batch_norm")
    presets = {"batch_normalization": {"eps": 1e-3}, "frozen_batch_norm": {"mode": "inference"}}
    params = (
        _size(256, (8, 64, 256)),
        _shape((8, 4, 4, 4)),
        _eps(1e-5),
        Param(
            "mode", "training", ("training", "inference"), "statistics of the batch, or the running ones", quiet=True
        ),
        Param("running_mean", 0.0, "(-inf, inf)", "mean used at inference", typical=(0.5,), quiet=True),
        Param("running_var", 1.0, "[0, inf)", "variance used at inference", typical=(4.0,), quiet=True),
        _WEIGHT,
        _BIAS,
    )
    assumptions = (*_Normaliser.assumptions, "in training mode the gradient passes through the statistics too")
    references = (
        _IOFFE,
        Reference("Luo et al. 2019, Towards Understanding Regularization in Batch Normalization", "arXiv:1809.00846"),
        _DLMF,
    )

    def check(self) -> None:
        super().check()
        if self.mode == "inference" and self.running_var == 0.0 == self.eps:
            raise RequestError(f"{self.name}: running_var cannot be 0 at eps = 0.", "Accepted: a positive one.")
        if self.mode == "training" and (self.running_mean, self.running_var) != (0.0, 1.0):
            raise RequestError(
                f"{self.name}: running_mean and running_var have no part in mode=training.", "Accepted: mode=inference."
            )

    def _entries(self, samples, channels, positions):
        return samples * positions

    def _matrices(self, samples, channels):
        from normcal.layers._statistics import identity, together

        return together(samples), identity(channels)

    @property
    def _frozen(self) -> bool:
        return self.mode == "inference"

    def undefined(self, direction, law):
        return "" if self._frozen else super().undefined(direction, law)

    def infinite(self, direction, law):
        return "" if self._frozen else super().infinite(direction, law)

    def heavy(self, direction, law):
        return "" if self._frozen else super().heavy(direction, law)

    def notes(self, law):
        if self._frozen:
            return []
        m = self.group_size
        return [
            f"{self.spec}: the noise of the batch statistics acts as a penalty on γ² of strength 1/(2M) = "
            f"{1.0 / (2.0 * m):.4g} through the mean and (ρ+2)/(8M) = {1.0 / (4.0 * m):.4g} through the std, at excess "
            "kurtosis ρ = 0 (Luo et al. 2019; to leading order in 1/M)",
            *super().notes(law),
        ]

    def _slope(self, m):
        from normcal.numerics.balls import Ball

        return Ball(self.weight) / m.sqrt(Ball(self.running_var) + self.eps)

    def closed_forward(self, law, m):
        if not self._frozen:
            return super().closed_forward(law, m)
        from normcal.numerics.balls import Ball

        return (Ball(law.mean) - self.running_mean) * self._slope(m) + self.bias, m.abs(self._slope(m)) * law.std

    def closed_backward(self, law, m):
        return m.abs(self._slope(m)) if self._frozen else super().closed_backward(law, m)

    def reduced_forward(self, law, q, m):
        return q.mixture(self.components(FORWARD, law), law) if self._frozen else super().reduced_forward(law, q, m)

    def reduced_backward(self, law, q, m):
        return q.slopes(self.components("backward", law), law) if self._frozen else super().reduced_backward(law, q, m)

    def components(self, direction, law):
        if not self._frozen:
            return super().components(direction, law)

        def f(x, n):
            return (x - self.running_mean) / n.sqrt(x * 0.0 + self.running_var + self.eps) * self.weight + self.bias

        return [Component(f)]

    def mixture(self, direction):
        return [(1.0, self.components(direction, None)[0].f)] if self._frozen else ()

    def draws(self) -> int:
        return 1 if self._frozen else super().draws()

    @property
    def constrained(self) -> bool:
        return not self._frozen

    def simulate(self, direction, rng, rows, law):
        return (self.run if self._frozen else super().simulate)(direction, rng, rows, law)

    def run(self, direction, rng, rows, law):
        if not self._frozen:
            return super().run(direction, rng, rows, law)
        slope = self.weight / math.sqrt(self.running_var + self.eps)
        if direction == FORWARD:
            return (law.sample(rng, (rows, 1)) - self.running_mean) * slope + self.bias
        return law.incoming(rng, (rows, 1)) * slope


class LayerNorm(_Normaliser):
    """Standardises each sample by the mean and variance of all its entries."""

    name = "layer_norm"
    presets = {"layer_normalization": {"eps": 1e-3}}
    usual_size = 768
    params = (_size(768, (16, 512)), _shape((4, 4, 4, 4)), _eps(1e-5), _WEIGHT, _BIAS)
    references = (Reference("Ba et al. 2016, Layer Normalization", "arXiv:1607.06450"), _DLMF)

    def _entries(self, samples, channels, positions):
        return channels * positions

    def _matrices(self, samples, channels):
        from normcal.layers._statistics import identity, together

        return identity(samples), together(channels)


class InstanceNorm(_Normaliser):
    """Standardises each channel of each sample by the mean and variance of its own map."""

    name = "instance_norm"
    aliases = ("instance_norm1d", "instance_norm2d", "instance_norm3d", "contrast_norm")
    usual_size = 1024
    least_dimensions = 3
    params = (_size(1024, (16, 256)), _shape((2, 3, 4, 4)), _eps(1e-5), _WEIGHT, _BIAS)
    references = (Reference("Ulyanov et al. 2016, Instance Normalization", "arXiv:1607.08022"), _DLMF)

    def _entries(self, samples, channels, positions):
        return positions


class GroupNorm(_Normaliser):
    """Standardises groups of neighbouring channels of each sample by their mean and variance."""

    name = "group_norm"
    presets = {"group_normalization": {"eps": 1e-3}}
    params = (
        _size(256, (16, 512)),
        _shape((2, 32, 4, 4)),
        Param("num_groups", 32, f"1..{_MOST}", "groups that the channels of a shape form", typical=(8, 32)),
        _eps(1e-5),
        _WEIGHT,
        _BIAS,
    )
    references = (Reference("Wu & He 2018, Group Normalization", "arXiv:1803.08494"), _DLMF)

    def _entries(self, samples, channels, positions):
        if channels % self.num_groups:
            raise RequestError(
                f"{self.name}: num_groups={self.num_groups} does not divide the {channels} channels of shape.",
                "Accepted: a divisor of the number of channels.",
            )
        return channels // self.num_groups * positions

    def _matrices(self, samples, channels):
        from normcal.layers._statistics import blocks, identity

        return identity(samples), blocks(channels, self.num_groups)


_UNCENTRED_MOMENTS = (
    (
        "forward mean",
        "γ E[x/√(q + ε)] + β, q the mean square of the group",
        r"\gamma E[x/\sqrt{q+\varepsilon}] + \beta",
    ),
    ("forward rms", "|γ| √E[q/(q+ε)] at β = 0; |γ| at ε = 0", r"|\gamma|\sqrt{E[q/(q+\varepsilon)]}"),
    (
        "backward std",
        "|γ| √(E[(M−1 + (ε/(q+ε))²)/(q+ε)]/M); |γ| √((M−1)/(M−2))/σ at ε = 0, μ = 0",
        r"|\gamma|\sqrt{\tfrac1M E\Bigl[\tfrac{M-1+(\varepsilon/(q+\varepsilon))^2}{q+\varepsilon}\Bigr]}",
    ),
)


class RMSNorm(_Normaliser):
    """Divides the entries of a group by their root mean square; the mean stays."""

    name = "rms_norm"
    presets = {"rms_normalization": {"eps": 1e-6}, "llama_rms_norm": {"eps": 1e-6}}
    centred = False
    usual_size = 768
    formula = "γ x/√(q + ε) + β, q = (x₁² + … + x_M²)/M"
    latex = r"\gamma\,\frac{x}{\sqrt{q + \varepsilon}} + \beta,\ q = \tfrac1M\sum x_i^2"
    moments = _UNCENTRED_MOMENTS
    params = (
        _size(768, (8, 512)),
        _shape((4, 4, 4, 4)),
        Param("eps", 2.0**-23, "[0, inf)", "ε, added to the mean square", typical=(0.0, 1e-6, 1e-3)),
        _WEIGHT,
        _BIAS,
    )
    references = (Reference("Zhang & Sennrich 2019, Root Mean Square Layer Normalization", "arXiv:1910.07467"), _DLMF)

    def _entries(self, samples, channels, positions):
        return channels * positions

    def _matrices(self, samples, channels):
        from normcal.layers._statistics import identity, together

        return identity(samples), together(channels)


class L2Norm(RMSNorm):
    r"""Scales the entries of a group to unit Euclidean length.

    :math:`y = x/\sqrt{\lVert x\rVert^2 + \varepsilon}`, with eps = 0 by default. Frameworks put a floor under the
    norm instead (1e-12 in PyTorch's ``normalize``), which no Gaussian vector of usual size meets.
    """

    name = "l2_norm"
    aliases = ("l2_normalize", "unit_norm", "unit_normalization", "normalize")
    presets = {}
    formula = "γ x/√(x₁² + … + x_M² + ε) + β"
    latex = r"\gamma\,\frac{x}{\sqrt{\lVert x\rVert^2 + \varepsilon}} + \beta"
    moments = (
        ("forward rms", "|γ|/√M at ε = 0, β = 0", r"|\gamma|/\sqrt M"),
        ("backward std", "|γ| √((M−1)/(M(M−2)))/σ at ε = 0, μ = 0", r"|\gamma|\sqrt{(M-1)/(M(M-2))}/\sigma"),
    )
    params = (
        _size(768, (8, 512)),
        _shape((4, 4, 4, 4)),
        Param("eps", 0.0, "[0, inf)", "ε, added to the squared length", typical=(1e-12, 1e-2)),
        _WEIGHT,
        _BIAS,
    )
    references = (
        Reference("Wang et al. 2017, NormFace: L2 Hypersphere Embedding for Face Verification", "arXiv:1704.06369"),
        _DLMF,
    )

    def check(self) -> None:
        super().check()
        self._as_rms = RMSNorm(group_size=self.group_size, eps=self.eps / self.group_size, weight=self.weight)

    def _scaled(self, std, m):
        from normcal.numerics.balls import Ball, U

        divisor = m.sqrt(Ball(float(self.group_size)))
        return std / Ball(divisor.mid, divisor.rad + U * divisor.mid)  # eps/M is rounded, and no std moves faster

    def _shifted(self, found, m):
        from normcal.numerics.balls import Ball

        found = tuple(self._scaled(ball, m) if ball.mid else ball for ball in found)
        mean = found[0] + self.bias if found[0].mid else Ball(self.bias)
        return (mean, *found[1:]) if not self.bias else (mean, found[1])

    def closed_forward(self, law, m):
        return self._shifted(self._as_rms.closed_forward(law, m), m)

    def closed_backward(self, law, m):
        return self._scaled(self._as_rms.closed_backward(law, m), m)

    def reduced_forward(self, law, q, m):
        return self._shifted(self._as_rms.reduced_forward(law, q, m), m)

    def reduced_backward(self, law, q, m):
        return self._scaled(self._as_rms.reduced_backward(law, q, m), m)

    def run(self, direction, rng, rows, law):
        import numpy as np

        x = law.sample(rng, (rows, self.group_size))
        length = np.sqrt(np.sum(x * x, axis=1, keepdims=True) + self.eps)
        if direction == FORWARD:
            return x / length * self.weight + self.bias
        dy = law.incoming(rng, x.shape, x) * self.weight
        return (dy - x / length * np.sum(dy * x, axis=1, keepdims=True) / length) / length

    def _grid(self):
        return 1, 1, self.group_size


class WeightStandardization(_Normaliser):
    r"""Standardises the fan-in weights of each output unit; the input here is the weights.

    The law of the input is that of the raw weights, and ``gain`` a factor on the standardised ones, such as
    :math:`\gamma/\sqrt{\mathrm{fan\_in}}`.
    """

    name = "weight_standardization"
    aliases = ("weight_standardisation", "standardized_weights", "ws_conv2d", "std_conv2d")
    formula = "γ (w − m)/√(v + ε), m and v the mean and the biased variance of the fan_in weights of a unit"
    latex = r"\gamma\,\frac{w - m}{\sqrt{v + \varepsilon}},\ m = \tfrac1M\sum w_i,\ v = \tfrac1M\sum(w_i-m)^2"
    params = (
        Param("fan_in", 576, f"2..{_MOST}", "weights M that meet one output unit", typical=(16, 288)),
        _eps(1e-5),
        Param("gain", 1.0, "(-inf, inf)", "factor γ on the standardised weights", typical=(0.5,), quiet=True),
    )
    assumptions = ("the weights are independent; the input's law is theirs",)
    references = (
        Reference("Qiao et al. 2019, Micro-Batch Training with Batch-Channel Normalization and Weight Standardization",
                  "arXiv:1903.10520"),
        _DLMF,
    )  # fmt: skip
    shape = None

    def check(self) -> None:
        self.group_size, self.weight, self.bias = self.fan_in, self.gain, 0.0

    def notes(self, law):
        return [
            f"{self.name}: the biased std with eps under the root, as in the paper; code that divides by (unbiased std "
            f"+ eps) gives √((M−1)/M) = {math.sqrt(1.0 - 1.0 / self.fan_in):.6g} of it at eps = 0",
            *super().notes(law),
        ]


class LocalResponseNorm(Layer):
    r"""Divides each channel by a power of the mean square over the neighbouring channels.

    PyTorch's form, with alpha divided by the window's size; Krizhevsky's paper and Caffe's older versions do
    not divide.
    """

    name = "local_response_norm"
    aliases = ("lrn", "cross_map_lrn2d")
    params = (
        Param("size", 5, "1..100000", "channels n of the window", typical=(3, 5)),
        Param("alpha", 1e-4, "[0, inf)", "factor α on the window's mean square", typical=(1e-4, 1.0)),
        Param("beta", 0.75, "(0, 20]", "exponent β", typical=(0.5, 0.75, 1.0)),
        Param("k", 1.0, "(0, inf)", "added to the mean square", typical=(1.0, 2.0)),
    )
    formula = "x/(k + (α/n) Σ x²)^β, over the n channels around"
    latex = r"x\,\bigl(k + \tfrac{\alpha}{n}\textstyle\sum_{j\in\text{window}} x_j^2\bigr)^{-\beta}"
    moments = (
        (
            "backward std",
            "√E[D^(−2β) (1 − 1/n + (1 − 2β + 2βk/D)²/n)], D = k + (α/n) Σ x²",
            r"\sqrt{E\bigl[D^{-2\beta}\bigl(1-\tfrac1n+\tfrac1n(1-2\beta+2\beta k/D)^2\bigr)\bigr]}",
        ),
    )
    assumptions = ("channels are interior ones, whose window is full", "the channels are independent")
    references = (Reference("Krizhevsky et al. 2012, ImageNet Classification with Deep Convolutional Neural Networks"),)

    def closed_forward(self, law, m):
        from normcal.layers._normaliser import response_to_constant
        from normcal.numerics.balls import Ball

        if law.std > 0.0:
            raise Unsupported("no closed form is given but for a constant input")
        return response_to_constant(self.alpha, self.beta, self.k, law, m), Ball(0.0)

    def reduced_forward(self, law, q, m):
        from normcal.layers._normaliser import response_output

        return response_output(self.size, self.alpha, self.beta, self.k, law, q, m)

    def reduced_backward(self, law, q, m):
        from normcal.layers._normaliser import response_gradient

        return response_gradient(self.size, self.alpha, self.beta, self.k, law, q, m)

    entangled = True

    def draws(self) -> int:
        if self.size > 1000:
            raise Unsupported("one simulated draw would gather more than 1_000_000 numbers")
        return 2 * self.size * self.size

    def simulate(self, direction, rng, rows, law):
        import numpy as np

        channels = 2 * self.size  # on a ring, so that every window is full
        window = (np.arange(channels)[:, None] + np.arange(self.size) - self.size // 2) % channels
        x = law.sample(rng, (rows, channels))
        divisor = self.k + self.alpha * np.mean(x[:, window] ** 2, axis=2)
        divisor[np.isinf(divisor)] = np.nan  # an overflow is no number, and no zero either
        if direction == FORWARD:
            return x * divisor**-self.beta
        dy = law.incoming(rng, x.shape, x)
        through = np.zeros((channels, rows))  # d(divisor), gathered over the windows that an entry lies in
        passed = -self.beta * dy * x * divisor ** (-self.beta - 1.0) * self.alpha / self.size
        np.add.at(through, window.ravel(), np.repeat(passed.T, self.size, axis=0))
        return dy * divisor**-self.beta + 2.0 * x * through.T


class BatchMean(Layer):
    """The mean of a batch of M entries."""

    name = "batch_mean"
    params = (Param("group_size", 256, f"1..{_MOST}", "entries M of the batch", typical=(8, 256)),)
    formula, latex = "(x₁ + … + x_M)/M", r"\tfrac1M\sum_{i=1}^M x_i"
    moments = (
        ("forward mean", "μ", r"\mu"),
        ("forward std", "σ/√M", r"\sigma/\sqrt M"),
        ("backward std", "1/M", "1/M"),
    )
    references = (_IOFFE,)

    def closed_forward(self, law, m):
        from normcal.numerics.balls import Ball

        return Ball(law.mean), Ball(law.std) / m.sqrt(Ball(float(self.group_size)))

    def closed_backward(self, law, m):
        from normcal.numerics.balls import Ball

        return Ball(1.0) / float(self.group_size)

    def draws(self) -> int:
        return _drawn(self.group_size)

    def simulate(self, direction, rng, rows, law):
        import numpy as np

        if direction == FORWARD:
            return law.sample(rng, (rows, self.group_size)).mean(axis=1, keepdims=True)
        return np.repeat(law.incoming(rng, (rows, 1)) / self.group_size, min(self.group_size, 8), axis=1)

    def run(self, direction, rng, rows, law):
        import numpy as np

        found = self.simulate(direction, rng, rows, law)
        return found if direction == FORWARD else np.repeat(found[:, :1], self.group_size, axis=1)


class BatchStd(Layer):
    r"""The biased standard deviation of a batch of M entries.

    It is :math:`\sigma\chi_{M-1}/\sqrt M`. For input of excess kurtosis rho its std is
    :math:`\sigma\sqrt{(\rho+2)/(4M)}` to leading order in 1/M, which ``excess_kurtosis`` puts in a note.
    """

    name = "batch_std"
    params = (
        Param("group_size", 256, f"2..{_MOST}", "entries M of the batch", typical=(8, 256)),
        Param(
            "excess_kurtosis",
            0.0,
            "[-2, inf)",
            "ρ of an input that is not normal, for a note on the std at large M",
            typical=(3.0,),
            quiet=True,
        ),
    )
    formula, latex = "√((1/M) Σ (xᵢ − m)²), m the mean", r"\sqrt{\tfrac1M\sum_{i=1}^M (x_i-m)^2}"
    moments = (
        (
            "forward mean",
            "σ √(2/M) Γ(M/2)/Γ((M−1)/2)",
            r"\sigma\sqrt{2/M}\,\Gamma(\tfrac M2)/\Gamma(\tfrac{M-1}2)",
        ),
        (
            "forward std",
            "√(σ² (M−1)/M − mean²), near σ/√(2M)",
            r"\sqrt{\sigma^2\tfrac{M-1}M - \text{mean}^2} \approx \sigma/\sqrt{2M}",
        ),
        ("backward std", "1/M", "1/M"),
    )
    references = (
        Reference("Luo et al. 2019, Towards Understanding Regularization in Batch Normalization", "arXiv:1809.00846"),
        Reference("Johnson, Kotz & Balakrishnan 1994, Continuous Univariate Distributions 1, chapter 18"),
    )

    def undefined(self, direction, law):
        constant = direction != FORWARD and law.std == 0.0
        return "the input is constant, where the root of the variance has no derivative" if constant else ""

    def notes(self, law):
        if self.excess_kurtosis == 0.0:
            return []
        std = law.std * math.sqrt((self.excess_kurtosis + 2.0) / (4.0 * self.group_size))
        return [
            f"{self.name}: for input of excess kurtosis {self.excess_kurtosis:g} the std is {std:.4g} to leading order "
            "in 1/M, an asymptotic value without a bound; the numbers here are those of normal input"
        ]

    def closed_forward(self, law, m):
        from normcal.layers._normaliser import chi_moments
        from normcal.numerics.balls import Ball

        mean, variance = chi_moments(self.group_size - 1, m)
        unit = Ball(law.std) / m.sqrt(Ball(float(self.group_size)))
        rms = Ball(law.std) * m.sqrt(Ball(float(self.group_size - 1)) / float(self.group_size))
        return mean * unit, m.sqrt(variance) * unit, rms

    def closed_backward(self, law, m):
        from normcal.numerics.balls import Ball

        return Ball(1.0) / float(self.group_size)

    def draws(self) -> int:
        return _drawn(self.group_size)

    def simulate(self, direction, rng, rows, law):
        x = law.sample(rng, (rows, self.group_size))
        std = x.std(axis=1, keepdims=True)
        if direction == FORWARD:
            return std
        return law.incoming(rng, (rows, 1)) * (x - x.mean(axis=1, keepdims=True)) / (self.group_size * std)


def _drawn(size: int) -> int:
    if size > _MOST_SIMULATED:
        raise Unsupported(f"one simulated draw would take {size:.2g} numbers, more than {_MOST_SIMULATED:_}")
    return size
