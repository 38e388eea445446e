"""What an output format is, how one is chosen, and how its text is saved whole or not at all."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, TextIO

from normcal import discover
from normcal.errors import FileError, RequestError, unknown
from normcal.report import Report, View

if TYPE_CHECKING:
    from normcal.constants import Constants


#: What temporary files are called, and after how many seconds without a change they are nobody's.
_PREFIX, _SUFFIX, _STALE = ".normcal-", ".tmp", 60.0


class Renderer:
    """An output format; a file in ``renderers/`` defines one as ``RENDERER``."""

    name = ""
    suffixes: tuple[str, ...] = ()
    #: Whether it rounds for people; formats for machines keep every digit.
    rounds = False
    #: How it may lay constants out, the default first; a format that knows one way takes none.
    layouts: tuple[str, ...] = ()
    #: Whether a file of constants may end in code of the user's own.
    code = False
    #: Whether ``pieces`` writes rows as they come, so that neither they nor their text are ever held together.
    streams = False

    def render(self, report: Report, view: View) -> str:
        """Return the whole document as text that ends in a newline."""
        raise NotImplementedError

    def pieces(self, report: Report, view: View) -> Iterator[str]:
        """Yield the document piece by piece; a format that needs all of it at once has one piece."""
        yield self.render(report, view)

    def constants(self, document: Constants) -> str:
        """Return a file of constants; by default the blocks that people read, below a comment."""
        lines = (document.provenance[0], *document.request_lines)
        return self.comment(lines) + self.render(document.report(), View())

    def comment(self, lines: tuple[str, ...]) -> str:
        """Return lines as a comment that stands before the document; nothing where the format has none."""
        return ""

    def name_of(self, words: list[str]) -> str:
        """Return the name of the whole where the config gives none: of a dictionary, a prefix, a module."""
        return "_".join(words).upper()

    def check_name(self, name: str, what: str) -> None:
        """Refuse a name that the format cannot write as an identifier; by default every name will do."""


class StreamingRenderer(Renderer):
    """A format whose rows do not depend on one another: it writes ``pieces``, and so reads a report once, in order."""

    streams = True

    def render(self, report: Report, view: View) -> str:
        return "".join(self.pieces(report, view))

    def pieces(self, report: Report, view: View) -> Iterator[str]:
        """Yield the document piece by piece, each row as soon as it is there."""
        raise NotImplementedError


class ConstantsRenderer(Renderer):
    """A format that writes constants and nothing else; other reports are refused, with what would do."""

    def render(self, report: Report, view: View) -> str:
        if report.constants is None:
            others = (get(name) for name in names())
            accepted = ", ".join(one.name for one in others if one.suffixes and not isinstance(one, ConstantsRenderer))
            raise RequestError(
                f"The format {self.name} holds constants; here there are none.", f"Accepted: {accepted}."
            )
        return self.constants(report.constants(self))

    def constants(self, document: Constants) -> str:
        """Return the file of constants."""
        raise NotImplementedError


def names() -> tuple[str, ...]:
    """Every value that ``--format`` takes."""
    return discover.names("renderers")


def get(name: str) -> Renderer:
    """Return the format of that name."""
    if name not in names():
        raise unknown("format", name, names())
    return discover.load("renderers", name).RENDERER


def choose(name: str | None, path: str | None, default: str = "text") -> Renderer:
    """Return the named format, else the one that claims the suffix of ``path``, else the default."""
    if name is not None:
        return get(name)
    if path is None:
        return get(default)
    suffix = os.path.splitext(path)[1].lower()
    if suffix not in claimed():
        accepted = f"Accepted: {', '.join(sorted(claimed()))}; or name the format with --format."
        raise RequestError(f"--output {path!r}: no format claims the suffix {suffix!r}.", accepted)
    return get(claimed()[suffix])


def claimed() -> dict[str, str]:
    """Return the suffixes that formats claim: suffix -> name of the format."""
    return {suffix: name for name in names() for suffix in get(name).suffixes}


def check_writable(path: str, option: str = "--output ") -> None:
    """Refuse an output path that cannot be written, before any work is done for it; ``option`` is what named it."""
    target = os.path.realpath(path)
    folder = os.path.dirname(target)
    if os.path.isdir(target):
        raise FileError(f"{option}{path!r} is a folder.", "Accepted: the path of a file.")
    if not os.path.isdir(folder):
        raise FileError(f"{option}{path!r}: the folder {folder!r} does not exist.", "Create it, or name another.")
    writable = os.access(folder, os.W_OK) if _replaceable(target) else os.access(target, os.W_OK)
    if not writable or (os.path.exists(target) and not os.access(target, os.W_OK)):
        raise FileError(f"{option}{path!r} cannot be written: permission denied.", "Name a path that you may write.")


def save(content: str | bytes, path: str, option: str = "--output ") -> None:
    """Write a file whole or not at all."""
    with saving(path, option) as stream:
        if isinstance(content, bytes):
            stream.buffer.write(content)
        else:
            stream.write(content)


@contextlib.contextmanager
def saving(path: str, option: str = "--output ") -> Iterator[TextIO]:
    """Open a stream whose text is the file once the block has ended well; an exception leaves the file as it was.

    A temporary file beside it takes its place. A device or a pipe has no halves to tear, and is written as it is.
    """
    import tempfile  # slow to import, and most results go to stdout

    target = os.path.realpath(path)
    try:
        if not _replaceable(target):
            with open(target, "w", 1, encoding="utf-8", newline="\n") as stream:
                yield stream
            return
        _sweep(os.path.dirname(target))
        handle, temporary = tempfile.mkstemp(dir=os.path.dirname(target), prefix=_PREFIX, suffix=_SUFFIX)
        try:
            with open(handle, "w+", encoding="utf-8", newline="\n") as stream:
                _claim(stream)
                yield stream
                stream.flush()
                os.fsync(handle)
            os.chmod(temporary, _mode(target))
            os.replace(temporary, target)
        except BaseException:
            with contextlib.suppress(OSError):  # it may have taken its place already: Ctrl-C comes at any moment
                os.unlink(temporary)
            raise
    except BrokenPipeError as problem:
        if _replaceable(target):  # no file's own
            raise
        raise FileError(f"{option}{path!r} cannot be written: {problem.strerror}.") from None
    except OSError as problem:
        raise FileError(f"{option}{path!r} cannot be written: {problem.strerror}.") from None


def _claim(stream: TextIO) -> bool:
    """Lock a temporary file while it is written, however long that takes; tell whether it was free."""
    try:
        import fcntl
    except ImportError:  # where a file that is open cannot be removed anyway
        return True
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks; there the age alone decides
        return True
    return True


def _sweep(folder: str) -> None:
    """Remove the temporary files that killed processes left behind: those that nobody has touched for a while."""
    with os.scandir(folder) as entries:
        left = [entry for entry in entries if entry.name.startswith(_PREFIX) and entry.name.endswith(_SUFFIX)]
    for entry in left:
        with contextlib.suppress(OSError):  # somebody else was faster
            if entry.is_file(follow_symlinks=False) and time.time() - entry.stat().st_mtime > _STALE:
                with open(entry.path, "a") as stream:
                    if _claim(stream):
                        os.unlink(entry.path)


def _replaceable(target: str) -> bool:
    return not os.path.exists(target) or os.path.isfile(target)


def _mode(target: str) -> int:
    """Return the permissions that the file has, or that a new one would get."""
    if os.path.exists(target):
        return stat.S_IMODE(os.stat(target).st_mode)
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
