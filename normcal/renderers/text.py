"""Text: rich tables on a terminal, aligned plain columns everywhere else."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from normcal.renderer import Renderer
from normcal.renderers._cells import written
from normcal.report import Block, Formula, Heading, Items, Report, Table, View

if TYPE_CHECKING:
    from normcal.constants import Constants

NARROW_DIGITS, NARROW_WORDS = 7, 14


class Text(Renderer):
    name = "text"
    suffixes = (".txt",)
    rounds = True

    def render(self, report: Report, view: View) -> str:
        blocks = [
            block for block in report.blocks if not (isinstance(block, Items) and (block.aside or not block.texts))
        ]
        if view.terminal:
            return _on_terminal(blocks, view)
        return "\n".join(f"{_plain(block, view)}\n" for block in blocks)

    def constants(self, document: Constants) -> str:
        from normcal.renderers._code import renamed, told

        return super().constants(renamed(document, told))

    def comment(self, lines: tuple[str, ...]) -> str:
        from normcal.renderers._code import note

        return "".join(f"# {note(line)}\n" for line in lines) + "\n"


RENDERER = Text()


def _plain(block: Block, view: View) -> str:
    if isinstance(block, Table):
        return _aligned(block, view)
    if isinstance(block, Heading):
        return f"{block.text}\n{'-' * len(block.text)}"
    if isinstance(block, Items):
        return "\n".join(f"- {text}" for text in block.texts)
    return f"    {block.text}" if isinstance(block, Formula) else block.text


def _aligned(table: Table, view: View) -> str:
    rows = [table.columns, *([written(cell, view) for cell in row] for row in table.rows)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(table.columns))]
    words = [column in table.words for column in table.columns]

    def line(row) -> str:
        return "  ".join(
            c.ljust(w) if word else c.rjust(w) for c, w, word in zip(row, widths, words, strict=True)
        ).rstrip()

    return "\n".join(map(line, rows))


def _on_terminal(blocks: list[Block], view: View) -> str:
    import io

    from rich.console import Console
    from rich.text import Text as RichText

    console = Console(
        file=io.StringIO(),
        force_terminal=view.color,
        color_system="standard" if view.color else None,
        no_color=not view.color,
        width=view.width,
        highlight=False,
    )
    for block in blocks:
        if isinstance(block, Table):
            console.print(_fitted(block, view, console))
        elif isinstance(block, Heading):
            console.print(RichText(block.text, style="bold"))
        else:
            console.print(RichText(_plain(block, view)))
    return console.file.getvalue()


def _fitted(table: Table, view: View, console):
    """Draw a table; where it is too wide, with fewer digits, then folded, then rows for columns."""
    least, natural = _widths(table, view, console)
    if view.digits is None and natural > view.width:
        view = replace(view, digits=NARROW_DIGITS)
        least, natural = _widths(table, view, console)
    if least > view.width and len(table.columns) > 2:
        return _on_its_side(table, view, console)
    return _rich_table(table, view)


def _widths(table: Table, view: View, console) -> tuple[int, int]:
    """Return the least width that folds only words, and none shorter than NARROW_WORDS; and the natural one.

    A column is as wide as its longest cell needs, and no narrower than its longest word: rows of those two measure
    the same as all of them.
    """
    columns = list(zip(*([written(cell, view) for cell in row] for row in table.rows), strict=True))
    extremes = tuple(zip(*((max(c, key=_length), max(c, key=_longest_word)) for c in columns), strict=True))
    drawn = _rich_table(Table(table.columns, extremes, table.words), view)
    measured = console.measure(drawn, options=console.options.update(width=10_000))
    return measured.minimum, measured.maximum


def _length(text: str) -> int:
    """Return how many places the longest line of a text takes on a terminal."""
    from rich.cells import cell_len

    return len(text) if text.isascii() and "\n" not in text else max(map(cell_len, text.splitlines()), default=0)


def _longest_word(text: str) -> int:
    return max(map(_length, text.split()), default=0)


def _on_its_side(table: Table, view: View, console):
    """Draw the rows as columns, as many side by side as fit."""
    from rich.console import Group

    rows = [tuple(written(cell, view) for cell in row) for row in table.rows]
    label = max(map(len, table.columns)) + 1
    most = max(view.width - label - 2, NARROW_WORDS)
    groups, room = [[]], most
    for row in rows:
        wide = min(max(map(len, row)) + 2, most)
        if groups[-1] and wide > room:
            groups.append([])
            room = most
        groups[-1].append(row)
        room -= wide
    turned = []
    for group in groups:
        columns = (table.columns[0], *(row[0] for row in group))
        lines = zip(table.columns[1:], *(row[1:] for row in group), strict=True)
        turned.append(_rich_table(Table(columns, tuple(lines), words=(table.columns[0],)), view, folds=True))
    return Group(*turned)


def _rich_table(table: Table, view: View, *, folds: bool = False):
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text as RichText

    drawn = RichTable(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False, collapse_padding=True)
    cells = [[written(cell, view) for cell in row] for row in table.rows]
    for i, column in enumerate(table.columns):
        word, style = column in table.words, "cyan" if i == 0 else None
        longest = max(map(_length, [column, *(row[i] for row in cells)]))
        drawn.add_column(
            column,
            justify="left" if word else "right",
            style=style,
            overflow="fold",
            no_wrap=i == 0 if folds else not word,
            min_width=min(longest, NARROW_WORDS) if word else None,
        )
    for row in cells:
        drawn.add_row(*map(RichText, row))
    return drawn
