r"""Softmax, log-softmax, log-sum-exp and cross-entropy over n independent logits.

With :math:`v_i = e^{s z_i}`, :math:`s = \sigma/T`, the moments of ratios :math:`v_i/\sum_j v_j` are
integrals over products of :math:`M_k(t) = E[v^k e^{-tv}]`:
:math:`E[y_1^2 y_2 y_3] = \Gamma(4)^{-1}\int t^3 M_2 M_1^2 M_0^{n-3}\,dt` and so on.
"""

from __future__ import annotations

from normcal.errors import Unsupported
from normcal.layer import FORWARD, Layer, Param, Reference

MOST_LOGITS = 1_000_000_000
#: What one simulated row may hold.
MOST_SIMULATED = 1_000_000

CLASSES = Param("n", 10, f"1..{MOST_LOGITS}", "number of logits that are normalised together", typical=(2, 3, 100))
TEMPERATURE = Param("temperature", 1.0, "(0, inf)", "divides the logits", typical=(0.5, 2.0))
BRIDLE = Reference(
    "Bridle 1990, Probabilistic Interpretation of Feedforward Classification Network Outputs",
    "doi:10.1007/978-3-642-76153-9_28",
)
BLANCHARD = Reference(
    "Blanchard, Higham & Higham 2021, Accurately computing the log-sum-exp and softmax functions",
    "doi:10.1093/imanum/draa038",
)
HINTON = Reference("Hinton, Vinyals & Dean 2015, Distilling the Knowledge in a Neural Network", "arXiv:1503.02531")
_NO_FORM = "the moments of a softmax are integrals for every n from 2 on"


def logits_scale(law, temperature: float):
    """Return s = std/temperature as a ball: all that the weights of a softmax depend on."""
    from normcal.numerics.balls import Ball

    return Ball(law.std) if temperature == 1.0 else Ball(law.std) / temperature


def weight_spread(n: int, s, q):
    r"""Return the std of one softmax weight, as a ball: :math:`\mathrm{Var}\,y = (n-1)/n \int t\,D\,M_0^{n-1}\,dt`.

    Here :math:`D = E[(v - c)^2 e^{-tv}]` with :math:`c = M_1/M_0`, from
    :math:`E(y_1 - y_2)^2 = 2n/(n-1)\,\mathrm{Var}\,y`: no difference of moments is left.
    """
    from normcal.layers._power_sums import widened
    from normcal.numerics.balls import BALLS, Ball
    from normcal.numerics.laplace import LEAST, log_normal, power, within_reach

    if n == 1 or s.mid == 0.0:
        return Ball(0.0, s.rad if n > 1 else 0.0)
    law = log_normal(within_reach(s))

    def integrand(u):
        at = law.at(u)
        return [at.spread * power(at.log, n - 2)]

    (found,) = q.line(integrand)
    std = BALLS.sqrt(found * law.c * (Ball(n - 1.0) / n))
    return widened(std * (float(s.mid) / law.s) if s.mid < LEAST else std, n, s)


def backward_square(n: int, s, q):
    r"""Return :math:`E\,dx^2` of dx = y (dy - <y, dy>), as a ball.

    It is :math:`2(n-1) E[y_1^2 y_2^2] + (n-1)(n-2) E[y_1^2 y_2 y_3]`, a sum of positive terms.
    """
    from normcal.layers._power_sums import widened
    from normcal.numerics.balls import Ball
    from normcal.numerics.laplace import MOST, log_normal, power, within_reach

    if n == 1:
        return Ball(0.0)
    if s.mid == 0.0:
        return Ball(n - 1.0) / n / n / n
    law = log_normal(within_reach(s))

    def integrand(u):
        at = law.at(u)
        first, second = at.moment(1), at.moment(2)
        total = second * second * power(at.log, n - 2) * 2.0
        if n > 2:
            total = total + second * first * first * power(at.log, n - 3) * float(n - 2)
        return [total]

    (found,) = q.line(integrand)
    found = found * law.c * (Ball(n - 1.0) / 6.0)
    return widened(found * (Ball(MOST) / s) if s.mid > MOST else found, n, s)


class _OverLogits(Layer):
    """What the layers over n logits share."""

    params = (CLASSES, TEMPERATURE)
    assumptions = ("the n logits are independent",)

    def draws(self) -> int:
        if 2 * self.n > MOST_SIMULATED:
            raise Unsupported(f"one draw of {self.n:_} logits takes more than {MOST_SIMULATED:_} random numbers")
        return 2 * self.n

    def _scale(self, law):
        return logits_scale(law, self.temperature)

    def _log_mean_exp(self, law, q):
        """Return mean and std of log((1/n) sum exp(x/T)) less mean/T, and the mean square of a weight."""
        from normcal.layers._power_sums import log_mean_exp
        from normcal.numerics.balls import Ball

        s = self._scale(law)
        if s.mid == 0.0 or self.n == 1:
            return Ball(0.0), s, Ball(1.0) / self.n / self.n
        return log_mean_exp(self.n, s, q)

    def _log_n(self):
        import math

        from normcal.numerics.balls import Ball, U

        return Ball(math.log(self.n), 4.0 * U * math.log(self.n))

    def _exact(self, law):
        """Refuse what no formula serves: all but constant logits and a single one."""
        if self.n > 1 and law.std != 0.0:
            raise Unsupported(_NO_FORM)
        return None  # no integral is left to do

    def closed_forward(self, law, m):
        return self.reduced_forward(law, self._exact(law), m)

    def closed_backward(self, law, m):
        return self.reduced_backward(law, self._exact(law), m)

    def _logits(self, rng, rows: int, law):
        """Draw x/T and its softmax: (rows, n) each."""
        return softmax_of(law.sample(rng, (rows, self.n)) / self.temperature)


class Softmax(_OverLogits):
    r"""Exponentials of the logits, normalised to sum to 1.

    Only :math:`s = \sigma/T` matters: a shift of all logits changes nothing.
    """

    name = "softmax"
    aliases = ("softmax1d", "softmax2d", "softmin", "softargmax")
    formula = "yᵢ = exp(xᵢ/T) / Σⱼ exp(xⱼ/T)"
    latex = r"y_i = e^{x_i/T} \big/ \sum_{j=1}^n e^{x_j/T}"
    moments = (
        ("forward mean", "1/n", "1/n"),
        (
            "forward variance",
            "(n−1)/n ∫ t E[(v−c)² e⁻ᵗᵛ] M₀ⁿ⁻¹ dt with v = exp(s z), s = σ/T, Mₖ = E[vᵏ e⁻ᵗᵛ], c = M₁/M₀",
            r"\tfrac{n-1}{n}\int_0^\infty t\,E[(v-c)^2 e^{-tv}]\,M_0^{n-1}\,dt,\ "
            r"v = e^{sz},\ s = \sigma/T,\ M_k = E[v^k e^{-tv}],\ c = M_1/M_0",
        ),
        (
            "backward variance",
            "(n−1)/(6T²) ∫ t³ M₂ (2 M₂ M₀ + (n−2) M₁²) M₀ⁿ⁻³ dt",
            r"\tfrac{n-1}{6T^2}\int_0^\infty t^3 M_2\,(2 M_2 M_0 + (n-2) M_1^2)\,M_0^{n-3}\,dt",
        ),
    )
    references = (BRIDLE, BLANCHARD, HINTON)

    def reduced_forward(self, law, q, m):
        from normcal.numerics.balls import Ball

        return Ball(1.0) / self.n, weight_spread(self.n, self._scale(law), q)

    def reduced_backward(self, law, q, m):
        return m.sqrt(backward_square(self.n, self._scale(law), q)) / self.temperature

    def simulate(self, direction, rng, rows, law):
        x, y = self._logits(rng, rows, law)
        if direction == FORWARD:
            return y
        return softmax_gradient(y, law.incoming(rng, y.shape, x)) / self.temperature


class LogSoftmax(_OverLogits):
    """Logarithm of the softmax: the logits less their log-sum-exp."""

    name = "log_softmax"
    formula = "yᵢ = xᵢ/T − log Σⱼ exp(xⱼ/T)"
    latex = r"y_i = x_i/T - \log \sum_{j=1}^n e^{x_j/T}"
    moments = (
        ("forward mean", "−E log Σⱼ exp(s zⱼ) with s = σ/T", r"-E \log \sum_j e^{s z_j},\ s = \sigma/T"),
        (
            "forward variance",
            "s² (1 − 2/n) + Var log Σⱼ exp(s zⱼ), by Stein's lemma",
            r"s^2(1 - 2/n) + \mathrm{Var} \log \sum_j e^{s z_j}\ \text{(Stein's lemma)}",
        ),
        ("backward variance", "(1 − 2/n + n E p²)/T², p the softmax", r"(1 - 2/n + n\,E p^2)/T^2"),
    )
    references = (
        BLANCHARD,
        Reference(
            "Stein 1981, Estimation of the Mean of a Multivariate Normal Distribution", "doi:10.1214/aos/1176345632"
        ),
    )

    def reduced_forward(self, law, q, m):
        from normcal.numerics.balls import Ball, root_of_squares

        if self.n == 1:
            return Ball(0.0), Ball(0.0)
        mean, std, _ = self._log_mean_exp(law, q)
        own = m.sqrt(Ball(self.n - 2.0) / self.n) * self._scale(law)
        return -(mean + self._log_n()), std if self.n == 2 else root_of_squares([(1.0, own), (1.0, std)])

    def reduced_backward(self, law, q, m):
        from normcal.numerics.balls import Ball

        if self.n == 1:
            return Ball(0.0)
        spread = weight_spread(self.n, self._scale(law), q)
        return m.sqrt(Ball(self.n - 1.0) / self.n + spread.square() * float(self.n)) / self.temperature

    def simulate(self, direction, rng, rows, law):
        x, p = self._logits(rng, rows, law)
        if direction == FORWARD:
            return x - log_sum_exp(x)
        dy = law.incoming(rng, p.shape, x)
        return (dy - p * dy.sum(axis=1, keepdims=True)) / self.temperature


class LogSumExp(_OverLogits):
    """Logarithm of the sum of the exponentials: a smooth maximum.

    The temperature divides the logits and nothing multiplies the result.
    """

    name = "logsumexp"
    aliases = ("log_sum_exp", "smooth_max")
    formula = "y = log Σⱼ exp(xⱼ/T)"
    latex = r"y = \log \sum_{j=1}^n e^{x_j/T}"
    moments = (
        (
            "forward law",
            "mean and variance of log R, R = (1/n) Σⱼ vⱼ with E v = 1, from ∫ (E e⁻ᵗᴿ − e⁻ᵗ)/t dt, and with log t + γ",
            r"E \log R = -\int_0^\infty (E e^{-tR} - e^{-t})\,dt/t,\ "
            r"E \log^2 R = 2\int_0^\infty (\log t + \gamma)(E e^{-tR} - e^{-t})\,dt/t,\ R = \tfrac1n\sum_j v_j",
        ),
        ("backward std", "√(E p²)/T, p the softmax", r"\sqrt{E p^2}/T"),
    )
    references = (BLANCHARD,)

    def reduced_forward(self, law, q, m):
        from normcal.numerics.balls import Ball

        mean, std, _ = self._log_mean_exp(law, q)
        return Ball(law.mean) / self.temperature + self._log_n() + mean, std

    def reduced_backward(self, law, q, m):
        from normcal.numerics.balls import Ball, hypot

        spread = weight_spread(self.n, self._scale(law), q)
        return hypot(spread, Ball(1.0) / self.n) / self.temperature

    def simulate(self, direction, rng, rows, law):
        x, p = self._logits(rng, rows, law)
        return log_sum_exp(x) if direction == FORWARD else p * law.incoming(rng, (rows, 1)) / self.temperature


class CrossEntropy(_OverLogits):
    r"""Softmax cross-entropy of logits and labels drawn uniformly, the loss of each example by itself.

    The label is one of the n classes, independent of the logits; smoothing by :math:`\epsilon` makes the
    target :math:`q = (1-\epsilon)\,\mathrm{onehot} + \epsilon/n`. The gradient p - q has the same root
    mean square with dy = 1, as in training, as with dy ~ N(0, 1).
    """

    name = "cross_entropy"
    aliases = (
        "cross_entropy_loss",
        "softmax_cross_entropy",
        "categorical_crossentropy",
        "sparse_categorical_crossentropy",
    )
    params = (
        CLASSES,
        Param("label_smoothing", 0.0, "[0, 1]", "share ε of the target spread over all classes", typical=(0.1,)),
        TEMPERATURE,
    )
    formula = "y = log Σⱼ exp(xⱼ/T) − Σⱼ qⱼ xⱼ/T, q = (1−ε) onehot(label) + ε/n"
    latex = r"y = \log \sum_j e^{x_j/T} - \sum_j q_j x_j/T,\ q = (1-\epsilon)\,\mathrm{onehot} + \epsilon/n"
    moments = (
        ("forward mean", "E log Σⱼ exp(s zⱼ) with s = σ/T", r"E \log \sum_j e^{s z_j},\ s = \sigma/T"),
        (
            "forward variance",
            "Var log Σⱼ exp(s zⱼ) + s² (Σⱼ qⱼ² − 2/n)",
            r"\mathrm{Var} \log \sum_j e^{s z_j} + s^2 \bigl(\sum_j q_j^2 - 2/n\bigr)",
        ),
        (
            "backward variance",
            "(Var p + (1−ε)² (1/n)(1 − 1/n))/T², p the softmax",
            r"\bigl(\mathrm{Var}\,p + (1-\epsilon)^2 \tfrac1n (1 - \tfrac1n)\bigr)/T^2",
        ),
    )
    assumptions = (
        "the n logits are independent",
        "labels are uniform and independent of the logits; the loss is not averaged over a batch",
    )
    references = (
        BRIDLE,
        Reference("Szegedy et al. 2016, Rethinking the Inception Architecture (label smoothing)", "arXiv:1512.00567"),
    )

    def reduced_forward(self, law, q, m):
        from normcal.numerics.balls import Ball

        if self.n == 1:
            return Ball(0.0), Ball(0.0)
        mean, std, _ = self._log_mean_exp(law, q)
        kept, n = Ball(1.0) - self.label_smoothing, float(self.n)
        # sum q^2 - 2/n = kept^2 (1 - 1/n) - 1/n
        target = kept * kept * (Ball(n - 1.0) / n) - Ball(1.0) / n
        s = self._scale(law)
        if s.mid == 0.0:
            return mean + self._log_n(), Ball(0.0, 2.0 * s.rad)
        return mean + self._log_n(), m.sqrt((std / s).square() + target) * s

    def reduced_backward(self, law, q, m):
        from normcal.numerics.balls import Ball, hypot

        kept, n = Ball(1.0) - self.label_smoothing, float(self.n)
        own = m.sqrt(Ball(n - 1.0)) / n * kept
        return hypot(weight_spread(self.n, self._scale(law), q), own) / self.temperature

    def simulate(self, direction, rng, rows, law):
        import numpy as np

        x, p = self._logits(rng, rows, law)
        target = np.full(x.shape, self.label_smoothing / self.n)
        target[np.arange(rows), rng.integers(self.n, size=rows)] += 1.0 - self.label_smoothing
        if direction == FORWARD:
            return log_sum_exp(x) - (target * x).sum(axis=1, keepdims=True)
        return (p - target) * law.incoming(rng, (rows, 1)) / self.temperature


def softmax_of(x):
    """Return x and its softmax over the last axis.

    >>> import numpy as np
    >>> softmax_of(np.array([0.0, 0.0]))[1]
    array([0.5, 0.5])
    """
    import numpy as np

    y = np.exp(x - x.max(axis=-1, keepdims=True))
    return x, y / y.sum(axis=-1, keepdims=True)


def softmax_gradient(y, dy):
    """Return y (dy - <y, dy>): what a softmax with output y makes of the gradient dy."""
    return y * (dy - (y * dy).sum(axis=-1, keepdims=True))


def log_sum_exp(x):
    """Return log sum exp over the last axis, which stays with length 1."""
    import numpy as np

    top = x.max(axis=-1, keepdims=True)
    return top + np.log(np.exp(x - top).sum(axis=-1, keepdims=True))
