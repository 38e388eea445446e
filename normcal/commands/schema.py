"""normcal schema: the JSON Schemas of what normcal reads and writes."""

from __future__ import annotations

import click

from normcal import discover


def _names(ctx, param, start: str) -> list[str]:
    return [name for name in discover.names("schemas") if name.startswith(start)]


@click.command(
    epilog="""\b
Examples:
  normcal schema config
  normcal schema output"""
)
@click.argument("name", metavar="|".join(discover.names("schemas")), shell_complete=_names)
@click.option("--output", "-o", type=click.Path(), metavar="FILE", help="Write to a file, whole or not at all.")
def command(name, output) -> None:
    """Print the JSON Schema of a config, of the JSON that commands write, or of published constants.

    Editors complete and check a config by it.
    """
    from normcal import renderer
    from normcal.documents import schema as document

    text = document.text(name)
    if output in (None, "-"):
        click.echo(text, nl=False)
        return
    renderer.check_writable(output)
    renderer.save(text, output)
