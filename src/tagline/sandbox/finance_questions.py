"""What reads of a Finance environment can show of the assumptions about it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import quote

from tagline.sandbox import assumptions
from tagline.sandbox.asked import Asked, Found, Question, json_of, listed, rows_of

GUESSED_SETS: Final = (
    "ReleasedProductsV2",
    "SalesPriceAgreements",
    "SalesOrderLines",
    "SalesInvoiceHeadersV2",
)
"""Entity sets whose names nothing better than memory tells."""
OFTEN_WITHHELD: Final = ("MainAccounts", "JournalNames", "VendorsV2", "PurchaseOrderHeadersV2", "Warehouses")
"""Entity sets that a role for one purpose seldom grants."""
AGREEMENT: Final = (
    "PriceApplicableFromDate",
    "PriceApplicableToDate",
    "PriceWarehouseId",
    "CustomerAccountNumber",
)
"""Fields of a trade agreement that are mostly empty: dates and texts."""


def _finance_challenge(asked: Asked) -> tuple[object, object]:
    answer = asked.get("/data/LegalEntities?$top=1", signed_in=False)
    challenge = answer.headers.get("www-authenticate", "")
    shape = re.sub(r'(authorization_uri)="[^"]*"', r'\1="…"', challenge)
    return (401, assumptions.FINANCE_CHALLENGE.format(authority="…")), (answer.status, shape)


def _finance_missing(asked: Asked) -> tuple[object, object]:
    answer = asked.get("/data/Currencies(CurrencyCode='~none~')")
    try:
        message = answer.json()["error"]["message"]
    except Exception:  # noqa: BLE001 - whatever it is, it is not the body that we assume
        message = "no message"
    return (404, assumptions.FINANCE_MISSING_ROW_MESSAGE.format(entity_set="Currencies")), (
        answer.status,
        message,
    )


def _finance_page(asked: Asked) -> Found:
    answer = asked.get("/data/Currencies?$select=CurrencyCode", prefer="odata.maxpagesize=1")
    body = json_of(answer)
    link = str(body.get("@odata.nextLink", "")) if isinstance(body, Mapping) else ""
    found = re.search(r"[?&](?:\$|%24)(skiptoken|skip)=", link)
    return (assumptions.FINANCE_PAGE_OPTION, f"${found[1]}") if found else None


def _finance_paths(asked: Asked) -> Found:
    rows = rows_of(asked.get("/data/Currencies?$select=CurrencyCode&$top=1"))
    if not rows:
        return None
    code = quote(str(rows[0].get("CurrencyCode")), safe="")
    answer = asked.get(f"/data/Currencies(CurrencyCode='{code}')/CurrencyCode")
    return assumptions.FINANCE_PATHS_GO_BELOW_ROWS, answer.status == 200


def _finance_names(asked: Asked) -> Found:
    told = {str(row.get("name")) for row in rows_of(asked.get("/data/"))}
    return (GUESSED_SETS, tuple(n for n in GUESSED_SETS if n in told)) if told else None


def _empty_values(asked: Asked) -> Found:
    return empty_values(
        rows_of(asked.get(f"/data/SalesPriceAgreements?$top=20&$select={','.join(AGREEMENT)}"))
    )


def empty_values(rows: Iterable[Mapping[str, Any]]) -> Found:
    """What stands in fields of trade agreements that are empty, and at which time of the day dates are."""
    rows = list(rows)
    values = [row.get(name) for row in rows for name in AGREEMENT]
    dates = [str(row.get(name)) for row in rows for name in AGREEMENT[:2] if row.get(name) is not None]
    if not dates:
        return ("no null, dates at noon", "null") if rows else None
    told = "null" if None in values else "no null"
    return "no null, dates at noon", (
        f"{told}, dates at {listed({'noon' if date[10:] == 'T12:00:00Z' else date[10:] for date in dates})}"
    )


def _withheld(asked: Asked) -> Found:
    for entity_set in OFTEN_WITHHELD:
        status = asked.get(f"/data/{entity_set}?$top=1").status
        if status in (401, 403):
            return assumptions.FINANCE_WITHHELD_STATUS, status
    return None


def _reservation(asked: Asked) -> Found:
    name = "InventoryReservationMethod"
    rows = rows_of(asked.get(f"/data/SalesOrderHeadersV2?$top=100&$select={name}"))
    return (assumptions.FINANCE_RESERVATION, listed({row.get(name) for row in rows})) if rows else None


FINANCE_QUESTIONS: Final[Mapping[str, Question]] = {
    "FINANCE_CHALLENGE": _finance_challenge,
    "FINANCE_MISSING_ROW_MESSAGE": _finance_missing,
    "FINANCE_PAGE_OPTION": _finance_page,
    "FINANCE_PATHS_GO_BELOW_ROWS": _finance_paths,
    ", ".join(GUESSED_SETS): _finance_names,
    "empty dates of 1900, empty text for null, dates at noon": _empty_values,
    "FINANCE_WITHHELD_STATUS": _withheld,
    "FINANCE_RESERVATION": _reservation,
}
