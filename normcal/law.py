"""The laws of a layer's input and of the gradient that comes in: what engines and simulators may ask of them.

Beyond the normal law, each file of ``laws/`` defines one as ``LAW``; ``laws/_base.py`` gives it its parameters.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from normcal import discover
from normcal.errors import RequestError, Unsupported, unknown
from normcal.tails import NORMAL, Tail

if TYPE_CHECKING:
    from normcal.layer import Component
    from normcal.spec import Spec


@dataclass(frozen=True)
class Gradient:
    r"""The law of the incoming gradient: entries from N(mean, std^2), of some correlation with the input's.

    :math:`dy = m + s\,(\rho u + \sqrt{1-\rho^2}\,\xi)` with :math:`u = (x - E x)/\mathrm{std}\,x` of the entry of
    the input that dy belongs to, and an independent :math:`\xi \sim N(0, 1)`.
    """

    mean: float = 0.0
    std: float = 1.0
    correlation: float = 0.0

    @property
    def plain(self) -> bool:
        """Whether a backward figure is that of N(0, 1) times ``std``, and its mean 0."""
        return self.mean == 0.0 and self.correlation == 0.0

    @property
    def own_std(self) -> float:
        """The std of the part of dy that is independent of the input."""
        return self.std * math.sqrt((1.0 - self.correlation) * (1.0 + self.correlation))

    def data(self) -> dict:
        correlation = {"correlation": self.correlation} if self.correlation else {}
        return {"law": "normal", "mean": self.mean, "std": self.std} | correlation

    def __str__(self) -> str:
        return _normal(self.mean, self.std)


#: The gradient that every figure is of where nobody says otherwise.
PLAIN = Gradient()
#: What a text has in it that may have been meant as a file of recorded values.
_FILE = re.compile(r"\.(npy|csv|tsv|parquet)\b")


class Law:
    r"""A law of independent entries x; a subclass has ``mean``, ``std`` and what is asked for below.

    ``mean`` and ``std`` are those of an entry: doubles, infinite or NaN where the moment is infinite or does not exist.
    """

    #: Whether entries are normal, so that the layers' own formulas hold.
    normal: ClassVar[bool] = False
    #: Whether it is that of recorded values, which ``blocks`` yields.
    recorded: ClassVar[bool] = False
    #: How its density falls off, which decides what moments exist.
    tail: Tail = NORMAL
    mean: float
    std: float
    gradient: Gradient = PLAIN

    def sample(self, rng, shape):
        """Draw an array of ``shape``; every simulator gets its input here."""
        raise NotImplementedError

    def incoming(self, rng, shape, x=None):
        """Draw the incoming gradient; every simulator gets its dy here, and says which input it belongs to.

        ``x`` is the array of inputs of the same shape whose entries those of dy belong to; None where there is
        no such array, which is as good as long as the two are independent.
        """
        dy, gradient = rng.standard_normal(shape), self.gradient
        if gradient.correlation != 0.0:
            if x is None or getattr(x, "shape", None) != dy.shape:
                raise Unsupported(UNPAIRED)
            dy *= math.sqrt((1.0 - gradient.correlation) * (1.0 + gradient.correlation))
            dy += (x - self.mean) * (gradient.correlation / self.std)
        if gradient.std != 1.0:
            dy *= gradient.std
        if gradient.mean != 0.0:
            dy += gradient.mean
        return dy

    def pulled(self, component: Component, direction: str) -> Sequence[tuple[Normal, Component]]:
        """Return the integrals of a component of one function under this law as integrals under normal laws.

        The masses add up to that of the component. Raises Unsupported where there are none.
        """
        raise Unsupported(f"no integral under the law {self} reduces to one under a normal law")

    def data(self) -> dict:
        """Return what an output says of the law: plain JSON by key."""
        raise NotImplementedError

    def written(self) -> str:
        """Return the law as messages name it."""
        return str(self)

    @property
    def identity(self) -> dict:
        """What decides the bits that are drawn from it: what it is, and the law of the gradient."""
        gradient = {} if self.gradient == PLAIN else {"gradient": self.gradient.data()}
        return self.data() | gradient

    @property
    def spec(self) -> str:
        """The law in the grammar of ``--input``."""
        raise NotImplementedError

    @property
    def reach(self) -> tuple[float, float]:
        """The interval outside of which entries do not matter to any moment, in doubles."""
        raise NotImplementedError

    @property
    def atoms(self) -> tuple[float, ...]:
        """Values that entries take with positive probability, as far as they are known."""
        return ()

    @property
    def assumptions(self) -> str:
        """The sentence that every output for people begins with: the input, the incoming gradient, how they depend."""
        rho = self.gradient.correlation
        how = f"of correlation {rho:.12g} with its entry of the input" if rho else "independent"
        return f"input {self}, incoming gradient {self.gradient}, {how}"


#: Why a gradient that depends on the input has no meaning for a layer.
UNPAIRED = "the entries of the incoming gradient do not correspond to entries of the input, so they have no correlation"


@dataclass(frozen=True)
class Normal(Law):
    """Independent entries from N(mean, std^2); ``std = 0`` is the constant ``mean``."""

    normal: ClassVar[bool] = True
    mean: float = 0.0
    std: float = 1.0
    gradient: Gradient = PLAIN

    def sample(self, rng, shape):
        x = rng.standard_normal(shape)
        if self.std != 1.0:
            x *= self.std
        if self.mean != 0.0:
            x += self.mean
        return x

    def pulled(self, component: Component, direction: str) -> Sequence[tuple[Normal, Component]]:
        return [(Normal(self.mean, self.std), component)]

    def data(self) -> dict:
        return {"law": "normal", "mean": self.mean, "std": self.std}

    @property
    def spec(self) -> str:
        from normcal.spec import write

        return write("normal", {"mean": self.mean, "std": self.std})

    @property
    def reach(self) -> tuple[float, float]:
        return self.mean - 39.0 * self.std, self.mean + 39.0 * self.std

    @property
    def atoms(self) -> tuple[float, ...]:
        return (self.mean,) if self.std == 0.0 else ()

    def __str__(self) -> str:
        return _normal(self.mean, self.std)


STANDARD = Normal()


def names() -> tuple[str, ...]:
    """Every law that ``--input`` takes."""
    return tuple(name.replace("-", "_") for name in discover.names("laws"))


def named(text: str, **more: Any) -> Law:
    """Return the law that a text describes, its parameters checked; a file that it names is read.

    ``more`` may hold ``mean`` and ``std``, which a standardised law takes, ``gradient``, and the ``folder`` of files.

    >>> law = named("student_t(df=5)")
    >>> law.spec, round(law.std, 6)
    ('student_t(df=5.0, loc=0.0, scale=1.0)', 1.290994)
    """
    parsed = _parsed(text)
    return _defined(parsed.name).made(parsed.args, parsed.params, **more)


def reads(text: str) -> bool:
    """Whether the law that a text describes lies in a file."""
    return _defined(_parsed(text).name).reads


def _parsed(text: str) -> Spec:
    from normcal import spec

    try:
        return spec.parse(text)
    except RequestError as error:
        example = "An input law is a name with parameters, such as student_t(df=5) or uniform(low=-1, high=1)."
        told = error.message.replace("is not a SPEC", "is not a law").replace("a layer's name", "a law's name")
        file = ' A file of recorded values goes in quotes: empirical(file="values.npy").'
        raise RequestError(told, example + file * bool(_FILE.search(text[:1000]))) from None


def _defined(name: str):
    folded = name.lower().replace("-", "_")
    if folded not in names():
        raise unknown("input law", name, names())
    return discover.load("laws", folded.replace("_", "-")).LAW


def _normal(mean: float, std: float) -> str:
    return f"N({mean:.12g}, {std:.12g}^2)" if std != 1.0 else f"N({mean:.12g}, 1)"
