"""What ``table`` shows: the layers' rows, then the grid and the comparisons that a config asks for."""

from __future__ import annotations

import dataclasses

from normcal import summary
from normcal.comparison import Comparison, compare
from normcal.config import Config
from normcal.errors import RequestError
from normcal.grid import Grid
from normcal.report import Block, Error, Heading, Number, Paragraph, Report, Table
from normcal.request import BOTH, Request
from normcal.result import Result


def report(config: Config, request: Request, result: Result) -> Report:
    """Return the report of a config's table."""
    everything = dataclasses.replace(request, direction=BOTH)  # a grid says what it needs
    # what is printed was printed at the config's own input law, and is held against the best value
    as_printed = Request().updated({name: config.options.get(name) for name in ("mean", "std", "tol", "seed")})
    blocks: list[Block] = []
    extra: dict = {}
    try:
        if config.grid and not result.interrupted:
            grid = Grid(config.grid, everything)
            blocks += grid.blocks()
            extra["grid"] = grid.data()
        if config.printed and not result.interrupted:
            comparisons = [compare(entry, as_printed) for entry in config.printed]
            blocks += _comparison_blocks(comparisons)
            extra["comparisons"] = [comparison.data() for comparison in comparisons]
    except RequestError as error:
        raise RequestError(f"{config.path}: {error.message}", error.hint) from None
    result = dataclasses.replace(result, title=config.title, extra=extra)
    return summary.by_layer(result, blocks)


def _comparison_blocks(comparisons: list[Comparison]) -> list[Block]:
    columns = ("where", "layer", "quantity", "printed", "computed", "error", "standard errors", "verdict", "remark")
    rows = []
    for c in comparisons:
        distance = "" if c.standard_errors is None else f"{c.standard_errors:.2f}"
        rows.append(
            (
                c.where,
                c.layer,
                c.quantity,
                c.printed,
                Number(c.computed),
                Error(c.computed.error),
                distance,
                c.verdict,
                c.remark,
            )
        )
    words = ("where", "layer", "quantity", "printed", "verdict", "remark")
    counts = ", ".join(
        f"{sum(c.verdict == verdict for c in comparisons)} {verdict}"
        for verdict in dict.fromkeys(c.verdict for c in comparisons)
    )
    return [
        Heading("Every printed number"),
        Paragraph(f"{len(rows)} numbers: {counts}."),
        Table(columns, tuple(rows), words),
    ]
