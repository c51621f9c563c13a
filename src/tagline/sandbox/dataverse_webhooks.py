"""Webhooks of an organisation: endpoints and steps are rows, deliveries follow what happens to others. Source: Web API notes, section 18."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import IntEnum
from functools import cache
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit
from xml.etree import ElementTree as ET

from tagline.clock import Clock
from tagline.sandbox.dataverse_context import ASYNCHRONOUS, Image, Occasion, context_of
from tagline.sandbox.dataverse_errors import Refusal
from tagline.sandbox.dataverse_quirks import quirks
from tagline.sandbox.dataverse_records import UPDATE, Change
from tagline.sandbox.dataverse_rows import Row, Rows
from tagline.sandbox.dataverse_schema import tables
from tagline.sandbox.mishaps import Mishaps
from tagline.sandbox.values import Request

Send = Callable[[Request], "int | None"]
"""Sends a request; the answer's status, or None when no answer came within `TIMEOUT_S`."""
TIMEOUT_S: Final = 60.0
WEBHOOK: Final = 8
"""Contract of an endpoint."""
AGAIN_ON: Final = (502, 503, 504)
TAKEN: Final = 200
"""What somebody on the way answered, where the receiver never got it."""
SUCCEEDED, FAILED = 30, 31
SYSTEM_EVENT: Final = 1
"""Type of the background operation of an asynchronous step."""


class AuthType(IntEnum):
    """How an endpoint lets itself be called."""

    WEBHOOK_KEY = 4
    HTTP_HEADER = 5
    HTTP_QUERY = 6


@dataclass(frozen=True)
class Delivery:
    """A POST that is due, or was due and is on its way."""

    request: Request
    operation_id: str
    due: datetime
    deletes_itself: bool
    was_put_off: bool = False
    """By a mishap."""

    @property
    def is_first(self) -> bool:
        """See `OnItsWay`."""
        return not self.was_put_off

    def put_off(self, until: datetime) -> Delivery:
        """See `OnItsWay`."""
        return replace(self, due=until, was_put_off=True)


class Webhooks:
    """
    What an organisation posts.

    Synchronous steps are sent while the operation that they belong to is still open, and undo it when they fail.
    Asynchronous ones are queued once it stands, and `deliver` sends what is due.

    Args:
        entered: Enters the organisation: nobody else changes it within, and its tables are in force.
    """

    def __init__(
        self,
        rows: Rows,
        clock: Clock,
        new_id: Callable[[], str],
        entered: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self.send: Send = lambda _request: None
        """Sends what synchronous steps post."""
        self.on_queued: Callable[[], None] = lambda: None
        """Called when something was queued; the served sandbox wakes its sender."""
        self.mishaps = Mishaps()
        """Of asynchronous steps; a synchronous one cannot go astray, for its answer is waited for."""
        self._occasion: Callable[[], Occasion] | None = None
        self._rows = rows
        self._clock = clock
        self._new_id = new_id
        self._entered = entered
        self._queue: list[Delivery] = []
        self._lock = threading.Lock()

    def begin(self, occasion: Callable[[], Occasion]) -> None:
        """Post what happens from now on as belonging to a request; outside of any nothing is posted."""
        self._occasion = cache(occasion)

    def end(self) -> None:
        """The request has been answered."""
        self._occasion = None

    def on_change(self, change: Change) -> None:
        """
        Post what steps are registered for.

        Raises:
            Refusal: A synchronous step was not answered with success, or the request is to skip steps and may not.
        """
        steps = list(self._steps(change)) if self._occasion is not None else []
        if self._occasion is None or not steps:
            return
        occasion = self._occasion()
        for step in steps:
            if step.get("mode") == ASYNCHRONOUS:
                if not occasion.skips_asynchronous:
                    self._queue_later(step, change, occasion)
            elif not occasion.skips_synchronous:
                self._post_now(step, change, occasion)

    def waiting(self) -> int:
        """How many deliveries have not been sent yet."""
        with self._lock:
            return len(self._queue)

    def next_due(self) -> datetime | None:
        """When the next delivery is due; None when nothing waits."""
        with self._lock:
            return min((d.due for d in self._queue), default=None)

    def facts(self) -> list[dict[str, Any]]:
        """What waits, as plain values."""
        with self._lock:
            return [
                {
                    "url": d.request.url,
                    "headers": dict(d.request.headers),
                    "body": d.request.body,
                    "operation": d.operation_id,
                    "due": d.due,
                    "deletes_itself": d.deletes_itself,
                    "was_put_off": d.was_put_off,
                }
                for d in self._queue
            ]

    def restore(self, facts: Sequence[Mapping[str, Any]]) -> None:
        """Let exactly this wait."""
        with self._lock:
            self._queue = [
                Delivery(
                    Request("POST", f["url"], f["headers"], f["body"]),
                    f["operation"],
                    f["due"],
                    f["deletes_itself"],
                    f.get("was_put_off", False),
                )
                for f in facts
            ]
        self.on_queued()

    def deliver(self, send: Send) -> int:
        """Send every asynchronous delivery that is due; how many were answered with success."""
        with self._lock:
            now = self._clock.now()
            fate = self.mishaps.befall([d for d in self._queue if d.due <= now], now)
            self._queue = [d for d in self._queue if d.due > now] + fate.later
        for delivery in fate.lost:
            with self._entered():
                self._settle(delivery, TAKEN)
        delivered = 0
        for delivery in fate.going:
            status = _attempt(send, delivery.request)
            delivered += _is_success(status)
            with self._entered():
                self._settle(delivery, status)
        return delivered

    def _steps(self, change: Change) -> Iterator[Row]:
        known = tables()
        for step in self._rows.all(known["sdkmessageprocessingstep"]):
            if (
                step["statecode"] != 0
                or self._named("sdkmessage", step.get("sdkmessageid")).get("name") != change.message
            ):
                continue
            about = self._named("sdkmessagefilter", step.get("sdkmessagefilterid")).get(
                "primaryobjecttypecode"
            )
            if about not in (None, change.table.name):
                continue
            watched = {
                name.strip() for name in str(step.get("filteringattributes", "")).split(",") if name.strip()
            }
            if change.message == UPDATE and watched and watched.isdisjoint(change.columns):
                continue
            if self._endpoint(step).get("contract") == WEBHOOK:
                yield step

    def _named(self, table: str, link: Any) -> Mapping[str, Any]:
        return (self._rows.get(tables()[table], link[1]) if link else None) or {}

    def _endpoint(self, step: Row) -> Mapping[str, Any]:
        return self._named("serviceendpoint", step.get("eventhandler"))

    def _images(self, step: Row) -> list[Image]:
        table, step_id = tables()["sdkmessageprocessingstepimage"], step["sdkmessageprocessingstepid"]
        found = (
            self._rows.get(table, i)
            for i in self._rows.pointing(table, "sdkmessageprocessingstepid", step_id)
        )
        return [
            Image(
                str(image.get("entityalias", "")),
                int(image["imagetype"]),
                tuple(n.strip() for n in str(image.get("attributes", "")).split(",") if n.strip()),
            )
            for image in found
            if image is not None
        ]

    def _request(self, step: Row, change: Change, occasion: Occasion, operation_id: str) -> Request:
        body, is_cut = context_of(self._rows, change, occasion, step, self._images(step), operation_id)
        headers = {
            "content-type": "application/json",
            "x-request-id": occasion.request_id,
            "x-ms-dynamics-organization": occasion.organisation,
            "x-ms-dynamics-entity-name": change.table.name,
            "x-ms-dynamics-request-name": change.message,
            "x-ms-correlation-request-id": occasion.correlation_id,
        }
        if is_cut:
            headers["x-ms-dynamics-msg-size-exceeded"] = "true"
        endpoint = self._endpoint(step)
        url, extra = _authenticated(endpoint)
        return Request("POST", url, {**headers, **extra}, body)

    def _queue_later(self, step: Row, change: Change, occasion: Occasion) -> None:
        operation_id = self._new_id()
        request = self._request(step, change, occasion, operation_id)
        operations = tables()["asyncoperation"]
        now = occasion.at.strftime("%Y-%m-%dT%H:%M:%SZ")
        row: dict[str, Any] = {
            "asyncoperationid": operation_id,
            "name": step.get("name"),
            "operationtype": SYSTEM_EVENT,
            "messagename": change.message,
            "primaryentitytype": change.table.name,
            "correlationid": occasion.correlation_id,
            "requestid": occasion.request_id,
            "owningextensionid": ("sdkmessageprocessingstep", step["sdkmessageprocessingstepid"]),
            "depth": 1,
            "retrycount": 0,
            "createdon": now,
            "modifiedon": now,
            "ownerid": ("systemuser", change.user_id),
            "statecode": 0,
            "statuscode": 0,
        }
        self._rows.put(operations, operation_id, {n: v for n, v in row.items() if v is not None})
        due = self._clock.now() + timedelta(seconds=quirks().async_step_delay_s)
        delivery = Delivery(request, operation_id, due, bool(step.get("asyncautodelete")))

        def stands() -> None:
            with self._lock:
                self._queue.append(delivery)
            self.on_queued()

        self._rows.after_commit(stands)

    def _post_now(self, step: Row, change: Change, occasion: Occasion) -> None:
        status = _attempt(self.send, self._request(step, change, occasion, self._new_id()))
        if not _is_success(status):
            told = "did not answer in time" if status is None else f"answered with status {status}"
            raise Refusal(
                quirks().sync_step_failed_status,
                "0x80040265",
                f"The webhook call failed because the endpoint {told}. Please check exception for more details.",
            )

    def _settle(self, delivery: Delivery, status: int | None) -> None:
        """Let the row of the background operation say how it ended."""
        operations = tables()["asyncoperation"]
        row = self._rows.get(operations, delivery.operation_id)
        if row is None:
            return  # somebody deleted it
        if _is_success(status) and delivery.deletes_itself:
            self._rows.remove(operations, delivery.operation_id)
            return
        now = self._clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        done = {**row, "statecode": 3, "modifiedon": now, "startedon": now, "completedon": now}
        if _is_success(status):
            done["statuscode"] = SUCCEEDED
        else:
            told = "no answer" if status is None else f"status {status}"
            done |= {
                "statuscode": FAILED,
                "errorcode": -2147220891,
                "message": f"The webhook call failed: {told}.",
            }
        self._rows.put(operations, delivery.operation_id, done)


def _attempt(send: Send, request: Request) -> int | None:
    """The status of the answer, after a second attempt where the first says that the receiver is away."""
    status = send(request)
    return send(request) if status in AGAIN_ON else status


def _is_success(status: int | None) -> bool:
    return status is not None and 200 <= status < 300


def _authenticated(endpoint: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """The address of an endpoint and the headers that it is called with, its secret among them."""
    url, value = str(endpoint.get("url", "")), str(endpoint.get("authvalue", ""))
    joint = "&" if urlsplit(url).query else "?"
    match endpoint.get("authtype"):
        case AuthType.WEBHOOK_KEY if value:
            return f"{url}{joint}code={quote(value, safe='')}", {}
        case AuthType.HTTP_HEADER:
            return url, {name.lower(): text for name, text in _settings(value)}
        case AuthType.HTTP_QUERY if value:
            return f"{url}{joint}{urlencode(list(_settings(value)))}", {}
    return url, {}


def _settings(text: str) -> Iterator[tuple[str, str]]:
    """Names and values of `<settings><setting name="" value="" /></settings>`; none where it cannot be read."""
    try:
        root = ET.fromstring(text)  # noqa: S314 - from whoever set up this throw-away sandbox
    except ET.ParseError:
        return
    for setting in root.iter("setting"):
        yield setting.get("name", ""), setting.get("value", "")
