"""The report of verify: one row a layer and direction, every comparison for machines."""

from __future__ import annotations

from normcal import __version__
from normcal.layer import Layer
from normcal.report import Items, Paragraph, Report, Table
from normcal.request import Request
from normcal.result import SCHEMA
from normcal.verification import AGREE, DISAGREE, LEVEL, UNDECIDED, Comparison


def report(request: Request, layers: list[Layer], comparisons: list[Comparison]) -> Report:
    """Return the report: counts, a row for each layer and direction, remarks on what stayed open."""
    counts = {verdict: sum(c.verdict == verdict for c in comparisons) for verdict in (AGREE, DISAGREE, UNDECIDED)}
    data = {
        "schema": SCHEMA, "generator": f"normcal {__version__}", "assumptions": {"input": request.law.data()},
        "verdicts": counts, "family_wise_level": LEVEL, "comparisons": [c.data() for c in comparisons],
    }  # fmt: skip
    rows, open_ones = [], []
    for layer in layers:
        for direction in request.directions:
            own = [c for c in comparisons if c.layer == layer.spec and c.direction == direction]
            rows.append(_row(layer.spec, direction, own))
            if any(c.verdict == UNDECIDED for c in own) or not own:
                open_ones.append(f"{layer.spec}, {direction}: {_why(own)}")
    words = ("layer", "direction", "engines", "verdict")
    table = Table(
        ("layer", "direction", "engines", "difference/bounds", "worst z-score", "verdict"), tuple(rows), words
    )
    summary = f"input {request.law}: {len(comparisons)} comparisons, " + ", ".join(
        f"{n} {v}" for v, n in counts.items()
    )
    records = [
        {k: "|".join(map(str, v)) if isinstance(v, list) else v for k, v in c.data().items()} for c in comparisons
    ]
    return Report(data, records, (table, Paragraph(summary), Items(tuple(open_ones), aside=True)))


def _row(spec: str, direction: str, own: list[Comparison]) -> tuple[str, ...]:
    names = dict.fromkeys(name for c in own for name in c.engines)
    verdicts = {c.verdict for c in own}
    verdict = DISAGREE if DISAGREE in verdicts else UNDECIDED if UNDECIDED in verdicts or not own else AGREE
    return spec, direction, ", ".join(names), _worst(own, False), _worst(own, True), verdict


def _worst(own: list[Comparison], sampled: bool) -> str:
    scores = [abs(c.score) for c in own if c.sampled == sampled and c.score is not None]
    return f"{max(scores):.2g}" if scores else ""


def _why(own: list[Comparison]) -> str:
    if not own:
        return "a single engine serves it, so there is nothing to compare"
    names = dict.fromkeys(c.engines[1] for c in own if c.verdict == UNDECIDED)
    return f"{', '.join(names)} states no error at this input, so nothing follows from it"
