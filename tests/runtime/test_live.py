"""What only the live driver does: races, refusals, the journal before and after, writes in doubt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import pytest
from tests.flow.fakes import FakeRemote
from tests.flow.runs import Shop, orders

from tagline.connectors.dataverse.models import Account, Contact, SalesOrder, SalesOrderDetail
from tagline.connectors.shift4shop.models import Order
from tagline.domain.exchange import Key, Outcome, WriteKind
from tagline.domain.model import ref
from tagline.domain.query import Comparison, Condition
from tagline.domain.system import every
from tagline.errors import (
    Disposition,
    NotAuthorisedError,
    RecordError,
    RefusedError,
    TaglineError,
    TryAgainError,
    UsageError,
)
from tagline.flow import Flow, act, create_once, expect, find_where, flow, remove, update, upsert, upsert_all
from tagline.flow.drive import Ended, drive
from tagline.flow.effects import Reversibility, Verb, Written
from tagline.runtime.journal import Intent, MemoryJournal, Settled
from tagline.runtime.live import LiveDriver

CUSTOMER: Key = (("tl_customerkey", "c"),)


@flow(sweep=every(minutes=5), key=Order.key)
async def keep_account(order: Order, settings: Shop) -> None:
    await upsert(Account(tl_customerkey="c", name=order.BillingCompany))


@flow(sweep=every(minutes=5), key=Order.key)
async def keep_order(order: Order, settings: Shop) -> None:
    header = await upsert(SalesOrder(tl_orderkey=order.key(), name="n"))
    await upsert_all(
        [
            SalesOrderDetail(tl_linekey=f"{order.key()}.{item.ItemIndexID}", quantity=item.ItemQuantity)
            for item in order.OrderItemList
        ],
        within=header,
        by="salesorderid",
        model=SalesOrderDetail,
    )


@dataclass
class Bench:
    """One remote and one journal, over several lives of the driver."""

    remote: FakeRemote
    journal: MemoryJournal

    def run(self, declared: Flow, *records: Order, flow_name: str = "") -> dict[str, Ended]:
        driver = LiveDriver(
            {"dataverse": self.remote, "shift4shop": self.remote},
            self.journal,
            deployment="shop-000001",
            integration="shop",
            flow=flow_name or declared.name,
        )
        return drive(declared, orders(*records), Shop(), driver)

    def error(self, declared: Flow, *records: Order) -> TaglineError:
        error = next(iter(self.run(declared, *records).values())).error
        assert error is not None
        return error


@pytest.fixture
def bench() -> Bench:
    return Bench(FakeRemote(transitions={"FulfillSalesOrder": {"statecode": 3}}), MemoryJournal())


def acme(name: str = "Acme", number: int = 1) -> Order:
    return Order(OrderID=number, BillingCompany=name)


def test_the_journal_is_told_before_and_after(bench: Bench) -> None:
    row_id = bench.remote.put(Account(tl_customerkey="c", name="Old"))
    bench.run(keep_account, acme())
    assert bench.journal.intents == [
        Intent(
            deployment="shop-000001",
            integration="shop",
            flow="keep_account",
            record="1",
            system="dataverse",
            entity="account",
            verb=Verb.UPSERT,
            kind=WriteKind.UPDATE,
            key=CUSTOMER,
            target_id=row_id,
            etag='W/"1"',
            before={"name": "Old"},
            after={"name": "Acme"},
            action="",
            reversibility=Reversibility.R1,
        )
    ]
    assert bench.journal.settled == {0: Settled(0, Disposition.DONE, row_id, 'W/"2"', "")}


def test_nothing_is_sent_when_the_journal_refuses(bench: Bench) -> None:
    """A worker whose deployment was replaced must not write any more."""

    class Fenced(MemoryJournal):
        def intend(self, intents: Sequence[Intent]) -> Sequence[int]:
            raise RefusedError("another deployment is active", code="fenced")

    bench.journal = Fenced()
    error = bench.error(keep_account, acme())
    assert (error.code, error.disposition, bench.remote.rows(Account)) == ("fenced", Disposition.STOP, [])


def test_the_loser_of_an_update_runs_again_and_overwrites_nothing_else(bench: Bench) -> None:
    row_id = bench.remote.put(Account(tl_customerkey="c", name="Old"))
    bench.remote.meanwhile = lambda: bench.remote.edit(Account, row_id, telephone1="555", name="Person")
    error = bench.error(keep_account, acme())
    assert isinstance(error, TryAgainError)
    assert (error.code, error.disposition, error.retry_after_s) == ("row-changed", Disposition.RETRY, 0)
    assert bench.remote.one(Account)["name"] == "Person"
    assert bench.run(keep_account, acme())["1"].error is None
    assert (bench.remote.one(Account)["name"], bench.remote.one(Account)["telephone1"]) == ("Acme", "555")


def test_the_loser_of_a_create_runs_again(bench: Bench) -> None:
    bench.remote.meanwhile = lambda: bench.remote.put(Account(tl_customerkey="c", name="First")) and None
    error = bench.error(keep_account, acme())
    assert (error.code, error.disposition) == ("row-exists", Disposition.RETRY)
    assert bench.run(keep_account, acme())["1"].error is None
    assert [row["name"] for row in bench.remote.rows(Account)] == ["Acme"]


def test_without_etags_the_row_is_read_immediately_before_it_is_written(bench: Bench) -> None:
    bench.remote.has_etags = False

    @flow(sweep=every(minutes=5), key=Order.key)
    async def write_back(order: Order, settings: Shop) -> None:
        await update(Order(OrderID=order.OrderID, AlternateOrderID="so-1"))

    bench.remote.put(Order(OrderID=1, AlternateOrderID=""), OrderID="1")
    bench.remote.tables[Order]["1"].values["OrderID"] = 1
    bench.run(write_back, acme())
    bench.run(write_back, acme())
    assert [verb for verb, _, _ in bench.remote.calls] == ["read", "perform", "read"]
    assert bench.remote.performed[0].fields == {"AlternateOrderID": "so-1"}


@pytest.mark.parametrize(
    ("outcome", "kind"),
    [
        (Outcome(Disposition.RETRY, code="throttled", retry_after_s=9, message="m"), TryAgainError),
        (Outcome(Disposition.DEAD_LETTER, code="row-locked", hint="reopen it", message="m"), RecordError),
        (Outcome(Disposition.STOP, code="not-allowed", message="m"), NotAuthorisedError),
    ],
    ids=lambda value: getattr(value, "code", ""),
)
def test_an_outcome_becomes_the_error_of_its_record_alone(
    bench: Bench, outcome: Outcome, kind: type[TaglineError]
) -> None:
    @flow(sweep=every(minutes=5), key=Order.key)
    async def own_account(order: Order, settings: Shop) -> None:
        await upsert(Account(tl_customerkey=order.key(), name="n"))

    bench.remote.refusals[(("tl_customerkey", "1"),)] = outcome
    ended = bench.run(own_account, acme(number=1), acme(number=2))
    error = ended["1"].error
    assert isinstance(error, kind)
    assert (error.code, error.disposition, error.hint, error.retry_after_s) == (
        outcome.code,
        outcome.disposition,
        outcome.hint,
        outcome.retry_after_s,
    )
    assert (ended["2"].error, len(bench.remote.rows(Account))) == (None, 1)
    assert [s.disposition for s in bench.journal.settled.values()] == [outcome.disposition, Disposition.DONE]


def test_one_refused_child_fails_its_record_with_every_wrong_child_listed(bench: Bench) -> None:
    for index in (1, 2):
        refused = Outcome(Disposition.DEAD_LETTER, code="row-locked", message=f"line {index} is locked")
        bench.remote.refusals[(("tl_linekey", f"1.{index}"),)] = refused
    bench.remote.refusals[(("tl_linekey", "1.3"),)] = Outcome(Disposition.RETRY, code="throttled")
    items = tuple({"ItemIndexID": n, "ItemQuantity": 1} for n in (1, 2, 3, 4))
    error = bench.error(keep_order, Order(OrderID=1, OrderItemList=items))
    assert isinstance(error, RecordError)
    assert [d["reason"] for d in error.details] == ["line 1 is locked", "line 2 is locked"]


def test_removals_go_before_creations_in_one_call(bench: Bench) -> None:
    bench.run(keep_order, Order(OrderID=1, OrderItemList=({"ItemIndexID": 1},)))
    bench.remote.performed.clear()
    bench.remote.calls.clear()
    bench.run(keep_order, Order(OrderID=1, OrderItemList=({"ItemIndexID": 2}, {"ItemIndexID": 3})))
    assert [w.kind for w in bench.remote.performed] == [WriteKind.DELETE, WriteKind.CREATE, WriteKind.CREATE]
    assert [c[0] for c in bench.remote.calls] == ["read", "children", "perform"]


def test_a_child_that_cannot_be_removed_fails_its_record_alone(bench: Bench) -> None:
    with_line = [Order(OrderID=n, OrderItemList=({"ItemIndexID": 1},)) for n in (1, 2)]
    bench.run(keep_order, *with_line)
    bench.remote.refusals[(("tl_linekey", "1.1"),)] = Outcome(
        Disposition.DEAD_LETTER, code="row-locked", message="m"
    )
    ended = bench.run(keep_order, Order(OrderID=1), Order(OrderID=2))
    assert [each.error and each.error.code for each in ended.values()] == ["row-locked", None]


def test_an_id_the_remote_does_not_tell_is_read_back(bench: Bench) -> None:
    bench.remote.tells_ids = False
    bench.run(keep_order, Order(OrderID=1, OrderItemList=({"ItemIndexID": 1},)))
    header = bench.remote.one(SalesOrder)["salesorderid"]
    assert ref(SalesOrder, salesorderid=header) == bench.remote.one(SalesOrderDetail)["salesorderid"]


@pytest.mark.parametrize("verb", ["read", "perform"])
def test_an_error_of_a_call_ends_every_record_that_needed_it(bench: Bench, verb: str) -> None:
    away = TryAgainError("away", code="remote-unreachable", disposition=Disposition.RETRY)
    bench.remote.broken[verb] = away
    ended = bench.run(keep_account, acme(number=1), acme(number=2))
    assert [each.error for each in ended.values()] == [away, away]


def test_a_system_without_connection_is_told(bench: Bench) -> None:
    driver = LiveDriver({}, bench.journal, deployment="d", integration="shop", flow="keep_account")
    error = drive(keep_account, orders(acme()), Shop(), driver)["1"].error
    assert isinstance(error, UsageError)
    assert error.code == "connection-missing"


@flow(sweep=every(minutes=5), key=Order.key)
async def totals(order: Order, settings: Shop) -> None:
    header = await upsert(SalesOrder(tl_orderkey=order.key(), name="n"))
    await expect(header, cause="totals-differ", totalamount=order.OrderAmount, pricingerrorcode=0)


def test_an_expectation_that_does_not_hold_is_a_dead_letter_without_values(bench: Bench) -> None:
    for number, amount in ((1, "10.00"), (2, "10.0")):
        bench.remote.put(SalesOrder(tl_orderkey=str(number), totalamount=Decimal(amount), pricingerrorcode=0))
    wrong = Order(OrderID=1, OrderAmount=Decimal("10.01"))
    ended = bench.run(totals, wrong, Order(OrderID=2, OrderAmount=Decimal(10)))
    error = ended["1"].error
    assert isinstance(error, RecordError)
    assert (error.code, error.disposition) == ("totals-differ", Disposition.DEAD_LETTER)
    assert error.details == ({"field": "SalesOrder.totalamount", "reason": "is off by -0.01"},)
    assert "10.0" not in repr((error.message, error.where, error.hint, error.details))
    assert ended["2"].error is None
    assert [c for c in bench.remote.calls if c[0] == "read"] == [("read", "salesorder", 2)] * 2


@flow(sweep=every(minutes=5), key=Order.key)
async def on_a_row_that_is_gone(order: Order, settings: Shop) -> None:
    gone = Written(SalesOrder, (("tl_orderkey", "gone"),), "id-9")
    if order.OrderID == 1:
        await act(gone, "FulfillSalesOrder", when={"statecode": (0,)})
    else:
        await expect(gone, cause="totals-differ", totalamount=1)


@pytest.mark.parametrize("number", [1, 2])
def test_acting_on_or_expecting_of_a_row_that_is_gone_is_refused(bench: Bench, number: int) -> None:
    assert bench.error(on_a_row_that_is_gone, Order(OrderID=number)).code == "target-missing"


def test_equal_transitions_of_one_row_are_made_once(bench: Bench) -> None:
    row_id = bench.remote.put(SalesOrder(tl_orderkey="o"))

    @flow(sweep=every(minutes=5), key=Order.key)
    async def fulfil(order: Order, settings: Shop) -> None:
        written = Written(SalesOrder, (("tl_orderkey", "o"),), row_id)
        await act(written, "FulfillSalesOrder", when={"statecode": (0, 1)}, StatusCode=100001)

    ended = bench.run(fulfil, acme(number=1), acme(number=2))
    assert [each.error for each in ended.values()] == [None, None]
    assert [(w.action, w.fields, w.id) for w in bench.remote.performed] == [
        ("FulfillSalesOrder", {"StatusCode": 100001}, row_id)
    ]
    assert bench.journal.intents[0].before == {"statecode": 0}


# Writes in doubt

LOST = TryAgainError("no answer", code="remote-outcome-unknown", disposition=Disposition.RETRY)


def test_a_lost_answer_leaves_doubt_and_the_next_run_finds_that_it_happened(bench: Bench) -> None:
    bench.remote.answer_lost = LOST
    assert bench.error(keep_account, acme()) is LOST
    assert [doubt.entry for doubt in bench.journal.in_doubt(["1"])] == [0]
    bench.remote.answer_lost = None
    assert bench.run(keep_account, acme())["1"].error is None
    assert bench.journal.resolved == {0: True}
    assert len(bench.journal.intents) == 1, "it was not written again"


def test_a_call_that_never_arrived_leaves_doubt_and_the_next_run_writes_it(bench: Bench) -> None:
    row_id = bench.remote.put(Account(tl_customerkey="c", name="Old"))
    bench.remote.broken["perform"] = LOST
    bench.run(keep_account, acme())
    bench.remote.broken.clear()
    bench.run(keep_account, acme())
    assert bench.journal.resolved == {0: False}
    assert bench.journal.settled == {1: Settled(1, Disposition.DONE, row_id, 'W/"2"', "")}


def test_one_outcome_nobody_knows_leaves_doubt_about_that_write_alone(bench: Bench) -> None:
    items = ({"ItemIndexID": 1}, {"ItemIndexID": 2})
    bench.remote.refusals[(("tl_linekey", "1.1"),)] = Outcome(
        Disposition.RETRY, code="remote-outcome-unknown"
    )
    bench.run(keep_order, Order(OrderID=1, OrderItemList=items))
    assert [d.intent.key for d in bench.journal.in_doubt(["1"])] == [(("tl_linekey", "1.1"),)]


def test_another_flow_with_the_same_record_key_resolves_nothing(bench: Bench) -> None:
    bench.remote.answer_lost = LOST
    bench.run(keep_account, acme())
    bench.remote.answer_lost = None
    bench.run(keep_account, acme(), flow_name="another")
    assert (bench.journal.resolved, len(bench.journal.in_doubt(["1"]))) == ({}, 1)


def test_a_row_of_another_table_with_the_same_key_resolves_nothing(bench: Bench) -> None:
    @flow(sweep=every(minutes=5), key=Order.key)
    async def keep_contact(order: Order, settings: Shop) -> None:
        await upsert(Contact(tl_customerkey="c", lastname="n"))

    bench.remote.broken["perform"] = LOST
    bench.run(keep_account, acme())
    bench.remote.broken.clear()
    bench.remote.put(Contact(tl_customerkey="c", lastname="n"))
    bench.run(keep_contact, acme(), flow_name="keep_account")
    assert (bench.journal.resolved, len(bench.journal.in_doubt(["1"]))) == ({}, 1)


@flow(sweep=every(minutes=5), key=Order.key)
async def drop_account(order: Order, settings: Shop) -> None:
    await remove(await create_once(Account(tl_customerkey="c", name="n")))


def test_doubt_about_children_and_removals_is_resolved_by_what_stands_there(bench: Bench) -> None:
    before = Order(OrderID=1, OrderItemList=({"ItemIndexID": 1}, {"ItemIndexID": 2, "ItemQuantity": 1}))
    after = Order(OrderID=1, OrderItemList=({"ItemIndexID": 2, "ItemQuantity": 5}, {"ItemIndexID": 3}))
    bench.run(keep_order, before)
    first = len(bench.journal.intents)
    bench.remote.answer_lost = LOST
    bench.run(keep_order, after)
    bench.remote.answer_lost = None
    bench.run(keep_order, after)
    kinds = {e: bench.journal.intents[e].kind for e in bench.journal.resolved}
    assert {first: WriteKind.DELETE, first + 1: WriteKind.UPDATE, first + 2: WriteKind.CREATE} == kinds
    assert set(bench.journal.resolved.values()) == {True}
    assert len(bench.journal.intents) == first + 3


def test_doubt_about_a_transition_is_resolved_by_the_state(bench: Bench) -> None:
    row_id = bench.remote.put(SalesOrder(tl_orderkey="o"))

    @flow(sweep=every(minutes=5), key=Order.key)
    async def fulfil(order: Order, settings: Shop) -> None:
        await act(
            Written(SalesOrder, (("tl_orderkey", "o"),), row_id),
            "FulfillSalesOrder",
            when={"statecode": (0,)},
        )

    bench.remote.answer_lost = LOST
    bench.run(fulfil, acme())
    bench.remote.answer_lost = None
    assert bench.run(fulfil, acme())["1"].error is None
    assert (bench.journal.resolved, len(bench.journal.intents)) == ({0: True}, 1)


def test_doubt_is_resolved_by_a_row_that_a_query_finds_and_not_by_one_it_does_not(bench: Bench) -> None:
    @flow(sweep=every(minutes=5), key=Order.key)
    async def asking(order: Order, settings: Shop) -> None:
        await find_where(Account, where=[Condition("name", Comparison.EQ, order.BillingCompany)])

    other: Any = replace(asking, name="keep_account")
    bench.remote.answer_lost = LOST
    bench.run(keep_account, acme())
    bench.run(other, acme("Beta"))
    assert bench.journal.resolved == {}
    bench.run(other, acme())
    assert bench.journal.resolved == {0: True}


def test_a_flow_that_takes_another_way_leaves_its_doubt(bench: Bench) -> None:
    bench.remote.answer_lost = LOST
    bench.run(keep_account, acme())
    bench.remote.answer_lost = None
    other: Any = replace(keep_order, name="keep_account")
    bench.run(other, Order(OrderID=1))
    assert [doubt.entry for doubt in bench.journal.in_doubt(["1"])] == [0]


def test_what_was_removed_can_be_created_again(bench: Bench) -> None:
    bench.run(drop_account, acme())
    assert bench.remote.rows(Account) == []
    bench.run(keep_account, acme())
    assert [row["name"] for row in bench.remote.rows(Account)] == ["Acme"]
