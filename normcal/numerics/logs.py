"""Numbers beside their logarithms: functions followed far beyond what doubles hold, with no error attached."""

from __future__ import annotations

import math

import numpy as np

from normcal.numerics.arrays import ARRAYS

_FAR = 600.0
#: Where numbers of opposite sign are this much alike, relatively, their sum has no digit to go by.
_ALIKE = 1e-9


class Log:
    """Arrays of numbers: as doubles, which may over- or underflow, with the sign and the logarithm of the size.

    >>> with np.errstate(over="ignore"):
    ...     far = LOGS.exp(Log.of(np.array([1000.0])))
    >>> float((far * far).log[0])
    2000.0
    """

    __slots__ = ("log", "plain", "sign")
    __array_ufunc__ = None

    def __init__(self, plain, sign, log) -> None:
        usual = np.isfinite(plain) & (abs(plain) > 1e-290)
        self.plain = plain
        self.sign = np.where(usual, np.sign(plain), sign)
        self.log = np.where(usual, np.log(abs(np.where(usual, plain, 1.0))), log)

    @classmethod
    def of(cls, plain) -> Log:
        """Return plain numbers."""
        plain = np.asarray(plain, float)
        return cls(plain, np.sign(plain), np.log(abs(plain)))

    @classmethod
    def large(cls, sign, log) -> Log:
        """Return the numbers of these signs and logarithms."""
        return cls(sign * np.exp(log), sign, log)

    def __add__(self, other):
        other = number(other)
        low, high = np.minimum(self.log, other.log), np.maximum(self.log, other.log)
        same = np.where(self.sign == other.sign, 1.0, -1.0)
        gap = np.where(low == -np.inf, 0.0, np.exp(low - np.where(np.isfinite(high), high, 0.0)))
        sign = np.where(self.log >= other.log, self.sign, other.sign)
        unclear = (same < 0.0) & (((high == np.inf) & (low == np.inf)) | (gap > 1.0 - _ALIKE) & (low > -np.inf))
        log = high + np.where(np.isfinite(high), np.log1p(same * gap), 0.0)
        return Log(*(np.where(unclear, np.nan, part) for part in (self.plain + other.plain, sign, log)))

    def __sub__(self, other):
        return self + -number(other)

    def __mul__(self, other):
        other = number(other)
        zero = (self.sign == 0.0) | (other.sign == 0.0)
        plain = np.where(zero, 0.0, self.plain * other.plain)
        return Log(plain, self.sign * other.sign, np.where(zero, -np.inf, self.log + other.log))

    def __truediv__(self, other):
        other = number(other)
        log = np.where(self.sign == 0.0, -np.inf, self.log - other.log)
        return Log(self.plain / other.plain, self.sign * np.where(other.sign == 0.0, 1.0, other.sign), log)

    def __neg__(self):
        return Log(-self.plain, -self.sign, self.log)

    def __rsub__(self, other):
        return number(other) - self

    def __rtruediv__(self, other):
        return number(other) / self

    __radd__ = __add__
    __rmul__ = __mul__

    def __gt__(self, other):
        return self._ahead_of(other) > 0.0

    def __lt__(self, other):
        return self._ahead_of(other) < 0.0

    def __ge__(self, other):
        return self._ahead_of(other) >= 0.0

    def __le__(self, other):
        return self._ahead_of(other) <= 0.0

    def _ahead_of(self, other):
        """Return the sign of the difference; raise ArithmeticError where rounding has eaten it."""
        sign = (self - other).sign
        if np.isnan(sign).any():
            raise ArithmeticError("too much alike to be told apart")
        return sign

    @property
    def value(self):
        """As doubles, infinite where they are too large."""
        known = np.isfinite(self.plain)
        return np.where(known, self.plain, self.sign * np.exp(self.log))


def number(x) -> Log:
    """Return ``x`` as such a number."""
    return x if isinstance(x, Log) else Log.of(getattr(x, "mid", x))


class Logs:
    """The function namespace on such numbers."""

    number = staticmethod(number)

    def exp(self, x):
        return Log(np.exp(number(x).value), 1.0, number(x).value)

    def expm1(self, x):
        x = number(x).value
        return Log(np.expm1(x), np.sign(x), np.where(x > _FAR, x, np.log(abs(np.expm1(np.minimum(x, _FAR))))))

    def log(self, x):
        x = number(x)
        return Log.of(np.where(x.sign > 0.0, x.log, np.nan))

    def log1p(self, x):
        return self.log(number(x) + 1.0) if np.all(abs(number(x).value) > 0.5) else Log.of(np.log1p(number(x).value))

    def sqrt(self, x):
        x = number(x)
        return Log(np.sqrt(x.plain), np.where(x.sign < 0.0, np.nan, x.sign), 0.5 * x.log)

    def power(self, x, a):
        x, a = number(x), number(a).plain
        return Log(np.power(x.plain, a), np.where(x.sign < 0.0, np.nan, 1.0), a * x.log)

    def asinh(self, x):
        x = number(x)
        size = np.where(x.log > _FAR, x.log + math.log(2.0), np.arcsinh(abs(np.where(x.log > _FAR, 1.0, x.plain))))
        return Log.of(x.sign * size)

    def floor(self, x):
        x = number(x)
        return Log(np.floor(x.plain), x.sign, x.log)

    def sech2(self, x):
        size = abs(number(x).value)
        return Log.large(np.ones_like(size), math.log(4.0) - 2.0 * size - 2.0 * np.log1p(np.exp(-2.0 * size)))

    def sigmoid(self, x):
        x = number(x).value
        return Log.large(np.ones_like(x), np.minimum(x, 0.0) - np.log1p(np.exp(-abs(x))))

    def softplus(self, x):
        x = number(x).value
        left = Log.large(np.ones_like(x), x)
        right = Log.of(np.maximum(x, 0.0) + np.log1p(np.exp(-abs(x))))
        return self.where(x < -_FAR, left, right)

    def phi(self, x):
        x = number(x).value
        return Log.large(np.ones_like(x), -0.5 * x * x - 0.5 * math.log(2.0 * math.pi))

    def Phi(self, x):
        x = number(x).value
        return Log.large(np.ones_like(x), ARRAYS.log_Phi(x))

    def log_Phi(self, x):
        return Log.of(ARRAYS.log_Phi(number(x).value))

    def abs(self, x):
        x = number(x)
        return Log(abs(x.plain), abs(x.sign), x.log)

    def where(self, condition, a, b):
        a, b = number(a), number(b)
        return Log(*(np.where(condition, getattr(a, n), getattr(b, n)) for n in ("plain", "sign", "log")))

    def maximum(self, a, b):
        return self.where(number(a) > number(b), a, b)

    def __getattr__(self, name: str):
        if name not in _BOUNDED:
            raise AttributeError(name)
        return lambda x: Log.of(_BOUNDED[name](number(x).value))


#: Functions that stay small.
_BOUNDED = {"sin": np.sin, "cos": np.cos, "tanh": np.tanh, "arctan": np.arctan, "erf": ARRAYS.erf}
LOGS = Logs()
