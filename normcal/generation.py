"""Generating the files of a config: drafted all, then written, each whole or not at all, and only if it changes."""

from __future__ import annotations

import os
from dataclasses import dataclass

from normcal import alignment, comparison, document, renderer
from normcal.comparison import Comparison
from normcal.document import Computation
from normcal.draft import Draft
from normcal.errors import FileError
from normcal.output import Output
from normcal.pipeline import Progress

NEW, CHANGED, UNCHANGED = "new", "changed", "unchanged"
#: A file larger than this was not written by normcal.
LARGEST = 100_000_000
#: What every file of constants says somewhere; of the others, this part of the lines tells that they are ours.
MARK, ALIKE = "normcal", 0.3


@dataclass(frozen=True)
class Plan:
    """A file, what it holds now (None: it is not there), and what it should hold."""

    output: Output
    draft: Draft
    existing: str | None
    text: str

    @property
    def status(self) -> str:
        if self.existing is None:
            return NEW
        return UNCHANGED if self.text == self.existing else CHANGED

    @property
    def comparison(self) -> Comparison | None:
        """What the file and the draft do not share; None where there is no file."""
        return None if self.existing is None else comparison.compare(self.draft, self.existing)

    @property
    def foreign(self) -> bool:
        """Whether the file is somebody's own: it does not name normcal, and has little of what it should hold.

        What a template makes need not name anybody.
        """
        if self.existing is None or MARK in self.existing or not self.existing.strip():
            return False
        if "template" in self.output.settings:
            return False
        own, theirs = (set(map(alignment.key, text.split("\n"))) for text in (self.draft.text, self.existing))
        return len(own & theirs) < ALIKE * len(own)


def plan(outputs: list[Output], progress: Progress | None = None) -> list[Plan]:
    """Draft every file; nothing is written, and one that cannot be drafted or read stops them all."""
    computation = Computation(progress)
    found = []
    for output in outputs:
        existing = read(output.target, output.path)
        draft = document.draft(output, computation)
        text = draft.text if existing is None else comparison.merged(draft, existing)
        found.append(Plan(output, draft, existing, text))
    return found


def write(plans: list[Plan]) -> None:
    """Write the files that change, once it is known that all can be; folders that are missing are made."""
    changed = [one for one in plans if one.status != UNCHANGED]
    for one in changed:
        if one.foreign:
            hint = "Give the output another path, or move the file away first."
            raise FileError(f"{one.output.path!r} was not written by normcal, and is not replaced.", hint)
        _check_folder(os.path.dirname(one.output.target))
        if os.path.isdir(os.path.dirname(one.output.target)):
            renderer.check_writable(one.output.target, "")
    for one in changed:
        folder = os.path.dirname(one.output.target)
        try:
            os.makedirs(folder, exist_ok=True)
        except OSError as problem:
            raise FileError(f"the folder {folder!r} cannot be made: {problem.strerror}.") from None
    for one in changed:
        renderer.save(one.text, one.output.target, "")


def _check_folder(folder: str) -> None:
    """Refuse a folder that is not there and cannot be made."""
    there = folder
    while not os.path.lexists(there):
        there = os.path.dirname(there)
    if not os.path.isdir(there):
        raise FileError(f"the folder {folder!r} cannot be made: {there!r} is no folder.", "Name another.")
    if there != folder and not os.access(there, os.W_OK):
        raise FileError(f"the folder {folder!r} cannot be made: permission denied.", "Name one that you may write.")


def read(target: str, shown: str) -> str | None:
    """Return the text of a file, None if there is none; refuse what is no text of ours."""
    if not os.path.lexists(target):
        return None
    if not os.path.isfile(target):
        raise FileError(f"{shown!r} is not a file.", "Accepted: the path of a file, or one that is not there yet.")
    try:
        if os.path.getsize(target) > LARGEST:
            raise FileError(f"{shown!r} is larger than {LARGEST:_} bytes; normcal did not write it.")
        with open(target, encoding="utf-8", newline="") as stream:
            return stream.read()
    except UnicodeDecodeError:
        raise FileError(
            f"{shown!r} is not UTF-8 text; normcal did not write it.", "Move it, or name another."
        ) from None
    except OSError as problem:
        raise FileError(f"{shown!r} cannot be read: {problem.strerror}.") from None
