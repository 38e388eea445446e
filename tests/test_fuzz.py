"""The fuzzer of ``benchmarks/``: a few seconds of it find nothing, and it does find what is wrong."""

import subprocess
import sys

import pytest

from benchmarks import fuzz
from tests.program import ROOT, environment

atheris = pytest.mark.skipif(sys.platform != "linux", reason="atheris is built for Linux alone")


@atheris
def test_a_few_seconds_of_fuzzing_find_nothing_and_do_run():
    command = [sys.executable, "-m", "benchmarks.fuzz", "--seconds", "2"]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    runs = {line.partition(":")[0]: int(line.split()[1]) for line in done.stdout.splitlines()}
    assert runs.keys() == fuzz.TARGETS.keys() and min(runs.values()) > 10


@atheris
def test_what_is_wrong_ends_the_fuzzer_with_its_text():
    wrong = "from benchmarks import fuzz; fuzz.TARGETS['spec'] = lambda text: 1 // (text.count('(') - 3); fuzz.fuzz('spec', 60, 1)"
    done = subprocess.run(
        [sys.executable, "-c", wrong], cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=300
    )
    assert done.returncode != 0 and "ZeroDivisionError" in done.stdout + done.stderr


@pytest.fixture(scope="module")
def watch():
    return fuzz.Watch()


def refused(text):
    from normcal.errors import RequestError

    raise RequestError("no " * len(text))


WRONG = {
    "an error of the program": (lambda text: 1 // 0, ZeroDivisionError),
    "a message without end": (refused, AssertionError),
    "a file that is opened": (lambda text: open(__file__).close(), AssertionError),
    "a program that is started": (lambda text: subprocess.run(["true"], check=True), AssertionError),
}


@pytest.mark.parametrize("case", WRONG)
def test_whatever_is_neither_an_answer_nor_a_refusal_is_a_finding(case, watch):
    work, error = WRONG[case]
    watch.caught.clear()
    with pytest.raises(error):
        fuzz.tried(work, watch, "x" * 3_000)


@pytest.mark.parametrize("name", fuzz.TARGETS)
def test_an_answer_and_a_refusal_are_none(name, watch):
    for text in fuzz.SEEDS[name]:
        fuzz.TARGETS[name](text)  # imports what it needs
    watch.caught.clear()
    for text in (*fuzz.SEEDS[name], "", "(", "__import__('os')"):
        fuzz.tried(fuzz.TARGETS[name], watch, text)
