"""Webhooks late, doubled and out of order, answers lost and workers killed: every order stands once, as the shop has it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tagline.harness.world import Killed, World
from tagline.integration import Integration, load
from tagline.sandbox.faults import Fault
from tagline.sandbox.seed import PRICE_LIST

INTEGRATION = Path(__file__).parents[2] / "integrations" / "order_to_cash"
REFUSED = ("unknown_sku", "impossible_total", "unmapped_status", "malformed")
STATES = {4: 3, 5: 2}
"""The shop's status -> statecode; any other leaves the order open."""


@pytest.fixture(scope="module")
def integration() -> Integration:
    return load(INTEGRATION)


@pytest.fixture
def world(integration: Integration, tmp_path: Path) -> Iterator[World]:
    settings = integration.settings.model_validate({"price_level": PRICE_LIST})
    with World(integration, settings, tmp_path) as made:
        yield made


def number(order: Mapping[str, Any]) -> str:
    """What the shop prints on the invoice; it ends the title of the sales order."""
    return f"{order['InvoiceNumberPrefix']}{order['InvoiceNumber']}"


def expected(world: World, ids: Iterable[int]) -> dict[str, tuple[Decimal, int, int]]:
    """Order -> total, lines and state, worked out from the shop's raw orders alone."""
    orders = [world.shop.orders[order_id] for order_id in ids]
    return {
        number(o): (
            o["OrderAmount"],
            len(o["OrderItemList"]),
            STATES.get(o["OrderStatusID"], 0),
        )
        for o in orders
    }


def buyers(world: World, ids: Iterable[int]) -> Counter[str]:
    """How many rows of each kind the orders' buyers need: a person one, a company two."""
    orders = [world.shop.orders[order_id] for order_id in ids]
    people = {o["CustomerID"] or o["BillingEmail"].lower() for o in orders}
    firms = {o["CustomerID"] or o["BillingEmail"].lower() for o in orders if o["BillingCompany"]}
    return Counter({"contact": len(people), "account": len(firms)})


def standing(world: World) -> dict[str, tuple[Decimal, int, int]]:
    lines = Counter(line["salesorderid"][1] for line in world.rows("salesorderdetail"))
    found = [
        (
            row["name"].removeprefix("3dcart order "),
            row["totalamount"],
            lines[row["salesorderid"]],
            row["statecode"],
        )
        for row in world.rows("salesorder")
    ]
    assert len({name for name, *_ in found}) == len(found)
    return {name: (total, count, state) for name, total, count, state in found}


def assert_equal_to_shop(world: World, ids: Iterable[int]) -> None:
    ids = list(ids)
    assert expected(world, ids) == standing(world)
    ours = Counter({t: sum("tl_customerkey" in r for r in world.rows(t)) for t in ("contact", "account")})
    assert buyers(world, ids) == ours
    named = {
        row["name"].removeprefix("3dcart order "): row["salesorderid"] for row in world.rows("salesorder")
    }
    for order_id in ids:
        order = world.shop.orders[order_id]
        assert order["ExternalComments"] == named[number(order)]


def journal(world: World) -> list[Mapping[str, Any]]:
    with world.store.database.read() as conn:
        return [dict(row) for row in conn.execute(sa.text("SELECT * FROM effects")).mappings()]


def test_every_webhook_three_times_in_any_order_writes_once(world: World):
    usual, awkward = world.place(15), world.place_awkward()
    done = [*usual, *(order_id for case, order_id in awkward.items() if case not in REFUSED)]
    runs = world.run(times=3, seed=11)
    assert_equal_to_shop(world, done)
    assert world.store.counts("order_to_cash")["received"] == 0
    assert {str(awkward[case]) for case in REFUSED} == {
        letter.key for letter in world.store.dead_letters.list()
    }
    # Once for the order, once more for our own write-back of it, however often either was told.
    assert runs.done == 2 * len(done)

    created = Counter((e["entity"], e["key"]) for e in journal(world) if e["kind"] == "create")
    assert set(created.values()) == {1}
    writes, entries = len(world.writes()), len(journal(world))
    for seed in (1, 2):
        world.deliver_again(times=3, seed=seed)
        again = world.run()
        assert again.records > 0
    assert (writes, entries) == (len(world.writes()), len(journal(world)))
    assert_equal_to_shop(world, done)


def test_own_write_backs_come_to_rest(world: World):
    assert world.shop.quirks.put_triggers_order_changed
    ids = world.place(5)
    assert world.run().records == 2 * len(ids)
    assert world.run().records == 0


def test_what_merchants_change_meanwhile_follows(world: World):
    awkward = world.place_awkward()
    removed, shipped, cancelled = awkward["line_removed_later"], awkward["guest"], awkward["plus_email"]
    world.run()
    world.shop.remove_line(removed, 1)
    world.shop.change_status(shipped, 4)
    world.shop.change_status(cancelled, 5)
    world.run(times=2, seed=3)
    assert_equal_to_shop(world, [i for case, i in awkward.items() if case not in REFUSED])


def test_orders_of_which_no_webhook_came_are_found_by_the_sweep(world: World):
    world.worker.sweep()
    ids = world.place(4)
    world.shop.webhooks.deliver(lambda _request: 200, order=lambda _due: ())
    assert world.run().records == 0
    world.clock.advance(600)
    assert world.worker.sweep() == len(ids)
    world.run()
    assert_equal_to_shop(world, ids)


@pytest.mark.parametrize("calls", range(0, 34, 4))
def test_a_worker_that_dies_after_any_call_is_followed_by_one_that_writes_the_rest_once(
    world: World, calls: int
):
    ids = world.place(4)
    world.deliver()
    world.die_after(calls)
    with pytest.raises(Killed):
        world.run()
    world.restart()
    world.run(times=2, seed=calls)
    assert_equal_to_shop(world, ids)
    created = Counter(
        (e["entity"], e["key"])
        for e in journal(world)
        if e["kind"] == "create" and e["state"] in ("done", "happened")
    )
    assert set(created.values()) == {1}
    assert {e["state"] for e in journal(world)} <= {"done", "happened", "not-happened"}


@pytest.mark.parametrize(
    "fault", [Fault.TIMEOUT_AFTER, Fault.RESET_AFTER, Fault.TORN_BODY, Fault.TIMEOUT_BEFORE]
)
def test_answers_lost_on_the_way_lose_and_double_nothing(world: World, fault: Fault):
    """Every fifth call to the organisation goes wrong, most of them after it was committed."""
    ids = world.place(6)
    world.remotes.organisation.door.faults.seeded(5, 0.2, [fault])
    world.run()
    world.remotes.organisation.door.faults.seeded(0, 0)
    assert_equal_to_shop(world, ids)
    assert world.store.dead_letters.list() == []
