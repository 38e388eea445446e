"""Sweeps: rows that leave the program as they are computed, the same bytes as if all were there first."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import yaml

from normcal import catalog, config, pipeline, renderer, streaming, summary, tabulation
from normcal.commands import _progress
from normcal.engine import Interrupted
from normcal.errors import RequestError
from normcal.report import View
from normcal.request import Request
from tests.program import command, environment, invoke, run

STREAMING = [name for name in renderer.names() if renderer.get(name).streams]
CASES = {
    "one": ["relu"],
    "sweeps": ["elu(alpha=[0.5, 1, 2])", "gelu", "max_pool(kernel_size=[2, 3])", "*elu"],
    "several-inputs-and-weights": ["glu", "linear", "relu"],
    "remarks": ["step", "softmax(n=3)", "hard_shrink"],
}
SLOW = "linear(fan_in=400)"


def rows_of(specs, **options):
    request = Request(**options)
    return streaming.Rows(streaming.computed(request, catalog.Layers(specs))), request


def held(specs, **options):
    """The report of rows that are all there."""
    return summary.by_direction(pipeline.run(Request(**options), catalog.layers(specs)))


def test_the_formats_for_machines_stream():
    assert {"csv", "json", "yaml"} <= set(STREAMING)
    assert not {"text", "markdown", "python"} & set(STREAMING)


@pytest.mark.parametrize("name", STREAMING)
@pytest.mark.parametrize("direction", ["both", "backward"])
@pytest.mark.parametrize("case", CASES)
def test_rows_on_their_way_become_the_same_bytes(case, direction, name):
    rows, request = rows_of(CASES[case], direction=direction)
    streamed = "".join(renderer.get(name).pieces(summary.streamed(rows, request.law), View()))
    whole = held(CASES[case], direction=direction)
    assert streamed == renderer.get(name).render(whole, View())
    assert rows.notes == whole.asides


@pytest.mark.parametrize("name", STREAMING)
def test_a_table_with_more_than_rows_becomes_the_same_bytes(name):
    chosen = config.read("articles")
    request = Request().updated(chosen.options)
    rows = streaming.Rows(streaming.computed(request, config.sweep(chosen)))
    report = summary.streamed(rows, request.law, tabulation.more(chosen, request)[1])
    whole = tabulation.report(chosen, request, pipeline.run(request, config.layers(chosen)))
    assert "".join(renderer.get(name).pieces(report, View())) == renderer.get(name).render(whole, View())


@pytest.mark.parametrize("name", STREAMING)
def test_a_row_is_written_before_the_next_is_computed(name):
    computed = []

    def one_by_one():
        for layer in catalog.Layers(["elu(alpha=[0.5, 1, 2, 3])"]):
            computed.append(layer.spec)
            yield from pipeline.run(Request(), [layer]).layers

    rows = streaming.Rows(one_by_one())
    for piece in renderer.get(name).pieces(summary.streamed(rows, Request().law), View()):
        if "elu(" in piece:
            assert computed[-1] in piece
    assert len(computed) == 4


def test_layers_are_built_when_they_are_asked_for_and_not_kept():
    found = catalog.Layers(["leaky_relu(negative_slope=[0.1, 0.2])", "relu"])
    first, second = list(found), list(found)
    assert [one.spec for one in first] == [one.spec for one in second]
    assert not any(one is other for one, other in zip(first, second, strict=True))


@pytest.mark.parametrize(
    ("specs", "message"),
    [
        (["relu", "rellu"], "Unknown layer 'rellu'"),
        (["dropout(keep_prob=[0.5, 1, 2])"], "keep_prob cannot be 2"),
        (["relu", "max_pool(kernel_size=[2, 0])"], "kernel_size cannot be 0"),
        (["relu", "elu(alpha=1"], "is not a SPEC"),
        (["relu", "nothing_like_*"], "No layer's name matches"),
    ],
    ids=["name", "value", "sweep", "grammar", "pattern"],
)
@pytest.mark.parametrize("name", STREAMING)
def test_a_mistake_in_the_last_spec_is_refused_before_the_first_row(specs, message, name, tmp_path):
    done = invoke("compute", *specs, "--format", name, "-o", tmp_path / "out")
    assert done.exit_code == 2
    assert message in done.output
    assert not list(tmp_path.iterdir())
    assert not invoke("compute", *specs, "--format", name).stdout


def test_too_much_work_for_the_last_layer_is_refused_before_the_first_row():
    done = invoke(
        "compute", "relu", "linear(fan_in=1e7)", "--engine", "monte-carlo", "--samples", "1e11", "--format", "csv"
    )
    assert (done.exit_code, done.stdout) == (2, "")


def test_many_rows_are_taken_where_they_stream_and_refused_where_they_are_held():
    many = ", ".join(map(str, range(1, 201)))
    specs = [f"elu(alpha=[{many}], input_scale=[{many}])"]
    with pytest.raises(RequestError, match="40_000 layers") as refused:
        catalog.Layers(specs)
    assert "20_000" in refused.value.hint and "csv" in refused.value.hint
    assert "1_000_000" in refused.value.hint
    assert len(catalog.Layers(specs, most=catalog.MOST_LAYERS)) == 40_000 < catalog.MOST_LAYERS


def test_many_layers_of_several_texts_are_refused_with_what_would_do():
    many = ", ".join(map(str, range(1, 101)))
    specs = [f"elu(alpha=[{many}], input_scale=[{many}])"] * 3
    with pytest.raises(RequestError, match="30_000 layers are too many") as refused:
        catalog.Layers(specs)
    assert "1_000_000" in refused.value.hint and "csv" in refused.value.hint


def test_a_sweep_of_ten_thousand_values_is_one_spec():
    values = ", ".join(f"{i / 10_000:.4f}" for i in range(1, 10_001))
    assert len(catalog.Layers([f"leaky_relu(negative_slope=[{values}])"])) == 10_000


# -- what ends the rows early ----------------------------------------------------------------------


def cut(after, problem):
    """Rows that end with an exception."""
    rows = pipeline.run(Request(), catalog.layers(["relu", "gelu", "tanh"])).layers
    yield from rows[:after]
    raise problem


READERS = {"json": lambda text: json.loads(text)["layers"], "yaml": lambda text: yaml.safe_load(text)["layers"]}


@pytest.mark.parametrize("problem", [KeyboardInterrupt(), Interrupted(None), RequestError("No.")], ids=repr)
@pytest.mark.parametrize("name", READERS)
def test_what_was_written_before_the_end_is_a_whole_document(name, problem):
    rows = streaming.Rows(cut(2, problem))
    report = summary.streamed(rows, Request().law, {"grid": {"only": "where all rows are there"}})
    text = "".join(renderer.get(name).pieces(report, View()))
    assert [row["layer"] for row in READERS[name](text)] == ["relu", "gelu"]
    assert "grid" not in text
    assert rows.stopped is problem
    assert rows.interrupted == isinstance(problem, KeyboardInterrupt)


def test_a_cause_tells_more_than_that_it_was_interrupted():
    cause = RequestError("The workers are gone.")
    rows = streaming.Rows(cut(1, Interrupted(None, cause)))
    list(rows)
    assert rows.stopped is cause and rows.interrupted


def test_an_error_of_the_first_row_is_raised_before_anything_is_written():
    with pytest.raises(RequestError, match="No"):
        streaming.Rows(cut(0, RequestError("No.")))
    assert streaming.Rows(cut(0, KeyboardInterrupt())).empty


def test_ctrl_c_waits_while_a_row_is_written():
    rows = streaming.Rows(iter(pipeline.run(Request(), catalog.layers(["relu", "gelu", "tanh"])).layers))
    written = []
    with rows.steady():
        for row in rows:
            written.append(row.layer.name)
            if row.layer.name == "gelu":
                os.kill(os.getpid(), signal.SIGINT)
                written.append("to the end")
    assert written == ["relu", "gelu", "to the end"]
    assert isinstance(rows.stopped, KeyboardInterrupt)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_twice_does_not_wait():
    rows = streaming.Rows(iter(pipeline.run(Request(), catalog.layers(["relu", "gelu"])).layers))
    with pytest.raises(KeyboardInterrupt), rows.steady():
        for _ in rows:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)


def test_remarks_beyond_a_thousand_are_counted(monkeypatch):
    monkeypatch.setattr(streaming, "MOST_NOTES", 2)
    rows, request = rows_of(["identity(output_scale=0)", "step(output_scale=[0, 0])", "relu(output_scale=0)"])
    list(summary.streamed(rows, request.law).records)
    everything = held(["identity(output_scale=0)", "step(output_scale=[0, 0])", "relu(output_scale=0)"]).asides
    assert rows.notes == everything[:2]
    assert rows.more_notes == len(everything) - 2 > 0


def test_a_progress_bar_makes_room_for_a_row_and_comes_back(monkeypatch):
    class Bar:
        shown = 0

        def start(self):
            Bar.shown += 1

        def stop(self):
            Bar.shown -= 1

        def add_task(self, label, **_):
            return 0

        def update(self, task, **_):
            assert Bar.shown == 1

    monkeypatch.setattr(_progress, "PATIENCE", 0.0)
    monkeypatch.setattr(_progress, "_bar", Bar)
    progress = _progress.Progress()
    progress.hide()
    for _ in range(2):
        progress("relu forward", 1, 2)
        assert Bar.shown == 1
        progress.hide()
        assert Bar.shown == 0


# -- the program -----------------------------------------------------------------------------------

SWEEP = "leaky_relu(negative_slope=[" + ", ".join(f"{i / 3000:.5f}" for i in range(1, 3001)) + "])"
LONG_SWEEP = ("compute", SWEEP, "--engine", "monte-carlo", "--samples", "20000", "--workers", "1")


def begun(*argv, **streams):
    return subprocess.Popen(
        command(*argv), env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        encoding="utf-8", **streams,
    )  # fmt: skip


def test_a_reader_at_the_end_of_a_pipe_gets_rows_while_others_are_computed():
    process = begun(*LONG_SWEEP, "--format", "csv")
    try:
        lines = [process.stdout.readline() for _ in range(20)]
        assert process.poll() is None
        assert lines[0].startswith("spec,") and lines[1].startswith("leaky_relu")
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("name", READERS)
def test_ctrl_c_in_a_sweep_leaves_a_whole_document_on_stdout(name):
    process = begun(*LONG_SWEEP, "--format", name)
    try:
        head = "".join(process.stdout.readline() for _ in range(200))
        process.send_signal(signal.SIGINT)
        out, err = process.stdout.read(), process.stderr.read()
        assert process.wait(timeout=30) == 130
    finally:
        process.kill()
        process.communicate()
    assert 3 < len(READERS[name](head + out)) < 3000
    assert "Interrupted" in err and "Traceback" not in err


def test_ctrl_c_in_a_sweep_to_a_file_leaves_the_file_and_shows_the_rows(tmp_path):
    path = tmp_path / "out.json"
    path.write_text("precious")
    process = begun(*LONG_SWEEP, "-o", str(path))
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and not any(p.stat().st_size > 20_000 for p in tmp_path.glob(".normcal-*")):
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 130
    assert len(json.loads(out)["layers"]) > 3
    assert f"{path} was not written" in err
    assert [p.name for p in tmp_path.iterdir()] == ["out.json"]
    assert path.read_text() == "precious"


REFUSED_LATE = ("compute", "relu", "softplus", "--engine", "closed-form")


@pytest.mark.parametrize("name", READERS)
def test_what_only_a_later_row_shows_to_be_wrong_is_an_error_behind_whole_rows(name):
    done = invoke(*REFUSED_LATE, "--format", name)
    assert done.exit_code == 2
    assert [row["layer"] for row in READERS[name](done.stdout)] == ["relu"]
    assert "the closed-form engine cannot serve" in done.stderr and "Interrupted" not in done.stderr


def test_what_only_a_later_row_shows_to_be_wrong_leaves_a_file_as_it_was(tmp_path):
    path = tmp_path / "out.csv"
    path.write_text("precious")
    done = invoke(*REFUSED_LATE, "-o", path)
    assert (done.exit_code, done.stdout, path.read_text()) == (2, "", "precious")
    assert "the closed-form engine cannot serve" in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["out.csv"]


def test_a_reader_that_leaves_ends_a_sweep_quietly():
    process = begun(*LONG_SWEEP, "--format", "csv")
    process.stdout.readline()
    process.stdout.close()
    try:
        assert process.wait(timeout=30) in (141, -signal.SIGPIPE)
        assert process.stderr.read() == ""
    finally:
        process.kill()
        process.stderr.close()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no /dev/full")
@pytest.mark.parametrize("name", STREAMING)
def test_a_disk_that_fills_up_behind_stdout_is_an_error(name):
    with open("/dev/full", "w") as full:
        done = run("compute", "relu", "gelu", "--format", name, stdout=full)
    assert done.returncode == 2
    assert "No space left" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["text", "csv"])
def test_memory_that_does_not_suffice_is_an_error_that_says_so(name, tmp_path, monkeypatch):
    def greedy(*_):
        raise MemoryError
        yield

    monkeypatch.setattr(pipeline, "rows", greedy)
    done = invoke("compute", "relu", "--format", name, "-o", tmp_path / "out")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "memory" in done.stderr and "fewer" in done.stderr
    assert not list(tmp_path.iterdir())


LIMITED = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
from normcal.cli import main
main(sys.argv[1:])
"""


@pytest.mark.parametrize("name", STREAMING)
def test_a_disk_that_fills_up_behind_a_file_leaves_what_was_there(name, tmp_path):
    path = tmp_path / f"out.{name}"
    path.write_text("precious")
    call = [sys.executable, "-c", LIMITED, "compute", "elu(alpha=[1, 2, 3])", "*elu", "-o", str(path)]
    done = subprocess.run(call, env=environment(), capture_output=True, encoding="utf-8", timeout=60)
    assert done.returncode == 2
    assert f"{path}' cannot be written: File too large" in done.stderr and "Traceback" not in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    assert path.read_text() == "precious"


MEASURED = """
import resource, sys
from normcal.cli import main
try:
    main(sys.argv[1:])
except SystemExit:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""


@pytest.mark.parametrize("name", STREAMING)
def test_memory_does_not_grow_with_the_rows(name):
    def peak(count):
        spec = f"leaky_relu(negative_slope=[{', '.join(f'{i / count:.5f}' for i in range(1, count + 1))}])"
        call = [sys.executable, "-c", MEASURED, "compute", spec, "--format", name]
        done = subprocess.run(call, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        return int(done.stderr.split()[-1])

    assert peak(2000) < peak(100) + 4000  # kilobytes; two thousand rows that are held take more than 8000
