r"""Which moments exist under laws that are not normal: growth far out against the tails of the law.

Where the density falls like :math:`|x|^{-\alpha-1}`, :math:`E|y|^p` exists for :math:`|y| \sim |x|^k` if, and only
if, :math:`pk < \alpha`; where it falls like :math:`e^{-r|x|}`, for :math:`|y| \sim e^{c|x|}` if :math:`pc < r`. The
exponents k and c are measured on the function itself, or, of a layer of many entries, on what it makes of a draw
with one entry far out: of independent entries, one alone is what makes a sum, a maximum or a product large.
What the measurement leaves open is refused.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from normcal.errors import Unsupported
from normcal.law import Law, Normal
from normcal.layer import BACKWARD, FORWARD, Elementwise, Layer

if TYPE_CHECKING:
    import numpy as np

INFINITE, UNDEFINED = "infinite", "undefined"
#: Powers of ten, beyond every kink and feature, at which growth is measured.
_DECADES = (2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 18, 20)
#: Where, in units of 1/r, growth is measured against a tail like e^(-r|x|); and how often either is looked at.
_STEPS, _LOOKS = (150.0, 300.0, 600.0), 33
#: A measured exponent this near to a multiple of 1/4 is that multiple; another one is known to the second number.
_CLEAN, _DOUBTFUL = 1e-6, 0.04
#: Draws of a layer of many entries.
_ROWS = 256
#: Atoms that are tried.
_MOST_ATOMS = 1000


class Growth(NamedTuple):
    """An exponent, and what it may be off by."""

    exponent: float
    doubt: float


def missing(layer: Layer, direction: str, law: Law) -> tuple[str, str]:
    """Return (status, reason) of moments that do not exist under a law that is not normal; ("", "") where they do.

    Raises Unsupported where that cannot be decided.
    """
    for value in law.atoms[:_MOST_ATOMS]:
        reason = layer.undefined(direction, Normal(value, 0.0)) or (
            "" if direction == FORWARD else layer.undefined(FORWARD, Normal(value, 0.0))
        )
        if reason:
            return UNDEFINED, f"with positive probability all entries are {value:g}: {reason}"
    for normal in _likenesses(law):
        if normal.std > 0.0:
            reason = layer.infinite(direction, normal)
            if reason:
                return INFINITE, reason
    if law.tail.kind in ("bounded", "normal"):
        return "", ""
    decided = _beyond(layer, direction, law, 2.0)
    if decided is None:
        raise Unsupported(f"it cannot be decided whether its moments are finite under {law.written()}")
    return (INFINITE, _reason(law, direction)) if decided else ("", "")


def heavy(layer: Layer, direction: str, law: Law) -> str:
    """Return why the fourth moment is infinite, or may be, so that a sampled std has no error."""
    for normal in _likenesses(law):
        if normal.std > 0.0:
            reason = layer.heavy(direction, normal)
            if reason:
                return reason
    if law.tail.kind in ("bounded", "normal") or _beyond(layer, direction, law, 4.0) is False:
        return ""
    return f"the fourth moment is infinite, or may be, under {law.written()}"


def notes(layer: Layer, law: Law) -> list[str]:
    """Return the layer's remarks that hold whatever the law: what they say of one normal law they say of another."""
    mean, std = (x if math.isfinite(x) else other for x, other in ((law.mean, 0.0), (law.std, 1.0)))
    first, second = (layer.notes(Normal(factor * mean, factor * std)) for factor in (1.0, 2.0))
    return [note for note in first if note in second]


def _reason(law: Law, direction: str) -> str:
    what = "output" if direction == FORWARD else "gradient"
    return f"the {what} grows faster with x than the tails of {law.written()} fall off, so its variance is infinite"


def _likenesses(law: Law) -> list[Normal]:
    """Return normal laws that agree with the law where it matters: its parts, or one of its mean and std."""
    parts = getattr(law, "normals", None)
    if parts is not None:
        return parts
    if law.atoms:
        return []
    mean, std = (x if math.isfinite(x) else other for x, other in ((law.mean, 0.0), (law.std, 1.0)))
    return [Normal(mean, std)]


def _beyond(layer: Layer, direction: str, law: Law, power: float) -> bool | None:
    """Whether the moment of that order is infinite; None where the growth is too near to the limit to tell."""
    found = _growths(layer, direction, law)
    if not found:
        return False
    limit = law.tail.index
    answers = [
        None
        if abs(power * one.exponent - limit) <= power * one.doubt
        else power * one.exponent >= limit * (1.0 - 1e-12)
        for one in found
    ]
    return True if True in answers else (None if None in answers else False)


def _growths(layer: Layer, direction: str, law: Law) -> list[Growth]:
    import numpy as np

    with np.errstate(all="ignore"):
        if isinstance(layer, Elementwise) and _any_law(layer):
            return _of_functions(layer, direction, law)
        return _of_draws(layer, direction, law)


def _any_law(layer: Layer) -> bool:
    return getattr(layer, "any_law", False)


def _of_functions(layer: Elementwise, direction: str, law: Law) -> list[Growth]:
    """Measure the functions of an elementwise layer on both sides."""
    import numpy as np

    from normcal.numerics.arrays import ARRAYS
    from normcal.numerics.duals import Duals

    base = max([1.0, *(abs(float(getattr(k, "mid", k))) for k in layer.kinks)])
    base = max([base, *(abs(x) + 64.0 * scale for x, scale in layer.features)])
    base = (base + abs(layer.input_shift)) / abs(layer.input_scale)
    base = max(base, 10.0 * abs(law.mean) if math.isfinite(law.mean) else 0.0)
    plain = [layer.around(f) for f in layer.branches()]
    noise = [layer.around(layer.noise, constant=False)] if layer.noise else []
    if direction == FORWARD:
        functions = [lambda x, f=f: f(x, ARRAYS) for f in (*plain, *noise)]
    elif layer.slope:
        slope = layer.around(layer.slope, constant=False, factor=layer.input_scale)
        functions = [lambda x: slope(x, ARRAYS)]
    else:
        functions = [lambda x, f=f: Duals(ARRAYS).derivative(f, x) for f in (*plain, *noise)]
    if direction == BACKWARD and law.gradient.correlation:
        functions = [lambda x, f=f: f(x) * x for f in functions]
    where = _places(law, base)
    return [
        _measured(law, where, [float(np.max(np.abs(np.broadcast_to(f(side * x), x.shape)))) for x in _around(where)])
        for f in functions
        for side in (-1.0, 1.0)
    ]


def _around(where: np.ndarray) -> list[np.ndarray]:
    """Return a few places around each, so that an oscillation does not hide growth."""
    import numpy as np

    return [x * np.linspace(0.999, 1.001, _LOOKS) for x in where]


def _places(law: Law, base: float) -> np.ndarray:
    import numpy as np

    if law.tail.kind == "power":
        return base * 10.0 ** np.array(_DECADES)
    return base + np.array(_STEPS) / law.tail.index


def _of_draws(layer: Layer, direction: str, law: Law) -> list[Growth]:
    """Measure what a layer makes of draws with one entry far out, on either side."""
    import numpy as np

    scale = law.std if math.isfinite(law.std) and law.std else 1.0
    scale = max(scale, 10.0 * abs(law.mean) if math.isfinite(law.mean) else 0.0)
    where = _places(law, 100.0 * scale)
    rows = max(min(_ROWS, 4_000_000 // max(layer.draws(), 1)), 1)
    found = []
    for side in (-1.0, 1.0):
        sizes: dict[str, list[float]] = {}
        for x in where:
            values = layer.simulate(direction, np.random.default_rng(0), rows, _Spiked(law, side * float(x)))
            for name, each in (values if isinstance(values, dict) else {"": values}).items():
                sizes.setdefault(name, []).append(float(np.max(np.abs(each), initial=0.0)))
        found += [_measured(law, where, each) for each in sizes.values()]
    return found


def _measured(law: Law, where: np.ndarray, sizes: list[float]) -> Growth:
    """Return the exponent with which sizes grow at last."""
    import numpy as np

    sizes = np.array(sizes)
    known = np.isfinite(sizes)
    if law.tail.kind == "power":
        if np.count_nonzero(known) < 3:
            return Growth(math.inf, 0.0)
        where, steps = np.log(where[known]), np.log(np.maximum(sizes[known], 1e-300))
        tails, unit = np.diff(steps) / np.diff(where), 0.25
    else:
        if not known.all():
            return Growth(math.inf, 0.0)
        tails, unit = np.diff(np.log(np.maximum(sizes, 1e-300))) / np.diff(where), law.tail.index
    last, before = float(tails[-1]), float(tails[-2])
    if last <= 0.0 or sizes[known][-1] <= 1e-290:
        return Growth(0.0, 0.0)
    if law.tail.kind == "power":
        rounded = round(last / unit) * unit
        if max(abs(last - rounded), abs(before - rounded)) < _CLEAN:
            return Growth(rounded, 0.0)
        return Growth(last, max(_DOUBTFUL, 2.0 * abs(last - before)))
    if abs(last - before) < 1e-9 * unit:
        return Growth(last, 1e-9 * unit)
    return Growth(last, max(0.01 * unit, 2.0 * abs(last - before)))


class _Spiked(Law):
    """A law of which, in every array that is drawn, each row has one entry far out."""

    def __init__(self, law: Law, far: float) -> None:
        self.law, self.far = law, far
        self.mean, self.std, self.gradient = law.mean, law.std, law.gradient
        self.tail = law.tail

    def sample(self, rng, shape):
        import numpy as np

        x = np.array(self.law.sample(rng, shape))
        flat = x.reshape(len(x), -1) if x.ndim > 1 else x.reshape(1, -1)
        if flat.size:
            at = np.random.default_rng(flat.shape[1]).integers(flat.shape[1], size=len(flat))
            flat[np.arange(len(flat)), at] = self.far
        return flat.reshape(x.shape)

    def incoming(self, rng, shape, x=None):
        return self.law.incoming(rng, shape, x)

    @property
    def atoms(self):
        return self.law.atoms
