"""``python -m benchmarks``: measure every goal beside its yardstick, and print one table."""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback

from benchmarks import document, goal, peer


def main(argv: list[str] | None = None) -> int:
    """Run, print, and return 0: a goal that is missed is a figure like another; 1 where one could not be measured."""
    options = _options(argv)
    if options.list:
        for name, group in goal.groups(tuple(options.only)).items():
            for one in group.GOALS:
                print(f"{name}: {one.name}")
        return 0
    budget = goal.Budget(options.quick)
    began, run, failed = time.perf_counter(), document.start(budget), False
    for name, group in goal.groups(tuple(options.only)).items():
        failed |= not _measured(run, name, group, budget)
    run["seconds"] = round(time.perf_counter() - began, 1)
    if options.peers is not None:
        run["peers"] = list(peer.measured([sys.executable, *options.peers], budget, _say))
    if options.json:
        print(json.dumps(run, indent=1, ensure_ascii=False))
    else:
        document.show(run, sys.stdout)
    return int(failed)


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=main.__doc__)
    known = goal.plugins("goals")
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", default=[], choices=known, help=f"run these groups: {', '.join(known)}"
    )
    parser.add_argument("--json", action="store_true", help="print the run for machines, and for benchmarks.page")
    parser.add_argument(
        "--peers",
        nargs="*",
        metavar="PYTHON",
        help="measure other programs too, where they are installed: here, or in the environments of these interpreters",
    )
    parser.add_argument("--quick", action="store_true", help="show that everything runs; the figures mean nothing")
    parser.add_argument("--list", action="store_true", help="list the goals and measure none")
    return parser.parse_args(argv)


def _measured(run: dict, name: str, group, budget: goal.Budget) -> bool:
    """Measure a group into the run, in the order of its goals; what breaks is shown, and what it leaves is missing."""
    start, found, reason = time.perf_counter(), {}, ""
    try:
        for one in group.measure(budget):
            if isinstance(one, goal.Series):
                document.add_series(run, one)
            else:
                found[one.goal] = one
    except Exception as problem:
        traceback.print_exc()
        reason = f"{type(problem).__name__}: {problem}"[:200]
    for one in group.GOALS:
        document.add(run, group.TITLE, found.get(one) or one.missing(reason or "nothing was measured"))
    _say(f"{name}: {time.perf_counter() - start:.0f} s")
    return not reason


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
