"""The whole sandbox: a shop and an organisation for every environment, one token endpoint; in process or served."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx

from tagline.clock import Clock
from tagline.sandbox.faults import BrokenConnection, Fault
from tagline.sandbox.login import Application, Login
from tagline.sandbox.organisation import Organisation
from tagline.sandbox.seed import fill
from tagline.sandbox.shop import Shop, ShopKeys
from tagline.sandbox.values import Request, Response

TIME_ZONE = "America/New_York"
CURRENCY = "USD"


class Site(Protocol):
    """Anything that answers requests."""

    def handle(self, request: Request) -> Response: ...


@dataclass(frozen=True)
class Endpoints:
    """Where the sites stand: origins without trailing slash."""

    login: str
    shops: Mapping[str, str]
    organisations: Mapping[str, str]
    ca_file: str = ""


class Sandbox:
    """
    Both remotes with their token endpoint.

    Args:
        clock: The time every site lives in.
        seed: Decides ids, credentials and sample data.
        environments: One shop and one organisation each.
        rate_limits: Whether the remotes' documented limits are enforced.
    """

    def __init__(
        self,
        clock: Clock,
        seed: int = 1,
        environments: Sequence[str] = ("dev",),
        *,
        rate_limits: bool = False,
    ) -> None:
        self.clock = clock
        self.seed = seed
        self.environments = tuple(environments)
        tenant = str(uuid.UUID(int=Random(f"tenant {seed}").getrandbits(128), version=4))  # noqa: S311
        self.login = Login(clock, tenant, seed)
        self.shops: dict[str, Shop] = {}
        self.organisations: dict[str, Organisation] = {}
        self.endpoints = Endpoints(
            login="https://login.sandbox.test",
            shops={name: f"https://shop-{name}.sandbox.test" for name in environments},
            organisations={name: f"https://org-{name}.sandbox.test" for name in environments},
        )
        self._secrets: dict[str, dict[str, str]] = {}
        self._client_ids: dict[str, str] = {}
        for number, name in enumerate(environments):
            self._build(name, seed * 100 + number, rate_limits=rate_limits)

    def _build(self, name: str, seed: int, *, rate_limits: bool) -> None:
        random = Random(f"credentials {name} {seed}")  # noqa: S311 - throw-away credentials of a sandbox
        client_id = str(uuid.UUID(int=random.getrandbits(128), version=4))
        key, token, secret, hook = (f"{random.getrandbits(128):032x}" for _ in range(4))
        state_key = base64.urlsafe_b64encode(random.randbytes(32)).decode()
        prefix = f"TAGLINE_{name.upper().replace('-', '_')}"
        self._secrets[name] = {
            f"{prefix}_SHOP_PRIVATE_KEY": key,
            f"{prefix}_SHOP_TOKEN": token,
            f"{prefix}_SHOP_WEBHOOK_TOKEN": hook,
            f"{prefix}_CRM_CLIENT_SECRET": secret,
            f"{prefix}_STATE_KEY": state_key,
        }
        keys = ShopKeys(f"https://{name}-teas.3dcartstores.com", key, token)
        self.shops[name] = Shop(
            self.clock, keys, time_zone=TIME_ZONE, currency=CURRENCY, seed=seed, rate_limits=rate_limits
        )
        self.login.applications[client_id] = Application(client_id, secret)
        self.login.resources.add(self.endpoints.organisations[name])
        self.organisations[name] = Organisation(self.clock, self.login, seed=seed, rate_limits=rate_limits)
        fill(self.organisations[name].records, seed)
        self._client_ids[name] = client_id

    def sites(self, endpoints: Endpoints | None = None) -> Mapping[str, Site]:
        """Every site by its origin."""
        at = endpoints or self.endpoints
        found: dict[str, Site] = {at.login: self.login}
        for name in self.environments:
            found[at.shops[name]] = self.shops[name]
            found[at.organisations[name]] = self.organisations[name]
        return found

    def transport(self) -> httpx.BaseTransport:
        """Carries an httpx client's requests to the sites in process, by host."""
        return SandboxTransport(self.sites())

    def connection_configs(self, env: str, endpoints: Endpoints | None = None) -> dict[str, dict[str, Any]]:
        """
        What configuration needs to connect to one environment.

        Returns:
            `shop` and `crm` with the fields of their connection sections, and `secrets`: environment variable -> value, under
            the names of the checked-in environments, with a key for the agent's state that is as throw-away as the rest.
        """
        at = endpoints or self.endpoints
        key, token, hook, secret, _ = (f"env:{name}" for name in self._secrets[env])
        shop = self.shops[env]
        return {
            "shop": {
                "system": "shift4shop",
                "url": f"{at.shops[env]}/3dCartWebAPI/v2",
                "store_url": shop.keys.secure_url,
                "private_key": key,
                "token": token,
                "time_zone": shop.time_zone,
                "currency": shop.currency,
                "webhook_token": hook,
                "ca_file": at.ca_file,
            },
            "crm": {
                "system": "dataverse",
                "url": at.organisations[env],
                "tenant": self.login.tenant,
                "client_id": self._client_ids[env],
                "client_secret": secret,
                "authority": at.login,
                "ca_file": at.ca_file,
            },
            "secrets": dict(self._secrets[env]),
        }


class SandboxTransport(httpx.BaseTransport):
    """An httpx transport over sites; faults on the wire become the errors a socket would give."""

    def __init__(self, sites: Mapping[str, Site]) -> None:
        self._sites = {urlsplit(origin).netloc: site for origin, site in sites.items()}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        site = self._sites.get(request.url.netloc.decode())
        if site is None:
            raise httpx.ConnectError(f"no site at {request.url.host}", request=request)
        headers = {name.lower(): value for name, value in request.headers.items()}
        try:
            answer = site.handle(Request(request.method, str(request.url), headers, request.read()))
        except BrokenConnection as broken:
            raise _as_httpx(broken, request) from broken
        return httpx.Response(
            answer.status, headers=list(answer.headers), content=answer.body, request=request
        )


def _as_httpx(broken: BrokenConnection, request: httpx.Request) -> httpx.TransportError:
    if broken.fault in (Fault.TIMEOUT_BEFORE, Fault.TIMEOUT_AFTER):
        return httpx.ReadTimeout("the read operation timed out", request=request)
    if broken.fault is Fault.TORN_BODY:
        return httpx.RemoteProtocolError(
            "peer closed connection without sending complete message body", request=request
        )
    return httpx.ReadError("connection reset by peer", request=request)
