"""What a layer is: its parameters, its mathematics, and what an engine may ask of it.

A layer says what it knows and no more. ``closed_forward`` and ``closed_backward`` are its own
formulas; ``components``, or ``reduced_forward`` and ``reduced_backward``, reduce it to
one-dimensional integrals; ``simulate`` runs it on sampled arrays. What a layer does not know it
leaves out; the engine then gets the reason.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from normcal.errors import RequestError, Unsupported, echo, unknown
from normcal.law import Normal
from normcal.param import ANYTHING, ELEMENTWISE, Param
from normcal.spec import write

if TYPE_CHECKING:
    from normcal.numerics.balls import Ball

__all__ = [
    "ANYTHING", "BACKWARD", "DIRECTIONS", "ELEMENTWISE", "FORWARD", "Component", "Elementwise", "Layer", "Param",
    "Reference",
]  # fmt: skip

FORWARD, BACKWARD = "forward", "backward"
DIRECTIONS = (FORWARD, BACKWARD)


@dataclass(frozen=True)
class Reference:
    """Where a layer or a formula comes from."""

    title: str
    where: str = ""

    def __str__(self) -> str:
        return f"{self.title}, {self.where}" if self.where else self.title


@dataclass(frozen=True)
class Component:
    r"""One term of a layer's law as an integral over :math:`z \sim N(0, 1)`.

    With :math:`x = \mu + \sigma z` the component contributes
    :math:`\mathrm{mass} \cdot E[w(z)\, g(f(x))]` to :math:`E[g(y)]`, and
    :math:`\mathrm{mass} \cdot E[w(z)\, f'(x)^2]` to :math:`E[dx^2]`.

    ``f(x, m)`` is written once against the function namespace ``m``. ``kinks`` are the x where
    f or f' jumps, ``features`` pairs (x, scale) around which f changes. ``weight(z, m)`` is a
    density relative to the normal one and integrates to 1 in the forward direction. ``slope(x, m)``
    is what the backward pass uses in place of f'. ``noise(x, m)`` makes the term
    :math:`f(x) + \xi\,\mathrm{noise}(x)` with an independent :math:`\xi` of mean 0, variance 1 and
    :math:`E\xi^4` = ``kurtosis``, which tells how many draws a sample needs.
    """

    f: Callable[[Any, Any], Any]
    kinks: tuple = ()
    features: tuple[tuple[float, float], ...] = ()
    mass: float = 1.0
    weight: Callable[[Any, Any], Any] | None = None
    slope: Callable[[Any, Any], Any] | None = None
    noise: Callable[[Any, Any], Any] | None = None
    kurtosis: float = 3.0


class Layer:
    """A layer with its parameters bound; subclasses declare the attributes and what they know."""

    name: ClassVar[str] = ""
    aliases: ClassVar[tuple[str, ...]] = ()
    #: Second names that stand for the layer with some parameters set: name -> parameters.
    presets: ClassVar[dict[str, dict[str, Any]]] = {}
    #: The layer that this name stands for where no parameter is given; empty for itself.
    bare: ClassVar[str] = ""
    #: Whether its integrals are those of its components whatever the law of the input's entries.
    any_law: ClassVar[bool] = False
    #: Whether it is what its arguments make of it, so that the name alone is no layer.
    composed: ClassVar[bool] = False
    #: A SPEC that shows what it is where it is composed.
    example: ClassVar[str] = ""
    params: ClassVar[tuple[Param, ...]] = ()
    #: Names of the inputs where there are several; each has its own backward figure.
    inputs: tuple[str, ...] = ()
    #: The layers that a chain puts one behind the other; none for a layer that is no chain.
    stages: tuple[Layer, ...] = ()
    #: Unicode for a terminal and LaTeX for Markdown.
    formula: ClassVar[str] = ""
    latex: ClassVar[str] = ""
    #: (what, Unicode, LaTeX) of each moment known in closed form.
    moments: ClassVar[tuple[tuple[str, str, str], ...]] = ()
    assumptions: ClassVar[tuple[str, ...]] = ()
    references: ClassVar[tuple[Reference, ...]] = ()

    def __init__(self, **given: Any) -> None:
        self.given = _spelled_once(self, given) if given else {}
        for param in self.params:
            self.keep(param.name, param.accept(self.given.get(param.name, param.default), self.name))
        self.check()

    def keep(self, name: str, value: Any) -> None:
        """Note the value of a parameter."""
        setattr(self, name, value)

    def in_force(self, name: str) -> Any:
        """Return the value of a parameter that is in force."""
        return getattr(self, name)

    @classmethod
    def made(cls, args: tuple, params: dict[str, Any]) -> Layer:
        """Return the layer that a SPEC describes; ``args`` are its values without a name, which most layers refuse."""
        if args:
            example = f" such as {cls.params[0].name}=..." if cls.params else ""
            shown = echo(write(cls.name, params, args))
            raise RequestError(f"{shown}: {cls.name} takes parameters by name.", f"Accepted: name=value{example}.")
        return cls(**params)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Layer) and self.spec == other.spec

    def __hash__(self) -> int:
        return hash(self.spec)

    def check(self) -> None:
        """Derive what was left to the layer and refuse parameters that do not fit together."""

    @functools.cached_property
    def spec(self) -> str:
        """The canonical SPEC: every parameter but those left to the layer."""
        told = [p for p in self.params if p.default is not None or p.name in self.given]
        return write(self.name, {p.name: self.in_force(p.name) for p in told if not self._hushed(p)})

    #: The name that the user gave it, where he did.
    called = ""

    @property
    def label(self) -> str:
        """What tables for people call it: the SPEC, or a name that the user gave."""
        return self.spec

    @property
    def wording(self) -> str:
        """What the names of its constants begin with."""
        return self.name

    def fingerprint(self) -> str:
        """What tells it from another layer of the same SPEC; empty where the SPEC says everything."""
        return ""

    def values(self) -> dict[str, Any]:
        """Every parameter with the value in force."""
        return {param.name: self.in_force(param.name) for param in self.params if not self._hushed(param)}

    def _hushed(self, param: Param) -> bool:
        value = self.in_force(param.name)
        return param.quiet and getattr(value, "spec", value) == param.default

    @classmethod
    def summary(cls) -> str:
        """The first line of the docstring."""
        return (cls.__doc__ or "").strip().splitlines()[0]

    def notes(self, law: Normal) -> list[str]:
        """Remarks that a reader of the numbers needs."""
        return []

    def details(self, law: Normal) -> dict[str, Any]:
        """Return what a record says of this layer beyond what it says of all: plain JSON by key."""
        return {}

    def undefined(self, direction: str, law: Normal) -> str:
        """Return why the moments do not exist at this input; empty where they do."""
        return ""

    def infinite(self, direction: str, law: Normal) -> str:
        """Return why the second moment is infinite at this input; empty where it is not."""
        return ""

    def heavy(self, direction: str, law: Normal) -> str:
        """Return why the fourth moment is infinite, so that a sampled std has no error; empty where it is not."""
        return ""

    def closed_forward(self, law: Normal, m) -> tuple:
        """Return (mean, std), or (mean, std, rms), of one output entry by the layer's own formula, as balls."""
        raise Unsupported(f"no closed form is given for the forward moments of {self.name}")

    def closed_backward(self, law: Normal, m):
        """Return the std of one entry of the input gradient by the layer's own formula, as a ball.

        A layer of several inputs, or with learned weights, returns a dict of balls by name.
        """
        raise Unsupported(f"no closed form is given for the backward std of {self.name}")

    def closed(self, direction: str, law: Normal, m):
        """Return what the formula of this direction gives."""
        return (self.closed_forward if direction == FORWARD else self.closed_backward)(law, m)

    def components(self, direction: str, law: Normal) -> Sequence[Component]:
        """Return the one-dimensional integrals whose sum is the law of the output or the gradient."""
        raise Unsupported(f"{self.name} leaves no one-dimensional integral to do")

    def pointwise(self, direction: str):
        """Return the Pointwise of a function that nothing is known of but its values; see numerics/survey.py."""
        raise Unsupported(f"{self.name} is known by more than its values")

    def reduced_forward(self, law: Normal, q, m) -> tuple:
        """Return (mean, std) or (mean, std, rms) of one output entry from one-dimensional integrals, as balls.

        ``q`` integrates: ``q.moments(component, law)`` gives (mean, std, rms), ``q.slope(component,
        law)`` the rms of the slope, ``q.line(g)`` the integrals of g over the real line.
        """
        return q.mixture(self.components(FORWARD, law), law)

    def reduced_backward(self, law: Normal, q, m):
        """Return the std of one entry of the input gradient, as ``closed_backward`` does, by integrals."""
        return q.slopes(self.components(BACKWARD, law), law)

    def reduced(self, direction: str, law: Normal, q, m):
        """Return what the integrals of this direction give."""
        return (self.reduced_forward if direction == FORWARD else self.reduced_backward)(law, q, m)

    def mixture(self, direction: str) -> Sequence[tuple[float, Callable | Ball]]:
        """Return functions ``f(x, m)`` of one entry, or constants, and their shares: each output entry is one of them.

        ``E[g(y)]`` is the sum of share times ``E[g(f(x))]``, and ``E[dx^2]`` that of share times ``E[f'^2]``, whatever
        the law of x. Nothing for a layer that is no such thing.
        """
        return ()

    def entries(self, name: str) -> float:
        """How many entries an input has, relative to the others: the weights of the pooled backward figure."""
        return 1.0

    def draws(self) -> int:
        """How many random numbers one independent draw of the whole layer takes, roughly."""
        return max(len(self.inputs), 1)

    @property
    def rings(self) -> tuple:
        """How its windows lie along each dimension of a large map; none for a layer without, or on a map of its own."""
        return ()

    def laid(self, sides: tuple[int, ...]) -> Layer:
        """Return the layer with ``rings``, simulated on a torus of these sides."""
        raise NotImplementedError

    #: Whether its output entries depend on each other by where they lie, as those of overlapping windows do.
    entangled: bool = False
    #: Whether the entries of a draw add up to a constant, so that whole draws would show too little scatter.
    constrained: ClassVar[bool] = False

    def simulate(self, direction: str, rng, rows: int, law: Normal):
        """Run the layer on ``rows`` independent draws.

        Returns an array (rows, k) of the k output entries of each draw, or of the k entries of its
        input gradient: a dict of such arrays by name for several inputs or learned weights.
        Entries of one row may depend on each other; rows do not.
        """
        raise NotImplementedError

    def run(self, direction: str, rng, rows: int, law: Normal):
        """Run the layer like ``simulate``, and return every entry.

        Outputs come in the order in which ``law.incoming`` is asked for their gradients, gradients of inputs in the
        order in which ``law.sample`` is asked for the inputs; gradients of learned weights may be left out. Both
        directions draw the layer's own random numbers alike, so that the same ones make a pair of them.
        """
        return self.simulate(direction, rng, rows, law)


def _spelled_once(layer: Layer, given: dict[str, Any]) -> dict[str, Any]:
    """Resolve complements, and refuse unknown names and the same parameter in two spellings."""
    spellings, known = _spellings(type(layer))
    resolved: dict[str, Any] = {}
    for name, value in given.items():
        if name not in known:
            none = f"{layer.name} takes no parameters."
            raise unknown(f"parameter of {layer.name}:", name, known, see="" if known else none)
        param = spellings.get(name)
        if param and param.name in given:
            raise RequestError(f"{layer.name}: give {param.name} or {name}, not both.")
        if param and (isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1):
            raise RequestError(f"{layer.name}: {name} cannot be {echo(value)}.", "Accepted: a number in [0, 1).")
        resolved[param.name if param else name] = 1 - value if param else value
    return resolved


@functools.cache
def _spellings(cls: type[Layer]) -> tuple[dict[str, Param], tuple[str, ...]]:
    """Return the parameters of a layer by their complement's name, and every name that may be given."""
    spellings = {param.complement: param for param in cls.params if param.complement}
    return spellings, (*(param.name for param in cls.params), *spellings)


_ANY = "(-inf, inf)"
#: What every elementwise layer takes beside its own: y = output_scale f(input_scale x + input_shift) + output_shift.
AFFINE = (
    Param("input_scale", 1.0, _ANY, "factor on the input", typical=(0.5, -2.0), quiet=True, accepts="a number but 0"),
    Param("input_shift", 0.0, _ANY, "added to the scaled input", typical=(0.25,), quiet=True),
    Param("output_scale", 1.0, _ANY, "factor on the output", typical=(1.5,), quiet=True),
    Param("output_shift", 0.0, _ANY, "added to the scaled output", typical=(-0.5,), quiet=True),
)


class Elementwise(Layer):
    """A layer that applies one function to every entry; subclasses write ``f`` and ``kinks``.

    Formulas, kinks and features are those of f; the scales and shifts around it are handled here.
    """

    any_law = True
    #: x at which f' (or f) jumps, and (x, scale) around which f changes.
    kinks: ClassVar[tuple[float, ...]] = ()
    features: ClassVar[tuple[tuple[float, float], ...]] = ((0.0, 1.0),)
    #: ``slope(x, m)``: what the backward pass uses in place of f'. ``noise(x, m)``: see Component.
    slope: ClassVar[Callable | None] = None
    noise: ClassVar[Callable | None] = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own = tuple(param for param in cls.params if param not in AFFINE)
        cls.params = (*own, *AFFINE)

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        if self.input_scale == 0.0:
            AFFINE[0].refuse(self.input_scale, self.name)
        around = (self.input_scale, self.input_shift, self.output_scale, self.output_shift)
        self.plain = around == (1.0, 0.0, 1.0, 0.0)

    def f(self, x, m):
        """Return the function at ``x`` in the function namespace ``m``."""
        raise NotImplementedError

    def branches(self) -> tuple[Callable, ...]:
        """Return the functions of an entry that the output holds side by side; most layers have one."""
        return (self.f,)

    def mixture(self, direction: str) -> Sequence[tuple[float, Callable]]:
        if self.noise is not None or self.slope is not None:
            return ()
        branches = self.branches()
        share = 1.0 / len(branches) if direction == FORWARD else 1.0
        return [(share, self.around(f)) for f in branches]

    def realised(self, rng, shape) -> tuple[Callable, ...]:
        """Return the branches with the layer's own random numbers drawn, for a sample of that shape."""
        return self.branches()

    @property
    def single(self) -> bool:
        """Whether the layer is one function of one entry, and nothing else."""
        return len(self.branches()) == 1 and self.noise is None and self.slope is None

    def around(self, f: Callable, *, constant: bool = True, factor: float = 1.0) -> Callable:
        """Return ``f`` with the scales and shifts around it; a slope or a noise gets no constant."""
        if self.plain:
            return f
        scale, shift = self.output_scale * factor, self.output_shift if constant else 0.0
        return lambda x, m: f(x * self.input_scale + self.input_shift, m) * scale + shift

    def undefined(self, direction: str, law: Normal) -> str:
        seen = law.mean * self.input_scale + self.input_shift
        if direction == BACKWARD and law.std == 0.0 and self.slope is None and seen in self.kinks:
            return "the input is constant and lies on a kink, where the derivative jumps"
        return ""

    def closed(self, direction: str, law: Normal, m):
        found = super().closed(direction, law if self.plain else self._seen(law), m)
        if self.plain:
            return found
        if direction == BACKWARD:
            return found * abs(self.input_scale) * abs(self.output_scale)
        return found[0] * self.output_scale + self.output_shift, found[1] * abs(self.output_scale)

    def _seen(self, law: Normal) -> Normal:
        """Return the law of what f sees, where doubles hold it exactly."""
        from fractions import Fraction

        exact = (
            Fraction(self.input_scale) * Fraction(law.mean) + Fraction(self.input_shift),
            abs(Fraction(self.input_scale)) * Fraction(law.std),
        )
        try:
            seen = tuple(float(x) for x in exact)
        except OverflowError:
            seen = ()
        if seen != exact:
            raise Unsupported("the scaled and shifted input has a mean or std that is no double")
        return Normal(*seen)

    def closed_dual(self, mean, std, c, m):
        """Return E[f(u) f(v)] for normal u, v of this mean and std and of correlation c, by the layer's own formula.

        ``mean`` and ``std`` are balls, c is a ball inside (-1, 1) or a dual number over one: it stands on the left.
        """
        raise Unsupported(f"no closed form is given for the dual activation of {self.name}")

    def outside(self, kinks: Sequence, features: Sequence[tuple[float, float]]) -> tuple[tuple, tuple]:
        """Return kinks and features of f as those of the whole: f sees the input scaled and shifted."""
        if self.plain:
            return tuple(kinks), tuple(features)
        from normcal.numerics.balls import ball

        scale, shift = self.input_scale, self.input_shift
        moved = tuple((ball(k) - shift) / scale for k in kinks)
        return moved, tuple(((x - shift) / scale, width / abs(scale)) for x, width in features)

    def components(self, direction: str, law: Normal) -> Sequence[Component]:
        kinks, features = self.outside(self.kinks, self.features)
        slope = self.slope and self.around(self.slope, constant=False, factor=self.input_scale)
        noise = self.noise and self.around(self.noise, constant=False)
        branches = self.branches()
        mass = 1.0 / len(branches) if direction == FORWARD else 1.0
        return [Component(self.around(f), kinks, features, mass=mass, slope=slope, noise=noise) for f in branches]

    def simulate(self, direction: str, rng, rows: int, law: Normal):
        import numpy as np

        from normcal.numerics.arrays import ARRAYS
        from normcal.numerics.duals import Duals

        x = law.sample(rng, (rows, 1))
        branches = [self.around(f) for f in self.realised(rng, x.shape)]
        if direction == FORWARD:
            columns = [_full(f(x, ARRAYS), x) for f in branches]
            return columns[0] if len(columns) == 1 else np.concatenate(columns, axis=1)
        if self.slope:
            slope = self.around(self.slope, constant=False, factor=self.input_scale)(x, ARRAYS)
            return slope * law.incoming(rng, x.shape, x)
        total = 0.0
        for f in branches:
            slope = Duals(ARRAYS).derivative(f, x) * law.incoming(rng, x.shape, x)
            total = slope if len(branches) == 1 else total + slope
        return total


def _full(values, x):
    """Return the values of a function; those of a constant one take the shape of x."""
    import numpy as np

    return values if np.shape(values) == x.shape else np.broadcast_to(values, x.shape)
