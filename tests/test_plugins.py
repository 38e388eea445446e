"""Packages that add layers: the sample is installed and used, and what is wrong with one is told without harm."""

import importlib.metadata
import json
import re
import shlex
import shutil
import subprocess
import sys

import pytest

from normcal import catalog, discover
from normcal.errors import RequestError
from tests.program import ROOT, environment
from tests.test_docs import FENCE, alike, transcript

EXAMPLE = ROOT / "docs" / "examples" / "plugins"
PAGE = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
LAYERS = ["mexican_hat", "morlet", "hat"]
#: Builds in this environment, from the files that are here.
PIP = ("-m", "pip", "install", "--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check", "-q")
#: What setuptools does where there is no package wheel, which pip needs beside older ones.
SETUP = ("-W", "ignore", "-c", "import setuptools; setuptools.setup()", "-q", "install", "--root=/",
         "--single-version-externally-managed")  # fmt: skip


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder that the sample package is installed into, as a user installs it."""
    pytest.importorskip("setuptools", reason="there is no setuptools to build a package with")
    source = shutil.copytree(EXAMPLE, tmp_path_factory.mktemp("source") / "plugins")
    target = tmp_path_factory.mktemp("target")
    done = python(source, *PIP, "--target", target, ".")
    if done.returncode != 0 and "bdist_wheel" in done.stdout + done.stderr:
        done = python(source, *SETUP, f"--install-lib={target}", f"--record={source / 'record'}")
    assert done.returncode == 0, done.stdout + done.stderr
    return target


def python(folder, *argv, **env):
    return subprocess.run(
        [sys.executable, *map(str, argv)], cwd=folder, env=environment(**env),
        capture_output=True, encoding="utf-8", timeout=120,
    )  # fmt: skip


def normcal(target, *argv):
    """Run the program where ``target`` holds more packages."""
    path = f"{target}:{environment()['PYTHONPATH']}"
    done = python(target, "-m", "normcal", *argv, PYTHONPATH=path)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def document(target, *argv):
    done = normcal(target, *argv, "--format", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_without_the_package_its_layers_are_unknown():
    done = normcal(ROOT, "compute", "mexican_hat")
    assert done.returncode == 2 and "Unknown layer 'mexican_hat'" in done.stderr


def test_its_layers_are_listed_in_a_family_of_their_own(installed):
    listed = document(installed, "layers")["layers"]
    assert [layer["name"] for layer in listed if layer["family"] == "wavelets"] == LAYERS
    assert [layer["name"] for layer in document(installed, "layers", "--family", "wavelets")["layers"]] == LAYERS
    assert [layer["name"] for layer in document(installed, "layers", "ricker")["layers"]] == ["mexican_hat"]


def test_its_layers_are_computed_by_name_alias_sweep_and_pattern(installed):
    rows = document(installed, "compute", "Mexican-Hat", "ricker", "morlet(frequency=[1, 2])", "mexican_*")["layers"]
    specs = ["mexican_hat", "mexican_hat", "morlet(frequency=1.0)", "morlet(frequency=2.0)", "mexican_hat"]
    assert [row["spec"] for row in rows] == specs
    for row in rows:
        assert row["forward"]["status"] == row["backward"]["status"] == "ok"
    assert rows[0]["forward"]["mean"] == pytest.approx(2**-1.5, rel=1e-14)


def test_its_layers_stand_in_tables_with_all_others_and_by_family(installed, tmp_path):
    (tmp_path / "all.yaml").write_text('layers: ["*"]\ndirection: forward\n', encoding="utf-8")
    (tmp_path / "own.yaml").write_text("families: [wavelets]\n", encoding="utf-8")
    rows = [row["layer"] for row in document(installed, "table", tmp_path / "all.yaml")["layers"]]
    assert rows[-len(LAYERS) :] == LAYERS and "relu" in rows
    assert [row["layer"] for row in document(installed, "table", tmp_path / "own.yaml")["layers"]] == LAYERS


def test_its_layers_are_verified(installed):
    found = document(installed, "verify", *LAYERS, "--samples", "20000")["comparisons"]
    assert {row["verdict"] for row in found} == {"agree"}
    assert {name for row in found for name in row["engines"]} >= {"quadrature", "monte-carlo"}


def test_its_layers_are_explained_and_completed(installed):
    assert "Ricker 1953" in normcal(installed, "explain", "mexican_hat", "--samples", "1000").stdout
    path = f"{installed}:{environment()['PYTHONPATH']}"
    words = {"COMP_WORDS": "normcal compute mexi", "COMP_CWORD": "2", "_NORMCAL_COMPLETE": "bash_complete"}
    assert "mexican_hat" in python(installed, "-m", "normcal", PYTHONPATH=path, **words).stdout


def test_its_layers_may_be_gates_of_other_layers(installed):
    (row,) = document(installed, "compute", "gated(activation=hat)")["layers"]
    assert row["forward"]["status"] == "ok"


def test_its_own_tests_pass(installed):
    tests = EXAMPLE / "tests" / "test_wavelets.py"
    path = f"{installed}:{environment()['PYTHONPATH']}"
    done = python(installed, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", installed, tests,
                  PYTHONPATH=path, PYTHONDONTWRITEBYTECODE="1")  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_the_page_shows_what_the_installed_package_prints(installed):
    blocks = [block for language, block in FENCE.findall(PAGE) if language == "text"]
    lines = [line for block in blocks for line in transcript(block) if line[0].startswith("normcal ")]
    assert len(lines) >= 2
    for line, output, code in lines:
        done = normcal(installed, *shlex.split(line)[1:])
        assert (done.returncode, alike(output, done.stdout)) == (code, True), f"{line}\n{done.stdout}"


# -- packages that fail ------------------------------------------------------------------------------

HEAD = '"""Layers of a package."""\nfrom normcal.layer import Elementwise, Param, Reference\n'
WELL = '''
class {cls}(Elementwise):
    """Does next to nothing to its input."""

    name = "{name}"
    formula, latex = "x", "x"
    references = (Reference("Someone 2001, On nothing"),)

    def f(self, x, m):
        return x
'''


def package(target, name, source, module="layers_of_it", version="1.2"):
    """Lay down a package as an installer leaves it: a module, and the metadata that declare it."""
    folder = target / name
    folder.mkdir()
    (folder / "__init__.py").write_text('"""A package."""\n', encoding="utf-8")
    (folder / f"{module}.py").write_text(source, encoding="utf-8")
    info = target / f"{name}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(f"[normcal.layers]\nits = {name}.{module}\n", encoding="utf-8")


MINE = HEAD + WELL.format(cls="Mine", name="mine")
#: (what is wrong, source of the module, what is said of it)
FAILING = [
    ("an import that fails", "import no_such_module\n", ["no_such_module", "cannot be loaded"]),
    ("a syntax error", "def (:\n", ["SyntaxError", "cannot be loaded"]),
    ("an exit", "raise SystemExit(3)\n", ["SystemExit", "cannot be loaded"]),
    ("no layer", "x = 1\n", ["defines no layer"]),
    ("a name that is taken", MINE.replace("mine", "relu"), ["Mine", "'relu' is already a layer of normcal"]),
    ("an alias that is taken", MINE + '    aliases = ("swish",)\n', ["'swish' is already a layer of normcal"]),
    ("a name in capitals", MINE.replace("mine", "MyLayer"), ["Mine", "snake case"]),
    ("no docstring", re.sub(r' *"""Does.*"""\n', "", MINE), ["Mine", "docstring"]),
    ("no formula", MINE.replace('"x", "x"', '"", ""'), ["Mine", "formula"]),
    ("no reference", re.sub(r" *references.*\n", "", MINE), ["Mine", "reference"]),
    ("a default that is refused",
     MINE + '    params = (Param("a", 2.0, "[0, 1]", "a number", typical=(0.5,)),)\n', ["Mine", "a cannot be 2.0"]),
]  # fmt: skip


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A folder whose packages this process finds; what is known of packages is forgotten before and after."""
    known = (discover.plugins, catalog._plugged, catalog._everything, catalog.classes, catalog.listed,
             catalog._spellings, catalog._squeezed, catalog._resolve)  # fmt: skip
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    for each in known:
        each.cache_clear()
    yield tmp_path
    for each in known:
        each.cache_clear()
    for name in set(sys.modules) - before:
        if name.startswith("normcal_"):
            del sys.modules[name]


@pytest.mark.parametrize(("source", "told"), [one[1:] for one in FAILING], ids=[one[0] for one in FAILING])
def test_what_a_package_fails_in_is_named_when_something_is_asked_for_that_it_may_have(source, told, shop):
    package(shop, "normcal_broken", source)
    with pytest.raises(RequestError, match="Unknown layer 'unheard_of'") as refused:
        catalog.layer("unheard_of")
    assert all(word in refused.value.hint for word in (*told, "normcal_broken 1.2")), refused.value.hint
    assert catalog.layer("relu").spec == "relu" and "relu" in catalog.classes()


def test_packages_that_fail_harm_nothing(tmp_path):
    for number, (_, source, _) in enumerate(FAILING):
        package(tmp_path, f"normcal_broken{number}", source)
    assert normcal(tmp_path, "compute", "relu").stderr == ""
    listed = normcal(tmp_path, "layers", "relu")
    assert listed.returncode == 0 and "max(0, x)" in listed.stdout
    assert all(f"normcal_broken{number} 1.2" in listed.stderr for number in range(len(FAILING))), listed.stderr


def test_of_two_packages_with_one_name_the_second_is_refused_and_its_other_layers_stay(shop):
    package(shop, "normcal_aa", HEAD + WELL.format(cls="First", name="twin"), "first")
    both = HEAD + WELL.format(cls="Second", name="twin") + WELL.format(cls="Third", name="third")
    package(shop, "normcal_bb", both, "second")
    assert [type(layer).__name__ for layer in catalog.layers(["twin", "third"])] == ["First", "Third"]
    (told,) = catalog.troubles()
    assert "the layer Second of normcal_bb.second (normcal_bb 1.2) is left out" in told
    assert "'twin' is already a layer of normcal_aa 1.2" in told


def test_one_layer_asks_for_no_package(tmp_path):
    package(tmp_path, "normcal_loud", 'raise RuntimeError("it was imported")\n')
    path = f"{tmp_path}:{environment()['PYTHONPATH']}"
    call = (
        "import sys\nfrom normcal.cli import main\ntry:\n    main(['compute', 'relu', 'LeakyReLU'])\n"
        "except SystemExit:\n    pass\nassert 'importlib.metadata' not in sys.modules, 'entry points were looked up'\n"
    )
    done = python(tmp_path, "-c", call, PYTHONPATH=path)
    assert done.returncode == 0, done.stderr


def test_a_package_is_asked_for_once_in_a_process_and_its_name_is_that_of_its_file(monkeypatch):
    asked = []

    class Point:
        value, dist, name = "some_package.my_layers:ignored", None, "its"

    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: asked.append(group) or [Point])
    discover.plugins.cache_clear()
    try:
        assert [one.name for _ in range(2) for one in discover.plugins("layers")] == ["my-layers"] * 2
        assert asked == ["normcal.layers"]
    finally:
        discover.plugins.cache_clear()


@pytest.mark.parametrize("name", ["pyproject.toml", "normcal_wavelets/wavelets.py", "tests/test_wavelets.py"])
def test_the_page_shows_the_files_of_the_example(name):
    assert (EXAMPLE / name).read_text(encoding="utf-8") in PAGE
