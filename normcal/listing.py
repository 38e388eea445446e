"""What there is, as a Report: the layers by family, in short or each with all that it declares."""

from __future__ import annotations

from typing import Any

from normcal import __version__, catalog
from normcal import engine as engines
from normcal.layer import AFFINE, DIRECTIONS, Elementwise, Layer
from normcal.report import Block, Formula, Heading, Items, Paragraph, Report, Table
from normcal.result import SCHEMA
from normcal.spec import written

_ALSO = ", ".join(param.name for param in AFFINE)
_AFFINE = f"+ stands for {_ALSO}: output_scale f(input_scale x + input_shift) + output_shift."
_COLUMNS = ("layer", "parameters", "formula", "engines", "also known as")


def short(classes: list[type[Layer]]) -> Report:
    """Return one table a family: parameters with defaults, formula, engines, other names."""
    layers = [catalog.sample(cls) for cls in classes]
    blocks: list[Block] = []
    for family in dict.fromkeys(catalog.family(cls) for cls in classes):
        rows = [_row(layer) for layer in layers if catalog.family(type(layer)) == family]
        blocks += [Heading(family), Table(_COLUMNS, tuple(rows), words=_COLUMNS)]
    return _report(layers, blocks)


def full(classes: list[type[Layer]]) -> Report:
    """Return a section for each layer: definition, parameters, moments, engines, assumptions, references."""
    layers = [catalog.sample(cls) for cls in classes]
    told = "What every layer declares, family by family, as `normcal layers --details` prints it."
    blocks: list[Block] = [Heading("Layers", level=0), Paragraph(told)]
    for family in dict.fromkeys(catalog.family(cls) for cls in classes):
        blocks.append(Heading(family.capitalize()))
        for layer in layers:
            if catalog.family(type(layer)) == family:
                blocks += _section(layer)
    return _report(layers, blocks)


def _report(layers: list[Layer], blocks: list[Block]) -> Report:
    data = [_data(layer) for layer in layers]
    records = [
        {k: d[k] for k in ("name", "family", "summary", "formula")}
        | {"parameters": _params(layer), "engines": _engines(d["engines"]), "aliases": ", ".join(d["aliases"])}
        for layer, d in zip(layers, data, strict=True)
    ]
    if any(isinstance(layer, Elementwise) for layer in layers):
        blocks = [*blocks, Paragraph(_AFFINE)]
    return Report({"schema": SCHEMA, "generator": f"normcal {__version__}", "layers": data}, records, tuple(blocks))


def _row(layer: Layer) -> tuple:
    taken = ", ".join(filter(None, (_params(layer), "+" if isinstance(layer, Elementwise) else "")))
    formula = Formula(layer.formula, layer.latex)
    return _shown(type(layer)), taken, formula, _engines(_serving(layer)), ", ".join(_also(type(layer)))


def _shown(cls: type[Layer]) -> str:
    """Return what stands for a layer in a list: its name, or a SPEC of it where the name alone is none."""
    return cls.example if cls.composed else cls.name


def _section(layer: Layer) -> list[Block]:
    cls = type(layer)
    blocks: list[Block] = [Heading(cls.name, level=2), Paragraph(cls.summary()), Formula(cls.formula, cls.latex)]
    facts = [f"Engines: {_engines(_serving(layer))}"]
    if cls.composed:
        facts.insert(0, f"Such as: {cls.example}")
    if layer.inputs:
        facts.append(f"Inputs: {', '.join(layer.inputs)}")
    if _also(cls):
        facts.append(f"Also known as: {', '.join(_also(cls))}")
    if isinstance(layer, Elementwise):
        facts.append(f"Elementwise: also takes {_ALSO}")
    blocks.append(Items(tuple(facts)))
    own = [p for p in cls.params if p not in AFFINE]
    if own:
        columns = ("parameter", "default", "meaning", "accepted")
        rows = tuple((p.name, _default(p), p.doc, p.accepted()) for p in own)
        blocks.append(Table(columns, rows, words=columns))
    if cls.moments:
        rows = tuple((what, Formula(text, latex)) for what, text, latex in cls.moments)
        blocks.append(Table(("moment", "formula"), rows, words=("moment", "formula")))
    if cls.assumptions:
        blocks += [Paragraph("Assumes:"), Items(tuple(cls.assumptions))]
    if cls.references:
        blocks += [Paragraph("References:"), Items(tuple(map(str, cls.references)))]
    return blocks


def _serving(layer: Layer) -> dict[str, list[str]]:
    return {direction: engines.serving(layer, direction) for direction in DIRECTIONS}


def _engines(serving: dict[str, list[str]]) -> str:
    """Name the engines once where both directions have the same."""
    texts = {direction: ", ".join(names) or "none" for direction, names in serving.items()}
    if len(set(texts.values())) == 1:
        return next(iter(texts.values()))
    return "; ".join(f"{direction}: {text}" for direction, text in texts.items())


def _params(layer: Layer) -> str:
    return ", ".join(f"{p.name}={_default(p)}" for p in layer.params if not p.quiet)


def _default(param) -> str:
    """Write a default as the SPEC grammar does; one that the layer derives says so."""
    return "auto" if param.default is None else written(param.default)


def _also(cls: type[Layer]) -> tuple[str, ...]:
    return (*cls.aliases, *cls.presets)


def _data(layer: Layer) -> dict[str, Any]:
    cls = type(layer)
    told = [p for p in cls.params if not p.quiet]
    return {
        "name": cls.name, "family": catalog.family(cls), "aliases": list(cls.aliases),
        "presets": {name: dict(params) for name, params in cls.presets.items()}, "summary": cls.summary(),
        "formula": cls.formula, "latex": cls.latex, "inputs": list(layer.inputs), "engines": _serving(layer),
        "params": [
            {"name": p.name, "default": list(p.default) if isinstance(p.default, tuple) else p.default,
             "accepted": p.accepted(), "doc": p.doc} | ({"complement": p.complement} if p.complement else {})
            for p in told
        ],
        "also_takes": [p.name for p in cls.params if p.quiet],
        "references": [str(reference) for reference in cls.references],
    } | ({"example": cls.example} if cls.composed else {})  # fmt: skip
