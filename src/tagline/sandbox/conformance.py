"""What the sandbox does and how it is known: documented by the vendor, recorded on a live system, or assumed by us."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tagline.sandbox import assumptions


class Basis(StrEnum):
    DOCUMENTED = "documented"
    RECORDED = "recorded"
    ASSUMED = "assumed"


@dataclass(frozen=True)
class Behaviour:
    """One thing that clients depend on."""

    system: str
    what: str
    basis: Basis
    section: str
    """Of the notes on that system's API."""
    constant: str = ""
    """Name in `assumptions.py`, where it is assumed and could be otherwise."""


_D, _R, _A = Basis.DOCUMENTED, Basis.RECORDED, Basis.ASSUMED
SHOP, ORGANISATION, LOGIN = "shift4shop", "dataverse", "login"

TABLE: tuple[Behaviour, ...] = (
    Behaviour(SHOP, "paths in any case, v1 and v2 alike", _R, "1"),
    Behaviour(SHOP, "header trio on every call, 401 without it", _D, "1"),
    Behaviour(SHOP, "body of 401", _A, "2", "UNAUTHORISED_BODY"),
    Behaviour(SHOP, "arrays everywhere, countonly an object", _R, "2"),
    Behaviour(SHOP, "404 on an empty list, 400 past the end", _R, "2, 3"),
    Behaviour(SHOP, "limit 10 by default, at most 300 orders, 200 products, 500 others", _D, "3"),
    Behaviour(SHOP, "limit above the cap", _A, "3", "LIMIT_ABOVE_CAP_IS_CLAMPED"),
    Behaviour(SHOP, "offset 1-based", _R, "3"),
    Behaviour(SHOP, "offset 0", _A, "3", "OFFSET_ZERO_IS_ONE"),
    Behaviour(SHOP, "order filters, lastupdate by date only", _D, "3"),
    Behaviour(SHOP, "compact JSON, dotted doubles, fixed property order, store-local times", _R, "1, 4"),
    Behaviour(SHOP, "tracking codes padded to 50", _R, "4"),
    Behaviour(SHOP, "results of text fields, 206 on partial success", _D, "2"),
    Behaviour(SHOP, "every item of a bulk PUT failed", _A, "2", "ALL_FAILED_STATUS"),
    Behaviour(SHOP, "PUT merges and sets LastUpdate of order and shipment 0, not UserID", _R, "4"),
    Behaviour(SHOP, "null in a PUT", _A, "4", "NULL_ON_PUT_KEEPS"),
    Behaviour(SHOP, "text too long", _A, "5", "OVERLONG_TEXT_IS_REFUSED"),
    Behaviour(SHOP, "shipment 0 is the order row: status, tax, LastUpdate", _R, "5.2"),
    Behaviour(SHOP, "guests, gift certificates, bundle rows, option prices, amount identity", _R, "5"),
    Behaviour(SHOP, "order status list", _R, "5.6"),
    Behaviour(SHOP, "webhook: GET probe, unsigned array of one order, repeated after 5xx", _R, "8"),
    Behaviour(SHOP, "spacing and end of repeats", _A, "8", "WEBHOOK_RETRY_AFTER"),
    Behaviour(SHOP, "answer to the probe", _A, "8", "PROBE_ANSWER_IS_IGNORED"),
    Behaviour(SHOP, "a PUT raises the changed event", _A, "8", "PUT_TRIGGERS_ORDER_CHANGED"),
    Behaviour(SHOP, "bucket of 50, draining 2 a second", _D, "9"),
    Behaviour(SHOP, "answer when the bucket is full", _A, "9", "THROTTLE_STATUS"),
    Behaviour(SHOP, "StoreTimeZone holds an IANA name", _A, "7"),
    Behaviour(LOGIN, "client credentials, scope and answer", _R, "2.1"),
    Behaviour(LOGIN, "AADSTS errors", _A, "2.4"),
    Behaviour(ORGANISATION, "401 without a token for this organisation", _A, "2.1", "UNAUTHORISED_CHALLENGE"),
    Behaviour(ORGANISATION, "money with 10 decimals, times in whole seconds, lookups as _x_value", _R, "4"),
    Behaviour(ORGANISATION, "instants for date-only columns", _A, "4", "DATE_ONLY_TAKES_INSTANTS"),
    Behaviour(ORGANISATION, "$select, $filter, $orderby, $top, $count, $expand of single lookups", _D, "5"),
    Behaviour(ORGANISATION, "`ne` includes rows where the column is empty", _A, "5"),
    Behaviour(ORGANISATION, "pages with nextLink and Prefer echo", _R, "6"),
    Behaviour(ORGANISATION, "create, update, upsert, delete under If-Match and If-None-Match", _R, "7"),
    Behaviour(ORGANISATION, "read-only columns", _A, "7", "READ_ONLY_IS_REFUSED"),
    Behaviour(
        ORGANISATION, "deleting clears lookups, lines go with their order", _A, "7", "DELETE_CLEARS_LOOKUPS"
    ),
    Behaviour(
        ORGANISATION, "alternate keys: addressing, uniqueness, key columns ignored on update", _D, "7.1"
    ),
    Behaviour(ORGANISATION, "characters that break a key's address", _A, "7.1", "UNSAFE_KEY_CHARACTERS"),
    Behaviour(ORGANISATION, "bind by id or key", _R, "7.2"),
    Behaviour(ORGANISATION, "bind to a missing row", _A, "7.2", "MISSING_BIND_STATUS"),
    Behaviour(ORGANISATION, "$batch, continue-on-error, change sets, $n", _R, "9"),
    Behaviour(ORGANISATION, "status of a stopped batch", _A, "9", "STOPPED_BATCH_STATUS"),
    Behaviour(ORGANISATION, "6000 requests in 300 s, Retry-After, remaining headers", _D, "12"),
    Behaviour(ORGANISATION, "error bodies and codes", _R, "13"),
    Behaviour(ORGANISATION, "EntityDefinitions, Attributes, Keys", _R, "14"),
    Behaviour(ORGANISATION, "draft products, order numbers, derived columns", _D, "15.1, 15.2"),
    Behaviour(ORGANISATION, "price arithmetic and pricingerrorcode without HTTP error", _D, "15.2, 15.3"),
    Behaviour(ORGANISATION, "ties in rounding", _A, "15.3", "ROUNDING"),
    Behaviour(
        ORGANISATION, "no price list: overridden prices", _A, "15.2", "MISSING_PRICE_LIST_ZEROES_OVERRIDES"
    ),
    Behaviour(ORGANISATION, "line with a product that is not active", _A, "15.2", "PRODUCT_NOT_ACTIVE_CODE"),
    Behaviour(ORGANISATION, "line without unit", _A, "15.2", "UNIT_MISSING_CODE"),
    Behaviour(ORGANISATION, "line with a unit of another group", _A, "15.2", "UNIT_WRONG_CODE"),
    Behaviour(ORGANISATION, "line without order", _A, "15.2", "LINE_WITHOUT_ORDER_CODE"),
    Behaviour(ORGANISATION, "FulfillSalesOrder both ways, CancelSalesOrder, states by PATCH", _D, "15.4"),
    Behaviour(ORGANISATION, "writing to a submitted order", _A, "15.4", "ORDER_LOCKED_CODE"),
    Behaviour(ORGANISATION, "status that does not belong to the state", _A, "15.4", "INVALID_STATE_CODE"),
)


def assumed() -> dict[str, object]:
    """Every assumption with its present value, by the name of its constant."""
    return {b.constant: getattr(assumptions, b.constant) for b in TABLE if b.constant}
