"""Models of Dataverse rows, one file a table. Lengths and options: reference/dataverse-metadata. Columns named `tl_*` are ours."""

from __future__ import annotations

from tagline.connectors.dataverse.models.account import Account
from tagline.connectors.dataverse.models.contact import Contact
from tagline.connectors.dataverse.models.inventory_on_hand_entry import InventoryOnHandEntry
from tagline.connectors.dataverse.models.inventory_on_hand_request import InventoryOnHandRequest
from tagline.connectors.dataverse.models.invoice import Invoice
from tagline.connectors.dataverse.models.invoice_detail import InvoiceDetail
from tagline.connectors.dataverse.models.price_level import PriceLevel
from tagline.connectors.dataverse.models.product import Product
from tagline.connectors.dataverse.models.product_inventory import ProductInventory
from tagline.connectors.dataverse.models.product_price_level import ProductPriceLevel
from tagline.connectors.dataverse.models.purchase_order import PurchaseOrder
from tagline.connectors.dataverse.models.sales_order import SalesOrder
from tagline.connectors.dataverse.models.sales_order_detail import SalesOrderDetail
from tagline.connectors.dataverse.models.transaction_currency import TransactionCurrency
from tagline.connectors.dataverse.models.unit_group import UnitGroup
from tagline.connectors.dataverse.models.unit_of_measure import UnitOfMeasure
from tagline.connectors.dataverse.models.vendor import Vendor
from tagline.connectors.dataverse.models.warehouse import Warehouse

__all__ = [
    "Account",
    "Contact",
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
