"""Windows on a torus, where every position is an interior one, on a padded map and adaptive ones."""

import collections
import itertools
import math

import numpy as np
import pytest

from normcal.errors import RequestError, Unsupported
from normcal.layers._window_axes import Parts, Ring, Strip, common
from normcal.layers._windows import MOST_SIMULATED, Flag, Grid, Windows, check_size, per_dimension

CASES = [
    ((3,), (1,)), ((3,), (3,)), ((2,), (5,)), ((5,), (2,)), ((1,), (1,)), ((1,), (4,)), ((4,), (3,)),
    ((2, 2), (2, 2)), ((3, 3), (1, 1)), ((3, 2), (2, 1)), ((1, 4), (3, 2)),
    ((2, 3, 2), (1, 2, 2)), ((2, 2, 2), (3, 3, 3)),
]  # fmt: skip


@pytest.fixture(params=CASES, ids=lambda case: "{}-stride-{}".format(*("x".join(map(str, side)) for side in case)))
def windows(request):
    return Windows(*request.param)


def test_windows_are_those_of_nested_loops(windows):
    expected = []
    for corner in itertools.product(
        *(range(0, side, s) for side, s in zip(windows.torus, windows.stride, strict=True))
    ):
        taps = itertools.product(*map(range, windows.kernel))
        places = [tuple((c + t) % side for c, t, side in zip(corner, tap, windows.torus, strict=True)) for tap in taps]
        expected.append([int(np.ravel_multi_index(place, windows.torus)) for place in places])
    assert windows.index.tolist() == expected


def test_no_window_meets_itself_and_the_strides_fit_the_torus(windows):
    assert all(len(set(row)) == windows.entries for row in windows.index.tolist())
    assert all(side % s == 0 for side, s in zip(windows.torus, windows.stride, strict=True))


def test_two_windows_share_what_they_would_share_on_an_endless_map(windows):
    """Shares are counted by offset; on too small a torus a window would meet another one on both sides."""
    index = [set(row) for row in windows.index.tolist()]
    starts = list(
        itertools.product(*(range(0, side, s) for side, s in zip(windows.torus, windows.stride, strict=True)))
    )
    found = sorted(len(index[0] & other) for other in index[1:] if index[0] & other)
    endless = []
    reach = [range(-(k // s) - 1, k // s + 2) for k, s in zip(windows.kernel, windows.stride, strict=True)]
    for offset in itertools.product(*reach):
        shared = math.prod(
            max(k - abs(o) * s, 0) for o, k, s in zip(offset, windows.kernel, windows.stride, strict=True)
        )
        if shared and any(offset):
            endless.append(shared)
    assert found == sorted(endless)
    assert len(starts) == windows.windows


def test_counts_agree_with_the_index(windows):
    assert windows.index.shape == (windows.windows, windows.entries)
    assert windows.positions == math.prod(windows.torus) >= windows.entries
    counts = np.bincount(windows.index.ravel(), minlength=windows.positions)
    assert counts.sum() == windows.windows * windows.entries
    assert counts.mean() == pytest.approx(windows.entries / math.prod(windows.stride))


def test_a_window_too_large_to_simulate_is_declined_with_its_cost():
    with pytest.raises(Unsupported, match=f"{MOST_SIMULATED:_}"):
        Windows((3000, 3000), (1, 1)).check_simulable()
    Windows((30, 30), (30, 30)).check_simulable()


def test_a_scalar_is_repeated_and_a_tuple_of_another_length_refused():
    assert per_dimension("layer", "stride", 2, 3) == (2, 2, 2)
    assert per_dimension("layer", "stride", (2, 1), 2) == (2, 1)
    with pytest.raises(RequestError, match="stride has 2 entries for ndim=3"):
        per_dimension("layer", "stride", (2, 1), 3)


@pytest.mark.parametrize("length", [1, 2, 7, 12, 30, 49])
def test_adaptive_windows_are_counted_as_they_lie(length):
    for outputs in range(1, 60):
        parts = Parts(length, outputs)
        assert parts.counts == collections.Counter((end - start,) * 2 for start, end in parts._bounds()), outputs


def test_absurd_windows_are_refused():
    with pytest.raises(RequestError, match="kernel_size makes 1e"):
        check_size("layer", "kernel_size", 10**13)
    check_size("layer", "kernel_size", 10**12)


DILATED = [
    ((3,), (1,), (2,)),
    ((2,), (2,), (2,)),
    ((2,), (5,), (3,)),
    ((3, 2), (2, 1), (2, 3)),
    ((2, 2, 1), (1, 2, 1), (1, 3, 2)),
]


@pytest.mark.parametrize(("kernel", "stride", "dilation"), DILATED)
def test_dilated_windows_share_what_they_would_share_on_an_endless_map(kernel, stride, dilation):
    """Also that a scatter of ones counts how many windows meet a position: n / prod(stride) on average."""
    ring = Windows(kernel, stride, dilation)
    index = [set(row) for row in ring.index.tolist()]
    assert all(len(row) == ring.entries for row in index)
    found = sorted(len(index[0] & other) for other in index[1:] if index[0] & other)
    reach = [range(-(k * d // s) - 1, k * d // s + 2) for k, s, d in zip(kernel, stride, dilation, strict=True)]
    endless = []
    for offset in itertools.product(*reach):
        taps = [
            len({i * d for i in range(k)} & {o * s + i * d for i in range(k)})
            for o, k, s, d in zip(offset, kernel, stride, dilation, strict=True)
        ]
        if math.prod(taps) and any(offset):
            endless.append(math.prod(taps))
    assert found == sorted(endless)
    met = ring.scatter(np.ones((2, ring.windows, ring.entries)))
    assert met.shape == (2, ring.positions)
    assert met.mean() == pytest.approx(ring.entries / math.prod(stride))


def naive_windows(size, kernel, stride, padding, dilation, ceil):
    """PyTorch's rule by walking: windows of flat positions along one dimension, and what they count with padding."""
    found, start = [], -padding
    while True:
        taps = [start + dilation * i for i in range(kernel)]
        over = taps[-1] - (size + padding - 1)
        if over > 0 and not (ceil and over < stride and start < size):
            return found
        found.append(([x for x in taps if 0 <= x < size], sum(x < size + padding for x in taps)))
        start += stride


STRIPS = [
    (size, kernel, stride, padding, dilation, ceil)
    for size, kernel, stride, dilation, ceil in itertools.product(
        (1, 4, 7, 12), (1, 2, 3, 5), (1, 2, 4), (1, 2), (False, True)
    )
    for padding in range(kernel // 2 + 1)
]


def test_windows_of_a_padded_map_are_those_of_a_walk_over_it():
    checked = 0
    for case in STRIPS:
        strip, expected = Strip(*case), naive_windows(*case)
        assert strip.outputs == len(expected), case
        if not expected:
            continue
        checked += 1
        taps = [[x for x in row if x >= 0] for row in strip.taps().tolist()]
        assert taps == [row for row, _ in expected], case
        assert strip.divisors().tolist() == [padded for _, padded in expected], case
        counts = collections.Counter((len(row), padded) for row, padded in expected)
        assert strip.counts == counts, case
    assert checked > 200


@pytest.mark.parametrize(
    ("size", "outputs"), [(1, 1), (7, 1), (7, 3), (10, 4), (8, 4), (5, 5), (3, 7), (13, 5), (1, 4)]
)
def test_adaptive_windows_start_at_the_floor_and_end_at_the_ceiling(size, outputs):
    expected = [
        list(range(math.floor(i * size / outputs), math.ceil((i + 1) * size / outputs))) for i in range(outputs)
    ]
    parts = Parts(size, outputs)
    assert [[x for x in row if x >= 0] for row in parts.taps().tolist()] == expected
    assert parts.counts == collections.Counter((len(row), len(row)) for row in expected)
    assert parts.divisors().tolist() == [len(row) for row in expected]
    assert {x for row in expected for x in row} == set(range(size))


GRIDS = {
    "one": Grid((Strip(7, 3, 2, 1),)),
    "two": Grid((Strip(6, 3, 2, 1, 1, True), Strip(5, 2, 3, 1))),
    "three": Grid((Strip(3, 2, 1, 1), Parts(4, 3), Strip(4, 3, 1, 1, 2))),
    "adaptive": Grid((Parts(7, 3), Parts(5, 2))),
}


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
def test_a_grid_is_the_product_of_its_axes(grid):
    """Index, divisors, shares of sizes, gather and scatter, against nested loops over the axes."""
    sides = [axis.side for axis in grid.axes]
    per_axis = [
        [([x for x in row if x >= 0], d) for row, d in zip(a.taps().tolist(), a.divisors().tolist(), strict=True)]
        for a in grid.axes
    ]
    expected, divisors = [], []
    for chosen in itertools.product(*per_axis):
        expected.append([int(np.ravel_multi_index(p, sides)) for p in itertools.product(*(row for row, _ in chosen))])
        divisors.append(math.prod(d for _, d in chosen))
    assert [[x for x in row if x < grid.positions] for row in grid.index.tolist()] == expected
    assert grid.divisors.tolist() == divisors
    sizes = collections.Counter(zip(map(len, expected), divisors, strict=True))
    assert {size: share * grid.windows for size, share in grid.sizes.items()} == sizes
    x = np.random.default_rng(1).standard_normal((2, grid.positions))
    gathered = grid.gather(x, -np.inf)
    assert [[v for v in row if v > -np.inf] for row in gathered[1].tolist()] == [[x[1, i] for i in w] for w in expected]
    given = np.random.default_rng(2).standard_normal((2, grid.windows, grid.entries))
    dx = np.zeros((2, grid.positions))
    for w, row in enumerate(grid.index.tolist()):
        for k, i in enumerate(row):
            if i < grid.positions:
                dx[:, i] += given[:, w, k]
    np.testing.assert_allclose(grid.scatter(given), dx, atol=1e-14)


def test_the_sizes_of_a_photograph_take_no_walk_over_its_windows():
    grid = Grid((Strip(10**8, 3, 1, 1), Strip(10**8, 5, 2, 2)))
    assert sum(grid.sizes.values()) == 1 and len(grid.sizes) == 6


def test_borders_of_more_windows_than_any_network_has_are_refused():
    with pytest.raises(RequestError, match="100_000 windows meet a border"):
        Strip(10**7, 10**6, 1, 5 * 10**5).check("layer")
    many = Strip(4000, 3001, 1, 1500)
    with pytest.raises(Unsupported, match="different sizes"):
        _ = Grid((many, many, many)).sizes


@pytest.mark.parametrize("word", ["true", "True", "YES", "yes"])
def test_a_flag_understands_yes_and_capitals(word):
    flag = Flag("ceil_mode", "false", ("false", "true"), "whether")
    assert flag.accept(word, "layer") == "true"
    for wrong in ("perhaps", True, 1, None):
        with pytest.raises(RequestError, match="ceil_mode"):
            flag.accept(wrong, "layer")


@pytest.mark.parametrize(
    ("rings", "sides"),
    [
        ([Ring(3, 1), Ring(3, 1)], [9, 9]),
        ([Ring(3, 1), Ring(2, 2)], [8, 8]),
        ([Ring(3, 2), Ring(2, 1)], [10, 5]),
        ([Ring(2, 2), Ring(2, 2)], [4, 2]),
        ([Ring(3, 1, dilation=2), Ring(1, 1), Ring(3, 3)], [15, 15, 15]),
    ],
    ids=str,
)
def test_windows_of_windows_lie_on_rings_that_fit_and_meet_themselves_on_none(rings, sides):
    assert common(rings) == sides
    for before, behind, ring in zip(sides, [*sides[1:], 0], rings, strict=True):
        assert before % ring.stride == 0 and behind in (0, before // ring.stride)
