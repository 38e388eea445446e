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
@_options.checkpoint
@_options.output
def command(config, checkpoint, format, digits, output, **options) -> None:
    """Tabulate the layers that a config lists; by default every layer there is.

    CONFIG is a YAML file, or the name of one that ships (default, articles). Options given here
    override those of the config.
    """
    from normcal import config as configs
    from normcal import pipeline, tabulation
    from normcal import session as sessions
    from normcal.cli import INTERRUPTED
    from normcal.commands._output import Output, note
    from normcal.commands._progress import Progress
    from normcal.request import Request

    chosen = configs.read(config)
    request = Request().updated(chosen.options, chosen.folder).updated(options)
    digits = chosen.digits if digits is None else digits
    target = Output.checked(format, digits, output, chosen.format or "text", checkpoint)
    layers = configs.sweep(chosen, target.most)
    with Progress() as progress, sessions.opened(request, layers, checkpoint, note) as session:
        if target.renderer.streams:
            extra = tabulation.more(chosen, request)[1]
            return target.write_rows(request, layers, progress, session, extra)
        result = pipeline.run(request, list(layers), progress, session)
    report = tabulation.report(chosen, request, result)
    if result.interrupted:
        target.write_interrupted(report, result.cause)
        raise result.cause or click.exceptions.Exit(INTERRUPTED)
    target.write(report)
