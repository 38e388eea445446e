"""The SPEC grammar: what is written is read back, and no text whatever does more than be refused."""

import itertools
import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from normcal import catalog
from normcal.errors import RequestError
from normcal.spec import CHAIN, CODE, LONGEST, Spec, Text, expand, parse, values_between, write

STEADY = settings(derandomize=True, database=None, deadline=None)

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,15}", fullmatch=True)
INTEGERS = st.integers(-(10**28), 10**28)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
NUMBERS = INTEGERS | FLOATS
#: What stands in quotes, with quotes, backslashes and line ends among it.
TEXTS = (st.text(max_size=12) | st.text(st.sampled_from("\"'\\\n\tx*|()=,:"), max_size=12)).map(Text)
SINGLES = NUMBERS | NAMES | TEXTS | st.lists(NUMBERS, min_size=1, max_size=4).map(tuple)
NESTED = st.builds(Spec, NAMES, st.dictionaries(NAMES, SINGLES, min_size=1, max_size=2))
NESTED |= st.builds(Spec, NAMES, st.just({}), st.lists(SINGLES, min_size=1, max_size=2).map(tuple))
VALUES = SINGLES | NESTED | st.lists(SINGLES | NESTED, min_size=1, max_size=3)
PARAMS = st.dictionaries(NAMES, VALUES, max_size=5)
ARGS = st.lists(TEXTS, max_size=2).map(tuple)
MODULES = st.from_regex(r"[a-z_][a-z0-9_]{0,5}([./][a-z_][a-z0-9_]{0,5}){0,2}", fullmatch=True)
CODES = st.builds(lambda module, name: Spec(CODE, {}, (Text(f"{module}:{name}"),)), MODULES,
                  st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,6}", fullmatch=True))  # fmt: skip
STAGES = st.builds(Spec, NAMES, PARAMS, ARGS) | CODES
CHAINS = st.lists(STAGES, min_size=2, max_size=4).map(lambda stages: Spec(CHAIN, {}, tuple(stages)))
#: Text made of what the grammar is made of, so that much of it almost parses.
CROOKED = st.text(st.sampled_from("relu_max-pool(),=[]. \t0123456789eE+-_xX'\"*\n|:/\\"), max_size=40)


def alike(a, b):
    """Whether two values are the same, type and sign of zero included."""
    if isinstance(a, tuple):
        return isinstance(b, tuple) and len(a) == len(b) and all(map(alike, a, b))
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(alike, a, b))
    if isinstance(a, float):
        return isinstance(b, float) and a == b and math.copysign(1, a) == math.copysign(1, b)
    if isinstance(a, Spec):
        same = isinstance(b, Spec) and a.name == b.name and list(a.params) == list(b.params)
        return same and alike(a.args, b.args) and alike(tuple(a.params.values()), tuple(b.params.values()))
    return type(a) is type(b) and a == b


@STEADY
@given(name=NAMES, params=PARAMS)
def test_what_is_written_is_read_back(name, params):
    text = write(name, params)
    if len(text) > LONGEST:
        return
    found = parse(text)
    assert found.name == name
    assert list(found.params) == list(params)
    assert all(alike(found.params[key], value) for key, value in params.items())
    assert found.spec == text


@STEADY
@given(chain=CHAINS)
def test_a_chain_is_read_back_stage_by_stage(chain):
    text = chain.spec
    if len(text) <= LONGEST:
        assert alike(parse(text), chain)
        assert parse(text).spec == text


@STEADY
@given(name=NAMES, args=st.lists(TEXTS, min_size=1, max_size=3).map(tuple), params=PARAMS)
def test_text_in_quotes_is_read_back(name, args, params):
    found = parse(write(name, params, args))
    assert alike(found, Spec(name, params, args))


#: Numbers as people write the ends of ranges.
ENDS = st.decimals(-1000, 1000, allow_nan=False, allow_infinity=False, places=3).map(str)


@STEADY
@given(start=ENDS, stop=ENDS, count=st.integers(2, 30))
def test_a_range_is_a_list_of_doubles_next_to_what_is_meant(start, stop, count):
    (found,) = parse(f"a(b={start}:{stop}:{count})").params.values()
    assert found == parse(f"a(b=[{start}:{stop}:{count}])").params["b"][0]
    assert len(found) == count
    assert (found[0], found[-1]) == (float(start), float(stop))
    first, last = Fraction(start), Fraction(stop)
    assert found == [float(first + (last - first) * k / (count - 1)) for k in range(count)]


@STEADY
@given(low=st.integers(-200, 199), span=st.integers(1, 100), count=st.integers(2, 30))
def test_a_logarithmic_range_rises_by_a_factor(low, span, count):
    found = values_between(f"1e{low}", f"1e{low + span}", count, "log")
    assert (found[0], found[-1]) == (float(f"1e{low}"), float(f"1e{low + span}"))
    steps = [math.log10(b) - math.log10(a) for a, b in itertools.pairwise(found)]
    assert all(math.isclose(step, span / (count - 1), abs_tol=1e-12 * (abs(low) + span)) for step in steps)


@STEADY
@given(name=NAMES, params=PARAMS, gap=st.sampled_from(["", " ", "  ", "\t", "\n"]))
def test_blanks_between_tokens_mean_nothing(name, params, gap):
    text = write(name, params)
    if any(mark in text for mark in "\"'"):  # blanks in quotes mean something
        return
    spread = text.replace("(", f"{gap}({gap}").replace(",", f"{gap},{gap}").replace("=", f"{gap}={gap}")
    if len(spread) <= LONGEST:
        assert parse(gap + spread + gap) == parse(text)


@STEADY
@given(text=st.text() | CROOKED)
def test_arbitrary_text_is_parsed_or_refused(text):
    try:
        found = parse(text)
    except RequestError as error:
        assert error.message
    else:
        assert parse(found.spec) == found


@STEADY
@given(text=st.sampled_from(sorted(catalog.classes())).flatmap(lambda name: CROOKED.map(lambda rest: f"{name}({rest}")))
def test_arbitrary_text_behind_a_layer_is_served_or_refused(text):
    try:
        layer = catalog.layer(text)
    except RequestError as error:
        assert error.message
    else:
        assert catalog.layer(layer.spec).spec == layer.spec


def drawn_params(name):
    """Return a strategy of parameters, named rightly and valued at random, for a layer of the catalogue."""
    cls = catalog.classes()[name]
    names = [p.name for p in cls.params] + [p.complement for p in cls.params if p.complement]
    if not names:
        return st.just((name, {}))
    return st.tuples(st.just(name), st.dictionaries(st.sampled_from(names), VALUES | st.booleans() | st.none()))


@STEADY
@given(drawn=st.sampled_from(sorted(catalog.classes())).flatmap(drawn_params))
def test_any_value_of_a_parameter_is_accepted_or_refused_by_name(drawn):
    name, params = drawn
    try:
        layer = catalog.find(name)(**params)
    except RequestError as error:
        assert name in error.message
    else:
        again = catalog.layer(layer.spec)
        assert again.spec == layer.spec
        assert again.values() == layer.values()


PARSED = [
    ("relu", "relu", {}),
    ("relu()", "relu", {}),
    ("  relu\n", "relu", {}),
    ("a(b=1)", "a", {"b": 1}),
    ("a(b=1,)", "a", {"b": 1}),
    ("a(b=-1)", "a", {"b": -1}),
    ("a(b=+1.5)", "a", {"b": 1.5}),
    ("a(b=.5)", "a", {"b": 0.5}),
    ("a(b=5.)", "a", {"b": 5.0}),
    ("a(b=1e3)", "a", {"b": 1000.0}),
    ("a(b=1E-3)", "a", {"b": 0.001}),
    ("a(b=1_000)", "a", {"b": 1000}),
    ("a(b=word)", "a", {"b": "word"}),
    ("a(b=fan-in)", "a", {"b": "fan-in"}),
    ("a(b=(1, 2))", "a", {"b": (1, 2)}),
    ("a(b=(1,))", "a", {"b": (1,)}),
    ("a(b=(1))", "a", {"b": (1,)}),
    ("a(b=1, c=x, d=(2, 3.5))", "a", {"b": 1, "c": "x", "d": (2, 3.5)}),
    ("a(b=1e-400)", "a", {"b": 0.0}),
    ("a(b=((1, 2), 3))", "a", {"b": ((1, 2), 3)}),
    ("a(b=[1, 2.5, x])", "a", {"b": [1, 2.5, "x"]}),
    ("a(b=[(1, 2), 3])", "a", {"b": [(1, 2), 3]}),
    ("a(b=[1,])", "a", {"b": [1]}),
    ("a(b=f(c=1))", "a", {"b": Spec("f", {"c": 1})}),
    ("a(b=f(1, 2))", "a", {"b": Spec("f", {}, (1, 2))}),
    ("a(b=f())", "a", {"b": "f"}),
    ("a(b=[f(c=1), g])", "a", {"b": [Spec("f", {"c": 1}), "g"]}),
    ('a(b="x y")', "a", {"b": Text("x y")}),
    ("a(b='x')", "a", {"b": Text("x")}),
    (r"""a(b="\"\\'")""", "a", {"b": Text("\"\\'")}),
    (r"""a(b="\n")""", "a", {"b": Text(r"\n")}),
    ("a(b=0:1:3)", "a", {"b": [0.0, 0.5, 1.0]}),
    ("a(b=1:0:2)", "a", {"b": [1.0, 0.0]}),
    ("a(b=1e-2:1:3:log)", "a", {"b": [0.01, 0.1, 1.0]}),
    ("a(b=[0:1:2, 5])", "a", {"b": [[0.0, 1.0], 5]}),
    ('a(b=expr("x * x", c=1))', "a", {"b": Spec("expr", {"c": 1}, (Text("x * x"),))}),
    ("m.n:f", CODE, {}),
    ("~/d/f-1.py:g", CODE, {}),
]


@pytest.mark.parametrize(("text", "name", "params"), PARSED, ids=[text.strip() for text, *_ in PARSED])
def test_a_spec_is_parsed(text, name, params):
    found = parse(text)
    assert found.name == name
    assert found.params.keys() == params.keys()
    assert all(alike(found.params[key], value) for key, value in params.items())


#: (text, what was expected, character)
REFUSED = [
    ("", "a layer's name", 1),
    ("   ", "a layer's name", None),
    ("1", "a layer's name", 1),
    ("(", "a layer's name", 1),
    ("relu relu", "the end", 6),
    ("relu(", "a parameter's name", 6),
    ("relu)", "the end", 5),
    ("relu((", "a parameter's name", 6),
    ("a(b)", "'='", 4),
    ("a(1)", "a parameter's name", 3),
    ("a(b=)", "a number, a word or a tuple", 5),
    ("a(b==1)", "a number, a word or a tuple", 5),
    ("a(b=1 c=2)", "',' or ')'", 7),
    ("a(,b=1)", "a parameter's name", 3),
    ("a(b=1,,c=2)", "a parameter's name", 7),
    ("a(b=())", "a number", 6),
    ("a(b=1x)", "a number, a word or a tuple", 5),
    ("a(b=1.2.3)", "a number, a word or a tuple", 5),
    ("a(b=1e)", "a number, a word or a tuple", 5),
    ("a(b=--1)", "a number, a word or a tuple", 5),
    ("a(b='x)", "a number, a word or a tuple", 5),
    ("a(b=0:1)", "':' and how many values", 8),
    ("a(b=0:1:1)", "a whole number of values from 2 to 1000000", 9),
    ("a(b=0:1:2.5)", "a whole number of values from 2 to 1000000", 9),
    ("a(b=0:1:3:cubic)", "lin or log", 11),
    ("a(b=0:1:3:)", "lin or log", 11),
    ("a |", "a layer's name", 4),
    ("| a", "a layer's name", 1),
    ("a || b", "a layer's name", 4),
    ("a(b=[])", "a number, a word or a tuple", 6),
    ("a(b=[1)", "',' or ']'", 7),
    ("a(b=[[1]])", "a number, a word or a tuple", 6),
    ("a(b=([1],))", "a number, a word or a tuple", 6),
    ("a(b=f(c=1, 2", "',' or ')'", 13),
    ("a(b=" + "(" * 50, "no more than", None),
    ("a(b=1+1)", "',' or ')'", None),
    ("a(b=1e999)", "a double can hold", None),
    ("a(b=-1e999)", "a double can hold", None),
    ("a.b", "the end", 2),
    ("a;b", "the end", 2),
    ("relu\0", "the end", 5),
    ("réLU", "the end", 2),
    ("a('x' y)", "',' or ')'", 7),
    ("a('x'='y')", "',' or ')'", 6),
    ("a(b=1/3)", "',' or ')'", 6),
    ("a(b=3:)", "the last value of a range", 7),
    ("a(b=x:1:3)", "',' or ')'", 6),
    ("a(m:f)", "a parameter's name", 3),
    ("__import__('os').system('true')", "the end", 17),
    ("().__class__", "a layer's name", 1),
]


@pytest.mark.parametrize(("text", "expected", "character"), REFUSED, ids=[repr(text) for text, *_ in REFUSED])
def test_a_near_miss_is_refused_with_the_place_and_what_was_expected(text, expected, character):
    with pytest.raises(RequestError) as caught:
        parse(text)
    assert expected in caught.value.message
    assert character is None or f"at character {character}," in caught.value.message
    assert "A SPEC is" in caught.value.hint


#: (text, the SPECs that it stands for)
SWEEPS = [
    ("a", ["a"]),
    ("a(b=[1])", ["a(b=1)"]),
    ("a(b=[1, 2], c=[x, y])", ["a(b=1, c=x)", "a(b=1, c=y)", "a(b=2, c=x)", "a(b=2, c=y)"]),
    ("a(b=0, c=[(1, 2), 3])", ["a(b=0, c=(1, 2))", "a(b=0, c=3)"]),
    ("a(b=f(c=[1, 2]))", ["a(b=f(c=1))", "a(b=f(c=2))"]),
    ("a(b=[f, g(c=[1, 2])])", ["a(b=f)", "a(b=g(c=1))", "a(b=g(c=2))"]),
]


@pytest.mark.parametrize(("text", "expected"), SWEEPS, ids=[text for text, _ in SWEEPS])
def test_a_sweep_stands_for_its_layers_in_order(text, expected):
    assert [one.spec for one in expand(parse(text), 100)] == expected


def test_a_sweep_over_too_many_layers_is_refused_before_it_is_expanded():
    many = f"[{', '.join(map(str, range(1000)))}]"
    with pytest.raises(RequestError, match="1_000_000 layers"):
        list(expand(parse(f"a(b={many}, c={many})"), 20_000))


def test_a_parameter_given_twice_is_refused():
    with pytest.raises(RequestError, match="b is given twice"):
        parse("a(b=1, b=1)")


@pytest.mark.parametrize(
    "text", ["a" * (LONGEST + 1), "(" * 10**6, "a(b=" + "1" * 10**6], ids=["name", "brackets", "digits"]
)
def test_a_spec_without_end_is_refused_in_a_short_message(text):
    with pytest.raises(RequestError) as caught:
        parse(text)
    assert len(str(caught.value)) < 400


def test_the_message_is_one_line_whatever_the_text():
    with pytest.raises(RequestError) as caught:
        parse("relu(\n\x1b[31m\r" + "x" * 500)
    assert "\n" not in caught.value.message
    assert "\x1b" not in caught.value.message
    assert len(caught.value.message) < 400


#: (what is typed, what the hint says of it)
MEANT = [
    ("x * tanh(x)", "--expr"), ("tanh(x)", "--expr"), ("expr(x*tanh(x))", 'expr("x * tanh(x)")'),
    ("my file.py:phi", "FILE.py:NAME"), ("act.py", "FILE.py:NAME"),
    ("act.py:phi(a=2)", 'callable("FILE.py:NAME", a=2)'),
]  # fmt: skip


@pytest.mark.parametrize(("typed", "told"), MEANT, ids=[typed for typed, _ in MEANT])
def test_a_formula_or_code_in_the_place_of_a_spec_is_told_how_it_is_written(typed, told):
    with pytest.raises(RequestError) as caught:
        parse(typed)
    assert told in caught.value.hint and "A SPEC is" in caught.value.hint
