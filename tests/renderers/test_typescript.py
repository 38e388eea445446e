"""TypeScript: golden files, and modules that the compiler accepts, types and turns into what is read back."""

import re

import pytest

from normcal.renderers.typescript import RENDERER
from tests.renderers import files, samples, test_javascript

FORMS = [(layout, flat) for layout in RENDERER.layouts for flat in (True, False)]
IDS = [f"{layout}-{'flat' if flat else 'nested'}" for layout, flat in FORMS]
STRICT = ("--strict", "--target", "es2022", "--module", "es2022", "--noUncheckedIndexedAccess")


@pytest.mark.parametrize(("layout", "flat"), FORMS, ids=IDS)
def test_golden(golden, layout, flat):
    text = samples.steady(RENDERER.constants(samples.constants(layout, flat=flat)))
    golden(f"renderers/golden/constants_{'flat' if flat else 'nested'}_{layout}.ts", text)


def test_every_layout_is_compiled_and_read_back(tmp_path):
    compiler = files.tool("tsc")
    documents = test_javascript.cases()
    sources = []
    for place, document in enumerate(documents):
        sources.append(tmp_path / f"s{place}.mts")
        sources[-1].write_text(RENDERER.constants(document), encoding="utf-8")
    files.run(compiler, *STRICT, *sources, cwd=tmp_path)
    compiled = iter([source.with_suffix(".mjs").read_text(encoding="utf-8") for source in sources])
    found = test_javascript.imported(tmp_path, documents, render=lambda document: next(compiled))
    for one, document in zip(found, documents, strict=True):
        wanted = test_javascript.wanted_of(document)
        assert files.same(test_javascript.in_order(one), test_javascript.in_order(wanted))


def test_every_layout_is_read_back_once_its_types_are_taken_off(tmp_path):
    documents = test_javascript.cases()
    found = test_javascript.imported(
        tmp_path,
        documents,
        render=lambda document: re.sub(r"^} as const .*;$", "};", RENDERER.constants(document), flags=re.M),
    )
    for one, document in zip(found, documents, strict=True):
        wanted = test_javascript.wanted_of(document)
        assert files.same(test_javascript.in_order(one), test_javascript.in_order(wanted))


def test_the_compiler_knows_every_name_and_its_type(tmp_path):
    compiler = files.tool("tsc")
    (tmp_path / "gains.mts").write_text(RENDERER.constants(samples.constants()))
    good = 'import { GAINS } from "./gains.mjs";\nexport const x: number = GAINS.tanh.forward_mean;\n'
    (tmp_path / "good.mts").write_text(good)
    files.run(compiler, *STRICT, "--noEmit", "good.mts", cwd=tmp_path)
    (tmp_path / "bad.mts").write_text(good.replace("tanh", "tahn"))
    with pytest.raises(AssertionError, match="tahn"):
        files.run(compiler, *STRICT, "--noEmit", "bad.mts", cwd=tmp_path)


def test_it_is_the_module_that_javascript_has_but_for_types_and_freezing():
    from normcal.renderers import javascript

    for layout, flat in FORMS:
        document = samples.constants(layout, flat=flat)
        script = javascript.RENDERER.constants(document).replace("Object.freeze({", "{").replace("})", "}")
        typed = RENDERER.constants(document)
        assert [line for line in typed.split("\n") if "satisfies" not in line] == [
            line for line in script.split("\n") if line != "};"
        ]
        assert ("satisfies" in typed) == (layout == "mapping")
