"""Pairs of draws, x and its mirror image, whose errors cancel where the layer is nearly odd."""

from __future__ import annotations

from normcal.sampler import BLOCK_DRAWS, Sampler, Source, generator, needs_fixed_draws, pieces
from normcal.sampling import Job, Tallies, beside


class Antithetic(Sampler):
    """Every row is a pair, drawn once, and once more with each number mirrored; their scatter is the error."""

    name = "antithetic"
    summary = "pairs x and -x"

    def count(self, job: Job) -> int:
        return -(-_pairs(job) // _rows(job))

    def drawn(self, job: Job) -> int:
        return 2 * _pairs(job)

    def block(self, job: Job, number: int) -> dict:
        source, found = Mirrored(generator(job, number), job.layer), Tallies(job.layer)
        rows = min(_rows(job), _pairs(job) - number * _rows(job))
        for few in pieces(rows, 2 * job.layer.draws()):
            source.start()
            first = job.layer.simulate(job.direction, source, few, job.law)
            source.mirror()
            found.add(beside(first, job.layer.simulate(job.direction, source, few, job.law)))
        return found.moments()

    def draws_in(self, moments) -> int:
        return 2 * moments.rows


SAMPLER = Antithetic()


def _pairs(job: Job) -> int:
    return max(job.samples // 2, 1)


def _rows(job: Job) -> int:
    return max(BLOCK_DRAWS // (2 * job.layer.draws()), 1)


class Mirrored(Source):
    """A NumPy generator that remembers what it drew; after ``mirror`` it hands out the mirror images, in order."""

    def __init__(self, generator, layer) -> None:
        self.generator, self.layer = generator, layer
        self.start()

    def start(self) -> None:
        self.drawn: list = []
        self.place: int | None = None

    def mirror(self) -> None:
        self.place = 0

    def standard_normal(self, shape):
        z = self._next(self.generator.standard_normal, shape)
        return z if self.place is None else -z

    def random(self, shape):
        return self._mirrored(self._next(self.generator.random, shape))

    def _mirrored(self, u):
        import numpy as np

        return u if self.place is None else np.minimum(1.0 - u, np.nextafter(1.0, 0.0))

    def _next(self, draw, shape):
        """Return a copy of the next numbers, since a simulator may write into what it gets."""
        if self.place is None:
            self.drawn.append(draw(shape))
            return self.drawn[-1].copy()
        wanted = shape if isinstance(shape, tuple) else (shape,)
        if self.place >= len(self.drawn) or self.drawn[self.place].shape != wanted:
            raise needs_fixed_draws(self.layer)
        self.place += 1
        return self.drawn[self.place - 1]
