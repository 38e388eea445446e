"""Threads of this process: nothing is copied, and NumPy computes outside the interpreter's lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from normcal.executor import Executor, Lost

if TYPE_CHECKING:
    import concurrent.futures


class Threads(Executor):
    """Runs tasks on threads; one worker needs none."""

    name = "threads"
    grain = 0.01
    summary = "threads of this process"

    def start(self, workers: int, cluster: str | None, say) -> concurrent.futures.Executor:
        import concurrent.futures

        pool = concurrent.futures.ThreadPoolExecutor(workers, thread_name_prefix="normcal")
        pool.workers = workers
        return pool

    def capacity(self, running) -> int:
        return running.workers

    def recover(self, running, problem: Exception) -> concurrent.futures.Executor:
        """Make do with fewer threads where no more can be started: each takes memory for its stack."""
        running.shutdown(wait=True, cancel_futures=True)
        if running.workers == 1:
            raise Lost(f"No thread can be started: {problem}.", "--workers 1 needs none.")
        return self.start(max(running.workers // 8, 1), None, None)


EXECUTOR = Threads()
