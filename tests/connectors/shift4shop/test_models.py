"""Records as the shop may send them: whatever comes is a record or malformed, and never anything else."""

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagline.connectors.shift4shop import Customer, Order, Product, Rma, Transaction, models
from tagline.connectors.shift4shop.parse import MalformedError, to_instant, to_local, to_record
from tagline.connectors.shift4shop.resources import RESOURCES
from tagline.connectors.shift4shop.store import address_of, address_of_record
from tagline.domain.model import columns
from tagline.domain.scrub import SECRET_FIELDS

NEW_YORK = ZoneInfo("America/New_York")
ZONES = [
    NEW_YORK,
    *map(ZoneInfo, ("Europe/London", "Australia/Lord_Howe", "America/St_Johns", "Asia/Kolkata")),
]


def record(model, **fields):
    return to_record(model, fields, NEW_YORK, "USD")


INSTANTS = st.integers(946_684_800, 2_208_988_800).map(lambda s: datetime.fromtimestamp(s, UTC))
"""Of the years 2000 to 2039."""
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
    | st.sampled_from(
        ["", " ", "NaN", "Infinity", "1e999999999", "0", "-1", "1.5", "True", "2026-03-10T07:00:00"]
    )
)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


def model_or_faults(model, row):
    try:
        return to_record(model, row, NEW_YORK, "USD")
    except MalformedError as error:
        return error.faults


@st.composite
def rows(draw):
    """A model and an object with some of its fields, each of any value."""
    model = draw(st.sampled_from(list(RESOURCES)))
    names = st.sampled_from(["SKUInfo", *model.model_fields])
    return model, draw(st.dictionaries(names, JSON, max_size=8))


@given(rows())
@settings(max_examples=200, deadline=None)
def test_any_json_is_a_record_or_malformed(drawn):
    model, row = drawn
    told = model_or_faults(model, row)
    assert isinstance(told, model) or (told and all(set(f) == {"field", "reason"} for f in told))


@given(JSON)
def test_what_is_no_object_is_malformed(value):
    for model in (Product, Customer):
        if not isinstance(value, dict):
            with pytest.raises(MalformedError):
                to_record(model, value, NEW_YORK, "USD")


@given(zone=st.sampled_from(ZONES), instant=INSTANTS)
def test_a_time_that_is_written_is_read_as_the_same_local_time(zone, instant):
    """As the same instant, too, but in the hour that clocks repeat: there it is the first of the two."""
    read = to_instant(to_local(instant, zone), zone)
    assert to_local(read, zone) == to_local(instant, zone)
    if not instant.astimezone(zone).fold:
        assert read == instant


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-10T07:00:00", "2026-03-10T11:00:00"),
        (" 03/10/2026 07:00:00 ", "2026-03-10T11:00:00"),
        ("03/10/2026 07:00", "2026-03-10T11:00:00"),
        ("3/10/2026 7:00:05 AM", "2026-03-10T11:00:05"),
        ("3/9/2026 12:00:00 AM", "2026-03-09T04:00:00"),
        ("3/9/2026", "2026-03-09T04:00:00"),
        ("2026-03-08T02:30:00", "2026-03-08T07:30:00"),  # clocks go forward over it
        ("2026-11-01T01:30:00", "2026-11-01T05:30:00"),  # comes twice: the first
    ],
)
def test_times_are_read_in_every_form_that_was_seen(text, expected):
    assert to_instant(text, NEW_YORK) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["yesterday", "13/13/2026", "2026-02-30T00:00:00", "0", 5, True, [], "9999-99-99"]
)
def test_what_is_no_time_is_named_with_its_place_and_without_its_value(text):
    order = {"OrderID": 1, "TransactionList": [{"TransactionDateTime": text}]}
    with pytest.raises(MalformedError) as caught:
        to_record(Order, order, NEW_YORK, "USD")
    assert caught.value.faults == (
        {"field": "TransactionList.0.TransactionDateTime", "reason": "it is no date and time"},
    )


def test_blank_quoted_and_padded_values_are_read():
    product = record(
        Product,
        CatalogID="7",
        SKU=12345,
        Price=" 10.50 ",
        Stock="",
        OnSale="",
        Hide="True",
        Weight=None,
        Name=" Tea ",
    )
    assert (product.CatalogID, product.SKU, product.Price, product.Stock) == (7, "12345", Decimal("10.50"), 0)
    assert (product.OnSale, product.Hide, product.Weight, product.Name) == (False, True, 0, "Tea")


@pytest.mark.parametrize("value", ["ten", "NaN", "Infinity", "1e999999", True, [], {}])
def test_what_is_no_number_is_malformed(value):
    with pytest.raises(MalformedError) as caught:
        record(Product, CatalogID=7, Price=value)
    assert [fault["field"] for fault in caught.value.faults] == ["Price"]


def test_times_deep_in_a_record_are_instants():
    order = record(Order, OrderID=1, TransactionList=[{"TransactionDateTime": "2026-07-01T12:00:00"}])
    assert order.TransactionList[0].TransactionDateTime == datetime(2026, 7, 1, 16, tzinfo=UTC)
    assert record(Rma, RMAID=1, RmaDate="7/1/2026").RmaDate == datetime(2026, 7, 1, 4, tzinfo=UTC)


@pytest.mark.parametrize(
    ("record", "key"),
    [
        (Product(CatalogID=7), "7"),
        (Customer(CustomerID=5), "5"),
        (Transaction(OrderID=10, TransactionIndexID=4), "10/4"),
        (models.Shipment(OrderID=10, ShipmentID=0), "10/0"),
        (models.AdvancedOption(CatalogID=7, AdvancedOptionCode="1-2"), "7/1-2"),
    ],
)
def test_a_record_tells_the_key_that_it_is_fetched_by(record, key):
    assert record.key() == key
    resource = RESOURCES[type(record)]
    assert str(address_of(resource, key)) == str(address_of_record(resource, record)) == key


def test_no_model_has_a_field_for_what_is_secret():
    every = [getattr(models, name) for name in models.__all__]
    assert [n for m in every for n in m.model_fields if n.lower() in SECRET_FIELDS] == []


def test_every_model_can_be_addressed_by_the_columns_it_names():
    for resource in RESOURCES.values():
        facts = columns(resource.model)
        remote = resource.model.remote
        named = {
            remote.primary_id,
            *(n for key in remote.keys for n in key),
            *resource.filters,
            *resource.beneath,
        }
        assert named | ({resource.owner} if resource.owner else set()) <= facts.keys()
        assert not facts[remote.primary_id].update
        assert resource.model is not Transaction or resource.owner == "OrderID"
