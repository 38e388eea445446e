"""Shrinkage functions: what is small becomes 0."""

from __future__ import annotations

from math import factorial

from normcal.layer import Elementwise, Param, Reference
from normcal.layers._piecewise import PiecewiseLinear

_DONOHO = Reference("Donoho & Johnstone 1994, Ideal spatial adaptation by wavelet shrinkage, Biometrika 81")
_LAMBDA = Param("lambd", 0.5, "[0, inf)", "threshold λ", typical=(0.5, 1.0))
#: Coefficients of (x cosh x - sinh x)/x^3 in powers of x^2, all positive.
_SERIES = tuple(2.0 * k / factorial(2 * k + 1) for k in range(1, 13))


class HardShrink(PiecewiseLinear):
    """Hard thresholding: 0 within the threshold, the identity outside."""

    name = "hardshrink"
    aliases = ("hard_shrink",)
    params = (_LAMBDA,)
    formula, latex = "x for |x| > λ, 0 otherwise", r"\begin{cases} x & \lvert x\rvert > \lambda\\ 0\end{cases}"
    references = (_DONOHO,)

    @property
    def kinks(self):
        return (-self.lambd, self.lambd) if self.lambd else ()

    @property
    def jumps(self):
        return self.kinks

    def f(self, x, m):
        return m.where(m.abs(x) > self.lambd, x, 0.0)


class SoftShrink(PiecewiseLinear):
    """Soft thresholding: the proximal map of λ|x|."""

    name = "softshrink"
    aliases = ("soft_shrink", "soft_threshold")
    params = (_LAMBDA,)
    formula, latex = "sign(x) max(0, |x| − λ)", r"\operatorname{sign}(x)\max(0, \lvert x\rvert - \lambda)"
    references = (_DONOHO,)

    @property
    def kinks(self):
        return (-self.lambd, self.lambd) if self.lambd else ()

    def f(self, x, m):
        return m.maximum(x - self.lambd, 0.0) + m.minimum(x + self.lambd, 0.0)


class TanhShrink(Elementwise):
    """The identity less the hyperbolic tangent."""

    name = "tanhshrink"
    aliases = ("tanh_shrink",)
    formula, latex = "x − tanh(x)", r"x - \tanh(x)"
    references = (Reference("Collobert et al. 2011, Torch7: A Matlab-like Environment for Machine Learning"),)

    def f(self, x, m):
        # (x cosh x - sinh x)/cosh x near 0, where x - tanh x and 1 - sech^2 x cancel
        near = m.minimum(m.maximum(x, -1.0), 1.0)
        square, series = near * near, _SERIES[-1]
        for coefficient in _SERIES[-2::-1]:
            series = series * square + coefficient
        grown = m.exp(near)
        inner = series * (square * near) * 2.0 / (grown + 1.0 / grown)
        return m.where(m.abs(x) < 1.0, inner, x - m.tanh(x))
