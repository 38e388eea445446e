r"""Outputs of windows of different sizes: their common mean and std.

An output picked at random over the map is a mixture: its variance is the mean variance within
windows of a size plus the variance of their means.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from normcal.numerics.balls import Ball

Counts = dict[tuple[int, int], int]


def as_ball(value: Fraction) -> Ball:
    """Return a rational number as a ball.

    >>> as_ball(Fraction(1, 4)).rad
    0.0
    """
    from normcal.numerics.balls import Ball, U

    mid = float(value)
    return Ball(mid, 0.0 if Fraction(mid) == value else U * abs(mid))


def mixed(parts: Sequence[tuple[Fraction, Ball, Ball]]) -> tuple[Ball, Ball]:
    r"""Return mean and std of a mixture of laws.

    Parameters
    ----------
    parts: (share, mean, std) of each law; the shares sum to 1.

    Returns
    -------
    :math:`\sum_j s_j m_j` and :math:`\sqrt{\sum_j s_j (d_j^2 + (m_j - \bar m)^2)}`, with bounds.

    Examples
    --------
    >>> from normcal.numerics.balls import Ball
    >>> half = Fraction(1, 2)
    >>> mean, std = mixed([(half, Ball(-1.0), Ball(0.0)), (half, Ball(1.0), Ball(0.0))])
    >>> float(mean.mid), float(std.mid)
    (0.0, 1.0)
    """
    from normcal.numerics.balls import Ball, root_of_squares

    if len(parts) == 1:
        return parts[0][1:]
    weights = [as_ball(share) for share, _, _ in parts]
    mean = sum((its_mean * weight for weight, (_, its_mean, _) in zip(weights, parts, strict=True)), Ball(0.0))
    within = [(weight, std) for weight, (_, _, std) in zip(weights, parts, strict=True)]
    between = [(weight, its_mean - mean) for weight, (_, its_mean, _) in zip(weights, parts, strict=True)]
    return mean, root_of_squares(within + between)


def mixture_weight(parts: Sequence[tuple[Fraction, Callable | None]]) -> Callable | None:
    """Return the density of a mixture from (share, density) of its laws; None stands for a density of 1.

    The shares are rounded to doubles, which the arithmetic of balls covers: it grants every product twice
    the rounding that it has.
    """
    if len(parts) == 1:
        return parts[0][1]
    shares = [(float(share), density) for share, density in parts]

    def weight(z, m):
        return sum(share * (1.0 if density is None else density(z, m)) for share, density in shares)

    return weight


@dataclass(frozen=True)
class Ratios:
    r"""Over all windows, of n entries divided by d: :math:`E[n/d]`, :math:`E[n/d^2]`, :math:`\mathrm{Var}(n/d)`."""

    mean: Ball
    spread: Ball
    between: Ball


def ratios(axes: Iterable[Counts], divisor: int = 1) -> Ratios:
    r"""Return the moments of n/d over the windows that are products of those along each axis.

    Parameters
    ----------
    axes: along each axis, how many windows there are of each (n, d).
    divisor: divides all of them on top.

    Returns
    -------
    Ratios; no digits cancel in ``between``, which per axis is a ratio of whole numbers.

    Examples
    --------
    >>> found = ratios([{(2, 3): 1, (3, 3): 1}])
    >>> round(float(found.mean.mid), 12), round(float(found.between.mid), 12)
    (0.833333333333, 0.027777777778)
    """
    from normcal.numerics.balls import Ball, U

    mean, between, spread = Fraction(1), Fraction(0), Ball(1.0)
    for counts in axes:
        total = sum(counts.values())
        common = math.lcm(*(d for _, d in counts)) if any(n != d for n, d in counts) else 1
        scaled = [(n * common // d, many) for (n, d), many in counts.items()]
        first = sum(a * many for a, many in scaled)
        second = sum(a * a * many for a, many in scaled)
        its_mean = Fraction(first, common * total)
        its_variance = Fraction(total * second - first * first, (common * total) ** 2)
        between = between * (its_variance + its_mean * its_mean) + mean * mean * its_variance
        mean = mean * its_mean
        within = math.fsum(many * n / (d * d) for (n, d), many in counts.items()) / total
        spread = spread * Ball(within, 2.0 * U * within)
    whole = Fraction(divisor)
    return Ratios(as_ball(mean / whole), spread / float(divisor) / float(divisor), as_ball(between / whole**2))
