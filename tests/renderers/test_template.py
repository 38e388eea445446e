"""Template: what a template sees, and that none can do harm, loop or read files."""

import dataclasses
import json
import os
import re
import sys

import pytest
import yaml

import normcal
from normcal import assembly, catalog, pipeline, renderer
from normcal.errors import FileError, RequestError
from normcal.renderer import ConstantsRenderer
from normcal.renderers import _sandbox
from normcal.renderers import _template as template
from normcal.renderers._template import RENDERER
from normcal.request import Request
from tests.program import ROOT, environment
from tests.renderers import samples

pytest.importorskip("jinja2", reason="templates need Jinja2, an extra")
DOCUMENT = samples.constants()


@pytest.fixture
def fill(tmp_path):
    """Fill in a template, given as its text or its bytes."""

    def filled(source, document=DOCUMENT):
        path = tmp_path / "file.j2"
        path.write_bytes(source if isinstance(source, bytes) else source.encode())
        return RENDERER.constants(dataclasses.replace(document, template=str(path)))

    return filled


# -- what a template sees --------------------------------------------------------------------------

#: (template, text) of the sample constants
SHOWN = [
    ("{{ name }} {{ law.mean }} {{ law.std }} {{ law.text }}", "GAINS 0.5 2.0 N(0.5, 2^2)"),
    ("{% for c in columns %}\n{{ c.name }} {{ c.path }}\n{% endfor %}\n", None),
    ("{{ rows[0].name }}|{{ rows[0].spec }}", "leaky_relu|leaky_relu(negative_slope=0.25)"),
    ("{{ rows[0].values.forward_gain }}", "1.5030813166992334"),
    ("{{ rows[0]['values']['forward_gain'] }}", "1.5030813166992334"),
    ("{{ rows[0].engine }} {{ rows[0].error }}", "closed-form 2e-15"),
    ("{{ engines }} / {{ error }} / {{ standard_error }}", "closed-form, monte-carlo, quadrature / 2e-15 / 3e-03"),
    ("{{ header | join }}", DOCUMENT.header[0]),
    ("{{ generator }}", f"normcal {normcal.__version__}"),
    ("{{ provenance | comment('; ') }}", "\n".join(f"; {line}" for line in DOCUMENT.provenance)),
    ("{{ 'a\\n\\nb' | comment('# ') }}", "# a\n#\n# b"),
    ("{{ header[0] | quoted }}", json.dumps(DOCUMENT.header[0])),
    ("{{ 'é\"' | quoted }}", '"é\\""'),
    ("{{ 'leaky_relu(x=0.5)' | snake | upper }}", "LEAKY_RELU_X_0_5"),
    ("{{ 'leaky relu' | camel }} {{ 'leaky_relu' | pascal }} {{ 'a b' | kebab }}", "leakyRelu LeakyRelu a-b"),
    ("{{ '?' | camel }}", ""),
    ("{{ '%.3f' | format(rows[0].values.forward_gain | float ** 2) }}", "2.259"),
    ("{{ rows[1].values.forward_gain | float | round(2) }}", "1.55"),
    ("{{ rows[0].error | float < 1e-10 }}", "True"),
    ("{{ rows[2].values.forward_gain | float(0) }} {{ 7 | int }} {{ '3' | int }}", "0 7 3"),
    ("{{ 'no' if not rows[2].values.forward_gain }}", "no"),
    ("{% if true %}\na\n  {% endif %}\nb", "a\nb"),
    ("a\n", "a\n"),
    ("", ""),
    ("\ufeff<&>'\"", "<&>'\""),
]  # fmt: skip


@pytest.mark.parametrize(("source", "text"), SHOWN, ids=[source or "nothing" for source, _ in SHOWN])
def test_what_a_template_sees(fill, source, text):
    expected = text if text is not None else "".join(f"{one.name} {one.path}\n" for one in DOCUMENT.columns)
    assert fill(source) == expected


def test_a_number_is_the_value_and_not_its_rounded_text(fill):
    row = DOCUMENT.rows[1]
    assert row.cells[1].text == "1.55"
    assert float(fill("{{ rows[1].values.forward_gain | float }}")) == row.cells[1].value.value != 1.55


def test_every_cell_stands_as_it_is_and_moves_nothing(fill):
    source = (
        "{{ provenance | join('\\n') }}\n{% for row in rows %}\n{{ row.name }}"
        "{% for v in row.values.values() %} {{ v }}{% if v %}!{% endif %}{% endfor %} {{ row.engine }} {{ row.error }}"
        "{{ row.values.forward_mean | float + 1 }}\n{% endfor %}\n"
    )
    texts = [cell.text for cell, _, _ in DOCUMENT.cells()]
    stand_ins = [chr(0xF0000 + i) * len(text) for i, text in enumerate(texts)]
    found = fill(source, DOCUMENT.with_texts(stand_ins))
    for text, stand_in in zip(texts, stand_ins, strict=True):
        assert found.count(stand_in) == 1 or not text
        found = found.replace(stand_in, text) if text else found
    assert found == fill(source)


def test_a_column_may_be_called_anything(fill):
    columns = [
        dataclasses.replace(one, name=name)
        for one, name in zip(DOCUMENT.columns, ("items", "é-x", "", "keys"), strict=True)
    ]
    document = dataclasses.replace(DOCUMENT, columns=tuple(columns))
    assert fill("{{ rows[0].values.items }} {{ rows[0].values['é-x'] }}", document).split() == [
        cell.text for cell in DOCUMENT.rows[0].cells[:2]
    ]


def test_documents_that_share_a_template_share_a_process(tmp_path, monkeypatch):
    path = tmp_path / "file.j2"
    path.write_text("{{ name }}")
    started = []
    monkeypatch.setattr(template, "_folders", lambda folders=template._folders: started.append(1) or folders())
    documents = [dataclasses.replace(DOCUMENT, template=str(path), name=name) for name in ("a", "b")]
    assert (RENDERER.fill(documents), len(started)) == (["a", "b"], 1)


def test_only_a_config_asks_for_it():
    assert isinstance(RENDERER, ConstantsRenderer)
    assert RENDERER.suffixes == () and "template" not in renderer.names()
    with pytest.raises(RequestError, match="needs a template"):
        RENDERER.constants(DOCUMENT)


# -- the page of the documentation -----------------------------------------------------------------


def test_the_example_of_the_documentation_holds(fill):
    page = (ROOT / "docs" / "templates.md").read_text(encoding="utf-8")
    blocks = dict(re.findall(r"^```(\w+)\n(.*?)^```", page, re.DOTALL | re.MULTILINE))
    (config,) = yaml.safe_load(blocks["yaml"])["outputs"]
    layers = catalog.layers(config["layers"])
    columns = [assembly.column(path, None, "snake") for path in config["columns"]]
    results = pipeline.run(Request(), layers, None).layers
    names = [one.name for one in assembly.entries([(None, layer, layer) for layer in layers], "snake")]
    document = assembly.build(config["name"], columns, names, results, DOCUMENT.law)
    text = "".join(line for line in fill(blocks["jinja"], document).splitlines(True) if not line.startswith("#"))

    def numbers(text):
        return [float(number) for number in re.findall(r"\d\.\d+", text)]

    assert re.sub(r"\d\.\d+", "0", text) == re.sub(r"\d\.\d+", "0", blocks["julia"])
    assert numbers(text) == pytest.approx(numbers(blocks["julia"]), rel=1e-14)


def test_the_documentation_names_every_variable_and_filter():
    page = (ROOT / "docs" / "templates.md").read_text(encoding="utf-8")
    wanted = {*template._data(DOCUMENT), *template._ROW, *_sandbox._STYLES, "quoted", "comment", "float", "int"}
    assert {word for word in wanted if not re.search(rf"`(row\.)?{word}\b", page)} == set()
    assert {word for word in template._data(DOCUMENT) if f"``{word}``" not in template.__doc__} == set()


# -- templates that are wrong or hostile -----------------------------------------------------------

DEEP = "{{ " + "(" * 20_000 + "1" + ")" * 20_000 + " }}"
#: (template, line, what the message says)
REFUSED = [
    ("{{ nothing }}", 1, "'nothing' is undefined"),
    ("\n{{ rows[0].values.forwrd_gain }}", 2, "no attribute 'forwrd_gain'"),
    ("{{ rows[0].values.nothing.more }}", 1, "no attribute 'nothing'"),
    ("a\nb\n{% if %}", 3, "Expected an expression"),
    ("{{ 'x' | nofilter }}", 1, "No filter named 'nofilter'"),
    ("{{ 1 / 0 }}", 1, "division by zero"),
    ("{{ rows[2].values.forward_gain | float }}", 1, "'' is no number"),
    ("{{ rows[0].values.forward_gain * 2 }}", 1, "'| float' makes a number of it"),
    ("{{ rows[0].values.forward_gain > rows[1].values.forward_gain }}", 1, "'| float' makes a number of it"),
    ("{{ 5 | comment('# ') }}", 1, "not iterable"),
    # reading files
    ("\n{% include '/etc/passwd' %}", 2, "stands alone"),
    ("{% if false %}{% import '/etc/passwd' as x %}{% endif %}", 1, "stands alone"),
    ("{% from 'x' import y %}", 1, "stands alone"),
    ("{% extends 'x' %}", 1, "stands alone"),
    ("{{ open('/etc/passwd') }}", 1, "'open' is undefined"),
    ("{{ name.encode('idna') }}", 1, "needs a file"),
    # escaping from the sandbox
    ("\n\n{{ ''.__class__.__mro__ }}", 3, "unsafe"),
    ("{{ '' | attr('__class__') }}", 1, "unsafe"),
    ("{{ ''['__class__'] }}", 1, "unsafe"),
    ("{{ '{0.__class__}'.format(1) }}", 1, "unsafe"),
    ("{{ ('{0.__class__}' | attr('format'))(1) }}", 1, "unsafe"),
    ("{{ cycler.__init__.__globals__ }}", 1, "unsafe"),
    ("{{ self._TemplateReference__context }}", 1, "unsafe"),
    ("{{ rows[0].values.forward_gain.__class__ }}", 1, "unsafe"),
    ("{{ rows.append(1) }}", 1, "unsafe"),
    ("{{ rows[0].values.clear() }}", 1, "unsafe"),
    ("{% set rows[0].name = 1 %}", 1, "expected token"),
    # without end
    ("{% for i in range(10**9) %}x{% endfor %}", 1, "Range too big"),
    ("{% macro f() %}{{ f() }}{% endmacro %}\n{{ f() }}", 1, "nested too deeply"),
    ("{% for r in rows recursive %}{{ loop(rows) }}{% endfor %}", 1, "nested too deeply"),
    (DEEP, None, "nested too deeply"),
    ("{{ 'x' * 10**10 }}", 1, "memory"),
    ("{{ [1] * 10**9 }}", 1, "memory"),
    ("{{ '%1000000000d' % 1 }}", 1, "memory"),
    ("{{ 'x' | center(10**9) }}", 1, "memory"),
    ("{% for i in range(100000) %}{{ name * 50 }}{% endfor %}", None, "characters"),
    # what makes no file
    ("{{ '\\ud800' }}", None, "half of a character"),
    ("{{ ''.join(['\\ud800']) | float }}", 1, "is no number"),
    ("{{ name['\\ud800'] }}", 1, "no attribute"),
    ("{{ lipsum() }}", 1, "'lipsum' is undefined"),
    ("{{ [1, 2] | random }}", 1, "No filter named 'random'"),
    (b"a\n\xff", 2, "not UTF-8"),
    (b"x" * 1_000_001, None, "too large"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "line", "told"), REFUSED, ids=[str(one[0])[:60] for one in REFUSED])
def test_a_template_that_cannot_be_served_is_refused_with_its_line(fill, tmp_path, source, line, told):
    with pytest.raises(RequestError) as caught:
        fill(source)
    where = f"'{tmp_path / 'file.j2'}'" + ("" if line is None else f", line {line}:")
    assert where in caught.value.message
    assert told in caught.value.message
    assert len(caught.value.message) < 300 + len(where) + 20
    assert "\n" not in caught.value.message
    assert caught.value.hint.startswith("Accepted: ")
    assert caught.value.exit_code == 2


LOOP = "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}"


@pytest.mark.skipif(sys.platform == "win32", reason="there is no limit on the processor's time")
def test_a_loop_without_end_is_stopped_by_the_processors_time(fill, monkeypatch):
    monkeypatch.setitem(template.LIMITS, "seconds", 1)
    with pytest.raises(RequestError, match="was stopped") as caught:
        fill(LOOP)
    assert "at most 1 s" in caught.value.hint


def test_a_loop_without_end_is_stopped_by_the_clock(fill, monkeypatch):
    monkeypatch.setattr(template, "PATIENCE", 0.5)
    with pytest.raises(RequestError, match=r"longer than 0\.5 s"):
        fill(LOOP)


def test_a_template_sees_no_environment(fill, monkeypatch):
    import subprocess

    monkeypatch.setenv("SECRET_TOKEN", "precious")
    seen = []
    run = subprocess.run
    monkeypatch.setattr(subprocess, "run", lambda *call, **more: seen.append(more["env"]) or run(*call, **more))
    assert fill("x") == "x"
    assert set(seen[0]) <= {"SYSTEMROOT"}


def test_a_template_that_is_not_there_is_named(tmp_path):
    for path in (tmp_path / "none.j2", tmp_path):
        with pytest.raises(FileError, match=re.escape(str(path))):
            RENDERER.constants(dataclasses.replace(DOCUMENT, template=str(path)))


def test_without_jinja_it_says_what_to_install(fill, monkeypatch):
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RequestError) as caught:
        fill("x")
    assert "Jinja2" in caught.value.message
    assert caught.value.hint == "pip install 'normcal[templates]'"


def test_this_process_imports_no_jinja(tmp_path):
    import subprocess

    path = tmp_path / "file.j2"
    path.write_text("{{ name }}")
    call = (
        "import dataclasses, sys\n"
        "from normcal.renderers._template import RENDERER\n"
        "from tests.renderers import samples\n"
        "document = dataclasses.replace(samples.constants(), template=sys.argv[1])\n"
        "print(RENDERER.constants(document), 'jinja2' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", call, os.fspath(path)], env=environment(), capture_output=True, text=True, check=True
    )
    assert done.stdout == "GAINS False\n"
