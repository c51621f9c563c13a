"""Finance as a connector: what each verb does stands in the module it is handed to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tagline.connectors.finance import checkup, queries, reader, roll
from tagline.connectors.finance.changes import read_changes
from tagline.connectors.finance.entities import ENTITIES, entity_of
from tagline.connectors.finance.events import EVENTS, read_event
from tagline.connectors.finance.metadata import schemas_of
from tagline.connectors.finance.session import Session
from tagline.connectors.finance.wire import ROOT
from tagline.connectors.finance.writes import outcome_of, part_of
from tagline.connectors.odata import writing
from tagline.domain.checkup import Check, Needs
from tagline.domain.exchange import (
    Change,
    Changes,
    Days,
    Fetched,
    Key,
    Listed,
    Matches,
    Outcome,
    Request,
    Row,
    Write,
)
from tagline.domain.model import Model
from tagline.domain.query import Query
from tagline.domain.schema import Basis, Schema
from tagline.errors import RecordError, UsageError


class FinanceClient:
    """One legal entity behind one connection; see `tagline.domain.exchange.Connector` for its verbs."""

    def __init__(self, session: Session, company: str) -> None:
        """
        Args:
            session: Closed with the client.
            company: Its legal entity.
        """
        self._name = session.name
        self._session = session
        # Finance writes companies in small letters, whatever people type.
        self._company = company.lower()
        self._schemas: Mapping[str, Schema] | None = None

    def close(self) -> None:
        """Let go of the network."""
        self._session.close()

    def fetch(self, model: type[Model], keys: Sequence[str]) -> Fetched:
        """Read whole rows by their id."""
        return reader.fetch(self._session, self._company, model, keys)

    def recent(self, model: type[Model], count: int) -> Sequence[str]:
        """List the rows with the greatest numbers or dates, at most 5000."""
        return reader.newest(self._session, self._company, model, count)

    def read(self, model: type[Model], keys: Sequence[Key], names: Sequence[str]) -> Mapping[Key, Row]:
        """Read rows by key, a hundred in one request."""
        return reader.read(self._session, self._company, model, keys, names)

    def children(
        self, model: type[Model], parent: str, parent_ids: Sequence[str], names: Sequence[str]
    ) -> Mapping[str, Sequence[Row]]:
        """Read the rows below each parent, a hundred parents in one request."""
        return reader.read_children(self._session, self._company, model, parent, parent_ids, names)

    def query(self, asked: Sequence[Query]) -> Sequence[Matches]:
        """Find rows by conditions, a hundred queries in one request."""
        return queries.ask(self._session, self._company, asked)

    def changes(self, model: type[Model], cursor: str | None) -> Changes:
        """Read what changed, by modified time, by date or by comparing; deletions are seen by comparing alone."""
        return read_changes(self._session, self._company, model, cursor)

    def keys(self, model: type[Model], days: Days, position: str | None) -> Listed:
        """List ids, a page at a time; days are those of UTC."""
        return roll.keys(self._session, self._company, model, days, position)

    def count(self, model: type[Model], days: Days) -> int | None:
        """Count the rows that `keys` lists."""
        return roll.count(self._session, self._company, model, days)

    def perform(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        """Make the writes in their order, up to a hundred in one request, each for itself."""
        return writing.perform(
            self._session,
            writes,
            lambda write: part_of(write, self._company),
            outcome_of,
            self._session.batch,
        )

    def hint(self, request: Request) -> Sequence[Change]:
        """
        The row a business event tells of; none where it is of another company.

        Raises:
            RecordError: It is no event that a flow can have (code `webhook-malformed`).
        """
        try:
            told = read_event(request.body, self._company)
        except ValueError as error:
            raise RecordError(
                f"a webhook body cannot be understood: {error}",
                code="webhook-malformed",
                where={"connection": self._name},
                hint="nothing to do; the sweep finds the row, if it was one",
            ) from None
        return [] if told is None else [told]

    def subscribe(self, events: Sequence[str], url: str) -> Sequence[str]:
        """
        Register nothing: business events are activated in Finance by an administrator; `tagline doctor` names the addresses.

        Raises:
            UsageError: There is no such event (code `event-unknown`).
        """
        unknown = [event for event in events if event not in EVENTS]
        if unknown:
            raise UsageError(
                f"Finance has no event {', '.join(unknown)}",
                code="event-unknown",
                where={"connection": self._name},
                hint=f"use one of {', '.join(EVENTS)}",
            )
        return []

    def unsubscribe(self, url: str, keep: Sequence[str] = ()) -> Sequence[str]:
        """Remove nothing, as nothing was registered."""
        return []

    def probe(self) -> str:
        """
        Read the legal entity.

        Raises:
            UsageError: There is none of that name that we may see (code `company-unknown`).
        """
        if not checkup.knows_company(self._session, self._company):
            raise UsageError(
                f"Finance has no legal entity {self._company} that the application may see",
                code="company-unknown",
                where={"connection": self._name},
                hint="correct the connection's company, or give the application's user access to it",
            )
        return f"{self._session.url} knows the legal entity {self._company}"

    def describe(self, model: type[Model]) -> Schema:
        """Read `$metadata`, once for all entities; no columns where the environment does not have the entity."""
        remote = entity_of(model).model.remote
        if self._schemas is None:
            self._schemas = self._read_schemas()
        return self._schemas.get(remote.collection, Schema(remote.entity, Basis.METADATA))

    def check_up(self, needs: Needs) -> Iterator[Check]:
        """Sign-in, legal entity and rights, one after the other; reads only."""
        return checkup.check_up(self._session, self._company, needs)

    def _read_schemas(self) -> Mapping[str, Schema]:
        doing = "reading its metadata"
        answer = self._session.send("GET", f"{ROOT}/$metadata", {"Accept": "application/xml"})
        self._session.judge(answer, doing)
        try:
            return schemas_of(answer.body, ENTITIES.values())
        except ValueError as error:
            self._session.malformed(f"{doing}: {error}")
