"""TypeScript: a module with one object whose keys and values are its type, or with constants."""

from __future__ import annotations

from normcal.constants import WORD, Constants
from normcal.renderers._script import Script


class TypeScript(Script):
    name = "typescript"
    suffixes = (".ts", ".mts")

    def open(self, document: Constants, name: str) -> str:
        return f"// prettier-ignore\nexport const {name} = {{"

    def close(self, document: Constants) -> str:
        found = {"string" if cell.role == WORD else "number" for row in document.rows for cell in row.cells}
        of = " | ".join(sorted(found)) or "number"
        return f"}} as const satisfies Record<string, {of if document.flat else f'Record<string, {of}>'}>;"


RENDERER = TypeScript()
