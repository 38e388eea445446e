"""A function that Python code defines, known by its values and, where a framework differentiates it, by its slopes."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable
from typing import Any

from normcal.errors import FileError, RequestError, echo
from normcal.law import Normal
from normcal.layer import BACKWARD, FORWARD, Layer
from normcal.spec import Text, write

_EXAMPLE = 'Accepted: where it is, in quotes, then its parameters: callable("activations.py:phi", a=1.3).'
#: What the layer takes for itself; every other parameter is the function's.
_OWN = ("arrays", "derivative")
#: Where a derivative that was given is compared with differences, and by how much they may disagree.
_PLACES, _DISAGREE = (-1.7, -0.93, -0.41, 0.37, 0.88, 1.61), 1e-3
MOST_SHOWN = 5
GIVEN, AUTOGRAD, DIFFERENCES = "given", "autograd", "differences"


class FromCode(Layer):
    """A function that Python code defines, on arrays of NumPy, PyTorch or JAX."""

    name = "callable"
    composed = True
    example = 'callable("numpy:tanh")'
    formula, latex = "φ(x), as the code computes it", r"\varphi(x)"
    assumptions = (
        "the function is known by its values alone; what it does between them is estimated",
        "it maps every entry by itself, the same way each time",
    )

    def __init__(self, what: str | Callable, folder: str = "", digest: str = "", /, **given: Any) -> None:
        from normcal import code

        self.given = given
        self.folder = folder or os.getcwd()
        self.by_place = isinstance(what, str)
        self.source = code.load(what, self.folder) if isinstance(what, str) else _named(what)
        if digest and digest != self.source.digest:
            raise FileError(f"{self.source.place} is other code here: the digests of its files differ.")
        own = {name: code.constant(given[name]) for name in _OWN if name in given}
        params = {name: value for name, value in given.items() if name not in _OWN}
        _check(self.source.place, params)
        self.function, self.remarks = _fitted(self.source, params, own.get("arrays"))
        self._digests = [self.source.digest]
        self.slopes, self.how = self._slopes(own.get("derivative"), params)
        self._known: dict = {}
        super().__init__()
        self.given = given

    @classmethod
    def made(cls, args: tuple, params: dict[str, Any]) -> Layer:
        if len(args) != 1 or not isinstance(args[0], str):
            raise RequestError(f"{echo(write(cls.name, params, args))} names no code.", _EXAMPLE)
        return cls(str(args[0]), **params)

    def __reduce__(self):
        what = self.source.place if self.by_place else self.source.value
        return _again, (what, self.folder, self.source.digest, self.given)

    @functools.cached_property
    def spec(self) -> str:
        return write(self.name, self.given, (Text(self.source.place),))

    def fingerprint(self) -> str:
        return " ".join(dict.fromkeys(filter(None, self._digests)))

    def values(self) -> dict[str, Any]:
        return dict(self.given)

    def _slopes(self, given: Any, params: dict[str, Any]):
        """Return the derivative, and how it is had: by the user, by the framework, or by differences alone."""
        from normcal import code

        own = given if given is not None else getattr(self.source.value, "derivative", None)
        if own is not None and (callable(own) or given is not None):
            if isinstance(own, str):
                owner = self.source.place.rpartition(":")[0]
                own = code.load(own if ":" in own else f"{owner}:{own}", self.folder)
            else:
                own = _named(own)
            self._digests.append(own.digest)
            return _fitted(own, params, self.function.kind.name)[0], GIVEN
        if self.function.kind.differentiates:
            return self.function.slopes, AUTOGRAD
        return None, DIFFERENCES

    def pointwise(self, direction: str):
        from normcal.numerics.survey import Pointwise

        if direction not in self._known:
            slope = self.slopes if direction == BACKWARD else None
            derived = direction == BACKWARD and slope is None
            self._known[direction] = Pointwise(slope or self.function, self.function.grain, derived)
        return self._known[direction]

    def simulate(self, direction: str, rng, rows: int, law: Normal):
        x = law.sample(rng, (rows, 1))
        if direction == FORWARD:
            return self.function.checked(x.ravel()).reshape(x.shape)
        return self._slope_at(x.ravel(), law).reshape(x.shape) * law.incoming(rng, x.shape, x)

    def _slope_at(self, x, law: Normal):
        import numpy as np

        from normcal.code import nowhere
        from normcal.numerics.survey import differences

        if self.slopes is not None:
            found = self.slopes(x)
        else:
            spread = law.std if 0.0 <= law.std < float("inf") else 1.0  # some laws have none
            found = differences(self.function.checked, x, spread, self.function.grain)
        if np.isnan(found).any():
            raise nowhere(f"The derivative of {self.source.place}", float(x[np.argmax(np.isnan(found))]))
        return found

    def notes(self, law: Normal) -> list[str]:
        notes = [f"{self.source.place}: {remark}" for remark in (*self.remarks, *self._disagreement)]
        if self.how == DIFFERENCES:
            notes.append(f"{self.source.place}: the derivative is taken by differences of the values")
        jumps = self._jumps(law)
        if jumps:
            shown = ", ".join(f"{x:.6g}" for x in jumps[:MOST_SHOWN]) + (", ..." if len(jumps) > MOST_SHOWN else "")
            notes.append(
                f"{self.source.place}: it jumps at x = {shown}; the jumps' delta is left out of the derivative"
            )
        return notes

    def _jumps(self, law: Normal) -> tuple[float, ...]:
        if not law.normal or not law.std:
            return ()
        return self.pointwise(FORWARD).found(law.mean, law.std).jumps

    @functools.cached_property
    def _disagreement(self) -> tuple[str, ...]:
        """Say where the derivative that is used is not that of the values: a gradient that is meant to be another."""
        import numpy as np

        from normcal.numerics.survey import differences

        if self.slopes is None:
            return ()
        x = np.array(_PLACES)
        with np.errstate(all="ignore"):
            used, seen = self.slopes(x), differences(self.function, x, 1.0, self.function.grain)
            wrong = np.abs(used - seen) > _DISAGREE * (1.0 + np.abs(used)) * (1.0 + 1e5 * self.function.grain)
        if not wrong.any():
            return ()
        at = int(np.argmax(wrong))
        whose = "the derivative that is given" if self.how == GIVEN else "its gradient"
        return (f"{whose} is {used[at]:.6g} at x = {x[at]:.6g}, where differences of the values give {seen[at]:.6g}",)

    def details(self, law: Normal) -> dict[str, Any]:
        told = {"place": self.source.place, "arrays": self.function.kind.name, "derivative": self.how}
        return {"code": told | ({"sha256": self.source.digest} if self.source.digest else {})}


def _again(what: Any, folder: str, digest: str, given: dict[str, Any]) -> FromCode:
    """Return the layer in another process, which loads the code by its place."""
    return FromCode(what, folder, digest, **given)


def _named(value: Callable):
    """Return a function that is at hand, with the place that it calls its own."""
    from normcal import code

    inner = value
    while isinstance(inner, functools.partial):
        inner = inner.func
    owner = inner if hasattr(inner, "__qualname__") else type(inner)
    module = getattr(inner, "__module__", None) or getattr(owner, "__module__", None) or "builtins"
    name = getattr(owner, "__qualname__", None) or getattr(inner, "__name__", type(inner).__name__)
    try:
        path = inspect.getsourcefile(owner)
    except TypeError:  # written in C
        path = None
    return code.Source(f"{module}:{name}", value, code.digest(path))


def _fitted(source, params: dict[str, Any], arrays: str | None):
    """Return the function with its parameters, and remarks; what comes from a place is tried once."""
    from normcal import code

    def fit():
        return code.fitted(source.place, code.bound(source, params), arrays)

    if not source.digest or getattr(source.value, "__name__", "") == "<lambda>":
        return fit()
    key = (source.place, source.digest, id(source.value), tuple(sorted(params.items())), arrays)
    if key not in _FITTED:
        while len(_FITTED) >= MOST_KEPT:
            _FITTED.pop(next(iter(_FITTED)), None)
        _FITTED[key] = (source.value, fit())  # the function is kept, so that its id stays its own
    return _FITTED[key][1]


#: Functions that were tried; a sweep builds each layer twice.
_FITTED: dict = {}
MOST_KEPT = 256


def _check(place: str, params: dict[str, Any]) -> None:
    for name, value in params.items():
        parts = value if isinstance(value, tuple) else (value,)
        if not all(isinstance(one, (int, float, str, type(None))) for one in parts):
            raise RequestError(
                f"{place}: {name} cannot be {echo(value)}.", "Accepted: numbers, words, text and tuples."
            )
