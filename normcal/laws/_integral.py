"""Integrals that a law needs of itself: its normalisation and its moments, as balls."""

from __future__ import annotations

from collections.abc import Callable, Sequence

#: What a panel may leave unresolved, relative to the whole; and what is only its own rounding, relative to itself.
_ROUNDS, _FINE, _NOISE = 14, 1e-17, 64.0 * 2.0**-52


def integral(g: Callable, cuts: Sequence = (), shapes: Sequence[tuple[float, float]] = ()):
    r"""Return the ball of :math:`\int g(z)\,\varphi(z)\,dz` for g(z, m), on panels that are halved until they do.

    >>> found = integral(lambda z, m: z * z)
    >>> bool(abs(found.mid - 1.0) <= found.rad < 1e-13)
    True
    """
    import numpy as np

    from normcal.numerics.balls import BALLS, Ball, ball
    from normcal.numerics.panels import Panels, edges_for

    kinks = [(float(b.mid), float(b.rad)) for b in map(ball, cuts)]
    panels = Panels(*edges_for(kinks, list(shapes)))
    with np.errstate(all="ignore"):
        for _ in range(_ROUNDS):
            terms = BALLS.phi(panels.z) * g(panels.z, BALLS) * panels.share
            total, unresolved = panels.total(terms)
            size = np.abs(terms.mid).sum(axis=-1)
            noise = _NOISE * size + terms.rad.sum(axis=-1)
            coarse = (unresolved > _FINE * size.sum()) & (unresolved > noise)
            if not coarse.any():
                break
            panels = panels.bisect(coarse)
    return Ball(float(total.mid), float(total.rad))
