"""What an environment has before it, as its state folder tells."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest
from tests.runtime.making import before

from tagline.clock import VirtualClock
from tagline.connectors.budgets import governor_for, in_files
from tagline.domain.environment import Connection, DataverseConnection, Shift4ShopConnection
from tagline.errors import Disposition, RecordError, TryAgainError
from tagline.runtime.breaker import FAILURES, Asking, Line
from tagline.runtime.breakers import Breakers
from tagline.runtime.database import Database
from tagline.runtime.inbox import Hint, receive
from tagline.runtime.key_ring import KeyRing, make_key
from tagline.runtime.load import Load, load_of, spent_of
from tagline.runtime.places import SqliteFile
from tagline.runtime.store import Store

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


def of(state: Path, connections: Mapping[str, Connection], clock: VirtualClock) -> Load | None:
    return load_of(SqliteFile(state / "state.sqlite"), state, connections, clock)


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
    assert of(tmp_path / "dev", CONNECTIONS, clock) is None
    assert not (tmp_path / "dev").exists()


def test_the_slowest_remote_decides_how_long_it_takes(tmp_path, clock):
    _wait(tmp_path, clock, 300)
    load = of(tmp_path, CONNECTIONS, clock)
    assert load is not None
    assert load.waiting == 300
    # Two requests of the shop for each order, 40 at once and two a second from there on.
    assert load.drain_s == pytest.approx((600 - 40) / 2)


def test_what_the_workers_spent_shows(tmp_path, clock):
    _wait(tmp_path, clock, 1)
    governor = governor_for(SHOP, clock, keep=in_files(tmp_path, clock))
    for _ in range(20):
        with governor.admit():
            pass
    load = of(tmp_path, CONNECTIONS, clock)
    assert load is not None
    assert {b.connection: b.used for b in load.budgets} == {"crm": 0.0, "shop": pytest.approx(0.5)}


def test_an_empty_inbox_takes_no_time(tmp_path, clock):
    _wait(tmp_path, clock, 0)
    load = of(tmp_path, CONNECTIONS, clock)
    assert load is not None
    assert load.drain_s == 0


def test_what_is_used_of_the_days_entitlement_shows(tmp_path, clock):
    _wait(tmp_path, clock, 1)
    crm = CONNECTIONS["crm"].model_copy(update={"daily_requests": 100})
    with governor_for(crm, clock, keep=in_files(tmp_path, clock)).admit(weight=25):
        pass
    load = of(tmp_path, {"crm": crm}, clock)
    assert load is not None
    assert [b.used_today for b in load.budgets] == [0.25]


def test_a_back_fill_is_told_apart_and_drains_behind_live_records_by_its_share(tmp_path, clock):
    _wait(tmp_path, clock, 10)
    database = Database.open(tmp_path / "state.sqlite")
    with database.write() as conn:
        receive(
            conn, [Hint("o2c", "orders", f"old {n}", "back-fill", "shop") for n in range(300)], clock.now()
        )
    database.close()
    load = of(tmp_path, CONNECTIONS, clock)
    assert load is not None
    assert (load.waiting, load.back_fill) == (10, 300)
    assert load.drain_s == 0  # 20 requests of a bucket that takes 40 at once
    # The back-fill's share of the bucket is 32, and it comes after the 20.
    assert load.back_fill_drain_s == pytest.approx((20 + 300 - 32) / 2)


def test_a_back_fill_beyond_the_days_entitlement_waits_for_the_next_days(tmp_path, clock):
    crm = CRM.model_copy(update={"daily_requests": 100})
    spent = spent_of("crm", crm, 0, 40, clock, None)
    # 320 rows at 80 a day: three midnights from the midnight that it is.
    assert spent.back_fill_drain_s == pytest.approx(3 * 86_400)
    assert spent.drain_s == 0


def test_open_dead_letters_are_counted(tmp_path, clock):
    store = Store.open(tmp_path / "state.sqlite", ring=KeyRing.of(make_key().text), clock=clock)
    for key in ("1", "2"):
        store.reject("o2c", "orders", key, RecordError("wrong", code="unknown-sku"))
    store.dead_letters.redrive([1])
    store.close()
    load = of(tmp_path, CONNECTIONS, clock)
    assert load is not None
    assert load.dead_letters == 1


def test_a_state_of_the_release_before_is_read_though_it_has_no_lanes(tmp_path, clock):
    """Its agent may still be running; nothing is changed under it."""
    before(tmp_path / "state.sqlite", "0001")
    load = of(tmp_path, CONNECTIONS, clock)
    assert load is not None
    assert (load.waiting, load.back_fill) == (2, 0)


def test_a_remote_that_is_away_is_told(tmp_path: Path, clock: VirtualClock) -> None:
    _wait(tmp_path, clock, 1)
    database = Database.open(tmp_path / "state.sqlite")
    breakers = Breakers(database, clock, Random(1))
    for _ in range(FAILURES):
        error = TryAgainError("no answer", code="remote-unreachable", disposition=Disposition.RETRY)
        breakers.unanswered(Line("crm", Asking.READ), error, ["1", "2"])
    database.close()
    load = of(tmp_path, CONNECTIONS, clock)
    assert load is not None
    assert [str(away) for away in load.away] == [
        "crm is away since 2026-01-01 00:00Z (remote-unreachable); what needs it waits"
    ]
