"""Layers that change the size of a feature map: up-sampling and padding."""

from __future__ import annotations

import math
from fractions import Fraction

from normcal.errors import RequestError
from normcal.layer import FORWARD, Param, Reference
from normcal.layers._exact import Rational, simulable
from normcal.layers._windows import MOST_SIDE, NDIM, per_dimension

_MODES = {"nearest": 2, "linear": 1, "bilinear": 2, "trilinear": 3, "bicubic": 2}


class UpSampling(Rational):
    r"""A feature map enlarged by a whole factor, by repetition or interpolation.

    Output i of a dimension lies at :math:`t = (i + 1/2)/s - 1/2` between the inputs (PyTorch's
    align_corners=False) and is :math:`\sum_j w(t - j)x_j`; the s phases of t take turns. With A the
    average of :math:`\sum_j w(t - j)^2` over them, the forward variance is :math:`\sigma^2\prod A` and the
    backward one :math:`\prod sA`, over the dimensions. Bicubic takes the kernel with a = -3/4.
    """

    name = "up_sampling"
    aliases = ("upsample", "interpolate", "resize")
    presets = {
        "up_sampling1d": {"ndim": 1}, "up_sampling2d": {"ndim": 2}, "up_sampling3d": {"ndim": 3},
        "upsampling_nearest2d": {"mode": "nearest", "ndim": 2},
    }  # fmt: skip
    params = (
        Param("scale_factor", 2, "1..1000", "enlargement s, or one a dimension", typical=(2, 3, 4), shape=True),
        Param("mode", "nearest", tuple(_MODES), "what fills in: repetition, or (multi)linear or cubic interpolation"),
        Param("ndim", None, "1..3", "number of spatial dimensions: what the mode says, or 2", typical=(1, 2, 3)),
    )
    formula = "Σⱼ w(t − j) xⱼ at t = (i + 1/2)/s − 1/2"
    latex = r"\sum_j w(t - j)\,x_j,\ t = \tfrac{i + 1/2}{s} - \tfrac12"
    moments = (
        ("forward mean", "μ", r"\mu"),
        (
            "forward std",
            "σ √(∏ A), A the mean of Σ w² over the phases",
            r"\sigma\sqrt{\prod A},\ A = \overline{\sum w^2}",
        ),
        (
            "where",
            "A = 1 for nearest; for linear 2/3 − 1/(6 s²) at even s, 2/3 + 1/(3 s²) at odd s",
            r"A = 1\ \text{(nearest)};\quad \tfrac23 - \tfrac{1}{6s^2}\ \text{(linear, even } s),"
            r"\ \tfrac23 + \tfrac{1}{3s^2}\ \text{(odd } s)",
        ),
        (
            "backward std",
            "√(∏ s A);  √(sᵈ) for nearest in d dimensions",
            r"\sqrt{\prod s A};\quad s^{d/2}\ \text{(nearest)}",
        ),
    )
    assumptions = ("positions are interior ones; the std is the root mean square over the phases of interpolation",)
    references = (
        Reference("Odena et al. 2016, Deconvolution and Checkerboard Artifacts", "doi:10.23915/distill.00003"),
        Reference("Keys 1981, Cubic convolution interpolation", "doi:10.1109/TASSP.1981.1163711"),
    )

    def check(self) -> None:
        if self.ndim is None:
            self.ndim = _MODES[self.mode]
        if self.mode in ("bilinear", "trilinear", "bicubic") and self.ndim != _MODES[self.mode]:
            raise RequestError(
                f"up_sampling: mode={self.mode} does not fit ndim={self.ndim}.",
                "Accepted: nearest or linear in any dimension, bilinear and bicubic in 2, trilinear in 3.",
            )
        self._scales = per_dimension(self.name, "scale_factor", self.scale_factor, self.ndim)

    def _kernel(self, x):
        """Return the weight of an input at distance x, a fraction or a float."""
        x = abs(x)
        if self.mode == "bicubic":
            if x >= 2:
                return 0
            return (5 * x - 9) * x * x / 4 + 1 if x <= 1 else -3 * (((x - 5) * x + 8) * x - 4) / 4
        return max(1 - x, 0)

    def _power(self, s: int) -> Fraction:
        """Return the mean of the summed squares of the weights over the s phases."""
        if self.mode == "nearest":
            return Fraction(1)
        phases = [Fraction(2 * p + 1, 2 * s) - Fraction(1, 2) for p in range(s)]
        return sum(self._kernel(t - j) ** 2 for t in phases for j in range(-2, 4)) / Fraction(s)

    def forward_moments(self, mean, std):
        return mean, std * std * math.prod(map(self._power, self._scales))

    def gradients(self, mean, std):
        return math.prod((s * self._power(s) for s in self._scales), start=Fraction(1))

    def _side(self) -> int:
        """Return the side of a torus just large enough that no interpolation meets an input twice."""
        return {"nearest": 1, "bicubic": 4}.get(self.mode, 2)

    entangled = True

    def draws(self):
        return simulable(math.prod(s * self._side() for s in self._scales))

    def simulate(self, direction, rng, rows, law):
        import numpy as np

        side = self._side()
        matrices = [self._matrix(s, side) for s in self._scales]
        if direction == FORWARD:
            y = law.sample(rng, (rows, *(side,) * self.ndim))
        else:
            y = law.incoming(rng, (rows, *(s * side for s in self._scales)))
            matrices = [matrix.T for matrix in matrices]
        for axis, matrix in enumerate(matrices, start=1):
            y = np.moveaxis(np.einsum("...i,oi->...o", np.moveaxis(y, axis, -1), matrix), -1, axis)
        return y.reshape(rows, -1)

    def _matrix(self, s: int, side: int):
        """Return the interpolation of one dimension on a torus, (s side, side)."""
        import numpy as np

        found = np.zeros((s * side, side))
        for i in range(s * side):
            if self.mode == "nearest":
                found[i, i // s] = 1.0
                continue
            t = (i + 0.5) / s - 0.5
            for j in range(math.floor(t) - 1, math.floor(t) + 3):
                found[i, j % side] += self._kernel(t - j)
        return found


class _Padding(Rational):
    """A map with entries around it: what every padding shares."""

    params = (
        Param(
            "padding", 1, "0..100000", "entries added on either side, or one number a dimension", (1, 2, 3), shape=True
        ),
        Param("input_size", 7, f"1..{MOST_SIDE}", "side of the map, or one a dimension", (4, 7, 32), shape=True),
        NDIM,
    )
    #: NumPy's word for the padding, and how much wider than the padding the map must be, if it must.
    mode, room = "edge", None
    entangled = True

    def check(self) -> None:
        self._sizes = per_dimension(self.name, "input_size", self.input_size, self.ndim)
        self._pads = per_dimension(self.name, "padding", self.padding, self.ndim)
        for size, pad in zip(self._sizes, self._pads, strict=True):
            if self.room is not None and size < pad + self.room:
                raise RequestError(
                    f"{self.name}: padding={pad} does not fit input_size={size}.",
                    f"Accepted: a padding of at most {size - self.room}.",
                )
        self._inside = math.prod(self._sizes)
        self._whole = math.prod(n + 2 * p for n, p in zip(self._sizes, self._pads, strict=True))

    def forward_moments(self, mean, std):
        return mean, std * std

    def gradients(self, mean, std):
        return Fraction(self._whole, self._inside)

    def draws(self):
        return simulable(self._whole)

    def simulate(self, direction, rng, rows, law):
        import numpy as np

        at = np.pad(np.arange(self._inside).reshape(self._sizes), [(p, p) for p in self._pads], self.mode).ravel()
        if direction == FORWARD:
            return law.sample(rng, (rows, self._inside))[:, at]
        dx = np.zeros((self._inside, rows))
        np.add.at(dx, at, law.incoming(rng, (rows, self._whole)).T)
        return dx.T


_COPIES = (
    ("forward mean", "μ", r"\mu"),
    ("forward std", "σ", r"\sigma"),
    (
        "backward std",
        "√(N'/N) over the map of N entries, N' with padding; 1 in the interior",
        r"\sqrt{N'/N},\ N\ \text{entries},\ N'\ \text{with padding}",
    ),
)
_WHOLE_MAP = "both directions are over the whole map: forward with the padding, backward without"
_PADDED = Reference("Alsallakh et al. 2020, Mind the Pad: CNNs Can Develop Blind Spots", "arXiv:2010.02178")


class ZeroPadding(_Padding):
    r"""A map with zeros, or another constant v, around it.

    A share q of the padded map is the input: the rest is constant, so that the moments are those
    of a mixture.
    """

    name = "zero_padding"
    aliases = ("zero_pad", "constant_pad", "constant_padding")
    presets = {f"{name}{d}d": {"ndim": d} for name in ("zero_pad", "zero_padding", "constant_pad") for d in (1, 2, 3)}
    params = (
        *_Padding.params,
        Param("value", 0.0, "(-inf, inf)", "the constant v around the map", typical=(0.0, 1.0), quiet=True),
    )
    formula, latex = "x inside, v = 0 around it", r"x\ \text{inside},\ v = 0\ \text{around it}"
    moments = (
        ("where", "q = ∏ n/(n + 2p), the share of the input in the padded map", r"q = \prod n/(n + 2p)"),
        ("forward mean", "q μ + (1−q) v", r"q\mu + (1-q)v"),
        ("forward std", "√(q σ² + q(1−q) (μ − v)²)", r"\sqrt{q\sigma^2 + q(1-q)(\mu - v)^2}"),
        ("backward std", "1", "1"),
    )
    assumptions = (_WHOLE_MAP,)
    references = (_PADDED,)
    mode = "constant"

    def forward_moments(self, mean, std):
        q, v = Fraction(self._inside, self._whole), Fraction(self.value)
        return q * mean + (1 - q) * v, q * std * std + q * (1 - q) * (mean - v) ** 2

    def gradients(self, mean, std):
        return Fraction(1)

    def simulate(self, direction, rng, rows, law):
        import numpy as np

        around = [(0, 0), *((p, p) for p in self._pads)]
        if direction == FORWARD:
            x = law.sample(rng, (rows, *self._sizes))
            return np.pad(x, around, constant_values=self.value).reshape(rows, -1)
        shape = [n + 2 * p for n, p in zip(self._sizes, self._pads, strict=True)]
        inside = tuple(slice(p, p + n) for n, p in zip(self._sizes, self._pads, strict=True))
        return law.incoming(rng, (rows, *shape))[(slice(None), *inside)].reshape(rows, -1)


class ReplicationPadding(_Padding):
    """A map whose border entries are repeated around it."""

    name = "replication_padding"
    aliases = ("replication_pad", "replicate_padding", "edge_padding")
    presets = {f"replication_pad{d}d": {"ndim": d} for d in (1, 2, 3)}
    formula, latex = "x inside, the nearest x around it", r"x\ \text{inside},\ \text{the nearest } x\ \text{around it}"
    moments = _COPIES
    assumptions = (_WHOLE_MAP,)
    references = (_PADDED,)


class ReflectionPadding(_Padding):
    """A map mirrored at its borders, which are not repeated."""

    name = "reflection_padding"
    aliases = ("reflection_pad", "reflect_padding")
    presets = {f"reflection_pad{d}d": {"ndim": d} for d in (1, 2, 3)}
    formula, latex = "x inside, its mirror image around it", r"x\ \text{inside},\ \text{its mirror image around it}"
    moments = _COPIES
    assumptions = (_WHOLE_MAP,)
    references = (_PADDED,)
    mode, room = "reflect", 1


class CircularPadding(_Padding):
    """A map continued periodically around itself."""

    name = "circular_padding"
    aliases = ("circular_pad", "wrap_padding")
    presets = {f"circular_pad{d}d": {"ndim": d} for d in (1, 2, 3)}
    formula, latex = "x inside, its periodic continuation around it", r"x\ \text{inside, continued periodically}"
    moments = _COPIES
    assumptions = (_WHOLE_MAP,)
    references = (_PADDED,)
    mode, room = "wrap", 0
