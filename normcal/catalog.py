"""Every layer there is, by name: the classes that the files of ``layers/`` define."""

from __future__ import annotations

import collections
import functools
from collections.abc import Callable, Iterable, Iterator
from types import ModuleType
from typing import Any

from normcal import discover, spec
from normcal.errors import LONGEST_ECHO, RequestError, echo, unknown
from normcal.layer import Layer

#: What one request may expand to, where rows are written as they come and where all of them are held.
MOST_LAYERS, MOST_LISTED = 1_000_000, 20_000
_SEE = "'normcal layers' lists what there is."


@functools.cache
def classes() -> dict[str, type[Layer]]:
    """Return the layer classes by name, in the order of their files and of their definition, then those of plug-ins.

    Those that are nothing without arguments, such as an expression, are found by name but are no part of the catalogue.
    """
    return {name: cls for name, cls in _everything().items() if not cls.composed}


@functools.cache
def listed() -> dict[str, type[Layer]]:
    """Return the classes of the catalogue by name, then those whose layers are what their arguments make of them."""
    return classes() | {name: cls for name, cls in _everything().items() if cls.composed and cls.example}


def sample(cls: type[Layer]) -> Layer:
    """Return the layer that shows what a class is: with its defaults or, where it is composed, of its example.

    >>> sample(find("chain")).spec
    'relu | dropout(keep_prob=0.9, scaling=inverted)'
    """
    return build(spec.parse(cls.example)) if cls.composed else cls()


@functools.cache
def _everything() -> dict[str, type[Layer]]:
    return _built_in() | _plugged()[0]


@functools.cache
def _built_in() -> dict[str, type[Layer]]:
    return _defined(discover.names("layers"))


def _defined(families: Iterable[str]) -> dict[str, type[Layer]]:
    """Return the layer classes that the files of some families define; refuse a spelling that is taken."""
    found: dict[str, type[Layer]] = {}
    spellings: dict[str, str] = {}
    for family in families:
        for cls in _within(discover.load("layers", family)):
            for spelling in _names(cls):
                if spelling in spellings:
                    raise RuntimeError(f"{cls.__name__}: '{spelling}' already names {spellings[spelling]}")
                spellings[spelling] = cls.name
            found[cls.name] = cls
    return found


def _within(module: ModuleType) -> Iterator[type[Layer]]:
    """Yield the layer classes that a module defines."""
    for value in vars(module).values():
        if isinstance(value, type) and issubclass(value, Layer) and value.name and value.__module__ == module.__name__:
            yield value


def _names(cls: type[Layer]) -> tuple[str, ...]:
    return (cls.name, *cls.aliases, *cls.presets)


@functools.cache
def _plugged() -> tuple[dict[str, type[Layer]], tuple[str, ...]]:
    """Return the layers that plug-ins add, and what is wrong with those that they fail to add, a sentence each."""
    found: dict[str, type[Layer]] = {}
    owners = {name: "normcal" for cls in _built_in().values() for name in _names(cls)}
    troubles: list[str] = []
    for plugin in discover.plugins("layers"):
        try:
            offered = list(_within(plugin.load()))
        except (Exception, SystemExit) as problem:
            told = " ".join(f"{type(problem).__name__}: {problem}".split())
            troubles.append(f"the plug-in {plugin.module} of {plugin.package} cannot be loaded: {told}")
            continue
        if not offered:
            troubles.append(f"the plug-in {plugin.module} of {plugin.package} defines no layer")
        for cls in offered:
            fault = _fault(cls, owners)
            if fault:
                where = f"{plugin.module} ({plugin.package})"
                troubles.append(f"the layer {cls.__name__} of {where} is left out: {fault.rstrip('.')}")
                continue
            owners |= dict.fromkeys(_names(cls), plugin.package)
            found[cls.name] = cls
    return found, tuple(troubles)


def _fault(cls: type[Layer], owners: dict[str, str]) -> str:
    """Return why a plug-in's layer cannot be taken; empty where it can."""
    from normcal import contract

    taken = [f"'{name}' is already a layer of {owners[name]}" for name in _names(cls) if name in owners]
    return next(iter(taken or contract.faults(cls)), "")


def troubles() -> tuple[str, ...]:
    """Return what is wrong with plug-ins, a sentence each; nothing where nobody has asked for plug-ins yet."""
    return _plugged()[1] if _plugged.cache_info().currsize else ()


def families() -> tuple[str, ...]:
    """Return the names of the families: the files of ``layers/``, then the modules of plug-ins; imports none of them.

    >>> "pooling" in families()
    True
    """
    return discover.families("layers")


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
    found = _spelled(_likely(folded), folded) or _spelled(discover.names("layers"), folded) or _spelled(None, folded)
    if not found:
        error = unknown("layer", name, list(_spellings(None)), see=_SEE)
        raise RequestError(error.message, " ".join([error.hint, *(f"{_capital(one)}." for one in troubles())]))
    return found


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


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


def _spelled(families: tuple[str, ...] | None, folded: str) -> tuple[type[Layer], dict[str, Any]] | None:
    """Return what a spelling stands for among the layers of some families; None asks plug-ins too."""
    spellings = _spellings(families)
    return spellings.get(folded) or spellings.get(_squeezed(families).get(folded.replace("_", ""), ""))


@functools.lru_cache(100)
def _spellings(families: tuple[str, ...] | None) -> dict[str, tuple[type[Layer], dict[str, Any]]]:
    whole = families == discover.names("layers")
    among = _everything() if families is None else _built_in() if whole else _defined(families)
    found: dict[str, tuple[type[Layer], dict[str, Any]]] = {}
    for cls in among.values():
        found |= {spelling: (cls, {}) for spelling in (cls.name, *cls.aliases)}
        found |= {spelling: (cls, params) for spelling, params in cls.presets.items()}
    return found


@functools.lru_cache(100)
def _squeezed(families: tuple[str, ...] | None) -> dict[str, str]:
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
    args = tuple(build(arg) if isinstance(arg, spec.Spec) else arg for arg in parsed.args)
    return cls.made(args, preset | parsed.params)


def layer(text: str, code: bool = False) -> Layer:
    """Return the layer that a SPEC describes, its parameters checked.

    ``code`` says that the text came from the user himself, so that Python code that it names may be loaded.

    >>> layer("max_pool(kernel_size=2)").spec
    'max_pool(kernel_size=2, ndim=2)'
    """
    return build(parse(text, code))


def parse(text: str, code: bool = False) -> spec.Spec:
    """Read a SPEC, and refuse one that names Python code unless ``code`` allows it.

    >>> parse("activations.py:phi", code=True).spec
    'callable("activations.py:phi")'
    """
    found = spec.parse(text)
    named = None if code else _code(found)
    if named is not None:
        raise RequestError(
            f"{named[:LONGEST_ECHO]} is Python code, which is loaded only where it is typed, not from a file.",
            "Accepted: a layer's name or an expression; or type it: normcal compute.",
        )
    return found


def _code(value: Any) -> str | None:
    """Return the code that a SPEC names anywhere inside; None where there is none."""
    if isinstance(value, spec.Spec):
        if value.name.lower().replace("-", "").replace("_", "") == spec.CODE:
            return str(value.args[0]) if value.args else value.spec
        value = (*value.args, *value.params.values())
    if isinstance(value, (tuple, list)):
        return next((found for one in value if (found := _code(one)) is not None), None)
    return None


class Layers:
    """The layers of several SPECs, their sweeps expanded in order: built when they are asked for, each time anew.

    So a million layers take the memory of the texts that stand for them. ``*`` and ``?`` match names, such as
    ``*_pool``. Every layer is built once, and dropped, before the first is handed out: what is wrong with the
    last is told before anything is done for the first. ``placed(error, index)`` makes of the error of a text
    one that says where it stands. ``code``: see ``layer``.

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
        code: bool = False,
    ) -> None:
        self.count, self.most = 0, most
        self.parts: list[spec.Spec | type[Layer]] = []
        for index, text in enumerate(texts):
            try:
                self._add(_matching(text) if is_pattern(text) else [parse(text, code)])
            except RequestError as error:
                raise (placed(error, index) if placed else error) from None
        for wanted in families:
            self._add(_family(wanted))

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


def is_pattern(text: str) -> bool:
    """Whether a text stands for the layers whose names match it.

    >>> is_pattern("*_pool"), is_pattern('expr("2 * x")')
    (True, False)
    """
    return ("*" in text or "?" in text) and all(mark.isalnum() or mark in "_-*?" for mark in text)


def _family(name: str) -> list[type[Layer]]:
    found = [cls for cls in classes().values() if family(cls) == name]
    if not found and name not in families():
        raise unknown("family", name, families())
    return found


def _matching(pattern: str) -> list[type[Layer]]:
    import fnmatch  # only a pattern needs it

    matching = [cls for name, cls in classes().items() if fnmatch.fnmatchcase(name, pattern)]
    if not matching:
        raise RequestError(f"No layer's name matches {echo(pattern)}.", _SEE)
    return matching


def layers(texts: Iterable[str], code: bool = False) -> list[Layer]:
    """Return the layers of several SPECs, as ``Layers`` finds them.

    >>> [one.spec for one in layers(["relu", "elu(alpha=[0.5, 1])"])]
    ['relu', 'elu(alpha=0.5)', 'elu(alpha=1.0)']
    """
    return list(Layers(texts, code=code))


def of_families(families: list[str]) -> list[Layer]:
    """Return every layer of some families, with default parameters.

    >>> [one.name for one in of_families(["softmax"])][:2]
    ['softmax', 'log_softmax']
    """
    return list(Layers([], families))
