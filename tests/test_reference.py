"""Closed-form and quadrature values against 30-digit references of an independent route."""

import functools
import json
import pathlib
from decimal import Decimal

import pytest

from normcal import catalog, engine
from normcal.engine import Effort
from normcal.errors import Unsupported
from normcal.law import Normal
from normcal.result import OK, TOLERANCE_MISSED

FILES = sorted((pathlib.Path(__file__).parent / "reference").glob("values*.json"))
#: A file may state a target of its own, and a case that a double's range or a cancellation leaves "missed".
CASES = [
    {"target": document.get("target", "1e-13"), "missed": False} | case
    for document in (json.loads(path.read_text()) for path in FILES)
    for case in document["cases"]
]
ENGINES = ("closed-form", "quadrature")
SMALLEST = Decimal("1e-300")
#: The references are rounded to 30 digits.
REFERENCE = Decimal("1e-29")


def _id(case):
    return f"{case['spec']}-N({case['input']['mean']},{case['input']['std']})"


@functools.cache
def _estimate(spec, mean, std, direction, name):
    """Return what an engine finds, or None where it does not serve."""
    try:
        return engine.get(name).estimate(catalog.layer(spec), direction, Normal(float(mean), float(std)), Effort())
    except Unsupported:
        return None


def _found(case, name):
    for direction in ("forward", "backward"):
        found = _estimate(case["spec"], case["input"]["mean"], case["input"]["std"], direction, name)
        if found is None:
            continue
        for quantity, expected in case.get(direction, {}).items():
            *part, what = quantity.split(".")
            of = found.parts[part[0]] if part else found
            yield f"{direction}.{quantity}", getattr(of, what), Decimal(expected), of


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("case", CASES, ids=_id)
def test_the_true_error_is_never_above_the_stated_bound(case, name):
    for quantity, value, expected, _ in _found(case, name):
        if value.error is not None:
            allowed = Decimal(value.error) + REFERENCE * abs(expected)
            assert abs(Decimal(value.value) - expected) <= allowed, f"{name} {quantity}: {value}, {expected}"


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("case", CASES, ids=_id)
def test_values_are_within_the_target_unless_the_engine_says_it_missed(case, name):
    for quantity, value, expected, found in _found(case, name):
        if found.status == TOLERANCE_MISSED:
            continue
        scale = abs(expected) if abs(expected) > Decimal(value.error) else Decimal(found.std.value)
        assert abs(Decimal(value.value) - expected) <= Decimal(case["target"]) * scale, (
            f"{name} {quantity}: {value}, {expected}"
        )


@pytest.mark.parametrize("case", CASES, ids=_id)
def test_auto_reaches_the_tolerance_at_every_reference_input_that_a_double_can_hold(case):
    law = Normal(float(case["input"]["mean"]), float(case["input"]["std"]))
    for direction in ("forward", "backward"):
        if "std" not in case.get(direction, {}) or case["missed"]:
            continue
        found = engine.estimate("auto", catalog.layer(case["spec"]), direction, law, Effort())
        if abs(Decimal(case[direction]["std"])) < SMALLEST:
            assert found.status == TOLERANCE_MISSED
            continue
        far = case["input"] == {"mean": "-30", "std": "1"}  # 30 sigma away the nodes' own rounding costs 1e-11
        assert found.status == OK or (far and found.worst_error <= 1e-10 * found.std.value), found.reason
