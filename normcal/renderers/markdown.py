"""Markdown: GitHub tables and LaTeX formulas."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from normcal.renderer import Renderer
from normcal.renderers._cells import written
from normcal.report import Block, Formula, Heading, Items, Report, Table, View

if TYPE_CHECKING:
    from normcal.constants import Constants


class Markdown(Renderer):
    name = "markdown"
    suffixes = (".md", ".markdown")
    rounds = True

    def render(self, report: Report, view: View) -> str:
        return "\n".join(f"{_block(block, view)}\n" for block in report.blocks if not _empty(block))

    def constants(self, document: Constants) -> str:
        from normcal.renderers._code import renamed

        return super().constants(renamed(document, _literal))

    def comment(self, lines: tuple[str, ...]) -> str:
        from normcal.renderers._code import HTML_HARM, note

        return "".join(f"<!-- {note(line, HTML_HARM)} -->\n" for line in lines) + "\n"


RENDERER = Markdown()


def _empty(block: Block) -> bool:
    return isinstance(block, Items) and not block.texts


def _block(block: Block, view: View) -> str:
    if isinstance(block, Heading):
        return f"{'#' * (block.level + 1)} {block.text}"
    if isinstance(block, Formula):
        return f"$$\n{block.latex}\n$$"
    if isinstance(block, Items):
        return "\n".join(f"- {text}" for text in block.texts)
    if isinstance(block, Table):
        return _table(block, view)
    return block.text


def _table(table: Table, view: View) -> str:
    rows = [[_escaped(written(cell, view, latex=True)) for cell in row] for row in table.rows]
    widths = [max(len(c), 4, *(len(row[i]) for row in rows)) if rows else len(c) for i, c in enumerate(table.columns)]
    words = [column in table.words for column in table.columns]

    def line(cells) -> str:
        padded = (c.ljust(w) if word else c.rjust(w) for c, w, word in zip(cells, widths, words, strict=True))
        return f"| {' | '.join(padded)} |"

    rule = (
        "| "
        + " | ".join("-" * w if word else "-" * (w - 1) + ":" for w, word in zip(widths, words, strict=True))
        + " |"
    )
    return "\n".join([line(table.columns), rule, *map(line, rows)])


def _escaped(text: str) -> str:
    """Keep a cell from breaking the table; in a formula a bar is \\vert and a norm \\Vert."""
    if text.startswith("$"):
        return text.replace(r"\|", r"\Vert ").replace("|", r"\vert ")
    words = re.split(r"(`[^`]*`)", text)  # within backticks every character is itself
    if sum(word.count("*") for word in words[::2]) > 1:  # one alone is itself, two may mean italics
        text = "".join(word if k % 2 else word.replace("*", r"\*") for k, word in enumerate(words))
    return text.replace("|", r"\|").replace("\n", " ")


def _literal(text: str) -> str:
    """Escape what in a user's own text would swallow the lines behind it: HTML, code, formulas."""
    from normcal.renderers._code import told

    return re.sub(r"([\\`~<$])", r"\\\1", told(text))
