"""Finance & Supply Chain: what an integration names of it. The client is built by `tagline.connectors.connect`."""

from __future__ import annotations

from tagline.connectors.finance.events import Finance
from tagline.connectors.finance.models import (
    Customer,
    CustomerPaymentJournalHeader,
    CustomerPaymentJournalLine,
    MainAccount,
    PurchaseOrderHeader,
    PurchaseOrderLine,
    ReleasedProduct,
    SalesInvoiceHeader,
    SalesOrderHeader,
    SalesOrderLine,
    SalesPriceAgreement,
    Vendor,
    Warehouse,
    WarehouseOnHand,
)

__all__ = [
    "Customer",
    "CustomerPaymentJournalHeader",
    "CustomerPaymentJournalLine",
    "Finance",
    "MainAccount",
    "PurchaseOrderHeader",
    "PurchaseOrderLine",
    "ReleasedProduct",
    "SalesInvoiceHeader",
    "SalesOrderHeader",
    "SalesOrderLine",
    "SalesPriceAgreement",
    "Vendor",
    "Warehouse",
    "WarehouseOnHand",
]
