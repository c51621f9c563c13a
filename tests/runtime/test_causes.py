"""Letters of one cause are one line, whatever their record, amounts and names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagline.runtime.causes import LONGEST, fingerprint, pattern


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("no active product has the number 'ABC-1', 'X'", "no active product has the number *"),
        ("no active product has the number 'ABC'", "no active product has the number *"),
        (
            "the order's total 12.50 differs from the shop's 13",
            "the order's total * differs from the shop's *",
        ),
        ("order AB-41007 (3fa85f64-5717-4562-b3fc-2c963f66afa6) is locked", "order * (*) is locked"),
        ("mail someone@shop.example is shared", "mail * is shared"),
        ('it said "it\'s gone" and `x`', "it said *"),
        ("OrderAmount is not the sum of rows", "OrderAmount is not the sum of rows"),
        ("", ""),
    ],
    ids=["list", "one", "apostrophes", "ids", "mail", "quotes", "constant", "empty"],
)
def test_what_varies_is_taken_out_of_a_message(message: str, shown: str) -> None:
    assert pattern(message) == shown


def test_a_key_that_is_a_word_is_taken_out_too() -> None:
    assert pattern("record ABC ended, ABCD not", "ABC") == "record * ended, ABCD not"


def test_a_message_of_any_length_is_looked_at_in_no_time() -> None:
    """Remotes answer with as much as they like, and such a message comes with every record."""
    for part in (" 'x", "a@", "x'", "1", "* , "):
        assert len(pattern(part * 100_000)) <= LONGEST


WORDS = st.text("abcdefgh XYZ", max_size=20)


@given(WORDS, st.integers(0, 10**9), st.integers(0, 10**9), WORDS, WORDS)
def test_numbers_and_quoted_values_make_no_other_cause(
    text: str, one: int, other: int, sku: str, another: str
) -> None:
    of = [f"{text} {number}: no product '{name}'" for number, name in ((one, sku), (other, another))]
    assert len({fingerprint("i", "f", "c", message) for message in of}) == 1


@given(st.integers(0, 99), st.integers(0, 99))
def test_the_place_in_a_list_makes_no_other_cause(one: int, other: int) -> None:
    fields = [f"OrderItemList[{one}].ItemID", f"OrderItemList[{other}].ItemID", f"OrderItemList.{one}.ItemID"]
    marks = {fingerprint("i", "f", "c", "m", [{"field": f, "rule": "r", "reason": f}]) for f in fields}
    assert marks == {fingerprint("i", "f", "c", "m", [{"field": "OrderItemList[].ItemID", "rule": "r"}] * 2)}


@pytest.mark.parametrize(
    "changed",
    [
        ("j", "f", "c", "m", []),
        ("i", "g", "c", "m", []),
        ("i", "f", "d", "m", []),
        ("i", "f", "c", "n", []),
        ("i", "f", "c", "m", [{"field": "x"}]),
        ("i", "f", "c", "m", [{"rule": "x"}]),
    ],
    ids=["integration", "flow", "code", "message", "field", "rule"],
)
def test_everything_else_makes_another_cause(changed) -> None:
    assert fingerprint(*changed) != fingerprint("i", "f", "c", "m", [])
