"""Mixtures of normal laws."""

from __future__ import annotations

from dataclasses import replace

from normcal.errors import RequestError, Unsupported
from normcal.laws._base import LARGEST, REAL, Named
from normcal.param import Param
from normcal.tails import NORMAL

#: Each part is an integral of its own.
MOST_PARTS = 1000


class Mixture(Named):
    """One of several normal laws, each drawn with its weight; weights are divided by their sum."""

    name = "mixture"
    params = (
        Param("means", None, REAL, "the means of the parts", shape=True, accepts="numbers such as (-1, 1)"),
        Param("stds", 1.0, "[0, inf)", "their stds, or one for all", shape=True, accepts="numbers such as (0.5, 2)"),
        Param("weights", 1.0, "(0, inf)", "how often each is drawn", shape=True, accepts="numbers such as (1, 3)"),
    )
    tail = NORMAL

    def check(self):
        self.parts = together(self, "means", "stds", "weights")
        self.shares = shares([weight for *_, weight in self.parts])

    def own(self):
        from normcal.numerics.balls import Ball

        return mixed(
            [(share, Ball(mean), Ball(std)) for share, (mean, std, _) in zip(self.shares, self.parts, strict=True)]
        )

    def pulled(self, component, direction):
        from normcal.law import STANDARD, Normal

        return [
            (STANDARD if std else Normal(0.0, 0.0), replace(moved, mass=share * component.mass))
            for share, (mean, std, _) in zip(self.shares, self.parts, strict=True)
            for moved in [linear(component, self.factor * std, self.shift + self.factor * mean)]
        ]

    @property
    def normals(self):
        """The parts as normal laws, rounded."""
        from normcal.law import Normal

        shift, factor = float(self.shift.mid), float(self.factor.mid)
        return [Normal(shift + factor * mean, factor * std) for mean, std, _ in self.parts]

    @property
    def atoms(self):
        return tuple(part.mean for part in self.normals if part.std == 0.0)

    @property
    def reach(self):
        ends = [end for part in self.normals for end in part.reach]
        return min(ends), max(ends)

    def draw(self, rng, shape):
        import numpy as np

        chosen = drawn(self.parts, rng.random(shape))
        means, stds, _ = np.array(self.parts).T
        return means[chosen] + stds[chosen] * rng.standard_normal(shape)


LAW = Mixture


def linear(component, factor, shift):
    """Return the component of f(factor z + shift), both balls."""
    from normcal.laws._maps import number
    from normcal.numerics.balls import ball
    from normcal.numerics.duals import slope_of

    if component.weight is not None:
        raise Unsupported("its integrals are those of a normal input")
    f, noise = component.f, component.noise
    slope = component.slope or slope_of(f)
    if factor.mid == 0.0:
        return replace(
            component,
            f=lambda z, m: f(z * 0.0 + number(shift, m), m),
            noise=noise and (lambda z, m: noise(z * 0.0 + number(shift, m), m)),
            slope=lambda z, m: slope(z * 0.0 + number(shift, m), m),
            kinks=(),
            features=(),
        )

    def at(z, m):
        return z * number(factor, m) + number(shift, m)

    size = float(factor.mid)
    return replace(
        component,
        f=lambda z, m: f(at(z, m), m),
        noise=noise and (lambda z, m: noise(at(z, m), m)),
        slope=lambda z, m: slope(at(z, m), m),
        kinks=tuple((ball(kink) - shift) / factor for kink in component.kinks),
        features=tuple(((x - float(shift.mid)) / size, width / size) for x, width in component.features),
    )


def together(law, *names) -> list[tuple]:
    """Return the values of parameters that list as many each; one number stands for all."""
    lists = [value if isinstance(value, tuple) else (value,) for value in (getattr(law, name) for name in names)]
    count = max(map(len, lists))
    if count > MOST_PARTS:
        raise RequestError(f"{law.name}: {count:_} parts are too many.", f"Accepted: at most {MOST_PARTS:_}.")
    for name, values in zip(names, lists, strict=True):
        if len(values) not in (1, count):
            raise RequestError(
                f"{law.name}: {name} has {len(values)} numbers, another parameter {count}.",
                f"Accepted: as many in each of {', '.join(names)}, or one for all.",
            )
        if any(abs(value) > LARGEST for value in values):
            raise RequestError(f"{law.name}: {name} has a number beyond {LARGEST:g}.")
    return list(zip(*(values * count if len(values) == 1 else values for values in lists), strict=True))


def shares(weights: list[float]) -> list:
    """Return weights divided by their sum, as balls."""
    from normcal.numerics.balls import Ball

    total = sum(weights[1:], Ball(weights[0]))
    return [Ball(1.0)] if len(weights) == 1 else [Ball(weight) / total for weight in weights]


def mixed(parts) -> tuple:
    """Return the mean and the std, balls, of a mixture of (share, mean, std)."""
    from normcal.numerics.balls import Ball, root_of_squares

    mean = sum((part * share for share, part, _ in parts), Ball(0.0))
    spread = [(share, std) for share, _, std in parts] + [(share, part - mean) for share, part, _ in parts]
    if len(parts) == 1:
        return parts[0][1:]
    return mean, root_of_squares(spread)


def drawn(parts, u):
    """Return the number of a part for each uniform number; the weights come last."""
    import numpy as np

    ends = np.cumsum([part[-1] for part in parts])
    return np.minimum(np.searchsorted(ends, u * ends[-1], side="right"), len(parts) - 1)
