r"""Moments of one component by panels of Gauss-Legendre nodes in ball arithmetic.

Panels are halved until what they leave unresolved no longer matters. The variance is never a
difference of moments: :math:`g(z) = \sigma\int_0^z f'(\mu + \sigma t)\,dt` keeps its relative
accuracy where f is a constant plus something tiny, and the variance is
:math:`E[(g - c)^2] - (E g - c)^2` with c the computed mean of g.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from normcal.engines._integrals import Integrals
from normcal.law import Normal
from normcal.layer import Component
from normcal.numerics.balls import BALLS, GROW, Ball, U, ball, hypot, power_of_two_near
from normcal.numerics.duals import Dual, Duals, lift
from normcal.numerics.lines import line_integral
from normcal.numerics.panels import REACH, Panels, edges_for, rule

ROUNDS = 16
MOST_PANELS = 4000
#: What one panel may leave unresolved, relative to the whole; and what is only its rounding noise,
#: relative to its own integral and to the radii of its nodes.
FINE_ENOUGH = 1e-17
NOISE = 64.0 * U
NOISE_OF_RADII = 0.5
#: A mean or std whose bound is relatively wider than this is worth another route.
CANCELLED = 5e-14
#: The rms over |z| > REACH of a function of slope 1, and more.
UNSEEN = 1e-160
#: Places in z closer than this, relatively, are one; and what that may cost the forward moments.
BLUR = 2.0**-46
BLURRED = 1e-11


@dataclass
class _Nodes:
    """A component on one mesh: f and f' at the nodes, and the root of its density."""

    panels: Panels
    f: Ball
    slope: Ball
    root: Ball


class PanelIntegrals(Integrals):
    """Moments of components by panels of Gauss-Legendre nodes, integrals over the line by the trapezoidal rule."""

    def moments_of_f(self, component: Component, law: Normal) -> tuple[Ball, Ball, Ball]:
        return forward_moments(component, law)

    def rms_of_slope(self, component: Component, law: Normal) -> Ball:
        return backward_std(component, law)

    def line(self, g) -> list[Ball]:
        return line_integral(g)


def forward_moments(component: Component, law: Normal) -> tuple[Ball, Ball, Ball]:
    """Return (mean, std, rms) of f(x) under the component's density, which integrates to 1."""
    start = ball(component.f(Ball(law.mean), BALLS))
    if law.std == 0.0:
        return start, Ball(0.0), Ball(abs(start.mid), start.rad)
    for nodes in _meshes(component, law):
        steps = nodes.slope * law.std
        jumps = _jumps_at_kinks(component, law, nodes.panels, nodes.f, steps)
        g = _with_jumps(nodes.panels.antiderivative(steps), nodes.panels, jumps)
        density = nodes.root.square()
        g_mean = nodes.panels.integral(g * density)
        spread, coarse_std = _rms(nodes.panels, (g - float(g_mean.mid)) * nodes.root)
        std = _less_square(spread, float(g_mean.rad))
        rms, coarse_rms = _rms(nodes.panels, nodes.f * nodes.root)
        mean, coarse_mean = _mean(nodes.panels, nodes.f * density, float(rms.upper))
        coarse = coarse_std | coarse_rms | coarse_mean | _uneven(nodes.panels, steps, density, float(std.upper))
        nodes.panels.coarse = coarse
    smooth = all(jump.mid == 0.0 for _, jump in jumps) and not nodes.panels.coarse.any()
    routes = [mean]
    if smooth and mean.mid != 0.0:  # an odd f already sums to exactly 0
        routes.append(start + g_mean)
        if component.weight is None and mean.rad > CANCELLED * abs(mean.mid):
            routes.append(start + _curvature(component, law, nodes))
    mean = min(routes, key=lambda route: (route.rad, route is not mean))
    unseen = _unseen(component, law) * law.std
    if std.rad > CANCELLED * std.mid:
        plain, _ = _rms(nodes.panels, (nodes.f - float(mean.mid)) * nodes.root)
        std = min(std, _less_square(plain, float(mean.rad)), key=lambda route: route.rad)
    if _blurred(component, law):
        unseen += BLURRED * float(rms.upper)
        mean = Ball(mean.mid, mean.rad + BLURRED * float(rms.upper))
        mass, height = _hidden(component, law)
        mean = Ball(mean.mid, mean.rad + mass * height)
        std = _off_by_square(std, 4.0 * mass * height * height)
        highest = height + float(start.upper)
        rms = _off_by_square(rms, mass * highest * highest)
    std, rms = Ball(std.mid, std.rad + unseen), Ball(rms.mid, rms.rad + unseen)
    direct = hypot(mean, std)
    return mean, std, rms if rms.rad <= direct.rad else direct


def _jumps_at_kinks(component: Component, law: Normal, panels: Panels, f: Ball, slope: Ball) -> list[tuple[Ball, Ball]]:
    """Return (z, jump of f there) for each kink within reach; a jump that may be 0 is a ball around 0."""
    kinks = _kinks(component, law)
    if not kinks:
        return []
    jumps = panels.jumps(f, slope)
    inner = {float(edge): at for at, edge in enumerate(panels.edges[1:-1])}
    found = {}  # by edge: kinks that doubles cannot tell apart share one
    for z in kinks:
        at = inner.get(float(z.mid))
        if at is not None:
            mid, rad = float(jumps.mid[at]), float(jumps.rad[at])
            found[at] = (z, Ball(mid, rad) if abs(mid) > rad else Ball(0.0, abs(mid) + rad))
    return list(found.values())


def _with_jumps(g: Ball, panels: Panels, jumps: list[tuple[Ball, Ball]]) -> Ball:
    """Add to g, which is 0 just left of z = 0, what f jumps by on the way."""
    for z, jump in jumps:
        side = (panels.z.mid > z.mid) * 1.0 if z.mid >= 0.0 else (panels.z.mid < z.mid) * -1.0
        g = Ball(
            g.mid + jump.mid * side, (g.rad + jump.rad * np.abs(side) + U * np.abs(g.mid) * (jump.mid != 0.0)) * GROW
        )
    return g


def _curvature(component: Component, law: Normal, nodes: _Nodes) -> Ball:
    r"""Return :math:`E f - f(\mu)` from f'', which keeps its digits where f is nearly linear.

    Taylor's formula with remainder gives, for a continuous f,
    :math:`E f = f(\mu) + \sigma^2\int f''(\mu + \sigma z) K(z)\,dz + \sigma\sum_k \Delta f'(k) K(z_k)`
    with :math:`K(z) = \varphi(z) - |z|\,\Phi(-|z|)`, and f' jumping at the kinks.
    """
    panels = nodes.panels
    x = Dual(Dual(panels.z * law.std + law.mean, Ball(1.0)), Dual(Ball(1.0), Ball(0.0)))
    second = lift(lift(component.f(x, Duals(Duals(BALLS)))).slope).slope
    flat = np.zeros(panels.z.mid.shape)
    second = Ball(ball(second).mid + flat, ball(second).rad + flat)
    total = panels.integral(second * _kernel(panels.z)) * law.std
    for z, jump in _jumps_at_kinks(component, law, panels, nodes.slope, second * law.std):
        total = total + jump * _kernel(z)
    return total * law.std


def _kernel(z: Ball) -> Ball:
    size = Ball(np.abs(z.mid), z.rad)
    return BALLS.phi(size) - size * BALLS.Phi(-size)


def backward_std(component: Component, law: Normal) -> Ball:
    """Return sqrt(E[w(z) f'(x)^2]), or of what the component puts in place of f'."""
    for nodes in _meshes(component, law):
        slope = nodes.slope
        if component.slope is not None:
            slope = ball(component.slope(nodes.panels.z * law.std + law.mean, BALLS)) + np.zeros(nodes.root.mid.shape)
        std, nodes.panels.coarse = _rms(nodes.panels, slope * nodes.root)
    if _blurred(component, law):
        return Ball(std.mid, math.inf)  # a spike of f' between two doubles may be all there is
    return Ball(std.mid, std.rad + _unseen(component, law))


def _meshes(component: Component, law: Normal):
    """Yield the component on finer and finer meshes, until no panel is marked coarse."""
    panels = _first_mesh(component, law)
    for _ in range(ROUNDS):
        yield _on_nodes(component, law, panels)
        if not panels.coarse.any() or len(panels.edges) > MOST_PANELS:
            return
        panels = panels.bisect(panels.coarse)


def _first_mesh(component: Component, law: Normal) -> Panels:
    """Cut the line of z at the kinks, and at the scales on which f changes."""
    if law.std == 0.0:
        return Panels(*edges_for([], []))
    features = [((x - law.mean) / law.std, scale / law.std) for x, scale in component.features]
    kinks = [(float(z.mid), float(z.rad)) for z in _kinks(component, law)]
    return Panels(*edges_for(kinks, features))


def _kinks(component: Component, law: Normal) -> list[Ball]:
    """Return where f may jump in z: at its kinks, and at features too narrow for doubles to resolve."""
    kinks = [(ball(kink) - law.mean) / law.std for kink in component.kinks]
    centres = [((Ball(x) - law.mean) / law.std, scale / law.std) for x, scale in component.features]
    return kinks + [z for z, scale in centres if scale < BLUR * abs(z.mid) < BLUR * REACH]


def _blurred(component: Component, law: Normal) -> bool:
    """Whether doubles cannot tell two kinks apart, or a feature from a jump, at this mean and std."""
    if law.std == 0.0:
        return False
    places = sorted(float(z.mid) for z in _kinks(component, law) if abs(z.mid) < REACH)
    merged = any(b - a <= BLUR * max(abs(a), abs(b)) for a, b in itertools.pairwise(places))
    return merged or len(_kinks(component, law)) > len(component.kinks)


def _hidden(component: Component, law: Normal) -> tuple[float, float]:
    """Bound the mass of what no panel resolves around features too narrow for doubles, and how far f strays there."""
    start = ball(component.f(Ball(law.mean), BALLS))
    mass, height = 0.0, 0.0
    for x, scale in component.features:
        z, width = (Ball(x) - law.mean) / law.std, 64.0 * scale / law.std
        if not scale / law.std < BLUR * abs(z.mid) < BLUR * REACH:
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


def _on_nodes(component: Component, law: Normal, panels: Panels) -> _Nodes:
    found = lift(component.f(Dual(panels.z * law.std + law.mean, Ball(1.0)), Duals(BALLS)))
    density = BALLS.phi(panels.z)
    if component.weight is not None:
        density = density * component.weight(panels.z, BALLS)
    flat = np.zeros(panels.z.mid.shape)
    f, slope = (Ball(b.mid + flat, b.rad + flat) for b in (ball(found.value), ball(found.slope)))
    return _Nodes(panels, f, slope, BALLS.sqrt(density))


def _rms(panels: Panels, f: Ball) -> tuple[Ball, np.ndarray]:
    """Return the root of the integral of f^2, and which panels are too coarse for it."""
    scale = power_of_two_near(float(np.max(np.abs(f.mid))))
    squares = f.scaled(scale).square()
    total = panels.integral(squares, floor=1e-290 * scale * scale)
    return BALLS.sqrt(total).scaled(1.0 / scale), _coarse(panels, squares, float(total.mid))


def _mean(panels: Panels, f: Ball, size: float) -> tuple[Ball, np.ndarray]:
    return panels.integral(f), _coarse(panels, f, size)


def _coarse(panels: Panels, f: Ball, whole: float) -> np.ndarray:
    """Mark the panels whose unresolved part matters to the whole and is more than rounding noise."""
    unresolved = panels.unresolved(f)
    return (unresolved > FINE_ENOUGH * whole) & (unresolved > _noise(panels, f))


def _noise(panels: Panels, f: Ball) -> np.ndarray:
    """Return what rounding alone makes each panel look unresolved by; halving cannot mend that."""
    return panels.half.mid[:, 0] * ((NOISE * np.abs(f.mid) + NOISE_OF_RADII * f.rad) @ rule().weights)


def _uneven(panels: Panels, steps: Ball, density: Ball, std: float) -> np.ndarray:
    """Mark the panels where g is too coarse: an error there moves g from there outwards."""
    mass = panels.half.mid[:, 0] * (density.mid @ rule().weights)
    right = panels.edges[:-1] >= 0.0
    beyond = np.where(right, np.cumsum(mass[::-1])[::-1], np.cumsum(mass))
    unresolved = panels.unresolved(steps)
    return (unresolved * np.sqrt(beyond) > FINE_ENOUGH * std) & (unresolved > _noise(panels, steps))


def _less_square(x: Ball, shift: float) -> Ball:
    """Return the ball of sqrt(x^2 - s^2) for some s in [0, shift]."""
    least = max(float(x.mid - x.rad), 0.0)
    low = np.sqrt(least - shift) * np.sqrt(least + shift) if least > shift else 0.0
    return Ball(x.mid, max(float(x.rad), float(x.mid) - float(low)) * GROW)


def _unseen(component: Component, law: Normal) -> float:
    """Bound what lies beyond the reach of z, per unit of std: from the slopes around kinks and features."""
    if law.std == 0.0:
        return 0.0
    kinks = [ball(kink).mid for kink in component.kinks]
    near = [np.nextafter(kink, side) for kink in kinks for side in (-math.inf, math.inf)]
    wide = [centre + scale * k for centre, scale in component.features for k in (-40.0, -2.0, 0.0, 2.0, 40.0)]
    x = np.array([*near, *wide, law.mean])
    if component.slope is not None:
        slope = component.slope(Ball(x), BALLS)
    else:
        slope = lift(component.f(Dual(Ball(x), Ball(np.ones(len(x)))), Duals(BALLS))).slope
    steepest = float(np.max(np.nan_to_num(ball(slope).upper, nan=math.inf)))
    return UNSEEN * steepest if math.isfinite(steepest) else 0.0
