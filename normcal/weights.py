r"""Real weights: what one fixed matrix does to mean and std, read from a file.

With :math:`y = Wx` and independent :math:`x_j \sim N(\mu, \sigma^2)`: :math:`E y_i = \mu\sum_j W_{ij}`,
:math:`\mathrm{Cov}\,y = \sigma^2 W W^T`, and with independent :math:`dy_i \sim N(0, 1)` the std of :math:`dx_j` is
the norm of column j. A convolution's kernel is the matrix (out, in k^d) that each window meets.

No file is ever unpickled.
"""

from __future__ import annotations

import math
import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from normcal.errors import FileError, RequestError, echo, near_misses
from normcal.law import Normal
from normcal.layer import Layer, Reference
from normcal.report import Block, Error, Heading, Items, Number, Paragraph, Report, Table
from normcal.spec import write
from normcal.value import Value

#: Entries of a matrix, and bytes of a file, that are read.
MOST_ENTRIES = 100_000_000
MOST_BYTES = 2_000_000_000
#: Multiplications that the singular values, and the products of all rows, may take.
MOST_WORK = 60_000_000_000
_BLOCK = 4_000_000
_CHUNK = 16
_U = 2.0**-53
_FORMATS = "Accepted: a .npy, .npz or .safetensors file of real numbers."
_COHERENCE = "coherence"


@dataclass(frozen=True)
class Weights:
    """An array of weights as it lies in a file: the file's name without its folder, the key in it, the array."""

    name: str
    array: Any

    @property
    def matrix(self):
        """The array as (out, everything else)."""
        return self.array.reshape(len(self.array), -1)


# -- reading -------------------------------------------------------------------------------------


def load(argument: str) -> Weights:
    """Read FILE or FILE:KEY.

    Parameters
    ----------
    argument: the path of a .npy, .npz or .safetensors file; behind a colon, which of several arrays.

    Returns
    -------
    The Weights: real, finite and not empty, of any rank. A .npy file stays on disk and is mapped.

    Raises
    ------
    FileError: for what is missing, no such file, damaged, pickled, too large, or not of finite real numbers.
    """
    path, key = argument, None
    if not os.path.exists(path) and ":" in argument:
        path, _, key = argument.rpartition(":")
    shown = echo(path)
    if not os.path.exists(path):
        raise FileError(f"--weights {shown}: there is no such file.", "Accepted: the path of a file, or FILE:KEY.")
    if not os.path.isfile(path):
        raise FileError(f"--weights {shown} is no regular file.", _FORMATS)
    if os.path.getsize(path) > MOST_BYTES:
        raise FileError(f"--weights {shown} has {os.path.getsize(path):_} bytes.", f"Accepted: at most {MOST_BYTES:_}.")
    try:
        with open(path, "rb") as stream:
            start = stream.read(8)
        array = _reader(start, path, shown)(path, key, shown)
    except OSError as problem:
        raise FileError(f"--weights {shown} cannot be read: {problem.strerror or problem}.") from None
    _check(array, shown)
    return Weights(os.path.basename(path) + (f":{key}" if key else ""), array)


def _reader(start: bytes, path: str, shown: str):
    """Choose by what the file starts with; a suffix tells .safetensors alone, which starts with a length."""
    if not start:
        raise FileError(f"--weights {shown} is empty.", _FORMATS)
    if start.startswith(b"\x93NUMPY"):
        return _npy
    if start.startswith(b"PK"):
        return _npz
    if path.lower().endswith(".safetensors"):
        return _safetensors
    if start.startswith(b"\x80") and start[1:2] <= b"\x05":
        raise FileError(f"--weights {shown} is a pickle: refused, never unpickled.", _FORMATS)
    raise FileError(f"--weights {shown} is no .npy, .npz or .safetensors file.", _FORMATS)


def _npy(path: str, key: str | None, shown: str):
    import numpy as np

    if key is not None:
        raise FileError(f"--weights {shown} holds one array, and no key {echo(key)}.", "Leave the key out.")
    with open(path, "rb") as stream:
        shape, _, dtype = _header(stream, shown)
        room = os.path.getsize(path) - stream.tell()
    wanted = math.prod(shape) * dtype.itemsize
    if wanted > room:
        raise FileError(f"--weights {shown} is cut short: the array needs {wanted:_} bytes, {room:_} are there.")
    if not math.prod(shape):
        return np.zeros(shape)
    return np.load(path, mmap_mode="r", allow_pickle=False)


def _header(stream, shown: str):
    """Read the header of an array: (shape, whether by columns, dtype); refuse what must not or need not be loaded."""
    from numpy.lib import format as npy

    try:
        version = npy.read_magic(stream)
        read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}[version]
        shape, by_columns, dtype = read(stream)
    except Exception:  # whatever a damaged header makes NumPy's reader raise
        raise FileError(f"--weights {shown} has a header that cannot be read.", _FORMATS) from None
    if dtype.hasobject:
        raise FileError(f"--weights {shown} holds Python objects: refused, never unpickled.", _FORMATS)
    _check_kind(dtype.kind, dtype.itemsize, str(dtype), shown)
    if any(side < 0 for side in shape):
        raise FileError(f"--weights {shown} has a header that cannot be read.", _FORMATS)
    if math.prod(shape) > MOST_ENTRIES:
        raise FileError(
            f"--weights {shown} holds {math.prod(shape):_} entries.", f"Accepted: at most {MOST_ENTRIES:_}."
        )
    return shape, by_columns, dtype


def _check_kind(kind: str, size: int, name: str, shown: str) -> None:
    if kind not in "fiu" or size > 8:
        raise FileError(
            f"--weights {shown} holds entries of type {name}.", "Accepted: floats of 16, 32 or 64 bits, and integers."
        )


def _npz(path: str, key: str | None, shown: str):
    import lzma
    import zlib

    import numpy as np

    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if any(name.endswith(".pkl") for name in names):
                raise FileError(
                    f"--weights {shown} is a PyTorch checkpoint, which is a pickle: refused, never unpickled.",
                    "Accepted: the same weights saved as .npy, .npz or .safetensors.",
                )
            chosen = _chosen([name.removesuffix(".npy") for name in names if name.endswith(".npy")], key, shown)
            member = archive.getinfo(f"{chosen}.npy")
            if member.file_size > MOST_BYTES:
                raise FileError(
                    f"--weights {shown}: {echo(chosen)} unpacks to {member.file_size:_} bytes.",
                    f"Accepted: at most {MOST_BYTES:_}.",
                )
            with archive.open(member) as stream:
                shape, by_columns, dtype = _header(stream, shown)
                wanted = math.prod(shape) * dtype.itemsize
                data = _read(stream, wanted if member.file_size >= wanted else member.file_size)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, lzma.LZMAError, RuntimeError, EOFError) as problem:
        raise FileError(f"--weights {shown} is a damaged or encrypted archive: {problem}.", _FORMATS) from None
    if len(data) < wanted:
        raise FileError(f"--weights {shown} is cut short: the array needs {wanted:_} bytes, {len(data):_} are there.")
    array = np.frombuffer(data, dtype)
    return array.reshape(shape[::-1]).T if by_columns else array.reshape(shape)


def _read(stream, most: int):
    """Return at most so many bytes, read into one piece of memory: an archive's own reading takes it twice."""
    import numpy as np

    data, at = np.empty(most, np.uint8), 0
    while at < most and (part := stream.read(min(most - at, _BLOCK))):
        data[at : at + len(part)] = np.frombuffer(part, np.uint8)
        at += len(part)
    return data[:at]


def _safetensors(path: str, key: str | None, shown: str):
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError:
        raise FileError(
            f"--weights {shown}: reading .safetensors needs the package safetensors.",
            "Install it with: pip install 'normcal[safetensors]'; or save the array as .npy.",
        ) from None
    try:
        with safe_open(path, framework="numpy") as archive:
            chosen = _chosen(list(archive.keys()), key, shown)
            piece = archive.get_slice(chosen)
            kind, shape = piece.get_dtype(), tuple(piece.get_shape())
            if math.prod(shape) > MOST_ENTRIES:
                raise FileError(
                    f"--weights {shown} holds {math.prod(shape):_} entries.", f"Accepted: at most {MOST_ENTRIES:_}."
                )
            if kind == "BF16":
                return _bfloat16(path, chosen, shape)
            if kind not in ("F16", "F32", "F64", "I8", "I16", "I32", "I64", "U8", "U16", "U32", "U64"):
                _check_kind("V", 0, kind, shown)
            return archive.get_tensor(chosen)
    except SafetensorError as problem:
        raise FileError(f"--weights {shown} is a damaged .safetensors file: {problem}.", _FORMATS) from None


def _bfloat16(path: str, key: str, shape: tuple[int, ...]):
    """Read what NumPy has no type for: the upper halves of 32-bit floats. The file has been checked."""
    import json

    import numpy as np

    with open(path, "rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        start, end = json.loads(stream.read(length))[key]["data_offsets"]
        stream.seek(8 + length + start)
        halves = np.frombuffer(stream.read(end - start), "<u2")
    return (halves.astype(np.uint32) << 16).view(np.float32).reshape(shape)


def _chosen(keys: list[str], key: str | None, shown: str) -> str:
    """Return which array is meant; refuse an unknown key, and none where there are several."""
    listed = ", ".join(map(echo, sorted(keys)[:20])) + (", ..." if len(keys) > 20 else "")
    if not keys:
        raise FileError(f"--weights {shown} holds no array.", _FORMATS)
    if key is None and len(keys) > 1:
        raise FileError(f"--weights {shown} holds {len(keys)} arrays.", f"Name one as FILE:KEY. Keys: {listed}.")
    if key is not None and key not in keys:
        close = near_misses(key, keys)
        raise FileError(
            f"--weights {shown} holds no array {echo(key)}.",
            f"Did you mean {' or '.join(map(repr, close))}?" if close else f"Keys: {listed}.",
        )
    return keys[0] if key is None else key


def _check(array, shown: str) -> None:
    """Refuse entries that are no finite real numbers, and integers that doubles do not hold."""
    import numpy as np

    _check_kind(array.dtype.kind, array.dtype.itemsize, str(array.dtype), shown)
    if array.ndim == 0 or array.size == 0:
        shape = " x ".join(map(str, array.shape)) or "a single number"
        raise FileError(
            f"--weights {shown} holds no matrix: its shape is {shape}.", "Accepted: two dimensions or more."
        )
    if array.ndim == 1:
        raise FileError(
            f"--weights {shown} holds a vector of {array.size:_} entries.", "Accepted: two dimensions or more."
        )
    for block in _blocks(array.reshape(len(array), -1)):
        raw = array.dtype.kind in "iu" and np.abs(block).max() > 2.0**53
        if raw:
            raise FileError(f"--weights {shown} holds integers beyond 2^53.", "Accepted: numbers that doubles hold.")
        bad = np.argwhere(~np.isfinite(block))
        if len(bad):
            found = "NaN" if np.isnan(block[tuple(bad[0])]) else "infinity"
            raise FileError(f"--weights {shown} holds {found}.", "Accepted: finite numbers.")


def _blocks(matrix) -> Iterator[Any]:
    """Yield the rows of a matrix a few at a time, as doubles."""
    import numpy as np

    step = max(_BLOCK // max(matrix.shape[1], 1), 1)
    for start in range(0, len(matrix), step):
        yield np.asarray(matrix[start : start + step], dtype=float)


# -- the layer -----------------------------------------------------------------------------------


class Fixed(Layer):
    """A linear layer or a convolution with given weights."""

    formula, latex = "y = W x", "y = Wx"
    assumptions = ("the weights are fixed; mean and std are over the input, pooled over the rows",)
    references = (Reference("Arpit et al. 2016, Normalization Propagation", "arXiv:1603.01431"),)

    def __init__(self, like: Layer, weights: Weights) -> None:
        super().__init__()
        self.like, self.weights, self.name = like, weights, like.name
        like._realised = self._realised  # the same passes on the same map, the weights apart
        self.sizes = _Sizes(weights.matrix)

    @property
    def spec(self) -> str:
        return write(self.name, self.values())

    def values(self) -> dict:
        hidden = ("init", "gain", "bias", "positions", "padding")
        return {name: value for name, value in self.like.values().items() if name not in hidden} | {"weights": "fixed"}

    def fingerprint(self) -> str:
        import hashlib

        return hashlib.sha256(self.weights.array.tobytes()).hexdigest()

    def notes(self, law: Normal) -> list[str]:
        axes = "(out, in)" if self.name == "linear" else "(out, in, kernel)"
        return [
            f"{self.name}: mean and std are of the fixed weights of {self.weights.name}, pooled over the outputs;"
            f" its axes are read as {axes}, PyTorch's order (Keras and JAX store the outputs last)"
        ]

    def closed_forward(self, law, m):
        from normcal.numerics.balls import Ball, root_of_squares

        if not self.sizes.rows.mid.any():
            return Ball(0.0), Ball(0.0)
        sums, scale, count = self.sizes.sums, self.sizes.scale, float(len(self.sizes.sums.mid))
        average = sums.sum() / count
        within, between = self.sizes.rows.sum() / count, (sums - average).square().sum() / count
        std = root_of_squares([(within, Ball(law.std)), (between, Ball(law.mean))])
        return average * law.mean * (1.0 / scale), std * (1.0 / scale)

    def closed_backward(self, law, m):
        columns = self._columns()
        return m.sqrt(columns.sum() / float(len(columns.mid))) * (1.0 / self.sizes.scale)

    def _columns(self):
        """Return the mean square, over positions, of what each input channel passes back, scaled."""
        import numpy as np

        from normcal.numerics.balls import Ball

        taps = self.like.taps
        columns = self.sizes.columns
        if taps.taps == 1 and taps.step == 1:
            return columns
        grouped = columns.mid.reshape(-1, taps.taps), columns.rad.reshape(-1, taps.taps)
        each = [Ball(mid, rad).sum() for mid, rad in zip(*grouped, strict=True)]
        return Ball(np.array([b.mid for b in each]), np.array([b.rad for b in each])) / float(taps.step)

    def draws(self) -> int:
        return self.like.draws()

    def _realised(self, rng, rows: int):
        import numpy as np

        return np.broadcast_to(self.weights.matrix.astype(float), (rows, *self.weights.matrix.shape))

    def simulate(self, direction, rng, rows, law):
        found = self.like.simulate(direction, rng, rows, law)
        return found["input"] if isinstance(found, dict) else found

    def run(self, direction, rng, rows, law):
        return self.like.run(direction, rng, rows, law)


def layer(specs: list[str], argument: str) -> Fixed:
    """Return the layer of one SPEC with the weights of a file.

    Raises
    ------
    RequestError: for another layer than linear or conv, and parameters that contradict the weights.
    FileError: for a file that ``load`` refuses.
    """
    from normcal import catalog

    asked = catalog.layers(specs)
    if len(asked) != 1:
        raise RequestError(f"--weights is for one layer, and {len(asked)} are given.", "Give linear or conv.")
    asked = asked[0]
    if asked.name not in ("linear", "conv"):
        raise RequestError(f"--weights cannot be used with {asked.name}.", "Accepted: linear, conv.")
    useless = [name for name in asked.given if name in ("init", "gain", "bias", "positions", "groups")]
    if useless and not (useless == ["groups"] and asked.groups == 1):
        raise RequestError(f"{asked.name}: {useless[0]} cannot be given beside --weights.", "Leave it out.")
    weights = load(argument)
    shape = weights.array.shape
    if asked.name == "linear" and len(shape) != 2:
        raise RequestError(
            f"linear: the weights have {len(shape)} dimensions.", "Accepted: two, (out, in); for a kernel use conv."
        )
    if asked.name == "conv" and not 3 <= len(shape) <= 5:
        raise RequestError(
            f"conv: the weights have {len(shape)} dimensions.",
            "Accepted: three to five, (out, in, kernel); for a matrix use linear.",
        )
    fitting = {"in_features": shape[1], "out_features": shape[0]}
    if asked.name == "conv":
        kernel = shape[2:]
        fitting = {"in_channels": shape[1], "out_channels": shape[0], "kernel_size": kernel, "ndim": len(kernel)}
    for name, value in fitting.items():
        given = getattr(asked, name)
        same = given == value or (name == "kernel_size" and given == value[0] and len(set(value)) == 1)
        if name in asked.given and not same:
            raise RequestError(
                f"{asked.name}: {name}={given} contradicts the weights, where it is {value}.", "Leave it out."
            )
    return Fixed(type(asked)(**(asked.given | fitting)), weights)


# -- measuring -----------------------------------------------------------------------------------


class _Sizes:
    """Sums and sums of squares of rows and columns as balls, of the matrix times a power of two, ``scale``."""

    def __init__(self, matrix) -> None:
        import numpy as np

        from normcal.numerics.balls import power_of_two_near

        self.matrix = matrix
        self.scale = power_of_two_near(max(float(np.abs(block).max()) for block in _blocks(matrix)))
        self.sums = _joined(_sum(block * self.scale) for block in _blocks(matrix))
        self.rows = _joined(_sum_of_squares(block * self.scale) for block in _blocks(matrix))
        self.columns = _joined(_sum_of_squares(block * self.scale) for block in _blocks(matrix.T))


def _sum(values, relative: float = 0.0):
    """Sum each row: a few at a time as NumPy likes, then exactly; ``relative`` is the error of each value."""
    import numpy as np

    from normcal.numerics.balls import GROW, TINY, Ball, U

    whole = values.shape[1] // _CHUNK * _CHUNK
    parts = values[:, :whole].reshape(len(values), -1, _CHUNK).sum(axis=2)
    rest = values[:, whole:].sum(axis=1)
    mid = np.array([math.fsum((*row, last)) for row, last in zip(parts.tolist(), rest.tolist(), strict=True)])
    size = np.abs(values).sum(axis=1) * (1.0 + values.shape[1] * U)
    return Ball(
        mid, (size * (_CHUNK * _U + relative) + U * np.abs(mid)) * GROW + TINY * np.count_nonzero(values, axis=1)
    )


def _sum_of_squares(values):
    """Sum the squares of each row; one that underflows is lost, and counted."""
    import numpy as np

    from normcal.numerics.balls import TINY, Ball

    found = _sum(values * values, _U)
    return Ball(found.mid, found.rad + TINY * np.count_nonzero(values, axis=1))


def _joined(balls):
    import numpy as np

    from normcal.numerics.balls import Ball

    found = list(balls)
    return Ball(np.concatenate([b.mid for b in found]), np.concatenate([b.rad for b in found]))


@dataclass(frozen=True)
class Quantity:
    """One number about a matrix; where it is absent, the reason."""

    name: str
    says: str
    value: Value
    reason: str = ""


def measure(fixed: Fixed, law: Normal) -> list[Quantity]:
    r"""Return what there is to say of a matrix: norms, singular values, coherence, covariance of the output.

    With rows :math:`W_i`, m of them, coherence
    :math:`\mu_c = \max_{i \ne j} |W_i \cdot W_j| / (\lVert W_i\rVert \lVert W_j\rVert)` and
    :math:`B = \sum_{i \ne j} \lVert W_i\rVert^2 \lVert W_j\rVert^2`: the squared Frobenius distance of the covariance
    from its diagonal is :math:`\sigma^4 \sum_{i \ne j} (W_i \cdot W_j)^2`, at most :math:`\sigma^4 \mu_c^2 B`. The
    note on Normalization Propagation corrects the paper's bound to :math:`m(m - 1)` times that.

    Parameters
    ----------
    fixed: the layer with its weights.
    law: the law of the input's entries.

    Returns
    -------
    The quantities in the order of the output, each with a bound on its error: rounding of sums; for singular values
    and coherence dimension times rounding unit times norms.
    """
    import numpy as np

    from normcal.numerics.balls import BALLS, Ball

    sizes, unscale = fixed.sizes, 1.0 / fixed.sizes.scale
    rows, columns = BALLS.sqrt(sizes.rows), BALLS.sqrt(fixed._columns())
    with np.errstate(all="ignore"):
        found = [
            *_spread("row_norm", "norm of a row", rows * unscale),
            *_spread("column_norm", "norm of a column, which is its backward std", columns * unscale),
            *_spread("forward_mean", "mean of an output", sizes.sums * law.mean * unscale),
            *_spread("forward_std", "std of an output", rows * law.std * unscale),
        ]
        if fixed.like.taps.taps > 1 or fixed.like.taps.step > 1:
            found = [replace(q, says=q.says.replace("norm of a column", "norm at an input channel")) for q in found]
        found += _singular(fixed.weights.matrix, sizes)
        found += _covariance(fixed.weights.matrix, sizes, rows, Ball(law.std) * unscale)
    return found


def _value(ball) -> Value:
    return Value.of(float(ball.mid), float(ball.rad))


def _spread(name: str, says: str, values) -> list[Quantity]:
    """Return the least, the mean and the largest of several balls."""
    import numpy as np

    from normcal.numerics.balls import GROW, Ball, U

    least, most = np.min(values.mid), np.max(values.mid)
    under, over = values.mid - values.rad, values.mid + values.rad
    low = Ball(least, max(least - np.min(under), np.min(over) - least) * GROW + U * abs(least))
    high = Ball(most, max(most - np.max(under), np.max(over) - most) * GROW + U * abs(most))
    count = float(len(values.mid))
    share = 2.0 ** -math.ceil(math.log2(count)) if most > 1e290 else 1.0  # the sum of huge norms would overflow
    mean = values.scaled(share).sum() / (count * share)
    parts = (("min", "least ", low), ("mean", "average ", mean), ("max", "largest ", high))
    return [Quantity(f"{name}_{part}", word + says, _value(ball)) for part, word, ball in parts]


def _singular(matrix, sizes: _Sizes) -> list[Quantity]:
    """Return the singular values' extremes, their mean square and the condition number."""
    import numpy as np

    from normcal.numerics.balls import Ball, U

    short, long = sorted(matrix.shape)
    unscale = 1.0 / sizes.scale
    square = sizes.rows.sum() / float(short)
    says = {
        "singular_value_max": "largest singular value of the Jacobian W",
        "singular_value_min": "least of its min(rows, columns) singular values",
        "condition": "largest over least",
    }
    last = Quantity(
        "singular_value_mean_square", "mean square of the singular values", _value(square * unscale * unscale)
    )
    if short * short * long * 4 > MOST_WORK:
        why = f"a matrix of {len(matrix):_} x {matrix.shape[1]:_} takes too long"
        return [*(Quantity(name, text, Value(), why) for name, text in says.items()), last]
    values = np.linalg.svd(np.asarray(matrix, dtype=float) * sizes.scale, compute_uv=False)
    error = (long + 8) * U * float(values[0])  # a backward stable algorithm, and Weyl's inequality
    high, low = Ball(float(values[0]), error), Ball(float(values[-1]), error)
    condition = _value(high).over(_value(low))
    why = ""
    if low.mid <= low.rad:
        condition, why = Value(), "the least singular value is 0 within its rounding error"
    numbers = (_value(high * unscale), _value(low * unscale), condition)
    shown = [Quantity(name, text, value) for (name, text), value in zip(says.items(), numbers, strict=True)]
    return [*shown[:2], last, replace(shown[2], reason=why)]


def _covariance(matrix, sizes: _Sizes, rows, sigma) -> list[Quantity]:
    """Return the coherence of the rows, how far the output's covariance is from its diagonal, and the bounds on it."""
    from normcal.numerics.balls import BALLS, GROW, Ball, U

    says = {
        _COHERENCE: "mutual coherence of the rows, the largest |cosine| of two",
        "covariance_off_diagonal": "‖Cov y − diag‖² (Frobenius) = σ⁴ Σ (Wᵢ·Wⱼ)², i ≠ j",
        "covariance_bound": "its sharp bound by the coherence, σ⁴ μc² Σ ‖Wᵢ‖² ‖Wⱼ‖², i ≠ j",
        "covariance_bound_appendix": "the bound as the note's appendix A corrects it, m(m − 1) times the sharp one",
    }
    m, n = matrix.shape
    why = ""
    if m < 2:
        why = "a single row has no other to be coherent with"
    elif m * m * n > MOST_WORK:
        why = f"the products of {m:_} rows of {n:_} take too long"
    if why:
        none = {"covariance_off_diagonal": Value(0.0, 0.0)} if m < 2 else {}
        return [
            Quantity(name, text, none.get(name, Value()), "" if name in none else why) for name, text in says.items()
        ]
    largest, total, pairs = _products(matrix, sizes)
    each = (n + 8.0) * U
    size = BALLS.sqrt(pairs)
    slip = size.upper * each  # each product of rows is off by this share of their norms
    distance = Ball(total.mid, (total.rad + 2.0 * math.sqrt(total.upper) * slip + slip * slip) * GROW)
    fourth = (sigma * sigma).square()
    coherence = None if largest is None else Ball(min(largest, 1.0), each * (1.0 + 4.0 * U))
    reason = "fewer than two rows differ from 0" if coherence is None else ""
    bound = None if coherence is None else coherence.square() * pairs * fourth
    balls = (coherence, distance * fourth, bound, None if bound is None else bound * float(m * (m - 1)))
    return [
        Quantity(name, text, Value() if ball is None else _value(ball), reason if ball is None else "")
        for (name, text), ball in zip(says.items(), balls, strict=True)
    ]


def _products(matrix, sizes: _Sizes):
    """Return, over pairs i != j, the largest |cosine| or None, and the sums of (Wi.Wj)^2 and |Wi|^2 |Wj|^2."""
    import numpy as np

    from normcal.numerics.balls import GROW, Ball, U

    whole = np.asarray(matrix, dtype=float) * sizes.scale
    largest, squares = -1.0, []
    even = _evened(whole)  # a row far smaller than the others has squares below the smallest double
    norms = np.sqrt(_sum_of_squares(even).mid)
    safe = np.where(norms > 0.0, norms, np.inf)
    step = max(_BLOCK // len(whole), 1)
    for start in range(0, len(whole), step):
        rows = slice(start, start + step)
        product = whole[rows] @ whole.T
        cosine = product if even is whole else even[rows] @ even.T
        cosine = np.abs(cosine) / safe[rows, None] / safe[None, :]
        for square in (product, cosine):
            square[np.arange(len(square)), start + np.arange(len(square))] = 0.0
        squares.append(_sum_of_squares(product))
        largest = max(largest, float(np.max(cosine)))
    mid, rad = sizes.rows.mid, sizes.rows.rad
    before, off = (np.concatenate([[0.0], np.cumsum(values)[:-1]]) for values in (mid, rad))
    pairs = 2.0 * math.fsum(mid * before)
    error = 2.0 * float(rad @ (before + off) + mid @ off) * GROW + pairs * (len(whole) + 4.0) * U
    return (largest if np.sum(norms > 0.0) > 1 else None), _joined(squares).sum(), Ball(pairs, error)


def _evened(whole):
    """Return the matrix with each row times a power of two of its own, where rows differ so much that it matters."""
    import numpy as np

    sizes = np.abs(whole).max(axis=1)
    if np.all((sizes == 0.0) | (sizes > 1e-100)):
        return whole
    return np.ldexp(whole, -np.frexp(sizes)[1][:, None])


# -- telling -------------------------------------------------------------------------------------


def extended(report: Report, fixed: Fixed, law: Normal) -> Report:
    """Return the report of ``compute`` with what there is to say of the matrix."""
    found = measure(fixed, law)
    rows, columns = fixed.weights.matrix.shape
    data = {
        q.name: {"value": q.value.value, "error": q.value.error} | ({"reason": q.reason} if q.reason else {})
        for q in found
    }
    document = report.data | {"matrix": {"rows": rows, "columns": columns} | data}
    spec = fixed.spec
    records = [
        {
            "spec": spec,
            "direction": "",
            "of": q.name,
            "value": q.value.value,
            "value_error": q.value.error,
            "notes": q.reason,
        }
        for q in found
    ]
    table = Table(
        ("quantity", "value", "error", "what"),
        tuple(
            (q.name, Number(q.value), Error(q.value.error) if q.value.value is not None else "", q.says) for q in found
        ),
        words=("quantity", "what"),
    )
    reasons = tuple(
        f"{', '.join(q.name for q in found if q.reason == why)}: {why}"
        for why in dict.fromkeys(q.reason for q in found if q.reason)
    )
    head: list[Block] = [Heading(f"The matrix, {rows:_} x {columns:_}")]
    if fixed.name == "conv":
        head.append(
            Paragraph(
                "the kernel as the matrix (out, in k) that one window meets;"
                " its singular values are not the convolution's"
            )
        )
    return Report(document, report.records + records, (*report.blocks, *head, table, Items(reasons, aside=True)))
