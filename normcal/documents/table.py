"""The table of a config, as ``normcal table`` prints it."""

from __future__ import annotations

from normcal import catalog, draft, tabulation
from normcal import config as configs
from normcal.config import Config
from normcal.document import Computation, Document
from normcal.draft import Draft
from normcal.errors import NormcalError, RequestError
from normcal.layer import Layer
from normcal.output import Output
from normcal.report import View
from normcal.request import laws_of
from normcal.result import Result


class TableDocument(Document):
    keys = ("config", "layers", "families", "digits")

    def draft(self, output: Output, computation: Computation) -> Draft:
        config, layers = self._config(output)
        told = configs.request_options(output.source, output.place)
        request = output.request.updated(config.options, config.folder).updated(told, output.folder)
        digits = output.settings.get("digits", config.digits)
        if isinstance(digits, str):
            error = RequestError(f"'digits' of a table cannot be {digits!r}.", "Accepted: a whole number.")
            raise output.refused(error, "digits")
        results = computation.results(request, layers, request.directions, bounded=output.own)
        report = tabulation.report(config, request, Result(tuple(results), request.law))
        return draft.of_report(report, output.renderer.render(report, View(digits)), digits)

    def _config(self, output: Output) -> tuple[Config, list[Layer]]:
        """Return the table that an output names, or the one that its own layers make."""
        if "config" not in output.settings:
            layers = _layers(output)
            return Config(output.source.path), layers
        name = output.settings["config"]
        try:
            config = configs.read(name if name in configs.shipped() else output.beside(name))
            return config, configs.layers(config)
        except NormcalError as error:
            raise output.refused(error, "config") from None


DOCUMENT = TableDocument()


def _layers(output: Output) -> list[Layer]:
    told = output.settings.get("layers", [])
    try:
        found = catalog.layers(list(told.values()) if isinstance(told, dict) else told)
    except RequestError as error:
        raise output.refused(error, "layers") from None
    return found + catalog.of_families(output.settings.get("families", []))


def request_of(data: dict) -> dict:
    """Return the output that a document of the schema describes: its layers and input law."""
    options = laws_of(data["assumptions"])
    return {"document": "table", "layers": [row["spec"] for row in data["layers"]]} | options
