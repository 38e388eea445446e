"""Table cells as text, for the formats that people read."""

from __future__ import annotations

from normcal import rounding
from normcal.report import Cell, Error, Formula, Number, View


def written(cell: Cell, view: View, *, latex: bool = False) -> str:
    """Return a cell as text, rounded as its error allows."""
    if isinstance(cell, Number):
        return (rounding.with_error if cell.sampled else rounding.text)(cell.value, view.digits)
    if isinstance(cell, Error):
        return rounding.error(cell.value)
    if isinstance(cell, Formula):
        return f"${cell.latex}$" if latex else cell.text
    return cell
