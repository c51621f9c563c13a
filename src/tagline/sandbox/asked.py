"""A live connection that is only read from, and the shape of a question to it."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tagline.clock import Clock
from tagline.connectors.budgets import governor_for
from tagline.connectors.entra import SignIn
from tagline.connectors.http import Http, Policy, Transport
from tagline.connectors.messages import Answer, Call
from tagline.connectors.shift4shop.wire import sign_in_headers
from tagline.domain.environment import Connection, EntraConnection, Shift4ShopConnection
from tagline.errors import TaglineError


class Asked:
    """A connection that can be read with and without its credentials."""

    def __init__(
        self,
        connection: Connection,
        clock: Clock,
        secrets: Callable[[str], str],
        transport: Transport | None,
    ) -> None:
        urls = [connection.url]
        if isinstance(connection, EntraConnection):
            urls.append(connection.authority)
        policy = Policy(
            tuple(urls),
            governor_for(connection, clock),
            is_read=lambda call: call.method == "GET" or call.url.endswith("/token"),
            read_only=True,
            ca_file=connection.ca_file,
        )
        self._http = Http(policy, clock, transport)
        self._url = connection.url.rstrip("/")
        if isinstance(connection, Shift4ShopConnection):
            headers = dict(sign_in_headers(connection, secrets))
            self._headers: Callable[[], dict[str, str]] = lambda: headers
            self._wrong = {name: value if name == "secureurl" else "wrong" for name, value in headers.items()}
        else:
            sign_in = SignIn(self._http, connection, secrets)
            self._headers = lambda: {"authorization": f"Bearer {sign_in.token()}"}
            self._wrong = {}

    def get(self, path: str, *, signed_in: bool = True, **headers: str) -> Answer:
        proof = self._headers() if signed_in else self._wrong
        given = {
            "accept": "application/json",
            **proof,
            **{n.replace("_", "-"): v for n, v in headers.items()},
        }
        return self._http.send(Call("GET", self._url + path, given))

    def close(self) -> None:
        self._http.close()

    def claims(self) -> Mapping[str, Any]:
        """What the token says that this connection signs in with; nothing where it has none, or one that cannot be read."""
        token = self._headers().get("authorization", "").removeprefix("Bearer ").split(".")
        if len(token) != 3:
            return {}
        try:
            told = json.loads(base64.urlsafe_b64decode(token[1] + "=" * (-len(token[1]) % 4)))
        except (binascii.Error, ValueError):
            return {}
        return told if isinstance(told, Mapping) else {}


Found = tuple[object, object] | None
"""What is assumed and what was observed, in the same terms; None where the system holds nothing to look at."""
Question = Callable[[Asked], Found]


def json_of(answer: Answer) -> Any:
    """The body of an answer that went well; None where it is another, or no JSON."""
    if answer.status != 200 or not answer.body:
        return None
    try:
        return answer.json()
    except TaglineError:
        return None


def rows_of(answer: Answer) -> list[Mapping[str, Any]]:
    """The rows of a list of any of the systems; none where it has none."""
    body = json_of(answer)
    if isinstance(body, Mapping):
        body = body.get("value", [body])
    return [row for row in body if isinstance(row, Mapping)] if isinstance(body, list) else []


def code_of(answer: Answer) -> str:
    """Status and, where the body has one, the error's code."""
    found = re.search(rb'"code"\s*:\s*"([^"]*)"', answer.body)
    return f"{answer.status} {found.group(1).decode('latin-1')}".strip() if found else str(answer.status)


def listed(values: Iterable[object]) -> str:
    """Several observed values as one text, the same for the same values."""
    return ", ".join(sorted({str(value) for value in values}))
