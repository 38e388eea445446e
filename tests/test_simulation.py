"""Simulations that are cut off: taken up again they give the same bits, and what was drawn is never lost."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from normcal import catalog, checkpoint, pipeline
from normcal import session as sessions
from normcal.executor import Lost
from normcal.request import Request
from normcal.sampler import BLOCK_DRAWS
from tests.program import ROOT, environment

ASKED = {"engine": "monte-carlo", "seed": 5, "workers": 1}
MANY = 12 * BLOCK_DRAWS


class Faulty:
    """A session whose workers are lost after some blocks, once."""

    def __init__(self, blocks, kept=None, problem=None):
        self.blocks, self.checkpoint = blocks, kept
        self.problem = problem or Lost("The workers went away.", "Start them again.")
        self.pool = self

    def ordered(self, task, count, start=0):
        for number in range(start, count):
            if self.blocks == 0:
                raise self.problem
            self.blocks -= 1
            yield task(number)


def run(session=None, direction="forward", **options):
    request = Request(direction=direction, **(ASKED | options))
    return pipeline.run(request, [catalog.layer("gelu")], session=session)


def figures(result):
    return [row.data() for row in result.layers]


@pytest.mark.parametrize("problem", [None, KeyboardInterrupt()], ids=["lost", "ctrl-c"])
def test_a_run_that_is_cut_off_shows_the_draws_so_far(problem):
    cut = run(Faulty(3, problem=problem), samples=MANY)
    assert cut.interrupted and (cut.cause is None) == (problem is not None)
    assert cut.layers[0].forward == run(samples=3 * BLOCK_DRAWS).layers[0].forward


OPTIONS = {
    "plain": {},
    "antithetic": {"sampler": "antithetic"},
    "sobol": {"sampler": "sobol"},
    "rtol": {"rtol": 1e-3},
    "sobol-rtol": {"sampler": "sobol", "rtol": 1e-5},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("blocks", [3, 11])
def test_a_run_that_is_taken_up_again_gives_the_same_bits(tmp_path, blocks, options):
    path, identity = str(tmp_path / "run.json"), {"test": 1}
    whole = figures(run(direction="both", samples=MANY, **options))
    for _ in range(1000):
        with checkpoint.opened(path, identity) as kept:
            result = run(Faulty(blocks, kept), direction="both", samples=MANY, **options)
        if not result.interrupted:
            break
    assert figures(result) == whole


def test_a_run_that_is_done_draws_nothing_when_it_is_asked_for_again(tmp_path):
    path, identity = str(tmp_path / "run.json"), {"test": 1}
    with checkpoint.opened(path, identity) as kept:
        first = run(Faulty(1000, kept), samples=MANY)
    with checkpoint.opened(path, identity) as kept:
        again = run(Faulty(0, kept), samples=MANY)
    assert figures(first) == figures(again) and not again.interrupted


def test_the_parts_of_a_layer_are_kept_too(tmp_path):
    layer, request = catalog.layer("linear(in_features=6, out_features=4)"), Request(**ASKED, samples=40_000)
    whole = figures(pipeline.run(request, [layer]))
    for _ in range(100):
        with checkpoint.opened(str(tmp_path / "run.json"), {"test": 1}) as kept:
            result = pipeline.run(request, [layer], session=Faulty(3, kept))
        if not result.interrupted:
            break
    assert figures(result) == whole


CHANGES = {"seed": 6, "samples": 10, "rtol": 0.5, "sampler": "sobol", "mean": 0.5, "direction": "forward"}


@pytest.mark.parametrize("name", CHANGES)
def test_whatever_changes_the_bits_changes_the_identity(name):
    change = {name: CHANGES[name]}
    layers, request = [catalog.layer("relu")], Request(**ASKED)
    assert sessions.identity(request.updated(change), layers) != sessions.identity(request, layers)


def test_who_does_the_work_does_not_change_the_identity():
    layers, request = [catalog.layer("relu")], Request(**ASKED)
    others = {"workers": 2, "executor": "dask", "cluster": "tcp://127.0.0.1:1"}
    assert sessions.identity(request.updated(others), layers) == sessions.identity(request, layers)


def test_other_layers_make_another_identity_however_many_there_are():
    request = Request(**ASKED)
    some = [
        [catalog.layer("relu")],
        [catalog.layer("gelu")],
        *([catalog.layer(f"elu(alpha={k + extra})") for k in range(40)] for extra in (1, 2)),
    ]
    found = [json.dumps(sessions.identity(request, layers)) for layers in some]
    assert len(set(found)) == len(found) and max(map(len, found)) < 2000


#: The program with a checkpoint that is written twenty times a second.
OFTEN = (
    "import sys; import normcal.checkpoint as c; c.INTERVAL = 0.05; from normcal.cli import main; main(sys.argv[1:])"
)


def started(*argv):
    return subprocess.Popen([sys.executable, "-c", OFTEN, *argv], env=environment(), cwd=ROOT,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # fmt: skip


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
@pytest.mark.parametrize("options", [(), ("--executor", "processes")], ids=["threads", "processes"])
def test_sigkill_at_any_moment_and_a_resume_give_the_same_bits(tmp_path, options):
    argv = (
        "compute",
        "gelu",
        "relu",
        "--engine",
        "monte-carlo",
        "--samples",
        "2e7",
        "--workers",
        "2",
        "--format",
        "json",
        *options,
    )
    whole, _ = started(*argv).communicate(timeout=120)
    kept = str(tmp_path / "run.json")
    kills = 0
    for moment in (0.3, 0.5, 0.7, 0.9, 1.1):
        process = started(*argv, "--checkpoint", kept)
        time.sleep(moment)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        kills += process.returncode == -signal.SIGKILL
    found, said = started(*argv, "--checkpoint", kept).communicate(timeout=120)
    assert kills and found == whole, said


@pytest.mark.parametrize("format", ["text", "csv"])
def test_ctrl_c_says_where_the_state_is_kept(tmp_path, format):
    kept = str(tmp_path / "run.json")
    argv = ("compute", "gelu", "--engine", "monte-carlo", "--samples", "1e10", "--format", format, "--checkpoint", kept)
    with started(*argv) as process:
        for _ in range(600):
            if os.path.exists(kept):
                break
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        try:
            shown, said = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130 and "monte-carlo" in shown
    assert said == f"Interrupted: the figures are of the draws so far; the same command goes on from {kept}.\n"


def test_a_checkpoint_of_another_request_is_refused_and_kept(tmp_path):
    kept = tmp_path / "run.json"
    argv = ("compute", "relu", "--engine", "monte-carlo", "--checkpoint", str(kept))
    started(*argv, "--samples", "1000").communicate(timeout=60)
    before = kept.read_bytes()
    process = started(*argv, "--samples", "2000")
    _, said = process.communicate(timeout=60)
    assert process.returncode == 2 and "samples is 1000 there and 2000 here" in said and "Delete it" in said
    assert kept.read_bytes() == before


@pytest.mark.parametrize("spec", ["relu", "max_pool(kernel_size=2)", "linear(in_features=5, out_features=3)"])
def test_processes_give_the_same_bits_as_threads(spec):
    argv = ("compute", spec, "--engine", "monte-carlo", "--samples", "200000", "--format", "json")
    threads, processes = (started(*argv, *more).communicate(timeout=120)[0]
                          for more in (("--workers", "1"), ("--executor", "processes", "--workers", "2")))  # fmt: skip
    assert threads == processes and json.loads(threads)["layers"][0]["forward"]["status"] == "ok"


LOST = "Error: The cluster tcp://127.0.0.1:1 cannot be reached: nothing listens there."


@pytest.mark.parametrize(
    "argv",
    [
        ("compute", "lstm_cell"),
        ("compute", "lstm_cell", "--format", "csv"),
        ("table", "TABLE"),
        ("table", "TABLE", "-o", "made.md"),
        ("explain", "relu"),
        ("verify", "relu"),
    ],
    ids=" ".join,
)
def test_a_cluster_that_cannot_be_reached_is_told_once_and_nothing_is_written(tmp_path, argv):
    pytest.importorskip("distributed", reason="dask.distributed is not installed")
    config = tmp_path / "table.yaml"
    config.write_text("layers: [lstm_cell]")
    argv = [str(config) if word == "TABLE" else str(tmp_path / word) if "." in word else word for word in argv]
    process = started(*argv, "--cluster", "tcp://127.0.0.1:1")
    shown, said = process.communicate(timeout=60)
    assert process.returncode == 2 and shown == "" and said.startswith(LOST)
    assert os.listdir(tmp_path) == ["table.yaml"]


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("options", [(), ("--executor", "processes")], ids=["threads", "processes"])
def test_sigterm_keeps_the_state_and_leaves_nothing_behind(tmp_path, options):
    kept = tmp_path / "run.json"
    argv = ("compute", "gelu", "--engine", "monte-carlo", "--samples", "1e10", "--workers", "2", *options)
    process = started(*argv, "--checkpoint", str(kept))
    while not kept.exists() and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM and "goes on from" in said
    assert os.listdir(tmp_path) == ["run.json"]


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_second_ctrl_c_ends_processes_at_once():
    sampling = ("--engine", "monte-carlo", "--samples", "1e10", "--executor", "processes", "--workers", "2")
    argv = ("compute", "gelu", *sampling)
    process = started(*argv)
    time.sleep(2.5)
    process.send_signal(signal.SIGINT)
    time.sleep(0.03)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130


def test_the_result_and_the_state_cannot_be_one_file(tmp_path):
    same = str(tmp_path / "same.json")
    process = started("compute", "relu", "--engine", "monte-carlo", "--checkpoint", same, "-o", same)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 2 and "--output and --checkpoint are both" in said and not os.listdir(tmp_path)


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    "argv", [("compute", "relu"), ("compute", "relu", "--format", "csv"), ("--help",), ("layers",)], ids=" ".join
)
def test_a_full_disk_has_its_message_and_code_whatever_the_buffer(argv, unbuffered):
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-m", "normcal", *argv], env=environment(PYTHONUNBUFFERED=unbuffered),
                              cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)  # fmt: skip
    assert (done.returncode, done.stderr) == (2, "Error: The result cannot be written: No space left on device.\n")
