"""What an executor is, and the pool that hands out numbered tasks and yields their results in order.

The order of the results is that of the numbers, and what a task returns depends on its number alone;
so neither the number of workers, nor which of them was faster, lost or replaced, changes a bit.
"""

from __future__ import annotations

import collections
import copy
import functools
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from normcal import discover
from normcal.errors import NormcalError, RequestError, unknown

if TYPE_CHECKING:
    import concurrent.futures

#: The one that serves where none is named.
DEFAULT = "threads"
#: Tasks that are out for each worker: one that it works on, and a few so that it never waits.
AHEAD = 4
#: How often in a row a task is sent anew after its worker was lost.
ATTEMPTS = 4
#: Seconds between two looks at whether the workers are still there.
PULSE = 0.5
#: How much longer a task may be than the one before, while it is not known what a number costs.
GROWTH = 4
#: Jobs that a worker remembers.
REMEMBERED = 4


class Lost(RequestError):
    """The workers, or the way to them, cannot be had or went away."""


class Executor:
    """A way to have tasks run side by side; a file in ``executors/`` defines one as ``EXECUTOR``.

    It adapts something to ``concurrent.futures.Executor``: ``start`` returns one, ``running`` in the
    methods below. An exception of a future is a failure of the executor, since those of tasks are results.
    """

    name = ""
    summary = ""
    #: What to do where workers are lost time and again.
    advice = "Perhaps they run out of memory; fewer --workers need less."
    #: Seconds of work that a task should hold, so that handing it out costs next to nothing.
    grain = 0.0
    #: Whether the workers are other processes: tasks are copied to them, and versions may differ.
    apart = False
    #: Whether it needs the address of a cluster.
    remote = False

    def check(self, workers: int, cluster: str | None) -> None:
        """Raise RequestError for what it cannot take, before anything is started."""
        if self.remote and cluster is None:
            raise RequestError(f"The executor {self.name} needs a cluster.", "Give its address with --cluster.")
        if cluster is not None and not self.remote:
            raise RequestError(
                f"The executor {self.name} works on this machine, not on a cluster.",
                f"Accepted with --cluster: --executor {' or '.join(_remote())}, or none.",
            )

    def check_task(self, task: Callable[[int], Any]) -> None:
        """Raise RequestError for a task that it cannot send."""

    def start(self, workers: int, cluster: str | None, say: Callable[[str], None]) -> concurrent.futures.Executor:
        """Return a running executor, or raise Lost."""
        raise NotImplementedError

    def capacity(self, running) -> int:
        """Return how many tasks it works on at once, as things stand."""
        raise NotImplementedError

    def watch(self, running) -> None:
        """Raise Lost where nothing will come any more; called now and then while nothing comes."""

    def recover(self, running, problem: Exception) -> concurrent.futures.Executor:
        """Return the executor to go on with after a future has failed, the same or a new one, or raise Lost."""
        raise Lost(f"The executor {self.name} failed: {type(problem).__name__}: {problem}.")

    def stop(self, running) -> None:
        """Release everything; what has not begun is dropped."""
        running.shutdown(wait=True, cancel_futures=True)

    def entry(self) -> Callable[[Call], Reply]:
        """Return what a worker is asked to run: ``work``, or something that calls it."""
        return work


def names() -> tuple[str, ...]:
    """Every value that ``--executor`` takes."""
    return discover.names("executors")


def get(name: str) -> Executor:
    """Return the executor of that name."""
    if name not in names():
        raise unknown("executor", name, names())
    return discover.load("executors", name).EXECUTOR


def pool(
    name: str | None = None, workers: int = 1, cluster: str | None = None, say: Callable[[str], None] | None = None
) -> Pool:
    """Return a pool of workers; nothing is started, connected or imported before the first task.

    Parameters
    ----------
    name: one of ``names()``; by default threads, or what serves a cluster where one is given.
    workers: how many threads or processes; a cluster has as many as it has.
    cluster: the address of a scheduler, for executors that need one.
    say: called with a sentence that the user should read, without full stop.

    Raises
    ------
    RequestError: for an unknown executor, and for an address that it cannot take.

    Examples
    --------
    >>> with pool("threads", 2) as workers:
    ...     list(workers.ordered(abs, 3, start=-2))
    [2, 1, 0, 1, 2]
    """
    chosen = get(name if name is not None else DEFAULT if cluster is None else _remote()[0])
    chosen.check(workers, cluster)
    return Pool(chosen, workers, cluster, say or (lambda text: None))


def _remote() -> list[str]:
    """Return the executors that need a cluster."""
    return [name for name in names() if get(name).remote]


# -- what travels --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Call:
    """Numbers to run a task on; the task itself is left out where the worker should have it already."""

    token: str
    numbers: range
    versions: dict[str, str]
    task: Callable[[int], Any] | None = None


@dataclass(frozen=True)
class Reply:
    """What a worker made of a Call: results up to the first problem, or no results and the reason."""

    results: list = field(default_factory=list)
    problem: Exception | None = None
    seconds: float = 0.0
    #: Set where it has yet to be sent the task.
    unknown: bool = False
    versions: dict[str, str] = field(default_factory=dict)
    rounding: str = ""
    worker: str = ""


_remembered: dict[str, Callable[[int], Any]] = {}
_remembering = threading.Lock()


def work(call: Call) -> Reply:
    """Run a Call on a worker of its own; nothing is computed under other versions than the caller's."""
    mine = versions()
    if mine != call.versions:
        return Reply(versions=mine)
    task = _recalled(call)
    if task is None:
        return Reply(versions=mine, unknown=True)
    reply = run(task, call.numbers)
    return replace(reply, problem=_portable(reply.problem), versions=mine, rounding=rounding())


def run(task: Callable[[int], Any], numbers: range) -> Reply:
    """Run a task on each number until one raises; an exception is as good a result as any."""
    results: list = []
    problem, started = None, time.perf_counter()
    try:
        results.extend(map(task, numbers))
    except Exception as error:
        problem = error
    return Reply(results, problem, time.perf_counter() - started)


def _portable(problem: Exception | None) -> Exception | None:
    """Return an exception that survives the journey home, where its own kind cannot be built again."""
    try:
        return copy.copy(problem)
    except Exception:
        return RuntimeError(f"{type(problem).__name__}: {problem}")


def _recalled(call: Call) -> Callable[[int], Any] | None:
    """Return the task that a Call brings, or that one like it brought before."""
    with _remembering:
        if call.task is not None and call.token not in _remembered:
            while len(_remembered) >= REMEMBERED:
                del _remembered[next(iter(_remembered))]
            _remembered[call.token] = call.task
        return _remembered.get(call.token)


@functools.cache
def versions() -> dict[str, str]:
    """Return what must be alike here and on a worker for the same seed to mean the same numbers."""
    import importlib.metadata
    import platform

    import numpy as np

    from normcal import __version__

    python = ".".join(platform.python_version_tuple()[:2])
    return {
        "normcal": __version__, "Python": python, "NumPy": np.__version__, "SciPy": importlib.metadata.version("scipy")
    }  # fmt: skip


@functools.cache
def rounding() -> str:
    """Return a digest of how this processor rounds: NumPy's functions differ in last digits between some."""
    import hashlib

    import numpy as np

    x = np.linspace(-7.0, 7.0, 513)
    y = np.abs(x) + 0.1
    matrix = x[:512].reshape(16, 32)
    parts = [f(x) for f in (np.exp, np.expm1, np.tanh, np.sin, np.cos, np.arctan, np.arcsinh)]
    parts += [np.log(y), np.log1p(y), np.sqrt(y), np.logaddexp(0.0, x), y**1.7, matrix @ matrix.T]
    parts += [x.sum(keepdims=True), np.einsum("i,i->", x, y)[None]]
    return hashlib.sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in parts)).hexdigest()[:16]


# -- the pool ------------------------------------------------------------------------------------


@dataclass
class _Batch:
    """Consecutive numbers that travel as one task, where they went and what will come back."""

    numbers: range
    executor: concurrent.futures.Executor | None = None
    future: concurrent.futures.Future | None = None

    @property
    def problem(self) -> Exception | None:
        """What kept a batch that is done from arriving."""
        from concurrent.futures import CancelledError

        return CancelledError() if self.future.cancelled() else self.future.exception()

    @property
    def arrived(self) -> bool:
        return self.future.done() and self.problem is None


class Pool:
    """Workers that run numbered tasks; a context manager, made by ``pool``.

    ``ordered`` may be called any number of times, also while another of its iterators is open.
    """

    def __init__(self, executor: Executor, workers: int, cluster: str | None, say: Callable[[str], None]) -> None:
        self.executor = executor
        self.workers = workers
        self.cluster = cluster
        self.say = say
        self._running: concurrent.futures.Executor | None = None
        self._spent = False
        self._odd: set[str] = set()

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Release the workers; a later task would start them anew."""
        running, self._running, self._spent = self._running, None, False
        if running is not None:
            self.executor.stop(running)

    def ordered(self, task: Callable[[int], Any], count: int, start: int = 0) -> Iterator[Any]:
        """Yield ``task(start)``, ``task(start + 1)``, ... ``task(count - 1)``, a bounded number running ahead.

        An exception of a task is raised in its turn. Closing the iterator cancels what runs ahead.

        Parameters
        ----------
        task: a function of a number; executors that send it elsewhere need one that can be pickled,
            such as ``functools.partial(function_of_a_module, job)``. It is sent once per worker.
        count: where the numbers end.
        start: where they begin.

        Raises
        ------
        Lost: when the executor fails, not the task.
        """
        if self.workers == 1 and not self.executor.apart:
            yield from map(task, range(start, count))
            return
        job = _Job(self, task)
        ahead: collections.deque[_Batch] = collections.deque()
        size = 1
        try:
            while start < count or ahead:
                capacity = self.capacity()
                while start < count and len(ahead) < AHEAD * capacity:
                    batch = _Batch(range(start, min(start + size, count)))
                    start = batch.numbers.stop
                    job.send(batch)
                    ahead.append(batch)
                reply = job.reply(ahead)
                size = self._size(len(ahead.popleft().numbers), reply.seconds, (count - start) // (2 * capacity))
                yield from reply.results
                if reply.problem is not None:
                    raise reply.problem
        finally:
            for batch in ahead:
                batch.future.cancel()

    def _size(self, numbers: int, seconds: float, share: int) -> int:
        """Return how many numbers the next task holds: ``grain`` seconds of work, and no more than a fair share."""
        wanted = self.executor.grain * numbers / max(seconds, 1e-9)
        return int(max(min(wanted, GROWTH * numbers, share), 1))

    def running(self) -> concurrent.futures.Executor:
        """Return the executor, started if need be."""
        if self._spent:
            self.close()
        if self._running is None:
            self._running = self.executor.start(self.workers, self.cluster, self.say)
        return self._running

    def capacity(self) -> int:
        """Return how many tasks can be worked on at once."""
        return max(self.executor.capacity(self.running()), 1)

    def watch(self) -> None:
        """Raise Lost where nothing will come any more."""
        if self._running is not None:
            self.executor.watch(self._running)

    def recover(self, failed: concurrent.futures.Executor, problem: Exception) -> None:
        """Make the executor fit to go on, or raise Lost; of several that notice a failure the first does it."""
        if isinstance(problem, NormcalError):
            raise problem
        if failed is self._running:
            self._spent = True  # should it be beyond repair, it is stopped once nobody waits for it
            self._running = self.executor.recover(failed, problem)
            self._spent = False

    def check(self, reply: Reply) -> None:
        """Refuse results of other versions, and say where a worker rounds otherwise."""
        check_versions(f"worker {reply.worker}", reply.versions)
        if reply.rounding not in ("", rounding()) and reply.worker not in self._odd:
            self._odd.add(reply.worker)
            self.say(
                f"the processor of worker {reply.worker} rounds otherwise than this one; with it the same seed "
                "may give other last digits"
            )


class _Job:
    """One task on its way through a pool."""

    def __init__(self, pool: Pool, task: Callable[[int], Any]) -> None:
        pool.executor.check_task(task)
        self.pool = pool
        self.task = task
        self.token = os.urandom(16).hex()
        self.sent = 0

    def send(self, batch: _Batch, *, whole: bool = False) -> None:
        """Hand out a batch; the first few bring the task along, later ones where a worker lacks it."""
        batch.executor = self.pool.running()
        try:
            if not self.pool.executor.apart:
                batch.future = batch.executor.submit(run, self.task, batch.numbers)
                return
            whole = whole or self.sent < self.pool.capacity()
            call = Call(self.token, batch.numbers, versions(), self.task if whole else None)
            batch.future = batch.executor.submit(self.pool.executor.entry(), call)
            self.sent += 1
        except Exception as problem:  # as good as a failure a moment later
            from concurrent.futures import Future

            batch.future = Future()
            batch.future.set_exception(problem)

    def reply(self, ahead: collections.deque[_Batch]) -> Reply:
        """Wait for the first batch of a queue, and do what it takes to have it arrive."""
        from concurrent.futures import wait

        batch, losses = ahead[0], 0
        while True:
            while not batch.future.done():
                wait([batch.future], PULSE)
                self.pool.watch()
            if batch.problem is not None:
                losses += 1
                self._recover(batch, ahead, losses)
                continue
            reply = batch.future.result()
            if self.pool.executor.apart:
                self.pool.check(reply)
            if not reply.unknown:
                return reply
            self.send(batch, whole=True)

    def _recover(self, batch: _Batch, ahead: collections.deque[_Batch], losses: int) -> None:
        """Mend the executor and send anew what was on it, unless that has been tried often enough."""
        problem = batch.problem
        self.pool.recover(batch.executor, problem)
        if losses >= ATTEMPTS:
            raise Lost(
                f"The workers were lost {losses} times in a row ({type(problem).__name__}).",
                self.pool.executor.advice,
            ) from None
        for each in ahead:
            stranded = each.future.done() or each.executor is not self.pool.running()
            if stranded and not each.arrived:
                self.send(each)


def check_versions(who: str, theirs: dict[str, str], mine: dict[str, str] | None = None) -> None:
    """Refuse another side of other versions: the same seed might not give the same numbers there.

    ``mine`` is by default what ``versions`` returns.

    >>> check_versions("worker tcp://10.0.0.7:4001", {**versions(), "NumPy": "1.0"})  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    normcal.executor.Lost: The worker tcp://10.0.0.7:4001 has NumPy 1.0, this side has NumPy ...
    """
    mine = versions() if mine is None else mine
    if theirs == mine:
        return
    differing = [name for name in mine if theirs.get(name) != mine[name]]
    there = " and ".join(f"{name} {theirs[name]}" if theirs.get(name) else f"no {name}" for name in differing)
    here = " and ".join(f"{name} {mine[name]}" for name in differing)
    raise Lost(
        f"The {who} has {there}, this side has {here}.",
        "Install the same versions on both sides; with others, results could differ in their last digits.",
    )
