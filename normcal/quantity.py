"""What can be asked of a layer's result: the paths of quantities, what each is, and its value.

A path is ``forward.std``, ``backward.gate.std``, ``jacobian_factor`` or ``scale.geometric``; a minus before
it changes the sign (an offset that is added), ``^2`` behind it squares (a variance from a std).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from normcal.errors import unknown
from normcal.layer import BACKWARD, DIRECTIONS, FORWARD
from normcal.value import Value

if TYPE_CHECKING:
    from normcal.result import LayerResult

QUANTITIES = ("mean", "std", "rms", "gain", "rms_gain")
JACOBIAN_FACTOR = "jacobian_factor"
_SCALE = "scale"
#: One factor for both directions, as a mean of the forward and the backward gain.
CONSTRAINTS = (FORWARD, BACKWARD, "geometric", "harmonic", "arithmetic")
SCALES = tuple(f"{_SCALE}.{constraint}" for constraint in CONSTRAINTS)
PATHS = (*(f"{direction}.{q}" for direction in DIRECTIONS for q in QUANTITIES), JACOBIAN_FACTOR, *SCALES)

_OF = {FORWARD: "the output", BACKWARD: "the input's gradient"}
_MEANINGS = {
    "mean": "mean of {}",
    "std": "standard deviation of {}",
    "rms": "root mean square of {}",
    "gain": "1/std of {}",
    "rms_gain": "1/rms of {}",
}
_POWER, _MINUS = "^2", "-"


@dataclass(frozen=True)
class Quantity:
    """One number of a layer: where it stands in the result, its sign and its power."""

    path: str
    negative: bool = False
    square: bool = False

    def __str__(self) -> str:
        return f"{_MINUS if self.negative else ''}{self.path}{_POWER if self.square else ''}"

    @property
    def name(self) -> str:
        """The quantity as an identifier.

        >>> parse("-forward.rms_gain^2").name
        'minus_forward_rms_gain_squared'
        """
        sign, power = "minus_" if self.negative else "", "_squared" if self.square else ""
        return f"{sign}{self.path.replace('.', '_')}{power}"

    @property
    def meaning(self) -> str:
        """What it is, in words.

        >>> parse("backward.gate.gain").meaning, parse("forward.std^2").meaning
        ('1/std of the gradient of gate', 'standard deviation of the output, squared')
        """
        sign, power = "minus the " if self.negative else "", ", squared" if self.square else ""
        return sign + _meaning(self.path) + power

    @property
    def directions(self) -> tuple[str, ...]:
        """The passes that it needs."""
        head, _, rest = self.path.partition(".")
        if head in DIRECTIONS:
            return (head,)
        return (rest,) if rest in DIRECTIONS else DIRECTIONS

    def of(self, row: LayerResult) -> Value:
        """Return the quantity of a result, with the error that follows."""
        value = _value(row, self.path)
        if self.square:
            value = value.times(value)
        return value.negated() if self.negative else value


def parse(text: str) -> Quantity:
    """Return the quantity that a path names; refuse what names none.

    >>> parse("forward.rms_gain^2")
    Quantity(path='forward.rms_gain', negative=False, square=True)
    """
    negative, square = text.startswith(_MINUS), text.endswith(_POWER)
    path = text.removeprefix(_MINUS).removesuffix(_POWER)
    steps = path.split(".")
    of_part = len(steps) == 3 and steps[0] == BACKWARD and steps[1].isidentifier() and steps[2] in QUANTITIES
    if path not in PATHS and not of_part:
        raise unknown("quantity", text, PATHS)
    return Quantity(path, negative, square)


def _meaning(path: str) -> str:
    if path == JACOBIAN_FACTOR:
        return "backward std over forward std"
    head, *part, last = path.split(".")
    if head == _SCALE:
        return f"the {last} gain, for both passes" if last in DIRECTIONS else f"{last} mean of both gains"
    return _MEANINGS[last].format(f"the gradient of {part[0]}" if part else _OF[head])


def _value(row: LayerResult, path: str) -> Value:
    if path == JACOBIAN_FACTOR:
        return row.jacobian_factor
    head, *part, last = path.split(".")
    if head == _SCALE:
        return _scale(row, last)
    found = getattr(row, head)
    for name in part:
        if found is not None and name not in found.parts:
            raise unknown(f"input or learned weight of {row.layer.spec}:", name, found.parts)
        found = found and found.parts[name]
    return Value() if found is None else getattr(found, last)


def _scale(row: LayerResult, constraint: str) -> Value:
    """Return a mean of the gains g = 1/s: geometric 1/sqrt(s s'), harmonic 2/(s + s'), arithmetic (g + g')/2."""
    if constraint in DIRECTIONS:
        found = getattr(row, constraint)
        return found.gain if found else Value()
    if row.forward is None or row.backward is None:
        return Value()
    stds, gains = (row.forward.std, row.backward.std), (row.forward.gain, row.backward.gain)
    if not (stds[0].value and stds[1].value):
        return Value()
    if constraint == "geometric":
        return stds[0].root().times(stds[1].root()).reciprocal()  # the product might not be a double
    if constraint == "harmonic":
        return stds[0].plus(stds[1]).half().reciprocal()
    return gains[0].plus(gains[1]).half()
