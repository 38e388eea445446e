r"""Moments of components by panels of Gauss-Legendre nodes in ball arithmetic.

Panels are halved until what they leave unresolved no longer matters. The variance is never a
difference of moments: :math:`g(z) = \sigma\int_0^z f'(\mu + \sigma t)\,dt` keeps its relative
accuracy where f is a constant plus something tiny, and the variance is
:math:`E[(g - c)^2] - (E g - c)^2` with c the computed mean of g.

Many components are integrated together: every array has a leading axis over them, and balls of moments have
just that axis. Components that the first mesh leaves open go on together, on finer meshes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from normcal.engines._integrals import Integrals, parts
from normcal.engines._nodes import (
    BACK,
    SLOPE,
    VALUE,
    Batch,
    Integrand,
    Measure,
    batches,
    entries,
    kernel,
    narrow,
    recorded,
    standardised,
)  # fmt: skip
from normcal.law import Normal
from normcal.layer import BACKWARD, FORWARD, Component
from normcal.numerics.balls import BALLS, GROW, TINY, Ball, U, ball, hypot
from normcal.numerics.lines import line_integral
from normcal.numerics.panels import Panels, rule
from normcal.numerics.tape import Program

ROUNDS = 16
MOST_PANELS = 4000
#: What one panel may leave unresolved, relative to the whole; and what is only its rounding noise,
#: relative to its own integral and to the radii of its nodes.
FINE_ENOUGH = 1e-17
NOISE = 64.0 * U
NOISE_OF_RADII = 0.5
#: A mean or a std whose bound is relatively wider than this is worth another route, which costs more for a mean.
CANCELLED = 5e-14
CANCELLED_STD = 4e-14
#: A bound wider than this, relative to the largest moment, is none.
USELESS = 1e3
#: Functions of a size between this and its inverse are squared as they are.
SQUARED = 1e-70
#: The rms over |z| > REACH of a function of slope 1, and more.
UNSEEN = 1e-160
#: What kinks too close to be told apart may cost the forward moments.
BLURRED = 1e-11

Moments = tuple[Ball, Ball, Ball]


class PanelIntegrals(Integrals):
    """Moments of components by panels of Gauss-Legendre nodes, integrals over the line by the trapezoidal rule."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, Component], Moments | Ball] = {}

    def prepare(self, asked: Sequence[tuple[str, Component]], law: Normal) -> None:
        """Integrate components together, so that what asks for them one by one finds them done."""
        whole = [(direction, part) for direction, component in asked for part in parts(component)]
        self._known.update(zip(whole, integrated(whole, law), strict=True))

    def moments_of_f(self, component: Component, law: Normal) -> Moments:
        known = self._known.get((FORWARD, component))
        return integrated([(FORWARD, component)], law)[0] if known is None else known

    def rms_of_slope(self, component: Component, law: Normal) -> Ball:
        known = self._known.get((BACKWARD, component))
        return integrated([(BACKWARD, component)], law)[0] if known is None else known

    def line(self, g) -> list[Ball]:
        return line_integral(g)


def integrated(asked: Sequence[tuple[str, Component]], law: Normal) -> list[Moments | Ball]:
    """Return, for each component, (mean, std, rms) of f(x) forward, or sqrt(E[w f'^2]) backward."""
    integrands: dict[tuple, tuple[Integrand, dict[str, list[int]]]] = {}
    programs: dict[tuple, Program | None] = {}
    for place, (direction, component) in enumerate(asked):
        function = component.f, component.slope
        if function not in programs:
            programs[function] = recorded(component)
        integrand = Integrand(component, law, programs[function])
        _, places = integrands.setdefault(integrand.key, (integrand, {}))
        places.setdefault(direction, []).append(place)
    places_of = {id(integrand): places for integrand, places in integrands.values()}
    found: list = [None] * len(asked)
    for directions, results in _EVALUATED.items():
        wanted = [one for one, places in integrands.values() if places.keys() == directions]
        for batch in batches(wanted, results):
            for direction in directions:
                moments = _MOMENTS[direction](batch)
                for integrand, its in zip(batch.integrands, moments, strict=True):
                    for place in places_of[id(integrand)][direction]:
                        found[place] = its
    return found


def _settled(batch: Batch, moments: Callable, finished: Callable, rounds: int = ROUNDS) -> list:
    """Return the moments of each component, on meshes that are halved where they are too coarse for it.

    ``moments(batch)`` returns what a mesh says, and which panels are too coarse, a row a component;
    ``finished(batch, said)`` makes a list of it.
    """
    said, coarse = moments(batch)
    rough = coarse.any(axis=-1)
    if rounds == 1 or len(batch.measure.panels) >= MOST_PANELS:
        rough[:] = False
    found = [None] * len(rough)
    if not rough.all():
        done = np.flatnonzero(~rough)
        _place(found, done, finished(batch.of(done), [entries(x, done) for x in said]))
    if rough.any():
        for members, finer in batch.halved(np.flatnonzero(rough), coarse):
            parts = _settled(finer, moments, finished, rounds - 1)
            lost = [k for k, part in enumerate(parts) if not _bounded(part)]
            if lost:  # a finer mesh has nodes nearer to a singular point, which balls may reach
                whole = finished(batch.of(members[lost]), [entries(x, members[lost]) for x in said])
                for k, part in zip(lost, whole, strict=True):
                    parts[k] = part if _bounded(part) else parts[k]
            _place(found, members, parts)
    return found


def _bounded(part: Moments | Ball) -> bool:
    """Whether what was found has bounds that are of use."""
    each = (part,) if isinstance(part, Ball) else part
    return all(b.rad < USELESS * max(abs(its.mid) for its in each) or b.rad == 0.0 for b in each)


def _place(found: list, members: np.ndarray, parts: list) -> None:
    for k, part in zip(members, parts, strict=True):
        found[k] = part


# --- forward ---


def _forward(batch: Batch) -> list[Moments]:
    """Return (mean, std, rms) of f(x) of each component under its density, which integrates to 1."""
    if batch.law.std == 0.0:
        return [_at_a_point(integrand.component, batch.law) for integrand in batch.integrands]
    return _settled(batch, _forward_said, _forward_finished)


def _at_a_point(component: Component, law: Normal) -> Moments:
    """Return the moments where the input is constant."""
    mean = ball(component.f(Ball(law.mean), BALLS))
    return mean, Ball(0.0), Ball(abs(mean.mid), mean.rad)


def _forward_said(batch: Batch) -> tuple[tuple[Ball, ...], np.ndarray]:
    """Return mean, std and rms of f, the mean of g where f is smooth enough for it to be one of f - f(mean) too,
    and which panels are too coarse."""
    panels, mass, root = batch.measure.panels, batch.measure.mass, batch.measure.root
    f, steps = batch.values[VALUE], batch.values[SLOPE] * batch.law.std
    jumps = _jumps_at_kinks(batch, f, steps)
    g = _with_jumps(panels.antiderivative(steps), jumps, panels.zero)
    g_mean, _ = panels.total(mass.times(g))
    spread, coarse_std = _rms(panels, root.times(g - g_mean.mid[:, None, None]))
    std = _less_square(spread, g_mean.rad)
    rms, coarse_rms = _rms(panels, root.times(f))
    terms = mass.times(f)
    mean, unresolved = panels.total(terms)
    coarse = coarse_std | coarse_rms | _coarse(terms, unresolved, rms.upper) | _uneven(batch.measure, steps, std.upper)
    rough = coarse.any(axis=-1) | (False if jumps is None else (jumps.mid != 0.0).any(axis=-1))
    return (mean, std, rms, Ball(g_mean.mid, np.where(rough, np.inf, g_mean.rad))), coarse


def _forward_finished(batch: Batch, said: Sequence[Ball]) -> list[Moments]:
    """Return the moments by the routes of the smallest bounds, with what lies out of sight allowed for."""
    mean, std, rms, g_mean = said
    f = batch.probed[VALUE]
    start = Ball(f.mid[:, 0, 0], f.rad[:, 0, 0])
    mean = _best_mean(batch, start, mean, g_mean)
    std = _best_std(batch, mean, std)
    for k, integrand in enumerate(batch.integrands):
        if integrand.ground.blurred:
            widened = _blurred(integrand, *(entries(b, k) for b in (start, mean, std, rms)))
            for b, its in zip((mean, std, rms), widened, strict=True):
                b.mid[k], b.rad[k] = its.mid, its.rad
    unseen = _unseen(batch.probed[SLOPE]) * batch.law.std
    std, rms = Ball(std.mid, std.rad + unseen), Ball(rms.mid, rms.rad + unseen)
    rms = _narrower(rms, _hypot(mean, std))
    return list(zip(_each(mean), _each(std), _each(rms), strict=True))


def _best_mean(batch: Batch, start: Ball, mean: Ball, g_mean: Ball) -> Ball:
    """Return the mean as the integral of f, or as f(mean of x) plus the mean of g, or from f''."""
    smooth = np.isfinite(g_mean.rad) & (mean.mid != 0.0)  # an odd f already sums to exactly 0
    smooth &= _reached(batch, start)
    other = start + g_mean
    best = _narrower(mean, Ball(other.mid, np.where(smooth, other.rad, np.inf)))
    if batch.integrands[0].component.weight is None:
        members = np.flatnonzero(smooth & (mean.rad > CANCELLED * np.abs(mean.mid)))
        if len(members):
            curved = entries(start, members) + _curvature(batch.of(members))
            _put(best, members, _narrower(entries(best, members), curved))
    return best


def _reached(batch: Batch, start: Ball) -> np.ndarray:
    """Return whether f at the mean is what f tends to from the left: where it is not, it is a value of its own."""
    panels = batch.measure.panels
    limit = panels.at_right(batch.values[VALUE], batch.values[SLOPE] * batch.law.std)
    last = entries(limit, (slice(None), panels.zero - 1))
    return ~(np.abs(last.mid - start.mid) > last.rad + start.rad)


def _best_std(batch: Batch, mean: Ball, std: Ball) -> Ball:
    """Return the std from g, or from f itself where g cancels more."""
    members = np.flatnonzero(std.rad > CANCELLED_STD * std.mid)
    if not len(members):
        return std
    part, centre = batch.of(members), entries(mean, members)
    around = part.values[VALUE] - centre.mid[:, None, None]
    plain = _less_square(_rms(part.measure.panels, part.measure.root.times(around))[0], centre.rad)
    best = Ball(std.mid.copy(), std.rad.copy())
    _put(best, members, _narrower(entries(best, members), plain))
    return best


def _put(x: Ball, members: np.ndarray, values: Ball) -> None:
    x.mid[members], x.rad[members] = values.mid, values.rad


def _jumps_at_kinks(batch: Batch, f: Ball, slope: Ball) -> Ball | None:
    """Return the jump of f at each inner edge, 0 but at kinks; a jump that may be 0 is a ball around 0."""
    if not any(len(integrand.ground.kinks) for integrand in batch.integrands):
        return None
    jumps, kinked = batch.measure.panels.jumps(f, slope), batch.kinked
    clear = np.abs(jumps.mid) > jumps.rad
    rad = np.where(clear, jumps.rad, np.abs(jumps.mid) + jumps.rad)
    return Ball(np.where(kinked & clear, jumps.mid, 0.0), np.where(kinked, rad, 0.0))


def _with_jumps(g: Ball, jumps: Ball | None, zero: int) -> Ball:
    """Add to g, which is 0 just left of z = 0, what f jumps by on the way."""
    if jumps is None:
        return g
    sign = np.where(np.arange(g.mid.shape[-2]) < zero, -1.0, 1.0)[:, None]
    rad = g.rad + _outwards(jumps.rad, zero)[..., None]
    grow = np.where((jumps.upper > 0.0).any(axis=-1), GROW, 1.0)[..., None, None]
    if not jumps.mid.any():
        return Ball(g.mid, rad * grow)
    mid = g.mid + sign * _outwards(jumps.mid, zero)[..., None]
    several = np.count_nonzero(jumps.mid, axis=-1)[..., None]
    rounded = np.maximum(several - 1, 0) * U * _outwards(np.abs(jumps.mid), zero)  # one jump is passed on as it is
    return Ball(mid, (rad + rounded[..., None] + U * np.abs(mid) * (several > 0)[..., None]) * grow)


def _outwards(jumps: np.ndarray, zero: int) -> np.ndarray:
    """Return, for each panel, the sum over the inner edges between it and z = 0, the edge at 0 being right of it."""
    left = np.cumsum(jumps[..., : zero - 1][..., ::-1], axis=-1)[..., ::-1]
    right = np.cumsum(jumps[..., zero - 1 :], axis=-1)
    return np.concatenate([left, np.zeros_like(jumps[..., :1]), right], axis=-1)


def _curvature(batch: Batch) -> Ball:
    r"""Return :math:`E f - f(\mu)` from f'', which keeps its digits where f is nearly linear.

    Taylor's formula with remainder gives, for a continuous f,
    :math:`E f = f(\mu) + \sigma^2\int f''(\mu + \sigma z) K(z)\,dz + \sigma\sum_k \Delta f'(k) K(z_k)`
    with :math:`K(z) = \varphi(z) - |z|\,\Phi(-|z|)`, and f' jumping at the kinks.
    """
    panels, std = batch.measure.panels, batch.law.std
    second = batch.bend()
    total = panels.integral(second * batch.measure.kernel) * std
    steps = batch.values[SLOPE] * std
    heights = _jumps_at_kinks(batch, batch.values[VALUE], steps)
    if heights is not None:  # f is continuous, but for jumps that its balls cannot tell from none
        weights = BALLS.Phi(Ball(-np.abs(panels.edges[..., 1:-1]), panels.radii[..., 1:-1])).upper
        total = Ball(total.mid, total.rad + (heights.upper * weights).sum(axis=-1) / std * GROW)
    jumps = _jumps_at_kinks(batch, batch.values[SLOPE], second * std)
    if jumps is not None:
        parts = jumps * kernel(Ball(panels.edges[..., 1:-1], panels.radii[..., 1:-1]))
        mid = parts.mid.sum(axis=-1)
        several = np.maximum(np.count_nonzero(jumps.mid, axis=-1) - 1, 0)
        rounded = several * U * np.abs(parts.mid).sum(axis=-1)
        kinked = np.flatnonzero((jumps.upper > 0.0).any(axis=-1))  # a row owes nothing to its neighbours' kinks
        at_kinks = Ball(mid, (np.where(jumps.upper > 0.0, parts.rad, 0.0).sum(axis=-1) + rounded) * GROW)
        _put(total, kinked, entries(total, kinked) + entries(at_kinks, kinked))
    return total * std


# --- backward ---


def _backward(batch: Batch) -> list[Ball]:
    """Return sqrt(E[w(z) f'(x)^2]) of each component, or of what it puts in place of f'."""
    return _settled(batch, _backward_said, _backward_finished)


def _backward_said(batch: Batch) -> tuple[tuple[Ball], np.ndarray]:
    std, coarse = _rms(batch.measure.panels, batch.measure.root.times(batch.values[BACK]))
    return (std,), coarse


def _backward_finished(batch: Batch, said: Sequence[Ball]) -> list[Ball]:
    (std,) = said
    rad = std.rad + _unseen(batch.probed[BACK]) * (batch.law.std != 0.0)
    # a spike of f' between two doubles may be all there is
    return _each(Ball(std.mid, np.where([one.ground.blurred for one in batch.integrands], np.inf, rad)))


# --- what both share ---


def _each(x: Ball) -> list[Ball]:
    return [Ball(mid, rad) for mid, rad in zip(x.mid.tolist(), x.rad.tolist(), strict=True)]


def _rms(panels: Panels, roots: Ball) -> tuple[Ball, np.ndarray]:
    """Return the rms of f from f times the root of the mass, and which panels are too coarse for it."""
    size, scale = np.abs(roots.mid), np.ones(())
    largest = np.maximum.reduce(size.reshape(len(size), -1), axis=-1)
    plain = (largest > SQUARED) & (largest < 1.0 / SQUARED)
    if not plain.all():
        scale = np.where(plain, 1.0, _power_of_two_near(largest))
        roots = roots.scaled(scale[..., None, None])
        size = np.abs(roots.mid)
    squares = _square(size, roots.rad)
    total, unresolved = panels.total(squares, floor=1e-290 * scale * scale)
    return BALLS.sqrt(total).scaled(1.0 / scale), _coarse(squares, unresolved, total.mid)


def _square(size: np.ndarray, rad: np.ndarray) -> Ball:
    """Return the squares of numbers of that size, known to that radius."""
    mid = size * size
    wide = (2.0 * size + rad) * rad
    wide += U * mid
    wide *= GROW
    wide += 2.0 * TINY
    return Ball(mid, wide)


def _coarse(terms: Ball, unresolved: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Mark the panels whose unresolved part matters to the whole and is more than rounding noise.

    Rounding alone makes a panel look unresolved; halving cannot mend that.
    """
    marked = unresolved > FINE_ENOUGH * whole[..., None]
    if marked.any():
        noise = (NOISE * np.abs(terms.mid[marked]) + NOISE_OF_RADII * terms.rad[marked]).sum(axis=-1)
        marked[marked] = unresolved[marked] > noise
    return marked


def _uneven(measure: Measure, steps: Ball, std: np.ndarray) -> np.ndarray:
    """Mark the panels where g is too coarse: an error there moves g from there outwards."""
    unresolved = measure.panels.unresolved(steps)
    marked = unresolved * measure.beyond > FINE_ENOUGH * std[..., None]
    if marked.any():
        noise = NOISE * np.abs(steps.mid) + NOISE_OF_RADII * steps.rad
        marked &= unresolved > measure.panels.half.mid[..., 0] * (noise @ rule().weights)
    return marked


def _less_square(x: Ball, shift) -> Ball:
    """Return the ball of sqrt(x^2 - s^2) for some s in [0, shift]."""
    least = np.maximum(x.mid - x.rad, 0.0)
    low = np.sqrt(np.maximum(least - shift, 0.0)) * np.sqrt(least + shift)
    return Ball(x.mid, np.maximum(x.rad, x.mid - low) * GROW)


def _hypot(a: Ball, b: Ball) -> Ball:
    """Return sqrt(a^2 + b^2); exact where one of them is exactly 0."""
    scale = _power_of_two_near(np.maximum(a.upper, b.upper))
    root = BALLS.sqrt(a.scaled(scale).square() + b.scaled(scale).square()).scaled(1.0 / scale)
    for x, y in ((a, b), (b, a)):
        nothing = (x.mid == 0.0) & (x.rad == 0.0)
        root = Ball(np.where(nothing, np.abs(y.mid), root.mid), np.where(nothing, y.rad, root.rad))
    return root


def _power_of_two_near(size: np.ndarray) -> np.ndarray:
    """Return the powers of two whose products with the sizes lie in [0.5, 1); 1 for what has no size."""
    _, exponent = np.frexp(size)
    return np.where((size > 0.0) & (size < np.inf), np.ldexp(1.0, np.clip(-exponent, -1020, 1020)), 1.0)


def _narrower(a: Ball, b: Ball) -> Ball:
    """Return, entry by entry, the ball of the smaller radius."""
    second = b.rad < a.rad
    return Ball(np.where(second, b.mid, a.mid), np.where(second, b.rad, a.rad))


def _unseen(slopes: Ball) -> np.ndarray:
    """Bound what lies beyond the reach of z, per unit of std: from the slopes around kinks and features."""
    steepest = slopes.upper.max(axis=(-2, -1))  # no number, where one of them is none
    return np.where(np.isfinite(steepest), UNSEEN * steepest, 0.0)


def _blurred(integrand: Integrand, start: Ball, mean: Ball, std: Ball, rms: Ball) -> Moments:
    """Widen the moments where doubles cannot tell two kinks apart, or a feature from a jump."""
    mean = Ball(mean.mid, mean.rad + BLURRED * rms.upper)
    unseen = BLURRED * rms.upper
    mass, height = _hidden(integrand, start)
    mean = Ball(mean.mid, mean.rad + mass * height)
    std = _off_by_square(std, 4.0 * mass * height * height)
    highest = height + start.upper
    rms = _off_by_square(rms, mass * highest * highest)
    return mean, Ball(std.mid, std.rad + unseen), Ball(rms.mid, rms.rad + unseen)


def _hidden(integrand: Integrand, start: Ball) -> tuple[float, float]:
    """Bound the mass of what no panel resolves around features too narrow for doubles, and how far f strays there."""
    component, law = integrand.component, integrand.law
    mass, height = 0.0, 0.0
    for x, scale in component.features:
        z, width = standardised(x, law), 64.0 * scale / law.std
        if not narrow(z, 0.5 * scale / law.std):  # scales were rounded down by up to that much
            continue
        near = Ball(x + scale * np.array([-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0]))
        inside = ball(component.f(near, BALLS)) - start
        height = max(height, float(np.max(np.abs(inside.mid))))
        mass += width * float(BALLS.phi(Ball(max(abs(float(z.mid)) - width, 0.0))).upper)
    return mass, 2.0 * height


def _off_by_square(x: Ball, change: float) -> Ball:
    """Return the ball of sqrt(y^2 + c) for y in x and some \\|c\\| <= ``change``."""
    high = float(hypot(Ball(float(x.upper)), BALLS.sqrt(Ball(change))).upper)
    low = float(_less_square(Ball(float(x.mid), float(x.rad)), math.sqrt(change)).rad)
    return Ball(x.mid, max(high - float(x.mid), low) * GROW)


_MOMENTS = {FORWARD: _forward, BACKWARD: _backward}
#: What is evaluated where these directions of a component are asked for.
_EVALUATED = {
    frozenset({FORWARD, BACKWARD}): (VALUE, SLOPE, BACK),
    frozenset({FORWARD}): (VALUE, SLOPE),
    frozenset({BACKWARD}): (BACK,),
}
