"""The shape of a flow is checked when its module is imported."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from tests.flow.runs import Shop

from tagline.connectors.dataverse.models import Account
from tagline.connectors.shift4shop.models import Order
from tagline.domain.system import System, Trigger, connection, every
from tagline.errors import UsageError
from tagline.flow import find, find_where, flow, update, upsert

FIVE_MINUTES = every(minutes=5)


class Store(System):
    kind: ClassVar[str] = "shift4shop"

    @property
    def order_placed(self) -> Trigger:
        return Trigger(self, "order-placed", Order)

    @property
    def account_changed(self) -> Trigger:
        return Trigger(self, "account-changed", Account)


shop = connection(Store)


def test_a_flow_tells_what_starts_it_and_which_record_it_is_about() -> None:
    @flow(on=[shop.order_placed], sweep=FIVE_MINUTES, key=Order.key)
    async def orders_in(order: Order, settings: Shop) -> None:
        """A docstring is no statement of a flow."""
        if order.OrderID:
            for item in order.OrderItemList:
                if not item.ItemID:
                    continue
                await find(Account, tl_customerkey=item.ItemID)
        else:
            return

    assert ("orders_in", Order, Shop) == (orders_in.name, orders_in.source, orders_in.settings)
    assert ((shop.order_placed,), timedelta(minutes=5)) == (
        orders_in.triggers,
        orders_in.sweep and orders_in.sweep.every,
    )
    assert orders_in.key(Order(OrderID=12)) == "12"
    assert orders_in.file == __file__


def plain(order: Order, settings: Shop) -> None: ...


async def one_parameter(order: Order) -> None: ...


async def no_model(order: int, settings: Shop) -> None: ...


async def no_settings(order: Order, settings: int) -> None: ...


async def unknown_name(order: Order, settings: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821


async def loops(order: Order, settings: Shop) -> None:
    while order.OrderID:
        await upsert(Account(tl_customerkey="c"))


async def guards(order: Order, settings: Shop) -> None:
    if order.OrderID:
        try:
            await upsert(Account(tl_customerkey="c"))
        finally:
            pass


async def opens(order: Order, settings: Shop) -> None:
    with open(order.ItemID):  # type: ignore[attr-defined]  # noqa: ASYNC230, PTH123
        pass


async def nests(order: Order, settings: Shop) -> None:
    def inner() -> None: ...

    inner()


async def raises(order: Order, settings: Shop) -> None:
    raise ValueError


async def forgets(order: Order, settings: Shop) -> None:
    update(Account(tl_customerkey="c"))


async def forgets_a_query(order: Order, settings: Shop) -> None:
    find_where(Account, where=[])


@pytest.mark.parametrize(
    ("function", "offset", "found"),
    [
        (plain, 0, "it is not async"),
        (one_parameter, 0, "it takes 1 parameters"),
        (no_model, 0, "parameter order is not annotated with a model"),
        (no_settings, 0, "parameter settings is not annotated with a subclass of Settings"),
        (unknown_name, 0, "an annotation names Nowhere"),
        (loops, 1, "`while` has no place in a flow"),
        (guards, 2, "`try` has no place in a flow"),
        (opens, 1, "`with` has no place in a flow"),
        (nests, 1, "`def` has no place in a flow"),
        (raises, 1, "`raise` has no place in a flow"),
        (forgets, 1, "update(...) is not awaited and so never happens"),
        (forgets_a_query, 1, "find_where(...) is not awaited and so never happens"),
    ],
)
def test_another_shape_is_refused_with_its_line_and_a_remedy(
    function: Callable[..., Any], offset: int, found: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(found)) as refused:
        flow(sweep=FIVE_MINUTES, key=Order.key)(function)
    assert refused.value.code == "flow-shape"
    assert (function.__name__, __file__) == (refused.value.where["flow"], refused.value.where["file"])
    assert refused.value.where["line"] == str(function.__code__.co_firstlineno + offset)
    assert refused.value.hint


async def fine(order: Order, settings: Shop) -> None:
    await upsert(Account(tl_customerkey="c"))


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({"key": Order.key}, "nothing starts it"),
        ({"key": "OrderID", "sweep": FIVE_MINUTES}, "its key is no function"),
        ({"key": Order.key, "on": [shop.account_changed]}, "is about Account, the flow takes Order"),
    ],
)
def test_what_starts_a_flow_must_fit_it(arguments: dict[str, Any], found: str) -> None:
    with pytest.raises(UsageError, match=re.escape(found)) as refused:
        flow(**arguments)(fine)
    assert refused.value.code == "flow-shape"


def test_every_fault_is_listed_at_once() -> None:
    async def two_faults(order: Order, settings: Shop) -> None:
        update(Account(tl_customerkey="c"))
        assert order.OrderID

    with pytest.raises(UsageError, match=r"(?s)nothing starts it.*`assert`.*update") as refused:
        flow(key=Order.key)(two_faults)
    assert str(refused.value).count("line ") == 3
