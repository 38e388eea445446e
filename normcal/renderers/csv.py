"""CSV: one flat row a record, every digit kept, absent values empty."""

from __future__ import annotations

import csv
import io

from normcal.renderer import Renderer
from normcal.report import Report, View


class Csv(Renderer):
    name = "csv"
    suffixes = (".csv",)

    def render(self, report: Report, view: View) -> str:
        columns = list(dict.fromkeys(key for record in report.records for key in record))
        stream = io.StringIO()
        writer = csv.DictWriter(stream, columns, restval="", lineterminator="\n")
        writer.writeheader()
        for record in report.records:
            writer.writerow({k: "" if v is None else repr(v) if isinstance(v, float) else v for k, v in record.items()})
        return stream.getvalue()


RENDERER = Csv()
