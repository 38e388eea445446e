"""Ball arithmetic: a double, or an array of them, that carries a bound on its own error.

Every operation returns a ball that holds the exact result for every choice of operands in
their balls, so that the radius at the end of a formula is a bound on rounding and on
whatever error came in. Radii are themselves computed in floating point; ``U`` is twice the
unit roundoff and ``GROW`` inflates every radius, which covers that.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

U = 2.0**-52
TINY = 5e-324
GROW = 1.0 + 2.0**-48
#: Relative error granted to exp, expm1, log1p and tanh of NumPy, whose vector forms may be 4 ulp off.
ELEMENTARY = 6.0 * U
#: Relative error granted to the C library's erfc.
ERFC = 8.0 * U
#: Terms of a sum smaller than this, relative to the largest.
NEGLIGIBLE = 2.0**-100
#: Radii above this are no small perturbation: functions are then bounded from the ends of the ball.
WIDE = 0.01
#: The normal density and the tail behind it are 0 in a double well before this.
_BEYOND = 100.0
SQRT2 = math.sqrt(2.0)
SQRT2PI = math.sqrt(2.0 * math.pi)


class Ball:
    """A midpoint and a radius; the exact number lies within the radius of the midpoint.

    >>> third = Ball(1.0) / 3.0
    >>> bool(third.rad < 1e-15)
    True
    """

    __slots__ = ("mid", "rad")
    __array_ufunc__ = None

    def __init__(self, mid, rad=0.0) -> None:
        self.mid = mid
        self.rad = rad

    def __add__(self, other):
        other = ball(other)
        mid = self.mid + other.mid
        return Ball(mid, (self.rad + other.rad + U * np.abs(mid)) * GROW)

    def __sub__(self, other):
        other = ball(other)
        mid = self.mid - other.mid
        return Ball(mid, (self.rad + other.rad + U * np.abs(mid)) * GROW)

    def __mul__(self, other):
        other = ball(other)
        mid = self.mid * other.mid
        spread = np.abs(self.mid) * other.rad + self.rad * (np.abs(other.mid) + other.rad)
        return Ball(mid, (spread + U * np.abs(mid)) * GROW + _underflow(self, other))

    def __truediv__(self, other):
        other = ball(other)
        mid = np.divide(self.mid, other.mid)  # a plain float divided by 0.0 would raise
        room = np.abs(other.mid) - other.rad
        safe = np.where(room > 0.0, room, 1.0)
        spread = np.where(room > 0.0, self.rad / safe + (np.abs(mid) + TINY) * (other.rad / safe), np.inf)
        return Ball(mid, (spread + U * np.abs(mid)) * GROW + _underflow(self, self))

    def __neg__(self):
        return Ball(-self.mid, self.rad)

    def __rsub__(self, other):
        return -self + other

    def __rtruediv__(self, other):
        return ball(other) / self

    def __pow__(self, power: int):
        from normcal.numerics.duals import whole_power

        return whole_power(self, power)

    __radd__ = __add__
    __rmul__ = __mul__

    def __gt__(self, other):
        return Comparison(self - other)

    def __lt__(self, other):
        return Comparison(ball(other) - self)

    __ge__ = __gt__  # they differ where the difference is 0, which a ball leaves open
    __le__ = __lt__

    def square(self) -> Ball:
        return self * self

    def sum(self) -> Ball:
        """Return the sum of all entries, itself rounded only once."""
        size = np.abs(self.mid)
        largest = np.max(size, initial=0.0)
        if not np.isfinite(largest * np.size(size)):  # fsum refuses a sum that overflows on the way
            return Ball(np.sum(self.mid), np.inf)
        # an exact sum is slow over many magnitudes: what is far below its rounding goes into the radius
        counts = size >= largest * NEGLIGIBLE
        mid, rest = math.fsum(self.mid[counts]), np.sum(size[~counts])
        spread = np.sum(self.rad)
        if rest > 0.01 * (spread + U * abs(mid)):
            mid, rest = math.fsum(np.ravel(self.mid)), 0.0
        return Ball(mid, (spread + rest + U * abs(mid)) * GROW)

    def scaled(self, power: float) -> Ball:
        """Return the ball times a power of two, which rounds nothing short of underflow."""
        return Ball(self.mid * power, self.rad * power + 0.5 * _underflow(self, self))

    @property
    def upper(self):
        """The largest absolute value in the ball."""
        return np.abs(self.mid) + self.rad


class Comparison:
    """Whether a difference is positive, and where its ball leaves that open."""

    __slots__ = ("open", "true")

    def __init__(self, difference: Ball) -> None:
        self.true = difference.mid > 0.0
        self.open = (np.abs(difference.mid) <= difference.rad) & (difference.rad > 0.0)


def ball(x) -> Ball:
    """Return ``x`` as a ball; a plain number is exact."""
    return x if isinstance(x, Ball) else Ball(x)


class Balls:
    """The function namespace on balls. Each radius bounds the slope over the whole ball."""

    def exp(self, x: Ball) -> Ball:
        x = ball(x)
        mid = np.exp(x.mid)
        # far left of 0 a wide ball still ends far left of 0: e^(mid + rad), not e^mid times e^rad
        end = np.where(x.rad < 1.0, -np.inf, x.mid + x.rad)
        wide = np.exp(end + U * np.where(x.rad < 1.0, 0.0, np.abs(end))) * (1.0 + ELEMENTARY)
        spread = np.where(x.rad < 1.0, mid * np.expm1(np.minimum(x.rad, 1.0)), wide)
        return _finite(mid, (spread + mid * ELEMENTARY) * GROW + TINY)

    def expm1(self, x: Ball) -> Ball:
        x = ball(x)
        mid = np.expm1(x.mid)
        return _finite(mid, (np.exp(x.mid) * np.expm1(x.rad) + ELEMENTARY * np.abs(mid)) * GROW + TINY)

    def log(self, x: Ball) -> Ball:
        x = ball(x)
        mid = np.log(x.mid)
        room = x.rad < x.mid
        spread = np.where(room, -np.log1p(-np.where(room, x.rad / np.where(room, x.mid, 1.0), 0.0)), np.inf)
        return _finite(mid, (spread * (1.0 + ELEMENTARY) + ELEMENTARY * np.abs(mid)) * GROW + TINY)

    def sin(self, x: Ball) -> Ball:
        x = ball(x)
        if np.ndim(x.mid) == 0 and np.isfinite(x.mid):  # the C library is accurate relative to the value
            value = np.float64(math.sin(x.mid))
            return _wave(value, math.cos(x.mid), x.rad, np.abs(value))
        return _wave(np.sin(x.mid), np.cos(x.mid), x.rad, np.minimum(np.abs(x.mid), 1.0))

    def cos(self, x: Ball) -> Ball:
        x = ball(x)
        if np.ndim(x.mid) == 0 and np.isfinite(x.mid):
            value = np.float64(math.cos(x.mid))
            return _wave(value, math.sin(x.mid), x.rad, np.abs(value))
        return _wave(np.cos(x.mid), np.sin(x.mid), x.rad, 1.0)

    def arctan(self, x: Ball) -> Ball:
        """Arc tangent; its slope 1/(1 + x^2) falls away from 0."""
        x = ball(x)
        mid = np.arctan(x.mid)
        near = np.maximum(np.abs(x.mid) - x.rad, 0.0)
        spread = _spread(np.arctan, x, mid, x.rad / (1.0 + near * near))
        return Ball(mid, (spread + ELEMENTARY * np.abs(mid)) * GROW + TINY)

    def asinh(self, x: Ball) -> Ball:
        """Inverse hyperbolic sine; its slope 1/sqrt(1 + x^2) falls away from 0."""
        x = ball(x)
        mid = np.arcsinh(x.mid)
        near = np.maximum(np.abs(x.mid) - x.rad, 0.0)
        spread = _spread(np.arcsinh, x, mid, x.rad / np.hypot(1.0, near))
        return _finite(mid, (spread + ELEMENTARY * np.abs(mid)) * GROW + TINY)

    def floor(self, x: Ball) -> Ball:
        x = ball(x)
        mid = np.floor(x.mid)
        reach = np.where(x.rad > 0.0, x.rad + 2.0 * U * (np.abs(x.mid) + x.rad), 0.0)
        return Ball(mid, np.maximum(mid - np.floor(x.mid - reach), np.floor(x.mid + reach) - mid) * GROW)

    def log1p(self, x: Ball) -> Ball:
        x = ball(x)
        mid = np.log1p(x.mid)
        room = 1.0 + x.mid - x.rad
        spread = np.where(room > 0.0, x.rad / np.where(room > 0.0, room, 1.0), np.inf)
        return Ball(mid, (spread + ELEMENTARY * np.abs(mid)) * GROW + TINY)

    def sqrt(self, x: Ball) -> Ball:
        x = ball(x)
        mid = np.sqrt(np.maximum(x.mid, 0.0))
        low = np.sqrt(np.maximum(x.mid - x.rad, 0.0))
        spread = np.where(
            low > 0.0, x.rad / np.where(low > 0.0, mid + low, 1.0), np.sqrt(np.maximum(x.mid, 0.0) + x.rad)
        )
        return Ball(mid, (spread + U * mid) * GROW)

    def tanh(self, x: Ball) -> Ball:
        mid = np.tanh(x.mid)
        thin = _sech2(x.mid) * x.rad * np.exp(2.0 * x.rad)
        return Ball(mid, (_spread(np.tanh, x, mid, thin) + ELEMENTARY * np.abs(mid)) * GROW + TINY)

    def sech2(self, x: Ball) -> Ball:
        mid = _sech2(x.mid)
        own = 4.0 * ELEMENTARY + 2.0 * U * np.abs(x.mid)
        spread = _spread(_sech2, x, mid, mid * np.expm1(2.0 * x.rad), peak=True)
        return Ball(mid, (spread + mid * own) * GROW + 8.0 * TINY)  # four times what exp may lose

    def sigmoid(self, x: Ball) -> Ball:
        mid = _sigmoid(x.mid)
        thin = mid * _sigmoid(-x.mid) * x.rad * np.exp(x.rad)  # |(log slope)'| <= 1, so exp(rad) covers the ball
        return Ball(mid, (_spread(_sigmoid, x, mid, thin) + 2.0 * ELEMENTARY * mid) * GROW + TINY)

    def softplus(self, x: Ball) -> Ball:
        mid = _softplus(x.mid)
        thin = _sigmoid(x.mid) * x.rad * np.exp(x.rad)
        return Ball(mid, (_spread(_softplus, x, mid, thin) + 2.0 * ELEMENTARY * mid) * GROW + TINY)

    def phi(self, x: Ball) -> Ball:
        r"""Standard normal density :math:`\varphi`; its relative slope is \|x\|."""
        x = ball(x)
        mid = _phi(x.mid)
        spread = _spread(_phi, x, mid, mid * np.expm1((np.abs(x.mid) + x.rad) * x.rad), peak=True)
        return Ball(mid, (spread + 3.0 * ELEMENTARY * mid) * GROW + TINY)

    def Phi(self, x: Ball) -> Ball:
        r"""Standard normal distribution function :math:`\Phi`, accurate in both tails."""
        x = ball(x)
        mid = _Phi(x.mid)
        near = np.maximum(np.abs(x.mid) - x.rad, 0.0)
        return Ball(mid, (_phi(near) * x.rad * (1.0 + 3.0 * ELEMENTARY) + ERFC * mid) * GROW + TINY)

    def log_Phi(self, x: Ball) -> Ball:
        r"""Logarithm of :math:`\Phi`; its slope is below ``2 phi`` right of 0 and ``1 + |x|`` left of it."""
        right = x.mid > -1.0
        beyond = _Phi(-np.maximum(x.mid, -1.0))
        below = _Phi(np.clip(x.mid, -37.0, -1.0))
        far = -0.5 * x.mid * x.mid - np.log(SQRT2PI * np.maximum(-x.mid, 1.0))
        mid = np.where(right, np.log1p(-beyond), np.where(x.mid > -37.0, np.log(below), far))
        size = np.maximum(np.abs(x.mid) - x.rad, 0.0)
        slope = np.where(x.mid - x.rad > 0.0, 2.0 * np.exp(-0.5 * size * size) / SQRT2PI, 1.0 + np.abs(x.mid) + x.rad)
        own = np.where(x.mid > -37.0, (ERFC + ELEMENTARY) * np.abs(mid) + np.where(right, 0.0, ERFC), 1.0)
        return Ball(mid, (slope * x.rad + own) * GROW + TINY)

    def abs(self, x: Ball) -> Ball:
        return Ball(np.abs(x.mid), x.rad)

    def minimum(self, a: Ball, b: Ball) -> Ball:
        return -self.maximum(-ball(a), -ball(b))

    def erf(self, x: Ball) -> Ball:
        r"""Error function; its slope is below 2/sqrt(pi) and falls away from 0."""
        x = ball(x)
        mid = np.fromiter(map(math.erf, np.ravel(x.mid).tolist()), float, np.size(x.mid)).reshape(np.shape(x.mid))
        near = np.maximum(np.abs(x.mid) - x.rad, 0.0)
        return Ball(mid, (2.0 * SQRT2 * _phi(SQRT2 * near) * x.rad * (1.0 + 1e-12) + ERFC * np.abs(mid)) * GROW + TINY)

    def maximum(self, a: Ball, b: Ball) -> Ball:
        a, b = ball(a), ball(b)
        wider = np.maximum(a.rad, b.rad)
        clear = np.abs(a.mid - b.mid) > a.rad + b.rad
        return Ball(np.maximum(a.mid, b.mid), np.where(clear, np.where(a.mid > b.mid, a.rad, b.rad), wider))

    def where(self, condition: Comparison, a: Ball, b: Ball) -> Ball:
        """Choose by a comparison; where that is open, the ball holds both branches."""
        a, b = ball(a), ball(b)
        mid = np.where(condition.true, a.mid, b.mid)
        rad = np.where(condition.true, a.rad, b.rad)
        if np.any(condition.open):
            both = np.abs(np.subtract(a.mid, b.mid)) + np.maximum(a.rad, b.rad)
            rad = np.where(condition.open, both * GROW, rad)
        return Ball(mid, rad)


BALLS = Balls()


def root_of_squares(terms: Sequence[tuple[float | Ball, Ball]]) -> Ball:
    """Return the ball of sqrt(sum of weight * x^2), scaled so that no square over- or underflows."""
    scale = power_of_two_near(max(float(np.max(x.upper)) for _, x in terms))
    total = ball(0.0)
    for weight, x in terms:
        total = total + x.scaled(scale).square() * weight
    return BALLS.sqrt(total).scaled(1.0 / scale)


def hypot(a: Ball, b: Ball) -> Ball:
    """Return sqrt(a^2 + b^2); exact where one of them is exactly 0."""
    for x, y in ((a, b), (b, a)):
        if x.mid == 0.0 and x.rad == 0.0:
            return Ball(abs(y.mid), y.rad)
    return root_of_squares([(1.0, a), (1.0, b)])


def power_of_two_near(size: float) -> float:
    """Return the power of two whose product with ``size`` lies in [0.5, 1), to scale without rounding.

    >>> power_of_two_near(12.0)
    0.0625
    """
    if not 0.0 < size < math.inf:
        return 1.0
    return 2.0 ** min(max(-math.frexp(size)[1], -1020), 1020)


def _underflow(a: Ball, b: Ball) -> float:
    """What a product or quotient may lose below the smallest double; an exact zero times anything loses nothing."""
    return 0.0 if _exactly_zero(a) or _exactly_zero(b) else 2.0 * TINY  # half of it for each rounding


def _exactly_zero(x: Ball) -> bool:
    return not isinstance(x.mid, np.ndarray) and x.mid == 0.0 and bool(np.all(x.rad == 0.0))


def _finite(mid, rad) -> Ball:
    """Give an overflowed midpoint an infinite radius instead of an undefined one."""
    return Ball(mid, np.where(np.isfinite(mid), rad, np.inf))


def _spread(f, x: Ball, mid, thin, *, peak: bool = False):
    """Return how far f may stray over a ball: ``thin`` for small radii, else from the ends.

    ``f`` rises all the way or, with ``peak``, rises to 0 and falls behind it.
    """
    wide = x.rad > WIDE
    if not np.any(wide):
        return thin
    reach = x.rad + 2.0 * U * (np.abs(x.mid) + x.rad)  # the ends are rounded too
    low, high = f(x.mid - reach), f(x.mid + reach)
    if peak:
        low, high = f(np.abs(x.mid) + reach), f(np.maximum(np.abs(x.mid) - reach, 0.0))
    ends = np.maximum(high - mid, mid - low) + 4.0 * ELEMENTARY * (np.abs(low) + np.abs(high))
    return np.where(wide, ends, thin)


def _wave(mid, slope, rad, size) -> Ball:
    """Return the ball of a sine from its value and slope: off by slope r + r^2/2 at most, within [-1, 1].

    Vector forms of the sine are accurate relative to ``size``, not to a value near one of its zeros.
    """
    spread = np.minimum((np.abs(slope) + ELEMENTARY) * rad + 0.5 * rad * rad, rad)
    return _finite(mid, np.minimum((spread + ELEMENTARY * size) * GROW + TINY, (1.0 + np.abs(mid)) * GROW))


def _sech2(x):
    decay = np.exp(-2.0 * np.abs(x))
    return 4.0 * decay / (1.0 + decay) ** 2


def _sigmoid(x):
    decay = np.exp(-np.abs(x))
    return np.where(x > 0.0, 1.0, decay) / (1.0 + decay)


def _softplus(x):
    return np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x)))


def _phi(x):
    """Normal density; the square is split so that its rounding is not blown up by the exponential."""
    x = np.clip(x, -_BEYOND, _BEYOND)
    high = _upper_half(x)
    return np.exp(-0.5 * high * high) * np.exp(-0.5 * (x - high) * (x + high)) / SQRT2PI


def _Phi(x):
    """Normal distribution function: erfc at the rounded -x/sqrt(2), corrected for that rounding."""
    x = np.clip(x, -_BEYOND, _BEYOND)
    u = -x / SQRT2
    high = _upper_half(u)
    off = ((-x - high * _ROOT_HIGH) - (u - high) * _ROOT_HIGH) - u * _ROOT_LOW  # -x - u sqrt(2), exactly
    return np.maximum(0.5 * _erfc(u) - _phi(x) * off, 0.0)


def _upper_half(x):
    """Return the leading 26 bits of ``x``, whose square and products are exact (Dekker 1971)."""
    scaled = 134217729.0 * x
    return scaled - (scaled - x)


#: sqrt(2) as 26 bits and the rest
_ROOT_HIGH = 1.4142135381698608
_ROOT_LOW = 2.420323420895794e-08


def _erfc(x):
    """Complementary error function by the C library: exact in the tail, and no SciPy to import."""
    flat = np.ravel(x).tolist()
    return np.fromiter(map(math.erfc, flat), float, len(flat)).reshape(np.shape(x))
