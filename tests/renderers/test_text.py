"""Text: golden files for pipes, aligned columns, a table on terminals, asides left to stderr."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from normcal import discover, renderer
from normcal.renderers import text
from normcal.renderers.text import RENDERER
from normcal.report import Number, Paragraph, Report, Table, View
from normcal.value import Value
from tests.renderers import files, samples

REPORTS = samples.reports()
ESCAPE = re.compile(r"\x1b\[[\d;]*m")
#: Formats of any report: the others hold constants alone, or findings, which are no file.
REPORTING = [
    name
    for name in discover.names("renderers")
    if renderer.get(name).suffixes and not isinstance(renderer.get(name), renderer.ConstantsRenderer)
]
COLOUR = View(terminal=True, color=True, width=200)
PLAIN = View(terminal=True, color=False, width=200)


@pytest.mark.parametrize("name", REPORTS)
def test_golden(golden, name):
    golden(f"renderers/golden/{name}.txt", samples.steady(RENDERER.render(REPORTS[name], View())))


@pytest.mark.parametrize("name", REPORTS)
def test_a_pipe_gets_no_escapes_boxes_or_trailing_blanks(name):
    text = RENDERER.render(REPORTS[name], View())
    assert "\x1b" not in text
    assert not re.search("[\u2500-\u257f]", text)
    assert all(line == line.rstrip() for line in text.splitlines())


def test_columns_are_aligned_numbers_right_and_words_left():
    shown = Table(
        ("word", "number"), (("a", Number(Value(1.5, 0.0))), ("long", Number(Value(10.25, 0.0)))), words=("word",)
    )
    assert RENDERER.render(Report({}, [], (shown,)), View()) == "word  number\na        1.5\nlong   10.25\n"


def test_asides_are_left_to_stderr():
    report = REPORTS["by_direction"]
    text = RENDERER.render(report, View())
    assert len(report.asides) == 2
    assert not any(aside in text for aside in report.asides)
    assert "an aside" not in RENDERER.render(REPORTS["prose"], View())
    assert "- second" in RENDERER.render(REPORTS["prose"], View())


@pytest.mark.parametrize("name", REPORTS)
def test_a_terminal_gets_every_word_that_a_pipe_gets(name):
    piped = RENDERER.render(REPORTS[name], View()).split()
    shown = ESCAPE.sub("", RENDERER.render(REPORTS[name], COLOUR)).split()
    rule = re.compile("[\u2500-\u257f-]+")
    assert [word for word in piped if not rule.fullmatch(word)] == [word for word in shown if not rule.fullmatch(word)]


def test_a_terminal_gets_a_box_and_colour():
    text = RENDERER.render(REPORTS["by_direction"], COLOUR)
    assert ESCAPE.search(text)
    assert "\u2500" in text


@pytest.mark.parametrize("name", REPORTS)
def test_without_colour_there_is_no_escape_at_all(name):
    text = RENDERER.render(REPORTS[name], PLAIN)
    assert "\x1b" not in text
    assert text == ESCAPE.sub("", text)


@pytest.mark.parametrize("width", [40, 60, 80, 132])
def test_a_terminal_is_never_overrun_and_no_number_is_broken(width):
    text = RENDERER.render(REPORTS["by_direction"], View(terminal=True, width=width))
    assert all(len(line) <= width for line in text.splitlines())
    assert not [line for line in text.splitlines() if re.fullmatch(r"[\s\d.]*\d[\s\d.]*", line)]


@pytest.mark.parametrize("text", ["[bold]x[/bold]", "[red]", "[/]", ":smile:", "\\[x]"])
def test_text_that_looks_like_markup_stays_text(text):
    shown = Report({}, [], (Paragraph(text), Table(("w",), ((text,),), words=("w",))))
    assert RENDERER.render(shown, PLAIN).count(text) == 2


@pytest.mark.parametrize("format", REPORTING)
@pytest.mark.parametrize("name", REPORTS)
def test_every_format_ends_in_one_newline(format, name):
    text = renderer.get(format).render(REPORTS[name], View())
    assert text.endswith("\n") and not text.endswith("\n\n")


@pytest.mark.parametrize("format", discover.names("renderers"))
def test_a_format_is_named_after_its_file_and_claims_suffixes_in_lower_case(format):
    found = renderer.get(format)
    assert found.name == format
    assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in found.suffixes)


@pytest.mark.parametrize("format", REPORTING)
def test_only_formats_for_people_round(format):
    found = renderer.get(format)
    rounded = found.render(REPORTS["by_direction"], View(digits=2))
    assert (rounded != found.render(REPORTS["by_direction"], View())) == found.rounds


@pytest.mark.parametrize("flat", [True, False], ids=["flat", "nested"])
def test_golden_constants(golden, flat):
    text = samples.steady(RENDERER.constants(samples.constants(flat=flat)))
    golden(f"renderers/golden/constants_{'flat' if flat else 'nested'}.txt", text)


def test_a_row_of_constants_is_one_line_whatever_its_name():
    document = files.of_numbers(dict.fromkeys(files.NAMES, 0.5))
    lines = RENDERER.constants(document).splitlines()
    assert sum("closed-form" in line for line in lines) == len(document.rows) + 1


CELLS = st.text("ab c-é漢=(),.\n", max_size=12)


@settings(derandomize=True, database=None, deadline=None)
@given(rows=st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=6))
def test_a_table_is_measured_by_its_longest_cells_as_if_by_all(rows):
    table = Table(("layer", "fwd mean", "engine"), tuple(rows), words=("layer", "engine"))
    console = Console(width=60)
    whole = console.measure(text._rich_table(table, PLAIN), options=console.options.update(width=10_000))
    assert text._widths(table, PLAIN, console) == (whole.minimum, whole.maximum)
