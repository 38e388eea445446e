"""normcal table: configs, options over configs, every row, text, CSV and terminal."""

import csv
import io
import json
import re
import shutil

import pytest

from tests.program import ROOT, invoke, on_terminal, run, succeed

SMALL = """\
title: A small table
layers: [relu, "leaky_relu(negative_slope=0.2)", tanh]
mean: 0.5
std: 2
"""


@pytest.fixture
def config(tmp_path):
    """Write a config and return its path."""

    def written(text: str = SMALL) -> str:
        path = tmp_path / "small.yaml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return written


def document(*argv):
    return json.loads(succeed("table", *argv, "--format", "json").stdout)


def test_the_default_table_holds_every_layer_of_the_catalogue():
    from normcal import catalog

    assert {row["layer"] for row in document()["layers"]} == set(catalog.classes())


def test_the_default_config_is_the_shipped_one():
    assert document() == document("default") == document(str(ROOT / "configs" / "default.yaml"))


def test_a_shipped_config_goes_by_its_name_in_any_folder(tmp_path):
    done = run("table", "articles", "--format", "json", cwd=tmp_path)
    assert done.returncode == 0
    assert json.loads(done.stdout)["comparisons"]


def test_a_file_beats_a_shipped_config_of_the_same_name(tmp_path):
    (tmp_path / "default").write_text("layers: [tanh]")
    done = run("table", "default", "--format", "json", cwd=tmp_path)
    assert [row["layer"] for row in json.loads(done.stdout)["layers"]] == ["tanh"]


def test_json_has_the_documented_keys(config):
    found = document(config())
    assert {"schema", "generator", "assumptions", "layers"} <= found.keys()
    assert found["assumptions"]["input"] == {"law": "normal", "mean": 0.5, "std": 2.0}
    assert [row["spec"] for row in found["layers"]] == ["relu", "leaky_relu(negative_slope=0.2)", "tanh"]
    for row in found["layers"]:
        assert {"layer", "spec", "params", "forward", "backward", "jacobian_factor", "notes"} <= row.keys()


def test_options_override_the_config(config):
    path = config()
    found = document(path, "--mean", "0", "--direction", "forward")
    assert found["assumptions"]["input"] == {"law": "normal", "mean": 0.0, "std": 2.0}
    assert all(row["backward"] is None for row in found["layers"])


@pytest.mark.parametrize(
    ("line", "key", "expected"),
    [
        ("engine: monte-carlo\nsamples: 2000", "samples", 2000),
        ("engine: monte-carlo\nsamples: 2e3", "samples", 2000),
        ("engine: monte-carlo\nsamples: 2000\nseed: 7", "seed", 7),
        ("engine: quadrature", "engine", "quadrature"),
        ("tol: 1e-30", "status", "tolerance-missed"),
    ],
    ids=["samples", "samples-with-exponent", "seed", "engine", "tolerance"],
)
def test_the_config_sets_options(config, line, key, expected):
    (row,) = document(config(f"layers: [tanh]\n{line}\n"))["layers"]
    assert row["forward"][key] == expected


def test_the_config_picks_the_format_and_an_option_overrides_it(config):
    path = config("layers: [relu]\nformat: csv\n")
    assert succeed("table", path).stdout.startswith("spec,")
    assert succeed("table", path, "--format", "json").stdout.startswith("{")


def test_the_suffix_of_the_output_beats_the_format_of_the_config(config, tmp_path):
    succeed("table", config("layers: [relu]\nformat: csv\n"), "-o", str(tmp_path / "t.json"))
    assert json.loads((tmp_path / "t.json").read_text())["layers"]


def test_the_config_picks_the_digits_and_an_option_overrides_them(config):
    path = config("layers: [relu]\ndigits: 3\n")
    assert re.search(r"\b0\.584\b", succeed("table", path).stdout)
    assert re.search(r"\b0\.58382\b", succeed("table", path, "--digits", "5").stdout)


@pytest.mark.parametrize("digits", ["0", "-1", "18"])
def test_digits_out_of_range_are_refused_whatever_the_config_says(config, digits):
    for path in (config("layers: [relu]\n"), config("layers: [relu]\ndigits: 3\n")):
        result = invoke("table", path, "--digits", digits)
        assert (result.exit_code, result.stdout) == (2, "")
        assert "digits" in result.stderr


def test_a_layer_may_stand_twice(config):
    assert len(document(config("layers: [relu, relu]"))["layers"]) == 2


def test_piped_text_is_plain_with_one_row_a_layer(config):
    done = run("table", config())
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    assert not re.search("[\u2500-\u257f]", done.stdout)
    assert done.stdout.startswith("A small table\n")
    for spec in ("relu ", "leaky_relu(negative_slope=0.2) ", "tanh "):
        assert sum(line.startswith(spec) for line in done.stdout.splitlines()) == 1


def test_a_terminal_gets_a_coloured_table(config):
    done = on_terminal("table", config())
    assert done.returncode == 0
    assert "\x1b[" in done.shown and "\u2500" in done.shown
    assert "leaky_relu(negative_slope=0.2)" in done.shown


def test_no_color_is_respected(config):
    done = on_terminal("table", config(), env={"NO_COLOR": "1"})
    assert "\x1b" not in done.shown and "\u2500" in done.shown


@pytest.mark.parametrize("width", [60, 80])
def test_a_narrow_terminal_breaks_no_number(config, width):
    shown = on_terminal("table", config(), width=width, env={"NO_COLOR": "1"}).shown
    broken = [line for line in shown.splitlines() if re.fullmatch(r"[\s\d.]*\d[\s\d.]*", line)]
    assert not broken, shown


def test_markdown_is_a_table_for_every_layer(config):
    lines = succeed("table", config(), "--format", "markdown").stdout.splitlines()
    rows = [line for line in lines if line.startswith("|")]
    assert len(rows) == 2 + 3
    assert len({line.count("|") for line in rows}) == 1


def test_csv_has_one_row_for_each_direction_of_each_layer(config):
    rows = list(csv.DictReader(io.StringIO(succeed("table", config(), "--format", "csv").stdout)))
    specs = ["relu", "leaky_relu(negative_slope=0.2)", "tanh"]
    assert [(row["spec"], row["direction"]) for row in rows] == [
        (spec, direction) for spec in specs for direction in ("forward", "backward")
    ]


def test_csv_and_json_hold_the_same_digits(config):
    path = config()
    rows = list(csv.DictReader(io.StringIO(succeed("table", path, "--format", "csv").stdout)))
    layers = {layer["spec"]: layer for layer in document(path)["layers"]}
    for row in rows:
        record = layers[row["spec"]][row["direction"]]
        for key in ("mean", "std", "rms", "gain", "rms_gain"):
            assert row[key] == ("" if record[key] is None else repr(record[key]))


def test_the_articles_table_has_its_grid_and_its_comparisons():
    found = document("articles")
    assert {cell for column in found["grid"].values() for cell in column} == {"fp mean", "fp std", "bp std"}
    for comparison in found["comparisons"]:
        assert {"where", "printed", "spec", "quantity", "computed", "computed_error", "verdict"} <= comparison.keys()
    verdicts = {comparison["verdict"] for comparison in found["comparisons"]}
    assert verdicts == {"exact", "sampling", "other-definition"}


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_the_articles_table_takes_every_option(direction):
    found = document("articles", "--direction", direction)
    other = "backward" if direction == "forward" else "forward"
    assert all(row[other] is None for row in found["layers"])


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("layer: [relu]", "'layers'"),
        ("layers: [relu]\nengin: auto", "'engine'"),
        ("layers: [rellu]", "'relu'"),
        ("layers: [relu]\nengine: quadratur", "'quadrature'"),
        ("layers: [relu]\nformat: markdwon", "'markdown'"),
        ("layers: [relu]\ndirection: foward", "'forward'"),
        ("layers: [max_pool(kernel_siz=2)]", "'kernel_size'"),
        ("layers: [relu]\ngrid: {rows: {a: forward.mea}, columns: {b: relu}}", "'forward.mean'"),
        ("layers: [relu]\ngrid: {row: {a: forward.mean}, columns: {b: relu}}", "'rows'"),
        ("layers: [relu]\nprinted: [{printd: '0', layer: relu, quantity: forward.mean}]", "'printed'"),
        ("layers: [relu]\nprinted: [{printed: '0', layer: relu, quantity: forwrd.mean}]", "'forward.mean'"),
        ("layers: [relu]\nprinted: [{printed: '0', layer: rellu, quantity: forward.mean}]", "'relu'"),
    ],
    ids=[
        "key", "option", "layer", "engine", "format", "direction", "parameter", "quantity", "grid-key", "printed-key",
        "printed-quantity", "printed-layer",
    ],
)  # fmt: skip
def test_a_misspelt_word_in_a_config_is_answered_with_the_one_meant(config, text, meant):
    result = invoke("table", config(text))
    assert (result.exit_code, result.stdout) == (2, "")
    assert re.search(rf"Did you mean .*{re.escape(meant)}", result.stderr), result.stderr


def test_an_error_in_a_config_names_the_file(config):
    path = config("layers: [relu]\nprinted: [{printed: '0', layer: rellu, quantity: forward.mean}]")
    assert path in invoke("table", path).stderr
    path = config("layers: [rellu]")
    assert path in invoke("table", path).stderr


def test_a_copied_config_gives_the_same_table(tmp_path):
    shutil.copy(ROOT / "configs" / "default.yaml", tmp_path / "mine.yaml")
    assert succeed("table", str(tmp_path / "mine.yaml")).stdout == succeed("table").stdout
