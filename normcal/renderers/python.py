"""Python: a module with a plain dictionary, typed, or with constants."""

from __future__ import annotations

import keyword

from normcal.constants import WORD, Cell, Column, Constants
from normcal.renderers._code import Code, missing


class Python(Code):
    name = "python"
    suffixes = (".py",)
    sign, gap = "# {}", "  "
    reserved = frozenset(keyword.kwlist)

    def file(self, document: Constants, body: list[str], own: list[str]) -> list[str]:
        """A docstring comes first: a comment on the first two lines may be taken for the name of an encoding."""
        own = ["", *own] if own else []
        return ['"""Constants of layers; the comments say where they come from."""', "",
                *self.head(document), "", *body, *own]  # fmt: skip

    def open(self, document: Constants, name: str) -> str:
        of = _type([cell for row in document.rows for cell in row.cells])
        return f"{name}: dict[str, {of if document.flat else f'dict[str, {of}]'}] = {{"

    def definitions(self, document: Constants) -> list[str]:
        present = any(not missing(cell) for row in document.rows for cell in row.cells)
        return [*(["from typing import Final", ""] if present else []), *super().definitions(document)]

    def define(self, column: Column, name: str, cell: Cell) -> str:
        return f"{name}: Final = {self.written(cell)}"


RENDERER = Python()


def _type(cells: list[Cell]) -> str:
    found = {"str" if cell.role == WORD else "float" for cell in cells}
    return " | ".join(sorted(found)) or "float"
