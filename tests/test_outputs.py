"""Outputs of a config: paths stay in their folder, keys fit the document, formats and options are those asked for."""

import os

import pytest

from normcal import config as configs
from normcal import discover, document, profile, renderer, schema
from normcal.document import Computation
from normcal.errors import NormcalError, RequestError
from normcal.output import Output, described, outputs


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return an empty current folder with neighbours that must not be touched."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("secret\n")
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


def read(folder, text: str, root: str | None = None, name: str = "normcal.yaml") -> list[Output]:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    return outputs(configs.read(str(name)), root)


def one(folder, keys: str, head: str = "") -> Output:
    (found,) = read(folder, f"{head}outputs:\n  - {{{keys}}}\n")
    return found


def refusal(folder, text: str, **more) -> NormcalError:
    with pytest.raises(NormcalError) as caught:
        read(folder, text, **more)
    return caught.value


# -- paths


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("a.py", "a.py"), ("./a.py", "a.py"), ("b/c/../a.py", "b/a.py"), ("deep/er/a.py", "deep/er/a.py"),
        ("a b.py", "a b.py"), ("é/\u4e2d.py", "é/\u4e2d.py"), ("-a.py", "-a.py"), ("..a.py", "..a.py"),
        ("~/a.py", "~/a.py"), ("$HOME.py", "$HOME.py"), ("*.py", "*.py"), ("b/../../here/a.py", "a.py"),
    ],
)  # fmt: skip
def test_a_path_below_the_folder_is_taken_as_it_is(folder, path, target):
    found = one(folder, f"path: {path!r}, layers: [relu]")
    assert (found.path, found.target) == (path, os.path.realpath(folder / target))


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("../a.py", "leads out of"), ("a/../../b.py", "leads out of"), ("/tmp/a.py", "leads out of"),
        ("../outside/secret", "leads out of"), (".", "leads out of"), ("", "'path' cannot be ''"),
        ("../here", "leads out of"), ("../here2/a.py", "leads out of"), ("link/a.py", "leads out of"),
        ("linked.py", "leads out of"), ("dangling.py", "leads out of"), ("inner/", "not the path of a file"),
        ("inner", "is a folder"), ("a\x00.py", "not the path of a file"), ("a\n.py", "not the path of a file"),
        ("\x1b[31m.py", "not the path of a file"), ("\x85.py", "not the path of a file"),
        ("a" * 300 + ".py", "too long"),
        ("file/a.py", "Not a directory"), ("normcal.yaml", "is the config itself"),
        ("x/../normcal.yaml", "is the config itself"), ("same.yaml", "is the config itself"),
    ],
    ids=[
        "dots", "dots-within", "absolute", "neighbour", "the-folder", "empty", "itself-from-outside", "longer-name",
        "linked-folder", "linked-file", "dangling-link", "slash", "folder", "nul", "line-end", "escape", "control",
        "long", "below-a-file", "config", "config-by-dots", "config-by-a-link",
    ],
)  # fmt: skip
def test_a_path_that_leaves_the_folder_or_is_no_file_is_refused(folder, path, told):
    (folder / "inner").mkdir()
    (folder / "file").write_text("")
    (folder.parent / "here2").mkdir()
    (folder / "link").symlink_to(folder.parent / "outside")
    (folder / "linked.py").symlink_to(folder.parent / "outside" / "secret")
    (folder / "dangling.py").symlink_to(folder.parent / "outside" / "nothing")
    (folder / "same.yaml").symlink_to("normcal.yaml")
    escaped = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in path)
    error = refusal(folder, f'layers: [relu]\noutputs:\n  - path: "{escaped}"\n')
    assert told in error.message
    assert error.message.startswith("normcal.yaml:3: outputs[0].path: ")
    assert len(error.message) < 500
    assert error.exit_code == 2


def test_a_link_that_stays_in_the_folder_is_followed(folder):
    (folder / "inner").mkdir()
    (folder / "link").symlink_to("inner")
    assert one(folder, "path: link/a.py, layers: [relu]").target == os.path.realpath(folder / "inner" / "a.py")


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        ("a.py", "a.py", "already written by outputs[0]"),
        ("a.py", "./b/../a.py", "already written by outputs[0]"),
        ("inner/a.py", "link/a.py", "already written by outputs[0]"),
        ("a.py", "a.py/b.py", "lies below the file"),
    ],
    ids=["same", "dots", "link", "below"],
)
def test_two_outputs_to_one_path_are_refused(folder, first, second, told):
    (folder / "inner").mkdir()
    (folder / "link").symlink_to("inner")
    error = refusal(folder, f"layers: [relu]\noutputs:\n  - path: {first}\n  - path: {second}\n")
    assert told in error.message
    assert error.message.startswith("normcal.yaml:4: outputs[1].path: ")


@pytest.mark.parametrize("order", [("t.j2", "a.txt"), ("a.txt", "t.j2")], ids=["before", "behind"])
def test_an_output_is_no_template_of_another(folder, order):
    texts = {
        "a.txt": "{path: a.txt, template: t.j2, layers: [relu]}",
        "t.j2": "{path: t.j2, format: text, layers: [relu]}",
    }
    error = refusal(folder, "outputs:\n" + "".join(f"  - {texts[name]}\n" for name in order))
    assert "'t.j2' is a template" in error.message


def test_the_folder_is_the_config_s_own(folder):
    (found,) = read(folder, "outputs: [{path: a.py, layers: [relu]}]", name="configs/c.yaml")
    assert found.target == os.path.realpath(folder / "configs" / "a.py")
    assert "leads out" in refusal(folder, "outputs: [{path: ../a.py, layers: [relu]}]", name="configs/c.yaml").message


def test_another_root_is_where_paths_start_and_stay(folder):
    (found,) = read(folder, "outputs: [{path: a.py, layers: [relu]}]", root=".", name="configs/c.yaml")
    assert found.target == os.path.realpath(folder / "a.py")
    (found,) = read(folder, "outputs: [{path: here/a.py, layers: [relu]}]", root="..", name="configs/c.yaml")
    assert found.target == os.path.realpath(folder / "a.py")
    assert "leads out" in refusal(folder, "outputs: [{path: ../a.py, layers: [relu]}]", root="configs").message
    assert "'nosuch' is no folder" in refusal(folder, "outputs: [{path: a.py, layers: [relu]}]", root="nosuch").message


def test_a_config_without_outputs_says_what_to_write(folder):
    error = refusal(folder, "layers: [relu]\n")
    assert "no 'outputs'" in error.message
    assert "path" in error.hint


# -- formats


@pytest.mark.parametrize(
    ("suffix", "name"), [(s, name) for name in renderer.names() for s in renderer.get(name).suffixes]
)
def test_a_suffix_picks_its_format(folder, suffix, name):
    assert one(folder, f"path: a{suffix}, layers: [relu]").renderer.name == name


@pytest.mark.parametrize(
    ("keys", "name"),
    [
        ("path: a.json, format: yaml", "yaml"),
        ("path: a, format: c", "c"),
        ("path: a.PY", "python"),
        ("path: a, profile: timm", "python"),
        ("path: a.h, profile: timm", "c"),
        ("path: a.h, profile: timm, format: rust", "rust"),
    ],
)
def test_the_named_format_wins_over_the_suffix_over_the_profile(folder, keys, name):
    assert one(folder, keys, "layers: [relu]\n").renderer.name == name


@pytest.mark.parametrize(
    ("keys", "place", "told"),
    [
        ("path: a.xyz", "path", "no format claims the suffix '.xyz'"),
        ("path: a", "path", "no format claims the suffix ''"),
        ("path: a, format: jsn", "format", "'jsn'"),
        ("path: a.py, profile: tim", "profile", "'tim'"),
        ("path: a.py, document: tabel", "document", "'tabel'"),
        ("path: a.py, colums: []", "colums", "'colums'"),
        ("path: a.md, document: table, columns: [forward.mean]", "columns", "takes no 'columns'"),
        ("path: a.md, document: layers, header: x", "header", "takes no 'header'"),
        ("path: a.json, document: schema, layers: [relu]", "layers", "takes no 'layers'"),
        ("path: a.py, mean: .nan", "mean", "nan"),
        ("path: a.py, mean: '1e400'", "mean", "inf"),
        ("path: a.py, std: -1", "std", "-1"),
        ("path: a.py, samples: 1e12", "samples", "samples"),
        ("path: a.py, samples: 1.5", "samples", "1.5"),
        ("path: a.py, engine: mc", "engine", "'mc'"),
        ("path: a.py, workers: 2", "workers", "'workers'"),
    ],
)
def test_what_an_output_does_not_take_is_refused_with_its_place(folder, keys, place, told):
    error = refusal(folder, f"layers: [relu]\noutputs:\n  - {{path: fine.py}}\n  - {{{keys}}}\n")
    assert error.message.startswith(f"normcal.yaml:4: outputs[1].{place}: ")
    assert told in error.message


# -- keys over keys


def test_an_output_s_keys_go_over_its_profile_s_and_options_over_the_config_s(folder):
    found = one(folder, "path: a.py, profile: timm, name: MINE, mean: 1, tol: 1e-9", "mean: 0.5\nstd: 2\nworkers: 3\n")
    assert found.settings["name"] == "MINE"
    assert found.settings["columns"] == profile.get("timm")["columns"]
    assert (found.request.mean, found.request.std, found.request.tol) == (1.0, 2.0, 1e-9)
    assert found.request.workers == 3


def test_the_layers_of_the_config_s_table_serve_outputs_that_name_none(folder):
    assert one(folder, "path: a.py", "layers: [relu, gelu]\n").settings["layers"] == ["relu", "gelu"]
    assert one(folder, "path: a.py, layers: [tanh]", "layers: [relu]\n").settings["layers"] == ["tanh"]
    assert "layers" not in one(folder, "path: a.py, families: [rectifiers]", "layers: [relu]\n").settings


@pytest.mark.parametrize(
    ("written", "digits"), [("3", 3), ("3.0", 3), ("round-trip", "round-trip"), ("error", "error")]
)
def test_digits_are_a_whole_number_or_a_word(folder, written, digits):
    found = one(folder, f"path: a.py, layers: [relu], digits: {written}").settings["digits"]
    assert (found, type(found)) == (digits, type(digits))


def test_what_a_file_says_it_was_made_from_makes_the_same_output(folder):
    found = one(folder, "path: sub/a.py, profile: timm, mean: 1, digits: 4", "std: 2\nworkers: 2\n")
    assert not {"path", "workers"} & found.origin.keys()
    again = described(found.origin, "sub/a.py", "a.py (itself)")
    assert (again.target, again.renderer, again.document) == (found.target, found.renderer, found.document)
    assert again.settings | {"path": ""} == found.settings | {"path": "", "format": "python", "mean": 1, "std": 2}
    assert again.request.law == found.request.law
    assert again.own and not found.own


@pytest.mark.parametrize("key", ["template", "config"])
def test_a_file_that_says_what_it_was_made_from_names_no_other_file(folder, key):
    document = {"config": {"document": "table"}}.get(key, {"layers": ["relu"]})
    with pytest.raises(RequestError, match="names no other files"):
        described(document | {key: "/etc/passwd"}, "a.txt", "a.txt (itself)")


def test_a_file_cannot_say_that_it_is_another_one(folder):
    found = described({"layers": ["relu"], "path": "/etc/passwd"}, "a.py", "a.py (itself)")
    assert found.target == os.path.realpath("a.py")


@pytest.mark.parametrize("kind", discover.names("documents"))
def test_every_document_takes_only_keys_that_the_schema_knows(kind):
    known = schema.get("config")["$defs"]["output"]["properties"]
    assert set(discover.load("documents", kind).DOCUMENT.keys) <= known.keys()


# -- what several outputs share


def test_defaults_hold_for_every_output_that_does_not_say_otherwise(folder):
    head = "digits: 5\nmean: 1\ndefaults: {layers: [relu], columns: [forward.gain], keys: upper, std: 2, seed: 3}\n"
    plain, own = read(folder, f"{head}outputs: [{{path: a.py}}, {{path: b.py, layers: [gelu], keys: camel, std: 3}}]\n")
    shared = {"columns": ["forward.gain"], "digits": 5}
    assert plain.settings.items() >= (shared | {"layers": ["relu"], "keys": "upper"}).items()
    assert own.settings.items() >= (shared | {"layers": ["gelu"], "keys": "camel"}).items()
    assert [(one.request.mean, one.request.std, one.request.seed) for one in (plain, own)] == [(1, 2, 3), (1, 3, 3)]


def test_a_profile_goes_over_defaults_and_the_output_over_both(folder):
    head = "defaults: {columns: [forward.std], name: X}\n"
    keys = "path: a.py, profile: timm"
    assert one(folder, keys, head).settings["columns"] == profile.get("timm")["columns"]
    assert one(folder, f"{keys}, columns: [backward.std]", head).settings["columns"] == ["backward.std"]


def test_the_header_of_a_profile_does_not_tell_of_other_columns(folder):
    assert "header" in one(folder, "path: a.py, profile: timm").settings
    assert "header" not in one(folder, "path: a.py, profile: timm, columns: [forward.mean]").settings


def test_keys_of_a_document_that_takes_none_of_them_are_no_concern_of_defaults(folder):
    found = one(folder, "path: a.md, document: layers", "defaults: {columns: [forward.std]}\n")
    assert "columns" not in found.settings


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("layers: [relu, relux]\noutputs: [{path: a.py}]\n", "normcal.yaml:1: layers[1]: Unknown layer 'relux'"),
        ("defaults:\n  layers: [relux]\noutputs: [{path: a.py}]\n", "normcal.yaml:2: defaults.layers[0]: Unknown"),
        ("defaults: {std: -1}\noutputs: [{path: a.py}]\n", "normcal.yaml:1: defaults.std: std cannot be -1"),
        ("defaults: {path: a.py}\noutputs: [{path: a.py}]\n", "normcal.yaml:1: defaults.path: Unknown key 'path'"),
    ],
    ids=["top", "defaults", "option", "path"],
)
def test_an_error_stands_where_the_key_is_written(folder, text, told):
    with pytest.raises(NormcalError) as caught:
        document.draft(read(folder, text)[0], Computation())
    assert caught.value.message.startswith(told)


def test_two_paths_that_differ_in_capitals_are_one_file_somewhere(folder):
    told = refusal(folder, "outputs: [{path: a.py, layers: [relu]}, {path: A.py, layers: [relu]}]\n")
    assert "already written by outputs[0]" in told.message


def test_defaults_may_name_a_profile_and_a_template(folder):
    (folder / "t.j2").write_text("{{ name }}")
    profiled, own = read(folder, "defaults: {profile: timm}\noutputs: [{path: a.py}, {path: b.py, profile: e3nn}]\n")
    assert (profiled.settings["name"], own.settings["name"]) == ("_nonlin_gamma", profile.get("e3nn")["name"])
    (made,) = read(folder, "defaults: {template: t.j2}\noutputs: [{path: a.txt, layers: [relu]}]\n")
    assert made.renderer.name == "template"
