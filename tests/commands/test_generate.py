"""normcal generate: writes what a config names, says what it did, and with --check is normcal check."""

import os
import signal
import subprocess
import time

import pytest

from tests.program import command, environment, examples, invoke, run, succeed

CONFIG = "layers: [relu, tanh]\noutputs:\n  - path: a.py\n  - {path: sub/b.json, columns: [backward.std]}\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "normcal.yaml").write_text(CONFIG)
    return tmp_path


def test_every_file_is_written_and_named_with_what_became_of_it(folder):
    result = succeed("generate")
    assert (result.stdout, result.stderr) == ("new        a.py\nnew        sub/b.json\n", "")
    assert (folder / "a.py").read_text().startswith('"""')
    (folder / "a.py").write_text("# normcal, an old file\n")
    assert succeed("generate").stdout == "changed    a.py\nunchanged  sub/b.json\n"


def test_the_default_config_is_that_of_the_current_folder(folder):
    named = folder / "elsewhere" / "c.yaml"
    named.parent.mkdir()
    named.write_text(CONFIG)
    succeed("generate", "elsewhere/c.yaml")
    assert (named.parent / "a.py").exists()
    assert not (folder / "a.py").exists()
    succeed("generate")
    assert (folder / "a.py").read_bytes() == (named.parent / "a.py").read_bytes()


def test_root_is_where_the_files_go(folder):
    (folder / "configs").mkdir()
    (folder / "configs" / "c.yaml").write_text(CONFIG)
    succeed("generate", "configs/c.yaml", "--root", ".")
    assert (folder / "sub" / "b.json").exists()
    assert succeed("check", "configs/c.yaml", "--root", ".").stdout.startswith("2 files")


def test_without_a_config_the_message_names_the_default(folder):
    (folder / "normcal.yaml").unlink()
    result = invoke("generate")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "'normcal.yaml'" in result.stderr
    assert "current folder" in result.stderr


def test_a_broken_default_config_is_told_what_is_wrong_with_it(folder):
    (folder / "normcal.yaml").write_bytes(b"\xff\xfe")
    result = invoke("generate")
    assert result.exit_code == 2
    assert "not UTF-8" in result.stderr
    assert "By default" not in result.stderr


@pytest.mark.parametrize("damage", ["none", "value", "gone", "config"])
def test_generate_check_is_check(folder, damage):
    succeed("generate")
    if damage == "value":
        (folder / "a.py").write_text((folder / "a.py").read_text().replace("0.39", "0.4"))
    elif damage == "gone":
        (folder / "a.py").unlink()
    elif damage == "config":
        (folder / "normcal.yaml").write_text("outputs: [{path: a.py, layers: [rellu]}]\n")
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    one, other = invoke("generate", "--check"), invoke("check")
    assert (one.exit_code, one.stdout, one.stderr) == (other.exit_code, other.stdout, other.stderr)
    assert one.exit_code == {"none": 0, "value": 1, "gone": 1, "config": 2}[damage]
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_the_command_that_is_printed_repairs_the_file(folder):
    succeed("generate")
    text = (folder / "a.py").read_text()
    (folder / "a.py").write_text(text.replace("0.39", "0.4"))
    shown = invoke("check").stdout
    (line,) = [line for line in shown.splitlines() if "To write it anew: " in line]
    assert run(*line.partition("To write it anew: normcal ")[2].split(), cwd=folder).returncode == 0
    assert (folder / "a.py").read_text() == text


def test_an_interrupt_writes_nothing(folder):
    long = "engine: monte-carlo, samples: 1e10"
    (folder / "normcal.yaml").write_text(f"layers: [relu]\noutputs: [{{path: a.py}}, {{path: b.py, {long}}}]\n")
    process = subprocess.Popen(
        command("generate"), env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, "")
    assert err.strip() == "Interrupted."
    assert [path.name for path in folder.iterdir()] == ["normcal.yaml"]


def test_the_examples_of_the_help_text_work(folder):
    (folder / "configs").mkdir()
    (folder / "configs" / "constants.yaml").write_text(CONFIG)
    for argv in examples("generate"):
        succeed(*argv)


def test_a_pipe_as_config_is_not_waited_for(folder):
    os.mkfifo(folder / "pipe")
    done = run("generate", "pipe", timeout=20)
    assert done.returncode == 2
    assert "the config is empty" in done.stderr
