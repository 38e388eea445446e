"""Where a Report goes: a file, a terminal or a pipe; remarks go to stderr."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass

import click


@dataclass(frozen=True)
class Output:
    """The output options, checked before any work is done."""

    renderer: object
    path: str | None
    digits: int | None

    @classmethod
    def checked(cls, format: str | None, digits: int | None, output: str | None, default: str = "text") -> Output:
        from normcal import renderer, rounding

        path = None if output in (None, "-") else output
        rounding.check_digits(digits)
        chosen = renderer.choose(format, path, default)
        if path is not None:
            renderer.check_writable(path)
        return cls(chosen, path, digits)

    def write_interrupted(self, report) -> None:
        """Show what there is on stdout; a file is not replaced by half a result."""
        if report.records:
            Output(self.renderer, None, self.digits).write(report)
        what = "the figures are of the draws so far" if report.records else "there are no figures yet"
        kept = f"; {self.path} was not written" if self.path else ""
        click.echo(f"Interrupted: {what}{kept}.", err=True)

    def write(self, report) -> None:
        """Render the report and put it where it belongs."""
        from normcal import renderer

        text = self.renderer.render(report, self._view())
        if self.path is None:
            click.echo(text, nl=False)
        else:
            renderer.save(text, self.path)
        if self.digits is not None and not self.renderer.rounds:
            click.echo(f"Note: --digits rounds text and markdown; {self.renderer.name} keeps every digit.", err=True)
        if self.renderer.name in ("text", "csv"):
            for aside in report.asides:
                click.echo(f"Note: {aside}.", err=True)

    def _view(self):
        from normcal.report import View

        if self.path is not None or sys.stdout is None or not sys.stdout.isatty():
            return View(self.digits)
        color = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        return View(self.digits, terminal=True, color=color, width=shutil.get_terminal_size().columns)
