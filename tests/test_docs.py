"""What the documentation shows runs: doctests, and every command line of README and docs."""

import ast
import doctest
import importlib.util
import math
import pkgutil
import re
import shlex
import shutil
import subprocess
import sys

import numpy as np
import pytest

import normcal
from normcal import config, renderer, schema, yamlfile
from tests.program import ROOT, environment, succeed

MODULES = sorted(info.name for info in pkgutil.walk_packages(normcal.__path__, "normcal."))
PAGES = [path for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))) if path.exists()]
EXAMPLES = ROOT / "docs" / "examples"
FENCE = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)
SHELL = {"sh", "bash", "shell", "console"}
#: The first line of a block that is a file names it.
NAMED = re.compile(r"(?:#|//) ([\w./-]+\.\w+)\n")
CALL = re.compile(r"(\S*/)?normcal\b|python3? -m normcal\b")
NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?(?!\w)")
#: Longest that one shown command may take.
SECONDS = 120


def commands(text):
    """Return the command lines that call normcal in the fenced blocks of a page, continuation lines joined."""
    found = []
    for language, block in FENCE.findall(text):
        if language in SHELL:
            lines = [line.strip().removeprefix("$ ") for line in block.replace("\\\n", " ").splitlines()]
            found += [line for line in lines if CALL.match(line)]
    return found


def transcript(block):
    """Return (command line, output, exit code) of a console block; ``$ echo $?`` shows the code of the line before."""
    found = []
    for part in re.split(r"^\$ ", block.replace("\\\n", " "), flags=re.MULTILINE)[1:]:
        line, _, output = part.partition("\n")
        if line == "echo $?":
            found[-1] = (*found[-1][:2], int(output))
        else:
            found.append((line, output, 0))
    return found


def alike(shown, printed):
    """Whether two outputs have the same words and numbers; errors, which have an exponent, depend on the machine."""

    def words(text):
        return [part.split() for part in NUMBER.split(text)]

    pairs = zip(NUMBER.findall(shown), NUMBER.findall(printed), strict=False)
    near = all("e" in a or math.isclose(float(a), float(b), rel_tol=1e-9) for a, b in pairs)
    return words(shown) == words(printed) and near


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


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_python_examples_of_a_page_hold(path):
    assert doctest.testfile(str(path), module_relative=False, encoding="utf-8").failed == 0


def test_the_page_of_layers_is_what_the_layers_say():
    page = (ROOT / "docs" / "layers.md").read_text(encoding="utf-8")
    advice = "regenerate it: normcal layers --details -o docs/layers.md"
    assert page == succeed("layers", "--details", "--format", "markdown").stdout, advice


def example_of(page):
    """Return the folder of examples that a page is about or lies in, if any."""
    return next((one for one in (EXAMPLES / page.stem, page.parent) if one.parent == EXAMPLES and one.is_dir()), None)


@pytest.fixture
def workshop(tmp_path):
    """A folder with the configs, and a ``normcal`` to type."""
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    np.save(tmp_path / "weights.npy", np.random.default_rng(0).standard_normal((16, 32)) / 4.0)
    (tmp_path / "bin").mkdir()
    for name, arguments in (("normcal", "-m normcal"), ("python3", "")):
        program = tmp_path / "bin" / name
        program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {arguments} "$@"\n')
        program.chmod(0o755)
    return tmp_path


def typed(folder, line):
    """Type a command line, and insist that it does not crash."""
    line = re.sub(r"^(\S*/normcal|python3? -m normcal)\b", "normcal", line)
    path = f"{folder / 'bin'}:{environment()['PATH']}"
    done = subprocess.run(
        ["sh", "-c", line],
        cwd=folder,
        env=environment(PATH=path, PYTHONDONTWRITEBYTECODE="1"),
        timeout=SECONDS,
        capture_output=True,
        encoding="utf-8",
    )
    assert "Traceback" not in done.stderr, f"{line}\n{done.stderr}"
    return done


def written(folder, name, block, shipped):
    """Write the file that a block shows; one that ships as an example is there, and the same."""
    target = folder / name
    if shipped is not None and (shipped / name).exists():
        assert block == target.read_text(encoding="utf-8"), f"the page shows another {name} than docs/examples"
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(block, encoding="utf-8")


def imported(block):
    """Return the modules that Python code imports."""
    found = set()
    for node in ast.walk(ast.parse(block)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or ".").partition(".")[0])
    return found


def executed(folder, block):
    """Run Python code where all that it imports is there; elsewhere it must at least compile."""
    compile(block, "<page>", "exec")
    there = [(folder / f"{name}.py").exists() or importlib.util.find_spec(name) for name in imported(block)]
    if all(there):
        (folder / "shown.py").write_text(block, encoding="utf-8")
        done = typed(folder, "python3 shown.py")
        assert done.returncode == 0, f"{block}\n{done.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_can_be_followed(workshop, page):
    """From top to bottom: files are written, commands typed and their output compared, Python run."""
    shipped = example_of(page)
    if shipped is not None:
        shutil.copytree(shipped, workshop, dirs_exist_ok=True)
    for language, block in FENCE.findall(page.read_text(encoding="utf-8")):
        named = NAMED.match(block)
        if named:
            written(workshop, named[1], block, shipped)
        elif language == "console":
            for line, output, code in transcript(block):
                done = typed(workshop, line)
                assert done.returncode == code, f"{line}\n{done.stdout}{done.stderr}"
                assert alike(output, done.stdout), f"{line}\n{done.stdout}"
        elif language in SHELL:
            for line in commands(f"```sh\n{block}```"):
                done = typed(workshop, line)
                assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        elif language == "python" and ">>> " not in block:
            executed(workshop, block)


CONFIGS = [
    pytest.param(block, id=f"{page.stem}-{index}")
    for page in PAGES
    for index, (language, block) in enumerate(FENCE.findall(page.read_text(encoding="utf-8")))
    if language == "yaml" and re.search(r"^outputs:", block, re.MULTILINE)
]


@pytest.mark.parametrize("block", CONFIGS)
def test_a_shown_config_is_what_the_schema_accepts(block):
    config.checked(yamlfile.parse(block, "the page"))


def test_the_guide_names_every_key_and_format_of_a_config():
    page = (ROOT / "docs" / "generate.md").read_text(encoding="utf-8")
    keys = schema.get("config")["$defs"]["output"]["properties"]
    formats = renderer.claimed()
    assert {word for word in (*keys, *formats, *formats.values()) if f"`{word}`" not in page} == set()


@pytest.mark.skipif(not (ROOT / "README.md").exists(), reason="there is no README.md")
def test_the_readme_shows_the_main_commands():
    words = {word for line in commands((ROOT / "README.md").read_text(encoding="utf-8")) for word in line.split()}
    assert {"table", "compute", "explain", "verify", "layers"} <= words


def test_command_lines_are_read_as_a_person_reads_them():
    shell = "```sh\n$ normcal compute relu \\\n    gelu\n# normcal no\n.venv/bin/normcal layers\nls\n```\n"
    page = shell + "```\nnormcal no\n```\n"
    assert [shlex.split(line) for line in commands(page)] == [
        ["normcal", "compute", "relu", "gelu"],
        [".venv/bin/normcal", "layers"],
    ]


def test_a_console_block_is_read_with_its_exit_codes():
    block = "$ normcal check\n1 file\n$ echo $?\n1\n$ cmp a b\n"
    assert transcript(block) == [("normcal check", "1 file\n", 1), ("cmp a b", "", 0)]


@pytest.mark.parametrize(
    ("printed", "same"),
    [("std  0.5838193701 3e-15", True), ("std 0.5838193702 3e-15", True), ("std 0.5839 3e-15", False), ("std", False)],
    ids=["an error that differs", "a last digit", "another number", "no number"],
)
def test_outputs_are_compared_as_numbers(printed, same):
    assert alike("std 0.58381937011 6e-15\n", printed) is same
