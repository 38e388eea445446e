"""Markdown: golden files, tables that hold together, formulas in LaTeX."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from normcal.renderers.markdown import RENDERER
from normcal.report import Formula, Number, Report, Table, View
from normcal.result import STANDARD_ERROR
from normcal.value import Value
from tests.renderers import files, samples

REPORTS = samples.reports()


def table(text):
    """Read the first table: rows of cells, split at bars that are not escaped."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


@pytest.mark.parametrize("name", REPORTS)
def test_golden(golden, name):
    golden(f"renderers/golden/{name}.md", samples.steady(RENDERER.render(REPORTS[name], View())))


@pytest.mark.parametrize("name", REPORTS)
def test_every_table_is_rectangular_under_a_rule(name):
    text = RENDERER.render(REPORTS[name], View())
    for block in re.split(r"\n\n+", text):
        if block.startswith("|"):
            rows = table(block)
            assert len({len(row) for row in rows}) == 1
            assert all(re.fullmatch(r"-{2,}:?", cell) for cell in rows[1])


def test_a_table_is_set_apart_by_blank_lines():
    assert re.search(r"\n\n\| ", RENDERER.render(REPORTS["by_layer"], View()))


def test_numbers_are_right_aligned_and_words_left():
    header, rule, *_ = table(RENDERER.render(REPORTS["by_direction"], View()))
    aligned = dict(zip(header, rule, strict=True))
    assert aligned["std"].endswith(":")
    assert not aligned["layer"].endswith(":")


def test_numbers_are_rounded_as_asked_and_as_their_error_allows():
    rows = table(RENDERER.render(REPORTS["by_direction"], View(digits=4)))
    exact = next(row for row in rows if row[:2] == ["leaky_relu(negative_slope=0.25)", "forward"])
    assert exact[2:4] == ["0.2992", "0.6653"]
    sampled = next(row for row in rows if row[0].startswith("max_pool"))
    assert sampled[2] == "1.26731 ± 0.00064" or re.fullmatch(r"1\.267 ± 0\.00\d+", sampled[2])


def test_absent_numbers_are_empty_cells():
    rows = table(RENDERER.render(REPORTS["by_direction"], View()))
    undefined = next(row for row in rows if row[:2] == ["relu", "backward"])
    assert undefined[2:7] == [""] * 5


def test_formulas_are_latex():
    text = RENDERER.render(REPORTS["prose"], View())
    assert "$$\n\\max(0, x)\n$$" in text
    assert r"\sqrt{1/2}" in text


def test_a_bar_in_a_formula_breaks_no_table():
    shown = Table(("f",), ((Formula("", r"|y|"),),), words=("f",))
    (_, _, (cell,)) = table(RENDERER.render(Report({}, [], (shown,)), View()))
    assert cell.count(r"\vert") == 2


def test_the_norm_in_a_formula_is_not_torn_into_a_line_break():
    shown = Table(("f",), ((Formula("", r"\|x\|"),),), words=("f",))
    (_, _, (cell,)) = table(RENDERER.render(Report({}, [], (shown,)), View()))
    assert r"\\" not in cell


@settings(derandomize=True, database=None, deadline=None)
@given(words=st.lists(st.text(), min_size=1, max_size=3))
def test_no_text_breaks_a_table(words):
    shown = Table(tuple("abc"[: len(words)]), (tuple(words),), words=tuple("abc"))
    lines = RENDERER.render(Report({}, [], (shown,)), View()).split("\n")
    assert len(lines) == 3 + 1
    assert len(re.findall(r"(?<!\\)\|", lines[2])) == len(words) + 1


def test_a_sampled_number_is_shown_with_its_error():
    shown = Table(("x",), ((Number(Value(0.5, 0.01), STANDARD_ERROR),),))
    assert "0.500 ± 0.010" in RENDERER.render(Report({}, [], (shown,)), View())


@pytest.mark.parametrize("flat", [True, False], ids=["flat", "nested"])
def test_golden_constants(golden, flat):
    text = samples.steady(RENDERER.constants(samples.constants(flat=flat)))
    golden(f"renderers/golden/constants_{'flat' if flat else 'nested'}.md", text)


def test_a_comment_ends_where_it_should_and_no_text_opens_another():
    for document in (files.hostile(), files.of_numbers(dict.fromkeys(files.NAMES, 0.5))):
        lines = RENDERER.constants(document).split("\n")
        head = lines[: lines.index("")]
        assert all(line.startswith("<!-- ") and line.endswith(" -->") and line.count("-->") == 1 for line in head)
        assert not re.search(r"(?<!\\)[<`$~]", "\n".join(lines[len(head) :]))


def test_every_row_of_constants_has_as_many_cells_as_the_head():
    document = files.of_numbers(dict.fromkeys(files.NAMES, 0.5))
    rows = [line for line in RENDERER.constants(document).split("\n") if line.startswith("|")]
    assert len(rows) == len(document.rows) + 2
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {6}


STARS = {
    "one star": ("2 * x", "2 * x"),
    "two stars": ("a * b * c", r"a \* b \* c"),
    "stars in code": ("`a * b * c` is longer", "`a * b * c` is longer"),
    "stars beside code": ("*a* and `b * c`", r"\*a\* and `b * c`"),
}


@pytest.mark.parametrize("case", STARS)
def test_stars_of_a_cell_are_stars_and_no_italics(case):
    cell, shown = STARS[case]
    report = Report({}, [], [Table(("what",), [(cell,)])])
    assert table(RENDERER.render(report, View()))[2] == [shown]
