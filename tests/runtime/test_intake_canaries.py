"""Whatever a sender puts wherever it can: of cards, tokens and e-mail addresses not one reaches a byte on disk or a line of the log."""

import json
import logging
import random
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from tests.runtime.housing import URL, House

from tagline.clock import VirtualClock
from tagline.connectors import connect
from tagline.domain.environment import DataverseConnection, FinanceConnection, Shift4ShopConnection
from tagline.domain.exchange import Connector
from tagline.runtime.intake import Door, Hook

CANARIES = 500
ENTRANCES = 20
ROW = "11111111-2222-3333-4444-555555555555"
ENTRA = {"url": "https://org.test", "tenant": "t", "client_id": "c", "client_secret": "env:S"}


def card(rng: random.Random) -> str:
    digits = [4, *(rng.randrange(10) for _ in range(14))]
    total = sum(sum(divmod(2 * d, 10)) if n % 2 == 0 else d for n, d in enumerate(digits))
    return "".join(map(str, digits)) + str(-total % 10)


def canaries() -> list[str]:
    rng = random.Random(20260301)
    made = []
    for n in range(CANARIES):
        token = f"{rng.getrandbits(96):024x}"
        made.append([card(rng), f"tok-{token}", f"canary.{token}@example.com"][n // 3 % 3])
    return made


def connectors(clock: VirtualClock) -> dict[str, Connector]:
    shop = Shift4ShopConnection(
        system="shift4shop",
        store_url="https://shop.test",
        access_token="env:T",
        time_zone="UTC",
        currency="USD",
        webhook_token="env:H",
    )
    given = {
        "shop": shop,
        "crm": DataverseConnection.model_validate({"system": "dataverse", **ENTRA}),
        "erp": FinanceConnection.model_validate({"system": "finance", "company": "usmf", **ENTRA}),
    }
    return {
        name: connect(name, config, clock=clock, secrets=lambda name: "x") for name, config in given.items()
    }


EVENTS = {"shop": "order-placed", "crm": "salesorder-created", "erp": "sales_order_confirmed"}
ROUTES = dict.fromkeys(EVENTS.items(), ("orders",))


def bodies(canary: str) -> Iterator[bytes]:
    """A canary in every place of a body, whole bodies and such as nobody can read."""
    order = {
        "OrderID": 7,
        "CardNumber": canary,
        "BillingEmail": canary,
        "OrderItemList": [{"ItemID": canary}],
    }
    yield json.dumps([order]).encode()
    yield json.dumps({"OrderID": canary, canary: canary}).encode()
    yield json.dumps([{"CustomerID": canary}]).encode()
    if canary.isdecimal():
        yield b'[{"OrderID": %b}]' % canary.encode()
        yield b'{"OrderID": %b.5}' % canary.encode()
    yield json.dumps([order]).encode()[:-9]
    yield canary.encode()
    yield b'"' + canary.encode() + b'\xff"'
    yield b'{"%b": 1, "%b": 2}' % (canary.encode(), canary.encode())
    context = {"MessageName": "Create", "PrimaryEntityName": "salesorder", "PrimaryEntityId": ROW}
    yield json.dumps({**context, "InputParameters": [{"key": canary, "value": canary}]}).encode()
    yield json.dumps({**context, "PrimaryEntityId": canary}).encode()
    yield json.dumps({**context, "PrimaryEntityName": canary, "OperationCreatedOn": canary}).encode()
    yield json.dumps({**context, "MessageName": canary}).encode()
    yield json.dumps({"BusinessEventId": canary, "SalesOrderNumber": "SO-1", "LegalEntity": canary}).encode()


def requests(canary: str, url: str) -> Iterator[httpx.Request]:
    post = "POST"
    plain = quote(canary, safe="")
    for content in bodies(canary):
        yield httpx.Request(post, url, content=content)
    body = b'[{"OrderID": 8}]'
    yield httpx.Request(post, f"{url}?code={plain}&{plain}=1", content=body)
    yield httpx.Request(post, f"{url}/{plain}", content=body)
    yield httpx.Request(post, url.replace("order_to_cash", plain), content=body)
    event, token = url.rsplit("/", 2)[1:]
    yield httpx.Request(post, url.replace(event, plain), content=body)
    yield httpx.Request(post, url.replace(token, plain), content=body)
    yield httpx.Request(post, url, content=body, headers={"X-Tagline-Token": canary})
    headers = dict.fromkeys(("User-Agent", "Cookie", "Authorization", "X-Request-Id", "Content-Type"), canary)
    yield httpx.Request(post, url, content=body, headers={**headers, "x-ms-dynamics-entity-name": canary})
    yield httpx.Request("GET", f"{url}?{plain}", headers=headers)
    yield httpx.Request("DELETE", f"{url}?{plain}")


def test_nothing_of_five_hundred_canaries_is_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("httpcore").setLevel(logging.WARNING)
    house = House(tmp_path)
    token = URL.rsplit("/", 1)[1]
    made = connectors(house.clock)
    hooks = {name: (Hook.opened_by((token,), connector),) for name, connector in made.items()}
    house.intake.open("order_to_cash", Door(hooks, ROUTES))
    places = [f"{house.client.base_url}/hooks/order_to_cash/{n}/{e}/{token}" for n, e in EVENTS.items()]
    seen: set[int] = set()
    told = []
    marks = canaries()
    for n, canary in enumerate(marks):
        every = requests(canary, places[n % 3])
        # Each entrance of each connection is tried with each kind of canary; all of them with all would take minutes.
        for request in every if n < 9 else islice(every, n % ENTRANCES, n % ENTRANCES + 1):
            answer = house.client.send(request)
            seen.add(answer.status_code)
            told.append(answer.text)
        if n % 10 == 0:
            with suppress(httpx.HTTPError):
                house.client.send(httpx.Request("POST", places[0], content=torn(canary)))
    assert house.say(f"POST {marks[0]} HTTP/9\r\n{marks[1]}\r\n\r\n".encode(), until=b"\r\n").startswith(
        b"HTTP/1.1 400"
    )
    letters = house.store.dead_letters.list()
    stored = house.stored()
    house.close()
    for connector in made.values():
        connector.close()
    assert seen == {200, 202, 404, 405}
    assert {key for _, key in stored} >= {"7", ROW}
    assert letters
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    kept = b"\0".join(file.read_bytes() for file in files)
    assert b"unread-" in kept, "the right files are looked at"
    out, err = capfd.readouterr()
    lines = "\n".join([*house.lines, *told, caplog.text, out, err])
    assert found(marks, kept) == []
    assert found(marks, lines.encode()) == []


def torn(canary: str) -> Iterator[bytes]:
    """A body that ends before it should."""
    yield b'[{"OrderID": 7, "CardNumber": "'
    yield canary.encode()
    raise httpx.WriteError("torn")


def found(marks: Sequence[str], kept: bytes) -> list[str]:
    """Canaries that can be read there, also as UTF-16."""
    return [m for m in marks if m.encode() in kept or m.encode("utf-16-le") in kept]
