r"""What rounding does to simulated values: their scatter tells how few they are, and nothing of digits that cancelled.

``(1 - cos(x)) / x**2`` at a std of 1e-8 is 0.5 within 1e-17; what doubles make of it is 0 or 1 or 2 by turns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from normcal.layer import FORWARD, Layer

if TYPE_CHECKING:
    from normcal.law import Law

#: Entries at which rounding is looked at.
_ENTRIES = 4096
#: Rounding above this share of the std is no longer small beside the sampling error.
_SHARE = 1e-4


def blurred(layer: Layer, direction: str, law: Law) -> str:
    r"""Return why the scatter of sampled values is no measure of their error; empty where it is.

    The functions of one entry that the layer consists of are run on balls at draws of the law. Where the root mean
    square of the radii is above 1e-4 of the std of the values, it is rounding that was sampled.

    >>> from normcal import catalog
    >>> from normcal.law import Normal
    >>> blurred(catalog.layer("tanh"), "forward", Normal(0.0, 1.0))
    ''
    """
    import numpy as np

    from normcal.numerics.balls import BALLS, Ball, ball
    from normcal.numerics.duals import slope_of

    parts = [f for _, f in layer.mixture(direction) if callable(f)]
    if not parts or law.std == 0.0:
        return ""
    x = next(law.blocks())[:_ENTRIES] if law.recorded else law.sample(np.random.default_rng(0), (_ENTRIES,))
    for f in parts if direction == FORWARD else map(slope_of, parts):
        with np.errstate(all="ignore"):
            found = ball(f(Ball(np.asarray(x, float)), BALLS))
            values, radii = (np.broadcast_to(np.asarray(a, float), x.shape) for a in (found.mid, found.rad))
            known = np.isfinite(values)  # what is no number, or infinite, others tell
            if not known.any():
                continue
            values, radii = values[known], np.minimum(radii[known], np.abs(values[known]))
            scatter = np.std(values) if direction == FORWARD else np.sqrt(np.mean(values**2))
            rounding = np.sqrt(np.mean(radii**2))
        if rounding > _SHARE * scatter:
            return "the rounding of the values is not small beside their scatter"
    return ""
