"""From results to constants: names, columns and cells of a file of numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from normcal import naming, quantity, rounding
from normcal.constants import ERROR, NUMBER, WORD, Cell, Column, Constants, Row, error_cell, literal, pointed, span
from normcal.errors import RequestError, echo
from normcal.law import Normal
from normcal.layer import DIRECTIONS, Layer
from normcal.quantity import JACOBIAN_FACTOR, QUANTITIES
from normcal.renderer import Renderer
from normcal.result import STANDARD_ERROR, Estimate, LayerResult, Result, weakest
from normcal.value import Value

#: What a column may hold beside a quantity, for one direction: what its record says.
WORDS = tuple(f"{direction}.{what}" for direction in DIRECTIONS for what in ("status", "engine"))
ERRORS = tuple(f"{direction}.error.{name}" for direction in DIRECTIONS for name in QUANTITIES)


@dataclass(frozen=True)
class Entry:
    """A row before it is computed: a layer, and its name in the file."""

    name: str
    layer: Layer


def column(path: str, name: str | None, style: str) -> Column:
    """Return a column of a quantity, an error of one, or a word of a record; refuse what is none of them.

    >>> column("forward.rms_gain^2", None, "camel")
    Column(name='forwardRmsGainSquared', path='forward.rms_gain^2', meaning='1/rms of the output, squared')
    """
    if path in WORDS or path in ERRORS:
        direction, *_, what = path.split(".")
        of = f"absolute error of the {direction} {what}" if path in ERRORS else f"{what} of the {direction} pass"
        return Column(name or _styled(path.replace(".", "_"), style), path, of)
    found = quantity.parse(path)
    return Column(name or _styled(found.name, style), str(found), found.meaning)


def directions(columns: Sequence[Column]) -> tuple[str, ...]:
    """Return the passes that columns need."""
    needed = {d for one in columns for d in _directions(one.path)}
    return tuple(direction for direction in DIRECTIONS if direction in needed)


def entries(layers: Sequence[tuple[str | None, Any, Layer]], style: str) -> list[Entry]:
    """Name the rows: by the user's name, else by the SPEC's words; one name twice is refused.

    ``layers`` holds (name or None, the SPEC as it was typed, the layer).
    """
    alike = Counter(layer.called for layer in {layer for name, _, layer in layers if not name})
    named = [
        Entry(name or _row_name(typed, layer, style, alone=alike[layer.called] == 1), layer)
        for name, typed, layer in layers
    ]
    found = list(dict.fromkeys(named))  # a family and a list may name the same layer
    twice = [name for name, count in Counter(entry.name for entry in found).items() if count > 1]
    if twice:
        specs = " and ".join(entry.layer.spec for entry in found if entry.name == twice[0])
        message = f"Two layers are called {echo(twice[0])}: {specs}."
        raise RequestError(message, "Give names: a mapping of names to SPECs.")
    return found


def build(
    name: str, columns: Sequence[Column], names: Sequence[str], results: Sequence[LayerResult], law: Normal,
    digits: int | str | None = None, **more: Any,
) -> Constants:  # fmt: skip
    """Return the constants that results hold: a row each, in their order, written with ``digits``."""
    rows = tuple(_row(name, result, columns, digits) for name, result in zip(names, results, strict=True))
    engines = dict.fromkeys(e.engine for result in results for e in _estimates(result, columns))
    cells = [cell for row in rows for cell in row.cells if cell.role == NUMBER]
    sampled = [cell for cell in cells if cell.kind == STANDARD_ERROR]
    bound, standard_error = error_cell([cell for cell in cells if cell.kind != STANDARD_ERROR]), error_cell(sampled)
    return Constants(
        name, tuple(columns), rows, law,
        engines=Cell(", ".join(engines) or "none", WORD), bound=bound, standard_error=standard_error, **more,
    )  # fmt: skip


def from_result(result: Result, renderer: Renderer) -> Constants:
    """Return every quantity of a result as constants, under names of their own."""
    paths = [
        path
        for path in (*(f"{d}.{q}" for d in DIRECTIONS for q in QUANTITIES), JACOBIAN_FACTOR)
        if all(any(getattr(row, d) for row in result.layers) for d in _directions(path))
    ]
    columns = [column(path, None, "snake") for path in paths]
    named = entries([(None, row.layer, row.layer) for row in result.layers], "snake")
    header = (result.title,) if result.title else ()
    name = renderer.name_of(["normcal"])
    found = {row.layer: row for row in result.layers}
    rows = [found[one.layer] for one in named]
    return build(name, columns, [one.name for one in named], rows, result.law, header=header)


def _row(name: str, result: LayerResult, columns: Sequence[Column], digits: int | str | None) -> Row:
    cells = tuple(_cell(result, one.path, digits) for one in columns)
    engines = dict.fromkeys(e.engine for e in _estimates(result, columns))
    error = error_cell([cell for cell in cells if cell.role == NUMBER])
    return Row(name, result.layer, cells, Cell(", ".join(engines), WORD), error)


def _cell(result: LayerResult, path: str, digits: int | str | None) -> Cell:
    if path in WORDS:
        direction, what = path.split(".")
        return Cell(str(getattr(getattr(result, direction), what, "")), WORD, fixed=what == "status")
    if path in ERRORS:
        direction, _, what = path.split(".")
        error = getattr(getattr(result, direction), what).error
        return Cell("" if error is None else pointed(rounding.error(error)), ERROR, Value(error, 0.0))
    asked = quantity.parse(path)
    value = asked.of(result)
    estimates = [found for direction in asked.directions if (found := getattr(result, direction))]
    kind = weakest(found.error_kind for found in estimates)
    reasons = [found.reason or found.status for found in estimates if found.status != "ok"]
    reason = (reasons or ["the std is 0, so there is no gain"])[0] if value.value is None else ""
    size = abs(value.value or 0.0)
    if path.endswith("mean") and estimates:
        size = max(size, estimates[0].std.value or 0.0)
    return Cell(literal(value, kind, digits), NUMBER, value, kind, size, reason, span(value, kind, digits))


def _estimates(result: LayerResult, columns: Sequence[Column]) -> list[Estimate]:
    return [found for direction in directions(columns) if (found := getattr(result, direction))]


def _directions(path: str) -> tuple[str, ...]:
    return (path.partition(".")[0],) if path in WORDS or path in ERRORS else quantity.parse(path).directions


def _row_name(typed: Any, layer: Layer, style: str, *, alone: bool) -> str:
    """Return the user's own name of a layer, parameters behind it where several layers have it, or the SPEC's words."""
    if layer.called and alone:
        return layer.called
    if style == "spec":
        return layer.label if layer.called else typed.spec
    params = typed.params if isinstance(typed.params, dict) else _given(layer)
    return naming.styled(naming.words(layer.wording, params), style)


def _given(layer: Layer) -> dict[str, Any]:
    """Return the parameters of a layer that differ from its defaults."""
    plain = {} if layer.composed else type(layer)().values()
    return {name: value for name, value in layer.values().items() if value != plain.get(name)}


def _styled(name: str, style: str) -> str:
    return name if style in ("spec", "snake") else naming.styled(naming.split(name), style)
