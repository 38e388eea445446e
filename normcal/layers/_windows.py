"""Windows in one to three dimensions, sliding or adaptive: shared by pooling and convolution.

Without the size of the map, simulations run on a torus just large enough that no window meets
itself, so that every position is an interior one; with it, on the map and its borders.
"""

from __future__ import annotations

import collections
import functools
import itertools
import math
from fractions import Fraction

from normcal.errors import RequestError, Unsupported
from normcal.layer import Param
from normcal.layers._window_axes import Parts, Ring, Strip

#: Sides of windows and maps, and the entries that they may have together.
MOST_SIDE, MOST_ENTRIES = 100_000_000, 1_000_000_000_000
#: Numbers that one simulated draw may take: above this a block no longer fits a modest memory.
MOST_SIMULATED = 1_000_000
#: Sizes of windows that a mixture may have, and pairs of them that are put together on the way.
MOST_SIZES, MOST_PAIRS = 2_000, 1_000_000

KERNEL = Param(
    "kernel_size", 3, f"1..{MOST_SIDE}", "side of the window, or one a dimension", typical=(2, 3, 5), shape=True
)
STRIDE = Param("stride", None, f"1..{MOST_SIDE}", "step of the window, or one a dimension", typical=(1, 2), shape=True)
NDIM = Param("ndim", 2, "1..3", "number of spatial dimensions", typical=(1, 2, 3))


class Flag(Param):
    """A parameter of the words true and false; yes, no and capitals are understood."""

    def accept(self, value, layer: str):
        if isinstance(value, str):
            value = {"yes": "true", "no": "false"}.get(value.lower(), value.lower())
        return super().accept(value, layer)


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
    """Refuse windows that no network has."""
    if entries > MOST_ENTRIES:
        raise RequestError(
            f"{layer}: {name} makes {entries:.3g} entries.", f"Accepted: at most {MOST_ENTRIES:_} entries."
        )


class Grid:
    """The windows of several dimensions: the product of those along each axis, in row-major order."""

    def __init__(self, axes: tuple[Ring | Strip | Parts, ...]) -> None:
        self.axes = axes

    @functools.cached_property
    def positions(self) -> int:
        return math.prod(axis.side for axis in self.axes)

    @functools.cached_property
    def windows(self) -> int:
        return math.prod(axis.outputs for axis in self.axes)

    @functools.cached_property
    def entries(self) -> int:
        """How many entries the largest window may have."""
        return math.prod(axis.most for axis in self.axes)

    @property
    def density(self) -> Fraction:
        """How many windows there are for each position."""
        return Fraction(self.windows, self.positions)

    @functools.cached_property
    def sizes(self) -> dict[tuple[int, int], Fraction]:
        """The share of the windows that have so many (entries, entries that count with the padding).

        >>> Grid((Strip(4, kernel=3, stride=1, padding=1),)).sizes
        {(2, 3): Fraction(1, 2), (3, 3): Fraction(1, 2)}
        """
        found = {(1, 1): 1}
        for axis in self.axes:
            counts = axis.counts
            if len(found) * len(counts) > MOST_PAIRS:
                raise Unsupported("the windows have too many different sizes")
            product = collections.Counter()
            for ((a, b), many), ((c, d), times) in itertools.product(found.items(), counts.items()):
                product[a * c, b * d] += many * times
            found = product
        if len(found) > MOST_SIZES:
            raise Unsupported(f"the windows have {len(found):_} different sizes, more than {MOST_SIZES:_}")
        return {size: Fraction(many, self.windows) for size, many in sorted(found.items())}

    def check_simulable(self, per_entry: int = 1) -> None:
        """Raise Unsupported where one draw would take more numbers than a block holds."""
        cost = max(self.positions, self.windows * self.entries) * per_entry
        if cost > MOST_SIMULATED:
            raise Unsupported(f"one simulated draw would take {cost:.2g} numbers, more than {MOST_SIMULATED:_}")

    @functools.cached_property
    def index(self):
        """Integers (windows, entries): each window's flat positions, ``positions`` itself where it has no entry."""
        import numpy as np

        flat, there = np.zeros((1, 1), int), np.ones((1, 1), bool)
        for axis in self.axes:
            taps = axis.taps()
            shape = (len(flat) * len(taps), flat.shape[1] * taps.shape[1])
            flat = (flat[:, None, :, None] * axis.side + taps[:, None, :]).reshape(shape)
            there = (there[:, None, :, None] & (taps >= 0)[:, None, :]).reshape(shape)
        return np.where(there, flat, self.positions)

    @functools.cached_property
    def divisors(self):
        """What each window's entries count with the padding: (windows,)."""
        import numpy as np

        return functools.reduce(np.outer, (axis.divisors() for axis in self.axes), np.ones(1)).ravel()

    def gather(self, x, fill: float):
        """Return the entries of every window, ``fill`` where it has none: (rows, windows, entries)."""
        import numpy as np

        if self._whole:
            return x[:, self.index]
        return np.concatenate([x, np.full((len(x), 1), fill)], axis=1)[:, self.index]

    def scatter(self, contributions):
        """Add up what each window passes to each of its entries: (rows, positions)."""
        import numpy as np

        rows = len(contributions)
        full = np.broadcast_to(contributions, (rows, *self.index.shape)).reshape(rows, -1)
        if self._tiles:
            total = np.empty((rows, self.positions))
            total[:, self.index.ravel()] = full
            return total
        total = np.zeros((self.positions + 1, rows))
        np.add.at(total, self.index.ravel(), full.T)
        return total[:-1].T

    @functools.cached_property
    def _whole(self) -> bool:
        """Whether every window has all its entries."""
        return bool((self.index < self.positions).all())

    @functools.cached_property
    def _tiles(self) -> bool:
        """Whether every position lies in exactly one window."""
        import numpy as np

        met = np.bincount(self.index.ravel(), minlength=self.positions)
        return len(met) == self.positions and bool((met == 1).all())


class Windows(Grid):
    """Windows of a kernel and stride on a torus; ``index`` holds each window's flat positions.

    >>> Windows((3,), (2,)).index.tolist()
    [[0, 1, 2], [2, 3, 4], [4, 5, 0]]
    """

    def __init__(self, kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...] = ()) -> None:
        self.kernel, self.stride = kernel, stride
        super().__init__(tuple(map(Ring, kernel, stride, dilation or (1,) * len(kernel))))

    @property
    def torus(self) -> tuple[int, ...]:
        return tuple(axis.side for axis in self.axes)
