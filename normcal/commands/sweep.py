"""normcal sweep: quantities along one or two axes, of parameters or of the input's law."""

from __future__ import annotations

import click

from normcal.commands import _options


@click.command(
    epilog="""\b
Examples:
  normcal sweep "leaky_relu(negative_slope=0:1:11)" --columns forward.std,backward.std
  normcal sweep gelu silu --std 0.01:100:5:log --columns jacobian_factor --errors
  normcal sweep relu tanh --mean=-3:3:61 -o sweep.csv
  normcal sweep "elu(alpha=[0.5, 1, 2])" --std 0.5:2:4 --columns forward.gain --pivot"""
)
@_options.specs
@click.option(
    "--columns",
    metavar="QUANTITIES",
    help="What to compute, with commas between: forward.std,backward.gain or jacobian_factor,-forward.mean.  "
    "[default: mean, std and gain forward, std and gain backward]",
)
@click.option("--errors", is_flag=True, help="Show the error of every number beside it.")
@click.option("--pivot", is_flag=True, help="Lay two axes out as a grid, one for each quantity.")
@_options.ranged_computation
@_options.output
def command(specs, columns, errors, pivot, mean, std, input, format, digits, output, **options) -> None:
    """Compute quantities along one or two axes.

    An axis is a parameter with several values, "elu(alpha=0.1:10:31:log)" or "elu(alpha=[0.5, 1])", of a layer or
    of the law of --input; or the input's mean or std given as such a range. FIRST:LAST:COUNT is linear,
    FIRST:LAST:COUNT:log logarithmic, both ends included. There is a row for each point, the first axis varying
    slowest.
    """
    from normcal import points, streaming, sweep
    from normcal import session as sessions
    from normcal.cli import INTERRUPTED
    from normcal.commands._output import Output, note
    from normcal.commands._progress import Progress
    from normcal.report import Report, View
    from normcal.request import Request

    named = _options.need_specs(specs, 'sweep "leaky_relu(negative_slope=0:1:11)"')
    request, chosen = sweep.columns(columns, Request().updated(options))
    target = Output.checked(format, digits, output)
    target.renderer.render(Report({}, [], ()), View())  # refuses, where it holds other things than rows
    law = sweep.numbers("--mean", mean), sweep.numbers("--std", std)
    asked = sweep.Points(named, request, *law, most=target.most, input=input)
    shown = points.Shown(asked, chosen, errors)
    shown.check_pivot(pivot)
    with Progress("points") as progress, sessions.opened(asked.request, asked.layers(), None, note) as session:
        rows = streaming.Rows(asked.computed(progress, session))
        if target.renderer.streams and not pivot:
            return target.write_streamed(rows, shown.streamed(rows), shown.remarks, progress)
        with rows.steady():
            report = shown.held(list(rows), pivot)
    if rows.interrupted:
        cause = None if isinstance(rows.stopped, KeyboardInterrupt) else rows.stopped
        target.write_interrupted(report, cause)
        raise cause or click.exceptions.Exit(INTERRUPTED)
    if rows.stopped is not None:
        raise rows.stopped
    target.write(report)
