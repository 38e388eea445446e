"""The schema of the JSON and YAML that commands write: results, constants, verdicts, listings."""

from __future__ import annotations

from typing import Any

from normcal import law as laws
from normcal.layer import DIRECTIONS
from normcal.quantity import JACOBIAN_FACTOR, QUANTITIES
from normcal.result import (
    BOUND,
    ESTIMATE,
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
_STATUS = {"enum": [OK, INFINITE, UNDEFINED, OVERFLOW, TOLERANCE_MISSED]}


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
        "$defs": {
            "law": _law(),
            "assumptions": _laws(),
            "record": _record(),
            "layer": _layer(),
            "gaussian": _gaussian(),
            "column": _column(),
            "axis": _axis(),
            "point": _point(),
            "figure": _figure(),
            "kernel": _kernel(),
        },
    }


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/$defs/{name}"}


#: What the commands write, by the keys that tell them apart.
_DOCUMENTS: dict[str, dict[str, Any]] = {
    "results of compute and table": {
        "assumptions": _ref("assumptions"),
        "layers": {"type": "array", "items": _ref("layer")},
    },
    "the points of a sweep; what is swept of the input's law is null in the assumptions": {
        "assumptions": _OBJECT,
        "axes": {"type": "array", "items": _ref("axis"), "minItems": 1},
        "columns": {"type": "object", "additionalProperties": _ref("column")},
        "points": {"type": "array", "items": _ref("point")},
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
    "the solutions of solve": {"status": {"enum": ["solved", "no-solution"]}, "solutions": _OBJECTS},
    "the recipes of solve": {"recipes": _OBJECTS},
    "the listing of layers": {"layers": {"type": "array", "items": _OBJECT | {"required": ["name", "family"]}}},
    "the account of explain": {"spec": _TEXT},
    "the account of kernel": {"kernel": _ref("kernel")},
}


def _document(description: str, properties: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a mapping that has all these keys, and may have others."""
    return {"type": "object", "description": description, "properties": properties, "required": list(properties)}


def _figure() -> dict[str, Any]:
    """A number of a kernel: null where it is infinite or cannot be stated; ``error`` is a bound."""
    found = {"value": _NUMBER, "error": _ERROR, "status": _STATUS}
    return _document("a number of a kernel, its error a bound", found) | {
        "properties": found | {"route": _TEXT, "reason": _TEXT}
    }


def _kernel() -> dict[str, Any]:
    figures = {"type": "array", "items": _ref("figure")}
    row = {"c": {"type": "number", "minimum": -1, "maximum": 1}} | dict.fromkeys(
        ("dual", "map", "slope"), _ref("figure")
    )
    properties = {
        "layer": _TEXT,
        "spec": _TEXT,
        "input": _ref("law"),
        "coefficients": figures,
        "correlations": {"type": "array", "items": _document("a correlation", row)},
        "derivatives": figures,
        "network": _document("the maps of a wide network", {"q": {"type": "number"}, "chi": _ref("figure")}),
        "critical": _document("the edge of chaos", {"points": _OBJECTS}),
    }
    return _document("the kernel of an activation", properties)


def _law() -> dict[str, Any]:
    """A law: mean and std are null where they are infinite or do not exist; one that is not normal says more."""
    std = {"type": ["number", "null"], "minimum": 0}
    more = {
        "spec": _TEXT,
        "params": _OBJECT,
        "standardised": {"type": "boolean"},
        "correlation": {"type": "number", "minimum": -1, "maximum": 1},
    }
    law = _document("a law", {"law": {"enum": list(laws.names())}, "mean": _NUMBER, "std": std})
    return law | {"properties": law["properties"] | more}


def _laws() -> dict[str, Any]:
    return _document(
        "the laws of the input and of the incoming gradient", {"input": _ref("law"), "gradient": _ref("law")}
    )


def _column() -> dict[str, Any]:
    return _document("a column of constants", {"quantity": _TEXT, "meaning": _TEXT})


def _axis() -> dict[str, Any]:
    whole = {"type": "integer", "minimum": 2}
    return _document("an axis of a sweep; its values stand at the points", {"name": _TEXT, "count": whole})


def _point() -> dict[str, Any]:
    """A layer under an input law: by quantity what was found, by direction how."""
    named = {"values": _NUMBER, "errors": _ERROR, "status": _STATUS, "engine": _TEXT, "kinds": _TEXT}
    by_name = {name: {"type": "object", "additionalProperties": of} for name, of in named.items()}
    return _document(
        "a point of a sweep", {"sweep": _TEXT, "spec": _TEXT, "axes": _OBJECT} | by_name | {"notes": _TEXTS}
    )


def _record() -> dict[str, Any]:
    """One direction of one layer; null where it was not asked for."""
    errors = {
        "type": "object",
        "properties": {"kind": {"enum": [BOUND, ESTIMATE, STANDARD_ERROR]}} | dict.fromkeys(QUANTITIES, _ERROR),
    }
    parts = {"type": "object", "additionalProperties": {"$ref": "#/$defs/record"}}
    return {
        "type": ["object", "null"],
        "properties": {
            **dict.fromkeys(QUANTITIES, _NUMBER),
            "status": _STATUS,
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
            "stages": _TEXTS,
            "gaussian": _ref("gaussian"),
        },
        "required": ["layer", "spec", "params", "forward", "backward", JACOBIAN_FACTOR, "notes"],
    }


def _gaussian() -> dict[str, Any]:
    """A chain whose layers are each taken to see normal input, and what that is over the true std."""
    stage = _document("a layer of the chain, and the law it is fed", {"spec": _TEXT, "input": _ref("law")})
    of_direction = {"": _ref("record"), "_ratio": _NUMBER, "_ratio_error": _ERROR}
    properties = {direction + end: its for direction in DIRECTIONS for end, its in of_direction.items()}
    stages = {"type": "array", "items": stage, "minItems": 1}
    return _document("the Gaussian approximation of a chain", {"stages": stages} | properties)
