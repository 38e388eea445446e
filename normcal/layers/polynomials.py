"""Polynomials, whose Gaussian moments are exact."""

from __future__ import annotations

import math

from normcal.layer import ANYTHING, Elementwise, Param, Reference

_HERMITE = Reference("Daniely et al. 2016, Toward Deeper Understanding of Neural Networks", "arXiv:1602.05897")
_QUADRATIC = Reference(
    "Livni et al. 2014, On the Computational Efficiency of Training Neural Networks", "arXiv:1410.1141"
)
_MOST = 12


class _Polynomial(Elementwise):
    r"""A polynomial; by Hermite coefficients of :math:`p(\mu+\sigma z)` its variance is a sum of squares."""

    moments = (
        ("forward mean", "h₀, with p(μ + σz) = Σ hₙ Heₙ(z)", r"h_0,\ p(\mu+\sigma z) = \sum_n h_n\mathrm{He}_n(z)"),
        ("forward variance", "Σₙ₌₁ n! hₙ²", r"\sum_{n\ge1} n!\,h_n^2"),
        ("backward second moment", "Σₙ n! gₙ², with p'(μ + σz) = Σ gₙ Heₙ(z)", r"\sum_n n!\,g_n^2"),
    )

    #: in ascending order
    coefficients: tuple[float, ...] = ()

    def f(self, x, m):
        *lower, total = self.coefficients
        total = total + 0.0 * x if not lower else total
        for c in reversed(lower):
            total = total * x + c
        return total

    def closed_forward(self, law, m):
        from normcal.layers._hermite import hermite, spread

        found = hermite(self.coefficients, law.mean, law.std)
        return found[0], spread(found)

    def closed_backward(self, law, m):
        from normcal.layers._hermite import derived, hermite, size

        return size(hermite(derived(self.coefficients), law.mean, law.std))

    def closed_dual(self, mean, std, c, m):
        from normcal.layers._hermite import hermite

        found = hermite(self.coefficients, mean, std)
        total, power = found[0] * found[0], c
        for n, h in enumerate(found[1:], start=1):
            total, power = power * (h * h * float(math.factorial(n))) + total, power * c
        return total


class Square(_Polynomial):
    """The square."""

    name = "square"
    aliases = ("quadratic",)
    formula, latex = "x²", "x^2"
    moments = (
        ("forward mean", "μ² + σ²", r"\mu^2+\sigma^2"),
        ("forward std", "σ √(4μ² + 2σ²)", r"\sigma\sqrt{4\mu^2+2\sigma^2}"),
        ("backward std", "2 √(μ² + σ²)", r"2\sqrt{\mu^2+\sigma^2}"),
    )
    references = (_QUADRATIC,)
    coefficients = (0.0, 0.0, 1.0)

    def f(self, x, m):
        return x * x


class Cube(_Polynomial):
    """The cube."""

    name = "cube"
    aliases = ("cubic",)
    formula, latex = "x³", "x^3"
    moments = (
        ("forward mean", "μ³ + 3μσ²", r"\mu^3+3\mu\sigma^2"),
        ("forward std", "σ √(9μ⁴ + 36μ²σ² + 15σ⁴)", r"\sigma\sqrt{9\mu^4+36\mu^2\sigma^2+15\sigma^4}"),
        ("backward std", "3 √(μ⁴ + 6μ²σ² + 3σ⁴)", r"3\sqrt{\mu^4+6\mu^2\sigma^2+3\sigma^4}"),
    )
    references = (Reference("Chen & Manning 2014, A Fast and Accurate Dependency Parser using Neural Networks"),)
    coefficients = (0.0, 0.0, 0.0, 1.0)

    def f(self, x, m):
        return x * x * x


class Monomial(_Polynomial):
    """A whole power."""

    name = "monomial"
    aliases = ("power",)
    params = (Param("power", 2, f"1..{_MOST}", "exponent n", typical=(1, 3)),)
    formula, latex = "xⁿ", "x^n"
    references = (_HERMITE,)

    @property
    def coefficients(self):
        return (0.0,) * self.power + (1.0,)

    def f(self, x, m):
        return x**self.power


class Polynomial(_Polynomial):
    """A polynomial with given coefficients."""

    name = "polynomial"
    params = (
        Param(
            "coefficients",
            (0.0, 1.0, 0.5),
            ANYTHING,
            "c₀, c₁, ... in ascending order",
            typical=((0.0, 1.0, 0.5), (0.5, -1.0, 0.0, 0.25)),
            accepts=f"a tuple of 1 to {_MOST + 1} finite numbers in ascending order, such as (0, 1, 0.5)",
        ),
    )
    formula, latex = "c₀ + c₁x + c₂x² + ...", r"\sum_k c_k x^k"
    references = (_HERMITE,)

    def check(self):
        given = self.coefficients
        if not isinstance(given, tuple) or not 1 <= len(given) <= _MOST + 1 or not all(map(_is_number, given)):
            self.params[0].refuse(given, self.name)
        self.coefficients = tuple(map(float, given))


def _is_number(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
