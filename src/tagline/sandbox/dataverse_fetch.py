"""Running FetchXML: joins, conditions, order, distinct rows, aggregates, pages. Source: Web API notes, section 5."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from tagline.sandbox.assumptions import FETCH_LINKED_NAME
from tagline.sandbox.dataverse_aggregate import aggregate, check_limit
from tagline.sandbox.dataverse_call import Call
from tagline.sandbox.dataverse_conditions import COMPARISONS, TIMES, condition, typed
from tagline.sandbox.dataverse_errors import bad_uri
from tagline.sandbox.dataverse_expand import MAX_PAGE, inner_cookie
from tagline.sandbox.dataverse_fetchxml import (
    Attribute,
    Fetch,
    Group,
    Link,
    Sort,
    Test,
    column_named,
    parse_fetch,
)
from tagline.sandbox.dataverse_filter import TableSubject
from tagline.sandbox.dataverse_order import order_term, sortable
from tagline.sandbox.dataverse_render import annotations_of, etag, render
from tagline.sandbox.dataverse_rows import Row, comparable
from tagline.sandbox.dataverse_schema import Column, Table
from tagline.sandbox.dataverse_scope import Scope, value_of

FETCH_XML = "fetchxml"
_CRM = "@Microsoft.Dynamics.CRM."
Joined = Mapping[str, "Row | None"]
"""One row of the joined result: alias -> row, None where an outer join found none."""
Passes = Callable[[Joined], bool]


def read_fetch(scope: Scope, call: Call, table: Table, text: str) -> dict[str, Any]:
    """
    Answer `GET accounts?fetchXml=…`.

    Raises:
        Refusal: The query cannot be read or is not supported.
    """
    fetch = parse_fetch(table, text)
    run = Run(scope, call, fetch)
    joined = run.joined()
    if fetch.is_aggregate:
        check_limit(len(joined))
        shown, has_more = run.aggregated(joined), False
        total = len(shown)
    else:
        total = len(joined)
        size = min(fetch.top or fetch.count or call.preferences.page_size or MAX_PAGE, MAX_PAGE)
        start = (fetch.page - 1) * size
        joined = joined[start : start + size]
        has_more = fetch.top is None and total > start + size
        shown = [run.shown(one) for one in joined]
    facts: dict[str, Any] = {
        "totalrecordcount": min(total, MAX_PAGE) if fetch.with_total else -1,
        "totalrecordcountlimitexceeded": fetch.with_total and total > MAX_PAGE,
        "morerecords": has_more,
    }
    if has_more:
        facts["fetchxmlpagingcookie"] = _cookie(table, [one[""] or {} for one in joined], fetch.page)
    wanted = {_CRM + name: value for name, value in facts.items() if call.preferences.wants(_CRM[1:] + name)}
    return {**wanted, "value": shown}


def _cookie(table: Table, page: Sequence[Row], number: int) -> str:
    """The paging cookie; the client decodes it twice and puts it into the next `fetch` with the next page number."""
    inner = quote(quote(inner_cookie(table, page, number, None), safe=""), safe="")
    return f'<cookie pagenumber="{number + 1}" pagingcookie="{inner}" istracking="False" />'


class Run:
    """One query over one view of the organisation."""

    def __init__(self, scope: Scope, call: Call, fetch: Fetch) -> None:
        self._scope = scope
        self._call = call
        self._fetch = fetch
        self._links = {link.alias: link for link in _all_links(fetch.entity)}
        self._values: dict[str, Mapping[Any, Sequence[Row]]] = {}
        for link in self._links.values():
            scope.rows.admit(link.table)

    def joined(self) -> list[Joined]:
        """Every row of the result, filtered and in order."""
        entity = self._fetch.entity
        tests = [
            self._group(group, alias)
            for alias, link in self._links.items()
            for group in link.filters
            if not link.is_outer
        ]
        within = {
            alias: [self._group(group, alias) for group in link.filters]
            for alias, link in self._links.items()
            if link.is_outer
        }
        rows = self._scope.rows
        found: list[Joined] = []
        for row_id in self._first_ids(entity):
            row = rows.get(entity.table, row_id)
            if row is not None:
                found.extend(
                    one for one in self._joins({"": row}, entity, within) if all(test(one) for test in tests)
                )
        found = self._distinct(found) if self._fetch.is_distinct else found
        return found if self._fetch.is_aggregate else self._sorted(found)

    def _first_ids(self, entity: Link) -> Sequence[str]:
        """Ids that can pass: few where a condition that must hold is on a column with an index."""
        for group in entity.filters:
            for test in () if group.is_any and len(group.members) > 1 else group.members:
                if (
                    not isinstance(test, Test)
                    or test.alias
                    or test.other
                    or test.operator not in ("eq", "in")
                ):
                    continue
                column = column_named(entity.table, test.attribute)
                operand = TableSubject(entity.table).operand(column.wire)
                found = [operand.index(self._scope, typed(column, value)) for value in test.values]
                if all(ids is not None for ids in found):
                    return sorted({i for ids in found for i in ids or ()})
        return self._scope.rows.ids(entity.table)

    def _joins(self, at: Joined, link: Link, within: Mapping[str, Sequence[Passes]]) -> Iterator[Joined]:
        """The row so far, joined with everything that is linked below."""
        so_far: list[Joined] = [at]
        for inner in link.links:
            grown: list[Joined] = []
            for one in so_far:
                outer_row = one[link.alias]
                matches = () if outer_row is None else self._matches(inner, outer_row)
                reached: list[Joined] = []
                for row in matches:
                    candidate = {**one, inner.alias: row}
                    if all(test(candidate) for test in within.get(inner.alias, ())):
                        reached.extend(self._joins(candidate, inner, within))
                if not reached and inner.is_outer:
                    reached = [{**one, **dict.fromkeys((i.alias for i in _all_links(inner)), None)}]
                grown.extend(reached)
            so_far = grown
        yield from so_far

    def _matches(self, link: Link, outer_row: Row) -> Sequence[Row]:
        """Rows of the linked table whose column equals that of the outer row."""
        rows, wanted = self._scope.rows, value_of(outer_row, link.outer_column)
        if wanted is None:
            return ()
        if link.column.name == link.table.primary_id:
            found = rows.get(link.table, wanted)
            return () if found is None else (found,)
        if link.column.name in link.table.lookups:
            return self._scope.pointing(link.table, link.column, wanted)
        return self._by_value(link).get(comparable(wanted), ())

    def _by_value(self, link: Link) -> Mapping[Any, Sequence[Row]]:
        """The rows of a linked table by the value of a column that has no index; read once a query."""
        if link.alias not in self._values:
            found: dict[Any, list[Row]] = {}
            for row in self._scope.rows.all(link.table):
                found.setdefault(comparable(value_of(row, link.column)), []).append(row)
            self._values[link.alias] = found
        return self._values[link.alias]

    def _group(self, group: Group, alias: str) -> Passes:
        members = [
            self._group(member, alias)
            if isinstance(member, Group)
            else self._test(member, member.alias or alias)
            for member in group.members
        ]
        if group.is_any and members:
            return lambda one: any(test(one) for test in members)
        return lambda one: all(test(one) for test in members)

    def _link(self, alias: str) -> Link:
        if alias not in self._links:
            raise bad_uri(f"Link entity with name or alias {alias} is not found.")
        return self._links[alias]

    def _test(self, test: Test, alias: str) -> Passes:
        table = self._link(alias).table
        column = column_named(table, test.attribute)
        if test.other:
            return self._two(test, column, alias)
        passes = condition(test.operator, column, test.values)
        scope = self._scope
        return lambda one: passes(scope, None if (row := one[alias]) is None else value_of(row, column))

    def _two(self, test: Test, column: Column, alias: str) -> Passes:
        """A column compared with another: of the same entity, or of one that an alias names."""
        other_alias, _, name = test.other.rpartition(".")
        other_alias = other_alias or alias
        other = column_named(self._link(other_alias).table, name)
        compare = COMPARISONS.get(test.operator)
        if compare is None:
            raise bad_uri(f"The operator '{test.operator}' cannot be used with valueof.")

        def passes(one: Joined) -> bool:
            left, right = one[alias], one[other_alias]
            a = comparable(value_of(left, column)) if left is not None else None
            b = comparable(value_of(right, other)) if right is not None else None
            return a is not None and b is not None and bool(compare(a, b))

        return passes

    def _sorted(self, found: list[Joined]) -> list[Joined]:
        sorts = [sort for link in self._links.values() for sort in link.sorts]
        for sort in reversed(sorts):
            found.sort(key=self._sort_key(sort), reverse=sort.descending)
        return found

    def _sort_key(self, sort: Sort) -> Callable[[Joined], Any]:
        table = self._link(sort.alias).table
        column = column_named(table, sort.name)
        term = order_term(table, column.wire, descending=sort.descending)
        scope, alias = self._scope, sort.alias
        return lambda one: sortable(None if (row := one[alias]) is None else term.get(scope, row))

    def _distinct(self, found: list[Joined]) -> list[Joined]:
        """The first of the rows that show the same."""
        columns = [(alias, a.column) for alias, link in self._links.items() for a in _shown_of(link)]
        seen: dict[tuple[Any, ...], Joined] = {}
        for one in found:
            key = tuple(
                None if (row := one[alias]) is None else comparable(value_of(row, column))
                for alias, column in columns
            )
            seen.setdefault(key, one)
        return list(seen.values())

    def shown(self, one: Joined) -> dict[str, Any]:
        """A row of the answer."""
        rows, preferences = self._scope.rows, self._call.preferences
        entity, row = self._fetch.entity, one[""] or {}
        if entity.all_attributes or not (entity.attributes or entity.links):
            out = render(rows, entity.table, row, None, preferences)
        else:
            out = {} if preferences.metadata == "none" else {"@odata.etag": etag(row)}
            for attribute in entity.attributes:
                self._add(out, attribute.name or attribute.column.wire, row, attribute.column)
            if not self._fetch.is_distinct:
                out.setdefault(entity.table.primary_id, row[entity.table.primary_id])
        for alias, link in self._links.items():
            linked = one[alias]
            if alias == "" or linked is None:
                continue
            for attribute in _shown_of(link):
                name = FETCH_LINKED_NAME.format(alias=alias, column=attribute.column.name)
                if value_of(linked, attribute.column) is not None:
                    self._add(out, attribute.name or name, linked, attribute.column)
        return out

    def _add(self, out: dict[str, Any], name: str, row: Row, column: Column) -> None:
        if self._call.preferences.annotations:
            out.update(annotations_of(self._scope.rows, column, row, self._call.preferences, name))
        out[name] = value_of(row, column)

    def aggregated(self, found: Sequence[Joined]) -> list[dict[str, Any]]:
        """The rows of an aggregate query."""
        attributes = [(alias, a) for alias, link in self._links.items() for a in link.attributes]
        groups: dict[tuple[Any, ...], list[Joined]] = {}
        for one in found:
            key = tuple(comparable(self._grouped(one, alias, a)) for alias, a in attributes if a.grouped_by)
            groups.setdefault(key, []).append(one)
        if not groups and not any(a.grouped_by for _, a in attributes):
            groups[()] = []
        out = [
            {a.name: self._reduced(members, alias, a) for alias, a in attributes}
            for members in groups.values()
        ]
        for sort in reversed([s for link in self._links.values() for s in link.sorts]):
            if out and sort.name not in out[0]:
                raise bad_uri(f"An aggregate query cannot be ordered by '{sort.name}', which is no alias.")
            out.sort(key=lambda row, name=sort.name: sortable(row[name]), reverse=sort.descending)  # type: ignore[misc]
        return out[: self._fetch.top] if self._fetch.top else out

    def _grouped(self, one: Joined, alias: str, attribute: Attribute) -> Any:
        row = one[alias]
        value = None if row is None else value_of(row, attribute.column)
        if attribute.grouped_by == "value" or value is None:
            return value
        if attribute.column.type not in TIMES:
            raise bad_uri(f"'{attribute.column.name}' is no date and has no '{attribute.grouped_by}'.")
        moment = datetime.fromisoformat(value)
        parts: Mapping[str, int] = {
            "day": moment.day,
            "week": int(moment.strftime("%U")) + 1,
            "month": moment.month,
            "quarter": (moment.month + 2) // 3,
            "year": moment.year,
        }
        if attribute.grouped_by not in parts:
            raise bad_uri(f"The dategrouping '{attribute.grouped_by}' is not supported.")
        return parts[attribute.grouped_by]

    def _reduced(self, members: Sequence[Joined], alias: str, attribute: Attribute) -> Any:
        if attribute.grouped_by:
            return self._grouped(members[0], alias, attribute)
        if attribute.aggregate == "count":
            return len(members)
        values = [None if (row := one[alias]) is None else value_of(row, attribute.column) for one in members]
        if attribute.aggregate == "countcolumn":
            return aggregate("countdistinct" if attribute.is_distinct else "count", values)
        return aggregate(attribute.aggregate, values)


def _all_links(link: Link) -> Iterator[Link]:
    yield link
    for inner in link.links:
        yield from _all_links(inner)


def _shown_of(link: Link) -> Sequence[Attribute]:
    if link.all_attributes:
        return [Attribute(column, "") for column in link.table.columns.values()]
    return link.attributes
