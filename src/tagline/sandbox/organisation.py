"""A Dataverse organisation: the Web API at `/api/data/v9.2/` over rows that behave like Sales."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from urllib.parse import urlsplit

from tagline.clock import Clock
from tagline.sandbox.assumptions import UNAUTHORISED_CHALLENGE
from tagline.sandbox.control import control_organisation
from tagline.sandbox.dataverse_batch import run_batch, unresolved
from tagline.sandbox.dataverse_call import Call, Resolve
from tagline.sandbox.dataverse_context import Occasion
from tagline.sandbox.dataverse_delta import Tracking
from tagline.sandbox.dataverse_errors import Refusal, error_annotations, no_segment, wrong_media_type
from tagline.sandbox.dataverse_founding import (
    USER_ID,
    add_application,
    found,
    give_role,
    take_role,
)
from tagline.sandbox.dataverse_history import write_trade
from tagline.sandbox.dataverse_metadata import is_metadata
from tagline.sandbox.dataverse_operations import operate
from tagline.sandbox.dataverse_platform import Agenda, Platform
from tagline.sandbox.dataverse_protection import ServiceProtection, ThrottledError, execution_s
from tagline.sandbox.dataverse_quirks import OrganisationQuirks, quirks, quirks_in_force
from tagline.sandbox.dataverse_read import JSON
from tagline.sandbox.dataverse_records import Records
from tagline.sandbox.dataverse_render import parse_preferences
from tagline.sandbox.dataverse_rights import Caller, Rights
from tagline.sandbox.dataverse_rows import Rows
from tagline.sandbox.dataverse_schema import Schema, tables
from tagline.sandbox.dataverse_solutions import initial_solution
from tagline.sandbox.dataverse_state import Ids, OrganisationState
from tagline.sandbox.dataverse_webhooks import Webhooks
from tagline.sandbox.door import CONTROL, Door, LogEntry
from tagline.sandbox.login import Login
from tagline.sandbox.trade import Stock, sold_before
from tagline.sandbox.values import Request, Response
from tagline.sandbox.wire import encode, in_bytes

ROOT = re.compile(r"/api/data/v9\.[012](?:/|$)")
MAX_URL = 32_768
"""Characters of an address outside `$batch`."""
JSON_TYPE = "application/json"
MAX_BODY = 128 * 1024 * 1024


class Organisation:
    """
    One organisation; `records` changes its rows as the platform would, without HTTP.

    Args:
        rate_limits: Whether the service protection limits are enforced.
        solution: Whether tagline's solution is installed from the start.
        latency: Whether an answer takes its simulated execution time by the clock.
        quirks: How it does what nobody is sure of.
    """

    def __init__(
        self,
        clock: Clock,
        login: Login,
        *,
        seed: int,
        rate_limits: bool,
        solution: bool = True,
        latency: bool = False,
        quirks: OrganisationQuirks | None = None,
    ) -> None:
        ids = Ids(f"organisation {seed}")
        self.latency = latency
        self.quirks = quirks or OrganisationQuirks()
        """Those of the next request; `dataclasses.replace` turns one."""
        self._spent = threading.local()
        self._requests = 0
        self._login = login
        self._clock = clock

        self._new_id = ids.new
        self.rows = Rows()
        self.schema = Schema(solution=solution)
        self.tracking = Tracking()
        self.rights = Rights(self.rows)
        self.records = Records(self.rows, clock, ids.new)
        self.protection = ServiceProtection(clock, enforced=rate_limits)
        self.webhooks = Webhooks(self.rows, clock, ids.new, self.entered)
        self.schema.on_change = lambda table: self.rows.on_undo(lambda: self.schema.put_back(table))
        self.records.on_change = self.webhooks.on_change
        self.platform = Platform(
            self.rows, self.records, self.schema, self.tracking, self.rights, Agenda(clock), clock, ids.new
        )
        self.state = OrganisationState(self.platform, self.webhooks, ids, self._in_force)
        """What a state file keeps of it."""
        self.door = Door(
            clock, self._answer, failure=_failure, control=lambda r: control_organisation(self, r)
        )
        with self._in_force():
            found(self.rows, solution=solution)
        if solution:
            self.platform.solutions["tagline_order_to_cash"] = initial_solution(self.schema)

    @contextmanager
    def _in_force(self) -> Iterator[None]:
        """Let the tables and the quirks of this organisation be those that are asked for."""
        with self.schema.in_force(), quirks_in_force(self.quirks):
            yield

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Keep everybody else out, with the tables and quirks of this organisation in force and what was due done."""
        with self.door.lock, self._in_force():
            self.platform.agenda.catch_up()
            yield

    def place_history(self, count: int, seed: int, stock: Sequence[Stock] = ()) -> None:
        """
        Hold what was bought and sold in the years before now, so many sales in all their states; once.

        Args:
            stock: What lies in the warehouses today, see `Finance.stock`.
        """
        with self.entered(), self.rows.transaction():
            write_trade(self.rows, self._new_id, sold_before(count, seed, self._clock.now()), stock)

    def add_application(self, client_id: str, name: str, role: str, user_id: str = USER_ID) -> None:
        """Let an application sign in as a user who has that role."""
        with self.entered():
            add_application(self.rows, user_id, client_id, name, role)

    def set_roles(self, user_id: str, *names: str) -> None:
        """
        Give a user these roles and no others.

        Raises:
            LookupError: There is no such role.
        """
        with self.entered():
            roles = {row["name"]: row["roleid"] for row in self.rows.all(tables()["role"])}
            if unknown := [name for name in names if name not in roles]:
                raise LookupError(f"there is no role {unknown[0]!r}; roles are {', '.join(roles)}")
            for role_id in self.rights.roles_of(user_id):
                take_role(self.rows, user_id, role_id)
            for name in names:
                give_role(self.rows, user_id, roles[name])

    def handle(self, request: Request) -> Response:
        """Answer one request; see `Door.handle`."""
        if request.path.startswith(CONTROL):
            with self._in_force():
                return self.door.handle(request)
        user = self._login.client_of(_token(request), request.origin) or ""
        with self.protection.under_way(user), self._in_force():
            self._spent.seconds = 0.0
            response = self.door.handle(request)
            if self.latency:
                self._clock.sleep(self._spent.seconds)
        return response

    def _answer(self, request: Request) -> Response:
        root = ROOT.match(request.path)
        if root is None:
            return Response(404)
        client = self._login.client_of(_token(request), request.origin)
        if client is None:
            challenge = UNAUTHORISED_CHALLENGE.format(
                authority=f"https://login.microsoftonline.com/{self._login.tenant}/oauth2/authorize",
                resource=f"{request.origin}/",
            )
            return Response(401, (("WWW-Authenticate", challenge),))
        if len(request.url) > MAX_URL:
            return Response(414)
        if len(request.body) > MAX_BODY:
            return Response(413)
        self.platform.agenda.catch_up()
        is_free = quirks().metadata_is_free and is_metadata(request.path[root.end() :])
        try:
            if not is_free:
                self.protection.admit(client)
            caller = self.rights.impersonated(
                self.rights.caller(self.rights.application_user(client)), request.headers
            )
        except ThrottledError as throttled:
            return self._decorated(_throttled(throttled), client)
        except Refusal as refusal:
            return self._decorated(_refused(refusal, request), client)
        work = self.records.work = Counter({"request": 1})
        self._requests = 0
        if request.path.endswith("/$batch") and request.method == "POST":
            response = self._batch(request, f"{request.origin}{root.group().rstrip('/')}/", caller)
        else:
            response = self._execute(request, unresolved, caller)
        response = self._decorated(response, client)
        if not is_free:
            self._spent.seconds = execution_s(work)
            self.protection.settle(client, self._spent.seconds, max(1, self._requests))
        return response

    def _batch(self, request: Request, root: str, caller: Caller) -> Response:
        preferences = parse_preferences(request.headers.get("prefer", ""))

        def execute(inner: Request, resolve: Resolve) -> Response:
            response = self._execute(inner, resolve, caller)
            self.door.log.append(LogEntry(inner.method, inner.path, response.status, inner=True))
            return _with(response, ("OData-Version", "4.0"))

        try:
            return run_batch(
                request,
                self.rows,
                execute,
                root=root,
                continue_on_error=preferences.continue_on_error,
                new_id=self._new_id,
            )
        except Refusal as refusal:
            return _refused(refusal, request)

    def _execute(self, request: Request, resolve: Resolve, caller: Caller) -> Response:
        self._requests += 1
        try:
            with self.rows.transaction(), self.records.acting_as(caller):
                self.webhooks.begin(partial(_occasion, request, caller, self._clock.now(), self._new_id))
                response = self._route(request, resolve, caller)
        except Refusal as refusal:
            return _refused(refusal, request)
        finally:
            self.webhooks.end()
        if request.method == "GET":
            self.records.work["read"] += max(1, response.body.count(b'"@odata.etag"'))
        return response

    def _route(self, request: Request, resolve: Resolve, caller: Caller) -> Response:
        match = ROOT.match(request.path)
        if match is None:
            raise no_segment(request.path)
        content_type = request.headers.get("content-type", JSON_TYPE)
        if request.body and not content_type.lower().startswith(JSON_TYPE):
            raise wrong_media_type(content_type)
        root, path = f"{request.origin}{match.group().rstrip('/')}/", request.path[match.end() :]
        preferences = parse_preferences(request.headers.get("prefer", ""), request.headers.get("accept", ""))
        call = Call(
            request, root, preferences, resolve, self._clock.now(), caller.user_id, caller.business_unit_id
        )
        return operate(self.platform, call, path)

    def _decorated(self, response: Response, client: str) -> Response:
        request_id = self._new_id()
        return _with(
            response,
            ("OData-Version", "4.0"),
            ("x-ms-service-request-id", request_id),
            ("x-ms-service-request-id", request_id),
            ("REQ_ID", request_id),
            *self.protection.headers(client),
        )


def _token(request: Request) -> str:
    return request.headers.get("authorization", "").removeprefix("Bearer ")


def _occasion(request: Request, caller: Caller, now: datetime, new_id: Callable[[], str]) -> Occasion:
    """
    What webhooks tell of a request.

    Raises:
        Refusal: A header is to skip steps, and the caller may not do that.
    """
    headers = request.headers
    skipped = headers.get("mscrm.bypassbusinesslogicexecution", "").lower()
    if headers.get("mscrm.bypasscustompluginexecution", "").lower() == "true":
        caller.require_all(("prvBypassCustomPlugins",))
        skipped += ",customsync"
    elif skipped:
        caller.require_all(("prvBypassCustomBusinessLogic",))
    request_id = headers.get("x-ms-client-request-id") or new_id()
    return Occasion(
        correlation_id=headers.get("x-ms-correlation-id") or request_id,
        request_id=request_id,
        user_agent=headers.get("user-agent", ""),
        at=now,
        organisation=urlsplit(request.origin).netloc,
        tag=request.query.get("tag", ""),
        skips_synchronous="customsync" in skipped,
        skips_asynchronous="customasync" in skipped,
    )


def _with(response: Response, *headers: tuple[str, str]) -> Response:
    return Response(response.status, (*headers, *response.headers), response.body)


def _error(status: int, code: str, message: str, annotations: Mapping[str, str] | None = None) -> Response:
    body = in_bytes(encode({"error": {"code": code, "message": message, **(annotations or {})}}))
    return Response(status, (JSON,), body)


def _refused(refusal: Refusal, request: Request) -> Response:
    """The error's body, with the annotations of errors that the request asks for."""
    known = error_annotations(refusal)
    wants = parse_preferences(request.headers.get("prefer", "")).wants
    wanted = {f"@{name}": text for name, text in known.items() if wants(name)}
    return _error(refusal.status, refusal.code, refusal.message, wanted)


def _throttled(throttled: ThrottledError) -> Response:
    refused = _error(throttled.status, throttled.code, throttled.message)
    return _with(refused, ("Retry-After", str(throttled.retry_after_s)))


def _failure(status: int) -> Response:
    if status == 429:
        message = "Number of requests exceeded the limit of 6000 over time window of 300 seconds."
        return _throttled(ThrottledError("0x80072322", message, 1))
    if status == 503:
        return Response(
            503, (("Content-Type", "text/html"),), b"<html><body>Service Unavailable</body></html>"
        )
    return _error(status, "0x80040216", "An unexpected error occurred.")
