"""normcal explain: where a layer's numbers come from."""

from __future__ import annotations

import click

from normcal.commands import _options


@click.command(
    epilog="""\b
Examples:
  normcal explain relu
  normcal explain "max_pool(kernel_size=2)" --format markdown
  normcal explain gelu --mean 50
  normcal explain --expr "x + tanh(x)" --std 2"""
)
@_options.specs
@_options.laws
@_options.sampling
@_options.output
def command(specs, format, digits, output, **options) -> None:
    """Print a layer's definition, formulas, assumptions and references, and what each engine gives."""
    from normcal import catalog, explanation
    from normcal.commands._output import Output
    from normcal.commands._progress import Progress
    from normcal.errors import RequestError
    from normcal.request import Request

    named = _options.need_specs(specs, "explain")
    if len(named) > 1:
        raise RequestError(
            f"{len(named)} layers are too many to explain at once.", "Accepted: one SPEC, or one --expr."
        )
    layer = catalog.layer(named[0], code=True)
    request = Request().updated(options)
    target = Output.checked(format, digits, output)
    with Progress() as progress:
        target.write(explanation.report(layer, request, progress))
