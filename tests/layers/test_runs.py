"""Every layer shows all of its entries to the layers around it, each gradient beside the entry that it belongs to."""

import numpy as np
import pytest

from normcal import catalog
from normcal.law import Gradient
from normcal.layer import BACKWARD, FORWARD, Elementwise
from normcal.layers import _chained

ROWS, STEP = 3, 1e-5
#: Layers whose default size takes too long, smaller.
SMALLER = {
    "linear": "linear(in_features=5, out_features=4)",
    "drop_connect": "drop_connect(in_features=5, out_features=4)",
    "conv": "conv(in_channels=4, out_channels=6, groups=2, stride=2)",
    "depthwise_conv": "depthwise_conv(channels=3, multiplier=2)",
    "conv_transpose": "conv_transpose(in_channels=3, out_channels=2, stride=2)",
    "batch_norm": "batch_norm(shape=(3, 2, 2, 2))",
}
CHAINS = [
    "relu | dropout(keep_prob=0.9) | max_pool(kernel_size=2)",
    "relu | max_pool(kernel_size=3, stride=2) | tanh",
    "gelu | softmax(n=8)",
    "layer_norm(group_size=6) | silu | max_pool(kernel_size=2)",
    "dropout | relu | gaussian_dropout",
    "crelu | softmax(n=3) | rrelu",
    "linear(in_features=3, out_features=4) | relu | linear(in_features=6, out_features=2, bias=uniform)",
    "swiglu | alpha_dropout | logsumexp(n=4)",
    "attention_average(n=2, head_dim=4) | layer_norm(group_size=4)",
    "conv(in_channels=2, out_channels=3, ndim=1) | silu | max_pool(kernel_size=3, stride=2, ndim=1) | tanh",
    "max_pool(kernel_size=3, stride=2) | dropout | conv(in_channels=1, out_channels=2) | avg_pool(kernel_size=2)",
    "tanh | spatial_dropout(size=3) | global_avg_pool(input_size=2)",
]


def followed(cls):
    """Return the layer of a class that is small enough to be followed entry by entry; None for what has no gradient."""
    layer = catalog.layer(SMALLER.get(cls.name, cls.name))
    stands_in = isinstance(layer, Elementwise) and layer.slope is not None
    return None if stands_in or layer.inputs == ("weight",) else layer


LAYERS = [layer for layer in map(followed, catalog.classes().values()) if layer is not None]


class Told:
    """An input law that hands out the arrays it is told, or draws and keeps them."""

    mean, std, gradient = 0.3, 1.7, Gradient()

    def __init__(self, x=None, incoming=None) -> None:
        self.x, self.dy, self.asked = x, incoming, []

    def sample(self, rng, shape):
        told = np.random.default_rng(len(self.asked)).normal(self.mean, self.std, shape)
        self.asked.append(told if self.x is None else self.x[len(self.asked)])
        return self.asked[-1].copy()

    def incoming(self, rng, shape, x=None):
        return self.dy(rng, shape, x)


class Followed:
    """A layer whose own random numbers are drawn once, and run on what it is told."""

    def __init__(self, layer) -> None:
        self.layer, first = layer, Told()
        self.own = _chained.Drawn(np.random.default_rng(6), ROWS, 1, layer)
        self.y = layer.run(FORWARD, self.own, ROWS, first)
        self.x = first.asked

    def forward(self, x):
        self.own.place = 0
        return self.layer.run(FORWARD, self.own, ROWS, Told(x))

    def backward(self, dy):
        self.own.place = 0
        found = self.layer.run(BACKWARD, self.own, ROWS, Told(self.x, dealt(dy)))
        return [found[name] for name in self.layer.inputs] if isinstance(found, dict) else [found]


def dealt(dy):
    """Return an ``incoming`` that hands out dy from left to right, in as many rows as it is asked for."""
    columns = []

    def incoming(rng, shape, x=None):
        if not columns:
            columns.append(_chained.Columns(dy.reshape(shape[0], -1), None))
        return columns[0].take(shape)

    return incoming


def flat(arrays):
    return np.concatenate([one.reshape(ROWS, -1) for one in arrays], axis=1)


@pytest.mark.parametrize("layer", [*LAYERS, *map(catalog.layer, CHAINS)], ids=lambda layer: layer.spec)
def test_gradients_stand_beside_the_entries_they_belong_to(layer):
    rng = np.random.default_rng(5)
    with np.errstate(all="ignore"):
        run = Followed(layer)
        dy = rng.standard_normal(run.y.shape)
        dx = flat(run.backward(dy))
        for _ in range(3):
            u = [rng.standard_normal(one.shape) for one in run.x]
            ahead, behind = (run.forward([x + s * STEP * v for x, v in zip(run.x, u, strict=True)]) for s in (1, -1))
            along = np.sum(dy * (ahead - behind) / (2.0 * STEP), axis=1)
            assert along == pytest.approx(np.sum(dx * flat(u), axis=1), rel=2e-5, abs=2e-6)
