r"""Arc-cosine kernels: :math:`E[u_+^n v_+^n]` of a standard normal pair of correlation c, n = 0 .. 3.

:math:`E[u_+^n v_+^n] = J_n(\theta)/(2\pi)` with :math:`c = \cos\theta`; formulas are those of Cho & Saul 2009, Kernel
Methods for Deep Learning, and of :math:`J_3`, which follows from their recursion.
"""

from __future__ import annotations

from normcal.errors import Unsupported


def arc_cosine(order: int, c, m):
    r"""Return :math:`E[u_+^n v_+^n]` at correlation c inside (-1, 1), a ball or a dual number.

    >>> from normcal.numerics.balls import BALLS, Ball
    >>> [round(arc_cosine(n, Ball(0.0), BALLS).mid, 12) for n in (0, 1, 2)]
    [0.25, 0.159154943092, 0.25]
    """
    from normcal.layers._probit import two_pi

    sine = m.sqrt((1.0 - c) * (1.0 + c))
    left = m.arctan(m.sqrt((1.0 + c) / (1.0 - c))) * 2.0  # pi - theta
    if order == 0:
        found = left
    elif order == 1:
        found = sine + left * c
    elif order == 2:
        found = sine * c * 3.0 + left * (c * c * 2.0 + 1.0)
    elif order == 3:
        found = sine * (sine * sine * 4.0 + c * c * 15.0) + left * c * (c * c * 6.0 + 9.0)
    else:
        raise Unsupported(f"the arc-cosine kernel of order {order} is left to quadrature")
    return found / two_pi()


def centred(mean) -> None:
    """Refuse a mean other than 0, at which the formula does not hold."""
    if mean.mid != 0.0 or mean.rad != 0.0:
        raise Unsupported("the formula holds at mean 0")
