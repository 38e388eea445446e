"""Layers that are integrated together: each is what it is alone, with the same bound."""

import math

import numpy as np
import pytest

from normcal import catalog, engine
from normcal.engine import Effort
from normcal.engines._integrate import CANCELLED, PanelIntegrals, integrated
from normcal.errors import Unsupported
from normcal.law import STANDARD, Normal
from normcal.layer import BACKWARD, DIRECTIONS, FORWARD, Component, Elementwise

ENGINE = engine.get("quadrature")
AROUND = {"input_scale": -2.0, "input_shift": 0.25, "output_scale": 1.5, "output_shift": -0.5}
CLASSES = [cls for cls in catalog.classes().values() if issubclass(cls, Elementwise)]
LAYERS = [cls() for cls in CLASSES] + [cls(**AROUND) for cls in CLASSES[::5]] + catalog.layers(["glu", "max_pool"])
SWEEPS = [f"elu(alpha={a})" for a in (0.1, 0.7, 1.0, 3.0)] + [f"swish(beta={b})" for b in (0.07, 0.9, 1.0, 4.0)]
LAWS = [STANDARD, Normal(0.3, 0.8), Normal(-6.0, 2.0), Normal(0.0, 1e-6), Normal(9.0, 1.0), Normal(1.5, 0.0)]
#: How much wider a bound may be among others: a shared mesh has other panels.
WIDER = 1.05


def same(together, alone):
    """Whether two estimates of one thing agree to within their bounds, and those with each other."""
    assert (together.status, together.reason == "") == (alone.status, alone.reason == "")
    for quantity in ("mean", "std", "rms"):
        a, b = getattr(together, quantity), getattr(alone, quantity)
        assert (a.value is None, a.error is None) == (b.value is None, b.error is None), quantity
        if a.error is not None:
            assert abs(a.value - b.value) <= a.error + b.error, quantity
            # below CANCELLED no other route is tried for a smaller bound
            assert a.error <= max(WIDER * b.error, CANCELLED * abs(a.value)) + 1e-300, quantity


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_a_layer_among_others_is_what_it_is_alone(law):
    layers = [*(LAYERS if law == STANDARD else LAYERS[::3]), *catalog.layers(SWEEPS)]
    asked = [(layer, direction) for layer in layers for direction in DIRECTIONS]
    answers = ENGINE.together(asked, law, Effort())
    compared = 0
    for (layer, direction), answer in zip(asked, answers, strict=True):
        alone = ENGINE.answer(layer, direction, law, Effort())
        if isinstance(alone, Unsupported):
            assert answer is None or str(answer) == str(alone)
        elif answer is not None:
            same(answer, alone)
            compared += 1
    assert compared > len(layers)


def test_what_is_integrated_together_is_known_to_whoever_asks():
    components = catalog.layer("rrelu").components(FORWARD, STANDARD)
    integrals, plain = PanelIntegrals(), PanelIntegrals()
    with np.errstate(all="ignore"):
        integrals.prepare([(FORWARD, c) for c in components], STANDARD)
        known, asked = integrals.mixture(components, STANDARD), plain.mixture(components, STANDARD)
    for a, b in zip(known, asked, strict=True):
        assert (a.mid, a.rad) == (b.mid, b.rad)


def test_one_function_for_both_directions_is_evaluated_once():
    calls = []

    def f(x, m):
        calls.append(m)
        return m.tanh(x)

    component = Component(f, features=((0.0, 1.0),))
    with np.errstate(all="ignore"):
        (mean, _, _), slope = integrated([(FORWARD, component), (BACKWARD, component)], STANDARD)
    assert len(calls) == 1 and mean.mid == 0.0 and slope.rad < 1e-13


def test_a_function_that_cannot_be_recorded_is_integrated_all_the_same():
    shy = Component(lambda x, m: m.tanh(x) if x > -9.0 else x, features=((0.0, 1.0),))
    open_ = Component(lambda x, m: m.tanh(x), features=((0.0, 1.0),))
    with np.errstate(all="ignore"):
        asked = [(direction, c) for c in (shy, open_) for direction in DIRECTIONS]
        (_, std, _), slope, (_, its_std, _), its_slope = integrated(asked, STANDARD)
    for a, b in ((std, its_std), (slope, its_slope)):
        assert abs(a.mid - b.mid) <= a.rad + b.rad and math.isclose(a.rad, b.rad, rel_tol=0.05)


def test_components_that_need_finer_meshes_do_not_disturb_the_others():
    steep = Component(lambda x, m: m.tanh(40.0 * (x - 0.4)), features=((0.0, 1.0),))
    calm = Component(lambda x, m: m.tanh(x), features=((0.0, 1.0),))
    with np.errstate(all="ignore"):
        among = integrated([(BACKWARD, steep), (BACKWARD, calm)], STANDARD)
        alone = [integrated([(BACKWARD, c)], STANDARD)[0] for c in (steep, calm)]
    for a, b in zip(among, alone, strict=True):
        assert abs(a.mid - b.mid) <= a.rad + b.rad and a.rad <= WIDER * b.rad


def test_a_row_of_the_default_table_has_the_same_bits_alone_and_among_the_others():
    """So that a table, a file of constants and a single command say the same, errors included."""
    from normcal import config, pipeline
    from normcal.request import Request

    layers = [layer for layer in config.layers(config.read(None)) if not layer.name.endswith(("lstm_cell", "gru_cell"))]
    for row in pipeline.run(Request(), layers).layers:
        alone = pipeline.run(Request(), [row.layer]).layers[0]
        assert (row.forward, row.backward) == (alone.forward, alone.backward), row.layer.spec
