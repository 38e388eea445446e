"""Stages that run on each other's arrays: what each is fed, and how many draws of each make one draw of a chain.

A row of a stage's output is all that one draw of it puts out. The rows of all draws, one behind the other, are cut
into the inputs of the stage behind; a draw of the chain takes as many draws of each stage as make that come out even.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from normcal.errors import Unsupported
from normcal.law import Gradient
from normcal.layer import BACKWARD, FORWARD, Layer
from normcal.sampler import Source

#: Numbers that one simulated draw of a chain may take.
MOST_SIMULATED = 1_000_000


class Port(NamedTuple):
    """How many entries one draw of a stage takes in and puts out."""

    inputs: int
    outputs: int


class Columns:
    """An array (rows, k) that is handed out from left to right, in whatever shape it is asked for."""

    def __init__(self, values, stage: Layer) -> None:
        self.values, self.stage, self.at = values, stage, 0

    def take(self, shape):
        rows, width = shape[0], math.prod(shape[1:])
        if rows != len(self.values) or self.at + width > self.values.shape[1]:
            raise Unsupported(f"the simulation of {self.stage.name} does not fit behind another layer")
        self.at += width
        return self.values[:, self.at - width : self.at].reshape(shape).copy()


class Fed:
    """The law that a stage is told: its entries are what the stage before put out, its dy what the next one sends."""

    gradient = Gradient()

    def __init__(self, x, stage: Layer) -> None:
        self.x, self.stage = x, stage
        self.inputs = Columns(x, stage)

    @property
    def mean(self) -> float:
        """The mean of the entries at hand, for a stage that wants to know their size."""
        return float(self.x.mean())

    @property
    def std(self) -> float:
        return float(self.x.std())

    def sample(self, rng, shape):
        return self.inputs.take(shape)

    def behind(self, gradients) -> Fed:
        """Return the law of the backward pass on the same entries."""
        found = Fed(self.x, self.stage)
        found.incoming = gradients
        return found


class Entry(Fed):
    """The law that the first stage is told: the input's own, which remembers what it drew."""

    def __init__(self, law, source: Source, stage: Layer, drawn: list | None = None) -> None:
        self.law, self.source, self.stage = law, source, stage
        self.drawn: list = [] if drawn is None else drawn
        self.place = None if drawn is None else 0

    @property
    def mean(self) -> float:
        return self.law.mean

    @property
    def std(self) -> float:
        return self.law.std

    def incoming(self, rng, shape, x=None):
        return self.law.incoming(rng, shape, x)

    def sample(self, rng, shape):
        if self.place is None:
            self.drawn.append(self.law.sample(self.source, shape))
            return self.drawn[-1].copy()
        self.place += 1
        if self.place > len(self.drawn) or self.drawn[self.place - 1].shape != shape:
            raise Unsupported(f"the two directions of {self.stage.name} draw their inputs differently")
        return self.drawn[self.place - 1].copy()

    def behind(self, gradients) -> Fed:
        found = Entry(self.law, self.source, self.stage, self.drawn)
        found.incoming = gradients
        return found


def handed(gradients, stage: Layer):
    """Return an ``incoming`` that hands out an array (rows, k)."""
    columns = Columns(gradients, stage)
    return lambda rng, shape, x=None: columns.take(shape)


class Drawn(Source):
    """A stage's own random numbers: the first run draws them, a second one is dealt the same.

    ``copies`` rows of the stage belong to one row of the source, which may know no other number of rows.
    """

    def __init__(self, source, rows: int, copies: int, stage: Layer) -> None:
        self.source, self.rows, self.copies, self.stage = source, rows, copies, stage
        self.kept: list = []
        self.place: int | None = None

    def again(self) -> Drawn:
        """Deal the numbers once more, if any were drawn."""
        if self.kept or self.place is not None:
            self.place = 0
        return self

    def standard_normal(self, shape):
        return self._next(self.source.standard_normal, shape)

    def random(self, shape):
        return self._next(self.source.random, shape)

    def _next(self, draw, shape):
        shape = shape if isinstance(shape, tuple) else (shape,)
        if self.place is None:
            self.kept.append(self._drawn(draw, shape))
            return self.kept[-1].copy()
        if self.place >= len(self.kept) or self.kept[self.place].shape != shape:
            raise Unsupported(f"the two directions of {self.stage.name} draw their random numbers differently")
        self.place += 1
        return self.kept[self.place - 1].copy()

    def _drawn(self, draw, shape):
        if self.copies > 1 and shape[0] == self.rows * self.copies:
            return draw((self.rows, self.copies * math.prod(shape[1:]))).reshape(shape)
        return draw(shape)


def port(stage: Layer) -> Port:
    """Return what a stage takes in and puts out, as one draw of its simulation shows it.

    Raises
    ------
    Unsupported: where one draw takes more numbers than can be simulated.
    """
    stage.draws()
    probe = _Probe()
    with _quiet():
        outputs = stage.run(FORWARD, _generator(), 1, probe).shape[1]
    return Port(probe.asked, outputs)


def check_backward(stage: Layer, its: Port, *, first: bool) -> None:
    """Raise Unsupported where the backward simulation of a stage does not show every entry of its gradient."""
    probe = _Probe()
    with _quiet():
        found = stage.run(BACKWARD, _generator(), 1, probe)
    missing = Unsupported(f"the backward simulation of {stage.name} does not show every entry of its gradient")
    if probe.gradients != its.outputs:
        raise missing
    if not first and (isinstance(found, dict) or found.shape[1] != its.inputs):
        raise missing


def copies(ports: Sequence[Port]) -> tuple[int, ...]:
    """Return how many draws of each stage make one draw of the chain: the fewest that leave no entry over.

    >>> copies([Port(1, 1), Port(4, 1), Port(2, 3)])
    (8, 2, 1)
    """
    ratios = [Fraction(1)]
    for before, behind in itertools.pairwise(ports):
        ratios.append(ratios[-1] * before.outputs / behind.inputs)
    whole = math.lcm(*(ratio.denominator for ratio in ratios))
    numbers = [int(ratio * whole) for ratio in ratios]
    shared = math.gcd(*numbers)
    return tuple(number // shared for number in numbers)


def forward(stages: Sequence[Layer], counts: Sequence[int], rng, rows: int, law):
    """Run every stage on ``rows`` draws of the chain; return its output, (rows, k)."""
    return _Pass(stages, counts, rng, rows, law).forward(len(stages))


def outputs(stages: Sequence[Layer], counts: Sequence[int], rng, rows: int, law) -> list:
    """Return what the first stage takes in, and what each stage puts out, as flat arrays."""
    import numpy as np

    run = _Pass(stages, counts, rng, rows, law)
    last = run.forward(len(stages))
    first = np.concatenate([x.ravel() for x in run.feeds[0].drawn] or [np.empty(0)])
    return [first, *(fed.x.ravel() for fed in run.feeds[1:]), last.ravel()]


def backward(stages: Sequence[Layer], counts: Sequence[int], rng, rows: int, law, *, paired: bool):
    """Return the gradient of the chain's input, (rows, k), or one for each of its inputs by name.

    ``paired``: whether the entries of the last output are those of the input one by one.
    """
    run = _Pass(stages, counts, rng, rows, law)
    run.forward(len(stages) - 1)
    last = len(stages) - 1
    source = Drawn(rng, rows, counts[last], stages[last])
    belongs = run.feeds[0].drawn[0] if paired else None

    def incoming(_, shape, x=None):
        return law.incoming(source, shape, None if belongs is None else belongs.reshape(shape))

    found = stages[last].run(BACKWARD, run.sources[last].again(), rows * counts[last], run.feeds[last].behind(incoming))
    for at in reversed(range(last)):
        dy = found.reshape(rows * counts[at], -1)
        fed = run.feeds[at].behind(handed(dy, stages[at]))
        found = stages[at].run(BACKWARD, run.sources[at].again(), rows * counts[at], fed)
    if isinstance(found, dict):
        names = stages[0].inputs or tuple(found)[:1]
        return {name: found[name].reshape(rows, -1) for name in names}
    return found.reshape(rows, -1)


class _Pass:
    """A forward pass that remembers what the backward pass needs."""

    def __init__(self, stages, counts, rng, rows: int, law) -> None:
        self.stages, self.counts, self.rows = stages, counts, rows
        self.sources = [Drawn(rng, rows, count, stage) for stage, count in zip(stages, counts, strict=True)]
        self.feeds: list[Fed] = [Entry(law, Drawn(rng, rows, counts[0], stages[0]), stages[0])]

    def forward(self, count: int):
        """Run the first stages, and feed the one behind them."""
        y = None
        for at, stage in enumerate(self.stages[:count]):
            rows = self.rows * self.counts[at]
            y = stage.run(FORWARD, self.sources[at], rows, self.feeds[at])
            if at + 1 < len(self.stages):
                behind = self.stages[at + 1]
                self.feeds.append(Fed(y.reshape(self.rows * self.counts[at + 1], -1), behind))
        return y.reshape(self.rows, -1)


class _Probe:
    """A law that counts the entries it is asked for."""

    mean, std, gradient = 0.0, 1.0, Gradient()

    def __init__(self) -> None:
        self.asked = self.gradients = 0

    def sample(self, rng, shape):
        self.asked += math.prod(shape[1:])
        return _generator().standard_normal(shape)

    def incoming(self, rng, shape, x=None):
        self.gradients += math.prod(shape[1:])
        return _generator().standard_normal(shape)


def _generator():
    import numpy as np

    return np.random.default_rng(0)


def _quiet():
    import numpy as np

    return np.errstate(all="ignore")
