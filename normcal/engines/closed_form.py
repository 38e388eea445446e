"""The closed-form engine: the layer's own formula, in ball arithmetic."""

from __future__ import annotations

import contextlib
import sys
import warnings

from normcal.engine import Effort, Engine
from normcal.law import Normal
from normcal.layer import Layer
from normcal.result import Estimate


class ClosedForm(Engine):
    """Evaluates the layer's formula on balls, so that its rounding error is bounded as it goes."""

    name = "closed-form"
    rank = 1
    summary = "own formula; error: bound on rounding"

    def find(self, layer: Layer, direction: str, law: Normal, effort: Effort) -> Estimate:
        if getattr(type(layer), f"closed_{direction}") is getattr(Layer, f"closed_{direction}"):
            getattr(layer, f"closed_{direction}")(law, None)  # raises the reason before NumPy is loaded
        from normcal.engines._bounded import assembled
        from normcal.numerics.balls import BALLS

        with _unwarned():
            return assembled(self.name, effort, layer, direction, layer.closed(direction, law, BALLS))


@contextlib.contextmanager
def _unwarned():
    """Let arrays over- and underflow unwarned; NumPy is not loaded for that, since most formulas see no array."""
    numpy = sys.modules.get("numpy")
    if numpy:
        with numpy.errstate(all="ignore"):
            yield
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield


ENGINE = ClosedForm()
