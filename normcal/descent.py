"""Where several functions with errors are zero together: descents from many starts, and Newton's method at their ends.

Points and values are those of ``solve.py``; nothing here knows what the functions mean.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from normcal.solve import (
    MEETS,
    MISSES,
    STEP,
    Axis,
    Function,
    Point,
    Root,
    Search,
    Undefined,
    Watched,
    close,
    coordinates,
    distinct,
)
from normcal.value import Value

#: Random points, and descents from the best of them.
SAMPLED, DESCENTS = 96, 12
SEED = 0
#: Singular values of a Jacobian below this, relatively, leave a direction open.
_FLAT = 1e-8
#: A descent that leaves more than this, in units of the scales, is stuck.
_PROMISING = 1e-6
#: How near to each other descents end that are worth one root, and how near to it that they count as arrived.
_SAME, _ARRIVED = 1e-9, 1e-3


def several(f: Function, axes: Sequence[Axis], scales: Sequence[float], rough: Function | None = None) -> Search:
    """Return the points where several conditions hold together, as far as descents from many starts find them.

    Parameters
    ----------
    f: a function of as many unknowns as there are axes, and no fewer conditions.
    axes: the unknowns and their intervals; where one has a start, the first descent begins there.
    scales: the size of each condition, by which what is left of it is weighed.
    rough: the same conditions, faster and less exactly; descents use it, and f is asked where they end.

    Returns
    -------
    The Search, the same at every call: the starts are drawn with a fixed seed. Errors of coordinates are estimated
    from the Jacobian, and None where its rank leaves them open.

    Examples
    --------
    >>> def circle(points):
    ...     return [(Value(x * x + y * y - 1.0, 1e-15), Value(x - y, 1e-15)) for x, y in points]
    >>> axes = [Axis("x", -2.0, 2.0), Axis("y", -2.0, 2.0)]
    >>> [round(root.point[0].value, 12) for root in several(circle, axes, (1.0, 1.0)).roots]
    [-0.707106781187, 0.707106781187]
    """
    watched, exact = Watched(rough or f), Watched(f)
    starts, sampled = _starts(watched, axes, scales)
    points, undefined, ranges = watched.points, watched.undefined, watched.ranges
    bottoms = [bottom for t in starts if (bottom := _descent(watched, axes, scales, t)) is not None]
    apart = _apart(bottoms, axes)
    lefts = watched(apart)
    near = [x for x, left in zip(apart, lefts, strict=True) if _cost(left, scales) < _PROMISING]
    sampled += [Root(tuple(map(Value, x)), left, MISSES, rank=0) for x, left in zip(apart, lefts, strict=True)]
    ends = [end for x in near if (end := _settled(exact, axes, scales, x)) is not None]
    met = [root for root in ends if root.how == MEETS]
    best = None if met else min([*ends, *sampled], key=lambda root: _cost(root.left, scales), default=None)
    roots = tuple(distinct(met, axes))
    arrived = sum(_together(x, root, axes) for x in bottoms for root in roots)
    return Search(roots, best, points, undefined, ranges, starts=len(starts), arrived=arrived)


def _starts(f: Watched, axes: Sequence[Axis], scales: Sequence[float]) -> tuple[list[list[float]], list[Root]]:
    """Return where to descend from, as shares of the intervals, and the best of the sample as no root.

    First comes where the unknowns stood, if that is known.
    """
    import numpy as np

    shares = np.random.default_rng(SEED).random((SAMPLED, len(axes))).tolist()
    if all(axis.start is not None for axis in axes):
        shares.insert(0, [axis.share(axis.start) for axis in axes])
    found = f([_placed(axes, t) for t in shares])
    costs = [_cost(left, scales) for left in found]
    if not any(map(math.isfinite, costs)):
        return [], []
    least = min(range(len(shares)), key=costs.__getitem__)
    best = Root(tuple(Value(x) for x in _placed(axes, shares[least])), found[least], MISSES, rank=0)
    first = [0] if len(shares) > SAMPLED and math.isfinite(costs[0]) else []
    order = [k for k in sorted(range(len(shares)), key=costs.__getitem__) if math.isfinite(costs[k]) and k not in first]
    # the best by what is left, and among the others one in so many, so that no basin takes all descents
    half = DESCENTS // 2
    chosen = first + order[:half] + order[half :: max(len(order[half:]) // half, 1)][:half]
    return [shares[k] for k in chosen], [best]


def _placed(axes: Sequence[Axis], t: Sequence[float]) -> Point:
    return tuple(axis.at(share) for axis, share in zip(axes, t, strict=True))


def _cost(left: tuple[Value, ...], scales: Sequence[float]) -> float:
    if any(value.value is None for value in left):
        return math.inf
    return math.hypot(*(value.value / scale for value, scale in zip(left, scales, strict=True)))


def _descent(f: Watched, axes: Sequence[Axis], scales: Sequence[float], t: list[float]) -> Point | None:
    """Return where a descent by least squares within the intervals ends; None where the function gives out."""
    import numpy as np
    from scipy.optimize import least_squares

    def weighed(points: Sequence[Point]):
        found = f(points)
        return np.array([[np.nan if v.value is None else v.value for v in left] for left in found]) / scales

    def residual(t):
        return weighed([_placed(axes, t)])[0]

    def jacobian(t):
        steps = np.where(t > 0.5, -STEP, STEP) * np.eye(len(t))
        found = weighed([_placed(axes, t + step) for step in (*steps, *(-steps), 0.0 * t)])
        ahead, behind, here = found[: len(t)], found[len(t) : -1], found[-1]
        inside = (np.abs(t - 0.5) < 0.5 - 2.0 * STEP)[:, None]
        slopes = np.where(inside, (ahead - behind) / 2.0, ahead - here) / steps.diagonal()[:, None]
        if not np.isfinite(slopes).all():
            raise Undefined
        return slopes.T

    try:
        with np.errstate(all="ignore"):
            found = least_squares(
                residual, np.clip(t, 1e-9, 1.0 - 1e-9), jacobian, bounds=(0.0, 1.0), max_nfev=60,
                xtol=1e-14, ftol=1e-14, gtol=1e-14,
            )  # fmt: skip
        return _placed(axes, found.x.tolist())
    except (Undefined, np.linalg.LinAlgError, ValueError):  # SciPy's word for a start that is not defined
        return None


def _apart(points: list[Point], axes: Sequence[Axis]) -> list[Point]:
    """Return the points without those that all but coincide with one before."""
    found: list[Point] = []
    for x in points:
        if not any(close(x, other, axes, _SAME) for other in found):
            found.append(x)
    return found


def _together(x: Point, root: Root, axes: Sequence[Axis]) -> bool:
    """Whether a descent ended where the root is."""
    return close(x, coordinates(root), axes, _ARRIVED)


def _settled(f: Watched, axes: Sequence[Axis], scales: Sequence[float], x: Point) -> Root | None:
    """Return the root that Newton's method reaches, or where it gets stuck; None where the function gives out."""
    import numpy as np

    try:
        return _newton(f, axes, scales, x)
    except (Undefined, np.linalg.LinAlgError):
        return None


def _newton(f: Watched, axes: Sequence[Axis], scales: Sequence[float], x: Point) -> Root:
    import numpy as np

    left = _defined(f, x)
    for _ in range(12):
        slopes = _slopes(f, axes, x)
        step = np.linalg.lstsq(
            slopes / np.array(scales)[:, None], [-v.value / s for v, s in zip(left, scales, strict=True)]
        )[0]
        moved = tuple(float(min(max(a + d, axis.low), axis.high)) for a, d, axis in zip(x, step, axes, strict=True))
        there = f([moved])[0]
        # near a root the errors say what matters: one condition's noise must not hide what another one leaves
        sizes = [max(value.error, 1e-18 * scale) for value, scale in zip(left, scales, strict=True)]
        if moved == x or not _cost(there, sizes) < _cost(left, sizes):
            break
        x, left = moved, there
    return _judged(axes, scales, x, left, _slopes(f, axes, x))


def _judged(axes: Sequence[Axis], scales: Sequence[float], x: Point, left: tuple[Value, ...], slopes) -> Root:
    """Say what a point is: a root if the errors and the last digits of the unknowns explain all that is left."""
    import numpy as np

    widths = np.array([max(abs(a), 1e-3 * (axis.high - axis.low)) for a, axis in zip(x, axes, strict=True)])
    sizes = np.linalg.svd(slopes * widths / np.array(scales)[:, None], compute_uv=False)
    rank = int(np.count_nonzero(sizes > _FLAT * max(sizes[0], 1e-300)))
    digits = np.abs(slopes) @ np.array([math.ulp(a) for a in x])
    values, errors = np.abs([v.value for v in left]), np.array([v.error for v in left])
    how = MEETS if (values <= errors + 4.0 * digits).all() else MISSES
    radii = [None] * len(x)
    if how == MEETS and rank == len(x):
        found = 2.0 * np.abs(np.linalg.pinv(slopes)) @ (values + errors)
        radii = [float(r + math.ulp(a)) for r, a in zip(found, x, strict=True)]
    return Root(tuple(Value(float(a), r) for a, r in zip(x, radii, strict=True)), left, how, rank=rank)


def _defined(f: Watched, x: Point) -> tuple[Value, ...]:
    left = f([x])[0]
    if any(value.value is None for value in left):
        raise Undefined
    return left


def _slopes(f: Watched, axes: Sequence[Axis], x: Point):
    """Return the Jacobian by differences, one-sided at the ends of the intervals."""
    import numpy as np

    pairs = []
    for place, axis in enumerate(axes):
        h = min(STEP * max(abs(x[place]), 1e-3 * min(axis.high - axis.low, 1.0)), 0.25 * (axis.high - axis.low))
        ends = max(x[place] - h, axis.low), min(x[place] + h, axis.high)
        pairs += [(*x[:place], end, *x[place + 1 :]) for end in ends]
    found = f(pairs)
    if any(value.value is None for left in found for value in left):
        raise Undefined
    values = np.array([[value.value for value in left] for left in found])
    widths = np.array([pairs[2 * k + 1][k] - pairs[2 * k][k] for k in range(len(axes))])
    return ((values[1::2] - values[::2]) / widths[:, None]).T
