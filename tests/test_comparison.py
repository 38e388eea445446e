"""Files against drafts: what agrees stays, what does not is named, and no file whatever does more than disagree."""

import dataclasses
import functools
import json
import math
import random
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from normcal import __version__, catalog, comparison, draft, pipeline, renderer, summary
from normcal.comparison import AGREE, CHANGED, DISAGREE, MISSING, SURPLUS, UNDECIDED, WIDE
from normcal.constants import AS_ERROR, ERROR, NUMBER, WORD, Cell, Column, Constants, Row, literal, span
from normcal.draft import TOKEN
from normcal.law import Normal
from normcal.renderer import ConstantsRenderer
from normcal.report import View
from normcal.request import Request
from normcal.result import BOUND, STANDARD_ERROR
from normcal.value import Value
from tests.renderers import samples

STEADY = settings(derandomize=True, database=None, deadline=None, max_examples=25)
FORMATS = [name for name in renderer.names() if name != "github"]
CASES = [
    pytest.param(name, layout, flat, id=f"{name}-{layout or 'only'}-{'flat' if flat else 'nested'}")
    for name in FORMATS
    for layout in renderer.get(name).layouts or (None,)
    for flat in (True, False)
]
#: Seconds that a hostile file may take; what is not linear in its length takes hours.
SECONDS = 5.0


def cell(value, error, kind=BOUND, digits=None, size=None) -> Cell:
    found = Value(value, error)
    text = literal(found, kind, digits)
    return Cell(text, NUMBER, found, kind, abs(value) if size is None else size, "", span(found, kind, digits))


@functools.cache
def drafted(name: str, layout: str | None = None, flat: bool = False) -> draft.Draft:
    return draft.of_constants(samples.constants(layout, flat=flat), renderer.get(name).constants)


def document(count: int, values=None, error: float = 1e-16, text=repr) -> Constants:
    """Return a file of so many rows of two columns."""
    rng = random.Random(1)
    layer, columns = catalog.layer("relu"), [Column(f"c{i}", "forward.std", "std") for i in range(2)]
    rows = []
    for i in range(count):
        numbers = [rng.uniform(0.5, 1.5) if values is None else values[i] for _ in columns]
        cells = tuple(Cell(text(x), value=Value(x, error * x), size=x) for x in numbers)
        rows.append(Row(f"row_{i}", layer, cells, Cell("closed-form", WORD), Cell("2e-16", ERROR, Value(error, 0.0))))
    bound = Cell("2e-16", ERROR, Value(error, 0.0))
    return Constants("X", tuple(columns), tuple(rows), Normal(), engines=Cell("closed-form", WORD), bound=bound)


# -- one number

EXACT = cell(0.5838193701035489, 1e-15)
FOUR = cell(0.5838193701035489, 1e-15, digits=4)
SAMPLED = cell(0.5838, 1e-3, STANDARD_ERROR)
JUDGED = [
    # id, cell, what the file has, the relative error that it states, verdict
    ("same-text", EXACT, "0.5838193701035489", None, AGREE),
    ("within-the-bound", EXACT, "0.5838193701035496", None, AGREE),
    ("beyond-the-bound", EXACT, "0.583819370103551", None, DISAGREE),
    ("within-the-errors-of-both", EXACT, "0.583819370103551", 1e-14, AGREE),
    ("more-digits-of-a-double", EXACT, "0.58381937010354890", None, AGREE),
    ("fewer-digits-than-a-double", EXACT, "0.58381937", None, DISAGREE),
    ("fewer-digits-that-are-still-the-value", cell(0.5, 1e-16), "0.500", None, AGREE),
    ("negative", EXACT, "-0.5838193701035489", None, DISAGREE),
    ("four-digits", FOUR, "0.5838", None, AGREE),
    ("last-of-four-digits", FOUR, "0.5839", None, DISAGREE),
    ("three-of-four-digits", FOUR, "0.584", None, DISAGREE),
    ("more-than-four-digits", FOUR, "0.58382", None, DISAGREE),
    ("zeros-behind-four-digits", FOUR, "0.583800", None, AGREE),
    ("rounding-at-the-edge", cell(0.58385, 1e-9, digits=4), "0.5838", None, AGREE),
    ("rounding-at-the-edge-the-other-way", cell(0.58385, 1e-9, digits=4), "0.5839", None, AGREE),
    ("digits-that-end-in-zeros", cell(0.50000000001, 1e-16, digits=4), "0.5", None, AGREE),
    ("digits-that-end-in-zeros-tampered", cell(0.50000000001, 1e-16, digits=4), "0.5004", None, DISAGREE),
    ("digits-just-below-zeros", cell(0.500049999999, 1e-16, digits=4), "0.5", None, AGREE),
    ("error-digits", cell(0.5838193701, 1e-9, digits=AS_ERROR), "0.58381937", None, AGREE),
    ("one-error-digit-fewer", cell(0.5838193701, 1e-9, digits=AS_ERROR), "0.5838194", None, AGREE),
    ("one-error-digit-more", cell(0.5838193701, 1e-9, digits=AS_ERROR), "0.583819371", None, AGREE),
    ("three-error-digits-more", cell(0.5838193701, 1e-9, digits=AS_ERROR), "0.58381937011", None, DISAGREE),
    ("error-digits-tampered", cell(0.5838193701, 1e-9, digits=AS_ERROR), "0.58381939", None, DISAGREE),
    ("sampled-same-text", SAMPLED, SAMPLED.text, None, AGREE),
    ("sampled-within-4-standard-errors", SAMPLED, "0.587", None, AGREE),
    ("sampled-beyond-4-standard-errors", SAMPLED, "0.589", None, DISAGREE),
    ("sampled-beyond-4-but-not-of-both", SAMPLED, "0.5885", 0.001, AGREE),
    ("sampled-too-wide", cell(0.58, 0.02, STANDARD_ERROR), "0.61", None, UNDECIDED),
    ("sampled-too-wide-and-yet-wrong", cell(0.58, 0.02, STANDARD_ERROR), "0.9", None, DISAGREE),
    ("sampled-too-wide-but-the-same", cell(0.58, 0.02, STANDARD_ERROR), "0.58", None, AGREE),
    ("stated-too-wide-excuses-nothing", EXACT, "0.6", 0.1, DISAGREE),
    ("sampled-and-stated-too-wide", cell(0.58, 1e-4, STANDARD_ERROR), "0.6", 0.1, UNDECIDED),
    ("sampled-and-stated-too-wide-and-yet-wrong", cell(0.58, 1e-4, STANDARD_ERROR), "0.98", 0.1, DISAGREE),
    ("no-error-known", cell(0.58, None), "0.6", None, UNDECIDED),
    ("no-error-known-but-the-same", cell(0.58, None), "0.58", None, AGREE),
    ("zero", cell(0.0, 0.0), "0.0", None, AGREE),
    ("minus-zero", cell(0.0, 0.0), "-0.0", None, AGREE),
    ("not-quite-zero", cell(0.0, 0.0), "1.0e-320", None, DISAGREE),
    ("swallowed", cell(3e-18, 1e-16, size=1.0), "0.0", None, AGREE),
    ("swallowed-elsewhere", cell(3e-18, 1e-16, size=1.0), "5.0e-17", None, AGREE),
    ("swallowed-tampered", cell(3e-18, 1e-16, size=1.0), "0.4", None, DISAGREE),
    ("swallowed-tampered-a-little", cell(3e-18, 1e-16, size=1.0), "1.0e-15", None, DISAGREE),
    ("subnormal", cell(5e-324, 0.0), "5.0e-324", None, AGREE),
    ("exponent", cell(1.5e-16, 1e-30), "1.5E-16", None, AGREE),
    ("beyond-a-double", EXACT, "1.0e999999", None, DISAGREE),
    ("absent-is-a-number", Cell("", value=Value()), "0.5", None, DISAGREE),
]  # fmt: skip
#: What is no number as the formats write them.
GARBAGE = (
    "", "nan", "NaN", "inf", "-inf", "Infinity", "None", "null", "1", "1.", ".5838193701035489", "+0.5838193701035489",
    "~0.5838193701035489", "0,5838193701035489", "00.5838193701035489", "0.5838193701035489f", "0x1p-1", "0.5838_1937",
    "\u0660.5838193701035489", "\uff10.5838193701035489", "0.5838193701035489 ", "1e5", "--0.5", "0.5.5", "x", "1.0e",
    "1.0e+", "9" * 100_000, "\x00", "\U000f0000",
)  # fmt: skip


@pytest.mark.parametrize(
    ("cell", "written", "stated", "verdict"), [one[1:] for one in JUDGED], ids=[one[0] for one in JUDGED]
)
def test_a_number_is_judged_by_its_writing_and_the_errors(cell, written, stated, verdict):
    found = comparison.judge(cell, written, stated)
    assert found.verdict == verdict
    assert found.score is None or (math.isfinite(found.score) and (found.score <= 1.0) == (verdict != DISAGREE))
    json.dumps(found.score, allow_nan=False)


@pytest.mark.parametrize("written", GARBAGE, ids=lambda text: repr(text[:24]))
def test_what_is_no_number_of_the_format_disagrees(written):
    found = comparison.judge(EXACT, written)
    assert (found.verdict, found.score) == (DISAGREE, None)
    assert found.reason


@pytest.mark.parametrize("written", ["0." + "5" * 100_000, "1.0e" + "9" * 100_000, "1.0e-" + "9" * 100_000])
def test_a_number_of_endless_digits_disagrees(written):
    found = comparison.judge(EXACT, written)
    assert found.verdict == DISAGREE
    assert found.score is None or math.isfinite(found.score)


@STEADY
@given(value=st.floats(1e-6, 1e6), exponent=st.floats(-15.5, -4.0), part=st.floats(-3.0, 3.0))
def test_no_difference_beyond_the_errors_agrees_and_none_within_disagrees(value, exponent, part):
    error = value * 10.0**exponent
    wanted = cell(value, error)
    written = literal(Value(value + part * error, 0.0), BOUND)
    difference = abs(float(written) - value)
    slack = 2.0**-50 * value
    verdict = comparison.judge(wanted, written).verdict
    if difference > error + slack:
        assert verdict == DISAGREE
    elif difference < error - slack:
        assert verdict == AGREE


# -- whole files


@pytest.mark.parametrize(("name", "layout", "flat"), CASES)
def test_a_file_as_it_is_written_agrees_and_stays(name, layout, flat):
    found = drafted(name, layout, flat)
    compared = comparison.compare(found, found.text)
    assert compared.verdict == AGREE
    assert not compared.stale
    assert all(finding.score == 0.0 for finding in compared.findings)
    assert comparison.merged(found, found.text) is found.text


@pytest.mark.parametrize(("name", "layout", "flat"), CASES)
def test_every_number_that_is_changed_is_found_by_row_and_column(name, layout, flat):
    found = drafted(name, layout, flat)
    for figure in found.figures:
        if figure.cell.role != NUMBER or figure.cell.value.value == 0.0:
            continue
        wrong = literal(Value(figure.cell.value.value * 1.5, 0.0), BOUND, 6)
        text = found.text[: figure.start] + wrong + found.text[figure.end :]
        compared = comparison.compare(found, text)
        (finding,) = [one for one in compared.findings if one.verdict != AGREE]
        assert (finding.row, finding.column, finding.written) == (figure.row, figure.column, wrong)
        assert finding.line == found.text.count("\n", 0, figure.start) + 1
        assert finding.verdict in (DISAGREE, UNDECIDED)
        assert comparison.merged(found, text) == found.text


@pytest.mark.parametrize(("name", "layout", "flat"), CASES)
def test_what_still_agrees_stays_as_it_is_written(name, layout, flat):
    found = drafted(name, layout, flat)
    kept, text, shift = [], found.text, 0
    for figure in found.figures:
        value = figure.cell.value
        if figure.cell.role == NUMBER and figure.cell.kind == BOUND and value.value and figure.cell.text != "0.0":
            other = repr(math.nextafter(value.value, math.inf))
            if value.error and "e" not in other:
                text = text[: figure.start + shift] + other + text[figure.end + shift :]
                shift += len(other) - len(figure.cell.text)
                kept.append(other)
    assert kept
    assert comparison.compare(found, text).verdict == AGREE
    assert comparison.merged(found, text) is text
    damaged = text.replace(" normcal ", " nrmcal ", 1) if " normcal " in text else text + "surplus\n"
    again = comparison.merged(found, damaged)
    assert all(other in again for other in kept)
    assert comparison.merged(found, again) == again
    assert comparison.compare(found, again).verdict == AGREE


def test_padding_follows_the_numbers_that_stay():
    found = drafted("markdown", None, True)
    (figure,) = [f for f in found.figures if f.row == "leaky_relu" and f.cell.role == NUMBER]
    other = repr(math.nextafter(figure.cell.value.value, math.inf))
    text = found.text.replace(figure.cell.text, other).replace("tanh", "tnah")
    again = comparison.merged(found, text)
    table = [line for line in again.splitlines() if line.startswith("|")]
    assert other in again
    assert len({len(line) for line in table}) == 1


def test_a_number_that_agreed_by_an_old_error_does_not_stay_beside_a_new_one():
    found = draft.of_constants(document(1, [0.5]), renderer.get("python").constants)
    old = found.text.replace("0.5", "0.5000000001").replace("2e-16", "1e-09")
    assert comparison.compare(found, old).verdict == AGREE
    assert comparison.merged(found, old) is old
    again = comparison.merged(found, old.replace("Engines", "Enigmas"))
    assert again == found.text
    assert comparison.compare(found, again).verdict == AGREE


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        (lambda text: text.replace("\n", "\r\n"), AGREE),
        (lambda text: re.sub(r"(?m)$", "  ", text), AGREE),
        (lambda text: text.replace("2e-16", "3e-16"), AGREE),
        (lambda text: text.replace("2e-16", "9e-18"), DISAGREE),
        (lambda text: text.replace("2e-16", "9e-03"), DISAGREE),
        (lambda text: text.replace("2e-16", "0"), DISAGREE),
        (lambda text: text.replace("2e-16", "-1"), DISAGREE),
        (lambda text: text.replace("2e-16", "small"), DISAGREE),
        (lambda text: text.replace("closed-form", "quadrature"), AGREE),
        (lambda text: text.replace("closed-form", "closed-form, quadrature"), AGREE),
        (lambda text: text.replace("closed-form", "closed-form\rimport os"), DISAGREE),
        (lambda text: text.replace("closed-form", 'x"); evil("'), DISAGREE),
        (lambda text: text.replace("normcal 0", "normcal 9"), AGREE),
        (lambda text: "\ufeff" + text, DISAGREE),
        (lambda text: text + "\n", DISAGREE),
        (lambda text: text + "\n\n\n", DISAGREE),
        (lambda text: "\n" + text, DISAGREE),
        (lambda text: text.rstrip("\n"), DISAGREE),
        (lambda text: text + "import os\n", DISAGREE),
        (lambda text: "", DISAGREE),
        (lambda text: text * 2, DISAGREE),
        (lambda text: text.upper(), DISAGREE),
        (lambda text: re.sub(r"(?m)^    ", "  ", text), DISAGREE),
        (lambda text: re.sub(r"(?m)^    ", "\t", text), DISAGREE),
        (lambda text: text.replace(" ", ""), DISAGREE),
        (lambda text: text.replace(" ", "\r"), DISAGREE),
        (lambda text: text.replace(" ", "\x0c"), DISAGREE),
        (lambda text: text.replace(" ", "\u2028"), DISAGREE),
        (lambda text: text.replace(" ", "\xa0"), DISAGREE),
        (lambda text: text.replace('"row_1"', '"row_9"'), DISAGREE),
        (lambda text: text.replace("-", "--"), DISAGREE),
    ],
    ids=[
        "crlf", "trailing-blanks", "larger-error", "smaller-error", "far-larger-error", "no-error", "negative-error", "error-is-a-word",
        "another-engine", "another-engine-more", "code-behind-an-engine", "code-for-an-engine", "another-version",
        "byte-order-mark", "blank-line-behind", "blank-lines-behind", "blank-line-before", "no-line-end", "more-code",
        "empty", "twice", "capitals", "indentation", "tabs", "no-blanks", "returns-for-blanks", "feeds-for-blanks",
        "separators-for-blanks", "hard-blanks", "renamed-row", "signs",
    ],
)  # fmt: skip
def test_what_is_no_number_is_compared_too(change, verdict):
    found = draft.of_constants(document(3), renderer.get("python").constants)
    text = change(found.text)
    assert text != found.text
    compared = comparison.compare(found, text)
    assert compared.verdict == verdict
    again = comparison.merged(found, text)
    assert again == (text if verdict == AGREE else found.text)


@pytest.mark.parametrize(
    ("change", "verdicts"),
    [
        (lambda rows: rows[:1] + rows[2:], {MISSING}),
        (lambda rows: rows[1:], {MISSING}),
        (lambda rows: rows[:2] + rows[1:], {SURPLUS}),
        (lambda rows: [*rows, '    "more": 0.5,  # x'], {SURPLUS}),
        (lambda rows: [rows[1], rows[0], *rows[2:]], {MISSING, SURPLUS}),
        (lambda rows: [rows[0], rows[1].replace("row_1", "other"), *rows[2:]], {CHANGED}),
        (lambda rows: rows[::-1], {MISSING, SURPLUS, CHANGED}),
        (lambda rows: [], {MISSING}),
    ],
    ids=["missing", "first-missing", "twice", "surplus", "reordered", "renamed", "backwards", "none"],
)
def test_rows_that_are_missing_surplus_or_moved_are_named(change, verdicts):
    flat = samples.constants(flat=True)
    one = flat.rows[0]
    rows = tuple(dataclasses.replace(one, name=f"row_{i}") for i in range(5))
    found = draft.of_constants(dataclasses.replace(flat, rows=rows), renderer.get("python").constants)
    lines = found.text.split("\n")
    own = [i for i, line in enumerate(lines) if '"row_' in line]
    text = "\n".join([*lines[: own[0]], *change(lines[own[0] : own[-1] + 1]), *lines[own[-1] + 1 :]])
    compared = comparison.compare(found, text)
    assert compared.verdict == DISAGREE
    told = {finding.verdict for finding in compared.findings} - {AGREE}
    assert told
    assert told <= verdicts
    assert comparison.merged(found, text) == found.text
    assert MISSING not in told or all(f.row.startswith("row_") for f in compared.findings if f.verdict == MISSING)


@pytest.mark.parametrize("name", FORMATS)
def test_no_damage_does_more_than_disagree_and_none_is_overlooked(name):
    found = drafted(name)
    text = found.text
    spots = {i for figure in found.figures for i in range(figure.start, figure.end)}

    @STEADY
    @given(
        start=st.integers(0, len(text)),
        length=st.integers(0, 40) | st.just(len(text)),
        put=st.text(st.sampled_from("0123456789.e-+ \n\r\t,:\"'x#|&<\\"), max_size=6)
        | st.sampled_from(["\ufeff", "\x00"]),
    )
    def check(start, length, put):
        damaged = text[:start] + put + text[start + length :]
        compared = comparison.compare(found, damaged)
        json.dumps([finding.score for finding in compared.findings], allow_nan=False)
        again = comparison.merged(found, damaged)
        settled = comparison.compare(found, again)
        assert settled.verdict != DISAGREE
        if compared.verdict == AGREE:
            assert again is damaged
            touched = set(range(start, min(start + length, len(text)))) | ({start} if put else set())
            left = re.sub(r"[ \t\r]+", "", damaged) == re.sub(r"[ \t\r]+", "", text)
            assert left or touched & spots or start in {f.end for f in found.figures} or "--" in text
        else:
            assert comparison.merged(found, again) == again

    check()


@pytest.mark.parametrize("name", FORMATS)
def test_no_change_of_a_value_beyond_the_errors_agrees(name):
    found = drafted(name)
    numbers = [f for f in found.figures if f.cell.role == NUMBER and f.cell.kind == BOUND and f.cell.value.value]

    @STEADY
    @given(
        figure=st.sampled_from(numbers), factor=st.floats(0.0, 3.0), digits=st.integers(1, 17) | st.just("round-trip")
    )
    def check(figure, factor, digits):
        number = figure.cell.value.value * factor
        text = found.text[: figure.start] + literal(Value(number, 0.0), BOUND, digits) + found.text[figure.end :]
        compared = comparison.compare(found, text)
        written = float(literal(Value(number, 0.0), BOUND, digits))
        if abs(written - figure.cell.value.value) > WIDE * figure.cell.size:
            assert compared.verdict != AGREE

    check()


# -- time

HOSTILE = {
    "digits": lambda n: "1" * n,
    "digits-and-a-letter": lambda n: "1" * n + "a",
    "numbers": lambda n: "1.5 " * (n // 4),
    "numbers-with-commas": lambda n: "1.5, " * (n // 5),
    "points": lambda n: "1." * (n // 2),
    "blanks": lambda n: " " * n,
    "blanks-and-a-letter": lambda n: " " * n + "a",
    "rules": lambda n: "-" * n,
    "rules-and-a-letter": lambda n: "-" * n + "a",
    "bars": lambda n: "| " * (n // 2),
    "words": lambda n: "a, " * (n // 3),
    "returns": lambda n: "\r" * n,
    "lines": lambda n: "\n" * n,
    "numbers-on-lines": lambda n: "1.5\n" * (n // 4),
    "its-own-line": lambda n: "",
}


@pytest.mark.parametrize("name", ["python", "text"])
@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_hostile_line_is_compared_in_seconds(name, hostile):
    found = drafted(name)
    lines = found.text.split("\n")
    longest = max(range(len(lines)), key=lambda i: len(lines[i]))
    started = time.monotonic()
    for size, at in ((200_000, longest), (800, longest), (400, longest)):
        damaged = [*lines[:at], lines[at] + HOSTILE[hostile](size) + lines[at], *lines[at + 1 :]]
        assert comparison.compare(found, "\n".join(damaged)).verdict == DISAGREE
    assert time.monotonic() - started < SECONDS


@pytest.mark.parametrize("damage", ["none", "numbers", "cut", "shuffled", "all-alike"])
def test_files_of_many_rows_are_compared_in_seconds(damage):
    found = draft.of_constants(document(2000), renderer.get("python").constants)
    rng, lines = random.Random(3), found.text.split("\n")
    if damage == "numbers":
        lines = [line.replace("0.", "1.").replace("2e-16", "3e-16") for line in lines]
    elif damage == "cut":
        lines = [line for line in lines if rng.random() < 0.9]
    elif damage == "shuffled":
        rng.shuffle(lines)
    elif damage == "all-alike":
        lines = [lines[-10]] * len(lines)
    started = time.monotonic()
    compared = comparison.compare(found, "\n".join(lines))
    assert time.monotonic() - started < SECONDS
    assert compared.verdict == (AGREE if damage == "none" else DISAGREE)


def test_a_file_that_is_far_too_large_is_not_even_read_line_by_line():
    found = drafted("python")
    compared = comparison.compare(found, "x = 1\n" * 1_000_000)
    (finding,) = compared.findings
    assert "6_000_000 characters" in finding.reason
    assert comparison.merged(found, "x = 1\n" * 1_000_000) == found.text


# -- reports


@functools.cache
def table(name: str, specs: tuple[str, ...] = ("relu", "elu(alpha=0)", "max_pool1d", "silu")) -> draft.Draft:
    """Return the draft of a table that a command prints."""
    report = summary.by_layer(pipeline.run(Request(), [catalog.layer(spec) for spec in specs]))
    return draft.of_report(report, renderer.get(name).render(report, View()))


@pytest.mark.parametrize("name", [name for name in FORMATS if not isinstance(renderer.get(name), ConstantsRenderer)])
def test_every_number_of_a_table_that_is_changed_is_found(name):
    found = table(name)
    assert comparison.compare(found, found.text).verdict == AGREE
    errors = {figure.start for figure in found.figures if figure.cell.role == ERROR}
    assert not [start for start in errors if found.text[start - 1] in "(="], "a parameter is taken for an error"
    for match in TOKEN.finditer(found.text):
        if match.start() not in errors:
            text = found.text[: match.start()] + "0.123456" + found.text[match.end() :]
            assert comparison.compare(found, text).verdict == DISAGREE, text[match.start() - 40 : match.start() + 40]


@pytest.mark.parametrize("name", ["json", "yaml"])
def test_a_table_of_another_version_agrees(name):
    found = table(name)
    text = found.text.replace(f"normcal {__version__}", "normcal 9.9.9rc1")
    assert text != found.text
    assert comparison.compare(found, text).verdict == AGREE
    assert comparison.merged(found, text) is text
    other = found.text.replace(f"normcal {__version__}", "normcal; evil")
    assert comparison.compare(found, other).verdict == DISAGREE


@pytest.mark.parametrize("name", ["json", "text", "markdown"])
def test_a_table_from_another_machine_agrees_and_stays(name):
    found = table(name)
    text, shift = found.text, 0
    for figure in found.figures:
        value = figure.cell.value
        if figure.cell.role == NUMBER and value.value and value.error and figure.cell.text == repr(value.value):
            other = repr(math.nextafter(value.value, math.inf))
            text = text[: figure.start + shift] + other + text[figure.end + shift :]
            shift += len(other) - len(figure.cell.text)
    assert comparison.compare(found, text).verdict == AGREE
    assert comparison.merged(found, text) is text
