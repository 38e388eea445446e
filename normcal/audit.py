"""What a published constant really is: exact, rounded, sampled, something else's value, close, or wrong.

Every verdict follows from the printed digits, the number of draws and the error of the exact value, by the
thresholds below; docs/auditing.md puts them in words. Nothing is decided by the name of an entry.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace

from normcal import alternatives, collection, engine, pipeline, rounding
from normcal.collection import Entry
from normcal.errors import RequestError, Unsupported
from normcal.law import Normal
from normcal.layer import DIRECTIONS, Layer
from normcal.literal import DECIMAL, FORMATS, FORMULA, SINGLE_DIGITS, WHOLE, Literal, Short, short
from normcal.quantity import Quantity
from normcal.request import Request
from normcal.result import OK, OVERFLOW, STANDARD_ERROR, TOLERANCE_MISSED, Estimate, LayerResult
from normcal.value import Value

EXACT, ROUNDED, SAMPLING, OTHER = "exact", "rounded", "sampling", "other-definition"
APPROXIMATION, WRONG, UNDECIDED = "approximation", "wrong", "undecided"
#: Worst first: the order of every listing.
CLASSES = (WRONG, OTHER, APPROXIMATION, UNDECIDED, SAMPLING, ROUNDED, EXACT)

#: What is right within its own terms.
RIGHT = (EXACT, ROUNDED, SAMPLING)

#: A relative error of the exact value up to this never stands in the way of a verdict.
TIGHT = 1e-12
#: A last digit that is off by one is rounding only if it is worth no more than this, relatively.
LAST_DIGIT = 0.01
#: Units in the last place of single precision that arithmetic may cost.
SINGLE_ULPS = 16
#: Standard errors of a stated number of draws; of one that is only plausible.
LIMIT, PLAUSIBLE_LIMIT = 4.0, 2.0
#: Numbers of draws that people use, the largest first.
PLAUSIBLE = (10**8, 10**7, 10**6, 2**18, 10**5, 10**4)
#: Unless it is stated, sampling shows in digits: the noise is worth this many last half-units or more ...
NOISE_OVER_DIGITS = 10.0
#: ... and is no larger than this, relatively: more could not be told from an approximation.
MOST_NOISE = 0.005
#: A number nearer than this many standard errors is too good for a sample that nobody states.
TOO_GOOD = 0.1
#: Times nearer than the claimed quantity another one must be to be named beside a number that is neither.
NEARER = 10.0
#: The chance at most that any of the other definitions tried meets the number by luck.
CHANCE = 0.01
#: The relative difference at most of an approximation.
CLOSE = 0.05
#: Draws behind a standard error: numbers drawn, rows at most and at least.
_NUMBERS, _MOST_ROWS, _FEWEST_ROWS = 2_000_000, 65_536, 250
#: Numbers drawn at most, where draws are stated.
_MOST_NUMBERS = 50_000_000


@dataclass(frozen=True)
class Finding:
    """The verdict on one entry, and what it rests on."""

    entry: Entry
    exact: Value
    sampled: bool
    verdict: str
    why: str
    #: the quantity that it is instead, where it is another's
    other: str = ""
    #: draws and standard errors, where draws come into it
    draws: int | None = None
    standard_errors: float | None = None

    @property
    def difference(self) -> float | None:
        return None if self.exact.value is None else self.entry.literal.value - self.exact.value

    @property
    def relative(self) -> float | None:
        """The difference relative to the exact value; None where that is absent, or 0 within its error."""
        if not self.exact.value or abs(self.exact.value) <= (self.exact.error or 0.0):
            return None
        return finite(self.difference / abs(self.exact.value))

    @property
    def instead(self) -> str:
        """What to write instead: as many digits as were printed, as far as the error allows."""
        if self.verdict == EXACT or self.exact.value is None:
            return ""
        literal = self.entry.literal
        return rounding.text(self.exact, max(literal.digits, 1) if literal.kind == DECIMAL else rounding.MOST)

    def data(self) -> dict:
        return self.entry.data() | {
            "exact": self.exact.value, "error": self.exact.error,
            "error_kind": "standard-error" if self.sampled else "bound",
            "difference": finite(self.difference), "relative_difference": self.relative, "class": self.verdict,
            "why": self.why, "other": self.other or None, "draws": self.draws,
            "standard_errors": self.standard_errors, "instead": self.instead or None,
        }  # fmt: skip


def finite(number: float | None) -> float | None:
    """Return a number, or None for one that overflowed."""
    return number if number is not None and math.isfinite(number) else None


def audit(groups: list[collection.Group]) -> list[tuple[collection.Group, list[Finding]]]:
    """Judge every entry of every group, the worst first within each.

    Raises RequestError, with file and line, for an entry whose quantity its layer does not have.

    >>> (_, found), *_ = audit(collection.groups())
    >>> {finding.verdict for finding in found} <= set(CLASSES)
    True
    """
    judged = []
    for group in groups:
        found = [_located(entry) for entry in group.entries]
        found = [_beside(finding, found) for finding in found]
        judged.append((group, sorted(found, key=_badness)))
    return judged


def _badness(finding: Finding) -> tuple:
    return CLASSES.index(finding.verdict), -abs(finding.relative or 0.0), finding.entry.name


def _located(entry: Entry) -> Finding:
    try:
        return judge(entry)
    except RequestError as error:
        where = f"{entry.path}:{entry.line}: " if entry.line else ""
        raise RequestError(f"{where}{entry.name}: {error.message}", error.hint) from None


def _beside(finding: Finding, others: list[Finding]) -> Finding:
    """Say of a number that is not right whose right number it is among its neighbours."""
    literal = finding.entry.literal
    if finding.verdict not in (APPROXIMATION, WRONG) or literal.kind == WHOLE:
        return finding
    for other in others:
        same = other.entry.literal.value == literal.value and other.entry.layer != finding.entry.layer
        if same and other.verdict == EXACT:
            return replace(finding, why=f"{finding.why}; it is right for {other.entry.layer.spec} ({other.entry.name})")
    return finding


# -- one entry -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Known:
    """A quantity of a layer with the half-width of the interval that holds it: a bound, or LIMIT standard errors."""

    value: Value
    sampled: bool = False
    status: str = OK
    reason: str = ""

    @property
    def spread(self) -> float:
        if self.value.error is None:
            return math.inf
        return self.value.error * (LIMIT if self.sampled else 1.0)


def judge(entry: Entry) -> Finding:
    """Return the verdict on one entry; the first rule that fits decides.

    >>> from normcal import catalog, literal, quantity
    >>> published = literal.read("1.679176792")
    >>> found = judge(Entry("e3nn.silu", catalog.layer("silu"), quantity.parse("forward.rms_gain"), published))
    >>> found.verdict, found.draws
    ('sampling', 1000000)
    """
    exact = known(entry.layer, entry.law, entry.quantity)
    finding = Finding(entry, exact.value, exact.sampled, UNDECIDED, "")
    if exact.value.value is None:
        return _without_value(finding, exact)
    for rule in (_exactly, _rounded, _noisy_or_other):
        found = rule(finding, exact)
        if found is not None:
            return found
    return _by_size(finding, exact)


def _without_value(finding: Finding, exact: Known) -> Finding:
    """A number that is claimed where none exists is wrong; where none is known, nothing follows."""
    if exact.status in (OVERFLOW, TOLERANCE_MISSED):
        return replace(finding, why=f"the exact value is not known: {exact.reason or exact.status}")
    reason = exact.reason or "it divides by a std or rms of 0"
    return replace(finding, verdict=WRONG, why=f"no number is right: {reason}")


def _exactly(finding: Finding, exact: Known) -> Finding | None:
    literal, distance = finding.entry.literal, abs(finding.difference)
    if distance > literal.half + exact.spread:
        return None
    if exact.spread > max(literal.half, TIGHT * scale(finding.entry, exact)):
        why = f"it agrees, but the exact value is known only to ± {exact.spread:.1g}"
        return replace(finding, why=why)
    return replace(finding, verdict=EXACT, why=_all_digits(literal, exact))


def _all_digits(literal: Literal, exact: Known) -> str:
    if literal.kind in FORMATS:
        return f"right to the last bit of {literal.kind}"
    if not literal.rounds:
        return "exact as it stands"
    right = f"all {literal.digits} digits are right"
    return right if exact.spread <= literal.half else f"{right}, as far as the exact value is known"


def _rounded(finding: Finding, exact: Known) -> Finding | None:
    found = rounding_on_the_way(finding.entry.literal, exact)
    return found and replace(finding, verdict=ROUNDED, why=found[0])


def rounding_on_the_way(literal: Literal, exact: Known) -> tuple[str, float] | None:
    """Return how a number follows from the exact one by rounding, and how near it thereby is; None where it does not.

    A short number behind it is as near as its few digits claim, however near it comes.
    """
    value, size = literal.value, abs(exact.value.value)
    distance = abs(value - exact.value.value)
    last = literal.kind == DECIMAL and literal.unit <= LAST_DIGIT * abs(value)
    if last and distance <= literal.unit * (1.0 + 1e-9) + exact.spread:
        return "cut off instead of rounded" if abs(value) < size else "the last digit is one too high", distance
    long = literal.digits >= SINGLE_DIGITS - 2 and literal.kind not in (WHOLE, FORMULA)
    if long and size and distance <= SINGLE_ULPS * 2.0**-24 * size + exact.spread:
        right = math.floor(-math.log10(distance / size)) if distance else rounding.MOST
        return f"right to {right} of {literal.digits} digits: rounding in the arithmetic", distance
    found = short(literal)
    if found and found.digits > 1 and value * exact.value.value > 0.0 and found.rounds(size, exact.spread):
        through = "" if str(found) == found.shown else f"{found}, and "
        return f"{through}{found.shown} is right to its {found.digits} digits", max(distance, found.half)
    return None


@dataclass(frozen=True)
class Fit:
    """How a number lies in the noise of draws: how many, their standard error, and the z-score."""

    draws: int
    error: float
    z: float
    stated: bool
    #: numbers of draws tried until one fitted
    tried: int = 1

    def __str__(self) -> str:
        if self.stated:
            return f"{self.z:+.1f} standard errors of the stated {count(self.draws)} draws"
        one = f"{self.draws / self.z**2:.1e}".replace("e+0", "e").replace("e+", "e")
        return f"{self.z:+.1f} standard errors of {count(self.draws)} draws ({math.copysign(1, self.z):+.0f} of {one})"


def count(draws: int) -> str:
    """Write a number of draws: as a power where it is one.

    >>> count(1_000_000), count(262_144), count(1500)
    ('10^6', '2^18', '1_500')
    """
    zeros = len(str(draws)) - 1
    if draws == 10**zeros and zeros > 3:
        return f"10^{zeros}"
    return f"2^{draws.bit_length() - 1}" if draws & (draws - 1) == 0 and draws > 1 else f"{draws:_}"


def _noisy_or_other(finding: Finding, exact: Known) -> Finding | None:
    """Weigh sampling against other definitions: an exact hit where noise would rarely put it is no noise."""
    fit = fitted(finding.entry, exact)
    other = _other(finding, exact, _window(finding, exact, fit))
    if other is not None:
        return other
    if fit is None:
        return None
    return replace(finding, verdict=SAMPLING, why=str(fit), draws=fit.draws, standard_errors=fit.z)


def _window(finding: Finding, exact: Known, fit: Fit | None) -> float:
    """Return how far off the number could have fallen: half of itself, or the noise in which it lies.

    Of draws that nobody states, that of the fewest plausible ones counts even where it is too large to prove a sample.
    """
    entry = finding.entry
    if fit:
        return LIMIT * fit.error
    error = None if entry.samples or not entry.literal.rounds else _error(entry, exact, PLAUSIBLE[-1])
    half = 0.5 * abs(entry.literal.value)
    return min(half, LIMIT * error) if error and abs(finding.difference) <= PLAUSIBLE_LIMIT * error else half


def fitted(entry: Entry, exact: Known) -> Fit | None:
    """Return the draws in whose noise a number lies: the stated ones, else the largest plausible number."""
    literal, distance = entry.literal, entry.literal.value - exact.value.value
    if entry.samples:
        error = _error(entry, exact, entry.samples)
        possible = literal.value * exact.value.value > 0.0 or entry.quantity.path.endswith("mean")
        fits = error and possible and abs(distance) <= LIMIT * error + literal.half
        return Fit(entry.samples, error, distance / error, True) if fits else None
    size = scale(entry, exact)
    if not literal.rounds or abs(distance) > PLAUSIBLE_LIMIT * MOST_NOISE * size or short(literal):
        return None
    for tried, draws in enumerate(PLAUSIBLE, 1):
        error = _error(entry, exact, draws)
        if error and NOISE_OVER_DIGITS * literal.half <= error <= MOST_NOISE * size:
            z = distance / error
            if abs(z) <= PLAUSIBLE_LIMIT:
                return Fit(draws, error, z, False, tried) if abs(z) >= TOO_GOOD else None
    return None


def _error(entry: Entry, exact: Known, draws: int) -> float | None:
    """Return the standard error of so many draws, with what the exact value itself leaves open."""
    single = noise(entry.layer, entry.law, entry.quantity, wide=entry.samples is not None)
    return single and math.hypot(single / math.sqrt(draws), exact.spread / LIMIT)


def scale(entry: Entry, exact: Known) -> float:
    """Return what a difference is measured by: the exact value; for a mean of 0, the std beside it."""
    size = abs(exact.value.value)
    if size > exact.spread or not entry.quantity.path.endswith("mean"):
        return size
    beside = replace(entry.quantity, path=entry.quantity.path.removesuffix("mean") + "std", negative=False)
    return known(entry.layer, entry.law, beside).value.value or 0.0


def _other(finding: Finding, exact: Known, window: float) -> Finding | None:
    """Return the verdict of the first other definition that meets the number better than luck would."""
    entry = finding.entry
    for tried, one in enumerate(alternatives.of(entry.layer, entry.quantity), 1):
        meets = _meets(one, finding, exact, window / tried)
        if meets:
            return replace(finding, verdict=OTHER, why=f"this is {one}: {meets}", other=str(one))
    return None


def _meets(one: alternatives.Alternative, finding: Finding, exact: Known, window: float) -> str | None:
    """Say how a number meets another definition; None where it does not, or no better than luck would.

    ``window`` is where the number could have fallen, over the number of definitions tried so far.
    """
    literal, least = finding.entry.literal, certain(finding.entry.literal)
    if least > CHANCE * window:
        return None
    found = _comparable(one, finding, exact)
    if found is None:
        return None
    distance = abs(literal.value - found.value.value)
    if distance <= literal.half + found.spread:
        return _all_digits(literal, found)
    how, room = rounding_on_the_way(literal, found) or (None, distance)
    if how is None:
        fit = fitted(replace(finding.entry, layer=one.layer, quantity=one.quantity), found)
        if fit is None:
            return None
        how, room = str(fit), max(distance, fit.error) * fit.tried
    return how if max(room, least) <= CHANCE * window else None


def certain(literal: Literal) -> float:
    """Return the half-width of what a number says at most, whatever it is taken for."""
    return literal.half if literal.rounds else 0.5 * literal.unit


def _comparable(one: alternatives.Alternative, finding: Finding, exact: Known) -> Known | None:
    """Return the value of another definition, if it is another value, well known, and nearer than the claimed one."""
    literal = finding.entry.literal
    try:
        found = known(one.layer, finding.entry.law, one.quantity)
    except RequestError:  # a form that lacks the input in question
        return None
    if not found.value.value or found.spread > TIGHT * abs(found.value.value):
        return None
    if abs(found.value.value - exact.value.value) <= literal.half + exact.spread:
        return None
    return found if abs(literal.value - found.value.value) < abs(finding.difference) else None


def _by_size(finding: Finding, exact: Known) -> Finding:
    """Tell close from wrong, where the error of the exact value lets it be told."""
    size = scale(finding.entry, exact)
    relative = abs(finding.difference) / size * (1.0 - 1e-12) if size else math.inf
    room = exact.spread / size if size else 0.0
    if relative - room <= CLOSE < relative + room:
        return replace(finding, why=f"{_off(finding)}, and the exact value is known only to ± {room:.1%}")
    why = "; ".join(
        filter(None, (_off(finding), _no_factor(finding), _behind(finding), _stated(finding), _near(finding, exact)))
    )
    return replace(finding, verdict=APPROXIMATION if relative <= CLOSE else WRONG, why=why)


def _off(finding: Finding) -> str:
    way = "high" if finding.difference > 0 else "low"
    if finding.relative is None:
        return f"{abs(finding.difference):.2g} too {way}"
    if finding.entry.literal.value * finding.exact.value < 0.0:
        return "the sign is wrong"
    size = abs(finding.relative)
    return f"{size + 1:.2g} times the exact value" if size >= 1 else f"{100 * size:.2g} % too {way}"


def _no_factor(finding: Finding) -> str:
    """Say of a factor of 1 that it is none."""
    factor = finding.entry.quantity.path.endswith("gain") or finding.entry.quantity.path.startswith("scale")
    return "a factor of 1 applies none" if factor and finding.entry.literal.value == 1.0 else ""


def _behind(finding: Finding) -> str:
    """Say that a short number stands behind, where it has one right digit."""
    found: Short | None = short(finding.entry.literal)
    exact = abs(finding.exact.value)
    if not found or found.digits > 1 or found.way == "{}" or not found.rounds(exact, 0.0):
        return ""
    return f"{found}, and {found.number:g} is {found.back(exact):.4g} to one digit"


def _stated(finding: Finding) -> str:
    """Say that the stated draws do not explain the difference, where draws are stated."""
    entry = finding.entry
    single = noise(entry.layer, entry.law, entry.quantity, wide=True) if entry.samples else None
    if not single:
        return ""
    z = abs(finding.difference) / single * math.sqrt(entry.samples)
    return f"{z:.2g} standard errors of the stated {count(entry.samples)} draws"


def _near(finding: Finding, exact: Known) -> str:
    """Name the first other quantity of the layer that is far nearer, though not near enough to be told from luck."""
    value = finding.entry.literal.value
    if not value:
        return ""
    for one in alternatives.of(finding.entry.layer, finding.entry.quantity):
        found = None if one.of else _comparable(one, finding, exact)
        off = abs(value - found.value.value) / abs(value) if found else math.inf
        if off <= MOST_NOISE and off * abs(value) * NEARER <= abs(finding.difference):
            return f"{one} is nearer: {rounding.text(found.value, 5)}"
    return ""


# -- values and noise ------------------------------------------------------------------------------


def known(layer: Layer, law: Normal, wanted: Quantity) -> Known:
    """Return a quantity of a layer as the best engine has it."""
    row = LayerResult(layer, **{d: _estimate(layer, law, d) if d in wanted.directions else None for d in DIRECTIONS})
    used = [estimate for estimate in (row.forward, row.backward) if estimate]
    worst = next((estimate for estimate in used if estimate.status != OK), used[0])
    sampled = any(estimate.error_kind == STANDARD_ERROR for estimate in used)
    return Known(wanted.of(row), sampled, worst.status, worst.reason)


@functools.lru_cache(maxsize=4096)
def _estimate(layer: Layer, law: Normal, direction: str) -> Estimate:
    request = Request(direction, law.mean, law.std, workers=1)
    return getattr(pipeline.run(request, [layer]).layers[0], direction)


def noise(layer: Layer, law: Normal, wanted: Quantity, *, wide: bool = False) -> float | None:
    """Return the standard error of a quantity from a single draw, as Monte Carlo states it; n draws have 1/sqrt(n).

    None where none can be stated; of a layer that takes many numbers a draw, only if ``wide``.
    """
    rows = _rows(layer, wide=wide)
    if rows is None:
        return None
    found = {d: _sample(layer, law, d, rows) if d in wanted.directions else None for d in DIRECTIONS}
    if any(found[d] is None for d in wanted.directions):
        return None
    error = wanted.of(LayerResult(layer, **found)).error
    return error * math.sqrt(rows) if error else None


def _rows(layer: Layer, *, wide: bool) -> int | None:
    """Return how many draws to take for a standard error; None where that would be too few, or too much work."""
    try:
        numbers = layer.draws()
    except Unsupported:
        return None
    if _NUMBERS // numbers >= _FEWEST_ROWS:
        return min(_MOST_ROWS, _NUMBERS // numbers)
    return _FEWEST_ROWS if wide and _FEWEST_ROWS * numbers <= _MOST_NUMBERS else None


@functools.lru_cache(maxsize=4096)
def _sample(layer: Layer, law: Normal, direction: str, rows: int) -> Estimate | None:
    request = Request(direction, law.mean, law.std, engine.sampler(), samples=rows, workers=1)
    try:
        return getattr(pipeline.run(request, [layer]).layers[0], direction)
    except RequestError:  # a layer that is too large to simulate has no noise to state
        return None
