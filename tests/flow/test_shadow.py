"""What only the shadow driver does: it shows expectations and answers from recorded rows."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from tests.flow.fakes import FakeRemote
from tests.flow.runs import Shop, orders

from tagline.connectors.dataverse.models import Account, SalesOrder, SalesOrderDetail
from tagline.connectors.shift4shop.models import Order
from tagline.domain.exchange import Key, Row, WriteKind
from tagline.domain.model import Model, ref
from tagline.domain.system import every
from tagline.errors import InconclusiveError, UsageError
from tagline.flow import expect, flow, upsert, upsert_all
from tagline.flow.decide import writable
from tagline.flow.drive import drive
from tagline.flow.effects import Verb
from tagline.flow.shadow import RecordedReader, ShadowDriver


@flow(sweep=every(minutes=5), key=Order.key)
async def header_and_lines(order: Order, settings: Shop) -> None:
    header = await upsert(SalesOrder(tl_orderkey=f"o-{order.OrderID}", name="n"))
    await upsert_all(
        [SalesOrderDetail(tl_linekey=f"o-{order.OrderID}.1", quantity=Decimal(2))],
        within=header,
        by="salesorderid",
    )
    await expect(header, cause="totals-differ", totalamount=order.OrderAmount)


def test_an_expectation_is_shown_and_not_checked() -> None:
    shadow = ShadowDriver({"dataverse": FakeRemote()})
    ended = drive(header_and_lines, orders(Order(OrderID=1, OrderAmount=Decimal(5))), Shop(), shadow)
    assert ended["1"].error is None
    *writes, expectation = shadow.intentions
    assert [each.kind for each in writes] == [WriteKind.CREATE, WriteKind.CREATE]
    assert (expectation.verb, expectation.kind) == (Verb.EXPECT, None)
    assert {"totalamount": (None, Decimal(5))} == expectation.changes


def test_a_child_of_a_row_that_does_not_exist_yet_names_its_parent() -> None:
    shadow = ShadowDriver({"dataverse": FakeRemote()})
    drive(header_and_lines, orders(Order(OrderID=1)), Shop(), shadow)
    child = shadow.intentions[1]
    assert child.within == (("tl_orderkey", "o-1"),)
    assert (None, ref(SalesOrder, salesorderid="new:o-1")) == child.changes["salesorderid"]


def test_a_system_without_connection_is_told() -> None:
    shadow = ShadowDriver({"shift4shop": FakeRemote()})
    error = drive(header_and_lines, orders(Order(OrderID=1)), Shop(), shadow)["1"].error
    assert isinstance(error, UsageError)
    assert error.code == "connection-missing"


def key(number: int) -> Key:
    return (("tl_orderkey", f"o-{number}"),)


def recorded(**changes: Any) -> dict[tuple[type[Model], Key], Row | None]:
    """Order 1 with one line, and that there is no order 2."""
    child: Key = (("tl_linekey", "o-1.1"),)
    values = {**dict.fromkeys(writable(SalesOrderDetail)), "quantity": Decimal(2), **changes}
    values["salesorderid"] = ref(SalesOrder, salesorderid="id-1")
    return {
        (SalesOrder, key(1)): Row(key(1), "id-1", None, {"name": "n"}),
        (SalesOrder, key(2)): None,
        (SalesOrderDetail, child): Row(child, "id-2", None, values),
    }


def test_recorded_rows_answer_and_what_nobody_recorded_is_inconclusive_for_its_record_alone() -> None:
    shadow = ShadowDriver({"dataverse": RecordedReader(recorded(quantity=Decimal(3)))})
    ended = drive(header_and_lines, orders(*(Order(OrderID=n) for n in (1, 2, 3))), Shop(), shadow)
    assert [ended["1"].error, ended["2"].error] == [None, None]
    error = ended["3"].error
    assert isinstance(error, InconclusiveError)
    assert error.code == "shadow-unrecorded"
    writes = [(i.record, i.kind, i.entity) for i in shadow.intentions if i.kind]
    assert writes == [
        ("2", WriteKind.CREATE, "salesorder"),
        ("1", WriteKind.UPDATE, "salesorderdetail"),
        ("2", WriteKind.CREATE, "salesorderdetail"),
    ]


def test_a_column_nobody_recorded_is_inconclusive() -> None:
    reader = RecordedReader({(Account, (("tl_customerkey", "c"),)): Row((), "1", None, {"name": "Acme"})})
    with pytest.raises(InconclusiveError, match="without telephone1"):
        reader.read(Account, [(("tl_customerkey", "c"),)], ["name", "telephone1"])


@pytest.mark.parametrize("first", ["ours", "by id"])
def test_a_child_recorded_under_two_keys_is_one_child(first: str) -> None:
    rows = recorded()
    (ours,) = (row for (model, _), row in rows.items() if model is SalesOrderDetail and row)
    by_id: Key = (("salesorderdetailid", ours.id),)
    again: dict[tuple[type[Model], Key], Row | None] = {(SalesOrderDetail, by_id): replace(ours, key=by_id)}
    reader = RecordedReader({**rows, **again} if first == "ours" else {**again, **rows})
    found = reader.children(SalesOrderDetail, "salesorderid", ["id-1"], ["salesorderdetailid"])
    assert {"id-1": [replace(ours, values={"salesorderdetailid": "id-2"})]} == found


def test_children_of_a_parent_nobody_recorded_are_inconclusive() -> None:
    reader = RecordedReader(recorded())
    assert {
        k: len(v) for k, v in reader.children(SalesOrderDetail, "salesorderid", ["id-1"], []).items()
    } == {"id-1": 1}
    with pytest.raises(InconclusiveError):
        reader.children(SalesOrderDetail, "salesorderid", ["id-9"], [])
