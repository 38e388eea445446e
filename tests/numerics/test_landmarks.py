"""Kinks, jumps, singular points and scales of functions are found, at any parameters; what cannot be is said."""

import math

import numpy as np
import pytest

from normcal.engines._integrate import PanelIntegrals
from normcal.law import Normal
from normcal.layer import BACKWARD, FORWARD, Component
from normcal.numerics.balls import Ball
from normcal.numerics.discs import DISCS, Disc
from normcal.numerics.infinities import infinite
from normcal.numerics.landmarks import landmarks

REACH = 39.0


def found(f, mean=0.0, std=1.0):
    return landmarks(f, mean - REACH * std, mean + REACH * std)


def moments(f, mean=0.0, std=1.0):
    """Return (mean, std, backward std) as balls."""
    places, law = found(f, mean, std), Normal(mean, std)
    assert not places.trouble
    component = Component(f, places.edges, places.features)
    with np.errstate(all="ignore"):
        integrals = PanelIntegrals()
        return (*integrals.moments(component, law)[:2], integrals.slope(component, law))


def _elu(x, m):
    return m.where(x > 0.0, x, 2.0 * m.expm1(x))


#: name -> (function, exact kinks, exact jumps, exact singular points)
PLACES = {
    "relu": (lambda x, m: m.maximum(x, 0.0), [0.0], [], []),
    "shifted": (lambda x, m: m.maximum(x, 0.1234567), [0.1234567], [], []),
    "nested-abs": (lambda x, m: m.abs(m.abs(x) - 1.0), [-1.0, 0.0, 1.0], [], []),
    "nested-maximum": (
        lambda x, m: m.maximum(m.maximum(x, 0.3), m.minimum(x * x, 2.0)),
        [-math.sqrt(2.0), -math.sqrt(0.3), 0.3, 1.0, math.sqrt(2.0), 2.0], [], [],
    ),
    "step": (lambda x, m: m.where(x > 0.1234567, 1.0, 0.0) * x, [], [0.1234567], []),
    "curved-condition": (lambda x, m: m.where(m.tanh(3.0 * x) > 0.5, x, -x), [], [math.atanh(0.5) / 3.0], []),
    "sign-of-sine": (
        lambda x, m: m.where(m.abs(x) > 7.0, 0.0, m.where(m.sin(x) > 0.0, 1.0, -1.0)),
        [], [-7.0, -2 * math.pi, -math.pi, 0.0, math.pi, 2 * math.pi, 7.0], [],
    ),
    "floor": (
        lambda x, m: m.where(m.abs(x) > 1.2, 0.0, m.floor(2.0 * x)), [], [-1.2, -1.0, -0.5, 0.0, 0.5, 1.0, 1.2], [],
    ),
    "closed-condition": (lambda x, m: m.where(m.floor(x) >= 0.0, 1.0, 0.0), [], [0.0], []),
    "two-conditions-at-once": (
        lambda x, m: m.where(x > 0.0, 1.0, m.where(x < 0.0, -1.0, 0.0)), [], [0.0], [],
    ),
    "touching-condition": (lambda x, m: m.where(x * x > 0.0, x, 3.0), [], [], []),
    "abs-of-a-square": (lambda x, m: m.abs(x * x), [], [], []),
    "overflow-in-a-branch-not-taken": (
        lambda x, m: _elu(_elu(x, m), m), [0.0], [], [],
    ),
    "same-operands": (lambda x, m: m.maximum(x, x), [], [], []),
    "equal-operands": (lambda x, m: m.maximum(x + 1.0 - 1.0, x), [], [], []),
    "nothing": (lambda x, m: (1.0 + x) - 1.0 - x, [], [], []),
    "condition-of-no-effect": (lambda x, m: m.where(x > 1.0, m.exp(x), m.exp(x)), [], [], []),
    "branch-not-taken": (lambda x, m: m.where(x > 0.0, m.log1p(x), 0.0), [0.0], [], []),
    "pole": (lambda x, m: 1.0 / (x - 0.3), [], [], [0.3]),
    "logarithm": (lambda x, m: m.log(m.abs(x)), [], [], [0.0]),
    "root": (lambda x, m: m.sqrt(m.abs(3.0 * x - 1.0)), [], [], [1.0 / 3.0]),
}  # fmt: skip


@pytest.mark.parametrize("case", PLACES.values(), ids=PLACES)
def test_every_place_is_found_and_within_its_radius(case):
    f, *expected = case
    places = found(f)
    assert not places.trouble
    for mine, exact in zip((places.kinks, places.jumps, places.singular), expected, strict=True):
        assert len(mine) == len(exact)
        for ball, x in zip(mine, exact, strict=True):
            assert abs(ball.mid - x) <= ball.rad + 2.0**-52 * abs(x) and ball.rad <= 1e-12 * max(abs(x), 1.0)


TROUBLES = {
    "oscillates": lambda x, m: m.sin(1e4 * x),
    "oscillates-at-a-point": lambda x, m: m.sin(1.0 / x),
    "jumps-everywhere": lambda x, m: m.where(m.sin(1e9 * x) > 0.0, 1.0, -1.0),
    "no-number": lambda x, m: m.log(x),
    "condition-on-no-number": lambda x, m: m.where(m.log1p(x) > 0.3, 1.0, x),
    "essential-singularity": lambda x, m: m.exp(1.0 / x),
    "slow-integral": lambda x, m: m.power(m.abs(x), -0.4985),
    "looks-into-its-variable": lambda x, m: x if x > 0.0 else -x,
}


@pytest.mark.parametrize("f", TROUBLES.values(), ids=TROUBLES)
def test_what_cannot_be_resolved_is_said(f):
    assert found(f).trouble


def spike(x, m):
    """Return a peak of height 1 and width 1e-4."""
    u = 1e4 * (x - 0.3)
    return m.exp(-(u * u))


NARROW = {
    "steep": (lambda x, m: m.tanh(1e8 * x), 0.0, 0.99999999601057711),
    "spike": (spike, 6.7599230066356601e-05, 0.0069134148133449309),
    "spike-on-a-slope": (lambda x, m: 1e-9 * x + spike(x, m), 6.7599230066356601e-05, None),
    "pole-beside-the-line": (lambda x, m: 1.0 / (1.0 + 1e8 * x * x), 0.00012532141435817375, None),
    "fast-sine": (lambda x, m: m.sin(100.0 * x), 0.0, math.sqrt(0.5)),
    "flat-far-out": (lambda x, m: m.exp(-m.exp(x)), None, None),
}  # fmt: skip


@pytest.mark.parametrize("case", NARROW.values(), ids=NARROW)
def test_what_is_narrow_is_not_missed(case):
    f, mean, std = case
    its_mean, its_std, _ = moments(f)
    assert its_std.rad <= 1e-11 * its_std.mid
    for mine, exact in ((its_mean, mean), (its_std, std)):
        assert exact is None or abs(mine.mid - exact) <= mine.rad + 1e-15 * abs(exact)


#: name -> (function, mean, std) of quotients whose numerator and denominator vanish together
REMOVABLE = {
    "sin(x)/x": (lambda x, m: m.sin(x) / x, 0.85562439189214880317, 0.17850085417192018101),
    "tanh(x)/x": (lambda x, m: m.tanh(x) / x, 0.8219985643821087179, 0.1669700740390461),
    "(exp(x)-1)/x": (lambda x, m: (m.exp(x) - 1.0) / x, 1.1949576619102276282, 0.74051527743324112438),
}


@pytest.mark.parametrize("case", REMOVABLE.values(), ids=REMOVABLE)
def test_a_quotient_of_two_zeros_is_no_pole(case):
    f, mean, std = case
    places = found(f)
    assert not places.trouble and not places.edges
    its_mean, its_std, _ = moments(f)
    assert abs(its_mean.mid - mean) <= its_mean.rad + 1e-15 and its_mean.rad < 1e-10
    assert abs(its_std.mid - std) <= its_std.rad + 1e-15


@pytest.mark.parametrize("offset", [1e-17, 1e-8])
def test_a_quotient_of_nearly_two_zeros_is_one(offset):
    assert infinite(lambda x, m: (x - offset) / x, Normal(), FORWARD)


def absolute_moment(p):
    """Return E |Z|^p."""
    return 2.0 ** (p / 2.0) * math.gamma((p + 1.0) / 2.0) / math.sqrt(math.pi)


@pytest.mark.parametrize("power", [-0.4, -0.25, -0.1, 0.5, 0.55, 0.7, 0.9])
def test_singular_points_are_integrated_to_the_end(power):
    f = lambda x, m: m.power(m.abs(x), power)  # noqa: E731
    mean, std, slope = moments(f)
    exact = absolute_moment(power)
    assert abs(mean.mid - exact) <= mean.rad + 1e-14 and mean.rad < 1e-13
    assert abs(std.mid - math.sqrt(absolute_moment(2 * power) - exact**2)) <= std.rad + 1e-14
    if power > 0.5:
        assert abs(slope.mid - power * math.sqrt(absolute_moment(2 * power - 2))) <= slope.rad + 1e-13


def test_a_singular_point_that_is_no_double_costs_digits_and_says_so():
    mean, _, _ = moments(lambda x, m: m.power(m.abs(x - 0.3), -0.4))
    assert 1e-13 < mean.rad < 1e-6 and abs(mean.mid - 1.44334771) < 1e-7


#: name -> (function, whether f has an infinite second moment, whether f' has)
INFINITE = {
    "1/x": (lambda x, m: 1.0 / x, True, True),
    "x^-2": (lambda x, m: x**-2, True, True),
    "log": (lambda x, m: m.log(m.abs(x)), False, True),
    "sqrt": (lambda x, m: m.sqrt(m.abs(x)), False, True),
    "sqrt-off-centre": (lambda x, m: m.sqrt(m.abs(3.0 * x - 1.0)), False, True),
    "x^0.51": (lambda x, m: m.power(m.abs(x), 0.51), False, False),
    "x^-0.499": (lambda x, m: m.power(m.abs(x), -0.499), False, True),
    "exp(x^2)": (lambda x, m: m.exp(x * x), True, True),
    "exp(x^2/4)": (lambda x, m: m.exp(x * x / 4.0), True, True),
    "exp(x^2/4.01)": (lambda x, m: m.exp(x * x / 4.01), False, False),
    "exp(x^2/4)/(1+x^2)": (lambda x, m: m.exp(x * x / 4.0) / (1.0 + x * x), False, False),
    "exp(exp(x))": (lambda x, m: m.exp(m.exp(x)), True, True),
    "one-sided": (lambda x, m: m.exp(x * m.maximum(x, 0.0)), True, True),
    "polynomial": (lambda x, m: x**12, False, False),
    "tanh": (lambda x, m: m.tanh(x), False, False),
    "branch-not-taken": (lambda x, m: m.where(x > 0.0, m.log1p(x), 0.0), False, False),
}


@pytest.mark.parametrize("case", INFINITE.values(), ids=INFINITE)
def test_infinite_is_claimed_where_it_is_true_and_only_there(case):
    f, forward, backward = case
    assert bool(infinite(f, Normal(), FORWARD)) is forward
    assert bool(infinite(f, Normal(), BACKWARD)) is backward


@pytest.mark.parametrize("law", [Normal(3.0, 0.01), Normal(1e6, 1.0)], ids=str)
def test_what_is_infinite_is_so_however_far_out_the_singular_point_lies(law):
    assert infinite(lambda x, m: 1.0 / x, law, FORWARD)
    assert infinite(lambda x, m: 1.0 / (x - 0.3), law, FORWARD)
    assert not infinite(lambda x, m: m.where(x > 2.0, 1.0 / x, x), law, FORWARD)
    assert not infinite(lambda x, m: 1.0 / (1.0 + x * x), law, BACKWARD)


def test_growth_is_judged_against_the_law():
    f = lambda x, m: m.exp(x * x)  # noqa: E731
    assert not infinite(f, Normal(0.0, 0.4), FORWARD)
    assert infinite(f, Normal(0.0, 0.6), FORWARD)
    assert not infinite(f, Normal(0.0, 0.0), FORWARD)


def test_an_input_that_is_constant_has_the_kinks_that_it_lies_on():
    f = lambda x, m: m.maximum(x, 0.5)  # noqa: E731
    assert [b.mid for b in landmarks(f, 0.5, 0.5).kinks] == [0.5]
    assert landmarks(f, 0.4, 0.4).kinks == ()


SCALES = [(0.0, 1e-6), (1e6, 1.0), (0.3, 1e-300), (0.0, 1e200), (-2.0, 0.5)]


@pytest.mark.parametrize(("mean", "std"), SCALES, ids=str)
def test_a_smooth_function_is_resolved_at_every_input(mean, std):
    places = found(lambda x, m: x * m.tanh(m.softplus(x)), mean, std)
    assert not places.trouble and not places.edges


DISC_CASES = ["exp", "expm1", "sin", "cos", "arctan", "asinh", "tanh", "sech2", "sigmoid", "phi"]


@pytest.mark.parametrize("name", DISC_CASES)
def test_a_disc_holds_the_function_on_the_circle_of_its_operand(name):
    """The function of complex numbers is NumPy's, or made of its functions."""
    plain = {
        "arctan": np.arctan, "asinh": np.arcsinh, "sech2": lambda z: 1.0 / np.cosh(z) ** 2,
        "sigmoid": lambda z: 1.0 / (1.0 + np.exp(-z)), "phi": lambda z: np.exp(-z * z / 2.0) / math.sqrt(2.0 * math.pi),
    }.get(name) or getattr(np, name)  # fmt: skip
    circle = np.exp(2j * np.pi * np.arange(64) / 64)
    for mid in (-3.0, -0.4, 0.0, 0.7, 5.0):
        for rad in (1e-6, 0.1, 0.9, 2.5):
            with np.errstate(all="ignore"):
                found = getattr(DISCS, name)(Disc(np.array([mid]), np.array([rad])))
                off = np.abs(plain(mid + rad * circle) - plain(complex(mid)))
            assert not np.any(off > found.rad[0] * (1.0 + 1e-9) + 1e-12 * abs(found.mid[0]))
            assert rad > 0.1 or found.rad[0] < np.inf


def test_places_are_balls():
    assert all(isinstance(ball, Ball) for ball in found(lambda x, m: m.abs(x)).edges)
