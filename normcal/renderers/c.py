"""C: a header, for C99 and C++ alike, with a macro a number or an array of structs."""

from __future__ import annotations

import re
import zlib

from normcal.constants import CONSTANTS, MAPPING, WORD, Cell, Column, Constants, Row
from normcal.renderers._code import C_HARM, Code, missing, notes, quoted, reason, remark

_RESERVED = """
alignas alignof and and_eq asm assert auto bitand bitor bool break case catch char char16_t char32_t char8_t class
co_await co_return co_yield compl concept const const_cast consteval constexpr constinit continue decltype default
delete do double dynamic_cast else enum errno explicit export extern false float for friend goto if inline int long
mutable namespace new noexcept not not_eq nullptr operator or or_eq private protected public register
reinterpret_cast requires restrict return short signed sizeof static static_assert static_cast struct switch
template this thread_local throw true try typedef typeid typename typeof typeof_unqual union unsigned using virtual
void volatile wchar_t while xor xor_eq EOF HUGE_VAL INFINITY NAN NULL
"""


class C(Code):
    name = "c"
    suffixes = (".h", ".hpp")
    layouts = (CONSTANTS, MAPPING)
    sign, harm = "/* {} */", C_HARM
    reserved = frozenset(_RESERVED.split())

    def head(self, document: Constants) -> list[str]:
        return ["/* clang-format off */", "/*", *(f" * {line}".rstrip() for line in notes(document, self.harm)), " */"]

    def file(self, document: Constants, body: list[str], own: list[str]) -> list[str]:
        guard = _guard(document)
        opening = [f"#ifndef {guard}", f"#define {guard}", ""]
        return [*self.head(document), *opening, *body, *own, "", f"#endif /* {guard} */"]

    def mapping(self, document: Constants) -> list[str]:
        absent = [missing(cell) for row in document.rows for cell in row.cells]
        if document.flat and all(absent):  # no array is empty
            return [line for row in document.rows for line in self.entry(document, row)]
        include = ["#include <math.h>", ""] if any(absent) and not document.flat else []
        return [*include, *super().mapping(document)]

    def string(self, text: str) -> str:
        """Two question marks may begin a trigraph, so the second one is escaped."""
        return re.sub(r"(?<=\?)\?", r"\\?", quoted(text, _octal))

    def define(self, column: Column, name: str, cell: Cell) -> str:
        negative = (cell.value.value or 0.0) < 0.0  # x -MACRO would be x - -0.4
        return f"#define {name} ({self.written(cell)})" if negative else f"#define {name} {self.written(cell)}"

    def open(self, document: Constants, name: str) -> str:
        values = ["value"] if document.flat else self.fields(document)
        fields = ["const char *name;", *(_field(document, i, value) for i, value in enumerate(values))]
        return "\n".join(["static const struct {", *(f"    {field}" for field in fields), f"}} {name}[] = {{"])

    def close(self, document: Constants) -> str:
        return "};"

    def entry(self, document: Constants, row: Row) -> list[str]:
        """Return one struct; a number that it lacks is NAN, a row of one absent number is left out."""
        if document.flat:
            return super().entry(document, row)
        cells = [
            f"    NAN, {self.comment_of(f'{name}: {reason(cell)}')}"
            if missing(cell)
            else f"    {self.written(cell)}, {self.comment_of(name)}"
            for name, cell in zip(self.fields(document), row.cells, strict=True)
        ]
        return ["{", f"    {self.comment_of(remark(row))}", f"    {self.string(row.name)},", *cells, "},"]

    def pair(self, name: str, cell: Cell) -> str:
        return f"{{{self.string(name)}, {self.written(cell)}}},"


RENDERER = C()


def _field(document: Constants, index: int, name: str) -> str:
    words = any(row.cells[index].role == WORD for row in document.rows)
    return f"const char *{name};" if words else f"double {name};"


def _octal(code: int) -> str:
    """An octal escape has at most three digits; one in hexadecimal would swallow the letters behind it."""
    return "".join(f"\\{byte:03o}" for byte in chr(code).encode("utf-8", "surrogatepass"))


def _guard(document: Constants) -> str:
    """Return the name of the include guard: no other header's, and the same after a move and at other digits."""
    words = re.findall(r"[A-Za-z0-9]+", document.name)
    holds = [*(column.path for column in document.columns), *(f"{row.name} {row.spec}" for row in document.rows)]
    mark = zlib.crc32("\n".join([str(document.law), *holds]).encode())
    return "_".join(["NORMCAL", *words, f"{mark:08x}", "H"]).upper()
