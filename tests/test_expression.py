"""The grammar of expressions: what it reads, what it refuses and where, and that no text does more than that."""

import math
import re

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from normcal import expression
from normcal.errors import RequestError
from normcal.expression import ExpressionError, functions, parse
from normcal.numerics.arrays import ARRAYS
from normcal.numerics.balls import BALLS, Ball, ball
from normcal.numerics.duals import Duals
from normcal.numerics.tape import Tape, run
from tests.program import ROOT

STEADY = settings(derandomize=True, database=None, deadline=None)
X = np.array([-2.7, -1.3, -0.4, 0.3, 0.9, 1.6, 2.2])


def value(text, x=X, **values):
    """Return what an expression is at x."""
    with np.errstate(all="ignore"):
        return np.broadcast_to(parse(text).function(values)(x, ARRAYS), np.shape(x))


#: (expression, the same by NumPy)
MEANT = [
    ("x", lambda x: x),
    ("-x", lambda x: -x),
    ("+x", lambda x: x),
    ("2 - x - 1", lambda x: 1 - x),
    ("x / 2 * 3", lambda x: 1.5 * x),
    ("-x**2", lambda x: -(x**2)),
    ("2**x", lambda x: 2**x),
    ("2**-x", lambda x: 2**-x),
    ("x**3", lambda x: x**3),
    ("x**-2", lambda x: x**-2.0),
    ("abs(x)**0.5", lambda x: np.sqrt(np.abs(x))),
    ("abs(x)**-0.5", lambda x: 1 / np.sqrt(np.abs(x))),
    ("abs(x)**1.7", lambda x: np.abs(x) ** 1.7),
    ("abs(x)**(1/3)", lambda x: np.abs(x) ** (1 / 3)),
    ("abs(x)**x", lambda x: np.abs(x) ** x),
    ("pow(x, 2)", lambda x: x**2),
    ("1_000 * x", lambda x: 1000 * x),
    ("1e-3 + .5 + 5.", lambda x: 5.501 + 0 * x),
    ("(x > 0) * x", lambda x: np.maximum(x, 0)),
    ("-1 < x <= 1", lambda x: 1.0 * ((x > -1) & (x < 1))),
    ("x if x > 0 else 2 * x", lambda x: np.where(x > 0, x, 2 * x)),
    ("where(x > 1 or x < -1, x, 0)", lambda x: np.where(np.abs(x) > 1, x, 0)),
    ("where(x > -1 and not x >= 1, x, 0)", lambda x: np.where(np.abs(x) < 1, x, 0)),
    ("where(2 > 1, x, log(-1 * x))", lambda x: x),
    ("where(x**2 > x**2, 1, x) + where(x >= x, 1, 2)", lambda x: x + 1),
    ("x - x + 2 * (pi - pi)", lambda x: 0 * x),
    ("max(x, 0, x**2) + min(x, 1)", lambda x: np.maximum(np.maximum(x, 0), x * x) + np.minimum(x, 1)),
    ("maximum(x, 0) - minimum(x, 0)", np.abs),
    ("clip(x, -1, 2)", lambda x: np.clip(x, -1, 2)),
    ("sign(x) + relu(x)", lambda x: np.sign(x) + np.maximum(x, 0)),
    ("floor(x) + ceil(x) + round(x)", lambda x: np.floor(x) + np.ceil(x) + np.round(x)),
    ("mod(x, 2)", lambda x: np.mod(x, 2)),
    ("sinh(x) + cosh(x) + tan(x)", lambda x: np.sinh(x) + np.cosh(x) + np.tan(x)),
    ("exp2(x) + log2(abs(x)) + log10(x**2)", lambda x: np.exp2(x) + np.log2(np.abs(x)) + 2 * np.log10(np.abs(x))),
    ("atanh(tanh(x)) + atan(x) + arcsinh(x)", lambda x: x + np.arctan(x) + np.arcsinh(x)),
    ("erf(x) + erfc(x)", lambda x: 1 + 0 * x),
    ("Phi(x) + Phi(-x)", lambda x: 1 + 0 * x),
    ("sin(pi * x) + e", lambda x: np.sin(np.pi * x) + math.e),
    ("silu(x)", lambda x: x / (1 + np.exp(-x))),
    ("leaky_relu(x, negative_slope=1/4)", lambda x: np.where(x > 0, x, x / 4)),
    ("elu(2 * x, alpha=0.5, output_scale=3)", lambda x: 3 * np.where(x > 0, 2 * x, 0.5 * np.expm1(2 * x))),
    ("  x\t+\n 1 ", lambda x: x + 1),
]  # fmt: skip


@pytest.mark.parametrize(("text", "meant"), MEANT, ids=[text.strip() for text, _ in MEANT])
def test_an_expression_means_what_it_says(text, meant):
    np.testing.assert_allclose(value(text), meant(X), rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize(("text", "meant"), MEANT, ids=[text.strip() for text, _ in MEANT])
def test_every_namespace_gives_the_same_and_balls_hold_it(text, meant):
    f = parse(text).function({})
    with np.errstate(all="ignore"):
        on_balls = ball(f(Ball(X), BALLS))
        tape = Tape()
        (on_tape,) = run([tape.program(f(tape.variable, tape))], Ball(X[None, None, :]))
        slopes = Duals(ARRAYS).derivative(f, X)
    plain, wide = value(text), np.broadcast_to(on_balls.rad, X.shape)
    assert np.all(np.abs(plain - on_balls.mid) <= 1e-14 * (1 + np.abs(plain)) + wide)
    assert np.all(wide < 1e-13 * (1 + np.abs(plain)))
    np.testing.assert_allclose(np.broadcast_to(on_tape.mid, (1, 1, len(X)))[0, 0], plain, rtol=1e-14, atol=1e-14)
    step = 1e-6
    numeric = (value(text, X + step) - value(text, X - step)) / (2 * step)
    np.testing.assert_allclose(slopes, numeric, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("text", ["1/3", "sqrt(2)", "pi", "e", "2**0.1", "exp(1) / 7", "0.1 + 0.2"])
def test_what_is_made_of_numbers_is_known_to_a_bound_and_not_to_a_double(text):
    with mpmath.workdps(40):
        names = {name: getattr(mpmath, name) for name in ("pi", "e", "sqrt", "exp")}
        parts = {"1/3": mpmath.mpf(1) / 3, "2**0.1": mpmath.mpf(2) ** mpmath.mpf(0.1), "exp(1) / 7": mpmath.e / 7,
                 "0.1 + 0.2": mpmath.mpf(0.1) + mpmath.mpf(0.2), "sqrt(2)": mpmath.sqrt(2)}  # fmt: skip
        exact = parts.get(text, names.get(text))
        found = parse(f"{text} + 0 * x").function({})(Ball(0.0), BALLS)
        assert abs(mpmath.mpf(found.mid) - exact) <= mpmath.mpf(found.rad)
    assert 0.0 < found.rad < 2.5e-15


@pytest.mark.parametrize("name", sorted(functions()))
def test_every_function_runs_in_every_namespace(name):
    least, _ = functions()[name].arity
    operands = ["x > 1", "x", "0.5"] if name == "where" else ["x / 4", "0.25", "0.5"][:least]
    f = parse(f"{name}({', '.join(operands)})").function({})
    x = np.array([0.4, 0.9, 2.3])
    plain = f(x, ARRAYS)
    for m, at in ((BALLS, Ball(x)), (Duals(ARRAYS), None), (Duals(BALLS), None)):
        if at is not None:
            np.testing.assert_allclose(f(at, m).mid, plain, rtol=1e-14)
        else:
            assert m.derivative(f, x if m.base is ARRAYS else Ball(x)) is not None
    tape = Tape()
    assert tape.program(f(tape.variable, tape)).code


#: (expression, what is wrong, character, what would do)
REFUSED = [
    ("", "is empty", 1, "Accepted"),
    ("   ", "is empty", 1, "Accepted"),
    ("x +", "is no expression", None, "Accepted"),
    ("(x", "is no expression", None, "Accepted"),
    ("x 2", "is no expression", None, "Accepted"),
    ("2 x", "is no expression", None, "Accepted"),
    ("x^2", "the character '^'", 2, "**"),
    ("x | y", "the character '|'", 3, "abs"),
    ("x & y", "the character '&'", 3, "and"),
    ("φ(x)", "the character 'φ'", 1, "Accepted"),
    ("x\0", r"the character '\x00'", 2, "Accepted"),
    ("f'x'", 'the character "\'"', 2, "Accepted"),
    ("[x]", "the character '['", 1, "Accepted"),
    ("x := 2", "the character ':'", 3, "Accepted"),
    ("x # y", "the character '#'", 3, "Accepted"),
    ("lambda: x", "the character ':'", 7, "Accepted"),
    ("x.real", "no part of the grammar", 1, "Accepted"),
    ("__import__(x)", "calls '__import__', which is no function", 1, "Accepted"),
    ("__class__ + x", "the name '__class__'", 1, "Accepted"),
    ("x.__class__(y)", "calls something that is no name", 1, "Accepted"),
    ("2 * np.tanh(x)", "calls something that is no name", 5, "Write tanh(x)"),
    ("tanh(x=x)", "operands by name", 1, "Write tanh(x)"),
    ("(x)(y)", "which is no function", 1, "Accepted"),
    ("x, y", "no part of the grammar", 1, "Accepted"),
    ("x % 2", "the character '%'", 3, "Accepted"),
    ("x // 2", "operator", 1, "Accepted"),
    ("x in y", "a comparison other than", 6, "Accepted"),
    ("x == 0", "a comparison other than", 6, "Accepted"),
    ("x = 0", "is no expression", None, "Accepted"),
    ("x is y", "a comparison other than", 6, "Accepted"),
    ("rellu(x)", "calls 'rellu', which is no function", 1, "relu"),
    ("tanhh(x) + 1", "calls 'tanhh', which is no function", 1, "tanh"),
    ("1 + softmax(x)", "calls 'softmax', which is no function", 5, "max"),
    ("binarise(x)", "calls 'binarise', which is no function", 1, "elementwise layer"),
    ("tanh()", "calls tanh with 0 operands", 1, "takes 1"),
    ("tanh(x, 1)", "calls tanh with 2 operands", 1, "takes 1"),
    ("max(x)", "calls max with 1 operands", 1, "2 or more"),
    ("where(x > 0, 1)", "calls where with 2 operands", 1, "takes 3"),
    ("where(x, 1, 2)", "a number for a condition", 7, "a comparison"),
    ("x and x > 0", "a number for a condition", 1, "a comparison"),
    ("elu(x, alfa=1)", "the parameter 'alfa'", 8, "alpha"),
    ("elu(x, alpha=x)", "depends on an input", 14, "Accepted"),
    ("celu(x, alpha=-1)", "which refuses", 1, "(0, ∞)"),
    ("elu(x, 2)", "calls the layer elu with 2 operands", 1, "by name"),
    ("tanh(*x)", "with a star", 1, "Accepted"),
    ("elu(x, **y)", "with a star", 1, "Accepted"),
    ("2x", "runs on", 2, "Accepted"),
    ("0x10", "runs on", 2, "Accepted"),
    ("1j * x", "runs on", 2, "Accepted"),
    ("1.2.3", "runs on", 4, "Accepted"),
    ("007", "written oddly", 1, "such as"),
    ("1__0", "written oddly", 1, "such as"),
    ("True", "no number", 1, "Accepted"),
    ("1e999 * x", "no double can hold", 1, "1.79e308"),
    ("x + 1/0", "divides by 0", 5, "not 0"),
    ("x + log(-1)", "no finite number", 5, "finite"),
    ("(-8)**(1/3)", "no finite number", 1, "finite"),
    ("exp(1000) * x", "no finite number", 1, "finite"),
    ("x**1e9", "power 1e+09", 4, "1000"),
    ("9**9**9", "power 3.8742e+08", 4, "1000"),
    ("(0 - 2)**x", "not positive", 2, "Accepted"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "problem", "character", "hint"), REFUSED, ids=[repr(text) for text, *_ in REFUSED])
def test_what_is_no_expression_is_refused_with_its_place_marked(text, problem, character, hint):
    with pytest.raises(ExpressionError) as caught:
        parse(text).function({})
    assert problem in caught.value.message
    if character is None:  # Python's parser says where, and not always the same
        character = int(re.search(r"at character (\d+)", caught.value.message)[1])
    assert f"at character {character}." in caught.value.message
    shown, mark, told = caught.value.hint.split("\n")
    assert shown[2:] == "".join(c if c.isprintable() else " " for c in text)
    assert mark == f"  {' ' * (character - 1)}^"
    assert hint in told


#: name -> a text that is too much
ENDLESS = {
    "long": "x + " * 5_000 + "x",
    "brackets": "(" * 1_900 + "x" + ")" * 1_900,
    "signs": "-" * 3_900 + "x",
    "nots": "not " * 900 + "x > 0",
    "sum": "+".join(["x"] * 1_900),
    "powers": "**".join(["x"] * 1_300),
    "calls": "tanh(" * 600 + "x" + ")" * 600,
    "chain": "<".join(["x"] * 1_900),
    "ands": " and ".join(["x>0"] * 400),
    "choices": "x if x>0 else " * 250 + "x",
    "digits": "9" * 3_900,
    "tower": "9**" * 1_300 + "9",
    "factorials": "x**(9**(9**9))",
}


@pytest.mark.parametrize("name", ENDLESS)
def test_an_expression_without_end_is_refused_in_a_short_message(name):
    with pytest.raises(RequestError) as caught:
        parse(ENDLESS[name]).function({})
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("name", ["sum", "calls", "brackets"])
def test_what_is_nested_too_deeply_is_told_so_with_a_way_out(name):
    with pytest.raises(RequestError, match="is nested too deeply") as caught:
        parse(ENDLESS[name]).function({})
    assert f"{expression.DEEPEST} levels" in caught.value.hint and "parts in parentheses" in caught.value.hint


def test_what_is_just_allowed_is_served():
    deep = "tanh(" * (expression.DEEPEST - 4) + "x" + ")" * (expression.DEEPEST - 4)
    f = parse(deep).function({})
    assert Duals(Duals(BALLS)) is not None
    assert math.isfinite(float(Duals(ARRAYS).derivative(f, np.array([0.3]))[0]))
    tape = Tape()
    assert len(tape.program(f(tape.variable, tape)).code) == expression.DEEPEST - 4


def test_a_chain_of_conditions_costs_no_more_than_its_length():
    nested = "0"
    for k in range(12):
        nested = f"where(x > {k} and x < {k}.5, {k}, {nested})"
    tape = Tape()
    program = tape.program(parse(nested).function({})(tape.variable, tape))
    assert len(program.code) <= 12 * 6


# --- any text whatever ---

WORDS = re.findall(
    r"\S+",
    """x y a 1 2.5 1e-3 + - * / ** ( ) , < > <= == = __ lambda 1_0 and or not if else in is await yield pi
where( tanh( max( abs( elu(x,alpha= None e""",
)
CROOKED = st.lists(st.sampled_from([*WORDS, " ", "\n"]), max_size=25).map("".join)
OPERATORS = st.sampled_from(["+", "-", "*", "/", "**", "<"])
FUNCTIONS = st.sampled_from(["tanh", "exp", "log", "abs", "sqrt", "relu", "floor"])


def larger(inner):
    """Return a strategy of expressions made of smaller ones."""
    return (
        st.builds("({}{}{})".format, inner, OPERATORS, inner)
        | st.builds("{}({})".format, FUNCTIONS, inner)
        | st.builds("where({} > 0, {}, {})".format, inner, inner, inner)
    )


DEEP = st.recursive(st.sampled_from(["x", "a", "1", "0.5"]), larger, max_leaves=12)


@STEADY
@given(text=st.text(max_size=60) | CROOKED | DEEP)
def test_arbitrary_text_is_read_or_refused(text):
    try:
        found = parse(text)
        names = tuple(name for name in found.names if name != "x")
        f = found.function(dict.fromkeys(names, 0.5), ("x",))
    except RequestError as error:
        assert error.message
        assert len(str(error)) < 1000
        return
    with np.errstate(all="ignore"):
        assert np.shape(f(X, ARRAYS)) in ((), X.shape)
        ball(f(Ball(X), BALLS))


@STEADY
@given(text=DEEP)
def test_what_is_read_is_contained_in_its_balls(text):
    try:
        f = parse(text).function({"a": 0.5})
    except RequestError:
        return
    with np.errstate(all="ignore"):
        plain, held = np.broadcast_to(f(X, ARRAYS), X.shape), ball(f(Ball(X), BALLS))
    rad, mid = np.broadcast_to(held.rad, X.shape), np.broadcast_to(held.mid, X.shape)
    known = np.isfinite(plain) & np.isfinite(rad) & np.isfinite(mid)
    assert np.all(np.abs(plain - mid)[known] <= 2.0 * rad[known] + 1e-9 * np.abs(plain[known]) + 1e-300)


def test_the_page_names_every_function_and_the_limits():
    page = (ROOT / "docs" / "custom.md").read_text(encoding="utf-8")
    assert {name for name in functions() if f"`{name}`" not in page} == set()
    for limit in (expression.LONGEST, expression.DEEPEST, expression.MOST_NODES, expression.LARGEST_POWER):
        assert f"{limit:,}" in page


#: comparison -> what it is at 0.5, 1 and 1.5
BOUNDARIES = {
    "x > 1": (0, 0, 1), "x >= 1": (0, 1, 1), "x < 1": (1, 0, 0), "x <= 1": (1, 1, 0), "1 < x": (0, 0, 1),
    "1 <= x": (0, 1, 1), "not x > 1": (1, 1, 0), "1 <= x <= 1": (0, 1, 0), "x > 1 or x < 1": (1, 0, 1),
}  # fmt: skip


@pytest.mark.parametrize("text", BOUNDARIES)
def test_a_comparison_is_what_it_says_on_its_boundary_too(text):
    x, f = np.array([0.5, 1.0, 1.5]), parse(text).function({})
    assert tuple(f(x, ARRAYS)) == BOUNDARIES[text]
    assert tuple(f(Ball(x), BALLS).mid) == BOUNDARIES[text]
    tape = Tape()
    assert tuple(run([tape.program(f(tape.variable, tape))], Ball(x[None, None]))[0].mid[0, 0]) == BOUNDARIES[text]
