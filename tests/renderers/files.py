"""Files of constants that no computation made: any numbers under any names, and texts that try to break out."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import struct
import subprocess
import sys

import pytest

from normcal import assembly, catalog
from normcal.constants import ERROR, WORD, Cell, Constants, Row, pointed
from normcal.law import Normal
from normcal.value import Value
from tests.renderers import samples

#: Lines of a header that would end a comment, begin one, or be code, in one format or another.
HOSTILE = (
    "*/ int evil = 1; /* /*/ **/", "--> <script>evil()</script> <!-- --!> -- >", '""" + evil + """ \'\'\'',
    "ends in a backslash \\", "ends in a trigraph ??/", "*\\", "/", "*", "", " ", "{{ 7 * 7 }} {% raw %} {# #}",
    "coding: latin-1", "vim: set fileencoding=utf-16", "</script>", "\x1b[31m red \x00 \x07",
    "\u2028export const evil = 1;",
    "\x85evil: 1", "\x0cevil = 1", "\x0bevil = 1", "\u202eevil\u2066", "\\input{evil} \\end{document} $ & ^^M",
    "[evil]", "]]>",
    "---", "...", "%YAML 1.2", "```", "~~~", "$$", "é π 中 \U0001f600", "\ufeff\ufffe", "#!/bin/sh", "#![evil]",
    'normcal: {"layers": ["evil"]}', "//", "/*", "<!--", "x" * 300,
)  # fmt: skip
#: A request whose texts do the same.
REQUEST = {"name": "a */ b --> c </script> \u2028 \u3000 ??/ \\ \" ' \x1b é", "columns": ["*/" * 90, "-->" * 60]}
#: Names that a format must quote, and some that look like other things than text.
NAMES = (
    "relu", "", " ", "a b", "3x3", "1.5", "1e5", "null", "true", "yes", "No", "~", "y", "2001-01-01", "0x10", "-",
    "- a", "a: b",
    "a #b", '"', "'", "\\", "\\n", "a\nb", "a\tb", "\r", "\x00", "\x1b", "\x7f", "\x85", "\u2028", "\u202e",
    "\ufeff", "é", "中",
    "\U0001f600", "??/", "????", "*/", "/*", "//", "-->", "</script>", "#{x}", "${x}", "`x`", "{{x}}", "{x}", "%s",
    "&", "*x", "!x",
    "[x]", "a.b", "a=b", "a,b", "__proto__", "constructor", "class", "None", "self", "normcal: x", "\x01" + "1",
    "?a", ">",
    "GAINS: Final = ", "NAN,", "leaky_relu(negative_slope=0.25)",
)  # fmt: skip
#: Doubles at the edges of what there is.
DOUBLES = (
    0.0, -0.0, 1.0, -1.0, 5e-324, -5e-324, 2.2250738585072014e-308, 2.225073858507201e-308, 1.7976931348623157e308,
    1e22, 1e-16, 1e16,
    0.1 + 0.2, 9007199254740993.0, 1e308, 123456789012345680.0, 4.9406564584124654e-310,
)  # fmt: skip


def many_doubles(count: int = 300) -> list[float]:
    """Return the doubles at the edges and others of any size, the same ones every time."""
    draw = random.Random(20240229)
    found = (struct.unpack("<d", draw.randbytes(8))[0] for _ in range(2 * count))
    return [*DOUBLES, *[value for value in found if value == value and abs(value) != float("inf")][:count]]


def of_numbers(numbers: dict[str, float], name: str = "GAINS", layout: str | None = None, **more) -> Constants:
    """Return a file of one number a row."""
    layer = catalog.layer("relu")
    rows = [
        Row(
            key,
            layer,
            (Cell(pointed(repr(value)), value=Value(value, 0.0)),),
            Cell("closed-form", WORD),
            Cell("0", ERROR),
        )
        for key, value in numbers.items()
    ]
    column = assembly.column("forward.gain", None, "snake")
    return Constants(name, (column,), tuple(rows), Normal(), layout=layout, engines=Cell("closed-form", WORD), **more)


def of_words(name: str = "MIXED", layout: str | None = None) -> Constants:
    """Return a file with numbers, words and errors side by side; one error is not known."""
    paths = ("forward.gain", "forward.engine", "forward.status", "forward.error.mean")
    columns = [assembly.column(path, None, "snake") for path in paths]
    rows = {"leaky_relu": samples.exact(), "max_pool": samples.sampled(), "silu": samples.troubled()[2]}
    return assembly.build(name, columns, list(rows), list(rows.values()), Normal(), layout=layout)


def hostile(layout: str | None = None, *, flat: bool = False, name: str = "GAINS") -> Constants:
    """Return the sample file with a header and a request that try to break out."""
    return samples.constants(layout, flat=flat, name=name, header=HOSTILE, request=REQUEST)


def numbers(document: Constants, *, absent: bool = False) -> dict:
    """Return what a reader must find in a file of numbers: names to values, or to mappings of them."""
    table = {
        row.name: {
            column.name: cell.text if cell.role == WORD else float(cell.text) if cell.text else None
            for column, cell in zip(document.columns, row.cells, strict=True)
        }
        for row in document.rows
    }
    if not absent:
        table = {name: {k: v for k, v in row.items() if v is not None} for name, row in table.items()}
    if document.flat:
        return {name: value for name, row in table.items() for value in row.values()}
    return table


def joined(document: Constants, prefix: str = "GAINS") -> dict:
    """Return what a reader must find in a file of definitions."""
    found = numbers(document)
    if document.flat:
        return {f"{prefix}_{row}".upper(): value for row, value in found.items()}
    return {
        f"{prefix}_{row}_{column}".upper(): value for row, inner in found.items() for column, value in inner.items()
    }


def same(found, wanted) -> bool:
    """Whether two trees hold the same names in the same order and the very same doubles: -0.0 is not 0.0."""
    return repr(found) == repr(wanted)


def request_in(text: str):
    """Return the request that the comment of a file holds."""
    lines = (re.match(r"\W*normcal: (.*?)(?: -->| \*/)?$", line) for line in text.split("\n"))
    return json.loads("".join(line[1] for line in lines if line))


def tool(*names: str) -> str:
    """Return the path of the first tool that is there; without any, the test has nothing to run."""
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", "")])
    for name in names:
        if found := shutil.which(name, path=path):
            return found
    return pytest.skip(f"no {' or '.join(names)} here to read the file with")


def run(*command, cwd) -> str:
    """Run a tool, insist that it says nothing on stderr, and return its output."""
    done = subprocess.run([str(word) for word in command], cwd=cwd, capture_output=True, encoding="utf-8", timeout=100)
    assert (done.returncode, done.stderr) == (0, ""), f"{done.stdout}\n{done.stderr}"
    return done.stdout


def replaced(document: Constants) -> tuple[Constants, list[tuple[str, str]]]:
    """Return the document with texts of private-use characters, each another, and the pairs (old, new)."""
    cells = [cell for cell, _, _ in document.cells()]
    texts = [chr(0xE000 + place) * len(cell.text) for place, cell in enumerate(cells)]
    return document.with_texts(texts), [(cell.text, new) for cell, new in zip(cells, texts, strict=True)]


def double(bits: str) -> float:
    """Return the double whose bits are given in hexadecimal."""
    return struct.unpack(">d", bytes.fromhex(bits))[0]
