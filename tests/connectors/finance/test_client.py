"""Requests as they are sent to Finance, and what is made of its answers."""

from datetime import date
from decimal import Decimal

import pytest

from tagline.connectors.finance import (
    Customer,
    CustomerPaymentJournalHeader,
    CustomerPaymentJournalLine,
    SalesInvoiceHeader,
    SalesOrderHeader,
    SalesOrderLine,
    WarehouseOnHand,
)
from tagline.domain.exchange import ROW_CHANGED, ROW_EXISTS, Outcome, Write, WriteKind
from tagline.domain.model import Ref, ref
from tagline.errors import Disposition, NotAuthorisedError, RecordError, RefusedError, TryAgainError

ROOT = "/data/SalesOrderHeadersV2"
FILTER = "$filter=dataAreaId eq 'usmf' and CustomersOrderReference eq 'shop-1'"
KEY = "dataAreaId='usmf',SalesOrderNumber='SO2'"
ORDER = (("CustomersOrderReference", "shop-1"),)
LINE = (
    ("JournalBatchNumber", ref(CustomerPaymentJournalHeader, JournalBatchNumber="007")),
    ("LineNumber", Decimal(2)),
)


def refusal(inner, message="An error has occurred."):
    return {
        "error": {
            "code": "",
            "message": message,
            "innererror": {"message": inner, "type": "", "stacktrace": ""},
        }
    }


def write(kind, fields=(), key=ORDER, id="SO1", etag='W/"1"', model=SalesOrderHeader):  # noqa: A002
    return Write(kind, model, key, dict(fields), id, etag)


def test_rows_are_read_by_address_or_by_a_filter_across_companies(finance, environment, make_row):
    environment.when(
        r"\?cross-company=true&\$filter", 200, {"value": [make_row(SalesOrderHeader, SalesOrderNumber="SO1")]}
    )
    environment.when(
        r"SalesOrderNumber='SO2'", 200, make_row(SalesOrderHeader, SalesOrderNumber="SO2", CurrencyCode="USD")
    )
    number = (("SalesOrderNumber", "SO2"),)
    rows = finance.read(SalesOrderHeader, [ORDER, number, (("SalesOrderNumber", "gone"),)], ["CurrencyCode"])
    assert [(row.key, row.id, row.values) for row in rows.values()] == [
        (ORDER, "SO1", {"CurrencyCode": None}),
        (number, "SO2", {"CurrencyCode": "USD"}),
    ]
    assert environment.batches == [3]
    assert environment.asks()[:2] == [
        f"GET {ROOT}?cross-company=true&{FILTER}&$top=2&$select=SalesOrderNumber,CurrencyCode",
        f"GET {ROOT}({KEY})?cross-company=true&$select=SalesOrderNumber,CurrencyCode",
    ]


def test_a_row_of_a_key_of_several_columns_has_them_as_its_id(finance, environment, make_row):
    row = make_row(
        CustomerPaymentJournalLine,
        JournalBatchNumber="007",
        LineNumber=Decimal(2),
        CreditAmount=Decimal("12.5"),
    )
    environment.when(
        "JournalBatchNumber='007',LineNumber=2", 200, {**row, "LineNumber": 2.0, "CreditAmount": 12.5}
    )
    found = finance.read(CustomerPaymentJournalLine, [LINE], ["CreditAmount"])[LINE]
    assert found.id == "JournalBatchNumber='007',LineNumber=2"
    assert found.values == {"CreditAmount": Decimal("12.5")}
    by_id = (("row_id", found.id),)
    assert finance.read(CustomerPaymentJournalLine, [by_id], [])[by_id].id == found.id


def test_a_key_that_is_not_unique_is_never_guessed_between(finance, environment, make_row):
    environment.when("filter", 200, {"value": [make_row(SalesOrderHeader)] * 2})
    with pytest.raises(RecordError) as caught:
        finance.read(SalesOrderHeader, [ORDER], [])
    assert caught.value.code == "key-ambiguous"
    assert "shop-1" not in str(caught.value)


def test_a_blank_key_is_the_key_of_no_row(finance, environment):
    assert finance.read(SalesOrderHeader, [(("CustomersOrderReference", ""),)], []) == {}
    assert environment.asked == []


def test_an_entity_that_is_not_there_is_no_absent_row(finance, environment):
    environment.when(
        "GET", 404, {"error": {"code": "", "message": "No HTTP resource was found that matches"}}
    )
    with pytest.raises(RecordError) as caught:
        finance.read(SalesOrderHeader, [ORDER], [])
    assert caught.value.code == "query-refused"


def test_whole_rows_are_fetched_and_a_broken_one_spoils_no_other(finance, environment, make_row):
    environment.when("'SO1'", 200, make_row(SalesOrderHeader, SalesOrderNumber="SO1", SalesOrderStatus="Backorder",
        OrderingCustomerAccountNumber="C1", RequestedShippingDate="2026-03-10T12:00:00Z", ArePricesIncludingSalesTax="No",
        IsDeliveryAddressOrderSpecific="No", InventoryReservationMethod="Automatic"))  # fmt: skip
    environment.when(
        "'SO2'", 200, make_row(SalesOrderHeader, SalesOrderNumber="SO2", SalesOrderStatus="Tomorrow")
    )
    environment.when("'SO3'", 200, {"SalesOrderNumber": "SO3"})
    fetched = finance.fetch(SalesOrderHeader, ["SO1", "SO2", "SO3", "SO4", ""])
    order = fetched.records["SO1"]
    assert (order.SalesOrderStatus, order.RequestedShippingDate) == ("Backorder", date(2026, 3, 10))
    assert order.OrderingCustomerAccountNumber == ref(Customer, CustomerAccount="C1")
    assert list(fetched.malformed) == ["SO2", "SO3"]
    assert "SalesOrderStatus" in {d["field"] for d in fetched.malformed["SO2"]}


def test_the_lines_of_each_order_are_read_together_and_a_persons_line_is_known_as_such(
    finance, environment, make_row
):
    ours = make_row(SalesOrderLine, InventoryLotId="L1", SalesOrderNumber="SO1", CustomersLineNumber=3)
    theirs = make_row(SalesOrderLine, InventoryLotId="L2", SalesOrderNumber="SO1")
    environment.when("'SO1'", 200, {"value": [ours, theirs]})
    environment.when("'SO2'", 200, {"value": []})
    found = finance.children(SalesOrderLine, "SalesOrderNumber", ["SO1", "SO2", ""], ["SalesPrice"])
    order = Ref(SalesOrderHeader, (("SalesOrderNumber", "SO1"),))
    assert [row.key for row in found["SO1"]] == [
        (("CustomersLineNumber", 3), ("SalesOrderNumber", order)),
        (("InventoryLotId", "L2"),),
    ]
    assert (found["SO2"], found[""]) == ([], [])
    assert environment.batches == [2]


def test_pages_are_followed(finance, environment, make_row):
    link = "https://fin.test/data/SalesOrderLines?$skiptoken=2"
    lines = [make_row(SalesOrderLine, InventoryLotId=n, SalesOrderNumber="SO1") for n in ("L1", "L2")]
    environment.when("skiptoken", 200, {"value": lines[1:]})
    environment.when("filter", 200, {"value": lines[:1], "@odata.nextLink": link})
    found = finance.children(SalesOrderLine, "SalesOrderNumber", ["SO1"], [])
    assert [row.id for row in found["SO1"]] == ["L1", "L2"]


def test_a_link_to_another_host_gets_no_token(finance, environment):
    environment.when("filter", 200, {"value": [], "@odata.nextLink": "https://evil.test/data"})
    with pytest.raises(RefusedError) as caught:
        finance.children(SalesOrderLine, "SalesOrderNumber", ["SO1"], [])
    assert caught.value.code == "host-refused"


def test_the_newest_rows_come_last(finance, environment):
    environment.when(
        "OrderCreationDateTime desc", 200, {"value": [{"SalesOrderNumber": n} for n in ("SO3", "SO2")]}
    )
    assert finance.recent(SalesOrderHeader, 2) == ["SO2", "SO3"]
    [ask] = environment.asks()
    assert "$orderby=OrderCreationDateTime desc,SalesOrderNumber desc&$top=2" in ask
    assert finance.recent(SalesOrderHeader, 0) == []


def test_a_created_order_gets_the_number_that_the_sequence_gave_it(finance, environment, make_row):
    environment.when("POST", 201, make_row(SalesOrderHeader, SalesOrderNumber="SO-000123"))
    fields = {"CustomersOrderReference": "shop-1", "OrderingCustomerAccountNumber": ref(Customer, CustomerAccount="C1"),
        "RequestedShippingDate": date(2026, 3, 10), "TotalDiscountPercentage": Decimal("2.50")}  # fmt: skip
    [outcome] = finance.perform([write(WriteKind.CREATE, fields, id=None, etag=None)])
    assert outcome == Outcome(Disposition.DONE, "SO-000123", 'W/"JzEsNTYzNzE0NDU3Nic="')
    assert environment.asked == [
        (
            "POST",
            "/data/SalesOrderHeadersV2?cross-company=true",
            {
                "dataAreaId": "usmf",
                "CustomersOrderReference": "shop-1",
                "OrderingCustomerAccountNumber": "C1",
                "RequestedShippingDate": "2026-03-10T12:00:00Z",
                "TotalDiscountPercentage": 2.5,
            },
        )
    ]


def test_an_order_that_was_created_and_not_told_of_is_found_by_its_key(finance, environment):
    """Without an id in the outcome, whoever wrote reads the row by the key it was written with."""
    environment.when("POST", 204)
    assert finance.perform([write(WriteKind.CREATE, id=None)]) == [Outcome(Disposition.DONE)]


def test_a_line_is_created_by_the_columns_of_its_id(finance, environment):
    environment.when("POST", 201, {})
    key = (("row_id", "JournalBatchNumber='007',LineNumber=2"),)
    given = {"row_id": key[0][1], "CreditAmount": Decimal(5)}
    finance.perform([write(WriteKind.CREATE, given, key=key, id=None, model=CustomerPaymentJournalLine)])
    assert environment.bodies() == [
        {"dataAreaId": "usmf", "JournalBatchNumber": "007", "LineNumber": 2, "CreditAmount": 5}
    ]


def test_a_change_and_a_removal_need_the_version_that_was_read(finance, environment):
    seen = []
    environment.when("PATCH", 204, None, ETag='W/"2"')
    environment.when("DELETE", 204)
    writes = [write(WriteKind.UPDATE, {"SalesOrderPoolId": None}), write(WriteKind.DELETE, etag=None)]
    outcomes = finance.perform(writes)
    seen = environment.asks()
    path = "/data/SalesOrderHeadersV2(dataAreaId='usmf',SalesOrderNumber='SO1')?cross-company=true"
    assert seen == [f"PATCH {path}", f"DELETE {path}"]
    assert environment.bodies() == [{"SalesOrderPoolId": ""}]
    assert outcomes == [Outcome(Disposition.DONE, "SO1", 'W/"2"'), Outcome(Disposition.DONE, "SO1")]


@pytest.mark.parametrize(
    ("kind", "status", "body", "disposition", "code"),
    [
        (WriteKind.UPDATE, 412, refusal(""), Disposition.RETRY, ROW_CHANGED),
        (WriteKind.UPDATE, 404, refusal("", "Resource not found"), Disposition.DEAD_LETTER, "row-absent"),
        (WriteKind.DELETE, 404, refusal("", "Resource not found"), Disposition.DONE, ""),
        (WriteKind.CREATE, 400, refusal("Write failed. Infolog: Error: It already exists."), Disposition.RETRY, ROW_EXISTS),
        (WriteKind.UPDATE, 400, refusal("Write failed. Infolog: Error: It already exists."), Disposition.DEAD_LETTER, "key-taken"),
        (WriteKind.UPDATE, 400, refusal("Infolog: Error: no."), Disposition.DEAD_LETTER, "business-rule-refused"),
        (WriteKind.UPDATE, 500, None, Disposition.RETRY, "remote-failed"),
        (WriteKind.UPDATE, 403, None, Disposition.STOP, "not-permitted"),
    ],
)  # fmt: skip
def test_each_refusal_has_its_disposition(finance, environment, kind, status, body, disposition, code):
    environment.when("POST|PATCH|DELETE", status, body)
    [outcome] = finance.perform([write(kind, {"CurrencyCode": "USD"})])
    assert (outcome.disposition, outcome.code) == (disposition, code)


def test_a_refusal_names_the_column_and_no_value(finance, environment, caplog):
    text = "Write failed for table row of type 'X'. Infolog: Error: The value 'canary' in field 'Currency' must be filled in."
    environment.when("POST", 400, refusal(text))
    [outcome] = finance.perform([write(WriteKind.CREATE, {"CurrencyCode": "canary"}, id=None)])
    assert outcome.message == (
        "Finance answered 400 to create of SalesOrderHeaderV2 about CurrencyCode: it must be filled in"
    )
    assert "canary" not in f"{outcome}{caplog.text}"


def test_a_throttled_part_tells_how_long_to_wait(finance, environment):
    environment.when("PATCH", 429, {"error": {"code": "", "message": "busy"}}, **{"Retry-After": "7"})
    [outcome] = finance.perform([write(WriteKind.UPDATE, {"CurrencyCode": "USD"})])
    assert (outcome.code, outcome.retry_after_s) == ("remote-throttled", 7.0)


def test_what_comes_after_a_refused_part_is_sent_again_where_a_batch_stops_there(finance, environment):
    environment.stops = True
    environment.when("'SO2'", 400, refusal("Infolog: Error: no."))
    environment.when("PATCH", 204)
    writes = [write(WriteKind.UPDATE, {"CurrencyCode": "USD"}, id=f"SO{n}") for n in range(1, 6)]
    outcomes = finance.perform(writes)
    assert [outcome.disposition.value for outcome in outcomes] == [
        "done",
        "dead-letter",
        "done",
        "done",
        "done",
    ]
    assert environment.batches == [5, 3]


@pytest.mark.parametrize(
    "refused",
    [
        write(WriteKind.ACT),
        write(WriteKind.CREATE, model=SalesInvoiceHeader),
        write(WriteKind.DELETE, model=WarehouseOnHand),
    ],
)
def test_what_finance_does_by_itself_is_refused_before_anything_is_sent(finance, environment, refused):
    [outcome] = finance.perform([refused])
    assert (outcome.disposition, outcome.code) == (Disposition.DEAD_LETTER, "not-supported")
    assert outcome.hint
    assert environment.asked == []


def test_a_write_that_has_no_form_spoils_no_other(finance, environment):
    environment.when("PATCH", 204)
    broken = write(WriteKind.UPDATE, {"TotalDiscountPercentage": Decimal("Infinity")})
    outcomes = finance.perform([broken, write(WriteKind.UPDATE, {"CurrencyCode": "USD"})])
    assert [outcome.code for outcome in outcomes] == ["value-not-sendable", ""]


def test_a_connection_that_only_reads_lets_reads_out_and_no_write(make_finance, environment, make_row):
    environment.when("GET", 200, {"value": [make_row(SalesOrderHeader, SalesOrderNumber="SO1")]})
    client = make_finance(environment, read_only=True)
    assert client.read(SalesOrderHeader, [ORDER], [])[ORDER].id == "SO1"
    with pytest.raises(RefusedError) as caught:
        client.perform([write(WriteKind.DELETE)])
    assert caught.value.code == "read-only"


@pytest.mark.parametrize("body", [b"<html>canary</html>", b"[]", b'{"value": 5}', b""])
def test_a_body_of_another_kind_is_tried_again_and_never_shown(finance, environment, body):
    environment.when("GET", 200, body)
    with pytest.raises(TryAgainError) as caught:
        finance.recent(SalesOrderHeader, 1)
    assert caught.value.code == "answer-malformed"
    assert "canary" not in str(caught.value)


def test_a_user_without_rights_stops_the_work(finance, environment):
    environment.when("GET", 403)
    with pytest.raises(NotAuthorisedError):
        finance.recent(SalesOrderHeader, 1)
