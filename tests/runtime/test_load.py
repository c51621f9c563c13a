"""What an environment has before it, as its state folder tells."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tagline.clock import VirtualClock
from tagline.connectors.budgets import FOLDER, governor_for
from tagline.domain.environment import Connection, DataverseConnection, Shift4ShopConnection
from tagline.runtime.database import Database
from tagline.runtime.inbox import Hint, receive
from tagline.runtime.load import load_of

SHOP = Shift4ShopConnection.model_validate(
    {
        "system": "shift4shop",
        "store_url": "https://a.test",
        "access_token": "env:A",
        "time_zone": "UTC",
        "currency": "USD",
        "webhook_token": "env:C",
    }
)
CRM = DataverseConnection.model_validate(
    {
        "system": "dataverse",
        "url": "https://o.test",
        "tenant": "t",
        "client_id": "c",
        "client_secret": "env:S",
    }
)
CONNECTIONS: dict[str, Connection] = {"shop": SHOP, "crm": CRM}


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(datetime(2026, 1, 1, tzinfo=UTC))


def _wait(state: Path, clock: VirtualClock, count: int) -> None:
    database = Database.open(state / "state.sqlite")
    hints = [Hint("o2c", "orders", str(n), "webhook", "shop") for n in range(count)]
    with database.write() as conn:
        receive(conn, hints, clock.now())
    database.close()


def test_where_no_agent_ever_ran_nothing_is_told_and_nothing_is_made(tmp_path, clock):
    assert load_of(tmp_path / "dev", CONNECTIONS, clock) is None
    assert not (tmp_path / "dev").exists()


def test_the_slowest_remote_decides_how_long_it_takes(tmp_path, clock):
    _wait(tmp_path, clock, 300)
    load = load_of(tmp_path, CONNECTIONS, clock)
    assert load is not None
    assert load.waiting == 300
    # Two requests of the shop for each order, 40 at once and two a second from there on.
    assert load.drain_s == pytest.approx((600 - 40) / 2)


def test_what_the_workers_spent_shows(tmp_path, clock):
    _wait(tmp_path, clock, 1)
    governor = governor_for(SHOP, clock, folder=tmp_path / FOLDER)
    for _ in range(20):
        with governor.admit():
            pass
    load = load_of(tmp_path, CONNECTIONS, clock)
    assert load is not None
    assert {b.connection: b.used for b in load.budgets} == {"crm": 0.0, "shop": pytest.approx(0.5)}


def test_an_empty_inbox_takes_no_time(tmp_path, clock):
    _wait(tmp_path, clock, 0)
    load = load_of(tmp_path, CONNECTIONS, clock)
    assert load is not None
    assert load.drain_s == 0


def test_what_is_used_of_the_days_entitlement_shows(tmp_path, clock):
    _wait(tmp_path, clock, 1)
    crm = CONNECTIONS["crm"].model_copy(update={"daily_requests": 100})
    with governor_for(crm, clock, folder=tmp_path / FOLDER).admit(weight=25):
        pass
    load = load_of(tmp_path, {"crm": crm}, clock)
    assert load is not None
    assert [b.used_today for b in load.budgets] == [0.25]
