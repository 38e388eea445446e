"""How fast a law falls off: what decides which moments of a growing function exist."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Tail:
    r"""What the density is far out, with r = ``index``.

    It is 0 (``bounded``), below every :math:`e^{-c|x|}` (``normal``), like :math:`e^{-r|x|}` (``exponential``) or like
    :math:`|x|^{-r-1}` (``power``), on both sides.
    """

    kind: str
    index: float = math.inf

    def scaled(self, factor: float) -> Tail:
        """Return the tail of ``factor`` times the variable."""
        return Tail(self.kind, self.index / factor) if self.kind == "exponential" else self


BOUNDED, NORMAL = Tail("bounded"), Tail("normal")


def exponential(rate: float) -> Tail:
    return Tail("exponential", rate)


def power(index: float) -> Tail:
    return Tail("power", index)
