"""C: golden files, and headers that are compiled as C99 and as C++17, and run."""

import itertools
import math
import re

import pytest

from normcal import assembly
from normcal.constants import WORD
from normcal.errors import RequestError
from normcal.renderers.c import RENDERER
from tests.renderers import files, samples

FORMS = [(layout, flat) for layout in RENDERER.layouts for flat in (True, False)]
IDS = [f"{layout}-{'flat' if flat else 'nested'}" for layout, flat in FORMS]
WARNINGS = ("-Wall", "-Wextra", "-Werror", "-pedantic", "-Wunused", "-Wundef", "-Wshadow")
LANGUAGES = {"c99": (("cc", "gcc", "clang"), "-std=c99", "main.c"), "c++17": (("c++", "g++"), "-std=c++17", "main.cpp")}


def output(tmp_path, language: str, documents: dict, statements: list[str]) -> list[str]:
    """Compile a program that includes each header twice and runs the statements; return the lines it prints."""
    compilers, standard, source = LANGUAGES[language]
    compiler = files.tool(*compilers)
    for name, document in documents.items():
        (tmp_path / name).write_text(RENDERER.constants(document), encoding="utf-8")
    includes = [f'#include "{name}"' for name in (*documents, *documents)]
    helper = 'static void put(const char *s) { while (*s) printf("%02x", (unsigned char)*s++); printf("\\n"); }'
    lines = [*includes, "#include <stdio.h>", helper, 'int main(void) { put("");', *statements, "return 0; }"]
    (tmp_path / source).write_text("\n".join(lines))
    files.run(compiler, standard, *WARNINGS, "-o", tmp_path / "main", tmp_path / source, cwd=tmp_path)
    return files.run(tmp_path / "main", cwd=tmp_path).splitlines()[1:]


def array(document) -> tuple[list[str], list]:
    """Return statements that print an array of structs, and what they must print."""
    name, fields = document.name, ["value"] if document.flat else [column.name for column in document.columns]
    length = f"sizeof {name} / sizeof {name}[0]"
    words = [any(row.cells[i].role == WORD for row in document.rows) for i in range(len(fields))]
    prints = [
        f"put({name}[i].{f});" if word else f'printf("%a\\n", {name}[i].{f});'
        for f, word in zip(fields, words, strict=True)
    ]
    wanted = []
    for row in document.rows:
        if document.flat and row.cells[0].absent:
            continue
        wanted.append(row.name)
        wanted += [c.text if word else float(c.text or "nan") for c, word in zip(row.cells, words, strict=True)]
    return [f"for (size_t i = 0; i < {length}; i++) {{ put({name}[i].name); {' '.join(prints)} }}"], wanted


def macros(document) -> tuple[list[str], list]:
    found = files.joined(document, document.name)
    return [f'printf("%a\\n", {name});' for name in found], list(found.values())


def read(lines: list[str], wanted: list) -> list:
    """Return printed lines as texts and numbers, of the kinds that are wanted."""
    return [
        bytes.fromhex(line).decode() if isinstance(value, str) else float.fromhex(line)
        for line, value in itertools.zip_longest(lines, wanted)
    ]


@pytest.mark.parametrize(("layout", "flat"), FORMS, ids=IDS)
def test_golden(golden, layout, flat):
    text = samples.steady(RENDERER.constants(samples.constants(layout, flat=flat)))
    golden(f"renderers/golden/constants_{'flat' if flat else 'nested'}_{layout}.h", text)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_layout_is_compiled_and_read_back(tmp_path, language):
    edges = {f"x{place}": value for place, value in enumerate(files.many_doubles())}
    cases = {
        "a.h": (array, files.hostile("mapping", flat=True, name="A")),
        "b.h": (array, files.hostile("mapping", name="B")),
        "c.h": (macros, files.hostile("constants", flat=True, name="C")),
        "d.h": (macros, files.hostile("constants", name="D")),
        "e.h": (array, files.of_words("E", "mapping")),
        "f.h": (array, files.of_numbers(dict.fromkeys((n for n in files.NAMES if "\0" not in n), 0.5), "F", "mapping")),
        "g.h": (array, files.of_numbers(edges, "G", "mapping")),
        "h.h": (macros, files.of_numbers(edges, "H", "constants")),
    }
    statements, wanted = [], []
    for asked, document in cases.values():
        more, values = asked(document)
        statements += more
        wanted += values
    found = read(
        output(tmp_path, language, {name: document for name, (_, document) in cases.items()}, statements), wanted
    )
    assert files.same(found, wanted)
    assert any(isinstance(value, float) and math.isnan(value) for value in wanted)


def test_words_are_strings_in_macros(tmp_path):
    lines = output(tmp_path, "c99", {"w.h": files.of_words("W", "constants")}, ["put(W_MAX_POOL_FORWARD_ENGINE);"])
    assert read(lines, [""]) == ["monte-carlo"]


def test_a_header_without_any_number_still_compiles(tmp_path):
    document = samples.constants("mapping", flat=True)
    empty = type(document)(document.name, document.columns, document.rows[2:], document.law, layout="mapping")
    assert output(tmp_path, "c99", {"x.h": empty}, []) == []


def guard(**keys):
    """Return the name of a header's include guard."""
    text = RENDERER.constants(samples.constants(**keys))
    (found,) = re.findall(r"^#ifndef (NORMCAL_\w+_H)\n#define \1$", text, re.M)
    assert text.endswith(f"#endif /* {found} */\n")
    return found


def test_a_guard_is_no_other_header_s_and_knows_no_digits():
    assert guard().startswith("NORMCAL_GAINS_") and guard(name="my_gains2").startswith("NORMCAL_MY_GAINS2_")
    assert guard() == guard(digits=5) == guard(layout="mapping")
    assert len({guard(), guard(flat=True), guard(name="X")}) == 3


def test_a_negative_number_may_stand_behind_any_operator():
    document = samples.constants(flat=True)
    layer = samples.exact()
    column = assembly.column("-forward.mean", "offset", "snake")
    text = RENDERER.constants(assembly.build("X", [column], ["a"], [layer], document.law))
    assert f"#define X_A (-{layer.forward.mean.value!r})" in text


def test_the_user_s_code_stands_within_the_guard():
    text = RENDERER.constants(samples.constants(epilogue="int own;\n"))
    assert text.index("int own;") < text.index("#endif")


@pytest.mark.parametrize(("name", "message"), [("a-b", "'a-b' is no identifier"), ("name", "second field")])
def test_a_column_that_is_no_field_is_refused(name, message):
    from normcal import assembly

    columns = [assembly.column("forward.mean", name, "snake"), assembly.column("forward.std", "std", "snake")]
    document = assembly.build("X", columns, ["a"], [samples.exact()], samples.result().law, layout="mapping")
    with pytest.raises(RequestError, match=message):
        RENDERER.constants(document)
