"""Sliding windows on a torus: every position is an interior one and no window meets itself."""

import itertools
import math

import numpy as np
import pytest

from normcal.errors import RequestError, Unsupported
from normcal.layers._windows import MOST_SIMULATED, Windows, check_size, per_dimension

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


def test_absurd_windows_are_refused():
    with pytest.raises(RequestError, match="window of"):
        check_size("layer", "kernel_size", 10**9)
    check_size("layer", "kernel_size", 10**8)
