"""Switchable, sparse switchable and meta normalisation, and SparsestMax."""

import itertools
import math

import numpy as np
import pytest

from normcal import catalog, engine
from normcal.engine import Effort
from normcal.errors import RequestError
from normcal.law import STANDARD, Normal
from normcal.layers._sparsestmax import circumradius, sparsestmax
from normcal.layers._statistics import blocks, identity, together
from normcal.result import INFINITE, OK
from normcal.spec import written

FORWARD, BACKWARD = "forward", "backward"
FULL = "0.8164965809277260"


def compute(spec, direction=FORWARD, law=STANDARD, name="auto"):
    return engine.estimate(name, catalog.layer(spec), direction, law, Effort())


def std(spec, direction=FORWARD, law=STANDARD):
    found = compute(spec, direction, law)
    assert found.status == OK and found.relative_error < 1e-12
    return found.std.value


def simulated(spec, direction, law=STANDARD):
    return catalog.layer(spec).simulate(direction, np.random.default_rng(8), 3, law)


SHAPE = "(4, 6, 3, 2)"
#: matrices of meta normalisation -> the namesake on the same shape
NAMESAKES = {
    "u=batch, v=batch": "batch_norm(shape=(4, 6, 3, 2))",
    "u=batch, v=instance": "batch_norm(shape=(4, 6, 3, 2))",
    "u=layer, v=layer": "layer_norm(shape=(4, 6, 3, 2))",
    "u=instance, v=instance": "instance_norm(shape=(4, 6, 3, 2))",
    "u=instance, v=group(2)": "group_norm(shape=(4, 6, 3, 2), num_groups=2)",
    "u=instance, v=group(num_groups=3)": "group_norm(shape=(4, 6, 3, 2), num_groups=3)",
    f"u={written(together(4))}, v={written(identity(6))}": "batch_norm(shape=(4, 6, 3, 2))",
    f"u={written(identity(4))}, v={written(blocks(6, 3))}": "group_norm(shape=(4, 6, 3, 2), num_groups=3)",
}
#: one-hot scores of sparse switchable normalisation -> the namesake
ONE_HOT = {
    "(1, 0, 0)": "instance_norm(shape=(4, 6, 3, 2))",
    "(0, 1, 0)": "layer_norm(shape=(4, 6, 3, 2))",
    "(0, 0, 1)": "batch_norm(shape=(4, 6, 3, 2))",
}


@pytest.mark.parametrize(("matrices", "namesake"), NAMESAKES.items(), ids=lambda v: v[:40])
@pytest.mark.parametrize("direction", [FORWARD, BACKWARD])
def test_meta_normalisation_contains_its_namesakes_in_numbers_and_arrays(matrices, namesake, direction):
    spec = f"meta_norm(shape={SHAPE}, {matrices})"
    for law in (STANDARD, Normal(0.5, 0.01)):
        assert std(spec, direction, law) == pytest.approx(std(namesake, direction, law), rel=1e-15)
        assert np.array_equal(simulated(spec, direction, law), simulated(namesake, direction, law))


@pytest.mark.parametrize(("scores", "namesake"), ONE_HOT.items())
@pytest.mark.parametrize("direction", [FORWARD, BACKWARD])
def test_sparse_weights_at_full_radius_pick_one_namesake(scores, namesake, direction):
    spec = f"sparse_switchable_norm(shape={SHAPE}, mean_scores={scores}, var_scores={scores}, radius={FULL})"
    assert std(spec, direction) == pytest.approx(std(namesake, direction), rel=1e-14)
    assert np.allclose(simulated(spec, direction), simulated(namesake, direction), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("direction", [FORWARD, BACKWARD])
def test_switchable_weights_of_one_statistic_approach_its_namesake(direction):
    for logits, namesake in zip(("(60, 0, 0)", "(0, 60, 0)", "(0, 0, 60)"), ONE_HOT.values(), strict=True):
        spec = f"switchable_norm(shape={SHAPE}, mean_logits={logits}, var_logits={logits})"
        assert std(spec, direction) == pytest.approx(std(namesake, direction), rel=1e-12)


@pytest.mark.parametrize("direction", [FORWARD, BACKWARD])
def test_one_sample_of_one_channel_has_one_statistic_whatever_the_weights(direction):
    spec = "switchable_norm(shape=(1, 1, 3, 3), mean_logits=(1, 2, 3), var_logits=(0, -2, 5))"
    assert std(spec, direction) == pytest.approx(std("instance_norm(group_size=9)", direction), rel=1e-14)


def test_samples_and_channels_change_places_with_layer_and_batch():
    for direction in (FORWARD, BACKWARD):
        one = std("switchable_norm(shape=(3, 5, 2, 2), mean_logits=(0, 1, 2), var_logits=(1, -1, 0.5))", direction)
        other = std("switchable_norm(shape=(5, 3, 2, 2), mean_logits=(0, 2, 1), var_logits=(1, 0.5, -1))", direction)
        assert one == pytest.approx(other, rel=1e-14)


def matrices(shape, means, variances):
    """Return b and A of the first entry, by the definition."""
    entries = list(itertools.product(*map(range, shape)))
    groups = [
        [i for i, (n, c, _) in enumerate(entries) if (n == 0 or not same_n) and (c == 0 or not same_c)]
        for same_n, same_c in ((True, True), (True, False), (False, True))
    ]
    b, a = np.zeros(len(entries)), np.zeros((len(entries), len(entries)))
    b[0] = 1.0
    for group, mean, variance in zip(groups, means, variances, strict=True):
        size = len(group)
        b[group] -= mean / size
        a[np.ix_(group, group)] += variance * (np.eye(size) / size - 1.0 / size**2)
    return b, a


@pytest.mark.parametrize(
    "shape", [(2, 2, 2), (3, 4, 3), (5, 2, 2), (1, 4, 3), (4, 1, 3), (1, 1, 6), (2, 3, 5)], ids=str
)
@pytest.mark.parametrize(
    ("means", "variances"),
    [
        ((0.2, 0.5, 0.3), (0.6, 0.1, 0.3)),
        ((0.0, 1.0, 0.0), (0.5, 0.5, 0.0)),
        ((0.5, 0.0, 0.5), (0.0, 1.0, 0.0)),
        ((1.0, 0.0, 0.0), (0.0, 0.0, 1.0)),
        ((0.25, 0.75, 0.0), (1.0, 0.0, 0.0)),
    ],
)
def test_the_eigenspaces_of_the_mixed_variance_are_those_of_its_matrix(shape, means, variances):
    from normcal.numerics.balls import BALLS

    layer = catalog.layer(
        f"sparse_switchable_norm(shape={shape}, mean_scores={means}, var_scores={variances}, radius=0)"
    )
    spaces = layer._spaces(BALLS)
    b, a = matrices(shape, means, variances)
    values = sorted(float(s.value.mid) for s in spaces for _ in range(s.dimension))
    eigenvalues = np.linalg.eigvalsh(a)
    kept = sorted(v for v in eigenvalues if v > 1e-12)
    assert [v for v in values if v > 1e-12] == pytest.approx(kept, rel=1e-11)
    assert layer._rank == len(kept)
    for power in range(4):  # b' A^k b fixes the shares of all eigenvalues
        mine = sum(float(s.share.mid) * float(s.value.mid) ** power for s in spaces if s.dimension)
        assert mine == pytest.approx(b @ np.linalg.matrix_power(a, power) @ b, rel=1e-12)
    blind = b @ (np.eye(len(b)) - np.linalg.pinv(a) @ a) @ b
    assert layer._blind == (blind > 1e-12)


# --- SparsestMax ---


def lattice(n):
    """Points of the simplex of three weights on a lattice."""
    return np.array([(i, j, n - i - j) for i in range(n + 1) for j in range(n + 1 - i)]) / n


LATTICE = lattice(240)


@pytest.mark.parametrize("radius", [0.0, 0.2, 0.408, 0.41, 0.5, 0.7, 0.81])
def test_no_point_of_a_fine_lattice_is_closer_than_sparsestmax(radius):
    rng = np.random.default_rng(int(1000 * radius))
    admissible = LATTICE[np.linalg.norm(LATTICE - 1 / 3, axis=1) >= radius]
    for scale in (0.1, 0.5, 2.0):
        for scores in rng.standard_normal((40, 3)) * scale:
            p = np.array(sparsestmax(tuple(scores), radius))
            assert p.min() >= 0.0 and p.sum() == pytest.approx(1.0, abs=1e-14)
            assert np.linalg.norm(p - 1 / 3) >= radius - 1e-12
            best = np.sqrt(((admissible - scores) ** 2).sum(axis=1).min())
            mine = np.linalg.norm(p - scores)
            assert mine <= best + 1e-12 and best <= mine + 3.0 / 240


@pytest.mark.parametrize("count", [2, 3, 4, 6])
def test_at_radius_zero_it_is_sparsemax_and_at_the_circumradius_the_largest_takes_all(count):
    rng = np.random.default_rng(count)
    for scores in rng.standard_normal((50, count)):
        ordered = np.sort(scores)[::-1]
        support = max(k for k in range(1, count + 1) if 1 + k * ordered[k - 1] > ordered[:k].sum())
        threshold = (ordered[:support].sum() - 1) / support
        assert sparsestmax(tuple(scores)) == pytest.approx(np.maximum(scores - threshold, 0.0), abs=1e-14)
        assert sparsestmax(tuple(scores), circumradius(count)) == tuple(float(s == max(scores)) for s in scores)


def test_a_shift_of_the_scores_changes_no_weight_and_an_order_is_kept():
    for radius in (0.0, 0.3, 0.6):
        p = sparsestmax((0.4, 0.1, 0.3), radius)
        assert sparsestmax((7.4, 7.1, 7.3), radius) == pytest.approx(p, abs=1e-14)
        assert p[0] >= p[2] >= p[1]
        assert sparsestmax((0.1, 0.3, 0.4), radius) == pytest.approx((p[1], p[2], p[0]), abs=1e-14)


def test_equal_scores_prefer_the_first():
    assert sparsestmax((1.0, 1.0, 1.0), circumradius(3)) == (1.0, 0.0, 0.0)
    assert sparsestmax((1.0, 1.0, 1.0)) == pytest.approx((1 / 3,) * 3)
    assert sparsestmax((2.0,)) == (1.0,)


@pytest.mark.parametrize(
    ("scores", "radius"), [((), 0.0), ((0.0,) * 13, 0.0), ((1.0, 2.0), 0.8), ((1.0, 2.0), -0.1), ((1.0, math.nan), 0.1)]
)
def test_sparsestmax_refuses_what_has_no_answer(scores, radius):
    with pytest.raises(ValueError, match=r"sparsestmax|radius"):
        sparsestmax(scores, radius)


# --- meta normalisation beyond its namesakes ---


def test_samples_in_blocks_are_ghost_batches():
    for direction in (FORWARD, BACKWARD):
        ghost = std("meta_norm(shape=(8, 3, 2, 2), u=group(4), v=instance)", direction)
        assert ghost == pytest.approx(std("batch_norm(group_size=8)", direction), rel=1e-15)


def test_groups_of_several_sizes_are_pooled_over_all_entries():
    spec = "meta_norm(shape=(3, 2, 2, 2), u=((1, 0, 0), (1, 1, 0), (1, 1, 1)), v=instance)"
    for direction in (FORWARD, BACKWARD):
        squares = [std(f"batch_norm(group_size={m})", direction) ** 2 for m in (4, 8, 12)]
        assert std(spec, direction) == pytest.approx(math.sqrt(sum(squares) / 3), rel=1e-14)
    (note,) = catalog.layer(spec).notes(STANDARD)
    assert "4, 8, 12 entries" in note


def test_a_slice_standardised_by_others_has_their_mean_and_variance_as_noise():
    """E y^2 = (1 + 1/M) E[1/v] at eps = 0, and E[1/v] = M/(M-3) over the other group's entries."""
    spec = "meta_norm(shape=(2, 1, 3, 3), u=((0, 1), (1, 0)), v=instance, eps=0)"
    assert std(spec) == pytest.approx(math.sqrt((1 + 1 / 9) * 9 / 6), rel=1e-13)
    assert "not its own" in catalog.layer(spec).notes(STANDARD)[0]
    small = "meta_norm(shape=(2, 1, 1, 3), u=((0, 1), (1, 0)), v=instance, eps=0)"
    assert compute(small).status == INFINITE


def test_an_average_of_variances_would_lose_the_variance_between_slices():
    """Batch statistics from slices: the mean of their variances falls short by the variance of their means."""
    x = np.random.default_rng(9).standard_normal((5, 4))
    assert x.var(axis=1).mean() < x.var()
    assert (x.var(axis=1) + x.mean(axis=1) ** 2).mean() - x.mean() ** 2 == pytest.approx(x.var(), rel=1e-14)
    assert "would lose" in " ".join(catalog.find("meta_norm").__doc__.split())


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("meta_norm(shape=(2, 2, 3), u=((1, 2), (0, 1)))", "u cannot be"),
        ("meta_norm(shape=(2, 2, 3), u=((1, 0.5), (0, 1)))", "u cannot be"),
        ("meta_norm(shape=(2, 2, 3), u=((1, 0, 0), (0, 1, 0), (0, 0, 1)))", "2 rows and columns"),
        ("meta_norm(shape=(2, 2, 3), v=((1, 0), (0, 0)))", "row 1 of v is empty"),
        ("meta_norm(shape=(4, 6, 3), v=group(4))", "4 groups do not divide 6"),
        ("meta_norm(shape=(4, 6, 3), v=group(0))", "v cannot be group(0)"),
        ("meta_norm(shape=(4, 6, 3), v=group)", "v cannot be"),
        ("meta_norm(shape=(4, 6, 3), v=rows)", "v cannot be"),
        ("meta_norm(shape=(4, 6, 1), u=instance, v=instance)", "groups of 1 entry"),
        ("meta_norm(shape=(4, 6))", "shape cannot be"),
        ("switchable_norm(shape=(4, 6, 1, 1))", "leaves 1 entry"),
        ("switchable_norm(mean_logits=(0, 1))", "mean_logits cannot be (0.0, 1.0)"),
        ("switchable_norm(var_logits=1)", "var_logits cannot be"),
        ("switchable_norm(eps=-1)", "eps cannot be"),
        ("sparse_switchable_norm(radius=0.9)", "radius cannot be 0.9"),
        ("sparse_switchable_norm(mean_scores=(0, 1, 2, 3))", "mean_scores cannot be"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(spec, says):
    with pytest.raises(RequestError) as refused:
        catalog.layer(spec)
    assert says in str(refused.value) and refused.value.hint


# --- where moments do not exist ---


@pytest.mark.parametrize(
    ("shape", "means", "variances", "forward", "backward"),
    [
        # the variance sees L - 1 directions; the output holds only those: as instance norm
        ("(1, 1, 3)", "(1, 0, 0)", "(1, 0, 0)", OK, INFINITE),
        ("(1, 1, 4)", "(1, 0, 0)", "(1, 0, 0)", OK, OK),
        # the mean of the layer, the variance of the instance: the slice's own mean stays, unseen by the variance
        ("(1, 4, 3)", "(0, 1, 0)", "(1, 0, 0)", INFINITE, INFINITE),
        ("(1, 4, 5)", "(0, 1, 0)", "(1, 0, 0)", OK, INFINITE),
        ("(1, 4, 6)", "(0, 1, 0)", "(1, 0, 0)", OK, OK),
    ],
)
def test_without_eps_moments_are_infinite_where_the_variance_sees_too_little(
    shape, means, variances, forward, backward
):
    spec = f"sparse_switchable_norm(shape={shape}, mean_scores={means}, var_scores={variances}, radius=0, eps=0)"
    assert compute(spec).status == forward
    assert compute(spec, BACKWARD).status == backward


def test_two_entries_alone_have_no_gradient_without_eps():
    spec = "switchable_norm(shape=(1, 1, 2), eps=0)"
    assert compute(spec).std.value == pytest.approx(1.0, rel=1e-14)
    assert compute(spec, BACKWARD).std.value == 0.0


def test_the_weights_in_force_are_noted():
    (note,) = catalog.layer("switchable_norm(mean_logits=(0, 0, 0))").notes(STANDARD)
    assert "0.3333, 0.3333, 0.3333 (means)" in note
    (note,) = catalog.layer(f"sparse_switchable_norm(radius={FULL})").notes(STANDARD)
    assert "1, 0, 0 (means), 1, 0, 0 (variances)" in note
