"""What a computation returns: derived quantities with their errors, and the record that DESIGN fixes."""

import json
import math

import pytest

from normcal import __version__, catalog, engine
from normcal.engine import Effort
from normcal.law import STANDARD, Normal
from normcal.quantity import PATHS, QUANTITIES, SCALES
from normcal.result import (
    BOUND,
    OK,
    OVERFLOW,
    STANDARD_ERROR,
    TOLERANCE_MISSED,
    UNDEFINED,
    Estimate,
    LayerResult,
    Result,
)  # fmt: skip
from normcal.value import Value


def estimate(mean=(0.5, 1e-15), std=(2.0, 1e-15), rms=(2.0615528128088303, 1e-15), **more):
    return Estimate("closed-form", Value(*mean), Value(*std), Value(*rms), **more)


def row(spec="relu", law=STANDARD, **options):
    layer = catalog.layer(spec)
    found = [
        engine.estimate(options.get("engine", "auto"), layer, d, law, Effort(samples=2000))
        for d in ("forward", "backward")
    ]
    return LayerResult(layer, *found)


@pytest.mark.parametrize(
    ("mid", "rad", "value"),
    [
        (1.0, 1e-16, Value(1.0, 1e-16)), (1.0, 0.0, Value(1.0, 0.0)), (1.0, math.inf, Value(1.0)),
        (1.0, math.nan, Value(1.0)),
        (math.inf, math.inf, Value()), (math.nan, 0.0, Value()), (-math.inf, 1.0, Value()),
    ],
)  # fmt: skip
def test_what_is_no_finite_number_is_absent(mid, rad, value):
    assert Value.of(mid, rad) == value


@pytest.mark.parametrize(
    ("value", "inverse"),
    [
        (Value(2.0), 0.5),
        (Value(-4.0), -0.25),
        (Value(0.0), None),
        (Value(-0.0), None),
        (Value(), None),
        (Value(1e-320), None),
    ],
)
def test_a_reciprocal_is_absent_where_there_is_none(value, inverse):
    assert value.reciprocal().value == inverse


def test_the_error_of_a_reciprocal_is_a_relative_one():
    assert Value(4.0, 1e-6).reciprocal().error == pytest.approx(1e-6 / 16.0, rel=1e-6)
    assert Value(-4.0, 1e-6).reciprocal().error == pytest.approx(1e-6 / 16.0, rel=1e-6)
    assert Value(4.0, 0.0).reciprocal().error < 2e-16
    assert Value(1.0, 0.5).reciprocal().error >= 1.0  # 1/0.5 - 1


def test_the_errors_of_a_ratio_add_up():
    ratio = Value(3.0, 3e-6).over(Value(2.0, 2e-6))
    assert ratio.value == 1.5 and ratio.error == pytest.approx(3e-6, rel=1e-5)
    assert Value(3.0, 1e-6).over(Value(0.0, 0.0)) == Value()
    assert Value(3.0).over(Value(2.0, 1e-6)) == Value(1.5)
    assert Value().over(Value(2.0, 1e-6)) == Value()
    assert Value(1e300, 1e284).over(Value(1e-300, 1e-316)) == Value()


def test_gains_are_the_reciprocals_of_std_and_rms():
    found = estimate()
    assert found.gain.value == 0.5 and found.rms_gain.value == pytest.approx(1.0 / 2.0615528128088303)
    assert found.gain.error >= 1e-15 / 4.0


def test_the_jacobian_factor_is_backward_over_forward_std():
    found = LayerResult(catalog.layer("relu"), estimate(std=(2.0, 2e-9)), estimate(std=(3.0, 3e-9)))
    assert found.jacobian_factor.value == 1.5
    assert found.jacobian_factor.error == pytest.approx(3e-9, rel=1e-3)
    assert found.quantity("jacobian_factor") == found.jacobian_factor


@pytest.mark.parametrize("missing", ["forward", "backward"])
def test_a_direction_that_was_not_asked_for_is_null_and_so_is_the_jacobian_factor(missing):
    directions = {"forward": estimate(), "backward": estimate()} | {missing: None}
    found = LayerResult(catalog.layer("relu"), **directions)
    assert found.data()[missing] is None and found.data()["jacobian_factor"] is None
    assert found.quantity(f"{missing}.std") == Value()


def test_every_path_is_a_quantity_of_a_row():
    found = row()
    assert len(PATHS) == 2 * len(QUANTITIES) + 1 + len(SCALES)
    assert all(found.quantity(path).value is not None for path in PATHS)
    assert found.quantity("backward.gain").value == found.backward.gain.value


@pytest.mark.parametrize("path", PATHS)
def test_the_worst_error_is_that_of_mean_or_std(path):
    assert estimate(mean=(0.5, 3e-9), std=(2.0, 1e-9)).worst_error == 3e-9
    assert estimate(mean=(0.5, None)).worst_error == math.inf


def test_a_record_has_the_keys_that_design_fixes():
    record = row("leaky_relu").data()
    assert list(record)[:5] == ["layer", "spec", "params", "forward", "backward"]
    assert record["layer"] == "leaky_relu" and record["spec"] == "leaky_relu(negative_slope=0.01)"
    assert record["params"] == {"negative_slope": 0.01}
    for direction in ("forward", "backward"):
        its = record[direction]
        assert {"mean", "std", "rms", "gain", "rms_gain", "status", "engine", "error"} <= set(its)
        assert its["status"] == OK and its["engine"] == "closed-form"
        assert its["error"]["kind"] == BOUND and {"mean", "std"} <= set(its["error"])
        assert "samples" not in its and "seed" not in its
    assert record["jacobian_factor"] > 0.0 and isinstance(record["notes"], list)


def test_a_monte_carlo_record_adds_samples_and_seed_and_a_standard_error():
    its = row(engine="monte-carlo").data()["forward"]
    assert (its["samples"], its["seed"], its["error"]["kind"]) == (2000, 0, STANDARD_ERROR)


@pytest.mark.parametrize(
    ("spec", "law", "status"),
    [("relu", Normal(0.0, 0.0), UNDEFINED), ("relu", Normal(-50.0, 1.0), TOLERANCE_MISSED),
     ("leaky_relu(negative_slope=1e200)", Normal(-1e200, 1.0), OVERFLOW),
     ("sigmoid", Normal(1e300, 1e300), TOLERANCE_MISSED)],
)  # fmt: skip
def test_a_moment_that_is_no_number_is_null_with_a_status_and_a_reason(spec, law, status):
    record = row(spec, law).data()
    statuses = {record[d]["status"] for d in ("forward", "backward")}
    assert status in statuses
    for direction in ("forward", "backward"):
        assert record[direction]["status"] == OK or record[direction]["reason"]
    json.dumps(record, allow_nan=False)


def test_a_document_states_schema_generator_and_assumptions_and_is_json():
    law = Normal(0.5, 2.0)
    document = Result((row(law=law), row("max_pool(kernel_size=(3, 2))", law)), law).data()
    assert document["schema"] == "normcal/1" and document["generator"] == f"normcal {__version__}"
    assert document["assumptions"] == {
        "input": {"law": "normal", "mean": 0.5, "std": 2.0}, "gradient": {"law": "normal", "mean": 0.0, "std": 1.0},
    }  # fmt: skip
    assert [its["layer"] for its in document["layers"]] == ["relu", "max_pool"]
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_the_same_request_gives_the_same_document():
    assert row("gelu").data() == row("gelu").data()
