"""The integration's own solution is all that an organisation needs, and its role all that the running application needs."""

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from order_to_cash.flows import order_to_cash
from order_to_cash.settings import OrderToCashSettings

from tagline.clock import VirtualClock
from tagline.connectors import connect
from tagline.connectors.budgets import governor_for
from tagline.connectors.dataverse.importing import import_solution
from tagline.connectors.dataverse.opening import open_session
from tagline.connectors.dataverse.solution import to_zip
from tagline.connectors.shift4shop import Order
from tagline.domain.environment import DataverseConnection, Identity, Shift4ShopConnection
from tagline.flow.drive import drive
from tagline.integration.load import load_from
from tagline.integration.solution import solution_of
from tagline.runtime.journal import MemoryJournal
from tagline.runtime.live import LiveDriver
from tagline.sandbox.dataverse_founding import USER_ID
from tagline.sandbox.sandbox import Sandbox
from tagline.sandbox.seed import PRICE_LIST

ROOT = Path(__file__).parents[3]
KEYS_ACTIVE_S = 60


def test_a_bare_organisation_is_set_up_by_one_application_and_written_by_another_with_no_more_than_its_role():
    clock = VirtualClock(datetime(2026, 11, 25, 12, tzinfo=UTC))
    sandbox = Sandbox(clock, solution=False)
    shop, organisation, deployer = sandbox.shops["dev"], sandbox.organisations["dev"], sandbox.deployer("dev")
    given = sandbox.connection_configs("dev")
    crm = DataverseConnection.model_validate(given["crm"])
    made = solution_of(load_from(ROOT, "order_to_cash"))
    session = open_session(
        "crm",
        crm,
        clock=clock,
        secrets=lambda _reference: deployer.client_secret,
        governor=governor_for(crm, clock),
        identity=Identity(client_id=deployer.client_id, client_secret="env:DEPLOY"),
        transport=sandbox.transport(),
    )
    with closing(session):
        import_solution(session, to_zip(made, managed=True), lambda _step: None)
    clock.advance(KEYS_ACTIVE_S)
    organisation.set_roles(USER_ID, made.role)

    connectors = {
        config.system: connect(
            name, config, clock=clock, secrets=sandbox.secret, transport=sandbox.transport()
        )
        for name, config in (("shop", Shift4ShopConnection.model_validate(given["shop"])), ("crm", crm))
    }
    with closing(connectors["shift4shop"]), closing(connectors["dataverse"]):
        placed = [str(number) for number in shop.place_orders(20, 1)]
        shop.change_status(int(placed[0]), 4)
        shop.change_status(int(placed[1]), 5)
        records = connectors["shift4shop"].fetch(Order, placed).records
        driver = LiveDriver(
            connectors, MemoryJournal(), deployment="d", integration="order_to_cash", flow="order_to_cash"
        )
        ended = drive(order_to_cash, records, OrderToCashSettings(price_level=PRICE_LIST), driver)
    assert [each.error for each in ended.values() if each.error is not None] == []
    assert len(ended) == len(placed)
