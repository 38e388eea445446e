"""normcal verify: every engine against every other, verdicts, exit codes, and that it can disagree."""

import csv
import io
import json
import math

import pytest

from normcal import catalog, engine, renderer, verification
from normcal.commands import _verdicts
from normcal.report import View
from normcal.request import Request
from normcal.value import Value
from tests.program import invoke, on_terminal, run, succeed

FEW = ("--samples", "2000")


def verified(*argv):
    return json.loads(succeed("verify", *argv, *FEW, "--format", "json").stdout)


def test_every_engine_is_compared_with_every_other():
    pairs = {frozenset(c["engines"]) for c in verified("relu")["comparisons"] if c["direction"] == "forward"}
    names = set(engine.serving(catalog.layer("relu"), "forward"))
    assert frozenset(("closed-form", "quadrature")) in pairs
    assert any("monte-carlo" in pair and len(pair & names) == 2 for pair in pairs)
    assert {name for pair in pairs for name in pair} >= names


def test_json_counts_what_it_lists():
    found = verified("relu", "tanh")
    assert {"schema", "generator", "assumptions", "verdicts", "comparisons"} <= found.keys()
    verdicts = [c["verdict"] for c in found["comparisons"]]
    assert found["verdicts"] == {v: verdicts.count(v) for v in ("agree", "disagree", "undecided")}
    assert found["verdicts"]["disagree"] == 0
    assert {c["spec"] for c in found["comparisons"]} == {"relu", "tanh"}


def test_monte_carlo_is_judged_by_z_scores_within_a_limit():
    scores = [c for c in verified("relu")["comparisons"] if c["kind"] == "z-score"]
    assert scores
    for c in scores:
        assert "monte-carlo" in c["engines"]
        assert 4.0 < c["limit"] < 7.0
        assert abs(c["score"]) <= c["limit"]


def test_the_limit_grows_with_the_number_of_comparisons_and_keeps_the_level():
    alone, many = verification.z_limit(1), verification.z_limit(1000)
    assert alone < many
    for n, limit in ((1, alone), (1000, many)):
        assert n * math.erfc(limit / math.sqrt(2)) < 1e-4


def test_direction_restricts_the_comparisons():
    found = verified("relu", "--direction", "backward")
    assert {c["direction"] for c in found["comparisons"]} == {"backward"}


def test_text_has_a_row_for_each_layer_and_direction():
    lines = succeed("verify", "relu", "tanh", *FEW).stdout.splitlines()
    for name in ("relu", "tanh"):
        assert [line.split()[1] for line in lines if line.startswith(f"{name} ")] == ["forward", "backward"]
    assert all(line.endswith(" agree") for line in lines if line.startswith(("relu ", "tanh ")))


def test_a_config_names_the_layers(tmp_path):
    (tmp_path / "c.yaml").write_text("layers: [relu, relu, tanh]\nmean: 0.5\n")
    found = verified("--config", str(tmp_path / "c.yaml"))
    assert list(dict.fromkeys(c["spec"] for c in found["comparisons"])) == ["relu", "tanh"]
    assert found["assumptions"]["input"]["mean"] == 0.5


def test_specs_and_a_config_together_are_refused():
    result = invoke("verify", "relu", "--config", "default")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--config" in result.stderr


@pytest.fixture
def wrong_formula(monkeypatch):
    """Make the closed form of ReLU's forward std wrong in the 9th digit."""
    cls = catalog.classes()["relu"]
    right = cls.closed_forward

    def wrong(self, law, m):
        mean, std = right(self, law, m)
        return mean, std * (1.0 + 1e-9)

    monkeypatch.setattr(cls, "closed_forward", wrong)


@pytest.mark.usefixtures("wrong_formula")
def test_a_wrong_formula_is_found_named_and_exits_with_1():
    result = invoke("verify", "relu", "tanh", *FEW)
    assert result.exit_code == 1
    told = [line for line in result.stderr.splitlines() if line.startswith("Disagree")]
    assert told
    for line in told:
        assert "relu" in line and "forward" in line and "closed-form" in line
        assert "tanh" not in line
    assert "0.58381937" in told[0]
    rows = [line for line in result.stdout.splitlines() if line.startswith("relu ") and " forward " in line]
    assert len(rows) == 1 and rows[0].endswith("disagree")


def test_a_biased_simulation_is_found(monkeypatch):
    cls = catalog.classes()["tanh"]
    right = cls.simulate
    monkeypatch.setattr(cls, "simulate", lambda self, *args: right(self, *args) * 1.02)
    result = invoke("verify", "tanh", "--samples", "400000")
    assert result.exit_code == 1
    assert "monte-carlo" in result.stderr
    assert "z-score" in result.stderr


@pytest.mark.usefixtures("wrong_formula")
def test_a_disagreement_is_written_whole_in_machine_formats():
    result = invoke("verify", "relu", *FEW, "--format", "json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["verdicts"]["disagree"] >= 1


@pytest.mark.parametrize("format", ["json", "yaml", "csv", "markdown", "text"])
def test_an_exact_value_that_is_wrong_has_an_infinite_score_and_no_format_breaks(format):
    values = (Value(1.0, 0.0), Value(2.0, 0.0))
    wrong = verification.Comparison(
        "relu", "forward", "mean", ("closed-form", "quadrature"), values, False, verification._score(*values)
    )
    assert wrong.verdict == "disagree"
    report = _verdicts.report(Request(direction="forward"), [catalog.layer("relu")], [wrong])
    text = renderer.get(format).render(report, View())
    assert "disagree" in text
    if format in ("json", "yaml", "csv"):
        assert not {"inf", ".inf", "Infinity", "nan"} & set(text.replace(",", " ").split())


@pytest.mark.parametrize(
    "argv",
    [("--mean", "-38"), ("--mean", "38"), ("--std", "0"), ("--mean", "1", "--std", "0"), ("--std", "1e-300")],
    ids=["left-tail", "right-tail", "constant-zero", "constant", "tiny"],
)
def test_a_correct_layer_is_not_accused_at_an_extreme_input(argv):
    result = invoke("verify", "relu", *argv, *FEW)
    assert result.exit_code == 0, result.output


def test_a_layer_that_one_engine_serves_is_undecided_not_wrong():
    result = succeed("verify", "linear(in_features=1000000, out_features=1000000)", *FEW)
    assert "undecided" in result.stdout
    assert "nothing to compare" in result.stderr


def test_csv_has_one_row_a_comparison():
    rows = list(csv.DictReader(io.StringIO(succeed("verify", "relu", *FEW, "--format", "csv").stdout)))
    assert len(rows) == len(verified("relu")["comparisons"])
    assert {row["verdict"] for row in rows} == {"agree"}


def test_a_fresh_process_verifies_and_exits_with_0():
    done = run("verify", "relu", *FEW)
    assert (done.returncode, done.stderr) == (0, "")
    assert "0 disagree" in done.stdout
    assert "\x1b" not in done.stdout


def test_a_terminal_gets_a_coloured_table():
    done = on_terminal("verify", "relu", *FEW)
    assert done.returncode == 0
    assert "\x1b[" in done.shown and "\u2500" in done.shown


def test_a_misspelt_layer_is_answered_with_the_one_meant():
    result = invoke("verify", "sigmoud")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Did you mean 'sigmoid'" in result.stderr
