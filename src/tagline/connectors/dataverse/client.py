"""Dataverse as a connector: what each verb does stands in the module it is handed to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing

from tagline.connectors.dataverse import checkup, queries, reader, roll, webhooks
from tagline.connectors.dataverse.bulk import Bulk
from tagline.connectors.dataverse.changes import read_changes
from tagline.connectors.dataverse.context import read_context
from tagline.connectors.dataverse.events import DELETE, EVENTS
from tagline.connectors.dataverse.keys import ensure_keys
from tagline.connectors.dataverse.schema import questions, schema_of
from tagline.connectors.dataverse.session import Session
from tagline.connectors.dataverse.wire import ROOT
from tagline.connectors.dataverse.writer import Writer
from tagline.connectors.entra import proof_of
from tagline.connectors.hooks import address_of, name_of, webhook_token, webhook_tokens
from tagline.connectors.pace import Lane
from tagline.connectors.secrets import absence_of
from tagline.domain.checkup import Check, Needs
from tagline.domain.environment import DataverseConnection
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
from tagline.errors import NotAuthorisedError, RecordError, RefusedError, UsageError


class DataverseClient:
    """One organisation behind one connection; see `tagline.domain.exchange.Connector` for its verbs."""

    def __init__(
        self, config: DataverseConnection, opened: Callable[..., Session], *, secrets: Callable[[str], str]
    ) -> None:
        """
        Args:
            opened: A session, as the identity that it is given as `identity` or else as the one that runs flows; closed with the client.
        """
        self._config = config
        self._secrets = secrets
        self._open = opened
        self._session = opened()
        self._name = self._session.name
        in_bulk = config.first_load == "bulk" and self._session.lane is Lane.BACK_FILL
        self._writer = Writer(self._session, Bulk(self._session) if in_bulk else None)

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

    def query(self, asked: Sequence[Query]) -> Sequence[Matches]:
        """Find rows by conditions, a hundred queries in one request."""
        return queries.ask(self._session, asked)

    def changes(self, model: type[Model], cursor: str | None) -> Changes:
        """Read one page of what changed, deletions included where the table tracks them."""
        return read_changes(self._session, model, cursor)

    def keys(self, model: type[Model], days: Days, position: str | None) -> Listed:
        """List ids, a page at a time; days are those of UTC."""
        return roll.keys(self._session, model, days, position)

    def count(self, model: type[Model], days: Days) -> int | None:
        """Count the rows that `keys` lists; None from 5000 on, as far as `$count` goes."""
        return roll.count(self._session, model, days)

    def perform(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        """Make the writes in their order, up to a hundred in one request, each for itself."""
        return self._writer.perform(writes)

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
        Register one endpoint and step per event, as the application that sets the organisation up.

        The one that runs flows may not register any. Where the other's secret is not on this machine, or it is refused, this
        only looks whether they are there.

        Raises:
            UsageError: There is no such event (code `event-unknown`), or no token for its address (`webhook-token-missing`).
            RefusedError: One is missing and cannot be registered from here (code `webhook-not-registered`).
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
        token = self._token()
        reason = self._no_deploying()
        if not reason:
            try:
                with closing(self._open(identity=self._config.deploy)) as session:
                    return webhooks.register(session, events, url, token)
            except (NotAuthorisedError, RecordError) as error:
                reason = f"the deploy application was refused: {error.message}"
        try:
            standing = webhooks.standing_below(self._session, url, token)
        except (NotAuthorisedError, RecordError):
            standing = frozenset()
            reason += "; the running application may not even look"
        missing = [event for event in events if event not in standing]
        if missing:
            raise RefusedError(
                f"webhooks for {', '.join(missing)} are not registered, and not from here: {reason}",
                code="webhook-not-registered",
                where={"connection": self._name},
                hint="run `tagline solution import INTEGRATION --env NAME` where the deploy application's secret is",
            )
        return []

    def unsubscribe(self, url: str, keep: Sequence[str] = ()) -> Sequence[str]:
        """Remove the endpoints below `url` and their steps, but for those of `keep` with a token that is live."""
        reference = self._config.webhook_token
        tokens = webhook_tokens(self._name, reference, self._secrets) if keep and reference else ()
        kept = {address_of(url, event, name_of(token)) for event in keep for token in tokens}
        stale = webhooks.stale_below(self._session, url, kept)
        if not stale:
            return []
        if self._no_deploying():
            return webhooks.remove(self._session, stale, url)
        with closing(self._open(identity=self._config.deploy)) as session:
            return webhooks.remove(session, stale, url)

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
        token = webhook_token(self._name, reference, self._secrets) if reference else ""
        return checkup.check_up(self._session, needs, token)

    def _no_deploying(self) -> str:
        """Why the application that sets the organisation up cannot sign in from here; empty where it can."""
        deploy = self._config.deploy
        if deploy is None:
            return f"the connection {self._name} names no deploy application"
        if absence_of(proof_of(deploy), self._secrets) is not None:
            return "the deploy application's secret is not on this machine"
        return ""

    def _token(self) -> str:
        if self._config.webhook_token is None:
            raise UsageError(
                f"the connection {self._name} has events and no webhook_token",
                code="webhook-token-missing",
                where={"connection": self._name},
                hint="give the connection a webhook_token, a reference to 16 or more letters and digits",
            )
        return webhook_token(self._name, self._config.webhook_token, self._secrets)

    def _webhook_malformed(self, reason: str) -> RecordError:
        return RecordError(
            f"a webhook body cannot be understood: {reason}",
            code="webhook-malformed",
            where={"connection": self._name},
            hint="nothing to do; the sweep finds the row, if it was one",
        )
