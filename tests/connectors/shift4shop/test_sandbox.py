"""The connector against the sandbox's shop, in process: what it sends is taken, what it is told is understood."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from pydantic import TypeAdapter

from tagline.clock import VirtualClock
from tagline.connectors import connect
from tagline.connectors.shift4shop import (
    Category,
    Customer,
    Order,
    OrderItem,
    OrderStatus,
    Product,
    Shift4Shop,
    Shipment,
    SkuInfo,
    Transaction,
)
from tagline.domain.environment import Connection
from tagline.domain.exchange import Change, Request, Write, WriteKind
from tagline.domain.model import columns
from tagline.domain.settings import Settings
from tagline.domain.system import connection, every
from tagline.errors import Disposition
from tagline.flow import flow, update
from tagline.flow.drive import drive
from tagline.runtime.journal import MemoryJournal
from tagline.runtime.live import LiveDriver
from tagline.sandbox.sandbox import Sandbox


@flow(sweep=every(minutes=5), key=Order.key)
async def track(order: Order, settings: Settings) -> None:
    shipment = Shipment(OrderID=order.OrderID, ShipmentID=0, ShipmentTrackingCode="1Z999")
    await update(shipment)


class Store:
    """A shop of the sandbox and a client of it."""

    def __init__(self):
        self.clock = VirtualClock(datetime(2026, 11, 25, 12, tzinfo=UTC))
        sandbox = Sandbox(self.clock)
        described = sandbox.connection_configs("dev")
        secrets = {f"env:{name}": value for name, value in described["secrets"].items()}
        self.shop = sandbox.shops["dev"]
        self.client = connect(
            "shop",
            TypeAdapter(Connection).validate_python(described["shop"]),
            clock=self.clock,
            secrets=secrets.__getitem__,
            transport=sandbox.transport(),
        )


@pytest.fixture
def store():
    made = Store()
    yield made
    made.client.close()


def test_every_awkward_order_is_a_record_with_its_rows(store):
    placed = {name: str(number) for name, number in store.shop.place_awkward().items()}
    fetched = store.client.fetch(Order, list(placed.values()))
    assert [name for name, number in placed.items() if number in fetched.malformed] == ["malformed"]
    for number, order in fetched.records.items():
        rows = store.client.children(OrderItem, "OrderID", [number], ["ItemID"])[number]
        assert [row.values["ItemID"] for row in rows] == [item.ItemID for item in order.OrderItemList]
        payments = store.client.children(Transaction, "OrderID", [number], ["TransactionAmount"])[number]
        assert [row.values["TransactionAmount"] for row in payments] == [
            payment.TransactionAmount for payment in order.TransactionList
        ]


def test_a_shipment_gets_its_tracking_and_the_order_is_swept_again(store):
    [number] = store.shop.place_orders(1, 1)
    cursor = store.client.changes(Order, None).cursor
    update = Write(WriteKind.UPDATE, Shipment, (), {"ShipmentTrackingCode": "1Z999"}, id=f"{number}/0")
    [outcome] = store.client.perform([update])
    assert (outcome.disposition, outcome.id) == (Disposition.DONE, f"{number}/0")
    [row] = store.client.children(Shipment, "OrderID", [str(number)], ["ShipmentTrackingCode"])[str(number)]
    assert (row.id, row.values) == (f"{number}/0", {"ShipmentTrackingCode": "1Z999"})
    assert [change.key for change in store.client.changes(Order, cursor).items] == [str(number)]


def test_a_flow_that_writes_tracking_writes_it_once(store):
    records = store.client.fetch(Order, [str(n) for n in store.shop.place_orders(3, 1)]).records
    written = []
    for _ in range(2):
        journal = MemoryJournal()
        driver = LiveDriver(
            {"shift4shop": store.client}, journal, deployment="d", integration="i", flow="track"
        )
        ended = drive(track, records, Settings(), driver)
        assert [each.error for each in ended.values()] == [None] * 3
        written.append([(intent.target_id, dict(intent.after)) for intent in journal.intents])
    assert written == [[(f"{n}/0", {"ShipmentTrackingCode": "1Z999"}) for n in records], []]


def test_a_shipment_that_is_not_there_is_absent(store):
    [number] = store.shop.place_orders(1, 1)
    update = Write(WriteKind.UPDATE, Shipment, (), {"ShipmentTrackingCode": "1Z999"}, id=f"{number}/77")
    assert store.client.perform([update])[0].code == "row-absent"


def test_a_product_is_the_same_by_id_and_by_sku(store):
    ids = store.client.recent(Product, 3)
    products = store.client.fetch(Product, ids).records
    assert [str(product.CatalogID) for product in products.values()] == list(ids)
    keys = [(("SKU", product.SKU),) for product in products.values()]
    assert [row.id for row in store.client.read(Product, keys[:1], ["Name"]).values()] == list(ids[:1])


def test_the_states_of_orders_are_read_and_compared(store):
    assert store.client.fetch(OrderStatus, ["4"]).records["4"].StatusDefinition == "Shipped"
    cursor = store.client.changes(OrderStatus, None).cursor
    again = store.client.changes(OrderStatus, cursor)
    assert (list(again.items), again.cursor) == ([], cursor)


def test_webhooks_of_orders_come_and_go(store):
    events = ["order-placed", "order-changed"]
    url = "https://in.test/hooks/sync/shop"
    assert (store.client.subscribe(events, url), store.client.subscribe(events, url)) == (events, [])
    assert (store.client.unsubscribe(url), store.client.unsubscribe(url)) == (events, [])


def test_a_customer_is_told_of_by_the_triggers_that_tell_of_customers(store):
    shop, told = connection(Shift4Shop), []
    store.client.subscribe(
        [shop.customer_placed.event, shop.customer_changed.event], "https://in.test/hooks/sync/shop"
    )

    def receive(request):
        if request.body and request.method == "POST":
            path = "/" + request.url.split("/", 3)[3]
            told.append((path.split("/")[4], *store.client.hint(Request("POST", path, {}, {}, request.body))))
        return 200

    key = (("Email", "canary@shop.test"),)
    [made] = store.client.perform(
        [Write(WriteKind.CREATE, Customer, key, {**dict(key), "BillingFirstName": "Ada"})]
    )
    store.shop.webhooks.deliver(receive)
    store.client.perform([Write(WriteKind.UPDATE, Customer, key, {"BillingFirstName": "Eve"}, id=made.id)])
    store.shop.webhooks.deliver(receive)
    assert told == [
        (trigger.event, Change(trigger.model, made.id))
        for trigger in (shop.customer_placed, shop.customer_changed)
    ]


def test_an_orders_description_names_the_columns_of_its_model(store):
    store.shop.place_orders(3, 1)
    for model in (Order, Shipment):
        described = store.client.describe(model).columns
        ours = {name for name, facts in columns(model).items() if not facts.local}
        assert ours <= described.keys()


def test_a_category_is_created_found_changed_noticed_and_removed(store):
    client, key = store.client, (("CategoryName", "Oolong of the year"),)
    cursor = client.changes(Category, None).cursor
    new = Write(WriteKind.CREATE, Category, key, {**dict(key), "Sorting": 3})
    [made], [again] = client.perform([new]), client.perform([new])
    assert (made.disposition, again.code, again.id) == (Disposition.DONE, "row-exists", made.id)
    assert (
        client.perform([Write(WriteKind.UPDATE, Category, key, {"Sorting": 4}, id=made.id)])[0].id == made.id
    )
    assert client.read(Category, [key], ["Sorting"])[key].values == {"Sorting": 4}
    assert [change.key for change in client.changes(Category, cursor).items] == [made.id]
    assert (
        client.perform([Write(WriteKind.DELETE, Category, key, id=made.id)])[0].disposition
        is Disposition.DONE
    )
    assert client.read(Category, [key], []) == {}


def test_stock_of_several_products_is_written_at_once_and_noticed_as_products(store):
    client, ids = store.client, store.client.recent(Product, 3)
    cursor = client.changes(Product, None).cursor
    store.clock.advance(60)
    writes = [Write(WriteKind.UPDATE, SkuInfo, (), {"Stock": Decimal("7.5")}, id=each) for each in ids]
    assert [o.id for o in client.perform(writes)] == list(ids)
    keys = [(("CatalogID", each),) for each in ids]
    assert {row.values["Stock"] for row in client.read(SkuInfo, keys, ["Stock"]).values()} == {Decimal("7.5")}
    assert {change.key for change in client.changes(Product, cursor).items} >= set(ids)


def test_a_customer_is_created_once_by_mail(store):
    key = (("Email", "new.shopper@example.com"),)
    new = Write(WriteKind.CREATE, Customer, key, {**dict(key), "BillingLastName": "Roe"})
    [made], [again] = store.client.perform([new]), store.client.perform([new])
    assert (made.disposition, again.code, again.id) == (Disposition.DONE, "row-exists", made.id)
    assert store.client.fetch(Customer, [made.id]).records[made.id].BillingLastName == "Roe"
