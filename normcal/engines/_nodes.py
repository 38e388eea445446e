r"""Components on their first meshes: where z is cut, and f and f' at the nodes of many components at once.

Components whose meshes have the same shape make one batch, with a leading axis; those among them that are
one function at different parameters are evaluated by one run of their common tape.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from normcal.law import Normal
from normcal.layer import Component
from normcal.numerics.balls import BALLS, GROW, TINY, Ball, U, ball
from normcal.numerics.duals import Dual, Duals, lift
from normcal.numerics.panels import NODES, REACH, Panels, edges_for
from normcal.numerics.tape import Program, Tape, run

#: Places in z closer than this, relatively, are one.
BLUR = 2.0**-46
#: Batches are cut to about this many nodes: a few arrays of them fill a cache.
MOST_NODES = 10_000


class Weight:
    """A ball of positive entries that many balls are multiplied by, with what that takes prepared."""

    def __init__(self, ball: Ball) -> None:
        self.mid, self.rad = ball.mid, ball.rad
        self._own = (ball.rad + U * ball.mid) * GROW
        self._most = (ball.mid + ball.rad) * GROW

    def times(self, x: Ball) -> Ball:
        """Return x times the weight, as balls are multiplied."""
        rad = np.abs(x.mid) * self._own
        rad += x.rad * self._most
        rad *= GROW
        rad += 2.0 * TINY
        return Ball(x.mid * self.mid, rad)


class Measure:
    """A mesh, or a stack of meshes, with the mass that each node has under a density relative to the normal one."""

    def __init__(self, panels: Panels, weight=None) -> None:
        density = BALLS.phi(panels.z)
        if weight is not None:
            density = density * weight(panels.z, BALLS)
        self.panels = panels
        mass = density * panels.share
        self.mass, self.root = Weight(mass), Weight(BALLS.sqrt(mass))

    @functools.cached_property
    def kernel(self) -> Ball:
        r""":math:`K(z) = \varphi(z) - |z|\,\Phi(-|z|)` at the nodes."""
        return kernel(self.panels.z)

    @functools.cached_property
    def beyond(self) -> np.ndarray:
        """The root of the mass from each panel outwards: what an error of an antiderivative there is spread over."""
        mass = self.mass.mid.sum(axis=-1)
        outwards = np.cumsum(mass[..., ::-1], axis=-1)[..., ::-1]
        return np.sqrt(np.where(self.panels.edges[..., :-1] >= 0.0, outwards, np.cumsum(mass, axis=-1)))


def kernel(z: Ball) -> Ball:
    r"""Return :math:`K(z) = \varphi(z) - |z|\,\Phi(-|z|)`."""
    size = Ball(np.abs(z.mid), z.rad)
    return BALLS.phi(size) - size * BALLS.Phi(-size)


@dataclass(frozen=True)
class Ground:
    """Where a component is looked at under a law; the same for all with the same kinks and features."""

    edges: np.ndarray
    radii: np.ndarray
    #: z of the edges that are kinks, or features too narrow for doubles to resolve
    kinks: np.ndarray
    #: x: first the mean, then around kinks and features, which may lie beyond the reach of z
    probes: np.ndarray
    #: whether doubles cannot tell two kinks apart, or a feature from a jump
    blurred: bool

    @property
    def shape(self) -> tuple[int, int, int]:
        """What grounds have in common that are looked at together."""
        return len(self.edges), int(np.searchsorted(self.edges, 0.0)), len(self.probes)


def ground(component: Component, law: Normal) -> Ground:
    """Cut the line of z at the kinks, and at the scales on which f changes.

    Scales are rounded down to a power of two stds, so that many functions share their mesh.
    """
    kinks = tuple((float(b.mid), float(b.rad)) for b in map(ball, component.kinks))
    features = tuple((float(x), law.std and law.std * _rounded(scale / law.std)) for x, scale in component.features)
    return _ground(kinks, features, law)


def _rounded(width: float) -> float:
    """Return the largest power of two that is no larger; a width that is none stays."""
    return math.ldexp(0.5, math.frexp(width)[1]) if 0.0 < width < math.inf else width


@functools.lru_cache(maxsize=256)
def _ground(kinks: tuple, features: tuple, law: Normal) -> Ground:
    if law.std == 0.0:
        return Ground(*edges_for([], []), np.zeros(0), np.full((1, NODES), law.mean), False)
    jumps = [(Ball(mid, rad) - law.mean) / law.std for mid, rad in kinks]
    jumps += [z for z, width in ((standardised(x, law), scale / law.std) for x, scale in features) if narrow(z, width)]
    cuts = [(float(z.mid), float(z.rad)) for z in jumps]
    edges, radii = edges_for(cuts, [((x - law.mean) / law.std, scale / law.std) for x, scale in features])
    within = sorted(z for z, _ in cuts if abs(z) < REACH)
    merged = any(b - a <= BLUR * max(abs(a), abs(b)) for a, b in itertools.pairwise(within))
    blurred = merged or len(jumps) > len(kinks)
    return Ground(edges, radii, np.array(within), _probes(kinks, features, law), blurred)


def standardised(x: float, law: Normal) -> Ball:
    """Return where x lies in z."""
    return (Ball(x) - law.mean) / law.std


def narrow(z: Ball, width: float) -> bool:
    """Whether doubles cannot resolve a feature of that width at z."""
    return width < BLUR * abs(z.mid) < BLUR * REACH


def _probes(kinks: tuple, features: tuple, law: Normal) -> np.ndarray:
    far = [kink for kink, _ in kinks if abs(kink - law.mean) > 0.5 * REACH * law.std]
    near = [math.nextafter(kink, side) for kink in far for side in (-math.inf, math.inf)]
    wide = [x + scale * k for x, scale in features if scale < math.inf for k in (-40.0, -2.0, 0.0, 2.0, 40.0)]
    x = [law.mean, *near, *wide]
    return np.array(x + [law.mean] * (-len(x) % NODES)).reshape(-1, NODES)


#: What of a component is evaluated: f, f', what the backward pass uses for f', and f''.
VALUE, SLOPE, BACK, BEND = range(4)


class Integrand:
    """A component to be integrated under a law: its ground, and how it is evaluated."""

    def __init__(self, component: Component, law: Normal, program: Program | None) -> None:
        self.component, self.law, self.program = component, law, program
        self.ground = ground(component, law)

    @property
    def key(self) -> tuple:
        """Two integrands of one key are the same."""
        function = self.program or (self.component.f, self.component.slope)
        return function, id(self.ground), self.component.weight

    def recorded(self, results: Sequence[int]) -> Program | None:
        """Return the program of these results."""
        if results == (BEND,):
            return recorded(self.component, bend=True)
        return self.program and replace(self.program, results=tuple(self.program.results[k] for k in results))

    def at(self, x: Ball, results: Sequence[int]) -> list[Ball]:
        """Return these results at ``x`` by calling the component."""
        c = self.component
        if results == (BEND,):
            return [ball(second_derivative(c.f, x, Ball, BALLS))]
        found = lift(c.f(Dual(x, Ball(1.0)), Duals(BALLS)))
        parts = (found.value, found.slope, found.slope if c.slope is None else c.slope(x, BALLS))
        return [ball(parts[k]) for k in results]


def recorded(component: Component, *, bend: bool = False) -> Program | None:
    """Return the program of (f, f', what the backward pass uses), or of f''; None where f cannot be recorded."""
    tape = Tape()
    x = tape.variable
    try:
        if bend:
            return tape.program(second_derivative(component.f, x, tape.lift, tape))
        found = lift(component.f(Dual(x, tape.lift(1.0)), Duals(tape)))
        back = found.slope if component.slope is None else component.slope(x, tape)
        return tape.program(found.value, found.slope, back)
    except (TypeError, AttributeError, ValueError):  # it looks into its variable, and is called on balls instead
        return None


def second_derivative(f, x, number, base):
    """Return f''(x) in the namespace ``base``, whose numbers are made by ``number``."""
    twice = Dual(Dual(x, number(1.0)), Dual(number(1.0), number(0.0)))
    return lift(lift(f(twice, Duals(Duals(base)))).slope).slope


@dataclass
class Batch:
    """Integrands of one law on meshes of one shape, and what is known of them at the nodes.

    Values have the shape (integrands, panels, nodes). ``probed`` is the same at the probes of their grounds.
    """

    integrands: list[Integrand]
    measure: Measure
    values: dict[int, Ball]
    probed: dict[int, Ball]

    @property
    def law(self) -> Normal:
        """The law of x."""
        return self.integrands[0].law

    @property
    def kinked(self) -> np.ndarray:
        """Which inner edges are kinks."""
        edges = np.atleast_2d(self.measure.panels.edges)
        marked = np.zeros((len(self.integrands), len(self.measure.panels) - 1), bool)
        for k, integrand in enumerate(self.integrands):
            marked[k, np.searchsorted(edges[k % len(edges)], integrand.ground.kinks) - 1] = True
        return marked

    def of(self, members: np.ndarray) -> Batch:
        """Return the batch of some of the integrands."""
        if len(members) == len(self.integrands):
            return self
        values, probed = ({k: entries(x, members) for k, x in those.items()} for those in (self.values, self.probed))
        return Batch([self.integrands[k] for k in members], self._measure(members), values, probed)

    def halved(self, members: np.ndarray, coarse: np.ndarray) -> Iterator[tuple[np.ndarray, Batch]]:
        """Yield (members, their batch) with their coarse panels cut in half, those that mark the same ones together.

        So what becomes of one does not depend on what else is in the batch.
        """
        alike: dict[bytes, list[int]] = {}
        for k in members:
            alike.setdefault(coarse[k].tobytes(), []).append(k)
        for those in map(np.array, alike.values()):
            nodes = 2 * len(self.measure.panels) * NODES * len(those)
            for part in np.array_split(those, min(nodes // (4 * MOST_NODES) + 1, len(those))):
                yield part, self._on(part, self._panels(part).bisect(coarse[part[0]]))

    def _on(self, members: np.ndarray, panels: Panels) -> Batch:
        integrands = [self.integrands[k] for k in members]
        values = evaluated(integrands, _inputs(panels.z, self.law), tuple(self.values))
        probed = {k: entries(x, members) for k, x in self.probed.items()}
        measure = Measure(panels, integrands[0].component.weight)
        return Batch(integrands, measure, dict(zip(self.values, values, strict=True)), probed)

    def bend(self) -> Ball:
        """Return f'' at the nodes."""
        return evaluated(self.integrands, _inputs(self.measure.panels.z, self.law), (BEND,))[0]

    def _panels(self, members: np.ndarray) -> Panels:
        panels = self.measure.panels
        return panels if panels.edges.ndim == 1 else Panels(panels.edges[members], panels.radii[members])

    def _measure(self, members: np.ndarray) -> Measure:
        return self.measure if self.measure.panels.edges.ndim == 1 else Measure(self._panels(members))


def batches(integrands: Iterable[Integrand], results: tuple[int, ...]) -> Iterator[Batch]:
    """Evaluate integrands of one law on their first meshes, those whose meshes have one shape together."""
    groups: dict[object, list[Integrand]] = {}
    for integrand in integrands:
        alone = integrand.component.weight is not None
        groups.setdefault(id(integrand) if alone else integrand.ground.shape, []).append(integrand)
    for group in groups.values():
        order = {id(one.ground): place for place, one in reversed(list(enumerate(group)))}
        group.sort(key=lambda one: order[id(one.ground)])
        together = max(MOST_NODES // (NODES * len(group[0].ground.edges)), 1)
        for start in range(0, len(group), together):
            yield _on_first_mesh(group[start : start + together], results)


def _on_first_mesh(group: list[Integrand], results: tuple[int, ...]) -> Batch:
    measure = _first_measure(group)
    inputs, probes = _inputs(measure.panels.z, group[0].law), group[0].ground.probes
    if measure.panels.edges.ndim > 1:
        probes = np.stack([one.ground.probes for one in group])
    rad = np.concatenate([inputs.rad, np.zeros(probes.shape)], axis=-2)
    found = evaluated(group, Ball(np.concatenate([inputs.mid, probes], axis=-2), rad), results)
    count = len(measure.panels)
    values, probed = ({k: entries(x, (slice(None), part)) for k, x in zip(results, found, strict=True)}
                      for part in (slice(count), slice(count, None)))  # fmt: skip
    return Batch(group, measure, values, probed)


def _first_measure(group: list[Integrand]) -> Measure:
    first, weight = group[0].ground, group[0].component.weight
    if weight is not None:
        return Measure(Panels(first.edges, first.radii), weight)
    if all(one.ground is first for one in group):
        return _standing(first.edges.tobytes(), first.radii.tobytes())
    return Measure(Panels(*(np.stack([getattr(one.ground, name) for one in group]) for name in ("edges", "radii"))))


@functools.lru_cache(maxsize=32)
def _standing(edges: bytes, radii: bytes) -> Measure:
    """Return the normal measure on a mesh that many components share."""
    return Measure(Panels(np.frombuffer(edges), np.frombuffer(radii)))


def _inputs(z: Ball, law: Normal) -> Ball:
    return z * law.std + law.mean


def entries(x: Ball, which) -> Ball:
    """Return some entries of a ball of many, as NumPy indexes them."""
    return Ball(x.mid[which], x.rad[which])


def evaluated(group: list[Integrand], x: Ball, results: tuple[int, ...]) -> list[Ball]:
    """Return results of integrands at ``x``, which all share or which has a leading axis over them."""
    shape = (len(group), *x.mid.shape[-2:])
    found = [Ball(np.empty(shape), np.empty(shape)) for _ in results]
    programs = [one.recorded(results) for one in group]
    families: dict[object, list[int]] = {}
    for k, program in enumerate(programs):
        families.setdefault(program.family if program else k, []).append(k)
    for family in families.values():
        here = x if x.mid.ndim == 2 else entries(x, family)
        if programs[family[0]]:
            values = run([programs[k] for k in family], here)
        else:
            values = group[family[0]].at(here if x.mid.ndim == 2 else entries(here, 0), results)
        for whole, value in zip(found, values, strict=True):
            whole.mid[family], whole.rad[family] = value.mid, value.rad
    return found
