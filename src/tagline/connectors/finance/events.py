"""
Business events as triggers, and what an endpoint is told by one.

An administrator activates them in Finance for an endpoint of type HTTPS; nothing of that can be done or seen over OData. As of every
webhook, only which row it tells of is believed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, ClassVar, Final

from tagline.connectors import json_values
from tagline.connectors.finance.models import PurchaseOrderHeader, SalesOrderHeader
from tagline.connectors.odata.ticks import instant_of_ticks
from tagline.domain.exchange import Change
from tagline.domain.model import Model
from tagline.domain.system import System, Trigger

MAX_BYTES: Final = 1 << 20
MAX_KEY: Final = 200


class Finance(System):
    """One legal entity of a Finance & Supply Chain environment."""

    kind: ClassVar[str] = "finance"

    @property
    def sales_order_confirmed(self) -> Trigger:
        """A sales order was confirmed."""
        return Trigger(self, "sales-order-confirmed", SalesOrderHeader)

    @property
    def sales_invoice_posted(self) -> Trigger:
        """An invoice of a sales order was posted."""
        return Trigger(self, "sales-invoice-posted", SalesOrderHeader)

    @property
    def purchase_order_confirmed(self) -> Trigger:
        """A purchase order was confirmed."""
        return Trigger(self, "purchase-order-confirmed", PurchaseOrderHeader)

    @property
    def purchase_order_received(self) -> Trigger:
        """Goods of a purchase order were received."""
        return Trigger(self, "purchase-order-received", PurchaseOrderHeader)


@dataclass(frozen=True)
class BusinessEvent:
    """How Finance calls an event and what it says with it."""

    id: str
    model: type[Model]
    members: tuple[str, ...]
    """Of the body; the first that is there holds the row's number."""


EVENTS: Final[Mapping[str, BusinessEvent]] = MappingProxyType(
    {
        "sales-order-confirmed": BusinessEvent(
            "SalesOrderConfirmedBusinessEvent", SalesOrderHeader, ("SalesOrderNumber", "SalesId")
        ),
        "sales-invoice-posted": BusinessEvent(
            "SalesInvoicePostedBusinessEvent", SalesOrderHeader, ("SalesOrderNumber", "SalesId")
        ),
        "purchase-order-confirmed": BusinessEvent(
            "PurchaseOrderConfirmedBusinessEvent", PurchaseOrderHeader, ("PurchaseOrderNumber", "PurchId")
        ),
        "purchase-order-received": BusinessEvent(
            "PurchaseOrderReceivedBusinessEvent", PurchaseOrderHeader, ("PurchaseOrderNumber", "PurchId")
        ),
    }
)
"""By our name. An assumption: ids and members stand in each environment's own catalogue of business events."""

COMPANY_MEMBERS: Final = ("LegalEntity", "BusinessEventLegalEntity")
"""Where the legal entity stands; an assumption, as the members of `EVENTS` are."""


def read_event(body: bytes, company: str) -> Change | None:
    """
    The row that an event tells of; None when it is a row of another company.

    Raises:
        ValueError: It is no event that a flow can have; the message names what is wrong and no value.
    """
    if len(body) > MAX_BYTES:
        raise ValueError(f"it is larger than {MAX_BYTES} bytes")
    told = json_values.parse(body)
    if not isinstance(told, Mapping):
        raise ValueError("it is no JSON object")
    event = next((e for e in EVENTS.values() if e.id == told.get("BusinessEventId")), None)
    if event is None:
        raise ValueError("BusinessEventId is missing or of no event that is known")
    if (_text(told, COMPANY_MEMBERS) or company).lower() != company.lower():
        return None
    number = _text(told, event.members)
    if not number or len(number) > MAX_KEY or not number.isprintable():
        raise ValueError(f"{' or '.join(event.members)} is missing or no number of a row")
    return Change(event.model, number, at=_instant(_text(told, ("EventTime",))))


def _text(told: Mapping[str, Any], names: tuple[str, ...]) -> str:
    return next((value for n in names if isinstance(value := told.get(n), str) and value), "")


def _instant(text: str) -> datetime | None:
    """Both forms that times have been seen in."""
    try:
        found = instant_of_ticks(text) or datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else None
