"""Invoices: made of orders or by hand, priced as orders are, paid, cancelled, locked; and merging customers."""

import uuid
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

CENTS = st.integers(0, 50_000).map(lambda n: Decimal(n) / 100)
TOTALS = ("totallineitemamount", "totaltax", "totaldiscountamount", "totalamountlessfreight", "totalamount")


def error(answer):
    return answer.status_code, answer.json()["error"]["code"]


def order_id(crm, key="o1"):
    return crm.read(f"salesorders(tl_orderkey='{key}')?$select=name")["salesorderid"]


def convert(crm, key="o1", **columns):
    body = {"SalesOrderId": order_id(crm, key), "ColumnSet": columns or {"AllColumns": True}}
    return crm.call("POST", "ConvertSalesOrderToInvoice", body)


def invoice(crm, key="i1", **changes):
    account = crm.read("accounts?$select=name&$top=1")["value"][0]["accountid"]
    body = {
        "name": f"invoice {key}",
        "customerid_account@odata.bind": f"/accounts({account})",
        "pricelevelid@odata.bind": "/pricelevels(name='Web')",
        **changes,
    }
    answer = crm.call("PATCH", f"invoices(tl_invoicekey='{key}')", body)
    assert answer.status_code == 204, answer.text
    return f"invoices(tl_invoicekey='{key}')"


def line(crm, key="l1", of="i1", **changes):
    body = {
        "invoiceid@odata.bind": f"/invoices(tl_invoicekey='{of}')",
        "isproductoverridden": True,
        "productdescription": "tea",
        "quantity": 1,
        "priceperunit": 10,
        **changes,
    }
    return crm.call("PATCH", f"invoicedetails(tl_linekey='{key}')", body)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)
@given(
    lines=st.lists(st.tuples(st.integers(1, 20), CENTS, CENTS, CENTS), max_size=3),
    freight=CENTS,
    percentage=st.integers(0, 100),
)
def test_an_invoice_of_an_order_costs_what_the_order_costs(crm, orders, lines, freight, percentage):
    key = uuid.uuid4().hex
    path = orders.header(key, freightamount=float(freight), discountpercentage=percentage)
    for n, (quantity, price, tax, off) in enumerate(lines):
        body = {"quantity": quantity, "priceperunit": float(price), "tax": float(tax)}
        assert orders.line(f"{key}{n}", key, manualdiscountamount=float(off), **body).status_code == 204
    before = crm.read(path)
    made = crm.read(f"invoices({convert(crm, key).json()['invoiceid']})?$expand=invoice_details")
    assert {name: made[name] for name in TOTALS} == {name: before[name] for name in TOTALS}
    assert len(made["invoice_details"]) == len(lines)
    assert crm.read(path)["statecode"] == 4


def test_converting_answers_with_the_columns_asked_for_and_carries_the_order_over(crm, orders):
    orders.header(billto_city="Boston", description="leave at the door")
    orders.line("l1", ispriceoverridden=False, priceperunit=...)
    answer = convert(crm, Columns=["name", "salesorderid"])
    assert answer.status_code == 200
    told = answer.json()
    assert "#invoices(" in told["@odata.context"]
    assert told["_salesorderid_value"] == order_id(crm)
    assert "billto_city" not in told
    made = crm.read(f"invoices({told['invoiceid']})?$expand=invoice_details")
    assert (made["billto_city"], made["description"]) == ("Boston", "leave at the door")
    assert made["invoicenumber"].startswith("INV-")
    assert (made["statecode"], made["ispricelocked"], made["pricingerrorcode"]) == (0, True, 0)
    (copied,) = made["invoice_details"]
    of = crm.read("salesorderdetails(tl_linekey='l1')")
    assert copied["_salesorderdetailid_value"] == of["salesorderdetailid"]
    assert copied["extendedamount"] == of["extendedamount"]
    assert copied["tl_linekey"] is None, "columns of a solution are not carried over"


def test_an_order_is_converted_once_and_never_when_cancelled(crm, orders):
    orders.header()
    assert convert(crm).status_code == 200
    assert convert(crm).status_code == 400
    orders.header("o2")
    bind = {"salesorderid@odata.bind": "/salesorders(tl_orderkey='o2')"}
    crm.call("POST", "CancelSalesOrder", {"Status": 4, "OrderClose": bind})
    assert convert(crm, "o2").status_code == 400
    missing = {"SalesOrderId": str(uuid.UUID(int=1)), "ColumnSet": {"AllColumns": True}}
    assert error(crm.call("POST", "ConvertSalesOrderToInvoice", missing)) == (404, "0x80040217")


def test_a_fulfilled_order_can_still_be_invoiced(crm, orders):
    orders.header()
    bind = {"salesorderid@odata.bind": "/salesorders(tl_orderkey='o1')"}
    assert crm.call("POST", "FulfillSalesOrder", {"Status": 100001, "OrderClose": bind}).status_code == 204
    assert convert(crm).status_code == 200


def test_an_order_with_an_invoice_is_closed(crm, orders):
    path = orders.header()
    orders.line()
    convert(crm)
    assert orders.line("l2").status_code == 400
    assert crm.call("PATCH", path, {"statecode": 0, "statuscode": 1}).status_code == 400


def test_an_invoice_by_hand_has_a_number_a_currency_and_totals(crm):
    path = invoice(crm, freightamount=5)
    assert line(crm, quantity=3, tax=1.5).status_code == 204
    row = crm.read(path)
    assert row["invoicenumber"].startswith("INV-")
    assert row["_accountid_value"] == row["_customerid_value"]
    assert row["totalamount"] == Decimal("36.5")
    assert crm.read("invoicedetails(tl_linekey='l1')")["invoicedetailname"] == "tea"
    crm.call("DELETE", "invoicedetails(tl_linekey='l1')")
    assert crm.read(path)["totalamount"] == 5


@pytest.mark.parametrize("state", [2, 3], ids=["paid", "cancelled"])
def test_a_paid_or_cancelled_invoice_is_closed_for_good(crm, state):
    path = invoice(crm)
    line(crm)
    assert crm.call("PATCH", path, {"statecode": state}).status_code == 204
    assert crm.read(path)["statuscode"] == {2: 100001, 3: 100003}[state]
    assert crm.read("invoicedetails(tl_linekey='l1')")["invoicestatecode"] == state
    assert crm.call("PATCH", path, {"description": "x"}).status_code == 400
    assert line(crm, "l2").status_code == 400
    for other in {0, 2, 3} - {state}:
        assert crm.call("PATCH", path, {"statecode": other}).status_code == 400
    assert line(crm, "l3", "i1").status_code == 400


def test_a_status_of_another_state_is_refused(crm):
    path = invoice(crm)
    assert crm.call("PATCH", path, {"statecode": 2, "statuscode": 100003}).status_code == 400


def test_an_invoice_line_needs_its_invoice(crm):
    body = {"isproductoverridden": True, "productdescription": "x", "quantity": 1, "priceperunit": 1}
    assert crm.call("POST", "invoicedetails", body).status_code == 400


def test_locked_prices_stand_when_the_price_list_moves(crm, orders):
    path = orders.header()
    orders.line("l1", ispriceoverridden=False, priceperunit=...)
    price = crm.read("salesorderdetails(tl_linekey='l1')")["priceperunit"]
    lock = {"SalesOrderId": order_id(crm)}
    assert crm.call("POST", "LockSalesOrderPricing", lock).status_code == 204
    product = crm.read("products(productnumber='TEA-001')")["productid"]
    (item,) = crm.read(f"productpricelevels?$filter=_productid_value eq {product}")["value"]
    crm.call("PATCH", f"productpricelevels({item['productpricelevelid']})", {"amount": 99})
    crm.call("PATCH", "salesorderdetails(tl_linekey='l1')", {"quantity": 2})
    assert crm.read("salesorderdetails(tl_linekey='l1')")["priceperunit"] == price
    assert crm.call("POST", "UnlockSalesOrderPricing", lock).status_code == 204
    assert crm.read("salesorderdetails(tl_linekey='l1')")["priceperunit"] == 99
    assert crm.read(path)["totalamount"] == 198


def test_deleting_an_order_leaves_its_invoice(crm, orders):
    orders.header()
    orders.line()
    made = convert(crm).json()["invoiceid"]
    assert crm.call("DELETE", f"salesorders({order_id(crm)})").status_code == 204
    row = crm.read(f"invoices({made})?$expand=invoice_details")
    assert row["_salesorderid_value"] is None
    assert len(row["invoice_details"]) == 1


def merge(crm, target, subordinate, kind="account", **content):
    primary = f"{kind}id"
    record = {"@odata.type": f"Microsoft.Dynamics.CRM.{kind}"}
    body = {
        "Target": {**record, primary: target},
        "Subordinate": {**record, primary: subordinate},
        "UpdateContent": {**record, primary: str(uuid.UUID(int=0)), **content},
        "PerformParentingChecks": False,
    }
    return crm.call("POST", "Merge", body)


def test_merging_deactivates_one_account_and_moves_what_pointed_to_it(crm, orders):
    accounts = crm.read("accounts?$select=name&$top=2")["value"]
    kept, gone = (row["accountid"] for row in accounts)
    path = orders.header(**{"customerid_account@odata.bind": f"/accounts({gone})"})
    crm.call("PATCH", path, {"statecode": 1, "statuscode": 3})
    assert merge(crm, kept, gone, telephone1="1").status_code == 204
    row = crm.read(f"accounts({gone})")
    assert (row["statecode"], row["merged"], row["_masterid_value"]) == (1, True, kept)
    order = crm.read(path)
    assert (order["_customerid_value"], order["_accountid_value"]) == (kept, kept)
    assert crm.read(f"accounts({kept})")["telephone1"] == "1"
    assert merge(crm, kept, gone).status_code == 400, "it is not active any more"


def test_only_two_different_rows_of_one_table_are_merged(crm):
    account = crm.read("accounts?$select=name&$top=1")["value"][0]["accountid"]
    assert merge(crm, account, account).status_code == 400
    assert error(merge(crm, account, str(uuid.UUID(int=9)))) == (404, "0x80040217")
