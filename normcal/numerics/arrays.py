"""The function namespace on plain NumPy arrays, which Monte Carlo runs on."""

from __future__ import annotations

import math

import numpy as np


class Arrays:
    """Mathematical functions of float arrays, accurate in the tails, with no error attached."""

    exp = staticmethod(np.exp)
    expm1 = staticmethod(np.expm1)
    log1p = staticmethod(np.log1p)
    tanh = staticmethod(np.tanh)
    sqrt = staticmethod(np.sqrt)
    maximum = staticmethod(np.maximum)
    where = staticmethod(np.where)

    @staticmethod
    def sigmoid(x):
        return 1.0 / (1.0 + np.exp(-x))

    @staticmethod
    def sech2(x):
        decay = np.exp(-2.0 * np.abs(x))
        return 4.0 * decay / (1.0 + decay) ** 2

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
    def log_Phi(x):
        from scipy.special import log_ndtr

        return log_ndtr(x)


ARRAYS = Arrays()
