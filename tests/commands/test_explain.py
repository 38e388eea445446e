"""normcal explain: definition, formulas, assumptions, engines and references of one layer."""

import json
import re

import pytest

from normcal import catalog, discover
from tests.program import invoke, on_terminal, run, succeed

FEW = ("--samples", "2000")


def explained(*argv):
    return json.loads(succeed("explain", *argv, *FEW, "--format", "json").stdout)


@pytest.mark.parametrize(
    "spec",
    ["relu", "gelu", "tanh", "max_pool", "dropout", "linear(in_features=8)", "conv(in_channels=3, out_channels=4)"],
)
def test_text_holds_definition_formula_assumptions_engines_and_references(spec):
    text = succeed("explain", spec, *FEW).stdout
    layer = catalog.layer(spec)
    cls = type(layer)
    assert text.startswith(layer.spec)
    assert cls.summary() in text
    assert cls.formula in text
    assert "N(0, 1)" in text
    for assumption in cls.assumptions:
        assert assumption in text
    for engine in discover.names("engines"):
        assert engine in text
    for reference in cls.references:
        assert str(reference) in text


def test_text_writes_formulas_in_unicode_and_markdown_in_latex():
    text, markdown = (succeed("explain", "gelu", *FEW, "--format", f).stdout for f in ("text", "markdown"))
    cls = catalog.classes()["gelu"]
    assert cls.formula in text and cls.latex not in text
    assert f"$$\n{cls.latex}\n$$" in markdown
    for _, unicode, latex in cls.moments:
        assert unicode in text
        assert latex.replace("|", r"\vert ") in markdown


def test_json_has_every_engine_in_both_directions():
    found = explained("relu")
    assert {"schema", "generator", "layer", "spec", "formula", "assumptions", "engines", "references"} <= found.keys()
    pairs = {(record["direction"], record["engine"]) for record in found["engines"]}
    assert pairs == {(d, e) for d in ("forward", "backward") for e in discover.names("engines")}
    for record in found["engines"]:
        if record["engine"] == "adaptive":  # for what is known by nothing else
            assert record["reason"] == "relu is known by more than its values"
            continue
        assert record["std"] > 0
        assert record["error"]["kind"] == ("standard-error" if record["engine"] == "monte-carlo" else "bound")


def test_an_engine_that_does_not_serve_says_why():
    record = next(r for r in explained("tanh")["engines"] if r["engine"] == "closed-form")
    assert "std" not in record
    assert "closed form" in record["reason"]


def test_the_input_law_reaches_the_figures_and_the_assumptions():
    found = explained("identity", "--mean", "0.5", "--std", "2")
    assert any("N(0.5, 2^2)" in assumption for assumption in found["assumptions"])
    record = next(r for r in found["engines"] if (r["direction"], r["engine"]) == ("forward", "closed-form"))
    assert (record["mean"], record["std"]) == (0.5, 2.0)


def test_parameters_are_shown_with_the_value_in_force():
    text = succeed("explain", "leaky_relu(negative_slope=0.25)", *FEW).stdout
    assert re.search(r"^negative_slope\s+0\.25\s", text, re.MULTILINE)


def test_seed_and_samples_reach_the_sampled_figures():
    records = [r for r in explained("relu", "--seed", "9")["engines"] if r["engine"] == "monte-carlo"]
    assert [(r["samples"], r["seed"]) for r in records] == [(2000, 9)] * 2


def test_a_misspelt_layer_is_answered_with_the_one_meant():
    result = invoke("explain", "sigmoud")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Did you mean 'sigmoid'" in result.stderr


@pytest.mark.parametrize("argv", [[], ["relu", "gelu"]], ids=["none", "two"])
def test_exactly_one_spec_is_taken(argv):
    result = invoke("explain", *argv)
    assert (result.exit_code, result.stdout) == (2, "")


@pytest.mark.parametrize("spec", ["max_pool(kernel_size=10000)", "linear(in_features=1000000, out_features=1000000)"])
def test_a_layer_too_large_to_simulate_is_explained_all_the_same(spec):
    records = explained(spec)["engines"]
    reasons = [r["reason"] for r in records if r["engine"] == "monte-carlo"]
    assert len(reasons) == 2 and all(reasons)
    assert all(r["std"] > 0 for r in records if "std" in r)


def test_piped_text_is_plain():
    done = run("explain", "relu", *FEW)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    assert not re.search("[\u2500-\u257f]", done.stdout)


def test_a_terminal_gets_coloured_tables():
    done = on_terminal("explain", "relu", *FEW)
    assert done.returncode == 0
    assert "\x1b[" in done.shown and "\u2500" in done.shown


def test_no_color_is_respected():
    assert "\x1b" not in on_terminal("explain", "relu", *FEW, env={"NO_COLOR": "1"}).shown
