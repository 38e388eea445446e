"""Python: golden files, and modules that are run and checked for what they hold."""

import ast
import runpy
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from normcal.renderers.python import RENDERER
from tests.renderers import files, samples

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
NAMES = st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), FLOATS, min_size=1)
FORMS = [(layout, flat) for layout in RENDERER.layouts for flat in (True, False)]
IDS = [f"{layout}-{'flat' if flat else 'nested'}" for layout, flat in FORMS]


def module(tmp_path, document) -> dict:
    """Run a module and return its public names."""
    path = tmp_path / "gains.py"
    path.write_text(RENDERER.constants(document), encoding="utf-8")
    public = runpy.run_path(str(path))
    return {name: value for name, value in public.items() if not name.startswith("__") and name != "Final"}


@pytest.mark.parametrize(("layout", "flat"), FORMS, ids=IDS)
def test_golden(golden, layout, flat):
    text = samples.steady(RENDERER.constants(samples.constants(layout, flat=flat)))
    golden(f"renderers/golden/constants_{'flat' if flat else 'nested'}_{layout}.py", text)


@pytest.mark.parametrize("flat", [True, False], ids=["flat", "nested"])
def test_a_dictionary_is_read_back(tmp_path, flat):
    for document in (samples.constants(flat=flat), files.hostile(flat=flat)):
        assert files.same(module(tmp_path, document), {"GAINS": files.numbers(document)})


@pytest.mark.parametrize("flat", [True, False], ids=["flat", "nested"])
def test_constants_are_read_back(tmp_path, flat):
    for document in (samples.constants("constants", flat=flat), files.hostile("constants", flat=flat)):
        assert files.same(module(tmp_path, document), files.joined(document))


def test_words_stand_beside_numbers(tmp_path):
    document = files.of_words()
    assert files.same(module(tmp_path, document), {"MIXED": files.numbers(document)})
    assert "dict[str, dict[str, float | str]]" in RENDERER.constants(document)


@settings(derandomize=True, database=None, deadline=None)
@given(numbers=NAMES)
def test_any_double_survives_under_any_name(numbers):
    tree = ast.parse(RENDERER.constants(files.of_numbers(numbers)))
    (value,) = (node.value for node in tree.body if isinstance(node, ast.AnnAssign))
    assert files.same(ast.literal_eval(value), numbers)


def test_odd_names_and_edges_of_the_doubles_survive(tmp_path):
    named = dict.fromkeys(files.NAMES, 1.5)
    assert files.same(module(tmp_path, files.of_numbers(named)), {"GAINS": named})
    edges = {f"x{place}": value for place, value in enumerate(files.many_doubles())}
    assert files.same(module(tmp_path, files.of_numbers(edges)), {"GAINS": edges})


def test_constants_are_final(tmp_path):
    text = RENDERER.constants(samples.constants("constants", flat=True))
    assert text.count(": Final = ") == 2


def test_code_of_the_user_s_own_ends_the_module(tmp_path):
    own = 'def gain(name: str) -> float:\n    """Return one."""\n    return GAINS[name]\n'
    found = module(tmp_path, samples.constants(flat=True, epilogue=own))
    assert found["gain"]("max_pool_3_2") == 1.55


@pytest.mark.parametrize("line", ["coding: latin-1", "-*- coding: utf-16 -*-", "vim: set fileencoding=cp1252 :"])
def test_a_header_does_not_choose_the_encoding(tmp_path, line):
    document = files.of_numbers({"é": 1.0}, header=(line,))
    assert module(tmp_path, document) == {"GAINS": {"é": 1.0}}


@pytest.mark.parametrize(("layout", "flat"), FORMS, ids=IDS)
def test_modules_are_free_of_lint_and_keep_to_their_format(tmp_path, layout, flat):
    ruff = files.tool("ruff")
    path = tmp_path / "gains.py"
    path.write_text(RENDERER.constants(samples.constants(layout, flat=flat)), encoding="utf-8")
    for command in (["check", "--select=E,F,W,I,UP,B,N,RUF"], ["format", "--check"]):
        argv = [ruff, *command, "--isolated", "--no-cache", "--line-length=120", str(path)]
        done = subprocess.run(argv, capture_output=True, encoding="utf-8", timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
