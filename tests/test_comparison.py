"""Published numbers beside computed ones: the rules of the verdicts, at and around their edges."""

import math

import pytest

from normcal import comparison
from normcal.comparison import EQUAL, SAMPLING, SIGNIFICANT, SLIP, compare
from normcal.errors import RequestError
from normcal.request import Request
from normcal.value import Value

STD = math.sqrt(0.5 - 0.5 / math.pi)  # of ReLU at N(0, 1): 0.58381937...


def judged(printed, quantity="forward.std", layer="relu", request=None, **more):
    return compare({"printed": printed, "layer": layer, "quantity": quantity} | more, request or Request())


#: (id, printed, quantity, further keys, verdict)
VERDICTS = [
    ("all-digits-right", "0.5838", "forward.std", {}, EQUAL),
    ("rounded-up", "0.584", "forward.std", {}, EQUAL),
    ("cut-instead-of-rounded", "0.583", "forward.std", {}, SLIP),
    ("one-digit", "0.6", "forward.std", {}, EQUAL),
    ("last-digit-off", "0.5839", "forward.std", {}, SLIP),
    ("trailing-zero-claims-a-digit", "0.5840", "forward.std", {}, SLIP),
    ("sign-wrong", "-0.5838", "forward.std", {}, SLIP),
    ("zero", "0", "backward.mean", {}, EQUAL),
    ("zero-with-digits", "0.0000", "backward.mean", {}, EQUAL),
    ("exact-formula", "sqrt(1/2 - 1/(2*pi))", "forward.std", {}, EQUAL),
    ("formula-with-names", "sqrt(1/n)", "backward.std", {"with": {"n": 2}}, EQUAL),
    ("formula-nearly-right", "0.58381937 * 1", "forward.std", {}, SLIP),
    ("formula-wrong", "sqrt(1/2)", "forward.std", {}, SLIP),
    ("fraction", "1/2", "forward.mean", {}, SLIP),
    ("sampled-and-right", "0.5838", "forward.std", {"samples": 100_000}, EQUAL),
    ("sampled-and-near", "0.5851", "forward.std", {"samples": 100_000}, SAMPLING),
    ("sampled-and-off", "0.60", "forward.std", {"samples": 100_000}, SLIP),
    ("sampled-formula", "sqrt(1/3)", "forward.std", {"samples": 100_000}, SLIP),
    ("jacobian-factor", "1.2112", "jacobian_factor", {}, EQUAL),
    ("jacobian-factor-off", "1.2111", "jacobian_factor", {}, SLIP),
]  # fmt: skip


@pytest.mark.parametrize(
    ("printed", "quantity", "more", "verdict"), [c[1:] for c in VERDICTS], ids=[c[0] for c in VERDICTS]
)
def test_verdict(printed, quantity, more, verdict):
    assert judged(printed, quantity, **more).verdict == verdict


def test_the_sampling_error_is_that_of_the_draws_that_were_used():
    """The std of ReLU from n draws has the standard error sqrt((m4 - s^4) / (4 s^2 n))."""
    few, many = (judged("0.60", samples=n) for n in (1_000, 100_000))
    assert few.standard_errors * 8 < many.standard_errors < few.standard_errors * 12
    mean, m = 1 / math.sqrt(2 * math.pi), [1, 1 / math.sqrt(2 * math.pi), 1 / 2, 2 / math.sqrt(2 * math.pi), 3 / 2]
    fourth = m[4] - 4 * mean * m[3] + 6 * mean**2 * m[2] - 3 * mean**4
    noise = math.sqrt((fourth - STD**4) / (4 * STD**2 * 100_000))
    assert many.standard_errors == pytest.approx((0.60 - STD) / noise, rel=0.05)


@pytest.mark.parametrize(("distance", "verdict"), [(SIGNIFICANT * 0.99, SAMPLING), (SIGNIFICANT * 1.01, SLIP)])
def test_the_edge_of_the_sampling_error(monkeypatch, distance, verdict):
    monkeypatch.setattr(comparison, "_standard_error", lambda *_: 1e-3)
    assert judged(f"{STD + distance * 1e-3:.9f}", samples=1000).verdict == verdict


@pytest.mark.parametrize("noise", [None, 0.0], ids=["none-stated", "zero"])
def test_without_a_sampling_error_nothing_is_excused(monkeypatch, noise):
    monkeypatch.setattr(comparison, "_standard_error", lambda *_: noise)
    found = judged("0.59", samples=1000)
    assert (found.verdict, found.standard_errors) == (SLIP, None)


@pytest.mark.parametrize(
    ("printed", "value", "error", "equal"),
    [
        ("0.50", 0.505, 0.0, True),
        ("0.50", 0.495, 0.0, True),
        ("0.50", 0.5051, 0.0, False),
        ("0.50", 0.5051, 2e-4, True),
        ("0.50", 0.5051, None, False),
        ("2", 2.4, 0.0, True),
        ("2", 2.6, 0.0, False),
        ("-0.50", -0.501, 0.0, True),
        ("1/2", 0.5 + 1e-12, 1e-13, False),
        ("1/2", 0.5 + 1e-12, 2e-12, True),
        ("1/3", 1 / 3, 0.0, True),
    ],
)
def test_equal_means_rounding_to_the_printed_digits_or_agreeing_with_the_formula(
    monkeypatch, printed, value, error, equal
):
    monkeypatch.setattr(comparison, "_quantity", lambda *_: Value(value, error))
    assert (judged(printed).verdict == EQUAL) == equal


def test_the_input_law_and_the_engine_of_the_request_count():
    assert judged("2", "forward.std", "identity", Request(mean=0.5, std=2)).verdict == EQUAL
    assert judged("2", "forward.std", "identity").verdict == SLIP
    sampled = judged("0.58", request=Request(engine="monte-carlo", samples=1000))
    assert sampled.computed.error > 1e-4


def test_the_record_holds_everything_that_the_verdict_rests_on():
    data = judged("0.5851", samples=100_000, where="section 3", remark="measured").data()
    assert data["where"] == "section 3"
    assert data["remark"] == "measured"
    assert (data["printed"], data["printed_value"], data["spec"]) == ("0.5851", 0.5851, "relu")
    assert data["computed"] == pytest.approx(STD, rel=1e-13)
    assert data["difference"] == data["printed_value"] - data["computed"]
    assert 0 < data["computed_error"] < 1e-13
    assert data["samples"] == 100_000
    assert data["standard_errors"] > 0
    assert data["verdict"] == SAMPLING


def test_the_spec_is_canonical():
    assert judged("1", layer="max_pool(kernel_size=2)").layer == "max_pool(kernel_size=2, ndim=2)"


@pytest.mark.parametrize(
    ("entry", "named"),
    [
        (None, "printed"),
        ("0.5", "printed"),
        ({}, "'printed'"),
        ({"printed": "1"}, "'layer'"),
        ({"printed": "1", "layer": "relu"}, "'quantity'"),
        ({"printed": 1, "layer": "relu", "quantity": "forward.std"}, "'printed'"),
        ({"printed": "1", "layer": "relu", "quantity": "forward"}, "'forward'"),
        ({"printed": "1", "layer": "rellu", "quantity": "forward.std"}, "'rellu'"),
        ({"printed": "one", "layer": "relu", "quantity": "forward.std"}, "'one'"),
        ({"printed": "1", "layer": "relu", "quantity": "forward.std", "sample": 5}, "'sample'"),
    ],
    ids=["none", "text", "empty", "no-layer", "no-quantity", "number", "quantity", "layer", "word", "key"],
)
def test_an_entry_that_makes_no_sense_is_refused_by_name(entry, named):
    with pytest.raises(RequestError) as caught:
        compare(entry, Request())
    assert named in caught.value.message


def test_a_quantity_that_does_not_exist_is_refused():
    with pytest.raises(RequestError, match=r"relu has no forward\.gain"):
        judged("1", "forward.gain", request=Request(std=0))
