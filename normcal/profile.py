"""What a profile is: an output of a config, described once, that a config takes over or changes key by key."""

from __future__ import annotations

import functools
from typing import Any

from normcal import config, discover, schema, yamlfile
from normcal.errors import unknown

_FOLDER, _SUFFIX = "profiles", ".yaml"


def names() -> tuple[str, ...]:
    """Every profile that ships."""
    return discover.names(_FOLDER, _SUFFIX)


@functools.cache
def get(name: str) -> dict[str, Any]:
    """Return the keys of an output that a profile sets.

    >>> get("timm")["name"]
    '_nonlin_gamma'
    """
    if name not in names():
        raise unknown("profile", name, names())
    document = yamlfile.read(discover.path(_FOLDER, name, _SUFFIX), "profile")
    schema.check(document, _schema())
    return {key: value for key, value in config.spelled(document, ()).items() if key != "about"}


def about(name: str) -> str:
    """Return what a profile is for, in one line."""
    return yamlfile.read(discover.path(_FOLDER, name, _SUFFIX), "profile").data["about"]


def _schema() -> dict[str, Any]:
    """A profile is an output without a path, and a line that says what it is for."""
    whole = schema.get("config")
    output = dict(whole["$defs"]["output"])
    keys = {name: one for name, one in output["properties"].items() if name not in ("path", "profile")}
    return output | {
        "$defs": whole["$defs"],
        "properties": keys | {"about": {"type": "string"}},
        "required": ["about"],
    }
