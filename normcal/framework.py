"""What a framework is: a library with arrays of its own, on which a function that the user names may work."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from normcal import discover
from normcal.errors import RequestError, unknown

#: The one that is tried first: everybody has it.
FIRST = "numpy"


class Unfit(Exception):
    """Raised for a result that is no array of real numbers; its text says what it is."""


class Framework:
    """How arrays go to a function and come back; a file in ``frameworks/`` defines one as ``FRAMEWORK``."""

    name = ""
    #: What one of its arrays is called.
    title = ""
    #: The package that must be there.
    package = ""
    #: Whether it differentiates functions.
    differentiates = False

    @property
    def there(self) -> bool:
        """Whether the package is loaded, as it is where the user's code works on its arrays."""
        return self.package in sys.modules

    def check(self) -> None:
        """Raise RequestError where the package is not installed."""
        import importlib.util

        if importlib.util.find_spec(self.package) is None:
            raise RequestError(f"{self.package} is not installed.", f"Install normcal[{self.name}].")

    def owns(self, value: Any) -> bool:
        """Whether a value is one of its arrays."""
        raise NotImplementedError

    def claims(self, function: Any) -> bool:
        """Whether a function is one of its own kind, so that no other need be tried."""
        return False

    def prepared(self, function: Any) -> Any:
        """Return the function ready to be called on double precision, where that can be had."""
        return function

    def values(self, function: Callable, x, single: bool = False):
        """Return (values, the name of their type) of a function at a NumPy array, which it cannot change."""
        raise NotImplementedError

    def slopes(self, function: Callable, x, single: bool = False):
        """Return the derivative at a NumPy array, by the framework's own means."""
        raise NotImplementedError


def names() -> tuple[str, ...]:
    """Every framework, the one that is tried first in front.

    >>> names()
    ('numpy', 'jax', 'torch')
    """
    return tuple(sorted(discover.names("frameworks"), key=lambda name: (name != FIRST, name)))


def get(name: str) -> Framework:
    """Return the framework of that name."""
    if name not in names():
        raise unknown("kind of arrays", name, names())
    return discover.load("frameworks", name).FRAMEWORK
