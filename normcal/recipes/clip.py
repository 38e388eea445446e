"""Clip: where a uniform quantiser of some bits should clip its input."""

from __future__ import annotations

from functools import partial

from normcal import solve
from normcal.answer import ESTIMATED, NO_SOLUTION, PROVED, SOLVED, Answer, Check, Solution
from normcal.errors import RequestError, counted
from normcal.layer import Reference
from normcal.param import Param
from normcal.recipe import Recipe
from normcal.solve import Axis
from normcal.value import Value

#: Clips that are searched, in units of the law's scale.
NARROWEST, WIDEST = 2.0**-7, 128.0


class Clip(Recipe):
    r"""The clip of a b-bit uniform quantiser that makes the mean squared error least, for normal or Laplace input.

    ``exact``: :math:`E(x - Q(x))^2` where Q takes x to the nearest level, whatever lies beyond the clip c to the last
    one. ``midrise`` has :math:`2^b` levels in the middle of equal parts of [−c, c], as the uniform quantisers of Max;
    ``symmetric`` has :math:`2^b - 1` levels from −c to c, as the layer quantiser. ``aciq`` is the approximation
    :math:`2\int_c^\infty (x-c)^2 p(x)\,dx + c^2/(3\cdot 4^b)` of Banner et al.: the error of a fine step inside the
    clip, and the distance to the clip, not to the last level, outside. Lengths are in units of the law's scale: the
    std of the normal law, b of the Laplace density :math:`e^{-|x|/b}/(2b)`, whose std is :math:`b\sqrt 2`.
    """

    name = "clip"
    params = (
        Param("bits", 4, "1..16", "bits b"),
        Param("law", "normal", ("normal", "laplace"), "law of the input, of mean 0 and scale 1"),
        Param("error", "exact", ("exact", "aciq"), "mean squared error, or its approximation by Banner et al."),
        Param("levels", "midrise", ("midrise", "symmetric"), "where the levels of the exact error lie"),
    )
    references = (
        Reference("Max 1960, Quantizing for minimum distortion", "IRE Trans. Inf. Theory 6"),
        Reference("Banner et al. 2019, Post training 4-bit quantization of convolutional networks", "arXiv:1810.05723"),
    )

    def solve(self, layer, request, *, bits, law, error, levels):
        if levels == "symmetric" and bits < 2:
            raise RequestError(
                "clip: bits=1 leaves symmetric levels only 0.", "Accepted: bits >= 2, or levels=midrise."
            )
        tails = _TAILS[law]
        exact = partial(_exact, tails, bits, levels)
        chosen = exact if error == "exact" else partial(_aciq, tails, bits)

        def left(points):
            return [(_value(chosen(clip)[0]),) for (clip,) in points]

        found = solve.one(left, Axis("clip", NARROWEST, WIDEST))
        solutions = []
        for root in found.roots:
            clip = root.point[0]
            solutions.append(self._solution(clip, root, chosen, exact, bits, law, levels))
        changes = counted(len(found.roots), "sign change")
        said = [
            f"the derivative of the error by the clip has {changes} on a scan of {found.points} clips "
            f"in [{NARROWEST:g}, {WIDEST:g}]",
            f"lengths are in units of {'the std' if law == 'normal' else 'b, the std over √2'}",
        ]
        return Answer(
            f"recipe clip: {bits} bits, {law} input, {error} mean squared error, {levels} levels",
            SOLVED if solutions else NO_SOLUTION, tuple(solutions), tuple(said),
            data={"recipe": {"name": self.name, "bits": bits, "law": law, "error": error, "levels": levels}},
            references=tuple(map(str, self.references)),
            assumptions={"input": {"law": law, "mean": 0.0, "scale": 1.0}},
        )  # fmt: skip

    def _solution(self, clip, root, chosen, exact, bits, law, levels):
        at = clip.value
        # at a stationary point the error moves only in the second order of what the clip is off by
        values = {
            "clip": clip,
            "step": clip.over(Value(_cells(bits, levels), 0.0)),
            "error": _value(chosen(at)[1]),
            "exact error": _value(exact(at)[1]),
        }
        if chosen is exact:
            del values["exact error"]
        spec = f"quantiser(bits={bits}, clip={at!r})" if levels == "symmetric" and law == "normal" else ""
        check = Check("derivative of the error", "0", root.left[0], root.left[0])
        return Solution(values, (check,), PROVED if root.certain else ESTIMATED, spec)


RECIPE = Clip()


def _value(ball) -> Value:
    return Value.of(ball.mid, ball.rad)


def _cells(bits: int, levels: str) -> float:
    """Return how many steps there are between 0 and the clip."""
    return 2.0 ** (bits - 1) - (levels == "symmetric")


def _normal(t):
    """Return P(x > t) and E[x; x > t] of the standard normal law, as balls."""
    from normcal.numerics.balls import BALLS

    return BALLS.Phi(-t), BALLS.phi(t)


def _laplace(t):
    """Return the same of the Laplace law of scale 1, for t >= 0."""
    from normcal.numerics.balls import BALLS

    tail = 0.5 * BALLS.exp(-t)
    return tail, (1.0 + t) * tail


#: law -> what lies beyond t; and the variance.
_TAILS = {"normal": (_normal, 1.0), "laplace": (_laplace, 2.0)}


def _exact(tails, bits: int, levels: str, clip: float):
    """Return the derivative by the clip of the mean squared error, and the error itself, as balls.

    With A = E[x Q] and B = E Q^2 these are 2 (B - A)/c and E x^2 - 2 A + B: sums over the thresholds of what is beyond.
    """
    import numpy as np

    from normcal.numerics.balls import Ball

    beyond, variance = tails
    count = int(_cells(bits, levels))
    step = Ball(clip) / float(count)
    half = 0.5 if levels == "midrise" else 0.0
    # beyond the k-th threshold the level is one step higher; midrise starts half a step above a threshold at 0
    k = np.arange(1.0, count + (levels == "symmetric"))
    mass, first = beyond(Ball(k - 0.5 + half) * step)
    level = Ball(k - 1.0 + half) * step
    a, b = (first * step).sum(), (mass * (2.0 * level + step) * step).sum()
    if half:
        none, all_first = beyond(Ball(0.0))
        lowest = half * step
        a, b = a + lowest * all_first, b + lowest * lowest * none
    a, b = 2.0 * a, 2.0 * b
    return 2.0 * (b - a) / clip, b - 2.0 * a + variance


def _aciq(tails, bits: int, clip: float):
    """Return the derivative and the value of the approximate error, as balls."""
    from normcal.numerics.balls import Ball

    beyond, variance = tails
    c, fine = Ball(clip), 3.0 * 4.0**bits
    mass, first = beyond(c)
    # of both laws E[x^2; x > c] follows from the mass and the first moment
    second = mass + c * first if variance == 1.0 else 2.0 * first + c * c * mass
    overload = 2.0 * (second - 2.0 * c * first + c * c * mass)
    return 2.0 * c / fine - 4.0 * (first - c * mass), overload + c * c / fine
