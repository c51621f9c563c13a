"""What a flow touches is read from its source."""

from __future__ import annotations

from typing import ClassVar

from tests.flow.runs import Shop

from tagline.connectors.dataverse import Account, Contact, Product, SalesOrder, SalesOrderDetail
from tagline.connectors.shift4shop import Order
from tagline.domain.system import System, Trigger, connection
from tagline.flow import act, expect, find, find_all, flow, remove, update, upsert, upsert_all
from tagline.flow.effects import Written
from tagline.flow.usage import Usage, usage_of
from tagline.mapping import mapping


class Store(System):
    kind: ClassVar[str] = "shift4shop"

    @property
    def order_placed(self) -> Trigger:
        return Trigger(self, "order-placed", Order)


shop = connection(Store)


@mapping
def to_account(order: Order) -> Account:
    return Account(name=order.BillingCompany, tl_customerkey=str(order.CustomerID))


@mapping(update=True)
def to_note(order: Order) -> Order:
    return Order(OrderID=order.OrderID, ExternalComments=order.BillingEmail)


@mapping
def to_contact(order: Order) -> Contact:
    return Contact(
        tl_customerkey=str(order.CustomerID), lastname=order.BillingLastName, parentcustomerid=None
    )


def is_open(order: Order) -> bool:
    return order.OrderStatusID == 1


async def stand_buyer(order: Order) -> Written:
    return await upsert(to_account(order))


@flow(on=[shop.order_placed], key=Order.key)
async def deep(order: Order, settings: Shop) -> None:
    if not is_open(order):
        return
    await find(SalesOrder, "statecode", tl_orderkey="1")
    await find_all(Product, "productid", by="productnumber", values=["a"])
    buyer = await stand_buyer(order)
    await upsert_all([], within=buyer, by="salesorderid", model=SalesOrderDetail)
    await expect(buyer, cause="odd", telephone1="1")
    await act(buyer, "CloseIt", when={"statecode": (0,)})
    await update(to_note(order))


@flow(on=[shop.order_placed], key=Order.key)
async def removing(order: Order, settings: Shop) -> None:
    await remove(await upsert(to_contact(order)))


def _usage(*flows) -> Usage:
    return usage_of(flows)


def test_a_mapping_is_found_behind_the_functions_that_call_it():
    use = _usage(deep).tables[Account]
    assert (use.creates, use.changes, use.deletes) == (True, True, False)
    assert use.writes == {"name": ("to_account",), "tl_customerkey": ("to_account",)}


def test_a_mapping_that_only_updates_creates_nothing():
    use = _usage(deep).tables[Order]
    assert (use.creates, use.changes) == (False, True)
    assert set(use.writes) == {"OrderID", "ExternalComments"}


def test_what_is_written_is_read_first_and_what_is_expected_is_read_back():
    assert {"name", "tl_customerkey", "telephone1"} <= _usage(deep).tables[Account].reads.keys()


def test_rows_that_are_looked_up_are_read_by_their_key_and_columns():
    tables = _usage(deep).tables
    assert {"statecode", "tl_orderkey"} <= tables[SalesOrder].reads.keys()
    assert {"productid", "productnumber"} <= tables[Product].reads.keys()
    assert not tables[Product].creates
    assert not tables[Product].changes


def test_children_that_converge_are_deleted_too_and_nothing_else_is():
    assert {m for m, use in _usage(deep).tables.items() if use.deletes} == {SalesOrderDetail}


def test_a_removal_of_an_unknown_table_counts_for_everything_that_is_created():
    assert {m for m, use in _usage(removing).tables.items() if use.deletes} == {Contact}


def test_a_lookup_refers_to_every_table_it_may_point_to():
    assert _usage(removing).tables[Account].refers


def test_a_field_of_the_record_is_read_by_the_code_that_names_it():
    reads = _usage(deep).tables[Order].reads
    assert reads["CustomerID"] == ("to_account",)
    assert reads["OrderStatusID"] == ("is_open",)


def test_rows_are_addressed_by_the_keys_they_are_written_and_looked_up_by():
    tables = _usage(deep).tables
    assert tables[Account].keys == {("tl_customerkey",)}
    assert tables[Product].keys == {("productnumber",)}
    assert _usage(removing).tables[Account].keys == frozenset()


def test_transitions_are_told_by_name():
    assert _usage(deep, removing).actions == {"CloseIt"}


def test_several_flows_are_taken_together():
    both = _usage(deep, removing)
    assert both.tables.keys() == _usage(deep).tables.keys() | _usage(removing).tables.keys()
