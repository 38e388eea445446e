"""The closed-form engine: the formula's value and its rounding bound, and an honest word where it fails."""

import math

import pytest
from mpmath import mp, mpf

from normcal import catalog, engine
from normcal.engine import Effort
from normcal.errors import RequestError, Unsupported
from normcal.law import STANDARD, Normal
from normcal.result import BOUND, OK, OVERFLOW, TOLERANCE_MISSED

ENGINE = engine.get("closed-form")
QUANTITIES = ("mean", "std", "rms", "gain", "rms_gain")


def closed(spec, direction="forward", mean=0.0, std=1.0, tol=None):
    return ENGINE.estimate(catalog.layer(spec), direction, Normal(mean, std), Effort(tol))


def relu_moments(mean, std):
    """Mean, std, rms and backward std of ReLU, in as many digits as cancel."""
    with mp.workdps(40 + int(min(4.0 * (mean / std) ** 2, 4000.0))):
        m, s = mpf(mean), mpf(std)
        t = m / s
        below, density = mp.erfc(-t / mp.sqrt(2)) / 2, mp.npdf(t)
        first = m * below + s * density
        second = (m * m + s * s) * below + m * s * density
        return {"mean": first, "std": mp.sqrt(second - first**2), "rms": mp.sqrt(second), "back": mp.sqrt(below)}


def assert_covers(value, exact, what=""):
    assert value.error is not None and math.isfinite(value.error), what
    with mp.workdps(40):
        assert abs(mpf(value.value) - exact) <= mpf(value.error), f"{what}: {value}, exactly {mp.nstr(exact, 20)}"


#: t = mean/std at and around every branch of the formulas, and through both tails
RATIOS = [-37.0, -20.0, -12.0, -8.0, -5.0, -3.0, -2.5, -2.1, -1.9, -1.75, -1.6, -1.51, -1.5001, -1.5, -1.4999, -1.0,
          -0.3, 0.0, 0.4, 1.0, 1.4999, 1.5, 1.5001, 1.6, 1.8, 2.2, 4.0, 9.0, 20.0, 37.0]  # fmt: skip


@pytest.mark.parametrize("t", RATIOS)
def test_relu_is_within_its_bound_at_every_ratio_of_mean_to_std(t):
    for std in (1.0, 0.3, 1e-3, 770.0):
        mean = t * std
        exact = relu_moments(mean, std)
        forward, backward = closed("relu", "forward", mean, std), closed("relu", "backward", mean, std)
        for quantity in ("mean", "std", "rms"):
            assert_covers(getattr(forward, quantity), exact[quantity], f"{quantity} at N({mean}, {std})")
        assert_covers(backward.std, exact["back"], f"backward at N({mean}, {std})")


@pytest.mark.parametrize("t", RATIOS)
def test_relu_reaches_1e_13_at_every_ratio_or_says_that_it_does_not(t):
    exact = relu_moments(t, 1.0)
    found = closed("relu", "forward", t)
    for quantity in ("mean", "std"):
        value = getattr(found, quantity)
        assert found.status == TOLERANCE_MISSED or abs(mpf(value.value) - exact[quantity]) <= 1e-13 * exact[quantity]
    assert found.status == OK


SCALES = [(0.0, 1e200), (0.0, 1e-200), (1e200, 1e200), (-1e-200, 1e-200), (1e300, 1e300), (3e-290, 1e-290)]


@pytest.mark.parametrize(("mean", "std"), SCALES)
@pytest.mark.parametrize(
    "spec", ["relu", "identity", "leaky_relu(negative_slope=0.5)", "max_pool(kernel_size=2)", "avg_pool"]
)
def test_a_homogeneous_layer_scales_with_its_input_without_over_or_underflow(spec, mean, std):
    """f(cx) = c f(x), so the moments are those of an input of ordinary size, times its scale."""
    size = 2.0 ** math.frexp(std)[1]
    for direction in ("forward", "backward"):
        extreme, ordinary = closed(spec, direction, mean, std), closed(spec, direction, mean / size, std / size)
        factor = size if direction == "forward" else 1.0
        assert extreme.status == OK
        for quantity in ("mean", "std", "rms"):
            a, b = getattr(extreme, quantity), getattr(ordinary, quantity)
            assert abs(a.value - factor * b.value) <= a.error + factor * b.error
            assert a.error <= 2e-13 * extreme.rms.value


def test_an_overflow_is_claimed_only_where_the_moments_are_beyond_a_double():
    assert closed("leaky_relu(negative_slope=1e200)", mean=-1e200).status == OVERFLOW
    for spec, mean, std in (("gelu", 0.0, 1e200), ("gelu", 1e200, 1e200), ("relu", 1e200, 1.0), ("gelu", 1e300, 1.0)):
        assert closed(spec, "forward", mean, std).status != OVERFLOW, f"{spec} at N({mean}, {std}) is finite"


@pytest.mark.parametrize("spec", ["relu", "gelu", "leaky_relu"])
@pytest.mark.parametrize(("mean", "std"), [(1e200, 1e-200), (-1e200, 1.0), (1e154, 1.0), (0.0, 1e200), (-1e300, 1e300)])
def test_an_input_that_the_formula_cannot_take_gets_no_false_bound(spec, mean, std):
    """What comes out is right within its bound, or has none; it never raises."""
    for direction in ("forward", "backward"):
        found, sure = closed(spec, direction, mean, std), engine.estimate(
            "quadrature", catalog.layer(spec), direction, Normal(mean, std), Effort())  # fmt: skip
        for quantity in ("mean", "std"):
            a, b = getattr(found, quantity), getattr(sure, quantity)
            if None not in (a.error, b.error):
                assert abs(a.value - b.value) <= a.error + b.error, quantity


@pytest.mark.parametrize("mean", [-50.0, -40.0, -39.0, -38.0])
def test_where_relu_underflows_the_bound_holds_and_the_miss_is_said(mean):
    exact = relu_moments(mean, 1.0)
    found = closed("relu", "forward", mean)
    assert found.status == TOLERANCE_MISSED and found.reason
    for quantity in ("mean", "std", "rms"):
        assert_covers(getattr(found, quantity), exact[quantity], quantity)


@pytest.mark.parametrize("spec", ["relu", "leaky_relu", "gelu"])
@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("mean", [-3.0, 0.5])
def test_a_formula_that_divides_by_a_std_of_zero_is_declined_and_auto_falls_through(spec, direction, mean):
    with pytest.raises(Unsupported, match="std"):
        closed(spec, direction, mean, 0.0)
    found = engine.estimate("auto", catalog.layer(spec), direction, Normal(mean, 0.0), Effort())
    assert (found.engine, found.status) == ("quadrature", OK) or found.std.value == 0.0


@pytest.mark.parametrize("spec", ["identity", "max_pool(kernel_size=2)", "avg_pool", "dropout(keep_prob=1)"])
def test_a_formula_that_does_not_divide_takes_a_constant_input(spec):
    found = closed(spec, "forward", 3.0, 0.0)
    assert (found.mean.value, found.std.value, found.status) == (3.0, 0.0, OK)
    assert found.gain.value is None


def test_a_layer_without_a_formula_says_which_direction_it_misses():
    for spec, direction in (("sigmoid", "forward"), ("sigmoid", "backward"), ("max_pool(kernel_size=3)", "forward")):
        with pytest.raises(Unsupported, match=r"closed form|elementary"):
            closed(spec, direction)


def test_naming_the_engine_for_a_layer_without_a_formula_is_a_wrong_request():
    with pytest.raises(RequestError, match="closed-form engine cannot serve the forward direction"):
        engine.estimate("closed-form", catalog.layer("sigmoid"), "forward", STANDARD, Effort())


def test_a_tolerance_below_the_rounding_is_missed_and_said():
    found = closed("relu", tol=1e-18)
    assert found.status == TOLERANCE_MISSED and "1e-18" in found.reason
    assert closed("relu", tol=1e-14).status == OK


@pytest.mark.parametrize("spec", ["relu", "gelu", "linear", "conv", "dropout", "max_pool(kernel_size=2)", "avg_pool"])
def test_the_record_states_bounds_for_every_quantity(spec):
    for direction in ("forward", "backward"):
        found = closed(spec, direction)
        assert (found.engine, found.error_kind, found.samples) == ("closed-form", BOUND, None)
        for quantity in QUANTITIES:
            value = getattr(found, quantity)
            assert 0.0 <= value.error <= 1e-14 * max(1.0, value.value)
    assert found.mean.value == 0.0
