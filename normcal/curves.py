"""What ``plot`` draws of layers: the function, its derivative, and quantities as the input's std and mean move."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from normcal import catalog, picture, pipeline, spec
from normcal.errors import RequestError, Unsupported, unknown
from normcal.law import Normal
from normcal.layer import BACKWARD, FORWARD, Elementwise, Layer
from normcal.picture import Line, Panel, Picture, Piece, Scale
from normcal.quantity import Quantity
from normcal.request import Request
from normcal.result import LayerResult
from normcal.session import Session
from normcal.value import Value

FUNCTION, DERIVATIVE, STD, MEAN = "function", "derivative", "std", "mean"
PANELS = (FUNCTION, DERIVATIVE, STD, MEAN)
#: What is drawn where nobody chose: quantities, and ranges in the SPEC grammar.
COLUMNS = ("forward.mean", "forward.std", "forward.gain", "backward.gain")
RANGES = {"x": "-4:4:401", STD: "0.1:10:41:log", MEAN: "-3:3:61"}
#: A quantity that spans more than this factor, and is positive, is drawn on a logarithmic scale.
_SPAN = 15.0
#: More jumps than this are drawn without marks at their ends.
_MOST_ENDS = 4
#: Part of the height that a function may move by between two places before it is looked at between them; and at a
#: kink before it jumps.
_LEAP, _SEEN = 0.01, 1e-6
_MOST_PLACES = 20_000
#: A function's panel shows the middle of its values where a few are this much farther out.
_CUT, _KEPT = 8.0, 0.02


def panels(text: str | None) -> tuple[str, ...]:
    """Return the names of the panels that a text lists.

    >>> panels("std, function")
    ('std', 'function')
    """
    named = PANELS if text is None else tuple(dict.fromkeys(word.strip() for word in text.split(",")))
    for name in named:
        if name not in PANELS:
            raise unknown("panel", name, PANELS)
    return named


def named(texts: Sequence[str]) -> list[tuple[str, Layer]]:
    """Return the layers of SPECs, their sweeps expanded, each with the SPEC as it was given.

    >>> [label for label, _ in named(["relu", "elu(alpha=[0.5, 2])"])]
    ['relu', 'elu(alpha=0.5)', 'elu(alpha=2)']
    """
    found = []
    for part in catalog.Layers(texts).parts:
        expanded = spec.expand(part, catalog.MOST_LISTED) if isinstance(part, spec.Spec) else [spec.Spec(part.name, {})]
        found += [(one.spec, catalog.build(one)) for one in expanded]
    return found


class Curves:
    """The picture of some layers under a request's law, along ranges of x and of the input's std and mean.

    Parameters
    ----------
    layers: at most ``picture.MOST_LINES`` pairs of a name and a layer, each a line in every panel where it has a place.
    request: how to compute; its input law is that of the panels along the other axis.
    columns: the quantities, a panel for each along std and along mean.
    ranges: the values of ``x``, ``std`` and ``mean``.
    """

    def __init__(
        self,
        layers: Sequence[tuple[str, Layer]],
        request: Request,
        columns: Sequence[Quantity],
        ranges: dict[str, list],
    ) -> None:
        self.layers, self.columns = tuple(layers), tuple(columns)
        #: remark -> what it is about
        self._said: dict[str, list[str]] = {}
        if len(self.layers) > picture.MOST_LINES:
            told = f"{len(self.layers)} curves are more than can be told apart."
            raise RequestError(told, f"Accepted: at most {picture.MOST_LINES}; 'normcal sweep' takes more.")
        fixed = {name: values[0] for name, values in ranges.items() if len(values) == 1 and name in (STD, MEAN)}
        self.request = request.updated(fixed)
        self.ranges = {name: self._range(name, [] if name in fixed else ranges.get(name, [])) for name in RANGES}
        self.requests = {
            name: [replace(self.request, **{name: value}) for value in self.ranges[name]] for name in (STD, MEAN)
        }

    @staticmethod
    def _range(name: str, values: list) -> list[float]:
        """Return increasing numbers to draw along; the range that is usual where none is given."""
        found = values or spec.values(RANGES[name], name)
        numbers = all(isinstance(value, (int, float)) for value in found)
        if not numbers or len(found) < 2 or any(b <= a for a, b in itertools.pairwise(found)):
            raise RequestError(
                f"--{name}: that is nothing to draw along.", f"Accepted: a range such as {RANGES[name]}."
            )
        return found

    def picture(self, named: Sequence[str], progress: Any, session: Session) -> Picture:
        """Return the panels of those names; what has no place in any is said among the notes."""
        functions = [found for name in named if name in (FUNCTION, DERIVATIVE) for found in self._functions(name)]
        axes = [name for name in named if name in (STD, MEAN)]
        drawn = [self._along(name, progress, session) for name in axes]
        moments = [panel for group in zip(*drawn, strict=True) for panel in group]
        if not functions and not moments:
            raise RequestError("There is nothing to draw.", " ".join(self.notes))
        return Picture((*functions, *moments), tuple(label for label, _ in self.layers), tuple(self.notes))

    @property
    def notes(self) -> list[str]:
        """The sentences that say what is not drawn, and why."""
        return [f"{', '.join(those)}: {remark}." for remark, those in self._said.items()]

    def _say(self, remark: str, of: str) -> None:
        those = self._said.setdefault(remark, [])
        if of not in those:
            those.append(of)

    # -- the function and its derivative ----------------------------------------------------------

    def _functions(self, name: str) -> list[Panel]:
        """Return the panel of the functions or of the derivatives; none where no layer has one."""
        low, high = self.ranges["x"][0], self.ranges["x"][-1]
        drawn: list[tuple[int, Traced]] = []
        for style, (label, layer) in enumerate(self.layers):
            try:
                found = list(_functions(layer, name, low, high))
                drawn += [(style, Traced(f, kinks, self.ranges["x"])) for f, kinks in found]
            except (Unsupported, RequestError) as reason:
                self._say(getattr(reason, "message", str(reason)).removesuffix("."), label)
        if not drawn:
            return []
        scale, cut = _shown([y for _, one in drawn for y in one.values])
        if cut:
            self._say("cut off where it is far larger than elsewhere", f"the {name}")
        title = "f(x)" if name == FUNCTION else "f\N{PRIME}(x)"
        lines = [one.line(self.layers[style][0], style, name == FUNCTION) for style, one in drawn]
        return [Panel(Scale("x", low, high), replace(scale, label=title), tuple(lines))]

    # -- quantities --------------------------------------------------------------------------------

    def _along(self, name: str, progress: Any, session: Session) -> list[Panel]:
        """Return a panel a quantity along the input's std or mean."""
        requests = self.requests[name]
        pairs = ((request, layer) for _, layer in self.layers for request in requests)
        total = len(requests) * len(self.layers)
        rows = []
        for row in pipeline.points(pairs, progress, session, total):
            rows.append(row)
            if progress is not None:
                progress.step(f"along {name}", len(rows), total)
        count = len(requests)
        each = [rows[k * count : (k + 1) * count] for k in range(len(self.layers))]
        return [self._quantity(one, name, each) for one in self.columns]

    def _quantity(self, column: Quantity, name: str, rows: list[list[LayerResult]]) -> Panel:
        x = self.ranges[name]
        found = [[column.of(row) for row in those] for those in rows]
        values = [value.value for those in found for value in those if value.value is not None]
        positive = [value for value in values if value > 0.0]
        log = bool(positive) and len(positive) == len(values) and max(positive) > _SPAN * min(positive)
        scale = (picture.logarithmic if log else picture.linear)(f"{column}: {column.meaning}", values)
        lines = []
        for style, ((label, _), those) in enumerate(zip(self.layers, found, strict=True)):
            pieces, loose = _joined(x, those)
            lines.append(Line(label, style, tuple(pieces), tuple(loose)))
            self._missing(label, name, column, rows[style], those)
        return Panel(self._scale(name), scale, tuple(lines))

    def _scale(self, name: str) -> Scale:
        x = self.ranges[name]
        uneven = x[0] > 0.0 and x[-1] > _SPAN * x[0]
        return Scale(_law_label(self.request, name), x[0], x[-1], log=uneven)

    def _missing(self, label: str, name: str, column: Quantity, rows: list[LayerResult], those: list[Value]) -> None:
        """Say where a line has gaps, and why."""
        gaps: dict[str, list[float]] = {}
        for x, row, value in zip(self.ranges[name], rows, those, strict=True):
            if value.value is None:
                gaps.setdefault(_why(row, column), []).append(x)
        for why, places in gaps.items():
            several = f"from {places[0]:.4g} to {places[-1]:.4g}" if len(places) > 1 else f"at {places[0]:.4g}"
            where = f"along {name}" if len(places) == len(those) else f"{several} along {name}"
            self._say(f"no value {where}: {why}", f"{label} {column}")


def _law_label(request: Request, name: str) -> str:
    """Return the label of an axis along which the input's law moves."""
    law = request.law
    if type(law) is Normal:
        if name == STD:
            return f"σ of the input N({law.mean:.6g}, σ²)"
        return f"μ of the input N(μ, {law.std:.6g}{'²' if law.std != 1.0 else ''})"
    return f"{name} of the input, {law}"


def _why(row: LayerResult, column: Quantity) -> str:
    for direction in column.directions:
        estimate = getattr(row, direction)
        if estimate is not None and estimate.reason:
            return f"{estimate.status}: {estimate.reason}"
        if estimate is not None and estimate.std.value == 0.0:
            return "the std is 0"
    return "there is no such number"


def _joined(x: Sequence[float], values: Sequence[Value]) -> tuple[list[Piece], list]:
    """Return the runs of values that are there, with their errors, and the values that nothing is known of."""
    kinds = [_trust(value) for value in values]
    pieces, loose = [], []
    for kind, run in itertools.groupby(range(len(x)), key=kinds.__getitem__):
        places = list(run)
        if kind == "loose":
            loose += [(x[k], values[k].value) for k in places]
        elif kind == "known":
            y, errors = [values[k].value for k in places], [values[k].error for k in places]
            low, high = zip(*((v - e, v + e) for v, e in zip(y, errors, strict=True)), strict=True)
            pieces.append(Piece(tuple(x[k] for k in places), tuple(y), low, high))
    return pieces, loose


def _trust(value: Value) -> str:
    if value.value is None:
        return "none"
    return "loose" if value.error is None else "known"


# -- functions, traced ------------------------------------------------------------------------------


def _functions(layer: Layer, name: str, low: float, high: float) -> Iterator[tuple[Callable, list[float]]]:
    """Yield a function or its derivative, of arrays, and its kinks; several where the output holds several."""
    from normcal.numerics.arrays import ARRAYS
    from normcal.numerics.duals import Duals

    if not isinstance(layer, Elementwise):
        raise Unsupported("no function of one number; its moments alone are drawn")
    if layer.noise is not None:
        raise Unsupported("no function, but random; its moments alone are drawn")
    near = Normal(0.5 * (low + high), (high - low) / 16.0)  # whose reach holds the range
    for f, slope, kinks in _parts(layer, FORWARD if name == FUNCTION else BACKWARD, near):
        if name == FUNCTION:
            yield lambda x, f=f: f(x, ARRAYS), kinks
        elif slope is not None:
            yield lambda x, slope=slope: slope(x, ARRAYS), kinks
        else:
            yield lambda x, f=f: Duals(ARRAYS).derivative(f, x), kinks


def _parts(layer: Elementwise, direction: str, law: Normal) -> list[tuple[Callable, Callable | None, list]]:
    """Return f, what the backward pass uses for f', and the kinks, of each function that the output holds.

    What cannot be integrated can be drawn all the same: its jumps are found by looking.
    """
    from normcal.numerics.balls import ball

    try:
        return [(c.f, c.slope, [ball(kink) for kink in c.kinks]) for c in layer.components(direction, law)]
    except (Unsupported, RequestError):
        slope = layer.slope and layer.around(layer.slope, constant=False, factor=layer.input_scale)
        return [(layer.around(f), slope, []) for f in layer.branches()]


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

        scale, _ = _shown(self.values)
        low, high = 2.0 * scale.low - scale.high, 2.0 * scale.high - scale.low
        height = scale.high - scale.low
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


def _shown(values: Sequence[float]) -> tuple[Scale, bool]:
    """Return the scale of a function's panel, and whether it leaves out values that are far out."""
    import numpy as np

    if not values:
        return picture.linear("", [0.0]), False
    low, high = np.quantile(values, [_KEPT, 1.0 - _KEPT]).tolist()
    room = max(high - low, 1e-12)
    if max(values) - min(values) <= _CUT * room:
        return picture.linear("", values), False
    return picture.linear("", [max(min(values), low - room), min(max(values), high + room)]), True
