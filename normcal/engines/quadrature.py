"""The quadrature engine: a layer's one-dimensional integrals, each with a bound on its error."""

from __future__ import annotations

from collections.abc import Sequence

from normcal.engine import Effort, Engine
from normcal.errors import Unsupported
from normcal.law import Normal
from normcal.layer import FORWARD, Component, Layer
from normcal.result import Estimate


class Quadrature(Engine):
    """Integrates what the layer reduces to, and puts moments together; the true error is below the bound."""

    name = "quadrature"
    rank = 2
    summary = "Gauss-Legendre panels; error: bound on truncation and rounding"

    def find(self, layer: Layer, direction: str, law: Normal, effort: Effort) -> Estimate:
        if _has_components(layer, direction) and not _overridden(layer, "components"):
            layer.components(direction, law)  # raises the reason before NumPy is loaded
        import numpy as np

        from normcal.engines._integrate import PanelIntegrals
        from normcal.numerics.balls import BALLS

        with np.errstate(all="ignore"):
            found = layer.reduced(direction, law, PanelIntegrals(), BALLS)
            return _assembled(effort, layer, direction, law, found)

    def together(self, asked: Sequence[tuple[Layer, str]], law: Normal, effort: Effort) -> list:
        """Integrate the components of all layers that are nothing else at once; the others are left to their turn."""
        answers: list = [None] * len(asked)
        components = {}
        for place, (layer, direction) in enumerate(asked):
            if not _has_components(layer, direction):
                continue
            try:
                answers[place] = self.absent(layer, direction, law)
                if answers[place] is None:
                    components[place] = layer.components(direction, law)
            except Unsupported as reason:
                answers[place] = reason
        if components:
            self._integrate(asked, components, law, effort, answers)
        return answers

    def _integrate(self, asked, components: dict[int, Sequence[Component]], law: Normal, effort: Effort, answers: list):
        """Put the estimates of the layers with these components among the answers."""
        import numpy as np

        from normcal.engines._integrate import PanelIntegrals

        with np.errstate(all="ignore"):
            integrals = PanelIntegrals()
            integrals.prepare([(asked[place][1], c) for place, those in components.items() for c in those], law)
            for place, those in components.items():
                layer, direction = asked[place]
                found = integrals.mixture(those, law) if direction == FORWARD else integrals.slopes(those, law)
                answers[place] = _assembled(effort, layer, direction, law, found)

    def serves(self, layer: Layer, direction: str, law: Normal) -> bool:
        from normcal.engines._integrals import NoIntegrals
        from normcal.numerics.balls import BALLS

        try:
            layer.reduced(direction, law, NoIntegrals(), BALLS)
        except Unsupported:
            return False
        return True


ENGINE = Quadrature()


def _has_components(layer: Layer, direction: str) -> bool:
    """Whether the integrals of the layer are those of its components, put together as any layer's are."""
    return not (_overridden(layer, f"reduced_{direction}") or _overridden(layer, "reduced"))


def _overridden(layer: Layer, name: str) -> bool:
    return getattr(type(layer), name) is not getattr(Layer, name)


def _assembled(effort: Effort, layer: Layer, direction: str, law: Normal, found) -> Estimate:
    from normcal.engines._bounded import assembled

    return assembled(ENGINE.name, effort, layer, direction, found, finite=lambda: _finite(layer, direction, law))


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
