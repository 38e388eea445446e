"""Curves as pictures: the same bytes for the same run, readable in print and without telling colours apart."""

from __future__ import annotations

import os
from collections.abc import Iterator

#: chart of a series -> file, title
CHARTS = {
    "size": ("growth-size", "Cost of one layer against its size"),
    "dimensions": ("growth-dimensions", "Cost of one layer against the dimensions of its kernel"),
    "rows": ("growth-rows", "Cost of a table against its rows"),
    "error": ("sampler-error", "True error against the number of points"),
}
#: Okabe and Ito's colours, of falling contrast with white; each with a line and a marker of its own
_STYLES = (
    ("#0072B2", "-", "o"),
    ("#D55E00", "--", "s"),
    ("#009E73", "-.", "^"),
    ("#000000", ":", "D"),
    ("#CC79A7", (0, (5, 1, 1, 1, 1, 1)), "v"),
    ("#56B4E9", (0, (1, 1)), "P"),
)
_SETTINGS = {
    "svg.hashsalt": "normcal",
    "font.size": 10,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.figsize": (7.2, 4.8),
    "figure.facecolor": "white",
    "legend.frameon": False,
}


def charts(series: list[dict]) -> Iterator[tuple[str, str, list[dict]]]:
    """Yield file name, title and curves of each chart that the run has curves for."""
    for chart, (name, title) in CHARTS.items():
        curves = [one for one in series if one["chart"] == chart]
        if curves:
            yield name, title, curves


def save(series: list[dict], folder: str, suffix: str = "svg") -> list[str]:
    """Draw every chart into a folder and return the paths."""
    import matplotlib

    matplotlib.use("agg")
    os.makedirs(folder, exist_ok=True)
    paths = []
    with matplotlib.rc_context(_SETTINGS):
        for name, title, curves in charts(series):
            paths.append(os.path.join(folder, f"{name}.{suffix}"))
            _draw(title, curves, paths[-1], suffix)
    return paths


def _draw(title: str, curves: list[dict], path: str, suffix: str) -> None:
    from matplotlib import pyplot
    from matplotlib.ticker import FixedLocator, NullLocator

    figure, axes = pyplot.subplots(layout="constrained")
    for one, (colour, line, marker) in zip(curves, _STYLES, strict=False):
        x, y = zip(*one["points"], strict=True)
        axes.plot(x, y, color=colour, linestyle=line, marker=marker, markersize=5, linewidth=1.5, label=one["name"])
    axes.set(title=title, xlabel=curves[0]["x"], ylabel=curves[0]["y"], yscale="log")
    ticks = sorted({x for one in curves for x, _ in one["points"]})
    if ticks[-1] > 10 * ticks[0]:
        axes.set_xscale("log")
    else:  # a few whole numbers
        axes.xaxis.set_major_locator(FixedLocator(ticks))
        axes.xaxis.set_minor_locator(NullLocator())
    low, high = (bound(y for one in curves for _, y in one["points"]) for bound in (min, max))
    axes.set_ylim(low / 2.0, high * 2.0)
    figure.legend(loc="outside lower center", ncols=2, fontsize=9)
    figure.savefig(path, **({"metadata": {"Date": None, "Creator": None}} if suffix == "svg" else {"dpi": 150}))
    pyplot.close(figure)
