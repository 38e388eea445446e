"""Activations that gate their own input: GELU and its approximations, SiLU, Mish and their kin."""

from __future__ import annotations

import math

from normcal.errors import Unsupported
from normcal.layer import Elementwise, Param, Reference

_GELU = Reference("Hendrycks & Gimpel 2016, Gaussian Error Linear Units", "arXiv:1606.08415")
_OWEN = Reference("Owen 1980, A table of normal integrals", "doi:10.1080/03610918008812164")
_MISH = Reference("Misra 2019, Mish: A Self Regularized Non-Monotonic Activation Function", "arXiv:1908.08681")
_ELISH = Reference("Basirat & Roth 2018, The Quest for the Golden Activation Function", "arXiv:1808.00783")
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

    def closed_dual(self, mean, std, c, m):
        from normcal.layers._arc_cosine import centred
        from normcal.layers._probit import two_pi

        # by Stein's lemma, with P = E Phi(u) Phi(v), R = E phi(u) phi(v): p P + q^2 R + p^2 R (1 - q)/(1 + q)
        centred(mean)
        q = std * std
        p, wide = c * q, q + 1.0
        root = m.sqrt((-p + wide) * (p + wide))
        both = m.arctan(p / root) / two_pi() + 0.25
        return p * both + (p * p * ((1.0 - q) / wide) + q * q) / (root * two_pi())


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
    aliases = ("gelu_new", "gelu_approximate", "gelu_pytorch_tanh", "gelu_fast")
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


class QuickGELU(Elementwise):
    """The sigmoid approximation of GELU, which CLIP runs."""

    name = "quick_gelu"
    aliases = ("gelu_sigmoid", "gelu_quick")
    formula, latex = "x σ(1.702 x)", r"x\,\sigma(1.702\,x)"
    references = (_GELU, Reference("Radford et al. 2021, Learning Transferable Visual Models", "arXiv:2103.00020"))
    features = ((0.0, 0.5),)

    def f(self, x, m):
        return x * m.sigmoid(1.702 * x)


class Swish(Elementwise):
    """The sigmoid-gated unit with a sharpness; bare swish is silu."""

    name = "swish"
    bare = "silu"
    params = (Param("beta", 1.0, "(0, inf)", "sharpness β of the gate", typical=(0.5, 1.0, 2.0)),)
    formula, latex = "x σ(β x)", r"x\,\sigma(\beta x)"
    references = (Reference("Ramachandran et al. 2017, Searching for Activation Functions", "arXiv:1710.05941"),)

    @property
    def features(self):
        return ((0.0, 1.0 / self.beta),)

    def f(self, x, m):
        return x * m.sigmoid(self.beta * x)


class Hardswish(Elementwise):
    """The sigmoid-gated unit with a piecewise linear gate."""

    name = "hardswish"
    aliases = ("hard_swish", "hard_silu", "hardsilu")
    formula, latex = "x min(max(0, x + 3), 6)/6", r"x\min(\max(0, x + 3), 6)/6"
    kinks = (-3.0, 3.0)
    references = (Reference("Howard et al. 2019, Searching for MobileNetV3", "arXiv:1905.02244"),)

    def f(self, x, m):
        return x * (m.minimum(m.maximum(x + 3.0, 0.0), 6.0) / 6.0)


class Mish(Elementwise):
    """A unit gated by the tanh of its softplus."""

    name = "mish"
    formula, latex = "x tanh(log(1 + exp(x)))", r"x\tanh(\log(1 + e^x))"
    references = (_MISH,)

    def f(self, x, m):
        return x * m.tanh(m.softplus(x))


class HardMish(Elementwise):
    """Mish with a piecewise linear gate."""

    name = "hard_mish"
    aliases = ("hardmish",)
    formula, latex = "x min(max(0, x + 2), 2)/2", r"x\min(\max(0, x + 2), 2)/2"
    kinks = (-2.0,)
    references = (Reference("Wightman 2019, PyTorch Image Models, activations", "doi:10.5281/zenodo.4414861"), _MISH)

    def f(self, x, m):
        return x * (m.minimum(m.maximum(x + 2.0, 0.0), 2.0) * 0.5)


class Serf(Elementwise):
    """A unit gated by the error function of its softplus."""

    name = "serf"
    formula, latex = "x erf(log(1 + exp(x)))", r"x\operatorname{erf}(\log(1 + e^x))"
    references = (Reference("Nag & Bhattacharyya 2021, SERF", "arXiv:2108.09598"),)

    def f(self, x, m):
        return x * m.erf(m.softplus(x))


class TanhExp(Elementwise):
    """A unit gated by the tanh of its exponential."""

    name = "tanh_exp"
    aliases = ("tanhexp",)
    formula, latex = "x tanh(exp(x))", r"x\tanh(e^x)"
    references = (Reference("Liu & Di 2020, TanhExp", "arXiv:2003.09855"),)
    features = ((0.0, 0.5),)

    def f(self, x, m):
        return x * m.tanh(m.exp(m.minimum(x, 6.0)))  # at 6 the gate is 1 - 1e-350: e^x need not overflow


class Phish(Elementwise):
    """A unit gated by the tanh of its GELU."""

    name = "phish"
    formula, latex = "x tanh(x Φ(x))", r"x\tanh(x\,\Phi(x))"
    references = (
        Reference(
            "Naveen 2022, Phish: A Novel Hyper-Optimizable Activation Function", "doi:10.36227/techrxiv.17283824"
        ),
    )

    def f(self, x, m):
        return x * m.tanh(x * m.Phi(x))


class Logish(Elementwise):
    """A unit gated by the logarithm of 1 plus its sigmoid."""

    name = "logish"
    formula, latex = "x log(1 + σ(x))", r"x\log(1 + \sigma(x))"
    references = (
        Reference("Zhu et al. 2021, Logish: A new nonlinear nonmonotonic activation function, Neurocomputing 458"),
    )

    def f(self, x, m):
        return x * m.log1p(m.sigmoid(x))


class LiSHT(Elementwise):
    """A unit gated by its own tanh, never negative."""

    name = "lisht"
    formula, latex = "x tanh(x)", r"x\tanh(x)"
    references = (
        Reference("Roy et al. 2019, LiSHT: Non-Parametric Linearly Scaled Hyperbolic Tangent", "arXiv:1901.05894"),
    )

    def f(self, x, m):
        return x * m.tanh(x)


class ELiSH(Elementwise):
    """The sigmoid-gated identity on the right, the sigmoid-gated ELU on the left."""

    name = "elish"
    formula = "x σ(x) for x > 0, (exp(x) − 1) σ(x) otherwise"
    latex = r"\begin{cases} x\,\sigma(x) & x > 0\\ (e^x - 1)\,\sigma(x) & x \le 0\end{cases}"
    references = (_ELISH,)

    def f(self, x, m):
        return m.where(x > 0.0, x, m.expm1(x)) * m.sigmoid(x)


class HardELiSH(Elementwise):
    """ELiSH with a piecewise linear gate."""

    name = "hardelish"
    aliases = ("hard_elish",)
    formula = "x g(x) for x > 0, (exp(x) − 1) g(x) otherwise; g(x) = min(max(0, x + 1), 2)/2"
    latex = r"\begin{cases} x\,g(x) & x > 0\\ (e^x - 1)\,g(x) & x \le 0\end{cases},\ g(x) = \min(\max(0, x + 1), 2)/2"
    kinks = (-1.0, 1.0)
    references = (_ELISH,)

    def f(self, x, m):
        return m.where(x > 0.0, x, m.expm1(x)) * (m.minimum(m.maximum(x + 1.0, 0.0), 2.0) * 0.5)
