"""Units of several inputs that gate or compete: value times gate (the GLU family), maxout and minout."""

from __future__ import annotations

from normcal.errors import Unsupported
from normcal.layer import BACKWARD, ELEMENTWISE, FORWARD, Component, Elementwise, Layer, Param, Reference
from normcal.layers._order import BOSE_GUPTA, ORDER_STATISTICS, largest_of, order_density, win_weight

_DAUPHIN = Reference("Dauphin et al. 2017, Language Modeling with Gated Convolutional Networks", "arXiv:1612.08083")
_SHAZEER = Reference("Shazeer 2020, GLU Variants Improve Transformer", "arXiv:2002.05202")
_INDEPENDENT = "value and gate are independent, each with entries of the input law"
_MOMENTS = (
    ("forward mean", "μ E[g], g = act(gate)", r"\mu\,E[g],\ g = \mathrm{act}(\text{gate})"),
    ("forward std", "√(σ² E[g²] + μ² Var g)", r"\sqrt{\sigma^2 E[g^2] + \mu^2\,\mathrm{Var}\,g}"),
    ("backward std of value", "√E[g²]", r"\sqrt{E[g^2]}"),
    ("backward std of gate", "√(σ² + μ²) √E[g'²]", r"\sqrt{\sigma^2 + \mu^2}\,\sqrt{E[g'^2]}"),
)

#: The same for a value that goes through an activation of its own.
_FACTORS = (
    ("forward mean", "E[v] E[g] with v = act(value), g = act(gate)", r"E[v]\,E[g],\ v = \mathrm{act}(\text{value})"),
    ("forward std", "√(Var v E[g²] + E[v]² Var g)", r"\sqrt{\mathrm{Var}\,v\,E[g^2] + E[v]^2\,\mathrm{Var}\,g}"),
    ("backward std of value", "√(E[v'²] E[g²])", r"\sqrt{E[v'^2]\,E[g^2]}"),
    ("backward std of gate", "√(E[v²] E[g'²])", r"\sqrt{E[v^2]\,E[g'^2]}"),
)


class _Product(Layer):
    r"""The product of one function of the value and one of the gate, which are independent.

    With factors V and G the mean is :math:`EV\,EG` and the variance
    :math:`\mathrm{Var}V\,EG^2 + (EV)^2\,\mathrm{Var}G`, a sum of terms that are not negative.
    """

    inputs = ("value", "gate")
    any_law = True
    assumptions = (_INDEPENDENT,)
    #: The elementwise layers that act on the value and on the gate.
    factors: tuple[Elementwise, Elementwise]

    def closed_forward(self, law, m):
        value, gate = (_three(one.closed(FORWARD, law, m)) for one in self.factors)
        return _product(value, gate, m)

    def closed_backward(self, law, m):
        return _slopes(*((_three(one.closed(FORWARD, law, m)), one.closed(BACKWARD, law, m)) for one in self.factors))

    def reduced_forward(self, law, q, m):
        value, gate = (_three(one.reduced(FORWARD, law, q, m)) for one in self.factors)
        return _product(value, gate, m)

    def reduced_backward(self, law, q, m):
        value, gate = (
            (_three(one.reduced(FORWARD, law, q, m)), one.reduced(BACKWARD, law, q, m)) for one in self.factors
        )
        return _slopes(value, gate)

    def undefined(self, direction, law):
        return self._asked("undefined", direction, law)

    def infinite(self, direction, law):
        return self._asked("infinite", direction, law)

    def heavy(self, direction, law):
        return self._asked("heavy", direction, law)

    def _asked(self, question: str, direction: str, law) -> str:
        """Ask both factors; the gradient of one input is the slope there times the value of the other."""
        needed = (FORWARD,) if direction == FORWARD else (FORWARD, BACKWARD)
        reasons = (getattr(one, question)(way, law) for one in self.factors for way in needed)
        return next(filter(None, reasons), "")

    def notes(self, law):
        return list(dict.fromkeys(note for one in self.factors for note in one.notes(law)))

    def simulate(self, direction, rng, rows, law):
        from normcal.numerics.arrays import ARRAYS
        from normcal.numerics.duals import Duals

        value, gate = law.sample(rng, (rows, 1)), law.sample(rng, (rows, 1))
        of_value, of_gate = (one.around(one.f) for one in self.factors)
        if direction == FORWARD:
            return of_value(value, ARRAYS) * of_gate(gate, ARRAYS)
        dy = law.incoming(rng, (rows, 1))
        derivative = Duals(ARRAYS).derivative
        return {
            "value": dy * of_gate(gate, ARRAYS) * derivative(of_value, value),
            "gate": dy * of_value(value, ARRAYS) * derivative(of_gate, gate),
        }


def _three(found: tuple) -> tuple:
    """Return mean, std and rms, whichever of the three were given."""
    from normcal.numerics.balls import hypot

    return found if len(found) == 3 else (*found, hypot(*found))


def _product(value: tuple, gate: tuple, m) -> tuple:
    """Return (mean, std, rms) of the product of two independent factors, each given by these three."""
    from normcal.numerics.balls import hypot

    mean, std, rms = value
    return mean * gate[0], hypot(std * gate[2], m.abs(mean) * gate[1]), rms * gate[2]


def _slopes(value: tuple, gate: tuple) -> dict:
    """Return the backward stds from ((mean, std, rms), rms of the slope) of each factor."""
    (of_value, slope_of_value), (of_gate, slope_of_gate) = value, gate
    return {"value": slope_of_value * of_gate[2], "gate": of_value[2] * slope_of_gate}


class Gated(_Product):
    """A value times an activation of a gate, whatever the activation."""

    name = "gated"
    aliases = ("gated_linear", "gated_activation", "glu_variant")
    params = (
        Param(
            "activation",
            "sigmoid",
            ELEMENTWISE,
            "elementwise layer on the gate",
            typical=("tanh", "leaky_relu(negative_slope=0.2)"),
        ),
        Param(
            "value_activation",
            "identity",
            ELEMENTWISE,
            "elementwise layer on the value",
            typical=("tanh",),
            quiet=True,
        ),
    )
    formula, latex = "value · act(gate)", r"\text{value} \cdot \mathrm{act}(\text{gate})"
    moments = (*_MOMENTS, *((f"{what}, with value_activation", text, latex) for what, text, latex in _FACTORS))
    references = (_DAUPHIN, _SHAZEER)

    def check(self) -> None:
        self.factors = (self.value_activation, self.activation)


class _Fixed(_Product):
    """A gated unit whose activations are part of its name."""

    moments = _MOMENTS
    references = (_SHAZEER, _DAUPHIN)
    on_value, on_gate = "identity", "identity"

    def check(self) -> None:
        self.factors = (_layer(self.on_value), _layer(self.on_gate))


def _layer(text: str) -> Elementwise:
    """Return the elementwise layer of a SPEC."""
    return Gated.params[0].accept(text, Gated.name)


class GLU(_Fixed):
    """The gated linear unit: a value times the sigmoid of a gate."""

    name = "glu"
    aliases = ("gated_linear_unit", "sigmoid_glu")
    formula, latex = "value · σ(gate), σ the logistic function", r"\text{value} \cdot \sigma(\text{gate})"
    references = (_DAUPHIN, _SHAZEER)
    on_gate = "sigmoid"


class ReGLU(_Fixed):
    """A value times the rectified gate."""

    name = "reglu"
    aliases = ("relu_glu",)
    formula, latex = "value · max(0, gate)", r"\text{value} \cdot \max(0, \text{gate})"
    moments = (
        *_MOMENTS,
        (
            "at N(0, 1)",
            "forward mean 0 and std √(1/2), backward std √(1/2) of either input",
            r"\text{forward mean } 0,\ \text{std } \sqrt{1/2};\quad \text{backward std } \sqrt{1/2}",
        ),
    )
    on_gate = "relu"


class GEGLU(_Fixed):
    """A value times the GELU of a gate."""

    name = "geglu"
    aliases = ("gelu_glu",)
    formula, latex = "value · gate Φ(gate)", r"\text{value} \cdot \text{gate}\,\Phi(\text{gate})"
    on_gate = "gelu"


class GEGLUTanh(_Fixed):
    """A value times the tanh approximation of the GELU of a gate."""

    name = "geglu_tanh"
    aliases = ("gelu_tanh_glu", "geglu_new")
    formula = "value · gelu_tanh(gate)"
    latex = r"\text{value} \cdot \mathrm{gelu}_{\tanh}(\text{gate})"
    on_gate = "gelu_tanh"


class SwiGLU(_Product):
    """A value times the swish of a gate, the SiLU at beta = 1."""

    name = "swiglu"
    aliases = ("silu_glu", "swish_glu")
    params = (Param("beta", 1.0, "(0, inf)", "slope β inside the sigmoid of the gate", typical=(1.0, 1.702, 0.5)),)
    formula = "value · gate σ(β gate), σ the logistic function"
    latex = r"\text{value} \cdot \text{gate}\,\sigma(\beta\,\text{gate})"
    moments = _MOMENTS
    references = (
        _SHAZEER,
        Reference("Ramachandran et al. 2017, Searching for Activation Functions", "arXiv:1710.05941"),
    )

    def check(self) -> None:
        gate = "silu" if self.beta == 1.0 else f"swish(beta={self.beta!r})"
        self.factors = (_layer("identity"), _layer(gate))


class Bilinear(_Fixed):
    """The bilinear unit: a value times a gate without an activation, not the learned form xᵀ A y."""

    name = "bilinear"
    aliases = ("bilinear_glu", "simple_gate")
    formula, latex = "value · gate", r"\text{value} \cdot \text{gate}"
    moments = (
        ("forward mean", "μ²", r"\mu^2"),
        ("forward std", "√(σ⁴ + 2 σ² μ²)", r"\sqrt{\sigma^4 + 2\sigma^2\mu^2}"),
        ("backward std of either", "√(σ² + μ²)", r"\sqrt{\sigma^2 + \mu^2}"),
    )


class GTU(_Fixed):
    """The gated tanh unit of WaveNet and PixelCNN: the tanh of a value times the sigmoid of a gate."""

    name = "gtu"
    aliases = ("gated_tanh_unit", "gated_activation_unit")
    formula, latex = "tanh(value) · σ(gate)", r"\tanh(\text{value}) \cdot \sigma(\text{gate})"
    moments = _FACTORS
    references = (
        Reference("van den Oord et al. 2016, Conditional Image Generation with PixelCNN Decoders", "arXiv:1606.05328"),
        _DAUPHIN,
    )
    on_value, on_gate = "tanh", "sigmoid"


MOST_PIECES, MOST_SIMULATED = 100_000_000, 1_000_000
_K = Param("k", 2, f"1..{MOST_PIECES}", "number of inputs that compete", typical=(2, 3, 5, 8))


class Maxout(Layer):
    r"""The largest of k inputs.

    Its law is that of an order statistic, of density :math:`k\,\varphi\,\Phi^{k-1}`. Each input
    wins with probability 1/k and then takes the whole gradient.
    """

    name = "maxout"
    aliases = ("max_out", "maximum")
    params = (_K,)
    formula, latex = "max(x₁, …, xₖ)", r"\max(x_1, \ldots, x_k)"
    moments = (
        (
            "forward law",
            "density k φ(z) Φ(z)ᵏ⁻¹ of z = (y − μ)/σ",
            r"k\,\varphi(z)\,\Phi(z)^{k-1},\ z = (y-\mu)/\sigma",
        ),
        (
            "forward mean and std",
            "closed forms for k ≤ 5; μ + σ/√π and σ √(1 − 1/π) at k = 2",
            r"\text{closed forms for } k \le 5;\ \mu + \sigma/\sqrt\pi,\ \sigma\sqrt{1 - 1/\pi}\ \text{at}\ k = 2",
        ),
        ("backward std of each input", "1/√k", r"1/\sqrt{k}"),
    )
    assumptions = ("the k inputs are independent and alike, so that one backward std stands for each",)
    references = (
        Reference("Goodfellow et al. 2013, Maxout Networks", "arXiv:1302.4389"),
        ORDER_STATISTICS,
        BOSE_GUPTA,
    )
    #: 1 for the largest, -1 for the smallest.
    side = 1.0

    def closed_forward(self, law, m):
        mean, second = largest_of(self.k, m)
        return mean * law.std * self.side + law.mean, m.sqrt(second - mean * mean) * law.std

    def closed_backward(self, law, m):
        from normcal.numerics.balls import Ball

        return 1.0 / m.sqrt(Ball(float(self.k)))

    def components(self, direction, law):
        weight = order_density(self.k) if direction == FORWARD else win_weight(self.k)
        return [Component(_itself, weight=weight and (lambda z, m: weight(z * self.side, m)))]

    def draws(self) -> int:
        if self.k > MOST_SIMULATED:
            raise Unsupported(f"one simulated draw would take {self.k:_} numbers, more than {MOST_SIMULATED:_}")
        return self.k

    def simulate(self, direction, rng, rows, law):
        import numpy as np

        x = law.sample(rng, (rows, self.k))
        best = x.argmax(axis=1) if self.side > 0.0 else x.argmin(axis=1)
        if direction == FORWARD:
            return np.take_along_axis(x, best[:, None], axis=1)
        dx = np.zeros(x.shape)
        np.put_along_axis(dx, best[:, None], law.incoming(rng, (rows, 1)), axis=1)
        return dx


class Minout(Maxout):
    """The smallest of k inputs."""

    name = "minout"
    aliases = ("min_out", "minimum")
    formula, latex = "min(x₁, …, xₖ)", r"\min(x_1, \ldots, x_k)"
    moments = (
        (
            "forward law",
            "density k φ(z) Φ(−z)ᵏ⁻¹ of z = (y − μ)/σ",
            r"k\,\varphi(z)\,\Phi(-z)^{k-1},\ z = (y-\mu)/\sigma",
        ),
        (
            "forward mean and std",
            "closed forms for k ≤ 5; μ − σ/√π and σ √(1 − 1/π) at k = 2",
            r"\text{closed forms for } k \le 5;\ \mu - \sigma/\sqrt\pi,\ \sigma\sqrt{1 - 1/\pi}\ \text{at}\ k = 2",
        ),
        ("backward std of each input", "1/√k", r"1/\sqrt{k}"),
    )
    side = -1.0


def _itself(x, m):
    return x
