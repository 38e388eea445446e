"""Constants as YAML: a mapping, its rows remarked on in comments."""

from __future__ import annotations

import re

from normcal.constants import WORD, Cell, Constants, Row
from normcal.renderers._code import missing, notes, quoted, reason, remark, remarked, told

#: Words that YAML 1.1 or 1.2 reads as something else than text.
_OTHERS = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null"])


def constants(document: Constants) -> str:
    """Return the document."""
    rows = [line for row in document.rows for line in _row(document, row)]
    if document.name:
        rows = [f"{_key(document.name)}:", *(f"  {line}" for line in rows)]
    return "\n".join([*(f"# {line}".rstrip() for line in notes(document)), *rows]) + "\n"


def _row(document: Constants, row: Row) -> list[str]:
    if not document.flat:
        columns = zip(document.columns, row.cells, strict=True)
        return [
            *remarked(f"{_key(row.name)}:", row, f"# {told(remark(row))}"),
            *(f"  {_entry(column.name, cell)}" for column, cell in columns),
        ]
    (cell,) = row.cells
    if missing(cell):
        return [_entry(row.name, cell)]
    return remarked(_entry(row.name, cell), row, f"# {told(remark(row))}", len(cell.text))


def _entry(name: str, cell: Cell) -> str:
    if missing(cell):
        return f"{_key(name)}: null  # {told(reason(cell))}"
    return f"{_key(name)}: {quoted(cell.text) if cell.role == WORD else cell.text}"


def _key(name: str) -> str:
    """Return a name as a key: in quotes unless every reader takes it for text."""
    plain = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) and name.lower() not in _OTHERS
    return name if plain else quoted(name)
