"""A number as it was published: what its digits claim, and whether a short number stands behind it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

from normcal import arithmetic
from normcal.errors import RequestError, echo

DECIMAL, WHOLE, DOUBLE, FORMULA = "decimal", "whole", "double", "formula"
SINGLE, HALF, BFLOAT16 = "single precision", "half precision", "bfloat16"
#: Fewer significant digits than this are no rounding: 0.6 is taken as 0.6.
FEWEST_DIGITS = 2
#: From so many significant digits on, a number that single precision holds exactly is taken to come from there.
SINGLE_DIGITS = 9
#: The same of shorter formats; of them a number must also need so many bits: 1/256 is no rounding.
SHORT_FORMAT_DIGITS, SHORT_FORMAT_BITS = 6, 6
#: Binary formats: (bits at least, bits of the format, significant digits at least), the shortest format first.
FORMATS = {
    BFLOAT16: (SHORT_FORMAT_BITS, 8, SHORT_FORMAT_DIGITS),
    HALF: (SHORT_FORMAT_BITS, 11, SHORT_FORMAT_DIGITS),
    SINGLE: (0, 24, SINGLE_DIGITS),
}
#: From so many on, the digits say no more than a double does.
DOUBLE_DIGITS = 16
#: Units in the last place of a double that arithmetic may cost.
FEW_ULPS = 4
_ULP = 2.0**-52
_NUMBER = re.compile(r"[-+]?(?P<whole>[0-9][0-9_]*)?(?:\.(?P<part>[0-9_]*))?(?:[eE](?P<exponent>[-+]?[0-9]+))?")
_LONGEST = 400


@dataclass(frozen=True)
class Literal:
    """A published number: its text, its value, and ``half``, how far from it the meant one may lie.

    ``digits`` counts significant digits, the zeros behind included; ``unit`` is worth the last of them.
    """

    text: str
    value: float
    digits: int
    unit: float
    half: float
    kind: str

    @property
    def rounds(self) -> bool:
        """Whether its digits claim to be the first ones of a longer number."""
        return self.kind in (DECIMAL, DOUBLE, *FORMATS)


def read(written: object, names: dict[str, float] | None = None) -> Literal:
    """Return the number that a file or a person wrote: a number, or text with a number or arithmetic.

    Raises RequestError for what has no finite value.

    >>> read("0.5840").digits, read("1").kind, read("sqrt(2)").kind, read("1.7139588594436646").kind
    (4, 'whole', 'formula', 'single precision')
    """
    text = written if isinstance(written, str) else getattr(written, "text", None) or _text(written)
    text = text.strip()
    match = _NUMBER.fullmatch(text)
    if not match or not (match["whole"] or match["part"]) or len(text) > _LONGEST:
        return _formula(text, names)
    try:
        value = float(text)
    except ValueError:  # underscores where a number has none
        return _formula(text, names)
    if not math.isfinite(value):
        raise RequestError(f"{echo(text)} is larger than the largest double.", "Accepted: a finite number.")
    return _decimal(text, value, match)


def _text(written: object) -> str:
    if isinstance(written, bool) or not isinstance(written, (int, float)):
        raise RequestError(f"{echo(written)} is not a number.", "Accepted: a number, or arithmetic such as sqrt(2).")
    return repr(written) if abs(written) < 10**_LONGEST else "a number of too many digits"


def _formula(text: str, names: dict[str, float] | None) -> Literal:
    value = arithmetic.value(text, names)
    short = _significant(repr(abs(value)).partition("e")[0])
    return Literal(text, value, short, _last_place(value, short), FEW_ULPS * _ULP * abs(value), FORMULA)


def _decimal(text: str, value: float, match: re.Match) -> Literal:
    whole, part = (match["whole"] or "").replace("_", ""), (match["part"] or "").replace("_", "")
    exponent = int(match["exponent"] or 0)
    digits = len((whole + part).lstrip("0")) or len(part)
    unit = _power(exponent - len(part))
    if digits < FEWEST_DIGITS or (part in ("", "0") and not exponent):
        return Literal(text, value, digits, unit, FEW_ULPS * _ULP * abs(value), WHOLE)
    kind = _format(value, _significant(whole + "." + part))
    if kind:
        return Literal(text, value, digits, unit, _spacing(value, 2.0 ** -FORMATS[kind][1]), kind)
    if digits >= DOUBLE_DIGITS:
        return Literal(text, value, digits, unit, max(0.5 * unit, FEW_ULPS * _spacing(value, _ULP)), DOUBLE)
    return Literal(text, value, digits, unit, 0.5 * unit * (1.0 + 1e-9), DECIMAL)


def _significant(mantissa: str) -> int:
    """Count the digits between the first and the last that is not 0."""
    return len(mantissa.replace(".", "").strip("0")) or 1


def _last_place(value: float, digits: int) -> float:
    return _power(math.floor(math.log10(abs(value))) - digits + 1) if value else 1.0


def _power(exponent: int) -> float:
    return 10.0 ** max(min(exponent, 308), -323)


def _spacing(value: float, ulp: float) -> float:
    """Return the distance of neighbours in a binary format whose ulp at 1 is ``ulp``."""
    return ulp * 2.0 ** math.floor(math.log2(abs(value))) if value else 0.0


def _format(value: float, digits: int) -> str | None:
    """Return the shortest binary format that holds so many digits exactly, where that is no accident."""
    bits = abs(value).as_integer_ratio()[0].bit_length()
    fits = (kind for kind, (least, most, told) in FORMATS.items() if least <= bits <= most and digits >= told)
    return next(fits, None)


# -- short numbers behind long ones ----------------------------------------------------------------

#: A short number has at most so many digits; the long one tells it from its neighbours so many times over.
SHORT, TOLD_APART = 6, 1e4
#: (what the long number is of the short one, the long from the short, the short from the long)
_WAYS: tuple[tuple[str, Callable[[float], float], Callable[[float], float]], ...] = (
    ("{}", lambda s: s, lambda v: v),
    ("1/{}", lambda s: 1.0 / s, lambda v: 1.0 / v),
    ("sqrt({})", math.sqrt, lambda v: v * v),
    ("1/sqrt({})", lambda s: 1.0 / math.sqrt(s), lambda v: 1.0 / (v * v)),
    ("{}^2", lambda s: s * s, math.sqrt),
    ("1/{}^2", lambda s: 1.0 / (s * s), lambda v: 1.0 / math.sqrt(v)),
)


@dataclass(frozen=True)
class Short:
    """A short decimal behind a long number, and how the long one follows from it: 1.6666666666666667 = 1/0.6."""

    number: float
    digits: int
    way: str
    back: Callable[[float], float]
    #: how far off the long number may be by what the digits of the short one claim
    half: float

    def __str__(self) -> str:
        return self.way.format(self.shown)

    @property
    def shown(self) -> str:
        return f"{self.number:.15g}"

    def rounds(self, exact: float, error: float) -> bool:
        """Whether the short number is the exact one, taken the same way, rounded to as many digits."""
        if not exact:
            return False
        meant = self.back(abs(exact))
        slack = abs(self.back(abs(exact) + error) - meant) if error else 0.0
        return abs(meant - self.number) <= 0.5 * _last_place(self.number, self.digits) * (1.0 + 1e-9) + slack


def short(literal: Literal) -> Short | None:
    """Return the shortest decimal that a long number is the reciprocal, root or square of, if there is one.

    >>> str(short(read("1.6666666666666667"))), str(short(read("sqrt(2)"))), short(read("1.6791767923989418"))
    ('1/0.6', 'sqrt(2)', None)
    """
    size = abs(literal.value)
    if not 1e-100 < size < 1e100:
        return None
    for digits in range(1, SHORT + 1):
        for way, there, back in _WAYS:
            number = float(f"{back(size):.{digits - 1}e}")
            apart = abs(there(number + _last_place(number, digits)) - there(number))
            if abs(there(number) - size) <= 2.0 * literal.half <= apart / TOLD_APART:
                return Short(number, digits, way, back, 0.5 * apart)
    return None
