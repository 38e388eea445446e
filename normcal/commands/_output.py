"""Where a Report goes: a file, a terminal or a pipe; remarks go to stderr."""

from __future__ import annotations

import collections
import contextlib
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass

import click

from normcal.cli import INTERRUPTED
from normcal.errors import RequestError


class _Unfinished(Exception):
    """Leaves a file as it was."""


@dataclass(frozen=True)
class Output:
    """The output options, checked before any work is done."""

    renderer: object
    path: str | None
    digits: int | None
    #: Where the state of a simulation is kept, if anywhere.
    checkpoint: str | None = None

    @classmethod
    def checked(
        cls,
        format: str | None,
        digits: int | None,
        output: str | None,
        default: str = "text",
        checkpoint: str | None = None,
    ) -> Output:
        from normcal import renderer, rounding

        path = None if output in (None, "-") else output
        rounding.check_digits(digits)
        chosen = renderer.choose(format, path, default)
        if path is not None:
            renderer.check_writable(path)
        if None not in (path, checkpoint) and os.path.realpath(path) == os.path.realpath(checkpoint):
            raise RequestError(f"--output and --checkpoint are both {path!r}.", "Name another file for one of them.")
        return cls(chosen, path, digits, checkpoint)

    @property
    def most(self) -> int:
        """How many layers it may hold."""
        from normcal import catalog

        return catalog.MOST_LAYERS if self.renderer.streams else catalog.MOST_LISTED

    def write_rows(self, request, layers, progress, session, extra=None) -> None:
        """Compute layers and write each row as soon as it is there; ``extra`` stands behind them in the document.

        What ends the rows early is raised once what there is stands on stdout, as a whole document.
        """
        from normcal import streaming, summary

        rows = streaming.Rows(streaming.computed(request, layers, progress, session))
        self.write_streamed(rows, summary.streamed(rows, request.law, extra), lambda: rows.told, progress)

    def write_streamed(self, rows, report, remarks, progress) -> None:
        """Write a report whose rows are on their way; ``remarks()`` are what is to be said when they have ended."""
        with rows.steady():
            if self.path is not None:
                self._to_file(report, rows)
            elif not rows.empty:
                self._to_stdout(self.renderer.pieces(report, self._view()), progress)
        self._remark(remarks())
        if rows.interrupted:
            self._tell_interrupted(not rows.empty, isinstance(rows.stopped, KeyboardInterrupt))
        if rows.stopped is not None:
            raise click.exceptions.Exit(INTERRUPTED) if isinstance(rows.stopped, KeyboardInterrupt) else rows.stopped

    def _to_file(self, report, rows) -> None:
        from normcal import renderer

        with contextlib.suppress(_Unfinished), renderer.saving(self.path) as stream:
            stream.writelines(self.renderer.pieces(report, self._view()))
            if rows.stopped is not None:
                if rows.interrupted and not rows.empty and stream.seekable():
                    stream.seek(0)
                    self._to_stdout(iter(lambda: stream.read(1 << 16), ""))
                raise _Unfinished

    def _to_stdout(self, pieces: Iterable[str], progress=None) -> None:
        """Write text as it comes; whoever reads at the end of a pipe need not wait for the next."""
        if sys.stdout is None:
            collections.deque(pieces, maxlen=0)
            return
        stream, shared = sys.stdout, sys.stdout.isatty()
        for piece in pieces:
            if progress is not None and shared:
                progress.hide()
            stream.write(piece)
            stream.flush()

    def write_interrupted(self, report, cause: Exception | None = None) -> None:
        """Show what there is on stdout; a file is not replaced by half a result. ``cause``: what it was, but Ctrl-C."""
        if report.records:
            Output(self.renderer, None, self.digits).write(report)
        self._tell_interrupted(bool(report.records), cause is None)

    def _tell_interrupted(self, some: bool, pressed: bool) -> None:
        if not some and not pressed:
            return  # the cause says it all
        what = "the figures are of the draws so far" if some else "there are no figures yet"
        kept = f"; {self.path} was not written" if self.path else ""
        state = f"; the same command goes on from {self.checkpoint}" if self.checkpoint else ""
        click.echo(f"Interrupted: {what}{kept}{state}.", err=True)

    def write(self, report) -> None:
        """Render the report and put it where it belongs."""
        from normcal import renderer

        text = self.renderer.render(report, self._view())
        if self.path is None:
            click.echo(text, nl=False)
        else:
            renderer.save(text, self.path)
        self._remark(report.asides)

    def _remark(self, asides: list[str]) -> None:
        """Say on stderr what the reader of the result should know."""
        from normcal import catalog

        for trouble in catalog.troubles():
            note(trouble)
        if self.digits is not None and not self.renderer.rounds:
            note(f"--digits rounds text and markdown; {self.renderer.name} keeps every digit")
        if self.renderer.name in ("text", "csv"):
            for aside in asides:
                note(aside)

    def _view(self):
        return view(self.digits, self.path is None)


def view(digits: int | None, shown: bool):
    """Return how to write what is ``shown`` on stdout, or goes to a file."""
    from normcal.report import View

    if not shown or sys.stdout is None or not sys.stdout.isatty():
        return View(digits)
    import shutil

    color = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return View(digits, terminal=True, color=color, width=shutil.get_terminal_size().columns)


def note(text: str) -> None:
    """Say a sentence that is no part of the result."""
    click.echo(f"Note: {text}.", err=True)
