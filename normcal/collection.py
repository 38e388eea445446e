"""Published constants: the files that ship in ``published/`` and those of users, read and checked entry by entry."""

from __future__ import annotations

import functools
import os
import re
from dataclasses import dataclass
from typing import Any

from normcal import catalog, literal, quantity, schema
from normcal.errors import RequestError, echo, unknown
from normcal.law import STANDARD, Normal
from normcal.layer import Layer
from normcal.literal import Literal
from normcal.quantity import Quantity
from normcal.request import LARGEST, Request
from normcal.yamlfile import Document, read

_FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "published")
_SUFFIX = ".yaml"
_TOLD = re.compile(r"""^ +(?:- )?(layer|value): +["']?(.*?)["']? *(?:#.*)?$""", re.MULTILINE)
WHAT = "file of published constants"


@dataclass(frozen=True)
class Entry:
    """A published constant: what it is claimed to be, and where it stands."""

    name: str
    layer: Layer
    quantity: Quantity
    literal: Literal
    samples: int | None = None
    law: Normal = STANDARD
    source: str = ""
    definition: str = ""
    ambiguous: str = ""
    note: str = ""
    path: str = ""
    line: int | None = None

    def data(self) -> dict:
        found = {"name": self.name, "spec": self.layer.spec, "quantity": str(self.quantity)}
        if self.law != STANDARD:
            found["input"] = self.law.data()
        found |= {"published": self.literal.text, "published_value": self.literal.value, "samples": self.samples}
        told = {name: getattr(self, name) for name in ("definition", "source", "ambiguous", "note")}
        return found | {name: text for name, text in told.items() if text}


@dataclass(frozen=True)
class Group:
    """The entries of one file, in its order."""

    name: str
    about: str
    entries: tuple[Entry, ...]


def shipped() -> dict[str, str]:
    """Return the files that come with the package: name -> path."""
    files = sorted(name for name in os.listdir(_FOLDER) if name.endswith(_SUFFIX))
    return {name.removesuffix(_SUFFIX).replace("_", "-"): os.path.join(_FOLDER, name) for name in files}


def groups(paths: tuple[str, ...] = ()) -> list[Group]:
    """Return what the files hold; without files, the collection that ships.

    Raises RequestError or FileError with file, line and key for the first thing that is not right.
    """
    named = {path: path for path in paths} or shipped()
    seen: dict[str, str] = {}
    return [_group(name, read(path, WHAT), seen) for name, path in named.items()]


@functools.cache
def everything() -> tuple[Entry, ...]:
    """Return every entry of the collection that ships."""
    return tuple(entry for group in groups() for entry in group.entries)


@dataclass(frozen=True)
class Glimpse:
    """What a line or two of a shipped file tell of an entry, without reading it as YAML."""

    path: str
    layer: str
    literal: Literal


@functools.cache
def glimpses() -> tuple[Glimpse, ...]:
    """Return layer and value of every entry that ships: a tenth of the time that ``everything`` takes."""
    found = []
    for path in shipped().values():
        with open(path, encoding="utf-8") as stream:
            told = _TOLD.findall(stream.read())
        layers, values = ([text for key, text in told if key == wanted] for wanted in ("layer", "value"))
        found += [Glimpse(path, layer, literal.read(value)) for layer, value in zip(layers, values, strict=True)]
    return tuple(found)


@functools.cache
def file(path: str) -> tuple[Entry, ...]:
    """Return the entries of one shipped file."""
    return groups((path,))[0].entries


def _group(name: str, document: Document, seen: dict[str, str]) -> Group:
    if document.data is None:
        raise document.refused(RequestError(f"the {WHAT} is empty.", "It has at least 'constants:' with a list."))
    schema.check(document, schema.get("published"))
    entries = []
    for index, fields in enumerate(document.data["constants"]):
        place = ("constants", index)
        entry = _entry(document, place, fields)
        if entry.name in seen:
            told = RequestError(f"the name {echo(entry.name)} is taken, by {seen[entry.name]}.", "Names are unique.")
            raise document.refused(told, (*place, "name"))
        seen[entry.name] = document.where(place)
        entries.append(entry)
    return Group(name, document.data.get("about", ""), tuple(entries))


def _entry(document: Document, place: tuple, fields: dict[str, Any]) -> Entry:
    made = {}
    for key, make in (("layer", catalog.layer), ("quantity", quantity.parse), ("value", literal.read)):
        try:
            made[key] = make(fields[key])
        except RequestError as error:
            raise document.refused(error, (*place, key)) from None
    law = Normal(float(fields.get("mean", 0.0)) + 0.0, float(fields.get("std", 1.0)) + 0.0)
    words = {key: fields.get(key, "") for key in ("source", "definition", "ambiguous", "note")}
    samples = None if fields.get("samples") is None else int(fields["samples"])
    return Entry(
        fields["name"], made["layer"], made["quantity"], made["value"], samples, law,
        **words, path=document.path, line=document.lines.get(place),
    )  # fmt: skip


# -- the printed numbers of a config -----------------------------------------------------------------

_KEYS = ("where", "printed", "layer", "quantity", "with", "samples", "remark")


def printed(fields: Any, law: Normal = STANDARD) -> Entry:
    """Return the entry that an item of a config's ``printed:`` stands for; its name is where it is printed.

    ``printed`` (a decimal or a formula), ``layer`` and ``quantity`` are text; ``with`` gives values to the
    formula's names. Raises RequestError for an item that makes no sense.
    """
    if not isinstance(fields, dict):
        raise RequestError(f"an entry of 'printed' cannot be {echo(fields)}.", f"Accepted: keys {', '.join(_KEYS)}.")
    for key in fields:
        if key not in _KEYS:
            raise unknown("key of 'printed'", str(key), _KEYS)
    for key in ("printed", "layer", "quantity", "where", "remark"):
        if not isinstance(fields.get(key, "" if key in ("where", "remark") else None), str):
            problem = f"'{key}' of an entry of 'printed' must be text, not {echo(fields.get(key))}."
            raise RequestError(problem, "Quote it.")
    names = fields.get("with", {})
    if not isinstance(names, dict) or not all(
        isinstance(k, str) and isinstance(v, (int, float)) and abs(v) < LARGEST for k, v in names.items()
    ):
        raise RequestError(f"'with' of an entry of 'printed' cannot be {echo(names)}.", "Accepted: names with numbers.")
    samples = Request(samples=fields.get("samples")).samples
    return Entry(
        fields.get("where", ""), catalog.layer(fields["layer"]), quantity.parse(fields["quantity"]),
        literal.read(fields["printed"], names), samples, law, note=fields.get("remark", ""),
    )  # fmt: skip
