"""What a new row of Finance takes from the rows it belongs to, where it was not given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from tagline.sandbox.finance_quirks import quirks
from tagline.sandbox.finance_rows import FinanceRows, Row, comparable
from tagline.sandbox.finance_rules import OPEN
from tagline.sandbox.finance_schema import COMPANY, NO_DATE, Entity, entities

_NONE = Decimal(0)
_ONE = Decimal(1)


def completed(rows: FinanceRows, entity: Entity, row: Row, now: datetime) -> dict[str, Any]:
    """The row with what follows from others; a value that stands in it goes before."""
    complete = _COMPLETED.get(entity.table)
    found = complete(rows, row, now) if complete else {}
    return {**{name: value for name, value in found.items() if value}, **row}


def day(now: datetime) -> str:
    """A date as it travels."""
    return now.strftime("%Y-%m-%dT12:00:00Z")


def instant(now: datetime) -> str:
    """A time as it travels."""
    return now.strftime("%Y-%m-%dT%H:%M:%SZ")


def _sales_order(rows: FinanceRows, row: Row, now: datetime) -> dict[str, Any]:
    customer = rows.find("CustomersV3", row[COMPANY], row["OrderingCustomerAccountNumber"]) or {}
    return {
        "InvoiceCustomerAccountNumber": customer.get("InvoiceAccount") or customer.get("CustomerAccount"),
        "CurrencyCode": customer.get("SalesCurrencyCode"),
        "SalesOrderName": customer.get("OrganizationName"),
        "LanguageId": customer.get("LanguageId"),
        "DefaultShippingSiteId": customer.get("SiteId"),
        "DefaultShippingWarehouseId": customer.get("WarehouseId"),
        "RequestedShippingDate": day(now),
        "OrderCreationDateTime": instant(now),
        "SalesOrderStatus": OPEN,
        "InventoryReservationMethod": quirks().reservation,
    }


def _sales_line(rows: FinanceRows, row: Row, now: datetime) -> dict[str, Any]:
    header = rows.find("SalesOrderHeadersV2", row[COMPANY], row["SalesOrderNumber"]) or {}
    product = rows.find("ReleasedProductsV2", row[COMPANY], row["ItemNumber"]) or {}
    warehouse = row.get("ShippingWarehouseId") or header.get("DefaultShippingWarehouseId", "")
    there = rows.find("Warehouses", row[COMPANY], warehouse) or {}
    agreed = _priced(rows, row, header, warehouse, day(now))
    price, per = (
        (agreed.get("Price"), agreed.get("SalesPriceQuantity"))
        if agreed
        else (
            product.get("SalesPrice"),
            product.get("SalesPriceQuantity"),
        )
    )
    return {
        "OrderedSalesQuantity": _ONE,
        "SalesUnitSymbol": product.get("SalesUnitSymbol"),
        "SalesPrice": price,
        # A price that was given is for one.
        "SalesPriceQuantity": _ONE if row.get("SalesPrice") else per or _ONE,
        "LineDescription": product.get("ProductName"),
        "CurrencyCode": header.get("CurrencyCode"),
        "ShippingSiteId": there.get("OperationalSiteId"),
        "ShippingWarehouseId": warehouse,
        "RequestedShippingDate": header.get("RequestedShippingDate"),
        "SalesOrderLineStatus": OPEN,
        "InventoryReservationMethod": header.get("InventoryReservationMethod"),
    }


def _priced(rows: FinanceRows, line: Row, header: Row, warehouse: str, today: str) -> Row | None:
    """
    The trade agreement that fits best: the customer's own before its group's before everybody's, then the cheapest; None where
    none fits.
    """
    quantity = line.get("OrderedSalesQuantity", _ONE)
    number = header.get("OrderingCustomerAccountNumber", "")
    customer = rows.find("CustomersV3", line[COMPANY], number) or {}
    ours = {
        "CustomerAccountNumber": number,
        "PriceCustomerGroupCode": customer.get("DiscountPriceGroupId", ""),
        "PriceWarehouseId": warehouse,
    }
    agreements = rows.matching(
        entities()["SalesPriceAgreements"], (COMPANY, "ItemNumber"), (line[COMPANY], line["ItemNumber"])
    )
    fitting = [
        row
        for row in agreements
        if row["PriceCurrencyCode"] == header.get("CurrencyCode")
        and all(comparable(row.get(name, "")) in ("", comparable(own)) for name, own in ours.items())
        and row.get("FromQuantity", _NONE) <= quantity
        and (not row.get("ToQuantity") or quantity < row["ToQuantity"])
        and row.get("PriceApplicableFromDate", NO_DATE) <= today
        and (row.get("PriceApplicableToDate", NO_DATE) == NO_DATE or today <= row["PriceApplicableToDate"])
    ]
    return min(
        fitting,
        key=lambda r: (
            not r.get("CustomerAccountNumber"),
            not r.get("PriceCustomerGroupCode"),
            r.get("Price", _NONE) / (r.get("SalesPriceQuantity") or _ONE),
        ),
        default=None,
    )


def _purchase_order(rows: FinanceRows, row: Row, now: datetime) -> dict[str, Any]:
    vendor = rows.find("VendorsV2", row[COMPANY], row["OrderVendorAccountNumber"]) or {}
    return {
        "InvoiceVendorAccountNumber": vendor.get("VendorAccountNumber"),
        "CurrencyCode": vendor.get("CurrencyCode"),
        "PurchaseOrderName": vendor.get("VendorOrganizationName"),
        "AccountingDate": day(now),
        "PurchaseOrderStatus": OPEN,
        "DocumentApprovalStatus": "Draft",
    }


def _purchase_line(rows: FinanceRows, row: Row, _now: datetime) -> dict[str, Any]:
    header = rows.find("PurchaseOrderHeadersV2", row[COMPANY], row["PurchaseOrderNumber"]) or {}
    product = rows.find("ReleasedProductsV2", row[COMPANY], row["ItemNumber"]) or {}
    return {
        "OrderedPurchaseQuantity": _ONE,
        "PurchaseUnitSymbol": product.get("PurchaseUnitSymbol"),
        "PurchasePrice": product.get("PurchasePrice"),
        "LineDescription": product.get("ProductName"),
        "ReceivingSiteId": header.get("DefaultReceivingSiteId"),
        "ReceivingWarehouseId": header.get("DefaultReceivingWarehouseId"),
        "RequestedDeliveryDate": header.get("RequestedDeliveryDate"),
        "PurchaseOrderLineStatus": OPEN,
        "CalculateLineAmount": "Yes",
    }


def _journal_line(rows: FinanceRows, row: Row, now: datetime) -> dict[str, Any]:
    account = rows.find("CustomersV3", row[COMPANY], row.get("AccountDisplayValue", "")) or {}
    return {
        "AccountType": "Cust",
        "Company": row[COMPANY],
        "CustomerName": account.get("OrganizationName"),
        "TransactionDate": day(now),
        "ExchangeRate": Decimal(100),
    }


def _customer(_rows: FinanceRows, row: Row, _now: datetime) -> dict[str, Any]:
    return {"NameAlias": str(row.get("OrganizationName", ""))[:20], "PartyType": "Organization"}


_COMPLETED: Mapping[str, Callable[[FinanceRows, Row, datetime], dict[str, Any]]] = {
    "SalesOrderHeadersV2": _sales_order,
    "SalesOrderLines": _sales_line,
    "PurchaseOrderHeadersV2": _purchase_order,
    "PurchaseOrderLinesV2": _purchase_line,
    "CustomerPaymentJournalLines": _journal_line,
    "CustomersV3": _customer,
}
