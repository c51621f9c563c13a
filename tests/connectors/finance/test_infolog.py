"""What is told of a refusal: the columns and a reason, and no word of what was entered."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagline.connectors.finance.infolog import REASONS, error_of, reason_in
from tagline.connectors.messages import Answer

NAMES = ("CurrencyCode", "CustomerGroupId", "OrderingCustomerAccountNumber", "SalesOrderName")


def answer(inner: str, message: str = "An error has occurred.") -> Answer:
    body = {
        "error": {
            "code": "",
            "message": message,
            "innererror": {"message": inner, "type": "", "stacktrace": ""},
        }
    }
    return Answer(400, {}, json.dumps(body).encode())


def infolog(*items: str) -> str:
    return f"Write failed for table row of type 'SalesOrderHeaderV2Entity'. Infolog: {'; '.join(items)}."


@pytest.mark.parametrize(
    ("items", "told"),
    [
        (
            ("Warning: Field 'Currency code' must be filled in.", "Error: validateWrite failed."),
            " about CurrencyCode: it must be filled in",
        ),
        (
            ("Error: The value 'canary' in field 'Customer group' is not found in the related table 'Customer groups'.",),
            " about CustomerGroupId: it names no row that exists",
        ),
        (("Error: OrderingCustomerAccountNumber canary does not exist.",), " about OrderingCustomerAccountNumber: it names no row that exists"),
        (("Error: The order cannot be changed because it is invoiced.",), ": it may not be changed any more"),
        (("Fehler: Das Feld muss ausgefüllt werden.",), ""),
    ],
)  # fmt: skip
def test_columns_and_reason_are_told_and_no_value(items, told):
    clue, text = error_of(answer(infolog(*items)))
    assert (clue, reason_in(text, NAMES)) == ("infolog", told)


def test_a_key_that_is_taken_is_told_apart():
    assert error_of(answer(infolog("Error: The record already exists.")))[0] == "exists"


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_body_is_too_strange(body):
    assert error_of(Answer(400, {}, body))[0] in ("", "infolog", "exists", "resource")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["error", "message", "innererror", "x"]), inner, max_size=3)
        ),
        max_leaves=8,
    ),
    st.text(max_size=200),
)
def test_whatever_a_refusal_says_only_columns_and_known_reasons_are_told(body, noise):
    clue, text = error_of(Answer(400, {}, json.dumps({"error": body}).encode()))
    told = reason_in(f"{text} {noise}", NAMES)
    for word in (*NAMES, *(reason for reason, _ in REASONS)):
        told = told.replace(word, "")
    assert set(told) <= set(" about,:")
    assert clue in ("", "infolog", "exists", "resource")
