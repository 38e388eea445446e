"""What an engine is, and how one is chosen for a layer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from normcal import discover
from normcal.errors import RequestError, Unsupported, unknown

if TYPE_CHECKING:
    from normcal.law import Law
    from normcal.layer import Layer
    from normcal.result import Estimate
    from normcal.session import Session

    #: A layer and a direction; and what an engine has to say to it: a record, the reason for none, or nothing yet.
    Asked = tuple[Layer, str]
    Answer = Estimate | Unsupported | None

AUTO = "auto"
DEFAULT_TOLERANCE = 1e-12


@dataclass(frozen=True)
class Effort:
    """How hard an engine may work; every engine reads what concerns it.

    ``tol`` is the relative error that a deterministic engine must reach (None: 1e-12).
    ``samples`` None means a million draws, fewer for layers that take many numbers each, and far fewer where
    ``auto`` samples for want of another engine. ``rtol`` is the relative standard error at which sampling
    may stop early. ``session`` holds who runs the blocks of a simulation (None: threads, ``workers`` of them) and the
    checkpoint that keeps what they gave. ``progress`` is called with (done, total) draws.
    """

    tol: float | None = None
    samples: int | None = None
    seed: int = 0
    workers: int = 1
    progress: Callable[[int, int], None] | None = None
    sampler: str = "plain"
    rtol: float | None = None
    session: Session | None = None


class Engine:
    """A way to get moments; a file in ``engines/`` defines one, with ``find``, as ``ENGINE``."""

    name = ""
    #: ``auto`` asks the engine of lowest rank first.
    rank = 0
    #: Whether it draws random numbers, and states a standard error rather than a bound.
    samples = False
    summary = ""

    def estimate(self, layer: Layer, direction: str, law: Law, effort: Effort) -> Estimate:
        """Return mean, std and rms with their errors, or raise Unsupported with the reason."""
        return self.absent(layer, direction, law) or self.find(layer, direction, law, effort)

    def absent(self, layer: Layer, direction: str, law: Law) -> Estimate | None:
        """Return the record of moments that do not exist; None where they do."""
        status, reason = _missing(layer, direction, law)
        if not reason:
            return None
        from normcal.result import Estimate
        from normcal.value import Value

        return Estimate(self.name, Value(), Value(), Value(), status=status, reason=reason)

    def find(self, layer: Layer, direction: str, law: Law, effort: Effort) -> Estimate:
        """Do the work of ``estimate`` for moments that exist."""
        raise NotImplementedError

    def together(self, asked: Sequence[Asked], law: Law, effort: Effort) -> list[Answer]:
        """Return the answers that are to be had at once; None for what is better left to its turn."""
        return [self.answer(layer, direction, law, effort) for layer, direction in asked]

    def answer(self, layer: Layer, direction: str, law: Law, effort: Effort) -> Answer:
        """Return the estimate, or the reason why there is none."""
        try:
            return self.estimate(layer, direction, law, effort)
        except Unsupported as reason:
            return reason

    def serves(self, layer: Layer, direction: str, law: Law) -> bool:
        """Whether it has an answer for the layer, at as little cost as it takes to tell."""
        try:
            self.estimate(layer, direction, law, Effort(samples=2))
        except Unsupported:
            return False
        return True

    def unasked(self, layer: Layer, effort: Effort) -> Effort:
        """Return the effort to make where ``auto`` came to this engine for want of another."""
        return effort

    def check_budget(self, layer: Layer, effort: Effort) -> None:
        """Raise RequestError for more work than can be done, before any of it is."""


def _missing(layer: Layer, direction: str, law: Law) -> tuple[str, str]:
    """Return the status and the reason of moments that do not exist; ("", "") where they do."""
    from normcal.result import INFINITE, UNDEFINED

    if not law.normal:
        from normcal import existence

        return existence.missing(layer, direction, law)
    for status, reasons in ((UNDEFINED, layer.undefined), (INFINITE, layer.infinite)):
        reason = reasons(direction, law)
        if reason:
            return status, reason
    return "", ""


def heavy_tails(layer: Layer, direction: str, law: Law) -> str:
    """Return why the fourth moment is or may be infinite, so that a sampled std has no error; empty where it is not."""
    if law.normal:
        return layer.heavy(direction, law)
    from normcal import existence

    return existence.heavy(layer, direction, law)


def notes(layer: Layer, law: Law) -> list[str]:
    """Return the layer's remarks that hold under the law."""
    if law.normal:
        return layer.notes(law)
    from normcal import existence

    return existence.notes(layer, law)


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, or the loss of the workers, while an engine works; carries the estimate so far, or None."""

    def __init__(self, estimate: Estimate | None, cause: RequestError | None = None) -> None:
        super().__init__()
        self.estimate = estimate
        self.cause = cause


def names() -> tuple[str, ...]:
    """Every value that ``--engine`` takes."""
    return (AUTO, *discover.names("engines"))


def get(name: str) -> Engine:
    """Return the engine of that name."""
    if name not in names():
        raise unknown("engine", name, names())
    return discover.load("engines", name).ENGINE


def ranked() -> list[Engine]:
    """Return every engine, the one that ``auto`` asks first in front."""
    return sorted((get(name) for name in discover.names("engines")), key=lambda engine: engine.rank)


def sampler() -> str:
    """Return the name of the first engine that samples: the witness of the others."""
    return next(engine.name for engine in ranked() if engine.samples)


def serving(layer: Layer, direction: str) -> list[str]:
    """Return the names of the engines that serve a layer at the standard input."""
    from normcal.law import STANDARD

    return [engine.name for engine in ranked() if engine.serves(layer, direction, STANDARD)]


def prepare(
    name: str, layers: Sequence[Layer], directions: Iterable[str], law: Law, effort: Effort
) -> dict[tuple, Answer]:
    """Let the engines compute layers together; what they answer saves ``estimate`` the same work one by one.

    Sampling, and what an engine rather does one by one, is left to ``estimate``.
    """
    prepared: dict[tuple, Answer] = {}
    asked = [(layer, direction) for layer in layers for direction in directions]
    for engine in ranked() if name == AUTO else [get(name)]:
        if engine.samples:
            break
        answers = engine.together(asked, law, effort)
        prepared |= {(engine.name, id(layer), way): a for (layer, way), a in zip(asked, answers, strict=True) if a}
        asked = [one for one, a in zip(asked, answers, strict=True) if isinstance(a, Unsupported) or _missed(a)]
    return prepared


def estimate(
    engine: str, layer: Layer, direction: str, law: Law, effort: Effort, prepared: dict[tuple, Answer] | None = None
) -> Estimate:
    r"""Return mean, std and rms of one direction of a layer, by the named engine.

    Forward: of one entry of :math:`y = f(x)` with :math:`x \sim N(\mu, \sigma^2)` entrywise.
    Backward: of one entry of :math:`dx = J(x)^T dy` with :math:`dy \sim N(0, 1)` entrywise.

    Parameters
    ----------
    engine: one of ``names()``; ``auto`` takes the first engine that serves within the tolerance.
    layer: a layer with its parameters bound.
    direction: ``forward`` or ``backward``.
    law: the law of the input's entries.
    effort: tolerance (relative), samples, seed and workers.
    prepared: what ``prepare`` returned for the layer among others.

    Returns
    -------
    The Estimate, every value with an absolute error: a bound, or one standard error. Its status
    is ``ok``, ``tolerance-missed`` (the error is wider than asked, or cannot be stated),
    ``overflow``, ``infinite`` or ``undefined``.

    Raises
    ------
    RequestError: when the named engine cannot serve the layer, with its reason.

    Examples
    --------
    >>> from normcal import catalog
    >>> from normcal.law import Normal
    >>> found = estimate("auto", catalog.layer("relu"), "forward", Normal(), Effort())
    >>> round(found.mean.value, 12), found.mean.error < 1e-14, found.engine
    (0.398942280401, True, 'closed-form')
    """
    if engine == AUTO:
        return _first_that_serves(layer, direction, law, effort, prepared or {})
    try:
        return _answer(get(engine), layer, direction, law, effort, prepared or {})
    except Unsupported as reason:
        raise RequestError(
            f"{layer.spec}: the {engine} engine cannot serve the {direction} direction: {reason}.",
            "'normcal explain' lists the engines that can; --engine auto picks one.",
        ) from None


def _answer(engine: Engine, layer: Layer, direction: str, law: Law, effort: Effort, prepared: dict) -> Estimate:
    found = prepared.get((engine.name, id(layer), direction))
    if isinstance(found, Unsupported):
        raise found
    return found or engine.estimate(layer, direction, law, effort)


def _missed(found: Answer) -> bool:
    """Whether another engine may do better than what was found."""
    from normcal.result import OVERFLOW, TOLERANCE_MISSED

    return found is not None and found.status in (TOLERANCE_MISSED, OVERFLOW)


def _first_that_serves(layer: Layer, direction: str, law: Law, effort: Effort, prepared: dict) -> Estimate:
    """Ask each engine in turn; where none reaches the tolerance, keep the smallest error."""
    from normcal.result import OVERFLOW

    missed: list[Estimate] = []
    declined: list[str] = []
    for engine in ranked():
        if missed and engine.samples:
            break  # sampling never beats a bound that a deterministic engine could state
        try:
            found = _answer(engine, layer, direction, law, engine.unasked(layer, effort), prepared)
        except Unsupported as reason:
            declined.append(f"{engine.name}: {reason}")
            continue
        if not _missed(found):
            return found
        missed.append(found)
    if not missed:
        raise RequestError(f"{layer.spec}: no engine serves the {direction} direction.", "; ".join(declined) + ".")
    # a value with a bound tells more than an overflow, and that more than a value without one
    return min(missed, key=lambda found: (found.std.error is None, found.status != OVERFLOW, found.worst_error))
