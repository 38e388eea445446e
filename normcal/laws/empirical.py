"""The law of recorded values, read from a file."""

from __future__ import annotations

import os

from normcal.errors import RequestError, Unsupported, echo
from normcal.laws._base import Named
from normcal.param import ANYTHING, Param
from normcal.spec import Text, write
from normcal.tails import BOUNDED


class Empirical(Named):
    """Recorded values, each as likely as the others, taken as independent draws of what they were recorded from.

    Elementwise layers are averaged over all of them in one pass; other layers draw from them with replacement. Errors
    are standard errors; with ``bootstrap`` they come from as many resamplings of the values.
    """

    name = "empirical"
    params = (
        Param("file", None, ANYTHING, "a file of recorded values", accepts='a path in quotes, file="values.npy"'),
        Param("column", None, ANYTHING, "which column of a table", quiet=True, accepts="a name, or a number from 1"),
        Param(
            "bootstrap", 0, "0..10000", "resamplings that standard errors come from; 0 for the delta method", quiet=True
        ),
    )
    reads = True
    recorded = True
    tail = BOUNDED

    @classmethod
    def made(cls, args, params, **more):
        if args and isinstance(args[0], Text) and len(args) == 1 and "file" not in params:
            args, params = (), {"file": args[0]} | params
        return super().made(args, params, **more)

    @classmethod
    def accepted(cls):
        return 'empirical(file="values.npy"), and column=... for a table'

    def check(self):
        if not isinstance(self.file, str) or not self.file or "\0" in self.file:
            raise RequestError(f"empirical: file cannot be {echo(self.file)}.", 'Accepted: a path, file="values.npy".')
        self.file = Text(self.file)
        if not (self.column is None or (isinstance(self.column, (str, int)) and not isinstance(self.column, bool))):
            raise RequestError(f"empirical: column cannot be {echo(self.column)}.", "Accepted: a name, or a number.")
        if 0 < self.bootstrap < 20:
            raise RequestError(f"empirical: bootstrap cannot be {self.bootstrap}.", "Accepted: 0, or 20 to 10_000.")
        self._measure()
        self._place()

    def _measure(self):
        """Read the file once: how many values there are, their mean and std, and what tells them from others."""
        import hashlib

        import numpy as np

        from normcal import records
        from normcal.numerics.moments import Moments

        digest, total = hashlib.sha256(), None
        self.path = os.path.join(self.folder, self.file)
        for block in records.opened(self.file, self.column, self.folder).blocks():
            digest.update(block.data)
            with np.errstate(over="ignore", invalid="ignore"):  # a std that no double holds is told as infinite
                found = Moments.of(block[:, None])
                total = found if total is None else total.merge(found)
        self.count, self.digest = total.rows, digest.hexdigest()
        self.measured = total.mean, total.std
        self.stamp = records.stamp(self.path)

    def own(self):
        from normcal.numerics.balls import Ball

        return tuple(map(Ball, self.measured))

    def told(self):
        found = super().told()
        if not self.bootstrap:
            found.pop("bootstrap")
        return found

    def written(self):
        return write(self.name, self.told())

    def data(self):
        return super().data() | {"count": self.count, "digest": f"sha256:{self.digest}"}

    def __str__(self):
        return f"{super().__str__()}, {self.count:_} recorded values"

    @property
    def _key(self):
        return *super()._key, self.digest

    @property
    def reach(self):
        low, high = float("inf"), -float("inf")
        for block in self.blocks():
            low, high = min(low, float(block.min())), max(high, float(block.max()))
        return low, high

    def blocks(self):
        """Yield x in blocks."""
        for block in self._read():
            yield block * self.factor.mid + self.shift.mid if self.standardised == "yes" else block

    def _read(self):
        """Yield the values in blocks; those of a slow format are read once, and kept as doubles."""
        from normcal import records

        file = records.opened(self.file, self.column, self.folder)
        if file.quick:
            yield from file.blocks()
            return
        values = records.at_random(self.path, self.column, self.stamp)
        for start in range(0, len(values), records.BLOCK):
            yield values[start : start + records.BLOCK]

    def pulled(self, component, direction):
        raise Unsupported("recorded values have no density to integrate; their averages are taken")

    def draw(self, rng, shape):
        import numpy as np

        from normcal import records

        values = records.at_random(self.path, self.column, self.stamp)
        u = rng.random(shape)
        at = np.minimum((u * len(values)).astype(np.int64), len(values) - 1)
        return np.asarray(values[at], dtype=float)


LAW = Empirical
