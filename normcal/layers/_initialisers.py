r"""How weights are drawn: one table of initialisers, with the moments of an entry and the draws themselves.

A weight tensor has the shape (first, second, taps) that PyTorch gives it: (out, in/groups, taps) for a convolution,
(in, out/groups, taps) for a transposed one. The fans are counted as PyTorch counts them, fan_in = second * taps and
fan_out = first * taps; so a transposed convolution's fan_in is that of its output side, and groups divide no fan_out.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from normcal.errors import RequestError, unknown
from normcal.param import ANYTHING, Param
from normcal.spec import Spec

UNIT_FAN_IN, UNIT_FAN_OUT, WEIGHT_NORM = "unit_fan_in", "unit_fan_out", "weight_norm"
NORMAL, UNIFORM, TRUNCATED = "normal", "uniform", "truncated_normal"
#: Kinds of law that are no law of single entries.
ROWS, COLUMNS, ORTHOGONAL, SPARSE, DIRAC, CONSTANT = "rows", "columns", "orthogonal", "sparse", "dirac", "constant"

#: The std of N(0, 1) cut off at 2, to the digits that JAX and TensorFlow carry.
CUT_AT_TWO = 0.87962566103423978


@dataclass(frozen=True)
class Shape:
    """The shape of a weight tensor, and what its rows and columns are."""

    first: int
    second: int
    taps: int = 1
    groups: int = 1
    transposed: bool = False
    kernel: tuple[int, ...] = ()

    @property
    def own(self) -> int:
        return self.second * self.taps

    @property
    def cross(self) -> int:
        return self.first // self.groups * self.taps

    @property
    def row(self) -> int:
        """How many weights belong to one output channel."""
        return self.cross if self.transposed else self.own

    @property
    def column(self) -> int:
        """How many weights belong to one input channel."""
        return self.own if self.transposed else self.cross

    @property
    def size(self) -> int:
        return self.first * self.own


@dataclass(frozen=True)
class _Numbers:
    """What the table's formulas see: fans and sizes in the arithmetic at hand, options, and its functions."""

    number: Callable[[float], Any]
    m: Any
    shape: Shape
    options: dict[str, Any]

    def __getattr__(self, name: str) -> Any:
        value = self.options[name]
        return value if isinstance(value, str) else self.number(float(value))

    @property
    def fan_in(self):
        return self.number(float(self.shape.own))

    @property
    def fan_out(self):
        return self.number(float(self.shape.first * self.shape.taps))

    @property
    def fan_avg(self):
        return self.number((self.shape.own + self.shape.first * self.shape.taps) / 2.0)

    def fan(self):
        return getattr(self, self.options["mode"])


@dataclass(frozen=True)
class Scheme:
    """A line of the table: what kind of law, the variance of an entry at gain 1, the gain by default, parameters."""

    kind: str | Callable[[dict], str]
    variance: Callable[[_Numbers], Any]
    gain: Callable[[_Numbers], Any] = lambda n: n.number(1.0)
    params: tuple[Param, ...] = ()
    #: Kinds of layer it is for; empty for all.
    only: tuple[str, ...] = ()


_ANY, _POSITIVE = "(-inf, inf)", "(0, inf)"
_FANS = ("fan_in", "fan_out", "fan_avg")
_MODE = Param("mode", "fan_in", ("fan_in", "fan_out"), "which fan")
_STD = Param("std", 1.0, _POSITIVE, "standard deviation")
_MEAN = Param("mean", 0.0, _ANY, "mean of an entry")
_GAIN = Param("gain", 1.0, _POSITIVE, "factor on the weights")
_SLOPE = Param("a", 0.0, _ANY, "negative slope of the activation behind it")
_DEPTH = "1..1000000"


def _kaiming(kind: str) -> Scheme:
    gain = lambda n: n.m.sqrt(2.0 / (1.0 + n.a * n.a))  # noqa: E731
    return Scheme(kind, lambda n: 1.0 / n.fan(), gain, (_MODE, _SLOPE))


def _kaiming_fan_out(kind: str) -> Scheme:
    return Scheme(kind, lambda n: 1.0 / n.fan_out, lambda n: n.m.sqrt(n.number(2.0)))


def _xavier(kind: str) -> Scheme:
    return Scheme(kind, lambda n: 1.0 / n.fan_avg, lambda n: n.gain, (_GAIN,))


def _fixup(n: _Numbers):
    """He et al.'s std times L^(-1/(2m - 2)) (Zhang et al. 2019, section 3)."""
    return 2.0 / n.fan_in * n.m.exp(-n.m.log1p(n.depth - 1.0) / (n.branch_layers - 1.0))


def _t_fixup(n: _Numbers):
    """Xavier's std times 0.67 N^(-1/4) in an encoder, (9N)^(-1/4) in a decoder (Huang et al. 2020, section 3.2)."""
    factor = (
        n.number(0.67) * n.number(0.67) / n.m.sqrt(n.depth) if n.part == "encoder" else 1.0 / n.m.sqrt(n.depth * 9.0)
    )
    return factor / n.fan_avg


def _deepnorm(n: _Numbers):
    """Xavier's std times beta (Wang et al. 2022, table 1)."""
    depth = n.depth
    if n.part == "only":
        square = 1.0 / n.m.sqrt(depth * 8.0)
    elif n.part == "decoder":
        square = 1.0 / n.m.sqrt(depth * 12.0)
    else:  # 0.87 (N^4 M)^(-1/16), M the other stack's depth
        square = n.number(0.87) * n.number(0.87) / n.m.sqrt(depth * n.m.sqrt(n.m.sqrt(n.other)))
    return square / n.fan_avg


def _kind_of(options: dict) -> str:
    """Return the kind of law that ``variance_scaling`` names."""
    return {"untruncated_normal": NORMAL, "normal": NORMAL}.get(options["distribution"], options["distribution"])


def _cut_variance(n: _Numbers):
    """JAX divides by a rounded std of the cut law, so that the variance is what was asked but for rounding."""
    wanted = n.scale / n.fan()
    if n.options["distribution"] != TRUNCATED:
        return wanted
    return wanted / (n.number(CUT_AT_TWO) * n.number(CUT_AT_TWO))


SCHEMES: dict[str, Scheme] = {
    UNIT_FAN_IN: Scheme(ROWS, lambda n: 1.0 / n.number(float(n.shape.row))),
    UNIT_FAN_OUT: Scheme(COLUMNS, lambda n: 1.0 / n.number(float(n.shape.column))),
    WEIGHT_NORM: Scheme(
        ROWS,
        lambda n: 1.0 / n.number(float(n.shape.row)),
        params=(Param("v_norm", 1.0, _POSITIVE, "norm of the direction v behind each row w = g v/‖v‖"),),
    ),
    "kaiming_normal": _kaiming(NORMAL),
    "kaiming_uniform": _kaiming(UNIFORM),
    "kaiming_normal_fan_out": _kaiming_fan_out(NORMAL),
    "kaiming_uniform_fan_out": _kaiming_fan_out(UNIFORM),
    "xavier_normal": _xavier(NORMAL),
    "xavier_uniform": _xavier(UNIFORM),
    "lecun_normal": Scheme(NORMAL, lambda n: 1.0 / n.fan_in),
    "lecun_uniform": Scheme(UNIFORM, lambda n: 1.0 / n.fan_in),
    "torch_default": Scheme(UNIFORM, lambda n: 1.0 / (n.fan_in * 3.0)),
    NORMAL: Scheme(NORMAL, lambda n: n.std * n.std, params=(_MEAN, _STD)),
    UNIFORM: Scheme(
        UNIFORM,
        lambda n: (n.b - n.a) * (n.b - n.a) / 12.0,
        params=(Param("a", 0.0, _ANY, "lower bound"), Param("b", 1.0, _ANY, "upper bound")),
    ),
    "trunc_normal": Scheme(
        TRUNCATED,
        lambda n: n.std * n.std,
        params=(
            _STD,
            Param("a", -2.0, "[-1000000, 1000000]", "lower bound in units of std"),
            Param("b", 2.0, "[-1000000, 1000000]", "upper bound in units of std"),
        ),
    ),
    "variance_scaling": Scheme(
        _kind_of,
        _cut_variance,
        params=(
            Param("scale", 1.0, _POSITIVE, "the variance of a weight times its fan"),
            Param("mode", "fan_in", _FANS, "which fan"),
            Param("distribution", TRUNCATED, (TRUNCATED, NORMAL, "untruncated_normal", UNIFORM), "which law"),
        ),
    ),
    ORTHOGONAL: Scheme(
        ORTHOGONAL, lambda n: 1.0 / n.number(float(max(n.shape.first, n.shape.own))), lambda n: n.gain, (_GAIN,)
    ),
    SPARSE: Scheme(
        SPARSE,
        lambda n: n.std * n.std * (float(n.shape.first - zeros(n.options, n.shape)) / n.number(float(n.shape.first))),
        params=(
            Param("sparsity", 0.1, "[0, 1]", "share of each column that is 0"),
            Param("std", 0.01, _POSITIVE, "standard deviation of the others"),
        ),
        only=("linear",),
    ),
    DIRAC: Scheme(
        DIRAC,
        lambda n: n.number(float(ones(n.shape))) / n.number(float(n.shape.size)),
        only=("linear", "conv"),
    ),
    CONSTANT: Scheme(
        CONSTANT, lambda n: n.number(0.0), params=(Param("value", 0.0, _ANY, "the value of every weight"),)
    ),
    "fixup": Scheme(
        NORMAL,
        _fixup,
        params=(
            Param("depth", 16, _DEPTH, "number L of residual branches"),
            Param("branch_layers", 2, "2..1000", "number m of weight layers in a branch"),
        ),
    ),
    "t_fixup": Scheme(
        UNIFORM,
        _t_fixup,
        params=(
            Param("depth", 6, _DEPTH, "number N of layers of the stack"),
            Param("part", "encoder", ("encoder", "decoder"), "which stack"),
        ),
    ),
    "deepnorm": Scheme(
        NORMAL,
        _deepnorm,
        params=(
            Param("depth", 6, _DEPTH, "number of layers of the stack"),
            Param("part", "only", ("only", "encoder", "decoder"), "the only stack, or which of two"),
            Param("other", 6, _DEPTH, "number of layers of the other stack"),
        ),
    ),
}
ALIASES = {
    "he_normal": "kaiming_normal", "he_uniform": "kaiming_uniform", "glorot_normal": "xavier_normal",
    "glorot_uniform": "xavier_uniform", TRUNCATED: "trunc_normal", "random_normal": NORMAL, "random_uniform": UNIFORM,
    "identity": DIRAC, "eye": DIRAC, "pytorch": "torch_default",
}  # fmt: skip


def zeros(options: dict, shape: Shape) -> int:
    """Return how many entries of a column ``sparse`` sets to 0, rounded as PyTorch rounds."""
    return math.ceil(options["sparsity"] * shape.first)


def ones(shape: Shape) -> int:
    """Return how many channels ``dirac`` passes on."""
    return shape.groups * min(shape.first // shape.groups, shape.second)


def init_param(default: str = UNIT_FAN_IN, typical: tuple = (UNIT_FAN_OUT, "torch_default")) -> Param:
    """Return the parameter ``init`` of a layer with weights."""
    return Param(
        "init", default, ANYTHING, "how the weights are drawn", typical=typical,
        accepts="a name such as kaiming_normal, or one with parameters such as trunc_normal(std=0.02, a=-2, b=2); "
        "names: " + ", ".join(SCHEMES),
    )  # fmt: skip


@dataclass(frozen=True)
class Initialiser:
    """An initialiser with its parameters, for a weight tensor of one shape."""

    name: str
    options: dict[str, Any]
    shape: Shape
    gain: float | None = None

    @property
    def scheme(self) -> Scheme:
        return SCHEMES[self.name]

    @property
    def kind(self) -> str:
        kind = self.scheme.kind
        return kind if isinstance(kind, str) else kind(self.options)

    @property
    def centred(self) -> bool:
        """Whether an entry has mean 0."""
        options = self.options
        return {
            NORMAL: options.get("mean", 0.0) == 0.0,
            UNIFORM: options.get("a", 0.0) == -options.get("b", 0.0) if self.name == UNIFORM else True,
            TRUNCATED: options.get("a", -2.0) == -options.get("b", 2.0),
            DIRAC: False,
            CONSTANT: options.get("value") == 0.0,
        }.get(self.kind, True)

    def default_gain(self) -> float:
        """Return the gain that holds where a layer gives none."""
        return float(self.scheme.gain(_Numbers(float, math, self.shape, self.options)))

    def entry(self, m) -> tuple:
        """Return (mean, variance) of one weight as balls.

        >>> from normcal.numerics.balls import BALLS
        >>> mean, variance = Initialiser("kaiming_normal", {"mode": "fan_in", "a": 0.0}, Shape(64, 8)).entry(BALLS)
        >>> float(mean.mid), round(float(variance.mid), 14)
        (0.0, 0.25)
        """
        from normcal.numerics.balls import Ball

        n = _Numbers(Ball, m, self.shape, self.options)
        gain = Ball(self.gain) if self.gain is not None else self.scheme.gain(n)
        mean, variance = Ball(0.0), self.scheme.variance(n)
        if self.kind == TRUNCATED:
            from normcal.layers._truncated import truncated

            mean, its_variance = truncated(self.options.get("a", -2.0), self.options.get("b", 2.0))
            mean, variance = mean * m.sqrt(variance), variance * its_variance
        elif self.name == UNIFORM:
            mean = Ball(0.0) if self.centred else (n.a + n.b) * 0.5
        elif self.name == NORMAL:
            mean = n.mean
        elif self.kind == CONSTANT:
            mean = n.value
        elif self.kind == DIRAC:
            mean, variance = variance, variance * (1.0 - variance)
        return mean * gain if not self.centred else Ball(0.0), variance * gain * gain

    @property
    def work(self) -> int:
        """What a weight costs to draw, in random numbers: a QR decomposition takes far more than its entries."""
        return 1 + min(self.shape.first, self.shape.own) // 4 if self.kind == ORTHOGONAL else 1

    def draw(self, rng, rows: int):
        """Draw ``rows`` weight tensors: an array (rows, first, second, taps)."""
        import numpy as np

        shape = (rows, self.shape.first, self.shape.second, self.shape.taps)
        gain = self.default_gain() if self.gain is None else self.gain
        return gain * np.asarray(_DRAWS[self.kind](self, rng, shape))

    def std(self) -> float:
        """Return the std that the law of an entry has at gain 1, or had before it was cut off."""
        return math.sqrt(self.scheme.variance(_Numbers(float, math, self.shape, self.options)))


def bind(
    layer: str, kind: str, param: Param, value: Any, shape: Shape, gain: float | None = None
) -> tuple[Any, Initialiser]:
    """Return the canonical value of ``init`` and the initialiser that it names.

    Parameters
    ----------
    layer: the layer's name, for messages.
    kind: what the layer is to an initialiser: ``linear``, ``conv`` or another word.
    param: the layer's parameter, which refuses what is no word and no word with parameters.
    value: the parsed value.
    shape: the shape of the weight tensor.
    gain: the factor on the weights where the layer gives one.

    Raises
    ------
    RequestError: for unknown names, unknown or wrong parameters, and two gains.
    """
    given = Spec(value, {}) if isinstance(value, str) else value
    if not isinstance(given, Spec):
        param.refuse(value, layer)
    name = given.name.lower().replace("-", "_")
    name = ALIASES.get(name, name)
    if name not in SCHEMES:
        raise unknown(f"init of {layer}:", given.name, [*SCHEMES, *ALIASES])
    scheme, where = SCHEMES[name], f"{layer}: init={name}"
    if given.args:
        raise RequestError(f"{where} takes parameters by name.", f"Accepted: {_signature(name)}.")
    if scheme.only and kind not in scheme.only:
        raise RequestError(f"{layer}: init cannot be {name}.", f"Accepted: {name} is for {' and '.join(scheme.only)}.")
    options = {p.name: p.default for p in scheme.params}
    for key, option in given.params.items():
        if key not in options:
            none = f"{name} takes no parameters." if not options else f"Accepted: {_signature(name)}."
            raise unknown(f"parameter of init={name} ({layer}):", key, list(options), see=none)
        options[key] = next(p for p in scheme.params if p.name == key).accept(option, where)
    _check(name, where, options, gain, given.params)
    canonical = Spec(name, {key: options[key] for key in given.params}) if given.params else name
    return canonical, Initialiser(name, options, shape, gain)


def _signature(name: str) -> str:
    return f"{name}({', '.join(f'{p.name}={p.default}' for p in SCHEMES[name].params)})"


def _check(name: str, where: str, options: dict, gain: float | None, given: dict) -> None:
    """Refuse options that do not fit together."""
    if gain is not None and "gain" in given:
        raise RequestError(f"{where}: gain is given twice, {given['gain']} and {gain}.", "Give it once.")
    if "a" in options and "b" in options and not options["a"] < options["b"]:
        raise RequestError(f"{where}: a={options['a']} is not below b={options['b']}.", "Accepted: a < b.")
    if name == "deepnorm" and "other" in given and options["part"] == "only":
        raise RequestError(f"{where}: other is the depth of a second stack.", "Give part=encoder or part=decoder.")


def _normal(init: Initialiser, rng, shape):
    return init.options.get("mean", 0.0) + init.std() * rng.standard_normal(shape)


def _uniform(init: Initialiser, rng, shape):
    bound = math.sqrt(3.0) * init.std()
    low, high = (init.options["a"], init.options["b"]) if init.name == UNIFORM else (-bound, bound)
    return low + (high - low) * rng.random(shape)


def _truncated(init: Initialiser, rng, shape):
    from normcal.layers._truncated import draw

    return init.std() * draw(rng, shape, init.options.get("a", -2.0), init.options.get("b", 2.0))


def _unit(init: Initialiser, rng, shape, *, own: bool):
    """Draw normal entries and divide by the norms over a first index, or over a second one within its group."""
    import numpy as np

    v = rng.standard_normal(shape)
    if own:
        return v / np.sqrt(np.sum(v * v, axis=(2, 3), keepdims=True))
    grouped = v.reshape(shape[0], init.shape.groups, -1, *shape[2:])
    return (grouped / np.sqrt(np.sum(grouped * grouped, axis=(2, 4), keepdims=True))).reshape(shape)


def _orthogonal(init: Initialiser, rng, shape):
    """Orthonormal rows or columns, whichever are fewer, uniformly: QR with the signs of R (Mezzadri 2007)."""
    import numpy as np

    rows, high = shape[0], shape[1]
    wide = init.shape.own
    q, r = np.linalg.qr(rng.standard_normal((rows, max(high, wide), min(high, wide))))
    q = q * np.sign(np.diagonal(r, axis1=1, axis2=2))[:, None, :]
    return (q.transpose(0, 2, 1) if high < wide else q).reshape(shape)


def _sparse(init: Initialiser, rng, shape):
    import numpy as np

    order = np.argsort(rng.random(shape), axis=1)
    return init.options["std"] * rng.standard_normal(shape) * (order >= zeros(init.options, init.shape))


def _dirac(init: Initialiser, rng, shape):
    import numpy as np

    w = np.zeros(shape)
    high = shape[1] // init.shape.groups
    centre = functools.reduce(lambda at, side: at * side + side // 2, init.shape.kernel or (shape[3],), 0)
    for g in range(init.shape.groups):
        for d in range(min(high, shape[2])):
            w[:, g * high + d, d, centre] = 1.0
    return w


def _constant(init: Initialiser, rng, shape):
    import numpy as np

    return np.full(shape, init.options["value"])


_DRAWS: dict[str, Callable] = {
    NORMAL: _normal, UNIFORM: _uniform, TRUNCATED: _truncated, ORTHOGONAL: _orthogonal, SPARSE: _sparse,
    DIRAC: _dirac, CONSTANT: _constant,
    ROWS: lambda init, rng, shape: _unit(init, rng, shape, own=not init.shape.transposed),
    COLUMNS: lambda init, rng, shape: _unit(init, rng, shape, own=init.shape.transposed),
}  # fmt: skip
