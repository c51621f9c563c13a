"""Actions that move orders and invoices on. Source: Web API notes, 15.4."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tagline.sandbox.dataverse_body import BIND, read_object, read_values
from tagline.sandbox.dataverse_call import Call, Resolve
from tagline.sandbox.dataverse_documents import CANCELED, FULFILLED, INVOICED, SUBMITTED
from tagline.sandbox.dataverse_errors import Refusal, no_row, payload
from tagline.sandbox.dataverse_literals import GUID
from tagline.sandbox.dataverse_platform import (
    Operation,
    Platform,
    missing_parameter,
    parameters,
    text_parameter,
)
from tagline.sandbox.dataverse_quirks import quirks
from tagline.sandbox.dataverse_read import representation
from tagline.sandbox.dataverse_records import Records
from tagline.sandbox.dataverse_rows import Row
from tagline.sandbox.dataverse_schema import Table, tables
from tagline.sandbox.values import Request, Response

DEFAULT_STATUS: Final = -1
OWN_PREFIX: Final = "tl_"
_NOT_CARRIED: Final = frozenset(
    {
        "statecode",
        "statuscode",
        "createdon",
        "overriddencreatedon",
        "importsequencenumber",
        "processid",
        "stageid",
        "traversedpath",
        "ispricelocked",
        "prioritycode",
        "ownerid",
    }
)


def close_order(platform: Platform, call: Call, state: int) -> Response:
    """
    `FulfillSalesOrder` and `CancelSalesOrder`.

    Raises:
        Refusal: The order is missing or already closed, or the status is not of that state.
    """
    records = platform.records
    orders, closes = tables()["salesorder"], tables()["orderclose"]
    given = read_object(orders, call.request.body)
    order_id, close = _order_close(records, closes, given, call.resolve)
    order = records.rows.get(orders, order_id) or {}
    if order["statecode"] > SUBMITTED:
        raise Refusal(
            400, quirks().invalid_state_code, f"The sales order cannot leave state {order['statecode']}."
        )
    status = given.get("Status", DEFAULT_STATUS)
    changes: dict[str, Any] = {"statecode": state}
    if status != DEFAULT_STATUS:
        changes["statuscode"] = status
    with records.acting_as(records.caller.as_platform()):
        records.update(orders, order_id, changes)
        records.update(closes, records.create(closes, close)[0], {"statecode": 1})
    return Response(204)


def _order_close(
    records: Records, closes: Table, given: Mapping[str, Any], resolve: Resolve
) -> tuple[str, dict[str, Any]]:
    close = given.get("OrderClose")
    if not isinstance(close, dict) or f"salesorderid{BIND}" not in close:
        raise payload(closes, "The parameter 'OrderClose' with 'salesorderid@odata.bind' is required.")
    values = read_values(records.rows, closes, close, creating=True, resolve=resolve)
    link = values["salesorderid"]
    if link is None:
        raise payload(closes, "The parameter 'OrderClose' names no sales order.")
    return link[1], values


def convert_order(platform: Platform, call: Call) -> Response:
    """
    `ConvertSalesOrderToInvoice`: an invoice with the order's customer, prices and lines.

    Raises:
        Refusal: There is no such order, or it is canceled or invoiced.
    """
    records, given = platform.records, parameters(call)
    orders, invoices = tables()["salesorder"], tables()["invoice"]
    order_id = text_parameter(given, "SalesOrderId").lower()
    order = platform.rows.get(orders, order_id)
    if order is None:
        raise no_row(orders, order_id)
    columns = _column_set(invoices, given)
    if order["statecode"] in (CANCELED, INVOICED):
        raise Refusal(
            400,
            quirks().invalid_state_code,
            f"A sales order in state {order['statecode']} has no invoice made of it.",
        )
    with records.acting_as(records.caller.as_platform()):
        invoice_id = invoice_of(records, order_id)
    made = platform.rows.get(invoices, invoice_id) or {}
    request = Request("GET", f"{call.root}invoices{columns}", call.request.headers)
    shown = Call(
        request, call.root, call.preferences, call.resolve, call.now, call.user_id, call.business_unit_id
    )
    return representation(platform.rows, shown, (invoices, made), 200)


def invoice_of(records: Records, order_id: str) -> str:
    """Make an invoice of an order that stands, with its customer, prices and lines; the invoice's id."""
    known = tables()
    orders, order = known["salesorder"], records.rows.get(known["salesorder"], order_id) or {}
    values = {
        **_carried(orders, known["invoice"], order),
        "salesorderid": ("salesorder", order_id),
        "ispricelocked": quirks().converted_invoice_is_price_locked,
    }
    invoice_id, _row = records.create(known["invoice"], values)
    for line in _lines(records, order_id):
        links = {
            "invoiceid": ("invoice", invoice_id),
            "salesorderdetailid": ("salesorderdetail", line["salesorderdetailid"]),
        }
        copied = _carried(known["salesorderdetail"], known["invoicedetail"], line)
        records.create(known["invoicedetail"], {**copied, **links})
    if quirks().converted_order_is_invoiced:
        records.update(orders, order_id, {"statecode": INVOICED})
    return invoice_id


def _column_set(invoices: Table, given: Mapping[str, Any]) -> str:
    """The `$select` that a ColumnSet stands for."""
    asked = given.get("ColumnSet")
    if not isinstance(asked, dict):
        raise missing_parameter("ColumnSet")
    if asked.get("AllColumns"):
        return ""
    names = [str(name) for name in asked.get("Columns", ())]
    wire = [invoices.columns[n].wire if n in invoices.columns else n for n in names]
    return f"?$select={','.join(wire or [invoices.primary_id])}"


def _carried(source: Table, target: Table, row: Row) -> dict[str, Any]:
    """What a copy takes over: columns of both tables that a create may give, but for those of a solution."""
    return {
        name: row[name]
        for name, column in target.columns.items()
        if name in row
        and name in source.columns
        and column.create
        and name not in (*_NOT_CARRIED, source.primary_id)
        and not name.startswith(OWN_PREFIX)
    }


def _lines(records: Records, order_id: str) -> list[Row]:
    table = tables()["salesorderdetail"]
    found = (records.rows.get(table, i) for i in records.rows.pointing(table, "salesorderid", order_id))
    return [line for line in found if line is not None]


def lock_pricing(platform: Platform, call: Call, name: str, *, locked: bool) -> Response:
    """
    `LockSalesOrderPricing` and its like: from now on prices stand, or follow the price list again.

    Raises:
        Refusal: There is no such document, or it cannot be edited.
    """
    table = tables()[name]
    parameter = {"salesorder": "SalesOrderId", "invoice": "InvoiceId"}[name]
    row_id = text_parameter(parameters(call), parameter).lower()
    if GUID.fullmatch(row_id) is None:
        raise missing_parameter(parameter, "is no GUID")
    platform.records.update(table, row_id, {"ispricelocked": locked})
    return Response(204)


ACTIONS: Mapping[str, Operation] = {
    "FulfillSalesOrder": lambda platform, call: close_order(platform, call, FULFILLED),
    "CancelSalesOrder": lambda platform, call: close_order(platform, call, CANCELED),
    "ConvertSalesOrderToInvoice": convert_order,
    "LockSalesOrderPricing": lambda p, c: lock_pricing(p, c, "salesorder", locked=True),
    "UnlockSalesOrderPricing": lambda p, c: lock_pricing(p, c, "salesorder", locked=False),
    "LockInvoicePricing": lambda p, c: lock_pricing(p, c, "invoice", locked=True),
    "UnlockInvoicePricing": lambda p, c: lock_pricing(p, c, "invoice", locked=False),
}
