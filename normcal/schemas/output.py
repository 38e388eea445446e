"""The schema of the JSON and YAML that commands write: results, constants, verdicts, listings."""

from __future__ import annotations

from typing import Any

from normcal.quantity import JACOBIAN_FACTOR, QUANTITIES
from normcal.result import (
    BOUND,
    INFINITE,
    OK,
    OVERFLOW,
    SCHEMA,
    STANDARD_ERROR,
    TOLERANCE_MISSED,
    UNDEFINED,
)  # fmt: skip
from normcal.schema import DIALECT

_TEXT = {"type": "string"}
_TEXTS = {"type": "array", "items": _TEXT}
_NUMBER = {"type": ["number", "null"]}
_OBJECT = {"type": "object"}
_OBJECTS = {"type": "array", "items": _OBJECT}
_ERROR = {"type": ["number", "null"], "minimum": 0}


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a document; which keys it has depends on the command."""
    return {
        "$schema": DIALECT,
        "title": "normcal output",
        "description": "What normcal writes with --format json, and as files of constants in JSON.",
        "type": "object",
        "properties": {"schema": {"const": SCHEMA}, "generator": {"type": "string", "pattern": r"^normcal \d+\.\d+"}},
        "required": ["schema", "generator"],
        "anyOf": [_document(description, properties) for description, properties in _DOCUMENTS.items()],
        "$defs": {"law": _law(), "assumptions": _laws(), "record": _record(), "layer": _layer(), "column": _column()},
    }


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/$defs/{name}"}


#: What the commands write, by the keys that tell them apart.
_DOCUMENTS: dict[str, dict[str, Any]] = {
    "results of compute and table": {
        "assumptions": _ref("assumptions"),
        "layers": {"type": "array", "items": _ref("layer")},
    },
    "a file of constants": {
        "assumptions": _ref("assumptions"),
        "columns": {"type": "object", "additionalProperties": _ref("column")},
        "constants": _OBJECT,
    },
    "the verdicts of verify": {"verdicts": _OBJECT, "comparisons": _OBJECTS},
    "the verdicts of check": {"verdict": _TEXT, "files": _OBJECTS},
    "the verdicts of audit": {"constants": _OBJECTS},
    "what identify found": {"matches": _OBJECTS},
    "the listing of layers": {"layers": {"type": "array", "items": _OBJECT | {"required": ["name", "family"]}}},
    "the account of explain": {"spec": _TEXT},
}


def _document(description: str, properties: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a mapping that has all these keys, and may have others."""
    return {"type": "object", "description": description, "properties": properties, "required": list(properties)}


def _law() -> dict[str, Any]:
    std = {"type": "number", "minimum": 0}
    return _document("a law", {"law": {"const": "normal"}, "mean": {"type": "number"}, "std": std})


def _laws() -> dict[str, Any]:
    return _document(
        "the laws of the input and of the incoming gradient", {"input": _ref("law"), "gradient": _ref("law")}
    )


def _column() -> dict[str, Any]:
    return _document("a column of constants", {"quantity": _TEXT, "meaning": _TEXT})


def _record() -> dict[str, Any]:
    """One direction of one layer; null where it was not asked for."""
    errors = {
        "type": "object",
        "properties": {"kind": {"enum": [BOUND, STANDARD_ERROR]}} | dict.fromkeys(QUANTITIES, _ERROR),
    }
    parts = {"type": "object", "additionalProperties": {"$ref": "#/$defs/record"}}
    return {
        "type": ["object", "null"],
        "properties": {
            **dict.fromkeys(QUANTITIES, _NUMBER),
            "status": {"enum": [OK, INFINITE, UNDEFINED, OVERFLOW, TOLERANCE_MISSED]},
            "engine": _TEXT,
            "reason": _TEXT,
            "error": errors | {"required": ["kind", *QUANTITIES], "additionalProperties": False},
            "samples": {"type": "integer", "minimum": 1},
            "seed": {"type": "integer", "minimum": 0},
            "sampler": _TEXT,
            "inputs": parts,
            "weights": parts,
        },
        "required": [*QUANTITIES, "status", "engine", "error"],
        "additionalProperties": False,
    }


def _layer() -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "layer": _TEXT,
            "spec": _TEXT,
            "params": _OBJECT,
            "forward": {"$ref": "#/$defs/record"},
            "backward": {"$ref": "#/$defs/record"},
            JACOBIAN_FACTOR: _NUMBER,
            f"{JACOBIAN_FACTOR}_error": _ERROR,
            "notes": _TEXTS,
        },
        "required": ["layer", "spec", "params", "forward", "backward", JACOBIAN_FACTOR, "notes"],
    }
