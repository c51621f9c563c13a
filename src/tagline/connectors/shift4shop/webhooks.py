"""Webhooks of the shop: which stand, which are added, and none left over where adding fails half way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from tagline.connectors.dispositions import SHIFT4SHOP, to_error
from tagline.connectors.shift4shop.results import results_of
from tagline.connectors.shift4shop.wire import Wire
from tagline.errors import Disposition, TaglineError

EVENT_TYPES: Final[Mapping[str, int]] = {"order-placed": 1, "order-changed": 2}
"""
Numbers of the shop's webhook events. An assumption: the vendor publishes no list, two public apps use these two.

Source: reference/shift4shop-api.md section 8, `Known ids`.
"""

PAGE: Final = 500


def register(wire: Wire, addresses: Mapping[str, str], where: Mapping[str, str]) -> Sequence[str]:
    """
    Register a webhook for each event that has no enabled one at its address, and tell for which; all of them or none.

    Args:
        addresses: By event.
        where: Place of errors.
    """
    standing = _standing(wire)
    added: dict[str, str] = {}
    for event, address in addresses.items():
        if (EVENT_TYPES[event], address) in standing:
            continue
        try:
            added[event] = _add(wire, event, address, where)
        except TaglineError:
            for webhook_id in filter(str.isdigit, added.values()):
                # Its own failure hides nothing that matters: a webhook that stays is found standing the next time.
                with suppress(TaglineError):
                    wire.send("DELETE", f"/Webhooks/{webhook_id}")
            raise
    return list(added)


def _standing(wire: Wire) -> set[tuple[Any, Any]]:
    return {
        (hook.get("EventType"), hook.get("Url")) for hook in _webhooks(wire) if hook.get("Enabled") is True
    }


def _webhooks(wire: Wire) -> Iterator[Mapping[str, Any]]:
    offset = 1
    while True:
        rows = wire.rows("/Webhooks", "reading webhooks", offset=offset, limit=PAGE)
        yield from (row for row in rows if isinstance(row, Mapping))
        if len(rows) < PAGE:
            return
        offset += len(rows)


def _add(wire: Wire, event: str, address: str, where: Mapping[str, str]) -> str:
    """Add one webhook and tell its id."""
    hook = {
        "Name": f"tagline {event}",
        "Url": address,
        "EventType": EVENT_TYPES[event],
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
