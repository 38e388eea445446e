r"""Moments of a function that is known by its values alone: :math:`E f`, :math:`\mathrm{Var} f` and :math:`E f'^2`.

With :math:`x = \mu + \sigma z` the line of z is cut into panels. On each of them the function is replaced by the
polynomial through 20 Gauss-Legendre nodes, and the coefficients of highest degree tell what that leaves open. Panels
are halved until it no longer matters, so that a kink or a jump ends up in a panel as narrow as doubles allow. Then
other points, drawn all over the line and denser about zero, ask whether the polynomials are the function there too:
where they are not, something narrow was missed, and panels are set about it. The derivative is that of the polynomials.

What is stated is an estimate of the error, and a generous one: the largest difference between function and polynomial
that the coefficients suggest, times four, as if it had the same sign everywhere; the rounding of the values; and the
difference to another rule on other nodes. It is no bound: nobody can tell from values what a function does between
them.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from normcal.numerics.panels import NODES, REACH, rule

#: Values of the function that may be spent, a derivative's not counted.
MOST_VALUES = 1 << 21
#: Points that ask whether anything was missed.
PROBES = 1 << 15
#: Where the line is cut to begin with.
_EDGES = (0, 0.75, 1.5, 2.25, 3, 4, 5, 6, 7, 8.5, 10, 12, 15, 19, 24, 31, REACH)
#: What a panel may leave open, relative to the whole.
_SHARE = 1e-17
#: The narrowest panel, without and with differences; what is steeper than these show is taken for a jump.
_NARROWEST = 2.0**-70, 2.0**-40
_TAIL = 5
_SAFETY = 4.0
#: How much larger a derivative of the highest degrees is than the polynomial, on average over a panel, with a margin.
_STEEPER = 40.0
#: Halvings that change nothing, for a small rest and for a large one, after which it is taken for noise.
_STALLED, _STALLED_LARGE = 3, 13
_ROUNDS = 120
#: Where z is likely enough for what is found there to be worth a word.
_LIKELY = 12.0
#: Where the integrand is not over, relative to its largest value, the integral may not exist.
_OVER = 1e-25
#: How fast pieces of an integral about a singularity must shrink from one scale to half of it for it to exist.
_SHRINKING = 0.93
#: How much larger a function may be, on average, in a panel as narrow as can be than on the panels beside it.
_UNSEEN = 16.0
_INSERTIONS = 14
_SEED = 20_240_229

Function = Callable[[np.ndarray], np.ndarray]


class NoNumber(ValueError):
    """A function has no value at ``x``, where the law has mass."""

    def __init__(self, x: float) -> None:
        super().__init__(f"no number at x = {x:.6g}")
        self.x = x


@dataclass(frozen=True)
class Found:
    """Moments and the errors that they may have; ``reason`` says why none can be stated, where none can."""

    mean: float
    variance: float
    square: float
    mean_error: float = 0.0
    variance_error: float = 0.0
    square_error: float = 0.0
    reason: str = ""
    #: x at which the function jumps.
    jumps: tuple[float, ...] = field(default=())


@dataclass(frozen=True, eq=False)
class Pointwise:
    """A function that is known by its values.

    ``grain`` is the relative rounding of the values; ``derived`` asks for its derivative, to be had by differences.
    """

    f: Function
    grain: float
    derived: bool = False
    _known: dict = field(default_factory=dict, repr=False)

    def found(self, mean: float, std: float) -> Found:
        """Return what there is to know of the function, or of its derivative, under N(mean, std^2); kept."""
        if (mean, std) not in self._known:
            self._known[mean, std] = (slopes if self.derived else moments)(self.f, mean, std, self.grain)
        return self._known[mean, std]


def moments(f: Function, mean: float, std: float, grain: float) -> Found:
    r"""Return :math:`E f`, :math:`\mathrm{Var} f` and :math:`E f^2` under N(mean, std^2).

    ``f`` maps a flat array to one of the same length; ``grain`` is the relative rounding of its values.

    >>> found = moments(np.tanh, 0.0, 1.0, 2.0**-52)
    >>> round(found.square, 12), found.square_error < 1e-13
    (0.394294490398, True)
    """
    return _Mesh(f, mean, std, grain, slopes=False).found()


def slopes(f: Function, mean: float, std: float, grain: float) -> Found:
    r"""Return :math:`E f'^2` as ``square``, by differences: where f jumps the delta is left out.

    >>> found = slopes(lambda x: np.maximum(x, 0.0), 0.0, 1.0, 2.0**-52)
    >>> abs(found.square - 0.5) <= found.square_error < 1e-8
    True
    """
    return _Mesh(f, mean, std, grain, slopes=True).found()


def differences(f: Function, x: np.ndarray, scale: float, grain: float) -> np.ndarray:
    """Return the slope of a function at places by differences: on the side, or on both, where it bends least.

    So a kink or a jump beside a place does not spoil its slope.

    >>> np.round(differences(np.abs, np.array([-1e-7, 1e-7, 2.0]), 1.0, 2.0**-52), 9)
    array([-1.,  1.,  1.])
    """
    step = np.maximum(np.abs(x), scale or 1.0) * 2.0 ** round(math.log2(grain) / 3.0)
    left2, left, here, right, right2 = (f(x + k * step) for k in (-2.0, -1.0, 0.0, 1.0, 2.0))
    bends = np.abs(np.stack([left - 2.0 * here + right, left2 - 2.0 * left + here, here - 2.0 * right + right2]))
    bends[0] *= 0.5  # what is symmetric is more exact
    found = np.stack([right - left, 3.0 * here - 4.0 * left + left2, 4.0 * right - 3.0 * here - right2])
    return np.take_along_axis(found, np.argmin(bends, axis=0)[None], axis=0)[0] / (2.0 * step)


@functools.cache
def _tables() -> tuple:
    """Return the transform to Legendre coefficients, the derivative at the nodes, and how it magnifies noise."""
    from numpy.polynomial import legendre

    one = rule()
    vander = legendre.legvander(one.nodes, NODES - 1)
    transform = (np.arange(NODES) + 0.5)[:, None] * (vander * one.weights[:, None]).T
    steep = np.stack([legendre.legval(one.nodes, legendre.legder(row)) for row in np.eye(NODES)], axis=1)
    derivative = steep @ transform
    noise = math.sqrt(float(one.weights @ np.sum(derivative**2, axis=1)) / 2.0)
    return transform, derivative, noise, legendre.leggauss(13)


class _Panels:
    """Panels side by side: ends, values at the nodes, coefficients, and what the last halving did."""

    __slots__ = ("coefficients", "high", "low", "size", "stalled", "tail", "values")

    def __init__(self, low, high, values, ends, stalled=None) -> None:
        self.low, self.high, self.values = low, high, values
        self.coefficients = values @ _tables()[0].T
        beyond = np.abs(ends - self.at_ends()).max(axis=1)  # what happens between the last node and the end
        self.tail = np.maximum(np.sum(np.abs(self.coefficients[:, -_TAIL:]), axis=1), beyond)
        self.size = np.max(np.abs(values), axis=1)
        broken = ~np.isfinite(self.tail)
        self.tail[broken] = self.size[broken] = np.inf
        self.stalled = np.zeros(len(low), dtype=int) if stalled is None else stalled

    def at_ends(self) -> np.ndarray:
        """Return the polynomials at both ends of their panels."""
        signs = (-1.0) ** np.arange(NODES)
        return np.stack([self.coefficients @ signs, np.sum(self.coefficients, axis=1)], axis=1)

    def picked(self, chosen) -> _Panels:
        new = object.__new__(_Panels)
        for name in self.__slots__:
            setattr(new, name, getattr(self, name)[chosen])
        return new

    def joined(self, other: _Panels) -> _Panels:
        new = object.__new__(_Panels)
        for name in self.__slots__:
            setattr(new, name, np.concatenate([getattr(self, name), getattr(other, name)]))
        return new.picked(np.argsort(new.low, kind="stable"))


class _Mesh:
    """The panels of one function under one law."""

    def __init__(self, f: Function, mean: float, std: float, grain: float, *, slopes: bool) -> None:
        self.f, self.mean, self.std, self.grain, self.slopes = f, mean, std, grain, slopes
        self.spent, self.ended = 0, ""
        self.low, self.high = self._reach()
        edges = {side * edge for edge in _EDGES for side in (-1.0, 1.0)} | {self.low, self.high, -mean / std}
        ends = np.array(sorted(z for z in edges if self.low <= z <= self.high))
        self.panels = self._made(ends[:-1], ends[1:])

    # -- values

    def at(self, z: np.ndarray) -> np.ndarray:
        return self.f(np.ravel(self.mean + self.std * z)).reshape(z.shape)

    def _made(self, low, high, stalled=None) -> _Panels:
        self.spent += low.size * (NODES + 2)
        inside = np.minimum(self._closest(low, high) / 4.0, (high - low) / 4.0)
        ends = np.stack([low + inside, high - inside], axis=1)
        found = self.at(np.concatenate([_places(low, high, rule().nodes), ends], axis=1))
        return _Panels(low, high, found[:, :NODES], found[:, NODES:], stalled)

    def _reach(self) -> tuple[float, float]:
        """Return the stretch about 0 on which the function is finite; say where it ends too early."""
        steps = np.arange(1, 2 * int(REACH) + 1) / 2.0 + 0.0123456
        ends = []
        for side in (-1.0, 1.0):
            z = side * np.concatenate([[0.0123456], steps, [REACH]])
            values = self.at(z)
            bad = np.flatnonzero(~np.isfinite(values))
            last = len(z) - 1 if not bad.size else bad[0] - 1
            if bad.size and (last < 0 or abs(z[last]) < 8.0 or not self._over(values, z, last)):
                place = float(self.mean + self.std * z[bad[0]])
                if math.isnan(values[bad[0]]):
                    raise NoNumber(place)
                self.ended = f"it is infinite at x = {place:.6g}"
            ends.append(float(z[max(last, 0)]))
        return min(ends[0], -0.02), max(ends[1], 0.02)

    @staticmethod
    def _over(values, z, last: int) -> bool:
        """Whether what is left of the integral at the last finite value no longer matters."""
        with np.errstate(all="ignore"):
            logs = 2.0 * np.log(np.abs(values[: last + 1]) + 1e-300) - 0.5 * z[: last + 1] ** 2
        return bool(logs[-1] < np.max(logs) + math.log(_OVER) and logs[-1] < logs[-2])

    # -- what the panels leave open

    def _rest(self, panels: _Panels) -> np.ndarray:
        """Return the largest difference that function and polynomial, or their derivatives, may have on each panel."""
        rounding = 2.0 * self.grain * panels.size
        if not self.slopes:
            return _SAFETY * panels.tail + rounding
        steep = 2.0 / (panels.high - panels.low)
        return (_SAFETY * panels.tail * _STEEPER + rounding * _tables()[2]) * steep

    def _measured(self, panels: _Panels) -> np.ndarray:
        """Return what is integrated, at the nodes: f, or its derivative by z."""
        if not self.slopes:
            return panels.values
        found = (panels.values @ _tables()[1].T) * (2.0 / (panels.high - panels.low))[:, None]
        found[self._cut(panels)] = 0.0  # nothing but a kink, or a jump, whose delta is left out
        return found

    def _cut(self, panels: _Panels) -> np.ndarray:
        """Which panels are as narrow as can be, and hold what no polynomial follows."""
        with np.errstate(all="ignore"):
            followed = panels.tail <= 0.01 * np.ptp(panels.values, axis=1)
        return self._bottom(panels) & ~followed

    def _bottom(self, panels: _Panels) -> np.ndarray:
        """Which panels are as narrow as can be."""
        return panels.high - panels.low <= np.maximum(self._closest(panels.low, panels.high), _NARROWEST[self.slopes])

    def _closest(self, low, high) -> np.ndarray:
        """Return the width of panels in which numbers, rounded as the values are, still tell nodes apart."""
        z = np.maximum(np.abs(low), np.abs(high))
        x = np.maximum(np.abs(self.mean + self.std * low), np.abs(self.mean + self.std * high))
        coarse = max(self.grain * 2.0**52, 1.0) / self.std
        return np.maximum(16.0 * np.maximum(np.spacing(z), coarse * np.spacing(x)), _NARROWEST[0])

    def _costs(self, panels: _Panels):
        """Return what each panel may add to the relative errors, and the sums that they are relative to."""
        values, weights = _finite(self._measured(panels)), _weights(panels.low, panels.high)
        rest, mass = self._rest(panels), _masses(panels.low, panels.high)
        middle = 0.0 if self.slopes else float(np.sum(weights * values))
        away = np.max(np.abs(values - middle), axis=1)
        spread = math.sqrt(float(np.sum(weights * (values - middle) ** 2))) or 1e-300
        costs = mass * (rest / spread) * (1.0 + (2.0 * away + rest) / spread)
        return np.where(np.isfinite(costs), costs, np.inf), spread

    def _settled(self, panels: _Panels) -> np.ndarray:
        """Which panels no halving improves: resolved but for rounding, noisy, or as narrow as can be."""
        noise = panels.tail <= 32.0 * self.grain * panels.size
        small = panels.tail <= 1e-3 * panels.size
        stalled = (panels.stalled >= _STALLED) & small | (panels.stalled >= _STALLED_LARGE)
        return noise | stalled | self._bottom(panels)

    def refine(self) -> None:
        """Halve the panels that leave most open, until none matters or the values that may be spent are."""
        for _ in range(_ROUNDS):
            panels = self.panels
            costs, _ = self._costs(panels)
            wanted = np.flatnonzero((costs > _SHARE) & ~self._settled(panels))
            most = (MOST_VALUES - self.spent) // (2 * (NODES + 2))
            if not wanted.size or most <= 0:
                return
            if wanted.size > most:
                wanted = wanted[np.argsort(-costs[wanted], kind="stable")[:most]]
            self.panels = self._halved(panels, wanted)

    def _halved(self, panels: _Panels, wanted) -> _Panels:
        low, high = panels.low[wanted], panels.high[wanted]
        middle = 0.5 * (low + high)
        new = self._made(np.concatenate([low, middle]), np.concatenate([middle, high]))
        before = panels.tail[wanted]
        both = np.minimum(new.tail[: wanted.size], new.tail[wanted.size :]) >= 0.125 * before
        new.stalled = np.tile(np.where(both, panels.stalled[wanted] + 1, 0), 2)
        kept = np.ones(len(panels.low), dtype=bool)
        kept[wanted] = False
        return panels.picked(kept).joined(new)

    # -- what the panels may have missed

    def probe(self) -> np.ndarray:
        """Compare the polynomials with the function at other points; return what is left of the differences."""
        z = _probes(self.mean, self.std, self.low, self.high)
        values = self.at(z)
        width = np.minimum(np.diff(z, prepend=z[0] - 1.0), np.diff(z, append=z[-1] + 1.0))
        for _ in range(_INSERTIONS):
            where, missed = self._missed(z, values)
            if not missed.size or self.spent >= MOST_VALUES:
                break
            worst = missed[np.argsort(-np.abs(values[missed]), kind="stable")[:256]]
            self._insert(z[worst], width[worst])
            width[worst] /= 8.0
            self.refine()
        where, missed = self._missed(z, values)
        rest = np.zeros(len(self.panels.low))
        np.maximum.at(rest, where[missed], 2.0 * np.abs(values[missed] - self._polynomial(z[missed], where[missed])))
        return rest

    def _missed(self, z, values) -> tuple[np.ndarray, np.ndarray]:
        panels = self.panels
        where = np.clip(np.searchsorted(panels.low, z, side="right") - 1, 0, len(panels.low) - 1)
        allowed = _SAFETY * panels.tail + 64.0 * self.grain * panels.size
        difference = np.abs(values - self._polynomial(z, where))
        difference[~np.isfinite(values)] = 0.0
        relevant = np.abs(z) < _LIKELY
        return where, np.flatnonzero((difference > 2.0 * allowed[where]) & relevant & ~self._bottom(panels)[where])

    def _polynomial(self, z, where) -> np.ndarray:
        panels = self.panels
        low, high = panels.low[where], panels.high[where]
        t = np.clip((2.0 * z - low - high) / (high - low), -1.0, 1.0)
        before, now = np.ones_like(t), t
        total = panels.coefficients[where, 0] + panels.coefficients[where, 1] * t
        for k in range(1, NODES - 1):
            before, now = now, ((2 * k + 1) * t * now - k * before) / (k + 1)
            total += panels.coefficients[where, k + 1] * now
        return total

    def _insert(self, places, widths) -> None:
        """Cut the panels on both sides of some places."""
        panels = self.panels
        cuts = np.concatenate([places - widths, places + widths])
        cuts = np.unique(cuts[(cuts > self.low) & (cuts < self.high)])
        where = np.searchsorted(panels.low, cuts, side="right") - 1
        cuts = cuts[(cuts > panels.low[where]) & (cuts < panels.high[where])]
        if not cuts.size:
            return
        where = np.unique(np.searchsorted(panels.low, cuts, side="right") - 1)
        ends = np.unique(np.concatenate([panels.low[where], panels.high[where], cuts]))
        kept = np.ones(len(panels.low), dtype=bool)
        kept[where] = False
        inside = np.searchsorted(panels.low, ends[:-1], side="right") - 1
        new = ~kept[inside]
        self.panels = panels.picked(kept).joined(self._made(ends[:-1][new], ends[1:][new]))

    # -- the answer

    def found(self) -> Found:
        """Refine, probe, and put the moments together."""
        if self.ended:
            return Found(math.nan, math.nan, math.nan, reason=self.ended)
        with np.errstate(all="ignore"):
            self.refine()
            missed = self.probe()
            singular = self._singular()
            return self._summed(missed, singular)

    def _summed(self, missed, reason: str) -> Found:
        panels = self.panels
        rest, mass, weights = self._rest(panels), _masses(panels.low, panels.high), _weights(panels.low, panels.high)
        rest = rest + missed * (2.0 * _STEEPER / (panels.high - panels.low) if self.slopes else 1.0)
        values = self._measured(panels)
        self._check(panels)
        bottom = self._cut(panels) if self.slopes else self._bottom(panels) & ~np.isfinite(rest)
        values[bottom] = 0.0
        around = np.max(np.abs(values), axis=1)
        rest[bottom] = _UNSEEN * np.max(around[_beside(bottom)], initial=0.0)
        first = float(np.sum(weights * values))
        mean = first + float(np.sum(weights * (values - first)))
        variance = float(np.sum(weights * (values - mean) ** 2))
        square = float(np.sum(weights * values**2))
        away = np.max(np.abs(values - mean), axis=1)
        errors = [mass @ rest, mass @ (rest * (2.0 * away + rest)), mass @ (rest * (2.0 * around + rest))]
        if not self.slopes:
            errors = [e + d for e, d in zip(errors, self._other_rule(mean, variance, square), strict=True)]
        sizes = (float(np.sum(weights * np.abs(values))), variance, square)
        errors = [float(e + 2e-15 * size) for e, size in zip(errors, sizes, strict=True)]
        errors[1] += errors[0] ** 2
        reason = reason or self._unfinished(panels, values)
        if not all(math.isfinite(x) for x in (mean, variance, square, *errors)):
            reason = reason or "its values are larger than doubles can hold"
        if self.slopes:
            square, errors[2] = square / self.std**2, errors[2] / self.std**2
        return Found(mean, variance, square, *errors, reason, self.jumps(math.sqrt(max(variance, 0.0))))

    def _check(self, panels: _Panels) -> None:
        """Refuse a function that is no number on more than a point."""
        bad = np.isnan(panels.values) & (np.abs(panels.low) < _LIKELY)[:, None] & ~self._bottom(panels)[:, None]
        if bad.any():
            z = _places(panels.low, panels.high, rule().nodes)
            raise NoNumber(float(self.mean + self.std * z.ravel()[np.argmax(bad)]))

    def _other_rule(self, mean, variance, square) -> list[float]:
        """Return how far the moments are from those by other nodes."""
        nodes, their = _tables()[3]
        panels = self.panels
        values = self.at(_places(panels.low, panels.high, nodes))
        weights = _weights(panels.low, panels.high, nodes, their)
        values = np.where(np.isfinite(values), values, np.mean(panels.values, axis=1)[:, None])
        other = float(np.sum(weights * values)) + mean * (1.0 - float(np.sum(weights)))
        spread = float(np.sum(weights * (values - mean) ** 2))
        return [abs(other - mean), abs(spread - variance), abs(float(np.sum(weights * values**2)) - square)]

    def _unfinished(self, panels: _Panels, values) -> str:
        """Say where the integrand is not over at the ends."""
        z = _places(panels.low, panels.high, rule().nodes)
        logs = 2.0 * np.log(np.abs(values) + 1e-300) - 0.5 * z**2
        peak = float(np.max(logs))
        for side, at in (("above", logs[-1, -1]), ("below", logs[0, 0])):
            if peak > -1000.0 and at > peak + math.log(_OVER):
                return f"it grows so fast {side} the mean that its moments may not exist"
        return ""

    def _singular(self) -> str:
        """Say where the function is so steep that the integral may not exist: by how it shrinks with the scale."""
        panels = self.panels
        bottom = np.flatnonzero(self._bottom(panels))
        groups = np.split(bottom, np.flatnonzero(np.diff(bottom) > 1) + 1) if bottom.size else []
        for group in groups[:200]:
            low, high = float(panels.low[group[0]]), float(panels.high[group[-1]])
            for start, side in ((low, -1.0), (high, 1.0)):
                if self._diverges(start, side, high - low):
                    place = self.mean + self.std * start
                    return f"it is so steep near x = {place:.6g} that its moments may not exist"
        return ""

    def _diverges(self, start: float, side: float, width: float) -> bool:
        """Whether pieces of the integral at smaller and smaller scales, beside what is that wide, do not shrink."""
        scales = 2.0 ** -np.arange(3.0, 42.0)
        scales = scales[scales > 64.0 * width]
        values = self.at(start + side * scales)
        steps = np.abs(np.diff(values))
        clear = np.isfinite(steps) & (steps > 256.0 * self.grain * np.abs(values[1:]))
        ratios = (steps[1:] / steps[:-1])[clear[1:] & clear[:-1]]
        if ratios.size < 8:
            return False
        ratio = float(np.median(ratios[-12:]))
        return ratio**2 * (2.0 if self.slopes else 0.5) >= _SHRINKING

    def jumps(self, scale: float) -> tuple[float, ...]:
        """Return the x between whose sides the function jumps."""
        panels = self.panels.picked(~self._bottom(self.panels))
        left, right = panels.at_ends().T
        steps = np.abs(left[1:] - right[:-1])
        rest = _SAFETY * (panels.tail[1:] + panels.tail[:-1]) + 64.0 * self.grain * (panels.size[1:] + panels.size[:-1])
        near = panels.low[1:] - panels.high[:-1] <= 1e-9 * np.maximum(np.abs(panels.low[1:]), 1e-3)
        where = np.flatnonzero(
            (steps > 16.0 * rest) & (steps > 1e-7 * scale) & near & (np.abs(panels.low[1:]) < _LIKELY)
        )
        return tuple(float(self.mean + self.std * 0.5 * (panels.high[k] + panels.low[k + 1])) for k in where[:1000])


def _finite(values: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(values), values, 0.0)


def _beside(marked: np.ndarray) -> np.ndarray:
    """Return what stands next to marked panels and is not marked itself."""
    near = np.zeros_like(marked)
    near[1:] |= marked[:-1]
    near[:-1] |= marked[1:]
    return near & ~marked


def _places(low, high, nodes) -> np.ndarray:
    return 0.5 * (low + high)[:, None] + 0.5 * (high - low)[:, None] * nodes


def _weights(low, high, nodes=None, weights=None) -> np.ndarray:
    """Return the weights of the values at the nodes in an integral under N(0, 1)."""
    nodes, weights = (rule().nodes, rule().weights) if nodes is None else (nodes, weights)
    z = _places(low, high, nodes)
    return 0.5 * (high - low)[:, None] * weights * np.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)


def _masses(low, high) -> np.ndarray:
    """Return no less than the probability of each panel."""
    nearest = np.where(low * high <= 0.0, 0.0, np.minimum(np.abs(low), np.abs(high)))
    return (high - low) * np.exp(-0.5 * nearest * nearest) / math.sqrt(2.0 * math.pi)


def _probes(mean: float, std: float, low: float, high: float) -> np.ndarray:
    """Return points in order: as many everywhere as the law has mass, some far out, and ever more towards x = 0."""
    from scipy.special import ndtri

    rng = np.random.default_rng(_SEED)
    likely = ndtri((np.arange(PROBES) + rng.random(PROBES)) / PROBES)
    wide = -12.0 + 24.0 * (np.arange(PROBES // 4) + rng.random(PROBES // 4)) / (PROBES // 4)
    scales = 2.0 ** (-40.0 + 80.0 * (np.arange(2048) + rng.random(2048)) / 2048)
    near = (np.concatenate([scales, -scales]) - mean) / std
    z = np.unique(np.concatenate([likely, wide, near]))
    return z[(z > low) & (z < high)]
