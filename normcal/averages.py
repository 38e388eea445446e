r"""Moments of elementwise layers over recorded values, in one pass.

What the layer draws itself, and the incoming gradient, is averaged by its first two moments rather than drawn: of
:math:`a + b\,\xi` with :math:`\xi` of mean 0 and variance 1, the two entries a + b and a - b have the same mean and
mean square. So a row of the statistics is a recorded value, and their scatter is the standard error.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from normcal.errors import Unsupported
from normcal.law import Law
from normcal.layer import FORWARD, Elementwise, Layer

if TYPE_CHECKING:
    import numpy as np

    from normcal.numerics.moments import Moments

#: Values that are in work at once, and values that are resampled at once.
_PIECE, _ROWS = 16_384, 1024
#: How finely the number of times that a resampling takes a value is drawn.
_STEPS = 65_536


def entries(layer: Layer, direction: str, law: Law) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function that makes of values (rows, 1) the entries (rows, k) whose moments are the layer's.

    Raises Unsupported for a layer that is no function of one entry.
    """
    if not isinstance(layer, Elementwise) or not layer.any_law or type(layer).f is Elementwise.f:
        raise Unsupported("it is no function of one entry")
    from normcal.numerics.arrays import ARRAYS
    from normcal.numerics.duals import Duals

    functions = [layer.around(f) for f in layer.branches()]
    noise = layer.around(layer.noise, constant=False) if layer.noise else None
    if direction == FORWARD:
        return lambda x: _side_by_side([_full(f(x, ARRAYS), x) for f in functions], noise and noise(x, ARRAYS))
    derivative, gradient = Duals(ARRAYS).derivative, law.gradient
    slope = layer.slope and layer.around(layer.slope, constant=False, factor=layer.input_scale)
    rest = gradient.own_std

    def backward(x):
        slopes = [slope(x, ARRAYS)] if slope else [derivative(f, x) for f in functions]
        slopes = [_full(s, x) for s in slopes]
        wobble = derivative(noise, x) if noise else 0.0
        a = gradient.mean
        if gradient.correlation:
            a = a + (x - law.mean) * (gradient.correlation * gradient.std / law.std)
        along = sum(slopes) * a
        across = sum(s * s for s in slopes) * rest**2 + wobble * wobble * (a * a + rest**2)
        return _side_by_side([along], across**0.5)

    return backward


def kinks_of(layer: Layer) -> tuple[float, ...]:
    """Return the entries at which the derivative that the backward pass uses jumps."""
    if not isinstance(layer, Elementwise) or layer.slope is not None:
        return ()
    try:
        kinks = [float(getattr(k, "mid", k)) for k in layer.kinks]
    except Unsupported:
        return ()
    return tuple((k - layer.input_shift) / layer.input_scale for k in kinks)


def _full(values, x):
    import numpy as np

    return np.broadcast_to(values, x.shape)


def _side_by_side(parts: Sequence, spread):
    import numpy as np

    if spread is not None:
        parts = [part + side * spread for part in parts for side in (1.0, -1.0)]
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)


def averaged(values: Iterator, of: Callable, seen: Callable[[Moments], None], resampling: Resampling | None) -> None:
    """Take the moments of ``of`` over blocks of values, and show them after each."""
    import numpy as np

    from normcal.numerics.moments import Moments

    total = None
    for block in values:
        for start in range(0, len(block), _PIECE):
            with np.errstate(all="ignore"):
                y = of(block[start : start + _PIECE, None])
                found = Moments.of(y)
                total = found if total is None else total.merge(found)
                if resampling is not None:
                    resampling.add(y)
        seen(total)


class Resampling:
    """The bootstrap in one pass: each replicate takes each value a Poisson number of times, with mean 1."""

    def __init__(self, replicates: int, seed: int) -> None:
        import numpy as np

        self.rng = np.random.Generator(np.random.SFC64(np.random.SeedSequence(seed)))
        self.sums = np.zeros((3, replicates))
        self.shift: float | None = None
        self.unit = 1.0
        share = np.cumsum([math.exp(-1.0) / math.factorial(k) for k in range(12)])
        self.times = np.searchsorted(share, (np.arange(_STEPS) + 0.5) / _STEPS).astype(np.float32)

    def add(self, y) -> None:
        """Add the entries of some values."""
        import numpy as np

        if self.shift is None:
            self.shift, self.unit = float(y.mean()), float(y.std()) or 1.0
        off = (y - self.shift) / self.unit
        columns = np.stack([np.ones(len(y)), off.mean(axis=1), (off * off).mean(axis=1)]).astype(np.float32)
        for start in range(0, len(y), _ROWS):
            part = columns[:, start : start + _ROWS]
            drawn = self.rng.integers(0, _STEPS, (part.shape[1], self.sums.shape[1]), dtype=np.uint16)
            self.sums += part @ self.times[drawn]

    def errors(self) -> tuple[float, float, float]:
        """Return the standard errors of mean, std and rms: how far the replicates scatter."""
        import numpy as np

        count, a, b = self.sums
        a, b = a / count, b / count
        mean, std = self.shift + self.unit * a, self.unit * np.sqrt(np.maximum(b - a * a, 0.0))
        return tuple(float(np.std(x, ddof=1)) for x in (mean, std, np.hypot(mean, std)))
