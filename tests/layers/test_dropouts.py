"""Dropout in its three scalings, at any input law, by formula, integral and enumeration."""

import math

import numpy as np
import pytest
from mpmath import mp, mpf

from normcal import catalog, engine
from normcal.engine import Effort
from normcal.errors import RequestError
from normcal.law import STANDARD, Normal

FACTORS = {"plain": lambda q: mpf(1), "inverted": lambda q: 1 / q, "unit": lambda q: 1 / mp.sqrt(q)}
LAWS = [STANDARD, Normal(0.5, 2.0), Normal(-3.0, 0.1), Normal(40.0, 1e-3), Normal(2.0, 0.0), Normal(-1e200, 1e200)]


def compute(spec, direction="forward", law=STANDARD, name="closed-form"):
    return engine.get(name).estimate(catalog.layer(spec), direction, law, Effort())


def assert_covers(value, exact, size):
    assert abs(mpf(value.value) - exact) <= mpf(value.error), f"{value}, {mp.nstr(exact, 20)}"
    assert value.error <= mpf("1e-12") * size


@pytest.mark.parametrize("name", ["closed-form", "quadrature"])
@pytest.mark.parametrize("law", LAWS, ids=str)
@pytest.mark.parametrize("scaling", FACTORS)
@pytest.mark.parametrize("q", [0.5, 0.9, 1.0, 1e-6])
def test_moments_are_those_of_a_masked_input(scaling, q, law, name):
    """E y = c q m and Var y = c^2 (q (s^2 + m^2) - q^2 m^2); the gradient is masked alike, E dx^2 = c^2 q."""
    spec = f"dropout(keep_prob={q}, scaling={scaling})"
    with mp.workdps(50):
        c, q, m, s = FACTORS[scaling](mpf(q)), mpf(q), mpf(law.mean), mpf(law.std)
        forward, backward = compute(spec, "forward", law, name), compute(spec, "backward", law, name)
        rms = c * mp.sqrt(q * (s * s + m * m))
        assert_covers(forward.mean, c * q * m, rms)
        assert_covers(forward.std, c * mp.sqrt(q * (s * s + m * m) - (q * m) ** 2), rms)
        assert_covers(forward.rms, rms, rms)
        assert_covers(backward.std, c * mp.sqrt(q), c * mp.sqrt(q))
        assert backward.mean.value == 0.0


@pytest.mark.parametrize("q", [0.1, 0.5, 0.8])
def test_each_scaling_keeps_what_it_is_named_for(q):
    law = Normal(1.7, 0.6)
    assert compute(f"dropout(keep_prob={q})", law=law).mean.value == pytest.approx(1.7, rel=1e-15)
    unit = f"dropout(keep_prob={q}, scaling=unit)"
    assert compute(unit).std.value == pytest.approx(1.0, rel=1e-15)
    assert compute(unit, "backward").std.value == pytest.approx(1.0, rel=1e-15)
    plain = compute(f"dropout(keep_prob={q}, scaling=plain)")
    assert plain.std.value == pytest.approx(math.sqrt(q), rel=1e-15)


@pytest.mark.parametrize("scaling", FACTORS)
def test_an_enumeration_of_masks_gives_the_same_moments(scaling):
    """Three-valued inputs and both masks, weighted: the definition, without any formula."""
    q, c = 0.3, float(FACTORS[scaling](mpf("0.3")))
    values, weights = np.array([-1.5, 0.25, 4.0]), np.array([0.2, 0.5, 0.3])
    mean, std = float(weights @ values), math.sqrt(float(weights @ values**2) - float(weights @ values) ** 2)
    outcomes = [(c * v, w * q) for v, w in zip(values, weights, strict=True)] + [(0.0, 1.0 - q)]
    first = sum(y * w for y, w in outcomes)
    spread = math.sqrt(sum(w * (y - first) ** 2 for y, w in outcomes))
    found = compute(f"dropout(keep_prob=0.3, scaling={scaling})", law=Normal(mean, std))
    assert (found.mean.value, found.std.value) == (pytest.approx(first, rel=1e-14), pytest.approx(spread, rel=1e-14))


def test_keeping_everything_is_the_identity():
    for scaling in FACTORS:
        found = compute(f"dropout(keep_prob=1, scaling={scaling})", law=Normal(-0.3, 0.7))
        assert (found.mean.value, found.std.value) == (-0.3, pytest.approx(0.7, rel=1e-15))


def test_the_default_keeps_half_and_keeps_the_mean():
    assert catalog.layer("dropout").spec == "dropout(keep_prob=0.5, scaling=inverted)"


@pytest.mark.parametrize(("dropped", "kept"), [("0.25", 0.75), ("0", 1.0), ("0.1", 0.9), ("1e-20", 1.0)])
def test_drop_prob_is_the_complement_of_keep_prob(dropped, kept):
    assert catalog.layer(f"dropout(drop_prob={dropped})").values()["keep_prob"] == kept


@pytest.mark.parametrize(
    "inside",
    ["keep_prob=0", "keep_prob=1.1", "keep_prob=-0.5", "keep_prob=nan", "drop_prob=1", "drop_prob=-0.1", "drop_prob=2",
     "keep_prob=0.5, drop_prob=0.5", "p=0.5", "scaling=none", "scaling=1", "drop_prob=half"],
)  # fmt: skip
def test_probabilities_that_cannot_be_are_refused(inside):
    with pytest.raises(RequestError):
        catalog.layer(f"dropout({inside})")


def test_a_bare_p_is_answered_with_the_two_names():
    with pytest.raises(RequestError) as refused:
        catalog.layer("dropout(p=0.5)")
    assert "keep_prob" in str(refused.value)
