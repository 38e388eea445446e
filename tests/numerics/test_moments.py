"""Streaming moments: any split merges to one pass, no digit is lost, standard errors allow for clusters."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from normcal.numerics.moments import Moments, Sums

PINNED = settings(derandomize=True, max_examples=60, deadline=None, database=None)
FIELDS = ("rows", "mean", "std", "rms", "mean_error", "std_error", "rms_error", "informative")


def sample(rows, entries=1, seed=0, mean=0.0, std=1.0):
    """Rows whose entries share a common part, skewed so that mean and variance are correlated."""
    rng = np.random.default_rng(seed)
    common = rng.standard_exponential((rows, 1)) - 1.0
    return mean + std * (0.8 * common + 0.6 * rng.standard_normal((rows, entries)))


def merged(y, cuts):
    parts = [part for part in np.split(y, sorted(cuts)) if len(part)]
    total = Moments.of(parts[0])
    for part in parts[1:]:
        total = total.merge(Moments.of(part))
    return total


def assert_same(a, b, rel=1e-11):
    for name in FIELDS:
        assert getattr(a, name) == pytest.approx(getattr(b, name), rel=rel, abs=1e-300), name


def exact_mean_and_std(y):
    """Mean and population std without any rounding but the last."""
    values = [Fraction(v) for v in y.ravel().tolist()]
    mean = sum(values) / len(values)
    return float(mean), math.sqrt(sum((v - mean) ** 2 for v in values) / len(values))


@PINNED
@given(st.sets(st.integers(1, 399), max_size=12), st.sampled_from([1, 3]), st.sampled_from([0.0, 7.0, -1e4]))
def test_any_split_merges_to_one_pass(cuts, entries, mean):
    y = sample(400, entries, mean=mean)
    assert_same(merged(y, cuts), Moments.of(y), rel=1e-9)


def test_blocks_of_very_different_means_merge_to_one_pass():
    y = np.concatenate([sample(50, mean=m, seed=i) for i, m in enumerate((0.0, 1e3, -40.0, 5e5))])
    assert_same(merged(y, [50, 100, 150]), Moments.of(y), rel=1e-9)


def test_merging_is_the_same_from_either_side():
    a, b = Moments.of(sample(70, 2)), Moments.of(sample(30, 2, seed=1, mean=2.0))
    assert_same(a.merge(b), b.merge(a))


def test_a_block_of_one_row_merges():
    y = sample(11, 4)
    assert_same(merged(y, range(1, 11)), Moments.of(y), rel=1e-9)


@pytest.mark.parametrize("std", [1.0, 1e-3], ids=["std-1", "std-1e-3"])
@pytest.mark.parametrize("entries", [1, 5])
def test_a_mean_of_1e6_costs_no_digits_of_the_std(entries, std):
    y = sample(1000, entries, mean=1e6, std=std)
    mean, spread = exact_mean_and_std(y)
    for found in (Moments.of(y), merged(y, range(100, 1000, 100))):
        assert found.mean == pytest.approx(mean, rel=1e-15)
        assert found.std == pytest.approx(spread, rel=1e-12)


def test_mean_std_and_rms_are_those_of_all_entries():
    y = sample(200, 6, seed=3, mean=-2.0)
    found = Moments.of(y)
    mean, std = exact_mean_and_std(y)
    assert found.mean == pytest.approx(mean, rel=1e-14)
    assert found.std == pytest.approx(std, rel=1e-13)
    assert found.rms == pytest.approx(math.sqrt(float(np.mean(np.square(y)))), rel=1e-13)


def test_errors_of_independent_entries_are_the_textbook_ones():
    y = sample(500)[:, :1]
    found = Moments.of(y)
    d = y.ravel() - y.mean()
    n, m2, m4 = len(d), float(np.mean(d**2)), float(np.mean(d**4))
    assert found.mean_error == pytest.approx(math.sqrt(m2 / (n - 1)), rel=1e-12)
    assert found.std_error == pytest.approx(math.sqrt((m4 - m2**2) / (n - 1)) / (2.0 * math.sqrt(m2)), rel=1e-3)
    squares = y.ravel() ** 2
    rms_error = float(np.std(squares, ddof=1)) / math.sqrt(n) / (2.0 * math.sqrt(float(np.mean(squares))))
    assert found.rms_error == pytest.approx(rms_error, rel=1e-12)


@pytest.mark.parametrize("entries", [1, 8], ids=["single", "clusters"])
def test_errors_agree_with_a_bootstrap_over_rows(entries):
    """2,000 resamples give the spread of a statistic to 1.6 %; the sample's own skewness adds a few per cent."""
    y = sample(3000, entries, seed=5, mean=0.5)
    found = Moments.of(y)
    rng = np.random.default_rng(1)
    first, second = y.mean(axis=1), np.square(y).mean(axis=1)
    means, stds, roots = [], [], []
    for _ in range(2000):
        chosen = rng.integers(0, len(y), len(y))
        mean, square = first[chosen].mean(), second[chosen].mean()
        means.append(mean)
        stds.append(math.sqrt(square - mean * mean))
        roots.append(math.sqrt(square))
    assert found.mean_error == pytest.approx(np.std(means), rel=0.08)
    assert found.std_error == pytest.approx(np.std(stds), rel=0.08)
    assert found.rms_error == pytest.approx(np.std(roots), rel=0.08)


def test_entries_that_repeat_their_row_add_no_information():
    y = sample(400)
    assert_same(Moments.of(np.repeat(y, 9, axis=1)), Moments.of(y), rel=1e-10)


def test_entries_that_are_independent_count_as_draws():
    y = np.random.default_rng(2).standard_normal((400, 25))
    found = Moments.of(y)
    assert found.mean_error == pytest.approx(1.0 / math.sqrt(y.size), rel=0.1)
    assert found.std_error == pytest.approx(1.0 / math.sqrt(2.0 * y.size), rel=0.1)


def test_antithetic_entries_leave_the_mean_exact():
    x = np.random.default_rng(4).standard_normal((100, 1))
    found = Moments.of(np.hstack([x, -x]))
    assert abs(found.mean) < 1e-16 and found.mean_error < 1e-16 < found.std_error


@PINNED
@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_errors_scale_and_shift_with_the_sample(shift, scale):
    y = sample(100, 2, seed=9)
    plain, moved = Moments.of(y), Moments.of(shift + scale * y)
    digits_lost = abs(shift / scale) * 1e-13
    for name in ("std", "mean_error", "std_error"):
        assert getattr(moved, name) == pytest.approx(scale * getattr(plain, name), rel=1e-8 + digits_lost), name


def test_a_constant_sample_has_std_and_errors_of_zero():
    found = Moments.of(np.full((50, 3), 0.1))
    assert (found.mean, found.std, found.std_error) == (0.1, 0.0, 0.0)
    assert found.mean_error < 1e-17


def test_one_row_states_no_error():
    assert not math.isfinite(Moments.of(np.array([[1.0, 2.0]])).mean_error)


@pytest.mark.parametrize("carriers", [1, 5, 40])
def test_informative_counts_the_rows_that_carry_the_variance(carriers):
    y = np.zeros((100_000, 1))
    y[:carriers] = 1.0
    assert Moments.of(y).informative == pytest.approx(carriers, rel=0.01)


def test_informative_is_a_third_of_the_rows_of_a_normal_sample():
    """(E z^2)^2 / E z^4 = 1/3, and the ratio is 1 for entries of constant size."""
    y = np.random.default_rng(6).standard_normal((100_000, 1))
    assert Moments.of(y).informative == pytest.approx(100_000 / 3.0, rel=0.03)
    assert Moments.of(np.sign(y)).informative == pytest.approx(100_000.0, rel=1e-3)


@pytest.mark.parametrize("split", [[], [7], [100, 200, 300]])
def test_informative_survives_merging(split):
    y = sample(400, 2, seed=8, mean=30.0)
    assert merged(y, split).informative == pytest.approx(Moments.of(y).informative, rel=1e-10)


@pytest.mark.parametrize("size", [1e-120, 1e100, 1e200], ids=["1e-120", "1e100", "1e200"])
def test_samples_of_any_size_raise_nothing_and_state_no_false_error(size):
    """Squares may overflow; then std and errors are no finite numbers, and never finite wrong ones."""
    y = sample(200, seed=10)
    with np.errstate(all="ignore"):
        found = Moments.of(size * y)
    plain = Moments.of(y)
    assert found.mean == pytest.approx(size * plain.mean, rel=1e-12)
    if math.isfinite(found.std):
        assert found.std == pytest.approx(size * plain.std, rel=1e-9)
    if math.isfinite(found.std) and math.isfinite(found.std_error):
        assert found.std_error == pytest.approx(size * plain.std_error, rel=1e-9)


def test_two_values_in_equal_shares_do_not_claim_a_std_without_error():
    """(y - c)^2 is then constant, so the linear term of the error vanishes; the quadratic one does not."""
    y = np.repeat([[-1.0], [1.0]], 500, axis=0)
    found = Moments.of(y)
    assert found.std_error >= 0.5 * found.std / len(y), "the std of a fair coin is not known exactly from 1,000 tosses"


@PINNED
@given(st.sets(st.integers(1, 399), max_size=6), st.sampled_from([1, 3]), st.sampled_from([0.0, 1.5, -1e6]))
def test_pieces_of_any_length_sum_to_one_pass(cuts, entries, mean):
    y = sample(400, entries, mean=mean)
    sums = Sums()
    for piece in np.split(y, sorted(cuts)):
        sums.add(piece)
    found, whole = sums.moments(), Moments.of(y)
    assert found.mean == pytest.approx(whole.mean, rel=1e-15 if mean else 1e-12)
    assert found.std == pytest.approx(whole.std, rel=1e-12)
    assert found.std_error == pytest.approx(whole.std_error, rel=1e-6)


def test_what_is_added_is_left_as_it_is():
    y = sample(4096, mean=1e6)
    before = y.copy()
    sums = Sums()
    sums.add(y)
    sums.add(y)
    assert (y == before).all()


@pytest.mark.parametrize("mean", [0.0, 1.0, 1e6])
def test_1e11_draws_lose_no_digits(mean):
    """20,000 blocks, every one of its own mean and spread, merged one by one as a run does, against exact sums."""
    count, rows = 20_000, 5_000_000
    rng = np.random.default_rng(2)
    means = mean + 1e-3 * rng.standard_normal(count)
    squares = 1.0 + 1e-3 * rng.standard_normal(count)
    total = None
    for its_mean, its_square in zip(means.tolist(), squares.tolist(), strict=True):
        block = Moments(rows, its_mean, 0.0, its_square, its_square * rows, 0.0, 2.0 * rows)
        total = block if total is None else total.merge(block)
    centre = sum(map(Fraction, means.tolist())) / count
    between = sum((Fraction(m) - centre) ** 2 for m in means.tolist()) / count
    variance = sum(map(Fraction, squares.tolist())) / count + between
    assert total.rows == 10**11
    assert total.mean == pytest.approx(float(centre), rel=1e-14, abs=1e-16)
    assert total.std == pytest.approx(math.sqrt(variance), rel=1e-12)
    assert total.mean_error == pytest.approx(math.sqrt(variance / 10**11), rel=1e-6)


@pytest.mark.parametrize("std", [1.0, 1e-3, 1e-6])
@pytest.mark.parametrize("mean", [0.1, 1e3, 1e6])
def test_rows_whose_entries_differ_by_far_more_than_the_rows_do_keep_their_errors(mean, std):
    """(x, 0) at a large mean, as the halves of a concatenated rectifier: entries scatter widely, rows hardly."""
    z = np.random.default_rng(0).standard_normal(20_000)
    y = np.stack([mean + std * z, 0.0 * z], axis=1)
    found, a, b = Moments.of(y), y.mean(axis=1), np.square(y).mean(axis=1)
    root = math.sqrt(len(y))
    assert found.mean_error == pytest.approx(a.std(ddof=1) / root, rel=1e-6)
    of_std = (b - b.mean() - 2.0 * a.mean() * (a - a.mean())).std(ddof=1) / root / (2.0 * y.std())
    assert found.std_error == pytest.approx(of_std, rel=1e-3)
    assert found.rms_error == pytest.approx(b.std(ddof=1) / root / (2.0 * math.sqrt(b.mean())), rel=1e-3)


@pytest.mark.parametrize("value", [0.1, 5.0, 1e6 + 0.1])
def test_rows_that_are_all_alike_have_no_error(value):
    found = Moments.of(np.tile([value, 0.0, -2.0 * value], (1000, 1)))
    assert found.mean_error <= 1e-15 * value and found.std_error <= 1e-15 * value
