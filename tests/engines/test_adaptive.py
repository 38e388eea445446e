"""The adaptive engine: its estimate of the error is never too small, whatever the function does."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr

from normcal import catalog, engine
from normcal.engine import Effort
from normcal.law import STANDARD, Normal
from normcal.layer import Elementwise
from normcal.numerics import survey
from normcal.numerics.arrays import ARRAYS

DOUBLE, SINGLE, HALF = 2.0**-52, 2.0**-23, 2.0**-10
LAWS = [Normal(0.0, 1.0), Normal(0.5, 2.0), Normal(-3.0, 0.7), Normal(0.1, 1e-3), Normal(0.0, 50.0)]
steady = settings(derandomize=True, database=None, deadline=None, max_examples=25)


def found(f, law, grain=DOUBLE, *, slopes=False):
    with np.errstate(all="ignore"):
        return (survey.slopes if slopes else survey.moments)(f, law.mean, law.std, grain)


def within(value, error, exact, slack=0.0):
    return abs(value - exact) <= error + slack


# -- against the built-in layers

LAYERS = [cls() for cls in catalog.classes().values() if issubclass(cls, Elementwise) and cls().single]


def as_code(layer, dtype):
    return lambda x: np.broadcast_to(np.asarray(layer.f(x.astype(dtype), ARRAYS), dtype), x.shape).astype(float)


@pytest.mark.parametrize("law", LAWS[:2], ids=str)
@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
def test_values_alone_give_what_the_definition_gives(layer, law):
    exact = engine.estimate("auto", layer, "forward", law, Effort())
    mine = found(as_code(layer, float), law)
    assert not mine.reason
    assert within(mine.mean, mine.mean_error, exact.mean.value, exact.mean.error)
    assert within(mine.variance, mine.variance_error, exact.std.value**2, 3.0 * exact.std.value * exact.std.error)


@pytest.mark.parametrize("layer", LAYERS[::6], ids=lambda layer: layer.name)
@pytest.mark.parametrize(("dtype", "grain"), [(float, DOUBLE), (np.float32, SINGLE)], ids=["double", "single"])
def test_differences_give_the_derivative_that_the_definition_has(layer, dtype, grain):
    exact = engine.estimate("auto", layer, "backward", STANDARD, Effort())
    if exact.std.value is not None and exact.std.error is not None:
        mine = found(as_code(layer, dtype), STANDARD, grain, slopes=True)
        assert within(mine.square, mine.square_error, exact.std.value**2, 3.0 * exact.std.value * exact.std.error)


# -- functions whose moments are known by hand


def bump(place, width, law, height=1.0):
    """Return E g and E g^2 of a Gaussian bump."""

    def mean(width):
        wide = width * width + 2.0 * law.std**2
        return width / math.sqrt(wide) * math.exp(-((law.mean - place) ** 2) / wide)

    return height * mean(width), height**2 * mean(width / math.sqrt(2.0))


@steady
@given(
    place=st.floats(-3.0, 3.0), width=st.floats(-3.3, 0.0).map(lambda k: 10.0**k),
    height=st.sampled_from([1e-2, 1.0, 1e4]), law=st.sampled_from(LAWS),
)  # fmt: skip
def test_a_narrow_feature_is_found_wherever_it_is(place, width, height, law):
    at, wide = law.mean + law.std * place, law.std * width
    mean, square = bump(at, wide, law, height)
    mine = found(lambda x: height * np.exp(-(((x - at) / wide) ** 2)), law)
    assert within(mine.mean, mine.mean_error, mean, 1e-13 * mean)
    assert within(mine.square, mine.square_error, square, 1e-13 * square)


def pieces(places, slopes, offsets, law):
    """Return E f, E f^2 and E f'^2 of a function that is straight between places."""
    z = np.concatenate([[-np.inf], (np.asarray(places) - law.mean) / law.std, [np.inf]])
    density = np.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
    outer = np.where(np.isinf(z), 0.0, np.where(np.isinf(z), 0.0, z) * density)
    mass = np.where(z[:-1] > 0.0, ndtr(-z[:-1]) - ndtr(-z[1:]), ndtr(z[1:]) - ndtr(z[:-1]))
    first, second = -np.diff(density), mass - np.diff(outer)
    a, b = np.asarray(slopes) * law.std, np.asarray(offsets)
    return (np.sum(a * first + b * mass), np.sum(a * a * second + 2.0 * a * b * first + b * b * mass),
            np.sum(np.asarray(slopes) ** 2 * mass))  # fmt: skip


@steady
@given(data=st.data(), law=st.sampled_from(LAWS))
def test_kinks_and_jumps_are_found_wherever_they_are(data, law):
    """Also where they lie beside the end of a panel, or beside one another."""
    number = data.draw(st.integers(1, 6))
    beside = data.draw(st.sampled_from([0.0, 1e-12, 1e-6, -1e-9, 3e-4]))
    z = sorted(
        data.draw(st.lists(st.integers(-400, 400).map(lambda k: k / 100.0 + beside), min_size=number, max_size=number))
    )
    some = st.one_of(st.just(0.0), st.floats(-2.0, 2.0).filter(lambda x: abs(x) > 1e-3))
    slopes, offsets = (data.draw(st.lists(some, min_size=number + 1, max_size=number + 1)) for _ in range(2))
    places = law.mean + law.std * np.array(z)
    offsets = law.std * np.array(offsets)

    def f(x):
        piece = np.searchsorted(places, x)
        return np.array(slopes)[piece] * (x - law.mean) + offsets[piece]

    mean, square, steep = pieces(places, slopes, offsets, law)
    mine, its = found(f, law), found(f, law, slopes=True)
    slack = 1e-13 * (square + law.std**2)
    assert within(mine.mean, mine.mean_error, mean, slack / law.std)
    assert within(mine.square, mine.square_error, square, slack)
    assert its.reason or within(its.square, its.square_error, steep, 1e-13 * max(steep, 1.0))


@steady
@given(frequency=st.floats(0.1, 500.0), phase=st.floats(0.0, 6.0))
def test_what_oscillates_is_followed_or_its_error_says_that_it_is_not(frequency, phase):
    mean = math.exp(-0.5 * frequency**2) * math.sin(phase)
    square = 0.5 - 0.5 * math.exp(-2.0 * frequency**2) * math.cos(2.0 * phase)
    mine = found(lambda x: np.sin(frequency * x + phase), STANDARD)
    assert within(mine.mean, mine.mean_error, mean) and within(mine.square, mine.square_error, square)
    assert mine.square_error < 1e-10


#: (what it is, function, grain, E f, E f^2 under N(0, 1))
HARD = [
    ("a rounded tanh", lambda x: np.tanh(x.astype(np.float32)).astype(float), DOUBLE, 0.0, 0.394294490398),
    ("single precision", lambda x: np.tanh(x.astype(np.float32)).astype(float), SINGLE, 0.0, 0.394294490398),
    ("half precision", lambda x: x.astype(np.float16).astype(float), HALF, 0.0, 1.0),
    ("steps of 1/64", lambda x: np.floor(64.0 * x + 0.5) / 64.0, DOUBLE, 0.0, 1.0 + 1.0 / (12.0 * 64.0**2)),
    ("noise", lambda x: x + 1e-6 * np.modf(np.sin(x * 12345.678) * 43758.5453)[0], DOUBLE, 0.0, 1.0),
    ("a jump that is a steep slope", lambda x: np.tanh(1e9 * x), DOUBLE, 0.0, 1.0 - 2e-9 / math.sqrt(2.0 * math.pi)),
    ("a spike far out", lambda x: np.where(np.abs(x - 4.0) < 1e-3, 100.0, 0.0), DOUBLE,
     100.0 * (ndtr(-3.999) - ndtr(-4.001)), 1e4 * (ndtr(-3.999) - ndtr(-4.001))),
    ("a fourth root of infinity", lambda x: np.abs(x) ** -0.25, DOUBLE,
     2.0**-0.125 * math.gamma(0.375) / math.sqrt(math.pi), 2.0**-0.25 * math.gamma(0.25) / math.sqrt(math.pi)),
    ("a logarithm", lambda x: np.log(np.abs(x)), DOUBLE, -0.5 * (np.euler_gamma + math.log(2.0)),
     math.pi**2 / 8.0 + 0.25 * (np.euler_gamma + math.log(2.0)) ** 2),
    ("growth", lambda x: np.exp(3.0 * x), DOUBLE, math.exp(4.5), math.exp(18.0)),
    ("fast growth", lambda x: np.exp(0.2 * x * x), DOUBLE, 0.6**-0.5, 0.2**-0.5),
    ("a little on a lot", lambda x: 1.0 + 1e-10 * x, DOUBLE, 1.0, 1.0),
    ("a value that overflows far out", lambda x: np.log(1.0 + np.exp(30.0 * x)) / 30.0, DOUBLE, None, None),
    ("a hole of one point", lambda x: np.where(x == 0.0, np.nan, np.sin(x) / x), DOUBLE, None, None),
    ("a constant", lambda x: np.full_like(x, -2.5), DOUBLE, -2.5, 6.25),
]  # fmt: skip


@pytest.mark.parametrize(("f", "grain", "mean", "square"), [one[1:] for one in HARD], ids=[one[0] for one in HARD])
def test_what_is_hard_has_an_error_that_covers_it(f, grain, mean, square):
    mine = found(f, STANDARD, grain)
    assert not mine.reason and math.isfinite(mine.mean_error) and math.isfinite(mine.variance_error)
    if mean is not None:
        slack = 1e-11 if "tanh" in str(f) else 1e-13 * (1.0 + square)
        assert within(mine.mean, mine.mean_error, mean, slack)
        assert within(mine.square, mine.square_error, square, slack)


#: (what it is, function, E f'^2 under N(0, 1); None where it does not exist)
STEEP = [
    ("a root", lambda x: np.sqrt(np.abs(x)), None),
    ("a cube root", np.cbrt, None),
    ("a logarithm", lambda x: np.log(np.abs(x)), None),
    ("a pole", lambda x: 1.0 / x, None),
    ("a power above one half", lambda x: np.abs(x) ** 1.5, 2.25 * math.sqrt(2.0 / math.pi)),
    ("a steep slope", lambda x: np.tanh(1e3 * x), 4e3 / 3.0 / math.sqrt(2.0 * math.pi)),
    ("a jump", lambda x: np.where(x > 0.3, x + 5.0, x), 1.0),
    ("many jumps", lambda x: np.floor(3.0 * x) + 2.0 * x, 4.0),
    ("a jump at an end of panels", lambda x: np.where(x > 0.0, 2.0 * x + 1.0, 0.0), 2.0),
    ("the noise of single precision", lambda x: (2.0 * x).astype(np.float32).astype(float), 4.0),
]


@pytest.mark.parametrize(("f", "steep"), [one[1:] for one in STEEP], ids=[one[0] for one in STEEP])
def test_slopes_by_differences_leave_out_jumps_and_refuse_what_has_no_second_moment(f, steep):
    mine = found(f, STANDARD, slopes=True)
    assert bool(mine.reason) == (steep is None), mine
    if steep is not None:
        assert within(mine.square, mine.square_error, steep, 2e-6 * steep if steep > 100.0 else 0.0)


DIVERGING = [
    ("exp(x²/2)", lambda x: np.exp(0.5 * x * x)),
    ("exp(x²/4)", lambda x: np.exp(0.25 * x * x)),
    ("1/x", lambda x: 1.0 / x),
    ("1/(x - 0.3)", lambda x: 1.0 / (x - 0.3)),
    ("|x|^-1/2", lambda x: np.abs(x) ** -0.5),
    ("infinite on an interval", lambda x: np.where(np.abs(x - 1.0) < 0.1, np.inf, x)),
]


@pytest.mark.parametrize("f", [one[1] for one in DIVERGING], ids=[one[0] for one in DIVERGING])
def test_no_error_is_stated_where_the_second_moment_does_not_exist(f):
    mine = found(f, STANDARD)
    assert mine.reason or not math.isfinite(mine.variance_error)


@pytest.mark.parametrize("f", [np.log, np.sqrt, lambda x: np.where(np.abs(x - 1.0) < 0.05, np.nan, x)],
                         ids=["log", "sqrt", "a gap"])  # fmt: skip
def test_where_there_is_no_number_is_said(f):
    with pytest.raises(survey.NoNumber) as refused:
        found(f, STANDARD)
    with np.errstate(all="ignore"):
        assert np.isnan(f(np.array([refused.value.x])))[0]


def test_the_values_that_may_be_spent_are_bounded():
    spent = []

    def f(x):
        spent.append(x.size)
        return np.sin(1e7 * x)

    mine = found(f, STANDARD)
    assert sum(spent) < 3 * survey.MOST_VALUES and mine.square_error > 0.1


def test_it_serves_only_functions_that_nothing_else_is_known_of():
    mine = engine.get("adaptive")
    assert mine.serves(catalog.layer("numpy:tanh", code=True), "forward", STANDARD)
    assert not any(mine.serves(catalog.layer(name), "forward", STANDARD) for name in ("tanh", "relu", "max_pool"))


def test_a_tolerance_is_judged():
    layer = catalog.layer("numpy:tanh", code=True)
    assert engine.estimate("auto", layer, "forward", STANDARD, Effort(tol=1e-10)).status == "ok"
    missed = engine.estimate("auto", layer, "forward", STANDARD, Effort(tol=1e-16))
    assert missed.status == "tolerance-missed" and missed.engine == "adaptive"


def test_a_constant_input_has_the_value_there():
    layer = catalog.layer("numpy:tanh", code=True)
    mine = engine.estimate("auto", layer, "forward", Normal(0.5, 0.0), Effort())
    assert (mine.mean.value, mine.std.value) == (math.tanh(0.5), 0.0)
