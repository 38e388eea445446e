"""SELU: the ELU whose fixed point is a given mean and variance."""

from __future__ import annotations

from dataclasses import replace

from normcal.answer import NO_SOLUTION, SOLVED, Answer, Solution
from normcal.layer import Reference
from normcal.param import Param
from normcal.problem import options
from normcal.recipe import Recipe, checks
from normcal.value import Value


class Selu(Recipe):
    r"""Scale λ and α of the ELU that keeps a mean and a variance: the fixed point of a self-normalising network.

    For :math:`x \sim N(\mu, \nu)` the two branches :math:`\lambda x_+` and :math:`\kappa (e^x - 1)`, x < 0, with
    :math:`\kappa = \lambda\alpha`, are never both other than 0, so that mean and second moment are
    :math:`\lambda A + \kappa B` and :math:`\lambda^2 A_2 + \kappa^2 B_2`: with the mean given, a quadratic in λ.
    """

    name = "selu"
    params = (
        Param("mean", 0.0, "[-100, 100]", "mean μ to keep"),
        Param("variance", 1.0, "(0, 100]", "variance ν to keep"),
    )
    references = (Reference("Klambauer et al. 2017, Self-Normalizing Neural Networks", "arXiv:1706.02515"),)

    def solve(self, layer, request, *, mean, variance):
        from normcal import catalog
        from normcal.numerics.balls import BALLS, Ball

        scales, seconds = _scales(Ball(mean), Ball(variance), BALLS)
        std = float(BALLS.sqrt(Ball(variance)).mid)
        law = request if (mean, std) == (0.0, 1.0) else replace(request, mean=mean, std=std)
        solutions = []
        for scale, alpha in scales:
            found = {"alpha": Value.of(alpha.mid, alpha.rad), "output_scale": Value.of(scale.mid, scale.rad)}
            elu = catalog.find("elu")(**{name: value.value for name, value in found.items()})
            asked = checks(elu, law, {"forward.mean": mean, "forward.std^2": variance})
            solutions.append(Solution(found, asked, spec=elu.spec, options=options(law)))
        said = [
            "the formulas of the two branches make the condition a quadratic in the scale, so these are all solutions "
            "with a positive scale" if scales else
            f"no solution with a positive scale: {seconds}",
            "errors: rounding alone, proved by ball arithmetic",
        ]  # fmt: skip
        return Answer(
            f"recipe selu: ELU with mean {mean:g} and variance {variance:g} as its fixed point",
            SOLVED if solutions else NO_SOLUTION, tuple(solutions), tuple(said[: 1 + bool(scales)]),
            data={"recipe": {"name": self.name, "mean": mean, "variance": variance}},
            references=tuple(map(str, self.references)), assumptions={"input": law.law.data()},
        )  # fmt: skip


RECIPE = Selu()


def _scales(mean, variance, m):
    """Return (scale, alpha) of every solution with a positive scale, as balls, and else why there is none."""
    from normcal.numerics.balls import Ball

    std = m.sqrt(variance)
    t = mean / std
    second = mean * mean + variance
    # E x_+, E x_+^2 and, over x < 0, E (e^x - 1), E (e^x - 1)^2
    right, density = m.Phi(t), m.phi(t)
    a, a2 = mean * right + std * density, second * right + mean * std * density
    once = m.exp(mean + 0.5 * variance) * m.Phi(-(t + std))
    twice = m.exp(2.0 * (mean + variance)) * m.Phi(-(t + 2.0 * std))
    left = m.Phi(-t)
    b, b2 = once - left, twice - 2.0 * once + left
    ratio = b2 / (b * b)
    lead, half, rest = a2 + a * a * ratio, mean * a * ratio, mean * mean * ratio - second
    inside = half * half - lead * rest
    if not inside.mid > inside.rad:
        return [], "no scale gives that variance together with that mean"
    root = m.sqrt(inside)
    found = []
    for sign in (1.0, -1.0):
        scale = (half + sign * root) / lead
        if isinstance(scale, Ball) and scale.mid > scale.rad:
            found.append((scale, (mean / scale - a) / b))
    return found, "both roots of the quadratic are negative"
