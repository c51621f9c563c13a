"""
`?sql=`: a SELECT statement, read as the FetchXML that asks the same. Source: Web API notes, section 5.

Columns go by their logical names, lookups too. No subqueries, HAVING, UNION or functions beside the aggregates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from tagline.sandbox.dataverse_aggregate import check_limit
from tagline.sandbox.dataverse_call import Call
from tagline.sandbox.dataverse_errors import Refusal, bad_uri
from tagline.sandbox.dataverse_expand import MAX_PAGE, skiptoken
from tagline.sandbox.dataverse_fetch import Run
from tagline.sandbox.dataverse_fetchxml import (
    UNKNOWN_TABLE,
    Attribute,
    Fetch,
    Group,
    Link,
    Sort,
    Test,
    column_named,
)
from tagline.sandbox.dataverse_query import continued, position
from tagline.sandbox.dataverse_schema import Table, tables
from tagline.sandbox.dataverse_scope import Scope
from tagline.sandbox.dataverse_sqlwords import Words, syntax

SQL: Final = "sql"
_OPERATORS: Final[Mapping[str, str]] = {
    "=": "eq",
    "!=": "ne",
    "<>": "ne",
    "<": "lt",
    "<=": "le",
    ">": "gt",
    ">=": "ge",
}
_AGGREGATES: Final = frozenset({"count", "sum", "avg", "min", "max"})


@dataclass(frozen=True)
class Selected:
    """A column of the answer: its name, and the entity and column that it shows."""

    name: str
    alias: str
    attribute: Attribute


@dataclass(frozen=True)
class Statement:
    """A statement, understood."""

    fetch: Fetch
    selected: tuple[Selected, ...]
    first: int = 0
    """Rows that are left out at the start."""
    most: int | None = None


@dataclass
class _Entity:
    """A table of the statement, while it is read."""

    table: Table
    alias: str
    join: tuple[str, str, str] | None = None
    """Own column, entity joined to, column there; None for the first."""
    is_outer: bool = False
    attributes: list[Attribute] = field(default_factory=list)
    sorts: list[Sort] = field(default_factory=list)


def parse_sql(table: Table, text: str) -> Statement:
    """
    Read a statement that is put to the entity set of `table`.

    Raises:
        Refusal: It cannot be read, names what is not there, or asks for what is not supported.
    """
    return _Statement(text).read(table)


class _Statement:
    def __init__(self, text: str) -> None:
        self._words = Words(text)
        self._entities: dict[str, _Entity] = {}

    def read(self, table: Table) -> Statement:
        self._words.take("select")
        is_distinct = self._words.takes("distinct")
        most = self._words.whole() if self._words.takes("top") else None
        if self._words.peek() == "*":
            raise bad_uri("'*' is not supported in SQL; name the columns.")
        start = self._words.at
        while self._words.peek() not in ("from", ""):
            self._words.at += 1  # what is selected is read once the tables are known
        self._words.take("from")
        first = self._table()
        if first.table.name != table.name:
            raise bad_uri(
                f"Table '{first.table.name}' in SQL does not match the entity set '{table.entity_set}'."
            )
        while self._words.peek() in ("join", "inner", "left"):
            self._join()
        rest, self._words.at = self._words.at, start
        selected = self._selected()
        self._words.at = rest
        where = self._either() if self._words.takes("where") else None
        grouped = self._grouped() if self._words.takes("group", "by") else []
        is_aggregate = bool(grouped) or any(s.attribute.aggregate for s in selected)
        if is_aggregate:
            selected = [_as_group(one, grouped) for one in selected]
        if self._words.takes("order", "by"):
            self._order(selected, is_aggregate=is_aggregate)
        first_row = 0
        if self._words.takes("offset"):
            first_row = self._words.whole()
            self._words.take("rows", "row")
            if self._words.takes("fetch"):
                self._words.take("next", "first")
                most = self._words.whole()
                self._words.take("rows", "row")
                self._words.take("only")
        if self._words.peek():
            raise bad_uri(f"'{self._words.peek()}' is not supported in SQL here.")
        for one in selected:
            self._entities[one.alias].attributes.append(one.attribute)
        filters = (Group(is_any=False, members=(where,)),) if where else ()
        entity = replace(self._link(first, ""), filters=filters)
        fetch = Fetch(entity, is_distinct, is_aggregate, None, None, 1, with_total=False)
        return Statement(fetch, tuple(selected), first_row, most)

    def _table(self) -> _Entity:
        name = self._words.name()
        if name not in tables():
            raise Refusal(
                400, UNKNOWN_TABLE, f"The entity with a name = '{name}' was not found in the MetadataCache."
            )
        self._words.takes("as")
        is_first = not self._entities
        called = self._words.name() if self._words.is_name() else name
        entity = _Entity(tables()[name], "" if is_first else called)
        if called in self._names() or (not is_first and called == ""):
            raise bad_uri(f"The name '{called}' stands twice in the statement.")
        self._entities[entity.alias] = entity
        if is_first:
            self._first = called
        return entity

    def _names(self) -> set[str]:
        return {alias or self._first for alias in self._entities}

    def _join(self) -> None:
        is_outer = self._words.take() == "left"
        if self._words.peek(-1) != "join":
            self._words.takes("outer")
            self._words.take("join")
        entity = self._table()
        entity.is_outer = is_outer
        self._words.take("on")
        one = self._column()
        self._words.take("=")
        other = self._column()
        own, outer = (one, other) if one[0] == entity.alias else (other, one)
        if own[0] != entity.alias or outer[0] == entity.alias:
            raise bad_uri("A join compares a column of the joined table with one of a table before it.")
        entity.join = (own[1], outer[0], outer[1])

    def _column(self) -> tuple[str, str]:
        """Alias of the entity and name of its column; without an alias, of the one table that has it."""
        name = self._words.name()
        if self._words.takes("."):
            alias = "" if name == self._first else name
            if alias not in self._entities:
                raise bad_uri(f"The name '{name}' is not one of the statement's tables.")
            name = self._words.name()
            column_named(self._entities[alias].table, name)
            return alias, name
        having = [alias for alias, entity in self._entities.items() if name in entity.table.columns]
        if len(having) > 1:
            raise bad_uri(f"Ambiguous column name '{name}'.")
        column_named(self._entities[having[0] if having else ""].table, name)
        return having[0], name

    def _selected(self) -> list[Selected]:
        found = [self._one()]
        while self._words.takes(","):
            found.append(self._one())
        if self._words.peek() != "from":
            raise syntax(self._words.peek())
        return found

    def _one(self) -> Selected:
        if self._words.peek() in _AGGREGATES and self._words.peek(1) == "(":
            return self._aggregate()
        alias, column = self._column()
        attribute = Attribute(column_named(self._entities[alias].table, column), "")
        return self._called(Selected(column, alias, attribute))

    def _aggregate(self) -> Selected:
        method = self._words.take()
        self._words.take("(")
        if method == "count" and self._words.takes("*"):
            table = self._entities[""].table
            alias, attribute = "", Attribute(table.columns[table.primary_id], "", "count")
        else:
            is_distinct = self._words.takes("distinct")
            alias, column = self._column()
            kind = "countcolumn" if method == "count" else method
            attribute = Attribute(
                column_named(self._entities[alias].table, column), "", kind, is_distinct=is_distinct
            )
        self._words.take(")")
        return self._called(Selected(method, alias, attribute))

    def _called(self, one: Selected) -> Selected:
        if self._words.takes("as") or (self._words.peek() not in ("", ",", "from")):
            one = replace(one, name=self._words.label())
        return replace(one, attribute=replace(one.attribute, name=one.name))

    def _grouped(self) -> list[tuple[str, str]]:
        found = [self._column()]
        while self._words.takes(","):
            found.append(self._column())
        return found

    def _order(self, selected: Sequence[Selected], *, is_aggregate: bool) -> None:
        while True:
            named = next(
                (s for s in selected if s.name.lower() == self._words.peek() and self._words.peek(1) != "."),
                None,
            )
            alias, column = (named.alias, named.attribute.column.name) if named else (None, "")
            if named and (is_aggregate or named.attribute.aggregate):
                column = named.name
            if named:
                self._words.take()
            else:
                alias, column = self._column()
                if is_aggregate:
                    column = next(
                        (s.name for s in selected if (s.alias, s.attribute.column.name) == (alias, column)),
                        column,
                    )
            descending = self._words.takes("desc") or (self._words.takes("asc") and False)
            self._entities[alias or ""].sorts.append(Sort(alias or "", column, descending))
            if not self._words.takes(","):
                return

    # Conditions

    def _either(self, depth: int = 0) -> Test | Group:
        members = [self._both(depth)]
        while self._words.takes("or"):
            members.append(self._both(depth))
        return members[0] if len(members) == 1 else Group(is_any=True, members=tuple(members))

    def _both(self, depth: int) -> Test | Group:
        members = [self._condition(depth)]
        while self._words.takes("and"):
            members.append(self._condition(depth))
        return members[0] if len(members) == 1 else Group(is_any=False, members=tuple(members))

    def _condition(self, depth: int) -> Test | Group:
        if depth > 50:
            raise bad_uri("The statement is nested too deeply.")
        if self._words.takes("("):
            inside = self._either(depth + 1)
            self._words.take(")")
            return inside
        alias, column = self._column()
        if self._words.takes("is", "not", "null"):
            return Test(alias, column, "not-null", ())
        if self._words.takes("is", "null"):
            return Test(alias, column, "null", ())
        negated = "not-" if self._words.takes("not") else ""
        if self._words.takes("like"):
            return Test(alias, column, f"{negated}like", (self._words.literal(),))
        if self._words.takes("in"):
            return Test(alias, column, f"{negated}in", self._values())
        if self._words.takes("between"):
            low = self._words.literal()
            self._words.take("and")
            return Test(alias, column, f"{negated}between", (low, self._words.literal()))
        operator = _OPERATORS.get(self._words.take())
        if operator is None or negated:
            raise syntax(self._words.peek(-1))
        return Test(alias, column, operator, (self._words.literal(),))

    def _values(self) -> tuple[str, ...]:
        self._words.take("(")
        values = [self._words.literal()]
        while self._words.takes(","):
            values.append(self._words.literal())
        self._words.take(")")
        return tuple(values)

    def _link(self, entity: _Entity, outer_alias: str) -> Link:
        """The entity with everything joined to it."""
        primary = entity.table.columns[entity.table.primary_id]
        column, outer = primary, primary
        if entity.join:
            column = column_named(entity.table, entity.join[0])
            outer = column_named(self._entities[outer_alias].table, entity.join[2])
        inner = [e for e in self._entities.values() if e.join and e.join[1] == entity.alias]
        return Link(
            entity.table,
            entity.alias,
            tuple(entity.attributes),
            all_attributes=False,
            filters=(),
            sorts=tuple(entity.sorts),
            links=tuple(self._link(e, entity.alias) for e in inner),
            column=column,
            outer_column=outer,
            is_outer=entity.is_outer,
        )


def _as_group(one: Selected, grouped: Sequence[tuple[str, str]]) -> Selected:
    if one.attribute.aggregate:
        return one
    if (one.alias, one.attribute.column.name) not in grouped:
        raise bad_uri(
            f"Column '{one.attribute.column.name}' is neither aggregated nor in the GROUP BY clause."
        )
    return replace(one, attribute=replace(one.attribute, grouped_by="value"))


def read_sql(scope: Scope, call: Call, table: Table, given: Mapping[str, str]) -> dict[str, Any]:
    """
    Answer `GET accounts?sql=…`, a page at a time.

    Raises:
        Refusal: The statement cannot be read or is not supported.
    """
    statement = parse_sql(table, given[SQL])
    run = Run(scope, call, statement.fetch)
    joined = run.joined()
    asked = slice(statement.first, None if statement.most is None else statement.first + statement.most)
    if statement.fetch.is_aggregate:
        check_limit(len(joined))
        return {"value": run.aggregated(joined)[asked]}
    joined = joined[asked]
    number, _ = position(table, given["$skiptoken"]) if "$skiptoken" in given else (1, "")
    size = call.preferences.page_size or MAX_PAGE
    page = joined[(number - 1) * size : number * size]
    body: dict[str, Any] = {"value": [shown_by(statement.selected, one) for one in page]}
    if number * size < len(joined):
        token = skiptoken(table, [one[""] or {} for one in page], number, None)
        body["@odata.nextLink"] = continued(call.request, token)
    return body


def shown_by(selected: Sequence[Selected], joined: Mapping[str, Any]) -> dict[str, Any]:
    """One row of the answer, by the names of the statement."""
    found: dict[str, Any] = {}
    for one in selected:
        row = joined[one.alias]
        value = None if row is None else row.get(one.attribute.column.name)
        found[one.name] = value[1] if isinstance(value, tuple) else value
    return found
