"""YAML: the same document as JSON, in the same order; constants as a mapping, with comments."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from normcal.renderer import StreamingRenderer
from normcal.renderers._dump import dumped, item, member
from normcal.report import Report, View

if TYPE_CHECKING:
    from normcal.constants import Constants


class Yaml(StreamingRenderer):
    name = "yaml"
    suffixes = (".yaml", ".yml")

    def pieces(self, report: Report, view: View) -> Iterator[str]:
        if not report.data:
            yield dumped(report.data)
        for key, value in report.data.items():
            if isinstance(value, Iterator):
                head = ""
                for one in value:
                    yield ("" if head else f"{key}:\n") + item(one)
                    head = key
                if not head:
                    yield member(key, [])
            else:
                yield member(key, value)

    def constants(self, document: Constants) -> str:
        """Return a mapping of rows, below the document's name where it has one."""
        from normcal.renderers import _yaml

        return _yaml.constants(document)

    def name_of(self, words: list[str]) -> str:
        """Return no name: the rows stand at the top."""
        return ""


RENDERER = Yaml()
