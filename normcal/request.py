"""What a user asks for: options over the config file over defaults, fully checked, no numerics."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass, field, fields, replace
from typing import Any

from normcal import discover
from normcal import engine as engines
from normcal.errors import RequestError, echo, unknown
from normcal.law import Gradient, Law, Normal, named, reads
from normcal.layer import DIRECTIONS
from normcal.sampler import PLAIN

BOTH = "both"
MOST_SAMPLES = 100_000_000_000
MOST_WORKERS = 256
LARGEST = 1e300
#: Options of the laws that are numbers, and between what.
_OF_LAWS = (
    ("mean", -LARGEST, LARGEST), ("std", 0.0, LARGEST), ("gradient_mean", -LARGEST, LARGEST),
    ("gradient_std", 0.0, LARGEST), ("correlation", -1.0, 1.0),
)  # fmt: skip
_LAW = 'a law such as student_t(df=5) or empirical(file="values.npy")'
#: Options that say under what laws.
LAWS = ("input", *(name for name, _, _ in _OF_LAWS))
#: Options that are whole numbers.
WHOLE = ("samples", "seed", "workers")
#: Options that say who does the work, and change no number.
MEANS = ("workers", "executor", "cluster")


@dataclass(frozen=True)
class Request:
    """The options of a computation. None means that the user left it open.

    ``folder`` is no option: it is where the files lie that ``input`` names.
    """

    direction: str = BOTH
    mean: float | None = None
    std: float | None = None
    engine: str = engines.AUTO
    tol: float | None = None
    samples: int | None = None
    seed: int = 0
    workers: int | None = None
    sampler: str = PLAIN
    rtol: float | None = None
    executor: str | None = None
    cluster: str | None = None
    input: str | None = None
    gradient_mean: float | None = None
    gradient_std: float | None = None
    correlation: float | None = None
    folder: str = field(default="", metadata={"option": False})

    def __post_init__(self) -> None:
        _choice("direction", self.direction, (*DIRECTIONS, BOTH))
        _choice("engine", self.engine, engines.names())
        for name, low, high in _OF_LAWS:
            if getattr(self, name) is not None:
                _number(name, getattr(self, name), low, high)
        if self.input is not None:
            if not isinstance(self.input, str):
                raise RequestError(f"input cannot be {echo(self.input)}.", f"Accepted: {_LAW}.")
            if not reads(self.input):
                _ = self.law  # what is wrong with it is said now
        if self.tol is not None:
            _number("tol", self.tol, 0.0, 1.0, open_low=True)
        if self.samples is not None:
            _whole("samples", self.samples, 2, MOST_SAMPLES)
        _whole("seed", self.seed, 0, 2**64 - 1)
        if self.workers is not None:
            _whole("workers", self.workers, 1, MOST_WORKERS)
        _choice("sampler", self.sampler, discover.names("samplers"))
        if self.rtol is not None:
            _number("rtol", self.rtol, 0.0, 1.0, open_low=True)
        if self.executor is not None:
            _choice("executor", self.executor, discover.names("executors"))
        if self.cluster is not None and not isinstance(self.cluster, str):
            raise RequestError(
                f"cluster cannot be {echo(self.cluster)}.", "Accepted: an address such as tcp://host:8786."
            )

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The options' names, the same on the command line and in a config."""
        return tuple(each.name for each in fields(cls) if each.metadata.get("option", True))

    def updated(self, options: dict[str, Any], folder: str = "") -> Request:
        """Return the request with the options that were given (not None) put over it.

        A file that they name lies in ``folder``. An input law takes the place of one that was given before, and of
        its mean and std.
        """
        given = {name: value for name, value in options.items() if value is not None}
        if "input" in given:
            given = {"mean": None, "std": None, "folder": folder} | given
        return replace(self, **given)

    @functools.cached_property
    def law(self) -> Law:
        """The law of the input, and with it that of the incoming gradient; a file that it names is read here."""
        std = 1.0 if self.gradient_std is None else float(self.gradient_std)
        gradient = Gradient((self.gradient_mean or 0.0) + 0.0, std, (self.correlation or 0.0) + 0.0)
        if self.input is not None:
            return named(self.input, mean=self.mean, std=self.std, gradient=gradient, folder=self.folder)
        std = 1.0 if self.std is None else float(self.std)
        if gradient.correlation and not std:
            raise RequestError("A correlation needs an input that varies; its std is 0.")
        return Normal((self.mean or 0.0) + 0.0, std + 0.0, gradient)  # zeros without a sign

    @property
    def assumptions(self) -> dict[str, Any]:
        """What a document says of the laws of the input and of the incoming gradient."""
        return {"input": self.law.data(), "gradient": self.law.gradient.data()}

    @property
    def reads(self) -> bool:
        """Whether the input law names a file."""
        return self.input is not None and reads(self.input)

    @property
    def directions(self) -> tuple[str, ...]:
        return DIRECTIONS if self.direction == BOTH else (self.direction,)

    @property
    def threads(self) -> int:
        """How many workers draw."""
        return self.workers or default_workers()

    def effort(self, progress=None, session=None) -> engines.Effort:
        return engines.Effort(
            self.tol, self.samples, self.seed, self.threads, progress, self.sampler, self.rtol, session
        )  # fmt: skip


def laws_of(assumptions: dict[str, Any]) -> dict[str, Any]:
    """Return the options that the assumptions of a document stand for.

    >>> laws_of(Request(input="laplace(standardised=yes)", std=2.0, gradient_mean=0.5).assumptions)
    {'input': 'laplace(loc=0.0, scale=1.0, standardised=yes)', 'mean': 0.0, 'std': 2.0, 'gradient_mean': 0.5}
    """
    law, gradient = assumptions["input"], assumptions.get("gradient", {})
    named = {"input": law["spec"]} if law.get("law", "normal") != "normal" else {}
    moved = ("mean", "std") if law.get("standardised", True) else ()
    options = named | {name: law[name] for name in moved if name in law}
    own = {"mean": 0.0, "std": 1.0, "correlation": 0.0}
    told = {name: gradient.get(name, usual) for name, usual in own.items() if gradient.get(name, usual) != usual}
    return options | {name if name == "correlation" else f"gradient_{name}": value for name, value in told.items()}


def default_workers() -> int:
    """Return the number of processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _choice(name: str, value: Any, known: tuple[str, ...]) -> None:
    if not isinstance(value, str):
        raise RequestError(f"{name} cannot be {echo(value)}.", f"Accepted: {', '.join(known)}.")
    if value not in known:
        raise unknown(name, value, known)


def _number(name: str, value: Any, low: float, high: float, *, open_low: bool = False) -> None:
    """Refuse what is no finite number of the interval, naming it."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not low <= value <= high or (open_low and value == low):
        bracket = "(" if open_low else "["
        raise RequestError(f"{name} cannot be {echo(value)}.", f"Accepted: a number in {bracket}{low:g}, {high:g}].")


def _whole(name: str, value: Any, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise RequestError(f"{name} cannot be {echo(value)}.", f"Accepted: a whole number from {low} to {high:_}.")
