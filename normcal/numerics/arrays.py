"""The function namespace on plain NumPy arrays, which Monte Carlo runs on."""

from __future__ import annotations

import math

import numpy as np

from normcal.numerics.elementary import PowerOfArrays


class Arrays(PowerOfArrays):
    """Mathematical functions of float arrays, accurate in the tails, with no error attached.

    These are the functions that ``f(x, m)`` of a layer may call, on arrays as on duals and balls:
    abs, arctan, asinh, cos, erf, exp, expm1, floor, log, log_Phi, log1p, maximum, minimum, phi, Phi, power,
    sech2, sigmoid, sin, softplus, sqrt, tanh and where, beside + - * /, whole powers and comparisons.
    """

    exp = staticmethod(np.exp)
    expm1 = staticmethod(np.expm1)
    log = staticmethod(np.log)
    log1p = staticmethod(np.log1p)
    sin = staticmethod(np.sin)
    cos = staticmethod(np.cos)
    arctan = staticmethod(np.arctan)
    asinh = staticmethod(np.arcsinh)
    floor = staticmethod(np.floor)
    tanh = staticmethod(np.tanh)
    sqrt = staticmethod(np.sqrt)
    abs = staticmethod(np.abs)
    maximum = staticmethod(np.maximum)
    minimum = staticmethod(np.minimum)

    @staticmethod
    def where(condition, a, b):
        """Choose by bits: ``np.where`` branches on every entry, and a sampled condition is anybody's guess."""
        if np.ndim(condition) == 0:
            return np.where(condition, a, b)
        if np.ndim(a) == np.ndim(b) == 0 and (a, b) == (1.0, 0.0):
            return condition.astype(float)
        mask = condition.astype(np.int64)
        np.negative(mask, out=mask)
        first, second = (np.asarray(x, float).view(np.int64) for x in (a, b))
        mask &= first ^ second
        mask ^= second
        return mask.view(float)

    @staticmethod
    def sigmoid(x):
        return 1.0 / (1.0 + np.exp(-x))

    @staticmethod
    def sech2(x):
        decay = np.exp(-2.0 * np.abs(x))
        rest = 1.0 + decay
        return 4.0 * decay / (rest * rest)

    @staticmethod
    def softplus(x):
        return np.logaddexp(0.0, x)

    @staticmethod
    def phi(x):
        return np.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi)

    @staticmethod
    def Phi(x):
        from scipy.special import ndtr  # a sampled block is far too long for math.erfc

        return ndtr(x)

    @staticmethod
    def erf(x):
        from scipy.special import erf

        return erf(x)

    @staticmethod
    def log_Phi(x):
        from scipy.special import log_ndtr

        return log_ndtr(x)


ARRAYS = Arrays()
