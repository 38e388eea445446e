"""What a goal is, what measuring it gives, and how the files of ``goals/`` are found.

A file of ``goals/`` defines a group: ``TITLE``, ``ORDER`` (groups run and are shown
from low to high), the tuple ``GOALS``, and ``measure(budget)``, which
yields an Outcome for each goal, and a Series where there is a curve to show.
"""

from __future__ import annotations

import importlib
import os
from dataclasses import dataclass
from types import ModuleType

_HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(_HERE)


@dataclass(frozen=True)
class Goal:
    """One figure to reach.

    ``yardstick`` says what is measured beside it in the same run, in the same unit; the ratio is measured
    over yardstick. ``least`` and ``most`` limit the ratio, or with ``absolute`` the measured figure itself.
    A figure without a limit is shown for information.
    """

    name: str
    unit: str = "s"
    yardstick: str = ""
    least: float | None = None
    most: float | None = None
    absolute: bool = False

    def found(self, measured: float, yardstick: float | None = None, note: str = "") -> Outcome:
        """Return what was measured."""
        return Outcome(self, measured, yardstick, note)

    def missing(self, reason: str) -> Outcome:
        """Return that nothing could be measured, and why."""
        return Outcome(self, None, None, reason)


@dataclass(frozen=True)
class Outcome:
    """What was measured for a goal; ``measured`` is None where nothing could be."""

    goal: Goal
    measured: float | None
    yardstick: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        return self.measured / self.yardstick if self.yardstick and self.measured is not None else None

    @property
    def met(self) -> bool | None:
        """Whether the limit is kept; None where there is none, or nothing was measured."""
        found = self.measured if self.goal.absolute else self.ratio
        limits = (self.goal.least, self.goal.most)
        if found is None or limits == (None, None):
            return None
        return (limits[0] is None or found >= limits[0]) and (limits[1] is None or found <= limits[1])


@dataclass(frozen=True)
class Series:
    """A curve: (x, y) points under a chart's title, with the labels of its axes."""

    chart: str
    name: str
    x: str
    y: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Budget:
    """How much work to measure with: ``quick`` shows that everything runs, and its figures mean nothing."""

    quick: bool = False

    def runs(self, wanted: int) -> int:
        """Return how many times to repeat a measurement."""
        return 1 if self.quick else wanted

    def size(self, wanted: int, least: int) -> int:
        """Return the size of a job, ``least`` for a quick one."""
        return least if self.quick else wanted


def plugins(folder: str) -> tuple[str, ...]:
    """List the public names of a plural folder, as normcal does: a file counts because it exists.

    >>> "startup" in plugins("goals")
    True
    """
    files = sorted(os.listdir(os.path.join(_HERE, folder)))
    return tuple(f[:-3].replace("_", "-") for f in files if f.endswith(".py") and not f.startswith("_"))


def load(folder: str, name: str) -> ModuleType:
    """Import the file that bears the public name ``name``."""
    return importlib.import_module(f"benchmarks.{folder}.{name.replace('-', '_')}")


def groups(names: tuple[str, ...] = ()) -> dict[str, ModuleType]:
    """Return the groups of goals by name, all or those that are named, in their order."""
    found = {name: load("goals", name) for name in plugins("goals") if not names or name in names}
    return dict(sorted(found.items(), key=lambda pair: pair[1].ORDER))
