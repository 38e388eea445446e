"""Rows that are written while they are computed: what Ctrl-C, an error and the end of the rows mean on the way."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterable, Iterator

from normcal import engine, pipeline
from normcal.errors import NormcalError
from normcal.layer import Layer
from normcal.request import Request
from normcal.result import LayerResult

#: Remarks that are kept to be told at the end; of more, their number is.
MOST_NOTES = 1000


def computed(request: Request, layers: Iterable[Layer], progress=None, session=None) -> Iterator[LayerResult]:
    """Yield a row a layer as ``pipeline.rows`` does, what is too much work for any of them refused before the first."""
    if request.engine != engine.AUTO:
        for layer in layers:
            engine.get(request.engine).check_budget(layer, request.effort())
    yield from pipeline.rows(request, layers, progress, session)


class Rows:
    """An iterator over rows that ends where they end, at Ctrl-C or at an error, so that what is written is whole.

    The first row is computed at once: what fails before it raises here, and nothing is written. ``stopped`` is what
    ended the rows early, if anything did, and ``interrupted`` whether a row may be cut short. Within ``steady``,
    Ctrl-C waits while a row is written.
    """

    def __init__(self, rows: Iterator[LayerResult]) -> None:
        self.rows = rows
        self.stopped: BaseException | None = None
        self.interrupted = False
        self.notes: list[str] = []
        self.more_notes = 0
        self._computing, self._pressed = False, False
        with self.steady():
            self.first = self._next()
        if isinstance(self.stopped, NormcalError) and not self.interrupted:
            raise self.stopped

    def __iter__(self) -> Iterator[LayerResult]:
        row = self.first
        while row is not None:
            self._note(row)
            yield row
            row = self._next()

    @property
    def empty(self) -> bool:
        """Whether there is not even a first row."""
        return self.first is None

    @property
    def told(self) -> list[str]:
        """The remarks that are kept, and how many there were besides."""
        more = f"{self.more_notes:_} more remarks stand in the rows that they are about"
        return [*self.notes, more] if self.more_notes else self.notes

    def _next(self) -> LayerResult | None:
        if self.stopped is not None:
            return None
        try:
            self._computing = True
            if self._pressed:
                raise KeyboardInterrupt
            return next(self.rows, None)
        except KeyboardInterrupt as stop:
            self.stopped, self.interrupted = getattr(stop, "cause", None) or stop, True
        except NormcalError as stop:
            self.stopped = stop
        finally:
            self._computing = False
        return None

    def _note(self, row: LayerResult) -> None:
        room = MOST_NOTES - len(self.notes)
        self.notes += row.notes[:room]
        self.more_notes += len(row.notes[room:])

    @contextlib.contextmanager
    def steady(self) -> Iterator[None]:
        """Let Ctrl-C end the rows while one is computed, and not tear one that is being written."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.getsignal(signal.SIGINT)
        if before is not signal.default_int_handler:  # ignored, or somebody else's
            yield
            return
        signal.signal(signal.SIGINT, self._press)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _press(self, *_) -> None:
        if self._computing or self._pressed:  # whoever presses twice does not want to wait
            raise KeyboardInterrupt
        self._pressed = True
