"""What passes between drivers and connectors: rows read, writes wanted, outcomes told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Protocol

from tagline.domain.checkup import Check, Needs
from tagline.domain.model import Model
from tagline.domain.query import Query
from tagline.domain.schema import Schema
from tagline.errors import Disposition

Key = tuple[tuple[str, Any], ...]
"""Columns and values that address a row, sorted by column; the primary id alone is one too."""


@dataclass(frozen=True)
class Row:
    """A row as it stood on the remote when it was read."""

    key: Key
    """The key it was asked by."""
    id: str
    etag: str | None
    values: Mapping[str, Any]
    """The asked columns: `Decimal` numbers, aware datetimes, `Ref` by primary id for lookups."""
    expanded: Mapping[str, Row] = field(default_factory=dict)
    """Of a query, by lookup column: the rows that were read along; absent where it points to none."""


@dataclass(frozen=True)
class Matches:
    """What a query found."""

    rows: Sequence[Row]
    """In the query's order; the key of each is its first alternate key where those columns are filled, else its primary id."""
    total: int | None = None
    """How many match, whatever the limit; None where that was not asked."""
    is_more_than_total: bool = False
    """The remote counts no further than `total`; there may be more."""


class WriteKind(StrEnum):
    CREATE = "create"
    """Only if absent."""
    UPDATE = "update"
    """Only if present, and unchanged since `etag` where the remote has one."""
    DELETE = "delete"
    ACT = "act"
    """A named state transition; `fields` are its parameters."""


@dataclass(frozen=True)
class Write:
    """One intended change of one remote row."""

    kind: WriteKind
    model: type[Model]
    key: Key
    fields: Mapping[str, Any] = field(default_factory=dict)
    id: str | None = None
    etag: str | None = None
    action: str = ""
    """Name of the transition, for `ACT`."""


@dataclass(frozen=True)
class Outcome:
    """What became of one write."""

    disposition: Disposition
    id: str | None = None
    etag: str | None = None
    code: str = ""
    """Cause in kebab-case where it is not done, for example `row-changed`, `row-exists`, `throttled`."""
    message: str = ""
    """For people; names columns and keys, never values of a record."""
    hint: str = ""
    retry_after_s: float | None = None
    result_id: str | None = None
    """Of the row that an action made, where it makes one."""


ROW_CHANGED = "row-changed"
"""The ETag did not match: somebody wrote in between; read again."""
ROW_EXISTS = "row-exists"
"""A create met an existing row: somebody was first; read again."""


@dataclass(frozen=True)
class Change:
    """A record that changed, as found by a sweep or told by a webhook."""

    model: type[Model]
    key: str
    """The record's own key as text, for example the OrderID."""
    version: str = ""
    """Changes when the record does, where the remote tells; else empty."""
    at: datetime | None = None
    is_gone: bool = False
    """The remote tells that the record was deleted, or can no longer be seen."""


@dataclass(frozen=True)
class Unread:
    """A row of a list that names no record, so that nobody can ask for it."""

    mark: str
    """The same each time that the row is found as it is."""
    field: str
    """The column that should hold the id; empty where the row is no record at all."""
    reason: str
    """What stands there, never the value."""


@dataclass(frozen=True)
class Changes:
    """One page of changes and where the next read starts."""

    items: Sequence[Change]
    cursor: str
    """Opaque to everyone but its connector; never goes backwards."""
    more: bool
    unread: Sequence[Unread] = ()
    """Rows of this page that name no record; the cursor goes past them."""


@dataclass(frozen=True)
class Days:
    """Days on which records were made, both included, as the source counts its days; None leaves an end open."""

    since: date | None = None
    until: date | None = None


@dataclass(frozen=True)
class Listed:
    """One page of the records that a source holds, and where the next page starts."""

    keys: Sequence[str]
    position: str
    """Opaque to everyone but its connector."""
    more: bool
    unread: int = 0
    """Rows of this page that the source did not hand out, so that their keys are not known."""


@dataclass(frozen=True)
class Request:
    """An HTTP request as received, before anything trusted it."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


@dataclass(frozen=True)
class Fetched:
    """Source records that were read: parsed ones, and keys whose body could not be understood."""

    records: Mapping[str, Model]
    malformed: Mapping[str, tuple[Mapping[str, str], ...]] = field(default_factory=dict)
    """Record key -> what was wrong: field and reason, never the value."""


class Connector(Protocol):
    """One remote system behind one connection. Errors are `TaglineError`, never the HTTP library's."""

    def fetch(self, model: type[Model], keys: Sequence[str]) -> Fetched:
        """Read whole source records by their own key; a missing one is absent from the answer."""
        ...

    def recent(self, model: type[Model], count: int) -> Sequence[str]:
        """Keys of the newest source records, oldest first, at most `count`."""
        ...

    def read(self, model: type[Model], keys: Sequence[Key], names: Sequence[str]) -> Mapping[Key, Row]:
        """Read the named columns of target rows by key, in the fewest requests; absent rows are absent."""
        ...

    def children(
        self, model: type[Model], parent: str, parent_ids: Sequence[str], names: Sequence[str]
    ) -> Mapping[str, Sequence[Row]]:
        """
        Read the rows of `model` whose lookup column `parent` is one of `parent_ids`, by parent id, in the fewest requests.

        A row's `key` is its first alternate key where those columns are filled, else its primary id.
        """
        ...

    def query(self, asked: Sequence[Query]) -> Sequence[Matches]:
        """
        Rows that meet conditions, for each query, in the fewest requests; references in them are by primary id.

        Raises:
            UsageError: The remote cannot answer such a query (code `query-not-answerable`).
            RecordError: It finds more rows than a query may (code `query-too-large`), or cannot be put into words.
        """
        ...

    def changes(self, model: type[Model], cursor: str | None) -> Changes:
        """Read what changed since the cursor; `None` starts now, without history."""
        ...

    def keys(self, model: type[Model], days: Days, position: str | None) -> Listed:
        """
        One page of the source records made on these days, oldest first as far as the source allows; `None` starts.

        A record may be told of twice, and none that stands there throughout is left out. Raises `UsageError`
        (`not-supported`) where records cannot be listed, or not by day.
        """
        ...

    def count(self, model: type[Model], days: Days) -> int | None:
        """How many records `keys` would tell of; None where the source does not say. Raises as `keys` does."""
        ...

    def perform(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        """Make the writes, in order and in the fewest requests; one outcome each, in the same order."""
        ...

    def hint(self, request: Request) -> Sequence[Change]:
        """Authenticate nothing, parse a webhook body into what changed; raises `RecordError` when malformed."""
        ...

    def subscribe(self, events: Sequence[str], url: str) -> Sequence[str]:
        """
        Register a webhook per event at `url` unless it is registered already; returns what was added, for people.

        Raises:
            RefusedError: One is missing, and this machine may not register it (code `webhook-not-registered`).
        """
        ...

    def unsubscribe(self, url: str, keep: Sequence[str] = ()) -> Sequence[str]:
        """
        Remove the webhooks that `subscribe` registered beneath `url`; returns what was removed, for people.

        Args:
            keep: Events whose webhook with today's token stays.
        """
        ...

    def probe(self) -> str:
        """One cheap read that proves address, credentials and rights; returns a sentence for people."""
        ...

    def describe(self, model: type[Model]) -> Schema:
        """The table as the remote itself describes it, for drift; by samples where it publishes no schema."""
        ...

    def check_up(self, needs: Needs) -> Iterator[Check]:
        """Whether the remote is ready for what is needed of it, for `tagline doctor`; reads only."""
        ...

    def close(self) -> None:
        """Let go of the network; nothing is asked of it afterwards."""
        ...
