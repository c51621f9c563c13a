"""A client of Finance over an in-memory environment that answers each part of a batch by a function."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote

import httpx
import pytest

from tagline.clock import VirtualClock
from tagline.connectors import connect
from tagline.connectors.odata.batch import requests_of
from tagline.domain.environment import FinanceConnection

Handler = Callable[[httpx.Request], httpx.Response]
Answer = tuple[int, Any] | tuple[int, Any, dict[str, str]]


class Environment:
    """What a client asked, and what it is told: by `answers`, in the order of their patterns."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        """Method, address as text and body of every request, those of batches included."""
        self.batches: list[int] = []
        self.answers: list[tuple[str, Answer]] = []
        self.stops = False
        """Whether a batch ends at its first refused part."""

    def when(self, pattern: str, status: int, body: Any = None, **headers: str) -> None:
        self.answers.append((pattern, (status, body, headers)))

    def asks(self) -> list[str]:
        return [f"{method} {url}" for method, url, _ in self.asked]

    def bodies(self) -> list[Any]:
        return [body for _, _, body in self.asked if body is not None]

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if not request.url.path.endswith("/$batch"):
            status, body, headers = self._told(
                request.method, str(request.url.raw_path.decode()), request.read()
            )
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            return httpx.Response(status, headers=headers, content=b"" if body is None else content)
        parts = requests_of(request.headers["content-type"], request.read())
        self.batches.append(len(parts))
        pieces: list[str] = []
        status = 200
        for part in parts:
            status, body, headers = self._told(part.method, part.url, part.body)
            head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            pieces.append(
                "--x\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
                f"HTTP/1.1 {status} Text\r\n{head}\r\n{'' if body is None else json.dumps(body)}\r\n"
            )
            if status >= 400 and self.stops:
                break
        return httpx.Response(
            status if self.stops else 200,
            headers={"content-type": "multipart/mixed; boundary=x"},
            content=("".join(pieces) + "--x--\r\n").encode(),
        )

    def _told(self, method: str, url: str, body: bytes | None) -> tuple[int, Any, dict[str, str]]:
        self.asked.append((method, unquote(url), json.loads(body) if body else None))
        ask = f"{method} {unquote(url)}"
        for place, (pattern, (status, answer, headers)) in enumerate(self.answers):
            if re.search(pattern, ask):
                if pattern.startswith("(?#once)"):
                    del self.answers[place]
                return status, answer, headers
        return 404, {"error": {"code": "", "message": "Resource not found for the segment."}}, {}


@pytest.fixture
def environment() -> Environment:
    return Environment()


@pytest.fixture
def finance(environment: Environment, make_finance: Callable[..., Any]) -> Any:
    return make_finance(environment)


@pytest.fixture
def make_finance(clock: VirtualClock, sign_in: Handler) -> Iterator[Callable[..., Any]]:
    made: list[Any] = []

    def make(handler: Handler, *, read_only: bool = False) -> Any:
        def answer(request: httpx.Request) -> httpx.Response:
            return sign_in(request) if request.url.host == "login.test" else handler(request)

        client = connect(
            "erp",
            FinanceConnection(
                system="finance",
                url="https://fin.test",
                tenant="tenant",
                client_id="client",
                client_secret="env:SECRET",
                authority="https://login.test",
                company="USMF",
            ),
            clock=clock,
            secrets={"env:SECRET": "canary-secret"}.__getitem__,
            transport=httpx.MockTransport(answer),
            read_only=read_only,
            new_id=lambda: "1",
        )
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()


def row_of(model: Any, **given: Any) -> dict[str, Any]:
    """A row as Finance sends it: every column there, blank unless given."""
    from tagline.connectors.finance.wire import EMPTY, fields_of

    row = {n: EMPTY.get(f.kind, "None") for n, f in fields_of(model).items() if not f.is_local}
    return {"@odata.etag": 'W/"JzEsNTYzNzE0NDU3Nic="', "dataAreaId": "usmf", **row, **given}


@pytest.fixture
def make_row() -> Callable[..., dict[str, Any]]:
    return row_of
