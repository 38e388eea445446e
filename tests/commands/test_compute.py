"""normcal compute: options, directions, the JSON contract, text for pipes and terminals, completion."""

import json
import math
import re

import pytest

from tests.program import COMMANDS, invoke, on_terminal, run, succeed

RELU_STD = math.sqrt(0.5 - 0.5 / math.pi)
HEAD = {"schema", "generator", "assumptions", "layers"}
LAYER = {"layer", "spec", "params", "forward", "backward", "jacobian_factor", "notes"}
RECORD = {"mean", "std", "rms", "gain", "rms_gain", "status", "engine", "error"}
BOX = re.compile("[\u2500-\u257f]")


def computed(*argv):
    return json.loads(succeed("compute", *argv, "--format", "json").stdout)


def only(*argv):
    (layer,) = computed(*argv)["layers"]
    return layer


def test_json_has_the_documented_keys():
    document = computed("leaky_relu")
    assert document.keys() >= HEAD
    assert document["schema"] == "normcal/1"
    assert re.fullmatch(r"normcal \d+\.\d+\S*", document["generator"])
    standard = {"law": "normal", "mean": 0.0, "std": 1.0}
    assert document["assumptions"] == {"input": standard, "gradient": standard}
    (layer,) = document["layers"]
    assert layer.keys() >= LAYER
    assert (layer["layer"], layer["spec"]) == ("leaky_relu", "leaky_relu(negative_slope=0.01)")
    assert layer["params"] == {"negative_slope": 0.01}
    for direction in ("forward", "backward"):
        assert layer[direction].keys() >= RECORD
        assert layer[direction]["status"] == "ok"
        assert {"kind", "mean", "std"} <= layer[direction]["error"].keys()
        assert layer[direction]["error"]["kind"] == "bound"


def test_json_of_monte_carlo_adds_samples_and_seed():
    record = only("relu", "--engine", "monte-carlo", "--samples", "2000", "--seed", "7")["forward"]
    assert (record["samples"], record["seed"], record["error"]["kind"]) == (2000, 7, "standard-error")


def test_json_of_other_engines_has_no_samples():
    assert not {"samples", "seed"} & only("relu")["forward"].keys()


def test_the_figures_of_relu_are_right():
    layer = only("relu")
    forward, backward = layer["forward"], layer["backward"]
    assert forward["mean"] == pytest.approx(1 / math.sqrt(2 * math.pi), rel=1e-13)
    assert forward["std"] == pytest.approx(RELU_STD, rel=1e-13)
    assert forward["rms"] == pytest.approx(math.sqrt(0.5), rel=1e-13)
    assert forward["gain"] == pytest.approx(1 / RELU_STD, rel=1e-13)
    assert forward["rms_gain"] == pytest.approx(math.sqrt(2), rel=1e-13)
    assert backward["mean"] == 0.0
    assert backward["std"] == pytest.approx(math.sqrt(0.5), rel=1e-13)
    assert layer["jacobian_factor"] == pytest.approx(math.sqrt(0.5) / RELU_STD, rel=1e-13)


@pytest.mark.parametrize(
    ("direction", "present", "absent"),
    [("forward", "forward", "backward"), ("backward", "backward", "forward")],
    ids=["forward", "backward"],
)
def test_direction_computes_that_direction_alone(direction, present, absent):
    layer = only("relu", "--direction", direction)
    assert layer[present]["std"] > 0
    assert layer[absent] is None
    assert layer["jacobian_factor"] is None


def test_both_directions_are_the_default():
    assert computed("relu") == computed("relu", "--direction", "both")


def test_mean_and_std_reach_the_computation_and_the_assumptions():
    document = computed("identity", "--mean", "0.5", "--std", "2")
    assert document["assumptions"]["input"] == {"law": "normal", "mean": 0.5, "std": 2.0}
    assert document["assumptions"]["gradient"] == {"law": "normal", "mean": 0.0, "std": 1.0}
    forward = document["layers"][0]["forward"]
    assert (forward["mean"], forward["std"]) == (0.5, 2.0)


@pytest.mark.parametrize("engine", ["closed-form", "quadrature", "monte-carlo"])
def test_engine_is_the_one_asked_for(engine):
    layer = only("relu", "--engine", engine, "--samples", "20000")
    for direction in ("forward", "backward"):
        assert layer[direction]["engine"] == engine
        assert layer[direction]["status"] == "ok"
    assert layer["forward"]["std"] == pytest.approx(RELU_STD, abs=5 * layer["forward"]["error"]["std"])


def test_auto_prefers_the_closed_form_and_falls_back_to_quadrature():
    relu, tanh = computed("relu", "tanh")["layers"]
    assert (relu["forward"]["engine"], tanh["forward"]["engine"]) == ("closed-form", "quadrature")


def test_a_missed_tolerance_is_a_status_not_a_failure():
    record = only("tanh", "--tol", "1e-30")["forward"]
    assert record["status"] == "tolerance-missed"
    assert record["std"] == pytest.approx(0.6279287303, rel=1e-9)


def test_the_number_of_workers_changes_no_bit():
    argv = ("compute", "max_pool", "--engine", "monte-carlo", "--samples", "50000", "--format", "json")
    assert succeed(*argv, "--workers", "1").stdout == succeed(*argv, "--workers", "2").stdout


def test_another_seed_gives_other_figures():
    argv = ("relu", "--engine", "monte-carlo", "--samples", "2000")
    assert only(*argv, "--seed", "1")["forward"]["mean"] != only(*argv, "--seed", "2")["forward"]["mean"]


@pytest.mark.parametrize("written", ["2000", "2e3", "2_000"], ids=["plain", "exponent", "underscore"])
def test_samples_may_be_written_as_people_write_them(written):
    record = only("relu", "--engine", "monte-carlo", "--samples", written)["forward"]
    assert record["samples"] == 2000


def test_layers_keep_the_order_they_were_given_in():
    assert [layer["layer"] for layer in computed("tanh", "relu", "gelu")["layers"]] == ["tanh", "relu", "gelu"]


def test_wildcards_match_names():
    names = [layer["layer"] for layer in computed("*_pool")["layers"]]
    assert {"max_pool", "avg_pool"} <= set(names)
    assert all(name.endswith("_pool") for name in names)


@pytest.mark.parametrize(
    ("typed", "canonical"),
    [
        ("rectifier", "relu"),
        ("Leaky-ReLU(negative_slope=0.2)", "leaky_relu(negative_slope=0.2)"),
        (" relu ( ) ", "relu"),
        ("max_pool(ndim=1, kernel_size=2)", "max_pool(kernel_size=2, ndim=1)"),
        ("max_pool(kernel_size=(3,2))", "max_pool(kernel_size=(3, 2), ndim=2)"),
        ("dropout(drop_prob=0.25)", "dropout(keep_prob=0.75, scaling=inverted)"),
        ("dropout(scaling=unit)", "dropout(keep_prob=0.5, scaling=unit)"),
    ],
    ids=["alias", "capitals-and-hyphen", "spaces", "order", "tuple", "complement", "defaults-filled"],
)
def test_spec_is_written_in_its_canonical_form(typed, canonical):
    assert only(typed)["spec"] == canonical


def test_a_canonical_spec_can_be_typed_again():
    spec = only("dropout(drop_prob=0.1)")["spec"]
    assert only(spec)["spec"] == spec


@pytest.mark.parametrize("name", ["identity", "relu", "linear", "avg_pool", "dropout", "tanh"])
def test_a_constant_input_is_legal_and_has_no_gain(name):
    record = only(name, "--mean", "0", "--std", "0", "--direction", "forward")["forward"]
    assert (record["mean"], record["std"]) == (0.0, 0.0)
    assert record["gain"] is None
    assert record["status"] == "ok"


def test_minus_zero_is_zero():
    assert succeed("compute", "relu", "--std", "-0.0").stdout == succeed("compute", "relu", "--std", "0").stdout


def test_a_constant_input_on_a_kink_has_no_gradient():
    record = only("relu", "--std", "0", "--direction", "backward")["backward"]
    assert record["status"] == "undefined"
    assert record["reason"]
    assert [record[key] for key in ("mean", "std", "rms", "gain", "rms_gain")] == [None] * 5


@pytest.mark.parametrize(
    ("digits", "shown"),
    [("3", "0.584"), ("5", "0.58382"), ("12", "0.583819370104")],
)
def test_digits_rounds_text(digits, shown):
    assert re.search(rf"(?<!\d){re.escape(shown)}(?!\d)", succeed("compute", "relu", "--digits", digits).stdout)


def test_digits_leaves_machine_formats_alone_and_says_so():
    rounded = succeed("compute", "relu", "--digits", "3", "--format", "json")
    assert rounded.stdout == succeed("compute", "relu", "--format", "json").stdout
    assert "--digits" in rounded.stderr
    assert "json" in rounded.stderr


@pytest.mark.parametrize("digits", ["1", "2", "3"])
def test_few_digits_never_make_a_sampled_value_look_exact(digits):
    argv = ("compute", "relu", "--engine", "monte-carlo", "--samples", "1000", "--digits", digits)
    shown = re.findall(r"± (\S+)", succeed(*argv).stdout)
    assert len(shown) == 11  # five quantities of two directions, and the jacobian factor
    assert all(float(error) > 0 for error in shown), shown


def test_text_states_the_laws_of_input_and_gradient():
    first = succeed("compute", "relu", "--mean", "0.5", "--std", "2").stdout.splitlines()[0]
    assert "N(0.5, 2^2)" in first
    assert "gradient N(0, 1)" in first


def test_piped_text_is_plain():
    done = run("compute", "relu", "tanh")
    assert done.returncode == 0
    assert done.stderr == ""
    assert "\x1b" not in done.stdout
    assert not BOX.search(done.stdout)
    assert all(line == line.rstrip() for line in done.stdout.splitlines())
    assert done.stdout.endswith("\n") and not done.stdout.endswith("\n\n")


def test_piped_text_has_one_row_a_direction_in_columns():
    lines = [line.split() for line in run("compute", "relu").stdout.splitlines()]
    header = next(words for words in lines if words[:1] == ["layer"])
    columns = "direction mean std rms gain rms_gain status engine mean_error std_error"
    assert set(columns.split()) <= set(header)
    rows = [words for words in lines if words[:1] == ["relu"] and len(words) == len(header)]
    assert [row[header.index("direction")] for row in rows] == ["forward", "backward"]
    assert float(rows[0][header.index("std")]) == pytest.approx(RELU_STD, rel=1e-6)


def test_a_terminal_gets_a_coloured_table():
    done = on_terminal("compute", "relu")
    assert done.returncode == 0
    assert "\x1b[" in done.shown
    assert BOX.search(done.shown)
    assert "0.58381" in done.shown


@pytest.mark.parametrize(
    ("env", "colour"),
    [({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
    ids=["no-color", "no-color-empty", "dumb-terminal"],
)
def test_colour_is_a_matter_of_the_environment(env, colour):
    done = on_terminal("compute", "relu", env=env)
    assert BOX.search(done.shown)
    assert ("\x1b" in done.shown) == colour


@pytest.mark.parametrize("format", ["json", "markdown"])
def test_other_formats_are_the_same_on_a_terminal_and_in_a_pipe(format):
    argv = ("compute", "relu", "--format", format)
    assert on_terminal(*argv, stderr=False).shown == run(*argv).stdout


@pytest.mark.parametrize("width", [80, 120])
def test_a_narrow_terminal_breaks_no_number(width):
    shown = on_terminal("compute", "relu", width=width, env={"NO_COLOR": "1"}).shown
    broken = [line for line in shown.splitlines() if re.fullmatch(r"[\s\d.]*\d[\s\d.]*", line)]
    assert not broken, shown
    assert all(len(line) <= width for line in shown.splitlines())


@pytest.mark.parametrize(
    ("argv", "meant"),
    [
        (("compute", "rellu"), "'relu'"),
        (("compute", "max_pol"), "'max_pool'"),
        (("compute", "leaky_relu(negative_slop=0.2)"), "'negative_slope'"),
        (("compute", "dropout(scaling=inverte)"), "'inverted'"),
        (("compute", "relu", "--engine", "quadratur"), "'quadrature'"),
        (("compute", "relu", "--format", "markdwon"), "'markdown'"),
        (("compute", "relu", "--direction", "foward"), "'forward'"),
        (("compute", "relu", "--directon", "forward"), "--direction"),
        (("comptue", "relu"), "'compute'"),
    ],
    ids=["layer", "layer-with-underscore", "parameter", "word", "engine", "format", "direction", "option", "command"],
)
def test_a_misspelt_name_is_answered_with_the_one_meant(argv, meant):
    result = invoke(*argv)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert re.search(rf"[Dd]id you mean .*{re.escape(meant)}", result.stderr), result.stderr


def completions(words, position):
    env = {"_NORMCAL_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(position)}
    done = run(env=env)
    assert (done.returncode, done.stderr) == (0, "")
    return [line.partition(",")[2] for line in done.stdout.splitlines() if line]


@pytest.mark.parametrize(
    ("words", "position", "offered"),
    [
        ("normcal com", 1, ["compute"]),
        ("normcal compute max_", 2, ["max_pool"]),
        ("normcal compute relu sigm", 3, ["sigmoid"]),
        ("normcal explain leaky", 2, ["leaky_relu"]),
        ("normcal verify leaky", 2, ["leaky_relu"]),
        ("normcal compute 'max_pool(ke", 2, ["max_pool(kernel_size="]),
        ("normcal compute 'max_pool(kernel_size=2, st", 2, ["max_pool(kernel_size=2, stride="]),
        ("normcal compute relu --dir", 3, ["--direction"]),
        ("normcal compute relu --direction b", 4, ["backward", "both"]),
        ("normcal compute relu --engine q", 4, ["quadrature"]),
        ("normcal table --format y", 3, ["yaml"]),
        ("normcal compute nosuch(", 2, []),
        ("normcal compute --samples abc sigm", 4, ["sigmoid"]),
    ],
    ids=[
        "command", "layer", "second-layer", "explain", "verify", "parameter", "next-parameter", "option", "direction",
        "engine", "format", "unknown-layer", "after-a-wrong-value",
    ],
)  # fmt: skip
def test_the_shell_is_offered(words, position, offered):
    assert completions(words, position) == offered


def test_the_shell_is_offered_every_command():
    assert completions("normcal ", 1) == list(COMMANDS)
    assert len(COMMANDS) >= 5


# --- expressions ---


def test_an_expression_is_computed_as_the_layer_that_it_writes():
    (mine,), (mish,) = computed("--expr", "x * tanh(softplus(x))")["layers"], computed("mish")["layers"]
    for direction in ("forward", "backward"):
        assert mine[direction]["std"] == pytest.approx(mish[direction]["std"], rel=1e-14)
        assert mine[direction]["error"]["kind"] == "bound"
    assert (mine["layer"], mine["spec"]) == ("expr", 'expr("x * tanh(softplus(x))")')


def test_parameters_and_a_name_are_told_and_kinks_are_listed():
    row = only("--expr", "where(x > 0, x, a * expm1(x))", "-p", "a=1.3", "--name", "mine")
    assert row["spec"] == 'expr("where(x > 0, x, a * expm1(x))", a=1.3, name=mine)'
    assert row["params"] == {"a": 1.3, "name": "mine"}
    assert (row["kinks"], row["jumps"]) == ([0.0], [])
    shown = succeed("compute", "--expr", "where(x > 0, x, a * expm1(x))", "-p", "a=1.3", "--name", "mine")
    assert "mine(a=1.3)" in shown.stdout
    assert "mine(a=1.3): the slope jumps at x = 0" in shown.stderr


def test_expressions_stand_behind_specs_and_share_their_parameters():
    rows = computed("relu", "--expr", "a * x", "--expr", "b * tanh(a * x)", "-p", "a=0.5:1:2", "-p", "b=2")["layers"]
    assert [row["spec"] for row in rows] == [
        "relu",
        'expr("a * x", a=0.5)', 'expr("a * x", a=1.0)',
        'expr("b * tanh(a * x)", b=2.0, a=0.5)', 'expr("b * tanh(a * x)", b=2.0, a=1.0)',
    ]  # fmt: skip


def test_a_jump_is_noted_with_what_is_left_out():
    row = only("--expr", "where(x > 1, x, 0)")
    assert row["jumps"] == [1.0]
    assert any("the output jumps at x = 1" in note for note in row["notes"])


def test_the_inputs_of_an_expression_have_figures_of_their_own():
    row = only("--expr", "a * sigmoid(b)")
    assert row["backward"]["inputs"].keys() == {"a", "b"}
    assert any("a, b are independent" in note for note in row["notes"])


def test_the_names_of_expressions_name_constants():
    text = succeed("compute", "--expr", "a * tanh(x)", "-p", "a=[1, 2]", "--name", "mine", "--format", "toml").stdout
    assert re.findall(r"^\[(.*)\]", text, re.MULTILINE) == ["mine_a_1_0", "mine_a_2_0"]
    text = succeed("compute", "--expr", "a * tanh(x)", "-p", "a=1", "--name", "myAct", "--format", "toml").stdout
    assert re.findall(r"^\[(.*)\]", text, re.MULTILINE) == ["myAct"]
    text = succeed("compute", "--expr", "a * tanh(x)", "-p", "a=1", "--format", "toml").stdout
    assert re.findall(r"^\[(.*)\]", text, re.MULTILINE) == ["expr_a_tanh_x_a_1_0"]


@pytest.mark.parametrize("name", ["compute", "verify"])
def test_commands_that_take_specs_take_expressions(name):
    text = " ".join(succeed(name, "--help").stdout.split())
    for option in ("--expr TEXT", "-p, --param NAME=VALUE", "--name NAME"):
        assert option in text
