"""A file as it would be written: its text, and where in it which number stands."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from normcal import rounding
from normcal.constants import ERROR, NUMBER, WORD, Cell, Constants, literal, pointed, span
from normcal.report import Error, Number, Report, Table
from normcal.result import BOUND, STANDARD_ERROR
from normcal.value import Value

#: Stand-ins for the text of a cell: two characters that tell which one, then padding, as long as the text.
_HIGH, _LOW, _PAD, _PAGE = 0xF0000, 0xF8000, 0xFFF00, 4096
_STAND_IN = re.compile(f"[{chr(_HIGH)}-{chr(_LOW - 1)}][{chr(_LOW)}-{chr(_PAD - 1)}]{chr(_PAD)}*")
#: A number of a text, where no word goes on.
TOKEN = re.compile(r"(?<![\w.])[-+~]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?(?!\w|\.[0-9])")


@dataclass(frozen=True)
class Figure:
    """A place in a text that holds a cell: from ``start`` to ``end``, of a row and a column."""

    start: int
    end: int
    cell: Cell
    row: str = ""
    column: str = ""


@dataclass(frozen=True)
class Draft:
    """The text of a file, its figures in the order of the text, and the text with others in their place."""

    text: str
    figures: tuple[Figure, ...]
    rewrite: Callable[[dict[int, str]], str]


def plain(text: str) -> Draft:
    """Return the draft of a text that holds no number of ours."""
    return Draft(text, (), lambda texts: text)


def of_constants(constants: Constants, render: Callable[[Constants], str]) -> Draft:
    """Draft a file of constants: rendered twice, the second time with a stand-in for every cell.

    A text in which the stand-ins do not stand for the cells (a template cuts or recasts them) has no figures.
    """
    cells = constants.cells()
    text = render(constants)
    marked = render(constants.with_texts([_stand_in(i, cell) for i, (cell, _, _) in enumerate(cells)]))
    figures, order, at = [], [], 0
    pieces: list[str] = []
    for match in _STAND_IN.finditer(marked):
        index = (ord(match[0][0]) - _HIGH) * _PAGE + ord(match[0][1]) - _LOW
        if index >= len(cells):
            return plain(text)
        cell, row, column = cells[index]
        pieces += [marked[at : match.start()], cell.text]
        at = match.end()
        figures.append(Figure(match.start(), match.end(), cell, row.name if row else "", column.name if column else ""))
        order.append(index)
    if "".join([*pieces, marked[at:]]) != text or any(f.end - f.start != len(f.cell.text) for f in figures):
        return plain(text)

    def rewrite(texts: dict[int, str]) -> str:
        written = [cell.text for cell, _, _ in cells]
        for figure, replacement in texts.items():
            written[order[figure]] = replacement
        return render(constants.with_texts(written))

    return Draft(text, tuple(figures), rewrite)


def of_report(report: Report, text: str, digits: int | None = None) -> Draft:
    """Draft a report: a number of its text that is a value of the report, as a format writes it, is a figure.

    So is the version that wrote it.
    """
    forms: dict[str, tuple[Cell, str, str]] = {}
    for cell, row, column in _cells(report):
        for form, allowed in _forms(cell, digits).items():
            known = forms.get(form)
            # where two values are written alike, the one that is known better decides
            if known is None or (cell.role == NUMBER and _error(cell) < _error(known[0])):
                forms[form] = (replace(cell, text=form, digits=allowed), row, column)
    versions = _versions(report, text)
    taken = {place for figure in versions for place in range(figure.start, figure.end)}
    numbers = [
        Figure(match.start(), match.end(), *forms[match[0]])
        for match in TOKEN.finditer(text)
        if match[0] in forms and match.start() not in taken
    ]
    figures = tuple(sorted(versions + numbers, key=lambda figure: figure.start))

    def rewrite(texts: dict[int, str]) -> str:
        pieces, at = [], 0
        for index, figure in enumerate(figures):
            pieces += [text[at : figure.start], texts.get(index, figure.cell.text)]
            at = figure.end
        return "".join([*pieces, text[at:]])

    return Draft(text, figures, rewrite)


def _versions(report: Report, text: str) -> list[Figure]:
    """Return where a report names the version that wrote it."""
    generator = report.data.get("generator")
    if not generator:
        return []
    found = re.finditer(re.escape(generator) + r"(?![\w.])", text)
    return [Figure(match.start(), match.end(), Cell(generator, WORD)) for match in found]


def _stand_in(index: int, cell: Cell) -> str:
    if len(cell.text) < 2 or cell.fixed:
        return cell.text
    high, low = divmod(index, _PAGE)
    return chr(_HIGH + high) + chr(_LOW + low) + chr(_PAD) * (len(cell.text) - 2)


def _error(cell: Cell) -> float:
    return float("inf") if cell.role == ERROR or cell.value.error is None else cell.value.error


def _forms(cell: Cell, digits: int | None) -> dict[str, tuple[int, int] | None]:
    """Return the ways in which formats write a cell, each with the digits that it may have."""
    number = cell.value.value
    if number is None:
        return {}
    exact = dict.fromkeys((repr(number), pointed(repr(number))))
    if cell.role == ERROR and not number:
        return {}  # a 0 may be anything, and an error that is 0 here is 0 everywhere
    if cell.role == ERROR:
        return dict.fromkeys((rounding.error(number), f"{number:.1e}", rounding.significant(number, 2))) | exact
    found = {rounding.text(cell.value, most): rounding.span(cell.value, most) for most in (None, digits)}
    if cell.kind == STANDARD_ERROR:
        sampled = span(cell.value, cell.kind)
        found[literal(cell.value, cell.kind)] = sampled
        found[rounding.with_error(cell.value, digits).partition(" ± ")[0]] = sampled
    return found | exact


def _cells(report: Report) -> list[tuple[Cell, str, str]]:
    """Return the values and errors that a report holds: of its tables, its records and its data."""
    found: list[tuple[Cell, str, str]] = []
    for block in report.blocks:
        if isinstance(block, Table):
            for row in block.rows:
                name = str(row[0]) if row and isinstance(row[0], str) else ""
                for cell, column in zip(row, block.columns, strict=True):
                    if isinstance(cell, Number):
                        size = abs(cell.value.value or 0.0)
                        found.append((Cell("", NUMBER, cell.value, cell.kind or BOUND, size), name, column))
                        if cell.sampled and cell.value.error is not None:
                            found.append((Cell("", ERROR, Value(cell.value.error, 0.0)), name, column))
                    elif isinstance(cell, Error) and cell.value is not None:
                        found.append((Cell("", ERROR, Value(cell.value, 0.0)), name, column))
    for record in report.records:
        found += _of_mapping(record, str(record.get("spec", "")))
    found += _of_data(report.data, "")
    return found


def _of_data(data: Any, name: str) -> list[tuple[Cell, str, str]]:
    """Walk a document: a number whose error stands beside it is a value."""
    found: list[tuple[Cell, str, str]] = []
    if isinstance(data, dict):
        name = data.get("spec", name)
        found += _of_mapping(data, name)
        for value in data.values():
            found += _of_data(value, name)
    elif isinstance(data, list):
        for value in data:
            found += _of_data(value, name)
    return found


def _of_mapping(data: dict[str, Any], name: str) -> list[tuple[Cell, str, str]]:
    """Return the values of one mapping: ``x`` beside ``x_error``, or beside ``error`` that holds x's."""
    own = data.get("error")
    errors = dict(own) if isinstance(own, dict) else {"value": own}
    errors |= {key.removesuffix("_error"): value for key, value in data.items() if key.endswith("_error")}
    kind = str(errors.pop("kind", data.get("error_kind", "bound")))
    found = []
    for key, error in errors.items():
        number = data.get(key)
        if isinstance(number, float) and (error is None or isinstance(error, float)):
            found.append((Cell("", NUMBER, Value(number, error), kind, abs(number)), name, key))
        if isinstance(error, float):
            found.append((Cell("", ERROR, Value(error, 0.0)), name, f"error of {key}"))
    return found
