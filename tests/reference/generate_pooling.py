"""Reference moments of poolings by brute mathematics, with mpmath alone.

Run by hand: ``python tests/reference/generate_pooling.py``; it rewrites values_pooling.json. Windows
of a map are listed one by one. Norms and log-sum-exps of two or three entries are integrals over
the plane in polar coordinates; Euclidean norms come from Kummer's function, largest sizes from
integrals of their tails. Everything is done at two orders of the rules, which must agree.
"""

import itertools
import json
import time
from functools import cache
from pathlib import Path

import mpmath
from mpmath import mp, mpf
from mpmath.calculus.quadrature import GaussLegendre

DIGITS = 30
AGREE = mpf(10) ** -31
LAWS = [("0", "1"), ("0.5", "2"), ("-1", "0.3"), ("3", "0.7")]
FAR = [("0", "1e-3"), ("0", "1e3"), ("50", "1"), ("-12", "1")]


def double(text):
    return mpf(float(text))


@cache
def rule(degree):
    return GaussLegendre(mp).calc_nodes(degree, mp.prec)


def integral(f, edges, degree):
    """Sum of Gauss-Legendre rules over panels; ``f`` returns a list."""
    total = None
    for a, b in itertools.pairwise(edges):
        half, middle = (b - a) / 2, (a + b) / 2
        for node, weight in rule(degree):
            terms = [half * weight * value for value in f(middle + half * node)]
            total = terms if total is None else [s + t for s, t in zip(total, terms, strict=True)]
    return total


def panels(low, high, width):
    count = int(mp.ceil((high - low) / width))
    return [low + (high - low) * i / count for i in range(count + 1)]


def agreed(compute):
    """The values at the finer of two orders, once both agree."""
    rough, fine = compute(5), compute(6)
    for a, b in zip(rough, fine, strict=True):
        assert abs(a - b) <= AGREE * abs(b), (a, b)
    return fine


# --- two entries in the plane: x = r (cos, sin) ---


def norm_of_two(p, mean, std):
    """E y, E y^2 and the mean square of the gradient's two entries together, y the p-norm."""
    t = mean / std

    def radial(r, along):
        density = r * mp.exp(-(r * r) / 2 + along * r - t * t)
        return [density, density * r, density * r * r]

    def at(degree):
        def over_angle(theta):
            c, s = abs(mp.cos(theta)), abs(mp.sin(theta))
            size = (c**p + s**p) ** (1 / p)
            slope = (c ** (2 * p - 2) + s ** (2 * p - 2)) / size ** (2 * p - 2)
            rest = [mpf(1), mp.sqrt(mp.pi / 2), mpf(2)]
            if t != 0:
                along = t * (mp.cos(theta) + mp.sin(theta))
                rest = integral(lambda r: radial(r, along), panels(mpf(0), abs(t) * 2 + 14, mpf(2)), degree)
            return [part / (2 * mp.pi) for part in (rest[1] * size, rest[2] * size**2, rest[0] * slope)]

        if t == 0:  # eight times the same; |sin|^p is not smooth at 0 unless p is whole
            edges = [mpf(0), *(mp.pi / 4 * mpf(2) ** -k for k in range(KINK, -1, -1))]
            return [8 * value for value in integral(over_angle, edges, degree)]
        edges = [mp.pi * k / 4 for k in range(1, 6)]  # symmetric about pi/4
        return [2 * value for value in integral(over_angle, edges, degree)]

    first, second, square = agreed(at)
    return first * std, second * std**2, square


KINK = 48  # halvings towards an angle at which |cos|^p is not smooth


def log_mean_exp(n, beta, mean, std):
    """E y, E y^2 and n E p_1^2 for n = 2, 3: the mean of the entries is independent of their differences."""

    def two(degree):
        def f(z):
            d = std * mp.sqrt(2) * z
            density = mp.npdf(z)
            bent = mp.log(mp.cosh(beta * d / 2)) / beta
            return [density * bent, density * bent**2, density * 2 / (1 + mp.exp(-beta * d)) ** 2]

        return integral(f, panels(mpf(-13), mpf(13), 1 / (1 + beta * std)), degree)

    def three(degree):
        directions = [
            (1 / mp.sqrt(2), 1 / mp.sqrt(6)), (-1 / mp.sqrt(2), 1 / mp.sqrt(6)), (mpf(0), -2 / mp.sqrt(6))
        ]  # fmt: skip

        def over_angle(theta):
            c, s = mp.cos(theta), mp.sin(theta)
            e = [std * (a * c + b * s) for a, b in directions]

            def radial(r):
                density = r * mp.exp(-r * r / 2) / (2 * mp.pi)
                weights = [mp.exp(beta * r * x) for x in e]
                total = sum(weights)
                bent = mp.log(total / 3) / beta
                return [density * bent, density * bent**2, density * sum(w * w for w in weights) / total**2]

            return integral(radial, panels(mpf(0), mpf(13), mpf(13) / 8), degree)

        return [6 * value for value in integral(over_angle, [mp.pi / 6, mp.pi / 2], degree)]

    bent, square, weight = agreed(two if n == 2 else three)
    return mean + bent, std**2 / n + square - bent**2 + (mean + bent) ** 2, weight


def euclidean(n, mean, std):
    """E y and E y^2 of the Euclidean norm: Kummer's function."""
    with mp.workdps(80):
        n, size = mpf(n), n * (mean / std) ** 2 / 2
        first = mp.sqrt(2) * mp.gammaprod([(n + 1) / 2], [n / 2]) * mp.hyp1f1(mpf(-1) / 2, n / 2, -size)
        return +first * std, n * (mean**2 + std**2), mpf(1)


def from_tail(chance_above, edges):
    """E y and E y^2 of y > 0 from P(y > r)."""

    def at(degree):
        def f(r):
            above = chance_above(r)
            return [above, 2 * r * above]

        return integral(f, edges, degree)

    return agreed(at)


def largest_size(n, mean, std):
    """E y and E y^2 of y = max |x_i|."""

    def outside(r):
        return (mp.erfc((r - mean) / std / mp.sqrt(2)) + mp.erfc((r + mean) / std / mp.sqrt(2))) / 2

    reach = abs(mean) + 14 * std
    first, second = from_tail(
        lambda r: -mp.expm1(n * mp.log1p(-outside(r))) if r > 0 else mpf(1), panels(mpf(0), reach, std / 2)
    )
    return first, second, mpf(1)


@cache
def largest(n):
    """Mean and second moment of the largest of n standard normal numbers, from the tails of y + 16 > 0."""
    first, second = from_tail(
        lambda r: -mp.expm1(n * mp.log1p(-mp.erfc((r - 16) / mp.sqrt(2)) / 2)) if r > 0 else mpf(1),
        panels(mpf(0), mpf(32), mpf(1) / 2),
    )
    return first - 16, second - 32 * first + 256


# --- windows of a map, listed one by one ---


def along(size, kernel, stride, padding, dilation, ceil):
    """The windows along one dimension: (real entries, entries inside the padding)."""
    found, start = [], -padding
    while True:
        taps = [start + dilation * i for i in range(kernel)]
        fits = taps[-1] < size + padding
        if not fits and not (ceil and start < size and start + dilation * (kernel - 1) - (size + padding - 1) < stride):
            return found
        found.append((sum(0 <= x < size for x in taps), sum(x < size + padding for x in taps)))
        start += stride


def adaptive(size, outputs):
    bounds = [(i * size // outputs, -((-(i + 1) * size) // outputs)) for i in range(outputs)]
    return [(b - a, b - a) for a, b in bounds]


def windows(axes):
    return [(mp.mpf(1) * a[0] * b[0], a[1] * b[1]) for a, b in itertools.product(*axes)]


def of_map(axes, inputs, moments):
    """Pool windows: (mean, std, rms, backward std) from ``moments(n, d)`` of each."""
    all_of_them = [moments(int(n), d) for n, d in windows(axes)]
    count = len(all_of_them)
    first, second, square = (mp.fsum(column) / count for column in zip(*all_of_them, strict=True))
    return first, mp.sqrt(second - first**2), mp.sqrt(second), mp.sqrt(square * count / inputs)


def case(spec, law, values):
    mean, std, rms, back = (mp.nstr(value, DIGITS, strip_zeros=False) for value in values)
    return {
        "spec": spec, "input": {"mean": law[0], "std": law[1]},
        "forward": {"mean": mean, "std": std, "rms": rms}, "backward": {"std": back},
    }  # fmt: skip


def single(n, found):
    """One window of n entries, alone."""
    first, second, square = found
    return first, mp.sqrt(second - first**2), mp.sqrt(second), mp.sqrt(square / n)


def average(law):
    mean, std = map(double, law)
    return lambda n, d: (mean * n / d, (mean * n / d) ** 2 + std**2 * n / mpf(d) ** 2, n / mpf(d) ** 2)


def scaled_up(law, size):
    """Euclidean norms of windows of which d of ``size`` entries lie within the padding."""
    mean, std = map(double, law)

    def moments(n, d):
        first, second, square = euclidean(n, mean, std)
        return first * mp.sqrt(mpf(size) / d), second * size / d, square * size / d

    return moments


def maximum(law, sign=1):
    mean, std = map(double, law)

    def moments(n, d):
        first, second = largest(n)
        first *= sign
        return mean + std * first, mean**2 + 2 * mean * std * first + std**2 * second, mpf(1)

    return moments


def cases():
    for law in LAWS + FAR:
        mean, std = map(double, law)
        for p in ("3.0", "1.5", "4.0", "2.5"):
            if mean == 0 or (law in LAWS and p in ("3.0", "4.0")):
                yield case(
                    f"lp_pool(norm_type={p}, kernel_size=2, ndim=1)", law, single(2, norm_of_two(mpf(p), mean, std))
                )
        for n in (1, 2, 9, 100):
            yield case(f"lp_pool(norm_type=2.0, kernel_size={n}, ndim=1)", law, single(n, euclidean(n, mean, std)))
        for n in (2, 9):
            yield case(f"lp_pool(norm_type=inf, kernel_size={n}, ndim=1)", law, single(n, largest_size(n, mean, std)))
        if law[1] != "1e3":
            for n, beta in ((2, "1.0"), (2, "4.0"), (3, "1.0"))[: 3 if law == ("0", "1") else 2]:
                spec = f"lse_pool(beta={beta}, reduction=mean, kernel_size={n}, ndim=1)"
                yield case(spec, law, single(n, log_mean_exp(n, mpf(beta), mean, std)))
    for law in LAWS + FAR:
        both = [along(7, 3, 2, 1, 1, False)] * 2
        yield case("avg_pool(kernel_size=3, stride=2, padding=1, input_size=7)", law, of_map(both, 49, average(law)))
        alone = [[(n, n) for n, _ in axis] for axis in both]
        spec = "avg_pool(kernel_size=3, stride=2, padding=1, input_size=7, count_include_pad=false)"
        yield case(spec, law, of_map(alone, 49, average(law)))
        axes = [along(6, 3, 2, 1, 1, True), along(9, 2, 3, 0, 1, True)]
        spec = "avg_pool(kernel_size=(3, 2), stride=(2, 3), padding=(1, 0), ceil_mode=true, input_size=(6, 9))"
        yield case(spec, law, of_map(axes, 54, average(law)))
        total = [[(n, 1) for n, _ in axis] for axis in axes]
        yield case(spec.replace("avg", "sum"), law, of_map(total, 54, average(law)))
        yield case(spec.replace("avg", "max"), law, of_map(axes, 54, maximum(law)))
        spec = "min_pool(kernel_size=3, stride=1, padding=1, dilation=2, input_size=7)"
        yield case(spec, law, of_map([along(7, 3, 1, 1, 2, False)] * 2, 49, maximum(law, -1)))
        axes = [adaptive(7, 3), adaptive(10, 4)]
        yield case("adaptive_avg_pool(input_size=(7, 10), output_size=(3, 4))", law, of_map(axes, 70, average(law)))
        yield case("adaptive_max_pool(input_size=(7, 10), output_size=(3, 4))", law, of_map(axes, 70, maximum(law)))
        if law in LAWS[:2]:
            spec = "lp_pool(norm_type=2.0, kernel_size=3, stride=2, ceil_mode=true, input_size=6)"
            yield case(spec, law, of_map([along(6, 3, 2, 0, 1, True)] * 2, 36, scaled_up(law, 9)))


def main():
    start = time.time()
    mp.dps = 50
    found = list(cases())
    path = Path(__file__).with_name("values_pooling.json")
    head = f'{{"digits": {DIGITS}, "generator": {json.dumps(f"mpmath {mpmath.__version__}")}, "cases": [\n'
    path.write_text(head + ",\n".join(map(json.dumps, found)) + "\n]}\n", encoding="utf-8")
    print(f"{len(found)} cases in {time.time() - start:.0f} s: {path.name}")


if __name__ == "__main__":
    main()
