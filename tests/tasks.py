"""Tasks for the tests of executors: functions of a number in a module that every worker can import."""

from __future__ import annotations

import importlib
import os
import pathlib
import signal
import time

import numpy as np


def noise(number: int) -> float:
    """Return a sum of random numbers that tells by its last bits whether it is the same one."""
    rng = np.random.Generator(np.random.SFC64(np.random.SeedSequence(5, spawn_key=(number,))))
    return float(np.exp(rng.standard_normal(2000)).sum())


def slow_noise(seconds: float, number: int) -> float:
    """Return it after a while."""
    time.sleep(seconds)
    return noise(number)


def unwilling(bad: int, number: int) -> int:
    """Return the number, but raise at one of them."""
    if number == bad:
        raise ZeroDivisionError(f"at {number}")
    return number


class Homesick(Exception):
    """An exception that cannot be built again from its arguments."""

    def __init__(self, place: str, *, why: str) -> None:
        super().__init__(f"{place} {why}")


def homesick(number: int) -> int:
    """Raise what does not survive being sent."""
    raise Homesick("here", why="because")


def deadly(marker: str, bad: int, number: int) -> float:
    """Kill the process at one number: the first time, or always where there is no marker to leave."""
    if number == bad and not (marker and pathlib.Path(marker).exists()):
        if marker:
            pathlib.Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return noise(number)


def where(number: int) -> int:
    """Return which process runs it, after long enough for the others to get some."""
    time.sleep(0.02)
    return os.getpid()


def threads_allowed(number: int) -> tuple[str, ...]:
    """Return what the linear algebra of a worker is told about threads."""
    return tuple(os.environ.get(name, "") for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"))


class Heavy:
    """A task with large arrays, which counts how often it is sent."""

    sent = 0

    def __init__(self, size: int) -> None:
        self.weights = np.arange(float(size))

    def __reduce__(self):
        Heavy.sent += 1
        return Heavy, (len(self.weights),)

    def __call__(self, number: int) -> float:
        time.sleep(0.002)
        return float(self.weights[number])


class Stranded:
    """A task of a module that the other side does not have."""

    def __reduce__(self):
        return importlib.import_module, ("nowhere",)
