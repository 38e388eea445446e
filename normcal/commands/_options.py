"""Options and arguments that several commands share, and how they reach a Request."""

from __future__ import annotations

import functools
from collections.abc import Callable

import click

from normcal import discover
from normcal.errors import RequestError


def _complete(words: Callable[[], tuple[str, ...] | list[str]]):
    return lambda ctx, param, start: [word for word in words() if word.startswith(start)]


def _engines() -> tuple[str, ...]:
    return ("auto", *discover.names("engines"))


def _formats() -> tuple[str, ...]:
    return discover.names("renderers")


def _samplers() -> tuple[str, ...]:
    return ("plain", *(name for name in discover.names("samplers") if name != "plain"))


def _laws() -> tuple[str, ...]:
    return tuple(name.replace("-", "_") for name in discover.names("laws"))


def _executors() -> tuple[str, ...]:
    return discover.names("executors")


def _directions() -> tuple[str, ...]:
    return ("forward", "backward", "both")


def complete_specs(ctx, param, start: str) -> list[str]:
    """Offer layer names; behind a layer's parenthesis, its parameters."""
    from normcal import catalog

    name, bracket, typed = start.partition("(")
    if not bracket:
        return [known for known in catalog.classes() if known.startswith(start)]
    if name not in catalog.classes():
        return []
    done, _, last = typed.rpartition(",")
    head = f"{name}({done}{', ' if done else ''}"
    return [f"{head}{p.name}=" for p in catalog.classes()[name].params if p.name.startswith(last.strip())]


def complete_families(ctx, param, start: str) -> list[str]:
    """Offer the families: the files of layers/, and the modules of plug-ins."""
    return [name for name in discover.families("layers") if name.startswith(start)]


class Whole(click.ParamType):
    """A whole number that may be written 1000000, 1_000_000 or 1e6."""

    name = "integer"

    def convert(self, value, param, ctx):
        try:
            return int(value)
        except ValueError:
            pass
        try:
            number = float(value)
        except ValueError:
            number = float("nan")
        if number != number or abs(number) > 1e18 or number != int(number):
            raise RequestError(
                f"{param.opts[0]} cannot be {value!r}.", "Accepted: a whole number such as 100000 or 1e5."
            )
        return int(number)


def complete_configs(ctx, param, start: str) -> list:
    """Offer the configs that ship, and files."""
    from click.shell_completion import CompletionItem

    from normcal import config

    names = [name for name in config.shipped() if name.startswith(start)]
    return names or [CompletionItem(start, type="file")]


_EXPRESSIONS = (
    click.option(
        "--expr",
        "expressions",
        multiple=True,
        metavar="TEXT",
        help='A function of your own as a layer, such as "x * tanh(softplus(x))"; may be repeated.',
    ),
    click.option(
        "--param",
        "-p",
        "parameters",
        multiple=True,
        metavar="NAME=VALUE",
        help="A value for a name in --expr; a list [1, 2] or a range 0:1:5 makes a layer for each.",
    ),
    click.option(
        "--name", "labels", multiple=True, metavar="NAME", help="What tables and files call the --expr of its turn."
    ),
)


def specs(command):
    """Add SPEC... and the options that write a layer as an expression; the command gets all of them as ``specs``."""
    return _with_expressions(command, "SPEC...")


def optional_specs(command):
    """Add the same, where no layer at all means something."""
    return _with_expressions(command, "[SPEC...]")


def _with_expressions(command, metavar: str):
    @functools.wraps(command)
    def merged(specs, expressions, parameters, labels, **options):
        if expressions or parameters or labels:
            from normcal.layers.expressions import typed

            specs = (*specs, *typed(expressions, parameters, labels))
        return command(specs=specs, **options)

    argument = click.argument("specs", nargs=-1, metavar=metavar, shell_complete=complete_specs)
    return _added(merged, (argument, *_EXPRESSIONS))


_ENGINE = click.option(
    "--engine",
    metavar="|".join(_engines()),
    shell_complete=_complete(_engines),
    help="How to get the numbers.  [default: auto, the first that serves]",
)
_LAWS = (
    click.option(
        "--input",
        metavar="LAW",
        shell_complete=_complete(_laws),
        help='Law of the input where it is not normal, such as "student_t(df=5)", or "laplace(standardised=yes)" '
        "of the --mean and --std given.",
    ),
    click.option("--gradient-mean", type=float, help="Mean of the incoming gradient.  [default: 0]"),
    click.option("--gradient-std", type=float, help="Its standard deviation.  [default: 1]"),
    click.option(
        "--correlation", type=float, help="Of each entry of the incoming gradient with its input.  [default: 0]"
    ),
)
_COMPUTATION = (
    click.option(
        "--direction",
        metavar="|".join(_directions()),
        shell_complete=_complete(_directions),
        help="Which pass to compute.  [default: both]",
    ),
    click.option("--mean", type=float, help="Mean of the input's normal law.  [default: 0]"),
    click.option("--std", type=float, help="Its standard deviation; 0 is a constant input.  [default: 1]"),
    *_LAWS,
    _ENGINE,
    click.option(
        "--tol", type=float, help="Relative error to reach; a miss is said in the status.  [default: 1e-12 for bounds]"
    ),
)
_RANGES = (
    click.option("--mean", metavar="RANGE", help="Mean of the input's law, or a range such as -3:3:61.  [default: 0]"),
    click.option("--std", metavar="RANGE", help="Its std, or a range such as 0.01:100:41:log.  [default: 1]"),
)
_SAMPLING = (
    click.option(
        "--samples",
        type=Whole(),
        metavar="N",
        help="Monte Carlo draws of the whole layer.  [default: 1e6, fewer for wide layers]",
    ),
    click.option("--seed", type=Whole(), metavar="N", help="Seed of the draws.  [default: 0]"),
    click.option(
        "--workers",
        type=Whole(),
        metavar="N",
        help="Threads or processes that draw; their number changes no bit.  [default: all processors]",
    ),
    click.option(
        "--sampler",
        metavar="|".join(_samplers()),
        shell_complete=_complete(_samplers),
        help="Independent draws, pairs x and -x, or scrambled Sobol points.  [default: plain]",
    ),
    click.option(
        "--rtol",
        type=float,
        help="Sample until the standard error is this small, relatively, or --samples are spent.  "
        "[default budget: 1e10 random numbers]",
    ),
    click.option(
        "--executor",
        metavar="|".join(_executors()),
        shell_complete=_complete(_executors),
        help="What draws.  [default: threads]",
    ),
    click.option(
        "--cluster",
        metavar="ADDRESS",
        help="Address of a Dask scheduler that draws, such as tcp://host:8786; needs normcal[dask].",
    ),
)
_CHECKPOINT = click.option(
    "--checkpoint",
    type=click.Path(),
    metavar="FILE",
    help="Keep what is sampled in a file, and go on from it: a run that is killed loses nothing.",
)
_OUTPUT = (
    click.option(
        "--format",
        metavar="|".join(_formats()),
        shell_complete=_complete(_formats),
        help="Output format; those for machines write each row as soon as it is there.  "
        "[default: text, or what the suffix of --output says]",
    ),
    click.option(
        "--digits",
        type=Whole(),
        metavar="N",
        help="Significant digits in text and markdown, as far as the error allows; "
        "the other formats keep every digit.  [default: 10]",
    ),
    click.option(
        "--output",
        "-o",
        type=click.Path(),
        metavar="FILE",
        help="Write to a file, whole or not at all; its suffix picks the format.",
    ),
)


def computation(command):
    """Add the options that say what is computed."""
    return _added(command, _COMPUTATION + _SAMPLING)


def ranged_computation(command):
    """Add them with the input's mean and std as ranges, for a command that moves along them."""
    return _added(command, _RANGES + tuple(o for o in _COMPUTATION if o not in _COMPUTATION[1:3]) + _SAMPLING)


def computation_but_engine(command):
    """Add them but for the engine, for a command that runs every one."""
    return _added(command, tuple(o for o in _COMPUTATION if o is not _ENGINE) + _SAMPLING)


def computation_but_direction(command):
    """Add them but for the direction, for a command whose quantities say it."""
    return _added(command, _COMPUTATION[1:] + _SAMPLING)


def checkpoint(command):
    """Add the file that keeps what is sampled."""
    return _added(command, (_CHECKPOINT,))


def input_law(command):
    """Add the mean and the std of a normal input alone."""
    return _added(command, _COMPUTATION[1:3])


def laws(command):
    """Add the options of the laws of the input and of the incoming gradient."""
    return _added(command, (*_COMPUTATION[1:3], *_LAWS))


def sampling(command):
    """Add the options of Monte Carlo alone."""
    return _added(command, _SAMPLING)


def output(command):
    """Add the options that say where and how the result is written."""
    return _added(command, _OUTPUT)


def _added(command, options):
    for option in reversed(options):
        command = option(command)
    return command


def need_specs(specs: tuple[str, ...], command: str) -> list[str]:
    """Refuse an empty list of SPECs with what to type instead."""
    if not specs:
        raise RequestError("No layer given.", f"Try 'normcal {command} relu'; 'normcal layers' lists what there is.")
    return list(specs)
