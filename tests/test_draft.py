"""Drafts: the text is what the format writes, and the figures stand exactly where its numbers are."""

import dataclasses
import json

import pytest

from normcal import catalog, comparison, draft, pipeline, renderer, summary
from normcal.constants import ERROR, NUMBER, WORD, Cell, Column, Constants, Row
from normcal.draft import TOKEN
from normcal.errors import RequestError
from normcal.law import Normal
from normcal.report import View
from normcal.request import Request
from normcal.value import Value
from tests.renderers import files, samples

FORMATS = [name for name in renderer.names() if name != "github"]
CASES = [
    pytest.param(name, layout, flat, id=f"{name}-{layout or 'only'}-{'flat' if flat else 'nested'}")
    for name in FORMATS
    for layout in renderer.get(name).layouts or (None,)
    for flat in (True, False)
]
REPORTING = [name for name in FORMATS if renderer.get(name).suffixes]


def rows(count: int, text: str = "0.5") -> Constants:
    """Return a file of so many rows."""
    layer = catalog.layer("relu")
    cells = [
        Row(
            f"row_{i}",
            layer,
            (Cell(text, value=Value(0.5, 0.0), size=0.5),),
            Cell("closed-form", WORD),
            Cell("0", ERROR),
        )
        for i in range(count)
    ]
    return Constants("X", (Column("std", "forward.std", "std"),), tuple(cells), Normal())


def texts(found: draft.Draft) -> list[str]:
    return [found.text[figure.start : figure.end] for figure in found.figures]


# -- constants


@pytest.mark.parametrize(("name", "layout", "flat"), CASES)
def test_a_draft_reads_as_the_format_writes_it(name, layout, flat):
    document = samples.constants(layout, flat=flat)
    render = renderer.get(name).constants
    assert draft.of_constants(document, render).text == render(document)


@pytest.mark.parametrize(("name", "layout", "flat"), CASES)
def test_a_figure_covers_its_cell_and_nothing_else(name, layout, flat):
    document = samples.constants(layout, flat=flat)
    found = draft.of_constants(document, renderer.get(name).constants)
    assert texts(found) == [figure.cell.text for figure in found.figures]
    ends = [0, *(figure.end for figure in found.figures)]
    assert all(end <= figure.start for end, figure in zip(ends[:-1], found.figures, strict=True))
    assert all(
        TOKEN.fullmatch(text) for text, f in zip(texts(found), found.figures, strict=True) if f.cell.role == NUMBER
    )


@pytest.mark.parametrize(("name", "layout", "flat"), CASES)
def test_every_number_of_a_file_is_a_figure(name, layout, flat):
    document = samples.constants(layout, flat=flat)
    found = draft.of_constants(document, renderer.get(name).constants)
    written = {(figure.row, figure.column): figure.cell for figure in found.figures if figure.cell.role == NUMBER}
    present = {
        (row.name, column.name): cell
        for cell, row, column in document.cells()
        if column is not None and cell.role == NUMBER and not cell.absent
    }
    assert written == present


@pytest.mark.parametrize(("name", "layout", "flat"), CASES)
def test_a_draft_can_be_written_with_other_numbers_in_its_figures(name, layout, flat):
    document = samples.constants(layout, flat=flat)
    found = draft.of_constants(document, renderer.get(name).constants)
    assert found.rewrite({}) == found.text
    for index, figure in enumerate(found.figures):
        if figure.cell.role == NUMBER:
            other = found.rewrite({index: "9.25"})
            assert other.count("9.25") == found.text.count("9.25") + 1
            again = draft.of_constants(
                document.with_texts(
                    ["9.25" if cell is figure.cell else cell.text for cell, _, _ in document.cells()]
                ),
                renderer.get(name).constants,
            )  # fmt: skip
            assert again.text == other
            break


@pytest.mark.parametrize("name", FORMATS)
def test_a_word_about_the_numbers_is_text_and_one_about_the_engine_a_figure(name):
    document = files.of_words()
    found = draft.of_constants(document, renderer.get(name).constants)
    columns = {figure.column for figure in found.figures}
    assert {"forward_gain", "forward_engine", "forward_error_mean"} <= columns
    assert "forward_status" not in columns


@pytest.mark.parametrize("name", ["python", "json", "csv"])
def test_more_cells_than_one_page_of_stand_ins_are_told_apart(name):
    document = rows(1500)
    found = draft.of_constants(document, renderer.get(name).constants)
    assert len(document.cells()) > 4096
    numbers = [figure.row for figure in found.figures if figure.cell.role == NUMBER]
    assert numbers == [f"row_{i}" for i in range(1500)]


def test_a_text_too_short_for_a_stand_in_is_no_figure():
    found = draft.of_constants(rows(3, "5"), renderer.get("python").constants)
    assert found.text == renderer.get("python").constants(rows(3, "5"))
    assert not [figure for figure in found.figures if figure.cell.role == NUMBER]


@pytest.mark.parametrize(
    "recast",
    [
        lambda text: text[:3],
        lambda text: text.replace(".", ","),
        lambda text: f"{len(text)}",
        lambda text: text + text[:1],
        lambda text: text[::-1],
        lambda text: text.rstrip("3"),
    ],
    ids=["cut", "comma", "length", "doubled", "backwards", "stripped"],
)
def test_a_template_that_recasts_numbers_is_drafted_as_plain_text(recast):
    document = samples.constants(flat=True)

    def render(of):
        return "".join(f"{row.name} {recast(row.cells[0].text)}\n" for row in of.rows)

    found = draft.of_constants(document, render)
    assert found.text == render(document)
    assert texts(found) == [figure.cell.text for figure in found.figures]
    assert found.rewrite({}) == found.text


@pytest.mark.parametrize("intruder", ["\U000f0000\U000f8000", "\U000f7fff\U000f9fff\U000fff00", "\U000fff00"])
def test_a_header_that_looks_like_a_stand_in_does_no_harm(intruder):
    document = samples.constants(header=(intruder,))
    render = renderer.get("python").constants
    found = draft.of_constants(document, render)
    assert found.text == render(document)
    assert texts(found) == [figure.cell.text for figure in found.figures]


@pytest.mark.parametrize("name", FORMATS)
def test_names_and_numbers_of_whatever_kind_stay_apart(name):
    for count, names in ((1, files.NAMES), (0, ("a", "b"))):
        numbers = {key: 0.5 + i for i, key in enumerate(names)} if count else dict(zip(names, (1.0, 1.0), strict=True))
        document = files.of_numbers(numbers)
        try:
            text = renderer.get(name).constants(document)
        except RequestError:  # names that a format has no way to write
            continue
        found = draft.of_constants(document, renderer.get(name).constants)
        assert found.text == text
        assert texts(found) == [figure.cell.text for figure in found.figures]
        rows_ = [figure.row for figure in found.figures if figure.cell.role == NUMBER]
        assert rows_ == list(names)
        assert comparison.compare(found, text).verdict == comparison.AGREE


def test_plain_text_has_no_figures():
    found = draft.plain("a 0.5\n")
    assert (found.text, found.figures, found.rewrite({0: "x"})) == ("a 0.5\n", (), "a 0.5\n")


# -- reports


@pytest.fixture(scope="module")
def report():
    specs = ("relu", "max_pool1d", "silu", "selu", "softmax(n=10)")
    return summary.by_layer(pipeline.run(Request(), [catalog.layer(one) for one in specs]))


@pytest.mark.parametrize("digits", [None, 4])
@pytest.mark.parametrize(
    "name", [name for name in REPORTING if renderer.get(name).rounds or name in ("json", "yaml", "csv")]
)
def test_the_numbers_of_a_report_are_found_in_every_format(report, name, digits):
    text = renderer.get(name).render(report, View(digits))
    found = draft.of_report(report, text, digits)
    assert found.text == text
    assert texts(found) == [figure.cell.text for figure in found.figures]
    assert found.rewrite({}) == text
    values = {figure.cell.value.value for figure in found.figures if figure.cell.role == NUMBER}
    for row in report.data["layers"]:
        own = {row["forward"]["mean"], row["forward"]["std"], row["backward"]["std"]} - {0.0, 1.0}
        assert {value for value in own if abs(value) > 1e-15} <= values  # a value that its error swallows is written 0
    assert all(figure.cell.text for figure in found.figures)


@pytest.mark.parametrize("name", ["text", "markdown", "json", "yaml", "csv"])
def test_the_numbers_of_names_are_none_of_the_figures(report, name):
    text = renderer.get(name).render(report, View())
    found = draft.of_report(report, text)
    assert "max_pool1d" in text or "ndim=1" in text
    for figure in found.figures:
        before, after = text[figure.start - 1 : figure.start], text[figure.end : figure.end + 1]
        assert not before.isalnum() and before not in ("_", ".")
        assert not after.isalnum() and after != "_"


def test_of_two_values_that_read_alike_the_one_that_is_known_better_decides():
    data = {"layers": [{"spec": "a", "x": 0.5, "x_error": 1e-3}, {"spec": "b", "x": 0.5, "x_error": 1e-15}]}
    report = dataclasses.replace(summary.by_layer(samples.Result(())), data=data)
    found = draft.of_report(report, json.dumps(data))
    decided = {figure.cell.value for figure in found.figures if figure.cell.text == "0.5"}
    assert decided == {Value(0.5, 1e-15)}


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("max_pool1d 1.5 x2 3x", ["1.5"]),
        ("-1.5e-16,+2. ~3", ["-1.5e-16", "+2.", "~3"]),
        ("1.2.3 1.2. a-1 a1", ["1.2", "1"]),
        ("(0.5)[.5]{5.}", ["0.5", ".5", "5."]),
        ("\u0661.5 \uff11", []),
        ("1e5 1e+05 1e 1e5x", ["1e5", "1e+05"]),
    ],
)
def test_a_number_of_a_text_is_one_where_no_word_goes_on(text, tokens):
    assert [match[0] for match in TOKEN.finditer(text)] == tokens


@pytest.mark.parametrize(
    "line", ["1" * 100_000 + "a", "1." * 50_000, "-" * 100_000, " " * 100_000, "1e" * 50_000, "~" * 100_000]
)
def test_numbers_are_looked_for_in_time_that_grows_with_the_line(line):
    assert len(TOKEN.sub("#", line * 10)) <= len(line) * 10
