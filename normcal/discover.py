"""All plug-in code: what a folder of drop-in files holds, what other packages add to it, and how it is loaded.

A file counts because it exists; files whose name starts with ``_`` are private helpers. A module of another package
counts because the package declares it as an entry point of the group ``normcal.FOLDER``.
"""

from __future__ import annotations

import functools
import importlib
import os
from dataclasses import dataclass
from types import ModuleType

_HERE = os.path.dirname(__file__)


@functools.cache
def names(folder: str, suffix: str = ".py") -> tuple[str, ...]:
    """List the public names of a plural folder without importing anything.

    >>> names("engines")
    ('adaptive', 'closed-form', 'monte-carlo', 'quadrature')
    """
    files = sorted(os.listdir(os.path.join(_HERE, folder)))
    return tuple(
        f.removesuffix(suffix).replace("_", "-") for f in files if f.endswith(suffix) and not f.startswith("_")
    )


def path(folder: str, name: str, suffix: str) -> str:
    """Return the path of a data file that bears the public name ``name``."""
    return os.path.join(_HERE, folder, name.replace("-", "_") + suffix)


@functools.cache
def load(folder: str, name: str) -> ModuleType:
    """Import the file that bears the public name ``name``; a sweep asks for each engine thousands of times."""
    return importlib.import_module(f"normcal.{folder}.{name.replace('-', '_')}")


@dataclass(frozen=True)
class Plugin:
    """A module that another package adds to a folder."""

    module: str
    #: The package that declares it, with its version.
    package: str

    @property
    def name(self) -> str:
        """The public name: that of the module's file."""
        return self.module.rpartition(".")[2].replace("_", "-")

    def load(self) -> ModuleType:
        """Import the module; what goes wrong in it is raised as it is."""
        return importlib.import_module(self.module)


@functools.cache
def plugins(folder: str) -> tuple[Plugin, ...]:
    """List what other packages add to a folder, in the order of their names, without importing any of it.

    Where the packages are many this takes longer than a layer's closed form: ask only for what is not found here.
    """
    import importlib.metadata  # slow, and seldom needed

    found = []
    for point in importlib.metadata.entry_points(group=f"normcal.{folder}"):
        package = f"{point.dist.name} {point.dist.version}" if point.dist else point.name
        found.append(Plugin(point.value.partition(":")[0].strip(), package))
    return tuple(sorted(set(found), key=lambda plugin: (plugin.package.lower(), plugin.module)))


def families(folder: str) -> tuple[str, ...]:
    """List the public names of a folder's files, then those of the modules that other packages add."""
    return tuple(dict.fromkeys((*names(folder), *(plugin.name for plugin in plugins(folder)))))
