"""A list's query options, the rows they match, and the page that is asked for. Source: Web API notes, sections 5 and 6."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote, unquote_plus

from tagline.sandbox.dataverse_errors import bad_uri
from tagline.sandbox.dataverse_expand import MAX_PAGE, Shape, parse_shape, parse_top
from tagline.sandbox.dataverse_filter import EVERYTHING, Filter, parse_filter
from tagline.sandbox.dataverse_order import Order, parse_order
from tagline.sandbox.dataverse_rows import Row
from tagline.sandbox.dataverse_schema import Table
from tagline.sandbox.dataverse_scope import Scope
from tagline.sandbox.values import Request

_PAGE = re.compile(r'pagenumber="(\d{1,9})"')
_COOKIE = re.compile(r'pagingcookie="([^"]*)"')
SUPPORTED = frozenset(
    {
        "$select",
        "$filter",
        "$orderby",
        "$top",
        "$count",
        "$expand",
        "$skiptoken",
        "$apply",
        "$deltatoken",
        "$id",
    }
)
MAX_COUNT = 5000


def query_options(request: Request) -> Mapping[str, str]:
    """
    Decoded query parameters.

    Raises:
        Refusal: One is not supported, `$skip` for example, or stands there twice.
    """
    options: dict[str, str] = {}
    for part in request.raw_query.split("&") if request.raw_query else ():
        name, _, value = part.partition("=")
        name = unquote_plus(name).strip()
        if name.startswith("$") and name in options:
            raise bad_uri(
                f"Query option '{name}' was specified more than once, but it must be specified at most once."
            )
        options[name] = unquote_plus(value)
    if wrong := sorted(n for n in options if n.startswith("$") and n not in SUPPORTED):
        raise bad_uri(f"The query parameter {wrong[0]} is not supported.")
    return options


def aliases_of(given: Mapping[str, str]) -> Mapping[str, str]:
    """The parameter aliases, `@p1` for example."""
    return {name: value for name, value in given.items() if name.startswith("@")}


@dataclass(frozen=True)
class Query:
    """What a list is asked for."""

    table: Table
    where: Filter
    order: Order | None
    shape: Shape
    top: int | None
    with_count: bool
    page_number: int
    last_id: str
    """The last row of the page before; empty on the first."""


def parse_query(table: Table, given: Mapping[str, str]) -> Query:
    """
    Read the options of a list.

    Raises:
        Refusal: One cannot be read or names an unknown property.
    """
    aliases = aliases_of(given)
    number, last = position(table, given["$skiptoken"]) if "$skiptoken" in given else (1, "")
    if given.get("$count", "false") not in ("true", "false"):
        raise bad_uri(f"Invalid value '{given['$count']}' for $count query option found.")
    return Query(
        table,
        parse_filter(table, given["$filter"], aliases) if "$filter" in given else EVERYTHING,
        parse_order(table, given["$orderby"]) if given.get("$orderby") else None,
        parse_shape(table, given, aliases),
        parse_top(given["$top"]) if "$top" in given else None,
        given.get("$count") == "true",
        number,
        last,
    )


def position(table: Table, token: str) -> tuple[int, str]:
    """The page that a `$skiptoken` continues with, and the last row of the one before; raises `Refusal`."""
    number, cookie = _PAGE.search(token), _COOKIE.search(token)
    if number is None or cookie is None or int(number[1]) < 2:
        raise bad_uri("Malformed XML in the Paging Cookie")
    last = re.search(rf'<{table.primary_id} last="\{{([0-9A-Fa-f-]{{36}})\}}"', unquote(cookie[1]))
    if last is None:
        raise bad_uri("Malformed XML in the Paging Cookie")
    return int(number[1]), last[1].lower()


@dataclass(frozen=True)
class Page:
    """Some of the rows that match, and how many there are in all."""

    rows: Sequence[Row]
    total: int
    has_more: bool


def page_of(scope: Scope, query: Query, size: int, among: Sequence[str] | None = None) -> Page:
    """
    The page that the query asks for.

    Without an order a page starts after the last row of the one before, as the database does it; with one it is counted off,
    so that rows which change in between can be met twice or not at all.

    Args:
        among: Ids to look at, where a collection or a change list is read; None looks at the whole table.
    """
    table = query.table
    if query.where is EVERYTHING and query.order is None and among is None:
        ids = scope.rows.ids(table)
        start = bisect_right(ids, query.last_id)
        return Page(_standing(scope, table, ids[start : start + size]), len(ids), len(ids) > start + size)
    found = matching(scope, query, among)
    start = (query.page_number - 1) * size
    if query.order is None:
        start = bisect_right(found, query.last_id, key=lambda row: row[table.primary_id])
    return Page(found[start : start + size], len(found), len(found) > start + size)


def matching(scope: Scope, query: Query, among: Sequence[str] | None = None) -> Sequence[Row]:
    """Every row that the query matches, in its order."""
    table = query.table
    candidates = query.where.candidates(scope)
    if candidates is None:
        ids = scope.rows.ids(table) if among is None else sorted(among)
    else:
        ids = sorted(candidates if among is None else candidates.intersection(among))
    found = [row for row in _standing(scope, table, ids) if query.where.test(scope, row)]
    return query.order.sort(scope, found) if query.order else found


def _standing(scope: Scope, table: Table, ids: Sequence[str]) -> list[Row]:
    return [row for i in ids if (row := scope.rows.get(table, i)) is not None]


def page_size(given: Mapping[str, str], preferred: int | None) -> int:
    """Rows of a page: `$top` counts only where no page size was preferred."""
    return preferred or (parse_top(given["$top"]) if "$top" in given else MAX_PAGE)


def continued(request: Request, token: str) -> str:
    """The address of the request with that token in place of another."""
    name = token.partition("=")[0]
    kept = [p for p in request.raw_query.split("&") if p and not unquote(p).startswith(f"{name}=")]
    return f"{request.origin}{request.path}?{'&'.join((*kept, token))}"
