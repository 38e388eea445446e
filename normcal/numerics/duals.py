"""Forward-mode dual numbers over any other namespace: how every derivative here is made."""

from __future__ import annotations

import math

from normcal.numerics.elementary import PowerOfDuals


class Dual:
    r"""A number :math:`v + s\,\epsilon` with :math:`\epsilon^2 = 0`: a value and its slope.

    The value may be given as a function, which is called once, and only if anybody asks: most derivatives
    do not need the last values.
    """

    __slots__ = ("_value", "slope")
    __array_ufunc__ = None

    def __init__(self, value, slope) -> None:
        self._value = value
        self.slope = slope

    @property
    def value(self):
        if callable(self._value):
            self._value = self._value()
        return self._value

    def __add__(self, other):
        other = lift(other)
        return Dual(lambda: self.value + other.value, self.slope + other.slope)

    def __sub__(self, other):
        other = lift(other)
        return Dual(lambda: self.value - other.value, self.slope - other.slope)

    def __mul__(self, other):
        if not isinstance(other, Dual):
            return Dual(lambda: self.value * other, self.slope * other)
        return Dual(lambda: self.value * other.value, self.slope * other.value + self.value * other.slope)

    def __truediv__(self, other):
        if not isinstance(other, Dual):
            return Dual(lambda: self.value / other, self.slope / other)
        quotient = self.value / other.value
        return Dual(quotient, (self.slope - quotient * other.slope) / other.value)

    def __neg__(self):
        return Dual(lambda: -self.value, -self.slope)

    def __rsub__(self, other):
        return -self + other

    def __rtruediv__(self, other):
        return lift(other) / self

    def __pow__(self, power: int):
        return whole_power(self, power)

    __radd__ = __add__
    __rmul__ = __mul__

    def __gt__(self, other):
        return self.value > lift(other).value

    def __lt__(self, other):
        return self.value < lift(other).value

    def __ge__(self, other):
        return self.value >= lift(other).value

    def __le__(self, other):
        return self.value <= lift(other).value


def slope_of(f):
    """Return the almost-everywhere derivative of ``f(x, m)`` as a function like it; a constant one stays a number.

    >>> from normcal.numerics.arrays import ARRAYS
    >>> slope_of(lambda x, m: x * x)(3.0, ARRAYS)
    6.0
    """
    return lambda x, m: lift(f(Dual(x, 1.0), Duals(m))).slope


def lift(x) -> Dual:
    """Return ``x`` as a dual number; a constant has slope 0."""
    return x if isinstance(x, Dual) else Dual(x, 0.0)


def whole_power(x, power: int):
    """Return ``x ** power`` for a whole power by repeated multiplication."""
    if power < 0:
        return 1.0 / whole_power(x, -power)
    result = 1.0
    for bit in bin(power)[2:]:
        result = result * result * x if bit == "1" else result * result
    return result


class Duals(PowerOfDuals):
    """The function namespace on dual numbers, by the chain rule over the namespace ``base``.

    Slopes are written so that they keep their relative accuracy in the tails, where the
    obvious form (1 - tanh^2, say) would be all rounding error.

    >>> from normcal.numerics.arrays import ARRAYS
    >>> Duals(ARRAYS).derivative(lambda x, m: m.maximum(x, 0.0), 3.0)
    array(1.)
    """

    def __init__(self, base) -> None:
        self.base = base

    def derivative(self, f, x):
        """Return the almost-everywhere derivative of ``f(x, m)`` at ``x``."""
        result = lift(f(Dual(x, 1.0), self)).slope
        if getattr(result, "shape", None) == getattr(x, "shape", ()):
            return result
        return self.base.where(x > 0.0, result, result)  # a constant slope takes the shape of x

    def exp(self, x):
        value = self.base.exp(x.value)
        return Dual(value, value * x.slope)

    def expm1(self, x):
        return Dual(lambda: self.base.expm1(x.value), self.base.exp(x.value) * x.slope)

    def log(self, x):
        x = lift(x)
        return Dual(lambda: self.base.log(x.value), x.slope / x.value)

    def sin(self, x):
        return Dual(lambda: self.base.sin(x.value), self.base.cos(x.value) * x.slope)

    def cos(self, x):
        return Dual(lambda: self.base.cos(x.value), -(self.base.sin(x.value) * x.slope))

    def arctan(self, x):
        return Dual(lambda: self.base.arctan(x.value), x.slope / (1.0 + x.value * x.value))

    def asinh(self, x):
        return Dual(lambda: self.base.asinh(x.value), x.slope / self.base.sqrt(1.0 + x.value * x.value))

    def floor(self, x):
        return Dual(lambda: self.base.floor(x.value), x.slope * 0.0)  # piecewise constant: the deltas are left out

    def log1p(self, x):
        return Dual(lambda: self.base.log1p(x.value), x.slope / (1.0 + x.value))

    def sqrt(self, x):
        x = lift(x)
        value = self.base.sqrt(x.value)
        return Dual(value, x.slope / (2.0 * value))

    def tanh(self, x):
        return Dual(lambda: self.base.tanh(x.value), self.base.sech2(x.value) * x.slope)

    def sech2(self, x):
        value = self.base.sech2(x.value)
        return Dual(value, -2.0 * (value * self.base.tanh(x.value)) * x.slope)

    def abs(self, x):
        return self.maximum(x, -x)

    def minimum(self, a, b):
        return -self.maximum(-lift(a), -lift(b))

    def erf(self, x):
        slope = 2.0 * math.sqrt(2.0) * self.base.phi(x.value * math.sqrt(2.0))
        return Dual(lambda: self.base.erf(x.value), slope * x.slope)

    def sigmoid(self, x):
        return Dual(lambda: self.base.sigmoid(x.value), 0.25 * self.base.sech2(0.5 * x.value) * x.slope)

    def softplus(self, x):
        return Dual(lambda: self.base.softplus(x.value), self.base.sigmoid(x.value) * x.slope)

    def phi(self, x):
        value = self.base.phi(x.value)
        return Dual(value, -(x.value * value) * x.slope)

    def Phi(self, x):
        return Dual(lambda: self.base.Phi(x.value), self.base.phi(x.value) * x.slope)

    def log_Phi(self, x):
        value = self.base.log_Phi(x.value)
        ratio = self.base.exp(x.value * x.value * -0.5 - value) / math.sqrt(2.0 * math.pi)  # phi / Phi
        return Dual(value, ratio * x.slope)

    def where(self, condition, a, b):
        a, b = lift(a), lift(b)
        where = self.base.where
        return Dual(lambda: where(condition, a.value, b.value), where(condition, a.slope, b.slope))

    def maximum(self, a, b):
        a, b = lift(a), lift(b)
        slope = self.base.where(a.value > b.value, a.slope, b.slope)
        return Dual(lambda: self.base.maximum(a.value, b.value), slope)
