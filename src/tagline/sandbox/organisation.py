"""A Dataverse organisation: the Web API at `/api/data/v9.2/` over rows that behave like Sales."""

from __future__ import annotations

import re
import uuid
from collections import deque
from random import Random

from tagline.clock import Clock
from tagline.sandbox.assumptions import UNAUTHORISED_CHALLENGE
from tagline.sandbox.control import control_organisation
from tagline.sandbox.dataverse_actions import NAMESPACE, perform_action
from tagline.sandbox.dataverse_address import parse_address
from tagline.sandbox.dataverse_batch import run_batch, unresolved
from tagline.sandbox.dataverse_call import Call, Resolve
from tagline.sandbox.dataverse_errors import Refusal, bad_uri, no_segment
from tagline.sandbox.dataverse_metadata import read_metadata
from tagline.sandbox.dataverse_read import JSON, count_rows, read_list, read_row
from tagline.sandbox.dataverse_records import BUSINESS_UNIT_ID, USER_ID, Records
from tagline.sandbox.dataverse_render import parse_preferences
from tagline.sandbox.dataverse_rows import Rows
from tagline.sandbox.dataverse_write import create_row, delete_row, patch_row
from tagline.sandbox.door import Door, LogEntry
from tagline.sandbox.login import Login
from tagline.sandbox.values import Request, Response
from tagline.sandbox.wire import encode

ROOT = re.compile(r"/api/data/v9\.[012]/")
ORGANISATION_ID = "9a1f6c9e-7f0b-4a55-8f0c-2d4f6b8a0c1e"
BURST = 6000
WINDOW_S = 300.0


class ServiceProtection:
    """The request limit of one user: so many in a sliding window. Source: Web API notes, section 12."""

    def __init__(self, clock: Clock, *, limit: int = BURST, enforced: bool) -> None:
        self.limit = limit
        self.enforced = enforced
        self._clock = clock
        self._times: deque[float] = deque()

    def take(self) -> tuple[int, int]:
        """Count one request; how many remain, and the seconds to wait where it is one too many (else 0)."""
        now = self._clock.now().timestamp()
        while self._times and self._times[0] <= now - WINDOW_S:
            self._times.popleft()
        if self.enforced and len(self._times) >= self.limit:
            return 0, max(1, int(self._times[0] + WINDOW_S - now) + 1)
        self._times.append(now)
        return max(self.limit - len(self._times), 0), 0


class Organisation:
    """One organisation; `records` changes its rows as the platform would, without HTTP."""

    def __init__(self, clock: Clock, login: Login, *, seed: int, rate_limits: bool) -> None:
        random = Random(f"organisation {seed}")  # noqa: S311 - ids of a sandbox, repeatable by seed
        self._login = login

        def new_id() -> str:
            return str(uuid.UUID(int=random.getrandbits(128), version=4))

        self._new_id = new_id
        self.rows = Rows()
        self.records = Records(self.rows, clock, new_id)
        self.protection = ServiceProtection(clock, enforced=rate_limits)
        self.door = Door(
            clock, self._answer, failure=_failure, control=lambda r: control_organisation(self, r)
        )

    def handle(self, request: Request) -> Response:
        """Answer one request; see `Door.handle`."""
        return self.door.handle(request)

    def _answer(self, request: Request) -> Response:
        root = ROOT.match(request.path)
        if root is None:
            return Response(404)
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not self._login.accepts(token, request.origin):
            challenge = UNAUTHORISED_CHALLENGE.format(
                authority=f"https://login.microsoftonline.com/{self._login.tenant}/oauth2/authorize",
                resource=f"{request.origin}/",
            )
            return Response(401, (("WWW-Authenticate", challenge),))
        remaining, wait = self.protection.take()
        if wait:
            return self._decorated(_throttled(wait), remaining)
        base = request.origin + root.group()
        if request.path.endswith("/$batch") and request.method == "POST":
            response = self._batch(request, base)
        else:
            response = self._execute(request, unresolved)
        return self._decorated(response, remaining)

    def _batch(self, request: Request, root: str) -> Response:
        preferences = parse_preferences(request.headers.get("prefer", ""))

        def execute(inner: Request, resolve: Resolve) -> Response:
            response = self._execute(inner, resolve)
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
            return _refused(refusal)

    def _execute(self, request: Request, resolve: Resolve) -> Response:
        try:
            with self.rows.transaction():
                return self._route(request, resolve)
        except Refusal as refusal:
            return _refused(refusal)

    def _route(self, request: Request, resolve: Resolve) -> Response:
        match = ROOT.match(request.path)
        if match is None:
            raise no_segment(request.path)
        root, path = request.origin + match.group(), request.path[match.end() :]
        call = Call(request, root, parse_preferences(request.headers.get("prefer", "")), resolve)
        if path.startswith("EntityDefinitions") and request.method == "GET":
            return read_metadata(request, path, root)
        if path in ("WhoAmI", "WhoAmI()") and request.method == "GET":
            return _who_am_i(root)
        if request.method == "POST" and "(" not in path and "/" not in path and path[:1].isupper():
            return perform_action(self.records, call, path, bound=False)
        return self._on_rows(call, path)

    def _on_rows(self, call: Call, path: str) -> Response:
        address = parse_address(path)
        match call.request.method, address.is_row, address.rest:
            case "GET", True, _:
                return read_row(self.rows, call, address)
            case "GET", False, "$count":
                return count_rows(self.rows, call, address.table)
            case "GET", False, "":
                return read_list(self.rows, call, address.table)
            case "POST", False, "":
                return create_row(self.records, call, address.table)
            case "POST", False, rest if rest.startswith(NAMESPACE) and address.table.name == "salesorder":
                return perform_action(self.records, call, rest.removeprefix(NAMESPACE), bound=True)
            case "PATCH", True, "":
                return patch_row(self.records, call, address)
            case "DELETE", True, "":
                return delete_row(self.records, call, address)
            case method, _, "":
                raise bad_uri(f"The method {method} is not allowed for this resource.")
        raise no_segment(address.rest)

    def _decorated(self, response: Response, remaining: int) -> Response:
        request_id = self._new_id()
        return _with(
            response,
            ("OData-Version", "4.0"),
            ("x-ms-service-request-id", request_id),
            ("REQ_ID", request_id),
            ("x-ms-ratelimit-burst-remaining-xrm-requests", str(remaining)),
            ("x-ms-ratelimit-time-remaining-xrm-requests", "1,200.00"),
            ("x-ms-dop-hint", "4"),
        )


def _who_am_i(root: str) -> Response:
    body = {
        "@odata.context": f"{root}$metadata#Microsoft.Dynamics.CRM.WhoAmIResponse",
        "BusinessUnitId": BUSINESS_UNIT_ID,
        "UserId": USER_ID,
        "OrganizationId": ORGANISATION_ID,
    }
    return Response(200, (JSON,), encode(body).encode())


def _with(response: Response, *headers: tuple[str, str]) -> Response:
    return Response(response.status, (*headers, *response.headers), response.body)


def _error(status: int, code: str, message: str) -> Response:
    body = encode({"error": {"code": code, "message": message}}).encode()
    return Response(status, (JSON,), body)


def _refused(refusal: Refusal) -> Response:
    return _error(refusal.status, refusal.code, refusal.message)


def _throttled(wait: int) -> Response:
    message = "Number of requests exceeded the limit of 6000 over time window of 300 seconds."
    return _with(_error(429, "0x80072322", message), ("Retry-After", str(wait)))


def _failure(status: int) -> Response:
    if status == 429:
        return _throttled(1)
    if status == 503:
        return Response(
            503, (("Content-Type", "text/html"),), b"<html><body>Service Unavailable</body></html>"
        )
    return _error(status, "0x80040216", "An unexpected error occurred.")
