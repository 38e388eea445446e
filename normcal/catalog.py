"""Every layer there is, by name: the classes that the files of ``layers/`` define."""

from __future__ import annotations

import collections
import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from normcal import discover, spec
from normcal.errors import RequestError, echo, unknown
from normcal.layer import Layer

#: What one request may expand to, where rows are written as they come and where all of them are held.
MOST_LAYERS, MOST_LISTED = 1_000_000, 20_000
_SEE = "'normcal layers' lists what there is."


@functools.cache
def classes() -> dict[str, type[Layer]]:
    """Return the layer classes by name, in the order of their files and of their definition."""
    return _defined(discover.names("layers"))


def _defined(families: Iterable[str]) -> dict[str, type[Layer]]:
    """Return the layer classes that the files of some families define; refuse a spelling that is taken."""
    found: dict[str, type[Layer]] = {}
    spellings: dict[str, str] = {}
    for family in families:
        module = discover.load("layers", family)
        for value in vars(module).values():
            if (
                isinstance(value, type)
                and issubclass(value, Layer)
                and value.name
                and value.__module__ == module.__name__
            ):
                for spelling in (value.name, *value.aliases, *value.presets):
                    if spelling in spellings:
                        raise RuntimeError(f"{value.__name__}: '{spelling}' already names {spellings[spelling]}")
                    spellings[spelling] = value.name
                found[value.name] = value
    return found


def family(cls: type[Layer]) -> str:
    """Return the family of a layer: the name of its file.

    >>> family(classes()["relu"])
    'rectifiers'
    """
    return cls.__module__.rpartition(".")[2].replace("_", "-")


def find(name: str) -> type[Layer]:
    """Return the class for a name or alias; hyphens, underscores and capitals are forgiven.

    >>> find("Leaky-ReLU").name
    'leaky_relu'
    """
    return _resolve(name)[0]


@functools.lru_cache(1000)
def _resolve(name: str) -> tuple[type[Layer], dict[str, Any]]:
    """Return the class that a name stands for, and the parameters that the name sets."""
    folded = name.lower().replace("-", "_")
    found = _spelled(_likely(folded), folded) or _spelled(discover.names("layers"), folded)
    if not found:
        raise unknown("layer", name, list(_spellings(discover.names("layers"))), see=_SEE)
    return found


def _likely(folded: str) -> tuple[str, ...]:
    """Return the families whose source spells a name, so that one layer need not import them all.

    What the file says is a hint: the classes decide, and every family is asked where these do not know the name.
    """
    literal = f'"{folded.replace("_", "")}"'.encode(errors="replace")
    return tuple(family for family in discover.names("layers") if literal in _unjoined(family))


@functools.cache
def _unjoined(family: str) -> bytes:
    """Return the source of a family without underscores."""
    try:
        with open(discover.path("layers", family, ".py"), "rb") as stream:
            return stream.read().replace(b"_", b"")
    except OSError:
        return b""


def _spelled(families: tuple[str, ...], folded: str) -> tuple[type[Layer], dict[str, Any]] | None:
    """Return what a spelling stands for among the layers of some families."""
    spellings = _spellings(families)
    return spellings.get(folded) or spellings.get(_squeezed(families).get(folded.replace("_", ""), ""))


@functools.lru_cache(100)
def _spellings(families: tuple[str, ...]) -> dict[str, tuple[type[Layer], dict[str, Any]]]:
    everything = families == discover.names("layers")
    found: dict[str, tuple[type[Layer], dict[str, Any]]] = {}
    for cls in (classes() if everything else _defined(families)).values():
        found |= {spelling: (cls, {}) for spelling in (cls.name, *cls.aliases)}
        found |= {spelling: (cls, params) for spelling, params in cls.presets.items()}
    return found


@functools.lru_cache(100)
def _squeezed(families: tuple[str, ...]) -> dict[str, str]:
    """Return the spellings without underscores, those that still name one layer."""
    found: dict[str, str] = {}
    for spelling in _spellings(families):
        found.setdefault(spelling.replace("_", ""), spelling)
    return found


def build(parsed: spec.Spec) -> Layer:
    """Return the layer that a parsed SPEC describes, its parameters checked."""
    cls, preset = _resolve(parsed.name)
    swept = [name for name, value in parsed.params.items() if isinstance(value, list)]
    if swept:
        raise RequestError(f"{echo(parsed.spec)} is a sweep over {', '.join(swept)}; here one layer is needed.")
    clash = [name for name in preset if name in parsed.params]
    if clash:
        raise RequestError(f"{parsed.name} sets {clash[0]} itself.", f"Leave it out, or write {cls.name}.")
    if cls.bare and not parsed.params and not preset:
        return find(cls.bare)()
    return cls.made(parsed.args, preset | parsed.params)


def layer(text: str) -> Layer:
    """Return the layer that a SPEC describes, its parameters checked.

    >>> layer("max_pool(kernel_size=2)").spec
    'max_pool(kernel_size=2, ndim=2)'
    """
    return build(spec.parse(text))


class Layers:
    """The layers of several SPECs, their sweeps expanded in order: built when they are asked for, each time anew.

    So a million layers take the memory of the texts that stand for them. ``*`` and ``?`` match names, such as
    ``*_pool``. Every layer is built once, and dropped, before the first is handed out: what is wrong with the
    last is told before anything is done for the first. ``placed(error, index)`` makes of the error of a text
    one that says where it stands.

    >>> found = Layers(["relu", "elu(alpha=[0.5, 1])"])
    >>> len(found), [one.spec for one in found]
    (3, ['relu', 'elu(alpha=0.5)', 'elu(alpha=1.0)'])
    """

    def __init__(
        self,
        texts: Iterable[str],
        families: Iterable[str] = (),
        most: int = MOST_LISTED,
        placed: Callable[[RequestError, int], RequestError] | None = None,
    ) -> None:
        self.count, self.most = 0, most
        self.parts: list[spec.Spec | type[Layer]] = []
        for index, text in enumerate(texts):
            try:
                self._add(_matching(text) if "*" in text or "?" in text else [spec.parse(text)])
            except RequestError as error:
                raise (placed(error, index) if placed else error) from None
        self._add([cls for wanted in families for cls in classes().values() if family(cls) == wanted])

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Layer]:
        for part in self.parts:
            yield from self._built(part)

    def _add(self, parts: list[spec.Spec | type[Layer]]) -> None:
        """Add layers, every one of them built for a check."""
        streamed = f", or {MOST_LAYERS:_} in a format that is written row by row, such as csv"
        accepted = f"Accepted: at most {self.most:_} in all{streamed if self.most < MOST_LAYERS else ''}."
        for part in parts:
            try:
                self.count += spec.count(part, self.most) if isinstance(part, spec.Spec) else 1
            except RequestError as error:
                raise RequestError(error.message, accepted) from None
        if self.count > self.most:
            raise RequestError(f"{self.count:_} layers are too many.", accepted)
        for part in parts:
            collections.deque(self._built(part), maxlen=0)
        self.parts += parts

    def _built(self, part: spec.Spec | type[Layer]) -> Iterator[Layer]:
        return map(build, spec.expand(part, self.most)) if isinstance(part, spec.Spec) else iter([part()])


def _matching(pattern: str) -> list[type[Layer]]:
    import fnmatch  # only a pattern needs it

    matching = [cls for name, cls in classes().items() if fnmatch.fnmatchcase(name, pattern)]
    if not matching:
        raise RequestError(f"No layer's name matches {echo(pattern)}.", _SEE)
    return matching


def layers(texts: Iterable[str]) -> list[Layer]:
    """Return the layers of several SPECs, as ``Layers`` finds them.

    >>> [one.spec for one in layers(["relu", "elu(alpha=[0.5, 1])"])]
    ['relu', 'elu(alpha=0.5)', 'elu(alpha=1.0)']
    """
    return list(Layers(texts))


def of_families(families: list[str]) -> list[Layer]:
    """Return every layer of some families, with default parameters.

    >>> [one.name for one in of_families(["softmax"])][:2]
    ['softmax', 'log_softmax']
    """
    return list(Layers([], families))
