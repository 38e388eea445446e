"""What a number is: the right answer first, and silence where luck would do as well."""

import math
from random import Random

import pytest

from normcal import catalog, collection, identification
from normcal.identification import LUCK, MOST, identify
from normcal.law import Normal
from normcal.literal import read


def first(text, layers=None, **law):
    found = identify(read(text), layers and [catalog.layer(spec) for spec in layers], Normal(**law))
    return (found[0].spec, found[0].quantity) if found else None


#: (number, layer, quantity)
KNOWN = [
    ("1.679176792", "silu", "forward.rms_gain"),
    ("1.6791767923989418", "silu", "forward.rms_gain"),
    ("0.5838", "relu", "forward.std"),
    ("0.2083", "sigmoid", "forward.std"),
    ("1.4142135", "relu", "forward.rms_gain"),
    ("0.7978845608", "abs", "forward.mean"),
    ("sqrt(2/pi)", "abs", "forward.mean"),
    ("1.7128585504496627", "relu", "forward.gain"),
    ("1.2112", "relu", "jacobian_factor"),
    ("1.9191259801", "softplus(beta=1.0)", "forward.gain"),
    ("-0.20662096", "silu", "-forward.mean"),
    ("2.81076112407", "silu", "forward.rms_gain^2"),
    ("0.596", "silu", "forward.rms"),
    ("1.7881293296813965", "silu", "forward.gain"),
]


@pytest.mark.parametrize(("text", "spec", "quantity"), KNOWN, ids=[case[0] for case in KNOWN])
def test_a_known_number_is_known(text, spec, quantity):
    if text == "1.2112":  # maxout of two has the same number
        assert (spec, quantity) in {(one.spec, one.quantity) for one in identify(read(text))}
    else:
        assert first(text) == (spec, quantity)


def test_the_famous_sample_is_named_with_its_draws_and_its_publishers():
    best = identify(read("1.679176792"))[0]
    assert best.exact.value == pytest.approx(1.676532470331, rel=1e-12)
    assert best.how.startswith("sampling: +1.3 standard errors of the stated 10^6 draws")
    assert "e3nn.silu" in {entry.name for entry in best.published}
    assert best.luck < 1e-6


@pytest.mark.parametrize("text", ["0.123456", "1.23456789", "3.3333333", "1", "2.0", "0", "0.5", "1.5", "17"])
def test_of_what_luck_explains_nothing_is_said(text):
    assert identify(read(text)) == []


def test_luck_is_as_rare_as_it_is_said_to_be():
    """Each match has a chance of at most LUCK; of numbers at random, few meet anything at all."""
    draw = Random(5)
    numbers = [f"{math.exp(draw.uniform(-1.2, 1.2)):.7g}" for _ in range(400)]
    met = sum(bool(identify(read(text))) for text in numbers)
    assert met <= 400 * LUCK * 1.5


def test_a_short_number_behind_a_long_one_is_no_more_than_it_claims():
    """1/1.7 has two digits, however many its decimal expansion has: 3 % either way hold hundreds of candidates."""
    for text in ("1/1.7", "0.5882352941176471", "1/0.66"):
        assert not any("is right to its" in one.how for one in identify(read(text)))


def test_matches_are_ranked_and_few():
    found = identify(read("1.41421356"))
    right = [one.luck for one in found if not one.mistaken]
    assert right == sorted(right)
    assert len(found) <= MOST
    assert all(0.0 < one.luck <= LUCK for one in found)


def test_more_digits_are_less_likely_luck():
    less, more = (identify(read(text))[0].luck for text in ("0.5838", "0.58381937"))
    assert more < less / 1000


def test_a_published_mistake_comes_last_and_says_so():
    found = identify(read("1.4141428569978354"))
    assert (found[0].spec, found[0].mistaken) == ("leaky_relu(negative_slope=0.01)", False)
    assert found[-1].mistaken
    assert found[-1].how.startswith(("wrong", "approximation", "other-definition"))


@pytest.mark.parametrize(
    ("text", "layers", "law", "expected"),
    [
        ("1.3867505", ["leaky_relu(negative_slope=0.2)"], {}, ("leaky_relu(negative_slope=0.2)", "forward.rms_gain")),
        ("0.2082763", ["softplus"], {}, ("the slope of softplus(beta=1.0)", "forward.std")),
        ("1.0", ["relu"], {}, None),
        ("2.2360679775", ["identity"], {"mean": 1.0, "std": 2.0}, ("identity", "forward.rms")),
        ("0.6980", ["relu"], {"mean": 0.5}, ("relu", "forward.mean")),
        ("0.6980", ["relu"], {"mean": 0.6}, None),
    ],
)
def test_a_layer_is_computed_on_the_spot(text, layers, law, expected):
    assert first(text, layers, **law) == expected


def test_several_layers_are_told_apart():
    layers = catalog.layers(["leaky_relu(negative_slope=[0.05, 0.15])"])
    value = identification.computed(layers, Normal())
    wanted = next(one for one in value if "0.15" in one.spec and one.quantity == "forward.std")
    assert identify(read(f"{wanted.value.value:.8f}"), layers)[0].spec == "leaky_relu(negative_slope=0.15)"


def test_the_table_and_the_spot_agree():
    tabled = {(one.spec, one.quantity): one for one in identification.tabled()}
    for one in identification.computed(catalog.layers(["relu", "gelu", "swiglu", "max_pool"]), Normal()):
        if not one.spec.startswith("the slope"):
            same = tabled[one.spec, one.quantity]
            assert same.value.value == pytest.approx(one.value.value, rel=1e-12)


def test_every_plain_quantity_of_the_table_finds_itself():
    """To ten digits, a number of the table is met by what it is."""
    tabled = [one for one in identification.tabled() if one.quantity == "forward.std" and not one.sampled]
    checked = 0
    for one in tabled[::6]:
        if float(f"{one.value.value:.3g}") == pytest.approx(one.value.value, rel=1e-9):
            continue  # a short number is anything's
        found = identify(read(f"{one.value.value:.10g}"))
        assert any(match.exact.value == pytest.approx(one.value.value, rel=1e-9) for match in found), one.spec
        checked += 1
    assert checked > 10


def test_a_number_in_the_collection_is_found_with_its_source():
    for entry in collection.everything()[::7]:
        if entry.literal.digits >= 6 and entry.law == Normal():
            found = identify(entry.literal)
            assert entry.name in {one.name for match in found for one in match.published}, entry.name


@pytest.mark.parametrize("text", ["0.01", "0.001", "-0.01", "1e-6"])
def test_a_small_number_is_no_published_zero(text):
    assert not identify(read(text))


def test_of_constants_published_as_what_they_are_not_the_nearer_one_comes_first():
    assert [one.spec for one in identify(read("5/3"))] == ["tanh", "silu"]
