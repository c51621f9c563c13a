from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagline.connectors.shift4shop.parse import MalformedError, order_id, to_instant, to_order

NEW_YORK = ZoneInfo("America/New_York")


def make_raw(**changes):
    return {
        "OrderID": 7,
        "InvoiceNumber": "1001",
        "OrderDate": "2026-03-01T10:00:00",
        "LastUpdate": "2026-03-01T10:05:00",
        "OrderStatusID": 1,
        "BillingFirstName": "Ada ",
        "CardNumber": "XXXX-XXXX-XXXX-4242",
        "CardVerification": "canary-cvv",
        "ShipmentList": [
            {"ShipmentID": 0, "ShipmentCost": Decimal("5.0"), "ShipmentTrackingCode": "1Z" + " " * 48}
        ],
        "OrderItemList": [{"ItemIndexID": 3, "ItemUnitPrice": Decimal("9.9"), "Unknown": 1}],
        "TransactionList": [{"TransactionIndexID": 1, "TransactionCVV2": "canary-cvv"}],
        "OrderAmount": Decimal("14.9"),
        **changes,
    }


def faults(raw, **kwargs):
    with pytest.raises(MalformedError) as caught:
        to_order(raw, NEW_YORK, "USD", **kwargs)
    return caught.value.faults


def test_an_order_is_typed_trimmed_and_knows_its_currency():
    order = to_order(make_raw(), NEW_YORK, "USD")
    assert (
        order.BillingFirstName,
        order.InvoiceNumber,
        order.ShipmentList[0].ShipmentTrackingCode,
    ) == ("Ada", 1001, "1Z")
    assert (Decimal("14.9"), "USD") == (order.OrderAmount, order.store_currency)
    assert order.OrderDate == datetime(2026, 3, 1, 15, 0, tzinfo=UTC)


def test_card_data_does_not_survive_the_edge():
    order = to_order(make_raw(), NEW_YORK, "USD")
    assert "canary" not in repr(order) + order.model_dump_json()
    assert "4242" not in repr(order)


def test_null_means_blank():
    order = to_order(make_raw(ShipmentList=None, OrderAmount=None, BillingEmail=None), NEW_YORK, "USD")
    assert ((), Decimal(0), "") == (order.ShipmentList, order.OrderAmount, order.BillingEmail)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        pytest.param("2026-01-15T12:00:00", datetime(2026, 1, 15, 17, tzinfo=UTC), id="winter"),
        pytest.param("2026-07-15T12:00:00", datetime(2026, 7, 15, 16, tzinfo=UTC), id="summer"),
        pytest.param(
            "2026-11-01T01:30:00", datetime(2026, 11, 1, 5, 30, tzinfo=UTC), id="repeated-hour-is-the-first"
        ),
        pytest.param("2026-03-08T02:30:00", datetime(2026, 3, 8, 7, 30, tzinfo=UTC), id="skipped-hour"),
        pytest.param("01/15/2026 12:00", datetime(2026, 1, 15, 17, tzinfo=UTC), id="vendor-sample"),
        pytest.param(
            "2026-01-15T12:00:00.250", datetime(2026, 1, 15, 17, 0, 0, 250000, tzinfo=UTC), id="fraction"
        ),
        pytest.param("  ", None, id="blank"),
        pytest.param(
            "2026-03-01T10:00:00.1234567",
            datetime(2026, 3, 1, 15, 0, 0, 123456, tzinfo=UTC),
            id="long-fraction",
        ),
        pytest.param("2026-03-01T10:00:00Z", datetime(2026, 3, 1, 10, tzinfo=UTC), id="utc"),
        pytest.param("2026-03-01T10:00:00+02:00", datetime(2026, 3, 1, 8, tzinfo=UTC), id="offset"),
    ],
)
def test_store_local_times_become_instants(text, instant):
    assert instant == to_instant(text, NEW_YORK)


@pytest.mark.parametrize(
    "text",
    [
        "20260301",
        "2026-W10-1",
        "2026-03-01T1",
        "2026-03-01T10:00:00+99:99",
        "9999-12-31T23:59:59-01:00",
        5,
        [],
    ],
)
def test_what_is_no_time_of_the_shop_is_none(text):
    with pytest.raises(ValueError, match="no date and time"):
        to_instant(text, NEW_YORK)


@given(st.integers(946_684_800, 2_208_988_800))
def test_an_instant_written_store_local_is_read_back_outside_the_repeated_hour(timestamp):
    instant = datetime.fromtimestamp(timestamp, UTC)
    local = instant.astimezone(NEW_YORK)
    read = to_instant(f"{local:%Y-%m-%dT%H:%M:%S}", NEW_YORK)
    assert read == instant or (local.fold == 1 and (instant - read).total_seconds() == 3600)


def test_every_wrong_field_is_named_and_no_value():
    found = faults(
        make_raw(
            OrderDate="canary",
            OrderAmount="canary",
            OrderItemList=[{"ItemUnitPrice": "canary"}],
            BillingState="canary" * 100,
        )
    )
    assert {"OrderDate", "OrderAmount", "OrderItemList.0.ItemUnitPrice", "BillingState"} == {
        f["field"] for f in found
    }
    assert "canary" not in str(found)
    assert all(f["reason"] for f in found)


@pytest.mark.parametrize("raw", [None, [], "x", 5], ids=str)
def test_what_is_no_object_is_malformed(raw):
    assert faults(raw)


@pytest.mark.parametrize("value", [None, 0, -3], ids=str)
def test_an_order_without_id_is_malformed(value):
    assert [f["field"] for f in faults(make_raw(OrderID=value))] == ["OrderID"]


def test_only_the_fields_that_matter_need_to_be_well_formed():
    order = to_order(make_raw(OrderAmount="broken"), NEW_YORK, "USD", only=["OrderStatusID"])
    assert order.OrderStatusID == 1


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_any_json_is_either_an_order_or_malformed(value):
    for field in ("OrderID", "OrderDate", "OrderAmount", "ShipmentList", "BillingEmail"):
        try:
            to_order(make_raw(**{field: value}), NEW_YORK, "USD")
        except MalformedError as error:
            assert error.faults  # noqa: PT017 - both ways are right


@pytest.mark.parametrize(
    ("value", "key"),
    [
        (5, "5"),
        ("5", "5"),
        (" 05 ", "5"),
        (0, None),
        (True, None),
        ("x", None),
        ("²", None),
        (None, None),
        (1.5, None),
    ],
    ids=str,
)
def test_an_order_id_is_a_positive_whole_number(value, key):
    assert key == order_id(value)
