"""Updates of orders: which can be sent at all, which together, and what is sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from tagline.connectors.shift4shop.models import Order
from tagline.connectors.shift4shop.parse import order_id
from tagline.domain.exchange import Outcome, Write, WriteKind
from tagline.domain.model import columns
from tagline.errors import Disposition

BULK: Final = 100
"""Orders in one bulk PUT; the vendor states no limit, a production client uses this."""


def chunks_of(places: Sequence[int], writes: Sequence[Write]) -> Iterator[list[int]]:
    """Places of updates that may share a request: few enough, and no order twice."""
    chunk: list[int] = []
    seen: set[int] = set()
    for place in places:
        number = number_of(writes[place])
        if len(chunk) == BULK or number in seen:
            yield chunk
            chunk, seen = [], set()
        chunk.append(place)
        seen.add(number)
    if chunk:
        yield chunk


def number_of(write: Write) -> int:
    """The order an update is about; `refusal_of` saw to it that there is one."""
    number = _order_of(write)
    assert number is not None
    return int(number)


def _order_of(write: Write) -> str | None:
    return order_id(write.id or dict(write.key).get("OrderID"))


def body_of(write: Write) -> dict[str, object]:
    """
    The JSON of an update; the shop leaves alone what is not named.

    A cleared field is an empty text, the shop's blank: what null does is not documented.
    """
    return {"OrderID": number_of(write), **{n: "" if v is None else v for n, v in write.fields.items()}}


def refusal_of(write: Write) -> Outcome | None:
    """The outcome of a write that is not sent because the shop has no such thing."""
    facts = columns(Order)
    fixed = [n for n in write.fields if n not in facts or not facts[n].update]
    if write.kind is not WriteKind.UPDATE or write.model is not Order:
        reason = f"the Shift4Shop connector cannot {write.kind.value} a {write.model.__name__}"
    elif fixed:
        reason = f"the shop does not let {', '.join(fixed)} of an order be changed"
    elif _order_of(write) is None:
        reason = "an update of an order names no OrderID"
    else:
        return None
    return Outcome(
        Disposition.DEAD_LETTER,
        code="not-supported",
        message=reason,
        hint="update only fields that the model Order marks as updatable",
    )
