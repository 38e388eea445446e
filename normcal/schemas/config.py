"""The schema of a config: a table's layers, and the files that generate writes."""

from __future__ import annotations

from typing import Any

from normcal import discover
from normcal.catalog import MOST_LISTED
from normcal.constants import AS_ERROR, CONSTANTS, MAPPING, ROUND_TRIP
from normcal.naming import STYLES
from normcal.quantity import CONSTRAINTS
from normcal.rounding import MOST
from normcal.schema import DIALECT

_TEXT = {"type": "string"}
_NUMBER = {"type": ["number", "string"], "description": "Accepted: a number."}
_UNQUOTED = "Accepted: text; quote it where YAML reads something else."
_VALUE = {"type": ["number", "string"], "description": "Accepted: a number, or a range such as 0:1:5."}
_EXPRESSION = {
    "type": "object",
    "properties": {
        "expr": {"type": "string", "minLength": 1, "title": "A function as an expression, such as x * tanh(x)"},
        "name": {"type": "string", "minLength": 1, "title": "What tables and files call it"},
        "params": {
            "type": "object",
            "title": "The values of its names",
            "additionalProperties": {"anyOf": [_VALUE, {"type": "array", "items": _VALUE, "minItems": 1}],
                                     "description": "Accepted: a number, a list of numbers, or a range such as 0:1:5."},
        },
    },
    "required": ["expr"],
    "additionalProperties": False,
}  # fmt: skip
_LAYER = {
    "anyOf": [{"type": "string", "description": _UNQUOTED}, _EXPRESSION],
    "description": "Accepted: text; quote it where YAML reads something else; or a mapping such as {expr: x*tanh(x)}.",
}
_SPECS = {
    "type": "array",
    "items": _LAYER,
    "minItems": 1,
    "maxItems": MOST_LISTED,
    "description": f"Accepted: a list of 1 to {MOST_LISTED} SPECs, such as [relu, gelu].",
}


#: What each key is for, as an editor shows it.
_TITLES = {
    "title": "What the table is called",
    "layers": "The layers: SPECs, with sweeps and wildcards",
    "also": "Layers beside those of the profile",
    "families": "Every layer of these families of the catalogue",
    "format": "The format; by default the one that claims the path's suffix",
    "digits": "Significant digits",
    "grid": "Quantities against columns, in a layout of the config's own",
    "printed": "Published numbers to hold against the computed ones",
    "direction": "Which pass the table shows",
    "workers": "Threads or processes of a simulation; their number changes no bit",
    "executor": "What runs a simulation: threads, processes or a cluster",
    "defaults": "Keys that hold for every output that does not say otherwise",
    "outputs": "The files that 'normcal generate' writes and 'normcal check' holds",
    "path": "The file, from the config's folder, which it must not leave",
    "document": "What the file holds: constants, or a report",
    "profile": "A ready-made output; keys given here go over its own",
    "template": "A Jinja2 template of your own in place of a format",
    "config": "The config of a table",
    "schema": "Which schema",
    "columns": "Quantities, such as forward.gain, backward.std, jacobian_factor, scale.geometric, forward.rms_gain^2",
    "constraint": "One factor for both passes in place of forward.gain and backward.gain",
    "header": "Lines of your own in the comment at the top",
    "epilogue": "Code of your own at the end, in a programming language",
    "name": "What the whole is called: the dictionary, the prefix of macros",
    "keys": "The style of names that you do not give",
    "layout": "One mapping, or a definition a constant",
    "engine": "How to get the numbers; by default the first engine that serves",
    "mean": "Mean of the input's normal law",
    "std": "Its standard deviation",
    "input": "Law of the input where it is not normal, such as student_t(df=5); files lie beside the config",
    "gradient_mean": "Mean of the incoming gradient",
    "gradient_std": "Its standard deviation",
    "correlation": "Of each entry of the incoming gradient with its input",
    "tol": "Relative error to reach",
    "samples": "Monte Carlo draws of the whole layer",
    "seed": "Seed of the draws",
    "sampler": "Independent draws, mirrored pairs or scrambled Sobol points",
    "rtol": "Relative standard error at which sampling stops",
}


def schema() -> dict[str, Any]:
    """Return the JSON Schema; names of formats, engines, profiles and documents are those that there are."""
    return {
        "$schema": DIALECT,
        "title": "normcal config",
        "description": "What 'normcal table' tabulates and 'normcal generate' writes.",
        "type": "object",
        "properties": _titled(
            {
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
                "executor": {"enum": list(discover.names("executors"))},
                "defaults": _output(shared=True),
                "outputs": {"type": "array", "items": {"$ref": "#/$defs/output"}, "minItems": 1, "maxItems": 1000},
            }
        ),
        "additionalProperties": False,
        "$defs": {"output": _output()},
    }


def _titled(properties: dict[str, Any]) -> dict[str, Any]:
    return {name: {"title": _TITLES[name]} | one for name, one in properties.items()}


def _output(*, shared: bool = False) -> dict[str, Any]:
    """One file; or, shared by several, its keys but for the path."""
    properties = _titled(_keys())
    if shared:
        del properties["path"]
    return {
        "type": "object",
        "properties": properties,
        "required": [] if shared else ["path"],
        "additionalProperties": False,
    }


def _keys() -> dict[str, Any]:
    return {
        "path": _path("a file that is written"),
        "format": _formats(),
        "document": {"enum": list(discover.names("documents"))},
        "profile": {"enum": list(discover.names("profiles", ".yaml"))},
        "template": _path("a Jinja2 template"),
        "config": _path("a config, or the name of one that ships"),
        "schema": {"enum": list(discover.names("schemas"))},
        "layers": _list_or_names("SPECs", _SPECS, _LAYER),
        "also": _list_or_names("SPECs", _SPECS, _LAYER),
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
    }


def _path(of: str) -> dict[str, Any]:
    return {"type": "string", "minLength": 1, "maxLength": 4000, "description": f"Accepted: the path of {of}."}


def _list_or_names(what: str, listed: dict[str, Any], one: dict[str, Any] | None = None) -> dict[str, Any]:
    named = {"type": "object", "additionalProperties": one or {"type": "string", "description": _UNQUOTED}}
    return {"anyOf": [listed, named], "description": f"Accepted: a list of {what}, or a mapping of names to {what}."}


def _request() -> dict[str, Any]:
    """The options of a computation; their intervals are checked where every command checks them."""
    named = ("mean", "std", "gradient_mean", "gradient_std", "correlation", "tol", "samples", "seed", "rtol")
    words = {"input": _TEXT, "sampler": {"enum": list(discover.names("samplers"))}}
    return {"engine": {"enum": ["auto", *discover.names("engines")]}, **dict.fromkeys(named, _NUMBER), **words}


def _direction() -> dict[str, Any]:
    return {"enum": ["forward", "backward", "both"]}


def _formats() -> dict[str, Any]:
    return {"enum": list(discover.names("renderers"))}


def _families() -> dict[str, Any]:
    return {"type": "array", "items": {"enum": list(discover.families("layers"))}, "minItems": 1}
