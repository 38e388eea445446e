r"""Composite Gauss-Legendre integration over the standard normal variable, in ball arithmetic.

The line of :math:`z` is cut at every kink and at every scale on which an integrand changes.
On each panel the integrand is known at the nodes as balls; the discrete Legendre
coefficients of highest degree tell how well the panel resolves it. Gauss-Legendre
quadrature integrates degrees up to twice as high, so the size of those coefficients is a
generous bound on its truncation error, and a fair one on that of the antiderivative.
"""

from __future__ import annotations

import functools
import math
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
#: Edges at which a function that changes on a length of 1 leaves little unresolved, times the density.
GAUSSIAN_EDGES = (0, 0.25, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8.5, 11, REACH)
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
    tail_of_terms: np.ndarray  # the same from values times weights
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
    tail = coefficients[:, -_TAIL:]
    return Rule(t, w, tail, tail / w[:, None], steps @ coefficients.T)


def edges_for(kinks: list[tuple[float, float]], features: list[tuple[float, float]]) -> tuple[np.ndarray, np.ndarray]:
    """Return the first mesh: panel edges in z and the radius within which each is known.

    ``kinks`` are (z, radius); ``features`` are (z, scale): the integrand changes around z on
    lengths from ``scale`` upwards. Edges lie at z and at distances that double from there. An infinite scale makes z
    an edge and no more; such edges may crowd towards a kink as near as doubles tell them apart.
    """
    radius_at = {float(z): 0.0 for edge in GAUSSIAN_EDGES for z in (edge, -edge)}
    cuts = [centre for centre, scale in features if scale == math.inf]
    for centre, scale in (feature for feature in features if feature[1] < math.inf):
        distance = max(scale, 1e-300)
        radius_at[centre] = 0.0
        while distance < 4.0:
            radius_at[centre - distance] = radius_at[centre + distance] = 0.0
            distance *= 2.0
    fixed = [(z, radius) for z, radius in kinks if -REACH < z < REACH]
    free = [z for z in radius_at if abs(z) == REACH or (abs(z) < REACH and not _crowded(z, fixed))]
    free += [z for z in cuts if abs(z) < REACH and not _crowded(z, fixed, 8.0 * U)]
    merged = sorted({**dict.fromkeys(free, 0.0), 0.0: 0.0, **dict(fixed)}.items())
    return np.array([z for z, _ in merged]), np.array([radius for _, radius in merged])


def _crowded(z: float, fixed: list[tuple[float, float]], share: float = 1e-10) -> bool:
    return any(abs(z - kink) <= max(share * abs(kink), 4.0 * radius, 1e-300) for kink, radius in fixed)


class Panels:
    """A mesh of panels over z with an edge at 0, and integration of balls over it.

    ``edges`` may have leading axes: as many meshes of one shape, with their edge at 0 in one place. Every
    method then takes and returns arrays with leading axes, as NumPy broadcasts them.
    """

    def __init__(self, edges: np.ndarray, radii: np.ndarray) -> None:
        self.edges, self.radii = edges, radii
        left, right = edges[..., :-1], edges[..., 1:]
        reach = np.maximum(radii[..., :-1], radii[..., 1:])[..., None]
        half = (0.5 * (right - left))[..., None]
        self.half = Ball(half, (reach + U * half) * GROW)
        z = (0.5 * (left + right))[..., None] + half * rule().nodes
        size = np.maximum(np.abs(left), np.abs(right))[..., None]
        # the node and the weight follow the panel, so an edge known to a radius moves both
        self.z = Ball(z, np.broadcast_to(1.25 * U * size + 2.0 * reach, z.shape))
        #: What each node stands for: an integral is the sum of the integrand times this.
        self.share = self.half * Ball(rule().weights, 4.0 * U * rule().weights)

    def __len__(self) -> int:
        return self.edges.shape[-1] - 1

    @property
    def zero(self) -> int:
        """The number of the first panel right of z = 0."""
        return int(np.count_nonzero(np.atleast_2d(self.edges)[0] < 0.0))

    def bisect(self, crowded: np.ndarray) -> Panels:
        """Return the mesh with the marked panels cut in half; of several meshes, the same panels."""
        marked = np.flatnonzero(crowded)
        middles = (0.5 * (self.edges[..., :-1] + self.edges[..., 1:]))[..., marked]
        return Panels(*(np.insert(a, marked + 1, b, axis=-1) for a, b in ((self.edges, middles), (self.radii, 0.0))))

    def unresolved(self, f: Ball) -> np.ndarray:
        """Bound, for each panel, the error of integrating ``f`` because its degree is too high."""
        return self.half.mid[..., 0] * _top(_finite(f.mid) @ rule().tail)

    def integral(self, f: Ball, floor: float = 1e-290) -> Ball:
        r"""Return :math:`\int f(z)\,dz` over all panels, rounding and truncation bounded.

        ``f`` is a ball of shape (..., panels, NODES), the integrand at ``self.z``. An integrand that is
        not over where z is cut off, and larger than ``floor`` there, has no bound.

        >>> from normcal.numerics.balls import BALLS
        >>> panels = Panels(*edges_for([], []))
        >>> whole = panels.integral(BALLS.phi(panels.z))
        >>> bool(abs(whole.mid - 1.0) <= whole.rad < 4e-14)
        True
        """
        return self.total(f * self.share, floor)[0]

    def total(self, terms: Ball, floor=1e-290) -> tuple[Ball, np.ndarray]:
        """Return the integral of f from ``terms``, f times ``share``, and what each panel leaves unresolved of it."""
        size = np.abs(terms.mid)
        total, whole = accurate_sum(terms, size)
        unresolved = _top(_finite(terms.mid) @ rule().tail_of_terms)
        share = self.share.mid
        most = size + terms.rad  # where the density underflows, the radius alone tells how large f is
        end = np.maximum(most[..., 0, 0] / share[..., 0, 0], most[..., -1, -1] / share[..., -1, -1])
        rad = (total.rad + np.add.reduce(unresolved, axis=-1)) * GROW
        # where the integrand goes on beyond the reach of z there is no bound
        return Ball(total.mid, np.where(end > np.maximum(CUT * whole, floor), np.inf, rad)), unresolved

    def antiderivative(self, f: Ball) -> Ball:
        r"""Return :math:`\int_0^z f(t)\,dt` at each node, built outwards from 0.

        ``f`` and the result are balls of shape (..., panels, NODES). Sums start at 0 on either side,
        so that the result keeps its relative accuracy where f has one sign.
        """
        from_left, unresolved = rule().from_left, self.unresolved(f)
        right = _running(self, f, unresolved, from_left, slice(self.zero, None), slice(None))
        left = _running(self, f, unresolved, from_left[::-1, ::-1], slice(None, self.zero), slice(None, None, -1))
        return Ball(np.concatenate([-left.mid, right.mid], axis=-2), np.concatenate([left.rad, right.rad], axis=-2))

    def at_right(self, f: Ball, slope: Ball) -> Ball:
        """Return what f tends to at the right end of each panel, from the node next to it and the slope."""
        mid = f.mid[..., -1] + self.half.mid[..., 0] * (slope.mid[..., ::-1] @ rule().from_left[0])
        return Ball(mid, (f.rad[..., -1] + self._beside(slope) + U * np.abs(mid)) * GROW)

    def _beside(self, slope: Ball) -> np.ndarray:
        """Bound what a slope's integral from an end to the node next to it may be off."""
        half = self.half.mid[..., 0]
        size = half * (np.abs(slope.mid) @ rule().weights) * RUNNING + half * (slope.rad @ rule().weights)
        return size + self.unresolved(slope)

    def jumps(self, f: Ball, slope: Ball) -> Ball:
        """Return f right of each inner edge less f left of it, from the nodes next to it and the slope."""
        from_left = rule().from_left
        half = self.half.mid[..., 0]
        error = self._beside(slope)
        at_left = f.mid[..., 0] - half * (slope.mid @ from_left[0])
        at_right = f.mid[..., -1] + half * (slope.mid[..., ::-1] @ from_left[0])
        mid = at_left[..., 1:] - at_right[..., :-1]
        ends = np.abs(at_left[..., 1:]) + np.abs(at_right[..., :-1])
        rad = f.rad[..., 1:, 0] + f.rad[..., :-1, -1] + error[..., 1:] + error[..., :-1] + U * ends
        return Ball(mid, rad * GROW)


def accurate_sum(terms: Ball, size: np.ndarray) -> tuple[Ball, np.ndarray]:
    r"""Return the sums over the last two axes, each rounded only once but for a part far below, and those of ``size``.

    ``size`` holds the absolute values of the terms. These are split at a power of two
    :math:`\sigma \ge (n + 2)\max|t|`: the upper parts are multiples of :math:`u\sigma`, so that any order adds them
    exactly, and the lower parts are below :math:`u\sigma` (Rump, Ogita & Oishi 2008, doi:10.1137/050645671). Those
    are folded first: terms that mirror one another cancel exactly.

    >>> odd = Ball(np.array([[0.1, 0.7, 1e-30], [-1e-30, -0.7, -0.1]]))
    >>> float(accurate_sum(odd, np.abs(odd.mid))[0].mid)
    0.0
    """
    *lead, panels, nodes = terms.mid.shape
    count = panels * nodes
    t, size = terms.mid.reshape(*lead, count), size.reshape(*lead, count)
    spread = np.add.reduce(np.broadcast_to(terms.rad, terms.mid.shape).reshape(*lead, count), axis=-1)
    largest = np.maximum.reduce(size, axis=-1)
    sigma = np.ldexp(1.0, np.frexp(largest)[1] + (count + 2).bit_length()) * (largest > 0.0)
    high = t + sigma[..., None]
    high -= sigma[..., None]
    low = t - high
    mid = np.add.reduce(high, axis=-1) + 0.5 * np.add.reduce(low + low[..., ::-1], axis=-1)
    rad = (spread + U * np.abs(mid) + (count * U) ** 2 * sigma) * GROW
    whole, known = np.add.reduce(size, axis=-1), np.isfinite(rad)
    if not known.all():
        mid, rad = np.where(known, mid, np.add.reduce(t, axis=-1)), np.where(known, rad, np.inf)
    return Ball(mid, rad), whole


def _top(coefficients: np.ndarray) -> np.ndarray:
    """Return what the coefficients of highest degree, on the last axis, leave open."""
    return _SAFETY * np.add.reduce(np.abs(coefficients), axis=-1)


def _running(panels: Panels, f: Ball, unresolved, step: np.ndarray, side: slice, outwards: slice) -> Ball:
    """Integrate outwards from 0 over the panels of one side; the result has one row a panel."""

    def ordered(values):
        return values[..., side, :][..., outwards, :]

    weights = rule().weights
    mid, rad, half = _finite(ordered(f.mid)), ordered(f.rad), ordered(panels.half.mid)
    slack = ordered(panels.half.rad) / half
    inside = half * (mid @ step.T)
    whole = half * (mid @ weights)[..., None]
    size = half * (np.abs(mid) @ weights)[..., None]
    spread = half * (rad @ weights)[..., None] + size * (RUNNING + slack)
    spread = spread + ordered(unresolved[..., None]) + TINY
    long = np.longdouble  # wider than a double on most machines; the bound asks for its precision
    behind = _before(size)
    rounding = (mid.shape[-2] * float(np.finfo(long).eps) + U) * behind
    total = _before(whole.astype(long)).astype(float) + inside
    error = (np.cumsum(spread, axis=-2) + rounding + U * np.abs(total)) * GROW
    return Ball(total[..., outwards, :], error[..., outwards, :])


def _before(parts: np.ndarray) -> np.ndarray:
    """Return, for each panel, the sum over the panels before it."""
    return np.concatenate([np.zeros_like(parts[..., :1, :]), np.cumsum(parts[..., :-1, :], axis=-2)], axis=-2)


def _finite(values: np.ndarray) -> np.ndarray:
    known = np.isfinite(values)
    return values if known.all() else np.where(known, values, 0.0)
