"""What a command has to say, before it has a format: data for machines, blocks for people.

A renderer reads one of the views of the same content: ``data`` (a document of plain dicts and
lists), ``records`` (flat rows), ``blocks`` (headings, text, tables, formulas), or ``annotations``
(remarks on lines of files).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from normcal.result import STANDARD_ERROR
from normcal.value import Value


@dataclass(frozen=True)
class Number:
    """A table cell that a renderer rounds as its error allows."""

    value: Value
    kind: str = ""

    @property
    def sampled(self) -> bool:
        return self.kind == STANDARD_ERROR


@dataclass(frozen=True)
class Error:
    """A table cell that holds an error itself."""

    value: float | None


@dataclass(frozen=True)
class Formula:
    """A formula in Unicode for a terminal and in LaTeX for Markdown; also a table cell."""

    text: str
    latex: str


Cell = str | Number | Error | Formula


@dataclass(frozen=True)
class Heading:
    """A heading; ``level`` 0 is the document's own."""

    text: str
    level: int = 1


@dataclass(frozen=True)
class Paragraph:
    """A sentence or two."""

    text: str


@dataclass(frozen=True)
class Items:
    """A list of remarks; ``aside`` ones go to stderr rather than into plain text."""

    texts: tuple[str, ...]
    aside: bool = False


@dataclass(frozen=True)
class Table:
    """A table; the columns named in ``words`` hold text and are aligned left."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    words: tuple[str, ...] = ()


Block = Heading | Paragraph | Items | Table | Formula


@dataclass(frozen=True)
class Annotation:
    """A remark on a line of a file, for the page that shows a change; ``level`` is error, warning or notice."""

    level: str
    path: str
    line: int | None
    title: str
    message: str


class Members:
    """A document whose members come one after another: read once, in order. A list may be an iterator."""

    def __init__(self, items: Iterator[tuple[str, Any]]) -> None:
        self._items = items

    def items(self) -> Iterator[tuple[str, Any]]:
        return self._items


@dataclass(frozen=True)
class Report:
    """The content of one output in its views; what has nothing to say in one of them leaves it out.

    For a format that streams, ``data`` and ``records`` may be on their way: computed as they are read.
    """

    data: dict[str, Any] | Members
    records: list[dict[str, Any]] | Iterator[dict[str, Any]]
    blocks: tuple[Block, ...]
    #: None where a command has nothing that could stand on a line of a file
    annotations: tuple[Annotation, ...] | None = None
    #: What makes constants of it, for a renderer that holds nothing else; None where there are none
    constants: Callable[[Any], Any] | None = None

    @property
    def asides(self) -> list[str]:
        """The remarks that plain text leaves to stderr."""
        return [text for block in self.blocks if isinstance(block, Items) and block.aside for text in block.texts]


@dataclass(frozen=True)
class View:
    """How a renderer may write: digits, and the terminal it writes to, if any."""

    digits: int | None = None
    terminal: bool = False
    color: bool = False
    width: int = field(default=80)
