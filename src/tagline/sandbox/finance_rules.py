"""What every entity demands of a row: numbers it draws, fields that must be filled, fields that point elsewhere, fields that are not ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SEQUENCES: Final[Mapping[str, tuple[str, str, int]]] = {
    "CustomersV3": ("CustomerAccount", "C{:06}", 100001),
    "VendorsV2": ("VendorAccountNumber", "V{:06}", 1001),
    "SalesOrderHeadersV2": ("SalesOrderNumber", "SO-{:06}", 1001),
    "SalesOrderLines": ("InventoryLotId", "LOT-{:06}", 1),
    "PurchaseOrderHeadersV2": ("PurchaseOrderNumber", "PO-{:06}", 1),
    "CustomerPaymentJournalHeaders": ("JournalBatchNumber", "JN-{:06}", 1),
    "SalesInvoiceHeadersV2": ("InvoiceNumber", "INV-{:06}", 1),
}
"""Entity -> the part of its key that a number sequence fills, how it prints, and its first number; one sequence a company."""
RECORD_IDS: Final[Mapping[str, tuple[str, int]]] = {"SalesPriceAgreements": ("RecordId", 5637200001)}
LINES: Final[Mapping[str, tuple[str, str]]] = {
    "CustomerPaymentJournalLines": ("JournalBatchNumber", "LineNumber"),
    "PurchaseOrderLinesV2": ("PurchaseOrderNumber", "LineNumber"),
    "SalesOrderLines": ("SalesOrderNumber", "LineCreationSequenceNumber"),
}
"""Lines that are numbered within their document."""
MANDATORY: Final[Mapping[str, Mapping[str, str]]] = {
    "CustomersV3": {"CustomerGroupId": "Customer group", "SalesCurrencyCode": "Currency"},
    "VendorsV2": {"VendorGroupId": "Group", "CurrencyCode": "Currency"},
    "SalesOrderHeadersV2": {"OrderingCustomerAccountNumber": "Customer account", "CurrencyCode": "Currency"},
    "SalesOrderLines": {"SalesOrderNumber": "Sales order", "ItemNumber": "Item number"},
    "PurchaseOrderHeadersV2": {"OrderVendorAccountNumber": "Vendor account", "CurrencyCode": "Currency"},
    "PurchaseOrderLinesV2": {"PurchaseOrderNumber": "Purchase order", "ItemNumber": "Item number"},
    "CustomerPaymentJournalHeaders": {"JournalName": "Name"},
    "CustomerPaymentJournalLines": {
        "JournalBatchNumber": "Journal batch number",
        "AccountDisplayValue": "Account",
        "CurrencyCode": "Currency",
    },
    "SalesPriceAgreements": {"ItemNumber": "Item", "PriceCurrencyCode": "Currency"},
    "ReleasedProductsV2": {"ItemNumber": "Item number"},
}
"""Entity -> field that must not be empty -> its label."""
REFERENCES: Final[Mapping[str, Mapping[str, str]]] = {
    "CustomersV3": {"SalesCurrencyCode": "Currencies", "WarehouseId": "Warehouses"},
    "VendorsV2": {"CurrencyCode": "Currencies"},
    "SalesOrderHeadersV2": {
        "OrderingCustomerAccountNumber": "CustomersV3",
        "InvoiceCustomerAccountNumber": "CustomersV3",
        "CurrencyCode": "Currencies",
        "DefaultShippingWarehouseId": "Warehouses",
    },
    "SalesOrderLines": {
        "SalesOrderNumber": "SalesOrderHeadersV2",
        "ItemNumber": "ReleasedProductsV2",
        "ShippingWarehouseId": "Warehouses",
    },
    "PurchaseOrderHeadersV2": {
        "OrderVendorAccountNumber": "VendorsV2",
        "CurrencyCode": "Currencies",
        "DefaultReceivingWarehouseId": "Warehouses",
    },
    "PurchaseOrderLinesV2": {
        "PurchaseOrderNumber": "PurchaseOrderHeadersV2",
        "ItemNumber": "ReleasedProductsV2",
        "ReceivingWarehouseId": "Warehouses",
    },
    "CustomerPaymentJournalHeaders": {"JournalName": "JournalNames"},
    "CustomerPaymentJournalLines": {
        "JournalBatchNumber": "CustomerPaymentJournalHeaders",
        "CurrencyCode": "Currencies",
        "PaymentMethodName": "CustomerPaymentMethods",
    },
    "SalesPriceAgreements": {
        "ItemNumber": "ReleasedProductsV2",
        "CustomerAccountNumber": "CustomersV3",
        "PriceCurrencyCode": "Currencies",
    },
}
"""Entity -> field -> the entity whose key it holds, beside the company; empty points nowhere."""
NOT_EDITABLE: Final[Mapping[str, frozenset[str]]] = {
    "SalesOrderHeadersV2": frozenset(
        {"SalesOrderStatus", "OrderTotalAmount", "OrderTotalTaxAmount", "OrderCreationDateTime"}
    ),
    "SalesOrderLines": frozenset({"SalesOrderLineStatus", "LineCreationSequenceNumber"}),
    "PurchaseOrderHeadersV2": frozenset({"PurchaseOrderStatus", "DocumentApprovalStatus"}),
    "PurchaseOrderLinesV2": frozenset({"PurchaseOrderLineStatus"}),
    "CustomerPaymentJournalHeaders": frozenset({"IsPosted"}),
    "CustomerPaymentJournalLines": frozenset({"Voucher"}),
}
"""Fields that follow from what happens to a document; nobody writes them."""
FIXED: Final[Mapping[str, frozenset[str]]] = {"SalesOrderLines": frozenset({"SalesOrderNumber"})}
"""Fields beside the key that only a new row takes."""
OPEN, INVOICED = "Backorder", "Invoiced"
"""Members of SalesStatus and PurchStatus; the first is what people see as an open order."""
