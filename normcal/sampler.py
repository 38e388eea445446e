"""What a sampler is: how the points of a simulation lie, and what their scatter says about the error."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from normcal import discover
from normcal.errors import Unsupported, unknown

if TYPE_CHECKING:
    from normcal.sampling import Job

#: The sampler of independent draws, which serves where none is named.
PLAIN = "plain"
#: The key of the moments that pool the inputs.
POOLED = ""
#: Random numbers in a block, which has a seed of its own: some milliseconds of work.
BLOCK_DRAWS = 524_288
#: Random numbers that are in work at once: few enough to stay in the cache, enough to hide the overhead.
PIECE_DRAWS = 65_536
#: Rows of a wide layer that are in work at once all the same, and the random numbers that they may take.
FEW_ROWS, WIDE_DRAWS = 16, 1_048_576


class Sampler:
    """A way to place the points; a file in ``samplers/`` defines one as ``SAMPLER``.

    A job is cut into blocks that anybody may run in any order; each returns, by the name of what was measured,
    moments that merge in the order of the blocks.
    """

    name = ""
    summary = ""
    #: Whether the stated error is that of very many draws, so that an error in its units is a normal z-score.
    scores = True

    def count(self, job: Job) -> int:
        """Return how many blocks there are."""
        raise NotImplementedError

    def drawn(self, job: Job) -> int:
        """Return how many draws of the layer the job takes: those asked for, or a few less."""
        raise NotImplementedError

    def block(self, job: Job, number: int) -> dict:
        """Simulate one block: moments by name."""
        raise NotImplementedError

    def complete(self, job: Job, done: int) -> bool:
        """Whether the first ``done`` blocks are a fair sample; what comes between is not shown."""
        return True

    def draws_in(self, moments) -> int:
        """Return how many draws of the layer are in the moments."""
        return moments.rows

    def restored(self, data):
        """Return the moments that their ``data`` describe."""
        from normcal.numerics.moments import Moments

        return Moments(*data)


def names() -> tuple[str, ...]:
    """Every value that ``--sampler`` takes."""
    return discover.names("samplers")


@functools.cache
def get(name: str) -> Sampler:
    """Return the sampler of that name."""
    if name not in names():
        raise unknown("sampler", name, names())
    return discover.load("samplers", name).SAMPLER


def generator(job: Job, number: int):
    """Return the random numbers of a block: the same whoever runs it."""
    import numpy as np

    from normcal.layer import DIRECTIONS

    key = (DIRECTIONS.index(job.direction), number)
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(job.seed, spawn_key=key)))


def pieces(rows: int, draws: int, *, doubling: bool = False):
    """Cut the rows of a block into numbers of rows that fit into the cache, powers of two where ``doubling``."""
    most = max(PIECE_DRAWS // draws, min(FEW_ROWS, WIDE_DRAWS // draws), 1)
    if doubling:
        most = 1 << (most.bit_length() - 1)
    while rows > 0:
        yield min(rows, most)
        rows -= most


class Source:
    """The random numbers that a simulator draws, shapes with the rows first; a sampler says where they come from."""

    def standard_normal(self, shape):
        raise NotImplementedError

    def random(self, shape):
        raise NotImplementedError

    def normal(self, mean: float, std: float, shape):
        return mean + std * self.standard_normal(shape)

    def uniform(self, low: float, high: float, shape):
        return low + (high - low) * self.random(shape)

    def integers(self, count: int, size):
        import numpy as np

        return np.minimum((self.random(size) * count).astype(np.int64), count - 1)


def needs_fixed_draws(layer) -> Unsupported:
    """Return the error for a layer whose simulator draws again until it likes what it sees."""
    return Unsupported(f"{layer.name} draws by rejection, which only plain sampling can follow")
