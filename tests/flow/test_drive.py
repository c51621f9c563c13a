"""Advancing many coroutines together: rounds, and one record's end that is nobody else's."""

from __future__ import annotations

import asyncio
import types
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.flow.runs import Shop, orders

from tagline.connectors.dataverse.models import Account
from tagline.connectors.shift4shop.models import Order
from tagline.domain.system import every
from tagline.errors import Disposition, RecordError, TaglineError, TryAgainError, UsageError
from tagline.flow import Flow, find, flow, reject, require, upsert
from tagline.flow.drive import Ask, drive


@dataclass
class Answering:
    """A driver that answers by a function and keeps the rounds."""

    answer_one: Callable[[Ask], Any] = lambda ask: None
    rounds: list[list[str]] = field(default_factory=list)

    def answer(self, asks: Sequence[Ask]) -> Sequence[Any]:
        self.rounds.append([ask.record for ask in asks])
        return [self.answer_one(ask) for ask in asks]


@flow(sweep=every(minutes=5), key=Order.key)
async def as_often_as_the_number(order: Order, settings: Shop) -> None:
    for _ in range(order.OrderID):
        await find(Account, "name", tl_customerkey="c")


@given(st.lists(st.integers(0, 5), unique=True, max_size=6))
def test_records_are_asked_together_and_end_when_they_are_done(numbers: list[int]) -> None:
    driver = Answering()
    ended = drive(as_often_as_the_number, orders(*(Order(OrderID=n) for n in numbers)), Shop(), driver)
    assert [(str(n), None, n) for n in numbers] == [(e.record, e.error, e.rounds) for e in ended.values()]
    expected = [[str(n) for n in numbers if n > turn] for turn in range(max(numbers, default=0))]
    assert expected == driver.rounds


@pytest.mark.parametrize("disposition", [Disposition.RETRY, Disposition.DEAD_LETTER, Disposition.STOP])
def test_an_error_as_an_answer_ends_that_record_alone(disposition: Disposition) -> None:
    error = TryAgainError("the remote is away", code="remote-unreachable", disposition=disposition)
    driver = Answering(lambda ask: error if ask.record == "2" else None)
    ended = drive(as_often_as_the_number, orders(Order(OrderID=2), Order(OrderID=3)), Shop(), driver)
    assert (error, 1, None, 3) == (ended["2"].error, ended["2"].rounds, ended["3"].error, ended["3"].rounds)


def test_an_answer_reaches_the_record_that_asked() -> None:
    seen = {}

    @flow(sweep=every(minutes=5), key=Order.key)
    async def look(order: Order, settings: Shop) -> None:
        seen[order.OrderID] = await find(Account, tl_customerkey="c")

    drive(
        look,
        orders(Order(OrderID=1), Order(OrderID=2)),
        Shop(),
        Answering(lambda ask: f"row of {ask.record}"),
    )
    assert seen == {1: "row of 1", 2: "row of 2"}


def ended_with(declared: Flow, driver: Answering | None = None) -> TaglineError:
    error = drive(declared, orders(Order(OrderID=1)), Shop(), driver or Answering())["1"].error
    assert error is not None
    return error


def secret_of(order: Order) -> str:
    raise ValueError("jane@example.com is not a number")


@flow(sweep=every(minutes=5), key=Order.key)
async def failing(order: Order, settings: Shop) -> None:
    await find(Account, tl_customerkey="c")
    secret_of(order)


def test_an_exception_of_an_author_names_type_and_lines_and_no_value() -> None:
    error = ended_with(failing)
    assert isinstance(error, RecordError)
    assert (error.code, error.disposition) == ("flow-failed", Disposition.DEAD_LETTER)
    call = failing.line + 3
    assert (
        f"failing failed with ValueError at test_drive.py:{call}, in test_drive.py:{call - 6}"
        == error.message
    )
    assert "jane" not in repr((error.message, error.where, error.hint, error.details))
    assert isinstance(error.__cause__, ValueError)


def test_require_and_reject_end_a_record_with_their_cause() -> None:
    @flow(sweep=every(minutes=5), key=Order.key)
    async def refusing(order: Order, settings: Shop) -> None:
        require(order.OrderID > 1, cause="order-too-small", field="OrderID")
        reject("order-too-big", "it is too big")

    ended = drive(refusing, orders(Order(OrderID=1), Order(OrderID=2)), Shop(), Answering())
    assert [e.error.code for e in ended.values() if e.error] == ["order-too-small", "order-too-big"]


def test_a_wrong_use_met_by_one_record_sets_that_record_aside() -> None:
    """A key that is empty for one order must not stop the flow for all the others."""

    @flow(sweep=every(minutes=5), key=Order.key)
    async def keyless(order: Order, settings: Shop) -> None:
        await upsert(Account(name="Acme"))

    error = ended_with(keyless)
    assert (error.code, error.disposition) == ("target-key-missing", Disposition.DEAD_LETTER)


class Something:
    def __await__(self) -> Generator[Any, Any, None]:
        yield "not an effect"


@types.coroutine
def sleeping() -> Generator[Any, Any, None]:
    yield


@pytest.mark.parametrize(
    "awaitable",
    [Something, sleeping, lambda: asyncio.sleep(0), lambda: asyncio.sleep(1)],
    ids=["class", "generator", "yielding", "sleeping"],
)
def test_awaiting_anything_but_an_effect_is_refused(awaitable: Callable[[], Any]) -> None:
    @flow(sweep=every(minutes=5), key=Order.key)
    async def waiting(order: Order, settings: Shop) -> None:
        await awaitable()

    error = ended_with(waiting)
    assert isinstance(error, UsageError)
    assert (error.code, error.disposition) == ("flow-awaits-other", Disposition.DEAD_LETTER)


def test_a_helper_may_await_effects() -> None:
    async def helper() -> Any:
        return await find(Account, tl_customerkey="c")

    seen = []

    @flow(sweep=every(minutes=5), key=Order.key)
    async def helped(order: Order, settings: Shop) -> None:
        seen.append(await helper())

    drive(helped, orders(Order(OrderID=1)), Shop(), Answering(lambda ask: 42))
    assert seen == [42]


def test_what_a_driver_raises_passes_through_and_closes_every_flow() -> None:
    closed = []

    async def helper(order: Order) -> None:
        try:
            await find(Account, tl_customerkey="c")
        finally:
            closed.append(order.OrderID)

    @flow(sweep=every(minutes=5), key=Order.key)
    async def waiting(order: Order, settings: Shop) -> None:
        await helper(order)

    def broken(ask: Ask) -> Any:
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="disk") as raised:
        drive(waiting, orders(Order(OrderID=1), Order(OrderID=2)), Shop(), Answering(broken))
    assert closed == [1, 2], f"left open, though {raised.type} is known"
