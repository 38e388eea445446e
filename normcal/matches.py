"""The report of what a number is: its matches, the least likely to be luck first."""

from __future__ import annotations

from normcal import __version__
from normcal.identification import LUCK, Match
from normcal.law import Normal
from normcal.literal import Literal
from normcal.report import Items, Number, Paragraph, Report, Table
from normcal.result import SCHEMA

_COLUMNS = ("layer", "quantity", "exact", "difference", "luck", "how", "published as")


def report(literal: Literal, found: list[Match], law: Normal) -> Report:
    """Return the report on one number."""
    data = {
        "schema": SCHEMA, "generator": f"normcal {__version__}", "assumptions": {"input": law.data()},
        "number": literal.text, "value": literal.value, "matches": [match.data() for match in found],
    }  # fmt: skip
    records = [
        {key: "|".join(one["name"] for one in told) if key == "published" else told for key, told in row.items()}
        for row in data["matches"]
    ]
    if not found:
        text = f"{literal.text}: nothing meets it better than luck would{_hint(literal)}"
        return Report(data, records, (Paragraph(text),))
    table = Table(_COLUMNS, tuple(map(_row, found)), ("layer", "quantity", "how", "published as"))
    sources = {entry.name: entry.source for match in found for entry in match.published if entry.source}
    items = tuple(f"{name}: {source}" for name, source in sources.items())
    return Report(data, records, (Paragraph(f"{literal.text}, input {law}"), table, *([Items(items)] if items else [])))


def _hint(literal: Literal) -> str:
    few = literal.digits < 4
    return f" (more than {LUCK:.0%} of numbers with so few digits meet something)" if few else ""


def _row(match: Match) -> tuple:
    difference = "" if match.relative is None else f"{match.relative:+.1e}"
    names = ", ".join(entry.name for entry in match.published)
    exact = Number(match.exact) if match.exact.value is not None else ""
    return match.spec, match.quantity, exact, difference, f"{match.luck:.0e}", match.how, names
