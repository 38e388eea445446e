"""What every layer declares, checked: the built-in ones by the tests, those of plug-ins when they are loaded."""

from __future__ import annotations

import re
from collections.abc import Iterator

from normcal.errors import RequestError
from normcal.layer import Layer, Reference

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
LONGEST_SUMMARY = 100


def faults(cls: type[Layer]) -> list[str]:
    """Return what a layer class fails to declare, a sentence each with what to add; empty for a good one.

    >>> from normcal import catalog
    >>> faults(catalog.find("relu"))
    []
    >>> class Bare(Layer):
    ...     "Says what it is and nothing else."
    ...     name = "bare_layer"
    >>> faults(Bare)[0]
    "it has no formula: add formula = '...', in Unicode for a terminal"
    """
    return [*_names(cls), *_texts(cls), *_params(cls), *_defaults(cls)]


def _names(cls: type[Layer]) -> Iterator[str]:
    spellings = (cls.name, *cls.aliases, *cls.presets)
    for name in spellings:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            yield f"the name {name!r} is not in snake case"
        elif spellings.count(name) > 1:
            yield f"it is called {name!r} twice"


def _texts(cls: type[Layer]) -> Iterator[str]:
    own = (cls.__doc__ or "").strip()
    summary = own.splitlines()[0] if own and cls.__doc__ != cls.__mro__[1].__doc__ else ""
    if not 5 < len(summary) <= LONGEST_SUMMARY or not summary[0].isupper() or summary[-1] not in ".!":
        yield f"its docstring does not begin with a sentence of at most {LONGEST_SUMMARY} characters"
    if not cls.formula or "\\" in cls.formula:
        yield "it has no formula: add formula = '...', in Unicode for a terminal"
    if not cls.latex or any(latex.count("{") != latex.count("}") for latex in _latex(cls)):
        yield "it has no LaTeX whose braces match: add latex = r'...', for Markdown"
    if not all(text for moment in cls.moments for text in moment):
        yield "one of its moments has no text"
    if not cls.references or not all(isinstance(one, Reference) and len(one.title) > 5 for one in cls.references):
        yield "it has no reference: add references = (Reference('Author year, Title', 'arXiv:...'),)"


def _latex(cls: type[Layer]) -> list[str]:
    return [cls.latex, *(latex for _, _, latex in cls.moments)]


def _params(cls: type[Layer]) -> Iterator[str]:
    names = [name for param in cls.params for name in (param.name, param.complement) if name]
    for param in cls.params:
        if names.count(param.name) > 1:
            yield f"two parameters are called {param.name}"
        if not re.fullmatch(r"[a-z][a-z0-9_]*", param.name) or param.name == "p":
            yield f"a parameter cannot be called {param.name!r}"
        if not param.doc or not param.accepted():
            yield f"the parameter {param.name} does not say what it is"
        if not param.typical and not isinstance(param.domain, tuple):
            yield f"the parameter {param.name} has no typical values"
        for value in param.typical if param.default is None else (param.default, *param.typical):
            try:
                param.accept(value, cls.name)
            except RequestError as error:
                yield f"a value of its own is refused: {error.message}"


def _defaults(cls: type[Layer]) -> Iterator[str]:
    """Build the layer as a listing does."""
    if cls.composed:
        return
    try:
        cls()
    except Exception as problem:
        yield f"it cannot be built without parameters: {type(problem).__name__}: {problem}"
