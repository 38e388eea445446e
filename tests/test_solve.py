"""The solver: every sign change of a scan, errors that hold, several unknowns, and no more said than is known."""

import math

import mpmath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from normcal import descent, solve
from normcal.solve import CROSSES, EVERYWHERE, MEETS, MISSES, TOUCHES, Axis
from normcal.value import Value

STEADY = settings(derandomize=True, database=None, deadline=None, max_examples=60)
ERROR = 1e-15


def single(f, error=ERROR):
    """Return a function of one unknown as the solver takes it; what it cannot calculate is not defined."""

    def value(x):
        try:
            found = f(x)
        except (ValueError, ZeroDivisionError, OverflowError):
            return Value()
        return Value(found, error + 4e-16 * abs(found)) if math.isfinite(found) else Value()

    return lambda points: [(value(x),) for (x,) in points]


def one(f, low, high, error=ERROR, **more):
    return solve.one(single(f, error), Axis("x", low, high, **more))


def roots(found):
    return sorted(root.point[0].value for root in found.roots)


#: (id, function, interval, roots)
CROSSINGS = [
    ("line", lambda x: x - 0.3, (0.0, 1.0), [0.3]),
    ("square-root", lambda x: x * x - 2.0, (0.0, 3.0), [math.sqrt(2.0)]),
    ("both-roots", lambda x: x * x - 2.0, (-3.0, 3.0), [-math.sqrt(2.0), math.sqrt(2.0)]),
    ("cosine", math.cos, (0.0, 20.0), [math.pi * (k + 0.5) for k in range(6)]),
    ("far-out", lambda x: x - 700.0, (-1000.0, 1000.0), [700.0]),
    ("close-to-0", lambda x: x - 1e-4, (-1000.0, 1000.0), [1e-4]),
    ("over-decades", lambda x: math.log(x) + 15.0, (1e-9, 1e3), [math.exp(-15.0)]),
    ("at-an-end", lambda x: x, (0.0, 1.0), [0.0]),
    ("a-pair-between-two-points", lambda x: (x - 0.501) * (x - 0.503), (0.0, 1.0), [0.501, 0.503]),
    ("beside-where-it-ends", lambda x: math.log(x) + 3.0, (-1.0, 1.0), [math.exp(-3.0)]),
    ("in-the-last-stretch-that-is-defined", lambda x: math.sqrt(0.5 - x) - 0.01, (0.0, 1.0), [0.4999]),
    ("flat", lambda x: (x - 0.4) ** 3, (0.0, 1.0), [0.4]),
]


@pytest.mark.parametrize(("f", "ends", "expected"), [c[1:] for c in CROSSINGS], ids=[c[0] for c in CROSSINGS])
def test_every_sign_change_of_the_scan_is_found_to_within_its_stated_error(f, ends, expected):
    found = one(f, *ends)
    assert roots(found) == pytest.approx(expected, rel=1e-4, abs=1e-4)
    for root, x in zip(sorted(found.roots, key=lambda r: r.point[0].value), expected, strict=True):
        if root.how == CROSSES:
            assert root.certain
            assert abs(root.point[0].value - x) <= root.point[0].error + 1e-15


@pytest.mark.parametrize("error", [1e-15, 1e-9, 1e-4])
def test_a_stated_error_holds_whatever_the_error_of_the_function(error):
    """The function is as wrong as it says, in the worse way on either side of the root."""

    def wrong(x):
        return x * x - 2.0 + (0.9 * error if x < 1.4143 else -0.9 * error)

    (root,) = one(wrong, 0.0, 3.0, error).roots
    assert root.certain
    assert abs(root.point[0].value - math.sqrt(2.0)) <= root.point[0].error < 10.0 * error + 1e-14


@STEADY
@given(st.lists(st.integers(-40, 40), min_size=1, max_size=4, unique=True), st.floats(-3, 3))
def test_all_roots_of_a_polynomial_that_are_apart_are_found(places, stretch):
    wanted = sorted(place / 10.0 + 0.017 for place in places)

    def f(x):
        return math.exp(0.1 * stretch * x) * math.prod(x - w for w in wanted)

    found = one(f, -5.0, 5.0, error=1e-13)
    assert roots(found) == pytest.approx(wanted, abs=1e-9)
    for root, w in zip(sorted(found.roots, key=lambda r: r.point[0].value), wanted, strict=True):
        assert abs(root.point[0].value - w) <= root.point[0].error


@pytest.mark.parametrize(
    ("f", "ends", "how"),
    [
        (lambda x: (x - 0.3) ** 2, (0.0, 1.0), TOUCHES),
        (lambda x: abs(x - 0.7), (0.0, 1.0), TOUCHES),
        (lambda x: 0.0, (0.0, 1.0), EVERYWHERE),
        (lambda x: max(x - 0.5, 0.0), (0.0, 1.0), EVERYWHERE),
    ],
    ids=["a-square", "a-corner", "nothing-else", "half-of-it"],
)
def test_what_meets_the_target_without_crossing_it_is_told_apart(f, ends, how):
    (root,) = one(f, *ends, error=1e-14).roots
    assert root.how == how
    assert not root.certain
    assert root.point[0].error is None
    if how == EVERYWHERE:
        assert root.reach[0] == 0.0


@pytest.mark.parametrize("f", [lambda x: 1.0 / (x - 0.3), lambda x: 1.0 if x > 0.3 else -1.0], ids=["a-pole", "a-step"])
def test_a_jump_over_0_is_no_root(f):
    found = one(f, 0.0, 1.0)
    assert found.roots == ()
    assert found.jumps == pytest.approx([0.3], abs=1e-9)
    assert found.best.how == MISSES


def test_where_there_is_no_root_the_range_and_the_nearest_point_are_told():
    found = one(lambda x: 1.0 + (x - 0.5) ** 2, 0.0, 1.0)
    assert found.roots == ()
    assert found.ranges[0] == pytest.approx((1.0, 1.25), abs=1e-4)
    assert found.best.point[0].value == pytest.approx(0.5, abs=0.01)
    assert found.best.point[0].error is None


def test_a_value_without_an_error_is_nothing_to_build_on():
    found = solve.one(lambda points: [(Value(x - 0.5),) for (x,) in points], Axis("x", 0.0, 1.0))
    assert (found.roots, found.undefined) == ((), found.points)
    assert found.best is None


@pytest.mark.parametrize(
    ("f", "trend"),
    [(math.exp, 1), (lambda x: -x, -1), (math.cos, 0), (lambda x: 1.0, 0)],
    ids=["up", "down", "wave", "level"],
)
def test_what_is_said_of_the_trend_is_true_of_the_scan(f, trend):
    assert one(f, -1.0, 5.0).trend == trend


def test_the_scan_has_the_point_where_the_unknown_stood():
    assert 0.123 in Axis("x", 0.0, 1.0, 0.123).grid(16)


@pytest.mark.parametrize("ends", [(-1000.0, 1000.0), (1e-9, 1e3), (0.0, 1.0), (-5.0, 300.0), (2.0, 3.0)], ids=str)
def test_a_share_of_an_interval_and_its_point_are_the_same_place(ends):
    axis = Axis("x", *ends)
    for t in (0.0, 0.2, 0.5, 0.9, 1.0):
        assert ends[0] <= axis.at(t) <= ends[1]
        assert axis.share(axis.at(t)) == pytest.approx(t, abs=1e-12)
    assert axis.grid(64) == sorted(set(axis.grid(64)))
    assert (axis.grid(64)[0], axis.grid(64)[-1]) == ends


# -- several unknowns


def vector(*functions, error=ERROR):
    def at(point):
        try:
            return tuple(Value(float(f(*point)), error) for f in functions)
        except (ValueError, ZeroDivisionError, OverflowError):
            return (Value(),) * len(functions)

    return lambda points: [at(point) for point in points]


def several(functions, ends, error=ERROR, **more):
    axes = [Axis(f"x{k}", *pair) for k, pair in enumerate(ends)]
    return descent.several(vector(*functions, error=error), axes, [1.0] * len(functions), **more)


BOX = [(-3.0, 3.0), (-3.0, 3.0)]
CIRCLE = (lambda x, y: x * x + y * y - 1.0, lambda x, y: x - y)


def test_all_solutions_of_a_circle_and_a_line_are_found_with_errors_that_hold():
    found = several(CIRCLE, BOX)
    half = math.sqrt(0.5)
    assert [[v.value for v in root.point] for root in found.roots] == [
        pytest.approx([-half, -half]),
        pytest.approx([half, half]),
    ]
    assert found.arrived > 8
    for root in found.roots:
        assert (root.how, root.rank) == (MEETS, 2)
        assert all(abs(abs(v.value) - half) <= v.error < 1e-14 for v in root.point)


def test_errors_of_several_unknowns_follow_those_of_the_conditions():
    rough = several(CIRCLE, BOX, error=1e-6).roots[0].point[0].error
    assert 1e-6 < rough < 1e-5


def test_the_same_call_finds_the_same_to_the_last_bit():
    assert several(CIRCLE, BOX) == several(CIRCLE, BOX)


def test_three_unknowns_against_an_independent_solver():
    functions = (
        lambda x, y, z: x + y + z - 3.0,
        lambda x, y, z: x * y * z - 0.5,
        lambda x, y, z: math.exp(x) - y * y - 1.0,
    )
    mp = [lambda x, y, z: x + y + z - 3, lambda x, y, z: x * y * z - 0.5, lambda x, y, z: mpmath.exp(x) - y * y - 1]
    found = several(functions, [(-2.0, 4.0)] * 3)
    assert found.roots
    for root in found.roots:
        start = [v.value for v in root.point]
        exact = mpmath.findroot(mp, start, tol=1e-25)
        assert all(abs(v.value - float(x)) <= v.error for v, x in zip(root.point, exact, strict=True))


def test_a_curve_of_solutions_is_told_by_the_rank():
    found = several((lambda x, y: x + y - 1.0, lambda x, y: 2.0 * (x + y - 1.0)), BOX)
    assert found.roots
    assert all(root.rank == 1 and root.point[0].error is None for root in found.roots)


@pytest.mark.parametrize(
    "functions",
    [
        (lambda x, y: x * x + y * y + 1.0, lambda x, y: x - y),
        (lambda x, y: math.sqrt(x - 2.0) + 1.0, lambda x, y: y),
        (lambda x, y: x - 5.0, lambda x, y: y),
    ],
    ids=["never", "partly-undefined", "outside-the-box"],
)
def test_where_nothing_meets_all_conditions_the_best_is_told_as_none(functions):
    found = several(functions, BOX)
    assert found.roots == ()
    assert found.best.how == MISSES
    assert found.best.worst > 0.5


def test_more_conditions_than_unknowns_are_met_or_balanced():
    met = several((lambda x: x - 1.0, lambda x: x * x - 1.0), [(-3.0, 3.0)])
    assert [root.point[0].value for root in met.roots] == pytest.approx([1.0])
    missed = several((lambda x: x - 1.0, lambda x: x + 1.0), [(-3.0, 3.0)])
    assert missed.roots == ()
    assert missed.best.point[0].value == pytest.approx(0.0, abs=1e-6)


def test_rough_functions_lead_where_the_exact_ones_decide():
    asked = []

    def exact(points):
        asked.extend(points)
        return vector(*CIRCLE)(points)

    rough = vector(lambda x, y: x * x + y * y - 1.0 + 1e-9, lambda x, y: x - y + 1e-9, error=1e-8)
    found = descent.several(exact, [Axis("x", *BOX[0]), Axis("y", *BOX[1])], (1.0, 1.0), rough)
    assert [root.point[0].value for root in found.roots] == pytest.approx([-math.sqrt(0.5), math.sqrt(0.5)], abs=1e-14)
    assert len(asked) < 200


def test_what_is_defined_nowhere_has_no_answer():
    found = several((lambda x, y: 1.0 / 0.0, lambda x, y: x), BOX)
    assert (found.roots, found.best, found.undefined) == ((), None, found.points)
