"""What ``table`` shows: the layers' rows, then the grid and the printed numbers that a config asks for."""

from __future__ import annotations

import dataclasses

from normcal import collection, summary
from normcal.audit import CLASSES, Finding, finite, judge
from normcal.config import Config
from normcal.errors import RequestError
from normcal.grid import Grid
from normcal.report import Block, Error, Heading, Number, Paragraph, Report, Table
from normcal.request import BOTH, LAWS, Request
from normcal.result import Result


def report(config: Config, request: Request, result: Result) -> Report:
    """Return the report of a config's table."""
    blocks, extra = ([], {}) if result.interrupted else more(config, request)
    return summary.by_layer(dataclasses.replace(result, title=config.title, extra=extra), blocks)


def more(config: Config, request: Request) -> tuple[list[Block], dict]:
    """Return what a config asks for beside its rows, as blocks and as data."""
    everything = dataclasses.replace(request, direction=BOTH)  # a grid says what it needs
    # what is printed was printed at the config's own input law, and is held against the best value
    law = Request().updated({name: config.options.get(name) for name in LAWS}, config.folder).law
    blocks: list[Block] = []
    extra: dict = {}
    try:
        if config.grid:
            grid = Grid(config.grid, everything)
            blocks += grid.blocks()
            extra["grid"] = grid.data()
        if config.printed:
            findings = [judge(collection.printed(entry, law)) for entry in config.printed]
            blocks += _printed_blocks(findings)
            extra["comparisons"] = [_printed_data(finding) for finding in findings]
    except RequestError as error:
        raise RequestError(f"{config.path}: {error.message}", error.hint) from None
    return blocks, extra


def _printed_data(finding: Finding) -> dict:
    entry = finding.entry
    return {
        "where": entry.name, "printed": entry.literal.text, "spec": entry.layer.spec, "quantity": str(entry.quantity),
        "printed_value": entry.literal.value, "computed": finding.exact.value, "computed_error": finding.exact.error,
        "difference": finite(finding.difference), "samples": entry.samples, "standard_errors": finding.standard_errors,
        "verdict": finding.verdict, "why": finding.why, "remark": entry.note,
    }  # fmt: skip


def _printed_blocks(findings: list[Finding]) -> list[Block]:
    columns = ("where", "layer", "quantity", "printed", "computed", "error", "verdict", "why", "remark")
    rows = [
        (
            f.entry.name, f.entry.layer.spec, str(f.entry.quantity), f.entry.literal.text, Number(f.exact),
            Error(f.exact.error), f.verdict, f.why, f.entry.note,
        )
        for f in findings
    ]  # fmt: skip
    verdicts = [finding.verdict for finding in findings]
    counts = ", ".join(f"{verdicts.count(one)} {one}" for one in reversed(CLASSES) if one in verdicts)
    return [
        Heading("Every printed number"),
        Paragraph(f"{len(rows)} numbers: {counts}."),
        Table(columns, tuple(rows), words=("where", "layer", "quantity", "printed", "verdict", "why", "remark")),
    ]
