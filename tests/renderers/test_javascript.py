"""JavaScript: golden files, and modules that are imported."""

import json

import pytest

from normcal.renderers.javascript import RENDERER
from tests.renderers import files, samples

FORMS = [(layout, flat) for layout in RENDERER.layouts for flat in (True, False)]
IDS = [f"{layout}-{'flat' if flat else 'nested'}" for layout, flat in FORMS]
#: Prints what modules export, with the bits of every number, in the order of the keys.
READER = """
const bits = (x) => { const v = new DataView(new ArrayBuffer(8)); v.setFloat64(0, x);
  return { bits: v.getBigUint64(0).toString(16).padStart(16, "0") }; };
const tree = (x) => typeof x === "number" ? bits(x) : typeof x === "string" ? { text: x }
  : { of: Object.keys(x).map((key) => [key, tree(x[key])]) };
const found = [];
for (const path of process.argv.slice(2)) found.push(tree({ ...(await import(path)) }));
console.log(JSON.stringify(found));
"""


def imported(tmp_path, documents, render=RENDERER.constants, suffix=".mjs") -> list[dict]:
    """Return what modules export, as Python has it."""
    node = files.tool("node")
    (tmp_path / "reader.mjs").write_text(READER)
    paths = []
    for place, document in enumerate(documents):
        paths.append(tmp_path / f"m{place}{suffix}")
        paths[-1].write_text(render(document), encoding="utf-8")
    return [plain(tree) for tree in json.loads(files.run(node, "reader.mjs", *paths, cwd=tmp_path))]


def plain(tree):
    if "bits" in tree:
        return files.double(tree["bits"])
    return tree["text"] if "text" in tree else {key: plain(value) for key, value in tree["of"]}


def in_order(found: dict) -> dict:
    """Return a tree with sorted keys: a module's exports and keys that are whole numbers have an order of their own."""
    return {key: in_order(found[key]) if isinstance(found[key], dict) else found[key] for key in sorted(found)}


def wanted_of(document) -> dict:
    return files.joined(document) if document.layout == "constants" else {document.name: files.numbers(document)}


def cases() -> list:
    edges = {f"x{place}": value for place, value in enumerate(files.many_doubles())}
    return [
        *(files.hostile(layout, flat=flat) for layout, flat in FORMS),
        files.of_words(),
        files.of_numbers(dict.fromkeys(files.NAMES, 0.5), layout="mapping"),
        files.of_numbers(edges, layout="mapping"),
        files.of_numbers(edges, layout="constants"),
    ]


@pytest.mark.parametrize(("layout", "flat"), FORMS, ids=IDS)
def test_golden(golden, layout, flat):
    text = samples.steady(RENDERER.constants(samples.constants(layout, flat=flat)))
    golden(f"renderers/golden/constants_{'flat' if flat else 'nested'}_{layout}.mjs", text)


def test_every_layout_is_imported_and_read_back(tmp_path):
    documents = cases()
    for found, document in zip(imported(tmp_path, documents), documents, strict=True):
        assert files.same(in_order(found), in_order(wanted_of(document)))


def test_an_object_is_frozen_and_so_are_those_in_it(tmp_path):
    node = files.tool("node")
    (tmp_path / "m.mjs").write_text(RENDERER.constants(samples.constants()))
    call = "import('./m.mjs').then(({ GAINS: g }) => console.log([g, ...Object.values(g)].every(Object.isFrozen)))"
    assert files.run(node, "-e", call, cwd=tmp_path) == "true\n"


def test_nothing_in_a_file_ends_a_script():
    for document in (files.hostile(), files.of_numbers(dict.fromkeys(files.NAMES, 0.5))):
        assert "</" not in RENDERER.constants(document)
