"""Business events of the sandbox's Finance: told where they are active, and again where they were not taken."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from tagline.clock import VirtualClock
from tagline.connectors import connect
from tagline.connectors.finance import Finance, PurchaseOrderHeader, SalesOrderHeader
from tagline.connectors.finance.events import EVENTS, read_event
from tagline.domain.environment import FinanceConnection
from tagline.domain.exchange import Change, Request
from tagline.domain.system import connection
from tagline.sandbox.assumptions import FINANCE_EVENT_REPEATS_S, FINANCE_EVENTS
from tagline.sandbox.finance_events import BusinessEvents
from tagline.sandbox.finance_screens import (
    confirm_purchase_order,
    confirm_sales_order,
    receive_purchase_order,
)

URL = "https://agent.test/hooks/goods/erp/event/token"


def test_sandbox_and_connector_know_the_same_events():
    assert {event.id: event.members[0] for event in EVENTS.values()} == FINANCE_EVENTS


def sales_order(finance):
    return finance.call("POST", "SalesOrderHeadersV2", {"OrderingCustomerAccountNumber": "C100001"}).json()[
        "SalesOrderNumber"
    ]


def purchase_order(finance):
    number = finance.call("POST", "PurchaseOrderHeadersV2", {"OrderVendorAccountNumber": "V001001"}).json()[
        "PurchaseOrderNumber"
    ]
    finance.call(
        "POST",
        "PurchaseOrderLinesV2",
        {
            "PurchaseOrderNumber": number,
            "ItemNumber": "TEA-001",
            "OrderedPurchaseQuantity": 7,
            "ReceivingSiteId": "1",
            "ReceivingWarehouseId": "11",
        },
    )
    return number


@pytest.mark.parametrize(
    ("deed", "make", "event", "model"),
    [
        (confirm_sales_order, sales_order, "SalesOrderConfirmedBusinessEvent", SalesOrderHeader),
        (confirm_purchase_order, purchase_order, "PurchaseOrderConfirmedBusinessEvent", PurchaseOrderHeader),
        (receive_purchase_order, purchase_order, "PurchaseOrderReceivedBusinessEvent", PurchaseOrderHeader),
        (
            lambda records, *order: records.invoice(*order),
            sales_order,
            "SalesInvoicePostedBusinessEvent",
            SalesOrderHeader,
        ),
    ],
    ids=["sales confirmed", "purchase confirmed", "received", "invoiced"],
)
def test_what_people_do_is_told_once_in_words_that_the_connector_reads(
    finance, sandbox, clock, deed, make, event, model
):
    site = sandbox.finance["dev"]
    number = make(finance)
    site.events.activate(event, URL)
    deed(site.records, "usmf", number)
    sent = []
    assert site.events.deliver(lambda request: sent.append(request) or 202) == 1
    assert site.events.deliver(lambda request: sent.append(request) or 202) == 0
    [request] = sent
    assert (request.method, request.url) == ("POST", URL)
    told = read_event(request.body, "usmf")
    assert (told.model, told.key, told.at) == (model, number, clock.now())
    assert read_event(request.body, "camf") is None


def test_goods_that_are_received_are_on_hand_and_no_longer_expected(finance, sandbox):
    asked = "WarehousesOnHandV2?$filter=ItemNumber eq 'TEA-001' and InventoryWarehouseId eq '11'"
    [before] = finance.read(asked)["value"]
    number = purchase_order(finance)
    receive_purchase_order(sandbox.finance["dev"].records, "usmf", number)
    [after] = finance.read(asked)["value"]
    moved = {name: after[name] - before[name] for name in ("OnHandQuantity", "OrderedQuantity")}
    assert moved == {"OnHandQuantity": Decimal(7), "OrderedQuantity": Decimal(0)}
    header = finance.read(f"PurchaseOrderHeadersV2(dataAreaId='usmf',PurchaseOrderNumber='{number}')")
    assert header["PurchaseOrderStatus"] == "Received"
    with pytest.raises(LookupError):
        receive_purchase_order(sandbox.finance["dev"].records, "usmf", number)


def test_what_is_not_taken_is_told_again_and_given_up_at_last():
    clock = VirtualClock(datetime(2026, 3, 10, 12, 0, tzinfo=UTC))
    events = BusinessEvents(clock)
    events.activate("SalesOrderConfirmedBusinessEvent", URL)
    events.activate("SalesOrderConfirmedBusinessEvent", URL)
    events.happened("SalesOrderConfirmedBusinessEvent", "usmf", "SO-1")
    events.happened("PurchaseOrderReceivedBusinessEvent", "usmf", "PO-1")
    assert events.waiting() == 1
    tried = []
    for pause in (0, *FINANCE_EVENT_REPEATS_S):
        clock.sleep(pause)
        assert events.next_due() == clock.now()
        assert events.deliver(lambda request: tried.append(request.body)) == 0
    assert (events.waiting(), len(events.given_up), len(set(tried))) == (0, 1, 1)
    assert events.next_due() is None


def test_nobody_activates_an_event_that_there_is_not():
    with pytest.raises(LookupError):
        BusinessEvents(VirtualClock(datetime(2026, 3, 10, tzinfo=UTC))).activate("Nothing", URL)


def test_a_state_file_keeps_events_changes_of_the_schema_and_what_is_withheld(sandbox, make_sandbox):
    one, other = sandbox.finance["dev"], make_sandbox().finance["dev"]
    one.events.activate("SalesOrderConfirmedBusinessEvent", URL)
    one.events.happened("SalesOrderConfirmedBusinessEvent", "usmf", "SO-1")
    one.rows.schema.change("CustomersV3", "ModifiedDateTime", is_there=True)
    one.withheld.add("MainAccounts")
    other.state.restore(list(one.state.kept()), one.state.facts())
    assert other.state.facts() == one.state.facts()
    assert list(other.state.kept()) == list(one.state.kept())
    assert "ModifiedDateTime" in other.rows.schema.entities["CustomersV3"].fields


ERP = connection(Finance)


@pytest.mark.parametrize(
    ("trigger", "make", "deed"),
    [
        (ERP.sales_order_confirmed, sales_order, confirm_sales_order),
        (ERP.sales_invoice_posted, sales_order, lambda records, *order: records.invoice(*order)),
        (ERP.purchase_order_confirmed, purchase_order, confirm_purchase_order),
        (ERP.purchase_order_received, purchase_order, receive_purchase_order),
    ],
    ids=["sales-confirmed", "invoiced", "purchase-confirmed", "received"],
)
def test_a_trigger_is_told_of_by_the_event_that_finance_delivers_for_it(
    finance, sandbox, clock, trigger, make, deed
):
    site = sandbox.finance["dev"]
    site.events.activate(EVENTS[trigger.event].id, URL)
    number = make(finance)
    deed(site.records, "usmf", number)
    sent = []
    site.events.deliver(lambda request: sent.append(request.body) or 202)
    given = FinanceConnection.model_validate(sandbox.connection_configs("dev")["finance"])
    client = connect("erp", given, clock=clock, secrets=sandbox.secret, transport=sandbox.transport())
    told = [client.hint(Request("POST", "/hooks/goods/erp", {}, {}, body)) for body in sent]
    client.close()
    assert told == [[Change(trigger.model, number, at=clock.now())]]
