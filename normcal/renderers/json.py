"""JSON: the document with every digit; an absent number is null, never NaN."""

from __future__ import annotations

import json

from normcal.renderer import Renderer
from normcal.report import Report, View


class Json(Renderer):
    name = "json"
    suffixes = (".json",)

    def render(self, report: Report, view: View) -> str:
        return json.dumps(report.data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


RENDERER = Json()
