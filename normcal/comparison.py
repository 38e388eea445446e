"""Whether a file holds what it should: its lines against a draft's, its numbers within the combined errors.

A number agrees when it is within what its own writing rounds off, the error that the file states for it, and
the error of the value computed now: bounds add, ``SIGNIFICANT`` standard errors count. It is undecided when
those errors are wider than ``WIDE`` of the number, so that agreement would say nothing.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace

from normcal import alignment
from normcal.alignment import Line
from normcal.constants import ERROR, NUMBER, Cell
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
#: A stated bound beyond this many times the one computed now, and this part of the number, excuses too much.
TOO_LARGE, SLACK = 1000.0, 1e-9
#: Rounding to the shortest text of a double, and of the values' own last steps.
_ROUND_TRIP = 2.0**-51
#: A file longer than this many times the draft, and some, is another file.
_LONGER, _SOME = 10, 1_000_000
#: Texts of a file are shown up to this length.
_SHOWN = 100
#: A number as every format takes it.
_PLAIN = re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]+(?:[eE][-+]?[0-9]+)?")


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
    if len(existing) > _LONGER * len(draft.text) + _SOME:
        reason = f"the file has {len(existing):_} characters where it should have {len(draft.text):_}"
        return Comparison([Finding(CHANGED, 0, reason=reason)], stale=True)
    lines, theirs = alignment.lines(draft), existing.split("\n")
    pairs, missing, surplus = alignment.aligned([line.key for line in lines], [alignment.key(line) for line in theirs])
    texts = {mine: alignment.written(draft, lines[mine], theirs[other]) for mine, other in pairs}
    stated = _stated(draft, lines, texts)
    for mine, other in pairs:
        _compare_line(found, draft, lines[mine], texts[mine], theirs[other], other + 1, stated)
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
    if _PLAIN.fullmatch(cell.text) and not _PLAIN.fullmatch(written):
        return Finding(DISAGREE, reason="it is not written as the numbers of this file are, such as -1.0e-5", **told)
    if cell.digits and _digits(written) > cell.digits[1]:
        return Finding(DISAGREE, reason="it has more digits than are asked for", **told)
    number = float(written.lstrip("~"))
    own, error = cell.value.error, _believed(cell, stated) * cell.size
    spread = math.inf if own is None else math.hypot(own, error) * SIGNIFICANT if _sampled(cell) else own + error
    allowed = spread + _resolution(cell, written)
    difference = abs(number - cell.value.value)
    score = difference / allowed if 0.0 < allowed < math.inf else 0.0 if difference == 0.0 else None
    score = score if score is not None and math.isfinite(score) else None
    if difference <= allowed and (own is None or spread > WIDE * cell.size):
        return Finding(UNDECIDED, score=score, reason="the errors are too wide to tell", **told)
    return Finding(AGREE if difference <= allowed else DISAGREE, score=score, **told)


def _believed(cell: Cell, stated: float | None) -> float:
    """Return how much of a stated relative error counts: of a bound, no more than an engine would need."""
    if stated is None or _sampled(cell) or cell.value.error is None:
        return stated or 0.0
    return min(stated, max(TOO_LARGE * cell.value.error / cell.size if cell.size else 0.0, SLACK))


def _knows_better(cell: Cell, finding: Finding) -> bool:
    """Whether the value computed now is fit to replace the one in the file."""
    own = cell.value.error
    return finding.verdict == DISAGREE or (own is not None and own * SIGNIFICANT <= WIDE * cell.size)


def _sampled(cell: Cell) -> bool:
    return cell.kind == STANDARD_ERROR


def _resolution(cell: Cell, written: str) -> float:
    """Return what writing rounds off: half a unit of the last digit, of those that are asked for."""
    value = cell.value.value
    own = abs(float(cell.text.lstrip("~")) - value)
    if cell.digits is None or not own:
        return max(own, _ROUND_TRIP * abs(value))
    fewest, most = cell.digits
    last = math.floor(math.log10(abs(value))) + 1 - min(max(_digits(written), fewest), most)
    return max(own, 0.5 * 10.0**last) * (1.0 + 1e-9)


def _digits(text: str) -> int:
    """Return the number of significant digits, but for zeros at the end."""
    return len(text.lower().partition("e")[0].lstrip("-+~0.").replace(".", "").rstrip("0"))


# --- lines ---------------------------------------------------------------------------------------------------


def _compare_line(
    found: Comparison, draft: Draft, line: Line, texts: tuple[str, ...] | None, theirs: str, number: int,
    stated: dict[tuple[str, str], float],
) -> None:  # fmt: skip
    if texts is None:
        found.findings.append(_unlike(draft, line, theirs, number))
        return
    for index, written in zip(line.figures, texts, strict=True):
        figure = draft.figures[index]
        finding = _judged(figure, written, stated)
        if figure.cell.role == NUMBER or finding.verdict != AGREE:
            told = {"row": figure.row, "column": figure.column, "written": _cut(written), "computed": figure.cell.text}
            found.findings.append(replace(finding, line=number, **told))
        if figure.cell.role == NUMBER and _stays(figure.cell, finding, written):
            found.kept[index] = written
        elif finding.verdict == UNDECIDED:
            found.stale = True


def _stays(cell: Cell, finding: Finding, written: str) -> bool:
    """Whether a number of the file may stay beside the error that is stated once the file is written anew."""
    if finding.verdict == UNDECIDED:
        return not _knows_better(cell, finding)
    return finding.verdict == AGREE and judge(cell, written).verdict == AGREE


def _judged(figure: Figure, written: str, stated: dict[tuple[str, str], float]) -> Finding:
    if figure.cell.role == NUMBER:
        kind = figure.cell.kind
        return judge(figure.cell, written, stated.get((figure.row, kind), stated.get(("", kind))))
    if figure.cell.role == ERROR:
        return _judge_error(figure.cell, written)
    return Finding(AGREE, 0)


def _judge_error(cell: Cell, written: str) -> Finding:
    """An error may be larger than it need be; one that is far smaller claims too much."""
    if written == cell.text:
        return Finding(AGREE, 0)
    if not TOKEN.fullmatch(written):
        return Finding(DISAGREE, 0, reason="an error that is no number")
    claimed, known = float(written.lstrip("~")), cell.value.value or 0.0
    if not claimed >= TOO_SMALL * known:
        return Finding(DISAGREE, 0, reason="the file states a smaller error than can be shown")
    if not _sampled(cell) and claimed > max(TOO_LARGE * known, SLACK):
        return Finding(DISAGREE, 0, reason="the file states a far larger error than there is")
    return Finding(AGREE, 0)


def _stated(draft: Draft, lines: list[Line], texts: dict[int, tuple[str, ...] | None]) -> dict[tuple[str, str], float]:
    """Return the relative errors that the file states, by row ("" of all) and kind."""
    found: dict[tuple[str, str], float] = {}
    for mine, own in texts.items():
        for index, written in zip(lines[mine].figures, own or (), strict=False):
            figure = draft.figures[index]
            if figure.cell.role == ERROR and not figure.column and TOKEN.fullmatch(written):
                whose = figure.row, figure.cell.kind
                found[whose] = max(found.get(whose, 0.0), float(written.lstrip("~")))
    return found


def _unlike(draft: Draft, line: Line, theirs: str, number: int) -> Finding:
    rows = dict.fromkeys(draft.figures[i].row for i in line.figures if draft.figures[i].row)
    reason = f"the line reads {_shown(theirs)} where it should read {_shown(line.text)}"
    if theirs.split() == line.text.split():
        reason = "its blanks differ: the line is indented or broken in another way"
    return Finding(CHANGED, number, ", ".join(rows), reason=reason)


def _absent(found: Comparison, row: str, columns: dict[str, None]) -> list[Finding]:
    """Name a row that is missing, or where a part of it is there the numbers that are not."""
    if any(one.row == row and one.verdict not in (MISSING, SURPLUS) for one in found.findings):
        return [Finding(MISSING, 0, row, column, reason="the number is missing") for column in columns if column]
    return [Finding(MISSING, 0, row, reason="the row is missing")]


def _shown(line: str) -> str:
    return repr(_cut(line.strip()))


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _note_unpaired(
    found: Comparison, draft: Draft, lines: list[Line], theirs: list[str], missing: list[int], surplus: list[int]
) -> None:
    """Name the rows that a file lacks, and the lines that it has too many."""
    absent: dict[str, dict[str, None]] = {}
    for mine in missing:
        own = [draft.figures[i] for i in lines[mine].figures if draft.figures[i].row]
        for figure in own:
            absent.setdefault(figure.row, {})[figure.column] = None
        if not own and lines[mine].key:
            found.findings.append(Finding(MISSING, 0, reason=f"a line is missing: {_shown(lines[mine].text)}"))
    found.findings += [finding for row, columns in absent.items() for finding in _absent(found, row, columns)]
    for other in surplus:
        if theirs[other].strip():
            reason = f"the line is not of the config: {_shown(theirs[other])}"
            found.findings.append(Finding(SURPLUS, other + 1, reason=reason))
    blank = [other for other in surplus if not theirs[other].strip()] + [m for m in missing if not lines[m].key]
    if blank and all(finding.verdict in (AGREE, UNDECIDED) for finding in found.findings):
        found.findings.append(Finding(CHANGED, 0, reason="blank lines differ"))
