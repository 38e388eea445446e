"""normcal kernel: what it prints, in every format, and what it refuses."""

import csv
import io
import json

import pytest

from normcal import schema
from tests.program import invoke, succeed


def document(*argv):
    return json.loads(succeed("kernel", *argv, "--format", "json").stdout)


def test_text_has_a_table_for_each_thing_and_fits_a_screen():
    text = succeed("kernel", "relu", "--sigma-w", "1", "--sigma-b", "1").stdout
    for told in (
        "aₖ",
        "f̂(c)",
        "Derivatives",
        "infinite",
        "Wide networks",
        "Fixed points",
        "q*",
        "c* there",
        "Edge of chaos",
    ):
        assert told in text
    assert "0.1591549431" in text  # 1/(2 pi), the dual at 0
    assert max(map(len, text.splitlines())) <= 130 and len(text.splitlines()) < 75


def test_json_fits_the_schema_and_holds_every_number_with_its_error():
    found = document("tanh", "--sigma-w", "1.5", "--sigma-b", "0.1", "--correlation", "0.5", "--coefficients", "3")
    schema.validate(found, schema.get("output"))
    its = found["kernel"]
    assert [a["k"] for a in its["coefficients"]] == [0, 1, 2, 3]
    assert [row["c"] for row in its["correlations"]] == [0.5]
    (point,) = its["network"]["fixed_points"]["points"]
    assert point["q"]["value"] == pytest.approx(0.8133223268728)
    assert 0.0 < point["q"]["error"] < 1e-11
    assert [c["stable"] for c in point["correlations"]] == [True, False]
    assert its["critical"]["points"][0]["sigma_w"]["error"] < 1e-10


def test_what_is_infinite_is_null_in_json_with_the_reason():
    last = document("relu", "--correlation", "0")["kernel"]["derivatives"][-1]
    assert (last["at"], last["order"], last["value"], last["status"]) == (1.0, 2, None, "infinite")
    assert "jumps" in last["reason"]


def test_csv_is_the_table_of_correlations():
    rows = list(
        csv.DictReader(io.StringIO(succeed("kernel", "erf", "--correlation", "-1:1:5", "--format", "csv").stdout))
    )
    assert [float(row["c"]) for row in rows] == [-1.0, -0.5, 0.0, 0.5, 1.0]
    assert float(rows[3]["dual"]) == pytest.approx(0.21634689593878548, rel=1e-14)
    assert {"dual_error", "map", "map_error", "slope", "slope_error", "route"} <= rows[0].keys()


@pytest.mark.parametrize("format", ["markdown", "yaml", "html", "latex"])
def test_other_formats_hold_it_too(format):
    assert "0.30449889" in succeed("kernel", "relu", "--correlation", "0.5", "--format", format).stdout


def test_an_expression_and_a_chain_have_kernels():
    rows = [
        document(*spec, "--correlation", "0.3", "--q-interval", "1:2")["kernel"]["correlations"][0]["dual"]
        for spec in (("tanh | relu",), ("--expr", "max(tanh(x), 0)"))
    ]
    assert abs(rows[0]["value"] - rows[1]["value"]) <= rows[0]["error"] + rows[1]["error"] < 1e-12


def test_a_surrogate_gradient_plays_no_part_and_that_is_said():
    result = succeed("kernel", "heaviside", "--correlation", "0")
    assert "surrogate" in result.stderr and "jumps" in result.stderr
    assert document("heaviside", "--correlation", "0")["kernel"]["derivatives"][2]["status"] == "infinite"


def test_the_law_is_said_and_used():
    its = document("sin", "--mean", "0.5", "--std", "2", "--correlation", "0.5")["kernel"]
    assert its["input"] == {"law": "normal", "mean": 0.5, "std": 2.0}
    assert its["network"]["q"] == 4.0


def test_no_fixed_point_is_said_plainly():
    assert (
        "No fixed points, searched at q = 0 and for q from 0.0001 to 1e+04."
        in succeed("kernel", "relu", "--sigma-w", "2", "--sigma-b", "0.3").stdout
    )


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (("relu", "--correlation", "1.5"), "a correlation cannot be 1.5"),
        (("relu", "--correlation", "x"), "a correlation cannot be"),
        (("relu", "--correlation", "0:1:5000"), "too many"),
        (("relu", "--sigma-w=-1"), "sigma_w cannot be -1"),
        (("relu", "--sigma-b", "nan"), "sigma_b cannot be nan"),
        (("relu", "--std", "0"), "std cannot be 0"),
        (("tanh", "--std", "1e300"), "std cannot be 1e+300"),
        (("numpy:tanh",), "not as a formula"),
        (("relu", "tanh"), "one layer, not 2"),
        (("relu", "--q-interval", "5:1"), "q cannot be searched"),
        (("relu", "--q-interval", "a:b"), "q-interval cannot be"),
        (("relu", "--q-interval", "1"), "q-interval cannot be"),
        (("relu", "--coefficients", "300"), "coefficients cannot be 300"),
        (("max_pool",), "one function applied to every entry"),
        ((), "No layer given"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_bad_input_is_refused_in_two_lines(argv, told):
    result = invoke("kernel", *argv)
    assert result.exit_code == 2
    assert told in result.stderr and result.stdout == ""
    assert len(result.stderr.strip().splitlines()) == 2
