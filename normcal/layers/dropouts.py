"""Layers that drop or perturb entries at random: dropout, whole channels, alpha, Gaussian, and stochastic depth."""

from __future__ import annotations

from normcal.errors import Unsupported
from normcal.layer import FORWARD, Component, Layer, Param, Reference

#: scaling -> 1/c from the keep probability
_DIVISOR = {"plain": lambda q, m: 1.0, "inverted": lambda q, m: q, "unit": lambda q, m: m.sqrt(q)}
#: What SELU tends to on the left, -scale * alpha, as PyTorch and the paper's own code round it.
SATURATION = -1.7580993408473766
MOST_SIMULATED = 1_000_000

_KEEP = Param(
    "keep_prob", 0.5, "(0, 1]", "probability q that an entry is kept", typical=(0.5, 0.8, 0.9), complement="drop_prob"
)
_SCALING = Param(
    "scaling", "inverted", ("plain", "inverted", "unit"), "factor c on what is kept: 1, 1/q or 1/√q"
)  # fmt: skip
_SIZE = Param("size", 16, "1..100000000", "entries of a channel, which share their fate", typical=(1, 4, 49))
_MASK = "the mask is independent of the input and the gradient, and the same one in both directions"
_SHARED = "the entries of a channel share one mask, which leaves the moments of each as they are"

_SRIVASTAVA = Reference("Srivastava et al. 2014, Dropout, JMLR 15")
_NORMPROP = Reference("Arpit et al. 2016, Normalization Propagation", "arXiv:1603.01431")
_TOMPSON = Reference(
    "Tompson et al. 2015, Efficient Object Localization Using Convolutional Networks", "arXiv:1411.4280"
)
_KLAMBAUER = Reference("Klambauer et al. 2017, Self-Normalizing Neural Networks", "arXiv:1706.02515")


class _Masked(Layer):
    """What every dropout by a mask shares: the mask, and channels whose entries share it."""

    #: Entries that share a mask.
    size = 1

    def draws(self) -> int:
        if self.size > MOST_SIMULATED:
            raise Unsupported(f"one simulated draw would take {self.size:_} numbers, more than {MOST_SIMULATED:_}")
        return self.size + 1

    def _drawn(self, direction: str, rng, rows: int, law):
        """Return the input or the incoming gradient of a channel, and its mask."""
        values = _value(direction, rng, (rows, self.size), law)
        return values, rng.random((rows, 1)) < self.keep_prob


def _value(direction: str, rng, shape: tuple[int, int], law):
    """Return the input or the incoming gradient, which needs the input only where it depends on it."""
    if direction == FORWARD:
        return law.sample(rng, shape)
    return law.incoming(rng, shape, law.sample(rng, shape) if law.gradient.correlation else None)


class Dropout(_Masked):
    r"""Each entry is kept with probability q and scaled, or set to 0.

    ``scaling`` is ``plain`` (c = 1), ``inverted`` (c = 1/q, keeps the mean) or ``unit``
    (c = 1/sqrt(q), keeps the std at zero mean, forward and backward).
    """

    any_law = True
    name = "dropout"
    params = (_KEEP, _SCALING)
    formula = "c r x, r = 1 with probability q and 0 otherwise"
    latex = r"c\,r\,x,\ r \sim \mathrm{Bernoulli}(q)"
    moments = (
        ("forward mean", "c q μ", r"c\,q\,\mu"),
        ("forward std", "c √(q σ² + q(1−q) μ²)", r"c\sqrt{q\sigma^2 + q(1-q)\mu^2}"),
        ("backward std", "c √q", r"c\sqrt{q}"),
    )
    assumptions = (_MASK,)
    references = (_SRIVASTAVA, _NORMPROP)

    def _scaled(self, x, m):
        return x / _DIVISOR[self.scaling](self.keep_prob, m)

    def closed_forward(self, law, m):
        from normcal.numerics.balls import Ball, root_of_squares

        q, c = Ball(self.keep_prob), self._scaled(Ball(1.0), m)
        spread = root_of_squares([(1.0, m.sqrt(q) * law.std), (1.0, m.sqrt(q * (1.0 - q)) * law.mean)])
        mean = c * q * law.mean if law.mean else Ball(0.0)
        return mean, c * spread

    def closed_backward(self, law, m):
        from normcal.numerics.balls import Ball

        return self._scaled(Ball(1.0), m) * m.sqrt(Ball(self.keep_prob))

    def components(self, direction, law):
        # the mask is its mean q and noise of variance q(1-q) about it
        from normcal.numerics.balls import BALLS, Ball

        q, c = Ball(self.keep_prob), self._scaled(Ball(1.0), BALLS)
        return [_noisy(c * q, c * BALLS.sqrt(q * (1.0 - q)), kurtosis=_kurtosis(self.keep_prob))]

    def mixture(self, direction):
        from normcal.numerics.balls import BALLS, Ball

        c = self._scaled(Ball(1.0), BALLS)
        return _either(self.keep_prob, lambda x, m: x * numeric(c, m), Ball(0.0))

    def simulate(self, direction, rng, rows, law):
        from normcal.numerics.arrays import ARRAYS

        values, mask = self._drawn(direction, rng, rows, law)
        return self._scaled(values, ARRAYS) * mask


class SpatialDropout(Dropout):
    """Each channel is kept as a whole with probability q and scaled, or set to 0."""

    name = "spatial_dropout"
    aliases = (
        "dropout1d", "dropout2d", "dropout3d", "spatial_dropout1d", "spatial_dropout2d", "spatial_dropout3d",
        "channel_dropout", "feature_dropout",
    )  # fmt: skip
    params = (_KEEP, _SCALING, _SIZE)
    formula = "c r x, one r a channel: 1 with probability q and 0 otherwise"
    latex = r"c\,r\,x,\ r \sim \mathrm{Bernoulli}(q)\ \text{one a channel}"
    assumptions = (_MASK, _SHARED)
    references = (_TOMPSON, _SRIVASTAVA)


class AlphaDropout(_Masked):
    r"""Each entry is kept or set to the saturation value of SELU, then all are shifted and scaled.

    The affine constants are those that keep mean 0 and variance 1 of a standard input:
    :math:`a = (q(1 + (1-q)\alpha'^2))^{-1/2}` and :math:`b = -a(1-q)\alpha'`. At any other input
    the mean is :math:`aq\mu` and the variance :math:`a^2(q\sigma^2 + q(1-q)(\mu-\alpha')^2)`.
    """

    any_law = True
    name = "alpha_dropout"
    params = (_KEEP,)
    formula = "a (r x + (1 − r) α') + b, r = 1 with probability q and 0 otherwise, α' = −1.7580993408473766"
    latex = r"a\,(r x + (1 - r)\alpha') + b,\ r \sim \mathrm{Bernoulli}(q),\ \alpha' = -1.7580993408473766"
    moments = (
        (
            "where",
            "a = 1/√(q (1 + (1−q) α'²)), b = −a (1−q) α'",
            r"a = 1/\sqrt{q\,(1 + (1-q)\alpha'^2)},\ b = -a(1-q)\alpha'",
        ),
        ("forward mean", "a q μ", r"a\,q\,\mu"),
        ("forward std", "a √(q σ² + q(1−q) (μ − α')²);  1 at N(0, 1)", r"a\sqrt{q\sigma^2 + q(1-q)(\mu-\alpha')^2}"),
        ("backward std", "a √q", r"a\sqrt{q}"),
    )
    assumptions = (_MASK,)
    references = (_KLAMBAUER,)

    def _affine(self, m):
        """Return the factor a and the chance p of being dropped, as balls."""
        from normcal.numerics.balls import Ball

        q = Ball(self.keep_prob)
        p = 1.0 - q
        return 1.0 / m.sqrt(q * (1.0 + p * Ball(SATURATION).square())), p

    def closed_forward(self, law, m):
        from normcal.numerics.balls import Ball, hypot

        (a, p), q = self._affine(m), Ball(self.keep_prob)
        off = Ball(law.mean) - SATURATION
        mean = a * q * law.mean if law.mean else Ball(0.0)
        return mean, a * m.sqrt(q) * hypot(Ball(law.std), m.sqrt(p) * off)

    def closed_backward(self, law, m):
        from normcal.numerics.balls import Ball

        return self._affine(m)[0] * m.sqrt(Ball(self.keep_prob))

    def components(self, direction, law):
        # what is dropped moves by a (x - alpha'), and the shift b makes the mean a q x
        from normcal.numerics.balls import BALLS, Ball

        (a, p), q = self._affine(BALLS), Ball(self.keep_prob)
        return [_noisy(a * q, a * BALLS.sqrt(q * p), SATURATION, kurtosis=_kurtosis(self.keep_prob))]

    def mixture(self, direction):
        from normcal.numerics.balls import BALLS, Ball

        a, p = self._affine(BALLS)
        shift = a * p * SATURATION
        kept = lambda x, m: x * numeric(a, m) - numeric(shift, m)  # noqa: E731
        return _either(self.keep_prob, kept, a * Ball(self.keep_prob) * SATURATION)

    def simulate(self, direction, rng, rows, law):
        import numpy as np

        p = 1.0 - self.keep_prob
        a = 1.0 / np.sqrt((SATURATION * SATURATION * p + 1.0) * (1.0 - p))
        values, mask = self._drawn(direction, rng, rows, law)
        if direction != FORWARD:
            return a * mask * values
        return a * np.where(mask, values, SATURATION) - a * SATURATION * p


class FeatureAlphaDropout(AlphaDropout):
    """Alpha dropout of whole channels."""

    name = "feature_alpha_dropout"
    aliases = ("spatial_alpha_dropout",)
    params = (_KEEP, _SIZE)
    formula = "a (r x + (1 − r) α') + b, one r a channel: 1 with probability q and 0 otherwise"
    latex = r"a\,(r x + (1 - r)\alpha') + b,\ r \sim \mathrm{Bernoulli}(q)\ \text{one a channel}"
    assumptions = (_MASK, _SHARED)
    references = (_KLAMBAUER, _TOMPSON)


class GaussianDropout(Layer):
    r"""Each entry is multiplied by 1 plus Gaussian noise of the variance that dropout's mask has.

    With :math:`s^2 = (1-q)/q` the variance is :math:`\sigma^2 + s^2(\sigma^2 + \mu^2)`, at every
    input the one of inverted dropout.
    """

    any_law = True
    name = "gaussian_dropout"
    aliases = ("multiplicative_gaussian_noise",)
    params = (_KEEP,)
    formula = "x (1 + √((1−q)/q) ξ), ξ ~ N(0, 1)"
    latex = r"x\,\bigl(1 + \sqrt{(1-q)/q}\,\xi\bigr),\ \xi \sim N(0, 1)"
    moments = (
        ("forward mean", "μ", r"\mu"),
        ("forward std", "√(σ² + (1−q)/q (σ² + μ²))", r"\sqrt{\sigma^2 + \tfrac{1-q}{q}(\sigma^2 + \mu^2)}"),
        ("backward std", "1/√q", r"1/\sqrt{q}"),
    )
    assumptions = ("the noise is independent of the input and the gradient, and the same one in both directions",)
    references = (
        _SRIVASTAVA,
        Reference("Kingma et al. 2015, Variational Dropout and the Local Reparameterization Trick", "arXiv:1506.02557"),
    )

    def closed_forward(self, law, m):
        from normcal.numerics.balls import Ball, hypot

        q = Ball(self.keep_prob)
        return Ball(law.mean), hypot(Ball(law.std) / m.sqrt(q), m.sqrt((1.0 - q) / q) * law.mean)

    def closed_backward(self, law, m):
        from normcal.numerics.balls import Ball

        return 1.0 / m.sqrt(Ball(self.keep_prob))

    def components(self, direction, law):
        from normcal.numerics.balls import BALLS, Ball

        return [_noisy(Ball(1.0), BALLS.sqrt((1.0 - Ball(self.keep_prob)) / self.keep_prob))]

    def draws(self) -> int:
        return 2

    def simulate(self, direction, rng, rows, law):
        import numpy as np

        values = _value(direction, rng, (rows, 1), law)
        return values * rng.normal(1.0, np.sqrt((1.0 - self.keep_prob) / self.keep_prob), (rows, 1))


class DropPath(Layer):
    r"""Stochastic depth: a residual branch is kept with probability q for a whole sample, or left out.

    The skip connection is part of the layer: y = skip + c r branch. ``scale_by_keep`` divides the
    branch by q, which keeps its mean.
    """

    name = "drop_path"
    aliases = ("stochastic_depth", "droppath")
    params = (
        _KEEP,
        Param("scale_by_keep", "yes", ("yes", "no"), "factor c on a branch that is kept: 1/q, or 1 for no"),
    )
    inputs = ("skip", "branch")
    formula = "skip + c r branch, r = 1 with probability q and 0 otherwise"
    latex = r"\text{skip} + c\,r\,\text{branch},\ r \sim \mathrm{Bernoulli}(q)"
    moments = (
        ("forward mean", "(1 + c q) μ", r"(1 + c\,q)\,\mu"),
        ("forward std", "√(σ² + c² (q σ² + q(1−q) μ²))", r"\sqrt{\sigma^2 + c^2(q\sigma^2 + q(1-q)\mu^2)}"),
        ("backward std of skip", "1", "1"),
        ("backward std of branch", "c √q", r"c\sqrt{q}"),
    )
    assumptions = ("skip and branch are independent, each with entries of the input law", _MASK)
    references = (
        Reference("Huang et al. 2016, Deep Networks with Stochastic Depth", "arXiv:1603.09382"),
        Reference("Larsson et al. 2016, FractalNet: Ultra-Deep Neural Networks without Residuals", "arXiv:1605.07648"),
    )

    def check(self) -> None:
        self._branch = Dropout(keep_prob=self.keep_prob, scaling="inverted" if self.scale_by_keep == "yes" else "plain")

    def closed_forward(self, law, m):
        return self._added(self._branch.closed_forward(law, m), law)

    def closed_backward(self, law, m):
        return self._beside(self._branch.closed_backward(law, m))

    def reduced_forward(self, law, q, m):
        return self._added(self._branch.reduced_forward(law, q, m), law)

    def reduced_backward(self, law, q, m):
        return self._beside(self._branch.reduced_backward(law, q, m))

    def _added(self, branch: tuple, law) -> tuple:
        from normcal.numerics.balls import Ball, hypot

        return branch[0] + law.mean, hypot(Ball(law.std), branch[1])

    def _beside(self, branch) -> dict:
        from normcal.numerics.balls import Ball

        return {"skip": Ball(1.0), "branch": branch}

    def draws(self) -> int:
        return 3

    def notes(self, law):
        return [f"{self.name}: the skip connection is part of it; the branch alone is dropout with the same keep_prob"]

    def simulate(self, direction, rng, rows, law):
        c = 1.0 / self.keep_prob if self.scale_by_keep == "yes" else 1.0
        kept = c * (rng.random((rows, 1)) < self.keep_prob)
        if direction == FORWARD:
            return law.sample(rng, (rows, 1)) + kept * law.sample(rng, (rows, 1))
        dy = law.incoming(rng, (rows, 1))
        return {"skip": dy, "branch": dy * kept}


def _either(q: float, kept, dropped) -> list:
    """Return what is kept with probability q, and what stands for what is dropped, with their shares."""
    return [(q, kept), (1.0 - q, dropped)] if q < 1.0 else [(1.0, kept)]


def _kurtosis(q: float) -> float:
    """Return the kurtosis of a mask that is 1 with probability q and 0 otherwise."""
    return 1.0 / (q * (1.0 - q)) - 3.0 if 0.0 < q < 1.0 else 3.0


def _noisy(slope, spread, centre: float = 0.0, kurtosis: float = 3.0) -> Component:
    """Return the law of slope x + xi spread (x - centre), the two factors being balls."""
    if spread.upper == 0.0:
        return Component(lambda x, m: x * numeric(slope, m))
    noise = lambda x, m: (x - centre) * numeric(spread, m)  # noqa: E731
    return Component(lambda x, m: x * numeric(slope, m), noise=noise, kurtosis=kurtosis)


def numeric(constant, m):
    """Return a ball as the namespace calculates with it: as it is, or its midpoint on plain arrays."""
    from normcal.numerics.balls import Balls

    while hasattr(m, "base"):
        m = m.base
    return constant if isinstance(m, Balls) else float(constant.mid)
