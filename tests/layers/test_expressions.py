"""Expressions as layers: every elementwise layer of the catalogue, written as one, gives the catalogue's numbers."""

import math
import pickle
from dataclasses import dataclass

import numpy as np
import pytest

import normcal
from normcal import catalog, result
from normcal.errors import RequestError
from normcal.law import STANDARD
from normcal.layer import AFFINE, Elementwise
from normcal.spec import Text, write
from tests.test_catalog import variants

#: (mean, std) of the input.
LAWS = ((0.0, 1.0), (0.5, 2.0))
#: What an expression may state, relatively: the last digits that the built-in layers state too.
STATED = 4e-13


@dataclass(frozen=True)
class Written:
    """A layer as expressions: of its branches, of what the backward pass uses for f', and of its noise."""

    branches: tuple[str, ...]
    slope: str = ""
    noise: str = ""


def w(*branches, slope="", noise=""):
    return Written(branches, slope, noise)


SURROGATES = {
    "sigmoid": "sigmoid(x / width) * sigmoid(-x / width) / width",
    "arctan": "1 / (width + width * (math_pi * (x / width))**2)",
    "fast_sigmoid": "1 / (1 + abs(x) / width)**2",
    "triangle": "max(1 - abs(x) / width, 0) / width",
    "rectangle": "where(abs(x) > 0.5 * width, 0, 1 / width)",
}


def quantiser(layer):
    steps, floor = (f"{layer.steps}", "-clip_" if layer.signed == "yes" else "0")
    inside = f"clip(x, {floor}, clip_)"
    return w(f"floor({inside} * {steps} / clip_ + 0.5) * clip_ / {steps}", slope=f"where({floor} < x < clip_, 1, 0)")


def polynomial(layer):
    return w(" + ".join(f"({c!r}) * x**{k}" for k, c in enumerate(layer.coefficients)))


#: layer -> how it is written, or a function of the layer that returns it. Names are its parameters.
WRITTEN = {
    "softplus": w("log1p(exp(-abs(beta * x))) / beta + max(x, 0)"),
    "shifted_softplus": w("softplus(x) - log(2)"),
    "squareplus": w("max(x, 0) + b / 2 / (abs(x) + sqrt(x**2 + b))"),
    "smelu": w("where(x > beta, x, where(x < -beta, 0, (x + beta)**2 / (4 * beta)))"),
    "elu": w("where(x > 0, x, alpha * expm1(x))"),
    "celu": w("max(x, 0) + min(0, alpha * expm1(x / alpha))"),
    "selu": w("1.0507009873554805 * where(x > 0, x, 1.6732632423543772 * expm1(x))"),
    "smooth_leaky_relu": w("negative_slope * x + (1 - negative_slope) * softplus(x)"),
    "bent_identity": w("x + x**2 / 2 / (sqrt(x**2 + 1) + 1)"),
    "exp": w("exp(x)"),
    "gaussian": w("exp(-x**2)"),
    "sin": w("sin(x)"),
    "cos": w("cos(x)"),
    "snake": w("x + sin(alpha * x)**2 / alpha"),
    "sinusoidal_features": w("sin(frequency * x)", "cos(frequency * x)"),
    "square": w("x**2"),
    "cube": w("x**3"),
    "monomial": w("x**power"),
    "polynomial": polynomial,
    "sign": w("where(x > 0, 1, -1)"),
    "binarise": lambda layer: w("sign(x)", slope="-1 < x < 1" if layer.gradient == "clipped" else "1 + 0 * x"),
    "heaviside": lambda layer: w("x > 0", slope=SURROGATES[layer.surrogate_gradient].replace("math_pi", repr(math.pi))),
    "quantiser": quantiser,
    "identity": w("x"),
    "relu": w("max(x, 0)"),
    "leaky_relu": w("where(x > 0, x, negative_slope * x)"),
    "prelu": w("max(x, 0) + weight * min(x, 0)"),
    "rrelu": lambda layer: w(
        "where(x > 0, x, (lower / 2 + upper / 2) * x)",
        noise="min(x, 0) * (upper - lower) / sqrt(12)" if layer.training == "yes" else "",
    ),
    "crelu": w("relu(x)", "relu(-x)"),
    "relu6": w("clip(x, 0, 6)"),
    "clipped_relu": w("min(max(x, 0), max_value)"),
    "abs": w("abs(x)"),
    "threshold": w("x if x > threshold else value"),
    "relu_squared": w("relu(x)**2"),
    "star_relu": w("scale * relu(x)**2 + bias"),
    "rectified_monomial": w("relu(x)**power"),
    "gelu": w("x * Phi(x)"),
    "gelu_tanh": w(f"x * sigmoid({2.0 * math.sqrt(2.0 / math.pi)!r} * (x + 0.044715 * x**3))"),
    "silu": w("x / (1 + exp(-x))"),
    "quick_gelu": w("x * sigmoid(1.702 * x)"),
    "swish": w("x * sigmoid(beta * x)"),
    "hardswish": w("x * clip(x + 3, 0, 6) / 6"),
    "mish": w("x * tanh(softplus(x))"),
    "hard_mish": w("x / 2 * clip(x + 2, 0, 2)"),
    "serf": w("x * erf(softplus(x))"),
    "tanh_exp": w("x * tanh(exp(min(x, 6)))"),
    "phish": w("x * tanh(x * Phi(x))"),
    "logish": w("x * log1p(sigmoid(x))"),
    "lisht": w("x * tanh(x)"),
    "elish": w("where(x > 0, x, expm1(x)) * sigmoid(x)"),
    "hardelish": w("where(x > 0, x, expm1(x)) * clip((x + 1) / 2, 0, 1)"),
    "hardshrink": w("where(-lambd <= x <= lambd, 0, x)"),
    "softshrink": w("sign(x) * relu(abs(x) - lambd)"),
    "tanhshrink": w("x - tanh(x)"),
    "sigmoid": w("1 / (1 + exp(-x))"),
    "log_sigmoid": w("-softplus(-x)"),
    "tanh": w("tanh(x)"),
    "scaled_tanh": w("amplitude * tanh(stretch * x)"),
    "hardtanh": w("clip(x, min_val, max_val)"),
    "hardsigmoid": w("clip(x + 3, 0, 6) / 6"),
    "sparse_sigmoid": w("clip(x + 1, 0, 2) / 2"),
    "softsign": w("x / (1 + abs(x))"),
    "arctan": w("atan(x)"),
    "asinh": w("asinh(x)"),
    "erf": w("1 - erfc(x)"),
    "laplace": w(f"Phi((x - {math.sqrt(0.5)!r}) * {2.0 * math.sqrt(math.pi)!r})"),
}

BUILTIN = [cls for cls in catalog.classes().values() if issubclass(cls, Elementwise)]
PLAIN = [cls() for cls in BUILTIN]
LAYERS = [layer for cls in BUILTIN for layer in variants(cls)]


def expression(text, layer, **more):
    """Return the SPEC of a text whose names are parameters of a layer."""
    from normcal.expression import parse

    names = parse(text).names
    values = {p.name: layer.in_force(p.name) for p in layer.params if p not in AFFINE and p.name in names}
    if "clip_" in names:
        values["clip_"] = layer.clip
    return write("expr", values | more, (Text(text),))


def written(layer):
    found = WRITTEN[layer.name]
    return found(layer) if callable(found) else found


def test_every_elementwise_layer_of_the_catalogue_is_written_as_an_expression():
    assert {cls.name for cls in BUILTIN} == WRITTEN.keys()


def near(value, other, what):
    """Whether two values agree within their bounds, and the first states as much as is promised."""
    assert value.error is not None, what
    allowed = value.error + other.error
    assert abs(value.value - other.value) <= allowed, (what, value, other)


@pytest.mark.parametrize(
    ("layer", "law"),
    [pytest.param(layer, law, id=f"{layer.spec}-{law}") for layer in LAYERS for law in LAWS[: 1 + (layer in PLAIN)]],
)
def test_an_expression_gives_the_numbers_of_the_layer_that_it_writes(layer, law):
    options = {"mean": law[0], "std": law[1]}
    told, builtin = written(layer), normcal.compute(layer, **options)
    found = [normcal.compute(expression(text, layer), **options) for text in told.branches]
    noise = told.noise and normcal.compute(expression(told.noise, layer), **options)
    slope = told.slope and normcal.compute(expression(told.slope, layer), direction="forward", **options)
    for one in found:
        assert one.forward.relative_error < STATED, one.forward
    mean = math.fsum(one.forward.mean.value for one in found) / len(found)
    slack = sum(one.forward.mean.error for one in found) + builtin.forward.mean.error
    assert abs(mean - builtin.forward.mean.value) <= slack + 1e-15 * abs(mean)
    squares = math.fsum(one.forward.rms.value**2 for one in found) / len(found)
    squares += noise.forward.rms.value**2 if noise else 0.0
    errors = sum(one.forward.rms.error for one in found) + (noise.forward.rms.error if noise else 0.0)
    rms = math.sqrt(squares)
    assert abs(rms - builtin.forward.rms.value) <= errors + builtin.forward.rms.error + 1e-15 * rms
    if len(found) == 1 and not noise:
        near(found[0].forward.std, builtin.forward.std, "forward std")
    if slope:
        near(slope.forward.rms, builtin.backward.std, "backward std")
    elif len(found) == 1 and not noise:
        near(found[0].backward.std, builtin.backward.std, "backward std")
    else:
        parts = [*found, *([noise] if noise else [])]
        both = math.sqrt(math.fsum(one.backward.std.value**2 for one in parts))
        errors = sum(one.backward.std.error for one in parts) + builtin.backward.std.error
        assert abs(both - builtin.backward.std.value) <= errors + 1e-15 * both


# --- what an expression is told, and what it tells ---

#: (SPEC, kinks, jumps) within reach of N(0, 1)
PLACES = [
    ("expr('max(abs(x) - 1, 0)')", [-1.0, 1.0], []),
    ("expr('where(x > a, x, b)', a=0.5, b=2)", [], [0.5]),
    ("expr('where(x > a, x, b)', a=0.5, b=0.5)", [0.5], []),
    ("expr('x * (x > 0)')", [0.0], []),
    ("expr('x * (x > 0)', input_scale=2, input_shift=1)", [-0.5], []),
    ("expr('sign(x)')", [], [0.0]),
    ("expr('clip(x, -1, 1)', jumps=0.25)", [-1.0, 1.0], [0.25]),
    ("expr('clip(x, -1, 1)', kinks=(0.25, 2))", [-1.0, 0.25, 1.0, 2.0], []),
    ("expr('clip(x, -1, 1)', kinks=0.25, detect=no)", [0.25], []),
    ("expr('tanh(x)')", [], []),
    ("expr('where(0 < x < 1 or x > 2, 1, 0)')", [], [0.0, 1.0, 2.0]),
    ("expr('where(not x > 0, 1, 2)')", [], [0.0]),
    ("expr('relu(tanh(x) - 0.5) + elu(x + 3, alpha=2)')", [-3.0, math.atanh(0.5)], []),
]


@pytest.mark.parametrize(("spec", "kinks", "jumps"), PLACES, ids=[spec for spec, *_ in PLACES])
def test_kinks_and_jumps_are_listed(spec, kinks, jumps):
    row = normcal.compute(spec)
    assert row.details["kinks"] == pytest.approx(kinks, abs=1e-14)
    assert row.details["jumps"] == pytest.approx(jumps, abs=1e-14)
    notes = " ".join(row.notes)
    assert ("the slope jumps" in notes) is bool(kinks)
    assert ("leaves out the delta" in notes) is bool(jumps)


def test_a_name_is_what_tables_call_it_and_the_spec_stays_whole():
    layer = catalog.layer("expr('a * tanh(x)', a=1.3, name=mine)")
    assert (layer.label, layer.name, layer.called) == ("mine(a=1.3)", "expr", "mine")
    assert layer.spec == 'expr("a * tanh(x)", a=1.3, name=mine)'
    assert layer.values() == {"a": 1.3, "name": "mine"}


def test_a_parameter_may_have_a_name_that_a_layer_has_a_use_for():
    slope, spec = normcal.compute("expr('slope * x', slope=2)"), normcal.compute("expr('spec * f * x', spec=2, f=3)")
    assert slope.forward.std.value == pytest.approx(2.0)
    assert spec.forward.std.value == pytest.approx(6.0)


def test_a_layer_of_an_expression_crosses_processes():
    layer = catalog.layer("expr('where(x > 0, x, a * expm1(x))', a=1.3, kinks=(1, 2), name=mine)")
    again = pickle.loads(pickle.dumps(layer))
    assert again == layer
    assert again.f(np.array([-1.0, 2.0]), np_space()).tolist() == layer.f(np.array([-1.0, 2.0]), np_space()).tolist()


def np_space():
    from normcal.numerics.arrays import ARRAYS

    return ARRAYS


def test_sweeps_run_over_the_parameters():
    specs = [layer.spec for layer in catalog.layers(["expr('a * x + b', a=[1, 2], b=0:1:2)"])]
    assert specs == [f'expr("a * x + b", a={a}, b={b})' for a in (1.0, 2.0) for b in (0.0, 1.0)]


def test_an_expression_stands_wherever_an_elementwise_layer_may():
    gated = normcal.compute("gated(activation=expr('tanh(a * x)', a=1))")
    assert gated.forward.std.value == pytest.approx(normcal.compute("gated(activation=tanh)").forward.std.value)


#: (SPEC, mean, std, backward std) at N(0, 1)
EXACT = [
    ("expr('3')", 3.0, 0.0, 0.0),
    ("expr('a', a=2)", 2.0, 0.0, 0.0),
    ("expr('sign(x)')", 0.0, 1.0, 0.0),
    ("expr('x**0')", 1.0, 0.0, 0.0),
    ("expr('t + 1')", 1.0, 1.0, 1.0),
    ("expr('pi * x')", 0.0, math.pi, math.pi),
    ("expr('x / 3')", 0.0, 1 / 3, 1 / 3),
    ("expr('sqrt(2) * x')", 0.0, math.sqrt(2.0), math.sqrt(2.0)),
    ("expr('abs(x)**1.5')", None, math.sqrt(2 * math.sqrt(2 / math.pi) - (2**0.75 * math.gamma(1.25)) ** 2 / math.pi),
     1.5 * (2 / math.pi) ** 0.25),
    # several inputs
    ("expr('u * v')", 0.0, 1.0, 1.0),
    ("expr('u + v')", 0.0, math.sqrt(2.0), 1.0),
    ("expr('(u + v)**2')", 2.0, math.sqrt(8.0), math.sqrt(8.0)),
    ("expr('where(u > 0, v, -1)')", -0.5, math.sqrt(0.75), 0.5),
    ("expr('u * v - 2 * u')", 0.0, math.sqrt(5.0), math.sqrt(3.0)),
    ("expr('exp(u + v)')", math.e, math.e * math.sqrt(math.e**2 - 1), math.e**2),
    ("expr('abs(u * v) / 2')", 1 / math.pi, math.sqrt(0.25 - 1 / math.pi**2), 0.5),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "mean", "std", "backward"), EXACT, ids=[spec for spec, *_ in EXACT])
def test_moments_that_are_known_are_met_within_the_bound(spec, mean, std, backward):
    row = normcal.compute(spec)
    assert {row.forward.error_kind, row.backward.error_kind} == {"bound"}
    for value, known in ((row.forward.mean, mean), (row.forward.std, std), (row.backward.std, backward)):
        if known is not None:
            assert abs(value.value - known) <= value.error + 4e-16 * abs(known)
            assert value.error <= 1e-13 * max(abs(known), row.forward.rms.value, 1e-200)


def test_each_of_several_inputs_has_its_own_figure():
    row = normcal.compute("expr('a * sigmoid(b)')")
    glu = normcal.compute("glu")
    assert list(row.backward.inputs) == ["a", "b"]
    assert row.forward.std.value == pytest.approx(glu.forward.std.value, rel=1e-13)
    assert row.backward.inputs["b"].std.value == pytest.approx(glu.backward.inputs["gate"].std.value, rel=1e-13)


@pytest.mark.parametrize(
    "text", ["a * sigmoid(b)", "a * b + a * sin(b) + c", "where(a > 0, b, -1)", "(a - b)**2 / (1 + c**2)"]
)
def test_products_and_sums_agree_with_simulation(text):
    spec, law = f"expr('{text}')", {"mean": 0.3, "std": 0.7}
    exact, sampled = normcal.compute(spec, **law), normcal.compute(spec, engine="monte-carlo", samples=100_000, **law)
    pairs = [(exact.forward.mean, sampled.forward.mean), (exact.forward.std, sampled.forward.std)]
    pairs += [(part.std, sampled.backward.inputs[name].std) for name, part in exact.backward.inputs.items()]
    for value, other in pairs:
        if other.error is None:  # nothing varies: there is no gradient at all
            assert (value.value, other.value) == (0.0, 0.0)
        else:
            assert abs(value.value - other.value) <= 5.0 * other.error + value.error, text


def test_what_does_not_separate_is_simulated():
    row = normcal.compute("expr('max(a, b)')", samples=200_000)
    assert row.forward.engine == "monte-carlo"
    assert abs(row.forward.mean.value - 1 / math.sqrt(math.pi)) < 5 * row.forward.mean.error
    assert any("no sum of products" in note for note in row.notes)


#: (SPEC, direction, word of the reason)
UNDEFINED = [
    ("expr('log(x)')", "forward", "no number at x"),
    ("expr('sqrt(x)')", "backward", "no number at x"),
    ("expr('x**0.5')", "forward", "no number at x"),
    ("expr('log(u) * v')", "forward", "no number at u"),
]


@pytest.mark.parametrize(("spec", "direction", "reason"), UNDEFINED, ids=[spec for spec, *_ in UNDEFINED])
def test_an_expression_that_is_no_number_somewhere_has_no_moments(spec, direction, reason):
    found = getattr(normcal.compute(spec), direction)
    assert (found.status, found.std.value) == ("undefined", None)
    assert reason in found.reason


def test_arithmetic_that_overflows_is_not_taken_for_a_function_that_is_no_number():
    found = normcal.compute("expr('exp(x) / (1 + exp(x))')", std=300).forward
    assert found.status != "undefined"


#: (SPEC, what the message names, what would do)
REFUSED = [
    ("expr", "'expr'", "in quotes"),
    ("expr('x', 'y')", "no expression", "in quotes"),
    ("expr(a=1)", "no expression", "in quotes"),
    ("expr('a * x')", "uses 'a', which has no value,", "-p a=1.3"),
    ("expr('sin * x')", "the function 'sin' without parentheses", "Write sin(x)"),
    ("expr('x', a=1)", "'a'", "Accepted: x"),
    ("expr('alpha * x', alfa=1)", "'alfa'", "Did you mean 'alpha'"),
    ("expr('name * x')", "'name'", "something else"),
    ("expr('a * x', a=word)", "a cannot be 'word'", "any finite number"),
    ("expr('a * x', a=(1, 2))", "a cannot be (1, 2)", "any finite number"),
    ("expr('x', name='two words')", "name cannot be 'two words'", "a word"),
    ("expr('x', kinks=word)", "kinks cannot be 'word'", "a place"),
    ("expr('x', input_scale=0)", "input_scale cannot be 0", "a number but 0"),
    ("expr('u * v', input_scale=2)", "'input_scale'", "name"),
    ("expr('x / a', a=0)", "divides by 0", "not 0"),
    ("expr('x**a', a=5000)", "power 5000", "from -1000"),
    ("expr('" + " + ".join("abcdfghij") + "')", "9 inputs", "at most 8"),
]


@pytest.mark.parametrize(("spec", "names", "accepted"), REFUSED, ids=[spec for spec, *_ in REFUSED])
def test_an_expression_that_cannot_be_a_layer_is_refused(spec, names, accepted):
    with pytest.raises(RequestError) as caught:
        normcal.compute(spec)
    assert names in caught.value.message
    assert accepted in caught.value.hint
    assert len(str(caught.value)) < 600


#: (expression, mean and std of the input, mean and std of the output), where conditions meet, nest or touch.
BRANCHES = [
    ("where(where(x < 0, -1.3 / (1 - x), 3) > -1.1, 1, 3)", (-2.0, 1.0), (1.0, 2.0), (-2 / 11, 0.0)),
    ("where(x < 0, 1, where(x > 0, 1, 7))", (0.0, 1.0), (1.0, 0.0), (0.0, 0.0)),
    ("where(x >= 0, 1, 0) + where(x <= 0, 1, 0)", (0.0, 1.0), (1.0, 0.0), (0.0, 0.0)),
    ("1 / (1 + abs(sign(x)))", (0.0, 1.0), (0.5, 0.0), (0.0, 0.0)),
    ("where(x > 0, 1, 0)", (0.3, 0.7), (0.0, 1.0), (0.0, math.inf)),
    ("where(x > 0, 1, 0)", (1 / 3, 1.1), (0.0, 1.0), (0.0, math.inf)),
]


@pytest.mark.parametrize(("text", "law", "values", "between"), BRANCHES, ids=[f"{t}, {law}" for t, law, *_ in BRANCHES])
def test_branches_that_meet_are_told_apart(text, law, values, between):
    """The output is the first value, and with the second added where the input lies between two places."""
    row = normcal.compute(f"expr('{text}')", mean=law[0], std=law[1], direction="forward").forward
    low, high = (0.5 * math.erfc((law[0] - end) / (law[1] * math.sqrt(2))) for end in between)
    share = high - low
    assert abs(row.mean.value - values[0] - values[1] * share) <= row.mean.error + 1e-15
    std = values[1] * math.sqrt(share * (1 - share))
    assert abs(row.std.value - std) <= row.std.error + 1e-14


AT_A_POINT = {
    "1/x forward": ("1/x", 0.0, "forward", result.UNDEFINED),
    "1/x backward": ("1/x", 0.0, "backward", result.UNDEFINED),
    "log(x) forward": ("log(x)", 0.0, "forward", result.UNDEFINED),
    "sqrt(x) forward": ("sqrt(x)", 0.0, "forward", result.OK),
    "sqrt(x) backward": ("sqrt(x)", 0.0, "backward", result.UNDEFINED),
    "1/x elsewhere": ("1/x", 0.5, "forward", result.OK),
    "exp(x), too large for a double": ("exp(x)", 800.0, "forward", result.OVERFLOW),
}


@pytest.mark.parametrize("case", AT_A_POINT)
def test_a_constant_input_where_the_function_has_no_value_is_undefined(case):
    text, mean, direction, status = AT_A_POINT[case]
    row = normcal.compute(f'expr("{text}")', mean=mean, std=0.0, direction=direction)
    assert getattr(row, direction).status == status


@pytest.mark.parametrize("text", ["1/(1-tanh(x))", "1/(1-sigmoid(x))", "x/(1-tanh(x)**2)", "1/(1-Phi(x/2))"])
def test_what_rounding_eats_far_out_is_never_taken_for_an_infinite_moment(text):
    for direction in ("forward", "backward"):
        assert getattr(normcal.compute(f'expr("{text}")', direction=direction), direction).status != result.INFINITE


def test_many_places_are_counted_and_few_are_listed():
    many, few = (catalog.layer(f'expr("{text}")').notes(STANDARD)[0] for text in ("floor(x)", "x > 1"))
    assert " places; " in many and "= " not in many and "jumps at x = 1;" in few
