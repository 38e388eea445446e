"""Kernels: closed forms, series and quadrature agree; published duals, fixed points and critical lines come out."""

import json
import math
import pathlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from normcal import catalog, kernel, meanfield
from normcal.errors import RequestError, Unsupported
from normcal.kernel import CLOSED, MEHLER, NESTED
from normcal.law import Normal
from normcal.numerics import isolation
from normcal.numerics.balls import Ball
from normcal.numerics.hermite import hermite

STEADY = settings(derandomize=True, database=None, deadline=None, max_examples=6)
REFERENCE = json.loads((pathlib.Path(__file__).parent / "reference" / "kernel.json").read_text())["cases"]
TAU = 2.0 * math.pi


def agree(one, other):
    """Whether two numbers with bounds can be the same one."""
    return abs(one.value - other.value) <= one.error + other.error


def holds(found, value, slack=0.0):
    """Whether a number lies within the stated bound of a figure."""
    return abs(found.value - value) <= found.error + slack


# -- Hermite polynomials


@pytest.mark.parametrize("z", [0.0, 0.3, -1.7, 4.1, 6.3, 9.0, 20.0, 37.7])
def test_hermite_polynomials_are_within_their_bounds(z):
    from mpmath import mp

    with mp.workdps(60):
        before, now = mp.mpf(1), mp.mpf(z)
        found = hermite(Ball(np.array([z])), 200)
        for k in range(1, 200):
            before, now = now, (mp.mpf(z) * now - mp.sqrt(k) * before) / mp.sqrt(k + 1)
            assert abs(now - float(found.mid[k + 1, 0])) <= float(found.rad[k + 1, 0])
    assert found.rad[200, 0] <= 1e-13 * 1.1 * math.exp(0.25 * z * z) or abs(z) > 6.0


def test_hermite_polynomials_at_a_ball_hold_those_at_every_point_of_it():
    wide = hermite(Ball(np.array([1.3]), np.array([1e-6])), 60)
    for z in (1.3 - 1e-6, 1.3 + 1e-6):
        point = hermite(Ball(np.array([z])), 60)
        assert (np.abs(point.mid - wide.mid) <= wide.rad).all()


# -- the dual activation

#: layers with a closed form, at laws where it holds
CLOSED_FORMS = [
    ("relu", 0.0, 1.0), ("relu(input_scale=-2, output_scale=3, output_shift=0.5)", 0.0, 1.5),
    ("leaky_relu(negative_slope=-0.7)", 0.0, 0.5), ("abs", 0.0, 2.0), ("identity", 0.0, 1.0), ("heaviside", 0.0, 1.0),
    ("sign", 0.0, 3.0), ("relu_squared", 0.0, 1.0), ("star_relu", 0.0, 1.0), ("rectified_monomial(power=3)", 0.0, 1.2),
    ("erf", 0.0, 2.0), ("gelu", 0.0, 1.0), ("gelu", 0.0, 2.5), ("sin", 0.4, 1.5), ("cos", -0.3, 0.7), ("exp", 0.5, 0.6),
    ("gaussian", 0.7, 1.3), ("cube", 0.3, 0.8), ("polynomial(coefficients=(1, -1, 0.5, 0.25))", 0.2, 1.1),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "mean", "std"), CLOSED_FORMS, ids=[f"{s}-{m}-{d}" for s, m, d in CLOSED_FORMS])
def test_closed_form_series_and_quadrature_share_no_formula_and_agree(spec, mean, std):
    its = kernel.of(spec, Normal(mean, std))
    for c, order in ((-0.9, 0), (0.97, 1)):
        closed = its._by(CLOSED, c, order)
        for other in (its._by(MEHLER, c, order), its._by(NESTED, c, order)):
            assert agree(closed, other), (c, closed, other)
        size = max(abs(closed.value), float(its.square.mid))
        assert its._by(NESTED, c, order).error <= 1e-12 * size
        assert closed.error <= 1e-12 * size


CASES = [f"{case['spec']}-{case['mean']}-{case['std']}-{case['c']}" for case in REFERENCE]


@pytest.mark.parametrize("case", REFERENCE, ids=CASES)
def test_duals_and_slopes_are_those_of_the_reference(case):
    its = kernel.of(case["spec"], Normal(float(case["mean"]), float(case["std"])))
    c, size = float(case["c"]), float(its.square.mid)
    for order, name in enumerate(("dual", "slope")):
        found, exact = its._derivative(c, order), float(case[name])
        assert holds(found, exact, 4e-16 * abs(exact)), (name, found, exact)
        assert found.error <= 1e-12 * max(size, abs(exact))


SAMPLED = ["tanh", "elu", "hardtanh", "gelu(input_shift=0.5)", "relu | tanh", 'expr("x * tanh(softplus(x))")']


@pytest.mark.parametrize("spec", SAMPLED)
def test_a_simulation_witnesses_the_dual(spec):
    rng, c, n = np.random.default_rng(7), 0.6, 400_000
    layer, law = catalog.layer(spec), Normal(0.2, 1.3)
    z = rng.standard_normal((2, n))
    pair = np.stack([z[0], c * z[0] + math.sqrt(1.0 - c * c) * z[1]])
    from normcal.numerics.arrays import ARRAYS

    f = layer.components("forward", law)[0].f
    product = np.prod(np.broadcast_to(f(law.mean + law.std * pair, ARRAYS), pair.shape), axis=0)
    found = kernel.of(layer, law).dual(c)
    assert abs(product.mean() - found.value) <= 5.0 * product.std() / math.sqrt(n)


#: Daniely et al. 2016 (arXiv:1602.05897), table of dual activations; Cho & Saul 2009; Williams 1998
PUBLISHED_DUALS = [
    ("identity", lambda c: c),
    ("polynomial(coefficients=(-0.7071067811865476, 0, 0.7071067811865476))", lambda c: c**2),
    ("relu(output_scale=2)", lambda c: (math.sin(math.acos(c)) + (math.pi - math.acos(c)) * c) * 2 / math.pi),
    ("heaviside(output_scale=1.4142135623730951)", lambda c: (math.pi - math.acos(c)) / math.pi),
    ("exp(output_scale=0.36787944117144233)", lambda c: math.exp(c - 1.0)),
    ("sin", lambda c: math.sinh(c) / math.e),
    ("relu_squared", lambda c: (3 * c * math.sqrt(1 - c * c) + (math.pi - math.acos(c)) * (1 + 2 * c * c)) / TAU),
    ("erf", lambda c: 2.0 / math.pi * math.asin(2.0 * c / 3.0)),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "dual"), PUBLISHED_DUALS, ids=[spec for spec, _ in PUBLISHED_DUALS])
def test_published_dual_activations_come_out(spec, dual):
    its = kernel.of(spec)
    for c in (-0.5, 0.0, 0.3, 0.9):
        assert its.dual(c).value == pytest.approx(dual(c), rel=1e-13, abs=1e-15)


@STEADY
@given(
    slope=st.floats(-2.0, 2.0), scale=st.floats(0.2, 3.0), shift=st.floats(-1.0, 1.0), std=st.floats(0.2, 3.0),
    c=st.floats(-0.9999, 0.9999),
)  # fmt: skip
def test_series_and_quadrature_agree_on_any_rectifier_at_any_correlation(slope, scale, shift, std, c):
    layer = catalog.classes()["leaky_relu"](negative_slope=slope, input_scale=scale, input_shift=shift)
    its = kernel.of(layer, Normal(0.0, std))
    for order in (0, 1):
        assert agree(its._by(MEHLER, c, order), its._by(NESTED, c, order))


def test_near_correlation_1_quadrature_goes_on_where_the_series_does_not():
    its = kernel.of("elu", Normal(0.3, 1.0))
    one, slope = its.dual(1.0), its.slope_at(1.0)
    for gap in (1e-3, 1e-6, 1e-9):
        found = its.dual(1.0 - gap)
        assert found.error < 1e-13
        assert (one.value - found.value) / gap == pytest.approx(slope.value, rel=2.0 * gap**0.5 + 1e-13 / gap)


# -- coefficients and derivatives


def test_coefficients_are_normalised_and_their_squares_add_up():
    its = kernel.of("gelu")
    found = its.coefficients(64)
    assert sum(a.value**2 for a in found) == pytest.approx(its.dual(1.0).value, rel=1e-9)
    assert [a.error < 1e-12 for a in found] == [True] * 65
    relu = kernel.of("relu").coefficients(4)
    exact = [1 / math.sqrt(TAU), 0.5, 1 / math.sqrt(2 * TAU), 0.0, -1 / math.sqrt(24 * TAU)]
    assert all(holds(a, x, 1e-16) for a, x in zip(relu, exact, strict=True))


#: spec, derivatives at 0, derivatives at 1: numbers, or why there is none
DERIVATIVES = [
    ("relu", (0.25, 1 / TAU), (0.5, "infinite")),
    ("heaviside", (1 / TAU, 0.0), ("infinite", "infinite")),
    ("relu_squared", (2 / math.pi, 1.0), (2.0, 2.0)),
    ("exp", (math.e, math.e), (math.exp(2.0), math.exp(2.0))),
    ("sin", (1 / math.e, 0.0), (math.exp(-1) * math.cosh(1), math.exp(-1) * math.sinh(1))),
    ("cube", (9.0, 0.0), (27.0, 36.0)),
    ("identity", (1.0, 0.0), (1.0, 0.0)),
    ("hardtanh", (math.erf(math.sqrt(0.5)) ** 2, 0.0), (math.erf(math.sqrt(0.5)), "infinite")),
    ("quantiser(bits=2)", (None, 0.0), ("infinite", "infinite")),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "at_0", "at_1"), DERIVATIVES, ids=[spec for spec, *_ in DERIVATIVES])
def test_derivatives_at_0_and_1_are_numbers_where_they_exist_and_said_to_be_infinite_where_not(spec, at_0, at_1):
    its = kernel.of(spec)
    for at, expected in ((0.0, at_0), (1.0, at_1)):
        for order, value in enumerate(expected, 1):
            found = its.slope_at(at, order)
            if isinstance(value, str):
                assert (found.status, found.value, found.error) == (value, None, None) and found.reason
            elif value is not None:
                assert holds(found, value, 1e-15 * abs(value)), (at, order, found, value)


def test_slopes_are_differences_of_the_dual():
    for spec in ("silu", "elu"):
        its, step = kernel.of(spec), 1e-4
        for c in (-0.6, 0.8):
            there, here = its.dual(c + step), its.dual(c - step)
            assert (there.value - here.value) / (2 * step) == pytest.approx(its.slope_at(c).value, rel=1e-6)


def test_the_correlation_map_is_normalised():
    its = kernel.of("silu", Normal(0.5, 2.0))
    assert its.correlation_map(1.0).value == 1.0
    assert its.map_slope(1.0).value == pytest.approx(its.slope_at(1.0).value / its.dual(1.0).value, rel=1e-14)


# -- the q-map and its fixed points


def test_the_q_map_of_a_rectifier_is_a_line():
    its = kernel.of("relu")
    for q in (1e-3, 1.0, 50.0):
        assert holds(its.q_map(q, 1.7, 0.3), 1.7**2 * q / 2 + 0.09, 1e-15 * q)
        assert holds(its.q_slope(q, 1.7), 1.7**2 / 2, 1e-15)
        assert holds(its.chi(1.7, q), 1.7**2 / 2, 1e-15)


def test_slope_of_the_q_map_is_its_difference_even_where_the_function_jumps():
    for spec in ("tanh", "quantiser(bits=2)", "threshold(threshold=0.5)"):
        its, q, step = kernel.of(spec), 1.3, 1e-5
        difference = (its.q_map(q + step).value - its.q_map(q - step).value) / (2 * step)
        assert its.q_slope(q).value == pytest.approx(difference, rel=1e-6)


def test_every_fixed_point_of_the_exponential_is_found():
    w, b = 0.3, 0.2  # q = w^2 e^(2q) + b^2 has two roots
    found = meanfield.Network(catalog.layer("exp"), 0.0, w, b).fixed_points(1e-3, 10.0)
    roots = [
        brentq(lambda q: w * w * math.exp(2 * q) + b * b - q, *ends, xtol=1e-15) for ends in ((0.0, 0.5), (0.5, 5.0))
    ]
    assert [point.q.value for point in found.points] == pytest.approx(roots, rel=1e-12)
    assert [point.stable for point in found.points] == [True, False]
    assert not found.open
    for point, exact in zip(found.points, roots, strict=True):
        assert holds(point.q, exact, 1e-15)
        assert holds(point.slope, 2 * w * w * math.exp(2 * exact), 1e-13)


@STEADY
@given(
    coefficients=st.lists(st.integers(-4, 4).map(lambda k: k / 4.0), min_size=2, max_size=4),
    w=st.floats(0.2, 2.0),
    b=st.sampled_from([0.05, 0.3, 1.0]),
)
def test_fixed_points_of_polynomials_are_the_roots_of_theirs(coefficients, w, b):
    layer = catalog.classes()["polynomial"](coefficients=tuple(coefficients))
    found = meanfield.Network(layer, 0.0, w, b).fixed_points(1e-3, 1e3, correlations=False)
    square = np.polynomial.polynomial.polymul(coefficients, coefficients)
    moments = [math.prod(range(1, k, 2)) for k in range(0, len(square), 2)]  # E x^k = (k - 1)!! q^(k/2)
    equation = w * w * square[::2] * moments
    equation = np.append(equation, [0.0] * (2 - len(equation)))
    equation[0] += b * b
    equation[1] -= 1.0
    roots = np.polynomial.polynomial.polyroots(np.trim_zeros(equation, "b")) if equation.any() else np.array([])
    real = sorted(float(r.real) for r in roots if abs(r.imag) < 1e-9 * abs(r) and 1e-3 < r.real < 1e3)
    inside = [q for q in real if not any(a <= q <= z for a, z in found.open)]
    assert [point.q.value for point in found.points] == pytest.approx(inside, rel=1e-6)


def test_no_fixed_point_is_said_to_be_none():
    found = meanfield.Network(catalog.layer("relu"), 0.0, 2.0, 0.3).fixed_points()
    assert found.points == () and found.open == () and not found.everywhere


def test_he_initialisation_leaves_every_variance_where_it_is():
    found = meanfield.Network(catalog.layer("relu"), 0.0, math.sqrt(2.0), 0.0).fixed_points()
    assert found.everywhere
    (point,) = found.points
    assert point.q.value == 0.0 and point.stable is None


def test_bias_free_tanh_bifurcates_at_sigma_w_1():
    below, above = (meanfield.Network(catalog.layer("tanh"), 0.0, w).fixed_points() for w in (0.9, 1.5))
    assert [(p.q.value, p.stable) for p in below.points] == [(0.0, True)]
    assert [p.stable for p in above.points] == [False, True]
    assert below.open == above.open == ()


def test_correlations_go_where_they_are_said_to_and_as_fast():
    network = meanfield.Network(catalog.layer("tanh"), 0.0, 1.5, 0.3)  # chaotic: Poole et al. 2016
    (point,) = network.fixed_points().points
    inner, one = point.correlations
    assert (inner.stable, one.stable, one.c.value) == (True, False, 1.0)
    assert point.chi.value > 1.0
    its = kernel.Kernel(network.layer, 0.0, math.sqrt(point.q.value))
    for start in (0.01, -0.01):
        c = inner.c.value + start
        for _ in range(20):
            c = (1.5**2 * its._by(MEHLER, c, 0).value + 0.09) / point.q.value
        assert (c - inner.c.value) / start == pytest.approx(math.exp(-20 / inner.depth.value), rel=5e-2)


def test_in_the_ordered_phase_all_correlations_grow_to_1():
    network = meanfield.Network(catalog.layer("tanh"), 0.0, 1.0, 0.5)
    (point,) = network.fixed_points().points
    (only,) = point.correlations
    assert (only.c.value, only.stable) == (1.0, True)
    assert only.slope == point.chi
    its = kernel.Kernel(network.layer, 0.0, math.sqrt(point.q.value))
    for c in (0.0, 0.4, 0.9, 0.99):
        assert its.dual(c).value + 0.25 > c * point.q.value


def test_a_step_forgets_nothing_but_its_correlations():
    (point,) = meanfield.Network(catalog.layer("sign"), 0.0, 1.0, 1.0).fixed_points().points
    assert holds(point.q, 2.0, 1e-15) and point.chi.status == "infinite"
    inner, one = point.correlations
    assert one.stable is False and inner.stable is True
    exact = brentq(lambda c: (2 / math.pi * math.asin(c) + 1.0) / 2.0 - c, 0.0, 0.99)
    assert holds(inner.c, exact, 1e-12)


def test_the_error_of_a_fixed_point_reaches_what_is_computed_there():
    from normcal.kernel import Kernel

    layer = catalog.layer("tanh")
    wide = Kernel(layer, 0.0, Ball(1.0, 1e-6)).dual(0.4)
    for std in (1.0 - 1e-6, 1.0 + 1e-6):
        assert holds(wide, Kernel(layer, 0.0, std).dual(0.4).value, 1e-15)
    assert wide.error < 1e-5


# -- the critical line

#: spec, sigma_b^2, sigma_w^2, decimals printed
CRITICAL = [
    ("relu", 0.0, 2.0, 12),  # He et al. 2015; Hayou et al. 2019
    ("leaky_relu(negative_slope=0.25)", 0.0, 2.0 / 1.0625, 12),  # Hayou et al. 2019
    ("tanh", 0.0, 1.0, 12),  # Poole et al. 2016
    ("erf(input_scale=0.8862269254527579)", 0.0, 1.0, 12),
    ("tanh", 0.05, 1.76, 2),  # Schoenholz et al. 2017
    ("tanh", 2.01e-5, 1.05, 2),  # Xiao et al. 2018, arXiv:1806.05393
    ("silu", 0.0, 4.0, 12),
]


@pytest.mark.parametrize(("spec", "bias", "weight", "places"), CRITICAL, ids=[f"{c[0]}-{c[1]}" for c in CRITICAL])
def test_published_critical_points_come_out(spec, bias, weight, places):
    found = meanfield.critical(catalog.layer(spec), 0.0, math.sqrt(bias), 1e-3, 1e2)
    (point,) = found
    assert round(point.sigma_w.value**2, places) == round(weight, places)


def test_on_the_critical_line_chi_is_1_at_the_fixed_point():
    for spec, sigma_b in (("tanh", 0.2), ("elu", 0.2)):
        (point,) = meanfield.critical(catalog.layer(spec), 0.0, sigma_b, 1e-2, 1e2)
        network = meanfield.Network(catalog.layer(spec), 0.0, point.sigma_w.value, sigma_b)
        assert network.chi(point.q.value).value == pytest.approx(1.0, abs=1e-11)
        assert network.q_map(point.q.value).value == pytest.approx(point.q.value, rel=1e-11)
        same = meanfield.critical_at(catalog.layer(spec), point.q.value)
        assert same.sigma_b.value == pytest.approx(sigma_b, abs=1e-10)


def test_a_function_that_jumps_has_no_critical_line():
    found = meanfield.critical(catalog.layer("sign"))
    assert len(found) == 0 and "jumps" in found.notes[0]


def test_deep_kernel_shaping_finds_its_four_conditions():
    """Martens et al. 2021 (arXiv:2110.01765): Q(1) = 1, Q'(1) = 1, C(0) = 0 and C'(1) as wanted."""
    its = kernel.of("relu(output_scale=1.4142135623730951)")
    assert holds(its.q_map(1.0), 1.0, 1e-15) and holds(its.q_slope(1.0), 1.0, 1e-15)
    assert holds(its.correlation_map(0.0), 1 / math.pi, 1e-15) and holds(its.map_slope(1.0), 1.0, 1e-15)


# -- what is bounded


def test_where_nearly_everything_stays_open_the_search_ends_early_and_says_so(monkeypatch):
    asked = []
    around = meanfield.Squares.around
    monkeypatch.setattr(meanfield.Squares, "around", lambda self, qs: asked.extend(qs) or around(self, qs))
    monkeypatch.setattr(isolation, "GRID", 8)
    monkeypatch.setattr(isolation, "MOST_OPEN", 20)
    found = meanfield.critical(catalog.layer("tanh(input_scale=1e200)"))
    assert not found.points and found.open and found.open[0][1] > 1.0
    assert len(asked) < 80 < isolation.MOST_POINTS


def test_what_was_computed_is_kept(monkeypatch):
    its = kernel.of('expr("sqrt(abs(x))")')
    first = its.dual(0.9)
    monkeypatch.setattr(kernel.Kernel, "_computed", None)
    assert its.dual(0.9) is first


# -- what is refused


@pytest.mark.parametrize(
    ("spec", "law", "told"),
    [
        ("max_pool", Normal(), "one function"), ("crelu", Normal(), "side by side"), ("rrelu", Normal(), "random"),
        ("dropout", Normal(), "one function"), ("relu | dropout", Normal(), "dropout"),
        ("relu", Normal(0.0, 0.0), "std cannot be 0"), ("exp", Normal(0.0, 20.0), "std 20"),
        ("tanh", Normal(0.0, 1e300), "std cannot be 1e+300"), ("tanh", Normal(0.0, 1e-300), "std cannot be 1e-300"),
    ],
)  # fmt: skip
def test_what_has_no_kernel_is_refused_with_the_reason(spec, law, told):
    with pytest.raises(RequestError) as caught:
        kernel.of(spec, law).coefficients()
    assert told in caught.value.message and caught.value.hint


@pytest.mark.parametrize("c", [1.0000001, -2.0, math.nan, math.inf, "0.5", True])
def test_a_correlation_outside_the_interval_is_refused(c):
    with pytest.raises(RequestError, match="a correlation cannot be"):
        kernel.of("relu").dual(c)


@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf, "1"])
def test_negative_stds_and_variances_are_refused(value):
    for call in (lambda: kernel.of("relu").q_map(value), lambda: kernel.of("relu").q_map(1.0, sigma_w=value)):
        with pytest.raises(RequestError, match="cannot be"):
            call()


def test_a_layer_without_a_closed_form_says_so():
    with pytest.raises(Unsupported, match="no closed form"):
        kernel.of("tanh").dual(0.5, CLOSED)
    with pytest.raises(Unsupported, match="mean 0"):
        kernel.of("relu", Normal(1.0, 1.0)).dual(0.5, CLOSED)
