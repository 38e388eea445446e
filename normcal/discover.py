"""All plug-in code: what a folder of drop-in files holds, and how one of them is loaded.

A file counts because it exists; files whose name starts with ``_`` are private helpers.
"""

from __future__ import annotations

import functools
import importlib
import os
from types import ModuleType

_HERE = os.path.dirname(__file__)


@functools.cache
def names(folder: str, suffix: str = ".py") -> tuple[str, ...]:
    """List the public names of a plural folder without importing anything.

    >>> names("engines")
    ('closed-form', 'monte-carlo', 'quadrature')
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
