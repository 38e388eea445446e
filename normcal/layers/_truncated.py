r"""The normal law cut off at two bounds: mean and variance without cancellation, and draws.

With :math:`Z \sim N(0, 1)` given :math:`a < Z < b`. Where both bounds lie on one side of 0, the moments are those of
the distance :math:`t = Z - a` from the nearer bound, with density :math:`\propto e^{-at - t^2/2}`; where 0 lies
between them, the second moment is a sum of two positive parts. The textbook form
:math:`1 + (a\varphi(a) - b\varphi(b))/(\Phi(b) - \Phi(a)) - \dots` loses every digit in a narrow or far interval.
"""

from __future__ import annotations

import functools
import math

#: Further out than this from the nearer bound, or from 0, nothing is left of the density in a double.
REACH = 40.0
#: From here on the tail is drawn as an exponential that is thinned out.
_FAR = 5.0


@functools.lru_cache(maxsize=64)
def truncated(a: float, b: float):
    """Return (mean, variance) of a standard normal variable between ``a`` and ``b``, as balls.

    Parameters
    ----------
    a, b: the bounds, in units of the standard deviation, a < b.

    Returns
    -------
    Two balls; the radii bound rounding and the rule of integration, relative 1e-14 for most bounds.

    Examples
    --------
    >>> mean, variance = truncated(-2.0, 2.0)
    >>> float(mean.mid), round(float(variance.mid) ** 0.5, 14)
    (0.0, 0.87962566103424)
    """
    from normcal.numerics.balls import BALLS, Ball, ball

    if b <= 0.0:
        mean, variance = truncated(-b, -a)
        return -mean, variance
    if a >= 0.0:
        mass, first, second = _from_bound(a, min(b - a, REACH) if b - a > REACH else ball(b) - a)
        mean = first / mass
        return mean + a, second / mass - mean.square()
    right, left = (_from_bound(0.0, Ball(min(abs(side), REACH))) for side in (b, a))
    mass = right[0] + left[0]
    if -a == b:
        return Ball(0.0), (right[2] + left[2]) / mass
    # the integral of z exp(-z^2/2) from |a| to b, or back: exp(-s^2/2) (1 - exp(-(l^2 - s^2)/2))
    small, large = sorted((min(-a, REACH), min(b, REACH)))
    gap = (ball(large) - small) * (ball(large) + small)
    first = -BALLS.expm1(gap * -0.5) * BALLS.exp(ball(small) * small * -0.5)
    mean = (first if b > -a else -first) / mass
    return mean, (right[2] + left[2]) / mass - mean.square()


def _from_bound(a: float, length):
    r"""Return the balls of :math:`\int_0^L t^k e^{-at - t^2/2} dt` for k = 0, 1, 2.

    With :math:`t = L/(1 + e^{-\pi \sinh s})` the integrand falls off doubly exponentially on both sides.
    """
    from normcal.numerics.balls import BALLS, Ball, ball
    from normcal.numerics.lines import line_integral

    m, length, pi = BALLS, ball(length), Ball(math.pi, 2.0**-52)

    def integrand(s):
        up, down = m.exp(s), m.exp(-s)
        v = (up - down) * pi * 0.5
        left = m.sigmoid(v)
        t = length * left
        weight = t * m.sigmoid(-v) * (up + down) * pi * 0.5 * m.exp(-(t * a + t * t * 0.5))
        return [weight, weight * t, weight * t * t]

    return line_integral(integrand)


def draw(rng, shape, a: float, b: float):
    """Draw from the standard normal law between ``a`` and ``b``: by inversion, or far out by rejection."""
    import numpy as np
    from scipy.special import ndtr, ndtri

    if b <= 0.0:
        return -draw(rng, shape, -b, -a)
    if a > _FAR:
        return a + _tail(rng, shape, a, b - a)
    if a > 0.0:  # inversion in the lower tail, where a double resolves it
        return -draw_between(rng, shape, -b, -a, ndtr, ndtri)
    return np.asarray(draw_between(rng, shape, a, b, ndtr, ndtri))


def draw_between(rng, shape, a: float, b: float, ndtr, ndtri):
    """Invert the distribution function between two bounds."""
    import numpy as np

    low, high = float(ndtr(a)), float(ndtr(b))
    return np.clip(ndtri(low + (high - low) * rng.random(shape)), a, b)


def _tail(rng, shape, a: float, length: float):
    """Draw the distance from a far bound: exponential, kept with probability exp(-t^2/2) (Robert 1995)."""
    import numpy as np

    count = int(np.prod(shape))
    found = np.empty(0)
    while len(found) < count:
        t = -np.log1p(rng.random(count + 16) * np.expm1(-a * length)) / a
        found = np.concatenate([found, t[rng.random(len(t)) < np.exp(-0.5 * t * t)]])
    return found[:count].reshape(shape)
