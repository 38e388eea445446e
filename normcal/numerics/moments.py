r"""Streaming moments of clustered samples, merged without loss of digits.

A simulated row is one independent draw of a whole layer; its entries may depend on each
other. Per row, with a shift c near the mean, :math:`a = \overline{y - c}` and
:math:`b = \overline{(y - c)^2}`. The means and the covariance of (a, b) over rows give mean
and std of y with standard errors that allow for the dependence (delta method). Blocks carry
their own shift and are merged pairwise as in Chan, Golub & LeVeque 1983.
"""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass

import numpy as np

from normcal.numerics.buffers import reused

#: A shift that is this small in units of the std costs no digits, so none is subtracted.
_NEAR = 2.0
#: Rows that tell where the mean is.
_FEW = 512
#: Products are summed in rows of as many: short enough that no BLAS takes threads of its own to it.
_ROW = 2048


class Errors:
    """Standard errors by the delta method, for whoever knows that of a linear combination of the means of (a, b)."""

    @property
    def pooled(self) -> Moments:
        """The moments that the errors are of."""
        raise NotImplementedError

    def error(self, of_a: float, of_b: float) -> float:
        """Return the standard error of ``of_a * mean(a) + of_b * mean(b)``, about the pooled shift."""
        raise NotImplementedError

    @property
    def mean_error(self) -> float:
        return self.error(1.0, 0.0)

    @property
    def std_error(self) -> float:
        if self.pooled.std == 0.0:
            return 0.0
        # the second term is of higher order, and all there is when b is constant, as for a fair coin
        return math.hypot(self.error(-2.0 * self.pooled.a, 1.0), self.mean_error**2) / (2.0 * self.pooled.std)

    @property
    def rms_error(self) -> float:
        if self.pooled.rms == 0.0:
            return 0.0
        return self.error(2.0 * self.pooled.shift, 1.0) / (2.0 * self.pooled.rms)


@dataclass(frozen=True)
class Moments(Errors):
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
        sums = Sums()
        sums.add(y)
        return sums.moments()

    def data(self) -> list:
        """Return it as JSON holds it; ``Moments(*data)`` is the same again."""
        return list(astuple(self))

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

    @property
    def pooled(self) -> Moments:
        return self

    def error(self, of_a: float, of_b: float) -> float:
        if self.rows < 2:
            return math.nan
        spread = of_a * of_a * self.aa + 2.0 * of_a * of_b * self.ab + of_b * of_b * self.bb
        return math.sqrt(max(spread, 0.0) / (self.rows - 1) / self.rows)

    @property
    def informative(self) -> float:
        """How many rows carry the variance: the participation ratio (sum b)^2 / sum b^2.

        When a handful of rows do, neither the variance nor its standard error means much.
        """
        about = self.shifted(self.mean)
        sum_b2 = about.bb + self.rows * about.b * about.b
        return self.rows * self.rows * about.b * about.b / sum_b2 if sum_b2 > 0.0 else 0.0


class Sums:
    """Power sums about a shift, of arrays that come piece by piece; ``moments`` are theirs together."""

    def __init__(self) -> None:
        self.rows = 0
        self.shift: float | None = None
        #: What is taken off a and b in the sums: of rows of many entries they may scatter far less than the entries do.
        self.base = 0.0, 0.0
        self.sums = [0.0] * 5

    def add(self, y: np.ndarray) -> None:
        """Add an array (rows, entries) in one pass; the array is left as it is."""
        rows, entries = y.shape
        first = self.shift is None
        if first:
            self.shift = _shift(y)
        off = y if self.shift == 0.0 else np.subtract(y, self.shift, out=reused("off", y.shape))
        b = np.multiply(off, off, out=reused("square", y.shape))
        if entries == 1:
            a, b = off.reshape(rows), b.reshape(rows)
            sum_b = aa = _dot(a, a)
        else:
            a, b = off.mean(axis=1), b.mean(axis=1)
            if first:
                self.base = _middle(a), _middle(b)
            a, b = a - self.base[0], b - self.base[1]
            sum_b, aa = float(np.add.reduce(b)), _dot(a, a)
        found = float(np.add.reduce(a)), sum_b, aa, _dot(a, b), _dot(b, b)
        self.rows += rows
        self.sums = [old + new for old, new in zip(self.sums, found, strict=True)]

    def moments(self) -> Moments:
        """Return the moments of everything that was added."""
        n = self.rows
        a, b, aa, ab, bb = self.sums
        a, b = a / n, b / n
        squares = max(aa - n * a * a, 0.0), ab - n * a * b, max(bb - n * b * b, 0.0)
        return Moments(n, self.shift, self.base[0] + a, self.base[1] + b, *squares)


def _shift(y: np.ndarray) -> float:
    """Return a number near the mean: 0 where that is near enough, the value itself of a constant; a few rows tell."""
    few = y[:_FEW]
    mean, std = float(few.mean()), float(few.std())
    if std <= 1e-9 * abs(mean):
        return float(few[0, 0]) if few.min() == few.max() else mean
    return 0.0 if abs(mean) <= _NEAR * std else mean


def _middle(x: np.ndarray) -> float:
    """Return a number near the mean, the value itself of a constant; a few rows tell."""
    few = x[:_FEW]
    return float(few[0] if few.min() == few.max() else few.mean())


def _dot(x: np.ndarray, y: np.ndarray) -> float:
    """Sum the products of two vectors in one fixed order, on the calling thread."""
    if hasattr(np, "vecdot") and len(x) % _ROW == 0:
        return float(np.add.reduce(np.vecdot(x.reshape(-1, _ROW), y.reshape(-1, _ROW))))
    return float(np.einsum("i,i->", x, y))
