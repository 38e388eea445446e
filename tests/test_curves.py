"""What a plot shows: graphs cut where they jump, gaps where there is no value, errors that are seen."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from normcal import curves, graphs, picture, quantity, session
from normcal.errors import RequestError
from normcal.numerics.balls import Ball
from normcal.request import Request

X = np.linspace(-4.0, 4.0, 81).tolist()


def drawn(specs, panels=None, columns=curves.COLUMNS, **options):
    ranges = {name: options.pop(name) for name in ("x", "std", "mean") if name in options}
    chosen = [quantity.parse(path) for path in columns]
    found = curves.Curves(curves.named(specs), Request(**options), chosen, ranges, panels)
    with session.opened(found.request, ()) as opened:
        return found.picture(None, opened)


def traced(f, kinks=()):
    return graphs.Traced(f, [Ball(float(kink)) for kink in kinks], X).line("f", 0, True)


#: f, its kinks, where it jumps within (-4, 4), and how often
JUMPS = {
    "none": (np.tanh, (), []),
    "a corner is no jump": (lambda x: np.maximum(x, 0.0), (0.0,), []),
    "a corner that nobody told of": (lambda x: np.abs(x - 0.3), (), []),
    "a jump at a kink": (lambda x: np.where(x > 0.0, 1.0, 0.0), (0.0,), [0.0]),
    "a small jump at a kink": (lambda x: x + np.where(x > 1.0, 1e-3, 0.0), (1.0,), [1.0]),
    "a jump that nobody told of": (lambda x: np.where(x > 1.0 / 3.0, 1.0, -1.0), (), [1.0 / 3.0]),
    "two of them": (lambda x: np.floor(x / 3.0), (), [-3.0, 0.0, 3.0]),
    "a pole": (lambda x: 1.0 / (x - 0.1), (), [0.1]),
    "steep, but no jump": (lambda x: np.tanh(1e6 * (x - 0.2)), (), []),
}


@pytest.mark.parametrize(("f", "kinks", "jumps"), JUMPS.values(), ids=JUMPS)
def test_a_graph_is_cut_where_it_jumps_and_nowhere_else(f, kinks, jumps):
    pieces = traced(f, kinks).pieces
    cuts = [(a.x[-1] + b.x[0]) / 2.0 for a, b in itertools.pairwise(pieces)]
    assert cuts == pytest.approx(jumps, abs=1e-12)
    for piece in pieces:
        assert list(piece.x) == sorted(piece.x)
        assert np.isfinite(piece.y).all()


@settings(derandomize=True, database=None, deadline=None, max_examples=40)
@given(at=st.floats(-3.9, 3.9), height=st.floats(0.8, 50.0), slope=st.floats(-2.0, 2.0))
def test_no_line_leads_through_a_jump_wherever_it_is(at, height, slope):
    line = traced(lambda x: slope * x + np.where(x > at, height, 0.0))
    for piece in line.pieces:
        jump = np.abs(np.diff(piece.y) - slope * np.diff(piece.x))
        assert jump.max(initial=0.0) < 1e-9 * (1.0 + abs(slope))


def test_a_jump_has_an_end_that_is_taken_and_one_that_is_not():
    line = traced(lambda x: np.where(x >= 1.0, 1.0, 0.0), (1.0,))
    assert [(round(x, 12), y, taken) for x, y, taken in line.ends] == [(1.0, 0.0, False), (1.0, 1.0, True)]
    alone = traced(lambda x: np.where(x == 1.0, 5.0, np.sign(x - 1.0)), (1.0,))
    assert [(y, taken) for _, y, taken in alone.ends] == [(-1.0, False), (1.0, False), (5.0, True)]


def test_values_that_are_no_numbers_are_gaps():
    pieces = traced(lambda x: np.sqrt(x)).pieces
    assert min(piece.x[0] for piece in pieces) >= 0.0


@pytest.mark.parametrize(
    ("spec", "jumps"), [("relu", 0), ("step", 1), ("hard_shrink", 2), ("quantiser(bits=3)", 6)], ids=str
)
def test_the_function_of_a_layer_jumps_where_the_layer_says(spec, jumps):
    panel = drawn([spec], ["function"]).panels[0]
    assert len(panel.lines[0].pieces) == jumps + 1


def test_the_derivative_of_a_rectifier_is_cut_at_its_corner():
    line = drawn(["relu"], ["derivative"]).panels[0].lines[0]
    assert [set(piece.y) for piece in line.pieces] == [{0.0}, {1.0}]


def test_the_derivative_is_the_one_that_the_backward_pass_uses():
    (panel,) = drawn(["quantiser(bits=2)"], ["derivative"]).panels
    assert {y for piece in panel.lines[0].pieces for y in piece.y} == {0.0, 1.0}


def test_panels_stand_in_the_order_of_function_derivative_and_quantities_along_std_and_mean():
    found = drawn(["tanh"], columns=("forward.std", "backward.gain"))
    assert [panel.y.label.partition(":")[0] for panel in found.panels] == [
        "f(x)", "f′(x)", "forward.std", "forward.std", "backward.gain", "backward.gain",
    ]  # fmt: skip
    assert [panel.x.label for panel in found.panels[2:4]] == ["σ of the input N(0, σ²)", "μ of the input N(μ, 1)"]


def test_a_number_for_the_mean_holds_where_the_std_moves():
    found = drawn(["tanh"], ["std"], ("forward.mean",), mean=[0.5])
    assert found.panels[0].x.label == "σ of the input N(0.5, σ²)"
    assert found.panels[0].lines[0].pieces[0].y[0] == pytest.approx(math.tanh(0.5), abs=0.01)


def test_the_lines_of_quantities_are_their_values():
    line = drawn(["relu"], ["std"], ("forward.std",), std=[1.0, 2.0, 3.0]).panels[0].lines[0]
    assert line.pieces[0].x == (1.0, 2.0, 3.0)
    assert line.pieces[0].y == pytest.approx([0.58381937 * k for k in (1, 2, 3)], rel=1e-7)


def test_what_has_no_value_leaves_a_gap_and_is_said():
    found = drawn(["sign", "tanh"], ["std"], ("backward.gain",))
    lines = found.panels[0].lines
    assert (lines[0].pieces, lines[0].loose) == ((), ())
    assert lines[1].pieces
    assert found.captions == ("sign backward.gain: no value along std: the std is 0.",)


def test_layers_without_a_function_have_their_moments_drawn_and_say_so():
    found = drawn(["max_pool(kernel_size=2)", "rrelu"], ["function", "std"], ("forward.std",))
    assert [panel.y.label.partition(":")[0] for panel in found.panels] == ["forward.std"]
    assert [caption.partition(":")[0] for caption in found.captions] == ["max_pool(kernel_size=2)", "rrelu"]


def test_a_law_without_room_for_mean_and_std_leaves_their_panels_out_unless_asked():
    found = drawn(["tanh"], input="student_t(df=5)")
    assert [panel.y.label for panel in found.panels] == ["f(x)", "f′(x)"]
    assert "standardised" not in found.captions[0]
    assert "a mean and a std of its own" in found.captions[0]
    with pytest.raises(RequestError, match="of its own"):
        drawn(["tanh"], ["std"], input="student_t(df=5)")
    labels = [panel.x.label for panel in drawn(["tanh"], ["std"], input="student_t(df=5, standardised=yes)").panels]
    assert set(labels) == {"std of the input student_t(df=5, standardised=yes)"}


def test_another_gradient_is_said():
    assert "incoming gradient: N(0.5, 1)." in drawn(["tanh"], ["std"], gradient_mean=0.5, std=[1.0, 2.0]).captions


@pytest.mark.parametrize("spec", ["elu | tanh", "numpy:tanh", 'expr("tanh(x)")'])
def test_functions_of_every_origin_are_drawn(spec):
    (panel,) = drawn([spec], ["derivative"]).panels
    (piece,) = panel.lines[0].pieces
    if "elu" not in spec:
        assert piece.y == pytest.approx(1.0 - np.tanh(piece.x) ** 2, abs=1e-6)


def test_a_kernel_leads_from_correlation_to_correlation():
    (panel,) = drawn(["relu", "max_pool"], ["kernel"]).panels
    (line,) = panel.lines
    value = dict(zip(line.pieces[0].x, line.pieces[0].y, strict=True))
    assert (value[0.0], value[1.0]) == (pytest.approx(1.0 / math.pi), pytest.approx(1.0))


def test_errors_that_can_be_seen_are_drawn_and_explained():
    sampled = drawn(["relu"], ["std"], ("forward.std",), engine="monte-carlo", samples=1000, std=[1.0, 2.0, 3.0])
    assert sampled.panels[0].uncertain
    assert "stated error" in sampled.captions[0]
    exact = drawn(["relu"], ["std"], ("forward.std",), std=[1.0, 2.0, 3.0])
    assert not exact.panels[0].uncertain
    assert exact.captions == ()


def test_an_error_that_is_not_huge_lies_within_the_panel():
    (panel,) = drawn(["relu"], ["std"], ("forward.std",), engine="monte-carlo", samples=1000, std=[1.0, 1.1]).panels
    (piece,) = panel.lines[0].pieces
    assert panel.y.low <= min(piece.low) < max(piece.high) <= panel.y.high


def test_values_without_an_error_are_joined_by_no_line():
    few = drawn(["relu"], ["std"], ("forward.std",), engine="monte-carlo", samples=20, std=[1.0, 2.0, 3.0])
    (line,) = few.panels[0].lines
    assert line.pieces == ()
    assert [x for x, _ in line.loose] == [1.0, 2.0, 3.0]
    assert "no error of these values" in few.captions[0]


def test_a_scale_is_logarithmic_where_values_span_much():
    wide = drawn(["relu"], ["std"], ("forward.std", "forward.mean"))
    assert [panel.y.log for panel in wide.panels] == [True, True]
    assert not drawn(["tanh"], ["mean"], ("forward.mean",)).panels[0].y.log


def test_a_curve_is_named_as_it_was_asked_for():
    assert drawn(["elu(alpha=[0.5, 2])"], ["function"]).labels == ("elu(alpha=0.5)", "elu(alpha=2)")
    assert drawn(['expr("x**2", name=mine)'], ["function"]).labels == ("mine",)


REFUSED = {
    "too many curves": (["elu(alpha=1:7:7)"], {}, "7 curves"),
    "a range that goes back": (["relu"], {"std": [2.0, 1.0]}, "--std"),
    "one x": (["relu"], {"x": [1.0]}, "--x"),
    "words": (["relu"], {"x": ["a", "b"]}, "--x"),
    "a std below 0": (["relu"], {"std": [-1.0, 1.0]}, "std cannot be -1"),
    "nothing to draw": (["max_pool"], {"panels": ["function"]}, "nothing to draw"),
}


@pytest.mark.parametrize(("specs", "options", "told"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_drawn_is_refused(specs, options, told):
    with pytest.raises(RequestError, match=told) as error:
        drawn(specs, **options)
    assert error.value.hint


def test_an_unknown_panel_is_refused():
    with pytest.raises(RequestError, match="Unknown panel"):
        curves.panels("function,slope")


# -- scales ------------------------------------------------------------------------------------------


@settings(derandomize=True, database=None, deadline=None)
@given(low=st.floats(1e-12, 1e12), factor=st.floats(1.001, 1e12), log=st.booleans(), most=st.integers(3, 9))
def test_ticks_are_few_round_and_within(low, factor, log, most):
    scale = picture.Scale("", low, low * factor, log)
    ticks = scale.ticks(most)
    assert len(ticks) <= most
    for value, text in ticks:
        assert -1e-6 <= scale.place(value) <= 1.0 + 1e-6
        assert float(text) == pytest.approx(value, rel=1e-5)
    assert len({text for _, text in ticks}) == len(ticks)


@settings(derandomize=True, database=None, deadline=None)
@given(values=st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=20))
def test_a_scale_holds_its_values(values):
    scale = picture.linear("", values)
    assert scale.low < scale.high
    assert all(0.0 <= scale.place(value) <= 1.0 for value in values)
    positive = [abs(value) for value in values if abs(value) > 1e-300]
    if positive:
        log = picture.logarithmic("", positive)
        assert all(0.0 <= log.place(value) <= 1.0 for value in positive)
        assert log.place(0.0) == -math.inf
