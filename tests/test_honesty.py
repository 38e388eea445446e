"""No true error is above the stated one, at inputs nobody tried: against mpmath, which shares no code with normcal."""

import functools
import itertools
import math
import random
from fractions import Fraction

import mpmath
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf
from mpmath.calculus.quadrature import GaussLegendre

from normcal import catalog, engine
from normcal.engine import Effort
from normcal.errors import Unsupported
from normcal.law import Normal
from normcal.result import LayerResult
from normcal.value import Value

#: ``auto`` returns what one of these found, unchanged.
ENGINES = ("closed-form", "quadrature")
#: What the references below are good to, relative; far below an ulp.
REFERENCE = mpf("1e-22")
DIGITS = 36

# --- references: (mean, std, rms, backward std) from formulas and sums of this file ---


def outcome(first, variance, slope):
    variance, slope = max(variance, mpf(0)), max(slope, mpf(0))
    return {"mean": first, "std": mp.sqrt(variance), "rms": mp.sqrt(first**2 + variance), "backward": mp.sqrt(slope)}


def tail(t):
    """P(Z > t) and the density; 0 so far out that no double could tell."""
    return (mp.erfc(t / mp.sqrt(2)) / 2, mp.npdf(t)) if t < 60 else (mpf(0), mpf(0))


def two_slopes(left, right, mean, std):
    """Moments of left x below 0 and right x above, from those of the normal law cut at 0."""
    with mp.workdps(110):
        m, s, low, high = mpf(mean), mpf(std), mpf(left), mpf(right)
        t = abs(m) / s
        rare, density = tail(t)
        # of the side that the input rarely takes
        first, second = -abs(m) * rare + s * density, (m * m + s * s) * rare - abs(m) * s * density
        usual, other = (high, low) if m >= 0 else (low, high)
        sign = 1 if m >= 0 else -1
        mean_ = sign * (usual * (abs(m) + first) - other * first)
        square = usual**2 * (m * m + s * s - second) + other**2 * second
        return outcome(mean_, square - mean_**2, usual**2 * (1 - rare) + other**2 * rare)


def exponential_branch(scale, alpha, mean, std):
    """ELU and SELU: E[exp(k x); x < 0] is a log-normal moment cut at 1."""
    t = mean / std
    lost = min(0.9 * abs(mean), 0.5 * t * t, 700.0) if mean < 0 else 0.0  # digits of 1 - exp(mean)
    with mp.workdps(110 + int(lost + 2.0 * abs(math.log10(std)))):
        c, a, m, s = mpf(scale), mpf(alpha), mpf(mean), mpf(std)
        t = m / s
        rare, density = tail(abs(t))
        above, below = (1 - rare, rare) if t > 0 else (rare, 1 - rare)

        def exponential(k):
            y = (m + k * s * s) / s
            if y > 1000:  # the Mills ratio by its asymptotic series: exp(k x) peaks far to the right
                return density * mp.fsum((-1) ** i * mp.fac2(2 * i - 1) / y ** (2 * i) for i in range(25)) / y
            return mp.exp(k * m + k * k * s * s / 2) * mp.erfc(y / mp.sqrt(2)) / 2

        first = m * above + s * density + a * (exponential(1) - below)
        square = (m * m + s * s) * above + m * s * density + a * a * (exponential(2) - 2 * exponential(1) + below)
        return outcome(c * first, c * c * (square - first**2), c * c * (above + a * a * exponential(2)))


@functools.cache
def gauss():
    return GaussLegendre(mp).calc_nodes(4, mp.dps * 4)  # 24 nodes


def logistic(x):
    """1/(1 + exp(-x)) and 1 less it, neither of them cancelled."""
    small = mp.exp(-abs(x))
    near = 1 / (1 + small)
    return (near, small * near) if x >= 0 else (small * near, near)


def sigmoid(x):
    up, down = logistic(x)
    return up, up * down


def tanh(x):
    up, down = logistic(2 * x)
    return up - down, 4 * up * down


def silu(x):
    up, down = logistic(x)
    return x * up, up + x * up * down


def gelu(x):
    below, density = mp.erfc(-x / mp.sqrt(2)) / 2, mp.exp(-x * x / 2) / mp.sqrt(2 * mp.pi)
    return x * below, below + x * density


def gelu_tanh(x):
    root = mp.sqrt(8 / mp.pi)
    up, down = logistic(root * (x + mpf("0.044715") * x**3))
    return x * up, up + x * up * down * root * (1 + 3 * mpf("0.044715") * x * x)


def softplus(x, beta):
    up, _ = logistic(beta * x)
    return (max(x, mpf(0)) + mp.log1p(mp.exp(-abs(beta * x))) / beta), up


def minus_one(x):
    up, down = logistic(x)
    return -down, up * down


def _tanh_from(mean):
    if abs(mean) < 1:
        return 0, tanh
    sign = 1 if mean > 0 else -1

    def off(x):
        value, slope = minus_one(2 * sign * x)
        return 2 * sign * value, 4 * slope

    return sign, off


#: name -> (sharpness, the limit that the function is better counted from, and its difference from there)
SMOOTH = {
    "sigmoid": (1.0, lambda mean: (1, minus_one) if mean > 1 else (0, sigmoid)),
    "tanh": (2.0, _tanh_from),
    "silu": (1.0, lambda mean: (0, silu)),
    "gelu": (1.0, lambda mean: (0, gelu)),
    "gelu_tanh": (2.0, lambda mean: (0, gelu_tanh)),
}


def mesh(mean, std, sharpness, fine):
    """Edges in z: unit steps around every place where the mass can be, and ever finer ones around x = 0."""
    zero = -mean / std
    tilt = min(sharpness * std, abs(zero))  # an exponential moves the normal law outwards by its rate
    places = (0.0, zero, tilt, -tilt, 2.0 * tilt, -2.0 * tilt)
    edges = {zero, *(float(round(place) + k) for place in places for k in range(-12, 13))}
    step = 0.5 / (sharpness * std)
    while step < 50.0:
        edges |= {zero - step, zero + step}
        step *= 2.0
    if fine:  # the cubic of GELU's tanh form steepens away from 0
        edges |= {zero + k * 0.25 / std for k in range(-48, 49)}
    edges = sorted(edges)
    return [edges[0], *(b for a, b in itertools.pairwise(edges) if b - a > 1e-13 * max(1.0, abs(b)))]


def by_panels(from_limit, mean, std, sharpness, fine=False):
    """Gauss-Legendre sums over the panels that matter, all of them about the value at the mean."""
    with mp.workdps(DIGITS):
        limit, f = from_limit(mean)
        m, s = mpf(mean), mpf(std)
        start = f(m)[0]

        def row(z, weight):
            value, slope = f(m + s * z)
            return weight * mp.exp(-z * z / 2), value - start, slope, value

        edges = [mpf(edge) for edge in mesh(mean, std, sharpness, fine)]
        panels = list(itertools.pairwise(edges))
        scouts = [[row((3 - k) * a / 3 + k * b / 3, b - a) for k in range(4)] for a, b in panels]
        rough = mp.fsum(w * v for scout in scouts for w, v, _, _ in scout) / 10  # the mean of f - f(mean), roughly
        parts = (lambda v, d, f: v, lambda v, d, f: (v - rough) ** 2, lambda v, d, f: d * d, lambda v, d, f: f * f)
        sizes = [[max(abs(w * part(*rest)) for w, *rest in scout) for part in parts] for scout in scouts]
        needed = [max(column) * mpf("1e-26") for column in zip(*sizes, strict=True)]
        rows = []
        for (a, b), its in zip(panels, sizes, strict=True):
            if any(size > least for size, least in zip(its, needed, strict=True)):
                half, centre = (b - a) / 2, (a + b) / 2
                rows += [row(centre + half * x, w * half) for x, w in gauss()]
        root = mp.sqrt(2 * mp.pi)
        shift = mp.fsum(w * v for w, v, _, _ in rows) / root
        variance = mp.fsum(w * (v - shift) ** 2 for w, v, _, _ in rows) / root
        return outcome(limit + start + shift, variance, mp.fsum(w * d * d for w, _, d, _ in rows) / root)


@functools.cache
def largest(n):
    """Mean and variance of the largest of n standard normal numbers."""
    if n == 1:
        return mpf(0), mpf(1)
    with mp.workdps(DIGITS):
        rows = []
        for k in range(-44, 56):
            a = mpf(k) / 4
            for x, w in gauss():
                z = a + (x + 1) / 8
                above = mp.erfc(z / mp.sqrt(2)) / 2
                rows.append((z, w / 8 * n * mp.npdf(z) * mp.exp((n - 1) * mp.log1p(-above))))
        first = mp.fsum(z * w for z, w in rows)
        return first, mp.fsum((z - first) ** 2 * w for z, w in rows)


def reference(spec, mean, std):
    """The four numbers for a SPEC, by its name and parameters alone."""
    layer = catalog.layer(spec)
    values = layer.values()
    m, s = mpf(mean), mpf(std)
    if layer.name in SMOOTH:
        sharpness, from_limit = SMOOTH[layer.name]
        return by_panels(from_limit, mean, std, sharpness, fine=layer.name == "gelu_tanh")
    if layer.name == "softplus":
        beta = values["beta"]
        return by_panels(lambda mean: (0, functools.partial(softplus, beta=mpf(beta))), mean, std, beta)
    if layer.name in ("identity", "relu", "leaky_relu"):
        left = {"identity": 1.0, "relu": 0.0}.get(layer.name, values.get("negative_slope"))
        return two_slopes(left, 1.0, mean, std)
    if layer.name == "elu":
        return exponential_branch(1, values["alpha"], mean, std)
    if layer.name == "selu":
        scale, alpha = "1.0507009873554804934193349852946", "1.6732632423543772848170429916717"
        return exponential_branch(scale, alpha, mean, std)
    with mp.workdps(DIGITS):
        if layer.name == "dropout":
            q = mpf(values["keep_prob"])
            c = {"plain": mpf(1), "inverted": 1 / q, "unit": 1 / mp.sqrt(q)}[values["scaling"]]
            return outcome(c * q * m, c * c * (q * s * s + q * (1 - q) * m * m), c * c * q)
        n, step = layer.windows.entries, math.prod(layer.windows.stride)
        if layer.name == "avg_pool":
            return outcome(m, s * s / n, 1 / (mpf(n) * step))
        first, variance = largest(n)
        return outcome(m + s * first, s * s * variance, 1 / mpf(step))


def violations(spec, mean, std, exact=None):
    """Return every quantity whose true error is above the stated one, as text to reproduce it."""
    layer, law, found = catalog.layer(spec), Normal(mean, std), []
    exact = exact or reference(spec, mean, std)
    for name in ENGINES:
        estimates = {}
        for direction in ("forward", "backward"):
            try:
                e = engine.get(name).estimate(layer, direction, law, Effort())
            except Unsupported:
                continue
            estimates[direction] = e
            truth = (
                exact
                if direction == "forward"
                else {"mean": mpf(0), "std": exact["backward"], "rms": exact["backward"]}
            )
            wanted = {q: truth[q] for q in ("mean", "std", "rms")}
            wanted |= {f"{p}gain": 1 / truth[q] for p, q in (("", "std"), ("rms_", "rms")) if truth[q]}
            found += [
                f"{name} {direction}.{q}: {text}" for q, t in wanted.items() if (text := too_small(getattr(e, q), t))
            ]
        if len(estimates) == 2 and exact["std"]:
            factor = LayerResult(layer, **estimates).jacobian_factor
            text = too_small(factor, exact["backward"] / exact["std"])
            found += [f"{name} jacobian_factor: {text}"] if text else []
    return [f"{spec} at N({mean!r}, {std!r}), {line}" for line in found]


def too_small(value, truth):
    """Say how a stated error falls short of the true one, or return nothing."""
    if value.error is None:
        return ""
    assert value.value is not None and 0.0 <= value.error < math.inf, value
    with mp.workdps(DIGITS):
        true_error = abs(mpf(value.value) - truth)
        if true_error <= mpf(value.error) + REFERENCE * abs(truth):
            return ""
        return f"{value.value!r} +- {value.error:.3g}, exactly {mp.nstr(truth, 20)}, off by {mp.nstr(true_error, 3)}"


# --- the references themselves ---


def test_panels_reproduce_a_case_that_a_formula_gives():
    """GELU at N(0, 1): mean 1/(2 sqrt(pi)), second moment 1/3 + 1/(2 pi sqrt(3))."""
    found = reference("gelu", 0.0, 1.0)
    with mp.workdps(DIGITS):
        assert abs(found["mean"] * 2 * mp.sqrt(mp.pi) - 1) < 1e-25
        assert abs(found["rms"] ** 2 / (mpf(1) / 3 + 1 / (2 * mp.pi * mp.sqrt(3))) - 1) < 1e-25


def test_cut_laws_reproduce_a_direct_integral():
    with mp.workdps(30):
        for spec, f in (
            ("elu(alpha=2)", lambda x: x if x > 0 else 2 * mp.expm1(x)),
            ("leaky_relu(negative_slope=-0.5)", lambda x: x if x > 0 else -x / 2),
        ):
            found = reference(spec, 0.3, 0.8)
            cuts = [-12, -6, -mpf(0.3) / mpf(0.8), 6, 12]
            first = mp.quad(lambda z, f=f: f(mpf(0.3) + mpf(0.8) * z) * mp.npdf(z), cuts)
            square = mp.quad(lambda z, f=f: f(mpf(0.3) + mpf(0.8) * z) ** 2 * mp.npdf(z), cuts)
            assert abs(found["mean"] - first) < 1e-20 and abs(found["rms"] ** 2 - square) < 1e-20


def test_two_resolutions_of_the_panels_agree():
    """Shifting the law by a rounding error moves every edge relative to the function."""
    for spec, mean, std in (
        ("silu", -7.0, 3.0),
        ("tanh", 4.0, 50.0),
        ("gelu_tanh", -3.0, 0.7),
        ("softplus(beta=200)", 1.0, 2.0),
    ):
        one, two = reference(spec, mean, std), reference(spec, mean * (1 + 1e-9), std * (1 + 1e-9))
        for quantity in ("std", "rms", "backward"):
            assert abs(one[quantity] / two[quantity] - 1) < 1e-7


# --- random inputs ---

EDGES = {
    "leaky_relu(negative_slope={})": (-1e8, -1.0, 0.0, 1e-12, 0.3, 1.0, 1.0000000000000002, 1e8),
    "elu(alpha={})": (-1e8, -1.0, 0.0, 1e-9, 1.0, 1e8),
    "softplus(beta={})": (1e-3, 0.5, 1.0, 1e3, 1e6),
    "dropout(keep_prob={}, scaling=plain)": (1e-6, 0.3, 0.9999999999999999, 1.0),
    "dropout(keep_prob={}, scaling=inverted)": (1e-6, 0.7, 1.0),
    "dropout(keep_prob={}, scaling=unit)": (1e-6, 0.5, 0.9, 1.0),
    "max_pool(kernel_size={}, ndim=1)": (1, 2, 3, 4, 5, 6, 1000, 10**6, 10**8),
    "max_pool(kernel_size={}, stride=7, ndim=1)": (2, 10**6),
    "avg_pool(kernel_size={}, stride=3, ndim=1)": (1, 2, 7, 10**8),
}
PLAIN = ("identity", "relu", "sigmoid", "tanh", "selu", "gelu", "gelu_tanh", "silu")
DRAWS = {"relu": 30, "leaky_relu": 8, "elu": 6, "selu": 12, "dropout": 6, "identity": 6}


def input_law(rng):
    """A mean in [-40, 40] with a std log-uniform in [1e-6, 1e6]; or a std with a mean of so many of it."""
    if rng.random() < 0.6:
        return rng.uniform(-40.0, 40.0), 10.0 ** rng.uniform(-6.0, 6.0)
    std = 10.0 ** rng.uniform(-6.0, 1.0)
    return std * rng.choice([rng.uniform(-6.0, 6.0), rng.uniform(-40.0, 40.0), rng.uniform(-39.0, -37.0)]), std


SPECS = [*PLAIN, *(pattern.format(value) for pattern, values in EDGES.items() for value in values)]


@pytest.mark.parametrize("spec", SPECS)
def test_no_true_error_is_above_the_stated_one_at_random_inputs(spec):
    rng = random.Random(f"honesty {spec}")
    for _ in range(DRAWS.get(spec.partition("(")[0], 4)):
        assert not (found := violations(spec, *input_law(rng))), "\n".join(found)


# --- inputs that a search of tens of thousands of draws turned up, and their relatives ---

HOSTILE = [
    # the continued fraction of the left tail converges slowest where it takes over
    ("relu", -1.5040338480168837, 1.0), ("relu", -4.067832658378729, 2.705113176030473),
    ("relu", -10.095351681108589, 6.362138270407643), ("relu", -21.780949060990835, 12.623527417104135),
    ("relu", -2.5000001, 1.0), ("relu", -2.4999999, 1.0), ("leaky_relu(negative_slope=0.01)", -15.12, 9.747),
    ("leaky_relu(negative_slope=-1e8)", -2.9438881635016116, 1.9102245903440678),
    ("leaky_relu(negative_slope=1522985.5696410937)", 11.412256144004466, 6.843754874474129),
    ("leaky_relu(negative_slope=-269481574304214.25)", 15.193511996074095, 10.105071601226292),
    # the kink lies where the density underflows
    ("relu", -33.252642013763136, 0.8671016887157182), ("relu", -0.00022809481532172886, 5.926618163469152e-06),
    ("relu", -192.52826123061158, 5.002704414438271), ("elu(alpha=0)", -31.489249344934137, 0.8181585982049274),
    ("elu(alpha=2.297231344061457e-05)", -1264.8743195695088, 33.01674026520098),
    ("selu", -85247141057.28062, 2227922383.925496), ("relu", -38.4999, 1.0), ("relu", -38.5001, 1.0),
    ("leaky_relu(negative_slope=1e300)", 39.0, 1.0), ("leaky_relu(negative_slope=1e100)", 38.3, 1.0),
    # the square of an exponential moves the mass outwards, beyond every node
    ("gelu", -340.4500052781892, 8.553663131072517), ("gelu", -176.9674479349693, 4.543795466442926),
    ("tanh", -335.52912104460347, 8.68826184275177), ("gelu_tanh", -135.22183209774312, 3.387155373290008),
    ("softplus(beta=10.0)", -88.43347563308048, 2.2171201661494075), ("softplus(beta=45.0)", -39.0, 1.0),
    ("softplus(beta=1000000.0)", -0.07022919108152505, 0.0018228590883281291),
    ("softplus(beta=249.89555190314525)", -3.179796118885878, 0.08253623238780756),
    # sharp functions under wide laws and wide functions under sharp ones
    ("softplus(beta=1000000.0)", 1e-6, 1e6), ("softplus(beta=0.001)", -40.0, 1e-6), ("sigmoid", 40.0, 1e-6),
    ("sigmoid", -40.0, 1e6), ("tanh", 40.0, 1.0), ("tanh", 1e-8, 1e-6), ("silu", -1.2784645427610738, 1e-6),
    ("gelu", -0.7517915246935645, 1e-6), ("gelu_tanh", -9.0, 0.01), ("gelu_tanh", 0.0, 1e6), ("silu", 0.0, 1e-6),
    ("elu(alpha=100000000.0)", -17.8, 0.17), ("elu(alpha=-1.0)", 0.0, 1.0), ("selu", 0.0, 1.0), ("selu", -40.0, 1e-6),
    # mixtures and windows whose parts nearly cancel
    ("dropout(keep_prob=0.9999999999999999, scaling=inverted)", 40.0, 1e-6), ("dropout(keep_prob=1e-300)", 1.0, 1.0),
    ("dropout(keep_prob=0.8973365981501419)", 16.38, 5.6e-06), ("max_pool(kernel_size=2, ndim=1)", -40.0, 1e-6),
    ("max_pool(kernel_size=99999999, ndim=1)", 1e-6, 1e6), ("avg_pool(kernel_size=3, stride=7, ndim=1)", 0.0, 1e6),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "mean", "std"), HOSTILE, ids=lambda v: f"{v:.6g}" if isinstance(v, float) else v)
def test_no_true_error_is_above_the_stated_one_at_a_hostile_input(spec, mean, std):
    assert not (found := violations(spec, mean, std)), "\n".join(found)


def test_the_check_itself_sees_an_error_that_is_too_small():
    assert too_small(Value(1.0, 1e-16), mpf("1.0000000000000003"))
    assert not too_small(Value(1.0, 4e-16), mpf("1.0000000000000003"))


@pytest.mark.parametrize(
    ("spec", "std"), [("softmax(n=3, temperature=1e-300)", 1.0), ("softmax(n=3, temperature=1e-8)", 1e150)]
)
def test_a_scale_whose_square_overflows_is_the_limit_of_a_hard_maximum(spec, std):
    found = engine.get("quadrature").estimate(catalog.layer(spec), "forward", Normal(-50.0, std), Effort())
    with mp.workdps(DIGITS):
        assert found.status == "ok" and not too_small(found.std, mp.sqrt(mpf(2) / 9))


# --- what is derived ---

PINNED = settings(derandomize=True, max_examples=300, deadline=None, database=None)
SIZES = st.one_of(st.floats(1e-3, 1e3), st.floats(-300.0, 300.0).map(lambda e: 10.0**e))
SHARES = st.one_of(st.just(0.0), st.floats(-18.0, 0.3).map(lambda e: 10.0**e))


def ends(value: Value):
    return [Fraction(value.value) + sign * Fraction(value.error) for sign in (-1, 0, 1)]


@st.composite
def values(draw, signs=(1.0,)):
    size = draw(SIZES)
    return Value(draw(st.sampled_from(signs)) * size, size * draw(SHARES))


@PINNED
@given(values(signs=(1.0, -1.0)))
@example(Value(-2.0, 0.1))
@example(Value(1e-300, math.nextafter(1e-300, 0.0)))
@example(Value(5e-324, 0.0))
def test_the_error_of_a_reciprocal_covers_every_value_within_the_error(value):
    found = value.reciprocal()
    if found.error is None:
        return
    assert math.isfinite(found.error) and found.error >= 0.0
    for x in ends(value):
        assert x != 0 and abs(1 / x - Fraction(found.value)) <= Fraction(found.error)


@PINNED
@given(values(), values())
@example(Value(1e300, 1e284), Value(1e-300, 1e-316))
@example(Value(1e308, 1e307), Value(0.5, 0.49))
@example(Value(3e-320, 1e-321), Value(7.0, 1e-3))
def test_the_error_of_a_ratio_covers_every_pair_within_the_errors(a, b):
    found = a.over(b)
    if found.error is None:
        return
    assert math.isfinite(found.error) and found.error >= 0.0
    for x in ends(a):
        for y in ends(b):
            assert abs(x / y - Fraction(found.value)) <= Fraction(found.error)


def test_a_derived_error_is_stated_whenever_it_can_be():
    assert Value(2.0, 1e-15).reciprocal().error < 1e-15
    assert Value(2.0, 1e-15).over(Value(3.0, 1e-15)).error < 2e-15


def test_a_value_that_may_be_zero_has_a_reciprocal_of_unstated_error_or_none():
    assert Value(1.0, 1.0).reciprocal().error is None and Value(1.0, 2.0).reciprocal().error is None
    assert Value(0.0, 0.0).reciprocal() == Value() == Value().reciprocal()


#: A kink or a jump where z = (x - mean)/std under- or overflows: (spec, mean, std, true mean, std, backward std).
OUT_OF_DOUBLES = [
    ("sign", 5e-324, 6.3, 0.0, 1.0, 0.0),
    ("sign", -5e-324, 6.3, 0.0, 1.0, 0.0),
    ("sign", 1e-200, 1e200, 0.0, 1.0, 0.0),
    ("abs", -1e8, 5e-324, 1e8, 5e-324, 1.0),
    ("softshrink", -1e300, 1e-160, -1e300, 1e-160, 1.0),
    ("softshrink(lambd=1e155)", 0.0, 1e-300, 0.0, 0.0, 0.0),
    ("sparse_sigmoid", 1e160, 5e-324, 1.0, 0.0, 0.0),
    ("binarise(gradient=identity)", -1e30, 5e-324, -1.0, 0.0, 1.0),
    ("quantiser", 1e160, 1e-300, 1.0, 0.0, 0.0),
]


@pytest.mark.parametrize(("spec", "mean", "std", "true_mean", "true_std", "backward"), OUT_OF_DOUBLES)
def test_no_bound_lies_where_a_standardised_kink_is_no_double(spec, mean, std, true_mean, true_std, backward):
    layer, stated = catalog.layer(spec), 0
    for name, (direction, quantity, truth) in itertools.product(
        ENGINES, (("forward", "mean", true_mean), ("forward", "std", true_std), ("backward", "std", backward))
    ):
        try:
            value = getattr(engine.get(name).estimate(layer, direction, Normal(mean, std), Effort()), quantity)
        except Unsupported:
            continue
        if value.error is not None:
            stated += 1
            assert abs(Fraction(value.value) - Fraction(truth)) <= Fraction(value.error), (name, direction, quantity)
    assert stated


@pytest.mark.parametrize(("mean", "std"), [(-2235.7099001237957, 58.67142474663591), (-1000.0, 30.0), (-700.0, 20.0)])
def test_no_quadrature_of_an_exponential_whose_moments_lie_beyond_its_reach(mean, std):
    layer = catalog.layer("exp")
    with pytest.raises(Unsupported, match="beyond the reach"):
        engine.get("quadrature").estimate(layer, "forward", Normal(mean, std), Effort())
    found = engine.estimate("auto", layer, "forward", Normal(mean, std), Effort())
    truth = mp.exp(mpf(mean) + mpf(std) ** 2 / 2)
    assert abs(mpf(float(found.mean.value)) - truth) <= mpf(float(found.mean.error)) and found.engine == "closed-form"


def test_balls_hold_wide_exponentials_tiny_quotients_and_the_far_tail_of_sech2():
    from normcal.numerics.balls import BALLS, Ball

    with mp.workdps(60):
        for mid, rad in ((-400.40354485039336, 106.31397545412268), (457.3055336508198, 136.73174073084994)):
            found = BALLS.exp(Ball(mid, rad))
            assert abs(mp.exp(mpf(mid) + mpf(rad)) - mpf(float(found.mid))) <= mpf(float(found.rad))
        for x in (360.77942791149894, 372.7789912431024, 371.47555271992155):
            found = BALLS.sech2(Ball(x))
            assert abs(mp.sech(mpf(x)) ** 2 - mpf(float(found.mid))) <= mpf(float(found.rad))
    small, divisor = 1e-315, Ball(1e-300, 1e-310)
    found = Ball(small) / divisor
    for end in (divisor.mid - divisor.rad, divisor.mid + divisor.rad):
        assert abs(Fraction(small) / Fraction(end) - Fraction(float(found.mid))) <= Fraction(float(found.rad))


def test_a_ball_divided_by_an_underflowed_number_is_unbounded_and_no_exception():
    import numpy as np

    from normcal.numerics.balls import Ball

    with np.errstate(all="ignore"):
        assert (Ball(1.0) / Ball(0.0)).rad == math.inf
        assert Ball(np.full(3, 1.7e308)).sum().rad == math.inf


def test_mpmath_is_not_shared_with_the_package():
    import pathlib

    import normcal

    folder = pathlib.Path(normcal.__file__).parent
    assert not [f for f in folder.rglob("*.py") if "mpmath" in f.read_text(encoding="utf-8")], mpmath.__version__
