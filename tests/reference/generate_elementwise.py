"""Reference moments of elementwise layers under Gaussian input, by brute integration with mpmath alone.

Run by hand: ``python tests/reference/generate_elementwise.py``; it rewrites values_elementwise.json next to this file.
Every expectation is a Gauss-Legendre sum over panels of u = (x - mean) / std that end at every kink, done on two
different meshes; the script stops and names the case if the two differ in their first 28 digits. Functions are the
textbook definitions, derivatives are mpmath's numerical ones at twice the digits. Parameters, means and deviations
are the IEEE doubles nearest the decimals printed.
"""

import json
from itertools import pairwise
from pathlib import Path

from mpmath import mp, mpf
from mpmath.calculus.quadrature import GaussLegendre

REACH, DIGITS, AGREE = 17, 30, 28
LAWS = [("0", "1"), ("0.5", "2"), ("-1", "0.3"), ("3", "0.7"), ("0", "1e-3")]
WIDE = ("0", "1e3")


def expit(x):
    return 1 / (1 + mp.exp(-x))


def cdf(x):
    return mp.erfc(-x / mp.sqrt(2)) / 2


def softplus(x):
    return max(x, mpf(0)) + mp.log1p(mp.exp(-abs(x)))


def clip(x, low, high):
    return min(max(x, mpf(low)), mpf(high))


def gate(x, function):
    return x * function(x)


def double(text):
    return mpf(float(text))


#: spec -> (f, kinks); a third entry is the derivative that the backward pass uses instead
LAYERS = {
    "prelu(weight=0.25)": (lambda x: x if x > 0 else x / 4, [0]),
    "relu6": (lambda x: clip(x, 0, 6), [0, 6]),
    "clipped_relu(max_value=20)": (lambda x: clip(x, 0, 20), [0, 20]),
    "abs": (abs, [0]),
    "threshold(threshold=-0.5, value=2)": (lambda x: x if x > mpf("-0.5") else mpf(2), ["-0.5"]),
    "relu_squared": (lambda x: max(x, mpf(0)) ** 2, [0]),
    "star_relu": (lambda x: double("0.8944") * max(x, mpf(0)) ** 2 + double("-0.4472"), [0]),
    "rectified_monomial(power=3)": (lambda x: max(x, mpf(0)) ** 3, [0]),
    "hardtanh(min_val=-2, max_val=0.5)": (lambda x: clip(x, -2, "0.5"), [-2, "0.5"]),
    "hardsigmoid": (lambda x: clip(x + 3, 0, 6) / 6, [-3, 3]),
    "sparse_sigmoid": (lambda x: clip(x + 1, 0, 2) / 2, [-1, 1]),
    "log_sigmoid": (lambda x: -softplus(-x), []),
    "scaled_tanh(amplitude=1.7159, stretch=2)": (lambda x: double("1.7159") * mp.tanh(2 * x), []),
    "softsign": (lambda x: x / (1 + abs(x)), [0]),
    "arctan": (mp.atan, []),
    "asinh": (mp.asinh, []),
    "erf": (mp.erf, []),
    "laplace": (lambda x: (1 + mp.erf((x - mp.sqrt(mpf(1) / 2)) / (mp.sqrt(1 / (4 * mp.pi)) * mp.sqrt(2)))) / 2, []),
    "shifted_softplus": (lambda x: softplus(x) - mp.log(2), []),
    "squareplus(b=0.25)": (lambda x: (x + mp.sqrt(x * x + mpf("0.25"))) / 2, []),
    "sparse_plus": (lambda x: mpf(0) if x <= -1 else x if x >= 1 else (x + 1) ** 2 / 4, [-1, 1]),
    "celu(alpha=0.5)": (lambda x: x if x > 0 else mp.expm1(2 * x) / 2, [0]),
    "smooth_leaky_relu(negative_slope=0.25)": (lambda x: x / 4 + softplus(x) * 3 / 4, []),
    "bent_identity": (lambda x: (mp.sqrt(x * x + 1) - 1) / 2 + x, []),
    "exp": (mp.exp, []),
    "gaussian": (lambda x: mp.exp(-x * x), []),
    "sin": (mp.sin, []),
    "cos": (mp.cos, []),
    "snake(alpha=5)": (lambda x: x + mp.sin(5 * x) ** 2 / 5, []),
    "square": (lambda x: x**2, []),
    "cube": (lambda x: x**3, []),
    "monomial(power=5)": (lambda x: x**5, []),
    "polynomial(coefficients=(0.5, -1, 0, 0.25))": (lambda x: mpf("0.5") - x + x**3 / 4, []),
    "hardshrink": (lambda x: x if abs(x) > mpf("0.5") else mpf(0), ["-0.5", "0.5"]),
    "softshrink": (lambda x: x - clip(x, "-0.5", "0.5"), ["-0.5", "0.5"]),
    "tanhshrink": (lambda x: x - mp.tanh(x), []),
    "quick_gelu": (lambda x: x * expit(double("1.702") * x), []),
    "swish(beta=2)": (lambda x: x * expit(2 * x), []),
    "hardswish": (lambda x: x * clip(x + 3, 0, 6) / 6, [-3, 3]),
    "mish": (lambda x: x * mp.tanh(softplus(x)), []),
    "hard_mish": (lambda x: x * clip(x + 2, 0, 2) / 2, [-2, 0]),
    "serf": (lambda x: x * mp.erf(softplus(x)), []),
    "tanh_exp": (lambda x: x * mp.tanh(mp.exp(min(x, mpf(30)))), []),
    "phish": (lambda x: x * mp.tanh(x * cdf(x)), []),
    "logish": (lambda x: x * mp.log1p(expit(x)), []),
    "lisht": (lambda x: x * mp.tanh(x), []),
    "elish": (lambda x: (x if x > 0 else mp.expm1(x)) * expit(x), [0]),
    "hardelish": (lambda x: (x if x > 0 else mp.expm1(x)) * clip(x + 1, 0, 2) / 2, [-1, 0, 1]),
    "binarise": (lambda x: mpf(1) if x > 0 else mpf(-1), [-1, 0, 1], lambda x: mpf(abs(x) <= 1)),
    "heaviside": (lambda x: mpf(x > 0), [0], lambda x: 2 * expit(2 * x) * expit(-2 * x)),
    "heaviside(surrogate_gradient=triangle)": (
        lambda x: mpf(x > 0),
        ["-0.5", 0, "0.5"],
        lambda x: 2 * max(1 - 2 * abs(x), mpf(0)),
    ),
    "quantiser(bits=3, clip=1.5)": (
        lambda x: mp.floor(clip(x, "-1.5", "1.5") * 2 + mpf("0.5")) / 2,
        ["-1.5", "-1.25", "-0.75", "-0.25", "0.25", "0.75", "1.25", "1.5"],
        lambda x: mpf(abs(x) <= mpf("1.5")),
    ),
}
#: Waves of many periods within the law, and digits that doubles do not have.
NOT_WIDE = ("sin", "cos", "snake(alpha=5)", "exp", "monomial(power=5)", "tanhshrink")


def edges(mean, std, kinks, width, scale):
    ends = {width * k for k in range(-int(REACH / width), int(REACH / width) + 1)} | {mpf(REACH), mpf(-REACH)}
    own, step = [mpf(k) for k in kinks] + [mpf(0)], mpf(scale)
    while step < std * REACH:
        own += [step, -step]
        step *= 2
    ends |= {u for u in ((x - mean) / std for x in own) if abs(u) < REACH}
    return sorted(ends)


def moments(entry, mean, std, width, scale):
    f, kinks, *slope = entry
    rule = GaussLegendre(mp).calc_nodes(5, mp.prec)
    rows, mesh = [], edges(mean, std, kinks, width, scale)
    for low, high in pairwise(mesh):
        middle, half = (low + high) / 2, (high - low) / 2
        for t, weight in rule:
            u = middle + half * t
            x = mean + std * u
            derivative = slope[0](x) if slope else mp.diff(f, x)
            rows.append((half * weight * mp.npdf(u), f(x), derivative))
    first = mp.fsum(w * y for w, y, _ in rows)
    variance = mp.fsum(w * (y - first) ** 2 for w, y, _ in rows)
    backward = mp.sqrt(mp.fsum(w * d * d for w, _, d in rows))
    return [first, mp.sqrt(variance), mp.sqrt(first**2 + variance), backward]


def case(spec, entry, law):
    mean, std = map(double, law)
    a, b = (moments(entry, mean, std, mpf(width), scale) for width, scale in (("1", "0.5"), ("0.75", "0.4")))
    size = max(abs(a[0]), a[1])
    for x, y, scale in zip(a, b, (size, a[1], size, a[3]), strict=True):
        if abs(x - y) > scale * mpf(10) ** -AGREE:
            raise SystemExit(f"{spec} at {law}: {mp.nstr(x, 40)} against {mp.nstr(y, 40)}")
    if abs(a[0]) < size * mpf(10) ** -30:  # an odd function of a centred input
        a[0] = mpf(0)
    mean_text, std_text, rms_text, slope_text = (mp.nstr(x, DIGITS) for x in a)
    return {
        "spec": spec,
        "input": {"mean": law[0], "std": law[1]},
        "forward": {"mean": mean_text, "std": std_text, "rms": rms_text},
        "backward": {"std": slope_text},
    }


def main():
    mp.dps = 40
    cases = []
    for number, (spec, entry) in enumerate(LAYERS.items()):
        laws = [LAWS[0], LAWS[1 + number % 4]]
        cases += [case(spec, entry, law) for law in laws + ([WIDE] if number % 2 and spec not in NOT_WIDE else [])]
    path = Path(__file__).with_name("values_elementwise.json")
    path.write_text(json.dumps({"cases": cases}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
