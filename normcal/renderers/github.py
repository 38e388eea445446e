"""GitHub: workflow commands that show findings on the lines of a change."""

from __future__ import annotations

from normcal.errors import RequestError
from normcal.renderer import Renderer
from normcal.report import Annotation, Report, View


class GitHub(Renderer):
    name = "github"

    def render(self, report: Report, view: View) -> str:
        if report.annotations is None:
            raise RequestError("The format github shows findings in files; this command has none.", "See check, audit.")
        return "".join(f"{_command(one)}\n" for one in report.annotations)


RENDERER = GitHub()


def _command(one: Annotation) -> str:
    """Write ``::level file=...,line=...,title=...::message``; the toolkit's escapes keep it on one line."""
    properties = {"file": one.path, "line": one.line, "title": one.title}
    listed = ",".join(f"{key}={_property(str(value))}" for key, value in properties.items() if value is not None)
    return f"::{one.level} {listed}::{_data(one.message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
