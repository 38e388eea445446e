"""Template: a file of the user's own, with Jinja's marks where the constants go (``pip install 'normcal[templates]'``).

A template sees these variables, and no others:

- ``name``: what the config calls the whole; ``header``: the lines of its header; ``law``: ``mean``, ``std``, ``text``.
- ``columns``: each with ``name``, ``path`` and ``meaning``.
- ``rows``: each with ``name``, ``spec``, ``values`` (by the names of the columns), ``engine`` and ``error``, the worst
  relative error of its values.
- ``generator``, ``engines``, ``error`` (of all values that are not sampled), ``standard_error`` (of those that are).
- ``provenance``: the lines of a comment that says where the numbers come from.

Values and errors are texts, to be written as they stand; ``| float`` makes a number of one, the value before it was
rounded. Beside Jinja's filters there are ``quoted`` (a string in double quotes), ``comment("// ")`` (lines, each after
a sign), ``snake``, ``camel``, ``pascal`` and ``kebab``. A line that holds only a block leaves nothing behind.

Templates are strangers' programs. They are filled in by another process, in Jinja's sandbox, which has no files, no
environment, and bounds on time, memory and output.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from normcal.constants import ERROR, NUMBER, Cell, Constants
from normcal.errors import FileError, RequestError
from normcal.renderer import ConstantsRenderer
from normcal.renderers import _sandbox

MOST_BYTES = 1_000_000
#: Bytes of memory, seconds of the processor, characters of output.
LIMITS = {"memory": 1_000_000_000, "seconds": 10, "output": 10_000_000}
#: Seconds on the wall, for a system without a limit on the processor's.
PATIENCE = 15.0
_MANY = 12
_ROW = ("name", "spec", "values", "engine", "error")


class Template(ConstantsRenderer):
    name = "template"

    def constants(self, document: Constants) -> str:
        (text,) = self.fill([document])
        return text

    def fill(self, documents: list[Constants]) -> list[str]:
        """Fill in the template of documents that share one, in one process for all of them.

        Raises RequestError for a template that is wrong, or needs too much; FileError where it cannot be read.
        """
        path = documents[0].template
        if path is None:
            raise RequestError("The format template needs a template.", "Give 'template: PATH' in a config's output.")
        request = {"template": _read(path), "documents": [_data(document) for document in documents], "limits": LIMITS}
        return _filled(path, request)


RENDERER = Template()


def _read(path: str) -> str:
    try:
        with open(path, "rb") as stream:
            content = stream.read(MOST_BYTES + 1)
    except OSError as problem:
        raise FileError(f"Template {path!r} cannot be read: {problem.strerror}.") from None
    if len(content) > MOST_BYTES:
        raise RequestError(f"Template {path!r} is too large.", f"Accepted: at most {MOST_BYTES:_} bytes.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = content[: problem.start].count(b"\n") + 1
        raise RequestError(f"Template {path!r}, line {line}: not UTF-8.", "Accepted: text in UTF-8.") from None


# -- what a template sees --------------------------------------------------------------------------


def _data(document: Constants) -> dict[str, Any]:
    columns = [{"name": one.name, "path": one.path, "meaning": one.meaning} for one in document.columns]
    rows = [
        {
            "name": row.name,
            "spec": row.spec,
            "values": {one.name: _figure(cell) for one, cell in zip(document.columns, row.cells, strict=True)},
            "engine": row.engine.text,
            "error": _figure(row.error),
        }
        for row in document.rows
    ]
    law = document.law
    return {
        "name": document.name,
        "header": list(document.header),
        "law": {"mean": law.mean, "std": law.std, "text": str(law)},
        "columns": columns,
        "rows": rows,
        "generator": document.generator.text,
        "engines": document.engines.text,
        "error": _figure(document.bound),
        "standard_error": _figure(document.standard_error),
        "provenance": list(document.provenance),
    }


def _figure(cell: Cell) -> Any:
    return {"text": cell.text, "number": cell.value.value} if cell.role in (NUMBER, ERROR) else cell.text


# -- the other process -----------------------------------------------------------------------------


def _filled(path: str, request: dict[str, Any]) -> list[str]:
    import subprocess

    call = [sys.executable, "-I", "-S", _sandbox.__file__, *_folders()]
    kept = {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}  # Windows starts nothing without
    try:
        done = subprocess.run(
            call, input=json.dumps(request).encode(), capture_output=True, timeout=PATIENCE, env=kept, cwd=os.sep
        )
    except subprocess.TimeoutExpired:
        raise RequestError(f"Template {path!r} takes longer than {PATIENCE:g} s.", _modest()) from None
    if done.returncode:
        raise RequestError(f"Template {path!r} takes too long or too much memory, and was stopped.", _modest())
    answer = json.loads(done.stdout)
    if "texts" in answer:
        return answer["texts"]
    where = f", line {answer['line']}" if answer["line"] else ""
    hint = _modest() if answer["limit"] else _seen(request["documents"][0])
    raise RequestError(f"Template {path!r}{where}: {answer['problem']}.", hint)


def _modest() -> str:
    told = "at most {seconds} s, {memory:_} bytes of memory and {output:_} characters".format(**LIMITS)
    return f"Accepted: a template that takes {told}."


def _seen(document: dict[str, Any]) -> str:
    """Tell what a template may name."""
    columns = [column["name"] for column in document["columns"]]
    more = ", ..." if len(columns) > _MANY else ""
    return f"Accepted: {', '.join(document)}; of a row {', '.join(_ROW)}; as values {', '.join(columns[:_MANY])}{more}."


def _folders() -> list[str]:
    """Return the folders that hold what the other process imports; refuse where Jinja is missing."""
    import importlib.util

    import normcal

    found = {os.path.dirname(os.path.dirname(os.path.abspath(normcal.__file__))): None}
    for name in ("jinja2", "markupsafe"):
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            raise RequestError("Templates need Jinja2, which is not installed.", "pip install 'normcal[templates]'")
        found[os.path.dirname(os.path.dirname(os.path.abspath(spec.origin)))] = None
    return list(found)
