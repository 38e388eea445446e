"""One simulation, from its first block to its moments: merged in order, kept, stopped when they are good enough."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable

from normcal import executor, sampler, sampling
from normcal.engine import Effort
from normcal.sampler import POOLED
from normcal.sampling import Job

#: A simulation that may stop early is asked this many binary digits often: at every 64th part of its length or more.
ASKED = 6


class Simulation:
    """What the blocks of a job gave so far.

    ``fair`` holds the moments when they last were a fair sample; ``good`` says of such moments whether they
    are good enough to stop before the job is done.
    """

    def __init__(self, job: Job, effort: Effort, good: Callable[[dict], bool]) -> None:
        self.job, self.effort, self.good = job, effort, good
        self.sampler = sampler.get(job.sampler)
        self.checkpoint = effort.session.checkpoint if effort.session else None
        self.done, self.total, self.fair = 0, {}, {}
        self._restore()

    def run(self) -> None:
        """Merge the blocks in their order, until there are no more or the moments are good enough.

        Raises
        ------
        KeyboardInterrupt, executor.Lost: what was merged until then stays in ``fair``, and in the checkpoint.
        """
        if self._enough():
            return
        with contextlib.ExitStack() as stack:
            stack.callback(self._keep, now=True)
            session = self.effort.session
            pool = session.pool if session else stack.enter_context(executor.pool(workers=self.effort.workers))
            task = functools.partial(sampling.block, self.job)
            for found in stack.enter_context(contextlib.closing(pool.ordered(task, self._count(), self.done))):
                self._add(found)
                if self._enough():
                    return

    def drawn(self, moments) -> int:
        """Return how many draws of the layer are in the moments."""
        return self.sampler.draws_in(moments)

    def _count(self) -> int:
        return self.sampler.count(self.job)

    def _add(self, found: dict) -> None:
        self.total = {name: self.total[name].merge(new) for name, new in found.items()} if self.total else found
        self.done += 1
        self._settle()
        if self.checkpoint is not None and self.checkpoint.due:
            self._keep()
        if self.effort.progress:
            self.effort.progress(self.drawn(self.total[POOLED]), self.sampler.drawn(self.job))

    def _settle(self) -> None:
        if self.sampler.complete(self.job, self.done):
            self.fair = self.total

    def _enough(self) -> bool:
        """Whether the moments are good enough; asked less often the more there are, as their number alone says."""
        asked = self.done % (1 << max(self.done.bit_length() - ASKED, 0)) == 0
        return asked and bool(self.fair) and self.fair is self.total and self.good(self.fair)

    @property
    def _key(self) -> str:
        return f"{self.job.layer.spec} {self.job.direction}, {self.job.samples} samples"

    def _keep(self, *, now: bool = False) -> None:
        """Put the moments into the checkpoint."""
        if self.checkpoint is not None and self.total:
            state = {"done": self.done, "total": _data(self.total), "fair": _data(self.fair)}
            self.checkpoint.save(self._key, state, now=now)

    def _restore(self) -> None:
        """Go on from the checkpoint, where it knows this simulation."""
        state = self.checkpoint.load(self._key) if self.checkpoint is not None else None
        if state is not None:
            self.done = state["done"]
            self.total, self.fair = (self._moments(state[name]) for name in ("total", "fair"))
            self._settle()

    def _moments(self, data: dict) -> dict:
        return {name: self.sampler.restored(its) for name, its in data.items()}


def _data(moments: dict) -> dict:
    return {name: each.data() for name, each in moments.items()}
