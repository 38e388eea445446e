"""Schemas: they are JSON Schema, they agree with the reference validator, and all that is written fits them."""

import copy
import functools
import json
import math

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from normcal import discover, profile, schema
from normcal.errors import RequestError
from normcal.schema import KEYWORDS, Invalid, validate
from tests.program import ROOT, invoke, succeed

STEADY = settings(derandomize=True, database=None, deadline=None, max_examples=200)
NAMES = schema.names()

CONFIG = """\
title: A title
layers: [relu, "elu(alpha=[0.5, 1])"]
families: [rectifiers]
format: json
digits: 4
mean: 0.5
std: 2
samples: 1e3
seed: 1
workers: 2
engine: auto
direction: both
grid: {rows: {a: forward.mean}, columns: {b: relu}}
printed: [{printed: "0.5", layer: relu, quantity: forward.mean}]
outputs:
  - {path: a.py, profile: timm, header: "x", epilogue: "y = 1", name: X, keys: camel, layout: constants}
  - {path: b.json, layers: {one: relu}, columns: {m: forward.mean}, digits: round-trip, constraint: geometric}
  - {path: c.md, layers: [relu], columns: [forward.mean, "forward.std^2"], digits: 3, tol: 1e-9, engine: quadrature}
  - {path: d.md, document: table, config: default}
  - {path: e.json, document: schema, schema: config}
  - {path: f.txt, template: t.j2, families: [rectifiers]}
"""
#: (command, whether it must end well)
COMMANDS = [
    ["compute", "relu", "glu", "linear"],
    ["compute", "relu", "--std", "0"],
    ["compute", "relu", "--engine", "monte-carlo", "--samples", "500"],
    ["compute", "relu | tanh", "relu | max_pool", 'softplus | expr("1/x")', "--samples", "500"],
    ["table"],
    ["layers", "relu"],
    ["explain", "relu", "--samples", "500"],
    ["verify", "relu", "--samples", "500"],
    ["kernel", "relu", "--correlation", "0"],
]


@functools.cache
def documents() -> dict[str, list]:
    """Return documents that the schemas accept: configs, and what commands write."""
    shipped = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted((ROOT / "configs").glob("*.yaml"))]
    written = [json.loads(succeed(*argv, "--format", "json").stdout) for argv in COMMANDS]
    return {"config": [yaml.safe_load(CONFIG), *shipped], "output": written}


def reference(name: str) -> Draft202012Validator:
    return Draft202012Validator(schema.get(name))


def place_of(name: str, value) -> tuple | None:
    """Return where our own validation refuses a value; None where it accepts it."""
    try:
        validate(value, schema.get(name))
    except Invalid as error:
        return error.place
    return None


# -- the schemas themselves


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_is_one(name):
    Draft202012Validator.check_schema(schema.get(name))
    assert schema.get(name)["$schema"] == schema.DIALECT
    assert schema.get(name)["title"]
    json.dumps(schema.get(name), allow_nan=False)


def keywords(one) -> set[str]:
    """Return the keywords that a schema uses."""
    if not isinstance(one, dict):
        return set()
    found = set(one)
    for key in ("properties", "$defs"):
        found |= {word for inner in one.get(key, {}).values() for word in keywords(inner)}
    for key in ("items", "additionalProperties", "propertyNames"):
        found |= keywords(one.get(key))
    return found | {word for inner in one.get("anyOf", []) for word in keywords(inner)}


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_uses_no_keyword_that_is_not_understood(name):
    assert keywords(schema.get(name)) <= KEYWORDS


def test_every_keyword_is_used_or_said_to_be():
    assert {"type", "enum", "anyOf", "$ref", "pattern"} <= set().union(*(keywords(schema.get(name)) for name in NAMES))


def test_an_unknown_schema_is_refused_with_a_near_miss():
    with pytest.raises(RequestError, match="'confg'") as caught:
        schema.get("confg")
    assert "'config'" in caught.value.hint


# -- what fits


@pytest.mark.parametrize("name", ["config", "output"])
def test_documents_fit_their_schema(name):
    for document in documents()[name]:
        validate(document, schema.get(name))
        assert not list(reference(name).iter_errors(document))


@pytest.mark.parametrize("argv", COMMANDS, ids=" ".join)
def test_what_a_command_writes_fits_one_kind_of_document(argv):
    found = json.loads(succeed(*argv, "--format", "json").stdout)
    fitting = [one["description"] for one in schema.get("output")["anyOf"] if Draft202012Validator(
        {"$defs": schema.get("output")["$defs"]} | one).is_valid(found)]  # fmt: skip
    assert fitting


@pytest.mark.parametrize("name", discover.names("profiles", ".yaml"))
def test_a_profile_is_an_output_but_for_its_path(name):
    document = {"outputs": [profile.get(name) | {"path": "x"}]}
    validate(document, schema.get("config"))
    jsonschema.validate(document, schema.get("config"))
    assert profile.about(name)


def test_files_of_constants_and_verdicts_fit(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "normcal.yaml").write_text("outputs: [{path: a.json, layers: [relu, tanh]}]\n")
    succeed("generate")
    (tmp_path / "a.json").write_text((tmp_path / "a.json").read_text().replace("0.39", "0.4"))
    verdicts = json.loads(invoke("check", "--format", "json").stdout)
    for document in (json.loads((tmp_path / "a.json").read_text()), verdicts):
        validate(document, schema.get("output"))
        jsonschema.validate(document, schema.get("output"))
    assert verdicts["verdict"] == "disagree"


# -- the reference validator agrees

WRONG = (
    None, True, False, 0, 1, -1, 0.0, 3.0, 0.5, 1e300, 18, 10**30, "", "x", "relu", "1", "3.0", [], ["x"], [1], [[]],
    {}, {"x": 1}, {"path": "a"}, "config", "round-trip", "x" * 5000, [None], {"": ""},
)  # fmt: skip


def places(document, at=()) -> list[tuple]:
    """Return every place of a document."""
    inner = (
        document.items() if isinstance(document, dict) else enumerate(document if isinstance(document, list) else ())
    )
    return [at, *(place for key, value in inner for place in places(value, (*at, key)))]


def mutated(document, draw):
    """Return a copy that is other in one place, and the place."""
    document = copy.deepcopy(document)
    place = draw(st.sampled_from(places(document)[1:]))
    holder = functools.reduce(lambda found, step: found[step], place[:-1], document)
    what = draw(st.sampled_from(("other", "other", "other", "gone", "more")))
    if what == "other":
        holder[place[-1]] = draw(st.sampled_from(WRONG))
    elif what == "gone":
        del holder[place[-1]]
    elif isinstance(holder, dict):
        holder[draw(st.sampled_from(("x", "layer", "columns", "path", "")))] = draw(st.sampled_from(WRONG))
    else:
        holder.append(draw(st.sampled_from(WRONG)))
    return document


def deepest(error) -> set[tuple]:
    """Return the places that an error of the reference validator names, those of its branches too."""
    found = {tuple(error.absolute_path)}
    for inner in error.context:
        found |= deepest(inner)
    return found


@pytest.mark.parametrize("name", ["config", "output"])
def test_one_change_is_judged_as_the_reference_validator_does(name):
    judge = reference(name)

    @STEADY
    @given(st.data())
    def check(data):
        document = mutated(data.draw(st.sampled_from(documents()[name])), data.draw)
        errors = list(judge.iter_errors(document))
        place = place_of(name, document)
        assert (place is None) == (not errors)
        if place is not None:
            named = set().union(*map(deepest, errors))
            # the reference validator names the mapping that has a key too many; ours the key
            assert place in named or place[:-1] in named

    check()


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        (True, {"type": "integer"}), (True, {"type": "number"}), (1, {"type": "boolean"}), (3.0, {"type": "integer"}),
        (3.5, {"type": "integer"}), (None, {"type": ["string", "null"]}), (1, {"enum": [True, "a"]}),
        (True, {"enum": [1]}), (1.0, {"enum": [1]}), (True, {"const": 1}), (0, {"const": False}), (1.0, {"const": 1}),
        ("ab", {"pattern": "b"}), ("ab", {"pattern": "^b"}), ("", {"minLength": 1}), ("é", {"maxLength": 1}),
        ([], {"minItems": 1}), ([1, 2], {"maxItems": 1}), (2, {"maximum": 2}), (2, {"exclusiveMinimum": 2}),
        (5, {"minLength": 9}), ("x", {"minimum": 3}), ({"a": 1}, {"items": {"type": "string"}}),
        ({"a": 1}, {"additionalProperties": {"type": "string"}}), ({"a": 1}, {"propertyNames": {"pattern": "^b"}}),
        ({"a": 1}, {"properties": {"a": True}, "additionalProperties": False}), ({}, {"required": ["a"]}),
        ([1], {"required": ["a"]}), (1, {"anyOf": [{"type": "string"}, {"minimum": 1}]}),
        (10**400, {"type": "integer"}),
        (10**400, {"maximum": 5}), (1e308, {"type": "integer"}), ([True], {"enum": [[1]]}),
        ({"a": 0}, {"const": {"a": False}}),
    ],
    ids=str,
)  # fmt: skip
def test_corners_of_the_keywords_are_judged_alike(value, schema):
    schema = {key: ({} if one is True else one) for key, one in schema.items()}
    if "properties" in schema:
        schema["properties"] = {"a": {}}
    try:
        validate(value, schema)
        accepted = True
    except Invalid:
        accepted = False
    assert accepted == Draft202012Validator(schema).is_valid(value)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_finite_number_is_refused_where_a_range_is_given(value):
    with pytest.raises(Invalid):
        validate(value, {"type": "number", "minimum": 0, "maximum": 1e300})


# -- messages


@pytest.mark.parametrize(
    ("change", "place", "told", "hint"),
    [
        ({"digits": 18}, ("digits",), "'digits' cannot be 18.", "a whole number from 1 to 17"),
        ({"outputs": [{}]}, ("outputs", 0), "the key 'path' is missing", "the path of a file"),
        ({"outputs": [{"path": "a", "colums": []}]}, ("outputs", 0, "colums"), "'colums'", "'columns'"),
        ({"outputs": [{"path": "a", "format": "pyton"}]}, ("outputs", 0, "format"), "'pyton'", "'python'"),
        ({"outputs": [{"path": "a", "profile": "tim"}]}, ("outputs", 0, "profile"), "'tim'", "'timm'"),
        ({"outputs": [{"path": 5}]}, ("outputs", 0, "path"), "cannot be 5", "the path of a file"),
        ({"outputs": [{"path": "a", "layers": [1]}]}, ("outputs", 0, "layers", 0), "item 0 cannot be 1", "quote it"),
        ({"outputs": [{"path": "a", "columns": {"x": 1}}]}, ("outputs", 0, "columns", "x"), "'x' cannot be 1", "text"),
        ({"outputs": [{"path": "a", "digits": "all"}]}, ("outputs", 0, "digits"), "'all'", "round-trip"),
        ({"outputs": []}, ("outputs",), "'outputs' cannot be an empty list", "list"),
        ({"outputs": [5]}, ("outputs", 0), "item 0 cannot be 5", "a mapping"),
        ({5: 1}, ("5",), "5", ""),
    ],
    ids=str,
)  # fmt: skip
def test_a_refusal_names_the_place_and_what_would_do(change, place, told, hint):
    with pytest.raises(Invalid) as caught:
        validate({"layers": ["relu"]} | change, schema.get("config"))
    assert caught.value.place == place
    assert told in caught.value.message
    assert hint in caught.value.hint
