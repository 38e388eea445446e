"""A problem to solve: a SPEC, the parameters of it that are open, and what its quantities are to be."""

from __future__ import annotations

import dataclasses
import math
import re
import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from normcal import arithmetic, catalog, pipeline, quantity
from normcal.errors import RequestError, counted, echo, unknown
from normcal.layer import Layer
from normcal.param import Param
from normcal.request import BOTH, Request
from normcal.result import LayerResult
from normcal.solve import Axis, Point
from normcal.spec import CHAIN, Spec, parse, written
from normcal.value import Value

#: As far as an unknown is searched where neither the user nor its domain says how far; and how near to an open end.
REACH, SHY = 1000.0, 2.0**-30
MOST_UNKNOWNS = 12
#: The law of the input, as unknowns and as what a quantity may have to equal.
INPUT = "input."
_OF_INPUT = {
    "mean": Param("mean", 0.0, "(-inf, inf)", "mean of the input"),
    "std": Param("std", 1.0, "(0, inf)", "standard deviation of the input"),
}
#: Functions of a kernel that are quantities, and how many numbers they take.
KERNEL = "kernel."
_OF_KERNEL: dict[str, tuple[Callable[..., Value], int, int]] = {
    "dual": (lambda kernel, c: kernel.dual(c), 1, 1),
    "slope_at": (lambda kernel, c, order=1: kernel.slope_at(c, _whole(order)), 1, 2),
    "correlation_map": (lambda kernel, c: kernel.correlation_map(c), 1, 1),
    "map_slope": (lambda kernel, c, order=1: kernel.map_slope(c, _whole(order)), 1, 2),
    "coefficient": (lambda kernel, k: kernel.coefficients(_whole(k))[-1], 1, 1),
    "q_map": (lambda kernel, q, *sigmas: kernel.q_map(q, *sigmas), 1, 3),
    "q_slope": (lambda kernel, q, *sigmas: kernel.q_slope(q, *sigmas), 1, 2),
    "chi": (lambda kernel, *sigma_w_and_q: kernel.chi(*sigma_w_and_q), 1, 2),
}
_UNKNOWN = "Accepted: NAME or NAME=LOW:HIGH, such as alpha or alpha=0.1:5."
_TARGET = "Accepted: QUANTITY=VALUE or QUANTITY=QUANTITY, such as forward.std=1 or forward.gain=backward.gain."

#: The options of a request that say which law the input and its gradient have.
_LAW = ("input", "mean", "std", "gradient_mean", "gradient_std", "correlation")

#: Where a parameter stands in a SPEC: keys of parameters and numbers of arguments; empty for the input's law.
Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Unknown:
    """A parameter that is open: what it is called, where it stands, and where it is searched."""

    name: str
    path: Path
    axis: Axis

    @property
    def of_input(self) -> bool:
        return not self.path


@dataclass(frozen=True)
class Term:
    """One side of a target: a number, or a quantity of the row and of the input."""

    text: str
    of: Callable[[LayerResult, Request], Value]
    directions: tuple[str, ...] = ()
    number: float | None = None


@dataclass(frozen=True)
class Target:
    """A condition: a quantity, and what it is to equal."""

    quantity: Term
    equals: Term

    def __str__(self) -> str:
        return f"{self.quantity.text}={self.equals.text}"

    @property
    def directions(self) -> tuple[str, ...]:
        return self.quantity.directions + self.equals.directions

    @property
    def scale(self) -> float:
        """The size by which a residual is judged."""
        return abs(self.equals.number or 1.0)


class Problem:
    """A SPEC with open parameters, and the conditions on it; called with points, it returns what each leaves.

    Parameters
    ----------
    text: the SPEC; the values that it gives the unknowns are where a search begins.
    unknowns: each NAME or NAME=LOW:HIGH. A nested parameter is ``gate.alpha``, one of the second layer of a chain
        ``2.alpha``; ``mean`` and ``std`` are the input's, unless the layer has a parameter of that name.
    targets: each QUANTITY=VALUE or QUANTITY=QUANTITY.
    request: the law of the input and how to compute.

    Raises
    ------
    RequestError: for anything that is none of these, and for fewer targets than unknowns.

    Examples
    --------
    >>> problem = Problem("elu", ["alpha"], ["forward.mean=0"], Request())
    >>> [round(left.value, 6) for left in problem([(0.0,), (1.0,)])[0]]
    [0.398942]
    """

    def __init__(
        self, text: str, unknowns: Sequence[str], targets: Sequence[str], request: Request, progress=None
    ) -> None:
        self.spec, self.request, self.progress = catalog.parse(text, code=True), request, progress
        self.unknowns = _unknowns(self.spec, unknowns, request)
        self.targets = _targets(targets)
        if len(self.targets) < len(self.unknowns):
            raise RequestError(
                f"{counted(len(self.unknowns), 'unknown')} and {counted(len(self.targets), 'target')}: "
                "that leaves infinitely many solutions, as a rule.",
                "Give as many --target as --unknown; more are met as well as they can be.",
            )
        ways = {way for target in self.targets for way in target.directions}
        self.direction = BOTH if len(ways) != 1 else ways.pop()
        self.refusal: RequestError | None = None
        #: What the errors of the values so far are: bounds, estimates, standard errors.
        self.kinds: set[str] = set()

    @property
    def axes(self) -> list[Axis]:
        return [unknown.axis for unknown in self.unknowns]

    @property
    def scales(self) -> list[float]:
        return [target.scale for target in self.targets]

    def spec_at(self, point: Point) -> Spec:
        """Return the SPEC with the unknowns at a point."""
        spec = self.spec
        for one, value in zip(self.unknowns, point, strict=True):
            spec = spec if one.of_input else _put(spec, one.path, float(value))
        return spec

    def request_at(self, point: Point) -> Request:
        """Return the request with the input's law at a point."""
        law: dict[str, Any] = {}
        for one, value in zip(self.unknowns, point, strict=True):
            name = one.name.removeprefix(INPUT)
            if one.of_input and name in _OF_INPUT:
                law[name] = float(value)
            elif one.of_input:
                law["input"] = _put(parse(law.get("input", self.request.input)), (name,), float(value)).spec
        return dataclasses.replace(self.request, direction=self.direction, **law)

    def __call__(self, points: Sequence[Point]) -> list[tuple[Value, ...]]:
        """Return what every condition leaves at every point; absent where it has no value."""
        return [
            tuple(asked.plus(equals.negated()) for asked, equals in row) if row else (Value(),) * len(self.targets)
            for row in self.sides(points)
        ]

    def sides(self, points: Sequence[Point]) -> list[tuple[tuple[Value, Value], ...] | None]:
        """Return both sides of every condition at every point; None where the layer is refused."""
        return [row and self._sides(*row) for row in self._rows(points)]

    def _sides(self, row: LayerResult, request: Request) -> tuple[tuple[Value, Value], ...] | None:
        try:
            return tuple((t.quantity.of(row, request), t.equals.of(row, request)) for t in self.targets)
        except RequestError as error:  # no kernel there, or no input of that name
            self.refusal = self.refusal or error
            return None

    def _rows(self, points: Sequence[Point]) -> list[tuple[LayerResult, Request] | None]:
        """Compute the layers of the points, those of one input law together."""
        found: list[tuple[LayerResult, Request] | None] = [None] * len(points)
        groups: dict[Request, list[tuple[int, Layer]]] = {}
        for place, point in enumerate(points):
            try:
                request, layer = self.request_at(point), catalog.build(self.spec_at(point))
            except RequestError as error:
                self.refusal = self.refusal or error
            else:
                groups.setdefault(request, []).append((place, layer))
        for request, layers in groups.items():
            for (place, _), row in zip(layers, self._computed(request, [layer for _, layer in layers]), strict=True):
                if row is not None:
                    found[place] = row, request
                    self.kinds |= {one.error_kind for one in (row.forward, row.backward) if one}
        return found

    def _computed(self, request: Request, layers: list[Layer]) -> Iterable[LayerResult | None]:
        """Return the rows of some layers; where one is refused, those of the others."""
        try:
            return list(pipeline.rows(request, layers, self.progress))
        except RequestError as error:
            self.refusal = self.refusal or error
            return [None] if len(layers) == 1 else [row for one in layers for row in self._computed(request, [one])]


# -- unknowns


def _unknowns(spec: Spec, texts: Sequence[str], request: Request) -> tuple[Unknown, ...]:
    if not texts:
        raise RequestError("No unknown given.", f"Name a parameter with --unknown. {_UNKNOWN}")
    if len(texts) > MOST_UNKNOWNS:
        raise RequestError(f"{len(texts)} unknowns are too many.", f"Accepted: at most {MOST_UNKNOWNS}.")
    names = [text.partition("=")[0].strip() for text in texts]
    found = tuple(
        _unknown(_standing(spec, [*names[:place], *names[place + 1 :]]), text, request)
        for place, text in enumerate(texts)
    )
    places = [one.path or one.name.removeprefix(INPUT) for one in found]
    twice = [one.name for one, place in zip(found, places, strict=True) if places.count(place) > 1]
    if twice:
        raise RequestError(f"--unknown {twice[0]} is given twice.")
    return found


def _standing(spec: Spec, names: Sequence[str]) -> Spec:
    """Return an expression with a stand-in for what the other unknowns are to give a value; other SPECs as they are."""
    if spec.name == CHAIN or not spec.args:
        return spec
    known = {spelling for p in catalog.find(spec.name).params for spelling in (p.name, p.complement)}
    open_ones = [n for n in names if n.isidentifier() and n not in known and n not in _OF_INPUT]
    return Spec(spec.name, dict.fromkeys(open_ones, 1.0) | spec.params, spec.args)


def _unknown(spec: Spec, text: str, request: Request) -> Unknown:
    name, equals, interval = (part.strip() for part in text.partition("="))
    if not name:
        raise RequestError(f"--unknown {echo(text)} names no parameter.", _UNKNOWN)
    path, param, start = _located(spec, name, request)
    bounds = _bounds(name, param, interval) if equals else _window(param)
    inside = start is not None and bounds[0] <= start <= bounds[1]
    return Unknown(name, path, Axis(name, *bounds, float(start) if inside else None))


def _located(spec: Spec, name: str, request: Request) -> tuple[Path, Param, float | None]:
    """Return where a parameter stands, what it may be and what it is now."""
    bare = name.removeprefix(INPUT)
    if bare in _OF_INPUT and (bare != name or not _takes(spec, name)):
        return (), _OF_INPUT[bare], getattr(request.law, bare)
    if name.startswith(INPUT):
        return (), *_of_law(request, bare)
    *outer, last = name.split(".")
    path: Path = ()
    inner = spec
    for step in outer:
        inner, key = _entered(inner, step, name)
        path += key
    if inner.name == CHAIN:
        stage = _stage(inner, last)
        path, inner = (*path, stage), inner.args[stage]
    return (*path, last), *_parameter(inner, last)


def _of_law(request: Request, name: str) -> tuple[Param, float]:
    """Return a number among the parameters of the input's law, and its value."""
    numbers = {p.name: p for p in getattr(request.law, "params", ()) if p.interval and not p.interval[4]}
    if name not in numbers or request.input is None:
        raise unknown("parameter of the input:", name, [*_OF_INPUT, *(numbers if request.input else ())])
    return numbers[name], float(parse(request.input).params.get(name, numbers[name].default))


def _takes(spec: Spec, name: str) -> bool:
    """Whether a layer has a parameter of that name."""
    return name in spec.params or (spec.name != CHAIN and any(p.name == name for p in catalog.find(spec.name).params))


def _entered(spec: Spec, step: str, name: str) -> tuple[Spec, Path]:
    """Return the layer that a step leads to: one of a chain by its number, or that of a nested SPEC."""
    if spec.name == CHAIN:
        if not step.isdecimal() or not 1 <= int(step) <= len(spec.args):
            raise RequestError(f"--unknown {name}: {echo(step)} is no layer of the chain.",
                               f"Accepted: a number from 1 to {len(spec.args)}.")  # fmt: skip
        return spec.args[int(step) - 1], (int(step) - 1,)
    layer = catalog.build(spec)
    value = spec.params.get(step, getattr(layer, step, None) if _takes(spec, step) else None)
    value = value if isinstance(value, (Spec, str)) else getattr(value, "spec", None)
    nested = catalog.parse(value, code=True) if isinstance(value, str) else value
    if not isinstance(nested, Spec):
        raise RequestError(f"--unknown {name}: {echo(step)} of {layer.spec} is no layer.", _UNKNOWN)
    return nested, (step,)


def _stage(chain: Spec, name: str) -> int:
    """Return which layer of a chain has a parameter, if one alone has it."""
    having = [place for place, one in enumerate(chain.args) if _takes(one, name)]
    if len(having) == 1:
        return having[0]
    choices = ", ".join(f"{place + 1}.{name}" for place in having or range(len(chain.args)))
    many = "several layers of the chain have it" if having else "no layer of the chain has it"
    raise RequestError(f"--unknown {name}: {many}.", f"Accepted: one of {choices}.")


def _parameter(spec: Spec, name: str) -> tuple[Param, float | None]:
    """Return a number among the parameters of a layer, and its value; refuse what is none."""
    layer = catalog.build(_put(spec, (name,), 1.0) if _free(spec, name) else spec)
    spellings = {p.name: p for p in layer.params} | {
        p.complement: dataclasses.replace(p, name=p.complement, domain="[0, 1)", default=None)
        for p in layer.params if p.complement
    }  # fmt: skip
    if name not in spellings and not isinstance(spec.params.get(name, layer.values().get(name)), (int, float)):
        raise unknown(f"parameter of {layer.name}:", name, [p.name for p in layer.params])
    param = spellings.get(name) or Param(name, None, "(-inf, inf)", "a parameter of the expression")
    interval = param.interval
    if interval is None or interval[4]:
        hint = (
            "--unknown takes parameters that are numbers with a fraction; 'normcal sweep' tries whole ones and words."
        )
        raise RequestError(f"--unknown {name}: {layer.name} takes {param.accepted()} there, no real number.", hint)
    value = spec.params.get(name, getattr(layer, name, None))
    return param, float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _free(spec: Spec, name: str) -> bool:
    """Whether a parameter is one that neither the layer declares nor the SPEC gives, as an expression may have."""
    cls = catalog.find(spec.name)
    return bool(spec.args) and name not in spec.params and all(name not in (p.name, p.complement) for p in cls.params)


def _put(spec: Spec, path: Path, value: float) -> Spec:
    """Return a SPEC with one value replaced, however deep."""
    step, *rest = path
    if isinstance(step, int):
        args = tuple(_put(one, tuple(rest), value) if k == step else one for k, one in enumerate(spec.args))
        return Spec(spec.name, spec.params, args)
    inner: Any = value
    if rest:
        given = spec.params.get(step)
        given = written(given if given is not None else getattr(catalog.build(spec), step))
        inner = _put(catalog.parse(given, code=True), tuple(rest), value)
    return Spec(spec.name, spec.params | {step: inner}, spec.args)


def _window(param: Param) -> tuple[float, float]:
    """Return the interval to search of a domain: open ends left out, infinite ones cut."""
    low, high, low_open, high_open, _ = param.interval
    low, high = max(low, -REACH), min(high, REACH)
    return low + SHY * low_open * (low > -REACH), high - SHY * high_open * (high < REACH)


def _bounds(name: str, param: Param, text: str) -> tuple[float, float]:
    """Return the interval that a user gives, within the domain."""
    ends = text.split(":")
    try:
        if len(ends) != 2:
            raise RequestError("")
        low, high = map(arithmetic.value, ends)
    except RequestError:
        raise RequestError(f"--unknown {name}: {echo(text)} is no interval.", _UNKNOWN) from None
    if not low < high:
        raise RequestError(f"--unknown {name}: the interval {text} is empty.", "Accepted: LOW:HIGH with LOW < HIGH.")
    least, most, low_open, high_open, _ = param.interval
    if low < least or high > most:
        accepted = f"Accepted: an interval within {param.domain}.".replace("inf", "∞")
        raise RequestError(f"--unknown {name}: {text} leaves the domain of {name}.", accepted)
    width = high - low
    return low + SHY * width * (low_open and low == least), high - SHY * width * (high_open and high == most)


# -- targets


def _targets(texts: Sequence[str]) -> tuple[Target, ...]:
    if not texts:
        raise RequestError("No target given.", f"Say with --target what is to hold. {_TARGET}")
    found = tuple(_target(text) for text in texts)
    for one in found:
        if [str(other) for other in found].count(str(one)) > 1:
            raise RequestError(f"--target {one} is given twice.")
    return found


def _target(text: str) -> Target:
    asked, equals, wanted = (part.strip() for part in text.partition("="))
    if not equals or not asked or not wanted:
        raise RequestError(f"--target {echo(text)} says nothing.", _TARGET)
    return Target(term(asked), _number(wanted) or term(wanted))


def _number(text: str) -> Term | None:
    """Return a number, which may be arithmetic; None for what looks like a quantity."""
    if re.search(r"[a-z]\w*\.[a-z]|jacobian", text):
        return None
    value = arithmetic.value(text)
    error = 0.0 if arithmetic.is_number(text) else 4.0 * math.ulp(value)
    return Term(text, lambda row, request: Value(value, error), number=value)


def term(text: str) -> Term:
    """Return the quantity of a layer, of its input or of its kernel that a text names.

    >>> term("forward.gain").directions, term("kernel.slope_at(1)").text
    (('forward',), 'kernel.slope_at(1)')
    """
    if text.startswith(INPUT):
        name = text.removeprefix(INPUT)
        if name not in _OF_INPUT:
            raise unknown("quantity of the input:", name, _OF_INPUT)
        return Term(text, lambda row, request: Value.of(getattr(request.law, name), 0.0))
    if text.startswith(KERNEL):
        return _of_kernel(text)
    found = quantity.parse(text)
    return Term(str(found), lambda row, request: found.of(row), found.directions)


def _of_kernel(text: str) -> Term:
    """Return a quantity of the kernel: ``kernel.`` and a function of ``_OF_KERNEL`` at numbers."""
    found = re.fullmatch(r"(\w+)\s*\(([^()]*)\)", text.removeprefix(KERNEL))
    name = found[1] if found else text.removeprefix(KERNEL).partition("(")[0]
    if name not in _OF_KERNEL:
        raise unknown("quantity of the kernel:", name, [f"{KERNEL}{one}" for one in _OF_KERNEL])
    numbers = [part for part in (found[2] if found else "").split(",") if part.strip()]
    function, least, most = _OF_KERNEL[name]
    if not least <= len(numbers) <= most:
        raise RequestError(f"{echo(text)} is no quantity of the kernel.", f"Accepted: {KERNEL}{name}(1), for example.")
    values = [arithmetic.value(part.strip()) for part in numbers]

    def of(row: LayerResult, request: Request) -> Value:
        from normcal import kernel

        figure = function(kernel.of(row.layer, request.law), *values)
        return Value(figure.value, figure.error)

    return Term(text, of)


def _whole(number: float) -> int | float:
    """Return a whole number as one."""
    return int(number) if number == int(number) else number


def options(request: Request) -> tuple[str, ...]:
    """Return how the laws of a request are asked for on the command line.

    >>> options(Request(std=2.0, input="laplace(standardised=yes)"))
    ('--input "laplace(standardised=yes)"', '--std 2.0')
    """
    given = {name: getattr(request, name) for name in _LAW if getattr(request, name) is not None}
    return tuple(
        f"--{name.replace('_', '-')} {quoted(value) if isinstance(value, str) else repr(value)}"
        for name, value in given.items()
    )


def quoted(text: str) -> str:
    """Return a text as a shell reads it, in double quotes where they will do."""
    return shlex.quote(text) if re.search(r'["$`\\\\!]', text) else f'"{text}"'
