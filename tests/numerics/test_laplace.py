"""Laplace transforms of log-normal laws: true to their bounds, at every steepness and every point."""

import math

import mpmath
import numpy as np
import pytest
from mpmath import mp, mpf

from normcal.engines._integrate import PanelIntegrals
from normcal.law import Normal
from normcal.layers._power_sums import log_mean_exp, power_mean
from normcal.numerics.balls import Ball
from normcal.numerics.laplace import KEPT, LogNormal, SteepLogNormal, falling_sums, log_normal, power

PLACES = (-6.0, -1.5, 1.0)


def law_of(s):
    return log_normal(s)


@pytest.fixture(autouse=True)
def _precision():
    with mp.workdps(22), np.errstate(all="ignore"):
        yield


def lattice(s, low=-11, high=16):
    """Nodes z, weights of the trapezoidal rule at 22 digits."""
    step = 2 * mp.pi * min(mpf("1.3") / s, 5) / 66
    return [(k * step, mp.npdf(k * step) * step) for k in range(int(low / step), int(high / step))]


def expected(s, u, scale):
    """t^k M_k, log M_0, t^2 (M_2 M_0 - M_1^2) and E h/t^2 at t = e^(scale u), by plain sums."""
    t = mp.exp(mpf(scale) * u)
    terms = [(w, t * mp.exp(s * z - s * s / 2)) for z, w in lattice(s)]
    m = [mp.fsum(w * x**k * mp.exp(-x) for w, x in terms) for k in range(3)]
    missing = -mp.fsum(w * mp.expm1(-x) for w, x in terms)
    bent = mp.fsum(w * (mp.expm1(t - x) + x - t) for w, x in terms) / t**2
    return [*m, mp.log1p(-missing), m[2] * m[0] - m[1] ** 2, bent]


def check(found, truth, relative, what):
    mid, rad = float(np.ravel(found.mid)[0]), float(np.ravel(found.rad)[0])
    error = abs(mpf(mid) - truth)
    assert error <= rad, f"{what}: {mid} is off by {mp.nstr(error, 3)}, bound {rad:.3g}"
    assert rad <= relative * abs(truth), f"{what}: the bound {rad:.3g} is wide at {mid}"


@pytest.mark.parametrize("u", PLACES)
@pytest.mark.parametrize("s", [1e-3, 1.0, 4.0])
def test_transforms_of_gentle_laws_keep_their_digits_and_their_bounds(s, u):
    law = law_of(s)
    assert isinstance(law, LogNormal)
    at = law.at(Ball(np.array([u])))
    truth = expected(mpf(s), u, law.c)
    found = [*(at.moment(k) for k in range(3)), at.log]
    for what, ball, number in zip(("M0", "M1", "M2", "log M0"), found, truth, strict=False):
        check(ball, number, 3e-13, what)
    check(at.spread, truth[4], 1e-11, "spread")
    if math.exp(law.c * u) <= law.bent:
        check(at.curvature, truth[5], 1e-12, "curvature")


@pytest.mark.parametrize("u", PLACES)
@pytest.mark.parametrize("s", [1.5, 3.0])
def test_both_kinds_of_nodes_give_the_same_transforms(s, u):
    steep, gentle = SteepLogNormal(s), LogNormal(s)
    one = steep.at(Ball(np.array([u])))
    two = gentle.at(Ball(np.array([u + 0.5 * s])))  # whose v is smaller by e^(-s^2/2)
    pairs = [(one.moment(k), two.moment(k)) for k in range(3)] + [(one.log, two.log), (one.spread, two.spread)]
    for a, b in pairs:
        assert abs(a.mid - b.mid)[0] <= (a.rad + b.rad)[0]
        assert (a.rad + b.rad)[0] <= 1e-9 * abs(a.mid)[0] + 1e-20


@pytest.mark.parametrize("s", [4.5, 1e6])
@pytest.mark.parametrize("u", (-3.0, 0.5))
def test_transforms_of_steep_laws_keep_their_digits_and_their_bounds(s, u):
    law = law_of(s)
    assert isinstance(law, SteepLogNormal)
    at = law.at(Ball(np.array([u])))
    step = mpf("0.15")
    x = [k * step for k in range(int(-56 / step), int(5 / step))]
    truth = [
        mp.fsum(mp.exp(y - mp.exp(y)) * mp.ncdf(y / s - u) for y in x) * step,
        *(mp.fsum(mp.exp(k * y - mp.exp(y)) * mp.npdf(y / s - u) for y in x) * step / s for k in (1, 2)),
    ]
    for k in range(3):
        check(at.moment(k), truth[k], 1e-12, f"M{k}")
    missing = mp.fsum(mp.exp(y - mp.exp(y)) * mp.ncdf(u - y / s) for y in x) * step
    check(at.log, mp.log1p(-missing), 1e-12, "log M0")


def test_a_transform_of_nearly_constant_v_keeps_its_variance():
    for s in (1e-6, 1e-30):
        at = log_normal(s).at(Ball(np.zeros(1)))
        assert at.curvature.mid[0] == pytest.approx(0.5 * s * s, rel=1e-5)
        assert at.spread.mid[0] == pytest.approx(s * s * math.exp(-2.0), rel=1e-5)


@pytest.mark.parametrize("u", [-690.0, -200.0, 60.0, 690.0])
@pytest.mark.parametrize("s", [1e-3, 1.0, 4.0, 8.0])
def test_far_points_give_numbers_and_nothing_undefined(s, u):
    at = log_normal(s).at(Ball(np.array([u])))
    for ball in (*(at.moment(k) for k in range(3)), at.log, at.spread):
        assert np.isfinite(ball.mid[0]) and ball.rad[0] >= 0.0
    assert at.moment(1).mid[0] < 1e-60 and at.moment(2).mid[0] < 1e-60


def test_a_power_keeps_its_digits_for_a_billion_factors():
    found = power(Ball(np.array([-1e-9]), np.array([1e-25])), 10**9)
    assert abs(found.mid[0] - math.exp(-1.0)) <= found.rad[0] < 1e-14


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 100])
def test_sums_of_falling_factorials_are_the_plain_sums(n):
    logs = np.array([0.0, -1e-9, -0.01, -1.0, -30.0])
    found = falling_sums(Ball(logs, np.zeros(5)), n, 3)
    for k in (1, 2, 3):
        for place, log in enumerate(logs):
            r = mp.exp(mpf(float(log)))
            truth = mp.fsum(mp.ff(i, k) * r ** (i - k) for i in range(k, n + 1))
            mid, rad = found[k - 1].mid[place], found[k - 1].rad[place]
            assert abs(mpf(float(mid)) - truth) <= rad <= 1e-11 * float(truth) + 1e-300, (n, k, log)


def test_sums_of_falling_factorials_stay_exact_for_a_million_terms():
    n = 10**6
    first, second, third = falling_sums(Ball(np.zeros(1)), n, 3)
    for k, ball in ((1, first), (2, second), (3, third)):
        truth = mpmath.ff(n + 1, k + 1) / (k + 1)
        assert abs(mpf(float(ball.mid[0])) - truth) <= ball.rad[0] <= 1e-12 * float(truth)


# --- means of powers and logarithms of sums, which are made of these transforms ---


def within(ball, truth, relative):
    assert abs(ball.mid - truth) <= ball.rad + 4e-16 * abs(truth), (ball.mid, truth, ball.rad)
    assert ball.rad <= relative * abs(truth)


@pytest.mark.parametrize("law", [Normal(), Normal(0.5, 2.0), Normal(-6.0, 1.0)], ids=str)
@pytest.mark.parametrize("p", [1.3, 3.0, 7.5])
def test_the_power_mean_of_one_is_the_folded_normal(p, law):
    mean, std = power_mean(1, p, law, PanelIntegrals())
    t = mpf(law.mean) / mpf(law.std)
    truth = law.std * (2 * mp.npdf(t) + t * (1 - 2 * mp.ncdf(-t)))
    within(mean, float(truth), 1e-12)
    within(std, float(mp.sqrt(mpf(law.mean) ** 2 + mpf(law.std) ** 2 - truth**2)), 5e-12)


@pytest.mark.parametrize("n", [2, 9, 1000, 10**6])
def test_the_power_mean_of_squares_is_the_chi_law(n):
    with mp.workdps(40):
        mean = mp.sqrt(2) * mp.gammaprod([mpf(n + 1) / 2], [mpf(n) / 2])
        std = mp.sqrt(n - mean**2)
    found = power_mean(n, 2.0, Normal(0.0, 3.0), PanelIntegrals())
    within(found[0], float(3 * mean), 1e-13)
    within(found[1], float(3 * std), 1e-12)


@pytest.mark.parametrize("p", [1.5, 4.0])
def test_the_power_mean_of_two_is_an_integral_over_the_circle(p):
    # polar coordinates: E r = sqrt(pi/2), E r^2 = 2, and the norm of the angle, whose kinks are the axes
    edges = mp.linspace(0, mp.pi / 2, 2)
    norm = [
        mp.quad(lambda a, k=k: (mp.cos(a) ** p + mp.sin(a) ** p) ** (k / mpf(p)), edges) * 2 / mp.pi for k in (1, 2)
    ]
    mean = mp.sqrt(mp.pi / 2) * norm[0]
    found = power_mean(2, p, Normal(), PanelIntegrals())
    within(found[0], float(mean), 1e-12)
    within(found[1], float(mp.sqrt(2 * norm[1] - mean**2)), 1e-12)


def test_a_narrow_input_makes_the_power_mean_linear():
    mean, std = power_mean(16, 3.0, Normal(2.0, 1e-7), PanelIntegrals())
    within(mean, 2.0 * 16 ** (1 / 3) * (1 + 15 / 16 * 2.5e-15), 1e-13)
    assert std.mid == pytest.approx(1e-7 * 16 ** (1 / 3 - 0.5), rel=1e-12)
    assert power_mean(16, 4.0, Normal(-3.0, 0.0), PanelIntegrals())[0].mid == pytest.approx(6.0, rel=1e-15)


@pytest.mark.parametrize("scale", [1e-9, 0.3, 3.0, 6.0, 20.0])
def test_the_log_mean_exp_of_two_is_a_log_cosh(scale):
    s = mpf(scale)
    step = min(mpf("0.9") * mp.pi / mp.sqrt(2) / s, 5) / 9
    nodes = [(k * step, mp.npdf(k * step) * step) for k in range(int(-11 / step), int(11 / step) + 1)]
    terms = [(w, mp.log1p(2 * mp.sinh(s * z / mp.sqrt(8)) ** 2)) for z, w in nodes]
    mean = mp.fsum(w * x for w, x in terms)
    variance = mp.fsum(w * (x - mean) ** 2 for w, x in terms) + s * s / 2
    found = log_mean_exp(2, scale, PanelIntegrals())
    within(found[0], float(mean), 1e-12)
    within(found[1], float(mp.sqrt(variance)), 1e-12)
    weight = mp.fsum(w / (1 + mp.exp(-s * z * mp.sqrt(2))) ** 2 for z, w in nodes)
    within(found[2], float(weight), 1e-12)


@pytest.mark.parametrize("s", [1.0, 20.0])
def test_many_points_at_once_are_what_each_is_alone(s):
    law, places = log_normal(s), np.linspace(-30.0, 20.0, 150)
    many = law.at(Ball(places))
    for i in range(0, 150, 29):
        alone = law.at(Ball(places[i : i + 1]))
        for whole, one in ((many.log, alone.log), (many.spread, alone.spread), (many.moment(2), alone.moment(2))):
            assert abs(whole.mid[i] - one.mid[0]) <= one.rad[0]
            assert whole.rad[i] == pytest.approx(one.rad[0], rel=1e-6)


def test_what_is_asked_for_again_is_kept_and_the_rest_is_dropped():
    law, known = LogNormal(0.7), Ball(np.linspace(-1.0, 1.0, 5))
    first = law.at(known)
    for shift in range(3 * KEPT):
        law.at(Ball(np.array([float(shift)])))
        assert law.at(known) is first
    assert len(law._known) <= KEPT
