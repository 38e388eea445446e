r"""Second moments that are infinite: beside a singular point, or because a function outgrows the normal density.

A local exponent is measured between scales, on discs: a square whose a in :math:`|x - x_0|^{-a}` is 1/2 or more has no
integral. Growth is followed far beyond what doubles hold, in logarithms (``logs.py``).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np

from normcal.numerics.balls import U
from normcal.numerics.landmarks import CLOSE, REACH, Search, recorded, searched
from normcal.numerics.outcomes import Runner, on_arrays
from normcal.numerics.tape import Program

#: Scales, as powers of two, at which a local exponent is measured.
_EXACT_SCALES, _SCALES = (-120.0, -119.0, -118.0, -117.0), (24.0, 25.0, 26.0, 27.0)
#: A logarithm below which numbers are as good as 0 however they grow later on.
_NEVER = 1e9
#: Distances, as powers of two standard deviations, at which growth is measured.
_FAR = 2.0 ** np.arange(6.0, 27.0)


def singular(f: Callable, low: float, high: float) -> str:
    """Return where, between low and high, the square of f has no integral; empty where there is no such place for sure.

    >>> singular(lambda x, m: 1.0 / x, -1.0, 1.0)
    'it grows like |x|^-1 at x = 0, so its square has no integral'
    """
    program = recorded(f)
    if program is None or not low < high:
        return ""
    with np.errstate(all="ignore"):
        return _beside(searched(program, low, high, False), slope=False)


def infinite(f: Callable, law, direction: str) -> str:
    r"""Return why the second moment of f, or of f' backward, is infinite under a normal law; empty where not sure.

    It is where f behaves as :math:`|x - x_0|^{-a}` with :math:`a \ge 1/2` beside a singular point, at every scale that
    doubles reach, or where :math:`z f^2 \varphi(z)` does not fall as far out as numbers go, in logarithms.

    >>> from normcal.law import Normal
    >>> infinite(lambda x, m: 1.0 / x, Normal(), "forward")
    'it grows like |x|^-1 at x = 0, so its square has no integral'
    """
    program = recorded(f)
    if program is None or not 0.0 < law.std < math.inf:
        return ""
    return _infinite(program, float(law.mean), float(law.std), direction == "backward")


@functools.lru_cache(maxsize=512)
def _infinite(program: Program, mean: float, std: float, slope: bool) -> str:
    search = searched(program, mean - REACH * std, mean + REACH * std)
    with np.errstate(all="ignore"):
        near = _beside(search, slope=slope) or _growing(search.runner, mean, std, slope=slope)
        return near or _far_out(search, slope=slope)


def _beside(search: Search, *, slope: bool) -> str:
    """Return the first singular point beside which the square of f, or of its slope, has no integral."""
    closed = search.done.of(search.done.closed & ~((search.done.bound < np.inf) & ~search.done.open))
    for k in range(len(closed)):
        for x, side in ((float(closed.left[k]), 1.0), (float(closed.right[k]), -1.0)):
            reason = _steep_at(search, x, side, closed.known[:, k], slope=slope)
            if reason:
                return reason
    return ""


def _steep_at(search: Search, x: float, side: float, known, *, slope: bool) -> str:
    """Return whether the square of f, or of its slope, has no integral on one side of a point."""
    rad = max((rad for _, at, rad, _ in search.roots if at == x), default=0.0)
    exact = rad == 0.0 and x == 0.0
    found = _local_exponents(search.runner, x, rad, side, known, slope=slope, exact=exact)
    if not (found >= 0.5 - (1e-12 if exact else CLOSE)).all():
        return ""
    whose = "its slope grows" if slope else "it grows"
    away = f"x {'-' if x > 0.0 else '+'} {abs(x):.6g}" if x else "x"
    return f"{whose} like |{away}|^-{found[-1]:.4g} at x = {x:.6g}, so its square has no integral"


def _far_out(search: Search, *, slope: bool) -> str:
    """Return the first such point beyond the reach: what is infinite is so however little mass is there."""
    poles = [row for row, place in enumerate(search.places) if search.runner.watched[place].kind == "pole"]
    if not poles:
        return ""
    powers = 2.0 ** np.arange(-80.0, 81.0)
    edges = np.concatenate([-powers[::-1], [0.0], powers])
    edges = edges[abs(edges - search.mean) > REACH * search.std]
    slots = on_arrays(search.program, edges)
    for row in poles:
        side = search.runner.watched[search.places[row]].argument(slots)
        side = np.sign(np.broadcast_to(np.asarray(side, float), edges.shape))
        members = np.flatnonzero(side[:-1] * side[1:] < 0.0)
        at = list(edges[side == 0.0])
        rows = np.full(len(members), row)
        at += list(search.bisected(edges[members], edges[members + 1], rows, np.zeros(len(members))))
        for x in at:
            for way in (1.0, -1.0):
                reason = _steep_at(search, float(x), way, np.full(len(search.places), np.nan), slope=slope)
                if reason:
                    return reason
    return ""


def _local_exponents(
    runner: Runner, x: float, rad: float, side: float, known, *, slope: bool, exact: bool
) -> np.ndarray:
    """Return a of |x - x0|^-a between neighbouring scales, no number where it cannot be told."""
    unit = 1.0 if exact else max(rad, U * abs(x))
    steps = unit * 2.0 ** np.array(_EXACT_SCALES if exact else _SCALES)
    value, first, _ = runner.run(x + side * steps, 0.0, np.repeat(known[:, None], len(steps), axis=1))
    its = first if slope else value
    sure = its.rad < 0.25 * CLOSE * abs(its.mid)
    size = np.where(sure, np.log2(abs(its.mid)), np.nan)
    return size[:-1] - size[1:]


def _growing(runner: Runner, mean: float, std: float, *, slope: bool) -> str:
    """Return why f or f' grows too fast for the normal density, or nothing."""
    from normcal.numerics.logs import LOGS, Log

    for side, name in ((1.0, "+"), (-1.0, "-")):
        x = Log.of(mean + side * std * _FAR)
        try:
            found = runner.in_namespace(LOGS, x)
        except (TypeError, AttributeError, ValueError, ArithmeticError):
            return ""
        its = found.slope if slope else found.value
        if not isinstance(its, Log):
            return ""
        weight = 2.0 * its.log - 0.5 * _FAR * _FAR + np.log(_FAR)
        slack = 1e-6 + 8.0 * U * _FAR * _FAR
        rising = (weight[1:] >= weight[:-1] - slack[1:]) | (weight[1:] == np.inf)
        if weight[0] > -_NEVER and rising.all():
            what = "the square of its slope" if slope else "its square"
            return f"{what} grows faster than the normal density falls as x goes to {name}infinity"
    return ""
