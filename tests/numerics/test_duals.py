"""Dual numbers give the derivative of every namespace function and of every elementwise layer."""

import numpy as np
import pytest
from mpmath import mp, mpf

from normcal import catalog
from normcal.layer import Elementwise
from normcal.numerics.arrays import ARRAYS, Arrays
from normcal.numerics.balls import BALLS, Ball, ball
from normcal.numerics.duals import Dual, Duals, lift

DUALS = Duals(ARRAYS)


class Multiprecision:
    """The function namespace once more, by mpmath; shares nothing with the others."""

    abs, erf = staticmethod(mp.fabs), staticmethod(mp.erf)
    minimum = staticmethod(lambda a, b: min(mpf(a), mpf(b)))
    exp, expm1, log1p, sqrt, tanh = map(staticmethod, (mp.exp, mp.expm1, mp.log1p, mp.sqrt, mp.tanh))
    maximum = staticmethod(lambda a, b: max(mpf(a), mpf(b)))
    where = staticmethod(lambda condition, a, b: a if condition else b)
    sin, cos, arctan, asinh, log, floor = map(staticmethod, (mp.sin, mp.cos, mp.atan, mp.asinh, mp.log, mp.floor))
    sech2 = staticmethod(lambda x: mp.sech(x) ** 2)
    sigmoid = staticmethod(lambda x: 1 / (1 + mp.exp(-x)))
    softplus = staticmethod(lambda x: mp.log1p(mp.exp(x)) if x < 0 else x + mp.log1p(mp.exp(-x)))
    phi = staticmethod(lambda x: mp.npdf(x))
    Phi = staticmethod(lambda x: mp.erfc(-x / mp.sqrt(2)) / 2)

    @staticmethod
    def log_Phi(x):
        return mp.log(mp.erfc(-x / mp.sqrt(2)) / 2)


EXACT = Multiprecision()
#: What differentiating numerically leaves of a derivative that is 0.
NOISE = mpf("1e-70")
#: Points off every kink, in the middle and in both tails.
POINTS = (-37.0, -21.0, -12.3, -8.5, -5.1, -2.2, -0.9, -0.3, -1e-4, 1e-4, 0.2, 0.7, 1.6, 3.3, 6.4, 11.0, 24.0, 36.0)
#: name -> where it is defined
FUNCTIONS = {name: (-40.0, 40.0) for name in vars(Arrays) if not name.startswith("_")} | {
    "log1p": (-0.999, 40.0),
    "log": (0.0, 40.0),
    "sqrt": (0.0, 40.0),
}
#: Steps lie at whole numbers, where a derivative is not defined.
STEPPED = ("floor",)
UNARY = [name for name in FUNCTIONS if name not in ("where", "maximum", "minimum")]


def variants(cls):
    """A layer with its defaults, and with each typical value of each parameter in turn."""
    own = [p for p in cls.params if not p.quiet]  # the scales and shifts around f leave f as it is
    specs = [{}]
    specs += [{p.name: value} for p in own for value in (p.domain if isinstance(p.domain, tuple) else p.typical)]
    return list({layer.spec: layer for layer in (cls(**params) for params in specs)}.values())


ELEMENTWISE = [one for cls in catalog.classes().values() if issubclass(cls, Elementwise) for one in variants(cls)]


def inside(name):
    """The points where a function and its derivative are defined."""
    low, high = FUNCTIONS[name]
    return [x for x in POINTS if low < x < high and not (name in STEPPED and x == int(x))]


def off_kinks(layer):
    within = 40.0 / NARROWER.get(layer.name, 1.0)
    return [x for x in POINTS if x not in layer.kinks and abs(x) < within]


#: Layers whose normal tail or wave is narrower than that of the standard normal law.
NARROWER = {"erf": 1.5, "laplace": 3.6, "gaussian": 1.5, "serf": 1.5}
#: Derivatives that pass through 0 are only as good as their largest values.
WAVES = ("sin", "cos", "snake", "sinusoidal_features")


def close(value, exact, x, size=0.0) -> bool:
    """Relative to 1e-13, and to the rounding of an exponent as large as x^2."""
    allowed = (1e-13 + 8 * x * x * 2.0**-53) * max(abs(exact), size)
    return abs(mpf(float(value)) - exact) <= allowed + mpf("1e-310")


def derivative(f, x, order=1, cubic=False, far=None):
    """Differentiate with digits to spare for what the far tails cancel: exp(-x^2/2), or exp(-x^3/14)."""
    size = abs(x if far is None else far)
    with mp.workdps(int(60 + 0.3 * size * size + (0.035 * size**3 if cubic else 4.5 * size))):
        return mp.diff(f, mpf(x), order)


def layer_derivative(layer, x, order=1):
    far = x * NARROWER.get(layer.name, 1.0)
    return derivative(lambda t: layer.f(t, EXACT), x, order, cubic=layer.name == "gelu_tanh", far=far)


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_every_function_of_arrays_is_there_on_duals_and_on_balls(name):
    assert hasattr(BALLS, name)
    assert hasattr(DUALS, name), f"a layer that uses m.{name} has no derivative: add it to Duals"


@pytest.mark.parametrize("name", UNARY)
def test_the_derivative_of_a_function_is_exact_at_many_points(name):
    for x in inside(name):
        slope = DUALS.derivative(lambda t, m: getattr(m, name)(t), np.float64(x))
        exact = derivative(getattr(EXACT, name), x)
        assert close(slope, exact, x), f"{name}'({x}) = {slope!r}, exactly {mp.nstr(exact, 20)}"


@pytest.mark.parametrize("name", UNARY)
def test_the_value_of_a_function_is_exact_at_many_points(name):
    for x in inside(name):
        exact = derivative(getattr(EXACT, name), x, 0)
        assert close(getattr(ARRAYS, name)(np.float64(x)), exact, x), f"{name}({x})"


@pytest.mark.parametrize("name", UNARY)
def test_the_chain_rule_reaches_through_a_function(name):
    low, high = FUNCTIONS[name]

    def inner(t):
        return 0.5 * t * t + 0.3

    for x in (x for x in (-2.0, -0.4, 0.1, 1.7) if low < inner(x) < high):
        slope = DUALS.derivative(lambda t, m: getattr(m, name)(inner(t)), np.float64(x))
        exact = derivative(lambda t: getattr(EXACT, name)(inner(t)), x)
        assert close(slope, exact, inner(x)), name


EXPRESSIONS = {
    "sum": lambda x, m: x + 2.0 * x + (1.0 + x),
    "difference": lambda x, m: (3.0 - x) - x * 4.0 - 1.0,
    "product": lambda x, m: x * m.exp(x) * x,
    "quotient": lambda x, m: (x + 1.0) / (x * x + 2.0),
    "reciprocal": lambda x, m: 1.0 / (1.0 + m.exp(-x)),
    "negation": lambda x, m: -(x * x),
    "choice": lambda x, m: m.where(x > 0.5, x * x, 3.0 * x),
    "choice-by-less": lambda x, m: m.where(x < 0.5, m.expm1(x), 2.0),
    "maximum": lambda x, m: m.maximum(x * x, x + 1.0),
    "maximum-of-a-constant": lambda x, m: m.maximum(0.0, x),
}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_the_derivative_of_an_expression_is_exact(name):
    f = EXPRESSIONS[name]
    for x in (-3.1, -0.6, 0.2, 0.9, 2.4):
        slope = DUALS.derivative(f, np.float64(x))
        assert close(slope, derivative(lambda t: f(t, EXACT), x), x), f"{name} at {x}"


def test_the_derivative_of_a_constant_has_the_shape_of_the_argument():
    x = np.linspace(-1.0, 1.0, 7)
    assert DUALS.derivative(lambda t, m: m.where(t > 5.0, 1.0, 2.0), x).tolist() == [0.0] * 7
    assert DUALS.derivative(lambda t, m: t, x).tolist() == [1.0] * 7


@pytest.mark.parametrize("layer", ELEMENTWISE, ids=lambda layer: layer.spec)
def test_the_derivative_of_a_layer_is_exact_at_many_points(layer):
    points = off_kinks(layer)
    with np.errstate(over="ignore"):
        slopes = DUALS.derivative(layer.f, np.array(points))
    for x, slope in zip(points, slopes, strict=True):
        exact = layer_derivative(layer, x)
        far, size = x * NARROWER.get(layer.name, 1.0), 6.0 if layer.name in WAVES else 0.0
        assert close(slope, exact, far, size), f"{layer.spec} at {x}: {slope!r}, exactly {mp.nstr(exact, 20)}"


@pytest.mark.parametrize("layer", ELEMENTWISE, ids=lambda layer: layer.spec)
def test_balls_hold_value_slope_and_curvature_of_a_layer(layer):
    for x in off_kinks(layer):
        at = Dual(Dual(Ball(np.float64(x)), Ball(1.0)), Dual(Ball(1.0), Ball(0.0)))
        with np.errstate(all="ignore"):
            found = lift(layer.f(at, Duals(Duals(BALLS))))
        value, slope = lift(found.value), lift(found.slope)
        for order, its_ball in enumerate((value.value, value.slope, slope.slope)):
            its_ball = ball(its_ball)
            exact = layer_derivative(layer, x, order)
            far = abs(exact - mpf(float(its_ball.mid)))
            allowed = mpf(float(its_ball.rad)) + abs(exact) * mpf("1e-25") + NOISE
            assert far <= allowed, f"{layer.spec}, order {order}, at {x}"
            assert its_ball.rad < 1e-12 * max(1.0, abs(x), abs(float(exact)) * (1.0 + x * x))


@pytest.mark.parametrize("layer", ELEMENTWISE, ids=lambda layer: layer.spec)
def test_every_kink_that_a_layer_has_is_declared(layer):
    """Beside a declared kink the one-sided slopes differ; everywhere else they agree."""
    for x in sorted({*layer.kinks, 0.0, -3.0, -1.0, 1.0, 3.0, 6.0}):
        beside = np.array([x - 1e-9 * max(abs(x), 1.0), x + 1e-9 * max(abs(x), 1.0)])
        left, right = DUALS.derivative(layer.f, beside)
        scale = max(abs(left), abs(right), 1e-30)
        # the slope itself changes by 2e-9 f'' from one side to the other
        smooth = abs(left - right) <= 1e-6 * scale * (1.0 + getattr(layer, "beta", 1.0)) + 1e-7
        assert smooth or x in layer.kinks, f"{layer.spec} has an undeclared kink at {x}"
