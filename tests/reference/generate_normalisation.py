"""Reference moments of the normalisation layers, computed with mpmath alone.

Run by hand: ``python tests/reference/generate_normalisation.py``; it rewrites values_normalisation.json next to
this file. Sums of squares of Gaussian entries follow chi-square laws (non-central ones as Poisson mixtures), so
that every moment is an expectation of an elementary function of one gamma variable, done by the trapezoidal rule
in its logarithm at two steps. The mixed variances of switchable normalisation follow no such law: there the
matrices of the mean and the variance are written down entry by entry for a small shape, and the integrals over
their determinant and inverse are done with all of their elements.
"""

import json
import time
from pathlib import Path

from mpmath import mp, mpf

DIGITS, AGREE = 30, 32
mp.dps = 45


def over_gamma(k, functions, fine):
    """Return E[g(q)] of each function, q ~ Gamma(k)."""
    step = min(mpf(1) / 10, 1 / (4 * mp.sqrt(k))) * (mpf(7) / 10 if fine else 1)
    top = mp.log(k)
    norm = mp.loggamma(k)
    sums = [mpf(0)] * len(functions)
    for sign in (1, -1):
        n = 0 if sign > 0 else 1
        while True:
            y = top + sign * n * step
            q = mp.exp(y)
            exponent = k * y - q - norm
            weight = mp.exp(exponent)
            terms = [weight * g(q) for g in functions]
            sums = [total + term for total, term in zip(sums, terms, strict=True)]
            n += 1
            over = all(abs(term) <= mpf(10) ** -46 * abs(total) for term, total in zip(terms, sums, strict=True))
            if over and exponent < -100:
                break
    return [total * step for total in sums]


def over_chi_square(degrees, shift, functions):
    """Return E[g(S)], S a chi-square variable of non-centrality ``shift``, as a Poisson mixture."""

    def run(fine):
        half = mpf(shift) / 2
        if half == 0:
            return over_gamma(mpf(degrees) / 2, [lambda q, g=g: g(2 * q) for g in functions], fine)
        centre = int(half)
        totals = [mpf(0)] * len(functions)
        for sign in (1, -1):
            j = centre if sign > 0 else centre - 1
            while j >= 0:
                weight = mp.exp(j * mp.log(half) - half - mp.loggamma(j + 1))
                if weight < mpf(10) ** -44:
                    break
                found = over_gamma(mpf(degrees) / 2 + j, [lambda q, g=g: g(2 * q) for g in functions], fine)
                totals = [total + weight * one for total, one in zip(totals, found, strict=True)]
                j += sign
        return totals

    coarse, fine = run(False), run(True)
    for a, b in zip(coarse, fine, strict=True):
        assert abs(a - b) <= mpf(10) ** -AGREE * abs(b), (degrees, shift, a, b)
    return fine


def centred(size, std, eps):
    """Standardised by its own group: S = sum (x - m)^2 / std^2 has M - 1 degrees of freedom."""
    s2, e = mpf(std) ** 2, mpf(eps)
    square, slope = over_chi_square(
        size - 1,
        0,
        [
            lambda S: (s2 * S / size) / (s2 * S / size + e),
            lambda S: (size - 2 + (e / (s2 * S / size + e)) ** 2) / (s2 * S / size + e) / size,
        ],
    )
    return {"mean": mpf(0), "std": mp.sqrt(square), "rms": mp.sqrt(square)}, mp.sqrt(slope)


def uncentred(size, mean, std, eps):
    """x/sqrt(mean square + eps): E[x_1 g(S)] = mean E g(S') with two more degrees of freedom."""
    s2, e, m = mpf(std) ** 2, mpf(eps), mpf(mean)
    shift = size * m * m / s2
    square, slope = over_chi_square(
        size,
        shift,
        [
            lambda S: (s2 * S / size) / (s2 * S / size + e),
            lambda S: (size - 1 + (e / (s2 * S / size + e)) ** 2) / (s2 * S / size + e) / size,
        ],
    )
    first = m * over_chi_square(size + 2, shift, [lambda S: 1 / mp.sqrt(s2 * S / size + e)])[0] if m else mpf(0)
    return {"mean": first, "std": mp.sqrt(square - first**2), "rms": mp.sqrt(square)}, mp.sqrt(slope)


def response(size, alpha, beta, k, mean, std):
    """x/(k + alpha/n S)^beta and the square of its gradient, term by term of the Jacobian."""
    s2, m, a = mpf(std) ** 2, mpf(mean), mpf(alpha) / size
    b, k = mpf(beta), mpf(k)
    shift = size * m * m / s2

    def divisor(S):
        return k + a * s2 * S

    def gradient(S):
        d, own = divisor(S), a * s2 * S / size
        return d ** (-2 * b) * (1 - 4 * b * own / d + 4 * b * b * own * (a * s2 * S) / d**2)

    square, slope = over_chi_square(size, shift, [lambda S: s2 * S / size * divisor(S) ** (-2 * b), gradient])
    first = m * over_chi_square(size + 2, shift, [lambda S: divisor(S) ** -b])[0] if m else mpf(0)
    return {"mean": first, "std": mp.sqrt(square - first**2), "rms": mp.sqrt(square)}, mp.sqrt(slope)


def statistics(size):
    """Mean and std of the biased std of ``size`` standard normal numbers."""
    ratio = mp.exp(mp.loggamma(mpf(size) / 2) - mp.loggamma(mpf(size - 1) / 2))
    first = mp.sqrt(mpf(2) / size) * ratio
    square = mpf(size - 1) / size
    return {"mean": first, "std": mp.sqrt(square - first**2), "rms": mp.sqrt(square)}, mpf(1) / size


def mixed(shape, means, variances, std, eps):
    """Switchable normalisation of the first entry, from matrices written down by the definition."""
    samples, channels, positions = shape
    entries = [(n, c, p) for n in range(samples) for c in range(channels) for p in range(positions)]
    groups = [  # instance, layer, batch: who shares the statistics of entry (0, 0, .)
        [i for i, (n, c, _) in enumerate(entries) if n == 0 and c == 0],
        [i for i, (n, c, _) in enumerate(entries) if n == 0],
        [i for i, (n, c, _) in enumerate(entries) if c == 0],
    ]
    count = len(entries)
    b = mp.matrix(count, 1)
    b[0] = mpf(1)
    form = mp.matrix(count, count)
    for group, mean_weight, weight in zip(groups, means, variances, strict=True):
        size = len(group)
        for i in group:
            b[i] -= mean_weight / size
            for j in group:
                form[i, j] += weight * ((mpf(1) / size if i == j else 0) - mpf(1) / size**2)
    s2, e = mpf(std) ** 2, mpf(eps)
    eigenvalues, vectors = mp.eigsy(form)
    shares = [(vectors[:, i].T * b)[0] ** 2 for i in range(count)]
    values = [value if abs(value) > mpf(10) ** -35 else mpf(0) for value in eigenvalues]

    def integrands(t):
        c = [s2 / (1 + 2 * t * s2 * value) for value in values]
        weight = mp.exp(-t * e) * mp.fprod(mp.sqrt(each / s2) for each in c)
        square = mp.fsum(share * each for share, each in zip(shares, c, strict=True))
        cross = mp.fsum(v * share * each for v, share, each in zip(values, shares, c, strict=True))
        trace = mp.fsum(v * v * each for v, each in zip(values, c, strict=True))
        double = mp.fsum(v * v * share * each**2 for v, share, each in zip(values, shares, c, strict=True))
        slope = mp.fsum(shares) - 2 * t * cross + t * t / 2 * (square * trace + 2 * double)
        return weight * square, weight * slope

    def run(step):
        totals = [mpf(0), mpf(0)]
        n = int(-140 / step)
        while n * step < 170:
            t = mp.exp(n * step)
            totals = [total + t * value for total, value in zip(totals, integrands(t), strict=True)]
            n += 1
        return [total * step for total in totals]

    coarse, (square, slope) = run(mpf(1) / 9), run(mpf(1) / 12)
    assert abs(coarse[0] - square) < mpf(10) ** -AGREE * square and abs(coarse[1] - slope) < mpf(10) ** -AGREE * slope
    return {"mean": mpf(0), "std": mp.sqrt(square), "rms": mp.sqrt(square)}, mp.sqrt(slope)


def softmax(logits):
    powers = [mp.exp(mpf(x)) for x in logits]
    return [power / mp.fsum(powers) for power in powers]


def case(spec, mean, std, found):
    forward, backward = found
    shown = {name: "0" if value == 0 else mp.nstr(value, DIGITS, strip_zeros=False) for name, value in forward.items()}
    return {
        "spec": spec,
        "input": {"mean": mean, "std": std},
        "forward": shown,
        "backward": {"std": mp.nstr(backward, DIGITS, strip_zeros=False)},
    }


def cases():
    for size in (2, 3, 4, 5, 16, 1000, 1000000):
        for std in ("1", "0.01"):
            for eps in ("0", "1e-6", "1e-5"):
                if eps == "0" and size < 4:
                    continue
                found = centred(size, float(std), float(eps))
                yield case(f"batch_norm(group_size={size}, eps={eps})", "0.5", std, found)
    yield case("layer_norm(shape=(2, 8, 3, 3), eps=0.1)", "-1", "0.3", centred(72, 0.3, 0.1))
    yield case("group_norm(shape=(2, 8, 3, 3), num_groups=4)", "50", "1", centred(18, 1.0, 1e-5))
    yield case("instance_norm(shape=(2, 8, 5), eps=2)", "0", "1e3", centred(5, 1e3, 2.0))
    yield case("instance_norm(group_size=9)", "0", "1e-6", centred(9, 1e-6, 1e-5))
    yield case("weight_standardization(fan_in=27)", "0", "0.05", centred(27, 0.05, 1e-5))
    yield case("meta_norm(shape=(4, 6, 1, 2), u=group(2), v=layer, eps=1e-3)", "3", "0.7", centred(24, 0.7, 1e-3))
    for size, mean, std, eps in (
        (768, "0", "1", "0"), (3, "0", "1", "1e-6"), (2, "0", "0.01", "1e-5"), (1, "0", "1", "0.5"),
        (4, "0.5", "2", "1e-5"), (8, "-1", "0.3", "1e-5"), (16, "3", "0.7", "0"), (1, "0.5", "2", "1e-3"),
        (3, "50", "1", "1e-6"), (2, "0.5", "2", "1e-6"), (3, "0.5", "2", "1e-6"), (1000, "0.5", "2", "1e-6"),
    ):  # fmt: skip
        found = uncentred(size, float(mean), float(std), float(eps))
        yield case(f"rms_norm(group_size={size}, eps={eps})", mean, std, found)
    for size, mean, std, eps in ((8, "0", "1", "0"), (4, "0.5", "2", "1e-3"), (512, "-1", "0.3", "0")):
        root = mp.sqrt(size)
        e = mpf(float(eps)) / size
        forward, backward = uncentred(size, float(mean), float(std), e)
        forward = {name: value / root for name, value in forward.items()}
        yield case(f"l2_norm(group_size={size}, eps={eps})", mean, std, (forward, backward / root))
    for size, alpha, beta, k, mean, std in (
        (5, "1e-4", "0.75", "1", "0", "1"), (5, "1e-4", "0.75", "2", "0.5", "2"), (3, "1", "0.5", "1", "-1", "0.3"),
        (1, "1", "1", "1", "0", "1"), (4, "0.5", "2.5", "0.1", "0.5", "2"), (5, "1e-4", "0.75", "1", "50", "1"),
        (5, "1e-4", "0.75", "1", "0", "1e3"),
    ):  # fmt: skip
        found = response(size, float(alpha), float(beta), float(k), float(mean), float(std))
        yield case(f"local_response_norm(size={size}, alpha={alpha}, beta={beta}, k={k})", mean, std, found)
    for size in (2, 3, 8, 25, 256, 10000000):
        yield case(f"batch_std(group_size={size})", "0", "1", statistics(size))
    for shape, mean_logits, var_logits, std, eps in (
        ((3, 4, 3), (0, 0, 0), (0, 0, 0), "1", "1e-5"),
        ((2, 2, 2), (1, -0.5, 0.25), (-1, 0.5, 2), "1", "0"),
        ((2, 3, 2), (1, -0.5, 0.25), (-1, 0.5, 2), "0.01", "1e-5"),
        ((1, 3, 2), (0, 1, -1), (0.5, 0, 2), "2", "1e-6"),
        ((4, 1, 2), (0, 1, -1), (0.5, 0, 2), "1", "1e-3"),
        ((1, 1, 5), (0, 1, -1), (0.5, 0, 2), "1", "1e-5"),
    ):
        found = mixed(shape, softmax(mean_logits), softmax(var_logits), float(std), float(eps))
        logits = f"mean_logits={mean_logits}, var_logits={var_logits}"
        yield case(f"switchable_norm(shape={shape}, {logits}, eps={eps})", "0.5", std, found)
    for shape, means, variances, scores, radius, std, eps in (
        # one weight each: (means, variances) in the order instance, layer, batch
        ((2, 3, 3), (0, 0, 1), (1, 0, 0), ((0, 0, 1), (1, 0, 0)), "0.8164965809277260", "1", "1e-5"),
        ((3, 2, 4), (1, 0, 0), (0, 1, 0), ((1, 0, 0), (0, 1, 0)), "0.8164965809277260", "1", "0"),
        ((3, 4, 2), ("0.75", "0.25", 0), (0, "0.5", "0.5"), ((0.75, 0.25, 0), (0, 0.5, 0.5)), "0", "1", "1e-5"),
    ):
        found = mixed(shape, [mpf(w) for w in means], [mpf(w) for w in variances], float(std), float(eps))
        given = f"mean_scores={scores[0]}, var_scores={scores[1]}, radius={radius}"
        yield case(f"sparse_switchable_norm(shape={shape}, {given}, eps={eps})", "0", std, found)


def main():
    began = time.time()
    found = []
    for one in cases():
        found.append(json.dumps(one))
        print(f"{time.time() - began:6.1f} s  {one['spec']}", flush=True)
    head = f'{{"digits": {DIGITS}, "generator": "mpmath", "cases": [\n'
    path = Path(__file__).with_name("values_normalisation.json")
    path.write_text(head + ",\n".join(found) + "\n]}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
