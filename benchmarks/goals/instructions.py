"""Instructions where a time would be noise, by callgrind: a cold start, and one more row of a sweep."""

from __future__ import annotations

import sys

from benchmarks.goal import Goal
from benchmarks.goals.sweeps import specs
from benchmarks.timing import Shell, has_valgrind, imports

ORDER = 100
TITLE = "Instructions"
_UNIT = "instructions"
_START = Goal("`normcal compute relu`, instructions", _UNIT, "import numpy, click, rich.table", most=1.5)
_ROWS = {
    name: Goal(f"one more row of a sweep of `{name}`", _UNIT, "one more activation of the bare rule")
    for name in ("leaky_relu", "elu")
}
GOALS = (_START, *_ROWS.values())
_BARE = (
    "from benchmarks.quadrature import ACTIVATIONS, moments, rule\n"
    "kinks, pair = ACTIVATIONS['elu']\n"
    "at = rule(kinks)\n"
    "for _ in range({}): moments(pair, *at)"
)


def measure(budget):
    if not has_valgrind():
        for goal in GOALS:
            yield goal.missing("valgrind is not installed")
        return
    few, many = budget.size(64, 1), budget.size(256, 2)
    with Shell() as shell:
        bare = [[sys.executable, "-c", _BARE.format(n)] for n in (few, many)]
        sweeps = {
            name: [shell.normcal("compute", *specs(name, n), "--format", "csv") for n in (few, many)] for name in _ROWS
        }
        start = shell.normcal("compute", "relu"), imports("numpy", "click", "rich.table")
        counts = shell.instructions(*start, *bare, *(command for pair in sweeps.values() for command in pair))
    yield _START.found(*counts[:2])
    each = [(b - a) / (many - few) for a, b in zip(counts[2::2], counts[3::2], strict=True)]
    for goal, rows in zip(_ROWS.values(), each[1:], strict=True):
        yield goal.found(rows, each[0])
