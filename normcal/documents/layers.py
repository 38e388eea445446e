"""The catalogue: what every layer declares, as ``normcal layers --details`` prints it."""

from __future__ import annotations

from normcal import catalog, draft, listing
from normcal.document import Computation, Document
from normcal.draft import Draft
from normcal.output import Output
from normcal.report import View


class LayersDocument(Document):
    keys = ("families",)

    def draft(self, output: Output, computation: Computation) -> Draft:
        families = output.settings.get("families")
        classes = [cls for cls in catalog.listed().values() if families is None or catalog.family(cls) in families]
        return draft.plain(output.renderer.render(listing.full(classes), View()))


DOCUMENT = LayersDocument()
