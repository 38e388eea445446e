"""A run as a document: when, with what, on what class of machine, and every figure; and its table for people."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
from collections.abc import Iterable

from benchmarks.goal import Outcome, Series

SCHEMA = "normcal-benchmarks/1"
COLUMNS = ("goal", "measured", "yardstick", "", "ratio", "limit", "verdict")
_PACKAGES = ("numpy", "scipy", "click", "rich", "pyyaml", "distributed")


def start(budget) -> dict:
    """Return the head of a run."""
    from normcal import __version__

    return {
        "schema": SCHEMA,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "quick": budget.quick,
        "versions": {"normcal": __version__, "python": platform.python_version(), **_versions(_PACKAGES)},
        "machine": {"cores": os.cpu_count(), "architecture": platform.machine(), "processor": _processor()},
        "goals": [],
        "series": [],
        "peers": [],
    }


def _versions(packages: Iterable[str]) -> dict[str, str]:
    found = {}
    for name in packages:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    """Return the family of the processor as Linux names it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as stream:
            lines = dict(line.split(":", 1) for line in stream if ":" in line)
    except OSError:
        return platform.processor()
    told = {key.strip(): value.strip() for key, value in lines.items()}
    return f"{told.get('model name', '')}, family {told.get('cpu family', '?')}, model {told.get('model', '?')}"


def add_series(document: dict, found: Series) -> None:
    """Put a curve into a run."""
    document["series"].append(vars(found) | {"points": [list(point) for point in found.points]})


def add(document: dict, group: str, found: Outcome) -> None:
    """Put what was measured for a goal into a run."""
    goal = found.goal
    document["goals"].append({
        "group": group, "name": goal.name, "unit": goal.unit, "measured": found.measured,
        "yardstick": {"name": goal.yardstick, "value": found.yardstick}, "ratio": found.ratio,
        "limit": {"of": "measured" if goal.absolute else "ratio", "least": goal.least, "most": goal.most},
        "met": found.met, "note": found.note,
    })  # fmt: skip


def goals(document: dict):
    """Return the table of the goals, a line above each group."""
    rows = []
    for group, found in groups(document).items():
        rows += [(group.upper(), *("",) * (len(COLUMNS) - 1)), *map(line, found)]
    return table(rows)


def table(rows):
    from normcal.report import Table

    return Table(COLUMNS, tuple(rows), words=(COLUMNS[0], COLUMNS[3], COLUMNS[-1]))


def groups(document: dict) -> dict[str, list[dict]]:
    """Return the goals by group, in their order."""
    found: dict[str, list[dict]] = {}
    for one in document["goals"]:
        found.setdefault(one["group"], []).append(one)
    return found


def peers(document: dict):
    """Return the table of the peers; normcal's line stands below that of each."""
    from normcal.report import Table

    columns = ("program", "constants", "cold start", "peak memory", "one more", "largest relative error")
    rows = []
    for found in document["peers"]:
        what = f"{found['quantity']} of {', '.join(found['specs'])}"
        if found["version"] is None:
            rows.append((f"{found['what']}", what, *("not installed",) * 4))
            continue
        rows.append((f"{found['what']}, {found['package']} {found['version']}", what, *_peer(found["peer"])))
        rows.append(("normcal", "the same", *_peer(found["normcal"])))
    return Table(columns, tuple(rows), words=columns[:2])


def _peer(figures: dict) -> tuple[str, ...]:
    units = {"cold": "s", "peak": "B", "warm": "s", "error": ""}
    return tuple(
        f"{figures[key]:.1e}" if key == "error" else written(figures[key], unit) for key, unit in units.items()
    )


def summary(document: dict) -> str:
    """Say how many goals are met."""
    limited = [found["met"] for found in document["goals"] if found["met"] is not None]
    return f"{sum(limited)} of {len(limited)} goals are met."


def line(found: dict) -> tuple[str, ...]:
    """Return the cells of one goal."""
    goal = found["name"] + (f" ({found['note']})" if found["note"] and found["measured"] is not None else "")
    value, ratio = found["yardstick"]["value"], found["ratio"]
    unit = found["unit"]
    return (
        goal,
        written(found["measured"], unit),
        "" if value is None else written(value, unit),
        "" if value is None else found["yardstick"]["name"],
        "" if ratio is None else f"{ratio:.3g}",
        limit(found),
        verdict(found),
    )


def limit(found: dict) -> str:
    """Write a limit: ``≤ 1.5 x`` of a ratio, ``≤ 0.5 s`` of the figure itself."""
    asked = found["limit"]

    def one(value: float) -> str:
        return written(value, found["unit"]) if asked["of"] == "measured" else f"{value:g} x"

    if asked["least"] is not None and asked["most"] is not None:
        return f"{one(asked['least'])} to {one(asked['most'])}"
    if asked["least"] is not None:
        return f"≥ {one(asked['least'])}"
    return "" if asked["most"] is None else f"≤ {one(asked['most'])}"


def limited(found: dict) -> str:
    """Write the figure that the limit is on."""
    if found["limit"]["of"] == "measured":
        return written(found["measured"], found["unit"])
    return f"{found['ratio']:.3g} x"


def verdict(found: dict) -> str:
    if found["measured"] is None:
        return "not measured"
    return {True: "met", False: "missed", None: ""}[found["met"]]


def written(value: float | None, unit: str) -> str:
    """Write a figure to three digits with its unit.

    >>> written(0.0571, "s"), written(135412345, "samples/s"), written(31.25e6, "B"), written(0.68, "")
    ('57.1 ms', '135 M samples/s', '31.2 MB', '0.68')
    >>> written(2000, "rows/s"), written(3.66e-15, "")
    ('2,000 rows/s', '3.66e-15')
    """
    if value is None:
        return "–"
    sizes = _SIZES.get(unit, _SIZES[""])
    size, prefix = next(((size, prefix) for size, prefix in sizes if abs(value) >= size), sizes[-1])
    scaled = value / size
    digits = f"{scaled:,.0f}" if abs(scaled) >= 100 else f"{scaled:.3g}"
    return f"{digits} {prefix}{unit}".rstrip()


#: unit -> sizes and their prefixes; rows are counted
_SIZES = {
    "s": ((1.0, ""), (1e-3, "m"), (1e-6, "µ")),
    "B": ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, "")),
    "samples/s": ((1e6, "M "), (1.0, "")),
    "instructions": ((1e6, "M "), (1.0, "")),
    "": ((1.0, ""),),
}


def show(document: dict, stream) -> None:
    """Print the tables of a run, and what it was measured with."""
    import shutil

    from normcal import renderer
    from normcal.report import Paragraph, Report, View

    versions = ", ".join(f"{name} {version}" for name, version in document["versions"].items())
    blocks = [goals(document), *([peers(document)] if document["peers"] else [])]
    remarks = [f"{one['name']}: {one['note']}" for one in document["goals"] if one["measured"] is None]
    if document["quick"]:
        remarks.append("A quick run: its figures and verdicts mean nothing.")
    blocks += map(Paragraph, (*remarks, f"{summary(document)} {document['seconds']:.0f} s; {versions}"))
    wide = stream.isatty()
    view = View(terminal=wide, color=wide and "NO_COLOR" not in os.environ, width=shutil.get_terminal_size().columns)
    stream.write(renderer.get("text").render(Report({}, [], tuple(blocks)), view))
