"""Identity, ReLU and leaky ReLU: published constants and closed forms."""

import math

import pytest
from mpmath import mp, mpf

from normcal import catalog, engine
from normcal.engine import Effort
from normcal.errors import RequestError
from normcal.law import STANDARD, Normal
from normcal.result import OK, LayerResult


def compute(spec, direction, law=STANDARD, name="closed-form"):
    return engine.get(name).estimate(catalog.layer(spec), direction, law, Effort())


def assert_value(value, exact):
    assert abs(mpf(value.value) - mpf(exact)) <= mpf(value.error) <= mpf("1e-13") * max(abs(mpf(exact)), 1)


@pytest.mark.parametrize("name", ["closed-form", "quadrature"])
def test_relu_has_the_constants_of_arpit_et_al(name):
    """Arpit et al. 2016, section 3.2: mean sqrt(1/(2 pi)), std sqrt(1/2 (1 - 1/pi)); the slope is 1 half the time."""
    forward, backward = compute("relu", "forward", name=name), compute("relu", "backward", name=name)
    assert_value(forward.mean, mp.sqrt(1 / (2 * mp.pi)))
    assert_value(forward.std, mp.sqrt((1 - 1 / mp.pi) / 2))
    assert_value(backward.std, mp.sqrt(mpf(1) / 2))


def test_relu_has_the_gain_of_he_et_al_as_its_second_moment_gain():
    assert_value(compute("relu", "forward").rms_gain, mp.sqrt(2))
    assert_value(compute("relu", "forward").gain, 1 / mp.sqrt((1 - 1 / mp.pi) / 2))


def test_relu_normalised_forward_leaves_a_backward_std_of_1_2112():
    row = LayerResult(catalog.layer("relu"), compute("relu", "forward"), compute("relu", "backward"))
    assert round(row.jacobian_factor.value, 4) == 1.2112
    assert_value(row.jacobian_factor, 1 / mp.sqrt(1 - 1 / mp.pi))


@pytest.mark.parametrize("slope", [0.01, 0.2, -1.0, 0.0, 1.0, 3.0])
def test_leaky_relu_has_the_gain_of_he_et_al(slope):
    """He et al. 2015, equation 15: E y^2 = (1 + a^2)/2; at zero mean E y = (1 - a)/sqrt(2 pi)."""
    spec = f"leaky_relu(negative_slope={slope})"
    a = mpf(slope)
    forward, backward = compute(spec, "forward"), compute(spec, "backward")
    assert_value(forward.rms_gain, mp.sqrt(2 / (1 + a * a)))
    assert_value(forward.mean, (1 - a) / mp.sqrt(2 * mp.pi))
    assert_value(forward.std, mp.sqrt((1 + a * a) / 2 - (1 - a) ** 2 / (2 * mp.pi)))
    assert_value(backward.std, mp.sqrt((1 + a * a) / 2))


def test_leaky_relu_of_slope_minus_one_is_the_half_normal_law():
    forward = compute("leaky_relu(negative_slope=-1)", "forward")
    assert_value(forward.mean, mp.sqrt(2 / mp.pi))
    assert_value(forward.std, mp.sqrt(1 - 2 / mp.pi))


@pytest.mark.parametrize("law", [Normal(0.5, 2.0), Normal(-1.0, 0.3), Normal(-7.0, 1.0), Normal(4.0, 0.1)], ids=str)
def test_special_slopes_are_the_other_rectifiers(law):
    for slope, other in ((0, "relu"), (1, "identity")):
        for direction in ("forward", "backward"):
            a, b = compute(f"leaky_relu(negative_slope={slope})", direction, law), compute(other, direction, law)
            for quantity in ("mean", "std"):
                x, y = getattr(a, quantity), getattr(b, quantity)
                assert abs(x.value - y.value) <= x.error + y.error


@pytest.mark.parametrize("law", [Normal(0.5, 2.0), Normal(-3.0, 0.7), Normal(0.0, 1e-3)], ids=str)
@pytest.mark.parametrize("slope", [0.01, 0.3, -2.0, 5.0])
def test_a_reflected_input_is_a_rectifier_of_the_reciprocal_slope(law, slope):
    """leaky(-x; a) = -a leaky(x; 1/a)."""
    for direction, sign in (("forward", -slope), ("backward", abs(slope))):
        mirrored = compute(f"leaky_relu(negative_slope={slope})", direction, Normal(-law.mean, law.std))
        plain = compute(f"leaky_relu(negative_slope={1 / slope})", direction, law)
        assert mirrored.mean.value == pytest.approx(sign * plain.mean.value, rel=1e-12, abs=1e-15)
        assert mirrored.std.value == pytest.approx(abs(slope) * plain.std.value, rel=1e-12)


def test_identity_passes_the_input_law_on_exactly():
    law = Normal(-1.25, 0.375)
    forward, backward = compute("identity", "forward", law), compute("identity", "backward", law)
    assert (forward.mean.value, forward.mean.error, forward.std.value, forward.std.error) == (-1.25, 0.0, 0.375, 0.0)
    assert (backward.std.value, backward.std.error, backward.status) == (1.0, 0.0, OK)


@pytest.mark.parametrize("slope", ["nan", "inf", "fast", "(1, 2)"])
def test_a_slope_that_is_no_finite_number_is_refused(slope):
    with pytest.raises(RequestError):
        catalog.layer(f"leaky_relu(negative_slope={slope})")


@pytest.mark.parametrize("slope", [math.nan, math.inf, -math.inf, True, "0.1", None])
def test_a_slope_that_is_no_finite_number_is_refused_from_python_too(slope):
    with pytest.raises(RequestError, match="negative_slope"):
        catalog.find("leaky_relu")(negative_slope=slope)


def test_relu_takes_no_parameters():
    with pytest.raises(RequestError, match=r"takes no parameters|Unknown parameter"):
        catalog.layer("relu(negative_slope=0.1)")


def _exactly(spec, direction, law, name="closed-form"):
    return engine.get(name).estimate(catalog.layer(spec), direction, law, Effort())


@pytest.mark.parametrize("law", [Normal(0.0, 1.0), Normal(0.5, 2.0), Normal(-3.0, 0.7)], ids=str)
def test_a_random_slope_adds_its_variance_times_the_left_second_moment(law):
    """Var rrelu = Var leaky(mean slope) + (u-l)^2/12 E min(x, 0)^2; in evaluation it is the leaky one itself."""
    leaky, relu = (
        _exactly("leaky_relu(negative_slope=0.25)", "forward", law),
        _exactly("relu", "forward", Normal(-law.mean, law.std)),
    )
    random = _exactly("rrelu(lower=0, upper=0.5)", "forward", law)
    assert random.mean.value == pytest.approx(leaky.mean.value, rel=1e-14)
    assert random.std.value**2 == pytest.approx(leaky.std.value**2 + relu.rms.value**2 / 48.0, rel=1e-13)
    settled = _exactly("rrelu(lower=0, upper=0.5, training=no)", "forward", law)
    assert settled.std.value == pytest.approx(leaky.std.value, rel=1e-15)


def test_a_drawn_slope_lies_between_its_bounds_and_serves_both_directions():
    import numpy as np

    layer = catalog.layer("rrelu(lower=0.2, upper=0.3)")
    y = layer.simulate("forward", np.random.default_rng(1), 4000, Normal(-5.0, 0.0))[:, 0] / -5.0
    assert 0.2 <= y.min() < 0.202 and 0.298 < y.max() <= 0.3
    exact = _exactly("rrelu", "backward", Normal(-1.0, 1.0)).std.value
    dx = catalog.layer("rrelu").simulate("backward", np.random.default_rng(2), 60_000, Normal(-1.0, 1.0))
    assert dx.std() == pytest.approx(exact, rel=0.03)


def test_slopes_in_the_wrong_order_are_refused():
    with pytest.raises(RequestError, match=r"lower=0\.5 is above upper=0\.3"):
        catalog.layer("rrelu(lower=0.5)")


def test_crelu_holds_both_halves_of_the_input():
    import numpy as np

    y = catalog.layer("crelu").simulate("forward", np.random.default_rng(1), 100, Normal(0.5, 2.0))
    assert y.shape == (100, 2) and np.all(y.min(axis=1) == 0.0) and np.all(y >= 0.0)
    for law in (Normal(0.0, 1.0), Normal(-40.0, 1.0)):
        half, whole = _exactly("crelu", "forward", law), _exactly("abs", "forward", law)
        assert half.mean.value == pytest.approx(whole.mean.value / 2.0, rel=1e-15)
        assert _exactly("crelu", "backward", law).std.value == 1.0


def test_prelu_is_a_leaky_rectifier():
    for direction in ("forward", "backward"):
        a, b = (
            _exactly("prelu(weight=0.2)", direction, Normal(1.0, 2.0)),
            _exactly("lrelu(negative_slope=0.2)", direction, Normal(1.0, 2.0)),
        )
        assert a.std == b.std
