"""A number with its absolute error, and the arithmetic that carries the error along."""

from __future__ import annotations

import math
from dataclasses import dataclass

_ROUNDING = 2.0**-51
_GROW = 1.0 + 2.0**-49
#: An error on an exact 0 that is only what may be lost below the smallest double.
UNDERFLOW = 1e-300
SMALLEST = 5e-324


@dataclass(frozen=True)
class Value:
    """A number and its absolute error; an absent number is None, so is an error that cannot be stated."""

    value: float | None = None
    error: float | None = None

    def __float__(self) -> float:
        if self.value is None:
            raise ValueError("this moment has no value; the status says why")
        return self.value

    @classmethod
    def of(cls, mid: float, rad: float) -> Value:
        """Return the value of a ball; what is no finite number is absent."""
        mid, rad = float(mid), float(rad)
        return cls(mid if math.isfinite(mid) else None, rad if math.isfinite(rad) and math.isfinite(mid) else None)

    def reciprocal(self) -> Value:
        """Return 1/value, with the error that follows."""
        if not self.value:
            return Value()
        inverse = 1.0 / self.value
        if not math.isfinite(inverse):
            return Value()
        if self.error is None or self.error >= abs(self.value):
            return Value(inverse)
        error = self.error * abs(inverse) / (abs(self.value) - self.error)
        lost = 4.0 * SMALLEST if abs(inverse) < UNDERFLOW else 0.0
        return Value.of(inverse, error * _GROW + _ROUNDING * abs(inverse) + lost)

    def over(self, other: Value) -> Value:
        """Return value/other with the largest error that both may cause together."""
        if self.value is None or not other.value:
            return Value()
        ratio = self.value / other.value
        if None in (self.error, other.error) or other.error >= abs(other.value):
            return Value.of(ratio, math.inf)
        room = abs(other.value) - other.error
        error = self.error / room + abs(ratio) * (other.error / room)
        underflows = (self.value or self.error) and min(abs(ratio), error or 1.0) < UNDERFLOW
        lost = 8.0 * SMALLEST * (abs(other.value) / room) if underflows else 0.0
        return Value.of(ratio, error * _GROW + _ROUNDING * abs(ratio) + lost)

    def times(self, other: Value) -> Value:
        """Return value * other; |a b - a' b'| <= |a| e' + |b| e + e e'."""
        if None in (self.value, other.value):
            return Value()
        product = self.value * other.value
        if None in (self.error, other.error):
            return Value.of(product, math.inf)
        error = abs(self.value) * other.error + (abs(other.value) + other.error) * self.error
        return Value.of(product, error * _GROW + _ROUNDING * abs(product) + SMALLEST)

    def plus(self, other: Value) -> Value:
        """Return value + other."""
        if None in (self.value, other.value):
            return Value()
        total = self.value + other.value
        if None in (self.error, other.error):
            return Value.of(total, math.inf)
        return Value.of(total, (self.error + other.error) * _GROW + _ROUNDING * abs(total))

    def half(self) -> Value:
        """Return value / 2."""
        return self.over(Value(2.0, 0.0))

    def root(self) -> Value:
        """Return the square root; |sqrt a - sqrt a'| <= e / sqrt a, and it is at least sqrt(a - e)."""
        if self.value is None or self.value < 0.0:
            return Value()
        found = math.sqrt(self.value)
        if self.error is None or self.error >= self.value:
            return Value.of(found, math.inf)
        return Value.of(found, self.error / found * _GROW + _ROUNDING * found)

    def negated(self) -> Value:
        """Return -value; a zero stays without a sign."""
        return self if not self.value else Value(-self.value, self.error)
