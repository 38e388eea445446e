"""The benchmarks: every goal is there, they run on a tiny budget, and a page comes of it. Nothing is timed here."""

import doctest
import importlib
import io
import json
import pathlib
import pkgutil

import jsonschema
import pytest

import benchmarks
from benchmarks import __main__ as runner
from benchmarks import document, goal, page, peer, plots, quadrature
from benchmarks.goal import Budget, Goal, Outcome
from tests.program import ROOT

QUICK = Budget(quick=True)
#: Groups that run in seconds in this process; the others start programs, clusters or valgrind, and are run by hand.
LIGHT = ("growth", "sampling", "expressions")

NUMBER, TEXT = {"type": ["number", "null"]}, {"type": "string"}


def record(**properties):
    return {
        "type": "object", "properties": properties, "required": sorted(properties), "additionalProperties": False,
    }  # fmt: skip


FIGURES = record(cold=NUMBER, peak=NUMBER, warm=NUMBER, error=NUMBER)
RUN = record(
    schema={"const": document.SCHEMA},
    date={"type": "string", "pattern": r"^\d{4}-\d\d-\d\d$"},
    quick={"type": "boolean"},
    seconds={"type": "number"},
    versions={"type": "object", "additionalProperties": TEXT, "required": ["normcal", "python", "numpy", "scipy"]},
    machine=record(cores={"type": "integer"}, architecture=TEXT, processor=TEXT),
    goals={
        "type": "array",
        "items": record(
            group=TEXT, name=TEXT, unit=TEXT, measured=NUMBER, yardstick=record(name=TEXT, value=NUMBER), ratio=NUMBER,
            limit=record(of={"enum": ["measured", "ratio"]}, least=NUMBER, most=NUMBER),
            met={"type": ["boolean", "null"]}, note=TEXT,
        ),
    },
    series={
        "type": "array",
        "items": record(
            chart={"enum": sorted(plots.CHARTS)}, name=TEXT, x=TEXT, y=TEXT,
            points={"type": "array", "items": {"type": "array", "items": {"type": "number"}, "minItems": 2}},
        ),
    },
    peers={
        "type": "array",
        "items": record(
            package=TEXT, what=TEXT, quantity=TEXT, specs={"type": "array", "items": TEXT},
            version={"type": ["string", "null"]}, peer={"anyOf": [FIGURES, {"type": "null"}]},
            normcal={"anyOf": [FIGURES, {"type": "null"}]},
        ),
    },
)  # fmt: skip


@pytest.fixture(scope="module")
def run():
    """A run of the light groups on a tiny budget, as ``--json`` prints it."""
    found = document.start(QUICK) | {"seconds": 1.0}
    for name, group in goal.groups(LIGHT).items():
        assert runner._measured(found, name, group, QUICK), name
    return json.loads(json.dumps(found))


# -- every figure that was asked for has its goal ----------------------------------------------------

#: group -> words of each goal, and its limit
ASKED = {
    "startup": [
        ("--help", 1.5), ("compute relu", 1.5), ("compute gelu", 1.5), ("compute max_pool(kernel_size=3)", 1.5),
        ("compute sigmoid --direction backward", 1.5), ("leave in a fresh home", 0.0),
    ],
    "tables": [("elementwise", 10.0), ("default table, in process", 0.5), ("normcal table", 1.0)],
    "sweeps": [
        ("10,000 `leaky_relu`", 2000.0), ("10,000 `elu`", 2000.0), ("10,000 `swish`", 2000.0), ("peak memory", 1.25),
    ],
    "sampling": [
        ("`relu` forward, 1 thread", 0.85), ("`relu` forward, 2 threads", 0.85), ("`gelu` forward, 1 thread", 0.6),
        ("`gelu` backward, 2 threads", 0.6), ("`sigmoid` backward, 1 thread", 0.6), ("`tanh` forward, 2 threads", 0.6),
        ("`silu` forward, 1 thread", 0.6), ("two threads over one", 1.8), ("mean 10^6", 1e-12),
    ],
    "samplers": [("gelu²", 100.0), ("max_pool", 20.0), ("sobol: runs within 1", 0.64), ("--rtol 1e-5", 1e-5)],
    "executors": [("two processes", None), ("two Dask workers", None), ("bits", 0.0)],
    "checkpoints": [("--checkpoint", None)],
    "growth": [
        ("max pooling, n entries", 0.1), ("softmax", 0.1), ("batch_norm", 0.1), ("kernel 3 in every dimension", None),
        ("leaky_relu", 1.1),
    ],
    "memory": [
        ("default table under `ulimit", 0.0), ("10^9 draws of `relu` under `ulimit", 0.0), ("compute relu", None),
    ],
    "instructions": [("compute relu", 1.5), ("one more row", None)],
    "constants": [("check", 2.0), ("identify", 1.0)],
    "expressions": [("more than `mish`", 0.02), ("more than `elu`", 0.02), ("more than `hardshrink`", 0.02)],
}  # fmt: skip


def test_every_group_is_asked_for():
    assert set(goal.groups()) == set(ASKED)


@pytest.mark.parametrize(("name", "asked"), ASKED.items(), ids=ASKED)
def test_a_group_has_every_goal_that_was_asked_for(name, asked):
    limits = {one.name: one.least if one.most is None else one.most for one in goal.load("goals", name).GOALS}
    limits |= {one.name: one.least for one in goal.load("goals", name).GOALS if None not in (one.least, one.most)}
    for words, limit in asked:
        assert limit in [found for title, found in limits.items() if words in title], words


def test_goals_bear_names_of_their_own():
    names = [one.name for group in goal.groups().values() for one in group.GOALS]
    assert len(names) == len(set(names))


def test_a_reason_belongs_to_a_goal():
    names = {one.name for group in goal.groups().values() for one in group.GOALS}
    assert set(page.reasons()) <= names


# -- the runner ---------------------------------------------------------------------------------------


def test_every_goal_of_a_group_is_measured(run):
    wanted = [one.name for group in goal.groups(LIGHT).values() for one in group.GOALS]
    assert [found["name"] for found in run["goals"]] == wanted
    assert all(found["measured"] is not None for found in run["goals"])


def test_a_run_is_what_its_schema_says(run):
    jsonschema.validate(run, RUN)


def test_the_table_has_a_line_for_each_goal_below_its_heading(run):
    shown = io.StringIO()
    document.show(run, shown)
    lines = shown.getvalue().splitlines()
    assert lines[0].split() == ["goal", "measured", "yardstick", "ratio", "limit", "verdict"]
    assert len([line for line in lines if line]) == 1 + len(LIGHT) + len(run["goals"]) + 2
    for found in run["goals"]:
        (line,) = [line for line in lines if line.startswith(found["name"])]
        assert found["limit"]["least"] is None or line.split()[-1] in ("met", "missed")


def test_a_missed_goal_is_no_failure_and_a_broken_one_is(capsys):
    class Missing:
        TITLE, GOALS = "Two", (Goal("a", most=1.0), Goal("b"))

        @staticmethod
        def measure(budget):
            yield Missing.GOALS[0].found(3.0, 2.0)

    class Broken(Missing):
        @staticmethod
        def measure(budget):
            yield Missing.GOALS[0].found(3.0, 2.0)
            raise ValueError("no such thing")

    for group, right in ((Missing, True), (Broken, False)):
        found = document.start(QUICK)
        assert runner._measured(found, "two", group, QUICK) is right
        assert [(one["met"], one["measured"]) for one in found["goals"]] == [(False, 3.0), (None, None)]
    assert "no such thing" in found["goals"][1]["note"] and "ValueError" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("limits", "measured", "yardstick", "met"),
    [
        ({"most": 1.5}, 3.0, 2.0, True), ({"most": 1.5}, 3.1, 2.0, False), ({"least": 0.85}, 0.8, 1.0, False),
        ({"least": 1.0, "most": 2.0, "absolute": True}, 1.5, None, True),
        ({"least": 1.0, "most": 2.0, "absolute": True}, 2.5, 9.0, False), ({}, 1.0, 1.0, None),
        ({"most": 0.0, "absolute": True}, 0.0, None, True), ({"most": 1.0}, None, None, None),
    ],
    ids=lambda value: str(value),
)  # fmt: skip
def test_a_verdict_follows_from_the_limit(limits, measured, yardstick, met):
    assert Outcome(Goal("a", **limits), measured, yardstick).met is met


def test_listing_names_every_goal_and_measures_nothing(capsys):
    assert runner.main(["--list"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert len(shown) == sum(len(group.GOALS) for group in goal.groups().values())


def test_some_groups_can_be_run_alone(capsys):
    assert runner.main(["--quick", "--only", "growth", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    jsonschema.validate(found, RUN)
    assert {one["group"] for one in found["goals"]} == {"Growth"}


# -- what it measures with ----------------------------------------------------------------------------


def test_the_bare_rule_does_the_work_that_it_is_timed_for():
    import normcal
    from benchmarks.goals import tables

    assert tables._apart(normcal.table(list(quadrature.ACTIVATIONS))) < 1e-13


@pytest.mark.parametrize("spec", ["relu", "gelu", "silu", "sigmoid", "tanh"])
def test_the_plain_functions_beside_the_generator_are_those_of_the_layers(spec):
    import numpy as np

    from benchmarks.goals.sampling import _PLAIN

    x = np.linspace(-5.0, 5.0, 101)
    for fill, exact in zip(_PLAIN[spec], quadrature.ACTIVATIONS[spec][1](x), strict=True):
        out, spare = np.empty_like(x), np.empty_like(x)
        fill(x, out, spare)
        np.testing.assert_allclose(out, exact, rtol=1e-12, atol=1e-15)


def test_a_peer_says_what_it_is_and_needs_nothing_of_normcal(monkeypatch):
    for name in goal.plugins("peers"):
        one = goal.load("peers", name)
        assert one.PACKAGE and one.WHAT and one.SPECS and one.QUANTITY.startswith("forward.")
        assert "normcal" not in [word.partition(".")[0] for word in vars(one)]


def test_a_peer_that_is_not_installed_is_said_to_be_missing(monkeypatch):
    monkeypatch.setattr(peer, "_found", lambda *_: None)
    found = list(peer.measured(["python"], QUICK, lambda text: None))
    shown = document.start(QUICK) | {"peers": found, "seconds": 1.0}
    jsonschema.validate(shown, RUN)
    rows = document.peers(shown).rows
    assert len(rows) == len(goal.plugins("peers")) and all("not installed" in row for row in rows)


@pytest.mark.parametrize("name", [info.name for info in pkgutil.walk_packages(benchmarks.__path__, "benchmarks.")])
def test_the_examples_of_a_module_hold(name):
    if name != "benchmarks.__main__":
        assert doctest.testmod(importlib.import_module(name)).failed == 0


# -- the page -----------------------------------------------------------------------------------------


def test_the_page_shows_every_figure_and_every_miss(run):
    text = page.text(run)
    for found in run["goals"]:
        assert f"| {found['name']}" in text
        assert found["met"] is not False or f"- {found['name']}:" in text


def test_the_plots_are_the_same_bytes_for_the_same_run(run, tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: the extra 'benchmarks'")
    first, second = (plots.save(run["series"], str(tmp_path / name)) for name in "ab")
    assert len(first) == 3
    for one, other in zip(first, second, strict=True):
        assert pathlib.Path(one).read_bytes() == pathlib.Path(other).read_bytes()


def test_the_published_page_is_that_of_the_published_run():
    text = (ROOT / "benchmarks" / "run.json").read_text(encoding="utf-8")
    shown = json.loads(text)
    jsonschema.validate(shown, RUN)
    assert page.text(shown) == (ROOT / "docs" / "performance.md").read_text(encoding="utf-8"), (
        "regenerate it: python -m benchmarks.page benchmarks/run.json"
    )
    assert all((ROOT / "docs" / "images" / f"{name}.svg").is_file() for name, _, _ in plots.charts(shown["series"]))
