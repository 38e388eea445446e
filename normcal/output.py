"""One file that a config names: its keys over those of its profile, its path checked, its format chosen."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from normcal import config as configs
from normcal import discover, profile, renderer
from normcal.config import Config
from normcal.errors import FileError, RequestError, echo
from normcal.renderer import Renderer
from normcal.request import MEANS, Request
from normcal.yamlfile import Document, Place

CONSTANTS = "constants"
#: Keys that name a file to be read.
_FILES = ("template", "config")
_SHARED = ("path", "format", "document", "profile")
#: Keys of a profile that mean something in its own format only.
_OF_A_FORMAT = ("epilogue", "layout")
_LISTS = {"layers", "families"}


@dataclass(frozen=True)
class Output:
    """A file before it is drafted.

    ``settings`` are its keys, over those of its profile; ``target`` is where it goes; ``document`` says what
    it holds; ``place`` is where the config, ``source``, names it.
    """

    path: str
    target: str
    renderer: Renderer
    document: str
    settings: dict[str, Any]
    request: Request
    #: What the file says it was made from: the keys of the config, without those of its profile.
    origin: dict[str, Any]
    source: Document
    place: Place
    #: Where keys stand that hold for other outputs too: at the top of the config, or below ``defaults``.
    shared: dict[str, Place] = field(default_factory=dict)
    #: Whether the file itself asks for it, rather than a config: a stranger's wish, which is not to take long.
    own: bool = False

    def refused(self, error: RequestError, *key: str | int) -> RequestError:
        """Return an error with the file, line and key of the config where it comes from."""
        place = self.shared.get(str(key[0]), self.place) if key else self.place
        return self.source.refused(error, (*place, *key))

    @property
    def folder(self) -> str:
        """The config's own folder."""
        return os.path.dirname(self.source.path)

    def beside(self, path: str) -> str:
        """Return a path that the config names, as seen from the config's own folder."""
        return os.path.join(self.folder, path)


def outputs(config: Config, root: str | None = None) -> list[Output]:
    """Return the files of a config, every key checked; ``root`` is the folder that they must stay in.

    Raises RequestError for a path that leaves the folder, for two outputs of one path, and for keys that
    the kind of document does not take, each with file, line and key.
    """
    if not config.outputs:
        hint = "Name files below 'outputs:', each with a path, such as {path: gains.py, profile: timm}."
        raise RequestError(f"{config.path}: the config has no 'outputs' to generate.", hint)
    folder = os.path.realpath(root or os.path.dirname(config.path) or ".")
    if not os.path.isdir(folder):
        raise FileError(f"--root {root!r} is no folder.", "Accepted: a folder that is there.")
    found = [_output(config, described, ("outputs", i), folder) for i, described in enumerate(config.outputs)]
    taken = {_spelt(os.path.realpath(config.path)): "is the config itself"}
    for one in found:
        if "template" in one.settings:
            taken[_spelt(os.path.realpath(one.beside(one.settings["template"])))] = "is a template"
    targets = {one.target for one in found}
    for index, one in enumerate(found):
        if above := targets.intersection(_above(one.target)):
            error = RequestError(f"{one.path!r} lies below the file {sorted(above)[0]!r}.", "Give it another folder.")
            raise one.refused(error, "path")
        if _spelt(one.target) in taken:
            error = RequestError(f"{one.path!r} {taken[_spelt(one.target)]}.", "Give each output its own path.")
            raise one.refused(error, "path")
        taken[_spelt(one.target)] = f"is already written by outputs[{index}]"
    return found


def described(data: dict[str, Any], path: str, where: str) -> Output:
    """Return the output that a generated file at ``path`` describes within itself; ``where`` names it.

    Raises RequestError where it names other files.
    """
    folder, name = os.path.split(os.path.realpath(path))
    config = configs.checked(Document(where, {"outputs": [data | {"path": name}]}))
    found = replace(_output(config, config.outputs[0], ("outputs", 0), folder), path=path, own=True)
    hint = "Name the config that the file came from instead."
    for key in _FILES:
        if key in data:
            raise found.refused(RequestError("a file that is checked names no other files.", hint), key)
    if found.request.reads:
        raise found.refused(RequestError("a file that is checked names no other files.", hint), "input")
    return found


def _spelt(target: str) -> str:
    """Return a path as file systems know it that do not tell capitals apart."""
    return unicodedata.normalize("NFC", target).casefold()


def _above(target: str) -> Iterator[str]:
    """Yield the folders that a path lies in."""
    while (folder := os.path.dirname(target)) != target:
        yield folder
        target = folder


def _output(config: Config, described: dict[str, Any], place: Place, folder: str) -> Output:
    source, top, defaults = config.document, _top(config), config.defaults
    preset = profile.get((defaults | described)["profile"]) if "profile" in defaults | described else {}
    kind = described.get("document", defaults.get("document", CONSTANTS))
    target = _target(described["path"], folder, source, (*place, "path"))
    known = (*_SHARED, *discover.load("documents", kind).DOCUMENT.keys, *Request.names())
    for key in described:
        if key not in known:
            error = RequestError(f"the document {kind!r} takes no {key!r}.", f"Accepted: {', '.join(known)}.")
            raise source.refused(error, (*place, key))
    shared = {key: value for key, value in _over(top, defaults).items() if key in known}
    settings = _over(shared, preset, described)
    if "digits" in settings:
        settings["digits"] = configs.number("digits", settings["digits"])
    try:
        chosen = _renderer(described, defaults | preset, described["path"])
    except RequestError as error:
        raise source.refused(error, (*place, "format" if "format" in described else "path")) from None
    if chosen.name != preset.get("format"):
        settings = {key: value for key, value in settings.items() if key not in _OF_A_FORMAT or key in described}
    if "columns" in described and "header" not in described:
        settings.pop("header", None)  # a profile's tells of its own columns
    options = {key: configs.number(key, preset[key]) for key in Request.names() if key in preset}
    at_top = {key: value for key, value in config.options.items() if key not in ("direction", *MEANS)}
    options = at_top | configs.request_options(source, ("defaults",)) | options | configs.request_options(source, place)
    request = Request().updated({key: config.options.get(key) for key in MEANS} | options, config.folder)
    origin = {"format": chosen.name} | at_top | _over(shared, described)
    origin.pop("path")
    places = {key: ("defaults",) if key in defaults else () for key in shared if key not in preset | described}
    return Output(described["path"], target, chosen, kind, settings, request, origin, source, place, places)


def _top(config: Config) -> dict[str, Any]:
    """Return what a config says of its own table, which holds for outputs that say nothing else."""
    told = {"layers": config.layers, "families": config.families, "digits": config.digits}
    return {key: value for key, value in told.items() if value}


def _over(*levels: dict[str, Any]) -> dict[str, Any]:
    """Put keys over keys; whoever names layers or families names all of them."""
    found: dict[str, Any] = {}
    for level in levels:
        if _LISTS & level.keys():
            found = {key: value for key, value in found.items() if key not in _LISTS}
        found |= level
    return found


def _target(path: str, folder: str, source: Document, place: Place) -> str:
    """Return where a path leads; refuse what leaves the folder, by dots, by a link, or from the top."""
    if path.endswith(("/", os.sep)) or any(unicodedata.category(c) == "Cc" for c in path):
        hint = "Accepted: text without control characters, and no / at its end."
        raise source.refused(RequestError(f"{path!r} is not the path of a file.", hint), place)
    target = os.path.realpath(os.path.join(folder, path))
    if os.path.commonpath([folder, target]) != folder or target == folder:
        hint = "Accepted: a path below the config's folder; --root FOLDER names another one."
        raise source.refused(RequestError(f"{path!r} leads out of {folder!r}.", hint), place)
    if os.path.isdir(target):
        raise source.refused(RequestError(f"{path!r} is a folder.", "Accepted: the path of a file."), place)
    try:
        os.lstat(target)
    except FileNotFoundError:
        return target
    except OSError as problem:
        raise source.refused(RequestError(f"{echo(path)} cannot be written: {problem.strerror}."), place) from None
    return target


def _renderer(described: dict[str, Any], preset: dict[str, Any], path: str) -> Renderer:
    """Return the format of a template, the one that is named, that the suffix says, or of the profile or defaults."""
    if "template" in preset | described:
        from normcal.renderers import _template

        return _template.RENDERER
    suffix = os.path.splitext(path)[1].lower()
    named = described.get("format") or renderer.claimed().get(suffix) or preset.get("format")
    if named is None:
        accepted = f"Accepted: {', '.join(sorted(renderer.claimed()))}; or name the format with 'format'."
        raise RequestError(f"{path!r}: no format claims the suffix {suffix!r}.", accepted)
    return renderer.get(named)
