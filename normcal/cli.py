"""The click group: its sub-commands are the files of ``commands/``, imported when called."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys

import click

from normcal import __version__, discover
from normcal.errors import FileError, NormcalError, RequestError, unknown

INTERRUPTED, PIPE_CLOSED = 130, 141
#: Help texts stay within these widths.
NARROWEST, WIDEST = 50, 100


class Refused(click.ClickException):
    """A NormcalError as click shows it: message and hint on stderr, the documented exit code."""

    def __init__(self, error: NormcalError) -> None:
        super().__init__(error.message)
        self.hint = error.hint
        self.exit_code = error.exit_code

    def show(self, file=None) -> None:
        click.echo(f"Error: {self.message}", err=True)
        if self.hint:
            click.echo(self.hint, err=True)


class Commands(click.Group):
    """A group that finds its commands by file name, and offers near misses."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(discover.names("commands"))

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        return discover.load("commands", name).command if name in self.list_commands(ctx) else None

    def resolve_command(self, ctx: click.Context, args: list[str]):
        if not args[0].startswith("-") and args[0] not in self.list_commands(ctx) and not ctx.resilient_parsing:
            raise unknown("command", args[0], self.list_commands(ctx))
        return super().resolve_command(ctx, args)

    def make_context(self, *args, **kwargs) -> click.Context:
        with _output_guarded():  # --help prints here
            return super().make_context(*args, **{"terminal_width": _width()} | kwargs)

    def invoke(self, ctx: click.Context):
        try:
            with _output_guarded():
                value = super().invoke(ctx)
                if sys.stdout is not None:
                    sys.stdout.flush()
                return value
        except NormcalError as error:
            raise Refused(error) from None
        except MemoryError:
            hint = "Ask for fewer or smaller layers, or for a format that is written row by row, such as csv."
            raise Refused(RequestError("The memory does not suffice.", hint)) from None


def _width() -> int:
    """Return the width of help texts by click's own rule, but without shutil, which is slow to import."""
    columns = os.environ.get("COLUMNS", "")
    wide = int(columns) if columns.isdecimal() else 0
    if not wide:
        with contextlib.suppress(AttributeError, ValueError, OSError):  # no stdout, or no terminal
            wide = os.get_terminal_size(sys.__stdout__.fileno()).columns
    return max(min(wide or 80, WIDEST) - 2, NARROWEST)


@contextlib.contextmanager
def _output_guarded():
    """Turn a closed pipe, or a full disk, into its exit code; click would end with 1: a check failed."""
    try:
        yield
    except BrokenPipeError:
        _forget_output()
        raise click.exceptions.Exit(PIPE_CLOSED) from None
    except OSError as problem:
        _forget_output()
        raise Refused(FileError(f"The result cannot be written: {problem.strerror or problem}.")) from None


def _forget_output() -> None:
    """Send what is still to be written nowhere, or Python complains at exit."""
    with contextlib.suppress(OSError, AttributeError, ValueError):  # a test's stdout has no number
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": WIDEST},
    epilog="""\b
Examples:
  normcal compute relu --direction backward
  normcal compute "leaky_relu(negative_slope=0.2)" gelu --mean 0.5 --std 2
  normcal compute --expr "x * tanh(softplus(x))"
  normcal compute "relu | max_pool(kernel_size=2)"
  normcal table --format markdown
  normcal explain "max_pool(kernel_size=2)"
  normcal verify relu gelu
  normcal generate --help
  normcal identify 0.5838
  normcal sweep gelu --std 0.01:100:5:log
  normcal kernel tanh
  normcal solve elu --unknown alpha --target forward.mean=0
\b
Completion of commands, options and layer names (bash; also zsh, fish):
  eval "$(_NORMCAL_COMPLETE=bash_source normcal)"
\b
Exit codes: 0 fine, 1 a check failed, 2 wrong usage, config or file, 3 undecided,
130 interrupted, 141 the output pipe was closed, 143 terminated.""",
)
@click.version_option(__version__, prog_name="normcal")
def group() -> None:
    """Mean and standard deviation of neural-network layers, forward and backward, under Gaussian input.

    Exact where a formula exists, by quadrature with an error bound where none does, by Monte
    Carlo with a standard error as the independent witness.
    """


def _buffered(stream):
    """Return a stream that writes all it is given: an unbuffered one gives up half-way where a disk is full."""
    if stream is None:
        return None
    stream.reconfigure(errors="replace")  # a terminal without Greek letters still gets its numbers
    if not isinstance(stream.buffer, io.RawIOBase):
        return stream
    return io.TextIOWrapper(io.BufferedWriter(stream.buffer), stream.encoding, "replace", write_through=True)


def _end_orderly() -> list[int]:
    """Have SIGTERM and SIGHUP end a run as Ctrl-C does, its state kept; return where their number will be found."""
    caught: list[int] = []

    def stop(number, frame) -> None:
        caught.append(number)
        raise KeyboardInterrupt

    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        with contextlib.suppress(ValueError):  # not on the main thread
            if number is not None and signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, stop)
    return caught


def main(args: list[str] | None = None) -> None:
    """Run the program; the one place that turns errors into exit codes."""
    sys.stdout, sys.stderr = _buffered(sys.stdout), _buffered(sys.stderr)
    caught = _end_orderly()
    try:
        code = group.main(args, prog_name="normcal", standalone_mode=False)
    except click.ClickException as error:
        with contextlib.suppress(BrokenPipeError):
            error.show()
        code = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("Interrupted.", err=True)
        code = INTERRUPTED
    if caught and code == INTERRUPTED:
        code = 128 + caught[0]
    sys.exit(code if isinstance(code, int) else 0)
