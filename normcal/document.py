"""What a generated file may hold: the contract of the files of ``documents/``."""

from __future__ import annotations

import contextlib
import functools
from dataclasses import replace

from normcal import discover, engine, pipeline
from normcal.draft import Draft
from normcal.errors import RequestError, Unsupported
from normcal.layer import DIRECTIONS, Layer
from normcal.output import Output
from normcal.request import BOTH, Request
from normcal.result import LayerResult

#: What a request may take that a file makes itself.
MOST_BOUNDED_LAYERS, MOST_BOUNDED_SAMPLES, MOST_BOUNDED_DRAWS = 1000, 1_000_000, 1_000_000_000


class Document:
    """A kind of document; a file in ``documents/`` defines one as ``DOCUMENT``."""

    #: The keys of an output that it takes, beside path, format, document, profile and the computation's options.
    keys: tuple[str, ...] = ()

    def draft(self, output: Output, computation: Computation) -> Draft:
        """Return the file as it would be written now; an error names the config's file, line and key."""
        raise NotImplementedError


class Computation:
    """Results that several files share: each layer is computed once an input law, engine and direction."""

    def __init__(self, progress: pipeline.Progress | None = None) -> None:
        self._run = functools.cache(self._computed)
        self._progress = progress

    def results(
        self, request: Request, layers: list[Layer], directions: tuple[str, ...] = DIRECTIONS, *, bounded: bool = False
    ) -> list[LayerResult]:
        """Return a result a layer, in their order; Ctrl-C is passed on, since half of a file is none.

        ``bounded`` refuses what would take long, for a request that nobody at this machine made.
        """
        if bounded:
            _check_bounded(request, layers)
        direction = BOTH if len(directions) != 1 else directions[0]
        return [self._run(replace(request, direction=direction), layer) for layer in layers]

    def _computed(self, request: Request, layer: Layer) -> LayerResult:
        result = pipeline.run(request, [layer], self._progress)
        if result.interrupted:
            raise result.cause or KeyboardInterrupt
        return result.layers[0]


def _check_bounded(request: Request, layers: list[Layer]) -> None:
    hint = "Name the config that the file came from instead."
    if len(layers) > MOST_BOUNDED_LAYERS:
        raise RequestError(f"{len(layers):_} layers are more than a file may ask for itself.", hint)
    samples = request.samples or (MOST_BOUNDED_SAMPLES if request.engine == engine.sampler() else 0)
    draws = 0
    for layer in layers:
        with contextlib.suppress(Unsupported):  # a layer that nobody can simulate takes no time
            draws += samples * layer.draws()
    if draws > MOST_BOUNDED_DRAWS:
        raise RequestError(f"{draws:.1e} random numbers are more than a file may ask for itself.", hint)


def draft(output: Output, computation: Computation) -> Draft:
    """Draft one file of a config; an error names at least the output."""
    try:
        return discover.load("documents", output.document).DOCUMENT.draft(output, computation)
    except RequestError as error:
        raise output.refused(error) from None
