"""What every law by name shares: its parameters, standardised or not, and how it is written."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

from normcal.errors import RequestError, echo, unknown
from normcal.law import PLAIN, Gradient, Law
from normcal.param import Param
from normcal.spec import write

if TYPE_CHECKING:
    from normcal.numerics.balls import Ball

REAL = "(-inf, inf)"
#: Scales and places beyond these over- or underflow somewhere.
LARGEST, SMALLEST = 1e150, 1e-150
STANDARDISED = Param(
    "standardised",
    "no",
    ("yes", "no"),
    "shifted and scaled to mean 0 and std 1, whatever its own; --mean and --std then move and scale it",
    quiet=True,
)
#: Beyond this growth cannot be measured any more: farther out there is no double.
_FARTHEST = LARGEST * LARGEST
LOC = Param("loc", 0.0, f"[{-_FARTHEST:g}, {_FARTHEST:g}]", "its centre")
SCALE = Param("scale", 1.0, f"(0, {_FARTHEST:g}]", "its scale")


class Named(Law):
    r"""A law with parameters: entries are :math:`x = \mathrm{shift} + \mathrm{factor}\,X`, X as the parameters say.

    A subclass has ``own``, the mean and the std of X as balls, and draws and integrates X. Without ``standardised``
    x is X itself; with it shift and factor, balls too, bring X to the mean and std that are asked for.
    """

    name: ClassVar[str] = ""
    params: ClassVar[tuple[Param, ...]] = ()
    #: Whether it reads a file.
    reads: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.params = (*(param for param in cls.params if param is not STANDARDISED), STANDARDISED)

    def __init__(
        self,
        given: dict[str, Any] | None = None,
        mean: float | None = None,
        std: float | None = None,
        gradient: Gradient = PLAIN,
        folder: str = "",
    ) -> None:
        self.given, self.gradient, self.folder = dict(given or {}), gradient, folder
        self.asked = mean, std
        self.bind()
        if not self.reads:  # a file is read first
            self._place()

    @classmethod
    def made(cls, args: tuple, params: dict[str, Any], **more: Any) -> Named:
        """Return the law that a parsed text describes; ``args`` are its values without a name."""
        if args:
            shown = echo(write(cls.name, params, args))
            raise RequestError(f"{shown}: {cls.name} takes parameters by name.", f"Accepted: {cls.accepted()}.")
        return cls(params, **more)

    @classmethod
    def accepted(cls) -> str:
        """Say how the law is written."""
        return f"{cls.name}({', '.join(f'{param.name}=...' for param in cls.params)})"

    def bind(self) -> None:
        """Check the parameters and set each as an attribute."""
        known = [param.name for param in self.params]
        for name, value in self.given.items():
            if name not in known:
                raise unknown(f"parameter of {self.name}:", name, known)
            if isinstance(value, list):
                raise RequestError(f"{self.name}: {name} is a sweep; here one law is needed.")
        for param in self.params:
            value = self.given.get(param.name, param.default)
            if value is None and param.default is None and not param.quiet:
                raise RequestError(f"{self.name} needs {param.name}: {param.doc}.", f"Accepted: {param.accepted()}.")
            setattr(self, param.name, param.accept(value, self.name))
        mean, std = self.asked
        if self.standardised == "no" and (mean is not None or std is not None):
            raise RequestError(
                f"{self.written()} has a mean and a std of its own; --mean and --std do not go with it.",
                "Accepted: its own parameters, or standardised=yes, which brings it to mean 0 and std 1 first.",
            )
        self.check()

    def check(self) -> None:
        """Refuse parameters that do not fit together."""

    def own(self) -> tuple[Ball, Ball]:
        """Return mean and std of X as balls: of infinite or undefined middle where they are that."""
        raise NotImplementedError

    def _place(self) -> None:
        """Find mean and std, and how x comes from X."""
        from normcal.numerics.balls import Ball

        mean, std = self.own()
        if self.standardised == "no":
            self.shift, self.factor = Ball(0.0), Ball(1.0)
            self.mean, self.std = float(mean.mid), float(std.mid)
        else:
            if not 0.0 < float(std.mid) < math.inf:
                what = "is constant" if std.mid == 0.0 else "has no finite variance"
                raise RequestError(f"{self.written()} {what}, so it cannot be standardised.")
            self.mean, self.std = (0.0, 1.0) if self.asked == (None, None) else self._asked()
            self.factor = Ball(self.std) / std
            self.shift = Ball(self.mean) - mean * self.factor
        if self.gradient.correlation != 0.0 and not 0.0 < self.std < math.inf:
            raise RequestError(
                f"A correlation needs an input of finite std above 0; that of {self.written()} is {self.std:g}."
            )

    def _asked(self) -> tuple[float, float]:
        mean, std = self.asked
        return (0.0 if mean is None else float(mean) + 0.0, 1.0 if std is None else float(std) + 0.0)

    def told(self) -> dict[str, Any]:
        """Return every parameter with its value, but for whether it is standardised."""
        every = ((param.name, getattr(self, param.name)) for param in self.params if param is not STANDARDISED)
        return {name: value for name, value in every if value is not None}

    def written(self) -> str:
        """Return the law in the grammar of ``--input``, but for whether it is standardised."""
        return write(self.name, self.told())

    @property
    def spec(self) -> str:
        told = {STANDARDISED.name: self.standardised} if self.standardised == "yes" else {}
        return write(self.name, self.told() | told)

    def data(self) -> dict:
        params = {name: list(value) if isinstance(value, tuple) else value for name, value in self.told().items()}
        numbers = {name: x if math.isfinite(x) else None for name, x in (("mean", self.mean), ("std", self.std))}
        return {
            "law": self.name, "spec": self.spec, "params": params, "standardised": self.standardised == "yes",
        } | numbers  # fmt: skip

    def __str__(self) -> str:
        if self.standardised == "yes":
            return f"{self.written()} standardised to mean {self.mean:.12g} and std {self.std:.12g}"
        if math.isnan(self.mean):
            return f"{self.written()} as it is, without a mean"
        spread = f"std {self.std:.6g}" if math.isfinite(self.std) else "infinite std"
        return f"{self.written()} as it is (mean {self.mean:.6g}, {spread})"

    def __repr__(self) -> str:
        return f"<{self}>"

    @property
    def _key(self) -> tuple:
        return self.spec, self.asked, self.gradient, self.folder

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def sample(self, rng, shape):
        x = self.draw(rng, shape)
        if self.factor.mid != 1.0:
            x = x * self.factor.mid
        if self.shift.mid != 0.0:
            x = x + self.shift.mid
        return x

    def draw(self, rng, shape):
        """Draw an array of X."""
        raise NotImplementedError

    @property
    def frame(self) -> tuple[float, float]:
        """Centre and scale of a law that has nothing but these two and its shape: 0 and 1 where it is standardised."""
        return (0.0, 1.0) if self.standardised == "yes" else (self.loc, self.scale)

    def moved(self, low: float, high: float) -> tuple[float, float]:
        """Return where an interval of X lies in x."""
        factor, shift = float(self.factor.mid), float(self.shift.mid)
        return shift + factor * low, shift + factor * high
