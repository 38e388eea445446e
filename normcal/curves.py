"""What ``plot`` draws of layers: the function, its derivative, and quantities as the input's std and mean move."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from normcal import catalog, graphs, picture, pipeline, spec
from normcal.errors import RequestError, Unsupported, unknown
from normcal.law import STANDARD
from normcal.layer import Layer
from normcal.picture import Line, Panel, Picture, Piece, Scale
from normcal.quantity import Quantity
from normcal.request import Request
from normcal.result import LayerResult
from normcal.session import Session
from normcal.value import Value

FUNCTION, DERIVATIVE, STD, MEAN, KERNEL = "function", "derivative", "std", "mean", "kernel"
USUAL = (FUNCTION, DERIVATIVE, STD, MEAN)
PANELS = (*USUAL, KERNEL)
#: Correlations along which a kernel is drawn.
_CORRELATIONS = [k / 20.0 for k in range(-20, 21)]
#: What is drawn where nobody chose: quantities, and ranges in the SPEC grammar.
COLUMNS = ("forward.mean", "forward.std", "forward.gain", "backward.gain")
RANGES = {"x": "-4:4:401", STD: "0.1:10:41:log", MEAN: "-3:3:61"}
#: A quantity that spans more than this factor, and is positive, is drawn on a logarithmic scale.
_SPAN = 15.0


def panels(text: str | None) -> tuple[str, ...]:
    """Return the names of the panels that a text lists.

    >>> panels("std, function")
    ('std', 'function')
    """
    named = USUAL if text is None else tuple(dict.fromkeys(word.strip() for word in text.split(",")))
    for name in named:
        if name not in PANELS:
            raise unknown("panel", name, PANELS)
    return named


def named(texts: Sequence[str]) -> list[tuple[str, Layer]]:
    """Return the layers of SPECs, their sweeps expanded, each with the SPEC as it was given, or its name.

    >>> [label for label, _ in named(["relu", "elu(alpha=[0.5, 2])"])]
    ['relu', 'elu(alpha=0.5)', 'elu(alpha=2)']
    """
    found = []
    for part in catalog.Layers(texts, code=True).parts:
        expanded = spec.expand(part, catalog.MOST_LISTED) if isinstance(part, spec.Spec) else [spec.Spec(part.name, {})]
        found += [(one.spec, catalog.build(one)) for one in expanded]
    return [(layer.label if layer.called else text, layer) for text, layer in found]


class Curves:
    """The picture of some layers under a request's law, along ranges of x and of the input's std and mean.

    Parameters
    ----------
    layers: at most ``picture.MOST_LINES`` pairs of a name and a layer, each a line in every panel where it has a place.
    request: how to compute; its input law is that of the panels along the other axis.
    columns: the quantities, a panel for each along std and along mean.
    ranges: the values of ``x``, ``std`` and ``mean``.
    named: the panels; None draws those that are usual and possible.
    """

    def __init__(
        self,
        layers: Sequence[tuple[str, Layer]],
        request: Request,
        columns: Sequence[Quantity],
        ranges: dict[str, list],
        named: Sequence[str] | None = None,
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
        self.named = tuple(USUAL if named is None else named)
        self.requests = {name: self._requests(name, named is not None) for name in (STD, MEAN) if name in self.named}

    def _requests(self, name: str, asked: bool) -> list[Request]:
        """Return a request a value of the mean or std; none where the law has its own, unless they were asked for."""
        try:
            return [replace(self.request, **{name: value}) for value in self.ranges[name]]
        except RequestError as error:
            if asked or self.request.input is None:
                raise
            self._say(f"not drawn, since {error.message.removesuffix('.')}", "moments along the input's std and mean")
            return []

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

    def picture(self, progress: Any, session: Session) -> Picture:
        """Return the panels; what has no place in any is said among the notes."""
        functions = [found for name in self.named if name in (FUNCTION, DERIVATIVE) for found in self._functions(name)]
        drawn = [self._along(name, progress, session) for name in self.named if self.requests.get(name)]
        moments = [panel for group in zip(*drawn, strict=True) for panel in group]
        kernels = self._kernels(progress) if KERNEL in self.named else []
        gradient = self.request.law.gradient
        if moments and gradient.data() != STANDARD.data():
            tied = f", of correlation {gradient.correlation:.6g} with the input" if gradient.correlation else ""
            self._say(f"{gradient}{tied}", "incoming gradient")
        if not functions and not moments and not kernels:
            raise RequestError("There is nothing to draw.", " ".join(self.notes))
        labels = tuple(label for label, _ in self.layers)
        return Picture((*functions, *moments, *kernels), labels, tuple(self.notes))

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
        x, drawn = self.ranges["x"], []
        for style, (label, layer) in enumerate(self.layers):
            try:
                drawn += [(style, one) for one in graphs.graphs(layer, x, derivative=name == DERIVATIVE)]
            except (Unsupported, RequestError) as reason:
                self._say(getattr(reason, "message", str(reason)).removesuffix("."), label)
        if not drawn:
            return []
        title = "f(x)" if name == FUNCTION else "f\N{PRIME}(x)"
        scale, cut = graphs.scale([y for _, one in drawn for y in one.values])
        if cut:
            self._say("cut off where far larger than elsewhere", title)
        lines = [one.line(self.layers[style][0], style, name == FUNCTION) for style, one in drawn]
        return [Panel(Scale("x", x[0], x[-1]), replace(scale, label=title), tuple(lines))]

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
        found = [[column.of(row) for row in those] for those in rows]
        lines = []
        for style, ((label, _), those) in enumerate(zip(self.layers, found, strict=True)):
            pieces, loose = _joined(self.ranges[name], those)
            lines.append(Line(label, style, tuple(pieces), tuple(loose)))
            self._missing(label, name, column, rows[style], those)
        values = [value.value for those in found for value in those if value.value is not None]
        return Panel(self._scale(name), _holding(f"{column}: {column.meaning}", values, lines), tuple(lines))

    def _scale(self, name: str) -> Scale:
        x = self.ranges[name]
        uneven = x[0] > 0.0 and x[-1] > _SPAN * x[0]
        return Scale(_law_label(self.request, name), x[0], x[-1], log=uneven)

    # -- kernels ------------------------------------------------------------------------------------

    def _kernels(self, progress: Any) -> list[Panel]:
        """Return the panel of the correlation maps; none where no layer has one."""
        from normcal import kernel

        lines = []
        for style, (label, layer) in enumerate(self.layers):
            try:
                found = kernel.of(layer, self.request.law)
            except RequestError as error:
                self._say(f"no kernel: {error.message.removesuffix('.')}", label)
                continue
            values = []
            for count, c in enumerate(_CORRELATIONS):
                values.append(found.correlation_map(c))
                if progress is not None:
                    progress.step(
                        "kernel", style * len(_CORRELATIONS) + count + 1, len(self.layers) * len(_CORRELATIONS)
                    )
            pieces, loose = _joined(_CORRELATIONS, values)
            lines.append(Line(label, style, tuple(pieces), tuple(loose)))
        if not lines:
            return []
        shown = [y for line in lines for piece in line.pieces for y in piece.y]
        scale = picture.linear("E f(u)f(v) / E f²: cosine between two outputs", shown)
        return [Panel(Scale(f"correlation of the inputs, each {self.request.law}", -1.0, 1.0), scale, tuple(lines))]

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


def _holding(label: str, values: list[float], lines: Sequence[Line]) -> Scale:
    """Return a scale that holds values, and their errors where those are not far larger than all there is."""
    log = bool(values) and min(values) > 0.0 and max(values) > _SPAN * min(values)
    scaled = picture.logarithmic if log else picture.linear
    inner = scaled(label, values)
    ends = [end for line in lines for piece in line.pieces for end in (*piece.low, *piece.high)]
    return scaled(label, [*values, *(end for end in ends if -1.0 <= inner.place(end) <= 2.0)])


def _law_label(request: Request, name: str) -> str:
    """Return the label of an axis along which the input's law moves."""
    law = request.law
    if law.normal:
        if name == STD:
            return f"σ of the input N({law.mean:.6g}, σ²)"
        return f"μ of the input N(μ, {law.std:.6g}{'²' if law.std != 1.0 else ''})"
    return f"{name} of the input {request.input}"


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
