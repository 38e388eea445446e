"""CSV: golden files, one row a record, every digit read back, absent values empty."""

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from normcal.renderers.csv import RENDERER
from normcal.report import Report, View
from tests.renderers import files, samples

REPORTS = samples.reports()
FLOATS = st.floats(allow_nan=False, allow_infinity=False)


def rows(text):
    return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.mark.parametrize("name", REPORTS)
def test_golden(golden, name):
    golden(f"renderers/golden/{name}.csv", samples.steady(RENDERER.render(REPORTS[name], View())))


@pytest.mark.parametrize("name", REPORTS)
def test_what_is_written_is_read_back(name):
    records = REPORTS[name].records
    found = rows(RENDERER.render(REPORTS[name], View()))
    assert len(found) == len(records)
    for row, record in zip(found, records, strict=True):
        for key, value in record.items():
            assert row[key] == ("" if value is None else repr(value) if isinstance(value, float) else str(value))
            if isinstance(value, float):
                assert float(row[key]) == value


def test_the_records_hold_the_figures_of_the_result():
    found = {(row["spec"], row["direction"]): row for row in rows(RENDERER.render(REPORTS["by_direction"], View()))}
    for layer in samples.result().layers:
        for direction, estimate in (("forward", layer.forward), ("backward", layer.backward)):
            if estimate is None:
                assert (layer.layer.spec, direction) not in found
                continue
            row = found[layer.layer.spec, direction]
            for key in ("mean", "std", "rms", "gain", "rms_gain"):
                value = getattr(estimate, key)
                assert row[key] == ("" if value.value is None else repr(value.value))
                assert row[f"{key}_error"] == ("" if value.error is None else repr(value.error))
            assert (row["status"], row["engine"]) == (estimate.status, estimate.engine)
            assert (row["input_mean"], row["input_std"]) == ("0.5", "2.0")


def test_columns_are_those_of_every_record_not_of_the_first():
    report = Report({}, [{"a": 1}, {"a": 2, "b": 0.5}], ())
    assert rows(RENDERER.render(report, View())) == [{"a": "1", "b": ""}, {"a": "2", "b": "0.5"}]


def test_absent_is_empty_and_zero_is_not():
    report = Report({}, [{"a": None, "b": 0.0, "c": 0}], ())
    assert rows(RENDERER.render(report, View())) == [{"a": "", "b": "0.0", "c": "0"}]


def test_lines_end_as_on_unix():
    assert "\r" not in RENDERER.render(REPORTS["by_direction"], View())


@settings(derandomize=True, database=None, deadline=None)
@given(number=FLOATS, text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_any_double_and_any_text_survive(number, text):
    (row,) = rows(RENDERER.render(Report({}, [{"number": number, "text": text, "end": "x"}], ()), View()))
    assert float(row["number"]) == number
    assert (row["text"], row["end"]) == (text, "x")


@pytest.mark.parametrize("flat", [True, False], ids=["flat", "nested"])
def test_golden_constants(golden, flat):
    text = samples.steady(RENDERER.constants(samples.constants(flat=flat)))
    golden(f"renderers/golden/constants_{'flat' if flat else 'nested'}.csv", text)


def test_constants_are_rows_with_where_they_come_from():
    document = files.hostile()
    rows = list(csv.DictReader(io.StringIO(RENDERER.constants(document), newline="")))
    assert [row["name"] for row in rows] == [row.name for row in document.rows]
    for found, row in zip(rows, document.rows, strict=True):
        assert found["layer"] == row.spec
        assert [found[column.name] for column in document.columns] == [cell.text for cell in row.cells]
        assert (found["engine"], found["relative_error"]) == (row.engine.text, row.error.text)
        assert (found["input_mean"], found["input_std"]) == ("0.5", "2.0")
        assert found["generator"].startswith("normcal ")


def test_odd_names_and_edges_of_the_doubles_survive():
    edges = {f"x{place}": value for place, value in enumerate(files.many_doubles())}
    for numbers in (edges, dict.fromkeys(files.NAMES, 0.5)):
        rows = csv.DictReader(io.StringIO(RENDERER.constants(files.of_numbers(numbers)), newline=""))
        assert files.same({row["name"]: float(row["forward_gain"]) for row in rows}, numbers)
