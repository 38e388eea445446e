"""A layer is one file: drop it in and it is listed, computed, tabulated, explained, verified and tested."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

import normcal
from normcal import catalog

PACKAGE = pathlib.Path(normcal.__file__).parent
ROOT = pathlib.Path(__file__).resolve().parent.parent

THROWAWAY = '''"""A family of one, for the test that a layer is one file."""

from normcal.layer import Elementwise, Param, Reference


class Throwaway(Elementwise):
    """The bent identity with an adjustable bend."""

    name = "throwaway"
    aliases = ("cast_off",)
    params = (Param("bend", 0.5, "[0, 10]", "weight of the bend", typical=(0.25, 0.5, 2.0)),)
    formula, latex = "b (√(x² + 1) − 1) + x", r"b(\\\\sqrt{x^2 + 1} - 1) + x"
    references = (Reference("Someone 2001, On things thrown away"),)

    def f(self, x, m):
        return self.bend * (m.sqrt(x * x + 1.0) - 1.0) + x
'''.replace("\\\\\\\\", "\\")


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A copy of the package and its configs with one more file, and nothing else changed."""
    folder = tmp_path_factory.mktemp("house")
    shutil.copytree(PACKAGE, folder / "normcal", ignore=shutil.ignore_patterns("__pycache__"))
    if (ROOT / "configs").is_dir():
        shutil.copytree(ROOT / "configs", folder / "configs")
    (folder / "normcal" / "layers" / "throwaway.py").write_text(THROWAWAY, encoding="utf-8")
    return folder


def python(house, *argv, timeout=120):
    env = {**os.environ, "PYTHONPATH": str(house), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUTF8": "1"}
    return subprocess.run(
        [sys.executable, *argv], cwd=house, env=env, capture_output=True, text=True, timeout=timeout, encoding="utf-8"
    )


def run(house, *argv):
    done = python(house, "-m", "normcal", *argv)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_is_not_there_without_its_file():
    assert "throwaway" not in catalog.classes()


def test_the_copy_is_what_runs(house):
    done = python(house, "-c", "import normcal; print(normcal.__file__)")
    assert done.stdout.strip() == str(house / "normcal" / "__init__.py")


def test_it_appears_in_layers(house):
    found = json.loads(run(house, "layers", "--format", "json"))["layers"]
    its = next(layer for layer in found if layer["name"] == "throwaway")
    assert its["aliases"] == ["cast_off"] and its["family"] == "throwaway"
    assert [p["name"] for p in its["params"]] == ["bend"]


def test_it_is_computed_under_its_name_and_its_alias(house):
    found = json.loads(run(house, "compute", "throwaway", "Cast-Off(bend=2)", "--format", "json"))["layers"]
    assert [row["spec"] for row in found] == ["throwaway(bend=0.5)", "throwaway(bend=2.0)"]
    for row in found:
        assert row["forward"]["status"] == row["backward"]["status"] == "ok"
        # E f'^2 = E (1 + b x/sqrt(x^2 + 1))^2 = 1 + b^2 E x^2/(x^2 + 1), which is 1 + 0.344320 b^2
        assert row["backward"]["std"] == pytest.approx(
            (1.0 + 0.3443204582 * row["params"]["bend"] ** 2) ** 0.5, rel=1e-9
        )
        assert row["forward"]["error"]["std"] < 1e-12


def test_it_appears_in_the_default_table(house):
    found = json.loads(run(house, "table", "--format", "json"))["layers"]
    assert [row["spec"] for row in found].count("throwaway(bend=0.5)") == 1


def test_it_is_explained(house):
    text = run(house, "explain", "throwaway")
    assert "bent identity" in text and "√(x² + 1)" in text and "Someone 2001" in text


def test_it_is_verified(house):
    found = json.loads(run(house, "verify", "throwaway", "--samples", "20000", "--format", "json"))["comparisons"]
    assert {c["spec"] for c in found} == {"throwaway(bend=0.5)"}
    assert {name for c in found for name in c["engines"]} >= {"quadrature", "monte-carlo"}
    assert {c["verdict"] for c in found} == {"agree"}


def test_its_parameters_are_checked_and_its_name_is_offered(house):
    for words, hint in (("throwaway(bend=11)", "[0, 10]"), ("throwaway(bent=1)", "bend"), ("throwawy", "throwaway")):
        done = python(house, "-m", "normcal", "compute", words)
        assert done.returncode == 2 and hint in done.stderr and "Traceback" not in done.stderr


def test_the_contract_of_the_catalogue_runs_green_on_it(house):
    """The contract tests as they are, against the copy; the new layer's cases are among those that pass."""
    tests = house / "contract"
    tests.mkdir()
    shutil.copy(ROOT / "tests" / "test_catalog.py", tests)
    done = python(house, "-m", "pytest", "-q", "-rA", "-k", "throwaway or unique or family or pattern",
                  "-p", "no:cacheprovider",
                  "--rootdir", str(tests), str(tests / "test_catalog.py"))  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]
    passed = [line for line in done.stdout.splitlines() if line.startswith("PASSED") and "throwaway" in line]
    assert len(passed) > 20 and " failed" not in done.stdout
