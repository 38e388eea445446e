"""Two processes and two Dask workers on a long job against one thread, and whether they return the same bits."""

from __future__ import annotations

import contextlib
import importlib.util

from benchmarks.goal import Goal
from benchmarks.timing import seconds

ORDER = 60
TITLE = "Executors"
_ONE = "one thread"
_DRAWS = 5 * 10**7
_TIMES = {
    name: Goal(f"5 x 10^7 draws of `gelu` backward, {what}", yardstick=_ONE)
    for name, what in (("threads", "two threads"), ("processes", "two processes"), ("dask", "two Dask workers"))
}
_SAME = Goal("executors whose bits differ from those of one thread", "", most=0.0, absolute=True)
GOALS = (*_TIMES.values(), _SAME)


def measure(budget):
    samples = budget.size(_DRAWS, 10**6)
    with contextlib.ExitStack() as stack:
        ways = {_ONE: {"workers": 1}}
        ways |= {name: {"executor": name, "workers": 2} for name in ("threads", "processes")}
        if importlib.util.find_spec("distributed"):
            ways["dask"] = {"cluster": stack.enter_context(_cluster()), "workers": 2}
        found = {name: _data(10**6, options) for name, options in ways.items()}
        differing = [name for name in ways if found[name] != found[_ONE]]
        works = [lambda options=options: _data(samples, options) for options in ways.values()]
        columns = zip(*_rounds(works, budget.runs(3)), strict=True)
        times = dict(zip(ways, map(min, columns), strict=True))
    for name, goal in _TIMES.items():
        yield goal.found(times[name], times[_ONE]) if name in times else goal.missing(f"{name} is not installed")
    yield _SAME.found(len(differing), note=", ".join(differing or list(ways)[1:]))


def _rounds(works, runs: int) -> list[list[float]]:
    """Return the times of the jobs, interleaved; all of them ran once already, on less."""
    return [[seconds(work) for work in works] for _ in range(runs)]


def _data(samples: int, options: dict) -> dict:
    import normcal

    found = normcal.compute("gelu", direction="backward", engine="monte-carlo", samples=samples, **options)
    return found.backward.data()


@contextlib.contextmanager
def _cluster():
    """Start two workers on the loopback interface and yield their scheduler's address."""
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0", silence_logs=50
    ) as cluster:
        yield cluster.scheduler_address
