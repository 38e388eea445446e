"""LaTeX: golden files, what is escaped, and a document that compiles."""

import re

import pytest

from normcal.renderers.latex import RENDERER, _escaped
from normcal.report import Items, Paragraph, Report, Table, View
from tests.renderers import files, samples

REPORTS = samples.reports()


@pytest.mark.parametrize("name", REPORTS)
def test_golden(golden, name):
    golden(f"renderers/golden/{name}.tex", samples.steady(RENDERER.render(REPORTS[name], View())))


@pytest.mark.parametrize("flat", [True, False], ids=["flat", "nested"])
def test_golden_constants(golden, flat):
    text = samples.steady(RENDERER.constants(samples.constants(flat=flat)))
    golden(f"renderers/golden/constants_{'flat' if flat else 'nested'}.tex", text)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a_b & 50% #1 $x$ {y} ~ ^", r"a\_b \& 50\% \#1 \$x\$ \{y\} \textasciitilde{} \textasciicircum{}"),
        ("\\input{evil}", r"\textbackslash{}input\{evil\}"),
        ("--- --", "-{}-{}- -{}-"),
        ("[1pt] *", "{[}1pt{]} {*}"),
        ("<|>", r"\textless{}\textbar{}\textgreater{}"),
        ("0.39912 ± 0.00058", r"0.39912 $\pm$ 0.00058"),
        ("-1.0e-16", "-1.0e-16"),
        ("\x1b\u2028", r"\textbackslash{}u001b\textbackslash{}u2028"),
    ],
)
def test_text_is_set_as_it_is(text, written):
    assert _escaped(text) == written


def test_every_row_of_a_table_has_as_many_cells_as_its_head():
    for document in (samples.constants(), files.of_numbers(dict.fromkeys(files.NAMES, 0.5)), files.hostile()):
        text = RENDERER.constants(document)
        rows = [line for line in text.split("\n") if line.endswith(r"\\")]
        assert len(rows) == len(document.rows) + 1
        (places,) = re.findall(r"\\begin{tabular}{(\w+)}", text)
        assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {len(places) - 1}


@pytest.mark.parametrize("bracket", ["[1cm]", "*", "*[1cm]"])
def test_a_row_is_no_argument_of_the_end_of_the_row_before(bracket):
    table = Table(("a", "b"), ((bracket, "1"), (bracket, "2")), ("a",))
    text = RENDERER.render(Report({}, [], (table, Items((bracket,)))), View())
    assert not re.search(r"\\\\\s*[\[*]|\\item\s*\[", text)


def test_braces_and_environments_are_balanced():
    for document in (samples.constants(), files.hostile()):
        text = re.sub(r"(?m)^%.*$", "", RENDERER.constants(document))
        bare = re.sub(r"\\[{}]", "", text)
        assert bare.count("{") == bare.count("}")
        assert re.findall(r"\\begin{(\w+)}", text) == re.findall(r"\\end{(\w+)}", text)


def test_a_document_of_everything_compiles(tmp_path):
    compiler = files.tool("pdflatex")
    ascii_only = tuple(line for line in files.HOSTILE if line.isascii())
    parts = [RENDERER.render(report, View()) for report in REPORTS.values()]
    parts += [RENDERER.constants(samples.constants(header=ascii_only)), RENDERER.constants(files.of_words())]
    parts.append(RENDERER.render(Report({}, [], (Paragraph("".join(map(chr, range(32, 127)))),)), View()))
    source = [r"\documentclass{article}\usepackage{amsmath}\begin{document}", *parts, r"\end{document}"]
    (tmp_path / "x.tex").write_text("\n".join(source), encoding="utf-8")
    files.run(compiler, "-interaction=nonstopmode", "-halt-on-error", "x.tex", cwd=tmp_path)
