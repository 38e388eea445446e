"""Saturating activations: sigmoid, tanh, their piecewise linear forms, and slower ones such as softsign."""

from __future__ import annotations

import math

from normcal.errors import RequestError
from normcal.layer import Elementwise, Param, Reference
from normcal.layers._piecewise import PiecewiseLinear
from normcal.layers._probit import Probit

_LECUN = Reference("LeCun et al. 1998, Efficient BackProp", "doi:10.1007/3-540-49430-8_2")
_OWEN = Reference("Owen 1980, A table of normal integrals", "doi:10.1080/03610918008812164")
_COLLOBERT = Reference("Collobert 2004, Large Scale Machine Learning, PhD thesis")
_COURBARIAUX = Reference("Courbariaux et al. 2015, BinaryConnect", "arXiv:1511.00363")


class Sigmoid(Elementwise):
    """The logistic function."""

    name = "sigmoid"
    aliases = ("logistic",)
    formula, latex = "1/(1 + exp(−x))", r"\frac{1}{1 + e^{-x}}"
    references = (_LECUN,)

    def f(self, x, m):
        return m.sigmoid(x)


class LogSigmoid(Elementwise):
    """The logarithm of the logistic function."""

    name = "log_sigmoid"
    formula, latex = "−log(1 + exp(−x))", r"-\log(1 + e^{-x})"
    references = (Reference("Jozefowicz et al. 2016, Exploring the Limits of Language Modeling", "arXiv:1602.02410"),)

    def f(self, x, m):
        return -m.softplus(-x)


class Tanh(Elementwise):
    """The hyperbolic tangent."""

    name = "tanh"
    formula, latex = "tanh(x)", r"\tanh(x)"
    references = (_LECUN,)

    def f(self, x, m):
        return m.tanh(x)


class ScaledTanh(Elementwise):
    """The hyperbolic tangent, scaled so that f(1) is about 1 and variances near 1 stay there."""

    name = "scaled_tanh"
    aliases = ("lecun_tanh",)
    params = (
        Param("amplitude", 1.7159, "(-inf, inf)", "factor A on the output", typical=(1.7159, 1.0)),
        Param("stretch", 2.0 / 3.0, "(0, inf)", "factor S on the input", typical=(2.0 / 3.0, 2.0)),
    )
    formula, latex = "A tanh(S x)", r"A\tanh(S x)"
    references = (_LECUN,)

    @property
    def features(self):
        return ((0.0, 1.0 / self.stretch),)

    def f(self, x, m):
        return self.amplitude * m.tanh(self.stretch * x)


class HardTanh(PiecewiseLinear):
    """The identity, clipped to an interval."""

    name = "hardtanh"
    aliases = ("hard_tanh", "clip", "clamp")
    params = (
        Param("min_val", -1.0, "(-inf, inf)", "floor l", typical=(-1.0, -2.0)),
        Param("max_val", 1.0, "(-inf, inf)", "ceiling u", typical=(1.0, 0.5)),
    )
    formula, latex = "min(max(x, l), u)", r"\min(\max(x, l), u)"
    references = (_COLLOBERT, Reference("Hoeffding 1940, Maßstabinvariante Korrelationstheorie"))

    def check(self):
        if self.min_val >= self.max_val:
            raise RequestError(
                f"{self.name}: min_val={self.min_val:g} is not below max_val={self.max_val:g}.",
                "Accepted: min_val < max_val.",
            )

    @property
    def kinks(self):
        return (self.min_val, self.max_val)

    def f(self, x, m):
        return m.minimum(m.maximum(x, self.min_val), self.max_val)


class HardSigmoid(PiecewiseLinear):
    """The piecewise linear sigmoid of slope 1/6; that of slope 1/5 is hardsigmoid(input_scale=1.2)."""

    name = "hardsigmoid"
    aliases = ("hard_sigmoid",)
    formula, latex = "min(max(0, x + 3), 6)/6", r"\min(\max(0, x + 3), 6)/6"
    kinks = (-3.0, 3.0)
    references = (_COURBARIAUX, Reference("Howard et al. 2019, Searching for MobileNetV3", "arXiv:1905.02244"))

    def f(self, x, m):
        return m.minimum(m.maximum(x + 3.0, 0.0), 6.0) / 6.0


class SparseSigmoid(PiecewiseLinear):
    """The piecewise linear sigmoid of slope 1/2, the derivative of sparse_plus."""

    name = "sparse_sigmoid"
    formula, latex = "min(max(0, x + 1), 2)/2", r"\min(\max(0, x + 1), 2)/2"
    kinks = (-1.0, 1.0)
    references = (Reference("Martins & Astudillo 2016, From Softmax to Sparsemax", "arXiv:1602.02068"),)

    def f(self, x, m):
        return m.minimum(m.maximum(x + 1.0, 0.0), 2.0) * 0.5


class Softsign(Elementwise):
    """A sigmoid that saturates as slowly as 1/x."""

    name = "softsign"
    aliases = ("soft_sign",)
    formula, latex = "x/(1 + |x|)", r"\frac{x}{1 + \lvert x\rvert}"
    references = (
        Reference("Turian et al. 2009, Quadratic features and deep architectures for chunking"),
        Reference("Glorot & Bengio 2010, Understanding the difficulty of training deep feedforward neural networks"),
    )

    def f(self, x, m):
        size = m.abs(x)
        rest = 1.0 / (1.0 + size)  # 1 - |f|: far out its slope keeps the digits that that of x rest loses
        return m.where(size < 1.0, x * rest, m.where(x > 0.0, 1.0 - rest, rest - 1.0))


class Arctan(Elementwise):
    """The arc tangent."""

    name = "arctan"
    aliases = ("atan",)
    formula, latex = "arctan(x)", r"\arctan(x)"
    references = (Reference("Sitzmann et al. 2020, Implicit Neural Representations", "arXiv:2006.09661"),)

    def f(self, x, m):
        return m.arctan(x)


class Asinh(Elementwise):
    """The inverse hyperbolic sine, which grows like a logarithm."""

    name = "asinh"
    aliases = ("arcsinh",)
    formula, latex = "arsinh(x) = log(x + √(x² + 1))", r"\operatorname{arsinh}(x)"
    references = (Reference("Burbidge et al. 1988, Alternative Transformations to Handle Extreme Values, JASA 83"),)

    def f(self, x, m):
        return m.asinh(x)


_PROBIT_MOMENTS = (
    ("where", "s = aσ, h = (aμ+b)/√(1+s²), r = 1/√(1+2s²), T is Owen's function", r"h = (a\mu+b)/\sqrt{1+a^2\sigma^2}"),
    (
        "backward std",
        "c a exp(−(aμ+b)²/(2(1+2s²)))/√(2π√(1+2s²))",
        r"\frac{c a\,e^{-(a\mu+b)^2/(2(1+2s^2))}}{\sqrt{2\pi\sqrt{1+2s^2}}}",
    ),
)


class Erf(Probit):
    r"""The error function, 2Φ(√2 x) − 1."""

    name = "erf"
    formula, latex = "erf(x) = 2Φ(√2 x) − 1", r"\operatorname{erf}(x)"
    moments = (
        ("forward mean", "erf(μ/√(1+2σ²))", r"\operatorname{erf}(\mu/\sqrt{1+2\sigma^2})"),
        (
            "forward std",
            "√(8 (T(h, 1) − T(h, r)));  √((2/π) arcsin(2σ²/(1+2σ²))) at μ = 0",
            r"\sqrt{8(T(h,1) - T(h,r))};\ \sqrt{\tfrac{2}{\pi}\arcsin\tfrac{2\sigma^2}{1+2\sigma^2}}\ \text{at}\ \mu=0",
        ),
        *_PROBIT_MOMENTS,
    )
    references = (Reference("Williams 1998, Computation with Infinite Neural Networks, Neural Computation 10"), _OWEN)
    height, base = 2.0, -1.0

    def line(self):
        from normcal.numerics.balls import Ball

        return Ball(math.sqrt(2.0), 2.0**-52), Ball(0.0)

    def f(self, x, m):
        return m.erf(x)

    def expected(self, h, m):
        return m.erf(h / self.line()[0])

    def closed_dual(self, mean, std, c, m):
        from normcal.layers._arc_cosine import centred
        from normcal.layers._probit import two_pi

        centred(mean)
        square = std * std * 2.0
        sine = c * (square / (square + 1.0))
        return m.arctan(sine / m.sqrt((1.0 - sine) * (1.0 + sine))) * (4.0 / two_pi())  # (2/pi) arcsin


class Laplace(Probit):
    r"""The Laplace activation of Mega attention: Φ((x − m)/s), a smooth stand-in for the squared ReLU.

    The constants :math:`m = \sqrt{1/2}` and :math:`s = \sqrt{1/(4\pi)}` match the squared rectifier at
    :math:`x = \sqrt{1/2}`: there both have the value 1/2 and the slope :math:`\sqrt 2`.
    """

    name = "laplace"
    formula = "(1 + erf((x − m)/(s√2)))/2 = Φ((x − m)/s), m = √(1/2), s = √(1/(4π))"
    latex = r"\tfrac12\left(1 + \operatorname{erf}\frac{x-m}{s\sqrt2}\right),\ m=\sqrt{1/2},\ s=\sqrt{1/(4\pi)}"
    moments = (
        ("forward mean", "Φ(h), with a = 1/s, b = −m/s, c = 1", r"\Phi(h),\ a = 1/s,\ b = -m/s,\ c = 1"),
        ("forward std", "√(2 (T(h, 1) − T(h, r)))", r"\sqrt{2(T(h,1) - T(h,r))}"),
        *_PROBIT_MOMENTS,
    )
    references = (Reference("Ma et al. 2022, Mega: Moving Average Equipped Gated Attention", "arXiv:2209.10655"), _OWEN)
    features = ((math.sqrt(0.5), math.sqrt(0.25 / math.pi)),)

    def line(self):
        from normcal.numerics.balls import Ball

        return Ball(2.0 * math.sqrt(math.pi), 2.0**-50), Ball(-math.sqrt(2.0 * math.pi), 2.0**-50)

    def f(self, x, m):
        return m.Phi((x - math.sqrt(0.5)) * (2.0 * math.sqrt(math.pi)))
