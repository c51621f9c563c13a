"""What reads of a store can show of the assumptions about it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from urllib.parse import quote
from zoneinfo import available_timezones

from tagline.connectors.messages import Answer
from tagline.sandbox import assumptions
from tagline.sandbox.asked import Asked, Found, Question, json_of, listed, rows_of

MONEY_BACK: Final = frozenset({"credit", "refund", "return"})
"""Types of a transaction that give money back whatever its sign."""


def _unauthorised_body(asked: Asked) -> tuple[object, object]:
    answer = asked.get("/Orders?countonly=1", signed_in=False)
    try:
        body: object = answer.json() if answer.body else ""
    except Exception:  # noqa: BLE001 - whatever it is, it is not the body that we assume
        body = "no JSON"
    return (401, assumptions.UNAUTHORISED_BODY), (answer.status, body)


def _limit_above_cap(asked: Asked) -> Found:
    told = json_of(asked.get("/Orders?countonly=1"))
    count = told.get("TotalCount") if isinstance(told, Mapping) else None
    if not isinstance(count, int) or count <= 300:
        return None
    answer = asked.get("/Orders?limit=301")
    clamped = answer.status in (200, 404) and len(rows_of(answer)) <= 300
    return assumptions.LIMIT_ABOVE_CAP_IS_CLAMPED, clamped


def _offset_zero(asked: Asked) -> Found:
    at_one, at_zero = (rows_of(asked.get(f"/OrderStatus?limit=1&offset={n}")) for n in (1, 0))
    return (assumptions.OFFSET_ZERO_IS_ONE, at_one == at_zero) if at_one else None


def _store_zone(asked: Asked) -> Found:
    rows = rows_of(asked.get("/StoreSettings"))
    standards = rows[0].get("StoreStandards") if rows else None
    zone = standards.get("StoreTimeZone") if isinstance(standards, Mapping) else None
    return None if zone is None else (True, str(zone) in available_timezones())


def _events(asked: Asked) -> Found:
    rows = rows_of(asked.get("/Webhooks/Events?limit=100"))
    told = {str(row.get("EventType")): row.get("EventName") for row in rows}
    assumed = {str(number): name for number, name in assumptions.WEBHOOK_EVENTS.items()}
    return (assumed, dict(sorted(told.items()))) if told else None


def _past_the_end(asked: Asked) -> Answer:
    return asked.get("/OrderStatus?offset=100000")


def _error_bodies(asked: Asked) -> tuple[object, object]:
    answer = _past_the_end(asked)
    return (400, assumptions.ERROR_BODIES), (answer.status, bool(answer.body.strip()))


def _error_value(asked: Asked) -> Found:
    answer = _past_the_end(asked)
    try:
        told = answer.json()[0]
        return ("Error", assumptions.ERROR_VALUE, "400"), (told["Key"], told["Value"], told["Status"])
    except Exception:  # noqa: BLE001 - a body of another kind is what ERROR_BODIES asks about
        return None


def _status_12(asked: Asked) -> Found:
    rows = rows_of(asked.get("/OrderStatus?limit=100"))
    found = [row.get("StatusDefinition") for row in rows if row.get("OrderStatusID") == 12]
    return (assumptions.STATUS_12, found[0]) if found else None


def _xml(asked: Asked) -> Found:
    answer = asked.get("/OrderStatus?limit=1", accept="application/xml")
    if answer.status != 200:
        return None
    return assumptions.XML_NAMES.format(name="OrderStatus"), root_element(
        answer.body.decode("utf-8", "replace")
    )


def root_element(document: str) -> str:
    """The name of a document's first element, and whether it is in a namespace."""
    found = re.search(r"<([A-Za-z_][\w.:-]*)([^>]*)>", document)
    if found is None:
        return "no XML"
    return f"{found[1]} in a namespace" if re.search(r"\sxmlns=", found[2]) else found[1]


def _names(asked: Asked) -> Found:
    rows = rows_of(asked.get("/Products?limit=1"))
    about = rows[0].get("SKUInfo") if rows else None
    name = str(about.get("Name", "")) if isinstance(about, Mapping) else ""
    inside = re.sub(r"\W.*", "", name[1:-1].strip()) or name[1:-1].strip()
    if len(inside) < 3:
        return None
    answer = asked.get(f"/Products?limit=1&name={quote(inside)}")
    return assumptions.NAME_FILTERS_CONTAIN, answer.status == 200 and bool(rows_of(answer))


def _last_day(asked: Asked) -> Found:
    rows = rows_of(asked.get("/Orders?limit=1"))
    try:
        changed = datetime.fromisoformat(str(rows[0].get("LastUpdate"))) if rows else None
    except ValueError:
        return None
    if changed is None or (changed.hour, changed.minute, changed.second) == (0, 0, 0):
        return None
    day = quote(changed.strftime("%m/%d/%Y"), safe="")
    answer = asked.get(f"/Orders?limit=1&lastupdatestart={day}&lastupdateend={day}")
    if answer.status not in (200, 404):
        return None
    return assumptions.LASTUPDATE_END_IS_MIDNIGHT, not rows_of(answer)


def money_back(orders: Sequence[Mapping[str, Any]]) -> list[tuple[str, Decimal]]:
    """Type and amount of every transaction of those orders that gives money back."""
    found = []
    for order in orders:
        transactions = order.get("TransactionList")
        for one in transactions if isinstance(transactions, list) else ():
            if not isinstance(one, Mapping):
                continue
            kind, told = str(one.get("TransactionType", "")).strip(), str(one.get("TransactionAmount"))
            try:
                amount = Decimal(told)
            except InvalidOperation:
                continue
            if amount < 0 or (amount > 0 and kind.casefold() in MONEY_BACK):
                found.append((kind, amount))
    return found


def _refund_type(asked: Asked) -> Found:
    given = money_back(rows_of(asked.get("/Orders?limit=300")))
    return (assumptions.REFUND_TYPE, listed({kind for kind, _ in given})) if given else None


def _refund_sign(asked: Asked) -> Found:
    given = money_back(rows_of(asked.get("/Orders?limit=300")))
    return (assumptions.REFUND_IS_NEGATIVE, all(amount < 0 for _, amount in given)) if given else None


SHOP_QUESTIONS: Final[Mapping[str, Question]] = {
    "UNAUTHORISED_BODY": _unauthorised_body,
    "LIMIT_ABOVE_CAP_IS_CLAMPED": _limit_above_cap,
    "OFFSET_ZERO_IS_ONE": _offset_zero,
    "StoreTimeZone holds an IANA name": _store_zone,
    "WEBHOOK_EVENTS": _events,
    "ERROR_BODIES": _error_bodies,
    "ERROR_VALUE": _error_value,
    "STATUS_12": _status_12,
    "XML_NAMES": _xml,
    "NAME_FILTERS_CONTAIN": _names,
    "LASTUPDATE_END_IS_MIDNIGHT": _last_day,
    "REFUND_TYPE": _refund_type,
    "REFUND_IS_NEGATIVE": _refund_sign,
}
