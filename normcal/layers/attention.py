r"""Attention: averages of values whose weights are a softmax over logits."""

from __future__ import annotations

from normcal.errors import Unsupported
from normcal.layer import FORWARD, Layer, Param, Reference
from normcal.layers.softmax import (
    MOST_LOGITS,
    MOST_SIMULATED,
    TEMPERATURE,
    backward_square,
    logits_scale,
    softmax_gradient,
    softmax_of,
    weight_spread,
)


class Attention(Layer):
    r"""Each of n queries averages n values with softmax weights; causal queries see the keys up to theirs.

    The logits are an input of their own, independent of the values. Weights sum to 1, so that the
    mean of the values passes. The backward std of a value, or of a logit, is the root mean square
    over all of them; causal attention counts the logits that are seen.
    """

    name = "attention"
    aliases = ("softmax_attention", "scaled_dot_product_attention", "attention_average")
    presets = {"causal_attention": {"causal": "yes"}}
    inputs = ("logits", "value")
    params = (
        Param("n", 32, f"1..{MOST_LOGITS}", "number of queries, and of keys", typical=(2, 5, 64)),
        Param("head_dim", 16, "1..1000000", "entries of one value", typical=(1, 64)),
        Param("causal", "no", ("no", "yes"), "whether query i sees keys 1 … i alone"),
        TEMPERATURE,
    )
    formula = "yᵢ = Σⱼ pᵢⱼ vⱼ, pᵢ = softmax(aᵢ/T)"
    latex = r"y_i = \sum_j p_{ij} v_j,\ p_i = \mathrm{softmax}(a_i/T)"
    moments = (
        ("forward mean", "μ", r"\mu"),
        ("forward std", "σ √(n E p²)", r"\sigma\sqrt{n\,E p^2}"),
        ("backward std of a value", "√(n E p²)", r"\sqrt{n\,E p^2}"),
        (
            "backward std of a logit",
            "σ √d / T times the root mean square of p (g − ⟨p, g⟩), g ~ N(0, 1)ⁿ, d = head_dim",
            r"\sigma\sqrt{d}\,/\,T \cdot \sqrt{E\,(p\,(g - \langle p, g\rangle))^2},\ g \sim N(0, 1)^n,"
            r"\ d = \text{head\_dim}",
        ),
    )
    assumptions = (
        "logits and values are independent, of the same law; products of queries and keys are not modelled",
        "the gradients of all outputs are independent",
    )
    references = (
        Reference("Vaswani et al. 2017, Attention Is All You Need", "arXiv:1706.03762"),
        Reference("Noci et al. 2022, Signal Propagation in Transformers", "arXiv:2206.03126"),
    )

    def check(self) -> None:
        self.masked = self.causal == "yes"

    def entries(self, name: str) -> float:
        return float(self._logits_seen() if name == "logits" else self.n * self.head_dim)

    def _logits_seen(self) -> int:
        return self.n * (self.n + 1) // 2 if self.masked else self.n * self.n

    def draws(self) -> int:
        each = self.n * self.n + 2 * self.n * self.head_dim
        if each > MOST_SIMULATED:
            raise Unsupported(f"one draw takes {each:_} random numbers, more than {MOST_SIMULATED:_}")
        return each

    def _exact(self, law):
        if self.n > 1 and law.std != 0.0:
            raise Unsupported("the moments of softmax weights are integrals for every n from 2 on")
        return None  # no integral is left to do

    def closed_forward(self, law, m):
        return self.reduced_forward(law, self._exact(law), m)

    def closed_backward(self, law, m):
        return self.reduced_backward(law, self._exact(law), m)

    def reduced_forward(self, law, q, m):
        from normcal.numerics.balls import Ball

        if law.std == 0.0:
            return Ball(law.mean), Ball(0.0)
        return Ball(law.mean), m.sqrt(self._gathered(law, q)) * law.std

    def reduced_backward(self, law, q, m):
        from normcal.numerics.balls import Ball

        reach = m.sqrt(Ball(float(self.head_dim))) * law.std / self.temperature
        return {
            "logits": m.sqrt(self._turned(law, q)) * reach if law.std else Ball(0.0),
            "value": m.sqrt(self._gathered(law, q)),
        }

    def _gathered(self, law, q):
        """Return sum_j E p_ij^2, averaged over the queries."""
        from normcal.numerics.balls import Ball

        s = logits_scale(law, self.temperature)
        if not self.masked:
            spread = weight_spread(self.n, s, q)
            return (spread * float(self.n)).square() / float(self.n) + Ball(1.0) / self.n
        if self.n == 1:
            return Ball(1.0)
        if s.mid == 0.0:
            return _harmonic(self.n) / float(self.n)
        return _summed(self.n, s, q, 1) / float(self.n)

    def _turned(self, law, q):
        """Return the mean square of p (g - <p, g>) over the logits that are seen."""
        from normcal.numerics.balls import Ball

        s = logits_scale(law, self.temperature)
        if not self.masked:
            return backward_square(self.n, s, q)
        if self.n == 1:
            return Ball(0.0)
        return _summed(self.n, s, q, 2) / float(self._logits_seen())

    def simulate(self, direction, rng, rows, law):
        import numpy as np

        n, d = self.n, self.head_dim
        logits, value = law.sample(rng, (rows, n, n)) / self.temperature, law.sample(rng, (rows, n, d))
        seen = np.tri(n, dtype=bool) if self.masked else np.ones((n, n), dtype=bool)
        p = softmax_of(np.where(seen, logits, -np.inf))[1]
        if direction == FORWARD:
            return (p @ value).reshape(rows, -1)
        dy = law.incoming(rng, (rows, n, d))
        turned = softmax_gradient(p, dy @ value.transpose(0, 2, 1)) / self.temperature
        return {"logits": turned[:, seen], "value": (p.transpose(0, 2, 1) @ dy).reshape(rows, -1)}


def _summed(n: int, s, q, order: int):
    r"""Return :math:`\sum_{i \le n} i\,E_i[p^2]` (order 1) or :math:`\sum_i i\,E_i[dx^2]` (order 2) of i keys.

    The sums over i of falling factorials times :math:`M_0^{i-k}` are done within the integral.
    """
    from normcal.layers._power_sums import widened
    from normcal.numerics.balls import Ball
    from normcal.numerics.laplace import MOST, falling_sums, log_normal, within_reach

    law = log_normal(within_reach(s))

    def integrand(u):
        at = law.at(u)
        sums = falling_sums(at.log, n, 3 if order == 2 else 1)
        second = at.moment(2)
        if order == 1:
            return [second * sums[0]]
        return [second * (second * sums[1] * 2.0 + at.moment(1).square() * sums[2]) / 6.0]

    (found,) = q.line(integrand)
    found = found * law.c
    return widened(found * (Ball(MOST) / s) if order == 2 and s.mid > MOST else found, n, s)


def _harmonic(n: int):
    """Return 1 + 1/2 + ... + 1/n; by Euler's expansion where n is large."""
    import math

    from normcal.numerics.balls import Ball, U

    if n <= 1000:
        value = math.fsum(1.0 / i for i in range(1, n + 1))
    else:
        value = math.log(n) + 0.5772156649015329 + 0.5 / n - 1.0 / (12.0 * n * n) + 1.0 / (120.0 * n**4)
    return Ball(value, 8.0 * U * value)
