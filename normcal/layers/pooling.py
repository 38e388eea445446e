"""Pooling over windows: maximum and average, sliding or global."""

from __future__ import annotations

import math

from normcal.errors import Unsupported
from normcal.layer import FORWARD, Component, Layer, Param, Reference
from normcal.layers._windows import KERNEL, MOST_ENTRIES, NDIM, STRIDE, Windows, check_size, per_dimension

_INTERIOR = "positions are interior ones; over overlapping windows the backward std is the root mean square"
_INPUT_SIZE = Param(
    "input_size", 7, f"1..{MOST_ENTRIES}", "side of the feature map, or one a dimension", typical=(4, 7, 8), shape=True
)


class _Pool(Layer):
    """What every pooling shares: windows of n entries and a stride of S entries."""

    assumptions = ("the entries of a window are independent", _INTERIOR)
    params = (KERNEL, STRIDE, NDIM)

    def check(self) -> None:
        kernel = per_dimension(self.name, "kernel_size", self.kernel_size, self.ndim)
        self._bind(
            kernel, kernel if self.stride is None else per_dimension(self.name, "stride", self.stride, self.ndim)
        )
        if self.stride is None:
            self.stride = self.kernel_size

    def _bind(self, kernel: tuple[int, ...], stride: tuple[int, ...]) -> None:
        self.windows = Windows(kernel, stride)
        self.n, self.step = math.prod(kernel), math.prod(stride)
        check_size(self.name, self.params[0].name, self.n)
        check_size(self.name, "stride", self.step)

    def draws(self) -> int:
        self.windows.check_simulable()
        return max(self.windows.positions, self.windows.windows * self.windows.entries)

    def _gathered(self, rng, rows: int, law):
        """Draw the torus and gather its windows: (rows, windows, n)."""
        return law.sample(rng, (rows, self.windows.positions))[:, self.windows.index]


class _Global:
    """A single window over the whole map, whatever its size."""

    params = (_INPUT_SIZE, NDIM)

    def check(self) -> None:
        size = per_dimension(self.name, "input_size", self.input_size, self.ndim)
        self._bind(size, size)


class AvgPool(_Pool):
    """Average over each window."""

    name = "avg_pool"
    aliases = ("average_pool", "mean_pool")
    formula, latex = "(x₁ + … + xₙ)/n", r"\tfrac1n \sum_{i=1}^n x_i"
    moments = (
        ("forward mean", "μ", r"\mu"),
        ("forward std", "σ/√n", r"\sigma/\sqrt{n}"),
        (
            "backward std",
            "1/√(n S), S the product of the strides; 1/n without overlap",
            r"1/\sqrt{nS},\ S = \prod \text{stride};\quad 1/n\ \text{without overlap}",
        ),
    )
    references = (
        Reference("LeCun et al. 1998, Gradient-Based Learning Applied to Document Recognition", "doi:10.1109/5.726791"),
    )

    def closed_forward(self, law, m):
        from normcal.numerics.balls import Ball

        return Ball(law.mean), Ball(law.std) / m.sqrt(Ball(float(self.n)))

    def closed_backward(self, law, m):
        from normcal.numerics.balls import Ball

        return 1.0 / (m.sqrt(Ball(float(self.n))) * m.sqrt(Ball(float(self.step))))

    def simulate(self, direction, rng, rows, law):
        if direction == FORWARD:
            return self._gathered(rng, rows, law).mean(axis=-1)
        dy = rng.standard_normal((rows, self.windows.windows))
        return _spread(dy[:, :, None] / self.n, self.windows)


class MaxPool(_Pool):
    r"""Maximum over each window.

    The output has the density :math:`n\,\varphi\,\Phi^{n-1}` of the largest of n. An entry wins
    each of its windows with probability 1/n and passes on that window's gradient.
    """

    name = "max_pool"
    formula, latex = "max(x₁, …, xₙ)", r"\max(x_1, \ldots, x_n)"
    moments = (
        (
            "forward law",
            "density n φ(z) Φ(z)ⁿ⁻¹ of z = (y − μ)/σ",
            r"n\,\varphi(z)\,\Phi(z)^{n-1},\ z = (y-\mu)/\sigma",
        ),
        (
            "forward mean and std",
            "closed forms for n ≤ 5, such as μ + σ 6 arctan(√2)/π^(3/2) at n = 4",
            r"\text{closed forms for } n \le 5,\ \mu + \sigma\,6\arctan(\sqrt2)/\pi^{3/2}\ \text{at}\ n = 4",
        ),
        (
            "backward std",
            "1/√S, S the product of the strides; 1/√n without overlap",
            r"1/\sqrt{S},\ S = \prod \text{stride};\quad 1/\sqrt{n}\ \text{without overlap}",
        ),
    )
    references = (
        Reference("David & Nagaraja 2003, Order Statistics, 3rd edition", "doi:10.1002/0471722162"),
        Reference(
            "Bose & Gupta 1959, Moments of order statistics from a normal population", "doi:10.1093/biomet/46.3-4.433"
        ),
    )

    def closed_forward(self, law, m):
        if self.n > 5:
            raise Unsupported(
                f"the moments of the largest of n normal numbers are elementary for n <= 5 only, here n = {self.n}"
            )
        from normcal.numerics.balls import Ball

        mean, second = _largest_of(self.n, m)
        return mean * law.std + law.mean, m.sqrt(second - mean * mean) * Ball(law.std)

    def closed_backward(self, law, m):
        from normcal.numerics.balls import Ball

        return 1.0 / m.sqrt(Ball(float(self.step)))

    def components(self, direction, law):
        chance = Component(_itself, weight=self._density if self.n > 1 else None)
        if direction == FORWARD:
            return [chance]
        # an entry lies in n/S windows on average and wins each with probability E[Phi^(n-1)]
        win = self._win if self.n > 1 else None
        return [Component(_itself, mass=self.n / self.step, weight=win)]

    def _win(self, z, m):
        return m.exp(m.log_Phi(z) * float(self.n - 1))

    def _density(self, z, m):
        return self._win(z, m) * float(self.n)

    def simulate(self, direction, rng, rows, law):
        import numpy as np

        x = self._gathered(rng, rows, law)
        if direction == FORWARD:
            return x.max(axis=-1)
        won = np.zeros(x.shape)
        dy = rng.standard_normal(x.shape[:2])
        np.put_along_axis(won, x.argmax(axis=-1)[..., None], dy[..., None], axis=-1)
        return _spread(won, self.windows)


class GlobalAvgPool(_Global, AvgPool):
    """Average over the whole feature map."""

    name = "global_avg_pool"
    aliases = ("global_average_pool",)


class GlobalMaxPool(_Global, MaxPool):
    """Maximum over the whole feature map."""

    name = "global_max_pool"


def _itself(x, m):
    return x


def _spread(contributions, windows: Windows):
    """Add what each window passes to each of its entries up on the torus: (rows, positions)."""
    import numpy as np

    rows = contributions.shape[0]
    full = np.broadcast_to(contributions, (rows, *windows.index.shape)).reshape(rows, -1)
    if windows.windows * windows.entries == windows.positions:  # no overlap: a permutation
        total = np.empty((rows, windows.positions))
        total[:, windows.index.ravel()] = full
        return total
    total = np.zeros((windows.positions, rows))
    np.add.at(total, windows.index.ravel(), full.T)
    return total.T


def _largest_of(n: int, m) -> tuple:
    """Return mean and second moment of the largest of n <= 5 standard normal numbers (Bose & Gupta 1959)."""
    from normcal.numerics.balls import Ball

    pi, root_pi, root3 = Ball(math.pi, 2.0**-52), m.sqrt(Ball(math.pi, 2.0**-52)), m.sqrt(Ball(3.0))

    def rounded(x: float) -> Ball:  # an elementary function of a constant, by the C library
        return Ball(x, 4e-16 * abs(x))

    if n == 1:
        return Ball(0.0), Ball(1.0)
    if n == 2:
        return 1.0 / root_pi, Ball(1.0)
    if n == 3:
        return 1.5 / root_pi, 1.0 + root3 / (2.0 * pi)
    if n == 4:
        return 6.0 * rounded(math.atan(math.sqrt(2.0))) / (pi * root_pi), 1.0 + root3 / pi
    mean = 1.25 / root_pi + 7.5 * rounded(math.asin(1.0 / 3.0)) / (pi * root_pi)
    return mean, 1.0 + 1.25 * root3 / pi + 2.5 * root3 * rounded(math.asin(0.25)) / (pi * pi)
