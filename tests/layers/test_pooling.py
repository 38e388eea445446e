"""Maximum and average pooling: order statistics, overlap, dimensions, parameters."""

import itertools
import math
import time

import numpy as np
import pytest
from mpmath import mp, mpf

from normcal import catalog, engine
from normcal.engine import Effort
from normcal.errors import RequestError, Unsupported
from normcal.law import STANDARD, Normal
from normcal.result import OK


def compute(spec, direction="forward", law=STANDARD, name="auto"):
    return engine.estimate(name, catalog.layer(spec), direction, law, Effort())


def assert_value(value, exact, tight=1e-13):
    assert abs(mpf(value.value) - mpf(exact)) <= mpf(value.error) <= mpf(tight) * max(abs(mpf(exact)), 1)


ROOT_PI = mp.sqrt(mp.pi)
#: n -> mean and variance of the largest of n (Bose & Gupta 1959; David & Nagaraja 2003, section 4.2)
ELEMENTARY = {
    1: (0, 1),
    2: (1 / ROOT_PI, 1 - 1 / mp.pi),
    3: (3 / (2 * ROOT_PI), 1 + mp.sqrt(3) / (2 * mp.pi) - 9 / (4 * mp.pi)),
    4: (6 / mp.pi**1.5 * mp.atan(mp.sqrt(2)), 1 + mp.sqrt(3) / mp.pi - (6 / mp.pi**1.5 * mp.atan(mp.sqrt(2))) ** 2),
    5: (
        15 / mp.pi**1.5 * mp.atan(mp.sqrt(2)) - 5 / (2 * ROOT_PI),
        1 + 5 * mp.sqrt(3) / (4 * mp.pi) + 5 * mp.sqrt(3) / (2 * mp.pi**2) * mp.asin(mpf(1) / 4)
        - (15 / mp.pi**1.5 * mp.atan(mp.sqrt(2)) - 5 / (2 * ROOT_PI)) ** 2,
    ),
}  # fmt: skip
#: means to the digits of Harter 1961, Expected values of normal order statistics, table 1
HARTER = {6: 1.26721, 8: 1.42360, 9: 1.48501, 10: 1.53875, 16: 1.76599, 25: 1.96531, 50: 2.24907, 100: 2.50759}
#: variances to the digits of Teichroew 1956 for the largest of n
TEICHROEW = {2: 0.68169, 4: 0.49172, 9: 0.35735, 10: 0.34434}


@pytest.mark.parametrize("name", ["closed-form", "quadrature"])
@pytest.mark.parametrize("n", ELEMENTARY)
def test_the_largest_of_up_to_five_has_its_elementary_moments(n, name):
    mean, variance = ELEMENTARY[n]
    found = compute(f"max_pool(kernel_size={n}, ndim=1)", name=name)
    assert_value(found.mean, mean)
    assert_value(found.std, mp.sqrt(variance))
    assert_value(found.rms, mp.sqrt(variance + mean**2))


@pytest.mark.parametrize("n", HARTER)
def test_the_mean_of_the_largest_is_the_tabulated_one(n):
    assert round(compute(f"max_pool(kernel_size={n}, ndim=1)").mean.value, 5) == HARTER[n]


@pytest.mark.parametrize("n", TEICHROEW)
def test_the_variance_of_the_largest_is_the_tabulated_one(n):
    assert round(compute(f"max_pool(kernel_size={n}, ndim=1)").std.value ** 2, 5) == TEICHROEW[n]


@pytest.mark.parametrize("n", [7, 1000, 10**6, 10**8])
def test_the_law_of_the_input_shifts_and_scales_the_largest(n):
    spec = f"max_pool(kernel_size={n}, ndim=1)"
    standard = compute(spec)
    for law in (Normal(0.5, 2.0), Normal(-12.0, 1.0), Normal(0.0, 1e-3), Normal(50.0, 1.0), Normal(1e150, 1e149)):
        found = compute(spec, law=law)
        mean = law.mean + law.std * standard.mean.value
        assert abs(found.mean.value - mean) <= found.mean.error + law.std * standard.mean.error + 4e-16 * abs(mean)
        assert found.std.value == pytest.approx(law.std * standard.std.value, rel=1e-13)
        assert found.status == OK


def test_the_largest_of_very_many_follows_the_extreme_value_law():
    """Location b with n (1 - Phi(b)) = 1, scale 1/b; corrections fall like 1/log n."""
    n = 10**8
    with mp.workdps(20):
        b = mp.findroot(lambda x: n * mp.erfc(x / mp.sqrt(2)) / 2 - 1, 5.6)
    found = compute(f"max_pool(kernel_size={n}, ndim=1)")
    assert found.mean.value == pytest.approx(float(b + mp.euler / b), rel=5e-3)
    assert found.std.value == pytest.approx(float(mp.pi / mp.sqrt(6) / b), rel=0.08)


def test_the_time_of_a_largest_does_not_grow_with_n():
    for n in (10, 10**8):
        start = time.perf_counter()
        compute(f"max_pool(kernel_size={n}, ndim=1)", name="quadrature")
        assert time.perf_counter() - start < 2.0


@pytest.mark.parametrize("n", [2, 9, 1000, 10**6])
@pytest.mark.parametrize("name", ["closed-form", "quadrature"])
def test_each_entry_wins_once_in_n(n, name):
    assert_value(compute(f"max_pool(kernel_size={n}, ndim=1)", "backward", name=name).std, 1 / mp.sqrt(n))


@pytest.mark.parametrize(
    ("spec", "n", "step"),
    [
        ("max_pool(kernel_size=3)", 9, 9),
        ("max_pool(kernel_size=3, stride=2)", 9, 4),
        ("max_pool(kernel_size=3, stride=1)", 9, 1),
        ("max_pool(kernel_size=2, ndim=3)", 8, 8),
        ("max_pool(kernel_size=2, stride=3, ndim=1)", 2, 3),
        ("max_pool(kernel_size=(3, 2))", 6, 6),
        ("max_pool(kernel_size=(3, 2), stride=(2, 1))", 6, 2),
        ("max_pool(kernel_size=(2, 3, 4), stride=1, ndim=3)", 24, 1),
        ("global_max_pool", 49, 49),
        ("global_max_pool(input_size=(5, 3))", 15, 15),
        ("global_max_pool(input_size=4, ndim=3)", 64, 64),
    ],
)
def test_a_maximum_depends_on_the_entries_of_a_window_and_the_product_of_its_strides(spec, n, step):
    forward, backward = compute(spec), compute(spec, "backward")
    same = compute(f"max_pool(kernel_size={n}, ndim=1)")
    assert abs(forward.mean.value - same.mean.value) <= forward.mean.error + same.mean.error
    assert abs(forward.std.value - same.std.value) <= forward.std.error + same.std.error
    assert_value(backward.std, 1 / mp.sqrt(step))
    average = spec.replace("max", "avg")
    assert_value(compute(average).std, 1 / mp.sqrt(n))
    assert_value(compute(average, "backward").std, 1 / mp.sqrt(n * step))


def test_average_pooling_of_any_law():
    found = compute("avg_pool(kernel_size=4)", law=Normal(-3.0, 0.5))
    assert (found.mean.value, found.mean.error) == (-3.0, 0.0)
    assert_value(found.std, mpf("0.125"))


def brute_force(kind, kernel, stride, rows, seed):
    """Run a pooling layer by nested loops on a map with a margin; return y and the interior of dx."""
    rng = np.random.default_rng(seed)
    sides = [5 * k + 5 * s for k, s in zip(kernel, stride, strict=True)]
    x = rng.standard_normal((rows, *sides))
    dx, first = np.zeros_like(x), None
    corners = itertools.product(*(range(0, side - k + 1, s) for side, k, s in zip(sides, kernel, stride, strict=True)))
    for corner in corners:
        cut = (slice(None), *(slice(c, c + k) for c, k in zip(corner, kernel, strict=True)))
        window = x[cut].reshape(rows, -1)
        dy = rng.standard_normal((rows, 1))
        if kind == "max":
            share = (window == window.max(axis=1, keepdims=True)) * dy
            y = window.max(axis=1)
        else:
            share = np.broadcast_to(dy / window.shape[1], window.shape)
            y = window.mean(axis=1)
        dx[cut] += share.reshape(dx[cut].shape)
        first = y if first is None else first
    inner = tuple(slice(2 * k, 2 * k + 2 * s) for k, s in zip(kernel, stride, strict=True))
    return first, dx[(slice(None), *inner)].reshape(rows, -1)


@pytest.mark.parametrize("kind", ["max", "avg"])
@pytest.mark.parametrize(
    ("kernel", "stride"), [((3,), (1,)), ((2,), (3,)), ((5,), (2,)), ((3, 2), (1, 2)), ((2, 2), (2, 2))]
)
def test_nested_loops_on_a_plain_map_give_the_same_moments(kind, kernel, stride):
    """4,000 rows; a rms over interior entries, compared at 5 standard errors over independent rows."""
    y, dx = brute_force(kind, kernel, stride, 4000, seed=3)
    spec = f"{kind}_pool(kernel_size={kernel}, stride={stride}, ndim={len(kernel)})"
    forward, backward = compute(spec), compute(spec, "backward")
    assert abs(y.mean() - forward.mean.value) <= 5.0 * y.std() / math.sqrt(len(y))
    for values, exact in (((y - y.mean()) ** 2, forward.std.value**2), ((dx**2).mean(axis=1), backward.std.value**2)):
        assert abs(values.mean() - exact) <= 5.0 * values.std() / math.sqrt(len(values))


def test_many_entries_have_no_formula_and_huge_windows_no_simulation():
    with pytest.raises(Unsupported, match="n <= 5"):
        engine.get("closed-form").estimate(catalog.layer("max_pool"), "forward", STANDARD, Effort())
    with pytest.raises(Unsupported, match="numbers"):
        engine.get("monte-carlo").estimate(catalog.layer("max_pool(kernel_size=2000)"), "forward", STANDARD, Effort())


def test_the_stride_is_the_kernel_unless_given():
    assert catalog.layer("max_pool(kernel_size=4)").values() == {"kernel_size": 4, "stride": 4, "ndim": 2}
    assert catalog.layer("max_pool(kernel_size=4)").spec == "max_pool(kernel_size=4, ndim=2)"
    assert catalog.layer("avg_pool(stride=1)").spec == "avg_pool(kernel_size=3, stride=1, ndim=2)"


@pytest.mark.parametrize(
    "spec",
    [
        "max_pool(kernel_size=0)", "max_pool(stride=0)", "max_pool(ndim=4)", "max_pool(kernel_size=2.5)",
        "max_pool(kernel_size=1000000000)", "max_pool(kernel_size=100000)", "max_pool(kernel_size=(2, 3, 4))",
        "max_pool(kernel_size=(3, 0))", "max_pool(kernel_size=2, stride=(1, 2, 3))", "max_pool(stride=1000000, ndim=2)",
        "avg_pool(kernel_size=-1)", "avg_pool(kernel=3)", "global_max_pool(kernel_size=3)",
        "global_avg_pool(input_size=0)",
        "max_pool(kernel_size=wide)", "global_avg_pool(stride=2)",
    ],
)  # fmt: skip
def test_windows_that_cannot_be_are_refused(spec):
    with pytest.raises(RequestError):
        catalog.layer(spec)
