"""normcal plot: the function of a layer, its derivative, and its moments as the input moves."""

from __future__ import annotations

import click

from normcal.commands import _options


@click.command(
    epilog="""\b
Examples:
  normcal plot gelu
  normcal plot relu gelu tanh -o activations.svg
  normcal plot "elu(alpha=[0.5, 1, 2])" --panels function,derivative --x=-3:3:301
  normcal plot "max_pool(kernel_size=[2, 3])" --columns forward.std,backward.gain --panels std"""
)
@_options.specs
@click.option(
    "--panels",
    metavar="NAMES",
    help="Which of function, derivative, std, mean and kernel: std and mean show quantities as those of the input "
    "move, kernel the correlation map.  [default: all but kernel]",
)
@click.option(
    "--columns",
    metavar="QUANTITIES",
    help="The quantities, such as forward.std,backward.gain.  [default: mean, std and gain forward, gain backward]",
)
@click.option("--x", metavar="RANGE", help="Where the function is drawn.  [default: -4:4:401]")
@_options.ranged_computation
@click.option(
    "--output",
    "-o",
    type=click.Path(),
    metavar="FILE",
    help="Write a picture instead: .png, .svg or .pdf, or .txt as in the terminal.",
)
def command(specs, panels, columns, x, mean, std, output, **options) -> None:
    """Draw layers: function, derivative, and how mean, std and gains move with the input.

    Several SPECs, or one with several values of a parameter, lie over each other. --mean and --std take a
    range to draw along, such as -3:3:61 or 0.01:100:41:log, or a number that holds where the other one moves.
    Needs the extra normcal[plot].
    """
    from normcal import canvas, curves, renderer, sweep
    from normcal import session as sessions
    from normcal.commands._output import note, view
    from normcal.commands._progress import Progress
    from normcal.request import Request

    path = None if output in (None, "-") else output
    chosen, suffix = canvas.choose(path)
    chosen.check()
    if path is not None:
        renderer.check_writable(path)
    layers = curves.named(_options.need_specs(specs, "plot"))
    request, quantities = sweep.columns(columns, Request().updated(options), curves.COLUMNS)
    ranges = {name: sweep.numbers(f"--{name}", text) for name, text in (("x", x), ("std", std), ("mean", mean))}
    drawn = curves.Curves(layers, request, quantities, ranges, panels and curves.panels(panels))
    with Progress("points") as progress, sessions.opened(drawn.request, [], None, note) as session:
        picture = drawn.picture(progress, session)
    how = view(None, path is None)
    data = chosen.draw(picture, suffix, how.width, how.color)
    if path is None:
        click.echo(data.decode(), nl=False)
    else:
        renderer.save(data, path)
