"""TAT: activations tailored so that a deep network without shortcuts keeps its correlations apart."""

from __future__ import annotations

import math
from dataclasses import replace

from normcal import kernel, solve
from normcal.answer import Check
from normcal.errors import RequestError, counted
from normcal.param import Param
from normcal.recipe import plain
from normcal.recipes import _shaping
from normcal.recipes._shaping import BRANCH, DEPTH, LEAST, SHORTCUT, ZHANG, Network, Shaping
from normcal.solve import Axis
from normcal.value import Value


class Tat(Shaping):
    r"""Scales and shifts of an activation for which Q(1), Q'(1) and C'(1) are 1 and C''(1) is τ, as TAT asks.

    The local curvature τ is the one at which the largest :math:`C''(1)` of any subnetwork is ``tau``: for layers in a
    row ``tau/depth``. With :math:`g(x) = f(\alpha x + \beta)` the conditions Q(1) = C'(1) = 1 give
    :math:`\gamma^{-2} = E g'^2` and :math:`E g + \delta = \pm\sqrt{E g'^2 - \mathrm{Var}\,g}`; the input's scale and
    shift are searched. A leaky rectifier, whose C''(1) is infinite, gets the negative slope at which the largest C(0)
    of any subnetwork is ``eta``, and the scale :math:`\sqrt{2/(1+a^2)}`.
    """

    name = "tat"
    curvature = True
    params = (
        DEPTH,
        Param("tau", 0.3, "(0, 1000000]", "largest C''(1) of any subnetwork, of smooth activations"),
        Param("eta", 0.9, "(0, 1)", "largest C(0) of any subnetwork, of leaky_relu"),
        BRANCH,
        SHORTCUT,
        Param("curvature", None, "(0, 1000000]", "local C''(1) itself, in place of depth and tau"),
    )
    references = (ZHANG,)

    def solve(self, layer, request, *, depth, tau, eta, branch, shortcut, curvature):
        _shaping.check(layer, "TAT")
        network = Network(depth, branch, shortcut)
        options = {"depth": depth, "branch": branch, "shortcut": shortcut}
        if layer.name == "leaky_relu":
            asked = f"recipe tat: leaky_relu in {network}, eta {eta:g}"
            solutions, said = self._leaky(layer, request, network, eta)
            return self.answer(layer, request, asked, solutions, said, options | {"eta": eta})
        if kernel.of(layer).bends:
            raise RequestError(
                f"{layer.spec}: its slope jumps, so that C''(1) is infinite and TAT has no solution.",
                "Accepted: a smooth activation, or leaky_relu, for which TAT has a condition of its own.",
            )
        if curvature is None:
            local = network.local(tau, 0.0, lambda x: network.maximum(0.0, lambda c: c + x))
            asked = f"recipe tat: {layer.spec} in {network}, tau {tau:g}: C''(1) = {local.value:.12g}"
        else:
            local, asked = Value(curvature, 0.0), f"recipe tat: {layer.spec}, C''(1) = {curvature:.12g}"
        solutions, said = self._smooth(layer, request, local)
        return self.answer(layer, request, asked, solutions, said, options | {"tau": tau, "curvature": curvature})

    def _smooth(self, layer, request, local):
        from normcal.numerics.balls import BALLS, Ball

        wanted = {
            "forward.rms": 1.0, "kernel.q_slope(1)": 1.0, "kernel.slope_at(1)": 1.0, "kernel.slope_at(1, 2)": local,
        }  # fmt: skip
        bend = Ball(local.value, local.error or 0.0)
        solutions, said = [], []
        for sign in (1.0, -1.0):

            def conditions(shaped, sign=sign):
                spare = shaped.slope - shaped.variance
                if not spare.mid > 0.0 or not shaped.slope.mid > shaped.slope.rad:
                    return None
                tilt = sign * BALLS.sqrt(spare) * shaped.tilt
                return (shaped.cross + tilt) / shaped.slope - 1.0, shaped.curvature / shaped.slope - bend

            def output(shaped, sign=sign):
                return 1.0 / BALLS.sqrt(shaped.slope), sign * BALLS.sqrt(shaped.slope - shaped.variance)

            found = self.search(layer, conditions, max(local.value, LEAST))
            for root in found.roots:
                solutions.append(self.solution(layer, request, self.values(layer, root, output), wanted))
            said.append(f"mean {'above' if sign > 0 else 'below'} 0: {_shaping.descended(found)}")
        return solutions, said

    def _leaky(self, layer, request, network, eta):
        """The C-map is c + (1 − a)²/(π (1 + a²)) (√(1 − c²) − c arccos c)."""
        slack = 16.0 * 2.0**-52 * (network.depth + network.blocks + 1.0)

        def left(points):
            return [(Value(network.maximum(0.0, _map(a)) - eta, slack),) for (a,) in points]

        found = solve.one(left, Axis("negative_slope", 0.0, 1.0))
        solutions = []
        for root in found.roots:
            slope = root.point[0]
            square = slope.times(slope).plus(Value(1.0, 0.0))
            scale = Value(2.0, 0.0).over(square).root()
            values = {"negative_slope": slope, "output_scale": scale}
            solution = self.solution(layer, request, values, {"forward.rms": 1.0}, proved=root.certain)
            (left_over,) = root.left
            largest = Check("largest C(0)", plain(eta), left_over.plus(Value(eta, 0.0)), left_over)
            solutions.append(replace(solution, checks=(*solution.checks, largest)))
        reach = found.ranges[0]
        if not solutions:
            ends = " to ".join(f"{eta + end:.6g}" for end in reach)
            return [], [f"no solution: the largest C(0) goes from {ends} for negative slopes in [0, 1]"]
        trend = ", along which the largest C(0) only falls" if found.trend < 0 else ""
        changes = counted(len(solutions), "sign change")
        return solutions, [f"{changes} on a scan of {found.points} slopes in [0, 1]{trend}"]


RECIPE = Tat()


def _map(slope: float):
    """Return the C-map of the leaky rectifier of that slope."""
    factor = (1.0 - slope) ** 2 / (math.pi * (1.0 + slope * slope))

    def r(c: float) -> float:
        return min(c + factor * (math.sqrt((1.0 - c) * (1.0 + c)) - c * math.acos(c)), 1.0)

    return r
