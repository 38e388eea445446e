"""Maximum and average pooling: order statistics, overlap, dimensions, parameters."""

import itertools
import math

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


#: kernel_size of windows that no loop could go through
HUGE = {10**6: "1000", 10**9: "(100000, 10000)", 10**12: "1000000"}


@pytest.mark.parametrize("n", HUGE)
def test_the_largest_of_a_huge_window_has_the_moments_of_its_density(n):
    found = compute(f"max_pool(kernel_size={HUGE[n]})")
    with mp.workdps(30):
        edges = [mpf(k) / 2 for k in range(6, 33)]

        def moment(k):
            density = lambda z: z**k * n * mp.npdf(z) * mp.exp((n - 1) * mp.log1p(-mp.erfc(z / mp.sqrt(2)) / 2))  # noqa: E731
            return mp.quad(density, edges)

        mean, square = moment(1), moment(2)
        assert abs(moment(0) - 1) < mpf("1e-15")
        assert_value(found.mean, mean)
        assert_value(found.std, mp.sqrt(square - mean**2))
    assert compute(f"max_pool(kernel_size={HUGE[n]})", "backward").std.value == pytest.approx(n**-0.5, rel=1e-15)


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


def test_a_largest_of_very_many_is_computed_as_one_of_few():
    for n in (10, 10**8):
        assert compute(f"max_pool(kernel_size={n}, ndim=1)", name="quadrature").std.value > 0.0


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
        "max_pool(kernel_size=1000000000)", "max_pool(kernel_size=10000000)", "max_pool(kernel_size=(2, 3, 4))",
        "max_pool(kernel_size=(3, 0))", "max_pool(kernel_size=2, stride=(1, 2, 3))", "max_pool(stride=1000001, ndim=2)",
        "avg_pool(kernel_size=-1)", "avg_pool(kernel=3)", "global_max_pool(kernel_size=3)",
        "global_avg_pool(input_size=0)",
        "max_pool(kernel_size=wide)", "global_avg_pool(stride=2)",
    ],
)  # fmt: skip
def test_windows_that_cannot_be_are_refused(spec):
    with pytest.raises(RequestError):
        catalog.layer(spec)


# --- maps with borders ---

BORDERS = [
    "max_pool(kernel_size=3, stride=2, padding=1, input_size=7)",
    "max_pool(kernel_size=2, stride=2, ceil_mode=yes, input_size=5)",
    "max_pool(kernel_size=3, stride=1, padding=1, dilation=2, input_size=6, ndim=1)",
    "min_pool(kernel_size=3, stride=2, padding=1, input_size=(7, 4))",
    "avg_pool(kernel_size=3, stride=2, padding=1, input_size=7)",
    "avg_pool(kernel_size=3, stride=2, padding=1, input_size=7, count_include_pad=false)",
    "avg_pool(kernel_size=3, stride=2, padding=1, input_size=6, ceil_mode=true)",
    "avg_pool(kernel_size=3, stride=2, padding=1, input_size=6, divisor_override=4)",
    "sum_pool(kernel_size=3, stride=1, padding=1, input_size=5)",
    "sum_pool(kernel_size=2, stride=1, padding=1, dilation=2, input_size=5, ndim=3)",
    "lp_pool(kernel_size=3, stride=2, padding=1, input_size=7)",
    "lp_pool(norm_type=1, kernel_size=3, stride=2, ceil_mode=true, input_size=6)",
    "lp_pool(norm_type=3, kernel_size=3, stride=2, ceil_mode=true, input_size=6, ndim=1)",
    "lp_pool(norm_type=inf, kernel_size=3, stride=2, padding=1, input_size=7)",
    "lse_pool(kernel_size=3, stride=2, padding=1, input_size=7)",
    "lse_pool(beta=2, reduction=sum, kernel_size=3, stride=2, padding=1, input_size=6, ndim=1)",
    "adaptive_avg_pool(input_size=(7, 10), output_size=(3, 4))",
    "adaptive_avg_pool(input_size=3, output_size=7, ndim=1)",
    "adaptive_max_pool(input_size=(7, 10), output_size=(3, 4))",
    "adaptive_max_pool(input_size=5, output_size=2, ndim=3)",
]


def naive(layer, x, dy):
    """Run a pooling layer and its backward pass on one map by nested loops over windows, from the definition."""
    sides = x.shape
    if hasattr(layer, "output_size"):
        outputs = layer.output_size if isinstance(layer.output_size, tuple) else (layer.output_size,) * len(sides)
        axes = [
            [(range(math.floor(i * s / o), math.ceil((i + 1) * s / o)), 0) for i in range(o)]
            for s, o in zip(sides, outputs, strict=True)
        ]
    else:
        axes = [naive_axis(layer, a, side) for a, side in enumerate(sides)]
    kernel, y, dx = layer.windows.entries, [], np.zeros(sides)
    for number, chosen in enumerate(itertools.product(*axes)):
        places = [
            p
            for p in itertools.product(*(row for row, _ in chosen))
            if all(0 <= i < s for i, s in zip(p, sides, strict=True))
        ]
        entries = np.array([x[p] for p in places])
        value, slopes = naive_window(layer, entries, kernel, math.prod(d for _, d in chosen))
        y.append(value)
        for place, slope in zip(places, slopes, strict=True):
            dx[place] += slope * dy[number]
    return np.array(y), dx


def naive_axis(layer, axis, side):
    """The taps of each window along one dimension, and how many lie in the padded map."""

    def of(name, default):
        value = getattr(layer, name, default)
        return value[axis] if isinstance(value, tuple) else value

    kernel, stride, pad, dilation = of("kernel_size", 1), of("stride", 1), of("padding", 0), of("dilation", 1)
    found, start = [], -pad
    while True:
        taps = range(start, start + dilation * kernel, dilation)
        over = taps[-1] - (side + pad - 1)
        if over > 0 and not (layer.ceil_mode == "true" and over < stride and start < side):
            return found
        found.append((taps, sum(t < side + pad for t in taps)))
        start += stride


def naive_window(layer, entries, kernel, padded):
    """Output and slopes of one window, by the definition of the layer."""
    kind, n = layer.name.removeprefix("adaptive_").removesuffix("_pool"), len(entries)
    if kind in ("max", "min"):
        value = entries.max() if kind == "max" else entries.min()
        return value, (entries == value) * 1.0
    if kind == "sum":
        return entries.sum(), np.ones(n)
    if kind == "avg":
        divisor = layer.divisor_override or (padded if layer.count_include_pad == "true" and padded else n)
        if layer.name.startswith("adaptive"):
            divisor = n
        return entries.sum() / divisor, np.ones(n) / divisor
    if kind == "lse":
        weights = np.exp(layer.beta * entries)
        whole = weights.sum() / (n if layer.reduction == "mean" else 1)
        return math.log(whole) / layer.beta, weights / weights.sum()
    if layer.p == math.inf:
        value = np.abs(entries).max()
        return value, np.sign(entries) * (np.abs(entries) == value)
    total = (np.abs(entries) ** layer.p).sum() * kernel / padded
    slopes = np.sign(entries) * np.abs(entries) ** (layer.p - 1) * kernel / padded
    return total ** (1 / layer.p), slopes * total ** (1 / layer.p - 1)


@pytest.mark.parametrize("spec", BORDERS)
def test_a_simulated_map_is_that_of_nested_loops_forward_and_backward(spec):
    layer = catalog.layer(spec)
    rng = np.random.default_rng(7)
    size = layer.input_size if isinstance(layer.input_size, tuple) else (layer.input_size,) * layer.ndim
    x = rng.standard_normal(size)
    dy = rng.standard_normal(layer.windows.windows)
    y, dx = naive(layer, x, dy)
    gathered = layer.windows.gather(x.reshape(1, -1), layer.fill)
    np.testing.assert_allclose(layer.pool(gathered)[0], y, rtol=1e-12)
    found = layer.windows.scatter(layer.slopes(gathered) * dy[None, :, None])
    np.testing.assert_allclose(found.reshape(size), dx, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("law", [STANDARD, Normal(-1.5, 0.5)], ids=str)
@pytest.mark.parametrize("spec", BORDERS)
def test_sampled_maps_have_the_computed_moments(spec, law):
    """Every output and input entry of the map counts alike; 6 standard errors over 3,000 maps."""
    layer = catalog.layer(spec)
    for direction in ("forward", "backward"):
        exact = engine.estimate("auto", layer, direction, law, Effort())
        assert exact.status == OK and exact.engine != "monte-carlo"
        sampled = engine.estimate("monte-carlo", layer, direction, law, Effort(samples=3000, seed=5))
        for quantity in ("mean", "std", "rms"):
            a, b = getattr(exact, quantity), getattr(sampled, quantity)
            assert abs(a.value - b.value) <= 6.0 * b.error + 1e-3 * abs(a.value), f"{direction} {quantity}"


def test_padding_at_the_border_of_a_small_map_moves_the_moments_as_worked_out_by_hand():
    """avg_pool(3, stride 1, padding 1) on 3 entries: windows of 2, 3 and 2 entries, all divided by 3."""
    spec = "avg_pool(kernel_size=3, stride=1, padding=1, input_size=3, ndim=1)"
    law = Normal(2.0, 0.5)
    found = compute(spec, law=law)
    assert_value(found.mean, mpf(2) * 7 / 9)
    assert_value(found.std, mp.sqrt(mpf("0.25") * 7 / 27 + 4 * mpf(2) / 81))
    assert_value(compute(spec, "backward").std, mp.sqrt(mpf(7) / 27))
    alone = compute(spec.replace("ndim", "count_include_pad=false, ndim"), law=law)
    assert (alone.mean.value, alone.mean.error) == (2.0, 0.0)
    assert_value(alone.std, mp.sqrt(mpf("0.25") * (mpf(1) / 2 + mpf(1) / 3 + mpf(1) / 2) / 3))
    largest = compute(spec.replace("avg", "max"))
    assert_value(largest.mean, (2 / ROOT_PI + 3 / (2 * ROOT_PI)) / 3)
    assert_value(compute(spec.replace("avg", "max"), "backward").std, 1)


def test_a_map_without_borders_that_matter_has_the_moments_of_the_interior():
    """Windows that tile the map: the same law, and the same gradient."""
    for kind in ("max", "min", "avg", "sum", "lp", "lse"):
        plain = f"{kind}_pool(kernel_size=2)"
        for direction in ("forward", "backward"):
            a, b = compute(plain, direction), compute(f"{kind}_pool(kernel_size=2, input_size=8)", direction)
            assert abs(a.std.value - b.std.value) <= a.std.error + b.std.error
            assert abs(a.mean.value - b.mean.value) <= a.mean.error + b.mean.error


@pytest.mark.parametrize("kind", ["avg", "max", "lse", "sum"])
def test_a_large_map_has_the_moments_of_its_interior_but_for_the_border(kind):
    a = compute(f"{kind}_pool(kernel_size=3, stride=1)")
    b = compute(f"{kind}_pool(kernel_size=3, stride=1, padding=1, input_size=9000)")
    assert b.std.value == pytest.approx(a.std.value, rel=1e-3) and b.std.value != a.std.value
    back = compute(f"{kind}_pool(kernel_size=3, stride=1, padding=1, input_size=9000)", "backward")
    assert back.std.value == pytest.approx(
        compute(f"{kind}_pool(kernel_size=3, stride=1)", "backward").std.value, rel=1e-3
    )


def test_a_map_given_with_borders_is_computed_whatever_its_size():
    for kind in ("max", "avg", "lse"):
        compute(f"{kind}_pool(input_size=224)")
        found = compute(f"{kind}_pool(kernel_size=3, stride=2, padding=1, input_size=(1024, 2048))")
        assert found.std.value > 0.0


def test_padding_without_a_map_changes_no_number_and_says_so():
    plain, padded = catalog.layer("max_pool(stride=2)"), catalog.layer("max_pool(stride=2, padding=1, ceil_mode=true)")
    assert plain.notes(STANDARD) == []
    (note,) = padded.notes(STANDARD)
    assert "padding and ceil_mode" in note and "input_size" in note
    assert compute(plain.spec).std.value == compute(padded.spec).std.value
    assert catalog.layer("max_pool(padding=1, input_size=8)").notes(STANDARD) == []


# --- norms, minima, sums, log-sum-exp ---


@pytest.mark.parametrize("n", [2, 9, 10**6, 10**8])
@pytest.mark.parametrize("law", [STANDARD, Normal(0.5, 2.0), Normal(50.0, 1.0)], ids=str)
def test_a_minimum_mirrors_a_maximum(n, law):
    lowest = compute(f"min_pool(kernel_size={n}, ndim=1)", law=law)
    highest = compute(f"max_pool(kernel_size={n}, ndim=1)", law=Normal(-law.mean, law.std))
    assert abs(lowest.mean.value + highest.mean.value) <= lowest.mean.error + highest.mean.error
    assert abs(lowest.std.value - highest.std.value) <= lowest.std.error + highest.std.error
    assert_value(compute(f"min_pool(kernel_size={n}, ndim=1)", "backward").std, 1 / mp.sqrt(n))


@pytest.mark.parametrize("n", [1, 2, 3, 9, 64, 1000, 10**8])
def test_the_euclidean_norm_of_centred_entries_is_chi(n):
    """Johnson, Kotz & Balakrishnan 1994, section 18.3; at n = 10^8 the variance is 1/2 - 1/(8n) still."""
    with mp.workdps(50):
        mean = mp.sqrt(2) * mp.gamma((mpf(n) + 1) / 2) / mp.gamma(mpf(n) / 2)
        std = mp.sqrt(n - mean**2)
    found = compute(f"lp_pool(kernel_size={n}, ndim=1)", law=Normal(0.0, 3.0))
    assert_value(found.mean, 3 * mean)
    assert_value(found.std, 3 * std)


@pytest.mark.parametrize("t", [0.1, 1.0, 6.0, 50.0, 400.0])
@pytest.mark.parametrize("n", [1, 2, 9, 25])
def test_the_euclidean_norm_off_the_centre_is_a_function_of_kummer(n, t):
    with mp.workdps(60):
        bent = mp.hyp1f1(mpf(-1) / 2, mpf(n) / 2, -n * mpf(t) ** 2 / 2, maxterms=10**7)
        mean = mp.sqrt(2) * mp.gamma((mpf(n) + 1) / 2) / mp.gamma(mpf(n) / 2) * bent
        std = mp.sqrt(n * (1 + mpf(t) ** 2) - mean**2)
    found = compute(f"lp_pool(kernel_size={n}, ndim=1)", law=Normal(-t, 1.0), name="closed-form")
    assert_value(found.mean, mean)
    assert_value(found.std, std, 1e-12)
    assert float(abs(mpf(found.std.value) - std) / std) < 1e-14


@pytest.mark.parametrize("law", [STANDARD, Normal(-1.0, 0.3)], ids=str)
def test_norms_fall_from_the_sum_of_sizes_to_the_largest_size(law):
    found = [compute(f"lp_pool(norm_type={p}, kernel_size=4, ndim=1)", law=law) for p in (1, 1.25, 2, 3, "inf")]
    assert all(a.mean.value > b.mean.value and a.status == OK for a, b in itertools.pairwise(found))
    close = compute("lp_pool(norm_type=12, kernel_size=2, ndim=1)", law=law)
    limit = compute("lp_pool(norm_type=inf, kernel_size=2, ndim=1)", law=law)
    assert close.mean.value == pytest.approx(limit.mean.value, rel=0.03)


@pytest.mark.parametrize("p", [1.05, 1.5, 3, 6])
def test_the_gradient_of_a_norm_lies_between_those_of_the_sum_and_of_the_largest(p):
    """The squares over a window add up to n at p = 1 and to 1 from p = 2 on; at p = 1.05 they still nearly do to n."""
    back = compute(f"lp_pool(norm_type={p}, kernel_size=4, ndim=1)", "backward")
    assert back.status == OK
    total = 4 * back.std.value**2
    assert (1.0 < total < 4.0) if p < 2 else (0.25 < total < 1.0)
    assert p != 1.05 or total > 3.3


def test_the_gradient_of_a_norm_has_its_known_length():
    for law in (STANDARD, Normal(2.0, 0.5), Normal(-1e6, 1.0)):
        for n in (3,):
            spec = f"kernel_size={n}, ndim=1"
            assert_value(compute(f"lp_pool(norm_type=1, {spec})", "backward", law).std, 1)
            assert_value(compute(f"lp_pool(norm_type=2, {spec})", "backward", law).std, 1 / mp.sqrt(n))
            assert_value(
                compute(f"lp_pool(norm_type=2, {spec})", "backward", law, "quadrature").std, 1 / mp.sqrt(n), 2e-13
            )
            assert_value(compute(f"lp_pool(norm_type=inf, {spec})", "backward", law).std, 1 / mp.sqrt(n))
    # two centred entries, p = 4: mean of (c^6 + s^6)/(c^4 + s^4)^(3/2) over the circle
    exact = mp.quad(
        lambda a: (mp.cos(a) ** 6 + mp.sin(a) ** 6) / (mp.cos(a) ** 4 + mp.sin(a) ** 4) ** 1.5, [0, mp.pi / 4]
    )
    assert_value(compute("lp_pool(norm_type=4, kernel_size=2, ndim=1)", "backward").std, mp.sqrt(2 * exact / mp.pi))


def test_norms_of_many_entries_are_as_exact_as_those_of_few():
    """The largest size at n = 10^6 near its extreme value; a 3-norm at n = 10^6 near the law of large numbers."""
    largest = compute("lp_pool(norm_type=inf, kernel_size=1000)")
    twice = compute("max_pool(kernel_size=2000000, ndim=1)")
    assert largest.status == OK and largest.mean.value == pytest.approx(twice.mean.value, abs=2e-6)
    cubes = compute("lp_pool(norm_type=3, kernel_size=1000)")
    moment = 2 * mp.sqrt(2 / mp.pi)
    assert cubes.mean.value == pytest.approx(float((10**6 * moment) ** (mpf(1) / 3)), rel=1e-5)
    back = compute("lp_pool(norm_type=3, kernel_size=1000)", "backward")
    assert back.status == OK
    assert back.std.value == pytest.approx(float(mp.sqrt(3 / (10**6 * moment) ** (mpf(4) / 3))), rel=1e-4)


@pytest.mark.parametrize("law", [STANDARD, Normal(-1.0, 0.3), Normal(50.0, 1.0)], ids=str)
def test_log_sum_exp_lies_between_the_average_and_the_maximum(law):
    warm = compute("lse_pool(beta=0.0001)", law=law)
    average, largest = compute("avg_pool", law=law), compute("max_pool", law=law)
    assert warm.mean.value == pytest.approx(average.mean.value, abs=1e-4 * law.std**2)
    assert warm.std.value == pytest.approx(average.std.value, rel=1e-3)
    cold = compute(f"lse_pool(beta={2000 / law.std}, reduction=sum)", law=law)
    assert cold.mean.value == pytest.approx(largest.mean.value, abs=2e-3 * law.std)
    assert cold.std.value == pytest.approx(largest.std.value, rel=2e-3)
    assert compute("lse_pool(beta=0.0001)", "backward", law).std.value == pytest.approx(1 / 9, rel=1e-6)
    back = compute(f"lse_pool(beta={2000 / law.std})", "backward", law)
    assert back.std.value == pytest.approx(1 / 3, rel=2e-3)


def test_log_sum_exp_of_two_is_a_logarithm_of_a_cosine():
    for beta, law in ((1.0, STANDARD), (3.0, Normal(1.0, 0.5))):
        found = compute(f"lse_pool(beta={beta}, kernel_size=2, ndim=1)", law=law)
        s = beta * law.std / mp.sqrt(2)
        bent = [
            mp.quad(lambda z, k=k, s=s: mp.npdf(z) * mp.log(mp.cosh(s * z)) ** k, [-12, -4, 0, 4, 12]) for k in (1, 2)
        ]
        assert_value(found.mean, law.mean + bent[0] / beta, 1e-13)
        assert_value(found.std, mp.sqrt(mpf(law.std) ** 2 / 2 + (bent[1] - bent[0] ** 2) / mpf(beta) ** 2), 1e-12)
    summed = compute("lse_pool(reduction=sum, kernel_size=2, ndim=1)")
    assert summed.mean.value == pytest.approx(
        compute("lse_pool(kernel_size=2, ndim=1)").mean.value + math.log(2), rel=1e-14
    )


@pytest.mark.parametrize("kind", ["max", "min", "avg", "lp", "sum", "lse"])
def test_global_pooling_is_one_window_over_the_map(kind):
    for direction in ("forward", "backward"):
        whole = compute(f"global_{kind}_pool(input_size=(3, 4))", direction)
        window = compute(f"{kind}_pool(kernel_size=(3, 4))", direction)
        assert (whole.mean.value, whole.std.value) == (window.mean.value, window.std.value)


def test_adaptive_pooling_to_one_window_is_global_and_to_divisors_plain():
    for kind in ("avg", "max"):
        for direction in ("forward", "backward"):
            one = compute(f"adaptive_{kind}_pool(input_size=7, output_size=1)", direction)
            assert one.std.value == pytest.approx(
                compute(f"global_{kind}_pool(input_size=7)", direction).std.value, rel=1e-14
            )
            tiles = compute(f"adaptive_{kind}_pool(input_size=8, output_size=4)", direction)
            assert tiles.std.value == pytest.approx(
                compute(f"{kind}_pool(kernel_size=2)", direction).std.value, rel=1e-14
            )


@pytest.mark.parametrize(
    ("name", "spec"),
    [
        ("MaxPool2d", "max_pool(kernel_size=3, ndim=2)"),
        ("MaxPool1d(kernel_size=2)", "max_pool(kernel_size=2, ndim=1)"),
        ("AvgPool3d", "avg_pool(kernel_size=3, ndim=3)"), ("LPPool2d", "lp_pool(norm_type=2.0, kernel_size=3, ndim=2)"),
        ("AdaptiveAvgPool2d(output_size=1)", "adaptive_avg_pool(input_size=7, output_size=1, ndim=2)"),
        ("AdaptiveMaxPool1d", "adaptive_max_pool(input_size=7, output_size=3, ndim=1)"),
        ("GlobalAveragePooling2D", "global_avg_pool(input_size=7, ndim=2)"),
        ("MaxPooling2D", "max_pool(kernel_size=3, ndim=2)"),
        ("GlobalMaxPooling1D", "global_max_pool(input_size=7, ndim=1)"),
        ("max_pool2d(ceil_mode=Yes, padding=1, input_size=9)",
         "max_pool(kernel_size=3, ndim=2, padding=1, ceil_mode=true, input_size=9)"),
    ],
)  # fmt: skip
def test_the_names_of_other_libraries_are_understood(name, spec):
    assert catalog.layer(name).spec == spec
    assert catalog.layer(spec).spec == spec


@pytest.mark.parametrize("kind", ["max", "min", "avg", "sum", "lp", "lse"])
def test_a_constant_input_has_the_std_that_windows_of_different_size_leave(kind):
    law = Normal(2.0, 0.0)
    plain = compute(f"{kind}_pool(kernel_size=4, ndim=1)", law=law)
    assert plain.std.value == 0.0
    expected = {"sum": 8.0, "lp": 4.0}.get(kind, 2.0)
    assert plain.mean.value == pytest.approx(expected, rel=1e-14)
    layer = catalog.layer(f"{kind}_pool(kernel_size=4, stride=2, padding=2, input_size=6, ndim=1)")
    for direction in ("forward", "backward"):
        exact = engine.estimate("auto", layer, direction, law, Effort())
        sampled = engine.estimate("monte-carlo", layer, direction, law, Effort(samples=2000))
        assert exact.status == OK
        assert abs(exact.std.value - sampled.std.value) <= 6.0 * (sampled.std.error or 0.0) + 1e-12


def test_a_norm_of_zeros_has_no_gradient():
    found = engine.estimate("auto", catalog.layer("lp_pool"), "backward", Normal(0.0, 0.0), Effort())
    assert found.status == "undefined" and "kink" in found.reason


def test_pytorch_differs_at_odd_powers_and_beyond_the_padding_and_a_note_says_so():
    assert any("sign" in note for note in catalog.layer("lp_pool(norm_type=3)").notes(STANDARD))
    assert catalog.layer("lp_pool(norm_type=2)").notes(STANDARD) == []
    assert any("kernel_size" in n for n in catalog.layer("lp_pool(ceil_mode=true, input_size=7)").notes(STANDARD))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("max_pool(kernel_size=3, padding=2)", "padding=2 is more than half of kernel_size=3"),
        ("max_pool(kernel_size=(3, 1), padding=1)", "padding=1 is more than half of kernel_size=1"),
        ("max_pool(padding=(1, 1, 1))", "padding has 3 entries for ndim=2"),
        ("max_pool(dilation=(1, 2, 3))", "dilation has 3 entries"),
        ("max_pool(dilation=0)", "dilation cannot be 0"),
        ("max_pool(padding=-1)", "padding cannot be -1"),
        ("max_pool(ceil_mode=perhaps)", "ceil_mode"),
        ("max_pool(ceil_mode=1)", "ceil_mode cannot be 1"),
        ("max_pool(kernel_size=9, input_size=7)", "span 9 entries; input_size 7 is too small"),
        ("avg_pool(kernel_size=9, padding=1, stride=1, input_size=6)", "span 9 entries; input_size 6 padded to 8"),
        ("max_pool(kernel_size=3, dilation=4, input_size=8)", "dilation 4 span 9 entries"),
        ("max_pool(kernel_size=2, padding=1, dilation=2, input_size=1)", "padding alone"),
        ("max_pool(input_size=(7, 7, 7))", "input_size has 3 entries"),
        ("max_pool(input_size=0)", "input_size cannot be 0"),
        ("avg_pool(dilation=2)", "dilation"),
        ("avg_pool(divisor_override=0)", "divisor_override cannot be 0"),
        ("max_pool(count_include_pad=true)", "count_include_pad"),
        ("lp_pool(norm_type=0.5)", "norm_type cannot be 0.5"),
        ("lp_pool(norm_type=51)", "norm_type cannot be 51"),
        ("lp_pool(norm_type=two)", "norm_type cannot be 'two'"),
        ("lp_pool(norm_type=(1, 2))", r"norm_type cannot be \(1, 2\)"),
        ("lse_pool(beta=0)", "beta cannot be 0"),
        ("lse_pool(reduction=product)", "reduction"),
        ("adaptive_avg_pool(output_size=0)", "output_size cannot be 0"),
        ("adaptive_avg_pool(output_size=(1, 2, 3))", "output_size has 3 entries"),
        ("adaptive_max_pool(kernel_size=3)", "kernel_size"),
        ("adaptive_avg_pool2d(ndim=2)", "sets ndim itself"),
        ("global_lp_pool(stride=2)", "stride"),
    ],
)  # fmt: skip
def test_geometries_that_cannot_be_are_refused_with_the_reason(spec, message):
    with pytest.raises(RequestError, match=message) as refused:
        catalog.layer(spec)
    assert refused.value.hint
