"""The example project: its files are what normcal writes, its jobs are what a change goes through."""

import importlib.util
import re
import shlex
import shutil
import subprocess
import sys

import pytest
import yaml

from tests.program import ROOT, run, succeed

EXAMPLE = ROOT / "docs" / "examples" / "ci"
GENERATED = ("network/gains.py", "device/gains.h")
HOOKS = {hook["id"]: hook for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))}
TAMPERED = [
    ("a digit", "network/gains.py", "1.700926", "1.701504", ("gelu", "gain", "1.701504243363333", "1.700926243363333")),
    ("a sign", "device/gains.h", r"RELU_OFFSET \(-0.39", "RELU_OFFSET (0.39", ("relu", "offset", "0.3989422804014327")),
    ("a row", "device/gains.h", r"\n/\* silu.*\n.*\n.*\n", "\n", ("silu", "missing")),
    ("a column", "network/gains.py", r'.*"gain": 1\.78.*\n', "", ("silu", "missing")),
    ("a row too many", "network/gains.py", r"\n}\n", '\n    "tanh": 1.59,\n}\n', ("tanh", "surplus")),
]


def _read(name):
    return yaml.safe_load((EXAMPLE / name).read_text(encoding="utf-8"))


def _github():
    steps = _read(".github/workflows/constants.yml")["jobs"]["check"]["steps"]
    return [step["run"] for step in steps if "run" in step]


def _gitlab():
    job = _read(".gitlab-ci.yml")["constants"]
    return [*job["before_script"], *job["script"]]


def _hooks():
    hooks = [hook for repo in _read(".pre-commit-config.yaml")["repos"] for hook in repo["hooks"]]
    return [shlex.join([*shlex.split(HOOKS[hook["id"]]["entry"]), *hook.get("args", [])]) for hook in hooks]


#: What each job runs, without the installation.
JOBS = {
    job: [line for line in lines if line.startswith("normcal ")]
    for job, lines in {"github": _github(), "gitlab": _gitlab(), "pre-commit": _hooks()}.items()
}


@pytest.fixture
def project(tmp_path):
    """A copy of the example, to be worked in."""
    return shutil.copytree(EXAMPLE, tmp_path / "project")


def typed(project, line):
    """Type one command line of a job."""
    program, *arguments = shlex.split(line)
    assert program == "normcal"
    return run(*arguments, cwd=project)


def contents(project):
    return {name: (project / name).read_bytes() for name in GENERATED}


def test_the_files_are_committed_as_they_are_generated(project):
    before = {name: (project / name).stat().st_mtime_ns for name in GENERATED}
    done = typed(project, "normcal generate")
    assert done.returncode == 0
    assert done.stdout.split() == [word for name in GENERATED for word in ("unchanged", name)]
    assert {name: (project / name).stat().st_mtime_ns for name in GENERATED} == before
    for name in GENERATED:
        (project / name).unlink()
    typed(project, "normcal generate")
    assert contents(project) == contents(EXAMPLE)


@pytest.mark.parametrize("job", JOBS)
def test_a_job_passes_as_committed_and_fails_on_an_edit(job, project):
    assert JOBS[job]
    for line in JOBS[job]:
        done = typed(project, line)
        assert done.returncode == 0, done.stdout + done.stderr
    header = project / "device/gains.h"
    header.write_text(header.read_text(encoding="utf-8").replace("1.7128", "1.7139"), encoding="utf-8")
    assert [typed(project, line).returncode for line in JOBS[job]] == [1] * len(JOBS[job])


@pytest.mark.parametrize(
    ("name", "old", "new", "told"), [one[1:] for one in TAMPERED], ids=[one[0] for one in TAMPERED]
)
def test_what_was_edited_is_named_and_generate_puts_it_right(name, old, new, told, project):
    text = (project / name).read_text(encoding="utf-8")
    edited = re.sub(old, new, text, count=1)
    assert edited != text
    (project / name).write_text(edited, encoding="utf-8")
    done = typed(project, "normcal check")
    assert done.returncode == 1
    assert all(word in done.stdout for word in (name, *told, "normcal generate")), done.stdout
    assert (project / name).read_text(encoding="utf-8") == edited, "check must not write"
    assert typed(project, "normcal generate").returncode == 0
    assert typed(project, "normcal check").returncode == 0
    assert contents(project) == contents(EXAMPLE)


def test_a_file_that_is_not_there_is_missing(project):
    (project / "device/gains.h").unlink()
    done = typed(project, "normcal check --format github")
    assert done.returncode == 1
    assert "::error file=device/gains.h," in done.stdout


def test_the_annotation_stands_at_the_line_of_the_edit(project):
    name = "device/gains.h"
    text = (project / name).read_text(encoding="utf-8").replace("SILU_GAIN 1.7", "SILU_GAIN 1.8")
    (project / name).write_text(text, encoding="utf-8")
    line = next(number for number, one in enumerate(text.splitlines(), 1) if "SILU_GAIN" in one)
    (github,) = JOBS["github"]
    assert f"::error file={name},line={line}," in typed(project, github).stdout


def test_gitlab_lets_undecided_pass():
    assert _read(".gitlab-ci.yml")["constants"]["allow_failure"] == {"exit_codes": 3}


def test_the_python_code_that_uses_the_constants_runs(project):
    done = subprocess.run(
        [sys.executable, "network/normalise.py"], cwd=project, capture_output=True, text=True, check=True
    )
    name, value = done.stdout.split()[:2]
    relu = succeed("compute", "relu", "--direction", "forward", "--format", "json").stdout
    forward = yaml.safe_load(relu)["layers"][0]["forward"]
    assert (name, float(value)) == ("relu", pytest.approx((1.0 - forward["mean"]) * forward["gain"], rel=1e-12))


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_the_c_code_that_uses_the_constants_says_the_same(project):
    build = ["cc", "-Wall", "-Wextra", "-Werror", "-pedantic", "-o", "normalise", "device/normalise.c", "-lm"]
    subprocess.run(build, cwd=project, check=True)
    c = subprocess.run(["./normalise"], cwd=project, capture_output=True, text=True, check=True).stdout.split()
    python = subprocess.run(
        [sys.executable, "network/normalise.py"], cwd=project, capture_output=True, text=True, check=True
    ).stdout.split()
    assert c[::2] == python[::2]
    assert [float(x) for x in c[1::2]] == pytest.approx([float(x) for x in python[1::2]], rel=1e-14)


# -- what pre-commit is offered


def test_there_is_a_hook_that_checks_and_one_that_generates():
    assert set(HOOKS) == {"normcal-check", "normcal-generate"}


@pytest.mark.parametrize("hook", HOOKS.values(), ids=HOOKS)
def test_a_hook_is_complete_and_runs_whatever_was_changed(hook):
    assert {"id", "name", "description", "entry", "language"} <= set(hook)
    # files that are deleted are not passed on, and would not start the hook
    assert (hook["language"], hook["pass_filenames"], hook["always_run"]) == ("python", False, True)
    assert shlex.split(hook["entry"])[0] == "normcal"
    assert importlib.util.find_spec(f"normcal.commands.{shlex.split(hook['entry'])[1]}")


def test_a_hook_generates_what_the_other_accepts(project):
    header = project / "device/gains.h"
    header.write_text(header.read_text(encoding="utf-8").replace("1.7128", "1.7139"), encoding="utf-8")
    assert typed(project, HOOKS["normcal-check"]["entry"]).returncode == 1
    assert typed(project, HOOKS["normcal-generate"]["entry"]).returncode == 0
    assert typed(project, HOOKS["normcal-check"]["entry"]).returncode == 0


@pytest.mark.parametrize("name", [".github/workflows/constants.yml", ".gitlab-ci.yml", ".pre-commit-config.yaml"])
def test_the_page_about_ci_shows_the_files_of_the_example(name):
    assert (EXAMPLE / name).read_text(encoding="utf-8") in (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
