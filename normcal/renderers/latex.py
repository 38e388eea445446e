"""LaTeX: a part of a document, for ``\\input``; tables need no package, formulas amsmath."""

from __future__ import annotations

import re

from normcal.constants import Constants
from normcal.renderer import Renderer
from normcal.renderers._cells import written
from normcal.renderers._code import note, renamed, told, visible
from normcal.report import Block, Formula, Heading, Items, Report, Table, View

_SIGNS = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "_": r"\_", "%": r"\%",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\char34{}", "`": r"\char96{}", "±": r"$\pm$", "×": r"$\times$",
    # behind \\ these would be its arguments
    "[": "{[}", "]": "{]}", "*": "{*}",
}  # fmt: skip
_SECTIONS = (r"\section*", r"\subsection*")


class Latex(Renderer):
    name = "latex"
    suffixes = (".tex",)
    rounds = True

    def render(self, report: Report, view: View) -> str:
        return "\n".join(f"{_block(block, view)}\n" for block in report.blocks if not _empty(block))

    def constants(self, document: Constants) -> str:
        return super().constants(renamed(document, told))

    def comment(self, lines: tuple[str, ...]) -> str:
        return "".join(f"% {note(line)}\n" for line in lines) + "\n"


RENDERER = Latex()


def _empty(block: Block) -> bool:
    return isinstance(block, Items) and not block.texts


def _block(block: Block, view: View) -> str:
    if isinstance(block, Heading):
        return f"{_SECTIONS[min(block.level, 1)]}{{{_escaped(block.text)}}}"
    if isinstance(block, Formula):
        return f"\\[\n{block.latex}\n\\]"
    if isinstance(block, Items):
        return "\n".join([r"\begin{itemize}", *(f"\\item {_escaped(text)}" for text in block.texts), r"\end{itemize}"])
    if isinstance(block, Table):
        return _table(block, view)
    return _escaped(block.text)


def _table(table: Table, view: View) -> str:
    places = "".join("l" if column in table.words else "r" for column in table.columns)
    rows = [[_cell(cell, view) for cell in row] for row in table.rows]
    lines = [" & ".join(row) + r" \\" for row in rows]
    head = " & ".join(map(_escaped, table.columns)) + r" \\"
    return "\n".join([f"\\begin{{tabular}}{{{places}}}", r"\hline", head, r"\hline", *lines, r"\hline",
                      r"\end{tabular}"])  # fmt: skip


def _cell(cell, view: View) -> str:
    return f"${cell.latex}$" if isinstance(cell, Formula) else _escaped(written(cell, view))


def _escaped(text: str) -> str:
    """Write text so that LaTeX sets it as it is, and no two signs become one."""
    text = re.sub(r"[\\{}$&#_%~^<>|\"`±×\[\]*]", lambda found: _SIGNS[found[0]], visible(text))
    return text.replace("--", "-{}-").replace("--", "-{}-")
