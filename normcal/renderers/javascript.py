"""JavaScript: an ES module with one frozen object, or with constants."""

from __future__ import annotations

from normcal.constants import Constants
from normcal.renderers._script import Script


class JavaScript(Script):
    name = "javascript"
    suffixes = (".js", ".mjs")
    opens, closes = "Object.freeze({", "})"

    def open(self, document: Constants, name: str) -> str:
        return f"// prettier-ignore\nexport const {name} = Object.freeze({{"

    def close(self, document: Constants) -> str:
        return "});"


RENDERER = JavaScript()
