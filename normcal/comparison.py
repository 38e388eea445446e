"""Published numbers beside computed ones, with a verdict that stated rules decide.

``equal``: the computed value, rounded to the printed digits, is the printed one (for a formula:
the two agree within the computed error). ``sampling``: it is not, but the difference is within
``SIGNIFICANT`` standard errors of the draws that the number was measured with. ``slip``: neither.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, replace

from normcal import arithmetic, catalog, engine, pipeline, quantity
from normcal.errors import RequestError, echo, unknown
from normcal.request import Request
from normcal.value import Value

EQUAL, SAMPLING, SLIP = "equal to the printed digits", "within the sampling error", "slip"
#: Two-sided 0.27 % of a normal law.
SIGNIFICANT = 3.0
_KEYS = ("where", "printed", "layer", "quantity", "with", "samples", "remark")
_NUMBER = re.compile(r"-?\d+(?:\.(\d+))?$")
_FORMULA_TOLERANCE = 4e-16


@dataclass(frozen=True)
class Comparison:
    """One printed number: where it stands, what it claims to be, and the verdict on it."""

    where: str
    printed: str
    layer: str
    quantity: str
    value: float
    computed: Value
    samples: int | None
    standard_errors: float | None
    verdict: str
    remark: str

    def data(self) -> dict:
        return {
            "where": self.where, "printed": self.printed, "spec": self.layer, "quantity": self.quantity,
            "printed_value": self.value, "computed": self.computed.value, "computed_error": self.computed.error,
            "difference": self.value - self.computed.value, "samples": self.samples,
            "standard_errors": self.standard_errors, "verdict": self.verdict, "remark": self.remark,
        }  # fmt: skip


def compare(entry: dict, request: Request) -> Comparison:
    """Compute the quantity that a printed number stands for and judge the number.

    ``entry`` has ``printed`` (a decimal or a formula), ``layer``, ``quantity``, and may have
    ``where``, ``with`` (values of the formula's names), ``samples`` and ``remark``. Raises
    RequestError for an entry that lacks a key, or whose formula has no value.

    >>> found = compare({"printed": "0.2083", "layer": "sigmoid", "quantity": "forward.std"}, Request())
    >>> found.verdict
    'equal to the printed digits'
    """
    printed, path = _checked(entry)
    layer = catalog.layer(entry["layer"])
    computed = _quantity(layer.spec, path, request)
    value = arithmetic.value(printed, entry.get("with"))
    samples = entry.get("samples")
    noise = _standard_error(layer.spec, path, samples, request) if samples else None
    distance = abs(value - computed.value) / noise if noise else None
    verdict = EQUAL if _equal(printed, value, computed) else SAMPLING if (distance or 9e9) <= SIGNIFICANT else SLIP
    return Comparison(
        entry.get("where", ""),
        printed,
        layer.spec,
        path,
        value,
        computed,
        samples,
        distance,
        verdict,
        entry.get("remark", ""),
    )


def _checked(entry: dict) -> tuple[str, str]:
    if not isinstance(entry, dict):
        raise RequestError(f"an entry of 'printed' cannot be {echo(entry)}.", f"Accepted: keys {', '.join(_KEYS)}.")
    for key in entry:
        if key not in _KEYS:
            raise unknown("key of 'printed'", str(key), _KEYS)
    for key in ("printed", "layer", "quantity"):
        if not isinstance(entry.get(key), str):
            raise RequestError(
                f"'{key}' of an entry of 'printed' must be text, not {echo(entry.get(key))}.", "Quote it."
            )
    quantity.parse(entry["quantity"])
    for key in ("where", "remark"):
        if not isinstance(entry.get(key, ""), str):
            raise RequestError(f"'{key}' of an entry of 'printed' must be text, not {echo(entry[key])}.", "Quote it.")
    names = entry.get("with", {})
    if not isinstance(names, dict) or not all(
        isinstance(k, str) and isinstance(v, (int, float)) and abs(v) < 1e300 for k, v in names.items()
    ):
        raise RequestError(f"'with' of an entry of 'printed' cannot be {echo(names)}.", "Accepted: names with numbers.")
    Request(samples=entry.get("samples"))
    return entry["printed"], entry["quantity"]


def _equal(printed: str, value: float, computed: Value) -> bool:
    """Whether the computed value rounds to the printed decimal, or agrees with the printed formula."""
    number = _NUMBER.match(printed)
    if number:
        half = 0.5 * 10.0 ** -len(number.group(1) or "")
        return abs(value - computed.value) <= half * (1.0 + 1e-9) + (computed.error or 0.0)
    return abs(value - computed.value) <= (computed.error or 0.0) + _FORMULA_TOLERANCE * abs(value)


@functools.lru_cache(maxsize=1024)
def _quantity(spec: str, path: str, request: Request) -> Value:
    found = pipeline.quantity(request, catalog.layer(spec), path)
    if found.value is None:
        raise RequestError(f"{spec} has no {path} at this input, so nothing can be compared with it.")
    return found


@functools.lru_cache(maxsize=1024)
def _standard_error(spec: str, path: str, samples: int, request: Request) -> float | None:
    """Return the standard error of a quantity measured with so many draws, as Monte Carlo states it."""
    measured = replace(request, engine=engine.sampler(), samples=samples)
    return pipeline.quantity(measured, catalog.layer(spec), path).error
