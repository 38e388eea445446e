"""Reading a YAML file that a user hands in: size, encoding, safety, and the line of every key for messages."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from normcal.errors import FileError, NormcalError, RequestError

LARGEST = 1_000_000
_HALF = re.compile("[\ud800-\udfff]")
#: Keys and places from the top of a document: ("outputs", 2, "path").
Place = tuple[str | int, ...]


class Placed(RequestError):
    """An error whose message begins with file, line and key."""


@dataclass(frozen=True)
class Document:
    """What a file holds, and on which line each key and item stands."""

    path: str
    data: Any
    lines: dict[Place, int] = field(default_factory=dict)

    def where(self, place: Place = ()) -> str:
        """Return ``file:line: key[0].name`` of the nearest place that has a line."""
        known = place
        while known and known not in self.lines:
            known = known[:-1]
        line = f":{self.lines[known]}" if known in self.lines else ""
        return f"{self.path}{line}" + (f": {named(place)}" if place else "")

    def refused(self, error: NormcalError, place: Place = ()) -> RequestError:
        """Return the error of something that stands at a place, with file, line and key; once is enough."""
        return error if isinstance(error, Placed) else Placed(f"{self.where(place)}: {error.message}", error.hint)


def named(place: Place) -> str:
    """Write a place as people do.

    >>> named(("outputs", 2, "columns", "fwd std"))
    "outputs[2].columns['fwd std']"
    """
    text = ""
    for step in place:
        if isinstance(step, str) and step.isidentifier():
            text += f".{step}" if text else step
        else:
            text += f"[{step!r}]"
    return text


def read(path: str, what: str = "YAML file", hint: str = "", largest: int = LARGEST) -> Document:
    """Read a YAML file: UTF-8, no tags, no aliases, no duplicate keys, at most ``largest`` bytes.

    Raises FileError, naming the file and where there is one the line, for what is no such file; ``hint``
    says what to name instead of a file that cannot be read.
    """
    try:
        if os.path.isfile(path) and os.path.getsize(path) > largest:
            raise FileError(f"{path}: the {what} is larger than {largest:_} bytes.", "Accepted: a smaller one.")
        with open(path, encoding="utf-8", opener=_opened) as stream:
            text = stream.read(largest + 1)
    except OSError as problem:
        raise FileError(f"{what} {path!r} cannot be read: {problem.strerror}.", hint) from None
    except UnicodeDecodeError:
        raise FileError(f"{path}: the {what} is not UTF-8 text.", "Accepted: YAML in UTF-8.") from None
    if len(text) > largest:  # a pipe has no size beforehand
        raise FileError(f"{path}: the {what} is larger than {largest:_} characters.", "Accepted: a smaller one.")
    return parse(text, path, what)


def _opened(path: str, flags: int) -> int:
    """Open a file without waiting for somebody to open the other end of a pipe; from then on, reading waits."""
    handle = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    os.set_blocking(handle, True)
    return handle


def parse(text: str, path: str, what: str = "YAML file") -> Document:
    """Return the document that YAML text holds; ``path`` is what messages name."""
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return Document(path, None)
            lines: dict[Place, int] = {}
            _number_lines(loader, node, (), lines)
            return Document(path, loader.construct_document(node), lines)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise FileError(f"{path}: not a YAML {what}{place}: {problem.problem}.") from None
    except yaml.YAMLError as problem:
        raise FileError(f"{path}: not a YAML {what}: {str(problem).splitlines()[0]}.") from None
    except (RecursionError, ValueError):
        raise FileError(f"{path}: not a YAML {what}: nested too deeply, or a value that it cannot read.") from None


class _Loader(yaml.SafeLoader):
    """SafeLoader that refuses aliases, tags and duplicate keys too."""

    def compose_node(self, parent, index):
        event = self.peek_event()
        if isinstance(event, yaml.events.AliasEvent):
            raise yaml.constructor.ConstructorError(
                None, None, "aliases (*name) are not accepted; quote a *", event.start_mark
            )
        if getattr(event, "tag", None) is not None:
            problem = f"the tag {event.tag!r} is not accepted"
            raise yaml.constructor.ConstructorError(None, None, problem, event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                raise yaml.constructor.ConstructorError(None, None, "merges (<<) are not accepted", key.start_mark)
            name = self.construct_object(key, deep=True)
            if isinstance(name, (str, int, float)) and name in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key {name!r} is given twice", key.start_mark)
            if isinstance(name, (str, int, float)):
                seen.add(name)
        return super().construct_mapping(node, deep)


class Written(float):
    """A number as it was written: its digits count, also the zeros behind the last other digit."""

    def __new__(cls, text: str, value: float):
        made = super().__new__(cls, value)
        made.text = text
        return made


def _float(loader: yaml.SafeLoader, node: yaml.Node) -> Written | str:
    """Read a number; 1:30.5 is 90.5 in YAML and nowhere else, so it stays text."""
    return node.value if ":" in node.value else Written(node.value, yaml.SafeLoader.construct_yaml_float(loader, node))


def _int(loader: yaml.SafeLoader, node: yaml.Node) -> int | str:
    """Read a whole number; what only YAML takes for one (1:30, 017, 0x10) stays text."""
    plain = re.fullmatch(r"[-+]?(0|[1-9][0-9_]*)", node.value)
    return yaml.SafeLoader.construct_yaml_int(loader, node) if plain else node.value


_Loader.add_constructor("tag:yaml.org,2002:int", _int)
_Loader.add_constructor("tag:yaml.org,2002:float", _float)


def _number_lines(loader: yaml.SafeLoader, node: yaml.Node, place: Place, lines: dict[Place, int]) -> None:
    """Note the line of every key and item; refuse text that no file can hold."""
    if isinstance(node, yaml.ScalarNode) and _HALF.search(node.value):
        raise yaml.constructor.ConstructorError(None, None, "half of a character (a surrogate)", node.start_mark)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            _number_lines(loader, key, (), {})
            name = key.value if isinstance(key, yaml.ScalarNode) else ""
            lines[*place, name] = key.start_mark.line + 1
            _number_lines(loader, value, (*place, name), lines)
    elif isinstance(node, yaml.ScalarNode):
        if any("\ud800" <= character <= "\udfff" for character in node.value):
            raise yaml.constructor.ConstructorError(None, None, "half of a character", node.start_mark)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            lines[*place, index] = value.start_mark.line + 1
            _number_lines(loader, value, (*place, index), lines)
