"""
Models of Finance's data entities, one file an entity.

No model has the company: the connection names it, and the connector writes and asks for it. A column that holds another row's
number is a reference to that row. Where an entity's key is several columns, `row_id` holds them as text.

Names and types of the entities with a file in reference/dataverse-metadata are held to it by test. Those of sales order lines,
released products, sales price agreements and sales invoice headers are assumed: nothing better than memory is known of them.
"""

from __future__ import annotations

from tagline.connectors.finance.models.customer import Customer
from tagline.connectors.finance.models.customer_payment_journal_header import CustomerPaymentJournalHeader
from tagline.connectors.finance.models.customer_payment_journal_line import CustomerPaymentJournalLine
from tagline.connectors.finance.models.main_account import MainAccount
from tagline.connectors.finance.models.purchase_order_header import PurchaseOrderHeader
from tagline.connectors.finance.models.purchase_order_line import PurchaseOrderLine
from tagline.connectors.finance.models.released_product import ReleasedProduct
from tagline.connectors.finance.models.sales_invoice_header import SalesInvoiceHeader
from tagline.connectors.finance.models.sales_order_header import SalesOrderHeader
from tagline.connectors.finance.models.sales_order_line import SalesOrderLine
from tagline.connectors.finance.models.sales_price_agreement import SalesPriceAgreement
from tagline.connectors.finance.models.vendor import Vendor
from tagline.connectors.finance.models.warehouse import Warehouse
from tagline.connectors.finance.models.warehouse_on_hand import WarehouseOnHand

__all__ = [
    "Customer",
    "CustomerPaymentJournalHeader",
    "CustomerPaymentJournalLine",
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
