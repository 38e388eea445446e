"""The law of recorded values: averages over a file of any size, in one pass, and files that are none refused."""

import json
import subprocess
import sys

import numpy as np
import pytest

from normcal import catalog, law, pipeline, records
from normcal.errors import NormcalError
from normcal.request import Request
from tests.program import environment, invoke, succeed

COUNT = 20_000


@pytest.fixture(scope="module")
def values():
    return np.random.default_rng(0).standard_normal(COUNT) * 1.5 + 0.3


@pytest.fixture
def folder(tmp_path, values, monkeypatch):
    """A folder with the values in every format, to stand in."""
    np.save(tmp_path / "values.npy", values)
    np.save(tmp_path / "single.npy", values.astype(">f4").reshape(100, 200))
    np.save(tmp_path / "fortran.npy", np.asfortranarray(values.reshape(100, 200)))
    np.save(tmp_path / "whole.npy", np.arange(-5, 6))
    table = "\n".join(f"{k},{x!r}" for k, x in enumerate(values.tolist()))
    (tmp_path / "table.csv").write_text(f"step,pre\n{table}\n", encoding="utf-8")
    (tmp_path / "bare.csv").write_text("\n".join(map(repr, values.tolist())), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def computed(text, *layers, **options):
    return pipeline.run(Request(input=text, **options), [catalog.layer(one) for one in layers]).layers


FILES = [
    'empirical(file="values.npy")', 'empirical("values.npy")', 'empirical(file="single.npy")',
    'empirical(file="fortran.npy")', 'empirical(file="table.csv", column=pre)', 'empirical(file="table.csv", column=2)',
    'empirical(file="bare.csv")',
]  # fmt: skip


@pytest.mark.parametrize("text", FILES)
def test_an_elementwise_layer_is_averaged_over_every_value(text, folder, values):
    (row,) = computed(text, "relu")
    if "single" in text:
        values = values.astype("f4").astype(float)
    y = np.maximum(values, 0.0)
    assert row.forward.mean.value == pytest.approx(y.mean(), rel=1e-12)
    assert row.forward.std.value == pytest.approx(y.std(), rel=1e-12)
    assert row.backward.std.value == pytest.approx(np.sqrt((values > 0).mean()), rel=1e-12)
    assert row.forward.samples == COUNT and row.forward.sampler == "recorded values"
    assert row.forward.mean.error == pytest.approx(y.std() / np.sqrt(COUNT), rel=1e-3)


def test_the_errors_are_those_of_independent_values(folder, values):
    (row,) = computed(FILES[0], "tanh")
    u = (np.tanh(values) - np.tanh(values).mean()) ** 2
    assert row.forward.std.error == pytest.approx(u.std() / (2 * np.sqrt(u.mean()) * np.sqrt(COUNT)), rel=1e-3)


def test_the_bootstrap_confirms_them(folder):
    plain, resampled = (computed(text, "relu")[0].forward for text in (FILES[0], FILES[0][:-1] + ", bootstrap=400)"))
    for name in ("mean", "std", "rms"):
        a, b = getattr(plain, name), getattr(resampled, name)
        assert a.value == b.value and b.error == pytest.approx(a.error, rel=0.15)
    assert "400 resamplings" in resampled.sampler


def test_the_bootstrap_is_the_same_with_the_same_seed(folder):
    text = FILES[0][:-1] + ", bootstrap=50)"
    first, again, other = (computed(text, "relu", seed=seed)[0].forward.std.error for seed in (1, 1, 2))
    assert first == again != other


def test_what_a_layer_draws_is_averaged_by_its_moments(folder, values):
    (row,) = computed(FILES[0], "rrelu")
    slopes = np.linspace(0.125, 1.0 / 3.0, 2001)
    slopes = 0.5 * (slopes[1:] + slopes[:-1])
    low = np.minimum(values, 0.0)
    square = np.maximum(values, 0.0) ** 2 + low**2 * (slopes**2).mean()
    mean = np.maximum(values, 0.0) + low * slopes.mean()
    assert row.forward.mean.value == pytest.approx(mean.mean(), rel=1e-6)
    assert row.forward.rms.value == pytest.approx(np.sqrt(square.mean()), rel=1e-6)


def test_a_gradient_of_any_law_is_averaged(folder, values):
    (row,) = computed(FILES[0], "gelu", gradient_mean=0.5, gradient_std=2.0, correlation=0.4)
    from scipy.special import ndtr

    slope = ndtr(values) + values * np.exp(-0.5 * values**2) / np.sqrt(2 * np.pi)
    a = 0.5 + 0.8 * (values - values.mean()) / values.std()
    assert row.backward.mean.value == pytest.approx((slope * a).mean(), rel=1e-10)
    assert row.backward.rms.value == pytest.approx(np.sqrt((slope**2 * (a * a + 4 * 0.84)).mean()), rel=1e-10)


@pytest.mark.parametrize("layer", ["relu", "gelu", "crelu", "rrelu"])
def test_averages_are_the_integrals_of_the_discrete_law_of_the_same_values(layer, folder):
    np.save("few.npy", np.array([-1.0, 0.5, 0.5, 2.0]))
    options = {"gradient_mean": 0.3, "gradient_std": 2.0, "correlation": -0.6}
    read, exact = (computed(text, layer, **options)[0] for text in (
        'empirical("few.npy")', "discrete(values=(-1, 0.5, 2), weights=(1, 2, 1))"))  # fmt: skip
    for way in ("forward", "backward"):
        a, b = getattr(read, way), getattr(exact, way)
        assert b.engine == "quadrature"
        for name in ("mean", "std", "rms"):
            assert getattr(a, name).value == pytest.approx(getattr(b, name).value, rel=1e-13)


@pytest.mark.parametrize("text", [FILES[0], FILES[4]])
def test_other_layers_draw_with_replacement(text, folder, values):
    (row,) = computed(text, "max_pool(kernel_size=2)", samples=50_000)
    picked = np.random.default_rng(1).choice(values, (50_000, 4)).max(axis=1)
    assert abs(row.forward.mean.value - picked.mean()) < 8 * row.forward.mean.error
    assert row.forward.samples == 50_000


def test_a_file_too_large_to_hold_is_drawn_from_all_the_same(folder, monkeypatch):
    monkeypatch.setattr(records, "MOST_HELD", 1000)
    monkeypatch.setattr(records, "BLOCK", 512)
    found = records.opened("table.csv", "pre").indexed()
    assert isinstance(found, np.memmap) and len(found) == COUNT
    assert np.array_equal(found, np.load("values.npy"))


def test_a_standardised_sample_has_mean_0_and_std_1(folder):
    (row,) = computed('empirical("values.npy", standardised=yes)', "identity")
    assert abs(row.forward.mean.value) < 1e-14 and row.forward.std.value == pytest.approx(1.0, rel=1e-14)
    (row,) = computed('empirical("values.npy", standardised=yes)', "identity", mean=2.0, std=0.5)
    assert row.forward.mean.value == pytest.approx(2.0) and row.forward.std.value == pytest.approx(0.5)


def test_values_on_kinks_have_no_derivative(folder):
    forward, backward = (getattr(computed('empirical("whole.npy")', "relu")[0], way) for way in ("forward", "backward"))
    assert forward.status == "tolerance-missed" and backward.status == "undefined"
    assert "1 of the 11 recorded values lie on a kink" in backward.reason


def test_a_million_times_a_large_mean_loses_no_digit(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    x = 1e8 + np.random.default_rng(0).standard_normal(300_000)
    np.save("far.npy", x)
    (row,) = computed('empirical("far.npy")', "identity")
    assert row.forward.std.value == pytest.approx((x - 1e8).std(), rel=1e-7)


def test_an_output_says_what_was_read(folder):
    found = json.loads(succeed("compute", "relu", "--input", FILES[4], "--format", "json").stdout)
    its = found["assumptions"]["input"]
    assert its["spec"] == 'empirical(file="table.csv", column=pre)'
    assert its["count"] == COUNT and its["digest"].startswith("sha256:") and its["standardised"] is False
    assert str(folder) not in json.dumps(found)


MEASURE = """
import resource, sys
from normcal import catalog, pipeline
from normcal.request import Request
layers = [catalog.layer("relu"), catalog.layer("tanh")]
pipeline.run(Request(input='empirical("small.npy")'), layers)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
row = pipeline.run(Request(input='empirical("large.npy")'), layers).layers[0]
print(row.forward.samples, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_the_memory_does_not_grow_with_the_file(tmp_path):
    rng = np.random.default_rng(0)
    for name, count in (("small", 400_000), ("large", 6_000_000)):
        np.save(tmp_path / f"{name}.npy", rng.standard_normal(count, dtype=np.float32))
    done = subprocess.run(
        [sys.executable, "-c", MEASURE], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=True
    )
    samples, grown = map(int, done.stdout.split())
    assert samples == 6_000_000
    assert grown < 12_000  # KiB, of a file of 24 MB


def test_parquet_is_read_in_blocks(folder, values):
    pyarrow = pytest.importorskip("pyarrow", reason="the extra 'parquet' brings it")
    parquet = pytest.importorskip("pyarrow.parquet", reason="the extra 'parquet' brings it")
    table = pyarrow.table({"pre": values, "step": np.arange(COUNT), "word": ["x"] * COUNT})
    parquet.write_table(table, "values.parquet", row_group_size=3000)
    (row,) = computed('empirical("values.parquet", column=pre)', "relu")
    assert row.forward.mean.value == pytest.approx(np.maximum(values, 0.0).mean(), rel=1e-12)
    for text, message in (
        ('empirical("values.parquet")', "has 3 columns"),
        ('empirical("values.parquet", column=word)', "holds 'string'"),
        ('empirical("values.parquet", column=prf)', "Did you mean 'pre'"),
    ):
        with pytest.raises(NormcalError, match=message):
            _ = Request(input=text).law
    data = (folder / "values.parquet").read_bytes()
    (folder / "cut.parquet").write_bytes(data[: len(data) // 2])
    with pytest.raises(NormcalError, match="cannot be read"):
        _ = Request(input='empirical("cut.parquet", column=pre)').law
    parquet.write_table(pyarrow.table({"pre": [1.0, None]}), "hole.parquet")
    with pytest.raises(NormcalError, match="value 2 is missing"):
        _ = Request(input='empirical("hole.parquet")').law


def test_parquet_without_its_library_says_what_to_install(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (folder / "x.parquet").write_bytes(b"PAR1")
    with pytest.raises(NormcalError, match=r"normcal\[parquet\]"):
        _ = Request(input='empirical("x.parquet")').law


# -- files that are none


class Trap:
    """What runs code when it is unpickled."""

    def __reduce__(self):
        return open, ("trapped", "w")


def damage(folder, name):
    whole = (folder / "values.npy").read_bytes()
    made = {
        "cut.npy": whole[:1000],
        "head.npy": whole[:40],
        "empty.npy": b"",
        "text.npy": b"1\n2\n3\n",
        "evil.npy": b"\x93NUMPY\x01\x00\x76\x00" + b"__import__('os').system('touch trapped')".ljust(117) + b"\n",
        "empty.csv": b"",
        "names.csv": b"a,b\n",
        "word.csv": b"a\n1\nx\n",
        "short.csv": b"a,b\n1,2\n3\n",
        "nan.csv": b"a\n1\nnan\n",
        "inf.csv": b"1\n2\n1e999\n",
        "binary.csv": bytes(range(256)),
        "line.csv": b"1" * 3_000_000,
        "text.parquet": b"PAR1 and no more",
        "values.pickle": b"",
        "dead.txt": "Ā,ā\nnonsense".encode(),
    }
    arrays = {
        "nan.npy": np.array([1.0, np.nan]),
        "inf.npy": np.array([[1.0], [-np.inf]]),
        "none.npy": np.zeros((3, 0)),
        "complex.npy": np.array([1j]),
        "words.npy": np.array(["a"]),
        "named.npy": np.array([(1, 2.0)], dtype=[("a", int), ("b", float)]),
    }
    path = folder / name
    if name in made:
        path.write_bytes(made[name])
    elif name in arrays:
        np.save(path, arrays[name])
    elif name == "object.npy":
        np.save(path, np.array([Trap()], dtype=object), allow_pickle=True)
    elif name == "folder.npy":
        path.mkdir()


BROKEN = [
    ("cut.npy", "is cut short"), ("head.npy", "is no .npy file"), ("empty.npy", "is no .npy file"),
    ("text.npy", "is no .npy file"), ("evil.npy", "is no .npy file"), ("nan.npy", "value 2 is nan"),
    ("inf.npy", "value 2 is -inf"), ("none.npy", "holds no values"), ("complex.npy", "holds values of type"),
    ("words.npy", "holds values of type"), ("named.npy", "holds values of type"), ("object.npy", "Python objects"),
    ("folder.npy", "is a folder"), ("absent.npy", "is not there"), ("empty.csv", "0 columns"),
    ("names.csv", "has 2 columns"), ("word.csv", "'x' is no number"), ("nan.csv", "value 2 is nan"),
    ("inf.csv", "value 3 is inf"), ("binary.csv", "no text in UTF-8"), ("line.csv", "a line of more than"),
    ("values.pickle", "a file of this kind"), ("dead.txt", "has 2 columns"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "message"), BROKEN, ids=[name for name, _ in BROKEN])
def test_a_file_that_is_none_is_named_and_refused(name, message, folder):
    damage(folder, name)
    found = invoke("compute", "relu", "--input", f'empirical("{name}")')
    assert found.exit_code == 2 and message in found.stderr and name in found.stderr
    assert not found.stdout and not (folder / "trapped").exists()


COLUMNS = [
    ('empirical("table.csv")', "Say which with column=...: step, pre"),
    ('empirical("table.csv", column=prf)', "Did you mean 'pre'"),
    ('empirical("table.csv", column=3)', "has no column 3"),
    ('empirical("table.csv", column=0)', "has no column 0"),
    ('empirical("bare.csv", column=a)', "does not name its columns"),
    ('empirical("values.npy", column=1)', "no columns to choose from"),
    ('empirical("values.npy", column=1.5)', "column cannot be 1.5"),
    ("empirical", "needs file"),
    ("empirical(file=values)", "cannot be read from a file of this kind"),
    ('empirical("values.npy", bootstrap=5)', "bootstrap cannot be 5"),
    ('empirical("a.npy", "b.npy")', "takes parameters by name"),
    ('empirical("")', "file cannot be ''"),
]


@pytest.mark.parametrize(("text", "message"), COLUMNS, ids=[text for text, _ in COLUMNS])
def test_what_names_no_values_is_refused_with_a_reason(text, message, folder):
    found = invoke("compute", "relu", "--input", text)
    assert found.exit_code == 2 and message in found.stderr


def test_a_row_that_is_short_is_named_by_its_line(folder):
    damage(folder, "short.csv")
    found = invoke("compute", "relu", "--input", 'empirical("short.csv", column=b)')
    assert found.exit_code == 2 and "line 3" in found.stderr


# -- configs


def test_a_config_names_files_beside_itself(folder, monkeypatch):
    (folder / "inner").mkdir()
    (folder / "values.npy").rename(folder / "inner" / "values.npy")
    (folder / "inner" / "table.yaml").write_text('layers: [relu]\ninput: empirical(file="values.npy")\n')
    found = json.loads(succeed("table", "inner/table.yaml", "--format", "json").stdout)
    assert found["assumptions"]["input"]["spec"] == 'empirical(file="values.npy")'
    refused = invoke("table", "inner/table.yaml", "--input", 'empirical("values.npy")')
    assert refused.exit_code == 2 and "is not there" in refused.stderr


def test_a_generated_file_is_checked_against_its_config_and_reads_nothing_by_itself(folder):
    (folder / "net.yaml").write_text(
        'input: empirical(file="values.npy")\noutputs:\n  - {path: gains.py, layers: [relu], columns: [forward.std]}\n'
    )
    succeed("generate", "net.yaml")
    succeed("check", "net.yaml")
    alone = invoke("check", "gains.py")
    assert alone.exit_code == 2 and "names no other files" in alone.stderr


def test_a_law_of_records_is_the_same_only_for_the_same_values(folder, values):
    before = law.named(FILES[0])
    assert before == law.named(FILES[0])
    np.save("values.npy", values + 1.0)
    assert before != law.named(FILES[0])


def test_values_whose_squares_overflow_leave_no_warning(tmp_path):
    np.save(tmp_path / "huge.npy", np.array([1e300, -1e300, 1e308]))
    found = Request(input=f'empirical(file="{tmp_path / "huge.npy"}")').law
    assert found.count == 3 and not np.isfinite(found.std)
