"""Layers in a row, each working on the output of the one before."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from normcal import spec
from normcal.errors import RequestError, Unsupported
from normcal.law import STANDARD, Normal
from normcal.layer import BACKWARD, FORWARD, Component, Elementwise, Layer, Reference
from normcal.layers._window_axes import common

#: Layers of a chain, once chains within it are part of it.
MOST_STAGES = 32
#: Functions that a chain may be a mixture of: each dropout doubles them.
MOST_FUNCTIONS = 64
_TWO_LAWS = (Normal(0.3, 1.1), Normal(-1.7, 2.9))
#: Entries looked at to see whether a value comes up twice, and the probability that is as good as none.
LOOKED_AT, NEVER = 4096, 1e-30
#: Values that come up again and again, at most.
MOST_VALUES = 64


class Chain(Layer):
    r"""Layers in a row, each seeing the true law of what the one before puts out.

    The output is :math:`f_k(\cdots f_2(f_1(x)))` and the gradient :math:`J_1^T \cdots J_k^T\,dy`, with every
    Jacobian at the input that its layer really sees. Nothing is assumed normal but the input of the first layer.
    """

    name = "chain"
    composed = True
    example = "relu | dropout(keep_prob=0.9)"
    formula, latex = "fₖ(… f₂(f₁(x)))", r"f_k(\cdots f_2(f_1(x)))"
    assumptions = (
        "the entries that one draw of a layer puts out, and then those of its next independent draw, are cut in their "
        "order into what the layer behind takes in; learned weights are drawn anew for each draw",
    )
    references = (
        Reference("Poole et al. 2016, Exponential expressivity in deep neural networks", "arXiv:1606.05340"),
        Reference("Schoenholz et al. 2017, Deep Information Propagation", "arXiv:1611.01232"),
    )

    def __init__(self, *stages: Layer) -> None:
        super().__init__()
        self.stages = stages
        if not 2 <= len(stages) <= MOST_STAGES:
            raise RequestError(
                f"a chain of {len(stages)} layers cannot be computed.", f"Accepted: 2 to {MOST_STAGES} layers."
            )
        for stage in stages[1:]:
            if len(stage.inputs) > 1 or stage.inputs == ("weight",):
                several = f"has several inputs, {' and '.join(stage.inputs[:2])}, and the layer before has one output"
                why = several if len(stage.inputs) > 1 else "takes no input from a layer before it"
                raise RequestError(
                    f"{self.spec}: {stage.name} {why}.", f"Accepted: {stage.name} as the first layer of a chain."
                )
        self.inputs = stages[0].inputs
        self.formula = "; ".join(f"f{_subscript(k)}: {stage.formula}" for k, stage in enumerate(stages, 1))
        self.latex = r" \\ ".join(f"f_{{{k}}}:\\ {stage.latex}" for k, stage in enumerate(stages, 1))
        self.latex = rf"\begin{{gathered}} {self.latex} \end{{gathered}}"
        self.moments = self._told()

    @classmethod
    def made(cls, args: tuple, params: dict[str, Any]) -> Layer:
        """Return the chain of some layers; a chain within it is part of it, and a chain of one is that layer."""
        if params:
            raise RequestError(f"chain takes no parameter {next(iter(params))}.", "Write layers with | between them.")
        stages: list[Layer] = []
        for arg in args:
            if not isinstance(arg, Layer):
                raise RequestError("chain is no layer by itself.", 'Write layers with | between them: "relu | tanh".')
            stages += arg.stages or [arg]
        return stages[0] if len(stages) == 1 else cls(*stages)

    def __reduce__(self):
        return Chain, self.stages

    @functools.cached_property
    def spec(self) -> str:
        return spec.write(spec.CHAIN, {}, self.stages)

    @property
    def label(self) -> str:
        return " | ".join(stage.label for stage in self.stages)

    def fingerprint(self) -> str:
        found = [stage.fingerprint() for stage in self.stages]
        return " ".join(found) if any(found) else ""

    def details(self, law) -> dict[str, Any]:
        return {"stages": [stage.spec for stage in self.stages]}

    def entries(self, name: str) -> float:
        return self.stages[0].entries(name)

    @property
    def wording(self) -> str:
        return self.spec

    def notes(self, law) -> list[str]:
        found = self.stages[0].notes(law)
        for stage in self.stages[1:]:  # what holds at one normal law and at another may hold at the true one
            first, second = map(stage.notes, _TWO_LAWS)
            found += [note for note in first if note in second]
        return list(dict.fromkeys(found))

    # -- what does not exist

    def undefined(self, direction: str, law) -> str:
        first = self.stages[0].undefined(FORWARD, law) or self.stages[0].undefined(direction, law)
        if first:
            return f"{self.stages[0].name}: {first}"
        surrogate = law.std == 0.0
        for at, stage in enumerate(self.stages[1:], 1):
            surrogate = surrogate or getattr(self.stages[at - 1], "slope", None) is not None
            reason = self._undefined_at(at, stage, direction, law, surrogate=surrogate)
            if reason:
                return reason
        return ""

    def _undefined_at(self, at: int, stage: Layer, direction: str, law, *, surrogate: bool) -> str:
        """Return why a stage is undefined at a value that all its inputs take with positive probability."""
        # where an output is constant its derivative is 0, whatever the next one is at a kink: unless it is a stand-in
        asked = (FORWARD, direction) if surrogate or not isinstance(stage, Elementwise) else (FORWARD,)
        for value, probability in self._atoms(law)[at - 1]:
            if direction == BACKWARD and _singular(stage, value, slope=True):
                return (
                    f"{stage.name} sees {value:g} with positive probability, where its slope is infinite: what is "
                    "multiplied with it there is 0"
                )
            if _singular(stage, value):
                continue  # infinite there, which ``infinite`` tells
            reasons = (stage.undefined(way, Normal(value, 0.0)) for way in asked)
            reason = next(filter(None, reasons), "")
            if reason and probability ** self._ports[at].inputs > NEVER:
                return f"{stage.name} sees nothing but {value:g} with positive probability: {reason}"
        return ""

    def _atoms(self, law) -> list[list[tuple[float, float]]]:
        """Return the values that the output of each stage takes with positive probability, and about with which.

        A small sample shows those that matter, since a continuous law gives no value twice; that it is not rounding
        alone which makes values alike, as where a tanh saturates, is then proved.
        """
        known = self.__dict__.setdefault("_known_atoms", {})
        if law not in known:
            known.clear()
            arrays, atoms, found = self._looked_at(law), set(law.atoms), []
            for stage, before, after in zip(self.stages, arrays, arrays[1:], strict=False):
                often = _seen_twice(after)
                found.append([one for one in often if law.std == 0.0 or _is_atom(stage, one[0], before, after, atoms)])
                atoms = {value for value, _ in found[-1]}
            known[law] = found
        return known[law]

    def _looked_at(self, law) -> list:
        """Return a small sample of the input and of what each stage puts out; nothing where a draw is too large."""
        known = self.__dict__.setdefault("_known_samples", {})
        if law not in known:
            import numpy as np

            from normcal.layers import _chained

            known.clear()
            try:
                rows = min(max(LOOKED_AT // self._counts[0], 64), max(LOOKED_AT * 256 // self.draws(), 1))
                with np.errstate(all="ignore"):
                    rng = np.random.default_rng(0)
                    known[law] = _chained.outputs(self._run, self._counts, rng, rows, law)
            except Unsupported:
                known[law] = [np.empty(0)] * (len(self.stages) + 1)
        return known[law]

    def infinite(self, direction: str, law) -> str:
        if direction == FORWARD:
            last = self.stages[-1]
            for value, _ in self._atoms(law)[-2]:
                if _singular(last, value):
                    return f"{last.name} sees {value:g} with positive probability, where it is infinite"
        try:
            parts = self._parts(direction, law)
        except Unsupported:
            return ""
        if any(part.weight for part in parts):
            return ""
        from normcal.numerics import infinities

        found = (infinities.infinite(part.f, law, direction) for part in parts if callable(part.f))
        return next(filter(None, found), "")

    def heavy(self, direction: str, law) -> str:
        """Return the first reason of a stage; behind the first one it is that of normal input: a hint, and no proof."""
        for at, stage in enumerate(self.stages):
            if direction == FORWARD and any(map(_tames, self.stages[at + 1 :])):
                continue
            its = self._measured(law)[at - 1] if at else law
            reason = stage.infinite(direction, its) or stage.heavy(direction, its)
            if reason:
                return f"{stage.name}: {reason}"
        return ""

    def _measured(self, law) -> list[Normal]:
        """Return normal laws of the mean and std of what each stage puts out, roughly."""
        import numpy as np

        found = []
        for output in self._looked_at(law)[1:]:
            with np.errstate(all="ignore"):
                mean, std = (float(output.mean()), float(output.std())) if output.size else (0.0, 1.0)
            found.append(Normal(mean, std) if math.isfinite(mean) and math.isfinite(std) else STANDARD)
        return found

    # -- integrals

    def components(self, direction: str, law) -> Sequence[Component]:
        from normcal.layers._written import merged
        from normcal.layers.expressions import searched

        found = []
        parts = self._parts(direction, law)
        if direction == BACKWARD and not law.gradient.plain and any(part.mass != 1.0 for part in parts):
            raise Unsupported("with such an incoming gradient the chain is no sum of functions")
        for part in parts:
            if not callable(part.f):
                if direction == FORWARD:
                    noise = part.noise and _constant(part.noise)
                    found.append(replace(part, f=_constant(part.f), noise=noise))
                continue
            marks = [searched(f, law) for f in (part.f, part.noise) if f]
            trouble = next(filter(None, (mark.trouble for mark in marks)), "")
            if trouble:
                raise Unsupported(trouble)
            kinks = functools.reduce(merged, (mark.edges for mark in marks))
            features = tuple(one for mark in marks for one in mark.features)
            found.append(replace(part, kinks=kinks, features=features or ((0.0, 1.0),)))
        return found or [Component(lambda x, m: x * 0.0)]

    @functools.cached_property
    def any_law(self) -> bool:
        try:
            return not any(part.weight for part in self._parts(FORWARD, STANDARD))
        except Unsupported:
            return False

    def _parts(self, direction: str, law) -> list[Component]:
        """Return the chain as functions of one entry, or constants, without their kinks.

        The first layer may have a density, such as that of the largest entry, and the last one noise; what is
        between them has to be a function, or one of several at random.
        """
        known = self.__dict__.setdefault("_known_parts", {})
        key = direction, law
        if key not in known:
            *behind, last = self.stages[1:]
            each = [self._first(direction, law), *(_mixture(s, direction) for s in behind), _last(last, direction)]
            if math.prod(map(len, each)) > MOST_FUNCTIONS:
                raise Unsupported(f"the layers of the chain are more than {MOST_FUNCTIONS} functions of one entry")
            known.clear()
            known[key] = [_composed(chosen) for chosen in itertools.product(*each)]
        return known[key]

    def _first(self, direction: str, law) -> list[Component]:
        first = self.stages[0]
        found = _functions(first, direction) or _components(first, direction, law)
        if not found or any(part.noise or part.slope for part in found):
            raise Unsupported(f"{first.name} is no function of one entry, and leaves no single integral")
        return found

    # -- simulation

    @functools.cached_property
    def _run(self) -> tuple[Layer, ...]:
        """Return the layers as they are simulated: windows upon windows on rings that fit each other.

        Raises Unsupported where a layer would have to know where the outputs of another one lie.
        """
        found, windowed = list(self.stages), []
        for at, stage in enumerate(self.stages):
            if not windowed:
                windowed = [at] if stage.entangled else []
            elif _pointwise(stage):
                continue
            elif not stage.rings or any(len(self.stages[k].rings) != len(stage.rings) for k in windowed):
                raise Unsupported(
                    f"the outputs of {self.stages[windowed[-1]].name} depend on each other by where they lie, which "
                    f"{stage.name} would have to know"
                )
            else:
                windowed.append(at)
        if len(windowed) > 1:
            axes = zip(*(self.stages[at].rings for at in windowed), strict=True)
            for at, sides in zip(windowed, zip(*map(common, axes), strict=True), strict=True):
                found[at] = self.stages[at].laid(sides)
        return tuple(found)

    @functools.cached_property
    def _ports(self) -> list:
        from normcal.layers import _chained

        return [_chained.port(stage) for stage in self._run]

    @functools.cached_property
    def _counts(self) -> tuple[int, ...]:
        from normcal.layers import _chained

        return _chained.copies(self._ports)

    @functools.cached_property
    def _paired(self) -> bool:
        """Whether each entry of the output belongs to one of the input."""
        return all(port.inputs == port.outputs == 1 for port in self._ports)

    def draws(self) -> int:
        from normcal.layers import _chained

        total = sum(count * stage.draws() for count, stage in zip(self._counts, self._run, strict=True))
        if total > _chained.MOST_SIMULATED:
            raise Unsupported(
                f"one simulated draw of the chain would take {total:.2g} numbers, more than {_chained.MOST_SIMULATED:_}"
            )
        return total

    @property
    def constrained(self) -> bool:
        return any(stage.constrained for stage in self.stages)

    def simulate(self, direction: str, rng, rows: int, law):
        found = self.run(direction, rng, rows, law)
        if not self.constrained:
            return found
        from normcal.layers._statistics import half

        if isinstance(found, dict):
            return {name: half(each, rng) for name, each in found.items()}
        return half(found, rng)

    def run(self, direction: str, rng, rows: int, law):
        from normcal.layers import _chained

        if direction == FORWARD:
            return _chained.forward(self._run, self._counts, rng, rows, law)
        self._check_backward()
        return _chained.backward(self._run, self._counts, rng, rows, law, paired=self._paired)

    def _check_backward(self) -> None:
        """Refuse a chain with a stage whose simulation shows only some of the entries of its gradient."""
        from normcal.layers import _chained

        if "_checked" not in self.__dict__:
            for at, (stage, its) in enumerate(zip(self._run, self._ports, strict=True)):
                _chained.check_backward(stage, its, first=not at)
            self._checked = True

    def _told(self) -> tuple[tuple[str, str, str], ...]:
        return (
            (
                "backward variance",
                "E[dx²], dx = J₁ᵀ … Jₖᵀ dy, each Jacobian at what its layer sees",
                r"E[dx^2],\ dx = J_1^T \cdots J_k^T\,dy",
            ),
        )


def _pointwise(stage: Layer) -> bool:
    """Whether each output entry is one of one input entry, whatever lies around it."""
    from normcal.layers import _chained

    return _chained.port(stage) == (1, 1)


def _singular(stage: Layer, x: float, *, slope: bool = False) -> bool:
    """Whether a stage, or its slope, is infinite at a value, and finite beside it."""
    if not isinstance(stage, Elementwise) or not math.isfinite(x):
        return False
    import numpy as np

    from normcal.numerics.arrays import ARRAYS
    from normcal.numerics.duals import Duals

    def values(f):
        its = stage.around(f)
        found = Duals(ARRAYS).derivative(its, beside) if slope else its(beside, ARRAYS)
        return np.broadcast_to(found, beside.shape).ravel()

    if slope and stage.slope is not None:
        return False
    beside = np.array([[x], *([x + sign * step * (1.0 + abs(x))] for sign in (-1.0, 1.0) for step in (1e-200, 1e-8))])
    with np.errstate(all="ignore"):
        each = [values(f) for f in stage.branches()]
    return any(np.isinf(its[0]) and np.isfinite(its[1:]).any() for its in each)


def _tames(stage: Layer) -> bool:
    """Whether what a stage puts out is bounded, however large what it takes in."""
    if not isinstance(stage, Elementwise):
        return stage.constrained
    import numpy as np

    from normcal.numerics.arrays import ARRAYS

    x = np.array([[s * 10.0**k] for s in (-1.0, 1.0) for k in (3, 10, 30, 100)])
    with np.errstate(all="ignore"):
        values = [np.asarray(stage.around(f)(x, ARRAYS)) for f in stage.branches()]
    return all(np.isfinite(v).all() and np.ptp(v.reshape(2, -1), axis=1).max(initial=0.0) < 1e-3 for v in values)


def _seen_twice(output) -> list[tuple[float, float]]:
    """Return the values that come up more than once, with their share, the most frequent ones first."""
    import numpy as np

    values, times = np.unique(output, return_counts=True)
    often = np.flatnonzero(times > 1)
    often = often[np.argsort(-times[often], kind="stable")][:MOST_VALUES]
    return [(float(values[k]) + 0.0, float(times[k]) / output.size) for k in often]


def _is_atom(stage: Layer, value: float, before, after, atoms: set[float]) -> bool:
    """Whether a stage gives a value with positive probability: from one that it gets so, or where it is constant."""
    import numpy as np

    from normcal.numerics.arrays import ARRAYS
    from normcal.numerics.balls import BALLS, Ball
    from normcal.numerics.duals import Duals

    if not isinstance(stage, Elementwise):
        parts = [f for _, f in stage.mixture(FORWARD)]
        given = [float(f(np.float64(x), ARRAYS)) for f in parts if callable(f) for x in atoms]
        given += [float(f.mid) for f in parts if not callable(f)]
        return value in atoms or any(math.isclose(value, one, rel_tol=1e-12, abs_tol=1e-300) for one in given)
    branches = stage.branches()
    at = int(np.argmax(after == value))
    x = float(before[at // len(branches)])
    if x in atoms:
        return True
    with np.errstate(all="ignore"):
        slope = Duals(BALLS).derivative(stage.around(branches[at % len(branches)]), Ball(np.array([x])))
    return bool(np.all(slope.mid == 0.0) and np.all(slope.rad == 0.0))


def _functions(stage: Layer, direction: str) -> list[Component]:
    return [Component(f, mass=share) for share, f in stage.mixture(direction)]


def _mixture(stage: Layer, direction: str) -> list[Component]:
    """Return the functions of which a stage is one, whatever the law of its input."""
    found = _functions(stage, direction)
    if not found:
        raise _no_function(stage)
    return found


def _last(stage: Layer, direction: str) -> list[Component]:
    """Return the same of the last stage, which may add noise."""
    found = _functions(stage, direction)
    noisy = found if isinstance(stage, Elementwise) and found else _components(stage, direction, STANDARD)
    if len(noisy) == 1 and not noisy[0].weight and not noisy[0].slope:
        return noisy
    if not found:
        raise _no_function(stage)
    return found


def _components(stage: Layer, direction: str, law) -> list[Component]:
    """Return the integrals of a stage of one input, where they are all there is to its law."""
    more = getattr(type(stage), f"reduced_{direction}") is not getattr(Layer, f"reduced_{direction}")
    try:
        return [] if more or stage.inputs[1:] else list(stage.components(direction, law))
    except Unsupported:
        return []


def _no_function(stage: Layer) -> Unsupported:
    return Unsupported(f"{stage.name} is no function of one entry, and does not see normal input")


def _composed(parts: Sequence[Component]) -> Component:
    """Return one function behind the other; a constant on the way, and all behind it, is a ball."""
    from normcal.numerics.balls import BALLS

    mass, (*before, last) = math.prod(part.mass for part in parts), parts
    functions: list[Callable] = []
    constant = None
    for part in before:
        if not callable(part.f):
            constant = part.f
        elif constant is not None:
            constant = part.f(constant, BALLS)
        else:
            functions.append(part.f)
    if not callable(last.f):
        return Component(last.f, mass=mass)
    if constant is None:
        noise = last.noise and _behind([*functions, last.noise])
        f = _behind([*functions, last.f])
        return Component(f, mass=mass, weight=parts[0].weight, noise=noise, kurtosis=last.kurtosis)
    value, noise = last.f(constant, BALLS), last.noise and last.noise(constant, BALLS)
    if not all(math.isfinite(ball.mid) for ball in (value, noise) if ball is not None):
        raise Unsupported("a layer has no finite value where its input comes up again and again")
    return Component(value, mass=mass, noise=noise, kurtosis=last.kurtosis)


def _behind(functions: Sequence[Callable]) -> Callable:
    """Return the functions one behind the other, the first one innermost."""

    def composition(x, m):
        for f in functions:
            x = f(x, m)
        return x

    return composition


def _constant(value) -> Callable:
    """Return the function that is a ball everywhere."""
    from normcal.layers.dropouts import numeric

    return lambda x, m: x * 0.0 + numeric(value, m)


def _subscript(k: int) -> str:
    return "".join("₀₁₂₃₄₅₆₇₈₉"[int(digit)] for digit in str(k))
