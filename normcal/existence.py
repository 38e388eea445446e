r"""Which moments exist under laws that are not normal: growth far out against the tails of the law.

Where the density falls like :math:`|x|^{-\alpha-1}`, :math:`E|y|^p` exists for :math:`|y| \sim |x|^k` if, and only
if, :math:`pk < \alpha`; where it falls like :math:`e^{-r|x|}`, for :math:`|y| \sim e^{c|x|}` if :math:`pc < r`. The
exponents k and c are measured on the function itself, or, of a layer of many entries, on what it makes of a draw
with one entry far out: of independent entries, one alone is what makes a sum, a maximum or a product large.
What the measurement leaves open gets no error stated.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, NamedTuple

from normcal.law import Law, Normal
from normcal.layer import BACKWARD, FORWARD, Elementwise, Layer

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

INFINITE, UNDEFINED = "infinite", "undefined"
#: Powers of ten, beyond every kink and feature, at which growth is measured.
_DECADES = (2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 18, 20)
#: Where, in units of 1/r, growth is measured against a tail like e^(-r|x|); and how often either is looked at.
_STEPS, _LOOKS = (100.0, 150.0, 200.0, 300.0, 400.0), 33
#: Against such a tail nothing may happen to the function farther out than this, in the same units.
_FARTHEST = 300.0
#: A measured exponent this near to a multiple of 1/4 is that multiple; another one is known to the second number.
_CLEAN, _DOUBTFUL = 1e-6, 0.04
#: Draws of a layer of many entries, at most and at least, and the random numbers that they should take.
_ROWS, _FEWEST, _DRAWS = 64, 4, 200_000
#: Atoms that are tried.
_MOST_ATOMS = 1000
#: Entries at which a function is tried, and beyond what size it may overflow on the way.
_LOOKED_AT, _MODERATE = 4096, 1e4
#: The share of recorded values that may lie on kinks; the derivative there is what automatic differentiation says.
_MOST_ON_KINKS = 1e-3


class Growth(NamedTuple):
    """An exponent, and what it may be off by."""

    exponent: float
    doubt: float


@functools.lru_cache(maxsize=512)
def missing(layer: Layer, direction: str, law: Law) -> tuple[str, str]:
    """Return (status, reason) of moments that do not exist under a law that is not normal; ("", "") where they do.

    What cannot be decided passes: quadrature states no bound where an integrand goes on, sampling no error.
    """
    for value in law.atoms[:_MOST_ATOMS]:
        reason = layer.undefined(direction, Normal(value, 0.0)) or (
            "" if direction == FORWARD else layer.undefined(FORWARD, Normal(value, 0.0))
        )
        if reason:
            return UNDEFINED, f"with positive probability all entries are {value:g}: {reason}"
    functions = _functions(layer, direction, law)
    where = _nowhere(functions, law)
    if where is not None:
        return UNDEFINED, f"the function, or its derivative, is no number at x = {where:.6g}"
    reason = _at_kinks(layer, direction, law) if law.recorded else ""
    if reason:
        return UNDEFINED, reason
    reason = _singular(layer, direction, law, functions)
    if reason:
        return INFINITE, reason
    if law.tail.kind in ("bounded", "normal"):
        return "", ""
    return (INFINITE, _reason(law, direction)) if _beyond(layer, direction, law, 2.0) else ("", "")


def _functions(layer: Layer, direction: str, law: Law) -> list[Callable]:
    """Return the functions f(x, m) of an entry whose moments are the layer's; none where it is no such thing."""
    from normcal.numerics.duals import slope_of

    if isinstance(layer, Elementwise) and layer.slope is not None and direction == BACKWARD:
        return [layer.around(layer.slope, constant=False, factor=layer.input_scale)]
    parts = [f for _, f in layer.mixture(direction) if callable(f)]  # what is constant has every moment
    return parts if direction == FORWARD else [slope_of(f) for f in parts]


def _nowhere(functions: list[Callable], law: Law) -> float | None:
    """Return an entry at which a function is no number, though nothing overflows; None where none is found."""
    import numpy as np

    from normcal.numerics.arrays import ARRAYS

    if not functions:
        return None
    with np.errstate(all="ignore"):
        drawn = np.random.default_rng(0)
        x = next(law.blocks())[:_LOOKED_AT] if law.recorded else law.sample(drawn, (_LOOKED_AT,))
        x = x[np.abs(x) < _MODERATE]
        for f in functions:
            wrong = np.flatnonzero(np.isnan(np.broadcast_to(f(x, ARRAYS), x.shape)))
            if len(wrong):
                return float(x[wrong[np.argmin(np.abs(x[wrong]))]])
    return None


def _at_kinks(layer: Layer, direction: str, law: Law) -> str:
    """Return why there is no derivative for so many of the recorded values."""
    import numpy as np

    from normcal.averages import kinks_of

    kinks = kinks_of(layer) if direction == BACKWARD else ()
    if not kinks:
        return ""
    on = sum(int(np.isin(block, kinks).sum()) for block in law.blocks())
    if on <= _MOST_ON_KINKS * law.count:
        return ""
    return f"{on:_} of the {law.count:_} recorded values lie on a kink, where the derivative jumps"


def _singular(layer: Layer, direction: str, law: Law, functions: list[Callable]) -> str:
    """Return why the second moment is infinite for what the layer itself does, rather than for how fast it grows."""
    if type(layer).infinite is Layer.infinite or law.recorded:
        return ""
    if not functions or hasattr(law, "normals"):
        found = (layer.infinite(direction, normal) for normal in _likenesses(law) if normal.std > 0.0)
        return next(filter(None, found), "")
    from normcal.law import STANDARD
    from normcal.numerics import infinities

    for f in functions:
        if law.tail.kind in ("bounded", "normal"):
            reason = infinities.infinite(lambda z, m, f=f: f(law.at(z, m), m), STANDARD, FORWARD)
            reason = reason and "the square has no integral, at a point or far out"
        else:
            reason = infinities.singular(f, *law.reach)
        if reason:
            return reason
    return ""


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
    """Return normal laws that agree with the law where it matters: its parts, or one of its mean and std.

    One that stands for a bounded law does not reach beyond it.
    """
    parts = getattr(law, "normals", None)
    if parts is not None:
        return parts
    if law.atoms:
        return []
    if law.tail.kind == "bounded" and not law.recorded:
        low, high = law.reach
        return [Normal(0.5 * low + 0.5 * high, (high - low) / 80.0)]
    mean, std = (x if math.isfinite(x) else other for x, other in ((law.mean, 0.0), (law.std, 1.0)))
    return [Normal(mean, std)]


def _beyond(layer: Layer, direction: str, law: Law, power: float) -> bool | None:
    """Whether the moment of that order is infinite; None where the growth is too near to the limit to tell."""
    found = _growths(layer, direction, law)
    if not found:
        return False
    limit = law.tail.index
    answers = [
        None if abs(power * one.exponent - limit) < power * one.doubt else power * one.exponent >= limit
        for one in found
    ]
    return True if True in answers else (None if None in answers else False)


@functools.lru_cache(maxsize=256)
def _growths(layer: Layer, direction: str, law: Law) -> list[Growth]:
    import numpy as np

    with np.errstate(all="ignore"):
        known = _functions(layer, direction, law) or (isinstance(layer, Elementwise) and layer.noise is not None)
        return (_of_functions if known else _of_draws)(layer, direction, law)


def _of_functions(layer: Layer, direction: str, law: Law) -> list[Growth]:
    """Measure functions of one entry on both sides, farther out than anything happens to them."""
    from normcal.numerics.arrays import ARRAYS

    functions = _functions(layer, direction, law) or _noisy(layer, direction)
    if direction == BACKWARD and law.gradient.correlation:
        functions = [lambda x, m, f=f: f(x, m) * x for f in functions]
    base = _eventful(layer) if isinstance(layer, Elementwise) else 1.0
    base = max(base, 10.0 * abs(law.mean) if math.isfinite(law.mean) else 0.0)
    if law.tail.kind == "exponential" and base * law.tail.index > _FARTHEST:
        return [Growth(0.0, math.inf)]
    where = _places(law, base)
    return [
        _measured(law, where, [_largest(f(side * x, ARRAYS)) for x in _around(where)])
        for f in functions
        for side in (-1.0, 1.0)
    ]


def _largest(values) -> float:
    import numpy as np

    return float(np.max(np.abs(values)))


def _noisy(layer: Layer, direction: str) -> list[Callable]:
    """Return the functions of an elementwise layer that draws: what it is on average, and its noise."""
    from normcal.numerics.duals import slope_of

    parts = [layer.around(f) for f in layer.branches()] + [layer.around(layer.noise, constant=False)]
    return parts if direction == FORWARD else [slope_of(f) for f in parts]


def _eventful(layer: Elementwise) -> float:
    """Return how far from 0 anything happens to the function, as far as its kinks and features tell."""
    ends = [abs(float(getattr(k, "mid", k))) for k in layer.kinks]
    ends += [abs(float(x)) + 32.0 * float(scale) for x, scale in layer.features]
    far = max([1.0, *(end for end in ends if math.isfinite(end))])
    return (far + abs(layer.input_shift)) / abs(layer.input_scale)


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
    where = _places(law, 100.0 * scale)[::2]
    rows = max(min(_ROWS, _DRAWS // max(layer.draws(), 1)), _FEWEST)
    counting = _Spiked(law, 0.0, 1)
    layer.simulate(direction, np.random.default_rng(0), rows, counting)
    found = []
    for side in (-1.0, 1.0):
        sizes: dict[str, list[float]] = {}
        for x in where:
            spiked = _Spiked(law, side * float(x), counting.arrays)
            values = layer.simulate(direction, np.random.default_rng(0), rows, spiked)
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
    if math.isnan(last) or math.isnan(before):
        return Growth(0.0, math.inf)
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
    """A law of which each row has one entry far out, in one of the arrays that are drawn, by turns."""

    def __init__(self, law: Law, far: float, among: int) -> None:
        self.law, self.far, self.among, self.arrays = law, far, max(among, 1), 0
        self.mean, self.std, self.gradient = law.mean, law.std, law.gradient
        self.tail = law.tail

    def sample(self, rng, shape):
        import numpy as np

        x = np.array(self.law.sample(rng, shape))
        flat = x.reshape(len(x), -1) if x.ndim > 1 else x.reshape(1, -1)
        rows = np.flatnonzero(np.arange(len(flat)) % self.among == self.arrays % self.among)
        self.arrays += 1
        if flat.size:
            at = np.random.default_rng(flat.shape[1]).integers(flat.shape[1], size=len(rows))
            flat[rows, at] = self.far
        return flat.reshape(x.shape)

    def incoming(self, rng, shape, x=None):
        return self.law.incoming(rng, shape, x)

    @property
    def atoms(self):
        return self.law.atoms
