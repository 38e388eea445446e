"""Pictures as PNG, SVG and PDF, by Matplotlib: readable in print, and without telling colours apart."""

from __future__ import annotations

import io
import textwrap
from typing import Any

from normcal.canvas import Canvas
from normcal.errors import RequestError
from normcal.picture import VISIBLE, Line, Panel, Picture, Scale

#: Okabe and Ito's colours, of falling contrast with white; each with a line and a marker of its own.
STYLES = (
    ("#0072B2", "-", "o"),
    ("#D55E00", "--", "s"),
    ("#009E73", "-.", "^"),
    ("#000000", ":", "D"),
    ("#CC79A7", (0, (5, 1, 1, 1, 1, 1)), "v"),
    ("#56B4E9", (0, (3, 1)), "P"),
)
_SETTINGS = {
    "svg.hashsalt": "normcal",
    "text.parse_math": False,
    "pdf.fonttype": 42,
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "axes.labelsize": 8.5,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.linewidth": 0.7,
    "axes.edgecolor": "#444444",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "grid.color": "#e2e2e2",
    "grid.linewidth": 0.6,
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "xtick.labelcolor": "black",
    "ytick.labelcolor": "black",
    "figure.facecolor": "white",
    "legend.frameon": False,
    "legend.fontsize": 9,
    "savefig.dpi": 160,
}
#: Nothing of a file may depend on when or by which version it was drawn.
_METADATA = {
    ".png": {"Software": None},
    ".svg": {"Date": None, "Creator": None},
    ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
#: Inches: the width of two panels and the height of a row of them; a panel that is alone.
_WIDE, _HIGH, _ONE = 7.2, 2.15, (4.8, 3.2)
#: Markers that a line carries, so that it is known without its colour.
_MARKERS = 7
#: Ticks of an axis, and the characters that they may have in all below a panel.
_TICKS, _TICK_TEXT = 7, 32
#: Characters that fit above a panel, above all of them, and below.
_TITLE, _LEGEND, _CAPTION = 54, 90, 112


class Image(Canvas):
    name = "image"
    suffixes = tuple(_METADATA)

    def check(self) -> None:
        try:
            import matplotlib  # noqa: F401
        except ImportError:
            raise RequestError(
                "Pictures as PNG, SVG and PDF need matplotlib, which is not installed.",
                'Install it: pip install "normcal[plot]"; without --output, the terminal shows the picture.',
            ) from None

    def draw(self, picture: Picture, suffix: str, width: int = 0, color: bool = False) -> bytes:
        import warnings

        import matplotlib
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        stream = io.BytesIO()
        with matplotlib.rc_context({**matplotlib.rcParamsDefault, **_SETTINGS}), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a sign that the font does not have is a box
            columns = min(len(picture.panels), 2)
            figure = Figure(figsize=_size(picture, columns), layout="constrained")
            FigureCanvasAgg(figure)
            grid = figure.add_gridspec(-(-len(picture.panels) // columns), columns)
            for place, panel in enumerate(picture.panels):
                _panel(figure.add_subplot(grid[place // columns, place % columns]), panel)
            _legend(figure, picture)
            figure.savefig(stream, format=suffix[1:], metadata=_METADATA[suffix])
        return stream.getvalue()


CANVAS = Image()


def _size(picture: Picture, columns: int) -> tuple[float, float]:
    """Return inches: of one panel, or of two side by side on a page; legend and captions get their own room."""
    panels = -(-len(picture.panels) // columns) * _HIGH if columns > 1 else _ONE[1]
    legend = -(-len(picture.labels) // _across(picture))
    return _WIDE if columns > 1 else _ONE[0], panels + 0.22 * legend + 0.15 * len(_caption(picture))


def _panel(axes: Any, panel: Panel) -> None:
    for name, scale in (("x", panel.x), ("y", panel.y)):
        getattr(axes, f"set_{name}scale")("log" if scale.log else "linear")
        getattr(axes, f"set_{name}lim")(scale.low, scale.high)
        _ticked(getattr(axes, f"{name}axis"), scale)
    axes.set_xlabel(panel.x.label)
    axes.set_title("\n".join(textwrap.wrap(panel.y.label, _TITLE)), loc="left", fontsize=8.5)
    for line in panel.lines:
        _line(axes, panel, line)


def _ticked(axis: Any, scale: Scale) -> None:
    from matplotlib.ticker import FixedLocator, NullLocator

    ticks = scale.ticks(_TICKS)
    if axis.axis_name == "x" and sum(len(text) for _, text in ticks) > _TICK_TEXT:
        ticks = scale.ticks(_TICKS // 2)
    places, texts = zip(*ticks, strict=True) if ticks else ((), ())
    axis.set_major_locator(FixedLocator(places))
    axis.set_ticklabels([text.replace("-", "\N{MINUS SIGN}") for text in texts])
    axis.set_minor_locator(NullLocator())


def _line(axes: Any, panel: Panel, line: Line) -> None:
    colour, dashes, marker = STYLES[line.style]
    for piece in line.pieces:
        axes.plot(piece.x, piece.y, color=colour, linestyle=dashes, linewidth=1.5, solid_capstyle="round")
        if piece.low and _wide(panel.y, piece.low, piece.high):
            axes.fill_between(piece.x, piece.low, piece.high, color=colour, alpha=0.22, linewidth=0)
    for x, y in panel.marked(line, _MARKERS):
        axes.plot([x], [y], color=colour, marker=marker, markersize=4, zorder=2.5)
    if line.loose:
        axes.plot(*zip(*line.loose, strict=True), color=colour, linestyle="", marker=marker, markersize=4.5,
                  markerfacecolor="white", zorder=3)  # fmt: skip
    for x, y, taken in line.ends:
        if not panel.y.low <= y <= panel.y.high:
            continue
        axes.plot([x], [y], color=colour, marker="o", markersize=4.5, zorder=3 + taken,
                  markerfacecolor=colour if taken else "white", clip_on=False)  # fmt: skip


def _wide(scale: Scale, low: tuple[float, ...], high: tuple[float, ...]) -> bool:
    return any(scale.place(b) - scale.place(a) > VISIBLE for a, b in zip(low, high, strict=True))


def _legend(figure: Any, picture: Picture) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=colour, linestyle=dashes, marker=marker, markersize=4.5, linewidth=1.5, label=label)
        for label, (colour, dashes, marker) in zip(picture.labels, STYLES, strict=False)
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=_across(picture), handlelength=3.2)
    lines = _caption(picture)
    if lines:
        figure.supxlabel("\n".join(lines), fontsize=7.5, color="#333333", x=0.01, ha="left", linespacing=1.35)


def _across(picture: Picture) -> int:
    """Return how many entries of the legend stand side by side."""
    return max(min(_LEGEND // (max(map(len, picture.labels)) + 10), len(picture.labels), 3), 1)


def _caption(picture: Picture) -> list[str]:
    return [line for one in picture.captions for line in textwrap.wrap(one, _width(picture))]


def _width(picture: Picture) -> int:
    return _CAPTION * 2 // 3 if len(picture.panels) == 1 else _CAPTION
