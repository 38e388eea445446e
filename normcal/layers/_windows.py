"""Sliding windows in one to three dimensions: shared by pooling and convolution.

Simulations run on a torus just large enough that no window meets itself, so that every
position is an interior one.
"""

from __future__ import annotations

import functools
import itertools
import math
from dataclasses import dataclass

from normcal.errors import RequestError, Unsupported
from normcal.layer import Param

MOST_ENTRIES = 100_000_000
#: Numbers that one simulated draw may take: above this a block no longer fits a modest memory.
MOST_SIMULATED = 1_000_000

KERNEL = Param(
    "kernel_size", 3, f"1..{MOST_ENTRIES}", "side of the window, or one a dimension", typical=(2, 3, 5), shape=True
)
STRIDE = Param(
    "stride", None, f"1..{MOST_ENTRIES}", "step of the window, or one a dimension", typical=(1, 2), shape=True
)
NDIM = Param("ndim", 2, "1..3", "number of spatial dimensions", typical=(1, 2, 3))


def per_dimension(layer: str, name: str, value, ndim: int) -> tuple[int, ...]:
    """Repeat a scalar in every dimension; refuse a tuple of another length."""
    if not isinstance(value, tuple):
        return (value,) * ndim
    if len(value) != ndim:
        raise RequestError(
            f"{layer}: {name} has {len(value)} entries for ndim={ndim}.",
            f"Accepted: one whole number, or {ndim} of them.",
        )
    return value


def check_size(layer: str, name: str, entries: int) -> None:
    """Refuse windows that no network has and no simulation could hold."""
    if entries > MOST_ENTRIES:
        raise RequestError(
            f"{layer}: {name} makes a window of {entries:.3g} entries.", f"Accepted: at most {MOST_ENTRIES:_} entries."
        )


@dataclass(frozen=True)
class Windows:
    """Windows of a kernel and stride on a torus; ``index`` holds each window's flat positions."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]

    @functools.cached_property
    def torus(self) -> tuple[int, ...]:
        sides = []
        for k, s in zip(self.kernel, self.stride, strict=True):
            least = k if s >= k else 2 * k - 1
            sides.append(math.ceil(least / s) * s)
        return tuple(sides)

    @property
    def positions(self) -> int:
        return math.prod(self.torus)

    @property
    def windows(self) -> int:
        return math.prod(side // s for side, s in zip(self.torus, self.stride, strict=True))

    @property
    def entries(self) -> int:
        return math.prod(self.kernel)

    def check_simulable(self, per_entry: int = 1) -> None:
        """Raise Unsupported where one draw would take more numbers than a block holds."""
        cost = max(self.positions, self.windows * self.entries) * per_entry
        if cost > MOST_SIMULATED:
            raise Unsupported(f"one simulated draw would take {cost:.2g} numbers, more than {MOST_SIMULATED:_}")

    @functools.cached_property
    def index(self):
        """Return an integer array (windows, entries) of flat positions on the torus."""
        import numpy as np

        axes = []
        for side, k, s in zip(self.torus, self.kernel, self.stride, strict=True):
            axes.append((np.arange(0, side, s)[:, None] + np.arange(k)[None, :]) % side)
        strides = [math.prod(self.torus[i + 1 :]) for i in range(len(self.torus))]
        rows = []
        for starts in itertools.product(*(range(len(axis)) for axis in axes)):
            grid = np.zeros((1,), int)
            for axis, start, step in zip(axes, starts, strides, strict=True):
                grid = (grid[:, None] + axis[start] * step).ravel()
            rows.append(grid)
        return np.array(rows)
