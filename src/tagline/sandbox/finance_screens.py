"""What people do with orders at their screens, which no call over OData does."""

from __future__ import annotations

from decimal import Decimal

from tagline.sandbox.finance_records import FinanceRecords
from tagline.sandbox.finance_rows import Row
from tagline.sandbox.finance_rules import OPEN
from tagline.sandbox.finance_schema import COMPANY, entities
from tagline.sandbox.finance_stock import announce, arrive, release

RECEIVED, CONFIRMED, CANCELED = "Received", "Confirmed", "Canceled"
"""Members of PurchStatus, of VersioningDocumentState and of SalesStatus."""


def confirm_sales_order(records: FinanceRecords, company: str, number: str) -> None:
    """
    Send the customer a confirmation; the order stays as it is.

    Raises:
        LookupError: There is no such order that is open.
    """
    _open_order(records, "SalesOrderHeadersV2", "SalesOrderStatus", company, number)
    records.on_event("SalesOrderConfirmedBusinessEvent", company, number)


def cancel_sales_order(records: FinanceRecords, company: str, number: str) -> None:
    """
    Give an order up: its lines let go of what they hold.

    Raises:
        LookupError: There is no such order that is open.
    """
    header = _open_order(records, "SalesOrderHeadersV2", "SalesOrderStatus", company, number)
    lines = entities()["SalesOrderLines"]
    key = (header[COMPANY], header["SalesOrderNumber"])
    for line in list(records.rows.matching(lines, (COMPANY, "SalesOrderNumber"), key)):
        release(records.rows, line)
        left = {"SalesOrderLineStatus": CANCELED, "_reserved": Decimal(0), "_counted": False}
        records.rows.put(lines, {**line, **left})
    records.rows.put(entities()["SalesOrderHeadersV2"], {**header, "SalesOrderStatus": CANCELED})


def confirm_purchase_order(records: FinanceRecords, company: str, number: str) -> None:
    """
    Confirm an order with its vendor.

    Raises:
        LookupError: There is no such order that is open.
    """
    header = _open_order(records, "PurchaseOrderHeadersV2", "PurchaseOrderStatus", company, number)
    records.rows.put(entities()["PurchaseOrderHeadersV2"], {**header, "DocumentApprovalStatus": CONFIRMED})
    records.on_event("PurchaseOrderConfirmedBusinessEvent", company, number)


def receive_purchase_order(records: FinanceRecords, company: str, number: str) -> None:
    """
    Take all goods of a purchase order in: what was expected is on hand.

    Raises:
        LookupError: There is no such order that is open.
    """
    header = _open_order(records, "PurchaseOrderHeadersV2", "PurchaseOrderStatus", company, number)
    lines = entities()["PurchaseOrderLinesV2"]
    key = (header[COMPANY], header["PurchaseOrderNumber"])
    for line in list(records.rows.matching(lines, (COMPANY, "PurchaseOrderNumber"), key)):
        announce(records.rows, line, -1)
        arrive(records.rows, line)
        records.rows.put(lines, {**line, "PurchaseOrderLineStatus": RECEIVED})
    records.rows.put(entities()["PurchaseOrderHeadersV2"], {**header, "PurchaseOrderStatus": RECEIVED})
    records.on_event("PurchaseOrderReceivedBusinessEvent", company, number)


def _open_order(records: FinanceRecords, entity_set: str, status: str, company: str, number: str) -> Row:
    header = records.find(entity_set, company, number)
    if header is None or header.get(status) != OPEN:
        raise LookupError(f"{company} has no open order {number}")
    return header
