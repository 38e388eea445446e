"""The JSON Schema of a file of published constants, as ``normcal audit`` reads it."""

from __future__ import annotations

from normcal.request import LARGEST, MOST_SAMPLES
from normcal.schema import DIALECT

#: What one file may hold.
MOST_ENTRIES = 10_000
_LONGEST = 4_000


def schema() -> dict:
    """Return the schema."""
    return {
        "$schema": DIALECT,
        "title": "Published constants for normcal audit",
        "type": "object",
        "required": ["constants"],
        "additionalProperties": False,
        "properties": {
            "about": _text("One line on whose constants these are"),
            "constants": {
                "type": "array",
                "minItems": 1,
                "maxItems": MOST_ENTRIES,
                "items": entry(),
                "description": f"Accepted: a list of 1 to {MOST_ENTRIES:_} mappings with name, layer, quantity, value.",
            },
        },
    }


def entry() -> dict:
    """Return the schema of one published constant."""
    return {
        "type": "object",
        "required": ["name", "layer", "quantity", "value"],
        "additionalProperties": False,
        "properties": {
            "name": _text("Accepted: a name that no other constant has, such as nfnet.relu.", 200),
            "layer": _text("Accepted: a SPEC as text, such as leaky_relu(negative_slope=0.2).", _LONGEST),
            "quantity": _text("Accepted: a quantity, such as forward.gain or backward.std^2.", 200),
            "value": {
                "type": ["number", "string"],
                "description": "Accepted: a number, or arithmetic such as sqrt(2) or 5/3; its digits count.",
            },
            "samples": {
                "type": "integer",
                "minimum": 2,
                "maximum": MOST_SAMPLES,
                "description": f"Accepted: a whole number of draws from 2 to {MOST_SAMPLES:_}.",
            },
            "mean": {
                "type": "number",
                "minimum": -LARGEST,
                "maximum": LARGEST,
                "description": f"Accepted: a number in [{-LARGEST:g}, {LARGEST:g}].",
            },
            "std": {
                "type": "number",
                "minimum": 0,
                "maximum": LARGEST,
                "description": f"Accepted: a number in [0, {LARGEST:g}].",
            },
            "source": _text("Where it is published: repository, path and commit, or a paper"),
            "definition": _text("What the source says or shows it to be"),
            "ambiguous": _text("Why it is not certain what it should be"),
            "note": _text("What else a maintainer should know"),
        },
    }


def _text(description: str, longest: int = _LONGEST) -> dict:
    return {"type": "string", "minLength": 1, "maxLength": longest, "description": description}
