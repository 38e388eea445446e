r"""Scrambled Sobol points: randomised quasi-Monte Carlo, in replicates that are scrambled independently.

The rows of one replicate fill the unit cube far more evenly than independent draws, so that the error falls
nearly like 1/n where the layer is smooth. Between 8 and 15 replicates, each of :math:`2^m` points, use up the
samples; each is doubled, stage by stage, until it has its points, and only what is complete on all of them is an
estimate. Points come from SciPy, which scrambles by a random linear matrix and a digital shift (Matousek 1998); a
normal number is :math:`\Phi^{-1}(u)` of a coordinate.
"""

from __future__ import annotations

from normcal.errors import Unsupported
from normcal.numerics.replicates import Replicates
from normcal.sampler import Sampler, Source, generator, needs_fixed_draws, pieces
from normcal.sampling import Job, Tallies

#: At least as many replicates: fewer leave the standard error in doubt, more leave fewer points to each.
FEWEST = 8
#: Points that a replicate starts with, and into how many parts a later stage is cut at most.
FIRST, PARTS = 256, 8
#: Points in a part, at least: restarting a sequence costs as much as skipping what came before.
PART = 65_536
#: Binary digits of a coordinate: what SciPy can skip ahead in.
BITS = 32
#: Points of a replicate, at most: a quarter of the sequence's period.
MOST_POINTS = 1 << (BITS - 2)
#: Coordinates for which SciPy has direction numbers (Joe & Kuo 2008).
MOST_COORDINATES = 21_201


class Sobol(Sampler):
    """A row is a point of a scrambled sequence; the scatter of the replicates is the error."""

    name = "sobol"
    summary = "scrambled Sobol points in independent replicates"
    scores = False

    def count(self, job: Job) -> int:
        return sum(parts for _, _, parts in _stages(job)) * _replicates(job)

    def drawn(self, job: Job) -> int:
        return _replicates(job) * _points(job)

    def block(self, job: Job, number: int) -> dict:
        replicate, start, stop = _part(job, number)
        draws = coordinates(job)
        source, found = Points(draws, generator(job, replicate), job.layer), Tallies(job.layer)
        source.skip(start)
        for few in pieces(stop - start, draws, doubling=True):
            source.next(few)
            found.add(job.layer.simulate(job.direction, source, few, job.law))
        return {name: Replicates({replicate: moments}) for name, moments in found.moments().items()}

    def complete(self, job: Job, done: int) -> bool:
        for _, _, parts in _stages(job):
            done -= parts * _replicates(job)
            if done <= 0:
                break
        return done == 0

    def restored(self, data) -> Replicates:
        return Replicates({number: super(Sobol, self).restored(moments) for number, moments in data})


SAMPLER = Sobol()


def _points(job: Job) -> int:
    """Return the points of each replicate: the largest power of two that leaves enough replicates."""
    return min(1 << max((job.samples // FEWEST).bit_length() - 1, 0), MOST_POINTS)


def _replicates(job: Job) -> int:
    return max(job.samples // _points(job), FEWEST)


def _stages(job: Job) -> list[tuple[int, int, int]]:
    """Return (first point, point behind the last, parts) of each stage; each doubles what came before."""
    stop = min(FIRST, _points(job))
    found = [(0, stop, 1)]
    while stop < _points(job):
        start, stop = stop, 2 * stop
        found.append((start, stop, min(max((stop - start) // PART, 1), PARTS)))
    return found


def _part(job: Job, number: int) -> tuple[int, int, int]:
    """Return the replicate of a block, its first point and the one behind its last."""
    for start, stop, parts in _stages(job):
        if number < parts * _replicates(job):
            replicate, part = divmod(number, parts)
            size = (stop - start) // parts
            return replicate, start + part * size, start + (part + 1) * size
        number -= parts * _replicates(job)
    raise IndexError(number)


def coordinates(job: Job) -> int:
    """Return how many numbers a row takes; a layer that takes too many, or now more and now fewer, is refused."""
    counting = Counting(job.layer)
    job.layer.simulate(job.direction, counting, Counting.ROWS, job.law)
    return max(counting.columns, 1)


class Columns(Source):
    """Hands out the coordinates of points in their order, as many columns at a time as a simulator asks for."""

    def __init__(self, layer) -> None:
        self.layer = layer
        self.columns = 0
        self.rows = 0

    def standard_normal(self, shape):
        from scipy.special import ndtri

        return ndtri(self.random(shape))

    def random(self, shape):
        shape = shape if isinstance(shape, tuple) else (shape,)
        if shape[0] != self.rows:
            raise needs_fixed_draws(self.layer)
        width = 1
        for length in shape[1:]:
            width *= length
        self.columns += width
        return self.uniforms(self.columns - width, self.columns).reshape(shape)

    def uniforms(self, start: int, stop: int):
        """Return some coordinates of the points at hand."""
        raise NotImplementedError


class Counting(Columns):
    """Counts the coordinates that a row takes."""

    ROWS = 3

    def __init__(self, layer) -> None:
        super().__init__(layer)
        self.rows = self.ROWS

    def uniforms(self, start: int, stop: int):
        import numpy as np

        if stop > MOST_COORDINATES:
            raise Unsupported(
                f"one draw of {self.layer.name} takes more than {MOST_COORDINATES:_} random numbers, "
                "and Sobol points have no more coordinates"
            )
        return np.full((self.rows, stop - start), 0.25)


class Points(Columns):
    """The points of one replicate."""

    def __init__(self, draws: int, generator, layer) -> None:
        from scipy.stats import qmc  # the one place that imports scipy.stats: nobody else has these points

        super().__init__(layer)
        # where in its cell a point lies, drawn once: the digits behind the last one of the digital shift
        self.offset = generator.integers(1, 1 << 20, draws) * 2.0 ** -(BITS + 20)
        try:
            self.sequence = qmc.Sobol(draws, bits=BITS, rng=generator)
        except TypeError:  # SciPy before 1.15
            self.sequence = qmc.Sobol(draws, bits=BITS, seed=generator)

    def skip(self, count: int) -> None:
        if count:
            self.sequence.fast_forward(count)

    def next(self, rows: int) -> None:
        self.rows, self.columns = rows, 0
        self.points = self.sequence.random(rows)
        self.points += self.offset

    def uniforms(self, start: int, stop: int):
        return self.points[:, start:stop].copy()
