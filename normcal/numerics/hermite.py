r"""Normalised Hermite polynomials :math:`h_k = \mathrm{He}_k/\sqrt{k!}` at many points, with a bound on the error of each.

They are orthonormal under the standard normal law and follow
:math:`\sqrt{k+1}\,h_{k+1} = z h_k - \sqrt k\,h_{k-1}` (DLMF 18.9.1). Balls carried through this recurrence
grow like :math:`e^{|z|\sqrt k}`, errors do not: for :math:`k > z^2/4` an error e keeps its energy

.. math:: D_k = k(e_k^2 + e_{k-1}^2) - z\sqrt k\, e_k e_{k-1}, \qquad D_{k+1} = D_k + e_k^2 \le D_k\Bigl(1 + \frac{1}{k - z^2/4}\Bigr),

and :math:`e_k^2 \le D_k/(k - z^2/4)`. So the root of the energy, with what each step rounds off added, bounds the error.
"""  # noqa: E501

from __future__ import annotations

import math

import numpy as np

from normcal.numerics.balls import GROW, TINY, Ball, U

#: What one step rounds off, relative to the sizes of its two terms: five roundings of half a U each, and more.
_STEP = 3.0 * U
#: Cramer's bound on |h_k(z)| exp(-z^2/4) (DLMF 18.14.9).
_CRAMER = 1.0865


def hermite(z: Ball, most: int) -> Ball:
    r"""Return :math:`h_0(z), \dots, h_{most}(z)` along a new first axis.

    >>> found = hermite(Ball(np.array([2.0])), 3)  # 1, z, (z^2 - 1)/sqrt 2, (z^3 - 3z)/sqrt 6
    >>> [round(float(x), 12) for x in found.mid[:, 0]]
    [1.0, 2.0, 2.12132034356, 0.816496580928]
    """
    x, size = z.mid, np.abs(z.mid)
    mid, rad = np.ones((most + 1, *x.shape)), np.zeros((most + 1, *x.shape))
    if most > 0:
        mid[1] = x
    turn, energy = 0.25 * x * x * GROW, np.full(x.shape, np.inf)
    for k in range(1, most):
        below, above = math.sqrt(k), math.sqrt(k + 1)
        first, second = size * np.abs(mid[k]), below * np.abs(mid[k - 1])
        mid[k + 1] = (x * mid[k] - below * mid[k - 1]) / above
        lost = _STEP * (first + second) / above + TINY
        plain = (size * rad[k] + below * rad[k - 1]) / above + lost
        room = k - turn
        calm = room > 1.0
        room = np.where(calm, room, 1.0)
        here = below * (rad[k] + rad[k - 1])  # D_k <= k (|e_k| + |e_{k-1}|)^2, as |z| < 2 sqrt k
        energy = np.where(calm, np.minimum(energy, here), np.inf)
        energy = energy * np.sqrt(1.0 + 1.0 / room) + above * lost
        rad[k + 1] = np.minimum(plain, energy / np.sqrt(room)) * GROW
        energy = energy * GROW
    return Ball(mid, (rad + _moved(z, mid, rad)) * GROW + TINY)


def _moved(z: Ball, mid: np.ndarray, rad: np.ndarray) -> np.ndarray:
    r"""Return how far the values may be from those at the midpoints; :math:`h_k' = \sqrt k\,h_{k-1}`."""
    moved = np.zeros_like(mid)
    if not np.any(z.rad):
        return moved
    largest = _CRAMER * np.exp(0.25 * (np.abs(z.mid) + z.rad) ** 2) * (1.0 + 1e-9)
    for k in range(1, len(mid)):
        curve = z.rad * math.sqrt(k - 1) * largest  # how far h_{k-1} may be from its value at the midpoint
        moved[k] = z.rad * math.sqrt(k) * (np.abs(mid[k - 1]) + rad[k - 1] + curve)
    return moved
