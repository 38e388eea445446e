r"""Integrals of a function under a pair of correlated normal variables, in ball arithmetic.

All is about :math:`g(z) = f(\mu + \sigma z)`. The one-dimensional integrals give its Hermite coefficients
:math:`a_k = E[g(z) h_k(z)]`, and with them Mehler's series :math:`E[g(u) g(v)] = \sum_k a_k^2 c^k` for u and v of
correlation c, whose tail is at most :math:`|c|^{n+1}(E g^2 - \sum_{k \le n} a_k^2)`. Where that is too wide, the
semigroup :math:`P g(z) = E\,g(\rho z + \sqrt{1-\rho^2}\,v)` with :math:`\rho^2 = |c|` is integrated at every node of
an outer integral: :math:`E[g(u) g(v)] = E[P g(z)\,P g(\pm z)]`. The two share the function and nothing else.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from normcal.engines._integrate import FINE_ENOUGH, NOISE, NOISE_OF_RADII, ROUNDS, integrated
from normcal.engines._nodes import SLOPE, VALUE, Batch, Integrand, batches, recorded
from normcal.law import STANDARD
from normcal.layer import BACKWARD, FORWARD, Component
from normcal.numerics.balls import BALLS, GROW, Ball, U, ball
from normcal.numerics.duals import Dual, Duals, lift
from normcal.numerics.hermite import hermite
from normcal.numerics.panels import CUT, REACH, Panels, accurate_sum, edges_for, rule
from normcal.numerics.tape import Traced, run

#: Edges of the inner integral, on either side of 0: a function that is smooth on this scale is resolved at once.
_INNER_EDGES = (0.0, 1.0, 2.0, 3.0, 4.5, 6.0, 8.0, 11.0, REACH)
#: How often the panels of the inner integral may be halved.
_INNER_ROUNDS = 5
#: Nodes that are evaluated at a time.
_MOST_NODES = 150_000
_SAFETY = 4.0
#: Nodes after which no panel is halved any more; what is unresolved is then part of the error.
_MOST_SPENT = 4_000_000
#: Features at which the inner integral is cut; what they do not tell, halving finds.
_MOST_FEATURES = 4
#: Panels that the outer integral may take.
_MOST_PANELS = 400


def standardised(component: Component, mean: float, scale: Ball | float) -> Component:
    """Return the component as a function of z, for x = mean + scale z."""
    f, scale = component.f, ball(scale)
    kinks = tuple((ball(kink) - mean) / scale for kink in component.kinks)
    width = float(scale.mid)
    features = tuple(((x - mean) / width, its / width) for x, its in component.features)
    factor = width if not scale.rad else scale
    return Component(lambda z, m: f(z * factor + mean, m), kinks, features)


def derived(component: Component, order: int = 1) -> Component:
    """Return the derivative of a component's function as one, almost everywhere."""
    for _ in range(order):
        component = replace(component, f=_derivative(component.f))
    return component


def _derivative(f):
    return lambda x, m: lift(f(Dual(x, _like(x, 1.0)), Duals(m))).slope + x * 0.0  # a constant takes the shape of x


def _like(x, number: float):
    """Return a constant as x is: a dual number of as many levels, an operand of the same tape."""
    if isinstance(x, Dual):
        return Dual(_like(x.value, number), _like(x.value, 0.0))
    return x.tape.lift(number) if isinstance(x, Traced) else number


def times_z(component: Component) -> Component:
    """Return z times a component's function as one."""
    f = component.f
    return replace(component, f=lambda z, m: f(z, m) * z)


@np.errstate(all="ignore")
def mean(component: Component) -> Ball:
    """Return E g of a standardised component."""
    return integrated([(FORWARD, component)], STANDARD)[0][0]


@np.errstate(all="ignore")
def squares(components: Sequence[Component]) -> list[Ball]:
    """Return E g^2 of standardised components, computed together: the means of squared slopes, g standing for f'."""
    found = integrated([(BACKWARD, replace(c, slope=c.f)) for c in components], STANDARD)
    return [root.square() for root in found]


# --- jumps ---


@np.errstate(all="ignore")
def jumps(component: Component) -> list[tuple[Ball, Ball]]:
    """Return (z, how much g jumps) of each kink within reach; a jump that may be none is a ball around 0."""
    if not component.kinks:
        return []
    batch = _first(component, (VALUE, SLOPE))
    panels = batch.measure.panels
    found, kinked = panels.jumps(batch.values[VALUE], batch.values[SLOPE]), batch.kinked[0]
    edges = np.atleast_2d(panels.edges)[0, 1:-1][kinked]
    radii = np.atleast_2d(panels.radii)[0, 1:-1][kinked]
    mid, rad = found.mid[0][kinked], found.rad[0][kinked]
    clear = np.abs(mid) > 4.0 * rad
    rows = zip(edges, radii, np.where(clear, mid, 0.0), np.where(clear, rad, np.abs(mid) + rad), strict=True)
    return [(Ball(float(z), float(r)), Ball(float(m), float(e))) for z, r, m, e in rows]


def _first(component: Component, results: tuple[int, ...]) -> Batch:
    integrand = Integrand(component, STANDARD, recorded(component))
    return next(batches([integrand], results))


# --- Hermite coefficients ---


@np.errstate(all="ignore")
def coefficients(component: Component, most: int) -> Ball:
    """Return the Hermite coefficients 0 .. ``most`` of a standardised component as a ball of an array."""
    batch = _first(component, (VALUE,))
    for left in range(ROUNDS, 0, -1):
        found, coarse = _coefficients(batch, most)
        if not coarse.any() or left == 1 or len(batch.measure.panels) >= _MOST_PANELS:
            break
        ((_, batch),) = batch.halved(np.array([0]), coarse[None])
    return found


def _coefficients(batch: Batch, most: int) -> tuple[Ball, np.ndarray]:
    panels = batch.measure.panels
    f = batch.measure.mass.times(batch.values[VALUE])
    f = Ball(f.mid[0], f.rad[0])
    terms = _hermite_on(panels, most) * f
    found, unresolved = panels.total(terms)
    whole = math.sqrt(float(np.sum(np.abs(f.mid * np.atleast_3d(batch.values[VALUE].mid)[0]))))
    noise = (NOISE * np.abs(terms.mid) + NOISE_OF_RADII * terms.rad).sum(axis=-1)
    coarse = (unresolved > FINE_ENOUGH * whole) & (unresolved > noise)
    return Ball(np.ravel(found.mid), np.ravel(found.rad)), coarse.any(axis=0)


def _hermite_on(panels: Panels, most: int) -> Ball:
    edges, radii = np.atleast_2d(panels.edges)[0], np.atleast_2d(panels.radii)[0]
    return _hermite_at(edges.tobytes(), radii.tobytes(), most)


@functools.lru_cache(maxsize=6)
def _hermite_at(edges: bytes, radii: bytes, most: int) -> Ball:
    """Return the polynomials at the nodes of a mesh that many functions share."""
    return hermite(Panels(np.frombuffer(edges), np.frombuffer(radii)).z, most)


# --- Mehler's series ---


@np.errstate(all="ignore")
def series(found: Ball, square: Ball, c: Ball, order: int = 0) -> Ball:
    r"""Return :math:`\sum_k k(k-1)\cdots(k-order+1)\,a_k^2 c^{k-order}` from coefficients and E g^2, tail allowed for.

    The tail of the n-th derivative is at most the largest :math:`k\cdots(k-n+1)|c|^{k-n}` times what the squares leave.
    """
    count = len(found.mid)
    squares = found * found
    k = np.arange(count, dtype=float)
    factor = np.ones(count)
    for i in range(order):
        factor = factor * (k - i)
    powers = _powers(c, count, order)
    total = (squares * powers * Ball(factor, 2.0 * U * factor)).sum()
    rest = max(float((square - squares.sum()).mid + (square - squares.sum()).rad), 0.0)
    tail = rest * _largest_factor(min(float(c.upper), 1.0), count, order)
    if float(c.mid) - float(c.rad) >= 0.0:
        return total + Ball(0.5 * tail, 0.5 * tail * GROW)
    return Ball(total.mid, (total.rad + tail) * GROW)


def _powers(c: Ball, count: int, order: int) -> Ball:
    """Return c^(k - order) for k = 0 .. count - 1, and 0 for negative powers."""
    size = float(c.upper)
    mid, rad = np.zeros(count), np.zeros(count)
    mids = np.concatenate([[1.0], np.cumprod(np.full(max(count - order - 1, 0), float(c.mid)))])
    steps = np.arange(len(mids))
    tops = np.concatenate([[1.0], np.cumprod(np.full(max(count - order - 1, 0), min(size * GROW, 1.0)))])
    before = np.concatenate([[0.0], tops[:-1]])  # |a^k - b^k| <= k |a - b| max^(k - 1)
    mid[order:], rad[order:] = mids, (steps * before * float(c.rad) + U * steps * tops * (1.0 + 1e-9)) * GROW
    return Ball(mid, rad)


def _largest_factor(size: float, count: int, order: int) -> float:
    """Return the largest k (k - 1) ... size^(k - order) over k >= count; infinite where it grows without end."""
    if size == 0.0:
        return 0.0 if count > order else math.inf
    if order == 0:
        return size**count * (1.0 + 1e-12)
    if size >= 1.0:
        return math.inf
    # a term is (k + 1)/(k + 1 - order) size times the one before: they rise until k + 1 = order/(1 - size)
    peak = math.floor(order / (1.0 - size))
    near = {float(max(count, order, peak + step)) for step in (-2, -1, 0, 1)}
    return max(math.prod(k - i for i in range(order)) * size ** (k - order) for k in near) * (1.0 + 1e-6)


# --- nested quadrature ---


@np.errstate(all="ignore")
def nested(component: Component, c: float, square: float, deltas: Sequence[tuple[Ball, Ball]] = ()) -> Ball:
    """Return E[g(u) g(v)] at correlation c by the semigroup at the nodes of an outer integral.

    ``square`` is about E g^2: what panels may leave unresolved is measured by it. ``deltas`` are (z, weight) of point
    masses that g has beside its values, as the derivative of a function that jumps; not for |c| = 1.
    """
    return _Nested(component, c, square, deltas).total()


class _Nested:
    def __init__(self, component: Component, c: float, square: float, deltas) -> None:
        self.component, self.deltas, self.square = component, deltas, square
        self.rho, self.tau = BALLS.sqrt(Ball(abs(c))), BALLS.sqrt(1.0 - Ball(abs(c)))
        self.mirrored = c < 0.0
        self.spent, self.over = 0, True
        self.program = recorded(component)
        self.kinks = [ball(kink) for kink in component.kinks]
        #: where a derivative of higher order may jump, which a panel should not straddle
        narrow = sorted((scale, x) for x, scale in component.features if scale < REACH)[:_MOST_FEATURES]
        places = [Ball(x + side * scale) for scale, x in narrow for side in (-1.0, 0.0, 1.0)]
        self.cuts = {float(b.mid): b for b in places + self.kinks}.values()

    def total(self) -> Ball:
        """Integrate over z, halving the panels that are too coarse."""
        edges, radii = self._edges()
        if self.mirrored:  # the product is even in z
            keep = edges >= 0.0
            edges, radii = edges[keep], radii[keep]
        panels = [(edges[:-1], edges[1:], np.maximum(radii[:-1], radii[1:]))]
        done, spread = [], 0.0
        for left in range(ROUNDS, 0, -1):
            (low, high, reach), panels = panels[0], []
            terms, unresolved = self._terms(low, high, reach)
            noise = (NOISE * np.abs(terms.mid) + NOISE_OF_RADII * terms.rad).sum(axis=-1)
            coarse = (unresolved > FINE_ENOUGH * self.square) & (unresolved > noise)
            if left == 1 or len(low) > _MOST_PANELS or self.spent > _MOST_SPENT:
                coarse[:] = False
            done.append(Ball(terms.mid[~coarse], terms.rad[~coarse]))
            spread += float(unresolved[~coarse].sum())
            if not coarse.any():
                break
            middle = 0.5 * (low + high)[coarse]
            panels = [
                (
                    np.concatenate([low[coarse], middle]),
                    np.concatenate([middle, high[coarse]]),
                    np.tile(reach[coarse], 2),
                )
            ]
        whole = Ball(np.concatenate([x.mid for x in done]), np.concatenate([x.rad for x in done])).sum()
        found = Ball(whole.mid, (whole.rad + spread) * GROW if self.over else np.inf)
        return found * 2.0 if self.mirrored else found

    def _edges(self) -> tuple[np.ndarray, np.ndarray]:
        """Cut z where the semigroup changes: around the kinks on the scale of its width, at them where that is 0."""
        rho, tau = float(self.rho.mid), float(self.tau.mid)
        if rho == 0.0:
            return edges_for([], [])
        kinks = [kink / self.rho for kink in self.kinks]
        sharp = [(float(z.mid), float(z.rad)) for z in kinks] if tau == 0.0 else []
        soft = [(float(z.mid), max(tau / rho, 1e-12)) for z in kinks] if tau > 0.0 else []
        soft += [(x / rho, max(scale, tau) / rho) for x, scale in self.component.features]
        if self.mirrored:
            sharp += [(-z, r) for z, r in sharp]
            soft += [(-z, scale) for z, scale in soft]
        return edges_for(sharp, [(z, scale) for z, scale in soft if abs(z) < REACH])

    def _terms(self, low, high, reach) -> tuple[Ball, np.ndarray]:
        """Return the terms of the outer integral on these panels, and what each leaves unresolved."""
        half = 0.5 * (high - low)[:, None]
        z = 0.5 * (low + high)[:, None] + half * rule().nodes
        size = np.maximum(np.abs(low), np.abs(high))[:, None]
        z = Ball(z, np.broadcast_to(1.25 * U * size + 2.0 * reach[:, None], z.shape))
        share = Ball(half, (reach[:, None] + U * half) * GROW) * Ball(rule().weights, 4.0 * U * rule().weights)
        density = BALLS.phi(z)
        # an error of the semigroup far out is weighted by the root of the density
        allowed = FINE_ENOUGH * math.sqrt(self.square) / np.sqrt(np.maximum(density.mid, 1e-300))
        here = self._semigroup(z, allowed)
        other = self._semigroup(-z, allowed) if self.mirrored else here
        terms = here * other * density * share
        far = np.abs(z.mid) > REACH - 0.2
        if np.any(np.abs(terms.mid[far]) > CUT * self.square * share.mid[far]):
            self.over = False  # the integrand goes on beyond the reach of z
        top = _SAFETY * np.abs(np.where(np.isfinite(terms.mid), terms.mid, 0.0) @ rule().tail_of_terms).sum(axis=-1)
        return terms, top

    def _semigroup(self, z: Ball, allowed: np.ndarray) -> Ball:
        """Return E g(rho z + tau v) at each z, with the point masses of g."""
        flat = Ball(z.mid.ravel(), z.rad.ravel())
        if self.tau.mid == 0.0:
            found = self._values(flat * self.rho)
        else:
            found = self._inner(flat, allowed.ravel(), np.array(_both_sides(_INNER_EDGES)), _INNER_ROUNDS)
            for kink, weight in self.deltas:
                found = found + BALLS.phi((kink - flat * self.rho) / self.tau) * (weight / self.tau)
        return Ball(found.mid.reshape(z.mid.shape), found.rad.reshape(z.mid.shape))

    def _inner(self, z: Ball, allowed: np.ndarray, edges: np.ndarray, rounds: int) -> Ball:
        count = max(_MOST_NODES // ((len(edges) + len(self.cuts)) * len(rule().nodes)), 1)
        mid, rad = np.empty(len(z.mid)), np.empty(len(z.mid))
        for start in range(0, len(mid), count):
            part = slice(start, start + count)
            some, room = Ball(z.mid[part], z.rad[part]), allowed[part]
            found, rough = self._on(some, room, edges)
            if rounds > 1 and self.spent < _MOST_SPENT and rough.any():
                finer = np.sort(np.concatenate([edges, 0.5 * (edges[:-1] + edges[1:])]))
                again = self._inner(Ball(some.mid[rough], some.rad[rough]), room[rough], finer, rounds - 1)
                found.mid[rough], found.rad[rough] = again.mid, again.rad
            mid[part], rad[part] = found.mid, found.rad
        return Ball(mid, rad)

    def _on(self, z: Ball, allowed: np.ndarray, edges: np.ndarray) -> tuple[Ball, np.ndarray]:
        """Return the inner integrals on panels cut at the kinks, and where they are too coarse."""
        cuts, radii = self._cuts(z, edges)
        left, right = cuts[:, :-1], cuts[:, 1:]
        reach = np.maximum(radii[:, :-1], radii[:, 1:])[..., None]
        half = (0.5 * (right - left))[..., None]
        v = (0.5 * (left + right))[..., None] + half * rule().nodes
        size = np.maximum(np.abs(left), np.abs(right))[..., None]
        v = Ball(v, np.broadcast_to(1.25 * U * size + 2.0 * reach, v.shape))
        share = Ball(half, (reach + U * half) * GROW) * Ball(rule().weights, 4.0 * U * rule().weights)
        at = Ball(z.mid[:, None, None], z.rad[:, None, None]) * self.rho + v * self.tau
        self.spent += v.mid.size
        dense = self._values(at) * BALLS.phi(v)
        terms = dense * share
        sizes = np.abs(terms.mid)
        found, _ = accurate_sum(terms, sizes)
        finite = np.where(np.isfinite(terms.mid), terms.mid, 0.0)
        unresolved = _SAFETY * np.abs(finite @ rule().tail_of_terms).sum(axis=-1)
        noise = (NOISE * sizes + NOISE_OF_RADII * terms.rad).sum(axis=-1)
        rough = ((unresolved > allowed[:, None]) & (unresolved > noise)).any(axis=-1)
        ends = np.maximum(np.abs(dense.mid[:, 0, 0]), np.abs(dense.mid[:, -1, -1]))
        over = ends <= np.maximum(CUT * sizes.sum(axis=(-2, -1)), 1e-290)
        return Ball(found.mid, np.where(over, (found.rad + unresolved.sum(axis=-1)) * GROW, np.inf)), rough

    def _cuts(self, z: Ball, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the edges of each inner integral in order, with the radius of each."""
        count = len(z.mid)
        cuts, radii = [np.broadcast_to(edges, (count, len(edges)))], [np.zeros((count, len(edges)))]
        for kink in self.cuts:
            at = (kink - z * self.rho) / self.tau
            inside = np.abs(at.mid) < REACH
            cuts.append(np.clip(at.mid, -REACH, REACH)[:, None])
            radii.append(np.where(inside, at.rad, 0.0)[:, None])
        if not self.cuts:
            return cuts[0], radii[0]
        cuts, radii = np.concatenate(cuts, axis=1), np.concatenate(radii, axis=1)
        order = np.argsort(cuts, axis=1, kind="stable")
        return np.take_along_axis(cuts, order, 1), np.take_along_axis(radii, order, 1)

    def _values(self, x: Ball) -> Ball:
        if self.program is None:
            found = ball(self.component.f(x, BALLS))
        else:
            found = run([replace(self.program, results=self.program.results[:1])], x)[0]
        shape = np.shape(x.mid)
        return Ball(np.broadcast_to(found.mid, shape), np.broadcast_to(found.rad, shape))


def _both_sides(edges: Sequence[float]) -> list[float]:
    return sorted({side * edge for edge in edges for side in (-1.0, 1.0)})
