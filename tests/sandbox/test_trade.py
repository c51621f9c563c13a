"""What organisations and Finance environments hold of the years before, where they have traded."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagline.clock import VirtualClock
from tagline.sandbox.dataverse_errors import Refusal
from tagline.sandbox.dataverse_schema import tables
from tagline.sandbox.finance_errors import FinanceRefusal
from tagline.sandbox.finance_schema import entities
from tagline.sandbox.main import trade_before
from tagline.sandbox.sandbox import Sandbox
from tagline.sandbox.shoppers import option_price
from tagline.sandbox.trade import End, bought_for, size_before, sold_before

NOW = datetime(2026, 11, 2, 15, tzinfo=UTC)
ORDER_STATES = {0: End.OPEN, 1: End.SUBMITTED, 2: End.CANCELED, 3: End.FULFILLED, 4: End.INVOICED}
FINANCE_STATUS = {
    End.OPEN: "Backorder",
    End.SUBMITTED: "Backorder",
    End.CANCELED: "Canceled",
    End.FULFILLED: "Invoiced",
    End.INVOICED: "Invoiced",
}


def make_sandbox(*, traded: bool = True) -> Sandbox:
    sandbox = Sandbox(VirtualClock(NOW))
    if traded:
        trade_before(sandbox, 300)
    return sandbox


@pytest.fixture(scope="module")
def traded() -> Sandbox:
    return make_sandbox()


SALES = sold_before(size_before(300), 100, NOW)


def _rows(sandbox, name):
    return sandbox.organisations["dev"].rows.all(tables()[name])


def _finance(sandbox, name):
    return list(sandbox.finance["dev"].rows.all(entities()[name]))


def _all(sandbox):
    return {name: _rows(sandbox, name) for name in tables()}


def test_what_was_there_before_stays_as_it_was_and_the_same_seed_gives_the_same(traded):
    bare, again = _all(make_sandbox(traded=False)), _all(make_sandbox())
    held = _all(traded)
    assert held == again
    for name, rows in bare.items():
        assert list(held[name][: len(rows)]) == list(rows)


def test_orders_stand_in_every_state_and_are_priced_as_they_were_sold(traded):
    by_name = {row["name"]: row for row in _rows(traded, "salesorder")}
    assert list(by_name) == [sale.name for sale in SALES]
    for sale in SALES:
        order, draft = by_name[sale.name], sale.draft
        goods = sum(
            ((line.product.price + option_price(line)) * line.quantity for line in draft.lines), Decimal(0)
        )
        assert order["totalamount"] == goods - draft.discount + draft.shipping + draft.tax
        assert ORDER_STATES[order["statecode"]] is sale.end
        assert order["pricingerrorcode"] == 0
        assert order["createdon"] == sale.placed.strftime("%Y-%m-%dT%H:%M:%SZ")
        assert order["modifiedon"] <= NOW.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert {sale.end for sale in SALES} == set(End)


def test_lines_and_invoices_follow_their_orders(traded):
    orders = {row["salesorderid"]: row for row in _rows(traded, "salesorder")}
    for line in _rows(traded, "salesorderdetail"):
        assert line["salesorderstatecode"] == orders[line["salesorderid"][1]]["statecode"]
    invoices = _rows(traded, "invoice")
    assert len(invoices) == Counter(sale.end for sale in SALES)[End.INVOICED]
    for invoice in invoices:
        order = orders[invoice["salesorderid"][1]]
        assert invoice["totalamount"] == order["totalamount"]
        assert invoice["customerid"] == order["customerid"]
    assert {invoice["statecode"] for invoice in invoices} == {0, 2}


def test_changes_are_in_the_order_of_their_times(traded):
    newest = sorted(_rows(traded, "salesorder"), key=lambda row: row["versionnumber"])
    times = [row["modifiedon"] for row in newest]
    assert times == sorted(times)


def test_nothing_carries_a_key_of_the_integration(traded):
    for name in ("salesorder", "salesorderdetail", "invoice", "account"):
        assert not [row for row in _rows(traded, name) for column in row if column.startswith("tl_")]


def test_warehouses_vendors_and_purchases_are_those_of_finance(traded):
    assert {row["msdyn_warehouseidentifier"] for row in _rows(traded, "msdyn_warehouse")} == {
        row["WarehouseId"] for row in _finance(traded, "Warehouses")
    }
    numbers = {row["msdyn_vendoraccountnumber"]: row["msdyn_name"] for row in _rows(traded, "msdyn_vendor")}
    known = {
        row["VendorAccountNumber"]: row["VendorOrganizationName"]
        for row in _finance(traded, "VendorsV2")
        if row["dataAreaId"] == "usmf"
    }
    assert numbers == known
    totals = Counter(
        {row["msdyn_name"]: row["msdyn_totalamount"] for row in _rows(traded, "msdyn_purchaseorder")}
    )
    lines: Counter[str] = Counter()
    for line in _finance(traded, "PurchaseOrderLinesV2"):
        lines[line["PurchaseOrderNumber"]] += line["LineAmount"]
    assert totals == lines


def test_finance_has_the_same_sales_and_its_shelf_holds_what_it_held(traded):
    orders = {row["CustomersOrderReference"]: row for row in _finance(traded, "SalesOrderHeadersV2")}
    assert {sale.name: FINANCE_STATUS[sale.end] for sale in SALES} == {
        name: row["SalesOrderStatus"] for name, row in orders.items()
    }
    for sale in SALES:
        goods = sum(
            ((line.product.price + option_price(line)) * line.quantity for line in sale.draft.lines),
            Decimal(0),
        )
        assert orders[sale.name]["OrderTotalAmount"] == goods
    before = make_sandbox(traded=False).finance["dev"].stock()
    now = {(one.sku, one.warehouse): one for one in traded.finance["dev"].stock()}
    assert [now[one.sku, one.warehouse].on_hand for one in before] == [one.on_hand for one in before]
    assert any(one.reserved for one in now.values())
    assert any(one.ordered for one in now.values())


def test_inventory_in_dataverse_is_what_finance_has(traded):
    shown = {row["msdyn_name"]: row for row in _rows(traded, "msdyn_productinventory")}
    stock = traded.finance["dev"].stock()
    assert len(shown) == len(stock)
    for one in stock:
        row = shown[f"{one.sku} in {one.warehouse}"]
        assert (row["msdyn_qtyonhand"], row["msdyn_qtyavailable"]) == (
            one.on_hand,
            one.on_hand - one.reserved,
        )


def test_payments_are_of_invoices_and_posted(traded):
    invoices = {
        row["InvoiceNumber"]: row["TotalInvoiceAmount"] for row in _finance(traded, "SalesInvoiceHeadersV2")
    }
    lines = _finance(traded, "CustomerPaymentJournalLines")
    assert lines
    assert all(invoices[line["MarkedInvoice"]] == line["CreditAmount"] for line in lines)
    assert {row["IsPosted"] for row in _finance(traded, "CustomerPaymentJournalHeaders")} == {"Yes"}


def test_the_next_order_of_finance_has_the_number_that_it_would_have_had():
    sandbox = make_sandbox()
    records = sandbox.finance["dev"].records
    customer = _finance(sandbox, "CustomersV3")[0]["CustomerAccount"]
    row = records.create(
        entities()["SalesOrderHeadersV2"], {"dataAreaId": "usmf", "OrderingCustomerAccountNumber": customer}
    )
    assert row["SalesOrderNumber"] == "SO-001001"
    assert row["OrderCreationDateTime"] == "2026-11-02T15:00:00Z"


def test_a_history_is_written_once():
    sandbox = make_sandbox()
    before, counted = _all(sandbox), len(_finance(sandbox, "PurchaseOrderHeadersV2"))
    with pytest.raises(Refusal):
        sandbox.organisations["dev"].place_history(30, seed=1)
    with pytest.raises(FinanceRefusal):
        sandbox.finance["dev"].place_history(30, seed=1)
    assert _all(sandbox) == before
    assert len(_finance(sandbox, "PurchaseOrderHeadersV2")) == counted


def test_a_stranger_finds_orders_at_once(traded):
    crm = traded.connection_configs("dev")["crm"]
    with httpx.Client(transport=traded.transport()) as client:
        form = {
            "grant_type": "client_credentials",
            "client_id": crm["client_id"],
            "client_secret": traded.secret(crm["client_secret"]),
            "scope": f"{crm['url']}/.default",
        }
        token = client.post(f"{crm['authority']}/{crm['tenant']}/oauth2/v2.0/token", data=form).json()
        path = "salesorders?$expand=order_details,order_invoices&$filter=statecode eq 4"
        headers = {"authorization": f"Bearer {token['access_token']}"}
        found = client.get(f"{crm['url']}/api/data/v9.2/{path}", headers=headers).json()["value"]
    assert found
    assert all(order["order_details"] and order["order_invoices"] for order in found)


@given(count=st.integers(1, 80), seed=st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_purchases_bring_in_exactly_what_was_delivered(count, seed):
    sales = sold_before(count, seed, NOW)
    assert all(a.placed <= b.placed for a, b in pairwise(sales))
    assert all(sale.placed <= sale.settled <= NOW for sale in sales)
    sold: Counter[str] = Counter()
    for sale in sales:
        if sale.end in (End.FULFILLED, End.INVOICED):
            for line in sale.draft.lines:
                sold[line.product.sku] += line.quantity
    bought: Counter[str] = Counter()
    for purchase in bought_for(sales):
        if purchase.arrived is not None:
            bought.update(purchase.pieces)
            assert purchase.placed < purchase.arrived < NOW
    assert sold == bought


@pytest.mark.parametrize(
    ("orders", "sales"), [(1, 30), (20, 30), (600, 60), (100_000, 500)], ids=["one", "few", "some", "many"]
)
def test_a_larger_shop_has_a_longer_past(orders, sales):
    assert size_before(orders) == sales
