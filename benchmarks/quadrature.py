"""The bare rule: what the plainest fast code pays for E f, E f^2 and E f'^2 of activations, with no error stated.

A composite Gauss-Legendre rule of about 300 nodes, the edges of its panels on the kinks, and for each
activation a pair of hand-written lines that give f and f' at once. It is the yardstick of whole tables.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
from numpy.polynomial.legendre import leggauss

REACH, PANELS, NODES = 11.0, 14, 20
_X, _W = leggauss(NODES)
_SQRT_2PI, _SQRT_HALF, _TWO_BY_SQRT_PI = math.sqrt(2.0 * math.pi), math.sqrt(0.5), 2.0 / math.sqrt(math.pi)
Pair = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def rule(kinks: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes, and weights that hold the normal density."""
    edges = np.array(sorted({*np.linspace(-REACH, REACH, PANELS + 1).tolist(), *kinks}))
    half = 0.5 * np.diff(edges)
    z = ((edges[:-1] + half)[:, None] + half[:, None] * _X).ravel()
    return z, (half[:, None] * _W).ravel() * np.exp(-0.5 * z * z) * (1.0 / _SQRT_2PI)


def moments(pair: Pair, z: np.ndarray, w: np.ndarray) -> tuple[float, float, float]:
    """Return E f, E f^2 and E f'^2."""
    f, slope = pair(z)
    return float(w @ f), float(w @ (f * f)), float(w @ (slope * slope))


def table() -> dict[str, tuple[float, float, float]]:
    """Return the moments of every activation below; a rule is built once for all that share their kinks."""
    rules = {kinks: rule(kinks) for kinks in {kinks for kinks, _ in ACTIVATIONS.values()}}
    return {spec: moments(pair, *rules[kinks]) for spec, (kinks, pair) in ACTIVATIONS.items()}


#: SPEC -> kinks, pair
ACTIVATIONS: dict[str, tuple[tuple[float, ...], Pair]] = {}


def _of(spec: str, *kinks: float):
    def keep(pair: Pair) -> Pair:
        ACTIVATIONS[spec] = (kinks, pair)
        return pair

    return keep


@functools.cache
def _special():
    import scipy.special  # where it is needed: who counts instructions need not count this

    return scipy.special


def _sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


@_of("identity")
def _identity(x):
    return x, np.ones_like(x)


@_of("relu", 0.0)
def _relu(x):
    return np.maximum(x, 0.0), (x > 0.0).astype(float)


@_of("leaky_relu", 0.0)
def _leaky_relu(x):
    slope = np.where(x > 0.0, 1.0, 0.01)
    return slope * x, slope


@_of("prelu", 0.0)
def _prelu(x):
    slope = np.where(x > 0.0, 1.0, 0.25)
    return slope * x, slope


@_of("abs", 0.0)
def _abs(x):
    return np.abs(x), np.sign(x)


@_of("relu6", 0.0, 6.0)
def _relu6(x):
    f = np.minimum(np.maximum(x, 0.0), 6.0)
    return f, (f == x).astype(float)


@_of("clipped_relu", 0.0, 1.0)
def _clipped_relu(x):
    f = np.minimum(np.maximum(x, 0.0), 1.0)
    return f, (f == x).astype(float)


@_of("hardtanh", -1.0, 1.0)
def _hardtanh(x):
    f = np.minimum(np.maximum(x, -1.0), 1.0)
    return f, (f == x).astype(float)


@_of("hardsigmoid", -3.0, 3.0)
def _hardsigmoid(x):
    return np.minimum(np.maximum(x + 3.0, 0.0), 6.0) / 6.0, (np.abs(x) < 3.0) / 6.0


@_of("hardshrink", -0.5, 0.5)
def _hardshrink(x):
    slope = (np.abs(x) > 0.5).astype(float)
    return x * slope, slope


@_of("softshrink", -0.5, 0.5)
def _softshrink(x):
    f = x - np.minimum(np.maximum(x, -0.5), 0.5)
    return f, (f != 0.0).astype(float)


@_of("threshold", 1.0)
def _threshold(x):
    slope = (x > 1.0).astype(float)
    return x * slope, slope


@_of("relu_squared", 0.0)
def _relu_squared(x):
    f = np.maximum(x, 0.0)
    return f * f, 2.0 * f


@_of("square")
def _square(x):
    return x * x, 2.0 * x


@_of("cube")
def _cube(x):
    square = x * x
    return square * x, 3.0 * square


@_of("elu", 0.0)
def _elu(x):
    below = np.expm1(np.minimum(x, 0.0))
    return np.maximum(x, 0.0) + below, below + 1.0


@_of("selu", 0.0)
def _selu(x):
    scale, alpha = 1.0507009873554805, 1.6732632423543772
    below = np.expm1(np.minimum(x, 0.0)) * alpha
    return scale * (np.maximum(x, 0.0) + below), scale * np.where(x > 0.0, 1.0, below + alpha)


@_of("celu", 0.0)
def _celu(x):
    return _elu(x)


@_of("softplus")
def _softplus(x):
    e = np.exp(x)
    return np.log1p(e), e / (1.0 + e)


@_of("squareplus")
def _squareplus(x):
    root = np.sqrt(x * x + 4.0)
    return 0.5 * (x + root), 0.5 * (1.0 + x / root)


@_of("bent_identity")
def _bent_identity(x):
    root = np.sqrt(x * x + 1.0)
    return 0.5 * (root - 1.0) + x, 0.5 * x / root + 1.0


@_of("exp")
def _exp(x):
    e = np.exp(x)
    return e, e


@_of("gaussian")
def _gaussian(x):
    e = np.exp(-x * x)
    return e, -2.0 * x * e


@_of("sin")
def _sin(x):
    return np.sin(x), np.cos(x)


@_of("cos")
def _cos(x):
    return np.cos(x), -np.sin(x)


@_of("snake")
def _snake(x):
    s = np.sin(x)
    return x + s * s, 1.0 + 2.0 * s * np.cos(x)


@_of("gelu")
def _gelu(x):
    phi = 0.5 + 0.5 * _special().erf(x * _SQRT_HALF)
    return x * phi, phi + x * np.exp(-0.5 * x * x) * (1.0 / _SQRT_2PI)


@_of("gelu_tanh")
def _gelu_tanh(x):
    c, square = math.sqrt(2.0 / math.pi), x * x
    t = np.tanh(c * x * (1.0 + 0.044715 * square))
    return 0.5 * x * (1.0 + t), 0.5 * (1.0 + t + x * (1.0 - t * t) * c * (1.0 + 0.134145 * square))


@_of("silu")
def _silu(x):
    s = _sigmoid(x)
    f = x * s
    return f, s + f * (1.0 - s)


@_of("quick_gelu")
def _quick_gelu(x):
    s = _sigmoid(1.702 * x)
    f = x * s
    return f, s + 1.702 * f * (1.0 - s)


@_of("hardswish", -3.0, 3.0)
def _hardswish(x):
    gate = np.minimum(np.maximum(x + 3.0, 0.0), 6.0) / 6.0
    return x * gate, gate + x * (np.abs(x) < 3.0) / 6.0


@_of("mish")
def _mish(x):
    e = np.exp(x)
    n = e * (e + 2.0)
    t = n / (n + 2.0)
    return x * t, t + x * (1.0 - t * t) * e / (1.0 + e)


@_of("serf")
def _serf(x):
    e = np.exp(x)
    soft = np.log1p(e)
    t = _special().erf(soft)
    return x * t, t + x * _TWO_BY_SQRT_PI * np.exp(-soft * soft) * e / (1.0 + e)


@_of("tanh_exp")
def _tanh_exp(x):
    e = np.exp(x)
    t = np.tanh(e)
    return x * t, t + x * e * (1.0 - t * t)


@_of("phish")
def _phish(x):
    g, slope = _gelu(x)
    t = np.tanh(g)
    return x * t, t + x * (1.0 - t * t) * slope


@_of("logish")
def _logish(x):
    s = _sigmoid(x)
    log = np.log1p(s)
    return x * log, log + x * s * (1.0 - s) / (1.0 + s)


@_of("lisht")
def _lisht(x):
    t = np.tanh(x)
    return x * t, t + x * (1.0 - t * t)


@_of("elish", 0.0)
def _elish(x):
    e = np.exp(np.minimum(x, 0.0))
    s, above = _sigmoid(x), x > 0.0
    left = np.where(above, x, e - 1.0)
    return left * s, np.where(above, 1.0, e) * s + left * s * (1.0 - s)


@_of("tanhshrink")
def _tanhshrink(x):
    t = np.tanh(x)
    return x - t, t * t


@_of("sigmoid")
def _logistic(x):
    s = _sigmoid(x)
    return s, s * (1.0 - s)


@_of("log_sigmoid")
def _log_sigmoid(x):
    e = np.exp(-x)
    return -np.log1p(e), e / (1.0 + e)


@_of("tanh")
def _tanh(x):
    t = np.tanh(x)
    return t, 1.0 - t * t


@_of("scaled_tanh")
def _scaled_tanh(x):
    t = np.tanh((2.0 / 3.0) * x)
    return 1.7159 * t, (1.7159 * 2.0 / 3.0) * (1.0 - t * t)


@_of("softsign", 0.0)
def _softsign(x):
    d = 1.0 / (1.0 + np.abs(x))
    return x * d, d * d


@_of("arctan")
def _arctan(x):
    return np.arctan(x), 1.0 / (1.0 + x * x)


@_of("asinh")
def _asinh(x):
    return np.arcsinh(x), 1.0 / np.sqrt(1.0 + x * x)


@_of("erf")
def _erf(x):
    return _special().erf(x), _TWO_BY_SQRT_PI * np.exp(-x * x)
