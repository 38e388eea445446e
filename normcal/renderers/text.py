"""Text: rich tables on a terminal, aligned plain columns everywhere else."""

from __future__ import annotations

from normcal.renderer import Renderer
from normcal.renderers._cells import written
from normcal.report import Block, Formula, Heading, Items, Report, Table, View


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
            console.print(_rich_table(block, view))
        elif isinstance(block, Heading):
            console.print(RichText(block.text, style="bold"))
        else:
            console.print(RichText(_plain(block, view)))
    return console.file.getvalue()


def _rich_table(table: Table, view: View):
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text as RichText

    drawn = RichTable(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for i, column in enumerate(table.columns):
        left = column in table.words
        drawn.add_column(column, justify="left" if left else "right", overflow="fold", style="cyan" if i == 0 else None)
    for row in table.rows:
        drawn.add_row(*(RichText(written(cell, view)) for cell in row))
    return drawn
