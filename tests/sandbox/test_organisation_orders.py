"""Orders in the organisation: totals, price errors without an HTTP error, locks, states, actions."""

from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

CENTS = st.integers(0, 100_000).map(lambda n: Decimal(n) / 100)


def error(answer):
    return answer.status_code, answer.json()["error"]["code"]


def test_a_new_order_has_a_number_a_currency_and_zero_totals(crm, orders):
    row = crm.read(orders.header())
    assert row["ordernumber"].startswith("ORD-")
    assert (row["statecode"], row["statuscode"], row["pricingerrorcode"]) == (0, 1, 0)
    assert row["_accountid_value"] == row["_customerid_value"] == orders.account
    assert (
        row["_transactioncurrencyid_value"]
        == crm.read("transactioncurrencies(isocurrencycode='USD')")["transactioncurrencyid"]
    )
    assert "totalamount" in row


def test_money_is_printed_with_ten_decimals(crm, orders):
    path = orders.header(freightamount=6.95)
    assert '"totalamount":6.9500000000' in crm.call("GET", path).text


def test_the_price_comes_from_the_list_unless_overridden(crm, orders):
    orders.header()
    assert orders.line("l1", ispriceoverridden=False, priceperunit=...).status_code == 204
    assert orders.line("l2", ispriceoverridden=True, priceperunit=3).status_code == 204
    product = crm.read("products(productnumber='TEA-001')")["productid"]
    (item,) = crm.read(f"productpricelevels?$filter=_productid_value eq {product}")["value"]
    assert crm.read("salesorderdetails(tl_linekey='l1')")["priceperunit"] == item["amount"]
    line = crm.read("salesorderdetails(tl_linekey='l2')")
    assert (line["priceperunit"], line["productnumber"]) == (3, "TEA-001")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    lines=st.lists(st.tuples(st.integers(1, 40), CENTS, CENTS, CENTS), max_size=4),
    header=st.tuples(CENTS, CENTS, st.integers(0, 100)),
)
def test_totals_follow_the_documented_arithmetic(crm, orders, lines, header):
    freight, discount, percentage = header
    path = orders.header(
        freightamount=float(freight), discountamount=float(discount), discountpercentage=percentage
    )
    for old in crm.read("salesorderdetails?$select=tl_linekey")["value"]:
        crm.call("DELETE", f"salesorderdetails({old['salesorderdetailid']})")
    for number, (quantity, price, tax, off) in enumerate(lines):
        body = {"quantity": quantity, "priceperunit": float(price), "tax": float(tax)}
        assert orders.line(f"l{number}", manualdiscountamount=float(off), **body).status_code == 204
    items = sum((q * p - off for q, p, _tax, off in lines), Decimal(0))
    cut = discount + (items * percentage / 100).quantize(Decimal("0.01"), ROUND_HALF_UP)
    taxes = sum((tax for _q, _p, tax, _off in lines), Decimal(0))
    row = crm.read(path)
    assert row["totallineitemamount"] == items
    assert row["totaltax"] == taxes
    assert row["totalamount"] == items - cut + freight + taxes
    assert row["totalamount_base"] == row["totalamount"]


def test_deleting_a_line_lowers_the_total(crm, orders):
    path = orders.header()
    orders.line("l1", priceperunit=3)
    orders.line("l2", priceperunit=4)
    crm.call("DELETE", "salesorderdetails(tl_linekey='l1')")
    assert crm.read(path)["totalamount"] == 4


def test_writing_a_line_moves_the_entity_tag_of_its_order(crm, orders):
    path = orders.header()
    tag = crm.read(path)["@odata.etag"]
    orders.line()
    assert error(crm.call("PATCH", path, {"description": "x"}, If_Match=tag)) == (412, "0x80060882")


def test_without_a_price_list_prices_are_zero_and_no_http_error_tells(crm, orders):
    path = orders.header(**{"pricelevelid@odata.bind": ...})
    assert orders.line(priceperunit=10).status_code == 204
    line = crm.read("salesorderdetails(tl_linekey='l1')")
    assert (line["pricingerrorcode"], line["extendedamount"]) == (2, 0)
    assert (crm.read(path)["pricingerrorcode"], crm.read(path)["totalamount"]) == (2, 0)


def test_a_product_outside_the_price_list_is_a_detail_error(crm, orders):
    path = orders.header(**{"pricelevelid@odata.bind": "/pricelevels(name='Wholesale')"})
    assert orders.line(ispriceoverridden=False, priceperunit=...).status_code == 204
    assert crm.read("salesorderdetails(tl_linekey='l1')")["pricingerrorcode"] == 11
    assert crm.read(path)["pricingerrorcode"] == 1
    assert orders.line(ispriceoverridden=True, priceperunit=5).status_code == 204
    assert (crm.read(path)["pricingerrorcode"], crm.read(path)["totalamount"]) == (0, 5)


def test_a_price_list_in_another_currency_is_a_price_error(crm, orders):
    currency = {"transactioncurrencyid@odata.bind": "/transactioncurrencies(isocurrencycode='CAD')"}
    assert crm.read(orders.header(**currency))["pricingerrorcode"] == 34


def test_base_amounts_follow_the_exchange_rate(crm, orders):
    currency = {"transactioncurrencyid@odata.bind": "/transactioncurrencies(isocurrencycode='CAD')"}
    row = crm.read(orders.header(freightamount=13.70, **currency))
    assert (row["totalamount"], row["totalamount_base"]) == (Decimal("13.70"), 10)


def test_a_write_in_line_needs_no_product(crm, orders):
    path = orders.header()
    body = {"productid@odata.bind": ..., "uomid@odata.bind": ..., "isproductoverridden": True}
    assert orders.line(productdescription="Sales tax", priceperunit=7, **body).status_code == 204
    assert crm.read(path)["totalamount"] == 7


def test_a_line_needs_an_active_product_with_a_unit_and_an_order(crm, orders):
    orders.header()
    assert orders.line(**{"uomid@odata.bind": ...}).status_code == 400
    assert orders.line(**{"salesorderid@odata.bind": ...}).status_code == 400
    crm.call("POST", "products", {"productnumber": "NEW", "name": "New"})
    assert crm.read("products(productnumber='NEW')")["statecode"] == 2, "a product starts as a draft"
    assert orders.line(**{"productid@odata.bind": "/products(productnumber='NEW')"}).status_code == 400
    assert orders.line(**{"productid@odata.bind": "/products(productnumber='MUG-LTD-07')"}).status_code == 404


@pytest.mark.parametrize("column", ["totalamount", "statecode", "pricingerrorcode"])
def test_what_the_platform_computes_cannot_be_created(crm, column):
    assert error(crm.call("POST", "salesorders", {"name": "x", column: 1})) == (400, "0x80048d19")


def test_a_submitted_order_and_its_lines_are_locked_until_it_is_active_again(crm, orders):
    path = orders.header()
    orders.line()
    assert crm.call("PATCH", path, {"statecode": 1, "statuscode": 3}).status_code == 204
    assert crm.read("salesorderdetails(tl_linekey='l1')")["salesorderstatecode"] == 1
    assert crm.call("PATCH", path, {"description": "x"}).status_code == 400
    assert orders.line("l1", quantity=2).status_code == 400
    assert orders.line("l2").status_code == 400
    assert crm.call("DELETE", "salesorderdetails(tl_linekey='l1')").status_code == 400
    assert crm.read(path)["totalamount"] == 10
    assert crm.call("PATCH", path, {"statecode": 0}).status_code == 204
    assert crm.call("PATCH", path, {"description": "x"}).status_code == 204


def test_a_status_must_belong_to_its_state_and_has_a_default(crm, orders):
    path = orders.header()
    assert crm.call("PATCH", path, {"statecode": 1, "statuscode": 4}).status_code == 400
    assert crm.call("PATCH", path, {"statuscode": 2}).status_code == 204
    crm.call("PATCH", path, {"statecode": 1})
    assert crm.read(path)["statuscode"] == 3


def close(crm, path, status):
    order_id = crm.read(path)["salesorderid"]
    bind = {"salesorderid@odata.bind": f"/salesorders({order_id})"}
    return {
        "Status": status,
        "OrderClose": {"@odata.type": "#Microsoft.Dynamics.CRM.orderclose", "subject": "done", **bind},
    }


@pytest.mark.parametrize(
    "address", ["salesorders/Microsoft.Dynamics.CRM.FulfillSalesOrder", "FulfillSalesOrder"]
)
@pytest.mark.parametrize("submitted", [False, True])
def test_fulfilling_works_at_both_addresses_and_only_once(crm, orders, address, submitted):
    path = orders.header()
    if submitted:
        crm.call("PATCH", path, {"statecode": 1})
    body = close(crm, path, 100001)
    assert crm.call("POST", address, body).status_code == 204
    row = crm.read(path)
    assert (row["statecode"], row["statuscode"]) == (3, 100001)
    (activity,) = crm.read("ordercloses")["value"]
    assert (activity["_salesorderid_value"], activity["subject"]) == (row["salesorderid"], "done")
    assert crm.call("POST", address, body).status_code == 400
    assert crm.call("PATCH", path, {"statecode": 0}).status_code == 400


def test_cancelling_is_unbound_and_a_wrong_status_changes_nothing(crm, orders):
    path = orders.header()
    assert crm.call("POST", "CancelSalesOrder", close(crm, path, 100001)).status_code == 400
    assert crm.read(path)["statecode"] == 0
    assert crm.call("POST", "CancelSalesOrder", close(crm, path, 4)).status_code == 204
    assert crm.read(path)["statecode"] == 2
    bound = "salesorders/Microsoft.Dynamics.CRM.CancelSalesOrder"
    assert crm.call("POST", bound, close(crm, path, 4)).status_code == 404


def test_an_order_can_be_created_with_its_lines(crm, orders):
    line = {
        "productid@odata.bind": "/products(productnumber='TEA-001')",
        "uomid@odata.bind": "/uoms(name='Primary Unit')",
        "quantity": 2,
        "ispriceoverridden": True,
        "priceperunit": 4.25,
    }
    path = orders.header("deep", order_details=...)
    body = {
        "name": "deep",
        "pricelevelid@odata.bind": "/pricelevels(name='Web')",
        "order_details": [line, line],
    }
    answer = crm.call("POST", "salesorders", body, Prefer="return=representation")
    assert answer.json()["totalamount"] == 17
    assert crm.read(path)["totalamount"] == 0


def test_deleting_an_order_takes_its_lines_along(crm, orders):
    path = orders.header()
    orders.line()
    assert crm.call("DELETE", path).status_code == 204
    assert crm.call("GET", "salesorderdetails(tl_linekey='l1')").status_code == 404
