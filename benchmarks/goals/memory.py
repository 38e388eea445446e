"""Memory: the program within 1 GB of address space, and its peak beside a bare NumPy."""

from __future__ import annotations

from benchmarks.goal import Goal
from benchmarks.timing import Shell, imports

ORDER = 90
TITLE = "Memory"
_GIGABYTE = 1 << 20  # in kilobytes, as ulimit takes it
_NUMPY = "import numpy"
_DRAWS = 10**9
_TABLE = Goal("exit code of the default table under `ulimit -v 1048576`", "", most=0.0, absolute=True)
_LONG = Goal("exit code of 10^9 draws of `relu` under `ulimit -v 1048576`", "", most=0.0, absolute=True)
_TABLE_PEAK = Goal("peak memory of the default table", "B", _NUMPY)
_LONG_PEAK = Goal("peak memory of 10^9 draws", "B", _NUMPY)
_PEAKS = {
    words: Goal(f"peak memory of `{' '.join(words)}`", "B", _NUMPY)
    for words in (("compute", "relu"), ("compute", "gelu"), ("compute", "max_pool(kernel_size=3)"))
}
GOALS = (_TABLE, _TABLE_PEAK, _LONG, _LONG_PEAK, *_PEAKS.values())


def measure(budget):
    draws = budget.size(_DRAWS, 10**6)
    long = ("compute", "relu", "--direction", "forward", "--engine", "monte-carlo", "--samples", str(draws))
    with Shell() as shell:
        shell.run(imports("numpy"))
        bare = shell.watched(imports("numpy")).peak
        for goal, peak, words in ((_TABLE, _TABLE_PEAK, ("table",)), (_LONG, _LONG_PEAK, long)):
            ran = shell.watched(shell.limited(shell.normcal(*words), _GIGABYTE))
            yield goal.found(ran.code, note=f"{ran.seconds:.2g} s")
            yield peak.found(ran.peak, bare)
        for words, goal in _PEAKS.items():
            shell.run(shell.normcal(*words))
            yield goal.found(shell.watched(shell.normcal(*words)).peak, bare)
