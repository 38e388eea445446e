"""Activations with an exponential branch: softplus, ELU, SELU."""

from __future__ import annotations

from normcal.layer import Elementwise, Param, Reference


class Softplus(Elementwise):
    """The smooth rectifier log(1 + exp(beta x))/beta."""

    name = "softplus"
    params = (Param("beta", 1.0, "(0, inf)", "sharpness β", typical=(0.5, 1.0, 2.0, 10.0)),)
    formula, latex = "log(1 + exp(β x))/β", r"\log(1 + e^{\beta x})/\beta"
    references = (Reference("Dugas et al. 2001, Incorporating Second-Order Functional Knowledge"),)

    @property
    def features(self):
        return ((0.0, 1.0 / self.beta),)

    def f(self, x, m):
        return m.softplus(self.beta * x) / self.beta


class ELU(Elementwise):
    """The exponential linear unit."""

    name = "elu"
    params = (Param("alpha", 1.0, "(-inf, inf)", "scale α of the exponential branch", typical=(0.5, 1.0, 2.0)),)
    formula, latex = (
        "x for x > 0, α (exp(x) − 1) otherwise",
        r"\begin{cases} x & x > 0\\ \alpha(e^x - 1) & x \le 0\end{cases}",
    )
    kinks = (0.0,)
    references = (Reference("Clevert et al. 2015, Exponential Linear Units", "arXiv:1511.07289"),)

    def f(self, x, m):
        return m.where(x > 0.0, x, self.alpha * m.expm1(x))


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
