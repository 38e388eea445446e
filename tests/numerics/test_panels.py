"""Panels of Gauss-Legendre nodes: the rule against mpmath, and integrals within the balls stated for them."""

import functools
import math

import numpy as np
import pytest
from mpmath import mp, mpf

from normcal.numerics.balls import BALLS, Ball, U
from normcal.numerics.panels import NODES, REACH, RUNNING, Panels, accurate_sum, edges_for, rule

#: What a running integral inside one panel is granted for rounding, relative to the panel's integral of |f|.
ALLOWANCE = RUNNING
DIGITS = 50


@functools.cache
def exact_rule():
    """Nodes and weights to 50 digits, by Newton's method from the doubles."""
    with mp.workdps(DIGITS):

        def legendre(x):
            before, now = mpf(1), x
            for k in range(1, NODES):
                before, now = now, ((2 * k + 1) * x * now - k * before) / (k + 1)
            return now, NODES * (x * now - before) / (x * x - 1)

        nodes, weights = [], []
        for x in map(mpf, rule().nodes.tolist()):
            for _ in range(4):
                value, slope = legendre(x)
                x -= value / slope
            nodes.append(x)
            weights.append(2 / ((1 - x * x) * legendre(x)[1] ** 2))
        return nodes, weights


def test_the_reference_rule_is_one():
    nodes, weights = exact_rule()
    with mp.workdps(DIGITS):
        for degree in (0, 2, 20, 38):
            total = mp.fsum(w * x**degree for x, w in zip(nodes, weights, strict=True))
            assert abs(total - mpf(2) / (degree + 1)) < mpf(10) ** -40


def test_nodes_are_within_1e_15():
    nodes, _ = exact_rule()
    assert max(abs(mpf(float(t)) - x) for t, x in zip(rule().nodes, nodes, strict=True)) < 1e-15


def test_weights_are_within_the_error_that_integrals_are_told_of():
    _, weights = exact_rule()
    worst = max(abs(mpf(float(a)) / w - 1) for a, w in zip(rule().weights, weights, strict=True))
    assert worst < 4.0 * U, f"a weight is off by {float(worst):.2g} relative, and integral() assumes 4 U"


def test_the_rule_is_symmetric_so_that_odd_integrands_vanish():
    assert np.array_equal(rule().nodes, -rule().nodes[::-1])
    assert np.array_equal(rule().weights, rule().weights[::-1])


def monomial(degree):
    return (lambda t: t**degree), (lambda t: (t ** (degree + 1) - (-1) ** (degree + 1)) / (degree + 1))


def exponential(rate):
    return (lambda t: mp.exp(rate * t)), (lambda t: (mp.exp(rate * t) - mp.exp(-mpf(rate))) / rate)


def legendre(degree):
    def polynomial(t, k=degree):
        return mp.legendre(k, t)

    return polynomial, lambda t: (polynomial(t, degree + 1) - polynomial(t, degree - 1)) / (2 * degree + 1)


#: name -> (f, its integral from -1); all of them resolved by the rule
KNOWN = (
    {f"t^{k}": monomial(k) for k in (0, 1, 2, 3, 5, 10, 19)}
    | {f"exp({k}t)": exponential(k) for k in (-3, -1, 1, 3)}
    | {f"legendre-{k}": legendre(k) for k in (1, 4, 11, 19)}
)


def running_error(f, antiderivative, matrix, sign=1):
    """Return the worst error of the running integral over one panel, relative to the integral of |f|."""
    _, weights = exact_rule()
    with mp.workdps(30):
        values = [f(mpf(float(t))) for t in rule().nodes]
        found = matrix @ np.array([float(v) for v in values])
        size = mp.fsum(abs(v) * w for v, w in zip(values, weights, strict=True))
        exact = [antiderivative(mpf(float(t))) if sign > 0 else antiderivative(mpf(1)) - antiderivative(mpf(float(t)))
                 for t in rule().nodes]  # fmt: skip
        return float(max(abs(mpf(float(a)) - e) for a, e in zip(found, exact, strict=True)) / size)


@pytest.mark.parametrize("name", KNOWN)
def test_the_rounding_allowance_of_a_running_integral_is_enough(name):
    assert running_error(*KNOWN[name], rule().from_left) <= ALLOWANCE
    assert running_error(*KNOWN[name], rule().from_left[::-1, ::-1], sign=-1) <= ALLOWANCE


def test_the_rounding_allowance_is_enough_for_every_integrand():
    """Entry by entry, so for any values at the nodes: that is what an error bound has to hold for."""
    nodes, weights = exact_rule()
    with mp.workdps(DIGITS):
        table = [[mpf(1), x] for x in nodes]
        for row, x in zip(table, nodes, strict=True):
            for k in range(1, NODES):
                row.append(((2 * k + 1) * x * row[k] - k * row[k - 1]) / (k + 1))
        worst = mpf(0)
        for i in range(NODES):
            steps = [nodes[i] + 1] + [(table[i][k + 1] - table[i][k - 1]) / 2 for k in range(1, NODES)]
            steps[0] /= 2
            for j in range(NODES):
                exact = weights[j] * mp.fsum(s * p for s, p in zip(steps, table[j][:NODES], strict=True))
                worst = max(worst, abs(mpf(float(rule().from_left[i, j])) - exact) / weights[j])
    assert worst <= ALLOWANCE, (
        f"the matrix is off by {float(worst / U):.3g} U of a weight, the allowance is {RUNNING / U:.3g} U"
    )


def test_the_tail_of_a_polynomial_below_degree_17_is_rounding_noise_and_above_it_is_not():
    for degree, resolved in ((5, True), (16, True), (17, False), (19, False)):
        values = np.polynomial.legendre.legval(rule().nodes, [0.0] * degree + [1.0])
        tail = np.abs(values @ rule().tail)
        assert (tail.max() < 1e-13) == resolved, degree


def panels(kinks=(), features=()):
    return Panels(*edges_for(list(kinks), list(features)))


def on(mesh, f):
    return Ball(f(mesh.z.mid), np.zeros(mesh.z.mid.shape))


@pytest.mark.parametrize("name", KNOWN)
def test_the_integral_of_a_known_function_over_one_panel_is_within_its_ball(name):
    f, antiderivative = KNOWN[name]
    mesh = Panels(np.array([-1.0, 1.0]), np.zeros(2))
    with mp.workdps(30):
        values = np.array([[float(f(mpf(float(t)))) for t in mesh.z.mid[0]]])
        found = mesh.integral(Ball(values, U * np.abs(values)))
        assert abs(mpf(float(found.mid)) - antiderivative(mpf(1))) <= mpf(float(found.rad))


GAUSSIAN = {
    "1": (lambda z: 1.0 + 0.0 * z, "1"),
    "z": (lambda z: z, "0"),
    "z^2": (lambda z: z * z, "1"),
    "z^4": (lambda z: z**4, "3"),
    "cos z": (np.cos, "0.60653065971263342360379953499118"),
    "exp z": (np.exp, "1.6487212707001281468486507878142"),
    "exp 3z": (lambda z: np.exp(3.0 * z), "90.017131300521814115011945350617"),
}


@pytest.mark.parametrize("name", GAUSSIAN)
def test_a_gaussian_expectation_is_within_its_ball_and_tight(name):
    f, exact = GAUSSIAN[name]
    mesh = panels()
    values = f(mesh.z.mid)
    found = mesh.integral(Ball(values, 4.0 * U * np.abs(values)) * BALLS.phi(mesh.z))
    with mp.workdps(30):
        assert abs(mpf(float(found.mid)) - mpf(exact)) <= mpf(float(found.rad))
    assert found.rad < 2e-13 * max(abs(found.mid), 1.0)


def bump(mesh, centre, scale):
    """The ball of 1/(1 + ((z - centre)/scale)^2) times the normal density."""
    return 1.0 / (((mesh.z - centre) / scale).square() + 1.0) * BALLS.phi(mesh.z)


@pytest.mark.parametrize("scale", [1e-2, 1e-5, 1e-9])
def test_a_narrow_feature_that_is_announced_is_integrated(scale):
    centre = 0.731
    mesh = panels(features=[(centre, scale)])
    for _ in range(8):
        mesh = mesh.bisect(mesh.unresolved(bump(mesh, centre, scale)) > 1e-18 * scale)
    found = mesh.integral(bump(mesh, centre, scale))
    with mp.workdps(30):  # the Voigt profile, by the Faddeeva function
        q = mp.mpc(centre, scale) / mp.sqrt(2)
        exact = scale * mp.sqrt(mp.pi / 2) * (mp.exp(-q * q) * mp.erfc(mp.mpc(0, -1) * q)).real
        assert abs(mpf(float(found.mid)) - exact) <= mpf(float(found.rad))
    assert found.rad <= 1e-13 * found.mid + 50.0 * U / scale * found.mid  # z itself is only known to an ulp


def test_a_kink_on_an_edge_leaves_nothing_unresolved_and_one_inside_a_panel_is_owned_up_to():
    kink = 0.4142
    on_edge, inside = panels(kinks=[(kink, 0.0)]), panels()
    exact = None
    with mp.workdps(30):
        t = mpf(kink)
        exact = 2 * (mp.npdf(t) - t * mp.erfc(t / mp.sqrt(2)) / 2) + t  # E|Z - t|
    for mesh, resolved in ((on_edge, True), (inside, False)):
        f = Ball(np.abs(mesh.z.mid - kink), mesh.z.rad + U * np.abs(mesh.z.mid)) * BALLS.phi(mesh.z)
        found = mesh.integral(f)
        assert abs(mpf(float(found.mid)) - exact) <= found.rad
        assert (found.rad < 1e-13) == resolved


def test_a_kink_known_to_a_radius_widens_the_integral_by_about_as_much():
    sharp, blurred = (panels(kinks=[(0.5, radius)]) for radius in (0.0, 1e-9))
    rads = []
    for mesh in (sharp, blurred):
        z = mesh.z
        f = BALLS.maximum(z - 0.5, Ball(0.0)) * BALLS.phi(z)
        rads.append(float(mesh.integral(f).rad))
    assert rads[0] < 1e-14 < 1e-10 < rads[1] < 1e-7


ANTIDERIVATIVES = {
    "1": (lambda z: 1.0 + 0.0 * z, lambda z: z),
    "z": (lambda z: z, lambda z: z * z / 2),
    "phi": (lambda z: BALLS.phi(Ball(z)).mid, lambda z: mp.erf(z / mp.sqrt(2)) / 2),
    "cos": (np.cos, mp.sin),
    "exp(-z)": (lambda z: np.exp(-z), lambda z: -mp.expm1(-z)),
}


@pytest.mark.parametrize("name", ANTIDERIVATIVES)
def test_every_value_of_an_antiderivative_is_within_its_ball(name):
    f, exact = ANTIDERIVATIVES[name]
    mesh = panels(kinks=[(0.3, 0.0)], features=[(-1.0, 0.1)])
    for _ in range(3):
        mesh = mesh.bisect(np.diff(mesh.edges) > 0.9)
    values = f(mesh.z.mid)
    found = mesh.antiderivative(Ball(values, 4.0 * U * np.abs(values) + np.abs(values) * mesh.z.rad))
    with mp.workdps(30):
        for place in np.ndindex(*mesh.z.mid.shape):
            if place[1] % 4 == 1:
                z = mpf(float(mesh.z.mid[place]))
                # the node itself is known to z.rad, and so is the antiderivative there
                moved = abs(values[place]) * mesh.z.rad[place] * (1.0 + 1e-9)
                assert abs(mpf(float(found.mid[place])) - exact(z)) <= float(found.rad[place]) + moved, f"{name} at {z}"


def test_the_antiderivative_of_a_positive_function_is_tight_next_to_zero():
    mesh = panels()
    found = mesh.antiderivative(on(mesh, lambda z: 1.0 + 0.0 * z))
    near = np.abs(mesh.z.mid) < 2.0
    assert np.all(found.rad[near] <= 1e-13)


def test_bisecting_halves_the_marked_panels_only_and_keeps_what_is_known_of_the_edges():
    mesh = panels(kinks=[(0.25, 1e-12)])
    marked = np.zeros(len(mesh.edges) - 1, bool)
    marked[[2, 7]] = True
    halved = mesh.bisect(marked)
    new = set(halved.edges) - set(mesh.edges)
    assert new == {0.5 * (mesh.edges[i] + mesh.edges[i + 1]) for i in (2, 7)}
    assert np.all(np.diff(halved.edges) > 0.0)
    assert halved.radii[halved.edges == 0.25].tolist() == [1e-12]


@pytest.mark.parametrize("kinks", [[], [(0.0, 0.0)], [(1.0, 0.0)], [(1e-12, 1e-28)], [(37.0, 1e-14)], [(50.0, 0.0)]])
@pytest.mark.parametrize("features", [[], [(0.0, 1.0)], [(0.7, 1e-9)], [(-60.0, 1e-3)], [(0.0, 1e9)]])
def test_a_first_mesh_covers_the_reach_with_an_edge_at_zero_and_at_every_kink_within(kinks, features):
    edges, radii = edges_for(kinks, features)
    assert edges[0] == -REACH and edges[-1] == REACH
    assert 0.0 in edges and np.all(np.diff(edges) > 0.0)
    assert len(edges) == len(radii) < 400
    for z, radius in kinks:
        if abs(z) < REACH and z:
            assert radii[edges == z].tolist() == [radius]


def test_jumps_of_a_kinked_function_are_within_their_balls():
    mesh = panels(kinks=[(0.5, 0.0)])
    right = mesh.z.mid > 0.5
    slope = np.where(right, 3.0 * np.exp(mesh.z.mid * 0.1), np.cos(mesh.z.mid))
    curvature = np.where(right, 0.3 * np.exp(mesh.z.mid * 0.1), -np.sin(mesh.z.mid))
    mesh = panels(kinks=[(0.5, 0.0)])
    found = mesh.jumps(Ball(slope, 4.0 * U * np.abs(slope)), Ball(curvature, 4.0 * U * np.abs(curvature)))
    for edge, mid, rad in zip(mesh.edges[1:-1], found.mid, found.rad, strict=True):
        exact = 3.0 * np.exp(0.05) - np.cos(0.5) if edge == 0.5 else 0.0
        if abs(edge) < 3.0:
            assert abs(mid - exact) <= rad + 1e-15
            assert rad < 1e-12


def test_meshes_of_one_shape_are_one_mesh_with_a_leading_axis():
    alone = [panels(features=[(0.0, scale)]) for scale in (0.03, 0.031)]
    stacked = Panels(np.stack([mesh.edges for mesh in alone]), np.stack([mesh.radii for mesh in alone]))
    crowded = np.arange(len(alone[0])) % 7 == 3
    for one, both in ((alone, stacked), ([mesh.bisect(crowded) for mesh in alone], stacked.bisect(crowded))):
        f = bump(both, 0.0, 0.1)
        for k, mesh in enumerate(one):
            its = Ball(f.mid[k], f.rad[k])
            for found, expected in (
                (both.integral(f), mesh.integral(its)), (both.antiderivative(f), mesh.antiderivative(its)),
                (both.jumps(f, f), mesh.jumps(its, its)),
            ):  # fmt: skip
                assert np.allclose(found.mid[k], expected.mid, rtol=1e-15, atol=1e-16)
                assert np.allclose(found.rad[k], expected.rad, rtol=1e-9)


@pytest.mark.parametrize("spread", [0, 1, 30, 300])
def test_a_sum_is_that_of_fsum_to_one_rounding(spread):
    rng = np.random.default_rng(spread)
    terms = rng.standard_normal((4, 9, NODES)) * 10.0 ** rng.uniform(-spread, spread, (4, 9, NODES))
    terms[3, :, : NODES // 2] = -terms[3, ::-1, : NODES // 2 - 1 : -1]
    found, _ = accurate_sum(Ball(terms, np.zeros(terms.shape)), np.abs(terms))
    for k, values in enumerate(terms):
        exact = math.fsum(values.ravel())
        assert abs(found.mid[k] - exact) <= found.rad[k] <= 2.0 * U * abs(exact) + 1e-18 * np.abs(values).max()
    assert found.mid[3] == 0.0, "what mirrors itself cancels exactly"


def test_a_sum_of_what_is_no_number_has_no_bound():
    terms = np.ones((3, 2, NODES))
    terms[0, 0, 0], terms[1, 0, 0] = np.inf, np.nan
    with np.errstate(all="ignore"):
        found, _ = accurate_sum(Ball(terms, np.zeros(terms.shape)), np.abs(terms))
    assert found.mid[0] == np.inf and np.isinf(found.rad[:2]).all() and found.mid[2] == 2 * NODES
