"""Arithmetic in configs: a handful of operations on numbers, and nothing is ever run."""

import math
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from normcal import arithmetic
from normcal.arithmetic import value
from normcal.errors import RequestError

STEADY = settings(derandomize=True, database=None, deadline=None)

VALUES = [
    ("1", 1.0),
    ("0.2123", 0.2123),
    ("-1", -1.0),
    ("--1", 1.0),
    ("1e-3", 0.001),
    ("pi", math.pi),
    ("1/2", 0.5),
    ("1 - 2 - 3", -4.0),
    ("1 - (2 - 3)", 2.0),
    ("2 + 3*4", 14.0),
    ("1/2/2", 0.25),
    ("-2*3", -6.0),
    ("sqrt(2)", math.sqrt(2)),
    ("sqrt(1/2 - 1/(2*pi))", math.sqrt(0.5 - 1 / (2 * math.pi))),
    ("1 / 4 ", 0.25),
    ("1/s", 1 / 3),
    ("1/(s*s)", 1 / 9),
    ("sqrt(1/p)", math.sqrt(2)),
]


@pytest.mark.parametrize(("text", "expected"), VALUES, ids=[text for text, _ in VALUES])
def test_arithmetic_has_its_value(text, expected):
    assert value(text, {"s": 3, "p": 0.5}) == expected


REFUSED = [
    "", " ", "x", "p", "1 +", "(1", "1)", "1 2", "1,2", "1;2", "1\n2", "# 1",
    "1/0", "0/0", "1/(1 - 1)", "sqrt(-1)", "sqrt()", "sqrt(1, 2)", "sqrt(x=1)", "sqrt(*[1])", "sqrt", "sqrt(sqrt)",
    "1e999", "1e308*10", "nan", "inf", "1e400 - 1e400",
    "True", "None", "...", "'1'", "b'1'", "f'{1}'", "1j", "[1]", "(1,)", "{1}", "{1: 1}", "[1][0]",
    "2**2", "9**9**9", "9**9**9**9", "2 % 2", "7 // 2", "1 << 9", "1 << 10**9", "1 | 2", "~1",
    "+1", "not 1", "1 < 2", "1 if 1 else 2", "1 and 2",
    "lambda: 1", "(lambda: 1)()", "x := 1", "(x := 1)", "x = 1", "import os", "del pi", "yield 1", "await x",
    "[x for x in (1,)]", "pi.real", "pi.__class__", "().__class__", "(1).__class__.__bases__", "''.join([])",
    "sqrt.__call__(4)",
    "__import__('os')", "__import__('os').system('false')", "open('x')", "exec('1')", "eval('1')", "print(1)",
    "exit()", "abs(-1)", "max(1, 2)",
    "math.sqrt(4)", "os", "__builtins__", "globals()", "breakpoint()", "getattr(pi, 'real')",
    "1_0_", "0777", "0x", "1e", "1..2", "٣", "½", "１/２x", "\0", "1\0", "\ud800", "“1”",
]  # fmt: skip


@pytest.mark.parametrize("text", REFUSED, ids=ascii)
def test_anything_else_is_refused_with_what_would_do(text):
    with pytest.raises(RequestError) as caught:
        value(text)
    assert "sqrt()" in caught.value.hint
    assert "\n" not in caught.value.message


HUGE = {
    "digits": "9" * 100_000,
    "brackets": "(" * 100_000 + "1" + ")" * 100_000,
    "brackets-within-limit": "(" * 95 + "1" + ")" * 95,
    "minuses": "-" * 100_000 + "1",
    "minuses-within-limit": "-" * 199 + "1",
    "sum": "1+" * 100_000 + "1",
    "name": "x" * 1_000_000,
    "powers": "9**" * 60 + "9",
    "shifts": "1<<" * 60 + "1",
    "blanks": " " * 1_000_000 + "1",
    "repeated-text": "'x'*10**9",
}


@pytest.mark.parametrize("text", HUGE.values(), ids=HUGE)
def test_a_text_without_end_neither_hangs_nor_floods(text):
    started = time.monotonic()
    try:
        assert math.isfinite(value(text))
    except RequestError as error:
        assert len(error.message) < 400
    assert time.monotonic() - started < 2


@STEADY
@given(text=st.text() | st.text(st.sampled_from("0123456789.eE+-*/() sqrtpi_,x'\"[]{}=:\n\\"), max_size=60))
def test_arbitrary_text_has_a_finite_value_or_is_refused(text):
    try:
        assert math.isfinite(value(text))
    except RequestError as error:
        assert error.hint


TREES = st.recursive(
    st.floats(0.01, 100).map(lambda x: (repr(x), x)),
    lambda inner: st.tuples(inner, st.sampled_from("+-*"), inner).map(
        lambda t: (
            f"({t[0][0]} {t[1]} {t[2][0]})",
            {"+": t[0][1] + t[2][1], "-": t[0][1] - t[2][1], "*": t[0][1] * t[2][1]}[t[1]],
        )
    ),
    max_leaves=6,
)


@STEADY
@given(tree=TREES)
def test_an_expression_has_the_value_that_python_gives_it(tree):
    text, expected = tree
    if len(text) <= arithmetic.LONGEST:
        assert value(text) == expected


def test_names_do_not_shadow_functions_or_leak():
    assert value("sqrt(sqrt)", {"sqrt": 4.0}) == 2.0
    with pytest.raises(RequestError):
        value("s")


def test_the_hint_lists_the_names_that_are_known():
    with pytest.raises(RequestError) as caught:
        value("q", {"p": 0.5})
    assert "p" in caught.value.hint.rpartition("and")[2]
