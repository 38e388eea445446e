"""JSON: the document with every digit; an absent number is null, never NaN."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from normcal.renderer import StreamingRenderer
from normcal.report import Report, View

if TYPE_CHECKING:
    from normcal.constants import Constants

_quoted = json.encoder.encode_basestring


class Json(StreamingRenderer):
    name = "json"
    suffixes = (".json",)

    def pieces(self, report: Report, view: View) -> Iterator[str]:
        head = "{"
        for key, value in report.data.items():
            head += f"\n  {_quoted(key)}: "
            if isinstance(value, Iterator):
                head += "["
                for item in value:
                    yield f"{head}\n    {_text(item, '    ')}"
                    head = ","
                head = "\n  ]," if head == "," else f"{head}],"
            else:
                head += f"{_text(value, '  ')},"
        yield head.removesuffix(",") + ("\n}\n" if report.data else "}\n")

    def constants(self, document: Constants) -> str:
        """Return the provenance as keys, then what each row is, then the constants."""
        from normcal.renderers import _json

        return _json.constants(document)


RENDERER = Json()


def _text(value: Any, pad: str) -> str:
    """Return a value as ``json.dumps`` with an indent of 2 writes it within a document, several times as fast."""
    kind = type(value)
    if kind is str:
        return _quoted(value)
    if kind is float and math.isfinite(value):
        return repr(value)
    if kind is int:
        return repr(value)
    if value is None or kind is bool:
        return "null" if value is None else "true" if value else "false"
    deeper = f"{pad}  "
    if kind is dict and all(type(key) is str for key in value):
        inner = f",\n{deeper}".join([f"{_quoted(key)}: {_text(one, deeper)}" for key, one in value.items()])
        return f"{{\n{deeper}{inner}\n{pad}}}" if inner else "{}"
    if kind is list:
        inner = f",\n{deeper}".join([_text(one, deeper) for one in value])
        return f"[\n{deeper}{inner}\n{pad}]" if inner else "[]"
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False).replace("\n", f"\n{pad}")
