"""The state of a long run in a file: whole at every moment, one run's alone, refused by every other request."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable
from typing import Any

from normcal.errors import FileError, echo

SCHEMA = "normcal-checkpoint/1"
FAMILY = SCHEMA.partition("/")[0]
OPTION = "--checkpoint "
#: Seconds between two writings.
INTERVAL = 5.0
#: No state of sampling is nearly as large.
MOST_BYTES = 64 * 1024 * 1024
REMEDY = "Delete it to start anew, or name another file."


def opened(path: str, identity: dict[str, Any], warn: Callable[[str], None] | None = None) -> Checkpoint:
    """Return the Checkpoint of a file, locked and with what the file holds, if it is there.

    Parameters
    ----------
    path: the file; it need not exist, but its folder must.
    identity: what was asked, as plain JSON; a file of another identity is refused.
    warn: called with a sentence, without full stop, when the state cannot be written.

    Raises
    ------
    FileError: when another run has it open, or it is damaged, foreign, or of another request; it stays as it is.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = folder + "/run.json"
    ...     with opened(path, {"seed": 1}) as first:
    ...         first.save("relu", {"sum": 0.1})
    ...     with opened(path, {"seed": 1}) as second:
    ...         second.load("relu")
    {'sum': 0.1}
    """
    from normcal import renderer

    target = os.path.realpath(path)
    if os.path.exists(target) and not (os.path.isfile(target) or os.path.isdir(target)):
        raise FileError(f"{OPTION}{path!r} is no regular file.", "A state to come back to needs one.")
    renderer.check_writable(path, OPTION)
    lock = _Lock(path)
    try:
        asked = json.loads(json.dumps(identity))
        states = _read(path, asked) if os.path.exists(target) else {}
    except BaseException:
        lock.release()
        raise
    return Checkpoint(path, asked, states, lock, warn or (lambda text: None))


class Checkpoint:
    """States by key, kept in a file; a context manager, made by ``opened``.

    ``save`` is cheap until ``INTERVAL`` is over; leaving the context writes what is not yet written.
    """

    def __init__(self, path: str, identity: dict, states: dict, lock: _Lock, warn: Callable[[str], None]) -> None:
        self.path = path
        self._identity = identity
        self._states = states
        self._lock = lock
        self._warn = warn
        self._changed = False
        self._failing = False
        self._written = time.monotonic()

    def __enter__(self) -> Checkpoint:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def load(self, key: str) -> dict | None:
        """Return the state that was last saved under a key, every float to the last bit, or None."""
        return self._states.get(key)

    @property
    def due(self) -> bool:
        """Whether the next ``save`` writes; a state that is costly to put together can wait for it."""
        return time.monotonic() - self._written >= INTERVAL

    def save(self, key: str, state: dict, *, now: bool = False) -> None:
        """Keep a state of plain JSON; write all of them when the last writing was a while ago, or ``now``."""
        self._states[key] = state
        self._changed = True
        if now or self.due:
            self._write()

    def close(self) -> None:
        """Write what is not yet written, and let other runs have the file."""
        try:
            if self._changed and self._lock.held:
                self._write()
        finally:
            self._lock.release()

    def _write(self) -> None:
        """Write whole or not at all; a disk that is full is warned of once, and tried again the next time."""
        from normcal import renderer

        text = _text(self._identity, self._states)
        self._written = time.monotonic()
        try:
            renderer.save(text, self.path, OPTION)
        except FileError as problem:
            if not self._failing:
                self._warn(
                    f"{problem.message.removesuffix('.')}; the run goes on, and its state is written as soon as "
                    "that is possible"
                )
            self._failing = True
        else:
            self._changed = self._failing = False


def _text(identity: dict, states: dict) -> str:
    """Return the content of a file; ``repr`` writes floats so that they read back to the same bits."""
    document = {"schema": SCHEMA, "checksum": _checksum(identity, states), "identity": identity, "states": states}
    return json.dumps(document, indent=1) + "\n"


def _checksum(identity: dict, states: dict) -> str:
    import hashlib

    canonical = json.dumps([SCHEMA, identity, states], sort_keys=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()


def _read(path: str, identity: dict) -> dict[str, dict]:
    """Return the states of a file, or refuse it with the reason."""
    document = _document(path)
    schema = document.get("schema") if isinstance(document, dict) else None
    if not isinstance(schema, str) or schema.partition("/")[0] != FAMILY:
        raise _refused(path, "is no checkpoint of normcal")
    if schema != SCHEMA:
        raise _refused(path, f"is of another version: {echo(schema)}, where this one writes {SCHEMA!r}")
    theirs, states = document.get("identity"), document.get("states")
    plain = isinstance(theirs, dict) and isinstance(states, dict)
    if not plain or document.get("checksum") != _checksum(theirs, states):
        raise _refused(path, "is damaged: its content does not match its checksum")
    differing = [name for name in {**theirs, **identity} if theirs.get(name) != identity.get(name)]
    if differing:
        raise _refused(path, "is of another request: " + "; ".join(_difference(n, theirs, identity) for n in differing))
    return states


def _document(path: str) -> Any:
    """Read a file as JSON and nothing else."""
    try:
        if os.path.getsize(path) > MOST_BYTES:
            raise _refused(path, "is no checkpoint of normcal: it is too large")
        with open(path, encoding="utf-8") as stream:
            text = stream.read()
    except OSError as problem:
        raise FileError(f"{OPTION}{path!r} cannot be read: {problem.strerror}.") from None
    except UnicodeDecodeError:
        raise _refused(path, "is no checkpoint of normcal: it is no text") from None
    try:
        found = json.loads(text)
        json.dumps(found)  # what is nested too deep to be written again was never written
        return found
    except (ValueError, RecursionError):
        head = _text({}, {}).partition("/")[0]
        begun = head.startswith(text[: len(head)])
        raise _refused(path, "is damaged: it breaks off" if begun else "is no checkpoint of normcal") from None


def _difference(name: str, theirs: dict, mine: dict) -> str:
    shown = [_short(json.dumps(side[name])) if name in side else "nothing" for side in (theirs, mine)]
    return f"{name} is {shown[0]} there and {shown[1]} here"


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:60]}..."


def _refused(path: str, reason: str) -> FileError:
    return FileError(f"{OPTION}{path!r} {reason}.", REMEDY)


class _Lock:
    """A lock beside the file, which the system releases when the process ends, however it ends.

    The file itself is replaced at every writing, so that a lock on it would not last.
    """

    def __init__(self, path: str) -> None:
        folder, name = os.path.split(os.path.realpath(path))
        self.path = os.path.join(folder, f".{name}.lock")
        self.handle: int | None = None
        try:
            while self.handle is None:
                self.handle = self._taken(path)
        except OSError as problem:
            raise FileError(f"{OPTION}{path!r}: {self.path!r} cannot be locked: {problem.strerror}.") from None

    @property
    def held(self) -> bool:
        return self.handle is not None

    def _taken(self, path: str) -> int | None:
        """Return the locked file, or None where its last owner removed it meanwhile."""
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        try:
            if not _exclusive(handle):
                owner = os.read(handle, 20).decode(errors="replace")
                by = f" (process {owner})" if owner.isdecimal() else ""
                raise FileError(
                    f"{OPTION}{path!r} is in use by another run{by}.", "Wait until it ends, or name another file."
                )
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(handle), os.stat(self.path)):
                    with contextlib.suppress(OSError):  # a full disk: nobody needs the number to be there
                        os.truncate(handle, 0)
                        os.write(handle, str(os.getpid()).encode())
                    return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)
        return None

    def release(self) -> None:
        """Remove the lock while it is held, and let go of it."""
        handle, self.handle = self.handle, None
        if handle is not None:
            with contextlib.suppress(OSError):
                os.unlink(self.path)
            os.close(handle)


def _exclusive(handle: int) -> bool:
    """Lock an open file for this process alone, at once or not at all."""
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
