"""The audit: every class at and around its thresholds, and the whole collection by the same rules."""

import itertools
import json
import math

import pytest

from normcal import audit, catalog, collection, literal, quantity, verdicts
from normcal.audit import APPROXIMATION, CLASSES, EXACT, OTHER, ROUNDED, SAMPLING, UNDECIDED, WRONG, Known, judge
from normcal.collection import Entry
from normcal.errors import RequestError
from normcal.law import STANDARD, Normal
from normcal.result import INFINITE, OVERFLOW, TOLERANCE_MISSED, UNDEFINED
from normcal.value import Value

STD = math.sqrt(0.5 - 0.5 / math.pi)  # of ReLU at N(0, 1): 0.58381937...


def entry(text, wanted="forward.std", spec="relu", samples=None, law=STANDARD, name="one", **more):
    return Entry(name, catalog.layer(spec), quantity.parse(wanted), literal.read(text), samples, law, **more)


def judged(*args, **more):
    return judge(entry(*args, **more))


#: (id, published, quantity, layer, draws, verdict)
VERDICTS = [
    ("all-digits-right", "0.5838", "forward.std", "relu", None, EXACT),
    ("rounded-up", "0.584", "forward.std", "relu", None, EXACT),
    ("two-digits", "0.58", "forward.std", "relu", None, EXACT),
    ("one-digit-is-no-rounding", "0.6", "forward.std", "relu", None, APPROXIMATION),
    ("cut-instead-of-rounded", "0.583", "forward.std", "relu", None, ROUNDED),
    ("last-digit-off", "0.5839", "forward.std", "relu", None, ROUNDED),
    ("trailing-zeros-claim-digits", "0.58400", "forward.std", "relu", None, SAMPLING),
    ("sign-wrong", "-0.5838", "forward.std", "relu", None, WRONG),
    ("zero", "0", "backward.mean", "relu", None, EXACT),
    ("zero-with-digits", "0.0000", "backward.mean", "relu", None, EXACT),
    ("zero-of-a-mean-that-cancels", "0", "forward.mean", "selu", None, EXACT),
    ("close-to-a-mean-of-zero", "0.01", "forward.mean", "tanh", None, APPROXIMATION),
    ("far-from-a-mean-of-zero", "0.1", "forward.mean", "tanh", None, WRONG),
    ("exact-formula", "sqrt(1/2 - 1/(2*pi))", "forward.std", "relu", None, EXACT),
    ("formula-nearly-right", "0.58381937 * 1", "forward.std", "relu", None, APPROXIMATION),
    ("seventeen-digits", "1.7128585504496627", "forward.gain", "relu", None, EXACT),
    ("single-precision", "1.7128585577011108", "forward.gain", "relu", None, EXACT),
    ("single-precision-neighbour", "1.7128589153289795", "forward.gain", "relu", None, ROUNDED),
    ("half-precision", "1.712890625", "forward.gain", "relu", None, EXACT),
    ("bfloat16", "1.7109375", "forward.gain", "relu", None, EXACT),
    ("bfloat16-neighbour", "1.703125", "forward.gain", "relu", None, APPROXIMATION),
    ("fifteen-digits-of-arithmetic", "1.712858550451", "forward.gain", "relu", None, ROUNDED),
    ("whole-and-right", "1", "forward.std", "identity", None, EXACT),
    ("whole-and-wrong", "1", "forward.rms_gain", "tanh", None, WRONG),
    ("whole-and-near", "1", "forward.rms_gain", "softplus", None, APPROXIMATION),
    ("reciprocal-of-three-digits", "1.6778523489932886", "forward.rms_gain", "silu", None, ROUNDED),
    ("reciprocal-of-three-digits-as-formula", "1/0.596", "forward.rms_gain", "silu", None, ROUNDED),
    ("reciprocal-of-three-wrong-digits", "1/0.597", "forward.rms_gain", "silu", None, APPROXIMATION),
    ("reciprocal-of-one-digit", "1.6666666666666667", "forward.rms_gain", "silu", None, APPROXIMATION),
    ("whole-number-of-three-digits", "1650", "forward.rms_gain^2", "softmax(n=64)", None, ROUNDED),
    ("root-of-three-digits", "sqrt(1.55)", "forward.rms_gain", "elu", None, ROUNDED),
    ("sampled-and-right", "0.5838", "forward.std", "relu", 100_000, EXACT),
    ("sampled-and-near", "0.5851", "forward.std", "relu", 100_000, SAMPLING),
    ("sampled-and-off", "0.60", "forward.std", "relu", 100_000, APPROXIMATION),
    ("few-draws-excuse-no-sign", "-0.58", "forward.std", "relu", 4, WRONG),
    ("few-draws-excuse-the-sign-of-a-mean", "-0.1", "forward.mean", "relu", 4, SAMPLING),
    ("sampled-unstated", "1.7139588594436646", "forward.gain", "relu", None, SAMPLING),
    ("sampled-ten-digits", "1.679176792", "forward.rms_gain", "silu", None, SAMPLING),
    ("ratio-of-stds-sampled", "1.5975916385650635", "forward.gain", "tanh", 100_000, SAMPLING),
    ("std-for-rms", "0.583819370103549", "forward.rms", "relu", None, OTHER),
    ("std-for-rms-four-digits", "0.5838", "forward.rms", "relu", None, OTHER),
    ("std-for-rms-two-digits", "0.58", "forward.rms", "relu", None, WRONG),
    ("gain-for-rms-gain", "1.7128585504496627", "forward.rms_gain", "relu", None, OTHER),
    ("squared", "1.5505188080679277", "forward.rms_gain", "elu", None, OTHER),
    ("not-squared", "1.2451983007007066", "forward.rms_gain^2", "elu", None, OTHER),
    ("reciprocal", "sqrt(1/p)", "forward.std", "dropout(keep_prob=0.5, scaling=plain)", None, OTHER),
    ("backward-for-forward", "1.6233", "forward.rms_gain", "silu", None, OTHER),
    ("forward-for-backward", "1.677", "backward.gain", "silu", None, OTHER),
    ("sign-of-an-offset", "0.20662096414", "-forward.mean", "silu", None, OTHER),
    ("std-of-the-slope", "0.20827634493166278", "backward.std", "softplus", None, OTHER),
    ("std-of-the-slope-sampled", "0.2083955705165863", "backward.std", "softplus", 2**18, OTHER),
    ("std-for-rms-sampled", "1.6791767923989418", "forward.gain", "silu", 1_000_000, OTHER),
    ("another-form", "1.7009165616954505", "forward.gain", "gelu", None, OTHER),
    ("another-slope", "1.4141428569978354", "forward.rms_gain", "leaky_relu(negative_slope=0.2)", None, OTHER),
    ("without-slope", "sqrt(2)", "forward.rms_gain", "leaky_relu(negative_slope=0.2)", None, OTHER),
    ("one-input", "1.623320257952", "backward.value.gain", "swiglu", None, OTHER),
    ("reciprocal-of-two-digits-of-another", "1/1.7", "backward.std", "gelu", None, WRONG),
    ("stand-in", "sqrt(2)", "forward.rms_gain", "silu", None, WRONG),
    ("close", "5/3", "forward.rms_gain", "tanh", None, APPROXIMATION),
    ("jacobian-factor", "1.2112", "jacobian_factor", "relu", None, EXACT),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "wanted", "spec", "samples", "verdict"),
    [case[1:] for case in VERDICTS],
    ids=[case[0] for case in VERDICTS],
)
def test_verdict(text, wanted, spec, samples, verdict):
    number = literal.read(text, {"p": 0.5})
    found = judge(Entry("one", catalog.layer(spec), quantity.parse(wanted), number, samples))
    assert (found.verdict, bool(found.other)) == (verdict, verdict == OTHER), found.why
    assert found.why
    assert (found.instead == "") == (verdict == EXACT)


@pytest.mark.parametrize(
    ("text", "spec", "why"),
    [
        ("1.7128906250", "relu", "right to the last bit of half precision"),
        ("1.7109375", "relu", "right to the last bit of bfloat16"),
        ("180", "identity(output_scale=0.00557)", "180 is right to its 2 digits"),
        ("1/0.584", "relu", "1/0.584, and 0.584 is right to its 3 digits"),
    ],
)
def test_the_reason_names_what_the_number_went_through(text, spec, why):
    assert judged(text, "forward.gain", spec).why == why


def test_what_it_is_instead_is_named():
    assert judged("1.7128585504496627", "forward.rms_gain").other == "forward.gain"
    assert judged("0.2083955705165863", "backward.std", "softplus", 2**18).other.startswith("forward.std of the slope")
    assert judged("sqrt(2)", "forward.rms_gain", "leaky_relu(negative_slope=0.2)").other == "forward.rms_gain of relu"


# -- the thresholds, on made-up values ---------------------------------------------------------------


@pytest.fixture
def world(monkeypatch):
    """Set the exact value, its error, and the noise of one draw; nothing else is like the number."""

    def set_to(value, error=0.0, noise=None, *, sampled=False, status="ok"):
        monkeypatch.setattr(audit, "known", lambda *_: Known(Value(value, error), sampled, status, "a reason"))
        monkeypatch.setattr(audit, "noise", lambda *_, **__: noise)
        monkeypatch.setattr(audit.alternatives, "of", lambda *_: iter(()))

    return set_to


@pytest.mark.parametrize(
    ("text", "value", "error", "verdict"),
    [
        ("0.500", 0.5005, 0.0, EXACT),
        ("0.500", 0.4995, 0.0, EXACT),
        ("0.500", 0.50051, 0.0, ROUNDED),
        ("0.500", 0.50051, 2e-5, EXACT),
        ("0.500", 0.501001, 0.0, APPROXIMATION),
        ("0.50", 0.50501, 0.0, APPROXIMATION),
        ("-0.500", -0.5009, 0.0, ROUNDED),
        ("1.71234567", 1.71234567 * (1 + 15 * 2.0**-24), 0.0, ROUNDED),
        ("1.71234567", 1.71234567 * (1 + 17 * 2.0**-24), 0.0, APPROXIMATION),
        ("1.70000000", 1.7000017, 0.0, ROUNDED),
        ("1.05", 1.0, 0.0, APPROXIMATION),
        ("1.0501", 1.0, 0.0, WRONG),
        ("1.060", 1.0, 0.02, UNDECIDED),
        ("1.080", 1.0, 0.02, WRONG),
        ("1.020", 1.0, 0.01, APPROXIMATION),
        ("0.500", 0.5001, 0.01, UNDECIDED),
        ("0.500", 0.5001, 0.0004, EXACT),
        ("1.6791767923989418", 1.6791767923989418, 1e-12, EXACT),
        ("1.6791767923989418", 1.6791767923989418, 1e-11, UNDECIDED),
        ("0.500", 0.5001, None, UNDECIDED),
    ],
)
def test_digits_and_size_at_the_edges(world, text, value, error, verdict):
    world(value, error)
    assert judged(text).verdict == verdict


def test_a_standard_error_counts_four_times(world):
    world(0.5, 1e-4, sampled=True)
    assert judged("0.50035").verdict == UNDECIDED
    assert judged("0.50045").verdict == APPROXIMATION


@pytest.mark.parametrize(
    ("z", "verdict"), [(0.5, SAMPLING), (3.99, SAMPLING), (-3.99, SAMPLING), (4.01, APPROXIMATION)]
)
def test_the_edge_of_stated_draws(world, z, verdict):
    world(0.5, noise=1.0)
    found = judged(f"{0.5 + z * 1e-3:.9f}", samples=10**6)
    assert found.verdict == verdict
    assert verdict != SAMPLING or found.standard_errors == pytest.approx(z, rel=1e-4)


@pytest.mark.parametrize(
    ("distance", "draws"),
    [
        (1.99e-4, 10**8), (2.01e-4, 10**7), (1.9e-3, 10**6), (2.1e-3, 2**18), (5e-3, 10**5), (2.1e-2, None),
        (9e-6, None), (1.1e-5, 10**8),
    ],
)  # fmt: skip
def test_the_largest_plausible_number_of_draws_is_named(world, distance, draws):
    world(1.0, noise=1.0)
    found = judged(f"{1.0 + distance + 1.234567e-9:.14f}")
    assert (found.verdict, found.draws) == ((SAMPLING, draws) if draws else (APPROXIMATION, None))


@pytest.mark.parametrize(("text", "draws"), [("1.0003", 10**6), ("1.00030", 10**7)])
def test_unstated_draws_must_show_in_digits_beyond_their_noise(world, text, draws):
    """Ten last half-units are the noise at least: 1.0003 prints less than 10^7 draws would give."""
    world(1.0, noise=1.0)
    assert judged(text).draws == draws


def test_noise_that_is_no_smaller_than_an_approximation_proves_nothing(world):
    world(1.0, noise=2.0)
    assert judged("1.0150123456").verdict == APPROXIMATION  # 10^4 draws: 0.75 standard errors of 2 %


@pytest.mark.parametrize("text", ["1.0009000000", "1/0.9991", repr(math.sqrt(1.0018))])
def test_a_short_number_is_no_sample(world, text):
    world(1.0, noise=1.0)
    assert judged(text).verdict == APPROXIMATION


@pytest.mark.parametrize("noise", [None, 0.0], ids=["none-stated", "zero"])
def test_without_noise_nothing_is_excused(world, noise):
    world(0.5838, noise=noise)
    assert judged("0.59", samples=1000).verdict == APPROXIMATION
    assert judged("0.5841234567").verdict == APPROXIMATION


@pytest.mark.parametrize(
    ("status", "verdict"),
    [(INFINITE, WRONG), (UNDEFINED, WRONG), ("ok", WRONG), (OVERFLOW, UNDECIDED), (TOLERANCE_MISSED, UNDECIDED)],
)
def test_a_number_for_a_moment_that_is_none(world, status, verdict):
    world(None, None, status=status)
    found = judged("0.5838")
    assert (found.verdict, found.exact.value, found.instead) == (verdict, None, "")
    assert found.difference is None
    assert found.relative is None


def test_real_moments_that_do_not_exist():
    assert judged("1.0", "backward.std", "batch_norm(group_size=3, eps=0)").verdict == WRONG
    assert judged("1.0", "forward.gain", "relu", law=Normal(1.0, 0.0)).verdict == WRONG


# -- other definitions against luck and noise ---------------------------------------------------------


def test_an_exact_hit_beats_the_noise_of_stated_draws():
    """Ten digits of another form within the noise of the claimed one are no accident."""
    other = audit.known(catalog.layer("gelu_tanh"), STANDARD, quantity.parse("forward.gain")).value.value
    assert judged(f"{other:.10f}", "forward.gain", "gelu", 100_000).verdict == OTHER
    assert judged(f"{other + 3e-4:.10f}", "forward.gain", "gelu", 100_000).verdict == SAMPLING


def test_a_sibling_without_the_input_in_question_is_passed_over():
    """A sum has no skip; `add`, a sibling of `residual`, is no candidate for the gradient of one."""
    assert judged("0.7812345", "backward.skip.std", "residual").verdict == WRONG


def test_few_digits_are_no_evidence_for_another_definition():
    """0.71 is the rms of ReLU to two digits; so are many numbers to some definition."""
    assert judged("0.71", "forward.std").verdict == WRONG
    assert judged("0.7071", "forward.std").verdict == OTHER


def test_noise_that_proves_no_sample_still_bounds_luck():
    """Of 2000 samples of 10^4 draws, whose number nobody states, no more than 1 % are taken for another definition."""
    from random import Random

    draw = Random(3)
    single = audit.noise(catalog.layer("silu"), STANDARD, quantity.parse("forward.rms_gain"))
    numbers = [f"{1.6765324703 + draw.gauss(0.0, single / 100.0):.9f}" for _ in range(2000)]
    found = [judged(text, "forward.rms_gain", "silu").verdict for text in numbers]
    assert found.count(OTHER) <= 20


def test_luck_makes_few_other_definitions():
    from random import Random

    draw = Random(7)
    numbers = [f"{draw.uniform(1.0, 2.4):.4f}" for _ in range(300)]
    found = [judged(text, "forward.gain", "gelu").verdict for text in numbers]
    assert found.count(OTHER) <= 10


# -- files ----------------------------------------------------------------------------------------------


def test_the_worst_come_first_and_neighbours_are_named():
    rows = (
        entry("0.5838", name="good"),
        entry("sqrt(2)", "forward.rms_gain", name="relu"),
        entry("sqrt(2)", "forward.rms_gain", "silu", name="copied"),
        entry("5/3", "forward.rms_gain", "tanh", name="near"),
    )
    ((_, found),) = audit.audit([collection.Group("mine", "", rows)])
    assert [finding.entry.name for finding in found] == ["copied", "near", "good", "relu"]
    assert "right for relu (relu)" in found[0].why


def test_a_part_that_a_layer_lacks_is_refused_with_its_place():
    lost = entry("1.0", "backward.gate.std", name="lost", path="mine.yaml", line=7)
    with pytest.raises(RequestError, match=r"mine.yaml:7: lost: Unknown input .*'gate'"):
        audit.audit([collection.Group("mine", "", (lost,))])


def test_the_record_holds_everything_that_the_verdict_rests_on():
    data = judged("0.5851", samples=100_000, source="section 3", note="measured").data()
    assert (data["published"], data["published_value"], data["spec"]) == ("0.5851", 0.5851, "relu")
    assert data["exact"] == pytest.approx(STD, rel=1e-13)
    assert data["difference"] == data["published_value"] - data["exact"]
    assert 0 < data["error"] < 1e-13
    assert (data["samples"], data["draws"], data["class"], data["instead"]) == (100_000, 100_000, SAMPLING, "0.5838")
    assert data["standard_errors"] > 0
    assert (data["source"], data["note"]) == ("section 3", "measured")


def test_the_noise_is_that_of_the_formula():
    """The std of ReLU from n draws has the standard error sqrt((m4 - s^4) / (4 s^2 n))."""
    mean, m = 1 / math.sqrt(2 * math.pi), [1, 1 / math.sqrt(2 * math.pi), 1 / 2, 2 / math.sqrt(2 * math.pi), 3 / 2]
    fourth = m[4] - 4 * mean * m[3] + 6 * mean**2 * m[2] - 3 * mean**4
    single = math.sqrt((fourth - STD**4) / (4 * STD**2))
    assert audit.noise(catalog.layer("relu"), STANDARD, quantity.parse("forward.std")) == pytest.approx(
        single, rel=0.05
    )


def test_a_wide_layer_is_simulated_only_for_stated_draws():
    wide, wanted = catalog.layer("softmax(n=20000)"), quantity.parse("forward.std")
    assert audit.noise(wide, STANDARD, wanted) is None
    assert audit.noise(wide, STANDARD, wanted, wide=True) > 0.0


EDGES = (
    "1e308",
    "-1.797e308",
    "1e-320",
    "5e-324",
    "-0.0",
    "0",
    "1.00e-400",
    "9" * 300,
    "1/1e300",
    "3.4028235e38",
    "1e39",
)


@pytest.mark.parametrize("law", [STANDARD, Normal(0.0, 0.0), Normal(1e300, 1e300), Normal(-40.0, 1.0)], ids=str)
@pytest.mark.parametrize("spec", ["relu", "batch_norm(group_size=2, eps=0)", "exp", "identity(output_scale=1e200)"])
def test_numbers_at_the_edge_of_the_doubles_get_a_verdict_and_a_finite_record(spec, law):
    for text, wanted, samples in itertools.product(EDGES, ("forward.std", "scale.geometric^2"), (None, 2)):
        found = judged(text, wanted, spec, samples, law)
        json.dumps(found.data(), allow_nan=False)
        assert verdicts.report([(collection.Group("mine", "", ()), [found])]).blocks


# -- the collection that ships ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shipped():
    return [finding for _, found in audit.audit(collection.groups()) for finding in found]


def test_every_entry_of_the_collection_gets_a_verdict_with_a_reason(shipped):
    assert len(shipped) > 100
    for finding in shipped:
        assert finding.verdict in CLASSES
        assert finding.why, finding.entry.name
        assert finding.verdict != UNDECIDED, finding.entry.name


def test_the_collection_shows_every_class_but_undecided(shipped):
    assert {finding.verdict for finding in shipped} == set(CLASSES) - {UNDECIDED}


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("nfnet.relu", SAMPLING), ("nfnet.silu", SAMPLING), ("nfnet.identity", EXACT), ("e3nn.silu", SAMPLING),
        ("e3nn.sigmoid", SAMPLING), ("edm2.mp_silu", EXACT), ("stylegan.relu", EXACT), ("stylegan.lrelu", OTHER),
        ("stylegan.swish", WRONG), ("torch.gain.tanh", APPROXIMATION), ("torch.gain.leaky_relu", EXACT),
    ],
)  # fmt: skip
def test_the_verdicts_that_people_ask_for(shipped, name, verdict):
    (finding,) = [one for one in shipped if one.entry.name == name]
    assert finding.verdict == verdict, finding.why


def test_what_is_written_instead_is_exact(shipped):
    """An audit of the audit's advice finds nothing to say."""
    for finding in shipped:
        if finding.instead:
            again = judge(entry(finding.instead, str(finding.entry.quantity), finding.entry.layer.spec,
                                law=finding.entry.law))  # fmt: skip
            assert again.verdict == EXACT, (finding.entry.name, finding.instead, again.why)
