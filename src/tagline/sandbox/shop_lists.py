"""Lists of the shop: filters, paging, the answers for nothing found. Source: 3dcart notes, sections 2 and 3."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from tagline.sandbox.assumptions import LIMIT_ABOVE_CAP_IS_CLAMPED, OFFSET_ZERO_IS_ONE
from tagline.sandbox.shop_fields import Record
from tagline.sandbox.values import Response
from tagline.sandbox.wire import encode_doubles

DEFAULT_LIMIT = 10
CAPS: Mapping[str, int] = {"orders": 300, "products": 200}
OTHER_CAP = 500
PAST_THE_END = "Offset amount exceeds the total number of records"
HEADERS = (
    ("Content-Type", "application/json; charset=utf-8"),
    ("Cache-Control", "no-cache"),
    ("Pragma", "no-cache"),
    ("Expires", "-1"),
    ("X-AspNet-Version", "4.0.30319"),
    ("Access-Control-Allow-Origin", "*"),
)
Keep = Callable[[Record], bool]


class BadParameterError(ValueError):
    """A query parameter cannot be read; the text is the answer's message."""


def shop_json(value: Any, status: int = 200) -> Response:
    """A body as the shop prints it."""
    return Response(status, HEADERS, encode_doubles(value).encode())


def result(key: str, value: object, status: int, message: str) -> Record:
    """One element of the envelope that writes and errors are answered with; all four are text."""
    return {"Key": key, "Value": str(value), "Status": str(status), "Message": message}


def error(status: int, message: str) -> Response:
    return shop_json([result("Error", "", status, message)], status)


def listing(found: Sequence[Record], query: Mapping[str, str], resource: str) -> Response:
    """Cut a page out of what matched; `query` has lower-case names."""
    if query.get("countonly") in ("1", "true"):
        return shop_json({"TotalCount": len(found)})
    cap = CAPS.get(resource, OTHER_CAP)
    limit = _whole(query, "limit") or DEFAULT_LIMIT
    if limit > cap and not LIMIT_ABOVE_CAP_IS_CLAMPED:
        return error(400, f"The limit exceeds {cap}")
    offset = _whole(query, "offset")
    if offset == 0 and "offset" in query and not OFFSET_ZERO_IS_ONE:
        return error(400, "The offset starts at 1")
    if not found:
        return error(404, "No record found")
    start = max(offset, 1) - 1
    if start >= len(found):
        return error(400, PAST_THE_END)
    return shop_json(found[start : start + min(limit, cap)])


def _whole(query: Mapping[str, str], name: str) -> int:
    text = query.get(name, "").strip()
    if not text:
        return 0
    if not text.isdigit():
        raise BadParameterError(f"The value of {name} is not a number")
    return int(text)


def order_filter(query: Mapping[str, str]) -> Keep:
    """
    The test that the parameters of `GET /Orders` make; blank and 0 mean not set.

    Raises:
        BadParameterError: A number or a date cannot be read.
    """
    tests: list[Keep] = []

    def equal(parameter: str, field: str) -> None:
        if wanted := _whole(query, parameter):
            tests.append(lambda o: o[field] == wanted)

    def same_text(parameter: str, field: str) -> None:
        if wanted := query.get(parameter, "").strip().casefold():
            tests.append(lambda o: o[field].strip().casefold() == wanted)

    equal("orderid", "OrderID")
    equal("invoicenumber", "InvoiceNumber")
    equal("orderstatus", "OrderStatusID")
    same_text("invoiceprefix", "InvoiceNumberPrefix")
    same_text("billingemail", "BillingEmail")
    if first := _whole(query, "invoicenumberstart"):
        tests.append(lambda o: o["InvoiceNumber"] >= first)
    if last := _whole(query, "invoicenumberend"):
        tests.append(lambda o: o["InvoiceNumber"] <= last)
    if since := _day(query, "datestart"):
        tests.append(lambda o: o["OrderDate"] >= since)
    if until := _day(query, "dateend", whole_day=True):
        tests.append(lambda o: o["OrderDate"] <= until)
    if changed_since := _day(query, "lastupdatestart", date_only=True):
        tests.append(lambda o: o["LastUpdate"] >= changed_since)
    if changed_until := _day(query, "lastupdateend", date_only=True):
        tests.append(lambda o: o["LastUpdate"] <= changed_until)
    return lambda order: all(test(order) for test in tests)


def _day(query: Mapping[str, str], name: str, *, whole_day: bool = False, date_only: bool = False) -> str:
    """
    A date parameter as the text it is compared with, empty when not set.

    A date-only `dateend` covers its whole day, a date-only `lastupdateend` ends at its midnight (section 3).
    """
    text = query.get(name, "").strip()
    if not text:
        return ""
    for form in ("%m/%d/%Y",) if date_only else ("%m/%d/%Y %H:%M:%S", "%m/%d/%Y"):
        try:
            moment = datetime.strptime(text, form)  # noqa: DTZ007 - store-local by definition
        except ValueError:
            continue
        if whole_day and form == "%m/%d/%Y":
            moment += timedelta(days=1, seconds=-1)
        return moment.isoformat()
    raise BadParameterError(f"The value of {name} is not a date")
