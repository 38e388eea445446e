"""normcal verify: every engine against every other."""

from __future__ import annotations

import click

from normcal.commands import _options


@click.command(
    epilog="""\b
Examples:
  normcal verify
  normcal verify relu gelu "max_pool(kernel_size=2)"
  normcal verify sigmoid --mean 0.5 --std 2 --samples 1e7 --seed 7
  normcal verify --config configs/articles.yaml --format json"""
)
@_options.optional_specs
@click.option(
    "--config",
    metavar="CONFIG",
    shell_complete=_options.complete_configs,
    help="Verify the layers of a config.  [default: the default table's]",
)
@_options.computation_but_engine
@_options.checkpoint
@_options.output
def command(specs, config, checkpoint, format, digits, output, **options) -> None:
    """Run every engine that accepts a layer and compare all of them.

    Closed form and quadrature must agree within their bounds, also with SciPy's adaptive
    integration; Monte Carlo within its standard error, at a limit that a correct program
    exceeds less than once in 10,000 runs. Exit code 1 when anything disagrees.
    """
    from normcal import catalog, verification
    from normcal import config as configs
    from normcal import session as sessions
    from normcal.cli import INTERRUPTED
    from normcal.commands._output import Output, note
    from normcal.commands._progress import Progress
    from normcal.commands._verdicts import report
    from normcal.errors import RequestError
    from normcal.request import LAWS, Request

    if specs and config is not None:
        raise RequestError("Give SPECs or --config, not both.")
    request = Request()
    if not specs:
        chosen = configs.read(config)
        request = request.updated({key: chosen.options.get(key) for key in (*LAWS, "direction")}, chosen.folder)
        listed = configs.layers(chosen)
    else:
        listed = catalog.layers(list(specs), code=True)
    request = request.updated(options)
    layers = list({layer.spec: layer for layer in listed}.values())
    target = Output.checked(format, digits, output, checkpoint=checkpoint)
    try:
        with Progress() as progress, sessions.opened(request, layers, checkpoint, note) as session:
            comparisons = verification.verify(request, layers, progress, session)
    except verification.Stopped as stop:
        done = [layer for layer in layers if any(c.layer == layer.spec for c in stop.found)]
        target.write_interrupted(report(request, done, stop.found), stop.cause)
        raise stop.cause or click.exceptions.Exit(INTERRUPTED) from None
    target.write(report(request, layers, comparisons))
    wrong = [c for c in comparisons if c.verdict == verification.DISAGREE]
    for c in wrong:
        (a, b), (first, second) = c.values, c.engines
        click.echo(
            f"Disagree: {c.layer}, {c.direction} {c.quantity}: {first} {a.value!r} (error {a.error!r}), "
            f"{second} {b.value!r} (error {b.error!r}); {'z-score' if c.sampled else 'difference over bounds'} "
            f"{c.score:.3g}, at most {c.limit:.3g}.",
            err=True,
        )
    if wrong:
        raise click.exceptions.Exit(1)
