"""Reads of Finance: which rows a call sees, how they are shown, and the links to what follows. Source: Finance notes, section 17."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote_plus

from tagline.sandbox.dataverse_literals import is_whole, split_outside
from tagline.sandbox.finance_errors import no_property, unreadable
from tagline.sandbox.finance_filter import Test, parse_filter, parse_order
from tagline.sandbox.finance_quirks import quirks
from tagline.sandbox.finance_rows import FinanceRows, Row, comparable, etag
from tagline.sandbox.finance_schema import COMPANY, NAMESPACE, Entity, Navigation, Schema
from tagline.sandbox.values import Request

MAX_PAGE = 10_000
_SUPPORTED = frozenset(
    {"$select", "$filter", "$orderby", "$top", "$skip", "$skiptoken", "$count", "$expand", "$format"}
)


@dataclass(frozen=True)
class Shape:
    """What of a row is shown."""

    fields: tuple[str, ...]
    expanded: Mapping[str, Shape] = field(default_factory=dict)
    """Navigation -> what of the rows it leads to."""
    test: Test | None = None
    """Of expanded rows."""
    selected: bool = False

    @property
    def columns(self) -> str:
        """How the context of an answer names it."""
        inside = (f"{name}{shape.columns or '()'}" for name, shape in self.expanded.items())
        names = [*(self.fields if self.selected else ()), *inside]
        return f"({','.join(names)})" if names else ""


@dataclass(frozen=True)
class Page:
    """A part of a list."""

    rows: Sequence[Row]
    count: int
    """Of all that match."""
    next_link: str = ""


def crosses_companies(request: Request) -> bool:
    """Whether the call asked for more than the caller's own company."""
    return request.query.get("cross-company", "").lower() == "true"


def parse_shape(
    schema: Schema, entity: Entity, options: Mapping[str, str], *, top_level: bool = True
) -> Shape:
    """
    What `$select` and `$expand` ask for.

    Raises:
        FinanceRefusal: A name is not there, or an expansion goes deeper than one level.
    """
    chosen = [name.strip() for name in options.get("$select", "").split(",") if name.strip() not in ("", "*")]
    if wrong := [name for name in chosen if name not in entity.fields]:
        raise no_property(entity, wrong)
    expanded: dict[str, Shape] = {}
    for part in split_outside(options.get("$expand", ""), ","):
        name, _, inside = part.strip().partition("(")
        if not name:
            continue
        if not top_level:
            raise unreadable("Only the first level can be expanded.")
        if name not in entity.navigation:
            raise no_property(entity, [name])
        target = schema.entities[entity.navigation[name].target]
        inner = dict(_option(o) for o in split_outside(inside.removesuffix(")"), ";") if o.strip())
        if wrong := sorted(set(inner) - {"$select", "$filter", "$expand"}):
            raise unreadable(f"The option '{wrong[0]}' is not supported inside $expand.")
        test = parse_filter(target, inner["$filter"]) if "$filter" in inner else None
        shape = parse_shape(schema, target, inner, top_level=False)
        expanded[name] = Shape(shape.fields, test=test, selected=shape.selected)
    return Shape(tuple(chosen) or tuple(entity.fields), expanded, selected=bool(chosen))


def _option(text: str) -> tuple[str, str]:
    name, _, value = text.strip().partition("=")
    return name, value


def select_rows(
    rows: FinanceRows, entity: Entity, request: Request, company: str, among: Sequence[Row] | None = None
) -> Sequence[Row]:
    """
    The rows of a list in its order, without paging: of the caller's company unless the call crosses companies.

    Args:
        among: All rows that there are; None is every row of the entity.

    Raises:
        FinanceRefusal: An option is not supported or cannot be read.
        Refusal: A word of a condition is none.
    """
    options = request.query
    if wrong := [o for o in options if o.startswith("$") and o not in _SUPPORTED]:
        raise unreadable(f"The query parameter '{wrong[0]}' is not supported.")
    found = rows.all(entity) if among is None else among
    if entity.has_company and not crosses_companies(request):
        found = [row for row in found if comparable(row[COMPANY]) == comparable(company)]
    if text := options.get("$filter", ""):
        test = parse_filter(entity, text)
        found = [row for row in found if test(row)]
    for name, descending in reversed(
        parse_order(entity, options["$orderby"]) if options.get("$orderby") else []
    ):
        empty = entity.empty[name]
        found = sorted(
            found, key=lambda row: comparable(row.get(name, empty)) or empty or "", reverse=descending
        )
    return found


def page_of(found: Sequence[Row], request: Request, page_size: int | None) -> Page:
    """Cut a page; the link to the next one repeats the call with the place where it begins."""
    options = request.query
    skip, top = _whole(options, "$skip") or 0, _whole(options, "$top")
    at = _place(options.get("$skiptoken", "")) if "$skiptoken" in options else skip
    end = len(found) if top is None else min(len(found), skip + top)
    size = min(page_size or MAX_PAGE, MAX_PAGE)
    until = min(end, at + size)
    link = ""
    if until < end:
        # With $skip as the continuation, a $top has to shrink by what was shown.
        option = quirks().page_option
        place = f"{option}={until}"
        dropped, rest = {option}, ""
        if option == "$skip" and top is not None:
            dropped.add("$top")
            rest = f"&$top={end - until}"
        kept = [
            o for o in request.raw_query.split("&") if o and unquote_plus(o.partition("=")[0]) not in dropped
        ]
        link = f"{request.origin}{request.path}?{'&'.join((*kept, place))}{rest}"
    return Page(found[at:until], len(found), link)


def _whole(options: Mapping[str, str], name: str) -> int | None:
    text = options.get(name)
    if text is None:
        return None
    if not is_whole(text.strip()):
        raise unreadable(f"Invalid value '{text}' for {name} query option found.")
    return int(text)


def _place(text: str) -> int:
    if not is_whole(text):
        raise unreadable("The skip token cannot be read.")
    return int(text)


@dataclass(frozen=True)
class View:
    """How the rows of one answer are shown."""

    rows: FinanceRows
    annotated: bool = True
    """Without `odata.metadata=none`."""

    def show(self, entity: Entity, row: Row, shape: Shape) -> dict[str, Any]:
        empty = entity.empty
        shown: dict[str, Any] = {"@odata.etag": etag(row)} if self.annotated else {}
        for name in shape.fields:
            shown[name] = row.get(name, empty[name])
        for name, inner in shape.expanded.items():
            way = entity.navigation[name]
            target = self.rows.schema.entities[way.target]
            reached = [
                self.show(target, r, inner)
                for r in reached_from(self.rows, entity, row, way)
                if not inner.test or inner.test(r)
            ]
            shown[name] = reached if way.many else next(iter(reached), None)
        return shown


def reached_from(rows: FinanceRows, entity: Entity, row: Row, way: Navigation) -> Sequence[Row]:
    """The rows that a way leads to."""
    values = [row.get(here, entity.empty[here]) for here in way.match]
    return rows.matching(rows.schema.entities[way.target], tuple(way.match.values()), values)


def address_of(root: str, entity: Entity, row: Row) -> str:
    """The absolute address of a row, with every field of its key."""
    parts = []
    for name in entity.key:
        value, kind = row.get(name, entity.empty[name]), entity.fields[name]
        if kind == "String":
            doubled = str(value).replace("'", "''")
            parts.append(f"{name}='{quote(doubled, safe='', errors='replace')}'")
        elif entity.is_enum(name):
            parts.append(f"{name}={NAMESPACE}.{kind}'{value}'")
        else:
            parts.append(f"{name}={quote(str(value), safe=':-.')}")
    return f"{root}{entity.entity_set}({','.join(parts)})"
