"""The one path from a request to a result: order, directions, notes, interruption, budget."""

import itertools

import numpy as np
import pytest

from normcal import catalog, engine, pipeline
from normcal.engine import Effort
from normcal.errors import RequestError
from normcal.layers.callables import FromCode
from normcal.request import Request
from normcal.sampler import BLOCK_DRAWS


def run(specs, **options):
    return pipeline.run(Request(**options), catalog.layers(specs))


def test_rows_come_in_the_order_of_the_layers():
    specs = ["tanh", "relu", "max_pool(kernel_size=2)", "relu"]
    assert [row.layer.name for row in run(specs).layers] == ["tanh", "relu", "max_pool", "relu"]


@pytest.mark.parametrize("direction", ["forward", "backward", "both"])
def test_only_the_directions_asked_for_are_computed(direction):
    row = run(["relu"], direction=direction).layers[0]
    assert (row.forward is not None, row.backward is not None) == (direction != "backward", direction != "forward")


@pytest.mark.parametrize("name", engine.names())
def test_a_row_holds_what_the_engine_finds(name):
    request = Request(engine=name, mean=0.3, std=1.5, samples=2000)
    served = (layer for layer in (catalog.layer("gelu"), FromCode(np.tanh)) if serves(name, layer, request.law))
    layer = next(served)
    row = pipeline.run(request, [layer]).layers[0]
    for direction in ("forward", "backward"):
        assert getattr(row, direction) == engine.estimate(name, layer, direction, request.law, request.effort())


def serves(name, layer, law):
    return name == engine.AUTO or all(engine.get(name).serves(layer, way, law) for way in ("forward", "backward"))


def test_the_law_of_the_request_is_the_law_of_the_result():
    result = run(["relu"], mean=-1, std=0.5)
    assert (result.law.mean, result.law.std) == (-1.0, 0.5) and isinstance(result.law.mean, float)


def test_notes_say_what_fell_short_and_why():
    row = run(["relu"], mean=-50.0).layers[0]
    for direction in ("forward", "backward"):
        found = getattr(row, direction)
        assert any(direction in note and found.status in note and found.reason in note for note in row.notes)
    assert not run(["relu"]).layers[0].notes


def test_notes_say_that_a_std_of_zero_has_no_gain():
    row = run(["identity"], std=0.0, direction="forward").layers[0]
    assert any("std is 0" in note for note in row.notes) and row.forward.gain.value is None


def test_notes_carry_the_remarks_of_the_layer():
    assert any("fixed weight row" in note for note in run(["linear"], mean=1.0).layers[0].notes)


def test_progress_names_layer_and_direction():
    seen = []
    pipeline.run(Request(engine="monte-carlo", samples=1000), catalog.layers(["relu"]), lambda *step: seen.append(step))
    assert [label for label, _, _ in seen] == ["relu forward", "relu backward"]


def interrupting(after):
    """A progress callback that presses Ctrl-C at its call number ``after``."""
    calls = itertools.count()

    def progress(label, done, total):
        if next(calls) == after:
            raise KeyboardInterrupt

    return progress


def test_an_interruption_keeps_finished_rows_and_the_draws_so_far():
    samples = 4 * BLOCK_DRAWS  # four blocks a direction
    request = Request(engine="monte-carlo", samples=samples, workers=1)
    result = pipeline.run(request, catalog.layers(["relu", "tanh", "gelu"]), interrupting(8 + 1))
    assert result.interrupted
    assert [row.layer.name for row in result.layers] == ["relu", "tanh"]
    whole, cut = result.layers
    assert (whole.forward.samples, whole.backward.samples) == (samples, samples)
    assert cut.forward.samples == 2 * BLOCK_DRAWS and cut.backward is None
    assert cut.forward == run(["tanh"], engine="monte-carlo", samples=2 * BLOCK_DRAWS).layers[0].forward


def test_an_interruption_between_the_directions_keeps_the_first():
    request = Request(engine="monte-carlo", samples=1000, workers=1)  # one block a direction
    result = pipeline.run(request, catalog.layers(["relu", "tanh"]), interrupting(1))
    assert result.interrupted and len(result.layers) == 1
    assert result.layers[0].forward is not None


def test_an_interruption_outside_of_sampling_keeps_the_rows_before(monkeypatch):
    real = engine.estimate
    calls = itertools.count()

    def estimate(*args):
        if next(calls) == 2:
            raise KeyboardInterrupt
        return real(*args)

    monkeypatch.setattr(engine, "estimate", estimate)
    result = run(["relu", "tanh"])
    assert result.interrupted and [row.layer.name for row in result.layers] == ["relu"]


def test_rows_are_those_of_a_run_and_come_before_the_layers_end():
    taken = []

    def layers():
        for k in itertools.count():
            taken.append(k)
            yield catalog.layer(f"elu(alpha={1.0 + k})")

    rows = list(itertools.islice(pipeline.rows(Request(), layers()), 3))
    assert len(taken) == pipeline.CHUNK
    for row, whole in zip(rows, run([f"elu(alpha={1.0 + k})" for k in range(3)]).layers, strict=True):
        for direction in ("forward", "backward"):
            a, b = getattr(row, direction), getattr(whole, direction)
            assert (a.mean, a.std, a.engine) == (b.mean, b.std, b.engine)


def test_rows_before_one_that_cannot_be_served_are_yielded():
    rows = pipeline.rows(Request(engine="closed-form"), catalog.layers(["relu", "tanh"]))
    assert next(rows).layer.name == "relu"
    with pytest.raises(RequestError, match="tanh"):
        next(rows)


def test_an_interrupted_row_is_yielded_before_the_interruption():
    request = Request(engine="monte-carlo", samples=1000, workers=1)
    rows = pipeline.rows(request, catalog.layers(["relu"]), interrupting(1))
    assert next(rows).forward.samples == 1000
    with pytest.raises(KeyboardInterrupt):
        next(rows)


def test_too_many_samples_are_refused_before_the_first_is_drawn(monkeypatch):
    def never(*_):
        raise AssertionError("sampling had begun")

    monkeypatch.setattr(type(engine.get("monte-carlo")), "estimate", never)
    with pytest.raises(RequestError, match="max_pool"):
        run(["relu", "max_pool(kernel_size=100)"], engine="monte-carlo", samples=10**11)


def test_a_layer_that_sampling_cannot_serve_is_refused_by_name():
    with pytest.raises(RequestError, match=r"global_max_pool.*monte-carlo engine cannot serve"):
        run(["global_max_pool(input_size=5000)"], engine="monte-carlo")


def test_samples_do_not_matter_to_an_engine_that_draws_none():
    a, b = (run(["gelu"], engine="quadrature", samples=n).layers[0] for n in (None, 10**11))
    assert a.forward == b.forward


def test_auto_never_samples_where_a_bound_can_be_stated():
    for row in run(["*"]).layers:
        sampled = {getattr(row, direction).engine for direction in ("forward", "backward")} & {"monte-carlo"}
        assert not sampled or row.layer.name in {"lstm_cell", "gru_cell"}, row.layer.spec


def test_auto_samples_where_nothing_else_serves():
    class Lonely(catalog.find("tanh")):
        """A layer that can only be simulated."""

        def components(self, direction, law):
            from normcal.errors import Unsupported

            raise Unsupported("it is shy")

    found = engine.estimate("auto", Lonely(), "forward", Request().law, Effort(samples=1000))
    assert found.engine == "monte-carlo"
