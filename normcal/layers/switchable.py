"""Normalisation by mixed statistics: switchable, sparse switchable, and meta normalisation."""

from __future__ import annotations

import collections
import math

from normcal.errors import RequestError, Unsupported
from normcal.layer import ANYTHING, FORWARD, Layer, Param, Reference
from normcal.spec import Spec, parse

_MOST = 1_000_000_000
_MOST_SIMULATED = 1_000_000
_SHAPE = Param(
    "shape",
    (4, 6, 4, 4),
    f"1..{_MOST}",
    "shape (N, C, H, W) of the input",
    typical=((3, 5, 2, 3), (8, 16, 4, 4)),
    shape=True,
    accepts="three to five whole numbers (N, C, H, ...), such as (32, 64, 8, 8)",
)
_EPS = Param("eps", 1e-5, "[0, inf)", "ε, added to the variance", typical=(0.0, 1e-3))
_WEIGHT = Param("weight", 1.0, "(-inf, inf)", "affine factor γ", typical=(0.5,), quiet=True)
_BIAS = Param("bias", 0.0, "(-inf, inf)", "affine shift β", typical=(0.25,), quiet=True)
_THREE = "three finite numbers (instance, layer, batch), such as (0, 1, 0.5)"
_SN = Reference(
    "Luo et al. 2019, Differentiable Learning-to-Normalize via Switchable Normalization", "arXiv:1806.10779"
)
_SSN = Reference("Shao et al. 2019, SSN: Learning Sparse Switchable Normalization via SparsestMax", "arXiv:1903.03793")


class _Mixed(Layer):
    """What layers on an input (N, C, H, W) share: sizes, the affine map, the simulation."""

    def _sizes(self) -> None:
        if not (isinstance(self.shape, tuple) and 3 <= len(self.shape) <= 5):
            _SHAPE.refuse(self.shape, self.name)
        if math.prod(self.shape) > _MOST:
            raise RequestError(
                f"{self.name}: shape makes {math.prod(self.shape):.3g} entries.",
                f"Accepted: at most {_MOST:_} entries.",
            )
        self.samples, self.channels, self.positions = self.shape[0], self.shape[1], math.prod(self.shape[2:])

    def undefined(self, direction, law):
        if law.std == 0.0 and self.eps == 0.0:
            return "the input is constant, so that at eps = 0 the layer is 0/0"
        return ""

    def _scaled(self, rms):
        from normcal.numerics.balls import Ball

        return Ball(self.bias), rms * abs(self.weight)

    def draws(self) -> int:
        count = math.prod(self.shape)
        if count > _MOST_SIMULATED:
            raise Unsupported(f"one simulated draw would take {count:.2g} numbers, more than {_MOST_SIMULATED:_}")
        return count

    def _statistics(self) -> tuple[list, list]:
        """Return the weighted statistics that make up the mean and the variance."""
        raise NotImplementedError

    constrained = True

    def simulate(self, direction, rng, rows, law):
        from normcal.layers._statistics import half

        return half(self.run(direction, rng, rows, law), rng)

    def run(self, direction, rng, rows, law):
        from normcal.layers._statistics import normalise

        x = law.sample(rng, (rows, self.samples, self.channels, self.positions))
        y, pullback = normalise(x, *self._statistics(), self.eps)
        if direction == FORWARD:
            return (y * self.weight + self.bias).reshape(rows, -1)
        return pullback(law.incoming(rng, x.shape, x) * self.weight).reshape(rows, -1)


class SwitchableNorm(_Mixed):
    r"""Mixes the means, and the variances, of instance, layer and batch with softmax weights.

    The variance of the entry (n, c) is :math:`D = w_1v_{nc} + w_2v_n + w_3v_c`, a quadratic form in the entries
    of sample n and channel c. Its eigenspaces are the deviations within the slice itself, within the other slices
    of the sample and of the channel together with the contrasts of their means, and a plane of three slice means
    (own, rest of the sample, rest of the channel).
    """

    name = "switchable_norm"
    aliases = ("switch_norm", "switch_norm2d", "switchable_normalization")
    params = (
        _SHAPE,
        Param(
            "mean_logits",
            (0.0, 0.0, 0.0),
            "(-inf, inf)",
            "logits of the means' weights",
            typical=((1.0, 0.0, -0.5),),
            shape=True,
            accepts=_THREE,
        ),
        Param(
            "var_logits",
            (0.0, 0.0, 0.0),
            "(-inf, inf)",
            "logits of the variances' weights",
            typical=((-0.5, 0.25, 1.0),),
            shape=True,
            accepts=_THREE,
        ),
        _EPS,
        _WEIGHT,
        _BIAS,
    )
    formula = "γ (x − Σₖ wₖ mₖ)/√(Σₖ w'ₖ vₖ + ε) + β, k over instance, layer and batch; w, w' softmax of the logits"
    latex = (
        r"\gamma\,\frac{x - \sum_k w_k m_k}{\sqrt{\sum_k w'_k v_k + \varepsilon}} + \beta,"
        r"\ k \in \{\text{instance, layer, batch}\}"
    )
    moments = (
        ("forward mean", "β", r"\beta"),
        (
            "forward std",
            "|γ|σ √∫ G Σₑ bₑ²/(1+Λₑ) dt, Λ = 2tσ²a, G = e^(−tε) Π (1+Λₑ)^(−dₑ/2) over eigenspaces",
            r"|\gamma|\sigma\Bigl(\int_0^\infty e^{-t\varepsilon}\prod_f(1+\Lambda_f)^{-d_f/2}"
            r"\sum_e\tfrac{b_e^2}{1+\Lambda_e}dt\Bigr)^{1/2},\ \Lambda = 2t\sigma^2a",
        ),
    )
    assumptions = (
        "the entries are independent; the weights of the mixture are fixed",
        "the variances over a sample and over a batch are those of all their entries",
    )
    references = (_SN,)
    _parameters = ("mean_logits", "var_logits")

    def check(self) -> None:
        self._sizes()
        if self.positions == 1:
            raise RequestError(
                f"{self.name}: shape leaves 1 entry to a channel of a sample, whose variance is 0 whatever it is.",
                "Accepted: at least 2 positions (H W).",
            )
        for parameter in self._parameters:
            given = getattr(self, parameter)
            if not isinstance(given, tuple) or len(given) != 3:
                next(p for p in self.params if p.name == parameter).refuse(given, self.name)
        self._vanishing = [tuple(w == 0.0 for w in weights) for weights in map(self._plain_weights, self._parameters)]

    def _plain_weights(self, parameter: str) -> tuple[float, ...]:
        """Return the weights as plain numbers."""
        logits = getattr(self, parameter)
        powers = [math.exp(logit - max(logits)) for logit in logits]
        return tuple(power / math.fsum(powers) for power in powers)

    def _weights(self, parameter: str, m) -> list:
        """Return the weights as balls."""
        from normcal.numerics.balls import Ball

        logits = getattr(self, parameter)
        powers = [m.exp(Ball(logit) - max(logits)) for logit in logits]
        total = powers[0] + powers[1] + powers[2]
        return [power / total for power in powers]

    def _spaces(self, m) -> list:
        from normcal.layers._normaliser import Space
        from normcal.numerics.balls import Ball

        n, c, length = float(self.samples), float(self.channels), float(self.positions)
        own, row, column = self._weights("var_logits" if "var_logits" in self._parameters else "var_scores", m)
        _, of_row, of_column = self._weights(self._parameters[0], m)
        zero, row, column = Ball(0.0), row / (c * length), column / (n * length)
        spaces = [Space(own / length + row + column, self.positions - 1, Ball(length - 1.0) / length)]
        along, across = of_row * m.sqrt(Ball(c - 1.0) / c), of_column * m.sqrt(Ball(n - 1.0) / n)
        if self.channels > 1:
            others = (self.channels - 1) * (self.positions - 1) + self.channels - 2
            spaces.append(Space(row, others, zero))
        if self.samples > 1:
            others = (self.samples - 1) * (self.positions - 1) + self.samples - 2
            spaces.append(Space(column, others, zero))
        if self.channels == 1 or self.samples == 1:
            if self.channels > 1:
                spaces.append(Space(row, 1, along.square() / length))
            if self.samples > 1:
                spaces.append(Space(column, 1, across.square() / length))
            return spaces
        between = Ball((c - 1.0) * (n - 1.0)) / (c * n)  # the squared cosine of the two contrasts
        cross = along * across * m.sqrt(between)
        size = along.square() + across.square() + cross * 2.0
        gap = m.sqrt((row - column).square() + row * column * between * 4.0)
        if gap.mid == 0.0:
            return [*spaces, Space(zero, 1, size / length)]
        high = (row + column + gap) * 0.5
        low = row * column * (Ball(n + c - 1.0) / (n * c)) / high
        seen = row * (along.square() + cross * 2.0 + across.square() * between) + column * (
            across.square() + cross * 2.0 + along.square() * between
        )
        upper = (seen - low * size) / gap
        lower = (high * size - seen) / gap
        return [*spaces, Space(high, 1, upper / length), Space(low, 1, lower / length)]

    # -- where moments do not exist, all of it at eps = 0

    @property
    def _rank(self) -> int:
        """How many independent directions the variance sees."""
        (_, no_row, no_column) = self._vanishing[1]
        rest = self.positions - 1
        rank = rest
        if not no_row:
            rank += (self.channels - 1) * (rest + 1)
        if not no_column:
            rank += (self.samples - 1) * (rest + 1)
        return rank

    @property
    def _blind(self) -> bool:
        """Whether the output has a part that the variance does not see."""
        (_, no_mean_row, no_mean_column), (_, no_row, no_column) = self._vanishing
        row = no_row and not no_mean_row and self.channels > 1
        column = no_column and not no_mean_column and self.samples > 1
        return row or column

    def infinite(self, direction, law):
        if self.eps or not law.std or not self.weight:
            return ""
        limit = (2 if self._blind else 0) if direction == FORWARD else (4 if self._blind else 2)
        if self._rank <= limit and not self._still(direction):
            return f"the moment diverges at eps = 0, where the variance sees only {self._rank} directions"
        return ""

    def _still(self, direction) -> bool:
        return direction != FORWARD and self._rank == 1 and not self._blind and self.eps == 0.0

    def heavy(self, direction, law):
        limit = (4 if self._blind else 0) if direction == FORWARD else (8 if self._blind else 4)
        if self._still(direction):
            return "the gradient is 0, so that a simulation sees nothing but its own rounding"
        if law.std and self._rank <= limit and self.eps < 1e-9 * law.std * law.std:
            return "the fourth moment is infinite at eps = 0, or carried by draws too rare for a sample"
        return ""

    # -- moments

    def closed_forward(self, law, m):
        from normcal.numerics.balls import Ball

        if law.std:
            raise Unsupported("the integrals over the eigenspaces of the mixed variance have no closed form")
        return self._scaled(Ball(0.0))

    def closed_backward(self, law, m):
        from normcal.numerics.balls import Ball

        if self._still("backward"):
            return Ball(0.0)
        if law.std:
            raise Unsupported("the integrals over the eigenspaces of the mixed variance have no closed form")
        shares = [space.share for space in self._spaces(m)]
        return m.sqrt(sum(shares[1:], shares[0]) / self.eps) * abs(self.weight)

    def reduced_forward(self, law, q, m):
        from normcal.layers._normaliser import rms_of_output

        if not law.std:
            raise Unsupported("the input is constant: there is nothing to integrate")
        return self._scaled(rms_of_output(self._spaces(m), law, self.eps, q, m))

    def reduced_backward(self, law, q, m):
        from normcal.layers._normaliser import rms_of_gradient

        if self._still("backward"):
            raise Unsupported("the gradient is 0: there is nothing to integrate")
        return rms_of_gradient(self._spaces(m), law, self.eps, q, m) * abs(self.weight)

    def _statistics(self):
        from normcal.layers._statistics import Statistics, identity, together

        n, c = self.samples, self.channels
        groups = ((identity(n), identity(c)), (identity(n), together(c)), (together(n), identity(c)))
        return tuple(
            [Statistics(weight, *group) for weight, group in zip(self._plain_weights(p), groups, strict=True) if weight]
            for p in self._parameters
        )

    def notes(self, law):
        shown = (", ".join(f"{w:.4g}" for w in self._plain_weights(p)) for p in self._parameters)
        means, variances = shown
        return [f"{self.name}: weights of instance, layer and batch: {means} (means), {variances} (variances)"]


class SparseSwitchableNorm(SwitchableNorm):
    r"""Switchable normalisation whose weights SparsestMax makes sparse, in the end one-hot.

    The weights are the Euclidean projection of the scores onto the part of the simplex that lies at least
    ``radius`` from its centre; at radius :math:`\sqrt{2/3}` one statistic is left.
    """

    name = "sparse_switchable_norm"
    aliases = ("ssn", "sparse_switch_norm", "sparse_switch_norm2d")
    params = (
        _SHAPE,
        Param(
            "mean_scores",
            (0.5, 0.3, 0.2),
            "(-inf, inf)",
            "scores of the means' weights",
            typical=((0.1, 0.9, 0.4),),
            shape=True,
            accepts=_THREE,
        ),
        Param(
            "var_scores",
            (0.5, 0.3, 0.2),
            "(-inf, inf)",
            "scores of the variances' weights",
            typical=((0.1, 0.4, 0.6),),
            shape=True,
            accepts=_THREE,
        ),
        Param(
            "radius",
            0.5,
            "[0, 0.8164965809277261]",
            "radius of the ball that is left out, at most √(2/3)",
            typical=(0.0, 0.25, math.sqrt(2.0 / 3.0)),
        ),
        _EPS,
        _WEIGHT,
        _BIAS,
    )
    formula = "as switchable_norm, with w, w' = sparsestmax(scores, radius)"
    latex = (
        r"\gamma\,\frac{x - \sum_k w_k m_k}{\sqrt{\sum_k w'_k v_k + \varepsilon}} + \beta,"
        r"\ w = \mathrm{SparsestMax}(\text{scores}, r)"
    )
    references = (
        _SSN,
        _SN,
        Reference("Martins & Astudillo 2016, From Softmax to Sparsemax", "arXiv:1602.02068"),
    )
    _parameters = ("mean_scores", "var_scores")

    def _plain_weights(self, parameter):
        from normcal.layers._sparsestmax import sparsestmax

        return sparsestmax(getattr(self, parameter), self.radius)

    def _weights(self, parameter, m):
        from normcal.numerics.balls import Ball, U

        return [Ball(w, 8.0 * U if 0.0 < w < 1.0 else 0.0) for w in self._plain_weights(parameter)]


_MATRIX = (
    "a binary matrix such as ((1, 1), (1, 1)), or one of the words instance (each by itself), "
    "batch or layer (all together) and group(G) (G blocks of neighbours)"
)


def _read(value):
    """Return a value that was given as text, such as "group(2)", as the grammar reads it."""
    whole = isinstance(value, str) and value.endswith(")")
    return parse(f"meta_norm(u={value})").params["u"] if whole else value


class MetaNorm(_Mixed):
    r"""Standardises each slice by the entries that two binary matrices choose over samples and channels.

    The statistics of the entry (n, c) are the mean and variance over all entries of the slices
    {n' : u[n, n'] = 1} x {c' : v[c, c'] = 1}. Their second moments aggregate; an average of the slices' variances
    would lose the variance between the slices' means, and batch normalisation would be no special case.
    The words ``batch``, ``layer`` and ``instance`` mean in either place what the namesake does there;
    ``group(G)`` is G blocks of neighbours: over channels group normalisation, over samples ghost batches.
    """

    name = "meta_norm"
    aliases = ("meta_normalization",)
    params = (
        _SHAPE,
        Param(
            "u",
            "batch",
            ANYTHING,
            "which samples share statistics, N x N",
            typical=("instance", "group(2)", ((1, 1, 0, 0), (1, 1, 0, 0), (0, 1, 1, 1), (0, 0, 1, 1))),
            accepts=_MATRIX,
        ),
        Param(
            "v",
            "instance",
            ANYTHING,
            "which channels share statistics, C x C",
            typical=("layer", "group(3)"),
            accepts=_MATRIX,
        ),
        _EPS,
        _WEIGHT,
        _BIAS,
    )
    formula = "γ (x − m)/√(v + ε) + β, m and v over the slices that u and v choose"
    latex = (
        r"\gamma\,\frac{x_{nc} - m_{nc}}{\sqrt{v_{nc}+\varepsilon}} + \beta,"
        r"\ m_{nc} = \tfrac{1}{a_nb_c}\textstyle\sum U_{nn'}V_{cc'}\,m(x_{n'c'})"
    )
    moments = (
        ("forward mean", "β", r"\beta"),
        (
            "forward std",
            "that of batch_norm, for groups of M = L Σu[n] Σv[c] entries",
            r"M = L\sum_{n'}U_{nn'}\sum_{c'}V_{cc'}",
        ),
    )
    assumptions = (
        "the entries are independent",
        "where groups differ in size the figures are root mean squares over all entries",
        "variances are those of all entries of a group, the variance between slices included",
    )
    references = (
        Reference("Shao 2019, Understanding Normalization in Deep Learning, lecture: meta normalisation"),
        _SSN,
        Reference("Wu & He 2018, Group Normalization", "arXiv:1803.08494"),
    )

    def check(self) -> None:
        self._sizes()
        self.u, self.v = map(_read, (self.u, self.v))
        self._u = self._matrix("u", self.u, self.samples, all_of="batch", each_of="layer")
        self._v = self._matrix("v", self.v, self.channels, all_of="layer", each_of="batch")
        self.groups = collections.Counter()  # (entries, whether the slice is in its own group) -> slices
        for n, row in enumerate(self._u):
            for c, column in enumerate(self._v):
                self.groups[sum(row) * sum(column) * self.positions, bool(row[n] and column[c])] += 1
        if any(size == 1 for size, _ in self.groups):
            raise RequestError(
                f"{self.name}: u, v and shape leave groups of 1 entry, whose variance is 0 whatever it is.",
                "Accepted: groups of at least 2 entries.",
            )

    def _matrix(self, name: str, value, size: int, *, all_of: str, each_of: str) -> tuple:
        from normcal.layers._statistics import blocks, identity, together

        refuse = next(p for p in self.params if p.name == name).refuse
        if size > 2048:
            raise RequestError(
                f"{self.name}: shape asks for a {name} of {size} x {size}.", "Accepted: at most 2048 x 2048."
            )
        if isinstance(value, str) and value in ("instance", each_of, all_of):
            return together(size) if value == all_of else identity(size)
        if isinstance(value, Spec) and value.name == "group":
            counts = [*value.args, *value.params.values()]
            if len(counts) != 1 or isinstance(counts[0], bool) or not isinstance(counts[0], int) or counts[0] < 1:
                refuse(value, self.name)
            if size % counts[0]:
                raise RequestError(
                    f"{self.name}: {name}={value.spec}: {counts[0]} groups do not divide {size}.",
                    f"Accepted: a divisor of {size}.",
                )
            return blocks(size, counts[0])
        if not isinstance(value, tuple) or not value or not all(isinstance(row, tuple) for row in value):
            refuse(value, self.name)
        if len(value) != size or any(len(row) != size for row in value):
            raise RequestError(
                f"{self.name}: {name} must have {size} rows and columns for this shape.", f"Accepted: {_MATRIX}."
            )
        if any(isinstance(x, bool) or x not in (0, 1) for row in value for x in row):
            refuse(value, self.name)
        empty = [i for i, row in enumerate(value) if not any(row)]
        if empty:
            raise RequestError(
                f"{self.name}: row {empty[0]} of {name} is empty, so that there is nothing to normalise by.",
                "Accepted: at least one 1 in every row.",
            )
        return tuple(tuple(int(x) for x in row) for row in value)

    def notes(self, law):
        if len(self.groups) == 1 and all(own for _, own in self.groups):
            return []
        sizes = ", ".join(f"{size}{'' if own else ' (not its own)'}" for size, own in sorted(self.groups))
        return [
            f"{self.name}: entries differ: groups of {sizes} entries; the std is the root mean square over all of them"
        ]

    def _limited(self, bounds: tuple[int, int]) -> bool:
        """Whether some group is too small: limits on M - 1 for slices within and without their own group."""
        return any(size - 1 <= bounds[0 if own else 1] and not (own and size == 2) for size, own in self.groups)

    def infinite(self, direction, law):
        if self.eps or not law.std or not self.weight:
            return ""
        if self._limited((0, 2) if direction == FORWARD else (2, 4)):
            return "the moment diverges at eps = 0 for so small a group"
        return ""

    def heavy(self, direction, law):
        if not law.std or self.eps >= 1e-9 * law.std * law.std:
            return ""
        if direction != FORWARD and all(size == 2 and own for size, own in self.groups) and self.eps == 0.0:
            return "the gradient is 0, so that a simulation sees nothing but its own rounding"
        small = any(size - 1 <= ((0, 4) if direction == FORWARD else (4, 8))[not own] for size, own in self.groups)
        return "the fourth moment is infinite at eps = 0, or carried by draws too rare for a sample" if small else ""

    def _pooled(self, of_group):
        """Return the root mean square over all slices of what a group of (size, own) gives."""
        from normcal.numerics.balls import Ball, root_of_squares

        found = [(Ball(float(count)), of_group(size, own)) for (size, own), count in sorted(self.groups.items())]
        if len(found) == 1:
            return found[0][1]
        total = float(self.samples * self.channels)
        return root_of_squares([(count / total, rms) for count, rms in found])

    def _spaces(self, size: int, own: bool) -> list:
        from normcal.layers._normaliser import Space, centred_spaces
        from normcal.numerics.balls import Ball

        if own:
            return centred_spaces(size)
        share = 1.0 + Ball(1.0) / float(size)  # of the entry and of the other group's mean
        return [Space(Ball(1.0) / float(size), size - 1, Ball(0.0)), Space(Ball(0.0), 1, share)]

    def _closed(self, law, m, formula):
        if law.std == 0.0 or not all(own for _, own in self.groups):
            raise Unsupported("the formula holds where every slice is in its own group, and the input varies")
        return self._pooled(lambda size, own: formula(size - 1, size, law, self.eps, m))

    def closed_forward(self, law, m):
        from normcal.layers._chi import closed_output
        from normcal.numerics.balls import Ball

        return self._scaled(self._closed(law, m, closed_output) if law.std else Ball(0.0))

    def closed_backward(self, law, m):
        from normcal.layers._chi import closed_gradient

        return self._closed(law, m, closed_gradient) * abs(self.weight)

    def reduced_forward(self, law, q, m):
        from normcal.layers._normaliser import rms_of_output

        if not law.std:
            raise Unsupported("the input is constant: there is nothing to integrate")
        return self._scaled(self._pooled(lambda size, own: rms_of_output(self._spaces(size, own), law, self.eps, q, m)))

    def reduced_backward(self, law, q, m):
        from normcal.layers._normaliser import rms_of_gradient
        from normcal.numerics.balls import Ball

        def of_group(size, own):
            if size == 2 and own and self.eps == 0.0:
                return Ball(0.0)
            return rms_of_gradient(self._spaces(size, own), law, self.eps, q, m)

        return self._pooled(of_group) * abs(self.weight)

    def _statistics(self):
        from normcal.layers._statistics import Statistics

        one = [Statistics(1.0, self._u, self._v)]
        return one, one
