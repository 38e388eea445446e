"""normcal check: exit codes, formats, and that nothing is written."""

import json
import os
import signal
import subprocess
import time

import pytest

from normcal import renderer
from tests.program import command, environment, examples, invoke, run, succeed

CONFIG = "outputs:\n  - {path: a.py, layers: [relu, tanh], columns: [forward.std]}\n  - {path: b.md, layers: [silu]}\n"
SAMPLED = "outputs:\n  - {path: a.py, layers: [tanh], columns: [forward.std], engine: monte-carlo, samples: 50}\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "normcal.yaml").write_text(CONFIG)
    succeed("generate")
    return tmp_path


def change(path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def undecided(folder) -> None:
    """Make the file hold a sampled value that is neither right nor wrong."""
    (folder / "normcal.yaml").write_text(SAMPLED)
    succeed("generate")
    text = (folder / "a.py").read_text()
    number = next(line for line in text.splitlines() if '    "tanh"' in line).split(": ")[1].split(",")[0]
    (folder / "a.py").write_text(text.replace(number, f"{float(number) * 1.02:.4f}"))


# -- the exit codes


def test_0_where_all_agrees(folder):
    result = invoke("check")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "2 files, 5 numbers: 2 agree, 0 disagree, 0 undecided\n"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("0.58381937", "0.58391937", ["a.py", "relu", "forward_std", "disagree"]),
        ('"relu"', '"rulu"', ["rulu", "relu", "changed"]),
        ("}\n", "}\nX = 1\n", ["X = 1", "surplus"]),
        ('    "relu": ', "", ["a.py"]),
    ],
    ids=["value", "name", "surplus", "damaged"],
)
def test_1_where_something_disagrees(folder, old, new, told):
    change(folder / "a.py", old, new)
    result = invoke("check")
    assert result.exit_code == 1
    assert all(word in result.stdout for word in told)
    assert "2 files, " in result.stdout and "1 agree, 1 disagree" in result.stdout
    assert "normcal generate" in result.stdout


def test_1_where_a_file_is_gone(folder):
    (folder / "a.py").unlink()
    for argv in (["check"], ["check", "a.py"]):
        result = invoke(*argv)
        assert result.exit_code == 1
        assert "the file is not there" in result.stdout


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["check", "nosuch.py"], "'nosuch.py'"),
        (["check", "--root", "nosuch"], "'nosuch'"),
        (["check", "--format", "jsn"], "'jsn'"),
        (["check", "--format", "python"], "python"),
        (["check", "-o", "no/x.json"], "'no/x.json'"),
        (["check", "--digits", "0"], "digits"),
        (["check", "a.py", "nosuch.py"], "'nosuch.py'"),
    ],
    ids=" ".join,
)
def test_2_for_usage_or_file_trouble(folder, argv, told):
    result = invoke(*argv)
    assert (result.exit_code, result.stdout) == (2, "")
    assert told in result.stderr


def test_3_where_the_errors_are_too_wide_to_tell(folder):
    undecided(folder)
    before = (folder / "a.py").read_text()
    result = invoke("check")
    assert result.exit_code == 3
    assert "too wide to tell" in result.stdout
    assert "0 agree, 0 disagree, 1 undecided" in result.stdout
    assert succeed("generate").stdout.startswith("unchanged")  # nothing better is known
    assert (folder / "a.py").read_text() == before


def test_what_is_known_better_decides_what_was_undecided(folder):
    undecided(folder)
    (folder / "normcal.yaml").write_text(SAMPLED.replace("engine: monte-carlo, samples: 50", "engine: auto"))
    assert invoke("check").exit_code in (1, 3)
    assert succeed("generate").stdout.startswith("changed")
    assert invoke("check").exit_code == 0


def test_disagreement_weighs_more_than_doubt(folder):
    undecided(folder)
    (folder / "normcal.yaml").write_text(f"{SAMPLED}  - {{path: b.py, layers: [relu]}}\n")
    assert invoke("check").exit_code == 1


# -- what is checked


def test_several_paths_are_checked_together(folder):
    result = invoke("check", "a.py", "b.md", "normcal.yaml")
    assert result.exit_code == 0
    assert result.stdout.startswith("4 files")


def test_nothing_is_written(folder):
    change(folder / "a.py", "0.58381937", "0.58391937")
    (folder / "b.md").unlink()
    before = {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in [folder, *folder.rglob("*")]}
    for argv in (["check"], ["check", "a.py"], ["generate", "--check"], ["check", "--format", "json"]):
        assert invoke(*argv).exit_code == 1
    assert {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in [folder, *folder.rglob("*")]} == before


# -- the formats


def test_json_tells_values_scores_and_verdicts(folder):
    change(folder / "a.py", "0.58381937", "0.58391937")
    document = json.loads(invoke("check", "--format", "json").stdout)
    assert document["verdict"] == "disagree"
    one = document["files"][0]
    assert (one["path"], one["verdict"], one["numbers"], one["regenerate"]) == (
        "a.py",
        "disagree",
        2,
        "normcal generate",
    )
    (finding,) = [finding for finding in one["findings"] if finding["verdict"] == "disagree"]
    assert (finding["row"], finding["column"]) == ("relu", "forward_std")
    assert finding["in_file"].startswith("0.58391937") and finding["computed"].startswith("0.58381937")
    assert finding["score"] > 1e6
    assert "relu" in (folder / "a.py").read_text().splitlines()[finding["line"] - 1]


def test_github_shows_findings_on_their_lines(folder):
    assert invoke("check", "--format", "github").stdout == ""
    change(folder / "a.py", "0.58381937", "0.58391937")
    result = invoke("check", "--format", "github")
    assert result.exit_code == 1
    (line,) = result.stdout.splitlines()
    assert line.startswith("::error file=a.py,line=")
    assert "to write it anew: normcal generate" in line


def test_a_report_can_be_saved(folder):
    change(folder / "a.py", "0.58381937", "0.58391937")
    result = invoke("check", "-o", "report.json")
    assert (result.exit_code, result.stdout) == (1, "")
    assert json.loads((folder / "report.json").read_text())["verdict"] == "disagree"


@pytest.mark.parametrize("format", list(renderer.names()))
def test_every_format_shows_findings_or_says_that_it_cannot(folder, format):
    change(folder / "a.py", "0.58381937", "0.58391937")
    result = invoke("check", "--format", format)
    if result.exit_code == 2:
        assert f"The format {format} holds constants" in result.stderr
    else:
        assert result.exit_code == 1
        assert "0.58391937" in result.stdout


def test_a_file_name_that_is_no_text_is_shown_somehow(folder):
    name = os.fsdecode(b"\xff.py")
    (folder / name).write_bytes((folder / "a.py").read_bytes())
    done = subprocess.run([*command("check"), os.fsencode(name)], env=environment(), capture_output=True, timeout=60)
    assert done.returncode in (0, 1)
    assert b"Traceback" not in done.stderr


# -- stopped


def test_an_interrupt_ends_with_its_own_code(folder):
    (folder / "normcal.yaml").write_text(
        CONFIG.replace("layers: [silu]", "layers: [silu], engine: monte-carlo, samples: 1e10")
    )
    process = subprocess.Popen(
        command("check"), env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err.strip()) == (130, "", "Interrupted.")


def test_the_examples_of_the_help_text_work(folder):
    for name in ("src", "configs"):
        (folder / name).mkdir()
    (folder / "src" / "gains.py").write_bytes((folder / "a.py").read_bytes())
    (folder / "configs" / "constants.yaml").write_text("outputs: [{path: c.py, layers: [relu]}]\n")
    succeed("generate", "configs/constants.yaml", "--root", ".")
    (folder / "src" / "gains.py").unlink()
    (folder / "normcal.yaml").write_text("outputs: [{path: src/gains.py, layers: [relu]}]\n")
    succeed("generate")
    for argv in examples("check"):
        succeed(*argv)


def test_the_real_program_ends_with_the_same_codes(folder):
    assert run("check").returncode == 0
    change(folder / "a.py", "0.58381937", "0.58391937")
    assert run("check").returncode == 1
    assert run("check", "nosuch").returncode == 2
    undecided(folder)
    assert run("check").returncode == 3
