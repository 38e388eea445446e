"""What ``explain`` says of a layer: definition, formulas, assumptions, engines, references."""

from __future__ import annotations

from normcal import __version__, pipeline
from normcal import engine as engines
from normcal import session as sessions
from normcal.errors import Unsupported
from normcal.layer import DIRECTIONS, Layer
from normcal.report import Block, Error, Formula, Heading, Items, Number, Paragraph, Report, Table
from normcal.request import Request
from normcal.result import SCHEMA, Estimate
from normcal.spec import written

DEFAULT_SAMPLES = 100_000
_GENERAL = (
    "the input entries are independent {law}, the incoming gradient's independent {gradient}, {how} the input",
    "derivatives are the almost-everywhere ones that automatic differentiation uses",
)


def report(layer: Layer, request: Request, progress=None) -> Report:
    """Return the explanation of a layer at an input law."""
    assumptions = _general(request.law) + list(layer.assumptions)
    with sessions.opened(request, [layer]) as session:
        report = None if progress is None else lambda done, total: progress(layer.spec, done, total)
        effort = request.effort(report, session)
        tried = [(engine, direction, _tried(engine, layer, direction, request, effort))
                 for direction in DIRECTIONS for engine in engines.ranked()]  # fmt: skip
    rows, records = [], []
    for engine, direction, found in tried:
        rows.append(_row(engine, direction, found))
        if isinstance(found, Estimate):
            rows += [_row(engine, f"{direction} {name}", part) for name, part in found.parts.items()]
        estimate = found.data() if isinstance(found, Estimate) else {"engine": engine.name, "reason": found}
        records.append({"direction": direction, **estimate})
    data = {
        "schema": SCHEMA, "generator": f"normcal {__version__}", "layer": layer.name, "spec": layer.spec,
        "summary": layer.summary(), "formula": layer.formula, "latex": layer.latex,
        "moments": [{"of": what, "formula": text, "latex": latex} for what, text, latex in layer.moments],
        "assumptions": assumptions, "engines": records, "references": [str(r) for r in layer.references],
    }  # fmt: skip
    blocks: list[Block] = [
        Heading(layer.spec),
        Paragraph(layer.summary()),
        Formula(layer.formula, layer.latex),
        *_params(layer),
        *_moments(layer),
        Heading("Assumptions"),
        Items(tuple(assumptions)),
        Heading("What each engine gives"),
        Table(("direction", "engine", "mean", "std", "error", "how"), tuple(rows), ("direction", "engine", "how")),
        Items(tuple(engines.notes(layer, request.law)), aside=True),
        *_approximation(layer, request, tried),
        *_references(layer),
    ]
    return Report(data, [_flat(record) for record in records], tuple(blocks))


def _approximation(layer: Layer, request: Request, tried: list) -> list[Block]:
    """Return what a chain gives where each layer is taken to see normal input, beside the best true std."""
    gaussian = pipeline.approximated(layer, request)
    if gaussian is None:
        return []
    rows = []
    for direction in DIRECTIONS:
        found = [one for _, way, one in tried if way == direction and isinstance(one, Estimate)]
        true = min(found, key=lambda one: one.worst_error, default=None)
        its = gaussian.of(direction)
        if its is not None and true is not None:
            off = Number(gaussian.off(direction, true), true.error_kind)
            rows.append((direction, Number(its.mean, its.error_kind), Number(its.std, its.error_kind), off))
    fed = [f"{spec} is fed {law}" for spec, law in gaussian.laws]
    table = Table(("direction", "mean", "std", "std / true std"), tuple(rows), ("direction",))
    return [Heading("Gaussian approximation"), Items(tuple(fed)), table]


def _references(layer: Layer) -> list[Block]:
    return [Heading("References"), Items(tuple(map(str, layer.references)))] if layer.references else []


def _general(law) -> list[str]:
    rho = law.gradient.correlation
    how = f"each of correlation {rho:.12g} with its entry of" if rho else "independent of"
    return [text.format(law=law, gradient=law.gradient, how=how) for text in _GENERAL]


def _flat(record: dict) -> dict:
    """Put the errors of a record beside its values; what is nested deeper stays with the document."""
    values = {key: value for key, value in record.items() if key not in ("error", "inputs", "weights")}
    return values | {f"{key}_error": value for key, value in record.get("error", {}).items()}


def _tried(engine, layer: Layer, direction: str, request: Request, effort: engines.Effort) -> Estimate | str:
    """Return what the engine finds, or its reason for not trying."""
    from dataclasses import replace

    if engine.samples and effort.samples is None:
        effort = replace(effort, samples=max(min(DEFAULT_SAMPLES, 10**7 // _draws(layer)), 1000))
    try:
        return engine.estimate(layer, direction, request.law, effort)
    except Unsupported as reason:
        return str(reason)
    except engines.Interrupted as stop:
        raise stop.cause or stop from None


def _draws(layer: Layer) -> int:
    try:
        return layer.draws()
    except Unsupported:
        return 1


def _row(engine, direction: str, found: Estimate | str) -> tuple:
    if isinstance(found, str):
        return direction, engine.name, "", "", "", f"not served: {found}"
    mean, std = (Number(value, found.error_kind) for value in (found.mean, found.std))
    how = found.reason or (f"{engine.summary}, {found.samples:_} samples" if found.samples else engine.summary)
    return direction, engine.name, mean, std, Error(found.std.error), how


def _params(layer: Layer) -> list[Block]:
    if not layer.params:
        return []
    values = ((p, layer.in_force(p.name)) for p in layer.params)
    rows = tuple((p.name, "auto" if v is None else written(v), p.doc, p.accepted()) for p, v in values)
    columns = ("parameter", "value", "meaning", "accepted")
    return [Heading("Parameters"), Table(columns, rows, words=columns)]


def _moments(layer: Layer) -> list[Block]:
    if not layer.moments:
        return [Heading("Moments"), Paragraph("No formula is given; the moments are one-dimensional integrals.")]
    rows = tuple((what, Formula(text, latex)) for what, text, latex in layer.moments)
    return [Heading("Moments"), Table(("of", "formula"), rows, words=("of", "formula"))]
