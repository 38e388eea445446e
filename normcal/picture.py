"""What a picture shows, before anybody draws it: panels of lines with gaps where there is nothing to draw."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

#: Lines that can be told apart: a canvas has a colour, a line and a marker for each.
MOST_LINES = 6
#: Part of the height beside which an error can be seen.
VISIBLE = 0.004
_MARGIN = 0.05
#: Nothing is drawn farther out, nor, on a logarithmic scale, closer to 0.
_FAR = 1e305
#: Decades between two ticks.
_EVERY = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500)


@dataclass(frozen=True)
class Piece:
    """Points that are joined; ``low`` and ``high`` are as far as their errors reach."""

    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()


@dataclass(frozen=True)
class Line:
    """One thing that is drawn, in the style of its number: pieces, with nothing between them."""

    label: str
    style: int
    pieces: tuple[Piece, ...] = ()
    #: Points whose error is not known, or as large as they are: neither joined nor trusted.
    loose: tuple[tuple[float, float], ...] = ()
    #: The ends of a jump: whether the function takes the value there.
    ends: tuple[tuple[float, float, bool], ...] = ()


@dataclass(frozen=True)
class Scale:
    """An axis of a panel: what is along it, from where to where."""

    label: str
    low: float
    high: float
    log: bool = False

    def place(self, value: float) -> float:
        """Return where a value lies, 0 at the lower end and 1 at the upper one; outside where it is not a number."""
        if self.log:
            if not value > 0.0:
                return -math.inf
            return (math.log(value) - math.log(self.low)) / (math.log(self.high) - math.log(self.low))
        return (value - self.low) / (self.high - self.low)

    def ticks(self, most: int) -> list[tuple[float, str]]:
        """Return round values within the scale, at most so many, and their texts.

        >>> [text for _, text in Scale("x", -4.0, 4.0).ticks(5)]
        ['-4', '-2', '0', '2', '4']
        >>> [text for _, text in Scale("x", 0.01, 100.0, log=True).ticks(5)]
        ['0.01', '0.1', '1', '10', '100']
        """
        values = _decades(self.low, self.high, most) if self.log else _steps(self.low, self.high, most)
        return [(value, f"{value:.6g}") for value in values]


@dataclass(frozen=True)
class Panel:
    """Lines over one pair of axes."""

    x: Scale
    y: Scale
    lines: tuple[Line, ...]

    def marked(self, line: Line, count: int) -> list[tuple[float, float]]:
        """Return where a line carries its marker: evenly along x, beside the places of the other lines."""
        points = [
            (x, y) for piece in line.pieces for x, y in zip(piece.x, piece.y, strict=True)
            if 0.0 <= self.y.place(y) <= 1.0
        ]  # fmt: skip
        wanted = [(k + 0.1 + line.style / MOST_LINES) / count for k in range(count)] if points else []
        return list(dict.fromkeys(min(points, key=lambda p, at=at: abs(self.x.place(p[0]) - at)) for at in wanted))

    @property
    def uncertain(self) -> bool:
        """Whether an error can be seen."""
        return any(
            abs(self.y.place(high) - self.y.place(low)) > VISIBLE
            for line in self.lines for piece in line.pieces for low, high in zip(piece.low, piece.high, strict=True)
        )  # fmt: skip

    @property
    def loose(self) -> bool:
        """Whether there are points that are not to be trusted."""
        return any(line.loose for line in self.lines)


@dataclass(frozen=True)
class Picture:
    """Panels with one legend, and what must be said of them."""

    panels: tuple[Panel, ...]
    labels: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def captions(self) -> tuple[str, ...]:
        """The sentences that explain what is drawn, and what is not."""
        said = []
        if any(panel.uncertain for panel in self.panels):
            said.append("Shaded or barred: the stated error, a bound or one standard error.")
        if any(panel.loose for panel in self.panels):
            said.append("Open markers that no line joins: no error of these values could be stated.")
        return (*said, *self.notes)


def linear(label: str, values: Iterable[float]) -> Scale:
    """Return the scale that holds values with a margin; a single value gets room around it."""
    low, high = _ends(values)
    room = (high - low) * _MARGIN or abs(low) * 0.1 or 1.0
    return Scale(label, low - room, high + room)


def logarithmic(label: str, values: Iterable[float]) -> Scale:
    """Return the logarithmic scale that holds positive values with a margin."""
    low, high = _ends(value for value in values if value > 0.0)
    room = math.exp(_MARGIN * (math.log(high) - math.log(low))) if high > low else 2.0
    return Scale(label, max(low / room, 1.0 / _FAR), min(high * room, _FAR), log=True)


def _ends(values: Iterable[float]) -> tuple[float, float]:
    found = [min(max(value, -_FAR), _FAR) for value in values if math.isfinite(value)]
    return (min(found), max(found)) if found else (1.0, 1.0)


def _steps(low: float, high: float, most: int) -> list[float]:
    """Return the multiples of 1, 2 or 5 times a power of ten that lie within."""
    rough = (high - low) / max(most, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    for step in (power, 2 * power, 5 * power, 10 * power, 20 * power):
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first < most:
            return [float(f"{k * step:.12g}") + 0.0 for k in range(first, last + 1)]
    return []


def _decades(low: float, high: float, most: int) -> list[float]:
    """Return 1, 2 and 5 times the powers of ten within, or only powers, or every so many of them."""
    ends = math.floor(math.log10(low)), min(math.ceil(math.log10(high)), 307)
    dense = [factor * 10.0**k for k in range(ends[0], ends[1] + 1) for factor in (1, 2, 5)]
    for values in (dense, *(list(_powers(*ends, every)) for every in _EVERY)):
        within = [value for value in values if low * (1 - 1e-9) <= value <= high * (1 + 1e-9)]
        if len(within) <= most:
            return within
    return []


def _powers(first: int, last: int, every: int) -> Iterator[float]:
    return (10.0**k for k in range(first, last + 1) if k % every == 0)
