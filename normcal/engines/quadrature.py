"""The quadrature engine: a layer's one-dimensional integrals, each with a bound on its error."""

from __future__ import annotations

from collections.abc import Sequence

from normcal.engine import Effort, Engine
from normcal.errors import Unsupported
from normcal.law import Law
from normcal.layer import FORWARD, Component, Layer
from normcal.result import Estimate


class Quadrature(Engine):
    """Integrates what the layer reduces to, and puts moments together; the true error is below the bound."""

    name = "quadrature"
    rank = 2
    summary = "Gauss-Legendre panels; error: bound on truncation and rounding"

    def find(self, layer: Layer, direction: str, law: Law, effort: Effort) -> Estimate:
        if _has_components(layer, direction) and not _overridden(layer, "components"):
            layer.components(direction, law)  # raises the reason before NumPy is loaded
        import numpy as np

        from normcal.engines._integrate import PanelIntegrals

        with np.errstate(all="ignore"):
            return integrated(layer, direction, law, effort, PanelIntegrals())

    def together(self, asked: Sequence[tuple[Layer, str]], law: Law, effort: Effort) -> list:
        """Integrate the components of all layers that are nothing else at once; the others are left to their turn."""
        answers: list = [None] * len(asked)
        components = {}
        for place, (layer, direction) in enumerate(asked):
            if not _has_components(layer, direction) or not _plain(direction, law):
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

    def _integrate(self, asked, components: dict[int, Sequence[Component]], law: Law, effort: Effort, answers: list):
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

    def serves(self, layer: Layer, direction: str, law: Law) -> bool:
        from normcal.engines._integrals import NoIntegrals
        from normcal.engines._pulled import moments

        try:
            moments(layer, direction, law, NoIntegrals())
        except Unsupported:
            return False
        return True


ENGINE = Quadrature()


def integrated(layer: Layer, direction: str, law: Law, effort: Effort, integrals, name: str = ENGINE.name) -> Estimate:
    """Return the estimate that integrals of any kind make, under any laws of the input and of the gradient."""
    from normcal.engines._bounded import bounded
    from normcal.engines._pulled import moments

    found = moments(layer, direction, law, integrals)
    if direction == FORWARD or law.gradient.plain:
        return _assembled(effort, layer, direction, law, found, name)
    return bounded(name, effort, *found, finite=lambda: True)


def _plain(direction: str, law: Law) -> bool:
    """Whether the integrals are those that layers state, as they stand."""
    return law.normal and (direction == FORWARD or (law.gradient.plain and law.gradient.std == 1.0))


def _has_components(layer: Layer, direction: str) -> bool:
    """Whether the integrals of the layer are those of its components, put together as any layer's are."""
    return not (_overridden(layer, f"reduced_{direction}") or _overridden(layer, "reduced"))


def _overridden(layer: Layer, name: str) -> bool:
    return getattr(type(layer), name) is not getattr(Layer, name)


def _assembled(effort: Effort, layer: Layer, direction: str, law: Law, found, name: str = ENGINE.name) -> Estimate:
    from normcal.engines._bounded import assembled

    return assembled(name, effort, layer, direction, found, finite=lambda: _finite(layer, direction, law))


def _finite(layer: Layer, direction: str, law: Law) -> bool:
    """Whether an infinity is the arithmetic's doing: far nodes may overflow though the moments do not.

    At the mean of the input f itself is too large where the moments are.
    """
    import numpy as np

    from normcal.numerics.balls import BALLS, ball

    if direction != FORWARD or not law.normal:
        return True
    try:
        components = layer.components(direction, law)
    except Unsupported:
        return True
    return all(np.isfinite(ball(c.f(ball(law.mean), BALLS)).mid) for c in components)
