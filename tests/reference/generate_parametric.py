"""Reference moments of layers with weights, with mpmath alone; rewrites values_parametric.json.

Run by hand: ``python tests/reference/generate_parametric.py``. A weight's moments are integrals of its density;
which weights meet which entries is counted by loops over a map, position by position. No formula of the program is
used: a variance is E y^2 - (E y)^2 with 60 digits, averaged over the positions of a map that wraps around.
"""

import itertools
import json
from pathlib import Path

from mpmath import mp, mpf

mp.dps = 60
DIGITS = 30
INPUTS = [
    ("0", "1"), ("0.5", "2"), ("-1", "0.3"), ("3", "0.7"), ("0", "1e-3"), ("0", "1e3"), ("50", "1"), ("-12", "1"),
]  # fmt: skip


def double(text):
    """The double nearest a decimal, as an exact number."""
    return mpf(float(text))


# -- laws of a weight: (mean, mean square) ---


def by_density(density, low, high, pieces=40):
    """Moments of a density on an interval by quadrature."""
    edges = [low + (high - low) * k / pieces for k in range(pieces + 1)]
    mass, first, second = (mp.quad(lambda w, k=k: w**k * density(w), edges) for k in range(3))
    return first / mass, second / mass


def uniform(a, b):
    return by_density(lambda w: mpf(1), mpf(a), mpf(b), 2)


def normal(std, mean=0):
    first, second = by_density(lambda w: mp.exp(-w * w / 2), mpf(-16), mpf(16))
    return mean + std * first, std**2 * second + mean**2


def cut(std, a, b):
    a, b = mpf(a), mpf(b)
    top = max(a, mpf(0))
    first, second = by_density(lambda z: mp.exp(-(z - top) * (z + top) / 2), a, b)
    return std * first, std**2 * second


def sphere(n):
    """One entry of a unit vector of n entries: density (1 - w^2)^((n - 3)/2), with w = sin u."""
    edges = [-mp.pi / 2 + mp.pi * k / 20 for k in range(21)]
    mass, square = (mp.quad(lambda u, k=k: mp.sin(u) ** k * mp.cos(u) ** (n - 2), edges) for k in (0, 2))
    return mpf(0), square / mass


#: init -> law of an entry, from PyTorch's (fan_in, fan_out)
LAWS = {
    "kaiming_normal": lambda i, o: normal(mp.sqrt(mpf(2) / i)),
    "kaiming_uniform(mode=fan_out, a=0.5)": lambda i, o: uniform(
        *(s * mp.sqrt(6 / (mpf("1.25") * o)) for s in (-1, 1))
    ),
    "xavier_uniform": lambda i, o: uniform(*(s * mp.sqrt(mpf(6) / (i + o)) for s in (-1, 1))),
    "torch_default": lambda i, o: uniform(*(s / mp.sqrt(mpf(i)) for s in (-1, 1))),
    "uniform(a=-0.5, b=1.0)": lambda i, o: uniform("-0.5", 1),
    "normal(mean=0.25, std=0.5)": lambda i, o: normal(mpf("0.5"), mpf("0.25")),
    "trunc_normal(std=0.02, a=-2.0, b=2.0)": lambda i, o: cut(double("0.02"), -2, 2),
    "trunc_normal(std=0.02, a=1.0, b=4.0)": lambda i, o: cut(double("0.02"), 1, 4),
    "trunc_normal(a=20.0, b=20.5)": lambda i, o: cut(mpf(1), 20, "20.5"),
}


def moments(terms, channels, law, bias):
    """Mean and mean square of one sum of independent w x over ``terms`` taps of ``channels`` channels."""
    (w, ww), (x, xx) = law
    n = terms * channels
    mean = n * w * x
    return mean, n * ww * xx + n * (n - 1) * (w * x) ** 2 + bias


def pooled(each):
    """Mean, std and rms over positions."""
    mean, square = (sum(one[k] for one in each) / len(each) for k in (0, 1))
    return mean, mp.sqrt(square - mean**2), mp.sqrt(square)


def taps_met(kernel, stride, dilation):
    """How many taps meet each position of a line that wraps around, by a loop over windows and taps."""
    length = stride * dilation * (kernel + 1)
    met = [0] * length
    for window, tap in itertools.product(range(0, length, stride), range(kernel)):
        met[(window + tap * dilation) % length] += 1
    return met


def written(value):
    if abs(value) < mpf("1e-45"):  # what 60 digits leave of an integral that is 0 by symmetry
        return "0"
    return mp.nstr(value, DIGITS, strip_zeros=False)


def case(spec, mean, std, forward, backward):
    names = ("mean", "std", "rms")
    return {
        "spec": spec,
        "input": {"mean": mean, "std": std},
        "forward": {name: written(value) for name, value in zip(names, forward, strict=True)},
        "backward": {name: written(value) for name, value in backward.items()},
    }


def inputs(mean, std):
    m, s = double(mean), double(std)
    return m, m**2 + s**2


def linear():
    sizes = [(16, 10), (300, 7)]
    for (init, law), (i, o) in itertools.product(LAWS.items(), sizes):
        entry = law(i, o)
        for mean, std in INPUTS[:4] if i == 16 else INPUTS[4:]:
            x = inputs(mean, std)
            forward = pooled([moments(1, i, (entry, x), mpf(0))])
            backward = {"std": mp.sqrt(o * entry[1]), "weight.std": mp.sqrt(x[1])}
            yield case(f"linear(in_features={i}, out_features={o}, init={init})", mean, std, forward, backward)
    for mean, std in INPUTS:
        x, entry = inputs(mean, std), sphere(5)
        forward = mpf(0), mp.sqrt(5 * entry[1] * x[1]), mp.sqrt(5 * entry[1] * x[1])
        backward = {"std": mp.sqrt(7 * entry[1]), "weight.std": mp.sqrt(x[1])}
        yield case("linear(in_features=5, out_features=7, init=unit_fan_in)", mean, std, forward, backward)


def convolutions():
    shapes = [(3, 2, 1), (3, 2, 2), (4, 3, 2), (2, 3, 1)]
    for (kernel, stride, dilation), init, transposed in itertools.product(shapes, LAWS, (False, True)):
        if (len(init) + kernel + stride + dilation) % 3:
            continue  # a third of them, so that the file stays small
        inside, out = (4, 6) if transposed else (6, 4)
        entry = LAWS[init](
            inside * kernel if not transposed else out * kernel, (inside if transposed else out) * kernel
        )
        met, whole = taps_met(kernel, stride, dilation), [kernel]
        bias = mpf(1) / (3 * (out if transposed else inside) * kernel)
        mean, std = INPUTS[(len(init) + kernel + transposed) % len(INPUTS)]
        x = inputs(mean, std)
        forward = pooled([moments(n, inside, (entry, x), bias) for n in (met if transposed else whole)])
        back = whole if transposed else met
        backward = {"std": mp.sqrt(sum(n * out * entry[1] for n in back) / len(back)), "weight.std": mp.sqrt(x[1])}
        backward["bias.std"] = mp.sqrt(stride if transposed else 1)  # output positions for each one counted
        spec = (
            f"{'conv_transpose' if transposed else 'conv'}(in_channels={inside}, out_channels={out}, "
            f"kernel_size={kernel}, stride={stride}, ndim=1, init={init}, dilation={dilation}, bias=uniform)"
        )
        yield case(spec, mean, std, forward, backward)


def dropped():
    q = double("0.7")
    for init in ("kaiming_normal", "uniform(a=-0.5, b=1.0)"):
        w, ww = LAWS[init](12, 20)
        entry = (w, ww / q)  # c = 1/q: E[c M w] = E w, E[(c M w)^2] = E w^2 / q
        for mean, std in INPUTS[:4]:
            x = inputs(mean, std)
            forward = pooled([moments(1, 12, (entry, x), mpf(0))])
            backward = {"std": mp.sqrt(20 * entry[1]), "weight.std": mp.sqrt(x[1] / q)}
            spec = f"drop_connect(in_features=12, out_features=20, keep_prob=0.7, init={init})"
            yield case(spec, mean, std, forward, backward)


def cells():
    """Given a unit row, the pre-activation is N(0, s^2) and each x_j is w_j a plus an independent rest."""
    i, h = 3, 5
    _, share = sphere(i + h)
    for std in ("1", "0.3", "2.5", "1e-3", "20"):
        s = double(std)
        reach = min(16 * s, mpf(60))
        edges = [reach * k / 60 for k in range(-60, 61)]
        square, slope, moved = (
            mp.quad(lambda a, g=g, s=s: g(a) * mp.npdf(a / s) / s, edges)
            for g in (lambda a: mp.tanh(a) ** 2, lambda a: mp.sech(a) ** 4, lambda a: a**2 * mp.sech(a) ** 4)
        )
        if 16 * s > 60:  # beyond, tanh^2 is 1 to 50 digits, and the slopes 0
            square += mp.erfc(60 / s / mp.sqrt(2))
        weight = mp.sqrt(share * moved + (1 - share) * s**2 * slope)
        backward = {"std": mp.sqrt(h * share * slope), "weight_ih.std": weight, "weight_hh.std": weight}
        spec = f"rnn_cell(input_size={i}, hidden_size={h})"
        yield case(spec, "0", std, (mpf(0), mp.sqrt(square), mp.sqrt(square)), backward)


def main():
    cases = [*linear(), *convolutions(), *dropped(), *cells()]
    target = Path(__file__).with_name("values_parametric.json")
    target.write_text(json.dumps({"cases": cases}, indent=1) + "\n")
    print(f"{len(cases)} cases, {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
