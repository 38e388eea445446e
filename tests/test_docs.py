"""What the documentation shows runs: doctests, and every command line of README and docs."""

import doctest
import importlib
import pkgutil
import re
import shlex
import shutil
import subprocess
import sys

import numpy as np
import pytest

import normcal
from tests.program import ROOT, environment, succeed

MODULES = sorted(info.name for info in pkgutil.walk_packages(normcal.__path__, "normcal."))
PAGES = [path for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))) if path.exists()]
FENCE = re.compile(r"^```(?:sh|bash|shell|console)[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)
#: Longest that one shown command may take.
SECONDS = 120


def commands(text):
    """Return the command lines that call normcal in the fenced blocks of a page, continuation lines joined."""
    found = []
    for block in FENCE.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            line = line.strip().removeprefix("$ ")
            if re.match(r"(\S*/)?normcal\b|python3? -m normcal\b", line):
                found.append(line)
    return found


def transcripts(text):
    """Return (command line, output) of the console blocks of a page."""
    found = []
    for block in re.findall(r"^```console[^\n]*\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            line, _, output = part.partition("\n")
            found.append((line, output))
    return found


def test_every_module_is_found():
    assert {"normcal.cli", "normcal.commands.compute", "normcal.layers.rectifiers", "normcal.rounding"} <= set(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_hold(name):
    found = doctest.testmod(importlib.import_module(name))
    assert found.failed == 0


def test_there_are_examples_at_all():
    shown = sum(
        len(test.examples) for name in MODULES for test in doctest.DocTestFinder().find(importlib.import_module(name))
    )
    assert shown > 20


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_the_python_examples_of_a_page_hold(path):
    assert doctest.testfile(str(path), module_relative=False, encoding="utf-8").failed == 0


def test_the_page_of_layers_is_what_the_layers_say():
    page = (ROOT / "docs" / "layers.md").read_text(encoding="utf-8")
    advice = "regenerate it: normcal layers --details -o docs/layers.md"
    assert page == succeed("layers", "--details", "--format", "markdown").stdout, advice


@pytest.fixture(scope="module")
def workshop(tmp_path_factory):
    """A folder with the configs, and a ``normcal`` to type."""
    folder = tmp_path_factory.mktemp("shown")
    shutil.copytree(ROOT / "configs", folder / "configs")
    np.save(folder / "weights.npy", np.random.default_rng(0).standard_normal((16, 32)) / 4.0)
    (folder / "bin").mkdir()
    program = folder / "bin" / "normcal"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m normcal "$@"\n')
    program.chmod(0o755)
    return folder


SHOWN = [(path.name, line) for path in PAGES for line in dict.fromkeys(commands(path.read_text(encoding="utf-8")))]


@pytest.mark.parametrize("line", dict.fromkeys(line for _, line in SHOWN))
def test_a_shown_command_runs(workshop, line):
    path = f"{workshop / 'bin'}:{environment()['PATH']}"
    typed = re.sub(r"^(\S*/normcal|python3? -m normcal)\b", "normcal", line)
    done = subprocess.run(
        ["sh", "-c", typed],
        cwd=workshop,
        env=environment(PATH=path),
        timeout=SECONDS,
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


TYPED = [
    pair for path in PAGES for pair in transcripts(path.read_text(encoding="utf-8")) if pair[0].startswith("normcal ")
]


@pytest.mark.parametrize(("line", "output"), TYPED, ids=[line for line, _ in TYPED])
def test_a_shown_output_is_what_the_program_prints(workshop, line, output):
    """Word by word, but for errors, whose last digit may differ with the machine."""
    path = f"{workshop / 'bin'}:{environment()['PATH']}"
    done = subprocess.run(
        ["sh", "-c", line],
        cwd=workshop,
        env=environment(PATH=path),
        timeout=SECONDS,
        capture_output=True,
        encoding="utf-8",
    )

    def words(text):
        return ["error" if re.fullmatch(r"\de-\d+", word) else word for word in text.split()]

    assert words(done.stdout) == words(output)


@pytest.mark.skipif(not (ROOT / "README.md").exists(), reason="there is no README.md")
def test_the_readme_shows_the_main_commands():
    words = {word for _, line in SHOWN for word in line.split()}
    assert {"table", "compute", "explain", "verify", "layers"} <= words


def test_command_lines_are_read_as_a_person_reads_them():
    shell = "```sh\n$ normcal compute relu \\\n    gelu\n# normcal no\n.venv/bin/normcal layers\nls\n```\n"
    page = shell + "```\nnormcal no\n```\n"
    assert [shlex.split(line) for line in commands(page)] == [
        ["normcal", "compute", "relu", "gelu"],
        [".venv/bin/normcal", "layers"],
    ]
