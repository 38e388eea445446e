"""Ready-made profiles: what each holds, that it is right, and that its files can be used as they are."""

import importlib.util
import json
import math
import shutil
import subprocess
import sys

import pytest

import normcal
from normcal import assembly, profile, quantity
from tests.program import ROOT, invoke, succeed

#: The names of the published tables that a profile replaces.
TIMM = (
    """identity celu elu gelu leaky_relu log_sigmoid log_softmax relu relu6 selu sigmoid silu softsign softplus tanh"""
)
TORCH = """linear conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d sigmoid tanh relu leaky_relu
selu"""
PUBLISHED = {"timm": TIMM, "calculate-gain": TORCH}
#: What a profile's numbers are, by the mathematics: name, column, value.
KNOWN = [
    ("timm", "relu", "gamma", math.sqrt(2 / (1 - 1 / math.pi))),
    ("timm", "identity", "gamma", 1.0),
    ("timm", "selu", "gamma", 1.0),
    ("calculate-gain", "relu", "gain", math.sqrt(2)),
    ("calculate-gain", "leaky_relu", "gain", math.sqrt(2 / 1.0001)),
    ("calculate-gain", "conv2d", "gain", 1.0),
    ("e3nn", "abs", "constant", 1.0),
    ("e3nn", "square", "constant", math.sqrt(1 / 3)),
    ("unit-scaling", "relu", "output_scale", math.sqrt(2 / (1 - 1 / math.pi))),
    ("unit-scaling", "relu", "grad_input_scale", math.sqrt(2)),
    ("variance-scaling", "relu", "scale", 2.0),
    ("variance-scaling", "leaky_relu_0_2", "scale", 2 / 1.04),
]
CONSTRAINTS = {
    "forward": lambda a, b: a,
    "backward": lambda a, b: b,
    "geometric": lambda a, b: math.sqrt(a * b),
    "harmonic": lambda a, b: 2 / (1 / a + 1 / b),
    "arithmetic": lambda a, b: (a + b) / 2,
}
#: How to run the linter, where there is one.
RUFF = [sys.executable, "-m", "ruff"] if importlib.util.find_spec("ruff") else [shutil.which("ruff")]


def generated(folder, name, suffix=".py", **keys):
    """Generate one profile, and return the path of its file."""
    folder.mkdir(exist_ok=True)
    config = folder / "config.yaml"
    config.write_text(json.dumps({"outputs": [{"path": f"made{suffix}", "profile": name} | keys]}), encoding="utf-8")
    succeed("generate", config)
    return folder / f"made{suffix}"


def module(path):
    """Import a generated file."""
    spec = importlib.util.spec_from_file_location("made", path)
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The Python file of every profile."""
    folder = tmp_path_factory.mktemp("profiles")
    return {name: generated(folder / name, name) for name in profile.names()}


@pytest.fixture(scope="module")
def tables(made):
    """The table of every profile, as mappings of mappings."""
    found = {}
    for name, path in made.items():
        told = profile.get(name)
        rows = getattr(module(path), told["name"])
        (first, *rest) = told["columns"]
        found[name] = rows if rest else {row: {first: value} for row, value in rows.items()}
    return found


def test_the_profiles_are_the_files():
    assert set(profile.names()) == {path.stem.replace("_", "-") for path in (ROOT / "normcal/profiles").glob("*.yaml")}
    assert len(profile.names()) >= 5


@pytest.mark.parametrize("name", profile.names())
def test_every_value_is_what_compute_says(name, tables):
    told = profile.get(name)
    for row, text in told["layers"].items():
        result = normcal.compute(text)
        for column, path in told["columns"].items():
            value = quantity.parse(path).of(result)
            assert tables[name][row][column] == pytest.approx(value.value, abs=2 * value.error), (row, column)


@pytest.mark.parametrize(("name", "row", "column", "value"), KNOWN, ids=lambda one: str(one))
def test_a_value_is_what_the_formula_says(name, row, column, value, tables):
    assert tables[name][row][column] == pytest.approx(value, rel=1e-13)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_profile_has_every_name_of_the_table_that_it_replaces(name, tables):
    assert set(PUBLISHED[name].split()) <= set(tables[name])


@pytest.mark.parametrize("name", profile.names())
def test_a_profile_tells_what_it_is_for_and_is_on_its_page(name):
    page = (ROOT / "docs" / "profiles.md").read_text(encoding="utf-8")
    assert len(profile.about(name)) > 40
    assert f"| `{name}` |" in page
    assert f"profile: {name}}}" in page


@pytest.mark.parametrize("name", profile.names())
def test_the_comment_says_what_the_columns_are(name, made):
    text = made[name].read_text(encoding="utf-8")
    for column, path in profile.get(name)["columns"].items():
        assert f"# {column}: {assembly.column(path, None, 'snake').meaning}." in text


@pytest.mark.parametrize("name", profile.names())
def test_python_has_no_warnings_and_short_lines(name, made):
    text = made[name].read_text(encoding="utf-8")
    assert max(map(len, text.splitlines())) <= 120
    subprocess.run([sys.executable, "-W", "error", made[name]], check=True)


@pytest.mark.skipif(RUFF == [None], reason="ruff is not installed")
@pytest.mark.parametrize("name", profile.names())
def test_python_is_clean_to_a_linter_and_a_formatter(name, made):
    options = ["--isolated", "--line-length", "120"]
    for task in (["check", *options, "--select", "B,E,F,I,PIE,RUF,SIM,UP,W,TRY004"], ["format", "--check", *options]):
        done = subprocess.run([*RUFF, *task, made[name]], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", profile.names())
def test_a_profile_takes_another_format(name, tables, tmp_path):
    found = json.loads(generated(tmp_path, name, ".json").read_text(encoding="utf-8"))["constants"]
    columns = profile.get(name)["columns"]
    assert found == {row: one if len(columns) > 1 else one[next(iter(columns))] for row, one in tables[name].items()}


def test_layers_of_one_s_own_are_added_to_those_of_a_profile(tables, tmp_path):
    also = {"mine": "leaky_relu(negative_slope=0.3)"}
    found = module(generated(tmp_path, "timm", also=also))._nonlin_gamma
    assert list(found) == [*tables["timm"], "mine"]


@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_a_constraint_puts_one_factor_into_both_columns(constraint, tables, tmp_path):
    found = module(generated(tmp_path, "unit-scaling", constraint=constraint)).SCALES
    for row, factors in tables["unit-scaling"].items():
        expected = CONSTRAINTS[constraint](factors["output_scale"], factors["grad_input_scale"])
        assert list(found[row].values()) == pytest.approx([expected, expected], rel=1e-12), row


# -- the functions that profiles end in


@pytest.fixture(scope="module")
def calculate_gain(made):
    return module(made["calculate-gain"]).calculate_gain


@pytest.mark.parametrize("slope", [0, 0.01, 0.2, 1, -0.5, 3])
@pytest.mark.parametrize("name", ["leaky_relu", "prelu"])
def test_calculate_gain_takes_a_slope(name, slope, calculate_gain):
    assert calculate_gain(name, slope) == pytest.approx(math.sqrt(2 / (1 + slope**2)), rel=1e-15)


@pytest.mark.parametrize("param", [None, 0, 0.5], ids=str)
def test_calculate_gain_ignores_a_parameter_that_the_nonlinearity_has_not(param, calculate_gain):
    assert calculate_gain("relu", param) == pytest.approx(math.sqrt(2), rel=1e-15)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("rellu",), "Unsupported nonlinearity rellu"),
        (("leaky_relu", True), "negative_slope True not a valid number"),
        (("leaky_relu", "0.2"), "negative_slope 0.2 not a valid number"),
    ],
    ids=["unknown name", "a boolean slope", "a text as slope"],
)
def test_calculate_gain_refuses_what_torch_refuses(arguments, message, calculate_gain):
    with pytest.raises(ValueError, match=message):
        calculate_gain(*arguments)


def test_calculate_gain_agrees_with_torch_where_torch_has_a_moment(calculate_gain):
    init = pytest.importorskip("torch", reason="torch is an extra").nn.init
    for name in set(TORCH.split()) - {"tanh", "selu", "sigmoid"}:
        for param in (None, 0.2):
            assert calculate_gain(name, param) == pytest.approx(init.calculate_gain(name, param), rel=1e-15)


def test_normalize2mom_takes_a_function_by_its_name(made):
    found = module(made["e3nn"])

    def relu(x):
        return max(x, 0.0)

    constant = found.SECOND_MOMENT["relu"]
    assert found.normalize2mom(relu)(3.0) == 3.0 * constant
    assert found.normalize2mom(lambda x: x, "relu")(3.0) == 3.0 * constant


def test_an_unknown_profile_is_refused_with_what_is_near(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text("outputs: [{path: gains.py, profile: calculate_gains}]\n", encoding="utf-8")
    done = invoke("generate", config)
    assert done.exit_code == 2
    assert "calculate-gain" in done.stderr
    assert not (tmp_path / "gains.py").exists()
