"""FetchXML, understood: the columns, links, conditions and pages that it asks for. Source: Web API notes, section 5."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree as ET

from tagline.sandbox.dataverse_errors import Refusal, bad_uri
from tagline.sandbox.dataverse_literals import is_whole
from tagline.sandbox.dataverse_schema import Column, Table, tables

UNKNOWN_TABLE: Final = "0x80041102"
UNKNOWN_COLUMN: Final = "0x80041103"
MAX_LINKS = 15
MAX_DEPTH = 60
"""Of filters in each other."""
JOINS = frozenset({"inner", "outer"})


@dataclass(frozen=True)
class Attribute:
    """A column that is shown, or what is computed of it."""

    column: Column
    name: str
    """What it is called in the answer; empty where it goes by its own name."""
    aggregate: str = ""
    is_distinct: bool = False
    grouped_by: str = ""
    """Empty, `value`, or the part of a date that groups: `day`, `week`, `month`, `quarter`, `year`."""


@dataclass(frozen=True)
class Test:
    """One condition; `alias` names the link it is about, empty for the element it stands in."""

    alias: str
    attribute: str
    operator: str
    values: tuple[str, ...]
    other: str = ""
    """A column to compare with, in place of values."""


@dataclass(frozen=True)
class Group:
    """Conditions of which all or any must hold."""

    is_any: bool
    members: tuple[Test | Group, ...]


@dataclass(frozen=True)
class Sort:
    alias: str
    name: str
    descending: bool


@dataclass(frozen=True)
class Link:
    """An entity of the query: the one that is fetched, or one that is joined to it."""

    table: Table
    alias: str
    attributes: tuple[Attribute, ...]
    all_attributes: bool
    filters: tuple[Group, ...]
    sorts: tuple[Sort, ...]
    links: tuple[Link, ...]
    column: Column
    """Of this table, for the join; the primary key of the one that is fetched."""
    outer_column: Column
    """Of the table it is joined to."""
    is_outer: bool = False


@dataclass(frozen=True)
class Fetch:
    """A whole query."""

    entity: Link
    is_distinct: bool
    is_aggregate: bool
    top: int | None
    count: int | None
    page: int
    with_total: bool


def parse_fetch(table: Table, text: str) -> Fetch:
    """
    Read FetchXML that is put to the entity set of `table`.

    Raises:
        Refusal: It is no XML, names what is not there, or asks for what is not supported.
    """
    try:
        root = ET.fromstring("" if "<!DOCTYPE" in text else text)  # noqa: S314 - nothing can be declared, so nothing expands
    except (ET.ParseError, ValueError):
        raise Refusal(400, "0x80040201", "Invalid XML.") from None
    entity = root.find("entity")
    if root.tag != "fetch" or entity is None:
        raise Refusal(400, "0x80041100", "Invalid Child Node, valid nodes are entity.")
    if entity.get("name") != table.name:
        raise bad_uri(
            f"Entity name '{entity.get('name')}' in FetchXML does not match the entity set '{table.entity_set}'."
        )
    if sum(1 for _ in root.iter("link-entity")) > MAX_LINKS:
        raise bad_uri(f"Number of link entities in query exceeded maximum limit of {MAX_LINKS}.")
    top, count, page = _whole(root, "top"), _whole(root, "count"), _whole(root, "page")
    if top is not None and (count is not None or page is not None):
        raise bad_uri("The top attribute can't be specified with paging attribute page or count.")
    primary = table.columns[table.primary_id]
    return Fetch(
        _Reader(aggregate := root.get("aggregate") == "true").link(entity, table, "", primary, primary),
        root.get("distinct") == "true",
        aggregate,
        top,
        count,
        page or 1,
        root.get("returntotalrecordcount") == "true",
    )


def _whole(element: ET.Element, name: str) -> int | None:
    text = element.get(name)
    if text is None:
        return None
    if not is_whole(text) or not 1 <= int(text) <= 1_000_000:
        raise bad_uri(f"The value '{text}' of '{name}' is not valid in FetchXML.")
    return int(text)


class _Reader:
    def __init__(self, is_aggregate: bool) -> None:
        self._is_aggregate = is_aggregate
        self._links = 0

    def link(self, element: ET.Element, table: Table, alias: str, column: Column, outer: Column) -> Link:
        """Read an `entity` or `link-entity` with everything in it."""
        attributes, filters, sorts, links = [], [], [], []
        for child in element:
            match child.tag:
                case "attribute":
                    attributes.append(self._attribute(child, table))
                case "filter":
                    filters.append(_group(child))
                case "order":
                    sorts.append(_sort(child, alias))
                case "link-entity":
                    links.append(self._linked(child, table))
        return Link(
            table,
            alias,
            tuple(attributes),
            element.find("all-attributes") is not None,
            tuple(filters),
            tuple(sorts),
            tuple(links),
            column,
            outer,
            is_outer=element.get("link-type") == "outer",
        )

    def _linked(self, element: ET.Element, outer: Table) -> Link:
        name = element.get("name", "")
        table = tables().get(name)
        if table is None:
            raise Refusal(
                400, UNKNOWN_TABLE, f"The entity with a name = '{name}' was not found in the MetadataCache."
            )
        if (join := element.get("link-type", "inner")) not in JOINS:
            raise bad_uri(f"The link-type '{join}' is not supported.")
        self._links += 1
        column = column_named(table, element.get("from", ""))
        outer_column = column_named(outer, element.get("to", ""))
        return self.link(element, table, element.get("alias") or f"{name}{self._links}", column, outer_column)

    def _attribute(self, element: ET.Element, table: Table) -> Attribute:
        column = column_named(table, element.get("name", ""))
        grouped = (element.get("dategrouping") or "value") if element.get("groupby") == "true" else ""
        method = element.get("aggregate", "")
        if self._is_aggregate and not (element.get("alias") and (grouped or method)):
            raise bad_uri("An attribute of an aggregate query needs an alias, and groupby or aggregate.")
        return Attribute(column, element.get("alias", ""), method, element.get("distinct") == "true", grouped)


def _sort(element: ET.Element, alias: str) -> Sort:
    name = element.get("alias") or element.get("attribute") or ""
    return Sort(element.get("entityname") or alias, name, element.get("descending") == "true")


def _group(element: ET.Element, depth: int = 1) -> Group:
    if depth > MAX_DEPTH:
        raise bad_uri("The recursion limit of the filter has been exceeded.")
    members: list[Test | Group] = []
    for child in element:
        if child.tag == "filter":
            members.append(_group(child, depth + 1))
        elif child.tag == "condition":
            members.append(_test(child))
    return Group(element.get("type") == "or", tuple(members))


def _test(element: ET.Element) -> Test:
    values = tuple(child.text or "" for child in element.findall("value"))
    if not values and "value" in element.attrib:
        values = (element.attrib["value"],)
    return Test(
        element.get("entityname", ""),
        element.get("attribute", ""),
        element.get("operator", ""),
        values,
        element.get("valueof", ""),
    )


def column_named(table: Table, name: str) -> Column:
    """The column of that logical name; raises `Refusal`."""
    if name not in table.columns:
        raise Refusal(
            400,
            UNKNOWN_COLUMN,
            f"'{table.name}' entity doesn't contain attribute with Name = '{name}' and NameMapping = 'Logical'.",
        )
    return table.columns[name]
