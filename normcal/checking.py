"""Holding files against what they should hold: a config's, or single files that say what they were made from."""

from __future__ import annotations

import json
import os
import shlex
from dataclasses import dataclass
from typing import Any

from normcal import __version__, generation, schema, yamlfile
from normcal import config as configs
from normcal import output as outputs
from normcal.comparison import AGREE, DISAGREE, MISSING, UNDECIDED, Finding
from normcal.constants import REQUEST_MARK
from normcal.documents import table
from normcal.errors import FileError, RequestError, counted
from normcal.output import Output
from normcal.pipeline import Progress
from normcal.report import Annotation, Block, Items, Paragraph, Report, Table
from normcal.result import SCHEMA

CONFIG = "normcal.yaml"
_LEVELS = {AGREE: "notice", UNDECIDED: "warning"}
_HEAD = 200


@dataclass(frozen=True)
class Checked:
    """One file: its findings, the verdict on it, and the command that writes it anew."""

    path: str
    findings: tuple[Finding, ...]
    verdict: str
    regenerate: str

    @property
    def numbers(self) -> int:
        return sum(1 for finding in self.findings if finding.written)

    @property
    def open(self) -> list[Finding]:
        """What does not simply agree."""
        return [finding for finding in self.findings if finding.verdict != AGREE]


def targets(paths: list[str], root: str | None) -> list[tuple[list[Output], str]]:
    """Return the outputs that configs and files name, with the command that regenerates them.

    A path is a config, a file that a ``normcal.yaml`` in its folder or above names, or a file that says itself
    what it was made from. Raises RequestError for what is none of them.
    """
    return [_target(path, root) for path in paths or [CONFIG]]


def check(found: list[tuple[list[Output], str]], progress: Progress | None = None) -> list[Checked]:
    """Compute every file anew and hold it against what is there; nothing is written."""
    plans = generation.plan([output for group, _ in found for output in group], progress)
    commands = [command for group, command in found for _ in group]
    return [_checked(plan, command) for plan, command in zip(plans, commands, strict=True)]


def report(checked: list[Checked]) -> Report:
    """Return what check says: a verdict a file, a row for everything that does not agree."""
    rows = [_row(one, finding) for one in checked for finding in one.open]
    columns = ("file", "line", "row", "column", "in the file", "computed", "difference/error", "verdict", "why")
    counts = (len(checked), sum(one.numbers for one in checked))
    told = f"{counted(counts[0], 'file')}, {counted(counts[1], 'number')}: " + ", ".join(
        f"{sum(one.verdict == verdict for one in checked)} {verdict}" for verdict in (AGREE, DISAGREE, UNDECIDED)
    )
    commands = dict.fromkeys(one.regenerate for one in checked if one.verdict != AGREE)
    blocks: list[Block] = (
        [Table(columns, tuple(rows), words=(*columns[:1], *columns[2:4], *columns[-2:]))] if rows else []
    )
    blocks += [Paragraph(told), Items(tuple(f"To write it anew: {command}" for command in commands))]
    data = {
        "schema": SCHEMA, "generator": f"normcal {__version__}", "verdict": verdict(checked),
        "files": [_data(one) for one in checked],
    }  # fmt: skip
    records = [{"file": one.path} | _finding(finding) for one in checked for finding in one.findings]
    return Report(data, records, tuple(blocks), tuple(_annotation(one, f) for one in checked for f in one.open))


def verdict(checked: list[Checked]) -> str:
    """Return the worst verdict of several files."""
    verdicts = {one.verdict for one in checked}
    return next((one for one in (DISAGREE, UNDECIDED) if one in verdicts), AGREE)


def request_of(text: str) -> dict[str, Any] | None:
    """Return the keys of a config that a generated file says it was made from; None where it says nothing.

    >>> request_of('# normcal: {"layers": ["re\\n# normcal: lu"]}\\n')
    {'layers': ['relu']}
    """
    parts, before = [], ""
    for line in text.split("\n"):
        sign, mark, part = line.partition(REQUEST_MARK)
        if mark and (sign == before if parts else part.startswith("{")):
            before = sign
            parts.append(part.rstrip().removesuffix("*/").removesuffix("-->").rstrip())
        elif parts:
            break
    try:
        found = json.loads("".join(parts)) if parts else _in_data(text)
        json.dumps(found, ensure_ascii=False).encode()  # half of a character is no text
    except (ValueError, TypeError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _in_data(text: str) -> dict[str, Any] | None:
    """Return the request of a document in JSON or YAML: its own key, or that of a table."""
    as_json = text.startswith("{")
    if SCHEMA not in text[:_HEAD] or not (as_json or len(text) <= yamlfile.LARGEST):
        return None
    try:
        data = json.loads(text) if as_json else yamlfile.parse(text, "it").data
        return data["request"] if "request" in data else table.request_of(data)
    except (ValueError, KeyError, TypeError, RequestError, FileError):
        return None


def _target(path: str, root: str | None) -> tuple[list[Output], str]:
    """Return the outputs of a config, or the one that a single file is."""
    if os.path.basename(path) != CONFIG or not os.path.exists(path):
        found = _named_above(path) or _by_itself(path)
        if found:
            return found
    if not _is_config(path):
        hint = "Name it below 'outputs:' of a config, or see 'normcal audit' for constants of others."
        raise FileError(f"{path!r} does not say what it was made from, and no {CONFIG} names it.", hint)
    return outputs.outputs(configs.read(path), root), _command(path, root)


def _is_config(path: str) -> bool:
    """Whether a file is meant for a config: YAML, with at least one of its keys."""
    if not path.endswith((".yaml", ".yml")):
        return False
    data = yamlfile.read(path, "config").data
    return not isinstance(data, dict) or bool(data.keys() & schema.get("config")["properties"].keys())


def _named_above(path: str) -> tuple[list[Output], str] | None:
    """Return the output that a config in the file's folder, or in one above, names so."""
    target = os.path.realpath(path)
    folder = os.path.dirname(target)
    while True:
        config = os.path.join(folder, CONFIG)
        read = configs.read(config) if os.path.isfile(config) else None
        named = [one for one in outputs.outputs(read) if one.target == target] if read and read.outputs else []
        if named:
            return named, _command(os.path.relpath(config), None)
        if os.path.dirname(folder) == folder:
            return None
        folder = os.path.dirname(folder)


def _by_itself(path: str) -> tuple[list[Output], str] | None:
    """Return the output that a file says itself that it is."""
    if not os.path.isfile(path):
        raise FileError(f"{path!r} is no file.", f"Accepted: a config, by default {CONFIG}, or generated files.")
    text = generation.read(os.path.realpath(path), path)
    request = None if text is None else request_of(text)
    if request is None:
        return None
    return [outputs.described(request, path, f"{path} (its own request)")], "normcal generate CONFIG"


def _command(path: str, root: str | None) -> str:
    words = ["normcal", "generate", *([path] if path != CONFIG else []), *(["--root", root] if root else [])]
    return shlex.join(words)


def _checked(plan: generation.Plan, command: str) -> Checked:
    path = plan.output.path
    comparison = plan.comparison
    if comparison is None:
        missing = Finding(MISSING, 0, reason="the file is not there")
        return Checked(path, (missing,), DISAGREE, command)
    return Checked(path, tuple(comparison.findings), comparison.verdict, command)


def _row(one: Checked, finding: Finding) -> tuple[str, ...]:
    score = "" if finding.score is None else f"{finding.score:.3g}"
    line = str(finding.line) if finding.line else ""
    told = (finding.row, finding.column, finding.written, finding.computed, score, finding.verdict, finding.reason)
    return one.path, line, *told


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "line": finding.line or None, "row": finding.row, "column": finding.column, "in_file": finding.written,
        "computed": finding.computed, "score": finding.score, "verdict": finding.verdict, "reason": finding.reason,
    }  # fmt: skip


def _data(one: Checked) -> dict[str, Any]:
    return {
        "path": one.path, "verdict": one.verdict, "numbers": one.numbers, "regenerate": one.regenerate,
        "findings": [_finding(finding) for finding in one.findings],
    }  # fmt: skip


def _annotation(one: Checked, finding: Finding) -> Annotation:
    place = ", ".join(filter(None, (finding.row, finding.column)))
    numbers = f"{finding.written} in the file, {finding.computed} computed" if finding.written else ""
    score = f"{finding.score:.3g} times the combined error" if finding.score is not None else ""
    message = "; ".join(filter(None, (place, numbers, score, finding.reason, f"to write it anew: {one.regenerate}")))
    # what is missing has no line of its own; without one an annotation is shown beside no file
    return Annotation(_LEVELS.get(finding.verdict, "error"), one.path, finding.line or 1, finding.verdict, message)
