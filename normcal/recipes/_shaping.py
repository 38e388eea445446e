"""What DKS and TAT share: the maximal functions of a network, and the map properties of a function of scaled input.

With :math:`g(x) = f(\\alpha x + \\beta)` and the transformed activation :math:`\\hat f = \\gamma (g + \\delta)` the
local maps are :math:`Q(q) = E \\hat f(\\sqrt q\\,x)^2` and, where Q(1) = 1, :math:`C(c) = E \\hat f(u) \\hat f(v)`. So
:math:`Q'(1) = E[x \\hat f \\hat f']`, :math:`C(0) = (E \\hat f)^2`, :math:`C'(1) = E \\hat f'^2` and
:math:`C''(1) = E \\hat f''^2`.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from functools import partial

from normcal import descent, solve
from normcal.answer import ESTIMATED, NO_SOLUTION, PROVED, SOLVED, Answer, Solution
from normcal.errors import RequestError, counted
from normcal.layer import AFFINE, BACKWARD, FORWARD, Elementwise, Layer, Reference
from normcal.param import Param
from normcal.recipe import Recipe, checks
from normcal.solve import Axis, Root
from normcal.value import Value

#: Where the input's scale and shift are searched.
SCALES, SHIFTS = (1e-3, 10.0), (-10.0, 10.0)
#: The maps are those of inputs of length 1.
LAW = {"mean": 0.0, "std": 1.0}
_EPS = 2.0**-52
#: The rough rule tells conditions apart down to this size.
LEAST = 1e-4
#: As far as the rough rule goes.
_REACH = 12.0
DEPTH = Param("depth", 100, "1..100000", "nonlinear layers along the network, those of residual branches included")
BRANCH = Param("branch", 1, "1..1000", "nonlinear layers of a residual branch")
SHORTCUT = Param(
    "shortcut", 0.0, "[0, 1)", "weight w of shortcuts that keep the second moment, x → w x + √(1 − w²) branch(x)"
)
MARTENS = Reference(
    "Martens et al. 2021, Rapid training of deep neural networks without skip connections", "arXiv:2110.01765"
)
ZHANG = Reference("Zhang et al. 2022, Deep Learning without Shortcuts: Shaping the Kernel with TAT", "arXiv:2203.08120")


class Network:
    """A network whose nonlinear layers are all alike: in a row, or in residual blocks of weighted shortcuts."""

    def __init__(self, depth: int, branch: int, shortcut: float) -> None:
        if depth % branch:
            raise RequestError(f"depth {depth} is no multiple of branch {branch}.", "Accepted: whole blocks.")
        self.blocks, self.branch, self.weight = depth // branch, branch, shortcut * shortcut
        self.depth = depth

    def maximum(self, x: float, r: Callable[[float], float]) -> float:
        """Return the largest value that x has after any subnetwork whose layers apply r, for r that raises x.

        A block makes of x the mean w² x + (1 − w²) r(...r(x)), its branch alone r(...r(x)).
        """
        first = value = x
        for block in range(self.blocks):
            inner = value
            for _ in range(self.branch):
                inner = r(inner)
            if not block:
                first = inner
            value = self.weight * value + (1.0 - self.weight) * inner
        return max(value, first)

    def __str__(self) -> str:
        if not self.weight:
            return f"{self.depth} layers in a row"
        return f"{self.blocks} residual blocks of {self.branch}, shortcut weight {self.weight**0.5:g}"

    def local(self, target: float, low: float, of: Callable[[float], float]) -> Value:
        """Return the local value, above ``low``, at which a maximal function reaches its target."""
        slack = 8.0 * _EPS * (self.depth + self.blocks + 4.0)
        width = 2.0**-50
        while of(low + width) < target:
            width *= 2.0

        def left(points):
            values = [of(x) for (x,) in points]
            return [(Value(value - target, slack * max(abs(value), abs(target))),) for value in values]

        found = solve.one(left, Axis("local value", low, low + width))
        if len(found.roots) != 1:
            raise RequestError(f"{self} cannot have {target:g} as its largest value.", "Name another depth or target.")
        return found.roots[0].point[0]


@dataclasses.dataclass(frozen=True)
class Shape:
    """Expectations of g at a standard normal x, as balls."""

    mean: object
    variance: object
    #: E g'^2, E g''^2, E[x (g - E g) g'] and E[x g']
    slope: object
    curvature: object
    cross: object
    tilt: object


def scaled(layer: Layer, **around: float) -> Layer:
    """Return the layer with scales and shifts around it."""
    from normcal import catalog

    spec = catalog.parse(layer.spec, code=True)
    return catalog.build(dataclasses.replace(spec, params=spec.params | around))


def shapes(layers: Sequence[Layer], curvature: bool) -> list[Shape]:
    """Return the expectations that decide the maps of each layer, integrated together; E g''^2 only where asked for."""
    import numpy as np

    from normcal.engines._integrate import integrated
    from normcal.law import STANDARD
    from normcal.numerics.balls import Ball

    own = [layer.components(FORWARD, STANDARD)[0] for layer in layers]
    slopes = [dataclasses.replace(one, f=_derivative(one.f)) for one in own]
    with np.errstate(all="ignore"):
        moments = integrated([(FORWARD, one) for one in own], STANDARD)
        slope = integrated([(BACKWARD, one) for one in own], STANDARD)
        bend = integrated([(BACKWARD, one) for one in slopes], STANDARD) if curvature else [Ball(0.0)] * len(own)
        products = [_times(one, slope, float(x[0].mid)) for one, slope, x in zip(own, slopes, moments, strict=True)]
        tilted = [dataclasses.replace(one, f=_tilted(one.f)) for one in slopes]
        cross = integrated([(FORWARD, one) for one in products], STANDARD)
        tilt = integrated([(FORWARD, one) for one in tilted], STANDARD)
    return [
        Shape(m[0], m[1] * m[1], s * s, b * b, c[0] - (m[0] - float(m[0].mid)) * t[0], t[0])
        for m, s, b, c, t in zip(moments, slope, bend, cross, tilt, strict=True)
    ]


def rough_shapes(layers: Sequence[Layer], curvature: bool) -> list[Shape]:
    """Return the same to some twelve digits, by a fixed rule on plain doubles."""
    return [_rough(layer, curvature) for layer in layers]


def _rough(layer: Layer, curvature: bool) -> Shape:
    import numpy as np

    from normcal.law import STANDARD
    from normcal.numerics.arrays import ARRAYS
    from normcal.numerics.balls import Ball

    (own,) = layer.components(FORWARD, STANDARD)
    kinks = [float(getattr(kink, "mid", kink)) for kink in own.kinks]
    x, weights = _rule(tuple(kink for kink in kinks if abs(kink) < _REACH))
    first = _derivative(own.f)
    with np.errstate(all="ignore"):
        g, slope = (f(x, ARRAYS) + 0.0 * x for f in (own.f, first))
        bend = _derivative(first)(x, ARRAYS) if curvature else 0.0 * x
        mean = float(weights @ g)
        every = ((g - mean) ** 2, slope**2, bend**2, x * (g - mean) * slope, x * slope)
        return Shape(
            Ball(mean), *(Ball(float(weights @ values), 1e-12 * float(weights @ abs(values))) for values in every)
        )


def _rule(kinks: tuple[float, ...]):
    """Return nodes and weights of the standard normal law, panels cut at the kinks."""
    import numpy as np

    edges = np.unique(np.concatenate([np.linspace(-_REACH, _REACH, 65), kinks]))
    nodes, weights = np.polynomial.legendre.leggauss(12)
    middle, half = 0.5 * (edges[1:] + edges[:-1]), 0.5 * np.diff(edges)
    x = np.ravel(middle[:, None] + half[:, None] * nodes)
    density = np.exp(-0.5 * x * x) / np.sqrt(2.0 * np.pi)
    return x, np.ravel(half[:, None] * weights) * density


def _derivative(g: Callable) -> Callable:
    from normcal.numerics.duals import Duals

    return lambda x, m: Duals(m).derivative(g, x)


def _tilted(g: Callable) -> Callable:
    return lambda x, m: x * g(x, m)


def _times(own, slope, centre: float):
    """Return x (g - centre) g'."""
    return dataclasses.replace(own, f=lambda x, m: x * (own.f(x, m) - centre) * slope.f(x, m))


def check(layer: Layer, name: str) -> None:
    """Refuse a layer that the method cannot transform."""
    accepted = "Accepted: an elementwise layer of one function, such as tanh or leaky_relu."
    if not isinstance(layer, Elementwise) or not layer.single:
        raise RequestError(f"{name} transforms a function of single entries; {layer.spec} is none.", accepted)
    if not layer.plain:
        chosen = ", ".join(param.name for param in AFFINE)
        raise RequestError(f"{layer.spec}: {name} chooses {chosen} itself.", "Leave them out.")


def _left(layer: Layer, conditions: Callable, by: Callable, points) -> list[tuple[Value, ...]]:
    """Return what the conditions leave at each scale and shift; absent where the arithmetic gives out."""
    layers = [scaled(layer, input_scale=float(scale), input_shift=float(shift)) for scale, shift in points]
    found = [conditions(shaped) for shaped in by(layers)]
    return [(Value(), Value()) if one is None else tuple(Value.of(b.mid, b.rad) for b in one) for one in found]


class Shaping(Recipe):
    """What both methods share: two conditions on the input's scale and shift, the output's by formula."""

    about = ""
    #: Whether C''(1) is asked for, which takes an integral more.
    curvature = False

    def search(self, layer: Layer, conditions: Callable[[Shape], tuple | None], size: float):
        """Return the search for the scale and shift at which both conditions on the shape hold.

        ``size`` is what either leaves of a function that is a straight line.
        """

        axes = [Axis("input_scale", *SCALES, 0.2), Axis("input_shift", *SHIFTS, 0.0)]
        ways = [partial(one, curvature=self.curvature) for one in (shapes, rough_shapes)]
        found = [partial(_left, layer, conditions, way) for way in ways]
        return descent.several(found[0], axes, (size, size), found[1])

    def answer(self, layer: Layer, request, asked: str, solutions, said, options) -> Answer:
        """Return the answer: solutions in the order of how far they shift the input."""
        order = sorted(solutions, key=_off_centre)
        if len(order) > 1:
            said = [*said, "solutions are in the order of how far they shift the input"]
        return Answer(
            asked, SOLVED if order else NO_SOLUTION, tuple(order), tuple(said),
            data={"recipe": {"name": self.name, "spec": layer.spec} | options},
            references=tuple(map(str, self.references)),
            assumptions={"input": dataclasses.replace(request, **LAW).law.data()},
        )  # fmt: skip

    def values(self, layer: Layer, root: Root, output: Callable) -> dict[str, Value]:
        """Return the four parameters: those searched, and those that ``output`` makes of the shape.

        What the searched ones leave open goes into the errors of the others: they are computed at the corners as well.
        """
        scale, shift = root.point
        radii = [0.0 if one.error is None else one.error for one in (scale, shift)]
        signs = [(0.0, 0.0), *itertools.product((-1.0, 1.0), repeat=2)]
        points = [(scale.value + a * radii[0], shift.value + b * radii[1]) for a, b in signs]
        layers = [scaled(layer, input_scale=a, input_shift=b) for a, b in points]
        found = []
        for shaped in shapes(layers, self.curvature):
            gain, centred = output(shaped)
            found.append((gain, gain * (centred - shaped.mean)))
        values = {"input_scale": scale, "input_shift": shift}
        for name, balls in zip(("output_scale", "output_shift"), zip(*found, strict=True), strict=True):
            middle = balls[0].mid
            spread = max(abs(one.mid - middle) + one.rad for one in balls)
            open_ended = None in (scale.error, shift.error)
            values[name] = Value(float(middle), None) if open_ended else Value.of(middle, 2.0 * spread)
        return values

    def solution(self, layer: Layer, request, values: dict[str, Value], wanted: dict, *, proved=False) -> Solution:
        """Return the transformed layer, and what it leaves of what is asked, by the engines and the kernel."""
        transformed = scaled(layer, **{name: value.value for name, value in values.items() if value.value is not None})
        request = dataclasses.replace(request, **LAW)
        return Solution(values, checks(transformed, request, wanted), PROVED if proved else ESTIMATED, transformed.spec)


def _off_centre(solution: Solution) -> tuple:
    shift = solution.values.get("input_shift", Value(0.0)).value
    return round(abs(shift), 9), -shift


def descended(found) -> str:
    """Say what a search established."""
    scale, shift = (f"[{low:g}, {high:g}]" for low, high in (SCALES, SHIFTS))
    where = f"within input_scale in {scale}, input_shift in {shift}"
    if not found.roots:
        return f"no solution: none of {found.starts} descents {where} met the conditions"
    count = counted(len(found.roots), "solution")
    return f"{count}: {found.arrived} of {found.starts} descents {where} arrived; further ones are not ruled out"
