"""The flow on real connectors against the sandbox in process: fifty usual orders and every awkward one."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest
from order_to_cash.flows import order_to_cash
from order_to_cash.settings import OrderToCashSettings
from pydantic import TypeAdapter

from tagline.clock import VirtualClock
from tagline.connectors import connect
from tagline.connectors.dataverse import SalesOrder
from tagline.connectors.shift4shop import Order
from tagline.domain.environment import Connection
from tagline.domain.exchange import Connector
from tagline.flow.drive import drive
from tagline.runtime.journal import Intent, MemoryJournal
from tagline.runtime.live import LiveDriver
from tagline.sandbox.catalogue import LIMITED
from tagline.sandbox.sandbox import Sandbox
from tagline.sandbox.seed import PRICE_LIST, add_product

CONNECTION: TypeAdapter[Connection] = TypeAdapter(Connection)
SETTINGS = OrderToCashSettings(price_level=PRICE_LIST)
REFUSED = {
    "unknown_sku": "unknown-sku",
    "impossible_total": "order-total-differs",
    "unmapped_status": "status-unmapped",
}


class Rehearsal:
    """A shop and an organisation, and the flow between them."""

    def __init__(self) -> None:
        clock = VirtualClock(datetime(2026, 11, 25, 12, tzinfo=UTC))
        sandbox = Sandbox(clock)
        described = sandbox.connection_configs("dev")
        secrets = {f"env:{name}": value for name, value in described["secrets"].items()}
        self.shop, self.organisation = sandbox.shops["dev"], sandbox.organisations["dev"]
        self.connectors: dict[str, Any] = {}
        for name in ("shop", "crm"):
            config = CONNECTION.validate_python(described[name])
            self.connectors[config.system] = connect(
                name, config, clock=clock, secrets=secrets.__getitem__, transport=sandbox.transport()
            )

    def run(self, *order_ids: int) -> tuple[dict[int, str], list[Intent]]:
        """Run the flow for orders as the shop has them now: codes of those set aside, and what was written."""
        shop: Connector = self.connectors["shift4shop"]
        fetched = shop.fetch(Order, [str(order_id) for order_id in order_ids])
        journal = MemoryJournal()
        driver = LiveDriver(
            self.connectors, journal, deployment="d", integration="order_to_cash", flow="order_to_cash"
        )
        ended = drive(order_to_cash, fetched.records, SETTINGS, driver)
        codes = {int(key): each.error.code for key, each in ended.items() if each.error is not None}
        return codes, list(journal.intents)

    def sales_order(self, order_id: int) -> dict[str, Any] | None:
        """What stands in Dataverse for an order of the shop."""
        key = (("tl_orderkey", f"shop-{order_id}"),)
        crm: Connector = self.connectors["dataverse"]
        rows = crm.read(SalesOrder, [key], ("totalamount", "statecode"))
        return {**rows[key].values, "id": rows[key].id} if key in rows else None


@pytest.fixture
def rehearsal() -> Iterator[Rehearsal]:
    made = Rehearsal()
    with closing(made.connectors["shift4shop"]), closing(made.connectors["dataverse"]):
        yield made


def test_orders_stand_once_with_their_totals_and_ids_on_both_sides(rehearsal: Rehearsal):
    usual, awkward = rehearsal.shop.place_orders(50, 1), rehearsal.shop.place_awkward()
    every_order = [*usual, *awkward.values()]
    codes, _ = rehearsal.run(*every_order)
    assert codes == {awkward[case]: code for case, code in REFUSED.items()}

    refused = {*codes, awkward["malformed"]}
    for order_id in every_order:
        stands, order = rehearsal.sales_order(order_id), rehearsal.shop.orders[order_id]
        if order_id in refused:
            assert stands is None
            assert order["ExternalComments"] == ""
        else:
            assert stands is not None
            assert order["OrderAmount"] == stands["totalamount"]
            assert order["ExternalComments"] == stands["id"]
            assert stands["statecode"] == (3 if order["OrderStatusID"] == 4 else 0)

    again, written = rehearsal.run(*reversed(every_order))
    assert again == codes
    assert written == []


def test_what_changes_in_the_shop_follows(rehearsal: Rehearsal):
    awkward = rehearsal.shop.place_awkward()
    rehearsal.run(*awkward.values())
    removed, shipped, cancelled = awkward["line_removed_later"], awkward["guest"], awkward["plus_email"]
    rehearsal.shop.remove_line(removed, 1)
    rehearsal.shop.change_status(shipped, 4)
    rehearsal.shop.change_status(cancelled, 5)
    add_product(rehearsal.organisation.records, LIMITED)

    codes, _ = rehearsal.run(removed, shipped, cancelled, awkward["unknown_sku"])
    assert codes == {}
    states = {}
    for order_id in (removed, shipped, cancelled, awkward["unknown_sku"]):
        stands = rehearsal.sales_order(order_id)
        assert stands is not None
        assert rehearsal.shop.orders[order_id]["OrderAmount"] == stands["totalamount"]
        states[order_id] = stands["statecode"]
    assert states == {removed: 0, shipped: 3, cancelled: 2, awkward["unknown_sku"]: 0}


def test_an_order_edited_after_it_was_closed_goes_to_review_and_changes_nothing(rehearsal: Rehearsal):
    order_id = rehearsal.shop.place_awkward()["line_removed_later"]
    rehearsal.shop.change_status(order_id, 4)
    assert rehearsal.run(order_id)[0] == {}
    rehearsal.shop.remove_line(order_id, 1)
    codes, written = rehearsal.run(order_id)
    assert codes == {order_id: "order-locked"}
    assert written == []
