"""Constants as JSON: an object with provenance, what each row is, and the numbers."""

from __future__ import annotations

import json

from normcal.constants import WORD, Cell, Constants, Row
from normcal.renderers._code import missing, quoted, visible


def constants(document: Constants) -> str:
    """Return the document."""
    head = json.dumps(document.data(), indent=2, ensure_ascii=False, allow_nan=False).split("\n")
    layers = _member("layers", _object([_member(row.name, _layer(row)) for row in document.rows]))
    rows = _member("constants", _object([_member(row.name, _row(document, row)) for row in document.rows]))
    lines = [*map(visible, head[:-2]), f"{visible(head[-2])},", *_inner([layers, rows]), "}"]
    return "\n".join(lines) + "\n"


def _layer(row: Row) -> list[str]:
    known = row.error.value.value is not None
    texts = {"spec": quoted(row.spec), "engine": quoted(row.engine.text)}
    texts["relative_error"] = row.error.text if known else "null"
    return ["{" + ", ".join(f"{quoted(key)}: {text}" for key, text in texts.items()) + "}"]


def _row(document: Constants, row: Row) -> list[str]:
    if document.flat:
        return [_written(row.cells[0])]
    return _object(
        [_member(column.name, [_written(cell)]) for column, cell in zip(document.columns, row.cells, strict=True)]
    )


def _written(cell: Cell) -> str:
    return "null" if missing(cell) else quoted(cell.text) if cell.role == WORD else cell.text


def _member(key: str, value: list[str]) -> list[str]:
    return [f"{quoted(key)}: {value[0]}", *value[1:]]


def _object(members: list[list[str]]) -> list[str]:
    return ["{", *_inner(members), "}"] if members else ["{}"]


def _inner(members: list[list[str]]) -> list[str]:
    """Return members of an object as its lines, with commas between them."""
    lines = []
    for place, member in enumerate(members, 1):
        lines += [f"  {line}" for line in member]
        lines[-1] += "," if place < len(members) else ""
    return lines
