"""The shop as a connector: orders read whole, swept by day, written back field by field, and announced by webhooks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tagline.clock import Clock
from tagline.connectors import json_values
from tagline.connectors.dispositions import SHIFT4SHOP, to_error
from tagline.connectors.governor import Governor, LeakyBucket, Pace
from tagline.connectors.http import Http, Policy, Transport
from tagline.connectors.messages import Answer, Call, retry_after_s
from tagline.connectors.shift4shop.models import Order
from tagline.connectors.shift4shop.parse import MalformedError, order_id, to_order
from tagline.connectors.shift4shop.results import Result, results_of
from tagline.connectors.shift4shop.sweep import SweepCursor, to_change
from tagline.connectors.shift4shop.updates import body_of, chunks_of, number_of, refusal_of
from tagline.domain.environment import Shift4ShopConnection
from tagline.domain.exchange import Change, Changes, Fetched, Key, Outcome, Request, Row, Write
from tagline.domain.model import Model
from tagline.errors import Disposition, RecordError, UsageError

EVENT_TYPES: Final[Mapping[str, int]] = {"order-placed": 1, "order-changed": 2}
"""
Numbers of the shop's webhook events. An assumption: the vendor publishes no list, two public apps use these two.

Source: reference/shift4shop-api.md section 8, `Known ids`.
"""

BUCKET: Final = 50
LEAK_PER_S: Final = 2.0
PAGE: Final = 300
"""Orders the shop hands out at most in one answer."""
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
    ) -> None:
        self._name = name
        self._config = config
        self._clock = clock
        self._secrets = secrets
        self._zone = _zone(name, config.time_zone)
        self._headers = {
            "accept": "application/json",
            "secureurl": config.store_url,
            "privatekey": secrets(config.private_key),
            "token": secrets(config.token),
        }
        bucket = LeakyBucket(BUCKET - config.reserve, LEAK_PER_S)
        governor = Governor(clock, Pace(bucket), max_in_flight=8)
        policy = Policy((config.url,), governor, read_only=read_only, ca_file=config.ca_file)
        self._http = Http(policy, clock, transport)

    def close(self) -> None:
        """Let go of the network."""
        self._http.close()

    def fetch(self, model: type[Model], keys: Sequence[str]) -> Fetched:
        """
        Read whole orders, one request each: 300 keys take about two minutes of the bucket's 2 requests a second.

        The API has no list of ids to filter by, and its lists filter by day only. A transient failure fails the call.
        """
        self._need_order(model)
        records: dict[str, Model] = {}
        malformed: dict[str, tuple[Mapping[str, str], ...]] = {}
        for key in dict.fromkeys(keys):
            try:
                order = self._order(key)
            except MalformedError as error:
                malformed[key] = error.faults
            else:
                if order is not None:
                    records[key] = order
        return Fetched(records, malformed)

    def read(self, model: type[Model], keys: Sequence[Key], names: Sequence[str]) -> Mapping[Key, Row]:
        """Read fields of orders as targets, one request each; only the named fields need to be well-formed."""
        self._need_order(model)
        rows: dict[Key, Row] = {}
        for key in dict.fromkeys(keys):
            record = str(dict(key).get("OrderID", ""))
            try:
                order = self._order(record, names)
            except MalformedError as error:
                raise RecordError(
                    f"order {record} of the shop cannot be understood",
                    code="source-malformed",
                    where={"connection": self._name, "record": record},
                    hint="correct the order in the shop, then redrive",
                    details=error.faults,
                ) from None
            if order is not None:
                rows[key] = Row(key, str(order.OrderID), None, {n: getattr(order, n) for n in names})
        return rows

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
        """
        self._need_order(model)
        today = (self._clock.now() - timedelta(hours=1)).astimezone(self._zone).date()
        if cursor is None:
            return Changes((), SweepCursor(today, today).text(), more=False)
        at = SweepCursor.of(cursor, today)
        answer = self._send(
            "GET",
            "/Orders",
            {"lastupdatestart": f"{at.day:%m/%d/%Y}", "limit": PAGE, "offset": at.offset},
        )
        if answer.status == 404 or _is_past_the_end(answer, at.offset):
            return Changes((), at.ended().text(), more=False)
        rows = self._list(answer, "reading changed orders")
        items = tuple(change for row in rows if (change := to_change(row, self._zone)))
        if len(rows) < PAGE:
            return Changes(items, at.ended().text(), more=False)
        return Changes(items, at.after(len(rows)).text(), more=True)

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

        The shop signs nothing and names no event in its body, so that the address carries both.
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
        standing = {
            (hook.get("EventType"), hook.get("Url"))
            for hook in self._webhooks()
            if hook.get("Enabled") is True
        }
        added: list[str] = []
        for event in events:
            address = f"{url.rstrip('/')}/{event}/{token}"
            if (EVENT_TYPES[event], address) in standing:
                continue
            self._register(event, address)
            added.append(event)
        return added

    def probe(self) -> str:
        """Count the orders."""
        answer = self._send("GET", "/Orders", {"countonly": 1})
        self._judge(answer, "counting orders")
        told = answer.json({"connection": self._name})
        count = told.get("TotalCount") if isinstance(told, Mapping) else None
        if not isinstance(count, int):
            raise to_error(SHIFT4SHOP.judge(502), "the shop's answer to a count holds no count")
        return f"the shop {self._config.store_url} answers and holds {count} orders"

    def describe(self, model: type[Model]) -> Mapping[str, Any]:
        """Nothing: the shop publishes no schema."""
        return {}

    def _order(self, key: str, only: Sequence[str] | None = None) -> Order | None:
        number = order_id(key)
        if number is None:
            raise MalformedError({"field": "OrderID", "reason": "it is no positive whole number"})
        answer = self._send("GET", f"/Orders/{number}")
        if answer.status == 404:
            return None
        where = {"connection": self._name, "record": number}
        meaning = SHIFT4SHOP.judge(answer.status)
        if meaning.disposition is Disposition.DEAD_LETTER:
            raise MalformedError({"field": "", "reason": f"the shop answered {answer.status} to its reading"})
        self._judge(answer, f"reading order {number}", where)
        body = answer.json(where)
        if isinstance(body, list):
            if not body:
                return None
            body = body[0]
        order = to_order(body, self._zone, self._config.currency, only)
        if str(order.OrderID) != number:
            raise MalformedError({"field": "OrderID", "reason": "the shop answered with another order"})
        return order

    def _put(self, writes: Sequence[Write]) -> list[Outcome]:
        """Send updates of different orders in one request, or one by one when the shop refuses them as a whole."""
        bodies = [body_of(w) for w in writes]
        ids = [str(b["OrderID"]) for b in bodies]
        if len(writes) == 1:
            answer = self._send("PUT", f"/Orders/{ids[0]}", body=bodies[0])
        else:
            answer = self._send("PUT", "/Orders", body=bodies)
        told = results_of(answer, ids)
        if told is not None:
            return [self._outcome(w, r) for w, r in zip(writes, told, strict=True)]
        meaning = SHIFT4SHOP.judge(answer.status)
        if meaning.disposition is not Disposition.DEAD_LETTER:
            self._judge(answer, "updating orders")
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

    def _webhooks(self) -> Iterator[Mapping[str, Any]]:
        offset = 1
        while True:
            answer = self._send("GET", "/Webhooks", {"limit": 500, "offset": offset})
            if answer.status == 404 or _is_past_the_end(answer, offset):
                return
            rows = self._list(answer, "reading webhooks")
            yield from (row for row in rows if isinstance(row, Mapping))
            if len(rows) < 500:
                return
            offset += len(rows)

    def _register(self, event: str, address: str) -> None:
        hook = {
            "Name": f"tagline {event}",
            "Url": address,
            "EventType": EVENT_TYPES[event],
            "Enabled": True,
            "Format": "JSON",
        }
        answer = self._send("POST", "/Webhooks", body=[hook])
        told = results_of(answer, [""])
        status = told[0].status if told else answer.status
        meaning = SHIFT4SHOP.judge(status)
        if meaning.disposition is not Disposition.DONE:
            raise to_error(
                meaning,
                f"the shop answered {status} to the registration of a webhook for {event}",
                where={"connection": self._name, "event": event},
            )

    def _send(
        self, method: str, path: str, query: Mapping[str, object] | None = None, body: object = None
    ) -> Answer:
        url = self._config.url.rstrip("/") + path + (f"?{urlencode(query, safe='/')}" if query else "")
        if body is None:
            return self._http.send(Call(method, url, self._headers))
        headers = {**self._headers, "content-type": "application/json"}
        return self._http.send(Call(method, url, headers, json_values.dump(body).encode()))

    def _list(self, answer: Answer, doing: str) -> list[Any]:
        self._judge(answer, doing)
        rows = answer.json({"connection": self._name})
        return rows if isinstance(rows, list) else [rows]

    def _judge(self, answer: Answer, doing: str, where: Mapping[str, str] | None = None) -> None:
        meaning = SHIFT4SHOP.judge(answer.status)
        if meaning.disposition is not Disposition.DONE:
            raise to_error(
                meaning,
                f"the shop answered {answer.status} to {doing}",
                where={"connection": self._name, **(where or {})},
                retry_after_s=retry_after_s(answer.headers.get("retry-after"), self._clock),
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


def _is_past_the_end(answer: Answer, offset: int) -> bool:
    """The shop refuses a page behind the last one; its body is optional."""
    told = answer.body.lower()
    return answer.status == 400 and offset > 1 and (not told.strip() or b"offset amount exceeds" in told)
