"""Up-sampling and padding, against interpolation written out, NumPy's pad, and transposes."""

import math
from fractions import Fraction

import numpy as np
import pytest

from normcal import catalog
from normcal.law import STANDARD, Normal
from normcal.layer import BACKWARD, FORWARD
from tests.layers.test_structural import LAWS, compute, covers

# --- up-sampling ---


def interpolated(x, s, mode):
    """PyTorch's align_corners=False in one dimension, clamped at the ends, by plain loops."""
    n, y = len(x), []
    for i in range(n * s):
        t = (i + 0.5) / s - 0.5
        if mode == "nearest":
            y.append(x[i // s])
            continue
        at = math.floor(t)
        f = t - at
        if mode == "linear":
            taps = {at: 1 - f, at + 1: f}
        else:
            a = -0.75
            near = [(a + 2) * d**3 - (a + 3) * d**2 + 1 for d in (f, 1 - f)]
            far = [a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a for d in (1 + f, 2 - f)]
            taps = {at - 1: far[0], at: near[0], at + 1: near[1], at + 2: far[1]}
        y.append(sum(w * x[min(max(j, 0), n - 1)] for j, w in taps.items()))
    return y


def interior(s, mode, n=9):
    """The matrix of one dimension, and its mean squared row and column sums in the interior."""
    matrix = np.array([interpolated(row, s, mode) for row in np.eye(n)]).T
    rows, columns = (matrix**2).sum(axis=1), (matrix**2).sum(axis=0)
    return rows[3 * s : -3 * s].mean(), columns[4]


@pytest.mark.parametrize("s", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("mode", ["nearest", "linear", "bicubic"])
def test_up_sampling_is_an_average_over_the_phases_of_interpolation(mode, s):
    forward, backward = interior(s, mode)
    ndim = 2 if mode == "bicubic" else 1
    spec = f"up_sampling(scale_factor={s}, mode={mode}, ndim={ndim})"
    assert compute(spec, law=Normal(0.3, 2.0)).std.value == pytest.approx(2.0 * math.sqrt(forward**ndim), rel=1e-13)
    assert compute(spec, BACKWARD).std.value == pytest.approx(math.sqrt(backward**ndim), rel=1e-13)
    assert compute(spec, law=Normal(0.3, 2.0)).mean.value == 0.3


@pytest.mark.parametrize(
    ("spec", "forward", "backward"),
    [
        ("up_sampling", 1.0, 2.0),
        ("up_sampling(scale_factor=3, ndim=3)", 1.0, 27**0.5),
        ("up_sampling(scale_factor=(2, 3))", 1.0, 6**0.5),
        ("UpSampling1D", 1.0, 2**0.5),
        ("up_sampling(mode=bilinear)", 0.625, 1.25),
        ("up_sampling(mode=trilinear)", 0.625**1.5, 1.25**1.5),
        ("up_sampling(mode=linear)", 0.625**0.5, 1.25**0.5),
        ("upsample(mode=linear, ndim=2, scale_factor=(1, 3))", (19 / 27) ** 0.5, (19 / 9) ** 0.5),
    ],
)
def test_dimensions_of_up_sampling_multiply(spec, forward, backward):
    assert compute(spec).std.value == pytest.approx(forward, rel=1e-15)
    assert compute(spec, BACKWARD).std.value == pytest.approx(backward, rel=1e-15)


@pytest.mark.parametrize("mode", ["nearest", "bilinear", "bicubic"])
def test_simulated_up_sampling_runs_the_interpolation(mode):
    """The map is periodic: plain loops on a map continued by hand, and the transpose by differences."""
    layer = catalog.layer(f"up_sampling(scale_factor=3, mode={mode})")
    y = layer.simulate(FORWARD, np.random.default_rng(3), 4, STANDARD)
    side = layer._side()
    x = STANDARD.sample(np.random.default_rng(3), (4, side, side))
    wide = np.pad(x, [(0, 0), (2 * side, 2 * side), (2 * side, 2 * side)], mode="wrap")
    one = {"bilinear": "linear"}.get(mode, mode)
    expected = np.apply_along_axis(interpolated, 1, wide, 3, one)
    expected = np.apply_along_axis(interpolated, 2, expected, 3, one)
    cut = slice(6 * side, 9 * side)
    assert np.allclose(y, expected[:, cut, cut].reshape(4, -1), atol=1e-13)
    dx = layer.simulate(BACKWARD, np.random.default_rng(4), 4, STANDARD)
    dy = np.random.default_rng(4).standard_normal((4, 3 * side, 3 * side))
    matrix = layer._matrix(3, side)
    assert np.allclose(dx, np.einsum("rij,ia,jb->rab", dy, matrix, matrix).reshape(4, -1), atol=1e-13)


# --- padding ---


@pytest.mark.parametrize("law", LAWS, ids=str)
@pytest.mark.parametrize(
    ("spec", "sizes", "pads", "value"),
    [
        ("zero_padding", (7, 7), (1, 1), 0),
        ("ZeroPad1d(padding=3, input_size=4)", (4,), (3,), 0),
        ("zero_padding(padding=(1, 0), input_size=(3, 5))", (3, 5), (1, 0), 0),
        ("ConstantPad3d(padding=2, input_size=3, value=-1.5)", (3, 3, 3), (2, 2, 2), -1.5),
        ("zero_padding(padding=0)", (7, 7), (0, 0), 0),
    ],
)
def test_zeros_around_a_map_make_a_mixture(spec, sizes, pads, value, law):
    inside, whole = math.prod(sizes), math.prod(n + 2 * p for n, p in zip(sizes, pads, strict=True))
    mean, std, v = Fraction(law.mean), Fraction(law.std), Fraction(value)
    first = (inside * mean + (whole - inside) * v) / whole
    square = (inside * (mean**2 + std**2) + (whole - inside) * v**2) / whole
    found = compute(spec, law=law)
    assert covers(found.mean, first**2, 1 if first >= 0 else -1) and covers(found.std, square - first**2)
    assert compute(spec, BACKWARD, law).std.value == 1.0


@pytest.mark.parametrize(("name", "mode"), [("reflection", "reflect"), ("replication", "edge"), ("circular", "wrap")])
@pytest.mark.parametrize(("sizes", "pads"), [((5,), (2,)), ((3, 4), (1, 2)), ((6, 4), (0, 3)), ((2, 3, 4), (1, 1, 1))])
def test_copies_around_a_map_give_their_gradients_back(name, mode, sizes, pads):
    spec = f"{name}_padding(padding={pads}, input_size={sizes}, ndim={len(sizes)})"
    count = np.zeros(sizes)
    index = np.pad(np.arange(count.size).reshape(sizes), [(p, p) for p in pads], mode=mode)
    for at in index.ravel():
        count.ravel()[at] += 1
    assert compute(spec, BACKWARD).std.value == pytest.approx(math.sqrt(count.mean()), rel=1e-15)
    found = compute(spec, law=Normal(0.5, 2.0))
    assert (found.mean.value, found.std.value) == (0.5, 2.0)


@pytest.mark.parametrize("name", ["zero", "reflection", "replication", "circular"])
def test_simulated_padding_copies_and_sums(name):
    layer = catalog.layer(f"{name}_padding(padding=2, input_size=3, ndim=1)")
    order = {"zero": [None, None, 0, 1, 2, None, None], "reflection": [2, 1, 0, 1, 2, 1, 0],
             "replication": [0, 0, 0, 1, 2, 2, 2], "circular": [1, 2, 0, 1, 2, 0, 1]}[name]  # fmt: skip
    y = layer.simulate(FORWARD, np.random.default_rng(6), 5, Normal(1.0, 2.0))
    x = Normal(1.0, 2.0).sample(np.random.default_rng(6), (5, 3))
    assert y.tolist() == [[0.0 if at is None else row[at] for at in order] for row in x.tolist()]
    dx = layer.simulate(BACKWARD, np.random.default_rng(7), 5, STANDARD)
    dy = np.random.default_rng(7).standard_normal((5, 7))
    expected = [[sum(g for g, at in zip(row, order, strict=True) if at == j) for j in range(3)] for row in dy.tolist()]
    assert np.allclose(dx, expected, atol=1e-15)
