"""TOML: golden files, and tables read back with the standard library."""

import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from normcal.renderers.toml import RENDERER
from tests.renderers import files, samples

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
NAMES = st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), FLOATS, min_size=1)


@pytest.mark.parametrize("flat", [True, False], ids=["flat", "nested"])
def test_golden(golden, flat):
    text = samples.steady(RENDERER.constants(samples.constants(flat=flat)))
    golden(f"renderers/golden/constants_{'flat' if flat else 'nested'}.toml", text)


@pytest.mark.parametrize("name", ["GAINS", 'my gains."x"', ""], ids=["named", "quoted", "top"])
@pytest.mark.parametrize("flat", [True, False], ids=["flat", "nested"])
def test_tables_are_read_back(flat, name):
    for document in (samples.constants(flat=flat, name=name), files.hostile(flat=flat, name=name)):
        wanted = files.numbers(document)
        assert files.same(tomllib.loads(RENDERER.constants(document)), {name: wanted} if name else wanted)


def test_words_stand_beside_numbers():
    document = files.of_words()
    assert files.same(tomllib.loads(RENDERER.constants(document)), {"MIXED": files.numbers(document)})


@settings(derandomize=True, database=None, deadline=None)
@given(numbers=NAMES)
def test_any_double_survives_under_any_name(numbers):
    assert files.same(tomllib.loads(RENDERER.constants(files.of_numbers(numbers, ""))), numbers)


def test_odd_names_and_edges_of_the_doubles_survive():
    edges = {f"x{place}": value for place, value in enumerate(files.many_doubles())}
    for numbers in (edges, dict.fromkeys(files.NAMES, 0.5)):
        assert files.same(tomllib.loads(RENDERER.constants(files.of_numbers(numbers, ""))), numbers)


def test_an_absent_number_is_left_out_and_the_comment_says_why():
    text = RENDERER.constants(samples.constants(flat=True))
    assert "# tanh: the variance is infinite\n" in text
    assert "tanh" not in tomllib.loads(text)["GAINS"]
