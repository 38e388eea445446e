"""normcal audit: the page of the collection, users' files, exit codes, annotations, bad files."""

import csv
import io
import json
import re

import pytest
import yaml

from normcal import audit, collection
from tests.program import ROOT, invoke, on_terminal, run, succeed

GOOD = "  - {name: good, layer: relu, quantity: forward.std, value: 0.5838}\n"
SAMPLED = "  - {name: sampled, layer: silu, quantity: forward.rms_gain, value: 1.679176792, source: a port}\n"
OTHER = "  - {name: other, layer: relu, quantity: forward.rms, value: 0.58381937, ambiguous: perhaps std is meant}\n"
WRONG = "  - {name: bad, layer: tanh, quantity: forward.rms_gain, value: sqrt(2)}\n"
ALL = GOOD + SAMPLED + OTHER + WRONG


@pytest.fixture
def file(tmp_path, monkeypatch):
    """Return a function that writes mine.yaml into the folder to run in."""
    monkeypatch.chdir(tmp_path)

    def write(entries, name="mine.yaml"):
        (tmp_path / name).write_text("constants:\n" + entries)
        return name

    return write


def document(*argv):
    return json.loads(succeed("audit", *argv, "--format", "json").stdout)


def test_every_entry_has_its_verdict(file):
    found = document(file(ALL))
    assert {one["name"]: one["class"] for one in found["constants"]} == {
        "good": "exact", "sampled": "sampling", "other": "other-definition", "bad": "wrong",
    }  # fmt: skip
    assert found["classes"] == {
        "wrong": 1, "other-definition": 1, "approximation": 0, "undecided": 0, "sampling": 1, "rounded": 0, "exact": 1,
    }  # fmt: skip
    assert {one["file"] for one in found["constants"]} == {"mine.yaml"}


def test_json_and_yaml_hold_the_same_document(file):
    name = file(ALL)
    assert yaml.safe_load(succeed("audit", name, "--format", "yaml").stdout) == document(name)


def test_text_shows_the_worst_first_and_marks_doubt(file):
    text = succeed("audit", file(ALL)).stdout
    lines = text.splitlines()
    assert lines[0] == "4 constants: 1 wrong, 1 other-definition, 1 sampling, 1 exact"
    order = [match[1] for line in lines if (match := re.search(rf"({'|'.join(audit.CLASSES)}): ", line))]
    assert order == ["wrong", "other-definition", "sampling", "exact"]
    assert "other †" in text
    assert "- other †: perhaps std is meant" in text
    assert "this is forward.std" in text
    assert "1.67653247" in text


def test_csv_has_one_row_a_constant(file):
    rows = list(csv.DictReader(io.StringIO(succeed("audit", file(ALL), "--format", "csv").stdout)))
    assert [row["name"] for row in rows] == ["bad", "other", "sampled", "good"]
    assert float(rows[2]["published_value"]) == 1.679176792
    assert float(rows[2]["exact"]) == pytest.approx(1.676532470331, rel=1e-12)


def test_github_shows_what_is_not_exact_on_its_line(file):
    lines = succeed("audit", file(ALL), "--format", "github").stdout.splitlines()
    assert [re.match(r"::(\w+) file=mine\.yaml,line=(\d)", line).groups() for line in lines] == [
        ("error", "5"), ("warning", "4"), ("notice", "3"),
    ]  # fmt: skip
    assert "write 1.5925374197" in lines[0]


def test_several_files_are_told_apart(file):
    found = document(file(GOOD, "one.yaml"), file(WRONG, "two.yaml"))
    assert [(one["file"], one["name"]) for one in found["constants"]] == [("one.yaml", "good"), ("two.yaml", "bad")]


@pytest.mark.parametrize(
    ("only", "names"),
    [("wrong", ["bad"]), ("exact,sampling", ["sampled", "good"]), ("exact, wrong", ["bad", "good"]), ("rounded", [])],
)
def test_only_lists_the_classes_that_are_asked_for(file, only, names):
    found = document(file(ALL), "--only", only)
    assert [one["name"] for one in found["constants"]] == names
    assert sum(found["classes"].values()) == 4


@pytest.mark.parametrize(
    ("entries", "fail_on", "code"),
    [
        (ALL, None, 0),
        (ALL, "wrong", 1),
        (ALL, "other-definition,approximation", 1),
        (GOOD + SAMPLED, "wrong,other-definition,approximation,undecided", 0),
        (SAMPLED, "sampling", 1),
    ],
)
def test_the_exit_code_is_what_fail_on_says(file, entries, fail_on, code):
    result = invoke("audit", file(entries), *(["--fail-on", fail_on] if fail_on else []))
    assert result.exit_code == code
    assert result.stdout


def test_undecided_alone_ends_with_3(file, monkeypatch):
    blurred = audit.Known(audit.Value(0.5838, 0.01))
    monkeypatch.setattr(audit, "known", lambda *_: blurred)
    name = file(GOOD)
    assert invoke("audit", name, "--fail-on", "undecided").exit_code == 3
    assert invoke("audit", name, "--fail-on", "wrong,undecided").exit_code == 3
    assert invoke("audit", name).exit_code == 0


#: (id, arguments, what the message names, what it says would be accepted)
BAD = [
    ("missing", ["nosuch.yaml"], "'nosuch.yaml'", ""),
    ("folder", ["."], "'.'", ""),
    ("only", ["--only", "wrng"], "'wrng'", "Did you mean 'wrong'"),
    ("only-empty", ["--only", ""], "''", "wrong, other-definition"),
    ("fail-on", ["--fail-on", "inexact"], "'inexact'", "exact"),
    ("format", ["--format", "jsn"], "'jsn'", "Did you mean 'json'"),
    ("output", ["-o", "no/x.md"], "'no/x.md'", "does not exist"),
]


@pytest.mark.parametrize(("argv", "names", "accepted"), [c[1:] for c in BAD], ids=[c[0] for c in BAD])
def test_bad_usage_is_refused(file, argv, names, accepted):
    file(GOOD)
    result = invoke("audit", *argv)
    assert (result.exit_code, result.stdout) == (2, "")
    assert names in result.stderr
    assert accepted in result.stderr


@pytest.mark.parametrize(
    ("entries", "where"),
    [
        (GOOD + WRONG.replace("tanh", "tanhh"), r"mine\.yaml:3: constants\[1\]\.layer: Unknown layer 'tanhh'"),
        (GOOD + WRONG.replace("forward.rms_gain", "backward.gate.std"), r"mine\.yaml:3: bad: Unknown input"),
        (GOOD + GOOD, r"mine\.yaml:3: constants\[1\]\.name: the name 'good' is taken"),
    ],
    ids=["layer", "part", "name-twice"],
)
def test_a_bad_row_writes_nothing(file, tmp_path, entries, where):
    result = invoke("audit", file(entries), "-o", "out.md")
    assert (result.exit_code, result.stdout) == (2, "")
    assert re.search(where, result.stderr)
    assert not (tmp_path / "out.md").exists()


def test_the_real_program_fits_a_terminal_and_reads_a_pipe(file):
    name = file(ALL)
    shown = on_terminal("audit", name, width=100)
    assert shown.returncode == 0
    assert max(map(len, re.sub(r"\x1b\[[0-9;]*m", "", shown.shown).splitlines())) <= 100
    with open(name, encoding="utf-8") as stream:
        done = run("audit", "/dev/stdin", stdin=stream)
    assert done.returncode == 0, done.stderr


# -- the page of the collection -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def page():
    return succeed("audit", "--format", "markdown").stdout


def test_the_page_has_a_title_counts_and_a_section_a_file(page):
    assert page.startswith("# Published constants, audited\n")
    headings = re.findall(r"^## (.+)$", page, re.MULTILINE)
    assert headings == [group.name for group in collection.groups()]
    rows = re.findall(rf" \| (?:{'|'.join(audit.CLASSES)}): ", page)
    assert len(rows) == len(collection.everything())


def test_the_page_marks_every_doubt_and_names_every_source(page):
    for entry in collection.everything():
        assert (f"| {entry.name} †" in page) == bool(entry.ambiguous), entry.name
        assert entry.source in page


def test_no_cell_of_the_page_breaks_its_table(page):
    for table in re.split(r"\n\n", page):
        lines = [line for line in table.splitlines() if line.startswith("|")]
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) <= 1
        assert not any("*" in line for line in lines), lines[0]


def test_the_page_that_ships_is_current(page):
    """Words and verdicts are the same on any machine; numbers are within their errors."""
    shipped = (ROOT / "docs" / "audit.md").read_text(encoding="utf-8")
    number = re.compile(r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?")

    def shape(text):
        return re.sub(r"[ -]+", " ", number.sub("0", text))

    assert shape(shipped) == shape(page), "regenerate it: normcal audit --format markdown -o docs/audit.md"


def test_a_files_report_needs_no_introduction(file):
    assert "#" not in succeed("audit", file(ALL), "--format", "markdown").stdout.splitlines()[0]
