"""Saturating activations: sigmoid and tanh."""

from __future__ import annotations

from normcal.layer import Elementwise, Reference

_LECUN = Reference("LeCun et al. 1998, Efficient BackProp", "doi:10.1007/3-540-49430-8_2")


class Sigmoid(Elementwise):
    """The logistic function."""

    name = "sigmoid"
    aliases = ("logistic",)
    formula, latex = "1/(1 + exp(−x))", r"\frac{1}{1 + e^{-x}}"
    references = (_LECUN,)

    def f(self, x, m):
        return m.sigmoid(x)


class Tanh(Elementwise):
    """The hyperbolic tangent."""

    name = "tanh"
    formula, latex = "tanh(x)", r"\tanh(x)"
    references = (_LECUN,)

    def f(self, x, m):
        return m.tanh(x)
