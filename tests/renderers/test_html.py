"""HTML: golden files, well-formed pages whatever is in them, each cell once, a script that sorts."""

import base64
import dataclasses
import hashlib
import html.parser
import json
import re
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from normcal.constants import REQUEST_MARK
from normcal.law import Normal
from normcal.renderers import _page
from normcal.renderers.html import MOST_CURVES, RENDERER
from normcal.report import Heading, Items, Number, Paragraph, Report, Table, View
from normcal.result import Result
from normcal.summary import by_layer
from normcal.value import Value
from tests.program import invoke, succeed
from tests.renderers import samples

REPORTS = samples.reports()
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
NODE = shutil.which("node")
VOID = {"meta", "link"}
TAGS = (
    "html", "head", "meta", "title", "link", "style", "body", "script", "h1", "h2", "h3", "p", "ul", "li", "pre",
    "code", "footer", "div", "table", "thead", "tbody", "tr", "th", "td", "span", "svg", "path",
)  # fmt: skip
HOSTILE = (
    "<script>alert(1)</script>", "</script><img src=x onerror=alert(1)>", "</style><b>", "-->", "--!>", "<!--",
    "a--b---c", '" onmouseover="alert(1)', "' x='", "&lt;b&gt; &amp;", "</title></td></table>", "<", "]]>",
    "{{ 7*7 }}", "\\u003cb\\u003e", "javascript:alert(1)", "\u202e\u0000\x1b[31m", "a\nb\r\nc",
)  # fmt: skip


class Page(html.parser.HTMLParser):
    """A parsed page: insists that every element is known and closed where it must be."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.texts, self.comments, self.rows = [], [], {}, [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        assert tag in TAGS
        names = [name for name, _ in attributes]
        assert len(names) == len(set(names))
        assert not any(name.startswith("on") or name in ("style", "src") for name in names)
        self.tags.append((tag, dict(attributes)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        self.handle_endtag(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open:
            self.texts[self.open[-1]] = self.texts.get(self.open[-1], "") + data
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data

    def handle_comment(self, data):
        self.comments.append(data)

    def count(self, tag):
        return sum(one == tag for one, _ in self.tags)


def rendered(*blocks, digits=None):
    return RENDERER.render(Report({}, [], blocks), View(digits))


def bare(text):
    """Take style and script out, which have files of their own, and the version."""
    text = re.sub(r"<(style|script)>.*?</\1>", r"<\1></\1>", text, flags=re.DOTALL)
    return samples.steady(re.sub(r"sha256-[^']*", "sha256-", text))


def words(text):
    """Return a text as a page holds it: without control characters."""
    return re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f]", "\ufffd", text)


# -- the page --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", REPORTS)
def test_golden(golden, name):
    golden(f"renderers/golden/{name}.html", bare(RENDERER.render(REPORTS[name], View())))


@pytest.mark.parametrize(("name", "more"), [("constants", {}), ("constants_flat", {"flat": True})])
def test_golden_constants(golden, name, more):
    golden(f"renderers/golden/{name}.html", bare(RENDERER.constants(samples.constants(**more))))


PAGES = {name: RENDERER.render(report, View()) for name, report in REPORTS.items()} | {
    "constants": RENDERER.constants(samples.constants()),
    "constants_without_rows": RENDERER.constants(dataclasses.replace(samples.constants(), rows=())),
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_well_formed(name):
    page = Page(PAGES[name])
    assert [page.count(tag) for tag in ("html", "head", "title", "style", "body", "script", "h1")] == [1] * 7


@pytest.mark.parametrize("name", PAGES)
def test_every_table_is_rectangular(name):
    for table in re.findall(r"<table>.*?</table>", PAGES[name], re.DOTALL):
        assert len({len(row) for row in Page(table).rows if len(row) > 1}) <= 1


@pytest.mark.parametrize("name", PAGES)
def test_a_page_loads_nothing_and_runs_only_its_own_script(name):
    text = PAGES[name]
    (policy,) = (tag["content"] for _, tag in Page(text).tags if "http-equiv" in tag)
    for tag, rule in (("style", "style-src"), ("script", "script-src")):
        (inline,) = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        told = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert f"{rule} 'sha256-{told}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"https?:|//[a-z]|url\(|@import|\bimport\b|innerHTML|eval\(", text.replace("// Lets", ""))


def test_tables_under_headings_with_equal_columns_become_one_that_is_sorted_as_a_whole():
    table = Table(("layer", "x"), (("a", "1"), ("b", "2")), words=("layer",))
    other = Table(("layer", "y"), (("c", "3"),), words=("layer",))
    page = Page(rendered(Heading("first"), Heading("A"), table, Heading("B"), table, Heading("C"), other))
    assert (page.count("table"), page.count("tbody"), page.count("h2")) == (2, 3, 1)
    assert [row for row in page.rows if len(row) == 1] == [["A"], ["B"]]


# -- what stands in it -----------------------------------------------------------------------------


def test_numbers_are_marked_as_numbers_and_words_are_not():
    page = Page(rendered(Table(("w", "n"), (("a", Number(Value(0.5, 1e-16))),), words=("w",))))
    assert [tag.get("class") for name, tag in page.tags if name in ("th", "td")] == [None, "n", None, "n"]


def test_numbers_are_rounded_as_asked_and_tell_their_error():
    text = rendered(Table(("x",), ((Number(Value(0.123456789, 2e-7)),),)), digits=3)
    assert '<td class="n" title="± 2e-07">0.123</td>' in text


def test_an_absent_number_tells_why():
    page = PAGES["constants"]
    assert '<td class="n" title="the variance is infinite"></td>' in page
    assert "<li>tanh, forward_gain: the variance is infinite</li>" in page


def test_provenance_stands_in_the_foot_and_the_request_in_the_comment():
    document = samples.constants()
    text = RENDERER.constants(document)
    told = [line for line in document.provenance if not line.startswith(REQUEST_MARK) and line not in document.header]
    foot = text.partition("<footer>")[2].partition("</footer>")[0]
    assert [html.unescape(line) for line in re.findall("<p>(.*)</p>", foot)][: len(told)] == told
    assert Page(text).comments[0].strip().split("\n") == [document.provenance[0], *document.request_lines]


@pytest.mark.parametrize("flat", [False, True], ids=["mapping", "flat"])
def test_every_cell_stands_once_and_moves_nothing(flat):
    document = samples.constants(flat=flat)
    texts = [cell.text for cell, _, _ in document.cells()]
    stand_ins = [chr(0xF0000 + i) * len(text) for i, text in enumerate(texts)]
    page = RENDERER.constants(document.with_texts(stand_ins))
    for (cell, _, _), text, stand_in in zip(document.cells(), texts, stand_ins, strict=True):
        if text:
            assert page.count(stand_in) == (2 if cell is document.generator else 1)
            page = page.replace(stand_in, text)
    assert page == RENDERER.constants(document)


def test_a_row_is_one_line():
    lines = [line for line in PAGES["constants"].splitlines() if line.startswith("<tr")]
    assert len(lines) == 1 + len(samples.constants().rows)


def test_names_that_are_specs_are_told_once():
    document = samples.constants()
    rows = tuple(dataclasses.replace(row, name=row.spec) for row in document.rows)
    page = Page(RENDERER.constants(dataclasses.replace(document, rows=rows)))
    assert page.rows[0][:2] == ["layer", "curve"]


def test_the_name_of_the_whole_is_a_title():
    assert RENDERER.name_of(["activation", "gains"]) == "Activation gains"


# -- hostile text ----------------------------------------------------------------------------------


@pytest.mark.parametrize("text", HOSTILE, ids=[ascii(text) for text in HOSTILE])
def test_hostile_text_stays_text_in_constants(text):
    document = samples.constants(name=text, header=(text,), request={"header": text, "layers": [text] * 20})
    column = dataclasses.replace(document.columns[0], name=text, meaning=text)
    rows = [dataclasses.replace(row, name=text) for row in document.rows]
    rows[0] = dataclasses.replace(rows[0], cells=tuple(dataclasses.replace(c, reason=text) for c in rows[0].cells))
    document = dataclasses.replace(document, rows=tuple(rows), columns=(column, *document.columns[1:]))
    page, plain = Page(RENDERER.constants(document)), Page(PAGES["constants"])
    assert [tag for tag, _ in page.tags] == [tag for tag, _ in plain.tags]
    assert page.texts["title"] == words(text)
    assert page.rows[1][0] == words(text)
    lines = page.comments[0].split("\n")
    assert (
        json.loads("".join(x.removeprefix(REQUEST_MARK) for x in lines if x.startswith(REQUEST_MARK)))
        == document.request
    )
    assert len(page.comments) == 1


@pytest.mark.parametrize("text", HOSTILE, ids=[ascii(text) for text in HOSTILE])
def test_hostile_text_stays_text_in_a_report(text):
    table = Table((text, "n"), ((text, text),), words=(text,))
    page = Page(rendered(Heading(text), Heading(text), table, Paragraph(text), Items((text,))))
    assert page.rows == [[words(text), "n"], [words(text)] * 2]
    assert page.texts["li"] == page.texts["h1"] == words(text)
    assert page.count("script") == 1
    assert page.comments == []


@settings(derandomize=True, database=None, deadline=None)
@given(text=st.text())
def test_any_text_of_a_cell_comes_back(text):
    cell = Page(rendered(Table(("a",), ((text,),), words=("a",)))).rows[1][0]
    assert cell == words(text)


@settings(derandomize=True, database=None, deadline=None)
@given(text=st.text(alphabet="-><!\\\"'a", max_size=30))
def test_no_request_ends_the_comment_and_each_is_read_back(text):
    line = REQUEST_MARK + json.dumps(text)
    page = Page("<html></html>" + _page.comment((line,)))
    assert json.loads(page.comments[0].strip().removeprefix(REQUEST_MARK)) == text


# -- curves ----------------------------------------------------------------------------------------


def test_an_elementwise_layer_has_a_curve_and_another_has_none():
    lines = [line for line in PAGES["constants"].splitlines() if line.startswith("<tr")][1:]
    assert ["<svg" in line for line in lines] == [True, False, True, True]
    assert "<svg" in PAGES["by_layer"]


def test_a_layer_that_is_asked_for_twice_has_its_rows():
    text = succeed("compute", "relu", "relu", "--format", "html").stdout
    assert sum(row[0] == "relu" for row in Page(text).rows) == 6


def drawn(curve):
    document = samples.constants()
    row = dataclasses.replace(document.rows[0])
    row.__dict__["curve"] = curve
    return RENDERER.constants(dataclasses.replace(document, rows=(row,)))


@pytest.mark.parametrize(
    "curve",
    [
        ((-4.0, 0.0), (4.0, 0.0)),
        ((-4.0, -1e300), (0.0, 1e-300), (4.0, 1e300)),
        ((-4.0, 7.0), (4.0, 9.0)),
        ((0.0, -5e-324),),
        ((-4.0, -1.0), (0.0, -1.0), (0.1, 1.0), (4.0, 1.0)),
    ],
    ids=["flat", "huge", "beyond", "a_point", "a_jump"],
)
def test_a_curve_stays_near_its_box(curve):
    (path,) = re.findall(r'<path d="M([^"]*)"', drawn(curve))
    x, y = map(int, path.split("l")[0].split())
    for step in path.split("l")[1:]:
        dx, dy = map(int, step.split())
        x, y = x + dx, y + dy
        assert 0 <= x <= 320
        assert -320 <= y <= 480


def test_the_curve_of_the_rectifier_is_two_lines():
    (path,) = re.findall(r'<path d="([^"]*)"', drawn(tuple((x / 10, max(x / 10, 0.0)) for x in range(-40, 41))))
    assert path.startswith("M0 152l160 0l")


def test_a_table_of_very_many_rows_has_no_curves(monkeypatch):
    monkeypatch.setattr("normcal.renderers.html.MOST_CURVES", 3)
    assert MOST_CURVES > 500
    assert "<svg" not in RENDERER.constants(samples.constants())
    assert "<svg" not in RENDERER.render(by_layer(Result(tuple(samples.troubled() * 2), Normal())), View())


# -- the program -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "argv",
    [
        ["compute", "relu", "--std", "0"],
        ["layers", "rectifiers"],
        ["layers", "relu", "--details"],
        ["explain", "gelu", "--samples", "500"],
        ["verify", "relu", "--samples", "500"],
    ],
    ids=" ".join,
)
def test_every_command_makes_a_page(tmp_path, argv):
    result = invoke(*argv, "-o", tmp_path / "out.htm")
    assert result.exit_code == 0, result.output
    assert Page((tmp_path / "out.htm").read_text(encoding="utf-8")).count("h1") == 1


# -- the script ------------------------------------------------------------------------------------


@pytest.mark.skipif(NODE is None, reason="there is no node to run the script")
def test_the_script_orders_numbers_as_numbers_and_what_is_absent_last():
    texts = ["10", "~2", "", "-0.5", "1.5 ± 0.1", "1e-16", "unknown"]
    call = """
        const vm = require("vm");
        const { script, texts, words } = JSON.parse(require("fs").readFileSync(0, "utf8"));
        const room = vm.createContext({ document: { querySelectorAll: () => [] } });
        vm.runInContext(script, room);
        const sorted = (list, number, sign) => [...list].sort(
            (a, b) => room.compareKeys(room.sortKey(a, number), room.sortKey(b, number), sign));
        console.log(JSON.stringify({
            up: sorted(texts, true, 1), down: sorted(texts, true, -1), words: sorted(words, false, 1),
            holds: [["Leaky ReLU closed", "closed relu"], ["relu", "tanh"], ["x", ""]].map((two) => room.holds(...two)),
        }));
    """
    told = {"script": _page._resource("_page.js"), "texts": texts, "words": ["elu(10)", "elu(9)", "", "crelu"]}
    done = subprocess.run([NODE, "-e", call], input=json.dumps(told), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["up"] == ["-0.5", "1e-16", "1.5 ± 0.1", "~2", "10", "", "unknown"]
    assert found["down"] == ["10", "~2", "1.5 ± 0.1", "1e-16", "-0.5", "", "unknown"]
    assert found["words"] == ["crelu", "elu(9)", "elu(10)", ""]
    assert found["holds"] == [True, False, True]


@pytest.mark.skipif(BROWSER is None, reason="there is no browser to use the page")
def test_a_person_sorts_and_filters(tmp_path):
    table = Table(("layer", "x"), tuple((f"layer {x}", x) for x in ("3", "20", "1")), words=("layer",))
    text = rendered(Heading("T"), Heading("A"), table, Heading("B"), table)
    use = """
        const shown = () => [...document.querySelectorAll("tbody tr")].filter((row) => !row.hidden)
            .map((row) => row.cells[row.cells.length - 1].textContent).join(" ");
        const head = document.querySelectorAll("th")[1], button = head.querySelector("button"), found = [shown()];
        for (let i = 0; i < 3; i++) { button.click(); found.push(head.getAttribute("aria-sort") + " " + shown()); }
        const set = (element, value) => {
            element.value = value; element.dispatchEvent(new Event("input", { bubbles: true }));
            found.push(shown() + " / " + document.querySelector("output").textContent);
        };
        set(document.querySelector("input"), "layer 20");
        set(document.querySelector("select"), "B");
        set(document.querySelector("input"), "<nothing>");
        document.title = found.join("; ");
    """
    page = tmp_path / "page.html"
    page.write_text(re.sub("<meta http-equiv[^>]*>", "", text).replace("</body>", f"<script>{{{use}}}</script></body>"))
    call = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/profile", "--dump-dom"]
    done = subprocess.run([*call, page.as_uri()], capture_output=True, encoding="utf-8", timeout=60)
    (title,) = re.findall("<title>(.*?)</title>", done.stdout)
    assert title.split("; ") == [
        "A 3 20 1 B 3 20 1",
        "ascending 1 1 3 3 20 20",
        "descending 20 20 3 3 1 1",
        "null A 3 20 1 B 3 20 1",
        "A 20 B 20 / 2 of 6 rows",
        "B 20 / 1 of 6 rows",
        " / 0 of 6 rows",
    ]
