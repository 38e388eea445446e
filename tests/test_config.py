"""Reading configs: every shipped one runs, and no file whatever does more than be refused."""

import json
import math

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from normcal import audit, catalog, config, tabulation
from normcal.errors import FileError, NormcalError, RequestError
from normcal.grid import Grid
from normcal.quantity import PATHS
from normcal.request import Request
from normcal.result import Result
from tests.program import ROOT, succeed

STEADY = settings(derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow])
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
SHIPPED = [path for path in CONFIGS if config.read(str(path)).layers]
KEYS = ["title", "layers", "format", "digits", "grid", "printed", *Request.names()]

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.dates()
    | st.sampled_from(["relu", "max_pool(kernel_size=2)", "relu(", "1e5", "forward", "monte-carlo", "json"])
)  # fmt: skip
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8) | st.integers(), inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def reading(tmp_path_factory):
    """Return a function that writes a config and reads it."""
    path = tmp_path_factory.mktemp("configs") / "c.yaml"

    def read(content: str | bytes) -> config.Config:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return config.read(str(path))

    return read


def refused_or(read, content):
    try:
        return read(content)
    except NormcalError as error:
        assert error.exit_code == 2
        assert "c.yaml" in error.message
        return None


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_config_is_read_and_runs(path):
    found = config.read(str(path))
    document = json.loads(succeed("table", path, "--format", "json").stdout)
    assert [layer["spec"] for layer in document["layers"]] == [layer.spec for layer in catalog.layers(found.layers)]
    for layer in document["layers"]:
        for direction in Request().updated(found.options).directions:
            assert layer[direction]["status"] == "ok"


def test_the_configs_that_ship_are_found_by_name():
    assert sorted(config.shipped()) == [path.stem for path in SHIPPED]
    assert {"default", "articles"} <= config.shipped().keys()
    for name in config.shipped():
        assert config.read(name).layers


def test_every_option_of_a_request_may_stand_in_a_config(reading):
    values = {
        "direction": "forward", "mean": 0.5, "std": 2, "engine": "quadrature", "tol": 1e-9, "samples": 1000, "seed": 3,
        "workers": 2, "sampler": "sobol", "rtol": 1e-4, "executor": "processes", "gradient_mean": 0.5,
        "gradient_std": 2, "correlation": 0.25, "input": "laplace(standardised=yes)",
    }  # fmt: skip
    assert values.keys() == set(Request.names()) - {"cluster"}
    found = reading(yaml.safe_dump({"layers": ["relu"]} | values))
    assert Request().updated(found.options) == Request(**values)


@pytest.mark.parametrize(
    ("line", "key", "value"),
    [
        ("tol: 1e-9", "tol", 1e-9),
        ("mean: 1e3", "mean", 1000.0),
        ("samples: 1e6", "samples", 1_000_000),
        ("samples: 1_000_000", "samples", 1_000_000),
        ("seed: 1e3", "seed", 1000),
    ],
    ids=["tolerance", "mean", "samples", "samples-with-underscores", "seed"],
)
def test_numbers_may_be_written_as_on_the_command_line(reading, line, key, value):
    request = Request().updated(reading(f"layers: [relu]\n{line}\n").options)
    assert getattr(request, key) == value


def test_a_config_of_layers_alone_leaves_the_defaults(reading):
    found = reading("layers: [relu]")
    assert Request().updated(found.options) == Request()
    assert (found.title, found.format, found.digits, found.grid, found.printed) == ("", None, None, None, [])


@STEADY
@given(content=st.binary())
def test_arbitrary_bytes_are_read_or_refused(reading, content):
    refused_or(reading, content)


@STEADY
@given(
    content=st.text(st.characters(exclude_categories=["Cs"]))
    | st.text(st.sampled_from("layers: [relu]\n-{}&*!|>'\"#%@,?~<= \t0x"))
)
def test_arbitrary_text_is_read_or_refused(reading, content):
    refused_or(reading, content)


@STEADY
@given(content=st.lists(st.sampled_from(
    ["layers", ": ", "[", "]", "{", "}", "relu", ", ", "\n", "  ", "- ", "&a ", "*a ", "<<: ", "? ", "!!bool ",
     "!!int ", "!!float ", "!!timestamp ", "!!binary ", "!!set ", "!!omap ", "!!pairs ", "!!map ", "!!seq ", "!!null ",
     "!!str ", "!x ", "''", "0x", "1", ".inf", "=", "---\n", "...\n", "%YAML 1.1\n", "|\n", ">\n", "#"]
), max_size=12).map("".join))  # fmt: skip
def test_pieces_of_yaml_are_read_or_refused(reading, content):
    refused_or(reading, content)


@STEADY
@given(document=TREES)
def test_arbitrary_documents_are_read_or_refused(reading, document):
    refused_or(reading, yaml.safe_dump(document))


@STEADY
@given(extra=st.dictionaries(st.sampled_from(KEYS), TREES, max_size=4))
def test_known_keys_with_arbitrary_values_are_read_or_refused(reading, extra):
    found = refused_or(reading, yaml.safe_dump({"layers": ["relu"]} | extra))
    if found is not None:
        assert all(isinstance(layer, str) for layer in found.layers)
        assert isinstance(Request().updated(found.options), Request)


def brief(value):
    """Whether a number of samples, if it is one, is soon drawn."""
    return not isinstance(value, (int, float)) or isinstance(value, bool) or not 1000 < value < math.inf


RIGHT = st.fixed_dictionaries(
    {
        "printed": st.sampled_from(["0.4", "-1", "sqrt(1/2)", "sqrt(p)"]),
        "layer": st.sampled_from(["relu", "tanh"]),
        "quantity": st.sampled_from(PATHS),
    },
    optional={"with": st.just({"p": 0.5}), "samples": st.just(200), "where": st.just("here"), "remark": st.just("so")},
)
WRONG = st.dictionaries(st.sampled_from(["printed", "layer", "quantity", "where", "remark"]), TREES, max_size=1) | (
    st.fixed_dictionaries({"samples": TREES.filter(brief)})
    | st.fixed_dictionaries({"with": TREES | st.dictionaries(st.just("p"), TREES)})
)


@STEADY
@given(entry=st.builds(lambda right, wrong: right | wrong, RIGHT, WRONG) | TREES)
def test_arbitrary_printed_entries_are_judged_or_refused(entry):
    read = config.Config(path="c.yaml", layers=["relu"], printed=[entry])
    try:
        shown = tabulation.report(read, Request(), Result(()))
    except RequestError as error:
        assert "c.yaml" in error.message
    else:
        assert shown.data["comparisons"][0]["verdict"] in audit.CLASSES
        (row,) = shown.blocks[-2].rows
        assert all(not isinstance(cell, (int, float, list, dict)) for cell in row)


@STEADY
@given(described=st.fixed_dictionaries(
    {"rows": TREES | st.dictionaries(st.text(max_size=5), st.sampled_from(PATHS)),
     "columns": TREES | st.dictionaries(st.text(max_size=5), st.just("relu"))},
    optional={"title": TREES, "corner": TREES},
))  # fmt: skip
def test_arbitrary_grids_are_laid_out_or_refused(described):
    try:
        grid = Grid(described, Request())
    except RequestError:
        return
    assert grid.blocks()


@pytest.mark.parametrize(
    "content", ["layers: !!python/object/apply:os.system ['exit 1']", "!!python/object/new:object []"]
)
def test_a_python_tag_makes_nothing(reading, content):
    with pytest.raises(FileError, match="python"):
        reading(content)


def test_the_message_of_bad_yaml_names_line_and_column(reading):
    with pytest.raises(FileError, match=r"line 2, column \d+"):
        reading("layers: [relu]\ntitle: a: b\n")


def test_the_message_of_a_missing_config_lists_those_that_ship():
    with pytest.raises(FileError) as caught:
        config.read("nosuch.yaml")
    assert "'nosuch.yaml'" in caught.value.message
    assert all(name in caught.value.hint for name in config.shipped())


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_config_of_the_house_says_what_it_is(path):
    found = config.read(str(path))
    assert path.read_text(encoding="utf-8").startswith("# ")
    assert found.title or found.outputs


def test_a_config_cannot_name_a_cluster(reading):
    """What comes from a cluster is unpickled: only the command line, or a program, may say whom to trust."""
    with pytest.raises(RequestError, match="cluster"):
        reading("layers: [relu]\ncluster: tcp://127.0.0.1:8786\n")


# --- expressions ---

EXPRESSIONS = """
layers:
  - relu
  - {expr: "x * tanh(softplus(x))", name: mine}
  - expr: a * tanh(b * x)
    params: {a: [1, 2], b: "0.5:1:2"}
outputs:
  - path: a.toml
    layers: {mine: {expr: a * x, params: {a: 1.5}}, other: gelu}
    also: [{expr: "u * v", name: product}]
"""


def test_an_expression_stands_among_the_layers_of_a_config(reading):
    found = reading(EXPRESSIONS)
    assert found.layers[:2] == ["relu", 'expr("x * tanh(softplus(x))", name=mine)']
    assert [layer.spec for layer in catalog.layers(found.layers)][2:] == [
        f'expr("a * tanh(b * x)", a={a}, b={b})' for a in (1.0, 2.0) for b in (0.5, 1.0)
    ]
    (output,) = found.outputs
    assert output["layers"] == {"mine": 'expr("a * x", a=1.5, name=mine)', "other": "gelu"}
    assert output["also"] == ['expr("u * v", name=product)']


def test_an_expression_of_a_config_is_tabulated_generated_and_checked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "normcal.yaml").write_text(EXPRESSIONS)
    assert "mine" in succeed("table", "normcal.yaml").stdout
    succeed("generate")
    text = (tmp_path / "a.toml").read_text()
    for name in ("mine", "other", "product"):
        assert f"[{name}]" in text
    succeed("check")
    succeed("check", "a.toml")
