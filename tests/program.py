"""How the tests run the program: through click's runner, as a process of its own, on a pseudo-terminal."""

from __future__ import annotations

import fcntl
import os
import pathlib
import pty
import select
import shlex
import struct
import subprocess
import sys
import termios
import time

from click.testing import CliRunner

from normcal import discover
from normcal.cli import group

ROOT = pathlib.Path(__file__).resolve().parent.parent
COMMANDS = discover.names("commands")
PATIENCE = 60.0


def invoke(*argv: str):
    """Run the program in this process; an exception that is no exit is the test's failure, with its traceback."""
    result = CliRunner().invoke(group, [str(word) for word in argv], prog_name="normcal")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def succeed(*argv: str):
    """Run the program in this process and insist on exit code 0."""
    result = invoke(*argv)
    assert result.exit_code == 0, result.output
    return result


def environment(**changes: str | None) -> dict[str, str]:
    """Return this environment without what colours or sizes the output, and with ``changes``."""
    unwanted = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "PYTHONIOENCODING", "_NORMCAL_COMPLETE")
    found = {key: value for key, value in os.environ.items() if key not in unwanted}
    path = os.pathsep.join(filter(None, (str(ROOT), found.get("PYTHONPATH"))))
    found |= {"PYTHONPATH": path, "PYTHONUTF8": "1", "TERM": "xterm-256color"} | changes
    return {key: value for key, value in found.items() if value is not None}


def command(*argv: str) -> list[str]:
    """Return the command line of a fresh process."""
    return [sys.executable, "-m", "normcal", *map(str, argv)]


def run(*argv: str, env: dict[str, str] | None = None, cwd=None, timeout: float = PATIENCE, **streams):
    """Run the program as a process of its own; stdout and stderr come back as text unless redirected."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL} | streams
    return subprocess.run(
        command(*argv), env=environment(**env or {}), cwd=cwd, timeout=timeout, encoding="utf-8", **streams
    )


class Ended:
    """What a process on a pseudo-terminal left: its exit code, what the terminal got and what the pipe got."""

    def __init__(self, returncode: int, shown: str, piped: str) -> None:
        self.returncode, self.shown, self.piped = returncode, shown, piped


def on_terminal(*argv: str, stdout=True, stderr=True, width=200, env=None, when=None, then=None) -> Ended:
    """Run the program with the chosen streams on a pseudo-terminal, the other one on a pipe.

    ``then(process)`` is called once, as soon as ``when(shown)`` holds of what the terminal got.
    """
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        command(*argv), stdin=subprocess.DEVNULL, env=environment(**env or {}),
        stdout=slave if stdout else pipe, stderr=slave if stderr else pipe,
    )  # fmt: skip
    os.close(slave)
    shown, deadline = b"", time.monotonic() + PATIENCE
    try:
        while time.monotonic() < deadline:
            if select.select([master], [], [], 0.1)[0]:
                try:
                    part = os.read(master, 65536)
                except OSError:  # Linux: the other end is closed
                    break
                if not part:
                    break
                shown += part
            if then is not None and when(shown.decode(errors="replace")):
                then(process)
                then = None
        out, err = process.communicate(timeout=PATIENCE)
    finally:
        os.close(master)
        if process.poll() is None:
            process.kill()
            process.wait()
    piped = (out or b"") + (err or b"")
    return Ended(process.returncode, shown.decode().replace("\r\n", "\n"), piped.decode())


def help_text(*path: str) -> str:
    """Return what ``--help`` prints."""
    return succeed(*path, "--help").output


def examples(*path: str) -> list[list[str]]:
    """Return the command lines, without the program's name, that a help text shows under Examples."""
    found, inside = [], False
    for line in help_text(*path).splitlines():
        if line.strip() == "Examples:":
            inside = True
        elif inside and not line.strip().startswith("normcal "):
            break
        elif inside:
            found.append(shlex.split(line)[1:])
    return found
