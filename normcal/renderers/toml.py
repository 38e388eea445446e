"""TOML: constants as tables, with comments; an absent number is left out."""

from __future__ import annotations

import re

from normcal.constants import WORD, Cell, Constants, Row
from normcal.renderer import ConstantsRenderer
from normcal.renderers._code import missing, notes, quoted, reason, remark, remarked, told


class Toml(ConstantsRenderer):
    name = "toml"
    suffixes = (".toml",)

    def constants(self, document: Constants) -> str:
        """Return a table of numbers, or a table a row; below the document's name where it has one."""
        lines = [f"# {line}".rstrip() for line in notes(document)]
        if document.name and document.flat:
            lines += ["", f"[{_key(document.name)}]"]
        for row in document.rows:
            lines += _number(row) if document.flat else ["", *_table(document, row)]
        return "\n".join(lines) + "\n"

    def name_of(self, words: list[str]) -> str:
        """Return no name: the rows stand at the top."""
        return ""


RENDERER = Toml()


def _table(document: Constants, row: Row) -> list[str]:
    path = ".".join(_key(name) for name in (document.name, row.name)[0 if document.name else 1 :])
    entries = [_entry(column.name, cell) for column, cell in zip(document.columns, row.cells, strict=True)]
    return [*remarked(f"[{path}]", row, f"# {told(remark(row))}"), *entries]


def _number(row: Row) -> list[str]:
    (cell,) = row.cells
    line = _entry(row.name, cell)
    return [line] if missing(cell) else remarked(line, row, f"# {told(remark(row))}", len(cell.text))


def _entry(name: str, cell: Cell) -> str:
    if missing(cell):
        return f"# {told(f'{name}: {reason(cell)}')}"
    return f"{_key(name)} = {quoted(cell.text) if cell.role == WORD else cell.text}"


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else quoted(name)
