"""Reading YAML: every message names file and line, and no file whatever does more than be refused."""

import os
import threading
import time

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from normcal import yamlfile
from normcal.errors import FileError, RequestError
from normcal.yamlfile import Document, named

STEADY = settings(derandomize=True, database=None, deadline=None)
#: A file of a few bytes that stands for a billion of items.
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{after}: &{after} [{', '.join([f'*{name}'] * 9)}]\n" for name, after in zip("abcdefghi", "bcdefghij", strict=True)
)

TEXT = """\
# a comment
title: >
  folded
  text

outputs:
  - {path: a.py, columns: {mean: forward.mean,
                           std: forward.std}}
  -
    path: b.py
    layers: [relu,
      gelu,

      tanh]
"the fwd std": 1
"""


@pytest.fixture
def read(tmp_path):
    """Return a function that writes a file and reads it."""

    def reading(content: str | bytes, **more) -> Document:
        path = tmp_path / "c.yaml"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return yamlfile.read(str(path), "config", **more)

    return reading


# -- lines


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (("title",), 2),
        (("outputs",), 6),
        (("outputs", 0), 7),
        (("outputs", 0, "path"), 7),
        (("outputs", 0, "columns"), 7),
        (("outputs", 0, "columns", "std"), 8),
        (("outputs", 1), 10),
        (("outputs", 1, "path"), 10),
        (("outputs", 1, "layers", 0), 11),
        (("outputs", 1, "layers", 1), 12),
        (("outputs", 1, "layers", 2), 14),
        (("the fwd std",), 15),
    ],
    ids=lambda place: named(place) if isinstance(place, tuple) else "",
)
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_a_message_names_file_line_and_key(place, line, end):
    document = yamlfile.parse(TEXT.replace("\n", end), "c.yaml")
    assert document.where(place) == f"c.yaml:{line}: {named(place)}"
    error = document.refused(RequestError("wrong.", "right"), place)
    assert (error.message, error.hint) == (f"c.yaml:{line}: {named(place)}: wrong.", "right")


def test_a_place_without_a_line_has_that_of_what_holds_it():
    document = yamlfile.parse(TEXT, "c.yaml")
    assert document.where(("outputs", 1, "digits")) == "c.yaml:10: outputs[1].digits"
    assert document.where(("nothing",)) == "c.yaml: nothing"
    assert document.where() == "c.yaml"


def test_an_error_is_placed_once():
    document = yamlfile.parse(TEXT, "c.yaml")
    error = document.refused(RequestError("wrong."), ("outputs", 0, "path"))
    assert document.refused(error, ("title",)) is error


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ((), ""),
        (("a",), "a"),
        (("a", 0, "b"), "a[0].b"),
        (("outputs", 2, "columns", "fwd std"), "outputs[2].columns['fwd std']"),
        (("a\nb",), r"['a\nb']"),
        ((3,), "[3]"),
    ],
)
def test_a_place_is_written_as_people_do(place, text):
    assert named(place) == text


# -- what is read


def test_numbers_keep_the_digits_that_were_written():
    data = yamlfile.parse("a: 0.50\nb: 1.0e-16\nc: 3\nd: .5\n", "c.yaml").data
    assert (data["a"], data["a"].text) == (0.5, "0.50")
    assert (data["b"].text, data["d"].text) == ("1.0e-16", ".5")
    assert isinstance(data["c"], int)


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"], ids=["plain", "with-a-byte-order-mark"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
def test_marks_and_line_ends_of_any_system_are_read(read, start, end):
    assert read(start + f"a: 1{end}b: [2]{end}".encode()).data == {"a": 1, "b": [2]}


@pytest.mark.parametrize("content", ["", "# nothing\n", "---\n...\n", "\n\n"], ids=repr)
def test_an_empty_file_holds_nothing(read, content):
    assert read(content).data is None


# -- what is refused


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("a: 1\nb: [\n", "line 3"),
        ("a: b: c\n", "line 1"),
        ("a: 1\n b: 2\n", "line 2"),
        ("\tb: 1\n", "line 1"),
        ("a: 'x\n", "line 2"),
        ("a: 1\nb: 2\na: 3\n", "line 3, column 1: the key 'a' is given twice"),
        ("x:\n  1: a\n  1: b\n", "line 3, column 3: the key 1 is given twice"),
        ("a: {b: 1, b: 2}\n", "the key 'b' is given twice"),
        ("a: &x [1]\nb: *x\n", "line 2, column 4: aliases"),
        (BOMB, "aliases"),
        ("a: &a [*a]\n", "aliases"),
        ("a: {<<: {b: 1}}\n", "line 1, column 5: merges"),
        ("a: !!python/object/apply:os.system ['exit 1']\n", "line 1, column 4: the tag"),
        ("a: !!str 3\n", "the tag"),
        ("!x a\n", "the tag"),
        ("a: !!binary aGk=\n", "the tag"),
        ("a: 1\n---\nb: 2\n", "line 2"),
        ("? [a]\n: 1\n", "line 1"),
        ("? {a: 1}\n: 1\n", "line 1"),
        ('a: "\\ud800"\n', "line 1, column 4: half of a character"),
        ('a:\n  "\\udc80": 1\n', "line 2, column 3: half of a character"),
        ("[" * 100_000, "nested too deeply"),
        ("a: " + "9" * 10_000, "a value that it cannot read"),
        ("a: 2001-99-99\n", "a value that it cannot read"),
        ("a: \x00\n", "not a YAML config"),
        ("a: \x1b[31m\n", "not a YAML config"),
        ("@a\n", "line 1"),
    ],
    ids=[
        "open-bracket", "two-colons", "indent", "tab", "open-quote", "key-twice", "number-twice", "key-twice-in-flow",
        "alias", "bomb", "alias-of-itself", "merge", "python-tag", "tag", "own-tag", "binary-tag", "two-documents",
        "list-as-key", "mapping-as-key", "half-character", "half-character-in-key", "deep", "digits", "date", "nul",
        "escape", "sign",
    ],
)  # fmt: skip
def test_what_is_no_plain_yaml_is_refused_with_its_place(read, content, told):
    with pytest.raises(FileError) as caught:
        read(content)
    assert "c.yaml: not a YAML config" in caught.value.message
    assert told in caught.value.message
    assert "\x1b" not in caught.value.message
    assert len(caught.value.message) < 400


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfea\x00:\x00",
        "a: 1\n".encode("utf-16"),
        "a: é\n".encode("latin-1"),
        bytes(range(256)),
        b"a: \xed\xa0\x80",
    ],
    ids=["bytes", "utf-16", "latin-1", "binary", "encoded-surrogate"],
)
def test_what_is_not_utf_8_is_refused(read, content):
    with pytest.raises(FileError, match=r"c\.yaml: the config is not UTF-8 text"):
        read(content)


@pytest.mark.parametrize(("size", "accepted"), [(100, True), (101, False)])
def test_a_file_may_have_so_many_bytes_and_no_more(read, size, accepted):
    content = "# " + "x" * (size - 2)
    if accepted:
        assert read(content, largest=100).data is None
    else:
        with pytest.raises(FileError, match="larger than 100 bytes"):
            read(content, largest=100)


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/dev/zero", "larger than"),
        ("nosuch.yaml", "No such file"),
        (".", "Is a directory"),
        ("a/" * 10 + "b", "No such file"),
        ("x" * 5000, "File name too long"),
        ("", "No such file"),
    ],
    ids=["endless-device", "missing", "folder", "missing-folder", "long-name", "empty-name"],
)
def test_what_is_no_file_is_refused(tmp_path, monkeypatch, path, told):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileError, match=told):
        yamlfile.read(path, "config")


def test_a_device_that_is_empty_holds_nothing():
    assert yamlfile.read(os.devnull, "config").data is None


def test_a_file_without_permission_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "locked.yaml"
    path.write_text("a: 1\n")
    path.chmod(0)
    if os.access(path, os.R_OK):  # root may read anything

        def refusing(*_):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(os, "open", refusing)
    with pytest.raises(FileError, match="Permission denied"):
        yamlfile.read(str(path), "config")


def test_a_pipe_that_nobody_writes_to_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert yamlfile.read(str(tmp_path / "pipe"), "config").data is None


def test_a_pipe_that_somebody_writes_to_is_read_to_its_end():
    out, into = os.pipe()

    def write():
        for part in (b"a: [1,", b" 2]\n"):
            time.sleep(0.05)
            os.write(into, part)
        os.close(into)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert yamlfile.read(f"/dev/fd/{out}", "config").data == {"a": [1, 2]}
    finally:
        writer.join()
        os.close(out)


# -- whatever comes


@STEADY
@given(st.text(st.sampled_from("a1b: [],{}&*!|>'\"#%@?-~<=\n \t.e+0x\\u\x00\x85\ufeff"), max_size=40))
def test_any_text_is_read_as_yaml_reads_it_or_refused(text):
    try:
        document = yamlfile.parse(text, "c.yaml")
    except FileError as error:
        assert error.message.startswith("c.yaml: not a YAML")
        return
    assert document.data == yaml.safe_load(text) or document.data != document.data or ".nan" in text.lower()
    assert all(1 <= line <= text.count("\n") + text.count("\x85") + 1 for line in document.lines.values())


@pytest.mark.parametrize("text", ["1:30", "1:30.5", "017", "0x10", "0b11", "0o7"])
def test_what_only_yaml_takes_for_a_number_stays_text(text):
    assert yamlfile.parse(f"x: {text}", "it").data == {"x": text}


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("-3", -3), ("1_000", 1000), ("1.50", 1.5)])
def test_a_number_is_a_number(text, number):
    assert yamlfile.parse(f"x: {text}", "it").data == {"x": number}
