"""A simulation as blocks that anybody may run: the job, its blocks, and the tally of what they gave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from normcal import sampler
from normcal.law import Normal
from normcal.layer import Layer
from normcal.sampler import PLAIN, POOLED

if TYPE_CHECKING:
    from normcal.numerics.moments import Moments


@dataclass(frozen=True)
class Job:
    """Everything that decides the numbers of a simulation, and nothing else."""

    layer: Layer
    direction: str
    law: Normal
    samples: int
    seed: int = 0
    sampler: str = PLAIN


def block(job: Job, number: int) -> dict:
    """Run one block of a job and return its moments by name; the same bits whoever runs it, and when.

    >>> from normcal import catalog
    >>> from normcal.law import STANDARD
    >>> found = block(Job(catalog.layer("identity"), "forward", STANDARD, 1000), 0)
    >>> found[POOLED].rows, abs(found[POOLED].mean) < 0.2
    (1000, True)
    """
    import numpy as np

    with np.errstate(all="ignore"):
        return sampler.get(job.sampler).block(job, number)


class Tallies:
    """Moments by name of arrays that a simulator returns piece by piece."""

    def __init__(self, layer: Layer) -> None:
        self.layer = layer
        self.sums: dict = {}

    def add(self, found) -> None:
        from normcal.numerics.moments import Sums

        for name, values in _pooled(self.layer, found).items():
            self.sums.setdefault(name, Sums()).add(values)

    def moments(self) -> dict[str, Moments]:
        return {name: sums.moments() for name, sums in self.sums.items()}


def beside(first, second):
    """Put what two runs of a simulator returned side by side: their rows belong together."""
    import numpy as np

    if isinstance(first, dict):
        return {name: beside(values, second[name]) for name, values in first.items()}
    return np.concatenate([first, second], axis=1)


def _pooled(layer: Layer, found) -> dict:
    """Put the entries of all inputs side by side: their pooled moments weigh every entry alike."""
    if not isinstance(found, dict):
        return {POOLED: found}
    import numpy as np

    inputs = layer.inputs or tuple(found)[:1]
    if len(inputs) == 1:
        return {POOLED: found[inputs[0]], **found}
    return {POOLED: np.concatenate([found[name] for name in inputs], axis=1), **found}
