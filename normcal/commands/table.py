"""normcal table: a whole table of layers, from a config."""

from __future__ import annotations

import click

from normcal.commands import _options


@click.command(
    epilog="""\b
Examples:
  normcal table --format markdown
  normcal table --mean 0.5 --std 2 -o table.csv
  normcal table articles
  normcal table configs/articles.yaml -o articles.md"""
)
@click.argument("config", required=False, metavar="[CONFIG]", shell_complete=_options.complete_configs)
@_options.computation
@_options.output
def command(config, format, digits, output, **options) -> None:
    """Tabulate the layers that a config lists; by default every layer there is.

    CONFIG is a YAML file, or the name of one that ships (default, articles). Options given here
    override those of the config.
    """
    from normcal import config as configs
    from normcal import pipeline, tabulation
    from normcal.cli import INTERRUPTED
    from normcal.commands._output import Output
    from normcal.commands._progress import Progress
    from normcal.request import Request

    chosen = configs.read(config)
    request = Request().updated(chosen.options).updated(options)
    layers = configs.layers(chosen)
    target = Output.checked(format, chosen.digits if digits is None else digits, output, chosen.format or "text")
    with Progress() as progress:
        result = pipeline.run(request, layers, progress)
    report = tabulation.report(chosen, request, result)
    if result.interrupted:
        target.write_interrupted(report)
        raise click.exceptions.Exit(INTERRUPTED)
    target.write(report)
