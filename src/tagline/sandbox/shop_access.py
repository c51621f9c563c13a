"""Who may call a shop: the key trio, bearer tokens with what they permit, and how an app comes by one. Source: 3dcart notes, section 1."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from tagline.sandbox.assumptions import BEARER_SCOPES
from tagline.sandbox.shop_answers import HEADERS
from tagline.sandbox.values import Request, Response
from tagline.sandbox.wire import plain_json

USER_ID = 1
"""Of the merchant who installs apps."""


@dataclass(frozen=True)
class ShopKeys:
    """The header trio that opens a store."""

    secure_url: str
    private_key: str = field(repr=False)
    token: str = field(repr=False)


@dataclass(frozen=True)
class App:
    """An app that the merchant has installed."""

    client_id: str
    """Its public key."""
    client_secret: str = field(repr=False)
    redirect_uri: str
    """Where codes may go; what the client names must start with it."""
    scopes: frozenset[str] | None = None
    """What it may do, as `orders:read`; None is everything."""


Permit = frozenset[str] | None
_NOBODY: Final = frozenset[str]()


class Access:
    """The credentials of one shop."""

    def __init__(self, keys: ShopKeys, apps: tuple[App, ...], seed: int) -> None:
        self.keys = keys
        self.scopes: Permit = None
        """What the key trio permits; None is everything."""
        self._apps = {app.client_id: app for app in apps}
        self._codes: dict[str, tuple[App, str]] = {}
        self._tokens: dict[str, Permit] = {}
        self._random = Random(f"oauth {seed}")  # noqa: S311 - throw-away tokens of a sandbox

    def grant(self, scopes: Permit = None) -> str:
        """A bearer token; None permits everything."""
        token = f"{self._random.getrandbits(128):032x}"
        self._tokens[token] = scopes
        return token

    def revoke(self, token: str) -> None:
        """The merchant removes the app."""
        del self._tokens[token]

    def facts(self) -> Mapping[str, Any]:
        """The tokens that were given."""
        return {"tokens": self._tokens, "draws": self._random.getstate()}

    def restore(self, facts: Mapping[str, Any]) -> None:
        """Exactly these tokens are good."""
        self._tokens = {
            token: None if scopes is None else frozenset(scopes) for token, scopes in facts["tokens"].items()
        }
        self._random.setstate(facts["draws"])

    def permits(self, headers: Mapping[str, str], resource: str, method: str) -> bool:
        """Whether the credentials of a call are good for that resource, a lower-case name."""
        permit = self._permit(headers)
        access = "read" if method == "GET" else "write"
        return permit is None or BEARER_SCOPES.format(resource=resource, access=access) in permit

    def _permit(self, headers: Mapping[str, str]) -> Permit:
        """Either will do: some clients send the trio along with their bearer token."""
        kind, _, token = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and token.strip() in self._tokens:
            return self._tokens[token.strip()]
        return self.scopes if self._is_trio(headers) else _NOBODY

    def _is_trio(self, headers: Mapping[str, str]) -> bool:
        def bare(url: str) -> str:
            return url.lower().split("://")[-1].removeprefix("www.").rstrip("/")

        return (
            bare(headers.get("secureurl", "")) == bare(self.keys.secure_url)
            and headers.get("privatekey") == self.keys.private_key
            and headers.get("token") == self.keys.token
        )

    def answer(self, request: Request) -> Response | None:
        """The two OAuth addresses, in any case; None for every other. The merchant agrees at once."""
        match request.method, request.path.lower().rstrip("/"):
            case "GET", "/oauth/authorize":
                return self._authorize(request.query)
            case "POST", "/oauth/token":
                return self._token(request)
            case _, "/oauth/authorize" | "/oauth/token":
                return Response(405, HEADERS)
        return None

    def _authorize(self, query: Mapping[str, str]) -> Response:
        app = self._apps.get(query.get("client_id", ""))
        target = query.get("redirect_uri", "")
        if app is None or not target.startswith(app.redirect_uri) or not _is_address(target):
            return _refused("invalid_client" if app is None else "invalid_request", 400)
        back = {"state": query["state"]} if "state" in query else {}
        if query.get("response_type") == "code":
            code = f"{self._random.getrandbits(96):024x}"
            self._codes[code] = (app, target)
            back = {"code": code, **back}
        else:
            back = {"error": "unsupported_response_type", **back}
        joint = "&" if urlsplit(target).query else "?"
        return Response(302, (("Location", f"{target}{joint}{urlencode(back)}"), *HEADERS))

    def _token(self, request: Request) -> Response:
        form = dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
        form = {**form, **_basic(request.headers.get("authorization", ""))}
        app = self._apps.get(form.get("client_id", ""))
        if app is None or app.client_secret != form.get("client_secret"):
            return _refused("invalid_client", 401)
        if form.get("grant_type") != "authorization_code":
            return _refused("unsupported_grant_type", 400)
        owner, target = self._codes.pop(form.get("code", ""), (None, ""))
        if owner != app or form.get("redirect_uri", target) != target:
            return _refused("invalid_grant", 400)
        token = self.grant(app.scopes)
        return plain_json({"access_token": token, "token_type": "bearer", "user_id": USER_ID})


def _is_address(text: str) -> bool:
    """Whether it can stand in a Location header."""
    try:
        return bool(urlsplit(text).netloc) and text.isascii() and text.isprintable()
    except ValueError:
        return False


def _basic(header: str) -> dict[str, str]:
    kind, _, encoded = header.partition(" ")
    if kind.lower() != "basic":
        return {}
    try:
        name, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return {}
    return {"client_id": name, "client_secret": secret}


def _refused(code: str, status: int) -> Response:
    return plain_json({"error": code}, status)
