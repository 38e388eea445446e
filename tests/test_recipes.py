"""Recipes: published values of each are reproduced, conditions hold by another route, wrong ones are refused."""

import functools
import itertools
import math

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from normcal import catalog, kernel, recipe
from normcal.errors import RequestError
from normcal.layer import Reference
from normcal.problem import Problem
from normcal.recipes._shaping import Network
from normcal.request import Request
from tests.program import ROOT

STEADY = settings(derandomize=True, database=None, deadline=None, max_examples=25)
NAMES = recipe.names()


def solve(text, *specs, **options):
    return recipe.solve(text, list(specs), Request(**options))


@functools.cache
def solved(text, *specs):
    found = solve(text, *specs)
    assert found.status == "solved"
    return found


def values(text, *specs, place=0):
    return {name: value.value for name, value in solved(text, *specs).solutions[place].values.items()}


# -- what every recipe keeps


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_says_what_it_is_and_where_it_comes_from(name):
    one = recipe.get(name)
    assert one.name == name
    assert len(one.summary()) < 130
    assert one.references
    assert all(isinstance(reference, Reference) for reference in one.references)
    assert all(param.doc and param.accepted() for param in one.params)


def test_the_list_is_of_what_there_is():
    files = {path.stem.replace("_", "-") for path in (ROOT / "normcal" / "recipes").glob("[!_]*.py")}
    assert [one["name"] for one in recipe.listing().data["recipes"]] == list(NAMES) == sorted(files)
    assert set(NAMES) >= {"selu", "alpha-dropout", "gain", "dks", "tat", "clip"}


@pytest.mark.parametrize(
    ("text", "spec"),
    [("selu", None), ("gain", "relu"), ("dks(depth=100)", "tanh"), ("tat", "leaky_relu"), ("clip", None)],
)
def test_what_is_left_of_every_condition_is_within_its_error(text, spec):
    for solution in solved(text, *([spec] if spec else [])).solutions:
        assert solution.checks
        for check in solution.checks:
            assert abs(check.left.value) <= 4.0 * check.left.error


# -- selu

ALPHA, LAMBDA = mpmath.mpf("1.6732632423543772848170429916717"), mpmath.mpf("1.0507009873554804934193349852946")


def test_selu_has_the_constants_of_klambauer_et_al():
    """Klambauer et al. 2017, equation 14; to 31 digits in Lasagne's nonlinearities.py."""
    (solution,) = solved("selu").solutions
    for name, exact in (("alpha", ALPHA), ("output_scale", LAMBDA)):
        assert abs(solution.values[name].value - exact) < 1e-15
        assert abs(solution.values[name].value - exact) <= solution.values[name].error < 1e-12
    assert solution.error_kind == "bound"


@STEADY
@given(st.floats(-1.5, 1.0), st.floats(0.05, 4.0))
def test_the_fixed_point_of_selu_may_be_anywhere(mean, variance):
    """Of every solution, in arithmetic of 30 digits, mean and variance are those of the input."""
    found = solve(f"selu(mean={mean!r}, variance={variance!r})")
    for solution in found.solutions:
        alpha, scale = solution.values["alpha"], solution.values["output_scale"]
        exact = refined_selu(mpmath.mpf(mean), mpmath.mpf(variance), alpha.value, scale.value)
        assert abs(exact[0] - alpha.value) <= alpha.error
        assert abs(exact[1] - scale.value) <= scale.error


def refined_selu(mean, variance, alpha, scale):
    with mpmath.workdps(30):
        s, phi, Phi = mpmath.sqrt(variance), mpmath.npdf, mpmath.ncdf
        t = mean / s
        a, a2 = mean * Phi(t) + s * phi(t), (mean**2 + variance) * Phi(t) + mean * s * phi(t)
        e1 = mpmath.exp(mean + variance / 2) * Phi(-t - s)
        e2 = mpmath.exp(2 * mean + 2 * variance) * Phi(-t - 2 * s)
        b, b2 = e1 - Phi(-t), e2 - 2 * e1 + Phi(-t)

        def left(alpha, scale):
            return (
                scale * (a + alpha * b) - mean,
                scale**2 * (a2 + alpha**2 * b2) - mean**2 - variance,
            )

        return mpmath.findroot(left, (alpha, scale), tol=1e-40, maxsteps=60)


def test_where_selu_has_no_fixed_point_it_is_said():
    found = solve("selu(mean=-5, variance=100)")
    assert found.status in ("solved", "no-solution")
    if found.status == "no-solution":
        assert "no solution" in found.established[0]


# -- alpha dropout


@pytest.mark.parametrize("keep", [0.5, 0.9, 0.95])
def test_alpha_dropout_has_the_affine_constants_of_klambauer_et_al(keep):
    """Klambauer et al. 2017, section "New dropout technique": a = (q + α'² q (1 − q))^(−1/2), b = −a (1 − q) α'."""
    found = values(f"alpha-dropout(keep_prob={keep})")
    saturation = -ALPHA * LAMBDA
    a = 1 / mpmath.sqrt(keep + saturation**2 * keep * (1 - keep))
    assert found["factor"] == pytest.approx(float(a), rel=1e-14)
    assert found["shift"] == pytest.approx(float(-a * (1 - keep) * saturation), rel=1e-14)
    assert found["saturation"] == pytest.approx(float(saturation), rel=1e-15)


#: activation -> its limit at −∞
SATURATIONS = {
    "elu": -1.0,
    "relu": 0.0,
    "tanh": -1.0,
    "sigmoid": 0.0,
    "gelu": 0.0,
    "softsign": -1.0,
    "elu(alpha=2)": -2.0,
}


@pytest.mark.parametrize("spec", SATURATIONS)
def test_any_activation_that_saturates_keeps_its_moments_under_its_alpha_dropout(spec):
    found = values("alpha-dropout(keep_prob=0.8)", spec)
    assert found["saturation"] == pytest.approx(SATURATIONS[spec], abs=1e-12)
    rng = np.random.default_rng(0)
    layer = catalog.layer(spec)
    y = layer.simulate("forward", rng, 400_000, Request().law)[:, 0]
    z = found["factor"] * np.where(rng.random(len(y)) < 0.8, y, found["saturation"]) + found["shift"]
    assert z.mean() == pytest.approx(y.mean(), abs=5.0 * y.std() / 400)
    assert z.std() == pytest.approx(y.std(), rel=0.02)


def test_a_saturation_of_ones_own_is_taken():
    assert values("alpha-dropout(keep_prob=0.8, saturation=-3)", "leaky_relu")["saturation"] == -3.0


# -- gain


def test_the_forward_and_the_backward_gain_of_relu_meet_at_its_jacobian_factor():
    found = values("gain", "relu")
    assert found["std"] == pytest.approx(math.sqrt(0.5 / (0.5 - 0.5 / math.pi)), rel=1e-13)


def test_at_a_std_of_1_no_scale_makes_the_gains_meet_and_the_reason_is_told():
    found = solve("gain(unknown=input_scale)", "sigmoid")
    assert found.status == "no-solution"
    assert "Var f(x) <= std^2 E f'(x)^2" in found.established[-1]


def test_at_a_larger_std_a_scale_does():
    found = solve("gain(unknown=input_scale)", "tanh", std=2.0)
    assert found.status == "solved"
    row = Problem(found.solutions[0].spec, ["std=1:3"], ["jacobian_factor=1"], Request())([(2.0,)])[0]
    assert abs(row[0].value) < 1e-12


# -- DKS and TAT


def subnet_max(x, r, shortcut=0.6):
    """The network of google-deepmind/dks tests/test_activation_transform.py (c9cf37b): groups of 3, 4, 23, 3 blocks."""

    def branch(y):
        return r(r(r(y)))

    first = branch(x)
    for blocks in (3, 4, 23, 3):
        for block in range(blocks):
            side = r(x) if block == 0 else x
            x = shortcut**2 * side + (1.0 - shortcut**2) * branch(x)
    return max(r(x), first)


def inverse(f, target, low, high):
    for _ in range(200):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if f(middle) < target else (low, middle)
    return low


SLOPE = inverse(lambda s: subnet_max(1.0, lambda x: s * x), 1.2, 1.0, 1.2)
CURVATURE = inverse(lambda s: subnet_max(0.0, lambda x: s + x), 0.2, 0.0, 0.2)
#: (recipe, activation, input_scale, input_shift, output_shift, output_scale), where the output is scale (f + shift), of
#: google-deepmind/dks tests/test_activation_transform.py (c9cf37b) with targets 1.2 for DKS and 0.2 for TAT.
EXPECTED = [
    ("dks", "softplus", 0.18761008168267976, 0.40688063442262007, -0.9213466151411376, 8.878672543665223),
    ("dks", "tanh", 0.07461073057540868, 0.5566915199964182, -0.5034378768692127, 18.002635964442558),
    ("dks", "gelu_tanh", 0.07036271496383567, 0.2586837248593587, -0.15758328114374964, 20.249573305194307),
    ("dks", "gelu", 0.07043253126531114, 0.259489297927707, -0.15815378961903598, 20.21158902315857),
    ("tat", "softplus", 0.15011489794748328, 0.5374599901127068, -0.996481014465811, 10.54880187880574),
    ("tat", "tanh", 0.0580205218578313, 0.5218639804099805, -0.4796430704354356, 22.36066261763117),
]


@pytest.mark.parametrize(("method", "spec", *"abcd"), EXPECTED, ids=[f"{case[0]}-{case[1]}" for case in EXPECTED])
def test_the_parameters_of_the_reference_implementation_are_reproduced(method, spec, a, b, c, d):
    """To the accuracy of its search, which stops at residuals of 1e-8."""
    target = f"slope={SLOPE!r}" if method == "dks" else f"curvature={CURVATURE!r}"
    found = values(f"{method}({target})", spec)
    assert found["input_scale"] == pytest.approx(a, rel=1e-6)
    assert found["input_shift"] == pytest.approx(b, rel=1e-6)
    assert found["output_scale"] == pytest.approx(d, rel=1e-6)
    assert found["output_shift"] == pytest.approx(c * d, rel=1e-6)


def test_leaky_rectifiers_get_the_slopes_of_the_reference_implementation():
    dks = values(f"dks(slope={SLOPE!r})", "leaky_relu")
    assert dks["negative_slope"] == pytest.approx(0.8761257073473065, rel=1e-8)
    assert dks["output_scale"] == pytest.approx(1.0651832705682147, rel=1e-8)
    assert dks["output_shift"] == pytest.approx(1.0651832705682147 * -0.049418692997275034, rel=1e-7)


#: (recipe, activation, values): what dks 0.1 finds for networks in a row, with its default targets.
IN_A_ROW = [
    ("tat(depth=50)", "leaky_relu", {"negative_slope": 0.43052294850349426, "output_scale": 1.2989477863184222}),
    ("tat(depth=100)", "leaky_relu", {"negative_slope": 0.5704395323991776, "output_scale": 1.2284042441106242}),
    ("dks(depth=100)", "leaky_relu", {"negative_slope": 0.8518862024988513, "output_scale": 1.0787269611845485}),
    ("dks(depth=50)", "softplus", {"input_scale": 0.326625173443443, "input_shift": 0.409373967652163}),
    ("dks(depth=100)", "tanh", {"input_scale": 0.09043794488904135, "input_shift": 0.5601066908545733}),
    ("tat(depth=50)", "tanh", {"input_scale": 0.08165523496542139, "input_shift": 0.5258489444580032}),
    ("tat(depth=100)", "gelu", {"input_scale": 0.057671665567451576, "input_shift": 0.3270488137340762}),
    ("tat(depth=50)", "softplus", {"input_scale": 0.21210121644715976, "input_shift": 0.5400250750406134}),
    ("tat(depth=100)", "elu", {"input_scale": 0.05599528445329009, "input_shift": -0.10113483594573283}),
    ("dks(depth=60, branch=3, shortcut=0.6)", "silu", {"input_scale": 0.2107352524682695, "input_shift": 0.348401019}),
]


@pytest.mark.parametrize(("text", "spec", "expected"), IN_A_ROW, ids=[f"{case[1]}-{case[0]}" for case in IN_A_ROW])
def test_networks_in_a_row_and_of_residual_blocks_get_what_the_reference_implementation_finds(text, spec, expected):
    found = values(text, spec)
    near = 1e-5 if catalog.layer(spec).kinks else 1e-6  # its quadrature passes over kinks
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=near)


@pytest.mark.parametrize(("text", "spec"), [case[:2] for case in IN_A_ROW[3:-1]])
def test_the_conditions_hold_of_the_printed_spec_by_the_kernel(text, spec):
    depth = float(text.partition("=")[2].rstrip(")"))
    for solution in solved(text, spec).solutions:
        one = kernel.of(catalog.layer(solution.spec))
        assert one.q_map(1.0).value == pytest.approx(1.0, abs=1e-12)
        assert one.q_slope(1.0).value == pytest.approx(1.0, abs=1e-12)
        slope, curvature = one.slope_at(1.0).value, one.slope_at(1.0, order=2).value
        if text.startswith("dks"):
            assert one.dual(0.0).value == pytest.approx(0.0, abs=1e-12)
            assert slope**depth == pytest.approx(1.5, rel=1e-11)
        else:
            assert slope == pytest.approx(1.0, abs=1e-12)
            assert depth * curvature == pytest.approx(0.3, rel=1e-11)


@pytest.mark.parametrize("depth", [10, 1000])
def test_errors_of_the_parameters_hold_what_a_search_of_30_digits_finds(depth):
    """The exact C-map of the leaky rectifier, composed in multiple precision."""
    (solution,) = solved(f"tat(depth={depth}, eta=0.8)", "leaky_relu").solutions
    found = solution.values["negative_slope"]

    def largest(a):
        c = mpmath.mpf(0)
        for _ in range(depth):
            c += (1 - a) ** 2 / (mpmath.pi * (1 + a * a)) * (mpmath.sqrt(1 - c * c) - c * mpmath.acos(c))
        return c - mpmath.mpf(0.8)

    with mpmath.workdps(30):
        exact = mpmath.findroot(largest, (found.value, found.value + 1e-9))
        assert abs(exact - found.value) <= found.error


#: (recipe, parameters): roots of the conditions for tanh in arithmetic of 30 digits, by mpmath's quad and findroot.
EXACT = [
    (
        "dks(slope=1.01)",
        {
            "input_scale": "0.1425462140776559802353", "input_shift": "0.57558675269258554407",
            "output_scale": "9.600298375897851649287", "output_shift": "-4.914638432563401215933",
        },
    ),
    (
        "tat(curvature=0.01)",
        {
            "input_scale": "0.1056435238324017071004", "input_shift": "0.5312005837313562058307",
            "output_scale": "12.37689490200461078076", "output_shift": "-6.03893004260480174816",
        },
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "exact"), EXACT, ids=[case[0] for case in EXACT])
def test_the_digits_of_transformed_activations_are_true(text, exact):
    for name, value in solved(text, "tanh").solutions[0].values.items():
        assert abs(mpmath.mpf(exact[name]) - value.value) <= min(value.error, 1e-12 * abs(value.value))


def test_the_largest_values_of_a_network_are_those_of_its_parts():
    assert Network(7, 1, 0.0).maximum(1.0, lambda x: 2.0 * x) == 2.0**7
    assert Network(6, 3, 0.6).maximum(1.0, lambda x: 2.0 * x) == pytest.approx((0.36 + 0.64 * 8.0) ** 2)
    assert Network(3, 3, 0.6).maximum(1.0, lambda x: 2.0 * x) == 8.0  # the branch alone


def test_relu_by_dks_has_no_solution_and_by_a_problem_of_ones_own_has_the_reference_one():
    """Homogeneous functions have one parameter too few for Q'(1) = 1: the reference implementation leaves that out.

    Its quadrature passes over the kink, which costs it five digits.
    """
    from normcal import answer

    problem = Problem("relu(input_shift=1)", ["input_scale=0.05:5"], [f"jacobian_factor^2={SLOPE!r}"], Request())
    found = answer.of(problem)
    assert found.solutions[0].values["input_scale"].value == pytest.approx(0.3685360046708044, rel=1e-4)


# -- clip

#: Max 1960, Table II: levels -> (step, mean squared error) of uniform quantisers of a standard normal input.
MAX = {1: (1.596, 0.3634), 2: (0.9957, 0.1188), 3: (0.5860, 0.03744), 4: (0.3352, 0.01154), 5: (0.1881, 0.003495)}


@pytest.mark.parametrize("bits", MAX)
def test_uniform_quantisers_have_the_steps_and_errors_of_max(bits):
    found = values(f"clip(bits={bits})")
    step, error = MAX[bits]
    for name, printed in (("step", step), ("error", error)):
        half = 0.5000001 * 10.0 ** (math.floor(math.log10(printed)) - 3)  # four digits are printed
        assert abs(found[name] - printed) <= half


#: Banner et al. 2019, section 3.1 of arXiv:1810.05723, whose 3.89 is 3.897 cut short; the normal ones to more digits in
#: the tables that implementations of it carry, such as IntelLabs/distiller.
ACIQ = {
    "laplace": {2: 2.83, 3: 3.89, 4: 5.03},
    "normal": {2: 1.71063519, 3: 2.15159277, 4: 2.55913646, 5: 2.93620062, 6: 3.28691474, 7: 3.6151146, 8: 3.92403714},
}


@pytest.mark.parametrize(("law", "bits"), [(law, bits) for law in ACIQ for bits in ACIQ[law]])
def test_clips_by_the_approximation_of_banner_et_al_are_theirs(law, bits):
    found = values(f"clip(bits={bits}, law={law}, error=aciq)")
    assert found["clip"] == pytest.approx(ACIQ[law][bits], abs=0.0075 if law == "laplace" else 1e-5)


@pytest.mark.parametrize("law", ["normal", "laplace"])
@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_the_exact_clip_has_a_smaller_exact_error_than_the_approximate_one(law, bits):
    exact, theirs = values(f"clip(bits={bits}, law={law})"), values(f"clip(bits={bits}, law={law}, error=aciq)")
    assert exact["error"] < theirs["exact error"]
    assert theirs["error"] < theirs["exact error"]  # the approximation understates what it leaves


@pytest.mark.parametrize("levels", ["midrise", "symmetric"])
@pytest.mark.parametrize("law", ["normal", "laplace"])
@pytest.mark.parametrize("bits", [2, 4])
def test_the_exact_error_is_that_of_rounding_to_the_nearest_level(law, bits, levels):
    """By SciPy's integration of the definition; clips on either side of the one that is found are worse."""
    from scipy.integrate import quad

    found = values(f"clip(bits={bits}, law={law}, levels={levels})")

    def density(x):
        return math.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi) if law == "normal" else 0.5 * math.exp(-x)

    def error(clip):
        count = 2 ** (bits - 1) - (levels == "symmetric")
        step = clip / count
        values = (
            [step * (k + 0.5) for k in range(count)] if levels == "midrise" else [step * k for k in range(count + 1)]
        )
        edges = [0.0, *((a + b) / 2.0 for a, b in itertools.pairwise(values)), 60.0]
        return 2.0 * sum(
            quad(lambda x, v=v: (x - v) ** 2 * density(x), a, b, epsabs=1e-13, limit=200)[0]
            for v, (a, b) in zip(values, itertools.pairwise(edges), strict=True)
        )

    assert found["error"] == pytest.approx(error(found["clip"]), abs=1e-10)
    for other in (0.97, 1.03):
        assert error(found["clip"] * other) > found["error"]


def test_symmetric_levels_are_those_of_the_layer():
    """E(x − Q)² = E x² − 2 E x Q + E Q², by a sample of the layer that the answer names."""
    (solution,) = solved("clip(bits=3, levels=symmetric)").solutions
    layer = catalog.layer(solution.spec)
    rng = np.random.default_rng(1)
    x = rng.standard_normal(400_000)
    from normcal.numerics.arrays import ARRAYS

    assert np.mean((x - layer.f(x, ARRAYS)) ** 2) == pytest.approx(solution.values["error"].value, rel=0.02)


# -- what is refused

#: (id, recipe, layers, options, what the message names, what it says would be accepted)
REFUSED = [
    ("unknown", "seluu", [], {}, "'seluu'", "selu"),
    ("parameter", "selu(meen=1)", [], {}, "'meen'", "'mean'"),
    ("negative-variance", "selu(variance=-1)", [], {}, "variance cannot be -1", "(0, 100]"),
    ("sweep", "selu(mean=[0, 1])", [], {}, "no recipe with parameters", "--recipe selu"),
    ("positional", "selu('x')", [], {}, "no recipe with parameters", "--recipe selu"),
    ("layer-too-many", "selu", ["elu"], {}, "takes no layer", "--recipe selu"),
    ("two-layers", "gain", ["elu", "relu"], {}, "one layer", "--recipe gain"),
    ("no-layer", "dks", [], {}, "needs a layer", "tanh"),
    ("law", "selu", [], {"std": 2.0}, "says itself", "--std 2.0"),
    ("law-of-tat", "tat", ["tanh"], {"input": "uniform"}, "says itself", "uniform"),
    ("no-saturation", "alpha-dropout", ["identity"], {}, "does not saturate", "saturation=-1"),
    ("no-function", "alpha-dropout", ["linear"], {}, "linear", "saturation=-1"),
    ("no-moments", "alpha-dropout", ["tanh"], {"std": 0.0}, "no mean and std", ""),
    ("keep", "alpha-dropout(keep_prob=0)", [], {}, "keep_prob cannot be 0", "(0, 1]"),
    ("unknown-of-gain", "gain(unknown=kernel_size)", ["max_pool"], {}, "kernel_size", "sweep"),
    ("dks-of-a-pool", "dks", ["max_pool"], {}, "max_pool", "elementwise"),
    ("dks-scaled", "dks", ["tanh(input_scale=2)"], {}, "chooses input_scale", "Leave them out"),
    ("dks-blocks", "dks(depth=7, branch=3)", ["tanh"], {}, "no multiple", "whole blocks"),
    ("dks-zeta", "dks(zeta=1)", ["tanh"], {}, "zeta cannot be 1", "(1, 1000000]"),
    ("dks-slope", "dks(slope=0.5)", ["tanh"], {}, "slope cannot be 0.5", "(1, 1000000]"),
    ("dks-beyond-leaky", "dks(slope=2)", ["leaky_relu"], {}, "beyond leaky rectifiers", "1.46694"),
    ("tat-of-relu", "tat", ["relu"], {}, "slope jumps", "leaky_relu"),
    ("clip-bits", "clip(bits=0)", [], {}, "bits cannot be 0", "from 1 to 16"),
    ("clip-one-level", "clip(bits=1, levels=symmetric)", [], {}, "only 0", "bits >= 2"),
    ("clip-law", "clip(law=cauchy)", [], {}, "'cauchy'", "laplace"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "specs", "options", "named", "accepted"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_what_is_no_recipe_is_refused_with_what_would_be(text, specs, options, named, accepted):
    with pytest.raises(RequestError) as caught:
        solve(text, *specs, **options)
    assert named in caught.value.message
    assert accepted in caught.value.hint
