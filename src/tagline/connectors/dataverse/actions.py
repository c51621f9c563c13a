"""Named state transitions as requests. What each is for stands in the table of `ACTIONS`.

Source: reference/dataverse-api.md section 15.4.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from tagline.connectors import json_values
from tagline.connectors.dataverse.models import Account, Contact, Invoice, Product, SalesOrder
from tagline.connectors.dataverse.wire import ROOT, address, is_guid, to_text
from tagline.connectors.odata.batch import Part
from tagline.domain.exchange import Write
from tagline.domain.model import Model
from tagline.errors import RecordError

FULFIL_PATHS: Final = (
    f"{ROOT}/FulfillSalesOrder",
    f"{ROOT}/salesorders/Microsoft.Dynamics.CRM.FulfillSalesOrder",
)
"""
Unbound, as the older reference has it, and bound to the collection, as the newer one does.

Which of the two an organisation knows is an assumption: the first is tried first, and the other once it is refused.
Source: reference/dataverse-api.md section 15.4 and 21, 2.
"""

MERGE_PARAMETERS: Final = ("Target", "Subordinate", "UpdateContent", "PerformParentingChecks")
"""Of the unbound action `Merge`. An assumption: our reference names the action and not its parameters."""

CONVERT: Final = "ConvertSalesOrderToInvoice"
CLOSE_FIELDS: Final = ("subject", "description", "actualend")
"""Parameters of a closing action beside `Status`: columns of the activity it leaves."""
JSON: Final = {"Accept": "application/json", "Content-Type": "application/json"}
NOBODY: Final = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True)
class Action:
    """One transition of one table."""

    parameters: tuple[str, ...]
    part: Callable[[Write], Part]
    result_id: str = ""
    """Column of the answer that holds the id of the row it made."""


def _to_state(state: int, status: int) -> Action:
    """A transition by PATCH of the state; `Status` picks another reason of the same state."""

    def part(write: Write) -> Part:
        body = {"statecode": state, "statuscode": write.fields.get("Status", status)}
        headers = {**JSON, "If-Match": write.etag or "*", "Prefer": "return=representation"}
        url = f"{ROOT}/{row_of(write)}?$select={write.model.remote.primary_id}"
        return Part("PATCH", url, headers, _body(write, body))

    return Action(("Status",), part)


def _closing(path: str, status: int) -> Action:
    """A transition that leaves an activity about how the order was closed."""

    def part(write: Write) -> Part:
        close = {n: _close_value(write.fields[n]) for n in CLOSE_FIELDS if n in write.fields}
        body = {
            "Status": write.fields.get("Status", status),
            "OrderClose": {
                "@odata.type": "#Microsoft.Dynamics.CRM.orderclose",
                "salesorderid@odata.bind": f"/{row_of(write)}",
                **close,
            },
        }
        return _post(write, path, body)

    return Action(("Status", *CLOSE_FIELDS), part)


def _convert(write: Write) -> Part:
    columns = {"AllColumns": False, "Columns": [Invoice.remote.primary_id]}
    return _post(write, f"{ROOT}/{CONVERT}", {"SalesOrderId": _id_of(write, write.id), "ColumnSet": columns})


def _merge(write: Write) -> Part:
    other = write.fields.get("Subordinate")
    values = (
        _entity(write, _id_of(write, write.id)),
        _entity(write, _id_of(write, other)),
        _entity(write, NOBODY),
        False,
    )
    return _post(write, f"{ROOT}/Merge", dict(zip(MERGE_PARAMETERS, values, strict=True)))


ACTIONS: Final[Mapping[type[Model], Mapping[str, Action]]] = {
    SalesOrder: {
        "SubmitSalesOrder": _to_state(1, 3),
        # Known of a submitted order alone: one that is fulfilled, cancelled or invoiced is closed for good.
        "ReopenSalesOrder": _to_state(0, 1),
        "FulfillSalesOrder": _closing(FULFIL_PATHS[0], 100001),
        "CancelSalesOrder": _closing(f"{ROOT}/CancelSalesOrder", 4),
        CONVERT: Action((), _convert, Invoice.remote.primary_id),
    },
    Invoice: {"PayInvoice": _to_state(2, 100001), "CancelInvoice": _to_state(3, 100003)},
    Product: {
        "PublishProduct": _to_state(0, 1),
        "ReviseProduct": _to_state(3, 3),
        "RetireProduct": _to_state(1, 2),
    },
    # Nothing takes a merge back: whoever awaits it declares R4.
    Account: {"Merge": Action(("Subordinate",), _merge)},
    Contact: {"Merge": Action(("Subordinate",), _merge)},
}
"""
By table and name.

Paying and cancelling an invoice, publishing, revising and retiring a product are changes of state. `Merge` takes the id
of the row that is merged into this one as `Subordinate`.
"""


def action_of(write: Write) -> Action:
    """
    The transition that a write asks for.

    Raises:
        RecordError: The table has no such action, or the action no such parameter (code `not-supported`).
    """
    known = ACTIONS.get(write.model, {})
    entity = write.model.remote.entity
    action = known.get(write.action)
    if action is None:
        raise RecordError(
            f"{entity} has no action {write.action}",
            code="not-supported",
            where={"entity": entity, "action": write.action},
            hint=f"{entity} has {', '.join(known) or 'none'}",
        )
    unknown = [n for n in write.fields if n not in action.parameters]
    if unknown:
        raise RecordError(
            f"{write.action} has no parameter {', '.join(unknown)}",
            code="not-supported",
            where={"entity": entity, "action": write.action},
            hint=f"it takes {', '.join(action.parameters) or 'none'}",
        )
    return action


def row_of(write: Write) -> str:
    """The address of the row that a write is about, by id where it is known."""
    if write.id is not None:
        return address(write.model, ((write.model.remote.primary_id, write.id),))
    return address(write.model, write.key)


def in_other_form(part: Part) -> Part | None:
    """The same request at the other address that its action is documented at; None where there is none."""
    if part.url not in FULFIL_PATHS:
        return None
    other = next(path for path in FULFIL_PATHS if path != part.url)
    return Part(part.method, other, part.headers, part.body)


def _post(write: Write, path: str, body: Mapping[str, Any]) -> Part:
    return Part("POST", path, JSON, _body(write, body))


def _body(write: Write, body: Mapping[str, Any]) -> bytes:
    try:
        return json_values.dump(body).encode()
    except ValueError as error:
        raise RecordError(
            f"a parameter of {write.action} cannot be sent: {error}",
            code="value-not-sendable",
            where={"entity": write.model.remote.entity, "action": write.action},
            hint="correct the parameter in the flow; a time needs a zone",
        ) from None


def _entity(write: Write, row_id: str) -> dict[str, str]:
    remote = write.model.remote
    return {"@odata.type": f"Microsoft.Dynamics.CRM.{remote.entity}", remote.primary_id: row_id}


def _id_of(write: Write, value: object) -> str:
    if isinstance(value, str) and is_guid(value):
        return value
    raise RecordError(
        f"{write.action} of {write.model.remote.entity} needs the primary id of each row it is about",
        code="key-not-addressable",
        where={"entity": write.model.remote.entity, "action": write.action},
        hint="give the id of a row that was found or written before",
    )


def _close_value(value: object) -> object:
    return to_text(value) if isinstance(value, datetime) and value.tzinfo else value
