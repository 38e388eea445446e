"""A progress bar on stderr for work that takes longer than a second."""

from __future__ import annotations

import sys
import time

PATIENCE = 1.0


class Progress:
    """Callable as (label, done, total) of the draws of one layer; draws nothing in the first second or off a terminal.

    ``step`` tells of the whole, counted in ``unit``, on a line of its own.
    """

    def __init__(self, unit: str = "") -> None:
        self.started = time.monotonic()
        self.unit = unit
        self.bar = None
        self.tasks: dict[str, int] = {}
        self.whole: int | None = None

    def __enter__(self):
        return self if sys.stderr is not None and sys.stderr.isatty() else None

    def __exit__(self, *_) -> None:
        if self.bar is not None:
            self.bar.stop()

    def hide(self) -> None:
        """Make room on the terminal for what is written to it; the next call draws anew."""
        if self.bar is not None:
            self.bar.stop()
            self.bar, self.tasks, self.whole = None, {}, None

    def step(self, label: str, done: int, total: int) -> None:
        """Tell how much of the whole is done, and at what."""
        if not self._shown():
            return
        if self.whole is None:
            self.whole = self.bar.add_task(label, total=total, completed=done, unit=self.unit)
        self.bar.update(self.whole, completed=done, description=label)

    def _shown(self) -> bool:
        """Whether there is a bar by now."""
        if self.bar is None and time.monotonic() - self.started >= PATIENCE:
            self.bar = _bar()
            self.bar.start()
        return self.bar is not None

    def __call__(self, label: str, done: int, total: int) -> None:
        if not self._shown():
            return
        if label not in self.tasks:
            for task in self.tasks.values():
                self.bar.remove_task(task)
            self.tasks = {label: self.bar.add_task(label, total=total, completed=done, unit="samples")}
        self.bar.update(self.tasks[label], completed=done)


def _bar():
    from rich import progress
    from rich.console import Console

    class Rate(progress.ProgressColumn):
        def render(self, task):
            return f"{task.speed:,.0f} {task.fields['unit']}/s" if task.speed else ""

    return progress.Progress(
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(),
        progress.TaskProgressColumn(),
        Rate(),
        progress.TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
