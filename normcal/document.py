"""What a generated file may hold: the contract of the files of ``documents/``."""

from __future__ import annotations

import functools
from dataclasses import replace

from normcal import discover, pipeline
from normcal.draft import Draft
from normcal.layer import DIRECTIONS, Layer
from normcal.output import Output
from normcal.request import BOTH, Request
from normcal.result import LayerResult


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
        self, request: Request, layers: list[Layer], directions: tuple[str, ...] = DIRECTIONS
    ) -> list[LayerResult]:
        """Return a result a layer, in their order; Ctrl-C is passed on, since half of a file is none."""
        direction = BOTH if len(directions) != 1 else directions[0]
        return [self._run(replace(request, direction=direction), layer) for layer in layers]

    def _computed(self, request: Request, layer: Layer) -> LayerResult:
        result = pipeline.run(request, [layer], self._progress)
        if result.interrupted:
            raise KeyboardInterrupt
        return result.layers[0]


def draft(output: Output, computation: Computation) -> Draft:
    """Draft one file of a config."""
    return discover.load("documents", output.document).DOCUMENT.draft(output, computation)
