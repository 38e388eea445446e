"""Python code that the user names: where it is, how it is loaded, called, and what it does wrong, by name and line."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib
import importlib.util
import inspect
import io
import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from normcal import framework
from normcal.errors import FileError, RequestError, echo, near_misses
from normcal.framework import Framework, Unfit

_ACCEPTED = "Accepted: a function of an array, as MODULE:NAME or FILE.py:NAME, such as activations.py:phi."
_ELEMENTWISE = "Accepted: a function that maps every entry by itself, the same way each time."
_PRINTING = threading.RLock()
#: What a SPEC calls Python's constants.
_CONSTANTS = {"true": True, "false": False, "none": None}


@dataclass(frozen=True)
class Source:
    """Something that was loaded: what it is called, the object, and a digest of the file that defines it."""

    place: str
    value: Any
    digest: str = ""


def load(place: str, folder: str = "") -> Source:
    """Import a module or run a file, and return the object that a place names.

    Parameters
    ----------
    place: ``MODULE:NAME`` or ``FILE.py:NAME``; the name may have dots.
    folder: where a relative path is looked for beside the working directory.

    Raises
    ------
    RequestError: for a module that is not there or fails, and a name that it does not define.
    FileError: for a file that is not there.

    >>> load("math:tanh").value(0.0)
    0.0
    """
    owner, _, name = place.rpartition(":")
    if not owner or not name:
        raise RequestError(f"{echo(place)} does not say where a function is.", _ACCEPTED)
    module = _file(place, owner, folder) if _is_file(owner) else _module(place, owner)
    value: Any = module
    for part in name.split("."):
        if not hasattr(value, part):
            close = near_misses(part, [known for known in dir(value) if not known.startswith("_")])
            offered = f"Did you mean {' or '.join(map(repr, close))}?" if close else _ACCEPTED
            raise RequestError(f"{owner} defines no {echo(part)}.", offered)
        value = getattr(value, part)
    if not callable(value):
        raise RequestError(f"{place} is no function: it is of type {type(value).__name__}.", _ACCEPTED)
    return Source(place, value, digest(getattr(module, "__file__", None)))


def _is_file(owner: str) -> bool:
    return owner.endswith(".py") or "/" in owner or os.sep in owner


def _module(place: str, name: str):
    with _path(os.getcwd()):
        try:
            found = importlib.util.find_spec(name) is not None
        except Exception:  # a parent package that fails, or a name that is none: the import says more
            found = True
        if not found:
            raise RequestError(
                f"There is no module {echo(name)}.", f"For a file write {name}.py:{place.split(':')[-1]}."
            )
        return _run(name, lambda: importlib.import_module(name))


def _file(place: str, owner: str, folder: str):
    path = os.path.expanduser(owner)
    found = next((one for one in (path, os.path.join(folder, path)) if os.path.isfile(one)), None)
    if found is None:
        raise FileError(f"There is no file {echo(owner)}.", _ACCEPTED)
    found = os.path.realpath(found)
    return _loaded(found, digest(found), owner)


@functools.lru_cache(100)
def _loaded(path: str, contents: str, shown: str):
    """Run a file as a module of its own; the same contents are run once."""
    name = f"_normcal_code_{hashlib.sha256(path.encode()).hexdigest()[:8]}_{contents[:8]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise FileError(f"{echo(shown)} is no Python file.", _ACCEPTED)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    with _path(os.path.dirname(path)):
        try:
            _run(shown, lambda: spec.loader.exec_module(module))
        except BaseException:
            del sys.modules[name]
            raise
    return module


def _run(shown: str, action: Callable[[], Any]) -> Any:
    """Import something; what goes wrong in it is told with its place, and what it prints is no part of the result."""
    try:
        with contextlib.redirect_stdout(sys.stderr):
            return action() or sys.modules.get(shown)
    except KeyboardInterrupt:
        raise
    except BaseException as problem:  # also what exits: an exit of theirs is none of this program
        raise RequestError(f"{shown} cannot be loaded: {told(problem)}.", _ACCEPTED) from None


@contextlib.contextmanager
def _path(folder: str) -> Iterator[None]:
    """Let code import what lies beside it; what is installed comes first."""
    if folder not in sys.path:
        sys.path.append(folder)
    yield


def digest(path: str | None) -> str:
    """Return the SHA-256 of a file; empty where there is none."""
    try:
        with open(path or "", "rb") as stream:
            return hashlib.sha256(stream.read()).hexdigest()
    except OSError:
        return ""


def told(problem: BaseException) -> str:
    """Say what was raised, and where: the innermost line outside this program.

    >>> try:
    ...     1 / 0
    ... except ZeroDivisionError as problem:
    ...     told(problem).partition(" (")[0]
    'ZeroDivisionError: division by zero'
    """
    text = " ".join(str(problem).split()) or "no message"
    text = text if len(text) <= 300 else f"{text[:300]}..."
    if isinstance(problem, SyntaxError) and problem.filename:
        where, line = problem.filename, problem.lineno
        text = problem.msg or text
    else:
        here = os.path.dirname(os.path.abspath(__file__))
        frames = [
            frame
            for frame in traceback.extract_tb(problem.__traceback__)
            if not frame.filename.startswith((here, "<"))
            and "site-packages" not in frame.filename
            and not frame.filename.startswith(os.path.dirname(os.__file__))
        ]
        if not frames:
            return f"{type(problem).__name__}: {text.rstrip('.')}"
        where, line = frames[-1].filename, frames[-1].lineno
    return f"{type(problem).__name__}: {text.rstrip('.')} ({os.path.basename(where)}, line {line})"


def constant(value: Any) -> Any:
    """Return a parameter's value as Python code takes it: a word may be one of its constants."""
    if type(value) is str:
        return _CONSTANTS.get(value.lower(), value)
    return str(value) if isinstance(value, str) else value


def bound(source: Source, params: dict[str, Any]) -> Any:
    """Return the function with its parameters: a class is called with them, a function later on.

    Raises RequestError for parameters that it does not take, or that are missing.
    """
    given = {name: constant(value) for name, value in params.items()}
    made = inspect.isclass(source.value)
    try:
        signature = inspect.signature(source.value)
    except (TypeError, ValueError):  # written in C
        signature = None
    if signature is not None:
        try:
            signature.bind(*(() if made else (None,)), **given)
        except TypeError as problem:
            raise RequestError(
                f"{source.place}: {problem}.", f"It takes {source.place.split(':')[-1]}{signature}."
            ) from None
    if not made:
        return functools.partial(source.value, **given) if given else source.value
    try:
        found = source.value(**given)
    except KeyboardInterrupt:
        raise
    except BaseException as problem:
        raise RequestError(f"{source.place} cannot be made: {told(problem)}.", _ACCEPTED) from None
    if not callable(found):
        raise RequestError(f"{source.place} is a class whose objects cannot be called.", _ACCEPTED)
    return found


class Function:
    """A function of the user's on arrays of one framework: flat doubles in and out, or an error that names it."""

    def __init__(self, place: str, function: Any, kind: Framework, *, single: bool = False) -> None:
        self.place, self.function, self.kind, self.single = place, kind.prepared(function), kind, single
        self.dtype = ""
        #: Whether it prints: what it says then goes to stderr, since stdout carries results.
        self.loud = False

    def __call__(self, x):
        """Return the values at a flat array."""
        found, self.dtype = self._called(self.kind.values, x)
        return found

    def slopes(self, x):
        """Return the derivative by the framework's own means."""
        return self._called(self.kind.slopes, x)

    def _called(self, way: Callable, x):
        import numpy as np

        try:
            with np.errstate(all="ignore"), _aside() if self.loud else contextlib.nullcontext():
                found = way(self.function, x, self.single)
        except Unfit as problem:
            raise RequestError(f"{self.place} {problem}.", "Accepted: an array of real numbers.") from None
        except (RequestError, KeyboardInterrupt):
            raise
        except BaseException as problem:
            raised = f"{self.place} raises on {self.kind.title}: {told(problem)}."
            raise RequestError(raised, _hint(problem, self.kind)) from problem
        shape = np.shape(found[0] if isinstance(found, tuple) else found)
        if shape != x.shape:
            given, got = _shape(x.shape), _shape(shape)
            raise RequestError(f"{self.place} returns {got} for {given}.", _ELEMENTWISE)
        return found

    @property
    def grain(self) -> float:
        """The relative rounding of the values, as their type tells."""
        if self.single and self.dtype == "float64":
            return 2.0**-23
        return {"float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}.get(self.dtype, 2.0**-52)

    def checked(self, x):
        """Return the values at a flat array; refuse what is no number, naming where."""
        import numpy as np

        found = self(x)
        wrong = np.isnan(found)
        if wrong.any():
            raise nowhere(self.place, float(x[np.argmax(wrong)]))
        return found


class _Heard(io.TextIOBase):
    """Passes on what code prints, and remembers that there was something."""

    def __init__(self, stream) -> None:
        self.stream, self.anything = stream, False

    def write(self, text: str) -> int:
        self.anything = True
        return self.stream.write(text)


@contextlib.contextmanager
def _aside() -> Iterator[None]:
    """Send what code prints to stderr, one thread at a time."""
    with _PRINTING, contextlib.redirect_stdout(sys.stderr):
        yield


def nowhere(place: str, x: float) -> RequestError:
    """Return the error for a function that has no value."""
    return RequestError(
        f"{place} is no number at x = {x:.6g}.", "Accepted: a function with a value wherever the input falls."
    )


def _shape(shape: tuple[int, ...]) -> str:
    return f"an array of shape {shape}" if shape else "one number"


def _hint(problem: BaseException, kind: Framework) -> str:
    text = str(problem)
    if kind.name == framework.FIRST and (
        "truth value" in text or "only length-1" in text or "only 0-dim" in text or "must be real number" in text
    ):
        return f"{_ACCEPTED} numpy.vectorize makes one of a function of one number."
    return _ACCEPTED


def fitted(place: str, function: Any, arrays: str | None = None) -> tuple[Function, tuple[str, ...]]:
    """Return a function on the arrays that it wants, found by trying, and remarks; what it does wrong is refused.

    ``arrays`` names the framework; None tries NumPy first, and others where the code has loaded them.
    """
    if arrays is not None:
        kind = framework.get(arrays)
        kind.check()
        kinds = [kind]
    else:
        kinds = [one for name in framework.names() if (one := framework.get(name)).there or name == framework.FIRST]
        kinds = [one for one in kinds if one.there and one.claims(function)] or kinds
    problem: RequestError | None = None
    for kind in kinds:
        for single in (False, True):
            found = Function(place, function, kind, single=single)
            try:
                return found, probe(found)
            except _Wrong as wrong:
                raise wrong.error from None
            except RequestError as error:
                problem = problem or error
                if kind is kinds[-1] and single is True and len(kinds) > 1 and problem is not error:
                    also = error.message.removeprefix(f"{place} ").rstrip(".")
                    problem = RequestError(f"{problem.message.rstrip('.')}; it {also}.", problem.hint)
    raise problem


class _Wrong(Exception):
    """What no other kind of array would put right."""

    def __init__(self, error: RequestError) -> None:
        super().__init__(str(error))
        self.error = error


def probe(function: Function) -> tuple[str, ...]:
    """Call a function on arrays that tell whether it works entry by entry; return what else is worth a word.

    Raises
    ------
    RequestError: where it fails on such arrays at all.
    _Wrong: where it does not give the same twice, or where an entry depends on the others.
    """
    import numpy as np

    x, heard = _points(), _Heard(sys.stderr)
    with contextlib.redirect_stdout(heard):
        y = function(x)
    function.loud = heard.anything
    with _aside():
        again = function(x)
        allowed = _allowed(function, y)
        different = _different(y, again, allowed)
        if different is not None:
            raise _Wrong(_refusal(function.place, "is not deterministic: at x = {x:.6g} it gives {a:.6g}, then {b:.6g}",
                                  x, y, again, different))  # fmt: skip
        order = np.random.default_rng(1).permutation(len(x))
        inner = slice(40, 53)
        for found, expected, at in (
            (function(x[order]), y[order], x[order]),
            (function(x[inner]), y[inner], x[inner]),
            (function(x[7:8]), y[7:8], x[7:8]),
            (function(np.concatenate([x, np.full(31, 3.25)]))[: len(x)], y, x),
        ):
            different = _different(expected, found, allowed)
            if different is not None:
                text = "is not elementwise: at x = {x:.6g} it gives {a:.6g} or {b:.6g}, as the other entries are"
                raise _Wrong(_refusal(function.place, text, at, expected, found, different))
    return _remarks(function, x)


def _points():
    """Return arrays' worth of numbers in no order: near 0, as a normal law has them, and large ones."""
    import numpy as np

    rng = np.random.default_rng(0)
    z = rng.standard_normal(200)
    return np.concatenate([z, 10.0 * z[:40], 1e-3 * z[40:50], [0.0, 1.0, -1.0, 2.0, -2.0, 100.0, -100.0]])


def _allowed(function: Function, y) -> float:
    """Return by how much values may differ where the same is computed in another order."""
    import numpy as np

    finite = np.abs(y[np.isfinite(y)])
    return 1024.0 * function.grain * float(np.median(finite) if finite.size else 1.0)


def _different(a, b, allowed: float) -> int | None:
    """Return the first place where two arrays differ by more than rounding."""
    import numpy as np

    with np.errstate(all="ignore"):
        close = (np.abs(a - b) <= allowed + 1e-6 * np.abs(a)) | (a == b) | (np.isnan(a) & np.isnan(b))
    return None if close.all() else int(np.argmin(close))


def _refusal(place: str, text: str, x, a, b, at: int) -> RequestError:
    told = text.format(x=float(x[at]), a=float(a[at]), b=float(b[at]))
    return RequestError(f"{place} {told}.", _ELEMENTWISE)


def _remarks(function: Function, x) -> tuple[str, ...]:
    """Return what a reader should know of a function that is no reason to refuse it."""
    import numpy as np

    seen: list = []

    def watched(given):
        kept = np.array(given, dtype=float)
        found = function.function(given)
        seen.append(np.array_equal(kept, np.array(given, dtype=float), equal_nan=True))
        return found

    with contextlib.suppress(Exception), np.errstate(all="ignore"), contextlib.redirect_stdout(sys.stderr):
        function.kind.values(watched, x, function.single)
    return ("it changes the array that it is given; it gets a copy",) if seen == [False] else ()
