"""The fuzzer of ``benchmarks/``: a few seconds of it find nothing, and it does find what is wrong."""

import subprocess
import sys

import pytest

from benchmarks import fuzz
from tests.program import ROOT, environment


def test_a_few_seconds_of_fuzzing_find_nothing():
    command = [sys.executable, "-m", "benchmarks.fuzz", "--seconds", "3"]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    for target in fuzz.TARGETS:
        assert f"{target}: " in done.stdout


@pytest.mark.parametrize(
    ("wrong", "told"),
    [(lambda text: 1 // 0, "ZeroDivisionError"), (lambda text: None, "")],
    ids=["an error of the program", "nothing"],
)
def test_what_is_wrong_is_found_with_its_text(wrong, told, monkeypatch):
    monkeypatch.setitem(fuzz.TARGETS, "expression", wrong)
    found = fuzz.Fuzzer("expression", 0).findings
    assert [finding.partition(" at ")[0] for finding in found.values()] == ([told] if told else [])


def test_texts_that_reach_something_new_are_kept():
    fuzzer = fuzz.Fuzzer("expression", 0)
    before = len(fuzzer.texts)
    fuzzer.try_one("x if not x > 1e-3 else mod(x, 2)")
    assert len(fuzzer.texts) == before + 1
    fuzzer.try_one("x if not x > 1e-3 else mod(x, 2)")
    assert len(fuzzer.texts) == before + 1
