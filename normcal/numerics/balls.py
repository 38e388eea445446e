"""Ball arithmetic: a double, or an array of them, that carries a bound on its own error.

Every operation returns a ball that holds the exact result for every choice of operands in
their balls, so that the radius at the end of a formula is a bound on rounding and on
whatever error came in. Radii are themselves computed in floating point; ``U`` is twice the
unit roundoff and ``GROW`` inflates every radius, which covers that.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from normcal.numerics.elementary import PowerOfBalls
from normcal.numerics.floats import FLOATS

U = 2.0**-52
TINY = 5e-324
GROW = 1.0 + 2.0**-48
#: Relative error granted to exp, expm1, log1p and tanh: of NumPy, whose vector forms may be 4 ulp off, and of the C
#: library, which is within 2.
ELEMENTARY = 6.0 * U
#: Relative error granted to the C library's erfc.
ERFC = 8.0 * U
#: Radii above this are no small perturbation: functions are then bounded from the ends of the ball.
WIDE = 0.01
#: The normal density and the tail behind it are 0 in a double well before this.
_BEYOND = 100.0
#: What the two roundings of a product or quotient, of midpoint and radius, lose where they underflow.
_LOST = 2.0 * TINY
#: Numbers that fsum adds faster than NumPy adds them in two.
_FEW = 48
#: Sizes of sums from which one more power of two might overflow.
_LARGEST_UNIT = 2.0**1000
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
        if not isinstance(other, Ball):
            other = ball(other)
        mid = self.mid + other.mid
        return Ball(mid, (self.rad + other.rad + U * abs(mid)) * GROW)

    def __sub__(self, other):
        if not isinstance(other, Ball):
            other = ball(other)
        mid = self.mid - other.mid
        return Ball(mid, (self.rad + other.rad + U * abs(mid)) * GROW)

    def __mul__(self, other):
        if not isinstance(other, Ball):
            other = ball(other)
        mid = self.mid * other.mid
        spread = abs(self.mid) * other.rad + self.rad * (abs(other.mid) + other.rad)
        return Ball(mid, (spread + U * abs(mid)) * GROW + _underflow(mid, self, other))

    def __truediv__(self, other):
        if not isinstance(other, Ball):
            other = ball(other)
        k = _kit(self, other)
        mid = k.divide(self.mid, other.mid)  # a plain float divided by 0.0 would raise
        room = abs(other.mid) - other.rad
        safe = k.where(room > 0.0, room, 1.0)
        spread = k.where(room > 0.0, self.rad / safe + (abs(mid) + TINY) * (other.rad / safe), k.inf)
        return Ball(mid, (spread + U * abs(mid)) * GROW + _underflow(mid, self, self))

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

    def __ge__(self, other):
        return Comparison(self - other, closed=True)

    def __le__(self, other):
        return Comparison(ball(other) - self, closed=True)

    def square(self) -> Ball:
        return self * self

    def sum(self) -> Ball:
        """Return the sum of all entries, itself rounded only once."""
        import numpy as np

        values = np.ravel(self.mid)
        size, count = float(np.abs(values).max(initial=0.0)), len(values)
        spread = float(np.sum(self.rad)) * (1 if np.ndim(self.rad) else count)
        if not size * count < math.inf:  # fsum refuses a sum that overflows on the way
            return Ball(float(np.sum(values)), math.inf)
        mid, lost = 0.0, math.inf
        if count > _FEW and size * count < _LARGEST_UNIT:
            mid, lost = _sum_in_two(values, size, count)
        if not lost <= 0.01 * (spread + U * abs(mid)):
            mid, lost = math.fsum(values.tolist()), 0.0
        return Ball(mid, (spread + lost + U * abs(mid)) * GROW)

    def scaled(self, power: float) -> Ball:
        """Return the ball times a power of two, which rounds nothing short of underflow."""
        mid = self.mid * power
        return Ball(mid, self.rad * power + 0.5 * _underflow(mid, self, self))

    @property
    def upper(self):
        """The largest absolute value in the ball."""
        return abs(self.mid) + self.rad


class Comparison:
    """Whether a difference is positive, or 0 where that counts (``closed``), and where its ball leaves that open."""

    __slots__ = ("open", "true")

    def __init__(self, difference: Ball, *, closed: bool = False) -> None:
        self.true = difference.mid >= 0.0 if closed else difference.mid > 0.0
        self.open = (abs(difference.mid) <= difference.rad) & (difference.rad > 0.0)


def ball(x) -> Ball:
    """Return ``x`` as a ball; a plain number is exact."""
    return x if isinstance(x, Ball) else Ball(float(x) if isinstance(x, int) else x)


def _kit(*balls: Ball):
    """Return the functions that serve all of them: those of plain floats where each is one, else NumPy's."""
    for x in balls:
        if not (isinstance(x.mid, float) and isinstance(x.rad, float)):
            return _arrays()
    return FLOATS


def _arrays():
    """Return NumPy, which the first array loads: most closed forms never see one."""
    import numpy

    return numpy


class Balls(PowerOfBalls):
    """The function namespace on balls. Each radius bounds the slope over the whole ball."""

    def exp(self, x: Ball) -> Ball:
        x = ball(x)
        k = _kit(x)
        mid = k.exp(x.mid)
        # far left of 0 a wide ball still ends far left of 0: e^(mid + rad), not e^mid times e^rad
        thin = x.rad < 1.0
        end = k.where(thin, -k.inf, x.mid + x.rad)
        wide = k.exp(end + U * k.where(thin, 0.0, abs(end))) * (1.0 + ELEMENTARY)
        spread = k.where(thin, mid * k.expm1(k.minimum(x.rad, 1.0)), wide)
        return _finite(k, mid, (spread + mid * ELEMENTARY) * GROW + TINY)

    def expm1(self, x: Ball) -> Ball:
        x = ball(x)
        k = _kit(x)
        mid = k.expm1(x.mid)
        return _finite(k, mid, (k.exp(x.mid) * k.expm1(x.rad) + ELEMENTARY * abs(mid)) * GROW + TINY)

    def log(self, x: Ball) -> Ball:
        x = ball(x)
        k = _kit(x)
        mid = k.log(x.mid)
        room = x.rad < x.mid
        spread = k.where(room, -k.log1p(-k.where(room, x.rad / k.where(room, x.mid, 1.0), 0.0)), k.inf)
        return _finite(k, mid, (spread * (1.0 + ELEMENTARY) + ELEMENTARY * abs(mid)) * GROW + TINY)

    def sin(self, x: Ball) -> Ball:
        x = ball(x)
        k = _kit(x)
        value = k.sin(x.mid)
        return _wave(k, value, k.cos(x.mid), x.rad, abs(value) if k is FLOATS else k.minimum(abs(x.mid), 1.0))

    def cos(self, x: Ball) -> Ball:
        x = ball(x)
        k = _kit(x)
        value = k.cos(x.mid)
        return _wave(k, value, k.sin(x.mid), x.rad, abs(value) if k is FLOATS else 1.0)

    def arctan(self, x: Ball) -> Ball:
        """Arc tangent; its slope 1/(1 + x^2) falls away from 0."""
        x = ball(x)
        k = _kit(x)
        mid = k.arctan(x.mid)
        near = k.maximum(abs(x.mid) - x.rad, 0.0)
        spread = _spread(k, k.arctan, x, mid, x.rad / (1.0 + near * near))
        return Ball(mid, (spread + ELEMENTARY * abs(mid)) * GROW + TINY)

    def asinh(self, x: Ball) -> Ball:
        """Inverse hyperbolic sine; its slope 1/sqrt(1 + x^2) falls away from 0."""
        x = ball(x)
        k = _kit(x)
        mid = k.arcsinh(x.mid)
        near = k.maximum(abs(x.mid) - x.rad, 0.0)
        spread = _spread(k, k.arcsinh, x, mid, x.rad / k.hypot(1.0, near))
        return _finite(k, mid, (spread + ELEMENTARY * abs(mid)) * GROW + TINY)

    def floor(self, x: Ball) -> Ball:
        x = ball(x)
        k = _kit(x)
        mid = k.floor(x.mid)
        reach = k.where(x.rad > 0.0, x.rad + 2.0 * U * (abs(x.mid) + x.rad), 0.0)
        return Ball(mid, k.maximum(mid - k.floor(x.mid - reach), k.floor(x.mid + reach) - mid) * GROW)

    def log1p(self, x: Ball) -> Ball:
        x = ball(x)
        k = _kit(x)
        mid = k.log1p(x.mid)
        room = 1.0 + x.mid - x.rad
        spread = k.where(room > 0.0, x.rad / k.where(room > 0.0, room, 1.0), k.inf)
        return Ball(mid, (spread + ELEMENTARY * abs(mid)) * GROW + TINY)

    def sqrt(self, x: Ball) -> Ball:
        x = ball(x)
        k = _kit(x)
        mid = k.sqrt(k.maximum(x.mid, 0.0))
        low = k.sqrt(k.maximum(x.mid - x.rad, 0.0))
        high = k.sqrt(k.maximum(x.mid, 0.0) + x.rad)
        spread = k.where(low > 0.0, x.rad / k.where(low > 0.0, mid + low, 1.0), high)
        return Ball(mid, (spread + U * mid) * GROW)

    def tanh(self, x: Ball) -> Ball:
        x = ball(x)
        k = _kit(x)
        mid = k.tanh(x.mid)
        thin = _sech2(x.mid, k) * x.rad * k.exp(2.0 * x.rad)
        return Ball(mid, (_spread(k, k.tanh, x, mid, thin) + ELEMENTARY * abs(mid)) * GROW + TINY)

    def sech2(self, x: Ball) -> Ball:
        x = ball(x)
        k = _kit(x)
        mid = _sech2(x.mid, k)
        own = ELEMENTARY + 3.0 * U  # 2|x| is exact, and 4d/(1 + d)^2 changes relatively no more than d does
        spread = _spread(k, lambda t: _sech2(t, k), x, mid, mid * k.expm1(2.0 * x.rad), peak=True)
        return Ball(mid, (spread + mid * own) * GROW + 8.0 * TINY)  # four times what exp may lose

    def sigmoid(self, x: Ball) -> Ball:
        x = ball(x)
        k = _kit(x)
        mid = _sigmoid(x.mid, k)
        thin = mid * _sigmoid(-x.mid, k) * x.rad * k.exp(x.rad)  # |(log slope)'| <= 1: exp(rad) covers the ball
        return Ball(mid, (_spread(k, lambda t: _sigmoid(t, k), x, mid, thin) + 2.0 * ELEMENTARY * mid) * GROW + TINY)

    def softplus(self, x: Ball) -> Ball:
        x = ball(x)
        k = _kit(x)
        mid = _softplus(x.mid, k)
        thin = _sigmoid(x.mid, k) * x.rad * k.exp(x.rad)
        return Ball(mid, (_spread(k, lambda t: _softplus(t, k), x, mid, thin) + 2.0 * ELEMENTARY * mid) * GROW + TINY)

    def phi(self, x: Ball) -> Ball:
        r"""Standard normal density :math:`\varphi`; its relative slope is \|x\|."""
        x = ball(x)
        k = _kit(x)
        mid = _phi(x.mid, k)
        growth = k.minimum((abs(x.mid) + x.rad) * x.rad, 700.0)  # beyond, phi is 0 all over a ball that is not wide
        spread = _spread(k, lambda t: _phi(t, k), x, mid, mid * k.expm1(growth), peak=True)
        return Ball(mid, (spread + 3.0 * ELEMENTARY * mid) * GROW + TINY)

    def Phi(self, x: Ball) -> Ball:
        r"""Standard normal distribution function :math:`\Phi`, accurate in both tails."""
        x = ball(x)
        k = _kit(x)
        mid = _Phi(x.mid, k)
        near = k.maximum(abs(x.mid) - x.rad, 0.0)
        return Ball(mid, (_phi(near, k) * x.rad * (1.0 + 3.0 * ELEMENTARY) + ERFC * mid) * GROW + TINY)

    def log_Phi(self, x: Ball) -> Ball:
        r"""Logarithm of :math:`\Phi`; its slope is below ``2 phi`` right of 0 and ``1 + |x|`` left of it."""
        x = ball(x)
        k = _kit(x)
        right = x.mid > -1.0
        tail = _Phi(k.where(right, -x.mid, k.maximum(x.mid, -37.0)), k)
        remote = k.maximum(-x.mid, 37.0)
        s = 1.0 / (remote * remote)  # of Mills' ratio: alternating, so that the first term left out bounds the rest
        ratio = s * (-1.0 + s * (3.0 + s * (-15.0 + s * (105.0 - s * 945.0))))
        far = -0.5 * remote * remote - k.log(SQRT2PI * remote) + k.log1p(ratio)
        near = k.where(right, k.log1p(-k.where(right, tail, 0.0)), k.log(k.where(right, 1.0, tail)))
        mid = k.where(x.mid > -37.0, near, far)
        size = k.maximum(abs(x.mid) - x.rad, 0.0)
        slope = k.where(x.mid - x.rad > 0.0, 2.0 * k.exp(-0.5 * size * size) / SQRT2PI, 1.0 + abs(x.mid) + x.rad)
        own = k.where(
            x.mid > -37.0,
            (ERFC + ELEMENTARY) * abs(mid) + k.where(right, 0.0, ERFC),
            10500.0 * s**6 + (ELEMENTARY + 4.0 * U) * abs(mid),
        )
        return Ball(mid, (slope * x.rad + own) * GROW + TINY)

    def abs(self, x: Ball) -> Ball:
        return Ball(abs(x.mid), x.rad)

    def minimum(self, a: Ball, b: Ball) -> Ball:
        return -self.maximum(-ball(a), -ball(b))

    def erf(self, x: Ball) -> Ball:
        r"""Error function; its slope is below 2/sqrt(pi) and falls away from 0."""
        x = ball(x)
        k = _kit(x)
        mid = _each(math.erf, x.mid, k)
        near = k.maximum(abs(x.mid) - x.rad, 0.0)
        spread = 2.0 * SQRT2 * _phi(SQRT2 * near, k) * x.rad * (1.0 + 1e-12)
        return Ball(mid, (spread + ERFC * abs(mid)) * GROW + TINY)

    def maximum(self, a: Ball, b: Ball) -> Ball:
        a, b = ball(a), ball(b)
        k = _kit(a, b)
        wider = k.maximum(a.rad, b.rad)
        clear = abs(a.mid - b.mid) > a.rad + b.rad
        return Ball(k.maximum(a.mid, b.mid), k.where(clear, k.where(a.mid > b.mid, a.rad, b.rad), wider))

    def where(self, condition: Comparison, a: Ball, b: Ball) -> Ball:
        """Choose by a comparison; where that is open, the ball holds both branches."""
        a, b = ball(a), ball(b)
        k = _arrays() if getattr(condition.true, "shape", ()) else _kit(a, b)
        mid = k.where(condition.true, a.mid, b.mid)
        rad = k.where(condition.true, a.rad, b.rad)
        if k.any(condition.open):
            both = abs(a.mid - b.mid) + k.maximum(a.rad, b.rad)
            rad = k.where(condition.open, both * GROW, rad)
        return Ball(mid, rad)


BALLS = Balls()


def _sum_in_two(values, size: float, count: int) -> tuple[float, float]:
    """Return the sum of values of at most ``size``, and what may be lost before its last rounding.

    What they have above the last place of a large enough power of two adds up without rounding, in any
    order (Rump, Ogita & Oishi 2008, Accurate Floating-Point Summation, doi:10.1137/050645671).
    """
    unit = 2.0 ** (math.frexp(size)[1] + count.bit_length() + 1)
    heads = (values + unit) - unit
    tails = values - heads
    return float(heads.sum()) + float(tails.sum()), 0.5 * count * U * float(abs(tails).sum())


def root_of_squares(terms: Sequence[tuple[float | Ball, Ball]]) -> Ball:
    """Return the ball of sqrt(sum of weight * x^2), scaled so that no square over- or underflows."""
    uppers = (x.upper for _, x in terms)
    scale = power_of_two_near(max(upper if isinstance(upper, float) else float(upper.max()) for upper in uppers))
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


def _underflow(mid, a: Ball, b: Ball) -> float:
    """What a product or quotient may lose below the smallest double; an exact zero times anything loses nothing."""
    if mid.__class__ is float and mid:
        return _LOST  # neither is 0
    return 0.0 if _exactly_zero(a) or _exactly_zero(b) else _LOST


def _exactly_zero(x: Ball) -> bool:
    if not isinstance(x.mid, (float, int)) or x.mid != 0.0:
        return False
    return bool(x.rad == 0.0 if isinstance(x.rad, (float, int)) else (x.rad == 0.0).all())


def _finite(k, mid, rad) -> Ball:
    """Give an overflowed midpoint an infinite radius instead of an undefined one."""
    return Ball(mid, k.where(k.isfinite(mid), rad, k.inf))


def _spread(k, f, x: Ball, mid, thin, *, peak: bool = False):
    """Return how far f may stray over a ball: ``thin`` for small radii, else from the ends.

    ``f`` rises all the way or, with ``peak``, rises to 0 and falls behind it.
    """
    wide = x.rad > WIDE
    if not k.any(wide):
        return thin
    reach = x.rad + 2.0 * U * (abs(x.mid) + x.rad)  # the ends are rounded too
    low, high = f(x.mid - reach), f(x.mid + reach)
    if peak:
        low, high = f(abs(x.mid) + reach), f(k.maximum(abs(x.mid) - reach, 0.0))
    ends = k.maximum(high - mid, mid - low) + 4.0 * ELEMENTARY * (abs(low) + abs(high))
    return k.where(wide, ends, thin)


def _wave(k, mid, slope, rad, size) -> Ball:
    """Return the ball of a sine from its value and slope: off by slope r + r^2/2 at most, within [-1, 1].

    The C library is accurate relative to the value; vector forms are so to ``size``, not near a zero of the value.
    """
    spread = k.minimum((abs(slope) + ELEMENTARY) * rad + 0.5 * rad * rad, rad)
    return _finite(k, mid, k.minimum((spread + ELEMENTARY * size) * GROW + TINY, (1.0 + abs(mid)) * GROW))


def _sech2(x, k):
    decay = k.exp(-2.0 * abs(x))
    return 4.0 * decay / (1.0 + decay) ** 2


def _sigmoid(x, k):
    decay = k.exp(-abs(x))
    return k.where(x > 0.0, 1.0, decay) / (1.0 + decay)


def _softplus(x, k):
    return k.maximum(x, 0.0) + k.log1p(k.exp(-abs(x)))


def _phi(x, k):
    """Normal density; the square is split so that its rounding is not blown up by the exponential."""
    x = k.clip(x, -_BEYOND, _BEYOND)
    high = _upper_half(x)
    return k.exp(-0.5 * high * high) * k.exp(-0.5 * (x - high) * (x + high)) / SQRT2PI


def _Phi(x, k):
    """Normal distribution function: erfc at the rounded -x/sqrt(2), corrected for that rounding."""
    x = k.clip(x, -_BEYOND, _BEYOND)
    u = -x / SQRT2
    high = _upper_half(u)
    off = ((-x - high * _ROOT_HIGH) - (u - high) * _ROOT_HIGH) - u * _ROOT_LOW  # -x - u sqrt(2), exactly
    return k.maximum(0.5 * _each(math.erfc, u, k) - _phi(x, k) * off, 0.0)


def _upper_half(x):
    """Return the leading 26 bits of ``x``, whose square and products are exact (Dekker 1971)."""
    scaled = 134217729.0 * x
    return scaled - (scaled - x)


#: sqrt(2) as 26 bits and the rest
_ROOT_HIGH = 1.4142135381698608
_ROOT_LOW = 2.420323420895794e-08


def _each(f, x, k):
    """Return a function of the C library at every entry: exact in the tail, and no SciPy to import."""
    if k is FLOATS:
        return f(x)
    flat = k.ravel(x).tolist()
    return k.fromiter(map(f, flat), float, len(flat)).reshape(k.shape(x))
