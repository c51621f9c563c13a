"""Business events as endpoints are told of them: which row, and nothing more is believed."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagline.connectors.finance import Finance, PurchaseOrderHeader, SalesOrderHeader
from tagline.connectors.finance.events import EVENTS, read_event
from tagline.domain.exchange import Change, Request
from tagline.domain.system import Trigger, connection
from tagline.errors import RecordError, UsageError

CONFIRMED = {
    "BusinessEventId": "PurchaseOrderConfirmedBusinessEvent",
    "ControlNumber": 5637166327,
    "EventId": "c1a4c2f6-0000-4000-8000-000000000000",
    "EventTime": "/Date(1773144000000)/",
    "LegalEntity": "USMF",
    "PurchaseOrderNumber": "00000049",
    "VendorAccount": "canary",
}


def told(finance, body):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return finance.hint(Request("POST", "/hooks", {}, {}, content))


def test_the_row_of_an_event_is_told(finance):
    assert told(finance, CONFIRMED) == [
        Change(PurchaseOrderHeader, "00000049", at=datetime(2026, 3, 10, 12, tzinfo=UTC))
    ]
    other = CONFIRMED | {"PurchaseOrderNumber": None, "PurchId": "P1", "EventTime": "2026-03-10T12:00:00Z"}
    assert told(finance, other) == [
        Change(PurchaseOrderHeader, "P1", at=datetime(2026, 3, 10, 12, tzinfo=UTC))
    ]


def test_an_event_of_another_company_is_none_of_ours(finance):
    assert told(finance, CONFIRMED | {"LegalEntity": "DEMF"}) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<canary>",
        [],
        {},
        CONFIRMED | {"BusinessEventId": "Canary"},
        CONFIRMED | {"PurchaseOrderNumber": 5},
        CONFIRMED | {"PurchaseOrderNumber": "canary" * 100},
        CONFIRMED | {"PurchaseOrderNumber": "a\nb"},
    ],
)
def test_a_body_of_another_kind_is_malformed_and_never_shown(finance, body):
    with pytest.raises(RecordError) as caught:
        told(finance, body)
    assert caught.value.code == "webhook-malformed"
    assert "canary" not in str(caught.value)


@given(
    st.dictionaries(
        st.sampled_from([*CONFIRMED, "SalesId", "x"]),
        st.none() | st.integers() | st.text(max_size=10) | st.sampled_from(list(CONFIRMED.values())),
    )
)
def test_no_event_is_too_strange(body):
    try:
        change = read_event(json.dumps(body).encode(), "usmf")
    except ValueError as error:
        assert "canary" not in str(error)  # noqa: PT017 - both ends are fine
    else:
        assert change is None or change.model is PurchaseOrderHeader


def test_every_event_is_a_trigger_of_its_model():
    erp = connection(Finance)
    triggers = [value for name in vars(Finance) if isinstance(value := getattr(erp, name), Trigger)]
    assert {t.event: t.model for t in triggers} == {name: event.model for name, event in EVENTS.items()}
    assert erp.sales_order_confirmed == Trigger(erp, "sales-order-confirmed", SalesOrderHeader)


def test_events_are_an_administrators_to_activate_and_an_unknown_one_is_named(finance, environment):
    assert finance.subscribe(list(EVENTS), "https://hooks.test/hooks/flow/erp") == []
    assert finance.unsubscribe("https://hooks.test") == []
    assert environment.asked == []
    with pytest.raises(UsageError) as caught:
        finance.subscribe(["sales-order-dreamt"], "https://hooks.test")
    assert caught.value.code == "event-unknown"
