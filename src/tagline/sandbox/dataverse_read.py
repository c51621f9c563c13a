"""Reading rows: one by its address, lists with their options and pages, single values, related rows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cmp_to_key
from typing import Any
from urllib.parse import quote, unquote, unquote_plus

from tagline.sandbox.dataverse_address import Address, find_row
from tagline.sandbox.dataverse_call import Call
from tagline.sandbox.dataverse_errors import bad_uri, no_property, no_segment
from tagline.sandbox.dataverse_filter import EVERYTHING, column_of, parse_filter, value_of
from tagline.sandbox.dataverse_render import Preferences, etag, parse_select, render
from tagline.sandbox.dataverse_rows import Row, Rows, comparable
from tagline.sandbox.dataverse_schema import Column, Table, tables
from tagline.sandbox.values import Request, Response
from tagline.sandbox.wire import encode

MAX_PAGE = 5000
MAX_EXPANDS = 15
JSON = ("Content-Type", "application/json; odata.metadata=minimal")
_PAGE = re.compile(r'pagenumber="(\d+)"')
_EXPAND = re.compile(r"\s*(\w+)\s*(?:\(([^()]*)\))?\s*(?:,|$)")
_SUPPORTED = frozenset({"$select", "$filter", "$orderby", "$top", "$count", "$expand", "$skiptoken"})


@dataclass(frozen=True)
class Options:
    """The query options of a read."""

    select: tuple[Column, ...] | None
    expand: tuple[tuple[str, tuple[Column, ...] | None], ...]


def query_options(request: Request) -> Mapping[str, str]:
    """Decoded query parameters; `$skip` and the like are refused."""
    options: dict[str, str] = {}
    for part in request.raw_query.split("&") if request.raw_query else ():
        name, _, value = part.partition("=")
        options[unquote_plus(name)] = unquote_plus(value)
    if wrong := sorted(n for n in options if n.startswith("$") and n not in _SUPPORTED):
        raise bad_uri(f"The query parameter {wrong[0]} is not supported.")
    return options


def read_row(rows: Rows, call: Call, address: Address) -> Response:
    """`GET accounts(…)`, a property of it, or the row a single-valued navigation property leads to."""
    row_id, row = find_row(rows, address)
    table = address.table
    if address.rest:
        name = address.rest.removesuffix("/$value")
        if name in table.navigation:
            return _related(rows, call, (table, row, name))
        column = table.by_wire.get(name)
        if column is None:
            raise no_segment(name)
        if name != address.rest:
            text = "" if (value := value_of(row, column)) is None else str(value)
            return Response(200 if text else 204, (("Content-Type", "text/plain"),), text.encode())
        return _property(call.root, f"{table.entity_set}({row_id})/{name}", value_of(row, column))
    given = query_options(call.request)
    if call.request.headers.get("if-none-match") == etag(row):
        return Response(304)
    return _single(rows, call, (table, row), _options(table, given))


def _related(rows: Rows, call: Call, at: tuple[Table, Row, str]) -> Response:
    table, row, navigation = at
    column, target = table.navigation[navigation]
    link = row.get(column.name)
    other = tables().get(target)
    found = rows.get(other, link[1]) if other is not None and link and link[0] == target else None
    if other is None or found is None:
        return Response(204)
    return _single(rows, call, (other, found), _options(other, query_options(call.request)))


def _property(root: str, context: str, value: Any) -> Response:
    if value is None:
        return Response(204)
    body = {"@odata.context": f"{root}$metadata#{context}", "value": value}
    return Response(200, (JSON,), encode(body).encode())


def _single(rows: Rows, call: Call, at: tuple[Table, Row], options: Options, status: int = 200) -> Response:
    """One row with its context and ETag."""
    table, row = at
    body = {
        "@odata.context": f"{call.root}$metadata#{table.entity_set}{_columns(options)}/$entity",
        **_whole(rows, table, row, options, call.preferences),
    }
    headers = [JSON, ("ETag", etag(row))]
    if applied := call.preferences.applied():
        headers.append(("Preference-Applied", applied))
    return Response(status, tuple(headers), encode(body).encode())


def representation(rows: Rows, call: Call, at: tuple[Table, Row], status: int) -> Response:
    """What a write with `return=representation` answers."""
    return _single(rows, call, at, _options(at[0], query_options(call.request)), status)


def read_list(rows: Rows, call: Call, table: Table) -> Response:
    """`GET accounts`: filtered, ordered, cut into pages."""
    given = query_options(call.request)
    options = _options(table, given)
    found = _matching(rows, table, given)
    size, number = call.preferences.page_size or MAX_PAGE, 1
    if "$top" in given and call.preferences.page_size is None:
        found = found[: _top(given["$top"])]
    if "$skiptoken" in given:
        match = _PAGE.search(given["$skiptoken"])
        if match is None:
            raise bad_uri("Malformed XML in the Paging Cookie")
        number = int(match.group(1))
    page = found[(number - 1) * size : number * size]
    body: dict[str, Any] = {"@odata.context": f"{call.root}$metadata#{table.entity_set}{_columns(options)}"}
    if given.get("$count") == "true":
        body["@odata.count"] = min(len(found), MAX_PAGE)
    body["value"] = [_whole(rows, table, row, options, call.preferences) for row in page]
    if number * size < len(found):
        body["@odata.nextLink"] = _next_link(call.request, table, page, number)
    applied = call.preferences.applied()
    headers = (JSON, ("Preference-Applied", applied)) if applied else (JSON,)
    return Response(200, headers, encode(body).encode())


def count_rows(rows: Rows, call: Call, table: Table) -> Response:
    """`GET accounts/$count`."""
    number = min(len(_matching(rows, table, query_options(call.request))), MAX_PAGE)
    return Response(200, (("Content-Type", "text/plain"),), str(number).encode())


def _matching(rows: Rows, table: Table, given: Mapping[str, str]) -> list[Row]:
    where = parse_filter(table, given["$filter"]) if given.get("$filter") else EVERYTHING
    candidates = where.candidates(rows)
    ids = rows.ids(table) if candidates is None else sorted(candidates)
    found = [row for i in ids if (row := rows.get(table, i)) is not None and where.test(row)]
    if given.get("$orderby"):
        found = _ordered(table, found, given["$orderby"])
    return found


def _ordered(table: Table, found: list[Row], text: str) -> list[Row]:
    terms = []
    for term in text.split(","):
        name, _, direction = term.strip().partition(" ")
        if direction.strip() not in ("", "asc", "desc"):
            raise bad_uri(f"Syntax error in $orderby near '{direction}'.")
        terms.append((column_of(table, name), direction.strip() == "desc"))

    def compare(a: Row, b: Row) -> int:
        for column, descending in terms:
            x, y = comparable(value_of(a, column)), comparable(value_of(b, column))
            if x != y:
                smaller = x is None or (y is not None and x < y)
                return -1 if smaller != descending else 1
        return 0

    return sorted(found, key=cmp_to_key(compare))


def _top(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= MAX_PAGE:
        raise bad_uri(f"Invalid value '{text}' for $top query option found.")
    return int(text)


def _options(table: Table, given: Mapping[str, str]) -> Options:
    expand = []
    text = given.get("$expand", "")
    at = 0
    while at < len(text):
        match = _EXPAND.match(text, at)
        if match is None:
            raise bad_uri(f"Term '{text}' is not valid in a $expand expression.")
        navigation, inner = match.group(1), match.group(2) or ""
        if navigation not in table.navigation:
            raise no_property(table, navigation)
        target = tables().get(table.navigation[navigation][1])
        if target is None or (inner and not inner.startswith("$select=")):
            raise bad_uri(f"'{navigation}({inner})' cannot be expanded here.")
        expand.append((navigation, parse_select(target, inner.removeprefix("$select="))))
        at = match.end()
    if len(expand) > MAX_EXPANDS:
        raise bad_uri(f"Cannot expand more than {MAX_EXPANDS} properties.")
    return Options(parse_select(table, given.get("$select", "")), tuple(expand))


def _columns(options: Options) -> str:
    return "" if options.select is None else "(" + ",".join(c.wire for c in options.select) + ")"


def _whole(rows: Rows, table: Table, row: Row, options: Options, preferences: Preferences) -> dict[str, Any]:
    out = render(rows, table, row, options.select, preferences)
    for navigation, select in options.expand:
        column, target = table.navigation[navigation]
        link = row.get(column.name)
        found = rows.get(tables()[target], link[1]) if link and link[0] == target else None
        out[navigation] = (
            None if found is None else render(rows, tables()[target], found, select, preferences)
        )
    return out


def _next_link(request: Request, table: Table, page: Sequence[Row], number: int) -> str:
    first, last = page[0][table.primary_id].upper(), page[-1][table.primary_id].upper()
    inner = f'<cookie page="{number}"><{table.primary_id} last="{{{last}}}" first="{{{first}}}" /></cookie>'
    cookie = f'<cookie pagenumber="{number + 1}" pagingcookie="{quote(inner, safe="")}" istracking="False" />'
    kept = [
        part for part in request.raw_query.split("&") if part and not unquote(part).startswith("$skiptoken=")
    ]
    query = "&".join((*kept, f"$skiptoken={quote(cookie, safe='=/')}"))
    return f"{request.origin}{request.path}?{query}"
