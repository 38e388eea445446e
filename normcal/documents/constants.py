"""Constants: a row a layer, a column a quantity, in any format or a template of the user's own."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from normcal import assembly, catalog, draft, naming, quantity, spec
from normcal.catalog import MOST_LAYERS
from normcal.constants import Column
from normcal.document import Computation, Document
from normcal.draft import Draft
from normcal.errors import FileError, RequestError
from normcal.layer import Layer
from normcal.output import Output
from normcal.quantity import SCALES

_COLUMNS = ["forward.mean", "forward.std", "backward.std"]
_GAINS = ("forward.gain", "backward.gain")
#: (the user's name or None, what was typed, the layer)
_Named = tuple[str | None, Any, Layer]


class ConstantsDocument(Document):
    keys = (
        "template", "layers", "also", "families", "columns", "constraint", "digits", "header", "epilogue", "name",
        "keys", "layout",
    )  # fmt: skip

    def draft(self, output: Output, computation: Computation) -> Draft:
        told = output.settings
        renderer, style = output.renderer, told.get("keys", "snake")
        self._check(output)
        columns = _columns(output, style)
        rows = _refusing(output, "layers", assembly.entries, _layers(output), style)
        name = told.get("name") or renderer.name_of(naming.split(_stem(output.path)) or ["constants"])
        layers, names = [row.layer for row in rows], [row.name for row in rows]
        results = computation.results(output.request, layers, assembly.directions(columns), bounded=output.own)
        constants = _refusing(
            output, "columns", assembly.build,
            name, columns, names, results, output.request.law, told.get("digits"),
            layout=told.get("layout"), header=tuple(told.get("header", "").splitlines()),
            epilogue=told.get("epilogue", ""), template=_template(output),
            request={} if "template" in told else output.origin | ({"name": name} if name else {}),
        )  # fmt: skip
        return draft.of_constants(constants, renderer.constants)

    def _check(self, output: Output) -> None:
        """Refuse what the format cannot do."""
        told, renderer = output.settings, output.renderer
        if told.get("epilogue") and not renderer.code:
            error = RequestError(f"The format {renderer.name} takes no code.", "Leave 'epilogue' out.")
            raise output.refused(error, "epilogue")
        if "layout" in told and told["layout"] not in renderer.layouts:
            accepted = f"Accepted: {', '.join(renderer.layouts)}." if renderer.layouts else "Leave 'layout' out."
            raise output.refused(RequestError(f"The format {renderer.name} has no such layout.", accepted), "layout")


DOCUMENT = ConstantsDocument()


def _refusing(output: Output, key: str, call, *arguments, **named):
    """Call what may refuse, and name the place in the config."""
    try:
        return call(*arguments, **named)
    except RequestError as error:
        raise output.refused(error, key) from None


def _columns(output: Output, style: str) -> list[Column]:
    told = output.settings.get("columns", _COLUMNS)
    named = told.items() if isinstance(told, dict) else [(None, path) for path in told]
    found = []
    for index, (name, path) in enumerate(named):
        try:
            plain = assembly.column(path, name, style)
            found.append(replace(plain, **_constrained(path, output.settings.get("constraint"))))
        except RequestError as error:
            raise output.refused(error, "columns", index if name is None else name) from None
    names = [one.name for one in found]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise output.refused(RequestError(f"Two columns are called {twice[0]!r}."), "columns")
    return found


def _constrained(path: str, constraint: str | None) -> dict[str, str]:
    """Return what changes of a gain under a constraint: it is one factor for both passes, under its own name."""
    if not constraint or path not in _GAINS:
        return {}
    scale = quantity.parse(next(one for one in SCALES if one.endswith(f".{constraint}")))
    return {"path": str(scale), "meaning": scale.meaning}


def _layers(output: Output) -> list[_Named]:
    """Return the layers that an output lists, those beside a profile's own, and those of its families."""
    found = _listed(output, "layers") + _listed(output, "also")
    found += [(None, layer, layer) for layer in catalog.of_families(output.settings.get("families", []))]
    if not found:
        raise output.refused(RequestError("The output has no layers.", "Accepted: 'layers', 'families' or a profile."))
    if len(found) > MOST_LAYERS:
        raise output.refused(RequestError(f"{len(found):_} layers are too many.", f"Accepted: {MOST_LAYERS:_}."))
    return found


def _listed(output: Output, key: str) -> list[_Named]:
    """Return the layers of a list of SPECs, or of a mapping of names to SPECs, sweeps expanded."""
    told = output.settings.get(key, [])
    named = told.items() if isinstance(told, dict) else [(None, text) for text in told]
    found: list[_Named] = []
    for index, (name, text) in enumerate(named):
        try:
            own = _expanded(text)
            if name is not None and len(own) != 1:
                raise RequestError(f"{text!r} stands for {len(own)} layers.", "Accepted: one layer for one name.")
        except RequestError as error:
            raise output.refused(error, key, index if name is None else name) from None
        found += [(name, typed, layer) for typed, layer in own]
    return found


def _expanded(text: str) -> list[tuple[Any, Layer]]:
    if catalog.is_pattern(text):
        return [(layer, layer) for layer in catalog.layers([text])]
    return [(one, catalog.build(one)) for one in spec.expand(catalog.parse(text), MOST_LAYERS)]


def _stem(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2].partition(".")[0]


def _template(output: Output) -> str | None:
    """Return the path of the user's template, which is named from the config's folder."""
    if "template" not in output.settings:
        return None
    path = output.beside(output.settings["template"])
    if not os.path.isfile(path):
        raise output.refused(
            FileError(f"the template {path!r} is no file.", "Accepted: a Jinja2 template."), "template"
        )
    return path
