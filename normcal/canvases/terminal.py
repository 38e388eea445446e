"""Pictures as characters, by plotext: as wide as the terminal, in colour where it has any."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterable
from typing import Any

from normcal.canvas import Canvas
from normcal.errors import RequestError
from normcal.picture import Line, Panel, Picture

#: Okabe and Ito's colours that show on a dark and on a light ground; each with a marker of its own.
STYLES = (
    ((86, 180, 233), "●"),
    ((230, 120, 20), "■"),
    ((0, 178, 120), "▲"),
    (None, "◆"),
    ((224, 130, 180), "▼"),
    ((210, 190, 50), "✚"),
)
_HIGH, _NARROWEST, _WIDEST_PANEL, _SIDE_BY_SIDE = 15, 40, 100, 110
_MARKERS = 6
_OPEN, _TAKEN, _BAR, _LINE = "○", "•", "┊", "braille"


class Terminal(Canvas):
    name = "terminal"
    suffixes = (".txt",)

    def check(self) -> None:
        try:
            import plotext
        except ImportError:
            plotext = None
        if not hasattr(plotext, "figure"):
            raise RequestError(
                "Pictures in the terminal need plotext 6 or newer, which is not installed.",
                'Install it: pip install "normcal[plot]"; or write a picture with -o gelu.png, which needs matplotlib.',
            )

    def draw(self, picture: Picture, suffix: str, width: int = 0, color: bool = False) -> bytes:
        width = max(width or 80, _NARROWEST)
        across = 2 if width >= _SIDE_BY_SIDE and len(picture.panels) > 1 else 1
        each = min(width // across - (across - 1), _WIDEST_PANEL)
        drawn = [_panel(panel, each, color) for panel in picture.panels]
        lines = [*_legend(picture, width, color), ""]
        for start in range(0, len(drawn), across):
            lines += ["  ".join(parts).rstrip() for parts in zip(*drawn[start : start + across], strict=True)]
            lines.append("")
        lines += [line for caption in picture.captions for line in textwrap.wrap(caption, width)]
        return ("\n".join(lines).rstrip("\n") + "\n").encode()


CANVAS = Terminal()


def _legend(picture: Picture, width: int, color: bool) -> list[str]:
    """Return the lines of the legend, as many entries on each as fit."""
    lines, room = [""], 0
    for (rgb, marker), label in zip(STYLES, picture.labels, strict=False):
        sign = f"\x1b[38;2;{rgb[0]};{rgb[1]};{rgb[2]}m{marker}\x1b[0m" if color and rgb else marker
        taken = len(label) + 5
        if taken > room and lines != [""]:
            lines.append("")
        room = (width if not lines[-1] else room) - taken
        lines[-1] += f"{'   ' if lines[-1] else ''}{sign} {label}"
    return lines


def _panel(panel: Panel, width: int, color: bool) -> list[str]:
    """Return the lines of a panel, each as wide as asked."""
    import plotext

    figure = plotext.figure
    figure.clear.all()
    figure.theme("colorless")
    figure.plot_size(width, _HIGH)
    for name, scale, most in (("x", panel.x, max(width // 12, 3)), ("y", panel.y, 5)):
        ticks = scale.ticks(most)
        figure.ruler(name).lim(0.0, 1.0)
        figure.ruler(name).ticks([scale.place(value) for value, _ in ticks], [text for _, text in ticks])
    pen = _Pen(figure, panel, color)
    for draw in (pen.lines, pen.marks):  # no mark lies below a line
        for line in panel.lines:
            draw(line)
    drawn = figure.build().string(colorless=not color).rstrip("\n").split("\n")
    return [_centred(panel.y.label, width), *drawn, _centred(panel.x.label, width)]


def _centred(text: str, width: int) -> str:
    return (text if len(text) <= width else f"{text[: width - 1]}…").center(width)


class _Pen:
    """Draws the lines of a panel into a figure of plotext, whose axes run from 0 to 1."""

    def __init__(self, figure: Any, panel: Panel, color: bool) -> None:
        self.figure, self.panel, self.color = figure, panel, color

    def lines(self, line: Line) -> None:
        """Draw the pieces, each part of them that is in sight, and the errors that can be seen."""
        for piece in line.pieces:
            points = self._placed(zip(piece.x, piece.y, strict=True))
            for inside, run in itertools.groupby(points, key=lambda p: 0.0 <= p[1] <= 1.0):
                if inside:
                    self._draw(line, list(run), _LINE, joined=True)
            for x, *ends in zip(piece.x, piece.low, piece.high, strict=True) if piece.low else ():
                (x, low), (_, high) = self._placed((x, end) for end in ends)
                if high - low > 2.0 / _HIGH:
                    self._draw(line, [(x, max(low, 0.0)), (x, min(high, 1.0))], _BAR, joined=True)

    def marks(self, line: Line) -> None:
        """Draw the marker of the line, values without an error, and the ends of jumps."""
        self._draw(line, self._placed(self.panel.marked(line, _MARKERS)), STYLES[line.style][1])
        self._draw(line, self._placed(line.loose), _OPEN)
        for taken, sign in ((False, _OPEN), (True, _TAKEN)):
            self._draw(line, self._placed((x, y) for x, y, is_taken in line.ends if is_taken is taken), sign)

    def _draw(self, line: Line, points: list[tuple[float, float]], sign: str, joined: bool = False) -> None:
        import plotext

        rgb = STYLES[line.style][0]
        x, y = ([p[k] for p in points if 0.0 <= p[0] <= 1.0 and 0.0 <= p[1] <= 1.0] for k in (0, 1))
        if x:
            marker = plotext.marker(sign, rgb) if self.color and rgb else sign
            self.figure.draw(self.figure.signal(x, y, marker=marker).lines(joined))

    def _placed(self, points: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
        return [(self.panel.x.place(x), self.panel.y.place(y)) for x, y in points]
