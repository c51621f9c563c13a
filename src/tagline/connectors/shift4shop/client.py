"""The shop as a connector: orders read whole, swept by day, written back field by field, and announced by webhooks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from functools import partial
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tagline.clock import Clock
from tagline.connectors import json_values
from tagline.connectors.dispositions import SHIFT4SHOP
from tagline.connectors.governor import Governor, LeakyBucket, Pace
from tagline.connectors.http import Http, Policy, Transport
from tagline.connectors.messages import Limits
from tagline.connectors.shift4shop.listing import OWN_TROUBLE, find_listed, find_newest
from tagline.connectors.shift4shop.models import Order
from tagline.connectors.shift4shop.parse import MalformedError, order_id, to_order
from tagline.connectors.shift4shop.results import Result, results_of
from tagline.connectors.shift4shop.salvage import name_of, read_stretch
from tagline.connectors.shift4shop.sweep import SweepCursor, to_change
from tagline.connectors.shift4shop.updates import body_of, chunks_of, number_of, refusal_of
from tagline.connectors.shift4shop.webhooks import EVENT_TYPES, register
from tagline.connectors.shift4shop.wire import Wire
from tagline.domain.environment import Shift4ShopConnection
from tagline.domain.exchange import Change, Changes, Fetched, Key, Outcome, Request, Row, Write
from tagline.domain.model import Model
from tagline.errors import Disposition, RecordError, TaglineError, TryAgainError, UsageError

BUCKET: Final = 50
LEAK_PER_S: Final = 2.0
MAX_HINT_BYTES: Final = 1 << 20


class Shift4ShopClient:
    """
    One store behind one connection; see `tagline.domain.exchange.Connector` for its verbs.

    Only orders yet: read, swept, hinted at and updated. The shop has no conditional write and no ETag.
    """

    def __init__(
        self,
        name: str,
        config: Shift4ShopConnection,
        *,
        clock: Clock,
        secrets: Callable[[str], str],
        transport: Transport | None = None,
        read_only: bool = False,
        limits: Limits | None = None,
    ) -> None:
        self._name = name
        self._config = config
        self._clock = clock
        self._secrets = secrets
        self._zone = _zone(name, config.time_zone)
        keys = {
            "secureurl": config.store_url,
            "privatekey": secrets(config.private_key),
            "token": secrets(config.token),
        }
        bucket = LeakyBucket(BUCKET - config.reserve, LEAK_PER_S)
        governor = Governor(clock, Pace(bucket), max_in_flight=8)
        policy = Policy(
            (config.url,), governor, read_only=read_only, ca_file=config.ca_file, limits=limits or Limits()
        )
        self._wire = Wire(name, config.url, keys, Http(policy, clock, transport), clock)

    def close(self) -> None:
        """Let go of the network."""
        self._wire.close()

    def fetch(self, model: type[Model], keys: Sequence[str]) -> Fetched:
        """
        Read whole orders: more than two from the last pages of the shop's list, older ones and fewer one by one.

        An order that the shop twice fails to hand out (500) counts as malformed when others were read. Any other
        failure fails the call, as does a shop that hands out none.
        """
        self._need_order(model)
        records: dict[str, Model] = {}
        malformed: dict[str, tuple[Mapping[str, str], ...]] = {}
        failed = _sort(self._orders(keys), records, malformed)
        if failed and not records:
            raise next(iter(failed.values()))
        failed = _sort(self._orders(failed, listed={}), records, malformed)
        malformed.update({key: ({"field": "", "reason": e.message},) for key, e in failed.items()})
        return Fetched(records, malformed)

    def recent(self, model: type[Model], count: int) -> Sequence[str]:
        """Count the orders, then list the newest, of whatever status."""
        self._need_order(model)
        return find_newest(self._wire, count)

    def read(self, model: type[Model], keys: Sequence[Key], names: Sequence[str]) -> Mapping[Key, Row]:
        """Read fields of orders as targets, as `fetch` does; only the named fields need to be well-formed."""
        self._need_order(model)
        asked = {key: str(dict(key).get("OrderID", "")) for key in keys}
        orders: dict[str, Order] = {}
        for record, told in self._orders(asked.values(), names):
            if isinstance(told, MalformedError):
                raise RecordError(
                    f"order {record} of the shop cannot be understood",
                    code="source-malformed",
                    where={"connection": self._name, "record": record},
                    hint="correct the order in the shop, then redrive",
                    details=told.faults,
                )
            if isinstance(told, TaglineError):
                raise told
            if told is not None:
                orders[record] = told
        return {
            key: Row(key, str(order.OrderID), None, {n: getattr(order, n) for n in names})
            for key, record in asked.items()
            if (order := orders.get(record)) is not None
        }

    def children(
        self, model: type[Model], parent: str, parent_ids: Sequence[str], names: Sequence[str]
    ) -> Mapping[str, Sequence[Row]]:
        """Refused: what belongs to an order travels inside it."""
        raise self._not_supported(f"reading {model.__name__} by its parent")

    def changes(self, model: type[Model], cursor: str | None) -> Changes:
        """
        Read one page of the orders changed since the cursor's day.

        The shop filters by day, so that each round reads its day again from the start; whoever asks remembers what it
        has seen. The cursor moves to another day only at the end of a round, and stays an hour behind the clock, so
        that neither a change during paging nor a shop clock a little behind ours is lost. The filter and the order of
        rows (by OrderID) let rows join a round but not leave it: a page may repeat a row, never skip one.

        An order that breaks its page is told of by its number all the same, so that reading it makes it malformed.
        """
        self._need_order(model)
        today = (self._clock.now() - timedelta(hours=1)).astimezone(self._zone).date()
        if cursor is None:
            return Changes((), SweepCursor(today, today).text(), more=False)
        at = SweepCursor.of(cursor, today)
        read = read_stretch(partial(self._changed, at.day), at.offset)
        items = tuple(change for row in read.rows if (change := to_change(row, self._zone)))
        if read.is_last:
            return Changes(items, at.ended().text(), more=False)
        return Changes(items, at.after(read.length).text(), more=True)

    def perform(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        """Update orders, up to a hundred in one PUT; other kinds of writes become dead letters."""
        outcomes: dict[int, Outcome] = {}
        updates: list[int] = []
        for place, write in enumerate(writes):
            refused = refusal_of(write)
            if refused is None:
                updates.append(place)
            else:
                outcomes[place] = refused
        for chunk in chunks_of(updates, writes):
            told = self._put([writes[place] for place in chunk])
            outcomes.update(zip(chunk, told, strict=True))
        return [outcomes[place] for place in range(len(writes))]

    def hint(self, request: Request) -> Sequence[Change]:
        """
        The order a webhook tells of; its version is left out, since a delivery may be late.

        Raises:
            RecordError: The body is no single order (code `webhook-malformed`).
        """
        if len(request.body) > MAX_HINT_BYTES:
            raise self._webhook_malformed(f"it is larger than {MAX_HINT_BYTES} bytes")
        try:
            body = json_values.parse(request.body)
        except ValueError as error:
            raise self._webhook_malformed(str(error)) from None
        if isinstance(body, list) and len(body) == 1:
            body = body[0]
        if not isinstance(body, Mapping):
            raise self._webhook_malformed("it is neither one order nor a list of exactly one")
        key = order_id(body.get("OrderID"))
        if key is None:
            raise self._webhook_malformed("OrderID is missing or no positive whole number")
        return [Change(Order, key)]

    def subscribe(self, events: Sequence[str], url: str) -> Sequence[str]:
        """
        Register one webhook per event, at `<url>/<event>/<webhook token>`, where an enabled one is not there yet.

        The shop signs nothing and names no event in its body, so that the address carries both. Where one is refused, those
        just added are taken away again.
        """
        unknown = [e for e in events if e not in EVENT_TYPES]
        if unknown:
            raise UsageError(
                f"the shop has no event {', '.join(unknown)}",
                code="event-unknown",
                where={"connection": self._name},
                hint=f"use one of {', '.join(EVENT_TYPES)}",
            )
        token = self._secrets(self._config.webhook_token)
        addresses = {event: f"{url.rstrip('/')}/{event}/{token}" for event in events}
        return register(self._wire, addresses, {"connection": self._name})

    def probe(self) -> str:
        """Count the orders."""
        count = self._wire.count_orders()
        return f"the shop {self._config.store_url} answers and holds {count} orders"

    def describe(self, model: type[Model]) -> Mapping[str, Any]:
        """Nothing: the shop publishes no schema."""
        return {}

    def _changed(self, day: date, offset: int, limit: int) -> list[Any]:
        return self._wire.rows(
            "/Orders",
            "reading changed orders",
            offset=offset,
            limit=limit,
            query={"lastupdatestart": f"{day:%m/%d/%Y}"},
            otherwise=name_of if limit == 1 else lambda _: None,
        )

    def _orders(
        self,
        keys: Iterable[str],
        only: Sequence[str] | None = None,
        *,
        listed: Mapping[str, Any] | None = None,
    ) -> Iterator[tuple[str, Told]]:
        """What became of each key; trouble that cannot be one order's is raised."""
        numbers = {key: order_id(key) for key in keys}
        if listed is None:
            listed = find_listed(self._wire, {number for number in numbers.values() if number})
        for key, number in numbers.items():
            try:
                yield key, self._order(number, listed, only)
            except MalformedError as error:
                yield key, error
            except TaglineError as error:
                if error.code not in OWN_TROUBLE:
                    raise
                yield key, error

    def _order(
        self, number: str | None, listed: Mapping[str, Any], only: Sequence[str] | None
    ) -> Order | None:
        if number is None:
            raise MalformedError({"field": "OrderID", "reason": "it is no positive whole number"})
        body = listed[number] if number in listed else self._body(number)
        if body is None:
            return None
        order = to_order(body, self._zone, self._config.currency, only)
        if str(order.OrderID) != number:
            raise MalformedError({"field": "OrderID", "reason": "the shop answered with another order"})
        return order

    def _body(self, number: str) -> Any:
        """One order as the shop sends it, None where there is none."""
        answer = self._wire.send("GET", f"/Orders/{number}")
        if answer.status == 404:
            return None
        where = {"connection": self._name, "record": number}
        meaning = SHIFT4SHOP.judge(answer.status)
        if meaning.disposition is Disposition.DEAD_LETTER:
            raise MalformedError({"field": "", "reason": f"the shop answered {answer.status} to its reading"})
        self._wire.need_done(answer, f"reading order {number}", where)
        try:
            body = answer.json(where)
        except TryAgainError as error:
            if name_of(answer) is None:
                raise
            raise MalformedError({"field": "", "reason": error.message}) from None
        if isinstance(body, list):
            return body[0] if body else None
        return body

    def _put(self, writes: Sequence[Write]) -> list[Outcome]:
        """Send updates of different orders in one request, or one by one when the shop refuses them as a whole."""
        bodies = [body_of(w) for w in writes]
        ids = [str(b["OrderID"]) for b in bodies]
        if len(writes) == 1:
            answer = self._wire.send("PUT", f"/Orders/{ids[0]}", body=bodies[0])
        else:
            answer = self._wire.send("PUT", "/Orders", body=bodies)
        told = results_of(answer, ids)
        if told is not None:
            return [self._outcome(w, r) for w, r in zip(writes, told, strict=True)]
        meaning = SHIFT4SHOP.judge(answer.status)
        if meaning.disposition is not Disposition.DEAD_LETTER:
            self._wire.need_done(answer, "updating orders")
        if len(writes) == 1:
            return [self._outcome(writes[0], Result(answer.status))]
        # A PUT sets absolute values, so that sending one again changes nothing; and one bad order spoils no other.
        return [outcome for write in writes for outcome in self._put([write])]

    def _outcome(self, write: Write, result: Result) -> Outcome:
        meaning = SHIFT4SHOP.judge(result.status)
        if meaning.disposition is Disposition.DONE:
            return Outcome(meaning.disposition, id=str(number_of(write)))
        return Outcome(
            meaning.disposition,
            id=str(number_of(write)),
            code=meaning.code,
            message=f"the shop answered {result.status} to the update of {', '.join(write.fields)}",
            hint=meaning.hint,
        )

    def _need_order(self, model: type[Model]) -> None:
        if model is not Order:
            raise self._not_supported(f"reading {model.__name__} by itself")

    def _not_supported(self, what: str) -> UsageError:
        return UsageError(
            f"{what} is not supported by the Shift4Shop connector",
            code="not-supported",
            where={"connection": self._name},
            hint="read it from the Order that holds it",
        )

    def _webhook_malformed(self, reason: str) -> RecordError:
        return RecordError(
            f"a webhook body cannot be understood: {reason}",
            code="webhook-malformed",
            where={"connection": self._name},
            hint="nothing to do; the sweep finds the order, if it was one",
        )


Told = Order | MalformedError | TaglineError | None
"""An asked order, None where there is none, or the trouble it alone is in."""


def _sort(
    told: Iterable[tuple[str, Told]],
    records: dict[str, Model],
    malformed: dict[str, tuple[Mapping[str, str], ...]],
) -> dict[str, TaglineError]:
    """Put orders and faults where they belong; what is left could not be read."""
    failed: dict[str, TaglineError] = {}
    for key, each in told:
        if isinstance(each, Order):
            records[key] = each
        elif isinstance(each, MalformedError):
            malformed[key] = each.faults
        elif each is not None:
            failed[key] = each
    return failed


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
