"""Reference moments of layers under Gaussian input, computed with mpmath alone.

Run by hand: ``python tests/reference/generate.py``; it rewrites values.json
next to this file.  Every expectation is a Gauss-Legendre sum over panels of
u = (x - mean) / std, done twice, at two precisions on two different sets of
panels; the script stops and names the case if the two differ in their first
32 digits.  Means, deviations and layer parameters are the IEEE doubles nearest
the decimals printed in values.json, because that is what a program receives.
"""

import json
import time
from functools import lru_cache
from pathlib import Path

import mpmath
from mpmath import mp, mpf
from mpmath.calculus.quadrature import GaussLegendre

DIGITS = 30
AGREE = 32  # digits on which the two computations must agree
REACH = 60  # integrate over |u| <= REACH; beyond it lies less than 1e-780

# One computation each: working digits, degree of the Gauss rule (48 and 96
# points), width of a panel in u, and the x at which dyadic panels start.
COARSE = {"dps": 80, "degree": 5, "width": "1", "scale": "1"}
FINE = {"dps": 100, "degree": 6, "width": "1.75", "scale": "1.5"}
MAX_COARSE = {"dps": 80, "degree": 5, "width": "0.25", "scale": "1"}
MAX_FINE = {"dps": 100, "degree": 6, "width": "0.4375", "scale": "1.5"}

POOL_INPUTS = [
    ("0", "1"),
    ("0.5", "2"),
    ("-1", "0.3"),
    ("0", "1e-3"),
    ("0", "1e3"),
    ("50", "1"),
    ("-12", "1"),
]
INPUTS = POOL_INPUTS + [
    ("3", "0.7"),
    ("-5", "4"),
    ("0.01", "0.05"),
    ("-30", "1"),
    ("0", "1e-6"),
    ("1e3", "1"),
]
POOL_SIZES = [1, 2, 3, 4, 5, 6, 9, 10, 16, 25, 27, 49, 64, 100]
POOL_SIZES += [1000, 10000, 100000, 1000000]


def double(text):
    """The IEEE double nearest a decimal, as an exact mpf."""
    return mpf(float(text))


# --- layers: each takes x and returns (f(x), f'(x)) ---


def expit(x):
    return 1 / (1 + mp.exp(-x))


def normal_cdf(x):
    return mp.erfc(-x / mp.sqrt(2)) / 2


def normal_pdf(x):
    return mp.exp(-x * x / 2) / mp.sqrt(2 * mp.pi)


def identity(x):
    return x, mpf(1)


def relu(x):
    return (x, mpf(1)) if x > 0 else (mpf(0), mpf(0))


def leaky_relu(x, negative_slope):
    return (x, mpf(1)) if x > 0 else (negative_slope * x, negative_slope)


def sigmoid(x):
    up, down = expit(x), expit(-x)
    return up, up * down


def sigmoid_minus_one(x):
    up, down = expit(x), expit(-x)
    return -down, up * down


def tanh(x):
    return mp.tanh(x), 4 * expit(2 * x) * expit(-2 * x)


def tanh_minus_one(x):
    up, down = expit(2 * x), expit(-2 * x)
    return -2 * down, 4 * up * down


def tanh_plus_one(x):
    up, down = expit(2 * x), expit(-2 * x)
    return 2 * up, 4 * up * down


def softplus(x, beta):
    scaled = beta * x
    value = max(scaled, mpf(0)) + mp.log1p(mp.exp(-abs(scaled)))
    return value / beta, expit(scaled)


def gelu(x):
    below = normal_cdf(x)
    return x * below, below + x * normal_pdf(x)


def gelu_tanh(x):
    # 0.044715 is the decimal itself, not the double nearest it; and
    # (1 + tanh(z)) / 2 is written expit(2 z), which does not cancel.
    cubic = mpf("0.044715")
    root = mp.sqrt(2 / mp.pi)
    twice = 2 * root * (x + cubic * x**3)
    twice_slope = 2 * root * (1 + 3 * cubic * x * x)
    up, down = expit(twice), expit(-twice)
    return x * up, up + x * up * down * twice_slope


def silu(x):
    up, down = expit(x), expit(-x)
    return x * up, up * (1 + x * down)


def elu(x, alpha):
    if x > 0:
        return x, mpf(1)
    return alpha * mp.expm1(x), alpha * mp.exp(x)


def selu(x):
    # The published 32-digit decimals themselves, not the doubles nearest them.
    alpha = mpf("1.6732632423543772848170429916717")
    scale = mpf("1.0507009873554804934193349852946")
    value, slope = elu(x, alpha)
    return scale * value, scale * slope


LAYERS = [
    (identity, {}),
    (relu, {}),
    (leaky_relu, {"negative_slope": "0.01"}),
    (leaky_relu, {"negative_slope": "0.2"}),
    (sigmoid, {}),
    (tanh, {}),
    (softplus, {"beta": "1.0"}),
    (softplus, {"beta": "2.0"}),
    (gelu, {}),
    (gelu_tanh, {}),
    (silu, {}),
    (elu, {"alpha": "1.0"}),
    (elu, {"alpha": "0.5"}),
    (selu, {}),
]
ODD = (identity, tanh)


def spec_of(layer, parameters):
    inside = ", ".join(f"{key}={text}" for key, text in parameters.items())
    return f"{layer.__name__}({inside})" if inside else layer.__name__


def bind(layer, parameters):
    """The layer as a function of x alone, its parameters taken as doubles."""
    values = {key: double(text) for key, text in parameters.items()}
    return lambda x: layer(x, **values)


def off_plateau(layer, mean):
    """(limit, g) with f = limit + g, g losing nothing where f is nearly flat."""
    if layer is sigmoid and mean > 1:
        return 1, sigmoid_minus_one
    if layer is tanh and mean > 1:
        return 1, tanh_minus_one
    if layer is tanh and mean < -1:
        return -1, tanh_plus_one
    return 0, layer


# --- quadrature ---


def dyadic(scale, limit):
    """0 and scale * 2^k, of both signs, up to a limit."""
    points = [mpf(0)]
    while scale <= limit:
        points += [scale, -scale]
        scale *= 2
    return points


def edges(mean, std, width, scale, reach):
    """Panel ends in u: a regular mesh, and the points 0, +-2^k scale of x."""
    steps = int(mp.ceil(reach / width))
    mesh = {width * k for k in range(-steps, steps + 1)}
    own = dyadic(scale, abs(mean) + std * reach)
    mesh |= {u for u in ((x - mean) / std for x in own) if abs(u) < reach}
    return sorted(mesh)


@lru_cache
def gauss_rule(degree, precision):
    """Points and weights of the Gauss-Legendre rule on [-1, 1]."""
    return GaussLegendre(mp).calc_nodes(degree, precision)


def nodes(mesh, degree):
    """Gauss-Legendre pairs (u, weight) over the panels between mesh points."""
    rule = gauss_rule(degree, mp.prec)
    for low, high in zip(mesh, mesh[1:]):
        middle, half = (low + high) / 2, (high - low) / 2
        for t, weight in rule:
            yield middle + half * t, half * weight


def gaussian_grid(mean, std, setting):
    """Pairs (x, weight) such that E[g(x)] is the sum of weight * g(x)."""
    width, scale = mpf(setting["width"]), mpf(setting["scale"])
    mesh = edges(mean, std, width, scale, REACH)
    pairs = nodes(mesh, setting["degree"])
    return [(mean + std * u, w * normal_pdf(u)) for u, w in pairs]


def layer_moments(layer, parameters, mean, grid):
    """Mean, std and rms of f, and root mean square of f', over a grid."""
    limit, function = off_plateau(layer, mean)
    function = bind(function, parameters)
    rows = [(weight, *function(x)) for x, weight in grid]
    centre = mp.fsum(w * g for w, g, _ in rows)
    variance = mp.fsum(w * (g - centre) ** 2 for w, g, _ in rows)
    slope = mp.sqrt(mp.fsum(w * d * d for w, _, d in rows))
    first = mpf(0) if layer in ODD and mean == 0 else limit + centre
    rms = mp.sqrt(first**2 + variance)
    return [first, mp.sqrt(variance), rms, slope]


def log_normal_cdf(z):
    return mp.log1p(-normal_cdf(-z)) if z > 0 else mp.log(normal_cdf(z))


def maximum_grid(setting):
    """Triples (z, weight * pdf(z), log cdf(z)) of the standard normal."""
    width, scale = mpf(setting["width"]), mpf(setting["scale"])
    mesh = edges(mpf(0), mpf(1), width, scale, 24)
    pairs = nodes(mesh, setting["degree"])
    return [(z, w * normal_pdf(z), log_normal_cdf(z)) for z, w in pairs]


def maximum_moments(count, grid):
    """Mean and std of the largest of count standard normals."""
    rows = [(z, count * w * mp.exp((count - 1) * log)) for z, w, log in grid]
    mean = mp.fsum(z * w for z, w in rows)
    std = mp.sqrt(mp.fsum((z - mean) ** 2 * w for z, w in rows))
    return (mpf(0) if count == 1 else mean), std


def pool_moments(count, standard, mean, std):
    """The standard maximum carried over to N(mean, std^2)."""
    first, spread = mean + std * standard[0], std * standard[1]
    rms = mp.sqrt(first**2 + spread**2)
    return [first, spread, rms, 1 / mp.sqrt(count)]


# --- checks ---


def check_agreement(label, coarse, fine):
    for a, b in zip(coarse, fine, strict=True):
        if abs(a - b) > abs(b) * mpf(10) ** -AGREE:
            digits = mp.nstr(a, 40), mp.nstr(b, 40)
            raise SystemExit(f"{label}: {digits[0]} against {digits[1]}")


def check_slopes():
    """Hand-written derivatives against differences of the values."""
    shifted = [sigmoid_minus_one, tanh_minus_one, tanh_plus_one]
    for layer, parameters in LAYERS + [(layer, {}) for layer in shifted]:
        function = bind(layer, parameters)
        for x in map(mpf, ("-11", "-2.7", "-0.3", "0.3", "2.7", "11")):
            slope = mp.diff(lambda t: function(t)[0], x)
            if abs(slope - function(x)[1]) > mpf(10) ** -AGREE:
                raise SystemExit(f"{layer.__name__}: wrong derivative at {x}")


def ramp_moments(low, mean, std):
    """Closed form for x > 0 ? x : low * x."""
    z = mean / std
    above, below, density = normal_cdf(z), normal_cdf(-z), normal_pdf(z)
    first = mean * (above + low * below) + (1 - low) * std * density
    square = (mean**2 + std**2) * (above + low**2 * below)
    square += (1 - low**2) * mean * std * density
    slope = above + low**2 * below
    return [first, mp.sqrt(square - first**2), mp.sqrt(square), mp.sqrt(slope)]


def check_closed_form(label, layer, parameters, mean, std, values):
    if layer in (identity, relu, leaky_relu):
        low = 1 if layer is identity else 0
        low = double(parameters.get("negative_slope", low))
        check_agreement(label, ramp_moments(low, mean, std), values)
    if layer is gelu:
        wide = mp.sqrt(1 + std**2)
        first = mean * normal_cdf(mean / wide)
        first += std**2 / wide * normal_pdf(mean / wide)
        check_agreement(label, [first], values[:1])


def check_small_maxima(fine):
    root = mp.sqrt(mp.pi)
    for count, mean in ((2, 1 / root), (3, 3 / (2 * root))):
        check_agreement(f"maximum of {count}", [mean], fine[count][:1])


# --- cases ---


def case(spec, mean, std, values):
    texts = [show(value) for value in values]
    forward = dict(zip(("mean", "std", "rms"), texts))
    return {
        "spec": spec,
        "input": {"mean": mean, "std": std},
        "forward": forward,
        "backward": {"std": texts[3]},
    }


def show(value):
    return mp.nstr(value, DIGITS, strip_zeros=False) if value else "0"


def both(coarse, fine, compute):
    """compute(setting) at each of two settings, at its own precision."""
    results = []
    for setting in (coarse, fine):
        with mp.workdps(setting["dps"]):
            results.append(compute(setting))
    return results


def moments_under(mean, std, setting):
    """Moments of every layer in turn under N(mean, std^2)."""
    grid = gaussian_grid(mean, std, setting)
    return [layer_moments(*entry, mean, grid) for entry in LAYERS]


def layer_cases():
    """Cases of every elementwise layer, layer by layer."""
    cases = {spec_of(*entry): [] for entry in LAYERS}
    for texts in INPUTS:
        mean, std = map(double, texts)
        results = both(COARSE, FINE, lambda s: moments_under(mean, std, s))
        for entry, rough, values in zip(LAYERS, *results, strict=True):
            spec = spec_of(*entry)
            label = f"{spec} at N({texts[0]}, {texts[1]})"
            check_agreement(label, rough, values)
            with mp.workdps(1000):  # closed forms cancel in the tails
                check_closed_form(label, *entry, mean, std, values)
            cases[spec].append(case(spec, *texts, values))
    return [one for group in cases.values() for one in group]


def all_maxima(setting):
    grid = maximum_grid(setting)
    return {count: maximum_moments(count, grid) for count in POOL_SIZES}


def pool_cases():
    coarse, fine = both(MAX_COARSE, MAX_FINE, all_maxima)
    check_small_maxima(fine)
    cases = []
    for count in POOL_SIZES:
        spec = f"max_pool(kernel_size={count}, ndim=1)"
        for mean_text, std_text in POOL_INPUTS:
            mean, std = double(mean_text), double(std_text)
            rough = pool_moments(count, coarse[count], mean, std)
            values = pool_moments(count, fine[count], mean, std)
            check_agreement(f"{spec} at N({mean_text}, {std_text})", rough, values)
            cases.append(case(spec, mean_text, std_text, values))
    return cases


def write(path, cases):
    """JSON with one case on a line."""
    generator = json.dumps(f"mpmath {mpmath.__version__}")
    lines = ",\n".join(json.dumps(one) for one in cases)
    head = f'{{"digits": {DIGITS}, "generator": {generator}, "cases": [\n'
    path.write_text(head + lines + "\n]}\n", encoding="utf-8")


def main():
    start = time.time()
    mp.dps = max(COARSE["dps"], FINE["dps"])
    check_slopes()
    cases = layer_cases() + pool_cases()
    path = Path(__file__).with_name("values.json")
    write(path, cases)
    print(f"{len(cases)} cases in {time.time() - start:.0f} s: {path.name}")


if __name__ == "__main__":
    main()
