"""Keys are safe in an address, tell different records apart, and stay readable."""

import string
from datetime import UTC, datetime
from decimal import Decimal
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tagline.errors import RecordError
from tagline.mapping.transforms import email_key, safe_key

SAFE = set(string.ascii_lowercase + string.digits + "-_~")

# Short texts out of awkward characters, so that two of them meet often enough to collide if they could.
AWKWARD = st.text(alphabet="aAbB1-_~. +@'#/%&:\\?*<>äÄßİ\u0131K\u212a\ud800", max_size=6)
PARTS = st.lists(st.one_of(AWKWARD, st.text(max_size=60), st.integers()), min_size=1, max_size=4)


def as_text(parts: list[str | int]) -> list[str]:
    return [str(part) for part in parts]


@pytest.mark.parametrize(
    ("parts", "key"),
    [
        (("3dcart", 1042), "3dcart-1042"),
        (("3dcart", 1042, 7), "3dcart-1042-7"),
        (("AB-", 1), "~a~b_2d-1"),
        (("kim+shop@mail.test",), "kim_2bshop_40mail_2etest"),
        (("é",), "_c3_a9"),
        (("",), "_"),
        (("a", ""), "a-_"),
        (("", "a"), "_-a"),
        ((-5,), "_2d5"),
    ],
)
def test_keys_read_like_what_they_are_made_of(parts, key):
    assert safe_key(*parts) == key


@given(PARTS)
def test_a_key_needs_no_escaping_in_an_address_and_fits_its_column(parts):
    key = safe_key(*parts)
    assert set(key) <= SAFE
    assert quote(key, safe="") == key
    assert 1 <= len(key) <= 100
    assert not key.startswith("-")
    assert not key.endswith("-")


@given(PARTS, PARTS)
@example(["a"], ["A"])
@example(["a", ""], ["a"])
@example(["", ""], [""])
@example(["_"], [""])
@example(["a-b"], ["a", "b"])
@example(["~a"], ["A"])
@example(["_41"], ["A"])
@example(["a" * 101], ["a" * 102])
@example(["a" * 200], ["A" * 200])
@example(["K"], ["\u212a"])
def test_different_parts_never_give_keys_that_are_equal_without_case(one, other):
    equal = safe_key(*one).casefold() == safe_key(*other).casefold()
    assert equal == (as_text(one) == as_text(other))


def test_a_long_key_cannot_be_mistaken_for_a_short_one():
    long = safe_key("a" * 500)
    assert len(long) == 100
    assert long.startswith("a" * 30)
    assert safe_key(long) != long


@pytest.mark.parametrize("part", [None, True, 1.5, Decimal(1), b"a", datetime(2026, 1, 1, tzinfo=UTC)])
def test_a_part_without_one_text_is_refused_and_not_told(part):
    with pytest.raises(RecordError) as caught:
        safe_key("shop", part)
    assert caught.value.code == "key-part-unfit"
    assert caught.value.message == f"part 2 of a key is a {type(part).__name__}"


def test_a_key_of_nothing_is_refused():
    with pytest.raises(RecordError, match="at least one part"):
        safe_key()


@pytest.mark.parametrize(
    ("email", "key"),
    [
        ("  Kim@Mail.TEST ", "kim@mail.test"),
        ("kim+shop@mail.test", "kim+shop@mail.test"),
        ("JOSE\u0301@mail.test", "josé@mail.test"),
        ("straße@mail.test", "straße@mail.test"),
        ("", ""),
        (None, ""),
    ],
)
def test_an_address_is_recognised_however_it_is_typed(email, key):
    assert email_key(email) == key


@given(st.text())
def test_normalising_an_address_twice_changes_nothing_more(email):
    assert email_key(email_key(email)) == email_key(email)
