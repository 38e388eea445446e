r"""Streaming moments of clustered samples, merged without loss of digits.

A simulated row is one independent draw of a whole layer; its entries may depend on each
other. Per row, with a shift c near the mean, :math:`a = \overline{y - c}` and
:math:`b = \overline{(y - c)^2}`. The means and the covariance of (a, b) over rows give mean
and std of y with standard errors that allow for the dependence (delta method). Blocks carry
their own shift and are merged pairwise as in Chan, Golub & LeVeque 1983.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Moments:
    """Rows seen, the shift c, the means of (a, b) and their summed squared deviations."""

    rows: int
    shift: float
    a: float
    b: float
    aa: float
    ab: float
    bb: float

    @classmethod
    def of(cls, y: np.ndarray) -> Moments:
        """Return the moments of an array (rows, entries): rows are independent, entries need not be.

        >>> block = Moments.of(np.array([[1e6 + 1.0], [1e6 - 1.0]]))
        >>> block.mean, block.std
        (1000000.0, 1.0)
        """
        rows, entries = y.shape
        shift = float(y.mean())
        y = y - shift
        if entries == 1:
            a, b = y.ravel(), np.square(y).ravel()
        else:
            a, b = y.mean(axis=1), np.einsum("ij,ij->i", y, y) / entries
        # about the shift the means are so small that the sums need no second pass; einsum, unlike
        # a BLAS dot product, sums in one fixed order on the calling thread
        mean_a, mean_b = float(a.mean()), float(b.mean())
        aa, ab, bb = (float(np.einsum("i,i->", u, v)) for u, v in ((a, a), (a, b), (b, b)))
        return cls(
            rows, shift, mean_a, mean_b,
            max(aa - rows * mean_a * mean_a, 0.0), ab - rows * mean_a * mean_b, max(bb - rows * mean_b * mean_b, 0.0),
        )  # fmt: skip

    def shifted(self, shift: float) -> Moments:
        """Return the same moments about another shift: b gains 2da + d^2 with d the difference."""
        d = self.shift - shift
        ab = self.ab + 2.0 * d * self.aa
        bb = self.bb + 4.0 * d * self.ab + 4.0 * d * d * self.aa
        return Moments(self.rows, shift, self.a + d, self.b + 2.0 * d * self.a + d * d, self.aa, ab, bb)

    def merge(self, other: Moments) -> Moments:
        """Return the moments of both samples together."""
        rows = self.rows + other.rows
        part = other.rows / rows
        centre = self.shift + (other.shift - self.shift) * part
        mine, its = self.shifted(centre), other.shifted(centre)
        da, db, weight = its.a - mine.a, its.b - mine.b, self.rows * part
        return Moments(
            rows,
            centre,
            mine.a + da * part,
            mine.b + db * part,
            mine.aa + its.aa + da * da * weight,
            mine.ab + its.ab + da * db * weight,
            mine.bb + its.bb + db * db * weight,
        )

    @property
    def mean(self) -> float:
        return self.shift + self.a

    @property
    def std(self) -> float:
        return math.sqrt(max(self.b - self.a * self.a, 0.0))

    @property
    def rms(self) -> float:
        return math.hypot(self.mean, self.std)

    def _error(self, of_a: float, of_b: float) -> float:
        """Standard error of ``of_a * mean(a) + of_b * mean(b)``."""
        if self.rows < 2:
            return math.nan
        spread = of_a * of_a * self.aa + 2.0 * of_a * of_b * self.ab + of_b * of_b * self.bb
        return math.sqrt(max(spread, 0.0) / (self.rows - 1) / self.rows)

    @property
    def mean_error(self) -> float:
        return self._error(1.0, 0.0)

    @property
    def std_error(self) -> float:
        if self.std == 0.0:
            return 0.0
        # the second term is of higher order, and all there is when b is constant, as for a fair coin
        return math.hypot(self._error(-2.0 * self.a, 1.0), self.mean_error * self.mean_error) / (2.0 * self.std)

    @property
    def rms_error(self) -> float:
        return self._error(2.0 * self.shift, 1.0) / (2.0 * self.rms) if self.rms > 0.0 else 0.0

    @property
    def informative(self) -> float:
        """How many rows carry the variance: the participation ratio (sum b)^2 / sum b^2.

        When a handful of rows do, neither the variance nor its standard error means much.
        """
        sum_b2 = self.bb + self.rows * self.b * self.b
        return self.rows * self.rows * self.b * self.b / sum_b2 if sum_b2 > 0.0 else 0.0
