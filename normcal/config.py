"""Reading a config: what to tabulate, and which files to generate, checked key by key."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

from normcal import catalog, schema, yamlfile
from normcal.errors import RequestError, near_misses
from normcal.layer import Layer
from normcal.request import WHOLE, Request
from normcal.yamlfile import Document

_WHOLE = (*WHOLE, "digits")
_HERE = os.path.dirname(os.path.abspath(__file__))


@dataclass(frozen=True)
class Config:
    """A request that ships as a file: layers, options, and what to make of the numbers.

    ``grid`` lays quantities out against columns; ``printed`` lists published numbers to compare;
    ``outputs`` are the files that ``generate`` writes, as the config describes them, over its ``defaults``.
    """

    path: str
    layers: list[str] = field(default_factory=list)
    families: list[str] = field(default_factory=list)
    title: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    format: str | None = None
    digits: int | None = None
    grid: dict | None = None
    printed: list[dict] = field(default_factory=list)
    defaults: dict[str, Any] = field(default_factory=dict)
    outputs: list[dict[str, Any]] = field(default_factory=list)
    document: Document | None = None

    @property
    def folder(self) -> str:
        """Where the files lie that the config names."""
        return os.path.dirname(self.path)


def shipped() -> dict[str, str]:
    """Return the tables that come with the package: name -> path."""
    for folder in (os.path.join(_HERE, "configs"), os.path.join(os.path.dirname(_HERE), "configs")):
        if os.path.isfile(os.path.join(folder, "default.yaml")):
            paths = (os.path.join(folder, name) for name in sorted(os.listdir(folder)) if name.endswith(".yaml"))
            return {os.path.basename(path).removesuffix(".yaml"): path for path in paths if _tabulates(path)}
    return {}


def _tabulates(path: str) -> bool:
    with open(path, encoding="utf-8") as stream:
        return any(line.startswith("layers:") for line in stream)


def read(path: str | None) -> Config:
    """Read a config file, or one that ships by its bare name; refuse what is none, naming file, line and key.

    None is the default config that ships, whatever lies in the current folder.
    """
    if path is None or (path in shipped() and not os.path.isfile(path)):
        path = shipped()[path or "default"]
    return checked(yamlfile.read(path, "config", "" if os.path.isfile(path) else _ships(path)))


def _ships(path: str) -> str:
    close = near_misses(path, shipped())
    named = f"Did you mean '{close[0]}'? " if close else ""
    return f"{named}Accepted: a path, or the name of one that ships: {', '.join(shipped())}."


def checked(document: Document) -> Config:
    """Return the config that a document holds."""
    if not isinstance(document.data, dict):
        what = "is empty" if document.data is None else f"holds {type(document.data).__name__}, not keys"
        raise RequestError(
            f"{document.path}: the config {what}.",
            "A config has at least 'layers:' with a list of SPECs, or 'outputs:' with files to generate.",
        )
    options = request_options(document)
    schema.check(document, schema.get("config"))
    if not document.data.keys() & {"layers", "families", "outputs"}:
        hint = "Accepted: 'layers' with SPECs such as [relu, gelu], 'families', or 'outputs' with files to generate."
        raise RequestError(f"{document.path}: the config has no 'layers'.", hint)
    return Config(document.path, options=options, document=document, **_own(document))


def _own(document: Document) -> dict[str, Any]:
    """Return the keys of a config as its fields, every layer as a SPEC; digits may be written 3.0."""
    data = spelled(document, ())
    own = {key: value for key, value in data.items() if key in Config.__dataclass_fields__ and key != "path"}
    if "defaults" in own:
        own["defaults"] = spelled(document, ("defaults",))
    if "outputs" in own:
        own["outputs"] = [spelled(document, ("outputs", index)) for index in range(len(own["outputs"]))]
    return own | {key: number(key, own[key]) for key in ("digits",) if key in own}


def spelled(document: Document, at: yamlfile.Place) -> dict[str, Any]:
    """Return the keys at a place of a document, the layers that are mappings (``expr: ...``) as SPECs."""
    found = document.data
    for step in at:
        found = found[step]
    found = dict(found)
    for key in {"layers", "also"} & found.keys():
        told = found[key]
        if isinstance(told, dict):
            found[key] = {name: _spelled(document, one, (*at, key, name), name) for name, one in told.items()}
        else:
            found[key] = [_spelled(document, one, (*at, key, index)) for index, one in enumerate(told)]
    return found


def _spelled(document: Document, told: str | dict[str, Any], place: yamlfile.Place, name: str = "") -> str:
    """Return the SPEC of a layer that a config lists: text as it is, a mapping written as one."""
    if isinstance(told, str):
        return told
    from normcal.layers.expressions import entry

    try:
        return entry(told["expr"], told.get("params", {}), told.get("name", name))
    except RequestError as error:
        raise document.refused(error, place) from None


def request_options(document: Document, at: yamlfile.Place = ()) -> dict[str, Any]:
    """Return the options of a computation that stand at a place of a config, as numbers, and check them."""
    data = document.data
    for step in at:
        data = data[step] if isinstance(step, int) else data.get(step, {})
    options = {key: number(key, data[key]) for key in Request.names() if key in data}
    for key, value in options.items():
        try:
            Request().updated({key: value})
        except RequestError as error:
            raise document.refused(error, (*at, key)) from None
    return options


def sweep(config: Config, most: int = catalog.MOST_LISTED) -> catalog.Layers:
    """Return the layers of a config's table; an error names the file, the line and the place in its list."""
    if not config.layers and not config.families:
        hint = "'normcal generate' writes its outputs."
        raise RequestError(f"{config.path}: the config has no 'layers' to tabulate.", hint)
    return catalog.Layers(
        config.layers, config.families, most, lambda error, place: _refused(config, error, ("layers", place))
    )


def layers(config: Config) -> list[Layer]:
    """Return the layers of a config's table as a list."""
    return list(sweep(config))


def _refused(config: Config, error: RequestError, place: yamlfile.Place) -> RequestError:
    document = config.document or Document(config.path, None)
    return document.refused(error, place)


def number(key: str, value: Any) -> Any:
    """Return the number that a key is given: YAML 1.1 reads 1e-9 as text, and 1e6 samples are a whole number."""
    try:
        found = float(value) if isinstance(value, str) else value
    except ValueError:
        return value
    whole = key in _WHOLE and isinstance(found, float) and abs(found) < 1e18 and found == int(found)
    return int(found) if whole else found
