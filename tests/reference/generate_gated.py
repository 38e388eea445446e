"""Reference moments of gated units and of maxout under Gaussian input, computed with mpmath alone.

Run by hand: ``python tests/reference/generate_gated.py``; it rewrites values_gated.json next to
this file.  A gated unit is integrated over value and gate together, as a double sum over the plane:
no moment of either factor is taken by itself.  Maxout is integrated through distribution functions,
E[M^2] = 2 int x (P(M > x) - [x < 0]) dx, not through its density.  Everything is done at two
precisions on two meshes, which takes about two minutes, and the script stops where 32 digits differ.
"""

import json
import time
from pathlib import Path

import generate as base
import mpmath
from generate import double
from mpmath import mp, mpf

INPUTS = [("0", "1"), ("0.5", "2"), ("-1", "0.3"), ("3", "0.7"), ("0", "1e-3"), ("0", "1e3"), ("50", "1")]
FEW = INPUTS[:4]
#: One computation each: digits, and how the gate's and the value's lines are cut.
COARSE = {"dps": 50, "degree": 5, "width": "2", "scale": "1", "points": 14, "step": "0.1"}
FINE = {"dps": 60, "degree": 6, "width": "3", "scale": "1.5", "points": 17, "step": "0.08"}
REACH = 20  # the density beyond is below 1e-86


def swish(x, beta):
    up, down = base.expit(beta * x), base.expit(-beta * x)
    return x * up, up * (1 + beta * x * down)


LEAKY = (base.leaky_relu, {"negative_slope": "0.2"})
#: spec, function of the value, function of the gate, and the inputs
UNITS = [
    ("glu", (base.identity, {}), (base.sigmoid, {}), INPUTS),
    ("reglu", (base.identity, {}), (base.relu, {}), INPUTS),
    ("geglu", (base.identity, {}), (base.gelu, {}), INPUTS),
    ("geglu_tanh", (base.identity, {}), (base.gelu_tanh, {}), FEW),
    ("swiglu(beta=1.0)", (base.identity, {}), (base.silu, {}), INPUTS),
    ("swiglu(beta=1.702)", (base.identity, {}), (swish, {"beta": "1.702"}), FEW),
    ("swiglu(beta=0.5)", (base.identity, {}), (swish, {"beta": "0.5"}), FEW),
    ("bilinear", (base.identity, {}), (base.identity, {}), INPUTS),
    ("gtu", (base.tanh, {}), (base.sigmoid, {}), FEW),
    ("gated(activation=tanh)", (base.identity, {}), (base.tanh, {}), FEW),
    ("gated(activation=leaky_relu(negative_slope=0.2))", (base.identity, {}), LEAKY, FEW),
]  # fmt: skip
SIZES = [1, 2, 3, 4, 5, 6, 10, 64]


def line(mean, std, setting):
    """Pairs (x, weight) of a Gaussian on the line, cut at 0 and where functions change."""
    width, scale = mpf(setting["width"]), mpf(setting["scale"])
    mesh = base.edges(mean, std, width, scale, REACH)
    return [(mean + std * u, w * base.normal_pdf(u)) for u, w in base.nodes(mesh, setting["degree"])]


def hermite(mean, std, points):
    """Pairs (x, weight) of the Gauss-Hermite rule, exact for the powers of a plain value."""
    roots = mp.polyroots(hermite_coefficients(points), maxsteps=500, extraprec=400)
    pairs = []
    for u in roots:
        below = mp.hermite(points - 1, u / mp.sqrt(2)) * mpf(2) ** (-mpf(points - 1) / 2)
        pairs.append((mean + std * u, mp.factorial(points) / (points * below) ** 2))
    return pairs


def hermite_coefficients(n):
    """Coefficients of the probabilists' Hermite polynomial, the highest power first."""
    before, now = [mpf(1)], [mpf(1), mpf(0)]
    for k in range(1, n):
        longer = [*now, mpf(0)]
        shorter = [mpf(0), mpf(0), *before]
        before, now = now, [a - k * b for a, b in zip(longer, shorter, strict=True)]
    return now if n else before


def plane(value, gate, mean, std, setting):
    """Mean, std and rms of the product and both backward stds, by a sum over the plane."""
    of_value, of_gate = base.bind(*value), base.bind(*gate)
    exact = value[0] is base.identity
    columns = hermite(mean, std, setting["points"]) if exact else trapezoidal(mean, std, setting)
    columns = [(w, *of_value(x)) for x, w in columns]
    rows = line(mean, std, setting) if exact else trapezoidal(mean, std, setting)
    rows = [(w, *of_gate(x)) for x, w in rows]
    first = mp.fsum(w * v * mp.fsum(u * a for u, a, _ in columns) for w, v, _ in rows)
    centred, square, by_value, by_gate = [], [], [], []
    for w, v, dv in rows:
        terms = [(u, a * v, da * v, a * dv) for u, a, da in columns]
        centred.append(w * mp.fsum(u * (y - first) ** 2 for u, y, _, _ in terms))
        square.append(w * mp.fsum(u * y * y for u, y, _, _ in terms))
        by_value.append(w * mp.fsum(u * d * d for u, _, d, _ in terms))
        by_gate.append(w * mp.fsum(u * d * d for u, _, _, d in terms))
    roots = [mp.sqrt(mp.fsum(part)) for part in (centred, square, by_value, by_gate)]
    odd = mean == 0 and value[0] in base.ODD
    return [mpf(0) if odd else first, *roots]


def trapezoidal(mean, std, setting):
    """Pairs (x, weight) for a function analytic within pi/2 of the line: the rule converges exponentially."""
    step = mpf(setting["step"]) / max(std, mpf(1))
    reach = int(mpf(14) / step)
    return [(mean + std * step * i, step * base.normal_pdf(step * i)) for i in range(-reach, reach + 1)]


def distribution(setting):
    """Triples (x, weight, log cdf(x)) on a mesh of the line."""
    width = mpf(setting["width"]) / 4
    reach = int(mpf(15) / width)
    mesh = [i * width for i in range(-reach, reach + 1)]
    return [(x, w, base.log_normal_cdf(x)) for x, w in base.nodes(mesh, setting["degree"])]


def largest(setting):
    """Mean and second moment of the largest of k standard normals, from its distribution function, by k."""
    grid, found = distribution(setting), {}
    for k in SIZES:
        first = second = mpf(0)
        for x, w, log in grid:
            part = -mp.expm1(k * log) if x > 0 else -mp.exp(k * log)
            first += w * part
            second += 2 * w * x * part
        found[k] = first, second
    return found


def unit_cases():
    for spec, value, gate, inputs in UNITS:
        for texts in inputs:
            mean, std = map(double, texts)
            rough, fine = base.both(COARSE, FINE, lambda s, v=value, g=gate, at=(mean, std): plane(v, g, *at, s))
            base.check_agreement(f"{spec} at N{texts}", rough, fine)
            yield gated_case(spec, texts, fine)


def gated_case(spec, texts, values):
    mean, std, rms, by_value, by_gate = map(base.show, values)
    pooled = base.show(mp.sqrt((values[3] ** 2 + values[4] ** 2) / 2))
    return {
        "spec": spec,
        "input": dict(zip(("mean", "std"), texts, strict=True)),
        "forward": {"mean": mean, "std": std, "rms": rms},
        "backward": {"std": pooled, "value.std": by_value, "gate.std": by_gate},
    }


def maximum_cases():
    coarse, finer = base.both(COARSE, FINE, largest)
    for k in SIZES:
        fine = finer[k]
        if k > 1:
            base.check_agreement(f"largest of {k}", coarse[k], fine)
        for name, sign in (("maxout", 1), ("minout", -1)):
            for texts in FEW:
                mean, std = map(double, texts)
                first, second = (mpf(0), mpf(1)) if k == 1 else fine
                centre, spread = mean + sign * std * first, std * mp.sqrt(second - first**2)
                values = [centre, spread, mp.sqrt(centre**2 + spread**2), 1 / mp.sqrt(k)]
                yield base.case(f"{name}(k={k})", *texts, values)


def main():
    start = time.time()
    mp.dps = FINE["dps"]
    cases = [*unit_cases(), *maximum_cases()]
    path = Path(__file__).with_name("values_gated.json")
    generator = json.dumps(f"mpmath {mpmath.__version__}")
    lines = ",\n".join(json.dumps(one) for one in cases)
    path.write_text(
        f'{{"digits": {base.DIGITS}, "generator": {generator}, "cases": [\n{lines}\n]}}\n', encoding="utf-8"
    )
    print(f"{len(cases)} cases in {time.time() - start:.0f} s: {path.name}")


if __name__ == "__main__":
    main()
