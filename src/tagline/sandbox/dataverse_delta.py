"""Change tracking: a first read that ends in a delta link, and what changed since. Source: Web API notes, section 8."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

from tagline.sandbox.dataverse_call import Call
from tagline.sandbox.dataverse_errors import Refusal, bad_uri
from tagline.sandbox.dataverse_expand import MAX_PAGE, View, columns_text, parse_shape, skiptoken
from tagline.sandbox.dataverse_query import Query, aliases_of, continued, page_of, parse_query, query_options
from tagline.sandbox.dataverse_quirks import quirks
from tagline.sandbox.dataverse_read import answer, plain_count
from tagline.sandbox.dataverse_rows import Row, Rows
from tagline.sandbox.dataverse_schema import Table
from tagline.sandbox.dataverse_scope import Scope
from tagline.sandbox.values import Response

RETENTION: Final = timedelta(days=7)
"""How long a delta token lives where the organisation says nothing else."""
_TOKEN = re.compile(r"(\d{1,18})!(\d\d/\d\d/\d{4} \d\d:\d\d:\d\d)")
_TIME: Final = "%m/%d/%Y %H:%M:%S"
_REFUSED = ("$filter", "$orderby", "$expand", "$top", "$apply", "$count")
_COOKIE = re.compile(r'pagenumber="(\d{1,9})" pagingcookie="(\d{1,18}):(\d{1,18}):(\d{1,18})"')


class Tracking:
    """
    How far back changes can be asked for.

    Args:
        retention: Age from which a delta token is refused; an organisation's `ExpireChangeTrackingInDays`.
    """

    def __init__(self, retention: timedelta = RETENTION) -> None:
        self.retention = retention
        self._oldest: dict[str, int] = {}

    def expire(self, rows: Rows, table: Table) -> None:
        """Make every delta token of that table stale, as a change of the table itself does."""
        self._oldest[table.name] = rows.touch()

    def check(self, table: Table, token: Token, now: datetime, version: int) -> None:
        """
        See that a token can be followed.

        Raises:
            Refusal: It is too old, or from another life of the organisation, whose newest version is `version` (0x80044352);
                the client has to read everything again.
        """
        if now - token.at > self.retention or not self._oldest.get(table.name, 0) <= token.version <= version:
            raise Refusal(
                quirks().delta_expired_status,
                "0x80044352",
                "Version stamp associated with the client has expired. Please perform a full sync.",
            )


@dataclass(frozen=True)
class Token:
    """The version up to which a client knows a table, and when it was handed out."""

    version: int
    at: datetime

    def __str__(self) -> str:
        return f"{self.version}!{self.at.strftime(_TIME)}"


def is_tracked(table: Table) -> bool:
    return table.is_tracked


def wants_changes(call: Call) -> bool:
    """Whether the request is about changes: it follows a delta link, or asks for the first one."""
    return call.preferences.track_changes or "deltatoken=" in call.request.raw_query


def read_changes(
    rows: Rows, call: Call, table: Table, tracking: Tracking, *, count: bool = False
) -> Response:
    """
    Answer a read with `odata.track-changes`, or one that follows a delta link; with `count`, only how many changes.

    Raises:
        Refusal: The table is not tracked, an option is not supported beside it, or the token is stale.
    """
    given = query_options(call.request)
    if not is_tracked(table):
        raise Refusal(
            400, quirks().untracked_code, f"Change tracking is not enabled for entity '{table.name}'."
        )
    if wrong := [name for name in _REFUSED if name in given]:
        raise bad_uri(f'The "{wrong[0]}" query parameter isn\'t supported when Change Tracking is enabled.')
    scope = call.scope(rows)
    if "$deltatoken" not in given:
        if count:
            raise bad_uri("The number of changes needs a $deltatoken.")
        return _first(scope, call, parse_query(table, given), given.get("$skiptoken", ""))
    token = _parse(given["$deltatoken"])
    tracking.check(table, token, call.now, rows.version)
    if count:
        return plain_count(sum(len(part) for part in _net(rows, table, token.version, rows.version)))
    return _since(scope, call, table, given, token)


def _parse(text: str) -> Token:
    match = _TOKEN.fullmatch(text.strip())
    try:
        at = datetime.strptime(match[2], _TIME).replace(tzinfo=UTC) if match else None
    except ValueError:
        at = None
    if match is None or at is None:
        raise bad_uri(f"The delta token '{text}' is not valid.")
    return Token(int(match[1]), at)


def _first(scope: Scope, call: Call, query: Query, cookie: str) -> Response:
    """
    Every row, in pages.

    The link on the last page counts from the first: what changes while the pages are read is reported once more, never lost.
    """
    begun = re.search(r'begun="([^"]*)"', cookie)
    token = _parse(begun[1]) if begun else Token(scope.rows.version, call.now)
    page = page_of(scope, query, call.preferences.page_size or MAX_PAGE)
    view = View(call, scope)
    body: dict[str, Any] = {"value": [view.show(query.table, row, query.shape) for row in page.rows]}
    if page.has_more:
        next_page = skiptoken(query.table, page.rows, query.page_number, None, str(token))
        body["@odata.nextLink"] = continued(call.request, next_page)
    else:
        body["@odata.deltaLink"] = _delta_link(call, token)
    return answer(call, query.table.entity_set + columns_text(query.shape), body)


def _delta_link(call: Call, token: Token) -> str:
    """The address that was read, with the token in place of any other."""
    link = continued(call.request, f"$deltatoken={quote(str(token), safe=':')}")
    return re.sub(r"(?<=[?&])(?:\$|%24)skiptoken=[^&]*&", "", link)


@dataclass(frozen=True)
class _Place:
    """How far the pages of one delta got; versions. What changes after `until` is left to the next delta."""

    number: int
    until: int
    shown: int
    removed: int

    def skiptoken(self) -> str:
        place = f"{self.until}:{self.shown}:{self.removed}"
        cookie = f'<cookie pagenumber="{self.number}" pagingcookie="{place}" istracking="True" />'
        return f"$skiptoken={quote(cookie, safe='=/')}"


def _place(cookie: str, token: Token, version: int) -> _Place:
    if not cookie:
        return _Place(1, version, token.version, token.version)
    match = _COOKIE.search(cookie)
    if match is None:
        raise bad_uri("Malformed XML in the Paging Cookie")
    return _Place(*(int(part) for part in match.groups()))


def _net(rows: Rows, table: Table, since: int, until: int) -> tuple[list[Row], list[tuple[int, str]]]:
    """What changed last between two versions: the rows that stand, and version and id of those that are gone."""
    standing: list[Row] = []
    gone: list[tuple[int, str]] = []
    for version, row_id in rows.changed_since(table, since):
        row = rows.get(table, row_id)
        if row is not None and version <= until:
            standing.append(row)
        elif row is None and version <= until:
            gone.append((version, row_id))
    return standing, gone


def _since(scope: Scope, call: Call, table: Table, given: Mapping[str, str], token: Token) -> Response:
    """A page of changes; the token stays the same up to the last page, whose link counts from the first."""
    shape = parse_shape(table, given, aliases_of(given))
    place = _place(given.get("$skiptoken", ""), token, scope.rows.version)
    standing, gone = _net(scope.rows, table, token.version, place.until)
    standing = [row for row in standing if row["versionnumber"] > place.shown]
    gone = [one for one in gone if one[0] > place.removed]
    size = call.preferences.page_size or MAX_PAGE
    shown = standing[:size]
    removed = gone[: size - len(shown)]
    view = View(call, scope)
    body: dict[str, Any] = {"value": [view.show(table, row, shape) for row in shown]}
    body["value"] += [_deleted(call, table, row_id) for _, row_id in removed]
    if len(standing) + len(gone) > size:
        following = _Place(
            place.number + 1,
            place.until,
            shown[-1]["versionnumber"] if shown else place.shown,
            removed[-1][0] if removed else place.removed,
        )
        body["@odata.nextLink"] = continued(call.request, following.skiptoken())
    else:
        body["@odata.deltaLink"] = _delta_link(call, Token(place.until, call.now))
    return answer(call, f"{table.entity_set}/$delta", body)


def _deleted(call: Call, table: Table, row_id: str) -> dict[str, str]:
    context = f"{call.root}$metadata#{table.entity_set}/$deletedEntity"
    return {"@odata.context": context, "id": row_id, "reason": "deleted"}
