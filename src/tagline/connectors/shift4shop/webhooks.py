"""Webhooks of the shop: which stand, which are added, and none left over where adding fails half way."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from tagline.connectors import json_values
from tagline.connectors.dispositions import SHIFT4SHOP, to_error
from tagline.connectors.hooks import address_of
from tagline.connectors.shift4shop.models import Customer, Order, Product, ShopModel
from tagline.connectors.shift4shop.models.product import lifted
from tagline.connectors.shift4shop.parse import whole_id
from tagline.connectors.shift4shop.results import results_of
from tagline.connectors.shift4shop.wire import Wire
from tagline.domain.exchange import Change, Request
from tagline.errors import Disposition, RecordError, TaglineError, UsageError

MAX_HINT_BYTES: Final = 1 << 20
PAGE: Final = 500
MAX_PAGES: Final = 10
"""Of webhooks or events that are read: a shop that ignores the position would never end."""


@dataclass(frozen=True)
class Event:
    """One of the shop's webhook events."""

    model: type[ShopModel]
    names: tuple[str, ...]
    """What the shop may call it in `/Webhooks/Events`, letter case and punctuation aside."""
    number: int | None = None
    """Its EventType where that is known; else it is read from the shop."""


EVENTS: Final[Mapping[str, Event]] = {
    "order-placed": Event(Order, ("Order New",), 1),
    "order-changed": Event(Order, ("Order Status Change",), 2),
    "product-changed": Event(
        Product, ("Product Update", "Product Updated", "Product Change", "Product Edit")
    ),
    "customer-placed": Event(Customer, ("Customer New", "New Customer")),
    "customer-changed": Event(
        Customer, ("Customer Update", "Customer Updated", "Customer Change", "Customer Edit")
    ),
}
"""
Ours by name. An assumption: the vendor publishes no list; two public apps use the numbers 1 and 2, and of the names only
`Order New` and `Customer New` were seen.

Source: reference/shift4shop-api.md section 8, `Known ids`.
"""


def subscribe(wire: Wire, events: Sequence[str], url: str, token: str, connection: str) -> Sequence[str]:
    """
    Register one webhook per event, at `<url>/<event>/<token>`, where an enabled one is not there yet; all of them or none.

    The shop signs nothing and names no event in its body, so that the address carries both.

    Returns:
        The events for which one was added.

    Raises:
        UsageError: The shop has no such event (code `event-unknown`).
    """
    where = {"connection": connection}
    numbers = _numbers(wire, events, where)
    standing = {
        (whole_id(hook.get("EventType")), str(hook.get("Url")))
        for hook in _webhooks(wire)
        if hook.get("Enabled") is True
    }
    added: dict[str, str] = {}
    for event in events:
        address = address_of(url, event, token)
        if (str(numbers[event]), address) in standing:
            continue
        try:
            added[event] = _add(wire, event, numbers[event], address, where)
        except TaglineError:
            for webhook_id in filter(str.isdigit, added.values()):
                # Its own failure hides nothing that matters: a webhook that stays is found standing the next time.
                with suppress(TaglineError):
                    wire.send("DELETE", f"/Webhooks/{webhook_id}")
            raise
    return list(added)


def unsubscribe(wire: Wire, url: str, keep: Collection[str]) -> Sequence[str]:
    """
    Remove every webhook whose address stands beneath `url`.

    Args:
        keep: Addresses that stay.

    Returns:
        Their addresses from there on, without the token.
    """
    beneath = f"{url.rstrip('/')}/"
    removed: list[str] = []
    for hook in list(_webhooks(wire)):
        address, webhook_id = hook.get("Url"), whole_id(hook.get("Id"))
        if not isinstance(address, str) or not address.startswith(beneath) or webhook_id is None:
            continue
        if address in keep:
            continue
        answer = wire.send("DELETE", f"/Webhooks/{webhook_id}")
        if answer.status != 404:
            wire.need_done(answer, "removing a webhook")
        removed.append(address.removeprefix(beneath).rpartition("/")[0])
    return removed


def standing_below(wire: Wire, url: str, token: str) -> frozenset[str]:
    """Events for which an enabled webhook is registered at `<url>/<event>/<token>`."""
    addresses = {str(hook.get("Url")) for hook in _webhooks(wire) if hook.get("Enabled") is True}
    return frozenset(event for event in EVENTS if address_of(url, event, token) in addresses)


def to_change(request: Request, connection: str) -> Change:
    """
    The record a webhook tells of; its version is left out, since a delivery may be late.

    The event in the path says what the body is; without one its id does.

    Raises:
        RecordError: The body is no single record (code `webhook-malformed`).
    """
    if len(request.body) > MAX_HINT_BYTES:
        raise _malformed(connection, f"it is larger than {MAX_HINT_BYTES} bytes")
    try:
        body = json_values.parse(request.body)
    except ValueError as error:
        raise _malformed(connection, str(error)) from None
    if isinstance(body, list) and len(body) == 1:
        body = body[0]
    body = lifted(body)
    if not isinstance(body, Mapping):
        raise _malformed(connection, "it is neither one record nor a list of exactly one")
    model = _model_of(request.path, body)
    key = whole_id(body.get(model.remote.primary_id))
    if key is None:
        raise _malformed(connection, f"{model.remote.primary_id} is missing or no positive whole number")
    return Change(model, key)


def _model_of(path: str, body: Mapping[str, Any]) -> type[ShopModel]:
    for segment in path.split("/"):
        if segment in EVENTS:
            return EVENTS[segment].model
    # An order names its customer, too; nothing else names an order.
    return next((m for m in (Order, Product, Customer) if m.remote.primary_id in body), Order)


def _numbers(wire: Wire, events: Sequence[str], where: Mapping[str, str]) -> Mapping[str, int]:
    """EventType of each event; the shop is asked only where one is not known."""
    unknown = [e for e in events if e not in EVENTS]
    known = {name: event.number for name, event in EVENTS.items() if event.number is not None}
    sought = [e for e in events if e in EVENTS and e not in known]
    offered = _offered(wire) if sought and not unknown else {}
    for event in sought:
        number = next((offered[n] for n in map(_bare, EVENTS[event].names) if n in offered), None)
        if number is None:
            unknown.append(event)
        else:
            known[event] = number
    if unknown:
        choices = [e for e in EVENTS if e in known and e not in unknown]
        raise UsageError(
            f"the shop has no event {', '.join(unknown)}",
            code="event-unknown",
            where=where,
            hint=f"use one of {', '.join(choices)}",
        )
    return known


def _offered(wire: Wire) -> Mapping[str, int]:
    """The shop's own list of events: EventType by bare name."""
    found: dict[str, int] = {}
    for row in _rows(wire, "/Webhooks/Events", "reading webhook events"):
        number = whole_id(row.get("EventType"))
        if number is not None:
            found.setdefault(_bare(str(row.get("EventName", ""))), int(number))
    return found


def _bare(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _webhooks(wire: Wire) -> Iterator[Mapping[str, Any]]:
    return _rows(wire, "/Webhooks", "reading webhooks")


def _rows(wire: Wire, path: str, doing: str) -> Iterator[Mapping[str, Any]]:
    for page in range(MAX_PAGES):
        rows = wire.rows(path, doing, offset=1 + page * PAGE, limit=PAGE)
        yield from (row for row in rows if isinstance(row, Mapping))
        if len(rows) < PAGE:
            return


def _add(wire: Wire, event: str, number: int, address: str, where: Mapping[str, str]) -> str:
    """Add one webhook and tell its id."""
    hook = {
        "Name": f"tagline {event}",
        "Url": address,
        "EventType": number,
        "Enabled": True,
        "Format": "JSON",
    }
    answer = wire.send("POST", "/Webhooks", body=[hook])
    told = results_of(answer, [""])
    status = told[0].status if told else answer.status
    meaning = SHIFT4SHOP.judge(status)
    if meaning.disposition is not Disposition.DONE:
        raise to_error(
            meaning,
            f"the shop answered {status} to the registration of a webhook for {event}",
            where={**where, "event": event},
        )
    return told[0].value if told else ""


def _malformed(connection: str, reason: str) -> RecordError:
    return RecordError(
        f"a webhook body cannot be understood: {reason}",
        code="webhook-malformed",
        where={"connection": connection},
        hint="nothing to do; the sweep finds the record, if it was one",
    )
