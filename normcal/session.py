"""What stays open while a request is computed: the workers that draw, and the file that keeps what they drew."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from normcal.checkpoint import Checkpoint
    from normcal.executor import Pool
    from normcal.layer import Layer
    from normcal.request import Request


#: Layers that a checkpoint lists; of more it keeps a digest.
MOST_NAMED = 20


def _silent(text: str) -> None:
    """Say nothing."""


@dataclass
class Session:
    """The workers of a request, started when the first simulation asks for them, and its checkpoint, if any."""

    request: Request
    checkpoint: Checkpoint | None = None
    say: Callable[[str], None] = _silent
    _stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @functools.cached_property
    def pool(self) -> Pool:
        """The workers; an address or a name that cannot be taken is refused here."""
        from normcal import executor

        asked = self.request
        return self._stack.enter_context(executor.pool(asked.executor, asked.threads, asked.cluster, self.say))

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *problem) -> None:
        self._stack.__exit__(*problem)


@contextlib.contextmanager
def opened(
    request: Request, layers: list[Layer], path: str | None = None, say: Callable[[str], None] = _silent
) -> Iterator[Session]:
    """Open the session of a request; what it can refuse, it refuses before anything is computed.

    Parameters
    ----------
    request: what to compute and how.
    layers: what it is about; a checkpoint belongs to them.
    path: the checkpoint's file; None keeps nothing.
    say: called with a sentence that the user should read, without full stop.

    Raises
    ------
    RequestError: for a cluster's address that is none.
    FileError: for a checkpoint that is damaged, in use or of another request.
    """
    if request.cluster is not None or request.executor is not None:
        from normcal import executor

        executor.pool(request.executor, request.threads, request.cluster)  # refuses, and starts nothing
    with contextlib.ExitStack() as stack:
        kept = None
        if path is not None:
            from normcal import checkpoint

            kept = stack.enter_context(checkpoint.opened(path, identity(request, layers), say))
        yield stack.enter_context(Session(request, kept, say))


def identity(request: Request, layers: list[Layer]) -> dict:
    """Return what decides the bits of a simulation: a checkpoint of anything else cannot be gone on from."""
    import hashlib

    from normcal import executor

    specs = [" ".join(filter(None, (layer.spec, layer.fingerprint()))) for layer in layers]
    if len(specs) > MOST_NAMED:
        specs = [f"{len(specs)} layers", hashlib.sha256("\n".join(specs).encode()).hexdigest()]
    asked = {
        name: getattr(request, name) for name in ("direction", "engine", "samples", "seed", "sampler", "tol", "rtol")
    }
    return executor.versions() | {"layers": specs, "input": request.law.identity} | asked
