"""Rectifiers: linear on either side of 0, clipped, random, raised to a power, side by side."""

from __future__ import annotations

from normcal.errors import RequestError, Unsupported
from normcal.layer import Elementwise, Param, Reference
from normcal.layers._piecewise import PiecewiseLinear
from normcal.layers._rectified import RectifiedPower

_HE = Reference("He et al. 2015, Delving Deep into Rectifiers", "arXiv:1502.01852")
_NORMPROP = Reference("Arpit et al. 2016, Normalization Propagation", "arXiv:1603.01431")
_PRIMER = Reference("So et al. 2021, Primer: Searching for Efficient Transformers", "arXiv:2109.08668")
_HOEFFDING = Reference("Hoeffding 1940, Maßstabinvariante Korrelationstheorie")


class _TwoSlopes(Elementwise):
    r"""A line of slope ``left`` below 0 and ``right`` above it.

    With :math:`t = \mu/\sigma`, :math:`R_1 = E(Z + t)_+`: the mean is
    :math:`\sigma(r R_1(t) - l R_1(-t))`. The variance starts from the side where the input
    mostly lies, so that the other side is a small correction and nothing cancels (Stein's
    lemma gives the covariance of x with the correction).
    """

    left = right = 1.0

    def f(self, x, m):
        return m.where(x > 0.0, self.right * x, self.left * x)

    def closed_forward(self, law, m):
        if law.std == 0.0:
            raise Unsupported("the formula divides by the std, which is 0")
        from normcal.layers._gaussian import excess
        from normcal.numerics.balls import ball

        t = ball(law.mean) / law.std
        main, other, s = (self.right, self.left, t) if law.mean >= 0.0 else (self.left, self.right, -t)
        first, second = excess(-s)  # of the side on which the input rarely lies
        step = ball(other) - main
        upwards = step * first * (-1.0 if law.mean >= 0.0 else 1.0)
        mean = ball(main) * law.mean + upwards * law.std
        variance = ball(main) * main + step * step * (second - first * first) + 2.0 * main * step * m.Phi(-s)
        return mean, m.sqrt(variance) * law.std

    def closed_backward(self, law, m):
        if law.std == 0.0:
            raise Unsupported("the formula divides by the std, which is 0")
        from normcal.numerics.balls import ball

        t = ball(law.mean) / law.std
        return m.sqrt(ball(self.left) * self.left * m.Phi(-t) + ball(self.right) * self.right * m.Phi(t))

    def closed_dual(self, mean, std, c, m):
        from normcal.layers._arc_cosine import arc_cosine, centred
        from normcal.numerics.balls import ball

        centred(mean)
        step = ball(self.right) - self.left  # f = l x + (r - l) x_+, and E[u v_+] = c/2
        return (arc_cosine(1, c, m) * (step * step) + c * (ball(self.left) * self.right)) * (std * std)


class Identity(_TwoSlopes):
    """The identity: what goes in comes out."""

    name = "identity"
    aliases = ("linear_activation",)
    formula, latex = "x", "x"
    moments = (
        ("forward mean", "μ", r"\mu"),
        ("forward std", "σ", r"\sigma"),
        ("backward std", "1", "1"),
    )
    references = (_NORMPROP,)

    def closed_forward(self, law, m):
        from normcal.numerics.balls import Ball

        return Ball(law.mean), Ball(law.std)

    def closed_backward(self, law, m):
        from normcal.numerics.balls import Ball

        return Ball(1.0)

    def f(self, x, m):
        return x


class ReLU(_TwoSlopes):
    """The rectifier."""

    name = "relu"
    aliases = ("rectifier",)
    formula, latex = "max(0, x)", r"\max(0, x)"
    moments = (
        (
            "forward mean",
            "σ (φ(t) + t Φ(t)) with t = μ/σ;  √(1/(2π)) at N(0, 1)",
            r"\sigma\,(\varphi(t) + t\,\Phi(t)),\ t = \mu/\sigma;\quad \sqrt{1/(2\pi)}\ \text{at}\ N(0, 1)",
        ),
        (
            "forward std",
            "σ √((1+t²) Φ(t) + t φ(t) − (φ(t) + t Φ(t))²);  √(1/2 − 1/(2π)) at N(0, 1)",
            r"\sigma\sqrt{(1+t^2)\Phi(t) + t\varphi(t) - (\varphi(t) + t\Phi(t))^2};\quad"
            r" \sqrt{1/2 - 1/(2\pi)}\ \text{at}\ N(0, 1)",
        ),
        ("backward std", "√Φ(t);  √(1/2) at N(0, 1)", r"\sqrt{\Phi(t)};\quad \sqrt{1/2}\ \text{at}\ N(0, 1)"),
    )
    kinks = (0.0,)
    references = (_NORMPROP, _HE)
    left = 0.0

    def f(self, x, m):
        return m.maximum(x, 0.0)


_LEAKY_MOMENTS = (
    (
        "forward mean",
        "σ (R₁(t) − a R₁(−t)) with t = μ/σ, R₁(t) = φ(t) + t Φ(t)",
        r"\sigma\,(R_1(t) - a R_1(-t)),\ t = \mu/\sigma,\ R_1(t) = \varphi(t) + t\Phi(t)",
    ),
    (
        "forward std",
        "σ √(1/2 + a²/2 − (1−a)²/(2π)) at μ = 0",
        r"\sigma\sqrt{1/2 + a^2/2 - (1-a)^2/(2\pi)}\ \text{at}\ \mu = 0",
    ),
    ("backward std", "√(Φ(t) + a² Φ(−t))", r"\sqrt{\Phi(t) + a^2\,\Phi(-t)}"),
)
_LEAKY = "x for x > 0, a x otherwise", r"\begin{cases} x & x > 0\\ a x & x \le 0\end{cases}"


class LeakyReLU(_TwoSlopes):
    """The rectifier with a slope below 0."""

    name = "leaky_relu"
    aliases = ("lrelu",)
    params = (Param("negative_slope", 0.01, "(-inf, inf)", "slope a below 0", typical=(0.01, 0.1, 0.2, 0.3)),)
    formula, latex = _LEAKY
    moments = _LEAKY_MOMENTS
    kinks = (0.0,)
    references = (Reference("Maas et al. 2013, Rectifier Nonlinearities Improve Neural Network Acoustic Models"), _HE)

    @property
    def left(self):
        return self.negative_slope


class PReLU(_TwoSlopes):
    """The rectifier with a learned slope below 0, here at a given value of it."""

    name = "prelu"
    aliases = ("parametric_relu",)
    params = (Param("weight", 0.25, "(-inf, inf)", "slope a below 0; 0.25 when training starts", typical=(0.25, -0.5)),)
    formula, latex = _LEAKY
    moments = _LEAKY_MOMENTS
    kinks = (0.0,)
    references = (_HE,)

    @property
    def left(self):
        return self.weight


class RReLU(_TwoSlopes):
    r"""The rectifier with a slope below 0 that is drawn anew for every entry while training.

    With :math:`a \sim U(l, u)` the output is :math:`f(x) + \xi n(x)`: f has the mean slope,
    :math:`n(x) = \frac{u-l}{\sqrt{12}} \min(0, x)`. Evaluation uses the mean slope.
    """

    name = "rrelu"
    aliases = ("randomized_relu", "randomized_leaky_relu")
    params = (
        Param("lower", 0.125, "(-inf, inf)", "smallest slope l below 0", typical=(0.125, 0.0)),
        Param("upper", 1.0 / 3.0, "(-inf, inf)", "largest slope u below 0", typical=(1.0 / 3.0, 0.5)),
        Param("training", "yes", ("yes", "no"), "whether slopes are drawn at random"),
    )
    formula = "x for x > 0, a x otherwise; a ~ U(l, u) while training, (l + u)/2 in evaluation"
    latex = r"\begin{cases} x & x > 0\\ a x & x \le 0\end{cases},\ a \sim U(l, u)"
    moments = (
        (
            "forward variance",
            "that of leaky_relu with the mean slope, plus (u−l)²/12 σ² R₂(−t), R₂(t) = E (Z+t)₊²",
            r"\mathrm{Var}_{\text{leaky}} + \tfrac{(u-l)^2}{12}\sigma^2 R_2(-t),\ R_2(t) = E(Z+t)_+^2",
        ),
        (
            "backward std",
            "√(Φ(t) + ((l+u)²/4 + (u−l)²/12) Φ(−t))",
            r"\sqrt{\Phi(t) + (\tfrac{(l+u)^2}{4} + \tfrac{(u-l)^2}{12})\Phi(-t)}",
        ),
    )
    assumptions = ("while training each entry draws its own slope, the same one in both directions",)
    kinks = (0.0,)
    references = (Reference("Xu et al. 2015, Empirical Evaluation of Rectified Activations", "arXiv:1505.00853"),)

    def check(self):
        if self.lower > self.upper:
            raise RequestError(
                f"{self.name}: lower={self.lower:g} is above upper={self.upper:g}.", "Accepted: lower <= upper."
            )

    @property
    def left(self):
        return 0.5 * self.lower + 0.5 * self.upper

    @property
    def noise(self):
        return self._scatter if self.training == "yes" and self.lower < self.upper else None

    def _scatter(self, x, m):
        return (m.minimum(x, 0.0) * (self.upper - self.lower)) / m.sqrt(12.0)

    def realised(self, rng, shape):
        if self.training == "no":
            return self.branches()
        slopes = rng.uniform(self.lower, self.upper, shape)
        return (lambda x, m: m.where(x > 0.0, x, x * slopes),)

    def closed_forward(self, law, m):
        from normcal.layers._gaussian import excess
        from normcal.numerics.balls import ball, hypot

        mean, std = super().closed_forward(law, m)
        if self.noise is None:
            return mean, std
        second = excess(ball(-law.mean) / law.std)[1]
        return mean, hypot(std, m.sqrt(second / 12.0) * (ball(self.upper) - self.lower) * law.std)

    def closed_backward(self, law, m):
        from normcal.numerics.balls import ball, hypot

        std = super().closed_backward(law, m)
        if self.noise is None:
            return std
        return hypot(std, m.sqrt(m.Phi(ball(-law.mean) / law.std) / 12.0) * (ball(self.upper) - self.lower))


class CReLU(Elementwise):
    """The concatenated rectifier: the positive and the negative part side by side, twice as many outputs."""

    name = "crelu"
    aliases = ("concatenated_relu",)
    formula, latex = "max(0, x) and max(0, −x)", r"(\max(0, x), \max(0, -x))"
    moments = (
        ("forward mean", "σ (R₁(t) + R₁(−t))/2, R₁(t) = φ(t) + t Φ(t)", r"\tfrac{\sigma}{2}(R_1(t) + R_1(-t))"),
        ("forward rms", "√((μ² + σ²)/2)", r"\sqrt{(\mu^2+\sigma^2)/2}"),
        ("backward std", "1", "1"),
    )
    assumptions = ("moments are over both outputs; each has a gradient of its own",)
    kinks = (0.0,)
    references = (
        Reference("Shang et al. 2016, Understanding and Improving CNNs via Concatenated ReLU", "arXiv:1603.05201"),
    )

    def f(self, x, m):
        return m.maximum(x, 0.0)

    def branches(self):
        return (self.f, lambda x, m: m.maximum(-x, 0.0))

    def closed_forward(self, law, m):
        if law.std == 0.0:
            raise Unsupported("the formula divides by the std, which is 0")
        from normcal.layers._gaussian import excess
        from normcal.numerics.balls import ball

        t = ball(law.mean) / law.std
        mean = (excess(t)[0] + excess(-t)[0]) * 0.5
        return mean * law.std, m.sqrt((t * t + 1.0) * 0.5 - mean * mean) * law.std

    def closed_backward(self, law, m):
        from normcal.numerics.balls import Ball

        return Ball(1.0)


class ReLU6(PiecewiseLinear):
    """The rectifier clipped at 6."""

    name = "relu6"
    formula, latex = "min(max(0, x), 6)", r"\min(\max(0, x), 6)"
    kinks = (0.0, 6.0)
    references = (Reference("Krizhevsky 2010, Convolutional Deep Belief Networks on CIFAR-10"), _HOEFFDING)

    def f(self, x, m):
        return m.minimum(m.maximum(x, 0.0), 6.0)


class ClippedReLU(PiecewiseLinear):
    """The rectifier clipped at a value of choice."""

    name = "clipped_relu"
    aliases = ("relu_n", "capped_relu")
    params = (Param("max_value", 1.0, "(0, inf)", "ceiling n", typical=(1.0, 20.0)),)
    formula, latex = "min(max(0, x), n)", r"\min(\max(0, x), n)"
    references = (
        Reference("Hannun et al. 2014, Deep Speech: Scaling up end-to-end speech recognition", "arXiv:1412.5567"),
        _HOEFFDING,
    )

    @property
    def kinks(self):
        return (0.0, self.max_value)

    def f(self, x, m):
        return m.minimum(m.maximum(x, 0.0), self.max_value)


class Abs(PiecewiseLinear):
    """The absolute value."""

    name = "abs"
    aliases = ("absolute", "modulus")
    formula, latex = "|x|", r"\lvert x\rvert"
    moments = (
        ("forward mean", "σ (R₁(t) + R₁(−t)), R₁(t) = φ(t) + t Φ(t)", r"\sigma(R_1(t) + R_1(-t))"),
        ("forward rms", "√(μ² + σ²)", r"\sqrt{\mu^2+\sigma^2}"),
        ("backward std", "1", "1"),
    )
    kinks = (0.0,)
    references = (Reference("Jarrett et al. 2009, What is the Best Multi-Stage Architecture for Object Recognition?"),)

    def f(self, x, m):
        return m.abs(x)

    def closed_dual(self, mean, std, c, m):
        from normcal.layers._arc_cosine import arc_cosine, centred

        centred(mean)
        return (arc_cosine(1, c, m) * 4.0 - c) * (std * std)


class Threshold(PiecewiseLinear):
    """The identity above a threshold, a constant below it; JumpReLU where that is 0."""

    name = "threshold"
    aliases = ("thresholded_relu", "jump_relu")
    params = (
        Param("threshold", 1.0, "(-inf, inf)", "threshold θ", typical=(1.0, -0.5)),
        Param("value", 0.0, "(-inf, inf)", "output v at and below the threshold", typical=(0.0, 2.0)),
    )
    formula, latex = "x for x > θ, v otherwise", r"\begin{cases} x & x > \theta\\ v & x \le \theta\end{cases}"
    references = (
        Reference("Konda et al. 2014, Zero-bias autoencoders", "arXiv:1402.3337"),
        Reference("Rajamanoharan et al. 2024, Jumping Ahead: JumpReLU Sparse Autoencoders", "arXiv:2407.14435"),
        _HOEFFDING,
    )

    @property
    def kinks(self):
        return (self.threshold,)

    @property
    def jumps(self):
        return () if self.threshold == self.value else (self.threshold,)

    def f(self, x, m):
        return m.where(x > self.threshold, x, self.value)


_POWER_MOMENTS = (
    ("forward mean", "σⁿ Rₙ(t) with t = μ/σ, Rₖ(t) = E (Z+t)₊ᵏ", r"\sigma^n R_n(t),\ R_k(t) = E(Z+t)_+^k"),
    ("forward variance", "σ²ⁿ (R₂ₙ(t) − Rₙ(t)²)", r"\sigma^{2n}(R_{2n}(t) - R_n(t)^2)"),
    ("backward std", "n σⁿ⁻¹ √R₂ₙ₋₂(t)", r"n\,\sigma^{n-1}\sqrt{R_{2n-2}(t)}"),
    ("where", "Rₖ = t Rₖ₋₁ + (k−1) Rₖ₋₂, R₀ = Φ(t), R₁ = φ(t) + t Φ(t)", r"R_k = t R_{k-1} + (k-1) R_{k-2}"),
)


class ReLUSquared(RectifiedPower):
    """The squared rectifier."""

    name = "relu_squared"
    aliases = ("squared_relu", "relu2", "square_relu")
    formula, latex = "max(0, x)²", r"\max(0, x)^2"
    moments = _POWER_MOMENTS
    references = (_PRIMER,)
    power = 2


class StarReLU(RectifiedPower):
    """The squared rectifier, scaled and shifted to mean 0 and std 1 at N(0, 1)."""

    name = "star_relu"
    params = (
        Param("scale", 0.8944, "(-inf, inf)", "factor c", typical=(0.8944, 1.0)),
        Param("bias", -0.4472, "(-inf, inf)", "constant d", typical=(-0.4472, 0.0)),
    )
    formula, latex = "c max(0, x)² + d", r"c\max(0, x)^2 + d"
    moments = _POWER_MOMENTS
    references = (Reference("Yu et al. 2022, MetaFormer Baselines for Vision", "arXiv:2210.13452"),)
    power = 2


class RectifiedMonomial(RectifiedPower):
    """A power of the rectifier, as in rectified power units."""

    name = "rectified_monomial"
    aliases = ("repu", "rectified_power_unit")
    params = (Param("power", 3, "1..12", "exponent n", typical=(1, 3)),)
    formula, latex = "max(0, x)ⁿ", r"\max(0, x)^n"
    moments = _POWER_MOMENTS
    references = (
        Reference("Li et al. 2019, Better Approximations of High Dimensional Smooth Functions", "arXiv:1903.05858"),
        Reference("Cho & Saul 2009, Kernel Methods for Deep Learning"),
    )

    @property
    def kinks(self):
        return (0.0,) if self.power == 1 else ()
