"""How cost grows with the size of a layer: slopes on logarithmic scales, and the curves behind the plots."""

from __future__ import annotations

import math
import time

from benchmarks.document import written
from benchmarks.goal import Goal, Series
from benchmarks.timing import seconds

ORDER = 80
TITLE = "Growth"
_TIME = "time for both directions (s)"
#: A cost that is flat or logarithmic: ten times the size costs a quarter more at most.
_FLAT = 0.1
_LINEAR = 1.1
#: Slopes are those from here on; smaller sizes have other formulas.
_FROM = 100
_GROUPS = (2, 10, 10**2, 10**3, 10**4, 10**5, 10**6, 10**7, 10**8, 10**9)


def _sides(window: int) -> str:
    """Return the kernel of a square window.

    >>> _sides(10**12)
    'max_pool(kernel_size=1000000)'
    """
    return f"max_pool(kernel_size={math.isqrt(window)})"


#: chart, curve, label of x -> SPECs of a size, sizes, most slope
_CURVES = {
    ("size", "max pooling, n entries of a window", "size n"): (
        lambda n: [_sides(n)], (1, 4, 9, 25, 100, 10**4, 10**6, 10**8, 10**10, 10**12), _FLAT,
    ),
    ("size", "softmax of n entries", "size n"): (
        lambda n: [f"softmax(n={n})"], (2, 10, 10**2, 10**3, 10**4, 10**5, 10**6), _FLAT,
    ),
    **{
        ("size", f"{name}, n entries of a group", "size n"): (
            lambda n, name=name: [f"{name}(group_size={n})"], _GROUPS, _FLAT,
        )
        for name in ("batch_norm", "layer_norm", "rms_norm")
    },
    **{
        ("dimensions", f"{what}, kernel 3 in every dimension", "dimensions of the kernel"): (
            lambda n, name=name: [f"{name}(kernel_size=3, ndim={n})"], (1, 2, 3), None,
        )
        for what, name in (("max pooling", "max_pool"), ("average pooling", "avg_pool"), ("convolution", "conv"))
    },
    **{
        ("rows", f"{name}, n values of {key}", "rows n"): (
            lambda n, name=name, key=key: [f"{name}({key}={0.1 + i * 1e-4:.4f})" for i in range(1, n + 1)],
            (1, 10, 10**2, 10**3, 10**4), _LINEAR,
        )
        for name, key in (("leaky_relu", "negative_slope"), ("elu", "alpha"))
    },
}  # fmt: skip


def _goal(curve: str, sizes: tuple[int, ...], most: float | None) -> Goal:
    """Return the goal of a curve: its slope, or where it has but a few points, its last over its first."""
    if most is None:
        return Goal(f"{curve}: {sizes[-1]} dimensions", yardstick="one dimension")
    asked = f"10^{round(math.log10(sizes[-1]))}"
    return Goal(f"{curve}: slope from n = {_FROM} to {asked}", "", most=most, absolute=True)


_GOALS = {key: _goal(key[1], sizes, most) for key, (_, sizes, most) in _CURVES.items()}
GOALS = tuple(_GOALS.values())


def measure(budget):
    for key, (specs, sizes, most) in _CURVES.items():
        points = [(n, _cost(specs(n), budget)) for n in (sizes[:2] if budget.quick else sizes)]
        chart, curve, label = key
        if most is None:
            yield _GOALS[key].found(points[-1][1], points[0][1])
        else:
            far = [point for point in points if point[0] >= _FROM or budget.quick]
            yield _GOALS[key].found(_slope(far), note=f"{written(far[0][1], 's')} to {written(far[-1][1], 's')}")
        yield Series(chart, curve, label, _TIME, tuple(points))


def _cost(specs: list[str], budget) -> float:
    """Return the least time of a table of these SPECs, repeated for a while."""
    from normcal import catalog, pipeline
    from normcal.request import Request

    layers, request = catalog.layers(specs), Request()
    found, start = [], time.perf_counter()
    while len(found) < 2 or (time.perf_counter() - start < 0.15 and not budget.quick):
        found.append(seconds(lambda: pipeline.run(request, layers)))
    return min(found)


def _slope(points: list[tuple[float, float]]) -> float:
    """Return the slope of the straight line that fits best on logarithmic scales.

    >>> _slope([(1, 3), (10, 30), (100, 300)])
    1.0
    """
    x, y = ([math.log10(value) for value in column] for column in zip(*points, strict=True))
    x0, y0 = sum(x) / len(x), sum(y) / len(y)
    return sum((a - x0) * (b - y0) for a, b in zip(x, y, strict=True)) / sum((a - x0) ** 2 for a in x)
