"""normcal layers: the whole catalogue, its filter, its formats."""

import csv
import io
import json

import pytest

from normcal import catalog
from tests.program import invoke, on_terminal, run, succeed


def listed(*argv):
    return json.loads(succeed("layers", *argv, "--format", "json").stdout)["layers"]


def test_every_layer_of_the_catalogue_is_listed_once():
    assert [layer["name"] for layer in listed()] == list(catalog.listed())


def test_json_says_what_a_layer_and_its_parameters_are():
    (layer,) = [layer for layer in listed() if layer["name"] == "leaky_relu"]
    assert {"name", "family", "aliases", "summary", "formula", "latex", "params"} <= layer.keys()
    (param,) = layer["params"]
    assert {"name", "default", "accepted", "doc"} <= param.keys()
    assert (param["name"], param["default"]) == ("negative_slope", 0.01)


def test_a_layer_that_its_arguments_make_is_shown_by_an_example():
    shown = {layer["name"]: layer["example"] for layer in listed() if "example" in layer}
    assert shown and set(shown) == set(catalog.listed()) - set(catalog.classes())
    for name, example in shown.items():
        assert catalog.layer(example, code=True).name == name


def test_every_default_in_the_list_is_accepted_again():
    for layer in (one for one in listed() if "example" not in one):
        given = {p["name"]: tuple(d) if isinstance(d := p["default"], list) else d for p in layer["params"]}
        assert catalog.find(layer["name"])(**given).values().keys() == given.keys()


def test_every_alias_leads_to_its_layer():
    for layer in listed():
        for alias in layer["aliases"]:
            assert catalog.find(alias).name == layer["name"]


def test_text_shows_parameters_with_defaults_and_formulas():
    row = next(line for line in succeed("layers").stdout.splitlines() if line.startswith("leaky_relu"))
    assert "negative_slope=0.01" in row
    assert catalog.classes()["leaky_relu"].formula in row


def test_a_default_that_the_layer_derives_is_called_auto():
    row = next(line for line in succeed("layers").stdout.splitlines() if line.startswith("max_pool"))
    assert "stride=auto" in row
    assert "None" not in row


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["max_pool"], {"max_pool", "global_max_pool", "adaptive_max_pool"}),
        (["pool", "global", "average"], {"global_avg_pool"}),
        (["LReLU"], {"leaky_relu"}),
        (["shrinkage"], {"hardshrink", "softshrink", "tanhshrink"}),
        (["clipped", "choice"], {"clipped_relu"}),
        (["MaxPool3d"], {"max_pool", "global_max_pool", "adaptive_max_pool"}),
        (["attention", "averages"], {"attention"}),
    ],
    ids=["name", "all-words", "alias-any-case", "family", "summary", "preset", "two-words"],
)
def test_words_keep_the_layers_that_hold_them(words, expected):
    assert {layer["name"] for layer in listed(*words)} == expected


def test_a_misspelt_word_is_answered_with_the_one_meant():
    result = invoke("layers", "rellu")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Did you mean" in result.stderr
    assert "'relu'" in result.stderr


def test_csv_has_one_row_a_layer():
    rows = list(csv.DictReader(io.StringIO(succeed("layers", "--format", "csv").stdout)))
    assert [row["name"] for row in rows] == list(catalog.listed())


def test_markdown_writes_formulas_in_latex():
    row = next(
        line for line in succeed("layers", "relu", "--format", "markdown").stdout.splitlines() if "| relu " in line
    )
    assert f"${catalog.classes()['relu'].latex}$" in row


def test_piped_text_is_plain():
    done = run("layers")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout and "\u2500" not in done.stdout


def test_a_terminal_gets_a_coloured_table():
    done = on_terminal("layers")
    assert done.returncode == 0
    assert "\x1b[" in done.shown and "\u2500" in done.shown


def test_no_color_is_respected():
    assert "\x1b" not in on_terminal("layers", env={"NO_COLOR": "1"}).shown
