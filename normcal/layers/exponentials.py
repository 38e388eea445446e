"""Activations with an exponential branch, and other smooth rectifiers: softplus, squareplus, ELU, SELU, exp."""

from __future__ import annotations

import math

from normcal.errors import Unsupported
from normcal.layer import Elementwise, Param, Reference

_ELU = Reference("Clevert et al. 2015, Exponential Linear Units", "arXiv:1511.07289")
_SPARSEMAX = Reference("Martins & Astudillo 2016, From Softmax to Sparsemax", "arXiv:1602.02068")


class Softplus(Elementwise):
    """The smooth rectifier log(1 + exp(beta x))/beta.

    PyTorch goes over to x above ``threshold / beta``, which changes the value by 2e-9 relative at most; this is the
    function itself.
    """

    name = "softplus"
    aliases = ("soft_plus", "smooth_relu")
    params = (Param("beta", 1.0, "(0, inf)", "sharpness β", typical=(0.5, 1.0, 2.0, 10.0)),)
    formula, latex = "log(1 + exp(β x))/β", r"\log(1 + e^{\beta x})/\beta"
    references = (Reference("Dugas et al. 2001, Incorporating Second-Order Functional Knowledge"),)

    @property
    def features(self):
        return ((0.0, 1.0 / self.beta),)

    def f(self, x, m):
        return m.softplus(self.beta * x) / self.beta


class ShiftedSoftplus(Elementwise):
    """Softplus lowered so that it is 0 at 0, as in SchNet."""

    name = "shifted_softplus"
    aliases = ("ssp",)
    formula, latex = "log(1 + exp(x)) − log 2", r"\log(1 + e^x) - \log 2"
    references = (Reference("Schütt et al. 2017, SchNet", "arXiv:1706.08566"),)

    def f(self, x, m):
        # log((1 + e^-|x|)/2) has no difference of logarithms to cancel near 0
        return m.maximum(x, 0.0) + m.log1p(m.expm1(-m.abs(x)) * 0.5)


class Squareplus(Elementwise):
    """The algebraic smooth rectifier."""

    name = "squareplus"
    params = (Param("b", 4.0, "(0, inf)", "how wide the bend is", typical=(4.0, 0.25)),)
    formula, latex = "(x + √(x² + b))/2", r"\tfrac12\left(x + \sqrt{x^2 + b}\right)"
    references = (Reference("Barron 2021, Squareplus: A Softplus-Like Algebraic Rectifier", "arXiv:2112.11687"),)

    @property
    def features(self):
        return ((0.0, math.sqrt(self.b)),)

    def f(self, x, m):
        # the same on either side of 0, and without the difference of the left tail
        return m.maximum(x, 0.0) + (0.5 * self.b) / (m.abs(x) + m.sqrt(x * x + self.b))


class SmeLU(Elementwise):
    """The smooth rectifier with a quadratic bend; sparse_plus is the one with β = 1."""

    name = "smelu"
    presets = {"sparse_plus": {"beta": 1.0}}
    params = (Param("beta", 1.0, "(0, inf)", "half width β of the bend", typical=(1.0, 0.5)),)
    formula = "0 for x ≤ −β, (x + β)²/(4β) for |x| < β, x for x ≥ β"
    latex = (
        r"\begin{cases} 0 & x \le -\beta\\ (x+\beta)^2/(4\beta) & \lvert x\rvert < \beta\\ x & x \ge \beta\end{cases}"
    )
    references = (
        Reference(
            "Shamir et al. 2022, Real World Large Scale Recommendation Systems Reproducibility", "arXiv:2202.06499"
        ),
        _SPARSEMAX,
    )

    @property
    def features(self):
        return ((-self.beta, self.beta), (self.beta, self.beta))

    def f(self, x, m):
        bend = m.minimum(m.maximum(x + self.beta, 0.0), 2.0 * self.beta)
        return bend * bend / (4.0 * self.beta) + m.maximum(x - self.beta, 0.0)


class ELU(Elementwise):
    """The exponential linear unit."""

    name = "elu"
    params = (Param("alpha", 1.0, "(-inf, inf)", "scale α of the exponential branch", typical=(0.5, 1.0, 2.0)),)
    formula, latex = (
        "x for x > 0, α (exp(x) − 1) otherwise",
        r"\begin{cases} x & x > 0\\ \alpha(e^x - 1) & x \le 0\end{cases}",
    )
    kinks = (0.0,)
    references = (_ELU,)

    def f(self, x, m):
        return m.where(x > 0.0, x, self.alpha * m.expm1(x))


class CELU(Elementwise):
    """The continuously differentiable ELU, of slope 1 at 0 whatever its scale."""

    name = "celu"
    params = (Param("alpha", 1.0, "(0, inf)", "scale α of the exponential branch", typical=(0.5, 1.0, 2.0)),)
    formula, latex = (
        "x for x > 0, α (exp(x/α) − 1) otherwise",
        r"\begin{cases} x & x > 0\\ \alpha(e^{x/\alpha} - 1) & x \le 0\end{cases}",
    )
    references = (Reference("Barron 2017, Continuously Differentiable Exponential Linear Units", "arXiv:1704.07483"),)

    @property
    def features(self):
        return ((0.0, self.alpha),)

    def f(self, x, m):
        return m.where(x > 0.0, x, self.alpha * m.expm1(x / self.alpha))


class SELU(Elementwise):
    """The self-normalising ELU, whose mean is 0 and std 1 at N(0, 1)."""

    name = "selu"
    formula = "λ x for x > 0, λ α (exp(x) − 1) otherwise; λ = 1.0507009873554805, α = 1.6732632423543772"
    latex = (
        r"\lambda\begin{cases} x & x > 0\\ \alpha(e^x - 1) & x \le 0\end{cases},"
        r"\ \lambda = 1.0507009873554805,\ \alpha = 1.6732632423543772"
    )
    kinks = (0.0,)
    references = (Reference("Klambauer et al. 2017, Self-Normalizing Neural Networks", "arXiv:1706.02515"),)
    scale, alpha = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717

    def f(self, x, m):
        return self.scale * m.where(x > 0.0, x, self.alpha * m.expm1(x))


class SmoothLeakyReLU(Elementwise):
    """The leaky rectifier with softplus in place of the rectifier, smooth and invertible."""

    name = "smooth_leaky_relu"
    params = (Param("negative_slope", 0.01, "[0, 1]", "slope a far below 0", typical=(0.01, 0.3)),)
    formula, latex = "a x + (1 − a) log(1 + exp(x))", r"a x + (1 - a)\log(1 + e^x)"
    references = (
        Reference("Gresele et al. 2020, Relative gradient optimization of the Jacobian term", "arXiv:2006.15090"),
    )

    def f(self, x, m):
        return self.negative_slope * x + m.softplus(x) * (1.0 - self.negative_slope)


class BentIdentity(Elementwise):
    """The identity, bent from slope 1/2 on the left to 3/2 on the right."""

    name = "bent_identity"
    formula, latex = "(√(x² + 1) − 1)/2 + x", r"\tfrac12\left(\sqrt{x^2+1} - 1\right) + x"
    references = (
        Reference("Apicella et al. 2021, A survey on modern trainable activation functions", "arXiv:2005.00817"),
    )

    def f(self, x, m):
        return x + 0.5 * (x * x) / (m.sqrt(x * x + 1.0) + 1.0)


class Exp(Elementwise):
    r"""The exponential, whose output is log-normal."""

    name = "exp"
    aliases = ("exponential",)
    formula, latex = "exp(x)", "e^x"
    moments = (
        ("forward mean", "exp(μ + σ²/2)", r"e^{\mu+\sigma^2/2}"),
        ("forward std", "exp(μ + σ²/2) √(exp(σ²) − 1)", r"e^{\mu+\sigma^2/2}\sqrt{e^{\sigma^2}-1}"),
        ("backward std", "exp(μ + σ²)", r"e^{\mu+\sigma^2}"),
    )
    references = (Reference("Johnson et al. 1994, Continuous Univariate Distributions, chapter 14"),)

    def f(self, x, m):
        return m.exp(x)

    def components(self, direction, law):
        # the integrand of the second moment peaks at z = 2 std, and would go unseen where quadrature ends, at 38.5
        if not law.std * abs(self.input_scale) < 14.0:
            raise Unsupported("at so large a std the moments come from beyond the reach of quadrature")
        return super().components(direction, law)

    def closed_forward(self, law, m):
        from normcal.numerics.balls import Ball

        variance = Ball(law.std) * law.std
        mean = m.exp(variance * 0.5 + law.mean)
        return mean, mean * m.sqrt(m.expm1(variance))

    def closed_backward(self, law, m):
        from normcal.numerics.balls import Ball

        return m.exp(Ball(law.std) * law.std + law.mean)

    def closed_dual(self, mean, std, c, m):
        return m.exp((c + 1.0) * (std * std) + mean * 2.0)


class Gaussian(Elementwise):
    r"""The bump exp(−x²).

    That of Gaussian-activated networks, :math:`e^{-x^2/(2a^2)}` (arXiv:2111.15135), is
    gaussian(input_scale=s) with :math:`s = 1/(a\sqrt 2)`.
    """

    name = "gaussian"
    formula, latex = "exp(−x²)", r"e^{-x^2}"
    moments = (
        ("forward mean", "exp(−μ²/r)/√r, r = 1 + 2σ²", r"e^{-\mu^2/r}/\sqrt r,\ r = 1+2\sigma^2"),
        (
            "forward std",
            "√(q^(−1/2) exp(−2μ²/q) (1 − exp(−A))), A = log(1 + 4σ⁴/q)/2 + 4μ²σ²/(rq), q = 1 + 4σ²",
            r"\sqrt{q^{-1/2}e^{-2\mu^2/q}(1 - e^{-A})},"
            r"\ A = \tfrac12\log(1+4\sigma^4/q) + 4\mu^2\sigma^2/(rq),\ q = 1+4\sigma^2",
        ),
        (
            "backward std",
            "2 √(q^(−1/2) exp(−2μ²/q) (σ²/q + μ²/q²))",
            r"2\sqrt{q^{-1/2}e^{-2\mu^2/q}(\sigma^2/q+\mu^2/q^2)}",
        ),
    )
    references = (
        Reference("Broomhead & Lowe 1988, Multivariable Functional Interpolation and Adaptive Networks"),
        Reference("Ramasinghe & Lucey 2021, Beyond Periodicity", "arXiv:2111.15135"),
    )

    def f(self, x, m):
        return m.exp(-(x * x))

    def _sizes(self, law):
        from normcal.numerics.balls import Ball

        if not law.std < 1e70:
            raise Unsupported("the fourth power of the std overflows")
        square, variance = Ball(law.mean) * law.mean, Ball(law.std) * law.std
        return square, variance, variance * 2.0 + 1.0, variance * 4.0 + 1.0

    def closed_forward(self, law, m):
        square, variance, r, q = self._sizes(law)
        mean = m.exp(-square / r) / m.sqrt(r)
        # (E y)^2/E y^2 = e^-A; without a difference for small variances
        grown = m.log1p(4.0 * variance * variance / q) * 0.5 + 4.0 * square * variance / (r * q)
        return mean, m.exp(-square / q) * m.sqrt(-m.expm1(-grown)) / m.sqrt(m.sqrt(q))

    def closed_backward(self, law, m):
        square, variance, _, q = self._sizes(law)
        return m.exp(-square / q) * m.sqrt((variance / q + square / (q * q)) / m.sqrt(q)) * 2.0

    def closed_dual(self, mean, std, c, m):
        # u^2 + v^2 = s^2 + d^2 with independent s = (u + v)/sqrt 2 and d = (u - v)/sqrt 2
        variance = std * std * 2.0
        sum_of, difference = (1.0 + c) * variance + 1.0, (1.0 - c) * variance + 1.0
        return m.exp(-1.0 / sum_of * (mean * mean * 2.0)) / m.sqrt(sum_of * difference)
