"""Pieces of the line with what is known of a function on each, as arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from normcal.numerics.discs import Disc


@dataclass
class Pieces:
    """Pieces of the line, a row of arrays each."""

    left: np.ndarray
    right: np.ndarray
    known: np.ndarray  # outcomes of conditions, a row each
    level: np.ndarray
    value: np.ndarray
    slope: np.ndarray
    bound: np.ndarray  # of the slope on the disc
    height: np.ndarray  # of the value on the disc
    mass: np.ndarray
    closed: np.ndarray  # not to be cut any more
    dead: np.ndarray  # the function is infinite or no number there
    open: np.ndarray  # a condition may have either outcome there

    @classmethod
    def fresh(cls, left, right, conditions: int) -> Pieces:
        size = len(left)
        nothing = np.zeros(size)
        return cls(left, right, np.full((conditions, size), np.nan), nothing.copy(),
                   *(nothing.copy() for _ in range(5)), *(np.zeros(size, bool) for _ in range(3)))  # fmt: skip

    def __len__(self) -> int:
        return len(self.left)

    @property
    def centre(self) -> np.ndarray:
        """A point near the middle, at which nothing of note happens by design."""
        return self.left + 0.4863 * (self.right - self.left)

    @property
    def reach(self) -> np.ndarray:
        """The radius of a disc about the centre that reaches twice as far as the piece."""
        return 1.0274 * (self.right - self.left)

    @property
    def width(self) -> np.ndarray:
        return self.right - self.left

    def see(self, value: Disc, slope: Disc, mass: np.ndarray) -> None:
        """Note what a run says."""
        self.value, self.slope, self.mass = value.mid, slope.mid, mass
        self.bound, self.height = slope.upper, value.upper
        self.dead, self.open = ~np.isfinite(value.mid) | np.isnan(slope.mid), np.zeros(len(self), bool)

    def of(self, which) -> Pieces:
        return Pieces(*(getattr(self, name)[..., which] for name in _NAMES))

    def and_more(self, other: Pieces) -> Pieces:
        if not len(other):
            return self
        return Pieces(*(np.concatenate([getattr(self, n), getattr(other, n)], axis=-1) for n in _NAMES))

    def split(self, share: float) -> Pieces:
        middle = self.left + share * self.width
        left, right = self.of(slice(None)), self.of(slice(None))
        left.right, right.left = middle, middle
        both = left.and_more(right) if len(self) else left
        both.level = both.level + 1
        return both


_NAMES = tuple(Pieces.__dataclass_fields__)
