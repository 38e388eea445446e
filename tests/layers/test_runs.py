"""Every layer shows all of its entries to the layers around it, each gradient beside the entry that it belongs to."""

import numpy as np
import pytest

from normcal import catalog
from normcal.errors import Unsupported
from normcal.layer import BACKWARD, FORWARD, Elementwise
from normcal.layers import _chained
from normcal.law import Normal

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


def followed(cls):
    """Return the layer of a class that is small enough to be followed entry by entry; None for what has no gradient."""
    layer = catalog.layer(SMALLER.get(cls.name, cls.name))
    stands_in = isinstance(layer, Elementwise) and layer.slope is not None
    return None if stands_in or layer.inputs == ("weight",) else layer


LAYERS = [layer for layer in map(followed, catalog.classes().values()) if layer is not None]


class Input:
    """An input law that hands out what it is told, from left to right."""

    mean, std = 0.3, 1.7

    def __init__(self, x, incoming=None):
        self.x, self.dy, self.asked = x, incoming, []

    def sample(self, rng, shape):
        if self.x is None:
            self.asked.append(rng.normal(self.mean, self.std, shape))
            return self.asked[-1].copy()
        self.asked.append(self.x[len(self.asked)])
        return self.asked[-1].copy()

    def incoming(self, rng, shape, x=None):
        return self.dy(rng, shape, x)


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
def test_gradients_stand_beside_the_entries_they_belong_to(layer):
    rng = np.random.default_rng(5)
    own = _chained.Drawn(np.random.default_rng(6), ROWS, 1, layer)
    first = Input(None)

    def run(x):
        own.place = 0 if x is not None else None
        return layer.run(FORWARD, own, ROWS, Input(x) if x is not None else Recording(first, rng))

    class Recording:
        mean, std = Input.mean, Input.std

        def __init__(self, kept, source):
            self.kept, self.source = kept, source

        def sample(self, _, shape):
            return self.kept.sample(self.source, shape)

    with np.errstate(all="ignore"):
        y = run(None)
        x = first.asked
        dy = rng.standard_normal(y.shape)
        own.place = 0
        found = layer.run(BACKWARD, own, ROWS, Input(x, _chained.handed(dy, layer)))
        found = [found[name] for name in layer.inputs] if isinstance(found, dict) else [found]
        if len(found) != len(x):  # one array for several inputs, or several inputs from one array
            x, back = [np.concatenate([one.reshape(ROWS, -1) for one in x], axis=1)], [one.shape for one in x]
            ends = np.cumsum([int(np.prod(shape[1:])) for shape in back])[:-1]
            split = lambda one: [p.reshape(s) for p, s in zip(np.split(one[0], ends, axis=1), back, strict=True)]  # noqa: E731
            found = [np.concatenate(found, axis=1)]
        else:
            split = list
        if sum(one[0].size for one in found) < sum(one[0].size for one in x):
            pytest.fail("the gradient of some entries is missing")
        for _ in range(3):
            u = [rng.standard_normal(one.shape) for one in x]
            ahead = run(split([a + STEP * b for a, b in zip(x, u, strict=True)]))
            behind = run(split([a - STEP * b for a, b in zip(x, u, strict=True)]))
            along = np.sum(dy * (ahead - behind) / (2.0 * STEP), axis=1)
            expected = sum(np.sum(g.reshape(ROWS, -1) * b.reshape(ROWS, -1), axis=1) for g, b in zip(found, u, strict=True))
            assert along == pytest.approx(expected, rel=2e-5, abs=2e-6)
