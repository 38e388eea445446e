"""How many digits a stated error allows; the only place that rounds."""

from __future__ import annotations

import math

from normcal.errors import RequestError, echo
from normcal.value import Value

#: Significant digits that may be asked for.
MOST = 17
DEFAULT = 10
#: Numbers outside [10^-LOW, 10^HIGH) are written with an exponent.
LOW, HIGH = 4, 15


def text(value: Value, digits: int | None = None) -> str:
    """Write a value with at most ``digits`` significant digits, and no more than its error allows.

    The last digit written is worth more than the error; a value that its error swallows is 0.
    An absent value is empty; one whose error cannot be stated, or spoils even the first digit,
    is written short, after ``~``.

    >>> text(Value(0.39894228040143, 2e-6))
    '0.39894'
    >>> text(Value(0.39894228040143, 1e-16), 5)
    '0.39894'
    """
    if value.value is None:
        return ""
    if value.error is not None and abs(value.value) <= value.error:
        return "0"
    if value.error is None:
        return f"~{significant(value.value, min(digits or 3, 3))}"
    rough = "~" if value.error and _meaningful(value) < 1 else ""
    return rough + significant(value.value, allowed(value, digits))


def allowed(value: Value, digits: int | None = None) -> int:
    """Return how many significant digits to write."""
    most = digits or DEFAULT
    if not value.error or not value.value:
        return most
    return max(min(most, _meaningful(value)), 1)


def span(value: Value, digits: int | None = None) -> tuple[int, int]:
    """Return the fewest and the most significant digits of ``text`` where an error may be a little larger or smaller.

    >>> span(Value(0.5838193701035489, 1e-16)), span(Value(0.58, 1e-4), 10)
    ((10, 10), (2, 4))
    """
    most = digits or DEFAULT
    if value.error is None:
        return 1, min(most, 3)
    if not value.error or not value.value:
        return most, most
    meaningful = _meaningful(value)
    return max(min(most, meaningful - 1), 1), max(min(most, meaningful + 1), 1)


def _meaningful(value: Value) -> int:
    """Return how many significant digits are worth more than the error."""
    return math.floor(math.log10(abs(value.value))) - math.floor(math.log10(value.error))


def with_error(value: Value, digits: int | None = None) -> str:
    """Write a sampled value to two digits of its standard error, with the error.

    >>> with_error(Value(0.39912345, 0.00058))
    '0.39912 ± 0.00058'
    """
    if value.value is None or value.error is None:
        return text(value, digits)
    if value.error == 0.0:
        return f"{significant(value.value, digits or DEFAULT)} ± 0"
    places = 1 - math.floor(math.log10(value.error))
    if not 0 <= places <= 15:
        size = math.floor(math.log10(abs(value.value))) if value.value else 0
        meaningful = size - math.floor(math.log10(value.error)) + 1
        return f"{value.value:.{min(max(meaningful, 0), MOST - 1)}e} ± {value.error:.1e}"
    if digits and digits < allowed(value, MOST) + 1:
        return f"{significant(value.value, digits)} ± {significant(value.error, 2)}"
    return f"{value.value:.{places}f} ± {value.error:.{places}f}"


def error(value: float | None) -> str:
    """Write an error: one digit, rounded up so that it is never understated.

    >>> error(1.2e-16), error(0.0), error(None)
    ('2e-16', '0', 'unknown')
    """
    if value is None:
        return "unknown"
    if value == 0.0:
        return "0"
    exponent = math.floor(math.log10(value))
    lead = math.ceil(value / 10.0**exponent * (1.0 - 1e-12)) if exponent > -300 else 9
    return f"1e{exponent + 1:+03d}" if lead >= 10 else f"{lead}e{exponent:+03d}"


def check_digits(digits: object) -> None:
    """Refuse a number of digits that is none."""
    if digits is not None and (not isinstance(digits, int) or isinstance(digits, bool) or not 1 <= digits <= MOST):
        raise RequestError(f"digits cannot be {echo(digits)}.", f"Accepted: a whole number from 1 to {MOST}.")


def significant(value: float, digits: int) -> str:
    """Write ``digits`` significant digits, without an exponent where a person would not want one.

    >>> significant(0.5, 10), significant(1485.0131, 5), significant(1.4605e-34, 4)
    ('0.5', '1485', '1.461e-34')
    """
    if value == 0.0:
        return "0"
    if not 10.0**-LOW <= abs(value) < 10.0**HIGH:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        return f"{_trimmed(mantissa)}e{int(exponent):+03d}"
    rounded = float(f"{value:.{digits - 1}e}")
    places = max(digits - 1 - math.floor(math.log10(abs(rounded))), 0)
    return _trimmed(f"{rounded:.{places}f}")


def _trimmed(number: str) -> str:
    """Drop zeros behind the point: 0.5000000000 says no more than 0.5."""
    return number.rstrip("0").rstrip(".") if "." in number else number
