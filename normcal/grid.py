"""A table in a layout of the config's own: quantities down, layers across."""

from __future__ import annotations

from normcal import catalog, pipeline, quantity
from normcal.errors import RequestError, echo, unknown
from normcal.report import Heading, Number, Table
from normcal.request import Request

_KEYS = ("title", "corner", "rows", "columns")


class Grid:
    """Rows are quantities, columns layers; a column may name another layer for one of the rows."""

    def __init__(self, described: dict, request: Request) -> None:
        for key in described:
            if key not in _KEYS:
                raise unknown("key of 'grid'", str(key), _KEYS)
        self.title = str(described.get("title", ""))
        self.corner = str(described.get("corner", ""))
        self.rows = _mapping("rows", described.get("rows"))
        for path in self.rows.values():
            quantity.parse(str(path))
        self.columns = {
            label: _cells(label, specs, self.rows)
            for label, specs in _mapping("columns", described.get("columns")).items()
        }
        self.request = request
        self.cells = {label: {row: self._cell(label, row, spec) for row, spec in specs.items()}
                      for label, specs in self.columns.items()}  # fmt: skip

    def _cell(self, label: str, row: str, spec: str):
        try:
            layer = catalog.layer(spec)
            return layer.spec, pipeline.quantity(self.request, layer, self.rows[row])
        except RequestError as error:
            raise RequestError(f"grid, column {echo(label)}, row {echo(row)}: {error.message}", error.hint) from None

    def blocks(self) -> list:
        rows = [(row, *(Number(self.cells[label][row][1]) for label in self.columns)) for row in self.rows]
        table = Table((self.corner or "quantity", *self.columns), tuple(rows), words=(self.corner or "quantity",))
        return [Heading(self.title), table] if self.title else [table]

    def data(self) -> dict:
        return {
            label: {row: {"spec": spec, "quantity": self.rows[row], "value": value.value, "error": value.error}
                    for row, (spec, value) in cells.items()}
            for label, cells in self.cells.items()
        }  # fmt: skip


def _mapping(key: str, value) -> dict:
    if not isinstance(value, dict) or not value or not all(isinstance(name, str) for name in value):
        raise RequestError(f"'{key}' of 'grid' cannot be {echo(value)}.", "Accepted: a mapping of labels.")
    return value


def _cells(label: str, specs, rows: dict) -> dict[str, str]:
    """Return row -> SPEC of a column, given as one SPEC or as a mapping of rows."""
    if isinstance(specs, str):
        return dict.fromkeys(rows, specs)
    if not isinstance(specs, dict) or set(specs) != set(rows) or not all(isinstance(s, str) for s in specs.values()):
        accepted = f"Accepted: one SPEC, or one for each of {', '.join(rows)}."
        raise RequestError(f"column {echo(label)} of 'grid' is not described.", accepted)
    return specs
