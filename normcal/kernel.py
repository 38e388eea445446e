r"""The kernel of an activation: Hermite coefficients, dual activation, correlation map, and what follows from them.

For an elementwise f, and u, v normal of mean :math:`\mu`, std :math:`\sigma` and correlation c, the dual activation is
:math:`\hat f(c) = E[f(u) f(v)] = \sum_k a_k^2 c^k` with :math:`a_k = E[f(\mu + \sigma z) h_k(z)]` and the normalised
Hermite polynomials :math:`h_k = \mathrm{He}_k/\sqrt{k!}`. Its n-th derivative in c is the dual activation of the n-th
derivative of :math:`g(z) = f(\mu + \sigma z)` (Daniely et al. 2016, arXiv:1602.05897).
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from normcal.errors import RequestError, Unsupported, echo
from normcal.law import STANDARD, Normal
from normcal.layer import BACKWARD, FORWARD, Component, Elementwise, Layer
from normcal.result import INFINITE, OK, UNDEFINED
from normcal.spec import CODE
from normcal.value import Value

if TYPE_CHECKING:
    from normcal.meanfield import CriticalPoints, FixedPoints, Network
    from normcal.numerics.balls import Ball

#: Coefficients of Mehler's series, and how wide it may be, relative to E f^2, before the integral is tried.
SERIES, WIDE = 64, 2e-14
MOST_COEFFICIENTS = 256
#: Derivatives of the dual activation that can be asked for.
ORDERS = (1, 2)
#: Beyond these stds q = std^2, and what is multiplied with it, over- or underflows.
SMALLEST, LARGEST = 1e-49, 1e49
#: An integral whose bound is relatively wider has no bound that tells anything.
USELESS = 1e-3
CLOSED, MEHLER, NESTED, INTEGRAL = "closed form", "Hermite series", "quadrature", "integral"


@dataclass(frozen=True)
class Figure(Value):
    """A Value that says how it was found, or why there is none; ``status`` is ok, infinite or undefined."""

    status: str = OK
    route: str = ""
    reason: str = ""

    def data(self) -> dict:
        """Return it as JSON holds it."""
        record = {"value": self.value, "error": self.error, "status": self.status}
        return record | {key: text for key, text in (("route", self.route), ("reason", self.reason)) if text}


def figure(ball: Ball, route: str = INTEGRAL) -> Figure:
    """Return the figure of a ball."""
    found = Value.of(ball.mid, ball.rad)
    if found.value is None:
        return Figure(status=UNDEFINED, route=route, reason="the arithmetic overflows, so nothing can be stated")
    return Figure(found.value, found.error, OK, route)


def of(layer: Layer | str, law: Normal = STANDARD) -> Kernel:
    r"""Return the kernel of a layer that applies one function to every entry.

    Parameters
    ----------
    layer: an elementwise layer of one function, scaled and shifted as it may be, or its SPEC.
    law: the normal law of u and v; its std must be positive.

    Returns
    -------
    The Kernel, which computes what it is asked for, every number with a bound on its error.

    Raises
    ------
    RequestError: for a layer of any other kind, a law that is no normal one or is constant, an infinite E f^2.

    Examples
    --------
    >>> kernel = of("relu")
    >>> round(kernel.dual(0.5).value, 12), kernel.dual(0.5).error < 1e-14  # arc-cosine kernel of order 1
    (0.304498890522, True)
    >>> round(kernel.slope_at(1.0).value, 12), kernel.slope_at(1.0, order=2).status
    (0.5, 'infinite')
    """
    if isinstance(layer, str):
        from normcal import catalog

        layer = catalog.layer(layer)
    check(layer, law)
    return Kernel(layer, law.mean, law.std)


def check(layer: Layer, law: Normal) -> None:
    """Refuse what has no kernel, with the reason and what is accepted."""
    what = _why_not(layer)
    if what:
        raise RequestError(
            f"{layer.spec}: a kernel is that of one function applied to every entry, and {layer.name} {what}.",
            'Accepted: elementwise layers of one function, and chains of them, such as relu or "relu | tanh".',
        )
    if not getattr(law, "normal", True) or not isinstance(law, Normal):
        raise RequestError(f"a kernel is defined here for normal inputs, not for {law}.", "Accepted: --mean and --std.")
    if not law.std > 0.0:
        raise RequestError(
            f"std cannot be {echo(law.std)} for a kernel: a constant input has no correlation.",
            "Accepted: a number above 0.",
        )
    if not SMALLEST <= law.std <= LARGEST:
        raise RequestError(
            f"std cannot be {echo(law.std)} for a kernel: its square over- or underflows.",
            f"Accepted: a number from {SMALLEST:g} to {LARGEST:g}.",
        )
    for reason in (layer.undefined(FORWARD, law), layer.infinite(FORWARD, law)):
        if reason:
            raise RequestError(f"{layer.spec}: there is no kernel: {reason}.", "Accepted: a law with a finite E f^2.")


def _why_not(layer: Layer) -> str:
    """Return why a layer is not one function of one entry; a surrogate for the derivative plays no part here."""
    stages = getattr(layer, "stages", ())
    if stages:
        return next((f"is not that, since {stage.spec} {why}" for stage in stages if (why := _why_not(stage))), "")
    if layer.name == CODE:
        return "is known by its values alone, not as a formula"
    if not isinstance(layer, Elementwise):
        return "is not that"
    if layer.noise is not None:
        return "is random"
    return "puts several functions side by side" if len(layer.branches()) > 1 else ""


class Kernel:
    r"""The kernel of one function under :math:`N(\mu, \sigma^2)`; ``of`` makes it.

    Parameters
    ----------
    layer: an elementwise layer of one function.
    mean, std: those of u and v. The std may be a ball, as that of a fixed point is: its error is then part of every
        bound.

    Returns
    -------
    Its methods return Figures: ``value``; ``error``, a bound on how far that is off, None where nothing can be stated;
    ``status`` ok, infinite or undefined with a ``reason``; and the ``route`` by which the value was found.

    Raises
    ------
    RequestError: from every method, for a correlation outside of [-1, 1] and for an order, route, sigma or q that is
        none. Unsupported: where the route that is asked for does not serve the function.
    """

    def __init__(self, layer: Layer, mean: float, std: float | Ball) -> None:
        self.layer, self.mean, self.std = layer, float(mean), std
        self._found: dict[tuple[float, int, str], Figure] = {}

    @property
    def law(self) -> Normal:
        """The law of u and v, its std in the middle of its ball."""
        return Normal(self.mean, float(getattr(self.std, "mid", self.std)))

    # --- what one-dimensional integrals say ---

    @functools.cached_property
    def component(self) -> Component:
        """The function g of a standard normal variable."""
        return component(self.layer, self.mean, self.std)

    @functools.cached_property
    def mean_output(self) -> Ball:
        """E f(u)."""
        from normcal.engines import _kernels

        return _kernels.mean(self.component)

    @functools.cached_property
    def square(self) -> Ball:
        """E f(u)^2, the dual activation at 1."""
        return self._square(0)

    @functools.cached_property
    def slope(self) -> Ball:
        """E g'^2, the derivative of the dual activation at 1 where nothing jumps."""
        return self._square(1)

    def _square(self, order: int) -> Ball:
        from normcal.engines import _kernels

        return _kernels.squares([_kernels.derived(self.component, order)])[0]

    @functools.cached_property
    def jumps(self) -> list:
        """(z, height) of each jump of g; one that rounding hides is taken for none."""
        return _jumps(self.component)

    @functools.cached_property
    def bends(self) -> list:
        """(z, height) of each jump of g'."""
        from normcal.engines import _kernels

        return _jumps(_kernels.derived(self.component))

    def coefficients(self, n: int = 8) -> list[Figure]:
        r"""Return the Hermite coefficients :math:`a_k = E[f(\mu + \sigma z)\,h_k(z)]`, k = 0 .. n, with bounds.

        The polynomials are the probabilists', normalised: :math:`h_k = \mathrm{He}_k/\sqrt{k!}`, so that
        :math:`\sum a_k^2 = E f^2`.

        >>> [round(a.value, 9) for a in of("relu").coefficients(2)]  # 1/sqrt(2 pi), 1/2, 1/(2 sqrt pi)
        [0.39894228, 0.5, 0.282094792]
        """
        return [figure(a) for a in self._coefficients(degree(n))]

    def _coefficients(self, n: int) -> list[Ball]:
        from normcal.engines import _kernels
        from normcal.numerics.balls import Ball

        known = self.__dict__.get("_series")
        found = known if known is not None and len(known.mid) > n else _kernels.coefficients(self.component, n)
        return [Ball(float(mid), float(rad)) for mid, rad in zip(found.mid[: n + 1], found.rad[: n + 1], strict=True)]

    @functools.cached_property
    def _series(self) -> Ball:
        from normcal.engines import _kernels

        return _kernels.coefficients(self.component, SERIES)

    # --- the dual activation and its derivatives ---

    def dual(self, c: float, route: str = "") -> Figure:
        r"""Return the dual activation :math:`E[f(u) f(v)]` at correlation c in [-1, 1], with a bound on its error.

        By the closed form of the layer where the literature has one, by the Hermite series with its tail bounded, or by
        nested quadrature, whichever is asked for as ``route``; without one, the first that is narrow enough.

        >>> kernel = of("erf")
        >>> [round(kernel.dual(0.5, route).value, 12) for route in (CLOSED, MEHLER, NESTED)]  # (2/pi) arcsin(2c/3)
        [0.216346895939, 0.216346895939, 0.216346895939]
        """
        return self._derivative(correlation(c), 0, route)

    def slope_at(self, c: float, order: int = 1, route: str = "") -> Figure:
        r"""Return the first or second derivative of the dual activation in c, with a bound on its error.

        At c = 0 these are :math:`a_1^2` and :math:`2 a_2^2`, at c = 1 :math:`E g'^2` and :math:`E g''^2` of
        :math:`g(z) = f(\mu + \sigma z)`, where these exist: infinite for a function that jumps, and for the second
        derivative of one whose slope jumps.

        >>> kernel = of("heaviside")
        >>> round(kernel.slope_at(0.0).value, 12), kernel.slope_at(1.0).status  # 1/(2 pi)
        (0.159154943092, 'infinite')
        """
        if order not in ORDERS:
            raise RequestError(f"order cannot be {echo(order)}.", "Accepted: 1 or 2.")
        return self._derivative(correlation(c), order, route)

    def _derivative(self, c: float, order: int, route: str = "") -> Figure:
        asked = (c, order, route)
        if asked not in self._found:
            self._found[asked] = self._computed(*asked)
        return self._found[asked]

    def _computed(self, c: float, order: int, route: str) -> Figure:
        if route:
            return self._by(route, c, order)
        if abs(c) == 1.0:
            return self._at_the_ends(c, order)
        if c == 0.0:
            a = self.mean_output if order == 0 else self._coefficients(SERIES)[order]
            return figure(a.square() * float(math.factorial(order)), INTEGRAL)
        try:
            found = self._by(CLOSED, c, order)
            if found.error is not None:
                return found
        except Unsupported:
            pass
        found = self._by(MEHLER, c, order)
        if found.error is not None and found.error <= WIDE * max(float(self.square.mid), abs(found.value)):
            return found
        try:
            other = self._by(NESTED, c, order)
        except Unsupported:
            return found
        return min(found, other, key=lambda it: math.inf if it.error is None else it.error)

    def _by(self, route: str, c: float, order: int) -> Figure:
        routes = {CLOSED: self._closed, MEHLER: self._mehler, NESTED: self._nested}
        if route not in routes:
            raise RequestError(f"route cannot be {echo(route)}.", f"Accepted: {', '.join(routes)}.")
        return figure(routes[route](c, order), route)

    def _closed(self, c: float, order: int) -> Ball:
        from normcal.numerics.balls import BALLS, ball
        from normcal.numerics.duals import Dual, Duals, lift

        layer = self.layer
        if order > 1 or abs(c) == 1.0 or not isinstance(layer, Elementwise):
            raise Unsupported("formulas are those of elementwise layers: the dual activation and its slope, |c| < 1")
        mean = ball(self.mean) * layer.input_scale + layer.input_shift
        std = ball(self.std) * abs(layer.input_scale)
        square = ball(layer.output_scale) * layer.output_scale
        if order > 0:
            found = layer.closed_dual(mean, std, Dual(ball(c), ball(1.0)), Duals(BALLS))
            return ball(lift(found).slope) * square
        found = ball(layer.closed_dual(mean, std, ball(c), BALLS)) * square
        if layer.output_shift == 0.0:
            return found
        shift = ball(layer.output_shift)  # E (a f(u) + b)(a f(v) + b) = a^2 E f f + 2 b E(a f + b) - b^2
        return found + self.mean_output * shift * 2.0 - shift * shift

    def _mehler(self, c: float, order: int) -> Ball:
        from normcal.engines import _kernels
        from normcal.numerics.balls import Ball

        return _kernels.series(self._series, self.square, Ball(c), order)

    def _nested(self, c: float, order: int) -> Ball:
        from normcal.engines import _kernels

        if order and (self.jumps if order == 2 or abs(c) == 1.0 else ()):
            raise Unsupported("the derivative of a function that jumps is no function")
        deltas = self.jumps if order == 1 else self.bends if order == 2 else ()
        if deltas and abs(c) == 1.0:
            raise Unsupported("the derivative jumps")
        whole = self.square if order == 0 else self.slope
        size = float(whole.mid) + sum(float(height.mid) ** 2 for _, height in deltas) or 1.0
        return _kernels.nested(_kernels.derived(self.component, order), c, size, deltas)

    def _at_the_ends(self, c: float, order: int) -> Figure:
        """Return E g^2, E g'^2 or E g''^2 at c = 1, and E of their mirrored products at c = -1."""
        reason = self._infinite(order)
        if reason and c > 0.0:
            return Figure(status=INFINITE, route=INTEGRAL, reason=reason)
        if reason:
            reason = f"the series need not converge at -1, since {reason}"
            return Figure(status=UNDEFINED, route=INTEGRAL, reason=reason)
        if c < 0.0:
            return figure(self._nested(c, order), INTEGRAL)
        if order < 2:
            return figure(self.slope if order else self.square)
        found = figure(self._square(2))
        if found.error is None or found.error > USELESS * abs(found.value or 0.0) + 1e-300:
            return Figure(status=UNDEFINED, route=INTEGRAL, reason="no bound can be stated for E f''^2")
        return found

    def _infinite(self, order: int) -> str:
        """Return why E of the squared derivative of that order is infinite; empty where it is not known to be."""
        if order == 0:
            return ""
        if self.jumps:
            return "the function jumps"
        reason = self.layer.infinite(BACKWARD, self.law)
        if reason:
            return reason
        return "the derivative jumps" if order == 2 and self.bends else ""

    # --- the correlation map ---

    def correlation_map(self, c: float) -> Figure:
        r"""Return :math:`\hat f(c)/\hat f(1)`: the cosine between the outputs, for inputs of correlation c.

        >>> round(of("relu").correlation_map(0.0).value, 12)  # 1/pi
        0.318309886184
        """
        return self._over_square(self.dual(c))

    def map_slope(self, c: float, order: int = 1) -> Figure:
        r"""Return the first or second derivative of the correlation map in c.

        >>> round(of("tanh").map_slope(1.0).value, 6)
        1.177807
        """
        return self._over_square(self.slope_at(c, order))

    def _over_square(self, found: Figure) -> Figure:
        if found.status != OK:
            return found
        ratio = found.over(figure(self.square))
        return Figure(ratio.value, ratio.error, OK if ratio.value is not None else UNDEFINED, found.route)

    # --- wide networks ---

    def network(self, sigma_w: float = 1.0, sigma_b: float = 0.0) -> Network:
        """Return the mean-field maps of a wide network of this activation; see ``meanfield.Network``."""
        from normcal.meanfield import Network

        return Network(self.layer, self.mean, sigma_w, sigma_b)

    def q_map(self, q: float, sigma_w: float = 1.0, sigma_b: float = 0.0) -> Figure:
        r"""Return :math:`\sigma_w^2\,E f(\mu + \sqrt q\,z)^2 + \sigma_b^2`.

        >>> round(of("relu").q_map(3.0, sigma_w=2**0.5).value, 12)
        3.0
        """
        return self.network(sigma_w, sigma_b).q_map(q)

    def q_slope(self, q: float, sigma_w: float = 1.0) -> Figure:
        r"""Return the derivative of the q-map at q, :math:`\sigma_w^2\,E[f(x)^2(z^2-1)]/(2q)`.

        >>> round(of("square").q_slope(2.0).value, 12)  # (3 q^2)' = 6 q
        12.0
        """
        return self.network(sigma_w).q_slope(q)

    def chi(self, sigma_w: float = 1.0, q: float = 1.0) -> Figure:
        r"""Return :math:`\chi = \sigma_w^2\,E f'(\mu + \sqrt q\,z)^2`; infinite for a function that jumps.

        >>> round(of("relu").chi(sigma_w=2**0.5).value, 12)
        1.0
        """
        return self.network(sigma_w).chi(q)

    def fixed_points(self, sigma_w: float, sigma_b: float = 0.0, **interval: float) -> FixedPoints:
        """Return the fixed points of the q-map on an interval; see ``meanfield.Network.fixed_points``."""
        return self.network(sigma_w, sigma_b).fixed_points(**interval)

    def critical(self, sigma_b: float = 0.0, **interval: float) -> CriticalPoints:
        """Return the points of the critical line, chi = 1, at this sigma_b; see ``meanfield.critical``."""
        from normcal import meanfield

        return meanfield.critical(self.layer, self.mean, sigma_b, **interval)


def component(layer: Layer, mean: float, std: float | Ball) -> Component:
    r"""Return :math:`g(z) = f(\mu + \sigma z)` of a layer as a component; the std may be a ball."""
    from normcal.engines import _kernels

    width = float(getattr(std, "mid", std))
    try:
        (found,) = layer.components(FORWARD, Normal(mean, width))
    except Unsupported as reason:
        raise RequestError(
            f"{layer.spec}: there is no kernel at std {width:g}: {reason}.", "Accepted: a smaller std."
        ) from None
    return _kernels.standardised(found, mean, std)


def _jumps(component: Component) -> list:
    from normcal.engines import _kernels

    return [(z, height) for z, height in _kernels.jumps(component) if height.mid != 0.0]


def degree(n: int) -> int:
    """Return the degree up to which there are coefficients, or refuse what is none."""
    if not isinstance(n, int) or isinstance(n, bool) or not 0 <= n <= MOST_COEFFICIENTS:
        raise RequestError(
            f"coefficients cannot be {echo(n)}.", f"Accepted: a whole number from 0 to {MOST_COEFFICIENTS}."
        )
    return n


def correlation(c: float) -> float:
    """Return a correlation, or refuse what is none."""
    number = isinstance(c, (int, float)) and not isinstance(c, bool)
    if not number or not -1.0 <= c <= 1.0:
        raise RequestError(f"a correlation cannot be {echo(c)}.", "Accepted: a number in [-1, 1].")
    return float(c)
