"""Reference dual activations E[f(u) f(v)] and their slopes in c, computed with mpmath alone.

Run by hand: ``python tests/reference/generate_kernel.py``; it rewrites kernel.json next to this file. Analytic
functions are summed by the trapezoidal rule over the plane of (u + v) and (u - v), which are independent: its error
falls like exp(-2 pi d/h) with the distance d of the nearest pole, so that two steps h that agree have all digits.
Functions with kinks are integrated over u alone, the inner expectation being a formula in Phi. It takes some minutes.
"""

import functools
import json
from pathlib import Path

import mpmath
from mpmath import mp, mpf

DIGITS = 22
mp.dps = 28
TWO_PI = 2 * mp.pi


def phi(x):
    return mp.exp(-x * x / 2) / mp.sqrt(TWO_PI)


def Phi(x):
    return mp.erfc(-x / mp.sqrt(2)) / 2


def sigmoid(x):
    return 1 / (1 + mp.exp(-x))


#: spec: (f, f')
SMOOTH = {
    "tanh": (mp.tanh, lambda x: mp.sech(x) ** 2),
    "sigmoid": (sigmoid, lambda x: sigmoid(x) * sigmoid(-x)),
    "silu": (lambda x: x * sigmoid(x), lambda x: sigmoid(x) * (1 + x * sigmoid(-x))),
    "gelu": (lambda x: x * Phi(x), lambda x: Phi(x) + x * phi(x)),
}
CORRELATIONS = ("-0.875", "-0.25", "0.5", "0.9375", "0.9990234375")
#: (mean, std)
LAWS = (("0", "1"), ("0.5", "2"))


@functools.cache
def values(spec, which, x):
    return SMOOTH[spec][which](x)


def plane(spec, which, mean, std, c, step):
    """Return the double sum over s and t of f(mean + std (a s + b t)) f(mean + std (a s - b t))."""
    f = SMOOTH[spec][which]
    a, b = mp.sqrt((1 + c) / 2), mp.sqrt((1 - c) / 2)
    count = int(mpf("12.5") / step)
    total = mpf(0)
    for i in range(-count, count + 1):
        s = a * i * step
        row = mpf(0)
        for j in range(count + 1):
            t = b * j * step
            both = f(mean + std * (s + t)) * f(mean + std * (s - t))
            row += both * mp.exp(-((j * step) ** 2) / 2) * (1 if j == 0 else 2)
        total += row * mp.exp(-((i * step) ** 2) / 2)
    return total * step**2 / TWO_PI


def smooth(spec, mean, std, c):
    found = []
    for which, factor in ((0, 1), (1, std * std)):
        coarse, fine = (plane(spec, which, mean, std, c, step) * factor for step in STEPS[std])
        assert abs(coarse - fine) < mpf(10) ** -(DIGITS + 2), (spec, which, mean, std, c, coarse - fine)
        found.append(fine)
    return found


#: the poles of a function of std z are nearer by the std
STEPS = {mpf(1): (mpf("0.13"), mpf("0.11")), mpf(2): (mpf("0.07"), mpf("0.06"))}


# --- functions with kinks: E[f(m + s v)] in closed form, then one integral ---


def above(m, s, k):
    """E (x - k)_+ for x ~ N(m, s^2)."""
    t = (m - k) / s
    return s * (phi(t) + t * Phi(t))


def elu(x):
    return x if x > 0 else mp.expm1(x)


def mean_elu(m, s):
    below = mp.exp(m + s * s / 2) * Phi(-(m + s * s) / s) - Phi(-m / s)
    return above(m, s, 0) + below


def slope_elu(x):
    return mpf(1) if x > 0 else mp.exp(x)


def mean_slope_elu(m, s):
    return Phi(m / s) + mp.exp(m + s * s / 2) * Phi(-(m + s * s) / s)


KINKED = {
    "elu": ((elu, mean_elu), (slope_elu, mean_slope_elu), (0,)),
    "hardtanh": (
        (lambda x: min(max(x, -1), 1), lambda m, s: -1 + above(m, s, -1) - above(m, s, 1)),
        (lambda x: mpf(-1 < x < 1), lambda m, s: Phi((m + 1) / s) - Phi((m - 1) / s)),
        (-1, 1),
    ),
    "leaky_relu(negative_slope=0.25)": (
        (lambda x: x if x > 0 else x / 4, lambda m, s: m / 4 + above(m, s, 0) * mpf(3) / 4),
        (lambda x: mpf(1) if x > 0 else mpf(1) / 4, lambda m, s: mpf(1) / 4 + Phi(m / s) * mpf(3) / 4),
        (0,),
    ),
}


def kinked(spec, mean, std, c):
    *pairs, kinks = KINKED[spec]
    found = []
    rest = std * mp.sqrt(1 - c * c)
    for (f, inner), factor in zip(pairs, (1, std * std), strict=True):
        cuts = sorted({-14, -7, -3, 0, 3, 7, 14, *((k - mean) / std for k in kinks)})
        near = sorted({z + side * rest / std * w for z in cuts[2:-2] for side in (-1, 1) for w in (1, 4)} | set(cuts))

        def term(z, f=f, inner=inner):
            return phi(z) * f(mean + std * z) * inner(mean + std * c * z, rest)

        coarse, fine = (mp.quad(term, near, maxdegree=degree) * factor for degree in (7, 9))
        assert abs(coarse - fine) < mpf(10) ** -(DIGITS + 2), (spec, mean, std, c, coarse - fine)
        found.append(fine)
    return found


def main():
    cases = []
    for specs, compute in ((SMOOTH, smooth), (KINKED, kinked)):
        for spec in specs:
            for mean, std in LAWS:
                for c in CORRELATIONS if compute is kinked or std == "1" else CORRELATIONS[2:4]:
                    dual, slope = compute(spec, mpf(mean), mpf(std), mpf(c))
                    texts = {"dual": mp.nstr(dual, DIGITS), "slope": mp.nstr(slope, DIGITS)}
                    cases.append({"spec": spec, "mean": mean, "std": std, "c": c} | texts)
                    print(cases[-1], flush=True)
    head = {"digits": DIGITS, "generator": f"mpmath {mpmath.__version__}"}
    lines = ",\n".join(json.dumps(case) for case in cases)
    text = json.dumps(head)[:-1] + ', "cases": [\n' + lines + "\n]}\n"
    Path(__file__).with_name("kernel.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
