"""The simulators against PyTorch itself: the same numbers in, the same output and the same gradients out."""

import inspect
import math

import numpy as np
import pytest

from normcal import catalog, spec
from normcal.errors import RequestError
from normcal.law import Gradient, Normal
from normcal.layer import BACKWARD, FORWARD
from normcal.layers import _initialisers, _statistics, recurrent

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install '.[torch]'")
F, nn = torch.nn.functional, torch.nn
ROWS = 7


class Tape:
    """A generator and an input law that remember what they drew, in order, and may be told what to draw."""

    gradient = Gradient()

    def __init__(self, inputs=(), **draws) -> None:
        self.rng = np.random.default_rng(0)
        self.law = Normal(0.3, 1.7)
        self.told = {"sample": list(inputs)} | {name: list(values) for name, values in draws.items()}
        self.inputs: list[np.ndarray] = []
        self.draws: list[np.ndarray] = []
        self.weights: list[np.ndarray] = []
        self.raw: list[np.ndarray] = []  # what the weights were made of

    def sample(self, rng, shape):
        told = self.told["sample"]
        self.inputs.append(told.pop(0) if told else self.law.sample(self.rng, shape))
        return self.inputs[-1].copy()

    def incoming(self, rng, shape, x=None):
        return rng.standard_normal(shape)

    @property
    def mean(self):
        return self.law.mean

    @property
    def std(self):
        return self.law.std

    def __getattr__(self, name):
        draw = getattr(self.rng, name)

        def recorded(*args, **kwargs):
            told = self.told.get(name)
            self.draws.append(told.pop(0) if told else draw(*args, **kwargs))
            return self.draws[-1].copy()

        return recorded


@pytest.fixture(autouse=True)
def whole(monkeypatch):
    """Let normalisations show every entry, and let weights that are drawn go onto the tape as they are."""
    monkeypatch.setattr(_statistics, "half", lambda values, rng: values.reshape(len(values), -1))
    for owner, name in ((_initialisers.Initialiser, "draw"), (recurrent._Cell, "_draw")):
        monkeypatch.setattr(owner, name, _weighing(getattr(owner, name)))


def _weighing(draw):
    def recorded(self, source, rows):
        tape = getattr(source, "source", source)  # a layer of a chain draws by way of the chain
        if not isinstance(tape, Tape):
            return draw(self, source, rows)
        before = len(tape.draws)
        found = draw(self, source, rows)
        tape.raw, tape.draws = tape.draws[before:], tape.draws[:before]
        tape.weights += found if isinstance(found, tuple) else [found]
        return found

    return recorded


def simulated(text: str, direction: str, tape: Tape | None = None):
    """Run a simulator once; return what it made, and the tape with its inputs and what else it drew."""
    tape = tape or Tape()
    with np.errstate(all="ignore"):
        return catalog.layer(text).simulate(direction, tape, ROWS, tape), tape


def tensor(values, **options):
    return torch.tensor(np.asarray(values), dtype=torch.float64, **options)


def flat(found):
    """Return arrays or tensors, alone, listed or in a dict, as one array (rows, entries)."""
    if not isinstance(found, (dict, list, tuple)):
        found = [found]
    arrays = [np.asarray(x.detach() if torch.is_tensor(x) else x) for x in _values(found)]
    return np.concatenate([x.reshape(len(x), -1) for x in arrays], axis=1)


def _values(found):
    return found.values() if isinstance(found, dict) else found


def close(a, b, tolerance=1e-12):
    assert flat(a).shape == flat(b).shape
    np.testing.assert_allclose(flat(a), flat(b), rtol=tolerance, atol=tolerance)


def agree(text: str, function, tolerance=1e-12) -> None:
    """Hold a simulator of whole rows against a function of its inputs: output, and gradient of every input."""
    made, before = simulated(text, FORWARD)
    close(made, function(*map(tensor, before.inputs)))
    made, tape = simulated(text, BACKWARD)
    inputs = [tensor(x, requires_grad=True) for x in tape.inputs or before.inputs]  # a linear layer draws none
    y = function(*inputs)
    dy = tensor(flat(tape.draws)).reshape(y.shape)
    close(made, torch.autograd.grad(y, inputs, dy), tolerance)


def words(text: str) -> dict:
    """Return the parameters of a SPEC as PyTorch's keywords."""
    plain = {"true": True, "false": False}
    return {k: plain.get(v, v) if isinstance(v, str) else v for k, v in spec.parse(text).params.items()}


def sides(value, ndim: int) -> tuple:
    return value if isinstance(value, tuple) else (value,) * ndim


def around(amounts, *, before: bool = False) -> list:
    """Return what F.pad takes: the last dimension first, by default behind the map alone."""
    return [n for amount in reversed(amounts) for n in (amount if before else 0, amount)]


# --- one entry at a time


#: SPEC -> the same function in PyTorch
ELEMENTWISE = {
    "identity": nn.Identity(),
    "relu": F.relu,
    "leaky_relu": F.leaky_relu,
    "leaky_relu(negative_slope=0.2)": lambda x: F.leaky_relu(x, 0.2),
    "prelu": lambda x: F.prelu(x, nn.PReLU(dtype=x.dtype).weight.detach()),
    "prelu(weight=-0.5)": lambda x: F.prelu(x, tensor([-0.5])),
    "rrelu(training=no)": lambda x: F.rrelu(x, training=False),
    "rrelu(lower=0.2, upper=0.6, training=no)": lambda x: F.rrelu(x, 0.2, 0.6, training=False),
    "relu6": F.relu6,
    "relu6(input_scale=3)": lambda x: F.relu6(3 * x),
    "clipped_relu(max_value=1.5)": lambda x: torch.clamp(x, 0.0, 1.5),
    "relu_squared": lambda x: F.relu(x) ** 2,
    "threshold(threshold=0.1, value=20)": lambda x: F.threshold(x, 0.1, 20.0),
    "threshold(threshold=-0.5, value=-0.5)": lambda x: F.threshold(x, -0.5, -0.5),
    "abs": torch.abs,
    "sign": torch.sign,
    "square": torch.square,
    "cube": lambda x: torch.pow(x, 3),
    "monomial(power=5)": lambda x: torch.pow(x, 5),
    "polynomial(coefficients=(0.5, -1, 0, 2))": lambda x: 0.5 - x + 2 * torch.pow(x, 3),
    "hardtanh": F.hardtanh,
    "hardtanh(min_val=-2, max_val=0.5)": lambda x: F.hardtanh(x, -2.0, 0.5),
    "hardsigmoid": lambda x: torch.clamp(x + 3, 0.0, 6.0) / 6,
    "hardswish": F.hardswish,
    "hardshrink": F.hardshrink,
    "hardshrink(lambd=1.25)": lambda x: F.hardshrink(x, 1.25),
    "softshrink": F.softshrink,
    "softshrink(lambd=1.25)": lambda x: F.softshrink(x, 1.25),
    "tanhshrink": F.tanhshrink,
    "sigmoid": torch.sigmoid,
    "log_sigmoid": F.logsigmoid,
    "tanh": torch.tanh,
    "softsign": F.softsign,
    "arctan": torch.arctan,
    "asinh": torch.asinh,
    "erf": torch.erf,
    # PyTorch goes over to x above beta x = 20, where 2e-9 is left of the difference
    "softplus": lambda x: F.softplus(x, threshold=1e9),
    "softplus(beta=2)": lambda x: F.softplus(x, 2.0, threshold=1e9),
    "exp": torch.exp,
    "gaussian": lambda x: torch.exp(-torch.square(x)),
    "sin": torch.sin,
    "cos": torch.cos,
    "elu": F.elu,
    "elu(alpha=0.7)": lambda x: F.elu(x, 0.7),
    "celu": F.celu,
    "celu(alpha=0.5)": lambda x: F.celu(x, 0.5),
    "celu(alpha=0.7)": lambda x: F.elu(x / 0.7) * 0.7,
    "selu": F.selu,
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "silu": F.silu,
    "swish(beta=1.5)": lambda x: x * torch.sigmoid(1.5 * x),
    "mish": F.mish,
    "gelu(input_scale=-0.5, input_shift=0.25, output_scale=3, output_shift=-1)": lambda x: 3 * F.gelu(0.25 - x / 2) - 1,
    "crelu": lambda x: torch.cat([F.relu(x), F.relu(-x)], dim=1),
    "sinusoidal_features(frequency=2)": lambda x: torch.cat([torch.sin(2 * x), torch.cos(2 * x)], dim=1),
}


@pytest.mark.parametrize("text", ELEMENTWISE, ids=str)
def test_an_activation_and_its_gradient_are_pytorchs(text):
    agree(text, ELEMENTWISE[text])


#: PyTorch's backward pass multiplies by 1/6 and 1/alpha in single precision, whatever it runs in
SINGLE = {"hardsigmoid": F.hardsigmoid, "celu(alpha=0.7)": lambda x: F.celu(x, 0.7)}


@pytest.mark.parametrize("text", SINGLE, ids=str)
def test_the_gradient_is_pytorchs_as_closely_as_the_single_precision_in_it_allows(text):
    agree(text, SINGLE[text], tolerance=1e-7)


#: where PyTorch has the function and no surrogate gradient of that kind
FORWARD_ALONE = {
    "heaviside": lambda x: torch.heaviside(x, torch.zeros_like(x)),
    "binarise": torch.sign,
    # steps that single precision holds, as PyTorch rounds them to it
    "quantiser(bits=4, clip=1.75)": lambda x: torch.fake_quantize_per_tensor_affine(x, 0.25, 0, -7, 7),
    "quantiser(bits=3, clip=3.5, signed=no)": lambda x: torch.fake_quantize_per_tensor_affine(x, 0.5, 0, 0, 7),
}


@pytest.mark.parametrize("text", FORWARD_ALONE, ids=str)
def test_a_step_has_pytorchs_values(text):
    made, tape = simulated(text, FORWARD)
    close(made, FORWARD_ALONE[text](tensor(tape.inputs[0])))


#: SPEC -> the same function of its inputs, or of one array that holds them side by side
SEVERAL = {
    "glu": lambda value, gate: F.glu(torch.cat([value, gate], dim=1)),
    "gated(activation=softplus(beta=2), value_activation=tanh)": lambda v, g: torch.tanh(v) * F.softplus(g, 2.0, 1e9),
    "reglu": lambda value, gate: value * F.relu(gate),
    "geglu": lambda value, gate: value * F.gelu(gate),
    "geglu_tanh": lambda value, gate: value * F.gelu(gate, approximate="tanh"),
    "swiglu": lambda value, gate: value * F.silu(gate),
    "bilinear": torch.mul,
    "gtu": lambda value, gate: torch.tanh(value) * torch.sigmoid(gate),
    "maxout(k=3)": lambda x: x.max(dim=1).values,
    "minout(k=3)": lambda x: x.min(dim=1).values,
    "add(k=3)": lambda x: torch.sum(x, dim=1),
    "subtract": lambda x: torch.sub(x[:, 0], x[:, 1]),
    "average(k=3)": lambda x: torch.mean(x, dim=1),
    "weighted_sum(weights=(0.5, -2))": lambda x: torch.mv(x, tensor([0.5, -2.0])),
    "multiply(k=3)": lambda x: torch.prod(x, dim=1),
    "broadcast_add(size=5)": torch.add,
    "broadcast_multiply(size=5)": torch.mul,
    "concat(sizes=(4, 6, 2))": lambda *inputs: torch.cat(inputs, dim=1),
    "matmul(m=3, k=4, n=5)": torch.bmm,
    "scaled_dot_product(d=8, queries=3, keys=5)": lambda q, k: torch.bmm(q, k.mT) / math.sqrt(8),
    "sum_reduction(size=6)": lambda x: torch.sum(x, dim=1),
    "mean_reduction(size=6)": lambda x: torch.mean(x, dim=1),
    "batch_mean(group_size=8)": lambda x: torch.mean(x, dim=1),
    "batch_std(group_size=8)": lambda x: torch.std(x, dim=1, correction=0),
}


@pytest.mark.parametrize("text", SEVERAL, ids=str)
def test_a_layer_of_several_inputs_and_all_their_gradients_are_pytorchs(text):
    agree(text, SEVERAL[text])


# --- random layers


#: SPEC -> the same layer of PyTorch, which draws for itself
RANDOM = {
    "rrelu": lambda x: F.rrelu(x, training=True),
    "rrelu(lower=0.2, upper=0.6)": lambda x: F.rrelu(x, 0.2, 0.6, training=True),
    "dropout": lambda x: F.dropout(x, 0.5),
    "dropout(drop_prob=0.3)": lambda x: F.dropout(x, 0.3),
    "spatial_dropout(size=6)": lambda x: F.dropout1d(x[:, None], 0.5)[:, 0],
    "spatial_dropout(drop_prob=0.3, size=12)": lambda x: F.dropout2d(x.reshape(ROWS, 1, 3, 4), 0.3).reshape(ROWS, -1),
    "spatial_dropout(size=8)": lambda x: F.dropout3d(x.reshape(ROWS, 1, 2, 2, 2), 0.5).reshape(ROWS, -1),
    "alpha_dropout": lambda x: F.alpha_dropout(x, 0.5, training=True),
    "alpha_dropout(drop_prob=0.3)": lambda x: F.alpha_dropout(x, 0.3, training=True),
    "feature_alpha_dropout(drop_prob=0.3, size=6)": lambda x: F.feature_alpha_dropout(
        x.reshape(ROWS, 1, 2, 3), 0.3, training=True
    ).reshape(ROWS, -1),
}


@pytest.mark.parametrize("text", RANDOM, ids=str)
def test_a_random_layer_does_with_pytorchs_own_random_numbers_what_pytorch_does(text):
    _, before = simulated(text, FORWARD)
    x = tensor(before.inputs[0], requires_grad=True)
    torch.manual_seed(3)
    y = RANDOM[text](x)
    (slopes,) = torch.autograd.grad(y.sum(), x, retain_graph=True)
    # told uniform slopes as they are, and random numbers on the right side of keep_prob
    drawn = {"uniform": [slopes.numpy()], "random": [np.where(slopes[:, :1] != 0, 0.0, np.nextafter(1.0, 0.0))]}
    assert len(set(flat(slopes[:, :1])[:, 0])) > 1
    close(simulated(text, FORWARD, Tape([before.inputs[0]], **drawn))[0], y)
    dy = np.random.default_rng(1).standard_normal(x.shape)
    made, _ = simulated(text, BACKWARD, Tape([before.inputs[0]], standard_normal=[dy], **drawn))
    close(made, torch.autograd.grad(y, x, tensor(dy)))


# --- pooling


def torchs(name: str, ndim: int):
    """Return PyTorch's function of that name in so many dimensions."""
    return getattr(F, f"{name}{ndim}d")


def average(x, ndim, **w):
    if ndim == 1 and "divisor_override" in w:  # which avg_pool1d lacks
        pairs = {"kernel_size": 1, "stride": 1, "padding": 0}
        w |= {key: (one, sides(w[key], 1)[0]) for key, one in pairs.items() if key in w}
        return F.avg_pool2d(x[:, :, None], **w)[:, :, 0]
    return torchs("avg_pool", ndim)(x, **w)


def total(x, ndim, **w):
    if "dilation" not in w:
        return average(x, ndim, **w, divisor_override=1)
    w["stride"] = w.get("stride", w["kernel_size"])
    ones = torch.ones(1, 1, *sides(w.pop("kernel_size"), ndim), dtype=x.dtype)
    return torchs("conv", ndim)(x, ones, **w)


def log_sum_exp(x, ndim, beta=1.0, reduction="mean", **w):
    found = total(torch.exp(beta * x), ndim, **w)
    if reduction == "mean":
        found = found / total(torch.ones_like(x), ndim, **w)
    return torch.log(found) / beta


def largest(x, ndim, **w):
    return torchs("max_pool", ndim)(x, **w)


def norm(x, ndim, norm_type=2.0, **w):
    if norm_type == "inf":
        return largest(x.abs(), ndim, **w)
    if norm_type % 2 != 0:
        x = x.abs()  # PyTorch sums the powers themselves, those of odd exponent with their signs
    if "padding" in w:  # which lp_pool lacks
        entries = math.prod(sides(w["kernel_size"], ndim))
        return (average(x**norm_type, ndim, **w) * entries) ** (1 / norm_type)
    return torchs("lp_pool", ndim)(x, norm_type, **w)


TILED = [
    "kernel_size=3, ndim=1",
    "kernel_size=2, stride=3, ndim=1",
    "kernel_size=(3, 2), stride=(2, 1), ndim=2",
    "kernel_size=2, stride=1, ndim=3",
    "kernel_size=3, stride=2, input_size=(8, 7), ndim=2",
    "kernel_size=3, stride=2, padding=1, input_size=8, ndim=1",
    "kernel_size=2, stride=3, ceil_mode=true, input_size=8, ndim=1",
    "kernel_size=3, stride=2, ceil_mode=true, input_size=(6, 5), ndim=2",
    "kernel_size=(3, 2), stride=2, padding=(1, 0), ceil_mode=true, input_size=(8, 5), ndim=2",
    "kernel_size=3, stride=(2, 3, 1), padding=1, ceil_mode=true, input_size=(4, 5, 3), ndim=3",
]
DILATED = [
    "kernel_size=(3, 2), stride=(2, 1), dilation=2, ndim=2",
    "kernel_size=3, stride=2, padding=1, dilation=2, input_size=9, ndim=1",
    "kernel_size=(2, 3), stride=1, padding=1, dilation=(3, 2), input_size=(8, 9), ndim=2",
    "kernel_size=2, stride=2, padding=1, dilation=(1, 2, 3), input_size=(4, 5, 6), ndim=3",
]
CEILED = [
    "kernel_size=3, stride=2, padding=1, dilation=2, ceil_mode=true, input_size=10, ndim=1",
    "kernel_size=2, stride=(2, 3), padding=1, dilation=2, ceil_mode=true, input_size=(8, 7), ndim=2",
]
#: layer, PyTorch's function of the map and the words, geometries
POOLS = {
    "max_pool": (largest, TILED + DILATED + CEILED),
    "min_pool": (lambda x, ndim, **w: -largest(-x, ndim, **w), TILED + DILATED + CEILED),
    "avg_pool": (
        average,
        TILED
        + [f"{text}, count_include_pad=false" for text in TILED if "input_size" in text]
        + [f"{text}, divisor_override=4" for text in TILED],
    ),
    "sum_pool": (total, TILED + DILATED),
    "lp_pool": (norm, TILED + [f"norm_type={p}, {text}" for p in (1, 2.5, 3, 4, "inf") for text in TILED[2::3]]),
    "lse_pool": (
        log_sum_exp,
        TILED + DILATED + [f"beta=0.5, reduction=sum, {text}" for text in TILED[2::3] + DILATED],
    ),
}
SLIDING = [f"{name}({text})" for name, (_, texts) in POOLS.items() for text in texts]


@pytest.mark.parametrize("text", SLIDING, ids=str)
def test_pooling_on_a_map_with_borders_or_on_a_ring_is_pytorchs(text):
    w = words(text)
    ndim, size = w.pop("ndim"), w.pop("input_size", None)
    layer = catalog.layer(text)

    def function(x):
        if size is not None:
            return pool(x.reshape(ROWS, 1, *sides(size, ndim)), ndim, **w)
        kernel, dilation = sides(w["kernel_size"], ndim), sides(w.get("dilation", 1), ndim)
        beyond = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        x = x.reshape(ROWS, 1, *layer.windows.torus)
        return pool(F.pad(x, around(beyond), mode="circular"), ndim, **w)

    pool = POOLS[layer.name][0]
    agree(text, function)


def test_pytorch_sums_odd_powers_with_their_signs_as_the_note_says():
    made, tape = simulated("lp_pool(norm_type=3, kernel_size=3, ndim=1, input_size=9)", FORWARD)
    x = tensor(tape.inputs[0])[:, None]
    windows = x.reshape(ROWS, 3, 3)
    signed = F.relu((windows**3).sum(2)) ** (1 / 3)
    close(torch.nan_to_num(F.lp_pool1d(x, 3.0, 3)), torch.nan_to_num(signed))
    assert not np.allclose(made, signed)
    close(made, F.lp_pool1d(x.abs(), 3.0, 3))


#: SPEC -> the same function of a map (rows, 1, sides)
WHOLE_MAPS = {
    "global_avg_pool(input_size=7, ndim=1)": lambda x: F.adaptive_avg_pool1d(x, 1),
    "global_avg_pool(input_size=(3, 4), ndim=2)": lambda x: F.adaptive_avg_pool2d(x, 1),
    "global_avg_pool(input_size=(3, 4, 2), ndim=3)": lambda x: F.adaptive_avg_pool3d(x, 1),
    "global_sum_pool(input_size=(3, 4), ndim=2)": lambda x: torch.sum(x, dim=(2, 3)),
    "global_max_pool(input_size=(3, 4), ndim=2)": lambda x: F.adaptive_max_pool2d(x, 1),
    "global_min_pool(input_size=(3, 4), ndim=2)": lambda x: torch.amin(x, dim=(2, 3)),
    "global_lp_pool(input_size=(3, 4), ndim=2)": lambda x: F.lp_pool2d(x, 2.0, (3, 4)),
    "global_lp_pool(norm_type=3, input_size=(3, 4), ndim=2)": lambda x: torch.linalg.vector_norm(x, 3, dim=(2, 3)),
    "global_lp_pool(norm_type=inf, input_size=5, ndim=1)": lambda x: torch.linalg.vector_norm(x, math.inf, dim=2),
    "global_lse_pool(reduction=sum, input_size=(3, 4), ndim=2)": lambda x: torch.logsumexp(x, dim=(2, 3)),
    "global_lse_pool(beta=2, input_size=5, ndim=1)": lambda x: (torch.logsumexp(2 * x, dim=2) - math.log(5)) / 2,
    "adaptive_avg_pool(input_size=7, output_size=3, ndim=1)": lambda x: F.adaptive_avg_pool1d(x, 3),
    "adaptive_avg_pool(input_size=(7, 5), output_size=(4, 3), ndim=2)": lambda x: F.adaptive_avg_pool2d(x, (4, 3)),
    "adaptive_avg_pool(input_size=(4, 5, 3), output_size=(3, 2, 4), ndim=3)": lambda x: F.adaptive_avg_pool3d(
        x, (3, 2, 4)
    ),
    "adaptive_max_pool(input_size=7, output_size=3, ndim=1)": lambda x: F.adaptive_max_pool1d(x, 3),
    "adaptive_max_pool(input_size=(7, 5), output_size=(4, 3), ndim=2)": lambda x: F.adaptive_max_pool2d(x, (4, 3)),
    "adaptive_max_pool(input_size=(4, 5, 3), output_size=2, ndim=3)": lambda x: F.adaptive_max_pool3d(x, 2),
    "zero_padding(padding=2, input_size=5, ndim=1)": lambda x: F.pad(x, (2, 2)),
    "zero_padding(padding=(1, 2), input_size=(3, 4), value=-1.5, ndim=2)": lambda x: nn.ConstantPad2d(
        (2, 2, 1, 1), -1.5
    )(x),
    "zero_padding(padding=1, input_size=(2, 3, 4), ndim=3)": nn.ZeroPad3d(1),
    "replication_padding(padding=6, input_size=5, ndim=1)": nn.ReplicationPad1d(6),
    "replication_padding(padding=(1, 2), input_size=(3, 4), ndim=2)": nn.ReplicationPad2d((2, 2, 1, 1)),
    "replication_padding(padding=1, input_size=(2, 3, 4), ndim=3)": nn.ReplicationPad3d(1),
    "reflection_padding(padding=4, input_size=5, ndim=1)": nn.ReflectionPad1d(4),
    "reflection_padding(padding=(1, 3), input_size=(3, 4), ndim=2)": nn.ReflectionPad2d((3, 3, 1, 1)),
    "reflection_padding(padding=1, input_size=(2, 3, 4), ndim=3)": nn.ReflectionPad3d(1),
    "circular_padding(padding=5, input_size=5, ndim=1)": nn.CircularPad1d(5),
    "circular_padding(padding=(1, 2), input_size=(3, 4), ndim=2)": nn.CircularPad2d((2, 2, 1, 1)),
    "circular_padding(padding=1, input_size=(2, 3, 4), ndim=3)": nn.CircularPad3d(1),
}


@pytest.mark.parametrize("text", WHOLE_MAPS, ids=str)
def test_global_and_adaptive_pooling_and_padding_of_a_map_are_pytorchs(text):
    w = words(text)
    agree(text, lambda x: WHOLE_MAPS[text](x.reshape(ROWS, 1, *sides(w["input_size"], w["ndim"]))))


#: SPEC -> PyTorch's module; the layer's positions are interior ones
UPSAMPLING = {
    "up_sampling(scale_factor=3, ndim=1)": nn.Upsample(scale_factor=3),
    "up_sampling(scale_factor=(2, 3), ndim=2)": nn.Upsample(scale_factor=(2, 3)),
    "up_sampling(scale_factor=2, ndim=3)": nn.Upsample(scale_factor=2),
    "up_sampling(scale_factor=2, mode=linear)": nn.Upsample(scale_factor=2, mode="linear"),
    "up_sampling(scale_factor=3, mode=linear, ndim=2)": nn.Upsample(scale_factor=3, mode="bilinear"),
    "up_sampling(scale_factor=(2, 3), mode=bilinear)": nn.Upsample(scale_factor=(2, 3), mode="bilinear"),
    "up_sampling(scale_factor=(4, 1, 3), mode=trilinear)": nn.Upsample(scale_factor=(4, 1, 3), mode="trilinear"),
    "up_sampling(scale_factor=(2, 3), mode=bicubic)": nn.Upsample(scale_factor=(2, 3), mode="bicubic"),
    "up_sampling(scale_factor=4, mode=bicubic)": nn.Upsample(scale_factor=4, mode="bicubic"),
    "UpsamplingNearest2d(scale_factor=3)": nn.UpsamplingNearest2d(scale_factor=3),
}


@pytest.mark.parametrize("text", UPSAMPLING, ids=str)
def test_upsampling_in_the_interior_of_a_map_is_pytorchs(text):
    layer, module = catalog.layer(text), UPSAMPLING[text]
    scales = sides(layer.scale_factor, layer.ndim)
    side, more = {"nearest": (1, 1), "bicubic": (4, 2)}.get(layer.mode, (2, 1))

    def function(x):
        x = x.reshape(ROWS, 1, *(side,) * layer.ndim)
        y = module(F.pad(x, around((more,) * layer.ndim, before=True), mode="circular"))
        for axis, s in enumerate(scales, start=2):
            y = y.narrow(axis, s * more, s * side)
        return y

    agree(text, function)


# --- normalisation


def full(count, value):
    return torch.full((count,), value, dtype=torch.float64)


def batch_norm(x, weight=1.0, bias=0.0, **options):
    channels = x.permute(1, 0, 2, 3).flatten(1, 2)  # every draw has channels of its own
    count = channels.shape[1]
    y = F.batch_norm(channels, None, None, full(count, weight), full(count, bias), training=True, **options)
    return y.unflatten(1, (ROWS, -1)).permute(1, 0, 2, 3)


def channels_of(x, function):
    """Apply a function of (samples, channels, positions) to every draw."""
    return function(x.flatten(0, 1)).reshape(x.shape)


#: SPEC -> the same function of an array (rows, samples, channels, positions)
NORMALISERS = {
    "batch_norm(group_size=12)": lambda x: F.batch_norm(x.reshape(ROWS, 12).mT, None, None, training=True).mT,
    "batch_norm(shape=(4, 3, 2, 2))": batch_norm,
    "batch_norm(shape=(6, 4), eps=0)": lambda x: batch_norm(x, eps=1e-300),  # PyTorch refuses 0
    "batch_norm(shape=(3, 2, 2, 1, 2), eps=0.1, weight=-2, bias=0.25)": lambda x: batch_norm(x, -2.0, 0.25, eps=0.1),
    "batch_norm(mode=inference, running_mean=0.5, running_var=4, weight=-2, bias=0.25)": lambda x: F.batch_norm(
        x, *(full(1, v) for v in (0.5, 4.0, -2.0, 0.25)), training=False
    ),
    "layer_norm(group_size=12)": lambda x: F.layer_norm(x, x.shape[-1:]),
    "layer_norm(shape=(2, 3, 2, 2), eps=0.1)": lambda x: F.layer_norm(x, x.shape[2:], eps=0.1),
    "layer_norm(shape=(3, 6), weight=-2, bias=0.25)": lambda x: F.layer_norm(
        x[..., 0], (6,), full(6, -2.0), full(6, 0.25)
    ),
    "instance_norm(group_size=12)": lambda x: F.instance_norm(x[:, 0]),
    "instance_norm(shape=(2, 3, 4, 2), eps=0.1)": lambda x: channels_of(x, lambda y: F.instance_norm(y, eps=0.1)),
    "instance_norm(shape=(2, 3, 4), weight=-2, bias=0.25)": lambda x: channels_of(
        x, lambda y: F.instance_norm(y, weight=full(3, -2.0), bias=full(3, 0.25))
    ),
    "group_norm(group_size=12)": lambda x: F.group_norm(x[:, 0], 1),
    "group_norm(shape=(2, 6, 2, 2), num_groups=3)": lambda x: channels_of(x, lambda y: F.group_norm(y, 3)),
    "group_norm(shape=(2, 6, 3), num_groups=2, eps=0.1, weight=-2, bias=0.25)": lambda x: channels_of(
        x, lambda y: F.group_norm(y, 2, full(6, -2.0), full(6, 0.25), eps=0.1)
    ),
    "rms_norm(group_size=12)": lambda x: F.rms_norm(x, (12,), eps=torch.finfo(torch.float32).eps),
    "rms_norm(shape=(2, 3, 2, 2), eps=0.1)": lambda x: F.rms_norm(x, x.shape[2:], eps=0.1),
    "rms_norm(shape=(3, 6), eps=0, weight=-2)": lambda x: F.rms_norm(x[..., 0], (6,), full(6, -2.0), eps=0.0),
    "l2_norm(group_size=12)": lambda x: F.normalize(x, dim=-1),
    "l2_norm(group_size=12, eps=0.5)": lambda x: x / torch.sqrt(torch.sum(x * x, dim=1, keepdim=True) + 0.5),
    "weight_standardization(fan_in=18, eps=0.1, gain=0.5)": lambda w: 0.5 * F.layer_norm(w, w.shape[-1:], eps=0.1),
    "local_response_norm(size=5, alpha=0.5)": lambda x: response_norm(x, 5, alpha=0.5),
    "local_response_norm(size=4, alpha=1, beta=0.5, k=2)": lambda x: response_norm(x, 4, alpha=1.0, beta=0.5, k=2.0),
    "local_response_norm(size=1, alpha=2, beta=1)": lambda x: response_norm(x, 1, alpha=2.0, beta=1.0),
}


def response_norm(x, size, **options):
    """PyTorch's between channels on a ring: those that see a border are cut off."""
    left, count = size // 2, x.shape[1]
    ring = F.pad(x[:, None], (left, (size - 1) // 2), mode="circular")
    return F.local_response_norm(ring.mT, size, **options)[:, left : left + count]


@pytest.mark.parametrize("text", NORMALISERS, ids=str)
def test_a_normalisation_and_the_gradient_through_its_statistics_are_pytorchs(text):
    agree(text, NORMALISERS[text])


# --- softmax and attention


#: SPEC -> the same function of the logits
SOFTMAX = {
    "softmax(n=6)": lambda x: F.softmax(x, dim=1),
    "softmax(n=6, temperature=0.5)": lambda x: F.softmax(x / 0.5, dim=1),
    "log_softmax(n=6)": lambda x: F.log_softmax(x, dim=1),
    "log_softmax(n=6, temperature=2)": lambda x: F.log_softmax(x / 2, dim=1),
    "logsumexp(n=6, temperature=2)": lambda x: torch.logsumexp(x / 2, dim=1),
}


@pytest.mark.parametrize("text", SOFTMAX, ids=str)
def test_a_softmax_and_its_gradient_are_pytorchs(text):
    agree(text, SOFTMAX[text])


def test_softmin_is_softmax_of_the_negated_logits():
    made, tape = simulated("softmin(n=6)", FORWARD)
    close(made, F.softmin(-tensor(tape.inputs[0]), dim=1))


#: SPEC -> PyTorch's keywords and the temperature
CROSS_ENTROPY = {
    "cross_entropy(n=6)": ({}, 1.0),
    "cross_entropy(n=6, label_smoothing=0.2)": ({"label_smoothing": 0.2}, 1.0),
    "cross_entropy(n=3, label_smoothing=1, temperature=2)": ({"label_smoothing": 1.0}, 2.0),
}


@pytest.mark.parametrize("text", CROSS_ENTROPY, ids=str)
def test_cross_entropy_of_the_same_labels_is_pytorchs(text):
    options, temperature = CROSS_ENTROPY[text]

    def loss(x, labels):
        return F.cross_entropy(x / temperature, torch.from_numpy(labels), reduction="none", **options)

    made, tape = simulated(text, FORWARD)
    close(made, loss(tensor(tape.inputs[0]), tape.draws[0]))
    made, tape = simulated(text, BACKWARD)
    x, (labels, dy) = tensor(tape.inputs[0], requires_grad=True), tape.draws
    close(made, torch.autograd.grad(loss(x, labels), x, tensor(dy[:, 0])))


def attend(logits, value, causal, temperature=1.0):
    if causal:
        logits = logits.masked_fill(~torch.ones(logits.shape[-2:]).tril().bool(), -math.inf)
    return F.softmax(logits / temperature, dim=-1) @ value


ATTENTION = {
    "attention(n=4, head_dim=3)": (False, 1.0),
    "attention(n=4, head_dim=3, temperature=0.5)": (False, 0.5),
    "attention(n=5, head_dim=2, causal=yes, temperature=2)": (True, 2.0),
    "causal_attention(n=4, head_dim=3)": (True, 1.0),
}


@pytest.mark.parametrize("text", ATTENTION, ids=str)
def test_attention_and_the_gradients_of_logits_and_values_are_pytorchs(text):
    causal, temperature = ATTENTION[text]
    made, tape = simulated(text, FORWARD)
    close(made, attend(*map(tensor, tape.inputs), causal, temperature))
    made, tape = simulated(text, BACKWARD)
    inputs = [tensor(x, requires_grad=True) for x in tape.inputs]
    y = attend(*inputs, causal, temperature)
    logits, value = torch.autograd.grad(y, inputs, tensor(tape.draws[0]))
    seen = torch.ones(logits.shape[-2:]).tril().bool() if causal else ...
    close(made["logits"], logits[:, seen])
    close(made["value"], value)


@pytest.mark.parametrize("causal", ["no", "yes"])
def test_logits_and_attention_together_are_pytorchs_scaled_dot_product_attention(causal):
    n, d = 4, 3
    products = f"scaled_dot_product(d={d}, queries={n}, keys={n})"
    logits, of_logits = simulated(products, FORWARD)
    value = np.random.default_rng(2).standard_normal((ROWS, n, d))
    told = [logits.reshape(ROWS, n, n), value]
    inputs = [tensor(x, requires_grad=True) for x in (*of_logits.inputs, value)]
    y = F.scaled_dot_product_attention(*inputs, is_causal=causal == "yes")
    close(simulated(f"attention(n={n}, head_dim={d}, causal={causal})", FORWARD, Tape(told))[0], y)

    back, tape = simulated(f"attention(n={n}, head_dim={d}, causal={causal})", BACKWARD, Tape(told))
    dy = np.zeros((ROWS, n, n))
    dy[:, np.tri(n, dtype=bool) if causal == "yes" else np.ones((n, n), bool)] = back["logits"]
    passed, _ = simulated(products, BACKWARD, Tape(of_logits.inputs, standard_normal=[dy]))
    close([passed["query"], passed["key"], back["value"]], torch.autograd.grad(y, inputs, tensor(tape.draws[0])))


# --- learned weights


def wrapped(y, torus):
    """Fold what lies beyond a torus back onto it."""
    for axis, side in enumerate(torus, start=2):
        times = -(-y.shape[axis] // side)
        padded = F.pad(y, [0, 0] * (y.ndim - 1 - axis) + [0, times * side - y.shape[axis]])
        y = padded.unflatten(axis, (times, side)).sum(axis)
    return y


def weighted(layer, x, weight, bias=None, groups=1):
    """Run PyTorch's layer of those weights (first, second, taps) on maps (samples, channels, entries)."""
    taps = layer.taps
    if layer.name == "linear":
        return F.linear(x[..., 0], weight[..., 0], bias)
    ndim, options = len(taps.kernel), {"stride": taps.stride, "dilation": taps.dilation, "groups": groups}
    weight = weight.unflatten(2, taps.kernel)
    if layer.shape.transposed:
        x = x.unflatten(2, [side // s for side, s in zip(taps.torus, taps.stride, strict=True)])
        y = wrapped(torchs("conv_transpose", ndim)(x, weight, **options), taps.torus)
        return y if bias is None else y + bias.reshape(-1, *(1,) * ndim)
    beyond = [d * (k - 1) for k, d in zip(taps.kernel, taps.dilation, strict=True)]
    x = F.pad(x.unflatten(2, taps.torus), around(beyond), mode="circular")
    return torchs("conv", ndim)(x, weight, bias, **options)


WEIGHTED = [
    "linear(in_features=5, out_features=6)",
    "linear(in_features=5, out_features=3, init=torch_default, bias=uniform, positions=4)",
    "linear(in_features=5, out_features=6, init=weight_norm(v_norm=2), gain=0.5, positions=3)",
    "conv(in_channels=3, out_channels=5, kernel_size=3, ndim=1, bias=uniform)",
    "conv(in_channels=4, out_channels=6, kernel_size=4, stride=3, dilation=2, groups=2, ndim=1, positions=5)",
    "conv(in_channels=2, out_channels=3, kernel_size=(3, 2), stride=(2, 1), ndim=2, init=kaiming_normal, positions=7)",
    "conv(in_channels=4, out_channels=6, kernel_size=2, dilation=(1, 3), groups=2, ndim=2, init=weight_norm)",
    "conv(in_channels=2, out_channels=3, kernel_size=(2, 1, 3), stride=(1, 2, 2), ndim=3, init=orthogonal)",
    "depthwise_conv(channels=3, multiplier=2, kernel_size=3, stride=2, ndim=2, bias=uniform)",
    "depthwise_conv(channels=4, kernel_size=(2, 3, 2), ndim=3, positions=5)",
    "conv_transpose(in_channels=3, out_channels=5, kernel_size=3, stride=2, ndim=1, bias=uniform)",
    "conv_transpose(in_channels=4, out_channels=6, kernel_size=4, stride=3, dilation=2, groups=2, ndim=1, positions=5)",
    "conv_transpose(in_channels=2, out_channels=3, kernel_size=(3, 2), stride=(2, 1), ndim=2, positions=7)",
    "conv_transpose(in_channels=4, out_channels=6, kernel_size=2, groups=2, ndim=2, init=weight_norm, gain=2)",
    "conv_transpose(in_channels=2, out_channels=3, kernel_size=(2, 1, 3), stride=(1, 2, 2), ndim=3)",
]


@pytest.mark.parametrize("text", WEIGHTED, ids=str)
def test_a_layer_with_the_same_weights_is_pytorchs_and_so_are_its_gradients(text):
    layer = catalog.layer(text)
    groups = layer.shape.groups
    made, tape = simulated(text, FORWARD)
    maps, (weights,) = tape.inputs[0], map(tensor, tape.weights)
    biases = tensor(tape.draws[0]).reshape(ROWS, -1) if layer.bias == "uniform" else [None] * ROWS
    rows = [tensor(x).flatten(0, 1)[None] for x in maps]
    close(made, torch.cat([weighted(layer, *args, groups) for args in zip(rows, weights, biases, strict=True)]))

    made, tape = simulated(text, BACKWARD)
    (weights,) = map(tensor, tape.weights)
    gradients = []
    for x, w, dy in zip(rows, weights, tape.draws[0], strict=True):
        x.requires_grad_()
        y = weighted(layer, x, w, None, groups)
        gradients += torch.autograd.grad(y, x, tensor(dy).reshape(y.shape))
    close(made["input"], torch.cat(gradients))
    close({k: v for k, v in made.items() if k not in ("input", "bias")}, weight_gradients(layer, tape, weights))
    if layer.bias != "none":
        dy = tensor(tape.draws[-1])
        bias = torch.zeros(*dy.shape[:2], 1, dtype=torch.float64, requires_grad=True)
        close(made["bias"], torch.autograd.grad(bias.expand(dy.shape), bias, dy))


def weight_gradients(layer, tape, weights):
    """Return the gradients of a corner of the weights, or of direction and norm, on maps that hold the positions."""
    sampled, drawn = tape.inputs[0], tape.draws[1]
    at_windows, at_positions = (sampled, drawn) if layer.shape.transposed else (drawn, sampled)
    _, maps, first, windows = at_windows.shape
    at_windows[:, -1, :, layer.positions - (maps - 1) * windows :] = 0.0
    found = []
    for x, w, dy in zip(map(tensor, sampled), weights[:, :first, : at_positions.shape[2]], drawn, strict=True):
        if layer.initialiser.name == "weight_norm":
            module, parameters = weight_normalised(layer, w)
            y = weighted(layer, x, module.weight)
        else:
            parameters = [w.clone().requires_grad_()]
            y = weighted(layer, x, parameters[0])
        gradients = torch.autograd.grad(y, parameters, tensor(dy).reshape(y.shape))
        if layer.initialiser.name != "weight_norm":
            gradients = [gradients[0][:, :, :4]]  # no more taps than these are followed
        found.append(torch.cat([each.flatten() for each in gradients]))
    return torch.stack(found)


def weight_normalised(layer, weights):
    """Return a module whose weight PyTorch puts together from directions and norms, and these."""
    module = nn.Module()
    module.weight = nn.Parameter(weights * (layer.initialiser.options["v_norm"] / layer.gain))
    nn.utils.parametrizations.weight_norm(module, dim=1 if layer.shape.transposed else 0)
    g, v = module.parametrizations.weight.original0, module.parametrizations.weight.original1
    nn.init.constant_(g, layer.gain)
    return module, [v, g]


DROP_CONNECT = "drop_connect(in_features=5, out_features=4, drop_prob=0.3, init=unit_fan_in)"


def test_drop_connect_is_a_linear_layer_of_the_weights_that_are_left():
    made, tape = simulated(DROP_CONNECT, FORWARD)
    left = tensor(tape.weights[0][..., 0] * (tape.draws[0][..., 0] < 0.7) / 0.7)
    x = tensor(tape.inputs[0]).reshape(ROWS, 1, 5)
    close(made, torch.cat([F.linear(*args) for args in zip(x, left, strict=True)]))


EMBEDDING = "embedding(num_embeddings=5, embedding_dim=3, tokens=8)"


def test_an_embedding_and_the_gradient_of_its_table_are_pytorchs():
    made, tape = simulated(EMBEDDING, FORWARD)
    tokens, tables = torch.from_numpy(tape.draws[0]), tensor(tape.weights[0][..., 0])
    close(made, torch.stack([F.embedding(*args) for args in zip(tokens, tables, strict=True)]))
    made, tape = simulated(EMBEDDING, BACKWARD)
    gradients = []
    for token, dy in zip(*tape.draws, strict=True):
        table = torch.zeros(5, 3, dtype=torch.float64, requires_grad=True)
        gradients += torch.autograd.grad(F.embedding(torch.from_numpy(token), table), table, tensor(dy))
    close(made["weight"], torch.stack(gradients))


SIZES = "input_size=5, hidden_size=6"
#: SPEC -> PyTorch's cell
CELLS = {
    f"rnn_cell({SIZES})": nn.RNNCell(5, 6),
    f"rnn_cell({SIZES}, nonlinearity=relu, init=torch_default)": nn.RNNCell(5, 6, nonlinearity="relu"),
    f"lstm_cell({SIZES}, init=torch_default)": nn.LSTMCell(5, 6),
    f"lstm_cell({SIZES}, init=keras_default, output=cell)": nn.LSTMCell(5, 6),
    f"gru_cell({SIZES}, init=torch_default)": nn.GRUCell(5, 6),
    f"gru_cell({SIZES})": nn.GRUCell(5, 6),
}


def step(text, x, states, w, u, biases):
    """Run PyTorch's cell of those weights; return the new state that is asked for, and the weights."""
    cell = CELLS[text].double()
    weights = [each.reshape(-1, each.shape[-1]).requires_grad_() for each in (w, u)]
    named = dict(zip(["weight_ih", "weight_hh", "bias_ih", "bias_hh"], [*weights, *biases.flatten(1)], strict=True))
    given = [state[None] for state in states]
    lstm = isinstance(cell, nn.LSTMCell)
    new = torch.func.functional_call(cell, named, (x[None], tuple(given) if lstm else given[0]))
    return (new["output=cell" in text] if lstm else new)[0], weights


def each_step(tape):
    """Return input, states and weights of every row."""
    x, *states = [tensor(x).reshape(ROWS, -1) for x in tape.inputs]
    return [
        (row[0], row[1 : len(states) + 1], *row[-3:])
        for row in zip(x, *states, *map(tensor, tape.weights), strict=True)
    ]


@pytest.mark.parametrize("text", CELLS, ids=str)
def test_a_recurrent_cell_with_the_same_weights_is_pytorchs_and_so_are_its_gradients(text):
    made, tape = simulated(text, FORWARD)
    close(made, torch.stack([step(text, *row)[0] for row in each_step(tape)]))

    made, tape = simulated(text, BACKWARD)
    found = []
    for (x, states, *weights), dy in zip(each_step(tape), tape.draws[-1], strict=True):
        inputs = [each.requires_grad_() for each in (x, *states)]
        new, matrices = step(text, x, states, *weights)
        *gradients, of_w, of_u = torch.autograd.grad(new, inputs + matrices, tensor(dy))
        corners = [each.unflatten(0, (-1, 6))[:, :4, :4].flatten() for each in (of_w, of_u)]
        found.append(gradients + corners)
    names = [*catalog.layer(text).inputs, "weight_ih", "weight_hh"]
    assert sorted(made) == sorted(names)
    for name, expected in zip(names, zip(*found, strict=True), strict=True):
        close(made[name], torch.stack(expected))


# --- initialisers


#: a layer's geometry -> PyTorch's layer of it
LAYERS = {
    "linear(in_features=6, out_features=10": lambda: nn.Linear(6, 10),
    "conv(in_channels=4, out_channels=6, groups=2, kernel_size=(2, 3), ndim=2": lambda: nn.Conv2d(
        4, 6, (2, 3), groups=2
    ),
    "conv_transpose(in_channels=4, out_channels=6, groups=2, kernel_size=3, ndim=1": lambda: nn.ConvTranspose1d(
        4, 6, 3, groups=2
    ),
}
#: init -> PyTorch's initialiser, and what it draws from
INITIALISERS = {
    "kaiming_normal": (lambda w: nn.init.kaiming_normal_(w), "normal_"),
    "kaiming_normal(a=0.2, mode=fan_out)": (lambda w: nn.init.kaiming_normal_(w, 0.2, "fan_out"), "normal_"),
    "kaiming_normal_fan_out": (lambda w: nn.init.kaiming_normal_(w, mode="fan_out"), "normal_"),
    "kaiming_uniform": (lambda w: nn.init.kaiming_uniform_(w), "uniform_"),
    "kaiming_uniform(a=0.2)": (lambda w: nn.init.kaiming_uniform_(w, 0.2), "uniform_"),
    "kaiming_uniform_fan_out": (lambda w: nn.init.kaiming_uniform_(w, mode="fan_out"), "uniform_"),
    "xavier_normal(gain=2)": (lambda w: nn.init.xavier_normal_(w, 2.0), "normal_"),
    "xavier_uniform": (lambda w: nn.init.xavier_uniform_(w), "uniform_"),
    "normal(std=0.02)": (lambda w: nn.init.normal_(w, 0.0, 0.02), "normal_"),
    "uniform(a=-0.3, b=0.3)": (lambda w: nn.init.uniform_(w, -0.3, 0.3), "uniform_"),
}


def drawn(init: str, geometry: str):
    """Return one weight tensor of an initialiser, and the random numbers behind it as PyTorch takes them."""
    tape = Tape()
    made = catalog.layer(f"{geometry}, init={init})").initialiser.draw(tape, 1)[0]
    return made, tape.raw[0].reshape(made.shape)


def randoms(shape, kind: str):
    """Return the numbers that PyTorch draws first after a seed."""
    torch.manual_seed(5)
    raw = torch.empty(shape, dtype=torch.float64)
    return raw.normal_() if kind == "normal_" else raw.uniform_(-1.0, 1.0)


@pytest.mark.parametrize("geometry", LAYERS)
@pytest.mark.parametrize("init", INITIALISERS)
def test_an_initialiser_scales_its_random_numbers_as_pytorchs_does(init, geometry):
    function, kind = INITIALISERS[init]
    made, raw = drawn(init, geometry)
    w = torch.empty_like(LAYERS[geometry]().weight, dtype=torch.float64)
    ratio = (raw if kind == "normal_" else 2.0 * raw - 1.0) / made
    expected = randoms(w.shape, kind)
    torch.manual_seed(5)
    function(w)
    assert made.size == w.numel()
    np.testing.assert_allclose(ratio, flat(expected / w).mean(), rtol=1e-9)
    np.testing.assert_allclose(flat(expected / w), ratio.mean(), rtol=1e-9)


@pytest.mark.parametrize("geometry", LAYERS)
def test_torch_default_is_how_pytorchs_layers_start_bias_included(geometry):
    layer = catalog.layer(f"{geometry}, init=torch_default, bias=uniform)")
    torch.manual_seed(5)
    module = LAYERS[geometry]()
    torch.manual_seed(5)
    raw, of_bias = (torch.empty_like(p).uniform_(-1.0, 1.0) for p in (module.weight, module.bias))
    made, ours = drawn("torch_default", geometry)
    bound = (made / (2.0 * ours - 1.0)).mean()
    np.testing.assert_allclose(flat(module.weight), flat(raw) * bound, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(module.bias.detach(), of_bias / math.sqrt(layer.shape.own), rtol=1e-5, atol=1e-7)
    bounds = []
    tape = Tape()
    tape.uniform = lambda low, high, shape: bounds.append((low, high)) or np.zeros(shape)
    layer.simulate(FORWARD, tape, ROWS, tape)
    assert bounds == [(-1.0 / math.sqrt(layer.shape.own), 1.0 / math.sqrt(layer.shape.own))]


@pytest.mark.parametrize("slope", [0.0, 0.2, 1.0, math.sqrt(5.0)])
def test_the_gain_of_kaiming_is_calculate_gains(slope):
    layer = catalog.layer(f"linear(init=kaiming_normal(a={slope!r}))")
    assert layer.gain == pytest.approx(nn.init.calculate_gain("leaky_relu", slope), rel=1e-15)
    assert catalog.layer("linear(init=kaiming_uniform)").gain == nn.init.calculate_gain("relu")


@pytest.mark.parametrize("shape", [(4, 9), (9, 4), (5, 5)])
def test_orthogonal_weights_have_orthonormal_rows_or_columns_on_both_sides(shape):
    made, _ = drawn("orthogonal(gain=3)", f"linear(in_features={shape[1]}, out_features={shape[0]}")
    for w in (tensor(made[..., 0]), nn.init.orthogonal_(torch.empty(shape, dtype=torch.float64), 3.0)):
        close(w @ w.mT if shape[0] <= shape[1] else w.mT @ w, 9.0 * torch.eye(min(shape)))


@pytest.mark.parametrize("sparsity", [0.1, 0.25, 0.5, 1.0])
def test_sparse_weights_have_as_many_zeros_a_column_as_pytorchs(sparsity):
    made, _ = drawn(f"sparse(sparsity={sparsity})", "linear(in_features=6, out_features=10")
    theirs = nn.init.sparse_(torch.empty(10, 6), sparsity)
    assert set((made[..., 0] == 0.0).sum(axis=0)) == set((theirs == 0.0).sum(dim=0).tolist())


@pytest.mark.parametrize("kernel", [(3,), (4,), (3, 5), (2, 3), (3, 3, 3), (2, 2, 3)], ids=str)
def test_dirac_weights_are_pytorchs(kernel):
    written = f"({', '.join(map(str, kernel))},)"
    text = f"conv(in_channels=4, out_channels=6, groups=2, kernel_size={written}, ndim={len(kernel)}, init=dirac)"
    close(catalog.layer(text).initialiser.draw(Tape(), 1)[0], nn.init.dirac_(torch.empty(6, 2, *kernel), groups=2))


def test_identity_weights_are_pytorchs():
    made = catalog.layer("linear(in_features=6, out_features=4, init=identity)").initialiser.draw(Tape(), 1)[0]
    close(made, nn.init.eye_(torch.empty(4, 6)))


def test_truncated_weights_keep_within_the_bounds_that_pytorch_is_given():
    std, low, high = 0.02, -2.0, 1.0
    made, _ = drawn(f"trunc_normal(std={std}, a={low}, b={high})", "linear(in_features=64, out_features=64")
    theirs = nn.init.trunc_normal_(torch.empty(64, 64), 0.0, std, low * std, high * std)
    for w in (made, theirs.numpy()):
        assert low * std <= w.min() < 0.95 * low * std
        assert 0.95 * high * std < w.max() <= high * std * (1 + 1e-7)


# --- what PyTorch has


#: why a module of torch.nn is no layer of moments -> such modules
NOT_A_LAYER = {
    "a base class or a container of other modules": """Container DataParallel Module ModuleDict ModuleList ParameterDict
        ParameterList RNNBase RNNCellBase Sequential""",
    "the layer of the same name, its sizes found later": """LazyBatchNorm1d LazyBatchNorm2d LazyBatchNorm3d LazyConv1d
        LazyConv2d LazyConv3d LazyConvTranspose1d LazyConvTranspose2d LazyConvTranspose3d LazyInstanceNorm1d
        LazyInstanceNorm2d LazyInstanceNorm3d LazyLinear""",
    "entries change places and keep their values": """ChannelShuffle Flatten PixelShuffle PixelUnshuffle Unflatten
        Unfold""",
    "a loss of two arguments that come from outside a network": """BCELoss BCEWithLogitsLoss CTCLoss CosineEmbeddingLoss
        GaussianNLLLoss HingeEmbeddingLoss HuberLoss KLDivLoss L1Loss MSELoss MarginRankingLoss MultiLabelMarginLoss
        MultiLabelSoftMarginLoss MultiMarginLoss NLLLoss NLLLoss2d PoissonNLLLoss SmoothL1Loss SoftMarginLoss
        TripletMarginLoss TripletMarginWithDistanceLoss""",
    "several layers, which a pipeline puts together": """AdaptiveLogSoftmaxWithLoss LinearCrossEntropyLoss
        MultiheadAttention Transformer TransformerDecoder TransformerDecoderLayer TransformerEncoder
        TransformerEncoderLayer""",
}
#: why there is no such layer yet -> modules of torch.nn
NOT_YET = {
    "corners aligned: the weights depend on the size of the map": "UpsamplingBilinear2d",
    "several steps, whose states are no longer Gaussian": "GRU LSTM RNN",
    "windows of random places": "FractionalMaxPool2d FractionalMaxPool3d",
    "takes the places of maxima from another layer": "MaxUnpool1d MaxUnpool2d MaxUnpool3d",
    "sums over bags or patches": "EmbeddingBag Fold",
    "distances of two vectors": "CosineSimilarity PairwiseDistance",
    "a learned form of two inputs; the gated unit without an activation is bilinear here": "Bilinear",
}
TABLES = [
    ELEMENTWISE, FORWARD_ALONE, SEVERAL, RANDOM, SLIDING, WHOLE_MAPS, UPSAMPLING, NORMALISERS, SOFTMAX, CROSS_ENTROPY,
    ATTENTION, WEIGHTED, [DROP_CONNECT, EMBEDDING], CELLS,
]  # fmt: skip
TESTED = {catalog.layer(text).name for table in TABLES for text in table}
LEFT_OUT = {name for reasons in (NOT_A_LAYER, NOT_YET) for names in reasons.values() for name in names.split()}
MODULES = sorted(
    name for name, value in vars(nn).items() if isinstance(value, type) and issubclass(value, nn.Module)
)  # fmt: skip


@pytest.mark.parametrize("name", [name for name in MODULES if name not in LEFT_OUT])
def test_a_module_of_pytorch_has_a_layer_of_its_name_and_defaults_that_is_held_against_it(name):
    layer = catalog.layer(name)
    assert layer.name in TESTED
    for word, theirs in inspect.signature(getattr(nn, name)).parameters.items():
        if isinstance(theirs.default, (int, float)) and not isinstance(theirs.default, bool):
            assert getattr(layer, word, theirs.default) == theirs.default
    if name[-2:] in ("1d", "2d", "3d") and hasattr(layer, "ndim"):
        assert layer.ndim == int(name[-2])


#: functions of torch.nn.functional and torch whose names are understood
FUNCTIONS = """
    relu relu6 leaky_relu prelu rrelu elu selu celu gelu silu mish glu hardtanh hardsigmoid hardswish hardshrink
    softshrink tanhshrink sigmoid logsigmoid tanh softsign softplus softmax softmin log_softmax threshold
    avg_pool1d avg_pool2d avg_pool3d max_pool1d max_pool2d max_pool3d lp_pool1d lp_pool2d lp_pool3d
    adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool1d adaptive_max_pool2d
    adaptive_max_pool3d dropout dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout batch_norm
    layer_norm instance_norm group_norm rms_norm normalize local_response_norm linear conv1d conv2d conv3d
    conv_transpose1d conv_transpose2d conv_transpose3d embedding interpolate cross_entropy
    scaled_dot_product_attention abs absolute sign square exp sin cos erf atan arctan asinh arcsinh clamp clip
    heaviside logsumexp add sub mul bmm matmul cat concat maximum minimum
"""


@pytest.mark.parametrize("name", FUNCTIONS.split())
def test_a_function_of_pytorch_has_a_layer_of_its_name_that_is_held_against_it(name):
    assert callable(getattr(F, name, None) or getattr(torch, name))
    assert catalog.find(name).name in TESTED


@pytest.mark.parametrize("name", sorted(LEFT_OUT - {"Bilinear"}))
def test_what_is_left_out_is_refused_by_its_name(name):
    with pytest.raises(RequestError):
        catalog.find(name)


# -- chains --------------------------------------------------------------------------------------


def masks(tape) -> list:
    """Return the uniform numbers that were drawn, beside the normal ones of a gradient."""
    return [tensor(one) for one in tape.draws if one.min() >= 0.0]


def two_dropouts(x, tape):
    first, second = (u.reshape(x.shape) for u in masks(tape))
    return F.relu(x * (first < 0.7) / 0.7) * (second < 0.6) / 0.6


def dropout_before_the_maximum(x, tape):
    kept = F.relu(x) * (masks(tape)[0].reshape(x.shape) < 0.9) / 0.9
    return kept.reshape(ROWS, 4).max(dim=1).values


def overlapping_windows(x, tape):
    index = catalog.layer("max_pool(kernel_size=3, stride=2)").windows.index
    return torch.tanh(F.relu(x).reshape(ROWS, -1)[:, index].max(dim=2).values)


def two_linear(x, tape):
    first, second = (tensor(w[..., 0]) for w in tape.weights[:2])
    hidden = F.relu(torch.einsum("rij,rj->ri", first, x.reshape(ROWS, 3)))
    return torch.einsum("rij,rj->ri", second, hidden)


def two_convolutions(x, tape):
    first, second = (tensor(w) for w in tape.weights[:2])
    rows = []
    for one, v, w in zip(x.reshape(ROWS, 1, 2, -1), first, second, strict=True):
        hidden = F.silu(F.conv1d(F.pad(one, (0, 2), mode="circular"), v))
        rows.append(F.conv1d(F.pad(hidden, (0, 1), mode="circular"), w))
    return torch.cat(rows)


CHAINS = {
    "gelu | softmax(n=8)": lambda x, tape: F.softmax(F.gelu(x).reshape(ROWS, 8), dim=1),
    "layer_norm(group_size=6) | gelu | max_pool(kernel_size=2)": lambda x, tape: (
        F.gelu(F.layer_norm(x.reshape(-1, 6), (6,))).reshape(ROWS, 3, 4).max(dim=2).values
    ),
    "relu | dropout(keep_prob=0.9) | max_pool(kernel_size=2)": dropout_before_the_maximum,
    "dropout(keep_prob=0.7) | relu | dropout(keep_prob=0.6)": two_dropouts,
    "relu | max_pool(kernel_size=3, stride=2) | tanh": overlapping_windows,
    "linear(in_features=3, out_features=4) | relu | linear(in_features=4, out_features=2)": two_linear,
    "conv(in_channels=2, out_channels=3, ndim=1) | silu | conv(in_channels=3, out_channels=2, kernel_size=2, ndim=1)":
        two_convolutions,
}  # fmt: skip


@pytest.mark.parametrize("text", CHAINS)
def test_a_chain_is_the_whole_network_forward_and_backward(text):
    made, tape = simulated(text, FORWARD)
    close(made, CHAINS[text](tensor(tape.inputs[0]), tape).reshape(ROWS, -1))
    made, tape = simulated(text, BACKWARD)
    x = tensor(tape.inputs[0], requires_grad=True)
    y = CHAINS[text](x, tape)
    (dy,) = (one for one in tape.draws if one.min() < 0.0)
    (dx,) = torch.autograd.grad(y, x, tensor(dy).reshape(y.shape))
    close(made, dx.reshape(ROWS, -1))
