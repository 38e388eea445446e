"""What JavaScript and TypeScript share: strings, keys, reserved words, definitions."""

from __future__ import annotations

from normcal.constants import Cell, Column
from normcal.renderers._code import SCRIPT_HARM, Code

_RESERVED = """
arguments await break case catch class const continue debugger default delete do else enum eval export
extends false finally for function if implements import in instanceof interface let new null package private
protected public return static super switch this throw true try typeof var void while with yield
Infinity NaN undefined Object Record
"""


class Script(Code):
    """A module of ECMAScript; nothing in it ends a ``<script>`` that it is pasted into."""

    harm = SCRIPT_HARM
    reserved = frozenset(_RESERVED.split())

    def string(self, text: str) -> str:
        return super().string(text).replace("</", "<\\/")

    def key(self, name: str) -> str:
        """``__proto__`` as a plain key would set the prototype, so it is written as a computed one."""
        return f"[{self.string(name)}]: " if name == "__proto__" else super().key(name)

    def define(self, column: Column, name: str, cell: Cell) -> str:
        return f"export const {name} = {self.written(cell)};"
