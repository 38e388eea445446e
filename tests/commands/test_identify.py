"""normcal identify: answers, formats, negative numbers, exit codes, speed."""

import csv
import io
import json

import pytest
import yaml

from tests.program import invoke, succeed


def matches(*argv):
    return json.loads(succeed("identify", *argv, "--format", "json").stdout)["matches"]


def test_text_names_layer_quantity_value_and_publisher():
    text = succeed("identify", "1.679176792").stdout
    assert text.startswith("1.679176792, input N(0, 1)\n")
    row = next(line for line in text.splitlines() if line.startswith("silu"))
    for part in ("forward.rms_gain", "1.67653247", "+1.6e-03", "sampling: +1.3 standard errors", "e3nn.silu"):
        assert part in row
    assert "- e3nn.silu: " in text


def test_json_yaml_and_csv_hold_the_same_matches():
    found = json.loads(succeed("identify", "0.5838", "--format", "json").stdout)
    assert yaml.safe_load(succeed("identify", "0.5838", "--format", "yaml").stdout) == found
    rows = list(csv.DictReader(io.StringIO(succeed("identify", "0.5838", "--format", "csv").stdout)))
    assert [row["spec"] for row in rows] == [match["spec"] for match in found["matches"]]
    assert (found["number"], found["value"]) == ("0.5838", 0.5838)
    assert found["matches"][0]["exact"] == pytest.approx(0.5838193701035, rel=1e-12)


@pytest.mark.parametrize(
    "argv",
    [("-0.20662",), ("--", "-0.20662"), ("-0.20662", "--format", "json"), ("-2.0662e-1",), ("-0.41324/2",)],
    ids=" ".join,
)
def test_a_negative_number_is_a_number(argv):
    found = invoke("identify", *argv)
    assert found.exit_code == 0, found.output
    assert "-forward.mean" in found.stdout


def test_a_negative_value_of_an_option_is_its_own():
    (best, *_) = matches("0.19780", "--layer", "relu", "--mean", "-0.5")
    assert (best["spec"], best["quantity"]) == ("relu", "forward.mean")
    assert matches("--mean", "-0.5", "--layer", "relu", "-0.19780")[0]["quantity"] == "-forward.mean"


def test_layers_are_searched_alone_and_may_be_swept():
    found = matches("1.0241", "--layer", "leaky_relu(negative_slope=[0.1, 0.2])", "--mean", "0.5")
    assert [(one["spec"], one["quantity"]) for one in found] == [("leaky_relu(negative_slope=0.2)", "forward.rms")]


@pytest.mark.parametrize("value", ["0.123456", "1", "0"])
def test_where_nothing_beats_luck_it_says_so_with_exit_code_1(value):
    result = invoke("identify", value)
    assert result.exit_code == 1
    assert "nothing meets it better than luck" in result.stdout
    assert json.loads(invoke("identify", value, "--format", "json").stdout)["matches"] == []


#: (id, arguments, what the message names, what it says would be accepted)
BAD = [
    ("none", [], "VALUE", "identify --help"),
    ("empty", [""], "''", "sqrt()"),
    ("nan", ["nan"], "'nan'", "sqrt()"),
    ("inf", ["inf"], "'inf'", "sqrt()"),
    ("minus-inf", ["-inf"], "'-inf'", "sqrt()"),
    ("too-large", ["1e400"], "'1e400'", "a finite number"),
    ("too-large-negative", ["-1e400"], "'-1e400'", "a finite number"),
    ("letters", ["abc"], "'abc'", "sqrt()"),
    ("code", ["__import__('os')"], "__import__", "sqrt()"),
    ("division-by-zero", ["1/0"], "'1/0'", "sqrt()"),
    ("endless", ["9" * 1000], "'999", "sqrt()"),
    ("two", ["1.5", "2.5"], "2.5", "identify --help"),
    ("layer", ["1.5", "--layer", "rellu"], "'rellu'", "Did you mean 'relu'"),
    ("option", ["1.5", "--layr", "relu"], "--layr", "--layer"),
    ("short-option", ["-x", "1.5"], "", "identify --help"),
    ("std", ["1.5", "--std", "-1"], "std cannot be -1", "a number in [0,"),
    ("format", ["1.5", "--format", "jsn"], "'jsn'", "Did you mean 'json'"),
    ("github", ["0.5838", "--format", "github"], "github", "audit"),
]


@pytest.mark.parametrize(("argv", "names", "accepted"), [c[1:] for c in BAD], ids=[c[0] for c in BAD])
def test_bad_usage_is_refused(argv, names, accepted):
    result = invoke("identify", *argv)
    assert (result.exit_code, result.stdout) == (2, "")
    assert names in result.stderr
    assert accepted in result.stderr
    assert "Traceback" not in result.stderr
