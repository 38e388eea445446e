"""A Result as a Report: one row a direction for ``compute``, one row a layer for ``table``."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from normcal.catalog import family
from normcal.law import PLAIN, Law
from normcal.quantity import QUANTITIES
from normcal.renderer import Renderer
from normcal.report import Block, Cell, Error, Heading, Items, Members, Number, Paragraph, Report, Table
from normcal.result import STANDARD_ERROR, Estimate, LayerResult, Result, weakest
from normcal.value import Value

if TYPE_CHECKING:
    from normcal.streaming import Rows

_ENGINES = "engine"
_GAUSSIAN = "gaussian approximation"
#: A table of more rows than this is shown family by family.
MOST_UNGROUPED = 60
#: column -> quantity, of the wide table
_COLUMNS = {
    "fwd mean": "forward.mean",
    "fwd std": "forward.std",
    "fwd gain": "forward.gain",
    "bwd std": "backward.std",
    "bwd gain": "backward.gain",
    "jacobian factor": "jacobian_factor",
}


def by_direction(result: Result) -> Report:
    """Return the report of ``compute``: every quantity of every direction."""
    columns = ("layer", "direction", *QUANTITIES, "status", _ENGINES, "mean_error", "std_error")
    rows = []
    for row in result.layers:
        for direction, estimate in _parts(row):
            numbers = [Number(getattr(estimate, name), estimate.error_kind) for name in QUANTITIES]
            errors = Error(estimate.mean.error), Error(estimate.std.error)
            rows.append((row.layer.label, direction, *numbers, estimate.status, estimate.engine, *errors))
    blocks: list[Block] = [Table(columns, tuple(rows), words=("layer", "direction", "status", _ENGINES))]
    factors = [(row.layer.label, _number(row, "jacobian_factor")) for row in result.layers if row.jacobian_factor.value]
    if factors:
        blocks.append(Table(("layer", "jacobian factor"), tuple(factors), words=("layer",)))
    return _report(result, [*blocks, *_approximations(result)])


def by_layer(result: Result, more: list[Block] | None = None) -> Report:
    """Return the report of ``table``: one row a layer, then what else the config asks for."""
    names = {column: path for column, path in _COLUMNS.items() if _asked(result, path)}
    columns = ("layer", *names, _ENGINES, "relative error")
    blocks: list[Block] = []
    for heading, rows in _groups(result):
        lines = tuple(_line(row, names) for row in rows)
        blocks += [*heading, Table(columns, lines, words=("layer", _ENGINES))]
    return _report(result, [*blocks, *_gradients(result), *_approximations(result), *(more or [])])


def streamed(rows: Rows, law: Law, extra: dict[str, Any] | None = None) -> Report:
    """Return the report of ``compute`` or ``table`` for a format that streams: nothing in it waits for all rows."""

    def members() -> Iterator[tuple[str, Any]]:
        for key, value in Result((), law).data().items():
            yield key, value if key != "layers" else (row.data() for row in rows)
        if rows.stopped is None and extra:
            yield from extra.items()

    return Report(Members(members()), (record for row in rows for record in _records(row, law)), ())


def _groups(result: Result) -> list[tuple[list[Block], list[LayerResult]]]:
    """Return the rows as they are or, where they are many, family by family under headings."""
    if len(result.layers) <= MOST_UNGROUPED:
        return [([], list(result.layers))]
    families = dict.fromkeys(family(type(row.layer)) for row in result.layers)
    return [([Heading(name)], [row for row in result.layers if family(type(row.layer)) == name]) for name in families]


def _line(row: LayerResult, names: dict[str, str]) -> tuple[Cell, ...]:
    numbers = [_number(row, path) for path in names.values()]
    engines = dict.fromkeys(estimate.engine for _, estimate in row.passes)
    worst = max(estimate.relative_error for _, estimate in row.passes)
    return row.layer.label, *numbers, ", ".join(engines), Error(worst if math.isfinite(worst) else None)


def _gradients(result: Result) -> list[Block]:
    """Return the table of what the backward pass leaves at each of several inputs and each learned weight."""
    rows = [
        (row.layer.label, name, Number(part.std, part.error_kind), Number(part.gain, part.error_kind))
        for row in result.layers
        if row.backward
        for name, part in row.backward.parts.items()
    ]
    columns = ("layer", "gradient of", "std", "gain")
    heading = [Heading("Gradients of several inputs and of learned weights")]
    return [*heading, Table(columns, tuple(rows), words=columns[:2])] if rows else []


def _approximations(result: Result) -> list[Block]:
    """Return the table of what chains give where each layer is taken to see normal input, beside the true std."""
    rows = []
    for row in result.layers:
        for direction, estimate in _approximated(row):
            its = [Number(value, estimate.error_kind) for value in (estimate.mean, estimate.std)]
            true = getattr(row, direction)
            kind = STANDARD_ERROR if STANDARD_ERROR in (estimate.error_kind, true.error_kind) else estimate.error_kind
            off = Number(row.gaussian.off(direction, true), kind)
            rows.append((row.layer.label, direction, *its, Number(true.std, true.error_kind), off, estimate.engine))
    columns = ("layer", "direction", "mean", "std", "true std", "std / true std", _ENGINES)
    heading = Heading("Gaussian approximation: each layer fed a normal law with the mean and std of the one before")
    return [heading, Table(columns, tuple(rows), words=("layer", "direction", _ENGINES))] if rows else []


def _approximated(row: LayerResult) -> list[tuple[str, Estimate]]:
    """Return the estimates of the Gaussian approximation, where there is one, by direction."""
    if row.gaussian is None:
        return []
    pairs = ((direction, row.gaussian.of(direction)) for direction, _ in row.passes)
    return [(direction, estimate) for direction, estimate in pairs if estimate is not None]


def _number(row: LayerResult, path: str) -> Number:
    """Return the cell of a quantity; the error of a ratio is of the weaker kind of its parts."""
    kinds = {direction: estimate.error_kind for direction, estimate in row.passes}
    return Number(row.quantity(path), kinds.get(path.partition(".")[0], weakest(kinds.values())))


def _asked(result: Result, path: str) -> bool:
    """Whether the direction of a quantity was computed for any layer."""
    if path == "jacobian_factor":
        return any(row.forward and row.backward for row in result.layers)
    return any(getattr(row, path.partition(".")[0]) for row in result.layers)


def _report(result: Result, blocks: list[Block]) -> Report:
    assumptions = Paragraph(result.law.assumptions)
    head = [Paragraph(result.title)] if result.title else []
    notes = Items(tuple(note for row in result.layers for note in row.notes), aside=True)
    constants = functools.partial(_constants, result) if result.layers else None
    records = [record for row in result.layers for record in _records(row, result.law)]
    return Report(result.data(), records, (*head, assumptions, *blocks, notes), constants=constants)


def _constants(result: Result, renderer: Renderer):
    from normcal import assembly  # only formats that hold constants need it

    return assembly.from_result(result, renderer)


def _parts(row: LayerResult) -> list[tuple[str, Estimate]]:
    """Return the estimates of each direction, and behind them those of each input and learned weight."""
    found: list[tuple[str, Estimate]] = []
    for direction, estimate in row.passes:
        found.append((direction, estimate))
        found += [(f"{direction} {name}", part) for name, part in estimate.parts.items()]
    return found


def _records(row: LayerResult, law: Law) -> Iterator[dict[str, Any]]:
    """Flatten: one record for each direction of a layer, for each of its parts, and for what approximates it."""
    spec, notes, factor = row.layer.spec, "; ".join(row.notes), row.jacobian_factor
    approximated = [(f"{direction} {_GAUSSIAN}", estimate) for direction, estimate in _approximated(row)]
    for direction, estimate in [*_parts(row), *approximated]:
        side, _, of = direction.partition(" ")
        record = {"spec": spec, **_inputs(law), "direction": side, "of": of}
        values: list[tuple[str, Value]] = [(name, getattr(estimate, name)) for name in QUANTITIES]
        record.update([(name, value.value) for name, value in values])
        record |= {"status": estimate.status, "engine": estimate.engine, "error_kind": estimate.error_kind}
        record.update([(f"{name}_error", value.error) for name, value in values])
        record |= {"samples": estimate.samples, "seed": estimate.seed}
        record |= {"jacobian_factor": factor.value, "jacobian_factor_error": factor.error, "notes": notes}
        yield record


def _inputs(law: Law) -> dict[str, Any]:
    """Return the columns that say under what law a row was computed."""
    told = law.data()
    named = {} if law.normal else {"input": law.spec}
    gradient = {} if law.gradient == PLAIN else {f"gradient_{key}": x for key, x in law.gradient.data().items()}
    return {"input_mean": told["mean"], "input_std": told["std"]} | named | gradient
