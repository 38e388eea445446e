"""Layers of finitely many values: sign, step, quantiser; their backward passes are what training puts in place of 0."""

from __future__ import annotations

import dataclasses
import math

from normcal.errors import RequestError, Unsupported
from normcal.layer import Param, Reference
from normcal.layers._piecewise import Jumping, PiecewiseLinear

_STE = Reference(
    "Bengio et al. 2013, Estimating or Propagating Gradients Through Stochastic Neurons", "arXiv:1308.3432"
)
_BNN = Reference("Hubara et al. 2016, Binarized Neural Networks", "arXiv:1602.02830")
_NEFTCI = Reference("Neftci et al. 2019, Surrogate Gradient Learning in Spiking Neural Networks", "arXiv:1901.09948")
_SIGN_MOMENTS = (
    ("forward mean", "1 − 2Φ(−t), t = μ/σ", r"1 - 2\Phi(-t),\ t = \mu/\sigma"),
    ("forward std", "2 √(Φ(t) Φ(−t))", r"2\sqrt{\Phi(t)\Phi(-t)}"),
)


class Sign(PiecewiseLinear):
    """The sign, whose derivative is 0 almost everywhere; binarise has a gradient to train with."""

    name = "sign"
    formula, latex = "1 for x > 0, −1 otherwise", r"\operatorname{sign}(x)"
    moments = (*_SIGN_MOMENTS, ("backward std", "0", "0"))
    kinks = jumps = (0.0,)
    references = (_BNN,)

    def f(self, x, m):
        return m.where(x > 0.0, 1.0, -1.0)

    def closed_dual(self, mean, std, c, m):
        from normcal.layers._arc_cosine import arc_cosine, centred

        centred(mean)
        return arc_cosine(0, c, m) * 4.0 - 1.0


class Binarise(PiecewiseLinear):
    """The sign with a straight-through gradient."""

    name = "binarise"
    aliases = ("binarize", "binary_activation", "ste_sign")
    params = (Param("gradient", "clipped", ("clipped", "identity"), "backward: 1 where |x| ≤ 1, or 1 everywhere"),)
    formula = "1 for x > 0, −1 otherwise; backward 1 where |x| ≤ 1 (clipped) or everywhere (identity)"
    latex = r"\operatorname{sign}(x);\quad \text{backward } 1_{\lvert x\rvert \le 1} \text{ or } 1"
    moments = (
        *_SIGN_MOMENTS,
        ("backward std", "√P(|x| ≤ 1), or 1", r"\sqrt{P(\lvert x\rvert \le 1)} \text{ or } 1"),
    )
    references = (_BNN, _STE)
    jumps = (0.0,)
    surrogate = "a straight-through gradient"

    @property
    def kinks(self):
        return (-1.0, 0.0, 1.0) if self.gradient == "clipped" else (0.0,)

    def f(self, x, m):
        return m.where(x > 0.0, 1.0, -1.0)

    def slope(self, x, m):
        if self.gradient == "identity":
            return 1.0 + 0.0 * x
        return m.where(m.abs(x) > 1.0, 0.0, 1.0)


#: name -> what stands for the delta, of width w
_SURROGATES = {
    "sigmoid": lambda x, w, m: m.sigmoid(x / w) * m.sigmoid(-(x / w)) / w,
    "arctan": lambda x, w, m: 1.0 / (w + w * (math.pi * (x / w)) ** 2),
    "fast_sigmoid": lambda x, w, m: 1.0 / (1.0 + m.abs(x) / w) ** 2,
    "triangle": lambda x, w, m: m.maximum(1.0 - m.abs(x) / w, 0.0) / w,
    "rectangle": lambda x, w, m: m.where(m.abs(x) > 0.5 * w, 0.0, 1.0 / w),
}


class Heaviside(PiecewiseLinear):
    r"""The unit step of spiking neurons, with a surrogate for the delta in its derivative.

    With width w: sigmoid :math:`\sigma'(x/w)/w`, arctan :math:`1/(w + w(\pi x/w)^2)`, fast_sigmoid
    :math:`1/(1+|x|/w)^2`, triangle :math:`\max(0, 1-|x|/w)/w`, rectangle :math:`1/w` where :math:`|x| \le w/2`.
    All but fast_sigmoid, whose peak is 1, integrate to 1. Code that takes a slope means 1/w (2/w for arctan).
    """

    name = "heaviside"
    aliases = ("step", "spike", "unit_step")
    params = (
        Param("surrogate_gradient", "sigmoid", tuple(_SURROGATES), "what the backward pass uses as derivative"),
        Param("width", 0.5, "(0, inf)", "width w of the surrogate", typical=(0.5, 0.04)),
    )
    formula = "1 for x > 0, 0 otherwise; backward a surrogate of width w"
    latex = r"\begin{cases} 1 & x > 0\\ 0 & x \le 0\end{cases}"
    moments = (
        ("forward mean", "Φ(t), t = μ/σ", r"\Phi(t),\ t = \mu/\sigma"),
        ("forward std", "√(Φ(t) Φ(−t))", r"\sqrt{\Phi(t)\Phi(-t)}"),
    )
    references = (
        _NEFTCI,
        Reference("Zenke & Ganguli 2018, SuperSpike (fast_sigmoid)", "arXiv:1705.11146"),
        Reference("Fang et al. 2021, Learnable Membrane Time Constant (arctan)", "arXiv:2007.05785"),
        Reference("Bellec et al. 2018, Long short-term memory in spiking networks (triangle)", "arXiv:1803.09574"),
        Reference("Wu et al. 2018, Spatio-Temporal Backpropagation (rectangle)", "arXiv:1706.02609"),
    )
    jumps = (0.0,)

    @property
    def surrogate(self):
        return f"the surrogate gradient '{self.surrogate_gradient}' of width {self.width:g}"

    def closed_dual(self, mean, std, c, m):
        from normcal.layers._arc_cosine import arc_cosine, centred

        centred(mean)
        return arc_cosine(0, c, m)

    @property
    def flat(self):
        return self.surrogate_gradient == "rectangle"

    @property
    def kinks(self):
        half = {"rectangle": 0.5 * self.width, "triangle": self.width}.get(self.surrogate_gradient)
        return (-half, 0.0, half) if half else (0.0,)

    @property
    def features(self):
        return ((0.0, self.width),)

    def f(self, x, m):
        return m.where(x > 0.0, 1.0, 0.0)

    def slope(self, x, m):
        return _SURROGATES[self.surrogate_gradient](x, self.width, m)


#: More thresholds than this are left to the closed form.
_MOST_PANELLED = 1023


class Quantiser(Jumping):
    r"""A uniform quantiser with clipping and a straight-through gradient.

    ``signed=yes`` has the levels :math:`-n \ldots n` times the step :math:`c/n, n = 2^{b-1} - 1`, symmetric with 0
    among them; ``signed=no`` the levels :math:`0 \ldots n` with :math:`n = 2^b - 1`. The gradient passes where the
    input is not clipped: exactly for |x| <= c (PyTorch lets it pass half a step further).
    """

    name = "quantiser"
    aliases = ("quantizer", "quantise", "quantize", "fake_quantize", "uniform_quantizer")
    params = (
        Param("bits", 4, "1..16", "bits b of a level", typical=(2, 4, 8)),
        Param("clip", 1.0, "(0, inf)", "largest level c", typical=(1.0, 3.0)),
        Param("signed", "yes", ("yes", "no"), "levels on both sides of 0, or from 0 up"),
    )
    formula = "(c/n) round(n clip(x)/c), clip to [−c, c] or [0, c]; backward 1 where x is not clipped"
    latex = r"\tfrac{c}{n}\operatorname{round}\left(\tfrac{n}{c}\operatorname{clip}(x)\right)"
    moments = (
        (
            "forward mean",
            "lowest level + (c/n) Σₖ Φ(−zₖ), zₖ the standardised thresholds",
            r"l + \tfrac cn\sum_k\Phi(-z_k)",
        ),
        (
            "forward variance",
            "(c/n)² (Σₖ Φ(zₖ) Φ(−zₖ) + 2 Σⱼ﹤ₖ Φ(zⱼ) Φ(−zₖ))",
            r"(\tfrac cn)^2\left(\sum_k\Phi(z_k)\Phi(-z_k) + 2\sum_{j<k}\Phi(z_j)\Phi(-z_k)\right)",
        ),
        ("backward std", "√P(x is not clipped)", r"\sqrt{P(x \text{ is not clipped})}"),
    )
    references = (
        Reference("Jacob et al. 2018, Quantization and Training of Neural Networks", "arXiv:1712.05877"),
        Reference("Choi et al. 2018, PACT: Parameterized Clipping Activation (signed=no)", "arXiv:1805.06085"),
        _STE,
    )
    surrogate = "a straight-through gradient, 1 where the input is not clipped"

    def check(self):
        if self.signed == "yes" and self.bits < 2:
            raise RequestError(
                f"{self.name}: bits=1 leaves a signed quantiser only the level 0.", "Accepted: bits >= 2."
            )
        self.steps = 2 ** (self.bits - 1) - 1 if self.signed == "yes" else 2**self.bits - 1
        self.floor = -self.clip if self.signed == "yes" else 0.0

    def thresholds(self):
        """Return where the output jumps, as balls: (k + 1/2) c/n."""
        import numpy as np

        from normcal.numerics.balls import Ball

        lowest = -self.steps if self.signed == "yes" else 0
        return Ball(np.arange(lowest, self.steps) + 0.5) * self.clip / float(self.steps)

    @property
    def kinks(self):
        if self.bits > 10:
            raise Unsupported(f"more than {_MOST_PANELLED} thresholds are left to the closed form")
        return tuple(sorted({self.floor, self.clip, *(float(x) for x in self.thresholds().mid)}))

    @property
    def features(self):
        return ((0.0, self.clip),)

    def f(self, x, m):
        inside = m.minimum(m.maximum(x, self.floor), self.clip)
        return m.floor(inside * float(self.steps) / self.clip + 0.5) * self.clip / float(self.steps)

    def slope(self, x, m):
        return m.where(x > self.clip, 0.0, m.where(x < self.floor, 0.0, 1.0))

    def components(self, direction, law):
        """Thresholds are rounded as doubles; the integrals get them as balls."""
        from normcal.numerics.balls import Ball

        (component,) = super().components(direction, law)
        each = self.thresholds()
        ends = [Ball(self.floor), Ball(self.clip)]
        kinks = [*ends, *(Ball(float(x), float(r)) for x, r in zip(each.mid, each.rad, strict=True))]
        if not self.plain:
            kinks = [(kink - self.input_shift) / self.input_scale for kink in kinks]
        return [dataclasses.replace(component, kinks=tuple(kinks))]

    def closed_forward(self, law, m):
        import numpy as np

        from normcal.numerics.balls import GROW, Ball, U

        if law.std == 0.0:
            raise Unsupported("the formula divides by the std, which is 0")
        z = (self.thresholds() - law.mean) / law.std
        below, above = m.Phi(z), m.Phi(-z)
        count = len(z.mid)
        # sums of positive terms, so that a running sum is off by at most count roundings of itself
        running = np.concatenate([[0.0], np.cumsum(below.mid)[:-1]])
        slack = np.concatenate([[0.0], np.cumsum(below.rad)[:-1]]) + count * U * running
        variance = (below * above).sum() + 2.0 * (Ball(running, slack * GROW) * above).sum()
        step = Ball(self.clip) / float(self.steps)
        # from the level nearest to the mean: what lies above it adds, what lies below it takes away
        right = z.mid >= 0.0
        moved = Ball(np.where(right, above.mid, -below.mid), np.where(right, above.rad, below.rad)).sum()
        level = float(count - np.count_nonzero(right)) - (float(self.steps) if self.signed == "yes" else 0.0)
        return (moved + level) * step, m.sqrt(variance) * step

    def closed_backward(self, law, m):
        from normcal.layers._piecewise import passed

        return m.sqrt(passed(self.floor, self.clip, law, m))
