"""Every layer there is, by name: the classes that the files of ``layers/`` define."""

from __future__ import annotations

import fnmatch
import functools
from typing import Any

from normcal import discover, spec
from normcal.errors import RequestError, echo, unknown
from normcal.layer import Layer

#: What one request may expand to.
MOST_LAYERS = 20_000


@functools.cache
def classes() -> dict[str, type[Layer]]:
    """Return the layer classes by name, in the order of their files and of their definition."""
    found: dict[str, type[Layer]] = {}
    spellings: dict[str, str] = {}
    for family in discover.names("layers"):
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


def _resolve(name: str) -> tuple[type[Layer], dict[str, Any]]:
    """Return the class that a name stands for, and the parameters that the name sets."""
    folded = name.lower().replace("-", "_")
    if folded not in _spellings():
        folded = _squeezed().get(folded.replace("_", ""), folded)
    if folded not in _spellings():
        raise unknown("layer", name, list(_spellings()), see="'normcal layers' lists what there is.")
    return _spellings()[folded]


@functools.cache
def _spellings() -> dict[str, tuple[type[Layer], dict[str, Any]]]:
    found: dict[str, tuple[type[Layer], dict[str, Any]]] = {}
    for cls in classes().values():
        found |= {spelling: (cls, {}) for spelling in (cls.name, *cls.aliases)}
        found |= {spelling: (cls, params) for spelling, params in cls.presets.items()}
    return found


@functools.cache
def _squeezed() -> dict[str, str]:
    """Return the spellings without underscores, those that still name one layer."""
    found: dict[str, str] = {}
    for spelling in _spellings():
        found.setdefault(spelling.replace("_", ""), spelling)
    return found


def build(parsed: spec.Spec) -> Layer:
    """Return the layer that a parsed SPEC describes, its parameters checked."""
    cls, preset = _resolve(parsed.name)
    if parsed.args:
        example = f" such as {cls.params[0].name}=..." if cls.params else ""
        raise RequestError(
            f"{echo(parsed.spec)}: {cls.name} takes parameters by name.", f"Accepted: name=value{example}."
        )
    swept = [name for name, value in parsed.params.items() if isinstance(value, list)]
    if swept:
        raise RequestError(f"{echo(parsed.spec)} is a sweep over {', '.join(swept)}; here one layer is needed.")
    clash = [name for name in preset if name in parsed.params]
    if clash:
        raise RequestError(f"{parsed.name} sets {clash[0]} itself.", f"Leave it out, or write {cls.name}.")
    if cls.bare and not parsed.params and not preset:
        return classes()[cls.bare]()
    return cls(**preset, **parsed.params)


def layer(text: str) -> Layer:
    """Return the layer that a SPEC describes, its parameters checked.

    >>> layer("max_pool(kernel_size=2)").spec
    'max_pool(kernel_size=2, ndim=2)'
    """
    return build(spec.parse(text))


def layers(texts: list[str]) -> list[Layer]:
    """Return the layers of several SPECs, their sweeps expanded in order.

    ``*`` and ``?`` match names, such as ``*_pool``.

    >>> [one.spec for one in layers(["relu", "elu(alpha=[0.5, 1])"])]
    ['relu', 'elu(alpha=0.5)', 'elu(alpha=1.0)']
    """
    found: list[Layer] = []
    for text in texts:
        if "*" not in text and "?" not in text:
            found += [build(one) for one in spec.expand(spec.parse(text), MOST_LAYERS)]
            continue
        matching = [cls() for name, cls in classes().items() if fnmatch.fnmatchcase(name, text)]
        if not matching:
            raise RequestError(f"No layer's name matches {echo(text)}.", "'normcal layers' lists what there is.")
        found += matching
    if len(found) > MOST_LAYERS:
        raise RequestError(f"{len(found):_} layers are too many.", f"Accepted: at most {MOST_LAYERS:_}.")
    return found


def of_families(families: list[str]) -> list[Layer]:
    """Return every layer of some families, with default parameters.

    >>> [one.name for one in of_families(["softmax"])][:2]
    ['softmax', 'log_softmax']
    """
    return [cls() for wanted in families for cls in classes().values() if family(cls) == wanted]
