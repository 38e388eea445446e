"""The one path: Request and layers -> engine -> Result."""

from __future__ import annotations

from collections.abc import Callable

from normcal import engine
from normcal.engine import Interrupted
from normcal.layer import Layer
from normcal.request import Request
from normcal.result import Estimate, LayerResult, Result
from normcal.value import Value

#: label, draws done, draws in all
Progress = Callable[[str, int, int], None]


def run(request: Request, layers: list[Layer], progress: Progress | None = None) -> Result:
    """Compute every layer; on Ctrl-C return what is there, the interrupted estimate included.

    Parameters
    ----------
    request: what to compute and how; checked already.
    layers: layers with their parameters bound, computed in this order.
    progress: called as (label, draws done, draws in all) while an engine samples.

    Returns
    -------
    The Result, a row a layer; ``interrupted`` says that rows are missing or sampled short.

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
    rows: list[LayerResult] = []
    if request.engine != engine.AUTO:
        for layer in layers:
            engine.get(request.engine).check_budget(layer, request.effort())
    for layer in layers:
        found: dict[str, Estimate | None] = {"forward": None, "backward": None}
        stopped = False
        try:
            for direction in request.directions:
                effort = request.effort(_labelled(progress, f"{layer.spec} {direction}"))
                found[direction] = engine.estimate(request.engine, layer, direction, request.law, effort)
        except Interrupted as stop:
            found[direction], stopped = stop.estimate, True
        except KeyboardInterrupt:
            stopped = True
        if not stopped or any(found.values()):
            rows.append(LayerResult(layer, **found, notes=_notes(layer, request, found)))
        if stopped:
            return Result(tuple(rows), request.law, interrupted=True)
    return Result(tuple(rows), request.law)


def quantity(request: Request, layer: Layer, path: str, progress: Progress | None = None) -> Value:
    """Return one quantity of one layer; Ctrl-C is passed on, since half of a number is none."""
    result = run(request, [layer], progress)
    if result.interrupted:
        raise KeyboardInterrupt
    return result.layers[0].quantity(path)


def _labelled(progress: Progress | None, label: str):
    return None if progress is None else lambda done, total: progress(label, done, total)


def _notes(layer: Layer, request: Request, found: dict[str, Estimate | None]) -> tuple[str, ...]:
    """Collect what a reader must know: the layer's own remarks, and what fell short."""
    notes = list(layer.notes(request.law))
    for direction, estimate in found.items():
        if estimate is None:
            continue
        if estimate.reason:
            notes.append(f"{layer.spec}, {direction}: {estimate.status}: {estimate.reason}")
        elif estimate.std.value == 0.0:
            notes.append(f"{layer.spec}, {direction}: the std is 0, so there is no gain")
    return tuple(notes)
