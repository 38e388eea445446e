"""Gain: the parameter at which the forward and the backward gain are one number."""

from __future__ import annotations

from dataclasses import replace

from normcal import answer
from normcal.layer import Reference
from normcal.param import ANYTHING, Param
from normcal.problem import Problem
from normcal.recipe import Recipe

_WHY = "at an input std of 1 or less the backward std of any function is the larger one: Var f(x) <= std^2 E f'(x)^2"


class Gain(Recipe):
    r"""The input std, or another parameter, at which one factor normalises both passes: forward gain = backward gain.

    A function of one normal entry has :math:`\mathrm{Var} f(x) \le \sigma^2 E f'(x)^2`, with equality for straight
    lines alone (Chernoff's inequality): at a std of 1 or less the backward gain is the smaller one, at any scales.
    """

    name = "gain"
    about = ""
    params = (
        Param("unknown", "std", ANYTHING, "the parameter to choose", accepts="a parameter of the layer, std or mean"),
    )
    any_law = True
    references = (
        Reference("Chernoff 1981, A note on an inequality involving the normal distribution", "Ann. Probab. 9"),
    )

    def solve(self, layer, request, *, unknown):
        problem = Problem(layer.spec, [str(unknown)], ["forward.gain=backward.gain"], request)
        found = answer.of(problem)
        bounded = request.input is None and request.law.std <= 1.0 and unknown != "std"
        more = () if found.solved or not bounded else (_WHY,)
        data = {"recipe": {"name": self.name, "spec": layer.spec, "unknown": str(unknown)}} | found.data
        return replace(
            found, established=found.established + more, data=data, references=tuple(map(str, self.references))
        )


RECIPE = Gain()
