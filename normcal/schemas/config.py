"""The schema of a config: a table's layers, and the files that generate writes."""

from __future__ import annotations

from typing import Any

from normcal import discover
from normcal.catalog import MOST_LAYERS
from normcal.constants import AS_ERROR, CONSTANTS, MAPPING, ROUND_TRIP
from normcal.naming import STYLES
from normcal.quantity import CONSTRAINTS
from normcal.rounding import MOST
from normcal.schema import DIALECT

_TEXT = {"type": "string"}
_NUMBER = {"type": ["number", "string"], "description": "Accepted: a number."}
_UNQUOTED = "Accepted: text; quote it where YAML reads something else."
_SPECS = {
    "type": "array",
    "items": {"type": "string", "description": _UNQUOTED},
    "minItems": 1,
    "maxItems": MOST_LAYERS,
    "description": f"Accepted: a list of 1 to {MOST_LAYERS} SPECs, such as [relu, gelu].",
}


def schema() -> dict[str, Any]:
    """Return the JSON Schema; names of formats, engines, profiles and documents are those that there are."""
    return {
        "$schema": DIALECT,
        "title": "normcal config",
        "description": "What 'normcal table' tabulates and 'normcal generate' writes.",
        "type": "object",
        "properties": {
            "title": _TEXT,
            "layers": _SPECS,
            "families": _families(),
            "format": _formats(),
            "digits": {"type": "integer", "minimum": 1, "maximum": MOST},
            "grid": {"type": "object", "description": "Accepted: a mapping."},
            "printed": {"type": "array", "description": "Accepted: a list."},
            **_request(),
            "direction": _direction(),
            "workers": _NUMBER,
            "outputs": {"type": "array", "items": {"$ref": "#/$defs/output"}, "minItems": 1, "maxItems": 1000},
        },
        "additionalProperties": False,
        "$defs": {"output": _output()},
    }


def _output() -> dict[str, Any]:
    return {
        "type": "object",
        "description": "One file.",
        "properties": {
            "path": _path("a file that is written"),
            "format": _formats(),
            "document": {"enum": list(discover.names("documents"))},
            "profile": {"enum": list(discover.names("profiles", ".yaml"))},
            "template": _path("a Jinja2 template"),
            "config": _path("a config, or the name of one that ships"),
            "schema": {"enum": list(discover.names("schemas"))},
            "layers": _list_or_names("SPECs", _SPECS),
            "also": _list_or_names("SPECs", _SPECS),
            "families": _families(),
            "columns": _list_or_names("quantities", {"type": "array", "items": _TEXT, "minItems": 1, "maxItems": 1000}),
            "constraint": {"enum": list(CONSTRAINTS)},
            "digits": {
                "anyOf": [{"type": "integer", "minimum": 1, "maximum": MOST}, {"enum": [ROUND_TRIP, AS_ERROR]}],
                "description": f"Accepted: a whole number from 1 to {MOST}, {ROUND_TRIP}, or {AS_ERROR}.",
            },
            "header": _TEXT,
            "epilogue": _TEXT,
            "name": {"type": "string", "minLength": 1, "maxLength": 200},
            "keys": {"enum": list(STYLES)},
            "layout": {"enum": [MAPPING, CONSTANTS]},
            **_request(),
        },
        "required": ["path"],
        "additionalProperties": False,
    }


def _path(of: str) -> dict[str, Any]:
    return {"type": "string", "minLength": 1, "maxLength": 4000, "description": f"Accepted: the path of {of}."}


def _list_or_names(what: str, listed: dict[str, Any]) -> dict[str, Any]:
    named = {"type": "object", "additionalProperties": {"type": "string", "description": _UNQUOTED}}
    return {"anyOf": [listed, named], "description": f"Accepted: a list of {what}, or a mapping of names to {what}."}


def _request() -> dict[str, Any]:
    """The options of a computation; their intervals are checked where every command checks them."""
    numbers = dict.fromkeys(("mean", "std", "tol", "samples", "seed"), _NUMBER)
    return {"engine": {"enum": ["auto", *discover.names("engines")]}, **numbers}


def _direction() -> dict[str, Any]:
    return {"enum": ["forward", "backward", "both"]}


def _formats() -> dict[str, Any]:
    return {"enum": list(discover.names("renderers"))}


def _families() -> dict[str, Any]:
    return {"type": "array", "items": {"enum": list(discover.names("layers"))}, "minItems": 1}
