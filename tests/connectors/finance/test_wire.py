"""Values and addresses on Finance's wire: what goes out is understood, and what comes back is what went out."""

from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagline.connectors.finance import (
    Customer,
    CustomerPaymentJournalHeader,
    CustomerPaymentJournalLine,
    MainAccount,
    PurchaseOrderLine,
    SalesInvoiceHeader,
    SalesOrderHeader,
    SalesOrderLine,
    Warehouse,
    WarehouseOnHand,
)
from tagline.connectors.finance.entities import ENTITIES, entity_of
from tagline.connectors.finance.wire import (
    Kind,
    address,
    canonical,
    condition,
    fields_of,
    from_wire,
    key_of_id,
    of_company,
    row_id,
    since,
    to_wire,
)
from tagline.domain.model import ref
from tagline.errors import RecordError

TEXTS = st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=30)
NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9, places=6)
DAYS = st.dates(date(1900, 1, 2), date(2154, 12, 31))
VALUES = {
    Kind.TEXT: TEXTS,
    Kind.WHOLE: st.integers(-(2**53), 2**53),
    Kind.NUMBER: NUMBERS,
    Kind.DATE: DAYS,
    Kind.ENUM: st.sampled_from(["Yes", "No", "A member of tomorrow"]),
    Kind.INSTANT: st.integers(0, 2**32).map(lambda second: datetime.fromtimestamp(second, UTC)),
}


def test_the_whole_key_stands_in_the_address_company_first_texts_quoted_numbers_bare():
    line = entity_of(PurchaseOrderLine)
    assert address(line, "usmf", {"PurchaseOrderNumber": "PO'1/2", "LineNumber": 3}) == (
        "/data/PurchaseOrderLinesV2(dataAreaId='usmf',PurchaseOrderNumber='PO''1%2F2',LineNumber=3)"
    )


def test_an_entity_without_company_has_none_in_its_address_and_filter():
    accounts = entity_of(MainAccount)
    key = {"ChartOfAccounts": "Shared", "MainAccountId": "110110"}
    assert address(accounts, "usmf", key) == (
        "/data/MainAccounts(ChartOfAccounts='Shared',MainAccountId='110110')"
    )
    assert of_company(accounts, "usmf") == ""
    assert of_company(entity_of(Warehouse), "usmf") == "$filter=dataAreaId%20eq%20'usmf'"


def test_an_enumeration_is_named_in_a_filter_and_bare_in_a_body():
    header = entity_of(SalesOrderHeader)
    assert unquote(condition(header, "usmf", {"SalesOrderStatus": "Backorder"})) == (
        "$filter=dataAreaId eq 'usmf' and "
        "SalesOrderStatus eq Microsoft.Dynamics.DataEntities.SalesStatus'Backorder'"
    )
    assert to_wire(header, {"ArePricesIncludingSalesTax": "Yes"}) == {"ArePricesIncludingSalesTax": "Yes"}


@pytest.mark.parametrize("text", ["*", "S*1"])
def test_a_star_is_never_sent_in_a_filter_since_it_stands_for_any_text(text):
    with pytest.raises(RecordError) as caught:
        condition(entity_of(SalesOrderHeader), "usmf", {"CustomersOrderReference": text})
    assert caught.value.code == "key-not-addressable"


@pytest.mark.parametrize(
    "key", [{"CustomersOrderReference": ""}, {"CustomersOrderReference": None}, {"NoColumn": "x"}]
)
def test_a_filter_that_would_let_everything_through_is_refused(key):
    with pytest.raises(RecordError):
        condition(entity_of(SalesOrderHeader), "usmf", key)


def test_a_row_without_number_cannot_be_addressed():
    with pytest.raises(RecordError):
        address(entity_of(Customer), "usmf", {"CustomerAccount": ""})


def test_a_dimension_of_stock_may_be_blank():
    entity = entity_of(WarehouseOnHand)
    key = dict.fromkeys(entity.key, "") | {"ItemNumber": "D0001"}
    assert "ProductColorId=''" in address(entity, "usmf", key)


def test_clearing_sends_what_stands_for_nothing():
    given_ = {"CustomersOrderReference": None, "RequestedShippingDate": None, "TotalDiscountPercentage": None}
    assert to_wire(entity_of(SalesOrderHeader), given_) == {
        "CustomersOrderReference": "",
        "RequestedShippingDate": "1900-01-01T12:00:00Z",
        "TotalDiscountPercentage": 0,
    }
    with pytest.raises(RecordError) as caught:
        to_wire(entity_of(SalesOrderHeader), {"ArePricesIncludingSalesTax": None})
    assert caught.value.code == "value-not-sendable"


def test_a_reference_travels_as_the_number_of_its_row():
    given_ = {"SalesOrderNumber": ref(SalesOrderHeader, SalesOrderNumber="SO1")}
    assert to_wire(entity_of(SalesOrderLine), given_) == {"SalesOrderNumber": "SO1"}
    with pytest.raises(RecordError):
        to_wire(
            entity_of(SalesOrderLine),
            {"SalesOrderNumber": ref(SalesOrderHeader, CustomersOrderReference="x")},
        )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CreditAmount", "12.5"),
        ("CreditAmount", Decimal("NaN")),
        ("CreditAmount", True),
        ("TransactionDate", datetime(2026, 1, 1, tzinfo=UTC)),
        ("TransactionText", 5),
        ("Unknown", 5),
    ],
)
def test_a_value_of_another_type_is_not_sent(name, value):
    with pytest.raises(RecordError) as caught:
        to_wire(entity_of(CustomerPaymentJournalLine), {name: value})
    assert caught.value.code == "value-not-sendable"


@given(st.data())
def test_what_was_sent_is_read_back(data):
    """Over every column of every entity, as far as Finance stores what it is given."""
    entity = data.draw(st.sampled_from(list(ENTITIES.values())))
    fields = {n: f for n, f in fields_of(entity.model).items() if not f.is_local and f.target is None}
    name = data.draw(st.sampled_from(list(fields)))
    value = data.draw(VALUES[fields[name].kind])
    assert from_wire(entity, to_wire(entity, {name: value}), [name]) == {name: value}


@given(st.data())
def test_an_id_tells_the_key_it_was_made_of(data):
    entity = data.draw(st.sampled_from(list(ENTITIES.values())))
    key = {n: data.draw(VALUES[fields_of(entity.model)[n].kind]) for n in entity.key}
    found = key_of_id(entity, row_id(entity, to_wire(entity, key)))
    assert found == key
    path = unquote(address(entity, "usmf", found))
    assert path == unquote(address(entity, "usmf", key))


@given(TEXTS)
def test_no_text_breaks_out_of_an_address_or_a_filter(text):
    path = address(entity_of(Customer), "usmf", {"CustomerAccount": text})
    assert path.startswith("/data/CustomersV3(dataAreaId='usmf',CustomerAccount='")
    assert path.count("'") % 2 == 0
    assert not set(path) & set(" ?#&\r\n")
    if "*" not in text:
        assert not set(condition(entity_of(Customer), "usmf", {"CustomerAccount": text})) & set(" &#+\r\n")


@given(st.text(max_size=60))
def test_text_that_is_no_id_is_refused_and_nothing_else(text):
    entity = entity_of(CustomerPaymentJournalLine)
    with suppress(RecordError):
        assert tuple(key_of_id(entity, text)) == entity.key


@given(NUMBERS)
def test_equal_numbers_are_written_alike(number):
    assert canonical(number) == canonical(number + Decimal("0.000000"))
    assert Decimal(canonical(number)) == number


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-03-10T12:00:00Z", date(2026, 3, 10)),
        ("2026-03-10T00:00:00Z", date(2026, 3, 10)),
        ("2026-03-10", date(2026, 3, 10)),
        ("1900-01-01T00:00:00Z", None),
        (None, None),
    ],
)
def test_a_day_is_read_in_whichever_form_it_comes(text, day):
    found = from_wire(entity_of(SalesInvoiceHeader), {"DueDate": text}, ["DueDate"])
    assert found == {"DueDate": day}


@pytest.mark.parametrize("row", [{}, {"CreditAmount": "5"}, {"CreditAmount": None}, {"CreditAmount": True}])
def test_a_column_that_is_missing_or_of_another_type_is_told_by_its_name(row):
    with pytest.raises(RecordError) as caught:
        from_wire(entity_of(CustomerPaymentJournalLine), row, ["CreditAmount"])
    assert caught.value.code == "column-unexpected"
    assert caught.value.where["field"] == "CreditAmount"


def test_blank_text_is_nothing_but_in_a_key():
    row = {"JournalBatchNumber": "1", "Description": "", "JournalName": "CustPay", "IsPosted": "No"}
    names = ["JournalBatchNumber", "Description"]
    assert from_wire(entity_of(CustomerPaymentJournalHeader), row, names) == {
        "JournalBatchNumber": "1",
        "Description": None,
    }


def test_rows_are_sought_from_a_day_or_an_instant_on():
    at = datetime(2026, 3, 10, 22, 30, tzinfo=UTC) + timedelta(microseconds=5)
    assert unquote(since(entity_of(SalesInvoiceHeader), "usmf", "InvoiceDate", at)).endswith(
        "and InvoiceDate ge 2026-03-10T00:00:00Z"
    )
    assert unquote(since(entity_of(SalesOrderHeader), "usmf", "OrderCreationDateTime", at)).endswith(
        "and OrderCreationDateTime ge 2026-03-10T22:30:00Z"
    )
