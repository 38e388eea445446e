"""Published numbers as text: what their digits claim, and the short numbers behind long ones."""

import math
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from normcal import literal, yamlfile
from normcal.errors import RequestError
from normcal.literal import BFLOAT16, DECIMAL, DOUBLE, FORMATS, FORMULA, HALF, SINGLE, WHOLE, read, short

STEADY = settings(derandomize=True, database=None, deadline=None)

#: (text, kind, significant digits, half of what the last one is worth)
READ = [
    ("0.5838", DECIMAL, 4, 0.5e-4),
    ("0.5840", DECIMAL, 4, 0.5e-4),
    ("00.5840", DECIMAL, 4, 0.5e-4),
    ("-1.4850", DECIMAL, 5, 0.5e-4),
    ("1.5e-3", DECIMAL, 2, 0.5e-4),
    ("1.50E+2", DECIMAL, 3, 0.5),
    (".25", DECIMAL, 2, 0.5e-2),
    ("0.0000", DECIMAL, 4, 0.5e-4),
    ("0.6", WHOLE, 1, None),
    ("1", WHOLE, 1, None),
    ("1.0", WHOLE, 2, None),
    ("1.", WHOLE, 1, None),
    ("32000", WHOLE, 5, None),
    ("1.00", DECIMAL, 3, 0.5e-2),
    ("1.7139588594436646", SINGLE, 17, 2.0**-24),
    ("1.70590341091156", SINGLE, 15, 2.0**-24),
    ("1.712890625", HALF, 10, 2.0**-11),
    ("0.58203125", BFLOAT16, 8, 2.0**-9),
    ("1.71875", BFLOAT16, 6, 2.0**-8),
    ("0.00390625", DECIMAL, 6, 0.5e-8),
    ("1.125", DECIMAL, 4, 0.5e-3),
    ("0.500000000000", DECIMAL, 12, 0.5e-12),
    ("1.679176792", DECIMAL, 10, 0.5e-9),
    ("1.6791767923989418", DOUBLE, 17, 4 * 2.0**-52),
    ("1.679176792398942", DOUBLE, 16, 4 * 2.0**-52),
    ("1.67917679239894", DECIMAL, 15, 0.5e-14),
    ("sqrt(2)", FORMULA, 17, None),
    ("5/3", FORMULA, 17, None),
    ("1/2", FORMULA, 1, None),
]


@pytest.mark.parametrize(("text", "kind", "digits", "half"), READ, ids=[case[0] for case in READ])
def test_a_number_claims_what_its_digits_say(text, kind, digits, half):
    found = read(text)
    assert (found.text, found.kind, found.digits) == (text, kind, digits)
    expected = 4 * 2.0**-52 * abs(found.value) if half is None else half
    assert found.half == pytest.approx(expected, rel=1e-8)


def test_a_number_of_a_file_keeps_the_zeros_it_was_written_with():
    document = yamlfile.parse("a: 0.5840\nb: 2\nc: '0.50'\nd: 1.0", "x.yaml")
    assert [read(document.data[key]).text for key in "abcd"] == ["0.5840", "2", "0.50", "1.0"]


def test_a_formula_may_have_names():
    assert read("sqrt(1/p)", {"p": 0.25}).value == 2.0


@STEADY
@given(st.floats(min_value=2.0**-90, max_value=2.0**10, width=32))
def test_a_single_precision_number_written_out_is_seen_as_one(value):
    text = repr(value)
    found = read(text)
    if found.kind in FORMATS:
        assert struct.unpack("f", struct.pack("f", found.value))[0] == found.value
    digits = text.partition("e")[0].replace(".", "").strip("0")
    assert found.kind in FORMATS or len(digits) < literal.SINGLE_DIGITS
    assert found.kind != SINGLE or len(digits) >= literal.SINGLE_DIGITS


@STEADY
@given(st.floats(min_value=2.0**-9, max_value=2.0**9, width=16))
def test_a_half_precision_number_written_out_is_no_decimal(value):
    found = read(repr(value))
    assert found.kind in (WHOLE, DECIMAL, HALF, BFLOAT16, SINGLE)
    assert found.kind not in (HALF, BFLOAT16) or found.half >= 2.0**-12 * value


@STEADY
@given(st.text(st.sampled_from("0123456789.eE+-*/()_ sqrtpina"), max_size=20))
def test_any_text_is_a_finite_number_or_refused(text):
    try:
        found = read(text)
    except RequestError as error:
        assert error.hint.startswith("Accepted: ")
    else:
        assert math.isfinite(found.value)
        assert found.half >= 0.0
        assert found.digits >= 1 or found.value == 0.0


@pytest.mark.parametrize(
    "written",
    ["", "nan", "inf", "1e400", "-1e999", "one", "1/0", "__import__('os')", "1__", True, None, [1], float("nan"),
     float("inf"), 10**500, "9" * 1000, "1 2"],
    ids=repr,
)  # fmt: skip
def test_what_is_no_finite_number_is_refused(written):
    with pytest.raises(RequestError):
        read(written)


#: (text, the short number behind)
SHORT = [
    ("1.6666666666666667", "1/0.6"),
    ("1.666666666", "1/0.6"),
    ("5/3", "1/0.6"),
    ("1.6778523489932886", "1/0.596"),
    ("1.4142135623730951", "sqrt(2)"),
    ("0.7071067811865476", "sqrt(0.5)"),
    ("sqrt(3.41)", "sqrt(3.41)"),
    ("1/(0.596*0.596)", "1/0.596^2"),
    ("0.4371", None),
    ("0.437100000000", "0.4371"),
    ("1.6791767923989418", None),
    ("1.7139588594436646", None),
    ("4.803835391998291", None),
    ("0", None),
]


@pytest.mark.parametrize(("text", "behind"), SHORT, ids=[case[0] for case in SHORT])
def test_the_short_number_behind_a_long_one_is_found(text, behind):
    found = short(read(text))
    assert (found and str(found)) == behind


@STEADY
@given(st.floats(min_value=0.1, max_value=10.0).map(lambda value: read(repr(value))))
def test_a_short_number_gives_the_long_one_back(number):
    found = short(number)
    if found:
        assert read(str(found).replace("^2", "")) is not None
        assert abs(found.back(number.value) - found.number) <= 1e-9 * found.number


def test_random_numbers_have_no_short_number_behind():
    from random import Random

    draw = Random(1)
    numbers = [read(repr(draw.uniform(0.2, 5.0))) for _ in range(2000)]
    singles = [read(repr(struct.unpack("f", struct.pack("f", number.value))[0])) for number in numbers]
    assert sum(short(number) is not None for number in numbers + singles) <= 8
