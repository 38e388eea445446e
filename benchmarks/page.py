"""``python -m benchmarks.page RUN.json``: writes docs/performance.md and its plots from a run; no figure is typed.

The words around the figures are those of ``page.md``, the reasons of goals that are missed those of ``reasons.yaml``.
"""

from __future__ import annotations

import argparse
import json
import os
import string
import sys

from benchmarks import document, plots
from benchmarks.goal import ROOT

_HERE = os.path.dirname(os.path.abspath(__file__))
IMAGES = os.path.join(ROOT, "docs", "images")
PAGE = os.path.join(ROOT, "docs", "performance.md")
_NO_REASON = "no reason is known yet."


def main(argv: list[str] | None = None) -> int:
    """Write the page and its plots; without matplotlib, the page alone."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.page", description=__doc__.splitlines()[0])
    parser.add_argument("run", help="what 'python -m benchmarks --json' printed")
    parser.add_argument("--no-plots", action="store_true", help="leave the plots as they are")
    options = parser.parse_args(argv)
    try:
        with open(options.run, encoding="utf-8") as stream:
            run = json.load(stream)
    except (OSError, ValueError) as problem:
        parser.error(f"{options.run} cannot be read: {problem}")
    if not isinstance(run, dict) or run.get("schema") != document.SCHEMA:
        parser.error(f"{options.run} is no run of the benchmarks ({document.SCHEMA})")
    if run["quick"]:
        parser.error(f"{options.run} is a quick run, whose figures mean nothing")
    if not options.no_plots:
        plots.save(run["series"], IMAGES)
    with open(PAGE, "w", encoding="utf-8", newline="\n") as stream:
        stream.write(text(run))
    return 0


def text(run: dict) -> str:
    """Return the page of a run."""
    with open(os.path.join(_HERE, "page.md"), encoding="utf-8") as stream:
        words = string.Template(stream.read())
    return words.substitute(
        date=run["date"],
        minutes=f"{run['seconds'] / 60:.1f}",
        versions=", ".join(f"{name} {version}" for name, version in run["versions"].items()),
        machine=_machine(run["machine"]),
        met=document.summary(run),
        goals=_goals(run),
        misses=_misses(run),
        plots=_plots(run),
        peers=_markdown(document.peers(run)) if run["peers"] else "No peers were measured in this run.\n",
    )


def _machine(machine: dict) -> str:
    return f"{machine['cores']} cores, {machine['architecture']}, {machine['processor']}"


def _markdown(*blocks) -> str:
    from normcal import renderer
    from normcal.report import Report, View

    return renderer.get("markdown").render(Report({}, [], blocks), View())


def _goals(run: dict) -> str:
    """Return a table for each group, below its name."""
    from normcal.report import Heading

    blocks = []
    for group, found in document.groups(run).items():
        blocks += [Heading(group, 2), document.table(map(document.line, found))]
    return _markdown(*blocks)


def reasons() -> dict[str, str]:
    """Return why goals are missed: the name of a goal, or of a group of goals, -> the reason."""
    import yaml

    with open(os.path.join(_HERE, "reasons.yaml"), encoding="utf-8") as stream:
        return yaml.safe_load(stream) or {}


def _misses(run: dict) -> str:
    """List the goals that were missed, or not measured, with what is known about why."""
    known, lines = reasons(), []
    for found in run["goals"]:
        if found["measured"] is None:
            lines.append(f"- {found['name']}: not measured: {found['note']}")
        elif found["met"] is False:
            figure = document.limited(found)
            lines.append(
                f"- {found['name']}: {figure}, asked {document.limit(found)}: {known.get(found['name'], _NO_REASON)}"
            )
    return "\n".join(lines) + "\n" if lines else "None.\n"


def _plots(run: dict) -> str:
    """Return the plots as images, each with a text for who cannot see it."""
    found = []
    for name, title, curves in plots.charts(run["series"]):
        alt = "; ".join(f"{one['name']} from {one['points'][0][1]:.3g} to {one['points'][-1][1]:.3g}" for one in curves)
        found.append(f"![{title}: {alt}](images/{name}.svg)")
    return "\n\n".join(found) + "\n"


if __name__ == "__main__":
    sys.exit(main())
