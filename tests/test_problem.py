"""Problems: what may be unknown and asked for, answers whose digits are true, and plain words where there is none."""

import contextlib
import math

import mpmath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import normcal
from normcal import answer, catalog
from normcal.errors import RequestError
from normcal.problem import Problem, term
from normcal.request import Request

STEADY = settings(derandomize=True, database=None, deadline=None, max_examples=200)


def solved(spec, unknowns, targets, **options):
    return answer.of(Problem(spec, unknowns, targets, Request(**options)))


def values(found, place=0):
    return {name: value.value for name, value in found.solutions[place].values.items()}


#: Klambauer et al. 2017, to 31 digits in Lasagne (nonlinearities.py).
ALPHA, LAMBDA = mpmath.mpf("1.6732632423543772848170429916717"), mpmath.mpf("1.0507009873554804934193349852946")
#: (SPEC, unknown, target, options, what the unknown is)
KNOWN = [
    ("elu", "alpha", "forward.mean=0", {}, ALPHA),
    ("relu", "output_scale=0.1:9", "forward.std=1", {}, 1 / mpmath.sqrt(0.5 - 0.5 / mpmath.pi)),
    ("relu", "output_scale=0.1:9", "forward.rms=1", {}, mpmath.sqrt(2)),
    ("relu", "output_shift", "forward.mean=0", {}, -1 / mpmath.sqrt(2 * mpmath.pi)),
    ("relu", "std", "forward.gain=backward.gain", {}, mpmath.sqrt(0.5 / (0.5 - 0.5 / mpmath.pi))),
    ("relu", "std", "jacobian_factor=1", {}, mpmath.sqrt(0.5 / (0.5 - 0.5 / mpmath.pi))),
    ("relu", "input.std", "scale.geometric=1", {}, 1 / (mpmath.sqrt(0.5 - 0.5 / mpmath.pi) * mpmath.sqrt(0.5))),
    ("leaky_relu", "negative_slope=0:1", "backward.std^2=0.75", {}, mpmath.sqrt(0.5)),
    ("identity", "mean=0:9", "forward.rms=3", {}, mpmath.sqrt(8)),
    ("exp", "std=0.1:2", "forward.mean=2", {}, mpmath.sqrt(2 * mpmath.log(2))),
    ("exp", "mean=-5:5", "forward.mean=2", {}, mpmath.log(2) - mpmath.mpf(0.5)),
    ("sin", "std=0.1:9", "forward.std^2=0.25", {}, mpmath.sqrt(mpmath.log(2) / 2)),
    ("dropout", "keep_prob", "forward.std=2", {}, mpmath.mpf("0.25")),
    ("dropout(scaling=plain)", "drop_prob", "forward.std=0.5", {}, mpmath.mpf("0.75")),
    ("relu", "input_shift", "kernel.slope_at(1)=0.25", {}, -mpmath.erfinv(0.5) * mpmath.sqrt(2)),
    ("erf", "input_scale=0.1:9", "kernel.dual(1)=1/3", {}, mpmath.sqrt(0.5)),
    ("erf", "input_scale=0.1:9", "kernel.coefficient(1)=1/2", {}, 0.5 / mpmath.sqrt(4 / mpmath.pi - 0.5)),
    ("relu", "output_scale=0.1:9", "kernel.chi(1.5, 2)=1", {}, mpmath.sqrt(2) / 1.5),
    ("relu", "output_scale=0.1:9", "kernel.q_map(2, 1, 0.5)=2", {}, mpmath.sqrt(1.75)),
    ("tanh", "output_scale=0.1:9", "forward.rms=kernel.correlation_map(1)", {}, None),
    ("gated(activation=leaky_relu)", "activation.negative_slope=0:1", "forward.rms^2=0.625", {}, mpmath.mpf("0.5")),
    ("relu | dropout(keep_prob=0.9)", "keep_prob", "forward.std=1", {}, None),
    ("relu | leaky_relu(input_scale=2)", "1.output_scale=0.1:9", "forward.rms=2", {}, mpmath.sqrt(2)),
    ('expr("where(x > 0, x, a * expm1(x))", a=1)', "a", "forward.mean=0", {}, ALPHA),
    ('expr("a * sin(x)")', "a=0.1:9", "forward.std^2=1", {}, None),
    ("identity", "input.df=2.5:90", "forward.std^2=1.25", {"input": "student_t(df=5)"}, mpmath.mpf(10)),
    ("relu", "std=0.1:9", "forward.mean=1", {"input": "laplace(standardised=yes)"}, 2 * mpmath.sqrt(2)),
]


def test_an_expression_may_leave_several_parameters_without_a_value():
    found = solved('expr("a * tanh(b * x)")', ["a=0.1:9", "b=0.1:9"], ["forward.std=1", "backward.std=1.2"])
    a, b = found.solutions[0].values.values()
    again = normcal.compute(f'expr("a * tanh(b * x)", a={a.value!r}, b={b.value!r})')
    assert again.forward.std.value == pytest.approx(1.0, rel=1e-9)
    assert again.backward.std.value == pytest.approx(1.2, rel=1e-9)


@pytest.mark.parametrize(
    ("spec", "unknown", "target", "options", "expected"), KNOWN, ids=[f"{c[0]}-{c[1]}-{c[2]}" for c in KNOWN]
)
def test_a_known_solution_is_found_to_within_its_stated_error(spec, unknown, target, options, expected):
    found = solved(spec, [unknown], [target], **options)
    assert found.status == "solved"
    (value,) = found.solutions[0].values.values()
    assert found.solutions[0].error_kind == "bound"
    assert value.error < 1e-9
    if expected is not None:
        assert abs(mpmath.mpf(value.value) - expected) <= value.error
    for check in found.solutions[0].checks:
        assert abs(check.left.value) <= 4.0 * check.left.error


def test_the_solved_spec_can_be_computed_and_has_what_was_asked():
    found = solved("elu(alpha=1.3)", ["alpha", "output_scale"], ["forward.mean=0", "forward.std=1"])
    layer = catalog.layer(found.solutions[0].spec)
    assert (layer.alpha, layer.output_scale) == tuple(values(found).values())
    assert abs(mpmath.mpf(layer.alpha) - ALPHA) < 1e-15
    assert abs(mpmath.mpf(layer.output_scale) - LAMBDA) < 1e-15
    assert found.solutions[0].command == f'normcal compute "{layer.spec}"'


def test_all_distinct_solutions_are_listed_the_nearest_to_what_was_given_first():
    above = solved("elu", ["alpha", "output_scale"], ["forward.mean=0", "forward.std=1"])
    below = solved("elu(output_scale=-1)", ["alpha", "output_scale"], ["forward.mean=0", "forward.std=1"])
    assert [round(values(above, k)["output_scale"], 3) for k in (0, 1)] == [1.051, -1.051]
    assert [round(values(below, k)["output_scale"], 3) for k in (0, 1)] == [-1.051, 1.051]


def test_several_sign_changes_are_several_solutions():
    found = solved("gaussian", ["mean=-5:5"], ["forward.mean=0.3"])
    exact = math.sqrt(-3.0 * math.log(0.3 * math.sqrt(3.0)))
    assert sorted(values(found, k)["mean"] for k in (0, 1)) == pytest.approx([-exact, exact], rel=1e-12)
    assert found.established[0].startswith("2 sign changes on a scan of 129 points over mean in [-5, 5]")


def test_fixed_points_of_an_unknown_input_are_found():
    """Where the mean and the std of the output are those of the input, SELU has its fixed point (0, 1)."""
    found = solved("selu", ["mean=-1:1", "std=0.5:2"], ["forward.mean=input.mean", "forward.std=input.std"])
    assert any(
        abs(values(found, k)["mean"]) < 1e-10 and abs(values(found, k)["std"] - 1.0) < 1e-10
        for k in range(len(found.solutions))
    )
    assert "--std" in found.solutions[0].command


def test_without_a_solution_the_range_and_the_nearest_point_are_told():
    found = solved("sigmoid", ["input_scale=0.1:10"], ["forward.std=0.6"])
    assert (found.status, found.solutions) == ("no-solution", ())
    assert found.established[0].startswith("no solution: forward.std goes from ")
    assert found.nearest.values["input_scale"].error is None
    assert found.nearest.checks[0].left.value < -0.1


def test_where_the_target_holds_everywhere_it_is_said():
    found = solved("tanh", ["input_scale=0.1:5"], ["forward.mean=0"])
    assert found.status == "solved"
    assert "all the way from 0.1 to 5" in found.solutions[0].note
    assert found.solutions[0].values["input_scale"].error is None


def test_a_solution_that_is_not_alone_nearby_is_told():
    found = solved("relu", ["input_scale=0.1:9", "output_scale=0.1:9"], ["forward.rms=1", "backward.std=1"])
    assert found.status == "solved"
    assert all("the Jacobian has rank 1 of 2" in one.note for one in found.solutions)


def test_more_targets_than_unknowns_are_met_as_well_as_they_can_be():
    found = solved("relu", ["output_scale=0.1:9"], ["forward.rms=1", "backward.std=1"])
    assert values(found)["output_scale"] == pytest.approx(math.sqrt(2.0), rel=1e-12)
    worse = solved("relu", ["output_scale=0.1:9"], ["forward.std=1", "backward.std=1"])
    assert worse.status == "no-solution"
    assert any("least squares" in text for text in worse.established)
    # the scale that balances both: (f + b)/(f^2 + b^2)
    f, b = math.sqrt(0.5 - 0.5 / math.pi), math.sqrt(0.5)
    assert worse.nearest.values["output_scale"].value == pytest.approx((f + b) / (f * f + b * b), rel=1e-6)


def test_sampled_quantities_give_a_standard_error():
    found = solved("relu", ["std=0.5:2"], ["forward.std=0.7"], engine="monte-carlo", samples=20_000)
    (value,) = found.solutions[0].values.values()
    assert found.solutions[0].error_kind == "standard-error"
    assert abs(value.value - 0.7 / math.sqrt(0.5 - 0.5 / math.pi)) < 4.0 * value.error < 0.1
    assert not any("is a bound" in text for text in found.established)


def test_where_moments_end_the_scan_goes_to_the_border():
    found = solved("square", ["input.df=1:9"], ["forward.std=8"], input="student_t(df=5)")
    assert any("had no value with an error" in text for text in found.established)
    df = values(found)["input.df"]
    assert 3.0 * df * df / ((df - 2.0) * (df - 4.0)) - (df / (df - 2.0)) ** 2 == pytest.approx(64.0, rel=1e-9)


@pytest.mark.parametrize(
    "text", ["forward.std", "-backward.gain^2", "jacobian_factor", "kernel.map_slope(1, 2)", "input.std"]
)
def test_a_term_is_written_as_it_was_asked(text):
    assert term(text).text == text


@STEADY
@given(st.text(max_size=12), st.text(max_size=20))
def test_any_words_make_a_problem_or_are_refused(unknown, target):
    for unknowns, targets in (([unknown], ["forward.mean=0"]), (["alpha"], [target]), ([f"alpha={unknown}"], [target])):
        with contextlib.suppress(RequestError):
            Problem("elu", unknowns, targets, Request())


#: (id, SPEC, unknowns, targets, what the message names, what it says would be accepted)
REFUSED = [
    ("no-unknown", "elu", [], ["forward.mean=0"], "No unknown", "--unknown"),
    ("no-target", "elu", ["alpha"], [], "No target", "--target"),
    ("parameter", "elu", ["alhpa"], ["forward.mean=0"], "'alhpa'", "Did you mean 'alpha'"),
    ("parameter-of-none", "relu", ["alpha"], ["forward.mean=0"], "'alpha'", "input_scale"),
    ("nameless", "elu", ["=0:1"], ["forward.mean=0"], "'=0:1'", "NAME=LOW:HIGH"),
    ("word", "dropout", ["scaling"], ["forward.std=1"], "scaling", "numbers with a fraction"),
    ("whole", "max_pool", ["kernel_size"], ["forward.std=1"], "kernel_size", "sweep"),
    ("nested-layer", "gated", ["activation"], ["forward.std=1"], "activation", "numbers with a fraction"),
    ("nested-nothing", "elu", ["alpha.beta"], ["forward.std=1"], "'alpha' of elu", "NAME"),
    ("twice", "elu", ["alpha", "alpha=0:1"], ["forward.mean=0", "forward.std=1"], "alpha is given twice", ""),
    ("std-twice", "elu", ["std", "input.std"], ["forward.mean=0", "forward.std=1"], "given twice", ""),
    ("input", "elu", ["input.df"], ["forward.mean=0"], "'df'", "mean, std"),
    ("chain-ambiguous", "elu | elu", ["alpha"], ["forward.mean=0"], "several layers", "1.alpha, 2.alpha"),
    ("chain-none", "elu | relu", ["beta"], ["forward.mean=0"], "no layer of the chain", "1.beta"),
    ("chain-number", "elu | relu", ["3.alpha"], ["forward.mean=0"], "'3'", "from 1 to 2"),
    ("interval-empty", "elu", ["alpha=5:1"], ["forward.mean=0"], "5:1 is empty", "LOW < HIGH"),
    ("interval-of-one", "elu", ["alpha=1:1"], ["forward.mean=0"], "1:1 is empty", "LOW < HIGH"),
    ("interval-word", "elu", ["alpha=a:b"], ["forward.mean=0"], "'a:b'", "LOW:HIGH"),
    ("interval-nan", "elu", ["alpha=nan:1"], ["forward.mean=0"], "'nan:1'", "LOW:HIGH"),
    ("interval-inf", "elu", ["alpha=0:inf"], ["forward.mean=0"], "'0:inf'", "LOW:HIGH"),
    ("interval-huge", "elu", ["alpha=0:1e999"], ["forward.mean=0"], "'0:1e999'", "LOW:HIGH"),
    ("interval-one-end", "elu", ["alpha=1"], ["forward.mean=0"], "'1'", "LOW:HIGH"),
    ("interval-three", "elu", ["alpha=0:1:5"], ["forward.mean=0"], "'0:1:5'", "LOW:HIGH"),
    ("interval-outside", "dropout", ["keep_prob=0.5:2"], ["forward.std=1"], "0.5:2", "(0, 1]"),
    ("interval-below", "softplus", ["beta=-1:1"], ["forward.std=1"], "-1:1", "(0, ∞)"),
    ("std-below", "relu", ["std=-1:1"], ["forward.std=1"], "-1:1", "(0, ∞)"),
    ("target-without-value", "elu", ["alpha"], ["forward.mean"], "'forward.mean'", "QUANTITY=VALUE"),
    ("target-empty", "elu", ["alpha"], ["forward.mean="], "'forward.mean='", "QUANTITY=VALUE"),
    ("target-nameless", "elu", ["alpha"], ["=1"], "'=1'", "QUANTITY=VALUE"),
    ("target-nan", "elu", ["alpha"], ["forward.mean=nan"], "'nan'", "numbers"),
    ("target-inf", "elu", ["alpha"], ["forward.mean=1e999"], "'1e999'", "numbers"),
    ("target-word", "elu", ["alpha"], ["forward.mean=big"], "'big'", "numbers"),
    ("target-code", "elu", ["alpha"], ["forward.mean=__import__('os')"], "__import__", "numbers"),
    ("quantity", "elu", ["alpha"], ["forward.maen=0"], "'forward.maen'", "'forward.mean'"),
    ("quantity-of-kernel", "elu", ["alpha"], ["kernel.daul(0.5)=0"], "'daul'", "kernel.dual"),
    ("kernel-without-place", "elu", ["alpha"], ["kernel.dual=0"], "'kernel.dual'", "kernel.dual(1)"),
    ("kernel-beyond", "elu", ["alpha=0.5:1"], ["kernel.dual(2)=0"], "2", "[-1, 1]"),
    ("kernel-of-a-pool", "max_pool", ["std"], ["kernel.dual(1)=1"], "max_pool", "elementwise"),
    ("kernel-order", "elu", ["alpha=0.5:1"], ["kernel.slope_at(1, 0.5)=0"], "0.5", "1 or 2"),
    ("target-of-input", "elu", ["alpha"], ["forward.mean=input.median"], "'median'", "'mean'"),
    ("target-twice", "elu", ["alpha"], ["forward.mean=0", "forward.mean=0"], "given twice", ""),
    ("part", "elu", ["alpha=0.5:1"], ["backward.gate.std=1"], "'gate'", ""),
    ("fewer-targets", "elu", ["alpha", "output_scale"], ["forward.mean=0"], "2 unknowns and 1 target", "as many"),
    ("too-many-unknowns", "elu", ["alpha"] * 13, ["forward.mean=0"], "13 unknowns", "at most 12"),
    ("sweep", "elu(input_scale=[1, 2])", ["alpha"], ["forward.mean=0"], "sweep over input_scale", ""),
    ("no-value-for-another", 'expr("a * x + b * x")', ["a"], ["forward.std=1"], "uses 'b'", "Give it one"),
    ("unknown-of-an-expression", 'expr("a * x")', ["a", "b"], ["forward.std=1", "forward.mean=0"], "b", ""),
    ("layer", "elo", ["alpha"], ["forward.mean=0"], "'elo'", "'elu'"),
    ("nowhere-defined", "batch_norm(group_size=3, eps=0)", ["std"], ["scale.geometric=1", "forward.mean=0"], "", ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("spec", "unknowns", "targets", "named", "accepted"), [c[1:] for c in REFUSED], ids=[c[0] for c in REFUSED]
)
def test_what_is_no_problem_is_refused_with_what_would_be(spec, unknowns, targets, named, accepted):
    if not named:  # nothing wrong with the words: there is just no value anywhere
        found = solved(spec, unknowns, targets)
        assert (found.status, found.nearest) == ("no-solution", None)
        return
    with pytest.raises(RequestError) as caught:
        solved(spec, unknowns, targets)
    assert named in caught.value.message
    assert accepted in caught.value.hint
