"""normcal explain: where a layer's numbers come from."""

from __future__ import annotations

import click

from normcal.commands import _options


@click.command(
    epilog="""\b
Examples:
  normcal explain relu
  normcal explain "max_pool(kernel_size=2)" --format markdown
  normcal explain gelu --mean 50"""
)
@click.argument("spec", metavar="SPEC", shell_complete=_options.complete_specs)
@_options.laws
@_options.sampling
@_options.output
def command(spec, format, digits, output, **options) -> None:
    """Print a layer's definition, formulas, assumptions and references, and what each engine gives."""
    from normcal import catalog, explanation
    from normcal.commands._output import Output
    from normcal.commands._progress import Progress
    from normcal.request import Request

    layer = catalog.layer(spec, code=True)
    request = Request().updated(options)
    target = Output.checked(format, digits, output)
    with Progress() as progress:
        target.write(explanation.report(layer, request, progress))
