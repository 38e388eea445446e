"""The house keeps its walls: what each command imports, and which part may know which."""

import ast
import configparser
import json
import pathlib
import subprocess
import sys

import pytest

from tests.program import COMMANDS, ROOT, environment

HEAVY = ("numpy", "scipy", "rich", "yaml")
SOURCES = sorted((ROOT / "normcal").rglob("*.py"))


def imported(*argv):
    """Run the program in a process of its own and return the modules that it imported."""
    call = (
        "import json, sys\n"
        "before = set(sys.modules)\n"
        "from normcal.cli import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "except SystemExit as stop:\n    assert stop.code == 0, stop.code\n"
        "print('\\n' + json.dumps(sorted(set(sys.modules) - before)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", call, *argv],
        env=environment(),
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=True,
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def packages(modules):
    return {name.partition(".")[0] for name in modules}


#: (arguments, packages that must stay out)
ALLOWED = [
    (("--help",), HEAVY),
    (("--version",), HEAVY),
    *(((name, "--help"), HEAVY) for name in COMMANDS),
    (("layers", "identity"), ("scipy", "rich", "yaml")),  # it asks every engine, and a simulation is arrays
    (("compute", "relu"), ("scipy", "rich", "yaml")),
    (("compute", "relu", "--direction", "backward", "--mean", "0.5", "--std", "2"), ("scipy", "rich", "yaml")),
    (("compute", "gelu"), ("scipy", "rich", "yaml")),
    (("compute", "max_pool(kernel_size=2)", "avg_pool", "dropout", "linear"), ("scipy", "rich", "yaml")),
    (("compute", "relu", "--engine", "monte-carlo", "--samples", "1000"), ("scipy", "rich", "yaml")),
    (("compute", "relu", "--format", "csv"), ("scipy", "rich", "yaml")),
    (("table", "--format", "markdown"), ("rich",)),
]


@pytest.mark.parametrize(("argv", "barred"), ALLOWED, ids=[" ".join(argv) for argv, _ in ALLOWED])
def test_a_command_imports_no_more_than_it_needs(argv, barred):
    assert not packages(imported(*argv)) & set(barred)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_imports_no_other_command(command):
    found = {name for name in imported(command, "--help") if name.startswith("normcal.commands.")}
    assert {name.rpartition(".")[2] for name in found if "._" not in name} == {command}


@pytest.mark.parametrize("folder", ["layers", "engines", "renderers"])
def test_help_loads_no_plug_in(folder):
    assert not {name for name in imported("--help") if name.startswith(f"normcal.{folder}.")}


def test_one_format_imports_no_other():
    found = {name for name in imported("compute", "relu", "--format", "json") if name.startswith("normcal.renderers.")}
    assert {name.rpartition(".")[2] for name in found if "._" not in name} == {"json"}


#: (arguments, the families that one layer may import: its own, and those whose source has its name in quotes)
FAMILIES = [
    (("compute", "max_pool(kernel_size=3)"), {"pooling"}),
    (("compute", "SoftMax"), {"softmax"}),
    (("compute", "gelu"), {"self_gated", "gated"}),
    (("compute", "celu"), {"exponentials"}),
]


@pytest.mark.parametrize(("argv", "families"), FAMILIES, ids=[" ".join(argv) for argv, _ in FAMILIES])
def test_one_layer_imports_no_other_family(argv, families):
    found = {name.rpartition(".")[2] for name in imported(*argv) if name.startswith("normcal.layers.")}
    assert {name for name in found if not name.startswith("_")} <= families


def test_a_table_on_stdout_imports_nothing_that_only_files_need():
    found = imported("compute", "relu")
    assert not found & {"tempfile", "random", "shutil", "difflib", "fnmatch", "csv", "normcal.constants"}


@pytest.mark.parametrize(
    "argv",
    [
        ("table",),
        ("verify", "relu", "sigmoid", "max_pool", "--samples", "1000"),
        ("explain", "gelu", "--samples", "1000"),
        ("compute", "*", "--mean", "-12"),
    ],
    ids=" ".join,
)
def test_nothing_imports_the_slowest_part_of_scipy(argv):
    assert not {name for name in imported(*argv) if name.startswith("scipy.stats")}


def test_importing_the_package_is_nearly_free():
    call = "import sys; before = set(sys.modules); import normcal; print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", call], env=environment(), capture_output=True, text=True, check=True)
    assert packages(done.stdout.split()) - {"__future__"} == {"normcal"}


# -- the source ----------------------------------------------------------------------------------


def part(path):
    """Return ``commands/compute`` or ``cli`` for a source file."""
    return path.relative_to(ROOT / "normcal").with_suffix("").as_posix()


def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def typing_only(node):
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def imports(path):
    """Return every module that a file imports anywhere, except for type checking, names resolved to modules."""
    found, waiting = set(), [tree(path)]
    while waiting:
        node = waiting.pop()
        if typing_only(node):
            waiting += node.orelse
            continue
        waiting += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{part(path)}: a relative import hides where it leads"
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def reaches(path, *parts):
    """Return what a file imports of the named parts of normcal, or of the named packages."""
    return sorted(
        name
        for name in imports(path)
        if any(name == wanted or name.startswith(f"{wanted}.") for p in parts for wanted in (p, f"normcal.{p}"))
    )


FRONT = "cli commands click"
#: folder or module -> what it must not know, besides the command line
WALLS = {
    "numerics": "layers engines renderers request catalog layer engine result pipeline report config",
    "layers": "engines engine renderers renderer report request pipeline catalog config rich yaml",
    "layer": "engines engine layers renderers renderer report request pipeline catalog result",
    "contract": "layers engines engine renderers renderer report request pipeline catalog result config numpy scipy",
    "code": "layers layer engines engine renderers renderer report request pipeline catalog result config scipy",
    "framework": "layers layer engines engine renderers renderer report request pipeline catalog result config numpy",
    "frameworks": "layers layer engines engine renderers renderer report request pipeline catalog result config scipy",
    "expression": "layers engines engine renderers renderer report request pipeline result config scipy rich yaml",
    "binding": "layers engines engine renderers renderer report request pipeline result config scipy rich yaml",
    "spec": "engines engine layers layer renderers renderer report request pipeline catalog result numpy",
    "law": "engines engine layers layer renderers renderer report request pipeline catalog result",
    "laws": "engines engine layers layer renderers renderer report request pipeline catalog result config",
    "tails": "engines engine layers layer renderers renderer report request pipeline catalog result config numpy scipy",
    "records": "engines engine layers layer laws renderers renderer report request pipeline catalog result config",
    "averages": "engines engine layers renderers renderer report request pipeline catalog result config",
    "existence": "engines engine layers renderers renderer report request pipeline catalog result config",
    "errors": "engines layers renderers request pipeline catalog result numpy scipy",
    "catalog": "engines engine renderers renderer report request pipeline result numpy scipy",
    "engine": "layers renderers renderer report request pipeline catalog config",
    "engines": "layers renderers renderer report request pipeline catalog config rich yaml",
    "request": "layers renderers renderer report pipeline catalog result numpy scipy",
    "result": "engines engine layers renderers renderer report request pipeline catalog numpy scipy",
    "renderers": "layers layer engines engine request pipeline catalog config numerics numpy scipy",
    "rounding": "layers layer engines engine renderers request pipeline catalog numpy scipy",
    "literal": "layers engines engine renderers renderer report request pipeline catalog result numpy scipy",
    "quantity": "layers engines engine renderers renderer report request pipeline catalog numpy scipy",
    "constants": "layers engines engine renderers renderer request pipeline catalog config scipy",
    "audit": "renderers renderer report config",
    "alternatives": "renderers renderer report config",
    "comparison": "layers engines engine renderers renderer report request pipeline catalog config numpy scipy",
    "schemas": "layers engines engine renderers renderer report pipeline numpy scipy",
    "kernel": "renderers renderer report request pipeline config rich yaml",
    "meanfield": "layers renderers renderer report request pipeline catalog config rich yaml",
    "report": "layers layer engines engine renderers renderer request pipeline catalog numpy scipy",
    "executor": "layers engines engine renderers renderer report request pipeline catalog result config",
    "executors": "layers engines engine renderers renderer report request pipeline catalog result config numpy scipy",
    "checkpoint": "layers engines engine executors report request pipeline catalog result config numpy scipy",
    "sampler": "layers engines engine executors renderers renderer report request pipeline catalog result config scipy",
    "samplers": "layers engines engine executors renderers renderer report request pipeline catalog result config",
    "sampling": "layers engines engine executors renderers report request pipeline catalog result config scipy",
    "simulation": "layers engines renderers renderer report request pipeline catalog result config numpy scipy",
    "sweep": "layers renderers renderer report canvases canvas picture config numpy scipy",
    "points": "layers engines engine renderers renderer canvases canvas picture config numpy scipy",
    "graphs": "engines engine renderers renderer report canvases canvas request pipeline config scipy",
    "curves": "layers engines engine renderers renderer report canvases canvas config numpy scipy",
    "picture": "layers layer engines engine renderers renderer report canvases canvas request pipeline catalog result",
    "canvas": "layers layer engines engine renderers renderer report request pipeline catalog result numpy scipy",
    "canvases": "layers layer engines engine renderers renderer report request pipeline catalog result numpy scipy",
    "session": "layers engines engine renderers renderer report pipeline catalog result config numpy scipy",
    "solve": "layers layer engines engine renderers report request pipeline catalog spec result config problem descent",
    "descent": "layers layer engines engine renderers report request pipeline catalog spec result config problem",
    "problem": "layers engines renderers renderer report config",
    "recipe": "layers engines renderers renderer config",
    "recipes": "layers renderers renderer report config",
    "discover": "errors layers engines renderers request pipeline catalog result numpy scipy",
}


def sources_of(name):
    return [path for path in SOURCES if part(path) == name or part(path).startswith(f"{name}/")]


@pytest.mark.parametrize(("name", "barred"), WALLS.items(), ids=WALLS)
def test_data_flows_one_way(name, barred):
    sources = sources_of(name)
    assert sources
    found = {part(path): reaches(path, *barred.split(), *FRONT.split()) for path in sources}
    assert not {file: names for file, names in found.items() if names}


def test_only_the_command_line_knows_click():
    knowing = {part(path) for path in SOURCES if reaches(path, "click")}
    assert knowing
    assert all(name == "cli" or name.startswith("commands/") for name in knowing)


def test_only_the_command_line_prints_or_exits():
    for path in SOURCES:
        if part(path) in ("cli", "__main__") or part(path).startswith("commands/"):
            continue
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in (
                    "print",
                    "exit",
                    "quit",
                    "sys.exit",
                    "os._exit",
                    "sys.stdout.write",
                    "sys.stderr.write",
                ), f"{part(path)}:{node.lineno}"


def test_nothing_is_evaluated_or_unpickled():
    barred = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "yaml.unsafe_load", "yaml.full_load"}
    for path in SOURCES:
        assert not reaches(path, "pickle", "marshal", "shelve"), part(path)
        # templates are strangers' programs: they get a process of their own, and nothing else does
        assert part(path) == "renderers/_template" or not reaches(path, "subprocess"), part(path)
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call):
                assert ast.unparse(node.func) not in barred, f"{part(path)}:{node.lineno}"


def test_only_the_sampler_that_needs_it_names_the_slowest_part_of_scipy():
    assert {part(path) for path in SOURCES if reaches(path, "scipy.stats")} == {"samplers/sobol"}


SIMULATION = [
    path for path in SOURCES if part(path).startswith(("engines/monte_carlo", "samplers/", "sampl", "simulation"))
]


@pytest.mark.parametrize("path", SIMULATION, ids=part)
def test_monte_carlo_shares_no_formula_with_the_engines_that_it_witnesses(path):
    assert not reaches(
        path, "engines.closed_form", "engines.quadrature", "engines._integrate", "engines._bounded", "numerics.balls"
    )


PLUG_INS = (
    "canvases", "commands", "engines", "executors", "frameworks", "laws", "layers", "recipes", "renderers", "samplers",
)  # fmt: skip


@pytest.mark.parametrize("folder", PLUG_INS)
def test_no_list_of_plug_ins_is_written_by_hand(folder):
    names = {path.stem for path in (ROOT / "normcal" / folder).glob("*.py") if not path.stem.startswith("_")}
    assert not imports(ROOT / "normcal" / folder / "__init__.py")
    for path in SOURCES:
        for node in ast.walk(tree(path)):
            if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
                words = {e.value for e in node.elts if isinstance(e, ast.Constant) and isinstance(e.value, str)}
                assert not names or len({word.replace("-", "_") for word in words} & names) < len(names), (
                    f"{part(path)}:{node.lineno} lists every file of {folder}/"
                )


def test_every_module_has_a_docstring():
    missing = [part(path) for path in SOURCES if not ast.get_docstring(tree(path))]
    assert not missing


def test_the_reader_of_imports_sees_what_it_must(tmp_path):
    source = tmp_path / "x.py"
    source.write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import click\n"
        "def f():\n    from normcal import engines\n    import scipy.stats as s\n"
    )
    found = imports(pathlib.Path(source))
    assert {"normcal.engines", "scipy.stats"} <= found
    assert "click" not in found
    assert reaches(source, "engines") == ["normcal.engines"]


def test_every_folder_of_the_package_is_installed():
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    listed = set(settings["options"]["packages"].split())
    folders = {".".join(file.parent.relative_to(ROOT).parts) for file in (ROOT / "normcal").rglob("__init__.py")}
    assert listed == folders | {"normcal.configs", "normcal.tables"}
