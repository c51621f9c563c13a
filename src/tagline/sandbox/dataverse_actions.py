"""Actions that move an order on. Source: Web API notes, 15.4."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tagline.sandbox.assumptions import INVALID_STATE_CODE
from tagline.sandbox.dataverse_body import BIND, read_object, read_values
from tagline.sandbox.dataverse_call import Call, Resolve
from tagline.sandbox.dataverse_errors import Refusal, no_segment, payload
from tagline.sandbox.dataverse_orders import CANCELED, FULFILLED, SUBMITTED
from tagline.sandbox.dataverse_records import Records
from tagline.sandbox.dataverse_schema import Table, tables
from tagline.sandbox.values import Response

STATES: Mapping[str, int] = {"FulfillSalesOrder": FULFILLED, "CancelSalesOrder": CANCELED}
COLLECTION_BOUND = frozenset({"FulfillSalesOrder"})
NAMESPACE = "Microsoft.Dynamics.CRM."
DEFAULT_STATUS = -1


def perform_action(records: Records, call: Call, name: str, *, bound: bool) -> Response:
    """
    Close an order as fulfilled or canceled.

    Raises:
        Refusal: No such action at this address, the order is missing or already closed, or the status is not of that state.
    """
    if name not in STATES or (bound and name not in COLLECTION_BOUND):
        raise no_segment(name)
    orders, closes = tables()["salesorder"], tables()["orderclose"]
    given = read_object(orders, call.request.body)
    order_id, close = _order_close(records, closes, given, call.resolve)
    order = records.rows.get(orders, order_id) or {}
    if order["statecode"] > SUBMITTED:
        raise Refusal(400, INVALID_STATE_CODE, f"The sales order cannot leave state {order['statecode']}.")
    status = given.get("Status", DEFAULT_STATUS)
    changes: dict[str, Any] = {"statecode": STATES[name]}
    if status != DEFAULT_STATUS:
        changes["statuscode"] = status
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
