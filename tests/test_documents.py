"""Kinds of documents: each drafts what the command of its name prints, and refuses with file, line and key."""

import json

import pytest

from normcal import config as configs
from normcal import discover, document
from normcal.constants import NUMBER
from normcal.document import Computation
from normcal.draft import Draft
from normcal.errors import NormcalError
from normcal.output import described, outputs
from tests.program import succeed


@pytest.fixture
def drafts(tmp_path, monkeypatch):
    """Return a function that drafts the outputs of a config."""
    monkeypatch.chdir(tmp_path)

    def drafting(text: str) -> list[Draft]:
        (tmp_path / "normcal.yaml").write_text(text, encoding="utf-8")
        computation = Computation()
        return [document.draft(one, computation) for one in outputs(configs.read("normcal.yaml"))]

    return drafting


@pytest.fixture
def drafted(drafts):
    """Return a function that drafts one output of these keys."""

    def drafting(keys: str, head: str = "") -> Draft:
        (found,) = drafts(f"{head}outputs:\n  - {{{keys}}}\n")
        return found

    return drafting


@pytest.fixture
def refusal(drafts):
    """Return a function that returns the error of a config."""

    def refusing(text: str) -> NormcalError:
        with pytest.raises(NormcalError) as caught:
            drafts(text)
        return caught.value

    return refusing


def rows(found: Draft) -> dict:
    return json.loads(found.text)["constants"]


# -- what a document holds is what a command prints


@pytest.mark.parametrize(
    ("format", "path"), [("json", "a.json"), ("yaml", "a.yaml"), ("markdown", "a.md"), ("csv", "a.csv")]
)
def test_a_table_is_what_table_prints(drafted, tmp_path, format, path):
    (tmp_path / "t.yaml").write_text("layers: [relu, silu]\nmean: 0.5\ntitle: A\n")
    found = drafted(f"path: {path}, document: table, config: t.yaml")
    assert found.text == succeed("table", "t.yaml", "--format", format).stdout
    assert {f.cell.role for f in found.figures} >= {NUMBER}


def test_a_table_of_a_config_that_ships_is_found_by_name(drafted):
    assert drafted("path: a.json, document: table, config: default").text == succeed("table", "--format", "json").stdout


@pytest.mark.parametrize("keys", ["layers: [relu, silu]", "layers: {a: relu, b: silu}"])
def test_a_table_may_list_its_own_layers(drafted, keys):
    found = drafted(f"path: a.json, document: table, {keys}")
    assert [row["spec"] for row in json.loads(found.text)["layers"]] == ["relu", "silu"]


def test_the_options_of_an_output_go_over_those_of_its_table(drafted, tmp_path):
    (tmp_path / "t.yaml").write_text("layers: [relu]\nmean: 0.5\nstd: 3\n")
    found = drafted("path: a.json, document: table, config: t.yaml, mean: 1", "tol: 1e-9\n")
    assert json.loads(found.text)["assumptions"]["input"] == {"law": "normal", "mean": 1.0, "std": 3.0}


@pytest.mark.parametrize("digits", ["4", "4.0"])
def test_a_table_has_the_digits_that_are_asked_for(drafted, digits):
    assert " 0.5838 " in drafted(f"path: a.md, document: table, layers: [relu], digits: {digits}").text


def test_the_listing_is_what_layers_prints(drafted):
    found = drafted("path: a.md, document: layers, families: [rectifiers]")
    printed = succeed("layers", "--details", "--family", "rectifiers", "--format", "markdown").stdout
    assert found.text == printed
    assert not found.figures


@pytest.mark.parametrize("name", discover.names("schemas"))
def test_a_schema_is_what_schema_prints(drafted, name):
    assert drafted(f"path: a.json, document: schema, schema: {name}").text == succeed("schema", name).stdout


# -- constants


def test_rows_are_named_by_the_user_or_by_what_was_typed(drafted):
    found = drafted("path: a.json, layers: {mine: relu, 'my own': gelu}")
    assert list(rows(found)) == ["mine", "my own"]
    found = drafted("path: a.json, layers: [relu, 'elu(alpha=0.5)'], keys: camel")
    assert list(rows(found)) == ["relu", "eluAlpha05"]


def test_sweeps_wildcards_and_families_are_expanded(drafted):
    found = drafted("path: a.json, layers: ['elu(alpha=[0.5, 2])', 'hards*']")
    assert list(rows(found))[:2] == ["elu_alpha_0_5", "elu_alpha_2"]
    assert len(rows(found)) > 2
    family = rows(drafted("path: a.json, families: [rectifiers]"))
    assert "relu" in family
    assert "relu" in rows(drafted("path: a.json, layers: [tanh], families: [rectifiers]"))


def test_columns_are_a_list_or_a_mapping_in_their_order(drafted):
    found = drafted("path: a.json, layers: [relu], columns: [backward.std, 'forward.rms_gain^2', '-forward.mean']")
    assert list(rows(found)["relu"]) == ["backward_std", "forward_rms_gain_squared", "minus_forward_mean"]
    found = drafted("path: a.json, layers: [relu], columns: {z: backward.std, a: forward.std}")
    assert list(rows(found)["relu"]) == ["z", "a"]
    assert rows(found)["relu"]["z"] == 0.7071067811865476


def test_a_constraint_puts_one_factor_in_the_place_of_both_gains(drafted):
    keys = "path: a.json, layers: [relu], columns: {f: forward.gain, b: backward.gain, m: forward.mean}"
    free, bound = (rows(drafted(f"{keys}{more}"))["relu"] for more in ("", ", constraint: geometric"))
    one, other, mean = bound.values()
    assert one == other
    assert one**2 == pytest.approx(free["f"] * free["b"])
    assert mean == free["m"]


@pytest.mark.parametrize(
    ("digits", "written"),
    [
        ("3", "0.584"),
        ("3.0", "0.584"),
        ("error", "0.58381937010355"),
        ("round-trip", "0.583819370103549"),
        (17, "0.58381937010354"),
    ],
)
def test_digits_are_those_that_were_asked_for(drafted, digits, written):
    found = drafted(f"path: a.csv, layers: [relu], columns: [forward.std], digits: {digits}")
    number = next(f.cell.text for f in found.figures if f.cell.role == NUMBER)
    assert number.startswith(written)


def test_a_header_of_several_lines_is_a_comment_of_several_lines(drafted):
    found = drafted('path: a.py, layers: [relu], header: "one\\ntwo */ three\\r\\nimport os"')
    assert "\n# one\n# two */ three\n# import os\n" in found.text


def test_an_engine_and_samples_of_an_output_s_own_are_taken(drafted):
    found = drafted("path: a.json, layers: [relu], engine: monte-carlo, samples: 500, seed: 3")
    assert "monte-carlo" in found.text
    assert any(f.cell.kind == "standard-error" for f in found.figures)


def test_results_are_computed_once_for_all_files(drafts, monkeypatch):
    from normcal import pipeline

    calls = []
    run = pipeline.run
    monkeypatch.setattr(pipeline, "run", lambda *arguments: (calls.append(arguments[1]), run(*arguments))[1])
    drafts(
        "layers: [relu, tanh]\n"
        "outputs: [{path: a.py}, {path: a.json}, {path: a.csv, columns: [backward.std, forward.std]}]\n"
    )
    assert len(calls) == 2


@pytest.mark.parametrize(
    ("keys", "place", "told"),
    [
        ("columns: [forward.mean, forward.men]", "columns[1]", "'forward.men'"),
        ("columns: {a: forward.mean, b: 'mean'}", "columns.b", "'mean'"),
        ("columns: [forward.mean, forward.mean]", "columns", "Two columns are called 'forward_mean'"),
        ("columns: [backward.gate.std]", "columns", "'gate'"),
        ("layers: [relu, rellu]", "layers[1]", "'rellu'"),
        ("layers: {a: 'relu('}", "layers.a", "'relu('"),
        ("layers: {a: 'elu(alpha=[1, 2])'}", "layers.a", "stands for 2 layers"),
        ("layers: ['zz*']", "layers[0]", "'zz*'"),
        ("layers: [relu], also: {relu: gelu}", "layers", "Two layers are called 'relu': relu and gelu"),
        ("layers: []", "layers", "'layers'"),
        ("layers: ['dropout(p=0.5)']", "layers[0]", "'p'"),
        ("engine: closed-form, layers: [silu]", "", "closed-form engine cannot serve"),
        ("epilogue: 'x = 1', format: json", "epilogue", "takes no code"),
        ("layout: mapping, format: csv", "layout", "no such layout"),
        ("template: nosuch.j2", "template", "'nosuch.j2' is no file"),
        ("template: .", "template", "is no file"),
        ("name: '1 x', format: python, layout: constants", "", "'1 x'"),
        ("name: class, format: python", "", "'class'"),
        ("document: table, digits: error", "digits", "'error'"),
        ("document: table, config: nosuch", "config", "'nosuch'"),
        ("document: table, config: .", "config", "directory"),
        ("document: schema", "", "'schema' is missing"),
        ("document: layers, format: python", "", "python holds constants"),
    ],
)  # fmt: skip
def test_what_cannot_be_drafted_is_refused_with_its_place(refusal, keys, place, told):
    layers = "" if "layers" in keys or "document" in keys else ", layers: [relu]"
    error = refusal(f"outputs:\n  - {{path: fine.py, layers: [relu]}}\n  - {{path: a.py, {keys}{layers}}}\n")
    assert error.message.startswith(f"normcal.yaml:3: outputs[1]{'.' + place if place else ''}")
    assert told in error.message
    assert error.message.count("normcal.yaml") == 1


def test_an_output_without_layers_is_refused(refusal):
    assert "has no layers" in refusal("outputs: [{path: a.py}]\n").message


# -- a request that a file makes itself


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        ({"layers": ["relu"], "engine": "monte-carlo", "samples": 10**11}, "1.0e+11 random numbers"),
        ({"layers": ["linear"], "engine": "monte-carlo", "samples": 10**6}, "random numbers"),
        ({"layers": ["linear"], "samples": 10**6}, "random numbers"),
        ({"layers": ["conv(in_channels=100)"] , "engine": "monte-carlo"}, "random numbers"),
        ({"layers": ["max_pool(kernel_size=[" + ", ".join(map(str, range(2, 1500))) + "])"]}, "1_498 layers"),
        ({"document": "table", "layers": ["relu"] * 1001}, "1_001 layers"),
        ({"document": "table", "layers": ["relu"], "engine": "monte-carlo", "samples": 10**10}, "random numbers"),
    ],
    ids=["samples", "wide", "wide-of-auto", "wide-by-default", "sweep", "table", "table-samples"],
)  # fmt: skip
def test_a_file_does_not_make_the_program_run_for_hours(tmp_path, request_, told):
    output = described(request_, str(tmp_path / "a.md"), "a.md (itself)")
    with pytest.raises(NormcalError) as caught:
        document.draft(output, Computation())
    assert told in caught.value.message
    assert caught.value.message.startswith("a.md (itself): outputs[0]")
    assert "config" in caught.value.hint


@pytest.mark.parametrize(
    "request_",
    [
        {"layers": ["relu"], "engine": "monte-carlo", "samples": 10_000},
        {"profile": "timm"},
        {"families": ["rectifiers"]},
        {"document": "table", "layers": ["linear(in_features=1000000, out_features=1000000)"]},
    ],
    ids=["sampled", "profile", "family", "not-to-be-simulated"],
)
def test_what_takes_no_long_time_is_computed_for_a_file(tmp_path, request_):
    output = described(request_, str(tmp_path / "a.md"), "a.md (itself)")
    assert document.draft(output, Computation()).text
