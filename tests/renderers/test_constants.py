"""Files of constants in every format: what the contract of a format promises, whatever the format."""

import itertools

import pytest

from normcal import renderer
from normcal.constants import Constants
from normcal.errors import RequestError
from normcal.renderer import ConstantsRenderer
from normcal.renderers import _code
from normcal.report import Report, View
from tests.program import invoke, succeed
from tests.renderers import files, samples

#: A template is the user's own, and github shows findings.
FORMATS = [name for name in renderer.names() if name not in ("template", "github")]
CASES = [
    pytest.param(name, layout, flat, id=f"{name}-{layout or 'only'}-{'flat' if flat else 'nested'}")
    for name in FORMATS
    for layout in renderer.get(name).layouts or (None,)
    for flat in (True, False)
]
CODE = [name for name in FORMATS if isinstance(renderer.get(name), _code.Code)]


def rendered(name: str, document: Constants) -> str:
    return renderer.get(name).constants(document)


def agree(before: str, after: str, pairs: list[tuple[str, str]]) -> bool:
    """Whether two texts are the same but for the places of cells, each as long as before."""
    back = dict(zip((new[:1] for _, new in pairs), (old for old, _ in pairs), strict=True))
    for sign, old in back.items():
        if sign:
            after = after.replace(sign * len(old), old)
    return before == after


@pytest.mark.parametrize(("name", "layout", "flat"), CASES)
def test_other_texts_in_the_cells_change_nothing_else(name, layout, flat):
    document = samples.constants(layout, flat=flat)
    other, pairs = files.replaced(document)
    before, after = rendered(name, document), rendered(name, other)
    assert len(before) == len(after)
    assert agree(before, after, pairs)


@pytest.mark.parametrize("name", FORMATS)
def test_words_and_errors_in_columns_are_cells_too(name):
    document = files.of_words()
    other, pairs = files.replaced(document)
    before, after = rendered(name, document), rendered(name, other)
    assert len(before) == len(after)
    assert agree(before, after, pairs)


@pytest.mark.parametrize(("name", "layout", "flat"), CASES)
def test_every_number_stands_in_the_file_as_it_was_written(name, layout, flat):
    document = samples.constants(layout, flat=flat)
    other, pairs = files.replaced(document)
    text = rendered(name, other)
    for cell, row, column in other.cells():
        if column and cell.text:
            assert cell.text in text, (row.name, column.name)
    assert len(pairs) == len(other.cells())


@pytest.mark.parametrize(("name", "layout", "flat"), CASES)
def test_lines_break_where_they_did_when_the_numbers_have_other_lengths(name, layout, flat):
    document = samples.constants(layout, flat=flat)
    for sizes in ((1, 2), (24, 30), (3, 60)):
        lengths = itertools.cycle(sizes)
        texts = ["x" * next(lengths) if cell.text else "" for cell, _, _ in document.cells()]
        other = rendered(name, document.with_texts(texts))
        assert other.count("\n") == rendered(name, document).count("\n")


@pytest.mark.parametrize(("name", "layout", "flat"), CASES)
def test_a_file_is_the_same_twice_and_ends_in_one_newline(name, layout, flat):
    text = rendered(name, samples.constants(layout, flat=flat))
    assert text == rendered(name, samples.constants(layout, flat=flat))
    assert text.endswith("\n")
    assert "\r" not in text


@pytest.mark.parametrize(("name", "layout", "flat"), [case for case in CASES if case.values[0] != "html"])
def test_hostile_headers_leave_no_control_character_and_break_no_line(name, layout, flat):
    quiet = samples.constants(layout, flat=flat, header=("harmless",) * len(files.HOSTILE), request=files.REQUEST)
    text = rendered(name, files.hostile(layout, flat=flat))
    assert not _code.UNSEEN.search(text.replace("\n", ""))
    assert len(text.splitlines()) == len(rendered(name, quiet).splitlines())


COMMENTED = [name for name in FORMATS if name not in ("json", "csv")]


@pytest.mark.parametrize("name", COMMENTED)
def test_the_request_is_read_back_from_the_comment_whatever_it_holds(name):
    text = rendered(name, samples.constants(header=("quiet",), request=files.REQUEST))
    assert files.request_in(text) == files.REQUEST


@pytest.mark.parametrize("name", [name for name in COMMENTED if name != "html"])
def test_a_header_is_not_taken_for_a_request(name):
    assert files.request_in(rendered(name, files.hostile())) == files.REQUEST


@pytest.mark.parametrize("name", [name for name in FORMATS if isinstance(renderer.get(name), ConstantsRenderer)])
def test_what_holds_no_constants_is_refused_with_the_formats_that_would_do(name):
    with pytest.raises(RequestError) as refusal:
        renderer.get(name).render(Report({}, [], ()), View())
    assert name in refusal.value.message
    assert "json" in refusal.value.hint


@pytest.mark.parametrize("name", FORMATS)
def test_compute_and_table_write_every_format(name, tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text("layers: [relu, tanh]\n")
    assert "relu" in succeed("compute", "relu", "gelu", "--format", name).stdout.lower()
    assert "tanh" in succeed("table", str(config), "--format", name).stdout.lower()


@pytest.mark.parametrize("name", FORMATS)
def test_a_suffix_picks_the_format(name, tmp_path):
    for suffix in renderer.get(name).suffixes:
        path = tmp_path / f"x{suffix}"
        succeed("compute", "relu", "-o", path)
        assert path.read_text(encoding="utf-8") == succeed("compute", "relu", "--format", name).stdout


@pytest.mark.parametrize("name", CODE)
@pytest.mark.parametrize("argv", [("layers",), ("explain", "relu", "--samples", "1000")], ids=lambda argv: argv[0])
def test_commands_without_constants_refuse_code(name, argv):
    result = invoke(*argv, "--format", name)
    assert result.exit_code == 2
    assert "holds constants" in result.output


#: (format, names, what the message holds)
NAMES = [
    *((name, "a-b", "'a-b' is no identifier") for name in CODE),
    *((name, "3x", "'3x' is no identifier") for name in CODE),
    *((name, "é", "'é' is no identifier") for name in CODE),
    *((name, "", "'' is no identifier") for name in CODE),
    ("python", "lambda", "'lambda' is a reserved word of python"),
    ("c", "double", "'double' is a reserved word of c"),
    ("c", "template", "'template' is a reserved word of c"),
    ("rust", "match", "'match' is a reserved word of rust"),
    ("javascript", "default", "'default' is a reserved word of javascript"),
    ("typescript", "enum", "'enum' is a reserved word of typescript"),
]


@pytest.mark.parametrize(("name", "bad", "message"), NAMES, ids=[f"{name}-{bad or 'empty'}" for name, bad, _ in NAMES])
def test_a_name_that_is_no_identifier_is_refused(name, bad, message):
    for act in (
        lambda: renderer.get(name).check_name(bad, "column"),
        lambda: rendered(name, samples.constants("mapping", flat=True, name=bad)),
    ):
        with pytest.raises(RequestError) as refusal:
            act()
        assert message in refusal.value.message
        assert "letters" in refusal.value.hint


@pytest.mark.parametrize("name", CODE)
@pytest.mark.parametrize(("row", "what"), [("a-b", "layer"), ("relu(x=1)", "layer"), ("é", "layer"), ("a b", "layer")])
def test_a_row_that_fits_into_no_identifier_is_refused(name, row, what):
    with pytest.raises(RequestError, match=f"The {what} "):
        rendered(name, files.of_numbers({row: 1.0}, layout="constants"))


@pytest.mark.parametrize("name", CODE)
def test_two_rows_that_join_to_one_constant_are_refused(name):
    with pytest.raises(RequestError, match=r"GAINS_RELU.*'relu'.*'ReLU'"):
        rendered(name, files.of_numbers({"relu": 1.0, "ReLU": 2.0}, layout="constants"))


@pytest.mark.parametrize("name", CODE)
def test_a_word_of_the_language_is_a_part_of_a_longer_name(name):
    text = rendered(name, files.of_numbers({"default": 1.0, "3": 2.0, "if": 3.0}, layout="constants"))
    assert "GAINS_DEFAULT" in text
    assert "GAINS_3" in text


@pytest.mark.parametrize("name", CODE)
def test_the_epilogue_ends_the_file_as_it_was_given(name):
    own = "first { line }\n\n  */ 'second'  \n"
    text = rendered(name, samples.constants(flat=True, epilogue=own))
    assert own.rstrip("\n") + "\n" in text
    assert len(rendered(name, samples.constants(flat=True))) < text.index(own[:5]) + 60


@pytest.mark.parametrize("name", ["yaml", "toml"])
def test_mappings_stand_at_the_top_where_the_config_gives_no_name(name):
    assert renderer.get(name).name_of(["gains"]) == ""


@pytest.mark.parametrize("name", CODE)
def test_code_is_called_by_its_words_in_capitals(name):
    assert renderer.get(name).name_of(["my", "gains"]) == "MY_GAINS"
