r"""The trapezoidal rule on the whole line, in ball arithmetic.

For an integrand that is analytic in a strip about the real line and falls off on both sides, the
error of the trapezoidal rule falls exponentially with 1/h (Trefethen & Weideman 2014, The
Exponentially Convergent Trapezoidal Rule, doi:10.1137/130932132): halving the step squares it.
What the last halving changed therefore bounds what is left, with much to spare.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np

from normcal.numerics.balls import GROW, Ball, U

#: |s| beyond which exp(s) is no number that matters any more.
FARTHEST = 690.0
#: An integrand is over where it is below this, relative to its largest value.
CUT = 1e-19
CLOSE = 4.0 * U
#: What the halving before the last one may have changed: two sums that agree only by chance do not come down to this.
CLOSING = 1e-6
FIRST_POINTS = 24
HALVINGS = 9
#: The scan: up to here in even steps, beyond in steps that grow by this factor.
NEAR, POINTS, SPARSE = 32.0, 257, 1.04
#: Ends of the integrand are taken to fall at least like exp(-|s|/TAIL).
TAIL = 8.0
_LARGEST = float(np.finfo(float).max)


@np.errstate(all="ignore")  # far out an integrand may over- and underflow on its way to nothing
def line_integral(g: Callable[[Ball], Sequence[Ball]]) -> list[Ball]:
    r"""Return :math:`\int_{-\infty}^{\infty} g_i(s)\,ds` for each integrand that ``g`` returns.

    ``g`` takes a ball of shape (points,), whose entries are exact, and returns balls of that shape.
    The radius bounds rounding, what is cut off, and the rule's own error; it is infinite where an
    integrand does not fall off.

    >>> import math
    >>> from normcal.numerics.balls import BALLS
    >>> (whole,) = line_integral(lambda s: [BALLS.exp(s * s * -1.0)])
    >>> bool(abs(whole.mid - math.sqrt(math.pi)) <= whole.rad < 1e-14)
    True
    """
    low, high, over = _support(g)
    step = 2.0 ** np.floor(np.log2(max(high - low, 1.0) / FIRST_POINTS))
    points = np.arange(np.floor(low / step), np.ceil(high / step) + 1.0) * step
    values = g(Ball(points))
    ends = [float(np.abs(v.mid[[0, -1]]).sum()) * TAIL for v in values]
    sums = [_sum(v) for v in values]
    changed = [np.inf] * len(sums)
    for _ in range(HALVINGS):
        step *= 0.5
        middles = points[:-1] + step
        points = np.sort(np.concatenate([points, middles]))
        finer = [_sum(v) for v in g(Ball(middles))]
        before = [s[0].mid * 2.0 * step for s in sums]
        sums = [(a + b, size + its_size) for (a, size), (b, its_size) in zip(sums, finer, strict=True)]
        earlier, changed = changed, [abs(s[0].mid * step - old) for s, old in zip(sums, before, strict=True)]
        if all(
            c <= CLOSE * size * step and last <= CLOSING * size * step
            for c, last, (_, size) in zip(changed, earlier, sums, strict=True)
        ):
            break
    found = []
    for (total, size), change, end in zip(sums, changed, ends, strict=True):
        rad = total.rad * step + change + CLOSE * size * step + end
        found.append(Ball(total.mid * step, float(rad) * GROW if over else np.inf))
    return found


def _support(g) -> tuple[float, float, bool]:
    """Return where the integrands live, and whether they fall off on both sides."""
    s, near = _scan()
    values = g(Ball(s))
    size = np.max([_relative(v.mid, near) for v in values], axis=0)
    alive = np.flatnonzero(size > CUT)
    if not len(alive):  # nothing, or nothing that these steps see
        return -1.0, 1.0, all(np.all(v.rad == 0.0) for v in values)
    over = alive[0] > 0 and alive[-1] < len(s) - 1
    return float(s[max(alive[0] - 1, 0)]), float(s[min(alive[-1] + 1, len(s) - 1)]), over


@functools.cache
def _scan():
    """Return the places to look at, and which of them are near; far out there may be what even steps do not reach."""
    far = NEAR * SPARSE ** np.arange(1.0, np.log(FARTHEST / NEAR) / np.log(SPARSE))
    s = np.concatenate([-far[::-1], np.linspace(-NEAR, NEAR, POINTS), far])
    return s, np.abs(s) <= NEAR


def _relative(values, near):
    """Return the sizes relative to the largest; far out a value that is no number is none."""
    size = np.where(np.isnan(values), np.inf, np.minimum(np.abs(values), _LARGEST))
    size = np.where(near | np.isfinite(values), size, 0.0)
    largest = np.max(size)
    return size / largest if 0.0 < largest < np.inf else size


def _sum(values: Ball) -> tuple[Ball, float]:
    """Return the sum and the sum of sizes."""
    return values.sum(), float(np.sum(np.abs(values.mid)))
