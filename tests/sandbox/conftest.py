"""A sandbox on a virtual clock, and clients that know of it only what a stranger's would: addresses and credentials."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest

from tagline.clock import VirtualClock
from tagline.sandbox.sandbox import Sandbox, SandboxTransport
from tagline.sandbox.shop import Shop
from tagline.sandbox.shop_access import ShopKeys

START = datetime(2026, 7, 1, 15, 30, tzinfo=UTC)
"""In July the store's clock stands four hours behind UTC."""


class Remote:
    """An httpx client with a base address and headers; bodies parsed with exact numbers."""

    def __init__(self, client: httpx.Client, base: str, headers: dict[str, str]) -> None:
        self.client, self.base, self.headers = client, base, headers

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        url = path if path.startswith("https://") else self.base + path
        return self.client.request(method, url, json=body, headers={**self.headers, **given})

    def read(self, path: str, **headers: str) -> Any:
        answer = self.call("GET", path, **headers)
        assert answer.status_code == 200, answer.text
        return json.loads(answer.text, parse_float=Decimal)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(START)


@pytest.fixture
def sandbox(clock: VirtualClock) -> Sandbox:
    return Sandbox(clock, seed=7)


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[httpx.Client]:
    with httpx.Client(transport=sandbox.transport()) as client:
        yield client


def shop_remote(sandbox: Sandbox, client: httpx.Client) -> Remote:
    configs = sandbox.connection_configs("dev")
    config, secrets = configs["shop"], configs["secrets"]
    headers = {
        "SecureUrl": config["store_url"],
        "PrivateKey": secrets[config["private_key"].removeprefix("env:")],
        "Token": secrets[config["token"].removeprefix("env:")],
    }
    return Remote(client, config["url"], headers)


def token(sandbox: Sandbox, client: httpx.Client) -> str:
    configs = sandbox.connection_configs("dev")
    config, secrets = configs["crm"], configs["secrets"]
    answer = client.post(
        f"{config['authority']}/{config['tenant']}/oauth2/v2.0/token",
        data={
            "client_id": config["client_id"],
            "client_secret": secrets[config["client_secret"].removeprefix("env:")],
            "grant_type": "client_credentials",
            "scope": f"{config['url']}/.default",
        },
    )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


def organisation_remote(sandbox: Sandbox, client: httpx.Client) -> Remote:
    base = sandbox.connection_configs("dev")["crm"]["url"] + "/api/data/v9.2/"
    return Remote(client, base, {"Authorization": f"Bearer {token(sandbox, client)}"})


@pytest.fixture
def store(sandbox: Sandbox, client: httpx.Client) -> Remote:
    """The shop's REST API with good credentials."""
    return shop_remote(sandbox, client)


SHOP = "https://shop-dev.sandbox.test"


@pytest.fixture
def make_shop(clock: VirtualClock) -> Callable[..., Shop]:
    """Makes a shop alone, without the rest of a sandbox."""

    def make(**options: Any) -> Shop:
        keys = ShopKeys("https://dev-teas.3dcartstores.com", "private", "token")
        given = {"time_zone": "America/New_York", "currency": "USD", "seed": 7, "rate_limits": False}
        return Shop(clock, keys, **{**given, **options})

    return make


@pytest.fixture
def shop(make_shop: Callable[..., Shop]) -> Shop:
    return make_shop()


@pytest.fixture
def visitor(shop: Shop) -> Iterator[httpx.Client]:
    """A client of that shop that has no credentials yet."""
    with httpx.Client(transport=SandboxTransport({SHOP: shop})) as client:
        yield client


@pytest.fixture
def http(shop: Shop, visitor: httpx.Client) -> httpx.Client:
    """A client of that shop that sends the trio with every call, as the vendor's documentation tells."""
    keys = shop.keys
    visitor.headers.update(
        {"SecureUrl": keys.secure_url, "PrivateKey": keys.private_key, "Token": keys.token}
    )
    return visitor


@pytest.fixture
def crm(sandbox: Sandbox, client: httpx.Client) -> Remote:
    """The organisation's Web API with a token."""
    return organisation_remote(sandbox, client)


def finance_remote(sandbox: Sandbox, client: httpx.Client) -> Remote:
    configs = sandbox.connection_configs("dev")
    config, secrets = configs["finance"], configs["secrets"]
    answer = client.post(
        f"{config['authority']}/{config['tenant']}/oauth2/v2.0/token",
        data={
            "client_id": config["client_id"],
            "client_secret": secrets[config["client_secret"].removeprefix("env:")],
            "grant_type": "client_credentials",
            "scope": f"{config['url']}/.default",
        },
    )
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    return Remote(client, f"{config['url']}/data/", headers)


@pytest.fixture
def finance(sandbox: Sandbox, client: httpx.Client) -> Remote:
    """Finance's OData with a token."""
    return finance_remote(sandbox, client)


@pytest.fixture
def connect_finance() -> Callable[[Sandbox, httpx.Client], Remote]:
    return finance_remote


@pytest.fixture
def make_sandbox() -> Callable[..., Sandbox]:
    """Makes another sandbox, with its own clock unless one is given."""

    def make(clock: VirtualClock | None = None, **options: Any) -> Sandbox:
        return Sandbox(clock or VirtualClock(START), **options)

    return make


@pytest.fixture
def connect_shop() -> Callable[[Sandbox, httpx.Client], Remote]:
    return shop_remote


@pytest.fixture
def connect_crm() -> Callable[[Sandbox, httpx.Client], Remote]:
    return organisation_remote


class Orders:
    """Makes orders in an organisation, with boring defaults."""

    def __init__(self, crm: Remote) -> None:
        self.crm = crm
        self.account = crm.read("accounts?$select=name&$top=1")["value"][0]["accountid"]

    def header(self, key: str = "o1", **changes: Any) -> str:
        body = {
            "name": f"order {key}",
            "customerid_account@odata.bind": f"/accounts({self.account})",
            "pricelevelid@odata.bind": "/pricelevels(name='Web')",
            **changes,
        }
        body = {name: value for name, value in body.items() if value is not ...}
        answer = self.crm.call("PATCH", f"salesorders(tl_orderkey='{key}')", body)
        assert answer.status_code == 204, answer.text
        return f"salesorders(tl_orderkey='{key}')"

    def line(self, key: str = "l1", order: str = "o1", **changes: Any) -> httpx.Response:
        body = {
            "salesorderid@odata.bind": f"/salesorders(tl_orderkey='{order}')",
            "productid@odata.bind": "/products(productnumber='TEA-001')",
            "uomid@odata.bind": "/uoms(name='Primary Unit')",
            "quantity": 1,
            "ispriceoverridden": True,
            "priceperunit": 10,
            **changes,
        }
        body = {name: value for name, value in body.items() if value is not ...}
        return self.crm.call("PATCH", f"salesorderdetails(tl_linekey='{key}')", body)


@pytest.fixture
def orders(crm: Remote) -> Orders:
    return Orders(crm)
