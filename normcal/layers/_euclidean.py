r"""Mean and std of the Euclidean norm of n independent normal numbers, the chi law, central or not.

Off the centre :math:`\lVert z + t\rVert^2` is chi-square with :math:`n + 2J` degrees of freedom, J
Poisson with mean :math:`a = nt^2/2` (Johnson, Kotz & Balakrishnan 1995, Continuous Univariate
Distributions 2, chapter 29). The variance is :math:`E v_{n+2J} + \mathrm{Var}(m_{n+2J})` with
:math:`v_k = k - m_k^2` that of :math:`\chi_k`; neither is ever a difference of large numbers.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from normcal.errors import Unsupported
from normcal.numerics.balls import BALLS, Ball, U, ball

#: v_k = sum_j c_j k^-j, from Stirling's series; the coefficients are doubles.
_SERIES = (
    1 / 2, -1 / 8, -1 / 16, 5 / 128, 23 / 256, -53 / 1024, -593 / 2048, 5165 / 32768, 110123 / 65536, -231743 / 262144,
)  # fmt: skip
#: From here on the series is taken; its first omitted term is below the bound.
_LARGE, _OMITTED = 64, 2e-17
#: Mean of the Poisson law up to which its terms are summed.
MOST_POISSON = 5e6
#: What is left out beyond 12 standard deviations and more, and the relative rounding of ``a``.
_LEFT_OUT, _MOVED = 1e-25, 4.0 * U


def variance(k: np.ndarray) -> Ball:
    r"""Return the variances :math:`v_k = k - 2\,(\Gamma((k+1)/2)/\Gamma(k/2))^2` of the chi law.

    As :math:`m_k m_{k+1} = k`, they follow :math:`v_k = k(1 - v_{k+1})/(k + 1 - v_{k+1})` downwards,
    which cancels nothing and damps errors, from where Stirling's series holds.

    Parameters
    ----------
    k: degrees of freedom, whole numbers from 1, as an array.

    Returns
    -------
    A ball of that shape, with a relative error of a few units in the last place.

    Examples
    --------
    >>> bool(abs(variance(np.array([2])).mid[0] - (2.0 - math.pi / 2.0)) < 1e-15)
    True
    """
    k = np.asarray(k, dtype=float)
    found = _series(np.maximum(k, _LARGE))
    small = _small()
    few = k < _LARGE
    at = np.where(few, k, 1).astype(int) - 1
    return Ball(np.where(few, small.mid[at], found.mid), np.where(few, small.rad[at], found.rad))


def _series(k) -> Ball:
    inverse, total = 1.0 / Ball(k), Ball(np.zeros(np.shape(k)))
    for coefficient in reversed(_SERIES):
        total = total * inverse + coefficient
    return Ball(total.mid, total.rad + _OMITTED)


@functools.cache
def _small() -> Ball:
    """Return v_1 ... v_(_LARGE - 1)."""
    v = _series(np.array(float(_LARGE)))
    found = []
    for k in range(_LARGE - 1, 0, -1):
        v = (1.0 - v) * float(k) / (float(k + 1) - v)
        found.insert(0, v)
    return Ball(np.array([float(b.mid) for b in found]), np.array([float(b.rad) for b in found]))


def chi(n: int, t: Ball) -> tuple[Ball, Ball]:
    r"""Return mean and std of :math:`\sqrt{\sum_{i=1}^n (z_i + t)^2}` for independent standard normal z.

    Parameters
    ----------
    n: how many numbers, from 1 to 10^12.
    t: the mean of each, any sign.

    Returns
    -------
    Two balls; true errors are a few units in the last place, bounds below 1e-12.

    Raises
    ------
    Unsupported: where the Poisson mixture would have too many terms.

    Examples
    --------
    >>> mean, std = chi(3, Ball(0.0))  # the Maxwell law
    >>> bool(abs(mean.mid - math.sqrt(8.0 / math.pi)) < 1e-15)
    True
    """
    t = ball(t)
    a = 0.5 * n * float(t.mid) * float(t.mid)  # infinite, not an error, where it overflows
    if not a <= MOST_POISSON:
        raise Unsupported(f"the Poisson mixture of chi laws has too many terms at a mean of {a:.2g}")
    terms = _terms(a)
    centre = math.floor(a)
    weights = _poisson(a, terms, centre)
    k = n + 2.0 * terms
    v = variance(k)
    mean_k = BALLS.sqrt(Ball(k) - v)
    at = centre - int(terms[0])
    middle = Ball(mean_k.mid[at], mean_k.rad[at])
    # m_k - m_c = (k - c - (v_k - v_c))/(m_k + m_c)
    steps = (Ball(k - k[at]) - (v - Ball(v.mid[at], v.rad[at]))) / (mean_k + middle)
    whole = weights.sum()
    off = (weights * steps).sum() / whole
    within, between = (weights * v).sum() / whole, (weights * steps.square()).sum() / whole
    mean, std = middle + off, BALLS.sqrt(within + between - off.square())
    if a == 0.0:
        return mean, std
    # |d log mean/d log t| <= 1, and |dVar/d log t| < 1 where the variance is at least 0.36
    moved = float(t.rad) / abs(float(t.mid)) + _MOVED + _LEFT_OUT
    return Ball(mean.mid, mean.rad + mean.mid * moved), Ball(std.mid, std.rad + 2.0 * std.mid * moved)


def _terms(a: float) -> np.ndarray:
    """Return the J that matter to a Poisson law with mean ``a``: beyond them lies less than e^-70."""
    if a == 0.0:
        return np.zeros(1, int)
    width = 12.0 * math.sqrt(a)
    return np.arange(max(math.floor(a - width - 30.0), 0), math.ceil(a + width + 60.0) + 1)


def _poisson(a: float, terms: np.ndarray, centre: int) -> Ball:
    """Return numbers in proportion to the Poisson weights of ``terms``, from their ratios outwards from ``centre``."""
    above, below = terms[terms > centre], terms[terms < centre]
    up = np.cumprod(a / above)
    down = np.cumprod((below[::-1] + 1.0) / a)[::-1] if len(below) else below.astype(float)
    mid = np.concatenate([down, [1.0], up])
    return Ball(mid, mid * (np.abs(terms - centre) * U + U) + 1e-300)
