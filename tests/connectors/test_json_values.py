import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagline.connectors import json_values

decimals = st.decimals(
    allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=10
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | decimals,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(values)
def test_what_is_dumped_is_parsed_as_the_same_value(value):
    assert value == json_values.parse(json_values.dump(value))


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9))
def test_a_decimal_travels_as_a_plain_number_with_all_its_digits(number):
    text = json_values.dump(number)
    assert "e" not in text.lower()
    assert Decimal(text) == number


def test_a_fraction_is_never_a_float():
    assert json_values.parse('{"a": 0.10}') == {"a": Decimal("0.10")}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('{"a": 1, "a": 2}', id="member-twice"),
        pytest.param("[" * 60 + "]" * 60, id="deep"),
        pytest.param("[" * 200_000, id="very-deep"),
        pytest.param("[1e9999999]", id="huge-number"),
        pytest.param("[NaN]", id="nan"),
        pytest.param("<html>", id="html"),
        pytest.param(b"\xff\xfe\xfd", id="no-text"),
        pytest.param("[" + "9" * 10_000 + "]", id="endless-integer"),
        pytest.param("[" + "9" * 200 + "]", id="huge-integer"),
        pytest.param('"\\ud800"', id="half-a-character"),
        pytest.param('{"a\\uDC00": 1}', id="half-a-character-in-a-name"),
        pytest.param(b'"\xed\xa0\x80"', id="half-a-character-in-bytes"),
        pytest.param("[" + "0," * 2_000_001 + "0]", id="endless-list"),
        pytest.param(b"", id="empty"),
        pytest.param("\ufeff{}", id="mark-in-a-text"),
    ],
)
def test_hostile_json_is_refused(text):
    with pytest.raises(ValueError):
        json_values.parse(text)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32-be"])
def test_every_encoding_of_json_is_read(encoding):
    assert json_values.parse('{"ä": "\U0001f600"}'.encode(encoding)) == {"ä": "\U0001f600"}


def test_two_halves_of_a_character_are_one():
    assert json_values.parse('"\\ud83d\\ude00"') == "\U0001f600"


@given(st.binary(max_size=60) | st.text(max_size=60))
def test_whatever_comes_is_parsed_or_refused(text):
    try:
        value = json_values.parse(text)
    except ValueError:
        return
    str(value).encode()


def test_depth_is_counted_in_containers():
    assert json_values.parse("[[1]]", max_depth=2) == [[1]]
    with pytest.raises(ValueError, match="deeper than 1"):
        json_values.parse("[[1]]", max_depth=1)


@pytest.mark.parametrize("value", [Decimal("NaN"), 1.5, {1, 2}])
def test_what_has_no_exact_json_form_is_refused(value):
    with pytest.raises(ValueError):
        json_values.dump(value)


def test_plain_json_reads_what_we_write():
    assert json.loads(json_values.dump({"ä": [Decimal("1.50"), None]})) == {"ä": [1.5, None]}


@pytest.mark.parametrize("inner", ["", "1", '"x"'], ids=["empty", "number", "text"])
def test_nesting_is_bounded_exactly(inner: str):
    assert json_values.parse("[" * 3 + inner + "]" * 3, max_depth=3)
    with pytest.raises(ValueError, match="deeper than 3"):
        json_values.parse("[" * 4 + inner + "]" * 4, max_depth=3)
