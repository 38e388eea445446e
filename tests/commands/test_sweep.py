"""normcal sweep: axes on the command line, every format, streaming, Ctrl-C, grids."""

import csv
import io
import json
import signal
import subprocess

import jsonschema
import pytest
import yaml

from normcal import catalog, renderer, schema
from tests.program import command, environment, invoke, on_terminal, run, succeed

SLOPES = ["sweep", "leaky_relu(negative_slope=0:1:5)", "--columns", "forward.std,backward.std"]
#: arguments behind ``sweep``
CASES = {
    "a parameter": SLOPES[1:],
    "several layers": ["gelu", "silu", "--std", "0.01:100:5:log", "--columns", "jacobian_factor"],
    "another axis each": ["elu(alpha=[1, 2])", "softplus(beta=[1, 2])"],
    "two axes": ["elu(alpha=[0.5, 1])", "--mean=-1:1:3", "--columns", "forward.std,-forward.mean"],
    "words": ["dropout(scaling=[plain, inverted, unit])"],
    "several inputs": ["glu", "--std", "[1, 2]", "--columns", "backward.gate.std,backward.std^2"],
    "no number": ["step", "--std", "[0, 1]", "--columns", "backward.gain"],
    "another law": ["tanh", "--input", "student_t(df=5, standardised=yes)", "--std", "1:2:2"],
    "laws": ["relu", "--input", "laplace(scale=0.5:2:4)", "--columns", "forward.std"],
    "a layer in a chain": ["elu(alpha=[0.5, 1]) | tanh", "--columns", "forward.std"],
    "sampled": ["relu", "--std", "[1, 2]", "--engine", "monte-carlo", "--samples", "300"],
}


def records(*argv):
    return list(csv.DictReader(io.StringIO(succeed("sweep", *argv, "--format", "csv").stdout)))


def test_text_has_a_row_a_point():
    lines = succeed(*SLOPES).stdout.splitlines()
    assert lines[0] == "leaky_relu: 5 points over negative_slope"
    assert lines[4].split() == ["negative_slope", "forward.std", "backward.std"]
    assert [line.split()[0] for line in lines[5:]] == ["0", "0.25", "0.5", "0.75", "1"]
    assert lines[5].split()[1:] == ["0.5838193701", "0.7071067812"]


def test_a_linear_and_a_logarithmic_axis_are_what_they_say():
    assert [row["negative_slope"] for row in records(*SLOPES[1:])] == ["0.0", "0.25", "0.5", "0.75", "1.0"]
    found = records("relu", "--std", "1e-3:1e3:7:log", "--columns", "forward.std")
    assert [float(row["input_std"]) for row in found] == [0.001, 0.01, 0.1, 1.0, 10.0, 100.0, 1000.0]
    ratios = [float(row["forward.std"]) / float(row["input_std"]) for row in found]
    assert ratios == pytest.approx([0.5838193701] * 7, rel=1e-9)


@pytest.mark.parametrize("case", CASES)
def test_json_is_what_its_schema_accepts_and_holds_no_nan(case):
    def refused(word):
        raise AssertionError(f"{word} is no JSON")

    text = succeed("sweep", *CASES[case], "--format", "json").stdout
    document = json.loads(text, parse_constant=refused)
    jsonschema.validate(document, schema.get("output"))
    branch = next(one for one in schema.get("output")["anyOf"] if "points" in one["properties"])
    jsonschema.validate(document, branch | {"$defs": schema.get("output")["$defs"]})
    assert yaml.safe_load(succeed("sweep", *CASES[case], "--format", "yaml").stdout) == document


@pytest.mark.parametrize("case", CASES)
def test_csv_and_json_tell_the_same_numbers(case):
    document = json.loads(succeed("sweep", *CASES[case], "--format", "json").stdout)
    rows = records(*CASES[case], "--errors")
    for point, row in zip(document["points"], rows, strict=True):
        for name, value in point["values"].items():
            assert row[name] == ("" if value is None else repr(value))
            error = point["errors"][name]
            assert row[f"{name}_error"] == ("" if error is None else repr(error))
        assert (row["sweep"], row["spec"]) == (point["sweep"], point["spec"])
        assert {name: row[name] for name in point["axes"]} == {k: str(v) for k, v in point["axes"].items()}


def test_what_is_swept_of_the_law_is_null_in_the_assumptions():
    document = json.loads(succeed("sweep", "relu", "--std", "[1, 2]", "--mean", "0.5", "--format", "json").stdout)
    assert document["assumptions"]["input"] == {"law": "normal", "mean": 0.5, "std": None}
    assert document["axes"] == [{"name": "input_std", "count": 2, "first": 1, "last": 2}]


@pytest.mark.parametrize("name", [name for name in renderer.names() if renderer.get(name).streams])
@pytest.mark.parametrize("case", CASES)
def test_a_file_and_stdout_hold_the_same(case, name, tmp_path):
    suffix = renderer.get(name).suffixes[0]
    succeed("sweep", *CASES[case], "-o", str(tmp_path / f"x{suffix}"))
    assert (tmp_path / f"x{suffix}").read_text(encoding="utf-8") == succeed(
        "sweep", *CASES[case], "--format", name
    ).stdout


@pytest.mark.parametrize("name", ["text", "markdown", "html", "latex"])
@pytest.mark.parametrize("case", CASES)
def test_every_format_for_people_shows_every_point(case, name):
    text = succeed("sweep", *CASES[case], "--format", name).stdout
    points = json.loads(succeed("sweep", *CASES[case], "--format", "json").stdout)["points"]
    assert len(text.splitlines()) > len(points)


@pytest.mark.parametrize("name", [name for name in renderer.names() if not renderer.get(name).suffixes or name == "c"])
def test_a_format_that_holds_other_things_is_refused_before_anything_is_computed(name):
    result = invoke("sweep", "relu", "--mean", "0:1:1000", "--format", name)
    assert (result.exit_code, result.stdout) == (2, "")


def test_errors_stand_beside_their_numbers():
    head = succeed(*SLOPES, "--errors").stdout.splitlines()[4]
    assert [word.strip() for word in head.split("  ") if word][1:] == [
        "forward.std",
        "forward.std error",
        "backward.std",
        "backward.std error",
    ]


def test_a_grid_has_an_axis_down_and_one_across():
    done = succeed("sweep", "elu(alpha=[0.5, 1])", "--std", "1:3:3", "--columns", "forward.std", "--pivot")
    lines = done.stdout.splitlines()
    assert lines[4] == "forward.std"
    assert lines[6].split() == ["alpha", "\\", "input_std", "1", "2", "3"]
    assert [len(line.split()) for line in lines[7:]] == [4, 4]


def test_a_grid_of_one_axis_is_refused():
    result = invoke(*SLOPES, "--pivot")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "has 1 axis: a grid needs two" in result.stderr


def test_a_grid_has_no_room_for_errors():
    result = invoke("sweep", "elu(alpha=[0.5, 1])", "--std", "1:3:3", "--pivot", "--errors")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--pivot has no room for --errors" in result.stderr


def test_a_law_without_moments_leaves_their_columns_empty():
    rows = records("tanh", "--input", "student_t(df=[1, 3])", "--columns", "forward.std")
    assert [(row["input_mean"], row["input_std"] != "") for row in rows] == [("", False), ("0.0", True)]


def test_digits_round_the_numbers_and_not_the_axes():
    lines = succeed("sweep", "relu", "--std", "1:1.0002:3", "--columns", "forward.std", "--digits", "3").stdout
    assert [line.split() for line in lines.splitlines()[5:]] == [
        ["1", "0.584"],
        ["1.0001", "0.584"],
        ["1.0002", "0.584"],
    ]


def test_a_sweep_may_be_longer_where_rows_are_streamed():
    result = invoke("sweep", "relu", "--mean", "0:1:20001")
    assert result.exit_code == 2
    assert "20_001 points are too many" in result.stderr
    assert "csv" in result.stderr
    assert catalog.MOST_LAYERS > 20_001


def test_an_expression_may_be_swept():
    rows = records('expr("a * tanh(x)", a=1:3:3)', "--columns", "forward.std")
    values = [float(row["forward.std"]) for row in rows]
    assert values == pytest.approx([values[0] * k for k in (1, 2, 3)], rel=1e-14)


def test_notes_are_told_once_on_stderr():
    done = run("sweep", "step", "--std", "[0, 1, 2]", "--columns", "backward.gain", "--format", "csv")
    notes = [line for line in done.stderr.splitlines() if line.startswith("Note: ")]
    assert notes
    assert len(set(notes)) == len(notes)


def test_on_a_terminal_a_long_sweep_shows_how_far_it_is():
    sampled = ["relu", "--std", "1:2:400", "--engine", "monte-carlo", "--samples", "1e6"]
    ended = on_terminal(
        "sweep", *sampled, "--format", "csv", stdout=False,
        when=lambda shown: "points/s" in shown, then=lambda process: process.send_signal(signal.SIGINT),
    )  # fmt: skip
    assert ended.returncode == 130
    assert "%" in ended.shown


@pytest.mark.parametrize("name", ["csv", "json", "text"])
def test_ctrl_c_leaves_the_points_that_are_there(name):
    argv = ["sweep", "relu", "--std", "1:2:300", "--engine", "monte-carlo", "--samples", "1e6"]
    process = subprocess.Popen(
        [*command(*argv), "--format", name],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        bufsize=0,
    )
    try:
        if name == "text":
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(1.5)
            first = b""
        else:
            first = b"".join(process.stdout.readline() for _ in range(3))
        process.send_signal(signal.SIGINT)
        rest, told = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 130
    assert b"Interrupted: the figures are of the draws so far" in told
    text = (first + rest).decode()
    if name == "json":
        assert 0 < len(json.loads(text)["points"]) < 300
    assert 3 <= len(text.splitlines()) < (300 if name != "json" else 20_000)


#: argv behind ``sweep``, what the message names, what it says would do
REFUSED = {
    "nothing swept": (["relu"], "'relu' has no axis", "such as 0:1:11"),
    "one value": (["relu", "--mean", "0.5"], "'relu' has no axis", "such as 0:1:11"),
    "three axes": (["elu(alpha=[1, 2])", "--mean", "0:1:2", "--std", "1:2:2"], "3 axes", "at most 2"),
    "column": (["relu", "--std", "1:2:3", "--columns", "forward.sd"], "'forward.sd'", "forward.std"),
    "no column": (["relu", "--std", "1:2:3", "--columns", ""], "''", "forward.mean"),
    "pass": (["relu", "--std", "1:2:3", "--columns", "forward.std", "--direction", "backward"],
             "forward", "--direction"),
    "input that is none": (["relu", "--std", "[1, 2]", "--columns", "backward.gate.std"], "'gate'", "none"),
    "log through 0": (["relu", "--std", "0:1:5:log"], "logarithmic", "above 0"),
    "log of a parameter through 0": (["elu(alpha=-1:1:5:log)"], "logarithmic", "above 0"),
    "1e9 points": (["relu", "--std", "1:2:1000000000"], "whole number of values from 2 to 1000000", "-3:3:61"),
    "1e9 points on two axes": (["relu", "--std", "1:2:100000", "--mean", "0:1:10000"],
                               "1_000_000_000 points", "at most"),
    "1e9 points in csv": (["relu", "--std", "1:2:100000", "--mean", "0:1:10000", "--format", "csv"],
                          "1_000_000_000", "at most"),
    "range of one": (["relu", "--std", "1:2:1"], "from 2", "0.01:100:31:log"),
    "range without an end": (["relu", "--std", "1:2"], "expected ':'", "0.01:100:31:log"),
    "another value behind": (["relu", "--std", "1, mean=2"], "expected the end", "0.01:100:31:log"),
    "code": (["relu", "--std", "__import__('os')"], "--std cannot be", "0.01:100:31:log"),
    "endless": (["relu", "--std", "[" + "1, " * 400_000 + "1]"], "too long", "at most"),
    "negative std": (["relu", "--std", "-1:1:3"], "std cannot be -1", "a number in [0,"),
    "nan": (["relu", "--std", "[1, nan]"], "--std cannot be 'nan'", "0.01:100:31:log"),
    "suffix": (["relu", "--std", "1:2:3", "-o", "x.png"], "'.png'", ".csv"),
    "unwritable": (["relu", "--std", "1:2:3", "-o", "no/x.csv"], "does not exist", "Create it"),
    "engine": (["tanh", "--std", "1:2:3", "--engine", "closed-form"],
               "closed-form engine cannot serve", "--engine auto"),
}  # fmt: skip


@pytest.mark.parametrize(("argv", "named", "accepted"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_swept_is_refused(argv, named, accepted, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = invoke("sweep", *argv)
    assert (result.exit_code, result.stdout) == (2, "")
    assert named in result.stderr
    assert accepted in result.stderr
    assert list(tmp_path.iterdir()) == []
