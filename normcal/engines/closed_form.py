"""The closed-form engine: the layer's own formula, in ball arithmetic."""

from __future__ import annotations

import contextlib
import sys
import warnings

from normcal.engine import Effort, Engine
from normcal.errors import Unsupported
from normcal.law import Law
from normcal.layer import FORWARD, Layer
from normcal.result import Estimate


class ClosedForm(Engine):
    """Evaluates the layer's formula on balls, so that its rounding error is bounded as it goes."""

    name = "closed-form"
    rank = 1
    summary = "own formula; error: bound on rounding"

    def find(self, layer: Layer, direction: str, law: Law, effort: Effort) -> Estimate:
        _check(direction, law)
        if getattr(type(layer), f"closed_{direction}") is getattr(Layer, f"closed_{direction}"):
            getattr(layer, f"closed_{direction}")(law, None)  # raises the reason before NumPy is loaded
        from normcal.engines._bounded import assembled
        from normcal.numerics.balls import BALLS

        with _unwarned():
            found = layer.closed(direction, law, BALLS)
            if direction != FORWARD and law.gradient.std != 1.0:
                from normcal.engines._pulled import scaled

                found = scaled(found, direction, law)
            return assembled(self.name, effort, layer, direction, found)


def _check(direction: str, law: Law) -> None:
    """Raise Unsupported where the laws are not those of the formulas."""
    if not law.normal:
        raise Unsupported("its formula is that of a normal input")
    if direction != FORWARD and not law.gradient.plain:
        raise Unsupported("its formula is that of an incoming gradient of mean 0, independent of the input")


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
