"""GELU, its tanh form and SiLU: closed forms, identities and limits."""

import math

import pytest
from mpmath import mp, mpf

from normcal import catalog, engine
from normcal.engine import Effort
from normcal.errors import Unsupported
from normcal.law import STANDARD, Normal
from normcal.result import OK, TOLERANCE_MISSED


def compute(spec, direction, law=STANDARD, name="quadrature"):
    return engine.get(name).estimate(catalog.layer(spec), direction, law, Effort())


def assert_value(value, exact, tight=1e-13):
    assert abs(mpf(value.value) - mpf(exact)) <= mpf(value.error) <= mpf(tight) * max(abs(mpf(exact)), 1)


LAWS = [STANDARD, Normal(0.5, 2.0), Normal(-1.0, 0.3), Normal(3.0, 0.7), Normal(0.0, 100.0)]


@pytest.mark.parametrize("name", ["closed-form", "quadrature"])
def test_gelu_at_the_standard_input(name):
    """E x Phi(x) = 1/(2 sqrt(pi)) by Stein's lemma; E x^2 Phi(x)^2 = 1/3 + 1/(2 pi sqrt(3)) likewise."""
    forward, backward = compute("gelu", "forward", name=name), compute("gelu", "backward", name=name)
    mean, second = 1 / (2 * mp.sqrt(mp.pi)), mpf(1) / 3 + 1 / (2 * mp.pi * mp.sqrt(3))
    assert_value(forward.mean, mean)
    assert_value(forward.rms, mp.sqrt(second))
    assert_value(forward.std, mp.sqrt(second - mean**2))
    # E (Phi + x phi)^2 = 1/3 + 2 E x Phi phi + E x^2 phi^2 = 1/3 + 2/(4 pi sqrt(3)) + 1/(6 pi sqrt(3))
    assert_value(backward.std, mp.sqrt(mpf(1) / 3 + 2 / (3 * mp.pi * mp.sqrt(3))))


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_gelu_has_the_mean_of_steins_lemma(law):
    """E x Phi(x) = m Phi(m/r) + s^2/r phi(m/r), r^2 = 1 + s^2."""
    with mp.workdps(30):
        m, s = mpf(law.mean), mpf(law.std)
        r = mp.sqrt(1 + s * s)
        exact = m * mp.erfc(-m / r / mp.sqrt(2)) / 2 + s * s / r * mp.npdf(m / r)
        for name in ("closed-form", "quadrature"):
            value = compute("gelu", "forward", law, name).mean
            assert abs(mpf(value.value) - exact) <= mpf(value.error)


@pytest.mark.parametrize("law", [*LAWS, Normal(-4.0, 1.0), Normal(6.0, 2.0), Normal(0.0, 1e-3)], ids=str)
def test_the_formula_of_gelu_agrees_with_its_integral(law):
    for direction in ("forward", "backward"):
        a, b = (compute("gelu", direction, law, name) for name in ("closed-form", "quadrature"))
        for quantity in ("mean", "std", "rms"):
            x, y = getattr(a, quantity), getattr(b, quantity)
            assert abs(x.value - y.value) <= x.error + y.error, quantity


def test_the_formula_of_gelu_says_where_its_terms_cancel():
    assert compute("gelu", "forward", Normal(-12.0, 1.0), "closed-form").status == TOLERANCE_MISSED
    assert compute("gelu", "forward", Normal(12.0, 1.0), "closed-form").status == OK


@pytest.mark.parametrize("spec", ["gelu", "gelu_tanh", "silu"])
@pytest.mark.parametrize("law", [Normal(0.4, 1.0), Normal(2.0, 3.0), Normal(7.0, 0.5)], ids=str)
def test_a_gate_and_its_mirror_image_add_up_to_the_input(spec, law):
    """x g(x) with g(x) + g(-x) = 1: f(x) = x + f(-x), so E f(x) - E f(-x) = E x."""
    right, left = compute(spec, "forward", law), compute(spec, "forward", Normal(-law.mean, law.std))
    assert abs(right.mean.value - left.mean.value - law.mean) <= right.mean.error + left.mean.error + 1e-15 * law.mean


@pytest.mark.parametrize("spec", ["gelu", "gelu_tanh", "silu"])
def test_a_narrow_input_sees_half_the_identity_and_a_wide_one_relu(spec):
    narrow, wide = Normal(0.0, 1e-8), Normal(0.0, 1e8)
    assert compute(spec, "forward", narrow).std.value == pytest.approx(0.5e-8, rel=1e-13)
    assert compute(spec, "backward", narrow).std.value == pytest.approx(0.5, rel=1e-13)
    for direction in ("forward", "backward"):
        relu = compute("relu", direction, wide)
        assert compute(spec, direction, wide).std.value == pytest.approx(relu.std.value, rel=1e-6)


def test_silu_at_the_standard_input():
    with mp.workdps(25):

        def expectation(f):
            return mp.quad(lambda z: f(z) * mp.npdf(z), [-14, -7, -3, 0, 3, 7, 14])

        mean = expectation(lambda z: z / (1 + mp.exp(-z)))
        second = expectation(lambda z: (z / (1 + mp.exp(-z))) ** 2)
        slope = expectation(lambda z: mp.diff(lambda x: x / (1 + mp.exp(-x)), z) ** 2)
    forward, backward = compute("silu", "forward"), compute("silu", "backward")
    assert_value(forward.mean, mean)
    assert_value(forward.std, mp.sqrt(second - mean**2))
    assert_value(backward.std, mp.sqrt(slope))
    assert round(forward.gain.value, 3) == 1.787  # 1.7881 in the code of NFNets, from one random draw
    assert round(forward.mean.value, 4) == 0.2066


def test_the_tanh_form_of_gelu_is_near_the_erf_form_and_not_the_same():
    for direction in ("forward", "backward"):
        a, b = compute("gelu", direction).std, compute("gelu_tanh", direction).std
        assert 1e-6 < abs(a.value - b.value) < 1e-3


def test_the_tanh_form_of_gelu_is_the_published_formula():
    """0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))), Hendrycks & Gimpel 2016."""
    from normcal.numerics.arrays import ARRAYS

    for x in (-3.0, -0.4, 0.0, 0.9, 5.0):
        published = 0.5 * x * (1.0 + math.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x**3)))
        assert float(catalog.layer("gelu_tanh").f(x, ARRAYS)) == pytest.approx(published, rel=1e-12)


@pytest.mark.parametrize("spec", ["gelu_tanh", "silu"])
def test_a_layer_without_a_formula_says_so(spec):
    with pytest.raises(Unsupported, match=spec):
        compute(spec, "forward", name="closed-form")


def test_aliases_tell_the_erf_form_from_the_tanh_form():
    assert [catalog.layer(name).name for name in ("gelu_erf", "gelu_new", "gelu_approximate")] == [
        "gelu", "gelu_tanh", "gelu_tanh",
    ]  # fmt: skip


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_a_bare_swish_is_silu_and_a_sharp_one_scales_it(direction):
    assert catalog.layer("swish").name == "silu" and catalog.layer("swish(beta=1)").name == "swish"
    law = Normal(0.4, 1.5)
    sharp, plain = compute("swish(beta=2)", direction, law), compute("silu", direction, Normal(0.8, 3.0))
    factor = 0.5 if direction == "forward" else 1.0
    assert sharp.std.value == pytest.approx(factor * plain.std.value, rel=1e-13)


#: Gains of the table that frameworks copy: right to three digits.
PUBLISHED = {
    "celu": 1.270926833152771,
    "log_sigmoid": 1.9193484783172607,
    "relu6": 1.7131484746932983,
    "selu": 1.0008515119552612,
}


@pytest.mark.parametrize("spec", PUBLISHED)
def test_published_gains_are_right_to_three_digits(spec):
    assert compute(spec, "forward").gain.value == pytest.approx(PUBLISHED[spec], rel=1.5e-3)


@pytest.mark.parametrize(
    ("spec", "definition"),
    [
        ("mish", lambda x: x * math.tanh(math.log1p(math.exp(x)))),
        ("serf", lambda x: x * math.erf(math.log1p(math.exp(x)))),
        ("tanh_exp", lambda x: x * math.tanh(math.exp(x))),
        ("phish", lambda x: x * math.tanh(x * 0.5 * math.erfc(-x / math.sqrt(2.0)))),
        ("logish", lambda x: x * math.log1p(1.0 / (1.0 + math.exp(-x)))),
        ("lisht", lambda x: x * math.tanh(x)),
        ("quick_gelu", lambda x: x / (1.0 + math.exp(-1.702 * x))),
        ("hardswish", lambda x: x * min(max(0.0, x + 3.0), 6.0) / 6.0),
        ("hard_mish", lambda x: x * min(max(0.0, x + 2.0), 2.0) / 2.0),
        ("elish", lambda x: (x if x > 0.0 else math.expm1(x)) / (1.0 + math.exp(-x))),
        ("hardelish", lambda x: (x if x > 0.0 else math.expm1(x)) * min(max(0.0, (x + 1.0) / 2.0), 1.0)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_gated_unit_is_its_published_formula(spec, definition):
    from normcal.numerics.arrays import ARRAYS

    for x in (-4.5, -2.2, -0.7, -1e-3, 0.4, 1.9, 5.5):
        assert float(catalog.layer(spec).f(x, ARRAYS)) == pytest.approx(definition(x), rel=1e-13, abs=1e-18)


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("hard_swish", "hardswish"),
        ("hard_silu", "hardswish"),
        ("gelu_pytorch_tanh", "gelu_tanh"),
        ("QuickGELU", "quick_gelu"),
        ("TanhExp", "tanh_exp"),
    ],
)
def test_names_of_other_libraries_are_found(alias, name):
    assert catalog.find(alias).name == name
