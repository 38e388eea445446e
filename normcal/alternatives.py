"""What a constant may be mistaken for: other quantities of its layer, and those of its sibling forms.

An alternative is as many steps away as it takes to get there: another moment, the reciprocal, the square,
the other pass, the sign, one input instead of all, a sibling.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace

from normcal import catalog
from normcal.errors import RequestError
from normcal.layer import BACKWARD, DIRECTIONS, FORWARD, Elementwise, Layer
from normcal.quantity import JACOBIAN_FACTOR, PATHS, SCALES, Quantity

#: Steps at most.
FARTHEST = 3
#: moment and whether it is the reciprocal, of each quantity of a direction
_KINDS = {"mean": ("mean", 1), "std": ("std", 1), "rms": ("rms", 1), "gain": ("std", -1), "rms_gain": ("rms", -1)}
#: Steps to the ratio of the two passes.
_TO_FACTOR = 2
_OF_GRADIENTS = ("std", "gain")


@dataclass(frozen=True)
class Alternative:
    """A quantity of a layer; ``of`` names the layer where it is a sibling."""

    layer: Layer
    quantity: Quantity
    of: str = ""

    def __str__(self) -> str:
        return f"{self.quantity} of {self.of}" if self.of else str(self.quantity)


def of(layer: Layer, claimed: Quantity) -> Iterator[Alternative]:
    """Yield the alternatives, the nearer mistakes first; siblings are built when it comes to them.

    >>> from normcal import quantity
    >>> [str(one) for one in of(catalog.layer("identity"), quantity.parse("forward.rms_gain"))][:4]
    ['forward.gain', 'forward.rms', 'forward.rms_gain^2', 'backward.gain']
    """
    ranked: dict[int, list[Quantity]] = {}
    for one in named(layer):
        ranked.setdefault(steps(claimed, one), []).append(one)
    for far in range(1, FARTHEST + 1):
        own = sorted(ranked.get(far, ()), key=lambda one: _order(claimed, one))
        if far == 1 and claimed.path.startswith(f"{BACKWARD}.") and slope(layer):
            of_slope = replace(claimed, path=claimed.path.replace(BACKWARD, FORWARD))
            yield Alternative(slope(layer), of_slope, slope(layer).spec)
        yield from (Alternative(layer, one) for one in own)
        near = [claimed] if far == 1 else ranked.get(far - 1, ())
        if far < FARTHEST:
            yield from (Alternative(other, one, other.spec) for other in siblings(layer) for one in near)


def _order(claimed: Quantity, one: Quantity) -> tuple[bool, ...]:
    """Put std and rms for each other before the reciprocal, that before the square, and the other pass last."""
    (whose, _, power), (its, moment, its_power) = _made_of(claimed), _made_of(one)
    return whose != its, claimed.square != one.square, moment == "mean", power != its_power


def named(layer: Layer) -> list[Quantity]:
    """Return the quantities that a layer's number may be: every path, its square, a mean with either sign.

    A gradient has mean 0, so that its rms is its std, and a scale of one pass is a gain: each stands once.
    """
    parts = layer.inputs if len(layer.inputs) > 1 else ()
    own = [path for path in PATHS if path.split(".")[0] == FORWARD or path == JACOBIAN_FACTOR]
    own += [f"{BACKWARD}.{name}" for name in _OF_GRADIENTS]
    own += [f"{BACKWARD}.{part}.{name}" for part in parts for name in _OF_GRADIENTS]
    own += [path for path in SCALES if path.split(".")[1] not in DIRECTIONS]
    found = [Quantity(path) for path in own] + [Quantity(path, square=True) for path in own]
    return found + [Quantity(path, negative=True) for path in own if path.endswith(".mean")]


def steps(one: Quantity, other: Quantity) -> int:
    """Return how many steps lie between two quantities.

    >>> from normcal import quantity
    >>> steps(quantity.parse("forward.gain"), quantity.parse("backward.std^2"))
    3
    """
    (a, moment, power), (b, its, its_power) = _made_of(one), _made_of(other)
    way = (one.square != other.square) + (one.negative != other.negative) + (power != its_power)
    alike = moment == its or (BACKWARD in (a[0], b[0]) and {moment, its} == {"std", "rms"})
    if a == b:
        return way + (not alike)
    apart = _TO_FACTOR if JACOBIAN_FACTOR in (a[0], b[0]) else 1
    return way + apart + (not alike)


def _made_of(one: Quantity) -> tuple[tuple[str, ...], str, int]:
    """Return whose number a quantity is, the moment in it, and whether it is the reciprocal."""
    *whose, last = one.path.split(".")
    if not whose:
        return (last,), "std", 1
    if whose == ["scale"]:
        return ("scale", last), "std", -1
    return tuple(whose), *_KINDS[last]


@functools.cache
def siblings(layer: Layer) -> tuple[Layer, ...]:
    """Return the other forms of a layer: itself at typical parameters, and relatives of its family by name.

    Relatives share a stem: one's name stands in a name of the other, or it stands in for the other.

    >>> [one.spec for one in siblings(catalog.layer("gelu"))]
    ['gelu_tanh', 'quick_gelu']
    """
    cls = type(layer)
    family = [other for other in catalog.classes().values() if catalog.family(other) == catalog.family(cls)]
    forms = [cls, *(other for other in family if other is not cls and _related(cls, other))]
    found: list[Layer] = [form for each in forms for form in _forms(each, each is cls or _stands_for(cls, each))]
    return tuple(dict.fromkeys(one for one in found if one != layer))


def _forms(cls: type[Layer], varied: bool) -> Iterator[Layer]:
    """Yield a layer at its defaults; ``varied``, also at each typical value of each parameter."""
    if cls.composed:
        return
    yield cls()
    for param in cls.params if varied else ():
        for value in () if param.quiet else param.typical:
            try:
                yield cls(**{param.name: value})
            except RequestError:  # a value that goes only with others
                continue


def _related(one: type[Layer], other: type[Layer]) -> bool:
    return _stands_for(one, other) or _stands_in(one, other) or _stands_in(other, one)


def _stands_for(one: type[Layer], other: type[Layer]) -> bool:
    return one.bare == other.name or other.bare == one.name


def _stands_in(one: type[Layer], other: type[Layer]) -> bool:
    """Whether a name begins or ends the other, or is a word of one of its names."""
    words = {word for name in (other.name, *other.aliases) for word in name.split("_")}
    return other.name.startswith(one.name) or other.name.endswith(one.name) or one.name in words


class _Slope(Elementwise):
    """The derivative of an elementwise layer as a layer: its std is often taken for the backward std."""

    name = "slope"

    def __init__(self, layer: Elementwise) -> None:
        super().__init__()
        self.of = layer
        self.kinks, self.features = layer.kinks, layer.features

    @property
    def spec(self) -> str:
        return f"the slope of {self.of.spec}"

    def f(self, x, m):
        from normcal.numerics.duals import Duals

        return Duals(m).derivative(self.of.f, x)


@functools.cache
def slope(layer: Layer) -> Layer | None:
    """Return the derivative of a layer that is one plain function of one entry; of others None.

    >>> slope(catalog.layer("softplus")).spec
    'the slope of softplus(beta=1.0)'
    """
    return _Slope(layer) if isinstance(layer, Elementwise) and layer.single and layer.plain else None
