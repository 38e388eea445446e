"""Softplus, ELU and SELU: the SELU fixed point, log-normal closed forms, limits in the sharpness."""

import math

import pytest
from mpmath import mp, mpf

from normcal import catalog, engine
from normcal.engine import Effort
from normcal.errors import RequestError
from normcal.law import STANDARD, Normal
from normcal.result import OK


def compute(spec, direction, law=STANDARD):
    return engine.get("quadrature").estimate(catalog.layer(spec), direction, law, Effort())


def assert_value(value, exact, tight=1e-13):
    assert abs(mpf(value.value) - mpf(exact)) <= mpf(value.error) <= mpf(tight) * max(abs(mpf(exact)), 1)


def elu_moments(mean, std, alpha):
    """Mean, std and backward std of ELU from the normal law cut at 0 and the log-normal law cut at 1."""
    with mp.workdps(80):
        m, s, a = mpf(mean), mpf(std), mpf(alpha)

        def below(x):
            return mp.erfc(-x / mp.sqrt(2)) / 2

        def exponential(k):  # E[exp(k x); x < 0]
            return mp.exp(k * m + k * k * s * s / 2) * below(-(m + k * s * s) / s)

        t = m / s
        first = m * below(t) + s * mp.npdf(t) + a * (exponential(1) - below(-t))
        second = (m * m + s * s) * below(t) + m * s * mp.npdf(t)
        second += a * a * (exponential(2) - 2 * exponential(1) + below(-t))
        return first, mp.sqrt(second - first**2), mp.sqrt(below(t) + a * a * exponential(2))


LAWS = [STANDARD, Normal(0.5, 2.0), Normal(-1.0, 0.3), Normal(-12.0, 1.0), Normal(3.0, 0.7), Normal(0.0, 1e-3)]


@pytest.mark.parametrize("law", LAWS, ids=str)
@pytest.mark.parametrize("alpha", [1.0, 0.5, 0.0, -1.0, 20.0])
def test_elu_follows_the_cut_log_normal_law(alpha, law):
    first, spread, slope = elu_moments(law.mean, law.std, alpha)
    forward, backward = compute(f"elu(alpha={alpha})", "forward", law), compute(f"elu(alpha={alpha})", "backward", law)
    for value, exact in ((forward.mean, first), (forward.std, spread), (backward.std, slope)):
        assert abs(mpf(value.value) - exact) <= mpf(value.error)


def test_selu_at_the_standard_input_is_its_own_fixed_point():
    """Klambauer et al. 2017: alpha and lambda are chosen so that N(0, 1) keeps mean 0 and std 1."""
    forward = compute("selu", "forward")
    assert abs(forward.mean.value) <= forward.mean.error + 1e-16 < 1e-13
    assert_value(forward.std, 1)
    assert_value(forward.rms_gain, 1)


def test_selu_is_a_scaled_elu():
    layer = catalog.layer("selu")
    for law in LAWS:
        first, spread, slope = elu_moments(law.mean, law.std, layer.alpha)
        scale = mpf(layer.scale)
        forward, backward = compute("selu", "forward", law), compute("selu", "backward", law)
        for value, exact in ((forward.mean, first), (forward.std, spread), (backward.std, slope)):
            assert value.value == pytest.approx(float(scale * exact), rel=1e-13, abs=1e-15)


def test_the_constants_of_selu_are_those_of_its_appendix():
    """Equation 14 of Klambauer et al. 2017, evaluated afresh."""
    with mp.workdps(40):
        root, e = mp.sqrt(2), mp.e
        alpha = -mp.sqrt(2 / mp.pi) / (mp.erfc(1 / root) * mp.exp(mpf(1) / 2) - 1)
        inner = 1 - mp.erfc(1 / root) * mp.sqrt(e)
        scale = inner * mp.sqrt(2 * mp.pi) / mp.sqrt(
            2 * mp.erfc(root) * e**2 + mp.pi * mp.erfc(1 / root) ** 2 * e
            - 2 * (2 + mp.pi) * mp.erfc(1 / root) * mp.sqrt(e) + mp.pi + 2
        )  # fmt: skip
        layer = catalog.layer("selu")
        assert abs(alpha - mpf("1.6732632423543772848170429916717")) < mpf("1e-30")
        assert abs(scale - mpf("1.0507009873554804934193349852946")) < mpf("1e-30")
    assert (layer.alpha, layer.scale) == (float(alpha), float(scale))


def test_elu_with_alpha_zero_is_relu():
    for law in LAWS:
        for direction in ("forward", "backward"):
            a, b = compute("elu(alpha=0)", direction, law), compute("relu", direction, law)
            for quantity in ("mean", "std"):
                x, y = getattr(a, quantity), getattr(b, quantity)
                assert abs(x.value - y.value) <= x.error + y.error


@pytest.mark.parametrize("mean", [-0.7, 0.0, 1.5])
@pytest.mark.parametrize("beta", [1e3, 1e6])
def test_a_sharp_softplus_is_relu(beta, mean):
    """The difference is at most log(2)/beta, and its integral pi^2/(6 beta^2) times the density at 0."""
    law = Normal(mean, 1.0)
    soft, hard = compute(f"softplus(beta={beta})", "forward", law), compute("relu", "forward", law)
    excess = math.pi**2 / 6.0 / beta**2 * math.exp(-mean * mean / 2.0) / math.sqrt(2.0 * math.pi)
    assert soft.mean.value - hard.mean.value == pytest.approx(excess, rel=1e-4, abs=soft.mean.error + hard.mean.error)
    assert soft.std.value == pytest.approx(hard.std.value, abs=1.0 / beta)


def test_a_blunt_softplus_is_half_the_identity():
    """softplus(x; b) = log(2)/b + x/2 + b x^2/8 + O(b^3)."""
    beta = 1e-5
    found = compute(f"softplus(beta={beta})", "forward", Normal(0.3, 2.0))
    assert found.mean.value == pytest.approx(math.log(2.0) / beta + 0.15 + beta * 4.09 / 8.0, rel=1e-13)
    assert found.std.value == pytest.approx(1.0, rel=1e-5)


@pytest.mark.parametrize("beta", [0.5, 2.0, 10.0])
def test_sharpness_scales_the_input(beta):
    """softplus(x; b) = softplus(b x; 1)/b."""
    law = Normal(-0.4, 1.5)
    for direction, factor in (("forward", 1.0 / beta), ("backward", 1.0)):
        sharp = compute(f"softplus(beta={beta})", direction, law)
        plain = compute("softplus", direction, Normal(beta * law.mean, beta * law.std))
        assert sharp.std.value == pytest.approx(factor * plain.std.value, rel=1e-12)


def test_the_slope_of_softplus_is_the_sigmoid():
    for law in LAWS:
        assert compute("softplus", "backward", law).rms.value == pytest.approx(
            compute("sigmoid", "forward", law).rms.value, rel=1e-13
        )


@pytest.mark.parametrize("mean", [-30.0, -100.0])
def test_far_in_the_left_tail_softplus_is_log_normal(mean):
    found = compute("softplus", "forward", Normal(mean, 1.0))
    with mp.workdps(30):
        first = mp.exp(mpf(mean) + mpf(1) / 2)
        spread = first * mp.sqrt(mp.e - 1)
        near = 20 * mp.exp(mpf(mean))
        assert abs(mpf(found.std.value) / spread - 1) <= mpf(found.std.error) / spread + near
        assert abs(mpf(found.mean.value) / first - 1) <= mpf(found.mean.error) / first + near
    assert found.status == OK


@pytest.mark.parametrize(
    "spec", ["softplus(beta=0)", "softplus(beta=-1)", "softplus(beta=nan)", "elu(alpha=inf)", "selu(alpha=1)"]
)
def test_parameters_out_of_range_are_refused(spec):
    with pytest.raises(RequestError):
        catalog.layer(spec)


def test_the_exponential_is_log_normal():
    """Wherever the figures fit a double; at N(1, 1) mean e^1.5, std e^1.5 sqrt(e - 1), slope e^2."""
    forward, backward = (
        engine.get("closed-form").estimate(catalog.layer("exp"), d, Normal(1.0, 1.0), Effort())
        for d in ("forward", "backward")
    )
    assert forward.mean.value == pytest.approx(math.exp(1.5), rel=1e-15)
    assert forward.std.value == pytest.approx(math.exp(1.5) * math.sqrt(math.e - 1.0), rel=1e-15)
    assert backward.std.value == pytest.approx(math.exp(2.0), rel=1e-15)


@pytest.mark.parametrize(
    "law", [Normal(0.0, 1.0), Normal(0.5, 2.0), Normal(3.0, 1e-6), Normal(20.0, 1.0), Normal(0.0, 1e6)], ids=str
)
def test_the_formula_of_the_bump_agrees_with_its_integral(law):
    for direction in ("forward", "backward"):
        a, b = (
            engine.get(n).estimate(catalog.layer("gaussian"), direction, law, Effort())
            for n in ("closed-form", "quadrature")
        )
        for quantity in ("mean", "std"):
            x, y = getattr(a, quantity), getattr(b, quantity)
            assert abs(x.value - y.value) <= x.error + y.error, f"{direction} {quantity}"
        assert a.std.error <= 1e-12 * a.std.value


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("celu(alpha=1)", "elu(alpha=1)"),
        ("sparse_plus", "smelu(beta=1)"),
        ("smooth_leaky_relu(negative_slope=0)", "softplus"),
        ("smooth_leaky_relu(negative_slope=1)", "identity"),
    ],
)
def test_two_names_of_one_function_agree(one, other):
    for direction in ("forward", "backward"):
        a, b = compute(one, direction, Normal(0.3, 1.2)), compute(other, direction, Normal(0.3, 1.2))
        assert a.std.value == pytest.approx(b.std.value, rel=1e-13)


def test_shifted_softplus_has_the_spread_of_softplus_and_keeps_its_mean_at_a_narrow_input():
    shifted, plain = (
        compute("shifted_softplus", "forward", Normal(0.5, 2.0)),
        compute("softplus", "forward", Normal(0.5, 2.0)),
    )
    assert shifted.std.value == pytest.approx(plain.std.value, rel=1e-14)
    assert shifted.mean.value == pytest.approx(plain.mean.value - math.log(2.0), rel=1e-13)
    narrow = compute("shifted_softplus", "forward", Normal(0.0, 1e-6))
    assert narrow.mean.value == pytest.approx(1e-12 / 8.0, rel=1e-9)


def test_the_left_tail_of_squareplus_does_not_cancel():
    """f = b/(4|x|) (1 + O(1/x^2)) far below 0."""
    found = compute("squareplus", "forward", Normal(-1e6, 1.0))
    assert found.mean.value == pytest.approx(1e-6, rel=1e-9) and found.mean.error <= 1e-13 * found.mean.value
