"""Whether a file holds what it should: its lines against a draft's, its numbers within the combined errors.

A number agrees when it is within what its own writing rounds off, the error that the file states for it, and
the error of the value computed now: bounds add, ``SIGNIFICANT`` standard errors count. It is undecided when
those errors are wider than ``WIDE`` of the number, so that agreement would say nothing.
"""

from __future__ import annotations

import difflib
import math
import re
from dataclasses import dataclass, field

from normcal.constants import ERROR, NUMBER, WORD, Cell
from normcal.draft import TOKEN, Draft, Figure
from normcal.result import STANDARD_ERROR

AGREE, DISAGREE, UNDECIDED = "agree", "disagree", "undecided"
MISSING, SURPLUS, CHANGED = "missing", "surplus", "changed"
#: Standard errors that chance explains: two-sided 6e-5 of a normal law.
SIGNIFICANT = 4.0
#: Errors above this part of a number cannot tell whether it is right.
WIDE = 0.01
#: A stated error below this part of the one computed now claims too much.
TOO_SMALL = 0.1
#: Rounding to the shortest text of a double, and of the values' own last steps.
_ROUND_TRIP = 2.0**-51
_LARGEST_DIFF = 4_000_000
_BLANKS = re.compile(r"\s+")
_RULES = re.compile(r"-{2,}")


@dataclass(frozen=True)
class Finding:
    """One thing that a file and its draft do not share, or a number that they do."""

    verdict: str
    line: int
    row: str = ""
    column: str = ""
    written: str = ""
    computed: str = ""
    #: The difference in units of the combined error; None where there is no number to compare.
    score: float | None = None
    reason: str = ""


@dataclass
class Comparison:
    """A draft held against the text of a file: findings, and the file's own texts that may stay."""

    findings: list[Finding] = field(default_factory=list)
    kept: dict[int, str] = field(default_factory=dict)
    #: Whether writing the draft would tell more than the file does.
    stale: bool = False

    @property
    def verdict(self) -> str:
        verdicts = {finding.verdict for finding in self.findings}
        if verdicts - {AGREE, UNDECIDED}:
            return DISAGREE
        return UNDECIDED if UNDECIDED in verdicts else AGREE


def compare(draft: Draft, existing: str) -> Comparison:
    """Hold a draft against the text of a file, line by line and number by number.

    >>> from normcal.draft import plain
    >>> compare(plain("a\\nb\\n"), "a\\nc\\n").findings[0].reason
    "the line reads 'c' where it should read 'b'"
    """
    found = Comparison()
    lines, theirs = _lines(draft), existing.split("\n")
    pairs, missing, surplus = _aligned([key for _, key, _ in lines], [_key(line) for line in theirs])
    stated = _stated(draft, lines, theirs, pairs)
    for mine, other in pairs:
        _compare_line(found, draft, lines[mine], theirs[other], other + 1, stated)
    _note_unpaired(found, draft, lines, theirs, missing, surplus)
    found.findings.sort(key=lambda finding: finding.line)
    found.stale |= any(finding.verdict not in (AGREE, UNDECIDED) for finding in found.findings)
    return found


def merged(draft: Draft, existing: str) -> str:
    """Return what a file should hold: the draft, but for numbers in the file that still agree.

    A file in which everything agrees, or nothing better is known, is returned as it is, provenance included.
    """
    found = compare(draft, existing)
    return draft.rewrite(found.kept) if found.stale else existing


def judge(cell: Cell, written: str, stated: float | None = None) -> Finding:
    """Judge one number of a file: ``stated`` is the relative error that the file claims for it.

    >>> from normcal.value import Value
    >>> cell = Cell("0.5838", value=Value(0.5838193701035489, 1e-15), size=0.58)
    >>> judge(cell, "0.5838").verdict, judge(cell, "0.5841").verdict
    ('agree', 'disagree')
    """
    told = {"line": 0, "written": written, "computed": cell.text}
    if written == cell.text:
        return Finding(AGREE, score=0.0, **told)
    if cell.value.value is None or not TOKEN.fullmatch(written):
        return Finding(DISAGREE, reason="a number stands for none, or none for a number", **told)
    if _digits(written) > _digits(cell.text) and not _round_trip(cell):
        return Finding(DISAGREE, reason="it has more digits than are asked for", **told)
    number = float(written.lstrip("~"))
    own, error = cell.value.error, (stated or 0.0) * cell.size
    spread = math.inf if own is None else math.hypot(own, error) * SIGNIFICANT if _sampled(cell) else own + error
    allowed = spread + _resolution(cell)
    difference = abs(number - cell.value.value)
    score = difference / allowed if 0.0 < allowed < math.inf else 0.0 if difference == 0.0 else None
    if difference <= allowed and (own is None or spread > WIDE * cell.size):
        return Finding(UNDECIDED, score=score, reason="the errors are too wide to tell", **told)
    return Finding(AGREE if difference <= allowed else DISAGREE, score=score, **told)


def _knows_better(cell: Cell, finding: Finding) -> bool:
    """Whether the value computed now is fit to replace the one in the file."""
    own = cell.value.error
    return finding.verdict == DISAGREE or (own is not None and own * SIGNIFICANT <= WIDE * cell.size)


def _sampled(cell: Cell) -> bool:
    return cell.kind == STANDARD_ERROR


def _round_trip(cell: Cell) -> bool:
    """Whether the cell's text is its value to the last bit, so that more or fewer digits mean nothing."""
    return float(cell.text.lstrip("~")) == cell.value.value if TOKEN.fullmatch(cell.text) else False


def _resolution(cell: Cell) -> float:
    """Return what writing rounds off: half a unit of the last digit that is asked for."""
    if _round_trip(cell):
        return _ROUND_TRIP * abs(cell.value.value)
    mantissa, _, power = cell.text.lstrip("~").partition("e")
    places = max(len(mantissa.partition(".")[2].rstrip("0")), 0)
    own = abs(float(cell.text.lstrip("~")) - cell.value.value)
    half = 0.5 * 10.0 ** (int(power or 0) - places)
    return max(half, own) * (1.0 + 1e-9)


def _digits(text: str) -> int:
    return len(text.partition("e")[0].lstrip("-+~0.").replace(".", "").rstrip("0"))


# --- lines ---------------------------------------------------------------------------------------------------

#: A line of the draft: where it starts, what it is aligned by, the indices of its figures.
_Line = tuple[int, str, list[int]]


def _lines(draft: Draft) -> list[_Line]:
    found: list[_Line] = []
    at, index = 0, 0
    for line in draft.text.split("\n"):
        own = []
        while index < len(draft.figures) and draft.figures[index].start <= at + len(line):
            own.append(index)
            index += 1
        found.append((at, _key(line), own))
        at += len(line) + 1
    return found


def _key(line: str) -> str:
    """Return a line without what may differ: numbers, the width of blanks and rules."""
    return _RULES.sub("--", _BLANKS.sub(" ", TOKEN.sub("#", line))).strip()


def _aligned(mine: list[str], theirs: list[str]) -> tuple[list[tuple[int, int]], list[int], list[int]]:
    """Pair equal lines, and within a changed stretch of equal length line by line."""
    if mine == theirs:
        return [(i, i) for i in range(len(mine))], [], []
    pairs, missing, surplus = [], [], []
    # difflib is quadratic in lines that repeat; a large file drops them from its index
    matcher = difflib.SequenceMatcher(None, mine, theirs, autojunk=len(mine) * len(theirs) > _LARGEST_DIFF)
    for tag, a, b, c, d in matcher.get_opcodes():
        if tag == "equal" or (tag == "replace" and b - a == d - c):
            pairs += zip(range(a, b), range(c, d), strict=True)
        else:
            missing += range(a, b)
            surplus += range(c, d)
    return pairs, missing, surplus


def _pattern(draft: Draft, line: _Line) -> re.Pattern:
    """Return what a line must read, with a group for each figure."""
    start, _, own = line
    end = draft.text.find("\n", start)
    text = draft.text[start : end if end >= 0 else len(draft.text)]
    pieces, at = [], 0
    for index in own:
        figure = draft.figures[index]
        pieces += [_literal(text[at : figure.start - start]), _group(figure)]
        at = figure.end - start
    return re.compile("".join([*pieces, _literal(text[at:])]))


def _literal(text: str) -> str:
    blank = re.sub(r"(\\ |\\\t|\s)+", lambda _: r"\\s+", re.escape(text)) if text.strip() else (r"\s*" if text else "")
    return re.sub(r"(\\-){2,}", lambda _: "-{2,}", blank).replace(r"\\s+", r"\s*")


def _group(figure: Figure) -> str:
    return r"(\S.*?)" if figure.cell.role == WORD else r"([^\s\"'`|&,;<>]+)"


def _compare_line(
    found: Comparison, draft: Draft, line: _Line, theirs: str, number: int, stated: dict[tuple[str, str], float]
) -> None:
    match = _pattern(draft, line).fullmatch(theirs.rstrip("\r"))
    if match is None:
        found.findings.append(_unlike(draft, line, theirs, number))
        return
    for index, written in zip(line[2], match.groups(), strict=True):
        figure = draft.figures[index]
        finding = _judged(figure, written, stated)
        placed = Finding(
            finding.verdict, number, figure.row, figure.column, written, figure.cell.text, finding.score, finding.reason
        )
        if figure.cell.role == NUMBER or finding.verdict != AGREE:
            found.findings.append(placed)
        if figure.cell.role == NUMBER and (finding.verdict == AGREE or not _knows_better(figure.cell, finding)):
            found.kept[index] = written
        elif finding.verdict == UNDECIDED:
            found.stale = True


def _judged(figure: Figure, written: str, stated: dict[tuple[str, str], float]) -> Finding:
    if figure.cell.role == NUMBER:
        kind = figure.cell.kind
        return judge(figure.cell, written, stated.get((figure.row, kind), stated.get(("", kind))))
    if figure.cell.role == ERROR:
        return _judge_error(figure.cell, written)
    return Finding(AGREE, 0)


def _judge_error(cell: Cell, written: str) -> Finding:
    """An error may be larger than it need be; one that is far smaller claims too much."""
    claimed = float(written) if TOKEN.fullmatch(written) else math.inf
    if claimed < TOO_SMALL * (cell.value.value or 0.0):
        return Finding(DISAGREE, 0, reason="the file states a smaller error than can be shown")
    return Finding(AGREE, 0)


def _stated(
    draft: Draft, lines: list[_Line], theirs: list[str], pairs: list[tuple[int, int]]
) -> dict[tuple[str, str], float]:
    """Return the relative errors that the file states, by row ("" of all) and kind."""
    found: dict[tuple[str, str], float] = {}
    for mine, other in pairs:
        wanted = [i for i in lines[mine][2] if draft.figures[i].cell.role == ERROR and not draft.figures[i].column]
        if not wanted:
            continue
        match = _pattern(draft, lines[mine]).fullmatch(theirs[other].rstrip("\r"))
        for index, written in zip(lines[mine][2], match.groups() if match else (), strict=False):
            if index in wanted and TOKEN.fullmatch(written):
                whose = draft.figures[index].row, draft.figures[index].cell.kind
                found[whose] = max(found.get(whose, 0.0), float(written))
    return found


def _unlike(draft: Draft, line: _Line, theirs: str, number: int) -> Finding:
    end = draft.text.find("\n", line[0])
    mine = draft.text[line[0] : end if end >= 0 else len(draft.text)]
    rows = dict.fromkeys(draft.figures[i].row for i in line[2] if draft.figures[i].row)
    reason = f"the line reads {_shown(theirs)} where it should read {_shown(mine)}"
    return Finding(CHANGED, number, ", ".join(rows), reason=reason)


def _shown(line: str) -> str:
    line = line.strip()
    return repr(line if len(line) <= 100 else f"{line[:100]}...")


def _note_unpaired(
    found: Comparison, draft: Draft, lines: list[_Line], theirs: list[str], missing: list[int], surplus: list[int]
) -> None:
    """Name the rows that a file lacks, and the lines that it has too many."""
    absent: dict[str, None] = {}
    for mine in missing:
        own = [draft.figures[i].row for i in lines[mine][2] if draft.figures[i].row]
        absent |= dict.fromkeys(own)
        if not own and lines[mine][1]:
            found.findings.append(Finding(MISSING, 0, reason=f"a line is missing: {_shown(_text(draft, lines[mine]))}"))
    found.findings += [Finding(MISSING, 0, row, reason="the row is missing") for row in absent]
    for other in surplus:
        if theirs[other].strip():
            reason = f"the line is not of the config: {_shown(theirs[other])}"
            found.findings.append(Finding(SURPLUS, other + 1, reason=reason))
    blank = [other for other in surplus if not theirs[other].strip()] + [m for m in missing if not lines[m][1]]
    if blank and not found.findings:
        found.findings.append(Finding(CHANGED, 0, reason="blank lines differ"))


def _text(draft: Draft, line: _Line) -> str:
    end = draft.text.find("\n", line[0])
    return draft.text[line[0] : end if end >= 0 else len(draft.text)]
