"""The report of an audit: counts, a table a file with the worst first, doubts and sources."""

from __future__ import annotations

import math

from normcal import __version__, rounding
from normcal.audit import APPROXIMATION, CLASSES, EXACT, OTHER, RIGHT, ROUNDED, SAMPLING, UNDECIDED, WRONG, Finding
from normcal.collection import Group
from normcal.report import Annotation, Block, Heading, Items, Paragraph, Report, Table
from normcal.result import SCHEMA

MEANINGS = {
    WRONG: "more than 5 % away from what it is claimed to be, and nothing else explains it",
    OTHER: "another quantity of the layer, or of a sibling form: the number is right, its name is not",
    APPROXIMATION: "within 5 %, but neither rounding nor sampling explains the difference",
    UNDECIDED: "the exact value is not known well enough to tell",
    SAMPLING: "within the noise of the draws that its source states, or of a plausible number of them",
    ROUNDED: "right but for rounding on the way: a digit cut off, a rounded number behind it, single precision",
    EXACT: "every printed digit is right",
}
_LEVELS = {WRONG: "error", OTHER: "warning", APPROXIMATION: "warning"}
_COLUMNS = ("constant", "held against", "published", "exact, to write instead", "difference", "verdict")
_WORDS = ("constant", "held against", "verdict")
_DOUBT = " †"

Judged = list[tuple[Group, list[Finding]]]


def counts(judged: Judged) -> dict[str, int]:
    """Return how many entries each class has, worst class first."""
    found = [finding.verdict for _, findings in judged for finding in findings]
    return {verdict: found.count(verdict) for verdict in CLASSES}


def report(judged: Judged, only: tuple[str, ...] = (), *, page: bool = False) -> Report:
    """Return the report of an audit; ``only`` names the classes to list, ``page`` adds what a first reader needs."""
    listed = [(group, [f for f in found if not only or f.verdict in only]) for group, found in judged]
    listed = [(group, found) for group, found in listed if found]
    head = _head(judged) if page else [Paragraph(_counted(counts(judged)))]
    blocks = [block for group, found in listed for block in _section(group, found)]
    flat = [{"file": group.name} | finding.data() for group, found in listed for finding in found]
    data = {"schema": SCHEMA, "generator": f"normcal {__version__}", "classes": counts(judged), "constants": flat}
    records = [{key: value for key, value in row.items() if not isinstance(value, dict)} for row in flat]
    return Report(data, records, (*head, *blocks), tuple(_annotations(listed)))


def _head(judged: Judged) -> list[Block]:
    """Say what this is, how to read it, and how much there is of what."""
    total, groups = counts(judged), len(judged)
    many = sum(total.values())
    meanings = tuple((verdict, str(number), MEANINGS[verdict]) for verdict, number in total.items())
    files = tuple(
        (group.name, str(len(found)), *(_tally(found, verdict) for verdict in CLASSES)) for group, found in judged
    )
    return [
        Heading("Published constants, audited", 0),
        Paragraph(
            f"{many} constants that frameworks and papers publish or hard-code to keep a signal normalised, in "
            f"{groups} groups, each held against the exact value of the quantity that its source claims or uses it "
            "as. The verdict follows from the printed digits, the number of draws and the error of the exact value "
            "alone; docs/auditing.md has the rules. A verdict is about the number as that quantity, and a source may "
            f"have had another reason for it: what it says itself stands below the table, and{_DOUBT} marks a "
            "constant whose source leaves open what it should be. Within a table, the worst come first."
        ),
        Table(("class", "constants", "means"), meanings, ("class", "means")),
        Table(("group", "constants", *CLASSES), files, ("group",)),
    ]


def _tally(found: list[Finding], verdict: str) -> str:
    number = sum(finding.verdict == verdict for finding in found)
    return str(number) if number else ""


def _counted(total: dict[str, int]) -> str:
    many = sum(total.values())
    told = ", ".join(f"{number} {verdict}" for verdict, number in total.items() if number)
    return f"{many} constant{'s' * (many != 1)}: {told}"


def _section(group: Group, found: list[Finding]) -> list[Block]:
    remarks = tuple(filter(None, map(_remark, found)))
    about = [Paragraph(group.about)] if group.about else []
    table = Table(_COLUMNS, tuple(map(_row, found)), _WORDS)
    sources = [Paragraph("Sources:"), Items(_sources(found))] if any(f.entry.source for f in found) else []
    return [Heading(group.name), *about, table, *([Items(remarks)] if remarks else []), *sources]


def _remark(finding: Finding) -> str:
    """Return what the source itself says of a number that is not right, and what leaves it open."""
    entry = finding.entry
    own = () if finding.verdict in RIGHT else (entry.definition, entry.note)
    told = "; ".join(filter(None, (*own[:1], entry.ambiguous, *own[1:])))
    return f"{entry.name}{_DOUBT * bool(entry.ambiguous)}: {_shown(told)}" if told else ""


def _row(finding: Finding) -> tuple[str, ...]:
    entry = finding.entry
    law = "" if entry.law == type(entry.law)() else f" at {entry.law}"
    claimed = f"{entry.quantity} of {entry.layer.spec}{law}"
    verdict = f"{finding.verdict}: {finding.why}" if finding.why else finding.verdict
    return (
        entry.name + _DOUBT * bool(entry.ambiguous), claimed, _shown(entry.literal.text), _exact(finding),
        _difference(finding), _shown(verdict),
    )  # fmt: skip


def _shown(text: str) -> str:
    """Write products with a sign that Markdown leaves alone."""
    return text.replace("*", "·")


def _exact(finding: Finding) -> str:
    """Write every digit that is known, behind as many as were printed where those differ."""
    full = (rounding.with_error if finding.sampled else rounding.text)(finding.exact, rounding.MOST)
    return f"{finding.instead} ({full})" if finding.instead not in ("", full) else full


def _difference(finding: Finding) -> str:
    """Write the relative difference; the absolute one where the exact value is 0."""
    relative = finding.relative
    if relative is None:
        return f"{finding.difference:+.1e}" if finding.difference else ""
    if abs(relative) >= 100.0:
        return f"{relative:+.1e}"
    if not relative or (finding.verdict == EXACT and abs(relative) < 1e-12):
        return ""
    if abs(relative) < 1e-5:
        return f"{relative:+.0e}"
    places = max(1 - math.floor(math.log10(abs(100.0 * relative))), 0)
    return f"{100.0 * relative:+.{places}f} %"


def _sources(found: list[Finding]) -> tuple[str, ...]:
    """Return each source once, with the names that come from it."""
    named: dict[str, list[str]] = {}
    for finding in found:
        named.setdefault(finding.entry.source, []).append(finding.entry.name)
    return tuple(
        source if len(names) == len(found) else f"{', '.join(sorted(names))}: {source}"
        for source, names in sorted(named.items(), key=lambda item: min(item[1]))
        if source
    )


def _annotations(judged: Judged) -> list[Annotation]:
    return [
        Annotation(
            _LEVELS.get(f.verdict, "notice"), f.entry.path, f.entry.line, f"{f.entry.name}: {f.verdict}",
            f"{f.entry.literal.text} as {f.entry.quantity} of {f.entry.layer.spec}: {f.why}"
            + (f"; write {f.instead}" if f.instead else ""),
        )
        for _, found in judged
        for f in found
        if f.verdict != EXACT
    ]  # fmt: skip
