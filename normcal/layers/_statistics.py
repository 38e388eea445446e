r"""The one forward and backward pass, on arrays, from which every normalisation by group statistics follows.

An array (rows, N, C, L) holds N samples of C channels of L positions; a *slice* is one sample's channel.
The statistics of the entry (n, c) are taken over the slices {n' : U[n, n'] = 1} x {c' : V[c, c'] = 1} with
binary matrices U (N x N) and V (C x C), as mean and variance over all their entries.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple


class Statistics(NamedTuple):
    """A weight, and the matrices U over samples and V over channels of the groups (nested tuples or arrays)."""

    weight: float
    over_samples: object
    over_channels: object


def identity(n: int):
    """Each by itself."""
    return tuple(tuple(int(i == j) for j in range(n)) for i in range(n))


def together(n: int):
    """All in one group."""
    return ((1,) * n,) * n


def blocks(n: int, count: int):
    """Return ``count`` groups of neighbours: a block-diagonal matrix of ones.

    >>> blocks(4, 2)
    ((1, 1, 0, 0), (1, 1, 0, 0), (0, 0, 1, 1), (0, 0, 1, 1))
    """
    size = n // count
    return tuple(tuple(int(i // size == j // size) for j in range(n)) for i in range(n))


def normalise(
    x, means: Sequence[Statistics], variances: Sequence[Statistics], eps: float, *, centred: bool = True
) -> tuple[object, Callable]:
    r"""Return :math:`y = (x - \sum_k w_k\mu_k)/\sqrt{\sum_k w'_k\sigma_k^2 + \varepsilon}` and its pullback.

    Batch normalisation has one statistic with U all ones and V = I; instance (I, I), layer (I, ones), group
    (I, blocks); switchable normalisation three of them; root-mean-square normalisation no means and, with
    ``centred=False``, mean squares in place of variances.

    Parameters
    ----------
    x: array (rows, N, C, L). means, variances: weighted statistics.
    eps: what is added to the variance. centred: whether variances are about the group's mean.

    Returns
    -------
    y of the shape of x, and a function that takes dy of that shape to dx.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(1).standard_normal((1, 2, 3, 4))
    >>> batch = [Statistics(1.0, together(2), identity(3))]
    >>> y, pull = normalise(x, batch, batch, 0.0)
    >>> bool(np.allclose(y.mean(axis=(1, 3)), 0.0) and np.allclose((y * y).mean(axis=(1, 3)), 1.0))
    True
    >>> bool(np.allclose(pull(y), 0.0))  # y itself is a direction that the pullback removes
    True
    """
    import numpy as np

    if means and centred:
        x = x - x.mean(axis=(1, 2, 3), keepdims=True)  # no output changes, and squares keep their digits
    length = x.shape[3]
    m, square = x.mean(axis=3), np.einsum("rncl,rncl->rnc", x, x) / length
    mean, variance, of_groups = np.zeros_like(m), np.zeros_like(m), []
    for one in means:
        mean = mean + one.weight * _aggregate(m, one)
    for one in variances:
        group_mean = _aggregate(m, one) if centred else np.zeros_like(m)
        variance = variance + one.weight * np.maximum(_aggregate(square, one) - group_mean**2, 0.0)
        of_groups.append(group_mean)
    scale = 1.0 / np.sqrt(variance + eps)
    y = (x - mean[..., None]) * scale[..., None]

    def pullback(dy):
        g = dy * scale[..., None]
        of_mean = -g.sum(axis=3)
        of_variance = -0.5 * np.einsum("rncl,rncl->rnc", dy, y) * scale**2
        to_m, to_square = np.zeros_like(m), np.zeros_like(m)
        for one in means:
            to_m = to_m + one.weight * _spread(of_mean, one)
        for one, group_mean in zip(variances, of_groups, strict=True):
            to_square = to_square + one.weight * _spread(of_variance, one)
            to_m = to_m - 2.0 * one.weight * _spread(group_mean * of_variance, one)
        return g + (to_m[..., None] + 2.0 * x * to_square[..., None]) / length

    return y, pullback


def _averaging(one: Statistics):
    import numpy as np

    u, v = (np.asarray(matrix, float) for matrix in (one.over_samples, one.over_channels))
    return u / u.sum(axis=1, keepdims=True), v / v.sum(axis=1, keepdims=True)


def _aggregate(slices, one: Statistics):
    """Average over each entry's group of slices."""
    u, v = _averaging(one)
    return u @ slices @ v.T


def _spread(slices, one: Statistics):
    """The transpose of ``_aggregate``."""
    u, v = _averaging(one)
    return u.T @ slices @ v


def half(values, rng):
    """Return half of the entries of every row (rows, ...), each entry as likely as any other.

    The entries of a whole group add up to 0 and their squares to M, so that rows of whole groups would show none
    of the spread that single entries have, and a standard error taken between rows would be a fiction.
    """
    import numpy as np

    values = values.reshape(len(values), -1)
    total = values.shape[1]
    step = next(s for s in range(max(round(0.618 * total), 1), 2 * total + 2) if math.gcd(s, total) == 1)
    index = (rng.integers(total, size=(len(values), 1)) + step * np.arange((total + 1) // 2)) % total
    return np.take_along_axis(values, index, axis=1)
