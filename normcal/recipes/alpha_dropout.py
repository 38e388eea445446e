"""Alpha dropout: the affine constants that undo what replacing entries does to mean and variance."""

from __future__ import annotations

from normcal.answer import SOLVED, Answer, Check, Solution
from normcal.errors import RequestError
from normcal.layer import Elementwise, Reference
from normcal.param import Param
from normcal.recipe import Recipe, computed
from normcal.value import Value

#: Where a saturation is looked for: its limit is reached if the function is the same at all of them.
_FAR = (-1e60, -1e100, -1e150)


class AlphaDropout(Recipe):
    r"""Factor a and shift b that keep mean and variance where entries are replaced by a saturation value.

    An entry of mean :math:`\mu` and variance :math:`\nu` is kept with probability q, else set to :math:`\alpha'`; then
    :math:`a(\cdot) + b` with :math:`a = \sqrt{\nu/(q(\nu + (1-q)(\alpha'-\mu)^2))}` and
    :math:`b = \mu - a(q\mu + (1-q)\alpha')` gives the mean and the variance back.
    """

    name = "alpha-dropout"
    about = "selu"
    params = (
        Param("keep_prob", 0.5, "(0, 1]", "probability q that an entry is kept"),
        Param("saturation", None, "(-inf, inf)", "value α' of what is dropped; by default the layer's limit at −∞"),
    )
    any_law = True
    references = (Reference("Klambauer et al. 2017, Self-Normalizing Neural Networks", "arXiv:1706.02515"),)

    def solve(self, layer, request, *, keep_prob, saturation):
        from normcal.numerics.balls import BALLS, Ball

        row = computed(layer, request, {"forward"})
        moments = [row.quantity(f"forward.{name}") for name in ("mean", "std")]
        if None in (moments[0].value, moments[1].value) or not moments[1].value:
            raise RequestError(f"{layer.spec} has no mean and std to keep at this input.", "; ".join(row.notes))
        mean, std = (Ball(v.value, v.error if v.error is not None else float("inf")) for v in moments)
        limit = Ball(saturation) if saturation is not None else _limit(layer)
        q, m = Ball(keep_prob), BALLS
        p = 1.0 - q
        variance = std * std
        off = limit - mean
        scale = std / m.sqrt(q * (variance + p * off * off))
        shift = mean - scale * (q * mean + p * limit)
        values = {
            name: Value.of(x.mid, x.rad) for name, x in (("factor", scale), ("shift", shift), ("saturation", limit))
        }
        a, b = Ball(float(scale.mid)), Ball(float(shift.mid))
        kept = a * (q * mean + p * limit) + b
        spread = a * a * (q * variance + q * p * off * off)
        checks = tuple(
            Check(f"{what} after dropout", f"{what} before", Value.of(x.mid, x.rad), Value.of((x - y).mid, (x - y).rad))
            for what, x, y in (("mean", kept, mean), ("variance", spread, variance))
        )
        said = (
            "the two conditions have one solution with a positive factor, by formula; the other has both signs turned",
            f"{layer.spec} at {request.law} has mean {mean.mid:.12g} and std {std.mid:.12g}",
            "errors: those of these moments and rounding",
        )
        return Answer(
            f"recipe alpha-dropout: {layer.spec}, keep_prob {keep_prob:g}", SOLVED,
            (Solution(values, checks, row.forward.error_kind),), said,
            data={"recipe": {"name": self.name, "spec": layer.spec, "keep_prob": keep_prob, "saturation": saturation}},
            references=tuple(map(str, self.references)), assumptions={"input": request.law.data()},
        )  # fmt: skip


RECIPE = AlphaDropout()


def _limit(layer):
    """Return the limit of a function at −∞ as a ball; refuse one that has none."""
    from normcal.numerics.balls import BALLS, Ball, ball

    hint = "Name one: alpha-dropout(saturation=-1)."
    if not isinstance(layer, Elementwise) or not layer.single:
        raise RequestError(f"{layer.spec} has no saturation value.", hint)
    found = [ball(layer.around(layer.f)(Ball(x), BALLS)) for x in _FAR]
    near = [abs(one.mid - found[-1].mid) <= 2.0 * (one.rad + found[-1].rad) + 1e-50 for one in found]
    if not all(near) or not abs(found[-1].mid) < 1e50:
        raise RequestError(f"{layer.spec} does not saturate: it has no limit at −∞ that shows.", hint)
    return found[-1]
