r"""Powers with a real exponent, for every namespace: :math:`x^a` with a constant a, on x >= 0.

Whole powers are products and need none of this. The namespaces of arrays, duals and balls each take the class here
that bears their kind, so that ``m.power(x, a)`` is there wherever ``m.exp(x)`` is. The exponent is a plain number, or
a ball of one number; x < 0 gives no number.
"""

from __future__ import annotations

import math

#: Relative error granted to NumPy's and the C library's pow, in units of 2^-52.
OWN = 8.0


class PowerOfArrays:
    """Powers of plain arrays."""

    @staticmethod
    def power(x, a):
        """Return ``x ** a``; of a ball that an exponent less 1 is, the midpoint."""
        import numpy as np

        return np.power(x, getattr(a, "mid", a))


class PowerOfDuals:
    """Powers of dual numbers."""

    def power(self, x, a):
        r"""Return :math:`x^a`, whose slope is :math:`a x^{a-1}`."""
        from normcal.numerics.duals import Dual, lift

        x = lift(x)
        slope = self.base.power(x.value, _less_one(a)) * a
        return Dual(lambda: self.base.power(x.value, a), slope * x.slope)


class PowerOfBalls:
    """Powers of balls."""

    def power(self, x, a):
        r"""Return :math:`x^a`.

        For x' in the ball of x and a' in that of a, :math:`|\log x'^{a'} - \log x^a| \le |a'|\,|\log(x'/x)| +
        |a' - a|\,|\log x|`; a wide ball, or one that reaches 0, is bounded from its ends, since the power is monotone
        in either operand.
        """
        from normcal.numerics.balls import GROW, TINY, WIDE, Ball, U, _kit, ball

        x, a = ball(x), ball(a)
        k = _kit(x, a)
        with_zero = k.where((x.mid < 0.0) & (x.mid + x.rad >= 0.0), 0.0, x.mid)
        reach = x.rad + abs(with_zero - x.mid)
        mid = _raised(k, with_zero, a.mid)
        thin = (reach < WIDE * with_zero) & (a.rad < WIDE)
        base = k.where(thin, with_zero, 1.0)
        change = -k.log1p(-k.where(thin, reach / base, 0.0)) * (abs(a.mid) + a.rad) + a.rad * abs(k.log(base))
        spread = mid * k.expm1(change * (1.0 + 16.0 * U))
        ends = [
            _raised(k, k.maximum(end, 0.0), power)
            for end in (with_zero - reach * (1.0 + 2.0 * U), with_zero + reach * (1.0 + 2.0 * U))
            for power in ((a.mid - a.rad, a.mid + a.rad) if k.any(a.rad > 0.0) else (a.mid,))
        ]
        low, high = _least(k.minimum, ends), _least(k.maximum, ends)
        wide = k.maximum(high - mid, mid - low) + 2.0 * OWN * U * (low + high)
        exact = (reach == 0.0) & (with_zero == 0.0) & (a.mid - a.rad > 0.0)  # 0 to any positive power
        rad = k.where(exact, 0.0, (k.where(thin, spread, wide) + OWN * U * mid) * GROW + TINY)
        known = k.isfinite(mid) & (rad == rad)
        return Ball(mid, k.where(known, rad, k.inf))


def _raised(k, x, a):
    """Return x to the power a: no number below 0, infinity for a negative power of 0 and where it overflows."""
    if hasattr(k, "power"):
        return k.power(x, a)
    if not x >= 0.0:
        return math.nan
    try:
        return math.pow(x, a)
    except (OverflowError, ValueError):  # 0 to a negative power is the ValueError
        return math.inf


def _least(pick, values):
    found = values[0]
    for value in values[1:]:
        found = pick(found, value)
    return found


def _less_one(a):
    """Return a - 1: a plain number where doubles hold it, else a ball."""
    from normcal.numerics.balls import Ball

    if not isinstance(a, float):
        return a - 1.0
    less = a - 1.0
    lost = math.fsum((a, -1.0, -less))
    return Ball(less, abs(lost)) if lost else less
