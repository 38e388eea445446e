"""SparsestMax: scores to weights that a growing radius makes sparse (Shao et al. 2019, arXiv:1903.03793)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

#: Every face of the simplex is looked at.
MOST_SCORES = 12
#: What counts as admissible, as equally close, as another point, and as no weight at all.
_CLOSE = 1e-12
_TIE = 1e-14
_APART = 1e-4
_NOTHING = 1e-15


def circumradius(count: int) -> float:
    """Return the distance of the simplex's corners from its centre, the largest radius there is.

    >>> round(circumradius(3), 12)
    0.816496580928
    """
    return math.sqrt((count - 1) / count)


def sparsestmax(scores: Sequence[float], radius: float = 0.0) -> tuple[float, ...]:
    r"""Return the point of :math:`\{p \in \Delta : \lVert p - u\rVert \ge r\}` closest to the scores.

    :math:`\Delta` is the probability simplex and u its centre. At r = 0 this is sparsemax (Martins & Astudillo
    2016); at the circumradius :math:`\sqrt{(K-1)/K}` only the corners are left, and the largest score takes all.
    The closest point lies inside some face of the simplex, where it is the orthogonal projection onto the
    face or, where the ball is in the way, onto the sphere that the ball cuts out of the face's plane; of these
    finitely many candidates the closest admissible one is the answer.

    Parameters
    ----------
    scores: K finite numbers, 1 <= K <= 12. radius: 0 <= r <= circumradius(K).

    Returns
    -------
    K weights that add up to 1, accurate to about 1e-15. Where several points are equally close (equal
    scores), the one that prefers the earlier scores.

    Raises
    ------
    ValueError: for another number of scores or another radius.

    Examples
    --------
    >>> [round(weight, 12) for weight in sparsestmax([0.5, 0.2, 0.1])]
    [0.566666666667, 0.266666666667, 0.166666666667]
    >>> sparsestmax([0.5, 0.2, 0.1], circumradius(3))
    (1.0, 0.0, 0.0)
    """
    scores = [float(score) for score in scores]
    count = len(scores)
    if not all(map(math.isfinite, scores)):
        raise ValueError("sparsestmax takes finite scores")
    if not 1 <= count <= MOST_SCORES:
        raise ValueError(f"sparsestmax takes 1 to {MOST_SCORES} scores, not {count}")
    if not 0.0 <= radius <= circumradius(count) + _CLOSE:
        raise ValueError(f"the radius must lie between 0 and {circumradius(count):.4g}, not {radius:.4g}")
    largest = max(scores)
    shifted = [max(z - largest, -1e9) for z in scores]  # a shift moves no projection; nor does what is this far off
    best, least = None, math.inf
    for size in range(count, 0, -1):
        for face in itertools.combinations(range(count), size):
            for point in _on_face(shifted, face, radius):
                away = math.fsum((p - z) ** 2 for p, z in zip(point, shifted, strict=True))
                room = _TIE * (1.0 + away)
                elsewhere = best is not None and math.dist(point, best) > _APART
                if away < least - room or (elsewhere and away < least + room and point > best):
                    best, least = point, away
    return best


def _on_face(scores: list[float], face: tuple[int, ...], radius: float):
    """Yield the candidates inside the face whose corners are ``face``."""
    count, size = len(scores), len(face)
    centre = 1.0 / size
    average = math.fsum(scores[i] for i in face) / size
    away = [scores[i] - average for i in face]  # from the face's centre, along the face
    distance = math.hypot(*away)
    apart = 1.0 / size - 1.0 / count  # squared, between the centres of the face and of the simplex
    points = [away] if math.hypot(distance, math.sqrt(apart)) >= radius - _CLOSE else []
    reach = math.sqrt(max(radius * radius - apart, 0.0))
    if radius * radius >= apart - _CLOSE and not points:
        if distance == 0.0 and size > 1:  # every direction is as good: towards the first corner
            away, distance = [1.0 - centre] + [-centre] * (size - 1), math.sqrt(1.0 - centre)
        if distance > 0.0:
            points = [[sign * reach / distance * a for a in away] for sign in (1.0, -1.0)]
        elif reach <= _CLOSE:
            points = [away]
    for offsets in points:
        weights = [centre + offset for offset in offsets]
        if min(weights) >= -_CLOSE:
            full = [0.0] * count
            for i, weight in zip(face, weights, strict=True):
                full[i] = weight if weight > _NOTHING else 0.0
            yield tuple(full) if sum(weight > 0.0 for weight in full) > 1 else tuple(map(_whole, full))


def _whole(weight: float) -> float:
    return 1.0 if weight else 0.0
