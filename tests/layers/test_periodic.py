"""Sine, cosine, snake and sinusoidal features: exact moments, their limits, agreement with the integral."""

import math

import pytest
from mpmath import mp, mpf

from normcal import catalog, engine
from normcal.engine import Effort
from normcal.law import STANDARD, Normal
from normcal.layer import FORWARD

LAWS = [STANDARD, Normal(0.5, 2.0), Normal(-1.0, 0.3), Normal(1.5707963267948966, 1e-4), Normal(3.0, 40.0)]


def compute(spec, direction, law=STANDARD, name="closed-form"):
    return engine.get(name).estimate(catalog.layer(spec), direction, law, Effort())


def characteristic(law, k):
    """E cos(k x) and E sin(k x)."""
    damping = mp.exp(-(mpf(k) ** 2) * mpf(law.std) ** 2 / 2)
    return damping * mp.cos(k * mpf(law.mean)), damping * mp.sin(k * mpf(law.mean))


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_sine_and_cosine_have_the_moments_of_the_characteristic_function(law):
    with mp.workdps(60):
        cos1, sin1 = characteristic(law, 1)
        cos2, _ = characteristic(law, 2)
        exact = {
            "sin": (sin1, mp.sqrt((1 - cos2) / 2 - sin1**2), mp.sqrt((1 + cos2) / 2)),
            "cos": (cos1, mp.sqrt((1 + cos2) / 2 - cos1**2), mp.sqrt((1 - cos2) / 2)),
        }
        for name, (mean, std, slope) in exact.items():
            forward, backward = compute(name, "forward", law), compute(name, "backward", law)
            found = ((forward.mean, mean), (forward.std, std), (backward.std, slope))
            for value, true in found:
                assert abs(mpf(value.value) - true) <= mpf(value.error) <= mpf("1e-13") * max(abs(true), std)


@pytest.mark.parametrize("law", LAWS[:3], ids=str)
@pytest.mark.parametrize("alpha", [0.5, 1.0, 5.0])
def test_snake_has_the_moments_of_the_identity_with_a_cosine(law, alpha):
    with mp.workdps(40):
        a, m, s = mpf(alpha), mpf(law.mean), mpf(law.std)
        cos2, sin2 = characteristic(law, 2 * alpha)
        cos4, _ = characteristic(law, 4 * alpha)
        variance = s**2 + 2 * s**2 * sin2 + ((1 + cos4) / 2 - cos2**2) / (4 * a**2)
        slope = 1 + 2 * sin2 + (1 - cos4) / 2
        forward, backward = (compute(f"snake(alpha={alpha})", d, law) for d in ("forward", "backward"))
        for value, true in (
            (forward.mean, m + (1 - cos2) / (2 * a)), (forward.std, mp.sqrt(variance)), (backward.std, mp.sqrt(slope)),
        ):  # fmt: skip
            assert abs(mpf(value.value) - true) <= mpf(value.error) <= mpf("1e-13") * max(abs(true), 1)


@pytest.mark.parametrize(
    "spec", ["sin", "cos", "snake(alpha=5)", "sinusoidal_features(frequency=6)", "sin(input_scale=32)"]
)
@pytest.mark.parametrize("law", [STANDARD, Normal(0.5, 2.0), Normal(-1.0, 0.3)], ids=str)
def test_the_formula_agrees_with_the_integral_over_many_periods(spec, law):
    for direction in ("forward", "backward"):
        a, b = compute(spec, direction, law), compute(spec, direction, law, "quadrature")
        for quantity in ("mean", "std", "rms"):
            x, y = getattr(a, quantity), getattr(b, quantity)
            assert abs(x.value - y.value) <= x.error + y.error, f"{direction} {quantity}"
            assert y.error < 1e-11 * b.rms.value


def test_features_of_any_frequency_have_rms_root_half_and_their_frequency_as_slope():
    for frequency in (1e-3, 1.0, 40.0):
        for law in LAWS:
            forward, backward = (
                compute(f"sinusoidal_features(frequency={frequency})", d, law) for d in ("forward", "backward")
            )
            assert forward.rms.value == pytest.approx(math.sqrt(0.5), rel=1e-12)
            assert (backward.std.value, backward.std.error) == (frequency, 0.0)


def test_features_hold_sine_and_cosine_of_each_entry_side_by_side():
    import numpy as np

    y = catalog.layer("sinusoidal_features(frequency=2)").simulate(FORWARD, np.random.default_rng(1), 50, STANDARD)
    assert y.shape == (50, 2) and np.allclose((y * y).sum(axis=1), 1.0)


def test_a_wide_law_sees_every_phase():
    found = compute("sin", "forward", Normal(0.3, 1e6))
    assert found.mean.value == 0.0 and found.std.value == pytest.approx(math.sqrt(0.5), rel=1e-15)


def test_siren_is_the_sine_of_thirty_times_the_input():
    assert catalog.layer("siren").spec == "sin(input_scale=30.0)"
    assert compute("siren", "backward").std.value == pytest.approx(30.0 * math.sqrt(0.5), rel=1e-15)
