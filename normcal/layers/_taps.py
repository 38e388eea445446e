"""Where the taps of a convolution fall: a torus on which every position is an interior one."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Taps:
    """The taps of a kernel with stride and dilation; ``index`` holds the flat positions that each window sees.

    The torus is as small as leaves no window to meet itself. A transposed convolution writes where a
    convolution reads: its input entries are the windows, its output entries the positions.
    """

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    #: Sides that are larger than they need be, for layers around it.
    given: tuple[int, ...] = ()

    @functools.cached_property
    def torus(self) -> tuple[int, ...]:
        if self.given:
            return self.given
        extents = (d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True))
        return tuple(math.ceil(extent / s) * s for extent, s in zip(extents, self.stride, strict=True))

    @property
    def taps(self) -> int:
        return math.prod(self.kernel)

    @property
    def step(self) -> int:
        return math.prod(self.stride)

    @property
    def positions(self) -> int:
        return math.prod(self.torus)

    @property
    def windows(self) -> int:
        return self.positions // self.step

    def spread(self) -> Fraction:
        r"""Return the variance, over positions, of how many taps meet one: 0 where all meet alike.

        >>> Taps((3,), (2,), (1,)).spread()
        Fraction(1, 4)
        """
        square = Fraction(1)
        for k, s, d in zip(self.kernel, self.stride, self.dilation, strict=True):
            period = s // math.gcd(s, d)  # taps t and t + period fall on the same phase
            whole, rest = divmod(k, period)
            met = rest * (whole + 1) ** 2 + (period - rest) * whole**2
            square *= Fraction(met, s)  # the other phases meet none
        return square - Fraction(self.taps, self.step) ** 2

    @functools.cached_property
    def index(self):
        """Return an integer array (windows, taps) of flat positions."""
        import numpy as np

        found = np.zeros((1, 1), int)
        for side, k, s, d in zip(self.torus, self.kernel, self.stride, self.dilation, strict=True):
            axis = (np.arange(0, side, s)[:, None] + d * np.arange(k)[None, :]) % side
            found = (found[:, None, :, None] * side + axis[None, :, None, :]).reshape(
                len(found) * len(axis), found.shape[1] * k
            )
        return found
