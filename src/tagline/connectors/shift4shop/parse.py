"""From the shop's JSON to typed records: secrets dropped, store-local times made aware, faults told without values."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from tagline.connectors.shift4shop.models import Order
from tagline.domain.scrub import scrub

Fault = Mapping[str, str]
"""What is wrong with one field: `field` and `reason`, never its value."""

TIMES: Final = ("OrderDate", "LastUpdate")

_FORMATS: Final = ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S.%f", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M")
"""The first is what recorded traffic holds, the last two stand in the vendor's samples (reference section 4)."""


class MalformedError(Exception):
    """A record that cannot be understood; `faults` names every wrong field."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__(f"{len(faults)} fields are wrong")
        self.faults = faults


def to_order(raw: object, zone: ZoneInfo, currency: str, only: Collection[str] | None = None) -> Order:
    """
    One order as the shop sends it.

    Args:
        zone: The store's time zone.
        currency: The store's currency; the order carries none.
        only: Fields that matter, where an order is a target: faults elsewhere are not our business.

    Raises:
        MalformedError: It is no order, or some fields cannot be understood.
    """
    if not isinstance(raw, Mapping):
        raise MalformedError({"field": "", "reason": "the record is no JSON object"})
    fields = {k: v for k, v in _without_nulls(scrub(raw)).items() if only is None or k in {"OrderID", *only}}
    faults: list[Fault] = []
    for name in TIMES:
        if name in fields:
            try:
                fields[name] = to_instant(fields[name], zone)
            except ValueError as error:
                faults.append({"field": name, "reason": str(error)})
                del fields[name]
    try:
        order = Order.model_validate({**fields, "store_currency": currency})
    except ValidationError as error:
        faults += [
            {"field": ".".join(str(part) for part in found["loc"]), "reason": found["msg"]}
            for found in error.errors(include_input=False, include_url=False, include_context=False)
        ]
        raise MalformedError(*faults) from None
    if order.OrderID <= 0:
        faults.append({"field": "OrderID", "reason": "it is missing or not positive"})
    if faults:
        raise MalformedError(*faults)
    return order


def to_instant(value: object, zone: ZoneInfo) -> datetime | None:
    """
    A time of the shop as an instant; blank is none.

    Times are local to the store and name no offset, so that the hour which a clock change repeats is ambiguous: it is
    read as the first of the two. A time in the hour it skips is read with the offset before the change.
    """
    if not isinstance(value, str):
        raise ValueError("it is no date and time")
    text = value.strip()
    if not text:
        return None
    for form in _FORMATS:
        try:
            local = datetime.strptime(text, form)  # noqa: DTZ007 - the zone is the store's, added next
        except ValueError:
            continue
        try:
            return local.replace(tzinfo=zone, fold=0).astimezone(UTC)
        except OverflowError:
            break
    raise ValueError("it is no date and time")


def order_id(value: object) -> str | None:
    """The key of an order as text, from a number or a quoted number; None when it is none."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if value > 0 else None
    if isinstance(value, str):
        digits = value.strip()
        if digits.isascii() and digits.isdigit() and len(digits) <= 18 and int(digits) > 0:
            return str(int(digits))
    return None


def _without_nulls(value: Any) -> Any:
    """The shop's null and a missing field mean the same: blank."""
    if isinstance(value, Mapping):
        return {k: _without_nulls(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [_without_nulls(v) for v in value]
    return value
