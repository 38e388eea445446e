"""Recorded values in files, however large: read in blocks, checked, and never unpickled."""

from __future__ import annotations

import contextlib
import functools
import math
import os
import tempfile
from collections.abc import Iterator
from typing import Any

from normcal.arithmetic import is_number
from normcal.errors import FileError, RequestError, echo, unknown

#: Values in a block.
BLOCK = 262_144
#: Values of a text or column file that are held in memory, where they are drawn from at random.
MOST_HELD = 8_388_608
#: Characters of a line.
MOST_LINE = 1_000_000
ACCEPTED = "Accepted: a .npy, .csv, .tsv or .parquet file of real numbers."


class Records:
    """The values of a file; a subclass reads its format.

    ``blocks`` yields them in order as arrays of doubles, and refuses the first that is no finite number.
    """

    #: Whether the file is read as fast as any copy of it would be.
    quick = False

    def __init__(self, path: str, name: str, column: Any) -> None:
        self.path, self.name, self.column = path, name, column

    def raw(self) -> Iterator[tuple[Any, int]]:
        """Yield arrays of numbers, each with the number of the first, from 1."""
        raise NotImplementedError

    def blocks(self) -> Iterator[Any]:
        import numpy as np

        count = 0
        for block, first in self.raw():
            block = np.ascontiguousarray(block, dtype=float)
            wrong = np.flatnonzero(~np.isfinite(block))
            if len(wrong):
                value = block[wrong[0]]
                raise FileError(
                    f"{self.name}: value {first + int(wrong[0]):_} is {value}.", "Accepted: finite numbers alone."
                )
            count += len(block)
            if len(block):
                yield block
        if not count:
            raise FileError(f"{self.name} holds no values.", ACCEPTED)

    def indexed(self):
        """Return the values as an array that entries can be taken from, whose size is not limited by the memory."""
        import numpy as np

        held: list[Any] = []
        for block in self.blocks():
            held.append(block)
            if sum(map(len, held)) > MOST_HELD:
                return self._spooled()
        return np.concatenate(held)

    def _spooled(self):
        """Return the values in a file without a name, which ends with the process."""
        import numpy as np

        with tempfile.TemporaryFile() as spool:
            for block in self.blocks():
                block.tofile(spool)
            spool.flush()
            return np.memmap(spool, dtype=float, mode="r")

    def only_one(self) -> None:
        """Refuse a column where the file has none."""
        if self.column is not None:
            raise FileError(f"{self.name} has no columns to choose from.", "Leave 'column' out.")


class NumPyFile(Records):
    """An array of any shape: its entries, in the order in which they lie in the file."""

    quick = True

    def _header(self) -> tuple[Any, int, int]:
        """Return the type of the entries, how many there are, and where they begin."""
        import numpy as np

        self.only_one()
        try:
            with open(self.path, "rb") as stream:
                version = np.lib.format.read_magic(stream)
                if version not in ((1, 0), (2, 0)):
                    raise FileError(f"{self.name} has version {version} of the NumPy format.", ACCEPTED)
                first = version == (1, 0)
                read = np.lib.format.read_array_header_1_0 if first else np.lib.format.read_array_header_2_0
                shape, _, kind = read(stream)
                start = stream.tell()
        except (ValueError, EOFError, TypeError, SyntaxError, MemoryError, RecursionError, OverflowError) as problem:
            raise FileError(f"{self.name} is no .npy file: {_short(problem)}.", ACCEPTED) from None
        except OSError as problem:
            raise FileError(f"{self.name} cannot be read: {problem.strerror}.") from None
        if kind.hasobject:
            raise FileError(
                f"{self.name} holds Python objects, which would have to be unpickled: that runs code.", ACCEPTED
            )
        if kind.names is not None or kind.kind not in "fiu":
            raise FileError(f"{self.name} holds values of type {echo(str(kind))}.", ACCEPTED)
        if any(length < 0 for length in shape):
            raise FileError(f"{self.name} is damaged: an axis of {min(shape)} entries.")
        count = math.prod(shape)
        there = os.path.getsize(self.path) - start
        if there < count * kind.itemsize:
            raise FileError(
                f"{self.name} is cut short: {there:_} bytes of values, where {count * kind.itemsize:_} should be."
            )
        return kind, count, start

    def raw(self):
        import numpy as np

        kind, count, start = self._header()
        with open(self.path, "rb") as stream:
            stream.seek(start)
            done = 0
            while done < count:
                block = np.fromfile(stream, kind, min(BLOCK, count - done))
                if not len(block):
                    raise FileError(f"{self.name} ended while it was read.")
                yield block, done + 1
                done += len(block)

    def indexed(self):
        import numpy as np

        kind, count, start = self._header()
        if not count:
            raise FileError(f"{self.name} holds no values.", ACCEPTED)
        return np.memmap(self.path, dtype=kind, mode="r", offset=start, shape=(count,))


class TextFile(Records):
    """A column of a text file, whose first line may name the columns."""

    def raw(self):
        import csv

        try:
            with open(self.path, encoding="utf-8-sig", newline="") as stream:
                lines = _lines(stream, self.name)
                first = next(lines, "")
                mark = max(",;\t", key=first.count)
                rows = csv.reader(self._with(first, lines), delimiter=mark, skipinitialspace=True)
                yield from self._column(rows)
        except UnicodeDecodeError:
            raise FileError(f"{self.name} is no text in UTF-8.", ACCEPTED) from None
        except csv.Error as problem:
            raise FileError(f"{self.name} cannot be read: {problem}.", ACCEPTED) from None
        except OSError as problem:
            raise FileError(f"{self.name} cannot be read: {problem.strerror}.") from None

    @staticmethod
    def _with(first: str, lines: Iterator[str]) -> Iterator[str]:
        yield first
        yield from lines

    def _column(self, rows):
        import numpy as np

        head = next(rows, [])
        named = not all(map(is_number, head)) or not head
        at = chosen(self.name, self.column, head if named else None, len(head))
        waiting: list[str] = [] if named else [head[at]]
        done = 0
        for row in rows:
            if not row:
                continue
            if len(row) <= at:
                raise FileError(f"{self.name}, line {rows.line_num}: there is no column {at + 1}.")
            waiting.append(row[at])
            if len(waiting) >= BLOCK:
                yield np.array(self._numbers(waiting, rows.line_num)), done + 1
                done, waiting = done + len(waiting), []
        if waiting:
            yield np.array(self._numbers(waiting, rows.line_num)), done + 1

    def _numbers(self, texts: list[str], last: int) -> list[float]:
        try:
            return list(map(float, texts))
        except ValueError:
            at = next(k for k, text in enumerate(texts) if not is_number(text))
            place = f"near line {last - len(texts) + at + 1}"
            raise FileError(f"{self.name}, {place}: {echo(texts[at])} is no number.", ACCEPTED) from None


class ParquetFile(Records):
    """A column of a Parquet file."""

    def raw(self):
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError:
            raise RequestError(
                f"{self.name}: Parquet files need pyarrow.", "Install it with: pip install 'normcal[parquet]'."
            ) from None
        try:
            with pyarrow.parquet.ParquetFile(self.path) as file:
                names = list(file.schema_arrow.names)
                at = chosen(self.name, self.column, names, len(names))
                kind = file.schema_arrow.field(at).type
                if not (pyarrow.types.is_floating(kind) or pyarrow.types.is_integer(kind)):
                    raise FileError(f"{self.name}: column {echo(names[at])} holds {echo(str(kind))}.", ACCEPTED)
                done = 0
                for batch in file.iter_batches(batch_size=BLOCK, columns=[names[at]]):
                    values = batch.column(0)
                    if values.null_count:
                        where = done + values.is_null().to_pylist().index(True) + 1
                        raise FileError(f"{self.name}: value {where:_} is missing.", "Accepted: finite numbers alone.")
                    yield values.to_numpy(zero_copy_only=False), done + 1
                    done += len(values)
        except (pyarrow.ArrowException, OSError, ValueError) as problem:
            raise FileError(f"{self.name} cannot be read: {_short(problem)}.", ACCEPTED) from None


_FORMATS = {".npy": NumPyFile, ".csv": TextFile, ".tsv": TextFile, ".txt": TextFile, ".parquet": ParquetFile}


def opened(path: str, column: Any = None, folder: str = "") -> Records:
    """Return the values of a file; the name in messages is the path as it was given."""
    whole = os.path.join(folder, path)
    suffix = os.path.splitext(path)[1].lower()
    if suffix not in _FORMATS:
        raise FileError(f"{path!r}: values cannot be read from a file of this kind.", ACCEPTED)
    if os.path.isdir(whole):
        raise FileError(f"{path!r} is a folder.", ACCEPTED)
    if not os.path.exists(whole):
        raise FileError(f"{path!r} is not there.", "Accepted: the path of a file of recorded values.")
    if not os.path.isfile(whole):
        raise FileError(f"{path!r} is no ordinary file.", ACCEPTED)
    return _FORMATS[suffix](whole, path, column)


@functools.lru_cache(maxsize=4)
def at_random(path: str, column: Any, stamp: tuple):
    """Return the values of a file to draw from, read once; ``stamp`` tells a file that was replaced."""
    return opened(path, column).indexed()


def stamp(path: str) -> tuple:
    """Return what tells a file from one that was put in its place."""
    with contextlib.suppress(OSError):
        found = os.stat(path)
        return found.st_size, found.st_mtime_ns
    return ()


def chosen(name: str, column: Any, names: list[str] | None, count: int) -> int:
    """Return the number of the column that is meant, from 0."""
    if column is None:
        if count == 1:
            return 0
        told = ", ".join(names[:20]) if names else f"1 to {count}"
        raise FileError(f"{name} has {count} columns.", f"Say which with column=...: {told}.")
    if isinstance(column, str):
        if names is None:
            raise FileError(f"{name} does not name its columns.", f"Accepted: column=1 to column={count}.")
        if column not in names:
            wrong = unknown(f"column of {name}:", column, names)
            raise FileError(wrong.message, wrong.hint)
        return names.index(column)
    if not 1 <= column <= count:
        raise FileError(f"{name} has no column {column}.", f"Accepted: 1 to {count}.")
    return column - 1


def _lines(stream, name: str) -> Iterator[str]:
    while line := stream.readline(MOST_LINE):
        if len(line) == MOST_LINE:
            raise FileError(f"{name} has a line of more than {MOST_LINE:_} characters.", ACCEPTED)
        yield line


def _short(problem: Exception) -> str:
    return (str(problem).splitlines() or [type(problem).__name__])[0][:200].rstrip(".")
