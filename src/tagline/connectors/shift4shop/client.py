"""The shop as a connector: the five verbs, said once over what `resources.py` declares for each model."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tagline.clock import Clock
from tagline.connectors.governor import Governor
from tagline.connectors.hooks import address_of, webhook_token, webhook_tokens
from tagline.connectors.http import Http, Policy, Transport
from tagline.connectors.messages import Limits
from tagline.connectors.shift4shop import changes, checkup, queries, reading, roll, schema, webhooks, writing
from tagline.connectors.shift4shop.listing import ORDERS, find_newest
from tagline.connectors.shift4shop.paging import all_rows
from tagline.connectors.shift4shop.resources import Noticing, Resource, not_supported, resource_of
from tagline.connectors.shift4shop.store import Store
from tagline.connectors.shift4shop.wire import Wire, sign_in_headers
from tagline.domain.checkup import Check, Needs
from tagline.domain.environment import Shift4ShopConnection
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
from tagline.domain.schema import Schema
from tagline.errors import UsageError

log = logging.getLogger("tagline.shift4shop")


class Shift4ShopClient:
    """
    One store behind one connection; see `tagline.domain.exchange.Connector` for its verbs.

    The key of what belongs to an order or a product as text is its owner's and its own: `1042/0`. The shop has no
    conditional write and no ETag.
    """

    def __init__(
        self,
        name: str,
        config: Shift4ShopConnection,
        *,
        clock: Clock,
        secrets: Callable[[str], str],
        governor: Governor,
        transport: Transport | None = None,
        read_only: bool = False,
        limits: Limits | None = None,
    ) -> None:
        self._name = name
        self._config = config
        self._clock = clock
        self._secrets = secrets
        zone = _zone(name, config.time_zone)
        keys = sign_in_headers(config, secrets)
        policy = Policy(
            (config.url,), governor, read_only=read_only, ca_file=config.ca_file, limits=limits or Limits()
        )
        self._wire = Wire(name, config.url, keys, Http(policy, clock, transport), clock)
        self._store = Store(name, self._wire, zone, config.currency)

    def close(self) -> None:
        """Let go of the network."""
        self._wire.close()

    def fetch(self, model: type[Model], keys: Sequence[str]) -> Fetched:
        """
        Read whole records by key: several from the list where that takes fewer requests, others one by one.

        A record that the shop twice fails to hand out (500) counts as malformed when others were read. Any other
        failure fails the call, as does a shop that hands out none.
        """
        return reading.fetch(self._store, self._resource(model, "reading"), keys)

    def recent(self, model: type[Model], count: int) -> Sequence[str]:
        """The newest records, by id; of orders those of whatever status. Rows without an id are left out, which is logged."""
        resource = self._resource(model, "listing")
        if resource.owner:
            raise not_supported(self._name, f"listing {resource.name} without the record they belong to")
        if resource.noticing is not Noticing.BY_COMPARING:
            found, unnamed = find_newest(self._wire, resource, count)
        else:
            rows = all_rows(self._store, resource, resource.path)
            keys = [str(address) for address, _ in rows if address is not None]
            found, unnamed = keys[-count:] if count > 0 else [], len(rows) - len(keys)
        if unnamed:
            log.warning("%s: %d rows of %s name no record", self._name, unnamed, resource.name)
        return found

    def read(self, model: type[Model], keys: Sequence[Key], names: Sequence[str]) -> Mapping[Key, Row]:
        """Read fields of records as targets, as `fetch` does, or by an alternate key that the list can be filtered by."""
        return reading.read(self._store, self._resource(model, "reading"), keys, names)

    def children(
        self, model: type[Model], parent: str, parent_ids: Sequence[str], names: Sequence[str]
    ) -> Mapping[str, Sequence[Row]]:
        """What belongs to orders and products, and what is listed beneath another record; one list for each parent."""
        resource = self._resource(model, "reading")
        path = resource.path if parent == resource.owner else resource.beneath.get(parent)
        if not path:
            raise not_supported(self._name, f"reading {resource.name} by {parent}")
        return {
            each: reading.children(self._store, resource, path, each, names)
            for each in dict.fromkeys(parent_ids)
        }

    def query(self, asked: Sequence[Query]) -> Sequence[Matches]:
        """Find records by conditions that the shop's lists can be filtered by; one list for each value, each read whole."""
        return [
            queries.answer(self._store, self._resource(query.model, "querying"), query) for query in asked
        ]

    def changes(self, model: type[Model], cursor: str | None) -> Changes:
        """
        Read one page of what changed since the cursor, in the way that the model's resource allows.

        A record whose answer breaks the bounds of JSON is told of by its id where that shows, so that reading it makes it
        malformed. One that the shop does not hand out at all (500) has no id: the cursor is held for a day at most, so
        that later rounds ask for it again, and then passes it over, which is logged.
        """
        return changes.changes(self._store, self._resource(model, "sweeping"), self._clock.now(), cursor)

    def keys(self, model: type[Model], days: Days, position: str | None) -> Listed:
        """A page of a list by id, oldest first; orders and returns also by the store's own days."""
        return roll.keys(self._store, self._resource(model, "listing"), days, position)

    def count(self, model: type[Model], days: Days) -> int | None:
        """How many rows that list has."""
        return roll.count(self._store, self._resource(model, "counting"), days)

    def perform(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        """Make the writes, up to a hundred in one request; what the shop has no way for becomes a dead letter."""
        return writing.perform(self._store, writes)

    def hint(self, request: Request) -> Sequence[Change]:
        """
        The record a webhook tells of.

        Raises:
            RecordError: The body is no single record (code `webhook-malformed`).
        """
        return [webhooks.to_change(request, self._name)]

    def subscribe(self, events: Sequence[str], url: str) -> Sequence[str]:
        """Register one webhook per event, at `<url>/<event>/<webhook token>`, where it is not there yet; all or none."""
        token = webhook_token(self._name, self._config.webhook_token, self._secrets)
        return webhooks.subscribe(self._wire, events, url, token, self._name)

    def unsubscribe(self, url: str, keep: Sequence[str] = ()) -> Sequence[str]:
        """Remove the webhooks beneath `url`, but for those of `keep`; tells their addresses from there on, without the token."""
        tokens = webhook_tokens(self._name, self._config.webhook_token, self._secrets) if keep else ()
        kept = {address_of(url, event, token) for event in keep for token in tokens}
        return webhooks.unsubscribe(self._wire, url, kept)

    def probe(self) -> str:
        """Count the orders."""
        count = self._wire.count(ORDERS.path, ORDERS.name)
        return f"the shop {self._config.store_url} answers and holds {count} orders"

    def describe(self, model: type[Model]) -> Schema:
        """The columns of some rows: of orders the newest, of other lists the first; what stands in a record is told from it."""
        resource = self._resource(model, "describing")
        if resource.stands_in is None:
            return schema.schema_of(model.remote.entity, self._samples(resource))
        holder, name = resource.stands_in
        holders = self._samples(self._resource(holder, "describing"))
        lists = [each.get(name) for each in holders if isinstance(each, Mapping)]
        rows = [row for each in lists if isinstance(each, list) for row in each]
        return schema.schema_of(model.remote.entity, rows)

    def _samples(self, resource: Resource) -> Sequence[Any]:
        offset = 1
        if resource.newest_last:
            offset = max(1, self._wire.count(resource.path, resource.name) - schema.SAMPLES + 1)
        return self._wire.rows(
            resource.path, f"sampling {resource.name}", offset=offset, limit=schema.SAMPLES
        )

    def check_up(self, needs: Needs) -> Iterator[Check]:
        """The app's scopes, the store's zone and currency, and the registered webhooks."""
        return checkup.check_up(
            self._name,
            self._wire,
            self._config,
            needs,
            webhook_token(self._name, self._config.webhook_token, self._secrets),
        )

    def _resource(self, model: type[Model], doing: str) -> Resource:
        return resource_of(model, self._name, doing)


def _zone(connection: str, name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UsageError(
            f"{name} is no time zone",
            code="time-zone-unknown",
            where={"connection": connection},
            hint="write the IANA name of the store's zone, for example America/New_York",
        ) from None
