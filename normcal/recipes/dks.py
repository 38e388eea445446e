"""DKS: scales and shifts that shape the kernel of a deep network (Deep Kernel Shaping)."""

from __future__ import annotations

from normcal.errors import RequestError
from normcal.param import Param
from normcal.recipes import _shaping
from normcal.recipes._shaping import BRANCH, DEPTH, LEAST, MARTENS, SHORTCUT, Network, Shaping
from normcal.value import Value


class Dks(Shaping):
    r"""Scales and shifts of an activation for which Q(1) = 1, Q'(1) = 1, C(0) = 0 and C'(1) = ψ, as DKS asks.

    The local slope ψ is the one at which the largest :math:`C'(1)` of any subnetwork is ``zeta``: for layers in a row
    :math:`\psi^{depth} = \zeta`. The mean and the std decide the output's scale and shift; the input's are searched. A
    leaky rectifier is homogeneous, which makes Q'(1) = 1 whatever the scale; there the negative slope is chosen.
    """

    name = "dks"
    params = (
        DEPTH,
        Param("zeta", 1.5, "(1, 1000000]", "largest C'(1) of any subnetwork"),
        BRANCH,
        SHORTCUT,
        Param("slope", None, "(1, 1000000]", "local slope ψ itself, in place of depth and zeta"),
    )
    references = (MARTENS,)

    def solve(self, layer, request, *, depth, zeta, branch, shortcut, slope):
        _shaping.check(layer, "DKS")
        network = Network(depth, branch, shortcut)
        options = {"depth": depth, "zeta": zeta, "branch": branch, "shortcut": shortcut, "slope": slope}
        if slope is None:
            psi = network.local(zeta, 1.0, lambda s: network.maximum(1.0, lambda x: x * s))
            asked = f"recipe dks: {layer.spec} in {network}, zeta {zeta:g}: C'(1) = {psi.value:.12g}"
        else:
            psi, asked = Value(slope, 0.0), f"recipe dks: {layer.spec}, C'(1) = {slope:.12g}"
        wanted = {"forward.mean": 0.0, "forward.std": 1.0, "kernel.q_slope(1)": 1.0, "kernel.slope_at(1)": psi}
        if layer.name == "leaky_relu":
            solutions, said = self._leaky(layer, request, psi, wanted)
        else:
            solutions, said = self._smooth(layer, request, psi, wanted)
        return self.answer(layer, request, asked, solutions, said, options)

    def _smooth(self, layer, request, psi, wanted):
        from normcal.numerics.balls import BALLS, Ball

        local = Ball(psi.value, psi.error or 0.0)

        def conditions(shaped):
            if not shaped.variance.mid > shaped.variance.rad:
                return None
            return shaped.cross / shaped.variance - 1.0, shaped.slope / shaped.variance - local

        def output(shaped):
            return 1.0 / BALLS.sqrt(shaped.variance), Ball(0.0)

        found = self.search(layer, conditions, max(psi.value - 1.0, LEAST))
        solutions = [self.solution(layer, request, self.values(layer, root, output), wanted) for root in found.roots]
        return solutions, [_shaping.descended(found)]

    def _leaky(self, layer, request, psi, wanted):
        """Var f = (1 + a²)/2 − (1 − a)²/(2π) and E f'² = (1 + a²)/2 leave a quadratic in the negative slope a."""
        import math

        from normcal.numerics.balls import BALLS, Ball

        k = (1.0 - 1.0 / Ball(psi.value, psi.error or 0.0)) * math.pi
        b = 1.0 - k
        if not b.mid > b.rad:
            most = 1.0 / (1.0 - 1.0 / math.pi)
            raise RequestError(f"C'(1) = {psi.value:.6g} is beyond leaky rectifiers.", f"Accepted: up to {most:.6g}.")
        a = (1.0 - BALLS.sqrt(k * (2.0 - k))) / b
        gain = 1.0 / BALLS.sqrt((1.0 + a * a) * 0.5 - (1.0 - a) * (1.0 - a) / (2.0 * math.pi))
        shift = -gain * (1.0 - a) / math.sqrt(2.0 * math.pi)
        values = {"negative_slope": a, "output_scale": gain, "output_shift": shift}
        values = {name: Value.of(x.mid, x.rad) for name, x in values.items()}
        said = ("a quadratic in the negative slope, whose other root is 1 over this one: the only solution in [0, 1]",)
        return [self.solution(layer, request, values, wanted, proved=True)], said


RECIPE = Dks()
