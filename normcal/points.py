"""What a sweep shows: a row a point, its axes in front; two axes may also make a grid for each quantity."""

from __future__ import annotations

import collections
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from normcal.errors import RequestError, echo
from normcal.quantity import Quantity
from normcal.report import Block, Cell, Error, Heading, Items, Members, Number, Paragraph, Report, Table
from normcal.result import BOUND, OK, STANDARD_ERROR, LayerResult, Result
from normcal.spec import written
from normcal.sweep import INPUT, Point, Points

#: Different remarks that are told, and that are told apart; of more, their number is.
MOST_REMARKS, MOST_KEPT = 20, 1000
#: Layers that a title names; of more, their number.
MOST_NAMED = 5
SWEEP, STATUS = "sweep", "status"


class Shown:
    """Points as they are shown: with these columns, perhaps with errors; counts the remarks on them as they pass."""

    def __init__(self, points: Points, columns: Sequence[Quantity], errors: bool = False) -> None:
        self.points, self.columns, self.errors = points, tuple(columns), errors
        self.labels = tuple(dict.fromkeys(sweep.label for sweep in points.sweeps))
        self.several = len(self.labels) > 1
        #: remark -> the first point that it is about, and how many there are
        self._first: dict[str, Point] = {}
        self._counts: collections.Counter = collections.Counter()
        self._more = 0

    def check_pivot(self, asked: bool) -> None:
        """Refuse a grid of what does not lie on two axes."""
        if asked and self.errors:
            raise RequestError("--pivot has no room for --errors.", "Leave one of them out.")
        for sweep in self.points.sweeps if asked else ():
            number = len(sweep.axes) + len(self.points.input)
            if number != 2:
                told = f"{echo(sweep.label)} has {'1 axis' if number else 'no axis'}: a grid needs two."
                raise RequestError(told, "Leave --pivot out, or give a second axis a range.")

    def streamed(self, found: Iterable[Point]) -> Report:
        """Return the report for a format that writes each row as it comes."""
        passing = (self._noted(point) for point in found)

        def members() -> Iterator[tuple[str, Any]]:
            yield from self._head().items()
            yield "points", (self._data(point) for point in passing)

        return Report(Members(members()), (self._record(point) for point in passing), ())

    def held(self, found: Sequence[Point], pivot: bool = False) -> Report:
        """Return the report of points that are all there; ``pivot`` lays out two axes as a grid."""
        collections.deque(map(self._noted, found), maxlen=0)
        data = self._head() | {"points": [self._data(point) for point in found]}
        grids = list(self._grids(found)) if pivot else []
        records = [record for grid in grids for record in grid.records()] if pivot else map(self._record, found)
        blocks = [block for grid in grids for block in grid.blocks(len(grids) > 1)] if pivot else [self._table(found)]
        told = Items(tuple(self.remarks()), aside=True)
        return Report(data, list(records), (*self._titles(), *blocks, told))

    def remarks(self) -> list[str]:
        """Return what must be known of some of the points, each remark once."""
        told = []
        for text, count in self._counts.most_common(MOST_REMARKS):
            place = ", ".join(f"{name}={written(value)}" for name, value in self._first[text].axes.items())
            several = f"at {count} of {len(self.points)} points, the first at {place}"
            where = "at every point" if count == len(self.points) else f"at {place}" if count == 1 else several
            told.append(f"{text} ({where})")
        more = len(self._counts) - len(told) + self._more
        return [*told, f"{more:_} more remarks stand in the rows that they are about"] if more else told

    def _noted(self, point: Point) -> Point:
        for text in point.row.notes:
            shown = text.removeprefix(f"{point.row.layer.spec}, ")
            shown = f"{point.sweep}, {shown}" if shown != text else text
            if len(self._first) < MOST_KEPT or shown in self._first:
                self._first.setdefault(shown, point)
                self._counts[shown] += 1
            else:
                self._more += 1
        return point

    def _head(self) -> dict[str, Any]:
        """Return what stands before the points; what is swept of the input's law is null there."""
        document = Result((), self.points.request.law).data()
        del document["layers"]
        told = document["assumptions"]["input"]
        swept = {INPUT[axis.name]: None for axis in self.points.input if axis.name in INPUT}
        if self.points.law_axes:  # of such a law, what it is called holds everywhere
            swept = dict.fromkeys(told) | {"law": told["law"]}
        document["assumptions"] = document["assumptions"] | {"input": told | swept}
        own = [{SWEEP: sweep.label} | axis.data() for sweep in self.points.sweeps for axis in sweep.axes]
        columns = {str(one): {"quantity": str(one), "meaning": one.meaning} for one in self.columns}
        return document | {"axes": [*own, *(axis.data() for axis in self.points.input)], "columns": columns}

    def _data(self, point: Point) -> dict[str, Any]:
        row = point.row
        values = {str(one): one.of(row) for one in self.columns}
        found = {SWEEP: point.sweep, "spec": row.layer.spec, "axes": point.axes}
        found |= {"values": {name: value.value for name, value in values.items()}}
        found |= {"errors": {name: value.error for name, value in values.items()}}
        for what, of in (("status", "status"), ("engine", "engine"), ("kinds", "error_kind")):
            found[what] = {direction: getattr(estimate, of) for direction, estimate in row.passes}
        return found | {"notes": list(row.notes)}

    def _record(self, point: Point) -> dict[str, Any]:
        law = point.request.law
        moments = {"input_mean": law.mean, "input_std": law.std}
        there = {name: value if math.isfinite(value) else None for name, value in moments.items()}
        axes = dict.fromkeys(self.points.names) | there | point.axes
        record: dict[str, Any] = {SWEEP: point.sweep, "spec": point.row.layer.spec} | axes
        for one in self.columns:
            value = one.of(point.row)
            record[str(one)] = value.value
            if self.errors:
                record[f"{one}_error"] = value.error
        passes = dict(point.row.passes)
        for direction in self.points.request.directions:
            estimate = passes.get(direction)
            record[f"{direction}_status"] = estimate and estimate.status
            record[f"{direction}_engine"] = estimate and estimate.engine
        return record | {"notes": "; ".join(point.row.notes)}

    def _titles(self) -> list[Block]:
        law = self.points.request.law
        swept = [axis.name for axis in self.points.input]
        rho = law.gradient.correlation
        tied = f" of correlation {rho:.12g} with it" if rho else ", independent"
        but = f" but for {' and '.join(swept)}" if swept else ""
        named = ", ".join(self.labels) if len(self.labels) <= MOST_NAMED else f"{len(self.labels)} layers"
        axes = " and ".join(self.points.names)
        return [
            Paragraph(f"{named}: {len(self.points):_} points over {axes}"),
            Paragraph(f"input {law}{but}, incoming gradient {law.gradient}{tied}"),
        ]

    def _table(self, found: Sequence[Point]) -> Table:
        """Return the long form: a row a point; a status only where one is not as it should be."""
        troubled = any(_status(point.row) != OK for point in found)
        names = self.points.names
        heads = [name for one in self.columns for name in ([str(one), f"{one} error"] if self.errors else [str(one)])]
        columns = (*([SWEEP] if self.several else []), *names, *heads, *([STATUS] if troubled else []))
        words = {name for name in names for point in found if isinstance(point.axes.get(name), str)}
        rows = []
        for point in found:
            numbers = [cell for one in self.columns for cell in self._cells(one, point.row)]
            axes = [_place(point.axes[name]) if name in point.axes else "" for name in names]
            label, status = [point.sweep] if self.several else [], [_status(point.row)] if troubled else []
            rows.append((*label, *axes, *numbers, *status))
        return Table(columns, tuple(rows), words=(SWEEP, STATUS, *words))

    def _cells(self, column: Quantity, row: LayerResult) -> list[Cell]:
        number = Number(column.of(row), _kind(column, row))
        return [number, Error(number.value.error)] if self.errors else [number]

    def _grids(self, found: Sequence[Point]) -> Iterator[Grid]:
        alike: dict[tuple, list[Point]] = {}
        for point in found:
            alike.setdefault((point.sweep, *point.axes), []).append(point)
        for (label, *_), those in alike.items():
            for column in self.columns:
                yield Grid(label, column, those, self.several)


class Grid:
    """One quantity over two axes: the values of the first down, of the second across."""

    def __init__(self, label: str, column: Quantity, found: Sequence[Point], several: bool) -> None:
        self.column, self.label, self.several = column, label, several
        self.names = tuple(found[0].axes)
        self.cells = {tuple(point.axes.values()): point.row for point in found}
        self.down, self.across = (tuple(dict.fromkeys(place[k] for place in self.cells)) for k in range(2))

    def blocks(self, headed: bool) -> list[Block]:
        corner = f"{self.names[0]} \\ {self.names[1]}"
        rows = [(_place(low), *(self._cell(low, high) for high in self.across)) for low in self.down]
        columns = (corner, *map(_place, self.across))
        words = (corner,) if any(isinstance(value, str) for value in self.down) else ()
        heading = f"{self.label}: {self.column}" if self.several else str(self.column)
        return [*([Heading(heading)] if headed else [Paragraph(heading)]), Table(columns, tuple(rows), words)]

    def records(self) -> list[dict[str, Any]]:
        named = f"{self.names[0]}\\{self.names[1]}"
        head = {SWEEP: self.label, "quantity": str(self.column)}
        return [
            head | {named: low} | {written(high): self._value(low, high) for high in self.across} for low in self.down
        ]

    def _value(self, low: Any, high: Any) -> float | None:
        row = self.cells.get((low, high))
        return row and self.column.of(row).value

    def _cell(self, low: Any, high: Any) -> Cell:
        row = self.cells.get((low, high))
        return "" if row is None else Number(self.column.of(row), _kind(self.column, row))


def _status(row: LayerResult) -> str:
    """Return the status of a row: what is not as it should be in either pass."""
    return ", ".join(dict.fromkeys(one.status for _, one in row.passes if one.status != OK)) or OK


def _kind(column: Quantity, row: LayerResult) -> str:
    """Return the kind of error of a quantity: a bound only where all that it depends on has one."""
    kinds = {estimate.error_kind for direction, estimate in row.passes if direction in column.directions}
    return STANDARD_ERROR if STANDARD_ERROR in kinds else next(iter(sorted(kinds - {BOUND})), BOUND)


def _place(value: Any) -> str:
    """Return a value of an axis as people read it: to more digits than axes are given in, and no noise behind."""
    return f"{value:.10g}" if isinstance(value, float) else written(value)
