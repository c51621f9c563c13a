"""Dataverse: what an integration names of it. The client is built by `tagline.connectors.connect`."""

from __future__ import annotations

from tagline.connectors.dataverse.events import Dataverse
from tagline.connectors.dataverse.models import (
    Account,
    Contact,
    InventoryOnHandEntry,
    InventoryOnHandRequest,
    Invoice,
    InvoiceDetail,
    PriceLevel,
    Product,
    ProductInventory,
    ProductPriceLevel,
    PurchaseOrder,
    SalesOrder,
    SalesOrderDetail,
    TransactionCurrency,
    UnitGroup,
    UnitOfMeasure,
    Vendor,
    Warehouse,
)

__all__ = [
    "Account",
    "Contact",
    "Dataverse",
    "InventoryOnHandEntry",
    "InventoryOnHandRequest",
    "Invoice",
    "InvoiceDetail",
    "PriceLevel",
    "Product",
    "ProductInventory",
    "ProductPriceLevel",
    "PurchaseOrder",
    "SalesOrder",
    "SalesOrderDetail",
    "TransactionCurrency",
    "UnitGroup",
    "UnitOfMeasure",
    "Vendor",
    "Warehouse",
]
