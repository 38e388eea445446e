"""What a number is: the quantities and published constants that meet it, ranked by how rarely luck would.

Candidates are the quantities of the default table that ships, or of layers computed on the spot, each with
what follows from it (squares, offsets, scales), and the published collection. A candidate has a cost, lower
for what is more likely to be meant; the odds of a match are the number of candidates of no higher cost that
would meet the number as well by luck.
"""

from __future__ import annotations

import bisect
import functools
import json
import math
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from normcal import alternatives, audit, catalog, collection, pipeline, quantity
from normcal.collection import Entry
from normcal.errors import RequestError
from normcal.law import STANDARD, Normal
from normcal.layer import BACKWARD, DIRECTIONS, FORWARD, Layer
from normcal.literal import Literal
from normcal.quantity import JACOBIAN_FACTOR, QUANTITIES, SCALES, Quantity
from normcal.request import Request
from normcal.result import STANDARD_ERROR, Estimate, LayerResult
from normcal.value import Value

#: Matches that luck would give more often than this are none.
LUCK = 0.05
#: A published constant of the very same digits counts whatever luck may do, from so many digits on.
FEWEST_DIGITS = 3
#: Matches to report at most.
MOST = 10
#: Candidates are counted where their size is within this factor of the number's, either way.
_AROUND = math.exp(0.5)
#: What makes a candidate less likely to be meant: the cost of each.
COSTS = {
    "backward": 1, "negative": 1, "square": 2, "factor": 2, "scale": 3, "part": 3,
    "not in the published collection": 2, "not at its defaults": 2, "slope": 2,
}  # fmt: skip
_PARTS = ("inputs", "weights")
_HERE = os.path.dirname(os.path.abspath(__file__))


@dataclass(frozen=True)
class Candidate:
    """A quantity that a number may be: its exact value, and how unlikely it is to be meant."""

    spec: str
    quantity: str
    value: Value
    cost: int
    sampled: bool = False
    layer: Layer | None = None

    def built(self) -> Layer:
        return self.layer or catalog.layer(self.spec)


@dataclass(frozen=True)
class Match:
    """A candidate that meets the number: how, and how many would by luck."""

    spec: str
    quantity: str
    exact: Value
    how: str
    luck: float
    #: the number less the exact value
    difference: float | None = None
    published: tuple[Entry, ...] = ()
    #: Whether it is known only for having been published as what it is not.
    mistaken: bool = False

    @property
    def relative(self) -> float | None:
        return self.difference / abs(self.exact.value) if self.exact.value and self.difference is not None else None

    def data(self) -> dict:
        return {
            "spec": self.spec, "quantity": self.quantity, "exact": self.exact.value, "error": self.exact.error,
            "difference": self.difference, "relative_difference": self.relative, "how": self.how, "luck": self.luck,
            "published": [{"name": entry.name, "source": entry.source} for entry in self.published],
        }  # fmt: skip


def identify(literal: Literal, layers: list[Layer] | None = None, law: Normal = STANDARD) -> list[Match]:
    """Return what a number is, the least likely to be luck first; nothing that luck explains as well.

    Parameters
    ----------
    literal: the number with its digits.
    layers: the layers to search, computed at ``law``; None searches the default table at N(0, 1) and the
        published collection.
    law: the law of the input.

    Returns
    -------
    At most MOST matches, each with the odds that luck would make it.

    Examples
    --------
    >>> from normcal.literal import read
    >>> best = identify(read("0.5838"))[0]
    >>> best.spec, best.quantity
    ('relu', 'forward.std')
    """
    if not literal.value:
        return []
    candidates = tabled() if layers is None and law == STANDARD else computed(layers or _default(), law)
    near = _near(literal, candidates)
    met = [_met(literal, one, count, law) for one, count in near]
    found = {(one.spec, one.quantity): one for one in met if one}
    if law == STANDARD:
        _add_published(literal, found, None if layers is None else {layer.spec for layer in layers})
    common = Counter(one.layer for one in collection.glimpses())

    def rank(one: Match) -> tuple:
        if one.mistaken:  # told by how near it comes: luck says nothing of a number that it is not
            return True, abs(one.difference or 0.0), one.luck, 0
        return False, one.luck, 0.0, -common[one.spec]

    return sorted(found.values(), key=rank)[:MOST]


def _near(literal: Literal, candidates: Iterable[Candidate]) -> list[tuple[Candidate, int]]:
    """Return the candidates close by, each with how many values those of no higher cost have around the number."""
    size = abs(literal.value)
    around = [one for one in candidates if size / _AROUND <= abs(one.value.value) <= size * _AROUND]
    values: dict[float, int] = {}
    for one in around:
        rounded = float(f"{one.value.value:.11e}")
        values[rounded] = min(one.cost, values.get(rounded, one.cost))
    costs = sorted(values.values())
    close = [one for one in around if abs(one.value.value - literal.value) <= audit.CLOSE * size]
    return [(one, bisect.bisect_right(costs, one.cost)) for one in close]


def _met(literal: Literal, one: Candidate, count: int, law: Normal) -> Match | None:
    """Return the match of a candidate, if it is one and no luck."""
    difference = literal.value - one.value.value
    room = max(abs(difference), audit.certain(literal))
    width = 2.0 * count / abs(literal.value)
    if room * width > LUCK or not one.value.value * literal.value > 0.0:
        return None
    known = audit.Known(one.value, one.sampled)
    how, nearness = _exact_or_rounded(literal, known) or (None, 0.0)
    if how is None:
        fit = audit.fitted(Entry("", one.built(), quantity.parse(one.quantity), literal, law=law), known)
        if fit is None:
            return None
        how, nearness = f"{audit.SAMPLING}: {fit}", max(room, fit.error) * fit.tried
    luck = max(room, nearness) * width
    return Match(one.spec, one.quantity, one.value, how, luck, difference) if luck <= LUCK else None


def _exact_or_rounded(literal: Literal, known: audit.Known) -> tuple[str, float] | None:
    if abs(literal.value - known.value.value) <= literal.half + known.spread:
        return audit.EXACT, 0.0
    found = audit.rounding_on_the_way(literal, known)
    return found and (f"{audit.ROUNDED}: {found[0]}", found[1])


def _add_published(literal: Literal, found: dict[tuple[str, str], Match], specs: set[str] | None) -> None:
    """Add the published constants that are the number to the matches: better than luck, or of the same digits."""
    seen = collection.glimpses()
    width = 2.0 * max(sum(1 / _AROUND <= abs(one.literal.value / literal.value) <= _AROUND for one in seen), 1)
    paths = dict.fromkeys(one.path for one in seen if _apart(one.literal, literal) <= 0.0)
    entries = [entry for path in paths for entry in collection.file(path) if entry.law == STANDARD]
    for entry in entries:
        room = max(audit.certain(literal), audit.certain(entry.literal))
        luck = width * room / abs(literal.value)
        same = entry.literal.value == literal.value and literal.digits >= FEWEST_DIGITS
        apart = _apart(entry.literal, literal) > 0.0 or entry.literal.value * literal.value <= 0.0
        if apart or (luck > LUCK and not same):
            continue
        if specs is not None and entry.layer.spec not in specs:
            continue
        key = entry.layer.spec, str(entry.quantity)
        one = found.get(key) or _as_published(literal, entry, luck)
        found[key] = replace(one, published=(*one.published, entry), luck=min(one.luck, luck))


def _apart(one: Literal, other: Literal) -> float:
    """Return by how much two numbers differ beyond what their digits say; not positive where they agree."""
    return abs(one.value - other.value) - max(audit.certain(one), audit.certain(other))


def _as_published(literal: Literal, entry: Entry, luck: float) -> Match:
    finding = audit.judge(entry)
    difference = None if finding.exact.value is None else literal.value - finding.exact.value
    how = f"{finding.verdict}: {finding.why}" if finding.verdict != audit.EXACT else audit.EXACT
    mistaken = finding.verdict not in audit.RIGHT
    return Match(entry.layer.spec, str(entry.quantity), finding.exact, how, luck, difference, mistaken=mistaken)


# -- candidates ------------------------------------------------------------------------------------


def tables() -> str:
    """Return the folder of the tables that ship."""
    for folder in (os.path.join(_HERE, "tables"), os.path.join(os.path.dirname(_HERE), "tables")):
        if os.path.isfile(os.path.join(folder, "default.json")):
            return folder
    raise RequestError("The default table is not installed with normcal.", "Name layers with --layer.")


@functools.cache
def tabled() -> tuple[Candidate, ...]:
    """Return what the default table that ships holds, and what follows from it."""
    with open(os.path.join(tables(), "default.json"), encoding="utf-8") as stream:
        rows = json.load(stream)["layers"]
    costs = _costs([row["layer"] for row in rows])
    found = []
    for row, cost in zip(rows, costs, strict=True):
        passes = {name: row[name] and _estimate(row[name]) for name in DIRECTIONS}
        found += _candidates(row["spec"], LayerResult(None, **passes), cost)
    return tuple(found)


def _estimate(record: dict) -> Estimate:
    """Return the estimate that a record of a table was written from."""
    values = {name: Value(record[name], record["error"][name]) for name in ("mean", "std", "rms")}
    parts = {kind: {name: _estimate(one) for name, one in record.get(kind, {}).items()} for kind in _PARTS}
    return Estimate(record["engine"], **values, error_kind=record["error"]["kind"], **parts)


def computed(layers: list[Layer], law: Normal) -> tuple[Candidate, ...]:
    """Return the quantities of layers computed on the spot, and those of their slopes."""
    request = Request(mean=law.mean, std=law.std)
    found = []
    rows = pipeline.run(request, layers).layers
    for row, cost in zip(rows, _costs([layer.name for layer in layers]), strict=True):
        found += _candidates(row.layer.spec, row, cost)
    slopes = [one for one in map(alternatives.slope, layers) if one]
    for row in pipeline.run(request.updated({"direction": FORWARD}), slopes).layers:
        found += _candidates(row.layer.spec, row, COSTS["slope"])
    return tuple(found)


def _default() -> list[Layer]:
    from normcal import config

    return config.layers(config.read(None))


def _costs(names: list[str]) -> Iterator[int]:
    """Yield what the layers cost: the first of a name stands at its defaults."""
    known, seen = {catalog.find(one.layer.partition("(")[0]).name for one in collection.glimpses()}, set()
    for name in names:
        yield COSTS["not in the published collection"] * (name not in known) + COSTS["not at its defaults"] * (
            name in seen
        )
        seen.add(name)


def _candidates(spec: str, row: LayerResult, cost: int) -> Iterator[Candidate]:
    """Yield every number of a row with its cost; a number that another name has already is left out."""
    seen: set[float] = set()
    for wanted, extra in _quantities(row):
        value = wanted.of(row)
        if value.value and value.value not in seen:
            seen.add(value.value)
            sampled = any(one.error_kind == STANDARD_ERROR for one in (row.forward, row.backward) if one)
            yield Candidate(spec, str(wanted), value, cost + extra, sampled, row.layer)


def _quantities(row: LayerResult) -> Iterator[tuple[Quantity, int]]:
    """Yield the quantities of a row, the plain ones first, each with its cost."""
    plain = [(f"{FORWARD}.{name}", 0) for name in QUANTITIES]
    plain += [(f"{BACKWARD}.{name}", COSTS["backward"]) for name in QUANTITIES]
    parts = row.backward.parts if row.backward else ()
    plain += [(f"{BACKWARD}.{part}.{name}", COSTS["part"]) for part in parts for name in QUANTITIES]
    plain += [(JACOBIAN_FACTOR, COSTS["factor"]), *((path, COSTS["scale"]) for path in SCALES)]
    yield from ((Quantity(path), cost) for path, cost in plain)
    yield from ((Quantity(path, square=True), cost + COSTS["square"]) for path, cost in plain)
    yield Quantity(f"{FORWARD}.mean", negative=True), COSTS["negative"]
