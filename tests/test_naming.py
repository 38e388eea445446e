"""Names of constants: words of SPECs and quantities, joined in any style, back to the same words."""

import keyword
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from normcal import catalog, naming, quantity
from normcal.naming import STYLES
from normcal.quantity import PATHS

STEADY = settings(derandomize=True, database=None, deadline=None)
#: A word as names have them: what a style makes of two must not read as one.
WORDS = st.lists(st.from_regex(r"[a-z][a-z]{0,5}", fullmatch=True), min_size=1, max_size=5)
JOINED = [style for style in STYLES if style != "spec"]


@pytest.mark.parametrize("style", JOINED)
@STEADY
@given(parts=WORDS)
def test_a_styled_name_is_split_into_the_words_it_was_made_of(style, parts):
    if style in ("camel", "pascal"):
        parts = [part for part in parts if len(part) > 1] or ["relu"]
    assert naming.split(naming.styled(parts, style)) == parts


@pytest.mark.parametrize(
    ("style", "name"),
    [
        ("snake", "leaky_relu_negative_slope_0_25"), ("upper", "LEAKY_RELU_NEGATIVE_SLOPE_0_25"),
        ("camel", "leakyReluNegativeSlope025"), ("pascal", "LeakyReluNegativeSlope025"),
        ("kebab", "leaky-relu-negative-slope-0-25"),
    ],
)  # fmt: skip
def test_a_style_is_what_it_is_called(style, name):
    assert naming.styled(naming.words("leaky_relu", {"negative_slope": 0.25}), style) == name


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({}, []),
        ({"alpha": -0.5}, ["alpha", "minus", "0", "5"]),
        ({"eps": 1e-05}, ["eps", "1e", "minus", "05"]),
        ({"kernel_size": (3, 2)}, ["kernel", "size", "3", "2"]),
        ({"causal": "yes"}, ["causal", "yes"]),
        ({"scaling": "inverted"}, ["scaling", "inverted"]),
        ({"n": 1_000_000}, ["n", "1000000"]),
    ],
    ids=str,
)
def test_parameters_become_words(params, words):
    assert naming.words("x", params) == ["x", *words]


@pytest.mark.parametrize(
    ("one", "other"),
    [({"a": -1.0}, {"a": 1.0}), ({"eps": 1e-5}, {"eps": 1e5}), ({"a": 0.5}, {"a": 5.0}), ({"a": 1}, {"b": 1})],
    ids=["sign", "sign-of-the-power", "point", "name"],
)
def test_other_parameters_make_another_name(one, other):
    assert naming.words("elu", one) != naming.words("elu", other)


@pytest.mark.parametrize("style", JOINED)
def test_every_layer_has_a_name_of_its_own_in_every_style(style):
    names = [naming.styled(naming.words(name, {}), style) for name in catalog.classes()]
    assert len(set(names)) == len(names)
    wanted = r"[a-z0-9]+(-[a-z0-9]+)*" if style == "kebab" else r"[A-Za-z_][A-Za-z0-9_]*"
    assert not [name for name in names if not re.fullmatch(wanted, name) or keyword.iskeyword(name)]


@pytest.mark.parametrize("style", JOINED)
def test_every_quantity_has_a_name_of_its_own_in_every_style(style):
    texts = [f"{sign}{path}{power}" for path in PATHS for sign in ("", "-") for power in ("", "^2")]
    names = [naming.styled(naming.split(quantity.parse(text).name), style) for text in texts]
    assert len(set(names)) == len(texts)


@pytest.mark.parametrize("name", ["", "---", "é", "\n"])
def test_a_name_without_letters_has_no_words(name):
    assert naming.split(name) == []
