"""YAML and JSON are written by code of our own for its speed; the libraries say what they must write."""

import json

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from normcal import renderer
from normcal.renderers._dump import item, member
from normcal.report import Report, View

STEADY = settings(derandomize=True, database=None, deadline=None, max_examples=300)

KEYS = st.from_regex(r"[a-z][a-z_]{0,12}", fullmatch=True) | st.sampled_from(
    ["on", "Null", "fwd std", "a: b", "", "1", "é"]
)
TEXTS = st.text(max_size=12) | st.text("ab :#-'\"\n,[]{}&*!|>%@`yesno0.1e\t(=)é", max_size=30)
LONG = st.lists(st.sampled_from(["relu,", "the", "a" * 70, "std: 0", "x"]), max_size=60).map(" ".join)
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
SCALARS = NUMBERS | st.none() | st.booleans() | TEXTS | LONG
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)
DOCUMENTS = st.dictionaries(KEYS, VALUES, max_size=4)


def rendered(name, data):
    return renderer.get(name).render(Report(data, [], ()), View())


def by_pyyaml(data):
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=120)


@STEADY
@given(data=DOCUMENTS)
@example(data={"layers": [{"notes": ["relu, backward: the std is 0", "yes", "- a", "é" * 200]}]})
@example(data={"a": {"b": {"c": [[], {}, [1, "x: y"], "word " * 60]}}, "k": "nul", "off": 1e22})
def test_yaml_is_what_the_library_writes(data):
    assert rendered("yaml", data) == by_pyyaml(data)


@STEADY
@given(data=DOCUMENTS)
@example(data={"layers": [{"notes": ["\ud83d", "\u2028", '"\\']}], "empty": {}})
def test_json_is_what_the_library_writes(data):
    assert rendered("json", data) == json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_json_holds_no_number_that_json_does_not_know(value):
    with pytest.raises(ValueError, match="JSON"):
        rendered("json", {"layers": [{"mean": value}]})


@STEADY
@given(data=DOCUMENTS, rows=st.lists(VALUES, max_size=4), name=st.sampled_from(["json", "yaml"]))
def test_a_list_that_is_on_its_way_is_written_like_one_that_is_there(data, rows, name):
    assert rendered(name, {**data, "layers": iter(rows)}) == rendered(name, {**data, "layers": rows})


def test_the_writer_of_yaml_leaves_to_the_library_what_is_odd_and_that_alone(monkeypatch):
    plain = {"layer": "leaky_relu", "spec": "leaky_relu(negative_slope=0.1)", "params": {"n": [1, 2.5]}, "notes": []}
    monkeypatch.setattr("normcal.renderers._dump.dumped", None)
    assert item(plain) == by_pyyaml([plain])
    assert member("layer", plain) == by_pyyaml({"layer": plain})
