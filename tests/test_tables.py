"""The committed tables are what the shipped configs produce, within the stated errors."""

import json
import pathlib
import re

import pytest
import yaml
from click.testing import CliRunner

from normcal.cli import group

ROOT = pathlib.Path(__file__).resolve().parent.parent
NAMES = ("default", "articles")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?")


def _produced(name: str, format: str) -> str:
    outcome = CliRunner().invoke(group, ["table", str(ROOT / "configs" / f"{name}.yaml"), "--format", format])
    assert outcome.exit_code == 0, outcome.output
    return outcome.stdout


def _advice(name: str) -> str:
    return f"regenerate it: normcal table configs/{name}.yaml -o tables/{name}.SUFFIX"


def _leaves(value, path=()):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, (*path, key))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _leaves(inner, (*path, place))
    else:
        yield path, value


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("format", ["json", "yaml"])
def test_committed_documents_are_current_within_rounding(name, format):
    read = json.loads if format == "json" else yaml.safe_load
    committed = dict(_leaves(read((ROOT / "tables" / f"{name}.{format}").read_text())))
    produced = dict(_leaves(read(_produced(name, format))))
    assert committed.keys() == produced.keys(), _advice(name)
    for path, value in produced.items():
        if isinstance(value, float) and not any("error" in str(step) or step == "difference" for step in path):
            assert committed[path] == pytest.approx(value, rel=1e-12, abs=1e-13), (path, _advice(name))
        elif not isinstance(value, float):
            assert committed[path] == value, (path, _advice(name))


@pytest.mark.parametrize("name", NAMES)
def test_yaml_and_json_hold_the_same_document(name):
    from_json = json.loads((ROOT / "tables" / f"{name}.json").read_text())
    assert yaml.safe_load((ROOT / "tables" / f"{name}.yaml").read_text()) == from_json


@pytest.mark.parametrize("name", NAMES)
def test_committed_markdown_is_current_but_for_the_size_of_errors(name):
    committed = (ROOT / "tables" / f"{name}.md").read_text()
    produced = _produced(name, "markdown")

    def shape(text):
        return re.sub(r"[ -]+", " ", _NUMBER.sub("0", text))

    assert shape(committed) == shape(produced), _advice(name)
    for old, new in zip(_NUMBER.findall(committed), _NUMBER.findall(produced), strict=True):
        assert float(old) == pytest.approx(float(new), rel=1e-8, abs=1e-12), _advice(name)


def test_the_articles_config_compares_every_number_with_a_verdict():
    comparisons = json.loads((ROOT / "tables" / "articles.json").read_text())["comparisons"]
    verdicts = {(c["where"], c["quantity"], c["printed"]): c["verdict"] for c in comparisons}
    others = [where for (where, _, _), verdict in verdicts.items() if verdict == "other-definition"]
    assert others == ["backward, closing table, fp std", "backward, closing table, bp std"]
    assert set(verdicts.values()) == {"exact", "sampling", "other-definition"}
    assert verdicts["backward, section 3, Sigmoid", "backward.std", "0.2123"] == "sampling"
    assert verdicts["forward, section 4, 2×2 maximum", "forward.mean", "1.0291"] == "sampling"
    assert verdicts["forward, section 4, 3×3 maximum", "forward.std", "0.5978"] == "exact"
