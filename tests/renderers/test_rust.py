"""Rust: golden files, and sources that are compiled as modules and by include!, and run."""

import itertools
import math

import pytest

from normcal.constants import WORD
from normcal.renderers.rust import RENDERER
from tests.renderers import files, samples

FORMS = [(layout, flat) for layout in RENDERER.layouts for flat in (True, False)]
IDS = [f"{layout}-{'flat' if flat else 'nested'}" for layout, flat in FORMS]


def slice_of(document) -> tuple[list[str], list]:
    """Return statements that print a slice of pairs or structs, and what they must print."""
    words = [any(row.cells[i].role == WORD for row in document.rows) for i in range(len(document.columns))]
    name = f"{document.name.lower()}::{document.name}"
    fields = ["row.1"] if document.flat else [f"row.{column.name}" for column in document.columns]
    prints = [f"text({field});" if word else f"number({field});" for field, word in zip(fields, words, strict=True)]
    wanted = []
    for row in document.rows:
        if document.flat and row.cells[0].absent:
            continue
        wanted.append(row.name)
        cells = zip(row.cells, words, strict=True)
        wanted += [cell.text if word else float(cell.text or "nan") for cell, word in cells]
    first = "row.0" if document.flat else "row.name"
    return [f"for row in {name} {{ text({first}); {' '.join(prints)} }}"], wanted


def constants_of(document) -> tuple[list[str], list]:
    found = files.joined(document, document.name)
    return [f"number({document.name.lower()}::{name});" for name in found], list(found.values())


@pytest.mark.parametrize(("layout", "flat"), FORMS, ids=IDS)
def test_golden(golden, layout, flat):
    text = samples.steady(RENDERER.constants(samples.constants(layout, flat=flat)))
    golden(f"renderers/golden/constants_{'flat' if flat else 'nested'}_{layout}.rs", text)


@pytest.mark.parametrize("included", [False, True], ids=["module", "include"])
def test_every_layout_is_compiled_and_read_back(tmp_path, included):
    compiler = files.tool("rustc")
    edges = {f"x{place}": value for place, value in enumerate(files.many_doubles())}
    cases = [
        (slice_of, files.hostile("mapping", flat=True, name="A")),
        (slice_of, files.hostile("mapping", name="B")),
        (constants_of, files.hostile("constants", flat=True, name="C")),
        (constants_of, files.hostile("constants", name="D")),
        (slice_of, files.of_words("E", "mapping")),
        (slice_of, files.of_numbers(dict.fromkeys(files.NAMES, 0.5), "F", "mapping")),
        (slice_of, files.of_numbers(edges, "G", "mapping")),
        (constants_of, files.of_numbers(edges, "H", "constants")),
    ]
    modules, statements, wanted = [], [], []
    for asked, document in cases:
        name = document.name.lower()
        (tmp_path / f"{name}.rs").write_text(RENDERER.constants(document), encoding="utf-8")
        modules.append(f'mod {name} {{ include!("{name}.rs"); }}' if included else f"mod {name};")
        more, values = asked(document)
        statements += more
        wanted += values
    helpers = [
        'fn text(s: &str) { for b in s.bytes() { print!("{:02x}", b); } println!(); }',
        'fn number(x: f64) { println!("{:016x}", x.to_bits()); }',
    ]
    source = [*modules, *helpers, "fn main() {", *statements, "}"]
    (tmp_path / "main.rs").write_text("\n".join(source))
    files.run(compiler, "--edition=2021", "-Dwarnings", "-o", "main", "main.rs", cwd=tmp_path)
    lines = files.run(tmp_path / "main", cwd=tmp_path).splitlines()
    found = [
        bytes.fromhex(line).decode() if isinstance(value, str) else files.double(line)
        for line, value in itertools.zip_longest(lines, wanted)
    ]
    assert files.same(found, wanted)
    assert any(isinstance(value, float) and math.isnan(value) for value in wanted)


def test_words_are_strings_in_constants():
    text = RENDERER.constants(files.of_words(layout="constants"))
    assert 'pub const MIXED_MAX_POOL_FORWARD_ENGINE: &str = "monte-carlo";' in text


def test_a_mapping_is_called_in_capitals_and_its_struct_in_camel_case():
    text = RENDERER.constants(samples.constants("mapping", name="my_gains"))
    assert "pub struct MyGains {" in text
    assert "pub const MY_GAINS: &[MyGains] = &[" in text
