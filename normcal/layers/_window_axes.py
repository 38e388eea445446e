"""The windows of a pooling or convolution along one dimension: on a ring, on a padded map, or adaptive.

An axis has a ``side`` (positions), ``outputs`` (windows), ``most`` (entries of the largest window),
``counts`` (how many windows have how many entries) and, for simulation, ``taps`` and ``divisors``.
"""

from __future__ import annotations

import collections
import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from normcal.errors import RequestError

#: Windows at a border are looked at one by one; no network has more.
MOST_AT_BORDERS = 100_000


@dataclass(frozen=True)
class Ring:
    """Windows on a ring just large enough that none meets itself or another one on both sides: interior ones."""

    kernel: int
    stride: int
    dilation: int = 1
    #: A side that is larger than it need be, for layers around it.
    given: int = 0

    @property
    def span(self) -> int:
        return self.dilation * (self.kernel - 1) + 1

    @property
    def apart(self) -> bool:
        """Whether no entry lies in two windows, as far as that is easily told."""
        return self.stride >= self.span

    @property
    def side(self) -> int:
        least = self.span if self.stride >= self.span else 2 * self.span - 1
        return self.given or math.ceil(least / self.stride) * self.stride

    @property
    def outputs(self) -> int:
        return self.side // self.stride

    @property
    def most(self) -> int:
        return self.kernel

    @property
    def counts(self) -> dict[tuple[int, int], int]:
        """How many windows there are of each (entries, entries that count with the padding)."""
        return {(self.kernel, self.kernel): self.outputs}

    def taps(self):
        """Return the positions of each window: (outputs, most)."""
        import numpy as np

        starts = np.arange(0, self.side, self.stride)[:, None]
        return (starts + np.arange(self.kernel) * self.dilation) % self.side

    def divisors(self):
        """Return what each window's entries count with the padding: (outputs,)."""
        import numpy as np

        return np.full(self.outputs, self.kernel)


def common(rings: Sequence[Ring]) -> list[int]:
    """Return the sides of the rings on which windows of windows lie as on a line, each ring the outputs of the last.

    What an entry of the last output sees, and what sees that, meets itself on none of them.

    >>> common([Ring(3, 1), Ring(2, 2)])
    [8, 8]
    """
    seen, step, outputs = 1, 1, 1
    for ring in reversed(rings):
        seen, step = (seen - 1) * ring.stride + ring.span, step * ring.stride
        least = seen if step >= seen else 2 * seen - 1
        outputs = max(outputs, -(-least // step))
    sides = []
    for ring in reversed(rings):
        outputs *= ring.stride
        sides.append(outputs)
    return sides[::-1]


@dataclass(frozen=True)
class Strip:
    """Sliding windows on a map of ``length`` entries with padding on both sides, as PyTorch places them.

    With ``ceil`` a last window may reach beyond the padding, but none starts in the padding on the
    right; what lies beyond the padding counts for nothing.

    >>> Strip(length=6, kernel=3, stride=2, padding=1, ceil=True).counts == {(2, 3): 1, (3, 3): 2, (1, 2): 1}
    True
    """

    length: int
    kernel: int
    stride: int
    padding: int = 0
    dilation: int = 1
    ceil: bool = False

    @property
    def span(self) -> int:
        return self.dilation * (self.kernel - 1) + 1

    @property
    def apart(self) -> bool:
        """Whether no entry lies in two windows, as far as that is easily told."""
        return self.stride >= self.span

    @property
    def side(self) -> int:
        return self.length

    @property
    def outputs(self) -> int:
        room = self.length + 2 * self.padding - self.span
        count = (room + (self.stride - 1 if self.ceil else 0)) // self.stride + 1
        if self.ceil and (count - 1) * self.stride >= self.length + self.padding:
            count -= 1
        return max(count, 0)

    @property
    def most(self) -> int:
        return self.kernel

    @property
    def counts(self) -> dict[tuple[int, int], int]:
        """How many windows there are of each (entries, entries that count with the padding)."""
        return _counted(self)

    def check(self, layer: str) -> None:
        """Refuse a map that holds no window, a window of padding alone, and more borders than can be counted."""
        padded = self.length + 2 * self.padding
        if not self.outputs:
            dilated = f" and dilation {self.dilation}" if self.dilation > 1 else ""
            around = f" padded to {padded}" if self.padding else ""
            raise RequestError(
                f"{layer}: windows of kernel_size {self.kernel}{dilated} span {self.span} entries; "
                f"input_size {self.length}{around} is too small.",
                "Accepted: an input_size that holds a window.",
            )
        first, last = self._interior()
        if self.outputs - max(last - first + 1, 0) > MOST_AT_BORDERS:
            raise RequestError(
                f"{layer}: more than {MOST_AT_BORDERS:_} windows meet a border of the map.",
                "Accepted: a smaller kernel_size, or no input_size for the interior alone.",
            )
        if any(entries == 0 for entries, _ in self.counts):
            raise RequestError(
                f"{layer}: with dilation {self.dilation} on input_size {self.length} a window meets padding alone.",
                "Accepted: a larger input_size.",
            )

    def _interior(self) -> tuple[int, int]:
        """Return the first and the last window that lie on the map; the last comes before the first where none does."""
        first = min(-(-self.padding // self.stride), self.outputs)
        last = min((self.length - self.span + self.padding) // self.stride, self.outputs - 1)
        return first, max(last, first - 1)

    def _sizes(self, window: int) -> tuple[int, int]:
        start = window * self.stride - self.padding
        before = max(-(start // self.dilation), 0)  # taps left of the map
        within = min((self.length - 1 - start) // self.dilation + 1, self.kernel)
        padded = min((self.length + self.padding - 1 - start) // self.dilation + 1, self.kernel)
        return max(within - before, 0), padded

    def taps(self):
        """Return the positions of each window, -1 where it meets none: (outputs, most)."""
        import numpy as np

        starts = np.arange(self.outputs)[:, None] * self.stride - self.padding
        places = starts + np.arange(self.kernel) * self.dilation
        return np.where((places >= 0) & (places < self.length), places, -1)

    def divisors(self):
        """Return what each window's entries count with the padding: (outputs,)."""
        import numpy as np

        starts = np.arange(self.outputs)[:, None] * self.stride - self.padding
        return (starts + np.arange(self.kernel) * self.dilation < self.length + self.padding).sum(axis=1)


@functools.lru_cache(maxsize=64)  # a map has the same axis several times, and every moment asks for it
def _counted(strip: Strip) -> dict[tuple[int, int], int]:
    first, last = strip._interior()
    found = collections.Counter(map(strip._sizes, range(first)))
    if last >= first:
        found[strip.kernel, strip.kernel] += last - first + 1
    found.update(map(strip._sizes, range(max(last + 1, first), strip.outputs)))
    return dict(found)


@dataclass(frozen=True)
class Parts:
    """The windows of adaptive pooling: window i of o covers floor(i L/o) to ceil((i + 1) L/o) of L entries.

    >>> Parts(7, 3).counts
    {(3, 3): 3}
    >>> Parts(7, 3).taps().tolist()
    [[0, 1, 2], [2, 3, 4], [4, 5, 6]]
    """

    length: int
    outputs: int

    @property
    def apart(self) -> bool:
        """Whether no entry lies in two windows."""
        return self.length % self.outputs == 0

    @property
    def side(self) -> int:
        return self.length

    @property
    def most(self) -> int:
        return max(entries for entries, _ in self.counts)

    @property
    def counts(self) -> dict[tuple[int, int], int]:
        """How many windows there are of each (entries, entries).

        With L = q o + r, window i has q + 1 entries where i r mod o is at most o - r, else q + 2; i r mod o
        takes each multiple of gcd(r, o) as often as that is.
        """
        whole, rest = divmod(self.length, self.outputs)
        if not rest:
            return {(whole, whole): self.outputs}
        larger = rest - math.gcd(rest, self.outputs)
        sizes = {whole + 1: self.outputs - larger, whole + 2: larger}
        return {(size, size): many for size, many in sizes.items() if many}

    def _bounds(self):
        for i in range(self.outputs):
            yield i * self.length // self.outputs, -(-(i + 1) * self.length // self.outputs)

    def taps(self):
        """Return the positions of each window, -1 where it has fewer than the largest: (outputs, most)."""
        import numpy as np

        starts, ends = np.array(list(self._bounds())).T[:, :, None]
        places = starts + np.arange(self.most)
        return np.where(places < ends, places, -1)

    def divisors(self):
        """Return how many entries each window has: (outputs,)."""
        return (self.taps() >= 0).sum(axis=1)
