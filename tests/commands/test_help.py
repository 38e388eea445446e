"""Help: every command explains itself, and every example that it shows runs."""

import shlex
import shutil

import pytest

from tests.program import COMMANDS, ROOT, examples, help_text, invoke, run, succeed

PATHS = [(), *((name,) for name in COMMANDS)]
#: What an example is given so that it samples briefly.
#: What the examples name: a config for generate and check, published constants for audit.
CONFIG = "outputs: [{path: src/gains.py, layers: [relu]}]\n"
PUBLISHED = "constants: [{name: relu, layer: relu, quantity: forward.gain, value: 1.7128585504496627}]\n"
BRIEF = {"verify": ["--samples", "200", "--direction", "forward"], "explain": ["--samples", "200"]}


def ids(path):
    return " ".join(("normcal", *path))


@pytest.mark.parametrize("path", PATHS, ids=ids)
def test_help_has_usage_options_and_examples(path):
    text = help_text(*path)
    assert text.startswith(f"Usage: {ids(path)} ")
    for part in ("Options:", "Examples:", "--help"):
        assert part in text
    assert examples(*path)


@pytest.mark.parametrize("path", PATHS, ids=ids)
def test_short_and_long_help_are_the_same(path):
    assert succeed(*path, "-h").output == help_text(*path)


@pytest.mark.parametrize("path", PATHS[1:], ids=ids)
def test_examples_of_a_command_are_about_it(path):
    for words in examples(*path):
        assert words[0] == path[0]


def test_the_group_lists_every_command_with_a_summary():
    lines = help_text().splitlines()
    for name in COMMANDS:
        (line,) = [line for line in lines if line.strip().split(" ")[0] == name]
        assert len(line.split()) > 3


def test_the_group_states_the_exit_codes():
    text = help_text()
    for code in ("0", "1", "2", "130", "141"):
        assert f"{code} " in text[text.index("Exit codes") :]


@pytest.mark.parametrize("name", ["compute", "table"])
def test_every_default_that_a_person_must_know_is_in_the_help(name):
    text = " ".join(help_text(name).split())
    for default in ("[default: both]", "[default: 0]", "[default: 1]", "auto", "1e-12", "1e6"):
        assert default in text


@pytest.mark.parametrize(
    "words",
    [pytest.param(words, id=shlex.join(words)) for path in PATHS for words in examples(*path)],
)
def test_every_example_runs(words, tmp_path, monkeypatch):
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    monkeypatch.chdir(tmp_path)
    for name, text in (("normcal.yaml", CONFIG), ("configs/constants.yaml", CONFIG), ("constants.yaml", PUBLISHED)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    for config in ("normcal.yaml", "configs/constants.yaml"):
        succeed("generate", config, "--root", ".")
    result = succeed(*words, *BRIEF.get(words[0], []))
    written = [words[i + 1] for i, word in enumerate(words) if word in ("-o", "--output")]
    assert all((tmp_path / name).stat().st_size for name in written)
    assert bool(result.stdout) != bool(written) or "github" in words  # which says nothing where all agree


def test_no_arguments_show_the_help_and_exit_with_2():
    done = run()
    assert (done.returncode, done.stdout) == (2, "")
    assert "Usage: normcal" in done.stderr


def test_the_version_is_the_package_version():
    import normcal

    assert succeed("--version").output.strip() == f"normcal, version {normcal.__version__}"


@pytest.mark.parametrize("shell", ["zsh", "fish", "bash"])
def test_the_shell_gets_a_completion_script(shell):
    if shell == "bash" and not shutil.which("bash"):
        pytest.skip("click asks bash for its version")
    done = run(env={"_NORMCAL_COMPLETE": f"{shell}_source"})
    assert done.returncode == 0
    assert "_NORMCAL_COMPLETE" in done.stdout


def test_an_unknown_option_of_the_group_is_refused():
    result = invoke("--verbos")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--verbos" in result.stderr
