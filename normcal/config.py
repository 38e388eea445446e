"""Reading a config: YAML without tags, aliases or duplicate keys, checked key by key."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import yaml

from normcal import catalog, renderer
from normcal.catalog import MOST_LAYERS
from normcal.errors import FileError, RequestError, echo, near_misses, unknown
from normcal.layer import Layer
from normcal.request import WHOLE, Request
from normcal.rounding import check_digits

LARGEST_FILE = 1_000_000
_OWN_KEYS = ("title", "layers", "format", "digits", "grid", "printed")
_HERE = os.path.dirname(os.path.abspath(__file__))


@dataclass(frozen=True)
class Config:
    """A request that ships as a file: layers, options, and what to make of the numbers.

    ``grid`` lays quantities out against columns; ``printed`` lists published numbers to compare.
    """

    path: str
    layers: list[str]
    title: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    format: str | None = None
    digits: int | None = None
    grid: dict | None = None
    printed: list[dict] = field(default_factory=list)


def shipped() -> dict[str, str]:
    """Return the configs that come with the package: name -> path."""
    for folder in (os.path.join(_HERE, "configs"), os.path.join(os.path.dirname(_HERE), "configs")):
        if os.path.isfile(os.path.join(folder, "default.yaml")):
            files = sorted(name for name in os.listdir(folder) if name.endswith(".yaml"))
            return {name[: -len(".yaml")]: os.path.join(folder, name) for name in files}
    return {}


def read(path: str | None) -> Config:
    """Read a config file, or one that ships by its bare name; refuse what is none, naming file and key.

    None is the default config that ships, whatever lies in the current folder.
    """
    if path is None or (path in shipped() and not os.path.isfile(path)):
        path = shipped()[path or "default"]
    document = _document(path)
    try:
        return _checked(path, document)
    except RequestError as error:
        raise RequestError(f"{path}: {error.message}", error.hint) from None


def layers(config: Config) -> list[Layer]:
    """Return the layers of a config; an error names the file and the place in its list."""
    found: list[Layer] = []
    for place, spec in enumerate(config.layers):
        try:
            found += catalog.layers([spec])
        except RequestError as error:
            raise RequestError(f"{config.path}: layers[{place}]: {error.message}", error.hint) from None
    return found


def _checked(path: str, document: Any) -> Config:
    if not isinstance(document, dict):
        what = "is empty" if document is None else f"holds {type(document).__name__}, not keys"
        raise RequestError(f"the config {what}.", "A config has at least 'layers:' with a list of SPECs.")
    known = (*_OWN_KEYS, *Request.names())
    for key in document:
        if key not in known:
            raise unknown("config key", str(key), known)
    layers = document.get("layers")
    if not isinstance(layers, list) or not layers or len(layers) > MOST_LAYERS:
        raise RequestError(
            "'layers' must be a list of SPECs.", f"Accepted: 1 to {MOST_LAYERS} of them, such as [relu, gelu]."
        )
    for place, spec in enumerate(layers):
        _text(f"layers[{place}]", spec)
    for key in ("title", "format"):
        if key in document:
            _text(key, document[key])
    for key, kind in (("grid", dict), ("printed", list)):
        if key in document and not isinstance(document[key], kind):
            raise RequestError(f"'{key}' must be a {'mapping' if kind is dict else 'list'}.")
    check_digits(document.get("digits"))
    if "format" in document:
        renderer.get(document["format"])
    options = {key: _number(key, document[key]) for key in Request.names() if key in document}
    Request().updated(options)
    own = {key: document[key] for key in _OWN_KEYS if key in document}
    return Config(path=path, options=options, **own)


def _text(key: str, value: Any) -> None:
    if not isinstance(value, str):
        raise RequestError(
            f"{key} cannot be {echo(value)}.", "Accepted: text; quote it where YAML reads something else."
        )


def _number(key: str, value: Any) -> Any:
    """YAML 1.1 reads 1e-9 as text; a person means the number, and with 1e6 samples a whole one."""
    try:
        number = float(value) if isinstance(value, str) else value
    except ValueError:
        return value
    whole = key in WHOLE and isinstance(number, float) and abs(number) < 1e18 and number == int(number)
    return int(number) if whole else number


class _Loader(yaml.SafeLoader):
    """SafeLoader that refuses aliases, tags and duplicate keys too."""

    def compose_node(self, parent, index):
        event = self.peek_event()
        if isinstance(event, yaml.events.AliasEvent):
            raise yaml.constructor.ConstructorError(None, None, "aliases (*name) are not accepted", event.start_mark)
        if getattr(event, "tag", None) is not None:
            problem = f"the tag {event.tag!r} is not accepted"
            raise yaml.constructor.ConstructorError(None, None, problem, event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key, _ in node.value:
            name = self.construct_object(key, deep=True)
            if isinstance(name, (str, int, float)) and name in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key {name!r} is given twice", key.start_mark)
            if isinstance(name, (str, int, float)):
                seen.add(name)
        return super().construct_mapping(node, deep)


def _document(path: str) -> Any:
    try:
        if os.path.isfile(path) and os.path.getsize(path) > LARGEST_FILE:
            raise FileError(f"{path}: the config is larger than {LARGEST_FILE:_} bytes.", "Accepted: a smaller one.")
        with open(path, encoding="utf-8") as stream:
            text = stream.read(LARGEST_FILE + 1)
    except OSError as problem:
        close = near_misses(path, shipped())
        named = f"Did you mean '{close[0]}'? " if close else ""
        hint = f"{named}Accepted: a path, or the name of one that ships: {', '.join(shipped())}."
        raise FileError(f"config {path!r} cannot be read: {problem.strerror}.", hint) from None
    except UnicodeDecodeError:
        raise FileError(f"{path}: the config is not UTF-8 text.", "Accepted: YAML in UTF-8.") from None
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise FileError(f"{path}: not a YAML config{place}: {problem.problem}.") from None
    except yaml.YAMLError as problem:
        raise FileError(f"{path}: not a YAML config: {str(problem).splitlines()[0]}.") from None
    except (RecursionError, ValueError):
        raise FileError(f"{path}: not a YAML config: nested too deeply, or a value that it cannot read.") from None
