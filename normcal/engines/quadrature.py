"""The quadrature engine: a layer's one-dimensional integrals, each with a bound on its error."""

from __future__ import annotations

from normcal.engine import Effort, Engine
from normcal.errors import Unsupported
from normcal.law import Normal
from normcal.layer import FORWARD, Layer
from normcal.result import Estimate


class Quadrature(Engine):
    """Integrates what the layer reduces to, and puts moments together; the true error is below the bound."""

    name = "quadrature"
    rank = 2
    summary = "Gauss-Legendre panels; error: bound on truncation and rounding"

    def find(self, layer: Layer, direction: str, law: Normal, effort: Effort) -> Estimate:
        own = [name for name in (f"reduced_{direction}", "components") if _overridden(layer, name)]
        if not own:
            layer.components(direction, law)  # raises the reason before NumPy is loaded
        import numpy as np

        from normcal.engines._bounded import assembled
        from normcal.engines._integrate import PanelIntegrals
        from normcal.numerics.balls import BALLS

        with np.errstate(all="ignore"):
            found = layer.reduced(direction, law, PanelIntegrals(), BALLS)
            return assembled(ENGINE.name, effort, layer, direction, found, finite=_finite(layer, direction, law))

    def serves(self, layer: Layer, direction: str, law: Normal) -> bool:
        from normcal.engines._integrals import NoIntegrals
        from normcal.numerics.balls import BALLS

        try:
            layer.reduced(direction, law, NoIntegrals(), BALLS)
        except Unsupported:
            return False
        return True


ENGINE = Quadrature()


def _overridden(layer: Layer, name: str) -> bool:
    return getattr(type(layer), name) is not getattr(Layer, name)


def _finite(layer: Layer, direction: str, law: Normal) -> bool:
    """Whether an infinity is the arithmetic's doing: far nodes may overflow though the moments do not.

    At the mean of the input f itself is too large where the moments are.
    """
    import numpy as np

    from normcal.numerics.balls import BALLS, ball

    if direction != FORWARD:
        return True
    try:
        components = layer.components(direction, law)
    except Unsupported:
        return True
    return all(np.isfinite(ball(c.f(ball(law.mean), BALLS)).mid) for c in components)
