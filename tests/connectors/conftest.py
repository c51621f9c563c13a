"""Clients over an in-memory transport that answers with bodies of the reference."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from tagline.clock import VirtualClock
from tagline.connectors import connect
from tagline.domain.environment import DataverseConnection, Shift4ShopConnection

SECRETS = {
    "env:KEY": "canary-private-key",
    "env:TOKEN": "canary-token",
    "env:HOOK": "canary-hook-0123456",
    "env:SECRET": "canary-secret",
}
Handler = Callable[[httpx.Request], httpx.Response]


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(datetime(2026, 3, 10, 12, 0, tzinfo=UTC))


@pytest.fixture
def make_shop(clock: VirtualClock) -> Iterator[Callable[..., Any]]:
    made: list[Any] = []

    def make(handler: Handler, *, read_only: bool = False, **changes: Any) -> Any:
        config = Shift4ShopConnection(
            system="shift4shop",
            url="https://shop.test/3dCartWebAPI/v2",
            store_url="https://store.example",
            private_key="env:KEY",
            token="env:TOKEN",
            time_zone="America/New_York",
            currency="USD",
            webhook_token="env:HOOK",
        ).model_copy(update=changes)
        client = connect(
            "shop",
            config,
            clock=clock,
            secrets=SECRETS.__getitem__,
            transport=httpx.MockTransport(handler),
            read_only=read_only,
        )
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()


@pytest.fixture
def sign_in() -> Handler:
    """A login service that hands out numbered tokens."""
    count = 0

    def answer(request: httpx.Request) -> httpx.Response:
        nonlocal count
        if request.url.path.endswith("/openid-configuration"):
            base = "https://login.test/tenant"
            return httpx.Response(
                200,
                json={
                    "issuer": base,
                    "token_endpoint": f"{base}/oauth2/v2.0/token",
                    "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                },
            )
        count += 1
        return httpx.Response(
            200, json={"token_type": "Bearer", "expires_in": 3599, "access_token": f"canary-access-{count}"}
        )

    return answer


@pytest.fixture
def make_dataverse(clock: VirtualClock, sign_in: Handler) -> Iterator[Callable[..., Any]]:
    made: list[Any] = []

    def make(
        handler: Handler,
        *,
        read_only: bool = False,
        login: Handler | None = None,
        secrets: Callable[[str], str] = SECRETS.__getitem__,
        **changes: Any,
    ) -> Any:
        def answer(request: httpx.Request) -> httpx.Response:
            return (login or sign_in)(request) if request.url.host == "login.test" else handler(request)

        config = DataverseConnection(
            system="dataverse",
            url="https://org.test",
            tenant="tenant",
            client_id="client",
            client_secret="env:SECRET",
            authority="https://login.test",
        ).model_copy(update=changes)
        client = connect(
            "crm",
            config,
            clock=clock,
            secrets=secrets,
            transport=httpx.MockTransport(answer),
            read_only=read_only,
            new_id=lambda: "1",
        )
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()


@pytest.fixture
def multipart() -> Callable[..., httpx.Response]:
    """A batch answer from (status, headers, body) per part."""

    def answer(*parts: tuple[int, dict[str, str], Any]) -> httpx.Response:
        pieces = []
        for status, headers, body in parts:
            head = "".join(f"{k}: {v}\r\n" for k, v in headers.items())
            text = "" if body is None else json.dumps(body)
            pieces.append(
                "--batchresponse_x\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
                f"HTTP/1.1 {status} Text\r\n{head}\r\n{text}\r\n"
            )
        content = "".join(pieces) + "--batchresponse_x--\r\n"
        return httpx.Response(
            200,
            headers={"content-type": "multipart/mixed; boundary=batchresponse_x"},
            content=content.encode(),
        )

    return answer
