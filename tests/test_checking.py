"""Checking: what a path names, what a file says it was made from, and the report on what was found."""

import csv
import io
import json
import os

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from normcal import checking, renderer, schema
from normcal.checking import Checked
from normcal.comparison import AGREE, DISAGREE, MISSING, UNDECIDED, Finding
from normcal.errors import NormcalError
from normcal.report import View
from tests.program import succeed
from tests.renderers import samples

STEADY = settings(derandomize=True, database=None, deadline=None)
FORMATS = [name for name in renderer.names() if name != "github"]
#: The formats whose files say themselves what they were made from.
SAYING = [
    name for name in FORMATS if checking.request_of(renderer.get(name).constants(samples.constants())) is not None
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "top" / "sub").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "top")
    return tmp_path / "top"


def check(*paths: str, root: str | None = None) -> list[Checked]:
    return checking.check(checking.targets(list(paths), root))


def refusal(*paths: str) -> NormcalError:
    with pytest.raises(NormcalError) as caught:
        check(*paths)
    return caught.value


# -- what a file says it was made from


def test_most_formats_say_what_they_were_made_from():
    assert {"python", "c", "json", "yaml", "markdown", "text", "html", "toml", "rust", "latex"} <= set(SAYING)


@pytest.mark.parametrize("name", SAYING)
def test_a_request_is_read_back_as_it_was_written(name):
    request = {"format": name, "layers": ["relu", "elu(alpha=[0.5, 2])"] * 9, "name": 'é \\ " */ --> </script> ??/ 中'}
    assert checking.request_of(renderer.get(name).constants(samples.constants(request=request))) == request


@STEADY
@given(text=st.text(st.sampled_from('normcal: {}[]",\n#*/ -><!relu0:'), max_size=60) | st.text(max_size=40))
def test_no_text_does_more_than_say_nothing(text):
    for told in (
        text,
        f"# normcal: {text}",
        f'# normcal: {{"a": {text}',
        f'{{"schema": "normcal/1", {text}',
        f"schema: normcal/1\n{text}",
    ):
        found = checking.request_of(told)
        assert found is None or isinstance(found, dict)


@pytest.mark.parametrize(
    "text",
    [
        "# normcal: " + "[" * 100_000,
        '# normcal: {"a": ' + "[" * 100_000,
        '# normcal: {"a": ' + "9" * 100_000 + "}",
        '# normcal: {"a": "\\ud800"}',
        "# normcal: [1]",
        '{"schema": "normcal/1", "request": 5}',
        '{"schema": "normcal/1", "layers": 5}',
        '{"schema": "normcal/1"}',
        "schema: normcal/1\nlayers: &a [*a]\n",
        "schema: normcal/1\n" + "[" * 100_000,
        "schema: normcal/1\nlayers: [" + "a, " * 1_000_000 + "]\n",
        "",
        "\x00",
    ],
    ids=[
        "deep", "deeper", "digits", "half-character", "list", "number", "layers", "nothing", "alias", "yaml",
        "huge-yaml",
        "empty",
        "nul",
    ],
)  # fmt: skip
def test_what_is_no_request_says_nothing(text):
    assert checking.request_of(text) is None


# -- what a path names


def test_a_config_is_checked_output_by_output(folder):
    (folder / "normcal.yaml").write_text("layers: [relu]\noutputs: [{path: a.py}, {path: sub/b.json}]\n")
    succeed("generate")
    for paths in ((), ("normcal.yaml",)):
        found = check(*paths)
        assert [(one.path, one.verdict) for one in found] == [("a.py", AGREE), ("sub/b.json", AGREE)]
        assert all(one.numbers for one in found)


@pytest.mark.parametrize("name", ["other.yaml", "other.yml"])
def test_a_config_of_another_name_is_one_by_its_outputs(folder, name):
    (folder / name).write_text("outputs: [{path: a.py, layers: [relu]}]\n")
    succeed("generate", name)
    (found,) = check(name)
    assert (found.path, found.verdict, found.regenerate) == ("a.py", AGREE, f"normcal generate {name}")


def test_a_file_is_checked_by_the_config_in_a_folder_above(folder, monkeypatch):
    (folder / "normcal.yaml").write_text("outputs: [{path: sub/a.csv, layers: [relu]}, {path: b.py, layers: [tanh]}]\n")
    succeed("generate")
    (found,) = check("sub/a.csv")
    assert (found.path, found.verdict, found.regenerate) == ("sub/a.csv", AGREE, "normcal generate")
    monkeypatch.chdir(folder / "sub")
    (found,) = check("a.csv")
    assert found.regenerate == "normcal generate ../normcal.yaml"


def test_a_file_that_a_config_names_and_that_is_gone_is_missing(folder):
    (folder / "normcal.yaml").write_text("outputs: [{path: a.py, layers: [relu]}]\n")
    for paths in ((), ("a.py",)):
        (found,) = check(*paths)
        assert (found.verdict, found.findings[0].verdict) == (DISAGREE, MISSING)


@pytest.mark.parametrize("name", SAYING)
@pytest.mark.parametrize("place", ["top", "sub", "elsewhere"])
def test_a_file_is_checked_by_what_it_says_of_itself(folder, monkeypatch, name, place):
    suffix = renderer.get(name).suffixes[0]
    (folder / "sub" / "c.yaml").write_text(
        f"mean: 0.5\noutputs: [{{path: a{suffix}, layers: [relu, tanh], format: {name}}}]\n"
    )
    succeed("generate", "sub/c.yaml")
    (folder / "sub" / "c.yaml").unlink()
    path = {"top": f"sub/a{suffix}", "sub": f"a{suffix}", "elsewhere": str(folder / "sub" / f"a{suffix}")}[place]
    monkeypatch.chdir(folder / "sub" if place == "sub" else folder)
    (found,) = check(path)
    assert (found.path, found.verdict) == (path, AGREE)
    assert found.numbers == 6


@pytest.mark.parametrize("format", ["json", "yaml"])
def test_a_table_that_a_command_wrote_is_checked_too(folder, format):
    succeed("compute", "relu", "silu", "--mean", "0.5", "-o", f"a.{format}")
    (found,) = check(f"a.{format}")
    assert found.verdict == AGREE
    text = (folder / f"a.{format}").read_text()
    number = json.loads(succeed("compute", "relu", "--mean", "0.5", "--format", "json").stdout)["layers"][0]["forward"][
        "std"
    ]
    (folder / f"a.{format}").write_text(text.replace(str(number), "0.75"))
    (found,) = check(f"a.{format}")
    assert found.verdict == DISAGREE


def test_a_config_above_that_names_nothing_or_other_files_does_not_matter(folder):
    (folder / "sub" / "c.yaml").write_text("outputs: [{path: a.py, layers: [relu]}]\n")
    succeed("generate", "sub/c.yaml")
    for text in ("layers: [relu]\n", "outputs: [{path: other.py, layers: [relu]}]\n"):
        (folder / "normcal.yaml").write_text(text)
        (found,) = check("sub/a.py")
        assert found.verdict == AGREE


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("nosuch.py", "is no file"), (".", "is no file"), ("sub", "is no file"), ("", "is no file"),
        ("pipe", "is no file"), ("pipe.yaml", "is no file"), ("/dev/zero", "is no file"), ("x" * 5000, "is no file"),
        ("a\nb", "is no file"), ("foreign.py", "does not say what it was made from"),
        ("empty.py", "does not say what it was made from"), ("foreign.yaml", "does not say what it was made from"),
        ("broken.yaml", "broken.yaml: not a YAML config at line 2"), ("binary.py", "is not UTF-8"),
        ("bad.yaml", "bad.yaml:1: outputs"),
    ],
)  # fmt: skip
def test_what_is_neither_config_nor_generated_is_refused(folder, path, told):
    os.mkfifo(folder / "pipe")
    os.mkfifo(folder / "pipe.yaml")
    (folder / "foreign.py").write_text("x = 0.58\n")
    (folder / "empty.py").write_text("")
    (folder / "foreign.yaml").write_text("x: 0.58\n")
    (folder / "broken.yaml").write_text("x: [\n")
    (folder / "binary.py").write_bytes(bytes(range(256)))
    (folder / "bad.yaml").write_text("outputs: 5\n")
    error = refusal(path)
    assert told in error.message
    assert error.exit_code == 2


def test_without_a_config_the_default_is_named(folder):
    assert "'normcal.yaml' is no file" in refusal().message
    assert "normcal.yaml" in refusal().hint


#: What a file may say that would make the program read other files, or run for hours.
HOSTILE = [
    ({"template": "/etc/passwd", "layers": ["relu"]}, "names no other files"),
    ({"document": "table", "config": "/etc/passwd"}, "names no other files"),
    ({"document": "table", "config": "default"}, "names no other files"),
    ({"document": "../evil", "layers": ["relu"]}, "'../evil'"),
    ({"profile": "../../etc/passwd"}, "'../../etc/passwd'"),
    ({"layers": ["relu"], "engine": "monte-carlo", "samples": 10**11}, "random numbers"),
    ({"layers": ["relu"], "samples": 10**12}, "samples cannot be"),
    ({"layers": ["relu"] * 30_000}, "'layers'"),
    ({"layers": ["relu(" * 1000]}, "is not a SPEC"),
    ({"layers": ["__import__('os').system('true')"]}, "is not a SPEC"),
    ({"layers": ["relu"], "workers": 9}, "'workers'"),
    ({"layers": ["relu"], "evil": 1}, "'evil'"),
    ({"layers": [{}]}, "item 0"),
    ({}, "layers"),
]


@pytest.mark.parametrize(("request_", "told"), HOSTILE, ids=[str(request)[:40] for request, _ in HOSTILE])
def test_a_hostile_request_is_refused(folder, request_, told):
    (folder / "a.txt").write_text(f"# normcal: {json.dumps(request_)}\n")
    error = refusal("a.txt")
    assert told in error.message
    assert error.message.startswith("a.txt (its own request): ")
    assert "root:" not in error.message


# -- the report

CHECKED = [
    Checked(
        "a%,:\n.py",
        (
            Finding(AGREE, 3, "relu", "std", "0.58", "0.58", 0.0),
            Finding(DISAGREE, 4, "tanh", "std", "0.63", "0.6279", 123.456),
            Finding(MISSING, 0, "gelu", reason="the row is missing"),
        ),
        DISAGREE,
        "normcal generate 'a b.yaml'",
    ),
    Checked("b.py", (Finding(UNDECIDED, 2, "x", "y", "0.5", "0.6", 0.5, "too wide"),), UNDECIDED, "normcal generate"),
    Checked("c.py", (Finding(AGREE, 1, "x", "y", "0.5", "0.5", 0.0),), AGREE, "normcal generate"),
]  # fmt: skip


def test_the_worst_verdict_is_the_verdict():
    verdicts = {tuple(order): checking.verdict([CHECKED[i] for i in order]) for order in ((0, 1, 2), (1, 2), (2,), ())}
    assert list(verdicts.values()) == [DISAGREE, UNDECIDED, AGREE, AGREE]


def test_the_report_names_file_row_column_values_score_and_command():
    text = renderer.get("text").render(checking.report(CHECKED), View())
    assert "3 files, 4 numbers: 1 agree, 1 disagree, 1 undecided" in text
    (line,) = [line for line in text.splitlines() if "tanh" in line]
    assert all(word in line for word in ("4", "tanh", "std", "0.63", "0.6279", "123", "disagree"))
    assert "To write it anew: normcal generate 'a b.yaml'" in text
    assert "the row is missing" in text
    assert "relu" not in text


def test_the_report_for_machines_has_everything_and_fits_the_schema():
    report = checking.report(CHECKED)
    document = json.loads(renderer.get("json").render(report, View()))
    jsonschema.validate(document, schema.get("output"))
    assert [len(one["findings"]) for one in document["files"]] == [3, 1, 1]
    assert document["files"][0]["findings"][1] == {
        "line": 4, "row": "tanh", "column": "std", "in_file": "0.63", "computed": "0.6279", "score": 123.456,
        "verdict": "disagree", "reason": "",
    }  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(renderer.get("csv").render(report, View()))))
    assert len(rows) == 5


def test_annotations_stand_on_one_line_each_and_escape_what_would_break_them():
    lines = renderer.get("github").render(checking.report(CHECKED), View()).splitlines()
    assert [line.partition(" ")[0] for line in lines] == ["::error", "::error", "::warning"]
    assert lines[0].startswith("::error file=a%25%2C%3A%0A.py,line=4,title=disagree::tanh, std; 0.63 in the file")
    assert ",line=1,title=missing::" in lines[1]  # what is missing has no line; without one nobody would see it
    assert lines[2].startswith("::warning file=b.py,line=2,title=undecided::")
