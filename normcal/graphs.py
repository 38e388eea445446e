"""Functions of one number as graphs: where a line may lead, where it is cut, and how much of it is shown."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from normcal import picture
from normcal.errors import RequestError, Unsupported
from normcal.law import Normal
from normcal.layer import BACKWARD, FORWARD, Elementwise, Layer
from normcal.picture import Line, Piece, Scale

#: More jumps than this are drawn without marks at their ends.
_MOST_ENDS = 4
#: Part of the height that a function may move by between two places before it is looked at between them; and at a
#: kink before it jumps.
_LEAP, _SEEN = 0.01, 1e-6
_MOST_PLACES = 20_000
#: A function's panel shows the middle of its values where a few are this much farther out.
_CUT, _KEPT = 8.0, 0.02


def graphs(layer: Layer, x: Sequence[float], *, derivative: bool) -> list[Traced]:
    """Return the graph of a layer's function, or of what its backward pass takes for the derivative.

    There are several where the output holds several functions of an entry side by side.

    Raises
    ------
    Unsupported: where there is no function to draw, with the reason.
    """
    near = Normal(0.5 * (x[0] + x[-1]), (x[-1] - x[0]) / 16.0)  # whose reach holds the range
    return [Traced(f, kinks, x) for f, kinks in _functions(layer, near, derivative)]


def _functions(layer: Layer, law: Normal, derivative: bool) -> Iterator[tuple[Callable, list]]:
    """Yield functions of arrays, and their kinks as balls."""
    from normcal.numerics.arrays import ARRAYS
    from normcal.numerics.duals import Duals

    for f, slope, kinks in _parts(layer, BACKWARD if derivative else FORWARD, law):
        if not derivative:
            yield lambda x, f=f: f(x, ARRAYS), kinks
        elif slope is not None:
            yield lambda x, slope=slope: slope(x, ARRAYS), kinks
        else:
            yield lambda x, f=f: Duals(ARRAYS).derivative(f, x), kinks


def _parts(layer: Layer, direction: str, law: Normal) -> list[tuple[Callable, Callable | None, list]]:
    """Return f, what the backward pass uses for f', and the kinks, of each function that the output holds.

    What cannot be integrated can be drawn all the same: its jumps are found by looking.
    """
    from normcal.numerics.balls import ball

    stages = getattr(layer, "stages", ()) or (layer,)
    if not all(isinstance(stage, Elementwise) for stage in stages):
        return [_known_by_values(layer, direction, law)]
    if any(stage.noise is not None for stage in stages):
        raise Unsupported("no function, but random; its moments alone are drawn")
    if len(stages) > 1 and any(len(stage.branches()) > 1 for stage in stages):
        raise Unsupported("no function of one number; its moments alone are drawn")
    try:
        return [(c.f, c.slope, [ball(kink) for kink in c.kinks]) for c in layer.components(direction, law)]
    except (Unsupported, RequestError):
        if len(stages) > 1:
            raise
        slope = layer.slope and layer.around(layer.slope, constant=False, factor=layer.input_scale)
        return [(layer.around(f), slope, []) for f in layer.branches()]


def _known_by_values(layer: Layer, direction: str, law: Normal) -> tuple[Callable, Callable | None, list]:
    """Return the function of code, whose derivative may have to be had by differences."""
    try:
        known = layer.pointwise(direction)
    except Unsupported:
        raise Unsupported("no function of one number; its moments alone are drawn") from None

    def values(x, m):
        from normcal.numerics.survey import differences

        return differences(known.f, x, law.std, known.grain) if known.derived else known.f(x)

    return values, values, []


class Traced:
    """A function at so many places that a line through them is its graph, cut where it jumps.

    ``kinks`` are balls; what else jumps, between two doubles, is found where the function leaps.
    """

    def __init__(self, f: Callable, kinks: Sequence[Any], x: Sequence[float]) -> None:
        import numpy as np

        self.f = f
        reach = [(float(kink.mid - kink.rad), float(kink.mid + kink.rad), float(kink.mid)) for kink in kinks]
        sides = sorted((math.nextafter(a, -math.inf), math.nextafter(b, math.inf), mid) for a, b, mid in reach)
        self.kinks = [(float(a), float(b), float(mid)) for a, b, mid in sides if x[0] < a and b < x[-1]]
        places = np.unique(np.array([*x, *(end for a, b, _ in self.kinks for end in (a, b))], float))
        for a, b, _ in self.kinks:
            places = places[(places <= a) | (places >= b)]
        self.x, self.y = places, self._at(places)
        #: The finite ordinates at places that lie evenly.
        self.values = self.y[np.isfinite(self.y)].tolist()
        self._refine()

    def _at(self, x):
        import numpy as np

        with np.errstate(all="ignore"):
            return np.broadcast_to(np.asarray(self.f(x), float), x.shape).copy()

    def _refine(self) -> None:
        """Halve every step on which the function leaps until it no longer does, or two doubles are left: a jump."""
        import numpy as np

        seen, _ = scale(self.values)
        height = seen.high - seen.low
        low, high = seen.low - height, seen.high + height
        taken = {a for a, _, _ in self.kinks}
        while len(self.x) < _MOST_PLACES:
            steps = np.abs(np.diff(np.clip(self.y, low, high)))
            middle = 0.5 * self.x[:-1] + 0.5 * self.x[1:]
            inside = (steps > _LEAP * height) & (middle > self.x[:-1]) & (middle < self.x[1:])
            inside &= ~np.isin(self.x[:-1], list(taken))
            if not inside.any():
                break
            order = np.argsort(np.concatenate([self.x, middle[inside]]), kind="stable")
            self.y = np.concatenate([self.y, self._at(middle[inside])])[order]
            self.x = np.concatenate([self.x, middle[inside]])[order]
        steps = np.abs(np.diff(np.clip(self.y, low, high)))
        beside = np.isin(self.x[:-1], list(taken)) & (steps > _SEEN * height)
        self.jumps = np.flatnonzero(beside | (steps > _LEAP * height))

    def line(self, label: str, style: int, marked: bool) -> Line:
        """Return the graph: cut at jumps, and where there is no finite value; ``marked`` says which end is taken."""
        import numpy as np

        pieces = []
        for part in np.split(np.arange(len(self.x)), self.jumps + 1):
            for finite, run in itertools.groupby(part.tolist(), key=lambda k: bool(np.isfinite(self.y[k]))):
                places = list(run)
                if finite and len(places) > 1:
                    pieces.append(Piece(tuple(self.x[places].tolist()), tuple(self.y[places].tolist())))
        ends = list(self._ends(marked)) if len(self.jumps) <= _MOST_ENDS else []
        return Line(label, style, tuple(pieces), ends=tuple(ends))

    def _ends(self, marked: bool) -> Iterator[tuple[float, float, bool]]:
        """Yield both ends of each jump at a kink, and the value at the kink where it is neither."""
        import numpy as np

        at = {a: mid for a, _, mid in self.kinks}
        for k in self.jumps:
            ends = [(float(self.x[j]), float(self.y[j])) for j in (k, k + 1)]
            if ends[0][0] not in at or not all(math.isfinite(y) for _, y in ends):
                continue
            kink = at[ends[0][0]]
            value = float(self._at(np.array([kink]))[0]) if marked else math.nan
            taken = [math.isclose(value, y, rel_tol=1e-9, abs_tol=1e-12) for _, y in ends]
            yield from ((x, y, here) for (x, y), here in zip(ends, taken, strict=True))
            if math.isfinite(value) and not any(taken):
                yield kink, value, True


def scale(values: Sequence[float]) -> tuple[Scale, bool]:
    """Return the scale of a function's panel, and whether it leaves out values that are far out."""
    import numpy as np

    if not values:
        return picture.linear("", [0.0]), False
    low, high = np.quantile(values, [_KEPT, 1.0 - _KEPT]).tolist()
    room = max(high - low, 1e-12)
    if max(values) - min(values) <= _CUT * room:
        return picture.linear("", values), False
    return picture.linear("", [max(min(values), low - room), min(max(values), high + room)]), True
