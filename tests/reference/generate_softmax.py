"""Reference moments of the softmax family, computed with mpmath alone.

Run by hand: ``python tests/reference/generate_softmax.py``; it rewrites values_softmax.json.

Two and three logits: the definitions themselves, averaged over the one or two dimensions in which
logits differ, by the trapezoidal rule, which converges exponentially for analytic integrands. Every
sum is done at two steps; the script stops if they differ. More logits: Laplace transforms of the
sum, on a lattice in log t and z at 50 digits, and plain differences of second and first moments.
"""

import itertools
import json
from pathlib import Path

from mpmath import mp, mpf

DIGITS, AGREE = 30, 31
mp.dps = 50
TINY = 84  # e^-84 < 1e-36


def double(text):
    """The IEEE double nearest a decimal, as an exact mpf."""
    return mpf(float(text))


# --- two and three logits: averages over the definition ---


def brute(n, s):
    """Return E p^2, E dx^2 of the softmax, and mean and variance of log sum exp(s z), from n = 2 or 3 logits."""
    found = [_brute(n, s, mpf(shrink)) for shrink in ("1", "0.87")]
    for a, b in zip(*found, strict=True):
        assert abs(a - b) <= mpf(10) ** -AGREE * abs(a), (n, s, a, b)
    return found[0]


def _brute(n, s, shrink):
    basis = {2: [[1, -1]], 3: [[1, -1, 0], [1, 1, -2]]}[n]
    basis = [[mpf(b) / mp.sqrt(sum(x * x for x in row)) for b in row] for row in basis]
    height = min(mpf("0.9") * mp.pi / mp.sqrt(2) / s, 8)  # a sum of exponentials is 0 at 1 in place of 0.9
    step = 2 * mp.pi * height / (TINY + height**2 / 2) * shrink
    count = int(mpf("12.6") / step) + 1
    axis = [(k * step, mp.exp(-((k * step) ** 2) / 2) * step / mp.sqrt(2 * mp.pi)) for k in range(-count, count + 1)]
    tables = [[[mp.exp(s * z * b) for b in row] for z, _ in axis] for row in basis]
    smallest = mpf(10) ** -37
    points = []
    for place in itertools.product(range(len(axis)), repeat=n - 1):
        weight = mp.fprod(axis[k][1] for k in place)
        if weight < smallest * step:
            continue
        v = [mp.fprod(tables[d][k][i] for d, k in enumerate(place)) for i in range(n)]
        total = mp.fsum(v)
        p = [x / total for x in v]
        squares = mp.fsum(x * x for x in p)
        turned = mp.fsum(x * x * ((1 - x) ** 2 + squares - x * x) for x in p) / n
        points.append((weight, squares / n, turned, mp.log(total)))
    mean = mp.fsum(w * log for w, _, _, log in points)
    variance = mp.fsum(w * (log - mean) ** 2 for w, _, _, log in points) + s * s / n
    return mp.fsum(w * a for w, a, _, _ in points), mp.fsum(w * b for w, _, b, _ in points), mean, variance


# --- many logits: transforms of the sum ---


def transformed(n, s):
    """Return the same four numbers for any n."""
    found = [_transformed(n, s, finer) for finer in (mpf(1), mpf("1.2"))]
    for a, b in zip(*found, strict=True):
        assert abs(a - b) <= mpf(10) ** -AGREE * abs(a), (n, s, a, b)
    return found[0]


def _transformed(n, s, finer):
    step = mpf("0.08") / finer  # in log t
    per = max(int(mp.ceil(step * 10 * max(1 / s, 1))), 1)
    while step / per / s > 2 * mp.pi * min(mpf("1.3") / s, 6) / (TINY + 46):
        per += 1
    fine = step / per  # in log v = s z
    reach = int(mpf("16") * s / fine) + 1
    far = int((16 + 2 * s) * s / fine) + 1
    nodes = range(-reach, far + 1)
    density = [mp.exp(-((j * fine / s) ** 2) / 2) * fine / s / mp.sqrt(2 * mp.pi) for j in nodes]
    v = [mp.exp(j * fine) for j in nodes]
    weights = [[w * x**k for w, x in zip(density, v, strict=True)] for k in range(3)]
    low = int((-TINY - 26 - mp.log(n) - s * s) / step) - 1
    high = int((16 * s + 6) / step) + 1
    decay = {}
    sums = [mpf(0)] * 4
    for i in range(low, high + 1):
        first = i * per - reach
        for lattice in range(first, first + len(v)):
            if lattice not in decay:
                decay[lattice] = mp.exp(-mp.exp(lattice * fine))
        row = [decay[k] for k in range(first, first + len(v))]
        t = mp.exp(i * step)
        m0, m1, m2 = (mp.fdot(w, row) for w in weights)
        if m0 < mpf(10) ** -70:
            break
        gap = m0**n - mp.exp(-t)
        sums[0] += t**2 * m2 * m0 ** (n - 1)
        sums[1] += t**4 * m2 * (2 * m2 * m0 ** (n - 2) + (n - 2) * m1**2 * m0 ** (n - 3)) * (n - 1) / 6
        sums[2] -= gap
        sums[3] += 2 * (i * step + mp.euler) * gap
    square, turned, mean, second = (x * step for x in sums)
    return square, turned, mean, second - mean**2


def weights_of(n, s):
    if n == 1:
        return mpf(1), mpf(0), mpf(0), s * s
    return brute(n, s) if n <= 3 else transformed(n, s)


# --- the layers ---


def moments(name, n, mean, std, temperature, smoothing=0, head_dim=1, causal=False):
    s = std / temperature
    square, turned, log, variance = weights_of(n, s)
    spread = square - mpf(1) / n**2
    if name == "softmax":
        return (mpf(1) / n, mp.sqrt(spread)), {"std": mp.sqrt(turned) / temperature}
    if name == "logsumexp":
        return (mean / temperature + log, mp.sqrt(variance)), {"std": mp.sqrt(square) / temperature}
    if name == "log_softmax":
        forward = -log, mp.sqrt(s * s * (1 - mpf(2) / n) + variance)
        return forward, {"std": mp.sqrt(1 - mpf(2) / n + n * square) / temperature}
    if name == "cross_entropy":
        kept = 1 - smoothing
        target = kept**2 + 2 * kept * smoothing / n + smoothing**2 / n
        forward = log, mp.sqrt(variance + s * s * (target - mpf(2) / n))
        return forward, {"std": mp.sqrt(spread + kept**2 * (1 - mpf(1) / n) / n) / temperature}
    sizes = range(1, n + 1) if causal else [n]
    each = {i: weights_of(i, s) for i in sizes}
    seen = sum(sizes) if causal else n * n
    times = 1 if causal else n
    gathered = sum(times * i * each[i][0] for i in sizes) / n
    flowed = std**2 * head_dim * sum(times * i * each[i][1] for i in sizes) / seen / temperature**2
    pooled = (seen * flowed + n * head_dim * gathered) / (seen + n * head_dim)
    return (mean, std * mp.sqrt(gathered)), {
        "std": mp.sqrt(pooled), "logits.std": mp.sqrt(flowed), "value.std": mp.sqrt(gathered)
    }  # fmt: skip


SMALL = [("0", "1"), ("0.5", "2"), ("-1", "0.3"), ("0", "1e-3"), ("3", "0.7"), ("50", "1"), ("0", "1e-6")]
FAR = [("0", "6"), ("0", "30"), ("0", "1e2")]
MANY = [(10, "0", "1"), (10**6, "-1", "0.3"), (10**6, "0", "1"), (100, "0", "1e-3"), (5, "0", "4.25")]
OUTPUTS = ("softmax", "log_softmax", "logsumexp", "cross_entropy")


def requests():
    """Yield (layer, parameters of moments, the same as written, mean, std)."""
    for n, mean, std in MANY:
        for name in OUTPUTS:
            yield name, {"n": n}, f"n={n}", mean, std
    for mean, std in SMALL + FAR:
        for name in OUTPUTS:
            yield name, {"n": 2}, "n=2", mean, std
        yield "attention", {"n": 2, "head_dim": 8}, "n=2, head_dim=8", mean, std
    for mean, std in SMALL[:5]:
        for name in OUTPUTS:
            yield name, {"n": 3}, "n=3", mean, std
    for mean, std in SMALL[:4]:
        yield "attention", {"n": 3, "head_dim": 2, "causal": True}, "n=3, head_dim=2, causal=yes", mean, std
    yield "attention", {"n": 64, "head_dim": 64}, "n=64, head_dim=64", "0", "1"
    yield "softmax", {"n": 3, "temperature": mpf("0.5")}, "n=3, temperature=0.5", "0", "1"
    yield "logsumexp", {"n": 10, "temperature": mpf(4)}, "n=10, temperature=4", "2", "3"
    for smoothing in ("0.1", "0.5"):
        given = {"n": 10, "smoothing": double(smoothing)}
        yield "cross_entropy", given, f"n=10, label_smoothing={smoothing}", "0", "1"


def main():
    cases, known = [], {}
    original = weights_of

    def remembered(n, s):
        if (n, s) not in known:
            known[n, s] = original(n, s)
        return known[n, s]

    globals()["weights_of"] = remembered
    for name, given, written, mean, std in requests():
        mu, sigma = double(mean), double(std)
        (its_mean, its_std), backward = moments(name, mean=mu, std=sigma, **({"temperature": mpf(1)} | given))
        forward = {"mean": its_mean, "std": its_std, "rms": mp.sqrt(its_mean**2 + its_std**2)}
        case = {"spec": f"{name}({written})", "input": {"mean": mean, "std": std}}
        for direction, values in (("forward", forward), ("backward", backward)):
            case[direction] = {key: mp.nstr(value, DIGITS, strip_zeros=False) for key, value in values.items()}
        print(case["spec"], mean, std, flush=True)
        cases.append(case)
    lines = ",\n".join(json.dumps(case) for case in cases)
    text = f'{{"digits": {DIGITS}, "generator": "mpmath", "cases": [\n{lines}\n]}}\n'
    (Path(__file__).parent / "values_softmax.json").write_text(text)


if __name__ == "__main__":
    main()
