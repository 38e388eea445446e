"""What a layer may ask to be integrated, whoever integrates: the ``q`` of its ``reduced_*`` methods."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from normcal.law import Normal
from normcal.layer import Component
from normcal.numerics.balls import Ball, ball, hypot, root_of_squares

Moments = tuple[Ball, Ball, Ball]


def parts(component: Component) -> list[Component]:
    """Return f(x) and noise(x) of f(x) + xi noise(x) as components of their own."""
    if component.noise is None:
        return [component]
    return [replace(component, noise=None), replace(component, f=component.noise, noise=None)]


def mixed(parts: Sequence[tuple[float | Ball, Ball, Ball, Ball]]) -> Moments:
    """Return (mean, std, rms) of a mixture of (mass, mean, std, rms): the variance is that within and that between."""
    if len(parts) == 1:
        return parts[0][1:]
    mean = sum((its_mean * mass for mass, its_mean, _, _ in parts), ball(0.0))
    within = [(mass, std) for mass, _, std, _ in parts]
    between = [(mass, its_mean - mean) for mass, its_mean, _, _ in parts]
    rms = root_of_squares([(mass, its_rms) for mass, _, _, its_rms in parts])
    return mean, root_of_squares(within + between), rms


class Integrals:
    """Moments of components and integrals over the line; a subclass says how they are found."""

    def moments_of_f(self, component: Component, law: Normal) -> Moments:
        """Return (mean, std, rms) of f(x) under the component's density."""
        raise NotImplementedError

    def rms_of_slope(self, component: Component, law: Normal) -> Ball:
        """Return sqrt(E[w f'^2]), or of what stands in for f'."""
        raise NotImplementedError

    def line(self, g: Callable[[Ball], Sequence[Ball]]) -> list[Ball]:
        """Return the integral over the real line of each ball that ``g(s)`` returns."""
        raise NotImplementedError

    def moments(self, component: Component, law: Normal) -> Moments:
        """Return (mean, std, rms) of f(x) + xi noise(x)."""
        (mean, std, rms), *noises = (self.moments_of_f(part, law) for part in parts(component))
        for _, _, spread in noises:
            std, rms = hypot(std, spread), hypot(rms, spread)
        return mean, std, rms

    def slope(self, component: Component, law: Normal) -> Ball:
        """Return the rms of the derivative of f(x) + xi noise(x)."""
        found, *noises = (self.rms_of_slope(part, law) for part in parts(component))
        for noise in noises:
            found = hypot(found, noise)
        return found

    def mixture(self, components: Sequence[Component], law: Normal) -> Moments:
        """Return (mean, std, rms) of the mixture of the components."""
        return mixed([(c.mass, *self.moments(c, law)) for c in components])

    def slopes(self, components: Sequence[Component], law: Normal) -> Ball:
        """Return the root of the sum of the components' mean squared slopes."""
        found = [(c.mass, self.slope(c, law)) for c in components]
        if len(found) == 1 and found[0][0] == 1.0:
            return found[0][1]
        return root_of_squares(found)


class NoIntegrals(Integrals):
    """Answers at once with numbers that mean nothing: enough to see whether a layer asks at all."""

    def moments_of_f(self, component: Component, law: Normal) -> Moments:
        return Ball(0.0), Ball(1.0), Ball(1.0)

    def rms_of_slope(self, component: Component, law: Normal) -> Ball:
        return Ball(1.0)

    def line(self, g: Callable[[Ball], Sequence[Ball]]) -> list[Ball]:
        return [Ball(1.0) for _ in g(Ball(np.zeros(1)))]
