"""normcal solve: answers in every format, exit codes, recipes, and what is refused."""

import csv
import io
import json

import pytest
import yaml

from normcal import schema
from tests.program import invoke, succeed

SELU = (
    "elu",
    "--unknown",
    "alpha",
    "--unknown",
    "output_scale",
    "--target",
    "forward.mean=0",
    "--target",
    "forward.std=1",
)
NONE = ("sigmoid", "--unknown", "input_scale=0.1:10", "--target", "forward.std=0.6")


def document(*argv):
    return json.loads(invoke("solve", *argv, "--format", "json").stdout)


def test_text_shows_the_unknowns_the_targets_and_the_spec_to_paste():
    text = succeed("solve", *SELU).stdout
    for part in ("alpha", "1.673263242", "1.050700987", "forward.mean", "residual", "Solution 2", "descents"):
        assert part in text
    assert 'normcal compute "elu(alpha=1.67326324235437' in text


def test_the_printed_command_gives_what_was_asked():
    found = document("tanh", "--unknown", "std=0.1:9", "--target", "forward.gain=backward.gain")
    command = found["solutions"][0]["command"]
    assert command.startswith('normcal compute "tanh" --std ')
    std = command.split()[-1]
    row = json.loads(succeed("compute", "tanh", "--std", std, "--format", "json").stdout)["layers"][0]
    assert row["jacobian_factor"] == pytest.approx(1.0, abs=1e-14)


def test_json_yaml_and_csv_hold_the_same_solutions():
    found = document(*SELU)
    assert yaml.safe_load(succeed("solve", *SELU, "--format", "yaml").stdout) == found
    rows = list(csv.DictReader(io.StringIO(succeed("solve", *SELU, "--format", "csv").stdout)))
    assert [float(row["alpha"]) for row in rows] == [one["unknowns"]["alpha"]["value"] for one in found["solutions"]]
    assert [row["spec"] for row in rows] == [one["spec"] for one in found["solutions"]]
    assert found["status"] == "solved"
    assert found["problem"]["unknowns"][0] == {"name": "alpha", "low": -1000.0, "high": 1000.0}


def test_markdown_has_tables():
    assert "| unknown" in succeed("solve", *SELU, "--format", "markdown").stdout


@pytest.mark.parametrize(
    "argv", [SELU, NONE, ("--recipe", "selu"), ("--recipes",)], ids=["solved", "none", "recipe", "list"]
)
def test_documents_fit_the_schema(argv):
    found = document(*argv)
    schema.validate(found, schema.get("output"))
    assert not any(text in json.dumps(found) for text in ("NaN", "Infinity"))


def test_no_solution_is_said_with_exit_code_1():
    result = invoke("solve", *NONE)
    assert result.exit_code == 1
    assert "no solution: forward.std goes from" in result.stdout
    assert "The nearest point, which is no solution" in result.stdout
    found = document(*NONE)
    assert (found["status"], found["solutions"]) == ("no-solution", [])
    assert found["nearest"]["unknowns"]["input_scale"]["error"] is None


def test_the_same_call_gives_the_same_bytes():
    assert succeed("solve", *SELU, "--format", "json").stdout == succeed("solve", *SELU, "--format", "json").stdout


def test_an_answer_goes_to_a_file(tmp_path):
    path = tmp_path / "answer.json"
    succeed("solve", "--recipe", "selu", "-o", path)
    assert json.loads(path.read_text())["recipe"]["name"] == "selu"


def test_recipes_are_listed_with_what_they_take():
    text = succeed("solve", "--recipes").stdout
    for part in ("selu: ", "alpha-dropout: ", "keep_prob", "clip: ", "midrise, symmetric", "tat: ", "depth"):
        assert part in text


def test_a_recipe_answers_as_a_problem_does():
    found = document("--recipe", "selu")
    assert found["solutions"][0]["unknowns"]["alpha"]["value"] == pytest.approx(1.6732632423543772, abs=1e-15)
    assert found["recipe"] == {"name": "selu", "mean": 0.0, "variance": 1.0}


def test_an_expression_is_solved_for_as_a_layer_is():
    found = document("--expr", "a * tanh(x)", "-p", "a=1", "--unknown", "a=0.1:9", "--target", "forward.std=1")
    gain = json.loads(succeed("compute", "tanh", "--format", "json").stdout)["layers"][0]["forward"]["gain"]
    assert found["solutions"][0]["unknowns"]["a"]["value"] == pytest.approx(gain, rel=1e-12)


#: (id, arguments, what the message names, what it says would be accepted)
BAD = [
    ("nothing", [], "No layers", "normcal solve elu"),
    ("two-layers", ["elu", "relu", "--unknown", "alpha", "--target", "forward.mean=0"], "2 layers", "solve elu"),
    ("no-unknown", ["elu", "--target", "forward.mean=0"], "No unknown", "--unknown"),
    ("no-target", ["elu", "--unknown", "alpha"], "No target", "--target"),
    ("unknown", ["elu", "--unknown", "alhpa", "--target", "forward.mean=0"], "'alhpa'", "'alpha'"),
    ("target", ["elu", "--unknown", "alpha", "--target", "forward.mean"], "'forward.mean'", "QUANTITY=VALUE"),
    ("interval", ["elu", "--unknown", "alpha=2:1", "--target", "forward.mean=0"], "2:1 is empty", "LOW < HIGH"),
    ("layer", ["ell", "--unknown", "alpha", "--target", "forward.mean=0"], "'ell'", "'elu'"),
    ("recipe", ["--recipe", "sell"], "'sell'", "'selu'"),
    ("recipe-and-target", ["--recipe", "selu", "--target", "forward.mean=0"], "of its own", "--recipe, or"),
    ("format", ["--recipe", "selu", "--format", "jsn"], "'jsn'", "'json'"),
    ("output", ["--recipe", "selu", "-o", "no/x.json"], "does not exist", "Create it"),
    ("std", ["elu", "--unknown", "alpha", "--target", "forward.mean=0", "--std", "nan"], "cannot be nan", "a number"),
    ("code-format", ["--recipe", "selu", "--format", "python"], "holds constants", "json"),
]  # fmt: skip


@pytest.mark.parametrize(("argv", "named", "accepted"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_bad_input_is_refused_with_exit_code_2(argv, named, accepted):
    result = invoke("solve", *argv)
    assert (result.exit_code, result.stdout) == (2, "")
    assert named in result.stderr
    assert accepted in result.stderr
