"""Piecewise linear activations with a single kink at 0: identity, ReLU, leaky ReLU."""

from __future__ import annotations

from normcal.errors import Unsupported
from normcal.layer import Elementwise, Param, Reference

_HE = Reference("He et al. 2015, Delving Deep into Rectifiers", "arXiv:1502.01852")
_NORMPROP = Reference("Arpit et al. 2016, Normalization Propagation", "arXiv:1603.01431")


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


class LeakyReLU(_TwoSlopes):
    """The rectifier with a slope below 0."""

    name = "leaky_relu"
    aliases = ("lrelu",)
    params = (Param("negative_slope", 0.01, "(-inf, inf)", "slope a below 0", typical=(0.01, 0.1, 0.2, 0.3)),)
    formula, latex = "x for x > 0, a x otherwise", r"\begin{cases} x & x > 0\\ a x & x \le 0\end{cases}"
    moments = (
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
    kinks = (0.0,)
    references = (Reference("Maas et al. 2013, Rectifier Nonlinearities Improve Neural Network Acoustic Models"), _HE)

    @property
    def left(self):
        return self.negative_slope
