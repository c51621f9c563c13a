"""What reads of an organisation, and the token they are made with, can show of the assumptions about it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any, Final
from urllib.parse import quote

from tagline.connectors.messages import Answer
from tagline.sandbox import assumptions
from tagline.sandbox.asked import Asked, Found, Question, code_of, json_of, listed, rows_of
from tagline.sandbox.dataverse_navigation import collections_of
from tagline.sandbox.dataverse_schema import MONEY_PRINTED, tables

API: Final = "/api/data/v9.2"
OLD_TOKEN: Final = "919042!08/22/2017 08:10:44"  # noqa: S105 - a delta token of long ago, no secret
CANCELED: Final = 2
"""State of an order."""
CAP: Final = 5000
"""Above which the platform counts no further."""
CENT: Final = Decimal("0.01")
LINKED: Final = (
    '<fetch top="1"><entity name="systemuser"><attribute name="fullname"/>'
    '<link-entity name="businessunit" from="businessunitid" to="businessunitid" alias="bu">'
    '<attribute name="name"/></link-entity></entity></fetch>'
)
OFTEN_WITHHELD: Final = (
    "duplicaterules",
    "importjobs",
    "publishers",
    "sdkmessages",
    "ordercloses",
    "invoices",
)
"""Entity sets that a role for one purpose seldom grants."""
ROUNDINGS: Final = (ROUND_HALF_UP, ROUND_HALF_EVEN, ROUND_HALF_DOWN)


def _challenge(asked: Asked) -> tuple[object, object]:
    answer = asked.get(f"{API}/WhoAmI", signed_in=False)
    challenge = answer.headers.get("www-authenticate", "")
    shape = re.sub(r"(authorization_uri|resource_id)=[^,\s]+", r"\1=…", challenge)
    return (401, "Bearer authorization_uri=…, resource_id=…"), (answer.status, shape)


def _unsafe_key(asked: Asked) -> tuple[object, object]:
    address = quote("a/b", safe="")
    return "400 0x80060888", code_of(asked.get(f"{API}/transactioncurrencies(isocurrencycode='{address}')"))


def _expired_token(asked: Asked) -> tuple[object, object]:
    token = quote(OLD_TOKEN, safe="")
    answer = asked.get(f"{API}/accounts?$select=accountid&$deltatoken={token}")
    return f"{assumptions.DELTA_EXPIRED_STATUS} 0x80044352", code_of(answer)


def _untracked(asked: Asked) -> tuple[object, object]:
    table = next(iter(assumptions.UNTRACKED_TABLES))
    answer = asked.get(
        f"{API}/EntityDefinitions(LogicalName='{table}')?$select=LogicalName,ChangeTrackingEnabled"
    )
    told = json_of(answer)
    return (
        f"{table} False",
        f"{table} {told.get('ChangeTrackingEnabled') if isinstance(told, Mapping) else None}",
    )


def _count_mark(asked: Asked) -> tuple[object, object]:
    answer = asked.get(f"{API}/transactioncurrencies/$count")
    return assumptions.COUNT_HAS_BOM, answer.body.startswith(b"\xef\xbb\xbf")


def _money(asked: Asked) -> Found:
    answer = asked.get(f"{API}/salesorders?$select=totalamount&$filter=totalamount%20gt%200&$top=1")
    found = re.search(rb'"totalamount"\s*:\s*\d+(?:\.(\d+))?', answer.body)
    return (MONEY_PRINTED, len(found.group(1) or b"")) if found else None


def _told(answer: Answer, header: str) -> int | None:
    text = answer.headers.get(header, "")
    return int(text) if text.isdecimal() else None


def _parallelism(asked: Asked) -> Found:
    told = _told(asked.get(f"{API}/WhoAmI"), "x-ms-dop-hint")
    return None if told is None else (assumptions.DOP_HINT, told)


def _metadata_cost(asked: Asked) -> Found:
    left = [
        _told(asked.get(f"{API}/{path}"), "x-ms-ratelimit-burst-remaining-xrm-requests")
        for path in ("WhoAmI", "EntityDefinitions(LogicalName='account')?$select=LogicalName", "WhoAmI")
    ]
    return metadata_cost(left[0], left[2])


def metadata_cost(before: int | None, after: int | None) -> Found:
    """
    Whether the read of metadata between two others counted, by what was left of the window after each of those.

    Each web server counts by itself, so that another difference says that several answered.
    """
    spent = None if before is None or after is None else before - after
    return (assumptions.METADATA_IS_FREE, spent == 1) if spent in (1, 2) else None


def _privileges(asked: Asked) -> Found:
    rows = rows_of(asked.get(f"{API}/privileges?$select=name&$filter=startswith(name,'prvRead')"))
    there = {str(row.get("name")) for row in rows}
    wanted = {f"prvRead{noun}" for noun in assumptions.PRIVILEGE_NOUNS.values()}
    return (
        ("all there", f"missing: {listed(wanted - there)}" if wanted - there else "all there")
        if there
        else None
    )


def _missing_privilege(asked: Asked) -> Found:
    for entity_set in OFTEN_WITHHELD:
        answer = asked.get(f"{API}/{entity_set}?$top=1")
        if answer.status in (401, 403):
            return f"403 {assumptions.MISSING_PRIVILEGE_CODE}", code_of(answer)
    return None


def _untracked_code(asked: Asked) -> Found:
    table = tables()[next(iter(assumptions.UNTRACKED_TABLES))]
    answer = asked.get(
        f"{API}/{table.entity_set}?$select={table.primary_id}",
        prefer="odata.track-changes,odata.maxpagesize=1",
    )
    return f"400 {assumptions.UNTRACKED_CODE}", code_of(answer)


def _linked_column(asked: Asked) -> Found:
    rows = rows_of(asked.get(f"{API}/systemusers?fetchXml={quote(LINKED)}"))
    names = [
        n for row in rows for n in row if not n.startswith("@") and n.endswith("name") and n != "fullname"
    ]
    return (assumptions.FETCH_LINKED_NAME.format(alias="bu", column="name"), listed(names)) if names else None


def _collections(asked: Asked) -> Found:
    rows = rows_of(asked.get(f"{API}/EntityDefinitions(LogicalName='product')/OneToManyRelationships"))
    return collection_names("product", rows)


def collection_names(target: str, relationships: Iterable[Mapping[str, Any]]) -> Found:
    """How collections of a table are called whose name is made up here, beside their real names."""
    real = {
        (str(one.get("ReferencingEntity")), str(one.get("ReferencingAttribute"))): one.get(
            "ReferencedEntityNavigationPropertyName"
        )
        or one.get("SchemaName")
        for one in relationships
    }
    made_up = [
        one
        for one in collections_of(tables()[target]).values()
        if one.name == assumptions.COLLECTION_NAME.format(target=target, child=one.child, lookup=one.lookup)
        and (one.child, one.lookup) in real
    ]
    if not made_up:
        return None
    return listed([one.name for one in made_up]), listed([real[one.child, one.lookup] for one in made_up])


def _empties(asked: Asked) -> Found:
    every, empty, other = (
        _count(asked, f"{API}/accounts?$select=accountid&$top=1&$count=true{condition}")
        for condition in ("", "&$filter=fax%20eq%20null", "&$filter=fax%20ne%20'~none~'")
    )
    return empties(every, empty, other)


def empties(every: int | None, empty: int | None, other: int | None) -> Found:
    """Whether `ne` a value that no row has finds every row, also those where the column is empty."""
    if every is None or not empty or other is None or every >= CAP:
        return None
    return True, other == every


def _count(asked: Asked, path: str) -> int | None:
    body = json_of(asked.get(path))
    told = body.get("@odata.count") if isinstance(body, Mapping) else None
    return told if isinstance(told, int) else None


def _week(asked: Asked) -> Found:
    for entity_set in ("accounts", "asyncoperations"):
        found = week_start(
            _edge(asked, entity_set, "LastWeek", "desc"), _edge(asked, entity_set, "ThisWeek", "asc")
        )
        if found is not None:
            return found
    return None


def _edge(asked: Asked, entity_set: str, function: str, way: str) -> date | None:
    condition = f"Microsoft.Dynamics.CRM.{function}(PropertyName='createdon')"
    rows = rows_of(
        asked.get(
            f"{API}/{entity_set}?$select=createdon&$filter={condition}&$orderby=createdon%20{way}&$top=1"
        )
    )
    try:
        return datetime.fromisoformat(str(rows[0].get("createdon"))).date() if rows else None
    except ValueError:
        return None


def week_start(last: date | None, first: date | None) -> Found:
    """
    On which weekday weeks begin, Monday being 0.

    Args:
        last: Day of the latest row of last week.
        first: Day of the earliest row of this week; weeks begin between the two, or on this one.
    """
    if last is None or first is None or not 0 < (first - last).days <= 7:
        return None
    possible = {(last + timedelta(days=n + 1)).weekday() for n in range((first - last).days)}
    if len(possible) > 1 and assumptions.WEEK_STARTS_ON in possible:
        return None
    return assumptions.WEEK_STARTS_ON, listed(possible)


def _rounding(asked: Asked) -> Found:
    columns = "priceperunit,quantity,volumediscountamount,baseamount"
    return rounding(
        rows_of(asked.get(f"{API}/salesorderdetails?$select={columns}&$filter=pricingerrorcode%20eq%200"))
    )


def rounding(lines: Iterable[Mapping[str, Any]]) -> Found:
    """Which ways of rounding agree with the amounts of those lines whose exact amount ends in half a cent."""
    possible, ties = set(ROUNDINGS), False
    for line in lines:
        try:
            price, quantity, each, base = (
                Decimal(str(line.get(name) or 0))
                for name in ("priceperunit", "quantity", "volumediscountamount", "baseamount")
            )
        except InvalidOperation:
            continue
        exact = (price - each) * quantity
        if (exact / CENT) % 1 in (Decimal("0.5"), Decimal("-0.5")):
            ties = True
            possible -= {way for way in ROUNDINGS if exact.quantize(CENT, way) != base.quantize(CENT)}
    if not ties or (len(possible) > 1 and assumptions.ROUNDING in possible):
        return None
    return assumptions.ROUNDING, listed(possible) or "none of those known"


def _invoices_of_orders(asked: Asked) -> list[Mapping[str, Any]]:
    return rows_of(
        asked.get(
            f"{API}/invoices?$select=ispricelocked&$filter=_salesorderid_value%20ne%20null"
            "&$expand=salesorderid($select=statecode)&$top=100"
        )
    )


def _converted_orders(asked: Asked) -> Found:
    orders = [row.get("salesorderid") for row in _invoices_of_orders(asked)]
    states = {one.get("statecode") for one in orders if isinstance(one, Mapping)} - {CANCELED}
    return (assumptions.CONVERTED_ORDER_IS_INVOICED, states == {4}) if states else None


def _converted_invoices(asked: Asked) -> Found:
    locked = [row.get("ispricelocked") for row in _invoices_of_orders(asked)]
    return (assumptions.CONVERTED_INVOICE_IS_PRICE_LOCKED, listed(locked)) if locked else None


def _claims(asked: Asked) -> Found:
    return token_claims(asked.claims())


def token_claims(claims: Mapping[str, Any]) -> Found:
    """The version of a token, by how its claims name the application and who issued it."""
    if not claims:
        return None
    issuer = str(claims.get("iss", ""))
    version = 0
    if "appid" in claims and issuer.startswith("https://sts.windows.net/"):
        version = 1
    elif "azp" in claims and issuer.endswith("/v2.0"):
        version = 2
    return assumptions.LOGIN_TOKEN_VERSION, version or "neither 1 nor 2"


ORGANISATION_QUESTIONS: Final[Mapping[str, Question]] = {
    "UNAUTHORISED_CHALLENGE": _challenge,
    "UNSAFE_KEY_CHARACTERS": _unsafe_key,
    "DELTA_EXPIRED_STATUS": _expired_token,
    "UNTRACKED_TABLES": _untracked,
    "UNTRACKED_CODE": _untracked_code,
    "COUNT_HAS_BOM": _count_mark,
    "decimals of money": _money,
    "DOP_HINT": _parallelism,
    "METADATA_IS_FREE": _metadata_cost,
    "PRIVILEGE_NOUNS": _privileges,
    "MISSING_PRIVILEGE_CODE": _missing_privilege,
    "FETCH_LINKED_NAME": _linked_column,
    "COLLECTION_NAME": _collections,
    "`ne` includes rows where the column is empty": _empties,
    "WEEK_STARTS_ON": _week,
    "ROUNDING": _rounding,
    "CONVERTED_ORDER_IS_INVOICED": _converted_orders,
    "CONVERTED_INVOICE_IS_PRICE_LOCKED": _converted_invoices,
}
LOGIN_QUESTIONS: Final[Mapping[str, Question]] = {"LOGIN_TOKEN_VERSION": _claims}
"""Answered by what either of Microsoft's systems is signed in to with."""
