"""Processes of this machine: for layers written in Python, which hold the interpreter's lock."""

from __future__ import annotations

import concurrent.futures
import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from multiprocessing import reduction

from normcal.errors import RequestError
from normcal.executor import Executor, Lost

#: What libraries read when they are loaded: a process of many computes on its own processor alone.
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
#: Without it, a program that is loaded by the processes that it starts would start processes.
GUARD = 'A program of your own starts them below: if __name__ == "__main__":'


class Processes(Executor):
    """Runs tasks in processes started afresh (a fork would copy locks that threads hold)."""

    name = "processes"
    grain = 0.05
    apart = True
    summary = "processes of this machine, for layers written in Python"
    advice = f"{Executor.advice} {GUARD}"

    def start(self, workers: int, cluster: str | None, say) -> concurrent.futures.Executor:
        _check_main()
        return _Processes(workers, mp_context=multiprocessing.get_context("spawn"), initializer=_prepare)

    def check_task(self, task) -> None:
        """Find out here whether a task can be sent: a pool that finds out in its own threads may never end."""
        try:
            reduction.ForkingPickler.dumps(task)
        except Exception as problem:
            raise RequestError(
                f"The task cannot be sent to a process: {problem}.",
                "Accepted: classes and functions defined at the top of a module.",
            ) from None

    def capacity(self, running) -> int:
        return running.workers

    def recover(self, running, problem: Exception) -> concurrent.futures.Executor:
        """Start anew after a process died."""
        running.shutdown(wait=False, cancel_futures=True)
        if isinstance(problem, concurrent.futures.BrokenExecutor):
            return self.start(running.workers, None, None)
        if isinstance(problem, OSError):
            raise Lost(f"Processes cannot be started: {problem.strerror or problem}.", "--executor threads needs none.")
        return super().recover(running, problem)

    def stop(self, running) -> None:
        """Wait for the processes; whoever presses Ctrl-C again does not want to."""
        try:
            super().stop(running)
        except KeyboardInterrupt:
            running.kill()
            raise


EXECUTOR = Processes()


class _Processes(concurrent.futures.ProcessPoolExecutor):
    """A pool that starts its processes so that they leave Ctrl-C and the other processors alone."""

    def __init__(self, workers: int, **options) -> None:
        super().__init__(workers, **options)
        self.workers = workers

    def kill(self) -> None:
        """End the processes at once, so that nothing waits for them at exit either."""
        for process in list((self._processes or {}).values()):
            process.kill()

    def submit(self, *arguments, **options) -> concurrent.futures.Future:
        with _one_thread(), _without_interrupts():  # both are inherited by what it starts
            return super().submit(*arguments, **options)


@contextlib.contextmanager
def _one_thread():
    added = [name for name in ONE_THREAD if name not in os.environ]
    os.environ.update(dict.fromkeys(added, "1"))
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


@contextlib.contextmanager
def _without_interrupts():
    """Hold Ctrl-C back, so that a process that is being loaded does not die of it with a traceback."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _prepare() -> None:
    """Leave Ctrl-C to the parent, and end when it ends, even by SIGKILL."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()


def _end_with_parent() -> None:
    multiprocessing.parent_process().join()
    signal.raise_signal(signal.SIGTERM)


def _check_main() -> None:
    """Refuse a program that a new process cannot load, which would die with a traceback of its own."""
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise Lost("A process that is being started cannot start others.", GUARD)
    main = sys.modules["__main__"]
    path = getattr(main, "__file__", None)
    if getattr(main, "__spec__", None) is None and path is not None and not os.path.exists(path):
        raise Lost(f"Processes cannot load the program {path!r}.", GUARD)
