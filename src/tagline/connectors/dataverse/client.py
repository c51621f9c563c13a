"""Dataverse as a connector: what each verb does stands in the module it is handed to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from tagline.clock import Clock
from tagline.connectors.dataverse import bulk, checkup, reader
from tagline.connectors.dataverse.changes import read_changes
from tagline.connectors.dataverse.context import read_context
from tagline.connectors.dataverse.events import DELETE, EVENTS
from tagline.connectors.dataverse.keys import ensure_keys
from tagline.connectors.dataverse.opening import open_session
from tagline.connectors.dataverse.schema import questions, schema_of
from tagline.connectors.dataverse.webhooks import register, remove_below
from tagline.connectors.dataverse.wire import ROOT
from tagline.connectors.dataverse.writer import Writer
from tagline.connectors.entra import Tokens
from tagline.connectors.governor import Governor
from tagline.connectors.http import Transport
from tagline.connectors.messages import Limits
from tagline.domain.checkup import Check, Needs
from tagline.domain.environment import DataverseConnection
from tagline.domain.exchange import Change, Changes, Fetched, Key, Outcome, Request, Row, Write
from tagline.domain.model import Model
from tagline.domain.schema import Basis, Schema
from tagline.errors import RecordError, UsageError


class DataverseClient:
    """One organisation behind one connection; see `tagline.domain.exchange.Connector` for its verbs."""

    def __init__(
        self,
        name: str,
        config: DataverseConnection,
        *,
        clock: Clock,
        secrets: Callable[[str], str],
        governor: Governor,
        tokens: Tokens | None = None,
        new_id: Callable[[], str],
        transport: Transport | None = None,
        read_only: bool = False,
        limits: Limits | None = None,
    ) -> None:
        self._name = name
        self._config = config
        self._secrets = secrets
        self._session = open_session(
            name,
            config,
            clock=clock,
            secrets=secrets,
            governor=governor,
            tokens=tokens,
            new_id=new_id,
            transport=transport,
            read_only=read_only,
            limits=limits,
        )
        self._writer = Writer(self._session)

    def close(self) -> None:
        """Let go of the network."""
        self._session.close()

    def fetch(self, model: type[Model], keys: Sequence[str]) -> Fetched:
        """Read whole rows by their primary id."""
        return reader.fetch(self._session, model, keys)

    def recent(self, model: type[Model], count: int) -> Sequence[str]:
        """List the rows created last, at most 5000."""
        return reader.newest(self._session, model, count)

    def read(self, model: type[Model], keys: Sequence[Key], names: Sequence[str]) -> Mapping[Key, Row]:
        """Read rows by key, a hundred in one request."""
        return reader.read(self._session, model, keys, names)

    def children(
        self, model: type[Model], parent: str, parent_ids: Sequence[str], names: Sequence[str]
    ) -> Mapping[str, Sequence[Row]]:
        """Read the rows below each parent, a hundred parents in one request."""
        return reader.read_children(self._session, model, parent, parent_ids, names)

    def changes(self, model: type[Model], cursor: str | None) -> Changes:
        """Read one page of what changed, deletions included where the table tracks them."""
        return read_changes(self._session, model, cursor)

    def perform(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        """Make the writes in their order, up to a hundred in one request, each for itself."""
        return self._writer.perform(writes)

    def load(self, rows: Sequence[Model]) -> Sequence[Outcome]:
        """Create or change rows of one model by bulk messages, without images: for first loads alone, see `bulk`."""
        return bulk.load(self._session, rows)

    def ensure_keys(self, model: type[Model]) -> Sequence[str]:
        """Make the model's alternate keys and wait until they are active; returns the names of those made."""
        return ensure_keys(self._session, model)

    def hint(self, request: Request) -> Sequence[Change]:
        """
        The row a webhook tells of; the rest of the body is not believed.

        Raises:
            RecordError: The body is no execution context, or of a table that has no event (code `webhook-malformed`).
        """
        try:
            told = read_context(request.body, request.headers)
        except ValueError as error:
            raise self._webhook_malformed(str(error)) from None
        models = {event.model.remote.entity: event.model for event in EVENTS.values()}
        if told.entity not in models:
            raise self._webhook_malformed("it is about a table that has no event")
        return [Change(models[told.entity], told.row_id, at=told.at, is_gone=told.message == DELETE)]

    def subscribe(self, events: Sequence[str], url: str) -> Sequence[str]:
        """
        Register one endpoint and step per event, posting to `<url>/<event>/<webhook token>`.

        A delivery is not signed, so that its address carries the token.
        """
        unknown = [event for event in events if event not in EVENTS]
        if unknown:
            raise UsageError(
                f"Dataverse has no event {', '.join(unknown)}",
                code="event-unknown",
                where={"connection": self._name},
                hint=f"use one of {', '.join(EVENTS)}",
            )
        if not events:
            return []
        if self._config.webhook_token is None:
            raise UsageError(
                f"the connection {self._name} has events and no webhook_token",
                code="webhook-token-missing",
                where={"connection": self._name},
                hint="give the connection a webhook_token, a reference to 16 or more letters and digits",
            )
        token = self._secrets(self._config.webhook_token)
        addresses = {event: f"{url.rstrip('/')}/{event}/{token}" for event in events}
        return register(self._session, addresses, token)

    def unsubscribe(self, url: str) -> Sequence[str]:
        """Remove the endpoints below `url` and their steps."""
        return remove_below(self._session, url)

    def probe(self) -> str:
        """Ask who we are."""
        told = self._session.get(f"{ROOT}/WhoAmI", "asking who we are")
        return f"{self._session.url} knows us as user {told.get('UserId', 'without id')}"

    def describe(self, model: type[Model]) -> Schema:
        """Read the table's definition and the options of its choices, in one request; no columns where it is not there."""
        entity = model.remote.entity
        doing = f"reading the schema of {entity}"
        answers = self._session.batch(questions(entity))
        if answers[0].status == 404:
            return Schema(entity, Basis.METADATA)
        for answer in answers:
            self._session.judge(answer, doing)
        return schema_of(entity, [self._session.object_of(answer.json(), doing) for answer in answers])

    def check_up(self, needs: Needs) -> Iterator[Check]:
        """Sign-in, rights, solution and webhooks, one after the other; reads only."""
        reference = self._config.webhook_token
        return checkup.check_up(self._session, needs, self._secrets(reference) if reference else "")

    def _webhook_malformed(self, reason: str) -> RecordError:
        return RecordError(
            f"a webhook body cannot be understood: {reason}",
            code="webhook-malformed",
            where={"connection": self._name},
            hint="nothing to do; the sweep finds the row, if it was one",
        )
