"""What a sweep of Finance tells of: never less than what changed, and in a cursor that does not grow."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagline.connectors.finance import Customer, SalesInvoiceHeader, SalesOrderHeader, SalesOrderLine
from tagline.connectors.finance import changes as module
from tagline.connectors.finance.comparing import Likeness, bucket_of
from tagline.errors import UsageError

NO_COLUMN = {"error": {"code": "", "message": "Could not find a property named 'ModifiedDateTime'."}}


@pytest.fixture
def customers(environment, make_row):
    """An environment of customers, by number and name, that does not say when they were modified."""
    environment.when("select=ModifiedDateTime", 400, NO_COLUMN)
    body = {"value": []}
    environment.when("CustomersV3", 200, body)

    def stand(**names):
        body["value"] = [make_row(Customer, CustomerAccount=n, NameAlias=alias) for n, alias in names.items()]

    return stand


def test_a_sweep_starts_now(finance, customers):
    customers(C1="Contoso")
    started = finance.changes(Customer, None)
    assert (started.items, started.more) == ((), False)
    assert finance.changes(Customer, started.cursor).items == ()


def test_new_and_changed_rows_are_told_with_another_version(finance, customers):
    customers(C1="Contoso", C2="Fabrikam")
    cursor = finance.changes(Customer, None).cursor
    customers(C1="Contoso Ltd", C2="Fabrikam", C3="New")
    found = finance.changes(Customer, cursor)
    told = {change.key: change.version for change in found.items}
    assert {"C1", "C3"} <= told.keys()
    customers(C1="Contoso", C2="Fabrikam", C3="New")
    again = {change.key: change.version for change in finance.changes(Customer, found.cursor).items}
    assert "C1" in again
    assert again["C1"] != told["C1"]


def test_nothing_of_a_row_stands_in_the_cursor(finance, customers):
    customers(C1="canary")
    assert "canary" not in finance.changes(Customer, None).cursor
    assert "C1" not in finance.changes(Customer, None).cursor


def test_a_table_beyond_reason_is_refused_with_what_to_do(finance, environment):
    environment.when("select=ModifiedDateTime", 400, NO_COLUMN)
    rows = [{"CustomerAccount": str(n)} for n in range(module.MAX_COMPARED + 1)]
    environment.when("CustomersV3", 200, {"value": rows})
    with pytest.raises(UsageError) as caught:
        finance.changes(Customer, None)
    assert caught.value.code == "table-too-large"


@given(
    st.dictionaries(st.text(max_size=5), st.text(max_size=2), max_size=40),
    st.dictionaries(st.text(max_size=5), st.text(max_size=2), max_size=40),
)
def test_no_row_that_changed_stands_in_a_bucket_that_did_not(before, after):
    changed = Likeness.of_rows("CustomerV3", before).differing(Likeness.of_rows("CustomerV3", after))
    differing = {row for row in before.keys() | after.keys() if before.get(row) != after.get(row)}
    assert {bucket_of(row) for row in differing} == changed


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=5)))
def test_a_likeness_is_read_back_and_never_grows(digests):
    likeness = Likeness.of_rows("CustomerV3", digests)
    assert Likeness.of(likeness.text(), "CustomerV3") == likeness
    assert len(likeness.text()) < 6000


@pytest.mark.parametrize("cursor", ["", "{}", '{"buckets": []}', '{"buckets": 5, "v": 1}', "[]", '"buckets"'])
def test_a_cursor_of_another_kind_is_refused(finance, cursor):
    with pytest.raises(UsageError) as caught:
        finance.changes(Customer, cursor)
    assert caught.value.code == "cursor-unreadable"


def test_a_likeness_of_another_entity_is_refused(finance):
    with pytest.raises(UsageError):
        finance.changes(Customer, Likeness.of_rows("VendorV2", {}).text())


def test_only_orders_of_the_last_half_year_are_compared(finance, environment, clock):
    environment.when("select=ModifiedDateTime", 400, NO_COLUMN)
    environment.when("SalesOrderHeadersV2", 200, {"value": []})
    finance.changes(SalesOrderHeader, None)
    since = (clock.now() - timedelta(days=180)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert f"OrderCreationDateTime ge {since}" in environment.asks()[-1]


def test_lines_are_swept_with_their_order(finance):
    with pytest.raises(UsageError) as caught:
        finance.changes(SalesOrderLine, None)
    assert caught.value.code == "not-supported"


def _asked_since(environment):
    query = parse_qs(urlsplit(environment.asks()[-1]).query)
    return query["$filter"][0].rpartition(" ge ")[2], query["$orderby"][0], query["$select"][0].split(",")


def _is_about(environment, instant):
    """Whether rows were asked for from shortly before an instant on; requests take their turns, so that time goes by."""
    since = datetime.fromisoformat(_asked_since(environment)[0])
    return timedelta() <= since - (instant - module.OVERLAP) + timedelta(seconds=5) <= timedelta(seconds=10)


def test_where_finance_says_when_a_row_was_modified_that_is_read(finance, environment, make_row, clock):
    environment.when("filter", 200, {"value": [make_row(Customer, CustomerAccount="C1")]})
    environment.when("select=ModifiedDateTime", 200, {"value": []})
    began = clock.now()
    started = finance.changes(Customer, None)
    clock.sleep(3600)
    found = finance.changes(Customer, started.cursor)
    _, order, asked = _asked_since(environment)
    assert [change.key for change in found.items] == ["C1"]
    assert _is_about(environment, began)
    assert order == "ModifiedDateTime,CustomerAccount"
    assert "ModifiedDateTime" in asked
    finance.changes(Customer, found.cursor)
    assert _is_about(environment, began + timedelta(hours=1))


def test_pages_of_a_round_are_followed_and_the_next_round_begins_where_this_one_did(
    finance, environment, make_row, clock
):
    link = "https://fin.test/data/CustomersV3?$skiptoken=1"
    environment.when("skiptoken", 200, {"value": [make_row(Customer, CustomerAccount="C2")]})
    environment.when(
        "filter", 200, {"value": [make_row(Customer, CustomerAccount="C1")], "@odata.nextLink": link}
    )
    environment.when("select=ModifiedDateTime", 200, {"value": []})
    started = finance.changes(Customer, None)
    clock.sleep(3600)
    began = clock.now()
    first = finance.changes(Customer, started.cursor)
    clock.sleep(600)
    second = finance.changes(Customer, first.cursor)
    assert [(page.items[0].key, page.more) for page in (first, second)] == [("C1", True), ("C2", False)]
    finance.changes(Customer, second.cursor)
    assert _is_about(environment, began)


def test_invoices_are_found_by_their_date_also_when_they_were_dated_back(
    finance, environment, make_row, clock
):
    row = make_row(
        SalesInvoiceHeader, InvoiceNumber="I'1", InvoiceDate="2026-02-20T12:00:00Z", LedgerVoucher="V1"
    )
    environment.when("SalesInvoiceHeadersV2", 200, {"value": [row]})
    started = finance.changes(SalesInvoiceHeader, None)
    assert environment.asked == []
    found = finance.changes(SalesInvoiceHeader, started.cursor)
    since, order, _ = _asked_since(environment)
    assert datetime.fromisoformat(since) == datetime(2026, 2, 7, tzinfo=UTC)
    assert order == "InvoiceDate,InvoiceNumber,LedgerVoucher"
    [invoice] = found.items
    environment.answers.insert(0, ("InvoiceNumber='I", (200, row, {})))
    assert finance.fetch(SalesInvoiceHeader, [invoice.key]).records[invoice.key].LedgerVoucher == "V1"
    assert "InvoiceDate=2026-02-20T12:00:00Z" in unquote(environment.asks()[-1])
