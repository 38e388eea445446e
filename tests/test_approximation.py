"""What a chain would give with normal input all along stands beside its true figures in every output."""

import csv
import io
import json

import pytest

from normcal import approximation, catalog, pipeline
from normcal.engine import Effort
from normcal.law import STANDARD, Gradient, Normal
from normcal.layer import BACKWARD, DIRECTIONS, FORWARD
from normcal.request import Request
from tests.program import succeed

CHAIN = "relu | tanh"


def approximated(*texts, law=STANDARD, directions=DIRECTIONS, **effort):
    return approximation.approximated([catalog.layer(text) for text in texts], law, directions, Effort(**effort))


def test_the_json_of_a_chain_says_what_each_layer_was_fed_and_how_far_off_it_is():
    (record,) = json.loads(succeed("compute", CHAIN, "--format", "json").stdout)["layers"]
    gaussian = record["gaussian"]
    assert record["stages"] == [stage["spec"] for stage in gaussian["stages"]] == ["relu", "tanh"]
    assert gaussian["stages"][1]["input"] == {"law": "normal", "mean": 0.3989422804014327, "std": 0.583819370103549}
    for direction in DIRECTIONS:
        assert gaussian[f"{direction}_ratio"] == gaussian[direction]["std"] / record[direction]["std"]
        assert 0.0 < gaussian[f"{direction}_ratio_error"] < 1e-12


def test_the_rows_of_csv_have_the_same_columns_and_say_which_are_approximate():
    rows = list(csv.DictReader(io.StringIO(succeed("compute", "relu", CHAIN, "--format", "csv").stdout)))
    assert [row["of"] for row in rows] == ["", "", "", "", *["gaussian approximation"] * 2]
    assert {len(row) for row in rows} == {len(rows[0])} and None not in rows[-1]


@pytest.mark.parametrize("kind", ["text", "markdown", "latex", "html"])
def test_a_reader_sees_the_factor_beside_the_true_std(kind):
    shown = succeed("compute", CHAIN, "--format", kind).stdout
    assert "Gaussian approximation" in shown and "1.245681165" in shown and "1.121533671" in shown


def test_a_markdown_table_of_chains_is_well_formed():
    lines = [line for line in succeed("compute", CHAIN, "--format", "markdown").stdout.splitlines() if "tanh" in line]
    assert lines and all(r"relu \| tanh" in line for line in lines)
    assert {line.replace(r"\|", "").count("|") for line in lines} <= {12, 3, 8}


def test_explain_lists_the_laws_that_the_layers_are_fed():
    shown = succeed("explain", CHAIN, "--samples", "1000").stdout
    assert "tanh is fed N(0.398942280401, 0.583819370104^2)" in shown and "1.245681165" in shown


def test_a_layer_alone_is_its_own_approximation():
    found = approximated("gelu", law=Normal(0.3, 1.2))
    for direction in DIRECTIONS:
        layer = catalog.layer("gelu")
        (row,) = pipeline.run(Request(mean=0.3, std=1.2), [layer]).layers
        assert found.of(direction).std.value == getattr(row, direction).std.value


def test_the_backward_std_is_the_product_of_the_layers():
    fed = approximated("elu", "silu", "tanh", directions=[FORWARD]).laws
    alone = [approximated(spec, law=law, directions=[BACKWARD]).backward.std.value for spec, law in fed]
    whole = approximated("elu", "silu", "tanh").backward
    assert whole.std.value == pytest.approx(alone[0] * alone[1] * alone[2], rel=1e-14)
    assert whole.error_kind == "bound" and whole.std.error < 1e-13


@pytest.mark.parametrize("gradient", [Gradient(mean=0.5), Gradient(correlation=0.3)], ids=str)
def test_a_gradient_whose_std_is_no_factor_leaves_the_backward_figure_out(gradient):
    assert approximated("relu", "tanh", law=Normal(gradient=gradient)).backward is None


def test_the_std_of_the_gradient_is_a_factor():
    plain, twice = approximated("relu", "tanh"), approximated("relu", "tanh", law=Normal(gradient=Gradient(std=2.0)))
    assert twice.backward.std.value == 2.0 * plain.backward.std.value
    assert twice.forward == plain.forward


def test_an_error_that_was_sampled_covers_what_it_does_behind():
    first = "rnn_cell(init=torch_default, input_size=2, hidden_size=2)"
    found = [approximated(first, "gelu", samples=4000, seed=seed).forward for seed in range(12)]
    exact = approximated(first, "gelu", samples=2_000_000, seed=99).forward
    scores = [(one.std.value - exact.std.value) / one.std.error for one in found]
    assert max(map(abs, scores)) < 4.0 and max(map(abs, scores)) > 0.1
