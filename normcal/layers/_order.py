r"""The largest of n independent standard normal numbers: its density, and its moments where they are elementary.

The largest of n has the density :math:`n\,\varphi(z)\,\Phi(z)^{n-1}`, and an entry at z is the
largest with probability :math:`\Phi(z)^{n-1}` (David & Nagaraja 2003, Order Statistics, chapter 2).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from normcal.errors import Unsupported
from normcal.layer import Reference

if TYPE_CHECKING:
    from normcal.numerics.balls import Ball

#: Up to this n the moments of the largest are elementary.
MOST_ELEMENTARY = 5
ORDER_STATISTICS = Reference("David & Nagaraja 2003, Order Statistics, 3rd edition", "doi:10.1002/0471722162")
BOSE_GUPTA = Reference(
    "Bose & Gupta 1959, Moments of order statistics from a normal population", "doi:10.1093/biomet/46.3-4.433"
)


def win_weight(n: int) -> Callable | None:
    r"""Return :math:`\Phi^{n-1}`, the chance that an entry at z is the largest of n; None where that is 1.

    Parameters
    ----------
    n: how many independent entries compete, at least 1.

    Returns
    -------
    A function of (z, m), the ``weight`` of a Component; accurate for n up to 10^12 and in both tails.

    Examples
    --------
    >>> from normcal.numerics.arrays import ARRAYS
    >>> round(float(win_weight(3)(0.0, ARRAYS)), 15)
    0.25
    """
    if n == 1:
        return None
    return lambda z, m: m.exp(m.log_Phi(z) * float(n - 1))


def order_density(n: int) -> Callable | None:
    r"""Return :math:`n\,\Phi^{n-1}`, the density of the largest of n relative to the normal one; None where that is 1.

    Parameters
    ----------
    n: how many independent entries compete, at least 1.

    Returns
    -------
    A function of (z, m), the ``weight`` of a Component; it integrates to 1 under the normal law.

    Examples
    --------
    >>> from normcal.numerics.arrays import ARRAYS
    >>> round(float(order_density(2)(0.0, ARRAYS)), 15)
    1.0
    """
    win = win_weight(n)
    return win and (lambda z, m: win(z, m) * float(n))


def largest_of(n: int, m) -> tuple[Ball, Ball]:
    r"""Return mean and second moment of the largest of n standard normal numbers, for n at most 5.

    Up to n = 5 the integrals of :math:`z^j \varphi \Phi^{n-1}` are elementary (Bose & Gupta 1959);
    at n = 4 the mean is :math:`6\arctan(\sqrt2)/\pi^{3/2}`.

    Parameters
    ----------
    n: how many independent entries compete.
    m: the function namespace of balls.

    Returns
    -------
    Two balls, a few units in the last place wide.

    Raises
    ------
    Unsupported: for a larger n, whose moments are no elementary numbers.

    Examples
    --------
    >>> from normcal.numerics.balls import BALLS
    >>> mean, second = largest_of(2, BALLS)
    >>> round(float(mean.mid), 12), float(second.mid)
    (0.564189583548, 1.0)
    """
    if n > MOST_ELEMENTARY:
        raise Unsupported(
            f"the moments of the largest of n normal numbers are elementary for n <= {MOST_ELEMENTARY} only, "
            f"here n = {n}"
        )
    from normcal.numerics.balls import Ball

    pi = Ball(math.pi, 2.0**-52)
    root_pi, root3 = m.sqrt(pi), m.sqrt(Ball(3.0))

    def rounded(x: float) -> Ball:  # an elementary function of a constant, by the C library
        return Ball(x, 4e-16 * abs(x))

    if n == 1:
        return Ball(0.0), Ball(1.0)
    if n == 2:
        return 1.0 / root_pi, Ball(1.0)
    if n == 3:
        return 1.5 / root_pi, 1.0 + root3 / (2.0 * pi)
    if n == 4:
        return 6.0 * rounded(math.atan(math.sqrt(2.0))) / (pi * root_pi), 1.0 + root3 / pi
    mean = 1.25 / root_pi + 7.5 * rounded(math.asin(1.0 / 3.0)) / (pi * root_pi)
    return mean, 1.0 + 1.25 * root3 / pi + 2.5 * root3 * rounded(math.asin(0.25)) / (pi * pi)
