"""The errors that a user can cause, each with a message, a hint and an exit code."""

from __future__ import annotations

from collections.abc import Iterable

LONGEST_ECHO = 80


class NormcalError(Exception):
    """A request that cannot be served: what is wrong, what would be accepted, the exit code."""

    exit_code = 2

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class RequestError(NormcalError):
    """Wrong usage: a layer, parameter, option or number that cannot be accepted."""


class FileError(NormcalError):
    """A file that cannot be read or written."""


class Unsupported(Exception):
    """Raised by a layer or engine that cannot serve a request; its text is the reason."""


def echo(value: object) -> str:
    """Return the user's own input as it can be shown in a message: quoted, short, one line.

    >>> echo("relu\\n6")
    "'relu\\\\n6'"
    """
    if isinstance(value, int) and abs(value) >= 10**LONGEST_ECHO:
        return "a number of too many digits"
    text = repr(value) if isinstance(value, (str, int, float, type(None))) else type(value).__name__
    return text if len(text) <= LONGEST_ECHO else f"{text[:LONGEST_ECHO]}..."


def counted(count: int, what: str) -> str:
    """Return a number of things in words.

    >>> counted(1, "target"), counted(0, "sign change")
    ('1 target', '0 sign changes')
    """
    return f"{count} {what}{'' if count == 1 else 's'}"


def near_misses(word: str, known: Iterable[str]) -> list[str]:
    """Return at most three known names that look like ``word``, best first.

    >>> near_misses("rellu", ["relu", "elu", "gelu", "tanh"])
    ['relu', 'elu', 'gelu']
    """
    import difflib  # only a mistake needs it

    known = list(known)
    lowered = word[:LONGEST_ECHO].lower().replace("-", "_").replace(" ", "_")
    starts = [name for name in known if len(lowered) > 2 and name.startswith(lowered)]
    close = difflib.get_close_matches(lowered, known, n=3, cutoff=0.6)
    return list(dict.fromkeys(close + starts))[:3]


def unknown(kind: str, word: str, known: Iterable[str], *, see: str = "") -> RequestError:
    """Build the error for an unknown name, with near misses or else what there is."""
    known = list(known)
    close = near_misses(word, known)
    hint = f"Did you mean {_either(close)}?" if close else see or f"Accepted: {', '.join(known) or 'none'}."
    return RequestError(f"Unknown {kind} {echo(word)}.", hint)


def _either(names: list[str]) -> str:
    quoted = [f"'{name}'" for name in names]
    return " or ".join([", ".join(quoted[:-1]), quoted[-1]]) if len(quoted) > 1 else quoted[0]
