"""Activations that gate their own input: GELU, its tanh form, SiLU."""

from __future__ import annotations

import math

from normcal.errors import Unsupported
from normcal.layer import Elementwise, Reference

_GELU = Reference("Hendrycks & Gimpel 2016, Gaussian Error Linear Units", "arXiv:1606.08415")
_OWEN = Reference("Owen 1980, A table of normal integrals", "doi:10.1080/03610918008812164")
_SILU = Reference("Elfwing et al. 2017, Sigmoid-Weighted Linear Units", "arXiv:1702.03118")


class GELU(Elementwise):
    r"""The Gaussian error linear unit, erf form.

    The moments follow from Stein's lemma and the product rules of Gaussian densities. For a
    positive mean, gelu(x) = x + gelu(-x) makes all but x a small correction.
    """

    name = "gelu"
    aliases = ("gelu_erf",)
    formula, latex = "x Φ(x)", r"x\,\Phi(x)"
    moments = (
        (
            "forward mean",
            "μ Φ(h) + (σ²/s) φ(h) with s = √(1+σ²), h = μ/s",
            r"\mu\,\Phi(h) + \tfrac{\sigma^2}{s}\varphi(h),\ s = \sqrt{1+\sigma^2},\ h = \mu/s",
        ),
        ("forward second moment", "(μ²+σ²) P + 2μσ² A + 2σ² B", r"(\mu^2+\sigma^2)P + 2\mu\sigma^2 A + 2\sigma^2 B"),
        (
            "backward second moment",
            "P + 2B + C (σ²/r² + μ²/r⁴) with r² = 1 + 2σ²",
            r"P + 2B + C\,(\sigma^2/r^2 + \mu^2/r^4),\ r^2 = 1 + 2\sigma^2",
        ),
        (
            "where",
            "P = E Φ² = Φ(h) − 2T(h, 1/r), A = E Φφ, B = E xΦφ, C = E φ²; T is Owen's function",
            r"P = E\Phi^2 = \Phi(h) - 2T(h, 1/r),\ A = E\Phi\varphi,\ B = E x\Phi\varphi,\ C = E\varphi^2",
        ),
    )
    references = (_GELU, _OWEN)

    def f(self, x, m):
        return x * m.Phi(x)

    def closed_forward(self, law, m):
        if law.std == 0.0:
            raise Unsupported("the formula divides by the std, which is 0")
        e = _GaussianProducts(-abs(law.mean), law.std, m)
        mean = e.mean * e.below + e.variance / e.s * e.density
        size = e.mean * e.mean + e.variance
        second = size * e.p + 2.0 * e.mean * e.variance * e.a + 2.0 * e.variance * e.b
        variance = second - mean * mean
        if law.mean > 0.0:
            mean = mean + law.mean
            variance = variance + e.variance * (1.0 - 2.0 * e.mean_slope)
        return mean, m.sqrt(variance)

    def closed_backward(self, law, m):
        if law.std == 0.0:
            raise Unsupported("the formula divides by the std, which is 0")
        e = _GaussianProducts(-abs(law.mean), law.std, m)
        second = e.p + 2.0 * e.b + e.c * (e.variance / e.r2 + e.mean * e.mean / (e.r2 * e.r2))
        if law.mean > 0.0:
            second = second + 1.0 - 2.0 * e.mean_slope
        return m.sqrt(second)


class _GaussianProducts:
    r"""Expectations of :math:`\Phi^2, \Phi\varphi, x\Phi\varphi, \varphi^2` under N(mean, std^2), as balls."""

    def __init__(self, mean: float, std: float, m) -> None:
        from normcal.layers._gaussian import owens_t
        from normcal.numerics.balls import Ball

        self.mean = Ball(mean)
        self.variance = Ball(std) * std
        s2, self.r2 = self.variance + 1.0, self.variance * 2.0 + 1.0
        self.s, r = m.sqrt(s2), m.sqrt(self.r2)
        h = self.mean / self.s
        self.below, self.density = m.Phi(h), m.phi(h)
        self.p = self.below - 2.0 * owens_t(h, 1.0 / r)
        self.a = self.density / self.s * m.Phi(self.mean / (self.s * r))
        self.c = m.exp(-(self.mean * self.mean) / self.r2) / (2.0 * math.pi * r)
        self.b = (self.mean * self.a + self.variance * self.c) / s2
        self.mean_slope = self.below + self.density * self.mean / (self.s * s2)


class GELUTanh(Elementwise):
    """The tanh approximation of GELU, which most transformers run."""

    name = "gelu_tanh"
    aliases = ("gelu_new", "gelu_approximate")
    formula = "x/2 (1 + tanh(√(2/π) (x + 0.044715 x³)))"
    latex = r"\tfrac{x}{2}\left(1 + \tanh\left(\sqrt{2/\pi}\,(x + 0.044715\,x^3)\right)\right)"
    references = (_GELU,)

    def f(self, x, m):
        # (1 + tanh u)/2 is sigmoid(2u), which does not cancel in the left tail
        return x * m.sigmoid(_TWICE_ROOT * (x + 0.044715 * (x * x * x)))


_TWICE_ROOT = 2.0 * math.sqrt(2.0 / math.pi)


class SiLU(Elementwise):
    """The sigmoid-weighted linear unit, swish with beta = 1."""

    name = "silu"
    formula, latex = "x σ(x), σ the logistic function", r"x\,\sigma(x)"
    references = (_SILU, _GELU)

    def f(self, x, m):
        return x * m.sigmoid(x)
