"""Files of published constants: what they hold is read to the digit, and what is wrong is refused with its place."""

import json
import os
import re

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from normcal import catalog, collection, schema
from normcal.errors import NormcalError
from normcal.law import Normal
from tests.program import ROOT

STEADY = settings(derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow])
GOOD = "constants:\n  - name: a\n    layer: relu\n    quantity: forward.std\n    value: 0.5840\n"
SHIPPED = sorted((ROOT / "normcal" / "published").glob("*.yaml"))


@pytest.fixture
def reading(tmp_path):
    """Return a function that writes a file of constants and reads it."""
    path = tmp_path / "mine.yaml"

    def read(content: str | bytes):
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return collection.groups((str(path),))[0]

    return read


def test_an_entry_is_read_as_it_is_written(reading):
    group = reading(
        "about: Mine.\n" + GOOD + "    samples: 1000\n    mean: 0.5\n    std: 2\n    source: a paper\n"
        "    definition: std\n    ambiguous: perhaps\n    note: none\n"
    )
    (one,) = group.entries
    assert (group.about, one.name, one.layer.spec, str(one.quantity)) == ("Mine.", "a", "relu", "forward.std")
    assert (one.literal.text, one.literal.digits, one.samples, one.law) == ("0.5840", 4, 1000, Normal(0.5, 2.0))
    assert (one.source, one.definition, one.ambiguous, one.note) == ("a paper", "std", "perhaps", "none")
    assert (os.path.basename(one.path), one.line) == ("mine.yaml", 3)


@pytest.mark.parametrize("value", ["sqrt(2)", "5/3", "'0.50'", "1", "1e-3", "'1.0'"])
def test_a_value_may_be_a_number_or_arithmetic(reading, value):
    (one,) = reading(GOOD.replace("0.5840", value)).entries
    assert one.literal.text == value.strip("'")


def second(**changes):
    fields = {"name": "b", "layer": "relu", "quantity": "forward.std", "value": 1.5} | changes
    kept = {key: value for key, value in fields.items() if value is not None}
    return GOOD + "".join(f"  {'-' if i == 0 else ' '} {key}: {value}\n" for i, (key, value) in enumerate(kept.items()))


BOMB = "a: &a [x, x]\n" + "".join(
    f"{c}: &{c} [*{b}, *{b}, *{b}, *{b}]\n" for b, c in zip("abcdefgh", "bcdefghi", strict=True)
)
#: (id, content, what the message names, what it says would be accepted)
BAD = [
    ("empty", "", "is empty", "constants:"),
    ("comments", "# nothing\n", "is empty", "constants:"),
    ("list", "- a\n", "cannot be a list", "a mapping"),
    ("word", "relu\n", "'relu'", "a mapping"),
    ("no-constants", "about: x\n", "'constants' is missing", "name, layer, quantity, value"),
    ("constants-empty", "constants: []\n", "mine.yaml:1: constants", "name, layer, quantity, value"),
    ("constants-word", "constants: relu\n", "'relu'", "name, layer, quantity, value"),
    ("constants-null", "constants:\n", "mine.yaml:1: constants", "name, layer, quantity, value"),
    ("entry-word", "constants:\n  - relu\n", "mine.yaml:2: constants[0]", "a mapping"),
    ("unknown-key", "constnts: []\n", "'constnts'", "Did you mean 'constants'"),
    ("unknown-key-beside", GOOD + "abot: x\n", "'abot'", "Did you mean 'about'"),
    ("key-of-entry", second(sorce="x"), "mine.yaml:10: constants[1].sorce", "Did you mean 'source'"),
    ("about-number", "about: 3\n" + GOOD, "about", "text"),
    *((f"without-{key}", second(**{key: None}), f"mine.yaml:6: constants[1]: the key '{key}' is missing", "Accepted")
      for key in ("name", "layer", "quantity", "value")),
    ("name-number", second(name=3), "mine.yaml:6: constants[1].name", "a name"),
    ("name-empty", second(name="''"), "constants[1].name", "a name"),
    ("name-twice", second(name="a"), "mine.yaml:6: constants[1].name: the name 'a' is taken", "unique"),
    ("layer-unknown", second(layer="rellu"), "mine.yaml:7: constants[1].layer: Unknown layer 'rellu'", "'relu'"),
    ("layer-number", second(layer=3), "constants[1].layer", "a SPEC"),
    ("layer-open", second(layer="relu("), "constants[1].layer", "A SPEC is"),
    ("layer-sweep", second(layer='"elu(alpha=[1, 2])"'), "constants[1].layer", ""),
    ("layer-parameter", second(layer="relu(slope=1)"), "constants[1].layer", "input_scale"),
    ("quantity-unknown", second(quantity="forward.men"), "mine.yaml:8: constants[1].quantity", "'forward.mean'"),
    ("quantity-number", second(quantity=1), "constants[1].quantity", "a quantity"),
    ("value-word", second(value="big"), "mine.yaml:9: constants[1].value: 'big'", "sqrt()"),
    ("value-nan", second(value=".nan"), "constants[1].value", "Accepted"),
    ("value-inf", second(value="-.inf"), "constants[1].value", "Accepted"),
    ("value-1e400", second(value="1.0e+400"), "constants[1].value", "a finite number"),
    ("value-400-digits", second(value="9" * 500), "constants[1].value", "Accepted"),
    ("value-list", second(value="[1]"), "constants[1].value", "a number, or arithmetic"),
    ("value-yes", second(value="yes"), "constants[1].value", "a number, or arithmetic"),
    ("value-null", second(value="null"), "constants[1].value", "a number, or arithmetic"),
    ("value-code", second(value="__import__('os')"), "constants[1].value", "sqrt()"),
    ("value-zero-division", second(value="1/0"), "constants[1].value: '1/0'", "sqrt()"),
    ("samples-word", second(samples="many"), "mine.yaml:10: constants[1].samples", "a whole number of draws"),
    ("samples-one", second(samples=1), "constants[1].samples", "from 2"),
    ("samples-fraction", second(samples=2.5), "constants[1].samples", "a whole number of draws"),
    ("samples-huge", second(samples="1e15"), "constants[1].samples", "a whole number of draws"),
    ("std-negative", second(std=-1), "constants[1].std", "a number in [0,"),
    ("std-nan", second(std=".nan"), "constants[1].std", "a number in [0,"),
    ("mean-word", second(mean="half"), "constants[1].mean", "a number in [-"),
    ("source-list", second(source="[a]"), "constants[1].source", ""),
    ("not-yaml", "constants: [", "line", ""),
    ("alias", "constants: &a [x]\nabout: *a\n", "aliases", ""),
    ("bomb", BOMB, "aliases", ""),
    ("tag", "constants: !!python/object/apply:os.system ['true']\n", "python", ""),
    ("key-twice", GOOD + "constants: []\n", "given twice", ""),
    ("deep", "constants: " + "[" * 20_000, "nested", ""),
    ("binary", b"\x00\x01\xff", "UTF-8", "UTF-8"),
    ("latin-1", "about: Köln\n".encode("latin-1"), "UTF-8", "UTF-8"),
    ("huge", "# " + "x" * 1_100_000, "larger than", "smaller"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "names", "accepted"), [c[1:] for c in BAD], ids=[c[0] for c in BAD])
def test_a_bad_file_is_refused_with_its_place(reading, content, names, accepted):
    with pytest.raises(NormcalError) as caught:
        reading(content)
    assert caught.value.exit_code == 2
    assert "mine.yaml" in caught.value.message
    assert names in caught.value.message
    assert accepted in caught.value.hint
    assert len(str(caught.value)) < 1500


def test_a_missing_file_is_refused_by_name():
    with pytest.raises(NormcalError, match=r"nosuch\.yaml"):
        collection.groups(("nosuch.yaml",))


def test_a_name_may_stand_in_one_of_several_files_only(tmp_path):
    paths = tmp_path / "one.yaml", tmp_path / "two.yaml"
    for path in paths:
        path.write_text(GOOD)
    with pytest.raises(NormcalError, match=r"two\.yaml:3: .*one\.yaml:2|two\.yaml:2: .*one\.yaml:2"):
        collection.groups(tuple(map(str, paths)))


TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["relu", "forward.std", "sqrt(2)", "1e5"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6) | st.integers(), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
KEYS = ("name", "layer", "quantity", "value", "samples", "mean", "std", "source", "note", "ambiguous")


@STEADY
@given(st.dictionaries(st.sampled_from(KEYS), TREES, max_size=4))
def test_arbitrary_entries_are_read_or_refused(tmp_path_factory, wrong):
    path = tmp_path_factory.getbasetemp() / "tree.yaml"
    fields = {"name": "a", "layer": "relu", "quantity": "forward.std", "value": 0.5} | wrong
    path.write_text(yaml.safe_dump({"constants": [fields]}))
    try:
        (group,) = collection.groups((str(path),))
    except NormcalError as error:
        assert re.search(r"tree\.yaml", error.message)
    else:
        assert group.entries[0].literal.half >= 0.0


def test_the_schema_uses_what_the_validator_knows():
    found = schema.get("published")
    assert json.loads(json.dumps(found)) == found

    def keywords(part):
        yield from part
        for name, inner in part.items():
            if name in ("properties", "$defs"):
                for one in inner.values():
                    yield from keywords(one)
            elif name in ("items", "additionalProperties", "propertyNames") and isinstance(inner, dict):
                yield from keywords(inner)

    assert set(keywords(found)) <= schema.KEYWORDS


# -- the collection that ships ---------------------------------------------------------------------------


def test_a_file_of_the_collection_is_found_because_it_exists():
    assert sorted(collection.shipped().values()) == [str(path) for path in SHIPPED]
    assert [group.name for group in collection.groups()] == sorted(collection.shipped())


def test_a_glimpse_sees_what_reading_reads():
    seen = [(one.path, catalog.layer(one.layer).spec, one.literal) for one in collection.glimpses()]
    assert seen == [(one.path, one.layer.spec, one.literal) for one in collection.everything()]


def test_names_are_unique_and_say_the_group():
    names = [entry.name for entry in collection.everything()]
    assert len(names) == len(set(names)) > 100
    assert all(re.fullmatch(r"[a-z0-9_]+(\.[A-Za-z0-9_]+)*", name) for name in names)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_file_of_the_collection_says_what_it_is_and_where_it_is_from(path):
    assert path.read_text(encoding="utf-8").startswith("# ")
    (group,) = collection.groups((str(path),))
    assert group.about
    for entry in group.entries:
        assert entry.source, entry.name
        assert entry.definition, entry.name
