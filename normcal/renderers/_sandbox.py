"""The other side of the format template: a process of its own that fills in templates, and can do nothing else.

It reads one JSON document from standard input (``template``, ``documents``, and as ``limits`` ``memory`` in bytes,
``seconds`` of the processor and characters of ``output``) and writes one to standard output: ``{"texts": [...]}``, or
``{"problem": "...", "line": 3, "limit": false}``. It is run by path, isolated, with the folders that hold its packages
as arguments.
"""

from __future__ import annotations

import json
import sys
from typing import Any

LONGEST_PROBLEM = 300
#: The name that Jinja gives a template without a file in tracebacks.
_UNNAMED = "<template>"
_STYLES = ("snake", "camel", "pascal", "kebab")


class Refused(Exception):
    """What a template may not do; its text is the reason."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.line = line


class TooMuch(Refused):
    """What a template may do, but not so much of it."""


class Figure(str):
    """The text of a cell, exactly as it is written, that arithmetic takes as the number behind it."""

    number: float | None

    def __new__(cls, text: str, number: float | None) -> Figure:
        made = super().__new__(cls, text)
        made.number = number
        return made

    def _refuse(self, other: Any) -> Any:
        raise Refused("a value is text, '| float' makes a number of it")

    __mul__ = __rmul__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse


def main() -> None:
    """Fill in the template for each document that standard input holds."""
    request = json.loads(sys.stdin.buffer.read())
    found = json.dumps(answer(**request), ensure_ascii=False)
    sys.stdout.buffer.write(found.encode("utf-8", "backslashreplace"))


def answer(template: str, documents: list[dict[str, Any]], limits: dict[str, int]) -> dict[str, Any]:
    """Return the texts, or the one problem that kept them from being made."""
    try:
        _limit({"AS": limits["memory"], "CPU": limits["seconds"], "FSIZE": 0, "CORE": 0, "NPROC": 0})
        compiled = _compiled(template)
        _limit({"NOFILE": 0})  # from here on, there is nothing left to import
        texts = [_text(compiled, _figures(document), limits["output"]) for document in documents]
        "".join(texts).encode()  # a template can write half of a character
        return {"texts": texts}
    except Exception as problem:
        too_much = isinstance(problem, (TooMuch, MemoryError, RecursionError, OverflowError))
        told = _told(problem)[:LONGEST_PROBLEM].rstrip(".")
        return {"problem": told, "line": _line(problem), "limit": too_much}


def _limit(limits: dict[str, int]) -> None:
    """Take from this process what it does not need, where the system can."""
    try:
        import resource
    except ImportError:
        return
    for name, most in limits.items():
        kind = getattr(resource, f"RLIMIT_{name}", None)
        if kind is None:
            continue
        hard = resource.getrlimit(kind)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        try:
            resource.setrlimit(kind, (most, most))
        except (ValueError, OSError):
            continue


# -- templates -------------------------------------------------------------------------------------


def _compiled(source: str):
    import jinja2.debug  # now, because Jinja would only once something went wrong

    nodes = jinja2.nodes
    environment = _environment()
    tree = environment.parse(source)
    for node in tree.find_all((nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)):
        raise Refused("a template stands alone: include, import and extends are not there", node.lineno)
    return environment.from_string(tree)


def _text(template, document: dict[str, Any], most: int) -> str:
    parts, length = [], 0
    for part in template.generate(document):
        parts.append(part)
        length += len(part)
        if length > most:
            raise TooMuch(f"it writes more than {most:_} characters")
    return "".join(parts)


def _environment():
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Environment(ImmutableSandboxedEnvironment):
        def getattr(self, obj: Any, attribute: str) -> Any:
            """What a mapping holds comes before what it can do: ``row.values`` are the row's."""
            return obj[attribute] if isinstance(obj, dict) and attribute in obj else super().getattr(obj, attribute)

    environment = Environment(
        undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True, trim_blocks=True, lstrip_blocks=True
    )
    for table, name in ((environment.globals, "lipsum"), (environment.filters, "random")):
        del table[name]  # the same numbers make the same file
    environment.filters |= {"float": _float, "int": _int, "quoted": _quoted, "comment": _comment}
    environment.filters |= {style: _styler(style) for style in _STYLES}
    return environment


def _figures(found: Any) -> Any:
    """Return plain data with a Figure for each cell."""
    if isinstance(found, list):
        return [_figures(one) for one in found]
    if not isinstance(found, dict):
        return found
    if found.keys() == {"text", "number"}:
        return Figure(**found)
    return {key: _figures(value) for key, value in found.items()}


# -- filters ---------------------------------------------------------------------------------------


def _float(value: Any, default: Any = None) -> Any:
    number = value.number if isinstance(value, Figure) else _parsed(value)
    if number is None and default is None:
        raise Refused(f"float: {str(value)[:80]!r} is no number; float(0) would take 0 for it")
    return default if number is None else number


def _int(value: Any, default: Any = None) -> Any:
    if isinstance(value, int):
        return value
    return int(_float(value, default))


def _parsed(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _quoted(value: Any) -> str:
    return json.dumps(str(value), ensure_ascii=False)


def _comment(lines: Any, start: str) -> str:
    """Return text, or a list of lines, with ``start`` before each line."""
    text = lines if isinstance(lines, str) else "\n".join(map(str, lines))
    return "\n".join(f"{start}{line}".rstrip() for line in text.splitlines())


def _styler(style: str):
    from normcal import naming

    return lambda value: naming.styled(naming.split(str(value)) or [""], style)


# -- problems --------------------------------------------------------------------------------------


def _told(problem: Exception) -> str:
    if isinstance(problem, MemoryError):
        return "it needs more memory than there is"
    if isinstance(problem, RecursionError):
        return "it is nested too deeply, or calls itself without end"
    if isinstance(problem, OSError):
        return "it needs a file, and there is none"
    if isinstance(problem, UnicodeEncodeError):
        return "it writes half of a character"
    return " ".join(str(getattr(problem, "message", None) or problem).split()) or type(problem).__name__


def _line(problem: Exception) -> int | None:
    """Return the template's line where a problem arose, if there is one."""
    line = getattr(problem, "line", None) or getattr(problem, "lineno", None)
    frame = problem.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code.co_filename == _UNNAMED:
            line = frame.tb_lineno
        frame = frame.tb_next
    return line if isinstance(line, int) else None


if __name__ == "__main__":
    sys.path += sys.argv[1:]
    main()
