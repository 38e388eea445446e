"""--output: the format it picks, and that a file is written whole or not at all."""

import csv
import json
import os
import stat
import subprocess

import pytest
import yaml

from normcal import discover, renderer
from normcal.errors import FileError, RequestError
from normcal.renderers import json as json_renderer
from tests.program import command, environment, invoke, on_terminal, run, succeed

READERS = {
    "json": lambda text: json.loads(text)["layers"][0]["spec"],
    "yaml": lambda text: yaml.safe_load(text)["layers"][0]["spec"],
    "csv": lambda text: next(csv.DictReader(text.splitlines()))["spec"],
    "markdown": lambda text: next(line for line in text.splitlines() if line.startswith("| relu")).split()[1],
    "text": lambda text: next(line for line in text.splitlines() if line.startswith("relu")).split()[0],
}
SUFFIXES = [
    (".json", "json"), (".yaml", "yaml"), (".yml", "yaml"), (".csv", "csv"), (".md", "markdown"),
    (".markdown", "markdown"), (".txt", "text"), (".JSON", "json"),
]  # fmt: skip


@pytest.mark.parametrize(("suffix", "format"), SUFFIXES, ids=[suffix[1:] for suffix, _ in SUFFIXES])
def test_the_suffix_picks_the_format(tmp_path, suffix, format):
    path = tmp_path / f"out{suffix}"
    result = succeed("compute", "relu", "-o", path)
    assert result.stdout == ""
    assert READERS[format](path.read_text(encoding="utf-8")) == "relu"
    assert path.read_text(encoding="utf-8") == succeed("compute", "relu", "--format", format).stdout


def test_every_format_is_claimed_by_a_suffix_and_no_suffix_by_two():
    claims = [suffix for name in discover.names("renderers") for suffix in renderer.get(name).suffixes]
    assert len(claims) == len(set(claims))
    annotations = {"github"}  # for the log of a run, not for a file
    assert {renderer.choose(None, f"x{suffix}").name for suffix in claims} == set(
        discover.names("renderers")
    ) - annotations


def test_the_promised_formats_exist():
    assert {"text", "yaml", "json", "markdown", "csv"} <= set(discover.names("renderers"))


def test_the_named_format_wins_over_the_suffix(tmp_path):
    path = tmp_path / "out.json"
    succeed("compute", "relu", "-o", path, "--format", "yaml")
    assert READERS["yaml"](path.read_text()) == "relu"
    with pytest.raises(json.JSONDecodeError):
        json.loads(path.read_text())


def test_a_named_format_needs_no_suffix(tmp_path):
    succeed("compute", "relu", "-o", tmp_path / "out", "--format", "json")
    assert READERS["json"]((tmp_path / "out").read_text()) == "relu"


@pytest.mark.parametrize(
    "argv",
    [
        ["compute", "relu"],
        ["table"],
        ["layers"],
        ["explain", "relu", "--samples", "500"],
        ["verify", "relu", "--samples", "500"],
    ],
    ids=lambda argv: argv[0],
)
def test_every_command_writes_files(tmp_path, argv):
    result = succeed(*argv, "-o", tmp_path / "out.json")
    assert result.stdout == ""
    assert json.loads((tmp_path / "out.json").read_text())
    assert os.listdir(tmp_path) == ["out.json"]


def test_a_dash_is_stdout(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert succeed("compute", "relu", "-o", "-").stdout == succeed("compute", "relu").stdout
    assert os.listdir(tmp_path) == []


def test_notes_still_go_to_stderr(tmp_path):
    result = succeed("compute", "relu", "--std", "0", "-o", tmp_path / "out.txt")
    assert "Note: " in result.stderr
    assert "Note: " not in (tmp_path / "out.txt").read_text()


def test_a_file_on_a_terminal_is_as_plain_as_in_a_pipe(tmp_path):
    done = on_terminal("compute", "relu", "-o", str(tmp_path / "out.txt"))
    assert (done.returncode, done.shown) == (0, "")
    assert (tmp_path / "out.txt").read_text() == run("compute", "relu").stdout


def test_a_file_is_utf8_with_plain_newlines_whatever_the_locale(tmp_path):
    path = tmp_path / "out.txt"
    done = run("explain", "gelu", "--samples", "500", "-o", str(path), env={"PYTHONUTF8": "0", "LC_ALL": "C"})
    assert (done.returncode, done.stdout) == (0, "")
    content = path.read_bytes()
    assert "Φ" in content.decode("utf-8")
    assert b"\r" not in content


def test_an_existing_file_is_replaced(tmp_path):
    path = tmp_path / "out.json"
    path.write_text("x" * 100_000)
    succeed("compute", "relu", "-o", path)
    assert READERS["json"](path.read_text()) == "relu"


@pytest.mark.parametrize(
    "argv", [["rellu"], ["relu", "--std", "-1"], ["tanh", "--engine", "closed-form"]], ids=" ".join
)
def test_an_existing_file_survives_a_request_that_fails(tmp_path, argv):
    path = tmp_path / "out.json"
    path.write_text("precious")
    assert invoke("compute", *argv, "-o", path).exit_code == 2
    assert path.read_text() == "precious"
    assert os.listdir(tmp_path) == ["out.json"]


def test_an_existing_file_survives_a_renderer_that_fails(tmp_path, monkeypatch):
    path = tmp_path / "out.json"
    path.write_text("precious")

    def fail(self, report, view):
        raise ZeroDivisionError

    monkeypatch.setattr(json_renderer.Json, "pieces", fail)
    with pytest.raises(ZeroDivisionError):
        invoke("compute", "relu", "-o", path)
    assert path.read_text() == "precious"
    assert os.listdir(tmp_path) == ["out.json"]


@pytest.mark.parametrize("step", ["fsync", "chmod", "replace"])
def test_an_existing_file_survives_a_disk_that_fails(tmp_path, monkeypatch, step):
    path = tmp_path / "out.json"
    path.write_text("precious")

    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, fail)
    result = invoke("compute", "relu", "-o", path)
    monkeypatch.undo()
    assert result.exit_code == 2
    assert "No space left on device" in result.stderr
    assert path.read_text() == "precious"
    assert os.listdir(tmp_path) == ["out.json"]


def test_an_existing_file_survives_ctrl_c_while_it_is_written(tmp_path, monkeypatch):
    path = tmp_path / "out.json"
    path.write_text("precious")

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        renderer.save("new", str(path))
    assert path.read_text() == "precious"
    assert os.listdir(tmp_path) == ["out.json"]


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o664, 0o755], ids=oct)
def test_an_existing_file_keeps_its_permissions(tmp_path, mode):
    path = tmp_path / "out.json"
    path.touch()
    path.chmod(mode)
    succeed("compute", "relu", "-o", path)
    assert stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002], ids=oct)
def test_a_new_file_gets_the_permissions_of_the_umask(tmp_path, mask):
    path = tmp_path / "out.json"
    before = os.umask(mask)
    try:
        succeed("compute", "relu", "-o", path)
        assert os.umask(mask) == mask
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask


def test_a_link_stays_a_link_and_its_target_is_written(tmp_path):
    (tmp_path / "there").mkdir()
    target = tmp_path / "there" / "real.json"
    target.write_text("old")
    (tmp_path / "link.json").symlink_to("there/real.json")
    succeed("compute", "relu", "-o", tmp_path / "link.json")
    assert (tmp_path / "link.json").is_symlink()
    assert READERS["json"](target.read_text()) == "relu"


def test_a_link_to_nothing_makes_its_target(tmp_path):
    (tmp_path / "link.json").symlink_to("real.json")
    succeed("compute", "relu", "-o", tmp_path / "link.json")
    assert (tmp_path / "link.json").is_symlink()
    assert READERS["json"]((tmp_path / "real.json").read_text()) == "relu"


def test_the_null_device_takes_the_output_and_stays_a_device():
    done = run("compute", "relu", "-o", "/dev/null", "--format", "json")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_named_pipe_is_written_to_and_stays_a_pipe(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    argv = command("compute", "relu", "-o", pipe, "--format", "json")
    process = subprocess.Popen(argv, env=environment(), stdout=subprocess.DEVNULL)
    try:
        assert READERS["json"](pipe.read_text()) == "relu"
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no /dev/full")
def test_a_full_device_is_an_error():
    result = invoke("compute", "relu", "-o", "/dev/full", "--format", "json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "No space left on device" in result.stderr


def test_saving_where_nothing_can_be_is_a_file_error(tmp_path):
    with pytest.raises(FileError, match="cannot be written"):
        renderer.save("x", str(tmp_path / "no" / "out.json"))


def test_choosing_without_a_path_takes_the_default():
    assert renderer.choose(None, None).name == "text"
    assert renderer.choose(None, None, "yaml").name == "yaml"
    assert renderer.choose("csv", None, "yaml").name == "csv"


def test_the_error_of_an_unknown_suffix_lists_every_known_one():
    with pytest.raises(RequestError) as caught:
        renderer.choose(None, "x.unknown")
    for suffix, _ in SUFFIXES[:-1]:
        assert suffix in caught.value.hint


def test_the_output_may_be_the_config_that_was_read(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("layers: [relu]\n")
    succeed("table", path, "-o", path)
    assert READERS["yaml"](path.read_text()) == "relu"


def test_two_processes_that_write_one_file_leave_one_whole_document(tmp_path):
    path = tmp_path / "out.json"
    layers = ("relu", "tanh", "gelu")
    running = [subprocess.Popen(command("compute", layer, "-o", path), env=environment()) for layer in layers]
    assert [process.wait(timeout=60) for process in running] == [0, 0, 0]
    assert READERS["json"](path.read_text()) in layers
    assert os.listdir(tmp_path) == ["out.json"]


def test_a_file_that_is_still_being_written_is_nobodys_rubbish_however_long_it_takes(tmp_path):
    with renderer.saving(str(tmp_path / "slow.csv")) as stream:
        stream.write("a row\n")
        (temporary,) = tmp_path.glob(".normcal-*")
        os.utime(temporary, (0, 0))
        renderer.save("quick", str(tmp_path / "quick.csv"))
        assert temporary.exists()
    assert (tmp_path / "slow.csv").read_text() == "a row\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["quick.csv", "slow.csv"]


def test_a_file_whose_rows_end_in_an_error_stays_as_it_was(tmp_path):
    (tmp_path / "out.csv").write_text("precious")
    with pytest.raises(ZeroDivisionError), renderer.saving(str(tmp_path / "out.csv")) as stream:
        stream.write("a row\n")
        raise ZeroDivisionError
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]
    assert (tmp_path / "out.csv").read_text() == "precious"


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_ctrl_c_just_after_a_file_took_its_place_is_no_failed_writing(tmp_path, monkeypatch, stop):
    replaced = os.replace

    def torn(source, target):
        replaced(source, target)
        raise stop

    monkeypatch.setattr(os, "replace", torn)
    with pytest.raises(stop):
        renderer.save("whole", str(tmp_path / "out.txt"))
    assert (tmp_path / "out.txt").read_text() == "whole"
