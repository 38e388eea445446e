"""Which line of a file is which line of a draft, and what stands in it where the draft has figures.

Lines are alike when they differ only in numbers, in the width of blanks and in the length of rules. Reading is
linear in a line's length: what stands for a figure and what stands between two never begin alike.
"""

from __future__ import annotations

import bisect
import difflib
import re
from collections import Counter
from dataclasses import dataclass

from normcal.constants import WORD
from normcal.draft import TOKEN, Draft, Figure

#: Stretches without a line that both have once are compared line with line up to this product of their lengths.
_LARGEST_DIFF = 250_000
#: A line longer than this many times the draft's, and some, is another line.
_LONGER, _SOME = 2, 1000
_BLANKS = re.compile(r"[ \t]+")
_RULE = frozenset("-:|+ \t")
_NUMBER = r"([-+~.\w]+)"
_WORDS = r"((?:normcal )?[\w.+-]+(?:, [\w.+-]+)*)"


@dataclass(frozen=True)
class Line:
    """A line of a draft: its text, where it starts, the indices of its figures, and what it is known by."""

    text: str
    start: int
    figures: tuple[int, ...]
    key: str


def lines(draft: Draft) -> list[Line]:
    """Return the lines of a draft."""
    found: list[Line] = []
    at, index = 0, 0
    for text in draft.text.split("\n"):
        first = index
        while index < len(draft.figures) and draft.figures[index].start <= at + len(text):
            index += 1
        found.append(Line(text, at, tuple(range(first, index)), key(text)))
        at += len(text) + 1
    return found


def key(line: str) -> str:
    """Return a line without what may differ: numbers, the width of blanks within it, the length of a rule.

    >>> key("  a:   0.5,"), key("| --- | ---: |")
    ('  a: #,', '| -- | --: |')
    """
    if _ruled(line):
        return re.sub("-+", "--", _BLANKS.sub(" ", line)).strip()
    text = TOKEN.sub("#", line)
    inner = text.lstrip(" \t")
    indent = "" if inner.startswith("#") else text[: len(text) - len(inner)]
    return indent + _BLANKS.sub(" ", inner).rstrip(" \r")


def aligned(mine: list[str], theirs: list[str]) -> tuple[list[tuple[int, int]], list[int], list[int]]:
    """Pair equal keys, and within a changed stretch of equal length line by line; return what is left of each.

    >>> aligned(["a", "b", "c"], ["a", "x", "c", "d"])
    ([(0, 0), (1, 1), (2, 2)], [], [3])
    """
    pairs: list[tuple[int, int]] = []
    missing: list[int] = []
    surplus: list[int] = []
    last = (0, 0)
    for i, j in [*_anchors(mine, theirs), (len(mine), len(theirs))]:
        for tag, a, b, c, d in _stretch(mine[last[0] : i], theirs[last[1] : j]):
            ours, others = range(last[0] + a, last[0] + b), range(last[1] + c, last[1] + d)
            if tag == "equal" or (tag == "replace" and len(ours) == len(others)):
                pairs += zip(ours, others, strict=True)
            else:
                missing += ours
                surplus += others
        if i < len(mine):
            pairs.append((i, j))
        last = (i + 1, j + 1)
    return pairs, missing, surplus


def _anchors(mine: list[str], theirs: list[str]) -> list[tuple[int, int]]:
    """Return the longest sequence of lines, in order in both, that each has exactly once."""
    counts, others = Counter(mine), Counter(theirs)
    places = {line: j for j, line in enumerate(theirs)}
    once = [(i, places[line]) for i, line in enumerate(mine) if counts[line] == 1 == others[line]]
    ends: list[int] = []  # ends[k]: the least end of a rising sequence of k + 1
    best: list[int] = []  # its last element, as an index into once
    before: list[int] = []
    for index, (_, j) in enumerate(once):
        length = bisect.bisect_left(ends, j)
        before.append(best[length - 1] if length else -1)
        ends[length : length + 1] = [j]
        best[length : length + 1] = [index]
    found, at = [], best[-1] if best else -1
    while at >= 0:
        found.append(once[at])
        at = before[at]
    return found[::-1]


def _stretch(mine: list[str], theirs: list[str]) -> list[tuple[str, int, int, int, int]]:
    """Return what makes one stretch of the other, as difflib says it."""
    if mine == theirs:
        return [("equal", 0, len(mine), 0, len(theirs))]
    if len(mine) * len(theirs) > _LARGEST_DIFF:
        return [("replace", 0, len(mine), 0, len(theirs))]
    return difflib.SequenceMatcher(None, mine, theirs, autojunk=False).get_opcodes()


def written(draft: Draft, line: Line, theirs: str) -> tuple[str, ...] | None:
    """Return what a file's line has in the places of the figures; None where it is another line."""
    theirs = theirs.rstrip(" \t\r")
    if theirs == line.text:
        return tuple(draft.figures[i].cell.text for i in line.figures)
    if len(theirs) > _LONGER * len(line.text) + _SOME:
        return None
    if _ruled(line.text):
        return () if key(line.text) == key(theirs) else None
    match = re.fullmatch(_pattern(draft, line), theirs)
    return None if match is None else match.groups()


def _ruled(line: str) -> bool:
    """Whether a line is the rule below the head of a table, whose length follows the numbers'."""
    return "--" in line and _RULE.issuperset(line.rstrip("\r"))


def _pattern(draft: Draft, line: Line) -> str:
    """Return what a line must read, with a group for each figure."""
    pieces, at = [], 0
    for index in line.figures:
        figure = draft.figures[index]
        pieces += [_literal(line.text[at : figure.start - line.start], at == 0), _group(figure)]
        at = figure.end - line.start
    return "".join([*pieces, _literal(line.text[at:].rstrip(" \t"), at == 0)])


def _literal(text: str, first: bool) -> str:
    """Return what text must read: blanks of any width, but the indentation as it is, unless a number follows it."""
    if first and not text.strip(" \t"):
        return r"[ \t]*" if text else ""
    inner = text.lstrip(" \t") if first else text
    words = [re.escape(word) for word in _BLANKS.split(inner)]
    return re.escape(text[: len(text) - len(inner)]) + r"[ \t]+".join(words)


def _group(figure: Figure) -> str:
    return _WORDS if figure.cell.role == WORD else _NUMBER
