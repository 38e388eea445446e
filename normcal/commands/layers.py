"""normcal layers: what there is, with parameters, defaults, formulas and engines."""

from __future__ import annotations

import click

from normcal.commands import _options


@click.command(
    epilog="""\b
Examples:
  normcal layers
  normcal layers pool
  normcal layers --family rectifiers
  normcal layers gelu --details
  normcal layers --format json"""
)
@click.argument("words", nargs=-1, metavar="[WORD...]")
@click.option(
    "--family", metavar="NAME", shell_complete=_options.complete_families, help="Keep the layers of one family."
)
@click.option("--details", is_flag=True, help="Everything that a layer declares, a section each.")
@_options.output
def command(words, family, details, format, digits, output) -> None:
    """List the layers by family, with parameters, defaults, formulas and the engines that serve them.

    WORD keeps the layers whose name, alias, family or description holds it.
    """
    from normcal import catalog, listing
    from normcal.commands._output import Output
    from normcal.errors import unknown

    target = Output.checked(format, digits, output)
    families = list(dict.fromkeys(map(catalog.family, catalog.listed().values())))
    if family is not None and (family := family.replace("_", "-")) not in families:
        raise unknown("family", family, families)
    chosen = [cls for cls in catalog.listed().values() if family in (None, catalog.family(cls))]
    chosen = [cls for cls in chosen if all(_holds(cls, word.lower()) for word in words)]
    if not chosen:
        raise unknown("layer", " ".join(words), catalog.listed(), see="'normcal layers' lists them all.")
    target.write((listing.full if details else listing.short)(chosen))


def _holds(cls, word: str) -> bool:
    from normcal.catalog import family

    texts = (cls.name, *cls.aliases, *cls.presets, family(cls), cls.summary())
    squeezed = word.replace("_", "").replace("-", "")
    return any(word in text.lower() or squeezed in text.lower().replace("_", "") for text in texts)
