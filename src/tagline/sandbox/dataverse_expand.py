"""What is shown of a row: `$select`, and `$expand` with its options over several levels. Source: Web API notes, section 5."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from tagline.sandbox.dataverse_call import Call
from tagline.sandbox.dataverse_conditions import edm
from tagline.sandbox.dataverse_errors import bad_uri
from tagline.sandbox.dataverse_filter import EVERYTHING, Filter, parse_filter
from tagline.sandbox.dataverse_literals import is_whole, split_outside
from tagline.sandbox.dataverse_navigation import collection_of, collections_of, single_of
from tagline.sandbox.dataverse_order import Order, parse_order
from tagline.sandbox.dataverse_render import parse_select, render
from tagline.sandbox.dataverse_rows import Row
from tagline.sandbox.dataverse_schema import Column, Table
from tagline.sandbox.dataverse_scope import Scope

MAX_PAGE = 5000
MAX_EXPANDS = 15
_INNER = frozenset({"$select", "$filter", "$orderby", "$top", "$expand"})
_FIRST_LEVEL_ONLY = ("$top", "$orderby")
_OF_COLLECTIONS = ("$filter", "$orderby", "$top")
_TYPED = frozenset({"Edm.Guid", "Edm.DateTimeOffset", "Edm.Date", "Edm.Decimal", "Edm.Int64", "Edm.Double"})
"""Types that JSON does not show by itself; `odata.metadata=full` names them."""


@dataclass(frozen=True)
class Shape:
    """What is shown of a row."""

    select: tuple[Column, ...] | None = None
    """None shows every column."""
    expand: tuple[Expand, ...] = ()

    def count(self) -> int:
        """Expands of every level."""
        return sum(1 + inner.shape.count() for inner in self.expand)


@dataclass(frozen=True)
class Expand:
    """Related rows shown inside a row."""

    name: str
    table: Table
    by: Column
    """The lookup that joins: of the row itself, or of the related rows where they are a collection."""
    is_collection: bool
    shape: Shape
    where: Filter = EVERYTHING
    order: Order | None = None
    top: int | None = None
    only_addresses: bool = False
    """`nav/$ref`."""
    query: str = ""
    """The options as they stand in the link to the collection itself."""


def parse_shape(table: Table, given: Mapping[str, str], aliases: Mapping[str, str]) -> Shape:
    """
    Read `$select` and `$expand`.

    Raises:
        Refusal: They cannot be read, name unknown properties or expand too much.
    """
    shape = _shape(table, given, aliases, 1)
    if shape.count() > MAX_EXPANDS:
        raise bad_uri(f"Number of $expand options exceeds the maximum of {MAX_EXPANDS}.")
    return shape


def _shape(table: Table, given: Mapping[str, str], aliases: Mapping[str, str], level: int) -> Shape:
    text = given.get("$expand", "")
    terms = [term.strip() for term in split_outside(text, ",")] if text else []
    if len(terms) > MAX_EXPANDS or level > MAX_EXPANDS:
        raise bad_uri(f"Number of $expand options exceeds the maximum of {MAX_EXPANDS}.")
    expand = tuple(_expand(table, term, aliases, level) for term in terms)
    return Shape(parse_select(table, given.get("$select", "")), expand)


def _expand(table: Table, term: str, aliases: Mapping[str, str], level: int) -> Expand:
    name, opened, inner = term.partition("(")
    name, only_addresses = name.strip().removesuffix("/$ref"), name.strip().endswith("/$ref")
    if opened and not inner.endswith(")"):
        raise bad_uri(f"Term '{term}' is not valid in a $expand expression.")
    given = _inner_options(name, inner.removesuffix(")") if opened else "")
    is_collection = name in collections_of(table)
    refused = [o for o in _FIRST_LEVEL_ONLY if o in given and level > 1]
    refused += [o for o in _OF_COLLECTIONS if o in given and not is_collection]
    if refused:
        raise bad_uri(f"The query option '{refused[0]}' is not supported in $expand of '{name}' here.")
    target, by = collection_of(table, name) if is_collection else single_of(table, name)
    return Expand(
        name,
        target,
        by,
        is_collection,
        _shape(target, given, aliases, level + 1),
        where=parse_filter(target, given["$filter"], aliases) if "$filter" in given else EVERYTHING,
        order=parse_order(target, given["$orderby"]) if "$orderby" in given else None,
        top=parse_top(given["$top"]) if "$top" in given else None,
        only_addresses=only_addresses,
        query="&".join(f"{option}={quote(value, safe='(),$;=')}" for option, value in given.items()),
    )


def _inner_options(name: str, text: str) -> dict[str, str]:
    given: dict[str, str] = {}
    for piece in split_outside(text, ";"):
        if not piece.strip():
            continue
        option, equals, value = piece.strip().partition("=")
        if not equals or option not in _INNER:
            raise bad_uri(f"The query option '{option}' is not supported in $expand of '{name}'.")
        given[option] = value
    return given


def parse_top(text: str) -> int:
    """Read `$top`; raises `Refusal` outside 1 to 5000."""
    if not is_whole(text) or not 1 <= int(text) <= MAX_PAGE:
        raise bad_uri(f"Invalid value '{text}' for $top query option found.")
    return int(text)


def columns_text(shape: Shape) -> str:
    """The part of a context that names what is shown."""
    return "" if shape.select is None and not shape.expand else f"({','.join(_names(shape))})"


def _names(shape: Shape) -> Iterator[str]:
    yield from (column.wire for column in shape.select or ())
    for inner in shape.expand:
        yield f"{inner.name}({','.join(_names(inner.shape))})"


@dataclass(frozen=True)
class View:
    """How the rows of one call are shown."""

    call: Call
    scope: Scope

    def show(self, table: Table, row: Row, shape: Shape, level: int = 1) -> dict[str, Any]:
        """The row as a JSON object, with what it expands."""
        out = render(self.scope.rows, table, row, shape.select, self.call.preferences)
        if self.call.preferences.metadata == "full":
            out = self._full(table, row, out)
        for inner in shape.expand:
            if inner.is_collection:
                self._add_collection(out, table, row, inner, level)
            else:
                found = self.scope.linked(row, inner.by, inner.table)
                out[inner.name] = None if found is None else self._inner(inner, found, level)
        return out

    def address(self, table: Table, row: Row) -> str:
        """The absolute address of a row."""
        return f"{self.call.root}{table.entity_set}({row[table.primary_id]})"

    def _inner(self, inner: Expand, row: Row, level: int) -> dict[str, Any]:
        if inner.only_addresses:
            return {"@odata.id": self.address(inner.table, row)}
        return self.show(inner.table, row, inner.shape, level + 1)

    def _add_collection(self, out: dict[str, Any], table: Table, row: Row, inner: Expand, level: int) -> None:
        found = related(self.scope, inner, row[table.primary_id])
        size = self.call.preferences.page_size or MAX_PAGE
        shown = found[: min(inner.top or MAX_PAGE, MAX_PAGE)] if level == 1 else found[:size]
        out[inner.name] = [self._inner(inner, item, level) for item in shown]
        link = f"{self.address(table, row)}/{inner.name}"
        query = inner.query
        if level > 1:
            if len(found) <= size:
                return
            query += ("&" if query else "") + skiptoken(inner.table, shown, 1, inner.order)
        out[f"{inner.name}@odata.nextLink"] = f"{link}?{query}" if query else link

    def _full(self, table: Table, row: Row, out: dict[str, Any]) -> dict[str, Any]:
        address = self.address(table, row)
        full: dict[str, Any] = {
            "@odata.type": f"#Microsoft.Dynamics.CRM.{table.name}",
            "@odata.id": address,
            "@odata.editLink": address.removeprefix(self.call.root),
        }
        for name, value in out.items():
            column = table.by_wire.get(name)
            if column is not None and value is not None and edm(column) in _TYPED:
                full[f"{name}@odata.type"] = "#" + edm(column).removeprefix("Edm.")
            full[name] = value
        for name in (*table.navigation, *collections_of(table)):
            full[f"{name}@odata.associationLink"] = f"{address}/{name}/$ref"
            full[f"{name}@odata.navigationLink"] = f"{address}/{name}"
        return full


def related(scope: Scope, inner: Expand, row_id: str) -> Sequence[Row]:
    """The rows of an expanded collection, in order."""
    found = [row for row in scope.pointing(inner.table, inner.by, row_id) if inner.where.test(scope, row)]
    return inner.order.sort(scope, found) if inner.order else found


def skiptoken(table: Table, page: Sequence[Row], number: int, order: Order | None, begun: str = "") -> str:
    """
    The option that continues after a page.

    Args:
        number: Of the page that it continues after.
        begun: Delta token of the first page, where changes are tracked.

    Source: Web API notes, section 6: a cookie inside a cookie, the inner one encoded twice in the address.
    """
    inner = quote(inner_cookie(table, page, number, order), safe="")
    tracking = f'istracking="True" begun="{begun}"' if begun else 'istracking="False"'
    cookie = f'<cookie pagenumber="{number + 1}" pagingcookie="{inner}" {tracking} />'
    return f"$skiptoken={quote(cookie, safe='=/')}"


def inner_cookie(table: Table, page: Sequence[Row], number: int, order: Order | None) -> str:
    """First and last values of a page, by order column and primary key."""
    first, last = page[0], page[-1]
    keys = f'<{table.primary_id} last="{{{last[table.primary_id].upper()}}}" first="{{{first[table.primary_id].upper()}}}" />'
    return f'<cookie page="{number}">{order.cookie(first, last) if order else ""}{keys}</cookie>'
