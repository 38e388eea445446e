"""CSV: one flat row a record, every digit kept, absent values empty."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from normcal.errors import RequestError
from normcal.renderer import StreamingRenderer
from normcal.report import Report, View

if TYPE_CHECKING:
    from normcal.constants import Constants

#: What stands before and behind the numbers of each row.
_BEFORE = ("name", "layer")
_BEHIND = ("engine", "relative_error", "input_mean", "input_std", "generator")


class Csv(StreamingRenderer):
    name = "csv"
    suffixes = (".csv",)

    def pieces(self, report: Report, view: View) -> Iterator[str]:
        """Yield a line a record; records that are still to come have the keys of the first."""
        records, known = report.records, report.records
        if isinstance(records, Iterator):
            known = list(itertools.islice(records, 1))
            records = itertools.chain(known, records)
        columns = dict.fromkeys(key for record in known for key in record)
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        for record in records:
            writer.writerow([record.get(column) for column in columns])
            yield stream.getvalue()
            stream.seek(0)
            stream.truncate()
        yield stream.getvalue()

    def constants(self, document: Constants) -> str:
        """Return a row a layer; words are always in quotes, numbers never."""
        from normcal.constants import WORD

        for column in document.columns:
            self.check_name(column.name, "column")
        head = [*_BEFORE, *(column.name for column in document.columns), *_BEHIND]
        law = [repr(document.law.mean), repr(document.law.std), _word(document.generator.text)]
        lines = [",".join(map(_field, head))]
        for row in document.rows:
            cells = [_word(cell.text) if cell.role == WORD else cell.text for cell in row.cells]
            engine = [_word(row.engine.text), row.error.text]
            lines.append(",".join([_word(row.name), _word(row.spec), *cells, *engine, *law]))
        return "\n".join(lines) + "\n"

    def check_name(self, name: str, what: str) -> None:
        """Refuse a column that the format has already."""
        if what == "column" and name in (*_BEFORE, *_BEHIND):
            raise RequestError(f"csv has a column {name!r} of its own.", "Give yours another name.")


RENDERER = Csv()


def _word(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _field(name: str) -> str:
    """Return the name of a column, in quotes where a comma, a quote or a break makes it need them."""
    return name if re.fullmatch(r"[^\s,\"]+", name) else _word(name)
