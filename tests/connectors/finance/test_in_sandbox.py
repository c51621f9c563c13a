"""The connector against the sandbox, where the two have to agree on more than one request."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from tagline.clock import VirtualClock
from tagline.connectors import connect
from tagline.connectors.finance import (
    Customer,
    CustomerPaymentJournalHeader,
    CustomerPaymentJournalLine,
    MainAccount,
    ReleasedProduct,
    SalesInvoiceHeader,
    SalesOrderHeader,
    SalesOrderLine,
    SalesPriceAgreement,
    Vendor,
    WarehouseOnHand,
    models,
)
from tagline.domain.checkup import Needs, State
from tagline.domain.environment import FinanceConnection
from tagline.domain.exchange import ROW_CHANGED, ROW_EXISTS, Write, WriteKind
from tagline.domain.model import Ref, columns, ref
from tagline.errors import Disposition, TaglineError
from tagline.flow.drive import Ask
from tagline.flow.effects import upsert, upsert_all
from tagline.runtime.journal import MemoryJournal
from tagline.runtime.live import LiveDriver
from tagline.sandbox.sandbox import Sandbox

MODELS = [getattr(models, name) for name in models.__all__]
CUSTOMER = ref(Customer, CustomerAccount="C100001")


@pytest.fixture(scope="module")
def clock():
    return VirtualClock(datetime(2026, 3, 10, 12, 0, tzinfo=UTC))


@pytest.fixture(scope="module")
def sandbox(clock):
    return Sandbox(clock, environments=("dev",))


@pytest.fixture(scope="module")
def erp(clock, sandbox):
    client = connect(
        "erp",
        FinanceConnection.model_validate(sandbox.connection_configs("dev")["finance"]),
        clock=clock,
        secrets=sandbox.secret,
        transport=sandbox.transport(),
    )
    yield client
    client.close()


def create(erp, model, key, **fields):
    [outcome] = erp.perform([Write(WriteKind.CREATE, model, key, {**dict(key), **fields})])
    assert outcome.disposition is Disposition.DONE, outcome
    return outcome


@pytest.fixture(scope="module")
def make_order(erp):
    def make(reference):
        key = (("CustomersOrderReference", reference),)
        fields = {
            "OrderingCustomerAccountNumber": CUSTOMER,
            "CurrencyCode": "USD",
            "RequestedShippingDate": date(2026, 4, 1),
        }
        return key, create(erp, SalesOrderHeader, key, **fields)

    return make


def test_an_order_is_found_again_by_our_reference_and_has_what_was_written(erp, make_order):
    key, made = make_order("it's 100% & more")
    row = erp.read(
        SalesOrderHeader,
        [key],
        ["OrderingCustomerAccountNumber", "RequestedShippingDate", "SalesOrderStatus"],
    )[key]
    assert (row.id, row.etag) == (made.id, made.etag)
    assert row.values == {
        "OrderingCustomerAccountNumber": CUSTOMER,
        "RequestedShippingDate": date(2026, 4, 1),
        "SalesOrderStatus": "Backorder",
    }


def test_lines_are_known_by_their_order_and_our_number(erp, make_order):
    _, made = make_order("shop-2")
    order = Ref(SalesOrderHeader, (("SalesOrderNumber", made.id),))
    keys = [(("CustomersLineNumber", n), ("SalesOrderNumber", order)) for n in (1, 2)]
    for key in keys:
        create(erp, SalesOrderLine, key, ItemNumber=ref(ReleasedProduct, ItemNumber="TEA-001"), OrderedSalesQuantity=Decimal(2),
            SalesPrice=Decimal("12.50"))  # fmt: skip
    lines = erp.children(SalesOrderLine, "SalesOrderNumber", [made.id], ["LineAmount"])[made.id]
    assert {line.key: line.values["LineAmount"] for line in lines} == dict.fromkeys(keys, Decimal(25))
    assert erp.read(SalesOrderLine, keys[:1], [])[keys[0]].id in {line.id for line in lines}
    header = erp.read(SalesOrderHeader, [(("SalesOrderNumber", made.id),)], ["OrderTotalAmount"])
    assert next(iter(header.values())).values["OrderTotalAmount"] == Decimal(50)


def test_an_old_version_changes_nothing_and_the_present_one_does(erp, make_order):
    key, made = make_order("shop-3")

    def write(etag, **fields):
        [outcome] = erp.perform([Write(WriteKind.UPDATE, SalesOrderHeader, key, fields, made.id, etag)])
        return outcome

    assert write(made.etag, CustomerRequisitionNumber="R1").code == "value-not-sendable"
    assert write(made.etag, SalesOrderName="First").disposition is Disposition.DONE
    assert write(made.etag, SalesOrderName="Second").code == ROW_CHANGED
    assert write(None, SalesOrderName=None, RequestedShippingDate=None).disposition is Disposition.DONE
    row = erp.read(SalesOrderHeader, [key], ["SalesOrderName", "RequestedShippingDate"])[key]
    assert row.values == {"SalesOrderName": None, "RequestedShippingDate": None}


def test_a_number_that_is_taken_is_told_as_such_and_a_removed_row_is_gone(erp):
    key = (("CustomerAccount", "SHOP-7"),)
    create(erp, Customer, key, CustomerGroupId="30", SalesCurrencyCode="USD", OrganizationName="Seven")
    write = Write(
        WriteKind.CREATE, Customer, key, {**dict(key), "CustomerGroupId": "30", "SalesCurrencyCode": "USD"}
    )
    assert [outcome.code for outcome in erp.perform([write])] == [ROW_EXISTS]
    gone = Write(WriteKind.DELETE, Customer, key, id="SHOP-7")
    assert [outcome.disposition.value for outcome in erp.perform([gone, gone])] == ["done", "done"]
    assert erp.read(Customer, [key], []) == {}


def test_a_refused_row_names_its_column_and_spoils_no_other(erp):
    def write(number, **fields):
        key = (("VendorAccountNumber", number),)
        return Write(
            WriteKind.CREATE,
            Vendor,
            key,
            {**dict(key), "VendorGroupId": "10", "CurrencyCode": "USD", **fields},
        )

    first, refused, third = erp.perform(
        [write("SHOP-1"), write("SHOP-2", CurrencyCode="canary"), write("SHOP-3")]
    )
    assert first.disposition is third.disposition is Disposition.DONE
    assert refused.code == "business-rule-refused"
    assert "CurrencyCode" in refused.message
    assert "canary" not in f"{refused}"


def test_a_payment_stands_in_a_journal_by_its_number(erp):
    journal = create(
        erp, CustomerPaymentJournalHeader, (("Description", "shop 2026-03-10"),), JournalName="CustPay"
    )
    header = Ref(CustomerPaymentJournalHeader, (("JournalBatchNumber", journal.id),))
    key = (("JournalBatchNumber", header), ("LineNumber", Decimal(1)))
    payment = create(erp, CustomerPaymentJournalLine, key, TransactionDate=date(2026, 3, 10), AccountType="Cust",
        AccountDisplayValue="C100001", CreditAmount=Decimal("19.95"), CurrencyCode="USD", PaymentMethodName="CARD")  # fmt: skip
    row = erp.read(CustomerPaymentJournalLine, [key], ["CreditAmount", "AccountType", "TransactionDate"])[key]
    assert row.id == payment.id == f"JournalBatchNumber='{journal.id}',LineNumber=1"
    assert row.values == {
        "CreditAmount": Decimal("19.95"),
        "AccountType": "Cust",
        "TransactionDate": date(2026, 3, 10),
    }
    assert [
        r.key
        for r in erp.children(CustomerPaymentJournalLine, "JournalBatchNumber", [journal.id], [])[journal.id]
    ] == [key]


def test_stock_prices_and_accounts_are_read_by_whichever_columns(erp):
    item = ref(ReleasedProduct, ItemNumber="TEA-001")
    stock = tuple(
        sorted(
            {"ItemNumber": item, "InventorySiteId": "1", "InventoryWarehouseId": "11"}.items(),
            key=lambda c: c[0],
        )
    )
    account = (("MainAccountId", "110110"),)
    price = (("ItemNumber", item), ("PriceCurrencyCode", "USD"))
    assert erp.read(WarehouseOnHand, [stock], ["OnHandQuantity"])[stock].values["OnHandQuantity"] > 0
    assert erp.read(MainAccount, [account], ["Name"])[account].values == {"Name": "Bank account"}
    assert erp.read(SalesPriceAgreement, [price], ["Price"])[price].values["Price"] > 0


@pytest.mark.parametrize("model", MODELS)
def test_every_model_is_described_fetched_and_swept_as_far_as_it_has_rows(erp, model):
    schema = erp.describe(model)
    assert [n for n, c in columns(model).items() if not c.local and n not in schema.columns] == []
    newest = erp.recent(model, 3)
    fetched = erp.fetch(model, newest)
    assert (list(fetched.records), fetched.malformed) == (newest, {})


def test_a_posted_invoice_is_found_by_the_sweep_and_nothing_of_another_company_is(erp, sandbox, make_order):
    _, made = make_order("shop-9")
    line = (
        ("CustomersLineNumber", 1),
        ("SalesOrderNumber", Ref(SalesOrderHeader, (("SalesOrderNumber", made.id),))),
    )
    create(
        erp,
        SalesOrderLine,
        line,
        ItemNumber=ref(ReleasedProduct, ItemNumber="TEA-001"),
        OrderedSalesQuantity=Decimal(1),
    )
    cursors = {m: erp.changes(m, None).cursor for m in (SalesInvoiceHeader, SalesOrderHeader, Customer)}
    finance = sandbox.finance["dev"]
    with finance.rows.transaction():
        number = finance.records.invoice("usmf", made.id)
    found = erp.changes(SalesInvoiceHeader, cursors[SalesInvoiceHeader])
    [invoice] = [c for c in found.items if f"'{number}'" in c.key]
    record = erp.fetch(SalesInvoiceHeader, [invoice.key]).records[invoice.key]
    assert record.SalesOrderNumber == Ref(SalesOrderHeader, (("SalesOrderNumber", made.id),))
    assert made.id in {c.key for c in erp.changes(SalesOrderHeader, cursors[SalesOrderHeader]).items}
    assert erp.changes(Customer, cursors[Customer]).items == ()


def test_a_row_that_was_deleted_is_told_gone_and_one_that_grew_old_is_not(erp, clock, make_order):
    _, old = make_order("shop-old")
    clock.sleep(170 * 86_400)
    _, young = make_order("shop-young")
    cursor = erp.changes(SalesOrderHeader, None).cursor
    clock.sleep(20 * 86_400)
    erp.perform([Write(WriteKind.DELETE, SalesOrderHeader, (("SalesOrderNumber", young.id),), id=young.id)])
    told = {change.key: change.is_gone for change in erp.changes(SalesOrderHeader, cursor).items}
    assert (told.get(young.id), told.get(old.id)) == (True, None)


def test_the_check_up_finds_the_sandbox_ready(erp):
    checks = list(erp.check_up(Needs(tuple(MODELS))))
    assert {check.state for check in checks} == {State.GOOD}
    assert "usmf" in erp.probe()


def test_a_strained_environment_is_waited_for(erp, sandbox, clock):
    began = clock.now()
    sandbox.finance["dev"].strain(7)
    assert erp.probe()
    assert (clock.now() - began).total_seconds() >= 7


def _order_and_lines(quantities):
    """A flow that writes an order and its lines, as an integration would."""

    async def write(_record):
        order = await upsert(
            SalesOrderHeader(
                CustomersOrderReference="flow-1",
                OrderingCustomerAccountNumber=CUSTOMER,
                CurrencyCode="USD",
                RequestedShippingDate=date(2026, 4, 1),
            )
        )
        number = Ref(SalesOrderHeader, (("SalesOrderNumber", order.id),))
        lines = [
            SalesOrderLine(
                SalesOrderNumber=number,
                CustomersLineNumber=place,
                ItemNumber=ref(ReleasedProduct, ItemNumber="TEA-001"),
                OrderedSalesQuantity=Decimal(quantity),
            )
            for place, quantity in enumerate(quantities, 1)
        ]
        await upsert_all(lines, within=order, by="SalesOrderNumber", model=SalesOrderLine)

    return write


def test_a_flow_writes_an_order_once_changes_what_differs_and_leaves_a_persons_line_alone(erp):
    """The live driver's rounds over the connector: the second run writes nothing, the third changes one line and removes one."""

    def run(*quantities):
        journal = MemoryJournal()
        driver = LiveDriver({"finance": erp}, journal, deployment="d", integration="i", flow="f")
        coroutine = _order_and_lines(quantities)(None)
        answer = None
        try:
            while True:
                [answer] = driver.answer([Ask("1", coroutine.send(answer))])
                assert not isinstance(answer, TaglineError), answer
        except StopIteration:
            return [(intent.kind.value, intent.entity) for intent in journal.intents]

    header, line = SalesOrderHeader.remote.entity, SalesOrderLine.remote.entity
    assert run(1, 2) == [("create", header), ("create", line), ("create", line)]
    assert run(1, 2) == []
    key = (("CustomersOrderReference", "flow-1"),)
    order = erp.read(SalesOrderHeader, [key], [])[key].id
    number = Ref(SalesOrderHeader, (("SalesOrderNumber", order),))
    item = ref(ReleasedProduct, ItemNumber="TEA-001")
    persons = (("SalesOrderNumber", number),)
    create(erp, SalesOrderLine, persons, ItemNumber=item, OrderedSalesQuantity=Decimal(9))
    assert run(3) == [("delete", line), ("update", line)]
    lines = erp.children(SalesOrderLine, "SalesOrderNumber", [order], ["OrderedSalesQuantity"])[order]
    assert sorted(row.values["OrderedSalesQuantity"] for row in lines) == [3, 9]


def test_where_an_entity_exposes_when_it_was_modified_the_sweep_reads_that(erp, sandbox, clock):
    sandbox.finance["dev"].rows.schema.change("VendorsV2", "ModifiedDateTime", is_there=True)
    cursor = erp.changes(Vendor, None).cursor
    clock.sleep(3600)
    [number, *_] = erp.recent(Vendor, 2)
    key = (("VendorAccountNumber", number),)
    fields = {"VendorOrganizationName": "Renamed"}
    erp.perform([Write(WriteKind.UPDATE, Vendor, key, fields, id=number)])
    found = erp.changes(Vendor, cursor)
    assert [change.key for change in found.items] == [number]
    again = erp.changes(Vendor, found.cursor)
    assert again.items == found.items, "told again within the overlap, with the same version"
    clock.sleep(3600)
    assert erp.changes(Vendor, erp.changes(Vendor, again.cursor).cursor).items == ()


def test_what_the_roles_do_not_grant_is_found_by_the_check_up(erp, sandbox):
    sandbox.finance["dev"].withheld.add("MainAccounts")
    checks = {check.subject: check for check in erp.check_up(Needs((MainAccount, Customer)))}
    sandbox.finance["dev"].withheld.clear()
    assert checks["erp rights"].state is State.FAILED
    assert "MainAccounts" in checks["erp rights"].found
