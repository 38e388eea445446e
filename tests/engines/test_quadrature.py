"""The quadrature engine: bounds that hold at every input, and an honest word where they are wide."""

import math
import random

import pytest
from mpmath import mp, mpf

from normcal import catalog, engine
from normcal.engine import Effort
from normcal.errors import Unsupported
from normcal.law import STANDARD, Normal
from normcal.layer import Component, Elementwise, Layer
from normcal.result import BOUND, OK, OVERFLOW, TOLERANCE_MISSED, UNDEFINED

ENGINE = engine.get("quadrature")
#: Of layers that are smooth, kinked, weighted and mixed.
SPECS = ["identity", "relu", "leaky_relu", "sigmoid", "tanh", "softplus", "elu", "selu", "gelu", "gelu_tanh", "silu",
         "max_pool", "dropout"]  # fmt: skip


def integrate(layer, direction="forward", mean=0.0, std=1.0, tol=None):
    layer = catalog.layer(layer) if isinstance(layer, str) else layer
    return ENGINE.estimate(layer, direction, Normal(mean, std), Effort(tol))


def assert_covers(value, exact, what=""):
    assert value.error is not None and math.isfinite(value.error), what
    with mp.workdps(40):
        assert abs(mpf(value.value) - exact) <= mpf(value.error), f"{what}: {value}, exactly {mp.nstr(exact, 20)}"


def made(function, its_kinks=(), its_features=((0.0, 1.0),)):
    """A throw-away elementwise layer."""

    class Made(Elementwise):
        """A layer of this test."""

        name, kinks, features = "made", its_kinks, its_features

        def f(self, x, m):
            return function(x, m)

    return Made()


#: x -> f(x), with mean and std of f under N(0, 1) and sqrt(E f'^2)
KNOWN = {
    "square": (made(lambda x, m: x * x), 1, mp.sqrt(2), 2),
    "cube": (made(lambda x, m: x * x * x), 0, mp.sqrt(15), mp.sqrt(27)),
    "exp": (made(lambda x, m: m.exp(x)), mp.exp(0.5), mp.exp(0.5) * mp.sqrt(mp.e - 1), mp.e),
    "abs": (made(lambda x, m: m.maximum(x, -x), (0.0,)), mp.sqrt(2 / mp.pi), mp.sqrt(1 - 2 / mp.pi), 1),
    "Phi": (made(lambda x, m: m.Phi(x)), mpf(1) / 2, mp.sqrt(mpf(1) / 12), mp.sqrt(1 / (2 * mp.pi * mp.sqrt(3)))),
    "phi": (
        made(lambda x, m: m.phi(x)),
        1 / (2 * mp.sqrt(mp.pi)),
        mp.sqrt(1 / (2 * mp.pi * mp.sqrt(3)) - 1 / (4 * mp.pi)),
        mp.sqrt(1 / (2 * mp.pi * mp.sqrt(27))),
    ),
    "constant": (made(lambda x, m: 0.0 * x + 3.0), 3, 0, 0),
}


@pytest.mark.parametrize("name", KNOWN)
def test_integrals_known_in_closed_form_are_within_their_bounds(name):
    layer, mean, std, slope = KNOWN[name]
    forward, backward = integrate(layer), integrate(layer, "backward")
    with mp.workdps(15):
        assert_covers(forward.mean, mean, "mean")
        assert_covers(forward.std, std, "std")
        assert_covers(forward.rms, mp.sqrt(mpf(mean) ** 2 + mpf(std) ** 2), "rms")
        assert_covers(backward.std, slope, "backward")


#: discontinuous functions: the contract of Component.kinks allows f itself to jump
JUMPS = {
    "step": made(lambda x, m: m.where(x > 0.0, 1.0, 0.0), (0.0,)),
    "step-aside": made(lambda x, m: m.where(x > 1.0, 1.0, 0.0), (1.0,)),
    "jump": made(lambda x, m: m.where(x > 0.0, x + 1.0, x), (0.0,)),
    "hard-shrink": made(lambda x, m: m.where(x > 0.5, x, m.where(x < -0.5, x, 0.0 * x)), (-0.5, 0.5)),
}


def jump_moments(name):
    upper = mp.erfc(1 / mp.sqrt(2)) / 2
    if name == "step-aside":
        return upper, mp.sqrt(upper * (1 - upper)), 0
    if name == "jump":  # x + step: variances add to twice the covariance phi(0)
        return mpf(1) / 2, mp.sqrt(1 + mpf(1) / 4 + 2 / mp.sqrt(2 * mp.pi)), 1
    if name == "hard-shrink":
        beyond = mp.erfc(mpf("0.5") / mp.sqrt(2))
        return 0, mp.sqrt(beyond + mp.npdf(mpf("0.5"))), mp.sqrt(beyond)
    return mpf(1) / 2, mpf(1) / 2, 0


@pytest.mark.parametrize("name", JUMPS)
def test_a_function_that_jumps_at_a_declared_kink_is_within_its_bound(name):
    layer = JUMPS[name]
    mean, std, slope = jump_moments(name)
    forward, backward = integrate(layer), integrate(layer, "backward")
    assert_covers(forward.mean, mean, "mean")
    assert_covers(forward.std, std, "std")
    assert_covers(backward.std, slope, "backward")


def test_a_kink_that_nobody_declared_widens_the_bound_instead_of_breaking_it():
    """A forgotten kink is the likeliest slip of a new layer; the nodes see it as a lack of convergence."""
    hidden = made(lambda x, m: m.maximum(x - 0.3, -0.5 * (x - 0.3)))
    declared = made(lambda x, m: m.maximum(x - 0.3, -0.5 * (x - 0.3)), (0.3,))
    for direction in ("forward", "backward"):
        sharp, blunt = integrate(declared, direction), integrate(hidden, direction)
        for quantity in ("mean", "std", "rms"):
            a, b = getattr(sharp, quantity), getattr(blunt, quantity)
            assert abs(a.value - b.value) <= a.error + b.error, f"{direction} {quantity}"


@pytest.mark.parametrize("scale", [0.1, 0.01])
def test_a_feature_that_nobody_declared_is_found_by_halving(scale):
    hidden = made(lambda x, m: m.tanh((x - 0.4) * (1.0 / scale)))
    declared = made(lambda x, m: m.tanh((x - 0.4) * (1.0 / scale)), (), ((0.4, scale),))
    for direction in ("forward", "backward"):
        sharp, blunt = integrate(declared, direction), integrate(hidden, direction)
        for quantity in ("mean", "std"):
            a, b = getattr(sharp, quantity), getattr(blunt, quantity)
            assert abs(a.value - b.value) <= a.error + b.error, f"{direction} {quantity}"


def lines_between(kinks, lines):
    """The piecewise linear function of slope and height (a, b) between its kinks; it may jump at them."""

    def f(x, m):
        y = lines[0][0] * x + lines[0][1]
        for kink, (a, b) in zip(kinks, lines[1:], strict=True):
            y = m.where(x > kink, a * x + b, y)
        return y

    return made(f, tuple(kinks))


def exact_lines(kinks, lines, mean, std):
    """Mean, std and backward std from the truncated moments 1, z, z^2 of the normal law."""
    with mp.workdps(60 + int(0.9 * min(max(abs((k - mean) / std) for k in kinks), 40.0) ** 2)):
        m, s = mpf(mean), mpf(std)

        def beyond(t):
            return mp.erfc(t / mp.sqrt(2)) / 2, mp.npdf(t), mp.erfc(t / mp.sqrt(2)) / 2 + t * mp.npdf(t)

        def cut(kink):
            if abs(kink - mean) < 60 * std:
                return beyond((mpf(kink) - m) / s)
            return (1, 0, 1) if kink < mean else (0, 0, 0)

        cuts = [(1, 0, 1), *map(cut, kinks), (0, 0, 0)]
        first = second = slope = mpf(0)
        for (a, b), left, right in zip(lines, cuts, cuts[1:], strict=False):
            whole, linear, square = (mpf(x) - y for x, y in zip(left, right, strict=True))
            start, step = mpf(a) * m + mpf(b), mpf(a) * s
            first += start * whole + step * linear
            second += start**2 * whole + 2 * start * step * linear + step**2 * square
            slope += mpf(a) ** 2 * whole
        return first, mp.sqrt(max(second - first**2, 0)), mp.sqrt(max(slope, 0))


def assert_lines(kinks, lines, mean, std):
    layer, what = lines_between(kinks, lines), f"kinks {kinks}, lines {lines} at N({mean!r}, {std!r})"
    first, spread, slope = exact_lines(kinks, lines, mean, std)
    forward, backward = integrate(layer, "forward", mean, std), integrate(layer, "backward", mean, std)
    for value, exact in ((forward.mean, first), (forward.std, spread), (backward.std, slope)):
        near = mpf("1e-25") * max(abs(exact), 1)
        assert value.error is None or abs(mpf(value.value) - exact) <= mpf(value.error) + near, f"{what}: {value}"


def test_drawn_lines_with_kinks_and_jumps_are_within_their_bounds():
    rng = random.Random("lines")
    for _ in range(25):
        scale = 10.0 ** rng.choice([0.0, 0.0, rng.uniform(-6.0, 6.0)])
        drawn = {
            rng.choice([0.0, rng.uniform(-3.0, 3.0), 10.0 ** rng.uniform(-9.0, 1.0)]) for _ in range(rng.randint(1, 4))
        }
        kinks = sorted(scale * kink for kink in drawn)
        lines = [(rng.choice([0.0, 1.0, rng.uniform(-2.0, 2.0)]), rng.choice([0.0, scale * rng.uniform(-2.0, 2.0)]))
                 for _ in range(len(kinks) + 1)]  # fmt: skip
        std = scale * 10.0 ** rng.uniform(-3.0, 3.0)
        assert_lines(kinks, lines, rng.choice([scale * rng.uniform(-5.0, 5.0), std * rng.uniform(-40.0, 40.0)]), std)


@pytest.mark.parametrize(
    ("kinks", "lines", "mean", "std"),
    [
        ([0.0, 1e-200], [(1.0, 0.0), (0.0, 5.0), (1.0, 1.0)], -0.5, 4.7),
        ([0.014135718044318556, 0.014135718044318584], [(1.0, 1.0), (1.0, 0.03), (0.07, 1.0)], 54.2, 18.6),
        ([2.298616182823413e-09, 2.2986161917846577e-09], [(1.0, 1.0), (-1.0, -1.2), (0.0, 432.6)], -1.4, 3.5),
        ([-1e-14, 1e-14], [(1.0, 0.0), (0.0, 0.0), (1.0, 0.0)], 40.0, 1.0),
    ],
    ids=["0-and-1e-200", "one-ulp-apart", "near-in-z", "hard-shrink-1e-14"],
)
def test_jumps_at_kinks_that_doubles_cannot_tell_apart_are_within_their_bounds(kinks, lines, mean, std):
    assert_lines(kinks, lines, mean, std)


@pytest.mark.parametrize("std", [1.0, 10.0, 15.0, 18.0, 20.0, 25.0])
def test_a_function_that_grows_exponentially_is_within_its_bound_or_has_none(std):
    """E e^(2x) has its mass at z = 2 std, beyond every node for a wide law."""
    layer = made(lambda x, m: m.exp(x))
    forward, backward = integrate(layer, "forward", 0.0, std), integrate(layer, "backward", 0.0, std)
    with mp.workdps(30):
        square = mpf(std) ** 2
        exact = {
            "mean": mp.exp(square / 2),
            "std": mp.exp(square / 2) * mp.sqrt(mp.expm1(square)),
            "rms": mp.exp(square),
        }
    cases = [(forward, q, exact[q]) for q in ("mean", "std", "rms")] + [(backward, "std", exact["rms"])]
    for found, quantity, truth in cases:
        value = getattr(found, quantity)
        assert value.error is None or abs(mpf(value.value) - truth) <= mpf(value.error), f"{quantity}: {value}"
        assert found.status != OVERFLOW or truth > mpf("1.7e308"), f"{quantity} is {mp.nstr(truth, 5)}, no overflow"


# --- std 0 ---


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("mean", [-2.5, 0.75])
def test_a_constant_input_gives_the_function_itself(spec, mean):
    forward, backward = integrate(spec, "forward", mean, 0.0), integrate(spec, "backward", mean, 0.0)
    near = integrate(spec, "forward", mean, 1e-9)
    assert abs(forward.mean.value - near.mean.value) <= 1e-8
    assert forward.status == OK
    if spec != "dropout":
        assert forward.std.value == 0.0 and forward.gain.value is None
    assert backward.std.value == pytest.approx(integrate(spec, "backward", mean, 1e-9).std.value, rel=1e-8)


@pytest.mark.parametrize("spec", ["relu", "leaky_relu", "elu", "selu"])
def test_a_constant_input_on_a_kink_has_no_derivative(spec):
    found = integrate(spec, "backward", 0.0, 0.0)
    assert found.status == UNDEFINED and found.reason
    assert (found.mean.value, found.std.value, found.rms.value, found.gain.value) == (None,) * 4
    assert integrate(spec, "forward", 0.0, 0.0).mean.value == 0.0


def test_a_constant_input_on_a_kink_beyond_floating_point_zero():
    assert integrate("relu", "backward", -0.0, 0.0).status == UNDEFINED


# --- far tails, over- and underflow ---


def _two_values(low, high, above):
    return low + (high - low) * above, (high - low) * mp.sqrt(above * (1 - above))


HALF_NORMAL = 1 / mp.sqrt(2 * mp.pi), mp.sqrt(mpf(1) / 2 - 1 / (2 * mp.pi))
ABOVE_ONE = mp.erfc(-1 / mp.sqrt(2)) / 2
RECTIFIERS = ("relu", "softplus", "gelu", "silu", "elu")
#: (spec, mean, std) -> the exact mean and std in units of the last column, up to less than 1e-100 of it
EXTREME = (
    [(spec, 1e200, std, mpf(1e200), mpf(std)) for spec in RECTIFIERS for std in (1.0, 1e-200)]
    + [(spec, 0.0, 1e200, *(mpf(1e200) * v for v in HALF_NORMAL)) for spec in RECTIFIERS]
    + [("sigmoid", 0.0, 1e200, mpf(1) / 2, mpf(1) / 2), ("tanh", 0.0, 1e200, mpf(0), mpf(1))]
    + [("sigmoid", 1e250, 1e250, *_two_values(0, 1, ABOVE_ONE)), ("tanh", 1e250, 1e250, *_two_values(-1, 1, ABOVE_ONE))]
    + [("sigmoid", 1e200, 1.0, mpf(1), mpf(0)), ("tanh", -1e200, 1.0, mpf(-1), mpf(0))]
    + [("relu", 0.0, 1e-200, *(mpf(1e-200) * v for v in HALF_NORMAL))]
    + [("sigmoid", 0.0, 1e-200, mpf(1) / 2, mpf(1e-200) / 4)]
    + [("tanh", 0.0, 1e-200, mpf(0), mpf(1e-200)), ("gelu", 0.0, 1e-200, mpf(0), mpf(1e-200) / 2)]
    + [("softplus", 0.0, 1e-200, mp.log(2), mpf(1e-200) / 2)]
)  # fmt: skip


@pytest.mark.parametrize(("spec", "mean", "std", "exact_mean", "exact_std"), EXTREME, ids=lambda v: str(v)[:8])
def test_an_extreme_input_is_either_right_or_without_a_bound(spec, mean, std, exact_mean, exact_std):
    found = integrate(spec, "forward", mean, std)
    near = mpf("1e-100") * max(abs(exact_mean), exact_std)
    for value, exact in ((found.mean, exact_mean), (found.std, exact_std)):
        assert value.error is None or abs(mpf(value.value) - exact) <= mpf(value.error) + near, f"{value}, {exact}"


@pytest.mark.parametrize("spec", RECTIFIERS)
def test_an_input_of_any_size_that_leaves_a_rectifier_linear_is_served(spec):
    found = integrate(spec, "forward", 1e200, 1.0)
    assert (found.mean.value, found.std.value, found.status) == (1e200, 1.0, OK)


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_no_input_within_the_accepted_range_raises_or_warns(spec, direction):
    for mean, std in ((1e300, 1e300), (-1e300, 1e-300), (1e300, 0.0), (0.0, 5e-324), (-1e-300, 1e300), (38.5, 1.0)):
        found = integrate(spec, direction, mean, std)
        for quantity in ("mean", "std", "rms", "gain", "rms_gain"):
            value = getattr(found, quantity)
            assert value.value is None or math.isfinite(value.value)
            assert value.error is None or 0.0 <= value.error < math.inf


@pytest.mark.parametrize("mean", [800.0, -800.0])
def test_sigmoid_saturated_has_the_mean_of_its_limit_and_says_that_its_std_is_lost(mean):
    found = integrate("sigmoid", "forward", mean)
    assert found.mean.value == (1.0 if mean > 0 else 0.0)
    assert found.status == TOLERANCE_MISSED and found.reason
    with mp.workdps(40):
        std = mp.exp(-abs(mpf(mean)) + 1) * mp.sqrt(mp.expm1(1)) * mp.exp(-mpf(1) / 2)
        assert_covers(found.std, std, "std")


def relu_moments(mean, std):
    with mp.workdps(700):
        m, s = mpf(mean), mpf(std)
        t = m / s
        below, density = mp.erfc(-t / mp.sqrt(2)) / 2, mp.npdf(t)
        first = m * below + s * density
        second = (m * m + s * s) * below + m * s * density
        return first, mp.sqrt(second - first**2), mp.sqrt(below)


@pytest.mark.parametrize("mean", [-50.0, -39.0, -38.6, -38.49, -38.4, -38.2, -38.0, -37.5, -36.0, -30.0])
def test_relu_whose_kink_is_hardly_in_reach_is_within_its_bound(mean):
    first, spread, slope = relu_moments(mean, 1.0)
    forward, backward = integrate("relu", "forward", mean), integrate("relu", "backward", mean)
    assert_covers(forward.mean, first, "mean")
    assert_covers(forward.std, spread, "std")
    assert_covers(backward.std, slope, "backward")
    if mean < -38.0:
        assert TOLERANCE_MISSED in (forward.status, backward.status)


@pytest.mark.parametrize(("spec", "mean", "std"), [
    ("softplus(beta=45)", -39.0, 1.0), ("gelu", -340.45, 8.55), ("elu", -385.0, 10.0), ("gelu_tanh", -135.2, 3.387),
    ("silu", -3.9e6, 1e5), ("softplus(beta=1e6)", -0.0702, 0.00182),
])  # fmt: skip
def test_mass_beyond_the_reach_of_the_nodes_is_owned_up_to(spec, mean, std):
    """The square of an exponential times a normal density peaks at z = 2 rate std, which may be anywhere."""
    forward, backward = integrate(spec, "forward", mean, std), integrate(spec, "backward", mean, std)
    with mp.workdps(30):  # the part x > 0, where a rectifier is nearly x and its slope nearly 1, is a lower limit
        t = mpf(abs(mean)) / mpf(std)
        slope = mp.sqrt(mp.erfc(t / mp.sqrt(2)) / 2)
        spread = mp.sqrt(2 * mp.npdf(t) / t**3) * mpf(std)
    for value, least in ((forward.std, spread), (backward.std, slope)):
        assert mpf(value.value) + mpf(value.error) >= least / 4, f"{value}, at least {mp.nstr(least / 4, 5)}"


@pytest.mark.parametrize("mean", [45.0, 60.0, 1e6])
@pytest.mark.parametrize("spec", ["relu", "leaky_relu(negative_slope=0.3)", "elu", "selu"])
def test_a_kink_out_of_reach_leaves_the_branch_that_the_input_is_on(spec, mean):
    slope = mpf("1.0507009873554804934193349852946") if spec == "selu" else 1
    forward, backward = integrate(spec, "forward", mean), integrate(spec, "backward", mean)
    assert forward.status == backward.status == OK
    with mp.workdps(30):
        assert_covers(forward.mean, slope * mpf(mean), "mean")
        assert_covers(forward.std, mpf(slope), "std")
        assert_covers(backward.std, mpf(slope), "backward")


def test_a_steep_branch_beyond_reach_is_not_forgotten():
    """Slope 1e308 on a half-line of probability 1e-333 dominates the second moment."""
    found = integrate("leaky_relu(negative_slope=1e308)", "forward", 39.0)
    with mp.workdps(400):
        t = mpf(39)
        second = 2 * mp.npdf(t) / t**3 * mpf("1e616")
        assert found.std.error is None or mpf(found.std.value) + mpf(found.std.error) >= mp.sqrt(second) / 2


# --- overflow, tolerance, choice ---


def test_a_moment_beyond_a_double_is_an_overflow():
    found = integrate("leaky_relu(negative_slope=1e200)", "forward", -1e200)
    assert found.status == OVERFLOW and found.mean.value is None


def test_a_bounded_function_never_gets_a_value_beyond_its_bounds():
    for std in (1e250, 1e300):
        found = integrate("sigmoid", "forward", std, std)
        for value in (found.mean.value, found.std.value, found.rms.value):
            assert value is None or abs(value) <= 1.0


def test_a_tolerance_that_is_missed_is_said_with_the_bound_and_the_tolerance():
    found = integrate("sigmoid", tol=1e-17)
    assert found.status == TOLERANCE_MISSED and "1e-17" in found.reason
    assert integrate("sigmoid", tol=1e-12).status == OK
    assert integrate("sigmoid").std == found.std


def test_auto_takes_the_formula_where_it_serves_and_the_integral_where_it_does_not():
    for spec, direction, std, chosen in (
        ("relu", "forward", 1.0, "closed-form"),
        ("sigmoid", "forward", 1.0, "quadrature"),
        ("max_pool(kernel_size=2)", "forward", 1.0, "closed-form"),
        ("max_pool(kernel_size=3)", "forward", 1.0, "quadrature"),
        ("max_pool(kernel_size=3)", "backward", 1.0, "closed-form"),
        ("relu", "forward", 0.0, "quadrature"),
        ("linear", "forward", 1.0, "closed-form"),
    ):
        assert engine.estimate("auto", catalog.layer(spec), direction, Normal(0.5, std), Effort()).engine == chosen


@pytest.mark.parametrize(("spec", "mean"), [("gelu", -12.0), ("gelu", -20.0)])
def test_auto_falls_through_to_the_engine_of_the_smaller_error(spec, mean):
    layer, law = catalog.layer(spec), Normal(mean, 1.0)
    chosen = engine.estimate("auto", layer, "forward", law, Effort())
    rivals = [engine.get(name).estimate(layer, "forward", law, Effort()) for name in ("closed-form", "quadrature")]
    assert chosen.worst_error == min(rival.worst_error for rival in rivals)
    assert chosen.status == OK


def test_auto_keeps_the_smallest_error_where_every_engine_misses():
    layer, law, effort = catalog.layer("relu"), STANDARD, Effort(tol=1e-18)
    chosen = engine.estimate("auto", layer, "forward", law, effort)
    assert chosen.status == TOLERANCE_MISSED and chosen.error_kind == BOUND
    assert chosen.worst_error <= engine.get("quadrature").estimate(layer, "forward", law, effort).worst_error


def test_a_layer_of_no_one_dimensional_integral_is_declined_with_the_reason():
    with pytest.raises(Unsupported, match="one-dimensional"):
        integrate("linear")


def test_a_mixture_adds_the_variance_between_its_parts():
    class Mixed(Layer):
        """x with probability 0.3, x + 5 otherwise."""

        name = "mixed"

        def components(self, direction, law):
            return [Component(lambda x, m: x, mass=0.25), Component(lambda x, m: x + 5.0, mass=0.75)]

    found = integrate(Mixed(), "forward", 1.0, 2.0)
    assert_covers(found.mean, mpf("4.75"), "mean")
    assert_covers(found.std, mp.sqrt(4 + 25 * mpf("0.1875")), "std")
    assert_covers(found.rms, mp.sqrt(4 + 25 * mpf("0.1875") + mpf("4.75") ** 2), "rms")
