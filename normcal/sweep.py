"""What is swept: axes over parameters and over the input's mean and std, and the points where they meet."""

from __future__ import annotations

import collections
import functools
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from normcal import catalog, engine, pipeline, quantity, spec
from normcal.errors import RequestError, echo
from normcal.layer import Layer
from normcal.quantity import Quantity
from normcal.request import BOTH, Request
from normcal.result import LayerResult
from normcal.session import Session

#: How many axes a sweep may have.
MOST_AXES = 2
#: Points that are taken at a time: enough that the layers of each of many input laws come in numbers.
CHUNK = 1024
#: axis over the input -> option of the request
INPUT = {"input_mean": "mean", "input_std": "std"}
#: What is shown where nobody chose.
COLUMNS = ("forward.mean", "forward.std", "forward.gain", "backward.std", "backward.gain")
_HOW = "Give a parameter, --mean or --std a range, such as 0:1:11 or 0.01:100:31:log."


@dataclass(frozen=True)
class Axis:
    """A name and the values that it takes, in their order."""

    name: str
    values: tuple

    def data(self) -> dict[str, Any]:
        """Return what a document says of an axis; its values stand at the points."""
        return {"name": self.name, "count": len(self.values), "first": self.values[0], "last": self.values[-1]}


@dataclass(frozen=True)
class Sweep:
    """The layers that one SPEC stands for, and the axes on which they lie; no axes for a single layer.

    ``label`` is the name that the user gave, or the SPEC without what is swept.
    """

    label: str
    part: spec.Spec | type[Layer]
    axes: tuple[Axis, ...]

    def layers(self) -> Iterator[tuple[dict[str, Any], Layer]]:
        """Yield each layer, built anew, with its values on the axes, the first axis varying slowest."""
        if not isinstance(self.part, spec.Spec):
            yield {}, self.part()
            return
        names = [axis.name for axis in self.axes]
        places = itertools.product(*(axis.values for axis in self.axes))
        for place, one in zip(places, spec.expand(self.part, catalog.MOST_LAYERS), strict=True):
            yield dict(zip(names, place, strict=True)), catalog.build(one)


@dataclass(frozen=True)
class Point:
    """One layer under one input law: where it lies on the axes, and what was found there."""

    sweep: str
    axes: dict[str, Any]
    request: Request
    row: LayerResult
    #: Remarks are told of all points together.
    notes: tuple[str, ...] = ()


class Points:
    """The points of several SPECs, each with its own axes, all with those of the input; every layer checked at once.

    Parameters
    ----------
    texts: SPECs; a list or range of values of a parameter is an axis.
    request: the options of every point, but for the input law where that is swept.
    mean, std: values of the input's mean and std; several of them make an axis.
    most: how many points there may be.
    input: the SPEC of the input law where it is not normal; its parameters may be axes too.

    Raises
    ------
    RequestError: where nothing is swept, too much is, or a layer or a value is refused.

    Examples
    --------
    >>> points = Points(["elu(alpha=0.5:1:2)"], Request(), std=[1.0, 2.0])
    >>> [axis.name for axis in points.axes], len(points)
    (['alpha', 'input_std'], 4)
    """

    def __init__(
        self,
        texts: Iterable[str],
        request: Request,
        mean: Sequence = (),
        std: Sequence = (),
        most: int = catalog.MOST_LISTED,
        input: str | None = None,
    ) -> None:
        given = {name: tuple(values) for name, values in zip(INPUT, (mean, std), strict=True)}
        fixed = {INPUT[name]: values[0] for name, values in given.items() if len(values) == 1}
        self.law_axes, laws = _laws(input, most)
        self._bases = [(place, request.updated(law | fixed)) for place, law in laws]
        self.request = self._bases[0][1]
        moments = tuple(Axis(name, values) for name, values in given.items() if len(values) > 1)
        self.input = (*self.law_axes, *moments)
        laws = math.prod(len(axis.values) for axis in self.input)
        found = catalog.Layers(texts, most=most, code=True)
        if len(found) * laws > most:
            raise RequestError(f"{len(found) * laws:_} points are too many.", _accepted(most))
        self.sweeps = [_sweep(part) for part in found.parts]
        self._check_axes()
        collections.deque(self._requests(), maxlen=0)  # refuses what is no mean or std
        self.count = len(found) * laws

    @property
    def axes(self) -> tuple[Axis, ...]:
        """Every axis, those of the parameters first; axes of one name on several SPECs count each."""
        return (*(axis for sweep in self.sweeps for axis in sweep.axes), *self.input)

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the axes, each once."""
        return tuple(dict.fromkeys(axis.name for axis in self.axes))

    def __len__(self) -> int:
        return self.count

    def layers(self) -> Iterator[Layer]:
        """Yield every layer once, whatever laws it meets."""
        return (layer for sweep in self.sweeps for _, layer in sweep.layers())

    def computed(self, progress: Any, session: Session) -> Iterator[Point]:
        """Yield the points with what was found, the first axis varying slowest; the input's axes come last."""
        if self.request.engine != engine.AUTO:
            for layer in self.layers():
                engine.get(self.request.engine).check_budget(layer, self.request.effort())
        asked: collections.deque = collections.deque()

        def pairs() -> Iterator[tuple[Request, Layer]]:
            for sweep in self.sweeps:
                for place, layer in sweep.layers():
                    for axes, request in self._requests():
                        asked.append((sweep.label, place | axes, request))
                        yield request, layer

        for done, row in enumerate(pipeline.points(pairs(), progress, session, CHUNK)):
            label, axes, request = asked.popleft()
            yield Point(label, axes, request, row)
            if progress is not None:
                progress.step(label, done + 1, len(self))

    def _requests(self) -> Iterator[tuple[dict[str, Any], Request]]:
        moments = [axis for axis in self.input if axis.name in INPUT]
        for law, base in self._bases:
            for values in itertools.product(*(axis.values for axis in moments)):
                place = {axis.name: value for axis, value in zip(moments, values, strict=True)}
                yield law | place, replace(base, **{INPUT[name]: value for name, value in place.items()})

    def _check_axes(self) -> None:
        if not self.axes:
            named = f"{echo(self.sweeps[0].label)} has" if len(self.sweeps) == 1 else "The layers have"
            raise RequestError(f"{named} no axis: there is nothing to sweep.", _HOW)
        for sweep in self.sweeps:
            names = [axis.name for axis in (*sweep.axes, *self.input)]
            if len(names) > MOST_AXES:
                told = f"{echo(sweep.label)} has {len(names)} axes: {', '.join(names)}."
                raise RequestError(told, f"Accepted: at most {MOST_AXES}; give the others one value.")


def columns(text: str | None, request: Request, default: Sequence[str] = COLUMNS) -> tuple[Request, list[Quantity]]:
    """Return the quantities that a text lists, and the request of the passes that they need and no other.

    Where no text is given, they are those of the default that the request's direction leaves.

    >>> request, chosen = columns("backward.gain", Request())
    >>> request.direction, str(chosen[0])
    ('backward', 'backward.gain')
    """
    named = default if text is None else [path.strip() for path in text.split(",")]
    chosen = list(dict.fromkeys(map(quantity.parse, named)))
    wide = [one for one in chosen if set(one.directions) - set(request.directions)]
    if text is None:
        chosen = [one for one in chosen if one not in wide]
    elif wide:
        told = f"{wide[0]} needs the {' and the '.join(wide[0].directions)} pass; direction is {request.direction}."
        raise RequestError(told, "Leave --direction out: the columns say which passes are computed.")
    needed = {direction for one in chosen for direction in one.directions}
    return replace(request, direction=next(iter(needed)) if len(needed) == 1 else BOTH), chosen


def numbers(option: str, text: str | None) -> list:
    """Return the values of an option that may be a range; none where it is not given."""
    if text is None:
        return []
    found = spec.values(text, f"a value of {option}")
    for value in found:
        if not isinstance(value, (int, float)):
            raise RequestError(f"{option} cannot be {echo(spec.written(value))}.", spec.RANGES)
    return found


def _laws(text: str | None, most: int) -> tuple[tuple[Axis, ...], list[tuple[dict[str, Any], dict[str, str]]]]:
    """Return the axes of an input law, and of each law on them its place and the option that names it."""
    if text is None:
        return (), [({}, {})]
    part = spec.parse(text)
    axes = tuple(Axis(name, values) for name, values in _axes(part, "input."))
    if not axes:
        return (), [({}, {"input": text})]
    names = [axis.name for axis in axes]
    places = itertools.product(*(axis.values for axis in axes))
    laws = zip(places, spec.expand(part, most), strict=True)
    return axes, [(dict(zip(names, place, strict=True)), {"input": law.spec}) for place, law in laws]


def _accepted(most: int) -> str:
    streamed = f", or {catalog.MOST_LAYERS:_} in a format that is written row by row, such as csv"
    return f"Accepted: at most {most:_} in all{streamed if most < catalog.MOST_LAYERS else ''}."


def _sweep(part: spec.Spec | type[Layer]) -> Sweep:
    if not isinstance(part, spec.Spec):
        return Sweep(part.name, part, ())
    first = catalog.build(next(spec.expand(part, catalog.MOST_LAYERS)))
    axes = tuple(Axis(name, values) for name, values in _axes(part, ""))
    return Sweep(first.called or _fixed(part).spec, part, axes)


def _axes(part: spec.Spec, prefix: str) -> Iterator[tuple[str, tuple]]:
    """Yield the parameters of a SPEC that take several values, those of the SPECs within it after its name."""
    for place, value in enumerate(part.args):
        if isinstance(value, spec.Spec):
            twice = sum(getattr(one, "name", "") == value.name for one in part.args) > 1
            yield from _axes(value, f"{prefix}{value.name}{place + 1 if twice else ''}.")
    for name, value in part.params.items():
        if several := _several(value):
            yield f"{prefix}{name}", tuple(map(_plain, several))
        elif isinstance(value, spec.Spec):
            yield from _axes(value, f"{prefix}{name}.")


def _several(value: Any) -> list:
    """Return the values of a list that has more than one."""
    found = list(spec.choices(value, catalog.MOST_LAYERS)) if isinstance(value, list) else []
    return found if len(found) > 1 else []


def _plain(value: Any) -> Any:
    """Return a value as a document holds it."""
    return value.spec if isinstance(value, spec.Spec) else spec.written(value) if isinstance(value, tuple) else value


def _fixed(part: Any) -> Any:
    """Return a SPEC without the parameters that take several values."""
    if not isinstance(part, spec.Spec):
        return part
    params = {name: _fixed(value) for name, value in part.params.items() if not _several(value)}
    return spec.Spec(part.name, params, tuple(map(_fixed, part.args)))
