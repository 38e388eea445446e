"""Times, peaks and counts: of functions in this process, and of commands in processes of their own."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.goal import ROOT

#: What an installation puts on the path as ``normcal``.
_SCRIPT = "import sys\nfrom normcal.cli import main\nsys.exit(main())\n"
#: Runs a command as the child of a small process: the peak of a child is at least that of its parent when it forked.
_WATCH = (
    "import os, sys, time\n"
    "start = time.perf_counter()\n"
    "pid = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)\n"
    "_, status, usage = os.wait4(pid, 0)\n"
    "seconds = time.perf_counter() - start\n"
    "peak = usage.ru_maxrss * (1 if sys.platform == 'darwin' else 1024)\n"
    "open(sys.argv[1], 'w').write(f'[{seconds}, {peak}, {os.waitstatus_to_exitcode(status)}]')\n"
)


def seconds(work: Callable[[], object]) -> float:
    """Return the wall time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def fastest(runs: int, *works: Callable[[], object]) -> list[float]:
    """Return the least wall time of each of several jobs, whose runs are interleaved, after a first run of each.

    The least is what the machine does when nothing else disturbs it, and what disturbs, disturbs all.
    """
    for work in works:
        work()
    found = [[seconds(work) for work in works] for _ in range(runs)]
    return [min(column) for column in zip(*found, strict=True)]


def imports(*modules: str) -> list[str]:
    """Return the command line of a program that imports and ends: the yardstick of a cold start."""
    return [sys.executable, "-c", f"import {', '.join(modules)}"]


@dataclass(frozen=True)
class Ran:
    """How a command ended: wall time, peak of resident memory in bytes, exit code."""

    seconds: float
    peak: int
    code: int


class Shell(contextlib.AbstractContextManager):
    """Where commands run: bytecode warm as an installation keeps it, a home without a file, a folder to write to."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self.home, self.work, compiled = (os.path.join(self._folder.name, name) for name in ("home", "work", "pyc"))
        temporary = os.path.join(self.home, "tmp")
        for folder in (self.home, self.work, temporary):
            os.mkdir(folder)
        self.script = os.path.join(self._folder.name, "normcal")
        with open(self.script, "w", encoding="utf-8") as stream:
            stream.write(_SCRIPT)
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("XDG_") and name != "PYTHONDONTWRITEBYTECODE"
        }
        path = os.pathsep.join(filter(None, (ROOT, os.environ.get("PYTHONPATH"))))
        self.env = kept | {
            "PYTHONPATH": path,
            "PYTHONPYCACHEPREFIX": compiled,
            "HOME": self.home,
            "TMPDIR": temporary,
            "PYTHONHASHSEED": "0",
        }

    def __exit__(self, *_) -> None:
        self._folder.cleanup()

    def normcal(self, *words: str) -> list[str]:
        """Return the command line of the program."""
        return [sys.executable, self.script, *words]

    def run(self, command: Sequence[str]) -> None:
        """Run a command, its output thrown away; a failure is raised with what it said."""
        done = subprocess.run(
            command, env=self.env, cwd=self.work, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, check=False,
        )  # fmt: skip
        if done.returncode:
            said = done.stderr.decode(errors="replace")[-500:]
            raise RuntimeError(f"{_short(command)}: exit code {done.returncode}: {said}")

    def fastest(self, runs: int, *commands: Sequence[str]) -> list[float]:
        """Return the least wall time of each command, interleaved."""
        return fastest(runs, *(lambda command=command: self.run(command) for command in commands))

    def watched(self, command: Sequence[str]) -> Ran:
        """Run a command and return its time, its peak of memory and its exit code."""
        report = os.path.join(self._folder.name, "watched")
        self.run([sys.executable, "-I", "-S", "-c", _WATCH, report, *command])
        with open(report, encoding="utf-8") as stream:
            return Ran(*json.load(stream))

    def limited(self, command: Sequence[str], kilobytes: int) -> list[str]:
        """Return the command line that runs a command within so much address space."""
        return ["sh", "-c", f'ulimit -v {kilobytes} && exec "$@"', "sh", *command]

    def first_line(self, command: Sequence[str]) -> tuple[float, float]:
        """Return when the second line of output came (the first is a heading) and when the command ended."""
        start = time.perf_counter()
        with subprocess.Popen(
            command, env=self.env, cwd=self.work, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as process:  # fmt: skip
            process.stdout.readline(), process.stdout.readline()
            first = time.perf_counter() - start
            process.stdout.read()
        return first, time.perf_counter() - start

    def instructions(self, *commands: Sequence[str]) -> list[int]:
        """Return how many instructions each command takes, by callgrind, as many at a time as there are processors."""
        waiting, found = list(enumerate(commands)), {}
        while waiting:
            batch, waiting = waiting[: _processors()], waiting[_processors() :]
            started = [(number, self._counted(command)) for number, command in batch]
            for number, process in started:
                said = process.communicate()[1].decode(errors="replace")
                count = re.search(r"Collected : (\d+)", said)
                if process.returncode or not count:
                    raise RuntimeError(f"{_short(commands[number])} under valgrind: {said[-500:]}")
                found[number] = int(count[1])
        return [found[number] for number in range(len(commands))]

    def _counted(self, command: Sequence[str]) -> subprocess.Popen:
        self.run(command)  # bytecode
        grind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
        return subprocess.Popen(
            [*grind, *command], env=self.env, cwd=self.work, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )  # fmt: skip

    def written(self) -> list[str]:
        """Return the files that commands left in the home and in the working folder."""
        return [name for folder in (self.home, self.work) for _, _, names in os.walk(folder) for name in names]


def _short(command: Sequence[str]) -> str:
    """Return a command line as a message shows it: without the folders of programs."""
    return " ".join(os.path.basename(word) for word in command)[:100]


def has_valgrind() -> bool:
    return shutil.which("valgrind") is not None


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
