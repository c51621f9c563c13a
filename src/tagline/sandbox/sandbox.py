"""The whole sandbox: shop, organisation and Finance for every environment, one token endpoint; in process or served."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any
from urllib.parse import urlsplit

import httpx

from tagline.clock import Clock
from tagline.sandbox.dataverse_founding import CUSTOMISER
from tagline.sandbox.dataverse_quirks import OrganisationQuirks
from tagline.sandbox.dataverse_rights import ADMINISTRATOR
from tagline.sandbox.dataverse_schema import tables
from tagline.sandbox.door import Door
from tagline.sandbox.faults import BrokenConnection, Fault
from tagline.sandbox.finance import Finance
from tagline.sandbox.finance_quirks import FinanceQuirks
from tagline.sandbox.finance_seed import DEFAULT_COMPANY
from tagline.sandbox.login import Application, Login
from tagline.sandbox.login_quirks import LoginQuirks
from tagline.sandbox.organisation import Organisation
from tagline.sandbox.page import Front, Holding, Shown, Site, front_page
from tagline.sandbox.seed import fill
from tagline.sandbox.shop import Shop
from tagline.sandbox.shop_access import ShopKeys
from tagline.sandbox.shop_quirks import ShopQuirks
from tagline.sandbox.state_file import StateFile, Store
from tagline.sandbox.values import Request, Response

TIME_ZONE = "America/New_York"
CURRENCY = "USD"
PLACES = ("dev", "qa", "prod")
"""The checked-in environments. Each has the same ids, credentials and ports whichever of them are served."""


@dataclass(frozen=True)
class Endpoints:
    """Where the sites stand: origins without trailing slash."""

    login: str
    shops: Mapping[str, str]
    organisations: Mapping[str, str]
    finance: Mapping[str, str]
    ca_file: str = ""


def _prefix(environment: str) -> str:
    """Of the variables that hold an environment's secrets."""
    return f"TAGLINE_{environment.upper().replace('-', '_')}"


def places(environments: Sequence[str]) -> Mapping[str, int]:
    """Each environment's number, which its ids and ports follow from; those of other names come after the known ones."""
    others = (name for name in environments if name not in PLACES)
    number = {name: index for index, name in enumerate((*PLACES, *others))}
    return {name: number[name] for name in environments}


class Sandbox:
    """
    The remotes with their token endpoint.

    Args:
        clock: The time every site lives in.
        seed: Decides ids, credentials and sample data.
        environments: One shop, one organisation and one Finance environment each.
        rate_limits: Whether the remotes' documented limits are enforced.
        solution: Whether tagline's solution is installed in every organisation.
        shop_quirks: How every shop does what nobody is sure of; the next three are the other sites' own.
    """

    def __init__(
        self,
        clock: Clock,
        seed: int = 1,
        environments: Sequence[str] = ("dev",),
        *,
        rate_limits: bool = False,
        solution: bool = True,
        shop_quirks: ShopQuirks | None = None,
        organisation_quirks: OrganisationQuirks | None = None,
        finance_quirks: FinanceQuirks | None = None,
        login_quirks: LoginQuirks | None = None,
    ) -> None:
        self.clock = clock
        self.seed = seed
        self.environments = tuple(environments)
        tenant = str(uuid.UUID(int=Random(f"tenant {seed}").getrandbits(128), version=4))  # noqa: S311
        self.login = Login(clock, tenant, seed, login_quirks)
        self._quirks = (shop_quirks, organisation_quirks, finance_quirks)
        self.shops: dict[str, Shop] = {}
        self.organisations: dict[str, Organisation] = {}
        self.finance: dict[str, Finance] = {}
        self.endpoints = Endpoints(
            login="https://login.sandbox.test",
            shops={name: f"https://shop-{name}.sandbox.test" for name in environments},
            organisations={name: f"https://org-{name}.sandbox.test" for name in environments},
            finance={name: f"https://fin-{name}.sandbox.test" for name in environments},
        )
        self.save: Callable[[], None] = lambda: None
        """Writes down what changed without a request, where a state file is kept."""
        self._secrets: dict[str, dict[str, str]] = {}
        self._client_ids: dict[str, str] = {}
        self._deployers: dict[str, Application] = {}
        self._finance_ids: dict[str, str] = {}
        for name, number in places(environments).items():
            self._build(name, seed * 100 + number, rate_limits=rate_limits, solution=solution)

    def _build(self, name: str, seed: int, *, rate_limits: bool, solution: bool) -> None:
        random = Random(f"credentials {name} {seed}")  # noqa: S311 - throw-away credentials of a sandbox
        client_id = str(uuid.UUID(int=random.getrandbits(128), version=4))
        key, token, secret, hook = (f"{random.getrandbits(128):032x}" for _ in range(4))
        state_key = base64.urlsafe_b64encode(random.randbytes(32)).decode()
        finance_id = str(uuid.UUID(int=random.getrandbits(128), version=4))
        finance_secret = f"{random.getrandbits(128):032x}"
        prefix = _prefix(name)
        shop_quirks, organisation_quirks, finance_quirks = self._quirks
        self._secrets[name] = {
            f"{prefix}_SHOP_PRIVATE_KEY": key,
            f"{prefix}_SHOP_TOKEN": token,
            f"{prefix}_SHOP_WEBHOOK_TOKEN": hook,
            f"{prefix}_CRM_CLIENT_SECRET": secret,
            f"{prefix}_STATE_KEY": state_key,
            f"{prefix}_FINANCE_CLIENT_SECRET": finance_secret,
        }
        keys = ShopKeys(f"https://{name}-teas.3dcartstores.com", key, token)
        self.shops[name] = Shop(
            self.clock,
            keys,
            time_zone=TIME_ZONE,
            currency=CURRENCY,
            seed=seed,
            rate_limits=rate_limits,
            quirks=shop_quirks,
        )
        self.login.applications[client_id] = Application(client_id, secret)
        self.login.resources.add(self.endpoints.organisations[name])
        organisation = Organisation(
            self.clock,
            self.login,
            seed=seed,
            rate_limits=rate_limits,
            solution=solution,
            quirks=organisation_quirks,
        )
        self.organisations[name] = organisation
        organisation.add_application(client_id, "tagline", ADMINISTRATOR)
        self._deployers[name] = self._deployer(name, seed, organisation)
        with organisation.entered():
            fill(organisation.records, seed)
        self._client_ids[name] = client_id
        self.login.applications[finance_id] = Application(finance_id, finance_secret)
        self.login.resources.add(self.endpoints.finance[name])
        self.finance[name] = Finance(self.clock, self.login, seed=seed, quirks=finance_quirks)
        self.finance[name].applications.add(finance_id)
        self._finance_ids[name] = finance_id

    def _deployer(self, name: str, seed: int, organisation: Organisation) -> Application:
        """A second application that may set the organisation up, and has nothing to do with its records."""
        random = Random(f"deploy {name} {seed}")  # noqa: S311 - throw-away credentials of a sandbox
        client_id, user_id = (str(uuid.UUID(int=random.getrandbits(128), version=4)) for _ in range(2))
        deployer = Application(client_id, f"{random.getrandbits(128):032x}")
        self.login.applications[client_id] = deployer
        organisation.add_application(client_id, "tagline deploy", CUSTOMISER, user_id)
        return deployer

    def deployer(self, env: str) -> Application:
        """The application of an environment that may change tables and roles: what `deploy` of a connection names."""
        return self._deployers[env]

    def sites(self, endpoints: Endpoints | None = None) -> Mapping[str, Site]:
        """Every site by its origin."""
        at = endpoints or self.endpoints
        found: dict[str, Site] = {at.login: Front(self.login, lambda: self._page(at))}
        for name in self.environments:
            found[at.shops[name]] = self.shops[name]
            found[at.organisations[name]] = self.organisations[name]
        for name in self.environments:
            found[at.finance[name]] = self.finance[name]
        return found

    def transport(self) -> httpx.BaseTransport:
        """Carries an httpx client's requests to the sites in process, by host."""
        return SandboxTransport(self.sites())

    def secret(self, reference: str) -> str:
        """The secret that a reference of `connection_configs` names: what `connect` takes as `secrets`."""
        name = reference.removeprefix("env:")
        return next(held[name] for held in self._secrets.values() if name in held)

    def keep(self, file: StateFile) -> None:
        """
        Hold what a state file has, or write everything into a new one; from now on every change is kept there.

        Raises:
            UsageError: See `StateFile`.
        """
        stores: dict[str, Store] = {}
        doors: dict[str, Door] = {}
        for name in self.environments:
            shop, organisation, finance = self.shops[name], self.organisations[name], self.finance[name]
            stores |= {
                f"shop {name}": shop.state,
                f"crm {name}": organisation.state,
                f"finance {name}": finance.state,
            }
            doors |= {
                f"shop {name}": shop.door,
                f"crm {name}": organisation.door,
                f"finance {name}": finance.door,
            }
        file.keep(stores)
        for site, door in doors.items():
            door.on_done = partial(_commit, file, site)

        def save() -> None:
            for site, door in doors.items():
                with door.lock:
                    file.commit(site, facts=True)

        self.save = save

    def _page(self, at: Endpoints) -> Response:
        """What stands at the sandbox's front."""
        groups = {name: self._shown(name, at) for name in self.environments}
        return front_page({"login": [Shown("login", at.login, self.login.door)], **groups}, self.seed)

    def _shown(self, name: str, at: Endpoints) -> list[Shown]:
        shop, organisation, finance = self.shops[name], self.organisations[name], self.finance[name]
        pages = {"orders": "orders"}
        sold = [Holding(table, count, pages.get(table, "")) for table, count in shop.counts().items()]
        rows = [
            Holding(table.name, organisation.rows.count(table), f"rows?table={table.name}")
            for table in tables().values()
        ]
        held = [
            Holding(table, count, f"rows?table={table}") for table, count in finance.rows.counts().items()
        ]
        waiting, lost = len(shop.webhooks.waiting()), len(shop.webhooks.given_up)
        remarks = [
            f"{len(shop.webhooks.registered)} webhooks, {waiting} deliveries on their way, {lost} given up"
        ]
        told = [
            f"{finance.events.waiting()} business events on their way, {len(finance.events.given_up)} given up"
        ]
        posts = [f"{organisation.webhooks.waiting()} deliveries on their way"]
        return [
            Shown("3dcart / Shift4Shop", at.shops[name], shop.door, sold, remarks),
            Shown("Dataverse", at.organisations[name], organisation.door, rows, posts),
            Shown("Finance", at.finance[name], finance.door, held, told),
        ]

    def connection_configs(self, env: str, endpoints: Endpoints | None = None) -> dict[str, dict[str, Any]]:
        """
        What configuration needs to connect to one environment.

        Returns:
            `shop`, `crm` and `finance` with the fields of their connection sections, and `secrets`: environment variable -> value, under
            the names of the checked-in environments, with a key for the agent's state that is as throw-away as the rest.
        """
        at = endpoints or self.endpoints
        key, token, hook, secret, _, finance_secret = (f"env:{name}" for name in self._secrets[env])
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
                "deploy": {
                    "client_id": self._deployers[env].client_id,
                    "client_secret": f"env:{_prefix(env)}_CRM_DEPLOY_SECRET",
                },
            },
            "secrets": {
                **self._secrets[env],
                f"{_prefix(env)}_CRM_DEPLOY_SECRET": self._deployers[env].client_secret,
            },
            "finance": {
                "system": "finance",
                "url": at.finance[env],
                "tenant": self.login.tenant,
                "client_id": self._finance_ids[env],
                "client_secret": finance_secret,
                "authority": at.login,
                "company": DEFAULT_COMPANY,
                "ca_file": at.ca_file,
            },
        }


def _commit(file: StateFile, site: str, request: Request) -> None:
    file.commit(site, facts=request.method not in ("GET", "HEAD"))


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
