"""The SPEC grammar: what is written is read back, and no text whatever does more than be refused."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from normcal import catalog
from normcal.errors import RequestError
from normcal.spec import LONGEST, Spec, expand, parse, write

STEADY = settings(derandomize=True, database=None, deadline=None)

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,15}", fullmatch=True)
INTEGERS = st.integers(-(10**28), 10**28)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
NUMBERS = INTEGERS | FLOATS
SINGLES = NUMBERS | NAMES | st.lists(NUMBERS, min_size=1, max_size=4).map(tuple)
NESTED = st.builds(Spec, NAMES, st.dictionaries(NAMES, SINGLES, min_size=1, max_size=2))
VALUES = SINGLES | NESTED | st.lists(SINGLES | NESTED, min_size=1, max_size=3)
PARAMS = st.dictionaries(NAMES, VALUES, max_size=5)
#: Text made of what the grammar is made of, so that much of it almost parses.
CROOKED = st.text(st.sampled_from("relu_max-pool(),=[]. \t0123456789eE+-_xX'\"*\n"), max_size=40)


def alike(a, b):
    """Whether two values are the same, type and sign of zero included."""
    if isinstance(a, tuple):
        return isinstance(b, tuple) and len(a) == len(b) and all(map(alike, a, b))
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(alike, a, b))
    if isinstance(a, float):
        return isinstance(b, float) and a == b and math.copysign(1, a) == math.copysign(1, b)
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
@given(name=NAMES, params=PARAMS, gap=st.sampled_from(["", " ", "  ", "\t", "\n"]))
def test_blanks_between_tokens_mean_nothing(name, params, gap):
    text = write(name, params)
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
