"""What a recipe is: a named problem with the answer that the literature gives it; a file of ``recipes/`` each.

A recipe is written like a SPEC, ``selu(mean=0.5)``, and may be about a layer. It says what it asks, solves it by
formulas on balls or by ``solve``, and returns an Answer, as a problem of the user's own does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from normcal import discover, spec
from normcal.errors import RequestError, echo, unknown
from normcal.layer import Layer, Reference
from normcal.param import Param
from normcal.request import Request

if TYPE_CHECKING:
    from normcal.answer import Answer, Check
    from normcal.report import Report
    from normcal.result import LayerResult
    from normcal.value import Value

FOLDER = "recipes"


class Recipe:
    """A named problem; a file in ``recipes/`` defines one as ``RECIPE``."""

    name: ClassVar[str] = ""
    params: ClassVar[tuple[Param, ...]] = ()
    #: The layer that it is about: the SPEC of the one that is meant where none is given; None where it takes none,
    #: empty where one must be given.
    about: ClassVar[str | None] = None
    references: ClassVar[tuple[Reference, ...]] = ()
    #: Whether the law of the input is the user's to choose.
    any_law: ClassVar[bool] = False

    @classmethod
    def summary(cls) -> str:
        """The first line of the docstring."""
        return (cls.__doc__ or "").strip().splitlines()[0]

    def solve(self, layer: Layer | None, request: Request, **options: Any) -> Answer:
        """Return the answer; ``options`` are all parameters, checked."""
        raise NotImplementedError

    def bound(self, given: dict[str, Any]) -> dict[str, Any]:
        """Return every parameter, those that are given checked."""
        for name in given:
            if name not in {param.name for param in self.params}:
                raise unknown(f"parameter of the recipe {self.name}:", name, [param.name for param in self.params])
        return {p.name: p.accept(given.get(p.name, p.default), f"the recipe {self.name}") for p in self.params}


def names() -> tuple[str, ...]:
    """Return the names of all recipes.

    >>> "selu" in names()
    True
    """
    return discover.names(FOLDER)


def get(name: str) -> Recipe:
    """Return the recipe of that name; an underscore does for a hyphen."""
    folded = name.replace("_", "-")
    if folded not in names():
        raise unknown("recipe", name, names())
    return discover.load(FOLDER, folded).RECIPE


def solve(text: str, specs: Sequence[str], request: Request) -> Answer:
    """Return the answer of a recipe, ``name`` or ``name(param=value)``, about the layer that is given, if any.

    >>> from normcal.request import Request
    >>> found = solve("selu", [], Request())
    >>> round(found.solutions[0].values["alpha"].value, 14)
    1.67326324235438
    """
    from normcal import catalog
    from normcal.problem import options as options_of

    asked = spec.parse(text)
    recipe = get(asked.name)
    if asked.args or any(isinstance(value, list) for value in asked.params.values()):
        raise RequestError(f"{echo(text)} is no recipe with parameters.", f"Accepted: {example(recipe)}.")
    options = recipe.bound(asked.params)
    if len(specs) > 1 or (specs and recipe.about is None):
        accepted = "one layer" if recipe.about is not None else "no layer"
        raise RequestError(f"The recipe {recipe.name} takes {accepted}.", f"Accepted: {example(recipe)}.")
    text = specs[0] if specs else recipe.about
    if text == "":
        raise RequestError(f"The recipe {recipe.name} needs a layer.", f"Accepted: {example(recipe)}.")
    chosen = options_of(request)
    if chosen and not recipe.any_law:
        raise RequestError(f"The recipe {recipe.name} says itself what the input is.", f"Leave {chosen[0]} out.")
    layer = catalog.layer(text, code=True) if text else None
    return recipe.solve(layer, request, **options)


def example(recipe: Recipe) -> str:
    """Return how a recipe is asked for."""
    about = "" if recipe.about is None else f" {recipe.about or 'tanh'}"
    return f"normcal solve{about} --recipe {recipe.name}"


def listing() -> Report:
    """Return the report of all recipes and what they take."""
    from normcal import __version__
    from normcal.report import Paragraph, Report, Table
    from normcal.result import SCHEMA
    from normcal.spec import written

    recipes = [get(name) for name in names()]
    data = {
        "schema": SCHEMA,
        "generator": f"normcal {__version__}",
        "recipes": [
            {
                "name": one.name, "summary": one.summary(), "example": example(one),
                "parameters": [{"name": p.name, "default": p.default, "accepted": p.accepted(), "meaning": p.doc}
                               for p in one.params],
                "references": [str(reference) for reference in one.references],
            }
            for one in recipes
        ],
    }  # fmt: skip
    columns = ("parameter", "default", "meaning", "accepted")
    blocks: list = []
    for one in recipes:
        rows = tuple(
            (p.name, "auto" if p.default is None else written(p.default), p.doc, p.accepted()) for p in one.params
        )
        blocks += [Paragraph(f"{one.name}: {one.summary()}"), Table(columns, rows, words=columns)]
    return Report(data, [{"name": one.name, "summary": one.summary()} for one in recipes], tuple(blocks))


def checks(layer: Layer, request: Request, asked: dict[str, Value | float]) -> tuple[Check, ...]:
    """Return what quantities a layer has, as the engines find them, beside what a recipe asks of them."""
    from normcal.answer import Check
    from normcal.problem import term
    from normcal.value import Value

    terms = {text: term(text) for text in asked}
    row = computed(layer, request, {way for one in terms.values() for way in one.directions})
    found = []
    for text, wanted in asked.items():
        wanted = wanted if isinstance(wanted, Value) else Value(float(wanted), 0.0)
        value = terms[text].of(row, request)
        found.append(Check(text, plain(wanted.value), value, value.plus(wanted.negated())))
    return tuple(found)


def plain(number: float) -> str:
    """Return the shortest text that is the number.

    >>> plain(1.0), plain(0.1)
    ('1', '0.1')
    """
    return repr(number).removesuffix(".0")


def computed(layer: Layer, request: Request, ways: set[str]) -> LayerResult:
    """Return the row of a layer, in the directions that are needed."""
    from dataclasses import replace

    from normcal import pipeline
    from normcal.request import BOTH

    request = replace(request, direction=ways.pop() if len(ways) == 1 else BOTH)
    result = pipeline.run(request, [layer])
    if result.interrupted:
        raise result.cause or KeyboardInterrupt
    return result.layers[0]
