"""Every layer there is, by name: the classes that the files of ``layers/`` define."""

from __future__ import annotations

import fnmatch
import functools

from normcal import discover, spec
from normcal.errors import RequestError, echo, unknown
from normcal.layer import Layer


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
                for spelling in (value.name, *value.aliases):
                    if spelling in spellings:
                        raise RuntimeError(f"{value.__name__}: '{spelling}' already names {spellings[spelling]}")
                    spellings[spelling] = value.name
                found[value.name] = value
    return found


@functools.cache
def aliases() -> dict[str, str]:
    """Return every second name of a layer with its canonical one."""
    return {alias: cls.name for cls in classes().values() for alias in cls.aliases}


def family(cls: type[Layer]) -> str:
    """Return the family of a layer: the name of its file.

    >>> family(classes()["relu"])
    'rectifiers'
    """
    return cls.__module__.rpartition(".")[2].replace("_", "-")


def find(name: str) -> type[Layer]:
    """Return the class for a name or alias; hyphens and capitals are forgiven."""
    folded = name.lower().replace("-", "_")
    folded = aliases().get(folded, folded)
    if folded not in classes():
        raise unknown("layer", name, [*classes(), *aliases()], see="'normcal layers' lists what there is.")
    return classes()[folded]


def layer(text: str) -> Layer:
    """Return the layer that a SPEC describes, its parameters checked.

    >>> layer("max_pool(kernel_size=2)").spec
    'max_pool(kernel_size=2, ndim=2)'
    """
    name, params = spec.parse(text)
    return find(name)(**params)


def layers(texts: list[str]) -> list[Layer]:
    """Return the layers of several SPECs; ``*`` and ``?`` match names, such as ``*_pool``."""
    found: list[Layer] = []
    for text in texts:
        if "*" not in text and "?" not in text:
            found.append(layer(text))
            continue
        matching = [cls() for name, cls in classes().items() if fnmatch.fnmatchcase(name, text)]
        if not matching:
            raise RequestError(f"No layer's name matches {echo(text)}.", "'normcal layers' lists what there is.")
        found += matching
    return found
