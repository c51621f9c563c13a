"""Addresses of rows: an entity set with a primary id or an alternate key, and what follows it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from tagline.sandbox.dataverse_errors import bad_uri, no_reference, no_row, no_row_by_key, no_segment
from tagline.sandbox.dataverse_literals import GUID, Tokens
from tagline.sandbox.dataverse_quirks import quirks
from tagline.sandbox.dataverse_rows import Row, Rows
from tagline.sandbox.dataverse_schema import Table, entity_sets

_SEGMENT = re.compile(r"(?P<set>\w+)(?P<key>\((?:[^')]|'(?:[^']|'')*')*\))?(?:/(?P<rest>.*))?", re.DOTALL)

_REFERENCE = re.compile(r"\$(\d+)")


@dataclass(frozen=True)
class Address:
    """A parsed address below the service root."""

    table: Table
    id: str | None = None
    key: tuple[tuple[str, Any], ...] = ()
    """Alternate key in the order of its declaration."""
    key_text: str = ""
    """The parenthesis as written, for `OData-EntityId`."""
    rest: str = ""

    @property
    def is_row(self) -> bool:
        return self.id is not None or bool(self.key)


def parse_address(path: str) -> Address:
    """
    Read a percent-encoded path below the service root.

    Raises:
        Refusal: No such entity set, or the key cannot be read or is not declared.
    """
    match = _SEGMENT.fullmatch(unquote(path))
    if reference := _REFERENCE.match(path):
        raise no_reference(reference[1])
    if match is None:
        raise bad_uri(f"The address '{path}' cannot be read.")
    table = entity_sets().get(match["set"])
    if table is None:
        raise no_segment(match["set"])
    rest = match["rest"] or ""
    if match["key"] is None:
        return Address(table, rest=rest)
    return parse_key(table, match["key"], rest)


def parse_key(table: Table, key_text: str, rest: str = "") -> Address:
    """
    Read the parenthesis that addresses a row of the table.

    Raises:
        Refusal: The key cannot be read or is not declared.
    """
    inside = key_text[1:-1].strip()
    if GUID.fullmatch(inside):
        return Address(table, id=inside.lower(), key_text=key_text, rest=rest)
    return _by_key(table, inside, key_text, rest)


def _by_key(table: Table, inside: str, key_text: str, rest: str) -> Address:
    tokens = Tokens(inside)
    given: dict[str, Any] = {}
    while True:
        name = tokens.take_name()
        tokens.take("=")
        column = table.by_wire.get(name)
        if column is None:
            raise bad_uri(f"The key in request URI is not valid for resource '{table.entity_set}': '{name}'.")
        value = tokens.take_literal()
        if isinstance(value, str) and not quirks().unsafe_key_characters.isdisjoint(value):
            raise bad_uri("A potentially dangerous Request.Path value was detected from the client.")
        given[column.name] = value
        if tokens.peek() != ",":
            break
        tokens.take(",")
    if tokens.peek():
        raise bad_uri(f"Bad Request - Error in query syntax near '{tokens.peek()}'.")
    if given.keys() == {table.primary_id}:
        return Address(table, id=str(given[table.primary_id]).lower(), key_text=key_text, rest=rest)
    for columns in table.keys.values():
        if set(columns) == given.keys():
            return Address(table, key=tuple((c, given[c]) for c in columns), key_text=key_text, rest=rest)
    raise bad_uri(f"The specified key properties are not an alternate key of '{table.name}'.")


def find_id(rows: Rows, address: Address) -> str | None:
    """The id of the addressed row, None when there is none."""
    if address.id is not None:
        return address.id if rows.get(address.table, address.id) is not None else None
    columns = tuple(name for name, _ in address.key)
    return rows.by_key(address.table, columns, [value for _, value in address.key])


def find_row(rows: Rows, address: Address) -> tuple[str, Row]:
    """
    The addressed row with its id.

    Raises:
        Refusal: There is none: 0x80040217 by id, 0x80060891 by alternate key.
    """
    row_id = find_id(rows, address)
    row = None if row_id is None else rows.get(address.table, row_id)
    if row_id is None or row is None:
        raise missing(address)
    return row_id, row


def missing(address: Address) -> Exception:
    """What the addressed row's absence is answered with."""
    return no_row(address.table, address.id) if address.id is not None else no_row_by_key(address.table)
