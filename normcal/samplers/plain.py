"""Independent draws, in buffers that are reused."""

from __future__ import annotations

from normcal.numerics.buffers import reused
from normcal.sampler import BLOCK_DRAWS, Sampler, Source, generator, pieces
from normcal.sampling import Job, Tallies


class Plain(Sampler):
    """Every row is drawn anew; the scatter of the rows is the error."""

    name = "plain"
    summary = "independent draws"

    def count(self, job: Job) -> int:
        return -(-job.samples // _rows(job))

    def drawn(self, job: Job) -> int:
        return job.samples

    def block(self, job: Job, number: int) -> dict:
        source, found = Independent(generator(job, number)), Tallies(job.layer)
        rows = min(_rows(job), job.samples - number * _rows(job))
        for few in pieces(rows, job.layer.draws()):
            source.rewind()
            found.add(job.layer.simulate(job.direction, source, few, job.law))
        return found.moments()


SAMPLER = Plain()


def _rows(job: Job) -> int:
    return max(BLOCK_DRAWS // job.layer.draws(), 1)


class Independent(Source):
    """A NumPy generator; what it draws is overwritten after ``rewind``."""

    def __init__(self, generator) -> None:
        self.generator = generator
        self.place = 0

    def rewind(self) -> None:
        self.place = 0

    def standard_normal(self, shape):
        return self.generator.standard_normal(out=self._buffer(shape))

    def random(self, shape):
        return self.generator.random(out=self._buffer(shape))

    def integers(self, count: int, size):
        return self.generator.integers(count, size=size)

    def _buffer(self, shape):
        self.place += 1
        return reused(self.place, shape if isinstance(shape, tuple) else (shape,))
