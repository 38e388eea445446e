"""Pooling over windows: maximum, minimum, average, sum, p-norm and log-sum-exp; sliding, global or adaptive."""

from __future__ import annotations

import copy
import math
from dataclasses import replace

from normcal.errors import RequestError, Unsupported
from normcal.layer import ANYTHING, FORWARD, Component, Layer, Param, Reference
from normcal.layers._order import BOSE_GUPTA, ORDER_STATISTICS, largest_of, order_density
from normcal.layers._window_axes import Parts, Ring, Strip
from normcal.layers._window_mixtures import as_ball, mixed, mixture_weight, ratios
from normcal.layers._windows import KERNEL, MOST_SIDE, NDIM, STRIDE, Flag, Grid, Windows, check_size, per_dimension

_SIDES = "side of the feature map, or one a dimension"
_INPUT_SIZE = Param("input_size", 7, f"1..{MOST_SIDE}", _SIDES, typical=(4, 7, 8), shape=True)
_OUTPUT_SIZE = Param(
    "output_size", 3, f"1..{MOST_SIDE}", "windows along a side, or one number a dimension", typical=(1, 4), shape=True
)
_PADDING = Param("padding", 0, f"0..{MOST_SIDE}", "entries added on both sides", typical=(1,), shape=True, quiet=True)
_DILATION = Param(
    "dilation", 1, f"1..{MOST_SIDE}", "step between the entries of a window", typical=(2,), shape=True, quiet=True
)
_CEIL = Flag("ceil_mode", "false", ("false", "true"), "whether a last window may reach beyond the padding", quiet=True)
_MAP = Param(
    "input_size", None, f"1..{MOST_SIDE}", f"{_SIDES}; without it, the interior of a large map",
    typical=(8,), shape=True, quiet=True,
)  # fmt: skip
_COUNT_PAD = Flag("count_include_pad", "true", ("true", "false"), "whether padding counts in the divisor", quiet=True)
_OVERRIDE = Param(
    "divisor_override", None, f"1..{MOST_SIDE}", "divides the sum in place of the size of the window",
    typical=(4,), quiet=True,
)  # fmt: skip
_NORM = Param(
    "norm_type", 2.0, ANYTHING, "the power p", typical=(1.0, 3.0, "inf"), accepts="a number from 1 to 50, or inf"
)
_BETA = Param("beta", 1.0, "(0, inf)", "inverse temperature: 0 averages, ∞ takes the maximum", typical=(0.5, 4.0))
_REDUCTION = Param("reduction", "mean", ("mean", "sum"), "whether the exponentials are averaged or summed")
_TILES = (KERNEL, STRIDE, NDIM, _PADDING, _CEIL, _MAP)
_DILATED = (*_TILES, _DILATION)

#: Sizes of windows whose laws are put together one by one.
MOST_INTEGRATED = 200
_LECUN = Reference("LeCun et al. 1998, Gradient-Based Learning Applied to Document Recognition", "doi:10.1109/5.726791")


def _dimensional(*names: str) -> dict[str, dict[str, int]]:
    """Return the names with a dimension, such as max_pool2d."""
    return {f"{name}{ndim}d": {"ndim": ndim} for name in names for ndim in (1, 2, 3)}


class _Pool(Layer):
    """What every pooling shares: windows of n entries, of which some may lie in the padding."""

    assumptions = (
        "the entries of a window are independent",
        "without input_size positions are interior ones; over overlapping windows, and over a map with its borders, "
        "the backward std is the root mean square",
    )
    params = _DILATED
    #: what a missing entry holds
    fill = 0.0
    dilation = 1
    windows: Grid

    input_size = None

    def check(self) -> None:
        self.windows = self.placed()

    def placed(self) -> Grid:
        """Return the windows that the parameters describe, or refuse them."""
        kernel, padding, dilation = (
            per_dimension(self.name, name, getattr(self, name), self.ndim)
            for name in ("kernel_size", "padding", "dilation")
        )
        stride = kernel if self.stride is None else per_dimension(self.name, "stride", self.stride, self.ndim)
        check_size(self.name, "kernel_size", math.prod(kernel))
        check_size(self.name, "stride", math.prod(stride))
        for k, pad in zip(kernel, padding, strict=True):
            if 2 * pad > k:
                raise RequestError(
                    f"{self.name}: padding={pad} is more than half of kernel_size={k}.",
                    f"Accepted: at most {k // 2} here.",
                )
        if self.stride is None:
            self.stride = self.kernel_size
        if self.input_size is None:
            return Windows(kernel, stride, dilation)
        size = per_dimension(self.name, "input_size", self.input_size, self.ndim)
        check_size(self.name, "input_size", math.prod(size))
        ceil = (self.ceil_mode == "true",) * self.ndim
        axes = tuple(map(Strip, size, kernel, stride, padding, dilation, ceil))
        for axis in axes:
            axis.check(self.name)
        return Grid(axes)

    @property
    def rings(self):
        return self.windows.axes if all(isinstance(axis, Ring) for axis in self.windows.axes) else ()

    def laid(self, sides):
        found = copy.copy(self)
        found.windows = Grid(tuple(replace(axis, given=side) for axis, side in zip(self.rings, sides, strict=True)))
        return found

    @property
    def entangled(self) -> bool:
        return not all(axis.apart for axis in self.windows.axes)

    @property
    def density(self):
        """Windows for each position of the input, as a ball."""
        return as_ball(self.windows.density)

    def notes(self, law):
        found = [
            name for name in ("padding", "ceil_mode") if getattr(self, name, 0) not in (0, (0,) * self.ndim, "false")
        ]
        if self.input_size is None and found:
            return [
                f"{self.name}: {' and '.join(found)} act at the borders of a map only; give input_size to count them"
            ]
        return []

    def draws(self) -> int:
        self.windows.check_simulable()
        return max(self.windows.positions, self.windows.windows * self.windows.entries)

    def simulate(self, direction, rng, rows, law):
        x = self.windows.gather(law.sample(rng, (rows, self.windows.positions)), self.fill)
        if direction == FORWARD:
            return self.pool(x)
        return self.windows.scatter(self.slopes(x) * law.incoming(rng, (rows, self.windows.windows, 1)))

    def pool(self, x):
        """Return the output of each window from its entries: (rows, windows, entries) to (rows, windows)."""
        raise NotImplementedError

    def slopes(self, x):
        """Return the derivative of each output by each entry of its window."""
        raise NotImplementedError


class _Global:
    """A single window over the whole map, whatever its size."""

    params = (_INPUT_SIZE, NDIM)

    def placed(self) -> Grid:
        size = per_dimension(self.name, "input_size", self.input_size, self.ndim)
        check_size(self.name, "input_size", math.prod(size))
        return Windows(size, size)


class _Adaptive:
    """As many windows as asked for: the i-th of o covers floor(i L/o) to ceil((i + 1) L/o) of L entries."""

    params = (_INPUT_SIZE, _OUTPUT_SIZE, NDIM)

    def placed(self) -> Grid:
        size = per_dimension(self.name, "input_size", self.input_size, self.ndim)
        outputs = per_dimension(self.name, "output_size", self.output_size, self.ndim)
        check_size(self.name, "input_size", math.prod(size))
        check_size(self.name, "output_size", math.prod(outputs))
        return Grid(tuple(map(Parts, size, outputs)))


class _Mean(_Pool):
    r"""A sum divided by something: :math:`y = \frac1d\sum_i x_i`.

    Over windows with n entries and divisor d the mean is :math:`\mu E[n/d]`, the variance
    :math:`\sigma^2 E[n/d^2] + \mu^2 \mathrm{Var}(n/d)`; an entry's gradient has the mean square
    :math:`E[n/d^2]` times the number of windows for each entry.
    """

    def divided(self) -> list[dict[tuple[int, int], int]]:
        """Along each axis, how many windows there are of each (entries, divisor)."""
        return [axis.counts for axis in self.windows.axes]

    def override(self) -> int:
        return 1

    def closed_forward(self, law, m):
        from normcal.numerics.balls import Ball, hypot

        found = ratios(self.divided(), self.override())
        plain = found.mean.mid == 1.0 and found.mean.rad == 0.0
        mean = Ball(law.mean) if plain else found.mean * law.mean
        return mean, hypot(m.sqrt(found.spread) * law.std, m.sqrt(found.between) * law.mean)

    def closed_backward(self, law, m):
        return m.sqrt(self.density) * m.sqrt(ratios(self.divided(), self.override()).spread)

    def divisors(self):
        """Return what simulated windows are divided by: (windows,), or a number."""
        raise NotImplementedError

    def pool(self, x):
        return x.sum(axis=-1) / self.divisors()

    def slopes(self, x):
        import numpy as np

        shares = np.ones(self.windows.windows) / self.divisors()
        return np.where(self.windows.index < self.windows.positions, shares[:, None], 0.0)


class AvgPool(_Mean):
    """Average over each window."""

    name = "avg_pool"
    aliases = ("average_pool", "mean_pool", "average_pooling")
    presets = _dimensional("avg_pool", "average_pooling")
    params = (*_TILES, _COUNT_PAD, _OVERRIDE)
    count_include_pad = "false"
    divisor_override = None
    formula, latex = "(x₁ + … + xₙ)/n", r"\tfrac1n \sum_{i=1}^n x_i"
    moments = (
        ("forward mean", "μ", r"\mu"),
        ("forward std", "σ/√n", r"\sigma/\sqrt{n}"),
        (
            "backward std",
            "1/√(n S), S the product of the strides; 1/n without overlap",
            r"1/\sqrt{nS},\ S = \prod \text{stride};\quad 1/n\ \text{without overlap}",
        ),
        (
            "over a map whose windows hold n entries and divide by d",
            "mean μ E[n/d], variance σ² E[n/d²] + μ² Var(n/d); backward E[n/d²] outputs/inputs",
            r"\mu E[n/d],\ \sigma^2 E[n/d^2] + \mu^2 \mathrm{Var}(n/d);\quad E[n/d^2]\,\text{outputs}/\text{inputs}",
        ),
    )
    references = (_LECUN,)

    def divided(self):
        if self.divisor_override:
            return [_alone(axis.counts, 1) for axis in self.windows.axes]
        if self.count_include_pad == "true":
            return super().divided()
        return [_alone(axis.counts) for axis in self.windows.axes]

    def override(self):
        return self.divisor_override or 1

    def divisors(self):
        if self.divisor_override:
            return float(self.divisor_override)
        if self.count_include_pad == "true":
            return self.windows.divisors
        return (self.windows.index < self.windows.positions).sum(axis=1)


class SumPool(_Mean):
    """Sum over each window."""

    name = "sum_pool"
    aliases = ("add_pool",)
    presets = _dimensional("sum_pool")
    formula, latex = "x₁ + … + xₙ", r"\sum_{i=1}^n x_i"
    moments = (
        ("forward mean", "n μ", r"n\mu"),
        ("forward std", "σ √n", r"\sigma\sqrt{n}"),
        (
            "backward std",
            "√(n/S), S the product of the strides; 1 without overlap",
            r"\sqrt{n/S},\ S = \prod \text{stride};\quad 1\ \text{without overlap}",
        ),
    )
    references = (
        Reference("Xu et al. 2019, How Powerful are Graph Neural Networks?", "arXiv:1810.00826"),
        _LECUN,
    )

    def divided(self):
        return [_alone(axis.counts, 1) for axis in self.windows.axes]

    def divisors(self):
        return 1.0


class MaxPool(_Pool):
    r"""Maximum over each window.

    The output has the density :math:`n\,\varphi\,\Phi^{n-1}` of the largest of n. An entry wins
    each of its windows with probability 1/n and passes on that window's gradient, so that the
    squares of all gradients together are those of the outputs.
    """

    name = "max_pool"
    aliases = ("max_pooling", "maximum_pool")
    presets = _dimensional("max_pool", "max_pooling")
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
            "1/√S, S the product of the strides; 1/√n without overlap; √(outputs/inputs) over a map",
            r"1/\sqrt{S},\ S = \prod \text{stride};\quad 1/\sqrt{n}\ \text{without overlap};"
            r"\quad \sqrt{\text{outputs}/\text{inputs}}\ \text{over a map}",
        ),
    )
    references = (ORDER_STATISTICS, BOSE_GUPTA)
    fill = -math.inf
    #: 1 for the largest, -1 for the smallest
    side = 1.0

    def closed_forward(self, law, m):
        parts = []
        for (n, _), share in self.windows.sizes.items():
            mean, second = largest_of(n, m)
            parts.append((share, mean * self.side, m.sqrt(second - mean * mean)))
        mean, std = mixed(parts)
        return mean * law.std + law.mean, std * law.std

    def closed_backward(self, law, m):
        return m.sqrt(self.density)

    def components(self, direction, law):
        # backward: an entry lies in nW/I of the W windows over I inputs and wins each with probability E[Phi^(n-1)]
        mass = 1.0 if direction == FORWARD else float(self.windows.density)
        return [Component(_itself, mass=mass, weight=self._density())]

    def _density(self):
        laws = [(share, order_density(n)) for (n, _), share in self.windows.sizes.items()]
        if all(density is None for _, density in laws):
            return None
        largest = mixture_weight(laws)
        return largest if self.side > 0.0 else lambda z, m: largest(-z, m)

    def pool(self, x):
        return x.max(axis=-1)

    def slopes(self, x):
        return _one_hot(x, x.argmax(axis=-1))


class MinPool(MaxPool):
    """Minimum over each window."""

    name = "min_pool"
    aliases = ("min_pooling", "minimum_pool")
    presets = _dimensional("min_pool")
    formula, latex = "min(x₁, …, xₙ)", r"\min(x_1, \ldots, x_n)"
    moments = (
        (
            "forward law",
            "density n φ(z) Φ(−z)ⁿ⁻¹ of z = (y − μ)/σ",
            r"n\,\varphi(z)\,\Phi(-z)^{n-1},\ z = (y-\mu)/\sigma",
        ),
        (
            "forward mean and std",
            "closed forms for n ≤ 5, such as μ − σ 6 arctan(√2)/π^(3/2) at n = 4",
            r"\text{closed forms for } n \le 5,\ \mu - \sigma\,6\arctan(\sqrt2)/\pi^{3/2}\ \text{at}\ n = 4",
        ),
        MaxPool.moments[2],
    )
    fill = math.inf
    side = -1.0

    def pool(self, x):
        return x.min(axis=-1)

    def slopes(self, x):
        return _one_hot(x, x.argmin(axis=-1))


class LpPool(_Pool):
    r"""The p-norm of each window.

    p = 2 is the law of chi, off the centre a Poisson mixture of such laws; p = 1 a sum of folded
    normal numbers; p = inf the largest of them; any other p an integral over the Laplace transform of
    :math:`|x|^p`. An entry's gradient is :math:`\mathrm{sign}(x_i)\,(|x_i|/y)^{p-1}`: its squares
    add up to 1 over a window at p = 2 and p = inf, to n at p = 1.
    """

    name = "lp_pool"
    aliases = ("norm_pool",)
    presets = _dimensional("lp_pool")
    params = (_NORM, *_TILES)
    formula, latex = "(|x₁|ᵖ + … + |xₙ|ᵖ)^(1/p)", r"\bigl(\sum_{i=1}^n |x_i|^p\bigr)^{1/p}"
    moments = (
        (
            "forward mean and std at p = 2, μ = 0",
            "σ m with m = √2 Γ((n+1)/2)/Γ(n/2), σ √(n − m²)",
            r"\sigma m,\ m = \sqrt2\,\Gamma(\tfrac{n+1}2)/\Gamma(\tfrac n2),\quad \sigma\sqrt{n - m^2}",
        ),
        (
            "forward mean and std at p = 1, μ = 0",
            "n σ √(2/π), σ √(n (1 − 2/π))",
            r"n\sigma\sqrt{2/\pi},\quad \sigma\sqrt{n(1-2/\pi)}",
        ),
        (
            "backward std",
            "√(B/S), S the product of the strides; B = 1 at p = 2 and p = inf, n at p = 1",
            r"\sqrt{B/S},\ S = \prod \text{stride};\quad B = 1\ \text{at}\ p = 2, \infty,\ n\ \text{at}\ p = 1",
        ),
    )
    references = (
        Reference(
            "Sermanet et al. 2012, Convolutional Neural Networks Applied to House Numbers Digit Classification",
            "arXiv:1204.3968",
        ),
        Reference(
            "Gulcehre et al. 2014, Learned-Norm Pooling for Deep Feedforward and Recurrent Neural Networks",
            "arXiv:1311.1780",
        ),
        Reference("Johnson, Kotz & Balakrishnan 1995, Continuous Univariate Distributions 2, chapters 18 and 29"),
    )

    def check(self) -> None:
        super().check()
        value = self.norm_type
        if value != "inf":
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 1.0 <= value <= 50.0:
                _NORM.refuse(value, self.name)
            self.norm_type = float(value)
        self.p = float(value)

    def notes(self, law):
        found = super().notes(law)
        if self.p % 2.0 == 1.0:
            found.append(f"{self.name}: PyTorch sums xᵖ with its sign at odd p; this is the norm, of |x|ᵖ")
        if self.input_size is not None and getattr(self, "ceil_mode", "") == "true":
            found.append(f"{self.name}: a window beyond the padding is scaled up to kernel_size entries, as in PyTorch")
        return found

    def undefined(self, direction, law):
        if direction != FORWARD and law.std == 0.0 and law.mean == 0.0:
            return "the input is constantly 0, where a norm has a kink"
        return ""

    def closed_forward(self, law, m):
        return self._mixture(lambda n: self._elementary(n, law, m))

    def _elementary(self, n, law, m):
        from normcal.layers._p_norms import folded, root
        from normcal.numerics.balls import Ball

        if law.std == 0.0:
            return root(float(n), self.p) * abs(law.mean), Ball(0.0)
        if n == 1 or self.p == 1.0:
            mean, std = folded(law, m)
            return mean * float(n), std * m.sqrt(Ball(float(n)))
        if self.p == 2.0:
            from normcal.layers._euclidean import chi

            mean, std = chi(n, Ball(law.mean) / law.std)
            return mean * law.std, std * law.std
        raise Unsupported(f"the moments of the {self.p:g}-norm are no elementary numbers")

    def reduced_forward(self, law, q, m):
        if self.p == math.inf:
            return super().reduced_forward(law, q, m)
        return self._mixture(lambda n: self._integrated(n, law, q, m))

    def _integrated(self, n, law, q, m):
        from normcal.numerics.balls import Ball

        if n == 1 or self.p == 1.0:
            mean, std, _ = q.moments(Component(_size, kinks=(0.0,)), law)
            return mean * float(n), std * m.sqrt(Ball(float(n)))
        from normcal.layers._power_sums import power_mean

        return power_mean(n, self.p, law, q)

    def closed_backward(self, law, m):
        return self._gradient(lambda n: self._elementary_gradient(n, law), m)

    def _elementary_gradient(self, n, law):
        from normcal.layers._p_norms import root
        from normcal.numerics.balls import Ball

        if self.p == 1.0:
            return Ball(float(n))
        if n == 1 or self.p in (2.0, math.inf):
            return Ball(1.0)
        if law.std == 0.0:
            return Ball(float(n)) * root(float(n), self.p / (2.0 - 2.0 * self.p))
        raise Unsupported(f"the mean squared gradient of the {self.p:g}-norm is no elementary number")

    def reduced_backward(self, law, q, m):
        if self.p == math.inf:
            return super().reduced_backward(law, q, m)
        return self._gradient(lambda n: self._integrated_gradient(n, law, q), m)

    def _integrated_gradient(self, n, law, q):
        if n == 1 or self.p == 1.0:
            return q.slope(Component(_size, kinks=(0.0,)), law).square() * float(n)
        from normcal.layers._p_norms import gradient

        return gradient(n, self.p, law, q)

    def components(self, direction, law):
        if self.p != math.inf:
            raise Unsupported(f"the {self.p:g}-norm of several numbers is no function of one of them")
        from normcal.layers._p_norms import largest_size

        mass = 1.0 if direction == FORWARD else float(self.windows.density)
        weight = mixture_weight([(share, largest_size(n, law)) for (n, _), share in self.windows.sizes.items()])
        return [Component(_size, kinks=(0.0,), mass=mass, weight=weight)]

    def _mixture(self, moments):
        """Mix the laws of windows from ``moments(n)``, scaled up where they reach beyond the padding."""
        laws = _by_entries(self.windows.sizes, moments)
        return mixed([
            (share, laws[n][0] * self._scale(d), laws[n][1] * self._scale(d))
            for (n, d), share in self.windows.sizes.items()
        ])  # fmt: skip

    def _gradient(self, squares, m):
        """Return the std of an entry's gradient from ``squares(n)``, the sum over a window of mean squares."""
        sums = _by_entries(self.windows.sizes, squares)
        total = sum(
            (as_ball(share) * sums[n] * self._scale(d).square() for (n, d), share in self.windows.sizes.items()), 0.0
        )
        return m.sqrt(self.density * total)

    def _scale(self, counted: int):
        from normcal.layers._p_norms import root

        return root(self.windows.entries / counted, self.p)

    def pool(self, x):
        import numpy as np

        size = np.abs(x)
        top = size.max(axis=-1)
        if self.p == math.inf:
            return top
        total = ((size / np.where(top > 0.0, top, 1.0)[..., None]) ** self.p).sum(axis=-1)
        return top * (total * (self.windows.entries / self.windows.divisors)) ** (1.0 / self.p)

    def slopes(self, x):
        import numpy as np

        if self.p == math.inf:
            return np.sign(x) * _one_hot(x, np.abs(x).argmax(axis=-1))
        shares = (np.abs(x) / self.pool(x)[..., None]) ** (self.p - 1.0)
        return np.sign(x) * shares * (self.windows.entries / self.windows.divisors)[:, None]


class LsePool(_Pool):
    r"""Log-sum-exp over each window, a smooth maximum.

    The output is :math:`\mu` plus a function of :math:`\beta\sigma` alone. An entry's gradient is a
    softmax weight :math:`p_i = e^{\beta x_i}/\sum_j e^{\beta x_j}`: over a window the squares add up
    to :math:`n E p_1^2`.
    """

    name = "lse_pool"
    aliases = ("log_sum_exp_pool", "logsumexp_pool")
    presets = _dimensional("lse_pool")
    params = (_BETA, _REDUCTION, *_DILATED)
    formula = "log((e^(β x₁) + … + e^(β xₙ))/n)/β; without 1/n for reduction=sum"
    latex = r"\tfrac1\beta \log\bigl(\tfrac1n \sum_{i=1}^n e^{\beta x_i}\bigr)"
    moments = (
        (
            "forward mean",
            "μ + ∫ (e^(−t) − M(t/n)ⁿ)/t dt/β with M(t) = E e^(−t exp(β (x − μ)))",
            r"\mu + \tfrac1\beta \int_0^\infty (e^{-t} - M(t/n)^n)\,\tfrac{dt}t,\ M(t) = E\,e^{-t e^{\beta(x-\mu)}}",
        ),
        (
            "backward std",
            "√(n E p₁²/S), p the softmax of β x, S the product of the strides",
            r"\sqrt{n E p_1^2/S},\ p = \mathrm{softmax}(\beta x),\ S = \prod \text{stride}",
        ),
    )
    references = (
        Reference(
            "Pinheiro & Collobert 2015, From Image-Level to Pixel-Level Labeling with Convolutional Networks",
            "arXiv:1411.6228",
        ),
    )
    fill = -math.inf

    def closed_forward(self, law, m):
        from normcal.numerics.balls import Ball

        if law.std != 0.0 and self.windows.entries > 1:
            raise Unsupported("the moments of a log-sum-exp are no elementary numbers")
        return self._mixture(lambda n: (Ball(0.0), Ball(law.std)), law)

    def reduced_forward(self, law, q, m):
        from normcal.numerics.balls import Ball

        scale = Ball(law.std) * self.beta

        def moments(n):
            if n == 1:
                return Ball(0.0), q.moments(Component(_itself), law)[1]
            mean, std, _ = _log_mean_exp(n, scale, q)
            return mean / self.beta, std / self.beta

        return self._mixture(moments, law)

    def _mixture(self, moments, law):
        """Mix the laws of windows from ``moments(n)`` of the log-mean-exp without the mean of the input."""
        from normcal.numerics.balls import Ball, U

        laws = _by_entries(self.windows.sizes, moments)
        parts = []
        for (n, _), share in self.windows.sizes.items():
            mean, std = laws[n]
            if self.reduction == "sum":
                mean = mean + Ball(math.log(n), 2.0 * U * math.log(n)) / self.beta
            parts.append((share, mean, std))
        mean, std = mixed(parts)
        return mean + law.mean, std

    def closed_backward(self, law, m):
        from normcal.numerics.balls import Ball

        if law.std != 0.0 and self.windows.entries > 1:
            raise Unsupported("the mean square of a softmax weight is no elementary number")
        return self._gradient(lambda n: Ball(1.0) / float(n), m)

    def reduced_backward(self, law, q, m):
        from normcal.numerics.balls import Ball

        scale = Ball(law.std) * self.beta
        return self._gradient(
            lambda n: _log_mean_exp(n, scale, q)[2] * float(n)
            if n > 1
            else q.slope(Component(_itself), law).square(), m
        )  # fmt: skip

    def _gradient(self, squares, m):
        """Return the std of an entry's gradient from ``squares(n)``, the sum over a window of mean squares."""
        sums = _by_entries(self.windows.sizes, squares)
        total = sum((as_ball(share) * sums[n] for (n, _), share in self.windows.sizes.items()), 0.0)
        return m.sqrt(self.density * total)

    def pool(self, x):
        import numpy as np

        top = x.max(axis=-1)
        total = np.exp(self.beta * (x - top[..., None])).sum(axis=-1)
        if self.reduction == "mean":
            total = total / (self.windows.index < self.windows.positions).sum(axis=1)
        return top + np.log(total) / self.beta

    def slopes(self, x):
        import numpy as np

        weights = np.exp(self.beta * (x - x.max(axis=-1, keepdims=True)))
        return weights / weights.sum(axis=-1, keepdims=True)


class GlobalAvgPool(_Global, AvgPool):
    """Average over the whole feature map."""

    name = "global_avg_pool"
    aliases = ("global_average_pool", "global_average_pooling", "global_mean_pool")
    presets = _dimensional("global_avg_pool", "global_average_pooling")
    moments = AvgPool.moments[:3]


class GlobalSumPool(_Global, SumPool):
    """Sum over the whole feature map."""

    name = "global_sum_pool"
    aliases = ("global_add_pool",)
    presets = _dimensional("global_sum_pool")


class GlobalMaxPool(_Global, MaxPool):
    """Maximum over the whole feature map."""

    name = "global_max_pool"
    aliases = ("global_max_pooling",)
    presets = _dimensional("global_max_pool", "global_max_pooling")


class GlobalMinPool(_Global, MinPool):
    """Minimum over the whole feature map."""

    name = "global_min_pool"
    aliases = ("global_min_pooling",)
    presets = _dimensional("global_min_pool")


class GlobalLpPool(_Global, LpPool):
    """The p-norm of the whole feature map."""

    name = "global_lp_pool"
    aliases = ("global_norm_pool",)
    presets = _dimensional("global_lp_pool")
    params = (_NORM, *_Global.params)


class GlobalLsePool(_Global, LsePool):
    """Log-sum-exp over the whole feature map."""

    name = "global_lse_pool"
    aliases = ("global_log_sum_exp_pool",)
    presets = _dimensional("global_lse_pool")
    params = (_BETA, _REDUCTION, *_Global.params)


class AdaptiveAvgPool(_Adaptive, AvgPool):
    """Average over as many windows as asked for, which may overlap by an entry and differ in size by one."""

    name = "adaptive_avg_pool"
    aliases = ("adaptive_average_pool", "adaptive_average_pooling")
    presets = _dimensional("adaptive_avg_pool", "adaptive_average_pooling")
    moments = (
        ("forward mean", "μ", r"\mu"),
        ("forward std", "σ √E[1/n] over the windows", r"\sigma\sqrt{E[1/n]}"),
        ("backward std", "√(E[1/n] outputs/inputs)", r"\sqrt{E[1/n]\,\text{outputs}/\text{inputs}}"),
    )


class AdaptiveMaxPool(_Adaptive, MaxPool):
    """Maximum over as many windows as asked for, which may overlap by an entry and differ in size by one."""

    name = "adaptive_max_pool"
    aliases = ("adaptive_max_pooling",)
    presets = _dimensional("adaptive_max_pool", "adaptive_max_pooling")
    moments = (
        (
            "forward law",
            "the mean over the windows of the density n φ(z) Φ(z)ⁿ⁻¹ of z = (y − μ)/σ",
            r"E_n\,[n\,\varphi(z)\,\Phi(z)^{n-1}],\ z = (y-\mu)/\sigma",
        ),
        ("backward std", "√(outputs/inputs)", r"\sqrt{\text{outputs}/\text{inputs}}"),
    )


def _itself(x, m):
    return x


def _size(x, m):
    return m.abs(x)


def _log_mean_exp(n, scale, q):
    from normcal.layers._power_sums import log_mean_exp

    return log_mean_exp(n, scale, q)


def _by_entries(sizes, found) -> dict:
    """Return ``found(n)`` for each number of entries that a window has."""
    entries = sorted({n for n, _ in sizes})
    if len(entries) > MOST_INTEGRATED:
        raise Unsupported(
            f"windows of {len(entries):_} different sizes are more than the {MOST_INTEGRATED} put together"
        )
    return {n: found(n) for n in entries}


def _alone(counts: dict[tuple[int, int], int], divisor: int = 0) -> dict[tuple[int, int], int]:
    """Return the counts by entries alone, which are divided by ``divisor`` or else by their own number."""
    found: dict[tuple[int, int], int] = {}
    for (n, _), many in counts.items():
        key = n, divisor or n
        found[key] = found.get(key, 0) + many
    return found


def _one_hot(x, place):
    """Return an array like ``x`` that is 1 at the given place of each window, 0 elsewhere."""
    import numpy as np

    found = np.zeros(x.shape)
    np.put_along_axis(found, place[..., None], 1.0, axis=-1)
    return found
