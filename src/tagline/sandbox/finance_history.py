"""The trade of the years before, in a Finance environment: orders, invoices, payments and purchases, and the goods they moved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from tagline.sandbox.finance_records import FinanceRecords
from tagline.sandbox.finance_rows import FinanceRows
from tagline.sandbox.finance_schema import COMPANY, entities
from tagline.sandbox.finance_screens import (
    cancel_sales_order,
    confirm_purchase_order,
    receive_purchase_order,
)
from tagline.sandbox.finance_seed import CURRENCIES, DEFAULT_COMPANY, WAREHOUSES
from tagline.sandbox.finance_stock import ON_HAND
from tagline.sandbox.shoppers import option_price
from tagline.sandbox.trade import (
    End,
    Event,
    Purchase,
    Sale,
    Stock,
    began,
    bought_for,
    purchase_price,
    relive,
)

PAID_TOGETHER: Final = 20
"""Invoices whose payments stand in one journal; those left over are still to be paid."""
_NONE = Decimal(0)


def write_trade(rows: FinanceRows, sales: Sequence[Sale]) -> None:
    """Type in what was bought and sold by the first company, each row dated when it was; the caller holds the door."""
    purchases = list(bought_for(sales))
    clock = began(purchases)
    now = rows.now
    try:
        clerk = _Clerk(FinanceRecords(rows, clock))
        events = [
            *(e for p in purchases for e in clerk.purchase(p)),
            *(e for s in sales for e in clerk.sale(s)),
        ]
        relive(clock, events)
    finally:
        rows.now = now


def stock_of(rows: FinanceRows) -> Sequence[Stock]:
    """What lies where in the first company."""
    found = rows.matching(entities()[ON_HAND], (COMPANY,), (DEFAULT_COMPANY,))
    return [
        Stock(
            row["ItemNumber"],
            row["InventoryWarehouseId"],
            row.get("OnHandQuantity", _NONE),
            row.get("ReservedOnHandQuantity", _NONE),
            row.get("OrderedQuantity", _NONE),
        )
        for row in found
    ]


class _Clerk:
    """Somebody who enters what happens, knowing customers and vendors by name."""

    def __init__(self, records: FinanceRecords) -> None:
        self._records = records
        self._unpaid: list[tuple[str, str, Decimal]] = []
        """Invoice, customer and amount."""
        self._journals = 0
        self._customers = self._by("CustomersV3", "PrimaryContactEmail", "CustomerAccount")
        self._vendors = self._by("VendorsV2", "VendorOrganizationName", "VendorAccountNumber")

    def _by(self, entity_set: str, name: str, number: str) -> dict[str, str]:
        found = self._records.rows.matching(entities()[entity_set], (COMPANY,), (DEFAULT_COMPANY,))
        return {row[name]: row[number] for row in found}

    def _create(self, entity_set: str, **values: Any) -> Any:
        return self._records.create(entities()[entity_set], {COMPANY: DEFAULT_COMPANY, **values})

    def purchase(self, purchase: Purchase) -> Iterator[Event]:
        yield Event(purchase.placed, lambda: self._purchase(purchase))
        if purchase.arrived is not None:
            yield Event(
                purchase.arrived,
                lambda: receive_purchase_order(self._records, DEFAULT_COMPANY, purchase.name),
            )

    def _purchase(self, purchase: Purchase) -> None:
        site, warehouse, _, _ = WAREHOUSES[0]
        self._create(
            "PurchaseOrderHeadersV2",
            PurchaseOrderNumber=purchase.name,
            OrderVendorAccountNumber=self._vendors[purchase.vendor],
            DefaultReceivingSiteId=site,
            DefaultReceivingWarehouseId=warehouse,
        )
        for sku, count in purchase.pieces.items():
            self._create(
                "PurchaseOrderLinesV2",
                PurchaseOrderNumber=purchase.name,
                ItemNumber=sku,
                OrderedPurchaseQuantity=Decimal(count),
                PurchasePrice=purchase_price(sku),
            )
        confirm_purchase_order(self._records, DEFAULT_COMPANY, purchase.name)

    def sale(self, sale: Sale) -> Iterator[Event]:
        number = f"SO-{sale.number:06}"
        yield Event(sale.placed, lambda: self._order(number, sale))
        if sale.end is End.CANCELED:
            yield Event(sale.settled, lambda: cancel_sales_order(self._records, DEFAULT_COMPANY, number))
        elif sale.end in (End.FULFILLED, End.INVOICED):
            yield Event(sale.settled, lambda: self._invoice(number, sale.settled))

    def _order(self, number: str, sale: Sale) -> None:
        self._create(
            "SalesOrderHeadersV2",
            SalesOrderNumber=number,
            OrderingCustomerAccountNumber=self._customers[sale.draft.shopper.email],
            CustomersOrderReference=sale.name,
        )
        for line in sale.draft.lines:
            self._create(
                "SalesOrderLines",
                SalesOrderNumber=number,
                ItemNumber=line.product.sku,
                OrderedSalesQuantity=Decimal(line.quantity),
                SalesPrice=line.product.price + option_price(line),
            )

    def _invoice(self, number: str, at: datetime) -> None:
        invoice = self._records.invoice(DEFAULT_COMPANY, number)
        header = self._records.find("SalesOrderHeadersV2", DEFAULT_COMPANY, number) or {}
        customer, amount = header["InvoiceCustomerAccountNumber"], header["OrderTotalAmount"]
        self._unpaid.append((invoice, customer, amount))
        if len(self._unpaid) == PAID_TOGETHER:
            self._pay(at + timedelta(hours=1))

    def _pay(self, at: datetime) -> None:
        description = f"Card payments until {at:%Y-%m-%d}"
        self._journals += 1
        number = f"JN-9{self._journals:05}"
        self._create(
            "CustomerPaymentJournalHeaders",
            JournalBatchNumber=number,
            JournalName="CustPay",
            Description=description,
        )
        for invoice, customer, amount in self._unpaid:
            self._create(
                "CustomerPaymentJournalLines",
                JournalBatchNumber=number,
                AccountDisplayValue=customer,
                CreditAmount=amount,
                CurrencyCode=CURRENCIES[DEFAULT_COMPANY],
                MarkedInvoice=invoice,
                PaymentMethodName="CARD",
            )
        self._records.post_journal(DEFAULT_COMPANY, number)
        self._unpaid.clear()
