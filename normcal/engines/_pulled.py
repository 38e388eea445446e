r"""Integrals under any law of the input, as integrals under normal ones; and gradients of any law.

A law pulls a function of its entries back to normal variables: :math:`E\,g(f(x)) = \sum_k m_k E[w_k(z)\,g(f_k(z))]`.
Whatever integrates these has its moments.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from normcal.engines._integrals import Integrals, Moments, mixed
from normcal.errors import Unsupported
from normcal.law import Law
from normcal.layer import BACKWARD, FORWARD, Component, Layer
from normcal.numerics.balls import Ball, ball, hypot, root_of_squares

#: Why a layer's integrals do not serve.
ONLY_NORMAL = "its integrals are those of a normal input"


class PulledIntegrals(Integrals):
    """Moments under a law of any kind, by the integrals that ``inner`` does under normal ones."""

    def __init__(self, inner: Integrals) -> None:
        self.inner = inner

    def moments_of_f(self, component: Component, law: Law) -> Moments:
        found = [(c.mass, *self.inner.moments_of_f(c, normal)) for normal, c in _pulled(component, law, FORWARD)]
        return mixed(found)

    def rms_of_slope(self, component: Component, law: Law) -> Ball:
        found = [(c.mass, self.inner.rms_of_slope(c, normal)) for normal, c in _pulled(component, law, BACKWARD)]
        return found[0][1] if len(found) == 1 else root_of_squares(found)

    def line(self, g: Callable) -> list[Ball]:
        raise Unsupported(ONLY_NORMAL)


def moments(layer: Layer, direction: str, law: Law, integrals: Integrals):
    """Return what the integrals of a layer give under the laws of the input and of the gradient.

    That is what ``Layer.reduced`` returns, or (mean, std, rms) of a gradient that is not of mean 0 and independent.
    """
    from normcal.numerics.balls import BALLS

    check(layer, direction, law)
    q = integrals if law.normal else PulledIntegrals(integrals)
    if direction == BACKWARD and not law.gradient.plain:
        return gradient(layer, law, q)
    return scaled(layer.reduced(direction, law, q, BALLS), direction, law)


def _pulled(component: Component, law: Law, direction: str):
    return law.pulled(replace(component, mass=1.0), direction)


def check(layer: Layer, direction: str, law: Law) -> None:
    """Raise Unsupported for a layer whose integrals assume what the law is not."""
    if not (law.normal or layer.any_law):
        raise Unsupported(ONLY_NORMAL)
    if direction == BACKWARD and not law.gradient.plain and not layer.any_law:
        raise Unsupported("its integrals are those of an incoming gradient of mean 0, independent of the input")


def gradient(layer: Layer, law: Law, q: Integrals) -> Moments:
    r"""Return (mean, std, rms) of an entry of dx where dy has a mean, or depends on the input.

    With :math:`dy = a(x) + b\,\xi`, :math:`a = m + s\rho u`, :math:`b = s\sqrt{1-\rho^2}`, the gradient
    :math:`dx = \sum_k f_k'(x)\,dy_k` has the mean :math:`E[a\sum_k f_k']` and the variance
    :math:`\mathrm{Var}[a\sum_k f_k'] + b^2 \sum_k E f_k'^2`. Noise of slope n' adds :math:`E[n'^2(a^2 + b^2)]`.
    """
    from normcal.laws._maps import number
    from normcal.numerics.duals import slope_of

    g = law.gradient
    rest = ball(g.std) * _sine(g.correlation)
    components = layer.components(BACKWARD, law)
    steep = ball(g.std) * g.correlation / law.std

    def a(x, m):
        if not g.correlation:
            return g.mean
        return (x - law.mean) * number(steep, m) + g.mean

    def times_a(functions: list):
        return lambda x, m: sum((f(x, m) for f in functions[1:]), functions[0](x, m)) * a(x, m)

    slopes = [c.slope or slope_of(c.f) for c in components]
    noises = [slope_of(c.noise) for c in components if c.noise is not None]
    plain = replace(components[0], slope=None, noise=None, mass=1.0)
    mean, std, rms = q.moments_of_f(replace(plain, f=times_a(slopes)), law)
    more = [(1.0, q.rms_of_slope(replace(c, noise=None, mass=1.0), law) * rest) for c in components]
    for noise, c in zip(noises, [c for c in components if c.noise is not None], strict=True):
        more.append((1.0, q.moments_of_f(replace(plain, f=times_a([noise])), law)[2]))
        more.append((1.0, q.rms_of_slope(replace(c, f=c.noise, noise=None, slope=None, mass=1.0), law) * rest))
    added = root_of_squares(more)
    return mean, hypot(std, added), hypot(rms, added)


def _sine(cosine: float) -> Ball:
    from normcal.numerics.balls import BALLS

    return BALLS.sqrt((Ball(1.0) - cosine) * (Ball(1.0) + cosine))


def scaled(found, direction: str, law: Law):
    """Return what formulas or integrals gave for an incoming gradient of std 1, for one of the law's std."""
    std = law.gradient.std
    if direction != BACKWARD or std == 1.0:
        return found
    return {name: x * std for name, x in found.items()} if isinstance(found, dict) else found * std
