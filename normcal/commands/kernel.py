"""normcal kernel: the dual activation of a layer, and what it says of wide networks."""

from __future__ import annotations

import click

from normcal.commands import _options


@click.command(
    epilog="""\b
Examples:
  normcal kernel relu
  normcal kernel tanh --sigma-w 1.5 --sigma-b 0.1
  normcal kernel gelu --correlation 0:1:11 --format csv
  normcal kernel erf --std 2 --coefficients 12 --format json"""
)
@_options.specs
@click.option(
    "--correlation",
    metavar="C",
    help="Correlations of u and v: a number, a range such as 0:1:11, or a list such as [0, 0.5, 1].",
)
@click.option(
    "--coefficients", type=_options.Whole(), metavar="N", help="The highest Hermite coefficient.  [default: 6]"
)
@click.option("--sigma-w", type=float, help="Std of the weights, times the root of the fan-in: asks for fixed points.")
@click.option("--sigma-b", type=float, help="Std of the biases.  [default: 0]")
@click.option(
    "--q-interval",
    metavar="LOW:HIGH",
    help="Where q is sought.  [default: 1e-4:1e4 for fixed points, 1e-2:1e2 for the edge of chaos]",
)
@_options.input_law
@_options.output
def command(specs, correlation, coefficients, sigma_w, sigma_b, q_interval, mean, std, format, digits, output) -> None:
    """Print the kernel of an activation and what follows for wide networks.

    SPEC is an elementwise layer of one function f, such as relu or "leaky_relu(negative_slope=0.2)". Shown are
    its Hermite coefficients; the dual activation E[f(u) f(v)] of normal u and v of correlation c, with its
    derivatives; the map of variances q -> sigma_w^2 E f^2 + sigma_b^2; with --sigma-w every fixed point of it and
    of the correlation map, their stability and depth scales; and the edge of chaos, chi = sigma_w^2 E f'^2 = 1.
    """
    from normcal import catalog, kernel_report
    from normcal.commands._output import Output
    from normcal.commands._progress import Progress
    from normcal.request import Request

    named = _options.need_specs(specs, "kernel")
    law = Request().updated({"mean": mean, "std": std}).law
    asked = kernel_report.asked(law, correlation, coefficients, sigma_w, sigma_b, q_interval)
    target = Output.checked(format, digits, output)
    layer = kernel_report.only(catalog.layers(named, code=True))
    with Progress("steps") as progress:
        found = kernel_report.report(layer, asked, progress)
    target.write(found)
