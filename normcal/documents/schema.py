"""A JSON Schema, as ``normcal schema`` prints it."""

from __future__ import annotations

import json

from normcal import draft, schema
from normcal.document import Computation, Document
from normcal.draft import Draft
from normcal.errors import RequestError
from normcal.output import Output


class SchemaDocument(Document):
    keys = ("schema",)

    def draft(self, output: Output, computation: Computation) -> Draft:
        if "schema" not in output.settings:
            raise output.refused(
                RequestError("the key 'schema' is missing.", f"Accepted: {', '.join(schema.names())}.")
            )
        return draft.plain(text(output.settings["schema"]))


DOCUMENT = SchemaDocument()


def text(name: str) -> str:
    """Return a schema as JSON."""
    return json.dumps(schema.get(name), indent=2, ensure_ascii=False) + "\n"
