"""Pictures as characters, by plotext: as wide as the terminal, in colour where it has any."""

from __future__ import annotations

import itertools
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
_HIGH, _NARROWEST, _WIDEST_PANEL, _SIDE_BY_SIDE = 17, 40, 100, 110
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
        lines = [_legend(picture, color), ""]
        for row in itertools.batched(drawn, across) if hasattr(itertools, "batched") else _batched(drawn, across):
            lines += ["  ".join(parts).rstrip() for parts in zip(*row, strict=True)]
            lines.append("")
        lines += picture.captions
        return ("\n".join(lines).rstrip("\n") + "\n").encode()


CANVAS = Terminal()


def _batched(items: list, size: int) -> list[list]:
    return [items[k : k + size] for k in range(0, len(items), size)]


def _legend(picture: Picture, color: bool) -> str:
    named = []
    for (rgb, marker), label in zip(STYLES, picture.labels, strict=False):
        sign = f"\x1b[38;2;{rgb[0]};{rgb[1]};{rgb[2]}m{marker}\x1b[0m" if color and rgb else marker
        named.append(f"{sign} {label}")
    return "   ".join(named)


def _panel(panel: Panel, width: int, color: bool) -> list[str]:
    """Return the lines of a panel, each as wide as asked."""
    import plotext

    figure = plotext.figure
    figure.clear.all()
    figure.theme("colorless")
    figure.plot_size(width, _HIGH)
    figure.title(panel.y.label)
    figure.label(panel.x.label, "x")
    for name, scale, most in (("x", panel.x, max(width // 12, 3)), ("y", panel.y, 5)):
        ticks = scale.ticks(most)
        figure.ruler(name).lim(0.0, 1.0)
        figure.ruler(name).ticks([scale.place(value) for value, _ in ticks], [text for _, text in ticks])
    for line in panel.lines:
        for signal in _signals(plotext, figure, panel, line, color):
            figure.draw(signal)
    return figure.build().string(colorless=not color).rstrip("\n").split("\n")


def _signals(plotext: Any, figure: Any, panel: Panel, line: Line, color: bool):
    rgb, sign = STYLES[line.style]

    def drawn(points, what: str):
        inside = [(x, y) for x, y in points if 0.0 <= x <= 1.0 and 0.0 <= y <= 1.0]
        marker = plotext.marker(what, rgb) if color and rgb else what
        return figure.signal([x for x, _ in inside], [y for _, y in inside], marker=marker)

    for piece in line.pieces:
        points = _placed(panel, zip(piece.x, piece.y, strict=True))
        for inside, run in itertools.groupby(points, key=lambda p: 0.0 <= p[1] <= 1.0):
            if inside:
                yield drawn(run, _LINE).lines(True)
        for x, low, high in zip(piece.x, piece.low, piece.high, strict=True) if piece.low else ():
            if panel.y.place(high) - panel.y.place(low) > 2.0 / _HIGH:
                ends = [(x, max(low, panel.y.low)), (x, min(high, panel.y.high))]
                yield drawn(_placed(panel, ends), _BAR).lines(True)
    every = [point for piece in line.pieces for point in _placed(panel, zip(piece.x, piece.y, strict=True))]
    wanted = [(k + 0.5 + line.style / 6.0 - 0.4) / _MARKERS for k in range(_MARKERS)]
    if every:
        yield drawn(dict.fromkeys(min(every, key=lambda p, at=at: abs(p[0] - at)) for at in wanted), sign)
    if line.loose:
        yield drawn(_placed(panel, line.loose), _OPEN)
    for taken in (False, True):
        ends = [(x, y) for x, y, is_taken in line.ends if is_taken is taken]
        if ends:
            yield drawn(_placed(panel, ends), _TAKEN if taken else _OPEN)


def _placed(panel: Panel, points) -> list[tuple[float, float]]:
    return [(panel.x.place(x), panel.y.place(y)) for x, y in points]
