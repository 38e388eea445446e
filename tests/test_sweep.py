"""Sweeps: which axes a SPEC has, in what order the points come, and that a point is what compute says of it."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from normcal import catalog, pipeline, points, quantity, session, spec, streaming, sweep
from normcal.errors import RequestError
from normcal.request import Request

#: SPEC, mean, std -> the names of the axes and how many points
SWEPT = {
    "a range of a parameter": ("elu(alpha=0.5:2:4)", [], [], ["alpha"], 4),
    "a list of a parameter": ("elu(alpha=[0.5, 1, 2])", [], [], ["alpha"], 3),
    "ranges within a list": ("elu(alpha=[0:1:3, 4])", [], [], ["alpha"], 4),
    "words": ("dropout(scaling=[plain, inverted])", [], [], ["scaling"], 2),
    "tuples": ("max_pool(kernel_size=[(2, 3), (3, 3)])", [], [], ["kernel_size"], 2),
    "two parameters": ("elu(alpha=[0.5, 1], input_scale=[1, 2, 3])", [], [], ["alpha", "input_scale"], 6),
    "the input's mean": ("relu", [0.0, 1.0], [], ["input_mean"], 2),
    "the input's law": ("relu", [0.0, 1.0], [1.0, 2.0], ["input_mean", "input_std"], 4),
    "a parameter and the std": ("elu(alpha=[0.5, 1])", [], [1.0, 2.0], ["alpha", "input_std"], 4),
    "a layer within": ("gated(activation=swish(beta=[0.5, 1]))", [], [], ["activation.beta"], 2),
    "layers to choose from": ("gated(activation=[tanh, swish(beta=2)])", [], [], ["activation"], 2),
    "one value is no axis": ("elu(alpha=[0.5], input_scale=[1, 2])", [0.5], [], ["input_scale"], 2),
}


def asked(texts, mean=(), std=(), most=20_000, input=None, **options):
    return sweep.Points(texts, Request(**options), mean, std, most, input)


def computed(found):
    with session.opened(found.request, ()) as opened:
        return list(found.computed(None, opened))


@pytest.mark.parametrize(("text", "mean", "std", "names", "count"), SWEPT.values(), ids=SWEPT)
def test_what_has_several_values_is_an_axis(text, mean, std, names, count):
    found = asked([text], mean, std)
    assert ([axis.name for axis in found.axes], len(found)) == (names, count)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("elu(alpha=0:1:3, output_scale=2)", "elu(output_scale=2)"),
        ("gated(activation=swish(beta=[1, 2]))", "gated(activation=swish)"),
        ("elu(alpha=[0.5], input_scale=[1, 2])", "elu(alpha=[0.5])"),
        ('expr("a * tanh(x)", a=[1, 2])', 'expr("a * tanh(x)")'),
        ('expr("a * tanh(x)", a=[1, 2], name=mine)', "mine"),
    ],
)
def test_a_sweep_goes_by_what_all_its_points_share(text, label):
    assert asked([text]).sweeps[0].label == label


def test_a_chain_names_its_axes_by_its_layers():
    names = [name for name, _ in sweep._axes(spec.parse("elu(alpha=[1, 2]) | tanh | elu(alpha=[3, 4])"), "")]
    assert names == ["elu1.alpha", "elu3.alpha"]
    assert [name for name, _ in sweep._axes(spec.parse("elu(alpha=[1, 2]) | tanh"), "")] == ["elu.alpha"]


@pytest.mark.parametrize(("text", "mean", "std", "names", "count"), SWEPT.values(), ids=SWEPT)
def test_the_first_axis_varies_slowest_and_the_inputs_law_fastest(text, mean, std, names, count):
    found = asked([text], mean, std, direction="forward")
    places = [tuple(point.axes.values()) for point in computed(found)]
    assert places == list(itertools.product(*(axis.values for axis in found.axes)))
    assert len(places) == count


def test_a_parameter_of_the_input_law_is_an_axis():
    found = asked(["relu", "tanh"], input="student_t(df=[5, 7, 30], standardised=yes)", std=[1.0, 2.0])
    assert [axis.name for axis in found.axes] == ["input.df", "input_std"]
    assert len(found) == 12
    for point in computed(found):
        law = f"student_t(df={point.axes['input.df']}, standardised=yes)"
        request = Request(input=law, std=point.axes["input_std"])
        assert point.row.data() == pipeline.run(request, [point.row.layer]).layers[0].data()


@pytest.mark.parametrize("specs", [["elu(alpha=0.5:2:3)"], ["relu", "tanh", "max_pool"], ["softplus(beta=[1, 5])"]])
def test_a_point_is_what_compute_says_of_its_layer_and_law_to_the_last_bit(specs):
    for point in computed(asked(specs, std=[0.5, 2.0, 40.0])):
        request = Request(std=point.axes["input_std"])
        alone = pipeline.run(request, [catalog.layer(point.row.layer.spec)]).layers[0]
        assert point.row.data() == alone.data()


@settings(derandomize=True, database=None, deadline=None, max_examples=25)
@given(
    alphas=st.lists(st.floats(0.1, 5.0), min_size=1, max_size=4, unique=True),
    means=st.lists(st.floats(-3.0, 3.0), min_size=1, max_size=4, unique=True),
)
def test_points_are_the_product_of_their_axes(alphas, means):
    if len(alphas) == len(means) == 1:
        return
    text = f"leaky_relu(negative_slope=[{', '.join(map(repr, alphas))}])"
    rows = computed(asked([text], mean=means, direction="forward"))
    assert [(p.row.layer.negative_slope, p.request.mean) for p in rows] == list(itertools.product(alphas, means))


#: texts, mean, std, what is refused
REFUSED = {
    "no axis": (["relu"], [], [], "'relu' has no axis"),
    "no axis of several": (["relu", "tanh"], [0.5], [], "The layers have no axis"),
    "three axes": (["elu(alpha=[1, 2])"], [0.0, 1.0], [1.0, 2.0], "has 3 axes: alpha, input_mean, input_std"),
    "too many points": (["elu(alpha=0:1:200)"], [0.1 * k for k in range(200)], [], "40_000 points are too many"),
    "a std below 0": (["relu"], [], [1.0, -1.0], "std cannot be -1"),
    "a mean that is a word": (["relu"], [0.0, "x"], [], "mean cannot be 'x'"),
    "a value that the layer refuses": (["elu(alpha=[1, x])"], [], [], "alpha cannot be 'x'"),
}


@pytest.mark.parametrize(("texts", "mean", "std", "told"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_swept_is_refused_before_anything_is_computed(texts, mean, std, told):
    with pytest.raises(RequestError, match=told.replace("'", ".").replace("(", ".")) as error:
        asked(texts, mean, std)
    assert error.value.hint


def test_columns_decide_which_passes_are_computed():
    assert sweep.columns("backward.gain", Request())[0].direction == "backward"
    assert sweep.columns("forward.std, backward.gain", Request())[0].direction == "both"
    assert [str(one) for one in sweep.columns(None, Request(direction="backward"))[1]] == [
        "backward.std",
        "backward.gain",
    ]
    with pytest.raises(RequestError, match=r"backward\.gain needs the backward pass"):
        sweep.columns("backward.gain", Request(direction="forward"))


def shown(texts, columns="forward.std", errors=False, pivot=False, **laws):
    request, chosen = sweep.columns(columns, Request())
    found = sweep.Points(texts, request, **laws)
    told = points.Shown(found, chosen, errors)
    return told, told.held(computed(found), pivot)


def test_a_remark_is_made_once_however_many_points_it_is_about():
    told, _ = shown(["step"], "backward.std", std=[0.0, 1.0, 2.0])
    assert told.remarks()
    assert len(told.remarks()) == len({text.partition(" (at")[0] for text in told.remarks()})
    told, _ = shown(["elu(alpha=0:1:50)"], "forward.gain", std=[0.0])
    assert told.remarks() == ["elu, forward: the std is 0, so there is no gain (at every point)"]
    told, _ = shown(["elu(alpha=0:1:50)"], "forward.gain", std=[0.0, 1.0])
    where = "at 50 of 100 points, the first at alpha=0.0, input_std=0.0"
    assert told.remarks() == [f"elu, forward: the std is 0, so there is no gain ({where})"]


def test_remarks_that_are_all_different_take_little_room(monkeypatch):
    monkeypatch.setattr(points, "MOST_KEPT", 5)
    monkeypatch.setattr(points, "MOST_REMARKS", 2)
    told, _ = shown(["switchable_norm(mean_logits=[(0, 0, 1), (0, 1, 0), (1, 0, 0), (2, 0, 0), (3, 0, 0), (4, 0, 0)])"])
    assert len(told.remarks()) == 3
    assert told.remarks()[-1] == "4 more remarks stand in the rows that they are about"


def test_moments_that_are_infinite_or_absent_are_no_numbers_anywhere():
    told, report = shown(["exp"], "forward.std,backward.gain", std=[0.0, 1.0, 30.0])
    for point in report.data["points"]:
        assert all(value is None or value == value for value in point["values"].values())
    assert {point["status"]["forward"] for point in report.data["points"]} - {"ok"} or told.remarks()


def test_a_grid_has_the_values_of_the_long_form():
    _, long = shown(["elu(alpha=[0.5, 1])"], std=[1.0, 2.0, 3.0])
    _, grid = shown(["elu(alpha=[0.5, 1])"], std=[1.0, 2.0, 3.0], pivot=True)
    values = [record["forward.std"] for record in long.records]
    assert [record[key] for record in grid.records for key in ("1.0", "2.0", "3.0")] == values
    assert long.data == grid.data


def test_the_status_is_a_column_where_a_point_is_not_as_it_should_be():
    _, fine = shown(["monomial(power=[2, 3])"])
    _, troubled = shown(["monomial(power=[2, 3])"], std=[1.0, 1e200])
    tables = [next(block for block in report.blocks if hasattr(block, "rows")) for report in (fine, troubled)]
    assert ["status" in table.columns for table in tables] == [False, True]
    assert {row[-1] for row in tables[1].rows} >= {"ok", "overflow"}


def test_rows_come_as_they_are_computed_and_end_where_they_are_interrupted():
    found = asked(["relu"], mean=[0.1 * k for k in range(3000)], direction="forward")
    with session.opened(found.request, ()) as opened:
        rows = streaming.Rows(found.computed(None, opened))
        taken = list(itertools.islice(iter(rows), 5))
        rows.rows.close()
    assert [round(point.axes["input_mean"], 12) for point in taken] == [0.0, 0.1, 0.2, 0.3, 0.4]


@pytest.mark.parametrize(
    ("text", "values"),
    [("0.5", [0.5]), ("[0, 1]", [0, 1]), ("1:100:3:log", [1.0, 10.0, 100.0]), ("-1:1:3", [-1.0, 0.0, 1.0])],
)
def test_an_option_takes_a_number_a_list_or_a_range(text, values):
    assert sweep.numbers("--std", text) == values


def test_a_quantity_of_both_passes_is_sampled_where_either_is():
    request = Request(engine="monte-carlo", samples=500)
    found = sweep.Points(["relu"], request, std=[1.0, 2.0])
    column = quantity.parse("jacobian_factor")
    assert {points._kind(column, point.row) for point in computed(found)} == {"standard-error"}
