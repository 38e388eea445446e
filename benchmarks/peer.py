"""Other programs on the same constants: what a file of ``peers/`` defines, and how it is measured.

A file defines ``PACKAGE`` (what it must import, and whose version is told), ``WHAT`` (what it calls),
``QUANTITY`` and ``SPECS`` (which of normcal's numbers it gives) and ``value(spec)``. It imports its package
inside ``value``, and nothing of normcal: it runs in any interpreter that has the package.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator

from benchmarks import goal
from benchmarks.timing import Ran, Shell, fastest

#: A process that computes one constant: the cold start.
_COLD = "from benchmarks.peers import {} as peer; peer.value(peer.SPECS[0])"
#: A process that computes all of them, twice: what they are, and how long the second time takes.
_WARM = """
import importlib.metadata, importlib.util, json, sys, time
from benchmarks.goal import load
peer = load("peers", sys.argv[1])
if importlib.util.find_spec(peer.PACKAGE) is None:
    print("null")
else:
    values = {spec: float(peer.value(spec)) for spec in peer.SPECS}
    start = time.perf_counter()
    for spec in peer.SPECS:
        peer.value(spec)
    warm = (time.perf_counter() - start) / len(peer.SPECS)
    print(json.dumps([importlib.metadata.version(peer.PACKAGE.replace("_", "-")), values, warm]))
"""


def measured(interpreters: list[str], budget: goal.Budget, say: Callable[[str], None]) -> Iterator[dict]:
    """Yield a record for each peer, by the first interpreter that has its package, with normcal's figures beside."""
    with Shell() as shell:
        for name in goal.plugins("peers"):
            peer = goal.load("peers", name)
            record = {"package": peer.PACKAGE, "what": peer.WHAT, "quantity": peer.QUANTITY, "specs": list(peer.SPECS)}
            found = (_found(shell, python, name) for python in interpreters)
            python, told = next((pair for pair in zip(interpreters, found, strict=True) if pair[1]), (None, None))
            if told is None:
                yield record | {"version": None, "peer": None, "normcal": None}
                continue
            version, values, warm = told
            its = _cold(shell, [python, "-c", _COLD.format(name.replace("-", "_"))], budget) | {
                "warm": warm,
                "error": _error(peer, values),
            }
            yield record | {"version": version, "peer": its, "normcal": _normcal(shell, peer, budget)}
            say(f"peer {name}")


def _found(shell: Shell, python: str, name: str) -> list | None:
    """Return version, values and warm time, or None where the package is not installed or does not run."""
    done = subprocess.run(
        [python, "-c", _WARM, name], env=shell.env, cwd=shell.work, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else None


def _cold(shell: Shell, command: list[str], budget: goal.Budget) -> dict[str, float]:
    """Return time and peak memory of a process that computes one constant, its bytecode and the disk's cache warm."""
    ran: list[Ran] = [shell.watched(command) for _ in range(1 + budget.runs(3))][1:]
    return {"cold": min(one.seconds for one in ran), "peak": min(one.peak for one in ran)}


def _values(peer):
    import normcal

    direction = peer.QUANTITY.partition(".")[0]
    return {spec: normcal.compute(spec, direction=direction).quantity(peer.QUANTITY) for spec in peer.SPECS}


def _error(peer, values: dict[str, float]) -> float:
    return max(abs(values[spec] / exact.value - 1.0) for spec, exact in _values(peer).items())


def _normcal(shell: Shell, peer, budget: goal.Budget) -> dict[str, float]:
    """Return normcal's figures for the same constants; the error is the largest bound."""
    direction = peer.QUANTITY.partition(".")[0]
    cold = _cold(shell, shell.normcal("compute", peer.SPECS[0], "--direction", direction), budget)
    (warm,) = fastest(budget.runs(5), lambda: _values(peer))
    error = max(exact.error / abs(exact.value) for exact in _values(peer).values())
    return cold | {"warm": warm / len(peer.SPECS), "error": error}
