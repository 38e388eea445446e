"""normcal identify: what a number is."""

from __future__ import annotations

import re

import click

from normcal.commands import _options

NOTHING = 1
_NEGATIVE = re.compile(r"-[0-9.(a-z]")


class _Signed(click.Command):
    """A command that takes -0.5 for a number, not for an option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        taking = {name for param in self.params if isinstance(param, click.Option) for name in param.opts}
        options, numbers, kept = {name for name in taking if len(name) == 2}, [], []
        for place, word in enumerate(args):
            if word == "--":
                kept += args[place:]
                break
            negative = _NEGATIVE.match(word) and word[:2] not in options | {"-h"}
            (numbers if negative and (not place or args[place - 1] not in taking) else kept).append(word)
        return super().parse_args(ctx, [*kept, *(["--"] if numbers and "--" not in kept else []), *numbers])


@click.command(
    cls=_Signed,
    epilog="""\b
Examples:
  normcal identify 1.679176792
  normcal identify 0.5838
  normcal identify "sqrt(2/pi)"
  normcal identify -0.2066
  normcal identify 1.0241 --layer "leaky_relu(negative_slope=[0.1, 0.2])" --mean 0.5""",
)
@click.argument("value", metavar="VALUE")
@click.option(
    "--layer",
    "specs",
    multiple=True,
    metavar="SPEC",
    shell_complete=_options.complete_specs,
    help="Search this layer alone, computed on the spot; may be repeated, and swept.",
)
@_options.input_law
@_options.output
def command(value, specs, mean, std, format, digits, output) -> None:
    """Tell what a number is: which quantity of which layer, and who publishes it.

    VALUE is a number, whose digits count, or arithmetic. Searched are the default table with its
    squares, offsets and scales, and the published constants; ranked by how rarely luck would meet
    the number as well. Exit code 1 when nothing does better than luck.
    """
    from normcal import catalog, identification, literal, matches
    from normcal.commands._output import Output
    from normcal.request import Request

    number = literal.read(value)
    law = Request().updated({"mean": mean, "std": std}).law
    layers = catalog.layers(list(specs), code=True) if specs else None
    target = Output.checked(format, digits, output)
    found = identification.identify(number, layers, law)
    target.write(matches.report(number, found, law))
    if not found:
        raise click.exceptions.Exit(NOTHING)
