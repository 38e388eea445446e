"""The one path: Request and layers -> engine -> Result."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from normcal import engine
from normcal import session as sessions
from normcal.engine import Interrupted
from normcal.layer import Layer
from normcal.request import Request
from normcal.result import Estimate, LayerResult, Result
from normcal.session import Session
from normcal.value import Value

if TYPE_CHECKING:
    from normcal.approximation import Approximation

#: label, draws done, draws in all
Progress = Callable[[str, int, int], None]
#: Layers that are taken at a time, and computed together where their engine can.
CHUNK = 64


def run(
    request: Request, layers: list[Layer], progress: Progress | None = None, session: Session | None = None
) -> Result:
    """Compute every layer; on Ctrl-C return what is there, the interrupted estimate included.

    Parameters
    ----------
    request: what to compute and how; checked already.
    layers: layers with their parameters bound, computed in this order.
    progress: called as (label, draws done, draws in all) while an engine samples.
    session: the workers and the checkpoint of a simulation; by default the request's own workers.

    Returns
    -------
    The Result, a row a layer; ``interrupted`` says that rows are missing or sampled short, and ``cause`` why,
    where it was not Ctrl-C.

    Raises
    ------
    RequestError: when an engine that was named cannot serve a layer, or the samples are too many.

    Examples
    --------
    >>> from normcal import catalog
    >>> result = run(Request(), [catalog.layer("max_pool(kernel_size=2)")])
    >>> round(result.layers[0].quantity("forward.mean").value, 12)
    1.029375373004
    """
    _check_budget(request, layers)
    found: list[LayerResult] = []
    try:
        for row in rows(request, layers, progress, session):
            found.append(row)
    except Interrupted as stop:
        return Result(tuple(found), request.law, interrupted=True, cause=stop.cause)
    except KeyboardInterrupt:
        return Result(tuple(found), request.law, interrupted=True)
    return Result(tuple(found), request.law)


def rows(
    request: Request, layers: Iterable[Layer], progress: Progress | None = None, session: Session | None = None
) -> Iterator[LayerResult]:
    """Yield the row of each layer, in order; layers are taken and computed in chunks, and none is kept.

    On Ctrl-C the row that was being sampled is yielded as far as it got, and the interruption then passed on.

    >>> from normcal import catalog
    >>> [row.layer.name for row in rows(Request(), map(catalog.layer, ["tanh", "relu"]))]
    ['tanh', 'relu']
    """
    if session is None:
        with sessions.opened(request, ()) as session:
            yield from rows(request, layers, progress, session)
        return
    yield from points(((request, layer) for layer in layers), progress, session)


def points(
    asked: Iterable[tuple[Request, Layer]], progress: Progress | None, session: Session, chunk: int = CHUNK
) -> Iterator[LayerResult]:
    """Yield a row for each request and layer, in order; in a chunk, layers of one input law are computed together.

    Requests may differ in the input law alone.
    """
    asked = iter(asked)
    while taken := list(itertools.islice(asked, chunk)):
        alike: dict[Request, dict[int, Layer]] = {}
        for request, layer in taken:
            alike.setdefault(request, {})[id(layer)] = layer
        prepared = {request: _prepared(request, list(layers.values())) for request, layers in alike.items()}
        for request, layer in taken:
            yield from _row(request, layer, prepared[request], progress, session)


def _prepared(request: Request, layers: list[Layer]) -> dict:
    _check_budget(request, layers)
    found: dict = {}
    for start in range(0, len(layers), CHUNK):
        part = layers[start : start + CHUNK]
        found |= engine.prepare(request.engine, part, request.directions, request.law, request.effort())
    return found


def _row(
    request: Request, layer: Layer, prepared, progress: Progress | None, session: Session
) -> Iterator[LayerResult]:
    found: dict[str, Estimate | None] = {"forward": None, "backward": None}
    stopped = gaussian = None
    try:
        for direction in request.directions:
            effort = request.effort(_labelled(progress, layer, direction), session)
            found[direction] = engine.estimate(request.engine, layer, direction, request.law, effort, prepared)
        gaussian = approximated(layer, request)
    except Interrupted as stop:
        found[direction], stopped = stop.estimate, stop
    except KeyboardInterrupt as stop:
        stopped = stop
    if not stopped or any(found.values()):
        notes, details = _notes(layer, request, found), layer.details(request.law)
        yield LayerResult(layer, **found, notes=notes, details=details, gaussian=gaussian)
    if stopped:
        raise stopped


def approximated(layer: Layer, request: Request) -> Approximation | None:
    """Return what a chain gives where each of its layers is taken to see normal input; None for another layer."""
    if not layer.stages:
        return None
    from normcal import approximation

    return approximation.approximated(layer.stages, request.law, request.directions, request.effort())


def _check_budget(request: Request, layers: Iterable[Layer]) -> None:
    if request.engine != engine.AUTO:
        for layer in layers:
            engine.get(request.engine).check_budget(layer, request.effort())


def quantity(request: Request, layer: Layer, path: str, progress: Progress | None = None) -> Value:
    """Return one quantity of one layer; Ctrl-C is passed on, since half of a number is none."""
    result = run(request, [layer], progress)
    if result.interrupted:
        raise result.cause or KeyboardInterrupt
    return result.layers[0].quantity(path)


def _labelled(progress: Progress | None, layer: Layer, direction: str):
    return None if progress is None else lambda done, total: progress(f"{layer.spec} {direction}", done, total)


def _notes(layer: Layer, request: Request, found: dict[str, Estimate | None]) -> tuple[str, ...]:
    """Collect what a reader must know: the layer's own remarks, and what fell short."""
    notes = list(engine.notes(layer, request.law))
    for direction, estimate in found.items():
        if estimate is None:
            continue
        if estimate.reason:
            notes.append(f"{layer.spec}, {direction}: {estimate.status}: {estimate.reason}")
        elif estimate.std.value == 0.0:
            notes.append(f"{layer.spec}, {direction}: the std is 0, so there is no gain")
    return tuple(notes)
