"""Real weights from a file: every number against brute arithmetic, every bad file refused."""

import io
import itertools
import json
import os
import pickle
import struct
import sys
import zipfile

import numpy as np
import pytest
from mpmath import mp, mpf

from normcal import engine, weights
from normcal.engine import Effort
from normcal.errors import FileError, RequestError
from normcal.law import STANDARD, Normal
from tests.program import invoke, succeed

LAW = Normal(0.5, 2.0)
MATRICES = {
    "3x4": np.random.default_rng(0).standard_normal((3, 4)),
    "5x2": np.random.default_rng(1).standard_normal((5, 2)) * 100.0,
    "tiny-entries": np.random.default_rng(2).standard_normal((2, 3)) * 1e-200,
    "huge-entries": np.random.default_rng(3).standard_normal((3, 3)) * 1e150,
    "cancelling-sums": np.array([[1e8, -1e8, 1.0], [1.0, 1e8, -1e8]]),
    "integers": np.array([[1, -2, 3], [4, 5, -6]]),
    "half": np.random.default_rng(4).standard_normal((4, 70)).astype(np.float16),
    "rank-1": np.outer([1.0, 2.0, -3.0], [1.0, -1.0, 2.0]),
    "rows-far-apart": np.array([[1.0, 0.0, 0.5], [1e-200, 1e-200, 0.0], [2.0, 1.0, 1e-180]]),
    "a-zero-row": np.array([[0.0, 0.0], [1.0, 2.0], [3.0, -1.0]]),
    "square": np.array([[2.0, 1.0], [1.0, 3.0]]),
}


@pytest.fixture
def saved(tmp_path):
    def save(array, name="w.npy"):
        np.save(tmp_path / name, array)
        return str(tmp_path / name)

    return save


def matrix_of(array, save, spec="linear"):
    return weights.layer([spec], save(array))


def dot(u, v):
    return sum((x * y for x, y in zip(u, v, strict=True)), mpf(0))


def brute(array, law):
    """Every quantity of a matrix with 60 digits, by its definition."""
    rows = [[mpf(float(x)) for x in row] for row in array]
    columns = list(zip(*rows, strict=True))
    m, s, mu = len(rows), mpf(law.std), mpf(law.mean)
    norms = [mp.sqrt(dot(r, r)) for r in rows]
    values = {
        "row_norm": norms,
        "column_norm": [mp.sqrt(dot(c, c)) for c in columns],
        "forward_mean": [mu * sum(r) for r in rows],
        "forward_std": [s * n for n in norms],
    }
    found = {}
    for name, each in values.items():
        found |= {f"{name}_min": min(each), f"{name}_mean": sum(each) / len(each), f"{name}_max": max(each)}
    singular = sorted(mp.svd_r(mp.matrix(rows), compute_uv=False), reverse=True)
    found |= {"singular_value_max": singular[0], "singular_value_min": singular[-1]}
    found["singular_value_mean_square"] = sum(x**2 for x in singular) / len(singular)
    found["condition"] = singular[0] / singular[-1] if singular[-1] > mpf("1e-40") * singular[0] else None
    pairs = [(i, j) for i, j in itertools.product(range(m), range(m)) if i != j]
    alive = [(i, j) for i, j in pairs if norms[i] * norms[j] > 0]
    found["coherence"] = max(abs(dot(rows[i], rows[j])) / norms[i] / norms[j] for i, j in alive)
    found["covariance_off_diagonal"] = s**4 * sum(dot(rows[i], rows[j]) ** 2 for i, j in pairs)
    spread = sum((norms[i] * norms[j]) ** 2 for i, j in pairs)
    found["covariance_bound"] = s**4 * found["coherence"] ** 2 * spread
    found["covariance_bound_appendix"] = m * (m - 1) * found["covariance_bound"]
    return found


@pytest.mark.parametrize("law", [STANDARD, LAW], ids=str)
@pytest.mark.parametrize("name", MATRICES)
def test_every_quantity_of_a_matrix_is_within_its_error_of_brute_arithmetic(name, law, saved):
    array = MATRICES[name]
    with mp.workdps(60):
        exact = brute(array, law)
        found = {q.name: q for q in weights.measure(matrix_of(array, saved), law)}
        assert set(found) == set(exact)
        for key, wanted in exact.items():
            value = found[key].value
            if value.value is None:
                assert wanted is None or abs(wanted) > mpf("1e308") or key == "condition", key
                assert found[key].reason or abs(wanted) > mpf("1e308")
                continue
            assert abs(mpf(value.value) - wanted) <= value.error, key
            far = name == "rows-far-apart" and key.endswith("_min")  # its square is below the smallest double
            if key.startswith(("row", "column", "forward_std", "singular_value_max", "coherence")) and not far:
                assert value.error <= 1e-13 * abs(value.value) + 1e-320, key


@pytest.mark.parametrize("name", MATRICES)
def test_mean_and_std_pool_the_rows_and_the_columns(name, saved):
    array = MATRICES[name]
    fixed = matrix_of(array, saved)
    with mp.workdps(60):
        rows = [[mpf(float(x)) for x in row] for row in array]
        means = [mpf("0.5") * sum(r) for r in rows]
        mean = sum(means) / len(rows)
        variance = sum(4 * dot(r, r) + e**2 for r, e in zip(rows, means, strict=True)) / len(rows) - mean**2
        back = mp.sqrt(sum(dot(r, r) for r in rows) / len(rows[0]))
        forward = engine.get("closed-form").estimate(fixed, "forward", LAW, Effort())
        backward = engine.get("closed-form").estimate(fixed, "backward", LAW, Effort())
        assert abs(mpf(forward.mean.value) - mean) <= forward.mean.error
        assert abs(mpf(forward.std.value) - mp.sqrt(variance)) <= forward.std.error <= 1e-13 * forward.std.value
        assert abs(mpf(backward.std.value) - back) <= backward.std.error <= 1e-13 * backward.std.value


@pytest.mark.parametrize(
    ("spec", "shape"),
    [("linear", (3, 5)), ("conv", (4, 2, 3)), ("conv(stride=2)", (3, 2, 3, 2)), ("conv(stride=3)", (2, 2, 2, 1, 2))],
)
@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_a_simulation_with_the_same_weights_agrees(spec, shape, direction, saved):
    fixed = matrix_of(np.random.default_rng(6).standard_normal(shape) + 0.3, saved, spec)
    formula = engine.get("closed-form").estimate(fixed, direction, LAW, Effort())
    sample = engine.get("monte-carlo").estimate(fixed, direction, LAW, Effort(samples=4000))
    assert abs(formula.mean.value - sample.mean.value) <= 5.0 * sample.mean.error
    assert abs(formula.std.value - sample.std.value) <= 5.0 * sample.std.error


def test_a_strided_convolution_passes_back_the_norm_at_a_channel_over_the_root_of_its_stride(saved):
    kernel = np.random.default_rng(8).standard_normal((4, 2, 3, 3))
    found = {q.name: q.value.value for q in weights.measure(matrix_of(kernel, saved, "conv(stride=2)"), STANDARD)}
    channels = np.sqrt((kernel**2).sum(axis=(0, 2, 3)) / 4.0)
    assert found["column_norm_min"] == pytest.approx(channels.min(), rel=1e-14)
    assert found["column_norm_max"] == pytest.approx(channels.max(), rel=1e-14)
    assert found["row_norm_max"] == pytest.approx(np.sqrt((kernel**2).sum(axis=(1, 2, 3))).max(), rel=1e-14)


def test_orthonormal_rows_have_no_coherence_and_a_covariance_on_its_diagonal(saved):
    found = {q.name: q.value.value for q in weights.measure(matrix_of(np.eye(3, 5), saved), STANDARD)}
    assert found["coherence"] == found["covariance_off_diagonal"] == found["covariance_bound"] == 0.0
    assert found["condition"] == 1.0


def test_the_sharp_bound_holds_with_equality_for_two_rows(saved):
    found = {q.name: q.value.value for q in weights.measure(matrix_of(MATRICES["square"], saved), LAW)}
    assert found["covariance_off_diagonal"] == pytest.approx(found["covariance_bound"], rel=1e-13)
    assert found["covariance_off_diagonal"] == pytest.approx(2.0 * 2.0**4 * 5.0**2, rel=1e-13)


def test_a_single_row_has_no_coherence_and_says_why(saved):
    found = {q.name: q for q in weights.measure(matrix_of(np.ones((1, 4)), saved), STANDARD)}
    assert found["coherence"].value.value is None and "single row" in found["coherence"].reason
    assert found["covariance_off_diagonal"].value.value == 0.0


def test_a_matrix_of_lower_rank_has_no_condition_number_and_says_why(saved):
    found = {q.name: q for q in weights.measure(matrix_of(MATRICES["rank-1"], saved), STANDARD)}
    assert found["condition"].value.value is None and "least singular value is 0" in found["condition"].reason


def test_a_matrix_that_would_take_too_long_keeps_what_is_quick_and_says_why(saved, monkeypatch):
    monkeypatch.setattr(weights, "MOST_WORK", 10)
    found = {q.name: q for q in weights.measure(matrix_of(MATRICES["3x4"], saved), STANDARD)}
    for name in ("singular_value_max", "condition", "coherence", "covariance_bound"):
        assert found[name].value.value is None and "too long" in found[name].reason
    assert found["singular_value_mean_square"].value.value > 0.0 and found["row_norm_max"].value.value > 0.0


def test_a_file_or_an_array_beyond_the_limit_is_refused(saved, monkeypatch):
    path = saved(np.ones((20, 20)))
    monkeypatch.setattr(weights, "MOST_ENTRIES", 399)
    with pytest.raises(FileError, match="400 entries"):
        weights.load(path)
    monkeypatch.setattr(weights, "MOST_BYTES", 3000)
    with pytest.raises(FileError, match="3_328 bytes"):
        weights.load(path)


def test_a_matrix_taller_and_wider_than_a_block_is_summed_in_parts(saved, monkeypatch):
    array = np.random.default_rng(12).standard_normal((40, 30))
    whole = weights.measure(matrix_of(array, saved), LAW)
    monkeypatch.setattr(weights, "_BLOCK", 64)
    for a, b in zip(whole, weights.measure(matrix_of(array, saved), LAW), strict=True):
        assert abs(a.value.value - b.value.value) <= a.value.error + b.value.error, a.name


def test_weights_of_zeros_are_served_without_a_gain(saved):
    result = succeed("compute", "linear", "--weights", saved(np.zeros((2, 3))), "--mean", "1")
    assert "the std is 0, so there is no gain" in result.stderr


@pytest.mark.parametrize("form", ["text", "json", "yaml", "csv", "markdown"])
def test_every_format_tells_of_the_matrix(form, saved):
    out = succeed("compute", "linear", "--weights", saved(MATRICES["3x4"]), "--mean", "0.5", "--format", form).stdout
    assert "coherence" in out and "covariance_bound" in out and "singular_value_max" in out


def test_json_holds_the_layer_and_the_matrix_and_no_path(saved):
    path = saved(np.ones((1, 2)))
    text = succeed("compute", "linear", "--weights", path, "--format", "json").stdout
    document = json.loads(text)
    assert document["layers"][0]["spec"] == "linear(in_features=2, out_features=1, weights=fixed)"
    assert document["matrix"]["rows"] == 1 and document["matrix"]["coherence"]["value"] is None
    assert os.path.dirname(path) not in text


def test_a_file_of_columns_and_one_of_another_byte_order_read_the_same(tmp_path):
    array = MATRICES["3x4"]
    np.save(tmp_path / "f.npy", np.asfortranarray(array))
    np.save(tmp_path / "b.npy", array.astype(">f8"))
    np.savez(tmp_path / "z.npz", w=np.asfortranarray(array))
    np.savez_compressed(tmp_path / "c.npz", w=array.astype(np.float32), other=array)
    for name in ("f.npy", "b.npy", "z.npz", "c.npz:other"):
        assert np.array_equal(weights.load(str(tmp_path / name)).matrix, array)
    assert np.array_equal(weights.load(str(tmp_path / "c.npz:w")).matrix, array.astype(np.float32))


# -- what is refused -----------------------------------------------------------------------------


def header(shape, dtype="<f8"):
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": dtype, "fortran_order": False, "shape": shape})
    return stream.getvalue()


def archive(members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in members.items():
            out.writestr(name, data)
    return stream.getvalue()


def saved_bytes(array, **options):
    stream = io.BytesIO()
    np.save(stream, array, **options)
    return stream.getvalue()


class Trap:
    """Leaves a mark where it is unpickled."""

    def __reduce__(self):
        return open, ("unpickled", "w")


def damaged():
    whole = bytearray(archive({"w.npy": saved_bytes(np.random.default_rng(0).standard_normal((30, 30)))}))
    whole[200:260] = bytes(60)
    return bytes(whole)


BAD = {
    "empty.npy": (b"", "is empty"),
    "text.npy": (b"1 2 3\n4 5 6\n", "is no .npy"),
    "short.npy": (b"\x93NUM", "is no .npy"),
    "header.npy": (b"\x93NUMPY\x01\x00\xff\xff", "header that cannot be read"),
    "version.npy": (b"\x93NUMPY\x09\x00\x10\x00", "header that cannot be read"),
    "nonsense.npy": (b"\x93NUMPY\x01\x00\x10\x00" + b"__import__('os')", "header that cannot be read"),
    "truncated.npy": (saved_bytes(np.ones((4, 4)))[:-8], "cut short"),
    "claims-more.npy": (header((9000, 9000)), "cut short"),
    "claims-too-much.npy": (header((10**9, 10**9)), "1_000_000_000_000_000_000 entries"),
    "negative.npy": (header((-1, 4)), ""),
    "objects.npy": (saved_bytes(np.array([[Trap()]], dtype=object), allow_pickle=True), "never unpickled"),
    "pickle.npy": (pickle.dumps(Trap()), "never unpickled"),
    "checkpoint.npz": (archive({"archive/data.pkl": pickle.dumps(Trap())}), "never unpickled"),
    "objects.npz": (archive({"w.npy": saved_bytes(np.array([[Trap()]], dtype=object), allow_pickle=True)}), "never"),
    "records.npy": (saved_bytes(np.zeros((2, 2), [("a", "f8")])), "entries of type"),
    "complex.npy": (saved_bytes(np.ones((2, 2), complex)), "complex128"),
    "booleans.npy": (saved_bytes(np.ones((2, 2), bool)), "bool"),
    "words.npy": (saved_bytes(np.array([["a", "b"]])), "entries of type"),
    "long-double.npy": (saved_bytes(np.ones((2, 2), np.longdouble)), "entries of type"),
    "nan.npy": (saved_bytes(np.array([[1.0, np.nan]])), "holds NaN"),
    "infinity.npy": (saved_bytes(np.array([[1.0, -np.inf]])), "holds infinity"),
    "beyond-doubles.npy": (saved_bytes(np.array([[2**62 + 1, 1]])), "beyond 2^53"),
    "number.npy": (saved_bytes(np.float64(1.0)), "a single number"),
    "vector.npy": (saved_bytes(np.ones(4)), "vector of 4 entries"),
    "no-rows.npy": (saved_bytes(np.ones((0, 4))), "shape is 0 x 4"),
    "no-array.npz": (archive({"readme.txt": b"x"}), "holds no array"),
    "several.npz": (archive({f"{k}.npy": saved_bytes(np.ones((1, 2))) for k in "ab"}), "holds 2 arrays"),
    "truncated.npz": (archive({"w.npy": saved_bytes(np.ones((9, 9)))})[:-30], "archive"),
    "damaged.npz": (damaged(), "archive"),
    "cut-member.npz": (archive({"w.npy": saved_bytes(np.ones((4, 4)))[:-8]}), "cut short"),
    "bomb.npz": (archive({"w.npy": header((10**6, 10**6)) + bytes(10**6)}), "entries"),
    "no-numpy.npz": (archive({"w.npy": b"hello"}), "header that cannot be read"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_in_one_message_with_code_2(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data, message = BAD[name]
    (tmp_path / name).write_bytes(data)
    result = invoke("compute", "linear", "--weights", name)
    assert result.exit_code == 2 and result.stdout == ""
    assert name in result.stderr and message in result.stderr and "Traceback" not in result.stderr
    assert not (tmp_path / "unpickled").exists(), "a pickle was loaded"


def test_an_archive_whose_directory_claims_too_much_is_refused_before_it_is_unpacked(tmp_path):
    data = bytearray(archive({"w.npy": saved_bytes(np.ones((2, 2)))}))
    entry = data.index(b"PK\x01\x02")
    data[entry + 24 : entry + 28] = struct.pack("<I", 4_000_000_000)
    (tmp_path / "claims.npz").write_bytes(bytes(data))
    with pytest.raises(FileError, match="unpacks to 4_000_000_000 bytes"):
        weights.load(str(tmp_path / "claims.npz"))


def test_a_file_that_is_missing_a_folder_and_a_key_that_is_none(tmp_path, saved):
    np.savez(tmp_path / "many.npz", encoder=np.ones((2, 2)), decoder=np.ones((2, 2)))
    cases = {
        str(tmp_path / "none.npy"): "no such file", str(tmp_path): "no regular file",
        f"{saved(np.ones((2, 2)))}:w": "holds one array", f"{tmp_path}/many.npz:encodr": "Did you mean 'encoder'",
        f"{tmp_path}/many.npz": "Keys: 'decoder', 'encoder'",
    }  # fmt: skip
    for argument, message in cases.items():
        with pytest.raises(FileError) as refused:
            weights.load(argument)
        assert message in str(refused.value)


CLASHES = [
    ("relu", (2, 3), "cannot be used with relu"),
    ("linear(in_features=4)", (2, 3), "in_features=4 contradicts the weights, where it is 3"),
    ("linear(out_features=4)", (2, 3), "out_features=4 contradicts"),
    ("linear(init=kaiming_normal)", (2, 3), "init cannot be given beside --weights"),
    ("linear(gain=2)", (2, 3), "gain cannot be given"),
    ("linear(bias=uniform)", (2, 3), "bias cannot be given"),
    ("linear", (2, 3, 4), "3 dimensions"),
    ("conv", (2, 3), "2 dimensions"),
    ("conv", (2, 3, 1, 1, 1, 1), "6 dimensions"),
    ("conv(groups=2)", (2, 3, 3), "groups cannot be given"),
    ("conv1d", (2, 3, 3, 3), "ndim=1 contradicts"),
    ("conv(kernel_size=5)", (2, 3, 3, 3), "kernel_size=5 contradicts"),
]


@pytest.mark.parametrize(("spec", "shape", "message"), CLASHES, ids=[f"{s}-{len(n)}d" for s, n, _ in CLASHES])
def test_a_layer_that_the_weights_do_not_fit_is_refused(spec, shape, message, saved):
    result = invoke("compute", spec, "--weights", saved(np.ones(shape)))
    assert result.exit_code == 2 and message in result.stderr and result.stdout == ""


def test_parameters_that_say_what_the_weights_say_are_accepted(saved):
    fixed = matrix_of(
        np.ones((2, 3, 5, 5)), saved, "conv2d(in_channels=3, out_channels=2, kernel_size=5, stride=2, padding=2)"
    )
    assert fixed.spec == "conv(in_channels=3, out_channels=2, kernel_size=(5, 5), stride=2, ndim=2, weights=fixed)"
    with pytest.raises(RequestError, match="one layer"):
        weights.layer(["linear", "conv"], saved(np.ones((2, 2))))


def test_without_its_package_a_safetensors_file_is_refused_with_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    (tmp_path / "w.safetensors").write_bytes(struct.pack("<Q", 2) + b"{}")
    with pytest.raises(FileError, match="needs the package safetensors") as refused:
        weights.load(str(tmp_path / "w.safetensors"))
    assert "normcal[safetensors]" in refused.value.hint


def test_a_safetensors_file_reads_as_its_arrays(tmp_path):
    pytest.importorskip("safetensors", reason="the extra normcal[safetensors] is not installed")
    values = np.array([[1.5, -2.0], [0.25, 3.0]], np.float32)
    halves = (values.view(np.uint32) >> 16).astype("<u2").tobytes()
    table = {
        "brain": {"dtype": "BF16", "shape": [2, 2], "data_offsets": [0, 8]},
        "plain": {"dtype": "F32", "shape": [2, 2], "data_offsets": [8, 24]},
        "flags": {"dtype": "BOOL", "shape": [2, 2], "data_offsets": [24, 28]},
    }
    text = json.dumps(table).encode()
    path = tmp_path / "w.safetensors"
    path.write_bytes(struct.pack("<Q", len(text)) + text + halves + values.tobytes() + bytes(4))
    for key in ("brain", "plain"):
        assert np.array_equal(weights.load(f"{path}:{key}").matrix, values)
    with pytest.raises(FileError, match="entries of type BOOL"):
        weights.load(f"{path}:flags")
    with pytest.raises(FileError, match="holds 3 arrays"):
        weights.load(str(path))
    path.write_bytes(path.read_bytes()[:-6])
    with pytest.raises(FileError, match="damaged"):
        weights.load(f"{path}:plain")
