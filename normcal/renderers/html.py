"""HTML: one page by itself, with tables that a person sorts and filters, and the curves of activations."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping

from normcal.constants import WORD, Cell, Constants
from normcal.errors import RequestError
from normcal.renderer import Renderer
from normcal.renderers import _page
from normcal.renderers._cells import written
from normcal.renderers._page import element, text
from normcal.report import Block, Error, Formula, Heading, Items, Number, Paragraph, Report, Table, View

Curve = tuple[tuple[float, float], ...]
#: Tables of more rows than this show no curves.
MOST_CURVES = 1000
#: A curve's box, and how far from 0 its ordinates are shown.
_WIDE, _HIGH, _MARGIN, _FAR = 320, 160, 8, 4.0
_TINY = 1e-300
_TOLD = "The curves show x from -4 to 4, and y as far as it goes from 0 but no further than 4."


class Html(Renderer):
    name = "html"
    suffixes = (".html", ".htm")
    rounds = True

    def render(self, report: Report, view: View) -> str:
        blocks = _joined([block for block in report.blocks if not (isinstance(block, Items) and not block.texts)])
        if not blocks or not isinstance(blocks[0], (Heading, Paragraph)):
            blocks.insert(0, Heading("normcal", level=0))
        curves = self._curves(report)
        body = [element("h1", text(blocks[0].text)), *(_block(block, view, curves) for block in blocks[1:])]
        return _page.page(blocks[0].text, [*body, *_foot([_TOLD] if curves else [])])

    def constants(self, document: Constants) -> str:
        """Return the page of one table; its first comment tells where the numbers come from."""
        told = document.provenance[: len(document.provenance) - len(document.request_lines)]
        curves = _shown((row.spec, row.curve) for row in document.rows) if len(document.rows) <= MOST_CURVES else {}
        remarks = [block for block in document.report().blocks if isinstance(block, Items) and block.texts]
        body = [
            element("h1", text(document.name)),
            *(element("p", text(line)) for line in document.header),
            _constants(document, curves),
            *(_items(block) for block in remarks),
            *_foot([told[0], *told[1 + len(document.header) :], *([_TOLD] if curves else [])]),
        ]
        return _page.page(document.name, body, self.comment((told[0], *document.request_lines)))

    def comment(self, lines: tuple[str, ...]) -> str:
        return _page.comment(lines)

    def name_of(self, words: list[str]) -> str:
        return " ".join(words).capitalize()

    def _curves(self, report: Report) -> dict[str, Curve]:
        """Return the curves of a report's layers by SPEC."""
        rows = sum(len(block.rows) for block in report.blocks if isinstance(block, Table))
        if report.constants is None or rows > MOST_CURVES:
            return {}
        try:
            found = report.constants(self)
        except RequestError:  # a layer that is asked for twice makes no constants, but a table
            return {}
        return _shown((row.spec, row.curve) for row in found.rows)


RENDERER = Html()


def _shown(curves: Iterable[tuple[str, Curve]]) -> dict[str, Curve]:
    return {spec: curve for spec, curve in curves if curve}


# -- blocks ----------------------------------------------------------------------------------------


def _joined(blocks: list[Block]) -> list[Block | list[tuple[Heading, Table]]]:
    """Make one table, to be sorted as a whole, of those that follow each other under headings with equal columns."""
    found: list = []
    i = 0
    while i < len(blocks):
        block, after = blocks[i], blocks[i + 1] if i + 1 < len(blocks) else None
        if not (isinstance(block, Heading) and isinstance(after, Table)):
            found.append(block)
            i += 1
            continue
        if found and isinstance(found[-1], list) and found[-1][0][1].columns == after.columns:
            found[-1].append((block, after))
        else:
            found.append([(block, after)])
        i += 2
    return found


def _block(block, view: View, curves: Mapping[str, Curve]) -> str:
    if isinstance(block, list) and len(block) == 1:
        heading, table = block[0]
        return f"{_heading(heading)}\n{_table([(None, table)], view, curves)}"
    if isinstance(block, list):
        return _table([(heading.text, table) for heading, table in block], view, curves)
    if isinstance(block, Heading):
        return _heading(block)
    if isinstance(block, Table):
        return _table([(None, block)], view, curves)
    if isinstance(block, Items):
        return _items(block)
    if isinstance(block, Formula):
        return element("pre", text(block.text))
    return element("p", text(block.text))


def _heading(heading: Heading) -> str:
    return element(f"h{min(max(heading.level, 1) + 1, 6)}", text(heading.text))


def _items(items: Items) -> str:
    return "\n".join(["<ul>", *(element("li", text(item)) for item in items.texts), "</ul>"])


def _foot(lines: list[str]) -> list[str]:
    return ["<footer>", *(element("p", text(line)) for line in lines), "</footer>"] if lines else []


# -- tables ----------------------------------------------------------------------------------------

#: The column whose error is that of all numbers of its row.
_ERROR = "relative error"
_CURVE_HEAD = '<th scope="col" class="curve">curve</th>'


def _head(name: str, word: bool, meaning: str = "") -> str:
    kind = "" if word else "n error" if name == _ERROR else "n"
    return element("th", text(name), scope="col", class_=kind, title=meaning)


def _table(groups: list[tuple[str | None, Table]], view: View, curves: Mapping[str, Curve]) -> str:
    table = groups[0][1]
    words = [column in table.words for column in table.columns]
    drawn = any(_spec(row) in curves for _, one in groups for row in one.rows)
    heads = [_head(column, word) for column, word in zip(table.columns, words, strict=True)]
    heads[1:1] = [_CURVE_HEAD] if drawn else []
    lines = []
    for heading, one in groups:
        rows = [[_cell(cell, word, view) for cell, word in zip(row, words, strict=True)] for row in one.rows]
        for cells, row in zip(rows, one.rows, strict=True):
            cells[1:1] = [_curve(curves.get(_spec(row), ()))] if drawn else []
        lines.append((heading, rows))
    return _framed(heads, lines, table.columns[0])


def _spec(row: tuple) -> str:
    return row[0] if row and isinstance(row[0], str) else ""


def _cell(cell, word: bool, view: View) -> str:
    bound = cell.value.error if isinstance(cell, Number) and not cell.sampled else None
    content = text(written(cell, view))
    shown = element("code", content) if isinstance(cell, Formula) else content
    told = "" if bound is None else f"± {written(Error(bound), view)}"
    return element("td", shown, class_="" if word else "n", title=told)


def _constants(document: Constants, curves: Mapping[str, Curve]) -> str:
    """Return the table of constants: the text of a cell stands in it once, as it is."""
    words = [any(row.cells[i].role == WORD for row in document.rows) for i in range(len(document.columns))]
    renamed = any(row.name != row.spec for row in document.rows)
    heads = [
        *(_head(name, True) for name in (("name", "layer") if renamed else ("layer",))),
        *([_CURVE_HEAD] if curves else []),
        *(_head(column.name, word, column.meaning) for column, word in zip(document.columns, words, strict=True)),
        _head("engine", True),
        _head(_ERROR, False),
    ]
    rows = [
        [
            element("td", text(row.name)),
            *([element("td", text(row.spec))] if renamed else []),
            *([_curve(curves.get(row.spec, ()))] if curves else []),
            *(_constant(cell, word) for cell, word in zip(row.cells, words, strict=True)),
            element("td", text(row.engine.text)),
            element("td", text(row.error.text), class_="n"),
        ]
        for row in document.rows
    ]
    return _framed(heads, [(None, rows)], document.name)


def _constant(cell: Cell, word: bool) -> str:
    return element("td", text(cell.text), class_="" if word else "n", title=cell.reason)


def _framed(heads: list[str], groups: list[tuple[str | None, list[list[str]]]], label: str) -> str:
    """Return a table in a frame that scrolls by itself; a group of rows stands below its heading."""
    lines = [f'<div class="scroll" role="region" aria-label="{text(label)}" tabindex="0">', "<table>"]
    lines += ["<thead>", f"<tr>{''.join(heads)}</tr>", "</thead>"]
    for heading, rows in groups:
        lines.append("<tbody>")
        if heading is not None:
            span = f'<th scope="rowgroup" colspan="{len(heads)}"><span>{text(heading)}</span></th>'
            lines.append(f'<tr class="group">{span}</tr>')
        lines += [f"<tr>{''.join(row)}</tr>" for row in rows]
        lines.append("</tbody>")
    return "\n".join([*lines, "</table>", "</div>"])


# -- curves ----------------------------------------------------------------------------------------


def _curve(points: Curve) -> str:
    """Return a cell with a curve and the axes at 0; an empty one of a layer that has none."""
    if not points:
        return '<td class="curve"></td>'
    low = max(min(0.0, *(y for _, y in points)), -_FAR)
    high = min(max(0.0, *(y for _, y in points)), _FAR)
    scale = (_HIGH - 2 * _MARGIN) / (high - low if high - low > _TINY else 1.0)

    def place(x: float, y: float) -> tuple[int, int]:
        down = _HIGH - _MARGIN - (min(max(y, low - _FAR), high + _FAR) - low) * scale
        return round(_WIDE * (0.5 + x / 8.0)), round(down)

    axis, level = place(0.0, 0.0)
    axes = f'<path class="axes" d="M{axis} 0V{_HIGH}M0 {level}H{_WIDE}"/>'
    line = f'<path d="{_path([place(x, y) for x, y in points])}"/>'
    return f'<td class="curve"><svg viewBox="0 0 {_WIDE} {_HIGH}" aria-hidden="true">{axes}{line}</svg></td>'


def _path(points: list[tuple[int, int]]) -> str:
    """Return a path of relative steps; equal ones that follow each other are one.

    >>> _path([(0, 5), (2, 5), (4, 5), (6, 3)])
    'M0 5l4 0l2 -2'
    """
    steps: list[tuple[int, int]] = []
    last = None
    for (x, y), (a, b) in itertools.pairwise(points):
        step = a - x, b - y
        steps[-1:] = [(steps[-1][0] + step[0], steps[-1][1] + step[1])] if step == last else [*steps[-1:], step]
        last = step
    return "M{} {}".format(*points[0]) + "".join(f"l{dx} {dy}" for dx, dy in steps)
