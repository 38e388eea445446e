"""What keeping a checkpoint costs a run, and what a run costs that finds itself done."""

from __future__ import annotations

from benchmarks.goal import Goal
from benchmarks.timing import Shell, imports, seconds

ORDER = 70
TITLE = "Checkpoints"
_NUMPY = ("numpy", "click", "rich.table")
_OVERHEAD = Goal("10^8 draws of `gelu` forward with `--checkpoint`", yardstick="without")
_RESUMED = Goal("the same command again: it resumes at its end", yardstick=f"import {', '.join(_NUMPY)}")
GOALS = (_OVERHEAD, _RESUMED)


def measure(budget):
    samples = str(budget.size(10**8, 10**6))
    words = ("compute", "gelu", "--direction", "forward", "--engine", "monte-carlo", "--samples", samples)
    with Shell() as shell:
        plain = shell.normcal(*words)
        shell.run(shell.normcal("compute", "gelu", "--engine", "monte-carlo", "--samples", "1000"))
        times = []
        for number in range(budget.runs(3)):
            kept = [*plain, "--checkpoint", f"run-{number}"]
            times.append([seconds(lambda command=command: shell.run(command)) for command in (kept, plain)])
        yield _OVERHEAD.found(*map(min, zip(*times, strict=True)))
        yield _RESUMED.found(*shell.fastest(budget.runs(5), kept, imports(*_NUMPY)))
