"""What a schema is, and validation against one: the place that fails, what would be accepted there.

A file in ``schemas/`` defines ``schema()``, a JSON Schema (draft 2020-12) as a plain dict, and may use the
keywords of ``KEYWORDS``. Descriptions of the form "Accepted: ..." stand in error messages.
"""

from __future__ import annotations

import re
from typing import Any

from normcal import discover
from normcal.errors import RequestError, echo, unknown
from normcal.yamlfile import Document, Place

DIALECT = "https://json-schema.org/draft/2020-12/schema"
KEYWORDS = frozenset(
    (
        "$schema", "$defs", "$ref", "title", "description", "type", "enum", "const", "anyOf", "properties", "required",
        "additionalProperties", "propertyNames", "items", "minItems", "maxItems", "minimum", "maximum",
        "exclusiveMinimum", "minLength", "maxLength", "pattern",
    )
)  # fmt: skip
_TYPES = {
    "object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float),
    "null": type(None),
}  # fmt: skip
_ARTICLES = {"object": "a mapping", "array": "a list", "string": "text", "boolean": "true or false",
             "integer": "a whole number", "number": "a number", "null": "null"}  # fmt: skip


def names() -> tuple[str, ...]:
    """Every schema that ships."""
    return discover.names("schemas")


def get(name: str) -> dict:
    """Return the schema of that name."""
    if name not in names():
        raise unknown("schema", name, names())
    return discover.load("schemas", name).schema()


class Invalid(RequestError):
    """A value that its schema does not accept, with its place in the document."""

    def __init__(self, place: Place, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.place = place


def check(document: Document, schema: dict) -> None:
    """Raise RequestError with file, line and key for the first thing in a document that a schema refuses."""
    try:
        validate(document.data, schema)
    except Invalid as error:
        raise document.refused(error, error.place) from None


def validate(value: Any, schema: dict) -> None:
    """Raise Invalid for the first place where a value breaks a schema.

    >>> validate({"digits": 3}, {"properties": {"digits": {"type": "integer", "maximum": 2}}})
    Traceback (most recent call last):
    normcal.schema.Invalid: 'digits' cannot be 3.
    Accepted: a whole number of at most 2.
    """
    _validate(value, schema, (), schema.get("$defs", {}))


def _validate(value: Any, schema: dict, place: Place, defs: dict) -> None:
    if "$ref" in schema:
        schema = defs[schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        _any_of(value, schema, place, defs)
    if "type" in schema and not _is(value, schema["type"]):
        raise _refused(value, schema, place)
    if "enum" in schema and not any(_same(value, one) for one in schema["enum"]):
        raise _not_in(value, schema, place)
    if "const" in schema and not _same(value, schema["const"]):
        raise _refused(value, schema, place)
    if isinstance(value, dict):
        _mapping(value, schema, place, defs)
    elif isinstance(value, list):
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            raise _refused(value, schema, place)
        for index, item in enumerate(value):
            _validate(item, schema.get("items", {}), (*place, index), defs)
    elif not _fits(value, schema):
        raise _refused(value, schema, place)


def _mapping(value: dict, schema: dict, place: Place, defs: dict) -> None:
    known, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    for name in value:  # a key that is misspelt tells more than the one that is missing for it
        if name not in known and others is False:
            error = unknown("key", str(name), known)
            raise Invalid((*place, str(name)), error.message, error.hint)
        if not isinstance(name, str):
            raise Invalid((*place, str(name)), f"the key {_told(name)} is not text.", "Quote it.")
    for name in schema.get("required", ()):
        if name not in value:
            raise Invalid(place, f"the key {name!r} is missing.", _accepted(known.get(name, {})))
    for name, inner in value.items():
        if "propertyNames" in schema:
            _validate(name, schema["propertyNames"], (*place, name), defs)
        _validate(inner, known.get(name, others if isinstance(others, dict) else {}), (*place, name), defs)


def _any_of(value: Any, schema: dict, place: Place, defs: dict) -> None:
    """Accept what one of the branches accepts; else tell what is wrong in the one that fits its type."""
    errors = []
    for branch in schema["anyOf"]:
        try:
            return _validate(value, branch, place, defs)
        except Invalid as error:
            errors.append(error)
    deepest = max(errors, key=lambda error: len(error.place))
    if len(deepest.place) > len(place):
        raise deepest
    raise _refused(value, schema, place)


def _is(value: Any, types: str | list[str]) -> bool:
    """Whether a value has a type; true and false are no numbers, 3.0 is a whole one."""
    for name in [types] if isinstance(types, str) else types:
        if isinstance(value, bool) and name != "boolean":
            continue
        if isinstance(value, _TYPES[name]) or (name == "integer" and isinstance(value, float) and value.is_integer()):
            return True
    return False


def _same(one: Any, other: Any) -> bool:
    """Whether two values are equal as JSON has it: true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    return one == other


def _fits(value: Any, schema: dict) -> bool:
    if isinstance(value, str):
        long_enough = schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value))
        return long_enough and re.search(schema.get("pattern", ""), value) is not None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        inside = schema.get("minimum", value) <= value <= schema.get("maximum", value)
        return inside and value == value and ("exclusiveMinimum" not in schema or value > schema["exclusiveMinimum"])
    return True


def _refused(value: Any, schema: dict, place: Place) -> Invalid:
    name = repr(place[-1]) if place and isinstance(place[-1], str) else f"item {place[-1]}" if place else "this"
    return Invalid(place, f"{name} cannot be {_told(value)}.", _accepted(schema))


def _told(value: Any) -> str:
    """Say what a value is in the words of YAML and JSON."""
    if isinstance(value, (list, dict)):
        return ("an empty " if not value else "a ") + ("list" if isinstance(value, list) else "mapping")
    return (
        {None: "null", True: "true", False: "false"}[value] if value is None or isinstance(value, bool) else echo(value)
    )


def _not_in(value: Any, schema: dict, place: Place) -> Invalid:
    if not isinstance(value, str):
        return _refused(value, schema, place)
    what = str(next((step for step in reversed(place) if isinstance(step, str)), "value"))
    error = unknown(what, value, [str(one) for one in schema["enum"]])
    return Invalid(place, error.message, error.hint)


def _accepted(schema: dict) -> str:
    """Say what a schema accepts: in its own words, else from its keywords."""
    described = schema.get("description", "")
    if described.startswith("Accepted: "):
        return described
    if "enum" in schema:
        return f"Accepted: {', '.join(map(str, schema['enum']))}."
    if "const" in schema:
        return f"Accepted: {schema['const']}."
    if "type" not in schema:
        return described
    types = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    text = " or ".join(_ARTICLES[name] for name in types)
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        text += f" from {low:_} to {high:_}"
    elif high is not None:
        text += f" of at most {high:_}"
    elif low is not None:
        text += f" of at least {low:_}"
    return f"Accepted: {text}."
