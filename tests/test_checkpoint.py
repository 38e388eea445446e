"""A checkpoint is whole at every moment, belongs to one run at a time, and is never replaced by another request's."""

import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from normcal import checkpoint
from normcal.checkpoint import opened
from normcal.errors import FileError
from tests.program import environment

IDENTITY = {"version": "0.1.0", "samples": 1000, "seed": 7, "law": {"mean": 0.0, "std": 0.1}, "rtol": None}


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "run.json")


def saved(path, states=None, identity=IDENTITY):
    """Write a checkpoint and return its bytes."""
    with opened(path, identity) as found:
        for key, state in (states or {"relu forward": {"rows": 3, "a": 0.1}}).items():
            found.save(key, state)
    return pathlib.Path(path).read_bytes()


def refusal(path, identity=IDENTITY):
    """Return why a file is refused, having made sure that it was left as it is."""
    before = pathlib.Path(path).read_bytes()
    with pytest.raises(FileError) as found:
        opened(path, identity)
    assert pathlib.Path(path).read_bytes() == before
    assert os.listdir(os.path.dirname(path)) == [os.path.basename(path)]
    assert found.value.exit_code == 2 and repr(path) in found.value.message
    return found.value


# -- what is kept --------------------------------------------------------------------------------


@settings(derandomize=True, database=None, deadline=None, max_examples=40)
@given(st.lists(st.floats(), max_size=20), st.text(), st.integers())
def test_every_number_reads_back_to_the_same_bits(tmp_path_factory, numbers, key, whole):
    path = str(tmp_path_factory.mktemp("checkpoint") / "run.json")
    saved(path, {key: {"numbers": numbers, "whole": whole}})
    with opened(path, IDENTITY) as found:
        state = found.load(key)
    assert [number.hex() for number in state["numbers"]] == [number.hex() for number in numbers]
    assert state["whole"] == whole


def test_a_file_that_is_not_there_holds_nothing_and_is_not_made(path):
    with opened(path, IDENTITY) as found:
        assert found.load("relu forward") is None
    assert os.listdir(os.path.dirname(path)) == []


def test_a_run_that_goes_on_keeps_what_it_does_not_change(path):
    saved(path, {"one": {"n": 1}, "two": {"n": 2}})
    with opened(path, IDENTITY) as found:
        found.save("two", {"n": 3})
    with opened(path, IDENTITY) as found:
        assert (found.load("one"), found.load("two")) == ({"n": 1}, {"n": 3})


def test_a_run_that_changes_nothing_does_not_touch_the_file(path):
    saved(path)
    before = os.stat(path)
    with opened(path, IDENTITY) as found:
        found.load("relu forward")
    assert os.stat(path) == before


def test_saving_often_writes_seldom(path, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(checkpoint.time, "monotonic", lambda: clock[0])
    written = []
    with opened(path, IDENTITY) as found:
        for number in range(100):
            clock[0] += checkpoint.INTERVAL / 10.5
            due = found.due
            found.save("x", {"number": number})
            if os.path.exists(path):
                written.append(json.loads(pathlib.Path(path).read_text())["states"]["x"]["number"])
                assert not due or written[-1] == number
        assert len(set(written)) == 9
        found.save("x", {"number": -1}, now=True)
        assert json.loads(pathlib.Path(path).read_text())["states"]["x"]["number"] == -1


def test_what_is_not_yet_written_is_written_at_the_end_also_after_an_error(path):
    with pytest.raises(KeyboardInterrupt), opened(path, IDENTITY) as found:
        found.save("x", {"n": 1})
        raise KeyboardInterrupt
    with opened(path, IDENTITY) as found:
        assert found.load("x") == {"n": 1}


def test_the_file_keeps_its_permissions_and_its_link(path, tmp_path):
    saved(path)
    os.chmod(path, 0o640)
    link = str(tmp_path / "link.json")
    os.symlink("run.json", link)
    with opened(link, IDENTITY) as found:
        found.save("x", {"n": 1})
    assert os.path.islink(link) and os.stat(path).st_mode & 0o777 == 0o640
    with opened(path, IDENTITY) as found:
        assert found.load("x") == {"n": 1}


# -- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"samples": 2000}, ["samples is 1000 there and 2000 here"]),
        ({"seed": 8, "rtol": 1e-3}, ["seed is 7 there and 8 here", "rtol is null there and 0.001 here"]),
        ({"law": {"mean": 0.0, "std": 0.1 + 1e-16}}, ['law is {"mean": 0.0, "std": 0.1} there']),
        ({"version": "0.2.0"}, ['version is "0.1.0" there and "0.2.0" here']),
        ({"sampler": "sobol"}, ['sampler is nothing there and "sobol" here']),
        ({"layers": ["relu"] * 1000}, ["layers is nothing there", "..."]),
    ],
    ids=["samples", "two", "a last digit", "version", "one more", "long"],
)
def test_another_request_is_told_what_differs(path, changed, told):
    saved(path)
    found = refusal(path, IDENTITY | changed)
    assert all(part in found.message for part in told) and len(found.message) < 600
    assert "is of another request" in found.message and found.hint == checkpoint.REMEDY


def test_a_request_that_asks_for_less_is_another_request(path):
    saved(path)
    found = refusal(path, {name: IDENTITY[name] for name in IDENTITY if name != "seed"})
    assert "seed is 7 there and nothing here" in found.message


def test_a_truncated_file_is_damaged_wherever_it_breaks_off(path):
    whole = saved(path)
    for length in range(0, len(whole) - 2, 3):
        pathlib.Path(path).write_bytes(whole[:length])
        found = refusal(path)
        assert "is damaged: it breaks off" in found.message, length
        assert found.hint == checkpoint.REMEDY


def test_every_digit_is_under_the_checksum(path):
    whole = saved(path).decode()
    digits = [index for index, letter in enumerate(whole) if letter in "0123456789"]
    for index in digits:
        flipped = str((int(whole[index]) + 1) % 10)
        pathlib.Path(path).write_text(whole[:index] + flipped + whole[index + 1 :])
        found = refusal(path)
        assert "damaged" in found.message or "another version" in found.message, index


NEWER = json.dumps({"schema": "normcal-checkpoint/2", "anything": [1]})
FOREIGN = {
    "text": b"hello\n",
    "no text": bytes(range(256)),
    "another program's": b'{"schema": "something/1", "checksum": "", "identity": {}, "states": {}}',
    "a list": b"[1, 2]",
    "a number": b"7",
    "no schema": b"{}",
    "a schema that is no word": b'{"schema": 7}',
    "a result": b'{"normcal": "0.1.0", "layers": []}',
    "deep": b"[" * 200_000 + b"]" * 200_000,
    "many digits": b"9" * 10_000,
}


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN)
def test_a_file_of_somebody_else_is_not_touched(path, content):
    pathlib.Path(path).write_bytes(content)
    assert "is no checkpoint of normcal" in refusal(path).message


def test_a_newer_file_is_not_touched(path):
    pathlib.Path(path).write_text(NEWER)
    assert "is of another version: 'normcal-checkpoint/2'" in refusal(path).message


@pytest.mark.parametrize("name", ["identity", "states", "checksum"])
@pytest.mark.parametrize("value", [None, 7, [], "x"], ids=repr)
def test_a_part_of_another_kind_is_damage(path, name, value):
    document = json.loads(saved(path))
    document[name] = value
    if name != "checksum":
        document["checksum"] = checkpoint._checksum(document["identity"], document["states"])
    pathlib.Path(path).write_text(json.dumps(document))
    assert "is damaged" in refusal(path).message


def test_a_huge_file_is_not_read(path):
    with open(path, "wb") as stream:
        stream.truncate(checkpoint.MOST_BYTES + 1)
    with pytest.raises(FileError, match="too large"):
        opened(path, IDENTITY)


def test_what_is_no_file_is_refused_before_any_work(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    cases = {
        str(tmp_path): "is a folder",
        str(tmp_path / "none" / "run.json"): "does not exist",
        "/dev/null": "is no regular file",
        "/dev/full": "is no regular file",
        str(tmp_path / "pipe"): "is no regular file",
        str(tmp_path / ("x" * 255)): "cannot be locked",
        "": "is a folder",
    }
    for path, message in cases.items():
        with pytest.raises(FileError, match=message):
            opened(path, IDENTITY)
    assert os.listdir(tmp_path) == ["pipe"]


def test_a_folder_without_permission_is_refused_before_any_work(path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere
    with pytest.raises(FileError, match="permission denied"):
        opened(path, IDENTITY)


def test_a_file_that_cannot_be_read_is_refused(path, monkeypatch):
    saved(path)
    monkeypatch.setattr(
        checkpoint.os.path, "getsize", lambda path: (_ for _ in ()).throw(PermissionError(13, "denied"))
    )
    assert "cannot be read: denied" in refusal(path).message


# -- one run at a time ---------------------------------------------------------------------------


def test_a_second_run_is_refused_at_once_and_may_come_later(path):
    with opened(path, IDENTITY) as first:
        first.save("x", {"n": 1}, now=True)
        with pytest.raises(FileError, match=rf"in use by another run \(process {os.getpid()}\)"):
            opened(path, IDENTITY)
    with opened(path, IDENTITY) as second:
        assert second.load("x") == {"n": 1}
    assert os.listdir(os.path.dirname(path)) == ["run.json"]


def test_a_refused_file_is_let_go_of(path):
    pathlib.Path(path).write_text("hello")
    refusal(path)
    os.unlink(path)
    opened(path, IDENTITY).close()


def test_closing_twice_leaves_the_lock_of_the_next_run_alone(path):
    first = opened(path, IDENTITY)
    first.close()
    with opened(path, IDENTITY):
        first.save("x", {"n": 1})
        first.close()
        with pytest.raises(FileError, match="in use"):
            opened(path, IDENTITY)
    assert not os.path.exists(path)


SAVING = """
import sys
from normcal.checkpoint import opened
with opened(sys.argv[1], {"samples": 1000}) as run:
    state = run.load("x") or {"n": 0, "parts": []}
    print(state["n"], flush=True)
    while True:
        n = state["n"] + 1
        state = {"n": n, "parts": [n / 7 + k for k in range(n % 500)]}
        run.save("x", state, now=True)
        print(n, flush=True)
"""


def saving(path):
    """Start a process that saves as often as it can."""
    return subprocess.Popen(
        [sys.executable, "-c", SAVING, path],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_run_that_is_killed_at_any_moment_leaves_a_whole_file_and_no_lock(path):
    chance, last = random.Random(1), 0
    for _ in range(24):
        process = saving(path)
        resumed = int(process.stdout.readline())
        assert resumed >= last, "a state that was written got lost"
        time.sleep(chance.random() * 0.05)
        process.kill()
        told, problem = process.communicate(timeout=20)
        last = max([resumed, *map(int, told.split("\n")[:-1])])
        assert not problem
        if os.path.exists(path):
            with opened(path, {"samples": 1000}) as found:
                state = found.load("x")
                assert state["parts"] == [state["n"] / 7 + k for k in range(state["n"] % 500)]
                assert last <= state["n"] <= last + 1
    assert last > 24


def test_another_process_is_refused_while_one_saves_and_served_when_it_was_killed(path):
    process = saving(path)
    try:
        process.stdout.readline()
        with pytest.raises(FileError, match=f"process {process.pid}"):
            opened(path, {"samples": 1000})
    finally:
        process.kill()
        process.communicate(timeout=20)
    assert process.returncode == -signal.SIGKILL
    opened(path, {"samples": 1000}).close()


def test_of_many_runs_that_start_at_once_one_gets_the_file(path):
    runs = [saving(path) for _ in range(6)]
    began = [run.stdout.readline() for run in runs]
    for run in runs:
        run.kill()
    problems = [run.communicate(timeout=20)[1] for run in runs]
    assert len([line for line in began if line]) == 1
    assert sum("in use by another run" in text for text in problems) == 5


def test_temporary_files_of_killed_runs_are_swept(path, tmp_path):
    left = [tmp_path / f".normcal-{name}.tmp" for name in ("old", "new")]
    for file in left:
        file.write_text("half")
    os.utime(left[0], (1.0, 1.0))
    saved(path)
    assert [file.exists() for file in left] == [False, True]


# -- a disk that is full -------------------------------------------------------------------------

FILLING = """
import resource, sys
from normcal.checkpoint import opened
said = []
with opened(sys.argv[1], {"samples": 1000}, said.append) as run:
    run.save("x", {"parts": [0.1]}, now=True)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, resource.RLIM_INFINITY))
    for _ in range(3):
        run.save("x", {"parts": [0.1] * 1000}, now=True)
    assert len(said) == 1 and "File too large" in said[0] and "the run goes on" in said[0], said
    with open(sys.argv[1]) as stream:
        assert stream.read().count("0.1") == 1
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    run.save("x", {"parts": [0.1] * 1000}, now=True)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, resource.RLIM_INFINITY))
    run.save("x", {"parts": [0.1] * 1001})
assert len(said) == 2, said
"""


def test_a_disk_that_fills_up_is_warned_of_once_and_the_old_state_stays(path):
    done = subprocess.run(
        [sys.executable, "-c", FILLING, path], env=environment(), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert os.listdir(os.path.dirname(path)) == ["run.json"]
    with opened(path, {"samples": 1000}) as found:
        assert len(found.load("x")["parts"]) == 1000


def test_a_folder_that_vanishes_does_not_end_the_run(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    said = []
    with opened(str(folder / "run.json"), IDENTITY, said.append) as found:
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
        found.save("x", {"n": 1}, now=True)
        found.save("x", {"n": 2}, now=True)
    assert len(said) == 1 and "No such file or directory" in said[0]


def test_a_state_that_is_no_json_is_a_mistake_of_the_program(path):
    with pytest.raises(TypeError), opened(path, IDENTITY) as found:
        found.save("x", {"n": object()})
    assert os.listdir(os.path.dirname(path)) == []
