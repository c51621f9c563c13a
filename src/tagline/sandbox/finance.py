"""A Finance & Supply Chain environment: OData at `/data/` over rows that behave like its data entities."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any
from urllib.parse import unquote

from tagline.clock import Clock
from tagline.sandbox.assumptions import FINANCE_CHALLENGE
from tagline.sandbox.dataverse_batch import run_batch
from tagline.sandbox.dataverse_call import Resolve
from tagline.sandbox.dataverse_errors import Refusal
from tagline.sandbox.dataverse_literals import Tokens
from tagline.sandbox.dataverse_render import parse_preferences
from tagline.sandbox.door import Door, LogEntry
from tagline.sandbox.finance_body import parse_body
from tagline.sandbox.finance_control import control_finance
from tagline.sandbox.finance_errors import (
    GENERAL,
    JSON,
    FinanceRefusal,
    no_resource,
    no_row,
    stale,
    throttled,
    unreadable,
)
from tagline.sandbox.finance_events import BusinessEvents
from tagline.sandbox.finance_history import stock_of, write_trade
from tagline.sandbox.finance_metadata import catalogued, finance_csdl, service_document
from tagline.sandbox.finance_query import (
    View,
    address_of,
    crosses_companies,
    page_of,
    parse_shape,
    reached_from,
    select_rows,
)
from tagline.sandbox.finance_quirks import FinanceQuirks, quirks, quirks_in_force
from tagline.sandbox.finance_records import FinanceRecords
from tagline.sandbox.finance_rows import FinanceRows, Row, comparable, etag, key_of
from tagline.sandbox.finance_schema import COMPANY, Entity
from tagline.sandbox.finance_seed import DEFAULT_COMPANY, fill_finance
from tagline.sandbox.finance_state import FinanceState
from tagline.sandbox.login import Login
from tagline.sandbox.trade import Stock, sold_before
from tagline.sandbox.values import Request, Response
from tagline.sandbox.wire import encode, in_bytes

MAX_BATCH = 5000
_SEGMENT = re.compile(r"(?P<set>\w+)(?P<key>\((?:[^')]|'(?:[^']|'')*')*\))?(?:/(?P<rest>.*))?", re.DOTALL)
_ROOT = "/data"
_PLACE = re.compile(r"/data(?:/+|$)|(?P<metadata>/metadata/)", re.IGNORECASE)


class Finance:
    """
    One environment with its companies; `records` changes its rows as the platform would, without HTTP.

    Args:
        quirks: How it does what nobody is sure of.
    """

    def __init__(self, clock: Clock, login: Login, *, seed: int, quirks: FinanceQuirks | None = None) -> None:
        random = Random(f"finance {seed}")  # noqa: S311 - ids of a sandbox, repeatable by seed
        self.quirks = quirks or FinanceQuirks()
        """Those of the next request; `dataclasses.replace` turns one."""
        self.default_company = DEFAULT_COMPANY
        """Of the user that every application is: what it sees without `cross-company=true`."""
        self.applications: set[str] = set()
        """Client ids that are users of it."""
        self.withheld: set[str] = set()
        """Entity sets that the roles of its user do not grant."""
        self.strained_until: datetime | None = None
        """Until then the environment is short of resources and turns every call away."""
        self.rows = FinanceRows()
        self.records = FinanceRecords(self.rows, clock)
        self._login = login
        self._clock = clock
        self._new_id = lambda: str(uuid.UUID(int=random.getrandbits(128), version=4))
        fill_finance(self.records, seed)
        self.events = BusinessEvents(clock, lambda: self.quirks.event_repeats_s)
        self.records.on_event = self.events.happened
        self.state = FinanceState(self.rows, self.events, self.withheld)
        """What a state file keeps of it."""
        self.door = Door(clock, self._answer, failure=_failure, control=lambda r: control_finance(self, r))

    def handle(self, request: Request) -> Response:
        """Answer one request; see `Door.handle`."""
        with quirks_in_force(self.quirks):
            return self.door.handle(request)

    def place_history(self, count: int, seed: int) -> None:
        """Hold what was bought and sold in the years before now, so many sales in all their states; once."""
        with self.door.lock, quirks_in_force(self.quirks), self.rows.transaction():
            write_trade(self.rows, sold_before(count, seed, self._clock.now()))

    def stock(self) -> Sequence[Stock]:
        """What lies in the warehouses of the first company."""
        with self.door.lock:
            return stock_of(self.rows)

    def strain(self, seconds: int) -> None:
        """Turn every call away for so long; 0 ends it. Source: Finance notes, section 17 (resource-based throttling)."""
        with self.door.lock:
            self.strained_until = self._clock.now() + timedelta(seconds=seconds) if seconds else None

    def _answer(self, request: Request) -> Response:
        path = request.path
        if _PLACE.match(path) is None:
            return Response(404)
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        client_id = self._login.client_of(token, request.origin)
        if client_id is None or client_id not in self.applications:
            status = 401 if client_id is None else quirks().stranger_status
            authority = f"https://login.microsoftonline.com/{self._login.tenant}/oauth2/authorize"
            return Response(status, (("WWW-Authenticate", FINANCE_CHALLENGE.format(authority=authority)),))
        if self.strained_until is not None and self._clock.now() < self.strained_until:
            return throttled(max(1, int((self.strained_until - self._clock.now()).total_seconds())))
        if unquote(path).lower() == f"{_ROOT}/$batch" and request.method == "POST":
            return self._batch(request)
        return self._execute(request)

    def _batch(self, request: Request) -> Response:
        def execute(inner: Request, _resolve: Resolve) -> Response:
            response = self._execute(inner)
            self.door.log.append(LogEntry(inner.method, inner.path, response.status, inner=True))
            return response

        try:
            return run_batch(
                request,
                self.rows,
                execute,
                root=f"{request.origin}{_ROOT}/",
                continue_on_error="odata.continue-on-error" in request.headers.get("prefer", ""),
                new_id=self._new_id,
                most=MAX_BATCH,
            )
        except Refusal as refusal:
            return FinanceRefusal(refusal.status, GENERAL, inner=refusal.message).response()

    def _execute(self, request: Request) -> Response:
        try:
            with self.rows.transaction():
                response = self._route(request)
        except FinanceRefusal as refusal:
            response = refusal.response()
        except Refusal as refusal:  # a word of the address that cannot be read
            response = FinanceRefusal(refusal.status, GENERAL, inner=refusal.message).response()
        return Response(response.status, (("OData-Version", "4.0"), *response.headers), response.body)

    def _route(self, request: Request) -> Response:
        root = f"{request.origin}{_ROOT}/"
        place = _PLACE.match(request.path)
        path = unquote(request.path[place.end() :] if place else "")
        is_read = request.method in ("GET", "HEAD")
        if place and place["metadata"]:
            return _json(catalogued(path, request, self.rows.schema))
        if is_read and path == "":
            return _json(service_document(root, self.rows.schema))
        if is_read and path == "$metadata":
            return Response(200, (("Content-Type", "application/xml"),), finance_csdl(self.rows.schema))
        match = _SEGMENT.fullmatch(path)
        entity = self.rows.schema.entities.get(match["set"]) if match else None
        if match is None or entity is None:
            raise no_resource(request.url)
        if entity.table in self.withheld:
            raise FinanceRefusal(
                quirks().withheld_status, GENERAL, inner="Access to the data entity is denied."
            )
        if match["key"] is None:
            return self._on_set(entity, request, root, match["rest"] or "")
        if match["rest"]:
            return self._below_row(entity, request, root, match["key"], match["rest"])
        return self._on_row(entity, request, root, match["key"])

    def _on_set(self, entity: Entity, request: Request, root: str, rest: str) -> Response:
        match request.method, rest:
            case "GET" | "HEAD", "$count":
                count = len(select_rows(self.rows, entity, request, self.default_company))
                return Response(200, (("Content-Type", "text/plain"),), str(count).encode())
            case "GET" | "HEAD", "":
                return self._list(entity, request, root)
            case "POST", "":
                return self._create(entity, request, root)
            case _, "":
                raise FinanceRefusal(405, f"The method {request.method} is not allowed for this resource.")
        raise no_resource(request.url)

    def _list(
        self, entity: Entity, request: Request, root: str, among: Sequence[Row] | None = None
    ) -> Response:
        preferences = parse_preferences(request.headers.get("prefer", ""))
        shape = parse_shape(self.rows.schema, entity, request.query)
        found = select_rows(self.rows, entity, request, self.default_company, among)
        page = page_of(found, request, preferences.page_size)
        view = View(self.rows, annotated=_is_annotated(request))
        body: dict[str, Any] = {}
        if view.annotated:
            body["@odata.context"] = f"{root}$metadata#{entity.entity_set}{shape.columns}"
        if request.query.get("$count", "").lower() == "true":
            body["@odata.count"] = page.count
        body["value"] = [view.show(entity, row, shape) for row in page.rows]
        if page.next_link:
            body["@odata.nextLink"] = page.next_link
        return _json(body)

    def _create(self, entity: Entity, request: Request, root: str) -> Response:
        values = parse_body(entity, request.body)
        if entity.has_company and not values.get(COMPANY):
            values[COMPANY] = self.default_company
        row = self.records.create(entity, values)
        address = address_of(root, entity, row)
        headers = (("Location", address), ("OData-EntityId", address))
        if "return=minimal" in request.headers.get("prefer", ""):
            return Response(204, headers)
        return self._one(entity, row, request, root, 201, headers)

    def _on_row(self, entity: Entity, request: Request, root: str, key_text: str) -> Response:
        row = self._addressed(entity, key_text, request)
        if row is None and request.method == "PATCH" and quirks().patch_creates:
            values = {**_parse_key(entity, key_text), **parse_body(entity, request.body)}
            address = address_of(root, entity, self.records.create(entity, values))
            return Response(204, (("OData-EntityId", address),))
        if row is None:
            raise no_row(entity)
        expected = request.headers.get("if-match", "*")
        if request.method in ("PATCH", "DELETE") and expected not in ("*", etag(row)):
            raise stale()
        match request.method:
            case "GET" | "HEAD":
                if request.headers.get("if-none-match") == etag(row):
                    return Response(304, (("ETag", etag(row)),))
                return self._one(entity, row, request, root, 200)
            case "PATCH":
                changed = self.records.update(entity, row, parse_body(entity, request.body))
                return Response(204, (("OData-EntityId", address_of(root, entity, changed)),))
            case "DELETE":
                self.records.delete(entity, row)
                return Response(204)
        raise FinanceRefusal(405, f"The method {request.method} is not allowed for this resource.")

    def _below_row(self, entity: Entity, request: Request, root: str, key_text: str, rest: str) -> Response:
        """One field of a row, its bare value, or the rows that a navigation leads to."""
        name, _, last = rest.partition("/")
        row = self._addressed(entity, key_text, request)
        way = entity.navigation.get(name)
        if (
            request.method not in ("GET", "HEAD")
            or not quirks().paths_go_below_rows
            or (name not in entity.fields and way is None)
            or last not in ("", "$count" if way and way.many else "", "$value" if way is None else "")
        ):
            raise no_resource(request.url)
        if row is None:
            raise no_row(entity)
        if way is None:
            value = row.get(name, entity.empty[name])
            if last:
                text = value if isinstance(value, str) else encode(value)
                return Response(200, (("Content-Type", "text/plain"),), in_bytes(text))
            context = f"{address_of(f'{root}$metadata#', entity, row)}/{name}"
            return _json({"@odata.context": context, "value": value})
        target = self.rows.schema.entities[way.target]
        among = reached_from(self.rows, entity, row, way)
        if last:
            count = len(select_rows(self.rows, target, request, self.default_company, among))
            return Response(200, (("Content-Type", "text/plain"),), str(count).encode())
        if way.many:
            return self._list(target, request, root, among)
        return self._one(target, among[0], request, root, 200) if among else Response(204)

    def _addressed(self, entity: Entity, key_text: str, request: Request) -> Row | None:
        row = self.rows.get(entity, key_of(entity, _parse_key(entity, key_text)))
        if row is None or not entity.has_company or crosses_companies(request):
            return row
        return row if comparable(row[COMPANY]) == comparable(self.default_company) else None

    def _one(
        self,
        entity: Entity,
        row: Row,
        request: Request,
        root: str,
        status: int,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> Response:
        shape = parse_shape(self.rows.schema, entity, request.query)
        view = View(self.rows, annotated=_is_annotated(request))
        body = view.show(entity, row, shape)
        if view.annotated:
            context = f"{root}$metadata#{entity.entity_set}{shape.columns}/$entity"
            body = {"@odata.context": context, **body}
        return Response(status, (JSON, ("ETag", etag(row)), *headers), in_bytes(encode(body)))


def _parse_key(entity: Entity, key_text: str) -> dict[str, Any]:
    """The key in an address: every field of it by name, or the bare value of a key that has one field."""
    tokens = Tokens(key_text[1:-1])
    given: dict[str, Any] = {}
    if len(entity.key) == 1 and not tokens.is_name():
        given[entity.key[0]] = tokens.take_literal()
    else:
        while True:
            name = tokens.take_name()
            tokens.take("=")
            given[name] = tokens.take_literal()
            if tokens.peek() != ",":
                break
            tokens.take(",")
    if tokens.peek() or given.keys() != set(entity.key):
        raise unreadable(
            f"The key in the request URI is not valid for '{entity.entity_set}'; its fields are {', '.join(entity.key)}."
        )
    for name, value in given.items():
        if (entity.fields[name] in ("String", "DateTimeOffset", "Guid")) != isinstance(value, str):
            raise unreadable(f"The value of the key field '{name}' is of the wrong type.")
    return given


def _is_annotated(request: Request) -> bool:
    return "odata.metadata=none" not in request.headers.get("accept", "")


def _json(body: dict[str, Any]) -> Response:
    return Response(200, (JSON,), in_bytes(encode(body)))


def _failure(status: int) -> Response:
    if status == 429:
        return throttled(1)
    if status == 503:
        return Response(
            503, (("Content-Type", "text/html"),), b"<html><body>Service Unavailable</body></html>"
        )
    return FinanceRefusal(status, GENERAL).response()
