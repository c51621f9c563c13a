"""A flow that rows of an organisation start, where its webhooks are lost, doubled, late and out of order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from tests.runtime.fakes import INTEGRATION, FakeLedger, Invoice, NoSettings, ledger
from tests.runtime.making import START, make_deployment, make_store

from tagline.clock import VirtualClock
from tagline.connectors import connect
from tagline.connectors.dataverse import Account, Dataverse
from tagline.domain.environment import DataverseConnection
from tagline.domain.exchange import Request
from tagline.domain.system import connection, every
from tagline.flow.declare import flow
from tagline.flow.effects import upsert
from tagline.integration import routes
from tagline.runtime.engine import MemoryEngine
from tagline.runtime.store import Hint
from tagline.runtime.worker import Worker
from tagline.sandbox import values as wire
from tagline.sandbox.mishaps import Mishap, Mishaps
from tagline.sandbox.sandbox import Sandbox

HOOKS = "https://agent.test/hooks/orders/crm"
crm = connection(Dataverse)


@flow(
    on=[crm.account_created, crm.account_changed],
    sweep=every(minutes=15),
    key=lambda account: str(account.accountid),
)
async def bill(account: Account, settings: NoSettings) -> None:
    """A company's credit limit becomes an invoice of its number."""
    await upsert(Invoice(number=account.accountnumber, total=account.creditlimit))


class House:
    """An organisation that posts, a store that hears it, and a worker."""

    def __init__(self, folder: Path) -> None:
        self.clock = VirtualClock(START)
        self.sandbox = Sandbox(self.clock)
        self.organisation = self.sandbox.organisations["dev"]
        configs = self.sandbox.connection_configs("dev")
        self.given, secrets = configs["crm"], {**configs["secrets"], "HOOK": "a" * 24}
        self.stranger = _signed_in(self.sandbox, self.given)
        self.crm = connect(
            "crm",
            DataverseConnection.model_validate({**self.given, "webhook_token": "env:HOOK"}),
            clock=self.clock,
            secrets=lambda reference: secrets[reference.removeprefix("env:")],
            transport=self.sandbox.transport(),
        )
        self.ledger = FakeLedger()
        integration = replace(INTEGRATION, connections={"crm": crm, "ledger": ledger}, flows={"bill": bill})
        self.routes = routes(integration)
        self.store = make_store(folder, self.clock)
        self.store.activate(make_deployment(1), self.routes)
        self.crm.subscribe([event for _, event in self.routes], HOOKS)
        self.heard: list[str] = []
        self.worker = Worker(
            integration,
            NoSettings(),
            {"crm": self.crm, "ledger": self.ledger},
            self.store,
            MemoryEngine(),
            self.clock,
            make_deployment(1),
            random=Random(7),
        )
        self.worker.recover()

    def change(self, number: int, amount: int) -> None:
        """Somebody else gives a company its credit limit; the company is made where it is not there."""
        answer = self.stranger.patch(
            f"{self.given['url']}/api/data/v9.2/accounts(tl_customerkey='c{number}')",
            json={"name": f"c{number}", "accountnumber": f"N{number}", "creditlimit": amount},
        )
        assert answer.status_code == 204, answer.text

    def work_until(self, seconds: float) -> None:
        """Deliver, work and sweep whenever something is due, for so long."""
        end = self.clock.now() + timedelta(seconds=seconds)
        while self.clock.now() < end:
            self.organisation.webhooks.deliver(self.receive)
            self.worker.sweep()
            self.worker.work()
            due = [end, self.organisation.webhooks.next_due() or end, self.worker.next_due() or end]
            self.clock.advance(max(1.0, (min(due) - self.clock.now()).total_seconds()))

    def receive(self, request: wire.Request) -> int:
        """What the intake does, less its checks."""
        event = urlsplit(request.url).path.split("/")[-2]
        told = Request("POST", "/hooks", {}, dict(request.headers), request.body)
        hints = [
            Hint("orders", name, change.key, "webhook", "crm", change.version)
            for change in self.crm.hint(told)
            for name in self.routes["crm", event]
        ]
        self.heard += [hint.key for hint in hints]
        self.store.receive(hints)
        return 200

    def close(self) -> None:
        self.worker.stop()
        self.stranger.close()
        self.crm.close()
        self.store.close()


def _signed_in(sandbox: Sandbox, given: dict[str, Any]) -> httpx.Client:
    """A client of the organisation that is none of ours."""
    client = httpx.Client(transport=sandbox.transport())
    form = {
        "client_id": given["client_id"],
        "client_secret": sandbox.secret(given["client_secret"]),
        "grant_type": "client_credentials",
        "scope": f"{given['url']}/.default",
    }
    answer = client.post(f"{given['authority']}/{given['tenant']}/oauth2/v2.0/token", data=form)
    client.headers["authorization"] = f"Bearer {answer.json()['access_token']}"
    return client


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with closing(House(tmp_path)) as made:
        yield made


def test_what_the_webhooks_tell_is_done_before_any_sweep(house: House) -> None:
    house.work_until(60)
    house.change(1, 10)
    house.work_until(60)
    assert house.ledger.totals() == {"N1": Decimal(10)}
    assert len(house.heard) == 1


@pytest.mark.parametrize("astray", Mishap)
def test_a_webhook_that_goes_astray_is_made_good_by_the_sweep(house: House, astray: Mishap) -> None:
    house.work_until(60)
    house.organisation.webhooks.mishaps.next_deliveries(astray)
    house.change(1, 10)
    house.work_until(20)
    heard = {Mishap.LOST: 0, Mishap.DOUBLED: 2, Mishap.LATE: 0, Mishap.REORDERED: 0}[astray]
    assert len(house.heard) == heard
    assert len(house.ledger.rows) == (1 if heard else 0)
    house.change(1, 11)
    house.work_until(1800)
    assert house.ledger.totals() == {"N1": Decimal(11)}
    assert len(house.ledger.created) == 1


def test_with_all_mishaps_at_once_everything_stands_as_the_organisation_has_it(house: House) -> None:
    house.work_until(60)
    house.organisation.webhooks.mishaps = Mishaps(lost=0.4, doubled=0.4, late=0.4, reordered=True, seed=1)
    random = Random(1)
    wanted: dict[str, Decimal] = {}
    for _ in range(12):
        number, amount = random.randrange(5), random.randrange(1000)
        house.change(number, amount)
        wanted[f"N{number}"] = Decimal(amount)
        house.work_until(random.choice((2, 40)))
    house.work_until(1800)
    assert house.ledger.totals() == wanted
    assert len(house.ledger.created) == len(wanted)
    assert house.organisation.webhooks.mishaps.deliveries == 12
