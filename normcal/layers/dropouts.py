"""Layers that drop entries at random."""

from __future__ import annotations

from normcal.layer import FORWARD, Component, Layer, Param, Reference

#: scaling -> 1/c from the keep probability
_DIVISOR = {"plain": lambda q, m: 1.0, "inverted": lambda q, m: q, "unit": lambda q, m: m.sqrt(q)}


class Dropout(Layer):
    r"""Each entry is kept with probability q and scaled, or set to 0.

    ``scaling`` is ``plain`` (c = 1), ``inverted`` (c = 1/q, keeps the mean) or ``unit``
    (c = 1/sqrt(q), keeps the std at zero mean, forward and backward).
    """

    name = "dropout"
    params = (
        Param(
            "keep_prob",
            0.5,
            "(0, 1]",
            "probability q that an entry is kept",
            typical=(0.5, 0.8, 0.9),
            complement="drop_prob",
        ),
        Param("scaling", "inverted", ("plain", "inverted", "unit"), "factor c on kept entries: 1, 1/q or 1/√q"),
    )
    formula = "c r x, r = 1 with probability q and 0 otherwise"
    latex = r"c\,r\,x,\ r \sim \mathrm{Bernoulli}(q)"
    moments = (
        ("forward mean", "c q μ", r"c\,q\,\mu"),
        ("forward std", "c √(q σ² + q(1−q) μ²)", r"c\sqrt{q\sigma^2 + q(1-q)\mu^2}"),
        ("backward std", "c √q", r"c\sqrt{q}"),
    )
    assumptions = ("the mask is independent of the input and the gradient, and the same one in both directions",)
    references = (
        Reference("Srivastava et al. 2014, Dropout, JMLR 15"),
        Reference("Arpit et al. 2016, Normalization Propagation", "arXiv:1603.01431"),
    )

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
        kept = Component(self._scaled, mass=self.keep_prob)
        dropped = Component(lambda x, m: 0.0 * x, mass=1.0 - self.keep_prob)
        return [kept, dropped]

    def simulate(self, direction, rng, rows, law):
        from normcal.numerics.arrays import ARRAYS

        values = law.sample(rng, (rows, 1)) if direction == FORWARD else rng.standard_normal((rows, 1))
        mask = rng.random((rows, 1)) < self.keep_prob
        return self._scaled(values, ARRAYS) * mask
