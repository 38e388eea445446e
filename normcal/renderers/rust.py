"""Rust: constants, or a slice of pairs or structs; as a module of its own or by ``include!``."""

from __future__ import annotations

from normcal import naming
from normcal.constants import CONSTANTS, MAPPING, WORD, Cell, Constants, Row
from normcal.renderers._code import Code, missing, quoted, reason, remark, told

#: An outer attribute, because ``include!`` takes no inner one.
_ALLOW = "#[allow(dead_code, non_snake_case, clippy::all, clippy::pedantic)]"
_RESERVED = """
abstract as async await become box break const continue crate do dyn else enum extern false final fn for gen if impl
in let loop macro match mod move mut override priv pub ref return self Self static struct super trait true try type
typeof unsafe unsized use virtual where while yield
"""


class Rust(Code):
    name = "rust"
    suffixes = (".rs",)
    layouts = (CONSTANTS, MAPPING)
    reserved = frozenset(_RESERVED.split())

    def string(self, text: str) -> str:
        return quoted(text, "\\u{{{:x}}}".format)

    def definitions(self, document: Constants) -> list[str]:
        """Return the constants, each below what it is and how far to trust it."""
        lines: list[str] = []
        for row, named in self.identifiers(document):
            for column, name, cell in named:
                lines += [""] if lines else []
                if missing(cell):
                    lines.append(self.comment_of(f"{name}: {reason(cell)}"))
                    continue
                of = "&str" if cell.role == WORD else "f64"
                lines += [f"/// {told(f'{column.meaning}; {remark(row)}')}.", _ALLOW]
                lines.append(f"pub const {name}: {of} = {self.written(cell)};")
        return lines

    def pair(self, name: str, cell: Cell) -> str:
        return f"({self.string(name)}, {self.written(cell)}),"

    def open(self, document: Constants, name: str) -> str:
        of = [_type(document, i) for i in range(len(document.columns))]
        if document.flat:
            return f"{_ALLOW}\npub const {name.upper()}: &[(&str, {of[0]})] = &["
        self.check_name(_struct(name), "name")
        fields = [f"    pub {name}: {kind}," for name, kind in zip(self.fields(document), of, strict=True)]
        lines = [
            _ALLOW, "#[derive(Clone, Copy, Debug, PartialEq)]", f"pub struct {_struct(name)} {{",
            "    pub name: &'static str,", *fields, "}", "", _ALLOW,
            f"pub const {name.upper()}: &[{_struct(name)}] = &[",
        ]  # fmt: skip
        return "\n".join(lines)

    def close(self, document: Constants) -> str:
        return "];"

    def entry(self, document: Constants, row: Row) -> list[str]:
        """Return one pair or struct; a number that a struct lacks is NAN, a pair without one is left out."""
        if document.flat:
            return super().entry(document, row)
        lines = [self.comment_of(remark(row)), f"{_struct(document.name)} {{", f"    name: {self.string(row.name)},"]
        for name, cell in zip(self.fields(document), row.cells, strict=True):
            lines += [f"    {self.comment_of(reason(cell))}"] if missing(cell) else []
            lines.append(f"    {name}: {'f64::NAN' if missing(cell) else self.written(cell)},")
        return [*lines, "},"]


RENDERER = Rust()


def _type(document: Constants, index: int) -> str:
    return "&'static str" if any(row.cells[index].role == WORD for row in document.rows) else "f64"


def _struct(name: str) -> str:
    """Return the name of the struct: that of the whole, in Rust's style of types."""
    return naming.styled(naming.split(name), "pascal")
