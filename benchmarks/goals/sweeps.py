"""Thousands of SPECs, and of inputs, through the command line to CSV on one processor: rows a second, memory."""

from __future__ import annotations

import contextlib
import os

from benchmarks import quadrature
from benchmarks.goal import Goal
from benchmarks.timing import Shell, seconds

ORDER = 30
TITLE = "Sweeps"
ROWS = 10_000
#: layer -> the parameter that is swept; a closed form first, then quadrature
_SWEPT = {"leaky_relu": "negative_slope", "elu": "alpha", "swish": "beta"}
_RATES = {
    name: Goal(
        f"sweep of {ROWS:,} `{name}`, whole command", "rows/s", "the bare rule, activations/s", least=2000.0,
        absolute=True,
    )
    for name in _SWEPT
}  # fmt: skip
_FLAT = {name: Goal(f"peak memory, {ROWS:,} rows of `{name}`", "B", "1,000 rows", most=1.25) for name in _SWEPT}
_FIRST = Goal(f"first row of {ROWS:,} `leaky_relu` is written", "s", "the last row", most=0.25)
#: layer -> points a second over the std of the input, where every point has a law of its own
_POINTS = {
    name: Goal(
        f"sweep of `{name}` over {ROWS // 10:,} stds, whole command", "points/s", "the bare rule, activations/s",
        least=least,
        absolute=True,
    )
    for name, least in {"relu": 1000.0, "gelu": 500.0}.items()
}  # fmt: skip
GOALS = (*_RATES.values(), *_FLAT.values(), _FIRST, *_POINTS.values())


def specs(name: str, rows: int) -> list[str]:
    """Return SPECs that together stand for so many rows, each short enough to be one.

    >>> specs("elu", 2)
    ['elu(alpha=[0.1001,0.1002])']
    """
    values = [f"{0.1 + i * 1e-4:.4f}" for i in range(1, rows + 1)]
    return [
        f"{name}({_SWEPT[name]}=[{','.join(values[start : start + 1000])}])" for start in range(0, len(values), 1000)
    ]


def measure(budget):
    rows, few = budget.size(ROWS, 20), budget.size(ROWS // 10, 10)
    with Shell() as shell, _one_processor():
        for name in _SWEPT:
            many, some = (shell.normcal("compute", *specs(name, n), "--format", "csv") for n in (rows, few))
            short = shell.watched(some)
            pairs = [(shell.watched(many), _bare()) for _ in range(budget.runs(2))]
            yield _RATES[name].found(rows / min(ran.seconds for ran, _ in pairs), 1.0 / min(each for _, each in pairs))
            yield _FLAT[name].found(min(ran.peak for ran, _ in pairs), short.peak)
        command = shell.normcal("compute", *specs("leaky_relu", rows), "--format", "csv")
        yield _FIRST.found(*shell.first_line(command))
        for name, goal in _POINTS.items():
            argv = (
                "sweep",
                name,
                "--std",
                f"0.5:1.5:{few}",
                "--columns",
                "forward.std,backward.std",
                "--format",
                "csv",
            )
            ran = min(shell.watched(shell.normcal(*argv)).seconds for _ in range(budget.runs(2)))
            yield goal.found(few / ran, 1.0 / _bare())


def _bare() -> float:
    return min(seconds(quadrature.table) for _ in range(20)) / len(quadrature.ACTIVATIONS)


@contextlib.contextmanager
def _one_processor():
    """Keep this process, and those that it starts, on one processor, where the system can."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
