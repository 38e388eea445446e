r"""Composite Gauss-Legendre integration over the standard normal variable, in ball arithmetic.

The line of :math:`z` is cut at every kink and at every scale on which an integrand changes.
On each panel the integrand is known at the nodes as balls; the discrete Legendre
coefficients of highest degree tell how well the panel resolves it. Gauss-Legendre
quadrature integrates degrees up to twice as high, so the size of those coefficients is a
generous bound on its truncation error, and a fair one on that of the antiderivative.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from normcal.numerics.balls import GROW, TINY, Ball, U

NODES = 20
#: The roots of P_20 in (0, 1), largest first, and their weights: to the last digit of a double, which
#: the usual eigenvalue routes do not reach near the ends (their weights are off by 7e-14 relative).
_POSITIVE_NODES = (
    0.99312859918509492479, 0.96397192727791379127, 0.91223442825132590587, 0.83911697182221882339,
    0.74633190646015079261, 0.63605368072651502545, 0.51086700195082709800, 0.37370608871541956067,
    0.22778585114164507808, 0.076526521133497333755,
)  # fmt: skip
_THEIR_WEIGHTS = (
    0.017614007139152118312, 0.040601429800386941331, 0.06267204833410906357, 0.083276741576704748725,
    0.10193011981724043504, 0.11819453196151841731, 0.1316886384491766269, 0.14209610931838205133,
    0.14917298647260374679, 0.1527533871307258507,
)  # fmt: skip
#: What rounding may cost the integral to a node, relative to the integral of |f| over the panel.
RUNNING = 24.0 * U
#: The density of z is below the smallest double beyond this.
REACH = 38.5
_GAUSSIAN_EDGES = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 14, 18, 23, 30, REACH)
#: Legendre coefficients are trusted to fall at least as fast as these factors assume.
_SAFETY = 4.0
#: What an integrand may still be where z is cut off, relative to its whole: it falls like exp(-38 z) there.
CUT = 1e-17
_TAIL = 3


@dataclass(frozen=True)
class Rule:
    """Gauss-Legendre nodes and weights on [-1, 1] with the matrices that go with them."""

    nodes: np.ndarray
    weights: np.ndarray
    tail: np.ndarray  # (NODES, _TAIL): values -> Legendre coefficients of highest degree
    from_left: np.ndarray  # (NODES, NODES): values -> integral from -1 to each node


@functools.cache
def rule() -> Rule:
    """Return the rule, computed once from the tabulated nodes and weights."""
    t = np.concatenate([-np.array(_POSITIVE_NODES), _POSITIVE_NODES[::-1]])
    w = np.concatenate([_THEIR_WEIGHTS, _THEIR_WEIGHTS[::-1]])
    degrees = np.arange(NODES)
    values = np.empty((NODES, NODES + 1))  # Legendre polynomials at the nodes
    values[:, 0], values[:, 1] = 1.0, t
    for k in range(1, NODES):
        values[:, k + 1] = ((2 * k + 1) * t * values[:, k] - k * values[:, k - 1]) / (k + 1)
    coefficients = (values[:, :NODES] * w[:, None]) * (degrees + 0.5)
    steps = np.empty((NODES, NODES))
    steps[:, 0] = t + 1.0
    steps[:, 1:] = (values[:, 2:] - values[:, : NODES - 1]) / (2.0 * degrees[1:] + 1.0)
    return Rule(t, w, coefficients[:, -_TAIL:], steps @ coefficients.T)


def edges_for(kinks: list[tuple[float, float]], features: list[tuple[float, float]]) -> tuple[np.ndarray, np.ndarray]:
    """Return the first mesh: panel edges in z and the radius within which each is known.

    ``kinks`` are (z, radius); ``features`` are (z, scale): the integrand changes around z on
    lengths from ``scale`` upwards. Edges lie at z and at distances that double from there.
    """
    radius_at = {float(z): 0.0 for edge in _GAUSSIAN_EDGES for z in (edge, -edge)}
    for centre, scale in features:
        distance = max(scale, 1e-300)
        radius_at[centre] = 0.0
        while distance < 4.0:
            radius_at[centre - distance] = radius_at[centre + distance] = 0.0
            distance *= 2.0
    fixed = [(z, radius) for z, radius in kinks if -REACH < z < REACH]
    free = [z for z in radius_at if abs(z) == REACH or (abs(z) < REACH and not _crowded(z, fixed))]
    merged = sorted({**dict.fromkeys(free, 0.0), 0.0: 0.0, **dict(fixed)}.items())
    return np.array([z for z, _ in merged]), np.array([radius for _, radius in merged])


def _crowded(z: float, fixed: list[tuple[float, float]]) -> bool:
    return any(abs(z - kink) <= max(1e-10 * abs(kink), 4.0 * radius, 1e-300) for kink, radius in fixed)


class Panels:
    """A mesh of panels over z with an edge at 0, and integration of balls over it."""

    def __init__(self, edges: np.ndarray, radii: np.ndarray) -> None:
        self.edges, self.radii = edges, radii
        self.coarse = np.zeros(len(edges) - 1, bool)
        left, right = edges[:-1], edges[1:]
        reach = np.maximum(radii[:-1], radii[1:])[:, None]
        half = (0.5 * (right - left))[:, None]
        self.half = Ball(half, (reach + U * half) * GROW)
        z = (0.5 * (left + right))[:, None] + half * rule().nodes
        size = np.maximum(np.abs(left), np.abs(right))[:, None]
        # the node and the weight follow the panel, so an edge known to a radius moves both
        self.z = Ball(z, np.broadcast_to(1.25 * U * size + 2.0 * reach, z.shape))

    def bisect(self, crowded: np.ndarray) -> Panels:
        """Return the mesh with the marked panels cut in half."""
        middles = 0.5 * (self.edges[:-1] + self.edges[1:])[crowded]
        order = np.argsort(np.concatenate([self.edges, middles]), kind="stable")
        radii = np.concatenate([self.radii, np.zeros(len(middles))])[order]
        return Panels(np.concatenate([self.edges, middles])[order], radii)

    def unresolved(self, f: Ball) -> np.ndarray:
        """Bound, for each panel, the error of integrating ``f`` because its degree is too high."""
        tail = np.abs(_finite(f.mid) @ rule().tail).sum(axis=1)
        return _SAFETY * self.half.mid[:, 0] * tail

    def integral(self, f: Ball, floor: float = 1e-290) -> Ball:
        r"""Return :math:`\int f(z)\,dz` over all panels, rounding and truncation bounded.

        ``f`` is a ball of shape (panels, NODES), the integrand at ``self.z``. An integrand that is
        not over where z is cut off, and larger than ``floor`` there, has no bound.

        >>> from normcal.numerics.balls import BALLS
        >>> panels = Panels(*edges_for([], []))
        >>> whole = panels.integral(BALLS.phi(panels.z))
        >>> bool(abs(whole.mid - 1.0) <= whole.rad < 4e-14)
        True
        """
        total = (f * self.half * Ball(rule().weights, 4.0 * U * rule().weights)).sum()
        size = (self.half.mid[:, 0] * (np.abs(f.mid) @ rule().weights)).sum()
        if max(abs(f.mid[0, 0]), abs(f.mid[-1, -1])) > max(CUT * size, floor):
            return Ball(total.mid, np.inf)  # the integrand goes on beyond the reach of z
        return Ball(total.mid, (total.rad + self.unresolved(f).sum()) * GROW)

    def antiderivative(self, f: Ball) -> Ball:
        r"""Return :math:`\int_0^z f(t)\,dt` at each node, built outwards from 0.

        ``f`` and the result are balls of shape (panels, NODES). Sums start at 0 on either side,
        so that the result keeps its relative accuracy where f has one sign.
        """
        from_left = rule().from_left
        right = _running(self, f, from_left, self.edges[:-1] >= 0.0, slice(None))
        left = _running(self, f, from_left[::-1, ::-1], self.edges[:-1] < 0.0, slice(None, None, -1))
        return Ball(np.concatenate([-left.mid, right.mid]), np.concatenate([left.rad, right.rad]))

    def jumps(self, f: Ball, slope: Ball) -> Ball:
        """Return f right of each inner edge less f left of it, from the nodes next to it and the slope."""
        from_left = rule().from_left
        half = self.half.mid[:, 0]
        size = half * (np.abs(slope.mid) @ rule().weights) * RUNNING + half * (slope.rad @ rule().weights)
        error = size + self.unresolved(slope)
        at_left = f.mid[:, 0] - half * (slope.mid @ from_left[0])
        at_right = f.mid[:, -1] + half * (slope.mid[:, ::-1] @ from_left[0])
        mid = at_left[1:] - at_right[:-1]
        rad = f.rad[1:, 0] + f.rad[:-1, -1] + error[1:] + error[:-1] + U * (np.abs(at_left[1:]) + np.abs(at_right[:-1]))
        return Ball(mid, rad * GROW)


def _running(panels: Panels, f: Ball, step: np.ndarray, side: np.ndarray, outwards: slice) -> Ball:
    """Integrate outwards from 0 over the panels of one side; the result has one row a panel."""
    weights = rule().weights
    mid, rad = _finite(f.mid[side][outwards]), f.rad[side][outwards]
    half = panels.half.mid[side][outwards]
    slack = panels.half.rad[side][outwards] / half
    inside = half * (mid @ step.T)
    whole = half * (mid @ weights)[:, None]
    size = half * (np.abs(mid) @ weights)[:, None]
    spread = half * (rad @ weights)[:, None] + size * (RUNNING + slack)
    spread = spread + panels.unresolved(f)[side][outwards][:, None] + TINY
    long = np.longdouble  # wider than a double on most machines; the bound asks for its precision
    start = np.zeros((1, 1), long)
    before = np.cumsum(np.vstack([start, whole[:-1].astype(long)]), axis=0).astype(float)
    behind = np.cumsum(np.vstack([np.zeros((1, 1)), size[:-1]]), axis=0)
    rounding = (len(half) * float(np.finfo(long).eps) + U) * behind
    total = before + inside
    error = (np.cumsum(spread, axis=0) + rounding + U * np.abs(total)) * GROW
    return Ball(total[outwards], np.broadcast_to(error, total.shape)[outwards])


def _finite(values: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(values), values, 0.0)
