"""The quadrature engine: a layer's one-dimensional integrals, each with a bound on its error."""

from __future__ import annotations

from normcal.engine import Effort, Engine
from normcal.law import Normal
from normcal.layer import BACKWARD, Component, Layer
from normcal.result import Estimate


class Quadrature(Engine):
    """Integrates the layer's components and puts their moments together; the true error is below the bound."""

    name = "quadrature"
    rank = 2
    summary = "Gauss-Legendre panels; error: bound on truncation and rounding"

    def find(self, layer: Layer, direction: str, law: Normal, effort: Effort) -> Estimate:
        components = layer.components(direction, law)
        import numpy as np

        with np.errstate(all="ignore"):
            return (_backward if direction == BACKWARD else _forward)(components, law, effort)


ENGINE = Quadrature()


def _forward(components: list[Component], law: Normal, effort: Effort) -> Estimate:
    """Mix the components: the variance is that within them plus that between their means."""
    import numpy as np

    from normcal.engines._bounded import bounded
    from normcal.engines._integrate import forward_moments
    from normcal.numerics.balls import BALLS, ball, root_of_squares

    found = [(c.mass, *forward_moments(c, law)) for c in components]
    # far nodes may overflow though the moments do not; at the mean of the input f itself is too large
    finite = all(np.isfinite(ball(c.f(ball(law.mean), BALLS)).mid) for c in components)
    if len(found) == 1:
        return bounded(ENGINE.name, effort, *found[0][1:], finite=finite)
    mean = sum((its_mean * mass for mass, its_mean, _, _ in found), ball(0.0))
    within = [(mass, std) for mass, _, std, _ in found]
    between = [(mass, its_mean - mean) for mass, its_mean, _, _ in found]
    rms = root_of_squares([(mass, its_rms) for mass, _, _, its_rms in found])
    return bounded(ENGINE.name, effort, mean, root_of_squares(within + between), rms, finite=finite)


def _backward(components: list[Component], law: Normal, effort: Effort) -> Estimate:
    from normcal.engines._bounded import bounded
    from normcal.engines._integrate import backward_std
    from normcal.numerics.balls import ball, root_of_squares

    std = root_of_squares([(c.mass, backward_std(c, law)) for c in components])
    return bounded(ENGINE.name, effort, ball(0.0), std, std, finite=True)
