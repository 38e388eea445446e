"""Binarise, heaviside and the quantiser: sums over thresholds, surrogate and straight-through gradients, bad input."""

import itertools
import math

import numpy as np
import pytest
from mpmath import mp, mpf

from normcal import catalog, engine
from normcal.engine import Effort
from normcal.errors import RequestError
from normcal.law import STANDARD, Normal
from normcal.numerics.arrays import ARRAYS

LAWS = [STANDARD, Normal(0.5, 2.0), Normal(-1.0, 0.3), Normal(0.0, 1e3), Normal(0.31, 1e-3)]
SURROGATES = ("sigmoid", "arctan", "fast_sigmoid", "triangle", "rectangle")


def compute(spec, direction, law=STANDARD, name="closed-form"):
    return engine.get(name).estimate(catalog.layer(spec), direction, law, Effort())


def exact_quantiser(bits, clip, signed, law):
    """Mean and std by the probabilities of the levels."""
    with mp.workdps(60):
        n = 2 ** (bits - 1) - 1 if signed == "yes" else 2**bits - 1
        levels = range(-n if signed == "yes" else 0, n + 1)
        step = mpf(clip) / n

        def below(x):
            return mp.erfc(-(x - mpf(law.mean)) / mpf(law.std) / mp.sqrt(2)) / 2

        cdf = [mpf(0), *(below((k + mpf(1) / 2) * step) for k in list(levels)[:-1]), mpf(1)]
        mass = [b - a for a, b in itertools.pairwise(cdf)]
        mean = mp.fsum(p * k * step for p, k in zip(mass, levels, strict=True))
        return mean, mp.sqrt(mp.fsum(p * (k * step - mean) ** 2 for p, k in zip(mass, levels, strict=True)))


@pytest.mark.parametrize("law", LAWS, ids=str)
@pytest.mark.parametrize(
    ("bits", "clip", "signed"), [(2, 1.0, "yes"), (3, 0.7, "no"), (4, 3.0, "yes"), (8, 2.5, "yes")]
)
def test_a_quantiser_has_the_moments_of_its_levels(bits, clip, signed, law):
    mean, std = exact_quantiser(bits, clip, signed, law)
    found = compute(f"quantiser(bits={bits}, clip={clip}, signed={signed})", "forward", law)
    for value, true in ((found.mean, mean), (found.std, std)):
        assert abs(mpf(value.value) - true) <= mpf(value.error) <= mpf("1e-12") * (abs(mean) + std) + mpf("1e-150")


@pytest.mark.parametrize("law", [STANDARD, Normal(0.5, 2.0), Normal(-1.0, 0.3)], ids=str)
@pytest.mark.parametrize("spec", ["quantiser", "quantiser(bits=3, clip=0.7, signed=no)", "binarise", "heaviside"])
def test_the_sum_over_thresholds_agrees_with_the_integral(spec, law):
    a, b = compute(spec, "forward", law), compute(spec, "forward", law, "quadrature")
    for quantity in ("mean", "std", "rms"):
        x, y = getattr(a, quantity), getattr(b, quantity)
        assert abs(x.value - y.value) <= x.error + y.error, quantity


def test_a_quantiser_is_the_rounding_of_a_clipped_input():
    x = np.linspace(-2.0, 2.0, 401) + 1e-4
    found = catalog.layer("quantiser(bits=4, clip=1.5)").f(x, ARRAYS)
    assert np.allclose(found, np.round(np.clip(x, -1.5, 1.5) / (1.5 / 7)) * (1.5 / 7), atol=1e-12)
    assert len(np.unique(np.round(found, 9))) == 15
    unsigned = catalog.layer("quantiser(bits=2, clip=3, signed=no)").f(x, ARRAYS)
    assert sorted(set(unsigned.tolist())) == [0.0, 1.0, 2.0]


def test_many_bits_are_the_clip_itself():
    for direction in ("forward", "backward"):
        fine, clip = compute("quantiser(bits=16, clip=2)", direction), compute("clip(min_val=-2, max_val=2)", direction)
        assert fine.std.value == pytest.approx(clip.std.value, rel=1e-8)


def test_one_bit_leaves_a_signed_quantiser_nothing():
    with pytest.raises(RequestError, match="bits=1") as refused:
        catalog.layer("quantiser(bits=1)")
    assert refused.value.hint == "Accepted: bits >= 2."
    assert compute("quantiser(bits=1, signed=no)", "forward").mean.value == pytest.approx(0.3085375387259869, rel=1e-15)


def test_the_gradient_of_binarise_passes_within_the_clip_or_everywhere():
    within = compute("binarise", "backward").std.value
    assert within == pytest.approx(math.sqrt(math.erf(math.sqrt(0.5))), rel=1e-15)
    assert compute("binarise(gradient=identity)", "backward", Normal(3.0, 9.0)).std.value == pytest.approx(
        1.0, rel=1e-15
    )


#: E g(x)^2 at a wide law is the integral of g^2 times the density at 0
SQUARES = {
    "sigmoid": 1 / 6,
    "arctan": 1 / 2,
    "fast_sigmoid": 2 / 3,
    "triangle": 2 / 3,
    "rectangle": 1.0,
}


@pytest.mark.parametrize("name", SURROGATES)
@pytest.mark.parametrize("width", [0.04, 1.0])
def test_a_surrogate_at_a_wide_law_is_known_by_the_integral_of_its_square(name, width):
    """Of unit width: sigmoid 1/6, arctan 1/2, fast sigmoid and triangle 2/3, rectangle 1."""
    square = SQUARES[name] * (width if name == "fast_sigmoid" else 1.0 / width)
    found = compute(f"heaviside(surrogate_gradient={name}, width={width})", "backward", Normal(0.0, 1e7), "quadrature")
    assert found.std.value == pytest.approx(math.sqrt(square / math.sqrt(2.0 * math.pi) / 1e7), rel=1e-6)


@pytest.mark.parametrize("name", SURROGATES)
def test_a_surrogate_peaks_at_the_threshold_and_is_symmetric(name):
    slope = catalog.layer(f"heaviside(surrogate_gradient={name}, width=0.5)").slope
    x = np.array([-0.3, -0.1, 0.0, 0.1, 0.3])
    found = slope(x, ARRAYS)
    assert np.array_equal(found, found[::-1]) and found[2] == found.max()
    assert found[2] == pytest.approx({"sigmoid": 0.5, "fast_sigmoid": 1.0}.get(name, 2.0), rel=1e-15)


@pytest.mark.parametrize("spec", ["binarise", "heaviside", "quantiser"])
def test_the_output_says_that_the_backward_pass_is_not_the_derivative(spec):
    (note,) = catalog.layer(spec).notes(STANDARD)
    assert "gradient" in note and note.endswith("not the derivative")


def test_a_simulated_surrogate_gradient_has_the_std_of_the_integral():
    for spec in ("heaviside", "binarise", "quantiser"):
        dx = catalog.layer(spec).simulate("backward", np.random.default_rng(3), 40_000, STANDARD)
        exact = compute(spec, "backward", name="quadrature").std.value
        assert dx.std() == pytest.approx(exact, rel=0.03)
