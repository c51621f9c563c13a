"""Webhook bodies in the forms that were captured from live organisations, and in those that nobody sent yet."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagline.connectors.dataverse import Account, SalesOrder
from tagline.connectors.dataverse.context import MAX_BYTES, Told, read_context
from tagline.domain.exchange import Change, Request
from tagline.errors import RecordError

ONE = "00000000-0000-0000-0000-000000000001"
NOBODY = "00000000-0000-0000-0000-000000000000"
AT = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)
MS = int(AT.timestamp() * 1000)


def context(**changes):
    told = {
        "MessageName": "Update",
        "PrimaryEntityName": "account",
        "PrimaryEntityId": ONE,
        "OperationCreatedOn": f"/Date({MS})/",
        "Stage": 40,
        "Mode": 1,
        "InputParameters": [{"key": "Target", "value": {"Id": ONE, "LogicalName": "account"}}],
        "ParentContext": None,
        **changes,
    }
    return {name: value for name, value in told.items() if value != "absent"}


def read(headers=(), **changes):
    return read_context(json.dumps(context(**changes)).encode(), dict(headers))


def test_a_delivery_tells_what_happened_to_which_row_and_when():
    assert read() == Told("Update", "account", ONE, AT)


@pytest.mark.parametrize(
    "date",
    [
        f"/Date({MS})/",
        f"/Date({MS - 3 * 3600_000}+0300)/",
        f"/Date({MS + 7 * 3600_000}-0700)/",
        {"__type": "DateTime:#System", "__value": f"/Date({MS})/"},
    ],
    ids=["utc", "east", "west", "boxed"],
)
def test_every_form_of_a_date_is_the_same_instant(date):
    assert read(OperationCreatedOn=date).at == AT


@pytest.mark.parametrize(
    "date", ["absent", None, 7, "", "/Date(x)/", "/Date(999999999999999)/", {"__value": 7}]
)
def test_a_date_that_cannot_be_read_is_left_out(date):
    assert read(OperationCreatedOn=date).at is None


TARGET = [{"key": "x"}, 7, {"key": "Target", "value": {"__type": "EntityReference:…", "Id": ONE}}]


@pytest.mark.parametrize(
    "changes",
    [
        {"PrimaryEntityId": {"__type": "Guid:#System", "__value": ONE}},
        {"PrimaryEntityId": "absent", "InputParameters": TARGET},
        {"PrimaryEntityId": NOBODY, "InputParameters": TARGET},
        {"PrimaryEntityId": NOBODY, "InputParameters": 7, "OutputParameters": [{"key": "id", "value": ONE}]},
        {"InputParameters": "absent"},
    ],
    ids=["boxed", "by-reference", "not-yet-made", "made", "size-exceeded"],
)
def test_the_row_is_found_where_it_stands(changes):
    assert read(**changes).row_id == ONE


def test_names_that_a_body_lacks_are_taken_from_the_headers():
    headers = {"x-ms-dynamics-entity-name": "Account", "x-ms-dynamics-request-name": "Create"}
    told = read(headers, MessageName="absent", PrimaryEntityName=None)
    assert (told.message, told.entity) == ("Create", "account")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>canary",
        b"[]",
        b"7",
        json.dumps(context(MessageName="absent")).encode(),
        json.dumps(context(PrimaryEntityName="absent")).encode(),
        json.dumps(context(PrimaryEntityId="canary", InputParameters=None)).encode(),
        b'{"a":' * 70 + b"1" + b"}" * 70,
        b" " * (MAX_BYTES + 1),
        b'{"MessageName":"a","MessageName":"b"}',
    ],
    ids=["empty", "html", "list", "number", "no-message", "no-table", "no-row", "deep", "large", "twice"],
)
def test_what_is_no_context_says_why_and_quotes_nothing(body):
    with pytest.raises(ValueError) as caught:
        read_context(body, {})
    assert str(caught.value)
    assert "canary" not in str(caught.value)


# --- through the client


@pytest.fixture
def hint(make_dataverse):
    client = make_dataverse(lambda r: pytest.fail("sent"))

    def understand(body, headers=()):
        return client.hint(Request("POST", "/hooks/x", {}, dict(headers), body))

    return understand


@pytest.mark.parametrize(("message", "is_gone"), [("Create", False), ("Update", False), ("Delete", True)])
def test_a_hint_names_the_record_by_its_id(hint, message, is_gone):
    body = json.dumps(context(MessageName=message, PrimaryEntityName="salesorder")).encode()
    assert hint(body) == [Change(SalesOrder, ONE, at=AT, is_gone=is_gone)]


def test_a_row_has_one_key_however_its_id_is_written(hint):
    upper = "AAAAAAAA-0000-0000-0000-00000000000A"
    assert hint(json.dumps(context(PrimaryEntityId=upper)).encode()) == [
        Change(Account, upper.lower(), at=AT)
    ]


def test_a_table_without_events_is_refused(hint):
    with pytest.raises(RecordError) as caught:
        hint(json.dumps(context(PrimaryEntityName="canary")).encode())
    assert caught.value.code == "webhook-malformed"
    assert "canary" not in str(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
CONTEXT = st.fixed_dictionaries(
    {},
    optional={
        name: JSON | st.sampled_from([ONE, "account", "Update", f"/Date({MS}+9999)/", {"__value": [ONE]}])
        for name in (*context(), "OutputParameters")
    },
)


@given(told=JSON | CONTEXT)
def test_any_json_is_a_hint_or_a_record_error(told):
    """What the intake does with a `RecordError` is known; anything else would cost the sender its event."""
    try:
        news = read_context(json.dumps(told).encode(), {})
    except ValueError:
        return
    assert isinstance(news, Told)


@given(body=st.binary(max_size=64))
def test_any_bytes_are_a_hint_or_a_record_error(body):
    with pytest.raises(ValueError):
        read_context(body, {})
