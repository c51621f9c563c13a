"""Which records a source holds, page by page, against the sandbox's own remotes: what a back-fill lists."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any

import pytest
from pydantic import TypeAdapter

from tagline.clock import VirtualClock
from tagline.connectors import connect
from tagline.connectors.dataverse import Account
from tagline.connectors.finance import Customer, SalesOrderHeader, SalesOrderLine
from tagline.connectors.shift4shop import Category, Order, OrderItem, Product
from tagline.domain.environment import Connection
from tagline.domain.exchange import Connector, Days, Listed, Write, WriteKind
from tagline.errors import TryAgainError, UsageError
from tagline.sandbox.faults import Fault
from tagline.sandbox.sandbox import Sandbox

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
EVERY = Days()


@pytest.fixture
def sandbox() -> Sandbox:
    return Sandbox(VirtualClock(NOW))


@pytest.fixture
def remotes(sandbox: Sandbox) -> Iterator[Mapping[str, Connector]]:
    described = sandbox.connection_configs("dev")
    secrets = {f"env:{name}": value for name, value in described["secrets"].items()}
    made = {
        name: connect(
            name,
            TypeAdapter[Connection](Connection).validate_python(described[name]),
            clock=sandbox.clock,
            secrets=secrets.__getitem__,
            transport=sandbox.transport(),
        )
        for name in ("shop", "crm", "finance")
    }
    yield made
    for each in made.values():
        each.close()


def pages(remote: Connector, model: Any, days: Days = EVERY, position: str | None = None) -> list[Listed]:
    found = [remote.keys(model, days, position)]
    while found[-1].more:
        found.append(remote.keys(model, days, found[-1].position))
    return found


def keys(found: list[Listed]) -> list[str]:
    return [key for page in found for key in page.keys]


def test_the_shops_orders_are_listed_oldest_first_and_each_once(sandbox: Sandbox, remotes: Any) -> None:
    placed = sandbox.shops["dev"].place_history(700, 3)
    found = pages(remotes["shop"], Order)
    assert len(found) == 3
    assert [str(n) for n in sandbox.shops["dev"].orders] == keys(found)
    assert len(placed) <= remotes["shop"].count(Order, EVERY) == len(keys(found))


def test_a_listing_goes_on_in_another_process_from_its_position(sandbox: Sandbox, remotes: Any) -> None:
    sandbox.shops["dev"].place_history(700, 3)
    first = remotes["shop"].keys(Order, EVERY, None)
    rest = pages(remotes["shop"], Order, position=json.loads(json.dumps(first.position)))
    assert [str(n) for n in sandbox.shops["dev"].orders] == [*first.keys, *keys(rest)]


def test_orders_are_cut_by_days_of_the_store_both_included(sandbox: Sandbox, remotes: Any) -> None:
    shop = sandbox.shops["dev"]
    shop.place_history(300, 3)
    days = Days(date(2026, 2, 1), date(2026, 3, 31))
    expected = [
        str(number)
        for number, order in shop.orders.items()
        if "2026-02-01" <= str(order["OrderDate"])[:10] <= "2026-03-31"
    ]
    assert 0 < len(expected) < 300
    assert expected == keys(pages(remotes["shop"], Order, days))
    assert remotes["shop"].count(Order, days) == len(expected)


def test_a_page_that_the_shop_fails_to_hand_out_is_read_all_the_same(sandbox: Sandbox, remotes: Any) -> None:

    ids = sandbox.shops["dev"].place_history(8, 3)
    every = [str(n) for n in sandbox.shops["dev"].orders]
    assert {str(n) for n in ids} <= set(every)
    sandbox.shops["dev"].door.faults.next_calls(Fault.HTML_PAGE, Fault.HTML_PAGE, Fault.HTML_PAGE)
    assert every == keys(pages(remotes["shop"], Order))


def test_small_tables_of_the_shop_are_listed_whole_but_not_by_day(remotes: Any) -> None:
    assert keys(pages(remotes["shop"], Category))
    for model, days in (
        (Category, Days(since=NOW.date())),
        (Product, Days(until=NOW.date())),
        (OrderItem, EVERY),
    ):
        with pytest.raises(UsageError) as refused:
            remotes["shop"].keys(model, days, None)
        assert refused.value.code == "not-supported"


def create_accounts(remote: Connector, count: int) -> None:
    names = [f"roll {n:04d}" for n in range(count)]
    for start in range(0, count, 100):
        writes = [
            Write(WriteKind.CREATE, Account, (("tl_customerkey", n),), {"name": n, "tl_customerkey": n})
            for n in names[start : start + 100]
        ]
        assert {outcome.code for outcome in remote.perform(writes)} == {""}


def test_rows_of_dataverse_are_listed_by_pages_each_once(remotes: Any) -> None:
    create_accounts(remotes["crm"], 1200)
    found = pages(remotes["crm"], Account)
    assert len(found) == 2
    listed = keys(found)
    assert len(listed) == len(set(listed)) == remotes["crm"].count(Account, EVERY) >= 1200
    today = NOW.date()
    assert set(listed) >= set(keys(pages(remotes["crm"], Account, Days(today, today))))
    assert keys(pages(remotes["crm"], Account, Days(until=date(2001, 1, 1)))) == []


def test_a_link_that_is_no_longer_good_begins_the_list_anew_a_few_times(remotes: Any) -> None:
    gone = json.dumps({"link": "/api/data/v9.2/accounts?$skiptoken=gone", "restarts": 0})
    assert remotes["crm"].keys(Account, EVERY, gone).keys == remotes["crm"].keys(Account, EVERY, None).keys
    worn = json.dumps({"link": "/api/data/v9.2/accounts?$skiptoken=gone", "restarts": 3})
    with pytest.raises(TryAgainError) as ended:
        remotes["crm"].keys(Account, EVERY, worn)
    assert ended.value.code == "list-moved"


def test_rows_of_finance_are_listed_and_cut_by_day_where_they_have_one(remotes: Any) -> None:
    erp = remotes["finance"]
    assert len(keys(pages(erp, Customer))) == erp.count(Customer, EVERY) > 0
    assert keys(pages(erp, SalesOrderHeader, Days(until=date(2001, 1, 1)))) == []
    for model, days in ((Customer, Days(since=NOW.date())), (SalesOrderLine, EVERY)):
        with pytest.raises(UsageError) as refused:
            erp.keys(model, days, None)
        assert refused.value.code == "not-supported"


@pytest.mark.parametrize(("name", "model"), [("shop", Order), ("crm", Account), ("finance", Customer)])
@pytest.mark.parametrize("position", ["nonsense", "[]", "{}", '{"offset": "x"}'])
def test_a_position_of_something_else_is_refused(remotes: Any, name: str, model: Any, position: str) -> None:
    with pytest.raises(UsageError) as refused:
        remotes[name].keys(model, EVERY, position)
    assert refused.value.code == "cursor-unreadable"
