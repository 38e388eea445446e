"""Streams and exit codes of the real program: results, notes, interrupts, closed pipes, progress."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from tests.program import command, environment, on_terminal, run

LONG_RUN = ("compute", "relu", "--engine", "monte-carlo", "--samples", "100000000000")


def test_a_result_goes_to_stdout_alone():
    done = run("compute", "relu")
    assert done.returncode == 0
    assert done.stdout and not done.stderr


def test_notes_go_to_stderr_and_leave_stdout_a_table():
    done = run("compute", "relu", "--mean", "-5", "--tol", "1e-30")
    assert done.returncode == 0
    assert "Note:" not in done.stdout
    notes = done.stderr.splitlines()
    assert notes and all(line.startswith("Note: ") for line in notes)
    assert "tolerance" in done.stderr


def test_errors_go_to_stderr_alone():
    done = run("compute", "rellu")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: ")


def test_exit_code_1_is_for_a_check_that_failed():
    """A layer whose formula is wrong, planted in a process of its own."""
    plant = (
        "from normcal import catalog, cli\n"
        "cls = catalog.classes()['relu']\n"
        "right = cls.closed_backward\n"
        "cls.closed_backward = lambda self, law, m: right(self, law, m) * 1.001\n"
        "cli.main(['verify', 'relu', '--samples', '1000'])\n"
    )
    done = subprocess.run([sys.executable, "-c", plant], env=environment(), capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "disagree" in done.stdout
    assert "Disagree: relu, backward std" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_module_and_the_function_are_the_same_program():
    call = [sys.executable, "-c", "from normcal.cli import main; main(['compute', 'relu'])"]
    done = subprocess.run(call, env=environment(), capture_output=True, encoding="utf-8", timeout=60)
    assert done.stdout == run("compute", "relu").stdout


@pytest.mark.parametrize(
    "argv",
    [
        ("compute", "relu", "gelu", "max_pool", "--format", "json"),
        ("compute", "relu", "max_pool", "--engine", "monte-carlo", "--samples", "30000", "--format", "yaml"),
        ("table", "articles", "--format", "csv"),
        ("explain", "gelu", "--samples", "30000"),
        ("verify", "relu", "--samples", "30000", "--format", "json"),
        ("layers", "--format", "json"),
    ],
    ids=lambda argv: " ".join(argv[:2]),
)
def test_the_same_request_gives_the_same_bytes(argv):
    first, second = run(*argv, env={"PYTHONHASHSEED": "1"}), run(*argv, env={"PYTHONHASHSEED": "2"})
    assert first.returncode == 0
    assert first.stdout
    assert (first.stdout, first.stderr) == (second.stdout, second.stderr)


def test_the_output_holds_no_date_host_or_path(tmp_path):
    argv = ("table", "articles", "--format", "json")
    assert run(*argv).stdout == run(*argv, cwd=tmp_path, env={"HOME": str(tmp_path), "TZ": "Asia/Tokyo"}).stdout


@pytest.mark.parametrize(
    "argv",
    [
        ("compute", "relu"),
        ("table", "articles", "--format", "json"),
        ("layers", "--format", "json"),
        ("--help",),
        ("-h",),
        ("compute", "--help"),
    ],
    ids=" ".join,
)
def test_a_closed_output_pipe_ends_the_program_quietly(argv):
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = run(*argv, stdout=writer)
    finally:
        os.close(writer)
    assert done.returncode in (141, -signal.SIGPIPE)
    assert done.stderr == ""


def test_a_pipe_closed_while_it_is_written_ends_the_program_quietly():
    shell = f"'{sys.executable}' -m normcal table articles --format json | head -c 10"
    done = subprocess.run(
        ["bash", "-c", f"{shell}; exit ${{PIPESTATUS[0]}}"],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode in (0, 141)
    assert done.stderr == ""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no /dev/full")
@pytest.mark.parametrize("argv", [("compute", "relu"), ("table", "articles", "--format", "json")], ids=" ".join)
def test_a_full_disk_behind_stdout_is_an_error_not_a_traceback(argv):
    with open("/dev/full", "w") as full:
        done = run(*argv, stdout=full)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "No space left" in done.stderr


@pytest.mark.parametrize("redirection", [">&-", "2>&-"], ids=["stdout", "stderr"])
def test_a_stream_closed_from_the_start_gives_no_traceback(redirection):
    shell = f"'{sys.executable}' -m normcal compute relu {redirection}"
    done = subprocess.run(["bash", "-c", shell], env=environment(), capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stderr
    if redirection == "2>&-":
        assert done.returncode == 0
        assert "relu" in done.stdout


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_an_output_that_cannot_hold_a_character_gives_no_traceback(encoding):
    env = environment(PYTHONIOENCODING=encoding, PYTHONUTF8="0", LC_ALL="C")
    done = subprocess.run(command("explain", "gelu", "--samples", "2000"), env=env, capture_output=True, timeout=60)
    assert b"Traceback" not in done.stderr
    assert done.returncode == 0
    assert b"gelu" in done.stdout


def worked(process, seconds: float) -> None:
    """Wait until a process has used so many seconds of processor time, however busy the machine is."""
    stat, deadline = f"/proc/{process.pid}/stat", time.monotonic() + 30
    if not os.path.exists(stat):
        time.sleep(2 * seconds)
        return
    while process.poll() is None and time.monotonic() < deadline:
        with open(stat) as file:
            ticks = sum(map(int, file.read().rpartition(")")[2].split()[11:13]))
        if ticks / os.sysconf("SC_CLK_TCK") >= seconds:
            return
        time.sleep(0.05)


def interrupted(*argv, after=0.7):
    """Start a run, send SIGINT once it is under way; return exit code, stdout, stderr and the seconds to the end."""
    process = subprocess.Popen(
        command(*argv),
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    try:
        worked(process, after)
        process.send_signal(signal.SIGINT)
        started = time.monotonic()
        out, err = process.communicate(timeout=30)
        return process.returncode, out, err, time.monotonic() - started
    finally:
        process.kill()


def test_ctrl_c_prints_the_result_so_far_with_its_error():
    code, out, err, took = interrupted(*LONG_RUN)
    assert code == 130
    assert took < 5
    row = next(line for line in out.splitlines() if line.startswith("relu") and "forward" in line)
    (mean, error), *_ = re.findall(r"(-?[\d.]+) ± ([\d.]+)", row)
    assert 0 < float(error) < 0.01
    assert abs(float(mean) - 0.3989422804) < 6 * float(error)
    assert "Interrupted" in err
    assert "Traceback" not in err


def test_ctrl_c_leaves_json_whole_with_the_samples_that_were_drawn():
    code, out, err, _ = interrupted(*LONG_RUN, "--format", "json")
    assert code == 130
    (layer,) = json.loads(out)["layers"]
    assert 0 < layer["forward"]["samples"] < 100_000_000_000
    assert layer["forward"]["error"]["std"] > 0
    assert layer["backward"] is None
    assert "Traceback" not in err


@pytest.mark.parametrize("argv", [("explain", "relu"), ("verify", "relu", "--workers", "1")], ids=" ".join)
def test_ctrl_c_ends_every_command_with_130(argv):
    code, _, err, took = interrupted(*argv, "--samples", "100000000000")
    assert code == 130
    assert took < 5
    assert "Interrupted" in err
    assert "Traceback" not in err


def test_ctrl_c_during_a_table_keeps_the_finished_rows(tmp_path):
    (tmp_path / "c.yaml").write_text("layers: [identity, relu]\nsamples: 20000000000\nengine: monte-carlo\n")
    code, out, err, _ = interrupted("table", str(tmp_path / "c.yaml"), "--format", "json")
    assert code == 130
    assert json.loads(out)["layers"]
    assert "Traceback" not in err


def test_ctrl_c_leaves_no_truncated_file_that_looks_whole(tmp_path):
    (tmp_path / "c.yaml").write_text("layers: [identity, relu]\nsamples: 20000000000\nengine: monte-carlo\n")
    (tmp_path / "out.json").write_text("precious")
    code, _, err, _ = interrupted("table", str(tmp_path / "c.yaml"), "-o", str(tmp_path / "out.json"))
    assert code == 130
    assert "Traceback" not in err
    found = (tmp_path / "out.json").read_text()
    assert found == "precious" or "interrupted" in found.lower()


PROGRESS = re.compile(r"\d+%.*samples/s.*\d:\d\d:\d\d")


def test_a_long_run_shows_progress_with_rate_and_remaining_time_on_a_terminal():
    done = on_terminal(
        *LONG_RUN,
        stdout=False,
        when=lambda shown: PROGRESS.search(re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", shown)),
        then=lambda process: process.send_signal(signal.SIGINT),
    )
    assert done.returncode == 130
    assert "relu forward" in done.shown
    assert "samples/s" not in done.piped
    assert "\x1b" not in done.piped
    assert "relu" in done.piped


def test_progress_without_colour_where_colour_is_not_wanted():
    done = on_terminal(
        *LONG_RUN,
        stdout=False,
        env={"NO_COLOR": "1"},
        when=lambda shown: "samples/s" in shown,
        then=lambda process: process.send_signal(signal.SIGINT),
    )
    assert "samples/s" in done.shown
    assert not re.search(r"\x1b\[[\d;]*m", done.shown)


def test_a_short_run_shows_no_progress():
    done = on_terminal("compute", "relu", "--engine", "monte-carlo", "--samples", "10000", stdout=False)
    assert (done.returncode, done.shown) == (0, "")


def test_a_long_run_shows_no_progress_off_a_terminal():
    code, _, err, _ = interrupted(*LONG_RUN, "--workers", "1", after=1.6)
    assert code == 130
    assert "samples/s" not in err and "%" not in err
    assert "\x1b" not in err
