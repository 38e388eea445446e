"""YAML: the same document as JSON, in the same order."""

from __future__ import annotations

from normcal.renderer import Renderer
from normcal.report import Report, View


class Yaml(Renderer):
    name = "yaml"
    suffixes = (".yaml", ".yml")

    def render(self, report: Report, view: View) -> str:
        import yaml

        return yaml.safe_dump(report.data, sort_keys=False, allow_unicode=True, width=120)


RENDERER = Yaml()
