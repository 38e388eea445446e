"""NumPy's functions on Python floats by the C library: infinities and NaN where ``math`` raises.

A ball of one number asks for dozens of these, and a NumPy call on a single number costs twenty times its work.
The C libraries in use are within 2 ulp for all of them, which is less than what balls grant to NumPy's.
"""

from __future__ import annotations

import math


class Floats:
    """The names that ``balls.py`` uses of NumPy, for one number at a time; both branches of ``where`` are given.

    >>> FLOATS.exp(1000.0), FLOATS.log(0.0), FLOATS.divide(-1.0, 0.0)
    (inf, -inf, -inf)
    """

    inf = math.inf
    isfinite = staticmethod(math.isfinite)
    arctan = staticmethod(math.atan)
    arcsinh = staticmethod(math.asinh)
    hypot = staticmethod(math.hypot)
    tanh = staticmethod(math.tanh)
    any = staticmethod(bool)

    @staticmethod
    def where(condition, a, b):
        return a if condition else b

    @staticmethod
    def maximum(a, b):
        return a if a >= b or a != a else b

    @staticmethod
    def minimum(a, b):
        return a if a <= b or a != a else b

    @staticmethod
    def clip(x, low, high):
        return low if x < low else high if x > high else x

    @staticmethod
    def divide(a, b):
        if b:
            return a / b
        return math.nan if not a or a != a else math.copysign(math.inf, a) * math.copysign(1.0, b)

    @staticmethod
    def exp(x):
        try:
            return math.exp(x)
        except OverflowError:
            return math.inf

    @staticmethod
    def expm1(x):
        try:
            return math.expm1(x)
        except OverflowError:
            return math.inf

    @staticmethod
    def log(x):
        return math.log(x) if x > 0.0 else math.nan if x != 0.0 else -math.inf

    @staticmethod
    def log1p(x):
        return math.log1p(x) if x > -1.0 else math.nan if x != -1.0 else -math.inf

    @staticmethod
    def sqrt(x):
        return math.sqrt(x) if x >= 0.0 else math.nan

    @staticmethod
    def sin(x):
        return math.sin(x) if math.isfinite(x) else math.nan

    @staticmethod
    def cos(x):
        return math.cos(x) if math.isfinite(x) else math.nan

    @staticmethod
    def floor(x):
        return float(math.floor(x)) if math.isfinite(x) else x


FLOATS = Floats()
