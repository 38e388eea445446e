"""normcal layers: what there is, with parameters, defaults and formulas."""

from __future__ import annotations

import click

from normcal.commands import _options


@click.command(
    epilog="""\b
Examples:
  normcal layers
  normcal layers pool
  normcal layers --format json"""
)
@click.argument("words", nargs=-1, metavar="[WORD...]")
@_options.output
def command(words, format, digits, output) -> None:
    """List the layers with their parameters, defaults and formulas.

    WORD keeps the layers whose name, alias, family or description holds it.
    """
    from normcal import __version__, catalog
    from normcal.commands._output import Output
    from normcal.errors import unknown
    from normcal.report import Formula, Report, Table
    from normcal.result import SCHEMA

    target = Output.checked(format, digits, output)
    chosen = [cls for cls in catalog.classes().values() if all(_holds(cls, word.lower()) for word in words)]
    if not chosen:
        raise unknown("layer", " ".join(words), catalog.classes(), see="'normcal layers' lists them all.")
    rows, data = [], []
    for cls in chosen:
        usual = cls()
        values = usual.values()
        params = ", ".join(f"{p.name}={_default(p, values)}" for p in cls.params)
        rows.append((cls.name, catalog.family(cls), params, Formula(cls.formula, cls.latex), ", ".join(cls.aliases)))
        data.append(_data(cls, catalog.family(cls)))
    table = Table(("layer", "family", "parameters", "formula", "aliases"), tuple(rows), words=_COLUMNS)
    records = [
        {k: d[k] for k in ("name", "family", "summary", "formula")} | {"parameters": row[2], "aliases": row[4]}
        for d, row in zip(data, rows, strict=True)
    ]
    head = {"schema": SCHEMA, "generator": f"normcal {__version__}"}
    target.write(Report(head | {"layers": data}, records, (table,)))


_COLUMNS = ("layer", "family", "parameters", "formula", "aliases")


def _holds(cls, word: str) -> bool:
    from normcal.catalog import family

    return any(word in text.lower() for text in (cls.name, *cls.aliases, family(cls), cls.summary()))


def _default(param, values) -> str:
    """Write a default as the SPEC grammar does; one that the layer derives says so."""
    from normcal.spec import write

    if param.default is None:
        return "auto"
    return write("", {param.name: values[param.name]}).partition("=")[2][:-1]


def _data(cls, family: str) -> dict:
    return {
        "name": cls.name, "family": family, "aliases": list(cls.aliases), "summary": cls.summary(),
        "formula": cls.formula, "latex": cls.latex,
        "params": [
            {"name": p.name, "default": list(p.default) if isinstance(p.default, tuple) else p.default,
             "accepted": p.accepted(), "doc": p.doc} | ({"complement": p.complement} if p.complement else {})
            for p in cls.params
        ],
    }  # fmt: skip
