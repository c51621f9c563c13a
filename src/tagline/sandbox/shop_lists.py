"""Lists of the shop: filters, paging, the answers for nothing found. Source: 3dcart notes, section 3."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sized
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from itertools import chain, islice
from typing import Any

from tagline.sandbox.shop_answers import PAST_THE_END, Answer, BadParameterError, error
from tagline.sandbox.shop_fields import Record
from tagline.sandbox.shop_quirks import ShopQuirks

DEFAULT_LIMIT = 10
OTHER_CAP = 500
DAY, SECOND = "%m/%d/%Y", "%m/%d/%Y %H:%M:%S"
Keep = Callable[[Record], bool]


class Compare(StrEnum):
    """How a parameter is compared with a field; blank and 0 mean that it is not set."""

    NUMBER = "number"
    TEXT = "text"
    NAME = "name"
    FLAG = "flag"
    FROM = "from"
    TO = "to"
    SINCE = "since"
    UNTIL = "until"
    """A date alone covers its whole day."""
    SINCE_DAY = "since-day"
    """Takes a date alone."""
    UNTIL_DAY = "until-day"
    """Takes a date alone, and by assumption ends at its midnight."""


@dataclass(frozen=True)
class Filter:
    """A query parameter of a list."""

    parameter: str
    compare: Compare
    field: str
    """Property that it looks at; `SKUInfo/Name` is one inside an object, or inside any row of a list."""


def kept(
    rows: Iterable[Record], filters: Iterable[Filter], query: Mapping[str, str], quirks: ShopQuirks
) -> Iterable[Record]:
    """
    The rows that match every parameter, one by one; `query` has lower-case names.

    Raises:
        BadParameterError: A number or a date cannot be read.
    """
    for each in filters:
        test = _test(each, query, quirks)
        if test is not None:
            rows = filter(test, rows)
    return rows


def listing(
    rows: Iterable[Record],
    query: Mapping[str, str],
    quirks: ShopQuirks,
    *,
    cap: int = OTHER_CAP,
    name: str,
    default_limit: int = DEFAULT_LIMIT,
) -> Answer:
    """Cut a page out of what matched, looking no further than its end; `query` has lower-case names."""
    if query.get("countonly", "").lower() in ("1", "true"):
        return Answer(200, {"TotalCount": len(rows if isinstance(rows, Sized) else list(rows))}, "Count")
    limit = _whole(query, "limit") or default_limit
    if limit > cap and not quirks.limit_above_cap_is_clamped:
        return error(400, f"The limit exceeds {cap}")
    offset = _whole(query, "offset")
    if offset == 0 and query.get("offset", "").strip() and not quirks.offset_zero_is_one:
        return error(400, "The offset starts at 1")
    coming = iter(rows)
    first = list(islice(coming, 1))
    if not first:
        return error(404, "No record found")
    start = max(offset, 1) - 1
    found = list(islice(chain(first, coming), start, start + min(limit, cap)))
    return Answer(200, found, name, has_records=True) if found else error(400, PAST_THE_END)


def span(
    filters: Iterable[Filter], query: Mapping[str, str], field: str, quirks: ShopQuirks
) -> tuple[Any, Any] | None:
    """
    The values between which the parameters let a time or a number lie, both included; None when they do not limit it.

    Raises:
        BadParameterError: A date or a number cannot be read.
    """
    since, until = "", "9"
    for each in filters:
        text = query.get(each.parameter, "").strip()
        if each.field != field or text in ("", "0"):
            continue
        if each.compare is Compare.NUMBER:
            return _whole(query, each.parameter), _whole(query, each.parameter)
        if each.compare in (Compare.SINCE, Compare.SINCE_DAY):
            since = max(since, _moment(each, text, quirks))
        else:
            until = min(until, _moment(each, text, quirks))
    return None if (since, until) == ("", "9") else (since, until)


def _test(each: Filter, query: Mapping[str, str], quirks: ShopQuirks) -> Keep | None:
    text = query.get(each.parameter, "").strip()
    if not text or text == "0":
        return None
    outer, _, inner = each.field.partition("/")
    if outer.endswith("List"):
        test = _test(replace(each, field=inner), query, quirks)
        return None if test is None else lambda row: any(test(child) for child in row[outer])
    field = _getter(each.field)
    match each.compare:
        case Compare.NUMBER:
            number = _whole(query, each.parameter)
            # A hundred thousand orders are looked through for one status: one call for each, not two.
            return (lambda row: row[outer] == number) if not inner else (lambda row: field(row) == number)
        case Compare.TEXT:
            wanted = text.casefold()
            return lambda row: str(field(row)).strip().casefold() == wanted
        case Compare.NAME:
            return _named(field, text.casefold(), contains=quirks.name_filters_contain)
        case Compare.FLAG:
            return field if text.lower() in ("1", "true") else lambda row: not field(row)
        case Compare.FROM:
            least = _decimal(each.parameter, text)
            return lambda row: bool(field(row) >= least)
        case Compare.TO:
            most = _decimal(each.parameter, text)
            return lambda row: bool(field(row) <= most)
        case Compare.SINCE | Compare.SINCE_DAY:
            since = _moment(each, text, quirks)
            return lambda row: bool(field(row) >= since)
    until = _moment(each, text, quirks)
    return lambda row: bool(field(row) <= until)


def _getter(path: str) -> Callable[[Record], Any]:
    outer, _, inner = path.partition("/")
    if inner:
        return lambda row: row[outer][inner]
    return lambda row: row[outer]


def _named(field: Callable[[Record], Any], wanted: str, *, contains: bool) -> Keep:
    if contains:
        return lambda row: wanted in str(field(row)).casefold()
    return lambda row: str(field(row)).strip().casefold() == wanted


def _whole(query: Mapping[str, str], name: str) -> int:
    text = query.get(name, "").strip()
    if not text:
        return 0
    if not text.isdecimal() or len(text) > 18:
        raise BadParameterError(f"The value of {name} is not a number")
    return int(text)


def _decimal(name: str, text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise BadParameterError(f"The value of {name} is not a number") from None
    if not number.is_finite():
        raise BadParameterError(f"The value of {name} is not a number")
    return number


def _moment(each: Filter, text: str, quirks: ShopQuirks) -> str:
    """A date parameter as the text it is compared with."""
    date_only = each.compare in (Compare.SINCE_DAY, Compare.UNTIL_DAY)
    for form in (DAY,) if date_only else (SECOND, DAY):
        try:
            moment = datetime.strptime(text, form)  # noqa: DTZ007 - store-local by definition
        except ValueError:
            continue
        whole_day = each.compare is Compare.UNTIL_DAY and not quirks.lastupdate_end_is_midnight
        if form == DAY and (each.compare is Compare.UNTIL or whole_day):
            moment += timedelta(days=1, seconds=-1)
        return moment.isoformat()
    raise BadParameterError(f"The value of {each.parameter} is not a date")
