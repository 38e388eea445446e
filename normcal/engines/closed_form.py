"""The closed-form engine: the layer's own formula, in ball arithmetic."""

from __future__ import annotations

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
        import numpy as np

        from normcal.engines._bounded import assembled
        from normcal.numerics.balls import BALLS

        with np.errstate(all="ignore"):
            return assembled(self.name, effort, layer, direction, layer.closed(direction, law, BALLS))


ENGINE = ClosedForm()
