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


# --- channels, alpha dropout, Gaussian dropout, stochastic depth ---

ALPHA = mpf(-1.7580993408473766)


def alpha_affine(q):
    """The constants of the published code for a drop probability p = 1 - q."""
    p = 1 - q
    a = 1 / mp.sqrt((ALPHA**2 * p + 1) * (1 - p))
    return a, -a * ALPHA * p


@pytest.mark.parametrize("name", ["closed-form", "quadrature"])
@pytest.mark.parametrize("law", LAWS, ids=str)
@pytest.mark.parametrize("q", [0.5, 0.95, 1.0, 1e-6])
def test_alpha_dropout_mixes_the_input_with_the_saturation_value(q, law, name):
    spec = f"alpha_dropout(keep_prob={q})"
    with mp.workdps(400):  # the mixture cancels, at most to exactly 0
        keep, m, s = mpf(q), mpf(law.mean), mpf(law.std)
        a, b = alpha_affine(keep)
        kept, dropped = a * m + b, a * ALPHA + b
        mean = mp.chop(keep * kept + (1 - keep) * dropped, mpf("1e-390"))
        square = keep * (kept**2 + (a * s) ** 2) + (1 - keep) * dropped**2
        forward, backward = compute(spec, "forward", law, name), compute(spec, "backward", law, name)
        rms = mp.sqrt(square)
        assert_covers(forward.mean, mean, rms)
        assert_covers(forward.std, mp.sqrt(square - mean**2), rms)
        assert_covers(forward.rms, rms, rms)
        assert_covers(backward.std, a * mp.sqrt(keep), a * mp.sqrt(keep))


@pytest.mark.parametrize("q", [0.05, 0.5, 0.9, 0.95])
def test_alpha_dropout_keeps_a_standard_input_standard(q):
    found = compute(f"alpha_dropout(keep_prob={q})")
    assert found.mean.value == 0.0 and found.std.value == pytest.approx(1.0, rel=1e-15)


@pytest.mark.parametrize("name", ["closed-form", "quadrature"])
@pytest.mark.parametrize("law", LAWS, ids=str)
@pytest.mark.parametrize("q", [0.5, 0.9, 1.0, 1e-6])
def test_gaussian_dropout_has_the_moments_of_inverted_dropout(q, law, name):
    spec = f"gaussian_dropout(keep_prob={q})"
    with mp.workdps(50):
        keep, m, s = mpf(q), mpf(law.mean), mpf(law.std)
        variance = s**2 + (1 - keep) / keep * (s**2 + m**2)
        forward, backward = compute(spec, "forward", law, name), compute(spec, "backward", law, name)
        rms = mp.sqrt(variance + m**2)
        assert_covers(forward.mean, m, rms)
        assert_covers(forward.std, mp.sqrt(variance), rms)
        assert_covers(backward.std, 1 / mp.sqrt(keep), 1 / mp.sqrt(keep))
    inverted = compute(f"dropout(keep_prob={q})", "forward", law, name)
    assert inverted.std.value == pytest.approx(forward.std.value, rel=1e-12)


@pytest.mark.parametrize("name", ["closed-form", "quadrature"])
@pytest.mark.parametrize("law", LAWS, ids=str)
@pytest.mark.parametrize("scale", ["yes", "no"])
@pytest.mark.parametrize("q", [0.5, 0.8, 1.0])
def test_a_branch_that_is_sometimes_left_out_is_added_to_the_skip_connection(q, scale, law, name):
    spec = f"drop_path(keep_prob={q}, scale_by_keep={scale})"
    with mp.workdps(50):
        keep, m, s = mpf(q), mpf(law.mean), mpf(law.std)
        c = 1 / keep if scale == "yes" else mpf(1)
        with_branch, without = (m + c * m, s**2 + (c * s) ** 2), (m, s**2)
        mean = keep * with_branch[0] + (1 - keep) * without[0]
        square = keep * (with_branch[1] + with_branch[0] ** 2) + (1 - keep) * (without[1] + m**2)
        forward, backward = compute(spec, "forward", law, name), compute(spec, "backward", law, name)
        rms = mp.sqrt(square)
        assert_covers(forward.mean, mean, rms)
        assert_covers(forward.std, mp.sqrt(square - mean**2), rms)
        assert_covers(backward.inputs["branch"].std, c * mp.sqrt(keep), c)
        assert backward.inputs["skip"].std.value == 1.0
        assert_covers(backward.std, mp.sqrt((1 + c**2 * keep) / 2), c)


@pytest.mark.parametrize("law", [STANDARD, Normal(0.5, 2.0)], ids=str)
@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize(
    ("channel", "entry"), [("spatial_dropout", "dropout"), ("feature_alpha_dropout", "alpha_dropout")]
)
def test_a_shared_mask_leaves_the_moments_of_an_entry_as_they_are(channel, entry, direction, law):
    a, b = (compute(f"{name}(keep_prob=0.8)", direction, law) for name in (channel, entry))
    assert (a.mean.value, a.std.value) == (b.mean.value, b.std.value)


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_the_entries_of_a_channel_are_dropped_together(direction):
    layer = catalog.layer("spatial_dropout(keep_prob=0.6, size=9)")
    y = layer.simulate(direction, np.random.default_rng(0), 4000, Normal(0.5, 2.0))
    dropped = (y == 0.0).sum(axis=1)
    assert y.shape == (4000, 9) and set(dropped) == {0, 9}
    assert abs(np.mean(dropped == 9) - 0.4) < 5.0 * math.sqrt(0.24 / 4000)
    whole = catalog.layer("feature_alpha_dropout(keep_prob=0.6, size=9)").simulate(
        "forward", np.random.default_rng(0), 400, STANDARD
    )
    constant = np.ptp(whole, axis=1) == 0.0
    a, b = map(float, alpha_affine(mpf("0.6")))
    assert 100 < constant.sum() < 220 and np.allclose(whole[constant], a * float(ALPHA) + b, rtol=1e-14)


@pytest.mark.parametrize("spec", ["dropout(keep_prob=0.3)", "alpha_dropout(keep_prob=0.3)", "drop_path(keep_prob=0.3)"])
def test_simulated_masks_are_applied_entry_by_entry(spec):
    """The same random numbers, one entry at a time."""
    layer, law, rows = catalog.layer(spec), Normal(0.5, 2.0), 30
    y = layer.simulate("forward", np.random.default_rng(2), rows, law).ravel()
    dx = layer.simulate("backward", np.random.default_rng(2), rows, law)
    a, b = map(float, alpha_affine(mpf(0.3)))
    rng, back = np.random.default_rng(2), np.random.default_rng(2)
    if spec.startswith("drop_path"):
        kept = rng.random((rows, 1)).ravel() < 0.3
        skip, branch = law.sample(rng, (rows, 1)).ravel(), law.sample(rng, (rows, 1)).ravel()
        assert y == pytest.approx([s + (x / 0.3 if k else 0.0) for s, x, k in zip(skip, branch, kept, strict=True)])
        back.random((rows, 1))
        dy = back.standard_normal((rows, 1)).ravel()
        assert dx["skip"].ravel().tolist() == dy.tolist()
        assert dx["branch"].ravel() == pytest.approx([g / 0.3 if k else 0.0 for g, k in zip(dy, kept, strict=True)])
        return
    x = law.sample(rng, (rows, 1)).ravel()
    kept = rng.random((rows, 1)).ravel() < 0.3
    dy = back.standard_normal((rows, 1)).ravel()
    alpha = spec.startswith("alpha")
    for entry, k, out, gradient, into in zip(x, kept, y, dx.ravel(), dy, strict=True):
        expected = a * (entry if k else float(ALPHA)) + b if alpha else (entry / 0.3 if k else 0.0)
        assert out == pytest.approx(expected, rel=1e-13, abs=1e-15)
        assert gradient == pytest.approx((a if alpha else 1 / 0.3) * into if k else 0.0, rel=1e-13)


@pytest.mark.parametrize(
    ("name", "meant"),
    [("Dropout2d", "spatial_dropout"), ("SpatialDropout2D", "spatial_dropout"), ("Dropout1d", "spatial_dropout"),
     ("AlphaDropout", "alpha_dropout"), ("FeatureAlphaDropout", "feature_alpha_dropout"),
     ("GaussianDropout", "gaussian_dropout"), ("DropPath", "drop_path"), ("StochasticDepth", "drop_path")],
)  # fmt: skip
def test_dropouts_are_found_by_the_names_that_people_use(name, meant):
    assert catalog.find(name).name == meant


FAMILY = ["dropout", "spatial_dropout", "alpha_dropout", "feature_alpha_dropout", "gaussian_dropout", "drop_path"]


@pytest.mark.parametrize("name", FAMILY)
def test_every_dropout_takes_either_probability_and_no_bare_p(name):
    assert catalog.layer(f"{name}(drop_prob=0.25)").values()["keep_prob"] == 0.75
    for inside in ("p=0.5", "keep_prob=0", "drop_prob=1", "keep_prob=0.5, drop_prob=0.5", "keep_prob=2"):
        with pytest.raises(RequestError, match=r"keep_prob|drop_prob|'p'"):
            catalog.layer(f"{name}({inside})")


@pytest.mark.parametrize("name", FAMILY)
def test_keeping_everything_changes_nothing(name):
    found = compute(f"{name}(keep_prob=1)", law=Normal(-0.3, 0.7))
    shift, size = (-0.6, math.sqrt(2.0)) if name == "drop_path" else (-0.3, 1.0)
    assert (found.mean.value, found.std.value) == (pytest.approx(shift), pytest.approx(0.7 * size, rel=1e-15))
    assert compute(f"{name}(keep_prob=1)", "backward").std.value == pytest.approx(1.0, rel=1e-15)


@pytest.mark.parametrize(
    "spec", ["spatial_dropout(size=0)", "drop_path(scale_by_keep=maybe)", "gaussian_dropout(size=3)"]
)
def test_other_parameters_that_cannot_be_are_refused(spec):
    with pytest.raises(RequestError) as refused:
        catalog.layer(spec)
    assert refused.value.hint
