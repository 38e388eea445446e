"""The audit of the published constants that ship, as ``normcal audit`` prints it."""

from __future__ import annotations

from normcal import audit, collection, draft, verdicts
from normcal.document import Computation, Document
from normcal.draft import Draft
from normcal.output import Output
from normcal.report import View


class AuditDocument(Document):
    keys = ("digits",)

    def draft(self, output: Output, computation: Computation) -> Draft:
        report = verdicts.report(audit.audit(collection.groups()), page=True)
        digits = output.settings.get("digits")
        return draft.of_report(report, output.renderer.render(report, View(digits)), digits)


DOCUMENT = AuditDocument()
