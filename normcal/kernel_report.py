"""What ``kernel`` says of a layer: coefficients, dual activation, derivatives, fixed points, the critical line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from normcal import __version__, kernel, meanfield
from normcal.errors import RequestError, echo
from normcal.kernel import ORDERS, Figure
from normcal.law import Normal
from normcal.layer import Layer
from normcal.report import Block, Cell, Error, Formula, Heading, Items, Number, Paragraph, Report, Table
from normcal.result import OK, SCHEMA
from normcal.spec import values

#: The correlations of the table where none are asked for, and the highest Hermite coefficient.
CORRELATIONS = (-1.0, -0.5, 0.0, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0)
COEFFICIENTS = 6
MOST_CORRELATIONS = 1001
#: Fixed points q* at which the critical line is shown.
LINE = (0.1, 0.3, 1.0, 3.0, 10.0)
_DUAL = Formula("f̂(c) = E[f(u) f(v)] = Σₖ aₖ² cᵏ", r"\hat f(c) = E[f(u) f(v)] = \sum_k a_k^2 c^k")


@dataclass(frozen=True)
class Asked:
    """What is asked of a kernel: the law, correlations, coefficients, the network, and where its q is searched."""

    law: Normal
    correlations: Sequence[float] = CORRELATIONS
    coefficients: int = COEFFICIENTS
    sigma_w: float | None = None
    sigma_b: float = 0.0
    #: where q is searched; None leaves it to what is searched for
    interval: tuple[float, float] | None = None


def asked(law: Normal, correlation, coefficients, sigma_w, sigma_b, q_interval) -> Asked:
    """Return what options ask for, checked; None stands for what is left open.

    >>> asked(Normal(), "0:1:3", None, None, None, "0.1:10").correlations
    (0.0, 0.5, 1.0)
    """
    found = CORRELATIONS
    if correlation is not None:
        found = tuple(map(kernel.correlation, values(correlation, "--correlation")))
    if len(found) > MOST_CORRELATIONS:
        raise RequestError(f"{len(found):_} correlations are too many.", f"Accepted: at most {MOST_CORRELATIONS:_}.")
    count = COEFFICIENTS if coefficients is None else kernel.degree(coefficients)
    weight = None if sigma_w is None else meanfield.checked("sigma_w", sigma_w)
    bias = 0.0 if sigma_b is None else meanfield.checked("sigma_b", sigma_b)
    return Asked(law, found, count, weight, bias, None if q_interval is None else _interval(q_interval))


def _interval(text: str) -> tuple[float, float]:
    ends = text.split(":")
    try:
        low, high = map(float, ends)
    except ValueError:
        raise RequestError(f"q-interval cannot be {echo(text)}.", "Accepted: LOW:HIGH, such as 0.01:100.") from None
    return meanfield.interval(low, high)


def only(layers: Sequence[Layer]) -> Layer:
    """Return the one layer that there is, or refuse several."""
    if len(layers) > 1:
        raise RequestError(
            f"kernel takes one layer, not {len(layers)}.",
            "Accepted: one SPEC, or --expr, without wildcards and sweeps.",
        )
    return layers[0]


def report(layer: Layer, asked: Asked, progress=None) -> Report:
    """Return the account of a layer's kernel; ``progress`` hears how far it is."""
    its = kernel.of(layer, asked.law)
    count = len(asked.correlations)

    def tell(what: str, done: int) -> None:
        if progress is not None:
            progress.step(what, done, count + 3)

    coefficients = its.coefficients(asked.coefficients)
    rows = []
    for done, c in enumerate(asked.correlations):
        tell(f"c = {c:g}", done)
        rows.append(_Row(c, its.dual(c), its.correlation_map(c), its.slope_at(c)))
    tell("derivatives", count)
    ends = [(at, order, its.slope_at(at, order)) for at in (0.0, 1.0) for order in ORDERS]
    tell("fixed points", count + 1)
    network = _network(layer, asked)
    tell("edge of chaos", count + 2)
    critical = meanfield.critical(
        layer, asked.law.mean, asked.sigma_b, *(asked.interval or meanfield.CRITICAL_INTERVAL)
    )
    line = _line(layer, asked.law.mean)
    data = {
        "schema": SCHEMA,
        "generator": f"normcal {__version__}",
        "kernel": {
            "layer": layer.name,
            "spec": layer.spec,
            "input": asked.law.data(),
            "coefficients": [{"k": k} | a.data() for k, a in enumerate(coefficients)],
            "correlations": [row.data() for row in rows],
            "derivatives": [{"at": at, "order": order} | found.data() for at, order, found in ends],
            "network": network.data(),
            "critical": {"sigma_b": asked.sigma_b} | critical.data() | {"line": [point.data() for point in line]},
        },
    }
    blocks: list[Block] = [
        Heading(layer.spec),
        Paragraph(f"u and v are {asked.law} of correlation c; aₖ are the coefficients of He_k/√k!."),
        _DUAL,
        _coefficients(coefficients),
        Heading("Dual activation and correlation map"),
        _table(rows),
        Heading("Derivatives of the dual activation"),
        Table(("order", "at c = 0", "error", "at c = 1", "its error"), tuple(_derivatives(ends)), ("order",)),
        *network.blocks(),
        *_critical(critical, line),
        Items(tuple(_notes(layer, its)), aside=True),
    ]
    return Report(data, [row.record() for row in rows], tuple(blocks))


@dataclass(frozen=True)
class _Row:
    """A row of the table of correlations."""

    c: float
    dual: Figure
    map: Figure
    slope: Figure

    def data(self) -> dict:
        return {"c": self.c, "dual": self.dual.data(), "map": self.map.data(), "slope": self.slope.data()}

    def record(self) -> dict:
        found = {"c": self.c}
        for name in ("dual", "map", "slope"):
            figure = getattr(self, name)
            found |= {name: figure.value, f"{name}_error": figure.error}
        return found | {"slope_status": self.slope.status, "route": self.dual.route}


def _cell(figure: Figure) -> Cell:
    return Number(figure) if figure.value is not None else figure.status


def _error(figure: Figure) -> Cell:
    return Error(figure.error) if figure.value is not None else ""


def _coefficients(found: list[Figure]) -> Table:
    rows = tuple((str(k), Number(a), _error(a)) for k, a in enumerate(found))
    return Table(("k", "aₖ", "error"), rows)


def _table(rows: list[_Row]) -> Table:
    columns = ("c", "f̂(c)", "error", "f̂(c)/f̂(1)", "f̂'(c)", "by")
    cells = tuple(
        (f"{row.c:g}", _cell(row.dual), _error(row.dual), _cell(row.map), _cell(row.slope), row.dual.route)
        for row in rows
    )
    return Table(columns, cells, ("by",))


def _derivatives(ends):
    for order in ORDERS:
        at_0, at_1 = (found for _, which, found in ends if which == order)
        yield str(order), _cell(at_0), _error(at_0), _cell(at_1), _error(at_1)


# --- networks ---


@dataclass(frozen=True)
class _Network:
    """The maps of a network: at the variance of the input, and, where sigma_w is given, their fixed points."""

    sigma_w: float | None
    sigma_b: float
    q: float
    maps: tuple[tuple[str, str, Figure], ...]
    fixed: meanfield.FixedPoints | None

    def data(self) -> dict:
        found = {"sigma_w": self.sigma_w, "sigma_b": self.sigma_b, "q": self.q}
        found |= {name: figure.data() for name, _, figure in self.maps}
        return found | {"fixed_points": self.fixed and self.fixed.data()}

    def blocks(self) -> list[Block]:
        weight = "1 (none is given)" if self.sigma_w is None else f"{self.sigma_w:.10g}"
        told = f"V(q) = σw² E f(√q z)² + σb² at q = {self.q:.10g}, σw = {weight}, σb = {self.sigma_b:.10g}."
        rows = tuple((text, _cell(figure), _error(figure)) for _, text, figure in self.maps)
        table = Table(("map", "value", "error"), rows, ("map",))
        found: list[Block] = [Heading("Wide networks"), Paragraph(told), table]
        return found if self.fixed is None else found + _fixed(self.fixed)


def _network(layer: Layer, asked: Asked) -> _Network:
    sigma_w = 1.0 if asked.sigma_w is None else asked.sigma_w
    network = meanfield.Network(layer, asked.law.mean, sigma_w, asked.sigma_b)
    q = asked.law.std**2
    maps = (
        ("q_map", "V(q)", network.q_map(q)),
        ("q_slope", "V'(q)", network.q_slope(q)),
        ("chi", "χ = σw² E f'²", network.chi(q)),
    )
    fixed = None if asked.sigma_w is None else network.fixed_points(*(asked.interval or meanfield.INTERVAL))
    return _Network(asked.sigma_w, asked.sigma_b, q, maps, fixed)


def _fixed(found: meanfield.FixedPoints) -> list[Block]:
    rows = []
    for point in found.points:
        both = [("q*", point.q, point), *(("c* there", its.c, its) for its in point.correlations)]
        rows += [(name, _cell(at), _error(at), _cell(it.slope), _word(it.stable), _depth(it)) for name, at, it in both]
    columns = ("point", "value", "error", "slope", "stable", "depth scale")
    blocks: list[Block] = [Heading("Fixed points")]
    if rows:
        blocks.append(Table(columns, tuple(rows), ("point", "stable")))
    return [*blocks, Paragraph(_searched("fixed point", len(found.points), found))]


def _searched(what: str, count: int, found) -> str:
    """Say on what interval something was searched, how many there are, and what is left open."""
    where = f"searched at q = 0 and for q from {found.low:.4g} to {found.high:.4g}"
    said = f"{count or 'No'} {what}{'' if count == 1 else 's'}, {where}"
    if found.open:
        where = ", ".join(f"[{a:.6g}, {b:.6g}]" for a, b in found.open)
        said += f"; left open: {where}, where a slope is so near 1 that the errors cannot decide"
    return "; ".join((said, *found.notes)) + "."


def _word(stable: bool | None) -> str:
    return {True: "yes", False: "no", None: "marginal"}[stable]


def _depth(point) -> Cell:
    return Number(point.depth) if point.depth.status == OK else ""


def _line(layer: Layer, mean: float) -> list[meanfield.CriticalPoint]:
    """Return points of the critical line, one for each of some q*; none where all of it has sigma_b = 0."""
    found = [point for point in (meanfield.critical_at(layer, q, mean) for q in LINE) if point is not None]
    return found if any(point.sigma_b.value > point.sigma_b.error for point in found) else []


def _critical(found: meanfield.CriticalPoints, line: list[meanfield.CriticalPoint]) -> list[Block]:
    columns = ("σw", "error", "σb", "q*")
    blocks: list[Block] = [Heading("Edge of chaos, χ = 1")]
    if found.points:
        blocks.append(Table(columns, tuple(map(_critical_row, found))))
    blocks.append(Paragraph(_searched("critical point", len(found), found)))
    if line:
        told = "More of the line, where σb² = q* − σw² E f(√q* z)² and σw² = 1/E f'(√q* z)²:"
        blocks += [Paragraph(told), Table(columns, tuple(map(_critical_row, line)))]
    return blocks


def _critical_row(point: meanfield.CriticalPoint) -> tuple[Cell, ...]:
    q = "any" if point.q is None else _cell(point.q)
    return _cell(point.sigma_w), _error(point.sigma_w), _cell(point.sigma_b), q


def _notes(layer: Layer, its: kernel.Kernel) -> list[str]:
    found = []
    if getattr(layer, "slope", None) is not None:
        found.append(f"{layer.name}: the surrogate of the backward pass plays no part in the kernel")
    if its.jumps:
        found.append(f"{layer.name}: the function jumps, so that chi and the derivatives at c = 1 are infinite")
    return found
