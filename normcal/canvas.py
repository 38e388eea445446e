"""What draws a picture: the contract of the files of ``canvases/``, and how one is chosen."""

from __future__ import annotations

import os

from normcal import discover
from normcal.errors import RequestError
from normcal.picture import Picture


class Canvas:
    """A way to draw; a file in ``canvases/`` defines one as ``CANVAS``."""

    name = ""
    suffixes: tuple[str, ...] = ()

    def check(self) -> None:
        """Refuse, with what to install, where a library is missing."""

    def draw(self, picture: Picture, suffix: str, width: int = 0, color: bool = False) -> bytes:
        """Return the picture as a file of that suffix; ``width`` in characters and ``color`` are a terminal's.

        The same picture gives the same bytes, whenever it is drawn.
        """
        raise NotImplementedError


def get(name: str) -> Canvas:
    """Return the canvas of that name."""
    return discover.load("canvases", name).CANVAS


def choose(path: str | None) -> tuple[Canvas, str]:
    """Return the canvas that draws files of a path's suffix, and the suffix; the terminal where there is no path."""
    claimed = {suffix: one for one in map(get, discover.names("canvases")) for suffix in one.suffixes}
    suffix = ".txt" if path is None else os.path.splitext(path)[1].lower()
    if suffix not in claimed:
        accepted = f"Accepted: {', '.join(sorted(claimed))}, or no --output, which draws in the terminal."
        raise RequestError(f"--output {path!r}: no picture has the suffix {suffix!r}.", accepted)
    return claimed[suffix], suffix
