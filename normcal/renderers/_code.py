"""What the formats that write constants share: comments, strings, identifiers, and how definitions are laid out."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from normcal.constants import CONSTANTS as DEFINITIONS
from normcal.constants import ERROR, MAPPING, REQUEST_MARK, WORD, Cell, Column, Constants, Row
from normcal.errors import RequestError, echo
from normcal.renderer import ConstantsRenderer
from normcal.result import STANDARD_ERROR

#: Lines of code stay within this width where names allow it.
WIDE = 100
#: Widths that stand for those of numbers, engines and errors: no line may break because a number has other digits.
_NUMBER, _ENGINE, _ERROR = 19, 11, 5
#: Characters that a reader cannot see or a language does not take: controls, marks of direction, surrogates.
_UNSEEN = "\x00-\x08\x0a-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\uffff"
UNSEEN = re.compile(f"[{_UNSEEN}]")
#: In strings a tab is escaped too.
_UNQUOTED = re.compile(f"[\t{_UNSEEN}]")
#: What must not stand in a comment: in C, between <!-- and -->, in a page that holds a script.
C_HARM = re.compile(r"(?<=\*)/|(?<=/)\*|(?<=\?\?)/")
HTML_HARM = re.compile(r"(?<=--)>|(?<=--!)>|(?<=<)!")
SCRIPT_HARM = re.compile(r"(?<=<)/")
NO_HARM = re.compile(r"(?!)")


# -- comments --------------------------------------------------------------------------------------


def visible(text: str) -> str:
    r"""Write what cannot be seen as its number.

    >>> visible("a\x1bb")
    'a\\u001bb'
    """
    return UNSEEN.sub(_coded, text)


def told(text: str, harm: re.Pattern[str] = NO_HARM) -> str:
    r"""Return a remark as one line that ends no comment and is taken for no request.

    >>> told("a */ b", C_HARM)
    'a *\\/ b'
    """
    harmless = harm.sub(lambda found: f"\\{found[0]}", visible(text))
    return harmless.replace(REQUEST_MARK, REQUEST_MARK.replace(":", " :"))


def asked(line: str, harm: re.Pattern[str] = NO_HARM) -> str:
    r"""Return a line of the request so that it ends no comment and is still the same (part of a) JSON text.

    >>> asked('normcal: ["*/"]', C_HARM)
    'normcal: ["*\\u002f"]'
    """
    once = harm.sub(_coded, visible(line))
    return re.sub(r"[^\S ]", _coded, once)  # a space of another kind might be lost at the end of a line


def _coded(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def notes(document: Constants, harm: re.Pattern[str] = NO_HARM) -> list[str]:
    """Return the provenance of a document as lines that are safe in a comment."""
    request = document.request_lines
    own = document.provenance[: len(document.provenance) - len(request)]
    return [*(told(line, harm) for line in own), *(asked(line, harm) for line in request)]


def note(line: str, harm: re.Pattern[str] = NO_HARM) -> str:
    """Return a line of what ``Renderer.comment`` is given, safe in a comment."""
    return asked(line, harm) if line.startswith(REQUEST_MARK) else told(line, harm)


def remark(row: Row) -> str:
    """Return how far to trust the numbers of a row: SPEC, engine and relative error."""
    sampled = any(cell.kind == STANDARD_ERROR for cell in row.cells)
    return f"{row.spec}: {row.engine.text}, relative {'standard ' if sampled else ''}error {row.error.text}"


def reason(cell: Cell) -> str:
    """Return why a number is left out."""
    return cell.reason or "it cannot be stated"


def missing(cell: Cell) -> bool:
    """Whether there is no number to write."""
    return cell.absent or (cell.role == ERROR and not cell.text)


def remarked(line: str, row: Row, comment: str, room: int = 0, gap: str = "  ") -> list[str]:
    """Return a line with the comment behind it, or before it where names are too long for that.

    ``room`` is how many characters of the line belong to a cell.
    """
    sizes = len(line) - room + (_NUMBER if room else 0), len(gap) + len(comment) + _ENGINE + _ERROR
    if sum(sizes) - len(row.engine.text) - len(row.error.text) <= WIDE:
        return [f"{line}{gap}{comment}"]
    return [line[: len(line) - len(line.lstrip(" "))] + comment, line]


# -- strings ---------------------------------------------------------------------------------------


def quoted(text: str, code: Callable[[int], str] = "\\u{:04x}".format) -> str:
    r"""Return a string literal in double quotes; ``code`` escapes what cannot be seen.

    >>> print(quoted('a"b\n'))
    "a\"b\u000a"
    """
    escaped = re.sub(r'(["\\])', r"\\\1", text)
    return '"' + _UNQUOTED.sub(lambda found: code(ord(found[0])), escaped) + '"'


def renamed(document: Constants, escape: Callable[[str], str]) -> Constants:
    """Return the document with every text of the user's own escaped, for the formats that people read."""
    return replace(
        document,
        header=tuple(map(escape, document.header)),
        columns=tuple(replace(column, name=escape(column.name)) for column in document.columns),
        rows=tuple(replace(row, name=escape(row.name)) for row in document.rows),
    )


# -- code ------------------------------------------------------------------------------------------


class Code(ConstantsRenderer):
    """A programming language: one mapping of names to numbers, or a definition a number.

    A definition is called by the document's name, the row and, where a row has several numbers, the column, joined by
    ``_`` in capitals.
    """

    layouts = (MAPPING, DEFINITIONS)
    code = True
    #: A comment of one line, what stands before one behind code, and what must not stand in one.
    sign, gap, harm = "// {}", " ", NO_HARM
    #: Words that are no names.
    reserved: frozenset[str] = frozenset()
    #: What opens and closes the mapping of a row.
    opens, closes = "{", "}"

    def constants(self, document: Constants) -> str:
        mapped = (document.layout or self.layouts[0]) == MAPPING
        body = self.mapping(document) if mapped else self.definitions(document)
        own = ["", *document.epilogue.rstrip("\n").split("\n")] if document.epilogue.strip() else []
        return "\n".join(self.file(document, body, own)) + "\n"

    def file(self, document: Constants, body: list[str], own: list[str]) -> list[str]:
        """Return the lines of the file: a comment, the constants, code of the user's own."""
        return [*self.head(document), "", *body, *own]

    def head(self, document: Constants) -> list[str]:
        """Return the comment that says where the numbers come from."""
        return [self.sign.format(line).rstrip() for line in notes(document, self.harm)]

    def comment_of(self, text: str) -> str:
        """Return a comment of one line."""
        return self.sign.format(told(text, self.harm))

    def string(self, text: str) -> str:
        """Return a string literal."""
        return quoted(text)

    def key(self, name: str) -> str:
        """Return a name as the key of a mapping."""
        return f"{self.string(name)}: "

    def written(self, cell: Cell) -> str:
        """Return the literal of a cell: its text, and a word in quotes."""
        return self.string(cell.text) if cell.role == WORD else cell.text

    def pair(self, name: str, cell: Cell) -> str:
        """Return a name and its number in a mapping."""
        return f"{self.key(name)}{self.written(cell)},"

    def open(self, document: Constants, name: str) -> str:
        """Return the line that begins the mapping."""
        raise NotImplementedError

    def close(self, document: Constants) -> str:
        """Return the line that ends the mapping."""
        return "}"

    def define(self, column: Column, name: str, cell: Cell) -> str:
        """Return the definition of one constant."""
        raise NotImplementedError

    # -- the two layouts

    def mapping(self, document: Constants) -> list[str]:
        """Return the lines of one mapping; a row of several columns is a mapping of its own."""
        self.check_name(document.name, "name")
        rows = [line for row in document.rows for line in self.entry(document, row)]
        return [self.open(document, document.name), *(f"    {line}" for line in rows), self.close(document)]

    def entry(self, document: Constants, row: Row) -> list[str]:
        """Return the lines of one row in a mapping."""
        if document.flat:
            return self.item(row, row.name, row.cells[0], with_remark=True)
        inner = [
            f"    {line}"
            for column, cell in zip(document.columns, row.cells, strict=True)
            for line in self.item(row, column.name, cell)
        ]
        first = remarked(self.key(row.name) + self.opens, row, self.comment_of(remark(row)), gap=self.gap)
        return [*first, *inner, f"{self.closes},"]

    def item(self, row: Row, name: str, cell: Cell, *, with_remark: bool = False) -> list[str]:
        """Return the lines of one number in a mapping; in place of an absent one, why it is."""
        if missing(cell):
            return [self.comment_of(f"{name}: {reason(cell)}")]
        line = self.pair(name, cell)
        return remarked(line, row, self.comment_of(remark(row)), len(cell.text), self.gap) if with_remark else [line]

    def definitions(self, document: Constants) -> list[str]:
        """Return a definition a number; rows of several numbers stand apart, below a comment."""
        lines: list[str] = []
        for row, named in self.identifiers(document):
            if not document.flat:
                lines += [*([""] if lines else []), self.comment_of(remark(row))]
            for column, name, cell in named:
                if missing(cell):
                    lines.append(self.comment_of(f"{name}: {reason(cell)}"))
                    continue
                line, told_of = self.define(column, name, cell), self.comment_of(remark(row))
                lines += remarked(line, row, told_of, len(cell.text), self.gap) if document.flat else [line]
        return lines

    # -- names

    def identifiers(self, document: Constants) -> list[tuple[Row, list[tuple[Column, str, Cell]]]]:
        """Return each row with the column, the identifier and the cell of each of its constants."""
        found, owners = [], {}
        for row in document.rows:
            named = []
            for column, cell in zip(document.columns, row.cells, strict=True):
                parts = {"name": document.name, "layer": row.name, "column": "" if document.flat else column.name}
                name, owner = self._joined(parts), f"{echo(row.name)}, {echo(column.name)}"
                if name in owners:
                    raise RequestError(
                        f"{self.name}: two constants would be called {name}: {owners[name]} and {owner}.",
                        "Accepted: names that differ after they are joined by _ in capitals.",
                    )
                owners[name] = owner
                named.append((column, name, cell))
            found.append((row, named))
        return found

    def fields(self, document: Constants) -> list[str]:
        """Return the columns as the fields of a struct, behind its ``name``."""
        for column in document.columns:
            self.check_name(column.name, "column")
            if column.name == "name":
                raise RequestError(
                    f"{self.name}: the column 'name' would be a second field beside the row's.", "Give it another name."
                )
        return [column.name for column in document.columns]

    def _joined(self, parts: dict[str, str]) -> str:
        """Return the identifier that names make together; refuse the one that fits in none."""
        for what, part in parts.items():
            if part and not re.fullmatch(r"[A-Za-z0-9_]+", part):
                raise self._refused(part, what)
        joined = "_".join(filter(None, parts.values())).upper()
        self.check_name(joined, "layer" if joined == parts["layer"].upper() else "name")
        return joined

    def check_name(self, name: str, what: str) -> None:
        """Refuse what is no identifier of ASCII letters, or a word of the language."""
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) or name in self.reserved:
            raise self._refused(name, what)

    def _refused(self, name: str, what: str) -> RequestError:
        why = f"is a reserved word of {self.name}" if name in self.reserved else f"is no identifier in {self.name}"
        accepted = "Accepted: letters a to z, digits and _, no digit first, no reserved word."
        return RequestError(f"The {what} {echo(name)} {why}.", accepted)
