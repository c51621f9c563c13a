"""What Finance does by itself: numbers, defaults, prices, reservations, totals, locks, and the Infolog that says no."""

from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tagline.clock import SystemClock
from tagline.sandbox.finance_errors import FinanceRefusal
from tagline.sandbox.finance_records import FinanceRecords
from tagline.sandbox.finance_rows import FinanceRows
from tagline.sandbox.finance_schema import entities
from tagline.sandbox.finance_seed import fill_finance

STOCK = (
    "WarehousesOnHandV2(dataAreaId='usmf',ItemNumber='{}',ProductColorId='',ProductConfigurationId='',ProductSizeId='',"
    "ProductStyleId='',ProductVersionId='',InventorySiteId='1',InventoryWarehouseId='11')"
)


def order(finance, **changes):
    body = {"OrderingCustomerAccountNumber": "C100001", "CustomersOrderReference": "3dcart 1001", **changes}
    answer = finance.call("POST", "SalesOrderHeadersV2", body)
    assert answer.status_code == 201, answer.text
    return answer.json()


def line(finance, number, **changes):
    body = {"SalesOrderNumber": number, "ItemNumber": "TEA-001", "OrderedSalesQuantity": 3, **changes}
    answer = finance.call("POST", "SalesOrderLinesV2", body)
    assert answer.status_code == 201, answer.text
    return answer.json()


def stock(finance, item="TEA-001"):
    row = finance.read(STOCK.format(item))
    return {
        name: int(row[f"{name}Quantity"])
        for name in ("OnHand", "ReservedOnHand", "AvailableOnHand", "OnOrder", "Ordered", "TotalAvailable")
    }


def header(number):
    return f"SalesOrderHeadersV2(dataAreaId='usmf',SalesOrderNumber='{number}')"


def lot(row):
    return f"SalesOrderLinesV2(dataAreaId='usmf',InventoryLotId='{row['InventoryLotId']}')"


def infolog(answer):
    assert answer.status_code == 400, answer.text
    return answer.json()["error"]["innererror"]["message"]


def test_an_order_takes_what_it_was_not_given_from_its_customer(finance):
    made = order(finance)
    assert made["SalesOrderNumber"] == "SO-001001"
    assert (made["InvoiceCustomerAccountNumber"], made["CurrencyCode"]) == ("C100001", "USD")
    assert (made["SalesOrderStatus"], made["DefaultShippingWarehouseId"]) == ("Backorder", "11")
    assert made["OrderCreationDateTime"] == "2026-07-01T15:30:00Z"
    assert order(finance)["SalesOrderNumber"] == "SO-001002"


def test_a_line_is_priced_by_the_agreement_that_fits_best(finance):
    number = order(finance)["SalesOrderNumber"]
    assert line(finance, number)["LineAmount"] == 14.97
    agreement = {"ItemNumber": "TEA-001", "PriceCurrencyCode": "USD", "Price": 4, "FromQuantity": 10}
    assert finance.call("POST", "SalesPriceAgreements", agreement).status_code == 201
    own = {**agreement, "Price": 4.5, "FromQuantity": 0, "CustomerAccountNumber": "C100001"}
    assert finance.call("POST", "SalesPriceAgreements", own).status_code == 201
    assert line(finance, number, OrderedSalesQuantity=10)["SalesPrice"] == 4.5
    other = order(finance, OrderingCustomerAccountNumber="C100002")["SalesOrderNumber"]
    assert line(finance, other, OrderedSalesQuantity=10)["SalesPrice"] == 4
    assert line(finance, other, OrderedSalesQuantity=9)["SalesPrice"] == 4.99


def test_an_agreement_with_a_group_of_customers_a_warehouse_or_a_price_for_many_is_what_it_says(finance):
    agreed = {"ItemNumber": "TEA-001", "PriceCurrencyCode": "USD"}
    for terms in (
        {"Price": 1, "PriceCustomerGroupCode": "VIP"},
        {"Price": 2, "PriceWarehouseId": "12"},
        {"Price": 30, "SalesPriceQuantity": 10, "CustomerAccountNumber": "C100002"},
    ):
        assert finance.call("POST", "SalesPriceAgreements", {**agreed, **terms}).status_code == 201
    everybodys = 4.99

    def priced(customer, **changes):
        number = finance.call(
            "POST", "SalesOrderHeadersV2", {"OrderingCustomerAccountNumber": customer}
        ).json()["SalesOrderNumber"]
        row = line(finance, number, ItemNumber="TEA-001", OrderedSalesQuantity=2, **changes)
        return row["SalesPrice"], row["LineAmount"]

    assert priced("C100001") == (everybodys, 2 * everybodys)
    assert priced("C100001", ShippingWarehouseId="12") == (2, 4)
    assert priced("C100002") == (30, 6)
    finance.call(
        "PATCH", "CustomersV3(dataAreaId='usmf',CustomerAccount='C100001')", {"DiscountPriceGroupId": "vip"}
    )
    assert priced("C100001") == (1, 2)


def test_a_price_of_ones_own_and_a_discount_decide_the_amount(finance):
    made = line(finance, order(finance)["SalesOrderNumber"], SalesPrice=9.99, LineDiscountPercentage=10)
    assert made["LineAmount"] == 26.97
    assert finance.call("PATCH", lot(made), {"OrderedSalesQuantity": 1}).status_code == 204
    assert finance.read(lot(made))["LineAmount"] == Decimal("8.99")
    assert finance.call("PATCH", lot(made), {"LineAmount": 5}).status_code == 204
    assert finance.read(header(made["SalesOrderNumber"]))["OrderTotalAmount"] == 5


NUMBERS = st.decimals(-(10**15) + 1, 10**15 - 1, places=4, allow_nan=False)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS)
def test_an_amount_is_computed_or_refused_however_large(sandbox, price, per, quantity, share):
    """No product of numbers that are taken ends in an error of the sandbox's own."""
    records = sandbox.finance["dev"].records
    with suppress(FinanceRefusal), records.rows.transaction():
        number = records.create(
            entities()["SalesOrderHeadersV2"],
            {"dataAreaId": "usmf", "OrderingCustomerAccountNumber": "C100001"},
        )["SalesOrderNumber"]
        given = {"SalesPrice": price, "SalesPriceQuantity": per, "OrderedSalesQuantity": quantity}
        row = records.create(
            entities()["SalesOrderLines"],
            {"dataAreaId": "usmf", "SalesOrderNumber": number, "ItemNumber": "TEA-001", **given}
            | {"LineDiscountPercentage": share},
        )
        assert abs(row["LineAmount"]) < 10**15


def test_a_line_reserves_what_is_on_hand_and_lets_go_of_it(finance):
    before = stock(finance)
    made = line(finance, order(finance)["SalesOrderNumber"])
    assert stock(finance)["ReservedOnHand"] == 3
    assert stock(finance)["AvailableOnHand"] == before["AvailableOnHand"] - 3
    finance.call("PATCH", lot(made), {"OrderedSalesQuantity": before["OnHand"] + 5})
    assert (stock(finance)["AvailableOnHand"], stock(finance)["OnOrder"]) == (0, 5)
    assert finance.call("DELETE", lot(made)).status_code == 204
    assert stock(finance) == before


def test_a_line_moved_to_another_warehouse_frees_the_first(finance):
    before = stock(finance)
    made = line(finance, order(finance)["SalesOrderNumber"])
    moved = {"ShippingWarehouseId": "12", "ShippingSiteId": "1"}
    assert finance.call("PATCH", lot(made), moved).status_code == 204
    assert stock(finance) == before
    row = finance.read(STOCK.format("TEA-001").replace("'11'", "'12'"))
    assert row["ReservedOnHandQuantity"] == 3


def test_reserving_by_hand_reserves_nothing_by_itself(finance):
    number = order(finance, InventoryReservationMethod="Manual")["SalesOrderNumber"]
    line(finance, number)
    assert (stock(finance)["ReservedOnHand"], stock(finance)["OnOrder"]) == (0, 3)


def test_lines_are_read_with_their_order_and_go_with_it(finance):
    before = stock(finance)
    number = order(finance)["SalesOrderNumber"]
    line(finance, number), line(finance, number, ItemNumber="TEA-002")
    read = finance.read(
        f"{header(number)}?$select=OrderTotalAmount&$expand=SalesOrderLines($select=ItemNumber,LineAmount)"
    )
    assert [row["ItemNumber"] for row in read["SalesOrderLines"]] == ["TEA-001", "TEA-002"]
    assert read["OrderTotalAmount"] == sum(row["LineAmount"] for row in read["SalesOrderLines"])
    assert finance.call("DELETE", header(number)).status_code == 204
    assert finance.read(f"SalesOrderLines?$filter=SalesOrderNumber eq '{number}'")["value"] == []
    assert stock(finance) == before


def test_both_sets_of_lines_show_the_same_rows(finance):
    made = line(finance, order(finance)["SalesOrderNumber"])
    assert finance.read(lot(made).replace("LinesV2", "Lines"))["ItemNumber"] == "TEA-001"


@pytest.mark.parametrize(
    ("entity", "body", "said"),
    [
        ("SalesOrderHeadersV2", {}, "Warning: Field 'Customer account' must be filled in"),
        (
            "SalesOrderHeadersV2",
            {"OrderingCustomerAccountNumber": "nobody"},
            "Error: The value 'nobody' in field 'OrderingCustomerAccountNumber' is not found",
        ),
        (
            "SalesOrderHeadersV2",
            {"dataAreaId": "zz", "OrderingCustomerAccountNumber": "C100001"},
            "company 'zz'",
        ),
        (
            "SalesOrderHeadersV2",
            {"OrderingCustomerAccountNumber": "C100001", "SalesOrderStatus": "Invoiced"},
            "Warning: Field 'SalesOrderStatus' does not allow edits",
        ),
        ("SalesOrderLinesV2", {"SalesOrderNumber": "SO-9", "ItemNumber": "TEA-001"}, "The value 'SO-9'"),
        ("CustomerPaymentJournalHeaders", {"JournalName": "Nothing"}, "The value 'Nothing'"),
        (
            "CustomersV3",
            {"CustomerAccount": "C100001", "CustomerGroupId": "30", "SalesCurrencyCode": "USD"},
            "already exists",
        ),
        ("WarehousesOnHandV2", {"ItemNumber": "TEA-001"}, "is read-only"),
        ("SalesInvoiceHeadersV2", {"InvoiceNumber": "1"}, "is read-only"),
    ],
)
def test_a_business_rule_says_no_in_the_infolog(finance, entity, body, said):
    told = infolog(finance.call("POST", entity, body))
    assert told.startswith(f"Write failed for table row of type '{entities()[entity].internal}'. Infolog: ")
    assert said in told


def test_an_item_that_is_missing_is_named(finance):
    number = order(finance)["SalesOrderNumber"]
    answer = finance.call(
        "POST", "SalesOrderLinesV2", {"SalesOrderNumber": number, "ItemNumber": "MUG-LTD-07"}
    )
    assert "The value 'MUG-LTD-07' in field 'ItemNumber'" in infolog(answer)
    assert stock(finance)["ReservedOnHand"] == 0


def test_an_invoiced_order_is_locked_its_goods_are_gone_and_its_invoice_is_read(finance, sandbox):
    before = stock(finance)
    number = order(finance)["SalesOrderNumber"]
    made = line(finance, number)
    invoice = sandbox.finance["dev"].records.invoice("usmf", number)
    after = stock(finance)
    assert after["OnHand"] == before["OnHand"] - 3
    assert (after["ReservedOnHand"], after["OnOrder"]) == (0, 0)
    assert "has status Invoiced" in infolog(
        finance.call("PATCH", header(number), {"CustomersOrderReference": "x"})
    )
    assert "has status Invoiced" in infolog(finance.call("PATCH", lot(made), {"OrderedSalesQuantity": 1}))
    assert "has status Invoiced" in infolog(finance.call("DELETE", header(number)))
    (read,) = finance.read(f"SalesInvoiceHeadersV2?$filter=InvoiceNumber eq '{invoice}'")["value"]
    assert (read["SalesOrderNumber"], read["TotalInvoiceAmount"]) == (number, Decimal("14.97"))


def test_a_payment_is_a_journal_with_lines_that_are_numbered_within_it(finance, sandbox):
    made = finance.call("POST", "CustomerPaymentJournalHeaders", {"JournalName": "CustPay"}).json()
    number = made["JournalBatchNumber"]
    body = {
        "JournalBatchNumber": number,
        "AccountDisplayValue": "C100001",
        "CreditAmount": 14.97,
        "CurrencyCode": "USD",
        "PaymentMethodName": "CARD",
    }
    lines = [finance.call("POST", "CustomerPaymentJournalLines", body).json() for _ in range(2)]
    assert [one["LineNumber"] for one in lines] == [1, 2]
    assert lines[0]["Voucher"] != lines[1]["Voucher"]
    assert (lines[0]["AccountType"], lines[0]["TransactionDate"]) == ("Cust", "2026-07-01T12:00:00Z")
    address = f"CustomerPaymentJournalLines(dataAreaId='usmf',JournalBatchNumber='{number}',LineNumber=2)"
    assert finance.read(address)["CreditAmount"] == Decimal("14.97")
    wrong = finance.call(
        "POST",
        "CustomerPaymentJournalLines",
        {**body, "AccountDisplayValue": "nobody", "DebitAmount": 1, "MarkedInvoice": "no"},
    )
    assert infolog(wrong).count("Error:") == 3
    sandbox.finance["dev"].records.post_journal("usmf", number)
    assert "has been posted" in infolog(finance.call("PATCH", address, {"CreditAmount": 1}))
    assert "has been posted" in infolog(finance.call("POST", "CustomerPaymentJournalLines", body))


def test_a_purchase_announces_goods(finance):
    before = stock(finance)
    made = finance.call(
        "POST",
        "PurchaseOrderHeadersV2",
        {
            "OrderVendorAccountNumber": "V001001",
            "DefaultReceivingSiteId": "1",
            "DefaultReceivingWarehouseId": "11",
        },
    ).json()
    body = {
        "PurchaseOrderNumber": made["PurchaseOrderNumber"],
        "ItemNumber": "TEA-001",
        "OrderedPurchaseQuantity": 7,
    }
    row = finance.call("POST", "PurchaseOrderLinesV2", body).json()
    assert (row["LineNumber"], row["PurchaseOrderLineStatus"]) == (1, "Backorder")
    assert stock(finance)["TotalAvailable"] == before["TotalAvailable"] + 7
    address = f"PurchaseOrderLinesV2(dataAreaId='usmf',PurchaseOrderNumber='{made['PurchaseOrderNumber']}',LineNumber=1)"
    assert finance.read(f"{address}?$expand=PurchaseOrderHeader($select=OrderVendorAccountNumber)")[
        "PurchaseOrderHeader"
    ]
    assert finance.call("DELETE", address).status_code == 204
    assert stock(finance) == before


def test_a_customer_with_orders_stays(finance):
    order(finance)
    assert "dependent SalesOrderHeadersV2" in infolog(
        finance.call("DELETE", "CustomersV3(dataAreaId='usmf',CustomerAccount='C100001')")
    )


def test_a_line_stays_with_its_order(finance):
    made = line(finance, order(finance)["SalesOrderNumber"])
    other = order(finance)["SalesOrderNumber"]
    assert "does not allow edits" in infolog(finance.call("PATCH", lot(made), {"SalesOrderNumber": other}))


def test_a_key_is_never_edited(finance):
    number = order(finance)["SalesOrderNumber"]
    assert "does not allow edits" in infolog(
        finance.call("PATCH", header(number), {"SalesOrderNumber": "SO-1"})
    )
    assert finance.call("PATCH", header(number), {"SalesOrderNumber": number}).status_code == 204


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["add", "change", "remove", "invoice"]), st.integers(0, 5), st.integers(0, 300)
    ),
    max_size=12,
)


@settings(max_examples=25, deadline=None)
@given(STEPS)
def test_stock_is_what_the_open_lines_hold(steps):
    """Whatever people do: reserved is what lines hold, on order is what they still want, nothing is counted twice."""
    records = FinanceRecords(FinanceRows(), SystemClock())
    fill_finance(records, 1)
    orders, lines, stock_ = (
        entities()[n] for n in ("SalesOrderHeadersV2", "SalesOrderLines", "WarehousesOnHandV2")
    )
    initial = sum(row.get("OnHandQuantity", 0) for row in records.rows.all(stock_))
    shipped = Decimal(0)
    for step, which, quantity in steps:
        open_lines = [r for r in records.rows.all(lines) if r["SalesOrderLineStatus"] == "Backorder"]
        if step == "add" or not open_lines:
            made = records.create(orders, {"dataAreaId": "usmf", "OrderingCustomerAccountNumber": "C100001"})
            records.create(
                lines,
                {
                    "dataAreaId": "usmf",
                    "SalesOrderNumber": made["SalesOrderNumber"],
                    "ItemNumber": "TEA-001",
                    "OrderedSalesQuantity": Decimal(quantity),
                },
            )
            continue
        row = open_lines[which % len(open_lines)]
        if step == "change":
            records.update(lines, row, {"OrderedSalesQuantity": Decimal(quantity)})
        elif step == "remove":
            records.delete(lines, row)
        else:
            shipped += row.get("OrderedSalesQuantity", 0)
            records.invoice("usmf", row["SalesOrderNumber"])
    held = [r for r in records.rows.all(lines) if r["SalesOrderLineStatus"] == "Backorder"]
    there = records.rows.all(stock_)
    assert sum(r.get("_reserved", 0) for r in held) == sum(r.get("ReservedOnHandQuantity", 0) for r in there)
    wanted = sum(r.get("OrderedSalesQuantity", 0) - r.get("_reserved", 0) for r in held)
    assert wanted == sum(r.get("OnOrderQuantity", 0) for r in there)
    assert initial - shipped == sum(r.get("OnHandQuantity", 0) for r in there)
    for number in {r["SalesOrderNumber"] for r in records.rows.all(orders)}:
        total = sum(
            r.get("LineAmount", 0)
            for r in records.rows.matching(lines, ("dataAreaId", "SalesOrderNumber"), ("usmf", number))
        )
        assert records.find("SalesOrderHeadersV2", "usmf", number).get("OrderTotalAmount", 0) == total
