"""A progress bar on stderr for sampling that takes longer than a second."""

from __future__ import annotations

import sys
import time

PATIENCE = 1.0


class Progress:
    """Callable as (label, done, total); draws nothing in the first second or off a terminal."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.bar = None
        self.tasks: dict[str, int] = {}

    def __enter__(self):
        return self if sys.stderr is not None and sys.stderr.isatty() else None

    def __exit__(self, *_) -> None:
        if self.bar is not None:
            self.bar.stop()

    def hide(self) -> None:
        """Make room on the terminal for what is written to it; the next call draws anew."""
        if self.bar is not None:
            self.bar.stop()
            self.bar, self.tasks = None, {}

    def __call__(self, label: str, done: int, total: int) -> None:
        if self.bar is None:
            if time.monotonic() - self.started < PATIENCE:
                return
            self.bar = _bar()
            self.bar.start()
        if label not in self.tasks:
            for task in self.tasks.values():
                self.bar.remove_task(task)
            self.tasks = {label: self.bar.add_task(label, total=total, completed=done)}
        self.bar.update(self.tasks[label], completed=done)


def _bar():
    from rich import progress
    from rich.console import Console

    class Rate(progress.ProgressColumn):
        def render(self, task):
            return f"{task.speed:,.0f} samples/s" if task.speed else ""

    return progress.Progress(
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(),
        progress.TaskProgressColumn(),
        Rate(),
        progress.TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
