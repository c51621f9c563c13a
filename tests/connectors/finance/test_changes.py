"""What a sweep of Finance tells of: neither less nor more than what changed."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagline.connectors.finance import Customer, SalesInvoiceHeader, SalesOrderHeader, SalesOrderLine
from tagline.connectors.finance import changes as module
from tagline.connectors.finance.comparing import Likeness, digest_of
from tagline.errors import UsageError

NO_COLUMN = {"error": {"code": "", "message": "Could not find a property named 'ModifiedDateTime'."}}


@pytest.fixture
def customers(environment, make_row):
    """An environment of customers, by number and name, that does not say when they were modified."""
    environment.when("select=ModifiedDateTime", 400, NO_COLUMN)
    body = {"value": []}
    environment.when(r"CustomersV3\?", 200, body)

    def stand(**names):
        body["value"] = [make_row(Customer, CustomerAccount=n, NameAlias=alias) for n, alias in names.items()]

    return stand


def test_a_sweep_starts_now(finance, customers):
    customers(C1="Contoso")
    started = finance.changes(Customer, None)
    assert (started.items, started.more) == ((), False)
    assert finance.changes(Customer, started.cursor).items == ()


def told_of(changes):
    return {change.key: "gone" if change.is_gone else change.version for change in changes.items}


def test_new_changed_and_gone_rows_are_told_and_no_others(finance, customers):
    customers(C1="Contoso", C2="Fabrikam", C4="Northwind")
    cursor = finance.changes(Customer, None).cursor
    customers(C1="Contoso Ltd", C2="Fabrikam", C3="New")
    found = finance.changes(Customer, cursor)
    told = told_of(found)
    assert (told.keys(), told["C4"]) == ({"C1", "C3", "C4"}, "gone")
    customers(C1="Contoso", C2="Fabrikam", C3="New")
    again = told_of(finance.changes(Customer, found.cursor))
    assert again.keys() == {"C1"}
    assert again["C1"] != told["C1"]


def test_a_row_that_only_its_list_lacks_is_not_gone(finance, environment, customers, make_row):
    """It has grown too old to be listed, or moved between two pages while they were read."""
    environment.when("CustomerAccount='C2'", 200, make_row(Customer, CustomerAccount="C2"))
    customers(C1="Contoso", C2="Fabrikam", C3="Northwind")
    cursor = finance.changes(Customer, None).cursor
    customers(C1="Contoso")
    found = finance.changes(Customer, cursor)
    assert told_of(found) == {"C3": "gone"}
    assert environment.batches[-1] == 2
    customers(C1="Contoso", C2="Fabrikam")
    assert told_of(finance.changes(Customer, found.cursor)).keys() == {"C2"}


def test_nothing_of_a_row_but_its_id_stands_in_the_cursor(finance, customers):
    customers(C1="canary")
    cursor = finance.changes(Customer, None).cursor
    assert "canary" not in cursor
    assert Likeness.of(cursor, "CustomerV3").digests.keys() == {"C1"}


def test_a_table_beyond_reason_is_refused_with_what_to_do(finance, environment):
    environment.when("select=ModifiedDateTime", 400, NO_COLUMN)
    rows = [{"CustomerAccount": str(n)} for n in range(module.MAX_COMPARED + 1)]
    environment.when("CustomersV3", 200, {"value": rows})
    with pytest.raises(UsageError) as caught:
        finance.changes(Customer, None)
    assert caught.value.code == "table-too-large"


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=5)))
def test_a_likeness_is_read_back(digests):
    likeness = Likeness("CustomerV3", digests)
    assert Likeness.of(likeness.text(), "CustomerV3") == likeness


def test_a_likeness_of_many_rows_stays_small():
    rows = {f"C{n:06}": digest_of({"NameAlias": str(n)}) for n in range(2000)}
    assert len(Likeness("CustomerV3", rows).text()) < 2000 * 18


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "{}",
        '{"rows": []}',
        '{"rows": 5, "v": 2}',
        "[]",
        '"rows"',
        '{"rows": "AAAA", "v": 2}',
        '{"rows": "\u00e9"}',
    ],
)
def test_a_cursor_of_another_kind_is_refused(finance, cursor):
    with pytest.raises(UsageError) as caught:
        finance.changes(Customer, cursor)
    assert caught.value.code == "cursor-unreadable"


def test_a_likeness_of_another_entity_is_refused(finance):
    with pytest.raises(UsageError):
        finance.changes(Customer, Likeness("VendorV2", {}).text())


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


@pytest.mark.parametrize(
    "account",
    [
        pytest.param(None, id="null"),
        pytest.param(5, id="number"),
        pytest.param("", id="empty"),
        pytest.param(["canary"], id="list"),
    ],
)
@pytest.mark.parametrize("stamped", [True, False], ids=["by-time", "by-comparing"])
def test_a_row_that_names_no_record_is_told_of_and_the_sweep_goes_on(
    finance, environment, make_row, account, stamped
):
    body = {"value": [make_row(Customer, CustomerAccount="C1"), make_row(Customer, CustomerAccount="C2")]}
    if not stamped:
        environment.when("select=ModifiedDateTime", 400, NO_COLUMN)
    environment.when(r"CustomersV3\?", 200, body)
    cursor = finance.changes(Customer, None).cursor
    broken = {**make_row(Customer), "CustomerAccount": account}
    body["value"] = [make_row(Customer, CustomerAccount="C1", NameAlias="other"), broken]
    first, again = finance.changes(Customer, cursor), finance.changes(Customer, cursor)
    assert told_of(first).keys() == {"C1"}, "C2 may be the row without an id"
    assert [each.field for each in first.unread] == ["CustomerAccount"]
    assert "canary" not in str(first)
    assert again.unread == first.unread
    body["value"][1] = None
    assert [each.reason for each in finance.changes(Customer, cursor).unread] == [
        "it is null in place of a record"
    ]
