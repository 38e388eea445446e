"""normcal schema: prints the JSON Schemas that ship, and completes their names."""

import json

import pytest
from jsonschema import Draft202012Validator

from normcal import schema
from tests.program import examples, invoke, run, succeed


@pytest.mark.parametrize("name", schema.names())
def test_a_schema_is_printed_as_json(name):
    result = succeed("schema", name)
    assert json.loads(result.stdout) == schema.get(name)
    assert result.stdout.endswith("}\n")
    Draft202012Validator.check_schema(json.loads(result.stdout))


@pytest.mark.parametrize("name", schema.names())
def test_a_schema_is_saved_whole_or_not_at_all(tmp_path, name):
    path = tmp_path / "s.json"
    assert succeed("schema", name, "-o", path).stdout == ""
    assert path.read_text(encoding="utf-8") == succeed("schema", name).stdout
    result = invoke("schema", name, "-o", tmp_path / "no" / "s.json")
    assert (result.exit_code, result.stdout) == (2, "")


def test_a_dash_is_the_standard_output():
    assert succeed("schema", "config", "-o", "-").stdout == succeed("schema", "config").stdout


def test_the_promised_schemas_are_there():
    assert {"config", "output"} <= set(schema.names())


@pytest.mark.parametrize(
    ("argv", "told"),
    [(["confg"], "'config'"), (["qqq"], "config"), ([], "Missing argument"), (["config", "output"], "output")],
    ids=["near-miss", "unknown", "none", "two"],
)
def test_what_is_no_schema_is_refused(argv, told):
    result = invoke("schema", *argv)
    assert (result.exit_code, result.stdout) == (2, "")
    assert told in result.stderr


def test_names_are_completed():
    words = {"COMP_WORDS": "normcal schema c", "COMP_CWORD": "2", "_NORMCAL_COMPLETE": "bash_complete"}
    assert "plain,config" in run(env=words).stdout


def test_the_examples_of_the_help_text_work():
    for argv in examples("schema"):
        succeed(*argv)
