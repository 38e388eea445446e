"""normcal compute: mean, std and gains of one or more layers."""

from __future__ import annotations

import click

from normcal.commands import _options


@click.command(
    epilog="""\b
Examples:
  normcal compute relu --direction backward
  normcal compute "leaky_relu(negative_slope=0.2)" --mean 0.5 --std 2
  normcal compute --expr "x * tanh(softplus(x))"
  normcal compute --expr "where(x > 0, x, a * expm1(x))" -p a=1.3 --name mine
  normcal compute "max_pool(kernel_size=3)" --engine monte-carlo --samples 1e6
  normcal compute gelu --input "student_t(df=5)"
  normcal compute gelu gelu_tanh silu -o gains.yaml
  normcal compute numpy:sinc
  normcal compute "*_pool" --format csv"""
)
@_options.specs
@click.option(
    "--weights",
    metavar="FILE[:KEY]",
    help="Fixed weights of linear or conv from a .npy, .npz or .safetensors file; never unpickled.",
)
@_options.computation
@_options.checkpoint
@_options.output
def command(specs, weights, checkpoint, format, digits, output, **options) -> None:
    """Compute mean, standard deviation and gains of layers, forward and backward.

    SPEC is a layer's name, or name(param=value, ...), such as "max_pool(kernel_size=3, ndim=2)";
    the wildcards * and ? match names. FILE.py:NAME or MODULE:NAME is a function of your own on
    arrays of NumPy, PyTorch or JAX: that loads the file or module and runs its Python code, as it
    does in every command where a SPEC is typed. Code that a config names is never loaded.
    """
    from normcal import catalog, pipeline, summary
    from normcal import session as sessions
    from normcal.cli import INTERRUPTED
    from normcal.commands._output import Output, note
    from normcal.commands._progress import Progress
    from normcal.request import Request

    named = _options.need_specs(specs, "compute")
    request = Request().updated(options)
    target = Output.checked(format, digits, output, checkpoint=checkpoint)
    layers = catalog.Layers(named, most=target.most, code=True) if weights is None else [_fixed(named, weights)]
    with Progress() as progress, sessions.opened(request, layers, checkpoint, note) as session:
        if target.renderer.streams and weights is None:
            return target.write_rows(request, layers, progress, session)
        result = pipeline.run(request, list(layers), progress, session)
    if result.interrupted:
        target.write_interrupted(summary.by_direction(result), result.cause)
        raise result.cause or click.exceptions.Exit(INTERRUPTED)
    report = summary.by_direction(result)
    if weights is not None:
        from normcal.weights import extended

        report = extended(report, layers[0], request.law)
    target.write(report)


def _fixed(named: list[str], path: str):
    """Return the layer with the weights of a file."""
    from normcal import weights

    return weights.layer(named, path)
