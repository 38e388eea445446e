"""Layers that put tensors together: sums, products, residuals, reductions."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

from normcal.errors import RequestError
from normcal.layer import FORWARD, Layer, Param, Reference
from normcal.layers._exact import Rational, root, rounded, simulable
from normcal.layers._windows import MOST_SIDE

MOST_INPUTS = 26
#: Fourth moment over squared second one above which no sample of a sensible size knows its own error.
MOST_KURTOSIS = 500
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_INDEPENDENT = "the inputs are independent, each with entries of the input law"
_CORRELATED = "corresponding entries of any two inputs have the given correlation, 0 by default"

_BLAKE = Reference("Blake et al. 2023, Unit Scaling: Out-of-the-Box Low-Precision Training", "arXiv:2303.11257")
_UMUP = Reference("Blake et al. 2024, u-μP: The Unit-Scaled Maximal Update Parametrization", "arXiv:2407.17465")
_HE = Reference("He et al. 2015, Deep Residual Learning for Image Recognition", "arXiv:1512.03385")
_VASWANI = Reference("Vaswani et al. 2017, Attention Is All You Need", "arXiv:1706.03762")
_GOODMAN = Reference("Goodman 1960, On the exact variance of products", "doi:10.2307/2281592")
_GLOROT = Reference("Glorot & Bengio 2010, Understanding the difficulty of training deep feedforward neural networks")

_K = Param("k", 2, f"2..{MOST_INPUTS}", "number of inputs", typical=(2, 3))
_CORRELATION = Param("correlation", 0.0, "[-1, 1]", "correlation ρ of any two inputs", typical=(0.5, -0.25), quiet=True)


def _counted(name: str, default: int, doc: str, typical: tuple = (1, 4)) -> Param:
    return Param(name, default, f"1..{MOST_SIDE}", doc, typical=typical)


# --- sums ---


class _Sum(Rational):
    r"""A weighted sum :math:`\sum w_i x_i` of inputs with correlation rho.

    :math:`\mathrm{Var}\,y = \sigma^2\bigl((1-\rho)\sum w_i^2 + \rho(\sum w_i)^2\bigr)`.
    """

    assumptions = (_CORRELATED,)

    def weigh(self) -> tuple:
        """Return the weight of each input."""
        raise NotImplementedError

    def check(self) -> None:
        self._weights = tuple(map(Fraction, self.weigh()))
        k = len(self._weights)
        self.inputs = tuple(_LETTERS[:k])
        if 1 + (k - 1) * Fraction(self.correlation) < 0:
            raise RequestError(
                f"{self.name}: correlation cannot be {self.correlation!r} among {k} inputs.",
                f"Accepted: a number from -1/{k - 1} = {-1 / (k - 1):.6g} to 1.",
            )

    def forward_moments(self, mean, std):
        rho, whole = Fraction(self.correlation), sum(self._weights)
        squares = sum(w * w for w in self._weights)
        return mean * whole, std * std * ((1 - rho) * squares + rho * whole * whole)

    def gradients(self, mean, std):
        return {name: w * w for name, w in zip(self.inputs, self._weights, strict=True)}

    def simulate(self, direction, rng, rows, law):
        import numpy as np

        weights = np.array([float(w) for w in self._weights])
        if direction == FORWARD:
            return np.einsum("ri,i->r", _correlated(rng, rows, len(weights), self.correlation, law), weights)[:, None]
        dy = law.incoming(rng, (rows, 1))
        return {name: dy * w for name, w in zip(self.inputs, weights, strict=True)}


def _correlated(rng, rows: int, k: int, rho: float, law):
    """Draw k inputs of equal correlation: the square root of their correlation matrix times independent ones."""
    import numpy as np

    if rho == 0.0:
        return law.sample(rng, (rows, k))
    common = np.full((k, k), 1.0 / k)
    mixing = np.sqrt(1.0 - rho) * (np.eye(k) - common) + np.sqrt(max(1.0 + (k - 1) * rho, 0.0)) * common
    return np.einsum("ri,ij->rj", law.sample(rng, (rows, k)) - law.mean, mixing) + law.mean


class Add(_Sum):
    """The sum of k inputs."""

    name = "add"
    aliases = ("add_n", "elementwise_add")
    params = (_K, _CORRELATION)
    formula, latex = "x₁ + … + xₖ", r"x_1 + \cdots + x_k"
    moments = (
        ("forward mean", "k μ", r"k\mu"),
        ("forward std", "σ √(k + k(k−1) ρ)", r"\sigma\sqrt{k + k(k-1)\rho}"),
        ("backward std of each", "1", "1"),
    )
    references = (_HE, _BLAKE)

    def weigh(self):
        return (1,) * self.k


class Subtract(_Sum):
    """The difference of two inputs."""

    name = "subtract"
    aliases = ("sub", "difference")
    params = (_CORRELATION,)
    formula, latex = "a − b", "a - b"
    moments = (
        ("forward mean", "0", "0"),
        ("forward std", "σ √(2 (1−ρ))", r"\sigma\sqrt{2(1-\rho)}"),
        ("backward std of each", "1", "1"),
    )
    references = (_BLAKE,)

    def weigh(self):
        return 1, -1


class Average(_Sum):
    """The average of k inputs."""

    name = "average"
    aliases = ("mean_of_inputs",)
    params = (_K, _CORRELATION)
    formula, latex = "(x₁ + … + xₖ)/k", r"\tfrac1k (x_1 + \cdots + x_k)"
    moments = (
        ("forward mean", "μ", r"\mu"),
        ("forward std", "σ √((1 + (k−1) ρ)/k)", r"\sigma\sqrt{(1 + (k-1)\rho)/k}"),
        ("backward std of each", "1/k", "1/k"),
    )
    references = (_BLAKE,)

    def weigh(self):
        return (Fraction(1, self.k),) * self.k


class WeightedSum(_Sum):
    """A sum of inputs with fixed weights, which may be correlated."""

    name = "weighted_sum"
    aliases = ("weighted_add", "linear_combination")
    params = (
        Param(
            "weights",
            (1.0, 1.0),
            "(-inf, inf)",
            "weight of each input",
            typical=((0.5, 0.5), (1.0, -2.0, 0.5)),
            shape=True,
            accepts=f"a tuple of 2 to {MOST_INPUTS} numbers, such as (0.8, 0.6)",
        ),
        replace(_CORRELATION, quiet=False),
    )
    formula, latex = "w₁ x₁ + … + wₖ xₖ", r"w_1 x_1 + \cdots + w_k x_k"
    moments = (
        ("forward mean", "μ Σ wᵢ", r"\mu \sum w_i"),
        (
            "forward std",
            "σ √((1−ρ) Σ wᵢ² + ρ (Σ wᵢ)²)",
            r"\sigma\sqrt{(1-\rho)\sum w_i^2 + \rho\,\bigl(\sum w_i\bigr)^2}",
        ),
        ("backward std of input i", "|wᵢ|", r"|w_i|"),
    )
    references = (_BLAKE, _HE)

    def weigh(self):
        if not isinstance(self.weights, tuple) or not 2 <= len(self.weights) <= MOST_INPUTS:
            self.params[0].refuse(self.weights, self.name)
        return self.weights


class Residual(Layer):
    r"""A skip connection and a residual branch, weighed by tau.

    ``ratio``: tau is the size of the branch relative to the skip connection, and the weights
    :math:`1/\sqrt{1+\tau^2}` and :math:`\tau/\sqrt{1+\tau^2}` keep the variance of independent
    inputs. ``share``: tau is the branch's share of the variance, weights :math:`\sqrt{1-\tau}` and
    :math:`\sqrt\tau`. ``plain``: weights 1 and tau, which keep nothing.
    """

    name = "residual"
    aliases = ("residual_add", "skip_connection", "residual_connection", "shortcut")
    params = (
        Param("tau", None, "[0, inf)", "weight τ of the branch: 1, or 0.5 as a share", typical=(0.2, 0.5, 1.0)),
        Param(
            "weighting",
            "ratio",
            ("ratio", "share", "plain"),
            "weights of skip and branch: (1, τ)/√(1+τ²), (√(1−τ), √τ) or (1, τ)",
        ),
        _CORRELATION,
    )
    inputs = ("skip", "branch")
    formula = "v skip + w branch, (v, w) = (1, τ)/√(1+τ²), (√(1−τ), √τ) or (1, τ)"
    latex = (
        r"v\,\text{skip} + w\,\text{branch},\ (v, w) = \tfrac{(1, \tau)}{\sqrt{1+\tau^2}},"
        r"\ (\sqrt{1-\tau}, \sqrt\tau)\ \text{or}\ (1, \tau)"
    )
    moments = (
        ("forward mean", "(v + w) μ", r"(v + w)\mu"),
        (
            "forward std",
            "σ √(v² + w² + 2 ρ v w);  σ at ρ = 0 but for plain",
            r"\sigma\sqrt{v^2 + w^2 + 2\rho v w};\quad \sigma\ \text{at}\ \rho = 0\ \text{but for plain}",
        ),
        ("backward std of skip", "v", "v"),
        ("backward std of branch", "w", "w"),
    )
    assumptions = (
        "skip and branch have the given correlation, 0 by default, each with entries of the input law",
        "the gradients of skip and branch are apart: what they add up to below a fork is another sum",
    )
    references = (_UMUP, _BLAKE, _HE)

    def check(self) -> None:
        if self.tau is None:
            self.tau = 0.5 if self.weighting == "share" else 1.0
        if self.weighting == "share" and self.tau > 1.0:
            raise RequestError(
                f"residual: tau cannot be {self.tau!r} as a share of the variance.", "Accepted: a number in [0, 1]."
            )
        tau = Fraction(self.tau)
        squares = {
            "ratio": (1 / (1 + tau * tau), tau * tau / (1 + tau * tau)),
            "share": (1 - tau, tau),
            "plain": (Fraction(1), tau * tau),
        }
        self._squares = squares[self.weighting]

    def closed_forward(self, law, m):
        from normcal.numerics.balls import root_of_squares

        skip, branch = self._squares
        total = root(skip) + root(branch)
        apart = rounded(skip - branch) / total
        rho = Fraction(self.correlation)
        # along the two principal axes of the inputs nothing cancels
        spread = root_of_squares([(rounded((1 + rho) / 2), total), (rounded((1 - rho) / 2), apart)])
        if rho == 0:
            spread = root(skip + branch)
        return total * law.mean, spread * law.std

    def closed_backward(self, law, m):
        return {name: root(square) for name, square in zip(self.inputs, self._squares, strict=True)}

    def simulate(self, direction, rng, rows, law):
        import numpy as np

        weights = {
            "ratio": lambda tau: np.array([1.0, tau]) / np.hypot(1.0, tau),
            "share": lambda tau: np.sqrt([1.0 - tau, tau]),
            "plain": lambda tau: np.array([1.0, tau]),
        }[self.weighting](self.tau)
        if direction == FORWARD:
            x = _correlated(rng, rows, 2, self.correlation, law)
            return x[:, :1] * weights[0] + x[:, 1:] * weights[1]
        dy = law.incoming(rng, (rows, 1))
        return {"skip": dy * weights[0], "branch": dy * weights[1]}


class BroadcastAdd(Rational):
    """The sum of an input and a smaller one that is repeated along an axis."""

    name = "broadcast_add"
    params = (_counted("size", 64, "how often the smaller input is repeated", (4, 64)),)
    inputs = ("full", "repeated")
    formula, latex = "fullᵢⱼ + repeatedᵢ, j = 1 … n", r"\text{full}_{ij} + \text{repeated}_i,\ j = 1, \ldots, n"
    moments = (
        ("forward mean", "2 μ", r"2\mu"),
        ("forward std", "√2 σ", r"\sqrt2\,\sigma"),
        ("backward std of full", "1", "1"),
        ("backward std of repeated", "√n", r"\sqrt{n}"),
    )
    assumptions = (_INDEPENDENT,)
    references = (_BLAKE,)

    def forward_moments(self, mean, std):
        return 2 * mean, 2 * std * std

    def gradients(self, mean, std):
        return {"full": Fraction(1), "repeated": Fraction(self.size)}

    def entries(self, name):
        return float(self.size) if name == "full" else 1.0

    def draws(self):
        return simulable(self.size + 1)

    def simulate(self, direction, rng, rows, law):
        if direction == FORWARD:
            return law.sample(rng, (rows, self.size)) + law.sample(rng, (rows, 1))
        dy = law.incoming(rng, (rows, self.size))
        return {"full": dy, "repeated": dy.sum(axis=1, keepdims=True)}


class Concat(Rational):
    """Inputs side by side: every entry goes through as it is."""

    name = "concat"
    aliases = ("concatenate", "cat")
    params = (
        Param(
            "sizes",
            (64, 64),
            f"1..{MOST_SIDE}",
            "entries of each input",
            typical=((64, 64), (8, 16, 32)),
            shape=True,
            accepts=f"a tuple of 2 to {MOST_INPUTS} whole numbers from 1 to {MOST_SIDE:_}, such as (64, 32)",
        ),
    )
    formula, latex = "(x₁, …, xₖ)", r"(x_1, \ldots, x_k)"
    moments = (("forward mean", "μ", r"\mu"), ("forward std", "σ", r"\sigma"), ("backward std of each", "1", "1"))
    assumptions = (_INDEPENDENT,)
    references = (
        Reference("Huang et al. 2016, Densely Connected Convolutional Networks", "arXiv:1608.06993"),
        Reference("Ronneberger et al. 2015, U-Net: Convolutional Networks for Image Segmentation", "arXiv:1505.04597"),
    )

    def check(self) -> None:
        if not isinstance(self.sizes, tuple) or not 2 <= len(self.sizes) <= MOST_INPUTS:
            self.params[0].refuse(self.sizes, self.name)
        self.inputs = tuple(_LETTERS[: len(self.sizes)])
        shared = math.gcd(*self.sizes)
        self._sizes = {name: size // shared for name, size in zip(self.inputs, self.sizes, strict=True)}

    def forward_moments(self, mean, std):
        return mean, std * std

    def gradients(self, mean, std):
        return dict.fromkeys(self.inputs, Fraction(1))

    def entries(self, name):
        return float(self._sizes[name])

    def draws(self):
        return simulable(sum(self._sizes.values()))

    def simulate(self, direction, rng, rows, law):
        import numpy as np

        if direction == FORWARD:
            return np.concatenate([law.sample(rng, (rows, size)) for size in self._sizes.values()], axis=1)
        ends = np.cumsum(list(self._sizes.values()))
        parts = np.split(law.incoming(rng, (rows, ends[-1])), ends[:-1], axis=1)
        return dict(zip(self.inputs, parts, strict=True))


# --- products ---


class Multiply(Rational):
    r"""The product of k inputs.

    The second moment of a product of independent factors is the product of theirs, so that
    :math:`\mathrm{Var}\,y = (\sigma^2+\mu^2)^k - \mu^{2k}`.
    """

    name = "multiply"
    aliases = ("mul", "product", "hadamard", "elementwise_multiply")
    params = (_K,)
    formula, latex = "x₁ · … · xₖ", r"x_1 \cdots x_k"
    moments = (
        ("forward mean", "μᵏ", r"\mu^k"),
        ("forward std", "√((σ² + μ²)ᵏ − μ²ᵏ);  1 at N(0, 1)", r"\sqrt{(\sigma^2+\mu^2)^k - \mu^{2k}}"),
        ("backward std of each", "√(σ² + μ²)ᵏ⁻¹", r"(\sigma^2+\mu^2)^{(k-1)/2}"),
    )
    assumptions = (_INDEPENDENT,)
    references = (_GOODMAN,)

    def check(self) -> None:
        self.inputs = tuple(_LETTERS[: self.k])

    def forward_moments(self, mean, std):
        return mean**self.k, (std * std + mean * mean) ** self.k - mean ** (2 * self.k)

    def gradients(self, mean, std):
        return dict.fromkeys(self.inputs, (std * std + mean * mean) ** (self.k - 1))

    def heavy(self, direction, law):
        m, v = Fraction(law.mean) ** 2, Fraction(law.std) ** 2
        kurtosis = (m * m + 6 * m * v + 3 * v * v) / (m + v) ** 2 if m + v else Fraction(1)
        factors, own = (self.k, 1) if direction == FORWARD else (self.k - 1, 3)
        if own * kurtosis**factors <= MOST_KURTOSIS:
            return ""
        return (
            f"the product of {factors} such factors is so seldom large and then so large "
            f"(E y⁴ = {float(own * kurtosis**factors):.3g} E[y²]²) that a sample misses most of it"
        )

    def simulate(self, direction, rng, rows, law):
        import numpy as np

        x = law.sample(rng, (rows, self.k))
        if direction == FORWARD:
            return x.prod(axis=1, keepdims=True)
        dy = law.incoming(rng, (rows, 1))
        return {name: dy * np.delete(x, at, axis=1).prod(axis=1, keepdims=True) for at, name in enumerate(self.inputs)}


class BroadcastMultiply(Rational):
    """The product of an input and a smaller one that is repeated along an axis, as in channel attention."""

    name = "broadcast_multiply"
    aliases = ("channel_scale",)
    params = (_counted("size", 64, "how often the smaller input is repeated", (4, 64)),)
    inputs = ("full", "repeated")
    formula, latex = "fullᵢⱼ · repeatedᵢ, j = 1 … n", r"\text{full}_{ij} \cdot \text{repeated}_i,\ j = 1, \ldots, n"
    moments = (
        ("forward mean", "μ²", r"\mu^2"),
        ("forward std", "√(σ⁴ + 2 σ² μ²)", r"\sqrt{\sigma^4 + 2\sigma^2\mu^2}"),
        ("backward std of full", "√(σ² + μ²)", r"\sqrt{\sigma^2+\mu^2}"),
        ("backward std of repeated", "√(n (σ² + μ²))", r"\sqrt{n(\sigma^2+\mu^2)}"),
    )
    assumptions = (_INDEPENDENT,)
    references = (
        Reference("Hu et al. 2018, Squeeze-and-Excitation Networks", "arXiv:1709.01507"),
        _GOODMAN,
    )

    def forward_moments(self, mean, std):
        return mean * mean, std**4 + 2 * std * std * mean * mean

    def gradients(self, mean, std):
        square = std * std + mean * mean
        return {"full": square, "repeated": self.size * square}

    def entries(self, name):
        return float(self.size) if name == "full" else 1.0

    def draws(self):
        return simulable(self.size + 1)

    def simulate(self, direction, rng, rows, law):
        full, repeated = law.sample(rng, (rows, self.size)), law.sample(rng, (rows, 1))
        if direction == FORWARD:
            return full * repeated
        dy = law.incoming(rng, full.shape)
        return {"full": dy * repeated, "repeated": (dy * full).sum(axis=1, keepdims=True)}


class MatMul(Rational):
    """The product of two random matrices, (m, k) times (k, n)."""

    name = "matmul"
    aliases = ("bmm", "batched_matmul", "matrix_product", "batch_dot")
    params = (
        _counted("m", 16, "rows of the left matrix", (1, 8)),
        _counted("k", 16, "columns of the left matrix and rows of the right one", (1, 8)),
        _counted("n", 16, "columns of the right matrix", (1, 8)),
    )
    inputs = ("left", "right")
    formula, latex = "Σₗ leftᵢₗ rightₗⱼ", r"\sum_{l=1}^k \text{left}_{il}\,\text{right}_{lj}"
    moments = (
        ("forward mean", "k μ²", r"k\mu^2"),
        ("forward std", "√(k (σ⁴ + 2 σ² μ²));  √k at N(0, 1)", r"\sqrt{k\,(\sigma^4 + 2\sigma^2\mu^2)}"),
        ("backward std of left", "√(n (σ² + μ²))", r"\sqrt{n\,(\sigma^2+\mu^2)}"),
        ("backward std of right", "√(m (σ² + μ²))", r"\sqrt{m\,(\sigma^2+\mu^2)}"),
    )
    assumptions = (_INDEPENDENT, "both matrices are activations: neither is a learned weight")
    references = (_BLAKE, _GOODMAN)

    def forward_moments(self, mean, std):
        return self.k * mean * mean, self.k * (std**4 + 2 * std * std * mean * mean)

    def gradients(self, mean, std):
        square = std * std + mean * mean
        return {"left": self.n * square, "right": self.m * square}

    def entries(self, name):
        return float(self.m if name == "left" else self.n)  # each times k

    def draws(self):
        return simulable(self.m * self.k + self.k * self.n + self.m * self.n)

    def simulate(self, direction, rng, rows, law):
        import numpy as np

        left, right = law.sample(rng, (rows, self.m, self.k)), law.sample(rng, (rows, self.k, self.n))
        if direction == FORWARD:
            return np.einsum("rik,rkj->rij", left, right).reshape(rows, -1)
        dy = law.incoming(rng, (rows, self.m, self.n))
        found = {"left": np.einsum("rij,rkj->rik", dy, right), "right": np.einsum("rik,rij->rkj", left, dy)}
        return {name: each.reshape(rows, -1) for name, each in found.items()}


class ScaledDotProduct(Rational):
    """Attention logits: the scaled products of queries and keys, before any softmax."""

    name = "scaled_dot_product"
    aliases = ("attention_logits", "attention_scores", "query_key_product")
    params = (
        _counted("d", 64, "entries of a query or a key (head dimension)", (1, 16, 64)),
        _counted("queries", 1, "queries that each key meets"),
        _counted("keys", 1, "keys that each query meets"),
        Param("scale", None, "(-inf, inf)", "factor on the product: 1/√d", typical=(1.0, 0.015625)),
    )
    inputs = ("query", "key")
    formula, latex = "s Σ query key, s = 1/√d", r"s \sum_{i=1}^d \text{query}_i\,\text{key}_i,\ s = 1/\sqrt{d}"
    moments = (
        ("forward mean", "s d μ²", r"s\,d\,\mu^2"),
        ("forward std", "s √(d (σ⁴ + 2 σ² μ²));  1 at N(0, 1)", r"s\sqrt{d\,(\sigma^4 + 2\sigma^2\mu^2)}"),
        ("backward std of query", "s √(keys (σ² + μ²))", r"s\sqrt{\text{keys}\,(\sigma^2+\mu^2)}"),
        ("backward std of key", "s √(queries (σ² + μ²))", r"s\sqrt{\text{queries}\,(\sigma^2+\mu^2)}"),
    )
    assumptions = (_INDEPENDENT,)
    references = (_VASWANI, _BLAKE)

    def check(self) -> None:
        derived = self.scale is None
        self._square = Fraction(1, self.d) if derived else Fraction(self.scale) ** 2
        if derived:
            self.scale = 1.0 / math.sqrt(self.d)
        self._sign = -1 if self.scale < 0 else 1

    def forward_moments(self, mean, std):
        product = root(self._square * self.d**2 * mean**4) * float(self._sign)
        return product, self._square * self.d * (std**4 + 2 * std * std * mean * mean)

    def gradients(self, mean, std):
        square = self._square * (std * std + mean * mean)
        return {"query": self.keys * square, "key": self.queries * square}

    def entries(self, name):
        return float(self.queries if name == "query" else self.keys)  # each times d

    def draws(self):
        return simulable((self.queries + self.keys) * self.d + self.queries * self.keys)

    def simulate(self, direction, rng, rows, law):
        import numpy as np

        query = law.sample(rng, (rows, self.queries, self.d))
        key = law.sample(rng, (rows, self.keys, self.d))
        if direction == FORWARD:
            return (np.einsum("rid,rjd->rij", query, key) * self.scale).reshape(rows, -1)
        dy = law.incoming(rng, (rows, self.queries, self.keys)) * self.scale
        found = {"query": np.einsum("rij,rjd->rid", dy, key), "key": np.einsum("rij,rid->rjd", dy, query)}
        return {name: each.reshape(rows, -1) for name, each in found.items()}


# --- reductions ---


class SumReduction(Rational):
    """The sum over n entries of one input."""

    name = "sum_reduction"
    aliases = ("reduce_sum", "sum")
    params = (_counted("size", 64, "entries that are summed", (4, 64)),)
    formula, latex = "x₁ + … + xₙ", r"\sum_{i=1}^n x_i"
    moments = (
        ("forward mean", "n μ", r"n\mu"),
        ("forward std", "√n σ", r"\sqrt{n}\,\sigma"),
        ("backward std", "1", "1"),
    )
    assumptions = ("the entries that are summed are independent",)
    references = (_GLOROT,)

    def divisor(self) -> int:
        """What the sum is divided by."""
        return 1

    def forward_moments(self, mean, std):
        return mean * self.size / self.divisor(), std * std * self.size / self.divisor() ** 2

    def gradients(self, mean, std):
        return Fraction(1, self.divisor() ** 2)

    def draws(self):
        return simulable(self.size)

    def simulate(self, direction, rng, rows, law):
        import numpy as np

        if direction == FORWARD:
            return law.sample(rng, (rows, self.size)).sum(axis=1, keepdims=True) / self.divisor()
        return np.repeat(law.incoming(rng, (rows, 1)) / self.divisor(), self.size, axis=1)


class MeanReduction(SumReduction):
    """The mean over n entries of one input."""

    name = "mean_reduction"
    aliases = ("reduce_mean", "mean")
    formula, latex = "(x₁ + … + xₙ)/n", r"\tfrac1n \sum_{i=1}^n x_i"
    moments = (
        ("forward mean", "μ", r"\mu"),
        ("forward std", "σ/√n", r"\sigma/\sqrt{n}"),
        ("backward std", "1/n", "1/n"),
    )

    def divisor(self) -> int:
        return self.size
