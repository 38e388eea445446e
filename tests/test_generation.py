"""Generating: every file in every format settles at once, nothing changes needlessly, and files are whole or old."""

import json
import os
import pathlib
import random
import resource
import signal
import stat
import subprocess
import sys
import time

import pytest

from normcal import config as configs
from normcal import discover, generation, profile, renderer
from normcal.errors import FileError
from normcal.output import outputs
from tests.program import command, environment, invoke, run, succeed

FORMATS = [name for name in renderer.names() if name != "github"]
LAYOUTS = [(name, layout) for name in FORMATS for layout in renderer.get(name).layouts or (None,)]
SUFFIX = {name: (renderer.get(name).suffixes or (".out",))[0] for name in FORMATS}
CONFIG = "normcal.yaml"
LAYERS = "[relu, 'elu(alpha=[0.5, 2])', silu, max_pool]"
KILLS = 8


def everything() -> str:
    """Return a config of every format in every layout, every profile, and every kind of document."""
    lines = ["outputs:"]
    for i, (name, layout) in enumerate(LAYOUTS):
        told = f", layout: {layout}" if layout else ""
        for kind, columns in (("flat", "[forward.gain]"), ("nested", "[forward.mean, backward.std, scale.geometric]")):
            path = f"{kind}/f{i}{SUFFIX[name]}"
            lines.append(f"  - {{path: {path}, format: {name}, layers: {LAYERS}, columns: {columns}{told}}}")
    lines += [f"  - {{path: profiles/{name}.txt, profile: {name}, format: {profile.get(name)['format']}}}"
              for name in discover.names("profiles", ".yaml")]  # fmt: skip
    for name in ("json", "yaml", "csv", "markdown", "text"):
        lines.append(f"  - {{path: table{SUFFIX[name]}, document: table, layers: {LAYERS}}}")
    lines.append("  - {path: layers.md, document: layers, families: [rectifiers]}")
    lines.append("  - {path: schema/config.json, document: schema, schema: config}")
    lines.append("  - {path: sampled.py, layers: [relu, tanh], engine: monte-carlo, samples: 3000}")
    lines.append("  - {path: digits.md, layers: [relu, tanh], digits: 4}")
    lines.append("  - {path: errors.md, layers: [relu, tanh], digits: error}")
    lines.append("  - {path: own.txt, layers: [relu, tanh], columns: [forward.gain], template: own.j2}")
    return "\n".join(lines) + "\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.j2").write_text(
        "{% for row in rows %}{{ row.name }} = {{ row['values'].forward_gain }}\n{% endfor %}"
    )
    return tmp_path


def write(folder, text: str) -> None:
    (folder / CONFIG).write_text(text, encoding="utf-8")


def state(folder) -> dict[str, tuple]:
    """Return what there is: contents, inodes and times of change."""
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_ino, path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def contents(folder) -> dict[str, bytes]:
    return {path: content for path, (content, *_) in state(folder).items()}


# -- what settles


def test_everything_settles_at_once_and_then_agrees(folder):
    write(folder, everything())
    first = succeed("generate").stdout
    assert {line.split()[0] for line in first.splitlines()} == {"new"}
    before = state(folder)
    assert len(before) == first.count("\n") + 2  # the config and the template
    again = succeed("generate").stdout
    assert {line.split()[0] for line in again.splitlines()} == {"unchanged"}
    assert state(folder) == before
    result = invoke("check")
    assert result.exit_code == 0, result.output
    assert state(folder) == before


def test_a_number_that_agrees_stays_and_one_that_does_not_is_replaced(folder):
    write(folder, "outputs: [{path: a.json, layers: [relu, tanh], columns: [forward.std]}]\n")
    succeed("generate")
    path = folder / "a.json"
    text = path.read_text()
    numbers = json.loads(text)["constants"]
    nearly = text.replace(repr(numbers["tanh"]), repr(numbers["tanh"] + 1e-16))
    assert nearly != text
    path.write_text(nearly)
    assert "unchanged" in succeed("generate").stdout
    assert path.read_text() == nearly
    path.write_text(nearly.replace(repr(numbers["relu"]), "0.6"))
    assert "changed" in succeed("generate").stdout
    assert path.read_text() == nearly


def test_files_are_made_in_folders_that_are_missing_with_the_usual_permissions(folder):
    write(folder, "outputs: [{path: a/b/c.py, layers: [relu]}]\n")
    succeed("generate")
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE((folder / "a/b/c.py").stat().st_mode) == 0o666 & ~mask


def test_permissions_and_links_of_a_file_stay(folder):
    write(folder, "outputs: [{path: link.py, layers: [relu]}]\n")
    (folder / "real.py").write_text("# normcal, an old file\n")
    (folder / "real.py").chmod(0o640)
    (folder / "link.py").symlink_to("real.py")
    succeed("generate")
    assert (folder / "link.py").is_symlink()
    assert "RELU" in (folder / "real.py").read_text().upper()
    assert stat.S_IMODE((folder / "real.py").stat().st_mode) == 0o640


# -- all or nothing


@pytest.mark.parametrize(
    "bad",
    [
        "{path: b.py, layers: [rellu]}",
        "{path: b.py, layers: [relu], columns: [backward.gate.std]}",
        "{path: sub/b.py, layers: [silu], engine: closed-form}",
        "{path: ../b.py, layers: [relu]}",
        "{path: taken, format: python, layers: [relu]}",
        "{path: file/b.py, layers: [relu]}",
        "{path: binary.py, layers: [relu]}",
        "{path: pipe, format: python, layers: [relu]}",
        "{path: " + "b" * 300 + ".py, layers: [relu]}",
        "{path: b.txt, layers: [relu], template: nosuch.j2}",
        "{path: b.md, document: table, config: nosuch.yaml}",
    ],
    ids=[
        "layer", "part", "engine", "outside", "folder", "below-a-file", "binary", "pipe", "long-name", "template",
        "table",
    ],
)  # fmt: skip
@pytest.mark.parametrize("order", ["first", "last"])
def test_one_output_that_cannot_be_written_keeps_all_from_being_written(folder, bad, order):
    (folder / "taken").mkdir()
    (folder / "file").write_text("x\n")
    (folder / "binary.py").write_bytes(bytes(range(256)))
    os.mkfifo(folder / "pipe")
    good = "{path: new/a.py, layers: [relu]}"
    pair = [bad, good] if order == "first" else [good, bad]
    write(folder, "outputs:\n" + "".join(f"  - {one}\n" for one in pair))
    before, folders = state(folder), sorted(p.name for p in folder.rglob("*"))
    result = invoke("generate")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("Error: ")
    assert state(folder) == before
    assert sorted(p.name for p in folder.rglob("*")) == folders


def test_a_folder_that_may_not_be_written_is_refused_before_anything_is(folder, monkeypatch):
    (folder / "locked").mkdir(mode=0o555)
    write(folder, "outputs: [{path: a.py, layers: [relu]}, {path: locked/deep/b.py, layers: [relu]}]\n")
    if os.access(folder / "locked", os.W_OK):  # root may write anywhere
        allowed = os.access
        monkeypatch.setattr(os, "access", lambda path, mode: "locked" not in str(path) and allowed(path, mode))
    result = invoke("generate")
    assert result.exit_code == 2
    assert "permission denied" in result.stderr
    assert not (folder / "a.py").exists()
    (folder / "locked").chmod(0o755)


def test_a_full_disk_leaves_the_old_files(folder):
    write(folder, "outputs: [{path: a.py, families: [rectifiers]}]\n")
    (folder / "a.py").write_text("old\n")
    done = subprocess.run(
        command("generate"), env=environment(PYTHONDONTWRITEBYTECODE="1"), capture_output=True, text=True, timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (600, 600)),
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "'a.py'" in done.stderr or "a.py' cannot be written: File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert contents(folder)["a.py"] == b"old\n"
    assert sorted(p.name for p in folder.iterdir()) == ["a.py", "normcal.yaml", "own.j2"]


def test_an_interrupt_while_computing_writes_nothing(folder, monkeypatch):
    write(folder, "outputs: [{path: a.py, layers: [relu]}, {path: b.py, layers: [tanh]}]\n")
    from normcal import document

    calls = []

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return drafting(*arguments)

    drafting = document.draft
    monkeypatch.setattr(document, "draft", interrupted)
    chosen = outputs(configs.read(CONFIG))
    with pytest.raises(KeyboardInterrupt):
        generation.write(generation.plan(chosen))
    assert sorted(contents(folder)) == ["normcal.yaml", "own.j2"]


# -- killed, and two at once

TWO = "outputs:\n" + "".join(f"  - {{path: f{i}.py, layers: [relu, tanh], digits: DIGITS}}\n" for i in range(6))
#: A program that writes two versions of the same files in turn, until it is killed.
WRITING = """
import dataclasses
from normcal import config, generation, output
plans = [generation.plan(output.outputs(config.read(path))) for path in ("a.yaml", "b.yaml")]
print("ready", flush=True)
while True:
    for found in plans:
        generation.write([dataclasses.replace(one, existing="") for one in found])
"""


def ours(folder) -> dict[str, bytes]:
    return {path: content for path, content in contents(folder).items() if path.startswith("f")}


def versions(folder) -> list[dict[str, bytes]]:
    """Return what the two configs a.yaml and b.yaml, which it writes, make."""
    found = []
    for path, digits in (("a.yaml", "5"), ("b.yaml", "round-trip")):
        (folder / path).write_text(TWO.replace("DIGITS", digits))
        succeed("generate", path)
        found.append(ours(folder))
    return found


def test_a_kill_while_files_are_written_leaves_old_or_new_ones(folder):
    whole, rng, mixed = versions(folder), random.Random(5), 0
    for _ in range(KILLS):
        process = subprocess.Popen([sys.executable, "-c", WRITING], env=environment(), stdout=subprocess.PIPE)
        process.stdout.readline()
        time.sleep(rng.uniform(0.0, 0.05))
        process.kill()
        assert process.wait() == -signal.SIGKILL
        process.stdout.close()
        found = ours(folder)
        assert found.keys() == whole[0].keys()
        assert all(content in (whole[0][path], whole[1][path]) for path, content in found.items())
        mixed += found not in whole
    assert mixed, "no kill came while files were written"
    succeed("generate", "a.yaml")
    assert ours(folder) == whole[0]


def test_a_kill_at_any_moment_of_the_program_leaves_old_or_new_files(folder):
    whole, rng = versions(folder), random.Random(6)
    started = time.monotonic()
    run("generate", "a.yaml")
    length = time.monotonic() - started
    for number in range(4):
        process = subprocess.Popen(
            command("generate", "ba"[number % 2] + ".yaml"), env=environment(), stdout=subprocess.DEVNULL
        )
        time.sleep(length * rng.uniform(0.3, 1.0))
        process.kill()
        process.wait()
        assert all(content in (whole[0][path], whole[1][path]) for path, content in ours(folder).items())
    succeed("generate", "b.yaml")
    assert ours(folder) == whole[1]


def test_what_a_killed_process_left_is_cleared_away_and_nothing_else(folder):
    old = time.time() - 3600
    names = (".normcal-abcdefgh.tmp", ".normcal-notes", "normcal-x.tmp", ".normcal-fresh.tmp", ".normcal-folder.tmp")
    for name in names[:-1]:
        (folder / name).write_text("half of a fi")
        os.utime(folder / name, (old, old))
    os.utime(folder / names[3])
    (folder / names[4]).mkdir()
    os.utime(folder / names[4], (old, old))
    renderer.save("text\n", "a.txt")
    assert sorted(p.name for p in folder.iterdir()) == sorted([*names[1:], "a.txt", "own.j2"])


def test_several_at_once_end_in_the_right_files(folder):
    write(folder, TWO.replace("DIGITS", "5"))
    succeed("generate")
    wanted = contents(folder)
    for path in wanted:
        if path.startswith("f"):
            (folder / path).write_text("# normcal, an old file\n")
    running = [subprocess.Popen(command("generate"), env=environment(), stdout=subprocess.DEVNULL) for _ in range(4)]
    assert [process.wait(60) for process in running] == [0] * 4
    assert contents(folder) == wanted


# -- what is there already


def test_a_file_of_somebody_s_own_is_not_replaced(folder):
    write(folder, "outputs: [{path: mine.py, layers: [relu]}, {path: new.py, layers: [gelu]}]\n")
    (folder / "mine.py").write_text("print('weeks of work')\n")
    result = invoke("generate")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "'mine.py' was not written by normcal" in result.stderr
    assert (folder / "mine.py").read_text() == "print('weeks of work')\n"
    assert not (folder / "new.py").exists()


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda path: path.mkdir(), "is a folder"),
        (lambda path: os.mkfifo(path), "is not a file"),
        (lambda path: path.write_bytes(b"\xff\xfe"), "is not UTF-8"),
        (lambda path: path.symlink_to(path), "is not a file"),
    ],
    ids=["folder", "pipe", "binary", "endless-link"],
)
def test_what_is_no_text_of_ours_is_not_overwritten(folder, make, told):
    write(folder, "outputs: [{path: a.py, layers: [relu]}]\n")
    make(folder / "a.py")
    result = invoke("generate")
    assert result.exit_code == 2
    assert told in result.stderr
    assert "'a.py'" in result.stderr


def test_a_huge_file_is_not_read(folder, monkeypatch):
    monkeypatch.setattr(generation, "LARGEST", 10)
    pathlib.Path("a.py").write_text("x" * 11)
    with pytest.raises(FileError, match="larger than 10 bytes"):
        generation.read(os.path.realpath("a.py"), "a.py")


def test_a_file_that_is_not_there_has_no_text(folder):
    assert generation.read(str(folder / "nosuch"), "nosuch") is None


def test_what_a_template_made_is_written_anew_though_it_names_nobody(folder):
    pytest.importorskip("jinja2", reason="templates need Jinja2, an extra")
    (folder / "t.j2").write_text("{% for row in rows %}{{ row.name }}\n{% endfor %}")
    for layer in ("relu", "gelu"):
        write(folder, f"outputs: [{{path: names.txt, template: t.j2, layers: [{layer}]}}]\n")
        succeed("generate")
        assert (folder / "names.txt").read_text() == f"{layer}\n"
