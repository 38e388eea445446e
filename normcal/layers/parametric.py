"""Layers with weights at initialisation: linear (dense), convolutions, embedding, DropConnect."""

from __future__ import annotations

import copy
import math
from dataclasses import replace

from normcal.errors import RequestError, Unsupported
from normcal.layer import ANYTHING, FORWARD, Layer, Param, Reference
from normcal.layers._initialisers import DIRAC, TRUNCATED, WEIGHT_NORM, Shape, bind, init_param, ones
from normcal.layers._taps import Taps
from normcal.layers._window_axes import Ring
from normcal.layers._windows import KERNEL, MOST_SIMULATED, NDIM, STRIDE, check_size, per_dimension

_MOST_FEATURES = 1_000_000
_ROOT2 = math.sqrt(2.0)
_INIT = init_param()
_GAIN = Param(
    "gain",
    None,
    "(0, inf)",
    "factor on the weights; by default the initialiser's, √2 for Kaiming",
    typical=(1.0, _ROOT2),
)
_BIAS = Param(
    "bias", "none", ("none", "zeros", "uniform"), "bias: none, 0, or U(−1/√fan_in, 1/√fan_in) as PyTorch draws it",
    quiet=True,
)  # fmt: skip
_POSITIONS = Param(
    "positions", 1, "1..1000000000", "output positions times samples that the gradient of a weight sums over",
    typical=(1, 6), quiet=True,
)  # fmt: skip
#: Weights whose gradient one simulated draw follows, along each axis: all are alike.
_FOLLOWED = 4


class _Weighted(Layer):
    r"""A layer :math:`y = Wx + b` with weights drawn by ``init``.

    An output entry sums n terms :math:`w x`. With :math:`\omega = E w`, uncorrelated weights and
    :math:`x \sim N(\mu, \sigma^2)`: :math:`E y = n\omega\mu` and
    :math:`\mathrm{Var}\,y = n E w^2 \sigma^2 + n \mathrm{Var}\,w\,\mu^2 + \mathrm{Var}\,b`.
    """

    formula, latex = "y = W x", "y = Wx"
    moments = (
        (
            "forward mean",
            "0 for centred weights, n μ E w otherwise (for one fixed row: μ Σⱼ Wᵢⱼ)",
            r"n\mu E w,\ 0 \text{ for centred weights}\ (\text{for one fixed row } \mu \textstyle\sum_j W_{ij})",
        ),
        (
            "forward std",
            "√(n E w² σ² + n Var w μ² + Var b), for centred weights √(E‖Wᵢ‖² (σ² + μ²) + Var b)"
            " (for one fixed row: σ ‖Wᵢ‖)",
            r"\sqrt{n E w^2 \sigma^2 + n \mathrm{Var}\,w\, \mu^2 + \mathrm{Var}\,b}"
            r"\ (\text{for one fixed row } \sigma\lVert W_i\rVert)",
        ),
        (
            "backward std",
            "√(E‖W.ⱼ‖²), over the weights that meet one input entry",
            r"\sqrt{E\lVert W_{\cdot j}\rVert^2}",
        ),
        (
            "gradient of a weight",
            "√(positions (σ² + μ²)); of a bias √positions",
            r"\sqrt{\mathrm{positions}\,(\sigma^2+\mu^2)};\ \text{of a bias } \sqrt{\mathrm{positions}}",
        ),
        (
            "gradients of weight_norm",
            "with W = g v/‖v‖ and rows of n: of v (g/‖v‖) √((1 − 1/n) positions (σ² + μ²)),"
            " of g √(positions (σ² + μ²))",
            r"W = g v/\lVert v\rVert:\ \frac{g}{\lVert v\rVert}\sqrt{(1 - 1/n)\,\mathrm{positions}\,(\sigma^2+\mu^2)}"
            r" \text{ of } v,\ \sqrt{\mathrm{positions}\,(\sigma^2+\mu^2)} \text{ of } g",
        ),
    )
    assumptions = (
        "moments are over the weights at initialisation and the input; different entries of a row are uncorrelated",
        "the gradient of a weight is that of one sample and one output position, or the sum over `positions` of them",
    )
    references = (
        Reference("Arpit et al. 2016, Normalization Propagation", "arXiv:1603.01431"),
        Reference("Salimans & Kingma 2016, Weight Normalization", "arXiv:1602.07868"),
        Reference("He et al. 2015, Delving Deep into Rectifiers", "arXiv:1502.01852"),
        Reference("Glorot & Bengio 2010, Understanding the difficulty of training deep feedforward neural networks"),
        Reference("LeCun et al. 1998, Efficient BackProp"),
        Reference("Saxe et al. 2014, Exact solutions to the nonlinear dynamics of learning", "arXiv:1312.6120"),
        Reference("Martens 2010, Deep learning via Hessian-free optimization (sparse initialisation)"),
        Reference("Zhang, Dauphin & Ma 2019, Fixup Initialization", "arXiv:1901.09321"),
        Reference(
            "Huang et al. 2020, Improving Transformer Optimization Through Better Initialization (T-Fixup), ICML"
        ),
        Reference("Wang et al. 2022, DeepNet: Scaling Transformers to 1,000 Layers (DeepNorm)", "arXiv:2203.00555"),
    )
    inputs = ("input",)
    #: What the layer is to an initialiser.
    kind = "linear"

    def _bind(self, shape: Shape, taps: Taps) -> None:
        """Read ``init`` for the weights of that shape; derive the gain and the sums' lengths."""
        param = next(p for p in self.params if p.name == "init")
        self.init, self.initialiser = bind(self.name, self.kind, param, self.init, shape, self.gain)
        self.shape, self.taps = shape, taps
        if self.gain is None:
            self.gain = self.initialiser.default_gain()

    def notes(self, law):
        found = []
        if self.initialiser.kind == TRUNCATED and self.initialiser.options.get("std", 1.0) != 1.0:
            found.append(
                f"{self.name}: a and b of trunc_normal are in units of std; PyTorch's trunc_normal_ takes absolute "
                "ones, so divide those by std"
            )
        if law.mean != 0.0:
            one = "one fixed weight row W has mean μ ΣW and std σ ‖W‖"
            found.append(f"{self.name}: mean and std are over the weights too; {one}")
        return found

    def closed_forward(self, law, m):
        from normcal.numerics.balls import Ball, root_of_squares

        mean, variance = self._entry(m)
        step = float(self.taps.step) if self.shape.transposed else 1.0
        count = Ball(float(self.shape.row)) / step
        square = count * (mean.square() + variance)
        spread = count * variance
        if self.initialiser.kind == DIRAC:
            passed = float(ones(self.shape)) / Ball(float(self.shape.first))
            spread = square * (1.0 - passed)
        elif self.shape.transposed and not self.initialiser.centred:
            met = self.taps.spread()
            channels = float(self.shape.first // self.shape.groups)
            spread = spread + (mean * channels).square() * (Ball(float(met.numerator)) / float(met.denominator))
        terms = [(square, Ball(law.std)), (spread, Ball(law.mean)), (1.0, self._bias_std(m))]
        shift = Ball(0.0) if self.initialiser.centred or law.mean == 0.0 else count * mean * law.mean
        return shift, root_of_squares(terms)

    def closed_backward(self, law, m):
        from normcal.numerics.balls import Ball, hypot

        mean, variance = self._entry(m)
        step = 1.0 if self.shape.transposed else float(self.taps.step)
        met = Ball(float(self.shape.column)) / step
        found = {"input": m.sqrt(met * (mean.square() + variance))}
        passed = hypot(Ball(law.std), Ball(law.mean)) * m.sqrt(Ball(float(self.positions)))
        found |= self._weight_gradients(passed, m)
        if self.bias != "none":
            found["bias"] = m.sqrt(Ball(float(self.positions * self._written())))
        return found

    def _written(self) -> int:
        """How many output positions belong to one of `positions`: a transposed convolution counts input ones."""
        return self.taps.step if self.shape.transposed else 1

    def _weight_gradients(self, passed, m):
        """Return the std of the gradients of the weights: ``passed`` is that of an entry of W."""
        if self.initialiser.name != WEIGHT_NORM:
            return {"weight": passed}
        from normcal.numerics.balls import Ball

        left = m.sqrt(1.0 - 1.0 / Ball(float(self.shape.row))) if self.shape.row > 1 else Ball(0.0)
        return {"weight_v": passed * left * self.gain / self.initialiser.options["v_norm"], "weight_g": passed}

    def _entry(self, m):
        """Return (mean, variance) of what an input entry is multiplied with, as balls."""
        return self.initialiser.entry(m)

    def _bias_std(self, m):
        from normcal.numerics.balls import Ball

        if self.bias != "uniform":
            return Ball(0.0)
        return 1.0 / m.sqrt(Ball(3.0 * self.shape.own))

    def _followed(self) -> tuple[int, int, int]:
        """How many of the weights along each axis one draw follows the gradient of; whole rows of weight_norm."""
        shape = self.shape
        first, second = min(shape.first // shape.groups, _FOLLOWED), min(shape.second, _FOLLOWED)
        if self.initialiser.name != WEIGHT_NORM:
            return first, second, min(shape.taps, _FOLLOWED)
        if shape.transposed:
            return shape.first // shape.groups, min(second, 2), shape.taps
        return min(first, 2), shape.second, shape.taps

    def draws(self) -> int:
        shape, taps = self.shape, self.taps
        maps = -(-self.positions // taps.windows)
        followed = math.prod(self._followed())
        largest = max(
            shape.size,
            taps.windows * shape.groups * shape.own,
            taps.windows * shape.first,
            taps.positions * shape.groups * shape.second,
            maps * (taps.windows * self._followed()[0] + taps.positions * self._followed()[1]),
            maps * taps.windows * self._followed()[1] * self._followed()[2],
            followed,
            min(shape.first, _FOLLOWED) * self.positions * self._written() if self.bias != "none" else 0,
        )
        if largest > MOST_SIMULATED:
            raise Unsupported(f"one simulated draw would take {largest:.2g} numbers, more than {MOST_SIMULATED:_}")
        work = shape.size * self.initialiser.work
        return work + taps.windows * shape.first + taps.positions * shape.groups * shape.second + followed * maps

    def simulate(self, direction, rng, rows, law):
        import numpy as np

        weights, out = self._passed(direction, rng, rows, law)
        if direction == FORWARD:
            return out
        found = {"input": out}
        found |= self._simulated_gradients(rng, rows, law, weights)
        if self.bias != "none":
            count = min(self.shape.first, _FOLLOWED)
            found["bias"] = np.sum(law.incoming(rng, (rows, count, self.positions * self._written())), axis=2)
        return found

    def run(self, direction, rng, rows, law):
        return self._passed(direction, rng, rows, law)[1]

    def _passed(self, direction, rng, rows, law):
        """Return the weights, and what they make of the input or of the incoming gradient."""
        shape, taps = self.shape, self.taps
        weights = self._realised(rng, rows)
        at_windows = (rows, shape.groups, shape.first // shape.groups, taps.windows)
        at_positions = (rows, shape.groups, shape.second, taps.positions)
        forward = direction == FORWARD
        into, run = (at_windows, self._scatter) if forward == shape.transposed else (at_positions, self._gather)
        z = law.sample(rng, into) if forward else law.incoming(rng, into)
        out = run(weights, z)
        if forward and self.bias == "uniform":
            bound = 1.0 / math.sqrt(shape.own)
            out = out + rng.uniform(-bound, bound, (*out.shape[:-1], 1))
        return weights, out.reshape(rows, -1)

    def _realised(self, rng, rows):
        """Draw the weights that a forward and a backward pass see."""
        return self.initialiser.draw(rng, rows)

    def _gather(self, weights, z):
        """Convolve: sum over second index and taps what each window sees. (rows, groups, first, windows)."""
        import numpy as np

        shape = self.shape
        w = weights.reshape(len(z), shape.groups, -1, shape.own)
        seen = z[..., self.taps.index].transpose(0, 1, 2, 4, 3)
        return np.matmul(w, seen.reshape(len(z), shape.groups, shape.own, -1))

    def _scatter(self, weights, z):
        """The adjoint: each window adds to the positions of its taps. (rows, groups, second, positions)."""
        import numpy as np

        shape, index = self.shape, self.taps.index
        w = weights.reshape(len(z), shape.groups, -1, shape.own)
        parts = np.matmul(w.transpose(0, 1, 3, 2), z)
        parts = parts.reshape(len(z), shape.groups, shape.second, shape.taps, len(index))
        if self.taps.positions == 1:
            return parts.sum(axis=3)
        found = np.zeros((self.taps.positions, len(z), shape.groups, shape.second))
        np.add.at(found, index.T.ravel(), np.moveaxis(parts.reshape(*parts.shape[:3], -1), -1, 0))
        return np.moveaxis(found, 0, -1)

    def _simulated_gradients(self, rng, rows, law, weights):
        """Sum dy x over positions for a corner of the weights, on as many maps as hold the positions."""
        import numpy as np

        first, second, count = self._followed()
        taps = self.taps
        maps = -(-self.positions // taps.windows)
        draw = [lambda size: law.sample(rng, size), lambda size: law.incoming(rng, size)]
        of_windows, of_positions = draw if self.shape.transposed else draw[::-1]
        high = of_windows((rows, maps, first, taps.windows))
        high[:, -1, :, self.positions - (maps - 1) * taps.windows :] = 0.0
        low = of_positions((rows, maps, second, taps.positions))[..., taps.index[:, :count]]
        high = high.transpose(0, 2, 1, 3).reshape(rows, first, -1)
        low = low.transpose(0, 1, 3, 2, 4).reshape(rows, maps * taps.windows, second * count)
        gradient = np.matmul(high, low).reshape(rows, first, second, count)
        if self.initialiser.name != WEIGHT_NORM:
            return {"weight": gradient.reshape(rows, -1)}
        unit = weights[:, :first, :second, :count] / self.gain
        axes = (1, 3) if self.shape.transposed else (2, 3)
        along = np.sum(unit * gradient, axis=axes, keepdims=True)
        through = (gradient - unit * along) * (self.gain / self.initialiser.options["v_norm"])
        return {"weight_v": through.reshape(rows, -1), "weight_g": along.reshape(rows, -1)}


_ALONE = Taps((1,), (1,), (1,))
_FEATURES = (
    Param("in_features", 256, f"1..{_MOST_FEATURES}", "fan-in", typical=(16, 256)),
    Param("out_features", 256, f"1..{_MOST_FEATURES}", "fan-out", typical=(16, 256)),
)


class Linear(_Weighted):
    """A dense layer with the weights of an initialisation."""

    name = "linear"
    aliases = ("dense", "fully_connected", "inner_product")
    params = (*_FEATURES, _INIT, _GAIN, _BIAS, _POSITIONS)

    def check(self) -> None:
        self._bind(Shape(self.out_features, self.in_features), _ALONE)


class DropConnect(_Weighted):
    """A dense layer that drops each weight at random, anew for every sample."""

    name = "drop_connect"
    aliases = ("dropconnect_linear",)
    formula, latex = (
        "y = c (M ∘ W) x, Mᵢⱼ = 1 with probability q",
        r"y = c\,(M \circ W)x,\ M_{ij} \sim \mathrm{Bernoulli}(q)",
    )
    moments = (
        ("forward mean", "n c q μ E w, 0 for centred weights", r"n c q\,\mu E w,\ 0 \text{ for centred weights}"),
        (
            "forward std",
            "c √(q E‖Wᵢ‖² (σ² + μ²) + Var b/c²) for centred weights",
            r"c\sqrt{q E\lVert W_i\rVert^2 (\sigma^2+\mu^2) + \mathrm{Var}\,b/c^2} \text{ for centred weights}",
        ),
        ("backward std", "c √(q E‖W.ⱼ‖²)", r"c\sqrt{q E\lVert W_{\cdot j}\rVert^2}"),
        ("gradient of a weight", "c √(q positions (σ² + μ²))", r"c\sqrt{q\,\mathrm{positions}\,(\sigma^2+\mu^2)}"),
    )
    assumptions = (
        *_Weighted.assumptions,
        "the mask is independent of everything else, and the same in both directions",
    )
    references = (Reference("Wan et al. 2013, Regularization of Neural Networks using DropConnect, ICML"),)
    params = (
        *_FEATURES,
        Param(
            "keep_prob",
            0.5,
            "(0, 1]",
            "probability q that a weight is kept",
            typical=(0.5, 0.9),
            complement="drop_prob",
        ),
        Param("scaling", "inverted", ("plain", "inverted", "unit"), "factor c on kept weights: 1, 1/q or 1/√q"),
        init_param(typical=("kaiming_normal",)),
        _GAIN,
        _BIAS,
        _POSITIONS,
    )
    kind = "drop_connect"

    def check(self) -> None:
        self._bind(Shape(self.out_features, self.in_features), _ALONE)
        if self.initialiser.name == WEIGHT_NORM:
            raise RequestError(f"{self.name}: init cannot be weight_norm.", "Accepted: unit_fan_in, the same weights.")

    def _factor(self, q, m):
        return {"plain": 1.0, "inverted": 1.0 / q, "unit": 1.0 / m.sqrt(q)}[self.scaling]

    def _entry(self, m):
        from normcal.numerics.balls import Ball, ball

        mean, variance = self.initialiser.entry(m)
        q = Ball(self.keep_prob)
        c = ball(self._factor(q, m))
        return c * q * mean, c * c * q * (variance + (1.0 - q) * mean.square())

    def _weight_gradients(self, passed, m):
        from normcal.numerics.balls import Ball

        q = Ball(self.keep_prob)
        return {"weight": passed * m.sqrt(q) * self._factor(q, m)}

    def _realised(self, rng, rows):
        weights = super()._realised(rng, rows)
        return weights * self._mask(rng, weights.shape)

    def _mask(self, rng, shape):
        return (rng.random(shape) < self.keep_prob) * self._factor(self.keep_prob, math)

    def _simulated_gradients(self, rng, rows, law, weights):
        import numpy as np

        first, second, _ = self._followed()
        dy = law.incoming(rng, (rows, first, 1, self.positions))
        x = law.sample(rng, (rows, 1, second, self.positions))
        gradient = np.sum(self._mask(rng, (rows, first, second, self.positions)) * dy * x, axis=3)
        return {"weight": gradient.reshape(rows, -1)}


_CONV_ASSUMPTIONS = (
    *_Weighted.assumptions,
    "positions are interior ones, so that padding is irrelevant;"
    " where they differ, the std is the root mean square over them",
    "initialisers count fans as PyTorch does: groups do not divide the fan-out",
)
_CHANNELS = (
    Param("in_channels", 64, f"1..{_MOST_FEATURES}", "input channels", typical=(16, 64)),
    Param("out_channels", 64, f"1..{_MOST_FEATURES}", "output channels", typical=(16, 64)),
)
_STRIDES = Param("stride", 1, STRIDE.domain, STRIDE.doc, typical=(1, 2), shape=True)
_KERNEL = Param("kernel_size", 3, KERNEL.domain, KERNEL.doc, typical=(2, 3), shape=True)
_DILATION = Param(
    "dilation", 1, "1..1000", "distance of the taps, or one a dimension", typical=(1, 2), shape=True, quiet=True
)
_GROUPS = Param("groups", 1, f"1..{_MOST_FEATURES}", "groups of channels that do not mix", typical=(1, 4), quiet=True)
_PADDING = Param(
    "padding", 0, ANYTHING, "padding at the border, which interior positions do not see", typical=(0, 1), quiet=True,
    accepts="a whole number from 0, one a dimension, same or valid",
)  # fmt: skip
_REST = (NDIM, _INIT, _GAIN, _DILATION, _GROUPS, _PADDING, _BIAS, _POSITIONS)


class _Convolution(_Weighted):
    """What convolutions share: the geometry of their taps, read from the parameters."""

    kind = "conv"
    assumptions = _CONV_ASSUMPTIONS
    entangled = True

    @property
    def rings(self):
        taps = self.taps
        return () if self.shape.transposed else tuple(map(Ring, taps.kernel, taps.stride, taps.dilation))

    def laid(self, sides):
        found = copy.copy(self)
        found.taps = replace(self.taps, given=tuple(sides))
        return found

    def _geometry(self) -> Taps:
        kernel, stride, dilation = (
            per_dimension(self.name, name, getattr(self, name), self.ndim)
            for name in ("kernel_size", "stride", "dilation")
        )
        check_size(self.name, "kernel_size", math.prod(kernel))
        check_size(self.name, "stride", math.prod(stride))
        self._check_padding("padding", words=("same", "valid"))
        return Taps(kernel, stride, dilation)

    def _check_padding(self, name: str, words: tuple[str, ...] = ()) -> tuple[int, ...]:
        value = getattr(self, name)
        if isinstance(value, str) and value in words:
            return ()
        sides = value if isinstance(value, tuple) else (value,)
        if not sides or any(isinstance(v, bool) or not isinstance(v, int) or not 0 <= v <= 10**6 for v in sides):
            next(p for p in self.params if p.name == name).refuse(value, self.name)
        return per_dimension(self.name, name, value, self.ndim)

    def _check_groups(self, **channels: int) -> None:
        for name, count in channels.items():
            if count % self.groups:
                raise RequestError(
                    f"{self.name}: groups={self.groups} does not divide {name}={count}.",
                    f"Accepted: groups that divide {' and '.join(channels)}.",
                )


class Conv(_Convolution):
    """A convolution in one to three dimensions with the weights of an initialisation."""

    name = "conv"
    aliases = ("convolution",)
    presets = {"conv1d": {"ndim": 1}, "conv2d": {"ndim": 2}, "conv3d": {"ndim": 3}}
    formula, latex = "y = W ∗ x", r"y = W * x"
    params = (*_CHANNELS, _KERNEL, _STRIDES, *_REST)

    def check(self) -> None:
        taps = self._geometry()
        self._check_groups(in_channels=self.in_channels, out_channels=self.out_channels)
        inside = self.in_channels // self.groups
        self._bind(Shape(self.out_channels, inside, taps.taps, self.groups, kernel=taps.kernel), taps)


class DepthwiseConv(_Convolution):
    """A convolution of each channel by itself, with `multiplier` outputs a channel."""

    name = "depthwise_conv"
    aliases = ("depthwise",)
    presets = {"depthwise_conv1d": {"ndim": 1}, "depthwise_conv2d": {"ndim": 2}, "depthwise_conv3d": {"ndim": 3}}
    formula, latex = "y_c = W_c ∗ x_c", r"y_c = W_c * x_c"
    references = (
        Reference("Chollet 2017, Xception: Deep Learning with Depthwise Separable Convolutions", "arXiv:1610.02357"),
        Reference("He et al. 2015, Delving Deep into Rectifiers", "arXiv:1502.01852"),
    )
    params = (
        Param("channels", 64, f"1..{_MOST_FEATURES}", "input channels", typical=(16, 64)),
        Param("multiplier", 1, "1..1000", "outputs a channel", typical=(1, 2)),
        _KERNEL, _STRIDES, NDIM, _INIT, _GAIN, _DILATION, _PADDING, _BIAS, _POSITIONS,
    )  # fmt: skip

    def check(self) -> None:
        taps = self._geometry()
        self._bind(Shape(self.channels * self.multiplier, 1, taps.taps, self.channels), taps)


class ConvTranspose(_Convolution):
    """A transposed convolution: the adjoint of a convolution, which up-samples by its stride."""

    name = "conv_transpose"
    aliases = ("transposed_conv", "deconv", "deconvolution")
    presets = {
        "conv_transpose1d": {"ndim": 1}, "conv_transpose2d": {"ndim": 2}, "conv_transpose3d": {"ndim": 3},
        "conv1d_transpose": {"ndim": 1}, "conv2d_transpose": {"ndim": 2}, "conv3d_transpose": {"ndim": 3},
    }  # fmt: skip
    formula, latex = "y = Wᵀ ∗ x", r"y = W^T * x"
    assumptions = (
        *_CONV_ASSUMPTIONS,
        "an output entry sums k/stride taps a dimension on average; the root mean square is over output positions",
        "`positions` counts input positions; the gradient of a bias sums over stride times as many a dimension",
        "PyTorch's fan_in of the weight (in, out/groups, k) counts output channels; "
        "unit_fan_in and weight_norm normalise what belongs to one output channel",
    )
    references = (
        Reference("Zeiler et al. 2010, Deconvolutional Networks, CVPR"),
        Reference("Dumoulin & Visin 2016, A guide to convolution arithmetic for deep learning", "arXiv:1603.07285"),
        *_Weighted.references[1:4],
    )
    params = (
        *_CHANNELS, _KERNEL, _STRIDES, *_REST,
        Param("output_padding", 0, ANYTHING, "positions added at one border, which interior ones do not see",
              typical=(0,), quiet=True, accepts="a whole number below stride or dilation, or one a dimension"),
    )  # fmt: skip
    kind = "conv_transpose"

    def check(self) -> None:
        taps = self._geometry()
        self._check_groups(in_channels=self.in_channels, out_channels=self.out_channels)
        added = self._check_padding("output_padding")
        if any(a >= max(s, d) for a, s, d in zip(added, taps.stride, taps.dilation, strict=True) if a):
            next(p for p in self.params if p.name == "output_padding").refuse(self.output_padding, self.name)
        shape = Shape(self.in_channels, self.out_channels // self.groups, taps.taps, self.groups, transposed=True)
        self._bind(shape, taps)


class Embedding(Layer):
    """A table of vectors, one looked up for each token."""

    name = "embedding"
    aliases = ("embed",)
    formula, latex = "y = W[token]", r"y = W_{\mathrm{token}}"
    moments = (
        ("forward mean", "E w", r"E w"),
        ("forward std", "√Var w", r"\sqrt{\mathrm{Var}\,w}"),
        ("gradient of a weight", "√(tokens/num_embeddings)", r"\sqrt{\mathrm{tokens}/\mathrm{num\_embeddings}}"),
    )
    assumptions = (
        "tokens are independent and uniform over the table; the law of the input does not enter",
        "a token is an integer and has no gradient: the backward figure is that of an entry of the table,"
        " summed over `tokens` tokens, rows that no token names included",
        "moments are over the weights at initialisation",
    )
    references = (Reference("Bengio et al. 2003, A Neural Probabilistic Language Model, JMLR 3"),)
    inputs = ("weight",)
    params = (
        Param("num_embeddings", 100, f"1..{_MOST_FEATURES}", "rows of the table", typical=(10, 100)),
        Param("embedding_dim", 64, f"1..{_MOST_FEATURES}", "entries of a row", typical=(8, 64)),
        init_param("normal", typical=("xavier_uniform", "unit_fan_in")),
        _GAIN,
        Param("tokens", 1, "1..1000000000", "tokens of the batch, over which the gradient sums", typical=(1, 32)),
    )

    def check(self) -> None:
        shape = Shape(self.num_embeddings, self.embedding_dim)
        self.init, self.initialiser = bind(self.name, self.name, self.params[2], self.init, shape, self.gain)
        if self.gain is None:
            self.gain = self.initialiser.default_gain()

    def notes(self, law):
        return [f"{self.name}: a token has no gradient; the backward figure is that of an entry of the table"]

    def closed_forward(self, law, m):
        mean, variance = self.initialiser.entry(m)
        return mean, m.sqrt(variance)

    def closed_backward(self, law, m):
        from normcal.numerics.balls import Ball

        return {"weight": m.sqrt(Ball(float(self.tokens)) / float(self.num_embeddings))}

    def draws(self) -> int:
        cost = max(self.num_embeddings * self.embedding_dim, self.tokens * min(self.embedding_dim, _FOLLOWED))
        if cost > MOST_SIMULATED:
            raise Unsupported(f"one simulated draw would take {cost:.2g} numbers, more than {MOST_SIMULATED:_}")
        return cost

    def simulate(self, direction, rng, rows, law):
        import numpy as np

        each = np.arange(rows)[:, None]
        if direction == FORWARD:
            tokens = rng.integers(self.num_embeddings, size=(rows, 1))
            return self.initialiser.draw(rng, rows)[each, tokens, :, 0].reshape(rows, -1)
        tokens = rng.integers(self.num_embeddings, size=(rows, self.tokens))
        wide = min(self.embedding_dim, _FOLLOWED)
        gradient = np.zeros((rows, self.num_embeddings, wide))
        np.add.at(gradient, (each, tokens), law.incoming(rng, (rows, self.tokens, wide)))
        return {"weight": gradient.reshape(rows, -1)}
