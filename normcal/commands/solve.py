"""normcal solve: the parameters that give a layer the moments that are wanted."""

from __future__ import annotations

import click

from normcal import discover
from normcal.commands import _options

UNSOLVED = 1


def complete_recipes(ctx, param, start: str) -> list[str]:
    """Offer the recipes: the files of recipes/."""
    return [name for name in discover.names("recipes") if name.startswith(start)]


@click.command(
    epilog="""\b
Examples:
  normcal solve elu --unknown alpha --unknown output_scale --target forward.mean=0 --target forward.std=1
  normcal solve "leaky_relu" --unknown negative_slope=0:1 --target forward.std=0.7
  normcal solve tanh --unknown std --target forward.gain=backward.gain --format json
  normcal solve --recipe selu
  normcal solve gelu --recipe "alpha-dropout(keep_prob=0.9)"
  normcal solve --recipes""",
)
@_options.optional_specs
@click.option(
    "--unknown",
    "unknowns",
    multiple=True,
    metavar="NAME[=LOW:HIGH]",
    help="A parameter that is open, or mean or std of the input; may be repeated.  [default interval: its domain, "
    "up to 1000]",
)
@click.option(
    "--target",
    "targets",
    multiple=True,
    metavar="QUANTITY=VALUE",
    help="What is to hold: a quantity equals a number or another quantity; may be repeated.",
)
@click.option(
    "--recipe",
    metavar="NAME[(PARAM=VALUE)]",
    shell_complete=complete_recipes,
    help="Solve a problem of the literature by name, such as selu, dks(depth=50) or clip(bits=4).",
)
@click.option("--recipes", "listed", is_flag=True, help="List the recipes with what they take.")
@_options.computation_but_direction
@_options.output
def command(specs, unknowns, targets, recipe, listed, format, digits, output, **options) -> None:
    """Find parameters of a layer that meet conditions on its moments and gains.

    SPEC is a layer, as for normcal compute; --unknown names its open parameters, and --target what they are to
    achieve. The answer lists every solution found, with an error a parameter, what is left of each condition, and what
    was established of their number: no more. Exit code 1 when there is no solution.
    """
    from normcal import answer, problem
    from normcal import recipe as recipes
    from normcal.commands._output import Output
    from normcal.commands._progress import Progress
    from normcal.errors import RequestError
    from normcal.request import Request

    request = Request().updated(options)
    target = Output.checked(format, digits, output)
    if listed:
        return target.write(recipes.listing())
    if recipe is not None and (unknowns or targets):
        raise RequestError("A recipe has unknowns and targets of its own.", "Give --recipe, or --unknown and --target.")
    if recipe is None and len(specs) != 1:
        raise RequestError(
            f"{len(specs) or 'No'} layers are given.",
            "Try 'normcal solve elu --unknown alpha --target forward.mean=0'.",
        )
    with Progress() as progress:
        if recipe is not None:
            found = recipes.solve(recipe, specs, request)
        else:
            found = answer.of(problem.Problem(specs[0], unknowns, targets, request, progress))
    target.write(answer.report(found))
    if not found.solved:
        raise click.exceptions.Exit(UNSOLVED)
